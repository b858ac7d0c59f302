/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Disks: what they are, their media, sizes and limits. Commands and what they print are QEMU's.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/drive.h"
#include "frontend/drive_limits.h"
#include "frontend/img.h"
#include "frontend/monitor/command.h"
#include "frontend/options.h"

/* NULL with a message. */
static struct block *find(struct monitor *m, const struct out *o, const char *name)
{
	struct block *b = drives_find(m->env->drives, name);

	if (!b)
		out(o, "Device '%s' not found; info block lists them\n", name);
	return b;
}

/* ---- info ---- */

static void print_limits(const struct out *o, const struct block *b)
{
	const struct limit_config *c = block_limits(b);
	static const char *const tails[] = {"", "_max", "_max_length"};

	out(o, "    I/O throttling:  ");
	for (unsigned k = 0; k < NR_LIMITS; k++) {
		const uint64_t v[] = {c->limit[k].avg, c->limit[k].max, c->limit[k].length};

		for (unsigned n = 0; n < 3; n++)
			if (n == 0 || v[n])
				out(o, " %s%s=%" PRIu64, drive_limit_names[k], tails[n], v[n]);
	}
	out(o, " iops_size=%" PRIu64 " group=%s\n", c->iops_size, block_limit_group(b));
}

static void print_chain(const struct out *o, const struct image *img)
{
	unsigned depth = 0;

	for (const struct image *i = img->backing; i; i = i->backing)
		depth++;
	if (depth)
		out(o, "    Backing file:     %s (chain depth: %u)\n", img->backing->file->path,
		    depth);
}

static void print_images(const struct out *o, const struct image *img)
{
	out(o, "\nImages:\n");
	for (; img; img = img->backing) {
		char *text = NULL;
		size_t len;
		FILE *f = open_memstream(&text, &len);

		if (!f)
			return;
		img_print_info(f, img, img->file->path);
		fclose(f);
		out(o, "%s%s", text, img->backing ? "\n" : "");
		free(text);
	}
}

static void print_block(const struct out *o, struct block *b, bool verbose)
{
	static const char *const detect[] = {
	    [DETECT_OFF] = "off", [DETECT_ON] = "on", [DETECT_UNMAP] = "unmap"};
	const struct block_options *opt = block_options(b);

	if (block_present(b))
		out(o, "%s: %s (%s%s)\n", block_name(b), block_file(b), block_format(b),
		    block_read_only(b) ? ", read-only" : "");
	else
		out(o, "%s: [not inserted]\n", block_name(b));
	if (block_held(b))
		out(o, "    I/O status:       failed\n");
	if (block_removable(b))
		out(o, "    Removable device: %slocked, tray %s\n",
		    block_is_locked(b) ? "" : "not ", block_tray_is_open(b) ? "open" : "closed");
	if (!block_present(b))
		return;
	out(o, "    Cache mode:       %s%s%s\n",
	    block_write_cache(b) ? "writeback" : "writethrough", opt->direct ? ", direct" : "",
	    opt->no_flush ? ", ignore flushes" : "");
	print_chain(o, block_image(b));
	if (opt->detect_zeroes)
		out(o, "    Detect zeroes:    %s\n", detect[opt->detect_zeroes]);
	if (limits_any(block_limits(b)))
		print_limits(o, b);
	if (verbose)
		print_images(o, block_image(b));
}

static void info_block(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct block *b;

	if (a[1].given) {
		b = find(m, o, a[1].text);
		if (b)
			print_block(o, b, a[0].given);
		return;
	}
	for (unsigned n = 0; m->env->drives && (b = drives_at(m->env->drives, n)); n++) {
		out(o, "%s", n ? "\n" : "");
		print_block(o, b, a[0].given);
	}
}

static void info_blockstats(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct block *b;

	(void)a;
	for (unsigned n = 0; m->env->drives && (b = drives_at(m->env->drives, n)); n++) {
		struct block_stats s;

		block_stats(b, &s);
		out(o,
		    "%s: rd_operations=%" PRIu64 " rd_bytes=%" PRIu64 " wr_operations=%" PRIu64
		    " wr_bytes=%" PRIu64 " flush_operations=%" PRIu64 "\n",
		    block_name(b), s.ops[BLOCK_READ], s.bytes[BLOCK_READ], s.ops[BLOCK_WRITE],
		    s.bytes[BLOCK_WRITE], s.ops[BLOCK_FLUSH]);
	}
}

/* ---- media ---- */

static void cmd_eject(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct block *b = find(m, o, a[1].text);
	char err[512];

	if (b && block_eject(b, a[0].given, err, sizeof(err)) < 0)
		out(o, "%s\n", err);
}

void monitor_change_medium(struct monitor *m, const struct out *o, const struct arg *a)
{
	const char *mode = a[4].given ? a[4].text : "retain";
	struct block *b = find(m, o, a[1].text);
	enum block_access access;
	char err[1024];

	if (!b)
		return;
	if (!drives_access(mode, &access))
		out(o, "there is no mode %s; there are retain, read-only, read-write\n", mode);
	else if (block_change(b, a[2].text, a[3].given ? a[3].text : NULL, access, a[0].given, err,
			      sizeof(err)) < 0)
		out(o, "%s\n", err);
	else if (block_image(b)->snapshot && !block_read_only(b))
		out(o,
		    "%s has snapshot=on: what is written is lost at the end, unless 'commit %s' "
		    "keeps it (mode read-write writes the file itself)\n",
		    block_name(b), block_name(b));
}

/* ---- sizes and contents ---- */

static void cmd_resize(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct block *b = find(m, o, a[0].text);
	char err[1024];
	uint64_t size;

	if (!b)
		return;
	if (parse_size(a[1].text, 1 << 20, &size) < 0)
		out(o, "%s is not a size; examples: 512 (MiB), 10G, 1048576B\n", a[1].text);
	else if (block_resize(b, size, err, sizeof(err)) < 0)
		out(o, "%s\n", err);
}

static void commit_one(const struct out *o, struct block *b)
{
	char err[1024];

	if (block_commit(b, err, sizeof(err)) < 0)
		out(o, "'commit' error for '%s': %s\n", block_name(b), err);
}

static void cmd_commit(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct block *b;

	if (strcmp(a[0].text, "all") != 0) {
		b = find(m, o, a[0].text);
		if (b)
			commit_one(o, b);
		return;
	}
	for (unsigned n = 0; m->env->drives && (b = drives_at(m->env->drives, n)); n++)
		if (block_present(b) && !block_read_only(b) && block_image(b)->backing)
			commit_one(o, b);
}

/* ---- limits ---- */

static void cmd_limits(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct block *b = find(m, o, a[0].text);
	struct limit_config c = {0};
	const char *why;

	if (!b)
		return;
	for (unsigned k = 0; k < NR_LIMITS; k++) {
		const char *text = a[k + 1].text;
		char *end;

		c.limit[k].avg = strtoull(text, &end, 10);
		if (*text < '0' || *text > '9' || *end) {
			out(o, "%s=%s is not a number\n", drive_limit_names[k], text);
			return;
		}
	}
	why = limits_check(&c);
	if (why)
		out(o, "%s\n", why);
	else
		block_set_limits(b, &c);
}

const struct command disk_commands[] = {
    {"info block", "-v [DEVICE]", info_block, "disks; -v: with their images", "info block -v"},
    {"info blockstats", NULL, info_blockstats, "what disks have done", "info blockstats"},
    {"eject", "-f DEVICE", cmd_eject, "take the medium out; -f: although the guest holds it",
     "eject ide1-cd0"},
    {"block_resize", "DEVICE SIZE", cmd_resize,
     "make a disk longer or shorter; the size is in MiB unless it says B, K, G or T",
     "block_resize virtio0 20G"},
    {"commit", "DEVICE", cmd_commit,
     "write what a disk (or all) has of its own to its backing file", "commit all"},
    {"block_set_io_throttle", "DEVICE BPS BPS_RD BPS_WR IOPS IOPS_RD IOPS_WR", cmd_limits,
     "limit a disk's bytes and requests per second; 0: no limit",
     "block_set_io_throttle virtio0 0 0 1000000 0 0 0"},
    {0},
};
