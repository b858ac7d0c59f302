/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Location expressions (DWARF 5, 2.5 and 2.6): a stack machine over registers and memory of the guest.
 */
#ifdef CONFIG_DW
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cpu/vcpu.h"
#include "frontend/debug/debuginfo_priv.h"
#include "frontend/debug/expr.h"
#include "frontend/debug/unwind.h"

#define MAX_STACK 32
#define MAX_STEPS 1000
#define MAX_DEPTH 4

int di_register(const struct debuginfo *d, uint64_t number)
{
	/* x86-64 psABI, figure 3.36; i386's psABI has the order of instructions. */
	static const uint8_t regs64[16] = {RAX, RDX, RCX, RBX, RSI, RDI, RBP, RSP,
					   R8,  R9,  R10, R11, R12, R13, R14, R15};

	if (d->types.pointer == 4)
		return number < 8 ? (int)number : -1;
	return number < 16 ? regs64[number] : -1;
}

unsigned di_return_column(const struct debuginfo *d)
{
	return d->types.pointer == 4 ? 8 : 16;
}

static int fail(struct di_machine *m, const char *text)
{
	snprintf(m->env->err, sizeof(m->env->err), "%s", text);
	return -1;
}

static int get_register(const struct debuginfo *d, struct di_machine *m, uint64_t n, uint64_t *out)
{
	const int reg = di_register(d, n);

	if (n == di_return_column(d)) {
		*out = m->f->ip;
		return 0;
	}
	if (reg < 0 || !(m->f->known >> reg & 1))
		return fail(m, reg < 0 ? "<in a register that is not looked at>"
				       : "<optimized out: its register is not saved>");
	*out = m->f->gpr[reg];
	return 0;
}

static uint64_t moved(const struct di_machine *m, uint64_t addr)
{
	return addr >= m->slide_from ? addr + m->slide : addr;
}

static int frame_base(struct debuginfo *d, struct di_machine *m, uint64_t *out)
{
	struct di_machine base = *m;
	Dwarf_Attribute a;
	Dwarf_Op *ops;
	size_t nr;
	bool memory;

	if (!m->function || m->depth >= MAX_DEPTH ||
	    !d->lib.dwarf_attr_integrate(m->function, DW_AT_frame_base, &a) ||
	    d->lib.dwarf_getlocation_addr(&a, m->addr, &ops, &nr, 1) != 1)
		return fail(m, "<its function has no frame base>");
	base.attr = &a;
	base.depth++;
	base.has_initial = false;
	return di_evaluate(d, &base, ops, nr, &memory, out);
}

static int load(struct di_machine *m, uint64_t addr, uint64_t size, uint64_t *out)
{
	struct value v = {
	    .type = {.id = EXPR_TYPE((uint32_t)size, false)}, .lvalue = true, .addr = addr};

	return expr_load(m->env, &v, out);
}

static bool binary(unsigned op, uint64_t a, uint64_t b, uint64_t *out)
{
	const int64_t x = (int64_t)a, y = (int64_t)b;

	switch (op) {
	case DW_OP_and:
		*out = a & b;
		return true;
	case DW_OP_or:
		*out = a | b;
		return true;
	case DW_OP_xor:
		*out = a ^ b;
		return true;
	case DW_OP_plus:
		*out = a + b;
		return true;
	case DW_OP_minus:
		*out = a - b;
		return true;
	case DW_OP_mul:
		*out = a * b;
		return true;
	case DW_OP_div:
		*out = y == -1 ? -a : y ? (uint64_t)(x / y) : 0;
		return y != 0;
	case DW_OP_mod:
		*out = b ? a % b : 0;
		return b != 0;
	case DW_OP_shl:
		*out = b < 64 ? a << b : 0;
		return true;
	case DW_OP_shr:
		*out = b < 64 ? a >> b : 0;
		return true;
	case DW_OP_shra:
		*out = (uint64_t)(x >> (b < 64 ? b : 63));
		return true;
	case DW_OP_eq:
		*out = x == y;
		return true;
	case DW_OP_ne:
		*out = x != y;
		return true;
	case DW_OP_lt:
		*out = x < y;
		return true;
	case DW_OP_le:
		*out = x <= y;
		return true;
	case DW_OP_gt:
		*out = x > y;
		return true;
	case DW_OP_ge:
		*out = x >= y;
		return true;
	default:
		return false;
	}
}

struct stack {
	uint64_t at[MAX_STACK];
	unsigned nr;
};

static bool push(struct stack *s, uint64_t v)
{
	if (s->nr == MAX_STACK)
		return false;
	s->at[s->nr++] = v;
	return true;
}

static uint64_t pop(struct stack *s)
{
	return s->nr ? s->at[--s->nr] : 0;
}

/* One that only moves numbers about. 1: it is none of these; 0, or -1. */
static int arithmetic(struct di_machine *m, struct stack *s, const Dwarf_Op *op, uint64_t pointer)
{
	uint64_t a, b, v = 0;
	bool ok = true;

	switch (op->atom) {
	case DW_OP_nop:
		return 0;
	case DW_OP_dup:
		ok = s->nr && push(s, s->at[s->nr - 1]);
		break;
	case DW_OP_drop:
		pop(s);
		break;
	case DW_OP_over:
		ok = s->nr > 1 && push(s, s->at[s->nr - 2]);
		break;
	case DW_OP_pick:
		ok = op->number < s->nr && push(s, s->at[s->nr - 1 - op->number]);
		break;
	case DW_OP_swap:
		a = pop(s);
		b = pop(s);
		ok = push(s, a) && push(s, b);
		break;
	case DW_OP_neg:
		ok = push(s, -pop(s));
		break;
	case DW_OP_not:
		ok = push(s, ~pop(s));
		break;
	case DW_OP_abs:
		a = pop(s);
		ok = push(s, a >> 63 ? -a : a);
		break;
	case DW_OP_plus_uconst:
		ok = push(s, pop(s) + op->number);
		break;
	case DW_OP_deref:
	case DW_OP_deref_size:
		a = pop(s);
		b = op->atom == DW_OP_deref ? pointer : op->number;
		if (!b || b > 8)
			return fail(m, "<its location makes no sense>");
		if (load(m, a, b, &v) < 0)
			return -1;
		ok = push(s, v);
		break;
	default:
		if (op->atom < DW_OP_and || op->atom > DW_OP_ne)
			return 1;
		b = pop(s);
		a = pop(s);
		if (!binary(op->atom, a, b, &v))
			return 1;
		ok = push(s, v);
	}
	return ok ? 0 : fail(m, "<its location makes no sense>");
}

/* One that pushes what the program has: constants, registers, places. 1: it is none of these; 0, or -1. */
static int operand(struct debuginfo *d, struct di_machine *m, struct stack *s, const Dwarf_Op *op)
{
	uint64_t v = 0;
	Dwarf_Attribute a;
	int err = 0;

	if (op->atom >= DW_OP_lit0 && op->atom <= DW_OP_lit31) {
		v = op->atom - DW_OP_lit0;
	} else if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31) {
		err = get_register(d, m, op->atom - DW_OP_breg0, &v);
		v += op->number;
	} else {
		switch (op->atom) {
		case DW_OP_addr:
			v = moved(m, op->number);
			break;
		case DW_OP_addrx:
			if (!m->attr || d->lib.dwarf_getlocation_attr(m->attr, op, &a) != 0 ||
			    d->lib.dwarf_formaddr(&a, &v) != 0)
				return fail(m, "<its location makes no sense>");
			v = moved(m, v);
			break;
		case DW_OP_const1u:
		case DW_OP_const1s:
		case DW_OP_const2u:
		case DW_OP_const2s:
		case DW_OP_const4u:
		case DW_OP_const4s:
		case DW_OP_const8u:
		case DW_OP_const8s:
		case DW_OP_constu:
		case DW_OP_consts:
			v = op->number;
			break;
		case DW_OP_bregx:
			err = get_register(d, m, op->number, &v);
			v += op->number2;
			break;
		case DW_OP_fbreg:
			err = frame_base(d, m, &v);
			v += op->number;
			break;
		case DW_OP_call_frame_cfa:
			if (di_cfa(d, m, &v) < 0)
				return fail(m, "<the frame's address is not known>");
			break;
		default:
			return 1;
		}
	}
	if (err < 0)
		return -1;
	return push(s, v) ? 0 : fail(m, "<its location makes no sense>");
}

/* The operation at an offset, for a branch; nr: there is none. */
static size_t branch(const Dwarf_Op *ops, size_t nr, size_t at)
{
	const Dwarf_Word to = ops[at].offset + 3 + ops[at].number;
	size_t n = 0;

	while (n < nr && ops[n].offset != to)
		n++;
	return n;
}

/* Something that is in one or more pieces: those in registers or constants, of up to eight bytes together. */
static int composite(struct debuginfo *d, struct di_machine *m, const Dwarf_Op *ops, size_t nr,
		     uint64_t *out)
{
	unsigned shift = 0;
	size_t begin = 0;

	*out = 0;
	for (size_t n = 0; n < nr; n++) {
		struct di_machine part = *m;
		bool memory = false;
		uint64_t v = 0, size = ops[n].number;

		if (ops[n].atom != DW_OP_piece)
			continue;
		if (n == begin)
			return fail(m, "<optimized out in parts>");
		if (size > 8 || shift + size * 8 > 64)
			return fail(m, "<in several places>");
		if (di_evaluate(d, &part, ops + begin, n - begin, &memory, &v) < 0 ||
		    (memory && load(m, v, size, &v) < 0))
			return -1;
		if (size < 8)
			v &= (1ull << size * 8) - 1;
		*out |= v << shift;
		shift += (unsigned)size * 8;
		begin = n + 1;
	}
	return 0;
}

int di_evaluate(struct debuginfo *d, struct di_machine *m, const Dwarf_Op *ops, size_t nr,
		bool *memory, uint64_t *out)
{
	struct stack s = {0};
	Dwarf_Block block;
	unsigned steps = 0;

	*memory = false;
	if (!nr)
		return fail(m, "<optimized out>");
	if (ops[nr - 1].atom == DW_OP_piece)
		return composite(d, m, ops, nr, out);
	if (m->has_initial)
		push(&s, m->initial);
	for (size_t n = 0; n < nr; n++) {
		const Dwarf_Op *op = &ops[n];
		int r;

		if (++steps > MAX_STEPS)
			return fail(m, "<its location makes no sense>");
		if (op->atom >= DW_OP_reg0 && op->atom <= DW_OP_reg31)
			return get_register(d, m, op->atom - DW_OP_reg0, out);
		switch (op->atom) {
		case DW_OP_regx:
			return get_register(d, m, op->number, out);
		case DW_OP_stack_value:
			*out = pop(&s);
			return 0;
		case DW_OP_implicit_value:
			if (!m->attr ||
			    d->lib.dwarf_getlocation_implicit_value(m->attr, op, &block) != 0 ||
			    block.length > 8)
				return fail(m, "<a constant of more than 8 bytes>");
			*out = 0;
			memcpy(out, block.data, block.length);
			return 0;
		case DW_OP_entry_value:
		case DW_OP_GNU_entry_value:
			return fail(m, "<optimized out: what it was when the function was called>");
		case DW_OP_GNU_parameter_ref:
		case DW_OP_GNU_variable_value:
			return fail(m, "<optimized out>");
		case DW_OP_implicit_pointer:
		case DW_OP_GNU_implicit_pointer:
			return fail(m, "<a pointer to something that is optimized out>");
		case DW_OP_skip:
			n = branch(ops, nr, n) - 1;
			continue;
		case DW_OP_bra:
			if (pop(&s))
				n = branch(ops, nr, n) - 1;
			continue;
		default:
			break;
		}
		r = operand(d, m, &s, op);
		if (r > 0)
			r = arithmetic(m, &s, op, d->types.pointer);
		if (r > 0)
			return fail(m, "<at a place that is not understood>");
		if (r < 0)
			return -1;
	}
	*memory = true;
	*out = pop(&s);
	return 0;
}
#endif
