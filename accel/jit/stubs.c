/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The hand-made code around translations: entering, leaving, calling C, looking up jumps.
 */
#include "accel/jit/jit_impl.h"

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

static const uint8_t callee_saved[] = {H_RBX, H_RBP, H_R12, H_R13, H_R14, H_R15};

static void make_enter(struct jit *j, struct emit *e)
{
	j->enter = e->w;
	for (unsigned n = 0; n < 6; n++)
		emit_push(e, callee_saved[n]);
	emit_store(e, rm_mem(H_RDI, OFF_JS(saved_rsp)), H_RSP);
	emit_rm(e, 0x8b, 8, H_RSP, rm_reg(H_RDI));
	emit_rm(e, 0x8b, 8, S2, rm_reg(H_RSI));
	load_regs(e, 0);
	emit_rm(e, 0xff, 4, 4, rm_reg(S2)); /* jmp r14 */
}

static void emit_call_c(struct emit *e, const void *fn)
{
	emit_mov_imm(e, H_RAX, (uint64_t)(uintptr_t)fn);
	emit_rm(e, 0xff, 4, 2, rm_reg(H_RAX)); /* call rax */
}

/* Goes on with what jit_next() finds. */
static void make_leave(struct jit *j, struct emit *e)
{
	j->leave_link = e->w;
	emit_store(e, rm_mem(STATE, OFF_JS(link)), S2);
	j->leave = e->w;
	save_regs(e, 0);
	vec_emit_save(j, e, 0);
	emit_rm(e, 0x03, 8, S1, rm_mem(STATE, OFF_JS(page_rip)));
	emit_store(e, rm_mem(STATE, OFF_CORE(v.rip)), S1);
	j->leave_stored = e->w;
	emit_rm(e, 0x8b, 8, H_RDI, rm_reg(STATE));
	emit_call_c(e, (const void *)jit_next);
	emit_rm(e, 0x85, 8, H_RAX, rm_reg(H_RAX)); /* test */
	uint8_t *none = emit_jcc(e, CC_E);
	emit_rm(e, 0x8b, 8, S2, rm_reg(H_RAX));
	load_regs(e, 0);
	emit_rm(e, 0xff, 4, 4, rm_reg(S2)); /* jmp r14 */
	emit_patch(none, e->w);
	emit_load(e, H_RSP, rm_mem(STATE, OFF_JS(saved_rsp)));
	for (unsigned n = 6; n-- > 0;)
		emit_pop(e, callee_saved[n]);
	emit8(e, 0xc3);
}

/* Everything to memory, fn(core, r14, page) in C, and back; leaves when fn says so. The block's page
 * offset is in rcx on entry, except that `stored` gets the page there and the offset in spill. Returns
 * where it begins. */
static uint8_t *make_call(struct jit *j, struct emit *e, const void *fn, bool stored)
{
	const int32_t bias = 8; /* the return address */
	uint8_t *start = e->w;
	save_regs(e, bias);
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
	emit_call_c(e, fn);
	emit_lea(e, 8, H_RSP, rm_mem(H_RSP, 8));
	emit_rm(e, 0x84, 1, H_RAX, rm_reg(H_RAX)); /* test al, al */
	uint8_t *out = emit_jcc(e, CC_NE);
	load_regs(e, bias);
	emit8(e, 0xc3);
	emit_patch(out, e->w);
	emit_lea(e, 8, H_RSP, rm_mem(H_RSP, 8));
	emit_store_imm(e, 4, rm_mem(STATE, OFF_JS(cut)), 1);
	emit_jmp_to(e, j->leave_stored);
	return start;
}

static void make_calls(struct jit *j, struct emit *e)
{
	j->call_op = make_call(j, e, (const void *)jit_exec_op, false);
	j->call_plain = make_call(j, e, (const void *)jit_exec_plain, false);
	j->call_cross = make_call(j, e, (const void *)jit_exec_cross, false);
	j->x87_load = make_call(j, e, (const void *)jit_x87_load, false);
	j->stored = make_call(j, e, (const void *)jit_stored, true);
	j->call_string = make_call(j, e, (const void *)jit_string, false);
}

static void emit_cmp_imm8(struct emit *e, struct rm m, uint8_t imm)
{
	emit_rm(e, 0x83, 8, 7, m);
	emit8(e, imm);
}

/* A field of the jump table's entry at S2, within a called stub. */
static struct rm entry(size_t field)
{
	return rm_index(STATE, S2, 0, OFF_JS(jump) + 8 + (int32_t)field);
}
#define ENTRY(f) entry(offsetof(struct jit_jump, f))

/* S2 = the entry of the address in S1 under the mask at `mask`; returns the jump taken when it is not
 * that address's. */
static uint8_t *probe_jump(struct emit *e, int32_t mask)
{
	static_assert(sizeof(struct jit_jump) == 32, "");
	emit_pext(e, S2, S1, rm_mem(STATE, mask + 8));
	emit_rm(e, 0xc1, 8, 4, rm_reg(S2)); /* shl */
	emit8(e, 5);
	emit_rm(e, 0x3b, 8, S1, ENTRY(rip)); /* cmp */
	return emit_jcc(e, CC_NE);
}

/* Fills js.cell, all but rip, with code = S2 and what else the lookup has found, for jumps with the vector
 * registers loaded or not: S2 is the code to go on with then. S1 is clobbered (js.spill2 has it), RDX is the cell
 * and in js.spill. bias: how far RSP is below the state. */
static void fill_cell(struct emit *e, bool vec, int32_t bias)
{
	if (vec)
		vec_emit_skip_want(e);
	emit_store(e, rm_mem(STATE, OFF_JS(spill) + bias), H_RDX);
	emit_load(e, H_RDX, rm_mem(STATE, OFF_JS(cell) + bias));
	emit_store(e, rm_mem(H_RDX, offsetof(struct jit_jump, code)), S2);
	emit_load(e, S1, rm_mem(STATE, OFF_JS(found_page) + bias));
	emit_store(e, rm_mem(H_RDX, offsetof(struct jit_jump, version)), S1);
	emit_load(e, S1, rm_mem(STATE, OFF_JS(found_version) + bias));
	emit_rm(e, 0x03, 8, S1, rm_mem(STATE, OFF_JS(cell_key) + bias)); /* add */
	emit_store(e, rm_mem(H_RDX, offsetof(struct jit_jump, stamp)), S1);
}

/* rcx = rip: r14 = code, or 0. rcx and other registers stay, RFLAGS do not. While an event is
 * pending nothing is found, so that no loop escapes the engine. cell: r14 is one to be filled. */
static uint8_t *make_lookup(struct emit *e, bool cell, bool vec)
{
	uint8_t *start = e->w;
	if (cell)
		emit_store(e, rm_mem(STATE, OFF_JS(cell) + 8), S2);
	uint8_t *differs = probe_jump(e, OFF_JS(jump_mask));
	const uint8_t *found = e->w;
	emit_store(e, rm_mem(STATE, OFF_JS(spill2) + 8), S1);
	emit_load(e, S1, ENTRY(version));
	emit_store(e, rm_mem(STATE, OFF_JS(found_page) + 8), S1);
	emit_rm(e, 0x8b, 4, S1, rm_mem(S1, 0));
	emit_store(e, rm_mem(STATE, OFF_JS(found_version) + 8), S1);
	emit_rm(e, 0x03, 8, S1, rm_mem(STATE, OFF_JS(context) + 8)); /* add */
	emit_rm(e, 0x3b, 8, S1, ENTRY(stamp));                       /* cmp */
	emit_load(e, S1, rm_mem(STATE, OFF_JS(spill2) + 8));
	uint8_t *stale = emit_jcc(e, CC_NE);
	emit_cmp_imm8(e, rm_mem(STATE, OFF_JS(pending) + 8), 0);
	uint8_t *pending = emit_jcc(e, CC_NE);
	emit_load(e, S2, ENTRY(code));
	if (cell) {
		fill_cell(e, vec, 8);
		emit_load(e, S1, rm_mem(STATE, OFF_JS(spill2) + 8));
		emit_store(e, rm_mem(H_RDX, offsetof(struct jit_jump, rip)), S1);
		emit_load(e, H_RDX, rm_mem(STATE, OFF_JS(spill) + 8));
	}
	emit_ret(e);
	emit_patch(differs, e->w);
	differs = probe_jump(e, OFF_JS(jump_mask2));
	emit_jmp_to(e, found);
	emit_patch(differs, e->w);
	emit_patch(stale, e->w);
	emit_patch(pending, e->w);
	emit_mov_imm(e, S2, 0);
	emit_ret(e);
	return start;
}

/* Plain jumps: what is not found leaves, with rcx = rip - page_rip as `leave` wants it. */
static void make_go(struct jit *j, struct emit *e)
{
	j->go = e->w;
	emit_call(e, j->lookup);
	emit_rm(e, 0x85, 8, S2, rm_reg(S2)); /* test */
	uint8_t *none = emit_jcc(e, CC_E);
	emit_set_page(e);
	emit_rm(e, 0xff, 4, 4, rm_reg(S2)); /* jmp r14 */

	uint8_t *none_either[2];
	for (unsigned vec = 0; vec < 2; vec++) {
		j->go_cell[vec] = e->w;
		emit_store(e, rm_mem(STATE, OFF_JS(cell)), S2);
		emit_call(e, j->lookup);
		emit_rm(e, 0x85, 8, S2, rm_reg(S2)); /* test */
		none_either[vec] = emit_jcc(e, CC_E);
		fill_cell(e, vec, 0);
		emit_load(e, S1, rm_mem(STATE, OFF_JS(page_rip)));
		emit_store(e, rm_mem(H_RDX, offsetof(struct jit_jump, rip)), S1);
		emit_load(e, S1, rm_mem(STATE, OFF_JS(spill2)));
		emit_load(e, H_RDX, rm_mem(STATE, OFF_JS(spill)));
		emit_set_page(e);
		emit_rm(e, 0xff, 4, 4, rm_reg(S2)); /* jmp r14 */
	}

	emit_patch(none, e->w);
	emit_patch(none_either[0], e->w);
	emit_patch(none_either[1], e->w);
	emit_rm(e, 0x2b, 8, S1, rm_mem(STATE, OFF_JS(page_rip))); /* sub */
	emit_jmp_to(e, j->leave);
}

void jit_make_stubs(struct jit *j, struct emit *e)
{
	make_enter(j, e);
	make_leave(j, e);
	make_calls(j, e);
	j->lookup = make_lookup(e, false, false);
	j->lookup_cell[0] = make_lookup(e, true, false);
	j->lookup_cell[1] = make_lookup(e, true, true);
	make_go(j, e);
	vec_make_load(j, e);
	jit_make_refills(j, e);
	string_make_stubs(j, e);
}
