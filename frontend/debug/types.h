/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Types of C programs, whatever describes them: BTF of a kernel (btf.h) or DWARF of a file (dwarf_types.h). A
 * type is a number in its table; 0 is void.
 */
#ifndef FRONTEND_DEBUG_TYPES_H
#define FRONTEND_DEBUG_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbered as in BTF. */
enum type_kind {
	TYPE_VOID,
	TYPE_INT,
	TYPE_PTR,
	TYPE_ARRAY,
	TYPE_STRUCT,
	TYPE_UNION,
	TYPE_ENUM,
	TYPE_FWD,
	TYPE_TYPEDEF,
	TYPE_VOLATILE,
	TYPE_CONST,
	TYPE_RESTRICT,
	TYPE_FUNC,
	TYPE_FUNC_PROTO,
	TYPE_VAR,
	TYPE_DATASEC,
	TYPE_FLOAT,
	TYPE_DECL_TAG,
	TYPE_TAG,
	TYPE_ENUM64,
	TYPE_KINDS,
};

struct type_member {
	const char *name; /* "" where it has none */
	uint32_t type;
	uint32_t bit_offset;
	uint32_t bits; /* of a bit field, else 0 */
};

struct types;

/* Each function answers for a type that exists, and says nothing (0, "", false) for others. */
struct types_ops {
	enum type_kind (*kind)(const struct types *t, uint32_t id);
	const char *(*name)(const struct types *t, uint32_t id);
	uint32_t (*target)(const struct types *t, uint32_t id);
	/* Bytes of an integer, struct, union, enum or float. */
	uint64_t (*size)(const struct types *t, uint32_t id);
	uint32_t (*elements)(const struct types *t, uint32_t id);
	bool (*is_signed)(const struct types *t, uint32_t id);
	bool (*member)(const struct types *t, uint32_t id, unsigned n, struct type_member *out);
	bool (*enumerator)(const struct types *t, uint32_t id, unsigned n, const char **name,
			   int64_t *value);
	uint32_t (*find)(const struct types *t, enum type_kind kind, const char *name);
	bool (*constant)(const struct types *t, const char *name, int64_t *value);
};

/* A table of types is one of these at its beginning. */
struct types {
	const struct types_ops *ops;
	uint8_t pointer; /* bytes of one */
};

/* Of a type; TYPE_VOID for what does not exist. */
enum type_kind type_kind(const struct types *t, uint32_t id);
const char *type_name(const struct types *t, uint32_t id);
/* What it refers to: of pointers, typedefs, arrays' elements and the like. */
uint32_t type_target(const struct types *t, uint32_t id);
/* Without typedefs, const and the like. */
uint32_t type_strip(const struct types *t, uint32_t id);
/* Bytes; 0 where it has none, or is too large to be true. */
uint64_t type_size(const struct types *t, uint32_t id);
/* Elements of an array. */
uint32_t type_elements(const struct types *t, uint32_t id);
/* Whether an integer is signed. */
bool type_signed(const struct types *t, uint32_t id);
/* By name, with "struct" and the like as kind, or any of them for TYPE_VOID; 0: none. */
uint32_t type_find(const struct types *t, enum type_kind kind, const char *name);
/* The nth member of a struct or union; false: no more. */
bool type_member(const struct types *t, uint32_t id, unsigned n, struct type_member *out);
/* By name, also in members without one; the offset is from the outermost. */
bool type_member_find(const struct types *t, uint32_t id, const char *name,
		      struct type_member *out);
/* The nth constant of an enum; false: no more. */
bool type_enumerator(const struct types *t, uint32_t id, unsigned n, const char **name,
		     int64_t *value);
/* The name of an enum's value; NULL: none. */
const char *type_enum_name(const struct types *t, uint32_t id, int64_t value);
/* The value of an enumeration constant, of whatever enum; false: none. */
bool type_constant(const struct types *t, const char *name, int64_t *value);
/* "struct task_struct *". */
void type_describe(const struct types *t, uint32_t id, char *buf, size_t len);
/* As it declares that name: "char comm[16]". */
void type_declare(const struct types *t, uint32_t id, const char *name, char *buf, size_t len);

#endif
