/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Decoded blocks: what they hold, what makes them stale, and code that changes under the engines.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "synth.h"

#include "accel/block.h"
#include "accel/engine.h"

static struct synth *s;
static struct block_cache bc;
static unsigned prepared;

static void prepare(struct block *b, const struct core *c)
{
	(void)b;
	(void)c;
	prepared++;
}

static void setup(void)
{
	s = synth_new("max");
	enter_protected(s, 0);
	cr_assert_eq(block_cache_init(&bc, prepare), 0);
}

static void teardown(void)
{
	block_cache_fini(&bc);
	synth_free(s);
}

TestSuite(block, .init = setup, .fini = teardown);

static void put_code(uint32_t at, const char *code, size_t len)
{
	memcpy(s->ram.host + at, code, len);
}
#define PUT(at, code) put_code(at, code, sizeof(code) - 1)

static struct block *get(uint64_t rip)
{
	struct block *volatile b = NULL;

	s->c.v.rip = rip;
	cr_assert_eq(CATCH(s, b = block_get(&bc, &s->c)), RAN);
	return b;
}

static int fault_at(uint64_t rip)
{
	s->c.v.rip = rip;
	return CATCH(s, block_get(&bc, &s->c));
}

Test(block, is_kept)
{
	PUT(TEXT, "\x90\x40\x83\xc0\x05\xeb\xfe");
	struct block *b = get(TEXT);

	cr_assert_eq(b->nr, 4u);
	cr_expect_eq(b->insn[3].end, 7u);
	cr_expect_eq(b->insn[4].end, 7u, "the end marker");
	cr_expect_eq(get(TEXT), b);
	tlb_flush_all(&s->c.tlb);
	cr_expect_eq(get(TEXT), b, "no longer by its linear address, but by the physical one");
	cr_expect_neq(get(TEXT + 1), b);
	cr_expect_eq(get(TEXT + 1)->nr, 3u);
	cr_expect_eq(prepared, 2u);
}

Test(block, ends_with_the_page_or_at_its_longest)
{
	memset(s->ram.host + TEXT, 0x90, 3 * PAGE_SIZE);
	cr_expect_eq(get(TEXT)->nr, (unsigned)BLOCK_MAX_INSNS);
	cr_expect_eq(get(TEXT + PAGE_SIZE - 5)->nr, 5u);
	/* An instruction that does not fit is left to a block of its own. */
	PUT(TEXT + PAGE_SIZE - 5, "\x90\xb8\x11\x22\x33\x44\x90");
	aspace_write(&s->mem, TEXT, 0x90, 1);
	struct block *b = get(TEXT + PAGE_SIZE - 5);
	cr_expect_eq(b->nr, 1u);
	cr_expect_not(b->crosses);
	b = get(TEXT + PAGE_SIZE - 4);
	cr_expect_eq(b->nr, 1u);
	cr_expect(b->crosses);
	cr_expect_eq(b->insn[0].imm, 0x44332211u);
	cr_expect_eq(b->gpa2, TEXT + (uint64_t)PAGE_SIZE);
}

Test(block, stores_make_it_stale)
{
	PUT(TEXT, "\xb8\x01\x00\x00\x00\xeb\xfe");
	struct block *b = get(TEXT);

	cr_assert_eq(b->insn[0].imm, 1u);
	s->c.leave = false;
	mem_write32(&s->c, TEXT - 4, 0);
	mem_write32(&s->c, TEXT + PAGE_SIZE, 0);
	cr_expect_not(s->c.leave);
	cr_expect_eq(get(TEXT), b, "other pages");
	mem_write32(&s->c, TEXT + 1, 2);
	cr_expect(s->c.leave, "the block may go on in what was changed");
	cr_expect_not(block_valid(b));
	b = get(TEXT);
	cr_expect_eq(b->insn[0].imm, 2u);
	aspace_write(&s->mem, TEXT + 1, 3, 4);
	b = get(TEXT);
	cr_expect_eq(b->insn[0].imm, 3u);
	mem_write64(&s->c, TEXT - 4, 0xb8ull << 32);
	cr_expect_not(block_valid(b), "a store that ends in the page");
	cr_expect_eq(get(TEXT)->insn[0].imm, 0u);
	/* Anywhere in the page counts, and the second time too. */
	b = get(TEXT);
	mem_write8(&s->c, TEXT + 0xfff, 0);
	cr_expect_not(block_valid(b));
	b = get(TEXT);
	mem_write8(&s->c, TEXT + 0xfff, 0);
	cr_expect_not(block_valid(b));
}

Test(block, either_page_of_a_crossing_one)
{
	const uint32_t at = TEXT + PAGE_SIZE - 2;

	PUT(at, "\xb8\x01\x02\x03\x04");
	cr_expect_eq(get(at)->insn[0].imm, 0x04030201u);
	cr_expect_eq(get(at), get(at));
	mem_write8(&s->c, at + 2, 0x22);
	cr_expect_eq(get(at)->insn[0].imm, 0x04032201u);
	mem_write8(&s->c, at + 1, 0x11);
	cr_expect_eq(get(at)->insn[0].imm, 0x04032211u);
}

/* The second page is another one now, which no store tells. */
Test(block, the_second_page_is_mapped_anew)
{
	struct vcpu *v = &s->c.v;
	const uint64_t lin = 0x7ffe;

	enter_long(s, 0);
	poke(s, 0x5000, 0xa007, 8);
	poke(s, 0xa000, 0xb007, 8);
	poke(s, 0xb000 + 7 * 8, 0xc007, 8);
	poke(s, 0xb000 + 8 * 8, 0xd007, 8);
	PUT(0xcffe, "\xb8\x01");
	PUT(0xd000, "\x02\x03\x04");
	PUT(0xe000, "\x12\x13\x14");
	tlb_flush_all(&s->c.tlb);
	cr_assert_eq(get(lin)->insn[0].imm, 0x04030201u);
	poke(s, 0xb000 + 8 * 8, 0xe007, 8);
	tlb_flush_page(&s->c.tlb, 0x8000);
	cr_expect_eq(get(lin)->insn[0].imm, 0x14131201u);
	poke(s, 0xb000 + 8 * 8, 0, 8);
	tlb_flush_page(&s->c.tlb, 0x8000);
	cr_expect_eq(fault_at(lin), EXC_PF);
	cr_expect_eq(s->c.exc.cr2, 0x8000u);
	cr_expect_eq(v->rip, lin);
}

Test(block, depends_on_the_code_size)
{
	PUT(TEXT, "\xb8\x01\x02\x03\x04\xf4");
	cr_expect_eq(get(TEXT)->insn[0].len, 5u);
	s->c.v.seg[CS].attr &= ~(uint32_t)SEG_DB;
	core_update_mode(&s->c);
	cr_expect_eq(get(TEXT)->insn[0].len, 3u);
	s->c.v.seg[CS].attr |= SEG_DB;
	core_update_mode(&s->c);
	cr_expect_eq(get(TEXT)->insn[0].len, 5u);
}

Test(block, the_segment_limit_cuts)
{
	PUT(TEXT, "\x90\x90\xb8\x01\x02\x03\x04\x90");
	cr_expect_geq(get(TEXT)->nr, 4u);
	s->c.v.seg[CS].limit = TEXT + 5;
	core_update_mode(&s->c);
	cr_expect_eq(get(TEXT)->nr, 2u);
	/* What is cut raises #GP when it is reached. */
	cr_expect_eq(get(TEXT + 2)->insn[0].len, 1u);
	cr_expect_str_eq(get(TEXT + 2)->insn[0].desc->name, "(bad)");
	cr_expect_eq(fault_at(TEXT + 6), EXC_GP);
	s->c.v.seg[CS].limit = TEXT + 1;
	core_update_mode(&s->c);
	cr_expect_eq(get(TEXT)->nr, 2u);
	s->c.v.seg[CS].limit = TEXT;
	cr_expect_eq(get(TEXT)->nr, 1u);
}

Test(block, undefined_opcodes_wait_for_their_turn)
{
	PUT(TEXT, "\x90\xf0\x90"); /* LOCK NOP */
	cr_assert_eq(get(TEXT)->nr, 1u);
	struct block *b = get(TEXT + 1);
	cr_assert_eq(b->nr, 1u);
	cr_expect_eq(CATCH(s, b->insn[0].op(&s->c, &b->insn[0])), EXC_UD);
}

static unsigned device_reads;

static uint64_t code_read(void *dev, uint64_t off, unsigned size)
{
	(void)dev;
	(void)off;
	(void)size;
	device_reads++;
	return device_reads > 40 ? 0x40 : 0x90;
}

Test(block, code_in_devices_and_rom)
{
	static const struct mmio_ops ops = {code_read, NULL, 1, 1};
	struct ram rom;

	cr_assert_eq(aspace_map_dev(&s->mem, "code", 0x200000, PAGE_SIZE, &ops, NULL), 0);
	cr_expect_eq(get(0x200000)->insn[0].len, 1u);
	while (device_reads <= 40)
		cr_expect_eq(get(0x200000)->insn[0].modrm, 0u);
	cr_expect_str_eq(get(0x200000)->insn[0].desc->name, "inc", "read again each time");

	cr_assert_eq(ram_init(&rom, "rom", PAGE_SIZE), 0);
	memset(rom.host, 0x90, PAGE_SIZE);
	cr_assert_eq(aspace_map_rom(&s->mem, "rom", 0x300000, PAGE_SIZE, &rom, 0), 0);
	tlb_flush_all(&s->c.tlb);
	struct block *b = get(0x300010);
	mem_write32(&s->c, 0x300010, 0xf4f4f4f4);
	cr_expect_eq(get(0x300010), b);
	ram_fini(&rom);
}

Test(block, the_cache_overflows)
{
	const uint32_t from = 0x10000, to = 0xf0000;
	unsigned n = 0;

	memset(s->ram.host + from, 0x90, to - from + PAGE_SIZE);
	while (!bc.flushed) {
		uint32_t at = from + n * 61 % (to - from);
		cr_assert_lt(n, 1000000u);
		cr_assert_geq(get(at)->nr, 1u);
		n++;
	}
	for (unsigned k = 0; k < 100; k++) {
		struct block *b = get(from + k * PAGE_SIZE);
		cr_expect_eq(b->gpa, from + k * (uint64_t)PAGE_SIZE);
		cr_expect_eq(b->nr, (unsigned)BLOCK_MAX_INSNS);
	}
}

/* ---- under an engine ---- */

static const struct engine *const engines[] = {&engine_interp, &engine_jit};
enum { NR_ENGINES = 2 };

static _Atomic uint32_t events;

static struct engine_cpu *new_cpu(const struct engine *en)
{
	struct engine_cpu *e;
	int err;

	atomic_store(&events, 0);
	err = en->create(&e, &s->model, &s->bus, 0, &events);
	if (err == -ENOTSUP)
		return NULL;
	cr_assert_eq(err, 0);
	en->load(e, &s->c.v);
	return e;
}

struct result {
	uint32_t eax, ebx;
};

/* Runs from TEXT to a HLT with ECX 100. */
static struct result run(const struct engine *en, uint32_t rip)
{
	struct engine_cpu *e;

	s->c.v.rip = rip;
	s->c.v.gpr[RAX] = s->c.v.gpr[RBX] = 0;
	s->c.v.gpr[RCX] = 100;
	e = new_cpu(en);
	if (!e)
		return (struct result){0};
	cr_assert_eq(en->run(e, UINT64_MAX), RUN_HALTED);
	en->store(e, &s->c.v);
	en->destroy(e);
	s->c.v.activity = ACT_RUNNING;
	return (struct result){(uint32_t)s->c.v.gpr[RAX], (uint32_t)s->c.v.gpr[RBX]};
}

static bool missing(const struct engine *en)
{
	struct engine_cpu *e = new_cpu(en);

	if (e)
		en->destroy(e);
	return !e;
}

Test(block, the_next_instruction_is_changed)
{
	for (unsigned n = 0; n < NR_ENGINES; n++) {
		if (missing(engines[n]))
			continue;
		/* mov byte [TEXT + 8], 2; mov al, 1; hlt */
		PUT(TEXT, "\xc6\x05\x08\x80\x00\x00\x02\xb0\x01\xf4");
		cr_expect_eq(run(engines[n], TEXT).eax, 2u, "%s", engines[n]->name);
		/* mov esi, TEXT + 100h; mov edi, next; mov ecx, 2; rep movsb; next: mov al, 1; hlt */
		PUT(TEXT, "\xbe\x00\x81\x00\x00\xbf\x11\x80\x00\x00\xb9\x02\x00\x00\x00\xf3\xa4"
			  "\xb0\x01\xf4");
		PUT(TEXT + 0x100, "\xb0\x07");
		cr_expect_eq(run(engines[n], TEXT).eax, 7u, "%s", engines[n]->name);
		/* mov esp, next + 4; push 0x90f407b0; next: mov al, 1; hlt */
		PUT(TEXT, "\xbc\x0e\x80\x00\x00\x68\xb0\x07\xf4\x90\xb0\x01\xf4\x90");
		cr_expect_eq(run(engines[n], TEXT).eax, 7u, "%s", engines[n]->name);
	}
}

Test(block, a_loop_changes_itself)
{
	static const struct {
		const char *how;
		char code[24];
	} t[] = {
	    /* mov eax, N; add ebx, eax; inc dword [N]; dec ecx; jnz; hlt */
	    {"inc", "\xb8\x00\x00\x00\x00\x01\xc3\xff\x05\x01\x80\x00\x00\x49\x75\xf0\xf4"},
	    {"lock inc",
	     "\xb8\x00\x00\x00\x00\x01\xc3\xf0\xff\x05\x01\x80\x00\x00\x49\x75\xef\xf4"},
	    /* lea edx, [eax + 1]; mov [N], edx */
	    {"mov",
	     "\xb8\x00\x00\x00\x00\x01\xc3\x8d\x50\x01\x89\x15\x01\x80\x00\x00\x49\x75\xed\xf4"},
	    /* the same by XCHG */
	    {"xchg",
	     "\xb8\x00\x00\x00\x00\x01\xc3\x8d\x50\x01\x87\x15\x01\x80\x00\x00\x49\x75\xed\xf4"},
	};

	for (unsigned n = 0; n < NR_ENGINES; n++)
		for (unsigned k = 0; k < sizeof(t) / sizeof(t[0]); k++) {
			if (missing(engines[n]))
				continue;
			put_code(TEXT, t[k].code, sizeof(t[k].code));
			cr_expect_eq(run(engines[n], TEXT).ebx, 4950u, "%s by %s", engines[n]->name,
				     t[k].how);
		}
}

Test(block, a_loop_changes_what_it_calls)
{
	for (unsigned n = 0; n < NR_ENGINES; n++) {
		if (missing(engines[n]))
			continue;
		/* call 9000h; add ebx, eax; inc dword [9001h]; dec ecx; jnz; hlt */
		PUT(TEXT, "\xe8\xfb\x0f\x00\x00\x01\xc3\xff\x05\x01\x90\x00\x00\x49\x75\xf0\xf4");
		PUT(0x9000, "\xb8\x00\x00\x00\x00\xc3");
		s->c.v.gpr[RSP] = STACK0;
		cr_expect_eq(run(engines[n], TEXT).ebx, 4950u, "%s", engines[n]->name);
	}
}

Test(block, a_loop_changes_its_crossing_instruction)
{
	for (unsigned n = 0; n < NR_ENGINES; n++) {
		if (missing(engines[n]))
			continue;
		/* 8ffeh: mov eax, N; add ebx, eax; add dword [N], 10203h; dec ecx; jnz; hlt */
		PUT(0x8ffe, "\xb8\x00\x00\x00\x00\x01\xc3\x81\x05\xff\x8f\x00\x00\x03\x02\x01\x00"
			    "\x49\x75\xec\xf4");
		cr_expect_eq(run(engines[n], 0x8ffe).ebx, 4950u * 0x10203, "%s", engines[n]->name);
	}
}

/* ---- another processor changes the code ---- */

/* Translated loops look again at an event only, such as the interrupt by which a processor that
 * changes another's code must make it serialise (SDM vol. 3A 9.1.3). */
static void tell(const struct engine *en, struct engine_cpu *e)
{
	if (en == &engine_interp)
		return;
	atomic_fetch_or(&events, EV_TLB);
	en->kick(e);
}

struct other {
	const struct engine *en;
	struct engine_cpu *e;
};

static void *run_thread(void *opaque)
{
	struct other *o = opaque;

	cr_assert_eq(o->en->run(o->e, UINT64_MAX), RUN_STOPPED);
	return NULL;
}

Test(block, others_change_code, .timeout = 60)
{
	_Atomic uint32_t *seen = (_Atomic uint32_t *)(void *)(s->ram.host + 0x20000);

	for (unsigned n = 0; n < NR_ENGINES; n++) {
		struct other o = {.en = engines[n]};
		pthread_t thread;

		/* mov eax, N; mov [20000h], eax; jmp */
		PUT(TEXT, "\xb8\x00\x00\x00\x00\xa3\x00\x00\x02\x00\xeb\xf4");
		s->c.v.rip = TEXT;
		o.e = new_cpu(o.en);
		if (!o.e)
			continue;
		cr_assert_eq(pthread_create(&thread, NULL, run_thread, &o), 0);
		for (uint32_t k = 1; k <= 300; k++) {
			aspace_write(&s->mem, TEXT + 1, k, 4);
			tell(o.en, o.e);
			for (unsigned wait = 0; atomic_load(seen) != k; wait++) {
				cr_assert_lt(wait, 100000000u, "%s: %u is never seen", o.en->name,
					     k);
				sched_yield();
			}
		}
		atomic_fetch_or(&events, EV_STOP);
		o.en->kick(o.e);
		pthread_join(thread, NULL);
		o.en->destroy(o.e);
	}
}
