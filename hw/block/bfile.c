/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Files and block devices of the host. O_DIRECT wants memory, offsets and lengths aligned: what is not
 * goes through a buffer, and a write that covers a unit in part reads it first.
 */
#include "hw/block/bfile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOUNCE  (1u << 20)
#define MAX_IOV 64

/* ---- the host's operations ---- */

static ssize_t host_preadv(struct bfile *f, const struct iovec *v, unsigned n, uint64_t offset)
{
	ssize_t r;

	do
		r = preadv(f->fd, v, (int)n, (off_t)offset);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

static ssize_t host_pwritev(struct bfile *f, const struct iovec *v, unsigned n, uint64_t offset)
{
	ssize_t r;

	do
		r = pwritev(f->fd, v, (int)n, (off_t)offset);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

static int host_sync(struct bfile *f)
{
	return fdatasync(f->fd) < 0 ? -errno : 0;
}

static int host_truncate(struct bfile *f, uint64_t size)
{
	if (f->device)
		return -ENOTSUP;
	return ftruncate(f->fd, (off_t)size) < 0 ? -errno : 0;
}

static int host_zero(struct bfile *f, uint64_t offset, uint64_t len, bool unmap)
{
	int mode = FALLOC_FL_KEEP_SIZE | (unmap ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE);
	int r;

	do
		r = fallocate(f->fd, mode, (off_t)offset, (off_t)len);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != ENODEV && errno != EINVAL)
		return -errno;
	/* A hole is as good as zeroes where zeroes are not to be had. */
	return unmap || f->device ? -ENOTSUP : host_zero(f, offset, len, true);
}

static int host_allocate(struct bfile *f, uint64_t offset, uint64_t len)
{
	int r;

	do
		r = posix_fallocate(f->fd, (off_t)offset, (off_t)len);
	while (r == EINTR);
	return -r;
}

static int host_size(struct bfile *f, uint64_t *out)
{
	struct stat st;

	if (fstat(f->fd, &st) < 0)
		return -errno;
	if (S_ISBLK(st.st_mode))
		return ioctl(f->fd, BLKGETSIZE64, out) < 0 ? -errno : 0;
	*out = (uint64_t)st.st_size;
	return 0;
}

static int host_extent(struct bfile *f, uint64_t offset, bool *data, uint64_t *len)
{
	off_t at = (off_t)offset, next = lseek(f->fd, at, SEEK_DATA);
	uint64_t size;
	int r;

	if (next == at) {
		next = lseek(f->fd, at, SEEK_HOLE);
		if (next > at) {
			*data = true;
			*len = (uint64_t)(next - at);
			return 0;
		}
	} else if (next > at) {
		*data = false;
		*len = (uint64_t)(next - at);
		return 0;
	}
	/* No more data, or a file system that cannot tell. */
	r = host_size(f, &size);
	if (r < 0)
		return r;
	*data = errno != ENXIO;
	*len = size > offset ? size - offset : 0;
	return *len ? 0 : -ENXIO;
}

static void host_close(struct bfile *f)
{
	close(f->fd);
}

static const struct bfile_ops host_ops = {
    .preadv = host_preadv,
    .pwritev = host_pwritev,
    .sync = host_sync,
    .truncate = host_truncate,
    .zero = host_zero,
    .allocate = host_allocate,
    .size = host_size,
    .extent = host_extent,
    .close = host_close,
};

static void find_alignment(struct bfile *f)
{
	struct statx sx;

	f->mem_align = 4096;
	f->align = 4096;
	if (f->device) {
		int sector;

		if (ioctl(f->fd, BLKSSZGET, &sector) == 0 && sector >= 512 && sector <= 65536)
			f->align = f->mem_align = (uint32_t)sector;
	}
#ifdef STATX_DIOALIGN
	else if (statx(f->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) == 0 &&
		 (sx.stx_mask & STATX_DIOALIGN) && sx.stx_dio_offset_align) {
		f->align = sx.stx_dio_offset_align;
		f->mem_align = sx.stx_dio_mem_align;
	}
#else
	(void)sx;
#endif
	/* What is larger than a bounce buffer, or not a power of two, no host has. */
	if (f->align > 65536 || (f->align & (f->align - 1)))
		f->align = 4096;
	if (f->mem_align > 65536 || (f->mem_align & (f->mem_align - 1)))
		f->mem_align = 4096;
}

int bfile_open(struct bfile **out, const char *path, unsigned flags)
{
	struct bfile *f = calloc(1, sizeof(*f));
	int mode = flags & (BFILE_WRITE | BFILE_CREATE | BFILE_TEMP) ? O_RDWR : O_RDONLY;
	struct stat st;
	int r;

	if (!f)
		return -ENOMEM;
	f->ops = &host_ops;
	f->read_only = mode == O_RDONLY;
	f->direct = flags & BFILE_DIRECT;
	f->no_flush = flags & BFILE_NO_FLUSH;
	f->mem_align = f->align = 1;
	ranges_init(&f->edge);
	if (f->direct)
		mode |= O_DIRECT;
	if (flags & BFILE_CREATE)
		mode |= O_CREAT;
	if (flags & BFILE_TEMP) {
		char name[4096];

		snprintf(name, sizeof(name), "%s/doppel.XXXXXX", path);
		f->fd = mkostemp(name, O_CLOEXEC | (f->direct ? O_DIRECT : 0));
		if (f->fd >= 0)
			unlink(name);
	} else {
		/* O_NONBLOCK: a FIFO is refused below instead of waited for. */
		f->fd = open(path, mode | O_CLOEXEC | O_NONBLOCK, 0644);
	}
	f->path = strdup(path);
	if (f->fd < 0 || !f->path) {
		r = f->fd < 0 ? -errno : -ENOMEM;
		goto fail;
	}
	r = fstat(f->fd, &st) < 0 ? -errno : 0;
	if (r == 0 && !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		r = S_ISDIR(st.st_mode) ? -EISDIR : -ENODEV;
	if (r < 0)
		goto fail;
	f->device = S_ISBLK(st.st_mode);
	if (f->direct)
		find_alignment(f);
	*out = f;
	return 0;
fail:
	if (f->fd >= 0)
		close(f->fd);
	ranges_fini(&f->edge);
	free(f->path);
	free(f);
	return r;
}

void bfile_close(struct bfile *f)
{
	if (!f)
		return;
	f->ops->close(f);
	ranges_fini(&f->edge);
	free(f->path);
	free(f);
}

/* ---- whole reads and writes ---- */

static bool is_aligned(const struct bfile *f, uint64_t offset, const struct iovs *v, uint64_t len)
{
	struct iovs at = *v;

	if (!f->direct)
		return true;
	if ((offset | len) & (f->align - 1))
		return false;
	while (len) {
		struct iovec piece = iovs_next(&at, len);

		if (!piece.iov_len)
			break;
		if (((uintptr_t)piece.iov_base & (f->mem_align - 1)) ||
		    (piece.iov_len & (f->align - 1)))
			return false;
		len -= piece.iov_len;
	}
	return true;
}

/* Bytes that were there, up to the end of the file; or -errno. */
static int64_t read_plain(struct bfile *f, uint64_t offset, struct iovs *v, uint64_t len)
{
	uint64_t done = 0;

	while (done < len) {
		struct iovs at = *v;
		struct iovec piece[MAX_IOV];
		size_t got;
		unsigned n = iovs_take(&at, len - done, piece, MAX_IOV, &got);
		ssize_t r;

		if (!n)
			break;
		r = f->ops->preadv(f, piece, n, offset + done);
		if (r < 0)
			return r;
		if (r == 0)
			break;
		iovs_skip(v, (size_t)r);
		done += (uint64_t)r;
		/* A short direct read ends off alignment only at the end of the file. */
		if (f->direct && (done & (f->align - 1)))
			break;
	}
	return (int64_t)done;
}

static int write_plain(struct bfile *f, uint64_t offset, struct iovs *v, uint64_t len)
{
	while (len) {
		struct iovs at = *v;
		struct iovec piece[MAX_IOV];
		size_t got;
		unsigned n = iovs_take(&at, len, piece, MAX_IOV, &got);
		ssize_t r;

		if (!n)
			return -EINVAL;
		r = f->ops->pwritev(f, piece, n, offset);
		if (r < 0)
			return (int)r;
		if (r == 0)
			return -EIO;
		iovs_skip(v, (size_t)r);
		offset += (uint64_t)r;
		len -= (uint64_t)r;
	}
	return 0;
}

static void *bounce_new(uint64_t len)
{
	void *p;

	return posix_memalign(&p, 65536, len < BOUNCE ? (len + 65535) & ~65535ull : BOUNCE) ? NULL
											    : p;
}

/* Fills buf from the file, with zeroes past its end. */
static int read_buffer(struct bfile *f, uint64_t offset, void *buf, size_t len)
{
	struct iovec one = {buf, len};
	struct iovs v = iovs_of(&one, 1);
	int64_t r = read_plain(f, offset, &v, len);

	if (r < 0)
		return (int)r;
	memset((char *)buf + r, 0, len - (size_t)r);
	return 0;
}

static int bounce(struct bfile *f, uint64_t offset, struct iovs *v, uint64_t len, bool write)
{
	uint64_t mask = f->align - 1;
	uint8_t *buf = bounce_new(len + 2 * f->align);
	int r = 0;

	if (!buf)
		return -ENOMEM;
	while (len && r == 0) {
		uint64_t start = offset & ~mask, head = offset - start;
		uint64_t part = len < BOUNCE - head ? len : BOUNCE - head;
		uint64_t whole = (head + part + mask) & ~mask;
		bool edges = whole != part;
		struct iovec one = {buf, whole};
		struct iovs at = iovs_of(&one, 1);

		if (!write) {
			r = read_buffer(f, start, buf, whole);
			if (r == 0)
				iovs_fill(v, buf + head, part);
		} else {
			struct range_lock lock;
			uint64_t size = 0;

			r = edges ? f->ops->size(f, &size) : 0;
			/* Nobody else may make the file longer before it is cut again. */
			ranges_lock(&f->edge, &lock, start,
				    edges && start + whole > size ? UINT64_MAX : start + whole,
				    edges);
			if (r == 0 && edges)
				r = f->ops->size(f, &size);
			if (r == 0 && edges)
				r = read_buffer(f, start, buf, whole);
			iovs_gather(v, buf + head, part);
			if (r == 0)
				r = write_plain(f, start, &at, whole);
			/* The file is no longer than what was written to it. */
			if (r == 0 && edges && !f->device && start + whole > size) {
				uint64_t end = offset + part;

				r = f->ops->truncate(f, end > size ? end : size);
			}
			ranges_unlock(&f->edge, &lock);
		}
		offset += part;
		len -= part;
	}
	free(buf);
	return r;
}

int bfile_readv(struct bfile *f, uint64_t offset, struct iovs *v, uint64_t len)
{
	int64_t r;

	if (!is_aligned(f, offset, v, len))
		return bounce(f, offset, v, len, false);
	r = read_plain(f, offset, v, len);
	if (r < 0)
		return (int)r;
	iovs_zero(v, len - (uint64_t)r);
	return 0;
}

int bfile_writev(struct bfile *f, uint64_t offset, struct iovs *v, uint64_t len)
{
	struct range_lock lock;
	int r;

	if (f->read_only)
		return -EROFS;
	if (!is_aligned(f, offset, v, len))
		return bounce(f, offset, v, len, true);
	if (!f->direct)
		return write_plain(f, offset, v, len);
	ranges_lock(&f->edge, &lock, offset, offset + len, false);
	r = write_plain(f, offset, v, len);
	ranges_unlock(&f->edge, &lock);
	return r;
}

int bfile_read(struct bfile *f, uint64_t offset, void *buf, size_t len)
{
	struct iovec one = {buf, len};
	struct iovs v = iovs_of(&one, 1);

	return bfile_readv(f, offset, &v, len);
}

int bfile_write(struct bfile *f, uint64_t offset, const void *buf, size_t len)
{
	struct iovec one = {(void *)buf, len};
	struct iovs v = iovs_of(&one, 1);

	return bfile_writev(f, offset, &v, len);
}

/* ---- space ---- */

int bfile_fill_zero(struct bfile *f, uint64_t offset, uint64_t len)
{
	void *buf = bounce_new(len);
	int r = buf ? 0 : -ENOMEM;

	if (buf)
		memset(buf, 0, len < BOUNCE ? len : BOUNCE);
	while (len && r == 0) {
		uint64_t part = len < BOUNCE ? len : BOUNCE;

		r = bfile_write(f, offset, buf, part);
		offset += part;
		len -= part;
	}
	free(buf);
	return r;
}

int bfile_zero(struct bfile *f, uint64_t offset, uint64_t len, bool unmap)
{
	uint64_t size, inside;
	int r;

	if (f->read_only)
		return -EROFS;
	r = f->ops->size(f, &size);
	if (r < 0)
		return r;
	inside = offset >= size ? 0 : (len < size - offset ? len : size - offset);
	if (inside) {
		r = f->ops->zero(f, offset, inside, unmap);
		if (r == -ENOTSUP)
			r = bfile_fill_zero(f, offset, inside);
		if (r < 0)
			return r;
	}
	/* Others may be making it longer still: one byte at the end cannot cut theirs off. */
	return inside < len ? bfile_write(f, offset + len - 1, "", 1) : 0;
}

void bfile_discard(struct bfile *f, uint64_t offset, uint64_t len)
{
	uint64_t size;

	if (f->read_only || f->ops->size(f, &size) < 0 || offset >= size)
		return;
	f->ops->zero(f, offset, len < size - offset ? len : size - offset, true);
}

int bfile_sync(struct bfile *f)
{
	int r;

	if (f->no_flush || f->read_only)
		return 0;
	/* After one failure the host forgets what it could not write: never claim it again. */
	if (__atomic_load_n(&f->broken, __ATOMIC_RELAXED))
		return -EIO;
	r = f->ops->sync(f);
	if (r < 0 && r != -EINTR && r != -ENOSPC && r != -EDQUOT)
		__atomic_store_n(&f->broken, true, __ATOMIC_RELAXED);
	return r;
}

int bfile_truncate(struct bfile *f, uint64_t size)
{
	return f->read_only ? -EROFS : f->ops->truncate(f, size);
}

int bfile_size(struct bfile *f, uint64_t *out)
{
	return f->ops->size(f, out);
}
