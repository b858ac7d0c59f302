/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The registers that gdb sees, and the description that tells it of them ("Debugging with GDB", appendix G: Target
 * Descriptions, i386 Features).
 *
 * A processor changes between 16, 32 and 64 bits under the debugger, while gdb takes the description once, when it
 * connects, and each of its architectures knows the registers by other names. So one description has both rax to r15
 * and eax to eip, which satisfies all of them: `set architecture` works at any time, and the layout of packets stays
 * as it is. Under either, types are plain integers, because code_ptr and data_ptr differ in size.
 */
#ifndef FRONTEND_GDB_REGS_H
#define FRONTEND_GDB_REGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cpu_model;
struct lapic;
struct vcpu;

#define GDB_REGS     160 /* at most */
#define GDB_REG_SIZE 16  /* bytes, at most */

struct gdb_reg;

struct gdb_regs {
	unsigned nr;
	const struct gdb_reg *reg[GDB_REGS]; /* by gdb's number */
	char *xml;
	size_t xml_len;
};

/* For a CPU model. 0 or -ENOMEM. */
int gdb_regs_init(struct gdb_regs *r, const struct cpu_model *model);
void gdb_regs_fini(struct gdb_regs *r);

/* Bytes of register n, little endian; returns how many. n < nr. */
size_t gdb_reg_read(const struct gdb_regs *r, unsigned n, const struct vcpu *v,
		    const struct lapic *apic, uint8_t out[GDB_REG_SIZE]);
size_t gdb_reg_size(const struct gdb_regs *r, unsigned n);
/* Whether it could be written: others can only be given the value that they have. CR8 stays as it is. The state may be
 * one that no processor can be in (cpus_check()). */
bool gdb_reg_write(const struct gdb_regs *r, unsigned n, struct vcpu *v, const uint8_t *bytes);

#endif
