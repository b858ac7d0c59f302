/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * High-precision event timers: IA-PC HPET specification 1.0a.
 */
#include "hw/hpet.h"

#include <stdbool.h>
#include <string.h>

#include "mmu/aspace.h"

enum {
	REG_CAP = 0x000,
	REG_CONFIG = 0x010,
	REG_ISR = 0x020,
	REG_COUNTER = 0x0f0,
	REG_TIMER = 0x100
};
enum { T_CONFIG = 0x00, T_COMPARATOR = 0x08 };

#define CONFIG_ENABLE 1ull
#define CONFIG_LEGACY 2ull

#define T_LEVEL    (1ull << 1)
#define T_ENABLE   (1ull << 2)
#define T_PERIODIC (1ull << 3)
#define T_PER_CAP  (1ull << 4)
#define T_SIZE_CAP (1ull << 5)
#define T_VAL_SET  (1ull << 6)
#define T_32BIT    (1ull << 8)
#define T_ROUTE    (0x1full << 9)
#define T_WRITABLE (T_LEVEL | T_ENABLE | T_PERIODIC | T_VAL_SET | T_32BIT | T_ROUTE)

#define PERIOD_FS (HPET_PERIOD_NS * 1000000ull)
#define CAP                                                                                        \
	(PERIOD_FS << 32 | 0x8086ull << 16 | 1 << 15 /* legacy */ | 1 << 13 /* 64 bits */ |        \
	 (HPET_TIMERS - 1) << 8 | 1 /* revision */)

static bool enabled(const struct hpet *h)
{
	return h->config & CONFIG_ENABLE;
}

static uint64_t counter(const struct hpet *h)
{
	if (!enabled(h))
		return h->counter;
	return h->counter + (clock_now(h->clock) - h->start) / HPET_PERIOD_NS;
}

static uint64_t mask(const struct hpet *h, int n)
{
	return h->tconf[n] & T_32BIT ? 0xffffffffull : ~0ull;
}

/* The wire of timer n now; copied, because the route decides the pin's number. */
static struct irq_pin wire(const struct hpet *h, int n)
{
	struct irq_pin pin = h->gsi;

	if ((h->config & CONFIG_LEGACY) && n == 0)
		return h->irq0;
	if ((h->config & CONFIG_LEGACY) && n == 1)
		return h->irq8;
	pin.n += (h->tconf[n] & T_ROUTE) >> 9;
	return pin;
}

static bool routed(const struct hpet *h, int n)
{
	if ((h->config & CONFIG_LEGACY) && n < 2)
		return true;
	return h->routes >> ((h->tconf[n] & T_ROUTE) >> 9) & 1;
}

/* Drives the wire of a level-triggered timer with its status. */
static void drive(struct hpet *h, int n, bool level)
{
	struct irq_pin pin = wire(h, n);

	if (routed(h, n))
		irq_set(&pin, level);
}

static bool asserted(const struct hpet *h, int n)
{
	return (h->isr >> n & 1) && (h->tconf[n] & T_ENABLE) && (h->tconf[n] & T_LEVEL);
}

static void match(struct hpet *h, int n)
{
	if (h->tconf[n] & T_LEVEL) {
		h->isr |= 1ull << n;
		if (h->tconf[n] & T_ENABLE)
			drive(h, n, true);
	} else if (h->tconf[n] & T_ENABLE) {
		drive(h, n, true);
		drive(h, n, false);
	}
}

/* A timer whose matches nobody hears of needs no host timer, which would wake an idle host: it is
 * brought up to date when somebody looks. */
static void schedule(struct hpet *h, int n, uint64_t deadline)
{
	h->next[n] = deadline;
	if (deadline != UINT64_MAX && h->tconf[n] & (T_ENABLE | T_LEVEL))
		timer_arm(&h->timer[n], deadline);
	else
		timer_cancel(&h->timer[n]);
}

static void arm(struct hpet *h, int n)
{
	uint64_t delta = (h->cmp[n] - counter(h)) & mask(h, n), now = clock_now(h->clock);
	uint64_t tick = now - (now - h->start) % HPET_PERIOD_NS;

	/* Behind the counter, or centuries ahead of it: the same thing in 64 bits. */
	if (!enabled(h) || delta > UINT64_MAX / HPET_PERIOD_NS / 4)
		schedule(h, n, UINT64_MAX);
	else
		schedule(h, n, tick + delta * HPET_PERIOD_NS);
}

static void fire(void *opaque)
{
	struct hpet_slot *slot = opaque;
	struct hpet *h = slot->hpet;
	int n = slot->n;
	uint64_t late = (clock_now(h->clock) - h->next[n]) / HPET_PERIOD_NS;
	uint64_t m = mask(h, n), period = h->period[n] & m;

	h->next[n] = UINT64_MAX;
	if (!enabled(h))
		return;
	if (h->tconf[n] & T_PERIODIC) {
		/* Periods that passed unseen are lost. */
		if (period) {
			h->cmp[n] = (h->cmp[n] + (late / period + 1) * period) & m;
			arm(h, n);
		}
	} else if (h->tconf[n] & T_32BIT) {
		/* It matches again each time that the low half comes round. */
		late &= 0xffffffff;
		schedule(h, n, clock_now(h->clock) + (0x100000000ull - late) * HPET_PERIOD_NS);
	}
	match(h, n);
}

static void catch_up(struct hpet *h)
{
	for (int n = 0; n < HPET_TIMERS; n++)
		if (!h->timer[n].armed && h->next[n] <= clock_now(h->clock))
			fire(&h->slot[n]);
}

static void write_config(struct hpet *h, uint64_t val)
{
	uint64_t old = h->config;

	val &= CONFIG_ENABLE | CONFIG_LEGACY;
	if ((old ^ val) & CONFIG_LEGACY) {
		for (int n = 0; n < 2; n++)
			if (asserted(h, n))
				drive(h, n, false);
		h->config = (old & ~CONFIG_LEGACY) | (val & CONFIG_LEGACY);
		for (int n = 0; n < 2; n++)
			if (asserted(h, n))
				drive(h, n, true);
		if (val & CONFIG_LEGACY) {
			irq_set(&h->irq0, asserted(h, 0));
			irq_set(&h->irq8, asserted(h, 1));
		} else {
			irq_set(&h->irq0, h->legacy_in & 1);
			irq_set(&h->irq8, h->legacy_in >> 1 & 1);
		}
	}
	if (!((old ^ val) & CONFIG_ENABLE))
		return;
	h->counter = counter(h);
	h->start = clock_now(h->clock);
	h->config = val;
	for (int n = 0; n < HPET_TIMERS; n++)
		arm(h, n);
}

static void write_isr(struct hpet *h, uint64_t val)
{
	for (int n = 0; n < HPET_TIMERS; n++) {
		if (!(val & h->isr & 1ull << n))
			continue;
		if (asserted(h, n))
			drive(h, n, false);
		h->isr &= ~(1ull << n);
	}
}

static void write_tconf(struct hpet *h, int n, uint64_t val)
{
	if (asserted(h, n))
		drive(h, n, false);
	h->tconf[n] = (val & T_WRITABLE) | (h->tconf[n] & ~T_WRITABLE);
	if (h->tconf[n] & T_32BIT) {
		h->cmp[n] &= 0xffffffff;
		h->period[n] &= 0xffffffff;
	}
	if (!(h->tconf[n] & T_LEVEL))
		h->isr &= ~(1ull << n);
	if (asserted(h, n))
		drive(h, n, true);
	arm(h, n);
}

/* In periodic mode a write sets the period, and with VAL_SET also the next match. */
static void write_comparator(struct hpet *h, int n, uint64_t val, uint64_t bits)
{
	bool periodic = h->tconf[n] & T_PERIODIC;

	bits &= mask(h, n);
	if (!periodic || (h->tconf[n] & T_VAL_SET))
		h->cmp[n] = (h->cmp[n] & ~bits) | (val & bits);
	if (periodic)
		h->period[n] = (h->period[n] & ~bits) | (val & bits);
	h->tconf[n] &= ~T_VAL_SET;
	arm(h, n);
}

static void write_counter(struct hpet *h, uint64_t val)
{
	h->counter = val;
	h->start = clock_now(h->clock);
	for (int n = 0; n < HPET_TIMERS; n++)
		arm(h, n);
}

static uint64_t read_reg(const struct hpet *h, unsigned reg)
{
	unsigned n = (reg - REG_TIMER) >> 5;

	switch (reg) {
	case REG_CAP:
		return CAP;
	case REG_CONFIG:
		return h->config;
	case REG_ISR:
		return h->isr;
	case REG_COUNTER:
		return counter(h);
	}
	if (reg < REG_TIMER || n >= HPET_TIMERS)
		return 0;
	switch (reg & 0x1f) {
	case T_CONFIG:
		return h->tconf[n] | (uint64_t)h->routes << 32 | T_PER_CAP | T_SIZE_CAP;
	case T_COMPARATOR:
		return h->cmp[n];
	}
	return 0;
}

/* bits: the part of the register that is written. */
static void write_reg(struct hpet *h, unsigned reg, uint64_t val, uint64_t bits)
{
	uint64_t whole = (read_reg(h, reg) & ~bits) | (val & bits);
	unsigned n = (reg - REG_TIMER) >> 5;

	switch (reg) {
	case REG_CONFIG:
		write_config(h, whole);
		return;
	case REG_ISR:
		write_isr(h, val & bits);
		return;
	case REG_COUNTER:
		write_counter(h, whole);
		return;
	}
	if (reg < REG_TIMER || n >= HPET_TIMERS)
		return;
	if ((reg & 0x1f) == T_CONFIG)
		write_tconf(h, n, whole);
	else if ((reg & 0x1f) == T_COMPARATOR)
		write_comparator(h, n, val, bits);
}

static uint64_t hpet_read(void *opaque, uint64_t off, unsigned size)
{
	uint64_t val;

	if (off >= REG_TIMER)
		catch_up(opaque);
	val = read_reg(opaque, off & ~7u) >> 8 * (off & 7);
	return size == 8 ? val : (uint32_t)val;
}

static void hpet_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	unsigned shift = 8 * (off & 7);
	uint64_t bits = size == 8 ? ~0ull : 0xffffffffull;

	catch_up(opaque);
	write_reg(opaque, off & ~7u, val << shift, bits << shift);
}

static const struct mmio_ops ops = {hpet_read, hpet_write, 4, 8};

void hpet_legacy_in(void *opaque, int n, int level)
{
	struct hpet *h = opaque;

	if (n < 0 || n > 1)
		return;
	h->legacy_in = level ? h->legacy_in | 1 << n : h->legacy_in & ~(1 << n);
	if (!(h->config & CONFIG_LEGACY))
		irq_set(n ? &h->irq8 : &h->irq0, level);
}

static const struct field fields[] = {
    FIELD(hpet, config, 0),         FIELD(hpet, isr, 0),
    FIELD(hpet, counter, 0),        FIELD(hpet, start, 0),
    FIELD_ARRAY(hpet, tconf, 0),    FIELD_ARRAY(hpet, cmp, UINT64_MAX),
    FIELD_ARRAY(hpet, period, 0),   FIELD_ARRAY(hpet, next, UINT64_MAX),
    FIELD_NORESET(hpet, legacy_in), FIELD_END,
};

static void reset_done(void *state)
{
	struct hpet *h = state;

	for (int n = 0; n < HPET_TIMERS; n++)
		timer_cancel(&h->timer[n]);
	for (int n = 0; n < 32; n++) {
		struct irq_pin pin = h->gsi;

		pin.n += n;
		if (h->routes >> n & 1)
			irq_set(&pin, 0);
	}
	irq_set(&h->irq0, h->legacy_in & 1);
	irq_set(&h->irq8, h->legacy_in >> 1 & 1);
}

static void loaded(void *state)
{
	struct hpet *h = state;

	for (int n = 0; n < HPET_TIMERS; n++)
		schedule(h, n, h->next[n]);
}

int hpet_init(struct hpet *h, struct aspace *mem, uint64_t base, struct clock *clk, uint32_t routes,
	      const struct irq_pin *irq0, const struct irq_pin *irq8, const struct irq_pin *gsi)
{
	memset(h, 0, sizeof(*h));
	h->clock = clk;
	h->routes = routes;
	if (irq0)
		h->irq0 = *irq0;
	if (irq8)
		h->irq8 = *irq8;
	if (gsi)
		h->gsi = *gsi;
	for (int n = 0; n < HPET_TIMERS; n++) {
		h->slot[n] = (struct hpet_slot){h, n};
		timer_init(&h->timer[n], clk, fire, &h->slot[n]);
	}
	device_init(&h->dev, "hpet", fields, h);
	h->dev.reset_done = reset_done;
	h->dev.loaded = loaded;
	return aspace_map_dev(mem, "hpet", base, 0x400, &ops, h);
}
