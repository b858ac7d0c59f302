/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The list of files, and what they know together.
 */
#include "frontend/debug/symbols.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cpu/vcpu.h"
#include "frontend/debug/expr.h"
#include "frontend/debug/linux.h"
#include "frontend/debug/linux_module.h"
#include "frontend/debug/symfile.h"
#include "frontend/debug/unwind.h"

#define FAR_AWAY  0x100000 /* from a symbol that has no size: no part of it */
#define MAX_DEPTH 16       /* of folders */

static int add_dir(struct symbols *s, const char *path)
{
	char **more = realloc(s->module_dirs, (s->nr_module_dirs + 1) * sizeof(*more));
	char *copy = strdup(path);

	if (more)
		s->module_dirs = more;
	if (!more || !copy) {
		free(copy);
		return -ENOMEM;
	}
	s->module_dirs[s->nr_module_dirs++] = copy;
	s->modules_seen = UINT64_MAX;
	return 0;
}

int symbols_add(struct symbols *s, const char *path, uint64_t address, char *err, size_t len)
{
	struct symfile *f, **end;
	struct stat st;
	int r;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		r = add_dir(s, path);
		if (r < 0)
			snprintf(err, len, "%s: %s", path, strerror(-r));
		return r < 0 ? -1 : 0;
	}
	r = symfile_open(&f, path, address, err, len);
	if (r < 0)
		return -1;
	for (end = &s->files; *end; end = &(*end)->next)
		if (strcmp((*end)->path, path) == 0) {
			struct symfile *old = *end;

			*end = old->next;
			symfile_close(old);
			break;
		}
	while (*end)
		end = &(*end)->next;
	*end = f;
	s->modules_seen = UINT64_MAX; /* it may be of a module that is loaded */
	return r;
}

void symbols_clear(struct symbols *s)
{
	while (s->files) {
		struct symfile *f = s->files;

		s->files = f->next;
		symfile_close(f);
	}
	for (unsigned n = 0; n < s->nr_module_dirs; n++)
		free(s->module_dirs[n]);
	free(s->module_dirs);
	s->module_dirs = NULL;
	s->nr_module_dirs = 0;
}

void symbols_fini(struct symbols *s)
{
	symbols_clear(s);
	source_clear_rules(s);
}

/* ---- where they are ---- */

/* Finds NAME.ko, NAME.ko.debug, ... in a folder and those in it; '-' and '_' are the same. */
static bool find_module_file(const char *dir, const char *name, unsigned depth, char *path,
			     size_t len)
{
	DIR *d = depth < MAX_DEPTH ? opendir(dir) : NULL;
	const struct dirent *e;
	bool found = false;

	while (d && !found && (e = readdir(d))) {
		size_t n = strcspn(e->d_name, ".");
		char sub[PATH_MAX];

		if (e->d_name[0] == '.')
			continue;
		snprintf(sub, sizeof(sub), "%s/%s", dir, e->d_name);
		if (e->d_type == DT_DIR) {
			found = find_module_file(sub, name, depth + 1, path, len);
			continue;
		}
		if (strcmp(e->d_name + n, ".ko") != 0 && strcmp(e->d_name + n, ".ko.debug") != 0)
			continue;
		found = n == strlen(name);
		for (size_t k = 0; k < n && found; k++)
			found = e->d_name[k] == name[k] || (e->d_name[k] == '-' && name[k] == '_');
		if (found)
			snprintf(path, len, "%s", sub);
	}
	if (d)
		closedir(d);
	return found;
}

static struct symfile *module_file(struct symbols *s, const char *name)
{
	for (struct symfile *f = s->files; f; f = f->next)
		if (f->kind == SYMFILE_MODULE && strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

static void place_modules(struct symbols *s, struct linux_guest *g)
{
	struct linux_module m = {0};
	char path[PATH_MAX], err[200];

	for (struct symfile *f = s->files; f; f = f->next)
		f->here = false;
	while (g && linux_next_module(g, &m)) {
		struct symfile *f = module_file(s, m.name);

		for (unsigned n = 0; !f && n < s->nr_module_dirs; n++)
			if (find_module_file(s->module_dirs[n], m.name, 0, path, sizeof(path)) &&
			    symbols_add(s, path, 0, err, sizeof(err)) >= 0)
				f = module_file(s, m.name);
		if (!f)
			continue;
		symfile_place_module(f, g, &m);
		f->here = true;
	}
	for (struct symfile *f = s->files; f; f = f->next)
		if (f->kind == SYMFILE_MODULE && !f->here)
			symfile_place_module(f, g, NULL);
}

void symbols_place(struct symbols *s, struct linux_guest *g)
{
	const uint64_t mark = g ? g->modules_mark : 0;

	for (struct symfile *f = s->files; f; f = f->next)
		if (f->kind == SYMFILE_KERNEL)
			symfile_place_kernel(f, g);
	if (mark != s->modules_seen) {
		place_modules(s, g);
		s->modules_seen = mark;
	}
}

const struct symtab *symbols_kernel(const struct symbols *s)
{
	for (const struct symfile *f = s->files; f; f = f->next)
		if (f->kind == SYMFILE_KERNEL)
			return &f->symbols;
	return NULL;
}

/* ---- names ---- */

struct symfile *symbols_file(struct symbols *s, uint64_t addr)
{
	struct symfile *best = NULL;

	/* Of a System.map and a vmlinux, that with lines. */
	for (struct symfile *f = s->files; f; f = f->next)
		if (f->placed && addr >= f->lo && addr < f->hi && (!best || !best->debug))
			best = f;
	return best;
}

const struct symbol *symbols_at(struct symbols *s, uint64_t addr, uint64_t *start)
{
	const struct symfile *f = symbols_file(s, addr);
	const struct symbol *found = f ? symtab_at(&f->symbols, addr - f->slide) : NULL;

	if (!found || addr - f->slide - found->addr >= FAR_AWAY)
		return NULL;
	*start = found->addr + f->slide;
	return found;
}

bool symbols_find(struct symbols *s, const char *name, uint64_t *addr, bool *text)
{
	for (const struct symfile *f = s->files; f; f = f->next) {
		const struct symbol *found = f->placed ? symtab_find(&f->symbols, name) : NULL;

		if (!found)
			continue;
		*addr = found->addr + (found->addr >= symfile_fixed(f) ? f->slide : 0);
		if (text)
			*text = symbol_is_text(found);
		return true;
	}
	return false;
}

/* ---- source lines ---- */

bool symbols_line(struct symbols *s, uint64_t addr, struct source_line *out)
{
	const struct symfile *f = symbols_file(s, addr);

	if (!f || !f->debug || debuginfo_line(f->debug, addr - f->slide, out) < 0)
		return false;
	out->lo += f->slide;
	out->hi += f->slide;
	return true;
}

unsigned symbols_find_line(struct symbols *s, struct source_line *line, uint64_t *addrs,
			   unsigned max, bool *known)
{
	for (const struct symfile *f = s->files; f; f = f->next) {
		struct source_line at = *line;
		unsigned nr = f->debug ? debuginfo_find_line(f->debug, &at, addrs, max) : 0;

		if (!nr)
			continue;
		*line = at;
		line->lo += f->slide;
		line->hi += f->slide;
		*known = f->placed;
		for (unsigned n = 0; n < nr; n++)
			addrs[n] += f->slide;
		return nr;
	}
	return 0;
}

bool symbols_function(struct symbols *s, uint64_t addr, unsigned depth, const char **name,
		      const char **call_file, int *call_line)
{
	const struct symfile *f = symbols_file(s, addr);

	return f && f->debug &&
	       debuginfo_function(f->debug, addr - f->slide, depth, name, call_file, call_line);
}

uint64_t symbols_after_prologue(struct symbols *s, uint64_t addr)
{
	const struct symfile *f = symbols_file(s, addr);

	return f && f->debug ? debuginfo_after_prologue(f->debug, addr - f->slide) + f->slide
			     : addr;
}

/* ---- variables and types ---- */

/* The frame's code; after a call, that of the call. */
static uint64_t code_of(const struct expr_env *env)
{
	if (env->frame)
		return env->frame->ip - env->frame->call;
	return env->v->rip;
}

static struct debuginfo_scope scope_of(const struct symfile *f, uint64_t addr)
{
	return (struct debuginfo_scope){addr - f->slide, f->slide, symfile_fixed(f)};
}

int symbols_variable(struct symbols *s, struct expr_env *env, const char *name, struct value *out)
{
	const uint64_t addr = code_of(env);
	struct symfile *f = symbols_file(s, addr);
	struct debuginfo_scope scope;

	if (!f || !f->debug)
		return -ENOENT;
	scope = scope_of(f, addr);
	return debuginfo_variable(f->debug, &scope, env, name, out);
}

int symbols_global(struct symbols *s, struct expr_env *env, const char *name, struct value *out)
{
	struct symfile *own = symbols_file(s, code_of(env));
	int err = -ENOENT;

	/* The file of the code goes first. */
	for (unsigned round = 0; round < 2; round++)
		for (struct symfile *f = s->files; f && err == -ENOENT; f = f->next) {
			struct debuginfo_scope scope = scope_of(f, f->slide);

			if ((f == own) == !round && f->debug && f->placed)
				err = debuginfo_global(f->debug, &scope, env, name, out);
		}
	return err;
}

bool symbols_locals(struct symbols *s, struct expr_env *env, bool arguments,
		    void (*fn)(void *opaque, const char *name, const struct value *value),
		    void *opaque)
{
	const uint64_t addr = code_of(env);
	struct symfile *f = symbols_file(s, addr);
	struct debuginfo_scope scope;
	struct source_line line;

	if (!f || !f->debug || !symbols_line(s, addr, &line))
		return false;
	scope = scope_of(f, addr);
	debuginfo_locals(f->debug, &scope, env, arguments, fn, opaque);
	return true;
}

bool symbols_type(struct symbols *s, const struct expr_env *env, bool own, enum type_kind kind,
		  const char *name, struct expr_type *out)
{
	struct symfile *here = symbols_file(s, code_of(env));

	for (struct symfile *f = s->files; f; f = f->next) {
		if (!f->debug || (own && (f != here || f->kind == SYMFILE_KERNEL)))
			continue;
		*out = (struct expr_type){.of = debuginfo_types(f->debug)};
		out->id = type_find(out->of, kind, name);
		if (out->id)
			return true;
	}
	return false;
}

bool symbols_constant(struct symbols *s, const char *name, int64_t *out)
{
	for (struct symfile *f = s->files; f; f = f->next)
		if (f->debug && type_constant(debuginfo_types(f->debug), name, out))
			return true;
	return false;
}

int symbols_unwind(struct symbols *s, struct expr_env *env, struct frame *f, uint64_t *cfa)
{
	const uint64_t addr = f->ip - f->call;
	struct symfile *file = symbols_file(s, addr);

	return file && file->debug ? debuginfo_unwind(file->debug, addr - file->slide, env, f, cfa)
				   : -ENOENT;
}
