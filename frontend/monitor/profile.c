/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Stacks become paths in a tree, outermost first: the task, what it entered the kernel by, and so on.
 */
#include "frontend/monitor/profile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "accel/cpus.h"
#include "cpu/vcpu.h"
#include "frontend/debug/unwind.h"
#include "frontend/monitor/view.h"
#include "hw/clock.h"
#include "hw/loop.h"
#include "hw/pc.h"

#define MAX_FRAMES 64
#define MAX_NODES  200000u
#define MAX_NAME   96

struct profile {
	struct monitor_env *env;
	int timer;
	struct profile_node root;
	unsigned nodes;
	uint64_t idle, begin, spent, since;
};

static struct profile_node *child(struct profile *p, struct profile_node *n, const char *name)
{
	struct profile_node *c;

	for (c = n->child; c; c = c->next)
		if (strcmp(c->name, name) == 0)
			return c;
	c = p->nodes < MAX_NODES ? calloc(1, sizeof(*c)) : NULL;
	if (!c)
		return NULL;
	c->name = strdup(name);
	if (!c->name) {
		free(c);
		return NULL;
	}
	p->nodes++;
	c->next = n->child;
	n->child = c;
	return c;
}

static void add(struct profile *p, char names[][MAX_NAME], unsigned nr)
{
	struct profile_node *n = &p->root;

	n->total++;
	while (nr-- > 0) {
		n = child(p, n, names[nr]);
		if (!n)
			return;
		n->total++;
	}
	n->self++;
}

static void frame_name(struct monitor_env *e, const struct frame *f, char name[MAX_NAME])
{
	char *plus;

	if (f->user) {
		strcpy(name, "[user]");
		return;
	}
	view_symbol(e, f->ip, f->call, name, MAX_NAME);
	plus = strrchr(name, '+');
	if (plus)
		*plus = 0;
	if (!*name)
		snprintf(name, MAX_NAME, "0x%" PRIx64, f->ip);
}

static void task_name(struct linux_guest *g, unsigned cpu, char name[MAX_NAME])
{
	uint64_t task = g ? linux_current(g, cpu) : 0;
	int64_t comm = task ? linux_offset(g, "task_struct", "comm", NULL) : -1;

	if (comm < 0 || linux_string(g, task + (uint64_t)comm, name, 17) < 0)
		snprintf(name, MAX_NAME, "CPU#%u", cpu);
}

/* A vCPU looks for a pause at the ends of blocks. Where that was in another function (it has called, returned, or gone to
 * user space since) the sample is of that one. */
static unsigned correct_leaf(struct profile *p, unsigned cpu, char names[][MAX_NAME], unsigned nr)
{
	const struct vcpu *v = debug_cpu(p->env->debugger, cpu);
	struct frame last;

	unwind_cpu(v, &last);
	last.ip += cpus_last_rip(p->env->pc->m.cpus, cpu) - v->rip;
	if (last.bits == 64)
		last.user = !(last.ip >> 63);
	frame_name(p->env, &last, names[nr]);
	if (strcmp(names[nr], names[0]) == 0)
		return nr;
	if (nr > 1 && strcmp(names[nr], names[1]) == 0) { /* it has just called */
		memmove(names[0], names[1], (nr - 1) * MAX_NAME);
		return nr - 1;
	}
	memmove(names[1], names[0], nr * MAX_NAME);
	frame_name(p->env, &last, names[0]);
	return nr + 1;
}

static void sample_cpu(struct profile *p, unsigned cpu)
{
	struct monitor_env *e = p->env;
	const struct vcpu *v = debug_cpu(e->debugger, cpu);
	char names[MAX_FRAMES + 2][MAX_NAME];
	struct unwind u = {.pc = e->pc, .v = v};
	struct linux_guest *g = NULL;
	unsigned nr = 0;
	struct frame f;

	if (v->activity != ACT_RUNNING) {
		p->idle++;
		return;
	}
	if (linux_find(&e->linux_guest, v))
		g = &e->linux_guest;
	u.linux_guest = g;
	unwind_cpu(v, &f);
	do
		frame_name(e, &f, names[nr++]);
	while (nr < MAX_FRAMES && !f.user && unwind_next(&u, &f) == 0);
	nr = correct_leaf(p, cpu, names, nr);
	task_name(g, cpu, names[nr++]);
	add(p, names, nr);
}

static void on_tick(void *opaque, int fd, unsigned events)
{
	struct profile *p = opaque;
	uint64_t missed, begin;

	(void)events;
	if (read(fd, &missed, sizeof(missed)) < 0 || debug_stopped(p->env->debugger))
		return;
	bool ran = debug_hold(p->env->debugger);
	begin = clock_host_ns(); /* before that they still run */
	for (unsigned n = 0; n < p->env->pc->cpus; n++)
		sample_cpu(p, n);
	debug_release(p->env->debugger, ran);
	p->spent += clock_host_ns() - begin;
}

int profile_start(struct profile **out, struct monitor_env *env, unsigned hz)
{
	const long ns = (long)(NSEC_PER_SEC / hz);
	const struct itimerspec every = {
	    .it_value = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000},
	    .it_interval = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000}};
	struct profile *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->env = env;
	p->begin = clock_host_ns();
	p->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (p->timer < 0 || timerfd_settime(p->timer, 0, &every, NULL) < 0) {
		err = -errno;
		goto fail;
	}
	err = loop_watch(env->pc->m.loop, p->timer, LOOP_IN, on_tick, p);
	if (err < 0)
		goto fail;
	*out = p;
	return 0;
fail:
	if (p->timer >= 0)
		close(p->timer);
	free(p);
	return err;
}

void profile_stop(struct profile *p)
{
	if (p->timer < 0)
		return;
	loop_watch(p->env->pc->m.loop, p->timer, 0, NULL, NULL);
	close(p->timer);
	p->timer = -1;
	p->since = clock_host_ns() - p->begin;
}

/* As deep as the stacks are, which is bounded. */
static void free_nodes(struct profile_node *n)
{
	while (n) {
		struct profile_node *next = n->next;

		free_nodes(n->child);
		free(n->name);
		free(n);
		n = next;
	}
}

void profile_free(struct profile *p)
{
	if (!p)
		return;
	profile_stop(p);
	free_nodes(p->root.child);
	free(p);
}

const struct profile_node *profile_root(const struct profile *p)
{
	return &p->root;
}

uint64_t profile_idle(const struct profile *p)
{
	return p->idle;
}

void profile_cost(const struct profile *p, uint64_t *spent, uint64_t *since)
{
	*spent = p->spent;
	*since = p->timer < 0 ? p->since : clock_host_ns() - p->begin;
}
