/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Requests that wait for the limits of their disk, or of the group that it shares them with. A timer of the
 * machine's clock lets them go: the members of a group in turn, and of each reads and writes in turn, so that
 * nobody starves. As the clock rests while the machine does, so do they, unless somebody waits for them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "hw/block/block_impl.h"

struct limit_group *limit_group_new(const char *name)
{
	struct limit_group *g = calloc(1, sizeof(*g));

	if (g)
		snprintf(g->name, sizeof(g->name), "%s", name);
	return g;
}

void limit_group_free(struct limit_group *g)
{
	free(g);
}

static bool nobody_waits(const struct limit_group *g)
{
	return !g->nr_waiting[false] && !g->nr_waiting[true];
}

static void arm(struct limit_group *g, uint64_t deadline)
{
	if (!g->again.armed || deadline < g->again.deadline)
		timer_arm(&g->again, deadline);
}

bool block_limit(struct block *b, struct block_req *req)
{
	struct limit_group *g = b->group;
	bool write = req->op != BLOCK_READ;

	if (req->op == BLOCK_FLUSH || req->op == BLOCK_DISCARD)
		return false;
	if (!g->nr_waiting[write]) {
		uint64_t now = clock_now(g->clock), wait = limits_wait(&g->limits, now, write);

		if (!wait) {
			limits_spend(&g->limits, req->len, write);
			return false;
		}
		arm(g, now + wait);
	}
	list_add(&b->waiting[write], req);
	b->nr_waiting++;
	g->nr_waiting[write]++;
	return true;
}

static void start_one(struct block *b, bool write)
{
	struct block_req *req = list_pop(&b->waiting[write]);

	b->nr_waiting--;
	b->group->nr_waiting[write]--;
	limits_spend(&b->group->limits, req->len, write);
	block_start(b, req);
}

void block_start_waiting(struct block *b)
{
	for (unsigned write = 0; write < 2; write++)
		while (b->waiting[write].first)
			start_one(b, write);
	if (nobody_waits(b->group) && b->group->again.armed)
		timer_cancel(&b->group->again);
	block_push(b);
}

/* Starts one of b's, if one may go; else *wait becomes less, if one is sooner. */
static bool start_due(struct block *b, uint64_t now, uint64_t *wait)
{
	for (unsigned n = 0; n < 2; n++) {
		bool write = b->write_first ^ n;
		uint64_t w;

		if (!b->waiting[write].first)
			continue;
		w = limits_wait(&b->group->limits, now, write);
		if (!w) {
			b->write_first = !write;
			start_one(b, write);
			return true;
		}
		*wait = w < *wait ? w : *wait;
	}
	return false;
}

static struct block *after(const struct limit_group *g, const struct block *b)
{
	return b->next_in_group ? b->next_in_group : g->first;
}

/* Starts one request of whose turn it is; false: nobody's may go. */
static bool start_next(struct limit_group *g, uint64_t now, uint64_t *wait)
{
	struct block *b = g->turn;

	do {
		if (start_due(b, now, wait)) {
			g->turn = after(g, b);
			return true;
		}
		b = after(g, b);
	} while (b != g->turn);
	return false;
}

static void may_go(void *opaque)
{
	struct limit_group *g = opaque;
	uint64_t now = clock_now(g->clock), wait = UINT64_MAX;

	while (start_next(g, now, &wait))
		wait = UINT64_MAX;
	for (struct block *b = g->first; b; b = b->next_in_group)
		block_push(b);
	if (!nobody_waits(g))
		arm(g, now + wait);
}

static void set_limits(struct limit_group *g, const struct limit_config *c)
{
	limits_set(&g->limits, c);
	g->limited = g->clock && limits_any(c);
	if (nobody_waits(g))
		return;
	timer_cancel(&g->again);
	if (g->limited)
		may_go(g);
	for (struct block *b = g->limited ? NULL : g->first; b; b = b->next_in_group)
		block_start_waiting(b);
}

void block_set_limits(struct block *b, const struct limit_config *c)
{
	set_limits(b->group, c);
}

const struct limit_config *block_limits(const struct block *b)
{
	return &b->group->limits.config;
}

const char *block_limit_group(const struct block *b)
{
	return b->group == &b->own ? b->name : b->group->name;
}

unsigned block_waiting(const struct block *b)
{
	return b->nr_waiting;
}

void block_init_limits(struct block *b, const struct block_options *o)
{
	struct limit_group *g = o->group ? o->group : &b->own;

	list_init(&b->waiting[false]);
	list_init(&b->waiting[true]);
	b->group = g;
	if (!g->clock && b->env.clock) {
		g->clock = b->env.clock;
		timer_init(&g->again, g->clock, may_go, g);
	}
	b->next_in_group = g->first;
	g->first = g->turn = b;
	if (limits_any(&o->limits) || g == &b->own)
		set_limits(g, &o->limits);
}

void block_end_limits(struct block *b)
{
	struct block **at = &b->group->first;

	block_start_waiting(b);
	while (*at && *at != b)
		at = &(*at)->next_in_group;
	if (*at)
		*at = b->next_in_group;
	b->group->turn = b->group->first;
	b->next_in_group = NULL;
	b->group = &b->own;
	b->own = (struct limit_group){0};
}
