/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Raising exceptions, and what happens when delivering one raises another: SDM vol. 3A 6.15,
 * tables 6-4 and 6-5.
 */
#include "cpu/exc.h"

#include "cpu/core.h"
#include "cpu/deliver.h"
#include "cpu/opcode.h"

/* Benign exceptions met while delivering are delivered in turn. A guest can arrange for that never
 * to end (#AC from the stack of the #AC handler); a processor hangs then, we shut down. */
enum { MAX_NESTED = 32 };

static noreturn void leave(struct core *c)
{
	c->exc.trap |= c->rip_set;
	c->rip_set = false;
	c->ext = 0;
	siglongjmp(*c->fault, CORE_EXCEPTION);
}

noreturn void raise_exc(struct core *c, unsigned vector)
{
	c->exc = (struct exception){.vector = vector};
	leave(c);
}

noreturn void raise_err(struct core *c, unsigned vector, uint32_t err)
{
	c->exc = (struct exception){.vector = vector, .has_error = true, .error = err};
	if (vector >= EXC_TS && vector <= EXC_GP)
		c->exc.error |= c->ext;
	leave(c);
}

noreturn void raise_pf(struct core *c, uint64_t lin, uint32_t err)
{
	c->exc = (struct exception){.vector = EXC_PF, .has_error = true, .error = err, .cr2 = lin};
	leave(c);
}

noreturn void raise_db(struct core *c, uint64_t dr6, bool trap)
{
	c->exc = (struct exception){.vector = EXC_DB, .dr6 = dr6, .trap = trap};
	leave(c);
}

noreturn void raise_restart(struct core *c)
{
	c->v.rip = insn_rip(c, c->insn);
	if (c->debug_active)
		c->v.rflags |= FL_RF; /* no second hit of its breakpoint on the way back */
	siglongjmp(*c->fault, CORE_RESTART);
}

enum class { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT };

static enum class class_of(unsigned vector) {
	switch (vector){
		case EXC_DE : case EXC_TS : case EXC_NP : case EXC_SS : case
		EXC_GP : return CONTRIBUTORY;
		case EXC_PF : return PAGE_FAULT;
		case EXC_DF : return DOUBLE_FAULT;
		default : return BENIGN;
	}
}

/* Faults whose handler returns to the instruction itself. #DB is not one: of its causes only
 * general detect counts (SDM vol. 3B 17.3.1.1), which deliver_exception() knows. */
static bool is_fault(unsigned vector)
{
	const uint32_t faults = 1u << EXC_DE | 1u << EXC_BR | 1u << EXC_UD | 1u << EXC_NM |
				1u << EXC_TS | 1u << EXC_NP | 1u << EXC_SS | 1u << EXC_GP |
				1u << EXC_PF | 1u << EXC_MF | 1u << EXC_AC | 1u << EXC_XM;
	return vector < 32 && faults >> vector & 1;
}

#define DR6_BD (1u << 13)

/* The state that goes with c->exc; gives the event. */
static struct event take_exception(struct core *c)
{
	const struct exception *x = &c->exc;
	struct event e = {.kind = EVENT_EXC,
			  .vector = x->vector,
			  .has_error = x->has_error,
			  .rf = is_fault(x->vector),
			  .error = x->error};
	if (x->vector == EXC_PF)
		c->v.cr2 = x->cr2;
	if (x->vector == EXC_DB) {
		c->v.dr6 = (c->v.dr6 & ~(uint64_t)15) | x->dr6;
		c->v.dr7 &= ~(uint64_t)(1u << 13); /* GD */
		e.rf = x->dr6 & DR6_BD;
	}
	return e;
}

static bool try_deliver(struct core *c, const struct event *e)
{
	sigjmp_buf here;
	c->fault = &here;
	if (sigsetjmp(here, 0))
		return false;
	deliver(c, e, c->v.rip);
	return true;
}

static int deliver_nested(struct core *c, struct event e)
{
	sigjmp_buf *outer = c->fault;
	int ret = -1;

	for (unsigned n = 0; n < MAX_NESTED; n++) {
		if (try_deliver(c, &e)) {
			ret = 0;
			break;
		}
		enum class first = e.kind == EVENT_EXC ? class_of(e.vector) : BENIGN;
		enum class second = class_of(c->exc.vector);
		e = take_exception(c);
		if (first == DOUBLE_FAULT && second != BENIGN)
			break;
		if ((first == CONTRIBUTORY && second == CONTRIBUTORY) ||
		    (first == PAGE_FAULT && second != BENIGN))
			e = (struct event){.kind = EVENT_EXC, .vector = EXC_DF, .has_error = true};
	}
	c->fault = outer;
	c->ext = 0;
	if (ret < 0) {
		c->v.activity = ACT_SHUTDOWN;
		c->leave = true;
		if (c->watch_events)
			watch_event(c, WATCH_SHUTDOWN, 0, 1, 0);
		if (c->bus->shutdown && !(c->watch_hit.valid && c->watch_hit.on == WATCH_SHUTDOWN))
			c->bus->shutdown(c->bus->opaque, c->index);
	}
	return ret;
}

int deliver_event(struct core *c, enum event_kind kind, unsigned vector, bool has_error,
		  uint32_t error)
{
	return deliver_nested(c, (struct event){.kind = kind,
						.vector = vector,
						.has_error = has_error,
						.rf = kind == EVENT_EXC && is_fault(vector),
						.error = error});
}

int deliver_exception(struct core *c)
{
	return deliver_nested(c, take_exception(c));
}

void software_interrupt(struct core *c, enum event_kind kind, unsigned vector, uint64_t next)
{
	const struct opcode *d = c->insn ? c->insn->desc : NULL;
	struct event e = {
	    .kind = kind, .vector = vector, .int_n = d && d->map == M1 && d->opcode == 0xcd};
	deliver(c, &e, next);
	c->step_trap = false;
}
