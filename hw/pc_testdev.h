/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pc-testdev, with QEMU's layout: a scratch dword at port E0h, the same as bytes at E8h, page
 * flush at E4h, interrupt lines at ports 2000h-2017h, 64 KiB of scratch memory at FF000000h.
 * Bare-metal test suites use it.
 */
#ifndef HW_PC_TESTDEV_H
#define HW_PC_TESTDEV_H

#include <stdint.h>

#include "hw/device.h"
#include "hw/irq.h"

#define PC_TESTDEV_LINES 24
#define PC_TESTDEV_MEM   0x10000

struct aspace;

struct pc_testdev {
	struct device dev;
	uint32_t data;
	uint8_t mem[PC_TESTDEV_MEM];
	struct irq_pin line; /* of line 0 */
	void (*flush)(void *opaque);
	void *opaque;
};

/* line: pin of interrupt line 0, line n is its n + that. flush: the guest wants cached
 * translations dropped; may be NULL. 0 or -errno. */
int pc_testdev_init(struct pc_testdev *t, struct aspace *io, struct aspace *mem,
		    const struct irq_pin *line, void (*flush)(void *opaque), void *opaque);

#endif
