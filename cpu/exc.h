/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Exceptions and interrupts: raising them from operations, delivering them through the IVT or IDT.
 * SDM vol. 3A chapter 6.
 */
#ifndef CPU_EXC_H
#define CPU_EXC_H

#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>

struct core;

enum vector {
	EXC_DE = 0, EXC_DB = 1, EXC_NMI = 2, EXC_BP = 3, EXC_OF = 4, EXC_BR = 5, EXC_UD = 6,
	EXC_NM = 7, EXC_DF = 8, EXC_TS = 10, EXC_NP = 11, EXC_SS = 12, EXC_GP = 13, EXC_PF = 14,
	EXC_MF = 16, EXC_AC = 17, EXC_MC = 18, EXC_XM = 19,
};

/* Leave the current operation with a fault. */
noreturn void raise_exc(struct core *c, unsigned vector);               /* no error code */
noreturn void raise_err(struct core *c, unsigned vector, uint32_t err); /* with error code */
noreturn void raise_pf(struct core *c, uint64_t lin, uint32_t err);
/* #DB with these DR6 bits. trap: v.rip is already that of the next instruction. */
noreturn void raise_db(struct core *c, uint64_t dr6, bool trap);
#define raise_ud(c) raise_exc(c, EXC_UD)
#define raise_gp(c, err) raise_err(c, EXC_GP, err)

/* Leaves an interruptible instruction between two iterations: v.rip = the instruction. */
noreturn void raise_restart(struct core *c);

enum event_kind {
	EVENT_EXT,    /* external interrupt or NMI */
	EVENT_EXC,    /* exception */
	EVENT_SOFT,   /* INT n, INT3, INTO: DPL checked */
	EVENT_INT1,   /* INT1 (ICEBP): no DPL check */
};

/* Delivers one event with v.rip as the return address; nested faults become double and triple
 * faults here. Returns 0, or -1 on a triple fault (activity is then ACT_SHUTDOWN). Must be called
 * outside of an operation (it sets c->fault itself). */
int deliver_event(struct core *c, enum event_kind kind, unsigned vector, bool has_error,
		  uint32_t error);

/* Delivers the fault or trap in c->exc: sets CR2/DR6, then as above. v.rip must be the right one. */
int deliver_exception(struct core *c);

/* Software interrupts, called from op_*.c: `next` is the return address. Does not return on a
 * fault; the instruction's own fault has EXT = 0. */
void software_interrupt(struct core *c, enum event_kind kind, unsigned vector, uint64_t next);

/* IRET in every mode, with NMI unblocking. osz in bytes. Sets v.rip. */
void do_iret(struct core *c, unsigned osz);

#endif
