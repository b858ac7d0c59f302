/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * doppel img create, info, check.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "frontend/img.h"
#include "frontend/json.h"
#include "hw/block/qcow2.h"

/* Exit statuses of check. */
enum { CHECK_OK, CHECK_INCOMPLETE, CHECK_CORRUPT, CHECK_LEAKS, CHECK_UNSUPPORTED = 63 };

/* ---- create ---- */

/* The size of a disk whose backing file this is to be. */
static int backing_size(const char *file, const struct qcow2_options *o, uint64_t *out)
{
	struct image overlay = {.backing_name = (char *)o->backing_name}, *img;
	struct bfile f = {.path = (char *)file};
	char *path;

	overlay.file = &f;
	path = image_backing_path(&overlay);
	img = path ? img_open(path, o->backing_format, IMAGE_NO_BACKING | IMAGE_SHARE) : NULL;
	free(path);
	if (!img)
		return 1;
	*out = img->size;
	image_close(img);
	return 0;
}

int img_create(struct img_args *a)
{
	struct qcow2_options o = qcow2_defaults(0);
	const char *format = "raw", *options[8], *file;
	bool quiet = false, unsafe = false, has_size = false;
	unsigned nr = 0;
	int c;

	while ((c = img_next(a, "qf:b:F:uo:", NULL)) > 0) {
		if (c == 'q')
			quiet = true;
		else if (c == 'f')
			format = a->value;
		else if (c == 'b')
			o.backing_name = a->value;
		else if (c == 'F')
			o.backing_format = a->value;
		else if (c == 'u')
			unsafe = true;
		else if (nr < 8)
			options[nr++] = a->value;
	}
	if (c < 0)
		return 1;
	for (unsigned i = 0; i < nr; i++) {
		if (img_help_o(options[i], format))
			return fflush(stdout) == 0 ? 0 : 1;
		if (img_parse_o(options[i], format, &o, &has_size))
			return 1;
	}
	if (a->at >= a->argc)
		return img_complain("create: a file's name is missing");
	file = a->argv[a->at++];
	if (a->at < a->argc) {
		if (img_size(a->argv[a->at++], &o.size))
			return 1;
		has_size = true;
	}
	if (a->at < a->argc)
		return img_complain("create: '%s' is one argument too many", a->argv[a->at]);
	if (o.backing_name && !o.backing_format && !unsafe)
		return img_complain("create: -b needs -F with the backing file's format");
	if (o.backing_name && (!unsafe || !has_size)) {
		uint64_t size;

		if (backing_size(file, &o, &size))
			return 1;
		if (!has_size)
			o.size = size;
	} else if (!has_size) {
		return img_complain("%s: a new image needs a size", file);
	}
	return img_make(file, format, &o, quiet);
}

/* ---- info ---- */

static void human_size(uint64_t v, char *out, size_t len)
{
	static const char *const units[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
	int i;

	/* The unit changes at 1000, not at 1024. */
	frexp((double)v / (1000.0 / 1024.0), &i);
	i = v ? (i - 1) / 10 : 0;
	snprintf(out, len, "%0.3g %sB", (double)v / (double)(1ull << i * 10), units[i]);
}

static uint64_t disk_usage(const struct image *img)
{
	struct stat st;

	return fstat(img->file->fd, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

void img_print_snapshots(FILE *f, const struct image *img)
{
	const struct image_snapshot *s;

	if (!image_snapshot_at(img, 0))
		return;
	fprintf(f, "Snapshot list:\n%-10s%-17s%8s%20s%13s%11s\n", "ID", "TAG", "VM SIZE", "DATE",
		"VM CLOCK", "ICOUNT");
	for (unsigned i = 0; (s = image_snapshot_at(img, i)); i++) {
		char size[32], date[32] = "", clock[32], icount[24] = "";
		time_t when = s->date_sec;
		uint64_t sec = s->vm_clock_nsec / 1000000000;
		struct tm tm;

		human_size(s->vm_state_size, size, sizeof(size));
		if (localtime_r(&when, &tm))
			strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
		snprintf(clock, sizeof(clock), "%02u:%02u:%02u.%03u", (unsigned)(sec / 3600),
			 (unsigned)(sec / 60 % 60), (unsigned)(sec % 60),
			 (unsigned)(s->vm_clock_nsec / 1000000 % 1000));
		if (s->icount != UINT64_MAX)
			snprintf(icount, sizeof(icount), "%" PRIu64, s->icount);
		fprintf(f, "%-9s %-16s %8s%20s%13s%11s\n", s->id, s->name, size, date, clock,
			icount);
	}
}

void img_print_info(FILE *f, const struct image *img, const char *name)
{
	char size[32], disk[32], *full;
	struct qcow2_info q;

	human_size(img->size, size, sizeof(size));
	human_size(disk_usage(img), disk, sizeof(disk));
	fprintf(f,
		"image: %s\nfile format: %s\nvirtual size: %s (%" PRIu64 " bytes)\ndisk size: %s\n",
		name, img->ops->name, size, img->size, disk);
	if (img->ops != &qcow2_ops)
		return;
	qcow2_info(img, &q);
	if (q.dirty)
		fprintf(f, "cleanly shut down: no\n");
	fprintf(f, "cluster_size: %u\n", q.cluster_size);
	if (img->backing_name) {
		full = image_backing_path(img);
		fprintf(f, "backing file: %s", img->backing_name);
		if (full && strcmp(full, img->backing_name))
			fprintf(f, " (actual path: %s)", full);
		fprintf(f, "\n");
		free(full);
	}
	if (img->backing_format)
		fprintf(f, "backing file format: %s\n", img->backing_format);
	img_print_snapshots(f, img);
	fprintf(f, "Format specific information:\n    compat: %s\n    compression type: %s\n",
		q.version == 2 ? "0.10" : "1.1", q.zstd ? "zstd" : "zlib");
	if (q.version >= 3)
		fprintf(f, "    lazy refcounts: %s\n", q.lazy_refcounts ? "true" : "false");
	fprintf(f, "    refcount bits: %u\n", q.refcount_bits);
	if (q.version >= 3)
		fprintf(f, "    corrupt: %s\n    extended l2: false\n",
			q.corrupt ? "true" : "false");
}

static void json_key(const char *pad, const char *key, const char *value)
{
	printf("%s\"%s\": ", pad, key);
	json_string(value, stdout);
}

static void info_json_snapshots(const struct image *img, const char *pad)
{
	const struct image_snapshot *s;

	if (!image_snapshot_at(img, 0))
		return;
	printf("%s    \"snapshots\": [\n", pad);
	for (unsigned i = 0; (s = image_snapshot_at(img, i)); i++) {
		printf("%s%s        {\n", i ? ",\n" : "", pad);
		if (s->icount != UINT64_MAX)
			printf("%s            \"icount\": %" PRIu64 ",\n", pad, s->icount);
		printf("%s            \"vm-clock-nsec\": %" PRIu64 ",\n%s            ", pad,
		       s->vm_clock_nsec % 1000000000, pad);
		json_key("", "name", s->name);
		printf(",\n%s            \"date-sec\": %u,\n%s            \"date-nsec\": %u,\n",
		       pad, s->date_sec, pad, s->date_nsec);
		printf("%s            \"vm-clock-sec\": %" PRIu64 ",\n%s            ", pad,
		       s->vm_clock_nsec / 1000000000, pad);
		json_key("", "id", s->id);
		printf(",\n%s            \"vm-state-size\": %" PRIu64 "\n%s        }", pad,
		       s->vm_state_size, pad);
	}
	printf("\n%s    ],\n", pad);
}

static void info_json(const struct image *img, const char *name, const char *pad)
{
	bool qcow2 = img->ops == &qcow2_ops;
	struct qcow2_info q = {0};

	if (qcow2)
		qcow2_info(img, &q);
	printf("%s{\n", pad);
	info_json_snapshots(img, pad);
	if (img->backing_format) {
		printf("%s    ", pad);
		json_key("", "backing-filename-format", img->backing_format);
		printf(",\n");
	}
	printf("%s    \"virtual-size\": %" PRIu64 ",\n%s    ", pad, img->size, pad);
	json_key("", "filename", name);
	if (qcow2)
		printf(",\n%s    \"cluster-size\": %u", pad, q.cluster_size);
	printf(",\n%s    \"format\": \"%s\",\n%s    \"actual-size\": %" PRIu64, pad, img->ops->name,
	       pad, disk_usage(img));
	if (qcow2) {
		printf(",\n%s    \"format-specific\": {\n%s        \"type\": \"qcow2\",\n"
		       "%s        \"data\": {\n%s            \"compat\": \"%s\",\n"
		       "%s            \"compression-type\": \"%s\",\n",
		       pad, pad, pad, pad, q.version == 2 ? "0.10" : "1.1", pad,
		       q.zstd ? "zstd" : "zlib");
		if (q.version >= 3)
			printf("%s            \"lazy-refcounts\": %s,\n", pad,
			       q.lazy_refcounts ? "true" : "false");
		printf("%s            \"refcount-bits\": %u", pad, q.refcount_bits);
		if (q.version >= 3)
			printf(",\n%s            \"corrupt\": %s,\n%s            \"extended-l2\": "
			       "false",
			       pad, q.corrupt ? "true" : "false", pad);
		printf("\n%s        }\n%s    }", pad, pad);
	}
	if (img->backing_name) {
		char *full = image_backing_path(img);

		printf(",\n%s    ", pad);
		json_key("", "full-backing-filename", full ? full : img->backing_name);
		printf(",\n%s    ", pad);
		json_key("", "backing-filename", img->backing_name);
		free(full);
	}
	printf(",\n%s    \"dirty-flag\": %s\n%s}", pad, q.dirty ? "true" : "false", pad);
}

int img_info(struct img_args *a)
{
	static const struct img_long longs[] = {
	    {"output", 'o', true}, {"backing-chain", 'B', false}, {NULL, 0, false}};
	unsigned flags = IMAGE_NO_BACKING | IMAGE_CHECK;
	const char *format = NULL;
	bool chain = false, json = false;
	char *path;
	int c;

	while ((c = img_next(a, "f:U", longs)) > 0) {
		if (c == 'f')
			format = a->value;
		else if (c == 'U')
			flags |= IMAGE_SHARE;
		else if (c == 'B')
			chain = true;
		else if (c == 'o' && img_output(a->value, &json))
			return 1;
	}
	if (c < 0)
		return 1;
	if (a->at + 1 != a->argc)
		return img_complain("info: one file's name belongs here");
	path = strdup(a->argv[a->at]);
	if (json && chain)
		printf("[\n");
	for (unsigned depth = 0; path; depth++) {
		struct image *img = img_open(path, format, flags);
		char *below;

		if (!img || depth > IMAGE_MAX_CHAIN) {
			free(path);
			return img ? img_complain("the chain of backing files has no end") : 1;
		}
		if (json) {
			printf("%s", depth ? ",\n" : "");
			info_json(img, path, chain ? "    " : "");
		} else {
			printf("%s", depth ? "\n" : "");
			img_print_info(stdout, img, path);
		}
		below = chain && img->backing_name ? image_backing_path(img) : NULL;
		format = NULL;
		free(path);
		path = below;
		image_close(img);
	}
	if (json)
		printf("%s\n", chain ? "\n]" : "");
	return fflush(stdout) == 0 ? 0 : 1;
}

/* ---- check ---- */

static void on_finding(void *opaque, const char *line)
{
	(void)opaque;
	fprintf(stderr, "%s\n", line);
}

static void check_human(const struct qcow2_check *c)
{
	if (c->fixed_leaks || c->fixed_corruptions)
		printf("The following inconsistencies were found and repaired:\n\n"
		       "    %" PRIu64 " leaked clusters\n    %" PRIu64 " corruptions\n\n",
		       c->fixed_leaks, c->fixed_corruptions);
	if (c->corruptions)
		printf("\n%" PRIu64 " errors were found on the image.\n"
		       "Data may be corrupted, or further writes to the image may corrupt it.\n",
		       c->corruptions);
	if (c->leaks)
		printf("\n%" PRIu64 " leaked clusters were found on the image.\n"
		       "This means waste of disk space, but no harm to data.\n",
		       c->leaks);
	if (!c->corruptions && !c->leaks)
		printf("No errors were found on the image.\n");
	if (c->total && c->allocated)
		printf("%" PRIu64 "/%" PRIu64 " = %0.2f%% allocated, %0.2f%% fragmented, %0.2f%% "
		       "compressed clusters\n",
		       c->allocated, c->total, (double)c->allocated * 100.0 / (double)c->total,
		       (double)c->fragmented * 100.0 / (double)c->allocated,
		       (double)c->compressed * 100.0 / (double)c->allocated);
	printf("Image end offset: %" PRIu64 "\n", c->end_offset);
}

static void json_number(const char *name, uint64_t value)
{
	if (value)
		printf("    \"%s\": %" PRIu64 ",\n", name, value);
}

static void check_json(const struct qcow2_check *c, const char *name)
{
	printf("{\n");
	json_number("image-end-offset", c->end_offset);
	json_number("total-clusters", c->total);
	printf("    \"check-errors\": 0,\n");
	json_number("allocated-clusters", c->allocated);
	json_number("fragmented-clusters", c->fragmented);
	json_number("compressed-clusters", c->compressed);
	json_number("corruptions", c->corruptions);
	json_number("corruptions-fixed", c->fixed_corruptions);
	json_number("leaks", c->leaks);
	json_number("leaks-fixed", c->fixed_leaks);
	json_key("    ", "filename", name);
	printf(",\n    \"format\": \"qcow2\"\n}\n");
}

int img_check(struct img_args *a)
{
	static const struct img_long longs[] = {
	    {"output", 'o', true}, {"repair", 'r', true}, {NULL, 0, false}};
	unsigned flags = IMAGE_NO_BACKING | IMAGE_CHECK, fix = 0;
	struct qcow2_check c = {.report = on_finding};
	const char *format = NULL;
	bool quiet = false, json = false;
	struct image *img;
	int o, r;

	while ((o = img_next(a, "qf:r:T:U", longs)) > 0) {
		if (o == 'f')
			format = a->value;
		else if (o == 'q')
			quiet = true;
		else if (o == 'U')
			flags |= IMAGE_SHARE;
		else if (o == 'r' && strcmp(a->value, "leaks") == 0)
			fix = CHECK_FIX_LEAKS;
		else if (o == 'r' && strcmp(a->value, "all") == 0)
			fix = CHECK_FIX_LEAKS | CHECK_FIX_ERRORS;
		else if (o == 'r')
			return img_complain("check -r %s: there are leaks and all", a->value);
		else if (o == 'o' && img_output(a->value, &json))
			return 1;
	}
	if (o < 0)
		return 1;
	if (a->at + 1 != a->argc)
		return img_complain("check: one file's name belongs here");
	img = img_open(a->argv[a->at], format, flags | (fix ? IMAGE_WRITE : 0));
	if (!img)
		return CHECK_INCOMPLETE;
	if (img->ops != &qcow2_ops) {
		image_close(img);
		img_complain("format %s does not support checks", "raw");
		return CHECK_UNSUPPORTED;
	}
	if (quiet || json)
		c.report = NULL;
	r = qcow2_check(img, fix, &c);
	image_close(img);
	if (r < 0) {
		img_complain("%s cannot be checked: %s", a->argv[a->at],
			     r == -ENOTSUP ? "it has persistent bitmaps; use qemu-img"
					   : strerror(-r));
		return CHECK_INCOMPLETE;
	}
	if (json && !quiet)
		check_json(&c, a->argv[a->at]);
	else if (!quiet)
		check_human(&c);
	if (fflush(stdout))
		return CHECK_INCOMPLETE;
	return c.corruptions ? CHECK_CORRUPT : c.leaks ? CHECK_LEAKS : CHECK_OK;
}
