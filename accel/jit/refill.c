/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What generated code does when its TLB has no entry for an access: it is filled from the core's TLB, or
 * after a page walk, and the access is tried again. Nothing is raised here: what still fails (faults,
 * devices, page crossings) is for the instruction's C operation.
 *
 * A stub of each table and kind is called with the difference of address and tag in rcx and the
 * slot's offset (struct jit_tlb) in r14. It returns behind the call with the address in rcx when the access
 * is worth another try, and 5 bytes further on when it is not. Other registers and flags stay.
 */
#include "accel/jit/jit_impl.h"
#include "cpu/mem.h"

enum { BIAS = 8 }; /* the return address */

static NO_VECTORS bool fill(struct engine_cpu *e, uint64_t lin, bool write)
{
	bool filled = jit_fill(e, lin, write, (unsigned)e->js.table);
	e->jit->stats.n[STAT_TLB_REFILLED] += filled;
	return filled;
}

static NO_VECTORS bool fill_read(struct engine_cpu *e, uint64_t lin)
{
	return fill(e, lin, false);
}

static NO_VECTORS bool fill_write(struct engine_cpu *e, uint64_t lin)
{
	return fill(e, lin, true);
}

/* After a walk. */
static bool fill_again(struct engine_cpu *e, uint64_t lin, bool write)
{
	bool filled = jit_fill(e, lin, write, (unsigned)e->js.table);
	e->jit->stats.n[filled ? STAT_TLB_WALKED : STAT_TLB_FAILED]++;
	return filled;
}

static bool walk_read(struct engine_cpu *e, uint64_t lin)
{
	mem_fill(&e->core, lin, ACC_READ);
	return fill_again(e, lin, false);
}

static bool walk_write(struct engine_cpu *e, uint64_t lin)
{
	mem_fill(&e->core, lin, ACC_WRITE);
	return fill_again(e, lin, true);
}

/* The first access of a group may be in another page than the group's first byte. */
static void walk_first(struct engine_cpu *e, uint64_t lin, enum access acc)
{
	if (!((lin ^ (lin + e->js.first)) & PAGE_MASK))
		mem_fill(&e->core, lin, acc);
}

static bool walk_reads(struct engine_cpu *e, uint64_t lin)
{
	walk_first(e, lin, ACC_READ);
	return fill_again(e, lin, false);
}

static bool walk_writes_by_read(struct engine_cpu *e, uint64_t lin)
{
	walk_first(e, lin, ACC_READ);
	return fill_again(e, lin, true);
}

static bool walk_writes(struct engine_cpu *e, uint64_t lin)
{
	walk_first(e, lin, ACC_WRITE);
	return fill_again(e, lin, true);
}

typedef bool fill_fn(struct engine_cpu *e, uint64_t lin);
static const struct {
	fill_fn *fill, *walk;
	bool write;
} kinds[REFILL_KINDS] = {
    [REFILL_READ] = {fill_read, walk_read, false},
    [REFILL_WRITE] = {fill_write, walk_write, true},
    [REFILL_READS] = {fill_read, walk_reads, false},
    [REFILL_WRITES_BY_READ] = {fill_write, walk_writes_by_read, true},
    [REFILL_WRITES] = {fill_write, walk_writes, true},
};

static struct rm js(int32_t off)
{
	return rm_mem(STATE, off + BIAS);
}
#define JS(f) js(OFF_JS(f))

/* Registers of the guest that C may change, besides rax. */
static const uint8_t clobbered[] = {H_RDX, H_RSI, H_RDI, H_R8, H_R9, H_R10, H_R11};

static void move_clobbered(struct emit *e, bool store)
{
	for (unsigned n = 0; n < sizeof(clobbered); n++) {
		unsigned r = clobbered[n];
		emit_rm(e, store ? 0x89 : 0x8b, 8, r, js(OFF_GPR(r)));
	}
}

/* fn(cpu, lin); its result in al */
static void call_c(struct emit *e, fill_fn *fn)
{
	emit_lea(e, 8, H_RDI, rm_mem(STATE, BIAS));
	emit_load(e, H_RSI, JS(lin));
	emit_lea(e, 8, H_RSP, rm_mem(H_RSP, -8)); /* alignment of the ABI */
	emit_mov_imm(e, H_RAX, (uint64_t)(uintptr_t)fn);
	emit_rm(e, 0xff, 4, 2, rm_reg(H_RAX)); /* call rax */
	emit_lea(e, 8, H_RSP, rm_mem(H_RSP, 8));
}

/* The vector registers to v.v or back, if they are the guest's. */
static void move_vectors(const struct jit *j, struct emit *e, bool store)
{
	emit_rm(e, 0x83, 4, 7, JS(vec_dead)); /* cmp */
	emit8(e, 0);
	uint8_t *over = emit_jcc(e, CC_NE);
	if (store)
		vec_emit_store_all(j, e, BIAS);
	else
		vec_emit_load_all(j, e, BIAS);
	emit_patch(over, e->w);
}

/* Back to the caller with rax and flags as they were. */
static void finish(struct emit *e)
{
	static const uint8_t flags[] = {
	    0x04, 0x7f, /* add al, 7fh: OF */
	    0x9e,       /* sahf */
	};
	emit_load(e, H_RAX, JS(rax));
	emit_bytes(e, flags, sizeof(flags));
	emit_load(e, H_RAX, js(OFF_GPR(RAX)));
	emit8(e, 0xc3);
}

/* Behind a call in the caller's code. */
static void skip_jump(struct emit *e)
{
	emit_rm(e, 0x83, 8, 0, rm_mem(H_RSP, 0)); /* add: 5 bytes */
	emit8(e, 5);
}

/* seto al; lahf: to js.rax, after rax itself */
static void save_rax(struct emit *e)
{
	static const uint8_t flags[] = {
	    0x0f, 0x90, 0xc0, /* seto al */
	    0x9f,             /* lahf */
	};
	emit_store(e, js(OFF_GPR(RAX)), H_RAX);
	emit_bytes(e, flags, sizeof(flags));
	emit_store(e, JS(rax), H_RAX);
}

static void make_refill(struct jit *j, struct emit *e, unsigned table, enum refill_kind kind)
{
	int32_t tag = kinds[kind].write ? OFF_JS(tlb[0].e[0].wr) : OFF_JS(tlb[0].e[0].rd);
	tag += (int32_t)(table * sizeof(((struct jit_state *)0)->tlb[0]));

	j->refill[table][kind] = e->w;
	save_rax(e);
	emit_rm(e, 0x81, 8, 7, rm_reg(S1)); /* cmp: a hit but for its end */
	emit32(e, PAGE_SIZE);
	uint8_t *crosses = emit_jcc(e, CC_B);
	emit_rm(e, 0x03, 8, S1, rm_index(STATE, S2, TLB_SCALE, tag + BIAS)); /* add */
	emit_store(e, JS(lin), S1);
	emit_store_imm32(e, JS(table), table);
	move_clobbered(e, true);
	call_c(e, kinds[kind].fill);
	emit_rm(e, 0x84, 1, H_RAX, rm_reg(H_RAX)); /* test al, al */
	uint8_t *filled = emit_jcc(e, CC_NE);
	move_vectors(j, e, true);
	call_c(e, kinds[kind].walk);
	emit_rm(e, 0x8b, 4, S2, rm_reg(H_RAX));
	move_vectors(j, e, false);
	emit_rm(e, 0x84, 1, S2, rm_reg(S2)); /* test r14b, r14b */
	uint8_t *walked = emit_jcc(e, CC_NE);
	move_clobbered(e, false);
	emit_patch(crosses, e->w);
	skip_jump(e);
	finish(e);
	emit_patch(filled, e->w);
	emit_patch(walked, e->w);
	move_clobbered(e, false);
	emit_load(e, S1, JS(lin));
	finish(e);
}

static bool fill_careful(struct engine_cpu *e, uint64_t place)
{
	return jit_fill_careful(e, (struct careful *)(uintptr_t)place);
}

static void make_careful(struct jit *j, struct emit *e)
{
	const uint8_t *fill = e->w;
	save_rax(e);
	emit_store(e, JS(lin), S2);
	move_clobbered(e, true);
	move_vectors(j, e, true);
	call_c(e, fill_careful);
	emit_rm(e, 0x8b, 4, S2, rm_reg(H_RAX));
	move_vectors(j, e, false);
	move_clobbered(e, false);
	emit_rm(e, 0x84, 1, S2, rm_reg(S2)); /* test r14b, r14b */
	uint8_t *filled = emit_jcc(e, CC_NE);
	skip_jump(e);
	emit_patch(filled, e->w);
	emit_load(e, S2, JS(lin));
	finish(e);

	j->careful = e->w;
	emit_load(e, S1, rm_mem(S2, offsetof(struct careful, code)));
	emit8(e, 0xe3); /* jrcxz over the jump */
	emit8(e, 2);
	emit_rm(e, 0xff, 4, 4, rm_reg(S1)); /* jmp rcx */
	emit_call(e, fill);
	emit_jmp_to(e, j->careful);
	emit_load32(e, S1, rm_mem(S2, offsetof(struct careful, off)));
	emit_jmp_to(e, j->leave);
}

void jit_make_refills(struct jit *j, struct emit *e)
{
	for (unsigned table = 0; table < JIT_TABLES; table++)
		for (unsigned kind = 0; kind < REFILL_KINDS; kind++)
			make_refill(j, e, table, kind);
	make_careful(j, e);
}
