/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Raw images: the disk's bytes are the file's.
 */
#include <errno.h>

#include "hw/block/image.h"

#define BLOCK_HEAD 512 /* where formats have their magic numbers */

static int raw_open(struct image *img, unsigned flags, char *err, size_t errlen)
{
	int r = bfile_size(img->file, &img->size);

	(void)flags;
	if (r < 0)
		image_error(err, errlen, "cannot tell the size of %s", img->file->path);
	img->discard_granularity = 512;
	return r;
}

static int raw_close(struct image *img)
{
	return bfile_sync(img->file);
}

static int raw_readv(struct image *img, uint64_t offset, struct iovs *v, uint64_t len)
{
	return bfile_readv(img->file, offset, v, len);
}

/* A guest that could turn its raw disk into, say, a qcow2 image with a backing file of its choice
 * would read that file the next time that the format is guessed. */
static bool turns_coat(struct image *img, uint64_t offset, const struct iovs *v, uint64_t len)
{
	uint8_t head[BLOCK_HEAD] = {0};
	struct iovs at = *v;

	if (!img->guessed || offset >= sizeof(head))
		return false;
	if (offset && bfile_read(img->file, 0, head, offset) < 0)
		return true;
	iovs_gather(&at, head + offset, len < sizeof(head) - offset ? len : sizeof(head) - offset);
	return image_probe_bytes(head, sizeof(head)) != raw_ops.name;
}

static int raw_writev(struct image *img, uint64_t offset, struct iovs *v, uint64_t len)
{
	if (turns_coat(img, offset, v, len))
		return -EPERM;
	return bfile_writev(img->file, offset, v, len);
}

static int raw_zero(struct image *img, uint64_t offset, uint64_t len, bool unmap)
{
	return bfile_zero(img->file, offset, len, unmap);
}

static int raw_discard(struct image *img, uint64_t offset, uint64_t len)
{
	bfile_discard(img->file, offset, len);
	return 0;
}

static int raw_flush(struct image *img)
{
	return bfile_sync(img->file);
}

static int raw_extent(struct image *img, uint64_t offset, uint64_t len, struct extent *out)
{
	bool data = true;
	uint64_t n = len;

	if (img->file->ops->extent(img->file, offset, &data, &n) < 0) {
		/* past the end of a file that is shorter than its last sector */
		data = false;
		n = len;
	}
	*out = (struct extent){
	    .kind = data ? EXTENT_DATA : EXTENT_ZERO,
	    .allocated = data,
	    .mapped = true,
	    .host = offset,
	    .len = n < len ? n : len,
	};
	return 0;
}

static bool raw_map(struct image *img, uint64_t offset, uint64_t len, bool write,
		    struct range_lock *r, uint64_t *host)
{
	*host = offset;
	r->end = 0;
	if (write && img->guessed && offset < BLOCK_HEAD)
		return false;
	return !write || !img->file->direct ||
	       ranges_trylock(&img->file->edge, r, offset, offset + len, false);
}

static void raw_unmap(struct image *img, struct range_lock *r)
{
	if (r->end)
		ranges_unlock(&img->file->edge, r);
}

static bool raw_clean(struct image *img)
{
	(void)img;
	return true;
}

static int raw_resize(struct image *img, uint64_t size, char *err, size_t errlen)
{
	int r = bfile_truncate(img->file, size);

	if (r < 0)
		image_error(err, errlen, "cannot resize %s", img->file->path);
	else
		img->size = size;
	return r;
}

const struct image_ops raw_ops = {
    .name = "raw",
    .open = raw_open,
    .close = raw_close,
    .readv = raw_readv,
    .writev = raw_writev,
    .zero = raw_zero,
    .discard = raw_discard,
    .flush = raw_flush,
    .extent = raw_extent,
    .map = raw_map,
    .unmap = raw_unmap,
    .clean = raw_clean,
    .resize = raw_resize,
};
