/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What generated code does when its TLB has no entry for an access: it is filled from a second level, in
 * generated code too; from the core's TLB; or after a page walk. Then the access is tried again. Nothing is
 * raised here: what still fails (faults, devices, page crossings) is for the instruction's C operation.
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
	emit_load(e, H_RAX, JS(rax));
	emit_flags_from_ax(e);
	emit_load(e, H_RAX, js(OFF_GPR(RAX)));
	emit8(e, 0xc3);
}

/* Behind a call in the caller's code. */
static void skip_jump(struct emit *e)
{
	emit_rm(e, 0x83, 8, 0, rm_mem(H_RSP, 0)); /* add: 5 bytes */
	emit8(e, 5);
}

/* Status flags to js.rax, after rax itself. */
static void save_rax(struct emit *e)
{
	emit_store(e, js(OFF_GPR(RAX)), H_RAX);
	emit_flags_to_ax(e);
	emit_store(e, JS(rax), H_RAX);
}

static struct rm stlb(unsigned table, size_t field)
{
	return rm_index(STATE, H_RAX, 0,
			OFF_JS(stlb) + BIAS +
			    (int32_t)(table * sizeof(((struct jit_state *)0)->stlb[0]) + field));
}
#define STLB(f) stlb(table, offsetof(struct jit_stlb_entry, f))

static struct rm tlb(unsigned table, size_t field)
{
	return rm_index(STATE, S2, TLB_SCALE,
			OFF_JS(tlb) + BIAS +
			    (int32_t)(table * sizeof(((struct jit_state *)0)->tlb[0]) + field));
}
#define TLB(f) tlb(table, offsetof(struct jit_tlb_entry, f))

/* reg op= imm32: group 81h /ext */
static void op_imm(struct emit *e, unsigned size, unsigned ext, unsigned reg, uint32_t imm)
{
	emit_rm(e, 0x81, size, ext, rm_reg(reg));
	emit32(e, imm);
}

static void shift(struct emit *e, unsigned size, unsigned ext, unsigned reg, unsigned n)
{
	emit_rm(e, 0xc1, size, ext, rm_reg(reg));
	emit8(e, (uint8_t)n);
}
enum { OR = 1, AND = 4, XOR = 6, SHL = 4, SHR = 5 }; /* in their groups */

/* Address S1, slot S2: fills the slot as jit_fill() does, from the second level, and goes back to the
 * caller; or goes on behind, with registers but RAX and S1 as before. Pages with flags are left to
 * jit_fill(). */
static void emit_second_level(struct emit *e, unsigned table, bool write)
{
	enum { TMP = H_RSI, TAG = H_RDX };
	static_assert(sizeof(struct jit_stlb_entry) == 32, "the index is shifted by 5");
	emit_store(e, js(OFF_GPR(RDX)), TAG);
	emit_store(e, js(OFF_GPR(RSI)), TMP);
	emit_rm(e, 0x8b, 8, H_RAX, rm_reg(S1)); /* jit_stlb_index() */
	shift(e, 8, SHR, H_RAX, PAGE_SHIFT);
	emit_rm(e, 0x69, 4, H_RAX, rm_reg(H_RAX)); /* imul */
	emit32(e, STLB_HASH);
	shift(e, 4, SHR, H_RAX, 32 - JIT_STLB_BITS - 5);
	op_imm(e, 4, AND, H_RAX, (JIT_STLB_ENTRIES - 1) << 5);
	op_imm(e, 8, AND, S1, (uint32_t)PAGE_MASK);
	emit_rm(e, 0x8b, 8, TAG, rm_reg(S1));
	emit_rm(e, 0x0b, 2, TAG, js(OFF_CORE(tlb.asid)));      /* or */
	emit_rm(e, 0x3b, 8, TAG, write ? STLB(wr) : STLB(rd)); /* cmp */
	uint8_t *other = emit_jcc(e, CC_NE);
	emit_load(e, TMP, STLB(page));
	emit_rm(e, 0x80, 1, 7, rm_mem(TMP, offsetof(struct ram_page, flags))); /* cmp */
	emit8(e, 0);
	uint8_t *flagged = emit_jcc(e, CC_NE);
	emit_store(e,
		   rm_index(STATE, S2, 0,
			    OFF_JS(tlb[0].page) + BIAS +
				(int32_t)(table * sizeof(((struct jit_state *)0)->tlb[0]))),
		   TMP);
	emit_rm(e, 0x8b, 4, TMP, rm_reg(S2)); /* no_tag() */
	op_imm(e, 4, XOR, TMP, JIT_TLB_ENTRIES / 2 << TLB_SLOT_BITS);
	shift(e, 8, SHL, TMP, PAGE_SHIFT - TLB_SLOT_BITS);
	op_imm(e, 8, OR, TMP, 1);
	emit_rm(e, 0x3b, 8, TAG, STLB(wr));     /* cmp */
	emit_rm(e, 0x0f44, 8, TMP, rm_reg(S1)); /* cmove */
	emit_store(e, TLB(rd), S1);
	emit_store(e, TLB(wr), TMP);
	emit_load(e, TAG, STLB(host));
	emit_rm(e, 0xf6, 1, 0, rm_reg(TAG)); /* test */
	emit8(e, STLB_GLOBAL);
	uint8_t *global = emit_jcc(e, CC_NE);
	emit_rm(e, 0x8b, 4, TMP, rm_reg(S2));
	shift(e, 4, SHR, TMP, TLB_SLOT_BITS);
	emit_rm(e, 0x0fab, 8, TMP, /* bts */
		js(OFF_JS(local) + (int32_t)(table * sizeof(((struct jit_state *)0)->local[0]))));
	emit_patch(global, e->w);
	op_imm(e, 8, AND, TAG, (uint32_t)PAGE_MASK);
	emit_store(e, TLB(host), TAG);
	emit_rm(e, 0x2b, 8, TAG, rm_reg(S1)); /* sub */
	emit_store(e, TLB(addend), TAG);
	emit_load(e, S1, JS(lin));
	emit_load(e, TAG, js(OFF_GPR(RDX)));
	emit_load(e, TMP, js(OFF_GPR(RSI)));
	finish(e);
	emit_patch(other, e->w);
	emit_patch(flagged, e->w);
	emit_load(e, TAG, js(OFF_GPR(RDX)));
	emit_load(e, TMP, js(OFF_GPR(RSI)));
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
	emit_second_level(e, table, kinds[kind].write);
	emit_store_imm(e, 4, JS(table), table);
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
