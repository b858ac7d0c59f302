/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Whether a state is one that a processor of this model can be in, as far as the rest of the program counts
 * on it. For states from outside, as from a file.
 */
#ifndef CPU_VCPU_CHECK_H
#define CPU_VCPU_CHECK_H

#include <stdint.h>

#include "cpu/vcpu.h"

struct cpu_model;

/* Bits that these registers have; of CR4 and EFER, with this model. */
#define CR0_BITS                                                                                   \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | \
	 CR0_PG)
#define CR3_NOFLUSH (1ull << 63)
uint64_t cr4_bits(const struct cpu_model *m);
uint64_t efer_bits(const struct cpu_model *m);

/* NULL, or the name of what cannot be. */
const char *vcpu_check(const struct vcpu *v, const struct cpu_model *m);

#endif
