/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * `doppel bench` with a guest of the user's: how long each engine takes from its start to a line on its console, what
 * made it leave guest code, and where in the guest it was.
 */
#ifndef FRONTEND_BENCH_GUEST_H
#define FRONTEND_BENCH_GUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "accel/engine.h"
#include "accel/stats.h"
#include "frontend/bench.h"
#include "frontend/run.h"

#define GUEST_SAMPLES 65536
#define GUEST_DEVICES 96

struct guest_device {
	char name[32];
	bool port; /* of an I/O port, not of memory */
	uint64_t accesses;
};

struct guest_sample {
	uint64_t rip;
	bool user;
};

/* What the process with the guest leaves behind, in memory that it shares with the one that reports. */
struct guest_watch {
	uint32_t
	    sample_ns; /* time between samples: each costs the guest half a millisecond or so */
	uint64_t started_ns; /* CLOCK_MONOTONIC; 0: it did not start */
	bool ended;          /* and has written the rest */
	uint64_t counters[NR_ENGINE_STATS];
	uint64_t hops[FAILURES];
	struct guest_device device[GUEST_DEVICES];
	unsigned nr_devices;
	uint64_t lstar;       /* where SYSCALL goes */
	unsigned taken, idle; /* samples of all vCPUs, and how many of them were halted */
	unsigned nr_samples;
	struct guest_sample sample[GUEST_SAMPLES];
};

struct guest_options {
	int argc; /* of doppel, without -accel */
	char **argv;
	const char *marker; /* NULL: until the guest ends */
	unsigned timeout_s, repeat;
	run_fn *run;
};

/* Under one engine, in the fastest of its runs. */
struct guest_result {
	const char *engine;
	const char *unusable; /* NULL: it runs here */
	double seconds;       /* 0: it failed */
	char why[400];        /* it did */
	struct guest_watch *watch;
};

struct guest_report {
	const struct guest_options *opt;
	struct guest_result result[BENCH_COLUMNS];
	unsigned nr;
	char host[80];
	unsigned cpus;
	struct symbols *symbols; /* or NULL */
};

/* Runs the guest; fills seconds or why. */
void guest_run(const struct guest_options *o, struct guest_result *r);

/* ---- in the process with the guest: bench_watch.c ---- */

struct guest_watcher {
	struct guest_watch *watch;
	struct pc *pc;
};

/* Of struct run_hooks; opaque is a guest_watcher with its watch set. */
void watch_starts(void *opaque, struct pc *pc);
void watch_ended(void *opaque, struct pc *pc);

/* ---- where: bench_symbols.c ---- */

struct symbols;

/* A System.map, or what nm prints. 0 or -errno; -EINVAL: it holds no symbols. */
int symbols_load(struct symbols **out, const char *path);
void symbols_free(struct symbols *s);

struct guest_place {
	char name[96]; /* a symbol, or an address */
	bool user;
	unsigned samples;
};

/* The places with most samples, most first; how many. s may be NULL. */
unsigned guest_places(const struct guest_watch *w, const struct symbols *s,
		      struct guest_place *place, unsigned max);

/* ---- output: bench_guest_print.c ---- */

void guest_print(const struct guest_report *r, FILE *out);
void guest_print_csv(const struct guest_report *r, FILE *out);
void guest_print_json(const struct guest_report *r, FILE *out);
void guest_print_html(const struct guest_report *r, FILE *out);

#endif
