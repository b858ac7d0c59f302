/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Debug information (DWARF) of one file: source lines, functions, variables, types, unwinding. Addresses are those
 * of the file, before it was moved anywhere; a kernel module's are those given for its sections.
 *
 * Only what is asked for is read: a kernel's has hundreds of megabytes.
 */
#ifndef FRONTEND_DEBUG_DEBUGINFO_H
#define FRONTEND_DEBUG_DEBUGINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend/debug/types.h"

struct debuginfo;
struct expr_env;
struct frame;
struct value;

/* Where a file is. */
struct debuginfo_place {
	bool is64;
	uint64_t lo, hi; /* as linked, or, of a relocatable file, where its sections are */
	/* Of a relocatable file, where a section is; 0: it is not there. */
	uint64_t (*section)(void *opaque, const char *name);
	void *opaque;
};

/* 0, -ENOENT: the file has no debug information, -ENOSYS: this program or the host
 * cannot read it, with one line in err, or -errno. */
int debuginfo_open(struct debuginfo **out, const char *path, const struct debuginfo_place *place,
		   char *err, size_t len);
void debuginfo_close(struct debuginfo *d);

/* ---- lines (debuginfo_line.c) ---- */

struct source_line {
	char file
	    [256]; /* as the compiler was given it, without the folder that it worked in if it is in that */
	char dir[256]; /* that folder */
	int line;
	uint64_t lo, hi; /* code of the line around the address: hi is the first byte after it */
	bool begins;     /* a statement begins at lo */
};

/* 0 or -ENOENT. */
int debuginfo_line(struct debuginfo *d, uint64_t addr, struct source_line *out);
/* Where the code of a line begins, of each copy of it. line->file: the end of a path; line->line: if that has none, the next one that
 * has. *line becomes what was found, with the first place. How many, at most max; 0: no such file, or no such line. */
unsigned debuginfo_find_line(struct debuginfo *d, struct source_line *line, uint64_t *addrs,
			     unsigned max);
/* The end of a function's prologue, where its arguments are in place; addr where that is not known. */
uint64_t debuginfo_after_prologue(struct debuginfo *d, uint64_t addr);

/* ---- functions and variables (debuginfo_var.c) ---- */

/* The function that an address is in, and functions that were put into it: 0 is the innermost one. False: no such one.
 * call_line: where it was put into the next one, 0 for the last; call_file: its file. */
bool debuginfo_function(struct debuginfo *d, uint64_t addr, unsigned depth, const char **name,
			const char **call_file, int *call_line);
/* For variables: where the frame's code is in the file. */
struct debuginfo_scope {
	uint64_t addr;
	uint64_t slide;      /* from the file's addresses to the guest's */
	uint64_t slide_from; /* addresses below do not move */
};

/* A variable or argument that is visible there. 0; -ENOENT; -1: it has no value there, with a line in env->err. */
int debuginfo_variable(struct debuginfo *d, const struct debuginfo_scope *s, struct expr_env *env,
		       const char *name, struct value *out);
/* A variable of any unit; the same. */
int debuginfo_global(struct debuginfo *d, const struct debuginfo_scope *s, struct expr_env *env,
		     const char *name, struct value *out);
/* Calls fn for each variable that is visible there, innermost first; value is NULL where it has none, and env->err says
 * why. */
void debuginfo_locals(struct debuginfo *d, const struct debuginfo_scope *s, struct expr_env *env,
		      bool arguments,
		      void (*fn)(void *opaque, const char *name, const struct value *value),
		      void *opaque);

/* ---- types (debuginfo_type.c) ---- */

const struct types *debuginfo_types(struct debuginfo *d);

/* ---- unwinding (debuginfo_cfi.c) ---- */

/* From a frame whose code is at addr in the file to its caller's: registers and, in *cfa, the address of its end. 0, or
 * -ENOENT where the file does not say. */
int debuginfo_unwind(struct debuginfo *d, uint64_t addr, struct expr_env *env, struct frame *f,
		     uint64_t *cfa);

#endif
