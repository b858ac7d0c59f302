/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A program that is built without libdw: no file can be opened, so nothing else is ever asked.
 */
#ifndef CONFIG_DW
#include <errno.h>
#include <stdio.h>

#include "frontend/debug/debuginfo.h"

int debuginfo_open(struct debuginfo **out, const char *path, const struct debuginfo_place *place,
		   char *err, size_t len)
{
	(void)out, (void)path, (void)place;
	snprintf(err, len,
		 "this doppel is built without libdw, so without source lines; install libdw-dev, "
		 "and configure without --static");
	return -ENOSYS;
}

void debuginfo_close(struct debuginfo *d)
{
	(void)d;
}

int debuginfo_line(struct debuginfo *d, uint64_t addr, struct source_line *out)
{
	(void)d, (void)addr, (void)out;
	return -ENOENT;
}

unsigned debuginfo_find_line(struct debuginfo *d, struct source_line *line, uint64_t *addrs,
			     unsigned max)
{
	(void)d, (void)line, (void)addrs, (void)max;
	return 0;
}

uint64_t debuginfo_after_prologue(struct debuginfo *d, uint64_t addr)
{
	(void)d;
	return addr;
}

bool debuginfo_function(struct debuginfo *d, uint64_t addr, unsigned depth, const char **name,
			const char **call_file, int *call_line)
{
	(void)d, (void)addr, (void)depth, (void)name, (void)call_file, (void)call_line;
	return false;
}

int debuginfo_variable(struct debuginfo *d, const struct debuginfo_scope *s, struct expr_env *env,
		       const char *name, struct value *out)
{
	(void)d, (void)s, (void)env, (void)name, (void)out;
	return -ENOENT;
}

int debuginfo_global(struct debuginfo *d, const struct debuginfo_scope *s, struct expr_env *env,
		     const char *name, struct value *out)
{
	(void)d, (void)s, (void)env, (void)name, (void)out;
	return -ENOENT;
}

void debuginfo_locals(struct debuginfo *d, const struct debuginfo_scope *s, struct expr_env *env,
		      bool arguments,
		      void (*fn)(void *opaque, const char *name, const struct value *value),
		      void *opaque)
{
	(void)d, (void)s, (void)env, (void)arguments, (void)fn, (void)opaque;
}

const struct types *debuginfo_types(struct debuginfo *d)
{
	(void)d;
	return NULL;
}

int debuginfo_unwind(struct debuginfo *d, uint64_t addr, struct expr_env *env, struct frame *f,
		     uint64_t *cfa)
{
	(void)d, (void)addr, (void)env, (void)f, (void)cfa;
	return -ENOENT;
}
#endif
