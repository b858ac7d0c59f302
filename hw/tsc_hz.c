/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * SDM vol. 3B 18.7.3 (determining the processor base frequency): CPUID leaf 15h, else the leaf by
 * which hypervisors tell it, else a measurement against CLOCK_MONOTONIC.
 */
#include "hw/tsc_hz.h"

#define DEFAULT_HZ 1000000000ull

#if defined(__x86_64__)
#include <cpuid.h>
#include <time.h>
#include <x86intrin.h>

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* Both counters at one moment: of several readings, the one that was interrupted least. */
static void read_both(uint64_t *ns, uint64_t *tsc)
{
	uint64_t least = UINT64_MAX;

	for (unsigned n = 0; n < 16; n++) {
		uint64_t before = __rdtsc(), t = now_ns(), took = __rdtsc() - before;

		if (took >= least)
			continue;
		least = took;
		*ns = t;
		*tsc = before + took / 2;
	}
}

static uint64_t measure(void)
{
	uint64_t t0, c0, t1, c1, hz;

	read_both(&t0, &c0);
	do
		read_both(&t1, &c1);
	while (t1 - t0 < 3000000);
	hz = (uint64_t)((unsigned __int128)(c1 - c0) * 1000000000u / (t1 - t0));
	return (hz + 500000) / 1000000 * 1000000;
}

uint64_t tsc_hz_host(void)
{
	unsigned a, b, c, d, max = __get_cpuid_max(0, 0), hv = __get_cpuid_max(0x40000000, 0);
	uint64_t hz = 0;

	if (max >= 0x15) {
		__cpuid(0x15, a, b, c, d);
		if (a && b && c)
			hz = (uint64_t)c * b / a;
	}
	if (!hz && hv >= 0x40000010 && hv < 0x40010000) {
		__cpuid(0x40000010, a, b, c, d);
		hz = (uint64_t)a * 1000;
	}
	if (!hz)
		hz = measure();
	return hz >= TSC_HZ_MIN && hz <= TSC_HZ_MAX ? hz : DEFAULT_HZ;
}
#else
uint64_t tsc_hz_host(void)
{
	return DEFAULT_HZ;
}
#endif
