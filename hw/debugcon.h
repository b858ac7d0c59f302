/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * isa-debugcon: bytes written to its port go to a chardev; a read gives E9h, by which guests
 * detect it.
 */
#ifndef HW_DEBUGCON_H
#define HW_DEBUGCON_H

#include <stdint.h>

struct aspace;
struct chardev;

struct debugcon {
	struct chardev *chr;
};

/* chr may be NULL. 0 or -errno. */
int debugcon_init(struct debugcon *d, struct aspace *io, uint64_t base, struct chardev *chr);

#endif
