/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Raw images, their format told or guessed, of any size, by a host that has O_DIRECT's rules of alignment or none:
 * what is read must be what was written, and what was guessed to be raw may not become anything else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/block/image.h"
#include "tests/block/memfile.h"
#include "tests/fuzz/fuzz.h"

#define SECTOR     512u
#define IMAGE_MOST 0x8400u /* of an image; not aligned to anything larger than pages */

static uint8_t shadow[IMAGE_MOST], buf[IMAGE_MOST];

static void raw_nothing(void) {}

static _Noreturn void fail(const char *why)
{
	fprintf(stderr, "fuzz_devices: raw: %s\n", why);
	abort();
}

/* The head of some format, or of none, or nearly. */
static void make_head(uint8_t *p, size_t len)
{
	static const struct {
		const char *magic;
		uint8_t n, at;
	} heads[] = {
	    {"QFI\xfb\0\0\0\3", 8, 0},
	    {"QFI\xfb\0\0\0\1", 8, 0},
	    {"KDMV", 4, 0},
	    {"vhdxfile", 8, 0},
	    {"conectix", 8, 0},
	    {"\x7f\x10\xda\xbe", 4, 64},
	    {"QED", 4, 0},
	    {"LUKS\xba\xbe", 6, 0},
	    {"WithoutFreeSpace", 16, 0},
	    {"raw", 3, 0},
	};
	unsigned n = below(sizeof(heads) / sizeof(heads[0]));

	for (unsigned i = 0; i < heads[n].n && heads[n].at + i < len; i++)
		p[heads[n].at + i] = (uint8_t)heads[n].magic[i];
	if (one_in(2) && len)
		p[below(len < 80 ? (unsigned)len : 80)] = (uint8_t)next();
}

/* Of an image: often its first or last bytes. */
static void pick_range(uint64_t size, bool sectors, uint64_t *at, size_t *len)
{
	*at = one_in(4)   ? 0
	      : one_in(3) ? size - below(size < 1024 ? (unsigned)size + 1 : 1024)
			  : below((unsigned)size + 1);
	if (sectors)
		*at &= ~(uint64_t)(SECTOR - 1);
	*len = one_in(2) ? below(1200) : below(40000);
	if (sectors)
		*len &= ~(size_t)(SECTOR - 1);
	if (*len > size - *at)
		*len = (size_t)(size - *at);
}

static void compare(struct image *img, uint64_t at, size_t len)
{
	memset(buf, 0xa5, len);
	if (image_read(img, at, buf, len) < 0)
		fail("a read fails");
	if (memcmp(buf, shadow + at, len) != 0)
		fail("a read does not give what was written");
}

static void write_some(struct image *img, uint64_t at, size_t len)
{
	uint8_t first = (uint8_t)next();
	int r;

	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)(first + i);
	if (one_in(2))
		make_head(buf, len);
	r = image_write(img, at, buf, len);
	if (r == 0)
		memcpy(shadow + at, buf, len);
	else if (!img->guessed || at >= SECTOR)
		fail("a write fails");
}

static void resize(struct image *img)
{
	uint64_t was = img->size, size = SECTOR * below(IMAGE_MOST / SECTOR + 1);
	char err[256];

	if (image_resize(img, size, err, sizeof(err)) < 0)
		fail("a resize fails");
	if (size > was)
		memset(shadow + was, 0, size - was);
}

static void one_access(struct image *img)
{
	unsigned what = below(8);
	struct extent e;
	uint64_t at;
	size_t len;

	pick_range(img->size, what > 3, &at, &len);
	switch (what) {
	case 0:
	case 1:
		write_some(img, at, len);
		break;
	case 4:
		if (image_zero(img, at, len, one_in(2)) < 0)
			fail("zeroes cannot be written");
		memset(shadow + at, 0, len);
		break;
	case 5: /* the contents become anything */
		if (image_discard(img, at, len) < 0 || image_read(img, at, shadow + at, len) < 0)
			fail("a discard fails");
		break;
	case 6:
		if (len && (image_extent(img, at, len, &e) < 0 || !e.len || e.len > len))
			fail("an extent is empty or too long");
		break;
	case 7:
		if (one_in(4))
			resize(img);
		image_flush(img);
		break;
	default:
		compare(img, at, len);
	}
}

static void raw_round(void)
{
	static const unsigned aligns[] = {1, 512, 4096};
	struct mem_disk *d = mem_disk_new(IMAGE_MOST + 8192);
	struct bfile *f = mem_open(d, false);
	const char *format = one_in(2) ? "raw" : NULL;
	struct image *img;
	char err[256] = "";

	d->size = one_in(4) ? below(1100) : below(IMAGE_MOST);
	for (size_t i = 0; i < d->size; i++)
		d->now[i] = (uint8_t)(i >> 4);
	if (!one_in(4))
		make_head(d->now, d->size);
	memcpy(shadow, d->now, d->size);
	f->align = f->mem_align = aligns[below(3)];
	f->direct = f->align > 1;
	if (image_open_file(&img, f, format, IMAGE_WRITE | IMAGE_DISCARD | IMAGE_NO_BACKING, err,
			    sizeof(err)) < 0) {
		if (format)
			fail("a raw image is refused");
		if (!err[0] || memcmp(d->now, shadow, d->size) != 0)
			fail("refused without a message, or written to");
	} else if (img->ops == &raw_ops) {
		for (unsigned n = 1 + below(20); n; n--)
			one_access(img);
		compare(img, 0, img->size);
		if (img->guessed && strcmp(image_probe(f), "raw") != 0)
			fail("what was guessed to be raw is no longer so");
		image_close(img);
	} else {
		image_close(img);
	}
	mem_disk_free(d);
}

const struct fuzz_device fuzz_raw[] = {
    {"raw", raw_nothing, NULL, raw_round, raw_nothing, NULL},
    {0},
};
