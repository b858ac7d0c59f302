/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * 64-bit mode: the base of CS, DS, ES and SS is 0.
 */
#include "accel/interp_fast.h"

#define LIN(bits) sum(c, i)
#define FAST_MEM  fast_mem64
#include "accel/interp_mem.h"
