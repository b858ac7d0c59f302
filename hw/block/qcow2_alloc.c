/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Clusters of the file that are free: given away, at once or one after the other, and taken back.
 */
#include <errno.h>
#include <stdlib.h>

#include "hw/block/qcow2.h"

#define MAX_OFFSET (1ull << 56)

/* The first free cluster from q->hint on. */
static int find_free(struct image *img)
{
	struct qcow2 *q = qcow2_of(img);

	for (;; q->hint++) {
		uint64_t count;
		int r;

		if (q->hint >= MAX_OFFSET >> q->cluster_bits)
			return -EFBIG;
		/* A range without a block is free, but for the block that will count it. */
		r = qcow2_want_refblock(img, q->hint);
		if (r == 0)
			r = qcow2_get_refcount(img, q->hint, &count);
		if (r < 0)
			return r;
		if (!count)
			return 0;
	}
}

static int mark_lazy(struct image *img)
{
	struct qcow2 *q = qcow2_of(img);

	if (!(q->compat & FEAT_LAZY) || (q->incompat & FEAT_DIRTY))
		return 0;
	return qcow2_set_incompat(img, q->incompat | FEAT_DIRTY);
}

/* Counts n clusters from first on as used. */
static int take(struct image *img, uint64_t first, uint64_t n, bool *fresh)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t offset = first << q->cluster_bits;
	int r;

	if (qcow2_is_meta(q, offset, n << q->cluster_bits))
		return qcow2_corrupt(img, "metadata at %#llx is free", (unsigned long long)offset);
	r = qcow2_add_refcount(img, offset, n, 1);
	if (r < 0)
		return r;
	*fresh = first >= q->fresh;
	if (first + n > q->fresh)
		q->fresh = first + n;
	return 0;
}

int qcow2_alloc(struct image *img, uint64_t want, uint64_t *offset, uint64_t *got, bool *fresh)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t n = 1, first;
	int r = mark_lazy(img);

	if (r == 0)
		r = find_free(img);
	if (r < 0)
		return r;
	first = q->hint;
	/* Not on to the next block: its first cluster is taken by itself. */
	while (n < want && ((first + n) & ((1ull << q->refblock_bits) - 1))) {
		uint64_t count;

		/* All of them written before, or none. */
		if (first < q->fresh && first + n == q->fresh)
			break;
		r = qcow2_get_refcount(img, first + n, &count);
		if (r < 0)
			return r;
		if (count)
			break;
		n++;
	}
	r = take(img, first, n, fresh);
	if (r < 0)
		return r;
	q->hint = first + n;
	*offset = first << q->cluster_bits;
	*got = n;
	return 0;
}

int qcow2_alloc_run(struct image *img, uint64_t n, uint64_t *offset)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t first, found = 0;
	bool fresh;
	int r = mark_lazy(img);

	if (r == 0)
		r = find_free(img);
	if (r < 0)
		return r;
	for (first = q->hint; found < n;) {
		uint64_t count;

		r = qcow2_want_refblock(img, first + found);
		if (r == 0)
			r = qcow2_get_refcount(img, first + found, &count);
		if (r < 0)
			return r;
		if (count) {
			first += found + 1;
			found = 0;
		} else {
			found++;
		}
		if (first + found >= MAX_OFFSET >> q->cluster_bits)
			return -EFBIG;
	}
	*offset = first << q->cluster_bits;
	return take(img, first, n, &fresh);
}

void qcow2_free_now(struct image *img, uint64_t offset, uint64_t clusters)
{
	qcow2_add_refcount(img, offset, clusters, -1);
}

void qcow2_free_later(struct image *img, uint64_t offset, uint64_t clusters)
{
	struct qcow2 *q = qcow2_of(img);
	struct host_range *last = q->nr_pending ? &q->pending[q->nr_pending - 1] : NULL;

	if (last && last->offset + (last->clusters << q->cluster_bits) == offset) {
		last->clusters += clusters;
		return;
	}
	if (q->nr_pending == q->max_pending) {
		size_t max = q->max_pending ? q->max_pending * 2 : 64;
		struct host_range *more = realloc(q->pending, max * sizeof(*more));

		if (!more)
			return; /* a leak */
		q->pending = more;
		q->max_pending = max;
	}
	q->pending[q->nr_pending++] = (struct host_range){offset, clusters};
}

void qcow2_zip_range(const struct qcow2 *q, uint64_t entry, uint64_t *offset, uint64_t *len)
{
	unsigned x = 62 - (q->cluster_bits - 8);
	uint64_t sectors = ((entry & ~(3ull << 62)) >> x) + 1;

	*offset = entry & ((1ull << x) - 1) & ((1ull << 56) - 1);
	*len = sectors * 512 - (*offset & 511);
}

void qcow2_free_entry(struct image *img, uint64_t entry)
{
	struct qcow2 *q = qcow2_of(img);

	if (entry & ENTRY_COMPRESSED) {
		uint64_t offset, len, start;

		qcow2_zip_range(q, entry, &offset, &len);
		start = cluster_down(q, offset);
		qcow2_free_later(img, start,
				 (cluster_up(q, offset + len) - start) >> q->cluster_bits);
	} else if (entry & ENTRY_OFFSET) {
		qcow2_free_later(img, entry & ENTRY_OFFSET, 1);
	}
}
