/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Q35 and ICH9: the extended configuration space, interrupt routing, power management ports; and
 * random writes to all of it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "chips.h"
#include "hw/acpi_pm.h"
#include "hw/ich9.h"
#include "hw/loop.h"
#include "hw/msi.h"
#include "hw/pcie_port.h"
#include "hw/q35.h"

static struct {
	struct board b;
	struct ram ram;
	struct pci_bus pci;
	struct pam pam;
	struct acpi_pm pm;
	struct q35 q35;
	struct ich9 ich9;
	struct pci_func f[2]; /* slots 3 and 27, INTB# */
} t;

static const uint8_t irq[4] = {10, 10, 11, 11};

static void setup(void)
{
	struct irq_pin isa, gsi;

	memset(&t, 0, sizeof(t));
	board_init(&t.b);
	isa = pin(&t.b, 0);
	gsi = pin(&t.b, 16);
	cr_assert_eq(ram_init(&t.ram, "ram", 2 << 20), 0);
	pam_init(&t.pam, &t.b.mem, &t.ram);
	cr_assert_eq(aspace_map_ram(&t.b.mem, "low", 0, 0xa0000, &t.ram, 0), 0);
	cr_assert_eq(aspace_map_ram(&t.b.mem, "ram", 1 << 20, 1 << 20, &t.ram, 1 << 20), 0);
	cr_assert_eq(pci_bus_init(&t.pci, &t.b.mem, &t.b.io, NULL), 0);
	cr_assert_eq(acpi_pm_init(&t.pm, &t.b.io, 0, 0, &t.b.clock, NULL, NULL, NULL), 0);
	cr_assert_eq(q35_init(&t.q35, &t.pci, &t.pam), 0);
	cr_assert_eq(ich9_init(&t.ich9, &t.pci, &t.pm, &isa, &gsi), 0);
	for (unsigned i = 0; i < 2; i++) {
		pci_func_init(&t.f[i], "f", 0x1234, 0x5678, 0xff00, 2);
		if (i == 1)
			cr_assert_gt(pci_func_express(&t.f[i], PCIE_INTEGRATED_ENDPOINT), 0);
		cr_assert_eq(pci_bus_add(&t.pci, &t.f[i], PCI_DEVFN(i ? 27 : 3, 0)), 0);
		device_reset(&t.f[i].dev);
	}
	device_reset(&t.ich9.dev);
	device_reset(&t.q35.host.dev);
	device_reset(&t.ich9.lpc.dev);
}

static void outl(uint16_t port, uint32_t v)
{
	aspace_write(&t.b.io, port, v, 4);
}

static void config(unsigned devfn, unsigned reg, uint32_t v, unsigned size)
{
	outl(0xcf8, 0x80000000u | devfn << 8 | (reg & 0xfc));
	aspace_write(&t.b.io, 0xcfc + (reg & 3), v, size);
}

TestSuite(q35, .init = setup);

Test(q35, extended_configuration_space)
{
	const uint64_t base = 0xe0000000, f1 = base + (PCI_DEVFN(27, 0) << 12);

	cr_assert_eq(rd32(&t.b, base), ~0u);
	config(0, 0x60, (uint32_t)base | 1, 4);
	cr_assert_eq(rd32(&t.b, base), 0x29c08086);
	cr_assert_eq(rd32(&t.b, base + (PCI_DEVFN(31, 0) << 12)), 0x29188086);
	cr_assert_eq(rd32(&t.b, f1), 0x56781234);
	wr32(&t.b, f1 + PCI_COMMAND, PCI_CMD_MASTER);
	cr_assert(pci_is_master(&t.f[1]));
	/* four times the space, where the function has it */
	cr_assert_eq(rd32(&t.b, f1 + 0x100), 0);
	cr_assert_eq(rd32(&t.b, f1 + 0xffc), 0);
	cr_assert_eq(rd32(&t.b, base + (PCI_DEVFN(4, 0) << 12)), ~0u);
	cr_assert_eq(rd32(&t.b, base + (1 << 20)), ~0u);
	/* 64 MiB, elsewhere; on top of RAM it does not answer; a reserved length */
	config(0, 0x60, 0xc4000005, 4);
	cr_assert_eq(rd32(&t.b, base), ~0u);
	cr_assert_eq(rd32(&t.b, 0xc4000000), 0x29c08086);
	cr_assert_eq(rd32(&t.b, 0xc8000000), ~0u);
	config(0, 0x60, 0x00000001, 4);
	cr_assert_eq(rd32(&t.b, 0), 0);
	config(0, 0x60, 0xc4000007, 4);
	cr_assert_eq(rd32(&t.b, 0xc4000000), ~0u);
	/* above 4 GiB */
	config(0, 0x64, 0xf, 4);
	config(0, 0x60, 0x10000001, 4);
	cr_assert_eq(rd32(&t.b, 0xf10000000), 0x29c08086);
	device_reset(&t.q35.host.dev);
	cr_assert_eq(rd32(&t.b, 0xf10000000), ~0u);
}

Test(q35, bars_give_way)
{
	static const struct mmio_ops ops = {NULL, NULL, 1, 4};
	struct range r;

	pci_func_bar(&t.f[0], 0, PCI_BAR_MEM32, 0x1000, &ops, NULL, "bar");
	config(t.f[0].devfn, PCI_BAR0, 0xe0001000, 4);
	config(t.f[0].devfn, PCI_COMMAND, PCI_CMD_MEM, 2);
	cr_assert(aspace_find(&t.b.mem, 0xe0001000, &r));
	config(0, 0x60, 0xe0000001, 4);
	cr_assert_eq(rd32(&t.b, 0xe0000000), 0x29c08086);
	config(0, 0x60, 0xd0000001, 4);
	cr_assert(aspace_find(&t.b.mem, 0xe0001000, &r));
	cr_assert_str_eq(r.name, "bar");
}

Test(q35, interrupt_routing)
{
	/* slot 3, INTB#: PIRQE-H by slot and pin; slot 27: PIRQB by its register */
	pci_set_intx(&t.f[0], 1);
	cr_assert_eq(t.b.wire[16 + 4].level, 1);
	pci_set_intx(&t.f[1], 1);
	cr_assert_eq(t.b.wire[16 + 1].level, 1);
	config(PCI_DEVFN(31, 0), 0xf0, 0xfed1c001, 4);
	cr_assert_eq(aspace_read(&t.b.mem, 0xfed1c000 + 0x3148, 2), 0x3210);
	aspace_write(&t.b.mem, 0xfed1c000 + 0x3148, 0x3270, 2);
	cr_assert_eq(t.b.wire[16 + 1].level, 0);
	cr_assert_eq(t.b.wire[16 + 7].level, 1);
	/* ISA interrupts where the router says so */
	cr_assert_eq(t.b.wire[11].level, 0);
	config(PCI_DEVFN(31, 0), 0x6b, 11, 1);
	cr_assert_eq(t.b.wire[11].level, 1);
	config(PCI_DEVFN(31, 0), 0x68, 11, 1);
	pci_set_intx(&t.f[1], 0);
	cr_assert_eq(t.b.wire[11].level, 1);
	pci_set_intx(&t.f[0], 0);
	cr_assert_eq(t.b.wire[11].level, 0);
	cr_assert_eq(t.b.wire[16 + 4].level, 0);
}

Test(q35, power_management_ports)
{
	cr_assert_eq(inl(&t.b, 0x608), ~0u);
	ich9_start(&t.ich9, irq);
	cr_assert_neq(inl(&t.b, 0x608), ~0u);
	cr_assert_eq(inl(&t.b, 0x630) & 0x20, 0x20);
	outl(0x630, 0);
	cr_assert_eq(inl(&t.b, 0x630) & 0x20, 0x20);
	acpi_pm_gpe(&t.pm, 3);
	cr_assert_eq(inl(&t.b, 0x620), 8);
	outl(0x628, 0xffff);
	cr_assert_eq(inl(&t.b, 0x628), 0xffff);
	outl(0x620, 8);
	cr_assert_eq(inl(&t.b, 0x620), 0);
	config(PCI_DEVFN(31, 0), 0x40, 0xb001, 4);
	cr_assert_eq(inl(&t.b, 0x628), ~0u);
	cr_assert_eq(inl(&t.b, 0xb028), 0xffff);
	/* on top of others' ports it does not answer */
	config(PCI_DEVFN(31, 0), 0x40, 0xc80, 4);
	cr_assert_eq(inl(&t.b, 0xcf8) & 0x80000000u, 0x80000000u);
	config(PCI_DEVFN(31, 0), 0x40, 0x600, 4);
	cr_assert_neq(inl(&t.b, 0x608), ~0u);
}

Test(q35, random_writes)
{
	static const uint8_t devfn[] = {0, 3 << 3, 27 << 3, 31 << 3};

	srand(1);
	for (int i = 0; i < 20000; i++) {
		unsigned size = 1u << rand() % 3, reg = (unsigned)rand() & 0xff & ~(size - 1);
		uint32_t v = (uint32_t)rand() << 1 ^ (uint32_t)rand();

		config(devfn[rand() % 4], reg, v, size);
		if (t.q35.ecam_size)
			wr32(&t.b, t.q35.ecam_base + ((unsigned)rand() & 0xffffc), v);
		if (t.ich9.rcba)
			aspace_write(&t.b.mem, t.ich9.rcba + 0x3140 + ((unsigned)rand() & 0x1e), v,
				     2);
		pci_set_intx(&t.f[rand() % 2], rand() % 2);
	}
	pci_set_intx(&t.f[0], 0);
	pci_set_intx(&t.f[1], 0);
	for (int n = 0; n < 24; n++)
		cr_assert_eq(t.b.wire[n].level, 0);
	device_reset(&t.ich9.dev);
	device_reset(&t.q35.host.dev);
	device_reset(&t.ich9.lpc.dev);
	ich9_start(&t.ich9, irq);
	q35_start(&t.q35);
	cr_assert_eq(rd32(&t.b, Q35_ECAM_BASE), 0x29c08086);
	cr_assert_neq(inl(&t.b, ICH9_PM_BASE + 8), ~0u);
}

/* ---- root ports ---- */

static uint64_t which(void *dev, uint64_t off, unsigned size)
{
	(void)dev;
	(void)off;
	(void)size;
	return 0x77;
}

static const struct mmio_ops which_ops = {which, NULL, 1, 4};

static struct pcie_port port;
static struct pci_func end;

static void plug_port(void)
{
	cr_assert_eq(pcie_port_init(&port), 0);
	cr_assert_eq(pci_bus_add(&t.pci, &port.func, PCI_DEVFN(5, 0)), 0);
	pci_func_init(&end, "end", 0x1234, 0x9abc, 0xff00, 1);
	pci_func_bar(&end, 0, PCI_BAR_MEM32, 0x1000, &which_ops, NULL, "mem");
	pci_func_bar(&end, 1, PCI_BAR_IO, 0x20, &which_ops, NULL, "io");
	pci_func_bar(&end, 2, PCI_BAR_MEM64, 0x1000, &which_ops, NULL, "high");
	cr_assert_eq(msi_init(&end, 1), 0);
	cr_assert_eq(pci_port_add(&port.func, &end, PCI_DEVFN(1, 0)), -EINVAL);
	cr_assert_eq(pci_port_add(&port.func, &end, 0), 0);
	cr_assert_eq(pci_port_add(&port.func, &end, 0), -EEXIST);
	device_reset(&port.func.dev);
	device_reset(&end.dev);
}

/* What is behind a port answers on the bus that the port's header names, as a function of PCI Express. */
Test(q35, port_configuration)
{
	const uint64_t base = 0xe0000000;

	plug_port();
	config(0, 0x60, (uint32_t)base | 1, 4);
	for (unsigned bus = 1; bus < 256; bus += 127)
		cr_assert_eq(rd32(&t.b, base + ((uint64_t)bus << 20)), ~0u);
	config(PCI_DEVFN(5, 0), BRIDGE_SECONDARY, 0x8080, 2);
	cr_assert_eq(rd32(&t.b, base + (128ull << 20)), 0x9abc1234);
	cr_assert_eq(rd32(&t.b, base + (128ull << 20) + (1 << 15)), ~0u, "slot 1");
	outl(0xcf8, 0x80800000);
	cr_assert_eq(aspace_read(&t.b.io, 0xcfc, 4), 0x9abc1234);
	cr_assert_eq(rd32(&t.b, base + (128ull << 20) + end.express + 2) >> 4 & 15, PCIE_ENDPOINT);
	cr_assert_eq(end.config_size, PCI_CONFIG_SIZE);
}

/* BARs answer inside the port's windows only, and only while it forwards. */
Test(q35, port_windows)
{
	const uint32_t mem = 0xd0000000;
	const uint64_t high = 0x900000000;

	plug_port();
	pci_config_write(&end, PCI_BAR0, mem, 4);
	pci_config_write(&end, PCI_BAR0 + 4, 0xd000, 4);
	pci_config_write(&end, PCI_BAR0 + 8, (uint32_t)high, 4);
	pci_config_write(&end, PCI_BAR0 + 12, high >> 32, 4);
	pci_config_write(&end, PCI_COMMAND, PCI_CMD_IO | PCI_CMD_MEM | PCI_CMD_MASTER, 2);
	cr_assert_not(end.bar[0].mapped || end.bar[1].mapped || end.bar[2].mapped);
	cr_assert(pci_is_master(&end), "the port's own bit is not asked");
	pci_config_write(&port.func, PCI_COMMAND, PCI_CMD_IO | PCI_CMD_MEM, 2);
	/* Windows that start at 0 and end in their first unit are no hole. */
	cr_assert_not(end.bar[0].mapped || end.bar[1].mapped || end.bar[2].mapped);
	pci_config_write(&port.func, BRIDGE_MEM_BASE, mem >> 16, 2);
	cr_assert_not(end.bar[0].mapped, "the limit is below the base");
	pci_config_write(&port.func, BRIDGE_MEM_LIMIT, mem >> 16, 2);
	cr_assert_eq(rd32(&t.b, mem), 0x77);
	pci_config_write(&port.func, BRIDGE_IO_BASE, 0xd0d0, 2);
	cr_assert_eq(aspace_read(&t.b.io, 0xd000, 4), 0x77);
	pci_config_write(&port.func, BRIDGE_PREF_BASE, 0, 4);
	pci_config_write(&port.func, BRIDGE_PREF_BASE_HIGH, high >> 32, 4);
	pci_config_write(&port.func, BRIDGE_PREF_LIMIT_HIGH, high >> 32, 4);
	cr_assert_eq(rd32(&t.b, high), 0x77);
	/* the last page of a window, and the first one behind it */
	pci_config_write(&end, PCI_BAR0, mem + 0xff000, 4);
	cr_assert(end.bar[0].mapped);
	pci_config_write(&end, PCI_BAR0, mem + 0x100000, 4);
	cr_assert_not(end.bar[0].mapped);
	pci_config_write(&port.func, PCI_COMMAND, 0, 2);
	cr_assert_not(end.bar[1].mapped || end.bar[2].mapped);
	/* the widest windows there are do not wrap around */
	pci_config_write(&port.func, PCI_COMMAND, PCI_CMD_IO | PCI_CMD_MEM, 2);
	for (unsigned i = 0; i < 8; i += 4)
		pci_config_write(&port.func, BRIDGE_PREF_BASE_HIGH + i, i ? ~0u : 0, 4);
	pci_config_write(&port.func, BRIDGE_PREF_BASE, 0xfff00000, 4);
	cr_assert(end.bar[0].mapped && end.bar[2].mapped);
}

static unsigned slot(unsigned reg)
{
	return pci_config_read(&port.func, port.func.express + reg, 2);
}

static struct loop *loop;
static unsigned ejections;

static void ejected(void *opaque, struct pci_func *f)
{
	(void)opaque;
	cr_assert_eq(f, &port.func);
	ejections++;
	pci_port_remove(&end);
	pcie_port_changed(f);
	loop_quit(loop);
}

/* A device leaves its slot when the guest, asked by the button, has taken the power off; and comes back. */
Test(q35, port_slot)
{
	enum { LINK = 0x12, CTL = 0x18, STATUS = 0x1a };
	enum { BUTTON = 1, CHANGED = 8, PRESENT = 0x40, LINK_CHANGED = 0x100 };
	unsigned ctl;
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct clock clk;

	clock_init(&clk, true);
	loop = loop_new(&clk, &lock);
	plug_port();
	pcie_port_populate(&port.func);
	device_reset(&port.func.dev);
	ctl = port.func.express + CTL;
	cr_assert_eq(slot(CTL), 0x1c0, "power, and its light");
	cr_assert_eq(slot(STATUS), PRESENT);
	cr_assert_eq(slot(LINK) & 0x2000, 0x2000);
	pci_config_write(&port.func, ctl, 0x1c0 | 0x1029, 2);
	cr_assert_eq(port.func.intx, 0);
	cr_assert_eq(pcie_port_ask(&port.func, loop, ejected, NULL), 0);
	cr_assert_eq(pcie_port_ask(&port.func, loop, ejected, NULL), -EBUSY);
	cr_assert_eq(slot(STATUS), PRESENT | BUTTON);
	cr_assert_eq(port.func.intx, 1);
	pci_config_write(&port.func, port.func.express + STATUS, BUTTON, 2);
	cr_assert_eq(port.func.intx, 0);
	pci_config_write(&port.func, ctl, 0x1029 | 0x400 | 0x2c0, 2);
	cr_assert_eq(slot(STATUS), PRESENT | LINK_CHANGED, "no power; the light blinks");
	pci_config_write(&port.func, ctl, 0x1029 | 0x400 | 0x3c0, 2);
	cr_assert_eq(ejections, 0, "not within the guest's access");
	loop_run(loop);
	cr_assert_eq(ejections, 1);
	cr_assert_null(port.behind[0]);
	cr_assert_eq(slot(STATUS), CHANGED | LINK_CHANGED);

	pci_config_write(&port.func, port.func.express + STATUS, 0x1ff, 2);
	pci_func_init(&end, "end", 0x1234, 0x9abc, 0xff00, 1);
	cr_assert_eq(pci_port_add(&port.func, &end, 0), 0);
	pcie_port_changed(&port.func);
	cr_assert_eq(slot(STATUS), PRESENT | CHANGED | BUTTON);
	cr_assert_eq(port.func.intx, 1);
	pci_config_write(&port.func, ctl, 0x1c0 | 0x1029, 2);
	cr_assert_eq(slot(LINK) & 0x2000, 0x2000);
	/* with nobody there to take the power off nothing goes */
	cr_assert_eq(pcie_port_ask(&port.func, loop, ejected, NULL), 0);
	device_reset(&port.func.dev);
	cr_assert_eq(slot(STATUS), PRESENT);
	cr_assert_eq(pcie_port_ask(&port.func, loop, ejected, NULL), 0, "a reset ends the wait");
	loop_free(loop);
}

/* Set up for a boot without firmware: windows around what there is, closed where there is no room. */
Test(q35, port_assigned)
{
	plug_port();
	pci_bus_assign(&t.pci, 0xc0000000, 0xfec00000, 0xc020, 0x10000, irq);
	cr_assert(end.bar[0].mapped && end.bar[1].mapped && end.bar[2].mapped);
	cr_assert_eq(end.bar[1].at, 0xd000);
	cr_assert_eq(port.func.config[BRIDGE_SECONDARY], 1);
	cr_assert_eq(pci_get16(port.func.config + BRIDGE_IO_BASE), 0xd0d0);
	cr_assert_eq(pci_get16(port.func.config + BRIDGE_MEM_BASE),
		     pci_get16(port.func.config + BRIDGE_MEM_LIMIT));
	device_reset(&port.func.dev);
	device_reset(&end.dev);
	pci_bus_assign(&t.pci, 0xc0000000, 0xc0000800, 0xf020, 0x10000, irq);
	cr_assert_not(end.bar[0].mapped || end.bar[1].mapped || end.bar[2].mapped);
	cr_assert_gt(port.func.config[BRIDGE_IO_BASE], port.func.config[BRIDGE_IO_LIMIT]);
	cr_assert_gt(pci_get16(port.func.config + BRIDGE_MEM_BASE),
		     pci_get16(port.func.config + BRIDGE_MEM_LIMIT));
}

Test(q35, port_random_writes)
{
	plug_port();
	srand(2);
	for (int i = 0; i < 20000; i++) {
		struct pci_func *f = rand() % 2 ? &end : &port.func;
		unsigned size = 1u << rand() % 3, reg = (unsigned)rand() & 0x3f & ~(size - 1);
		uint64_t at;

		pci_config_write(f, reg, (uint32_t)rand() << 1 ^ (uint32_t)rand(), size);
		pci_set_intx(&end, rand() % 2);
		for (unsigned n = 0; n < 3; n++) {
			at = end.bar[n].at;
			if (end.bar[n].mapped)
				cr_assert_eq(aspace_read(n == 1 ? &t.b.io : &t.b.mem, at, 4), 0x77);
		}
	}
	pci_set_intx(&end, 0);
	for (int n = 0; n < PCI_LINES; n++)
		cr_assert_eq(t.pci.level[n], 0);
	device_reset(&port.func.dev);
	device_reset(&end.dev);
	cr_assert_not(end.bar[0].mapped || end.bar[1].mapped || end.bar[2].mapped);
}

/* The pin of what is behind a port is the port's. */
Test(q35, port_interrupt)
{
	plug_port();
	pci_set_intx(&end, 1);
	cr_assert_eq(pci_func_line(&end), pci_func_line(&port.func));
	cr_assert_eq(t.pci.level[pci_func_line(&port.func)], 1);
	pci_bus_rewire(&t.pci);
	cr_assert_eq(t.pci.level[pci_func_line(&port.func)], 1);
	pci_set_intx(&end, 0);
	cr_assert_eq(t.pci.level[pci_func_line(&port.func)], 0);
}
