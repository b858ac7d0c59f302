/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Model-specific registers. SDM vol. 4.
 */
#ifndef CPU_MSR_H
#define CPU_MSR_H

#include <stdbool.h>
#include <stdint.h>

struct core;
struct cpu_model;

/* 0, or -1 for #GP(0). Writes bring mode, TLB and the local APIC up to date. */
int msr_read(struct core *c, uint32_t msr, uint64_t *val);
int msr_write(struct core *c, uint32_t msr, uint64_t val);
/* Whether WRMSR takes this for IA32_PAT. */
bool pat_valid(uint64_t val);

#endif
