/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Images embedded in the binary.
 */
#ifndef ROMS_ROMS_H
#define ROMS_ROMS_H

/* The built-in guest: an ELF64 with a PVH entry note (roms/guest). */
extern const unsigned char roms_guest_start[], roms_guest_end[];
/* The guest of `doppel bench`, likewise (roms/bench). */
extern const unsigned char roms_bench_start[], roms_bench_end[];

/* Firmware of the distribution's, where the build host had it, under its usual file names; ends with a
 * NULL name. */
struct rom {
	const char *name;
	const unsigned char *start, *end;
};
extern const struct rom roms[];

#endif
