/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The firmware images that roms/images.S embeds.
 */
#include "roms/roms.h"

#include <stddef.h>

extern const unsigned char roms_seabios_start[], roms_seabios_end[];
extern const unsigned char roms_vgabios_start[], roms_vgabios_end[];
extern const unsigned char roms_vgabios_virtio_start[], roms_vgabios_virtio_end[];

const struct rom roms[] = {
#ifdef SEABIOS
    {"bios-256k.bin", roms_seabios_start, roms_seabios_end},
    {"vgabios-stdvga.bin", roms_vgabios_start, roms_vgabios_end},
    {"vgabios-virtio.bin", roms_vgabios_virtio_start, roms_vgabios_virtio_end},
#endif
    {NULL, NULL, NULL},
};
