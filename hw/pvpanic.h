/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pvpanic on ISA port 505h (QEMU's docs/specs/pvpanic): the guest kernel reports its panic.
 */
#ifndef HW_PVPANIC_H
#define HW_PVPANIC_H

#include <stdint.h>

#define PVPANIC_PORT 0x505

enum { PVPANIC_PANICKED = 1 << 0, PVPANIC_CRASH_LOADED = 1 << 1 };

struct aspace;

struct pvpanic {
	void (*event)(void *opaque, unsigned events);
	void *opaque;
};

int pvpanic_init(struct pvpanic *p, struct aspace *io, uint64_t port,
		 void (*event)(void *opaque, unsigned events), void *opaque);

#endif
