/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A guest (tests/block/writer) writes to a disk, with flushes, and its emulator is killed at random moments.
 * The image must pass the checks, ours and qemu-img's, and hold in each sector what the last flush that the guest
 * has told of covered, or something written later.
 * Usage: kill_guest DOPPEL GUEST [rounds [seed [jobs]]].
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hw/block/block.h"
#include "hw/block/image.h"
#include "hw/block/qcow2.h"
#include "hw/block/qcow2_create.h"
#include "tests/block/writer/writer.h"

#define SECTORS_IN         (WRITER_BLOCK / 512)
#define SIZE               (WRITER_BLOCKS * (uint64_t)WRITER_BLOCK)
#define PATIENCE_S         300 /* for one step; a host may stop us for long */
#define ROUNDS_OF_AN_IMAGE 10

/* The first word of each sector as the guest starts. */
static uint32_t before[WRITER_BLOCKS][SECTORS_IN];
static uint32_t after[WRITER_BLOCKS][WRITER_BLOCK / 4];

static struct shared {
	_Atomic unsigned long rounds, writes, flushes, checked_by_qemu;
} * shared;

static uint64_t state;
static char path[64];

static uint64_t next(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1d >> 16;
}

static _Noreturn void fail(const char *why)
{
	fprintf(stderr, "kill_guest: %s (%s)\n", why, path);
	exit(1);
}

static const char *waiting_for;

static void too_long(int sig)
{
	(void)sig;
	dprintf(2, "kill_guest: after %u s, still waiting for %s (%s)\n", PATIENCE_S, waiting_for,
		path);
	_exit(1);
}

/* From now on for at most PATIENCE_S. */
static void wait_for(const char *what)
{
	waiting_for = what;
	signal(SIGALRM, too_long);
	alarm(PATIENCE_S);
}

/* How the disk is connected, and the image is kept. */
struct setup {
	const char *device, *format, *options;
};

static void make_image(const struct setup *s)
{
	struct qcow2_options o = qcow2_defaults(SIZE);
	struct bfile *f;
	char err[256];
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	memset(before, 0, sizeof(before));
	if (fd < 0 || (s->format[0] == 'r' && ftruncate(fd, SIZE) < 0))
		fail("cannot make the image");
	close(fd);
	if (s->format[0] == 'r')
		return;
	o.lazy_refcounts = next() % 3 == 0;
	o.cluster_size = next() % 2 ? 65536 : 4096;
	if (bfile_open(&f, path, BFILE_WRITE) < 0 || qcow2_create(f, &o, err, sizeof(err)) < 0)
		fail("cannot make the image");
	bfile_close(f);
}

/* ---- the guest ---- */

struct console {
	int fd;
	char line[64];
	unsigned len;
	bool ready;
	uint32_t flushed; /* the last version, 0: none */
};

static void take_line(struct console *c)
{
	if (strcmp(c->line, "ready") == 0)
		c->ready = true;
	else if (c->line[0] == 'F')
		c->flushed = (uint32_t)strtoul(c->line + 1, NULL, 10), shared->flushes++;
	else if (c->line[0])
		fail(c->line);
}

/* Takes what comes within ms, of which less than 0 is none; false: nothing more will come. */
static bool take(struct console *c, int ms)
{
	struct pollfd p = {.fd = c->fd, .events = POLLIN};
	char buf[512];
	ssize_t n;

	if (poll(&p, 1, ms > 0 ? ms : 0) <= 0)
		return true;
	n = read(c->fd, buf, sizeof(buf));
	for (ssize_t i = 0; i < n; i++) {
		if (buf[i] == '\r')
			continue;
		if (buf[i] == '\n') {
			c->line[c->len] = 0;
			take_line(c);
			c->len = 0;
		} else if (c->len < sizeof(c->line) - 1) {
			c->line[c->len++] = buf[i];
		}
	}
	return n > 0;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static pid_t start(const char *doppel, const char *guest, const struct setup *s, uint32_t version,
		   int *out)
{
	char drive[256], first[16];
	int pipes[2];
	pid_t pid;

	snprintf(first, sizeof(first), "%u", version);
	snprintf(drive, sizeof(drive), "file=%s,format=%s,if=none,id=d%s", path, s->format,
		 s->options);
	if (pipe(pipes) < 0 || (pid = fork()) < 0)
		fail("cannot start a process");
	if (pid == 0) {
		char *argv[] = {(char *)doppel, "-accel",  "jit",   "-m",       "32M",  "-display",
				"none",         "-serial", "stdio", "-monitor", "none", "-kernel",
				(char *)guest,  "-append", first,   "-drive",   drive,  NULL,
				NULL,           NULL,      NULL,    NULL};
		unsigned n = 17;

		if (strcmp(s->device, "ahci") == 0) {
			argv[n++] = "-device";
			argv[n++] = "ahci,id=a";
			argv[n++] = "-device";
			argv[n] = "ide-hd,drive=d,bus=a.0";
		} else {
			argv[n++] = "-device";
			argv[n] = (char *)s->device;
		}
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(pipes[1], 1);
		dup2(open("/dev/null", O_RDONLY), 0);
		close(pipes[0]);
		close(pipes[1]);
		execv(doppel, argv);
		_exit(127);
	}
	close(pipes[1]);
	*out = pipes[0];
	return pid;
}

/* Returns the last version that is known to be safe; 0: none. */
static uint32_t run_and_kill(const char *doppel, const char *guest, const struct setup *s,
			     uint32_t version)
{
	struct console c = {0};
	pid_t pid = start(doppel, guest, s, version, &c.fd);
	double kill_at;
	int status;

	wait_for("the guest to start");
	while (!c.ready)
		if (!take(&c, 100))
			fail("the guest does not start");
	wait_for("the time to kill the emulator");
	kill_at = now() + (double)(next() % 250000) / 1e6;
	while (now() < kill_at)
		if (!take(&c, (int)((kill_at - now()) * 1e3)))
			fail("the emulator ended by itself");
	wait_for("the emulator to die");
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	wait_for("the end of the killed emulator's output");
	while (take(&c, 1000))
		;
	close(c.fd);
	if (!WIFSIGNALED(status))
		fail("the emulator ended by itself");
	return c.flushed;
}

/* ---- the check ---- */

static void check_by_qemu(const struct setup *s)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, 1);
		dup2(null, 2);
		execlp("qemu-img", "qemu-img", "check", "-f", s->format, path, NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	/* 3: clusters that nobody uses, which a crash may leave. */
	if (!WIFEXITED(status) ||
	    (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 3 && WEXITSTATUS(status) != 127))
		fail("qemu-img finds the image corrupt");
	shared->checked_by_qemu += WEXITSTATUS(status) != 127;
}

/* By us, as it is, without what a writer would mend first. */
static void check_tables(const struct setup *s)
{
	struct qcow2_check c = {0};
	struct image *img;
	char err[512];

	if (s->format[0] == 'r')
		return;
	if (image_open(&img, path, "qcow2", IMAGE_CHECK, err, sizeof(err)) < 0)
		fail(err);
	if (!(qcow2_of(img)->incompat & FEAT_DIRTY)) {
		if (qcow2_check(img, 0, &c) < 0 || c.corruptions)
			fail("the image is corrupt");
		check_by_qemu(s);
	}
	image_close(img);
}

/* The last write to block b from version `first` to `last`; 0: none. */
static void last_writes(uint32_t first, uint32_t last, uint32_t *of)
{
	for (uint32_t v = first; v <= last; v++)
		for (uint32_t k = 0; k < writer_blocks(v); k++)
			of[writer_slot(v) * WRITER_SLOT_BLOCKS + k] = v;
}

static void check_data(const struct setup *s, uint32_t first, uint32_t flushed)
{
	static uint32_t safe[WRITER_BLOCKS];
	struct image *img;
	char err[512];

	memset(safe, 0, sizeof(safe));
	if (flushed)
		last_writes(first, flushed, safe);
	if (image_open(&img, path, s->format, IMAGE_WRITE, err, sizeof(err)) < 0)
		fail(err);
	if (image_read(img, 0, after, sizeof(after)) < 0)
		fail("the image cannot be read");
	for (uint32_t b = 0; b < WRITER_BLOCKS; b++)
		for (uint32_t k = 0; k < WRITER_BLOCK / 4; k++) {
			uint32_t got = after[b][k], old = before[b][k / 128];
			/* From this start of the guest, of this block, and not older than what is safe. */
			bool ours = got >= first && got - first < WRITER_VERSIONS &&
				    writer_slot(got) == b / WRITER_SLOT_BLOCKS &&
				    b % WRITER_SLOT_BLOCKS < writer_blocks(got) && got >= safe[b];

			if (ours ? got == after[b][k & ~127u] : got == old && !safe[b])
				continue;
			fprintf(
			    stderr,
			    "kill_guest: block %u word %u is %u; before %u, safe %u, this guest "
			    "from %u to %u\n",
			    b, k, got, old, safe[b], first, flushed);
			fail("flushed data is lost");
		}
	for (uint32_t b = 0; b < WRITER_BLOCKS; b++)
		for (uint32_t k = 0; k < SECTORS_IN; k++)
			before[b][k] = after[b][k * 128];
	if (image_close(img) < 0)
		fail("the image cannot be written");
}

static void work(const char *doppel, const char *guest, unsigned long rounds, unsigned job)
{
	static const struct setup setups[] = {
	    {"virtio-blk-pci,drive=d", "qcow2", ""},
	    {"nvme,drive=d,serial=1", "qcow2", ",cache=none"},
	    {"ahci", "qcow2", ",aio=threads"},
	    {"virtio-blk-pci,drive=d", "qcow2", ",cache=none,aio=native"},
	    {"nvme,drive=d,serial=1", "raw", ""},
	    {"ahci", "qcow2", ",cache=writethrough"},
	    {"virtio-blk-pci,drive=d", "raw", ",cache=none"},
	    {"nvme,drive=d,serial=1", "qcow2", ",aio=threads"},
	};
	const struct setup *s = NULL;

	for (unsigned long n = 0; n < rounds; n++) {
		uint32_t first = (uint32_t)(n % ROUNDS_OF_AN_IMAGE + 1) * WRITER_VERSIONS, flushed;

		if (n % ROUNDS_OF_AN_IMAGE == 0) {
			s = &setups[(n / ROUNDS_OF_AN_IMAGE + job) % 8];
			make_image(s);
		}
		flushed = run_and_kill(doppel, guest, s, first);
		wait_for("the check of the image's tables, qemu-img's too");
		check_tables(s);
		wait_for("the check of the image's data");
		check_data(s, first, flushed);
		alarm(0);
		shared->rounds++;
		shared->writes += flushed ? flushed - first + 1 : 0;
	}
	unlink(path);
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 3 ? strtoul(argv[3], NULL, 0) : 20;
	uint64_t seed = argc > 4 ? strtoull(argv[4], NULL, 0) : 1;
	unsigned jobs = argc > 5 ? (unsigned)atoi(argv[5]) : 1, failed = 0;

	if (argc < 3 || !jobs)
		return 2;
	shared =
	    mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		fail("out of memory");
	for (unsigned j = 0; j < jobs; j++)
		if (fork() == 0) {
			state = (seed + j) * 0x9e3779b97f4a7c15ull + 1;
			snprintf(path, sizeof(path), "/tmp/doppel-kill-guest-%d", (int)getpid());
			work(argv[1], argv[2], rounds / jobs + (j < rounds % jobs), j);
			exit(0);
		}
	for (unsigned j = 0; j < jobs; j++) {
		int status;

		wait(&status);
		failed += status != 0;
	}
	printf("kill_guest: %lu flushed writes, %lu flushes, %lu images checked by qemu-img: %lu "
	       "passed, %u failed\n",
	       shared->writes, shared->flushes, shared->checked_by_qemu, shared->rounds, failed);
	return failed != 0;
}
