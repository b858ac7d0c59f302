/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * isa-debug-exit: a write of v to its port ends the machine with status (v << 1) | 1.
 */
#ifndef HW_DEBUG_EXIT_H
#define HW_DEBUG_EXIT_H

#include <stdint.h>

struct aspace;

struct debug_exit {
	void (*exit)(void *opaque, int status);
	void *opaque;
};

/* size: 1 to 4 ports at base. 0 or -errno. */
int debug_exit_init(struct debug_exit *d, struct aspace *io, uint64_t base, uint64_t size,
		    void (*exit)(void *opaque, int status), void *opaque);

#endif
