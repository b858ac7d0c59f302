/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * PCI configuration, BARs and interrupt routing; the test devices; fw_cfg.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "hw/acpi_pm.h"
#include "hw/debug_exit.h"
#include "hw/fw_cfg.h"
#include "hw/i440fx.h"
#include "hw/loader.h"
#include "hw/pc_testdev.h"
#include "hw/pci_testdev.h"
#include "hw/reset_port.h"

struct board {
	struct aspace mem, io;
	struct ram ram;
	struct reset_port reset;
	struct pci_bus pci;
	struct i440fx chipset;
	struct pam pam;
	struct acpi_pm pm;
	struct clock clock;
	struct pci_testdev test;
	int irq[32], resets;
};

static struct board b;

static void on_irq(void *opaque, int n, int level)
{
	(void)opaque;
	b.irq[n] = level;
}

static void on_reset(void *opaque, int n, int level)
{
	(void)opaque;
	(void)n;
	b.resets += level;
}

static void setup(void)
{
	struct irq_pin isa = {on_irq, NULL, 0}, reset = {on_reset, NULL, 0};

	memset(&b, 0, sizeof(b));
	aspace_init(&b.mem, "memory", 52, NULL);
	aspace_init(&b.io, "io", 16, NULL);
	cr_assert_eq(ram_init(&b.ram, "ram", 1 << 20), 0);
	cr_assert_eq(aspace_map_ram(&b.mem, "ram", 0, 0xa0000, &b.ram, 0), 0);
	clock_init(&b.clock, true);
	pam_init(&b.pam, &b.mem, &b.ram);
	cr_assert_eq(acpi_pm_init(&b.pm, &b.io, 0, PIIX_GPE_BASE, &b.clock, NULL, NULL, NULL), 0);
	cr_assert_eq(reset_port_init(&b.reset, NULL, &reset), 0);
	cr_assert_eq(pci_bus_init(&b.pci, &b.mem, &b.io, &b.reset), 0);
	cr_assert_eq(i440fx_init(&b.chipset, &b.pci, &b.pam, &b.pm, &isa), 0);
	pci_testdev_init(&b.test);
	cr_assert_eq(pci_bus_add(&b.pci, &b.test.func, PCI_DEVFN(2, 0)), 0);
	device_reset(&b.chipset.host.dev);
	device_reset(&b.chipset.isa.dev);
	device_reset(&b.chipset.pm.dev);
	device_reset(&b.test.func.dev);
	device_reset(&b.test.state);
}

static void address(unsigned devfn, unsigned reg)
{
	aspace_write(&b.io, 0xcf8, 0x80000000u | devfn << 8 | (reg & 0xfc), 4);
}

static uint32_t config(unsigned devfn, unsigned reg, unsigned size)
{
	address(devfn, reg);
	return (uint32_t)aspace_read(&b.io, 0xcfc + (reg & 3), size);
}

static void set_config(unsigned devfn, unsigned reg, uint32_t val, unsigned size)
{
	address(devfn, reg);
	aspace_write(&b.io, 0xcfc + (reg & 3), val, size);
}

TestSuite(pci, .init = setup);

Test(pci, identification)
{
	cr_assert_eq(config(0x00, 0, 4), 0x12378086);
	cr_assert_eq(config(0x08, 0, 4), 0x70008086);
	cr_assert_eq(config(0x0b, 0, 4), 0x71138086);
	cr_assert_eq(config(0x08, 0x0e, 1), 0x80);
	cr_assert_eq(config(0x18, 0, 4), 0xffffffff);
	cr_assert_eq(config(0x10, 2, 2), 0x0005);
	/* the enable bit, other buses */
	aspace_write(&b.io, 0xcf8, 0, 4);
	cr_assert_eq(aspace_read(&b.io, 0xcfc, 4), 0xffffffff);
	aspace_write(&b.io, 0xcf8, 0x80010000, 4);
	cr_assert_eq(aspace_read(&b.io, 0xcfc, 4), 0xffffffff);
	/* identification is read-only */
	set_config(0x00, 0, 0, 4);
	cr_assert_eq(config(0x00, 0, 4), 0x12378086);
}

Test(pci, bar_sizing_and_mapping)
{
	struct range r;

	set_config(0x10, 0x10, 0xffffffff, 4);
	cr_assert_eq(config(0x10, 0x10, 4), 0xfffff000);
	set_config(0x10, 0x14, 0xffffffff, 4);
	cr_assert_eq(config(0x10, 0x14, 4), 0xffffff01);
	set_config(0x10, 0x10, 0xe0000000, 4);
	set_config(0x10, 0x14, 0xc000, 4);
	cr_assert_not(aspace_find(&b.mem, 0xe0000000, &r));
	set_config(0x10, 4, PCI_CMD_IO | PCI_CMD_MEM, 2);
	cr_assert(aspace_find(&b.mem, 0xe0000fff, &r));
	cr_assert(aspace_find(&b.io, 0xc000, &r));
	set_config(0x10, 0x10, 0xe1000000, 4);
	cr_assert_not(aspace_find(&b.mem, 0xe0000000, &r));
	cr_assert(aspace_find(&b.mem, 0xe1000000, &r));
	/* on top of RAM it does not answer; sizing while enabled maps nothing */
	set_config(0x10, 0x10, 0x1000, 4);
	cr_assert(aspace_find(&b.mem, 0x1000, &r) && r.kind == RANGE_RAM);
	set_config(0x10, 0x10, 0xffffffff, 4);
	cr_assert_not(aspace_find(&b.mem, 0xfffff000, &r));
	set_config(0x10, 0x10, 0xe1000000, 4);
	cr_assert(aspace_find(&b.mem, 0xe1000000, &r));
	device_reset(&b.test.func.dev);
	cr_assert_not(aspace_find(&b.mem, 0xe1000000, &r));
	cr_assert_not(aspace_find(&b.io, 0xc000, &r));
}

Test(pci, intx_routing)
{
	struct pci_func f;

	pci_func_init(&f, "f", 0x1234, 0x5678, 0xff00, 1);
	cr_assert_eq(pci_bus_add(&b.pci, &f, PCI_DEVFN(3, 0)), 0);
	cr_assert_eq(pci_bus_add(&b.pci, &f, PCI_DEVFN(2, 0)), -EEXIST);
	device_reset(&f.dev);
	pci_set_intx(&f, 1); /* slot 3, INTA: line 2; its router is off */
	cr_assert_eq(b.irq[11], 0);
	set_config(0x08, 0x62, 11, 1);
	cr_assert_eq(b.irq[11], 1);
	cr_assert_eq(config(0x18, 6, 2) & PCI_STATUS_INTX, PCI_STATUS_INTX);
	set_config(0x18, 4, PCI_CMD_INTX_OFF, 2);
	cr_assert_eq(b.irq[11], 0);
	set_config(0x18, 4, 0, 2);
	cr_assert_eq(b.irq[11], 1);
	set_config(0x08, 0x62, 10, 1);
	cr_assert_eq(b.irq[11], 0);
	cr_assert_eq(b.irq[10], 1);
	device_reset(&f.dev);
	cr_assert_eq(b.irq[10], 0);
}

/* As from a file that somebody has made up. */
Test(pci, loaded_configuration_is_tamed)
{
	struct pci_func *f = &b.test.func;

	memset(f->config, 0xff, sizeof(f->config));
	f->intx = 0xff;
	f->dev.tame(f);
	f->dev.loaded(f);
	cr_assert_eq(config(0x10, 0, 4), 0x00051b36);
	cr_assert_eq(config(0x10, 0x3d, 1), 0);
	cr_assert_eq(config(0x10, 0x10, 4), 0xfffff000);
	device_reset(&f->dev);
	cr_assert_eq(config(0x10, 4, 2), 0);
}

Test(pci, assignment)
{
	static const uint8_t irq[4] = {10, 10, 11, 11};

	pci_bus_assign(&b.pci, 0xc0000000, 0xfec00000, 0xc000, 0x10000, irq);
	cr_assert_eq(config(0x10, 0x10, 4), 0xc0000000);
	cr_assert_eq(config(0x10, 0x14, 4), 0xc001);
	cr_assert_eq(config(0x10, 4, 2) & 3, 3);
	cr_assert_eq(config(0x0b, 0x3c, 1), 9);
}

Test(pci, reset_register)
{
	aspace_write(&b.io, 0xcf9, 0x02, 1);
	aspace_write(&b.io, 0xcf9, 0x06, 1);
	cr_assert_eq(b.resets, 1);
}

Test(pci, testdev)
{
	static const uint8_t irq[4] = {10, 10, 11, 11};
	const uint64_t m = 0xc0000000;

	pci_bus_assign(&b.pci, m, 0xfec00000, 0xc000, 0x10000, irq);
	cr_assert_eq(aspace_read(&b.mem, m + 1, 1), 0);
	for (unsigned t = 0; t < 3; t++) {
		uint64_t off, data;

		aspace_write(&b.mem, m, t, 1);
		cr_assert_eq(aspace_read(&b.mem, m + 1, 1), 1);
		off = aspace_read(&b.mem, m + 4, 4);
		data = aspace_read(&b.mem, m + 8, 4);
		aspace_write(&b.mem, m + off, data, 1);
		aspace_write(&b.mem, m + off, data, 1);
		cr_assert_eq(aspace_read(&b.mem, m + 12, 4), 2);
		aspace_write(&b.mem, m + off, data + 1, 1);
		cr_assert_eq(aspace_read(&b.mem, m + 12, 4), t == 1 ? 3 : 2);
		cr_assert_eq(aspace_read(&b.mem, m + 16, 1), 'm');
	}
	aspace_write(&b.mem, m, 3, 1);
	cr_assert_eq(aspace_read(&b.mem, m + 1, 1), 0);
	aspace_write(&b.io, 0xc000, 0, 1);
	cr_assert_eq(aspace_read(&b.io, 0xc010, 1), 'p');
}

/* A number of a test that no guest can choose. */
Test(pci, loaded_testdev_is_tamed)
{
	b.test.current = 17 * 3;
	b.test.state.tame(&b.test);
	set_config(0x10, PCI_BAR0, 0xe0000000, 4);
	set_config(0x10, PCI_COMMAND, PCI_CMD_MEM, 2);
	aspace_write(&b.mem, 0xe0000800, 0xce, 1);
	cr_assert_eq(aspace_read(&b.mem, 0xe0000000, 4), 0);
}

Test(pci, pc_testdev)
{
	static struct pc_testdev t;
	struct irq_pin line = {on_irq, NULL, 0};

	cr_assert_eq(pc_testdev_init(&t, &b.io, &b.mem, &line, NULL, NULL), 0);
	aspace_write(&b.io, 0xe0, 0x12345678, 4);
	cr_assert_eq(aspace_read(&b.io, 0xe0, 4), 0x12345678);
	aspace_write(&b.io, 0xe1, 0xff, 1);
	cr_assert_eq(aspace_read(&b.io, 0xe8, 4), 0x1234ff78);
	aspace_write(&b.io, 0x200e, 1, 1);
	cr_assert_eq(b.irq[14], 1);
	aspace_write(&b.io, 0x200e, 0, 1);
	cr_assert_eq(b.irq[14], 0);
	aspace_write(&b.mem, 0xff000010, 0x1122334455667788, 8);
	cr_assert_eq(aspace_read(&b.mem, 0xff000014, 4), 0x11223344);
}

static int exit_status;

static void on_exit_port(void *opaque, int status)
{
	(void)opaque;
	exit_status = status;
}

Test(pci, debug_exit)
{
	struct debug_exit d;

	cr_assert_eq(debug_exit_init(&d, &b.io, 0xf4, 4, on_exit_port, NULL), 0);
	cr_assert_eq(debug_exit_init(&d, &b.io, 0x501, 5, on_exit_port, NULL), -EINVAL);
	aspace_write(&b.io, 0xf4, 0x10, 4);
	cr_assert_eq(exit_status, 0x21);
}

Test(pci, fw_cfg)
{
	static struct fw_cfg f;
	uint8_t d[16] = {0}, buf[8];
	char sig[5] = "";
	uint32_t n;

	cr_assert_eq(fw_cfg_init(&f, &b.io, &b.mem), 0);
	cr_assert_eq(fw_cfg_add_int(&f, FW_CFG_NB_CPUS, 3, 2), 0);
	cr_assert_eq(fw_cfg_add_int(&f, FW_CFG_NB_CPUS, 3, 2), -EEXIST);
	cr_assert_eq(fw_cfg_add_file(&f, "etc/a", "hello", 5), 0);
	cr_assert_eq(fw_cfg_add_file(&f, "etc/a", "hello", 5), -EEXIST);
	aspace_write(&b.io, 0x510, 0, 2);
	for (int i = 0; i < 4; i++)
		sig[i] = (char)aspace_read(&b.io, 0x511, 1);
	cr_assert_str_eq(sig, "QEMU");
	cr_assert_eq(aspace_read(&b.io, 0x511, 1), 0);
	aspace_write(&b.io, 0x510, FW_CFG_NB_CPUS, 2);
	cr_assert_eq(aspace_read(&b.io, 0x511, 1), 3);
	aspace_write(&b.io, 0x510, FW_CFG_FILE_DIR, 2);
	n = 0;
	for (int i = 0; i < 4; i++)
		n = n << 8 | (uint32_t)aspace_read(&b.io, 0x511, 1);
	cr_assert_eq(n, 1);
	/* DMA: select the file and read it to 0x2000 */
	d[1] = 0x20;
	d[3] = 8 | 2;
	d[7] = 8;
	d[14] = 0x20;
	aspace_dma_write(&b.mem, 0x1000, d, 16);
	aspace_write(&b.io, 0x514, 0, 4);
	aspace_write(&b.io, 0x518, __builtin_bswap32(0x1000), 4);
	aspace_dma_read(&b.mem, 0x2000, buf, 8);
	cr_assert_arr_eq(buf, "hello\0\0\0", 8);
	aspace_dma_read(&b.mem, 0x1000, d, 4);
	cr_assert_eq(get_le32(d), 0);
	/* a destination outside RAM is an error, and nothing else happens */
	d[1] = 0x20;
	d[3] = 8 | 2;
	memset(d + 4, 0xff, 12);
	aspace_dma_write(&b.mem, 0x1000, d, 16);
	aspace_write(&b.io, 0x518, __builtin_bswap32(0x1000), 4);
	aspace_dma_read(&b.mem, 0x1000, d, 4);
	cr_assert_eq(d[3], 1);
	fw_cfg_fini(&f);
}
