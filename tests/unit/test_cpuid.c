/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * CPU models and CPUID.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "cpu/cpuid.h"
#include "cpu/vcpu.h"

static struct cpu_model parse(const char *spec)
{
	struct cpu_model m;
	char err[160] = "";
	cr_assert(!cpu_model_parse(&m, spec, err, sizeof(err)), "%s: %s", spec, err);
	return m;
}

static void refused(const char *spec, const char *what)
{
	struct cpu_model m;
	char err[160] = "";
	cr_assert(cpu_model_parse(&m, spec, err, sizeof(err)) < 0, "%s was taken", spec);
	cr_assert(strstr(err, what), "%s: \"%s\" lacks \"%s\"", spec, err, what);
	cr_assert(!strchr(err, '\n'));
}

static bool bit(uint32_t reg, unsigned n)
{
	return reg >> n & 1;
}

Test(cpuid, levels_grow)
{
	struct cpu_model v1 = parse("x86-64-v1"), v2 = parse("x86-64-v2"), v3 = parse("x86-64-v3"),
			 max = parse("max");
	for (unsigned f = 1; f < FEAT_COUNT; f++) {
		cr_expect(!cpu_has(&v1, f) || cpu_has(&v2, f));
		cr_expect(!cpu_has(&v2, f) || cpu_has(&v3, f));
		cr_expect(!cpu_has(&v3, f) || cpu_has(&max, f));
	}
	cr_expect(!cpu_has(&v1, FEAT_SSE3));
	cr_expect(cpu_has(&v2, FEAT_SSE42) && !cpu_has(&v2, FEAT_AVX));
	cr_expect(cpu_has(&v3, FEAT_AVX2) && cpu_has(&v3, FEAT_MOVBE) && !cpu_has(&v3, FEAT_AES));
	cr_expect(cpu_has(&max, FEAT_LA57) && cpu_has(&max, FEAT_PKU));
}

Test(cpuid, switches_follow_dependencies)
{
	struct cpu_model m = parse("max,-avx");
	cr_expect(!cpu_has(&m, FEAT_AVX) && !cpu_has(&m, FEAT_AVX2) && !cpu_has(&m, FEAT_FMA));
	cr_expect(cpu_has(&m, FEAT_XSAVE) && cpu_has(&m, FEAT_PKU));
	m = parse("max,-xsave");
	cr_expect(!cpu_has(&m, FEAT_AVX2) && !cpu_has(&m, FEAT_PKU) && !cpu_has(&m, FEAT_XSAVES));
	m = parse("qemu64,+avx2");
	cr_expect(cpu_has(&m, FEAT_AVX2) && cpu_has(&m, FEAT_XSAVE) && cpu_has(&m, FEAT_SSE42));
	m = parse("max,-lm");
	cr_expect(!cpu_has(&m, FEAT_LA57) && !cpu_has(&m, FEAT_CX16));
	m = parse("max,sse4_2=off,la57=off,aes=on");
	cr_expect(!cpu_has(&m, FEAT_SSE42) && !cpu_has(&m, FEAT_AVX) && cpu_has(&m, FEAT_AES));
}

Test(cpuid, refusals_name_the_word)
{
	refused("pentium9", "pentium9");
	refused("max,+bogus", "bogus");
	refused("max,avx", "avx");
	refused("max,avx=maybe", "avx=maybe");
	refused("max,", "''");
	refused("host", "KVM");
	refused("x86-64-v4", "x86-64-v3");
	refused("", "''");
}

Test(cpuid, vendor_and_signature)
{
	struct cpu_model m = parse("max");
	struct cpuid_regs r = cpu_cpuid(&m, NULL, 0, 0);
	char vendor[13] = "";
	memcpy(vendor, &r.ebx, 4);
	memcpy(vendor + 4, &r.edx, 4);
	memcpy(vendor + 8, &r.ecx, 4);
	cr_expect_str_eq(vendor, "GenuineIntel");
	cr_expect_geq(r.eax, 0x15);
	r = cpu_cpuid(&m, NULL, 1, 0);
	cr_expect_eq(r.eax, 0x206a7);
	cr_expect_eq(cpu_cpuid(&m, NULL, 0x80000000, 0).eax, 0x80000008);
	cr_expect_eq(cpu_cpuid(&m, NULL, 0x80000008, 0).eax, 40 | 57 << 8);
	r = cpu_cpuid(&m, NULL, 0x40000000, 0);
	cr_expect_eq(r.eax, 0x40000010);
	cr_expect(!memcmp(&r.ebx, "DoppelDoppel", 12));
}

Test(cpuid, follows_the_vcpu)
{
	struct cpu_model m = parse("max");
	struct vcpu v;
	m.nr_cpus = 4;
	vcpu_reset(&v, 3);
	struct cpuid_regs r = cpu_cpuid(&m, &v, 1, 0);
	cr_expect_eq(r.ebx >> 24, 3);
	cr_expect_eq(r.ebx >> 16 & 0xff, 4);
	cr_expect(bit(r.edx, 28));
	cr_expect(bit(r.ecx, 26) && !bit(r.ecx, 27));
	v.cr4 = CR4_OSXSAVE | CR4_PKE;
	cr_expect(bit(cpu_cpuid(&m, &v, 1, 0).ecx, 27));
	cr_expect(bit(cpu_cpuid(&m, &v, 7, 0).ecx, 4));
	r = cpu_cpuid(&m, &v, 0xb, 1);
	cr_expect(r.eax == 2 && r.ebx == 4 && r.ecx == 0x201 && r.edx == 3);
	r = cpu_cpuid(&m, &v, 0xb, 2);
	cr_expect(r.eax == 0 && r.ebx == 0 && r.ecx == 2 && r.edx == 3);
	/* SYSCALL shows in 64-bit mode only. */
	cr_expect(!bit(cpu_cpuid(&m, &v, 0x80000001, 0).edx, 11));
	v.efer = EFER_LMA;
	v.seg[CS].attr |= SEG_L;
	cr_expect(bit(cpu_cpuid(&m, &v, 0x80000001, 0).edx, 11));
}

Test(cpuid, xsave_area)
{
	struct cpu_model m = parse("max"), v2 = parse("x86-64-v2");
	struct vcpu v;
	vcpu_reset(&v, 0);
	struct cpuid_regs r = cpu_cpuid(&m, &v, 0xd, 0);
	cr_expect(r.eax == 0x207 && r.edx == 0 && r.ebx == 576 && r.ecx == 2696);
	v.xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX;
	cr_expect_eq(cpu_cpuid(&m, &v, 0xd, 0).ebx, 832);
	r = cpu_cpuid(&m, &v, 0xd, 1);
	cr_expect(r.eax == 15 && r.ebx == 832);
	r = cpu_cpuid(&m, &v, 0xd, 9);
	cr_expect(r.eax == 8 && r.ebx == 2688);
	cr_expect_eq(cpu_cpuid(&v2, &v, 0xd, 0).eax, 0);
}

Test(cpuid, frequency_leaf)
{
	struct cpu_model m = parse("max");
	m.tsc_khz = 2596000;
	struct cpuid_regs r = cpu_cpuid(&m, NULL, 0x15, 0);
	cr_expect_eq(r.ecx, CPU_CRYSTAL_HZ);
	cr_expect_eq((uint64_t)r.ecx * r.ebx / r.eax, 2596000000ull);
	cr_expect_leq((uint64_t)(r.ecx / 1000) * r.ebx, UINT32_MAX);
	m.tsc_khz = 2596001; /* does not reduce: left unsaid */
	r = cpu_cpuid(&m, NULL, 0x15, 0);
	cr_expect(!r.eax && !r.ebx && !r.ecx);
	m.tsc_khz = 0;
	cr_expect(!cpu_cpuid(&m, NULL, 0x15, 0).ecx);
	cr_expect_eq(cpu_cpuid(&m, NULL, 0x40000010, 0).ebx, 1000000);
}

Test(cpuid, any_leaf_is_harmless)
{
	struct cpu_model m = parse("max");
	for (uint64_t leaf = 0; leaf <= UINT32_MAX; leaf += 0x00fff1)
		for (uint32_t sub = 0; sub < 70; sub += 3)
			cpu_cpuid(&m, NULL, (uint32_t)leaf, sub);
}
