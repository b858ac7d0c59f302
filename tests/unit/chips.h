/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the tests of single chips share: address spaces without a lock, a clock that is stepped,
 * and pins that remember what they were told.
 */
#ifndef TESTS_UNIT_CHIPS_H
#define TESTS_UNIT_CHIPS_H

#include <criterion/criterion.h>

#include "hw/clock.h"
#include "hw/irq.h"
#include "mmu/aspace.h"

struct wire {
	int level;
	int rises;
};

static inline void wire_set(void *opaque, int n, int level)
{
	struct wire *w = (struct wire *)opaque + n;

	if (level && !w->level)
		w->rises++;
	w->level = !!level;
}

struct board {
	struct aspace io, mem;
	struct clock clock;
	struct wire wire[32];
};

static inline void board_init(struct board *b)
{
	*b = (struct board){0};
	aspace_init(&b->io, "io", 16, NULL);
	aspace_init(&b->mem, "mem", 52, NULL);
	clock_init(&b->clock, true);
}

static inline struct irq_pin pin(struct board *b, int n)
{
	return (struct irq_pin){wire_set, b->wire, n};
}

static inline uint8_t inb(struct board *b, uint16_t port)
{
	return aspace_read(&b->io, port, 1);
}
static inline void outb(struct board *b, uint16_t port, uint8_t v)
{
	aspace_write(&b->io, port, v, 1);
}
static inline uint32_t inl(struct board *b, uint16_t port)
{
	return aspace_read(&b->io, port, 4);
}
static inline uint16_t inw(struct board *b, uint16_t port)
{
	return aspace_read(&b->io, port, 2);
}
static inline void outw(struct board *b, uint16_t port, uint16_t v)
{
	aspace_write(&b->io, port, v, 2);
}
static inline uint32_t rd32(struct board *b, uint64_t a)
{
	return aspace_read(&b->mem, a, 4);
}
static inline uint64_t rd64(struct board *b, uint64_t a)
{
	return aspace_read(&b->mem, a, 8);
}
static inline void wr32(struct board *b, uint64_t a, uint32_t v)
{
	aspace_write(&b->mem, a, v, 4);
}
static inline void wr64(struct board *b, uint64_t a, uint64_t v)
{
	aspace_write(&b->mem, a, v, 8);
}

#endif
