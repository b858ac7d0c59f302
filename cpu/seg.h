/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Segment loads and far control transfers. SDM vol. 3A chapters 3 and 5, vol. 2 CALL/JMP/RET/IRET.
 */
#ifndef CPU_SEG_H
#define CPU_SEG_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/vcpu.h"

struct core;

/* A raw 8-byte descriptor (16 bytes for system descriptors in long mode: base_hi). */
struct descriptor {
	uint64_t raw;
	uint32_t base_hi;
	uint8_t hi_type; /* bits 8-12 of the last doubleword: must be 0 */
};

/* Reads the descriptor that a selector names; false when it is outside its table. */
bool seg_fetch_descriptor(struct core *c, uint16_t sel, struct descriptor *d);
/* Unpacks base, limit, attributes. */
void seg_unpack(struct segment *s, uint16_t sel, const struct descriptor *d);

/* MOV/POP/LDS... to ES, SS, DS, FS or GS with all checks of the current mode. Raises. */
void seg_load(struct core *c, unsigned sreg, uint16_t sel);
/* Real-mode and virtual-8086 load: base = sel << 4. */
void seg_load_real(struct core *c, unsigned sreg, uint16_t sel);

/* Far JMP/CALL/RET through every kind of descriptor and gate; osz in bytes; set v.rip. `next` is the
 * return address of a CALL. */
void far_jmp(struct core *c, uint16_t sel, uint64_t off, unsigned osz, uint64_t next);
void far_call(struct core *c, uint16_t sel, uint64_t off, unsigned osz, uint64_t next);
void far_ret(struct core *c, unsigned osz, uint16_t pop_bytes);

/* Hardware task switch. */
enum task_reason { TASK_JMP, TASK_CALL, TASK_IRET, TASK_INT };
void task_switch(struct core *c, uint16_t tss_sel, const struct descriptor *d,
		 enum task_reason why, bool has_error, uint32_t error, uint64_t next);

/* Stack operations at the stack's address size (SS.B or 64-bit), operand size osz bytes. */
uint64_t stack_mask(const struct core *c);
void push(struct core *c, uint64_t val, unsigned osz);
uint64_t pop(struct core *c, unsigned osz);

#endif
