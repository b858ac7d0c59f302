/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * doppel img measure: what a file takes that holds a disk.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "frontend/img.h"
#include "hw/block/qcow2.h"

struct measure {
	uint64_t required, full;
};

static uint64_t div_up(uint64_t a, uint64_t b)
{
	return a / b + (a % b != 0);
}

/* Clusters that count `used` others and themselves. */
static uint64_t refcount_clusters(uint64_t used, const struct qcow2_options *o)
{
	uint64_t per_block = o->cluster_size * 8ull / o->refcount_bits, own = 0, was;

	do {
		uint64_t blocks = div_up(used + own, per_block);

		was = own;
		own = blocks + div_up(blocks, o->cluster_size / 8);
	} while (own != was);
	return own;
}

/* Bytes of the clusters that have other than zeroes. */
static int count_data(struct image *img, uint64_t cluster, uint64_t *out)
{
	*out = 0;
	for (uint64_t at = 0, n; at < img->size; at += n) {
		bool data;
		int r = img_chain_extent(img, at, img->size - at, &data, &n);

		if (r < 0)
			return img_complain("%s cannot be read: %s", img->file->path, strerror(-r));
		if (!data)
			continue;
		*out += at % cluster;
		n = div_up(at + n, cluster) * cluster - at;
		*out += n;
	}
	return 0;
}

/* img: with this disk's data; NULL: it is empty. 0, or 1 after a complaint. */
static int measure_qcow2(const struct qcow2_options *o, uint64_t size, struct image *img,
			 struct measure *m)
{
	uint64_t data = 0, clusters, tables, l1, own;
	char err[256];

	if (qcow2_check_options("measure", o, err, sizeof(err)) < 0)
		return img_complain("%s", err);
	clusters = div_up(size, o->cluster_size);
	tables = div_up(clusters, o->cluster_size / 8);
	l1 = div_up(tables, o->cluster_size / 8);
	own = 1 + l1 + tables;
	if (l1 * o->cluster_size > QCOW2_MAX_L1)
		return img_complain("measure: too large for clusters of %u bytes", o->cluster_size);
	if (img && count_data(img, o->cluster_size, &data))
		return 1;
	m->full = (own + clusters + refcount_clusters(own + clusters, o)) * o->cluster_size;
	if (o->preallocation >= PREALLOC_FALLOC || (img && o->backing_name))
		data = clusters * o->cluster_size;
	m->required = m->full - clusters * o->cluster_size + data;
	return 0;
}

/* Whether it could have any. */
static bool has_bitmaps(const struct image *img)
{
	struct qcow2_info is;

	if (!img || img->ops != &qcow2_ops)
		return false;
	qcow2_info(img, &is);
	return is.version >= 3;
}

static void print(const struct measure *m, bool bitmaps, bool json)
{
	if (json)
		printf("{\n%s    \"required\": %" PRIu64 ",\n    \"fully-allocated\": %" PRIu64
		       "\n}\n",
		       bitmaps ? "    \"bitmaps\": 0,\n" : "", m->required, m->full);
	else
		printf("required size: %" PRIu64 "\nfully allocated size: %" PRIu64 "\n%s",
		       m->required, m->full, bitmaps ? "bitmaps size: 0\n" : "");
}

int img_measure(struct img_args *a)
{
	static const struct img_long longs[] = {
	    {"output", 'j', true}, {"size", 's', true}, {NULL, 0, false}};
	const char *format = NULL, *out_format = "raw", *snapshot = NULL, *options[8];
	struct qcow2_options o = qcow2_defaults(0);
	uint64_t size = UINT64_MAX;
	struct image *img = NULL;
	struct measure m = {0};
	unsigned nr = 0, flags = 0;
	bool json = false, has_size;
	int c, status = 0;

	while ((c = img_next(a, "f:O:o:l:U", longs)) > 0) {
		if (c == 'f')
			format = a->value;
		else if (c == 'O')
			out_format = a->value;
		else if (c == 'l')
			snapshot = img_snapshot_name(a->value);
		else if (c == 'U')
			flags |= IMAGE_SHARE;
		else if (c == 'o' && nr < 8)
			options[nr++] = a->value;
		else if ((c == 'j' && img_output(a->value, &json)) ||
			 (c == 's' && img_size(a->value, &size)))
			return 1;
	}
	if (c < 0)
		return 1;
	if (a->argc - a->at != (size == UINT64_MAX))
		return img_complain("measure: either --size or one file's name belongs here");
	if (strcmp(out_format, "raw") && strcmp(out_format, "qcow2"))
		return img_complain("measure: format %s is not supported; there are raw and qcow2",
				    out_format);
	for (unsigned i = 0; i < nr; i++)
		if (img_parse_o(options[i], out_format, &o, &has_size))
			return 1;
	if (a->at < a->argc) {
		img = img_open(a->argv[a->at], format, flags);
		if (!img || (snapshot && img_look_at(img, snapshot)))
			status = 1;
		else
			size = img->size;
	}
	if (status == 0 && strcmp(out_format, "raw") == 0) {
		m.required = m.full = (size + 511) & ~511ull;
	} else if (status == 0) {
		status = measure_qcow2(&o, size, img, &m);
	}
	if (status == 0)
		print(&m, strcmp(out_format, "raw") && o.version >= 3 && has_bitmaps(img), json);
	if (img)
		image_close(img);
	return fflush(stdout) == 0 ? status : 1;
}
