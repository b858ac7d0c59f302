/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The opcode table: one row per instruction form, in SDM operand letters (vol. 2D appendix A). It
 * feeds the decoder, the engines, the capstone cross-check and the fuzzer. The rows are in
 * cpu/opcodes_*.def, gathered by cpu/opcodes.def:
 *
 *   OP(map, opcode, pfx, modrm, w, l, "mnemonic", o1, o2, o3, o4, op, kernel, feature, attrs)
 *
 *   map     M1 one-byte, M0F, M0F38, M0F3A; V0F, V0F38, V0F3A for VEX
 *   opcode  0x00-0xff; rows whose register is in the low three bits (Z operands) are written once
 *           per opcode byte with the OP8 macro, which expands to eight rows
 *   pfx     P_ANY (66/F2/F3 do not select), P_NP, P_66, P_F3, P_F2; P_NF: no F2/F3, 66 is free
 *   modrm   R_NONE no ModRM; R_ANY; R_M memory only; R_R register only; R_0..R_7 /n any;
 *           R_M0..R_M7 /n memory only; R_R0..R_R7 /n register only; R_X(byte) exactly that byte
 *   w       W_ANY, W_0, W_1 (REX.W or VEX.W)
 *   l       L_ANY, L_0 (128), L_1 (256); L_IG ignored (decoded as 128)
 *   o1..o4  enum operand_code, `_` for none
 *   op      op_fn that executes it
 *   kernel  the lane function that op applies (vector ops), or NULL
 *   feature FEAT_ name without the prefix
 *   attrs   A_* or-ed; CCW()/CCU()/CCR() for flags written/undefined/read
 *
 * The first matching row in table order wins, so special forms come before general ones.
 */
#ifndef CPU_OPCODE_H
#define CPU_OPCODE_H

#include <stddef.h>
#include <stdint.h>

#include "cpu/cpuid.h"
#include "cpu/insn.h"
#include "cpu/vcpu.h"

enum opmap { M1, M0F, M0F38, M0F3A, V0F, V0F38, V0F3A, NR_MAPS };
enum opprefix { P_ANY, P_NP, P_66, P_F3, P_F2, P_NF };
enum {
	R_NONE, R_ANY, R_M, R_R,
	R_0, R_1, R_2, R_3, R_4, R_5, R_6, R_7,
	R_M0, R_M1, R_M2, R_M3, R_M4, R_M5, R_M6, R_M7,
	R_R0, R_R1, R_R2, R_R3, R_R4, R_R5, R_R6, R_R7,
	R_EXACT = 0x100,
};
#define R_X(byte) (R_EXACT | (byte))
enum { W_ANY, W_0, W_1 };
enum { L_ANY, L_0, L_1, L_IG };

/* SDM operand letters. E: ModRM r/m, G: ModRM reg, Z: opcode low bits, B: VEX.vvvv general register,
 * I: immediate (zero-extended), sI: sign-extended to 64 bits, J: branch, M: memory, O: moffs,
 * R: ModRM r/m register only, S/C/D: segment/control/debug by ModRM reg, V: vector reg, W: vector
 * r/m, H: VEX.vvvv vector, L: is4, U: vector r/m register only, P/Q/N: MMX reg, r/m, r/m register
 * only, X/Y: string source/destination.
 * Sizes: b w d q; v = 16/32/64 by operand size; z = 16/32/32 (immediate: sign-extended to 64);
 * y = 32 or 64 by REX.W; x = 16 or 32 by vector length; dq = 16; qq = 32;
 * ss/sd: 4/8 bytes from memory. */
enum operand_code {
	_ = 0,
	Eb, Ew, Ed, Eq, Ev, Ey,
	Edw,       /* register: operand size; memory: 2 bytes (MOV Ev,Sw; SLDT; STR; SMSW) */
	Eyb, Eyw,  /* register: 32 or 64 bits; memory: 1 or 2 bytes (PEXTRB/PINSRW and the like) */
	E64,       /* r/m with the 64-bit-default operand size (near branch, push, pop) */
	Gb, Gw, Gd, Gq, Gv, Gy, Gz,
	Rv, Ry, Rd,
	Zb, Zv, Zq, Z64,
	Bv, By,    /* VEX.vvvv, 32 or 64 by VEX.W */
	Ib, Iw, Iz, Iv, sIb, sIz, I2b, I2w, I1, /* I2x -> OPK_IMM2; I1: constant 1 */
	Jb, Jz,
	Ap,        /* direct far pointer */
	M, Mb, Mw, Md, Mq, Mdq, Mqq, Mx, Mv, Mz, My, Mp, Ms, Mt, /* Mp far pointer 16:osz, Ms descriptor-table, Mt 80-bit */
	Ma,        /* BOUND pair */
	Ob, Ov,
	Sw, Cd, Dd,/* Cd, Dd: size by mode */
	AL, AX, EAX, RAXv, CL, DX, CX, RDXv, /* RAXv/RDXv by operand size */
	sES, sCS, sSS, sDS, sFS, sGS,
	Xb, Xv, Xz, Yb, Yv, Yz,
	Vx, Vdq, Vqq, Vq, Vd, Vss, Vsd,
	Wx, Wdq, Wqq, Wq, Wd, Ww, Wb, Wss, Wsd, Wxh, Wxq, Wxo, /* Wxh/q/o: half/quarter/eighth of vl from memory */
	Hx, Hdq, Hqq, Hss, Hsd,
	Ux, Udq, Uq,
	Lx, Ldq,
	XMM0,
	Pq, Qq, Qd, Nq,
	ST0, STi,
	NR_OPERAND_CODES,
};

/* Attributes; the low 18 bits hold three sets of status flags. */
#define CC_BITS(f) ((((f) & FL_CF) ? 1u : 0) | (((f) & FL_PF) ? 2u : 0) | (((f) & FL_AF) ? 4u : 0) | \
		    (((f) & FL_ZF) ? 8u : 0) | (((f) & FL_SF) ? 16u : 0) | (((f) & FL_OF) ? 32u : 0))
#define CCW(f) ((uint64_t)CC_BITS(f))         /* written (defined) */
#define CCU(f) ((uint64_t)CC_BITS(f) << 6)    /* left undefined */
#define CCR(f) ((uint64_t)CC_BITS(f) << 12)   /* read */
#define CC_ALL  CCW(FL_STATUS)

#define A_LOCK  (1ull << 18) /* LOCK allowed with a memory destination */
#define A_BR    (1ull << 19) /* sets v.rip itself, always */
#define A_END   (1ull << 20) /* ends a block: mode, mapping or interrupt state may have changed */
#define A_ST    (1ull << 21) /* may store to memory */
#define A_LD    (1ull << 22) /* may load from memory */
#define A_N64   (1ull << 23) /* #UD in 64-bit mode */
#define A_O64   (1ull << 24) /* #UD outside 64-bit mode */
#define A_NREAL (1ull << 25) /* #UD in real and virtual-8086 mode */
#define A_CPL0  (1ull << 26) /* #GP(0) unless CPL 0 */
#define A_D64   (1ull << 27) /* operand size defaults to 64 in 64-bit mode (66 gives 16) */
#define A_F64   (1ull << 28) /* operand size is 64 in 64-bit mode whatever the prefixes */
#define A_REP   (1ull << 29) /* REP/REPE/REPNE repeat it */
#define A_SSE   (1ull << 30) /* needs CR4.OSFXSR, !CR0.EM else #UD; !CR0.TS else #NM */
#define A_AVX   (1ull << 31) /* needs CR4.OSXSAVE, XCR0[2:1], protected mode else #UD; TS: #NM */
#define A_MMX   (1ull << 32) /* !CR0.EM else #UD, !TS else #NM, pending x87 fault #MF */
#define A_X87   (1ull << 33) /* !EM and !TS else #NM */
#define A_WAIT  (1ull << 34) /* reports pending x87 faults (#MF) first */
#define A_ALIGN (1ull << 35) /* SSE: 16-byte (VEX: vl) aligned memory operand else #GP */
#define A_NOFUZZ (1ull << 36) /* not for the host-CPU fuzzer (privileged, time, system state) */
#define A_WR1   (1ull << 37) /* operand 1 is written */
#define A_RD1   (1ull << 38) /* operand 1 is read */
#define A_VSIB  (1ull << 39) /* memory operand uses a vector index */
#define A_COND  (1ull << 40) /* with A_BR: may fall through */
#define A_NOVV  (1ull << 41) /* VEX.vvvv must be 1111b else #UD */
#define A_BUSY  (1ull << 42) /* XACQUIRE/PAUSE-like hint; no effect */
#define A_NV86  (1ull << 43) /* #UD in virtual-8086 mode only */

/* Eight rows for the opcode bytes base to base + 7. */
#define OP8(map, base, ...)                                                                        \
	OP(map, (base) + 0, __VA_ARGS__) OP(map, (base) + 1, __VA_ARGS__)                          \
	OP(map, (base) + 2, __VA_ARGS__) OP(map, (base) + 3, __VA_ARGS__)                          \
	OP(map, (base) + 4, __VA_ARGS__) OP(map, (base) + 5, __VA_ARGS__)                          \
	OP(map, (base) + 6, __VA_ARGS__) OP(map, (base) + 7, __VA_ARGS__)

struct opcode {
	uint8_t map, opcode, pfx, w, l;
	uint16_t modrm;
	uint16_t feature;
	const char *name;
	uint8_t o[4];
	op_fn *op;
	void (*kernel)(void);
	uint64_t attrs;
};

extern const struct opcode opcodes[];
extern const unsigned nr_opcodes;

#endif
