/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the tests of disk controllers share: a PCI bus with RAM, messages that are counted, and disks
 * in temporary files.
 */
#ifndef TESTS_UNIT_DISKS_H
#define TESTS_UNIT_DISKS_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hw/block/block.h"
#include "hw/msi.h"
#include "hw/pci.h"

#define RIG_RAM 0x400000u

struct rig {
	struct aspace mem, io;
	struct ram ram;
	struct pci_bus pci;
	int line[4];
	unsigned messages;
	uint32_t last_message;
	char path[32];
	int fd; /* of the image, to look at what is in it */
	struct block *block;
};

static inline void rig_line(void *opaque, int n, int level)
{
	((struct rig *)opaque)->line[n] = level;
}

static inline void rig_msi(void *opaque, uint64_t addr, uint32_t data)
{
	struct rig *g = opaque;

	(void)addr;
	g->messages++;
	g->last_message = data;
}

static inline void rig_init(struct rig *g)
{
	memset(g, 0, sizeof(*g));
	aspace_init(&g->mem, "memory", 52, NULL);
	aspace_init(&g->io, "io", 16, NULL);
	cr_assert_eq(ram_init(&g->ram, "ram", RIG_RAM), 0);
	cr_assert_eq(aspace_map_ram(&g->mem, "ram", 0, RIG_RAM, &g->ram, 0), 0);
	cr_assert_eq(pci_bus_init(&g->pci, &g->mem, &g->io, NULL), 0);
	g->pci.line = rig_line;
	g->pci.opaque = g;
	g->pci.msi = rig_msi;
	g->pci.msi_opaque = g;
	g->fd = -1;
}

/* A disk of `size` bytes in which every sector starts with its own number. */
static inline struct block *rig_disk(struct rig *g, uint64_t size, bool read_only)
{
	static const struct block_env env;
	struct block_options o = {.name = "disk", .format = "raw", .read_only = read_only};
	char err[256];

	strcpy(g->path, "/tmp/doppel-disk-XXXXXX");
	g->fd = mkstemp(g->path);
	cr_assert_geq(g->fd, 0);
	cr_assert_eq(ftruncate(g->fd, (off_t)size), 0);
	for (uint64_t s = 0; s < size / 512; s++)
		cr_assert_eq(pwrite(g->fd, &s, 8, (off_t)(s * 512)), 8);
	o.file = g->path;
	o.discard = true;
	o.no_lock = true;
	cr_assert_eq(block_open(&g->block, &o, &env, err, sizeof(err)), 0, "%s", err);
	return g->block;
}

static inline void rig_fini(struct rig *g)
{
	if (g->block)
		block_close(g->block);
	if (g->fd >= 0) {
		close(g->fd);
		unlink(g->path);
	}
	ram_fini(&g->ram);
}

/* The first 8 bytes of a sector of the image. */
static inline uint64_t rig_sector(struct rig *g, uint64_t sector)
{
	uint64_t v = 0;

	cr_assert_eq(pread(g->fd, &v, 8, (off_t)(sector * 512)), 8);
	return v;
}

static inline uint64_t get(struct rig *g, uint64_t a, unsigned size)
{
	return aspace_read(&g->mem, a, size);
}
static inline void put(struct rig *g, uint64_t a, uint64_t v, unsigned size)
{
	aspace_write(&g->mem, a, v, size);
}

/* Puts a function into slot 2 with all its BARs, as firmware does, and as a bus master. */
static inline void rig_plug(struct rig *g, struct pci_func *f)
{
	static const uint8_t irq[4] = {10, 10, 11, 11};

	cr_assert_eq(pci_bus_add(&g->pci, f, PCI_DEVFN(2, 0)), 0);
	device_reset(&f->dev);
	if (f->msix)
		device_reset(&f->msix->dev);
	pci_bus_assign(&g->pci, 0xc0000000, 0xfec00000, 0xc000, 0x10000, irq);
	pci_config_write(f, PCI_COMMAND, PCI_CMD_IO | PCI_CMD_MEM | PCI_CMD_MASTER, 2);
}

/* Where a BAR is. */
static inline uint64_t rig_bar(struct pci_func *f, unsigned n)
{
	return pci_config_read(f, PCI_BAR0 + 4 * n, 4) & ~(f->bar[n].kind == PCI_BAR_IO ? 3u : 15u);
}

/* Enables MSI-X: vector n sends the message n. */
static inline void rig_msix(struct rig *g, struct pci_func *f, unsigned bar, unsigned nr)
{
	uint64_t at = rig_bar(f, bar);

	pci_config_write(f, f->msix->cap + 2u, 0x8000, 2);
	for (unsigned i = 0; i < nr; i++) {
		put(g, at + 16 * i, 0xfee00000, 4);
		put(g, at + 16 * i + 8, i, 4);
		put(g, at + 16 * i + 12, 0, 4);
	}
}

#endif
