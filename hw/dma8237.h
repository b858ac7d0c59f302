/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The PC's two 8237A DMA controllers and their page registers: ports 00h-0Fh (channels 0-3, bytes),
 * C0h-DFh (channels 4-7, words), 80h-8Fh (pages).
 */
#ifndef HW_DMA8237_H
#define HW_DMA8237_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/device.h"

struct aspace;

struct dma8237_channel {
	uint16_t base_addr, base_count, addr, count;
	uint8_t mode;
};

struct dma8237;

struct dma8237_side {
	struct dma8237 *dma;
	int n;
};

struct dma8237 {
	struct device dev;
	struct aspace *mem;
	struct dma8237_channel ch[8];
	uint8_t page[16]; /* port 80h + n */
	uint8_t command[2], request[2], mask[2], status[2], temp[2];
	uint8_t flipflop[2];
	struct dma8237_side side[2];
};

int dma8237_init(struct dma8237 *d, struct aspace *io, struct aspace *mem);
/* A device moves up to len bytes through its channel: into guest memory when the channel is
 * programmed as a write transfer, out of it for a read transfer; verify moves nothing but counts.
 * Returns the bytes counted, which is less than len when the channel is masked or reached its
 * terminal count; *tc says that it did. */
size_t dma8237_transfer(struct dma8237 *d, unsigned channel, void *buf, size_t len, bool *tc);
/* The device drives DREQ. */
void dma8237_dreq(struct dma8237 *d, unsigned channel, bool level);

#endif
