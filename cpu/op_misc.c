/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Flag control, hints, fences, cache control, random numbers. SDM vol. 1 5.1.12-5.1.15.
 */
#include <sched.h>
#include <sys/random.h>

#include "cpu/exc.h"
#include "cpu/operand.h"

/* NOPs, prefetches, ENDBR and the other hints. */
void op_nop(struct core *c, const struct insn *i)
{
	(void)c;
	(void)i;
}

/* A processor that waits for another for long may be keeping the host from running it. */
void op_pause(struct core *c, const struct insn *i)
{
	(void)i;
	if (c->pauses > 1) {
		c->pauses--;
		return;
	}
	c->pauses = CORE_PAUSES;
	c->yields++;
	sched_yield();
}

void op_fence(struct core *c, const struct insn *i)
{
	(void)c;
	(void)i;
	__sync_synchronize();
}

void op_clc(struct core *c, const struct insn *i)
{
	(void)i;
	c->v.cc &= ~FL_CF;
}

void op_stc(struct core *c, const struct insn *i)
{
	(void)i;
	c->v.cc |= FL_CF;
}

void op_cmc(struct core *c, const struct insn *i)
{
	(void)i;
	c->v.cc ^= FL_CF;
}

void op_cld(struct core *c, const struct insn *i)
{
	(void)i;
	c->v.rflags &= ~FL_DF;
}

void op_std(struct core *c, const struct insn *i)
{
	(void)i;
	c->v.rflags |= FL_DF;
}

/* Which interrupt flag CLI and STI change now: IF, or VIF under VME and PVI; 0 for #GP. */
static uint32_t interrupt_flag(const struct core *c)
{
	unsigned iopl = (c->v.rflags & FL_IOPL) >> 12;

	if (core_real(c))
		return FL_IF;
	if (core_v86(c))
		return iopl == 3 ? FL_IF : c->v.cr4 & CR4_VME ? FL_VIF : 0;
	if (vcpu_cpl(&c->v) <= iopl)
		return FL_IF;
	return vcpu_cpl(&c->v) == 3 && (c->v.cr4 & CR4_PVI) ? FL_VIF : 0;
}

void op_cli(struct core *c, const struct insn *i)
{
	uint32_t fl = interrupt_flag(c);
	(void)i;

	if (!fl)
		raise_gp(c, 0);
	c->v.rflags &= ~fl;
}

void op_sti(struct core *c, const struct insn *i)
{
	uint32_t fl = interrupt_flag(c);
	(void)i;

	if (!fl || (fl == FL_VIF && (c->v.rflags & FL_VIP)))
		raise_gp(c, 0);
	if (fl == FL_IF && !(c->v.rflags & FL_IF))
		c->leave = c->v.sti_shadow = true;
	c->v.rflags |= fl;
}

/* CLFLUSH, CLFLUSHOPT, CLWB: memory is coherent, but the address must be readable. */
void op_clflush(struct core *c, const struct insn *i)
{
	mem_probe(c, lin_of(c, i, 1, ACC_READ), 1, ACC_READ);
}

/* RDRAND, RDSEED. CF clear tells the guest to try again. */
void op_rdrand(struct core *c, const struct insn *i)
{
	uint64_t val = 0;
	bool ok = getrandom(&val, sizeof(val), GRND_NONBLOCK) == sizeof(val);

	op_write(c, i, 0, ok ? val : 0);
	c->v.cc = ok ? FL_CF : 0;
}
