/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Printing by type. Types are the guest's, so depth, elements and the whole are bounded.
 */
#include "frontend/monitor/print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "frontend/debug/btf.h"
#include "frontend/debug/linux.h"
#include "frontend/monitor/view.h"

#define MAX_DEPTH    8
#define MAX_ELEMENTS 200
#define MAX_LINES    2000
#define MAX_STRING   200

struct printer {
	struct view *w;
	unsigned lines;
};

static struct btf *types(struct view *w)
{
	return w->linux_guest ? linux_btf(w->linux_guest) : NULL;
}

static bool is_char(struct view *w, struct expr_type t)
{
	struct btf *b = types(w);

	if (t.ptr)
		return false;
	if (t.id & EXPR_BASE)
		return t.id == EXPR_TYPE(1, true);
	return b && strcmp(btf_name(b, btf_strip(b, t.id)), "char") == 0;
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

static void scalar(struct view *w, const struct value *v, struct expr_type t, enum btf_kind kind)
{
	struct btf *b = types(w);
	const char *name;
	char buf[VIEW_ADDRESS];
	uint64_t n;
	uint8_t probe;

	if (expr_load(&w->env, v, &n) < 0) {
		out(w->o, "<%s>", w->env.err);
		return;
	}
	if (t.ptr) {
		struct expr_type to = {t.id, t.ptr - 1};

		view_address(w->m->env, n, buf);
		out(w->o, n ? "%s" : "NULL", buf);
		if (n && is_char(w, to) && view_read(w, n, &probe, 1) == 0) {
			out(w->o, " ");
			text_at(w, n, MAX_STRING);
		}
		return;
	}
	name = b && (kind == BTF_ENUM || kind == BTF_ENUM64) ? btf_enum_name(b, t.id, (int64_t)n)
							     : NULL;
	if (name) {
		out(w->o, "%s", name);
	} else if (is_char(w, t)) {
		out(w->o, (char)n >= ' ' && n < 0x7f ? "%d '%c'" : "%d", (int)(int8_t)n, (int)n);
	} else if (t.id & EXPR_BASE ? t.id & EXPR_SIGNED : b && btf_signed(b, t.id)) {
		out(w->o, v->lvalue ? "%" PRId64 : "%" PRId64 " = 0x%" PRIx64, (int64_t)n, n);
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

static void members(struct printer *p, const struct value *v, uint32_t id, unsigned depth)
{
	struct btf *b = types(p->w);
	struct btf_member m;

	out(p->w->o, "{");
	for (unsigned n = 0; btf_member(b, id, n, &m); n++) {
		uint64_t unit = btf_size(b, m.type);
		struct value part = {.type = {.id = m.type}, .lvalue = true};

		if (p->lines > MAX_LINES) {
			indent(p, depth + 1);
			out(p->w->o, "...");
			break;
		}
		part.addr = v->addr + m.bit_offset / 8;
		if (m.bits) {
			unit = unit ? unit : 1;
			part.addr = v->addr + m.bit_offset / 8 / unit * unit;
			part.bit = (uint32_t)(m.bit_offset - (part.addr - v->addr) * 8);
			part.bits = m.bits;
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

static void elements(struct printer *p, const struct value *v, uint32_t id, unsigned depth)
{
	struct btf *b = types(p->w);
	struct expr_type of = {.id = btf_target(b, id)};
	uint64_t size = btf_size(b, of.id);
	uint32_t nr = btf_elements(b, id);

	if (is_char(p->w, of)) {
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
	struct btf *b = types(p->w);
	struct expr_type t = v->type;
	enum btf_kind kind = BTF_INT;

	if (b && !t.ptr && !(t.id & EXPR_BASE)) {
		t.id = btf_strip(b, t.id);
		kind = btf_kind(b, t.id);
		if (kind == BTF_PTR) {
			t.id = btf_target(b, t.id);
			t.ptr = 1;
		}
	}
	if (depth > MAX_DEPTH)
		out(p->w->o, "{...}");
	else if (!t.ptr && (kind == BTF_STRUCT || kind == BTF_UNION) && v->lvalue)
		members(p, v, t.id, depth);
	else if (!t.ptr && kind == BTF_ARRAY && v->lvalue)
		elements(p, v, t.id, depth);
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
	if (v->type.ptr) {
		expr_describe(&w->env, v->type, type, sizeof(type));
		out(w->o, "(%s) ", type);
	}
	print_at(&p, v, 0);
	out(w->o, "\n");
}
