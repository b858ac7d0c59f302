/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a monitor says about itself (VESA Enhanced EDID 1.4): one block without extensions.
 */
#ifndef HW_DISPLAY_EDID_H
#define HW_DISPLAY_EDID_H

#include <stdint.h>

#define EDID_SIZE 128

/* A flat panel of width x height dots (each below 4096) at 60 Hz and 96 dots an inch. */
void edid_make(uint8_t edid[EDID_SIZE], unsigned width, unsigned height);

#endif
