/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The decoder: bytes to struct insn.
 */
#ifndef CPU_DECODE_H
#define CPU_DECODE_H

#include <stddef.h>
#include <stdint.h>

#include "cpu/insn.h"

struct cpu_model;

enum decode_result {
	DECODE_OK,
	DECODE_UD,     /* not an instruction here: #UD; i->len is what was consumed */
	DECODE_GP,     /* longer than 15 bytes: #GP(0) */
	DECODE_SHORT,  /* more than `avail` bytes are needed */
};

/* mode: 2, 4 or 8 (code segment default 16, 32 or 64 bit). `model` decides which features exist
 * (NULL: all). LOCK on a form that does not allow it, A_N64 and A_O64 are #UD here; what depends on
 * more than the mode (CPL, real mode, CR0/CR4) is checked at execution. i->end is set to i->len. */
enum decode_result decode(struct insn *i, const uint8_t *code, size_t avail, unsigned mode,
			  const struct cpu_model *model);

/* AT&T-free Intel text for messages and tests. */
void insn_print(char *buf, size_t len, const struct insn *i, uint64_t rip);

#endif
