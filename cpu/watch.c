/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Matching of what a debugger waits for. However many points there are, an instruction costs a look into a hash table, and
 * an access a search by halves among points sorted by where they begin.
 */
#include "cpu/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/core.h"

/* ---- instructions ---- */

static uint64_t slot_of(const struct watch_set *s, uint64_t key)
{
	return (key * 0x9e3779b97f4a7c15ull >> 32) & s->mask;
}

static const struct watch_key *set_find(const struct watch_set *s, uint64_t key)
{
	if (!s->slot)
		return NULL;
	for (uint64_t n = slot_of(s, key); s->slot[n].point; n = (n + 1) & s->mask)
		if (s->slot[n].key == key)
			return &s->slot[n];
	return NULL;
}

/* The first point of a key stays. There is room for it. */
static void set_add(struct watch_set *s, uint64_t key, unsigned point)
{
	uint64_t n = slot_of(s, key);

	for (; s->slot[n].point; n = (n + 1) & s->mask)
		if (s->slot[n].key == key)
			return;
	s->slot[n] = (struct watch_key){key, point + 1};
}

/* For nr keys, at most half full. */
static int set_init(struct watch_set *s, unsigned nr)
{
	uint64_t size = 16;

	while (size < 2ull * nr)
		size *= 2;
	s->mask = size - 1;
	s->slot = calloc(size, sizeof(*s->slot));
	return s->slot ? 0 : -ENOMEM;
}

static int add_execs(struct watch *w)
{
	unsigned nr = 0;

	for (unsigned n = 0; n < w->nr; n++)
		nr += (w->point[n].on & WATCH_EXEC) != 0;
	if (!nr)
		return 0;
	w->execs = true;
	if (set_init(&w->exec, nr) < 0 || set_init(&w->page, nr) < 0 ||
	    set_init(&w->physical, nr) < 0)
		return -ENOMEM;
	for (unsigned n = 0; n < w->nr; n++) {
		const struct watch_point *p = &w->point[n];

		if (!(p->on & WATCH_EXEC))
			continue;
		if (p->physical) {
			w->anywhere = true;
			w->offsets[(p->addr & ~PAGE_MASK) / 64] |= 1ull << p->addr % 64;
			set_add(&w->physical, p->addr, n);
		} else {
			set_add(&w->exec, p->addr, n);
			set_add(&w->page, p->addr >> PAGE_SHIFT, n);
		}
	}
	return 0;
}

static bool watch_offset(const struct watch *w, uint64_t addr)
{
	return w->anywhere && w->offsets[(addr & ~PAGE_MASK) / 64] >> (addr % 64) & 1;
}

bool watch_may_exec(const struct watch *w, uint64_t lin)
{
	return watch_offset(w, lin) || set_find(&w->exec, lin);
}

bool watch_in_page(const struct watch *w, uint64_t lin)
{
	return set_find(&w->page, lin >> PAGE_SHIFT);
}

bool watch_exec_page(const struct watch *w, uint64_t lin)
{
	return w->anywhere || watch_in_page(w, lin);
}

bool watch_exec(struct core *c, const struct watch *w, uint64_t lin, struct watch_hit *hit)
{
	const struct watch_key *k = set_find(&w->exec, lin);
	struct translation t;

	if (!k && watch_offset(w, lin) && page_walk_debug(c->mem, &c->paging, lin, &t) == 0)
		k = set_find(&w->physical, t.gpa);
	if (!k)
		return false;
	*hit = (struct watch_hit){
	    .valid = true, .on = WATCH_EXEC, .point = k->point - 1, .size = 1, .lin = lin};
	return true;
}

/* ---- accesses ---- */

static int by_first(const void *a, const void *b)
{
	const struct watch_range *x = a, *y = b;

	return x->first != y->first ? (x->first < y->first ? -1 : 1)
				    : (x->point > y->point) - (x->point < y->point);
}

static int add_ranges(struct watch *w, struct watch_ranges *r, bool physical)
{
	uint64_t reach = 0;

	r->at = malloc((w->nr + 1) * sizeof(*r->at));
	if (!r->at)
		return -ENOMEM;
	for (unsigned n = 0; n < w->nr; n++) {
		const struct watch_point *p = &w->point[n];

		if (p->on & (WATCH_READ | WATCH_WRITE) && p->physical == physical)
			r->at[r->nr++] =
			    (struct watch_range){p->addr, p->addr + (p->len - 1), 0, n};
	}
	if (r->nr)
		qsort(r->at, r->nr, sizeof(*r->at), by_first);
	for (unsigned n = 0; n < r->nr; n++)
		r->at[n].reach = reach = r->at[n].last > reach ? r->at[n].last : reach;
	w->accesses |= r->nr != 0;
	return 0;
}

/* A point of these kinds that has a byte in [first, last]: its index, or -1. */
static int64_t range_find(const struct watch *w, const struct watch_ranges *r, uint64_t first,
			  uint64_t last, unsigned on)
{
	unsigned low = 0, high = r->nr;

	while (low < high) {
		unsigned mid = low + (high - low) / 2;

		if (r->at[mid].first <= last)
			low = mid + 1;
		else
			high = mid;
	}
	while (low-- && r->at[low].reach >= first)
		if (r->at[low].last >= first && w->point[r->at[low].point].on & on)
			return r->at[low].point;
	return -1;
}

bool watch_page(const struct watch *w, uint64_t lin, uint64_t gpa)
{
	const unsigned on = WATCH_READ | WATCH_WRITE;

	lin &= PAGE_MASK;
	gpa &= PAGE_MASK;
	return range_find(w, &w->linear_access, lin, lin | ~PAGE_MASK, on) >= 0 ||
	       range_find(w, &w->physical_access, gpa, gpa | ~PAGE_MASK, on) >= 0;
}

void watch_access(struct core *c, uint64_t lin, uint64_t gpa, unsigned size, bool write)
{
	const struct watch *w = c->watch;
	const unsigned on = write ? WATCH_WRITE : WATCH_READ;
	int64_t n;

	if (c->watch_hit.valid)
		return;
	n = range_find(w, &w->linear_access, lin, lin + (size - 1), on);
	if (n < 0)
		n = range_find(w, &w->physical_access, gpa, gpa + (size - 1), on);
	if (n < 0)
		return;
	c->watch_hit = (struct watch_hit){.valid = true,
					  .on = (uint16_t)on,
					  .point = (unsigned)n,
					  .size = size,
					  .lin = lin,
					  .gpa = gpa};
	c->leave = true;
}

/* ---- events ---- */

static void tell(struct core *c, const struct watch_event *ev)
{
	const struct watch_trace *t = &c->watch_events->trace;

	t->fn(t->opaque, c->index, &c->v, ev);
}

static void wait_for(struct core *c, unsigned on, uint64_t number, unsigned size, uint64_t value)
{
	const struct watch *w = c->watch_events;

	for (unsigned n = 0; w->events && n < w->nr && !c->watch_hit.valid; n++) {
		const struct watch_point *p = &w->point[n];

		if (!(p->on & on) || !(number - p->addr < p->len || p->addr - number < size))
			continue;
		c->watch_hit = (struct watch_hit){.valid = true,
						  .on = (uint16_t)on,
						  .point = n,
						  .size = size,
						  .lin = number,
						  .value = value};
		c->leave = true;
	}
}

void watch_event(struct core *c, unsigned on, uint64_t number, unsigned size, uint64_t value)
{
	if (c->watch_events->trace.on & on)
		tell(c, &(struct watch_event){.on = on,
					      .rip = c->insn ? insn_rip(c, c->insn) : c->v.rip,
					      .number = number,
					      .value = value,
					      .size = size});
	wait_for(c, on, number, size, value);
}

void watch_transfer(struct core *c, unsigned on, uint64_t number, uint64_t value, uint64_t from)
{
	if (c->watch_events->trace.on & on)
		tell(
		    c,
		    &(struct watch_event){
			.on = on, .rip = from, .next = c->v.rip, .number = number, .value = value});
	wait_for(c, on, number, 1, value);
}

void watch_step(struct core *c, unsigned on, const struct insn *i, uint64_t rip, uint64_t next)
{
	if (c->watch_events->trace.on & on)
		tell(c, &(struct watch_event){.on = on, .rip = rip, .next = next, .insn = i});
}

/* ---- life ---- */

static bool valid(const struct watch_point *p)
{
	return p->len && p->on & (WATCH_EXEC | WATCH_READ | WATCH_WRITE | WATCH_EVENTS) &&
	       p->addr + (p->len - 1) >= p->addr;
}

int watch_new(struct watch **out, const struct watch_point *points, unsigned nr,
	      const struct watch_trace *trace)
{
	struct watch *w = calloc(1, sizeof(*w));
	int err = -ENOMEM;

	if (!w)
		return -ENOMEM;
	w->point = malloc((nr + 1) * sizeof(*points));
	if (!w->point)
		goto fail;
	w->nr = nr;
	if (trace)
		w->trace = *trace;
	w->events = false;
	for (unsigned n = 0; n < nr; n++) {
		err = -EINVAL;
		if (!valid(&points[n]))
			goto fail;
		w->point[n] = points[n];
		w->events |= (points[n].on & WATCH_EVENTS) != 0;
	}
	err = add_execs(w);
	if (err == 0)
		err = add_ranges(w, &w->linear_access, false);
	if (err == 0)
		err = add_ranges(w, &w->physical_access, true);
	if (err < 0)
		goto fail;
	*out = w;
	return 0;
fail:
	watch_free(w);
	return err;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	free(w->exec.slot);
	free(w->page.slot);
	free(w->physical.slot);
	free(w->linear_access.at);
	free(w->physical_access.at);
	free(w->point);
	free(w);
}
