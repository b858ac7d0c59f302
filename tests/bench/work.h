/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The benchmark guest: small workloads, each isolating one cost. The same static program runs
 * natively and in a guest, so a ratio of two times is the cost of the emulation.
 */
#ifndef BENCH_WORK_H
#define BENCH_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#ifdef __clang__
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE __attribute__((noinline, noclone))
#endif

struct workload {
	const char *name;
	const char *what;
	/* Rounds that take a host of 2023 about a tenth of a second. */
	uint64_t rounds;
	/* Makes the data, untimed; may be NULL. 0 or -errno; -ENOTSUP where the CPU lacks something. */
	int (*setup)(void);
	/* Does the work and returns a sum over it that depends on nothing but rounds. */
	uint64_t (*run)(uint64_t rounds);
};

struct workload_group {
	const struct workload *list;
	size_t count;
};

extern const struct workload_group work_int, work_mem, work_fp, work_simd, work_sys, work_thread,
    work_prog;

/* Untimed memory for a setup, touched and never freed; NULL if there is none. */
void *work_alloc(size_t bytes);

/* Each workload draws its data from the same sequence in every run. */
static inline uint64_t work_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

/* Ends the program with a message: a workload that cannot run must not report a time. */
_Noreturn void work_die(const char *what);

/* Moves the calling thread to CPU cpu modulo those that there are. */
void work_pin(unsigned cpu);

#endif
