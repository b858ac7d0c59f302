/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "chips.h"
#include "hw/block/block.h"
#include "hw/block/image.h"
#include "hw/loop.h"

/* A raw disk of 1 MiB in which each sector holds its own number. */
#define SIZE (1u << 20)

static char path[64];
static struct block *disk;
static int stops;
static char message[512], err[512];

static void on_stop(void *opaque, struct block *b, const char *text)
{
	(void)opaque;
	(void)b;
	stops++;
	snprintf(message, sizeof(message), "%s", text);
}

static void make_file(void)
{
	static uint32_t sectors[SIZE / 4];
	int fd;

	strcpy(path, "/tmp/doppel-test-XXXXXX");
	fd = mkstemp(path);
	for (unsigned i = 0; i < SIZE / 4; i++)
		sectors[i] = i / 128;
	cr_assert_eq(write(fd, sectors, SIZE), SIZE);
	close(fd);
}

static void open_disk(struct block_options o)
{
	struct block_env env = {.stop = on_stop};
	int r;

	o.name = "disk";
	o.file = path;
	o.format = "raw";
	r = block_open(&disk, &o, &env, err, sizeof(err));
	cr_assert_eq(r, 0, "%s", err);
}

static void setup(void)
{
	make_file();
	open_disk((struct block_options){0});
}

static void teardown(void)
{
	block_close(disk);
	unlink(path);
}

struct
try {
	struct block_req req;
	struct iovec iov[3];
	int dones, ret;
};

static void on_done(struct block_req *req, int ret)
{
	struct try *t = req->opaque;

	t->dones++;
	t->ret = ret;
}

static void prepare(struct try *t, enum block_op op, uint64_t offset, void *buf, size_t len)
{
	memset(t, 0, sizeof(*t));
	t->iov[0] = (struct iovec){buf, len};
	t->req = (struct block_req){
	    .op = op,
	    .offset = offset,
	    .len = len,
	    .iov = t->iov,
	    .nr_iov = 1,
	    .done = on_done,
	    .opaque = t,
	};
}

static int run(enum block_op op, uint64_t offset, void *buf, size_t len)
{
	struct try t;

	prepare(&t, op, offset, buf, len);
	block_submit(disk, &t.req);
	cr_assert_eq(t.dones, 0, "done() within block_submit()");
	block_quiesce(disk);
	cr_assert_eq(t.dones, 1);
	return t.ret;
}

Test(blockdev, reads_what_was_written, .init = setup, .fini = teardown)
{
	uint32_t buf[1024];

	cr_assert_eq(block_size(disk), SIZE);
	cr_assert_eq(run(BLOCK_READ, 512 * 5, buf, 4096), 0);
	cr_assert_eq(buf[0], 5);
	cr_assert_eq(buf[1023], 12);
	memset(buf, 0xaa, sizeof(buf));
	cr_assert_eq(run(BLOCK_WRITE, 512 * 7, buf, 512), 0);
	cr_assert_eq(run(BLOCK_FLUSH, 0, NULL, 0), 0);
	cr_assert_eq(run(BLOCK_READ, 512 * 6, buf, 1536), 0);
	cr_assert_eq(buf[0], 6);
	cr_assert_eq(buf[128], 0xaaaaaaaa);
	cr_assert_eq(buf[256], 8);
}

Test(blockdev, many_buffers_make_one_request, .init = setup, .fini = teardown)
{
	uint8_t a[100], b[924], c[512];
	struct try t;

	prepare(&t, BLOCK_READ, 512 * 9, NULL, 0);
	t.req.len = 1536;
	t.req.nr_iov = 3;
	t.iov[0] = (struct iovec){a, sizeof(a)};
	t.iov[1] = (struct iovec){b, sizeof(b)};
	t.iov[2] = (struct iovec){c, sizeof(c)};
	block_submit(disk, &t.req);
	block_quiesce(disk);
	cr_assert_eq(t.ret, 0);
	cr_assert_eq(a[0], 9);
	cr_assert_eq(b[412], 10);
	cr_assert_eq(c[0], 11);
}

Test(blockdev, zeroes_and_refusals, .init = setup, .fini = teardown)
{
	uint32_t buf[256];

	cr_assert_eq(run(BLOCK_WRITE_ZEROES, 512, NULL, 512), 0);
	cr_assert_eq(run(BLOCK_READ, 512, buf, 1024), 0);
	cr_assert_eq(buf[0], 0);
	cr_assert_eq(buf[128], 2);
	cr_assert_eq(run(BLOCK_READ, SIZE - 512, buf, 1024), -EINVAL);
	cr_assert_eq(run(BLOCK_READ, 1, buf, 512), -EINVAL);
	cr_assert_eq(run(BLOCK_READ, UINT64_MAX - 511, buf, 512), -EINVAL);
	cr_assert_eq(run(BLOCK_READ, SIZE, buf, 0), 0);
	cr_assert_eq(stops, 0);
}

Test(blockdev, a_batch_ends_at_unplug_where_it_can, .init = setup, .fini = teardown)
{
	struct block_stats s;
	uint8_t buf[4][512];
	struct try t[4];

	block_plug(disk);
	for (int i = 0; i < 4; i++) {
		prepare(&t[i], BLOCK_READ, 512u * (unsigned)i, buf[i], 512);
		block_submit(disk, &t[i].req);
	}
	block_unplug(disk);
	block_quiesce(disk);
	block_stats(disk, &s);
	for (int i = 0; i < 4; i++) {
		cr_assert_eq(t[i].dones, 1);
		cr_assert_eq(buf[i][0], i);
	}
	cr_assert_eq(s.ops[BLOCK_READ], 4);
}

Test(blockdev, a_write_that_fails_is_held_until_the_user_goes_on)
{
	struct rlimit none = {SIZE, RLIM_INFINITY}, all = {RLIM_INFINITY, RLIM_INFINITY};
	uint8_t buf[512] = {1};
	struct try t;

	make_file();
	open_disk((struct block_options){.werror = POLICY_STOP});
	cr_assert_eq(truncate(path, SIZE - 512), 0);
	signal(SIGXFSZ, SIG_IGN);
	none.rlim_cur = SIZE - 512;
	setrlimit(RLIMIT_FSIZE, &none);
	prepare(&t, BLOCK_WRITE, SIZE - 512, buf, 512);
	block_submit(disk, &t.req);
	block_quiesce(disk);
	cr_assert_eq(t.dones, 0);
	cr_assert_eq(stops, 1);
	cr_assert(strstr(message, "disk: ") == message, "%s", message);
	cr_assert_eq(block_held(disk), 1);
	block_resume(disk);
	block_quiesce(disk);
	cr_assert_eq(stops, 2);
	setrlimit(RLIMIT_FSIZE, &all);
	block_resume(disk);
	block_quiesce(disk);
	cr_assert_eq(t.dones, 1);
	cr_assert_eq(t.ret, 0);
	/* a reset drops what is held */
	setrlimit(RLIMIT_FSIZE, &none);
	cr_assert_eq(truncate(path, SIZE - 512), 0);
	block_submit(disk, &t.req);
	block_drain(disk);
	setrlimit(RLIMIT_FSIZE, &all);
	cr_assert_eq(t.dones, 2);
	cr_assert_eq(t.ret, -ECANCELED);
	teardown();
}

static struct try again;
static int rounds;

static void resubmit(struct block_req *req, int ret)
{
	cr_assert_eq(ret, 0);
	if (++rounds < 10000) {
		block_plug(disk);
		block_submit(disk, req);
		block_unplug(disk);
	}
}

Test(blockdev, done_may_submit_without_end, .init = setup, .fini = teardown)
{
	uint8_t buf[512];

	prepare(&again, BLOCK_READ, 0, buf, 512);
	again.req.done = resubmit;
	block_submit(disk, &again.req);
	block_quiesce(disk);
	cr_assert_eq(rounds, 10000);
}

Test(blockdev, a_raw_guest_cannot_become_another_format)
{
	struct block_options o = {.name = "disk", .file = path};
	struct block_env env = {0};
	uint8_t head[512] = "QFI\xfb";

	make_file();
	cr_assert_eq(block_open(&disk, &o, &env, err, sizeof(err)), 0);
	cr_assert_eq(run(BLOCK_WRITE, 0, head, 512), -EPERM);
	head[0] = 0;
	cr_assert_eq(run(BLOCK_WRITE, 0, head, 512), 0);
	teardown();
}

Test(blockdev, an_image_has_one_writer)
{
	struct image *a, *b;

	make_file();
	cr_assert_eq(image_open(&a, path, "raw", IMAGE_WRITE, err, sizeof(err)), 0);
	cr_assert_eq(image_open(&b, path, "raw", IMAGE_WRITE, err, sizeof(err)), -EAGAIN);
	cr_assert(strstr(err, "in use"), "%s", err);
	cr_assert_eq(image_open(&b, path, "raw", 0, err, sizeof(err)), -EAGAIN);
	cr_assert_eq(image_open(&b, path, "raw", IMAGE_SHARE, err, sizeof(err)), 0);
	image_close(b);
	image_close(a);
	cr_assert_eq(image_open(&a, path, "raw", 0, err, sizeof(err)), 0);
	cr_assert_eq(image_open(&b, path, "raw", 0, err, sizeof(err)), 0);
	image_close(b);
	cr_assert_eq(image_open(&b, path, "raw", IMAGE_WRITE, err, sizeof(err)), -EAGAIN);
	image_close(a);
	unlink(path);
}

Test(blockdev, unaligned_requests_without_the_hosts_cache)
{
	uint8_t model[16384], buf[16384 + 1];
	struct bfile *f;
	uint64_t size;

	make_file();
	if (bfile_open(&f, path, BFILE_WRITE | BFILE_DIRECT) < 0)
		cr_skip_test("no O_DIRECT here");
	cr_assert_eq(bfile_read(f, 0, model, sizeof(model)), 0);
	for (unsigned i = 0; i < 200; i++) {
		unsigned at = (unsigned)rand() % 12000, n = (unsigned)rand() % 4000;

		memset(model + at, (int)i, n);
		cr_assert_eq(bfile_write(f, at, model + at, n), 0);
		cr_assert_eq(bfile_read(f, 0, buf + 1, 16384), 0);
		cr_assert_arr_eq(buf + 1, model, 16384);
	}
	/* the file is as long as what was written to it */
	cr_assert_eq(bfile_write(f, SIZE - 3, "abcdefg", 7), 0);
	cr_assert_eq(bfile_size(f, &size), 0);
	cr_assert_eq(size, SIZE + 4);
	bfile_close(f);
	unlink(path);
}

static struct clock clk;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct loop *loop;

static void quit_loop(struct block_req *req, int ret)
{
	on_done(req, ret);
	loop_quit(loop);
}

Test(blockdev, the_main_loop_ends_requests)
{
	struct block_options o = {.name = "disk", .file = path, .format = "raw"};
	struct block_env env = {0};
	uint8_t buf[512];
	struct try t;

	make_file();
	clock_init(&clk, true);
	env.loop = loop = loop_new(&clk, &lock);
	cr_assert_eq(block_open(&disk, &o, &env, err, sizeof(err)), 0);
	for (unsigned op = BLOCK_READ; op <= BLOCK_WRITE; op++) {
		prepare(&t, op, 512 * 3, buf, 512);
		t.req.done = quit_loop;
		pthread_mutex_lock(&lock);
		block_submit(disk, &t.req);
		pthread_mutex_unlock(&lock);
		loop_run(loop);
		cr_assert_eq(t.dones, 1);
		cr_assert_eq(buf[0], 3);
	}
	teardown();
	loop_free(loop);
}
