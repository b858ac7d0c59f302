/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Reads, writes, zeroes and discards of a qcow2 disk.
 *
 * A write goes in place where the cluster is there and is this disk's alone. Otherwise it takes the
 * clusters' range for itself, writes to new ones, with what the guest did not write filled in, and then
 * changes the mapping in memory.
 */
#include <errno.h>
#include <stdlib.h>

#include "hw/block/qcow2.h"
#include "hw/block/qcow2_create.h"

/* Up to this much is written in one go with what is filled in around it. */
#define GATHER_MAX (256u << 10)

/* ---- reading ---- */

static int read_zipped(struct image *img, uint64_t offset, uint64_t entry, struct iovs *v,
		       uint64_t len)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t at, n;
	uint8_t *in, *out;
	int r;

	qcow2_zip_range(q, entry, &at, &n);
	in = malloc(n);
	out = malloc(q->cluster_size);
	r = in && out ? bfile_read(img->file, at, in, n) : -ENOMEM;
	if (r == 0)
		r = qcow2_unzip(q, in, n, out);
	if (r == 0)
		iovs_fill(v, out + (offset & (q->cluster_size - 1)), len);
	free(in);
	free(out);
	return r;
}

static int read_backing(struct image *img, uint64_t offset, struct iovs *v, uint64_t len)
{
	uint64_t end = img->size, n;
	int r = 0;

	/* What is below may be longer, but not for us. */
	if (!img->backing)
		end = 0;
	else if (img->backing->size < end)
		end = img->backing->size;
	n = offset >= end ? 0 : (len < end - offset ? len : end - offset);
	if (n)
		r = image_readv(img->backing, offset, v, n);
	if (r == 0)
		iovs_zero(v, len - n);
	return r;
}

/* The range is locked by the caller. */
static int read_range(struct image *img, uint64_t offset, struct iovs *v, uint64_t len)
{
	struct qcow2 *q = qcow2_of(img);

	while (len) {
		struct run run;
		int r;

		pthread_mutex_lock(&q->lock);
		r = qcow2_lookup(img, offset, len, false, &run);
		pthread_mutex_unlock(&q->lock);
		if (r < 0)
			return r;
		switch (run.kind) {
		case CLUSTER_DATA:
			r = bfile_readv(img->file, run.host, v, run.len);
			break;
		case CLUSTER_ZIPPED:
			r = read_zipped(img, offset, run.entry, v, run.len);
			break;
		case CLUSTER_NONE:
			r = read_backing(img, offset, v, run.len);
			break;
		case CLUSTER_ZERO:
		case CLUSTER_ZERO_ALLOC:
			iovs_zero(v, run.len);
			break;
		}
		if (r < 0)
			return r;
		offset += run.len;
		len -= run.len;
	}
	return 0;
}

int qcow2_readv(struct image *img, uint64_t offset, struct iovs *v, uint64_t len)
{
	struct qcow2 *q = qcow2_of(img);
	struct range_lock busy;
	int r;

	ranges_lock(&q->busy, &busy, cluster_down(q, offset), cluster_up(q, offset + len), false);
	r = read_range(img, offset, v, len);
	ranges_unlock(&q->busy, &busy);
	return r;
}

/* ---- writing ---- */

static bool in_place(const struct run *run)
{
	return run->kind == CLUSTER_DATA && run->copied;
}

/* Whether what the guest does not write of a new cluster is zeroes already. */
static bool reads_zero(const struct image *img, const struct run *run, uint64_t offset)
{
	if (run->kind == CLUSTER_NONE)
		return !img->backing || offset >= img->size;
	return run->kind == CLUSTER_ZERO || run->kind == CLUSTER_ZERO_ALLOC;
}

/* Fills clusters from `host` on with what the guest writes and, around it, with what it had. */
static int fill_clusters(struct image *img, uint64_t offset, struct iovs *v, uint64_t len,
			 const struct run *old, uint64_t host, bool fresh)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t start = cluster_down(q, offset), head = offset - start;
	uint64_t end = cluster_up(q, offset + len), tail = end - offset - len;
	uint64_t around = head + tail, whole = end - start;
	uint8_t *buf;
	int r = 0;

	if (!around || (fresh && reads_zero(img, old, start)))
		return bfile_writev(img->file, host + head, v, len);
	if (posix_memalign((void **)&buf, 4096, whole <= GATHER_MAX ? whole : q->cluster_size))
		return -ENOMEM;
	if (whole <= GATHER_MAX) {
		struct iovec one[2] = {{buf, head}, {buf + head + len, tail}};
		struct iovs before = iovs_of(&one[0], 1), after = iovs_of(&one[1], 1);

		if (head)
			r = read_range(img, start, &before, head);
		if (r == 0 && tail)
			r = read_range(img, offset + len, &after, tail);
		iovs_gather(v, buf + head, len);
		if (r == 0)
			r = bfile_write(img->file, host, buf, whole);
	} else {
		struct iovec one = {buf, 0};
		struct iovs at;

		one.iov_len = head;
		at = iovs_of(&one, 1);
		if (head)
			r = read_range(img, start, &at, head);
		if (r == 0 && head)
			r = bfile_write(img->file, host, buf, head);
		if (r == 0)
			r = bfile_writev(img->file, host + head, v, len);
		one.iov_len = tail;
		at = iovs_of(&one, 1);
		if (r == 0 && tail)
			r = read_range(img, offset + len, &at, tail);
		if (r == 0 && tail)
			r = bfile_write(img->file, host + head + len, buf, tail);
	}
	free(buf);
	return r;
}

/* Maps the clusters from offset on to those at host. */
static int link_clusters(struct image *img, uint64_t offset, uint64_t n, uint64_t host)
{
	struct table *t;
	int r = qcow2_l2_for_write(img, offset, &t);

	if (r == 0)
		qcow2_set_entries(img, t, offset, n, host | ENTRY_COPIED, true);
	return r;
}

/* The clusters' range is this caller's alone. *done: bytes written, from offset on. */
static int write_new(struct image *img, uint64_t offset, struct iovs *v, uint64_t len,
		     uint64_t *done)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t in_cluster = offset & (q->cluster_size - 1), n, host;
	bool fresh = false, again;
	struct run run;
	int r;

	pthread_mutex_lock(&q->lock);
	r = q->broken ? -EIO : qcow2_lookup(img, offset, len, false, &run);
	if (r < 0)
		goto out;
	*done = run.len;
	if (in_place(&run)) {
		pthread_mutex_unlock(&q->lock);
		return bfile_writev(img->file, run.host, v, run.len);
	}
	n = (in_cluster + run.len + q->cluster_size - 1) >> q->cluster_bits;
	/* A zero cluster may keep its place in the file. */
	again = run.kind == CLUSTER_ZERO_ALLOC && run.copied;
	if (again) {
		host = run.host - in_cluster;
	} else {
		r = qcow2_alloc(img, n, &host, &n, &fresh);
		if (r < 0)
			goto out;
		if (n * q->cluster_size - in_cluster < run.len)
			*done = n * q->cluster_size - in_cluster;
	}
	pthread_mutex_unlock(&q->lock);
	r = fill_clusters(img, offset, v, *done, &run, host, fresh && !img->file->device);
	pthread_mutex_lock(&q->lock);
	if (r == 0)
		r = link_clusters(img, offset, n, host);
	if (r < 0 && !again)
		qcow2_free_now(img, host, n);
out:
	pthread_mutex_unlock(&q->lock);
	return r;
}

/* Before too much waits in memory to be written. */
static int relieve(struct image *img)
{
	struct qcow2 *q = qcow2_of(img);
	bool full;

	pthread_mutex_lock(&q->lock);
	full = q->l2.nr_dirty > q->l2.max / 2 || q->nr_pending > 4096;
	pthread_mutex_unlock(&q->lock);
	return full ? qcow2_commit(img) : 0;
}

int qcow2_writev(struct image *img, uint64_t offset, struct iovs *v, uint64_t len)
{
	struct qcow2 *q = qcow2_of(img);
	int r = 0;

	while (len && r == 0) {
		struct range_lock busy;
		struct run run;
		uint64_t done = 0;

		ranges_lock(&q->busy, &busy, cluster_down(q, offset), cluster_up(q, offset + len),
			    false);
		pthread_mutex_lock(&q->lock);
		r = q->broken ? -EIO : qcow2_lookup(img, offset, len, false, &run);
		pthread_mutex_unlock(&q->lock);
		if (r == 0 && in_place(&run)) {
			done = run.len;
			r = bfile_writev(img->file, run.host, v, done);
		}
		ranges_unlock(&q->busy, &busy);
		if (r == 0 && !done) {
			ranges_lock(&q->busy, &busy, cluster_down(q, offset),
				    cluster_up(q, offset + run.len), true);
			r = write_new(img, offset, v, run.len, &done);
			ranges_unlock(&q->busy, &busy);
			if (r == 0)
				r = relieve(img);
		}
		offset += done;
		len -= done;
	}
	return r;
}

/* ---- zeroes and discards ---- */

static int write_zeroes(struct image *img, uint64_t offset, uint64_t len)
{
	void *buf = calloc(1, len < GATHER_MAX ? len : GATHER_MAX);
	int r = buf ? 0 : -ENOMEM;

	while (len && r == 0) {
		struct iovec one = {buf, len < GATHER_MAX ? len : GATHER_MAX};
		struct iovs v = iovs_of(&one, 1);

		r = qcow2_writev(img, offset, &v, one.iov_len);
		offset += one.iov_len;
		len -= one.iov_len;
	}
	free(buf);
	return r;
}

/* Zeroes that keep their place in the file; zeroes without; or what the backing file has. */
enum zero_mode { ZERO_KEEP, ZERO_UNMAP, ZERO_FORGET };

/* What an entry becomes when its cluster is zeroed. */
static uint64_t zero_entry(struct image *img, const struct run *run, uint64_t offset,
			   enum zero_mode mode)
{
	if (mode == ZERO_KEEP && run->copied &&
	    (run->kind == CLUSTER_DATA || run->kind == CLUSTER_ZERO_ALLOC))
		return (run->entry & ENTRY_OFFSET) | ENTRY_COPIED | ENTRY_ZERO;
	return img->backing_name && offset < img->size && mode != ZERO_FORGET ? ENTRY_ZERO : 0;
}

/* Whole clusters, at most to the end of an L2 table; the range is the caller's. *done: bytes. */
static int zero_clusters(struct image *img, uint64_t offset, uint64_t len, enum zero_mode mode,
			 uint64_t *done)
{
	struct qcow2 *q = qcow2_of(img);
	struct table *t;
	struct run run;
	uint64_t entry;
	int r;

	pthread_mutex_lock(&q->lock);
	r = q->broken ? -EIO : qcow2_lookup(img, offset, len, false, &run);
	if (r < 0)
		goto out;
	*done = run.len;
	entry = zero_entry(img, &run, offset, mode);
	if (run.kind == CLUSTER_NONE && !entry)
		goto out;
	if (mode != ZERO_FORGET &&
	    (run.kind == CLUSTER_ZERO || (run.kind == CLUSTER_ZERO_ALLOC && mode == ZERO_KEEP)))
		goto out;
	r = qcow2_l2_for_write(img, offset, &t);
	if (r == 0)
		qcow2_set_entries(img, t, offset,
				  (run.len + q->cluster_size - 1) >> q->cluster_bits, entry,
				  (entry & ENTRY_OFFSET) != 0);
out:
	pthread_mutex_unlock(&q->lock);
	return r;
}

static int zero_whole(struct image *img, uint64_t offset, uint64_t len, enum zero_mode mode)
{
	struct qcow2 *q = qcow2_of(img);
	int r = 0;

	while (len && r == 0) {
		struct range_lock busy;
		uint64_t done = 0;

		ranges_lock(&q->busy, &busy, offset, cluster_up(q, offset + len), true);
		r = zero_clusters(img, offset, len, mode, &done);
		ranges_unlock(&q->busy, &busy);
		offset += done;
		len -= done;
	}
	return r < 0 ? r : relieve(img);
}

/* The whole clusters of a range; the disk's end is as good as a cluster's. */
static bool whole_clusters(struct image *img, uint64_t offset, uint64_t len, uint64_t *from,
			   uint64_t *to)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t end = offset + len;

	*from = cluster_up(q, offset);
	*to = end >= img->size ? img->size : cluster_down(q, end);
	return *from < *to;
}

int qcow2_zero(struct image *img, uint64_t offset, uint64_t len, bool unmap)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t from, to;
	int r = 0;

	if (!whole_clusters(img, offset, len, &from, &to) || (q->version < 3 && img->backing_name))
		return write_zeroes(img, offset, len);
	/* Without the flag of version 3 the cluster has to go. */
	if (from > offset)
		r = write_zeroes(img, offset, from - offset);
	if (r == 0)
		r = zero_whole(img, from, to - from,
			       unmap || q->version < 3 ? ZERO_UNMAP : ZERO_KEEP);
	if (r == 0 && offset + len > to && to < img->size)
		r = write_zeroes(img, to, offset + len - to);
	return r;
}

int qcow2_zero_past(struct image *img, uint64_t offset, uint64_t len)
{
	return zero_whole(img, offset, cluster_up(qcow2_of(img), len), ZERO_UNMAP);
}

int qcow2_discard(struct image *img, uint64_t offset, uint64_t len)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t from, to;

	if (!whole_clusters(img, offset, len, &from, &to) || (q->version < 3 && img->backing_name))
		return 0;
	return zero_whole(img, from, to - from, ZERO_UNMAP);
}

int qcow2_make_empty(struct image *img)
{
	int r = zero_whole(img, 0, cluster_up(qcow2_of(img), img->size), ZERO_FORGET);

	return r < 0 ? r : qcow2_commit(img);
}

/* ---- what is where ---- */

int qcow2_extent(struct image *img, uint64_t offset, uint64_t len, struct extent *out)
{
	struct qcow2 *q = qcow2_of(img);
	struct run run;
	int r;

	pthread_mutex_lock(&q->lock);
	r = qcow2_lookup(img, offset, len, false, &run);
	pthread_mutex_unlock(&q->lock);
	if (r < 0)
		return r;
	*out = (struct extent){.len = run.len};
	switch (run.kind) {
	case CLUSTER_NONE:
		out->kind = img->backing_name ? EXTENT_BACKING : EXTENT_ZERO;
		break;
	case CLUSTER_ZERO:
	case CLUSTER_ZERO_ALLOC:
		out->kind = EXTENT_ZERO;
		out->allocated = true;
		break;
	case CLUSTER_DATA:
		out->mapped = true;
		out->host = run.host;
		out->allocated = true;
		break;
	case CLUSTER_ZIPPED:
		out->compressed = out->allocated = true;
		break;
	}
	return 0;
}

bool qcow2_map(struct image *img, uint64_t offset, uint64_t len, bool write, struct range_lock *r,
	       uint64_t *host)
{
	struct qcow2 *q = qcow2_of(img);
	struct run run;
	bool found;

	if (pthread_mutex_trylock(&q->lock))
		return false;
	found = !(write && (q->broken || img->file->direct)) &&
		qcow2_lookup(img, offset, len, true, &run) == 0 && run.kind == CLUSTER_DATA &&
		run.len == len && (run.copied || !write) &&
		ranges_trylock(&q->busy, r, cluster_down(q, offset), cluster_up(q, offset + len),
			       false);
	pthread_mutex_unlock(&q->lock);
	if (found)
		*host = run.host;
	return found;
}

void qcow2_unmap(struct image *img, struct range_lock *r)
{
	ranges_unlock(&qcow2_of(img)->busy, r);
}

bool qcow2_clean(struct image *img)
{
	struct qcow2 *q = qcow2_of(img);
	bool clean;

	if (pthread_mutex_trylock(&q->lock))
		return false;
	clean = !q->committing && !q->l2.nr_dirty && q->l1_dirty_from == q->l1_dirty_to &&
		!q->nr_pending && (!q->refblocks.nr_dirty || (q->incompat & FEAT_DIRTY));
	pthread_mutex_unlock(&q->lock);
	return clean;
}
