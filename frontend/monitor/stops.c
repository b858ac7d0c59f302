/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * break, watch, catch and their kin.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/vcpu.h"
#include "frontend/monitor/points.h"
#include "frontend/monitor/view.h"
#include "hw/pc.h"
#include "hw/pvpanic.h"

/* "WHERE if CONDITION" */
static void split_condition(const char *text, char *where, size_t len, char *condition, size_t clen)
{
	const char *s = strncmp(text, "if ", 3) == 0 ? text : strstr(text, " if ");

	if (!s) {
		snprintf(where, len, "%s", text);
		*condition = 0;
	} else {
		snprintf(where, len, "%.*s", (int)(s - text), text);
		snprintf(condition, clen, "%s", s + 3 + (*s == ' '));
	}
	while (*where && where[strlen(where) - 1] == ' ')
		where[strlen(where) - 1] = 0;
}

static int add(struct monitor *m, const struct out *o, struct mon_point *p, struct mon_point **out_)
{
	struct monitor_env *e = m->env;
	int err;

	p->spec.enabled = true;
	p->nr = ++e->next_point;
	err = points_add(e, p, out_);
	if (err == 0)
		return 0;
	e->next_point--;
	out(o, "that cannot be: %s\n", strerror(-err));
	return err;
}

static void set_break(struct monitor *m, const struct out *o, const struct arg *a, bool temporary)
{
	struct mon_point p = {.spec = {.cpu = DEBUG_ALL_CPUS, .temporary = temporary}};
	const char *before = temporary ? "temporary " : "";
	uint64_t addrs[POINTS_MAX_PLACES];
	char where[VIEW_ADDRESS], err[200];
	struct view w;
	int nr = 1;

	if (a[0].given)
		p.spec.cpu = atoi(a[0].text);
	split_condition(a[2].given ? a[2].text : "", p.what, sizeof(p.what), p.condition,
			sizeof(p.condition));
	p.spec.at = (struct watch_point){.on = WATCH_EXEC, .physical = a[1].given};
	view_begin(&w, m, o);
	if (*p.what)
		nr = points_place(m->env, &w.env, p.what, addrs, POINTS_MAX_PLACES, NULL, err,
				  sizeof(err));
	else
		addrs[0] = w.v->seg[CS].base + w.v->rip;
	if (nr < 0) {
		out(o, "%s\n", err);
		goto end;
	}
	p.symbolic = !a[1].given && points_symbolic(p.what);
	for (int n = 0; n < nr; n++) {
		p.spec.at.addr = addrs[n];
		p.spec.at.len = 1;
		p.place = (unsigned)n;
		view_address(m->env, addrs[n], where);
		if (add(m, o, &p, NULL) == 0)
			out(o, "%sbreakpoint %d at %s\n", before, m->env->next_point, where);
	}
	/* A place that is not known yet: one byte, once it is. */
	if (!nr && add(m, o, &p, NULL) == 0)
		out(o, "%sbreakpoint %d, once there is a %s with %s\n", before, m->env->next_point,
		    w.linux_guest ? "module" : "kernel", p.what);
end:
	view_end(&w);
}

static void cmd_break(struct monitor *m, const struct out *o, const struct arg *a)
{
	set_break(m, o, a, false);
}

static void cmd_tbreak(struct monitor *m, const struct out *o, const struct arg *a)
{
	set_break(m, o, a, true);
}

static void set_watch(struct monitor *m, const struct out *o, const struct arg *a, unsigned on)
{
	struct mon_point p = {.spec = {.cpu = DEBUG_ALL_CPUS}};
	struct value v;
	struct view w;
	uint64_t addr;

	split_condition(a[2].text, p.what, sizeof(p.what), p.condition, sizeof(p.condition));
	p.spec.at = (struct watch_point){.on = (uint16_t)on, .physical = a[1].given};
	view_begin(&w, m, o);
	if (expr_eval(&w.env, p.what, &v) < 0 || (!v.lvalue && expr_load(&w.env, &v, &addr) < 0)) {
		out(o, "%s: %s\n", p.what, w.env.err);
		goto end;
	}
	p.spec.at.addr = v.lvalue ? v.addr : addr;
	p.spec.at.len = v.lvalue ? expr_size(v.type) : 1;
	if (a[0].given && (expr_number(&w.env, a[0].text, &p.spec.at.len) < 0 || !p.spec.at.len)) {
		out(o, "-s %s is no size\n", a[0].text);
		goto end;
	}
	if (!p.spec.at.len)
		p.spec.at.len = 1;
	p.symbolic = v.lvalue && !p.spec.at.physical && points_symbolic(p.what);
	if (v.lvalue && !p.spec.at.physical)
		p.has_value = expr_load(&w.env, &v, &p.value) == 0;
	if (add(m, o, &p, NULL) == 0)
		out(o, "watchpoint %d: %" PRIu64 " bytes at %s0x%" PRIx64 "\n", m->env->next_point,
		    p.spec.at.len, p.spec.at.physical ? "physical " : "", p.spec.at.addr);
end:
	view_end(&w);
}

static void cmd_watch(struct monitor *m, const struct out *o, const struct arg *a)
{
	set_watch(m, o, a, WATCH_WRITE);
}

static void cmd_rwatch(struct monitor *m, const struct out *o, const struct arg *a)
{
	set_watch(m, o, a, WATCH_READ);
}

static void cmd_awatch(struct monitor *m, const struct out *o, const struct arg *a)
{
	set_watch(m, o, a, WATCH_READ | WATCH_WRITE);
}

static const struct {
	const char *name;
	unsigned on;
	uint64_t all; /* so many numbers, where none is given */
} catches[] = {
    {"exception", WATCH_EXCEPTION, 32},
    {"interrupt", WATCH_INTERRUPT, 256},
    {"cr", WATCH_CR, 16},
    {"msr", WATCH_MSR, 1ull << 32},
    {"in", WATCH_IN, 0x10000},
    {"out", WATCH_OUT, 0x10000},
    {"port", WATCH_IN | WATCH_OUT, 0x10000},
    {"triple-fault", WATCH_SHUTDOWN, 1},
};

#define NR_CATCHES (sizeof(catches) / sizeof(catches[0]))

/* By the kernel's own function, and by the device that it tells. */
static void catch_panic(struct monitor *m, const struct out *o, const char *condition)
{
	const struct mon_point points[] = {
	    {.what = "panic",
	     .symbolic = true,
	     .spec = {.at = {.on = WATCH_EXEC}, .cpu = DEBUG_ALL_CPUS}},
	    {.what = "pvpanic",
	     .spec = {.at = {.on = WATCH_OUT, .addr = PVPANIC_PORT, .len = 1},
		      .cpu = DEBUG_ALL_CPUS}},
	};
	struct mon_point p;
	struct view w;

	for (unsigned n = 0; n < 1u + m->pc->cfg.pvpanic; n++) {
		p = points[n];
		snprintf(p.condition, sizeof(p.condition), "%s", condition);
		view_begin(&w, m, o);
		if (n == 0 && w.linux_guest) {
			p.spec.at.addr = linux_symbol(w.linux_guest, "panic");
			p.spec.at.len = p.spec.at.addr != 0;
		}
		if (add(m, o, &p, NULL) == 0)
			out(o, "catchpoint %d: %s\n", m->env->next_point, p.what);
		view_end(&w);
	}
}

static void cmd_catch(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct mon_point p = {.spec = {.cpu = DEBUG_ALL_CPUS}};
	char where[160];
	struct view w;
	size_t n;

	for (n = 0; n < NR_CATCHES && strcmp(catches[n].name, a[0].text) != 0; n++)
		;
	split_condition(a[1].given ? a[1].text : "", where, sizeof(where), p.condition,
			sizeof(p.condition));
	if (strcmp(a[0].text, "panic") == 0) {
		catch_panic(m, o, p.condition);
		return;
	}
	if (n == NR_CATCHES) {
		out(o,
		    "catch exception, interrupt, cr, msr, in, out, port, triple-fault or panic\n");
		return;
	}
	snprintf(p.what, sizeof(p.what), "%s", a[0].text);
	p.spec.at = (struct watch_point){.on = (uint16_t)catches[n].on, .len = catches[n].all};
	view_begin(&w, m, o);
	if (*where) {
		p.spec.at.len = 1;
		if (!view_number(&w, where, &p.spec.at.addr))
			goto end;
		snprintf(p.what, sizeof(p.what), "%s 0x%" PRIx64, a[0].text, p.spec.at.addr);
	}
	if (add(m, o, &p, NULL) == 0)
		out(o, "catchpoint %d: %s\n", m->env->next_point, p.what);
end:
	view_end(&w);
}

/* ---- the list ---- */

static struct mon_point *numbered(struct monitor *m, const struct out *o, const char *text)
{
	struct mon_point *p = points_find(m->env, atoi(text));

	if (!p || !p->nr) {
		out(o, "there is no point %s; info breakpoints lists them\n", text);
		return NULL;
	}
	return p;
}

static void cmd_delete(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct mon_point *p;

	if (a[0].given) {
		p = numbered(m, o, a[0].text);
		if (p)
			points_remove(m->env, p);
		return;
	}
	while (m->env->points)
		points_remove(m->env, m->env->points);
}

static void enable(struct monitor *m, const struct out *o, const char *text, bool on)
{
	struct mon_point *p = numbered(m, o, text);

	if (!p)
		return;
	p->spec.enabled = on;
	if (p->id)
		debug_enable(m->env->debugger, p->id, on);
}

static void cmd_enable(struct monitor *m, const struct out *o, const struct arg *a)
{
	enable(m, o, a[0].text, true);
}

static void cmd_disable(struct monitor *m, const struct out *o, const struct arg *a)
{
	enable(m, o, a[0].text, false);
}

static void cmd_condition(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct mon_point *p = numbered(m, o, a[0].text);

	if (p)
		snprintf(p->condition, sizeof(p->condition), "%s", a[1].given ? a[1].text : "");
}

static void cmd_ignore(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct mon_point *p = numbered(m, o, a[0].text);

	if (p)
		points_state(p)->ignore = p->spec.ignore = strtoull(a[1].text, NULL, 0);
}

static void cmd_commands(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct mon_point *p = numbered(m, o, a[0].text);

	if (p)
		snprintf(p->commands, sizeof(p->commands), "%s", a[1].given ? a[1].text : "");
}

static void info_breakpoints(struct monitor *m, const struct out *o, const struct arg *a)
{
	(void)a;
	for (struct mon_point *p = m->env->points; p; p = p->next) {
		struct debug_point *d = points_state(p);
		char where[VIEW_ADDRESS] = "";

		if (!p->nr)
			continue;
		if (!p->id)
			snprintf(where, sizeof(where),
				 m->env->linux_guest.found ? "<no such module yet>"
							   : "<no kernel yet>");
		else if (d->at.on & (WATCH_EXEC | WATCH_READ | WATCH_WRITE))
			view_address(m->env, d->at.addr, where);
		out(o, "%-3d %-5s %-8s %s %s, hit %" PRIu64 " times", p->nr,
		    d->at.on & WATCH_EXEC                   ? "break"
		    : d->at.on & (WATCH_READ | WATCH_WRITE) ? "watch"
							    : "catch",
		    d->enabled ? "enabled" : "disabled", where, p->what, d->hits);
		if (d->cpu != DEBUG_ALL_CPUS)
			out(o, ", CPU#%d", d->cpu);
		if (d->ignore)
			out(o, ", ignored %" PRIu64 " times more", d->ignore);
		if (*p->condition)
			out(o, ", if %s", p->condition);
		if (*p->commands)
			out(o, ", commands %s", p->commands);
		out(o, "\n");
	}
}

const struct command stop_commands[] = {
    {"break|b|hbreak", "[-c:CPU] [-p] [WHERE...]", cmd_break,
     "stop before an instruction; WHERE: an expression or FILE:LINE [if CONDITION]; -p: physical",
     "break do_sys_openat2 if (char *)$rsi == \"/etc/passwd\""},
    {"tbreak", "[-c:CPU] [-p] [WHERE...]", cmd_tbreak, "the same, once", "tbreak start_kernel"},
    {"watch", "[-s:SIZE] [-p] PLACE...", cmd_watch, "stop after a write; -p: a physical address",
     "watch jiffies if jiffies > 0xffff0000"},
    {"rwatch", "[-s:SIZE] [-p] PLACE...", cmd_rwatch, "stop after a read", "rwatch *(u32 *)0x1000"},
    {"awatch", "[-s:SIZE] [-p] PLACE...", cmd_awatch, "stop after a read or write",
     "awatch -p -s 4096 0xb8000"},
    {"catch", "WHAT [NUMBER...]", cmd_catch,
     "stop after an exception, interrupt, write of a cr or msr, in, out, port, triple-fault; at a "
     "panic",
     "catch exception 14 if $cr2 < 4096"},
    {"delete", "[N]", cmd_delete, "remove one of these, or all", "delete 1"},
    {"enable", "N", cmd_enable, "let it stop the guest again", "enable 1"},
    {"disable", "N", cmd_disable, "keep it, but do not stop there", "disable 1"},
    {"condition", "N [EXPR...]", cmd_condition, "stop there only if this is not 0",
     "condition 1 $rdi == 5"},
    {"ignore", "N COUNT", cmd_ignore, "let so many hits pass", "ignore 1 100"},
    {"commands", "N [LINE...]", cmd_commands, "what to do there, separated by ;",
     "commands 1 bt; p $rdi; cont"},
    {"info breakpoints|info b", NULL, info_breakpoints, "what stops the guest", "info breakpoints"},
    {0},
};
