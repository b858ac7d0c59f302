/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Control transfer: JMP CALL RET Jcc LOOP JCXZ, near and far; INT n, INT1, INT3, INTO, BOUND, UD.
 * SDM vol. 1 5.1.7.
 */
#include "cpu/alu.h"
#include "cpu/exc.h"
#include "cpu/opcode.h"
#include "cpu/stack.h"

/* Near targets must be canonical, or within the code segment. */
static bool bad_target(const struct core *c, uint64_t target)
{
	return c->mode == 8 ? !core_canonical(c, target) : target > c->v.seg[CS].limit;
}

/* A near target after truncation to the operand size. */
static uint64_t near_target(struct core *c, uint64_t target, unsigned osz)
{
	target &= size_mask(osz);
	if (bad_target(c, target))
		raise_gp(c, 0);
	return target;
}

static void jump_relative(struct core *c, const struct insn *i, bool taken)
{
	uint64_t next = insn_next(c, i);
	c->v.rip = taken ? near_target(c, next + i->imm, i->osz) : next;
}

void op_jmp_rel(struct core *c, const struct insn *i)
{
	jump_relative(c, i, true);
}

void op_jcc(struct core *c, const struct insn *i)
{
	jump_relative(c, i, cond(c->v.cc, i->desc->opcode & 15));
}

void op_jcxz(struct core *c, const struct insn *i)
{
	jump_relative(c, i, gpr_read(c, RCX, i->asz) == 0);
}

/* LOOPNE, LOOPE, LOOP: E0h, E1h, E2h. The count is written only when the jump cannot fault. */
void op_loop(struct core *c, const struct insn *i)
{
	uint64_t count = (gpr_read(c, RCX, i->asz) - 1) & size_mask(i->asz);
	unsigned kind = i->desc->opcode & 3;
	bool taken = count && (kind == 2 || !(c->v.cc & FL_ZF) == !kind);

	jump_relative(c, i, taken);
	gpr_write(c, RCX, i->asz, count);
}

/* The fault of the push comes before that of a bad target. */
static void call_near(struct core *c, const struct insn *i, uint64_t target)
{
	target &= size_mask(i->osz);
	if (__builtin_expect(bad_target(c, target), 0)) {
		stack_check(c, c->v.gpr[RSP] - i->osz, i->osz);
		raise_gp(c, 0);
	}
	push(c, insn_next(c, i), i->osz);
	c->v.rip = target;
}

void op_call_rel(struct core *c, const struct insn *i)
{
	call_near(c, i, insn_next(c, i) + i->imm);
}

void op_jmp(struct core *c, const struct insn *i)
{
	c->v.rip = near_target(c, op_read(c, i, 0), i->osz);
}

void op_call(struct core *c, const struct insn *i)
{
	call_near(c, i, op_read(c, i, 0));
}

void op_ret(struct core *c, const struct insn *i)
{
	uint64_t sp = c->v.gpr[RSP];

	c->v.rip = near_target(c, stack_read(c, sp, i->osz), i->osz);
	stack_set(c, sp + i->osz + (i->imm & 0xffff));
}

/* Far pointers: immediate, or offset and selector in memory. */
static uint64_t far_pointer(struct core *c, const struct insn *i, uint16_t *sel)
{
	uint64_t off;

	if (i->o[0].kind == OPK_FAR) {
		*sel = i->imm2;
		return i->imm;
	}
	off = mem_read_n(c, lin_of(c, i, i->osz, ACC_READ), i->osz);
	*sel = mem_read16(c, lin_of_at(c, i, i->osz, 2, ACC_READ));
	return off;
}

void op_jmp_far(struct core *c, const struct insn *i)
{
	uint16_t sel;
	uint64_t off = far_pointer(c, i, &sel);
	far_jmp(c, sel, off, i->osz, insn_next(c, i));
}

void op_call_far(struct core *c, const struct insn *i)
{
	uint16_t sel;
	uint64_t off = far_pointer(c, i, &sel);
	far_call(c, sel, off, i->osz, insn_next(c, i));
}

void op_ret_far(struct core *c, const struct insn *i)
{
	far_ret(c, i->osz, i->imm & 0xffff);
}

void op_iret(struct core *c, const struct insn *i)
{
	do_iret(c, i->osz);
}

void op_int(struct core *c, const struct insn *i)
{
	software_interrupt(c, EVENT_SOFT, i->imm & 0xff, insn_next(c, i));
}

void op_int1(struct core *c, const struct insn *i)
{
	software_interrupt(c, EVENT_INT1, EXC_DB, insn_next(c, i));
}

void op_int3(struct core *c, const struct insn *i)
{
	software_interrupt(c, EVENT_SOFT, EXC_BP, insn_next(c, i));
}

void op_into(struct core *c, const struct insn *i)
{
	if (c->v.cc & FL_OF)
		software_interrupt(c, EVENT_SOFT, EXC_OF, insn_next(c, i));
	else
		c->v.rip = insn_next(c, i);
}

void op_bound(struct core *c, const struct insn *i)
{
	unsigned size = i->osz;
	int64_t at = sext(op_read(c, i, 0), size);
	int64_t low = sext(mem_read_n(c, lin_of(c, i, size, ACC_READ), size), size);
	int64_t high = sext(mem_read_n(c, lin_of_at(c, i, size, size, ACC_READ), size), size);

	if (at < low || at > high)
		raise_exc(c, EXC_BR);
}

void op_ud(struct core *c, const struct insn *i)
{
	(void)i;
	raise_ud(c);
}
