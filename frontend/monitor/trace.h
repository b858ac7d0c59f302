/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A trace of what the guest does, a line for each event, to a file or to the monitors. Main thread, machine lock held.
 */
#ifndef FRONTEND_MONITOR_TRACE_H
#define FRONTEND_MONITOR_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_RANGES 8
#define TRACE_LIMIT  10000000 /* lines, where nothing else is said */

struct monitor_env;
struct trace;

enum trace_kind {
	TRACE_INSTRUCTIONS = 1,
	TRACE_BRANCHES = 2, /* that were taken */
	TRACE_CALLS = 4,    /* indented */
	TRACE_INTERRUPTS = 8,
	TRACE_EXCEPTIONS = 16,
	TRACE_PAGEFAULTS = 32,
	TRACE_MMIO = 64,
	TRACE_PIO = 128,
	TRACE_CR3 = 256,
	TRACE_CR = 512,
	TRACE_MSR = 1024,
	TRACE_RESETS = 2048,
};

struct trace_spec {
	unsigned kinds; /* of enum trace_kind */
	struct {
		uint64_t first, last;
	} range[TRACE_RANGES]; /* linear addresses of the instruction; none: all */
	unsigned nr_ranges;
	int cpu;             /* -1: all */
	uint64_t limit;      /* lines */
	char condition[256]; /* an expression; empty: always */
	/* NULL: to the monitors; "-": standard error. A file is written anew. */
	const char *path;
};

/* Several kinds, with , or spaces between them; false: *word is none of them, which is where it points. */
bool trace_kinds(const char **word, unsigned *kinds);
/* The same for QEMU's -d items; those that ask for what is not told at all (guest_errors, unimp) are accepted. */
bool trace_log_items(const char **word, unsigned *kinds);
/* QEMU's -dfilter: "A..B,A+SIZE,A-SIZE", numbers only. False: it is none. */
bool trace_filter(struct trace_spec *s, const char *text);
extern const char trace_kind_help[], trace_log_help[];

/* 0, or -1 with one line in err; lets go of the lock. */
int trace_start(struct trace **out, struct monitor_env *env, const struct trace_spec *spec,
		char *err, size_t errlen);
/* Ends it and closes the file; NULL is allowed. Lets go of the lock. */
void trace_free(struct trace *t);
void trace_describe(struct trace *t, char *buf, size_t len);

#endif
