/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * break, watch, catch and their kin; step, next, until.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/decode.h"
#include "cpu/vcpu.h"
#include "frontend/debug/memory.h"
#include "frontend/debug/unwind.h"
#include "frontend/monitor/points.h"
#include "frontend/monitor/view.h"
#include "hw/pc.h"
#include "hw/pvpanic.h"

#define MAX_STEPS 100000
#define MAX_INSN  15

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

static bool is_name(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");

	return n && !s[n] && !strchr("0123456789", *s);
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
	char where[VIEW_ADDRESS];
	bool known, physical = a[1].given;
	struct view w;
	uint64_t addr;

	if (a[0].given)
		p.spec.cpu = atoi(a[0].text);
	split_condition(a[2].given ? a[2].text : "", p.what, sizeof(p.what), p.condition,
			sizeof(p.condition));
	p.spec.at = (struct watch_point){.on = WATCH_EXEC, .physical = physical};
	view_begin(&w, m, o);
	if (!*p.what) {
		addr = w.v->seg[CS].base + w.v->rip;
		known = true;
	} else {
		known = expr_number(&w.env, p.what, &addr) == 0;
	}
	if (!known && (!is_name(p.what) || w.linux_guest)) {
		out(o, "%s: %s\n", p.what, w.env.err);
		goto end;
	}
	if (known) {
		p.spec.at.addr = addr;
		view_address(m->env, addr, where);
	}
	p.symbolic = !physical && is_name(p.what);
	p.spec.at.len = known;
	/* A place that is not known yet: one byte, once it is. */
	if (add(m, o, &p, NULL) == 0)
		out(o,
		    known ? "%sbreakpoint %d at %s\n"
			  : "%sbreakpoint %d, once there is a kernel with %s\n",
		    temporary ? "temporary " : "", m->env->next_point, known ? where : p.what);
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
	p.spec.at.len = v.lvalue ? expr_size(&w.env, v.type) : 1;
	if (a[0].given && (expr_number(&w.env, a[0].text, &p.spec.at.len) < 0 || !p.spec.at.len)) {
		out(o, "-s %s is no size\n", a[0].text);
		goto end;
	}
	if (!p.spec.at.len)
		p.spec.at.len = 1;
	p.symbolic = v.lvalue && !p.spec.at.physical && is_name(p.what);
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
			snprintf(where, sizeof(where), "<no kernel yet>");
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

/* ---- stepping ---- */

static bool at_rest(struct monitor *m, const struct out *o)
{
	if (debug_stopped(m->env->debugger))
		return true;
	out(o, "the guest runs: stop it first\n");
	return false;
}

static void here(struct monitor *m, const struct out *o)
{
	struct view w;

	view_begin(&w, m, o);
	view_insn(&w, w.v->seg[CS].base + w.v->rip, false, '>');
	view_end(&w);
}

static bool one_step(struct monitor *m, const struct out *o)
{
	struct debug_stop stop;
	int err = debug_step(m->env->debugger, m->cpu, &stop);

	if (err < 0)
		out(o,
		    err == -EAGAIN ? "CPU#%u is halted: it goes on with an interrupt; cont\n"
				   : "CPU#%u cannot step\n",
		    m->cpu);
	return err == 0 && stop.why == STOP_STEP;
}

static void cmd_step(struct monitor *m, const struct out *o, const struct arg *a)
{
	unsigned long n = a[0].given ? strtoul(a[0].text, NULL, 0) : 1;

	if (!at_rest(m, o))
		return;
	if (n > MAX_STEPS)
		n = MAX_STEPS;
	while (n-- && one_step(m, o))
		;
	here(m, o);
}

/* Goes on to an address, on this CPU, with the stack pointer not below. */
static void run_to(struct monitor *m, const struct out *o, uint64_t addr, uint64_t sp)
{
	struct mon_point p = {
	    .spec = {.at = {.addr = addr, .len = 1, .on = WATCH_EXEC},
		     .cpu = (int)m->cpu,
		     .enabled = true,
		     .temporary = true},
	    .sp = sp,
	};

	if (points_add(m->env, &p, NULL) < 0)
		out(o, "out of memory\n");
	else
		debug_cont(m->env->debugger);
}

/* What is left by coming back to what follows it. */
static bool comes_back(const char *text)
{
	static const char *const words[] = {"call", "rep",     "int ", "int1",
					    "int3", "syscall", "loop", "lock rep"};

	for (size_t n = 0; n < sizeof(words) / sizeof(words[0]); n++)
		if (strncmp(text, words[n], strlen(words[n])) == 0)
			return true;
	return false;
}

static void cmd_next(struct monitor *m, const struct out *o, const struct arg *a)
{
	uint8_t code[MAX_INSN];
	char text[160] = "";
	uint64_t addr = 0, sp = 0;
	struct insn i;
	struct view w;
	size_t have = 0;

	(void)a;
	if (!at_rest(m, o))
		return;
	view_begin(&w, m, o);
	addr = w.v->seg[CS].base + w.v->rip;
	sp = w.v->gpr[RSP];
	while (have < MAX_INSN && view_read(&w, addr + have, code + have, 1) == 0)
		have++;
	if (decode(&i, code, have, debug_code_bits(w.v) / 8, NULL) == DECODE_OK)
		insn_print(text, sizeof(text), &i, addr);
	view_end(&w);
	if (comes_back(text)) {
		run_to(m, o, addr + i.len, strncmp(text, "call", 4) == 0 ? sp : 0);
		return;
	}
	one_step(m, o);
	here(m, o);
}

static void cmd_finish(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct frame f;
	struct view w;
	bool ok;

	(void)a;
	if (!at_rest(m, o))
		return;
	view_begin(&w, m, o);
	unwind_cpu(w.v, &f);
	ok = unwind_next(m->pc, w.v, w.linux_guest, &f) == 0;
	view_end(&w);
	if (!ok)
		out(o, "it is not known what called this\n");
	else
		run_to(m, o, w.v->seg[CS].base + f.ip, f.sp);
}

static void cmd_until(struct monitor *m, const struct out *o, const struct arg *a)
{
	uint64_t addr;
	struct view w;
	bool ok;

	if (!at_rest(m, o))
		return;
	view_begin(&w, m, o);
	ok = view_number(&w, a[0].text, &addr);
	view_end(&w);
	if (ok)
		run_to(m, o, addr, 0);
}

const struct command stop_commands[] = {
    {"break|b|hbreak", "[-c:CPU] [-p] [WHERE...]", cmd_break,
     "stop before an instruction; WHERE is an expression, or EXPR if CONDITION; -p: physical",
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
    {"step|stepi|si", "[N]", cmd_step, "execute one instruction, or N", "step 10"},
    {"next|nexti|ni|n", NULL, cmd_next, "the same, but calls and repeated ones as a whole", "next"},
    {"finish", NULL, cmd_finish, "go on until the function returns", "finish"},
    {"until|advance", "WHERE...", cmd_until, "go on to there", "until $rip + 10"},
    {0},
};
