/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Compressed clusters: raw deflate with a window of 4 KiB, or zstd where it was there at build time.
 */
#include <errno.h>
#include <stdlib.h>
#include <zlib.h>
#ifdef CONFIG_ZSTD
#include <zstd.h>
#endif

#include "hw/block/qcow2.h"

static int inflate_cluster(const void *in, size_t len, void *out, size_t out_len)
{
	z_stream z = {
	    .next_in = (void *)in,
	    .avail_in = (uInt)len,
	    .next_out = out,
	    .avail_out = (uInt)out_len,
	};
	int r;

	if (inflateInit2(&z, -12) != Z_OK)
		return -ENOMEM;
	r = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	/* Bytes after the stream are the next cluster's. */
	return (r == Z_STREAM_END || r == Z_BUF_ERROR) && z.avail_out == 0 ? 0 : -EIO;
}

/* The compressed length, or 0 where it would not be shorter. */
static size_t deflate_cluster(const void *in, size_t len, void *out)
{
	z_stream z = {
	    .next_in = (void *)in,
	    .avail_in = (uInt)len,
	    .next_out = out,
	    .avail_out = (uInt)len - 1,
	};
	int r;

	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -12, 9, Z_DEFAULT_STRATEGY) != Z_OK)
		return 0;
	r = deflate(&z, Z_FINISH);
	deflateEnd(&z);
	return r == Z_STREAM_END ? len - 1 - z.avail_out : 0;
}

#ifdef CONFIG_ZSTD
static int unzstd_cluster(const void *in, size_t len, void *out, size_t out_len)
{
	ZSTD_DCtx *ctx = ZSTD_createDCtx();
	ZSTD_inBuffer ib = {in, len, 0};
	ZSTD_outBuffer ob = {out, out_len, 0};
	size_t r = 1;

	if (!ctx)
		return -ENOMEM;
	while (r && ob.pos < ob.size && ib.pos < ib.size) {
		size_t in_before = ib.pos, out_before = ob.pos;

		r = ZSTD_decompressStream(ctx, &ob, &ib);
		if (ZSTD_isError(r) || (in_before == ib.pos && out_before == ob.pos))
			break;
	}
	ZSTD_freeDCtx(ctx);
	return ob.pos == ob.size ? 0 : -EIO;
}

static size_t zstd_cluster(const void *in, size_t len, void *out)
{
	size_t r = ZSTD_compress(out, len - 1, in, len, 3);

	return ZSTD_isError(r) ? 0 : r;
}
#endif

int qcow2_unzip(const struct qcow2 *q, const void *in, size_t len, void *out)
{
#ifdef CONFIG_ZSTD
	if (q->compression == 1)
		return unzstd_cluster(in, len, out, q->cluster_size);
#endif
	return q->compression ? -ENOTSUP : inflate_cluster(in, len, out, q->cluster_size);
}

static size_t zip(const struct qcow2 *q, const void *in, void *out)
{
#ifdef CONFIG_ZSTD
	if (q->compression == 1)
		return zstd_cluster(in, q->cluster_size, out);
#endif
	return q->compression ? 0 : deflate_cluster(in, q->cluster_size, out);
}

/* Room for n bytes: after the last compressed cluster where they fit, in one cluster or two. */
static int alloc_bytes(struct image *img, uint64_t n, uint64_t *offset)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t in_cluster = q->zip_offset & (q->cluster_size - 1), host, got, count;
	bool fresh;
	int r;

	if (q->zip_offset && in_cluster && q->cluster_size - in_cluster >= n) {
		/* The cluster may have been freed since. */
		r = qcow2_get_refcount(img, q->zip_offset >> q->cluster_bits, &count);
		if (r == 0 && count)
			r = qcow2_add_refcount(img, cluster_down(q, q->zip_offset), 1, 1);
		if (r == 0 && count) {
			*offset = q->zip_offset;
			q->zip_offset += n;
			return 0;
		}
	}
	r = qcow2_alloc(img, 1, &host, &got, &fresh);
	if (r < 0)
		return r;
	*offset = host;
	q->zip_offset = host + n;
	return 0;
}

int qcow2_write_zipped(struct image *img, uint64_t offset, const void *buf, size_t len)
{
	struct qcow2 *q = qcow2_of(img);
	unsigned x = 62 - (q->cluster_bits - 8);
	uint8_t *in = calloc(1, q->cluster_size), *out = malloc(q->cluster_size);
	struct range_lock busy;
	struct table *t;
	uint64_t host;
	size_t n = 0;
	int r = -ENOMEM;

	if (in && out) {
		memcpy(in, buf, len);
		n = zip(q, in, out);
		r = 0;
	}
	if (r == 0 && !n)
		r = image_write(img, offset, buf, len);
	if (r < 0 || !n)
		goto out;
	ranges_lock(&q->busy, &busy, offset, offset + q->cluster_size, true);
	pthread_mutex_lock(&q->lock);
	r = alloc_bytes(img, n, &host);
	if (r == 0) {
		r = bfile_write(img->file, host, out, n);
		if (r == 0)
			r = qcow2_l2_for_write(img, offset, &t);
		if (r == 0)
			qcow2_set_entries(img, t, offset, 1,
					  ENTRY_COMPRESSED |
					      (((host + n - 1) >> 9) - (host >> 9)) << x | host,
					  false);
		else
			qcow2_free_now(img, cluster_down(q, host), 1);
	}
	pthread_mutex_unlock(&q->lock);
	ranges_unlock(&q->busy, &busy);
	if (r == 0 && q->l2.nr_dirty > q->l2.max / 2)
		r = qcow2_commit(img);
out:
	free(in);
	free(out);
	return r;
}
