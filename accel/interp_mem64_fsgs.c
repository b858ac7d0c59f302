/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * 64-bit mode with FS or GS.
 */
#include "accel/interp_fast.h"

#define LIN(bits) (sum(c, i) + c->v.seg[i->seg].base)
#define FAST_MEM  fast_mem64_fsgs
#include "accel/interp_mem.h"
