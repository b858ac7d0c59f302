/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the parts of debuginfo.h share.
 */
#ifndef FRONTEND_DEBUG_DEBUGINFO_PRIV_H
#define FRONTEND_DEBUG_DEBUGINFO_PRIV_H

#include "frontend/debug/debuginfo.h"
#include "frontend/debug/debuginfo_lib.h"

/* A compilation unit's piece of the code. */
struct di_range {
	uint64_t lo, hi;
	uint32_t unit;
};

/* A type that has a number. */
struct di_type {
	Dwarf_Die die;
	uint32_t array; /* of a dimension: the array's number */
};

/* Something at the top of a unit, by name. */
struct di_name {
	const char *name; /* the file's */
	Dwarf_Die die;
	int64_t value; /* of an enumeration's constant */
	uint16_t tag;
};

struct debuginfo {
	struct types types; /* first */
	struct debuginfo_lib lib;
	Dwfl_Callbacks callbacks;
	Dwfl *dwfl;
	Dwfl_Module *mod;
	Dwarf *dw;
	char *path;
	struct debuginfo_place place;
	Dwarf_Die *units;
	size_t nr_units, room_units;
	struct di_range *ranges; /* sorted */
	size_t nr_ranges, room_ranges;
	/* Types that have been met, by number, and a hash of their places. */
	struct di_type *met;
	uint32_t nr_met, room_met;
	uint32_t *met_hash;
	/* The index of names, once it has been asked for: a hash table. */
	struct di_name *names;
	size_t nr_names, room_names;
	bool indexed;
};

extern const struct types_ops di_types_ops;

/* The unit that has code at an address; NULL: none. */
Dwarf_Die *di_unit(struct debuginfo *d, uint64_t addr);
#define DI_MAX_SCOPES 32
/* The blocks and functions that an address is in, innermost first; the last one is the function that has a frame. How many. */
unsigned di_scopes(struct debuginfo *d, uint64_t addr, Dwarf_Die scopes[DI_MAX_SCOPES]);
/* By name, with one of the tags (0: any type's); NULL: none. */
const struct di_name *di_find(struct debuginfo *d, const char *name, unsigned tag);
/* The number of the type that a variable, member or the like has. 0: void. */
uint32_t di_type_of(struct debuginfo *d, Dwarf_Die *die);
bool di_unsigned_attr(struct debuginfo *d, Dwarf_Die *die, unsigned attr, uint64_t *out);
/* The path of a file of a unit, without the unit's folder. */
const char *di_short_path(struct debuginfo *d, Dwarf_Die *unit, const char *path);

/* The register with a number of DWARF's, as in struct vcpu; -1: it is none of those. */
int di_register(const struct debuginfo *d, uint64_t number);
/* DWARF's number for the return address. */
unsigned di_return_column(const struct debuginfo *d);

/* What a location expression needs (DWARF 5, 2.5 and 2.6). */
struct di_machine {
	struct expr_env *env;
	const struct frame *f;
	uint64_t slide, slide_from;
	uint64_t addr;       /* of the code, in the file */
	Dwarf_Die *function; /* for its frame base; or NULL */
	Dwarf_Attribute *attr;
	uint64_t initial; /* on the stack, with has_initial */
	bool has_initial;
	unsigned depth;
};

/* Where something is: in memory or a value. 0, or -1 with one line in env->err. */
int di_evaluate(struct debuginfo *d, struct di_machine *m, const Dwarf_Op *ops, size_t nr,
		bool *memory, uint64_t *out);
/* The canonical frame address of code at addr. 0 or -ENOENT. */
int di_cfa(struct debuginfo *d, struct di_machine *m, uint64_t *out);

#endif
