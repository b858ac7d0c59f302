/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * doppel img convert.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/img.h"
#include "hw/block/qcow2.h"

#define CHUNK (2u << 20)

struct convert {
	struct image **src;
	uint64_t *start; /* of each source in the target */
	unsigned nr;
	uint64_t total;
	struct image *dst;
	bool compress;
	bool empty;      /* the target reads as zeroes, or as its backing file */
	uint64_t sparse; /* zeroes of that many bytes are not written; 0: all are */
	bool salvage, quiet;
	struct img_progress progress;
	struct img_rate rate;
	uint8_t *buf, *below;
};

/* Of all sources one after the other; past the end zeroes. */
static int read_sources(struct convert *c, uint64_t offset, uint8_t *buf, uint64_t len)
{
	memset(buf, 0, len);
	for (unsigned i = 0; i < c->nr; i++) {
		uint64_t start = c->start[i], end = start + c->src[i]->size, from, to;
		int r;

		if (offset + len <= start || offset >= end)
			continue;
		from = offset > start ? offset : start;
		to = offset + len < end ? offset + len : end;
		r = image_read(c->src[i], from - start, buf + (from - offset), to - from);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The same by sectors: those that cannot be read are zeroes. */
static void salvage(struct convert *c, uint64_t offset, uint8_t *buf, uint64_t len)
{
	uint64_t bad = 0;

	for (uint64_t at = 0, n; at < len; at += n) {
		n = len - at < 512 ? len - at : 512;
		if (read_sources(c, offset + at, buf + at, n) < 0) {
			memset(buf + at, 0, n);
			bad += n;
		} else if (bad && !c->quiet) {
			img_complain(
			    "%llu bytes before offset %llu cannot be read: they become zeroes",
			    (unsigned long long)bad, (unsigned long long)(offset + at));
			bad = 0;
		}
	}
	if (bad && !c->quiet)
		img_complain("%llu bytes before offset %llu cannot be read: they become zeroes",
			     (unsigned long long)bad, (unsigned long long)(offset + len));
}

/* Bytes from offset on that are no data in any source; 0: there is data. */
static int hole(struct convert *c, uint64_t offset, uint64_t *n)
{
	*n = 0;
	for (unsigned i = 0; i < c->nr; i++) {
		uint64_t start = c->start[i], size = c->src[i]->size;
		bool data;

		if (offset < start || offset >= start + size)
			continue;
		int r =
		    img_chain_extent(c->src[i], offset - start, size - (offset - start), &data, n);

		if (data)
			*n = 0;
		return r;
	}
	*n = c->total - offset;
	return 0;
}

/* Writes what is not zeroes, or not what the backing file has, in pieces of c->sparse. */
static int write_sparse(struct convert *c, uint64_t offset, const uint8_t *buf, uint64_t len)
{
	uint64_t unit = c->sparse ? c->sparse : len;

	for (uint64_t at = 0; at < len;) {
		uint64_t n = len - at < unit ? len - at : unit, run = n;
		bool skip = c->sparse && img_is_zero(buf + at, n);
		int r = 0;

		if (c->below) {
			skip = memcmp(buf + at, c->below + at, n) == 0;
		} else if (!skip) {
			/* As much as is to be written in one go. */
			while (at + run < len) {
				uint64_t more = len - at - run < unit ? len - at - run : unit;

				if (c->sparse && img_is_zero(buf + at + run, more))
					break;
				run += more;
			}
		}
		if (!skip)
			r = image_write(c->dst, offset + at, buf + at, run);
		else if (!c->empty && !c->below)
			r = image_zero(c->dst, offset + at, n, true);
		if (r < 0)
			return r;
		at += run;
	}
	return 0;
}

static int write_zipped(struct convert *c, uint64_t offset, const uint8_t *buf, uint64_t len)
{
	uint64_t cluster = qcow2_of(c->dst)->cluster_size;

	for (uint64_t at = 0; at < len; at += cluster) {
		uint64_t n = len - at < cluster ? len - at : cluster;
		bool skip =
		    c->below ? memcmp(buf + at, c->below + at, n) == 0 : img_is_zero(buf + at, n);
		int r = skip ? 0 : qcow2_write_zipped(c->dst, offset + at, buf + at, n);

		if (r < 0)
			return r;
	}
	return 0;
}

static int read_below(struct convert *c, uint64_t offset, uint64_t len)
{
	uint64_t size = c->dst->backing->size;
	uint64_t n = offset >= size ? 0 : (len < size - offset ? len : size - offset);

	memset(c->below, 0, len);
	return n ? image_read(c->dst->backing, offset, c->below, n) : 0;
}

static int copy(struct convert *c)
{
	uint64_t copied = 0;

	for (uint64_t offset = 0; offset < c->total;) {
		uint64_t n;
		int r = hole(c, offset, &n);

		if (r < 0 && c->salvage) {
			n = 0;
			r = 0;
		}
		/* Holes that end inside a chunk are read with it. */
		n = n / CHUNK * CHUNK;
		if (offset % CHUNK || c->below)
			n = 0;
		if (r == 0 && n) {
			if (!c->empty)
				r = image_zero(c->dst, offset, n, true);
		} else if (r == 0) {
			n = c->total - offset < CHUNK ? c->total - offset : CHUNK;
			r = read_sources(c, offset, c->buf, n);
			if (r < 0 && c->salvage) {
				salvage(c, offset, c->buf, n);
				r = 0;
			}
			copied += n;
			if (r == 0 && c->below)
				r = read_below(c, offset, n);
			if (r == 0)
				r = c->compress ? write_zipped(c, offset, c->buf, n)
						: write_sparse(c, offset, c->buf, n);
		}
		if (r < 0)
			return r;
		offset += n;
		img_progress(&c->progress, offset);
		img_keep_rate(&c->rate, copied);
	}
	return image_flush(c->dst);
}

static int open_sources(struct convert *c, char **names, const char *format, unsigned flags,
			const char *snapshot)
{
	for (unsigned i = 0; i < c->nr; i++) {
		c->src[i] = img_open(names[i], format, flags);
		if (!c->src[i])
			return 1;
		c->start[i] = c->total;
		c->total += (c->src[i]->size + 511) & ~511ull;
		if (snapshot) {
			if (img_look_at(c->src[i], snapshot))
				return 1;
			c->total = c->start[i] + ((c->src[i]->size + 511) & ~511ull);
		}
	}
	return 0;
}

struct convert_options {
	const char *format, *out_format, *snapshot, *options[8];
	unsigned nr_options, flags;
	bool quiet, progress, compress, no_create, is_zero, salvage;
	uint64_t sparse, rate;
	struct qcow2_options create;
};

static int parse(struct img_args *a, struct convert_options *o)
{
	static const struct img_long longs[] = {
	    {"target-is-zero", 'z', false}, {"salvage", 's', false}, {NULL, 0, false}};
	int c;

	while ((c = img_next(a, "pqcnUCWf:O:B:F:o:S:l:t:T:m:r:", longs)) > 0) {
		switch (c) {
		case 'p':
			o->progress = true;
			break;
		case 'q':
			o->quiet = true;
			break;
		case 'c':
			o->compress = true;
			break;
		case 'n':
			o->no_create = true;
			break;
		case 'U':
			o->flags |= IMAGE_SHARE;
			break;
		case 'z':
			o->is_zero = true;
			break;
		case 's':
			o->salvage = true;
			break;
		case 'r':
			if (img_size(a->value, &o->rate))
				return 1;
			break;
		case 'f':
			o->format = a->value;
			break;
		case 'O':
			o->out_format = a->value;
			break;
		case 'B':
			o->create.backing_name = a->value;
			break;
		case 'F':
			o->create.backing_format = a->value;
			break;
		case 'o':
			if (o->nr_options < 8)
				o->options[o->nr_options++] = a->value;
			break;
		case 'S':
			if (img_size(a->value, &o->sparse))
				return 1;
			if (o->sparse % 512)
				return img_complain("convert: -S %s is no multiple of 512",
						    a->value);
			break;
		case 'l':
			o->snapshot = img_snapshot_name(a->value);
			break;
		default: /* caches, orders of writing, parallel requests */
			break;
		}
	}
	if (c == 0 && o->is_zero && !o->no_create)
		return img_complain("convert: --target-is-zero needs -n");
	return c < 0;
}

/* The target, made and opened; NULL after a complaint. */
static struct image *make_target(const struct convert_options *o, const char *name, uint64_t size,
				 bool *empty)
{
	struct qcow2_options create = o->create;
	struct image *img;
	bool has_size;

	create.size = size;
	for (unsigned i = 0; i < o->nr_options; i++)
		if (img_parse_o(o->options[i], o->out_format, &create, &has_size))
			return NULL;
	create.size = size;
	if (create.backing_name && !create.backing_format) {
		img_complain("convert: -B needs -F with the backing file's format");
		return NULL;
	}
	if (o->compress && strcmp(o->out_format, "qcow2")) {
		img_complain("convert: -c needs -O qcow2");
		return NULL;
	}
	if (!o->no_create && img_make(name, o->out_format, &create, true))
		return NULL;
	img = img_open(name, o->out_format, IMAGE_WRITE);
	if (img && img->size < size) {
		img_complain("%s is smaller than the source", name);
		image_close(img);
		return NULL;
	}
	if (img && o->is_zero && img->backing) {
		img_complain(
		    "convert: --target-is-zero does not go with a backing file, which %s has",
		    name);
		image_close(img);
		return NULL;
	}
	*empty = o->is_zero || (!o->no_create && img && !img->file->device);
	return img;
}

static int same_as_source(struct img_args *a)
{
	for (int i = a->at; i < a->argc - 1; i++)
		if (strcmp(a->argv[i], a->argv[a->argc - 1]) == 0)
			return img_complain("convert: %s is both source and target", a->argv[i]);
	return 0;
}

int img_convert(struct img_args *a)
{
	struct convert_options o = {
	    .out_format = "raw", .sparse = 4096, .create = qcow2_defaults(0)};
	struct convert c = {0};
	int status = 1, r;

	if (parse(a, &o))
		return 1;
	for (unsigned i = 0; i < o.nr_options; i++)
		if (img_help_o(o.options[i], o.out_format))
			return fflush(stdout) == 0 ? 0 : 1;
	if (a->argc - a->at < 2)
		return img_complain("convert: a source and a target belong here");
	if (same_as_source(a))
		return 1;
	c.nr = (unsigned)(a->argc - a->at - 1);
	c.src = calloc(c.nr, sizeof(*c.src));
	c.start = calloc(c.nr, sizeof(*c.start));
	c.compress = o.compress;
	c.sparse = o.sparse;
	c.salvage = o.salvage;
	c.quiet = o.quiet;
	c.rate = img_rate(o.rate);
	if (posix_memalign((void **)&c.buf, 4096, CHUNK))
		c.buf = NULL;
	if (!c.src || !c.start || !c.buf)
		goto out;
	if (open_sources(&c, a->argv + a->at, o.format, o.flags, o.snapshot))
		goto out;
	c.dst = make_target(&o, a->argv[a->argc - 1], c.total, &c.empty);
	if (!c.dst)
		goto out;
	if (c.dst->backing)
		c.below = malloc(CHUNK);
	c.progress =
	    (struct img_progress){.on = o.progress && !o.quiet, .total = c.total, .shown = -1};
	img_progress(&c.progress, 0);
	r = copy(&c);
	status = r < 0
		     ? img_complain("cannot convert to %s: %s", a->argv[a->argc - 1], strerror(-r))
		     : 0;
	r = image_close(c.dst);
	if (r < 0 && status == 0)
		status = img_complain("cannot write %s: %s", a->argv[a->argc - 1], strerror(-r));
out:
	for (unsigned i = 0; c.src && i < c.nr; i++)
		image_close(c.src[i]);
	free(c.src);
	free(c.start);
	free(c.buf);
	free(c.below);
	return status;
}
