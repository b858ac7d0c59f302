/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * High-precision event timer, IA-PC HPET specification 1.0a: 64-bit counter at 100 MHz, three
 * timers, legacy replacement. 1 KiB at FED00000h.
 */
#ifndef HW_HPET_H
#define HW_HPET_H

#include <stdint.h>

#include "hw/clock.h"
#include "hw/device.h"
#include "hw/irq.h"

#define HPET_BASE      0xfed00000u /* of the PC */
#define HPET_TIMERS    3
#define HPET_PERIOD_NS 10
/* GSIs that a PC may route the timers to: 2, and the PCI pins 16-23. */
#define HPET_ROUTES 0x00ff0004u

struct aspace;

struct hpet {
	struct device dev;
	struct clock *clock;
	struct timer timer[HPET_TIMERS];
	struct hpet_slot {
		struct hpet *hpet;
		int n;
	} slot[HPET_TIMERS];
	uint64_t config, isr;
	uint64_t counter; /* value while stopped; else at guest time `start` */
	uint64_t start;
	uint64_t tconf[HPET_TIMERS];
	uint64_t cmp[HPET_TIMERS];
	uint64_t period[HPET_TIMERS]; /* what periodic mode adds at each match */
	uint64_t next[HPET_TIMERS];   /* guest time of the next match, UINT64_MAX for none */
	uint32_t routes;
	uint8_t legacy_in; /* levels of PIT OUT0 (bit 0) and RTC IRQ (bit 1) */
	struct irq_pin irq0, irq8, gsi;
};

/* routes: bit mask of GSIs the timers may use (HPET_ROUTES). irq0, irq8: ISA IRQs 0 and 8, which
 * carry the PIT's and the RTC's outputs until legacy replacement takes them over. gsi: the pin of
 * GSI 0; route r drives set(opaque, n + r, level). 0 or -errno. */
int hpet_init(struct hpet *h, struct aspace *mem, uint64_t base, struct clock *clk, uint32_t routes,
	      const struct irq_pin *irq0, const struct irq_pin *irq8, const struct irq_pin *gsi);
/* irq_pin.set for the outputs of the PIT (n 0) and the RTC (n 1); opaque is the struct hpet. */
void hpet_legacy_in(void *opaque, int n, int level);

#endif
