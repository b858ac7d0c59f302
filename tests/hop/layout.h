/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Where things are in the machine that random programs run on, for C and for assembly.
 *
 * All of RAM is mapped for the kernel at KBASE, which no random number hits. User pages: the arena of
 * tests/insn (RW_ADDR, RO_ADDR), the program at CODE_ADDR, its writable alias, and a page of our own.
 */
#ifndef TESTS_HOP_LAYOUT_H
#define TESTS_HOP_LAYOUT_H

#define KBASE 0xffffa12345600000

/* Physical. */
#define P_PML4    0x1000
#define P_PDPT    0x2000
#define P_PD0     0x3000
#define P_PT_DATA 0x4000
#define P_PT_CODE 0x5000
#define P_PT_OWN  0x6000
#define P_PDPT_K  0x8000
#define P_PD_K    0x9000
#define P_GDT     0xa000
#define P_IDT     0xb000
#define P_TSS     0xc000
#define P_RT      0xd000 /* the handlers, */
#define P_LOG     0xe000 /* what they write, */
#define P_STACKS  0x10000
#define P_NEXT    0x20000 /* and what they read: the step after each byte of the program */
#define P_EVENTS  0x40000 /* the first events */
#define P_RW      0x100000
#define P_RO      0x110000
#define P_OWN     0x120000
#define P_CODE    0x140000
#define P_MMIO    0x400000
#define RAM_BYTES 0x200000

/* Linear, besides those of tests/insn/fuzz.h. */
#define OWN_ADDR     0x2f000000
#define ALIAS_ADDR   0x2f100000
#define MMIO_ADDR    0x2f080000
#define PROGRAM_SIZE 0x8000 /* of the code pages */

/* In the page of our own. */
#define OWN_LOOPS  0x000 /* counters */
#define OWN_RETURN 0x100 /* of a subroutine */
#define OWN_POINT  0x180 /* pseudo-descriptors, pointers */
#define OWN_STACK  0xf00 /* where a stack is needed that works */

/* In the log. */
#define LOG_HASH   0x00
#define LOG_TOTAL  0x08
#define LOG_EVENTS 0x0c
#define LOG_COUNT  0x10 /* by vector, 4 bytes each */

#define SEL_C64_0 0x08
#define SEL_D_0   0x10
/* In the order that SYSRET and SYSEXIT want. */
#define SEL_C32_3 0x1b
#define SEL_D_3   0x23
#define SEL_C64_3 0x2b
#define SEL_C32_0 0x30
#define SEL_TSS   0x38
#define SEL_LDT   0x48
#define GDT_BYTES 0x58

#define PORT_IRQ  0x80 /* raises an interrupt with the vector that is written */
#define PORT_ACK  0x81
#define PORT_NMI  0x82
#define PORT_DATA 0x84 /* reads count, writes are remembered */
#define PORT_DONE 0x90

#define VEC_IRQ    0x20 /* to 2f */
#define VEC_MODE   0x30 /* plus enum mode: goes on in that mode */
#define VEC_RAISE  0x38 /* raises an interrupt with the vector in AL */
#define VEC_CALL   0x39 /* does nothing */
#define NR_VECTORS 0x40

#define MOST_EVENTS  0x4000
#define EVENT_RIP    0
#define EVENT_VECTOR 8
#define EVENT_ERROR  12
#define EVENT_FLAGS  16
#define EVENT_CS     20
#define EVENT_SIZE   32

/* In EDX, plus the vector, at a division by zero: does what INT would. */
#define CALL_BY_DIVISION 0x5e0d1c00

#define CR0_USUAL 0x80050033 /* PG AM WP NE ET MP PE */

#endif
