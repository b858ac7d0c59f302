/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the parts of the local APIC (registers, timer, bus) share. Only hw/lapic*.c include it.
 */
#ifndef HW_LAPIC_IMPL_H
#define HW_LAPIC_IMPL_H

#include "hw/lapic.h"

#define BASE_BSP  (1ull << 8)
#define BASE_EXTD (1ull << 10)
#define BASE_EN   (1ull << 11)

#define SVR_ENABLE (1u << 8)

#define LVT_POLARITY (1u << 13)
#define LVT_RIRR     (1u << 14)
#define LVT_LEVEL    (1u << 15)
#define LVT_MASKED   (1u << 16)

enum delivery {
	DELIVER_FIXED,
	DELIVER_LOWEST,
	DELIVER_SMI,
	DELIVER_RESERVED,
	DELIVER_NMI,
	DELIVER_INIT,
	DELIVER_SIPI,
	DELIVER_EXTINT,
};

enum esr {
	ESR_SEND_VECTOR = 1 << 5,
	ESR_RECEIVE_VECTOR = 1 << 6,
	ESR_REGISTER = 1 << 7,
};

static inline bool lapic_present(const struct lapic *l)
{
	return l->base & BASE_EN;
}
static inline bool lapic_is_x2(const struct lapic *l)
{
	return (l->base & (BASE_EN | BASE_EXTD)) == (BASE_EN | BASE_EXTD);
}
static inline bool lapic_enabled(const struct lapic *l)
{
	return lapic_present(l) && (l->svr & SVR_ENABLE);
}

/* Takes an interrupt that the bus found this local APIC to be a destination of. */
void lapic_accept(struct lapic *l, enum delivery mode, uint8_t vector, bool level);
/* A local source fires. */
void lapic_local(struct lapic *l, enum lapic_lvt n);
void lapic_error(struct lapic *l, uint32_t bit);
uint8_t lapic_ppr(const struct lapic *l);
uint32_t lapic_logical_id(const struct lapic *l);

void lapic_eoi(struct lapic *l);
/* Tells the CPU when the level of its INTR changed. */
void lapic_update(struct lapic *l);
/* LINT pin n, when fixed and level-triggered: sent once, and after the EOI while still asserted. */
void lapic_service_lint(struct lapic *l, int n);
/* What INIT and power-on have in common. */
void lapic_reset_registers(struct lapic *l);

/* Carries out the command in l->icr. */
void lapic_send_ipi(struct lapic *l);

void lapic_timer_init(struct lapic *l);
void lapic_timer_stop(struct lapic *l);
void lapic_timer_rearm(struct lapic *l);
/* The same after a saved state was loaded. */
void lapic_timer_loaded(struct lapic *l);
void lapic_timer_set_initial(struct lapic *l, uint32_t val);
void lapic_timer_set_divide(struct lapic *l, uint32_t val);
/* LVT_TIMER is about to become `val`. */
void lapic_timer_set_mode(struct lapic *l, uint32_t val);
uint32_t lapic_timer_current(const struct lapic *l);
uint64_t lapic_timer_deadline(const struct lapic *l);
void lapic_timer_set_deadline(struct lapic *l, uint64_t val);

#endif
