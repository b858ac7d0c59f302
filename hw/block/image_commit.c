/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What an image has of its own goes to its backing file, which thereby is what the disk is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "hw/block/image.h"
#include "hw/block/qcow2_create.h"

#define CHUNK ((size_t)2 << 20)

static int copy_extent(struct image *top, struct image *base, const struct extent *e,
		       uint64_t offset, void *buf)
{
	int r;

	if (e->kind == EXTENT_BACKING)
		return 0;
	if (e->kind == EXTENT_ZERO)
		return image_zero(base, offset, e->len, true);
	r = image_read(top, offset, buf, e->len);
	return r < 0 ? r : image_write(base, offset, buf, e->len);
}

int image_commit(struct image *top, struct image *base,
		 void (*progress)(void *opaque, uint64_t done, uint64_t copied), void *opaque,
		 char *err, size_t errlen)
{
	uint64_t copied = 0;
	uint8_t *buf;
	int r = 0;

	if (base->size < top->size)
		r = image_resize(base, top->size, err, errlen);
	if (r < 0)
		return r;
	buf = malloc(CHUNK);
	r = buf ? 0 : -ENOMEM;
	for (uint64_t offset = 0; offset < top->size && r == 0;) {
		uint64_t left = top->size - offset;
		struct extent e;

		r = image_extent(top, offset, left < CHUNK ? left : CHUNK, &e);
		if (r < 0)
			break;
		r = copy_extent(top, base, &e, offset, buf);
		offset += e.len;
		copied += e.kind == EXTENT_DATA ? e.len : 0;
		if (progress)
			progress(opaque, offset, copied);
	}
	free(buf);
	if (r == 0)
		r = image_flush(base);
	if (r < 0)
		image_error(err, errlen, "cannot commit %s: %s", top->file->path, strerror(-r));
	return r;
}

static bool same_file(const struct bfile *a, const struct bfile *b)
{
	struct stat sa, sb;

	return fstat(a->fd, &sa) == 0 && fstat(b->fd, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

/* The backing file once more, to be written. The reader's lock would be in the way. */
static int open_below(struct image **out, struct image *below, unsigned flags, char *err,
		      size_t errlen)
{
	char ignored[256];
	int r;

	bfile_lock(below->file, LOCK_NONE, err, errlen);
	r = image_open(out, below->file->path, below->ops->name, IMAGE_WRITE | flags, err, errlen);
	if (r == 0 && !same_file((*out)->file, below->file)) {
		image_error(err, errlen, "%s is not the file any more that the disk is based on",
			    below->file->path);
		image_close(*out);
		r = -ESTALE;
	}
	if (r < 0 && !(flags & IMAGE_NO_LOCK))
		bfile_lock(below->file, LOCK_READER, ignored, sizeof(ignored));
	return r;
}

int image_commit_below(struct image *top, unsigned flags, char *err, size_t errlen)
{
	struct image *base;
	int r;

	if (!top->backing) {
		image_error(err, errlen, "%s has no backing file", top->file->path);
		return -ENOTSUP;
	}
	if (top->read_only) {
		image_error(err, errlen, "%s is read-only", top->file->path);
		return -EROFS;
	}
	r = image_flush(top);
	if (r == 0)
		r = open_below(&base, top->backing, flags, err, errlen);
	else
		image_error(err, errlen, "cannot write %s: %s", top->file->path, strerror(-r));
	if (r < 0)
		return r;
	/* Whatever comes now, what base has is what the disk shows there. */
	image_close(top->backing);
	top->backing = base;
	r = image_commit(top, base, NULL, NULL, err, errlen);
	if (r < 0)
		return r;
	r = qcow2_make_empty(top);
	if (r < 0)
		image_error(err, errlen, "cannot empty %s: %s", top->file->path, strerror(-r));
	return r;
}
