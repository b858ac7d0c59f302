/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * doppel img amend: options of an image that is there already.
 */
#include <errno.h>
#include <string.h>

#include "frontend/img.h"

/* What cannot be changed where it is. */
static int check_same(const struct qcow2_options *o, const struct qcow2_info *is)
{
	const char *what = NULL;

	if (o->backing_name || o->backing_format)
		return img_complain(
		    "amend: the backing file cannot be changed; 'doppel img rebase' does it");
	if (o->version < 3 && o->lazy_refcounts)
		return img_complain("amend: lazy_refcounts=on needs compat=1.1");
	if (o->cluster_size != is->cluster_size)
		what = "cluster_size";
	else if (o->refcount_bits != is->refcount_bits)
		what = "refcount_bits";
	else if (o->zstd != is->zstd)
		what = "compression_type";
	else if (o->preallocation != PREALLOC_OFF)
		what = "preallocation";
	else if (o->version < is->version)
		what = "compat, from 1.1 to 0.10,";
	if (what)
		return img_complain("amend: %s cannot be changed; 'doppel img convert -o' makes "
				    "another image",
				    what);
	return 0;
}

static int change(struct image *img, const struct qcow2_options *o, bool has_size)
{
	char err[1024];
	int r;

	if (has_size && o->size < img->size)
		return img_complain("amend: %s would lose what is past %llu bytes; 'resize "
				    "--shrink' does it all the same",
				    img->file->path, (unsigned long long)o->size);
	if (has_size && image_resize(img, (o->size + 511) & ~511ull, err, sizeof(err)) < 0)
		return img_complain("%s", err);
	r = qcow2_amend(img, o->version, o->lazy_refcounts);
	return r < 0 ? img_complain("cannot write the header of %s: %s", img->file->path,
				    strerror(-r))
		     : 0;
}

int img_amend(struct img_args *a)
{
	struct img_progress progress = {.shown = -1, .total = 1};
	const char *format = NULL, *options[8], *file;
	bool has_size = false, quiet = false;
	struct qcow2_options o;
	struct qcow2_info is;
	struct image *img;
	unsigned nr = 0;
	int c, r, status = 0;

	while ((c = img_next(a, "pqf:t:o:", NULL)) > 0) {
		if (c == 'p')
			progress.on = true;
		else if (c == 'q')
			quiet = true;
		else if (c == 'f')
			format = a->value;
		else if (c == 'o' && nr < 8)
			options[nr++] = a->value;
	}
	progress.on &= !quiet;
	if (c < 0)
		return 1;
	if (!nr)
		return img_complain("amend: -o OPTIONS is missing");
	if (a->at + 1 != a->argc)
		return img_complain("amend: one file's name belongs here");
	file = a->argv[a->at];
	img = img_open(file, format, IMAGE_WRITE);
	if (!img)
		return 1;
	if (img->ops != &qcow2_ops) {
		image_close(img);
		return img_complain("%s: raw images have no options to be changed", file);
	}
	qcow2_info(img, &is);
	o = (struct qcow2_options){
	    .version = is.version,
	    .cluster_size = is.cluster_size,
	    .refcount_bits = is.refcount_bits,
	    .lazy_refcounts = is.lazy_refcounts,
	    .zstd = is.zstd,
	};
	for (unsigned i = 0; i < nr && status == 0; i++)
		status = img_parse_o(options[i], "qcow2", &o, &has_size);
	img_progress(&progress, 0);
	if (status == 0)
		status = check_same(&o, &is) || change(img, &o, has_size);
	r = image_close(img);
	if (r < 0 && status == 0)
		status = img_complain("cannot write %s: %s", file, strerror(-r));
	if (status == 0)
		img_progress(&progress, 1);
	return status;
}
