/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Names of addresses, wherever they come from: a file, or the guest's own table in its memory.
 */
#ifndef FRONTEND_DEBUG_SYMTAB_H
#define FRONTEND_DEBUG_SYMTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbol {
	uint64_t addr;
	uint64_t size;    /* 0: up to the next one */
	char type;        /* as nm prints it; 0: not known */
	const char *name; /* the table's */
};

struct symtab {
	struct symbol *by_addr; /* sorted, after symtab_sort() */
	size_t nr, room;
	struct symbol **by_name;
	char **blocks; /* of names */
	size_t nr_blocks, used;
};

/* All zero is an empty table. */
void symtab_free(struct symtab *s);
/* The name is copied. 0 or -ENOMEM. */
int symtab_add(struct symtab *s, uint64_t addr, uint64_t size, char type, const char *name,
	       size_t len);
/* After the last one was added and before the first search. 0 or -ENOMEM. */
int symtab_sort(struct symtab *s);

/* The symbol that an address is in: the last one at or below it; NULL: none. */
const struct symbol *symtab_at(const struct symtab *s, uint64_t addr);
/* By name; functions first. NULL: none. */
const struct symbol *symtab_find(const struct symtab *s, const char *name);
/* The first in the order of names that begins with the text, and those after it: for completion. */
const struct symbol *symtab_prefix(const struct symtab *s, const char *text, size_t nth);
/* Is it code? */
bool symbol_is_text(const struct symbol *s);
/* A file as nm or /proc/kallsyms print it (System.map). 0, or -errno; -EINVAL: it is not one. */
int symtab_load_map(struct symtab *s, const char *path);

#endif
