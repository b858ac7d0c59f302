/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * From the guest's bytes to the file's: L1 and L2 tables.
 *
 * An L2 table is checked as a whole when it is loaded, so that nobody later need doubt an entry: what it
 * refers to is aligned, in use, and not the image's own metadata, which a guest could otherwise write.
 */
#include <errno.h>
#include <stdlib.h>

#include "hw/block/qcow2.h"

static int check_entry(struct image *img, uint64_t guest, uint64_t entry)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t offset = entry & ENTRY_OFFSET, count;
	int r;

	if (entry & ENTRY_COMPRESSED)
		return 0;
	if (offset & (q->cluster_size - 1))
		return qcow2_corrupt(img, "data cluster %#llx at guest offset %#llx is not aligned",
				     (unsigned long long)offset, (unsigned long long)guest);
	if (!offset)
		return 0;
	if (qcow2_is_meta(q, offset, q->cluster_size))
		return qcow2_corrupt(img, "data cluster %#llx at guest offset %#llx is metadata",
				     (unsigned long long)offset, (unsigned long long)guest);
	if (img->read_only)
		return 0;
	r = qcow2_get_refcount(img, offset >> q->cluster_bits, &count);
	if (r < 0)
		return r;
	if (!count)
		return qcow2_corrupt(img, "data cluster %#llx at guest offset %#llx is free",
				     (unsigned long long)offset, (unsigned long long)guest);
	return 0;
}

static int check_table(struct image *img, uint64_t guest, const struct table *t)
{
	struct qcow2 *q = qcow2_of(img);

	for (uint64_t i = 0; i < 1ull << q->l2_bits; i++) {
		uint64_t entry = get_be64(t->data + i * 8);
		int r = entry ? check_entry(img, guest + (i << q->cluster_bits), entry) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

static int load(struct image *img, uint64_t l2_offset, uint64_t guest, struct table **out)
{
	struct qcow2 *q = qcow2_of(img);
	int r;

	*out = cache_find(&q->l2, l2_offset);
	if (*out)
		return 0;
	if (l2_offset & (q->cluster_size - 1))
		return qcow2_corrupt(img, "L2 table %#llx is not aligned",
				     (unsigned long long)l2_offset);
	r = cache_get(img, &q->l2, l2_offset, true, false, out);
	if (r == 0 && !q->check_only) {
		r = check_table(img, guest, *out);
		if (r < 0)
			cache_drop(&q->l2, l2_offset);
	}
	return r;
}

int qcow2_load_l2(struct image *img, uint64_t l2_offset, struct table **out)
{
	return load(img, l2_offset, 0, out);
}

static enum cluster_kind kind_of(const struct qcow2 *q, uint64_t entry)
{
	if (entry & ENTRY_COMPRESSED)
		return CLUSTER_ZIPPED;
	if ((entry & ENTRY_ZERO) && q->version >= 3)
		return entry & ENTRY_OFFSET ? CLUSTER_ZERO_ALLOC : CLUSTER_ZERO;
	return entry & ENTRY_OFFSET ? CLUSTER_DATA : CLUSTER_NONE;
}

int qcow2_lookup(struct image *img, uint64_t offset, uint64_t len, bool cached, struct run *out)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t in_cluster = offset & (q->cluster_size - 1);
	uint64_t i1 = offset >> (q->cluster_bits + q->l2_bits);
	uint64_t i2 = offset >> q->cluster_bits & ((1ull << q->l2_bits) - 1);
	uint64_t max = ((1ull << q->l2_bits) - i2) * q->cluster_size - in_cluster;
	uint64_t l2_offset, n = 1, clusters;
	struct table *t;
	int r;

	if (len < max)
		max = len;
	*out = (struct run){.kind = CLUSTER_NONE, .len = max};
	l2_offset = i1 < q->l1_size ? q->l1[i1] & ENTRY_OFFSET : 0;
	if (!l2_offset)
		return 0;
	t = cached ? cache_find(&q->l2, l2_offset) : NULL;
	if (cached && !t)
		return -EAGAIN;
	r = cached ? 0 : load(img, l2_offset, i1 << (q->cluster_bits + q->l2_bits), &t);
	if (r < 0)
		return r;
	out->entry = get_be64(t->data + i2 * 8);
	out->kind = kind_of(q, out->entry);
	if (out->kind == CLUSTER_DATA || out->kind == CLUSTER_ZERO_ALLOC)
		out->host = (out->entry & ENTRY_OFFSET) + in_cluster;
	/* An L2 table that a snapshot shares says "copied" of what is not. */
	out->copied = (out->entry & ENTRY_COPIED) && (q->l1[i1] & ENTRY_COPIED);
	clusters = (in_cluster + max + q->cluster_size - 1) >> q->cluster_bits;
	for (; n < clusters && out->kind != CLUSTER_ZIPPED; n++) {
		uint64_t entry = get_be64(t->data + (i2 + n) * 8);

		if (kind_of(q, entry) != out->kind)
			break;
		if (out->host &&
		    ((entry & ENTRY_OFFSET) != (out->entry & ENTRY_OFFSET) + n * q->cluster_size ||
		     (entry & ENTRY_COPIED) != (out->entry & ENTRY_COPIED)))
			break;
	}
	out->len = n * q->cluster_size - in_cluster;
	if (out->len > max)
		out->len = max;
	return 0;
}

/* ---- changing them ---- */

static void l1_dirty(struct qcow2 *q, uint32_t index)
{
	if (q->l1_dirty_from == q->l1_dirty_to) {
		q->l1_dirty_from = index;
		q->l1_dirty_to = index + 1;
	}
	if (index < q->l1_dirty_from)
		q->l1_dirty_from = index;
	if (index + 1 > q->l1_dirty_to)
		q->l1_dirty_to = index + 1;
}

int qcow2_l2_for_write(struct image *img, uint64_t offset, struct table **out)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t i1 = offset >> (q->cluster_bits + q->l2_bits), old, new;
	struct table *t, *from = NULL;
	uint8_t *copy = NULL;
	int r;

	if (i1 >= q->l1_size)
		return -EIO;
	old = q->l1[i1] & ENTRY_OFFSET;
	if (old) {
		r = load(img, old, i1 << (q->cluster_bits + q->l2_bits), &from);
		if (r < 0)
			return r;
		if (q->l1[i1] & ENTRY_COPIED) {
			*out = from;
			return 0;
		}
		/* The cache may let it go when it makes room for the new one. */
		copy = malloc(q->cluster_size);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, from->data, q->cluster_size);
	}
	r = qcow2_alloc_run(img, 1, &new);
	if (r == 0) {
		r = qcow2_add_meta(q, new);
		if (r == 0)
			r = cache_get(img, &q->l2, new, false, false, &t);
		if (r < 0) {
			qcow2_drop_meta(q, new);
			qcow2_free_now(img, new, 1);
		}
	}
	if (r < 0) {
		free(copy);
		return r;
	}
	if (copy)
		memcpy(t->data, copy, q->cluster_size);
	free(copy);
	cache_dirty(&q->l2, t, 0, (uint32_t)q->cluster_size);
	q->l1[i1] = new | ENTRY_COPIED;
	l1_dirty(q, (uint32_t)i1);
	if (old)
		qcow2_free_later(img, old, 1);
	*out = t;
	return 0;
}

void qcow2_set_entries(struct image *img, struct table *t, uint64_t offset, uint64_t n,
		       uint64_t entry, bool advance)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t i2 = offset >> q->cluster_bits & ((1ull << q->l2_bits) - 1);

	for (uint64_t i = 0; i < n; i++) {
		uint8_t *p = t->data + (i2 + i) * 8;
		uint64_t old = get_be64(p);

		/* Where only a flag changes the cluster stays. */
		if (((old | entry) & ENTRY_COMPRESSED) ? old != entry
						       : ((old ^ entry) & ENTRY_OFFSET) != 0)
			qcow2_free_entry(img, old);
		put_be64(p, entry);
		if (advance)
			entry += q->cluster_size;
	}
	cache_dirty(&q->l2, t, (uint32_t)(i2 * 8), (uint32_t)((i2 + n) * 8));
}

/* ---- L1 ---- */

int qcow2_write_l1(struct image *img, uint64_t offset, const uint64_t *l1, uint32_t from,
		   uint32_t to)
{
	uint64_t *be = calloc(to - from ? to - from : 1, 8);
	int r;

	if (!be)
		return -ENOMEM;
	for (uint32_t i = from; i < to; i++)
		be[i - from] = htobe64(l1[i]);
	r = bfile_write(img->file, offset + from * 8ull, be, (to - from) * 8ull);
	free(be);
	return r;
}

int qcow2_read_l1(struct image *img, uint64_t offset, uint32_t entries, uint64_t **out)
{
	uint64_t *l1;
	int r;

	if (entries * 8ull > QCOW2_MAX_L1)
		return -EFBIG;
	l1 = calloc(entries ? entries : 1, 8);
	if (!l1)
		return -ENOMEM;
	r = bfile_read(img->file, offset, l1, entries * 8ull);
	if (r < 0) {
		free(l1);
		return r;
	}
	for (uint32_t i = 0; i < entries; i++)
		l1[i] = be64toh(l1[i]);
	*out = l1;
	return 0;
}

int qcow2_grow_l1(struct image *img, uint64_t entries)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t old_offset = q->l1_offset, old_clusters, clusters, offset;
	uint8_t header[12];
	uint64_t *more;
	int r;

	if (entries <= q->l1_size)
		return 0;
	if (entries * 8 > QCOW2_MAX_L1)
		return -EFBIG;
	clusters = (entries * 8 + q->cluster_size - 1) >> q->cluster_bits;
	old_clusters = (q->l1_size * 8ull + q->cluster_size - 1) >> q->cluster_bits;
	more = calloc(clusters * q->cluster_size / 8, 8);
	if (!more)
		return -ENOMEM;
	r = qcow2_alloc_run(img, clusters, &offset);
	if (r < 0) {
		free(more);
		return r;
	}
	memcpy(more, q->l1, q->l1_size * 8ull);
	/* The clusters' counts before what refers to them; the table before the header. */
	r = qcow2_write_l1(img, offset, more, 0, (uint32_t)(clusters * q->cluster_size / 8));
	if (r == 0)
		r = cache_write_all(img, &q->refblocks);
	if (r == 0)
		r = bfile_sync(img->file);
	put_be32(header, (uint32_t)entries);
	put_be64(header + 4, offset);
	if (r == 0)
		r = bfile_write(img->file, H_L1_SIZE, header, 12);
	if (r < 0) {
		free(more);
		return r;
	}
	free(q->l1);
	q->l1 = more;
	q->l1_size = (uint32_t)entries;
	q->l1_offset = offset;
	if (old_clusters)
		qcow2_free_later(img, old_offset, old_clusters);
	return 0;
}
