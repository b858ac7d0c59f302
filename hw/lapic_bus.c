/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The bus between local APICs: which of them a message is for. SDM vol. 3A, 11.6 (IPIs and
 * destinations), 11.11 (message-signalled interrupts), 11.12.10 (x2APIC logical ids).
 */
#include <string.h>

#include "hw/lapic_impl.h"

#define BROADCAST_X2 0xffffffffu

/* A destination as it stands in a message. */
struct target {
	uint32_t id;
	bool logical;
	bool wide; /* 32-bit id, from an x2APIC; else 8 bits */
};

void lapic_bus_init(struct lapic_bus *b, struct clock *clk, const struct lapic_config *cfg,
		    const struct lapic_ops *ops, void *opaque)
{
	memset(b, 0, sizeof(*b));
	b->cfg = *cfg;
	b->clock = clk;
	b->ops = ops;
	b->opaque = opaque;
}

static bool matches_logical(const struct lapic *l, const struct target *t)
{
	uint32_t mine = lapic_logical_id(l), ldr = l->ldr >> 24;

	if (lapic_is_x2(l))
		return t->id >> 16 == mine >> 16 && (t->id & mine & 0xffff);
	if (t->id > 0xff)
		return false;
	if (l->dfr >> 28 == 0xf) /* flat */
		return t->id & ldr;
	return t->id >> 4 == ldr >> 4 && (t->id & ldr & 0xf);
}

static bool matches(const struct lapic *l, const struct target *t)
{
	if (!lapic_present(l))
		return false;
	if (t->id == (t->wide ? BROADCAST_X2 : 0xff))
		return true;
	return t->logical ? matches_logical(l, t) : l->id == t->id;
}

/* Of two candidates: the lower task priority wins; on a tie, the one met first. */
static bool better(const struct lapic *l, const struct lapic *best)
{
	return !best || lapic_ppr(l) >> 4 < lapic_ppr(best) >> 4;
}

/* Delivers to every local APIC that `t` (or, when t is NULL, all) names, except `except`. */
static void deliver(struct lapic_bus *b, const struct target *t, const struct lapic *except,
		    enum delivery mode, uint8_t vector, bool level)
{
	struct lapic *best = NULL;

	for (unsigned i = 1; i <= b->nr; i++) {
		/* Starting behind the last winner shares interrupts out among equals. */
		unsigned n = mode == DELIVER_LOWEST ? (b->turn + i) % b->nr : i - 1;
		struct lapic *l = b->apic[n];

		if (!l || l == except || (t ? !matches(l, t) : !lapic_present(l)))
			continue;
		if (mode != DELIVER_LOWEST)
			lapic_accept(l, mode, vector, level);
		else if (lapic_enabled(l) && better(l, best))
			best = l;
	}
	if (best) {
		b->turn = best->id;
		lapic_accept(best, mode, vector, level);
	}
}

void lapic_bus_msi(void *opaque, uint64_t addr, uint32_t data)
{
	struct target t = {.id = addr >> 12 & 0xff, .logical = addr >> 2 & 1};
	enum delivery mode = data >> 8 & 7;
	bool level = data >> 15 & 1;

	if (addr >> 20 != 0xfee || mode == DELIVER_RESERVED || mode == DELIVER_SIPI)
		return;
	if (level && !(data >> 14 & 1)) /* deassertion means nothing to a local APIC */
		return;
	deliver(opaque, &t, NULL, mode, data, level);
}

void lapic_send_ipi(struct lapic *l)
{
	uint32_t icr = l->icr;
	enum delivery mode = icr >> 8 & 7;
	struct target t = {.logical = icr >> 11 & 1, .wide = lapic_is_x2(l)};
	uint8_t vector = icr;

	t.id = t.wide ? l->icr >> 32 : l->icr >> 56;
	if (mode == DELIVER_RESERVED || mode == DELIVER_EXTINT)
		return;
	/* INIT level de-assert, which Pentium 4 and later ignore. */
	if (mode == DELIVER_INIT && (icr & LVT_LEVEL) && !(icr >> 14 & 1))
		return;
	if (mode <= DELIVER_LOWEST && vector < 16) {
		lapic_error(l, ESR_SEND_VECTOR);
		return;
	}
	switch (icr >> 18 & 3) {
	case 0:
		deliver(l->bus, &t, NULL, mode, vector, false);
		break;
	case 1: /* self: fixed only */
		if (mode == DELIVER_FIXED)
			lapic_accept(l, mode, vector, false);
		break;
	case 2:
		deliver(l->bus, NULL, NULL, mode, vector, false);
		break;
	case 3:
		deliver(l->bus, NULL, l, mode, vector, false);
		break;
	}
}

void lapic_bus_set_lint(void *opaque, int n, int level)
{
	struct lapic_bus *b = opaque;

	for (unsigned i = 0; i < b->nr; i++)
		if (b->apic[i])
			lapic_set_lint(b->apic[i], n, level);
}
