/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the parser of expressions (expr.c), their types and their values have in common.
 */
#ifndef FRONTEND_DEBUG_EXPR_PARSE_H
#define FRONTEND_DEBUG_EXPR_PARSE_H

#include "frontend/debug/expr.h"

#define EXPR_MAX_STRING 256

struct parser {
	struct expr_env *env;
	const char *s;
	unsigned depth;
	bool skipping; /* the side of && or ?: that does not count: nothing is read */
};

/* Says what is wrong, unless something is already; returns -1. */
int expr_fail(struct parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

struct value expr_u64(uint64_t n);
/* 0, or -1 with the error said, like all below. */
int expr_read(struct parser *p, uint64_t addr, void *buf, size_t len);
int expr_load_at(struct parser *p, const struct value *v, uint64_t *out);
/* A binary operator but && and ||. */
int expr_apply(struct parser *p, const char *op, const struct value *l, const struct value *r,
	       struct value *out);

/* Names (expr_name.c): percpu(name, cpu); a variable, function or constant, or `current`; whether there is such a one; a
 * type, of the kind unless that is TYPE_TYPEDEF: any; false: none. */
int expr_percpu(struct parser *p, const char *name, uint64_t cpu, struct value *out);
int expr_symbol(struct parser *p, const char *name, struct value *out);
bool expr_is_symbol(struct parser *p, const char *name);
bool expr_named_type(struct parser *p, enum type_kind kind, const char *name,
		     struct expr_type *out);

bool expr_signed(struct expr_type t);
/* What a pointer points to, or an array is made of. */
struct expr_type expr_target(struct expr_type t);

#endif
