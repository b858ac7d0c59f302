/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The symbol table that a Linux kernel has in its memory (CONFIG_KALLSYMS).
 */
#ifndef FRONTEND_DEBUG_KALLSYMS_H
#define FRONTEND_DEBUG_KALLSYMS_H

#include <stddef.h>
#include <stdint.h>

struct symtab;

/* Looks for it in a copy of the kernel's image, and adds what it names. The image is not to be trusted. 0, -ENOENT: it is
 * not there, or -ENOMEM. */
int kallsyms_read(struct symtab *s, const uint8_t *image, size_t len);

#endif
