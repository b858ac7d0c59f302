/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The 9P server, message by message, over a temporary folder.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hw/9p/p9_msg.h"
#include "hw/9p/p9_server.h"

static struct p9_server s;
static char folder[64], top[32];
static uint8_t msg[8192], reply[P9_MSIZE_MAX];
static struct p9_out out;

static void begin(unsigned type)
{
	out = (struct p9_out){.p = msg, .max = sizeof(msg)};
	p9_put(&out, 0, 4);
	p9_put(&out, type, 1);
	p9_put(&out, 7, 2);
}

/* 0, or the error of the answer; *in is behind its header. */
static int ask(struct p9_in *in)
{
	struct p9_in none;
	size_t len;
	unsigned type;

	in = in ? in : &none;
	memcpy(msg, &(uint32_t){(uint32_t)out.len}, 4);
	len = p9_serve(&s, msg, out.len, reply, sizeof(reply));
	*in = (struct p9_in){.p = reply, .left = len};
	cr_assert_eq(p9_get(in, 4), len);
	type = (unsigned)p9_get(in, 1);
	cr_assert_eq(p9_get(in, 2), 7);
	cr_assert(type == 7 || type == msg[4] + 1u);
	return type == 7 ? (int)p9_get(in, 4) : 0;
}

static int walk(uint32_t fid, uint32_t new, unsigned n, const char *const *names, struct p9_in *in)
{
	begin(110);
	p9_put(&out, fid, 4);
	p9_put(&out, new, 4);
	p9_put(&out, n, 2);
	for (unsigned i = 0; i < n; i++)
		p9_put_str(&out, names[i]);
	return ask(in);
}

static int walk1(uint32_t fid, uint32_t new, const char *name)
{
	return walk(fid, new, 1, &name, NULL);
}

static int lopen(uint32_t fid, unsigned flags)
{
	begin(12);
	p9_put(&out, fid, 4);
	p9_put(&out, flags, 4);
	return ask(NULL);
}

static int clunk(uint32_t fid)
{
	begin(120);
	p9_put(&out, fid, 4);
	return ask(NULL);
}

static int lcreate(uint32_t fid, const char *name, unsigned mode)
{
	begin(14);
	p9_put(&out, fid, 4);
	p9_put_str(&out, name);
	p9_put(&out, O_RDWR, 4);
	p9_put(&out, mode, 4);
	p9_put(&out, getgid(), 4);
	return ask(NULL);
}

static void serve(enum p9_model model, bool read_only)
{
	const struct p9_share share = {.path = folder, .model = model, .read_only = read_only};
	struct p9_tree tree;
	struct p9_in in;

	cr_assert_eq(p9_tree_open(&tree, &share), 0);
	cr_assert_eq(p9_server_init(&s, &tree), 0);
	begin(100);
	p9_put(&out, 8192, 4);
	p9_put_str(&out, "9P2000.L");
	cr_assert_eq(ask(&in), 0);
	cr_assert_eq(p9_get(&in, 4), 8192);
	begin(104);
	p9_put(&out, 0, 4);
	p9_put(&out, UINT32_MAX, 4);
	p9_put_str(&out, "me");
	p9_put_str(&out, "");
	p9_put(&out, getuid(), 4);
	cr_assert_eq(ask(NULL), 0);
}

static void make(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", top, name);
	f = fopen(path, "w");
	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
}

static void init(void)
{
	strcpy(top, "/tmp/doppel-p9-XXXXXX");
	cr_assert_not_null(mkdtemp(top));
	snprintf(folder, sizeof(folder), "%s/in", top);
	cr_assert_eq(mkdir(folder, 0755), 0);
	make("secret", "hidden");
	make("in/file", "hello");
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void fini(void)
{
	if (s.fids)
		p9_server_fini(&s);
	nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(p9, .init = init, .fini = fini, .timeout = 30);

Test(p9, versions)
{
	struct p9_in in;
	char version[32];

	serve(P9_PASSTHROUGH, false);
	begin(100);
	p9_put(&out, 1u << 31, 4);
	p9_put_str(&out, "9P2000");
	cr_assert_eq(ask(&in), 0);
	cr_assert_eq(p9_get(&in, 4), P9_MSIZE_MAX);
	p9_get_str(&in, version, sizeof(version));
	cr_assert_str_eq(version, "unknown");
	cr_assert_eq(clunk(0), EBADF, "a new connection");
	begin(100);
	p9_put(&out, 100, 4);
	p9_put_str(&out, "9P2000.L");
	cr_assert_eq(ask(NULL), EINVAL, "messages that hold nothing");
}

Test(p9, walks)
{
	static const char *const some[] = {"dir", "missing", "x"}, *const up[] = {"dir", "..", "..",
										  "file"};
	struct p9_in in;

	serve(P9_PASSTHROUGH, false);
	begin(72);
	p9_put(&out, 0, 4);
	p9_put_str(&out, "dir");
	p9_put(&out, 0700, 4);
	p9_put(&out, getgid(), 4);
	cr_assert_eq(ask(NULL), 0);
	cr_assert_eq(walk1(0, 1, "file"), 0);
	cr_assert_eq(walk1(0, 1, "file"), EEXIST, "the number is taken");
	cr_assert_eq(walk1(9, 2, "file"), EBADF);
	cr_assert_eq(walk1(0, 2, "missing"), ENOENT);
	cr_assert_eq(walk(0, 2, 3, some, &in), 0);
	cr_assert_eq(p9_get(&in, 2), 1, "as far as it goes");
	cr_assert_eq(clunk(2), EBADF, "and no fid of that");
	cr_assert_eq(walk(0, 2, 4, up, &in), 0, "above the top is the top");
	cr_assert_eq(p9_get(&in, 2), 4);
	cr_assert_eq(clunk(2), 0);
	for (size_t i = 0; i < 3; i++)
		cr_assert_eq(walk1(0, 2, (const char *[]){"", ".", "dir/x"}[i]), EINVAL);
	cr_assert_eq(walk1(1, 2, "x"), ENOTDIR);
}

Test(p9, nothing_leads_out)
{
	char path[128];

	serve(P9_PASSTHROUGH, false);
	snprintf(path, sizeof(path), "%s/up", folder);
	cr_assert_eq(symlink("..", path), 0);
	snprintf(path, sizeof(path), "%s/to", folder);
	cr_assert_eq(symlink("../secret", path), 0);
	cr_assert_eq(walk(0, 1, 2, (const char *const[]){"up", "secret"}, NULL), 0);
	cr_assert_eq(clunk(1), EBADF);
	cr_assert_eq(walk1(0, 2, "to"), 0);
	cr_assert_eq(lopen(2, O_RDONLY), ELOOP);
	cr_assert_eq(walk1(0, 3, "up"), 0);
	cr_assert_neq(lcreate(3, "new", 0600), 0);
	cr_assert_eq(walk1(0, 4, "secret"), ENOENT);
	/* A folder that becomes a link under an old fid. */
	snprintf(path, sizeof(path), "%s/d", folder);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_assert_eq(walk1(0, 5, "d"), 0);
	cr_assert_eq(rmdir(path), 0);
	cr_assert_eq(symlink("..", path), 0);
	cr_assert_eq(walk1(5, 6, "secret"), ELOOP);
	cr_assert_neq(lcreate(5, "made", 0600), 0);
	snprintf(path, sizeof(path), "%s/made", top);
	cr_assert_neq(access(path, F_OK), 0);
}

Test(p9, devices_stay_closed)
{
	char path[128];

	serve(P9_PASSTHROUGH, false);
	snprintf(path, sizeof(path), "%s/pipe", folder);
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_assert_eq(walk1(0, 1, "pipe"), 0);
	cr_assert_eq(lopen(1, O_RDONLY), ENXIO, "or it would wait for a writer");
}

Test(p9, reads_and_writes)
{
	struct p9_in in;

	serve(P9_PASSTHROUGH, false);
	cr_assert_eq(walk(0, 1, 0, NULL, NULL), 0);
	cr_assert_eq(lcreate(1, "new", 0640), 0);
	begin(118);
	p9_put(&out, 1, 4);
	p9_put(&out, 3, 8);
	p9_put(&out, 4, 4);
	p9_put_bytes(&out, "data", 4);
	cr_assert_eq(ask(&in), 0);
	cr_assert_eq(p9_get(&in, 4), 4);
	msg[4 + 3 + 4 + 8] = 200; /* more than there is */
	cr_assert_eq(ask(NULL), EINVAL);
	begin(116);
	p9_put(&out, 1, 4);
	p9_put(&out, 0, 8);
	p9_put(&out, UINT32_MAX, 4);
	cr_assert_eq(ask(&in), 0);
	cr_assert_eq(p9_get(&in, 4), 7);
	cr_assert_eq(memcmp(in.p, "\0\0\0data", 7), 0);
	cr_assert_eq(walk(1, 1, 0, NULL, NULL), EBADF, "it is open");
	cr_assert_eq(clunk(1), 0);
	begin(116);
	p9_put(&out, 0, 4);
	p9_put(&out, 0, 8);
	p9_put(&out, 10, 4);
	cr_assert_eq(ask(NULL), EBADF, "not open");
}

Test(p9, fids_follow_a_rename)
{
	struct p9_in in;

	serve(P9_PASSTHROUGH, false);
	cr_assert_eq(walk1(0, 1, "file"), 0);
	begin(74);
	p9_put(&out, 0, 4);
	p9_put_str(&out, "file");
	p9_put(&out, 0, 4);
	p9_put_str(&out, "other");
	cr_assert_eq(ask(NULL), 0);
	cr_assert_eq(lopen(1, O_RDONLY), 0);
	begin(116);
	p9_put(&out, 1, 4);
	p9_put(&out, 0, 8);
	p9_put(&out, 100, 4);
	cr_assert_eq(ask(&in), 0);
	cr_assert_eq(p9_get(&in, 4), 5);
}

Test(p9, read_only)
{
	serve(P9_PASSTHROUGH, true);
	cr_assert_eq(walk1(0, 1, "file"), 0);
	cr_assert_eq(lopen(1, O_RDWR), EROFS);
	cr_assert_eq(lopen(1, O_RDONLY | O_TRUNC), EROFS);
	cr_assert_eq(lopen(1, O_RDONLY), 0);
	cr_assert_eq(walk(0, 2, 0, NULL, NULL), 0);
	cr_assert_eq(lcreate(2, "new", 0600), EROFS);
	begin(76);
	p9_put(&out, 0, 4);
	p9_put_str(&out, "file");
	p9_put(&out, 0, 4);
	cr_assert_eq(ask(NULL), EROFS);
	begin(122);
	p9_put(&out, 1, 4);
	cr_assert_eq(ask(NULL), EROFS);
	begin(26);
	p9_put(&out, 0, 4);
	p9_put(&out, 1, 4);
	for (unsigned i = 0; i < 13; i++)
		p9_put(&out, 0, 4);
	cr_assert_eq(ask(NULL), EROFS);
}

/* Whatever is cut off or made up, the answer is one of the protocol. */
Test(p9, short_messages)
{
	uint8_t small[P9_MIN_REPLY];

	serve(P9_PASSTHROUGH, false);
	for (unsigned type = 0; type < 256; type++)
		for (unsigned len = 0; len < 40; len++) {
			memset(msg, 0, sizeof(msg));
			memcpy(msg, &(uint32_t){len}, 4);
			msg[4] = (uint8_t)type;
			cr_assert_geq(p9_serve(&s, msg, len, small, sizeof(small)), 7);
		}
}

Test(p9, impossible_names)
{
	serve(P9_PASSTHROUGH, false);
	begin(110);
	p9_put(&out, 0, 4);
	p9_put(&out, 1, 4);
	p9_put(&out, 1, 2);
	p9_put(&out, UINT16_MAX, 2);
	cr_assert_eq(ask(NULL), EINVAL);
	begin(110);
	p9_put(&out, 0, 4);
	p9_put(&out, 1, 4);
	p9_put(&out, 17, 2);
	cr_assert_eq(ask(NULL), EINVAL, "more names than the protocol has");
}
