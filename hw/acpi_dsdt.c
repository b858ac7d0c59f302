/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ACPI 6.4: the DSDTs of the two boards, which differ in where the interrupt router is and in what
 * the host bridge has. Routing follows hw/i440fx.c and hw/ich9.c.
 */
#include "hw/acpi_dsdt.h"

#include <stdio.h>

#include "hw/acpi_pm.h"
#include "hw/hpet.h"
#include "hw/pci.h"
#include "hw/pvpanic.h"

#define SCI_IRQ  9
#define PIRQ_GSI 16 /* of PIRQA, where the I/O APIC gets it beside the PIC */

enum { AML_STORE = 0x70, AML_AND = 0x7b, AML_OR = 0x7d, AML_DWORD_FIELD = 0x8a, AML_LESS = 0x95 };

/* ---- interrupts ---- */

/* A link device: an interrupt line of the PCI bus and the router register that says where in the
 * ISA interrupts it ends. */
static void link_device(struct aml *a, unsigned n)
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
	aml_byte(a, AML_AND);
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
	aml_byte(a, AML_OR);
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
	aml_byte(a, AML_DWORD_FIELD); /* CreateDWordField(BUF0, 5, IRQ0) */
	aml_path(a, "BUF0");
	aml_int(a, 5);
	aml_path(a, "IRQ0");
	aml_if(a);
	aml_byte(a, AML_LESS);
	aml_path(a, reg);
	aml_int(a, 0x80);
	aml_byte(a, AML_STORE);
	aml_path(a, reg);
	aml_path(a, "IRQ0");
	aml_end(a);
	aml_return(a);
	aml_path(a, "BUF0");
	aml_end(a);

	/* _SRS: the register gets the interrupt chosen. */
	aml_method(a, "_SRS", 1, true);
	aml_byte(a, AML_DWORD_FIELD);
	aml_byte(a, AML_ARG0);
	aml_int(a, 5);
	aml_path(a, "IRQ0");
	aml_byte(a, AML_STORE);
	aml_path(a, "IRQ0");
	aml_path(a, reg);
	aml_end(a);
	aml_end(a);
}

/* PIRQ (0 A .. 7 H) that a pin (0 INTA# .. 3 INTD#) of a slot is wired to. */
static unsigned pirq_of(const struct acpi_config *cfg, unsigned slot, unsigned pin)
{
	if (!cfg->q35)
		return (unsigned)pci_intx_line((uint8_t)(slot << 3), pin + 1);
	return slot < 25 ? 4 + (slot + pin) % 4 : pin;
}

/* The routing of all slots: to link devices, or straight to the I/O APIC. */
static void routing(struct aml *a, const struct acpi_config *cfg, const char *name, bool apic)
{
	char link[] = "LNKA";

	aml_name(a, name);
	aml_package(a, 31 * 4);
	for (unsigned slot = 1; slot < 32; slot++) {
		for (unsigned pin = 0; pin < 4; pin++) {
			unsigned pirq = pirq_of(cfg, slot, pin);

			aml_package(a, 4);
			aml_int(a, (uint64_t)slot << 16 | 0xffff);
			aml_int(a, pin);
			if (!cfg->q35 && slot == 1 && pin == 0) {
				/* Power management's own interrupt; its slot has no line. */
				aml_int(a, 0);
				aml_int(a, SCI_IRQ);
			} else if (apic) {
				aml_int(a, 0);
				aml_int(a, PIRQ_GSI + pirq);
			} else {
				link[3] = (char)('A' + pirq);
				aml_path(a, link);
				aml_int(a, 0);
			}
			aml_end(a);
		}
	}
	aml_end(a);
}

/* On Q35 it depends on the model that the system has chosen by _PIC. */
static void routing_by_model(struct aml *a, const struct acpi_config *cfg)
{
	routing(a, cfg, "PRTP", false);
	routing(a, cfg, "PRTA", true);
	aml_method(a, "_PRT", 0, false);
	aml_if(a);
	aml_path(a, "PICF");
	aml_return(a);
	aml_path(a, "PRTA");
	aml_end(a);
	aml_return(a);
	aml_path(a, "PRTP");
	aml_end(a);
}

static void links(struct aml *a, const struct acpi_config *cfg)
{
	char reg[] = "PRQ0";

	aml_field(a, "PCI0.ISA.PIRQ", 0x01); /* byte access, preserve */
	for (unsigned n = 0; n < (cfg->q35 ? 8 : 4); n++) {
		if (n == 4) { /* 64h-67h are others */
			aml_byte(a, 0);
			aml_byte(a, 32);
		}
		reg[3] = (char)('0' + n);
		aml_field_unit(a, reg, 8);
	}
	aml_end(a);
	for (unsigned n = 0; n < (cfg->q35 ? 8 : 4); n++)
		link_device(a, n);
}

/* ---- devices ---- */

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

/* 82078 and its drives (ACPI 6.4, 9.8); a system that finds none here need not look for them. */
static void floppy(struct aml *a, const struct acpi_config *cfg)
{
	/* Byte n of five dwords: drive n is there; the last: tapes are not known. */
	uint8_t enumerate[20] = {cfg->floppy[0] != 0, [4] = cfg->floppy[1] != 0, [16] = 2};
	char name[] = "FLPA";

	if (!cfg->floppy[0] && !cfg->floppy[1])
		return;
	aml_device(a, "FDC0");
	aml_name_eisaid(a, "_HID", "PNP0700");
	aml_name(a, "_CRS");
	aml_resources(a);
	aml_io(a, 0x3f2, 1, 4);
	aml_io(a, 0x3f7, 1, 1);
	aml_irq(a, 6);
	aml_dma(a, 2);
	aml_resources_end(a);
	aml_name(a, "_FDE");
	aml_buffer(a, enumerate, sizeof(enumerate));
	for (unsigned i = 0; i < 2; i++) {
		/* Drive, type, largest cylinder, sector and head; then what a BIOS has in its diskette
		 * parameter table. */
		const uint8_t info[16] = {(uint8_t)i, cfg->floppy[i],
					  79,         cfg->floppy[i] == 5 ? 36 : 18,
					  1,          0xaf,
					  0x02,       0x25,
					  2,          cfg->floppy[i] == 5 ? 36 : 18,
					  0x1b,       0xff,
					  0x6c,       0xf6,
					  0x0f,       0x08};

		if (!cfg->floppy[i])
			continue;
		name[3] = (char)('A' + i);
		aml_device(a, name);
		aml_name_int(a, "_ADR", i);
		aml_name(a, "_FDI");
		aml_package(a, 16);
		for (unsigned k = 0; k < 16; k++)
			aml_int(a, info[k]);
		aml_end(a);
		aml_end(a);
	}
	aml_end(a);
}

static void isa_bridge(struct aml *a, const struct acpi_config *cfg)
{
	static const struct {
		uint16_t base;
		uint8_t irq;
	} uart[4] = {{0x3f8, 4}, {0x2f8, 3}, {0x3e8, 4}, {0x2e8, 3}};
	char com[] = "COM1";

	aml_device(a, "ISA");
	aml_name_int(a, "_ADR", cfg->q35 ? 0x001f0000 : 0x00010000);
	aml_region(a, "PIRQ", 2, 0x60, cfg->q35 ? 12 : 4);

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

	floppy(a, cfg);
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

/* _OSC: the system may have all of PCI Express that it asks for. */
static void control(struct aml *a)
{
	aml_method(a, "_OSC", 4, true);
	aml_byte(a, AML_DWORD_FIELD);
	aml_byte(a, AML_ARG0 + 3);
	aml_int(a, 8);
	aml_path(a, "CDW3");
	aml_byte(a, AML_AND);
	aml_path(a, "CDW3");
	aml_int(a, 0x1f);
	aml_path(a, "CDW3");
	aml_return(a);
	aml_byte(a, AML_ARG0 + 3);
	aml_end(a);
}

static void host_bridge(struct aml *a, const struct acpi_config *cfg)
{
	aml_device(a, "PCI0");
	aml_name_eisaid(a, "_HID", cfg->q35 ? "PNP0A08" : "PNP0A03");
	if (cfg->q35)
		aml_name_eisaid(a, "_CID", "PNP0A03");
	aml_name_int(a, "_ADR", 0);
	aml_name_int(a, "_UID", 0);
	aml_name(a, "_CRS");
	aml_resources(a);
	aml_bus_window(a, 0, 0xff);
	aml_io(a, 0xcf8, 1, 8);
	aml_io_window(a, 0, 0xcf7);
	aml_io_window(a, 0xd00, 0xffff);
	aml_memory_window(a, 0xa0000, 0xbffff, true);
	/* The windows on both sides of the extended configuration space. */
	if (cfg->ecam_base > cfg->pci_mem_base && cfg->ecam_base < cfg->pci_mem_end) {
		uint64_t end = cfg->ecam_base + ((uint64_t)cfg->ecam_buses << 20);

		aml_memory_window(a, cfg->pci_mem_base, (uint32_t)cfg->ecam_base - 1, false);
		if (end < cfg->pci_mem_end)
			aml_memory_window(a, (uint32_t)end, cfg->pci_mem_end - 1, false);
	} else {
		aml_memory_window(a, cfg->pci_mem_base, cfg->pci_mem_end - 1, false);
	}
	if (cfg->pci_high_base < cfg->pci_high_end)
		aml_memory_window64(a, cfg->pci_high_base, cfg->pci_high_end - 1);
	aml_resources_end(a);
	if (cfg->q35) {
		control(a);
		routing_by_model(a, cfg);
	} else {
		routing(a, cfg, "_PRT", false);
	}
	isa_bridge(a, cfg);
	aml_end(a);
}

static void motherboard(struct aml *a, const struct acpi_config *cfg)
{
	aml_device(a, "FWCF");
	aml_name(a, "_HID");
	aml_string(a, "QEMU0002");
	aml_name_int(a, "_STA", 0x0b);
	aml_name(a, "_CRS");
	aml_resources(a);
	aml_io(a, 0x510, 1, 12);
	isa_device_end(a);

	if (cfg->hpet) {
		aml_device(a, "HPET");
		aml_name_eisaid(a, "_HID", "PNP0103");
		aml_name_int(a, "_UID", 0);
		aml_name(a, "_CRS");
		aml_resources(a);
		aml_memory32(a, HPET_BASE, 0x400, false);
		isa_device_end(a);
	}

	if (!cfg->ecam_base)
		return;
	aml_device(a, "ECAM");
	aml_name_eisaid(a, "_HID", "PNP0C02");
	aml_name(a, "_CRS");
	aml_resources(a);
	aml_memory32(a, (uint32_t)cfg->ecam_base, cfg->ecam_buses << 20, false);
	isa_device_end(a);
}

static void processors(struct aml *a, const struct acpi_config *cfg)
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

static void sleep_state(struct aml *a, const char *name, uint8_t type)
{
	aml_name(a, name);
	aml_package(a, 4);
	aml_int(a, type);
	aml_int(a, type);
	aml_int(a, 0);
	aml_int(a, 0);
	aml_end(a);
}

void acpi_dsdt(struct aml *a, const struct acpi_config *cfg)
{
	if (cfg->q35) {
		aml_name_int(a, "PICF", 0);
		aml_method(a, "_PIC", 1, false);
		aml_byte(a, AML_STORE);
		aml_byte(a, AML_ARG0);
		aml_path(a, "PICF");
		aml_end(a);
	}
	aml_scope(a, "\\_SB");
	host_bridge(a, cfg);
	motherboard(a, cfg);
	links(a, cfg);
	processors(a, cfg);
	aml_end(a);
	if (cfg->s3)
		sleep_state(a, "\\_S3", ACPI_SLEEP_S3);
	if (cfg->s4)
		sleep_state(a, "\\_S4", ACPI_SLEEP_S4);
	sleep_state(a, "\\_S5", ACPI_SLEEP_S5);
}
