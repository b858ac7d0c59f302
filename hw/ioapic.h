/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * I/O APIC: 82093AA with 24 pins, as version 20h (with the EOI register).
 */
#ifndef HW_IOAPIC_H
#define HW_IOAPIC_H

#include <stdint.h>

#include "hw/device.h"

#define IOAPIC_PINS 24

struct aspace;

struct ioapic {
	struct device dev;
	uint64_t redir[IOAPIC_PINS];
	uint32_t lines; /* input levels */
	uint8_t id, select;
	void (*msg)(void *opaque, uint64_t addr, uint32_t data);
	void *opaque;
};

/* Interrupts leave as MSI messages, usually to lapic_bus_msi(). base: FEC00000h. 0 or -errno. */
int ioapic_init(struct ioapic *a, struct aspace *mem, uint64_t base, uint8_t id,
		void (*msg)(void *opaque, uint64_t addr, uint32_t data), void *opaque);
/* An irq_pin.set; opaque is the struct ioapic, n is 0..23. Level 1 means asserted, whatever the
 * polarity in the redirection entry. */
void ioapic_set_irq(void *opaque, int n, int level);
/* A local APIC broadcast the EOI of a level-triggered vector. */
void ioapic_eoi(struct ioapic *a, uint8_t vector);

#endif
