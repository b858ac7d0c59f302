/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Frames to and from the other end of a card (frontend/bench_net.c), which tells in its answers what it has got.
 */
#include "roms/bench/nic.h"

static const struct nic *virtio, *e1000;
static struct bench_frame request;
/* Full length; of the last one an answer is wanted. */
static uint8_t frames[BENCH_NR_FRAMES][NIC_BUFFER] __attribute__((aligned(16)));

static void fill(struct bench_frame *f, uint16_t command, uint64_t number)
{
	*f = (struct bench_frame){.to = {2, 0, 0, 0, 0, 1},
				  .from = {2, 0, 0, 0, 0, 2},
				  .type = BENCH_FRAME_TYPE,
				  .command = command,
				  .number = number};
}

void net_init(void)
{
	virtio = virtio_net_nic();
	e1000 = e1000_nic();
	for (unsigned n = 0; n < BENCH_NR_FRAMES; n++)
		fill((struct bench_frame *)frames[n],
		     n + 1 < BENCH_NR_FRAMES ? BENCH_FRAME_DATA : BENCH_FRAME_ANSWER, n);
}

bool has_virtio_net(void)
{
	return virtio;
}

bool has_e1000(void)
{
	return e1000;
}

/* Sleeps until a frame has come; what is in it. */
static uint64_t take(const struct nic *nic)
{
	const struct bench_frame *f;
	uint64_t sum;
	uint32_t len;

	while (!(f = nic->next(&len))) {
		/* An interrupt that comes before HLT ends it. */
		__asm__ volatile("sti; hlt; cli" ::: "memory");
	}
	sum = f->number + f->sum + len;
	nic->done();
	return sum;
}

static uint64_t echo(const struct nic *nic)
{
	uint64_t sum = 0;

	device_works(nic->take_interrupt);
	for (unsigned n = 0; n < BENCH_NR_ECHOES; n++) {
		fill(&request, BENCH_FRAME_ANSWER, n);
		nic->queue(&request, BENCH_FRAME_SHORT);
		nic->kick();
		sum += take(nic);
	}
	return sum;
}

static uint64_t send(const struct nic *nic)
{
	device_works(nic->take_interrupt);
	for (unsigned n = 0; n < BENCH_NR_FRAMES; n++)
		nic->queue((struct bench_frame *)frames[n], BENCH_FRAME_LONG);
	nic->kick();
	return take(nic);
}

static uint64_t receive(const struct nic *nic)
{
	uint64_t sum = 0;

	device_works(nic->take_interrupt);
	fill(&request, BENCH_FRAME_SEND, BENCH_NR_FRAMES);
	nic->queue(&request, BENCH_FRAME_SHORT);
	nic->kick();
	for (unsigned n = 0; n < BENCH_NR_FRAMES; n++)
		sum += take(nic);
	return sum;
}

uint64_t round_net_echo(uint64_t *arena)
{
	(void)arena;
	return echo(virtio);
}

uint64_t round_net_send(uint64_t *arena)
{
	(void)arena;
	return send(virtio);
}

uint64_t round_net_receive(uint64_t *arena)
{
	(void)arena;
	return receive(virtio);
}

uint64_t round_e1000_echo(uint64_t *arena)
{
	(void)arena;
	return echo(e1000);
}

uint64_t round_e1000_send(uint64_t *arena)
{
	(void)arena;
	return send(e1000);
}

uint64_t round_e1000_receive(uint64_t *arena)
{
	(void)arena;
	return receive(e1000);
}
