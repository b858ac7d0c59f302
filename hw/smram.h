/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Memory of system management mode, as the host bridges have it: RAM behind the VGA window (compatible SMRAM,
 * A0000h-BFFFFh; or the same at FEDA0000h, high SMRAM), and on Q35 a segment at the end of the RAM below 4 GiB
 * (TSEG), which others then do not see. Intel 290549 3.2.19, 316966 5.1.30 to 5.1.34 and chapter 11.
 */
#ifndef HW_SMRAM_H
#define HW_SMRAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "mmu/aspace.h"

struct smram {
	struct aspace *mem;            /* what everybody sees */
	struct aspace view;            /* what a processor in system management mode sees */
	_Atomic bool *open;            /* all of them see that */
	void (*changed)(void *opaque); /* `open` has */
	void *opaque;
	struct ram *ram;
	uint64_t top; /* end of the RAM below 4 GiB, and of TSEG */
	/* As mapped. */
	uint64_t low_at, tseg_size; /* 0: not there */
};

/* Bits of SMRAM, the register that the bridges share. */
enum {
	SMRAM_D_OPEN = 1 << 6,
	SMRAM_D_CLS = 1 << 5,
	SMRAM_D_LCK = 1 << 4,
	SMRAM_G_SMRAME = 1 << 3,
};

/* mem: has its RAM up to `top`, where `ram` is mapped from 1 MiB on, as one range. `open` is written when all
 * processors are to see the view, followed by changed(). All borrowed. */
void smram_init(struct smram *s, struct aspace *mem, struct ram *ram, uint64_t top,
		_Atomic bool *open, void (*changed)(void *opaque), void *opaque);
/* Closes what D_LCK locks; returns which bits of the register can be written then. */
uint8_t smram_lock(uint8_t *reg);
/* Maps what the register asks for; high: ESMRAMC.H_SMRAME; tseg_size: bytes, a multiple of PAGE_SIZE, 0 for none.
 * Machine lock held. */
void smram_update(struct smram *s, uint8_t reg, bool high, uint64_t tseg_size);

#endif
