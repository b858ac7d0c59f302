/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A folder by 9P2000.L, and clients that lie. What they do is done on the host's file system: beside the folder lies
 * another, to which links lead, and nothing may change there.
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hw/9p/virtio_9p.h"
#include "tests/fuzz/fuzz.h"

enum {
	TLOPEN = 12,
	TLCREATE = 14,
	TVERSION = 100,
	TATTACH = 104,
	TWALK = 110,
	TWRITE = 118,
	HEADER = 7
};

/* Fields after the header: f a fid, s a name, w names, v the version, m a mode, d data, a digit that many bytes. */
static const struct layout {
	uint8_t type;
	const char *fields;
} layouts[] = {
    {8, "f"},           {12, "f4"},   {14, "fs4m4"},  {16, "fss4"},       {18, "fsm444"},
    {20, "ffs"},        {22, "f"},    {24, "f8"},     {26, "f4m4488888"}, {30, "ffs"},
    {32, "fs84"},       {40, "f84"},  {50, "f4"},     {52, "f14884s"},    {54, "f1884s"},
    {70, "ffs"},        {72, "fsm4"}, {74, "fsfs"},   {76, "fs4"},        {TVERSION, "4v"},
    {TATTACH, "ffss4"}, {108, "2"},   {TWALK, "ffw"}, {TWALK, "ffw"},     {116, "f84"},
    {TWRITE, "f8d"},    {120, "f"},   {122, "f"},
};

#define LAYOUTS (sizeof(layouts) / sizeof(layouts[0]))

static struct virtio_9p *p9;
static char root[32], folder[64], outside[64];
static struct stat outside_was;
static unsigned sent; /* messages of this connection */

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	return ftw->level ? remove(path) : 0;
}

/* All that is in it, but not itself. */
static void empty(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void add_link(const char *name, const char *to)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (symlink(to, path) < 0)
		abort();
}

static void p9_init(void)
{
	const struct virtio_pci_options layout = {
	    .features = VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_RING_PACKED};
	const struct p9_share share = {.path = folder, .model = P9_MAPPED};
	struct p9_tree tree;

	strcpy(root, "/tmp/doppel-fuzz-XXXXXX");
	if (!mkdtemp(root))
		abort();
	snprintf(folder, sizeof(folder), "%s/share", root);
	snprintf(outside, sizeof(outside), "%s/out", root);
	if (mkdir(folder, 0755) < 0 || mkdir(outside, 0755) < 0 ||
	    stat(outside, &outside_was) < 0 || p9_tree_open(&tree, &share) < 0)
		abort();
	p9 = calloc(1, sizeof(*p9));
	if (virtio_9p_init(p9, NULL, &tree, "fuzz", &layout) < 0)
		abort();
	fuzz_pci_add(&p9->v.func);
	fuzz_add(&p9->v.state);
}

static void p9_reset(void)
{
	for (struct device *dev = world.devices; dev; dev = dev->next)
		device_reset(dev);
	virtio_9p_drain(p9);
	empty(folder);
	add_link("link", outside);
	add_link("up", "../out");
}

/* There is something to work with more often than a client that says anything would have it: fid 1 is an open file,
 * fid 2 an open folder. */
static void open_some(void)
{
	static const uint8_t messages[][26] = {
	    {21, 0, 0,   0,   TVERSION, 255, 255, 0,   0,   1,  0,
	     8,  0, '9', 'P', '2',      '0', '0', '0', '.', 'L'},
	    {23, 0, 0, 0, TATTACH, 1, 0, 0, 0, 0, 0, 255, 255, 255, 255},
	    {17, 0, 0, 0, TWALK, 1, 0, 0, 0, 0, 0, 1},
	    {26, 0, 0, 0, TLCREATE, 1, 0, 1, 0, 0, 0, 1, 0, 'a', 2, 0, 0, 0, 0xa4, 1},
	    {17, 0, 0, 0, TWALK, 1, 0, 0, 0, 0, 0, 2},
	    {15, 0, 0, 0, TLOPEN, 1, 0, 2},
	};
	uint8_t reply[256];

	virtio_9p_drain(p9);
	for (unsigned n = 0; n < sizeof(messages) / sizeof(messages[0]); n++)
		p9_serve(&p9->server, messages[n], messages[n][0], reply, sizeof(reply));
	sent = 2;
}

static unsigned put_name(uint64_t at)
{
	static const char *const names[] = {"a",  "b", "c",    "d",  "a",   "b",
					    "..", ".", "link", "up", "a/b", "user.x"};
	const char *name = one_in(32) ? "" : names[below(sizeof(names) / sizeof(names[0]))];
	unsigned len = (unsigned)strlen(name);

	put(at, one_in(64) ? value() : len, 2);
	memcpy(world.ram->host + at + 2, name, len);
	return 2 + len;
}

static unsigned put_field(uint64_t at, char kind)
{
	static const uint16_t types[] = {0, 0100000, 0100000, 0040000, 0120000, 0060000, 0010000};
	unsigned n, len;

	switch (kind) {
	case 'f':
		put(at, one_in(32) ? value() : below(6), 4);
		return 4;
	case 's':
		return put_name(at);
	case 'v':
		put(at, 8, 2);
		memcpy(world.ram->host + at + 2, "9P2000.L", 8);
		return 10;
	case 'w':
		n = one_in(32) ? below(20) : below(3);
		put(at, n, 2);
		for (len = 2; n; n--)
			len += put_name(at + len);
		return len;
	case 'm':
		put(at, types[below(7)] | below(512), 4);
		return 4;
	case 'd':
		n = below(200);
		put(at, one_in(32) ? value() : n, 4);
		return 4 + n;
	}
	n = (unsigned)kind - '0';
	/* An offset or a size; flags, a mask or a length. */
	if (n == 8)
		put(at, one_in(16) ? value() : one_in(2) ? 0 : below(300), n);
	else
		put(at, one_in(16) ? value() : one_in(2) ? below(4) : 1u << below(12), n);
	return n;
}

static void message(uint64_t at, struct fuzz_chain *c)
{
	const struct layout *l = &layouts[below(LAYOUTS)];
	unsigned n = HEADER;

	if (one_in(16))
		open_some();
	/* A connection starts with these two. */
	for (unsigned i = 0; sent < 2 && !one_in(32) && i < LAYOUTS; i++)
		if (layouts[i].type == (sent ? TATTACH : TVERSION))
			l = &layouts[i];
	for (const char *f = l->fields; *f; f++)
		n += put_field(at + n, *f);
	if (l->type == TVERSION)
		put(at + HEADER, one_in(8) ? value() : 0x10000, 4);
	if (l->type == TATTACH && sent < 2)
		put(at + HEADER, 0, 4);
	put(at, one_in(32) ? value() : n, 4);
	put(at + 4, one_in(32) ? next() : l->type, 1);
	put(at + 5, next(), 2);
	c->len[0] = n;
	c->len[1] = 0;
	c->len[2] = one_in(16) ? below(64) : 2048;
	c->len[3] = 0;
	sent++;
}

static void p9_round(void)
{
	struct stat st;

	sent = 0;
	fuzz_virtio_chains(&p9->v, 0, message);
	for (unsigned n = below(8); n; n--)
		fuzz_virtio_more(&p9->v, 0, message);
	virtio_9p_drain(p9);
	if (stat(outside, &st) < 0 || st.st_mtim.tv_nsec != outside_was.st_mtim.tv_nsec ||
	    st.st_mtim.tv_sec != outside_was.st_mtim.tv_sec || st.st_mode != outside_was.st_mode) {
		fprintf(stderr, "fuzz_devices: 9P has reached out of its folder\n");
		abort();
	}
}

static void p9_fini(void)
{
	virtio_9p_fini(p9);
	free(p9);
	empty(root);
	rmdir(root);
}

const struct fuzz_device fuzz_9p[] = {
    {"virtio-9p", p9_init, p9_reset, p9_round, p9_fini, NULL},
    {0},
};
