/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Control transfer: JMP CALL RET Jcc LOOP JCXZ, near and far; INT n, INT1, INT3, INTO, BOUND, UD.
 * SDM vol. 1 5.1.7, vol. 3B 21.3 (INT n in virtual-8086 mode).
 */
#include "cpu/alu.h"
#include "cpu/exc.h"
#include "cpu/opcode.h"
#include "cpu/stack.h"

/* A near target after truncation to the operand size: canonical, or within the code segment. */
static uint64_t near_target(struct core *c, uint64_t target, unsigned osz)
{
	target &= size_mask(osz);
	if (c->mode == 8 ? !core_canonical(c, target) : target > c->v.seg[CS].limit)
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

void op_call_rel(struct core *c, const struct insn *i)
{
	uint64_t next = insn_next(c, i), target = near_target(c, next + i->imm, i->osz);

	push(c, next, i->osz);
	c->v.rip = target;
}

void op_jmp(struct core *c, const struct insn *i)
{
	c->v.rip = near_target(c, op_read(c, i, 0), i->osz);
}

void op_call(struct core *c, const struct insn *i)
{
	uint64_t target = near_target(c, op_read(c, i, 0), i->osz);

	push(c, insn_next(c, i), i->osz);
	c->v.rip = target;
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

/* Does the redirection bitmap below the I/O map send this INT n to the 8086 program's own vector
 * table? */
static bool vme_redirects(struct core *c, uint8_t vector)
{
	const struct segment *tr = &c->v.tr;
	uint32_t at;

	if (!(c->v.cr4 & CR4_VME) || tr->limit < 0x67)
		return false;
	at = sys_read16(c, tr->base + 0x66) - 32u + vector / 8;
	return at <= tr->limit && !(sys_read8(c, tr->base + at) >> (vector % 8) & 1);
}

/* INT n through the vector table at linear 0, staying in virtual-8086 mode. */
static void vme_interrupt(struct core *c, uint8_t vector, uint16_t next)
{
	bool virtual = (c->v.rflags & FL_IOPL) != FL_IOPL;
	uint32_t fl = (uint32_t)rflags_get(&c->v), sp = (uint32_t)c->v.gpr[RSP];
	uint32_t entry = mem_read32(c, vector * 4u);

	if (virtual)
		fl = (fl & ~FL_IF) | FL_IOPL | (fl & FL_VIF ? FL_IF : 0);
	for (unsigned n = 1; n <= 3; n++)
		mem_probe(c, seg_lin(c, SS, (sp - n * 2) & stack_mask(c), 2, ACC_WRITE), 2,
			  ACC_WRITE);
	stack_write(c, sp - 2, fl, 2);
	stack_write(c, sp - 4, c->v.seg[CS].sel, 2);
	stack_write(c, sp - 6, next, 2);
	stack_set(c, sp - 6);
	c->v.rflags &= ~(FL_TF | (virtual ? FL_VIF : FL_IF));
	seg_load_real(c, CS, entry >> 16);
	c->v.rip = entry & 0xffff;
	core_update_mode(c);
}

void op_int(struct core *c, const struct insn *i)
{
	uint8_t vector = i->imm;

	if (core_v86(c)) {
		if (vme_redirects(c, vector)) {
			vme_interrupt(c, vector, insn_next(c, i));
			return;
		}
		if ((c->v.rflags & FL_IOPL) != FL_IOPL)
			raise_gp(c, 0);
	}
	software_interrupt(c, EVENT_SOFT, vector, insn_next(c, i));
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
