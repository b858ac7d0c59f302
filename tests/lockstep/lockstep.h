/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Two machines in lockstep: the same guest under the interpreter and under the translator, with time that
 * follows instructions, compared whenever the translator stops.
 */
#ifndef TESTS_LOCKSTEP_H
#define TESTS_LOCKSTEP_H

#include <stdbool.h>
#include <stdint.h>

#include "accel/soft.h"
#include "hw/chardev.h"
#include "hw/pc.h"
#include "tests/lockstep/state.h"

#define MAX_LINES 16 /* of input */
#define RECENT    24
#define OUTPUT    (1u << 20)

enum { INTERP, JIT, SIDES };

struct side {
	const char *name;
	const struct engine *engine;
	struct pc *pc;
	struct engine_cpu *e;
	struct core *c;
	struct chardev chr; /* of the first serial port or debug console */
	char *out;          /* what it printed, up to OUTPUT bytes */
	size_t out_len;
};

/* Waits for `expect` in the output, then types `say`. */
struct line {
	const char *expect, *say;
};

struct config {
	struct pc_config pc;
	struct blob kernel;
	struct boot_module initrd;
	unsigned nr_initrd;
	const char *append;
	uint64_t
	    from; /* until this count translated blocks are linked, and the translator is stopped
			  after random numbers of instructions */
	unsigned slice; /* the most of these */
	uint64_t seed;
	uint64_t stop;   /* count to stop at */
	uint64_t check;  /* instructions between two comparisons of RAM and devices */
	uint64_t reload; /* instructions between two saves of the interpreter's machine into the
			    translator's */
	uint64_t trace;  /* count from which each stop is printed */
	bool testdev;
	bool watch; /* compare one page of RAM at every stop */
	uint64_t watch_at;
	bool verbose; /* show the serial port */
	struct line line[MAX_LINES];
	unsigned nr_lines;
};

struct recent {
	uint64_t count, rip;
	uint8_t mode;
};

/* Status flags that may differ now, and how often they did, by who left them undefined. */
struct open_flags {
	uint32_t open;
	uint32_t images;             /* the same in images made of them at any time */
	const struct opcode *by[32]; /* by bit of RFLAGS */
	struct {
		const struct opcode *op;
		uint64_t times;
	} seen[64];
};

struct lockstep {
	const struct config *cfg;
	struct side side[SIDES];
	struct open_flags flags;
	struct recent recent[RECENT]; /* begun blocks; a ring */
	unsigned nr_recent;
	uint64_t rip; /* where both began last, */
	uint8_t mode;
	uint64_t begun_at; /* and at which count */
	bool linked;
	unsigned line;    /* of input, the next */
	size_t line_seen; /* output before this has been searched */
	const char *typing;
	uint64_t next_check, next_reload;
	uint64_t translated; /* instructions */
	uint64_t stops, checks, reloads, faults, reconciled;
};

/* machines.c. 0, or -1 with a line on stderr. */
int lockstep_start(struct lockstep *l, const struct config *cfg);
void lockstep_end(struct lockstep *l);
/* Types what the script has for the output so far, to both. */
void lockstep_type(struct lockstep *l);

/* reload.c: the translator's machine is loaded with the state of the interpreter's. 0, or -1 with a line on
 * stderr. */
int lockstep_reload(struct lockstep *l);

/* compare.c */
/* After `i` has been executed by the interpreter: which status flags are open. */
void flags_after(struct open_flags *f, const struct insn *i);
/* True when both are the same. What may differ is made the same. */
bool compare_cpus(struct lockstep *l, bool faulted);
bool compare_ram(struct lockstep *l);
bool compare_page(struct lockstep *l, uint64_t at);
bool compare_devices(struct lockstep *l);

/* report.c */
void report(const struct lockstep *l, const char *what);

#endif
