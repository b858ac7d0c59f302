/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What of the board itself is part of a saved state, and what must be the same to load one.
 */
#include "hw/pc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "accel/cpus.h"
#include "hw/tsc_hz.h"

/* Chips that load set their pins again, one after the other: only with the levels of all of them at hand
 * does no shared line fall and rise meanwhile. */
static const struct field fields[] = {
    FIELD_ARRAY_NORESET(pc, isa_level),
    FIELD_ARRAY_NORESET(pc, gsi_level),
    FIELD_NORESET(pc, lapics.turn),
    FIELD_NORESET(pc, m.mem.addr_mask),
    FIELD_NORESET(pc, lapics.cfg.tsc_hz),
    FIELD_NORESET(pc, lapics.tsc_ahead),
    FIELD_NORESET(pc, m.bus.epoch_ns),
    FIELD_NORESET(pc, m.suspended),
    FIELD_END,
};

static void before_devices(void *opaque)
{
	struct pc *pc = opaque;
	uint64_t *hz = &pc->lapics.cfg.tsc_hz;

	pc->a20_loaded = aspace_a20(&pc->m.mem);
	/* The guest has measured the clock that counts on. */

	if (*hz < TSC_HZ_MIN || *hz > TSC_HZ_MAX)
		*hz = NSEC_PER_SEC;
	pc->m.bus.tsc_hz = *hz;
	pc->model.tsc_khz = (uint32_t)(*hz / 1000);
}

/* The last of the devices, as several of them set the A20 gate again. */
static void loaded(void *state)
{
	struct pc *pc = state;

	aspace_set_a20(&pc->m.mem, !pc->a20_loaded);
	aspace_set_a20(&pc->m.mem, pc->a20_loaded);
	if (pc->m.bus.sync)
		icount_loaded(&pc->icount, cpus_retired(pc->m.cpus));
}

static void describe(struct pc *pc)
{
	const struct cpu_model *c = &pc->model;
	size_t len = sizeof(pc->identity), n;

	n = (size_t)snprintf(
	    pc->identity, len,
	    "-machine %s%s%s\n-m %" PRIu64 "M\n-smp %u\n-icount %s\n-cpu %s (%s %u.%u.%u, "
	    "%u and %u address bits, features",
	    pc->board->name, pc->cfg.no_hpet ? ",hpet=off" : "", pc->cfg.smm ? ",smm=on" : "",
	    pc->m.ram.size >> 20, pc->cpus, pc->m.bus.sync ? "on" : "off", c->name, c->vendor,
	    c->family, c->model, c->stepping, c->maxphyaddr, c->maxlinaddr);
	for (unsigned i = 0; i < sizeof(c->feat) / sizeof(c->feat[0]) && n < len; i++)
		n += (size_t)snprintf(pc->identity + n, len - n, " %" PRIx64, c->feat[i]);
	if (n < len)
		snprintf(pc->identity + n, len - n, ")");
	pc->m.identity = pc->identity;
}

void pc_state_init(struct pc *pc)
{
	describe(pc);
	device_init(&pc->dev, "board", fields, pc);
	pc->dev.loaded = loaded;
	pc->m.load_hook = before_devices;
	machine_add(&pc->m, &pc->dev);
}
