/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "chips.h"
#include "hw/block/block.h"
#include "hw/block/qcow2.h"
#include "hw/block/qcow2_create.h"
#include "tests/block/memfile.h"

#define DISK (4u << 20)

static char err[512], path[64];

static struct image *make(struct mem_disk *d, struct qcow2_options o)
{
	struct bfile *f = mem_open(d, false);
	struct image *img;

	cr_assert_eq(qcow2_create(f, &o, err, sizeof(err)), 0, "%s", err);
	cr_assert_eq(image_open_file(&img, f, "qcow2", IMAGE_WRITE, err, sizeof(err)), 0, "%s",
		     err);
	return img;
}

static void check(struct image *img)
{
	struct qcow2_check c = {0};

	cr_assert_eq(qcow2_check(img, 0, &c), 0);
	cr_assert_eq(c.corruptions, 0);
}

Test(qcow2, a_write_that_found_no_space_can_be_repeated)
{
	struct mem_disk *d = mem_disk_new(2u << 20);
	struct image *img = make(d, qcow2_defaults(DISK));
	static uint8_t buf[65536], back[65536];
	unsigned n = 0;

	memset(buf, 0x5a, sizeof(buf));
	while (image_write(img, n * 65536ull, buf, sizeof(buf)) == 0)
		n++;
	cr_assert_gt(n, 20);
	cr_assert_eq(image_write(img, n * 65536ull, buf, sizeof(buf)), -ENOSPC);
	check(img);
	/* Room is made by the guest itself. */
	cr_assert_eq(image_discard(img, 0, 65536), 0);
	cr_assert_eq(image_flush(img), 0);
	cr_assert_eq(image_write(img, n * 65536ull, buf, sizeof(buf)), 0);
	cr_assert_eq(image_read(img, n * 65536ull, back, sizeof(back)), 0);
	cr_assert_arr_eq(back, buf, sizeof(buf));
	check(img);
	cr_assert_eq(image_close(img), 0);
	mem_disk_free(d);
}

Test(qcow2, a_failed_sync_is_never_forgotten)
{
	struct mem_disk *d = mem_disk_new(8u << 20);
	struct image *img = make(d, qcow2_defaults(DISK));
	uint8_t buf[512] = {1};

	cr_assert_eq(image_write(img, 0, buf, sizeof(buf)), 0);
	d->sync_error = -EIO;
	cr_assert_eq(image_flush(img), -EIO);
	d->sync_error = 0;
	cr_assert_eq(image_flush(img), -EIO);
	image_close(img);
	mem_disk_free(d);
}

static struct image *flushing;
static unsigned syncs;

static void during_flush(void)
{
	syncs++;
	cr_assert(!flushing->ops->clean(flushing));
}

Test(qcow2, a_flush_does_not_pass_one_that_is_under_way)
{
	struct mem_disk *d = mem_disk_new(8u << 20);
	uint8_t buf[512] = {1};

	flushing = make(d, qcow2_defaults(DISK));
	cr_assert_eq(image_write(flushing, 0, buf, sizeof(buf)), 0);
	d->on_sync = during_flush;
	cr_assert_eq(image_flush(flushing), 0);
	d->on_sync = NULL;
	cr_assert_gt(syncs, 1);
	cr_assert(flushing->ops->clean(flushing));
	image_close(flushing);
	mem_disk_free(d);
}

Test(qcow2, the_machines_state_lies_beside_the_disk)
{
	struct mem_disk *d = mem_disk_new(32u << 20);
	struct image *img = make(d, qcow2_defaults(DISK));
	static uint8_t vm[300000], back[300000], buf[4096];
	struct image_snapshot info = {.name = "vm", .vm_state_size = sizeof(vm)};
	struct qcow2_check c = {0};
	struct mem_disk *killed;
	struct image *as_left;

	for (unsigned i = 0; i < sizeof(vm); i++)
		vm[i] = (uint8_t)(i * 7);
	memset(buf, 1, sizeof(buf));
	cr_assert_eq(image_write(img, 8192, buf, sizeof(buf)), 0);
	cr_assert_eq(image_state_write(img, 0, vm, 100000), 0);
	cr_assert_eq(image_state_write(img, 100000, vm + 100000, 200000), 0);
	cr_assert_eq(image_snapshot_create(img, &info, err, sizeof(err)), 0, "%s", err);
	cr_assert_eq(image_state_drop(img, sizeof(vm)), 0);
	/* What is killed now has not lost the state's space. */
	killed = mem_disk_new(32u << 20);
	memcpy(killed->now, d->now, d->size);
	killed->size = d->size;
	cr_assert_eq(image_open_file(&as_left, mem_open(killed, true), "qcow2", IMAGE_CHECK, err,
				     sizeof(err)),
		     0, "%s", err);
	cr_assert_eq(qcow2_check(as_left, 0, &c), 0);
	cr_expect_eq(c.leaks + c.corruptions, 0);
	image_close(as_left);
	mem_disk_free(killed);
	cr_assert_eq(image_state_read(img, 0, back, sizeof(back)), 0);
	cr_assert_eq(back[1], 0);
	memset(buf, 2, sizeof(buf));
	cr_assert_eq(image_write(img, 8192, buf, sizeof(buf)), 0);
	check(img);
	cr_assert_eq(image_snapshot_apply(img, 0, err, sizeof(err)), 0, "%s", err);
	cr_assert_eq(image_state_read(img, 0, back, sizeof(back)), 0);
	cr_assert_arr_eq(back, vm, sizeof(vm));
	cr_assert_eq(image_read(img, 8192, buf, sizeof(buf)), 0);
	cr_assert_eq(buf[0], 1);
	cr_assert_eq(image_snapshot_at(img, 0)->vm_state_size, sizeof(vm));
	check(img);
	image_close(img);
	mem_disk_free(d);
}

/* ---- several threads ---- */

#define THREADS 4
#define AREA    (DISK / THREADS)

static struct image *shared;
static uint8_t model[DISK];

/* Works on its own sectors, which share clusters and tables with those of the others. */
static void *work(void *opaque)
{
	unsigned me = (unsigned)(uintptr_t)opaque, seed = me + 1;
	uint8_t buf[8192], back[8192];

	for (unsigned i = 0; i < 400; i++) {
		unsigned slot = (unsigned)rand_r(&seed) % (AREA / 8192);
		uint64_t at = (slot * THREADS + me) * 8192ull;

		memset(buf, (int)(i + me), sizeof(buf));
		switch (rand_r(&seed) % 8) {
		case 0:
			cr_assert_eq(image_flush(shared), 0);
			break;
		case 1:
			cr_assert_eq(image_zero(shared, at, 8192, true), 0);
			memset(model + at, 0, 8192);
			break;
		case 2:
			cr_assert_eq(image_read(shared, at, back, 8192), 0);
			cr_assert_arr_eq(back, model + at, 8192);
			break;
		default:
			cr_assert_eq(image_write(shared, at, buf, 8192), 0);
			memcpy(model + at, buf, 8192);
		}
	}
	return NULL;
}

Test(qcow2, threads_do_not_get_in_each_others_way)
{
	struct qcow2_options o = qcow2_defaults(DISK);
	static uint8_t back[DISK];
	pthread_t threads[THREADS];
	struct bfile *f;

	strcpy(path, "/tmp/doppel-test-XXXXXX");
	close(mkstemp(path));
	o.cluster_size = 16384;
	cr_assert_eq(bfile_open(&f, path, BFILE_WRITE), 0);
	cr_assert_eq(qcow2_create(f, &o, err, sizeof(err)), 0, "%s", err);
	cr_assert_eq(
	    image_open_file(&shared, f, "qcow2", IMAGE_WRITE | IMAGE_DISCARD, err, sizeof(err)), 0,
	    "%s", err);
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, work, (void *)i);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	cr_assert_eq(image_read(shared, 0, back, DISK), 0);
	cr_assert_arr_eq(back, model, DISK);
	check(shared);
	cr_assert_eq(image_close(shared), 0);
	unlink(path);
}

static int ended, result;

static void on_done(struct block_req *req, int ret)
{
	(void)req;
	ended++;
	result = ret;
}

Test(qcow2, snapshot_leaves_the_image_as_it_was)
{
	struct block_options o = {.name = "d", .file = path, .format = "raw", .snapshot = true};
	struct block_env env = {0};
	static uint8_t was[DISK], now[DISK], buf[4096];
	struct iovec iov = {buf, sizeof(buf)};
	struct block_req req = {.op = BLOCK_WRITE,
				.offset = 65536,
				.len = sizeof(buf),
				.iov = &iov,
				.nr_iov = 1,
				.done = on_done};
	struct block *disk;
	FILE *f;

	strcpy(path, "/tmp/doppel-test-XXXXXX");
	f = fdopen(mkstemp(path), "w+");
	memset(was, 0x11, sizeof(was));
	fwrite(was, sizeof(was), 1, f);
	fflush(f);
	cr_assert_eq(block_open(&disk, &o, &env, err, sizeof(err)), 0, "%s", err);
	memset(buf, 0x22, sizeof(buf));
	block_submit(disk, &req);
	block_quiesce(disk);
	cr_assert_eq(ended, 1);
	cr_assert_eq(result, 0);
	cr_assert_eq(block_read_now(disk, 0, now, DISK), 0);
	cr_assert_eq(now[65536], 0x22);
	cr_assert_eq(now[65536 + 4096], 0x11);
	cr_assert_eq(block_close(disk), 0);
	rewind(f);
	cr_assert_eq(fread(now, sizeof(now), 1, f), 1);
	cr_assert_arr_eq(now, was, DISK);
	fclose(f);
	unlink(path);
}
