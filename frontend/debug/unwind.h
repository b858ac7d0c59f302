/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Backtraces: by a Linux kernel's ORC tables (Documentation/x86/orc-unwinder.rst), read from its memory, across exceptions
 * and system calls into user space; by frame pointers elsewhere.
 */
#ifndef FRONTEND_DEBUG_UNWIND_H
#define FRONTEND_DEBUG_UNWIND_H

#include <stdbool.h>
#include <stdint.h>

struct linux_guest;
struct pc;
struct vcpu;

struct frame {
	uint64_t ip, sp, bp, di, dx, r10, r13;
	bool call;     /* ip is after a call: what it belongs to is before it */
	bool user;     /* not the kernel's */
	bool regs;     /* an exception, interrupt or system call came here */
	unsigned bits; /* of the code */
};

/* The first frame of a vCPU. */
void unwind_cpu(const struct vcpu *v, struct frame *out);
/* Of a Linux task that does not run. 0, or -errno. */
int unwind_task(struct linux_guest *g, uint64_t task, struct frame *out);
/* The caller's; g may be NULL. 0, or -ENOENT at the end. */
int unwind_next(struct pc *pc, const struct vcpu *v, struct linux_guest *g, struct frame *f);

#endif
