/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Matching of what a debugger waits for.
 */
#include "cpu/watch.h"

#include <errno.h>
#include <string.h>

#include "cpu/core.h"

int watch_set(struct watch *w, const struct watch_point *points, unsigned nr)
{
	memset(w, 0, sizeof(*w));
	if (nr > WATCH_MAX)
		return -ENOSPC;
	for (unsigned n = 0; n < nr; n++) {
		const struct watch_point *p = &points[n];
		if (!p->len || !(p->on & (WATCH_EXEC | WATCH_READ | WATCH_WRITE | WATCH_EVENTS)) ||
		    p->addr + (p->len - 1) < p->addr)
			return -EINVAL;
		if (p->on & WATCH_EXEC) {
			unsigned page = watch_page_hash(p->addr);

			w->offsets[(p->addr & ~PAGE_MASK) / 64] |= 1ull << p->addr % 64;
			w->pages[page / 64] |= 1ull << page % 64;
			w->anywhere |= p->physical;
			w->execs = true;
		}
		w->accesses |= (p->on & (WATCH_READ | WATCH_WRITE)) != 0;
		w->events |= (p->on & WATCH_EVENTS) != 0;
		w->point[w->nr++] = *p;
	}
	return 0;
}

static bool watch_offset(const struct watch *w, uint64_t addr)
{
	return w->offsets[(addr & ~PAGE_MASK) / 64] >> (addr % 64) & 1;
}

bool watch_may_exec(const struct watch *w, uint64_t lin)
{
	if (!watch_offset(w, lin) || w->anywhere)
		return w->anywhere && watch_offset(w, lin);
	for (unsigned n = 0; n < w->nr; n++)
		if (w->point[n].on & WATCH_EXEC && w->point[n].addr == lin)
			return true;
	return false;
}

bool watch_in_page(const struct watch *w, uint64_t lin)
{
	for (unsigned n = 0; n < w->nr; n++)
		if (w->point[n].on & WATCH_EXEC && !((w->point[n].addr ^ lin) & PAGE_MASK))
			return true;
	return false;
}

bool watch_exec(struct core *c, const struct watch *w, uint64_t lin, struct watch_hit *hit)
{
	struct translation t;
	bool mapped = false, walked = false;

	if (!watch_offset(w, lin))
		return false;
	for (unsigned n = 0; n < w->nr; n++) {
		const struct watch_point *p = &w->point[n];
		if (!(p->on & WATCH_EXEC) || ((p->addr ^ lin) & ~PAGE_MASK))
			continue;
		if (p->physical && !walked) {
			mapped = page_walk_debug(c->bus->mem, &c->paging, lin, &t) == 0;
			walked = true;
		}
		if (p->physical ? !mapped || p->addr != t.gpa : p->addr != lin)
			continue;
		*hit = (struct watch_hit){
		    .valid = true, .on = WATCH_EXEC, .point = n, .size = 1, .lin = lin};
		return true;
	}
	return false;
}

/* Overlap of [at, at + size) with the point, neither wrapping around. */
static bool overlaps(const struct watch_point *p, uint64_t at, uint64_t size)
{
	return at - p->addr < p->len || p->addr - at < size;
}

bool watch_page(const struct watch *w, uint64_t lin, uint64_t gpa)
{
	for (unsigned n = 0; n < w->nr; n++)
		if (w->point[n].on & (WATCH_READ | WATCH_WRITE) &&
		    overlaps(&w->point[n], (w->point[n].physical ? gpa : lin) & PAGE_MASK,
			     PAGE_SIZE))
			return true;
	return false;
}

void watch_access(struct core *c, uint64_t lin, uint64_t gpa, unsigned size, bool write)
{
	const struct watch *w = c->watch;
	const unsigned on = write ? WATCH_WRITE : WATCH_READ;

	for (unsigned n = 0; n < w->nr && !c->watch_hit.valid; n++)
		if (w->point[n].on & on &&
		    overlaps(&w->point[n], w->point[n].physical ? gpa : lin, size)) {
			c->watch_hit = (struct watch_hit){.valid = true,
							  .on = (uint16_t)on,
							  .point = n,
							  .size = size,
							  .lin = lin,
							  .gpa = gpa};
			c->leave = true;
		}
}

void watch_event(struct core *c, unsigned on, uint64_t number, unsigned size, uint64_t value)
{
	const struct watch *w = c->watch_events;

	for (unsigned n = 0; n < w->nr && !c->watch_hit.valid; n++)
		if (w->point[n].on & on && overlaps(&w->point[n], number, size)) {
			c->watch_hit = (struct watch_hit){.valid = true,
							  .on = (uint16_t)on,
							  .point = n,
							  .size = size,
							  .lin = number,
							  .value = value};
			c->leave = true;
		}
}
