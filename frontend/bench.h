/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * `doppel bench`: what each engine costs on this host. Two jobs: the guest that is built in for it (roms/bench)
 * measures single operations; a guest of the user's is timed from its start to a marker on its console.
 */
#ifndef FRONTEND_BENCH_H
#define FRONTEND_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "frontend/run.h"
#include "roms/bench/bench.h"

struct engine;

/* ---- results ---- */

enum bench_group { GROUP_CPU, GROUP_MEMORY, GROUP_KERNEL, GROUP_DISK, GROUP_NET, BENCH_GROUPS };

struct bench_workload {
	const char *name;
	enum bench_group group;
	bool native; /* runs in a process of the host, too */
	unsigned ops, idle_ns;
	const char *unit, *text;
};

extern const struct bench_workload bench_workloads[BENCH_WORKLOADS];
extern const char *const bench_group_names[BENCH_GROUPS];

enum cell_status {
	CELL_NONE, /* not asked for, or nothing that this column could run */
	CELL_OK,
	CELL_UNSUPPORTED, /* this processor cannot */
	CELL_FAILED,
};

struct bench_cell {
	enum cell_status status;
	double ns,
	    median_ns;    /* an operation, in the fastest sample and the median one of its pass */
	uint32_t rounds;  /* of a sample */
	uint32_t samples; /* in all passes */
	uint64_t result;  /* the same wherever the workload runs */
	char why[128];    /* CELL_FAILED */
};

struct bench_column {
	const char *name;
	const struct engine *engine; /* NULL: native */
	const char *unusable;        /* why it cannot run here; NULL: it can */
	struct bench_cell cell[BENCH_WORKLOADS];
};

#define BENCH_COLUMNS 4

/* Column 0 is native, 1 the first engine, with which others are compared. */
struct bench_report {
	struct bench_column column[BENCH_COLUMNS];
	unsigned nr;
	bool selected[BENCH_WORKLOADS];
	unsigned time_ms; /* spent on a cell, about */
	unsigned pass_ms; /* and in one of the passes through all of them */
	double took_s;
	char host[80];
	unsigned cpus;
};

/* ns of a column over that of another, or 0 where one is missing. */
double bench_ratio(const struct bench_report *r, unsigned id, unsigned column, unsigned over);
/* Geometric mean of a group's ratios; 0 where most of what the column has is without. */
double bench_group_ratio(const struct bench_report *r, enum bench_group g, unsigned column,
			 unsigned over);

/* A column of ratios: of which over which. */
struct bench_pair {
	unsigned column, over;
};

#define BENCH_PAIRS (2 * BENCH_COLUMNS)

/* Each engine over native, then each but the first over the first; how many. */
unsigned bench_pairs(const struct bench_report *r, struct bench_pair pair[BENCH_PAIRS]);
/* Cells that failed. */
unsigned bench_failures(const struct bench_report *r);

/* ---- measuring: bench_meter.c ---- */

#define METER_SAMPLES 64

/* Says what to run next, and makes cells of the times. Who runs it asks meter_next(), then calls
 * meter_begin() and meter_end(), or one of the others. */
struct meter {
	const bool *selected;
	uint64_t budget_ns; /* for a cell */
	void (*done)(void *opaque, unsigned id, const struct bench_cell *cell);
	void *opaque;
	/* its own */
	unsigned id;
	struct bench_cell cell;
	uint64_t begun, spent;
	bool warm;
	double sample[METER_SAMPLES];
};

void meter_init(struct meter *m, const bool *selected, unsigned first, uint64_t budget_ns);
/* False when all is done. */
bool meter_next(struct meter *m, uint32_t *id, uint32_t *rounds);
void meter_begin(struct meter *m, uint64_t now);
void meter_end(struct meter *m, uint64_t now, const struct bench_result *r);
void meter_unsupported(struct meter *m);
void meter_failed(struct meter *m, const char *why);

/* ---- running: bench_run.c ---- */

/* Fills all columns, in processes of their own, so that nothing that goes wrong there ends this one. progress: on a
 * terminal. */
void bench_measure(struct bench_report *r, bool progress);
/* Turns cells whose result is not that of the first column into failed ones. */
void bench_compare(struct bench_report *r);

/* ---- the disk: bench_disk.c ---- */

struct pc;

/* A file in memory with what the guest expects on its disk; -errno where there is none. */
int bench_disk_open(void);
/* Gives it to a machine that does not run yet. 0, or -1 with a line in err. */
int bench_disk_attach(struct pc *pc, int fd, char *err, size_t len);
/* The same requests as the guest's, by system calls. */
struct bench_result bench_disk_run(unsigned id, int fd, uint64_t *arena, uint32_t rounds);

/* ---- the network: bench_net.c ---- */

/* Gives the machine a card of each kind that the guest drives, with an end that answers it. As bench_disk_attach(). */
int bench_net_attach(struct pc *pc, char *err, size_t len);

/* ---- output: bench_print.c, bench_html.c ---- */

void bench_print(const struct bench_report *r, FILE *out);
void bench_print_csv(const struct bench_report *r, FILE *out);
void bench_print_json(const struct bench_report *r, FILE *out);
void bench_print_html(const struct bench_report *r, FILE *out);
/* Three digits of a time or ratio. */
const char *bench_number(double v, char *s, size_t len);

/* ---- the command: bench.c ---- */

/* run: doppel itself, for guests of the user's. The exit status. */
int bench_main(int argc, char **argv, run_fn *run);

#endif
