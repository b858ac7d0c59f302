/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ACPI 6.4 chapter 5 (tables, in their revision 3 and 1.0 forms that every operating system
 * reads), IA-PC HPET specification 1.0a 3.2.4, PCI Firmware specification 3.0 4.1.2 (MCFG), Windows
 * ACPI Emulated Devices Table (WAET).
 */
#include "hw/acpi_tables.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hw/acpi_dsdt.h"
#include "hw/acpi_pm.h"
#include "hw/hpet.h"

#define SCI_IRQ 9  /* of both boards */
#define OEM_LEN 14 /* OEM ID and OEM table ID of a header */

static void put(uint8_t *p, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

/* Reserves n zeroed bytes; never NULL: on overflow the start of the tables, which are larger than any
 * that is asked for here. */
static uint8_t *reserve(struct acpi_tables *t, size_t n, size_t align)
{
	size_t at = (t->len + align - 1) & ~(align - 1);

	if (at > sizeof(t->data) || n > sizeof(t->data) - at) {
		t->overflow = true;
		return t->data;
	}
	memset(t->data + t->len, 0, at + n - t->len);
	t->len = at + n;
	return t->data + at;
}

static uint32_t offset(const struct acpi_tables *t, const uint8_t *p)
{
	return (uint32_t)(p - t->data);
}

/* Stores where target is, and notes that it must be linked. */
static void put_pointer(struct acpi_tables *t, uint8_t *p, uint32_t target, uint8_t size)
{
	bool in_rsdp = p >= t->rsdp && p < t->rsdp + sizeof(t->rsdp);
	const unsigned max = sizeof(t->pointer) / sizeof(t->pointer[0]);

	if (t->nr_pointers == max) {
		t->overflow = true;
		return;
	}
	put(p, target, size);
	t->pointer[t->nr_pointers++] =
	    (struct acpi_pointer){in_rsdp, in_rsdp ? (uint32_t)(p - t->rsdp) : offset(t, p), size};
}

static void put_checksum(struct acpi_tables *t, bool in_rsdp, uint32_t off, uint32_t start,
			 uint32_t len)
{
	const unsigned max = sizeof(t->checksum) / sizeof(t->checksum[0]);

	if (t->nr_checksums == max)
		t->overflow = true;
	else
		t->checksum[t->nr_checksums++] = (struct acpi_checksum){in_rsdp, off, start, len};
}

/* The header all tables but RSDP and FACS have. */
static uint8_t *begin(struct acpi_tables *t, const char *sig, uint8_t rev, size_t len)
{
	uint8_t *p = reserve(t, len, 16);

	memcpy(p, sig, 4);
	p[8] = rev;
	memcpy(p + 10, "DOPPEL", 6);
	memcpy(p + 16, "DOPPELPC", 8);
	put(p + 24, 1, 4);
	if (t->oem)
		memcpy(p + 10, t->oem, OEM_LEN);
	memcpy(p + 28, "DOPL", 4);
	put(p + 32, 1, 4);
	return p;
}

/* Length and checksum. Returns where the table is. */
static uint32_t finish(struct acpi_tables *t, uint8_t *p, size_t len)
{
	uint32_t at = offset(t, p);

	put(p + 4, len, 4);
	put_checksum(t, false, at + 9, at, (uint32_t)len);
	return at;
}

static void put_gas(uint8_t *p, uint8_t space, uint8_t bits, uint8_t access, uint64_t addr)
{
	p[0] = space;
	p[1] = bits;
	p[2] = 0;
	p[3] = access;
	put(p + 4, addr, 8);
}

enum { GAS_MEM = 0, GAS_IO = 1 };

static uint32_t build_dsdt(struct acpi_tables *t, const struct acpi_config *cfg)
{
	uint8_t *p = begin(t, "DSDT", 2, 36);
	struct aml a;

	if (t->overflow)
		return 0;
	aml_init(&a, t->data + t->len, sizeof(t->data) - t->len);
	acpi_dsdt(&a, cfg);
	if (a.overflow) {
		t->overflow = true;
		return 0;
	}
	t->len += a.len;
	return finish(t, p, 36 + a.len);
}

static uint32_t build_facs(struct acpi_tables *t)
{
	uint8_t *p = reserve(t, 64, 64);

	memcpy(p, "FACS", 4);
	put(p + 4, 64, 4);
	p[32] = 1;
	return offset(t, p);
}

static uint32_t build_fadt(struct acpi_tables *t, const struct acpi_config *cfg, uint32_t facs,
			   uint32_t dsdt)
{
	const size_t len = 244; /* revision 3 */
	uint8_t *p = begin(t, "FACP", 3, len);

	put_pointer(t, p + 36, facs, 4);
	put_pointer(t, p + 40, dsdt, 4);
	p[45] = 0; /* preferred profile: unspecified */
	put(p + 46, SCI_IRQ, 2);
	put(p + 48, ACPI_SMI_CMD, 4);
	p[52] = ACPI_ENABLE;
	p[53] = ACPI_DISABLE;
	put(p + 56, cfg->pm_base + ACPI_PM1_EVT, 4);
	put(p + 64, cfg->pm_base + ACPI_PM1_CNT, 4);
	put(p + 76, cfg->pm_base + ACPI_PM_TMR, 4);
	put(p + 80, cfg->gpe_base, 4);
	p[88] = 4;
	p[89] = 2;
	p[91] = 4;
	p[92] = cfg->gpe_len;
	put(p + 96, 0xfff, 2); /* no C2 */
	put(p + 98, 0xfff, 2); /* no C3 */
	p[108] = 0x32;         /* century register */
	/* Legacy devices, 8042; VGA not present. */
	put(p + 109, 0x03 | (cfg->vga ? 0 : 0x04), 2);
	/* WBINVD, C1, no sleep button, reset register; the PM timer has
	 * 24 bits. */
	put(p + 112, 1u << 0 | 1u << 2 | 1u << 5 | 1u << 10, 4);
	put_gas(p + 116, GAS_IO, 8, 1, 0xcf9);
	p[128] = 0x0f;
	/* X_FIRMWARE_CTRL stays 0: giving both makes systems find the FACS twice. */
	put_pointer(t, p + 140, dsdt, 8);
	put_gas(p + 148, GAS_IO, 32, 2, cfg->pm_base + ACPI_PM1_EVT);
	put_gas(p + 172, GAS_IO, 16, 2, cfg->pm_base + ACPI_PM1_CNT);
	put_gas(p + 208, GAS_IO, 32, 3, cfg->pm_base + ACPI_PM_TMR);
	put_gas(p + 220, GAS_IO, (uint8_t)(cfg->gpe_len * 8), 1, cfg->gpe_base);
	return finish(t, p, len);
}

static uint32_t build_madt(struct acpi_tables *t, const struct acpi_config *cfg)
{
	/* ISA interrupts that are not identity-mapped, edge triggered and active high. */
	static const struct {
		uint8_t irq, gsi, flags;
	} override[] = {{0, 2, 0}, {5, 5, 0xd}, {9, 9, 0xd}, {10, 10, 0xd}, {11, 11, 0xd}};
	const size_t nr = sizeof(override) / sizeof(override[0]);
	const size_t len = 44 + cfg->cpus * 8 + 12 + nr * 10 + 6;
	uint8_t *table = begin(t, "APIC", 3, len), *p = table + 44;

	if (t->overflow)
		return 0;
	put(table + 36, 0xfee00000, 4);
	put(table + 40, 1, 4); /* dual 8259 */
	for (unsigned i = 0; i < cfg->cpus; i++, p += 8) {
		p[0] = 0;
		p[1] = 8;
		p[2] = (uint8_t)i;
		p[3] = (uint8_t)i;
		put(p + 4, 1, 4);
	}
	p[0] = 1;
	p[1] = 12;
	put(p + 4, 0xfec00000, 4);
	p += 12;
	for (size_t i = 0; i < nr; i++, p += 10) {
		p[0] = 2;
		p[1] = 10;
		p[3] = override[i].irq;
		put(p + 4, override[i].gsi, 4);
		put(p + 8, override[i].flags, 2);
	}
	p[0] = 4; /* NMI at LINT1 of every CPU */
	p[1] = 6;
	p[2] = 0xff;
	p[5] = 1;
	return finish(t, table, len);
}

static uint32_t build_hpet(struct acpi_tables *t)
{
	uint8_t *p = begin(t, "HPET", 1, 56);

	put(p + 36, 0x8086a201, 4);
	put_gas(p + 40, GAS_MEM, 0, 0, HPET_BASE);
	return finish(t, p, 56);
}

/* The RTC and the PM timer need none of the care that chips of metal do. */
static uint32_t build_waet(struct acpi_tables *t)
{
	uint8_t *p = begin(t, "WAET", 1, 40);

	put(p + 36, 3, 4);
	return finish(t, p, 40);
}

static uint32_t build_mcfg(struct acpi_tables *t, const struct acpi_config *cfg)
{
	uint8_t *p = begin(t, "MCFG", 1, 60);

	put(p + 44, cfg->ecam_base, 8);
	p[55] = (uint8_t)(cfg->ecam_buses - 1);
	return finish(t, p, 60);
}

const char *acpi_check_table(const uint8_t *data, size_t len)
{
	if (len < 36)
		return "it is shorter than the header of a table";
	return get(data + 4, 4) == len ? NULL : "its header has another length than the file";
}

static uint32_t add_table(struct acpi_tables *t, const uint8_t *data, size_t len)
{
	uint8_t *p = reserve(t, len, 16);

	if (t->overflow)
		return 0;
	memcpy(p, data, len);
	p[9] = 0;
	return finish(t, p, len);
}

static uint32_t build_root(struct acpi_tables *t, const char *sig, uint8_t width,
			   const uint32_t *table, unsigned n)
{
	size_t len = 36 + (size_t)n * width;
	uint8_t *p = begin(t, sig, 1, len);

	for (unsigned i = 0; i < n && !t->overflow; i++)
		put_pointer(t, p + 36 + i * width, table[i], width);
	return finish(t, p, len);
}

static void build_rsdp(struct acpi_tables *t, uint32_t rsdt, uint32_t xsdt)
{
	uint8_t *p = t->rsdp;

	memcpy(p, "RSD PTR ", 8);
	memcpy(p + 9, "DOPPEL", 6);
	p[15] = 2;
	put_pointer(t, p + 16, rsdt, 4);
	put(p + 20, ACPI_RSDP_LEN, 4);
	put_pointer(t, p + 24, xsdt, 8);
	put_checksum(t, true, 8, 0, 20);
	put_checksum(t, true, 32, 0, ACPI_RSDP_LEN);
}

int acpi_build(struct acpi_tables *t, const struct acpi_config *cfg)
{
	uint32_t table[8 + ACPI_USER_TABLES], facs, dsdt;
	const struct acpi_user *u = &cfg->user;
	unsigned n = 0;

	memset(t, 0, sizeof(*t));
	/* Windows takes a SLIC of the machine's maker alone. */
	for (unsigned i = 0; i < u->nr; i++)
		if (memcmp(u->table[i].data, "SLIC", 4) == 0)
			t->oem = u->table[i].data + 10;
	facs = build_facs(t);
	dsdt = build_dsdt(t, cfg);
	table[n++] = build_fadt(t, cfg, facs, dsdt);
	table[n++] = build_madt(t, cfg);
	if (cfg->hpet)
		table[n++] = build_hpet(t);
	if (cfg->ecam_base)
		table[n++] = build_mcfg(t, cfg);
	table[n++] = build_waet(t);
	for (unsigned i = 0; i < u->nr; i++)
		table[n++] = add_table(t, u->table[i].data, u->table[i].len);
	build_rsdp(t, build_root(t, "RSDT", 4, table, n), build_root(t, "XSDT", 8, table, n));
	return t->overflow ? -ENOSPC : 0;
}

void acpi_link(struct acpi_tables *t, uint64_t base)
{
	for (unsigned i = 0; i < t->nr_pointers; i++) {
		const struct acpi_pointer *p = &t->pointer[i];
		uint8_t *at = (p->in_rsdp ? t->rsdp : t->data) + p->off;

		put(at, get(at, p->size) + base, p->size);
	}
	for (unsigned i = 0; i < t->nr_checksums; i++) {
		const struct acpi_checksum *c = &t->checksum[i];
		uint8_t *p = c->in_rsdp ? t->rsdp : t->data, sum = 0;

		for (uint32_t n = 0; n < c->len; n++)
			sum = (uint8_t)(sum + p[c->start + n]);
		p[c->off] = (uint8_t)-sum;
	}
}

void acpi_loader(const struct acpi_tables *t, uint8_t *buf)
{
	enum { ALLOCATE = 1, ADD_POINTER = 2, ADD_CHECKSUM = 3, NAME = 56, ENTRY = 128 };
	enum { HIGH = 1, FSEG = 2 };
	static const char tables[] = "etc/acpi/tables", rsdp[] = "etc/acpi/rsdp";
	uint8_t *p = buf;

	memset(buf, 0, ACPI_LOADER_MAX);
	put(p, ALLOCATE, 4);
	strcpy((char *)p + 4, rsdp);
	put(p + 4 + NAME, 16, 4);
	p[8 + NAME] = FSEG;
	p += ENTRY;
	put(p, ALLOCATE, 4);
	strcpy((char *)p + 4, tables);
	put(p + 4 + NAME, ACPI_TABLES_ALIGN, 4);
	p[8 + NAME] = HIGH;
	p += ENTRY;
	for (unsigned i = 0; i < t->nr_pointers; i++, p += ENTRY) {
		put(p, ADD_POINTER, 4);
		strcpy((char *)p + 4, t->pointer[i].in_rsdp ? rsdp : tables);
		strcpy((char *)p + 4 + NAME, tables);
		put(p + 4 + 2 * NAME, t->pointer[i].off, 4);
		p[8 + 2 * NAME] = t->pointer[i].size;
	}
	for (unsigned i = 0; i < t->nr_checksums; i++, p += ENTRY) {
		const struct acpi_checksum *c = &t->checksum[i];

		put(p, ADD_CHECKSUM, 4);
		strcpy((char *)p + 4, c->in_rsdp ? rsdp : tables);
		put(p + 4 + NAME, c->off, 4);
		put(p + 8 + NAME, c->start, 4);
		put(p + 12 + NAME, c->len, 4);
	}
}
