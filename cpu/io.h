/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The I/O port side of the CPU. SDM vol. 1 chapter 19.
 */
#ifndef CPU_IO_H
#define CPU_IO_H

#include <stdint.h>

struct core;

/* #GP(0) unless IOPL or the TSS's I/O permission bitmap allows this access. */
void io_check(struct core *c, uint16_t port, unsigned size);

/* The access itself, without the check; notes I/O breakpoints. size 1, 2 or 4. */
uint32_t io_read(struct core *c, uint16_t port, unsigned size);
void io_write(struct core *c, uint16_t port, uint32_t val, unsigned size);

#endif
