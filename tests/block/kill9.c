/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A process that writes to a qcow2 image, with flushes, is killed at random moments. The image must pass
 * the check, and hold in each block what the last finished flush covered, or something submitted later.
 * Usage: kill9 [rounds [seed]].
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hw/block/block.h"
#include "hw/block/image.h"
#include "hw/block/qcow2.h"
#include "hw/block/qcow2_create.h"

#define BLOCK_BYTES 4096u
#define BLOCKS      16384u /* 64 MiB */
#define DEPTH       8u
#define PATIENCE_S  300 /* for one step; a host may stop us for long */

/* Versions of each block: what it holds says which. */
static struct shared {
	uint32_t submitted[BLOCKS], completed[BLOCKS], flushed[BLOCKS];
	uint64_t writes, flushes;
} * shared;

static uint64_t state;
static struct block *disk;

static uint64_t next(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1d >> 16;
}

static _Noreturn void fail(const char *why)
{
	fprintf(stderr, "kill9: %s\n", why);
	exit(1);
}

static const char *waiting_for;

static void too_long(int sig)
{
	(void)sig;
	dprintf(2, "kill9: after %u s, still waiting for %s\n", PATIENCE_S, waiting_for);
	_exit(1);
}

/* From now on for at most PATIENCE_S. */
static void wait_for(const char *what)
{
	waiting_for = what;
	signal(SIGALRM, too_long);
	alarm(PATIENCE_S);
}

struct slot {
	struct block_req req;
	struct iovec iov;
	uint32_t first, n; /* blocks */
	uint32_t *seen;    /* of a flush: what was completed when it started */
	uint8_t *data;
};

static struct slot slots[DEPTH];
static bool busy[BLOCKS];

static void start(struct slot *s);

static void on_write(struct block_req *req, int ret)
{
	struct slot *s = req->opaque;

	if (ret < 0)
		fail(strerror(-ret));
	for (uint32_t i = 0; i < s->n; i++) {
		shared->completed[s->first + i] = shared->submitted[s->first + i];
		busy[s->first + i] = false;
	}
	shared->writes++;
	start(s);
}

static void on_flush(struct block_req *req, int ret)
{
	struct slot *s = req->opaque;

	if (ret < 0)
		fail(strerror(-ret));
	for (uint32_t i = 0; i < BLOCKS; i++)
		if (s->seen[i] > shared->flushed[i])
			shared->flushed[i] = s->seen[i];
	shared->flushes++;
	start(s);
}

static void start(struct slot *s)
{
	if (next() % 20 == 0) {
		memcpy(s->seen, shared->completed, sizeof(shared->completed));
		s->req = (struct block_req){.op = BLOCK_FLUSH, .done = on_flush, .opaque = s};
		block_submit(disk, &s->req);
		return;
	}
	do {
		s->first = (uint32_t)(next() % (next() % 2 ? 512 : BLOCKS));
		s->n = 1 + (uint32_t)(next() % (next() % 4 ? 4 : 40));
		if (s->n > BLOCKS - s->first)
			s->n = BLOCKS - s->first;
		for (uint32_t i = 0; i < s->n; i++)
			if (busy[s->first + i])
				s->n = i;
	} while (!s->n);
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t *w = (uint32_t *)(s->data + i * BLOCK_BYTES);
		uint32_t version = ++shared->submitted[s->first + i];

		busy[s->first + i] = true;
		for (uint32_t k = 0; k < BLOCK_BYTES / 4; k++)
			w[k] = version;
	}
	s->iov = (struct iovec){s->data, s->n * (size_t)BLOCK_BYTES};
	s->req = (struct block_req){.op = BLOCK_WRITE,
				    .offset = s->first * (uint64_t)BLOCK_BYTES,
				    .len = s->iov.iov_len,
				    .iov = &s->iov,
				    .nr_iov = 1,
				    .done = on_write,
				    .opaque = s};
	block_submit(disk, &s->req);
}

/* Until it is killed. */
static _Noreturn void writer(const char *path, const struct block_options *how)
{
	struct block_options o = *how;
	struct block_env env = {0};
	char err[512];

	o.name = "disk";
	o.file = path;
	o.format = "qcow2";
	if (block_open(&disk, &o, &env, err, sizeof(err)) < 0)
		fail(err);
	for (unsigned i = 0; i < DEPTH; i++) {
		slots[i].seen = malloc(sizeof(shared->completed));
		if (!slots[i].seen || posix_memalign((void **)&slots[i].data, 4096, 64 * 4096))
			fail("out of memory");
		start(&slots[i]);
	}
	for (;;)
		block_quiesce(disk);
}

static void check(const char *path)
{
	static uint32_t buf[BLOCKS][BLOCK_BYTES / 4];
	struct qcow2_check c = {0};
	struct image *img;
	char err[512];

	/* As it is, without what a writer would mend first. */
	if (image_open(&img, path, "qcow2", IMAGE_CHECK, err, sizeof(err)) < 0)
		fail(err);
	if (!(qcow2_of(img)->incompat & FEAT_DIRTY) &&
	    (qcow2_check(img, 0, &c) < 0 || c.corruptions))
		fail("the image is corrupt");
	image_close(img);
	if (image_open(&img, path, "qcow2", IMAGE_WRITE, err, sizeof(err)) < 0)
		fail(err);
	if (image_read(img, 0, buf, sizeof(buf)) < 0)
		fail("the image cannot be read");
	for (uint32_t i = 0; i < BLOCKS; i++)
		for (uint32_t k = 0; k < BLOCK_BYTES / 4; k += 128)
			if (buf[i][k] < shared->flushed[i] || buf[i][k] > shared->submitted[i]) {
				fprintf(stderr, "block %u is %u; flushed %u, submitted %u\n", i,
					buf[i][k], shared->flushed[i], shared->submitted[i]);
				fail("flushed data is lost");
			}
	/* What is there now is what counts in the next round, safe by the close; a block that was being
	 * written may be a mix. */
	for (uint32_t i = 0; i < BLOCKS; i++) {
		shared->flushed[i] = UINT32_MAX;
		for (uint32_t k = 0; k < BLOCK_BYTES / 4; k++)
			if (buf[i][k] < shared->flushed[i])
				shared->flushed[i] = buf[i][k];
		shared->completed[i] = shared->flushed[i];
	}
	if (image_close(img) < 0)
		fail("the image cannot be written");
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 20;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	char path[] = "/tmp/doppel-kill9-XXXXXX", err[512];
	struct bfile *f;

	close(mkstemp(path));
	shared =
	    mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		fail("out of memory");
	for (unsigned long round = 0; round < rounds; round++) {
		struct block_options how = {.direct = round % 4 == 1,
					    .aio = round % 3 ? AIO_AUTO : AIO_THREADS};
		pid_t pid;
		int status;

		state = (seed + round) * 0x9e3779b97f4a7c15ull + 1;
		if (round % 10 == 0) {
			struct qcow2_options o = qcow2_defaults(BLOCKS * (uint64_t)BLOCK_BYTES);

			o.lazy_refcounts = round % 20 == 10;
			o.cluster_size = round % 30 == 20 ? 4096 : 65536;
			memset(shared, 0, sizeof(*shared) - 16);
			if (truncate(path, 0) < 0 || bfile_open(&f, path, BFILE_WRITE) < 0 ||
			    qcow2_create(f, &o, err, sizeof(err)) < 0)
				fail("cannot make the image");
			bfile_close(f);
		}
		pid = fork();
		if (pid == 0)
			writer(path, &how);
		usleep((useconds_t)(20000 + next() % 150000));
		wait_for("the writer to die");
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		if (!WIFSIGNALED(status))
			fail("the writer ended by itself");
		wait_for("the check of the image");
		check(path);
		alarm(0);
	}
	unlink(path);
	printf("kill9: %llu writes, %llu flushes: %lu passed, 0 failed\n",
	       (unsigned long long)shared->writes, (unsigned long long)shared->flushes, rounds);
	return 0;
}
