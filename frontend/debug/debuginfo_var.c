/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Functions and variables (DWARF 5, chapters 3 and 4), also of functions that were put into others.
 */
#ifdef CONFIG_DW
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/debug/debuginfo_priv.h"
#include "frontend/debug/expr.h"
#include "frontend/debug/unwind.h"

/* The child that covers an address. Functions that were put in have no name of their own. */
static bool child_at(struct debuginfo *d, Dwarf_Die *parent, uint64_t addr, Dwarf_Die *out)
{
	for (int r = d->lib.dwarf_child(parent, out); r == 0;
	     r = d->lib.dwarf_siblingof(out, out)) {
		int tag = d->lib.dwarf_tag(out);

		if ((tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine ||
		     tag == DW_TAG_lexical_block) &&
		    d->lib.dwarf_haspc(out, addr) == 1)
			return true;
	}
	return false;
}

/* libdw's dwarf_getscopes() leaves out what an inlined function was put into. */
unsigned di_scopes(struct debuginfo *d, uint64_t addr, Dwarf_Die scopes[DI_MAX_SCOPES])
{
	Dwarf_Die *unit = di_unit(d, addr), at;
	unsigned nr = 0;

	if (!unit)
		return 0;
	at = *unit;
	while (nr < DI_MAX_SCOPES && child_at(d, &at, addr, &at)) {
		memmove(scopes + 1, scopes, nr * sizeof(*scopes));
		scopes[0] = at;
		nr++;
	}
	return nr;
}

static bool is_function(struct debuginfo *d, Dwarf_Die *die)
{
	int tag = d->lib.dwarf_tag(die);

	return tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine;
}

/* A DIE's name, or that of what it refers to. */
static const char *die_name(struct debuginfo *d, Dwarf_Die *die)
{
	Dwarf_Attribute a;
	const char *s =
	    d->lib.dwarf_attr_integrate(die, DW_AT_name, &a) ? d->lib.dwarf_formstring(&a) : NULL;

	return s ? s : "";
}

static const char *file_name(struct debuginfo *d, Dwarf_Die *die, unsigned attr)
{
	Dwarf_Die unit;
	Dwarf_Files *files;
	const char *path;
	uint64_t n;
	size_t nr;

	if (!di_unsigned_attr(d, die, attr, &n) || !d->lib.dwarf_diecu(die, &unit, NULL, NULL) ||
	    d->lib.dwarf_getsrcfiles(&unit, &files, &nr) < 0 || n >= nr)
		return NULL;
	path = d->lib.dwarf_filesrc(files, n, NULL, NULL);
	return path ? di_short_path(d, &unit, path) : NULL;
}

bool debuginfo_function(struct debuginfo *d, uint64_t addr, unsigned depth, const char **name,
			const char **call_file, int *call_line)
{
	Dwarf_Die scopes[DI_MAX_SCOPES];
	unsigned nr = di_scopes(d, addr, scopes);
	bool found = false;
	uint64_t line = 0;

	for (unsigned n = 0; n < nr && !found; n++) {
		if (!is_function(d, &scopes[n]) || depth--)
			continue;
		found = true;
		*name = die_name(d, &scopes[n]);
		*call_file = NULL;
		*call_line = 0;
		if (d->lib.dwarf_tag(&scopes[n]) != DW_TAG_inlined_subroutine)
			continue;
		*call_file = file_name(d, &scopes[n], DW_AT_call_file);
		if (di_unsigned_attr(d, &scopes[n], DW_AT_call_line, &line))
			*call_line = (int)line;
	}
	return found;
}

/* ---- values ---- */

static int evaluate(struct debuginfo *d, struct di_machine *m, Dwarf_Die *die, struct value *out)
{
	Dwarf_Attribute a;
	Dwarf_Op *ops;
	size_t nr;
	bool memory;
	uint64_t n;

	*out = (struct value){.type = {.of = &d->types, .id = di_type_of(d, die)}};
	if (d->lib.dwarf_attr_integrate(die, DW_AT_const_value, &a)) {
		Dwarf_Sword s;
		Dwarf_Block block;

		if (d->lib.dwarf_formsdata(&a, &s) == 0) {
			out->num = (uint64_t)s;
			return 0;
		}
		if (d->lib.dwarf_formblock(&a, &block) == 0 && block.length <= 8) {
			memcpy(&out->num, block.data, block.length);
			return 0;
		}
	}
	if (!d->lib.dwarf_attr_integrate(die, DW_AT_location, &a) ||
	    d->lib.dwarf_getlocation_addr(&a, m->addr, &ops, &nr, 1) != 1) {
		snprintf(m->env->err, sizeof(m->env->err), "<optimized out>");
		return -1;
	}
	m->attr = &a;
	if (di_evaluate(d, m, ops, nr, &memory, &n) < 0)
		return -1;
	if (memory) {
		out->lvalue = true;
		out->addr = n;
		return 0;
	}
	out->num = n;
	/* The rest of a register is not the variable's. */
	n = expr_size(out->type);
	if (n && n < 8) {
		out->num &= (1ull << n * 8) - 1;
		if (type_signed(out->type.of, out->type.id) && out->num >> (n * 8 - 1))
			out->num |= ~0ull << n * 8;
	}
	return 0;
}

static struct di_machine machine(const struct debuginfo_scope *s, struct expr_env *env,
				 struct frame *f)
{
	if (env->frame)
		*f = *env->frame;
	else
		unwind_cpu(env->v, f);
	return (struct di_machine){
	    .env = env, .f = f, .addr = s->addr, .slide = s->slide, .slide_from = s->slide_from};
}

/* Calls fn for each variable or argument that a DIE has, until it returns false. */
static bool each_child(struct debuginfo *d, struct di_machine *m, Dwarf_Die *parent,
		       bool (*fn)(void *opaque, struct di_machine *m, Dwarf_Die *die), void *opaque)
{
	Dwarf_Die die;

	for (int r = d->lib.dwarf_child(parent, &die); r == 0;
	     r = d->lib.dwarf_siblingof(&die, &die)) {
		int tag = d->lib.dwarf_tag(&die);

		if ((tag == DW_TAG_variable || tag == DW_TAG_formal_parameter) &&
		    !fn(opaque, m, &die))
			return false;
	}
	return true;
}

/* The same for the blocks around the address up to the function that it belongs to, also one that was put into
 * another; then, if globals, for the file. */
static void each_visible(struct debuginfo *d, struct di_machine *m, bool globals,
			 bool (*fn)(void *opaque, struct di_machine *m, Dwarf_Die *die),
			 void *opaque)
{
	Dwarf_Die scopes[DI_MAX_SCOPES], function, *unit = di_unit(d, m->addr);
	unsigned nr = di_scopes(d, m->addr, scopes);

	if (nr) {
		function = scopes[nr - 1];
		m->function = &function;
	}
	for (unsigned n = 0; n < nr; n++) {
		if (!each_child(d, m, &scopes[n], fn, opaque))
			goto end;
		if (is_function(d, &scopes[n]))
			break;
	}
	if (unit && globals)
		each_child(d, m, unit, fn, opaque);
end:
	m->function = NULL;
}

struct search {
	struct debuginfo *d;
	const char *name;
	Dwarf_Die die;
	bool found;
	int err;
	struct value *out;
};

static bool is_it(void *opaque, struct di_machine *m, Dwarf_Die *die)
{
	struct search *s = opaque;

	if (strcmp(die_name(s->d, die), s->name) != 0)
		return true;
	/* A declaration: the variable is elsewhere. */
	if (s->d->lib.dwarf_hasattr(die, DW_AT_declaration))
		return false;
	s->found = true;
	s->err = evaluate(s->d, m, die, s->out);
	return false;
}

int debuginfo_variable(struct debuginfo *d, const struct debuginfo_scope *s, struct expr_env *env,
		       const char *name, struct value *out)
{
	struct search look = {.d = d, .name = name, .out = out};
	struct frame f;
	struct di_machine m = machine(s, env, &f);

	each_visible(d, &m, true, is_it, &look);
	return look.found ? look.err : -ENOENT;
}

int debuginfo_global(struct debuginfo *d, const struct debuginfo_scope *s, struct expr_env *env,
		     const char *name, struct value *out)
{
	const struct di_name *n = di_find(d, name, DW_TAG_variable);
	struct frame f;
	struct di_machine m = machine(s, env, &f);
	Dwarf_Die die;

	if (!n)
		return -ENOENT;
	die = n->die;
	return evaluate(d, &m, &die, out);
}

struct listing {
	struct debuginfo *d;
	bool arguments;
	void (*fn)(void *opaque, const char *name, const struct value *value);
	void *opaque;
};

static bool show(void *opaque, struct di_machine *m, Dwarf_Die *die)
{
	struct listing *l = opaque;
	bool argument = l->d->lib.dwarf_tag(die) == DW_TAG_formal_parameter;
	const char *name = die_name(l->d, die);
	struct di_machine own = *m;
	struct value v;

	if (argument == l->arguments && *name) {
		m->env->err[0] = 0;
		l->fn(l->opaque, name, evaluate(l->d, &own, die, &v) == 0 ? &v : NULL);
	}
	return true;
}

void debuginfo_locals(struct debuginfo *d, const struct debuginfo_scope *s, struct expr_env *env,
		      bool arguments,
		      void (*fn)(void *opaque, const char *name, const struct value *value),
		      void *opaque)
{
	struct listing l = {d, arguments, fn, opaque};
	struct frame f;
	struct di_machine m = machine(s, env, &f);

	each_visible(d, &m, false, show, &l);
}
#endif
