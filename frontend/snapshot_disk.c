/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Snapshots in disk images: each disk that the guest writes gets one, the first of them the machine's state
 * as well.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "frontend/drive.h"
#include "frontend/snapshot.h"
#include "hw/block/image.h"
#include "hw/machine_state.h"
#include "hw/pc.h"

#define BUFFER ((size_t)1 << 20)

static int fail(char *err, size_t errlen, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(char *err, size_t errlen, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, errlen, fmt, ap);
	va_end(ap);
	return -1;
}

/* Every disk with a medium that the guest may write, one after the other from *n on; NULL at the end. */
static struct block *next_disk(struct drive_set *drives, unsigned *n)
{
	struct block *b;

	while (drives && (b = drives_at(drives, *n))) {
		++*n;
		if (block_present(b) && !block_read_only(b))
			return b;
	}
	return NULL;
}

/* The disk that holds the state, after all have been found fit; NULL with one line in err. */
static struct block *first_disk(struct drive_set *drives, char *err, size_t errlen)
{
	struct block *b, *first = NULL;

	for (unsigned n = 0; (b = next_disk(drives, &n));) {
		const struct image *img = block_image(b);

		if (img->snapshot) {
			fail(err, errlen,
			     "%s is written to a temporary file: there is nothing that a "
			     "snapshot could stay in",
			     block_name(b));
			return NULL;
		}
		if (!image_has_snapshots(img)) {
			fail(err, errlen,
			     "%s is a %s image, which cannot hold snapshots: convert it to qcow2 "
			     "(doppel img convert -O qcow2), or use file:PATH",
			     block_name(b), block_format(b));
			return NULL;
		}
		first = first ? first : b;
	}
	if (!first)
		fail(err, errlen, "there is no disk that could hold a snapshot; use file:PATH");
	return first;
}

/* ---- saving ---- */

struct state_out {
	struct image *img;
	uint8_t *buf;
	size_t len;
	uint64_t pos; /* where buf goes */
};

static int flush(struct state_out *o)
{
	int r = o->len ? image_state_write(o->img, o->pos, o->buf, o->len) : 0;

	o->pos += o->len;
	o->len = 0;
	return r;
}

static int write_state(void *opaque, const void *buf, size_t len)
{
	struct state_out *o = opaque;
	const uint8_t *p = buf;

	while (len) {
		size_t n = BUFFER - o->len < len ? BUFFER - o->len : len;
		int r;

		memcpy(o->buf + o->len, p, n);
		o->len += n;
		p += n;
		len -= n;
		if (o->len == BUFFER && (r = flush(o)) < 0)
			return r;
	}
	return 0;
}

/* Its size, or -errno. */
static int64_t put_state(struct pc *pc, struct image *img, const char *disks)
{
	struct state_out o = {.img = img, .buf = malloc(BUFFER)};
	int r = o.buf ? machine_save_locked(&pc->m, disks, &(struct state_sink){write_state, &o})
		      : -ENOMEM;

	if (r == 0)
		r = flush(&o);
	free(o.buf);
	return r < 0 ? r : (int64_t)o.pos;
}

static void delete_from(struct image *img, const char *id)
{
	char err[8];
	int at = image_snapshot_find(img, id);

	if (at >= 0)
		image_snapshot_delete(img, (unsigned)at, err, sizeof(err));
}

/* The id of the last snapshot; "" without one. */
static void last_id(const struct image *img, char *id, size_t len)
{
	const struct image_snapshot *s;

	*id = 0;
	for (unsigned n = 0; (s = image_snapshot_at(img, n)); n++)
		snprintf(id, len, "%s", s->id);
}

/* In all disks or in none. */
static int create_all(struct drive_set *drives, const struct block *first,
		      struct image_snapshot *info, char *err, size_t errlen)
{
	uint64_t size = info->vm_state_size;
	char made[MAX_DRIVES][32];
	struct block *b;
	unsigned n = 0, k = 0;

	while ((b = next_disk(drives, &n))) {
		info->vm_state_size = b == first ? size : 0;
		if (image_snapshot_create(block_image(b), info, err, errlen) < 0)
			break;
		last_id(block_image(b), made[k], sizeof(made[k]));
		k++;
	}
	if (!b)
		return 0;
	n = 0;
	for (unsigned i = 0; i < k; i++)
		delete_from(block_image(next_disk(drives, &n)), made[i]);
	return -1;
}

/* Those of the same name that were there before: all but the last. */
static void delete_older(struct drive_set *drives, const char *name)
{
	struct block *b;

	for (unsigned n = 0; (b = next_disk(drives, &n));) {
		struct image *img = block_image(b);
		const struct image_snapshot *s, *next;

		for (unsigned i = 0; (s = image_snapshot_at(img, i));) {
			char err[8];

			next = image_snapshot_at(img, i + 1);
			if (!next || strcmp(s->name, name) != 0 ||
			    image_snapshot_delete(img, i, err, sizeof(err)) < 0)
				i++;
		}
	}
}

int snapshot_disk_save(struct pc *pc, struct drive_set *drives, const char *disks, const char *name,
		       char *err, size_t errlen)
{
	struct block *first = first_disk(drives, err, errlen);
	struct image_snapshot info = {.name = (char *)name, .icount = UINT64_MAX};
	struct timespec now;
	int64_t size;
	int r;

	if (!first)
		return -1;
	clock_gettime(CLOCK_REALTIME, &now);
	info.date_sec = (uint32_t)now.tv_sec;
	info.date_nsec = (uint32_t)now.tv_nsec;
	info.vm_clock_nsec = clock_now(&pc->m.clock);
	size = put_state(pc, block_image(first), disks);
	if (size < 0)
		return fail(err, errlen, "cannot write the state to %s: %s", block_name(first),
			    strerror((int)-size));
	info.vm_state_size = (uint64_t)size;
	r = create_all(drives, first, &info, err, errlen);
	/* What the snapshot holds is no part of the disk that goes on. */
	image_state_drop(block_image(first), (uint64_t)size);
	if (r == 0)
		delete_older(drives, name);
	return r;
}

/* ---- loading ---- */

static int read_state(void *opaque, uint64_t at, void *buf, size_t len)
{
	return image_state_read(opaque, at, buf, len);
}

/* A second look at the image, where the snapshot's state can be read before the disk itself is touched. */
static struct image *open_beside(struct block *b, const char *name, uint64_t *size, char *err,
				 size_t errlen)
{
	const unsigned flags = IMAGE_NO_LOCK | IMAGE_SHARE | IMAGE_NO_BACKING;
	struct image *img;
	int at;

	if (image_open(&img, block_file(b), block_format(b), flags, err, errlen) < 0)
		return NULL;
	at = image_snapshot_find(img, name);
	*size = at < 0 ? 0 : image_snapshot_at(img, (unsigned)at)->vm_state_size;
	if (at >= 0 && image_snapshot_look(img, (unsigned)at, err, errlen) == 0)
		return img;
	image_close(img);
	return NULL;
}

/* The disk whose snapshot of that name has a state, if all disks have one; NULL with one line in err. */
static struct block *find_all(struct drive_set *drives, const char *name, char *err, size_t errlen)
{
	struct block *b, *with_state = NULL;

	if (!first_disk(drives, err, errlen))
		return NULL;
	for (unsigned n = 0; (b = next_disk(drives, &n));) {
		int at = image_snapshot_find(block_image(b), name);

		if (at < 0) {
			fail(err, errlen, "%s has no snapshot %s (info snapshots lists them)",
			     block_name(b), name);
			return NULL;
		}
		if (!with_state && image_snapshot_at(block_image(b), (unsigned)at)->vm_state_size)
			with_state = b;
	}
	if (!with_state)
		fail(err, errlen,
		     "the snapshot %s is of disks alone, without a machine's state: doppel img "
		     "snapshot -a applies it",
		     name);
	return with_state;
}

static int apply_all(struct drive_set *drives, const char *name, char *err, size_t errlen)
{
	struct block *b;

	for (unsigned n = 0; (b = next_disk(drives, &n));) {
		int at = image_snapshot_find(block_image(b), name);

		if (at < 0 || image_snapshot_apply(block_image(b), (unsigned)at, err, errlen) < 0)
			return -1;
	}
	return 0;
}

int snapshot_disk_load(struct pc *pc, struct drive_set *drives, const char *disks, const char *name,
		       char *err, size_t errlen)
{
	struct block *b = find_all(drives, name, err, errlen);
	char why[400];
	struct state_source from = {.read = read_state};
	struct image *img;
	bool half = false;
	int r;

	img = b ? open_beside(b, name, &from.size, err, errlen) : NULL;
	if (!img)
		return -1;
	from.opaque = img;
	r = machine_check_locked(&pc->m, disks, &from, why, sizeof(why));
	if (r < 0) {
		fail(err, errlen, "snapshot %s: %s", name, why);
	} else if ((r = apply_all(drives, name, why, sizeof(why))) < 0) {
		fail(err, errlen, "snapshot %s: %s; the guest is reset", name, why);
		machine_request_reset(&pc->m);
	} else if ((r = machine_load_locked(&pc->m, disks, &from, &half, why, sizeof(why))) < 0) {
		fail(err, errlen, "snapshot %s: %s; the guest is reset", name, why);
		machine_request_reset(&pc->m);
	}
	image_close(img);
	return r;
}

/* ---- the rest ---- */

int snapshot_disk_delete(struct drive_set *drives, const char *name, char *err, size_t errlen)
{
	unsigned found = 0;
	struct block *b;

	if (!first_disk(drives, err, errlen))
		return -1;
	for (unsigned n = 0; (b = next_disk(drives, &n));) {
		int at = image_snapshot_find(block_image(b), name);

		if (at < 0)
			continue;
		if (image_snapshot_delete(block_image(b), (unsigned)at, err, errlen) < 0)
			return -1;
		found++;
	}
	return found ? 0 : fail(err, errlen, "no disk has a snapshot %s", name);
}

static void size_text(char *to, size_t len, uint64_t bytes)
{
	static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double v = (double)bytes;
	unsigned n = 0;

	while (v >= 1000 && n < 4) {
		v /= 1024;
		n++;
	}
	snprintf(to, len, "%.3g %s", v, unit[n]);
}

void snapshot_list(struct drive_set *drives, void (*print)(void *opaque, const char *text),
		   void *opaque)
{
	char line[256], size[24], date[32];
	const struct image_snapshot *s;
	struct block *b;
	bool any = false;

	for (unsigned n = 0; (b = next_disk(drives, &n));) {
		const struct image *img = block_image(b);

		for (unsigned i = 0; image_has_snapshots(img) && (s = image_snapshot_at(img, i));
		     i++) {
			time_t sec = s->date_sec;
			uint64_t ms = s->vm_clock_nsec / 1000000;
			struct tm tm;

			if (!s->vm_state_size)
				continue;
			if (!any)
				print(opaque,
				      "ID        TAG               VM SIZE                DATE     "
				      "VM CLOCK\n");
			any = true;
			size_text(size, sizeof(size), s->vm_state_size);
			localtime_r(&sec, &tm);
			strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
			snprintf(
			    line, sizeof(line), "%-9s %-16s %8s %19s %02llu:%02llu:%02llu.%03llu\n",
			    s->id, s->name, size, date, (unsigned long long)(ms / 3600000),
			    (unsigned long long)(ms / 60000 % 60),
			    (unsigned long long)(ms / 1000 % 60), (unsigned long long)(ms % 1000));
			print(opaque, line);
		}
	}
	if (!any)
		print(opaque, "there is no snapshot with a machine's state\n");
}
