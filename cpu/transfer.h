/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What far transfers, event delivery, IRET and task switches share: stacks other than the current
 * one, and the checks on code and stack segments. Nothing here changes c->v but accessed bits in
 * descriptor tables, so that a fault half way leaves the old state whole.
 */
#ifndef CPU_TRANSFER_H
#define CPU_TRANSFER_H

#include "cpu/core.h"
#include "cpu/seg.h"

#define SEL_RPL   3
#define SEL_TI    4
#define SEL_INDEX 0xfff8
#define SEL_ERR   0xfffc /* a selector as error code */

/* System descriptor types. */
enum {
	SYS_TSS16 = 1,
	SYS_LDT = 2,
	SYS_TSS16_BUSY = 3,
	SYS_CALL16 = 4,
	SYS_TASK = 5,
	SYS_INT16 = 6,
	SYS_TRAP16 = 7,
	SYS_TSS = 9,
	SYS_TSS_BUSY = 0xb,
	SYS_CALL = 0xc,
	SYS_INT = 0xe,
	SYS_TRAP = 0xf,
};

static inline unsigned desc_type(uint64_t raw)
{
	return raw >> 40 & 15;
}
static inline unsigned desc_dpl(uint64_t raw)
{
	return raw >> 45 & 3;
}
static inline bool desc_present(uint64_t raw)
{
	return raw >> 47 & 1;
}
/* Code or data, not system. */
static inline bool desc_user(uint64_t raw)
{
	return raw >> 44 & 1;
}
static inline bool desc_code(uint64_t raw)
{
	return desc_user(raw) && raw >> 43 & 1;
}
static inline bool desc_conforming(uint64_t raw)
{
	return raw >> 42 & 1;
}
static inline bool desc_stack(uint64_t raw)
{
	return (raw >> 40 & 0x1a) == 0x12;
}
static inline bool desc_long(uint64_t raw)
{
	return raw >> 53 & 1;
}
static inline bool desc_big(uint64_t raw)
{
	return raw >> 54 & 1;
}
static inline uint64_t gate_offset(uint64_t raw)
{
	return (raw & 0xffff) | (raw >> 32 & 0xffff0000);
}

/* Linear address in the width of the mode. */
static inline uint64_t sys_lin(const struct core *c, uint64_t lin)
{
	return core_long(c) ? lin : (uint32_t)lin;
}

bool seg_limit_ok(const struct segment *s, uint64_t off, unsigned size);
void seg_set_accessed(struct core *c, uint16_t sel, struct descriptor *d);
void seg_set_null(struct segment *s, uint16_t sel, unsigned dpl);
/* The segment that virtual-8086 mode gives a selector. */
struct segment seg_v86(uint16_t sel);

struct stack {
	struct segment seg;
	uint64_t sp;
	uint64_t mask;
	uint16_t err; /* of #SS when the segment is too small */
	uint8_t tlb_mode;
	bool wide; /* 64-bit: no segmentation */
};

void stack_current(const struct core *c, struct stack *s);
/* Stack of privilege level dpl as a TSS names it. Legacy: checks SS (#TS, #SS) and gives the loaded
 * segment. Long mode: ist 1-7 or 0; SS becomes null. */
void stack_inner(struct core *c, unsigned dpl, struct stack *s);
void stack_inner64(struct core *c, unsigned dpl, unsigned ist, struct stack *s);
void stack_push(struct core *c, struct stack *s, uint64_t val, unsigned size);
uint64_t stack_pop(struct core *c, struct stack *s, unsigned size);

/* Checks the selector that RET or IRET popped for CS; gives the segment. */
void return_code(struct core *c, uint16_t sel, struct segment *cs);
/* The same for SS on a return to privilege level cpl. */
void return_stack(struct core *c, uint16_t sel, unsigned cpl, const struct segment *cs,
		  struct segment *ss);
/* Return to another level: CS, SS, stack pointer and the data segments that must not leak. */
void return_outer(struct core *c, const struct segment *cs, const struct segment *ss, uint64_t sp);
/* Whether rip lies in cs: #GP(0) if not. Truncates to the width of cs. */
uint64_t code_offset(struct core *c, const struct segment *cs, uint64_t rip);

/* TSS descriptor of a task switch: available TSS in the GDT, else #GP(sel) or #NP(sel). */
void task_descriptor(struct core *c, uint16_t sel, struct descriptor *d);

#endif
