/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Refcounts and "copied" flags of all that an L1 table refers to.
 */
#include "hw/block/qcow2.h"

static int count_entry(struct image *img, uint64_t entry, int add)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t offset = entry & ENTRY_OFFSET, len, clusters = 1;
	int r;

	if (entry & ENTRY_COMPRESSED) {
		qcow2_zip_range(q, entry, &offset, &len);
		clusters =
		    (cluster_up(q, offset + len) - cluster_down(q, offset)) >> q->cluster_bits;
		offset = cluster_down(q, offset);
	}
	if (!offset)
		return 0;
	r = qcow2_add_refcount(img, offset, clusters, add);
	if (r == 0 && add < 0 && q->discard && clusters == 1) {
		uint64_t count;

		if (qcow2_get_refcount(img, offset >> q->cluster_bits, &count) == 0 && !count)
			bfile_discard(img->file, offset, q->cluster_size);
	}
	return r;
}

/* The "copied" flag that an entry of the active tables should have. */
static int flag_entry(struct image *img, uint64_t *entry)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t count;
	int r;

	if ((*entry & ENTRY_COMPRESSED) || !(*entry & ENTRY_OFFSET))
		return 0;
	r = qcow2_get_refcount(img, (*entry & ENTRY_OFFSET) >> q->cluster_bits, &count);
	if (r < 0)
		return r;
	*entry = count == 1 ? *entry | ENTRY_COPIED : *entry & ~ENTRY_COPIED;
	return 0;
}

static int count_table(struct image *img, uint64_t l2_offset, int add)
{
	struct qcow2 *q = qcow2_of(img);
	struct table *t;
	int r = qcow2_load_l2(img, l2_offset, &t);

	for (uint64_t i = 0; i < 1ull << q->l2_bits && r == 0; i++)
		r = count_entry(img, get_be64(t->data + i * 8), add);
	return r;
}

int qcow2_count_tree(struct image *img, const uint64_t *l1, uint32_t n, int add)
{
	struct qcow2 *q = qcow2_of(img);

	for (uint32_t i = 0; i < n; i++) {
		uint64_t l2_offset = l1[i] & ENTRY_OFFSET, count;
		int r = l2_offset ? count_table(img, l2_offset, add) : 0;

		if (r == 0 && l2_offset)
			r = qcow2_add_refcount(img, l2_offset, 1, add);
		if (r == 0 && l2_offset)
			r = qcow2_get_refcount(img, l2_offset >> q->cluster_bits, &count);
		if (r < 0)
			return r;
		if (l2_offset && !count) {
			cache_drop(&q->l2, l2_offset);
			qcow2_drop_meta(q, l2_offset);
		}
	}
	return 0;
}

/* In place, as a shared table has no flag set and gets none. */
int qcow2_flag_tree(struct image *img)
{
	struct qcow2 *q = qcow2_of(img);

	for (uint32_t i = 0; i < q->l1_size; i++) {
		uint64_t l2_offset = q->l1[i] & ENTRY_OFFSET;
		struct table *t;
		int r;

		if (!l2_offset)
			continue;
		r = qcow2_load_l2(img, l2_offset, &t);
		for (uint64_t k = 0; k < 1ull << q->l2_bits && r == 0; k++) {
			uint64_t old = get_be64(t->data + k * 8), entry = old;

			r = flag_entry(img, &entry);
			if (r == 0 && entry != old) {
				put_be64(t->data + k * 8, entry);
				cache_dirty(&q->l2, t, (uint32_t)(k * 8), (uint32_t)(k * 8 + 8));
			}
		}
		if (r == 0)
			r = flag_entry(img, &q->l1[i]);
		/* The cache holds dirty tables until they are written. */
		if (r == 0 && q->l2.nr_dirty > q->l2.max / 2) {
			pthread_mutex_unlock(&q->lock);
			r = qcow2_commit_held(img);
			pthread_mutex_lock(&q->lock);
		}
		if (r < 0)
			return r;
	}
	q->l1_dirty_from = 0;
	q->l1_dirty_to = q->l1_size;
	return 0;
}
