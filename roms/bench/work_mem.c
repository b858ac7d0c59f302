/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Memory: in order, at random, and locked. The arena is a list of words.
 */
#include "roms/bench/bench.h"

#define MIB (1u << 20)

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005 + 1442695040888963407;
	return *state >> 33;
}

/* ---- in order ---- */

enum { STREAM_WORDS = 2 * MIB / 8, COPY_BYTES = 256 << 10 };

void bench_stream_prepare(uint64_t *arena)
{
	for (unsigned n = 0; n < 3 * STREAM_WORDS; n++)
		arena[n] = n * 0x9e3779b97f4a7c15;
}

uint64_t bench_stream(uint64_t *arena)
{
	const uint64_t *a = arena, *b = arena + STREAM_WORDS;
	uint64_t *c = arena + 2 * STREAM_WORDS, sum = 0;

	for (unsigned n = 0; n < STREAM_WORDS; n++) {
		c[n] = 3 * a[n] + b[n];
		sum ^= c[n];
	}
	return sum;
}

uint64_t bench_rep_movs(uint64_t *arena)
{
	const void *from = arena;
	void *to = arena + STREAM_WORDS;
	uint64_t len = COPY_BYTES;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(len)::"memory");
	return arena[STREAM_WORDS] ^ arena[STREAM_WORDS + COPY_BYTES / 8 - 1];
}

/* ---- at random ---- */

/* One cycle (Sattolo 1986) through nodes that lie `stride` words apart, each in another of the `lines` cache
 * lines of its stride. A node holds the index of the next. */
static void cycle(uint64_t *arena, unsigned nodes, unsigned stride, unsigned lines)
{
	uint64_t state = nodes;

	for (unsigned n = 0; n < nodes; n++)
		arena[n * stride + n % lines * 8] = n;
	for (unsigned n = nodes - 1; n; n--) {
		unsigned k = (unsigned)(next_random(&state) % n);
		uint64_t *x = &arena[n * stride + n % lines * 8];
		uint64_t *y = &arena[k * stride + k % lines * 8], t = *x;

		*x = *y;
		*y = t;
	}
	for (unsigned n = 0; n < nodes; n++) {
		uint64_t *x = &arena[n * stride + n % lines * 8];

		*x = *x * stride + *x % lines * 8;
	}
}

static inline uint64_t follow(const uint64_t *arena, unsigned steps)
{
	uint64_t at = 0, sum = 0;

	for (unsigned n = 0; n < steps; n++) {
		at = arena[at];
		sum += at;
	}
	return sum;
}

enum { CHASE_NODES = 256, TLB_NODES = 8192, RANDOM_NODES = 65536 };

void bench_chase_prepare(uint64_t *arena)
{
	cycle(arena, CHASE_NODES, 8, 1);
}

uint64_t bench_chase(uint64_t *arena)
{
	return follow(arena, 4 * CHASE_NODES);
}

void bench_tlb_prepare(uint64_t *arena)
{
	cycle(arena, TLB_NODES, 512, 64);
}

uint64_t bench_tlb(uint64_t *arena)
{
	return follow(arena, TLB_NODES);
}

void bench_random_prepare(uint64_t *arena)
{
	cycle(arena, RANDOM_NODES, 64, 8);
}

uint64_t bench_random(uint64_t *arena)
{
	return follow(arena, RANDOM_NODES);
}

/* ---- locked ---- */

uint64_t bench_atomic(uint64_t *arena)
{
	uint64_t sum = 0;

	arena[0] = 0;
	for (unsigned n = 0; n < 512; n++) {
		uint64_t old = __atomic_fetch_add(&arena[0], n, __ATOMIC_SEQ_CST) + n;

		sum += __atomic_compare_exchange_n(&arena[0], &old, old ^ 5, false,
						   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	}
	return arena[0] + sum;
}

/* ---- the disk ---- */

void bench_disk_prepare(uint64_t *arena)
{
	for (unsigned n = 0; n < BENCH_DISK / 8; n++)
		arena[n] = n;
}
