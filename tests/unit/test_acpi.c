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

static struct acpi_tables t;

static const struct acpi_config pc = {
    .cpus = 64,
    .pm_base = 0x600,
    .gpe_base = 0xafe0,
    .gpe_len = 4,
    .pci_mem_base = 0xc0000000,
    .pci_mem_end = 0xfec00000,
    .uarts = 0xf,
    .floppy = {4, 5},
    .pvpanic = true,
    .hpet = true,
    .s3 = true,
    .s4 = true,
};

static const struct acpi_config q35 = {
    .cpus = 64,
    .q35 = true,
    .pm_base = 0x600,
    .gpe_base = 0x620,
    .gpe_len = 16,
    .pci_mem_base = 0x80000000,
    .pci_mem_end = 0xfec00000,
    .pci_high_base = 0x800000000,
    .pci_high_end = 0x1000000000,
    .ecam_base = 0xb0000000,
    .ecam_buses = 256,
    .uarts = 0xf,
    .vga = true,
    .pvpanic = true,
    .hpet = true,
    .s3 = true,
    .s4 = true,
};

static uint8_t sum(const uint8_t *p, size_t n)
{
	uint8_t s = 0;

	while (n--)
		s = (uint8_t)(s + *p++);
	return s;
}

static const uint8_t *table(uint64_t addr, const char *sig)
{
	const uint8_t *p = t.data + (addr - BASE);

	cr_assert(addr >= BASE && addr + 36 <= BASE + t.len);
	cr_assert_arr_eq(p, sig, 4);
	cr_assert_leq(addr - BASE + get_le32(p + 4), t.len);
	cr_assert_eq(sum(p, get_le32(p + 4)), 0, "%s checksum", sig);
	return p;
}

static void structure(const struct acpi_config *cfg, const char *const *sig, unsigned nr)
{
	const uint8_t *rsdt, *xsdt, *fadt, *madt;
	unsigned cpus = 0, overrides = 0, at;

	cr_assert_eq(acpi_build(&t, cfg), 0);
	acpi_link(&t, BASE);
	cr_assert_arr_eq(t.rsdp, "RSD PTR ", 8);
	cr_assert_eq(sum(t.rsdp, 20), 0);
	cr_assert_eq(sum(t.rsdp, 36), 0);
	rsdt = table(get_le32(t.rsdp + 16), "RSDT");
	xsdt = table(get_le64(t.rsdp + 24), "XSDT");
	cr_assert_eq(get_le32(rsdt + 4), 36 + 4 * nr);
	for (unsigned i = 0; i < nr; i++) {
		cr_assert_eq(get_le32(rsdt + 36 + 4 * i), get_le64(xsdt + 36 + 8 * i));
		table(get_le32(rsdt + 36 + 4 * i), sig[i]);
	}
	fadt = t.data + get_le32(rsdt + 36) - BASE;
	table(get_le32(fadt + 40), "DSDT");
	cr_assert_eq(get_le32(fadt + 40), get_le64(fadt + 140));
	cr_assert_eq(get_le32(fadt + 36) % 64, 0);
	cr_assert_arr_eq(t.data + get_le32(fadt + 36) - BASE, "FACS", 4);
	madt = t.data + get_le32(rsdt + 40) - BASE;
	for (at = 44; at < get_le32(madt + 4); at += madt[at + 1]) {
		cpus += madt[at] == 0;
		overrides += madt[at] == 2;
	}
	cr_assert_eq(at, get_le32(madt + 4));
	cr_assert_eq(cpus, 64);
	cr_assert_eq(overrides, 5);
}

Test(acpi, structure)
{
	static const char *const sig[] = {"FACP", "APIC", "HPET", "WAET"};
	static const char *const sig_q35[] = {"FACP", "APIC", "HPET", "MCFG", "WAET"};

	structure(&pc, sig, 4);
	structure(&q35, sig_q35, 5);
}

/* -machine hpet=off: neither the table nor the device. */
Test(acpi, no_hpet)
{
	static const char *const sig[] = {"FACP", "APIC", "WAET"};
	struct acpi_config cfg = pc;

	cfg.hpet = false;
	structure(&cfg, sig, 3);
	cr_assert_null(memmem(t.data, t.len, "HPET", 4));
}

/* A table of the user's is there as it was given, and all are called as a SLIC asks for. */
Test(acpi, user_tables)
{
	static const char *const sig[] = {"FACP", "APIC", "HPET", "WAET", "MSDM", "SLIC"};
	uint8_t msdm[85] = "MSDM\x55\0\0\0\3\x99"
			   "OEM_IDTABLEIDX",
		slic[40] = "SLIC\x28\0\0\0\1\0"
			   "MAKER MACHINE ";
	struct acpi_config cfg = pc;

	cr_assert_null(acpi_check_table(msdm, 85));
	cr_assert_not_null(acpi_check_table(msdm, 84));
	cr_assert_not_null(acpi_check_table(msdm, 35));
	cfg.user.table[0].data = msdm;
	cfg.user.table[0].len = sizeof(msdm);
	cfg.user.table[1].data = slic;
	cfg.user.table[1].len = sizeof(slic);
	cfg.user.nr = 2;
	structure(&cfg, sig, 6);
	cr_assert_arr_eq(table(get_le32(t.rsdp + 16), "RSDT") + 10, "MAKER MACHINE ", 14);
	cr_assert(memmem(t.data, t.len, "OEM_IDTABLEIDX", 14));
}

/* -global PIIX4_PM.disable_s3=1 */
Test(acpi, no_s3)
{
	struct acpi_config cfg = pc;

	cr_assert_eq(acpi_build(&t, &cfg), 0);
	cr_assert(memmem(t.data, t.len, "_S3_", 4) && memmem(t.data, t.len, "_S4_", 4));
	cfg.s3 = false;
	cr_assert_eq(acpi_build(&t, &cfg), 0);
	cr_assert_null(memmem(t.data, t.len, "_S3_", 4));
	cr_assert(memmem(t.data, t.len, "_S5_", 4));
}

/* Carries out the script as firmware does, and comes to what acpi_link() makes. */
Test(acpi, loader_script)
{
	static struct acpi_tables linked;
	static uint8_t script[ACPI_LOADER_MAX];
	unsigned allocated = 0;

	cr_assert_eq(acpi_build(&linked, &q35), 0);
	acpi_link(&linked, BASE);
	cr_assert_eq(acpi_build(&t, &q35), 0);
	acpi_loader(&t, script);
	for (const uint8_t *entry = script; entry < script + sizeof(script); entry += 128) {
		bool in_rsdp = strcmp((const char *)entry + 4, "etc/acpi/rsdp") == 0;
		uint8_t *file = in_rsdp ? t.rsdp : t.data, *p;

		switch (get_le32(entry)) {
		case 0:
			break;
		case 1:
			allocated++;
			break;
		case 2:
			cr_assert_str_eq((const char *)entry + 60, "etc/acpi/tables");
			p = file + get_le32(entry + 116);
			if (entry[120] == 8)
				put_le64(p, get_le64(p) + BASE);
			else
				put_le32(p, get_le32(p) + BASE);
			break;
		case 3:
			p = file + get_le32(entry + 60);
			*p = (uint8_t)(*p - sum(file + get_le32(entry + 64), get_le32(entry + 68)));
			break;
		default:
			cr_assert(false, "unknown command");
		}
	}
	cr_assert_eq(allocated, 2);
	cr_assert_arr_eq(t.rsdp, linked.rsdp, sizeof(t.rsdp));
	cr_assert_arr_eq(t.data, linked.data, linked.len);
}

Test(acpi, no_space)
{
	struct acpi_config big = pc;

	big.cpus = 4096;
	cr_assert_eq(acpi_build(&t, &big), -ENOSPC);
}

/* The floppy controller is described where there is a drive, with the drives that there are. */
Test(acpi, floppy)
{
	static const char fdi[] = {'_', 'F', 'D', 'I', 0x12};
	struct acpi_config cfg = pc;

	for (unsigned n = 0; n < 3; n++) {
		unsigned drives = 0;

		cfg.floppy[0] = n > 0 ? 4 : 0;
		cfg.floppy[1] = n > 1 ? 5 : 0;
		cr_assert_eq(acpi_build(&t, &cfg), 0);
		cr_assert_eq(!memmem(t.data, t.len, "FDC0", 4), n == 0);
		for (size_t at = 0; at + sizeof(fdi) <= t.len; at++)
			drives += memcmp(t.data + at, fdi, sizeof(fdi)) == 0;
		cr_assert_eq(drives, n);
	}
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

static void compile(const struct acpi_config *cfg)
{
	const uint8_t *fadt, *dsdt;
	char dir[] = "/tmp/doppel-acpi-XXXXXX", cmd[256];
	FILE *f;

	cr_assert_eq(acpi_build(&t, cfg), 0);
	acpi_link(&t, BASE);
	fadt = t.data + get_le32(t.data + get_le32(t.rsdp + 16) - BASE + 36) - BASE;
	dsdt = t.data + get_le32(fadt + 40) - BASE;
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

Test(acpi, iasl)
{
	if (system("command -v iasl >/dev/null 2>&1") != 0)
		cr_skip_test("iasl is not installed");
	compile(&pc);
	compile(&q35);
}
