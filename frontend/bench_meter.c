/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * How long an operation takes, on hosts where other things go on. The first round is for caches and translation
 * and does not count. Then rounds are added until a sample takes an eighth of the cell's time, and samples are taken
 * for the rest of it. The fastest is the answer: whatever disturbs a sample makes it longer.
 */
#include <stdlib.h>
#include <string.h>

#include "frontend/bench.h"

#define MIN_SAMPLES 3
#define MAX_GROWTH  16
#define MAX_ROUNDS  (1u << 30)

const struct bench_workload bench_workloads[BENCH_WORKLOADS] = {
#define WORKLOAD(id, name, group, native, ops, idle, unit, text)                                   \
	[BENCH_##id] = {name, GROUP_##group, native, ops, idle, unit, text},
#include "roms/bench/workloads.def"
#undef WORKLOAD
};

void meter_init(struct meter *m, const bool *selected, unsigned first, uint64_t budget_ns)
{
	memset(m, 0, sizeof(*m));
	m->selected = selected;
	m->budget_ns = budget_ns;
	m->id = first;
	m->cell.rounds = 1;
}

bool meter_next(struct meter *m, uint32_t *id, uint32_t *rounds)
{
	while (m->id < BENCH_WORKLOADS && !m->selected[m->id])
		m->id++;
	*id = m->id;
	*rounds = m->cell.rounds;
	return m->id < BENCH_WORKLOADS;
}

void meter_begin(struct meter *m, uint64_t now)
{
	m->begun = now;
}

/* Ends the cell and goes to the next. */
static void finish(struct meter *m, enum cell_status status)
{
	m->cell.status = status;
	m->done(m->opaque, m->id++, &m->cell);
	m->cell = (struct bench_cell){.rounds = 1};
	m->warm = false;
	m->spent = 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double per_operation(const struct meter *m, double ns)
{
	const struct bench_workload *w = &bench_workloads[m->id];

	ns = ns / ((double)m->cell.rounds * w->ops) - w->idle_ns;
	/* A timer's wake-up that is early by the clock's grain costs nothing. */
	return ns > 0.001 ? ns : 0.001;
}

static void evaluate(struct meter *m)
{
	unsigned n = m->cell.samples;

	qsort(m->sample, n, sizeof(*m->sample), by_value);
	m->cell.ns = per_operation(m, m->sample[0]);
	m->cell.median_ns = per_operation(m, (m->sample[(n - 1) / 2] + m->sample[n / 2]) / 2);
	finish(m, CELL_OK);
}

static void grow(struct meter *m, uint64_t took, uint64_t target)
{
	uint64_t factor = target / (took + 1) + 1;

	if (factor > MAX_GROWTH)
		factor = MAX_GROWTH;
	if (m->cell.rounds * factor <= MAX_ROUNDS)
		m->cell.rounds *= (uint32_t)factor;
}

void meter_end(struct meter *m, uint64_t now, const struct bench_result *r)
{
	uint64_t took = now - m->begun, target = m->budget_ns / 8;
	bool first = !m->warm;

	if (!r->steady || (m->warm && r->sum != m->cell.result)) {
		meter_failed(m, "rounds that should be the same come to different results");
		return;
	}
	m->cell.result = r->sum;
	m->warm = true;
	m->spent += took;
	/* Rounds that are long by themselves do not need more of them, nor a rehearsal. */
	if (took < target / 2 && m->cell.samples == 0 && m->cell.rounds < MAX_ROUNDS / MAX_GROWTH) {
		grow(m, took, target);
		return;
	}
	if (first && took < m->budget_ns)
		return;
	m->sample[m->cell.samples++] = (double)took;
	if (m->cell.samples == METER_SAMPLES ||
	    (m->spent >= m->budget_ns && m->cell.samples >= MIN_SAMPLES) ||
	    m->spent >= 4 * m->budget_ns)
		evaluate(m);
}

void meter_unsupported(struct meter *m)
{
	finish(m, CELL_UNSUPPORTED);
}

void meter_failed(struct meter *m, const char *why)
{
	size_t len = strlen(why);

	if (len >= sizeof(m->cell.why))
		len = sizeof(m->cell.why) - 1;
	memcpy(m->cell.why, why, len);
	finish(m, CELL_FAILED);
}
