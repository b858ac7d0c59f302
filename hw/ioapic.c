/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * I/O APIC: Intel 82093AA (290566), and the EOI register of version 20h in the ICH family.
 *
 * Pins carry "asserted", not a voltage, so the polarity bit is kept but has no effect: a board
 * and an operating system that disagree about it still work, as they do where firmware lies.
 */
#include "hw/ioapic.h"

#include <errno.h>
#include <string.h>

#include "mmu/aspace.h"

#define VERSION 0x20

enum { IOREGSEL = 0x00, IOWIN = 0x10, IOEOI = 0x40 };
enum { REG_ID = 0, REG_VER = 1, REG_ARB = 2, REG_REDIR = 0x10 };

#define R_VECTOR   0xffull
#define R_LOGICAL  (1ull << 11)
#define R_STATUS   (1ull << 12)
#define R_RIRR     (1ull << 14)
#define R_LEVEL    (1ull << 15)
#define R_MASK     (1ull << 16)
#define R_READONLY (R_STATUS | R_RIRR)
#define R_VALID    0xff0000000001ffffull

static unsigned delivery_mode(uint64_t r)
{
	return r >> 8 & 7;
}

static void send(struct ioapic *a, uint64_t r)
{
	uint64_t addr = 0xfee00000 | r >> 56 << 12 | (r & R_LOGICAL ? 1 << 2 : 0);
	uint32_t data = (r & (R_VECTOR | R_LEVEL)) | delivery_mode(r) << 8 | 1 << 14;

	if (a->msg)
		a->msg(a->opaque, addr, data);
}

static void service_level(struct ioapic *a, int n)
{
	uint64_t r = a->redir[n];

	if (!(a->lines & 1u << n) || (r & (R_MASK | R_RIRR)) || !(r & R_LEVEL))
		return;
	/* Only fixed and lowest priority interrupts are answered by an EOI. */
	if (delivery_mode(r) <= 1)
		a->redir[n] |= R_RIRR;
	send(a, r);
}

void ioapic_set_irq(void *opaque, int n, int level)
{
	struct ioapic *a = opaque;
	uint32_t bit, was;

	if (n < 0 || n >= IOAPIC_PINS)
		return;
	bit = 1u << n;
	was = a->lines;
	a->lines = level ? was | bit : was & ~bit;
	if (!level)
		return;
	if (a->redir[n] & R_LEVEL)
		service_level(a, n);
	else if (!(was & bit) && !(a->redir[n] & R_MASK))
		send(a, a->redir[n]);
}

void ioapic_eoi(struct ioapic *a, uint8_t vector)
{
	for (int n = 0; n < IOAPIC_PINS; n++) {
		uint64_t r = a->redir[n];

		if (!(r & R_RIRR) || (r & R_VECTOR) != vector)
			continue;
		a->redir[n] &= ~R_RIRR;
		service_level(a, n);
	}
}

static void write_redir(struct ioapic *a, unsigned reg, uint32_t val)
{
	int n = reg >> 1;
	uint64_t old = a->redir[n], new;

	if (reg & 1)
		new = (old & 0xffffffff) | (uint64_t)val << 32;
	else
		new = (old & ~0xffffffffull) | val;
	new = (new &R_VALID & ~R_READONLY) | (old & R_READONLY);
	/* Linux clears a stuck remote IRR by a moment in edge mode. */
	if (!(new &R_LEVEL))
		new &= ~R_RIRR;
	a->redir[n] = new;
	service_level(a, n);
}

static void write_reg(struct ioapic *a, uint32_t val)
{
	unsigned reg = a->select;

	if (reg == REG_ID)
		a->id = val >> 24 & 0xf;
	else if (reg >= REG_REDIR && reg < REG_REDIR + 2 * IOAPIC_PINS)
		write_redir(a, reg - REG_REDIR, val);
}

static uint32_t read_reg(const struct ioapic *a)
{
	unsigned reg = a->select;

	switch (reg) {
	case REG_ID:
	case REG_ARB:
		return (uint32_t)a->id << 24;
	case REG_VER:
		return VERSION | (IOAPIC_PINS - 1) << 16;
	}
	if (reg >= REG_REDIR && reg < REG_REDIR + 2 * IOAPIC_PINS)
		return a->redir[(reg - REG_REDIR) >> 1] >> (reg & 1 ? 32 : 0);
	return 0;
}

static uint64_t ioapic_read(void *opaque, uint64_t off, unsigned size)
{
	const struct ioapic *a = opaque;

	(void)size;
	switch (off) {
	case IOREGSEL:
		return a->select;
	case IOWIN:
		return read_reg(a);
	}
	return 0;
}

static void ioapic_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct ioapic *a = opaque;

	(void)size;
	switch (off) {
	case IOREGSEL:
		a->select = val;
		break;
	case IOWIN:
		write_reg(a, val);
		break;
	case IOEOI:
		ioapic_eoi(a, val);
		break;
	}
}

static const struct mmio_ops ops = {ioapic_read, ioapic_write, 4, 4};

static const struct field fields[] = {
    FIELD_ARRAY(ioapic, redir, R_MASK),
    FIELD_NORESET(ioapic, lines),
    FIELD_NORESET(ioapic, id),
    FIELD(ioapic, select, 0),
    FIELD_END,
};

int ioapic_init(struct ioapic *a, struct aspace *mem, uint64_t base, uint8_t id,
		void (*msg)(void *opaque, uint64_t addr, uint32_t data), void *opaque)
{
	if (id > 15)
		return -EINVAL;
	memset(a, 0, sizeof(*a));
	a->id = id;
	a->msg = msg;
	a->opaque = opaque;
	device_init(&a->dev, "ioapic", fields, a);
	return aspace_map_dev(mem, "ioapic", base, 0x1000, &ops, a);
}
