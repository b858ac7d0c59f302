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

struct btf;
struct linux_guest;
struct pc;
struct vcpu;
struct watch_hit;

/* Types without BTF: size and sign. */
#define EXPR_BASE            0x80000000u
#define EXPR_SIGNED          0x100u
#define EXPR_TYPE(size, sgn) (EXPR_BASE | (size) | ((sgn) ? EXPR_SIGNED : 0))
#define EXPR_U64             EXPR_TYPE(8, false)

struct expr_type {
	uint32_t id;  /* of BTF, or EXPR_TYPE(); 0: void */
	unsigned ptr; /* pointers to it */
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
	struct linux_guest *linux_guest; /* or NULL */
	const struct watch_hit *hit;     /* for $value and $number; or NULL */
	/* A symbol that the kernel does not have; may be NULL. */
	bool (*symbol)(void *opaque, const char *name, uint64_t *addr);
	void *opaque;
	char err[160];
};

/* 0, or -1 with one line in env->err. The text must outlive string literals in the value. */
int expr_eval(struct expr_env *env, const char *text, struct value *out);
/* The same as a number: pointers and addresses of arrays and structs too. */
int expr_number(struct expr_env *env, const char *text, uint64_t *out);
/* What a value is, from memory where it is there. 0 or -1. */
int expr_load(struct expr_env *env, const struct value *v, uint64_t *out);
/* A register by name, without the $. */
bool expr_register(const struct expr_env *env, const char *name, uint64_t *out);
/* Where it may be written to, with its size; NULL: not a register, or not one to be set. */
uint64_t *expr_register_slot(struct vcpu *v, const char *name, unsigned *size);
/* Bytes; 0: none. */
uint64_t expr_size(const struct expr_env *env, struct expr_type t);
void expr_describe(const struct expr_env *env, struct expr_type t, char *buf, size_t len);

#endif
