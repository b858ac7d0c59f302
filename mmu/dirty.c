/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mmu/dirty.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int dirty_add_writer(struct aspace *as, const struct dirty_ops *ops, void *opaque)
{
	if (as->nr_writers == ASPACE_MAX_WRITERS)
		return -ENOSPC;
	as->writers[as->nr_writers].ops = ops;
	as->writers[as->nr_writers++].opaque = opaque;
	return 0;
}

void dirty_remove_writer(struct aspace *as, const struct dirty_ops *ops, void *opaque)
{
	for (unsigned n = 0; n < as->nr_writers; n++) {
		if (as->writers[n].ops != ops || as->writers[n].opaque != opaque)
			continue;
		as->writers[n] = as->writers[--as->nr_writers];
		return;
	}
}

static void tell_logging(const struct aspace *as)
{
	for (unsigned n = 0; n < as->nr_writers; n++)
		if (as->writers[n].ops->logging)
			as->writers[n].ops->logging(as->writers[n].opaque);
}

static void collect(const struct dirty_log *l)
{
	const struct aspace *as = l->as;

	for (unsigned n = 0; n < as->nr_writers; n++)
		if (as->writers[n].ops->collect)
			as->writers[n].ops->collect(as->writers[n].opaque, l);
}

static bool settled(const struct aspace *as)
{
	bool yes = true;

	for (unsigned n = 0; n < as->nr_writers; n++)
		if (as->writers[n].ops->settled)
			yes &= as->writers[n].ops->settled(as->writers[n].opaque);
	return yes;
}

static bool protect(const struct aspace *as)
{
	bool late = false;

	ram_barrier();
	for (unsigned n = 0; n < as->nr_writers; n++)
		if (as->writers[n].ops->protect)
			late |= as->writers[n].ops->protect(as->writers[n].opaque);
	return late;
}

/* ---- logs ---- */

static uint64_t words(const struct dirty_log *l)
{
	return (l->nr + 63) / 64;
}

int dirty_log_init(struct dirty_log *l, struct aspace *as, struct ram *ram, uint64_t off,
		   uint64_t len)
{
	memset(l, 0, sizeof(*l));
	l->as = as;
	l->ram = ram;
	l->first = off >> PAGE_SHIFT;
	l->nr = len >> PAGE_SHIFT;
	l->changed = calloc(3 * words(l), sizeof(*l->changed));
	if (!l->changed)
		return -ENOMEM;
	l->written = l->changed + words(l);
	l->again = l->written + words(l);
	for (uint64_t n = 0; n < l->nr; n++)
		l->written[n / 64] |= 1ull << n % 64;
	l->next = ram->logs;
	ram->logs = l;
	tell_logging(as);
	return 0;
}

/* Pages that nobody asks for any more stay clean until somebody writes. */
void dirty_log_fini(struct dirty_log *l)
{
	if (!l->ram)
		return;
	struct dirty_log **p = &l->ram->logs;
	while (*p != l)
		p = &(*p)->next;
	*p = l->next;
	tell_logging(l->as);
	free(l->changed);
	memset(l, 0, sizeof(*l));
}

static void note(struct ram *ram, uint64_t page)
{
	for (struct dirty_log *l = ram->logs; l; l = l->next) {
		uint64_t n = page - l->first;
		if (n < l->nr)
			l->written[n / 64] |= 1ull << n % 64;
	}
}

/* For all logs of that RAM. True when a page became clean. */
static bool clean(const struct dirty_log *l)
{
	bool any = false;

	for (uint64_t page = l->first; page < l->first + l->nr; page++) {
		struct ram_page *p = &l->ram->pages[page];
		if (atomic_load_explicit(&p->flags, memory_order_relaxed) & PAGE_CLEAN)
			continue;
		atomic_fetch_or(&p->flags, PAGE_CLEAN);
		note(l->ram, page);
		any = true;
	}
	return any;
}

uint64_t dirty_log_ask(struct dirty_log *l)
{
	bool was_settled = settled(l->as);
	uint64_t sum = 0;

	collect(l);
	bool late = clean(l) && protect(l->as);
	for (uint64_t w = 0; w < words(l); w++) {
		uint64_t written = l->written[w], again = l->again[w];
		l->changed[w] = written | again;
		l->written[w] = 0;
		l->again[w] = (was_settled ? 0 : again) | (was_settled && !late ? 0 : written);
		sum += (unsigned)__builtin_popcountll(l->changed[w]);
	}
	return sum;
}

bool dirty_log_changed(const struct dirty_log *l, uint64_t off, uint64_t len)
{
	uint64_t page = off >> PAGE_SHIFT, end = (off + len + PAGE_SIZE - 1) >> PAGE_SHIFT;

	page = page > l->first ? page - l->first : 0;
	end = end > l->first ? end - l->first : 0;
	for (; page < end && page < l->nr; page++)
		if (l->changed[page / 64] >> page % 64 & 1)
			return true;
	return false;
}

void dirty_unseen(struct ram *ram, uint64_t off, uint64_t len)
{
	uint64_t last = (off + len - 1) >> PAGE_SHIFT;

	for (uint64_t page = off >> PAGE_SHIFT; len && page <= last; page++)
		atomic_fetch_and(&ram->pages[page].flags, (uint8_t)~PAGE_CLEAN);
}
