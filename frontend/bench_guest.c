/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Times a guest of the user's: doppel itself runs it, in a child process whose standard output is the guest's console, read
 * here for the marker.
 */
#include "frontend/bench_guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hw/clock.h"

#define SELDOM_NS      50000000 /* between samples: no burden */
#define OFTEN_NS       4000000
#define ENOUGH_SAMPLES 200
#define GRACE_MS       10000 /* for a guest to stop after it has been told to */

/* The end of what came through a pipe. */
struct tail {
	char text[8192];
	size_t len;
};

/* ---- in the child ---- */

static void become_guest(const struct guest_options *o, const struct guest_result *r, int out,
			 int err)
{
	struct guest_watcher watcher = {.watch = r->watch};
	const struct run_hooks hooks = {watch_starts, watch_ended, &watcher};
	char **argv = calloc((size_t)o->argc + 3, sizeof(*argv));
	int in = open("/dev/null", O_RDONLY), argc = o->argc;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!argv || in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(1);
	memcpy(argv, o->argv, (size_t)argc * sizeof(*argv));
	argv[argc++] = "-accel";
	argv[argc++] = (char *)r->engine;
	_exit(o->run(argc, argv, &hooks));
}

/* ---- in the parent ---- */

/* False at the end of the stream. */
static bool read_tail(struct tail *t, int fd)
{
	const size_t half = sizeof(t->text) / 2;
	ssize_t n;

	if (t->len > half) {
		memmove(t->text, t->text + t->len - half, half);
		t->len = half;
	}
	n = read(fd, t->text + t->len, sizeof(t->text) - 1 - t->len);
	if (n <= 0)
		return n < 0 && errno == EINTR;
	t->len += (size_t)n;
	t->text[t->len] = 0;
	return true;
}

/* The last line with something to read, without what is not printable. */
static void last_line(const struct tail *t, char *line, size_t size)
{
	size_t end = t->len, at, n = 0;

	while (end && (unsigned char)t->text[end - 1] <= ' ')
		end--;
	at = end;
	while (at && t->text[at - 1] != '\n')
		at--;
	for (; at < end && n + 1 < size; at++)
		if (t->text[at] >= ' ' && t->text[at] <= '~')
			line[n++] = t->text[at];
	line[n] = 0;
}

enum outcome { OUTCOME_MARKER, OUTCOME_END, OUTCOME_TIMEOUT };

/* Follows console and messages until the marker, the end of the guest, or the end of patience. */
static enum outcome follow(const struct guest_options *o, const int fd[2], struct tail tail[2],
			   uint64_t *when)
{
	const uint64_t end = clock_host_ns() + o->timeout_s * 1000000000ull;
	struct pollfd p[2] = {{fd[0], POLLIN, 0}, {fd[1], POLLIN, 0}};

	while (p[0].fd >= 0) {
		uint64_t now = clock_host_ns();
		int r = now < end ? poll(p, 2, (int)((end - now) / 1000000) + 1) : 0;

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return OUTCOME_TIMEOUT;
		*when = clock_host_ns();
		for (int n = 0; n < 2; n++)
			if (p[n].revents && !read_tail(&tail[n], p[n].fd))
				p[n].fd = -1;
		if (o->marker && memmem(tail[0].text, tail[0].len, o->marker, strlen(o->marker)))
			return OUTCOME_MARKER;
	}
	*when = clock_host_ns();
	return OUTCOME_END;
}

/* Lets the guest come to its end, by itself or told to; its wait status. */
static int finish(pid_t pid, const int fd[2], struct tail tail[2], bool tell)
{
	const uint64_t end = clock_host_ns() + GRACE_MS * 1000000ull;
	bool open[2] = {true, true};
	int status;

	if (tell)
		kill(pid, SIGTERM);
	while (open[0] || open[1]) {
		struct pollfd p[2] = {{open[0] ? fd[0] : -1, POLLIN, 0},
				      {open[1] ? fd[1] : -1, POLLIN, 0}};
		uint64_t now = clock_host_ns();

		if (now >= end || poll(p, 2, (int)((end - now) / 1000000) + 1) == 0) {
			kill(pid, SIGKILL);
			break;
		}
		for (int n = 0; n < 2; n++)
			if (p[n].revents)
				open[n] = read_tail(&tail[n], fd[n]);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static void explain(const struct guest_options *o, enum outcome outcome, int status,
		    const struct tail tail[2], struct guest_result *r)
{
	char line[160];

	last_line(&tail[1], line, sizeof(line));
	if (outcome == OUTCOME_END && *line && (!r->watch->started_ns || status != 0)) {
		/* In its own words, which begin with its name. */
		snprintf(r->why, sizeof(r->why), "%s",
			 strncmp(line, "doppel: ", 8) == 0 ? line + 8 : line);
		return;
	}
	last_line(&tail[0], line, sizeof(line));
	if (outcome == OUTCOME_TIMEOUT && !o->marker)
		snprintf(
		    r->why, sizeof(r->why),
		    "the guest has not ended within %u seconds; wait for longer (--timeout) or "
		    "for a text on its console (--marker); its last line: %s",
		    o->timeout_s, line);
	else if (outcome == OUTCOME_TIMEOUT)
		snprintf(
		    r->why, sizeof(r->why),
		    "no '%.80s' on the console within %u seconds (--timeout); its last line: %s",
		    o->marker, o->timeout_s, line);
	else if (WIFSIGNALED(status))
		snprintf(r->why, sizeof(r->why), "doppel died: %s", strsignal(WTERMSIG(status)));
	else
		snprintf(r->why, sizeof(r->why),
			 "the guest ended without '%.80s' on its console; its last line: %s",
			 o->marker, line);
}

static int start(const struct guest_options *o, const struct guest_result *r, int fd[2], pid_t *pid)
{
	int out[2], err[2];

	if (pipe2(out, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(err, O_CLOEXEC) < 0) {
		close(out[0]);
		close(out[1]);
		return -EMFILE;
	}
	fflush(NULL);
	*pid = fork();
	if (*pid == 0)
		become_guest(o, r, out[1], err[1]);
	close(out[1]);
	close(err[1]);
	fd[0] = out[0];
	fd[1] = err[0];
	return *pid < 0 ? -errno : 0;
}

/* One run, with a sample each `sample_ns`. */
static void run_once(const struct guest_options *o, uint32_t sample_ns, struct guest_result *r)
{
	struct tail tail[2] = {0};
	enum outcome outcome;
	uint64_t when = 0;
	int fd[2] = {-1, -1}, status;
	pid_t pid = -1;

	r->watch->sample_ns = sample_ns;
	if (start(o, r, fd, &pid) < 0) {
		snprintf(r->why, sizeof(r->why), "cannot start it: %s", strerror(errno));
		close(fd[0]);
		close(fd[1]);
		return;
	}
	outcome = follow(o, fd, tail, &when);
	status = finish(pid, fd, tail, outcome != OUTCOME_END);
	close(fd[0]);
	close(fd[1]);
	if (r->watch->started_ns && (outcome == OUTCOME_MARKER ||
				     (outcome == OUTCOME_END && !o->marker && r->watch->ended)))
		r->seconds = (double)(when - r->watch->started_ns) / 1e9;
	else
		explain(o, outcome, status, tail, r);
}

/* The same with memory for it; false when there is none. */
static bool run_new(const struct guest_options *o, uint32_t sample_ns, struct guest_result *r)
{
	r->watch = mmap(NULL, sizeof(*r->watch), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	if (r->watch == MAP_FAILED) {
		r->watch = NULL;
		return false;
	}
	run_once(o, sample_ns, r);
	return true;
}

/* Puts the better result into *a, and frees the other. */
static void keep_better(struct guest_result *a, struct guest_result *b)
{
	struct guest_result t = *a;

	if (!a->watch || *b->why || b->seconds < a->seconds) {
		*a = *b;
		*b = t;
	}
	if (b->watch)
		munmap(b->watch, sizeof(*b->watch));
}

void guest_run(const struct guest_options *o, struct guest_result *r)
{
	const struct guest_result none = *r;
	struct guest_result x;

	for (unsigned n = 0; n < o->repeat && !*r->why; n++) {
		x = none;
		if (!run_new(o, SELDOM_NS, &x)) {
			snprintf(r->why, sizeof(r->why), "out of memory");
			return;
		}
		keep_better(r, &x);
	}
	/* A short run has few samples, and more of them would make it longer: they are of another run. */
	x = none;
	if (*r->why || r->watch->taken >= ENOUGH_SAMPLES || !run_new(o, OFTEN_NS, &x))
		return;
	memcpy(r->watch->sample, x.watch->sample, sizeof(x.watch->sample));
	r->watch->nr_samples = x.watch->nr_samples;
	r->watch->taken = x.watch->taken;
	r->watch->idle = x.watch->idle;
	r->watch->lstar = x.watch->lstar;
	munmap(x.watch, sizeof(*x.watch));
}
