/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * doppel img map, compare: what a chain of images holds, and whether two hold the same.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/img.h"

#define CHUNK (2u << 20)

/* Exit statuses of compare. */
enum { SAME, DIFFERENT, NO_OPEN, NO_READ = 4 };

/* What the guest sees at start, and where it is. */
struct entry {
	uint64_t start, len, host;
	unsigned depth; /* in the chain of backing files */
	bool present;   /* some image of the chain has it */
	bool zero, data, mapped;
	const char *file; /* where host is */
};

static int look(struct image *img, uint64_t at, uint64_t len, struct entry *out)
{
	*out = (struct entry){.start = at, .len = len, .zero = true};
	for (;; img = img->backing, out->depth++) {
		struct extent e;
		int r = image_extent(img, at, out->len, &e);

		if (r < 0)
			return r;
		out->len = e.len;
		if (e.kind != EXTENT_BACKING) {
			out->present = e.allocated || e.mapped;
			out->zero = e.kind == EXTENT_ZERO;
			out->data = e.kind == EXTENT_DATA;
			out->mapped = e.mapped;
			out->host = e.mapped ? e.host : 0;
			out->file = e.mapped ? img->file->path : NULL;
			return 0;
		}
		/* Nothing is below the end of a shorter backing file: this image itself reads as zeroes. */
		if (!img->backing || at >= img->backing->size)
			return 0;
		if (out->len > img->backing->size - at)
			out->len = img->backing->size - at;
	}
}

/* ---- map ---- */

static bool continues(const struct entry *a, const struct entry *b)
{
	return a->zero == b->zero && a->data == b->data && a->present == b->present &&
	       a->depth == b->depth && a->mapped == b->mapped && a->file == b->file &&
	       (!a->mapped || a->host + a->len == b->host);
}

/* 0, or 1 after a complaint. */
static int print_entry(const struct entry *e, bool json, bool last)
{
	if (json) {
		printf("{ \"start\": %" PRIu64 ", \"length\": %" PRIu64
		       ", \"depth\": %u, \"present\": %s, \"zero\": %s, \"data\": %s",
		       e->start, e->len, e->depth, e->present ? "true" : "false",
		       e->zero ? "true" : "false", e->data ? "true" : "false");
		if (e->mapped)
			printf(", \"offset\": %" PRIu64, e->host);
		printf("}%s", last ? "" : ",\n");
		return 0;
	}
	if (!e->data)
		return 0;
	if (!e->mapped)
		return img_complain("the image has compressed clusters, which are nowhere as they "
				    "are (--output=json shows them)");
	printf("%#-16" PRIx64 "%#-16" PRIx64 "%#-16" PRIx64 "%s\n", e->start, e->len, e->host,
	       e->file);
	return 0;
}

static int print_map(struct image *img, uint64_t from, uint64_t end, bool json)
{
	struct entry now = {0}, next;

	for (uint64_t at = from; at < end; at += next.len) {
		int r = look(img, at, end - at, &next);

		if (r < 0)
			return img_complain("%s cannot be read: %s", img->file->path, strerror(-r));
		/* To people, what holds no data is all the same. */
		if (!json && !next.data)
			next = (struct entry){.start = at, .len = next.len, .zero = true};
		if (now.len && continues(&now, &next)) {
			now.len += next.len;
			continue;
		}
		if (now.len && print_entry(&now, json, false))
			return 1;
		now = next;
	}
	return now.len ? print_entry(&now, json, true) : 0;
}

int img_map(struct img_args *a)
{
	static const struct img_long longs[] = {{"output", 'o', true},
						{"start-offset", 's', true},
						{"max-length", 'l', true},
						{NULL, 0, false}};
	uint64_t start = 0, max = UINT64_MAX, end;
	const char *format = NULL;
	struct image *img;
	unsigned flags = 0;
	bool json = false;
	int c, status;

	while ((c = img_next(a, "f:s:l:U", longs)) > 0) {
		if (c == 'f')
			format = a->value;
		else if (c == 'U')
			flags |= IMAGE_SHARE;
		else if ((c == 's' && img_size(a->value, &start)) ||
			 (c == 'l' && img_size(a->value, &max)))
			return 1;
		else if (c == 'o' && img_output(a->value, &json))
			return 1;
	}
	if (c < 0)
		return 1;
	if (a->at + 1 != a->argc)
		return img_complain("map: one file's name belongs here");
	img = img_open(a->argv[a->at], format, flags);
	if (!img)
		return 1;
	end = start < img->size && max < img->size - start ? start + max : img->size;
	if (json)
		printf("[");
	else
		printf("%-16s%-16s%-16s%s\n", "Offset", "Length", "Mapped to", "File");
	status = print_map(img, start, end, json);
	if (json && status == 0)
		printf("]\n");
	image_close(img);
	return fflush(stdout) == 0 ? status : 1;
}

/* ---- compare ---- */

struct compare {
	struct image *img[2];
	uint8_t *buf[2];
	bool strict, quiet;
	struct img_progress progress;
};

static int differ(const struct compare *c, const char *what, uint64_t at)
{
	if (!c->quiet)
		printf(what, at);
	return DIFFERENT;
}

static int read_failed(const struct compare *c, unsigned i, int r)
{
	img_complain("%s cannot be read: %s", c->img[i]->file->path, strerror(-r));
	return NO_READ;
}

/* [at, at + len) is data in those images that `data` says, else zeroes. */
static int compare_data(struct compare *c, uint64_t at, uint64_t len, const bool *data)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < 2; i++) {
		int r = data[i] ? image_read(c->img[i], at, c->buf[i], len) : 0;

		if (r < 0)
			return read_failed(c, i, r);
	}
	/* By sectors, as the answer names one. */
	while (n < len) {
		uint64_t sector = len - n < 512 ? len - n : 512;

		if (data[0] && data[1] ? memcmp(c->buf[0] + n, c->buf[1] + n, sector) != 0
				       : !img_is_zero(c->buf[data[0] ? 0 : 1] + n, sector))
			break;
		n += sector;
	}
	if (n < len)
		return differ(c, "Content mismatch at offset %" PRIu64 "!\n", at + n);
	return SAME;
}

/* Up to the end of the shorter one. */
static int compare_common(struct compare *c, uint64_t size)
{
	struct entry e[2];
	uint64_t n;

	for (uint64_t at = 0; at < size; at += n) {
		for (unsigned i = 0; i < 2; i++) {
			int r = look(c->img[i], at, size - at, &e[i]);

			if (r < 0)
				return read_failed(c, i, r);
		}
		n = e[0].len < e[1].len ? e[0].len : e[1].len;
		if (c->strict && (e[0].present != e[1].present || e[0].zero != e[1].zero ||
				  e[0].data != e[1].data))
			return differ(c, "Strict mode: Offset %" PRIu64 " block status mismatch!\n",
				      at);
		if (e[0].data || e[1].data) {
			int status;

			n = n < CHUNK ? n : CHUNK;
			status = compare_data(c, at, n, (bool[2]){e[0].data, e[1].data});
			if (status)
				return status;
		}
		img_progress(&c->progress, at + n);
	}
	return SAME;
}

/* What only the longer one has must be zeroes. */
static int compare_rest(struct compare *c, unsigned longer, uint64_t from)
{
	uint64_t size = c->img[longer]->size;
	struct entry e;

	for (uint64_t at = from; at < size; at += e.len) {
		int r = look(c->img[longer], at, size - at, &e), status;

		if (r < 0)
			return read_failed(c, longer, r);
		if (!e.data)
			continue;
		e.len = e.len < CHUNK ? e.len : CHUNK;
		status = compare_data(c, at, e.len, (bool[2]){longer == 0, longer == 1});
		if (status)
			return status;
	}
	return SAME;
}

static int compare(struct compare *c)
{
	uint64_t size[2] = {c->img[0]->size, c->img[1]->size};
	unsigned longer = size[1] > size[0];
	uint64_t both = size[!longer];
	int status;

	if (c->strict && size[0] != size[1])
		return differ(c, "Strict mode: Image size mismatch!\n", 0);
	c->progress.total = both;
	status = compare_common(c, both);
	if (status == SAME && size[0] != size[1]) {
		if (!c->quiet)
			printf("Warning: Image size mismatch!\n");
		status = compare_rest(c, longer, both);
	}
	if (status == SAME && !c->quiet)
		printf("Images are identical.\n");
	return status;
}

int img_compare(struct img_args *a)
{
	const char *format[2] = {NULL, NULL};
	struct compare c = {.progress = {.shown = -1}};
	unsigned flags = 0;
	int o, status = NO_OPEN;

	while ((o = img_next(a, "f:F:T:pqsU", NULL)) > 0) {
		if (o == 'f')
			format[0] = a->value;
		else if (o == 'F')
			format[1] = a->value;
		else if (o == 'p')
			c.progress.on = true;
		else if (o == 'q')
			c.quiet = true;
		else if (o == 's')
			c.strict = true;
		else if (o == 'U')
			flags |= IMAGE_SHARE;
	}
	if (o < 0)
		return NO_OPEN;
	if (a->at + 2 != a->argc) {
		img_complain("compare: two files' names belong here");
		return NO_OPEN;
	}
	c.progress.on &= !c.quiet;
	for (unsigned i = 0; i < 2; i++) {
		c.img[i] = img_open(a->argv[a->at + (int)i], format[i], flags);
		if (!c.img[i] || posix_memalign((void **)&c.buf[i], 4096, CHUNK))
			goto out;
	}
	status = compare(&c);
	if (fflush(stdout))
		status = NO_READ;
out:
	for (unsigned i = 0; i < 2; i++) {
		image_close(c.img[i]);
		free(c.buf[i]);
	}
	return status;
}
