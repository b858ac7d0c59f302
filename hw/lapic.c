/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Local APIC: registers and interrupt acceptance, in xAPIC and x2APIC mode. SDM vol. 3A chapter 11
 * (chapter 10 in older editions).
 *
 * LINT pins carry "asserted", not a voltage: the polarity bits are kept but have no effect.
 */
#include "hw/lapic.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hw/lapic_impl.h"

enum lapic_reg {
	REG_ID = 0x020,
	REG_VERSION = 0x030,
	REG_TPR = 0x080,
	REG_APR = 0x090,
	REG_PPR = 0x0a0,
	REG_EOI = 0x0b0,
	REG_RRD = 0x0c0,
	REG_LDR = 0x0d0,
	REG_DFR = 0x0e0,
	REG_SVR = 0x0f0,
	REG_ISR = 0x100,
	REG_TMR = 0x180,
	REG_IRR = 0x200,
	REG_ESR = 0x280,
	REG_ICR = 0x300,
	REG_ICR_HIGH = 0x310,
	REG_LVT_TIMER = 0x320,
	REG_LVT_ERROR = 0x370,
	REG_INITIAL = 0x380,
	REG_CURRENT = 0x390,
	REG_DIVIDE = 0x3e0,
	REG_SELF_IPI = 0x3f0,
};

#define VERSION     (0x14u | (LVT_COUNT - 1) << 16)
#define SVR_VALID   0x3ffu
#define ICR_VALID   0x000ccfffu
#define ICR_X2_BUSY 0x1000u /* absent in x2APIC mode, but commonly written back */

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

static void update(struct lapic *l)
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
		update(l);
		return v;
	}
	v = deliverable(l);
	if (v >= 0) {
		vec_clear(l->irr, v);
		vec_set(l->isr, v);
	}
	update(l);
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
	update(l);
}

/* What INIT and power-on have in common; SDM 11.4.7.1 and .3. */
static void reset_registers(struct lapic *l)
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
		reset_registers(l);
		update(l);
		ops->init(opaque, l->id);
		break;
	case DELIVER_SIPI:
		ops->sipi(opaque, l->id, vector);
		break;
	case DELIVER_EXTINT:
		l->ext_irr = 1;
		update(l);
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
static void service_lint_level(struct lapic *l, int n)
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
		service_lint_level(l, n);
	} else if ((lvt >> 8 & 7) != DELIVER_EXTINT && rose) {
		lapic_local(l, LVT_LINT0 + n);
	}
	update(l);
}

static void eoi(struct lapic *l)
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
			service_lint_level(l, n);
		}
		l->bus->ops->eoi(l->bus->opaque, v);
	}
	update(l);
}

static uint32_t lvt_valid(const struct lapic *l, enum lapic_lvt n)
{
	switch (n) {
	case LVT_TIMER:
		return 0x300ff | (l->bus->cfg.tsc_deadline ? 1 << 18 : 0);
	case LVT_THERMAL:
	case LVT_PERF:
		return 0x107ff;
	case LVT_LINT0:
	case LVT_LINT1:
		return 0x1a7ff;
	default:
		return 0x100ff;
	}
}

static void write_lvt(struct lapic *l, enum lapic_lvt n, uint32_t val)
{
	val &= lvt_valid(l, n);
	if (!(l->svr & SVR_ENABLE))
		val |= LVT_MASKED;
	if (n == LVT_TIMER)
		lapic_timer_set_mode(l, val);
	if (val & LVT_LEVEL)
		val |= l->lvt[n] & LVT_RIRR;
	l->lvt[n] = val;
	if (n == LVT_TIMER && l->counting)
		lapic_timer_rearm(l);
	else if (n == LVT_LINT0 || n == LVT_LINT1)
		service_lint_level(l, n - LVT_LINT0);
	update(l);
}

static void write_svr(struct lapic *l, uint32_t val)
{
	l->svr = val & SVR_VALID;
	if (!(l->svr & SVR_ENABLE))
		for (int i = 0; i < LVT_COUNT; i++)
			l->lvt[i] |= LVT_MASKED;
	update(l);
}

static int read_reg(const struct lapic *l, unsigned reg, uint64_t *val)
{
	switch (reg) {
	case REG_ID:
		*val = lapic_is_x2(l) ? l->id : l->id << 24;
		return 0;
	case REG_VERSION:
		*val = VERSION;
		return 0;
	case REG_TPR:
		*val = l->tpr;
		return 0;
	case REG_PPR:
		*val = lapic_ppr(l);
		return 0;
	case REG_LDR:
		*val = lapic_logical_id(l);
		return 0;
	case REG_SVR:
		*val = l->svr;
		return 0;
	case REG_ESR:
		*val = l->esr;
		return 0;
	case REG_ICR:
		*val = lapic_is_x2(l) ? l->icr : (uint32_t)l->icr;
		return 0;
	case REG_INITIAL:
		*val = l->initial;
		return 0;
	case REG_CURRENT:
		*val = lapic_timer_current(l);
		return 0;
	case REG_DIVIDE:
		*val = l->divide;
		return 0;
	}
	if (reg >= REG_ISR && reg < REG_ISR + 0x80)
		*val = l->isr[(reg - REG_ISR) >> 4];
	else if (reg >= REG_TMR && reg < REG_TMR + 0x80)
		*val = l->tmr[(reg - REG_TMR) >> 4];
	else if (reg >= REG_IRR && reg < REG_IRR + 0x80)
		*val = l->irr[(reg - REG_IRR) >> 4];
	else if (reg >= REG_LVT_TIMER && reg <= REG_LVT_ERROR)
		*val = l->lvt[(reg - REG_LVT_TIMER) >> 4];
	else
		return -1;
	return 0;
}

/* Registers that both modes write alike. */
static int write_reg(struct lapic *l, unsigned reg, uint32_t val)
{
	switch (reg) {
	case REG_TPR:
		l->tpr = val & 0xff;
		update(l);
		return 0;
	case REG_EOI:
		eoi(l);
		return 0;
	case REG_SVR:
		write_svr(l, val);
		return 0;
	case REG_ESR:
		l->esr = l->esr_pending;
		l->esr_pending = 0;
		return 0;
	case REG_INITIAL:
		lapic_timer_set_initial(l, val);
		return 0;
	case REG_DIVIDE:
		lapic_timer_set_divide(l, val);
		return 0;
	}
	if (reg < REG_LVT_TIMER || reg > REG_LVT_ERROR)
		return -1;
	write_lvt(l, (reg - REG_LVT_TIMER) >> 4, val);
	return 0;
}

static uint32_t xapic_read(struct lapic *l, unsigned reg)
{
	uint64_t val;

	switch (reg) {
	case REG_DFR:
		return l->dfr;
	case REG_ICR_HIGH:
		return l->icr >> 32;
	case REG_APR:
	case REG_RRD:
	case REG_EOI:
		return 0;
	}
	if (read_reg(l, reg, &val)) {
		lapic_error(l, ESR_REGISTER);
		return 0;
	}
	return val;
}

static void xapic_write(struct lapic *l, unsigned reg, uint32_t val)
{
	switch (reg) {
	case REG_ID:
	case REG_VERSION:
	case REG_APR:
	case REG_PPR:
	case REG_RRD:
	case REG_CURRENT:
		break;
	case REG_LDR:
		l->ldr = val & 0xff000000;
		break;
	case REG_DFR:
		l->dfr = val | 0x0fffffff;
		break;
	case REG_ICR:
		l->icr = (l->icr & ~0xffffffffull) | (val & ICR_VALID);
		lapic_send_ipi(l);
		break;
	case REG_ICR_HIGH:
		l->icr = (uint32_t)l->icr | (uint64_t)(val & 0xff000000) << 32;
		break;
	default:
		if (write_reg(l, reg, val))
			lapic_error(l, ESR_REGISTER);
		break;
	}
}

uint64_t lapic_read(struct lapic *l, uint32_t off, unsigned size)
{
	uint64_t val = 0;

	/* In x2APIC mode and while disabled nothing answers at this address. */
	if (!lapic_present(l) || lapic_is_x2(l))
		val = UINT64_MAX;
	else if ((off & 0xf) < 4)
		val = xapic_read(l, off & 0xff0) >> 8 * (off & 3);
	return size >= 8 ? val : val & ((1ull << 8 * size) - 1);
}

void lapic_write(struct lapic *l, uint32_t off, uint64_t val, unsigned size)
{
	/* Registers are written as a whole: anything but an aligned doubleword is undefined. */
	if (!lapic_present(l) || lapic_is_x2(l) || size < 4 || (off & 0xf))
		return;
	xapic_write(l, off & 0xff0, val);
}

uint8_t lapic_cr8_read(const struct lapic *l)
{
	return l->tpr >> 4;
}

void lapic_cr8_write(struct lapic *l, uint8_t cr8)
{
	l->tpr = (cr8 & 0xf) << 4;
	update(l);
}

static int write_base(struct lapic *l, uint64_t val)
{
	uint64_t old = l->base, reserved = 0x2ff;

	if (l->bus->cfg.maxphyaddr < 64)
		reserved |= ~0ull << l->bus->cfg.maxphyaddr;
	if (!l->bus->cfg.x2apic)
		reserved |= BASE_EXTD;
	if (val & reserved)
		return -1;
	/* SDM 11.12.5: x2APIC mode is entered from xAPIC mode only and left by disabling. */
	if ((val & BASE_EXTD) && (!(val & BASE_EN) || !(old & BASE_EN)))
		return -1;
	if ((old & BASE_EXTD) && (val & BASE_EN) && !(val & BASE_EXTD))
		return -1;
	l->base = val;
	if ((old & BASE_EN) && !(val & BASE_EN))
		reset_registers(l);
	update(l);
	return 0;
}

static int x2_read(const struct lapic *l, unsigned reg, uint64_t *val)
{
	return lapic_is_x2(l) ? read_reg(l, reg, val) : -1;
}

static int x2_write(struct lapic *l, unsigned reg, uint64_t val)
{
	uint64_t valid = 0;

	if (!lapic_is_x2(l))
		return -1;
	switch (reg) {
	case REG_ICR:
		if (val & 0xffffffff & ~(uint64_t)(ICR_VALID | ICR_X2_BUSY))
			return -1;
		l->icr = val & ~(uint64_t)ICR_X2_BUSY;
		lapic_send_ipi(l);
		return 0;
	case REG_SELF_IPI:
		if (val > 0xff)
			return -1;
		if (val < 16)
			lapic_error(l, ESR_SEND_VECTOR);
		else
			lapic_accept(l, DELIVER_FIXED, val, false);
		return 0;
	case REG_EOI:
	case REG_ESR:
		break;
	case REG_TPR:
		valid = 0xff;
		break;
	case REG_SVR:
		valid = SVR_VALID;
		break;
	case REG_INITIAL:
		valid = 0xffffffff;
		break;
	case REG_DIVIDE:
		valid = 0xb;
		break;
	default:
		if (reg < REG_LVT_TIMER || reg > REG_LVT_ERROR)
			return -1;
		/* The read-only status bits may be written back as they were read. */
		valid = lvt_valid(l, (reg - REG_LVT_TIMER) >> 4) | LVT_RIRR | 1 << 12;
		break;
	}
	return val & ~valid ? -1 : write_reg(l, reg, val);
}

int lapic_msr_read(struct lapic *l, uint32_t msr, uint64_t *val)
{
	if (msr == MSR_APIC_BASE) {
		*val = l->base;
		return 0;
	}
	if (msr == MSR_TSC_DEADLINE && l->bus->cfg.tsc_deadline) {
		*val = lapic_timer_deadline(l);
		return 0;
	}
	if (msr >= MSR_X2APIC && msr <= MSR_X2APIC + 0xff)
		return x2_read(l, (msr - MSR_X2APIC) << 4, val);
	return -1;
}

int lapic_msr_write(struct lapic *l, uint32_t msr, uint64_t val)
{
	if (msr == MSR_APIC_BASE)
		return write_base(l, val);
	if (msr == MSR_TSC_DEADLINE && l->bus->cfg.tsc_deadline) {
		lapic_timer_set_deadline(l, val);
		return 0;
	}
	if (msr >= MSR_X2APIC && msr <= MSR_X2APIC + 0xff)
		return x2_write(l, (msr - MSR_X2APIC) << 4, val);
	return -1;
}

static const struct field fields[] = {
    FIELD_NORESET(lapic, id),
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

	lapic_timer_rearm(l);
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
