/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Local APIC: acceptance, priority and acknowledgement of interrupts, LINT pins, reset. SDM vol. 3A
 * chapter 11 (chapter 10 in older editions).
 *
 * LINT pins carry "asserted", not a voltage: the polarity bits are kept but have no effect.
 */
#include "hw/lapic.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hw/lapic_impl.h"

static void vec_set(uint32_t *set, uint8_t v)
{
	set[v >> 5] |= 1u << (v & 31);
}
static void vec_clear(uint32_t *set, uint8_t v)
{
	set[v >> 5] &= ~(1u << (v & 31));
}
static bool vec_test(const uint32_t *set, uint8_t v)
{
	return set[v >> 5] >> (v & 31) & 1;
}

static int vec_highest(const uint32_t *set)
{
	for (int i = 7; i >= 0; i--)
		if (set[i])
			return i * 32 + 31 - __builtin_clz(set[i]);
	return -1;
}

uint8_t lapic_ppr(const struct lapic *l)
{
	int isr = vec_highest(l->isr);
	uint8_t class = isr < 0 ? 0 : isr & 0xf0;

	return (l->tpr & 0xf0) >= class ? l->tpr : class;
}

uint32_t lapic_logical_id(const struct lapic *l)
{
	return lapic_is_x2(l) ? (l->id >> 4) << 16 | 1u << (l->id & 15) : l->ldr;
}

/* The vector to deliver now, or -1. */
static int deliverable(const struct lapic *l)
{
	int v = lapic_present(l) ? vec_highest(l->irr) : -1;

	return v >= 0 && (v & 0xf0) > (lapic_ppr(l) & 0xf0) ? v : -1;
}

/* An unmasked LINT pin in ExtINT mode passes the PIC's INTR straight on; so does the pin while
 * the local APIC is disabled in IA32_APIC_BASE. */
static bool extint_pending(const struct lapic *l)
{
	if (!lapic_present(l))
		return l->lint & 1;
	for (int n = 0; n < 2; n++) {
		uint32_t lvt = l->lvt[LVT_LINT0 + n];

		if ((l->lint >> n & 1) && !(lvt & LVT_MASKED) && (lvt >> 8 & 7) == DELIVER_EXTINT)
			return true;
	}
	return l->ext_irr;
}

bool lapic_intr_pending(const struct lapic *l)
{
	return extint_pending(l) || deliverable(l) >= 0;
}

void lapic_update(struct lapic *l)
{
	bool out = lapic_intr_pending(l);

	if (out != l->intr_out) {
		l->intr_out = out;
		l->bus->ops->intr(l->bus->opaque, l->id, out);
	}
}

int lapic_ack(struct lapic *l)
{
	int v;

	if (extint_pending(l)) {
		l->ext_irr = 0;
		v = l->bus->ops->extint_ack(l->bus->opaque);
		lapic_update(l);
		return v;
	}
	v = deliverable(l);
	if (v >= 0) {
		vec_clear(l->irr, v);
		vec_set(l->isr, v);
	}
	lapic_update(l);
	return v;
}

void lapic_error(struct lapic *l, uint32_t bit)
{
	/* Only a new error interrupts, which also ends the recursion when the error is in the
	 * error interrupt's own vector. */
	if (l->esr_pending & bit)
		return;
	l->esr_pending |= bit;
	lapic_local(l, LVT_ERROR);
}

static void accept_vector(struct lapic *l, uint8_t vector, bool level)
{
	if (!lapic_enabled(l))
		return;
	if (vector < 16) {
		lapic_error(l, ESR_RECEIVE_VECTOR);
		return;
	}
	vec_set(l->irr, vector);
	if (level)
		vec_set(l->tmr, vector);
	else
		vec_clear(l->tmr, vector);
	lapic_update(l);
}

/* What INIT and power-on have in common; SDM 11.4.7.1 and .3. */
void lapic_reset_registers(struct lapic *l)
{
	l->tpr = 0;
	l->ldr = 0;
	l->dfr = 0xffffffff;
	l->svr = 0xff;
	l->esr = l->esr_pending = 0;
	memset(l->isr, 0, sizeof(l->isr));
	memset(l->irr, 0, sizeof(l->irr));
	memset(l->tmr, 0, sizeof(l->tmr));
	l->icr = 0;
	for (int i = 0; i < LVT_COUNT; i++)
		l->lvt[i] = LVT_MASKED;
	l->divide = 0;
	l->initial = 0;
	l->ext_irr = 0;
	lapic_timer_stop(l);
}

void lapic_accept(struct lapic *l, enum delivery mode, uint8_t vector, bool level)
{
	const struct lapic_ops *ops = l->bus->ops;
	void *opaque = l->bus->opaque;

	switch (mode) {
	case DELIVER_FIXED:
	case DELIVER_LOWEST:
		accept_vector(l, vector, level);
		break;
	case DELIVER_SMI:
		if (ops->smi)
			ops->smi(opaque, l->id);
		break;
	case DELIVER_NMI:
		ops->nmi(opaque, l->id);
		break;
	case DELIVER_INIT:
		lapic_reset_registers(l);
		lapic_update(l);
		ops->init(opaque, l->id);
		break;
	case DELIVER_SIPI:
		ops->sipi(opaque, l->id, vector);
		break;
	case DELIVER_EXTINT:
		l->ext_irr = 1;
		lapic_update(l);
		break;
	case DELIVER_RESERVED:
		break;
	}
}

void lapic_local(struct lapic *l, enum lapic_lvt n)
{
	uint32_t lvt = l->lvt[n];

	if (lvt & LVT_MASKED)
		return;
	/* Timer and error entries have no delivery mode: those bits are zero. */
	lapic_accept(l, lvt >> 8 & 7, lvt, false);
}

/* A level-triggered fixed LINT0: sent once, then again after the EOI while still asserted. */
void lapic_service_lint(struct lapic *l, int n)
{
	uint32_t *lvt = &l->lvt[LVT_LINT0 + n];

	if (!(l->lint >> n & 1) || !lapic_enabled(l) || (*lvt & (LVT_MASKED | LVT_RIRR)) ||
	    !(*lvt & LVT_LEVEL) || (*lvt >> 8 & 7) != DELIVER_FIXED)
		return;
	*lvt |= LVT_RIRR;
	accept_vector(l, *lvt, true);
}

void lapic_set_lint(void *opaque, int n, int level)
{
	struct lapic *l = opaque;
	uint32_t lvt;
	bool rose;

	if (n < 0 || n > 1)
		return;
	rose = level && !(l->lint >> n & 1);
	l->lint = level ? l->lint | 1 << n : l->lint & ~(1 << n);
	lvt = l->lvt[LVT_LINT0 + n];
	if (!lapic_present(l)) {
		if (n == 1 && rose)
			l->bus->ops->nmi(l->bus->opaque, l->id);
	} else if ((lvt >> 8 & 7) == DELIVER_FIXED && (lvt & LVT_LEVEL)) {
		lapic_service_lint(l, n);
	} else if ((lvt >> 8 & 7) != DELIVER_EXTINT && rose) {
		lapic_local(l, LVT_LINT0 + n);
	}
	lapic_update(l);
}

void lapic_eoi(struct lapic *l)
{
	int v = vec_highest(l->isr);

	if (v < 0)
		return;
	vec_clear(l->isr, v);
	if (vec_test(l->tmr, v)) {
		for (int n = 0; n < 2; n++) {
			if ((l->lvt[LVT_LINT0 + n] & 0xff) != (unsigned)v)
				continue;
			l->lvt[LVT_LINT0 + n] &= ~LVT_RIRR;
			lapic_service_lint(l, n);
		}
		l->bus->ops->eoi(l->bus->opaque, v);
	}
	lapic_update(l);
}

static const struct field fields[] = {
    FIELD(lapic, base, LAPIC_BASE | BASE_EN),
    FIELD(lapic, tpr, 0),
    FIELD(lapic, ldr, 0),
    FIELD(lapic, dfr, 0xffffffff),
    FIELD(lapic, svr, 0xff),
    FIELD(lapic, esr, 0),
    FIELD(lapic, esr_pending, 0),
    FIELD_ARRAY(lapic, isr, 0),
    FIELD_ARRAY(lapic, irr, 0),
    FIELD_ARRAY(lapic, tmr, 0),
    FIELD(lapic, icr, 0),
    FIELD_ARRAY(lapic, lvt, LVT_MASKED),
    FIELD(lapic, divide, 0),
    FIELD(lapic, initial, 0),
    FIELD(lapic, timer_start, 0),
    FIELD(lapic, deadline, 0),
    FIELD(lapic, tsc_offset, 0),
    FIELD(lapic, counting, 0),
    FIELD_NORESET(lapic, lint),
    FIELD(lapic, ext_irr, 0),
    FIELD_END,
};

static void reset_done(void *state)
{
	struct lapic *l = state;

	timer_cancel(&l->timer);
	if (l->id == 0)
		l->base |= BASE_BSP;
	l->intr_out = lapic_intr_pending(l);
	l->bus->ops->intr(l->bus->opaque, l->id, l->intr_out);
}

static void loaded(void *state)
{
	struct lapic *l = state;

	lapic_timer_loaded(l);
	l->intr_out = lapic_intr_pending(l);
	l->bus->ops->intr(l->bus->opaque, l->id, l->intr_out);
}

int lapic_init(struct lapic *l, struct lapic_bus *b, unsigned cpu)
{
	if (cpu >= LAPIC_MAX || b->apic[cpu])
		return -EINVAL;
	memset(l, 0, sizeof(*l));
	l->bus = b;
	l->id = cpu;
	snprintf(l->name, sizeof(l->name), "lapic%u", cpu);
	lapic_timer_init(l);
	device_init(&l->dev, l->name, fields, l);
	l->dev.reset_done = reset_done;
	l->dev.loaded = loaded;
	if (cpu == 0)
		l->base |= BASE_BSP;
	b->apic[cpu] = l;
	if (b->nr <= cpu)
		b->nr = cpu + 1;
	return 0;
}
