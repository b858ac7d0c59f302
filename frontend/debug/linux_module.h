/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The modules of a Linux kernel, from its list of them: where they are, their sections, their symbols.
 */
#ifndef FRONTEND_DEBUG_LINUX_MODULE_H
#define FRONTEND_DEBUG_LINUX_MODULE_H

#include <stdbool.h>
#include <stdint.h>

#include "frontend/debug/linux.h"

struct linux_module {
	uint64_t addr;       /* of its struct module */
	uint64_t base, size; /* of its code and data; of its code only from Linux 6.4 on */
	uint64_t init_base,
	    init_size; /* of what it throws away when it has begun; of its code only */
	char name[64];
	uint64_t next;  /* of the list */
	unsigned count; /* so many before it */
};

/* The first one, for *m all zero, and those after it. False: no more. */
bool linux_next_module(struct linux_guest *g, struct linux_module *m);
/* Where it has a section; 0: it has none, or has thrown it away. */
uint64_t linux_module_section(struct linux_guest *g, const struct linux_module *m,
			      const char *name);
/* Reads the modules' symbols, if the list of modules is not what it was the last time. Whether it was. */
bool linux_read_modules(struct linux_guest *g);

#endif
