/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a debugger outside the guest waits for, or is told of as it happens (trace): instructions at an address, accesses
 * to memory, events. The guest's own debug registers (cpu/debug.h) know nothing of it.
 */
#ifndef CPU_WATCH_H
#define CPU_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "mmu/ram.h"

struct core;
struct insn;
struct vcpu;

enum {
	WATCH_EXEC = 1,
	WATCH_READ = 2,
	WATCH_WRITE = 4,
	/* Not places in memory: addr and len are of a range of numbers. */
	WATCH_CR = 8,   /* a MOV to these control registers */
	WATCH_MSR = 16, /* a WRMSR of these */
	WATCH_IN = 32,  /* from these ports */
	WATCH_OUT = 64,
	WATCH_EXCEPTION = 128, /* delivered by these vectors */
	WATCH_INTERRUPT = 256, /* likewise; also INT n and NMI */
	WATCH_SHUTDOWN =
	    512, /* a triple fault; number 0. The machine learns of it when the vCPU goes on */
	WATCH_EVENTS = WATCH_CR | WATCH_MSR | WATCH_IN | WATCH_OUT | WATCH_EXCEPTION |
		       WATCH_INTERRUPT | WATCH_SHUTDOWN,
	/* For traces only. */
	WATCH_INSN = 1024,   /* before an instruction is executed */
	WATCH_BRANCH = 2048, /* after one that went elsewhere than to the next */
	WATCH_LOAD = 4096,   /* from a device's memory */
	WATCH_STORE = 8192,  /* to it */
	WATCH_RDMSR = 16384,
	WATCH_STEPS = WATCH_INSN | WATCH_BRANCH,
	WATCH_TRACES = WATCH_EVENTS | WATCH_STEPS | WATCH_LOAD | WATCH_STORE | WATCH_RDMSR,
};

struct watch_point {
	uint64_t addr, len; /* bytes; an instruction is where it begins, and len is 1 */
	uint16_t on;        /* WATCH_* */
	bool physical;      /* guest-physical, else linear */
};

/* What is traced is told at once, on the vCPU's thread, with no lock held that is below the machine's. */
struct watch_event {
	unsigned on;   /* one of WATCH_* */
	uint64_t rip;  /* of the instruction, as RIP; of an exception or interrupt, where it came */
	uint64_t next; /* of a branch, its target; of an exception or interrupt, the handler */
	uint64_t number, value; /* as in struct watch_hit; LOAD, STORE: the physical address */
	unsigned size;
	const struct insn *insn; /* INSN and BRANCH, else NULL */
};

struct watch_trace {
	unsigned on; /* WATCH_*; 0: nothing */
	/* v: general registers, CRs and segments are the vCPU's now, RIP may be that of its block. */
	void (*fn)(void *opaque, unsigned cpu, const struct vcpu *v, const struct watch_event *ev);
	void *opaque;
};

/* Keys with the index of a point for each. */
struct watch_set {
	struct watch_key {
		uint64_t key;
		uint32_t point; /* index + 1; 0: free */
	} * slot;
	uint64_t mask; /* slots - 1 */
};

/* Points by where they begin, with how far they and those before them reach. */
struct watch_ranges {
	struct watch_range {
		uint64_t first, last, reach;
		uint32_t point;
	} * at;
	unsigned nr;
};

struct watch {
	struct watch_point *point;
	unsigned nr;
	struct watch_trace trace;
	bool execs, accesses, events; /* is there one? */
	/* Instructions by linear address, the pages where they are, and those by physical address with their offsets
	 * in pages: in any page. */
	struct watch_set exec, page, physical;
	uint64_t offsets[PAGE_SIZE / 64];
	bool anywhere;
	struct watch_ranges linear_access, physical_access;
};

struct watch_hit {
	bool valid;
	uint16_t on;    /* what it was, one of WATCH_* */
	unsigned point; /* index */
	unsigned size;  /* of the access, bytes; 1 for an instruction */
	uint64_t lin;   /* where the instruction or the access is; of an event, its number */
	uint64_t gpa;   /* of an access */
	uint64_t value; /* of an event: what is written, or the error code */
};

/* Copies the points and the trace (NULL: none) and makes what is derived from them. 0, -ENOMEM, or -EINVAL for one that
 * is empty, waits for nothing or goes beyond the end of the address space. */
int watch_new(struct watch **out, const struct watch_point *points, unsigned nr,
	      const struct watch_trace *trace);
void watch_free(struct watch *w);

/* May an instruction in this page be waited for? */
bool watch_exec_page(const struct watch *w, uint64_t lin);
/* A point by linear address is for an instruction in this page. */
bool watch_in_page(const struct watch *w, uint64_t lin);
/* May one at this address? The same, and no more than that while all points are by linear address. */
bool watch_may_exec(const struct watch *w, uint64_t lin);

/* The instruction at lin; false when nothing waits for it. Raises nothing. */
bool watch_exec(struct core *c, const struct watch *w, uint64_t lin, struct watch_hit *hit);
/* Is any access to this page waited for? gpa: what the page is mapped to. */
bool watch_page(const struct watch *w, uint64_t lin, uint64_t gpa);
/* Something happens that is one of WATCH_EVENTS, or traced: after it has, as with accesses. For who has
 * c->watch_events. */
void watch_event(struct core *c, unsigned on, uint64_t number, unsigned size, uint64_t value);
/* The same where it is not at the current instruction: from and to are RIP before and after. */
void watch_transfer(struct core *c, unsigned on, uint64_t number, uint64_t value, uint64_t from);
/* An instruction that is stepped: before it (next 0) and, where it branched, after. */
void watch_step(struct core *c, unsigned on, const struct insn *i, uint64_t rip, uint64_t next);
/* An access within one page; the first hit of an instruction is kept in c->watch_hit. */
void watch_access(struct core *c, uint64_t lin, uint64_t gpa, unsigned size, bool write);

#endif
