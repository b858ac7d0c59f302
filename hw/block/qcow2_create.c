/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * New qcow2 images: one of no size, with a header, a refcount table and a refcount block, grows to the
 * size that is wanted.
 */
#include "hw/block/qcow2_create.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hw/block/qcow2.h"

struct qcow2_options qcow2_defaults(uint64_t size)
{
	return (struct qcow2_options){
	    .size = size,
	    .version = 3,
	    .cluster_size = 65536,
	    .refcount_bits = 16,
	};
}

static unsigned log2_of(unsigned v)
{
	return (unsigned)__builtin_ctz(v);
}

static int refuse(const char *path, char *err, size_t errlen, const char *why)
{
	image_error(err, errlen, "%s: %s", path, why);
	return -EINVAL;
}

int qcow2_check_options(const char *path, const struct qcow2_options *o, char *err, size_t errlen)
{
	if (o->version != 2 && o->version != 3)
		return refuse(path, err, errlen, "compat must be 0.10 (v2) or 1.1 (v3)");
	if (o->cluster_size < 512 || o->cluster_size > 2u << 20 ||
	    (o->cluster_size & (o->cluster_size - 1)))
		return refuse(path, err, errlen,
			      "cluster_size must be a power of two from 512 to 2M");
	if (!o->refcount_bits || o->refcount_bits > 64 ||
	    (o->refcount_bits & (o->refcount_bits - 1)))
		return refuse(path, err, errlen, "refcount_bits must be a power of two up to 64");
	if (o->version == 2 && (o->refcount_bits != 16 || o->lazy_refcounts || o->zstd))
		return refuse(path, err, errlen,
			      "lazy_refcounts, zstd and refcount_bits other than 16 need "
			      "compat=1.1 (v3)");
	if (o->size > IMAGE_MAX_SIZE)
		return refuse(path, err, errlen, "the size is too large");
	if (o->backing_name && strlen(o->backing_name) > QCOW2_MAX_NAME)
		return refuse(path, err, errlen, "the backing file's name is too long");
	if (o->backing_name && o->preallocation != PREALLOC_OFF)
		return refuse(path, err, errlen,
			      "a backing file and preallocation do not go together");
#ifndef CONFIG_ZSTD
	if (o->zstd)
		return refuse(path, err, errlen, "this build does not support zstd");
#endif
	return 0;
}

/* The image of no size. */
static int write_empty(struct bfile *file, const struct qcow2_options *o)
{
	struct qcow2 q = {
	    .version = o->version,
	    .cluster_bits = log2_of(o->cluster_size),
	    .cluster_size = o->cluster_size,
	    .refcount_order = log2_of(o->refcount_bits),
	    .reft_offset = o->cluster_size,
	    .reft_clusters = 1,
	    .compat = o->lazy_refcounts ? FEAT_LAZY : 0,
	    .incompat = o->zstd ? FEAT_COMPRESSION : 0,
	    .compression = o->zstd,
	};
	struct image img = {
	    .file = file,
	    .backing_name = (char *)o->backing_name,
	    .backing_format = (char *)o->backing_format,
	    .state = &q,
	};
	uint8_t *buf = calloc(2, o->cluster_size);
	int r;

	if (!buf)
		return -ENOMEM;
	put_be64(buf, 2ull * o->cluster_size);
	for (unsigned i = 0; i < 3; i++)
		qcow2_refcount_put(&q, buf + o->cluster_size, i, 1);
	r = bfile_write(file, o->cluster_size, buf, 2ull * o->cluster_size);
	free(buf);
	return r < 0 ? r : qcow2_write_header(&img);
}

int qcow2_preallocate(struct image *img, uint64_t from, enum preallocation how)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t offset = cluster_up(q, from), end = cluster_up(q, img->size), top = 0;
	int r = 0;

	while (offset < end && r == 0) {
		uint64_t want = (end - offset) >> q->cluster_bits, host = 0, n = 0;
		uint64_t left =
		    (1ull << q->l2_bits) - (offset >> q->cluster_bits & ((1ull << q->l2_bits) - 1));
		struct table *t;
		bool fresh;

		pthread_mutex_lock(&q->lock);
		r = qcow2_l2_for_write(img, offset, &t);
		if (r == 0)
			r = qcow2_alloc(img, want < left ? want : left, &host, &n, &fresh);
		if (r == 0)
			qcow2_set_entries(img, t, offset, n, host | ENTRY_COPIED, true);
		pthread_mutex_unlock(&q->lock);
		if (r == 0 && how == PREALLOC_FALLOC)
			r = img->file->ops->allocate(img->file, host, n << q->cluster_bits);
		/* Used before, or of a device, they may hold anything. */
		if (r == 0 && (how == PREALLOC_FULL || !fresh || img->file->device))
			r = bfile_fill_zero(img->file, host, n << q->cluster_bits);
		if (host + (n << q->cluster_bits) > top)
			top = host + (n << q->cluster_bits);
		if (r == 0 && q->l2.nr_dirty > q->l2.max / 2)
			r = qcow2_commit(img);
		offset += n << q->cluster_bits;
	}
	if (r == 0 && !img->file->device) {
		uint64_t now;

		r = bfile_size(img->file, &now);
		if (r == 0 && now < top)
			r = bfile_truncate(img->file, top);
	}
	return r;
}

int qcow2_create(struct bfile *file, const struct qcow2_options *o, char *err, size_t errlen)
{
	struct image *img;
	int r = qcow2_check_options(file->path, o, err, errlen), e;

	if (r < 0)
		return r;
	r = write_empty(file, o);
	if (r < 0) {
		image_error(err, errlen, "cannot write %s: %s", file->path,
			    r == -ENAMETOOLONG
				? "the backing file's name is too long for the cluster size"
				: strerror(-r));
		return r;
	}
	r = image_open_file(&img, file, "qcow2", IMAGE_WRITE | IMAGE_NO_BACKING | IMAGE_BORROW, err,
			    errlen);
	if (r < 0)
		return r;
	r = image_resize(img, o->size, err, errlen);
	if (r == 0 && o->preallocation != PREALLOC_OFF) {
		r = qcow2_preallocate(img, 0, o->preallocation);
		if (r < 0)
			image_error(err, errlen, "cannot allocate space for %s: %s", file->path,
				    strerror(-r));
	}
	e = image_close(img);
	if (r == 0 && e < 0)
		image_error(err, errlen, "cannot write %s: %s", file->path, strerror(-e));
	return r < 0 ? r : e;
}

int image_overlay(struct image **out, struct image *base, char *err, size_t errlen)
{
	struct qcow2_options o = qcow2_defaults(base->size);
	const char *dir = getenv("TMPDIR");
	struct bfile *file;
	int r;

	if (!dir || !*dir)
		dir = "/var/tmp";
	o.backing_name = base->file->path;
	if (strlen(o.backing_name) > QCOW2_MAX_NAME)
		o.backing_name = "base";
	r = bfile_open(&file, dir, BFILE_TEMP | BFILE_NO_FLUSH);
	if (r < 0) {
		image_error(err, errlen, "cannot make a temporary image in %s: %s (set TMPDIR)",
			    dir, strerror(-r));
		return r;
	}
	r = qcow2_create(file, &o, err, errlen);
	if (r < 0) {
		bfile_close(file);
		return r;
	}
	r = image_open_file(out, file, "qcow2",
			    IMAGE_WRITE | IMAGE_NO_FLUSH | IMAGE_NO_BACKING | IMAGE_DISCARD, err,
			    errlen);
	if (r < 0)
		return r;
	(*out)->backing = base;
	(*out)->snapshot = true;
	return 0;
}
