/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Requests that wait for the disk's limits. A timer of the machine's clock lets them go, reads and writes in
 * turn, so that neither starves the other where a limit counts both. As the clock rests while the machine
 * does, so do they, unless somebody waits for them.
 */
#include "hw/block/block_impl.h"

static void arm(struct block *b, uint64_t deadline)
{
	if (!b->again.armed || deadline < b->again.deadline)
		timer_arm(&b->again, deadline);
}

bool block_limit(struct block *b, struct block_req *req)
{
	bool write = req->op != BLOCK_READ;
	uint64_t now, wait;

	if (req->op == BLOCK_FLUSH || req->op == BLOCK_DISCARD)
		return false;
	if (!b->waiting[write].first) {
		now = clock_now(b->env.clock);
		wait = limits_wait(&b->limits, now, write);
		if (!wait) {
			limits_spend(&b->limits, req->len, write);
			return false;
		}
		arm(b, now + wait);
	}
	list_add(&b->waiting[write], req);
	b->nr_waiting++;
	return true;
}

/* The next of one kind, if it may go; else *wait becomes less, if it is sooner. */
static struct block_req *next_of(struct block *b, bool write, bool all, uint64_t now,
				 uint64_t *wait)
{
	uint64_t w;

	if (!b->waiting[write].first)
		return NULL;
	w = limits_wait(&b->limits, now, write);
	if (w && !all) {
		*wait = w < *wait ? w : *wait;
		return NULL;
	}
	return list_pop(&b->waiting[write]);
}

void block_start_waiting(struct block *b, bool all)
{
	while (b->nr_waiting) {
		uint64_t now = clock_now(b->env.clock), wait = UINT64_MAX;
		bool write = b->write_first;
		struct block_req *req = next_of(b, write, all, now, &wait);

		if (!req) {
			write = !write;
			req = next_of(b, write, all, now, &wait);
		}
		if (!req) {
			arm(b, now + wait);
			break;
		}
		b->write_first = !write;
		b->nr_waiting--;
		limits_spend(&b->limits, req->len, write);
		block_start(b, req);
	}
	if (!b->nr_waiting && b->again.armed)
		timer_cancel(&b->again);
	block_push(b);
}

static void may_go(void *opaque)
{
	block_start_waiting(opaque, false);
}

void block_set_limits(struct block *b, const struct limit_config *c)
{
	limits_set(&b->limits, c);
	b->limited = b->env.clock && limits_any(c);
	if (b->nr_waiting)
		block_start_waiting(b, !b->limited);
}

const struct limit_config *block_limits(const struct block *b)
{
	return &b->limits.config;
}

unsigned block_waiting(const struct block *b)
{
	return b->nr_waiting;
}

void block_init_limits(struct block *b, const struct limit_config *c)
{
	list_init(&b->waiting[false]);
	list_init(&b->waiting[true]);
	timer_init(&b->again, b->env.clock, may_go, b);
	block_set_limits(b, c);
}

void block_end_limits(struct block *b)
{
	block_set_limits(b, &(struct limit_config){0});
	b->env.clock = NULL;
}
