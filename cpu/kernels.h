/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * All kernels that rows of the opcode table name.
 */
#ifndef CPU_KERNELS_H
#define CPU_KERNELS_H

#include "cpu/simd.h"
#include "cpu/op_simd.h"
#include "cpu/op_simd_fp.h"

#endif
