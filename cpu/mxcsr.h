/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The fields of MXCSR. SDM vol. 1 10.2.3.
 */
#ifndef CPU_MXCSR_H
#define CPU_MXCSR_H

enum {
	MXCSR_IE = 1 << 0,
	MXCSR_DE = 1 << 1,
	MXCSR_ZE = 1 << 2,
	MXCSR_OE = 1 << 3,
	MXCSR_UE = 1 << 4,
	MXCSR_PE = 1 << 5,
	MXCSR_FLAGS = 0x3f,
	MXCSR_PRE = MXCSR_IE | MXCSR_DE | MXCSR_ZE, /* found before computing */
	MXCSR_DAZ = 1 << 6,
	MXCSR_MASK_SHIFT = 7,
	MXCSR_MASKS = 0x3f << MXCSR_MASK_SHIFT,
	MXCSR_OM = MXCSR_OE << MXCSR_MASK_SHIFT,
	MXCSR_UM = MXCSR_UE << MXCSR_MASK_SHIFT,
	MXCSR_RC_SHIFT = 13,
	MXCSR_FTZ = 1 << 15,
};

#endif
