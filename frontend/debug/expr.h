/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Expressions as in C, over registers ($rax, $cr3, $cs), symbols, guest memory and the types of a Linux guest:
 *
 *   $rip + 4    *(u32 *)($rsp + 8)    jiffies & 0xff    ((struct task_struct *)$rdi)->comm    percpu(current_task)
 *   (char *)$rsi == "/etc/passwd"
 */
#ifndef FRONTEND_DEBUG_EXPR_H
#define FRONTEND_DEBUG_EXPR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend/debug/types.h"

struct frame;
struct linux_guest;
struct pc;
struct symbols;
struct vcpu;
struct watch_hit;

/* Integers of no table: size and sign. */
#define EXPR_BASE            0x80000000u
#define EXPR_SIGNED          0x100u
#define EXPR_TYPE(size, sgn) (EXPR_BASE | (size) | ((sgn) ? EXPR_SIGNED : 0))
#define EXPR_U64             EXPR_TYPE(8, false)

struct expr_type {
	const struct types *of; /* or NULL */
	uint32_t id;            /* in that table, or EXPR_TYPE(); 0: void */
	unsigned ptr;           /* pointers to it */
};

struct value {
	struct expr_type type;
	bool lvalue; /* it is in memory, at addr */
	uint64_t addr;
	uint64_t num;       /* otherwise */
	const char *string; /* a literal, of `len` bytes */
	size_t len;
	uint32_t bits, bit; /* of a bit field, and where in the bytes at addr */
};

struct expr_env {
	struct pc *pc;
	const struct vcpu *v; /* stopped or held */
	unsigned cpu;
	struct linux_guest *linux_guest; /* the kernel that was found; or NULL */
	struct symbols *symbols;         /* of files; or NULL */
	const struct frame *frame;   /* whose variables and registers; NULL: where the vCPU is */
	const struct watch_hit *hit; /* for $value and $number; or NULL */
	char err[160];
};

/* 0, or -1 with one line in env->err. The text must outlive string literals in the value. */
int expr_eval(struct expr_env *env, const char *text, struct value *out);
/* The same as a number: pointers and addresses of arrays and structs too. */
int expr_number(struct expr_env *env, const char *text, uint64_t *out);
/* What a value is, from memory where it is there. 0 or -1. */
int expr_load(struct expr_env *env, const struct value *v, uint64_t *out);
/* A member of a struct at `base`. */
struct value expr_member(const struct types *of, const struct type_member *m, uint64_t base);
/* A register by name, without the $. */
bool expr_register(const struct expr_env *env, const char *name, uint64_t *out);
/* Where it may be written to, with its size; NULL: not a register, or not one to be set. */
uint64_t *expr_register_slot(struct vcpu *v, const char *name, unsigned *size);
/* Without typedefs; pointers of the table become ours. */
struct expr_type expr_strip(struct expr_type t);
enum type_kind expr_kind(struct expr_type t);
/* The text as a type: "struct list_head *"; false: it is none, with one line in env->err if it looks like one. */
bool expr_type_name(struct expr_env *env, const char *text, struct expr_type *out);
/* Bytes; 0: none. */
uint64_t expr_size(struct expr_type t);
void expr_describe(struct expr_type t, char *buf, size_t len);

#endif
