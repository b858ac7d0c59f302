/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A file or block device of the host under an image format. All calls block, may come from several
 * threads at once, and return 0 or -errno. Tests put a file of their own behind the same operations.
 */
#ifndef HW_BLOCK_BFILE_H
#define HW_BLOCK_BFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/block/iovs.h"
#include "hw/block/ranges.h"

struct bfile;

struct bfile_ops {
	/* Bytes, which may be fewer than asked for (0 at the end of the file), or -errno. */
	ssize_t (*preadv)(struct bfile *f, const struct iovec *v, unsigned n, uint64_t offset);
	ssize_t (*pwritev)(struct bfile *f, const struct iovec *v, unsigned n, uint64_t offset);
	int (*sync)(struct bfile *f);
	int (*truncate)(struct bfile *f, uint64_t size);
	/* Zeroes in [offset, offset + len) without writing them, given back to the host where unmap;
	 * within the file. -ENOTSUP: the caller writes. */
	int (*zero)(struct bfile *f, uint64_t offset, uint64_t len, bool unmap);
	/* Reserves space, growing the file. */
	int (*allocate)(struct bfile *f, uint64_t offset, uint64_t len);
	int (*size)(struct bfile *f, uint64_t *out);
	/* Whether there is data at offset, or a hole, and for how many bytes at least. */
	int (*extent)(struct bfile *f, uint64_t offset, bool *data, uint64_t *len);
	void (*close)(struct bfile *f);
};

struct bfile {
	const struct bfile_ops *ops;
	void *opaque; /* the operations' */
	char *path;
	int fd; /* -1: not a file of the host, so only the operations reach it */
	bool read_only, direct, device;
	bool no_flush;             /* sync does nothing */
	bool broken;               /* a sync failed: what was written before may be lost */
	uint32_t mem_align, align; /* of memory, and of offset and length, where direct; else 1 */
	struct range_locks edge; /* direct: writes, exclusive where they share a unit with others */
};

enum { BFILE_WRITE = 1, BFILE_DIRECT = 2, BFILE_NO_FLUSH = 4, BFILE_CREATE = 8, BFILE_TEMP = 16 };

/* BFILE_CREATE: makes it, or empties what is there, once it is locked. BFILE_TEMP: path is a folder; the
 * file has no name and is gone when closed. */
int bfile_open(struct bfile **out, const char *path, unsigned flags);
void bfile_close(struct bfile *f);

/* All of it; what lies past the end reads as zeroes. */
int bfile_read(struct bfile *f, uint64_t offset, void *buf, size_t len);
int bfile_readv(struct bfile *f, uint64_t offset, struct iovs *v, uint64_t len);
int bfile_write(struct bfile *f, uint64_t offset, const void *buf, size_t len);
int bfile_writev(struct bfile *f, uint64_t offset, struct iovs *v, uint64_t len);
/* Zeroes, one way or the other; past the end the file grows. */
int bfile_zero(struct bfile *f, uint64_t offset, uint64_t len, bool unmap);
/* Zeroes that take space. */
int bfile_fill_zero(struct bfile *f, uint64_t offset, uint64_t len);
/* Gives space back if the host can; never fails. */
void bfile_discard(struct bfile *f, uint64_t offset, uint64_t len);
int bfile_sync(struct bfile *f);
int bfile_truncate(struct bfile *f, uint64_t size);
int bfile_size(struct bfile *f, uint64_t *out);

/* ---- lock.c: against other processes, as QEMU does ---- */

/* Locks as one who writes, or one who reads; shared: as a reader who does not mind writers. -EAGAIN with
 * one line in err, which names the holder where it can be found. */
enum bfile_lock_kind { LOCK_WRITER, LOCK_READER, LOCK_NONE };
int bfile_lock(struct bfile *f, enum bfile_lock_kind kind, char *err, size_t errlen);

#endif
