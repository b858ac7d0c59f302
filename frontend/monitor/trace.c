/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Events come on the vCPUs' threads (accel/debug.h) and are written there, under the machine lock. What is for the monitors
 * goes through a buffer to the main loop; where people cannot read as fast as the guest runs, lines are dropped and counted.
 * At the limit, or when a file cannot be written, nothing more is written, and the main loop ends the trace: the guest goes
 * on in any case.
 */
#include "frontend/monitor/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "accel/cpus.h"
#include "accel/debug.h"
#include "cpu/decode.h"
#include "cpu/exc.h"
#include "cpu/opcode.h"
#include "cpu/vcpu.h"
#include "frontend/debug/memory.h"
#include "frontend/monitor/view.h"
#include "hw/loop.h"
#include "hw/pc.h"

#define MAX_TEXT (1u << 20) /* that waits for the main loop */
#define MAX_LINE 600
#define DEPTH    64
#define FAR      0x10000 /* between stack pointers: another stack */
#define LOOK     4096    /* events between two looks whether there is a kernel */

/* Calls that have not returned, by their stack pointers. */
struct calls {
	uint64_t sp[DEPTH];
	unsigned nr;
};

struct trace {
	struct monitor_env *env;
	struct trace_spec spec;
	char *path; /* NULL: the monitors */
	FILE *file;
	char *text; /* for the monitors */
	size_t len;
	int event; /* eventfd: there is text, or it is over */
	uint64_t lines, lost, events;
	int err; /* of writing */
	bool over;
	struct machine_watcher watcher;
	struct calls calls[CPUS_MAX];
};

/* ---- lines ---- */

static void wake(struct trace *t)
{
	const uint64_t one = 1;

	if (write(t->event, &one, sizeof(one)) < 0)
		t->lost++; /* cannot be: the counter is far from full */
}

static void put(struct trace *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(struct trace *t, const char *fmt, ...)
{
	char line[MAX_LINE];
	size_t len;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	strcat(line, "\n");
	len = strlen(line);
	t->lines++;
	if (t->file && fputs(line, t->file) < 0) {
		t->err = errno;
	} else if (!t->file && t->len + len >= MAX_TEXT) {
		t->lost++;
	} else if (!t->file) {
		memcpy(t->text + t->len, line, len);
		t->len += len;
	}
	t->over = t->err || t->lines >= t->spec.limit;
	if (t->over || !t->file)
		wake(t);
}

static void place(struct trace *t, uint64_t lin, char buf[VIEW_ADDRESS])
{
	char name[128];

	view_symbol(t->env, lin, false, name, sizeof(name));
	snprintf(buf, VIEW_ADDRESS, "0x%" PRIx64 "%s%s", lin, *name ? " " : "", name);
}

static bool is_call(const struct watch_event *ev)
{
	return strcmp(ev->insn->desc->name, "call") == 0;
}

/* How deep a call is: those whose stack pointers are above its own have not returned. */
static unsigned depth(struct calls *c, uint64_t sp)
{
	while (c->nr && c->sp[c->nr - 1] <= sp)
		c->nr--;
	if (c->nr && c->sp[c->nr - 1] - sp > FAR)
		c->nr = 0;
	if (c->nr == DEPTH) {
		memmove(c->sp, c->sp + 1, (DEPTH - 1) * sizeof(c->sp[0]));
		c->nr--;
	}
	c->sp[c->nr] = sp;
	return c->nr++;
}

static void put_step(struct trace *t, unsigned cpu, const struct vcpu *v,
		     const struct watch_event *ev, uint64_t base)
{
	char from[VIEW_ADDRESS], to[VIEW_ADDRESS], text[160];

	place(t, base + ev->rip, from);
	place(t, base + ev->next, to);
	if (ev->on == WATCH_INSN) {
		insn_print(text, sizeof(text), ev->insn, ev->rip);
		put(t, "%u %s: %s", cpu, from, text);
		return;
	}
	if (t->spec.kinds & TRACE_BRANCHES)
		put(t, "%u %s -> %s", cpu, from, to);
	if (t->spec.kinds & TRACE_CALLS && is_call(ev) && !t->over)
		put(t, "%u %*s%s", cpu, (int)(2 * depth(&t->calls[cpu], v->gpr[RSP])), "",
		    strchr(to, ' ') ? strchr(to, ' ') + 1 : to);
}

static void put_event(struct trace *t, unsigned cpu, const struct vcpu *v,
		      const struct watch_event *ev, uint64_t base)
{
	char from[VIEW_ADDRESS], to[VIEW_ADDRESS];
	const char *what = NULL;

	place(t, base + ev->rip, from);
	place(t, ev->next, to);
	switch (ev->on) {
	case WATCH_INSN:
	case WATCH_BRANCH:
		put_step(t, cpu, v, ev, base);
		return;
	case WATCH_EXCEPTION:
		if (ev->number == EXC_PF)
			put(t, "%u %s: page fault at 0x%" PRIx64 ", error 0x%" PRIx64 " -> %s", cpu,
			    from, v->cr2, ev->value, to);
		else
			put(t, "%u %s: exception %" PRIu64 ", error 0x%" PRIx64 " -> %s", cpu, from,
			    ev->number, ev->value, to);
		return;
	case WATCH_INTERRUPT:
		put(t, "%u %s: interrupt 0x%02" PRIx64 " -> %s", cpu, from, ev->number, to);
		return;
	case WATCH_SHUTDOWN:
		put(t, "%u %s: triple fault", cpu, from);
		return;
	case WATCH_LOAD:
		what = "load";
		break;
	case WATCH_STORE:
		what = "store";
		break;
	case WATCH_IN:
		what = "in";
		break;
	case WATCH_OUT:
		what = "out";
		break;
	case WATCH_CR:
		what = "cr";
		break;
	case WATCH_MSR:
		what = "wrmsr";
		break;
	case WATCH_RDMSR:
		what = "rdmsr";
		break;
	}
	if (ev->on & (WATCH_CR | WATCH_MSR | WATCH_RDMSR))
		put(t, "%u %s: %s 0x%" PRIx64 " 0x%" PRIx64, cpu, from, what, ev->number,
		    ev->value);
	else
		put(t, "%u %s: %s%u 0x%" PRIx64 " 0x%" PRIx64, cpu, from, what, 8 * ev->size,
		    ev->number, ev->value);
}

/* ---- which events ---- */

static bool in_range(const struct trace_spec *s, uint64_t lin)
{
	for (unsigned n = 0; n < s->nr_ranges; n++)
		if (lin >= s->range[n].first && lin <= s->range[n].last)
			return true;
	return !s->nr_ranges;
}

/* Of a kind that is asked for; the engines know larger ones. */
static bool of_kind(const struct trace_spec *s, const struct watch_event *ev)
{
	if (ev->on == WATCH_EXCEPTION)
		return s->kinds & TRACE_EXCEPTIONS ||
		       (s->kinds & TRACE_PAGEFAULTS && ev->number == EXC_PF);
	if (ev->on == WATCH_CR)
		return s->kinds & TRACE_CR || (s->kinds & TRACE_CR3 && ev->number == 3);
	if (ev->on == WATCH_BRANCH)
		return s->kinds & TRACE_BRANCHES || is_call(ev);
	return true;
}

static bool holds(struct trace *t, unsigned cpu, const struct watch_event *ev)
{
	const struct watch_hit hit = {.lin = ev->number, .value = ev->value};
	struct expr_env env;
	uint64_t n;

	if (!*t->spec.condition)
		return true;
	view_env(t->env, cpu, &env);
	env.hit = &hit;
	return expr_number(&env, t->spec.condition, &n) == 0 && n;
}

/* On the vCPU's thread. */
static void on_event(void *opaque, unsigned cpu, const struct vcpu *v, const struct watch_event *ev)
{
	struct trace *t = opaque;
	struct vcpu *state = debug_cpu(t->env->debugger, cpu);
	uint64_t base = debug_code_bits(v) == 64 ? 0 : v->seg[CS].base;
	bool look;

	if (!of_kind(&t->spec, ev) || !in_range(&t->spec, base + ev->rip) ||
	    (t->spec.cpu >= 0 && t->spec.cpu != (int)cpu))
		return;
	pthread_mutex_lock(&t->env->pc->m.lock);
	look = t->events++ % LOOK == 0;
	if (look || *t->spec.condition) { /* while it runs that is this thread's own */
		*state = *v;
		state->rip = ev->rip;
	}
	if (look)
		linux_find(&t->env->linux_guest, state);
	if (!t->over && holds(t, cpu, ev))
		put_event(t, cpu, v, ev, base);
	pthread_mutex_unlock(&t->env->pc->m.lock);
}

static void on_machine(void *opaque, enum machine_event event, const char *what)
{
	struct trace *t = opaque;

	(void)what;
	if (event == MACHINE_RESET && !t->over)
		put(t, "reset");
}

/* ---- the main thread's side ---- */

static void say(struct trace *t, const char *text)
{
	struct monitor_env *e = t->env;

	if (t->path)
		fflush(t->file);
	for (struct monitor *m = e->monitors; m; m = m->next)
		m->say(m->say_opaque, text);
}

static void end(struct trace *t)
{
	char text[256];

	if (t->err)
		snprintf(text, sizeof(text), "trace: cannot write %.100s: %s; it has ended\n",
			 t->path, strerror(t->err));
	else
		snprintf(text, sizeof(text),
			 "trace: %" PRIu64 " lines, which is the limit; it has ended\n", t->lines);
	say(t, text);
	if (t->env->trace == t)
		t->env->trace = NULL;
	trace_free(t);
}

static void on_text(void *opaque, int fd, unsigned events)
{
	struct trace *t = opaque;
	char text[80];
	uint64_t count;

	(void)events;
	if (read(fd, &count, sizeof(count)) < 0)
		return;
	if (t->len) {
		t->text[t->len] = 0;
		t->len = 0;
		say(t, t->text);
	}
	if (t->lost) {
		snprintf(text, sizeof(text),
			 "trace: %" PRIu64 " lines left out: a file keeps all\n", t->lost);
		t->lost = 0;
		say(t, text);
	}
	if (t->over)
		end(t);
}

static unsigned watched(unsigned kinds)
{
	static const struct {
		unsigned kinds, on;
	} map[] = {
	    {TRACE_INSTRUCTIONS, WATCH_INSN},
	    {TRACE_BRANCHES | TRACE_CALLS, WATCH_BRANCH},
	    {TRACE_INTERRUPTS, WATCH_INTERRUPT},
	    {TRACE_EXCEPTIONS | TRACE_PAGEFAULTS, WATCH_EXCEPTION},
	    {TRACE_EXCEPTIONS, WATCH_SHUTDOWN},
	    {TRACE_MMIO, WATCH_LOAD | WATCH_STORE},
	    {TRACE_PIO, WATCH_IN | WATCH_OUT},
	    {TRACE_CR | TRACE_CR3, WATCH_CR},
	    {TRACE_MSR, WATCH_MSR | WATCH_RDMSR},
	};
	unsigned on = 0;

	for (size_t n = 0; n < sizeof(map) / sizeof(map[0]); n++)
		if (kinds & map[n].kinds)
			on |= map[n].on;
	return on;
}

static int set(struct trace *t, const struct watch_trace *how)
{
	bool ran = debug_hold(t->env->debugger);
	int err = cpus_trace(t->env->pc->m.cpus, how && how->on ? how : NULL);

	debug_release(t->env->debugger, ran);
	return err;
}

static int open_file(struct trace *t, const char *path)
{
	t->path = strdup(path);
	if (!t->path)
		return -ENOMEM;
	t->file = strcmp(path, "-") == 0 ? stderr : fopen(path, "we");
	return t->file ? 0 : -errno;
}

int trace_start(struct trace **out, struct monitor_env *env, const struct trace_spec *spec,
		char *err, size_t errlen)
{
	struct trace *t = calloc(1, sizeof(*t));
	struct machine *m = &env->pc->m;
	int r = -ENOMEM;

	if (!t)
		goto fail;
	t->env = env;
	t->spec = *spec;
	t->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->event < 0) {
		r = -errno;
		goto fail;
	}
	if (spec->path && (r = open_file(t, spec->path)) < 0) {
		snprintf(err, errlen, "cannot write %.200s: %s", spec->path, strerror(-r));
		trace_free(t);
		return -1;
	}
	t->text = spec->path ? NULL : malloc(MAX_TEXT);
	if (!spec->path && !t->text)
		goto fail;
	r = loop_watch(m->loop, t->event, LOOP_IN, on_text, t);
	if (r < 0)
		goto fail;
	t->watcher = (struct machine_watcher){.event = on_machine, .opaque = t};
	if (spec->kinds & TRACE_RESETS)
		machine_watch(m, &t->watcher);
	r = set(t, &(struct watch_trace){watched(spec->kinds), on_event, t});
	if (r < 0)
		goto fail;
	*out = t;
	return 0;
fail:
	snprintf(err, errlen, "cannot trace: %s", strerror(-r));
	trace_free(t);
	return -1;
}

void trace_free(struct trace *t)
{
	if (!t)
		return;
	struct machine *m = &t->env->pc->m;

	if (t->watcher.event) {
		set(t, NULL);
		if (t->spec.kinds & TRACE_RESETS)
			machine_unwatch(m, &t->watcher);
	}
	if (t->event >= 0) {
		loop_watch(m->loop, t->event, 0, NULL, NULL);
		close(t->event);
	}
	if (t->file && t->file != stderr)
		fclose(t->file);
	free(t->path);
	free(t->text);
	free(t);
}

void trace_describe(struct trace *t, char *buf, size_t len)
{
	if (t->file)
		fflush(t->file);
	snprintf(buf, len, "%" PRIu64 " lines of at most %" PRIu64 ", to %s%s%s\n", t->lines,
		 t->spec.limit,
		 !t->path                    ? "the monitor"
		 : strcmp(t->path, "-") == 0 ? "standard error"
					     : t->path,
		 *t->spec.condition ? ", if " : "", t->spec.condition);
}
