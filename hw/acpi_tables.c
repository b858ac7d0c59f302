/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ACPI 6.4 chapter 5 (tables, in their revision 3 and 1.0 forms that every operating system
 * reads) and IA-PC HPET specification 1.0a 3.2.4. The DSDT describes the devices that hw/pc.c
 * wires.
 */
#include "hw/acpi_tables.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hw/acpi_pm.h"
#include "hw/aml.h"
#include "hw/i440fx.h"
#include "hw/pvpanic.h"

struct out {
	uint8_t *buf;
	size_t len, cap;
	uint64_t base;
	bool overflow;
};

static void put(uint8_t *p, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

/* Reserves n zeroed bytes; never NULL: on overflow the start of the buffer, which holds at least
 * one table of any size asked for here. */
static uint8_t *reserve(struct out *o, size_t n, size_t align)
{
	size_t at = (o->len + align - 1) & ~(align - 1);

	if (at > o->cap || n > o->cap - at) {
		o->overflow = true;
		return o->buf;
	}
	memset(o->buf + o->len, 0, at + n - o->len);
	o->len = at + n;
	return o->buf + at;
}

static uint64_t address(const struct out *o, const uint8_t *p)
{
	return o->base + (uint64_t)(p - o->buf);
}

static uint8_t checksum(const uint8_t *p, size_t n)
{
	uint8_t sum = 0;

	while (n--)
		sum = (uint8_t)(sum + *p++);
	return (uint8_t)-sum;
}

/* The header all tables but RSDP and FACS have. The length and the checksum follow at the end. */
static uint8_t *begin(struct out *o, const char *sig, uint8_t rev, size_t len)
{
	uint8_t *t = reserve(o, len, 16);

	memcpy(t, sig, 4);
	put(t + 4, len, 4);
	t[8] = rev;
	memcpy(t + 10, "DOPPEL", 6);
	memcpy(t + 16, "DOPPELPC", 8);
	put(t + 24, 1, 4);
	memcpy(t + 28, "DOPL", 4);
	put(t + 32, 1, 4);
	return t;
}

static void finish(uint8_t *t, size_t len)
{
	put(t + 4, len, 4);
	t[9] = 0;
	t[9] = checksum(t, len);
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

/* ---- DSDT ---- */

/* A link device: an interrupt line of the PCI bus and the router register that says where in the
 * ISA interrupts it ends. */
static void dsdt_link(struct aml *a, unsigned n)
{
	static const uint32_t possible[] = {5, 10, 11};
	char name[] = "LNKA", reg[] = "PRQ0";

	name[3] = (char)('A' + n);
	reg[3] = (char)('0' + n);

	aml_device(a, name);
	aml_name_eisaid(a, "_HID", "PNP0C0F");
	aml_name_int(a, "_UID", n);
	aml_name(a, "_PRS");
	aml_resources(a);
	aml_interrupts(a, possible, 3);
	aml_resources_end(a);

	/* _STA: 9 while the register says off, else Bh. */
	aml_method(a, "_STA", 0, false);
	aml_if(a);
	aml_byte(a, 0x7b); /* And(PRQn, 80h) */
	aml_path(a, reg);
	aml_int(a, 0x80);
	aml_byte(a, 0);
	aml_return(a);
	aml_int(a, 0x09);
	aml_end(a);
	aml_return(a);
	aml_int(a, 0x0b);
	aml_end(a);

	/* _DIS: PRQn |= 80h */
	aml_method(a, "_DIS", 0, false);
	aml_byte(a, 0x7d);
	aml_path(a, reg);
	aml_int(a, 0x80);
	aml_path(a, reg);
	aml_end(a);

	/* _CRS: the interrupt in the register, 0 when it is off. */
	aml_method(a, "_CRS", 0, true);
	aml_name(a, "BUF0");
	aml_resources(a);
	aml_interrupts(a, (const uint32_t[]){0}, 1);
	aml_resources_end(a);
	aml_byte(a, 0x8a); /* CreateDWordField(BUF0, 5, IRQ0) */
	aml_path(a, "BUF0");
	aml_int(a, 5);
	aml_path(a, "IRQ0");
	aml_if(a);
	aml_byte(a, 0x95); /* LLess(PRQn, 80h) */
	aml_path(a, reg);
	aml_int(a, 0x80);
	aml_byte(a, 0x70);
	aml_path(a, reg);
	aml_path(a, "IRQ0");
	aml_end(a);
	aml_return(a);
	aml_path(a, "BUF0");
	aml_end(a);

	/* _SRS: the register gets the interrupt chosen. */
	aml_method(a, "_SRS", 1, true);
	aml_byte(a, 0x8a);
	aml_byte(a, AML_ARG0);
	aml_int(a, 5);
	aml_path(a, "IRQ0");
	aml_byte(a, 0x70);
	aml_path(a, "IRQ0");
	aml_path(a, reg);
	aml_end(a);
	aml_end(a);
}

static void dsdt_prt(struct aml *a)
{
	char link[] = "LNKA";

	/* Slot 1's function 3 has its interrupt wired to the SCI; its slot has no line. */
	aml_name(a, "_PRT");
	aml_package(a, 31 * 4);
	for (unsigned slot = 1; slot < 32; slot++) {
		for (unsigned pin = 0; pin < 4; pin++) {
			link[3] = (char)('A' + pci_intx_line((uint8_t)(slot << 3), pin + 1));
			aml_package(a, 4);
			aml_int(a, (uint64_t)slot << 16 | 0xffff);
			aml_int(a, pin);
			if (slot == 1 && pin == 0) {
				aml_int(a, 0);
				aml_int(a, PIIX_SCI_IRQ);
			} else {
				aml_path(a, link);
				aml_int(a, 0);
			}
			aml_end(a);
		}
	}
	aml_end(a);
}

static void isa_device(struct aml *a, const char *name, const char *hid, unsigned uid)
{
	aml_device(a, name);
	aml_name_eisaid(a, "_HID", hid);
	if (uid)
		aml_name_int(a, "_UID", uid);
	aml_name(a, "_CRS");
	aml_resources(a);
}

static void isa_device_end(struct aml *a)
{
	aml_resources_end(a);
	aml_end(a);
}

static void dsdt_isa(struct aml *a, const struct acpi_config *cfg)
{
	static const struct {
		uint16_t base;
		uint8_t irq;
	} uart[4] = {{0x3f8, 4}, {0x2f8, 3}, {0x3e8, 4}, {0x2e8, 3}};
	char com[] = "COM1";

	aml_device(a, "ISA");
	aml_name_int(a, "_ADR", 0x00010000);
	aml_region(a, "PIRQ", 2, PIIX_PIRQ_ROUTE, 4);

	isa_device(a, "RTC", "PNP0B00", 0);
	aml_io(a, 0x70, 1, 2);
	aml_irq(a, 8);
	isa_device_end(a);

	isa_device(a, "KBD", "PNP0303", 0);
	aml_io(a, 0x60, 1, 1);
	aml_io(a, 0x64, 1, 1);
	aml_irq(a, 1);
	isa_device_end(a);

	isa_device(a, "MOU", "PNP0F13", 0);
	aml_irq(a, 12);
	isa_device_end(a);

	for (unsigned i = 0; i < 4; i++) {
		if (!(cfg->uarts >> i & 1))
			continue;
		com[3] = (char)('1' + i);
		isa_device(a, com, "PNP0501", i + 1);
		aml_io(a, uart[i].base, 8, 8);
		aml_irq(a, uart[i].irq);
		isa_device_end(a);
	}
	if (cfg->pvpanic) {
		aml_device(a, "PEVT");
		aml_name(a, "_HID");
		aml_string(a, "QEMU0001");
		aml_name_int(a, "_STA", 0x0b);
		aml_name(a, "_CRS");
		aml_resources(a);
		aml_io(a, PVPANIC_PORT, 1, 1);
		isa_device_end(a);
	}
	aml_end(a);
}

static void dsdt_pci(struct aml *a, const struct acpi_config *cfg)
{
	aml_device(a, "PCI0");
	aml_name_eisaid(a, "_HID", "PNP0A03");
	aml_name_int(a, "_ADR", 0);
	aml_name_int(a, "_UID", 0);
	aml_name(a, "_CRS");
	aml_resources(a);
	aml_bus_window(a, 0, 0xff);
	aml_io(a, 0xcf8, 1, 8);
	aml_io_window(a, 0, 0xcf7);
	aml_io_window(a, 0xd00, 0xffff);
	aml_memory_window(a, 0xa0000, 0xbffff, true);
	aml_memory_window(a, cfg->pci_mem_base, cfg->pci_mem_end - 1, false);
	aml_resources_end(a);
	dsdt_prt(a);
	dsdt_isa(a, cfg);
	aml_end(a);

	aml_device(a, "FWCF");
	aml_name(a, "_HID");
	aml_string(a, "QEMU0002");
	aml_name_int(a, "_STA", 0x0b);
	aml_name(a, "_CRS");
	aml_resources(a);
	aml_io(a, 0x510, 1, 12);
	isa_device_end(a);

	aml_device(a, "HPET");
	aml_name_eisaid(a, "_HID", "PNP0103");
	aml_name_int(a, "_UID", 0);
	aml_name(a, "_CRS");
	aml_resources(a);
	aml_memory32(a, 0xfed00000, 0x400, false);
	isa_device_end(a);

	aml_field(a, "PCI0.ISA.PIRQ", 0x01); /* byte access, preserve */
	aml_field_unit(a, "PRQ0", 8);
	aml_field_unit(a, "PRQ1", 8);
	aml_field_unit(a, "PRQ2", 8);
	aml_field_unit(a, "PRQ3", 8);
	aml_end(a);
	for (unsigned n = 0; n < 4; n++)
		dsdt_link(a, n);
}

static void dsdt_cpus(struct aml *a, const struct acpi_config *cfg)
{
	char name[8];

	for (unsigned i = 0; i < cfg->cpus; i++) {
		snprintf(name, sizeof(name), "C%03X", i & 0xfff);
		aml_device(a, name);
		aml_name(a, "_HID");
		aml_string(a, "ACPI0007");
		aml_name_int(a, "_UID", i);
		aml_end(a);
	}
}

static uint64_t build_dsdt(struct out *o, const struct acpi_config *cfg)
{
	uint8_t *t = begin(o, "DSDT", 2, 36);
	struct aml a;

	if (o->overflow)
		return 0;
	aml_init(&a, o->buf + o->len, o->cap - o->len);
	aml_scope(&a, "\\_SB");
	dsdt_pci(&a, cfg);
	dsdt_cpus(&a, cfg);
	aml_end(&a);
	/* Soft off is sleep type 0. */
	aml_name(&a, "\\_S5");
	aml_package(&a, 4);
	for (unsigned i = 0; i < 4; i++)
		aml_int(&a, 0);
	aml_end(&a);
	if (a.overflow) {
		o->overflow = true;
		return 0;
	}
	o->len += a.len;
	finish(t, 36 + a.len);
	return address(o, t);
}

/* ---- the other tables ---- */

static uint64_t build_facs(struct out *o)
{
	uint8_t *t = reserve(o, 64, 64);

	memcpy(t, "FACS", 4);
	put(t + 4, 64, 4);
	t[32] = 1;
	return address(o, t);
}

static uint64_t build_fadt(struct out *o, uint64_t facs, uint64_t dsdt)
{
	const size_t len = 244; /* revision 3 */
	uint8_t *t = begin(o, "FACP", 3, len);

	put(t + 36, facs, 4);
	put(t + 40, dsdt, 4);
	t[45] = 0; /* preferred profile: unspecified */
	put(t + 46, PIIX_SCI_IRQ, 2);
	put(t + 48, ACPI_SMI_CMD, 4);
	t[52] = ACPI_ENABLE;
	t[53] = ACPI_DISABLE;
	put(t + 56, PIIX_PM_BASE + ACPI_PM1_EVT, 4);
	put(t + 64, PIIX_PM_BASE + ACPI_PM1_CNT, 4);
	put(t + 76, PIIX_PM_BASE + ACPI_PM_TMR, 4);
	put(t + 80, PIIX_GPE_BASE, 4);
	t[88] = 4;
	t[89] = 2;
	t[91] = 4;
	t[92] = ACPI_GPE0_LEN;
	put(t + 96, 0xfff, 2); /* no C2 */
	put(t + 98, 0xfff, 2); /* no C3 */
	t[108] = 0x32;         /* century register */
	put(t + 109, 0x07, 2); /* legacy devices, 8042, no VGA */
	/* WBINVD, C1, no sleep button, RTC cannot wake from S4, reset register; the PM timer has
	 * 24 bits. */
	put(t + 112, 1u << 0 | 1u << 2 | 1u << 5 | 1u << 10, 4);
	put_gas(t + 116, GAS_IO, 8, 1, 0xcf9);
	t[128] = 0x0f;
	/* X_FIRMWARE_CTRL stays 0: giving both makes systems find the FACS twice. */
	put(t + 140, dsdt, 8);
	put_gas(t + 148, GAS_IO, 32, 2, PIIX_PM_BASE + ACPI_PM1_EVT);
	put_gas(t + 172, GAS_IO, 16, 2, PIIX_PM_BASE + ACPI_PM1_CNT);
	put_gas(t + 208, GAS_IO, 32, 3, PIIX_PM_BASE + ACPI_PM_TMR);
	put_gas(t + 220, GAS_IO, ACPI_GPE0_LEN * 8, 1, PIIX_GPE_BASE);
	finish(t, len);
	return address(o, t);
}

static uint64_t build_madt(struct out *o, const struct acpi_config *cfg)
{
	/* ISA interrupts that are not identity-mapped, edge triggered and active high. */
	static const struct {
		uint8_t irq, gsi, flags;
	} override[] = {{0, 2, 0}, {5, 5, 0xd}, {9, 9, 0xd}, {10, 10, 0xd}, {11, 11, 0xd}};
	const size_t nr = sizeof(override) / sizeof(override[0]);
	const size_t len = 44 + cfg->cpus * 8 + 12 + nr * 10 + 6;
	uint8_t *t = begin(o, "APIC", 3, len), *p = t + 44;

	if (o->overflow)
		return 0;
	put(t + 36, 0xfee00000, 4);
	put(t + 40, 1, 4); /* dual 8259 */
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
	finish(t, len);
	return address(o, t);
}

static uint64_t build_hpet(struct out *o)
{
	uint8_t *t = begin(o, "HPET", 1, 56);

	put(t + 36, 0x8086a201, 4);
	put_gas(t + 40, GAS_MEM, 0, 0, 0xfed00000);
	finish(t, 56);
	return address(o, t);
}

static uint64_t build_root(struct out *o, const char *sig, unsigned width, const uint64_t *table,
			   unsigned n)
{
	uint8_t *t = begin(o, sig, 1, 36 + (size_t)n * width);

	if (o->overflow)
		return 0;
	for (unsigned i = 0; i < n; i++)
		put(t + 36 + i * width, table[i], width);
	finish(t, 36 + (size_t)n * width);
	return address(o, t);
}

long acpi_build(uint8_t *buf, size_t cap, uint64_t base, const struct acpi_config *cfg)
{
	struct out o = {.buf = buf, .cap = cap, .base = base};
	uint64_t table[3], facs, dsdt, rsdt, xsdt;
	uint8_t *rsdp;

	if (cap < 4096)
		return -ENOSPC;
	rsdp = reserve(&o, ACPI_RSDP_LEN, 16);
	facs = build_facs(&o);
	dsdt = build_dsdt(&o, cfg);
	table[0] = build_fadt(&o, facs, dsdt);
	table[1] = build_madt(&o, cfg);
	table[2] = build_hpet(&o);
	rsdt = build_root(&o, "RSDT", 4, table, 3);
	xsdt = build_root(&o, "XSDT", 8, table, 3);
	if (o.overflow)
		return -ENOSPC;

	memcpy(rsdp, "RSD PTR ", 8);
	memcpy(rsdp + 9, "DOPPEL", 6);
	rsdp[15] = 2;
	put(rsdp + 16, rsdt, 4);
	put(rsdp + 20, ACPI_RSDP_LEN, 4);
	put(rsdp + 24, xsdt, 8);
	rsdp[8] = checksum(rsdp, 20);
	rsdp[32] = checksum(rsdp, ACPI_RSDP_LEN);
	return (long)o.len;
}
