/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * CPU models and the `-cpu` option.
 *
 * Every model is a GenuineIntel family 6 processor. Why Intel: its CPUID can state the frequencies of
 * TSC and local APIC timer (leaf 15h), so that a guest need not measure them, and its
 * IA32_ARCH_CAPABILITIES can state that the processor is free of the speculation defects, so that
 * a guest neither pays for nor warns about missing mitigations; AMD family numbers that are new
 * enough for AVX2 make Linux look for microcode fixes instead. Model 42 (2nd generation Core) is on
 * none of Linux's lists of models with errata of their own.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cpu/cpuid.h"

static const char *const feature_names[FEAT_COUNT] = {
#define FEATURE(id, name, leaf, subleaf, reg, bit) [FEAT_##id] = name,
#include "cpu/features.def"
#undef FEATURE
};

/* What every model has: the machine and 64-bit mode are built on it. */
static const uint8_t platform[] = {
    FEAT_FPU,        FEAT_VME,       FEAT_DE,
    FEAT_PSE,        FEAT_TSC,       FEAT_MSR,
    FEAT_PAE,        FEAT_MCE,       FEAT_CX8,
    FEAT_APIC,       FEAT_SEP,       FEAT_MTRR,
    FEAT_PGE,        FEAT_MCA,       FEAT_CMOV,
    FEAT_PAT,        FEAT_PSE36,     FEAT_CLFSH,
    FEAT_MMX,        FEAT_FXSR,      FEAT_SSE,
    FEAT_SSE2,       FEAT_SYSCALL,   FEAT_NX,
    FEAT_LM,         FEAT_X2APIC,    FEAT_TSC_DEADLINE,
    FEAT_ARAT,       FEAT_RDTSCP,    FEAT_TSC_ADJUST,
    FEAT_INVTSC,     FEAT_SPEC_CTRL, FEAT_ARCH_CAPABILITIES,
    FEAT_HYPERVISOR, FEAT_KVMCLOCK,
};
static const uint8_t qemu64[] = {FEAT_SSE3, FEAT_CX16, FEAT_LAHF_LM};
/* The levels of the x86-64 psABI, each on top of the one before. */
static const uint8_t level2[] = {FEAT_SSE3, FEAT_SSSE3,  FEAT_SSE41,  FEAT_SSE42,
				 FEAT_CX16, FEAT_POPCNT, FEAT_LAHF_LM};
static const uint8_t level3[] = {FEAT_XSAVE, FEAT_AVX, FEAT_AVX2, FEAT_BMI1, FEAT_BMI2,
				 FEAT_F16C,  FEAT_FMA, FEAT_ABM,  FEAT_MOVBE};
/* Not in max: MONITOR, because without a way to watch stores MWAIT returns at once and an idle guest
 * would spin; FXSR_OPT and CR8LEGACY, which Intel processors do not have. */
static const uint8_t rest[] = {
    FEAT_PCLMULQDQ, FEAT_AES,     FEAT_SHA,        FEAT_ADX,    FEAT_RDRAND,  FEAT_RDSEED,
    FEAT_FSGSBASE,  FEAT_SMEP,    FEAT_SMAP,       FEAT_UMIP,   FEAT_PKU,     FEAT_LA57,
    FEAT_PCID,      FEAT_INVPCID, FEAT_XSAVEOPT,   FEAT_XSAVEC, FEAT_XGETBV1, FEAT_XSAVES,
    FEAT_RDPID,     FEAT_PDPE1GB, FEAT_CLFLUSHOPT, FEAT_CLWB,   FEAT_ERMS,    FEAT_FSRM,
    FEAT_PREFETCHW, FEAT_VAES,    FEAT_VPCLMULQDQ,
};

#define LIST(a)                                                                                    \
	{                                                                                          \
		a, sizeof(a)                                                                       \
	}
static const struct model {
	const char *name, *what;
	struct {
		const uint8_t *feat;
		size_t nr;
	} lists[4];
} models[] = {
    {"qemu64", "what QEMU's default promises", {LIST(platform), LIST(qemu64)}},
    {"x86-64-v1", "baseline of the x86-64 psABI", {LIST(platform)}},
    {"x86-64-v2", "v1 with SSE4.2, POPCNT, CMPXCHG16B", {LIST(platform), LIST(level2)}},
    {"x86-64-v3",
     "v2 with AVX2, BMI1/2, FMA, F16C, MOVBE",
     {LIST(platform), LIST(level2), LIST(level3)}},
    {"max",
     "everything this build executes",
     {LIST(platform), LIST(level2), LIST(level3), LIST(rest)}},
};
enum { NR_MODELS = sizeof(models) / sizeof(models[0]) };

/* Names that other emulators know, and what serves instead. */
static const struct {
	const char *name, *why;
} absent[] = {
    {"x86-64-v4", "AVX-512 is not implemented; the nearest model is x86-64-v3"},
    {"host", "needs KVM; the nearest model is max"},
    {"kvm64", "the nearest model is qemu64"},
    {"qemu32", "the nearest model is qemu64,-lm"},
};

/* feature, what it needs */
static const uint8_t needs[][2] = {
    {FEAT_SSE, FEAT_FXSR},
    {FEAT_SSE2, FEAT_SSE},
    {FEAT_SSE3, FEAT_SSE2},
    {FEAT_SSSE3, FEAT_SSE3},
    {FEAT_SSE41, FEAT_SSSE3},
    {FEAT_SSE42, FEAT_SSE41},
    {FEAT_AES, FEAT_SSE2},
    {FEAT_PCLMULQDQ, FEAT_SSE2},
    {FEAT_SHA, FEAT_SSE2},
    {FEAT_MMX, FEAT_FPU},
    {FEAT_FXSR, FEAT_FPU},
    {FEAT_XSAVE, FEAT_FXSR},
    {FEAT_AVX, FEAT_XSAVE},
    {FEAT_AVX, FEAT_SSE42},
    {FEAT_AVX2, FEAT_AVX},
    {FEAT_FMA, FEAT_AVX},
    {FEAT_F16C, FEAT_AVX},
    {FEAT_VAES, FEAT_AVX2},
    {FEAT_VAES, FEAT_AES},
    {FEAT_VPCLMULQDQ, FEAT_AVX2},
    {FEAT_VPCLMULQDQ, FEAT_PCLMULQDQ},
    {FEAT_XSAVEOPT, FEAT_XSAVE},
    {FEAT_XSAVEC, FEAT_XSAVE},
    {FEAT_XGETBV1, FEAT_XSAVE},
    {FEAT_XSAVES, FEAT_XSAVEC},
    {FEAT_PKU, FEAT_XSAVE},
    {FEAT_PKU, FEAT_LM},
    {FEAT_NX, FEAT_PAE},
    {FEAT_LM, FEAT_PAE},
    {FEAT_LM, FEAT_NX},
    {FEAT_LM, FEAT_SYSCALL},
    {FEAT_LM, FEAT_PGE},
    {FEAT_LM, FEAT_MSR},
    {FEAT_LM, FEAT_CMOV},
    {FEAT_LA57, FEAT_LM},
    {FEAT_PCID, FEAT_LM},
    {FEAT_INVPCID, FEAT_PCID},
    {FEAT_PDPE1GB, FEAT_LM},
    {FEAT_CX16, FEAT_LM},
    {FEAT_CX16, FEAT_CX8},
    {FEAT_LAHF_LM, FEAT_LM},
    {FEAT_FSGSBASE, FEAT_LM},
    {FEAT_CR8LEGACY, FEAT_APIC},
    {FEAT_X2APIC, FEAT_APIC},
    {FEAT_X2APIC, FEAT_MSR},
    {FEAT_ARAT, FEAT_APIC},
    {FEAT_TSC_DEADLINE, FEAT_APIC},
    {FEAT_TSC_DEADLINE, FEAT_TSC},
    {FEAT_TSC_ADJUST, FEAT_TSC},
    {FEAT_TSC_ADJUST, FEAT_MSR},
    {FEAT_RDTSCP, FEAT_TSC},
    {FEAT_INVTSC, FEAT_TSC},
    {FEAT_MCA, FEAT_MCE},
    {FEAT_MTRR, FEAT_MSR},
    {FEAT_FXSR_OPT, FEAT_FXSR},
    {FEAT_SPEC_CTRL, FEAT_MSR},
    {FEAT_ARCH_CAPABILITIES, FEAT_MSR},
    {FEAT_KVMCLOCK, FEAT_HYPERVISOR},
    {FEAT_KVMCLOCK, FEAT_INVTSC},
    {FEAT_KVMCLOCK, FEAT_MSR},
};

static void put(struct cpu_model *m, enum feature f, bool on)
{
	uint64_t bit = 1ull << (f % 64);
	if (on)
		m->feat[f / 64] |= bit;
	else
		m->feat[f / 64] &= ~bit;
}

/* Follows the table until nothing changes: a feature that is switched on brings what it needs, one
 * that is switched off takes along what needs it. */
static void settle(struct cpu_model *m, bool on)
{
	for (bool again = true; again;) {
		again = false;
		for (size_t n = 0; n < sizeof(needs) / sizeof(needs[0]); n++) {
			enum feature f = needs[n][0], base = needs[n][1];
			if (!cpu_has(m, f) || cpu_has(m, base))
				continue;
			put(m, on ? base : f, on);
			again = true;
		}
	}
}

/* Spellings differ in '-', '_' and '.'. */
static bool same_name(const char *a, const char *b, size_t len)
{
	if (strlen(a) != len)
		return false;
	for (size_t n = 0; n < len; n++) {
		char x = a[n], y = b[n];
		x = x == '_' || x == '.' ? '-' : x;
		y = y == '_' || y == '.' ? '-' : y;
		if (strncasecmp(&x, &y, 1))
			return false;
	}
	return true;
}

static enum feature find_feature(const char *s, size_t len)
{
	static const struct {
		const char *name;
		enum feature f;
	} aliases[] = {{"lzcnt", FEAT_ABM},      {"clfsh", FEAT_CLFSH},     {"pni", FEAT_SSE3},
		       {"i64", FEAT_LM},         {"xd", FEAT_NX},           {"sha", FEAT_SHA},
		       {"ibrs", FEAT_SPEC_CTRL}, {"cmpxchg16b", FEAT_CX16}, {"cmpxchg8b", FEAT_CX8},
		       {"htt", FEAT_HTT}};
	for (size_t n = 0; n < sizeof(aliases) / sizeof(aliases[0]); n++)
		if (same_name(aliases[n].name, s, len))
			return aliases[n].f;
	for (unsigned f = FEAT_BASE + 1; f < FEAT_COUNT; f++)
		if (same_name(feature_names[f], s, len))
			return f;
	return FEAT_BASE;
}

/* One ",..." item: +name, -name or name=on|off. */
static int apply(struct cpu_model *m, const char *s, size_t len, char *err, size_t errlen)
{
	const char *word = s;
	size_t wordlen = len;
	bool on;

	if (len && (*s == '+' || *s == '-')) {
		on = *s == '+';
		s++;
		len--;
	} else {
		const char *eq = memchr(s, '=', len);
		size_t vlen = eq ? len - (size_t)(eq - s) - 1 : 0;
		if (!eq || !(same_name("on", eq + 1, vlen) || same_name("off", eq + 1, vlen))) {
			snprintf(err, errlen,
				 "cpu option '%.*s': use +feature, -feature or feature=on|off",
				 (int)wordlen, word);
			return -1;
		}
		on = same_name("on", eq + 1, vlen);
		len = (size_t)(eq - s);
	}
	enum feature f = find_feature(s, len);
	if (f == FEAT_BASE) {
		snprintf(err, errlen, "cpu feature '%.*s' is not known; see -cpu help", (int)len,
			 s);
		return -1;
	}
	put(m, f, on);
	settle(m, on);
	return 0;
}

static const struct model *find_model(const char *s, size_t len, char *err, size_t errlen)
{
	for (unsigned n = 0; n < NR_MODELS; n++)
		if (same_name(models[n].name, s, len))
			return &models[n];
	for (size_t n = 0; n < sizeof(absent) / sizeof(absent[0]); n++) {
		if (!same_name(absent[n].name, s, len))
			continue;
		snprintf(err, errlen, "cpu model '%s': %s", absent[n].name, absent[n].why);
		return NULL;
	}
	snprintf(err, errlen, "cpu model '%.*s' is not known; see -cpu help", (int)len, s);
	return NULL;
}

int cpu_model_parse(struct cpu_model *m, const char *spec, char *err, size_t errlen)
{
	size_t len = strcspn(spec, ",");
	const struct model *model = find_model(spec, len, err, errlen);

	if (!model)
		return -EINVAL;
	memset(m, 0, sizeof(*m));
	snprintf(m->name, sizeof(m->name), "%s", model->name);
	for (unsigned l = 0; l < 4; l++)
		for (size_t n = 0; n < model->lists[l].nr; n++)
			put(m, model->lists[l].feat[n], true);
	for (const char *s = spec + len; *s; s += len) {
		s++;
		len = strcspn(s, ",");
		if (apply(m, s, len, err, errlen))
			return -EINVAL;
	}
	m->family = 6;
	m->model = 42;
	m->stepping = 7;
	m->maxphyaddr = cpu_has(m, FEAT_LM) ? 40 : 36;
	m->maxlinaddr = cpu_has(m, FEAT_LA57) ? 57 : cpu_has(m, FEAT_LM) ? 48 : 32;
	m->nr_cpus = 1;
	strcpy(m->vendor, "GenuineIntel");
	snprintf(m->brand, sizeof(m->brand), "doppel virtual CPU (%s)", model->name);
	return 0;
}

void cpu_model_help(void)
{
	unsigned col = 80;

	printf("Available CPUs (-cpu MODEL[,+FEATURE][,-FEATURE]...):\n");
	for (unsigned n = 0; n < NR_MODELS; n++)
		printf("x86 %-20s  %s\n", models[n].name, models[n].what);
	printf("\nRecognized CPUID flags:");
	for (unsigned f = FEAT_BASE + 1; f < FEAT_COUNT; f++) {
		unsigned len = (unsigned)strlen(feature_names[f]) + 1;

		if (col + len > 78) {
			printf("\n ");
			col = 1;
		}
		printf(" %s", feature_names[f]);
		col += len;
	}
	printf("\n");
}
