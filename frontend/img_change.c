/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * doppel img snapshot, resize, commit, rebase.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "frontend/img.h"
#include "hw/block/qcow2.h"

#define CHUNK (2u << 20)

static int close_image(struct image *img, const char *name, int status)
{
	int r = image_close(img);

	return r < 0 && status == 0 ? img_complain("cannot write %s: %s", name, strerror(-r))
				    : status;
}

static int one_file(struct img_args *a, const char *command)
{
	if (a->at + 1 == a->argc)
		return 0;
	return img_complain("%s: one file's name belongs here", command);
}

/* ---- snapshot ---- */

int img_snapshot(struct img_args *a)
{
	unsigned flags = IMAGE_NO_BACKING | IMAGE_DISCARD;
	const char *name = NULL, *file;
	struct image *img;
	char err[1024];
	int c, what = 'l', at, r = 0;

	while ((c = img_next(a, "qUlc:a:d:", NULL)) > 0) {
		if (c == 'U')
			flags |= IMAGE_SHARE;
		if (c == 'c' || c == 'a' || c == 'd')
			name = a->value;
		if (strchr("lcad", c))
			what = c;
	}
	if (c < 0 || one_file(a, "snapshot"))
		return 1;
	file = a->argv[a->at];
	img = img_open(file, NULL, flags | (what == 'l' ? 0 : IMAGE_WRITE));
	if (!img)
		return 1;
	if (what == 'l') {
		img_print_snapshots(stdout, img);
	} else if (what == 'c') {
		struct image_snapshot info = {.name = (char *)name};

		r = image_snapshot_create(img, &info, err, sizeof(err));
	} else {
		at = image_snapshot_find(img, name);
		if (at < 0) {
			image_close(img);
			return img_complain("%s has no snapshot %s", file, name);
		}
		r = what == 'a' ? image_snapshot_apply(img, (unsigned)at, err, sizeof(err))
				: image_snapshot_delete(img, (unsigned)at, err, sizeof(err));
	}
	return close_image(img, file, r < 0 ? img_complain("%s", err) : 0);
}

/* ---- resize ---- */

static int new_size(const char *text, uint64_t old, uint64_t *out)
{
	uint64_t by;
	bool more = *text == '+', less = *text == '-';

	if (img_size(text + (more || less), &by))
		return 1;
	if (less && by > old)
		return img_complain("resize: the image has only %llu bytes",
				    (unsigned long long)old);
	*out = more ? old + by : less ? old - by : by;
	*out = (*out + 511) & ~511ull;
	return 0;
}

int img_resize(struct img_args *a)
{
	static const struct img_long longs[] = {
	    {"shrink", 's', false}, {"preallocation", 'P', true}, {NULL, 0, false}};
	enum preallocation how = PREALLOC_OFF;
	const char *format = NULL, *prealloc = NULL, *file, *text;
	bool quiet = false, shrink = false;
	struct image *img;
	char err[1024];
	uint64_t size = 0, old;
	int c, status = 0;

	/* The size may start with a minus. */
	if (a->argc - a->at < 2)
		return img_complain("resize: a file's name and a size belong here");
	text = a->argv[--a->argc];
	while ((c = img_next(a, "qf:", longs)) > 0) {
		if (c == 'q')
			quiet = true;
		else if (c == 'f')
			format = a->value;
		else if (c == 'P')
			prealloc = a->value;
		else
			shrink = true;
	}
	if (c < 0 || one_file(a, "resize"))
		return 1;
	file = a->argv[a->at];
	img = img_open(file, format, IMAGE_WRITE | IMAGE_DISCARD);
	if (!img)
		return 1;
	old = img->size;
	if ((prealloc && img_preallocation(img->ops->name, prealloc, &how)) ||
	    new_size(text, old, &size))
		status = 1;
	else if (how != PREALLOC_OFF && size < old)
		status = img_complain("resize: only what is added can be preallocated");
	else if (size < img->size && !shrink)
		status =
		    img_complain("resize: %s would lose what is past %llu bytes; --shrink does "
				 "it all the same",
				 file, (unsigned long long)size);
	else if (image_resize(img, size, err, sizeof(err)) < 0)
		status = img_complain("%s", err);
	else if (img_preallocate(img, old, how))
		status = 1;
	status = close_image(img, file, status);
	if (status == 0 && !quiet)
		printf("Image resized.\n");
	return status;
}

/* ---- commit ---- */

struct commit {
	struct img_progress progress;
	struct img_rate rate;
	uint64_t before;                /* bytes of the images that are done */
	uint64_t copied, copied_before; /* of them and this one */
};

static void commit_progress(void *opaque, uint64_t done, uint64_t copied)
{
	struct commit *c = opaque;

	img_progress(&c->progress, c->before + done);
	c->copied = c->copied_before + copied;
	img_keep_rate(&c->rate, c->copied);
}

static bool is_file(const char *path, const char *name)
{
	struct stat a, b;

	return stat(path, &a) == 0 && stat(name, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* What lies between top and base, or the backing file, whose path is *out: 0, or 1 after a complaint. */
static int open_layers(struct image *top, const char *base, struct image **layers, unsigned *nr,
		       char **out)
{
	for (struct image *img = top;; img = layers[(*nr)++]) {
		*out = img->backing_name ? image_backing_path(img) : NULL;
		if (!*out || *nr == IMAGE_MAX_CHAIN)
			return base ? img_complain("commit: %s is no backing file of %s", base,
						   top->file->path)
				    : img_complain("%s has no backing file", top->file->path);
		if (!base || strcmp(base, img->backing_name) == 0 || is_file(*out, base))
			return 0;
		layers[*nr] = img_open(*out, img->backing_format, IMAGE_NO_BACKING);
		if (!layers[*nr])
			return 1;
		free(*out);
	}
}

/* What is past the end of a layer reads as zeroes, whatever is below. */
static int commit_layer(struct commit *c, struct image *img, struct image *base, bool last)
{
	char err[1024];
	int r = 0;

	if (image_commit(img, base, commit_progress, c, err, sizeof(err)) < 0)
		return img_complain("%s", err);
	c->before += img->size;
	c->copied_before = c->copied;
	if (!last && base->size > img->size)
		r = image_zero(base, img->size, base->size - img->size, true);
	return r < 0 ? img_complain("cannot write %s: %s", base->file->path, strerror(-r)) : 0;
}

static int commit_to(struct image *top, struct image **layers, unsigned nr, struct image *base,
		     struct commit *c, bool keep)
{
	int r;

	c->progress.total = top->size;
	for (unsigned i = 0; i < nr; i++)
		c->progress.total += layers[i]->size;
	for (unsigned i = nr; i-- > 0;)
		if (commit_layer(c, layers[i], base, false))
			return 1;
	if (commit_layer(c, top, base, true))
		return 1;
	/* With others between them, the image is not the base's overlay. */
	if (keep || nr)
		return 0;
	/* Only what is safe below is taken away above. */
	top->backing = base;
	r = qcow2_make_empty(top);
	top->backing = NULL;
	return r < 0 ? img_complain("cannot commit %s: %s", top->file->path, strerror(-r)) : 0;
}

int img_commit(struct img_args *a)
{
	static const struct img_long longs[] = {{"drop", 'd', false}, {NULL, 0, false}};
	struct commit commit = {.progress = {.shown = -1}};
	const char *format = NULL, *base_name = NULL, *file;
	struct image *top, *base = NULL, *layers[IMAGE_MAX_CHAIN];
	bool quiet = false, keep = false;
	uint64_t rate = 0;
	unsigned nr = 0;
	char *path = NULL;
	int c, status;

	while ((c = img_next(a, "qpdf:b:t:r:", longs)) > 0) {
		if (c == 'q')
			quiet = true;
		else if (c == 'p')
			commit.progress.on = true;
		else if (c == 'd')
			keep = true;
		else if (c == 'f')
			format = a->value;
		else if (c == 'b')
			base_name = a->value;
		else if (c == 'r' && img_size(a->value, &rate))
			return 1;
	}
	if (c < 0 || one_file(a, "commit"))
		return 1;
	file = a->argv[a->at];
	top = img_open(file, format, IMAGE_WRITE | IMAGE_NO_BACKING | IMAGE_DISCARD);
	if (!top)
		return 1;
	status = open_layers(top, base_name, layers, &nr, &path);
	if (status == 0) {
		base = img_open(path, nr ? layers[nr - 1]->backing_format : top->backing_format,
				IMAGE_WRITE | IMAGE_DISCARD);
		commit.rate = img_rate(rate);
		status = base ? commit_to(top, layers, nr, base, &commit, keep) : 1;
	}
	for (unsigned i = 0; i < nr; i++)
		image_close(layers[i]);
	status = close_image(top, file, status);
	if (base)
		status = close_image(base, path, status);
	free(path);
	if (status == 0 && !quiet)
		printf("Image committed.\n");
	return status;
}

/* ---- rebase ---- */

static int read_padded(struct image *img, uint64_t offset, uint8_t *buf, uint64_t len)
{
	uint64_t size = img ? img->size : 0;
	uint64_t n = offset >= size ? 0 : (len < size - offset ? len : size - offset);

	memset(buf + n, 0, len - n);
	return n ? image_read(img, offset, buf, n) : 0;
}

/* What the image takes from the old backing file and would not get from the new one becomes its own. */
static int keep_differences(struct image *img, struct image *new, struct img_progress *p)
{
	uint64_t unit = qcow2_of(img)->cluster_size;
	uint8_t *was = malloc(CHUNK), *will = malloc(CHUNK);
	int r = was && will ? 0 : -ENOMEM;

	for (uint64_t offset = 0, n; offset < img->size && r == 0; offset += n) {
		struct extent e;

		n = img->size - offset < CHUNK ? img->size - offset : CHUNK;
		r = image_extent(img, offset, n, &e);
		if (r < 0)
			break;
		n = e.len;
		if (e.kind == EXTENT_BACKING) {
			r = read_padded(img->backing, offset, was, n);
			if (r == 0)
				r = read_padded(new, offset, will, n);
			for (uint64_t at = 0; at < n && r == 0; at += unit) {
				uint64_t part = n - at < unit ? n - at : unit;

				if (memcmp(was + at, will + at, part))
					r = image_write(img, offset + at, was + at, part);
			}
		}
		img_progress(p, offset + n);
	}
	free(was);
	free(will);
	return r < 0 ? r : image_flush(img);
}

/* The new backing file, by its name as the image will have it. */
static struct image *open_new(struct image *img, const char *name, const char *format)
{
	char *old = img->backing_name, *path;
	struct image *new;

	img->backing_name = (char *)name;
	path = image_backing_path(img);
	img->backing_name = old;
	new = path ? img_open(path, format, 0) : NULL;
	free(path);
	return new;
}

int img_rebase(struct img_args *a)
{
	struct img_progress progress = {.shown = -1};
	const char *format = NULL, *backing = NULL, *backing_format = NULL, *file;
	bool unsafe = false;
	struct image *img, *new = NULL;
	int c, r, status = 0;

	while ((c = img_next(a, "qpuUf:b:F:t:T:", NULL)) > 0) {
		if (c == 'p')
			progress.on = true;
		else if (c == 'u')
			unsafe = true;
		else if (c == 'f')
			format = a->value;
		else if (c == 'b')
			backing = a->value;
		else if (c == 'F')
			backing_format = a->value;
	}
	if (c < 0 || one_file(a, "rebase"))
		return 1;
	if (!backing)
		return img_complain(
		    "rebase: -b BACKING is missing; -b '' takes the backing file away");
	if (*backing && !backing_format)
		return img_complain("rebase: -b needs -F with the backing file's format");
	file = a->argv[a->at];
	img = img_open(file, format, IMAGE_WRITE | (unsafe ? IMAGE_NO_BACKING : 0));
	if (!img)
		return 1;
	if (img->ops != &qcow2_ops)
		status = img_complain("%s: raw images have no backing file", file);
	if (status == 0 && !unsafe && *backing) {
		new = open_new(img, backing, backing_format);
		status = !new;
	}
	if (status == 0 && !unsafe) {
		progress.total = img->size;
		r = keep_differences(img, new, &progress);
		status = r < 0 ? img_complain("cannot rebase %s: %s", file, strerror(-r)) : 0;
	}
	if (status == 0) {
		r = qcow2_set_backing(img, *backing ? backing : NULL,
				      *backing ? backing_format : NULL);
		if (r < 0)
			status = img_complain("cannot write the header of %s: %s", file,
					      r == -ENAMETOOLONG ? "the name is too long"
								 : strerror(-r));
	}
	if (new)
		image_close(new);
	return close_image(img, file, status);
}
