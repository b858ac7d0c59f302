/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Media that come and go, commit, and writes of zeroes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chips.h"
#include "hw/block/block.h"
#include "hw/block/image.h"
#include "hw/block/qcow2_create.h"

#define SIZE (1u << 20)

static char dir[64], err[512];
static struct block *disk;

static const char *in_dir(const char *name)
{
	static char paths[4][128];
	static unsigned n;

	snprintf(paths[++n % 4], 128, "%s/%s", dir, name);
	return paths[n % 4];
}

/* SIZE bytes of one value. */
static void make_raw(const char *name, uint8_t value)
{
	static uint8_t bytes[SIZE];
	int fd = open(in_dir(name), O_CREAT | O_WRONLY, 0600);

	memset(bytes, value, SIZE);
	cr_assert_eq(write(fd, bytes, SIZE), SIZE);
	close(fd);
}

static void make_qcow2(const char *name, const char *backing)
{
	struct qcow2_options o = qcow2_defaults(SIZE);
	struct bfile *f;

	o.backing_name = backing;
	o.backing_format = "raw";
	cr_assert_eq(bfile_open(&f, in_dir(name), BFILE_WRITE | BFILE_CREATE), 0);
	cr_assert_eq(qcow2_create(f, &o, err, sizeof(err)), 0, "%s", err);
	bfile_close(f);
}

static void setup(void)
{
	strcpy(dir, "/tmp/doppel-test-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	make_raw("a", 0xaa);
	make_raw("b", 0xbb);
}

static void teardown(void)
{
	char line[128];

	block_close(disk);
	snprintf(line, sizeof(line), "rm -r %s", dir);
	cr_assert_eq(system(line), 0);
}

static void open_disk(struct block_options o, const char *file)
{
	static const struct block_env env;

	o.name = "d";
	o.file = in_dir(file);
	cr_assert_eq(block_open(&disk, &o, &env, err, sizeof(err)), 0, "%s", err);
}

static int ended;

static void on_done(struct block_req *req, int ret)
{
	(void)req;
	ended = ret;
}

static int run(enum block_op op, uint64_t offset, void *buf, size_t len)
{
	struct iovec iov = {buf, len};
	struct block_req req = {
	    .op = op, .offset = offset, .len = len, .iov = &iov, .nr_iov = 1, .done = on_done};

	block_submit(disk, &req);
	block_quiesce(disk);
	return ended;
}

static uint8_t byte_at(uint64_t offset)
{
	uint8_t buf[512] = {0};

	cr_assert_eq(run(BLOCK_READ, offset & ~511ull, buf, 512), 0);
	return buf[offset % 512];
}

static uint8_t file_byte(const char *name, off_t offset)
{
	int fd = open(in_dir(name), O_RDONLY);
	uint8_t v = 0;

	cr_assert_eq(pread(fd, &v, 1, offset), 1);
	close(fd);
	return v;
}

static unsigned changes, asked;

static void on_changed(void *opaque)
{
	(void)opaque;
	changes++;
}

static void on_eject_request(void *opaque)
{
	(void)opaque;
	asked++;
}

static const struct block_user user = {on_changed, on_eject_request};

Test(media, the_guest_may_hold_it, .init = setup, .fini = teardown)
{
	open_disk((struct block_options){.removable = true, .read_only = true}, "a");
	block_attach(disk, &user, NULL);
	block_lock_medium(disk, true);
	cr_assert_eq(block_eject(disk, false, err, sizeof(err)), -EBUSY);
	cr_assert_eq(
	    block_change(disk, in_dir("b"), NULL, BLOCK_READ_ONLY, false, err, sizeof(err)),
	    -EBUSY);
	cr_assert(strstr(err, "locked"), "%s", err);
	cr_assert_eq(asked, 2);
	cr_assert_eq(byte_at(5), 0xaa);
	/* the guest gives it */
	block_open_tray(disk, true);
	cr_assert_eq(
	    block_change(disk, in_dir("b"), NULL, BLOCK_READ_ONLY, false, err, sizeof(err)), 0);
	cr_assert_eq(changes, 2);
	cr_assert_eq(byte_at(5), 0xbb);
	cr_assert(!block_tray_is_open(disk));
	/* and if it does not */
	cr_assert_eq(block_eject(disk, true, err, sizeof(err)), 0);
	cr_assert(!block_present(disk) && block_tray_is_open(disk));
	cr_assert_eq(run(BLOCK_READ, 0, &(uint8_t[512]){0}, 512), -ENOMEDIUM);
}

Test(media, what_cannot_be_opened_leaves_the_old_one, .init = setup, .fini = teardown)
{
	open_disk((struct block_options){.removable = true, .format = "raw"}, "a");
	cr_assert_eq(
	    block_change(disk, in_dir("none"), NULL, BLOCK_READ_WRITE, false, err, sizeof(err)),
	    -ENOENT);
	cr_assert(strstr(err, "none"), "%s", err);
	cr_assert_eq(byte_at(0), 0xaa);
	cr_assert_eq(
	    block_change(disk, in_dir("b"), "raw", BLOCK_READ_ONLY, false, err, sizeof(err)), 0);
	cr_assert(block_read_only(disk));
	cr_assert_eq(run(BLOCK_WRITE, 0, &(uint8_t[512]){0}, 512), -EROFS);
	cr_assert_eq(
	    block_change(disk, in_dir("a"), "raw", BLOCK_READ_WRITE, false, err, sizeof(err)), 0);
	cr_assert_eq(run(BLOCK_WRITE, 0, &(uint8_t[512]){1}, 512), 0);
	cr_assert_eq(file_byte("a", 0), 1);
}

Test(media, a_disk_is_not_removable, .init = setup, .fini = teardown)
{
	open_disk((struct block_options){.format = "raw"}, "a");
	cr_assert_eq(block_eject(disk, true, err, sizeof(err)), -ENOTSUP);
	cr_assert_eq(
	    block_change(disk, in_dir("b"), "raw", BLOCK_READ_WRITE, true, err, sizeof(err)),
	    -ENOTSUP);
	cr_assert_eq(byte_at(0), 0xaa);
}

Test(media, commit_writes_the_backing_file, .init = setup, .fini = teardown)
{
	uint8_t one[512];
	struct extent e;

	memset(one, 1, sizeof(one));
	make_qcow2("top", "a");
	open_disk((struct block_options){.format = "qcow2"}, "top");
	cr_assert_eq(run(BLOCK_WRITE, 70000 & ~511, one, 512), 0);
	cr_assert_eq(run(BLOCK_WRITE_ZEROES, 512 << 10, NULL, 64 << 10), 0);
	cr_assert_eq(file_byte("a", 70000), 0xaa);
	cr_assert_eq(block_commit(disk, err, sizeof(err)), 0, "%s", err);
	cr_assert_eq(file_byte("a", 70000), 1);
	cr_assert_eq(file_byte("a", 70000 - 512), 0xaa);
	cr_assert_eq(file_byte("a", 513 << 10), 0);
	cr_assert_eq(byte_at(70000), 1);
	cr_assert_eq(image_extent(block_image(disk), 0, SIZE, &e), 0);
	cr_assert_eq(e.kind, EXTENT_BACKING);
	cr_assert_eq(e.len, SIZE);
	/* and again, and the disk goes on */
	cr_assert_eq(run(BLOCK_WRITE, 0, one, 512), 0);
	cr_assert_eq(file_byte("a", 0), 0xaa);
	cr_assert_eq(block_commit(disk, err, sizeof(err)), 0, "%s", err);
	cr_assert_eq(file_byte("a", 0), 1);
}

Test(media, commit_of_what_would_be_lost, .init = setup, .fini = teardown)
{
	uint8_t one[512];

	memset(one, 1, sizeof(one));
	open_disk((struct block_options){.format = "raw", .snapshot = true}, "a");
	cr_assert_eq(run(BLOCK_WRITE, 0, one, 512), 0);
	cr_assert_eq(file_byte("a", 0), 0xaa);
	cr_assert_eq(block_commit(disk, err, sizeof(err)), 0, "%s", err);
	cr_assert_eq(file_byte("a", 0), 1);
	cr_assert_eq(run(BLOCK_WRITE, 512, one, 512), 0);
	cr_assert_eq(file_byte("a", 512), 0xaa);
}

Test(media, another_medium_under_snapshot, .init = setup, .fini = teardown)
{
	uint8_t one[512];

	memset(one, 1, sizeof(one));
	open_disk((struct block_options){.format = "raw", .snapshot = true, .removable = true},
		  "a");
	cr_assert_eq(block_change(disk, in_dir("b"), "raw", BLOCK_RETAIN, false, err, sizeof(err)),
		     0);
	cr_assert_eq(run(BLOCK_WRITE, 0, one, 512), 0);
	cr_assert_eq(byte_at(0), 1);
	cr_assert_eq(file_byte("b", 0), 0xbb);
	/* what was asked for by name is written */
	cr_assert_eq(
	    block_change(disk, in_dir("a"), "raw", BLOCK_READ_WRITE, false, err, sizeof(err)), 0);
	cr_assert_eq(run(BLOCK_WRITE, 0, one, 512), 0);
	cr_assert_eq(file_byte("a", 0), 1);
	/* and that was this medium's alone */
	cr_assert_eq(block_change(disk, in_dir("b"), "raw", BLOCK_RETAIN, false, err, sizeof(err)),
		     0);
	cr_assert_eq(run(BLOCK_WRITE, 0, one, 512), 0);
	cr_assert_eq(file_byte("b", 0), 0xbb);
}

Test(media, commit_is_refused_where_it_would_do_harm, .init = setup, .fini = teardown)
{
	struct image *other;

	open_disk((struct block_options){.format = "raw"}, "a");
	cr_assert_eq(block_commit(disk, err, sizeof(err)), -ENOTSUP);
	block_close(disk);
	make_qcow2("top", "a");
	open_disk((struct block_options){.format = "qcow2"}, "top");
	cr_assert_eq(image_open(&other, in_dir("a"), "raw", 0, err, sizeof(err)), 0);
	cr_assert_eq(block_commit(disk, err, sizeof(err)), -EAGAIN);
	cr_assert(strstr(err, "in use"), "%s", err);
	cr_assert_eq(byte_at(0), 0xaa);
	image_close(other);
	/* the refused one has left its own lock behind */
	cr_assert_eq(image_open(&other, in_dir("a"), "raw", IMAGE_WRITE, err, sizeof(err)),
		     -EAGAIN);
	cr_assert_eq(block_commit(disk, err, sizeof(err)), 0, "%s", err);
	block_close(disk);
	open_disk((struct block_options){.format = "qcow2", .read_only = true}, "top");
	cr_assert_eq(block_commit(disk, err, sizeof(err)), -EROFS);
	/* another file by now */
	block_close(disk);
	open_disk((struct block_options){.format = "qcow2"}, "top");
	cr_assert_eq(rename(in_dir("b"), in_dir("a")), 0);
	cr_assert_eq(block_commit(disk, err, sizeof(err)), -ESTALE);
	cr_assert_eq(file_byte("a", 0), 0xbb);
}

static uint64_t space(const char *name)
{
	struct stat st;

	cr_assert_eq(stat(in_dir(name), &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

Test(media, zeroes_are_not_written, .init = setup, .fini = teardown)
{
	static uint8_t zeroes[SIZE], ones[SIZE];
	struct extent e;

	memset(ones, 1, sizeof(ones));
	make_qcow2("top", "a");
	open_disk((struct block_options){.format = "qcow2", .detect_zeroes = DETECT_ON}, "top");
	cr_assert_eq(run(BLOCK_WRITE, 0, zeroes, SIZE), 0);
	cr_assert_eq(byte_at(12345), 0);
	cr_assert_eq(image_extent(block_image(disk), 0, SIZE, &e), 0);
	cr_assert_eq(e.kind, EXTENT_ZERO);
	cr_assert_lt(space("top"), SIZE / 2);
	/* one other byte makes data of it, the last as well */
	zeroes[SIZE - 1] = 1;
	cr_assert_eq(run(BLOCK_WRITE, 0, zeroes, SIZE), 0);
	cr_assert_eq(byte_at(SIZE - 1), 1);
	cr_assert_eq(image_extent(block_image(disk), 0, SIZE, &e), 0);
	cr_assert_eq(e.kind, EXTENT_DATA);
}

Test(media, zeroes_give_space_back, .init = setup, .fini = teardown)
{
	static uint8_t zeroes[SIZE];
	int fd = open(in_dir("b"), O_WRONLY);
	bool holes = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, SIZE) == 0;

	close(fd);
	open_disk(
	    (struct block_options){.format = "raw", .discard = true, .detect_zeroes = DETECT_UNMAP},
	    "a");
	cr_assert_geq(space("a"), SIZE);
	cr_assert_eq(run(BLOCK_WRITE, 0, zeroes, SIZE), 0);
	cr_assert_eq(byte_at(12345), 0);
	cr_assert_eq(run(BLOCK_FLUSH, 0, NULL, 0), 0);
	if (holes) /* else the host's file system has none */
		cr_assert_lt(space("a"), SIZE / 2);
}
