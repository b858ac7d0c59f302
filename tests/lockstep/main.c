/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockstep [options]: boots a guest twice at once and compares. Without options, the built-in guest.
 *
 *   -kernel FILE -initrd FILE -append TEXT -m MIB -cpu MODEL   the guest
 *   -testdev           with the devices that the privileged guests want, and output on port 5E9h
 *   -type EXPECT SAY   types SAY once the guest has printed EXPECT; may be given again
 *   -linked            the translator's blocks stay linked; it is stopped after random numbers of
 *                      instructions instead of after each block
 *   -from N            so until instruction N only
 *   -slice N -seed N   the most instructions at once for that, and another sequence
 *   -hot N -cache MIB  the translator's settings
 *   -shift N           2^N ns for each instruction
 *   -stop N            ends after so many instructions, which is then success
 *   -check N           RAM and devices are compared after so many
 *   -reload N          after so many the interpreter's machine is saved and loaded into the translator's
 *   -watch ADDRESS     this page of RAM is compared at each stop: finds who wrote it
 *   -trace N           prints each stop from instruction N on
 *   -v                 shows the serial port
 *
 * Ends when the guest powers off, or halts for ever. The exit status is 1 after a difference.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cpu/opcode.h"
#include "roms/roms.h"
#include "tests/lockstep/lockstep.h"

static uint64_t random_next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void remember(struct lockstep *l, const struct core *c)
{
	l->recent[l->nr_recent++ % RECENT] = (struct recent){c->retired, c->v.rip, c->mode};
}

/* The interpreter, block by block, up to the same count. */
static enum run_exit follow(struct lockstep *l, uint64_t to)
{
	struct side *s = &l->side[INTERP];
	enum run_exit why = RUN_STOPPED;
	do {
		uint64_t from = s->c->retired;
		remember(l, s->c);
		/* With nothing to execute it must find the same reason for that. */
		why = s->engine->run(s->e, to > from ? to - from : 1);
		const struct insn *i = s->e->begun;
		for (uint64_t n = from; n < s->c->retired && i->desc; n++)
			flags_after(&l->flags, i++);
		if (s->c->retired == from)
			break;
	} while (s->c->retired < to);
	return why;
}

/* Whether what was begun last is in a block that has code. */
static bool was_translated(const struct engine_cpu *e)
{
	const struct insn *i = e->begun;
	if (!i || i == e->single)
		return false;
	return ((const struct block *)((const uint8_t *)i - offsetof(struct block, insn)))->code;
}

/* To the next stop of the translator. False after a difference. */
static bool advance(struct lockstep *l, uint64_t *random, enum run_exit *why)
{
	const struct config *cfg = l->cfg;
	struct side *j = &l->side[JIT], *i = &l->side[INTERP];
	uint64_t bound = l->linked ? random_next(random) % cfg->slice + 1 : UINT64_MAX;
	uint64_t faults = j->e->faults;

	l->rip = j->c->v.rip;
	l->mode = j->c->mode;
	l->begun_at = j->c->retired;
	*why = j->engine->run(j->e, bound);
	enum run_exit other = follow(l, j->c->retired);
	bool faulted = j->e->faults != faults;
	l->faults += faulted;
	l->translated += was_translated(j->e) ? j->c->retired - l->begun_at : 0;
	l->stops++;
	if (j->c->retired >= cfg->trace)
		printf("%lu: %016lx -> %016lx\n", j->c->retired, l->rip, j->c->v.rip);
	/* When the interpreter has come to the same count it has yet to find out that it is halted. */
	if (*why != other && j->c->retired == l->begun_at) {
		report(l, "why they stopped");
		return false;
	}
	if (i->e->faults != j->e->faults || !compare_cpus(l, faulted)) {
		report(l, "the state");
		return false;
	}
	if (cfg->watch && !compare_page(l, cfg->watch_at)) {
		report(l, "the watched page");
		return false;
	}
	return true;
}

static bool check_all(struct lockstep *l)
{
	l->checks++;
	for (unsigned n = 0; n < SIDES; n++)
		icount_sync(&l->side[n].pc->icount, l->side[n].c->retired);
	if (compare_ram(l) & compare_devices(l))
		return true;
	report(l, "RAM or devices");
	return false;
}

/* Both halted: on to the next timer. False when there is none. */
static bool idle(struct lockstep *l)
{
	bool any = false;
	for (unsigned n = 0; n < SIDES; n++) {
		struct side *s = &l->side[n];
		any |= icount_idle(&s->pc->icount, s->c->retired, 0) != UINT64_MAX;
		atomic_fetch_or(s->c->events, EV_TIME);
	}
	return any || *l->side[JIT].c->events & EV_INTR;
}

static void show(struct lockstep *l, size_t *shown)
{
	const struct side *s = &l->side[JIT];
	if (l->cfg->verbose && *shown < s->out_len) {
		fwrite(s->out + *shown, 1, s->out_len - *shown, stdout);
		fflush(stdout);
	}
	*shown = s->out_len;
}

/* The translator stays in linked blocks, or stops after each. */
static void set_linked(struct lockstep *l, bool linked)
{
	struct side *s = &l->side[JIT];
	l->linked = linked;
	s->engine->forget(s->e); /* blocks, and the links in their translations */
	s->e->stops = linked ? STOP_LEFT : STOP_BLOCK;
}

/* 0 when the guest came to its end without a difference. */
static int run(struct lockstep *l)
{
	const struct machine *m = &l->side[JIT].pc->m;
	uint64_t random = l->cfg->seed | 1;
	size_t shown = 0;
	set_linked(l, l->cfg->from > 0);
	while (m->end == END_NONE && !m->reset_requested &&
	       l->side[JIT].c->retired < l->cfg->stop) {
		enum run_exit why;
		if (!advance(l, &random, &why))
			return 1;
		if (l->side[JIT].c->retired >= l->next_check) {
			l->next_check = l->side[JIT].c->retired + l->cfg->check;
			if (!check_all(l))
				return 1;
		}
		if (l->side[JIT].c->retired >= l->next_reload) {
			l->next_reload = l->side[JIT].c->retired + l->cfg->reload;
			if (!check_all(l) || lockstep_reload(l) < 0 || !check_all(l))
				return 1;
		}
		if (l->linked && l->side[JIT].c->retired >= l->cfg->from) {
			if (!check_all(l))
				return 1;
			set_linked(l, false);
		}
		if (why == RUN_HALTED && !idle(l))
			break;
		lockstep_type(l);
		if (shown != l->side[JIT].out_len)
			show(l, &shown);
	}
	if (!check_all(l))
		return 1;
	if (l->side[INTERP].pc->m.end != m->end) {
		report(l, "the end");
		return 1;
	}
	return 0;
}

static void sum_up(const struct lockstep *l)
{
	const struct machine *m = &l->side[JIT].pc->m;
	uint64_t all = l->side[JIT].c->retired;
	printf("%lu instructions, %lu%% translated, %lu stops, %lu exceptions, RAM compared %lu "
	       "times, saved and loaded %lu; %s\n",
	       all, all ? l->translated * 100 / all : 0, l->stops, l->faults, l->checks, l->reloads,
	       m->end == END_SHUTDOWN ? "powered off"
	       : m->end != END_NONE   ? "ended"
	       : m->reset_requested   ? "reset"
				      : "stopped");
	printf("made alike: flags in %lu images; undefined flags of", l->reconciled);
	for (unsigned n = 0; n < 64 && l->flags.seen[n].op; n++)
		printf(" %s (%lu)", l->flags.seen[n].op->name, l->flags.seen[n].times);
	printf("%s\n", l->flags.seen[0].op ? "" : " none");
}

static int read_file(const char *path, struct blob *b)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	uint8_t *data = NULL;
	if (fd < 0 || fstat(fd, &st) < 0 || !(data = malloc((size_t)st.st_size + 1)) ||
	    read(fd, data, (size_t)st.st_size) != st.st_size) {
		perror(path);
		return -1;
	}
	close(fd);
	*b = (struct blob){path, data, (size_t)st.st_size};
	return 0;
}

static int parse(struct config *c, char **arg, const char **cpu)
{
	static const char *const none[] = {"-linked", "-testdev", "-v"};
	for (; *arg; arg++) {
		const char *name = *arg;
		bool alone = false;
		for (unsigned n = 0; n < sizeof(none) / sizeof(none[0]); n++)
			alone |= !strcmp(name, none[n]);
		if (!alone && (!arg[1] || (!strcmp(name, "-type") && !arg[2]))) {
			fprintf(stderr, "lockstep: %s needs an argument\n", name);
			return -1;
		}
		const char *val = alone ? "" : *++arg;
		uint64_t n = strtoull(val, NULL, 0);
		if (!strcmp(name, "-linked"))
			c->from = UINT64_MAX;
		else if (!strcmp(name, "-testdev"))
			c->testdev = true;
		else if (!strcmp(name, "-v"))
			c->verbose = true;
		else if (!strcmp(name, "-type") && c->nr_lines < MAX_LINES)
			c->line[c->nr_lines++] = (struct line){val, *++arg};
		else if (!strcmp(name, "-kernel")) {
			if (read_file(val, &c->kernel) < 0)
				return -1;
		} else if (!strcmp(name, "-initrd")) {
			if (read_file(val, &c->initrd.file) < 0)
				return -1;
			c->nr_initrd = 1;
		} else if (!strcmp(name, "-append"))
			c->append = val;
		else if (!strcmp(name, "-cpu"))
			*cpu = val;
		else if (!strcmp(name, "-m"))
			c->pc.ram_size = n << 20;
		else if (!strcmp(name, "-from"))
			c->from = n;
		else if (!strcmp(name, "-slice") && n)
			c->slice = (unsigned)n;
		else if (!strcmp(name, "-seed"))
			c->seed = n;
		else if (!strcmp(name, "-hot"))
			c->pc.engine_config.hot = (unsigned)n;
		else if (!strcmp(name, "-cache"))
			c->pc.engine_config.cache = n << 20;
		else if (!strcmp(name, "-shift") && n <= ICOUNT_MAX_SHIFT)
			c->pc.icount_shift = (unsigned)n;
		else if (!strcmp(name, "-stop"))
			c->stop = n;
		else if (!strcmp(name, "-check") && n)
			c->check = n;
		else if (!strcmp(name, "-reload") && n)
			c->reload = n;
		else if (!strcmp(name, "-watch")) {
			c->watch = true;
			c->watch_at = n & PAGE_MASK;
		} else if (!strcmp(name, "-trace"))
			c->trace = n;
		else {
			fprintf(stderr, "lockstep: %s %s: what is that?\n", name, val);
			return -1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct lockstep l;
	static struct config c = {
	    .pc = {.ram_size = 128u << 20,
		   .cpus = 1,
		   .no_reboot = true,
		   .epoch_ns = 1767225600 * (int64_t)NSEC_PER_SEC,
		   .icount = true,
		   .icount_shift = 4,
		   .engine_config = {.count = true}},
	    .append = "",
	    .slice = 20000,
	    .seed = 1,
	    .stop = UINT64_MAX,
	    .trace = UINT64_MAX,
	    .reload = UINT64_MAX,
	    .check = 50000000,
	};
	const char *cpu = "max,-rdrand,-rdseed";
	char err[256];
	int status = 2;

	(void)argc;
	c.kernel = (struct blob){"built-in guest", roms_guest_start,
				 (size_t)(roms_guest_end - roms_guest_start)};
	if (parse(&c, argv + 1, &cpu) < 0)
		return 2;
	c.pc.engine_config.stops = STOP_BLOCK;
	if (cpu_model_parse(&c.pc.model, cpu, err, sizeof(err)) < 0) {
		fprintf(stderr, "lockstep: %s\n", err);
		return 2;
	}
	if (engine_jit.unusable()) {
		printf("lockstep: the translator cannot run: %s\n", engine_jit.unusable());
		return 0;
	}
	c.pc.uart[0] = !c.testdev;
	c.pc.debugcon[0] = (struct pc_debugcon_config){c.testdev, 0x5e9};
	c.pc.debug_exit = c.pc.pc_testdev = c.pc.smm = c.testdev;
	c.pc.debug_exit_port = 0xf4;
	c.pc.debug_exit_size = 4;
	if (lockstep_start(&l, &c) == 0) {
		status = run(&l);
		sum_up(&l);
	}
	lockstep_end(&l);
	return status;
}
