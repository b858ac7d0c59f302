/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a debugger outside the guest waits for: instructions at an address, and accesses to memory. The guest's
 * own debug registers (cpu/debug.h) know nothing of it.
 */
#ifndef CPU_WATCH_H
#define CPU_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "mmu/ram.h"

struct core;

#define WATCH_MAX   256
#define WATCH_PAGES 4096

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
};

struct watch_point {
	uint64_t addr, len; /* bytes; an instruction is where it begins, and len is 1 */
	uint16_t on;        /* WATCH_* */
	bool physical;      /* guest-physical, else linear */
};

struct watch {
	unsigned nr;
	struct watch_point point[WATCH_MAX];
	bool execs, accesses, events;     /* is there one? */
	uint64_t offsets[PAGE_SIZE / 64]; /* in their pages, of instructions that are waited for */
	uint64_t pages[WATCH_PAGES / 64]; /* where these are, by watch_page_hash() */
	bool anywhere;                    /* some are by physical address: in any page */
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

/* Copies the points and makes what is derived from them. 0, -ENOSPC for too many, or -EINVAL for one that is
 * empty, waits for nothing or goes beyond the end of the address space. */
int watch_set(struct watch *w, const struct watch_point *points, unsigned nr);

static inline unsigned watch_page_hash(uint64_t lin)
{
	return (unsigned)((lin >> PAGE_SHIFT ^ lin >> (PAGE_SHIFT + 12)) % WATCH_PAGES);
}

/* A point by linear address is for an instruction in this page. */
bool watch_in_page(const struct watch *w, uint64_t lin);
/* May an instruction in this page be waited for? */
static inline bool watch_exec_page(const struct watch *w, uint64_t lin)
{
	unsigned n = watch_page_hash(lin);

	return w->anywhere || (w->pages[n / 64] >> (n % 64) & 1 && watch_in_page(w, lin));
}

/* May one at this address? The same, and no more than that while all points are by linear address. */
bool watch_may_exec(const struct watch *w, uint64_t lin);

/* The instruction at lin; false when nothing waits for it. Raises nothing. */
bool watch_exec(struct core *c, const struct watch *w, uint64_t lin, struct watch_hit *hit);
/* Is any access to this page waited for? gpa: what the page is mapped to. */
bool watch_page(const struct watch *w, uint64_t lin, uint64_t gpa);
/* Something happens that is one of WATCH_EVENTS: after it has, as with accesses. For who has c->watch_events. */
void watch_event(struct core *c, unsigned on, uint64_t number, unsigned size, uint64_t value);
/* An access within one page; the first hit of an instruction is kept in c->watch_hit. */
void watch_access(struct core *c, uint64_t lin, uint64_t gpa, unsigned size, bool write);

#endif
