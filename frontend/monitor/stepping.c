/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * stepi and nexti by instruction; step and next by source line where one is known, as gdb has them: up to the beginning of
 * another line, with calls as a whole (next), or of functions without lines only (step).
 */
#include "frontend/monitor/stepping.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/decode.h"
#include "cpu/vcpu.h"
#include "frontend/debug/memory.h"
#include "frontend/monitor/points.h"
#include "frontend/monitor/view.h"

#define MAX_STEPS      100000
#define MAX_LINE_STEPS 20000 /* instructions: a loop in one line ends with it */
#define MAX_INSN       15

struct stepping {
	struct monitor *m;
	unsigned cpu;
	bool into;          /* calls */
	unsigned long left; /* lines, with this one */
	int line;           /* where it began */
	char file[256];
	uint64_t lo, hi; /* code of the line that it is in */
	bool last;       /* where it is let run to is the end of the line */
};

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
	view_here(&w);
	view_end(&w);
}

static bool one_step(struct monitor *m, const struct out *o)
{
	struct debug_stop stop;
	int err = debug_step(m->env->debugger, m->cpu, &stop);

	m->frame = 0;
	m->listed.line = 0;
	if (err < 0)
		out(o,
		    err == -EAGAIN ? "CPU#%u is halted: it goes on with an interrupt; cont\n"
				   : "CPU#%u cannot step\n",
		    m->cpu);
	return err == 0 && stop.why == STOP_STEP;
}

/* Goes on to an address, on this CPU, with the stack pointer there. */
static bool run_to(struct monitor *m, const struct out *o, uint64_t addr, uint64_t sp)
{
	struct mon_point p = {
	    .spec = {.at = {.addr = addr, .len = 1, .on = WATCH_EXEC},
		     .cpu = (int)m->cpu,
		     .enabled = true,
		     .temporary = true},
	    .sp = sp,
	};

	if (points_add(m->env, &p, NULL) < 0) {
		out(o, "out of memory\n");
		return false;
	}
	debug_cont(m->env->debugger);
	return true;
}

/* ---- instructions ---- */

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

struct next_insn {
	uint64_t addr, after, sp;
	bool call, comes_back;
};

static void look(struct view *w, struct next_insn *n)
{
	uint8_t code[MAX_INSN];
	char text[160] = "";
	struct insn i;
	size_t have = 0;

	*n = (struct next_insn){.addr = w->v->seg[CS].base + w->v->rip, .sp = w->v->gpr[RSP]};
	while (have < MAX_INSN && view_read(w, n->addr + have, code + have, 1) == 0)
		have++;
	if (decode(&i, code, have, debug_code_bits(w->v) / 8, NULL) != DECODE_OK)
		return;
	insn_print(text, sizeof(text), &i, n->addr);
	n->after = n->addr + i.len;
	n->call = strncmp(text, "call", 4) == 0;
	n->comes_back = comes_back(text);
}

static void cmd_stepi(struct monitor *m, const struct out *o, const struct arg *a)
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

static void cmd_nexti(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct next_insn n;
	struct view w;

	(void)a;
	if (!at_rest(m, o))
		return;
	view_begin(&w, m, o);
	look(&w, &n);
	view_end(&w);
	if (n.comes_back) {
		run_to(m, o, n.after, n.call ? n.sp : 0);
		return;
	}
	one_step(m, o);
	here(m, o);
}

/* ---- lines ---- */

static bool begin_line(struct stepping *s, struct view *w)
{
	struct source_line line;

	if (!symbols_line(&s->m->env->symbols, w->v->seg[CS].base + w->v->rip, &line))
		return false;
	s->line = line.line;
	memcpy(s->file, line.file, sizeof(s->file));
	s->lo = line.lo;
	s->hi = line.hi;
	return true;
}

/* The step has come to other code than the line's. True: it ends there. */
static bool other_line(struct stepping *s, uint64_t addr, const struct source_line *line)
{
	s->lo = line->lo;
	s->hi = line->hi;
	/* In the middle of a line: after a return, and where code has been moved about. */
	return line->begins && addr == line->lo &&
	       (line->line != s->line || strcmp(line->file, s->file) != 0);
}

enum outcome { STEP_MORE, STEP_DONE, STEP_RUNS };

/* After a call: through its prologue, or back at once where it has no lines. */
static enum outcome entered(struct stepping *s, const struct out *o)
{
	struct monitor *m = s->m;
	enum outcome r = STEP_DONE;
	struct source_line line;
	uint64_t addr, to, back = 0, sp;
	struct view w;
	bool known, has_return;

	view_begin(&w, m, o);
	addr = w.v->seg[CS].base + w.v->rip;
	sp = w.v->gpr[RSP];
	known = symbols_line(&m->env->symbols, addr, &line);
	to = symbols_after_prologue(&m->env->symbols, addr);
	has_return = view_read(&w, sp, &back, debug_code_bits(w.v) / 8) == 0;
	view_end(&w);
	if (known && to != addr) {
		s->last = true;
		r = run_to(m, o, to, 0) ? STEP_RUNS : STEP_DONE;
	} else if (!known && has_return) {
		r = run_to(m, o, back, sp + debug_code_bits(w.v) / 8) ? STEP_RUNS : STEP_DONE;
	}
	return r;
}

static enum outcome step_in_line(struct stepping *s, const struct out *o)
{
	struct monitor *m = s->m;
	struct source_line line;
	struct next_insn n;
	struct view w;
	bool known = true, ends = false;

	view_begin(&w, m, o);
	look(&w, &n);
	if (n.addr < s->lo || n.addr >= s->hi) {
		known = symbols_line(&m->env->symbols, n.addr, &line);
		ends = known && other_line(s, n.addr, &line);
	}
	view_end(&w);
	if (ends || !known) /* left to where there are no lines */
		return STEP_DONE;
	if (n.comes_back && (!n.call || !s->into))
		return run_to(m, o, n.after, n.call ? n.sp : 0) ? STEP_RUNS : STEP_DONE;
	if (!one_step(m, o))
		return STEP_DONE;
	return n.call ? entered(s, o) : STEP_MORE;
}

static void go_on(struct monitor_env *e, const struct out *o)
{
	struct stepping *s = e->stepping;
	unsigned steps = 0;

	while (s->left) {
		enum outcome r = s->last ? STEP_DONE : step_in_line(s, o);
		struct view w;

		if (r == STEP_RUNS)
			return;
		if (r == STEP_MORE && ++steps < MAX_LINE_STEPS)
			continue;
		s->last = false;
		steps = 0;
		if (--s->left) {
			view_begin(&w, s->m, o);
			if (!begin_line(s, &w))
				s->left = 0;
			view_end(&w);
		}
	}
	out(o, "CPU#%u ", s->cpu);
	here(s->m, o);
	stepping_end(e);
}

void stepping_end(struct monitor_env *e)
{
	free(e->stepping);
	e->stepping = NULL;
}

bool stepping_goes_on(struct monitor_env *e, const struct mon_point *p, const struct out *o)
{
	if (!e->stepping)
		return false;
	if (!p || p->nr || p->spec.cpu != (int)e->stepping->cpu) {
		stepping_end(e);
		return false;
	}
	go_on(e, o);
	return true;
}

static void step_lines(struct monitor *m, const struct out *o, const struct arg *a, bool into)
{
	struct stepping s = {.m = m, .cpu = m->cpu, .into = into, .left = 1};
	struct view w;
	bool known;

	if (!at_rest(m, o))
		return;
	if (a[0].given)
		s.left = strtoul(a[0].text, NULL, 0);
	view_begin(&w, m, o);
	known = begin_line(&s, &w);
	view_end(&w);
	if (!known) {
		(into ? cmd_stepi : cmd_nexti)(m, o, a);
		return;
	}
	stepping_end(m->env);
	m->env->stepping = malloc(sizeof(s));
	if (!m->env->stepping)
		return;
	*m->env->stepping = s;
	go_on(m->env, o);
}

static void cmd_step(struct monitor *m, const struct out *o, const struct arg *a)
{
	step_lines(m, o, a, true);
}

static void cmd_next(struct monitor *m, const struct out *o, const struct arg *a)
{
	step_lines(m, o, a, false);
}

static void cmd_finish(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct unwind u;
	struct frame f;
	struct view w;
	bool ok;

	(void)a;
	if (!at_rest(m, o))
		return;
	view_begin(&w, m, o);
	u = view_unwind(&w);
	ok = view_frame(&w, m->frame, &f) && unwind_next(&u, &f) == 0;
	view_end(&w);
	if (!ok)
		out(o, "it is not known what called this\n");
	else
		run_to(m, o, w.v->seg[CS].base + f.ip, f.gpr[RSP]);
}

static void cmd_until(struct monitor *m, const struct out *o, const struct arg *a)
{
	char err[200];
	uint64_t addr;
	struct view w;
	int nr;

	if (!at_rest(m, o))
		return;
	view_begin(&w, m, o);
	nr = points_place(m->env, &w.env, a[0].text, &addr, 1, NULL, err, sizeof(err));
	view_end(&w);
	if (nr < 1)
		out(o, "%s\n", *err ? err : "it is not in the guest yet");
	else
		run_to(m, o, addr, 0);
}

const struct command step_commands[] = {
    {"step|s", "[N]", cmd_step,
     "go on to another source line, also in functions called; one instruction where lines are not "
     "known",
     "step"},
    {"next|n", "[N]", cmd_next, "the same, but calls as a whole", "next"},
    {"stepi|si", "[N]", cmd_stepi, "execute one instruction, or N", "stepi 10"},
    {"nexti|ni", NULL, cmd_nexti, "the same, but calls and repeated ones as a whole", "nexti"},
    {"finish", NULL, cmd_finish, "go on until the frame's function returns", "finish"},
    {"until|advance", "WHERE...", cmd_until, "go on to there", "until $rip + 10"},
    {0},
};
