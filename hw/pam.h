/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Programmable attribute map (PAM) of the host bridges: C0000h-FFFFFh in 13 segments, each of which
 * shows RAM or what lies behind it, separately for reads and writes (Intel 290549, 3.2.18; the MCH of Q35
 * has the same registers). Behind the upper 128 KiB lies the end of the firmware's ROM, behind the
 * rest nothing.
 */
#ifndef HW_PAM_H
#define HW_PAM_H

#include <stdint.h>

#include "mmu/aspace.h"

#define PAM_REGS     7
#define PAM_SEGMENTS 13
#define PAM_BASE     0xc0000u
#define PAM_END      0x100000u
#define PAM_ROM_BASE 0xe0000u

/* Attributes: reads, writes from and to RAM. */
enum { PAM_READ = 1, PAM_WRITE = 2 };

struct pam;

struct pam_segment {
	struct pam *pam;
	uint32_t base;
	uint8_t attr;
	bool mapped;
};

struct pam {
	struct aspace *mem;
	struct ram *ram; /* C0000h is at offset C0000h */
	struct ram *rom; /* or NULL */
	struct pam_segment segment[PAM_SEGMENTS];
};

/* Nothing is mapped until the first pam_update(). */
void pam_init(struct pam *p, struct aspace *mem, struct ram *ram);
/* The firmware's ROM, borrowed, of at least 4 KiB; before the first pam_update(). */
void pam_set_rom(struct pam *p, struct ram *rom);
/* Maps what the registers say: PAM0 first. */
void pam_update(struct pam *p, const uint8_t reg[PAM_REGS]);

#endif
