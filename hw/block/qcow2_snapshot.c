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

/* A snapshot's fixed part, by offset. */
enum {
	S_L1_OFFSET = 0,
	S_L1_SIZE = 8,
	S_ID_LEN = 12,
	S_NAME_LEN = 14,
	S_DATE_SEC = 16,
	S_DATE_NSEC = 20,
	S_VM_CLOCK = 24,
	S_VM_STATE = 32,
	S_EXTRA_LEN = 36,
	S_LENGTH = 40,
	X_VM_STATE = 0,
	X_DISK_SIZE = 8,
	X_ICOUNT = 16,
	X_LENGTH = 24,
};
#define MAX_EXTRA 1024u

static void free_snapshot(struct qcow2_snapshot *s)
{
	free(s->info.id);
	free(s->info.name);
	free(s->extra);
}

void qcow2_free_snapshots(struct qcow2 *q)
{
	for (unsigned i = 0; q->snapshots && i < q->nr_snapshots; i++)
		free_snapshot(&q->snapshots[i]);
	free(q->snapshots);
	q->snapshots = NULL;
}

static char *dup_bytes(const uint8_t *p, size_t len)
{
	char *s = malloc(len + 1);

	if (s) {
		memcpy(s, p, len);
		s[len] = 0;
	}
	return s;
}

static int read_one(struct image *img, uint64_t *at, struct qcow2_snapshot *s)
{
	struct qcow2 *q = qcow2_of(img);
	uint8_t fixed[S_LENGTH], rest[MAX_EXTRA + 2 * 65536];
	uint32_t extra, id_len, name_len;
	int r = bfile_read(img->file, *at, fixed, sizeof(fixed));

	if (r < 0)
		return r;
	memset(s, 0, sizeof(*s));
	s->l1_offset = get_be64(fixed + S_L1_OFFSET);
	s->l1_size = get_be32(fixed + S_L1_SIZE);
	s->info.date_sec = get_be32(fixed + S_DATE_SEC);
	s->info.date_nsec = get_be32(fixed + S_DATE_NSEC);
	s->info.vm_clock_nsec = get_be64(fixed + S_VM_CLOCK);
	s->info.vm_state_size = get_be32(fixed + S_VM_STATE);
	s->info.disk_size = img->size;
	s->info.icount = UINT64_MAX;
	id_len = get_be16(fixed + S_ID_LEN);
	name_len = get_be16(fixed + S_NAME_LEN);
	extra = get_be32(fixed + S_EXTRA_LEN);
	if (extra > MAX_EXTRA || (s->l1_offset & (q->cluster_size - 1)) || s->l1_offset >> 56 ||
	    s->l1_size > QCOW2_MAX_L1 / 8)
		return -EINVAL;
	r = bfile_read(img->file, *at + S_LENGTH, rest, extra + id_len + name_len);
	if (r < 0)
		return r;
	if (extra >= X_VM_STATE + 8)
		s->info.vm_state_size = get_be64(rest + X_VM_STATE);
	if (extra >= X_DISK_SIZE + 8)
		s->info.disk_size = get_be64(rest + X_DISK_SIZE);
	if (extra >= X_ICOUNT + 8)
		s->info.icount = get_be64(rest + X_ICOUNT);
	if (s->info.disk_size > IMAGE_MAX_SIZE || l1_entries(q, s->info.disk_size) > s->l1_size)
		return -EINVAL;
	if (extra > X_LENGTH) {
		s->extra_size = extra - X_LENGTH;
		s->extra = malloc(s->extra_size);
		if (s->extra)
			memcpy(s->extra, rest + X_LENGTH, s->extra_size);
	}
	s->info.id = dup_bytes(rest + extra, id_len);
	s->info.name = dup_bytes(rest + extra + id_len, name_len);
	*at = (*at + S_LENGTH + extra + id_len + name_len + 7) & ~7ull;
	if (s->info.id && s->info.name && (s->extra || !s->extra_size))
		return 0;
	free_snapshot(s);
	return -ENOMEM;
}

int qcow2_read_snapshots(struct image *img, char *err, size_t errlen)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t at = q->snapshots_offset;
	unsigned n = q->nr_snapshots;

	if (!n)
		return 0;
	q->nr_snapshots = 0;
	q->snapshots = calloc(n, sizeof(*q->snapshots));
	if (!q->snapshots) {
		image_error(err, errlen, "%s: out of memory", img->file->path);
		return -ENOMEM;
	}
	while (q->nr_snapshots < n) {
		int r = read_one(img, &at, &q->snapshots[q->nr_snapshots]);

		if (r == 0 && at - q->snapshots_offset > QCOW2_MAX_SNAPSHOT_TABLE) {
			free_snapshot(&q->snapshots[q->nr_snapshots]);
			r = -EINVAL;
		}
		if (r < 0) {
			image_error(err, errlen, "%s: its snapshot %u is not valid",
				    img->file->path, q->nr_snapshots + 1);
			return r;
		}
		q->nr_snapshots++;
	}
	q->snapshots_bytes = at - q->snapshots_offset;
	return 0;
}

/* ---- the table on the disk ---- */

static size_t entry_length(const struct qcow2_snapshot *s)
{
	return (S_LENGTH + X_LENGTH + s->extra_size + strlen(s->info.id) + strlen(s->info.name) +
		7) &
	       ~(size_t)7;
}

static void put_entry(uint8_t *p, const struct qcow2_snapshot *s)
{
	size_t id_len = strlen(s->info.id), name_len = strlen(s->info.name);
	uint8_t *x = p + S_LENGTH;

	put_be64(p + S_L1_OFFSET, s->l1_offset);
	put_be32(p + S_L1_SIZE, s->l1_size);
	put_be16(p + S_ID_LEN, (uint16_t)id_len);
	put_be16(p + S_NAME_LEN, (uint16_t)name_len);
	put_be32(p + S_DATE_SEC, s->info.date_sec);
	put_be32(p + S_DATE_NSEC, s->info.date_nsec);
	put_be64(p + S_VM_CLOCK, s->info.vm_clock_nsec);
	put_be32(p + S_VM_STATE,
		 s->info.vm_state_size <= UINT32_MAX ? (uint32_t)s->info.vm_state_size : 0);
	put_be32(p + S_EXTRA_LEN, X_LENGTH + s->extra_size);
	put_be64(x + X_VM_STATE, s->info.vm_state_size);
	put_be64(x + X_DISK_SIZE, s->info.disk_size);
	put_be64(x + X_ICOUNT, s->info.icount);
	if (s->extra_size)
		memcpy(x + X_LENGTH, s->extra, s->extra_size);
	x += X_LENGTH + s->extra_size;
	memcpy(x, s->info.id, id_len);
	memcpy(x + id_len, s->info.name, name_len);
}

/* A new table of n snapshots, and the header that says so. The old one is freed later. Lock held. */
static int write_table(struct image *img, const struct qcow2_snapshot *list, unsigned n)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t len = 0, at = 0, offset = 0, clusters;
	uint8_t header[12], *buf;
	int r = 0;

	for (unsigned i = 0; i < n; i++)
		len += entry_length(&list[i]);
	if (len > QCOW2_MAX_SNAPSHOT_TABLE)
		return -EFBIG;
	clusters = cluster_up(q, len) >> q->cluster_bits;
	buf = calloc(1, len + 1);
	if (!buf)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		put_entry(buf + at, &list[i]);
		at += entry_length(&list[i]);
	}
	if (n) {
		r = qcow2_alloc_run(img, clusters, &offset);
		if (r == 0)
			r = bfile_write(img->file, offset, buf, len);
	}
	free(buf);
	if (r == 0)
		r = cache_write_all(img, &q->refblocks);
	if (r == 0)
		r = bfile_sync(img->file);
	put_be32(header, n);
	put_be64(header + 4, offset);
	if (r == 0)
		r = bfile_write(img->file, H_NR_SNAPSHOTS, header, 12);
	if (r == 0)
		r = bfile_sync(img->file);
	if (r < 0)
		return r;
	if (q->snapshots_bytes)
		qcow2_free_later(img, q->snapshots_offset,
				 cluster_up(q, q->snapshots_bytes) >> q->cluster_bits);
	q->snapshots_offset = offset;
	q->snapshots_bytes = len;
	return 0;
}

/* ---- refcounts of whole trees ---- */

static int count_entry(struct image *img, uint64_t entry, int add)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t offset = entry & ENTRY_OFFSET, len, clusters = 1;
	int r;

	if (entry & ENTRY_COMPRESSED) {
		qcow2_zip_range(q, entry, &offset, &len);
		clusters =
		    (cluster_up(q, offset + len) - cluster_down(q, offset)) >> q->cluster_bits;
		offset = cluster_down(q, offset);
	}
	if (!offset)
		return 0;
	r = qcow2_add_refcount(img, offset, clusters, add);
	if (r == 0 && add < 0 && q->discard && clusters == 1) {
		uint64_t count;

		if (qcow2_get_refcount(img, offset >> q->cluster_bits, &count) == 0 && !count)
			bfile_discard(img->file, offset, q->cluster_size);
	}
	return r;
}

/* The "copied" flag that an entry of the active tables should have. */
static int flag_entry(struct image *img, uint64_t *entry)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t count;
	int r;

	if ((*entry & ENTRY_COMPRESSED) || !(*entry & ENTRY_OFFSET))
		return 0;
	r = qcow2_get_refcount(img, (*entry & ENTRY_OFFSET) >> q->cluster_bits, &count);
	if (r < 0)
		return r;
	*entry = count == 1 ? *entry | ENTRY_COPIED : *entry & ~ENTRY_COPIED;
	return 0;
}

static int count_table(struct image *img, uint64_t l2_offset, int add)
{
	struct qcow2 *q = qcow2_of(img);
	struct table *t;
	int r = qcow2_load_l2(img, l2_offset, &t);

	for (uint64_t i = 0; i < 1ull << q->l2_bits && r == 0; i++)
		r = count_entry(img, get_be64(t->data + i * 8), add);
	return r;
}

/* Adds to the counts of all that an L1 table refers to. Lock held. */
static int count_tree(struct image *img, const uint64_t *l1, uint32_t n, int add)
{
	struct qcow2 *q = qcow2_of(img);

	for (uint32_t i = 0; i < n; i++) {
		uint64_t l2_offset = l1[i] & ENTRY_OFFSET, count;
		int r = l2_offset ? count_table(img, l2_offset, add) : 0;

		if (r == 0 && l2_offset)
			r = qcow2_add_refcount(img, l2_offset, 1, add);
		if (r == 0 && l2_offset)
			r = qcow2_get_refcount(img, l2_offset >> q->cluster_bits, &count);
		if (r < 0)
			return r;
		if (l2_offset && !count) {
			cache_drop(&q->l2, l2_offset);
			qcow2_drop_meta(q, l2_offset);
		}
	}
	return 0;
}

/* Puts the active tables' flags right; in place, as a shared table has no flag set and gets none. */
static int flag_tree(struct image *img)
{
	struct qcow2 *q = qcow2_of(img);

	for (uint32_t i = 0; i < q->l1_size; i++) {
		uint64_t l2_offset = q->l1[i] & ENTRY_OFFSET;
		struct table *t;
		int r;

		if (!l2_offset)
			continue;
		r = qcow2_load_l2(img, l2_offset, &t);
		for (uint64_t k = 0; k < 1ull << q->l2_bits && r == 0; k++) {
			uint64_t old = get_be64(t->data + k * 8), entry = old;

			r = flag_entry(img, &entry);
			if (r == 0 && entry != old) {
				put_be64(t->data + k * 8, entry);
				cache_dirty(&q->l2, t, (uint32_t)(k * 8), (uint32_t)(k * 8 + 8));
			}
		}
		if (r == 0)
			r = flag_entry(img, &q->l1[i]);
		/* The cache holds dirty tables until they are written. */
		if (r == 0 && q->l2.nr_dirty > q->l2.max / 2) {
			pthread_mutex_unlock(&q->lock);
			r = qcow2_commit_held(img);
			pthread_mutex_lock(&q->lock);
		}
		if (r < 0)
			return r;
	}
	q->l1_dirty_from = 0;
	q->l1_dirty_to = q->l1_size;
	return 0;
}

/* ---- operations ---- */

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
		r = count_tree(img, q->l1, q->l1_size, 1);
	/* Counted before shared; and not written in place any more before a snapshot has it. */
	if (r == 0)
		r = cache_write_all(img, &q->refblocks);
	if (r == 0)
		r = flag_tree(img);
	if (r == 0) {
		pthread_mutex_unlock(&q->lock);
		r = qcow2_commit_held(img);
		pthread_mutex_lock(&q->lock);
	}
	if (r == 0)
		r = write_table(img, more, q->nr_snapshots + 1);
	if (r < 0)
		free_snapshot(s);
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
	r = count_tree(img, l1, s->l1_size, 1);
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
		r = count_tree(img, old, old_size, -1);
	if (r == 0 && old_size)
		r = qcow2_add_refcount(img, old_offset,
				       cluster_up(q, old_size * 8ull) >> q->cluster_bits, -1);
	free(old);
	return r == 0 ? flag_tree(img) : r;
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
	r = write_table(img, q->snapshots, q->nr_snapshots - 1);
	if (r < 0) {
		memmove(&q->snapshots[index + 1], &q->snapshots[index],
			(q->nr_snapshots - index - 1) * sizeof(gone));
		q->snapshots[index] = gone;
		free(l1);
		return r;
	}
	q->nr_snapshots--;
	r = count_tree(img, l1, gone.l1_size, -1);
	if (r == 0 && gone.l1_size)
		r = qcow2_add_refcount(img, gone.l1_offset,
				       cluster_up(q, gone.l1_size * 8ull) >> q->cluster_bits, -1);
	free(l1);
	free_snapshot(&gone);
	return r == 0 ? flag_tree(img) : r;
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
