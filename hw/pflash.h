/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A parallel flash with Intel's command set, eight bits wide in blocks of 4 KiB, that keeps its contents
 * in a disk image. Firmware keeps its variables in one.
 */
#ifndef HW_PFLASH_H
#define HW_PFLASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/block/block.h"
#include "hw/device.h"
#include "mmu/aspace.h"

#define PFLASH_BLOCK  4096u
#define PFLASH_BUFFER 64u /* bytes that a buffered write takes */

struct pflash {
	struct device dev;
	char name[16];
	struct aspace *mem; /* where it can be written */
	struct block *block;
	struct ram ram; /* what it holds */
	uint64_t base;
	bool read_only, attached;
	bool mapped, mapped_array;
	/* The write state machine. */
	uint8_t mode;   /* what reads give: the command that set it */
	uint8_t step;   /* what the next write is */
	uint8_t status; /* register */
	uint8_t count, taken;
	uint32_t buffer_at;
	uint8_t buffer[PFLASH_BUFFER];
	/* What is newer here than in the image: one write is under way at most. */
	uint64_t dirty_from, dirty_to;
	bool writing;
	uint8_t *bounce;
	struct iovec iov;
	struct block_req req;
};

/* Maps it at base; n names it. block: borrowed, a multiple of PFLASH_BLOCK of at most 8 MiB. Machine
 * lock held. 0, or -errno with one line in err; pflash_fini() in any case. */
int pflash_init(struct pflash *f, unsigned n, struct aspace *mem, uint64_t base,
		struct block *block, char *err, size_t errlen);
/* What has been made can be written, and shows its registers, in `view` alone (over its mem); elsewhere it reads as
 * what it holds. 0 or -errno. */
int pflash_secure(struct pflash *f, struct aspace *view);
/* Waits until the image has everything. */
void pflash_fini(struct pflash *f);

#endif
