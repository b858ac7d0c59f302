/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Opens qcow2 images (and what is guessed to be raw) with broken headers, tables and snapshots, as a reader, a
 * writer and for repair, and works with those that open. Nothing may crash or hang (build with MODE=asan),
 * and what was refused may not have been written to.
 * Usage: fuzz_qcow2 [seconds [seed [ARCHIVE]]]: the images in the archive, then mutations of our own; a failure
 * names the seed of one image, and `fuzz_qcow2 0 SEED` repeats it. With -DLIBFUZZER it is a target for libFuzzer
 * instead.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hw/block/qcow2.h"
#include "hw/block/qcow2_create.h"
#include "tests/block/memfile.h"
#include "tests/fuzz/seeds.h"

#define MEMORY (4u << 20)
#define DISK   (1u << 20)

static uint64_t state;

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

/* ---- working with an image ---- */

static void use(struct image *img)
{
	static uint8_t buf[65536];
	const struct image_snapshot *s;
	char err[256];

	for (int i = 0; i < 12; i++) {
		uint64_t size = img->size & ~511ull, at = size ? next() * 512 % size : 0;
		size_t len = 512u * (1 + below(100));
		struct extent e;

		if (below(4) == 0)
			at %= DISK;
		at &= ~511ull;
		if (len > size - at)
			len = (size_t)(size - at);
		switch (below(8)) {
		case 0:
		case 1:
			image_write(img, at, buf, len);
			break;
		case 2:
			image_zero(img, at, len, below(2));
			break;
		case 3:
			image_discard(img, at, len);
			break;
		case 4:
			image_flush(img);
			break;
		case 5:
			image_extent(img, at, len, &e);
			break;
		default:
			image_read(img, at, buf, len);
		}
	}
	s = image_snapshot_at(img, 0);
	if (s && below(2))
		image_snapshot_apply(img, 0, err, sizeof(err));
	if (s && below(2))
		image_snapshot_delete(img, 0, err, sizeof(err));
	if (below(4) == 0) {
		struct image_snapshot info = {.name = "fuzz"};

		image_snapshot_create(img, &info, err, sizeof(err));
	}
	if (below(8) == 0)
		image_resize(img, 512ull * below(8192), err, sizeof(err));
}

static void fuzz_one(const uint8_t *data, size_t len)
{
	static const unsigned ways[] = {0, IMAGE_WRITE, IMAGE_WRITE | IMAGE_DISCARD,
					IMAGE_WRITE | IMAGE_CHECK};
	struct mem_disk *d = mem_disk_new(MEMORY);
	struct qcow2_check c = {0};
	unsigned flags = ways[below(4)];
	struct image *img;
	char err[512] = "";

	memcpy(d->now, data, len);
	memcpy(d->safe, data, len);
	d->size = d->safe_size = len;
	if (image_open_file(&img, mem_open(d, !(flags & IMAGE_WRITE)), below(16) ? "qcow2" : NULL,
			    flags | IMAGE_NO_BACKING, err, sizeof(err)) < 0) {
		bool dirty = len >= 80 && (get_be64(d->safe + H_INCOMPAT) & FEAT_DIRTY);

		/* But for one that was to be repaired first. */
		if (!dirty && (d->size != len || memcmp(d->now, data, len))) {
			fprintf(stderr, "a refused image was written to: %s\n", err);
			abort();
		}
		if (!err[0] || strchr(err, '\n')) {
			fprintf(stderr, "refused without a message\n");
			abort();
		}
	} else {
		if (flags & IMAGE_CHECK && img->ops == &qcow2_ops)
			qcow2_check(img, below(4), &c);
		else
			use(img);
		image_close(img);
	}
	mem_disk_free(d);
}

/* An input is an image; what is done with it follows from its first bytes. */
static void play(const uint8_t *data, size_t len)
{
	state = 1;
	for (size_t i = 0; i < len && i < 4096; i++)
		state = state * 31 + data[i] + 1;
	if (len <= MEMORY / 2)
		fuzz_one(data, len);
}

/* ---- images to break ---- */

static size_t make_image(uint8_t *out)
{
	static const unsigned sizes[] = {512, 4096, 65536};
	struct qcow2_options o = qcow2_defaults(DISK);
	struct mem_disk *d = mem_disk_new(MEMORY);
	static uint8_t buf[65536];
	struct bfile *f;
	struct image *img;
	char err[256];
	size_t len;

	o.cluster_size = sizes[below(3)];
	o.version = below(4) ? 3 : 2;
	if (o.version == 3) {
		o.refcount_bits = 1u << below(7);
		o.lazy_refcounts = below(2);
	}
	o.backing_name = below(3) ? NULL : "base";
	o.backing_format = o.backing_name ? "raw" : NULL;
	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(i >> 5);
	f = mem_open(d, false);
	if (qcow2_create(f, &o, err, sizeof(err)) < 0 ||
	    image_open_file(&img, f, "qcow2", IMAGE_WRITE | IMAGE_NO_BACKING, err, sizeof(err)) < 0)
		abort();
	for (int i = 0; i < 8; i++) {
		uint64_t at = below(DISK - 65536) & ~511u;

		if (below(3) == 0)
			qcow2_write_zipped(img, cluster_down(qcow2_of(img), at), buf,
					   o.cluster_size);
		else if (below(4) == 0)
			image_zero(img, at, 512u * below(128), below(2));
		else
			image_write(img, at, buf, 512u * (1 + below(64)));
		if (i == 4 && below(2)) {
			struct image_snapshot info = {.name = "one"};

			image_snapshot_create(img, &info, err, sizeof(err));
		}
	}
	image_close(img);
	len = d->size < MEMORY / 2 ? d->size : MEMORY / 2;
	memcpy(out, d->now, len);
	mem_disk_free(d);
	return len;
}

/* Where a value that matters is: in the header, or in one of the tables that it points to. */
static size_t pick_offset(const uint8_t *img, size_t len)
{
	uint64_t tables[] = {0,
			     get_be64(img + H_L1_OFFSET),
			     get_be64(img + H_REFT_OFFSET),
			     get_be64(img + H_SNAPSHOTS_OFFSET),
			     0,
			     0};
	uint64_t at;

	for (unsigned i = 1; i <= 2; i++)
		if (len > 64 && tables[i] < len - 64)
			tables[3 + i] =
			    get_be64(img + tables[i] + 8 * below(i == 1 ? 4 : 1)) & ENTRY_OFFSET;
	at = tables[below(6)];
	if (at == 0)
		at = below(3) ? below(112) : below(512);
	else
		at += below(3) ? 8u * below(16) : below(512);
	return at < len ? (size_t)at : below((unsigned)len);
}

static void mutate(uint8_t *img, size_t *len)
{
	static const uint64_t special[] = {0,
					   1,
					   0x7f,
					   0xff,
					   0xffff,
					   0x7fffffff,
					   0x80000000,
					   0xffffffff,
					   0x100000000,
					   1ull << 56,
					   1ull << 62,
					   1ull << 63,
					   (1ull << 56) - 512,
					   UINT64_MAX,
					   0x10000,
					   0x8000000000010000};
	unsigned n = 1 + below(4);

	while (n--) {
		size_t at = pick_offset(img, *len), width = (size_t)1 << below(4);
		uint64_t v = next();

		if (below(3))
			v = special[below(sizeof(special) / sizeof(special[0]))];
		/* A cluster of the file, so that tables point at each other. */
		if (below(4) == 0) {
			v = (next() % *len & ~511ull) | (below(2) ? ENTRY_COPIED : 0);
			at &= ~(size_t)7;
			width = 8;
		}
		for (size_t i = 0; i < width && at + i < *len; i++)
			img[at + i] = (uint8_t)(v >> 8 * (width - 1 - i));
	}
	if (below(16) == 0 && *len > 1024)
		*len = 1024 + below((unsigned)*len - 1024);
}

#ifdef LIBFUZZER

size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t max);

/* A whole image where there is none yet; then fields as often as bytes. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max, unsigned seed)
{
	static uint8_t img[MEMORY];

	state = seed * 0x9e3779b97f4a7c15ull + 1;
	if (len < 512) {
		len = make_image(img);
		len = len < max ? len : max;
		memcpy(data, img, len);
	}
	if (len < 1024 || below(2))
		return LLVMFuzzerMutate(data, len, max);
	mutate(data, &len);
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	patience();
	play(data, len);
	patience_end();
	return 0;
}

#else

static void one(uint64_t seed)
{
	static uint8_t img[MEMORY];
	size_t len;
	uint8_t *exact;

	state = seed * 0x9e3779b97f4a7c15ull + 1;
	for (int i = 0; i < 4; i++)
		next();
	len = make_image(img);
	mutate(img, &len);
	exact = malloc(len);
	if (!exact)
		abort();
	memcpy(exact, img, len);
	fuzz_one(exact, len);
	free(exact);
}

/* Runs n images in a child; its exit status as waitpid() gives it. */
static int batch(uint64_t seed, uint64_t n)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		abort();
	if (pid == 0) {
		for (uint64_t i = 0; i < n; i++) {
			patience();
			one(seed + i);
		}
		exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 5;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1, first = seed;
	int kept = argc > 3 ? seeds_play(argv[3], play) : 0;
	time_t end = time(NULL) + (time_t)seconds;

	if (kept < 0) {
		fprintf(stderr, "fuzz_qcow2: %s is no archive of images\n", argv[3]);
		return 2;
	}
	if (seconds == 0) {
		one(seed);
		return 0;
	}
	for (; time(NULL) < end; seed += 100) {
		if (batch(seed, 100) == 0)
			continue;
		for (uint64_t i = seed; i < seed + 100; i++)
			if (batch(i, 1)) {
				fprintf(stderr, "fuzz_qcow2: image %llu fails\n",
					(unsigned long long)i);
				return 1;
			}
	}
	printf("fuzz_qcow2: %d seeds, images %llu to %llu: %llu passed, 0 failed\n", kept,
	       (unsigned long long)first, (unsigned long long)seed - 1,
	       kept + (unsigned long long)(seed - first));
	return 0;
}
#endif
