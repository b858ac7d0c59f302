/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Opening images with their backing chains, and what is common to all formats.
 */
#include "hw/block/image.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct image_ops *const formats[] = {&qcow2_ops, &raw_ops};

void image_error(char *err, size_t errlen, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, errlen, fmt, ap);
	va_end(ap);
}

const struct image_ops *image_format(const char *name)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (strcmp(formats[i]->name, name) == 0)
			return formats[i];
	return NULL;
}

/* Formats that we know only well enough to refuse them by name. */
static const struct {
	const char *name, *magic;
	unsigned n, at;
} magics[] = {
    {"qcow2", "QFI\xfb", 4, 0},
    {"vmdk", "KDMV", 4, 0},
    {"vmdk", "COWD", 4, 0},
    {"vhdx", "vhdxfile", 8, 0},
    {"vpc", "conectix", 8, 0},
    {"vdi", "\x7f\x10\xda\xbe", 4, 64},
    {"qed", "QED\0", 4, 0},
    {"luks", "LUKS\xba\xbe", 6, 0},
    {"parallels", "WithoutFreeSpace", 16, 0},
    {"parallels", "WithouFreSpacExt", 16, 0},
};

const char *image_probe_bytes(const void *head, size_t n)
{
	const uint8_t *b = head;

	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
		if (magics[i].at + magics[i].n > n ||
		    memcmp(b + magics[i].at, magics[i].magic, magics[i].n))
			continue;
		/* version 1 is another format */
		if (i == 0 && n >= 8 && b[4] == 0 && b[5] == 0 && b[6] == 0 && b[7] == 1)
			return "qcow";
		return magics[i].name;
	}
	return raw_ops.name;
}

const char *image_probe(struct bfile *file)
{
	uint8_t head[512];

	if (bfile_read(file, 0, head, sizeof(head)) < 0)
		return raw_ops.name;
	return image_probe_bytes(head, sizeof(head));
}

static int open_format(struct image **out, struct bfile *file, const char *format, unsigned flags,
		       char *err, size_t errlen)
{
	struct image *img = calloc(1, sizeof(*img));
	const char *name = format ? format : image_probe(file);
	int r;

	if (!img) {
		image_error(err, errlen, "%s: out of memory", file->path);
		if (!(flags & IMAGE_BORROW))
			bfile_close(file);
		return -ENOMEM;
	}
	img->file = file;
	img->borrowed = flags & IMAGE_BORROW;
	img->read_only = !(flags & IMAGE_WRITE);
	img->ops = image_format(name);
	if (!img->ops) {
		image_error(err, errlen,
			    "%s: format %s is not supported; convert it with qemu-img to qcow2 or "
			    "raw",
			    file->path, name);
		r = -ENOTSUP;
		goto fail;
	}
	img->guessed = !format && img->ops == &raw_ops;
	r = img->ops->open(img, flags, err, errlen);
	if (r < 0)
		goto fail;
	*out = img;
	return 0;
fail:
	if (!img->borrowed)
		bfile_close(file);
	free(img->backing_name);
	free(img->backing_format);
	free(img);
	return r;
}

char *image_backing_path(const struct image *img)
{
	const char *name = img->backing_name, *slash = strrchr(img->file->path, '/');
	size_t dir;
	char *path;

	if (strncmp(name, "file:", 5) == 0)
		name += 5;
	dir = *name == '/' || !slash ? 0 : (size_t)(slash - img->file->path) + 1;
	path = malloc(dir + strlen(name) + 1);
	if (path) {
		memcpy(path, img->file->path, dir);
		strcpy(path + dir, name);
	}
	return path;
}

/* "nbd:", "json:" and the like; a colon after a slash is part of a file's name. */
static bool is_protocol(const char *name)
{
	size_t n = strcspn(name, ":/");

	return name[n] == ':' && strncmp(name, "file:", 5) != 0;
}

static bool same_file(const struct bfile *a, const struct bfile *b)
{
	struct stat sa, sb;

	return fstat(a->fd, &sa) == 0 && fstat(b->fd, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

static int open_one(struct image **out, const char *path, const char *format, unsigned flags,
		    char *err, size_t errlen)
{
	unsigned how = (flags & IMAGE_WRITE ? BFILE_WRITE : 0) |
		       (flags & IMAGE_DIRECT ? BFILE_DIRECT : 0) |
		       (flags & IMAGE_NO_FLUSH ? BFILE_NO_FLUSH : 0);
	struct bfile *file;
	int r = bfile_open(&file, path, how);

	if (r < 0) {
		const char *why = strerror(-r);

		if (r == -EINVAL && (flags & IMAGE_DIRECT))
			why = "its file system has no O_DIRECT; use cache=writeback";
		else if (r == -ENODEV)
			why = "it is neither a file nor a block device";
		else if (r == -EROFS || (r == -EACCES && (flags & IMAGE_WRITE)))
			why = r == -EROFS ? "it cannot be written (readonly=on?)"
					  : "no permission to write it (readonly=on?)";
		image_error(err, errlen, "cannot open %s: %s", path, why);
		return r;
	}
	if (!(flags & IMAGE_NO_LOCK)) {
		r = bfile_lock(file,
			       flags & IMAGE_WRITE   ? LOCK_WRITER
			       : flags & IMAGE_SHARE ? LOCK_NONE
						     : LOCK_READER,
			       err, errlen);
		if (r < 0) {
			bfile_close(file);
			return r;
		}
	}
	return open_format(out, file, format, flags, err, errlen);
}

/* Opens what is below top, and below that. */
static int open_chain(struct image *top, unsigned flags, char *err, size_t errlen)
{
	struct image *img = top;

	for (unsigned depth = 0; img->backing_name; depth++) {
		char *path;
		int r;

		if (depth == IMAGE_MAX_CHAIN) {
			image_error(err, errlen,
				    "%s: its chain of backing files is longer than %d; commit or "
				    "rebase some",
				    top->file->path, IMAGE_MAX_CHAIN);
			return -ELOOP;
		}
		if (is_protocol(img->backing_name)) {
			image_error(err, errlen,
				    "%s: its backing file %.200s is not a file's name, which is "
				    "all that is supported",
				    img->file->path, img->backing_name);
			return -ENOTSUP;
		}
		path = image_backing_path(img);
		if (!path)
			return -ENOMEM;
		r = open_one(&img->backing, path, img->backing_format,
			     flags & ~(unsigned)IMAGE_WRITE, err, errlen);
		free(path);
		if (r < 0) {
			char why[512];

			snprintf(why, sizeof(why), "%s", err);
			image_error(err, errlen, "backing file of %s: %s", img->file->path, why);
			return r;
		}
		for (struct image *i = top; i != img->backing; i = i->backing) {
			if (!same_file(i->file, img->backing->file))
				continue;
			image_error(err, errlen, "%s: its chain of backing files leads back to %s",
				    top->file->path, i->file->path);
			return -ELOOP;
		}
		img = img->backing;
	}
	return 0;
}

static int with_chain(struct image **out, struct image *img, unsigned flags, char *err,
		      size_t errlen)
{
	int r = flags & IMAGE_NO_BACKING ? 0 : open_chain(img, flags, err, errlen);

	if (r < 0) {
		if (r == -ENOMEM)
			image_error(err, errlen, "%s: out of memory", img->file->path);
		image_close(img);
		return r;
	}
	*out = img;
	return 0;
}

int image_open(struct image **out, const char *path, const char *format, unsigned flags, char *err,
	       size_t errlen)
{
	struct image *img;
	int r;

	if (strncmp(path, "file:", 5) == 0)
		path += 5;
	r = open_one(&img, path, format, flags, err, errlen);
	return r < 0 ? r : with_chain(out, img, flags, err, errlen);
}

int image_open_file(struct image **out, struct bfile *file, const char *format, unsigned flags,
		    char *err, size_t errlen)
{
	struct image *img;
	int r = open_format(&img, file, format, flags, err, errlen);

	return r < 0 ? r : with_chain(out, img, flags, err, errlen);
}

int image_close(struct image *img)
{
	int r = 0;

	while (img) {
		struct image *below = img->backing;
		int e = img->ops->close(img);

		r = r < 0 ? r : e;
		if (!img->borrowed)
			bfile_close(img->file);
		free(img->backing_name);
		free(img->backing_format);
		free(img);
		img = below;
	}
	return r;
}

/* ---- I/O ---- */

static bool inside(const struct image *img, uint64_t offset, uint64_t len)
{
	/* The last sector of an odd size counts whole. */
	uint64_t size = (img->size + 511) & ~511ull;

	return offset <= size && len <= size - offset;
}

int image_readv(struct image *img, uint64_t offset, struct iovs *v, uint64_t len)
{
	if (!inside(img, offset, len))
		return -EINVAL;
	return len ? img->ops->readv(img, offset, v, len) : 0;
}

int image_writev(struct image *img, uint64_t offset, struct iovs *v, uint64_t len)
{
	if (img->read_only)
		return -EROFS;
	if (!inside(img, offset, len))
		return -EINVAL;
	return len ? img->ops->writev(img, offset, v, len) : 0;
}

int image_read(struct image *img, uint64_t offset, void *buf, size_t len)
{
	struct iovec one = {buf, len};
	struct iovs v = iovs_of(&one, 1);

	return image_readv(img, offset, &v, len);
}

int image_write(struct image *img, uint64_t offset, const void *buf, size_t len)
{
	struct iovec one = {(void *)buf, len};
	struct iovs v = iovs_of(&one, 1);

	return image_writev(img, offset, &v, len);
}

int image_zero(struct image *img, uint64_t offset, uint64_t len, bool unmap)
{
	if (img->read_only)
		return -EROFS;
	if (!inside(img, offset, len))
		return -EINVAL;
	return len ? img->ops->zero(img, offset, len, unmap) : 0;
}

int image_discard(struct image *img, uint64_t offset, uint64_t len)
{
	if (img->read_only)
		return -EROFS;
	if (!inside(img, offset, len))
		return -EINVAL;
	return len ? img->ops->discard(img, offset, len) : 0;
}

int image_flush(struct image *img)
{
	return img->read_only ? 0 : img->ops->flush(img);
}

int image_extent(struct image *img, uint64_t offset, uint64_t len, struct extent *out)
{
	return inside(img, offset, len) && len ? img->ops->extent(img, offset, len, out) : -EINVAL;
}

int image_resize(struct image *img, uint64_t size, char *err, size_t errlen)
{
	if (img->read_only || !img->ops->resize) {
		image_error(err, errlen, "%s cannot be resized", img->file->path);
		return img->read_only ? -EROFS : -ENOTSUP;
	}
	if (size > IMAGE_MAX_SIZE) {
		image_error(err, errlen, "%s: the size is too large", img->file->path);
		return -EFBIG;
	}
	return img->ops->resize(img, size, err, errlen);
}
