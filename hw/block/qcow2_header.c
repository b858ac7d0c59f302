/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The qcow2 header: read and doubted, changed in place, written anew.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "hw/block/qcow2.h"

#define KNOWN_INCOMPAT (FEAT_DIRTY | FEAT_CORRUPT | FEAT_COMPRESSION)

static int refuse(const struct image *img, char *err, size_t errlen, const char *why)
{
	image_error(err, errlen, "%s: not a valid qcow2 image: %s", img->file->path, why);
	return -EINVAL;
}

/* The name that the image gives to a feature. */
static void feature_name(const uint8_t *table, size_t len, unsigned type, unsigned bit, char *out,
			 size_t outlen)
{
	static const char *const known[] = {"dirty bit", "corrupt bit", "external data file",
					    "compression type", "extended L2 entries"};

	if (type == 0 && bit < sizeof(known) / sizeof(known[0])) {
		snprintf(out, outlen, "%s", known[bit]);
		return;
	}
	snprintf(out, outlen, "incompatible feature bit %u", bit);
	for (size_t i = 0; i + 48 <= len; i += 48)
		if (table[i] == type && table[i + 1] == bit && table[i + 2]) {
			snprintf(out, outlen, "%.46s", (const char *)table + i + 2);
			return;
		}
}

static int check_features(struct image *img, const uint8_t *table, size_t table_len, char *err,
			  size_t errlen)
{
	struct qcow2 *q = qcow2_of(img);
	char names[256] = "";

	for (unsigned bit = 0; bit < 64; bit++) {
		char name[64];

		if (!(q->incompat & ~(uint64_t)KNOWN_INCOMPAT & 1ull << bit))
			continue;
		feature_name(table, table_len, 0, bit, name, sizeof(name));
		if (strlen(names) + strlen(name) + 3 < sizeof(names))
			sprintf(names + strlen(names), "%s%s", names[0] ? ", " : "", name);
	}
	if (!names[0])
		return 0;
	image_error(err, errlen, "%s uses qcow2 features that are not supported: %s",
		    img->file->path, names);
	return -ENOTSUP;
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

/* head: the first cluster. */
static int read_extensions(struct image *img, const uint8_t *head, size_t end, char *err,
			   size_t errlen)
{
	struct qcow2 *q = qcow2_of(img);
	size_t at = q->header_length, features = 0, features_len = 0;

	while (at + 8 <= end) {
		uint32_t type = get_be32(head + at), len = get_be32(head + at + 4);
		size_t whole = 8 + (((size_t)len + 7) & ~(size_t)7);
		uint8_t *more;

		if (type == EXT_END)
			break;
		if (len > end - at - 8)
			return refuse(img, err, errlen, "a header extension is too long");
		switch (type) {
		case EXT_BACKING_FORMAT:
			if (len > 255)
				return refuse(img, err, errlen, "the backing format is too long");
			free(img->backing_format);
			img->backing_format = dup_bytes(head + at + 8, len);
			if (!img->backing_format)
				return -ENOMEM;
			break;
		case EXT_FEATURES:
			features = at + 8;
			features_len = len;
			break;
		case EXT_BITMAPS:
			/* Which nobody keeps up to date now; the autoclear bit says so. */
			q->has_bitmaps = q->autoclear & FEAT_BITMAPS;
			break;
		default:
			if (whole > end - at)
				return refuse(img, err, errlen, "a header extension is too long");
			more = realloc(q->extensions, q->extensions_len + whole);
			if (!more)
				return -ENOMEM;
			memcpy(more + q->extensions_len, head + at, whole);
			q->extensions = more;
			q->extensions_len += whole;
		}
		at += whole;
	}
	return check_features(img, head + features, features_len, err, errlen);
}

static int check_limits(struct image *img, char *err, size_t errlen)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t mask = q->cluster_size - 1;

	if (img->size > IMAGE_MAX_SIZE)
		return refuse(img, err, errlen, "the disk's size is too large");
	if (l1_entries(q, img->size) > q->l1_size || q->l1_size > QCOW2_MAX_L1 / 8)
		return refuse(img, err, errlen, "the L1 table is too small or too large");
	if ((q->l1_offset & mask) || (q->l1_size && !q->l1_offset) || q->l1_offset >> 56)
		return refuse(img, err, errlen, "the L1 table's offset is wrong");
	if (q->reft_clusters == 0 || q->reft_clusters * q->cluster_size > QCOW2_MAX_REFTABLE)
		return refuse(img, err, errlen, "the refcount table is empty or too large");
	if ((q->reft_offset & mask) || !q->reft_offset || q->reft_offset >> 56)
		return refuse(img, err, errlen, "the refcount table's offset is wrong");
	if (q->nr_snapshots > QCOW2_MAX_SNAPSHOTS)
		return refuse(img, err, errlen, "too many snapshots");
	if (q->nr_snapshots &&
	    ((q->snapshots_offset & mask) || !q->snapshots_offset || q->snapshots_offset >> 56))
		return refuse(img, err, errlen, "the snapshot table's offset is wrong");
	return 0;
}

int qcow2_read_header(struct image *img, unsigned flags, char *err, size_t errlen)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t backing_offset, file_size;
	uint32_t backing_len, crypt;
	uint8_t head[112], *cluster;
	int r = bfile_size(img->file, &file_size);

	if (r == 0)
		r = bfile_read(img->file, 0, head, sizeof(head));
	if (r < 0) {
		image_error(err, errlen, "cannot read %s", img->file->path);
		return r;
	}
	if (get_be32(head + H_MAGIC) != QCOW2_MAGIC || file_size < H_V2_LENGTH)
		return refuse(img, err, errlen, "it does not start as one");
	q->version = get_be32(head + H_VERSION);
	if (q->version != 2 && q->version != 3) {
		image_error(err, errlen, "%s: qcow2 version %u is not supported (2 and 3 are)",
			    img->file->path, q->version);
		return -ENOTSUP;
	}
	q->cluster_bits = get_be32(head + H_CLUSTER_BITS);
	if (q->cluster_bits < 9 || q->cluster_bits > 21)
		return refuse(img, err, errlen, "the cluster size is not 512 bytes to 2 MiB");
	q->cluster_size = 1ull << q->cluster_bits;
	q->l2_bits = q->cluster_bits - 3;
	img->size = get_be64(head + H_SIZE);
	crypt = get_be32(head + H_CRYPT);
	q->l1_size = get_be32(head + H_L1_SIZE);
	q->l1_offset = get_be64(head + H_L1_OFFSET);
	q->reft_offset = get_be64(head + H_REFT_OFFSET);
	q->reft_clusters = get_be32(head + H_REFT_CLUSTERS);
	q->nr_snapshots = get_be32(head + H_NR_SNAPSHOTS);
	q->snapshots_offset = get_be64(head + H_SNAPSHOTS_OFFSET);
	backing_offset = get_be64(head + H_BACKING_OFFSET);
	backing_len = get_be32(head + H_BACKING_SIZE);
	q->header_length = H_V2_LENGTH;
	q->refcount_order = 4;
	if (q->version >= 3) {
		q->incompat = get_be64(head + H_INCOMPAT);
		q->compat = get_be64(head + H_COMPAT);
		q->autoclear = get_be64(head + H_AUTOCLEAR);
		q->refcount_order = get_be32(head + H_REFCOUNT_ORDER);
		q->header_length = get_be32(head + H_LENGTH);
		if (q->header_length < H_V3_LENGTH || q->header_length > q->cluster_size ||
		    q->header_length % 8)
			return refuse(img, err, errlen, "the header's length is wrong");
		if (q->refcount_order > 6)
			return refuse(img, err, errlen, "refcounts are wider than 64 bits");
		if (q->header_length > H_COMPRESSION)
			q->compression = head[H_COMPRESSION];
	}
	q->refblock_bits = q->cluster_bits + 3 - q->refcount_order;
	if (crypt) {
		image_error(err, errlen, "%s is encrypted (%s), which is not supported",
			    img->file->path,
			    crypt == 1   ? "AES"
			    : crypt == 2 ? "LUKS"
					 : "unknown");
		return -ENOTSUP;
	}
	if (!q->compression != !(q->incompat & FEAT_COMPRESSION))
		return refuse(img, err, errlen, "compression type and feature bit do not match");
	if (q->compression > 1) {
		image_error(err, errlen, "%s: compression type %u is not known", img->file->path,
			    q->compression);
		return -ENOTSUP;
	}
	if (backing_offset && (backing_len > QCOW2_MAX_NAME || backing_offset > q->cluster_size ||
			       backing_len > q->cluster_size - backing_offset))
		return refuse(img, err, errlen, "the backing file's name is too long");
	cluster = malloc(q->cluster_size);
	if (!cluster)
		return -ENOMEM;
	r = bfile_read(img->file, 0, cluster, q->cluster_size);
	if (r == 0)
		r = read_extensions(img, cluster, backing_offset ? backing_offset : q->cluster_size,
				    err, errlen);
	else
		image_error(err, errlen, "cannot read %s", img->file->path);
	if (r == 0 && backing_offset && backing_len) {
		img->backing_name = dup_bytes(cluster + backing_offset, backing_len);
		if (!img->backing_name)
			r = -ENOMEM;
	}
	free(cluster);
	if (r == -ENOMEM)
		image_error(err, errlen, "%s: out of memory", img->file->path);
	if (r < 0)
		return r;
	if ((q->incompat & FEAT_CORRUPT) && !img->read_only && !(flags & IMAGE_CHECK)) {
		image_error(err, errlen,
			    "%s is marked corrupt; repair it with 'doppel img check -r all', or "
			    "open it read-only",
			    img->file->path);
		return -EUCLEAN;
	}
	return check_limits(img, err, errlen);
}

static size_t put_extension(uint8_t *p, uint32_t type, const void *data, size_t len)
{
	put_be32(p, type);
	put_be32(p + 4, (uint32_t)len);
	memcpy(p + 8, data, len);
	return 8 + ((len + 7) & ~(size_t)7);
}

static size_t put_feature_names(uint8_t *p)
{
	static const struct {
		uint8_t type, bit;
		const char *name;
	} names[] = {
	    {0, 0, "dirty bit"},        {0, 1, "corrupt bit"},         {0, 2, "external data file"},
	    {0, 3, "compression type"}, {0, 4, "extended L2 entries"}, {1, 0, "lazy refcounts"},
	    {2, 0, "bitmaps"},          {2, 1, "raw external data"},
	};
	uint8_t table[48 * sizeof(names) / sizeof(names[0])] = {0};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		table[i * 48] = names[i].type;
		table[i * 48 + 1] = names[i].bit;
		memcpy(table + i * 48 + 2, names[i].name, strlen(names[i].name));
	}
	return put_extension(p, EXT_FEATURES, table, sizeof(table));
}

int qcow2_write_header(struct image *img)
{
	struct qcow2 *q = qcow2_of(img);
	size_t name_len = img->backing_name ? strlen(img->backing_name) : 0;
	size_t format_len = img->backing_format ? strlen(img->backing_format) : 0;
	size_t at, need = 112 + 8 + format_len + 8 + q->extensions_len + 48 * 8 + 8 + 8 + name_len;
	uint8_t *head;
	int r;

	if (name_len > QCOW2_MAX_NAME || need - (48 * 8 + 8) > q->cluster_size)
		return -ENAMETOOLONG;
	head = calloc(1, q->cluster_size);
	if (!head)
		return -ENOMEM;
	put_be32(head + H_MAGIC, QCOW2_MAGIC);
	put_be32(head + H_VERSION, q->version);
	put_be32(head + H_CLUSTER_BITS, q->cluster_bits);
	put_be64(head + H_SIZE, img->size);
	put_be32(head + H_L1_SIZE, q->l1_size);
	put_be64(head + H_L1_OFFSET, q->l1_offset);
	put_be64(head + H_REFT_OFFSET, q->reft_offset);
	put_be32(head + H_REFT_CLUSTERS, q->reft_clusters);
	put_be32(head + H_NR_SNAPSHOTS, q->nr_snapshots);
	put_be64(head + H_SNAPSHOTS_OFFSET, q->nr_snapshots ? q->snapshots_offset : 0);
	at = H_V2_LENGTH;
	if (q->version >= 3) {
		put_be64(head + H_INCOMPAT, q->incompat);
		put_be64(head + H_COMPAT, q->compat);
		put_be64(head + H_AUTOCLEAR, q->autoclear);
		put_be32(head + H_REFCOUNT_ORDER, q->refcount_order);
		head[H_COMPRESSION] = (uint8_t)q->compression;
		at = 112;
		put_be32(head + H_LENGTH, (uint32_t)at);
	}
	q->header_length = (unsigned)at;
	if (img->backing_format)
		at += put_extension(head + at, EXT_BACKING_FORMAT, img->backing_format, format_len);
	if (q->extensions_len)
		memcpy(head + at, q->extensions, q->extensions_len);
	at += q->extensions_len;
	/* Names are a courtesy that small clusters have no room for. */
	if (q->version >= 3 && need <= q->cluster_size)
		at += put_feature_names(head + at);
	at += 8; /* the end of the extensions */
	if (name_len) {
		put_be64(head + H_BACKING_OFFSET, at);
		put_be32(head + H_BACKING_SIZE, (uint32_t)name_len);
		memcpy(head + at, img->backing_name, name_len);
	}
	r = bfile_write(img->file, 0, head, q->cluster_size);
	free(head);
	return r < 0 ? r : bfile_sync(img->file);
}

int qcow2_set_incompat(struct image *img, uint64_t features)
{
	struct qcow2 *q = qcow2_of(img);
	uint8_t be[8];
	int r;

	if (q->version < 3 || features == q->incompat)
		return 0;
	put_be64(be, features);
	r = bfile_write(img->file, H_INCOMPAT, be, 8);
	if (r == 0)
		r = bfile_sync(img->file);
	if (r == 0)
		q->incompat = features;
	return r;
}

int qcow2_corrupt(struct image *img, const char *fmt, ...)
{
	struct qcow2 *q = qcow2_of(img);
	va_list ap;

	if (q->broken)
		return -EIO;
	va_start(ap, fmt);
	vsnprintf(q->problem, sizeof(q->problem), fmt, ap);
	va_end(ap);
	q->broken = true;
	if (!img->read_only && !q->check_only)
		qcow2_set_incompat(img, q->incompat | FEAT_CORRUPT);
	return -EIO;
}
