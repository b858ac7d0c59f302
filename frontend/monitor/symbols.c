/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Files of symbols: read, listed, and where their sources are.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/monitor/points.h"
#include "frontend/monitor/view.h"

/* After a change of the files: what waits for a name may have it now. */
static void changed(struct monitor *m, const struct out *o)
{
	struct view w;

	m->env->linux_guest.file = symbols_kernel(&m->env->symbols);
	view_begin(&w, m, o);
	points_resolve(m->env);
	view_end(&w);
}

static void add(struct monitor *m, const struct out *o, const char *path, const char *address)
{
	char err[512];
	uint64_t at = 0;
	struct view w;
	bool ok;

	if (address) {
		view_begin(&w, m, o);
		ok = view_number(&w, address, &at);
		view_end(&w);
		if (!ok)
			return;
	}
	/* Nothing refers to a file's types while no command runs. */
	if (symbols_add(&m->env->symbols, path, at, err, sizeof(err)) != 0)
		out(o, "%s\n", err);
	changed(m, o);
}

static void cmd_symbol_file(struct monitor *m, const struct out *o, const struct arg *a)
{
	symbols_clear(&m->env->symbols);
	m->env->linux_guest.file = NULL;
	if (a[0].given)
		add(m, o, a[0].text, NULL);
}

static void cmd_add_symbol_file(struct monitor *m, const struct out *o, const struct arg *a)
{
	add(m, o, a[0].text, a[1].given ? a[1].text : NULL);
}

static void info_symbol_files(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct symbols *s = &m->env->symbols;
	struct view w;

	(void)a;
	view_begin(&w, m, o);
	if (!s->files && !s->nr_module_dirs)
		out(o, "there are none: symbol-file reads one\n");
	for (const struct symfile *f = s->files; f; f = f->next) {
		const char *what = f->kind == SYMFILE_KERNEL   ? "kernel"
				   : f->kind == SYMFILE_MODULE ? "module "
							       : "program";

		out(o, "%s: %s%s, ", f->path, what, f->name);
		if (!f->placed)
			out(o, "not in the guest (yet)");
		else
			out(o, "0x%" PRIx64 "-0x%" PRIx64, f->lo, f->hi);
		if (f->placed && f->slide)
			out(o, ", moved by 0x%" PRIx64, f->slide);
		out(o, ", %zu symbols%s\n", f->symbols.nr, f->debug ? ", source lines" : "");
	}
	for (unsigned n = 0; n < s->nr_module_dirs; n++)
		out(o, "%s: a folder with modules' files\n", s->module_dirs[n]);
	view_end(&w);
}

static void rule(const struct out *o, struct symbols *s, const char *from, const char *to)
{
	if (source_add_rule(s, from, to) < 0)
		out(o, "%s: %s\n", to, strerror(ENOMEM));
}

static void cmd_directory(struct monitor *m, const struct out *o, const struct arg *a)
{
	if (a[0].given)
		rule(o, &m->env->symbols, NULL, a[0].text);
	else
		source_clear_rules(&m->env->symbols);
}

static void set_substitute_path(struct monitor *m, const struct out *o, const struct arg *a)
{
	rule(o, &m->env->symbols, a[0].text, a[1].text);
}

const struct command symbol_commands[] = {
    {"symbol-file", "[FILE]", cmd_symbol_file,
     "read symbols (vmlinux, System.map, a program) instead of all before; where it is, is found "
     "out",
     "symbol-file /usr/lib/debug/boot/vmlinux-6.1.0-13-amd64"},
    {"add-symbol-file", "FILE [ADDRESS...]", cmd_add_symbol_file,
     "the same, besides others; a module's FILE.ko, or a folder with them, needs no ADDRESS",
     "add-symbol-file /tmp/hello.ko"},
    {"info symbol-files", NULL, info_symbol_files, "files with symbols, and where they are",
     "info symbol-files"},
    {"directory", "[DIR]", cmd_directory, "look for sources there, too; nothing: nowhere else",
     "directory /usr/src/linux"},
    {"set substitute-path", "FROM TO", set_substitute_path,
     "sources that were compiled below FROM are below TO",
     "set substitute-path /build/linux /src/linux"},
    {0},
};
