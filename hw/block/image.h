/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * An image: a format over a host file, with its backing chain. All calls block and return 0 or -errno.
 * image_readv(), writev, zero, discard, flush and extent may be called on several threads at once; the
 * others need the image for themselves.
 */
#ifndef HW_BLOCK_IMAGE_H
#define HW_BLOCK_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/block/bfile.h"
#include "hw/block/iovs.h"

#define IMAGE_MAX_CHAIN 64
#define IMAGE_MAX_SIZE  (1ull << 62)

enum {
	IMAGE_WRITE = 1,
	IMAGE_DIRECT = 2,
	IMAGE_NO_FLUSH = 4,
	IMAGE_NO_BACKING = 8, /* leaves the backing chain alone: what it holds reads as zeroes */
	IMAGE_NO_LOCK = 16,
	IMAGE_SHARE = 32,    /* reads although somebody writes */
	IMAGE_CHECK = 64,    /* opens what is dirty or marked corrupt, and repairs nothing */
	IMAGE_DISCARD = 128, /* gives space of discarded clusters back to the host */
	IMAGE_BORROW = 256,  /* the file stays the caller\'s, and open */
};

struct image;

enum extent_kind {
	EXTENT_DATA,
	EXTENT_ZERO,    /* reads as zeroes, whatever is below */
	EXTENT_BACKING, /* this image does not have it */
};

struct extent {
	enum extent_kind kind;
	bool allocated; /* takes space in the file */
	bool compressed;
	bool mapped; /* host is valid: the bytes lie in image->file, as they are */
	uint64_t host, len;
};

struct image_ops {
	const char *name;
	int (*open)(struct image *img, unsigned flags, char *err, size_t errlen);
	/* Writes out what it caches. */
	int (*close)(struct image *img);
	int (*readv)(struct image *img, uint64_t offset, struct iovs *v, uint64_t len);
	int (*writev)(struct image *img, uint64_t offset, struct iovs *v, uint64_t len);
	int (*zero)(struct image *img, uint64_t offset, uint64_t len, bool unmap);
	int (*discard)(struct image *img, uint64_t offset, uint64_t len);
	int (*flush)(struct image *img);
	/* What is at offset, for at most len bytes: out->len is at least 1. */
	int (*extent)(struct image *img, uint64_t offset, uint64_t len, struct extent *out);
	/* Without waiting for anything: whether [offset, offset + len) lies in one piece in the file
	 * and may be read or written there; until unmap it stays there. NULL: never. */
	bool (*map)(struct image *img, uint64_t offset, uint64_t len, bool write,
		    struct range_lock *r, uint64_t *host);
	void (*unmap)(struct image *img, struct range_lock *r);
	/* Whether a flush needs no more than a sync of the file. */
	bool (*clean)(struct image *img);
	int (*resize)(struct image *img, uint64_t size, char *err, size_t errlen);
};

struct image {
	const struct image_ops *ops;
	struct bfile *file;
	struct image *backing; /* owned */
	char *backing_name;    /* as the image has it, or NULL */
	char *backing_format;
	uint64_t size; /* of the disk; any number of bytes */
	bool read_only;
	bool snapshot; /* this one is a temporary overlay */
	bool borrowed; /* file is not ours to close */
	bool guessed;  /* nobody said that it is raw: it may not become anything else */
	uint32_t discard_granularity;
	void *state; /* the format's */
};

/* Opens path with its chain; format NULL: found out by looking, which never yields a backing file's
 * format "raw" by accident where the image names one. One line in err. */
int image_open(struct image **out, const char *path, const char *format, unsigned flags, char *err,
	       size_t errlen);
/* Over a file that is open already, which it takes over (also on failure) but for IMAGE_BORROW. */
int image_open_file(struct image **out, struct bfile *file, const char *format, unsigned flags,
		    char *err, size_t errlen);
/* The backing file's path: a relative name is so to the image's folder. The caller frees it; NULL without
 * memory. */
char *image_backing_path(const struct image *img);
/* An empty temporary image over base, which it takes over on success. */
int image_overlay(struct image **out, struct image *base, char *err, size_t errlen);
/* The first failure to write out what was cached. */
int image_close(struct image *img);

/* offset + len may not be past the size. v has len bytes. */
int image_readv(struct image *img, uint64_t offset, struct iovs *v, uint64_t len);
int image_writev(struct image *img, uint64_t offset, struct iovs *v, uint64_t len);
int image_read(struct image *img, uint64_t offset, void *buf, size_t len);
int image_write(struct image *img, uint64_t offset, const void *buf, size_t len);
int image_zero(struct image *img, uint64_t offset, uint64_t len, bool unmap);
int image_discard(struct image *img, uint64_t offset, uint64_t len);
int image_flush(struct image *img);
/* Of this image alone. */
int image_extent(struct image *img, uint64_t offset, uint64_t len, struct extent *out);
int image_resize(struct image *img, uint64_t size, char *err, size_t errlen);

/* ---- image_commit.c ---- */

/* Writes what top has of its own to base, which grows if it is shorter, and flushes it. progress: bytes of
 * top that are done, and those of them that were copied; may be NULL. One line in err. */
int image_commit(struct image *top, struct image *base,
		 void (*progress)(void *opaque, uint64_t done, uint64_t copied), void *opaque,
		 char *err, size_t errlen);
/* The same into its own backing file, which is opened for writing for that with more of the flags of
 * image_open(), and stays so; then top has nothing of its own. One line in err. */
int image_commit_below(struct image *top, unsigned flags, char *err, size_t errlen);

/* ---- snapshots within an image (qcow2 only) ---- */

struct image_snapshot {
	char *id, *name;
	uint32_t date_sec, date_nsec;
	uint64_t vm_clock_nsec, vm_state_size, disk_size;
	uint64_t icount; /* UINT64_MAX: not known */
};

bool image_has_snapshots(const struct image *img);
/* By index, or NULL at the end. Valid until the next change. */
const struct image_snapshot *image_snapshot_at(const struct image *img, unsigned index);
/* By id, else by name; -1: none. */
int image_snapshot_find(const struct image *img, const char *id_or_name);
/* Keeps what the disk is now, with the machine's state that was written before. From `info` come the name
 * and, for a machine's state, date, clock and size; the id is made. One line in err. */
int image_snapshot_create(struct image *img, const struct image_snapshot *info, char *err,
			  size_t errlen);
/* The disk becomes what it was; the snapshot stays. */
int image_snapshot_apply(struct image *img, unsigned index, char *err, size_t errlen);
int image_snapshot_delete(struct image *img, unsigned index, char *err, size_t errlen);
/* A read-only image shows what the snapshot has from now on. */
int image_snapshot_look(struct image *img, unsigned index, char *err, size_t errlen);
/* The machine's state lies past the disk's end: written before image_snapshot_create(), read after
 * image_snapshot_apply(), and taken away by image_state_drop(). */
int image_state_write(struct image *img, uint64_t pos, const void *buf, size_t len);
int image_state_read(struct image *img, uint64_t pos, void *buf, size_t len);
int image_state_drop(struct image *img, uint64_t len);

/* The format's name by what the file holds: "raw" if nothing else. */
const char *image_probe(struct bfile *file);
/* The same from the first n bytes. */
const char *image_probe_bytes(const void *head, size_t n);
const struct image_ops *image_format(const char *name);
extern const struct image_ops raw_ops, qcow2_ops;

/* Writes one line. */
void image_error(char *err, size_t errlen, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
