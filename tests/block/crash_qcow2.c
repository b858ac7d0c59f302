/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Random operations on a small qcow2 image beside a model of what it may hold, with the power failing
 * at a random write: what was not synced then is there or not, sector by sector. The image must open,
 * be free of corruption, and hold in each sector what was last flushed or something written since.
 * Usage: crash_qcow2 [rounds [seed]]. Same arguments, same run.
 */
#include <stdio.h>

#include "hw/block/qcow2.h"
#include "hw/block/qcow2_create.h"
#include "tests/block/memfile.h"

#define SECTORS        2048u
#define DISK           (SECTORS * 512u)
#define MEMORY         (24u << 20)
#define MAX_CANDIDATES 64

static uint64_t state;
static unsigned long round_nr;
static const char *what;

/* xorshift64* */
static uint64_t next(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1d >> 16;
}

static unsigned below(unsigned n)
{
	return (unsigned)(next() % n);
}

static void fail(const char *why)
{
	fprintf(stderr, "crash_qcow2: round %lu, %s: %s\n", round_nr, what, why);
	exit(1);
}

/* What a sector may hold; 0 is zeroes. The last one is what is read now. */
struct sector {
	uint32_t may[MAX_CANDIDATES];
	unsigned n;
};

struct snap {
	uint32_t was[SECTORS];
	char name[16];
	bool sure; /* made, or deleted, before the power failed */
};

static struct sector model[SECTORS];
static struct snap snaps[4];
static unsigned nr_snaps;
static uint32_t stamp;

static uint32_t now_of(unsigned s)
{
	return model[s].may[model[s].n - 1];
}

static void may_be(unsigned s, uint32_t value)
{
	struct sector *m = &model[s];

	if (m->n == MAX_CANDIDATES)
		fail("too many writes without a flush");
	m->may[m->n++] = value;
}

static void flushed(void)
{
	for (unsigned s = 0; s < SECTORS; s++) {
		model[s].may[0] = now_of(s);
		model[s].n = 1;
	}
}

static void fill(uint8_t *p, unsigned s, uint32_t value)
{
	uint32_t *w = (uint32_t *)p;

	for (unsigned i = 0; i < 128; i++)
		w[i] = value ? value + i * 0x10001 + s : 0;
}

/* The stamp of a sector, or ~0 where it is a mix. */
static uint32_t stamp_of(const uint8_t *p, unsigned s)
{
	uint8_t want[512];
	uint32_t value;

	memcpy(&value, p, 4);
	value = value ? value - s : 0;
	fill(want, s, value);
	return memcmp(want, p, 512) ? ~0u : value;
}

static uint32_t backing_stamp(unsigned s)
{
	return s % 3 ? 0 : 7000000 + s;
}

/* ---- operations: each 0, or the error that the power's failure gave ---- */

static uint8_t data[DISK];

static int op_write(struct image *img, unsigned s, unsigned n)
{
	int r;

	for (unsigned i = 0; i < n; i++) {
		may_be(s + i, ++stamp);
		fill(data + i * 512, s + i, stamp);
	}
	r = image_write(img, s * 512ull, data, n * 512ull);
	return r;
}

static int op_zero(struct image *img, unsigned s, unsigned n, bool unmap)
{
	for (unsigned i = 0; i < n; i++)
		may_be(s + i, 0);
	return image_zero(img, s * 512ull, n * 512ull, unmap);
}

static int op_read(struct image *img, unsigned s, unsigned n)
{
	int r = image_read(img, s * 512ull, data, n * 512ull);

	for (unsigned i = 0; i < n && r == 0; i++)
		if (stamp_of(data + i * 512, s + i) != now_of(s + i))
			fail("reads something else than was written");
	return r;
}

static int op_discard(struct image *img, unsigned s, unsigned n)
{
	int r;

	for (unsigned i = 0; i < n; i++)
		may_be(s + i, 0);
	r = image_discard(img, s * 512ull, n * 512ull);
	if (r < 0)
		return r;
	/* It may have been kept. */
	r = image_read(img, s * 512ull, data, n * 512ull);
	for (unsigned i = 0; i < n && r == 0; i++) {
		struct sector *m = &model[s + i];

		if (stamp_of(data + i * 512, s + i) == 0)
			continue;
		m->n--;
		if (stamp_of(data + i * 512, s + i) != now_of(s + i))
			fail("a discarded sector is neither zero nor what it was");
	}
	return r;
}

static int op_zip(struct image *img)
{
	unsigned per = (unsigned)(qcow2_of(img)->cluster_size / 512);
	unsigned s = below(SECTORS / per) * per;

	for (unsigned i = 0; i < per; i++) {
		may_be(s + i, ++stamp);
		fill(data + i * 512, s + i, stamp);
	}
	return qcow2_write_zipped(img, s * 512ull, data, per * 512ull);
}

static int op_snapshot(struct image *img)
{
	struct image_snapshot info = {0};
	char err[256];
	unsigned i;
	int r;

	if (nr_snaps < 3 && below(2)) {
		struct snap *s = &snaps[nr_snaps];

		snprintf(s->name, sizeof(s->name), "s%u", ++stamp);
		info.name = s->name;
		for (unsigned k = 0; k < SECTORS; k++)
			s->was[k] = now_of(k);
		s->sure = false;
		nr_snaps++;
		what = "snapshot create";
		r = image_snapshot_create(img, &info, err, sizeof(err));
		if (r == 0) {
			s->sure = true;
			flushed();
		}
		return r;
	}
	if (!nr_snaps)
		return 0;
	i = below(nr_snaps);
	if (image_snapshot_find(img, snaps[i].name) < 0)
		fail("a snapshot is lost");
	if (below(2)) {
		what = "snapshot apply";
		for (unsigned k = 0; k < SECTORS; k++)
			may_be(k, snaps[i].was[k]);
		r = image_snapshot_apply(img, (unsigned)image_snapshot_find(img, snaps[i].name),
					 err, sizeof(err));
		if (r == 0)
			flushed();
		return r;
	}
	what = "snapshot delete";
	snaps[i].sure = false;
	r = image_snapshot_delete(img, (unsigned)image_snapshot_find(img, snaps[i].name), err,
				  sizeof(err));
	if (r == 0)
		snaps[i] = snaps[--nr_snaps];
	return r;
}

static int one_op(struct image *img, bool zip)
{
	unsigned s = below(SECTORS), n = 1 + below(below(4) ? 24 : 300);
	int r;

	if (below(2))
		s = s / 8 % 64 * 8;
	if (n > SECTORS - s)
		n = SECTORS - s;
	switch (below(20)) {
	case 0:
	case 1:
	case 2:
		what = "flush";
		r = image_flush(img);
		if (r == 0)
			flushed();
		return r;
	case 3:
		what = "discard";
		return op_discard(img, s, n);
	case 4:
	case 5:
		what = "zero";
		return op_zero(img, s, n, below(2));
	case 6:
		return below(4) ? 0 : op_snapshot(img);
	case 7:
		what = "compressed write";
		return zip ? op_zip(img) : 0;
	case 8:
	case 9:
	case 10:
		what = "read";
		return op_read(img, s, n);
	default:
		what = "write";
		return op_write(img, s, n);
	}
}

/* ---- a round ---- */

static bool pick(void *opaque)
{
	(void)opaque;
	return next() & 1;
}

static void complain(void *opaque, const char *line)
{
	int *lines = opaque;

	if (strncmp(line, "Leaked", 6) && (*lines)++ < 10)
		fprintf(stderr, "%s\n", line);
}

static void check_image(struct image *img)
{
	static int lines;
	struct qcow2_check c = {.report = complain, .opaque = &lines};

	what = "check";
	lines = 0;
	if (qcow2_check(img, 0, &c) < 0)
		fail("cannot be checked");
	if (c.corruptions)
		fail("is corrupt");
}

static struct image *open_image(struct mem_disk *d, struct mem_disk *base, unsigned flags)
{
	struct image *img;
	char err[256];

	what = "open";
	if (image_open_file(&img, mem_open(d, false), "qcow2", flags | IMAGE_NO_BACKING, err,
			    sizeof(err)) < 0)
		fail(err);
	if (base &&
	    image_open_file(&img->backing, mem_open(base, true), "raw", 0, err, sizeof(err)) < 0)
		fail(err);
	return img;
}

static void check_contents(struct image *img)
{
	what = "contents";
	if (image_read(img, 0, data, DISK) < 0)
		fail("cannot be read");
	for (unsigned s = 0; s < SECTORS; s++) {
		struct sector *m = &model[s];
		uint32_t is = stamp_of(data + s * 512, s);
		unsigned i;

		for (i = 0; i < m->n && m->may[i] != is; i++)
			;
		if (i == m->n) {
			fprintf(stderr, "sector %u is %u, was %u when flushed, %u since\n", s, is,
				m->may[0], m->n - 1);
			fail("flushed data is lost");
		}
		m->may[0] = is;
		m->n = 1;
	}
}

static void check_snapshots(struct image *img)
{
	char err[256];

	for (unsigned i = 0; i < nr_snaps;) {
		int at = image_snapshot_find(img, snaps[i].name);

		what = "a snapshot's contents";
		if (at < 0 && snaps[i].sure)
			fail("a snapshot is lost");
		if (at < 0) {
			snaps[i] = snaps[--nr_snaps];
			continue;
		}
		if (image_snapshot_apply(img, (unsigned)at, err, sizeof(err)) < 0)
			fail(err);
		if (image_read(img, 0, data, DISK) < 0)
			fail("cannot be read");
		for (unsigned s = 0; s < SECTORS; s++)
			if (stamp_of(data + s * 512, s) != snaps[i].was[s])
				fail("is not what it was");
			else
				model[s].may[0] = snaps[i].was[s];
		snaps[i++].sure = true;
	}
	check_image(img);
}

static void one_round(uint64_t seed, struct mem_disk *base)
{
	static const unsigned sizes[] = {512, 1024, 4096, 65536};
	struct qcow2_options o = qcow2_defaults(DISK);
	struct mem_disk *d = mem_disk_new(MEMORY);
	struct bfile *f;
	struct image *img;
	struct qcow2_check mend = {0};
	char err[256];
	bool zip, with_base, in_snapshot;
	int r = 0;

	state = seed * 0x9e3779b97f4a7c15ull + 1;
	for (int i = 0; i < 4; i++)
		next();
	o.cluster_size = sizes[below(4)];
	o.version = below(4) ? 3 : 2;
	if (o.version == 3) {
		o.refcount_bits = 4u << below(5);
		o.lazy_refcounts = !below(3);
	}
	with_base = below(2);
	o.backing_name = with_base ? "base" : NULL;
	zip = below(2);
	nr_snaps = 0;
	stamp = 0;
	for (unsigned s = 0; s < SECTORS; s++) {
		model[s].may[0] = with_base ? backing_stamp(s) : 0;
		model[s].n = 1;
	}
	what = "create";
	f = mem_open(d, false);
	if (qcow2_create(f, &o, err, sizeof(err)) < 0)
		fail(err);
	bfile_close(f);
	mem_disk_crash(d, pick, NULL);
	img = open_image(d, with_base ? base : NULL, IMAGE_WRITE | (below(2) ? IMAGE_DISCARD : 0));
	d->fail_after = 1 + below(400);
	for (int i = 0; i < 120 && r == 0; i++)
		r = one_op(img, zip);
	if (r < 0 && !d->dead)
		fail(strerror(-r));
	if (!d->dead && below(2)) {
		/* No crash: closed, which flushes. */
		d->fail_after = 0;
		what = "close";
		if (image_close(img) < 0)
			fail("gives an error");
		flushed();
	} else {
		d->dead = true;
		image_close(img);
	}
	mem_disk_crash(d, pick, NULL);
	in_snapshot = strncmp(what, "snapshot", 8) == 0;
	/* As it is, where it does not say that it is dirty; then by a writer, who repairs. */
	img = open_image(d, with_base ? base : NULL, IMAGE_CHECK);
	if (!(qcow2_of(img)->incompat & FEAT_DIRTY) && o.version == 3)
		check_image(img);
	image_close(img);
	img = open_image(d, with_base ? base : NULL, IMAGE_WRITE);
	/* Version 2 cannot say that its flags are being changed. */
	if (o.version == 2 && in_snapshot &&
	    qcow2_check(img, CHECK_FIX_LEAKS | CHECK_FIX_ERRORS, &mend) < 0)
		fail("cannot be mended");
	check_image(img);
	check_contents(img);
	check_snapshots(img);
	/* And it can go on. */
	for (int i = 0; i < 20; i++)
		if (one_op(img, zip) < 0)
			fail("cannot go on");
	check_image(img);
	image_close(img);
	mem_disk_free(d);
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 500;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	struct mem_disk *base = mem_disk_new(DISK);

	base->size = DISK;
	for (unsigned s = 0; s < SECTORS; s++)
		fill(base->now + s * 512, s, backing_stamp(s));
	for (round_nr = 0; round_nr < rounds; round_nr++)
		one_round(seed + round_nr, base);
	mem_disk_free(base);
	printf("crash_qcow2: seed %llu: %lu passed, 0 failed\n", (unsigned long long)seed, rounds);
	return 0;
}
