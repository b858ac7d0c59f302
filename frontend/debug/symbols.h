/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Files with symbols of what runs in the guest: its kernel, modules of it, programs. Where they are is found in the
 * guest's memory; what they say goes before what the kernel says of itself (linux.h).
 */
#ifndef FRONTEND_DEBUG_SYMBOLS_H
#define FRONTEND_DEBUG_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend/debug/debuginfo.h"
#include "frontend/debug/elf_file.h"
#include "frontend/debug/symtab.h"

struct expr_env;
struct expr_type;
struct frame;
struct linux_guest;
struct value;

enum symfile_kind {
	SYMFILE_KERNEL, /* vmlinux or System.map: moved by KASLR */
	SYMFILE_MODULE, /* .ko: wherever the kernel has put its sections */
	SYMFILE_FIXED,  /* at the address that the user has given, or that it is linked for */
};

struct symfile {
	struct symfile *next;
	enum symfile_kind kind;
	char *path;
	char name[64];       /* of a module */
	struct elf_file elf; /* no data: a System.map */
	struct symtab symbols;
	struct debuginfo *debug; /* or NULL */
	bool placed;             /* it is known where it is */
	bool here;               /* a module that was met in the list */
	uint64_t slide;          /* from its addresses to the guest's */
	uint64_t lo, hi;         /* where it is in the guest */
	uint64_t where;    /* what slide was found for: the kernel's or the module's address */
	char warning[200]; /* it is not what runs there; "": it is, as far as that can be known */
};

/* One of "directory" and "set substitute-path". */
struct source_rule {
	struct source_rule *next;
	char *from; /* NULL: a folder to look in */
	char *to;
};

struct symbols {
	struct symfile *files;
	struct source_rule *sources;
	char **module_dirs; /* where files of modules are looked for */
	unsigned nr_module_dirs;
	uint64_t modules_seen; /* of the kernel's list, to know when it has changed */
};

void symbols_fini(struct symbols *s);
/* A file, or a folder with those of modules; address: where it is, 0: to be found out. It replaces what was read from that path
 * before. 0, or -1 with one line in err; 1: with one line about what cannot be used of it. */
int symbols_add(struct symbols *s, const char *path, uint64_t address, char *err, size_t len);
/* Forgets all of them. */
void symbols_clear(struct symbols *s);
/* Finds out where they are; g: the kernel that runs, NULL: none is found. */
void symbols_place(struct symbols *s, struct linux_guest *g);

/* Symbols of a kernel's file, as linked; NULL: there is none. */
const struct symtab *symbols_kernel(const struct symbols *s);

/* The file that has something at an address; NULL: none. */
struct symfile *symbols_file(struct symbols *s, uint64_t addr);
const struct symbol *symbols_at(struct symbols *s, uint64_t addr, uint64_t *start);
bool symbols_find(struct symbols *s, const char *name, uint64_t *addr, bool *text);
/* The source line at an address; lo and hi are the guest's. */
bool symbols_line(struct symbols *s, uint64_t addr, struct source_line *out);
/* Where a line's code is in the guest; as debuginfo_find_line(). known: false if it has code, but not in the guest yet. */
unsigned symbols_find_line(struct symbols *s, struct source_line *line, uint64_t *addrs,
			   unsigned max, bool *known);
/* As debuginfo_function(). */
bool symbols_function(struct symbols *s, uint64_t addr, unsigned depth, const char **name,
		      const char **call_file, int *call_line);
uint64_t symbols_after_prologue(struct symbols *s, uint64_t addr);

/* Of the frame's function and its source file. 0, -ENOENT, or -1 with a line in env->err. */
int symbols_variable(struct symbols *s, struct expr_env *env, const char *name, struct value *out);
/* Of any; the same. */
int symbols_global(struct symbols *s, struct expr_env *env, const char *name, struct value *out);
/* False: the code there has no debug information. */
bool symbols_locals(struct symbols *s, struct expr_env *env, bool arguments,
		    void (*fn)(void *opaque, const char *name, const struct value *value),
		    void *opaque);
/* A type by name: own: only of the module or program that runs, which may differ from the kernel's. */
bool symbols_type(struct symbols *s, const struct expr_env *env, bool own, enum type_kind kind,
		  const char *name, struct expr_type *out);
bool symbols_constant(struct symbols *s, const char *name, int64_t *out);
/* As debuginfo_unwind(). */
int symbols_unwind(struct symbols *s, struct expr_env *env, struct frame *f, uint64_t *cfa);

/* ---- sources (source.c) ---- */

/* from NULL: a folder. 0 or -ENOMEM. */
int source_add_rule(struct symbols *s, const char *from, const char *to);
void source_clear_rules(struct symbols *s);
/* Where a line's file is on this host, or would be if it were there: false. */
bool source_path(const struct symbols *s, const struct source_line *line, char *path, size_t len);

#endif
