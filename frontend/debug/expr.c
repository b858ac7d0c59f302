/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A recursive-descent parser that evaluates as it goes; precedence as in C (C17 6.5).
 */
#include "frontend/debug/expr.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/vcpu.h"
#include "cpu/watch.h"
#include "frontend/debug/btf.h"
#include "frontend/debug/linux.h"
#include "frontend/debug/memory.h"
#include "hw/pc.h"

#define MAX_DEPTH  64
#define MAX_STRING 256

struct parser {
	struct expr_env *env;
	const char *s;
	unsigned depth;
	bool skipping; /* the side of && or ?: that does not count: nothing is read */
};

static int fail(struct parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct parser *p, const char *fmt, ...)
{
	va_list ap;

	if (*p->env->err)
		return -1;
	va_start(ap, fmt);
	vsnprintf(p->env->err, sizeof(p->env->err), fmt, ap);
	va_end(ap);
	return -1;
}

static struct btf *types(const struct expr_env *env)
{
	return env->linux_guest && env->linux_guest->found ? linux_btf(env->linux_guest) : NULL;
}

static struct value number(uint64_t n)
{
	return (struct value){.type = {.id = EXPR_U64}, .num = n};
}

/* ---- registers ---- */

static const char *const gpr_names[16] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di",
					  "8",  "9",  "10", "11", "12", "13", "14", "15"};

/* "rax", "eax", "ax", "al", "ah", "r8", "r8d", "r8w", "r8b". */
static int gpr_index(const char *name, unsigned *size, unsigned *shift)
{
	char base[8];
	size_t n = strlen(name);

	*shift = 0;
	if (n < 2 || n > 4)
		return -1;
	if (name[0] == 'r' && isdigit((unsigned char)name[1])) {
		char last = name[n - 1];

		*size = last == 'd' ? 4 : last == 'w' ? 2 : last == 'b' ? 1 : 8;
		snprintf(base, sizeof(base), "%.*s", (int)(n - 1 - (*size != 8)), name + 1);
	} else if (n == 3 && (name[0] == 'r' || name[0] == 'e')) {
		*size = name[0] == 'r' ? 8 : 4;
		snprintf(base, sizeof(base), "%s", name + 1);
	} else if (n == 2 && (name[1] == 'l' || name[1] == 'h') && strchr("acdb", name[0])) {
		*size = 1;
		*shift = name[1] == 'h' ? 8 : 0;
		snprintf(base, sizeof(base), "%cx", name[0]);
	} else if (n == 3 && name[2] == 'l') {
		*size = 1;
		snprintf(base, sizeof(base), "%.2s", name);
	} else {
		*size = n == 2 ? 2 : 0;
		snprintf(base, sizeof(base), "%s", name);
	}
	for (int i = 0; *size && i < 16; i++)
		if (strcmp(gpr_names[i], base) == 0 && (i < 8 || name[0] == 'r'))
			return i;
	return -1;
}

static const struct {
	const char *name;
	size_t offset;
} registers[] = {
    {"rip", offsetof(struct vcpu, rip)},
    {"pc", offsetof(struct vcpu, rip)},
    {"sp", offsetof(struct vcpu, gpr[RSP])},
    {"fp", offsetof(struct vcpu, gpr[RBP])},
    {"cr0", offsetof(struct vcpu, cr0)},
    {"cr2", offsetof(struct vcpu, cr2)},
    {"cr3", offsetof(struct vcpu, cr3)},
    {"cr4", offsetof(struct vcpu, cr4)},
    {"dr0", offsetof(struct vcpu, dr[0])},
    {"dr1", offsetof(struct vcpu, dr[1])},
    {"dr2", offsetof(struct vcpu, dr[2])},
    {"dr3", offsetof(struct vcpu, dr[3])},
    {"dr6", offsetof(struct vcpu, dr6)},
    {"dr7", offsetof(struct vcpu, dr7)},
    {"efer", offsetof(struct vcpu, efer)},
    {"xcr0", offsetof(struct vcpu, xcr0)},
    {"fs_base", offsetof(struct vcpu, seg[FS].base)},
    {"gs_base", offsetof(struct vcpu, seg[GS].base)},
    {"k_gs_base", offsetof(struct vcpu, kernel_gs_base)},
    {"kernel_gs_base", offsetof(struct vcpu, kernel_gs_base)},
    {"star", offsetof(struct vcpu, star)},
    {"lstar", offsetof(struct vcpu, lstar)},
    {"cstar", offsetof(struct vcpu, cstar)},
    {"sfmask", offsetof(struct vcpu, sfmask)},
    {"idtr", offsetof(struct vcpu, idt.base)},
    {"gdtr", offsetof(struct vcpu, gdt.base)},
    {"ldtr", offsetof(struct vcpu, ldtr.base)},
    {"tr", offsetof(struct vcpu, tr.base)},
};

bool expr_register(const struct expr_env *env, const char *name, uint64_t *out)
{
	static const char *const sregs[NR_SREGS] = {"es", "cs", "ss", "ds", "fs", "gs"};
	const struct vcpu *v = env->v;
	unsigned size, shift;
	int i;

	for (i = 0; i < NR_SREGS; i++) {
		if (strncmp(name, sregs[i], 2) != 0)
			continue;
		if (!name[2]) {
			*out = v->seg[i].sel;
			return true;
		}
		if (strcmp(name + 2, "_base") == 0) {
			*out = v->seg[i].base;
			return true;
		}
	}
	for (size_t n = 0; n < sizeof(registers) / sizeof(registers[0]); n++)
		if (strcmp(name, registers[n].name) == 0) {
			memcpy(out, (const char *)v + registers[n].offset, 8);
			return true;
		}
	if (strcmp(name, "rflags") == 0 || strcmp(name, "eflags") == 0) {
		*out = rflags_get(v);
		return true;
	}
	if (strcmp(name, "eip") == 0) {
		*out = (uint32_t)v->rip;
		return true;
	}
	if (strcmp(name, "cpl") == 0) {
		*out = vcpu_cpl(v);
		return true;
	}
	if (strcmp(name, "cpu") == 0) {
		*out = env->cpu;
		return true;
	}
	if (env->hit && strcmp(name, "value") == 0) {
		*out = env->hit->value;
		return true;
	}
	if (env->hit && strcmp(name, "number") == 0) {
		*out = env->hit->lin;
		return true;
	}
	i = gpr_index(name, &size, &shift);
	if (i < 0)
		return false;
	*out = v->gpr[i] >> shift;
	if (size < 8)
		*out &= (1ull << size * 8) - 1;
	return true;
}

uint64_t *expr_register_slot(struct vcpu *v, const char *name, unsigned *size)
{
	unsigned shift;
	int i = gpr_index(name, size, &shift);

	if (i >= 0 && (*size == 8 || *size == 4))
		return &v->gpr[i];
	*size = 8;
	for (size_t n = 0; n < 4; n++) /* those that no derived state hangs on */
		if (strcmp(name, registers[n].name) == 0)
			return (uint64_t *)((char *)v + registers[n].offset);
	return NULL;
}

/* ---- types ---- */

uint64_t expr_size(const struct expr_env *env, struct expr_type t)
{
	if (t.ptr)
		return 8;
	if (t.id & EXPR_BASE)
		return t.id & 0xff;
	return types(env) ? btf_size(types(env), t.id) : 0;
}

void expr_describe(const struct expr_env *env, struct expr_type t, char *buf, size_t len)
{
	size_t n;

	if (t.id & EXPR_BASE)
		snprintf(buf, len, "%c%u", t.id & EXPR_SIGNED ? 's' : 'u', (t.id & 0xff) * 8);
	else if (types(env))
		btf_describe(types(env), t.id, buf, len);
	else
		snprintf(buf, len, "void");
	n = strlen(buf);
	for (unsigned i = 0; i < t.ptr && n + 3 < len; i++)
		n += (size_t)snprintf(buf + n, len - n, "%s*", i ? "" : " ");
}

/* Without typedefs; BTF pointers become ours. */
static struct expr_type strip(const struct expr_env *env, struct expr_type t)
{
	struct btf *b = types(env);

	while (b && !t.ptr && !(t.id & EXPR_BASE) && t.id) {
		uint32_t id = btf_strip(b, t.id);

		if (btf_kind(b, id) == BTF_PTR) {
			t.id = btf_target(b, id);
			t.ptr++;
			break;
		}
		t.id = id;
		break;
	}
	return t;
}

static enum btf_kind kind(const struct expr_env *env, struct expr_type t)
{
	t = strip(env, t);
	if (t.ptr)
		return BTF_PTR;
	if (t.id & EXPR_BASE)
		return BTF_INT;
	return types(env) ? btf_kind(types(env), t.id) : BTF_VOID;
}

static bool is_signed(const struct expr_env *env, struct expr_type t)
{
	t = strip(env, t);
	if (t.ptr)
		return false;
	if (t.id & EXPR_BASE)
		return t.id & EXPR_SIGNED;
	return types(env) && btf_signed(types(env), t.id);
}

/* What a pointer points to, or an array is made of. */
static struct expr_type target(const struct expr_env *env, struct expr_type t)
{
	t = strip(env, t);
	if (t.ptr)
		t.ptr--;
	else if (kind(env, t) == BTF_ARRAY)
		t.id = btf_target(types(env), t.id);
	else
		t = (struct expr_type){.id = EXPR_U64};
	return t;
}

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
		enum btf_kind kind;
	} tags[] = {{"struct", BTF_STRUCT}, {"union", BTF_UNION}, {"enum", BTF_ENUM}};
	const char *begin = p->s;
	struct btf *b = types(p->env);
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
		t->id = b ? btf_find(b, tags[i].kind, name) : 0;
		if (!t->id)
			fail(p, b ? "no %s is called %s" : "no type information for %s %s",
			     tags[i].word, name);
		p->s += n;
		goto stars;
	}
	if (take_word(p, "void") || base_type(p, take_word(p, "unsigned"), t))
		goto stars;
	spaces(p);
	n = word_length(p->s);
	snprintf(name, sizeof(name), "%.*s", (int)n, p->s);
	/* A symbol of that name wins: (jiffies) is no cast. */
	t->id =
	    b && n && !linux_symbol(p->env->linux_guest, name) ? btf_find(b, BTF_TYPEDEF, name) : 0;
	if (!t->id) {
		p->s = begin;
		return false;
	}
	p->s += n;
stars:
	while (take(p, "*") || take_word(p, "const"))
		t->ptr += p->s[-1] == '*';
	return true;
}

/* ---- values ---- */

static int read_memory(struct parser *p, uint64_t addr, void *buf, size_t len)
{
	const struct expr_env *env = p->env;

	if (p->skipping) {
		memset(buf, 0, len);
		return 0;
	}
	if (debug_read(env->pc, env->v, addr, buf, len) == 0)
		return 0;
	if (env->linux_guest && env->linux_guest->found && addr >> 63 &&
	    linux_read(env->linux_guest, addr, buf, len) == 0)
		return 0;
	return fail(p, "nothing is mapped at 0x%llx", (unsigned long long)addr);
}

static int load(struct parser *p, const struct value *v, uint64_t *out)
{
	uint64_t size = expr_size(p->env, v->type);

	*out = v->num;
	if (!v->lvalue)
		return 0;
	*out = v->addr;
	switch (kind(p->env, v->type)) {
	case BTF_ARRAY: /* decays, and so may structs */
	case BTF_STRUCT:
	case BTF_UNION:
	case BTF_FUNC_PROTO:
		return 0;
	default:
		break;
	}
	if (!size || size > 8)
		return 0;
	*out = 0;
	if (read_memory(p, v->addr, out, size) < 0)
		return -1;
	if (v->bits) {
		*out = *out >> v->bit;
		if (v->bits < 64)
			*out &= (1ull << v->bits) - 1;
		size = 0;
	}
	if (size && size < 8 && is_signed(p->env, v->type) && *out >> (size * 8 - 1) & 1)
		*out |= ~0ull << size * 8;
	return 0;
}

int expr_load(struct expr_env *env, const struct value *v, uint64_t *out)
{
	struct parser p = {.env = env};

	env->err[0] = 0;
	return load(&p, v, out);
}

static int comma(struct parser *p, struct value *v);

/* percpu(SYMBOL[, CPU]), after the word. */
static int percpu(struct parser *p, struct value *v)
{
	struct linux_guest *g = p->env->linux_guest;
	struct value which;
	uint64_t cpu = p->env->cpu;
	char name[128];
	size_t n;
	const struct symbol *s;

	if (!take(p, "("))
		return fail(p, "percpu(SYMBOL) or percpu(SYMBOL, CPU)");
	spaces(p);
	n = word_length(p->s);
	snprintf(name, sizeof(name), "%.*s", (int)n, p->s);
	p->s += n;
	s = g && g->found ? symtab_find(&g->symbols, name) : NULL;
	if (!s)
		return fail(p, "no per-CPU variable is called %s", name);
	if (take(p, ",") && (comma(p, &which) < 0 || load(p, &which, &cpu) < 0))
		return -1;
	if (!take(p, ")"))
		return fail(p, "a ) is missing");
	*v = number(0);
	v->addr = linux_percpu(g, s->addr, (unsigned)cpu);
	v->lvalue = true;
	if (!v->addr)
		return fail(p, "no CPU %llu", (unsigned long long)cpu);
	if (types(p->env)) {
		uint32_t id = btf_find(types(p->env), BTF_VAR, name);

		if (id)
			v->type.id = btf_target(types(p->env), id);
	}
	return 0;
}

static int symbol(struct parser *p, const char *name, struct value *v)
{
	struct linux_guest *g = p->env->linux_guest;
	const struct symbol *s = g && g->found ? symtab_find(&g->symbols, name) : NULL;
	int64_t constant;
	uint64_t addr;

	if (!s && g && g->found)
		s = symtab_find(&g->modules, name);
	if (s)
		addr = s->addr;
	else if (!p->env->symbol || !p->env->symbol(p->env->opaque, name, &addr)) {
		if (types(p->env) && btf_enum_value(types(p->env), name, &constant)) {
			*v = number((uint64_t)constant);
			return 0;
		}
		return fail(p, "no symbol is called %s", name);
	}
	*v = number(addr);
	if (s && (s->type == 't' || s->type == 'T' || s->type == 'w' || s->type == 'W'))
		return 0;
	/* Data: the variable itself. BTF has types of per-CPU variables only, others are words. */
	v->lvalue = true;
	v->addr = addr;
	return 0;
}

static int string_literal(struct parser *p, struct value *v)
{
	const char *end = strchr(p->s, '"');

	if (!end)
		return fail(p, "a \" is missing");
	*v = number(0);
	v->string = p->s;
	v->len = (size_t)(end - p->s);
	p->s = end + 1;
	return v->len < MAX_STRING ? 0 : fail(p, "a string of %zu bytes is too long", v->len);
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
		return take(p, ")") ? 0 : fail(p, "a ) is missing");
	}
	if (take(p, "\""))
		return string_literal(p, v);
	if (p->s[0] == '\'' && p->s[1] && p->s[2] == '\'') {
		*v = number((unsigned char)p->s[1]);
		p->s += 3;
		return 0;
	}
	if (isdigit((unsigned char)*p->s)) {
		*v = number(strtoull(p->s, &end, 0));
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
		*v = number(0);
		if (expr_register(p->env, name, &v->num))
			return 0;
		return fail(p, "no register is called $%s", name);
	}
	n = word_length(p->s);
	if (!n || n >= sizeof(name))
		return *p->s ? fail(p, "cannot make sense of '%.20s'", p->s)
			     : fail(p, "something is missing at the end");
	memcpy(name, p->s, n);
	name[n] = 0;
	p->s += n;
	if (strcmp(name, "percpu") == 0)
		return percpu(p, v);
	if (strcmp(name, "current") == 0 && p->env->linux_guest && p->env->linux_guest->found) {
		*v = number(linux_current(p->env->linux_guest, p->env->cpu));
		v->type.id = types(p->env) ? btf_find(types(p->env), BTF_STRUCT, "task_struct") : 0;
		v->type.ptr = 1;
		return 0;
	}
	return symbol(p, name, v);
}

static int member(struct parser *p, struct value *v, bool arrow)
{
	struct btf_member m;
	struct expr_type t;
	char name[128];
	uint64_t base;
	size_t n;

	spaces(p);
	n = word_length(p->s);
	snprintf(name, sizeof(name), "%.*s", (int)n, p->s);
	p->s += n;
	t = strip(p->env, v->type);
	if (arrow || t.ptr) {
		if (load(p, v, &base) < 0)
			return -1;
		t = strip(p->env, target(p->env, t));
	} else {
		base = v->addr;
	}
	if (!types(p->env) || t.ptr || t.id & EXPR_BASE ||
	    !btf_member_find(types(p->env), t.id, name, &m))
		return fail(p, "there is no member %s", name);
	*v = (struct value){.type = {.id = m.type}, .lvalue = true};
	v->addr = base + m.bit_offset / 8;
	if (m.bits) {
		uint64_t unit = expr_size(p->env, v->type);

		unit = unit ? unit : 1;
		v->addr = base + m.bit_offset / 8 / unit * unit;
		v->bit = (uint32_t)(m.bit_offset - (v->addr - base) * 8);
		v->bits = m.bits;
	}
	return 0;
}

static int subscript(struct parser *p, struct value *v)
{
	struct expr_type of = target(p->env, v->type);
	uint64_t size = expr_size(p->env, of), base, n;
	struct value index;

	if (load(p, v, &base) < 0 || comma(p, &index) < 0 || load(p, &index, &n) < 0)
		return -1;
	if (!take(p, "]"))
		return fail(p, "a ] is missing");
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
		return fail(p, "too deep");
	spaces(p);
	begin = p->s;
	op = *p->s;
	if (op == '(') {
		p->s++;
		if (take_type(p, &t) && take(p, ")")) {
			if (unary(p, v) < 0 || load(p, v, &n) < 0)
				return -1;
			uint64_t size = expr_size(p->env, t);
			enum btf_kind k = kind(p->env, t);

			if (k == BTF_STRUCT || k == BTF_UNION)
				return fail(p, "cast to a pointer, as in (struct x *)");
			if (size && size < 8) {
				n &= (1ull << size * 8) - 1;
				if (is_signed(p->env, t) && n >> (size * 8 - 1))
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
			*v = number(expr_size(p->env, t));
		} else {
			if ((paren ? comma(p, v) : unary(p, v)) < 0)
				return -1;
			*v = number(expr_size(p->env, v->type));
		}
		p->depth--;
		return paren && !take(p, ")") ? fail(p, "a ) is missing") : 0;
	} else if (strchr("-~!+", op) && op) {
		p->s++;
		if (unary(p, v) < 0 || load(p, v, &n) < 0)
			return -1;
		*v = number(op == '-' ? -n : op == '~' ? ~n : op == '!' ? !n : n);
		if (op == '-')
			v->type.id = EXPR_TYPE(8, true);
		p->depth--;
		return 0;
	} else if (op == '*') {
		p->s++;
		if (unary(p, v) < 0 || load(p, v, &n) < 0)
			return -1;
		*v = (struct value){.type = target(p->env, v->type), .lvalue = true, .addr = n};
		p->depth--;
		return 0;
	} else if (op == '&' && p->s[1] != '&') {
		p->s++;
		if (unary(p, v) < 0)
			return -1;
		if (v->lvalue) {
			v->num = v->addr;
			v->lvalue = false;
			t = strip(p->env, v->type);
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

/* Memory against a literal. */
static int compare_string(struct parser *p, const struct value *memory, const struct value *text,
			  bool *equal)
{
	char buf[MAX_STRING];
	uint64_t at;

	if (load(p, memory, &at) < 0)
		return -1;
	*equal = false;
	for (size_t n = 0; n <= text->len; n++) {
		/* What ends before it is not mapped is another string. */
		if (read_memory(p, at + n, &buf[n], 1) < 0)
			return -1;
		if (buf[n] != (n < text->len ? text->string[n] : 0))
			return 0;
	}
	*equal = true;
	return 0;
}

static int apply(struct parser *p, const char *op, const struct value *l, const struct value *r,
		 struct value *out)
{
	bool sgn = is_signed(p->env, l->type) && is_signed(p->env, r->type), equal;
	struct expr_type lt = strip(p->env, l->type);
	uint64_t a, b, scale = 1;

	if ((op[0] == '=' || op[0] == '!') && (l->string || r->string)) {
		if (compare_string(p, l->string ? r : l, l->string ? l : r, &equal) < 0)
			return -1;
		*out = number(equal == (op[0] == '='));
		return 0;
	}
	if (load(p, l, &a) < 0 || load(p, r, &b) < 0)
		return -1;
	*out = number(0);
	if ((*op == '+' || *op == '-') && (lt.ptr || kind(p->env, lt) == BTF_ARRAY)) {
		struct expr_type of = target(p->env, lt);

		scale = expr_size(p->env, of);
		scale = scale ? scale : 1;
		of.ptr++;
		out->type = of;
		if (strip(p->env, r->type).ptr) { /* a difference */
			*out = number((a - b) / scale);
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
		*out = number(a == b);
		return 0;
	case '!':
		*out = number(a != b);
		return 0;
	case '/':
	case '%':
		if (!b && !p->skipping)
			return fail(p, "division by zero");
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
	*out =
	    number(op[0] == '<' ? less || (op[1] && equal) : (!less && !equal) || (op[1] && equal));
	return 0;
}

static int climb(struct parser *p, int level, struct value *v)
{
	const struct binary *b;

	if (++p->depth > MAX_DEPTH || unary(p, v) < 0)
		return fail(p, "too deep");
	while ((b = peek_binary(p)) && b->level >= level) {
		bool was = p->skipping, logical = b->level <= 2;
		struct value r, l = *v;
		uint64_t a = 0, c;

		p->s += strlen(b->op);
		if (logical) {
			if (load(p, &l, &a) < 0)
				return -1;
			p->skipping |= b->level == 2 ? !a : a != 0;
		}
		if (climb(p, b->level + 1, &r) < 0)
			return -1;
		if (logical) {
			if (load(p, &r, &c) < 0)
				return -1;
			*v = number(b->level == 2 ? a && c : a || c);
		} else if (apply(p, b->op, &l, &r, v) < 0) {
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
	if (load(p, v, &n) < 0)
		return -1;
	p->skipping = was || !n;
	if (comma(p, v) < 0)
		return -1;
	if (!take(p, ":"))
		return fail(p, "a : is missing");
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
	return *p.s ? fail(&p, "cannot make sense of '%.20s'", p.s) : 0;
}

int expr_number(struct expr_env *env, const char *text, uint64_t *out)
{
	struct parser p = {.env = env};
	struct value v;

	if (expr_eval(env, text, &v) < 0)
		return -1;
	return v.string ? fail(&p, "a string is no number") : load(&p, &v, out);
}
