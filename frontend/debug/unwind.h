/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Backtraces: by a Linux kernel's ORC tables (Documentation/x86/orc-unwinder.rst), read from its memory, across exceptions
 * and system calls into user space; by call frame information where there are files with it (symbols.h); by
 * frame pointers elsewhere.
 */
#ifndef FRONTEND_DEBUG_UNWIND_H
#define FRONTEND_DEBUG_UNWIND_H

#include <stdbool.h>
#include <stdint.h>

struct linux_guest;
struct pc;
struct symbols;
struct vcpu;

struct frame {
	uint64_t ip, gpr[16]; /* as in struct vcpu */
	uint32_t known;       /* which of gpr, by bits */
	bool call;            /* ip is after a call: what it belongs to is before it */
	bool user;            /* not the kernel's */
	bool regs;            /* an exception, interrupt or system call came here */
	unsigned bits;        /* of the code */
};

/* What backtraces are made with. */
struct unwind {
	struct pc *pc;
	const struct vcpu *v;
	struct linux_guest *linux_guest; /* or NULL */
	struct symbols *symbols;         /* or NULL */
};

/* The first frame of a vCPU. */
void unwind_cpu(const struct vcpu *v, struct frame *out);
/* Of a Linux task that does not run. 0, or -errno. */
int unwind_task(struct linux_guest *g, uint64_t task, struct frame *out);
/* The caller's. 0, or -ENOENT at the end. */
int unwind_next(const struct unwind *u, struct frame *f);

#endif
