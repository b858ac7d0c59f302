/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The built-in guest: a small 64-bit program that shows a machine from the inside.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "roms/guest/x86.h"

/* console.c */
void console_init(void);
void putch(char c);
int getch(void);              /* sleeps until a key arrives */
void console_interrupt(void); /* IRQ 4 */
/* %c %s %d %u %x %p, l and ll, width, 0 and - flags */
__attribute__((format(printf, 1, 2))) void print(const char *fmt, ...);
size_t read_line(char *buf, size_t size);

/* lib.c */
int str_cmp(const char *a, const char *b);
size_t str_len(const char *s);
uint64_t parse_number(const char *s, const char **end); /* 0x prefix: hexadecimal */

/* trap.c */
struct frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};
#define TICK_HZ 100
void trap_init(void);
uint64_t ticks(void);

/* info.c */
void show_cpu(void);
void show_pci(void);
void show_time(void);

/* acpi.c */
void acpi_init(uint64_t rsdp);
void acpi_list(void);
void acpi_poweroff(void);

#endif
