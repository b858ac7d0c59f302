/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The x87 register file: initialisation, tags, error reporting, and instructions that need the
 * full treatment. SDM vol. 1 chapter 8.
 */
#include "cpu/x87.h"

#include "cpu/exc.h"
#include "cpu/x87_op.h"

void x87_init(struct fpu *f)
{
	f->fcw = FCW_DEFAULT;
	f->fsw = 0;
	f->ftw = 0;
	f->fop = 0;
	f->fip = f->fdp = 0;
	f->fcs = f->fds = 0;
}

enum { TAG_VALID, TAG_ZERO, TAG_SPECIAL, TAG_EMPTY };

static unsigned full_tag(const struct x87_reg *r)
{
	unsigned exp = r->se & 0x7fff;
	if (!exp && !r->mant)
		return TAG_ZERO;
	return exp && exp != 0x7fff && r->mant >> 63 ? TAG_VALID : TAG_SPECIAL;
}

uint16_t x87_full_tags(const struct fpu *f)
{
	uint16_t tags = 0;
	for (unsigned n = 0; n < 8; n++)
		tags |= (f->ftw >> n & 1 ? full_tag(&f->r[n]) : TAG_EMPTY) << (2 * n);
	return tags;
}

uint8_t x87_abridge_tags(uint16_t full)
{
	uint8_t tags = 0;
	for (unsigned n = 0; n < 8; n++)
		tags |= ((full >> (2 * n) & 3) != TAG_EMPTY) << n;
	return tags;
}

void x87_report(struct core *c)
{
	if (c->v.cr0 & CR0_NE)
		raise_exc(c, EXC_MF);
	/* Frozen until the interrupt that FERR# raises, unless IGNNE# says to go on. */
	if (c->bus->ferr && !c->bus->ferr(c->bus->opaque, c->index))
		raise_restart(c);
}

static x87_stub *own_stub(const struct insn *i)
{
	uint8_t opcode = i->desc->opcode;
	return x87_is_mem(i) ? x87_mem_stub(opcode, i->modrm >> 3 & 7)
			     : x87_reg_stub(opcode, i->modrm);
}

void x87_full(struct core *c, const struct insn *i, void *mem)
{
	uint64_t flags = c->v.cc;
	x87_host_full(&c->v.fpu, &c->v.fpu, own_stub(i), mem, &flags);
	c->v.cc = flags;
	x87_record(c, i);
}

void x87_full_store(struct core *c, const struct insn *i, unsigned size)
{
	const uint16_t no_store = FSW_EXC & ~FSW_PE;
	struct fpu before = c->v.fpu, after;
	uint8_t mem[16];
	uint64_t flags = c->v.cc;

	/* Flags that are pending already say nothing about this instruction. */
	before.fsw &= ~FSW_EXC;
	x87_host_full(&before, &after, own_stub(i), mem, &flags);
	uint64_t lin = lin_of(c, i, size, ACC_WRITE);
	if (!(after.fsw & ~after.fcw & no_store)) {
		mem_write(c, lin, mem, size);
	} else {
		/* Faults of the store come first even so; #AC is the same for a read. */
		if (c->align_check && size <= 8 && lin & (size - 1))
			mem_read_n(c, lin, size);
		mem_probe(c, lin, size, ACC_WRITE);
	}
	after.fsw = x87_summary(after.fsw | (c->v.fpu.fsw & FSW_EXC), after.fcw);
	c->v.fpu = after;
	x87_record(c, i);
}
