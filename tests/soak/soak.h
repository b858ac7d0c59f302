/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What guest.S tells main.c, by address in guest RAM.
 */
#ifndef TESTS_SOAK_SOAK_H
#define TESTS_SOAK_SOAK_H

#define SOAK_AT 0x200000

/* Offsets; all 64 bits. */
#define SOAK_PIT    0x00 /* interrupts handled */
#define SOAK_RTC    0x08
#define SOAK_APIC   0x10
#define SOAK_SERIAL 0x18
#define SOAK_ARMED  0x20 /* one-shots and deadlines: every one must come */
#define SOAK_FIRED  0x28
#define SOAK_STALE  0x88 /* times that a one-shot was put off, because a periodic tick waited */
#define SOAK_EARLY     0x30 /* deadlines that came before their time */
#define SOAK_BACKWARDS 0x38 /* times the TSC was seen to go back */
#define SOAK_SPURIOUS  0x40 /* any other vector */
#define SOAK_TSC_FIRST 0x48
#define SOAK_TSC_LAST  0x50
#define SOAK_PM_TICKS  0x58 /* of the ACPI PM timer, in the same time */
#define SOAK_LOOPS     0x60 /* of computation */
#define SOAK_BAD       0x68 /* with a wrong result */
#define SOAK_STATE     0x70 /* 1: running, 2: ended */
#define SOAK_ECHOED    0x78
#define SOAK_FAULT     0x80 /* vector of an exception, plus 100h */

#define VEC_PIT      0x20 /* by way of the PICs */
#define VEC_SERIAL   0x31 /* and of the I/O APIC */
#define VEC_RTC      0x32
#define VEC_APIC     0x33
#define VEC_SPURIOUS 0xff

#define SOAK_END 4 /* the character that ends it */

#endif
