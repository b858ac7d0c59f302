/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The command itself, its options, and what its subcommands share.
 */
#include "frontend/img.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "frontend/options.h"

static const struct {
	const char *name;
	int (*run)(struct img_args *a);
	const char *usage;
} commands[] = {
    {"create", img_create, "[-q] [-f FMT] [-b BACKING [-F FMT]] [-u] [-o OPTIONS] FILE [SIZE]"},
    {"info", img_info, "[-f FMT] [--output=human|json] [--backing-chain] [-U] FILE"},
    {"check", img_check, "[-q] [-f FMT] [--output=human|json] [-r leaks|all] [-U] FILE"},
    {"map", img_map,
     "[-f FMT] [--output=human|json] [--start-offset=N] [--max-length=N] [-U] FILE"},
    {"compare", img_compare, "[-f FMT] [-F FMT] [-p] [-q] [-s] [-U] FILE1 FILE2"},
    {"convert", img_convert,
     "[-p] [-q] [-c] [-n] [-U] [-f FMT] [-O FMT] [-B BACKING [-F FMT]] [-o OPTIONS] [-S SIZE] "
     "[-l SNAPSHOT] [-r RATE] [--salvage] [--target-is-zero] FILE... TARGET"},
    {"snapshot", img_snapshot, "[-q] [-U] [-l | -c NAME | -a NAME | -d NAME] FILE"},
    {"resize", img_resize, "[-q] [-f FMT] [--shrink] [--preallocation=HOW] FILE [+|-]SIZE"},
    {"commit", img_commit, "[-q] [-p] [-f FMT] [-b BASE] [-d] [-r RATE] FILE"},
    {"rebase", img_rebase, "[-q] [-p] [-u] [-f FMT] -b BACKING [-F FMT] FILE"},
    {"amend", img_amend, "[-q] [-p] [-f FMT] -o OPTIONS FILE"},
    {"dd", img_dd, "[-U] [-f FMT] [-O FMT] [bs=SIZE] [count=N] [skip=N] if=FILE of=FILE"},
    {"measure", img_measure,
     "[--output=human|json] [-O FMT] [-o OPTIONS] --size=SIZE | [-U] [-f FMT] [-l SNAPSHOT] FILE"},
};
#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void help(void)
{
	printf("usage: doppel img COMMAND [OPTIONS]\n"
	       "Disk images, as qemu-img handles them. Formats: raw, qcow2.\n\n");
	for (size_t i = 0; i < NR_COMMANDS; i++)
		printf("  %s %s\n", commands[i].name, commands[i].usage);
	printf(
	    "\nOPTIONS of qcow2 are a list of cluster_size=, compat=0.10|1.1, "
	    "lazy_refcounts=on|off,\n"
	    "refcount_bits=, preallocation=off|metadata|falloc|full, compression_type=zlib|zstd,\n"
	    "backing_file=, backing_fmt=, size=; of raw, size= and "
	    "preallocation=off|falloc|full.\n");
}

int img_main(int argc, char **argv)
{
	const char *names[NR_COMMANDS + 1] = {0}, *near;

	if (argc < 2)
		return img_complain("a command is missing; 'doppel img --help' lists them");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		help();
		return fflush(stdout) == 0 ? 0 : 1;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("doppel " DOPPEL_VERSION "\n");
		return fflush(stdout) == 0 ? 0 : 1;
	}
	for (size_t i = 0; i < NR_COMMANDS; i++) {
		struct img_args a = {.argc = argc, .argv = argv, .at = 2};

		names[i] = commands[i].name;
		if (strcmp(argv[1], commands[i].name))
			continue;
		if (argc == 3 && (!strcmp(argv[2], "--help") || !strcmp(argv[2], "-h"))) {
			printf("usage: doppel img %s %s\n", commands[i].name, commands[i].usage);
			return fflush(stdout) == 0 ? 0 : 1;
		}
		return commands[i].run(&a);
	}
	near = strcmp(argv[1], "bitmap") == 0 ? NULL : nearest_name(argv[1], names);
	if (near)
		return img_complain("command %s is not known; did you mean %s?", argv[1], near);
	return img_complain("command %s is not supported; 'doppel img --help' lists those that are",
			    argv[1]);
}

int img_complain(const char *fmt, ...)
{
	char line[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = ' ';
	fflush(stdout);
	fprintf(stderr, "doppel: img: %s\n", line);
	return 1;
}

/* ---- options ---- */

static int take_value(struct img_args *a, const char *rest, const char *name, int letter)
{
	if (rest && *rest) {
		a->value = rest;
	} else if (a->at < a->argc) {
		a->value = a->argv[a->at++];
	} else {
		img_complain("option %s needs an argument", name);
		return -1;
	}
	return letter;
}

/* The long names that letters have in all commands. */
static const struct img_long common_longs[] = {
    {"force-share", 'U', false}, {"format", 'f', true}, {NULL, 0, false}};

static int next_long(struct img_args *a, const char *word, const char *shorts,
		     const struct img_long *longs)
{
	size_t len = strcspn(word + 2, "=");

	for (const struct img_long *l = common_longs; l->name; l++)
		if (strlen(l->name) == len && strncmp(l->name, word + 2, len) == 0 &&
		    strchr(shorts, l->letter))
			longs = l;
	for (; longs && longs->name; longs++) {
		if (strlen(longs->name) != len || strncmp(longs->name, word + 2, len))
			continue;
		if (!longs->arg && !word[2 + len])
			return longs->letter;
		if (longs->arg)
			return take_value(a, word[2 + len] ? word + 3 + len : NULL, word,
					  longs->letter);
	}
	img_complain("option %s is not supported by 'doppel img %s'", word, a->argv[1]);
	return -1;
}

int img_next(struct img_args *a, const char *shorts, const struct img_long *longs)
{
	const char *at;
	char letter;

	if (!a->group || !*a->group) {
		const char *word = a->at < a->argc ? a->argv[a->at] : NULL;

		if (!word || word[0] != '-' || !word[1])
			return 0;
		a->at++;
		if (strcmp(word, "--") == 0)
			return 0;
		if (word[1] == '-')
			return next_long(a, word, shorts, longs);
		a->group = word + 1;
	}
	letter = *a->group++;
	at = letter == ':' ? NULL : strchr(shorts, letter);
	if (!at) {
		img_complain("option -%c is not supported by 'doppel img %s'", letter, a->argv[1]);
		return -1;
	}
	if (at[1] == ':') {
		const char *rest = a->group, name[3] = {'-', letter, 0};

		a->group = NULL;
		return take_value(a, rest, name, letter);
	}
	return letter;
}

/* ---- images ---- */

struct image *img_open(const char *path, const char *format, unsigned flags)
{
	struct image *img;
	char err[1024];

	if (image_open(&img, path, format, flags, err, sizeof(err)) == 0)
		return img;
	img_complain("%s", err);
	return NULL;
}

/* Space of the host for what is zeroes. */
static int allocate_raw(struct bfile *f, uint64_t from, uint64_t size, enum preallocation how)
{
	if (how == PREALLOC_FALLOC && size > from)
		return f->ops->allocate(f, from, size - from);
	return how == PREALLOC_FULL ? bfile_fill_zero(f, from, size - from) : 0;
}

static int make_raw(struct bfile *f, const struct qcow2_options *o)
{
	uint64_t want = (o->size + 511) & ~511ull, size;
	int r = f->device ? 0 : bfile_truncate(f, want);

	if (f->device)
		return bfile_size(f, &size) == 0 && size >= want ? 0 : -ENOSPC;
	return r < 0 ? r : allocate_raw(f, 0, want, o->preallocation);
}

int img_preallocate(struct image *img, uint64_t from, enum preallocation how)
{
	int r = 0;

	if (how != PREALLOC_OFF)
		r = img->ops == &qcow2_ops ? qcow2_preallocate(img, from, how)
					   : allocate_raw(img->file, from, img->size, how);
	return r < 0
		   ? img_complain("cannot allocate space for %s: %s", img->file->path, strerror(-r))
		   : 0;
}

int img_make(const char *path, const char *format, const struct qcow2_options *o, bool quiet)
{
	static const char *const prealloc[] = {"", "metadata", "falloc", "full"};
	bool qcow2 = strcmp(format, "qcow2") == 0;
	struct bfile *f;
	char err[1024];
	int r;

	if (!qcow2 && strcmp(format, "raw"))
		return img_complain("%s: format %s is not supported; there are raw and qcow2", path,
				    format);
	if (!qcow2 && o->backing_name)
		return img_complain("%s: raw images have no backing file", path);
	/* Before what the file holds is gone. */
	if (qcow2 && qcow2_check_options(path, o, err, sizeof(err)) < 0)
		return img_complain("%s", err);
	r = bfile_open(&f, path, BFILE_WRITE | BFILE_CREATE);
	if (r < 0)
		return img_complain("cannot create %s: %s", path, strerror(-r));
	r = bfile_lock(f, LOCK_WRITER, err, sizeof(err));
	if (r < 0) {
		bfile_close(f);
		return img_complain("%s", err);
	}
	if (!quiet) {
		printf("Formatting '%s', fmt=%s", path, format);
		if (qcow2)
			printf(" cluster_size=%u extended_l2=off", o->cluster_size);
		if (qcow2 && o->preallocation)
			printf(" preallocation=%s", prealloc[o->preallocation]);
		if (qcow2)
			printf(" compression_type=%s", o->zstd ? "zstd" : "zlib");
		printf(" size=%llu", (unsigned long long)o->size);
		if (!qcow2 && o->preallocation)
			printf(" preallocation=%s", prealloc[o->preallocation]);
		if (o->backing_name)
			printf(" backing_file=%s", o->backing_name);
		if (o->backing_format)
			printf(" backing_fmt=%s", o->backing_format);
		if (qcow2)
			printf(" lazy_refcounts=%s refcount_bits=%u",
			       o->lazy_refcounts ? "on" : "off", o->refcount_bits);
		printf("\n");
		fflush(stdout);
	}
	r = f->device ? 0 : bfile_truncate(f, 0);
	snprintf(err, sizeof(err), "cannot write %s: %s", path, strerror(-r));
	if (r == 0 && qcow2) {
		r = qcow2_create(f, o, err, sizeof(err));
	} else if (r == 0) {
		r = make_raw(f, o);
		snprintf(err, sizeof(err), "cannot write %s: %s", path, strerror(-r));
	}
	bfile_close(f);
	return r < 0 ? img_complain("%s", err) : 0;
}

bool img_is_zero(const void *buf, size_t len)
{
	const uint8_t *b = buf;

	return !len || (b[0] == 0 && memcmp(b, b + 1, len - 1) == 0);
}

int img_chain_extent(struct image *img, uint64_t offset, uint64_t len, bool *data, uint64_t *n)
{
	*n = len;
	*data = false;
	for (; img; img = img->backing) {
		struct extent e;
		int r;

		/* A backing file that is shorter reads as zeroes past its end. */
		if (offset >= img->size)
			return 0;
		if (*n > img->size - offset)
			*n = img->size - offset;
		r = image_extent(img, offset, *n, &e);
		if (r < 0)
			return r;
		*n = e.len;
		if (e.kind != EXTENT_BACKING) {
			*data = e.kind == EXTENT_DATA;
			return 0;
		}
	}
	return 0;
}

int img_look_at(struct image *img, const char *snapshot)
{
	char err[1024];
	int at = image_snapshot_find(img, snapshot);

	if (at < 0)
		return img_complain("%s has no snapshot %s", img->file->path, snapshot);
	if (image_snapshot_look(img, (unsigned)at, err, sizeof(err)) < 0)
		return img_complain("%s", err);
	return 0;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct img_rate img_rate(uint64_t limit)
{
	return (struct img_rate){limit, now()};
}

void img_keep_rate(const struct img_rate *r, uint64_t done)
{
	double left = r->limit ? r->start + (double)done / (double)r->limit - now() : 0;

	if (left > 0)
		usleep((useconds_t)(left < 1000 ? left * 1e6 : 1e9));
}

void img_progress(struct img_progress *p, uint64_t done)
{
	int now = p->total ? (int)(done * 10000.0 / (double)p->total) : 10000;

	if (!p->on || (now == p->shown && now < 10000))
		return;
	p->shown = now;
	printf("    (%3.2f/100%%)\r", now / 100.0);
	if (now >= 10000) {
		printf("\n");
		p->on = false;
	}
	fflush(stdout);
}
