/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a monitor says about itself (VESA Enhanced EDID 1.4): one block without extensions.
 */
#ifndef HW_DISPLAY_EDID_H
#define HW_DISPLAY_EDID_H

#include <stdint.h>

#define EDID_SIZE 128
#define EDID_MIN  64u
#define EDID_MAX  4095u

/* A flat panel of width x height dots (each from EDID_MIN to EDID_MAX) at 60 Hz and 96 dots an inch. */
void edid_make(uint8_t edid[EDID_SIZE], unsigned width, unsigned height);

#endif
