/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Two threads on two CPUs: contended atomic operations, and a hand-over by futex.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "work.h"

struct pair {
	uint64_t rounds;
	_Alignas(64) _Atomic uint64_t sum;
	_Alignas(64) _Atomic uint64_t best;
	_Alignas(64) _Atomic uint32_t turn;
};

static void in_two_threads(struct pair *pair, void *(*body)(void *))
{
	pthread_t other;

	if (pthread_create(&other, NULL, body, pair))
		work_die("pthread_create");
	body(pair);
	pthread_join(other, NULL);
}

/* The first thread to come here takes CPU 0, the second CPU 1. */
static unsigned take_side(struct pair *pair)
{
	unsigned side = atomic_fetch_add(&pair->turn, 1);

	work_pin(side);
	return side;
}

static void *atomic_body(void *arg)
{
	struct pair *pair = arg;
	unsigned side = take_side(pair);

	for (uint64_t i = 0; i < pair->rounds; i++) {
		uint64_t value = i * 2 + side;
		uint64_t best = atomic_load(&pair->best);

		atomic_fetch_add(&pair->sum, value);
		while (best < value && !atomic_compare_exchange_weak(&pair->best, &best, value))
			;
	}
	return NULL;
}

static uint64_t run_atomic(uint64_t rounds)
{
	struct pair pair = {.rounds = rounds};

	in_two_threads(&pair, atomic_body);
	return pair.sum ^ pair.best;
}

static void futex(_Atomic uint32_t *word, int op, uint32_t value)
{
	syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

/* Both count the turns in one word; the odd ones are the second thread's. */
static void *futex_body(void *arg)
{
	struct pair *pair = arg;
	unsigned side = (unsigned)atomic_fetch_add(&pair->best, 1);

	work_pin(side);
	for (;;) {
		uint32_t turn = atomic_load(&pair->turn);

		if (turn >= 2 * pair->rounds)
			break;
		if (turn % 2 != side) {
			futex(&pair->turn, FUTEX_WAIT, turn);
			continue;
		}
		atomic_fetch_add(&pair->sum, turn);
		atomic_store(&pair->turn, turn + 1);
		futex(&pair->turn, FUTEX_WAKE, 1);
	}
	return NULL;
}

static uint64_t run_futex(uint64_t rounds)
{
	struct pair pair = {.rounds = rounds};

	in_two_threads(&pair, futex_body);
	return pair.sum;
}

static const struct workload list[] = {
    {"atomic", "two CPUs add and compare-exchange one word", 4000000, NULL, run_atomic},
    {"futex", "two CPUs hand over a word by futex", 1500, NULL, run_futex},
};

const struct workload_group work_thread = {list, COUNT_OF(list)};
