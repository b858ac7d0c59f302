/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * How often each cluster of the file is referred to, and where metadata is.
 *
 * Every refcount block lies in the range of clusters that it counts: when a block is made all of them are
 * free, so that it can count itself, and making one never needs another. The table of blocks grows in
 * the same way: into the first range that has no block yet.
 */
#include <errno.h>
#include <stdlib.h>

#include "hw/block/qcow2.h"

/* ---- entries of any width ---- */

uint64_t qcow2_refcount_at(const struct qcow2 *q, const uint8_t *block, uint64_t index)
{
	switch (q->refcount_order) {
	case 0:
		return block[index / 8] >> (index % 8) & 1;
	case 1:
		return block[index / 4] >> (index % 4 * 2) & 3;
	case 2:
		return block[index / 2] >> (index % 2 * 4) & 15;
	case 3:
		return block[index];
	case 4:
		return get_be16(block + index * 2);
	case 5:
		return get_be32(block + index * 4);
	default:
		return get_be64(block + index * 8);
	}
}

void qcow2_refcount_put(const struct qcow2 *q, uint8_t *block, uint64_t index, uint64_t value)
{
	unsigned shift;

	switch (q->refcount_order) {
	case 0:
		shift = index % 8;
		block[index / 8] = (uint8_t)((block[index / 8] & ~(1u << shift)) | value << shift);
		break;
	case 1:
		shift = index % 4 * 2;
		block[index / 4] = (uint8_t)((block[index / 4] & ~(3u << shift)) | value << shift);
		break;
	case 2:
		shift = index % 2 * 4;
		block[index / 2] = (uint8_t)((block[index / 2] & ~(15u << shift)) | value << shift);
		break;
	case 3:
		block[index] = (uint8_t)value;
		break;
	case 4:
		put_be16(block + index * 2, (uint16_t)value);
		break;
	case 5:
		put_be32(block + index * 4, (uint32_t)value);
		break;
	default:
		put_be64(block + index * 8, value);
	}
}

static uint64_t max_refcount(const struct qcow2 *q)
{
	/* QEMU takes 64-bit ones for signed, too. */
	return q->refcount_order == 6 ? INT64_MAX : (1ull << (1u << q->refcount_order)) - 1;
}

/* ---- where metadata is ---- */

static size_t find_meta(const struct qcow2 *q, uint64_t offset)
{
	size_t lo = 0, hi = q->nr_meta;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (q->meta[mid] < offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int qcow2_add_meta(struct qcow2 *q, uint64_t offset)
{
	size_t at;

	if (q->nr_meta == q->max_meta) {
		size_t max = q->max_meta ? q->max_meta * 2 : 64;
		uint64_t *more = realloc(q->meta, max * sizeof(*more));

		if (!more)
			return -ENOMEM;
		q->meta = more;
		q->max_meta = max;
	}
	at = find_meta(q, offset);
	if (at < q->nr_meta && q->meta[at] == offset)
		return 0;
	memmove(q->meta + at + 1, q->meta + at, (q->nr_meta - at) * sizeof(*q->meta));
	q->meta[at] = offset;
	q->nr_meta++;
	return 0;
}

void qcow2_drop_meta(struct qcow2 *q, uint64_t offset)
{
	size_t at = find_meta(q, offset);

	if (at == q->nr_meta || q->meta[at] != offset)
		return;
	q->nr_meta--;
	memmove(q->meta + at, q->meta + at + 1, (q->nr_meta - at) * sizeof(*q->meta));
}

static bool overlaps(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

bool qcow2_is_meta(const struct qcow2 *q, uint64_t offset, uint64_t len)
{
	size_t at = find_meta(q, offset < q->cluster_size ? 0 : offset - q->cluster_size + 1);

	if (offset < q->cluster_size)
		return true;
	if (at < q->nr_meta && overlaps(offset, len, q->meta[at], q->cluster_size))
		return true;
	return overlaps(offset, len, q->l1_offset, cluster_up(q, q->l1_size * 8ull)) ||
	       overlaps(offset, len, q->reft_offset, q->reft_clusters * q->cluster_size) ||
	       (q->nr_snapshots &&
		overlaps(offset, len, q->snapshots_offset, cluster_up(q, q->snapshots_bytes)));
}

/* ---- blocks ---- */

static int load_block(struct image *img, uint64_t index, struct table **out)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t offset = q->reft[index] & REFT_OFFSET;

	*out = cache_find(&q->refblocks, offset);
	if (*out)
		return 0;
	return cache_get(img, &q->refblocks, offset, true, true, out);
}

int qcow2_get_refcount(struct image *img, uint64_t cluster, uint64_t *out)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t index = cluster >> q->refblock_bits;
	struct table *t;
	int r;

	*out = 0;
	if (index >= q->reft_size || !(q->reft[index] & REFT_OFFSET))
		return 0;
	r = load_block(img, index, &t);
	if (r == 0)
		*out = qcow2_refcount_at(q, t->data, cluster & ((1ull << q->refblock_bits) - 1));
	return r;
}

static int write_reft(struct image *img, uint64_t from, uint64_t to)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t unit = 512 / 8, end = q->reft_clusters * q->cluster_size / 8;
	uint64_t *be;
	int r;

	from &= ~(unit - 1);
	to = (to + unit - 1) & ~(unit - 1);
	if (to > end)
		to = end;
	be = calloc(to - from, 8);
	if (!be)
		return -ENOMEM;
	for (uint64_t i = from; i < to; i++)
		be[i - from] = i < q->reft_size ? htobe64(q->reft[i]) : 0;
	r = bfile_write(img->file, q->reft_offset + from * 8, be, (to - from) * 8);
	free(be);
	return r;
}

/* A block on the disk that counts `used` clusters from its range's start on. */
static int make_block(struct image *img, uint64_t offset, uint64_t used)
{
	struct qcow2 *q = qcow2_of(img);
	struct table *t;
	int r;

	if (qcow2_is_meta(q, offset, q->cluster_size))
		return qcow2_corrupt(img, "metadata at %#llx is not counted",
				     (unsigned long long)offset);
	r = cache_get(img, &q->refblocks, offset, false, true, &t);
	if (r < 0)
		return r;
	for (uint64_t i = 0; i < used; i++)
		qcow2_refcount_put(q, t->data, i, 1);
	cache_dirty(&q->refblocks, t, 0, (uint32_t)q->cluster_size);
	r = cache_write(img, &q->refblocks, t);
	if (r == 0)
		r = qcow2_add_meta(q, offset);
	if (r < 0) {
		cache_drop(&q->refblocks, offset);
		return r;
	}
	if (q->fresh < (offset >> q->cluster_bits) + 1)
		q->fresh = (offset >> q->cluster_bits) + 1;
	return 0;
}

/* The table has no entry for `index`: a larger one, in the first range without a block. */
static int grow_reft(struct image *img, uint64_t index)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t per_block = 1ull << q->refblock_bits, first = q->reft_size;
	uint64_t start = first << q->refblock_bits;
	uint64_t size = index + 1 > first * 3 / 2 ? index + 1 : first * 3 / 2;
	uint64_t clusters, blocks = 1, old_offset = q->reft_offset, old_clusters = q->reft_clusters;
	uint64_t old_size = q->reft_size;
	uint64_t *more, *old = q->reft;
	uint8_t header[12];
	int r = 0;

	do {
		if (size < first + blocks)
			size = first + blocks;
		clusters = (size * 8 + q->cluster_size - 1) >> q->cluster_bits;
		if (blocks * per_block >= blocks + clusters)
			break;
		blocks++;
	} while (blocks < 65536);
	size = clusters * q->cluster_size / 8;
	if (size * 8 > QCOW2_MAX_REFTABLE || blocks == 65536)
		return -EFBIG;
	more = calloc(size, 8);
	if (!more)
		return -ENOMEM;
	memcpy(more, old, first * 8);
	for (uint64_t i = 0; i < blocks && r == 0; i++) {
		uint64_t before = i * per_block;
		uint64_t used = blocks + clusters > before ? blocks + clusters - before : 0;

		more[first + i] = (start + i) << q->cluster_bits;
		r = make_block(img, more[first + i], used < per_block ? used : per_block);
	}
	if (r == 0 &&
	    qcow2_is_meta(q, (start + blocks) << q->cluster_bits, clusters << q->cluster_bits))
		r = qcow2_corrupt(img, "metadata at %#llx is not counted",
				  (unsigned long long)(start + blocks) << q->cluster_bits);
	if (r < 0) {
		free(more);
		return r;
	}
	q->reft = more;
	q->reft_size = (uint32_t)size;
	q->reft_clusters = (uint32_t)clusters;
	q->reft_offset = (start + blocks) << q->cluster_bits;
	if (q->fresh < start + blocks + clusters)
		q->fresh = start + blocks + clusters;
	r = write_reft(img, 0, size);
	if (r == 0)
		r = bfile_sync(img->file);
	put_be64(header, q->reft_offset);
	put_be32(header + 8, q->reft_clusters);
	if (r == 0)
		r = bfile_write(img->file, H_REFT_OFFSET, header, 12);
	if (r < 0) {
		/* Either table may be the disk's now; both say the same of all that is in use. */
		q->reft = old;
		q->reft_size = (uint32_t)old_size;
		q->reft_clusters = (uint32_t)old_clusters;
		q->reft_offset = old_offset;
		free(more);
		return r;
	}
	free(old);
	qcow2_free_later(img, old_offset, old_clusters);
	return 0;
}

int qcow2_want_refblock(struct image *img, uint64_t cluster)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t index = cluster >> q->refblock_bits, start = index << q->refblock_bits;
	int r;

	if (index >= q->reft_size) {
		r = grow_reft(img, index);
		if (r < 0)
			return r;
	}
	if (q->reft[index] & REFT_OFFSET)
		return 0;
	r = make_block(img, start << q->cluster_bits, 1);
	/* The block before the table's entry. */
	if (r == 0)
		r = bfile_sync(img->file);
	if (r < 0)
		return r;
	q->reft[index] = start << q->cluster_bits;
	r = write_reft(img, index, index + 1);
	if (r < 0)
		q->reft[index] = 0;
	return r;
}

int qcow2_add_refcount(struct image *img, uint64_t offset, uint64_t clusters, int64_t add)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t first = offset >> q->cluster_bits;
	uint64_t n;
	int r = 0;

	for (n = 0; n < clusters; n++) {
		uint64_t cluster = first + n, at = cluster & ((1ull << q->refblock_bits) - 1);
		struct table *t;
		uint64_t old;

		r = qcow2_want_refblock(img, cluster);
		if (r == 0)
			r = load_block(img, cluster >> q->refblock_bits, &t);
		if (r < 0)
			break;
		old = qcow2_refcount_at(q, t->data, at);
		if (add < 0 ? old < (uint64_t)-add : old + (uint64_t)add > max_refcount(q)) {
			r = add < 0 ? qcow2_corrupt(img, "refcount of cluster %#llx below zero",
						    (unsigned long long)cluster)
				    : -EOVERFLOW;
			break;
		}
		qcow2_refcount_put(q, t->data, at, old + (uint64_t)add);
		cache_dirty(&q->refblocks, t, (uint32_t)((at << q->refcount_order) / 8),
			    (uint32_t)((at << q->refcount_order) / 8 + 8 <= q->cluster_size
					   ? (at << q->refcount_order) / 8 + 8
					   : q->cluster_size));
		if (old + (uint64_t)add == 0 && cluster < q->hint)
			q->hint = cluster;
	}
	if (r < 0 && n)
		qcow2_add_refcount(img, offset, n, -add);
	return r;
}
