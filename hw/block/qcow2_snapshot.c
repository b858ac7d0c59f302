/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Snapshots within a qcow2 image: each is an L1 table of its own, whose L2 tables and clusters are shared
 * with the disk, and with other snapshots, by their refcounts.
 *
 * Refcounts and the "copied" flags of the active tables cannot change together. Meanwhile the image is
 * marked dirty (version 3), so that whoever opens it after a crash counts anew. What the disk and the
 * snapshots are changes with one write to the header's first sector.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "hw/block/qcow2.h"

/* Nobody else works with the image, nothing is dirty, and the dirty bit is set. Lock held after it. */
static int begin(struct image *img, struct range_lock *all)
{
	struct qcow2 *q = qcow2_of(img);
	int r;

	ranges_lock(&q->busy, all, 0, UINT64_MAX, true);
	pthread_mutex_lock(&q->commit);
	r = q->broken ? -EIO : qcow2_commit_held(img);
	pthread_mutex_lock(&q->lock);
	if (r == 0)
		r = cache_write_all(img, &q->refblocks);
	if (r == 0)
		r = qcow2_set_incompat(img, q->incompat | FEAT_DIRTY);
	return r;
}

/* Leaves the image dirty where r says that something went wrong. */
static int end(struct image *img, struct range_lock *all, int r)
{
	struct qcow2 *q = qcow2_of(img);

	pthread_mutex_unlock(&q->lock);
	if (r == 0)
		r = qcow2_commit_held(img);
	pthread_mutex_lock(&q->lock);
	if (r == 0)
		r = cache_write_all(img, &q->refblocks);
	if (r == 0)
		r = bfile_sync(img->file);
	if (r == 0 && !(q->compat & FEAT_LAZY))
		r = qcow2_set_incompat(img, q->incompat & ~(uint64_t)FEAT_DIRTY);
	q->hint = 0;
	pthread_mutex_unlock(&q->lock);
	pthread_mutex_unlock(&q->commit);
	ranges_unlock(&q->busy, all);
	return r;
}

/* Half done: counts everything anew from what the disk refers to. */
static void mend(struct image *img)
{
	struct qcow2_check c = {0};

	qcow2_check(img, CHECK_FIX_LEAKS | CHECK_FIX_ERRORS, &c);
}

static char *new_id(const struct qcow2 *q)
{
	unsigned long max = 0;
	char text[24];

	for (unsigned i = 0; i < q->nr_snapshots; i++) {
		unsigned long id = strtoul(q->snapshots[i].info.id, NULL, 10);

		if (id > max)
			max = id;
	}
	snprintf(text, sizeof(text), "%lu", max + 1);
	return strdup(text);
}

/* The active L1 table, copied for a snapshot. */
static int copy_l1(struct image *img, struct qcow2_snapshot *s)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t clusters = cluster_up(q, q->l1_size * 8ull) >> q->cluster_bits;
	uint64_t *copy;
	int r;

	s->l1_size = q->l1_size;
	if (!clusters)
		return 0;
	copy = malloc(q->l1_size * 8ull);
	if (!copy)
		return -ENOMEM;
	for (uint32_t i = 0; i < q->l1_size; i++)
		copy[i] = q->l1[i] & ~ENTRY_COPIED;
	r = qcow2_alloc_run(img, clusters, &s->l1_offset);
	if (r == 0)
		r = qcow2_write_l1(img, s->l1_offset, copy, 0, q->l1_size);
	free(copy);
	return r;
}

static int create_locked(struct image *img, const struct image_snapshot *info)
{
	struct qcow2 *q = qcow2_of(img);
	struct qcow2_snapshot *more, *s;
	struct timespec now;
	int r;

	if (q->nr_snapshots == QCOW2_MAX_SNAPSHOTS)
		return -EFBIG;
	more = realloc(q->snapshots, (q->nr_snapshots + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	q->snapshots = more;
	s = &more[q->nr_snapshots];
	memset(s, 0, sizeof(*s));
	s->info = *info;
	s->info.disk_size = img->size;
	if (!info->date_sec) {
		clock_gettime(CLOCK_REALTIME, &now);
		s->info.date_sec = (uint32_t)now.tv_sec;
		s->info.date_nsec = (uint32_t)now.tv_nsec;
	}
	s->info.id = new_id(q);
	s->info.name = strdup(info->name);
	r = s->info.id && s->info.name ? copy_l1(img, s) : -ENOMEM;
	if (r == 0)
		r = qcow2_count_tree(img, q->l1, q->l1_size, 1);
	/* Counted before shared; and not written in place any more before a snapshot has it. */
	if (r == 0)
		r = cache_write_all(img, &q->refblocks);
	if (r == 0)
		r = qcow2_flag_tree(img);
	if (r == 0) {
		pthread_mutex_unlock(&q->lock);
		r = qcow2_commit_held(img);
		pthread_mutex_lock(&q->lock);
	}
	if (r == 0)
		r = qcow2_write_snapshots(img, more, q->nr_snapshots + 1);
	if (r < 0)
		qcow2_free_snapshot(s);
	else
		q->nr_snapshots++;
	return r;
}

static int failed(struct image *img, int r, const char *what, const char *name, char *err,
		  size_t errlen)
{
	if (r < 0)
		image_error(
		    err, errlen, "%s: cannot %s snapshot %.100s: %s", img->file->path, what, name,
		    r == -EOVERFLOW ? "too many already for its refcount_bits" : strerror(-r));
	return r;
}

bool image_has_snapshots(const struct image *img)
{
	return img->ops == &qcow2_ops;
}

const struct image_snapshot *image_snapshot_at(const struct image *img, unsigned index)
{
	if (!image_has_snapshots(img) || index >= qcow2_of(img)->nr_snapshots)
		return NULL;
	return &qcow2_of(img)->snapshots[index].info;
}

int image_snapshot_find(const struct image *img, const char *id_or_name)
{
	const struct image_snapshot *s;

	for (unsigned i = 0; (s = image_snapshot_at(img, i)); i++)
		if (strcmp(s->id, id_or_name) == 0)
			return (int)i;
	for (unsigned i = 0; (s = image_snapshot_at(img, i)); i++)
		if (strcmp(s->name, id_or_name) == 0)
			return (int)i;
	return -1;
}

int image_snapshot_create(struct image *img, const struct image_snapshot *info, char *err,
			  size_t errlen)
{
	struct range_lock all;
	int r;

	if (!image_has_snapshots(img) || img->read_only)
		return failed(img, image_has_snapshots(img) ? -EROFS : -ENOTSUP, "make", info->name,
			      err, errlen);
	if (strlen(info->name) > 1023)
		return failed(img, -ENAMETOOLONG, "make", info->name, err, errlen);
	r = begin(img, &all);
	if (r == 0) {
		r = create_locked(img, info);
		if (r < 0)
			mend(img);
	}
	return failed(img, end(img, &all, r), "make", info->name, err, errlen);
}

/* The header's size, L1 size and L1 offset lie in one piece, so that they change together. */
static int switch_l1(struct image *img, uint64_t disk_size, uint32_t l1_size, uint64_t l1_offset)
{
	uint8_t header[H_REFT_OFFSET - H_SIZE] = {0};
	int r;

	put_be64(header, disk_size);
	put_be32(header + (H_L1_SIZE - H_SIZE), l1_size);
	put_be64(header + (H_L1_OFFSET - H_SIZE), l1_offset);
	r = bfile_write(img->file, H_SIZE, header, sizeof(header));
	return r < 0 ? r : bfile_sync(img->file);
}

static int apply_locked(struct image *img, const struct qcow2_snapshot *s)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t clusters, offset = 0, *l1, *old = q->l1, old_offset = q->l1_offset;
	uint32_t old_size = q->l1_size;
	int r = qcow2_read_l1(img, s->l1_offset, s->l1_size, &l1);

	if (r < 0)
		return r;
	clusters = cluster_up(q, s->l1_size * 8ull) >> q->cluster_bits;
	r = qcow2_count_tree(img, l1, s->l1_size, 1);
	if (r == 0 && clusters)
		r = qcow2_alloc_run(img, clusters, &offset);
	for (uint32_t i = 0; i < s->l1_size; i++)
		l1[i] &= ~ENTRY_COPIED;
	if (r == 0 && clusters)
		r = qcow2_write_l1(img, offset, l1, 0, s->l1_size);
	if (r == 0)
		r = cache_write_all(img, &q->refblocks);
	if (r == 0)
		r = bfile_sync(img->file);
	if (r == 0)
		r = switch_l1(img, s->info.disk_size, s->l1_size, offset);
	if (r < 0) {
		free(l1);
		return r;
	}
	q->l1 = l1;
	q->l1_size = s->l1_size;
	q->l1_offset = offset;
	img->size = s->info.disk_size;
	for (uint32_t i = 0; i < s->l1_size && r == 0; i++)
		if (l1[i] & ENTRY_OFFSET)
			r = qcow2_add_meta(q, l1[i] & ENTRY_OFFSET);
	if (r == 0)
		r = qcow2_count_tree(img, old, old_size, -1);
	if (r == 0 && old_size)
		r = qcow2_add_refcount(img, old_offset,
				       cluster_up(q, old_size * 8ull) >> q->cluster_bits, -1);
	free(old);
	return r == 0 ? qcow2_flag_tree(img) : r;
}

int image_snapshot_apply(struct image *img, unsigned index, char *err, size_t errlen)
{
	struct range_lock all;
	const char *name = image_snapshot_at(img, index)->name;
	int r;

	if (img->read_only)
		return failed(img, -EROFS, "apply", name, err, errlen);
	r = begin(img, &all);
	if (r == 0) {
		r = apply_locked(img, &qcow2_of(img)->snapshots[index]);
		if (r < 0)
			mend(img);
	}
	return failed(img, end(img, &all, r), "apply", name, err, errlen);
}

static int delete_locked(struct image *img, unsigned index)
{
	struct qcow2 *q = qcow2_of(img);
	struct qcow2_snapshot gone = q->snapshots[index];
	uint64_t *l1;
	int r = qcow2_read_l1(img, gone.l1_offset, gone.l1_size, &l1);

	if (r < 0)
		return r;
	memmove(&q->snapshots[index], &q->snapshots[index + 1],
		(q->nr_snapshots - index - 1) * sizeof(gone));
	r = qcow2_write_snapshots(img, q->snapshots, q->nr_snapshots - 1);
	if (r < 0) {
		memmove(&q->snapshots[index + 1], &q->snapshots[index],
			(q->nr_snapshots - index - 1) * sizeof(gone));
		q->snapshots[index] = gone;
		free(l1);
		return r;
	}
	q->nr_snapshots--;
	r = qcow2_count_tree(img, l1, gone.l1_size, -1);
	if (r == 0 && gone.l1_size)
		r = qcow2_add_refcount(img, gone.l1_offset,
				       cluster_up(q, gone.l1_size * 8ull) >> q->cluster_bits, -1);
	free(l1);
	qcow2_free_snapshot(&gone);
	return r == 0 ? qcow2_flag_tree(img) : r;
}

int image_snapshot_delete(struct image *img, unsigned index, char *err, size_t errlen)
{
	char name[1024];
	struct range_lock all;
	int r;

	snprintf(name, sizeof(name), "%s", image_snapshot_at(img, index)->name);
	if (img->read_only)
		return failed(img, -EROFS, "delete", name, err, errlen);
	r = begin(img, &all);
	if (r == 0) {
		r = delete_locked(img, index);
		if (r < 0)
			mend(img);
	}
	return failed(img, end(img, &all, r), "delete", name, err, errlen);
}

int image_snapshot_look(struct image *img, unsigned index, char *err, size_t errlen)
{
	struct qcow2 *q = qcow2_of(img);
	const struct qcow2_snapshot *s = &q->snapshots[index];
	uint64_t *l1;
	int r;

	if (!img->read_only)
		return failed(img, -EBUSY, "look at", s->info.name, err, errlen);
	r = qcow2_read_l1(img, s->l1_offset, s->l1_size, &l1);
	if (r < 0)
		return failed(img, r, "look at", s->info.name, err, errlen);
	free(q->l1);
	q->l1 = l1;
	q->l1_size = s->l1_size;
	q->l1_offset = s->l1_offset;
	img->size = s->info.disk_size;
	return 0;
}

/* ---- the machine's state ---- */

static uint64_t state_offset(const struct image *img)
{
	struct qcow2 *q = qcow2_of(img);

	return l1_entries(q, img->size) << (q->cluster_bits + q->l2_bits);
}

int image_state_write(struct image *img, uint64_t pos, const void *buf, size_t len)
{
	struct iovec one = {(void *)buf, len};
	struct iovs v = iovs_of(&one, 1);
	struct qcow2 *q = qcow2_of(img);
	uint64_t offset, need;

	if (!image_has_snapshots(img))
		return -ENOTSUP;
	if (img->read_only)
		return -EROFS;
	offset = state_offset(img) + pos;
	need = l1_entries(q, offset + len);
	if (need > q->l1_size) {
		struct range_lock all;
		int r = begin(img, &all);

		/* Room for 1/2 more, so that a growing state does not move the table each time. */
		if (r == 0)
			r = qcow2_grow_l1(img, need + need / 2);
		r = end(img, &all, r);
		if (r < 0)
			return r;
	}
	return qcow2_writev(img, offset, &v, len);
}

int image_state_read(struct image *img, uint64_t pos, void *buf, size_t len)
{
	struct iovec one = {buf, len};
	struct iovs v = iovs_of(&one, 1);

	if (!image_has_snapshots(img))
		return -ENOTSUP;
	return qcow2_readv(img, state_offset(img) + pos, &v, len);
}

int image_state_drop(struct image *img, uint64_t len)
{
	int r;

	if (!image_has_snapshots(img))
		return -ENOTSUP;
	if (img->read_only)
		return -EROFS;
	r = qcow2_zero_past(img, state_offset(img), len);
	/* The first takes the references away, the second what they counted: that may be much of the disk,
	 * which would be lost if we were killed. */
	for (int i = 0; r == 0 && i < 2; i++)
		r = image_flush(img);
	return r;
}
