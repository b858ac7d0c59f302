/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Addresses are printed with the symbols of the guest's kernel and modules.
 */
#include "frontend/monitor/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/decode.h"
#include "cpu/vcpu.h"
#include "frontend/debug/debugger.h"
#include "frontend/debug/linux.h"
#include "frontend/debug/linux_module.h"
#include "frontend/debug/memory.h"
#include "frontend/monitor/list.h"
#include "hw/pc.h"

#define FAR_AWAY 0x100000 /* from a symbol that has no size: no part of it */
#define MAX_INSN 15

void view_env(struct monitor_env *e, unsigned cpu, struct expr_env *env)
{
	const struct vcpu *v = debug_cpu(e->debugger, cpu);
	struct linux_guest *g = &e->linux_guest;

	*env = (struct expr_env){.pc = e->pc, .v = v, .cpu = cpu, .symbols = &e->symbols};
	if (linux_find(g, v))
		env->linux_guest = g;
}

/* Once for each file. */
static void say_warnings(struct view *w)
{
	for (struct symfile *f = w->m->env->symbols.files; f; f = f->next) {
		if (*f->warning)
			out(w->o, "%s\n", f->warning);
		f->warning[0] = 0;
	}
}

void view_begin(struct view *w, struct monitor *m, const struct out *o)
{
	*w = (struct view){.m = m, .o = o};
	w->ran = debug_hold(m->env->debugger);
	w->v = debug_cpu(m->env->debugger, m->cpu);
	view_env(m->env, m->cpu, &w->env);
	w->linux_guest = w->env.linux_guest;
	if (w->linux_guest)
		linux_read_modules(w->linux_guest);
	symbols_place(&m->env->symbols, w->linux_guest);
	say_warnings(w);
	if (m->frame && debug_stopped(m->env->debugger) && view_frame(w, m->frame, &w->frame))
		w->env.frame = &w->frame;
}

struct unwind view_unwind(const struct view *w)
{
	return (struct unwind){w->m->pc, w->v, w->linux_guest, &w->m->env->symbols};
}

bool view_frame(const struct view *w, unsigned n, struct frame *f)
{
	const struct unwind u = view_unwind(w);

	unwind_cpu(w->v, f);
	while (n--)
		if (unwind_next(&u, f) < 0)
			return false;
	return true;
}

void view_end(struct view *w)
{
	debug_release(w->m->env->debugger, w->ran);
}

bool view_number(struct view *w, const char *text, uint64_t *out_)
{
	if (expr_number(&w->env, text, out_) == 0)
		return true;
	out(w->o, "%s: %s\n", text, w->env.err);
	return false;
}

bool view_place(struct view *w, const char *text, uint64_t *out_)
{
	size_t n = strspn(text, " ");
	struct value v;

	text += n;
	n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
	if (!n || text[n + strspn(text + n, " ")] || strchr("0123456789", *text) ||
	    expr_eval(&w->env, text, &v) < 0 || !v.lvalue)
		return view_number(w, text, out_);
	*out_ = v.addr;
	return true;
}

int view_read(struct view *w, uint64_t addr, void *buf, size_t len)
{
	int err = debug_read(w->m->pc, w->v, addr, buf, len);

	if (err < 0 && w->linux_guest && addr >> 63)
		err = linux_read(w->linux_guest, addr, buf, len);
	return err;
}

void view_symbol(struct monitor_env *e, uint64_t addr, bool after, char *buf, size_t len)
{
	struct linux_guest *g = &e->linux_guest;
	const struct symbol *s, *mod;
	uint64_t start = 0;

	*buf = 0;
	s = symbols_at(&e->symbols, addr - after, &start);
	if (!s && g->found) {
		mod = symtab_at(&g->modules, addr - after);
		if (mod && addr - mod->addr >= (mod->size ? mod->size : FAR_AWAY))
			mod = NULL;
		if (addr >= g->text && addr < g->end)
			s = symtab_at(&g->symbols, addr - after);
		s = mod ? mod : s;
		start = s ? s->addr : 0;
	}
	if (!s || addr - start >= FAR_AWAY)
		return;
	if (addr == start)
		snprintf(buf, len, "%s", s->name);
	else
		snprintf(buf, len, "%s+0x%" PRIx64, s->name, addr - start);
}

void view_line(struct monitor_env *e, uint64_t addr, bool after, char *buf, size_t len)
{
	struct source_line line;

	*buf = 0;
	if (symbols_line(&e->symbols, addr - after, &line))
		snprintf(buf, len, "%s:%d", line.file, line.line);
}

void view_address(struct monitor_env *e, uint64_t addr, char buf[VIEW_ADDRESS])
{
	char name[128], line[280];

	view_symbol(e, addr, false, name, sizeof(name));
	view_line(e, addr, false, line, sizeof(line));
	snprintf(buf, VIEW_ADDRESS, "0x%016" PRIx64 "%s%s%s%s%s", addr, *name ? " <" : "", name,
		 *name && *line ? " " : "", *name ? line : "", *name ? ">" : "");
}

/* Where a branch goes, in its text. */
static void target(struct monitor_env *e, const char *text, char *buf, size_t len)
{
	const char *space = strchr(text, ' ');

	*buf = 0;
	if ((text[0] == 'j' || strncmp(text, "call", 4) == 0) && space &&
	    strncmp(space + 1, "0x", 2) == 0)
		view_symbol(e, strtoull(space + 1, NULL, 16), false, buf, len);
}

unsigned view_insn(struct view *w, uint64_t addr, bool physical, char mark)
{
	char where[VIEW_ADDRESS], text[160] = "(bad)", to[128], bytes[3 * MAX_INSN + 1] = "";
	uint8_t code[MAX_INSN];
	unsigned have = 0, len = 1;
	struct insn i;

	while (have < MAX_INSN &&
	       (physical ? aspace_dma_read(&w->m->pc->m.mem, addr + have, code + have, 1)
			 : view_read(w, addr + have, code + have, 1)) == 0)
		have++;
	view_address(w->m->env, addr, where);
	if (!have) {
		out(w->o, "%s: nothing is mapped\n", where);
		return 0;
	}
	if (decode(&i, code, have, debug_code_bits(w->v) / 8, NULL) == DECODE_OK) {
		insn_print(text, sizeof(text), &i, addr);
		len = i.len;
	}
	for (unsigned n = 0; n < len; n++)
		snprintf(bytes + 2 * n, 3, "%02x", code[n]);
	target(w->m->env, text, to, sizeof(to));
	out(w->o, "%c %s: %-20s %s%s%s%s\n", mark, where, bytes, text, *to ? " <" : "", to,
	    *to ? ">" : "");
	return len;
}

void view_here(struct view *w)
{
	const uint64_t addr = w->v->seg[CS].base + w->v->rip;

	view_insn(w, addr, false, '>');
	list_line(w, addr);
}
