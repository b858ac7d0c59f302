/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Flat 32-bit segments.
 */
#include "accel/interp_fast.h"

/* An access that runs over 4 GiB breaks the limit: an address that no TLB entry has. */
static inline uint64_t lin32(const struct core *c, const struct insn *i, unsigned size)
{
	uint32_t a = (uint32_t)sum(c, i);
	return a > 0u - size ? ~(uint64_t)0 : a;
}

#define LIN(bits) lin32(c, i, (bits) / 8)
#define FAST_MEM  fast_mem32
#include "accel/interp_mem.h"
