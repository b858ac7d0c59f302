/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * x86-64 encodings. Each emitter is named by operation and operand shape; the assembly it emits is in
 * the comment above it (Intel order, `w`: 64-bit operands). Raw opcode bytes appear only here.
 */
#ifndef ACCEL_JIT_EMIT_H
#define ACCEL_JIT_EMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum hreg {
	H_RAX, H_RCX, H_RDX, H_RBX, H_RSP, H_RBP, H_RSI, H_RDI,
	H_R8, H_R9, H_R10, H_R11, H_R12, H_R13, H_R14, H_R15,
};

enum hcond { CC_O, CC_NO, CC_B, CC_AE, CC_E, CC_NE, CC_BE, CC_A, CC_S, CC_NS };

/* Code under construction. `w` is the writable alias of the address `x` where it will run. */
struct emit {
	uint8_t *w;       /* next byte to write */
	uint8_t *end;     /* first byte that may not be written */
	intptr_t to_exec; /* add to a writable address to get the executable one */
	bool overflow;
	bool rcx_changed; /* set by everything that may write rcx */
};

static inline void emit_bytes(struct emit *e, const void *p, size_t n)
{
	if ((size_t)(e->end - e->w) < n) {
		e->overflow = true;
		return;
	}
	memcpy(e->w, p, n);
	e->w += n;
}
static inline void emit8(struct emit *e, uint8_t v) { emit_bytes(e, &v, 1); }
static inline void emit16(struct emit *e, uint16_t v) { emit_bytes(e, &v, 2); }
static inline void emit32(struct emit *e, uint32_t v) { emit_bytes(e, &v, 4); }
static inline void emit64(struct emit *e, uint64_t v) { emit_bytes(e, &v, 8); }

/* An r/m operand: a register, or memory [base + index * 2^scale + disp]. */
struct rm {
	bool mem;
	uint8_t reg;      /* register operand, or base */
	uint8_t index;    /* H_RSP: none */
	uint8_t scale;
	int32_t disp;
};

static inline struct rm rm_reg(unsigned r) { return (struct rm){.reg = (uint8_t)r}; }
static inline struct rm rm_mem(unsigned base, int32_t disp)
{
	return (struct rm){.mem = true, .reg = (uint8_t)base, .index = H_RSP, .disp = disp};
}
static inline struct rm rm_index(unsigned base, unsigned index, unsigned scale, int32_t disp)
{
	return (struct rm){true, (uint8_t)base, (uint8_t)index, (uint8_t)scale, disp};
}

static inline void emit_modrm(struct emit *e, unsigned reg, const struct rm *m)
{
	/* Or a vector register, or only read. */
	e->rcx_changed |= reg == H_RCX || (!m->mem && m->reg == H_RCX);
	reg &= 7;
	if (!m->mem) {
		emit8(e, (uint8_t)(0xc0 | reg << 3 | (m->reg & 7)));
		return;
	}
	unsigned mod = m->disp == 0 && (m->reg & 7) != H_RBP ? 0 : m->disp == (int8_t)m->disp ? 1 : 2;
	if (m->index != H_RSP || (m->reg & 7) == H_RSP) {
		emit8(e, (uint8_t)(mod << 6 | reg << 3 | 4));
		emit8(e, (uint8_t)(m->scale << 6 | (m->index & 7) << 3 | (m->reg & 7)));
	} else {
		emit8(e, (uint8_t)(mod << 6 | reg << 3 | (m->reg & 7)));
	}
	if (mod == 1)
		emit8(e, (uint8_t)m->disp);
	else if (mod == 2)
		emit32(e, (uint32_t)m->disp);
}

/* Opcode bytes: one byte, or 0F xx, 0F 38 xx as 0x0fxx, 0x0f38xx. pfx: 0, 66h, F2h or F3h. `size` is the
 * operand size in bytes: it adds 66h or REX.W, and REX where a byte register needs it. */
static inline void emit_op(struct emit *e, unsigned pfx, uint32_t opcode, unsigned size,
			   unsigned reg, struct rm m, bool byte_reg, bool byte_rm)
{
	unsigned rex = (size == 8 ? 8u : 0) | (reg >> 3 & 1) << 2 |
		       (m.mem && m.index != H_RSP ? (m.index >> 3 & 1u) << 1 : 0) | (m.reg >> 3 & 1u);
	if (size == 2)
		emit8(e, 0x66);
	if (pfx)
		emit8(e, (uint8_t)pfx);
	if (rex || (byte_reg && reg >= 4) || (byte_rm && !m.mem && m.reg >= 4))
		emit8(e, (uint8_t)(0x40 | rex));
	if (opcode > 0xffff)
		emit8(e, (uint8_t)(opcode >> 16));
	if (opcode > 0xff)
		emit8(e, (uint8_t)(opcode >> 8));
	emit8(e, (uint8_t)opcode);
	emit_modrm(e, reg, &m);
}

/* op reg, r/m  or  op r/m, reg: the opcode decides */
static inline void emit_rm(struct emit *e, uint32_t opcode, unsigned size, unsigned reg, struct rm m)
{
	emit_op(e, 0, opcode, size, reg, m, size == 1, size == 1);
}
/* mov reg, r/m (64 bits) */
static inline void emit_load(struct emit *e, unsigned reg, struct rm m) { emit_rm(e, 0x8b, 8, reg, m); }
/* mov r/m, reg (64 bits) */
static inline void emit_store(struct emit *e, struct rm m, unsigned reg)
{
	bool changed = e->rcx_changed;
	emit_rm(e, 0x89, 8, reg, m);
	e->rcx_changed = changed;
}
/* mov reg, r/m (32 bits) */
static inline void emit_load32(struct emit *e, unsigned reg, struct rm m) { emit_rm(e, 0x8b, 4, reg, m); }
/* lea reg, m */
static inline void emit_lea(struct emit *e, unsigned size, unsigned reg, struct rm m)
{
	emit_rm(e, 0x8d, size, reg, m);
}
/* mov reg, imm: the shortest form */
static inline void emit_mov_imm(struct emit *e, unsigned reg, uint64_t imm)
{
	e->rcx_changed |= reg == H_RCX;
	if (imm <= 0xffffffff) {
		if (reg >= 8)
			emit8(e, 0x41);
		emit8(e, (uint8_t)(0xb8 | (reg & 7)));
		emit32(e, (uint32_t)imm);
	} else if ((uint64_t)(int64_t)(int32_t)imm == imm) {
		emit_rm(e, 0xc7, 8, 0, rm_reg(reg));
		emit32(e, (uint32_t)imm);
	} else {
		emit8(e, (uint8_t)(0x48 | reg >> 3));
		emit8(e, (uint8_t)(0xb8 | (reg & 7)));
		emit64(e, imm);
	}
}
/* mov m, imm32; cmp m, imm32 (sign-extended) */
static inline void emit_store_imm(struct emit *e, unsigned size, struct rm m, uint32_t imm)
{
	emit_rm(e, 0xc7, size, 0, m);
	emit32(e, imm);
}
static inline void emit_cmp_imm32(struct emit *e, unsigned size, struct rm m, uint32_t imm)
{
	emit_rm(e, 0x81, size, 7, m);
	emit32(e, imm);
}
/* pext reg, src, m (64 bits) */
static inline void emit_pext(struct emit *e, unsigned reg, unsigned src, struct rm m)
{
	emit8(e, 0xc4);
	emit8(e, (uint8_t)((reg & 8 ? 0 : 0x80) | (m.index != H_RSP && m.index & 8 ? 0 : 0x40) |
			   (m.reg & 8 ? 0 : 0x20) | 2));
	emit8(e, (uint8_t)(0x80 | (~src & 15) << 3 | 2));
	emit8(e, 0xf5);
	emit_modrm(e, reg, &m);
}

/* rorx reg, src, n */
static inline void emit_rorx(struct emit *e, unsigned size, unsigned reg, unsigned src, unsigned n)
{
	e->rcx_changed |= reg == H_RCX;
	emit8(e, 0xc4);
	emit8(e, (uint8_t)((reg & 8 ? 0 : 0x80) | 0x40 | (src & 8 ? 0 : 0x20) | 3));
	emit8(e, size == 8 ? 0xfb : 0x7b);
	emit8(e, 0xf0);
	emit8(e, (uint8_t)(0xc0 | (reg & 7) << 3 | (src & 7)));
	emit8(e, (uint8_t)n);
}

/* reg >>= 32 without flags: rorx reg, reg, 32; mov reg32, reg32 */
static inline void emit_upper_half(struct emit *e, unsigned reg)
{
	emit8(e, 0xc4);
	emit8(e, (uint8_t)(reg & 8 ? 0x43 : 0xe3));
	emit8(e, 0xfb);
	emit8(e, 0xf0);
	emit8(e, (uint8_t)(0xc0 | (reg & 7) << 3 | (reg & 7)));
	emit8(e, 32);
	emit_rm(e, 0x8b, 4, reg, rm_reg(reg));
}

/* VEX prefix, opcode and operands: v<op> reg, vvvv, r/m. pp: 0, 66h, F3h, F2h as 0-3. */
static inline void emit_vex(struct emit *e, unsigned map, unsigned pp, bool w, bool l, uint8_t opcode,
		     unsigned reg, unsigned vvvv, struct rm m)
{
	unsigned x = m.mem && m.index != H_RSP ? m.index >> 3 & 1u : 0;
	emit8(e, 0xc4);
	emit8(e, (uint8_t)((reg & 8 ? 0 : 0x80) | (x ? 0 : 0x40) | (m.reg & 8 ? 0 : 0x20) | map));
	emit8(e, (uint8_t)((w ? 0x80 : 0) | (~vvvv & 15) << 3 | (l ? 4 : 0) | pp));
	emit8(e, opcode);
	emit_modrm(e, reg, &m);
}

/* bswap reg */
static inline void emit_bswap(struct emit *e, unsigned size, unsigned reg)
{
	if (size == 8 || reg >= 8)
		emit8(e, (uint8_t)(0x40 | (size == 8 ? 8 : 0) | reg >> 3));
	emit8(e, 0x0f);
	emit8(e, (uint8_t)(0xc8 | (reg & 7)));
}

/* Jumps: emit_j*() leave a 32-bit displacement to be patched and return where it is. */
static inline uint8_t *emit_jmp(struct emit *e)
{
	emit8(e, 0xe9);
	emit32(e, 0);
	return e->w - 4;
}
static inline uint8_t *emit_jcc(struct emit *e, unsigned cc)
{
	emit8(e, 0x0f);
	emit8(e, (uint8_t)(0x80 | cc));
	emit32(e, 0);
	return e->w - 4;
}
/* The displacement at `at` now leads to `to`; both in the writable alias. */
static inline void emit_patch(uint8_t *at, const uint8_t *to)
{
	int32_t d = (int32_t)(to - (at + 4));
	memcpy(at, &d, 4);
}
/* Where the jump leads whose displacement is at `at`. */
static inline const uint8_t *emit_target(const uint8_t *at)
{
	int32_t d;
	memcpy(&d, at, 4);
	return at + 4 + d;
}
/* call / jmp to an address in the writable alias */
static inline void emit_call(struct emit *e, const uint8_t *to)
{
	e->rcx_changed = true;
	emit8(e, 0xe8);
	emit32(e, (uint32_t)(to - (e->w + 4)));
}
static inline void emit_jmp_to(struct emit *e, const uint8_t *to)
{
	emit8(e, 0xe9);
	emit32(e, (uint32_t)(to - (e->w + 4)));
}
/* push reg, pop reg, ret */
static inline void emit_push(struct emit *e, unsigned reg)
{
	if (reg >= 8)
		emit8(e, 0x41);
	emit8(e, (uint8_t)(0x50 | (reg & 7)));
}
static inline void emit_pop(struct emit *e, unsigned reg)
{
	if (reg >= 8)
		emit8(e, 0x41);
	emit8(e, (uint8_t)(0x58 | (reg & 7)));
}
static inline void emit_ret(struct emit *e) { emit8(e, 0xc3); }
/* jrcxz over the 5 bytes of a jmp rel32 */
static inline void emit_jrcxz_over_jmp(struct emit *e)
{
	emit8(e, 0xe3);
	emit8(e, 5);
}

/* seto al; lahf: the status flags to AX */
static inline void emit_flags_to_ax(struct emit *e)
{
	static const uint8_t code[] = {0x0f, 0x90, 0xc0, 0x9f};
	emit_bytes(e, code, sizeof(code));
}
/* add al, 7fh; sahf: and back, OF first */
static inline void emit_flags_from_ax(struct emit *e)
{
	static const uint8_t code[] = {0x04, 0x7f, 0x9e};
	emit_bytes(e, code, sizeof(code));
}

#endif
