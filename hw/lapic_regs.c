/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Local APIC: the registers, as the xAPIC page and as x2APIC MSRs, and IA32_APIC_BASE. SDM vol. 3A
 * 11.4.1 (register map), 11.12 (x2APIC).
 */
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
		lapic_service_lint(l, n - LVT_LINT0);
	lapic_update(l);
}

static void write_svr(struct lapic *l, uint32_t val)
{
	l->svr = val & SVR_VALID;
	if (!(l->svr & SVR_ENABLE))
		for (int i = 0; i < LVT_COUNT; i++)
			l->lvt[i] |= LVT_MASKED;
	lapic_update(l);
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
		lapic_update(l);
		return 0;
	case REG_EOI:
		lapic_eoi(l);
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
	lapic_update(l);
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
		lapic_reset_registers(l);
	lapic_update(l);
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
