/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The list of snapshots in a qcow2 image, as it lies on the disk.
 */
#include <errno.h>
#include <stdlib.h>

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

void qcow2_free_snapshot(struct qcow2_snapshot *s)
{
	free(s->info.id);
	free(s->info.name);
	free(s->extra);
}

void qcow2_free_snapshots(struct qcow2 *q)
{
	for (unsigned i = 0; q->snapshots && i < q->nr_snapshots; i++)
		qcow2_free_snapshot(&q->snapshots[i]);
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
	qcow2_free_snapshot(s);
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
			qcow2_free_snapshot(&q->snapshots[q->nr_snapshots]);
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

int qcow2_write_snapshots(struct image *img, const struct qcow2_snapshot *list, unsigned n)
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
