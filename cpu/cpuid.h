/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * CPU models: what CPUID tells a guest, on every engine and host.
 */
#ifndef CPU_CPUID_H
#define CPU_CPUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Features that gate instructions or state; each is one CPUID bit. The opcode table names them in
 * its feature column. FEAT_BASE is always present. */
enum feature {
	FEAT_BASE,
#define FEATURE(id, name, leaf, subleaf, reg, bit) FEAT_##id,
#include "cpu/features.def"
#undef FEATURE
	FEAT_COUNT,
};

struct cpu_model {
	char name[32];
	uint64_t feat[(FEAT_COUNT + 63) / 64];
	uint8_t maxphyaddr, maxlinaddr;
	uint8_t family, model, stepping;
	char vendor[13];
	char brand[49];
	uint32_t tsc_khz;   /* filled in by the board */
	uint32_t nr_cpus;   /* for topology leaves */
};

/* The crystal that CPUID leaf 15h names as the source of TSC and local APIC timer; the board clocks the
 * APIC timer with it. */
#define CPU_CRYSTAL_HZ 1000000000u

static inline bool cpu_has(const struct cpu_model *m, enum feature f)
{
	return f == FEAT_BASE || (m->feat[f / 64] >> (f % 64) & 1);
}

/* Parses "qemu64", "x86-64-v1".."v3", "max", each with ",+feat,-feat,feat=on|off". Features that this
 * build or host cannot execute are refused by name. 0, or -EINVAL with a one-line message in err. */
int cpu_model_parse(struct cpu_model *m, const char *spec, char *err, size_t errlen);
/* Prints the models and features, one a line, for `-cpu help`. */
void cpu_model_help(void);

struct vcpu;
struct cpuid_regs { uint32_t eax, ebx, ecx, edx; };
/* CPUID as this vCPU sees it now (OSXSAVE, APIC ID, XCR0-dependent sizes). v may be NULL. */
struct cpuid_regs cpu_cpuid(const struct cpu_model *m, const struct vcpu *v, uint32_t leaf,
			    uint32_t subleaf);

#endif
