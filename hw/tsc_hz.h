/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The frequency of the guest's time-stamp counter.
 */
#ifndef HW_TSC_HZ_H
#define HW_TSC_HZ_H

#include <stdint.h>

/* What any processor has. */
#define TSC_HZ_MIN 100000000ull
#define TSC_HZ_MAX 100000000000ull

/* The host's TSC frequency where it has an invariant TSC, else 1 GHz. Takes up to 5 ms. */
uint64_t tsc_hz_host(void);

#endif
