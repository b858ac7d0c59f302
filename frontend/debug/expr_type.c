/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Types of expressions: those of a table, pointers to them, and integers that need no table.
 */
#include <stdio.h>

#include "frontend/debug/expr_parse.h"

uint64_t expr_size(struct expr_type t)
{
	if (t.ptr)
		return t.of ? t.of->pointer : 8;
	if (t.id & EXPR_BASE)
		return t.id & 0xff;
	return t.of ? type_size(t.of, t.id) : 0;
}

void expr_describe(struct expr_type t, char *buf, size_t len)
{
	char stars[16];
	unsigned n = 0;

	while (n < t.ptr && n < sizeof(stars) - 1)
		stars[n++] = '*';
	stars[n] = 0;
	if (!(t.id & EXPR_BASE) && t.of)
		type_declare(t.of, t.id, stars, buf, len);
	else if (t.id & EXPR_BASE)
		snprintf(buf, len, "%c%u%s%s", t.id & EXPR_SIGNED ? 's' : 'u', (t.id & 0xff) * 8,
			 n ? " " : "", stars);
	else
		snprintf(buf, len, "void%s%s", n ? " " : "", stars);
}

struct expr_type expr_strip(struct expr_type t)
{
	if (!t.of || t.ptr || t.id & EXPR_BASE)
		return t;
	t.id = type_strip(t.of, t.id);
	if (type_kind(t.of, t.id) == TYPE_PTR) {
		t.id = type_target(t.of, t.id);
		t.ptr++;
	}
	return t;
}

enum type_kind expr_kind(struct expr_type t)
{
	t = expr_strip(t);
	if (t.ptr)
		return TYPE_PTR;
	if (t.id & EXPR_BASE)
		return TYPE_INT;
	return t.of ? type_kind(t.of, t.id) : TYPE_VOID;
}

bool expr_signed(struct expr_type t)
{
	t = expr_strip(t);
	if (t.ptr)
		return false;
	if (t.id & EXPR_BASE)
		return t.id & EXPR_SIGNED;
	return t.of && type_signed(t.of, t.id);
}

struct expr_type expr_target(struct expr_type t)
{
	t = expr_strip(t);
	if (t.ptr)
		t.ptr--;
	else if (expr_kind(t) == TYPE_ARRAY)
		t.id = type_target(t.of, t.id);
	else
		t = (struct expr_type){.id = EXPR_U64};
	return t;
}
