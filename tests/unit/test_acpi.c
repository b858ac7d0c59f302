/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ACPI tables: checksums, pointers, lengths; AML encoding; and iasl's opinion where it is there.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hw/acpi_tables.h"
#include "hw/aml.h"
#include "hw/loader.h"

#define BASE 0xe0000

static uint8_t buf[0x8000];

static const struct acpi_config config = {
    .cpus = 64,
    .pci_mem_base = 0xc0000000,
    .pci_mem_end = 0xfec00000,
    .uarts = 0xf,
    .pvpanic = true,
};

static uint8_t sum(const uint8_t *p, size_t n)
{
	uint8_t s = 0;

	while (n--)
		s = (uint8_t)(s + *p++);
	return s;
}

static const uint8_t *table(uint64_t addr, const char *sig, long used)
{
	const uint8_t *t = buf + (addr - BASE);

	cr_assert(addr >= BASE && addr + 36 <= BASE + (uint64_t)used);
	cr_assert_arr_eq(t, sig, 4);
	cr_assert_leq(addr - BASE + get_le32(t + 4), (uint64_t)used);
	cr_assert_eq(sum(t, get_le32(t + 4)), 0, "%s checksum", sig);
	return t;
}

Test(acpi, structure)
{
	static const char *const sig[3] = {"FACP", "APIC", "HPET"};
	long used = acpi_build(buf, sizeof(buf), BASE, &config);
	const uint8_t *rsdt, *xsdt, *fadt, *madt;
	unsigned cpus = 0, overrides = 0, at;

	cr_assert_gt(used, 0);
	cr_assert_arr_eq(buf, "RSD PTR ", 8);
	cr_assert_eq(sum(buf, 20), 0);
	cr_assert_eq(sum(buf, 36), 0);
	rsdt = table(get_le32(buf + 16), "RSDT", used);
	xsdt = table(get_le64(buf + 24), "XSDT", used);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(get_le32(rsdt + 36 + 4 * i), get_le64(xsdt + 36 + 8 * i));
		table(get_le32(rsdt + 36 + 4 * i), sig[i], used);
	}
	fadt = buf + get_le32(rsdt + 36) - BASE;
	table(get_le32(fadt + 40), "DSDT", used);
	cr_assert_eq(get_le32(fadt + 40), get_le64(fadt + 140));
	cr_assert_eq(get_le32(fadt + 36) % 64, 0);
	cr_assert_arr_eq(buf + get_le32(fadt + 36) - BASE, "FACS", 4);
	madt = buf + get_le32(rsdt + 40) - BASE;
	for (at = 44; at < get_le32(madt + 4); at += madt[at + 1]) {
		cpus += madt[at] == 0;
		overrides += madt[at] == 2;
	}
	cr_assert_eq(at, get_le32(madt + 4));
	cr_assert_eq(cpus, 64);
	cr_assert_eq(overrides, 5);
}

Test(acpi, no_space)
{
	long used = acpi_build(buf, sizeof(buf), BASE, &config);

	cr_assert_eq(acpi_build(buf, 100, BASE, &config), -ENOSPC);
	for (size_t cap = 4096; cap < (size_t)used; cap += 512)
		cr_assert_eq(acpi_build(buf, cap, BASE, &config), -ENOSPC);
}

Test(acpi, aml_encoding)
{
	uint8_t out[8192], big[300] = {0};
	struct aml a;

	aml_init(&a, out, sizeof(out));
	aml_path(&a, "\\_SB.PCI0.ISA");
	cr_assert_arr_eq(out, "\\\x2f\x03_SB_PCI0ISA_", 15);
	aml_init(&a, out, sizeof(out));
	aml_eisaid(&a, "PNP0A03");
	cr_assert_arr_eq(out, "\x0c\x41\xd0\x0a\x03", 5);
	aml_init(&a, out, sizeof(out));
	aml_int(&a, 0);
	aml_int(&a, 1);
	aml_int(&a, 0x80);
	aml_int(&a, 0x1234);
	aml_int(&a, 0x123456789a);
	cr_assert_arr_eq(out, "\x00\x01\x0a\x80\x0b\x34\x12\x0e\x9a\x78\x56\x34\x12\0\0\0", 16);
	/* package lengths of one and two bytes */
	aml_init(&a, out, sizeof(out));
	aml_package(&a, 1);
	aml_int(&a, 1);
	aml_end(&a);
	cr_assert_arr_eq(out, "\x12\x03\x01\x01", 4);
	aml_init(&a, out, sizeof(out));
	aml_package(&a, 1);
	aml_bytes(&a, big, sizeof(big));
	aml_end(&a);
	cr_assert_eq(out[1], 0x40 | (303 & 15));
	cr_assert_eq(out[2], 303 >> 4);
	cr_assert_eq(a.len, 304);
	/* overflow is remembered */
	aml_init(&a, out, 4);
	aml_int(&a, 0x12345678);
	cr_assert(a.overflow);
}

Test(acpi, iasl)
{
	long used = acpi_build(buf, sizeof(buf), BASE, &config);
	const uint8_t *fadt, *dsdt;
	char dir[] = "/tmp/doppel-acpi-XXXXXX", cmd[256];
	FILE *f;

	if (system("command -v iasl >/dev/null 2>&1") != 0)
		cr_skip_test("iasl is not installed");
	cr_assert_gt(used, 0);
	fadt = buf + get_le32(buf + get_le32(buf + 16) - BASE + 36) - BASE;
	dsdt = buf + get_le32(fadt + 40) - BASE;
	cr_assert(mkdtemp(dir));
	snprintf(cmd, sizeof(cmd), "%s/dsdt.dat", dir);
	f = fopen(cmd, "wb");
	cr_assert(f);
	fwrite(dsdt, 1, get_le32(dsdt + 4), f);
	fclose(f);
	snprintf(cmd, sizeof(cmd),
		 "cd %s && iasl -d dsdt.dat >/dev/null 2>&1 && iasl -vs dsdt.dsl >log 2>&1", dir);
	cr_expect_eq(system(cmd), 0);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	cr_expect_eq(system(cmd), 0);
}
