/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A driver for virtio-net without any feature (Virtual I/O Device Version 1.2, 5.1): each chain is a header and a
 * frame.
 */
#include "roms/bench/nic.h"
#include "roms/bench/virtio.h"

#define VIRTIO_NET 0x10001af4u

enum { HEADER = 10 };

static struct {
	struct virtq rx, tx;
	uint16_t seen, sent, owed; /* owed: given back, but not told of */
} d;

static uint8_t rx_queue[VIRTQ_BYTES] __attribute__((aligned(4096)));
static uint8_t tx_queue[VIRTQ_BYTES] __attribute__((aligned(4096)));
static uint8_t buffers[NIC_BUFFERS][NIC_BUFFER] __attribute__((aligned(4096)));
static uint8_t headers[NIC_BUFFERS][16], no_header[HEADER];

static void queue(const struct bench_frame *f, uint32_t len)
{
	uint16_t head = (uint16_t)(d.sent++ % (d.tx.size / 2) * 2);

	d.tx.desc[head] =
	    (struct virtq_desc){(uint64_t)no_header, HEADER, DESC_NEXT, (uint16_t)(head + 1)};
	d.tx.desc[head + 1] = (struct virtq_desc){(uint64_t)f, len, 0, 0};
	virtq_add(&d.tx, head);
}

static void kick(void)
{
	virtq_notify(&d.tx);
}

static volatile uint32_t *used_entry(void)
{
	return (volatile uint32_t *)(d.rx.used + 2) + 2 * (d.seen % d.rx.size);
}

static const struct bench_frame *next(uint32_t *len)
{
	if (d.seen == d.rx.used[1])
		return 0;
	*len = used_entry()[1] - HEADER;
	return (struct bench_frame *)buffers[used_entry()[0] / 2];
}

static void done(void)
{
	virtq_add(&d.rx, (uint16_t)used_entry()[0]);
	d.seen++;
	if (++d.owed < NIC_BATCH)
		return;
	d.owed = 0;
	if (!(*d.rx.used & NO_NOTIFY))
		virtq_notify(&d.rx);
}

static bool take_interrupt(void)
{
	return virtio_take_interrupt(d.rx.port);
}

static const struct nic nic = {queue, kick, next, done, take_interrupt};

const struct nic *virtio_net_nic(void)
{
	uint16_t port = virtio_start(VIRTIO_NET);

	if (!port || !virtq_init(&d.rx, port, 0, rx_queue) ||
	    !virtq_init(&d.tx, port, 1, tx_queue) || d.rx.size < 2 * NIC_BUFFERS ||
	    d.tx.size < 4 * BENCH_NR_FRAMES)
		return 0;
	*d.tx.avail = NO_INTERRUPT;
	for (uint16_t n = 0; n < NIC_BUFFERS; n++) {
		struct virtq_desc *pair = &d.rx.desc[2 * n];

		pair[0] = (struct virtq_desc){(uint64_t)headers[n], HEADER, DESC_NEXT | DESC_WRITE,
					      (uint16_t)(2 * n + 1)};
		pair[1] = (struct virtq_desc){(uint64_t)buffers[n], NIC_BUFFER, DESC_WRITE, 0};
		virtq_add(&d.rx, (uint16_t)(2 * n));
	}
	virtio_ready(port);
	virtq_notify(&d.rx);
	return &nic;
}
