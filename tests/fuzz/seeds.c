/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Files out of a compressed tar archive (POSIX.1-1988 ustar), and timers.
 */
#include "tests/fuzz/seeds.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
#include <zlib.h>

#define CPU_S   20
#define CLOCK_S 300

#define TAR_BLOCK   512
#define TAR_SIZE_AT 124
#define TAR_MAGIC   257

/* ---- the limit ---- */

static void too_long(int sig)
{
	static const char cpu[] = "fuzz: an input has used 20 s of CPU time\n",
			  stuck[] = "fuzz: an input has not ended after 300 s\n";
	const char *s = sig == SIGPROF ? cpu : stuck;

	if (write(2, s, sizeof(cpu) - 1) < 0)
		_exit(2);
	abort();
}

static void limit(int cpu_s, unsigned clock_s)
{
	struct itimerval cpu = {.it_value.tv_sec = cpu_s};

	setitimer(ITIMER_PROF, &cpu, NULL);
	alarm(clock_s);
}

void patience(void)
{
	signal(SIGPROF, too_long);
	signal(SIGALRM, too_long);
	limit(CPU_S, CLOCK_S);
}

void patience_end(void)
{
	limit(0, 0);
}

/* ---- archives ---- */

/* One file, which starts at the next byte; 0, or -EINVAL. */
static int play_one(gzFile f, size_t len, void (*play)(const uint8_t *data, size_t len))
{
	uint8_t pad[TAR_BLOCK], *data = malloc(len ? len : 1);
	unsigned rest = (TAR_BLOCK - len % TAR_BLOCK) % TAR_BLOCK;
	int r = -EINVAL;

	if (data && gzread(f, data, (unsigned)len) == (int)len &&
	    gzread(f, pad, rest) == (int)rest) {
		patience();
		play(data, len);
		patience_end();
		r = 0;
	}
	free(data);
	return r;
}

int seeds_play(const char *path, void (*play)(const uint8_t *data, size_t len))
{
	gzFile f = gzopen(path, "rb");
	char head[TAR_BLOCK];
	int n = 0, r = 0, got;

	if (!f)
		return errno == ENOENT ? 0 : -EINVAL;
	while ((got = gzread(f, head, sizeof(head))) == sizeof(head) && head[0] && r == 0) {
		unsigned long len = strtoul(head + TAR_SIZE_AT, NULL, 8);

		if (memcmp(head + TAR_MAGIC, "ustar", 5) || len > SEED_MAX)
			r = -EINVAL;
		else
			r = play_one(f, len, play);
		n++;
	}
	/* A block of zeroes is the end. */
	if (got != sizeof(head))
		r = -EINVAL;
	gzclose(f);
	return r < 0 ? r : n;
}
