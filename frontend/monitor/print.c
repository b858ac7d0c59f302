/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Printing by type. Types are the guest's, so depth, elements and the whole are bounded.
 */
#include "frontend/monitor/print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "frontend/monitor/view.h"

#define MAX_DEPTH    8
#define MAX_ELEMENTS 200
#define MAX_LINES    2000
#define MAX_STRING   200

struct printer {
	struct view *w;
	unsigned lines;
};

static bool is_char(struct expr_type t)
{
	if (t.ptr)
		return false;
	if (t.id & EXPR_BASE)
		return t.id == EXPR_TYPE(1, true);
	return t.of && strcmp(type_name(t.of, type_strip(t.of, t.id)), "char") == 0;
}

static void text_at(struct view *w, uint64_t addr, uint64_t max)
{
	char buf[MAX_STRING + 1];
	size_t n = 0;
	uint8_t c = 0;

	while (n < MAX_STRING && n < max && view_read(w, addr + n, &c, 1) == 0 && c)
		buf[n++] = c >= ' ' && c < 0x7f ? (char)c : '?';
	buf[n] = 0;
	out(w->o, "\"%s\"%s", buf, n == MAX_STRING ? "..." : "");
}

static void scalar(struct view *w, const struct value *v, struct expr_type t, enum type_kind kind)
{
	const struct types *b = t.of;
	const char *name;
	char buf[VIEW_ADDRESS];
	uint64_t n;
	uint8_t probe;

	if (expr_load(&w->env, v, &n) < 0) {
		out(w->o, "<%s>", w->env.err);
		return;
	}
	if (t.ptr) {
		struct expr_type to = {t.of, t.id, t.ptr - 1};

		view_address(w->m->env, n, buf);
		out(w->o, n ? "%s" : "NULL", buf);
		if (n && is_char(to) && view_read(w, n, &probe, 1) == 0) {
			out(w->o, " ");
			text_at(w, n, MAX_STRING);
		}
		return;
	}
	name = b && (kind == TYPE_ENUM || kind == TYPE_ENUM64) ? type_enum_name(b, t.id, (int64_t)n)
							       : NULL;
	if (name) {
		out(w->o, "%s", name);
	} else if (is_char(t)) {
		out(w->o, (char)n >= ' ' && n < 0x7f ? "%d '%c'" : "%d", (int)(int8_t)n, (int)n);
	} else if (t.id & EXPR_BASE ? t.id & EXPR_SIGNED : b && type_signed(b, t.id)) {
		const uint64_t size = expr_size(t);

		out(w->o, v->lvalue ? "%" PRId64 : "%" PRId64 " = 0x%" PRIx64, (int64_t)n,
		    size && size < 8 ? n & ((UINT64_C(1) << size * 8) - 1) : n);
	} else if (t.id == EXPR_U64 && !v->lvalue) {
		view_address(w->m->env, n, buf);
		out(w->o, "%" PRIu64 " = %s", n, strchr(buf, '<') ? buf : "");
		if (!strchr(buf, '<'))
			out(w->o, "0x%" PRIx64, n);
	} else {
		out(w->o, n < 10 ? "%" PRIu64 : "0x%" PRIx64, n);
	}
}

static void print_at(struct printer *p, const struct value *v, unsigned depth);

static void indent(struct printer *p, unsigned depth)
{
	out(p->w->o, "\n%*s", (int)depth * 2, "");
	p->lines++;
}

static void members(struct printer *p, const struct value *v, struct expr_type t, unsigned depth)
{
	struct type_member m;

	out(p->w->o, "{");
	for (unsigned n = 0; type_member(t.of, t.id, n, &m); n++) {
		struct value part = expr_member(t.of, &m, v->addr);

		if (p->lines > MAX_LINES) {
			indent(p, depth + 1);
			out(p->w->o, "...");
			break;
		}
		indent(p, depth + 1);
		if (*m.name)
			out(p->w->o, "%s = ", m.name);
		print_at(p, &part, depth + 1);
		out(p->w->o, ",");
	}
	indent(p, depth);
	out(p->w->o, "}");
}

static void elements(struct printer *p, const struct value *v, struct expr_type t, unsigned depth)
{
	struct expr_type of = {.of = t.of, .id = type_target(t.of, t.id)};
	uint64_t size = type_size(t.of, of.id);
	uint32_t nr = type_elements(t.of, t.id);

	if (is_char(of)) {
		text_at(p->w, v->addr, nr);
		return;
	}
	out(p->w->o, "[");
	for (uint32_t n = 0; n < nr && size; n++) {
		struct value part = {.type = of, .lvalue = true, .addr = v->addr + n * size};

		if (n == MAX_ELEMENTS || p->lines > MAX_LINES) {
			out(p->w->o, "...");
			break;
		}
		out(p->w->o, n ? ", " : "");
		print_at(p, &part, depth + 1);
	}
	out(p->w->o, "]");
}

static void print_at(struct printer *p, const struct value *v, unsigned depth)
{
	const struct expr_type t = expr_strip(v->type);
	const enum type_kind kind = expr_kind(t);

	if (depth > MAX_DEPTH)
		out(p->w->o, "{...}");
	else if (!t.ptr && (kind == TYPE_STRUCT || kind == TYPE_UNION) && v->lvalue)
		members(p, v, t, depth);
	else if (!t.ptr && kind == TYPE_ARRAY && v->lvalue)
		elements(p, v, t, depth);
	else
		scalar(p->w, v, t, kind);
}

void print_value(struct view *w, const struct value *v)
{
	struct printer p = {.w = w};
	char type[128];

	if (v->string) {
		out(w->o, "\"%.*s\"\n", (int)v->len, v->string);
		return;
	}
	if (expr_kind(v->type) == TYPE_PTR) {
		expr_describe(v->type, type, sizeof(type));
		out(w->o, "(%s) ", type);
	}
	print_at(&p, v, 0);
	out(w->o, "\n");
}
