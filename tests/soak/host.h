/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What both soaks use: random numbers, time, files.
 */
#ifndef TESTS_SOAK_HOST_H
#define TESTS_SOAK_HOST_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hw/loader.h"

struct random {
	uint64_t s;
};

/* Below n. */
static inline uint64_t rnd(struct random *r, uint64_t n)
{
	r->s = r->s * 6364136223846793005 + 1442695040888963407;
	return (r->s >> 33) % n;
}

/* Seconds. */
static inline double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void sleep_us(uint64_t us)
{
	nanosleep(&(struct timespec){.tv_sec = (time_t)(us / 1000000),
				     .tv_nsec = (long)(us % 1000000) * 1000},
		  NULL);
}

/* The contents are never freed. */
static inline bool read_file(const char *path, struct blob *b)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint8_t *data = NULL;

	if (fd < 0 || fstat(fd, &st) < 0 || !(data = malloc((size_t)st.st_size + 1)) ||
	    read(fd, data, (size_t)st.st_size) != st.st_size)
		return false;
	close(fd);
	*b = (struct blob){path, data, (size_t)st.st_size};
	return true;
}

#endif
