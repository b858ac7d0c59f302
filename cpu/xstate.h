/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Geometry of the XSAVE area: what CPUID leaf 0Dh reports, what XSETBV accepts and what the XSAVE
 * instructions lay out. SDM vol. 1 13.4, 13.5.
 */
#ifndef CPU_XSTATE_H
#define CPU_XSTATE_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/cpuid.h"
#include "cpu/vcpu.h"

enum {
	XSTATE_LEGACY_SIZE = 512,
	XSTATE_HEADER_OFFSET = 512,
	XSTATE_HEADER_SIZE = 64,
	XSTATE_EXT_OFFSET = 576,
	XSTATE_NR = 10, /* components 0-9 */
};

#define XCOMP_COMPACT (1ull << 63)

/* Extended components; x87 and SSE live in the legacy region. Sizes of 0 do not exist. */
struct xstate_comp {
	uint16_t offset; /* standard format */
	uint16_t size;
};
static const struct xstate_comp xstate_comps[XSTATE_NR] = {
    [2] = {576, 256}, /* AVX: upper halves of YMM0-15 */
    [9] = {2688, 8},  /* PKRU */
};

/* State components the model can enable in XCR0; IA32_XSS has none. */
static inline uint64_t xstate_supported(const struct cpu_model *m)
{
	if (!cpu_has(m, FEAT_XSAVE))
		return 0;
	return XCR0_X87 | XCR0_SSE | (cpu_has(m, FEAT_AVX) ? XCR0_AVX : 0) |
	       (cpu_has(m, FEAT_PKU) ? XCR0_PKRU : 0);
}

/* What XSETBV takes: x87 always, AVX only with SSE (SDM vol. 1 13.3). */
static inline bool xcr0_valid(const struct cpu_model *m, uint64_t val)
{
	return !(val & ~xstate_supported(m)) && val & XCR0_X87 &&
	       (!(val & XCR0_AVX) || val & XCR0_SSE);
}

/* Bytes of an area holding the components of `mask`. */
static inline uint32_t xstate_size(uint64_t mask, bool compact)
{
	uint32_t size = XSTATE_EXT_OFFSET;
	for (unsigned n = 2; n < XSTATE_NR; n++) {
		if (!(mask >> n & 1))
			continue;
		size = (compact ? size : xstate_comps[n].offset) + xstate_comps[n].size;
	}
	return size;
}

#endif
