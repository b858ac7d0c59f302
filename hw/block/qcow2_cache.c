/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * L2 tables and refcount blocks in memory, each one cluster, as many as fit in a size that does not
 * depend on the image. Dirty L2 tables stay (their order matters): who makes them commits in time.
 */
#include <errno.h>
#include <stdlib.h>

#include "hw/block/qcow2.h"

/* What is written is a whole number of these. */
#define WRITE_UNIT 4096u

int cache_init(struct table_cache *c, unsigned max)
{
	unsigned buckets = 16;

	while (buckets < max)
		buckets *= 2;
	c->hash = calloc(buckets, sizeof(*c->hash));
	c->mask = buckets - 1;
	c->max = max;
	return c->hash ? 0 : -ENOMEM;
}

void cache_fini(struct table_cache *c)
{
	for (unsigned i = 0; c->hash && i <= c->mask; i++) {
		struct table *t;

		while ((t = c->hash[i])) {
			c->hash[i] = t->next;
			free(t);
		}
	}
	free(c->hash);
	memset(c, 0, sizeof(*c));
}

static struct table **bucket(struct table_cache *c, uint64_t offset)
{
	uint64_t h = offset * 0x9e3779b97f4a7c15ull;

	return &c->hash[(h >> 40) & c->mask];
}

struct table *cache_find(struct table_cache *c, uint64_t offset)
{
	struct table *t = *bucket(c, offset);

	while (t && t->offset != offset)
		t = t->next;
	if (t)
		t->used = ++c->clock;
	return t;
}

static bool is_dirty(const struct table *t)
{
	return t->dirty_from != t->dirty_to;
}

static void forget(struct table_cache *c, struct table *t)
{
	struct table **p = bucket(c, t->offset);

	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	c->nr--;
	c->nr_dirty -= is_dirty(t);
	free(t);
}

void cache_drop(struct table_cache *c, uint64_t offset)
{
	struct table *t = cache_find(c, offset);

	if (t)
		forget(c, t);
}

static struct table *oldest(struct table_cache *c, bool dirty)
{
	struct table *best = NULL;

	for (unsigned i = 0; i <= c->mask; i++)
		for (struct table *t = c->hash[i]; t; t = t->next)
			if (!t->pinned && (dirty || !is_dirty(t)) &&
			    (!best || t->used < best->used))
				best = t;
	return best;
}

int cache_get(struct image *img, struct table_cache *c, uint64_t offset, bool read, bool may_write,
	      struct table **out)
{
	struct qcow2 *q = qcow2_of(img);
	struct table **b, *t;
	int r;

	while (c->nr >= c->max && (t = oldest(c, may_write))) {
		r = is_dirty(t) ? cache_write(img, c, t) : 0;
		if (r < 0)
			return r;
		forget(c, t);
	}
	/* Where the host's cache is not used, aligned memory spares a copy. */
	if (posix_memalign((void **)&t, 64, sizeof(*t) + q->cluster_size))
		return -ENOMEM;
	memset(t, 0, sizeof(*t));
	r = 0;
	if (read)
		r = bfile_read(img->file, offset, t->data, q->cluster_size);
	else
		memset(t->data, 0, q->cluster_size);
	if (r < 0) {
		free(t);
		return r;
	}
	t->offset = offset;
	t->used = ++c->clock;
	b = bucket(c, offset);
	t->next = *b;
	*b = t;
	c->nr++;
	*out = t;
	return 0;
}

void cache_dirty(struct table_cache *c, struct table *t, uint32_t from, uint32_t to)
{
	if (!is_dirty(t)) {
		c->nr_dirty++;
		t->dirty_from = from;
		t->dirty_to = to;
		return;
	}
	if (from < t->dirty_from)
		t->dirty_from = from;
	if (to > t->dirty_to)
		t->dirty_to = to;
}

int cache_write(struct image *img, struct table_cache *c, struct table *t)
{
	struct qcow2 *q = qcow2_of(img);
	uint32_t from = t->dirty_from & ~(WRITE_UNIT - 1);
	uint32_t to = (t->dirty_to + WRITE_UNIT - 1) & ~(WRITE_UNIT - 1);
	int r;

	if (!is_dirty(t))
		return 0;
	if (to > q->cluster_size)
		to = (uint32_t)q->cluster_size;
	r = bfile_write(img->file, t->offset + from, t->data + from, to - from);
	if (r < 0)
		return r;
	t->dirty_from = t->dirty_to = 0;
	c->nr_dirty--;
	return 0;
}

int cache_write_all(struct image *img, struct table_cache *c)
{
	for (unsigned i = 0; c->nr_dirty && i <= c->mask; i++)
		for (struct table *t = c->hash[i]; t; t = t->next) {
			int r = cache_write(img, c, t);

			if (r < 0)
				return r;
		}
	return 0;
}
