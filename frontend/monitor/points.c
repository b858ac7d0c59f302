/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A breakpoint by a name that nothing has yet waits for a kernel: each MOV to CR3 is looked at until one maps a
 * Linux image. That happens in its first instructions, when the symbols are in memory and none of them has been
 * executed, so even start_kernel is not missed, wherever KASLR has put it.
 */
#include "frontend/monitor/points.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/vcpu.h"
#include "frontend/debug/linux_module.h"
#include "frontend/debug/memory.h"
#include "frontend/monitor/stepping.h"
#include "frontend/monitor/view.h"
#include "hw/pc.h"

#define NAME "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
#define SAME_FRAME                                                                                 \
	256 /* bytes that a function may take off its caller's stack, as some calling conventions have it */

/* ---- conditions, on the vCPU's thread ---- */

static bool holds(void *opaque, unsigned cpu, const struct watch_hit *hit)
{
	struct mon_point *p = opaque;
	struct expr_env env;
	uint64_t n;

	if (p->sp && debug_cpu(p->env->debugger, cpu)->gpr[RSP] - p->sp >= SAME_FRAME)
		return false;
	if (!*p->condition)
		return true;
	view_env(p->env, cpu, &env);
	env.hit = hit;
	/* One that cannot be evaluated stops: the user is to see that. */
	return expr_number(&env, p->condition, &n) < 0 || n;
}

static bool kernel_appears(void *opaque, unsigned cpu, const struct watch_hit *hit)
{
	struct monitor_env *e = opaque;
	const struct vcpu *v = debug_cpu(e->debugger, cpu);
	uint64_t text, end;
	struct paging pg;

	(void)hit;
	debug_paging(e->pc, v, &pg);
	return linux_maps_kernel(e->pc, &pg, &text, &end) && linux_find(&e->linux_guest, v);
}

/* ---- arming ---- */

static int arm(struct mon_point *p)
{
	int id;

	p->spec.condition = holds;
	p->spec.opaque = p;
	p->spec.owner = p->env;
	id = debug_add(p->env->debugger, &p->spec);
	if (id < 0)
		return id;
	p->id = id;
	return 0;
}

static bool pending(const struct monitor_env *e)
{
	for (const struct mon_point *p = e->points; p; p = p->next)
		if (!p->id)
			return true;
	return false;
}

/* Not a number, register or the like: what it means may change. */
bool points_symbolic(const char *what)
{
	return strspn(what, NAME "./:-") == strlen(what) && *what && !strchr("0123456789-", *what);
}

int points_place(struct monitor_env *e, struct expr_env *env, const char *what, uint64_t *addrs,
		 unsigned max, struct source_line *found, char *err, size_t len)
{
	const char *colon = strrchr(what, ':');
	bool known = true;
	struct source_line line = {.line = 0};
	unsigned nr;

	*err = 0;
	if (found)
		found->line = 0;
	if (colon && colon[1] && strspn(colon + 1, "0123456789") == strlen(colon + 1)) {
		snprintf(line.file, sizeof(line.file), "%.*s", (int)(colon - what), what);
		line.line = atoi(colon + 1);
		nr = symbols_find_line(&e->symbols, &line, addrs, max, &known);
		if (found)
			*found = line;
		if (nr)
			return known ? (int)nr : 0;
		if (!e->symbols.files)
			snprintf(err, len, "%s: symbol-file reads what knows of source lines",
				 what);
		/* A module's file is looked at when it is loaded. */
		for (const struct symfile *f = e->symbols.files; f; f = f->next)
			if (f->kind == SYMFILE_MODULE && !f->placed)
				return 0;
		if (!*err)
			snprintf(err, len, "%s: no file of symbols has code from there", what);
		return e->symbols.nr_module_dirs ? 0 : -1;
	}
	if (expr_number(env, what, addrs) == 0)
		return 1;
	snprintf(err, len, "%s: %s", what, env->err);
	return strspn(what, NAME ".") == strlen(what) && !strchr("0123456789", *what) ? 0 : -1;
}

/* Where a point by name is now; false: that is not known. */
static bool current_place(const struct mon_point *p, struct expr_env *env, uint64_t *addr)
{
	uint64_t addrs[POINTS_MAX_PLACES];
	struct value v;
	char err[200];
	int nr;

	if (p->spec.at.on != WATCH_EXEC) { /* a variable */
		bool ok = expr_eval(env, p->what, &v) == 0 && v.lvalue;

		*addr = ok ? v.addr : 0;
		return ok;
	}
	nr = points_place(p->env, env, p->what, addrs, POINTS_MAX_PLACES, NULL, err, sizeof(err));
	if (nr > 0)
		*addr = addrs[p->place < (unsigned)nr ? p->place : 0];
	return nr > 0;
}

/* Sets it there, unless it is. */
static void resolve(struct mon_point *p, struct expr_env *env)
{
	uint64_t addr;

	if (!p->symbolic || !current_place(p, env, &addr) || (p->id && addr == p->spec.at.addr))
		return;
	if (p->id) {
		p->spec = *points_state(p);
		debug_remove(p->env->debugger, p->id);
	}
	p->id = 0;
	p->spec.at.addr = addr;
	if (p->spec.at.on == WATCH_EXEC)
		p->spec.at.len = 1;
	arm(p);
}

static void on_module(void *opaque)
{
	points_resolve(opaque);
}

/* do_init_module() comes when a module is where it will stay, and before it has executed anything; debuggers may rely on
 * its name (scripts/gdb/linux/symbols.py). */
static void await_module(struct monitor_env *e)
{
	const struct debug_point spec = {
	    .at = {.addr = linux_symbol(&e->linux_guest, "do_init_module"),
		   .len = 1,
		   .on = WATCH_EXEC},
	    .cpu = DEBUG_ALL_CPUS,
	    .enabled = true,
	    .act = on_module,
	    .opaque = e,
	};
	int id;

	if (e->module_watch || !spec.at.addr)
		return;
	id = debug_add(e->debugger, &spec);
	e->module_watch = id > 0 ? id : 0;
}

void points_resolve(struct monitor_env *e)
{
	struct linux_guest *g = &e->linux_guest;
	struct expr_env env;
	bool module = false;

	view_env(e, 0, &env);
	if (!env.linux_guest)
		return;
	linux_read_modules(g);
	symbols_place(&e->symbols, g);
	for (struct mon_point *p = e->points; p; p = p->next) {
		resolve(p, &env);
		/* One that is in a module may be elsewhere the next time. */
		module |= p->symbolic &&
			  (!p->id || p->spec.at.addr < g->text || p->spec.at.addr >= g->end);
	}
	if (module)
		await_module(e);
}

static void on_kernel(void *opaque)
{
	struct monitor_env *e = opaque;

	points_resolve(e);
	debug_remove(e->debugger, e->kernel_watch);
	e->kernel_watch = 0;
}

static int await_kernel(struct monitor_env *e)
{
	const struct debug_point spec = {
	    .at = {.addr = 3, .len = 1, .on = WATCH_CR},
	    .cpu = DEBUG_ALL_CPUS,
	    .enabled = true,
	    .condition = kernel_appears,
	    .act = on_kernel,
	    .opaque = e,
	};

	if (!e->kernel_watch)
		e->kernel_watch = debug_add(e->debugger, &spec);
	return e->kernel_watch < 0 ? e->kernel_watch : 0;
}

/* The kernel that comes next may be elsewhere. */
static void on_machine(void *opaque, enum machine_event event, const char *what)
{
	struct monitor_env *e = opaque;

	(void)what;
	if (event != MACHINE_RESET)
		return;
	linux_free(&e->linux_guest);
	symbols_place(&e->symbols, NULL);
	if (e->module_watch)
		debug_remove(e->debugger, e->module_watch);
	e->module_watch = 0;
	for (struct mon_point *p = e->points; p; p = p->next) {
		if (!p->symbolic || !p->id)
			continue;
		p->spec = *points_state(p);
		debug_remove(e->debugger, p->id);
		p->id = 0;
	}
	if (pending(e))
		await_kernel(e);
}

int points_add(struct monitor_env *e, const struct mon_point *from, struct mon_point **out_)
{
	struct mon_point *p = malloc(sizeof(*p)), **end = &e->points;
	int err;

	if (!p)
		return -ENOMEM;
	*p = *from;
	p->env = e;
	p->next = NULL;
	while (*end)
		end = &(*end)->next;
	*end = p;
	err = p->spec.at.len ? arm(p) : e->linux_guest.found ? 0 : await_kernel(e);
	if (err < 0) {
		*end = NULL;
		free(p);
		return err;
	}
	if (p->symbolic && e->linux_guest.found)
		points_resolve(e);
	if (out_)
		*out_ = p;
	return 0;
}

struct mon_point *points_find(struct monitor_env *e, int nr)
{
	for (struct mon_point *p = e->points; p; p = p->next)
		if (p->nr == nr)
			return p;
	return NULL;
}

static void forget(struct monitor_env *e, struct mon_point *p)
{
	for (struct mon_point **at = &e->points; *at; at = &(*at)->next)
		if (*at == p) {
			*at = p->next;
			break;
		}
	free(p);
}

void points_remove(struct monitor_env *e, struct mon_point *p)
{
	if (p->id)
		debug_remove(e->debugger, p->id);
	forget(e, p);
	if (e->kernel_watch && !pending(e)) {
		debug_remove(e->debugger, e->kernel_watch);
		e->kernel_watch = 0;
	}
	if (e->module_watch && !e->points) {
		debug_remove(e->debugger, e->module_watch);
		e->module_watch = 0;
	}
}

struct debug_point *points_state(struct mon_point *p)
{
	struct debug_point *d = p->id ? debug_find(p->env->debugger, p->id) : NULL;

	return d ? d : &p->spec;
}

/* ---- stops ---- */

static void say(void *opaque, const char *text)
{
	struct monitor_env *e = opaque;

	for (struct monitor *m = e->monitors; m; m = m->next)
		m->say(m->say_opaque, text);
}

/* The stop is at the handler: which instruction has raised it is on the handler's stack (SDM vol. 3A 6.14.2). */
static void say_origin(struct monitor_env *e, const struct out *o, unsigned cpu, unsigned vector)
{
	const uint32_t with_error = 1u << 8 | 0x1fu << 10 | 1u << 17 | 1u << 21 | 3u << 29;
	const struct vcpu *v = debug_cpu(e->debugger, cpu);
	char where[VIEW_ADDRESS];
	uint64_t ip;

	if (debug_code_bits(v) != 64 || vector > 31 ||
	    debug_read(e->pc, v, v->gpr[RSP] + (with_error >> vector & 1) * 8, &ip, 8) < 0)
		return;
	view_address(e, ip, where);
	out(o, " at %s", where);
	if (vector == 14)
		out(o, ", of address 0x%" PRIx64, v->cr2);
}

static void say_hit(const struct out *o, struct mon_point *p, unsigned cpu,
		    const struct watch_hit *hit)
{
	static const struct {
		unsigned on;
		const char *text;
	} kinds[] = {{WATCH_EXEC, "breakpoint"},     {WATCH_READ, "read"},
		     {WATCH_WRITE, "write"},         {WATCH_CR, "MOV to control register"},
		     {WATCH_MSR, "WRMSR"},           {WATCH_IN, "read of port"},
		     {WATCH_OUT, "write to port"},   {WATCH_EXCEPTION, "exception"},
		     {WATCH_INTERRUPT, "interrupt"}, {WATCH_SHUTDOWN, "triple fault"}};

	if (!p || !p->nr)
		return;
	for (size_t n = 0; n < sizeof(kinds) / sizeof(kinds[0]); n++)
		if (hit->on == kinds[n].on)
			out(o, "%d: %s", p->nr, kinds[n].text);
	if (hit->on & (WATCH_READ | WATCH_WRITE))
		out(o, " of %u bytes at 0x%" PRIx64, hit->size, hit->lin);
	else if (hit->on & (WATCH_EVENTS & ~(unsigned)WATCH_SHUTDOWN))
		out(o, " 0x%" PRIx64 ", value 0x%" PRIx64, hit->lin, hit->value);
	if (hit->on == WATCH_EXCEPTION)
		say_origin(p->env, o, cpu, (unsigned)hit->lin);
	out(o, "%s%s\n", *p->what ? ", " : "", p->what);
}

static void say_values(const struct out *o, struct mon_point *p)
{
	struct expr_env env;
	uint64_t now;

	if (!p || !(p->spec.at.on & WATCH_WRITE) || !*p->what || p->spec.at.physical)
		return;
	view_env(p->env, 0, &env);
	if (expr_number(&env, p->what, &now) < 0)
		return;
	if (p->has_value)
		out(o, "old 0x%" PRIx64 ", ", p->value);
	out(o, "new 0x%" PRIx64 "\n", now);
	p->value = now;
	p->has_value = true;
}

static void run_commands(struct monitor_env *e, char *commands)
{
	struct monitor *m = e->monitors;
	char *save = NULL;

	if (!m)
		return;
	for (char *line = strtok_r(commands, ";", &save); line; line = strtok_r(NULL, ";", &save))
		monitor_command(m, line, say, e);
}

/* Where `next` and its like would have stopped is of no use after another stop. */
static void remove_hidden(struct monitor_env *e)
{
	struct mon_point *next;

	for (struct mon_point *p = e->points; p; p = next) {
		next = p->next;
		if (!p->nr)
			points_remove(e, p);
	}
}

static void on_stop(void *opaque, const struct debug_stop *stop)
{
	struct monitor_env *e = opaque;
	const struct out o = {say, e};
	struct mon_point *p = NULL;
	char commands[256] = "";
	struct view w;

	for (p = e->points; stop->why == STOP_POINT && p && p->id != stop->id;)
		p = p->next;
	if (stop->why == STOP_USER)
		p = NULL;
	for (struct monitor *m = e->monitors; m; m = m->next) {
		if (stop->why == STOP_POINT)
			m->cpu = stop->cpu;
		m->frame = 0;
		m->listed.line = 0;
	}
	/* The end of a call that a step over a line goes on after. */
	if (stepping_goes_on(e, p, &o)) {
		forget(e, p);
		return;
	}
	if (stop->why == STOP_GUEST)
		out(&o, "the guest %s\n",
		    stop->end == END_PANIC ? "reported a panic" : "shut down");
	if (stop->why == STOP_POINT) {
		/* What is loaded is looked at anew by the view: what is said next has its names. */
		if (e->monitors)
			view_begin(&w, e->monitors, &o);
		say_hit(&o, p, stop->cpu, &stop->hit);
		say_values(&o, p);
		if (e->monitors) {
			out(&o, "CPU#%u ", stop->cpu);
			view_here(&w);
			view_end(&w);
		}
	}
	if (p)
		snprintf(commands, sizeof(commands), "%s", p->commands);
	if (p && p->spec.temporary)
		forget(e, p);
	remove_hidden(e);
	run_commands(e, commands);
}

void points_init(struct monitor_env *e)
{
	e->listener = (struct debug_listener){.stopped = on_stop, .opaque = e};
	debug_listen(e->debugger, &e->listener);
	e->watcher = (struct machine_watcher){.event = on_machine, .opaque = e};
	machine_watch(&e->pc->m, &e->watcher);
}

void points_fini(struct monitor_env *e)
{
	machine_unwatch(&e->pc->m, &e->watcher);
	debug_unlisten(e->debugger, &e->listener);
	stepping_end(e);
	while (e->points)
		forget(e, e->points);
}
