/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Guest memory as a vCPU sees it, for who looks from outside: no access rights, no side effects, no devices. The vCPU
 * is stopped or held (frontend/debug/debugger.h).
 */
#ifndef FRONTEND_DEBUG_MEMORY_H
#define FRONTEND_DEBUG_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mmu/walk.h"

struct pc;
struct vcpu;

/* What page walks of a vCPU depend on. */
void debug_paging(const struct pc *pc, const struct vcpu *v, struct paging *out);
/* 0, or -EFAULT where nothing is mapped. */
int debug_translate(struct pc *pc, const struct vcpu *v, uint64_t lin, struct translation *out);
/* By linear address: all of it, or -EFAULT. What could be read before the fault is in buf. */
int debug_read(struct pc *pc, const struct vcpu *v, uint64_t lin, void *buf, size_t len);
int debug_write(struct pc *pc, const struct vcpu *v, uint64_t lin, const void *buf, size_t len);
/* Bits of the vCPU's code: 16, 32 or 64. */
unsigned debug_code_bits(const struct vcpu *v);

#endif
