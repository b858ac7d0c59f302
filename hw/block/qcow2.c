/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A qcow2 image as a whole: opened, closed, made, resized.
 */
#include "hw/block/qcow2.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/block/qcow2_create.h"

/* Of L2 tables and of refcount blocks that are kept in memory, in bytes. */
#define L2_CACHE_MAX       (32u << 20)
#define REFBLOCK_CACHE_MAX (4u << 20)
#define CACHE_MIN_TABLES   8u

static int compare_offsets(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int qcow2_collect_meta(struct image *img)
{
	struct qcow2 *q = qcow2_of(img);
	size_t n = 0, max = 64;
	uint64_t *meta;

	for (uint32_t i = 0; i < q->l1_size; i++)
		max += (q->l1[i] & ENTRY_OFFSET) != 0;
	for (uint32_t i = 0; i < q->reft_size; i++)
		max += (q->reft[i] & REFT_OFFSET) != 0;
	meta = malloc(max * sizeof(*meta));
	if (!meta)
		return -ENOMEM;
	for (uint32_t i = 0; i < q->l1_size; i++)
		if (q->l1[i] & ENTRY_OFFSET)
			meta[n++] = q->l1[i] & ENTRY_OFFSET;
	for (uint32_t i = 0; i < q->reft_size; i++)
		if (q->reft[i] & REFT_OFFSET)
			meta[n++] = q->reft[i] & REFT_OFFSET;
	qsort(meta, n, sizeof(*meta), compare_offsets);
	free(q->meta);
	q->meta = meta;
	q->nr_meta = n;
	q->max_meta = max;
	return 0;
}

static int make_caches(struct image *img)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t tables = l1_entries(q, img->size) + CACHE_MIN_TABLES;
	uint64_t max = L2_CACHE_MAX >> q->cluster_bits;
	uint64_t blocks = REFBLOCK_CACHE_MAX >> q->cluster_bits;
	int r;

	if (max > tables)
		max = tables;
	if (max < CACHE_MIN_TABLES)
		max = CACHE_MIN_TABLES;
	if (blocks < CACHE_MIN_TABLES)
		blocks = CACHE_MIN_TABLES;
	r = cache_init(&q->l2, (unsigned)max);
	return r < 0 ? r : cache_init(&q->refblocks, (unsigned)blocks);
}

void qcow2_drop_caches(struct image *img)
{
	struct qcow2 *q = qcow2_of(img);
	struct table_cache *all[] = {&q->l2, &q->refblocks};

	for (unsigned k = 0; k < 2; k++)
		for (unsigned i = 0; i <= all[k]->mask; i++)
			while (all[k]->hash[i])
				cache_drop(all[k], all[k]->hash[i]->offset);
	q->nr_pending = 0;
	q->l1_dirty_from = q->l1_dirty_to = 0;
}

int qcow2_write_caches(struct image *img)
{
	struct qcow2 *q = qcow2_of(img);
	int r = cache_write_all(img, &q->refblocks);

	if (r == 0)
		r = cache_write_all(img, &q->l2);
	if (r == 0 && q->l1_dirty_from < q->l1_dirty_to)
		r = qcow2_write_l1(img, q->l1_offset, q->l1, q->l1_dirty_from, q->l1_dirty_to);
	return r < 0 ? r : bfile_sync(img->file);
}

static int read_tables(struct image *img)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t file_size;
	int r = bfile_size(img->file, &file_size);

	if (r == 0)
		r = qcow2_read_l1(img, q->l1_offset, q->l1_size, &q->l1);
	if (r < 0)
		return r;
	q->reft_size = (uint32_t)(q->reft_clusters * q->cluster_size / 8);
	q->reft = malloc(q->reft_size * 8ull);
	if (!q->reft)
		return -ENOMEM;
	r = bfile_read(img->file, q->reft_offset, q->reft, q->reft_size * 8ull);
	for (uint32_t i = 0; i < q->reft_size; i++)
		q->reft[i] = be64toh(q->reft[i]);
	q->fresh =
	    img->file->device ? UINT64_MAX : (file_size + q->cluster_size - 1) >> q->cluster_bits;
	if (r == 0)
		r = make_caches(img);
	return r < 0 ? r : qcow2_collect_meta(img);
}

/* What a writer has to do to the header before the first write. */
static int open_for_writing(struct image *img, char *err, size_t errlen)
{
	struct qcow2 *q = qcow2_of(img);
	struct qcow2_check c = {0};
	uint8_t zero[8] = {0};
	int r = 0;

	if (q->incompat & FEAT_DIRTY) {
		r = qcow2_check(img, CHECK_FIX_LEAKS | CHECK_FIX_ERRORS, &c);
		if (r == 0 && c.corruptions)
			r = -EUCLEAN;
		if (r < 0) {
			image_error(err, errlen,
				    "%s was not closed and cannot be repaired (%s); look at it "
				    "with 'doppel img check'",
				    img->file->path, strerror(-r));
			return r;
		}
	}
	/* Nobody keeps what these features are about up to date now. */
	if (q->version >= 3 && q->autoclear) {
		r = bfile_write(img->file, H_AUTOCLEAR, zero, 8);
		q->autoclear = 0;
	}
	if (r < 0)
		image_error(err, errlen, "cannot write %s: %s", img->file->path, strerror(-r));
	return r;
}

static void free_state(struct image *img)
{
	struct qcow2 *q = qcow2_of(img);

	cache_fini(&q->l2);
	cache_fini(&q->refblocks);
	qcow2_free_snapshots(q);
	pthread_mutex_destroy(&q->lock);
	pthread_mutex_destroy(&q->commit);
	ranges_fini(&q->busy);
	free(q->l1);
	free(q->reft);
	free(q->meta);
	free(q->pending);
	free(q->extensions);
	free(q);
	img->state = NULL;
}

static int qcow2_open(struct image *img, unsigned flags, char *err, size_t errlen)
{
	struct qcow2 *q = calloc(1, sizeof(*q));
	int r;

	if (!q) {
		image_error(err, errlen, "%s: out of memory", img->file->path);
		return -ENOMEM;
	}
	img->state = q;
	pthread_mutex_init(&q->lock, NULL);
	pthread_mutex_init(&q->commit, NULL);
	ranges_init(&q->busy);
	q->discard = flags & IMAGE_DISCARD;
	q->check_only = flags & IMAGE_CHECK;
	r = qcow2_read_header(img, flags, err, errlen);
	if (r < 0)
		goto fail;
#ifndef CONFIG_ZSTD
	if (q->compression == 1) {
		image_error(err, errlen,
			    "%s is compressed with zstd, which this build does not support",
			    img->file->path);
		r = -ENOTSUP;
		goto fail;
	}
#endif
	img->discard_granularity = (uint32_t)q->cluster_size;
	r = read_tables(img);
	if (r < 0) {
		image_error(err, errlen, "cannot read the tables of %s: %s", img->file->path,
			    strerror(-r));
		goto fail;
	}
	r = qcow2_read_snapshots(img, err, errlen);
	if (r == 0 && !img->read_only && !q->check_only)
		r = open_for_writing(img, err, errlen);
	if (r == 0)
		return 0;
fail:
	free_state(img);
	return r;
}

static int qcow2_close(struct image *img)
{
	struct qcow2 *q = qcow2_of(img);
	int r = 0;

	if (!img->read_only && !q->check_only) {
		r = q->broken ? -EIO : qcow2_commit(img);
		if (r == 0)
			r = cache_write_all(img, &q->refblocks);
		if (r == 0)
			r = bfile_sync(img->file);
		if (r == 0)
			r = qcow2_set_incompat(img, q->incompat & ~(uint64_t)FEAT_DIRTY);
	}
	free_state(img);
	return r;
}

static int qcow2_flush(struct image *img)
{
	return qcow2_of(img)->broken ? -EIO : qcow2_commit(img);
}

/* ---- size ---- */

/* The end of the file, where nothing is in use any more. */
static void cut_file(struct image *img)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t bytes, n, count;

	if (bfile_size(img->file, &bytes) < 0 || img->file->device)
		return;
	n = (bytes + q->cluster_size - 1) >> q->cluster_bits;
	while (n > 1 && qcow2_get_refcount(img, n - 1, &count) == 0 && !count)
		n--;
	if (n << q->cluster_bits < bytes)
		bfile_truncate(img->file, n << q->cluster_bits);
}

static int set_size(struct image *img, uint64_t size)
{
	uint8_t be[8];
	int r;

	put_be64(be, size);
	r = bfile_write(img->file, H_SIZE, be, 8);
	if (r == 0)
		r = bfile_sync(img->file);
	if (r == 0)
		img->size = size;
	return r;
}

static int resize_locked(struct image *img, uint64_t size)
{
	struct qcow2 *q = qcow2_of(img);
	int r;

	pthread_mutex_lock(&q->commit);
	r = qcow2_commit_held(img);
	pthread_mutex_lock(&q->lock);
	if (r == 0)
		r = qcow2_grow_l1(img, l1_entries(q, size));
	if (r == 0)
		r = set_size(img, size);
	pthread_mutex_unlock(&q->lock);
	pthread_mutex_unlock(&q->commit);
	return r;
}

static int qcow2_resize(struct image *img, uint64_t size, char *err, size_t errlen)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t old = img->size, below = img->backing ? img->backing->size : 0;
	uint64_t from = cluster_up(q, size < old ? size : old);
	struct range_lock all;
	int r = 0;

	if (q->broken || (q->nr_snapshots && q->version < 3)) {
		image_error(err, errlen, "%s: %s", img->file->path,
			    q->broken ? q->problem
				      : "a qcow2 image of version 2 with snapshots cannot be "
					"resized");
		return q->broken ? -EIO : -ENOTSUP;
	}
	if (l1_entries(q, size) > QCOW2_MAX_L1 / 8) {
		image_error(err, errlen, "%s: too large for clusters of %llu bytes",
			    img->file->path, (unsigned long long)q->cluster_size);
		return -EFBIG;
	}
	/* What was past the end reads as zeroes when it comes back. */
	if (size < old && from < old)
		r = qcow2_zero_past(img, from, old - from);
	if (r == 0 && size < old && size % q->cluster_size)
		r = qcow2_zero(img, size, (from < old ? from : old) - size, false);
	ranges_lock(&q->busy, &all, 0, UINT64_MAX, true);
	if (r == 0)
		r = resize_locked(img, size);
	ranges_unlock(&q->busy, &all);
	if (r == 0 && size > old && below > old)
		r = qcow2_zero(img, old, (size < below ? size : below) - old, false);
	if (r == 0 && size < old) {
		r = qcow2_commit(img);
		if (r == 0)
			cut_file(img);
	}
	if (r < 0)
		image_error(err, errlen, "cannot resize %s: %s", img->file->path, strerror(-r));
	return r;
}

const struct image_ops qcow2_ops = {
    .name = "qcow2",
    .open = qcow2_open,
    .close = qcow2_close,
    .readv = qcow2_readv,
    .writev = qcow2_writev,
    .zero = qcow2_zero,
    .discard = qcow2_discard,
    .flush = qcow2_flush,
    .extent = qcow2_extent,
    .map = qcow2_map,
    .unmap = qcow2_unmap,
    .clean = qcow2_clean,
    .resize = qcow2_resize,
};

/* ---- properties ---- */

void qcow2_info(const struct image *img, struct qcow2_info *out)
{
	const struct qcow2 *q = qcow2_of(img);

	*out = (struct qcow2_info){
	    .version = q->version,
	    .cluster_size = (unsigned)q->cluster_size,
	    .refcount_bits = 1u << q->refcount_order,
	    .lazy_refcounts = q->compat & FEAT_LAZY,
	    .dirty = q->incompat & FEAT_DIRTY,
	    .corrupt = q->incompat & FEAT_CORRUPT,
	    .zstd = q->compression == 1,
	};
}

int qcow2_set_backing(struct image *img, const char *name, const char *format)
{
	char *n = name ? strdup(name) : NULL, *f = format ? strdup(format) : NULL;
	char *old_name = img->backing_name, *old_format = img->backing_format;
	int r = qcow2_commit(img);

	if (r == 0 && ((name && !n) || (format && !f)))
		r = -ENOMEM;
	if (r == 0) {
		img->backing_name = n;
		img->backing_format = f;
		r = qcow2_write_header(img);
		if (r == 0) {
			free(old_name);
			free(old_format);
			return 0;
		}
		img->backing_name = old_name;
		img->backing_format = old_format;
	}
	free(n);
	free(f);
	return r;
}

int qcow2_amend(struct image *img, unsigned version, bool lazy_refcounts)
{
	struct qcow2 *q = qcow2_of(img);
	int r =
	    version < q->version || (version < 3 && lazy_refcounts) ? -EINVAL : qcow2_commit(img);

	/* Version 3 has more in its snapshots' entries. */
	if (r == 0 && version > q->version && q->nr_snapshots) {
		pthread_mutex_lock(&q->commit);
		pthread_mutex_lock(&q->lock);
		r = qcow2_write_snapshots(img, q->snapshots, q->nr_snapshots);
		pthread_mutex_unlock(&q->lock);
		if (r == 0)
			r = qcow2_commit_held(img);
		pthread_mutex_unlock(&q->commit);
	}
	if (r < 0)
		return r;
	q->version = version;
	q->compat = (q->compat & ~(uint64_t)FEAT_LAZY) | (lazy_refcounts ? FEAT_LAZY : 0);
	return qcow2_write_header(img);
}
