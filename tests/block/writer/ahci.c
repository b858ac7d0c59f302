/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A disk on port 0 of an AHCI controller (Serial ATA AHCI 1.3.1), with native command queuing, polled.
 */
#include <string.h>

#include "roms/guest/guest.h"
#include "tests/block/writer/writer.h"

enum { GHC = 4, CLB = 0x100, FB = 0x108, IS = 0x110, CMD = 0x118, TFD = 0x120, SERR = 0x130 };
enum { SACT = 0x134, CI = 0x138 };
enum { WRITE_FPDMA_QUEUED = 0x61, FLUSH_CACHE_EXT = 0xea };
enum { FLUSH_SLOT = WRITER_DEPTH };

static struct header {
	uint32_t flags, bytes, table, table_high, reserved[4];
} headers[32] __attribute__((aligned(1024)));
static struct table {
	uint8_t fis[64], packet[16], reserved[48];
	uint32_t prd[4];
} tables[WRITER_DEPTH + 1] __attribute__((aligned(128)));
static uint8_t received[256] __attribute__((aligned(256)));
static volatile uint8_t *regs;
static uint32_t queued;

static void write_reg(unsigned at, uint32_t v)
{
	*(volatile uint32_t *)(regs + at) = v;
}

static uint32_t read_reg(unsigned at)
{
	return *(volatile uint32_t *)(regs + at);
}

static bool init(void)
{
	int dev = pci_find(8, 0xffffff00, 0x01060100);

	if (dev < 0)
		return false;
	regs = (uint8_t *)(uintptr_t)(pci_read(dev, 0x24) & ~15u);
	write_reg(GHC, 1u << 31);
	write_reg(CLB, (uint32_t)(uintptr_t)headers);
	write_reg(CLB + 4, 0);
	write_reg(FB, (uint32_t)(uintptr_t)received);
	write_reg(FB + 4, 0);
	write_reg(SERR, ~0u);
	write_reg(CMD, 0x10);
	write_reg(CMD, 0x11);
	for (unsigned i = 0; i <= WRITER_DEPTH; i++)
		headers[i].table = (uint32_t)(uintptr_t)&tables[i];
	return true;
}

/* The register FIS of a command (Serial ATA Revision 3.2, 10.5.5). */
static uint8_t *command(unsigned slot, uint8_t cmd, uint32_t prds)
{
	uint8_t *fis = tables[slot].fis;

	memset(fis, 0, 64);
	fis[0] = 0x27;
	fis[1] = 0x80;
	fis[2] = cmd;
	fis[7] = 0x40;
	headers[slot].flags = 5 | 1 << 6 | prds << 16;
	headers[slot].bytes = 0;
	return fis;
}

static void start(unsigned n, uint64_t at, const void *data, uint32_t len)
{
	uint8_t *fis = command(n, WRITE_FPDMA_QUEUED, 1);

	for (unsigned i = 0; i < 3; i++)
		fis[4 + i] = (uint8_t)(at / 512 >> 8 * i);
	fis[3] = (uint8_t)(len / 512);
	fis[12] = (uint8_t)(n << 3);
	tables[n].prd[0] = (uint32_t)(uintptr_t)data;
	tables[n].prd[1] = 0;
	tables[n].prd[3] = len - 1;
	queued |= 1u << n;
}

static bool idle(void)
{
	while (read_reg(CI) | read_reg(SACT)) {
		if (read_reg(IS) & 1u << 30) /* task file error */
			return false;
		__asm__ volatile("pause" ::: "memory");
	}
	return !(read_reg(TFD) & 0x89);
}

static bool wait(void)
{
	write_reg(SACT, queued);
	write_reg(CI, queued);
	queued = 0;
	return idle();
}

static bool flush(void)
{
	command(FLUSH_SLOT, FLUSH_CACHE_EXT, 0);
	write_reg(CI, 1u << FLUSH_SLOT);
	return idle();
}

const struct writer_disk writer_ahci = {init, start, wait, flush};
