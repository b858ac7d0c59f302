/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Capabilities, MSI and MSI-X, bus-master DMA.
 */
#include <errno.h>
#include <string.h>

#include "chips.h"
#include "hw/msi.h"

static struct board b;
static struct pci_bus bus;
static struct pci_func f;
static struct msix x;
static struct ram ram;
static struct {
	unsigned nr;
	uint64_t addr;
	uint32_t data;
} sent;

static void on_msi(void *opaque, uint64_t addr, uint32_t data)
{
	(void)opaque;
	sent.nr++;
	sent.addr = addr;
	sent.data = data;
}

static void setup(void)
{
	board_init(&b);
	memset(&sent, 0, sizeof(sent));
	cr_assert_eq(ram_init(&ram, "ram", 1 << 20), 0);
	cr_assert_eq(aspace_map_ram(&b.mem, "ram", 0, 1 << 20, &ram, 0), 0);
	cr_assert_eq(pci_bus_init(&bus, &b.mem, &b.io, NULL), 0);
	bus.msi = on_msi;
	pci_func_init(&f, "f", 0x1234, 0x5678, 0xff00, 1);
}

static void finish(void)
{
	cr_assert_eq(pci_bus_add(&bus, &f, PCI_DEVFN(2, 0)), 0);
	device_reset(&f.dev);
	if (f.msix)
		device_reset(&f.msix->dev);
	pci_config_write(&f, PCI_COMMAND, PCI_CMD_MASTER | PCI_CMD_MEM, 2);
}

TestSuite(msi, .init = setup);

Test(msi, capability_list)
{
	uint8_t at;

	cr_assert_eq(msi_init(&f, 4), 0);
	cr_assert_eq(msix_init(&x, &f, 8, 1), 0);
	cr_assert_eq(pci_func_cap(&f, PCI_CAP_VENDOR, 250), -ENOSPC);
	finish();
	cr_assert(f.config[PCI_STATUS] & PCI_STATUS_CAPS);
	at = f.config[PCI_CAP_LIST];
	cr_assert_eq(f.config[at], PCI_CAP_MSI);
	at = f.config[at + 1];
	cr_assert_eq(f.config[at], PCI_CAP_MSIX);
	cr_assert_eq(f.config[at + 1], 0);
	cr_assert_eq(pci_config_read(&f, at + 2u, 2), 7);
	cr_assert_eq(pci_config_read(&f, 256, 4), 0);
}

Test(msi, msi_vectors_masks_and_pending)
{
	cr_assert_eq(msi_init(&f, 3), -EINVAL);
	cr_assert_eq(msi_init(&f, 4), 0);
	finish();
	unsigned c = f.msi;
	cr_assert_not(msi_notify(&f, 0));
	pci_config_write(&f, c + 4, 0xfee01003, 4);
	pci_config_write(&f, c + 12, 0x43, 2);
	pci_config_write(&f, c + 2, 1 | 1 << 4, 2); /* two vectors of the four */
	cr_assert(msi_notify(&f, 3));
	cr_assert_eq(sent.nr, 1);
	cr_assert_eq(sent.addr, 0xfee01000);
	cr_assert_eq(sent.data, 0x43);
	msi_notify(&f, 0);
	cr_assert_eq(sent.data, 0x42);
	/* masked: pending until it is not */
	pci_config_write(&f, c + 16, 2, 4);
	msi_notify(&f, 1);
	cr_assert_eq(sent.nr, 2);
	cr_assert_eq(pci_config_read(&f, c + 20, 4), 2);
	pci_config_write(&f, c + 16, 0, 4);
	cr_assert_eq(sent.nr, 3);
	cr_assert_eq(pci_config_read(&f, c + 20, 4), 0);
	/* more vectors than there are may be asked for, not got */
	pci_config_write(&f, c + 2, 1 | 7 << 4, 2);
	msi_notify(&f, 31);
	cr_assert_eq(sent.data, 0x43);
	/* no master, no message */
	pci_config_write(&f, PCI_COMMAND, PCI_CMD_MEM, 2);
	msi_notify(&f, 0);
	cr_assert_eq(sent.nr, 4);
}

Test(msi, message_to_memory_is_a_write)
{
	uint32_t v = 0;

	cr_assert_eq(msi_init(&f, 1), 0);
	finish();
	pci_config_write(&f, f.msi + 4u, 0x2000, 4);
	pci_config_write(&f, f.msi + 12u, 0x1234, 2);
	pci_config_write(&f, f.msi + 2u, 1, 2);
	msi_notify(&f, 0);
	cr_assert_eq(sent.nr, 0);
	aspace_dma_read(&b.mem, 0x2000, &v, 4);
	cr_assert_eq(v, 0x1234);
	pci_config_write(&f, f.msi + 8u, 0xffffffff, 4);
	msi_notify(&f, 0);
	cr_assert_eq(sent.nr, 0);
}

Test(msi, msix_table_masks_and_pending)
{
	const uint64_t t = 0xe0000000;

	cr_assert_eq(msix_init(&x, &f, 70, 1), 0);
	finish();
	pci_config_write(&f, PCI_BAR0 + 4, (uint32_t)t, 4);
	cr_assert_eq(rd32(&b, t + 12), 1);
	wr64(&b, t + 69 * 16, 0xfee00000);
	wr32(&b, t + 69 * 16 + 8, 0x99);
	cr_assert_eq(rd64(&b, t + 69 * 16 + 8), 0x100000099);
	cr_assert_not(msi_notify(&f, 69));
	pci_config_write(&f, x.cap + 2u, 0xffff, 2);
	cr_assert_eq(pci_config_read(&f, x.cap + 2u, 2), 0xc000 | 69);
	cr_assert(msi_notify(&f, 69));
	cr_assert(msi_notify(&f, 70));
	cr_assert_eq(sent.nr, 0);
	cr_assert_eq(rd64(&b, t + MSIX_MAX * 16 + 8), 1 << 5);
	wr32(&b, t + 69 * 16 + 12, 0);
	cr_assert_eq(sent.nr, 0);
	pci_config_write(&f, x.cap + 2u, 0x8000, 2);
	cr_assert_eq(sent.nr, 1);
	cr_assert_eq(sent.data, 0x99);
	cr_assert_eq(rd64(&b, t + MSIX_MAX * 16 + 8), 0);
	/* beyond the table, the pending bits are read-only and the rest is empty */
	wr64(&b, t + MSIX_MAX * 16, ~0ull);
	cr_assert_eq(rd64(&b, t + MSIX_MAX * 16), 0);
	cr_assert_eq(rd64(&b, t + 4096 - 8), 0);
	device_reset(&f.dev);
	device_reset(&x.dev);
	cr_assert_not(msi_notify(&f, 69));
	cr_assert_eq(x.table[69][3], 1);
}

Test(msi, dma_needs_the_master_bit_and_ram)
{
	uint8_t buf[8] = "1234567";

	finish();
	cr_assert_eq(pci_dma_write(&f, 0x1000, buf, 8), 0);
	memset(buf, 0, sizeof(buf));
	cr_assert_eq(pci_dma_read(&f, 0x1000, buf, 8), 0);
	cr_assert_str_eq((char *)buf, "1234567");
	cr_assert_eq(pci_dma_write(&f, (1 << 20) - 4, buf, 8), -EFAULT);
	cr_assert_eq(pci_dma_read(&f, ~0ull - 3, buf, 8), -EFAULT);
	cr_assert_eq(buf[3], 0xff);
	pci_config_write(&f, PCI_COMMAND, 0, 2);
	cr_assert_eq(pci_dma_write(&f, 0x1000, buf, 8), -EACCES);
	cr_assert_eq(pci_dma_read(&f, 0x1000, buf, 8), -EACCES);
}

Test(msi, scatter_gather)
{
	static struct ram high, rom;
	struct dma_sg sg;
	char buf[32];

	cr_assert_eq(ram_init(&high, "high", 8192), 0);
	cr_assert_eq(ram_init(&rom, "rom", 4096), 0);
	cr_assert_eq(aspace_map_ram(&b.mem, "high", 1 << 20, 8192, &high, 0), 0);
	cr_assert_eq(aspace_map_rom(&b.mem, "rom", (1 << 20) + 8192, 4096, &rom, 0), 0);
	cr_assert_eq(dma_sg_init(&sg, 0), -EINVAL);
	cr_assert_eq(dma_sg_init(&sg, 3), 0);
	/* two halves that follow each other are one piece; so is what crosses pages */
	cr_assert_eq(dma_sg_add(&sg, &b.mem, 0xffff0, 8, true), 0);
	cr_assert_eq(dma_sg_add(&sg, &b.mem, 0xffff8, 16, true), 0);
	cr_assert_eq(sg.nr, 2);
	cr_assert_eq(sg.len, 24);
	cr_assert_eq(sg.iov[0].iov_len, 16);
	cr_assert_eq(dma_sg_write(&sg, 12, "abcdefgh", 8), 8);
	memset(buf, 0, sizeof(buf));
	aspace_dma_read(&b.mem, 0xffffc, buf, 8);
	cr_assert_str_eq(buf, "abcdefgh");
	cr_assert_eq(dma_sg_read(&sg, 20, buf, 32), 4);
	/* what fails leaves the list as it was */
	cr_assert_eq(dma_sg_add(&sg, &b.mem, (1 << 20) + 8, 8192, true), -EFAULT);
	cr_assert_eq(dma_sg_add(&sg, &b.mem, ~0ull - 7, 16, true), -EFAULT);
	cr_assert_eq(dma_sg_add(&sg, &b.mem, 0, ~0ull, true), -E2BIG);
	cr_assert_eq(sg.nr, 2);
	cr_assert_eq(sg.len, 24);
	cr_assert_eq(sg.iov[1].iov_len, 8);
	cr_assert_eq(dma_sg_add(&sg, &b.mem, (1 << 20) + 8192, 16, false), 0);
	cr_assert_eq(dma_sg_add(&sg, &b.mem, 0, 16, false), -E2BIG);
	dma_sg_written(&sg, 0, sg.len);
	dma_sg_fini(&sg);
}
