/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What values are in the guest's memory, and what C's operators make of two of them (C17 6.5).
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "frontend/debug/expr_parse.h"
#include "frontend/debug/linux.h"
#include "frontend/debug/memory.h"

int expr_fail(struct parser *p, const char *fmt, ...)
{
	va_list ap;

	if (*p->env->err)
		return -1;
	va_start(ap, fmt);
	vsnprintf(p->env->err, sizeof(p->env->err), fmt, ap);
	va_end(ap);
	return -1;
}

struct value expr_u64(uint64_t n)
{
	return (struct value){.type = {.id = EXPR_U64}, .num = n};
}

int expr_read(struct parser *p, uint64_t addr, void *buf, size_t len)
{
	const struct expr_env *env = p->env;

	if (p->skipping) {
		memset(buf, 0, len);
		return 0;
	}
	if (debug_read(env->pc, env->v, addr, buf, len) == 0)
		return 0;
	if (env->linux_guest && addr >> 63 && linux_read(env->linux_guest, addr, buf, len) == 0)
		return 0;
	return expr_fail(p, "nothing is mapped at 0x%llx", (unsigned long long)addr);
}

int expr_load_at(struct parser *p, const struct value *v, uint64_t *out)
{
	uint64_t size = expr_size(v->type);

	*out = v->num;
	if (!v->lvalue)
		return 0;
	*out = v->addr;
	switch (expr_kind(v->type)) {
	case TYPE_ARRAY: /* decays, and so may structs */
	case TYPE_STRUCT:
	case TYPE_UNION:
	case TYPE_FUNC_PROTO:
		return 0;
	default:
		break;
	}
	if (!size || size > 8)
		return 0;
	*out = 0;
	if (expr_read(p, v->addr, out, size) < 0)
		return -1;
	if (v->bits) {
		*out = *out >> v->bit;
		if (v->bits < 64)
			*out &= (1ull << v->bits) - 1;
		size = 0;
	}
	if (size && size < 8 && expr_signed(v->type) && *out >> (size * 8 - 1) & 1)
		*out |= ~0ull << size * 8;
	return 0;
}

int expr_load(struct expr_env *env, const struct value *v, uint64_t *out)
{
	struct parser p = {.env = env};

	env->err[0] = 0;
	return expr_load_at(&p, v, out);
}

/* Memory against a literal. */
static int compare_string(struct parser *p, const struct value *memory, const struct value *text,
			  bool *equal)
{
	char buf[EXPR_MAX_STRING];
	uint64_t at;

	if (expr_load_at(p, memory, &at) < 0)
		return -1;
	*equal = false;
	for (size_t n = 0; n <= text->len; n++) {
		/* What ends before it is not mapped is another string. */
		if (expr_read(p, at + n, &buf[n], 1) < 0)
			return -1;
		if (buf[n] != (n < text->len ? text->string[n] : 0))
			return 0;
	}
	*equal = true;
	return 0;
}

int expr_apply(struct parser *p, const char *op, const struct value *l, const struct value *r,
	       struct value *out)
{
	bool sgn = expr_signed(l->type) && expr_signed(r->type), equal;
	struct expr_type lt = expr_strip(l->type);
	uint64_t a, b, scale = 1;

	if ((op[0] == '=' || op[0] == '!') && (l->string || r->string)) {
		if (compare_string(p, l->string ? r : l, l->string ? l : r, &equal) < 0)
			return -1;
		*out = expr_u64(equal == (op[0] == '='));
		return 0;
	}
	if (expr_load_at(p, l, &a) < 0 || expr_load_at(p, r, &b) < 0)
		return -1;
	*out = expr_u64(0);
	if ((*op == '+' || *op == '-') && (lt.ptr || expr_kind(lt) == TYPE_ARRAY)) {
		struct expr_type of = expr_target(lt);

		scale = expr_size(of);
		scale = scale ? scale : 1;
		of.ptr++;
		out->type = of;
		if (expr_strip(r->type).ptr) { /* a difference */
			*out = expr_u64((a - b) / scale);
			return 0;
		}
	} else if (sgn) {
		out->type.id = EXPR_TYPE(8, true);
	}
	switch (op[0]) {
	case '|':
		out->num = a | b;
		return 0;
	case '^':
		out->num = a ^ b;
		return 0;
	case '&':
		out->num = a & b;
		return 0;
	case '+':
		out->num = a + b * scale;
		return 0;
	case '-':
		out->num = a - b * scale;
		return 0;
	case '*':
		out->num = a * b;
		return 0;
	case '=':
		*out = expr_u64(a == b);
		return 0;
	case '!':
		*out = expr_u64(a != b);
		return 0;
	case '/':
	case '%':
		if (!b && !p->skipping)
			return expr_fail(p, "division by zero");
		if (!b)
			return 0;
		if (sgn && (int64_t)b != -1)
			out->num = op[0] == '/' ? (uint64_t)((int64_t)a / (int64_t)b)
						: (uint64_t)((int64_t)a % (int64_t)b);
		else if (sgn)
			out->num = op[0] == '/' ? -a : 0;
		else
			out->num = op[0] == '/' ? a / b : a % b;
		return 0;
	}
	if (op[0] == op[1]) { /* shifts */
		if (b > 63)
			out->num = op[0] == '>' && sgn && a >> 63 ? ~0ull : 0;
		else if (op[0] == '<')
			out->num = a << b;
		else
			out->num = sgn ? (uint64_t)((int64_t)a >> b) : a >> b;
		return 0;
	}
	bool less = sgn ? (int64_t)a < (int64_t)b : a < b;

	equal = a == b;
	*out = expr_u64(op[0] == '<' ? less || (op[1] && equal)
				     : (!less && !equal) || (op[1] && equal));
	return 0;
}

struct value expr_member(const struct types *of, const struct type_member *m, uint64_t base)
{
	struct value v = {.type = {.of = of, .id = m->type}, .lvalue = true};
	uint64_t unit;

	v.addr = base + m->bit_offset / 8;
	if (m->bits) { /* it is within a unit of its type */
		unit = expr_size(v.type);
		unit = unit ? unit : 1;
		v.addr = base + m->bit_offset / 8 / unit * unit;
		v.bit = (uint32_t)(m->bit_offset - (v.addr - base) * 8);
		v.bits = m->bits;
	}
	return v;
}
