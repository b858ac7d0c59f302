/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Metadata to the disk, in an order in which a crash loses nothing that was flushed and leaves at worst
 * clusters that are counted and not used:
 *
 *   1. refcount blocks are written; what they count up is referred to by nothing on the disk yet
 *   2. sync: now they, and all data of the guest, are safe
 *   3. L2 tables are written, from copies taken at 1: whatever is changed since has to wait
 *   4. sync, and the L1 entries that point to new L2 tables; only if there are any
 *   5. sync
 *   6. clusters that the disk no longer refers to are counted down, in memory; step 1 of a later
 *      commit writes that
 *
 * With lazy refcounts step 1 waits for the image to be closed: the dirty bit in the header says that they
 * have to be counted anew.
 */
#include <errno.h>
#include <stdlib.h>

#include "hw/block/qcow2.h"

struct copy {
	struct table *t;
	uint64_t offset;
	uint32_t from, len;
	uint8_t *data;
};

struct batch {
	struct copy *copies;
	unsigned nr;
	uint32_t l1_from, l1_to;
	uint64_t *l1;
	struct host_range *freed;
	size_t nr_freed;
};

/* Takes what is dirty; lock held. What cannot be copied for want of memory is written by nobody. */
static int take_batch(struct qcow2 *q, struct batch *b)
{
	memset(b, 0, sizeof(*b));
	b->copies = calloc(q->l2.nr_dirty ? q->l2.nr_dirty : 1, sizeof(*b->copies));
	b->l1_from = q->l1_dirty_from;
	b->l1_to = q->l1_dirty_to;
	b->l1 = calloc(b->l1_to - b->l1_from + 1, 8);
	if (!b->copies || !b->l1)
		return -ENOMEM;
	for (unsigned i = 0; i <= q->l2.mask; i++)
		for (struct table *t = q->l2.hash[i]; t; t = t->next) {
			struct copy *c = &b->copies[b->nr];

			if (t->dirty_from == t->dirty_to)
				continue;
			c->t = t;
			c->offset = t->offset;
			c->from = t->dirty_from & ~511u;
			c->len = ((t->dirty_to + 511) & ~511u) - c->from;
			if (posix_memalign((void **)&c->data, 4096, c->len))
				return -ENOMEM;
			memcpy(c->data, t->data + c->from, c->len);
			b->nr++;
		}
	for (unsigned i = 0; i < b->nr; i++) {
		struct table *t = b->copies[i].t;

		t->dirty_from = t->dirty_to = 0;
		t->pinned = true;
	}
	q->l2.nr_dirty = 0;
	if (b->l1_to > b->l1_from)
		memcpy(b->l1, q->l1 + b->l1_from, (b->l1_to - b->l1_from) * 8ull);
	q->l1_dirty_from = q->l1_dirty_to = 0;
	b->freed = q->pending;
	b->nr_freed = q->nr_pending;
	q->pending = NULL;
	q->nr_pending = q->max_pending = 0;
	return 0;
}

/* Steps 2 to 5; no lock held. */
static int write_batch(struct image *img, const struct batch *b)
{
	struct qcow2 *q = qcow2_of(img);
	int r = bfile_sync(img->file);

	for (unsigned i = 0; i < b->nr && r == 0; i++)
		r = bfile_write(img->file, b->copies[i].offset + b->copies[i].from,
				b->copies[i].data, b->copies[i].len);
	if (r == 0 && b->l1_to > b->l1_from) {
		r = bfile_sync(img->file);
		if (r == 0)
			r = qcow2_write_l1(img, q->l1_offset + b->l1_from * 8ull, b->l1, 0,
					   b->l1_to - b->l1_from);
	}
	if (r == 0 && (b->nr || b->l1_to > b->l1_from))
		r = bfile_sync(img->file);
	return r;
}

/* Space goes back to the host before anybody else can get the clusters. */
static void punch(struct image *img, const struct batch *b)
{
	struct qcow2 *q = qcow2_of(img);

	for (size_t i = 0; i < b->nr_freed; i++) {
		const struct host_range *h = &b->freed[i];

		for (uint64_t n = 0, k; n < h->clusters; n += k) {
			uint64_t at = h->offset + (n << q->cluster_bits), count = 0;
			bool last = true;

			for (k = 0; n + k < h->clusters; k++) {
				int r;

				pthread_mutex_lock(&q->lock);
				r = qcow2_get_refcount(img, (at >> q->cluster_bits) + k, &count);
				pthread_mutex_unlock(&q->lock);
				if (r < 0 || count != 1) {
					last = false;
					break;
				}
			}
			if (k)
				bfile_discard(img->file, at, k << q->cluster_bits);
			if (!last)
				k++;
		}
	}
}

/* Step 6, or back where it was; lock held. */
static void end_batch(struct image *img, struct batch *b, bool written)
{
	struct qcow2 *q = qcow2_of(img);

	for (unsigned i = 0; i < b->nr; i++) {
		b->copies[i].t->pinned = false;
		if (!written)
			cache_dirty(&q->l2, b->copies[i].t, b->copies[i].from,
				    b->copies[i].from + b->copies[i].len);
	}
	if (!written && b->l1_to > b->l1_from) {
		if (q->l1_dirty_from == q->l1_dirty_to || b->l1_from < q->l1_dirty_from)
			q->l1_dirty_from = b->l1_from;
		if (b->l1_to > q->l1_dirty_to)
			q->l1_dirty_to = b->l1_to;
	}
	for (size_t i = 0; i < b->nr_freed; i++) {
		uint64_t offset = b->freed[i].offset;

		if (!written) {
			qcow2_free_later(img, offset, b->freed[i].clusters);
			continue;
		}
		for (uint64_t n = 0; n < b->freed[i].clusters; n++, offset += q->cluster_size) {
			uint64_t count;

			/* A failure leaks the cluster. */
			if (qcow2_add_refcount(img, offset, 1, -1) == 0 &&
			    qcow2_get_refcount(img, offset >> q->cluster_bits, &count) == 0 &&
			    count == 0) {
				qcow2_drop_meta(q, offset);
				cache_drop(&q->l2, offset);
			}
		}
	}
}

static void free_batch(struct batch *b)
{
	for (unsigned i = 0; i < b->nr; i++)
		free(b->copies[i].data);
	free(b->copies);
	free(b->l1);
	free(b->freed);
}

int qcow2_commit_held(struct image *img)
{
	struct qcow2 *q = qcow2_of(img);
	struct batch b = {0};
	int r = 0;

	pthread_mutex_lock(&q->lock);
	if (!(q->incompat & FEAT_DIRTY))
		r = cache_write_all(img, &q->refblocks);
	if (r == 0)
		r = take_batch(q, &b);
	q->committing = r == 0;
	pthread_mutex_unlock(&q->lock);
	if (r == 0) {
		r = write_batch(img, &b);
		if (r == 0 && q->discard)
			punch(img, &b);
		pthread_mutex_lock(&q->lock);
		end_batch(img, &b, r == 0);
		q->committing = false;
		pthread_mutex_unlock(&q->lock);
	}
	free_batch(&b);
	return r;
}

int qcow2_commit(struct image *img)
{
	struct qcow2 *q = qcow2_of(img);
	int r;

	pthread_mutex_lock(&q->commit);
	r = qcow2_commit_held(img);
	pthread_mutex_unlock(&q->commit);
	return r;
}
