/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What names in expressions mean: variables of the function, globals of its file, those of other files, symbols of
 * the kernel and its modules, enumeration constants; and types by name.
 */
#include <errno.h>
#include <string.h>

#include "cpu/vcpu.h"
#include "frontend/debug/expr_parse.h"
#include "frontend/debug/linux.h"
#include "frontend/debug/symbols.h"
#include "frontend/debug/unwind.h"

static const struct types *kernel_types(const struct parser *p)
{
	return p->env->linux_guest ? linux_types(p->env->linux_guest) : NULL;
}

int expr_percpu(struct parser *p, const char *name, uint64_t cpu, struct value *v)
{
	struct linux_guest *g = p->env->linux_guest;
	const struct symbol *s = g ? symtab_find(&g->symbols, name) : NULL;
	const struct types *t = kernel_types(p);
	uint32_t id = t ? type_find(t, TYPE_VAR, name) : 0;

	if (!s)
		return expr_fail(p, "no per-CPU variable is called %s", name);
	*v = expr_u64(0);
	v->addr = linux_percpu(g, s->addr, cpu < UINT32_MAX ? (unsigned)cpu : UINT32_MAX);
	v->lvalue = true;
	if (!v->addr)
		return expr_fail(p, "no CPU %llu", (unsigned long long)cpu);
	if (id)
		v->type = (struct expr_type){.of = t, .id = type_target(t, id)};
	return 0;
}

static const struct symbol *find_symbol(struct parser *p, const char *name)
{
	struct linux_guest *g = p->env->linux_guest;
	const struct symbol *s = g ? symtab_find(&g->symbols, name) : NULL;

	return s || !g ? s : symtab_find(&g->modules, name);
}

bool expr_is_symbol(struct parser *p, const char *name)
{
	uint64_t addr;

	return find_symbol(p, name) ||
	       (p->env->symbols && symbols_find(p->env->symbols, name, &addr, NULL));
}

static bool constant(struct parser *p, const char *name, struct value *v)
{
	const struct types *t = kernel_types(p);
	int64_t n;

	if (!(t && type_constant(t, name, &n)) &&
	    !(p->env->symbols && symbols_constant(p->env->symbols, name, &n)))
		return false;
	*v = expr_u64((uint64_t)n);
	return true;
}

int expr_symbol(struct parser *p, const char *name, struct value *v)
{
	struct linux_guest *g = p->env->linux_guest;
	const struct types *t = kernel_types(p);
	const struct symbol *s;
	uint64_t addr = 0;
	bool text = false, known;
	int err;

	if (p->env->symbols) {
		err = symbols_variable(p->env->symbols, p->env, name, v);
		if (err != -ENOENT)
			return err < 0 ? -1 : 0;
	}
	if (g && strcmp(name, "current") == 0) {
		*v = expr_u64(linux_current(g, p->env->cpu));
		v->type = (struct expr_type){
		    .of = t, .id = t ? type_find(t, TYPE_STRUCT, "task_struct") : 0, .ptr = 1};
		return 0;
	}
	s = find_symbol(p, name);
	if (s) {
		addr = s->addr;
		text = symbol_is_text(s);
	}
	known = s || (p->env->symbols && symbols_find(p->env->symbols, name, &addr, &text));
	*v = expr_u64(known ? addr : 0);
	if (known && text)
		return 0;
	/* Data: the variable itself, as a word where nothing says its type. */
	if (p->env->symbols && symbols_global(p->env->symbols, p->env, name, v) == 0)
		return 0;
	p->env->err[0] = 0;
	if (!known)
		return constant(p, name, v) ? 0 : expr_fail(p, "no symbol is called %s", name);
	*v = expr_u64(addr);
	v->lvalue = true;
	v->addr = addr;
	return 0;
}

bool expr_named_type(struct parser *p, enum type_kind kind, const char *name, struct expr_type *out)
{
	const struct types *t;

	if (p->env->symbols && symbols_type(p->env->symbols, p->env, true, kind, name, out))
		return true;
	t = kernel_types(p);
	*out = (struct expr_type){.of = t, .id = t ? type_find(t, kind, name) : 0};
	return out->id ||
	       (p->env->symbols && symbols_type(p->env->symbols, p->env, false, kind, name, out));
}
