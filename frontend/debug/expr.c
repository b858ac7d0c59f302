/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A recursive-descent parser that evaluates as it goes; precedence as in C (C17 6.5).
 */
#include "frontend/debug/expr.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/debug/expr_parse.h"

#define MAX_DEPTH 64

static void spaces(struct parser *p)
{
	while (isspace((unsigned char)*p->s))
		p->s++;
}

static size_t word_length(const char *s)
{
	size_t n = 0;

	if (isalpha((unsigned char)*s) || *s == '_')
		while (isalnum((unsigned char)s[n]) || s[n] == '_')
			n++;
	return n;
}

static bool take(struct parser *p, const char *op)
{
	size_t n = strlen(op);

	spaces(p);
	if (strncmp(p->s, op, n) != 0)
		return false;
	p->s += n;
	return true;
}

static bool take_word(struct parser *p, const char *word)
{
	spaces(p);
	if (word_length(p->s) != strlen(word) || strncmp(p->s, word, strlen(word)) != 0)
		return false;
	p->s += strlen(word);
	return true;
}

static const struct {
	const char *name;
	uint32_t id;
} base_types[] = {
    {"u8", EXPR_TYPE(1, false)},   {"u16", EXPR_TYPE(2, false)}, {"u32", EXPR_TYPE(4, false)},
    {"u64", EXPR_TYPE(8, false)},  {"s8", EXPR_TYPE(1, true)},   {"s16", EXPR_TYPE(2, true)},
    {"s32", EXPR_TYPE(4, true)},   {"s64", EXPR_TYPE(8, true)},  {"char", EXPR_TYPE(1, true)},
    {"short", EXPR_TYPE(2, true)}, {"int", EXPR_TYPE(4, true)},  {"long", EXPR_TYPE(8, true)},
};

static bool base_type(struct parser *p, bool is_unsigned, struct expr_type *t)
{
	for (size_t i = 0; i < sizeof(base_types) / sizeof(base_types[0]); i++)
		if (take_word(p, base_types[i].name)) {
			while (take_word(p, "int") || take_word(p, "long"))
				;
			t->id = is_unsigned ? base_types[i].id & ~EXPR_SIGNED : base_types[i].id;
			return true;
		}
	t->id = EXPR_TYPE(4, false);
	return is_unsigned;
}

/* A type's name, with its stars; false (and nothing taken) where there is none. */
static bool take_type(struct parser *p, struct expr_type *t)
{
	static const struct {
		const char *word;
		enum type_kind kind;
	} tags[] = {{"struct", TYPE_STRUCT}, {"union", TYPE_UNION}, {"enum", TYPE_ENUM}};
	const char *begin = p->s;
	char name[128];
	size_t n;

	*t = (struct expr_type){0};
	while (take_word(p, "const") || take_word(p, "volatile"))
		;
	for (unsigned i = 0; i < 3; i++) {
		if (!take_word(p, tags[i].word))
			continue;
		spaces(p);
		n = word_length(p->s);
		snprintf(name, sizeof(name), "%.*s", (int)n, p->s);
		if (!expr_named_type(p, tags[i].kind, name, t))
			expr_fail(p, "no %s is called %s", tags[i].word, name);
		p->s += n;
		goto stars;
	}
	if (take_word(p, "void") || base_type(p, take_word(p, "unsigned"), t))
		goto stars;
	spaces(p);
	n = word_length(p->s);
	snprintf(name, sizeof(name), "%.*s", (int)n, p->s);
	/* A symbol of that name wins: (jiffies) is no cast. */
	if (!n || expr_is_symbol(p, name) || !expr_named_type(p, TYPE_TYPEDEF, name, t)) {
		p->s = begin;
		return false;
	}
	p->s += n;
stars:
	while (take(p, "*") || take_word(p, "const"))
		t->ptr += p->s[-1] == '*';
	return true;
}

static int comma(struct parser *p, struct value *v);

/* percpu(SYMBOL[, CPU]), after the word. */
static int percpu(struct parser *p, struct value *v)
{
	struct value which;
	uint64_t cpu = p->env->cpu;
	char name[128];
	size_t n;

	if (!take(p, "("))
		return expr_fail(p, "percpu(SYMBOL) or percpu(SYMBOL, CPU)");
	spaces(p);
	n = word_length(p->s);
	snprintf(name, sizeof(name), "%.*s", (int)n, p->s);
	p->s += n;
	if (take(p, ",") && (comma(p, &which) < 0 || expr_load_at(p, &which, &cpu) < 0))
		return -1;
	if (!take(p, ")"))
		return expr_fail(p, "a ) is missing");
	return expr_percpu(p, name, cpu, v);
}

static int string_literal(struct parser *p, struct value *v)
{
	const char *end = strchr(p->s, '"');

	if (!end)
		return expr_fail(p, "a \" is missing");
	*v = expr_u64(0);
	v->string = p->s;
	v->len = (size_t)(end - p->s);
	p->s = end + 1;
	return v->len < EXPR_MAX_STRING ? 0
					: expr_fail(p, "a string of %zu bytes is too long", v->len);
}

static int primary(struct parser *p, struct value *v)
{
	char name[128];
	size_t n;
	char *end;

	spaces(p);
	if (take(p, "(")) {
		if (comma(p, v) < 0)
			return -1;
		return take(p, ")") ? 0 : expr_fail(p, "a ) is missing");
	}
	if (take(p, "\""))
		return string_literal(p, v);
	if (p->s[0] == '\'' && p->s[1] && p->s[2] == '\'') {
		*v = expr_u64((unsigned char)p->s[1]);
		p->s += 3;
		return 0;
	}
	if (isdigit((unsigned char)*p->s)) {
		*v = expr_u64(strtoull(p->s, &end, 0));
		if (p->s[1] != 'x' && !(v->num >> 63))
			v->type.id = EXPR_TYPE(8, true);
		p->s = end + strspn(end, "uUlL");
		return 0;
	}
	if (*p->s == '$') {
		p->s++;
		for (n = 0; (isalnum((unsigned char)p->s[n]) || p->s[n] == '_') && n < 15; n++)
			name[n] = (char)tolower((unsigned char)p->s[n]);
		name[n] = 0;
		p->s += n;
		*v = expr_u64(0);
		if (expr_register(p->env, name, &v->num))
			return 0;
		return expr_fail(p, "no register is called $%s", name);
	}
	n = word_length(p->s);
	if (!n || n >= sizeof(name))
		return *p->s ? expr_fail(p, "cannot make sense of '%.20s'", p->s)
			     : expr_fail(p, "something is missing at the end");
	memcpy(name, p->s, n);
	name[n] = 0;
	p->s += n;
	if (strcmp(name, "percpu") == 0)
		return percpu(p, v);
	return expr_symbol(p, name, v);
}

static int member(struct parser *p, struct value *v, bool arrow)
{
	struct type_member m;
	struct expr_type t;
	struct value was = *v;
	char name[128];
	uint64_t base;
	size_t n;

	spaces(p);
	n = word_length(p->s);
	snprintf(name, sizeof(name), "%.*s", (int)n, p->s);
	p->s += n;
	t = expr_strip(v->type);
	if (arrow || t.ptr) {
		if (expr_load_at(p, v, &base) < 0)
			return -1;
		t = expr_strip(expr_target(t));
		was.lvalue = true;
	} else {
		base = v->addr;
	}
	if (!t.of || t.ptr || t.id & EXPR_BASE || !type_member_find(t.of, t.id, name, &m))
		return expr_fail(p, "there is no member %s", name);
	*v = expr_member(t.of, &m, base);
	if (was.lvalue)
		return 0;
	/* Of a struct that is in a register. */
	n = (m.bits ? m.bits : expr_size(v->type) * 8);
	v->lvalue = false;
	v->num = m.bit_offset < 64 ? was.num >> m.bit_offset : 0;
	if (n < 64)
		v->num &= (1ull << n) - 1;
	v->bits = v->bit = 0;
	return 0;
}

static int subscript(struct parser *p, struct value *v)
{
	struct expr_type of = expr_target(v->type);
	uint64_t size = expr_size(of), base, n;
	struct value index;

	if (expr_load_at(p, v, &base) < 0 || comma(p, &index) < 0 ||
	    expr_load_at(p, &index, &n) < 0)
		return -1;
	if (!take(p, "]"))
		return expr_fail(p, "a ] is missing");
	*v = (struct value){.type = of, .lvalue = true, .addr = base + n * (size ? size : 1)};
	return 0;
}

static int postfix(struct parser *p, struct value *v)
{
	int r = primary(p, v);

	while (r == 0) {
		spaces(p);
		if (take(p, "->"))
			r = member(p, v, true);
		else if (p->s[0] == '.' && word_length(p->s + 1) && p->s++)
			r = member(p, v, false);
		else if (take(p, "["))
			r = subscript(p, v);
		else
			break;
	}
	return r;
}

static int unary(struct parser *p, struct value *v)
{
	struct expr_type t;
	const char *begin;
	uint64_t n;
	char op;

	if (++p->depth > MAX_DEPTH)
		return expr_fail(p, "too deep");
	spaces(p);
	begin = p->s;
	op = *p->s;
	if (op == '(') {
		p->s++;
		if (take_type(p, &t) && take(p, ")")) {
			if (unary(p, v) < 0 || expr_load_at(p, v, &n) < 0)
				return -1;
			uint64_t size = expr_size(t);
			enum type_kind k = expr_kind(t);

			if (k == TYPE_STRUCT || k == TYPE_UNION)
				return expr_fail(p, "cast to a pointer, as in (struct x *)");
			if (size && size < 8) {
				n &= (1ull << size * 8) - 1;
				if (expr_signed(t) && n >> (size * 8 - 1))
					n |= ~0ull << size * 8;
			}
			*v = (struct value){.type = t, .num = n};
			p->depth--;
			return 0;
		}
		p->s = begin;
	} else if (take_word(p, "sizeof")) {
		bool paren = take(p, "(");

		if (paren && take_type(p, &t)) {
			*v = expr_u64(expr_size(t));
		} else {
			if ((paren ? comma(p, v) : unary(p, v)) < 0)
				return -1;
			*v = expr_u64(expr_size(v->type));
		}
		p->depth--;
		return paren && !take(p, ")") ? expr_fail(p, "a ) is missing") : 0;
	} else if (strchr("-~!+", op) && op) {
		p->s++;
		if (unary(p, v) < 0 || expr_load_at(p, v, &n) < 0)
			return -1;
		*v = expr_u64(op == '-' ? -n : op == '~' ? ~n : op == '!' ? !n : n);
		if (op == '-')
			v->type.id = EXPR_TYPE(8, true);
		p->depth--;
		return 0;
	} else if (op == '*') {
		p->s++;
		if (unary(p, v) < 0 || expr_load_at(p, v, &n) < 0)
			return -1;
		*v = (struct value){.type = expr_target(v->type), .lvalue = true, .addr = n};
		p->depth--;
		return 0;
	} else if (op == '&' && p->s[1] != '&') {
		p->s++;
		if (unary(p, v) < 0)
			return -1;
		if (v->lvalue) {
			v->num = v->addr;
			v->lvalue = false;
			t = expr_strip(v->type);
			t.ptr++;
			v->type = t;
		}
		p->depth--;
		return 0;
	}
	p->depth--;
	return postfix(p, v);
}

/* ---- binary operators ---- */

static const struct binary {
	const char *op;
	int level; /* higher binds tighter */
} binaries[] = {
    {"||", 1}, {"&&", 2}, {"==", 6}, {"!=", 6}, {"<<", 8}, {">>", 8},
    {"<=", 7}, {">=", 7}, {"|", 3},  {"^", 4},  {"&", 5},  {"<", 7},
    {">", 7},  {"+", 9},  {"-", 9},  {"*", 10}, {"/", 10}, {"%", 10},
};

static const struct binary *peek_binary(struct parser *p)
{
	spaces(p);
	for (size_t i = 0; i < sizeof(binaries) / sizeof(binaries[0]); i++)
		if (strncmp(p->s, binaries[i].op, strlen(binaries[i].op)) == 0)
			return &binaries[i];
	return NULL;
}

static int climb(struct parser *p, int level, struct value *v)
{
	const struct binary *b;

	if (++p->depth > MAX_DEPTH || unary(p, v) < 0)
		return expr_fail(p, "too deep");
	while ((b = peek_binary(p)) && b->level >= level) {
		bool was = p->skipping, logical = b->level <= 2;
		struct value r, l = *v;
		uint64_t a = 0, c;

		p->s += strlen(b->op);
		if (logical) {
			if (expr_load_at(p, &l, &a) < 0)
				return -1;
			p->skipping |= b->level == 2 ? !a : a != 0;
		}
		if (climb(p, b->level + 1, &r) < 0)
			return -1;
		if (logical) {
			if (expr_load_at(p, &r, &c) < 0)
				return -1;
			*v = expr_u64(b->level == 2 ? a && c : a || c);
		} else if (expr_apply(p, b->op, &l, &r, v) < 0) {
			return -1;
		}
		p->skipping = was;
	}
	p->depth--;
	return 0;
}

static int comma(struct parser *p, struct value *v)
{
	bool was = p->skipping;
	struct value other;
	uint64_t n;

	if (climb(p, 1, v) < 0)
		return -1;
	if (!take(p, "?"))
		return 0;
	if (expr_load_at(p, v, &n) < 0)
		return -1;
	p->skipping = was || !n;
	if (comma(p, v) < 0)
		return -1;
	if (!take(p, ":"))
		return expr_fail(p, "a : is missing");
	p->skipping = was || n;
	if (comma(p, &other) < 0)
		return -1;
	p->skipping = was;
	if (!n)
		*v = other;
	return 0;
}

int expr_eval(struct expr_env *env, const char *text, struct value *out)
{
	struct parser p = {.env = env, .s = text};

	env->err[0] = 0;
	if (comma(&p, out) < 0)
		return -1;
	spaces(&p);
	return *p.s ? expr_fail(&p, "cannot make sense of '%.20s'", p.s) : 0;
}

int expr_number(struct expr_env *env, const char *text, uint64_t *out)
{
	struct parser p = {.env = env};
	struct value v;

	if (expr_eval(env, text, &v) < 0)
		return -1;
	return v.string ? expr_fail(&p, "a string is no number") : expr_load_at(&p, &v, out);
}

bool expr_type_name(struct expr_env *env, const char *text, struct expr_type *out)
{
	struct parser p = {.env = env, .s = text};

	env->err[0] = 0;
	if (!take_type(&p, out))
		return false;
	spaces(&p);
	return !*p.s && !*env->err;
}
