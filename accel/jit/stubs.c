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
	emit_store_imm32(e, rm_mem(STATE, OFF_JS(cut)), 1);
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

void jit_make_stubs(struct jit *j, struct emit *e)
{
	make_enter(j, e);
	make_leave(j, e);
	make_calls(j, e);
	make_lookup(j, e);
	vec_make_load(j, e);
}
