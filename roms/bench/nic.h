/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Network cards, as the workloads use them.
 */
#ifndef ROMS_BENCH_NIC_H
#define ROMS_BENCH_NIC_H

#include "roms/bench/kernel.h"

/* Buffers to receive into. More than a round sends or receives, so that no ring is ever full. */
enum { NIC_BUFFERS = 64, NIC_BUFFER = 2048, NIC_BATCH = 16 };

struct nic {
	/* Puts a frame in the ring, where its memory stays in use until something has come back. */
	void (*queue)(const struct bench_frame *f, uint32_t len);
	/* Tells of all that was queued. */
	void (*kick)(void);
	/* The frame that has come, or NULL. */
	const struct bench_frame *(*next)(uint32_t *len);
	/* Gives its buffer back. */
	void (*done)(void);
	bool (*take_interrupt)(void); /* false: there was none */
};

/* NULL where the machine has none. */
const struct nic *virtio_net_nic(void);
const struct nic *e1000_nic(void);

#endif
