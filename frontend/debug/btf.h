/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Types of a Linux kernel, from its BTF (Documentation/bpf/btf.rst), which most kernels have in their memory. The data
 * is the guest's and not to be trusted.
 */
#ifndef FRONTEND_DEBUG_BTF_H
#define FRONTEND_DEBUG_BTF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum btf_kind {
	BTF_VOID,
	BTF_INT,
	BTF_PTR,
	BTF_ARRAY,
	BTF_STRUCT,
	BTF_UNION,
	BTF_ENUM,
	BTF_FWD,
	BTF_TYPEDEF,
	BTF_VOLATILE,
	BTF_CONST,
	BTF_RESTRICT,
	BTF_FUNC,
	BTF_FUNC_PROTO,
	BTF_VAR,
	BTF_DATASEC,
	BTF_FLOAT,
	BTF_DECL_TAG,
	BTF_TYPE_TAG,
	BTF_ENUM64,
	BTF_KINDS,
};

struct btf;

struct btf_member {
	const char *name; /* "" where it has none */
	uint32_t type;
	uint32_t bit_offset;
	uint32_t bits; /* of a bit field, else 0 */
};

/* Takes over data (malloc). 0, -EINVAL: it is no BTF, or -ENOMEM; then data is freed, too. */
int btf_new(struct btf **out, uint8_t *data, size_t len);
void btf_free(struct btf *b);
uint32_t btf_nr(const struct btf *b);
/* Of a type; BTF_VOID for what does not exist. */
enum btf_kind btf_kind(const struct btf *b, uint32_t id);
const char *btf_name(const struct btf *b, uint32_t id);
/* What it refers to: of pointers, typedefs, arrays' elements and the like. */
uint32_t btf_target(const struct btf *b, uint32_t id);
/* Without typedefs, const and the like. */
uint32_t btf_strip(const struct btf *b, uint32_t id);
/* Bytes; 0 where it has none, or is too large to be true. */
uint64_t btf_size(const struct btf *b, uint32_t id);
/* Elements of an array. */
uint32_t btf_elements(const struct btf *b, uint32_t id);
/* Whether an integer is signed. */
bool btf_signed(const struct btf *b, uint32_t id);
/* By name, with "struct" and the like as kind, or any of them for BTF_VOID; 0: none. */
uint32_t btf_find(const struct btf *b, enum btf_kind kind, const char *name);
/* The nth member of a struct or union; false: no more. */
bool btf_member(const struct btf *b, uint32_t id, unsigned n, struct btf_member *out);
/* By name, also in members without one; the offset is from the outermost. */
bool btf_member_find(const struct btf *b, uint32_t id, const char *name, struct btf_member *out);
/* The name of an enum's value; NULL: none. */
const char *btf_enum_name(const struct btf *b, uint32_t id, int64_t value);
/* The value of an enumeration constant, of whatever enum; false: none. */
bool btf_enum_value(const struct btf *b, const char *name, int64_t *value);
/* "struct task_struct *". */
void btf_describe(const struct btf *b, uint32_t id, char *buf, size_t len);

#endif
