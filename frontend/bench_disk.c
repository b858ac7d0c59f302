/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The disk of the benchmark's guest: a file in memory, so that it is the way to it that is measured.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "frontend/bench.h"
#include "hw/pc.h"
#include "hw/storage/virtio_blk.h"

#define DISK_ID "disk"

int bench_disk_open(void)
{
	int fd = memfd_create("bench", MFD_CLOEXEC), err;
	uint64_t *data;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, BENCH_DISK) < 0)
		goto fail;
	data = mmap(NULL, BENCH_DISK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED)
		goto fail;
	bench_disk_prepare(data);
	munmap(data, BENCH_DISK);
	return fd;
fail:
	err = errno;
	close(fd);
	return -err;
}

static void *find_disk(void *opaque, enum prop_kind kind, const char *id)
{
	return kind == PROP_DRIVE && strcmp(id, DISK_ID) == 0 ? opaque : NULL;
}

int bench_disk_attach(struct pc *pc, int fd, char *err, size_t len)
{
	struct device_spec spec;
	struct block *block;
	char path[40];
	const struct block_options options = {
	    .name = DISK_ID, .file = path, .format = "raw", .no_lock = true};
	const struct block_env env = {.loop = pc->m.loop};
	int r;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	device_spec_init(&spec, &virtio_blk_type);
	if (device_spec_set(&spec, "drive", DISK_ID, err, len) < 0 ||
	    device_spec_done(&spec, err, len) < 0)
		return -1;
	pthread_mutex_lock(&pc->m.lock);
	r = block_open(&block, &options, &env, err, len);
	pthread_mutex_unlock(&pc->m.lock);
	/* It stays until the process ends. */
	return r < 0 || pc_add_device(pc, &spec, find_disk, block, err, len) < 0 ? -1 : 0;
}

/* ---- natively ---- */

static uint64_t read_some(int fd, uint64_t *to, uint32_t at, uint32_t len)
{
	if (pread(fd, to, len, at) != (ssize_t)len)
		return 1ull << 56;
	return to[0] + to[len / 8 - 1];
}

static uint64_t write_some(int fd, const uint64_t *arena, uint32_t at, uint32_t len)
{
	if (pwrite(fd, (const uint8_t *)arena + at, len, at) != (ssize_t)len)
		return 1ull << 56;
	return at;
}

static uint64_t run_round(unsigned id, int fd, uint64_t *arena)
{
	const uint32_t size = id == BENCH_DISK_BULK ? BENCH_LARGE : BENCH_SMALL;
	const uint32_t nr = id == BENCH_DISK_BULK ? BENCH_NR_LARGE : BENCH_NR_SMALL;
	uint64_t sum = 0;

	for (uint32_t n = 0; n < nr; n++) {
		uint32_t at = bench_disk_at(n, size);

		sum += id == BENCH_DISK_WRITE ? write_some(fd, arena, at, size)
					      : read_some(fd, arena, at, size);
	}
	return sum;
}

struct bench_result bench_disk_run(unsigned id, int fd, uint64_t *arena, uint32_t rounds)
{
	struct bench_result r = {run_round(id, fd, arena), true};

	while (--rounds)
		r.steady &= run_round(id, fd, arena) == r.sum;
	return r;
}
