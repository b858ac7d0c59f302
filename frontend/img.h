/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * `doppel img`: disk images from the command line, with the syntax and output of qemu-img.
 */
#ifndef FRONTEND_IMG_H
#define FRONTEND_IMG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "hw/block/image.h"
#include "hw/block/qcow2_create.h"

/* `doppel img COMMAND ...`: the exit status. */
int img_main(int argc, char **argv);

/* ---- between the commands' files ---- */

/* One line on standard error; 1. */
int img_complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "1G", "10M", bytes without a suffix. 0, or 1 after a complaint. */
int img_size(const char *text, uint64_t *out);
/* Options as short ones (getopt's) and long ones by their letter; `value` is optarg. The letter, 0 at the
 * end, -1 after a complaint. */
struct img_args {
	int argc;
	char **argv;
	int at;
	const char *value;
	const char *group;
};
struct img_long {
	const char *name;
	int letter;
	bool arg;
};
int img_next(struct img_args *a, const char *shorts, const struct img_long *longs);
/* -o k=v,...: into *o, and the backing file's names. 0, or 1 after a complaint. */
int img_parse_o(const char *text, const char *format, struct qcow2_options *o, bool *has_size);
/* -o help: prints what there is; false for other text. */
bool img_help_o(const char *text, const char *format);
/* --output=human|json. 0, or 1 after a complaint. */
int img_output(const char *value, bool *json);
/* preallocation=... of a format. 0, or 1 after a complaint. */
int img_preallocation(const char *format, const char *val, enum preallocation *out);
/* The name or number in -l NAME, -l snapshot.name=NAME, -l snapshot.id=ID. */
const char *img_snapshot_name(const char *value);
/* The image shows what that snapshot has. 0, or 1 after a complaint. */
int img_look_at(struct image *img, const char *snapshot);
/* Opens, or complains and gives NULL. */
struct image *img_open(const char *path, const char *format, unsigned flags);
/* Makes and empties a file in that format; 0, or 1 after a complaint. */
int img_make(const char *path, const char *format, const struct qcow2_options *o, bool quiet);

/* Space for what it has from `from` on, which is zeroes. 0, or 1 after a complaint. */
int img_preallocate(struct image *img, uint64_t from, enum preallocation how);

bool img_is_zero(const void *buf, size_t len);
/* What is at offset in the chain: whether there may be other than zeroes, and for how many bytes. */
int img_chain_extent(struct image *img, uint64_t offset, uint64_t len, bool *data, uint64_t *n);
/* "    (50.00/100%)" when it has changed by enough; done >= total ends the line. */
struct img_progress {
	bool on;
	uint64_t total;
	int shown;
};
void img_progress(struct img_progress *p, uint64_t done);

/* At most so many bytes per second on average from now on; 0: any number. */
struct img_rate {
	uint64_t limit;
	double start;
};
struct img_rate img_rate(uint64_t limit);
/* Waits until `done` bytes are not too many. */
void img_keep_rate(const struct img_rate *r, uint64_t done);

void img_print_snapshots(FILE *f, const struct image *img);
/* As `doppel img info`, under that name. */
void img_print_info(FILE *f, const struct image *img, const char *name);
int img_create(struct img_args *a);
int img_info(struct img_args *a);
int img_check(struct img_args *a);
int img_map(struct img_args *a);
int img_compare(struct img_args *a);
int img_convert(struct img_args *a);
int img_snapshot(struct img_args *a);
int img_resize(struct img_args *a);
int img_commit(struct img_args *a);
int img_rebase(struct img_args *a);
int img_amend(struct img_args *a);
int img_dd(struct img_args *a);
int img_measure(struct img_args *a);

#endif
