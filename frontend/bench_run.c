/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Runs the workloads, natively or in a guest under an engine, in a child process that writes each cell to a pipe
 * as soon as it has it. A child that hangs or dies costs the cell it was at; another goes on behind it.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "accel/engine.h"
#include "frontend/bench.h"
#include "hw/clock.h"
#include "hw/pc.h"
#include "roms/roms.h"

#define GUEST_RAM    (80ull << 20)
#define PATIENCE_MS  20000 /* for a cell, beside what it is meant to take */
#define PASSES       3 /* through all columns, so that a while of noise does not spoil one of them */
#define PASS_MS      10 /* a pass of a cell at least */
#define MAX_FAILURES 3  /* of children of a column */

struct message {
	enum { MESSAGE_READY, MESSAGE_CELL, MESSAGE_DONE, MESSAGE_ERROR } kind;
	unsigned id;
	struct bench_cell cell; /* its why: of the error */
};

struct child {
	struct meter meter;
	struct machine *machine;
	int out;
	int disk; /* fd; or negative */
	bool ready;
	uint32_t rounds, tsc_khz, low, high;
};

/* ---- in the child ---- */

static_assert(sizeof(struct message) <= PIPE_BUF, "written whole or not at all");

static void tell(struct child *c, const struct message *m)
{
	if (write(c->out, m, sizeof(*m)) != sizeof(*m))
		_exit(1);
}

static void tell_cell(void *opaque, unsigned id, const struct bench_cell *cell)
{
	tell(opaque, &(struct message){MESSAGE_CELL, id, *cell});
}

static void tell_kind(struct child *c, int kind)
{
	tell(c, &(struct message){.kind = (unsigned)kind});
}

static void tell_error(struct child *c, const char *why)
{
	struct message m = {.kind = MESSAGE_ERROR};

	snprintf(m.cell.why, sizeof(m.cell.why), "%s", why);
	tell(c, &m);
}

static void *map_arena(int prot)
{
	void *arena = mmap(NULL, BENCH_ARENA, PROT_READ | PROT_WRITE | prot,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return arena == MAP_FAILED ? NULL : arena;
}

static bool runs_here(const struct child *c, unsigned id, bool executable)
{
	return !(id == BENCH_AVX2 && !bench_has_avx2()) && !(id == BENCH_SMC && !executable) &&
	       !(bench_workloads[id].group == GROUP_DISK && c->disk < 0);
}

static void run_native(struct child *c)
{
	/* Some hosts do not let memory be both. */
	uint64_t *executable = map_arena(PROT_EXEC),
		 *arena = executable ? executable : map_arena(0);
	uint32_t id, rounds, last = BENCH_DONE;

	if (!arena) {
		tell_error(c, strerror(errno));
		return;
	}
	madvise(arena, BENCH_ARENA, MADV_NOHUGEPAGE);
	memset(arena, 0, BENCH_ARENA);
	tell_kind(c, MESSAGE_READY);
	while (meter_next(&c->meter, &id, &rounds)) {
		const struct bench_job *job = &bench_jobs[id];
		struct bench_result r;

		if (!runs_here(c, id, executable)) {
			meter_unsupported(&c->meter);
			continue;
		}
		if (id != last && job->prepare)
			job->prepare(arena);
		last = id;
		meter_begin(&c->meter, clock_host_ns());
		r = job->round ? bench_run(job, arena, rounds)
			       : bench_disk_run(id, c->disk, arena, rounds);
		meter_end(&c->meter, clock_host_ns(), &r);
	}
	tell_kind(c, MESSAGE_DONE);
}

static uint64_t port_read(void *dev, uint64_t off, unsigned size)
{
	struct child *c = dev;
	uint32_t id;

	(void)size;
	if (off == BENCH_ROUNDS - BENCH_BASE)
		return c->rounds;
	if (off == BENCH_TSC_KHZ - BENCH_BASE)
		return c->tsc_khz;
	if (!c->ready)
		tell_kind(c, MESSAGE_READY);
	c->ready = true;
	if (meter_next(&c->meter, &id, &c->rounds))
		return id;
	machine_request_quit(c->machine);
	return BENCH_DONE;
}

static void on_fault(struct child *c)
{
	char why[128];

	snprintf(why, sizeof(why), "unexpected exception %u at 0x%x in the guest", c->low, c->high);
	if (c->ready)
		meter_failed(&c->meter, why);
	else
		tell_error(c, why);
	machine_request_exit(c->machine, 1);
}

static void port_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	uint64_t now = clock_host_ns();
	struct child *c = dev;
	struct bench_result r = {(uint64_t)c->high << 32 | c->low, val == BENCH_END};

	(void)size;
	/* After the last workload there is nothing to say. */
	if (c->meter.id >= BENCH_WORKLOADS)
		return;
	if (off == BENCH_LOW - BENCH_BASE)
		c->low = (uint32_t)val;
	else if (off == BENCH_HIGH - BENCH_BASE)
		c->high = (uint32_t)val;
	else if (val == BENCH_BEGIN)
		meter_begin(&c->meter, now);
	else if (val == BENCH_END || val == BENCH_UNSTEADY)
		meter_end(&c->meter, now, &r);
	else if (val == BENCH_UNSUPPORTED)
		meter_unsupported(&c->meter);
	else
		on_fault(c);
}

static const struct mmio_ops port_ops = {port_read, port_write, 4, 4};

static void run_guest(struct child *c, const struct engine *engine)
{
	const struct blob kernel = {"benchmark", roms_bench_start,
				    (size_t)(roms_bench_end - roms_bench_start)};
	struct pc_config cfg = {
	    .ram_size = GUEST_RAM, .cpus = 2, .engine = engine, .no_reboot = true};
	char err[128];
	struct pc *pc;
	int r;

	if (cpu_model_parse(&cfg.model, "max", err, sizeof(err)) < 0 ||
	    (engine->fit && engine->fit(&cfg.model) < 0)) {
		tell_error(c, "it has no CPU model");
		return;
	}
	if (pc_new(&pc, &cfg, err, sizeof(err)) < 0 ||
	    (c->disk >= 0 && bench_disk_attach(pc, c->disk, err, sizeof(err)) < 0) ||
	    bench_net_attach(pc, err, sizeof(err)) < 0 ||
	    pc_load(pc, &kernel, NULL, 0, "", err, sizeof(err)) < 0) {
		tell_error(c, err);
		return;
	}
	c->machine = &pc->m;
	c->tsc_khz = pc->model.tsc_khz;
	pthread_mutex_lock(&pc->m.lock);
	r = aspace_map_dev(&pc->m.io, "bench", BENCH_BASE, BENCH_PORTS, &port_ops, c);
	pthread_mutex_unlock(&pc->m.lock);
	if (r < 0) {
		tell_error(c, strerror(-r));
		return;
	}
	machine_run(&pc->m);
	if (pc->m.end == END_QUIT)
		tell_kind(c, MESSAGE_DONE);
	else if (pc->m.end == END_PANIC)
		tell_error(c, "the guest shut down by a triple fault");
}

static void run_child(const struct bench_report *r, const struct bench_column *col,
		      const bool *selected, unsigned first, int out)
{
	struct child *c = calloc(1, sizeof(*c));

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!c)
		_exit(1);
	c->out = out;
	c->disk = bench_disk_open();
	meter_init(&c->meter, selected, first, r->pass_ms * 1000000ull);
	c->meter.done = tell_cell;
	c->meter.opaque = c;
	if (col->engine)
		run_guest(c, col->engine);
	else
		run_native(c);
	_exit(0);
}

/* ---- in the parent ---- */

static void show(const struct bench_column *c, unsigned id)
{
	if (id < BENCH_WORKLOADS)
		fprintf(stderr, "\r%s: %-16s", c->name, bench_workloads[id].name);
	else
		fprintf(stderr, "\r%30s\r", "");
	fflush(stderr);
}

static unsigned next_selected(const bool *selected, unsigned id)
{
	while (id < BENCH_WORKLOADS && !selected[id])
		id++;
	return id;
}

/* Reads what a child tells until its end. True when it came to the end of its list; else why not. */
static bool collect(struct bench_column *c, const bool *selected, int in, int patience_ms,
		    unsigned *at, bool *ready, bool progress, char *why, size_t len)
{
	struct pollfd p = {.fd = in, .events = POLLIN};
	struct message m;

	*why = 0;
	for (;;) {
		int r = poll(&p, 1, patience_ms);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			snprintf(why, len, "no answer for %d seconds", patience_ms / 1000);
			return false;
		}
		if (read(in, &m, sizeof(m)) != sizeof(m))
			return false;
		switch (m.kind) {
		case MESSAGE_READY:
			*ready = true;
			break;
		case MESSAGE_CELL:
			c->cell[m.id] = m.cell;
			*at = next_selected(selected, m.id + 1);
			break;
		case MESSAGE_ERROR:
			snprintf(why, len, "%s", m.cell.why);
			break;
		case MESSAGE_DONE:
			return true;
		}
		if (progress)
			show(c, *at);
	}
}

static void fail_cells(struct bench_column *c, const bool *selected, unsigned first, unsigned end,
		       const char *why)
{
	for (unsigned id = first; id < end; id++) {
		if (!selected[id])
			continue;
		c->cell[id].status = CELL_FAILED;
		snprintf(c->cell[id].why, sizeof(c->cell[id].why), "%s", why);
	}
}

/* One child, from workload *at on, which moves on as cells come. False with the reason when it did not come to the
 * end by itself. */
static bool run_process(struct bench_report *r, struct bench_column *c, const bool *selected,
			unsigned *at, bool *ready, bool progress, char *why, size_t len)
{
	int fd[2], status;
	bool done;
	pid_t pid;

	*ready = false;
	if (pipe(fd) < 0) {
		snprintf(why, len, "%s", strerror(errno));
		return false;
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(fd[0]);
		run_child(r, c, selected, *at, fd[1]);
	}
	close(fd[1]);
	if (pid < 0) {
		snprintf(why, len, "%s", strerror(errno));
		close(fd[0]);
		return false;
	}
	done = collect(c, selected, fd[0], PATIENCE_MS + 10 * (int)r->pass_ms, at, ready, progress,
		       why, len);
	close(fd[0]);
	if (!done && *why)
		kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (!done && !*why && WIFSIGNALED(status))
		snprintf(why, len, "the process died: %s", strsignal(WTERMSIG(status)));
	else if (!done && !*why)
		snprintf(why, len, "the guest ended early");
	return done;
}

/* Measures the selected workloads once. */
static void run_pass(struct bench_report *r, struct bench_column *c, const bool *selected,
		     bool progress)
{
	unsigned at = next_selected(selected, 0), failures = 0;
	char why[128];
	bool ready;

	while (at < BENCH_WORKLOADS) {
		unsigned from = at;

		if (run_process(r, c, selected, &at, &ready, progress, why, sizeof(why)))
			break;
		if (!ready || ++failures == MAX_FAILURES) {
			fail_cells(c, selected, at, BENCH_WORKLOADS, why);
			break;
		}
		/* After some cells, the next gets another try. */
		if (at == from) {
			fail_cells(c, selected, at, at + 1, why);
			at = next_selected(selected, at + 1);
		}
	}
	if (progress)
		show(c, BENCH_WORKLOADS);
}

/* Adds what another pass has found. */
static void merge(struct bench_cell *to, const struct bench_cell *x)
{
	uint32_t samples = to->samples + x->samples;

	if (to->status != CELL_OK || x->status != CELL_OK) {
		*to = *x;
		return;
	}
	if (x->result != to->result) {
		to->status = CELL_FAILED;
		snprintf(to->why, sizeof(to->why),
			 "runs that should be the same come to "
			 "different results");
		return;
	}
	if (x->ns < to->ns)
		*to = *x;
	to->samples = samples;
}

static void add_pass(struct bench_report *r, struct bench_column *c, bool progress)
{
	struct bench_column pass = {.name = c->name, .engine = c->engine};
	bool selected[BENCH_WORKLOADS];

	/* What has failed, or cannot, is not tried again. */
	for (unsigned id = 0; id < BENCH_WORKLOADS; id++)
		selected[id] = r->selected[id] && (c->engine || bench_workloads[id].native) &&
			       c->cell[id].status <= CELL_OK;
	run_pass(r, &pass, selected, progress);
	for (unsigned id = 0; id < BENCH_WORKLOADS; id++)
		if (selected[id])
			merge(&c->cell[id], &pass.cell[id]);
}

void bench_measure(struct bench_report *r, bool progress)
{
	const unsigned passes = r->time_ms >= PASSES * PASS_MS ? PASSES : 1;

	r->pass_ms = r->time_ms / passes;
	for (unsigned pass = 0; pass < passes; pass++)
		for (unsigned n = 0; n < r->nr; n++)
			if (!r->column[n].unusable)
				add_pass(r, &r->column[n], progress);
}

void bench_compare(struct bench_report *r)
{
	for (unsigned id = 0; id < BENCH_WORKLOADS; id++) {
		const struct bench_column *first = NULL;

		for (unsigned n = 0; n < r->nr; n++) {
			struct bench_column *c = &r->column[n];
			struct bench_cell *x = &c->cell[id];

			if (x->status != CELL_OK)
				continue;
			if (!first)
				first = c;
			if (x->result == first->cell[id].result)
				continue;
			x->status = CELL_FAILED;
			snprintf(x->why, sizeof(x->why),
				 "its result is %016llx, and %s has %016llx",
				 (unsigned long long)x->result, first->name,
				 (unsigned long long)first->cell[id].result);
		}
	}
}
