/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Code memory, the hand-made stubs around generated code, and the C side of entering and leaving it.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xmmintrin.h>

#include "accel/jit/jit_impl.h"
#include "cpu/check.h"
#include "cpu/mem.h"
#include "cpu/mxcsr.h"
#include "cpu/opcode.h"

#ifdef UNDER_ASAN
#include <sanitizer/asan_interface.h>
#endif

#define STACK_SIZE (256u << 10)

/* Bits of an address that make its two places in the jump table. */
#define JUMP_MASK  (JIT_JUMP_ENTRIES - 1)
#define JUMP_MASK2 (0xfffu | JUMP_MASK >> 12 << 15)

/* ---- what generated code calls ---- */

/* Linear address of the data access that a translated instruction makes, for the fill after a miss. */
static bool access_lin(const struct core *c, const struct insn *i, uint64_t *lin)
{
	bool mem = false;
	for (unsigned n = 0; n < 4; n++)
		mem |= i->o[n].kind == OPK_MEM;
	if (mem) {
		*lin = ea(c, i);
		if (i->seg == FS || i->seg == GS)
			*lin += c->v.seg[i->seg].base;
	} else if (i->desc->attrs & (A_LD | A_ST)) {
		*lin = c->v.gpr[RSP] - (i->desc->attrs & A_ST ? c->mode : 0);
	} else {
		return false;
	}
	if (c->mode != 8)
		*lin = (uint32_t)*lin;
	return true;
}

/* A tag that no address has in slot n: it belongs in the one beside it. (No single value will do for
 * all slots: translations subtract the tag, and any tag is close to some address.) */
static uint64_t no_tag(unsigned n)
{
	return (uint64_t)(n ^ 1) << PAGE_SHIFT;
}

/* Takes what the C operation left in the core's TLB over into the arrays of generated code. */
static void fill(struct engine_cpu *e, uint64_t lin)
{
	const struct tlb *t = &e->core.tlb;
	const struct tlb_entry *from = &t->e[e->core.tlb_mode][tlb_index(lin)];
	uint64_t page = lin & PAGE_MASK, tag = page | t->asid;
	struct jit_tlb *to = &e->js.tlb[e->core.tlb_mode];
	unsigned n = (lin >> PAGE_SHIFT) % JIT_TLB_ENTRIES;
	if (from->rd != tag && from->wr != tag)
		return;
	to->rd[n] = from->rd == tag ? page : no_tag(n);
	to->wr[n] = from->wr == tag ? page : no_tag(n);
	to->host[n] = from->host;
	to->page[n] = from->page;
}

/* The host runs with the guest's MXCSR while nothing unmasked can come of it. */
static void mxcsr_to_host(struct engine_cpu *e)
{
	if ((e->core.v.mxcsr & MXCSR_MASKS) != MXCSR_MASKS)
		return;
	_mm_setcsr(e->core.v.mxcsr);
	e->js.mxcsr_live = true;
}

static void mxcsr_to_guest(struct engine_cpu *e)
{
	if (!e->js.mxcsr_live)
		return;
	e->core.v.mxcsr = _mm_getcsr();
	_mm_setcsr(MXCSR_MASKS);
	e->js.mxcsr_live = false;
}

void jit_left(struct engine_cpu *e)
{
	mxcsr_to_guest(e);
}

/* Operations that look at v.mxcsr, change it or use the host's own: SSE, and the FXSAVE and XSAVE
 * groups. */
static bool uses_mxcsr(const struct opcode *d)
{
	return d->attrs & (A_SSE | A_AVX | A_X87) ||
	       (d->map == M0F && (d->opcode == 0xae || d->opcode == 0xc7));
}

bool jit_exec_op(struct engine_cpu *e, const struct insn *i)
{
	struct core *c = &e->core;
	uint64_t attrs = i->desc->attrs, lin = 0;
	bool access = access_lin(c, i, &lin), mxcsr = uses_mxcsr(i->desc);
	if (mxcsr)
		mxcsr_to_guest(e);
	if (attrs & A_CHECKED)
		insn_check(c, i);
	i->op(c, i);
	if (attrs & A_END || c->leave) {
		if (!(attrs & A_BR))
			c->v.rip = insn_next(c, i);
		return true;
	}
	if (mxcsr)
		mxcsr_to_host(e);
	if (access)
		fill(e, lin);
	return false;
}

/* An instruction that continues in the next page: no link or lookup has looked at that one. */
static bool jit_exec_cross(struct engine_cpu *e, const struct insn *i)
{
	const struct block *b =
	    (const struct block *)((const uint8_t *)i - offsetof(struct block, insn));
	e->core.insn = NULL;
	if (!block_second_page_ok(&e->core, b))
		return true;
	e->core.insn = i;
	return jit_exec_op(e, i);
}

/* A store hit a page with flags. True when the block may have changed: i is where to go on. */
static bool jit_stored(struct engine_cpu *e, const struct insn *i, struct ram_page *page)
{
	struct core *c = &e->core;
	if (page->flags & PAGE_CODE) {
		ram_code_written(page);
		c->v.rip = insn_next(c, i);
		return true;
	}
	return false;
}

/* ---- stubs ---- */

#define EACH_PINNED(X)                                                                             \
	for (unsigned g = 0; g < 16; g++)                                                          \
		if (host_reg(g) >= 0)                                                              \
	X

static void save_regs(struct emit *e, int32_t bias)
{
	EACH_PINNED(emit_store(e, rm_mem(STATE, OFF_GPR(g) + bias), (unsigned)host_reg(g)));
}

static void load_regs(struct emit *e, int32_t bias)
{
	EACH_PINNED(emit_load(e, (unsigned)host_reg(g), rm_mem(STATE, OFF_GPR(g) + bias)));
}

/* Host flags to v.cc. Clobbers rax and rdx. */
static void save_flags(struct emit *e, int32_t bias)
{
	static const uint8_t code[] = {
	    0x9f,                      /* lahf */
	    0x0f, 0x90, 0xc0,          /* seto al */
	    0x0f, 0xb6, 0xd4,          /* movzx edx, ah */
	    0x81, 0xe2, 0xd5, 0, 0, 0, /* and edx, 0d5h */
	    0x0f, 0xb6, 0xc0,          /* movzx eax, al */
	    0xc1, 0xe0, 11,            /* shl eax, 11 */
	    0x09, 0xc2,                /* or edx, eax */
	};
	emit_bytes(e, code, sizeof(code));
	emit_rm(e, 0x89, 4, H_RDX, rm_mem(STATE, OFF_CORE(v.cc) + bias));
}

/* v.cc to host flags. Clobbers rax and rdx. */
static void load_flags(struct emit *e, int32_t bias)
{
	static const uint8_t code[] = {
	    0x89, 0xc2,       /* mov edx, eax */
	    0xc1, 0xea, 11,   /* shr edx, 11 */
	    0x83, 0xe2, 1,    /* and edx, 1 */
	    0x88, 0xc4,       /* mov ah, al */
	    0x80, 0xc2, 0x7f, /* add dl, 7fh: OF */
	    0x9e,             /* sahf */
	};
	emit_load32(e, H_RAX, rm_mem(STATE, OFF_CORE(v.cc) + bias));
	emit_bytes(e, code, sizeof(code));
}

static const uint8_t callee_saved[] = {H_RBX, H_RBP, H_R12, H_R13, H_R14, H_R15};

static void emit_push_pop(struct emit *e, unsigned reg, uint8_t base)
{
	if (reg >= 8)
		emit8(e, 0x41);
	emit8(e, (uint8_t)(base | (reg & 7)));
}

static void make_enter(struct jit *j, struct emit *e)
{
	j->enter = e->w;
	for (unsigned n = 0; n < 6; n++)
		emit_push_pop(e, callee_saved[n], 0x50);
	emit_store(e, rm_mem(H_RDI, OFF_JS(saved_rsp)), H_RSP);
	emit_rm(e, 0x8b, 8, H_RSP, rm_reg(H_RDI));
	emit_rm(e, 0x8b, 8, S2, rm_reg(H_RSI));
	load_flags(e, 0);
	load_regs(e, 0);
	emit_rm(e, 0xff, 4, 4, rm_reg(S2)); /* jmp r14 */
}

static void make_leave(struct jit *j, struct emit *e)
{
	j->leave_link = e->w;
	emit_store(e, rm_mem(STATE, OFF_JS(link)), S2);
	j->leave = e->w;
	save_regs(e, 0);
	save_flags(e, 0);
	vec_emit_save(j, e, 0);
	emit_rm(e, 0x03, 8, S1, rm_mem(STATE, OFF_JS(page_rip)));
	emit_store(e, rm_mem(STATE, OFF_CORE(v.rip)), S1);
	j->leave_stored = e->w;
	emit_load(e, H_RSP, rm_mem(STATE, OFF_JS(saved_rsp)));
	for (unsigned n = 6; n-- > 0;)
		emit_push_pop(e, callee_saved[n], 0x58);
	emit8(e, 0xc3);
}

/* Everything to memory, fn(core, r14, page) in C, and back; leaves when fn says so. The block's page
 * offset is in rcx on entry, except that `stored` gets the page there and the offset in spill. */
static void make_call(struct jit *j, struct emit *e, const void *fn, bool stored)
{
	const int32_t bias = 8; /* the return address */
	save_regs(e, bias);
	save_flags(e, bias);
	vec_emit_save(j, e, bias);
	if (stored) {
		emit_rm(e, 0x8b, 8, H_RDX, rm_reg(S1));
		emit_load(e, S1, rm_mem(STATE, OFF_JS(spill) + bias));
	}
	emit_rm(e, 0x03, 8, S1, rm_mem(STATE, OFF_JS(page_rip) + bias));
	emit_store(e, rm_mem(STATE, OFF_CORE(v.rip) + bias), S1);
	emit_store(e, rm_mem(STATE, OFF_CORE(blk_rip) + bias), S1);
	emit_store(e, rm_mem(STATE, OFF_CORE(insn) + bias), S2);
	emit_lea(e, 8, H_RDI, rm_mem(STATE, bias));
	emit_rm(e, 0x8b, 8, H_RSI, rm_reg(S2));
	emit_lea(e, 8, H_RSP, rm_mem(H_RSP, -8)); /* alignment of the ABI */
	emit_mov_imm(e, H_RAX, (uint64_t)(uintptr_t)fn);
	emit_rm(e, 0xff, 4, 2, rm_reg(H_RAX)); /* call rax */
	emit_lea(e, 8, H_RSP, rm_mem(H_RSP, 8));
	emit_rm(e, 0x84, 1, H_RAX, rm_reg(H_RAX)); /* test al, al */
	uint8_t *out = emit_jcc(e, CC_NE);
	load_flags(e, bias);
	load_regs(e, bias);
	emit8(e, 0xc3);
	emit_patch(out, e->w);
	emit_lea(e, 8, H_RSP, rm_mem(H_RSP, 8));
}

static void make_calls(struct jit *j, struct emit *e)
{
	j->call_op = e->w;
	make_call(j, e, (const void *)jit_exec_op, false);
	emit_jmp_to(e, j->leave_stored);
	j->call_cross = e->w;
	make_call(j, e, (const void *)jit_exec_cross, false);
	emit_jmp_to(e, j->leave_stored);
	j->stored = e->w;
	make_call(j, e, (const void *)jit_stored, true);
	emit_jmp_to(e, j->leave_stored);
}

/* S2 = the entry (/ 8) of the address in spill2 under the mask at `mask`; returns the jump that is taken
 * when it is another's. Clobbers rcx and rdx. */
static uint8_t *probe_jump(struct emit *e, int32_t mask, int32_t bias)
{
	static_assert(sizeof(struct jit_jump) == 32, "the index is doubled twice");
	emit_load(e, S1, rm_mem(STATE, OFF_JS(spill2) + bias));
	emit_pext(e, S2, S1, rm_mem(STATE, mask));
	emit_lea(e, 8, S2, rm_index(S2, S2, 0, 0));
	emit_lea(e, 8, S2, rm_index(S2, S2, 0, 0));
	emit_load(e, H_RDX, rm_index(STATE, S2, 3, OFF_JS(jump[0].key) + bias));
	emit_lea(e, 8, S1, rm_index(S1, H_RDX, 0, 1));
	emit_jrcxz_over_jmp(e);
	return emit_jmp(e);
}

/* rcx = rip: r14 = code, with next_page set, or 0, with rcx as it was. Other registers and flags stay.
 * While an event is pending nothing is found, so that no loop escapes the engine. */
static void make_lookup(struct jit *j, struct emit *e)
{
	const int32_t bias = 8;
	uint8_t *differs, *stale, *pending;
	j->lookup = e->w;
	emit_store(e, rm_mem(STATE, OFF_JS(spill) + bias), H_RDX);
	emit_store(e, rm_mem(STATE, OFF_JS(spill2) + bias), S1);
	emit_load(e, S1, rm_mem(STATE, OFF_JS(pending) + bias));
	emit_jrcxz_over_jmp(e);
	pending = emit_jmp(e);
	differs = probe_jump(e, OFF_JS(jump_mask) + bias, bias);
	const uint8_t *found = e->w;
	/* version of the page + context + ~expected + 1 == 0 */
	emit_load(e, H_RDX, rm_index(STATE, S2, 3, OFF_JS(jump[0].page) + bias));
	emit_load32(e, H_RDX, rm_mem(H_RDX, offsetof(struct ram_page, version)));
	emit_load(e, S1, rm_index(STATE, S2, 3, OFF_JS(jump[0].version) + bias));
	emit_lea(e, 8, S1, rm_index(S1, H_RDX, 0, 1));
	emit_load(e, H_RDX, rm_mem(STATE, OFF_JS(context) + bias));
	emit_lea(e, 8, S1, rm_index(S1, H_RDX, 0, 0));
	emit_jrcxz_over_jmp(e);
	stale = emit_jmp(e);
	emit_load(e, S2, rm_index(STATE, S2, 3, OFF_JS(jump[0].code) + bias));
	/* The page of rip without touching flags: its high bits, rotated back into place. */
	emit_load(e, S1, rm_mem(STATE, OFF_JS(spill2) + bias));
	emit_pext(e, S1, S1, rm_mem(STATE, OFF_JS(page_mask) + bias));
	static const uint8_t rorx_rcx_rcx_52[] = {0xc4, 0xe3, 0xfb, 0xf0, 0xc9, 52};
	emit_bytes(e, rorx_rcx_rcx_52, sizeof(rorx_rcx_rcx_52));
	emit_store(e, rm_mem(STATE, OFF_JS(next_page) + bias), S1);
	emit_load(e, H_RDX, rm_mem(STATE, OFF_JS(spill) + bias));
	emit8(e, 0xc3);
	emit_patch(differs, e->w);
	differs = probe_jump(e, OFF_JS(jump_mask2) + bias, bias);
	emit_jmp_to(e, found);
	emit_patch(differs, e->w);
	emit_patch(stale, e->w);
	emit_patch(pending, e->w);
	emit_load(e, S1, rm_mem(STATE, OFF_JS(spill2) + bias));
	emit_load(e, H_RDX, rm_mem(STATE, OFF_JS(spill) + bias));
	emit_mov_imm(e, S2, 0);
	emit8(e, 0xc3);

	/* Plain jumps: what is not found leaves, with rcx = rip - page_rip as `leave` wants it. */
	j->go = e->w;
	emit_call(e, j->lookup);
	emit_store(e, rm_mem(STATE, OFF_JS(spill)), S1);
	emit_rm(e, 0x8b, 8, S1, rm_reg(S2));
	emit8(e, 0xe3); /* jrcxz over the short jump to the long one */
	emit8(e, 2);
	emit8(e, 0xeb);
	emit8(e, 5);
	uint8_t *none = emit_jmp(e);
	emit_load(e, S1, rm_mem(STATE, OFF_JS(next_page)));
	emit_store(e, rm_mem(STATE, OFF_JS(page_rip)), S1);
	emit_rm(e, 0xff, 4, 4, rm_reg(S2)); /* jmp r14 */
	emit_patch(none, e->w);
	emit_load(e, S1, rm_mem(STATE, OFF_JS(page_rip)));
	emit_rm(e, 0xf7, 8, 2, rm_reg(S1)); /* not */
	emit_load(e, S2, rm_mem(STATE, OFF_JS(spill)));
	emit_lea(e, 8, S1, rm_index(S1, S2, 0, 1));
	emit_jmp_to(e, j->leave);
}

struct jit *jit_new(size_t cache, const char **why)
{
	if (!__builtin_cpu_supports("bmi2")) {
		*why = "the host CPU has no BMI2";
		return NULL;
	}
	struct jit *j = calloc(1, sizeof(*j));
	*why = "no memory for the code cache";
	if (!j)
		return NULL;
	j->size = cache;
	j->fd = memfd_create("doppel-jit", MFD_CLOEXEC);
	if (j->fd < 0 || ftruncate(j->fd, (off_t)cache) < 0)
		goto fail;
	j->write = mmap(NULL, cache, PROT_READ | PROT_WRITE, MAP_SHARED, j->fd, 0);
	if (j->write == MAP_FAILED) {
		j->write = NULL;
		goto fail;
	}
	j->exec = mmap(NULL, cache, PROT_READ | PROT_EXEC, MAP_SHARED, j->fd, 0);
	if (j->exec == MAP_FAILED) {
		j->exec = NULL;
		*why = "the host does not allow executable memory";
		goto fail;
	}
	jit_host_features(&j->host);
	struct emit e = {.w = j->write, .end = j->write + cache, .to_exec = j->exec - j->write};
	make_enter(j, &e);
	make_leave(j, &e);
	make_calls(j, &e);
	make_lookup(j, &e);
	vec_make_load(j, &e);
	j->first = j->next = e.w;
	return j;
fail:
	jit_free(j);
	return NULL;
}

void jit_free(struct jit *j)
{
	if (!j)
		return;
	if (j->write)
		munmap(j->write, j->size);
	if (j->exec)
		munmap(j->exec, j->size);
	if (j->fd >= 0)
		close(j->fd);
	free(j);
}

struct engine_cpu *jit_alloc_cpu(size_t size)
{
	size = (size + PAGE_SIZE - 1) & PAGE_MASK;
	uint8_t *p = mmap(NULL, PAGE_SIZE + STACK_SIZE + size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	mprotect(p, PAGE_SIZE, PROT_NONE);
	struct engine_cpu *e = (struct engine_cpu *)(p + PAGE_SIZE + STACK_SIZE);
	e->js.index_mask = (uint64_t)(JIT_TLB_ENTRIES - 1) << PAGE_SHIFT;
	e->js.jump_mask = JUMP_MASK;
	e->js.jump_mask2 = JUMP_MASK2;
	e->js.page_mask = PAGE_MASK;
	e->js.mask16 = 15;
	e->js.mxcsr_fixed = MXCSR_MASKS | 0xffff0000;
	e->js.mask32 = 31;
	/* An empty entry is one for the address ~0: have none where that is looked up. */
	e->js.jump[JIT_JUMP_ENTRIES - 1].key = ~(uint64_t)0;
	return e;
}

void jit_free_cpu(struct engine_cpu *e, size_t size)
{
	size = (size + PAGE_SIZE - 1) & PAGE_MASK;
	munmap((uint8_t *)e - STACK_SIZE - PAGE_SIZE, PAGE_SIZE + STACK_SIZE + size);
}

/* ---- entering ---- */

static void drop_tlb(struct jit_state *js)
{
	for (unsigned m = 0; m < TLB_MODES; m++) {
		for (unsigned n = 0; n < JIT_TLB_ENTRIES; n++)
			js->tlb[m].rd[n] = js->tlb[m].wr[n] = no_tag(n);
	}
}

static void drop_jumps(struct jit_state *js)
{
	memset(js->contexts, 0, sizeof(js->contexts));
	memset(js->code_pages, 0, sizeof(js->code_pages));
}

static unsigned page_bit(uint64_t lin)
{
	return (unsigned)((lin >> PAGE_SHIFT) * 0x9e3779b97f4a7c15ull >> 52);
}

void jit_reset(struct engine_cpu *e)
{
	e->jit->next = e->jit->first;
	e->jit->flushes++;
	e->js.link = 0;
	e->js.blocks_flushed = e->blocks.flushed;
	drop_jumps(&e->js);
}

static unsigned second_place(uint64_t rip)
{
	return (unsigned)((rip & 0xfff) | (rip >> 15 & JUMP_MASK >> 12) << 12);
}

/* Drops where jumps into one page lead, in all contexts. */
static void drop_jump_page(struct jit_state *js, uint64_t page)
{
	struct jit_jump *first = &js->jump[page & JUMP_MASK],
			*second = &js->jump[second_place(page)];
	for (unsigned n = 0; n < PAGE_SIZE; n++) {
		if ((~first[n].key & PAGE_MASK) == page)
			first[n].version = ~(uint64_t)0;
		if ((~second[n].key & PAGE_MASK) == page)
			second[n].version = ~(uint64_t)0;
	}
}

/* The jump table's number for this address space and mode. */
static uint64_t context_of(struct jit_state *js, uint64_t what)
{
	unsigned n = (unsigned)(what * 0x9e3779b97f4a7c15ull >> 56) % JIT_CONTEXTS;
	if (js->contexts[n].what != what) {
		if (++js->last_context == 0) { /* they have all been used */
			for (unsigned k = 0; k < JIT_JUMP_ENTRIES; k++)
				js->jump[k].version = ~(uint64_t)0;
			drop_jumps(js);
			js->last_context = 1;
		}
		js->contexts[n].what = what;
		js->contexts[n].number = js->last_context;
	}
	return (uint64_t)js->contexts[n].number << 32;
}

/* Not a data segment that reaches all of memory from its base. */
static bool bounded(const struct segment *s)
{
	const uint32_t bits = SEG_NULL | SEG_P | SEG_S | SEG_X | SEG_E | SEG_W;
	return s->limit != 0xffffffff || (s->attr & bits) != (SEG_P | SEG_S | SEG_W);
}

/* Follows the core's TLB and mode. */
static void jit_sync(struct engine_cpu *e, const struct block *b)
{
	struct jit_state *js = &e->js;
	const struct tlb *t = &e->core.tlb;
	if (js->full != t->full || t->nr_dropped - js->generation > TLB_DROPPED) {
		drop_tlb(js);
		drop_jumps(js);
	} else {
		for (; js->generation != t->nr_dropped; js->generation++) {
			uint64_t page = t->dropped[js->generation % TLB_DROPPED];
			unsigned bit = page_bit(page);
			if (js->code_pages[bit / 64] >> bit % 64 & 1)
				drop_jump_page(js, page);
			for (unsigned m = 0; m < TLB_MODES; m++) {
				unsigned n = (page >> PAGE_SHIFT) % JIT_TLB_ENTRIES;
				js->tlb[m].rd[n] = js->tlb[m].wr[n] = no_tag(n);
			}
		}
		if (js->asid != t->asid)
			drop_tlb(js);
	}
	js->full = t->full;
	js->generation = t->nr_dropped;
	js->asid = t->asid;
	js->bounded[0] = bounded(&e->core.v.seg[FS]);
	js->bounded[1] = bounded(&e->core.v.seg[GS]);
	/* Code in global pages is the same in every address space, and finds only its like. */
	js->context = context_of(js, (e->blocks.global ? 0 : (uint64_t)t->asid << 16) | b->key);
}

/* Lets generated code find b by its address. */
static void enter_jump(struct engine_cpu *e, const struct block *b)
{
	struct jit_state *js = &e->js;
	struct jit_jump *first = &js->jump[e->core.v.rip & JUMP_MASK];
	uint64_t holder = ~first->key;
	/* Another address of this context moves to its second place. */
	if (holder != e->core.v.rip && (~first->version ^ js->context) >> 32 == 0)
		js->jump[second_place(holder)] = *first;
	*first = (struct jit_jump){
	    .key = ~e->core.v.rip,
	    .code = b->code,
	    .page = b->page,
	    .version = ~(js->context | b->version),
	};
	unsigned bit = page_bit(e->core.v.rip);
	js->code_pages[bit / 64] |= 1ull << bit % 64;
}

/* A fault's jump out leaves its frames behind, and AddressSanitizer cannot tell, because it does not know
 * this memory as a stack. */
static void forget_frames(struct engine_cpu *e)
{
#ifdef UNDER_ASAN
	__asan_unpoison_memory_region((uint8_t *)e - STACK_SIZE, STACK_SIZE);
#else
	(void)e;
#endif
}

void jit_run(struct jit *j, struct engine_cpu *e, struct block *b)
{
	struct core *c = &e->core;
	typedef void enter_fn(struct engine_cpu *, const uint8_t *);
	enter_fn *enter = (enter_fn *)(uintptr_t)(j->enter - j->write + j->exec);

	jit_sync(e, b);
	enter_jump(e, b);
	if (e->js.link) {
		/* The last run stopped at a jump that leads here, if nothing came between. */
		if (c->v.rip == e->js.spill2)
			emit_patch((uint8_t *)(uintptr_t)e->js.link, b->code - j->exec + j->write);
		e->js.link = 0;
	}
	e->js.page_rip = c->v.rip & PAGE_MASK;
	e->js.vec_dead = 1;
	mxcsr_to_host(e);
	forget_frames(e);
	enter(e, b->code);
	mxcsr_to_guest(e);
	if (e->js.link)
		e->js.spill2 = c->v.rip;
}
