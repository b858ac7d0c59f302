/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Making qcow2 images, and what `doppel img` does to them beyond reading and writing.
 */
#ifndef HW_BLOCK_QCOW2_CREATE_H
#define HW_BLOCK_QCOW2_CREATE_H

#include "hw/block/image.h"

enum preallocation { PREALLOC_OFF, PREALLOC_METADATA, PREALLOC_FALLOC, PREALLOC_FULL };

struct qcow2_options {
	uint64_t size;
	unsigned version;       /* 2 or 3 */
	unsigned cluster_size;  /* a power of two, 512 to 2 MiB */
	unsigned refcount_bits; /* a power of two, 1 to 64; 16 for version 2 */
	bool lazy_refcounts, zstd;
	const char *backing_name, *backing_format; /* or NULL; not looked at */
	enum preallocation preallocation;
};

/* The defaults, for a size. */
struct qcow2_options qcow2_defaults(uint64_t size);
/* Whether there can be such an image, to be called `path` in err: 0, or -EINVAL with one line there. */
int qcow2_check_options(const char *path, const struct qcow2_options *o, char *err, size_t errlen);
/* Into a file that is open for writing, and stays so. One line in err. */
int qcow2_create(struct bfile *file, const struct qcow2_options *o, char *err, size_t errlen);

/* Gives clusters to [from, size), which reads as zeroes; nobody else uses the image. 0 or -errno. */
int qcow2_preallocate(struct image *img, uint64_t from, enum preallocation how);

struct qcow2_info {
	unsigned version, cluster_size, refcount_bits;
	bool lazy_refcounts, dirty, corrupt, zstd;
};
void qcow2_info(const struct image *img, struct qcow2_info *out);
/* The image has nothing of its own any more: all is its backing file's. */
int qcow2_make_empty(struct image *img);
/* Version 3 instead of 2 (never back), and lazy refcounts (of version 3) or not. 0 or -errno. */
int qcow2_amend(struct image *img, unsigned version, bool lazy_refcounts);
/* Another backing file's name in the header, or none. */
int qcow2_set_backing(struct image *img, const char *name, const char *format);

#endif
