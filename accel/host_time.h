/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The host's clock, for waiting and measuring; what guests see is the machine's.
 */
#ifndef ACCEL_HOST_TIME_H
#define ACCEL_HOST_TIME_H

#include <stdint.h>
#include <time.h>

/* CLOCK_MONOTONIC, ns. */
static inline uint64_t host_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

#endif
