/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * IN and OUT, with the protection of ports. SDM vol. 1 19.5. INS and OUTS are in op_string.c.
 */
#include "cpu/debug.h"
#include "cpu/exc.h"
#include "cpu/io.h"
#include "cpu/opcode.h"
#include "cpu/operand.h"
#include "mmu/aspace.h"

enum {
	TSS_IOMAP = 0x66,
	TSS32_SIZE = 0x68,
};

/* A word of the TSS; linear addresses wrap at 4 GiB outside long mode. */
static uint16_t tss_word(struct core *c, uint32_t at)
{
	uint64_t lin = c->v.tr.base + at;
	return sys_read16(c, core_long(c) ? lin : (uint32_t)lin);
}

void io_check(struct core *c, uint16_t port, unsigned size)
{
	const struct segment *tr = &c->v.tr;
	unsigned type = tr->attr & SEG_TYPE;
	uint32_t at;

	if (core_real(c))
		return;
	if (!core_v86(c) && vcpu_cpl(&c->v) <= (c->v.rflags & FL_IOPL) >> 12)
		return;
	if (!(tr->attr & SEG_P) || (tr->attr & SEG_NULL) || (type != 9 && type != 11) ||
	    tr->limit < TSS32_SIZE - 1)
		raise_gp(c, 0);
	/* Two bytes are read always: the map ends with a byte of ones. */
	at = tss_word(c, TSS_IOMAP) + port / 8;
	if (at + 1 > tr->limit)
		raise_gp(c, 0);
	if (tss_word(c, at) >> (port % 8) & ((1u << size) - 1))
		raise_gp(c, 0);
}

uint32_t io_read(struct core *c, uint16_t port, unsigned size)
{
	if (c->debug_active)
		c->dr6_pending |= debug_io_hits(c, port, size);
	core_touch_device(c);
	uint32_t val = (uint32_t)aspace_read(c->bus->io, port, size);
	if (c->watch_events)
		watch_event(c, WATCH_IN, port, size, val);
	return val;
}

void io_write(struct core *c, uint16_t port, uint32_t val, unsigned size)
{
	if (c->debug_active)
		c->dr6_pending |= debug_io_hits(c, port, size);
	core_touch_device(c);
	aspace_write(c->bus->io, port, val, size);
	/* An SMI by a write to a port comes before the next instruction (SDM vol. 3C 31.3.1). */
	c->leave |= c->events && atomic_load_explicit(c->events, memory_order_relaxed);
	if (c->watch_events)
		watch_event(c, WATCH_OUT, port, size, val);
}

static unsigned io_size(const struct insn *i)
{
	return !(i->desc->opcode & 1) ? 1 : i->osz == 2 ? 2 : 4;
}

/* Operand n: a port number as immediate byte or in DX. */
static uint16_t io_port(struct core *c, const struct insn *i, unsigned n)
{
	return i->o[n].kind == OPK_IMM ? i->imm & 0xff : c->v.gpr[RDX] & 0xffff;
}

void op_in(struct core *c, const struct insn *i)
{
	unsigned size = io_size(i);
	uint16_t port = io_port(c, i, 1);

	io_check(c, port, size);
	gpr_write(c, RAX, size, io_read(c, port, size));
}

void op_out(struct core *c, const struct insn *i)
{
	unsigned size = io_size(i);
	uint16_t port = io_port(c, i, 0);

	io_check(c, port, size);
	io_write(c, port, gpr_read(c, RAX, size), size);
}
