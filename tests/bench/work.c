/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * work [-s SCALE] [-l] [NAME...]: runs workloads and prints "NAME SECONDS ROUNDS SUM" for each
 * as it ends, or "NAME - REASON" where the CPU cannot run it. SCALE multiplies the rounds. The sum
 * must be the same wherever the same rounds ran.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "work.h"

static const struct workload_group *const groups[] = {
    &work_int, &work_mem, &work_fp, &work_simd, &work_sys, &work_thread, &work_prog,
};

_Noreturn void work_die(const char *what)
{
	fflush(stdout);
	fprintf(stderr, "work: %s: %s\n", what, strerror(errno));
	_exit(1);
}

void *work_alloc(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	memset(p, 1, bytes);
	return p;
}

void work_pin(unsigned cpu)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpus > 0 ? cpu % (unsigned long)cpus : 0, &set);
	/* Where only some CPUs are allowed, the scheduler's choice must do. */
	(void)sched_setaffinity(0, sizeof(set), &set);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static bool wanted(const char *name, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strcmp(name, *names))
			return true;
	return false;
}

static void run(const struct workload *w, double scale)
{
	uint64_t rounds = (uint64_t)((double)w->rounds * scale);
	int err = w->setup ? w->setup() : 0;

	if (err) {
		printf("%s - %s\n", w->name, strerror(-err));
		return;
	}
	if (!rounds)
		rounds = 1;

	double start = now();
	uint64_t sum = w->run(rounds);
	double took = now() - start;

	printf("%s %.6f %" PRIu64 " %016" PRIx64 "\n", w->name, took, rounds, sum);
}

int main(int argc, char **argv)
{
	double scale = 1;
	bool list = false;
	int opt;

	while ((opt = getopt(argc, argv, "s:l")) != -1) {
		if (opt == 's')
			scale = strtod(optarg, NULL);
		else if (opt == 'l')
			list = true;
		else
			return 2;
	}
	if (!(scale > 0 && scale < 1e6)) {
		fprintf(stderr, "work: the scale must be above 0\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t g = 0; g < COUNT_OF(groups); g++) {
		for (size_t i = 0; i < groups[g]->count; i++) {
			const struct workload *w = &groups[g]->list[i];

			if (!wanted(w->name, argv + optind))
				continue;
			if (list) {
				printf("%s\t%s\n", w->name, w->what);
				continue;
			}
			work_pin(0);
			run(w, scale);
		}
	}
	return 0;
}
