/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Where BARs answer when a guest moves them anywhere: the rule of hw/pci.h, on cases chosen and drawn.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chips.h"
#include "hw/msi.h"

#define FUNCS 4
#define BASE  0xe0000000u

static struct board b;
static struct pci_bus bus;
static struct pci_func f[FUNCS];
static struct ram ram, vram;

static uint64_t which(void *dev, uint64_t off, unsigned size)
{
	(void)off;
	(void)size;
	return (uintptr_t)dev;
}

static const struct mmio_ops ops = {which, NULL, 1, 4};

static void *tag(unsigned n)
{
	return (void *)(uintptr_t)n;
}

static void setup(void)
{
	board_init(&b);
	cr_assert_eq(ram_init(&ram, "ram", 2 << 20), 0);
	cr_assert_eq(ram_init(&vram, "vram", 0x10000), 0);
	cr_assert_eq(aspace_map_ram(&b.mem, "ram", 0, 2 << 20, &ram, 0), 0);
	cr_assert_eq(aspace_map_dev(&b.mem, "fixed", BASE + 0x8000, 0x1000, &ops, tag(99)), 0);
	cr_assert_eq(pci_bus_init(&bus, &b.mem, &b.io, NULL), 0);
	for (unsigned i = 0; i < FUNCS; i++) {
		pci_func_init(&f[i], "f", 0x1234, 0x5678, 0xff00, 0);
		pci_func_bar(&f[i], 0, PCI_BAR_MEM32, 0x1000u << i, &ops, tag(i + 1), "a");
		pci_func_bar(&f[i], 1, PCI_BAR_IO, 0x20, &ops, tag(i + 1), "io");
		pci_func_bar(&f[i], 2, PCI_BAR_MEM64, 0x4000, &ops, tag(i + 11), "b");
		cr_assert_eq(pci_func_rom(&f[i], "\x55\xaa", 2), 0);
		cr_assert_eq(pci_bus_add(&bus, &f[i], PCI_DEVFN(2 + i, 0)), 0);
		device_reset(&f[i].dev);
		pci_config_write(&f[i], PCI_COMMAND, PCI_CMD_MEM | PCI_CMD_IO, 2);
	}
}

static void bar0(unsigned i, uint32_t at)
{
	pci_config_write(&f[i], PCI_BAR0, at, 4);
}

TestSuite(pci_bars, .init = setup);

Test(pci_bars, lower_function_wins_whatever_came_first)
{
	bar0(2, BASE);
	cr_assert_eq(rd32(&b, BASE), 3);
	bar0(0, BASE + 0x1000); /* inside that one */
	cr_assert_eq(rd32(&b, BASE + 0x1000), 1);
	cr_assert_eq(rd32(&b, BASE), ~0u);
	bar0(1, BASE); /* overlaps both; wins over the later, loses to the earlier */
	cr_assert_eq(rd32(&b, BASE), ~0u);
	bar0(0, 0);
	cr_assert_eq(rd32(&b, BASE), 2);
	bar0(1, 0);
	cr_assert_eq(rd32(&b, BASE), 3);
}

Test(pci_bars, the_board_wins_and_a_loser_takes_nothing)
{
	bar0(3, BASE + 0x8000);
	cr_assert_eq(rd32(&b, BASE + 0x8000), 99);
	cr_assert_eq(rd32(&b, BASE + 0x9000), ~0u);
	bar0(3, 0x100000);
	cr_assert_eq(rd32(&b, 0x100000), 0);
	bar0(3, 0xa0000);
	for (unsigned a = 0; a < 0x100000; a += 0x1000)
		cr_assert_eq(rd32(&b, a), 0);
	/* one that the board keeps from answering does not keep out others */
	bar0(3, BASE + 0x8000);
	pci_config_write(&f[3], PCI_BAR0 + 8, BASE + 0xc000, 4);
	cr_assert_eq(rd32(&b, BASE + 0xc000), 14);
}

Test(pci_bars, the_board_takes_what_it_wants)
{
	bar0(3, BASE);
	cr_assert_eq(rd32(&b, BASE + 0x4000), 4);
	pci_bus_yield(&bus, BASE + 0x4000, 0x1000);
	cr_assert_eq(aspace_map_dev(&b.mem, "new", BASE + 0x4000, 0x1000, &ops, tag(50)), 0);
	pci_bus_remap(&bus);
	cr_assert_eq(rd32(&b, BASE + 0x4000), 50);
	cr_assert_eq(rd32(&b, BASE), ~0u);
	cr_assert_eq(aspace_unmap(&b.mem, BASE + 0x4000), 0);
	pci_bus_remap(&bus);
	cr_assert_eq(rd32(&b, BASE + 0x4000), 4);
}

Test(pci_bars, expansion_rom)
{
	cr_assert_eq(pci_config_read(&f[0], PCI_ROM, 4), 0);
	pci_config_write(&f[0], PCI_ROM, 0xffffffff, 4);
	cr_assert_eq(pci_config_read(&f[0], PCI_ROM, 4), 0xfffff001);
	pci_config_write(&f[0], PCI_ROM, BASE, 4);
	cr_assert_eq(rd32(&b, BASE), ~0u);
	pci_config_write(&f[0], PCI_ROM, BASE | 1, 4);
	cr_assert_eq(rd32(&b, BASE), 0xaa55);
	wr32(&b, BASE, 0);
	cr_assert_eq(rd32(&b, BASE), 0xaa55);
	bar0(1, BASE); /* a later function's BAR loses to it */
	cr_assert_eq(rd32(&b, BASE), 0xaa55);
	bar0(0, BASE); /* its own comes first */
	cr_assert_eq(rd32(&b, BASE), 1);
	cr_assert_eq(pci_func_rom(&f[1], "", 0), -22);
}

Test(pci_bars, memory_bar)
{
	struct pci_func v;
	struct range r;

	pci_func_init(&v, "v", 0x1234, 0x1111, 0x0300, 0);
	pci_func_bar_ram(&v, 0, PCI_BAR_MEM32, &vram, "vram");
	cr_assert_eq(pci_bus_add(&bus, &v, PCI_DEVFN(1, 0)), 0);
	device_reset(&v.dev);
	pci_config_write(&v, PCI_COMMAND, PCI_CMD_MEM, 2);
	pci_config_write(&v, PCI_BAR0, 0xfd000000, 4);
	cr_assert_eq(pci_config_read(&v, PCI_BAR0, 4), 0xfd000000);
	wr32(&b, 0xfd00fffc, 0x12345678);
	cr_assert_eq(rd32(&b, 0xfd00fffc), 0x12345678);
	cr_assert(aspace_find(&b.mem, 0xfd000000, &r) && r.kind == RANGE_RAM);
}

Test(pci_bars, above_four_gigabytes)
{
	uint64_t base, end;

	pci_bus_high_window(&bus, &base, &end);
	cr_assert_eq(base, end);
	pci_config_write(&f[0], PCI_BAR0 + 8, 0x8000, 4);
	pci_config_write(&f[0], PCI_BAR0 + 12, 0x12, 4);
	cr_assert_eq(rd32(&b, 0x1200008000), 11);
	pci_bus_high_window(&bus, &base, &end);
	cr_assert_eq(base, 0x1200000000);
	cr_assert_eq(end, 0x1240000000);
	pci_config_write(&f[0], PCI_BAR0 + 12, 0xffffffff, 4);
	cr_assert_eq(rd32(&b, 0x1200008000), ~0u);
	cr_assert_eq(pci_config_read(&f[0], PCI_BAR0 + 12, 4), 0xffffffff);
}

/* Random writes to all registers, on few addresses so that much overlaps: what is mapped at the
 * end is what the registers alone would give: switching all off and on in another order changes nothing. */
Test(pci_bars, state_follows_from_the_registers)
{
	static const uint8_t reg[] = {4, 0x10, 0x14, 0x18, 0x1c, 0x30, 0x3c};

	srand(1);
	for (int round = 0; round < 200; round++) {
		uint64_t seen[32];

		for (int i = 0; i < 50; i++) {
			unsigned r = reg[(unsigned)rand() % sizeof(reg)];
			uint32_t v =
			    BASE + ((unsigned)rand() % 32) * 0x1000 + ((unsigned)rand() & 7);

			if (r == 0x14)
				v = 0xc000 + ((unsigned)rand() % 4) * 0x10;
			if (r == 0x1c)
				v = rand() % 8 == 0;
			if (r == 4)
				v = (unsigned)rand() & 7;
			pci_config_write(&f[rand() % FUNCS], r, v, rand() % 8 ? 4 : 1);
		}
		for (unsigned i = 0; i < 32; i++)
			seen[i] = rd32(&b, BASE + i * 0x1000);
		/* All off, on again in another order. */
		for (unsigned i = 0; i < FUNCS; i++) {
			uint8_t cmd = f[i].config[PCI_COMMAND];

			f[i].wmask[8] = 0xff; /* a byte to remember it in */
			pci_config_write(&f[i], 8, cmd, 1);
			pci_config_write(&f[i], PCI_COMMAND, 0, 2);
		}
		for (unsigned i = FUNCS; i-- > 0;)
			pci_config_write(&f[i], PCI_COMMAND, f[i].config[8], 2);
		for (unsigned i = 0; i < 32; i++)
			cr_assert_eq(rd32(&b, BASE + i * 0x1000), seen[i]);
		cr_assert_eq(rd32(&b, BASE + 0x8000), 99);
	}
}
