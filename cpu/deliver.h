/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One attempt to enter a handler; cpu/exc.c classifies what goes wrong in it.
 */
#ifndef CPU_DELIVER_H
#define CPU_DELIVER_H

#include "cpu/exc.h"

struct event {
	enum event_kind kind;
	uint8_t vector;
	bool has_error;
	bool rf;    /* the EFLAGS image gets RF: a fault, to be restarted */
	bool int_n; /* the INT n instruction: IOPL and redirection in virtual-8086 mode */
	uint32_t error;
};

/* Enters the handler of e with return address next; faults through c->fault. */
void deliver(struct core *c, const struct event *e, uint64_t next);

#endif
