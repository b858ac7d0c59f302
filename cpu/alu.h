/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Integer arithmetic with flags, free of any CPU state. SDM vol. 1 3.4.3.1, vol. 2 instruction pages.
 *
 * Every function takes operands zero-extended from `size` bytes and returns the result likewise; with
 * a constant size it compiles to a few instructions. *cc holds the six status flags at their RFLAGS
 * positions: it is read where the operation reads flags or leaves some alone, and written whole.
 * Flags that the SDM leaves undefined get the values that processors give in practice.
 */
#ifndef CPU_ALU_H
#define CPU_ALU_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/vcpu.h"

static inline uint64_t alu_mask(uint64_t v, unsigned size)
{
	return v & (~0ull >> (64 - size * 8));
}

static inline int64_t alu_sext(uint64_t v, unsigned size)
{
	unsigned sh = 64 - size * 8;
	return (int64_t)(v << sh) >> sh;
}

static inline unsigned alu_msb(uint64_t v, unsigned size)
{
	return v >> (size * 8 - 1) & 1;
}

static inline uint32_t alu_pf(uint64_t r)
{
	return __builtin_parity((uint8_t)r) ? 0 : FL_PF;
}

/* SF, ZF and PF of a result. */
static inline uint32_t alu_szp(uint64_t r, unsigned size)
{
	return alu_pf(r) | (uint32_t)(r == 0) << 6 | alu_msb(r, size) << 7;
}

static inline uint64_t alu_add(uint32_t *cc, uint64_t a, uint64_t b, unsigned size)
{
	uint64_t r = alu_mask(a + b, size);
	*cc = (r < a) | ((a ^ b ^ r) & FL_AF) | alu_szp(r, size) |
	      alu_msb((a ^ r) & (b ^ r), size) << 11;
	return r;
}

static inline uint64_t alu_adc(uint32_t *cc, uint64_t a, uint64_t b, unsigned size)
{
	uint64_t r = alu_mask(a + b + (*cc & FL_CF), size);
	*cc = alu_msb((a & b) | ((a | b) & ~r), size) | ((a ^ b ^ r) & FL_AF) | alu_szp(r, size) |
	      alu_msb((a ^ r) & (b ^ r), size) << 11;
	return r;
}

static inline uint64_t alu_sub(uint32_t *cc, uint64_t a, uint64_t b, unsigned size)
{
	uint64_t r = alu_mask(a - b, size);
	*cc = (a < b) | ((a ^ b ^ r) & FL_AF) | alu_szp(r, size) |
	      alu_msb((a ^ b) & (a ^ r), size) << 11;
	return r;
}

static inline uint64_t alu_sbb(uint32_t *cc, uint64_t a, uint64_t b, unsigned size)
{
	uint64_t r = alu_mask(a - b - (*cc & FL_CF), size);
	*cc = alu_msb((~a & b) | ((~a | b) & r), size) | ((a ^ b ^ r) & FL_AF) | alu_szp(r, size) |
	      alu_msb((a ^ b) & (a ^ r), size) << 11;
	return r;
}

static inline uint64_t alu_and(uint32_t *cc, uint64_t a, uint64_t b, unsigned size)
{
	uint64_t r = a & b;
	*cc = alu_szp(r, size);
	return r;
}

static inline uint64_t alu_or(uint32_t *cc, uint64_t a, uint64_t b, unsigned size)
{
	uint64_t r = a | b;
	*cc = alu_szp(r, size);
	return r;
}

static inline uint64_t alu_xor(uint32_t *cc, uint64_t a, uint64_t b, unsigned size)
{
	uint64_t r = a ^ b;
	*cc = alu_szp(r, size);
	return r;
}

static inline uint64_t alu_inc(uint32_t *cc, uint64_t a, unsigned size)
{
	uint32_t cf = *cc & FL_CF;
	uint64_t r = alu_add(cc, a, 1, size);
	*cc = (*cc & ~FL_CF) | cf;
	return r;
}

static inline uint64_t alu_dec(uint32_t *cc, uint64_t a, unsigned size)
{
	uint32_t cf = *cc & FL_CF;
	uint64_t r = alu_sub(cc, a, 1, size);
	*cc = (*cc & ~FL_CF) | cf;
	return r;
}

static inline uint64_t alu_neg(uint32_t *cc, uint64_t a, unsigned size)
{
	return alu_sub(cc, 0, a, size);
}

/* Shift counts are taken modulo 32, or 64 for quadwords; zero leaves the flags alone. */
static inline unsigned alu_count(unsigned n, unsigned size)
{
	return n & (size == 8 ? 63 : 31);
}

static inline uint64_t alu_shl(uint32_t *cc, uint64_t a, unsigned n, unsigned size)
{
	n = alu_count(n, size);
	if (!n)
		return a;
	uint64_t r = alu_mask(a << n, size);
	unsigned cf = size == 8 ? a >> (64 - n) & 1 : (a << n) >> (size * 8) & 1;
	*cc = cf | alu_szp(r, size) | (alu_msb(r, size) ^ cf) << 11;
	return r;
}

static inline uint64_t alu_shr(uint32_t *cc, uint64_t a, unsigned n, unsigned size)
{
	n = alu_count(n, size);
	if (!n)
		return a;
	uint64_t r = a >> n;
	*cc = (a >> (n - 1) & 1) | alu_szp(r, size) | alu_msb(r ^ r << 1, size) << 11;
	return r;
}

static inline uint64_t alu_sar(uint32_t *cc, uint64_t a, unsigned n, unsigned size)
{
	n = alu_count(n, size);
	if (!n)
		return a;
	int64_t s = alu_sext(a, size);
	uint64_t r = alu_mask(s >> n, size);
	*cc = (s >> (n - 1) & 1) | alu_szp(r, size);
	return r;
}

/* Rotates change CF and OF only. */
static inline void alu_rot_flags(uint32_t *cc, unsigned cf, unsigned of)
{
	*cc = (*cc & ~(FL_CF | FL_OF)) | cf | of << 11;
}

static inline uint64_t alu_rol(uint32_t *cc, uint64_t a, unsigned n, unsigned size)
{
	unsigned bits = size * 8, m = n & (bits - 1);
	if (!alu_count(n, size))
		return a;
	uint64_t r = m ? alu_mask(a << m | a >> (bits - m), size) : a;
	alu_rot_flags(cc, r & 1, alu_msb(r, size) ^ (r & 1));
	return r;
}

static inline uint64_t alu_ror(uint32_t *cc, uint64_t a, unsigned n, unsigned size)
{
	unsigned bits = size * 8, m = n & (bits - 1);
	if (!alu_count(n, size))
		return a;
	uint64_t r = m ? alu_mask(a >> m | a << (bits - m), size) : a;
	alu_rot_flags(cc, alu_msb(r, size), alu_msb(r ^ r << 1, size));
	return r;
}

/* Rotate counts through carry are modulo 9 and 17 for bytes and words. */
static inline unsigned alu_rc_count(unsigned n, unsigned size)
{
	n = alu_count(n, size);
	return size < 4 ? n % (size * 8 + 1) : n;
}

static inline uint64_t alu_rcl(uint32_t *cc, uint64_t a, unsigned n, unsigned size)
{
	unsigned bits = size * 8;
	uint64_t cin = *cc & FL_CF;
	n = alu_rc_count(n, size);
	if (!n)
		return a;
	unsigned cf = a >> (bits - n) & 1;
	uint64_t r = (n < 64 ? a << n : 0) | cin << (n - 1);
	if (n > 1)
		r |= a >> (bits + 1 - n);
	r = alu_mask(r, size);
	alu_rot_flags(cc, cf, alu_msb(r, size) ^ cf);
	return r;
}

static inline uint64_t alu_rcr(uint32_t *cc, uint64_t a, unsigned n, unsigned size)
{
	unsigned bits = size * 8;
	uint64_t cin = *cc & FL_CF;
	n = alu_rc_count(n, size);
	if (!n)
		return a;
	uint64_t r = (a >> n) | cin << (bits - n);
	if (n > 1)
		r |= a << (bits + 1 - n);
	r = alu_mask(r, size);
	alu_rot_flags(cc, a >> (n - 1) & 1, alu_msb(r ^ r << 1, size));
	return r;
}

/* Double shifts of a, filled from b. Word shifts by more than 16 go on with b again and clear CF, as
 * AMD processors do where the manuals say undefined. */
static inline uint64_t alu_shld(uint32_t *cc, uint64_t a, uint64_t b, unsigned n, unsigned size)
{
	unsigned bits = size * 8, cf;
	uint64_t r;
	n = alu_count(n, size);
	if (!n)
		return a;
	if (size == 2) {
		cf = n <= 16 ? a >> (16 - n) & 1 : 0;
		r = (a << 32 | b << 16 | b) << n >> 32 & 0xffff;
	} else {
		cf = a >> (bits - n) & 1;
		r = alu_mask(a << n | b >> (bits - n), size);
	}
	*cc = cf | alu_szp(r, size) | (alu_msb(r, size) ^ cf) << 11;
	return r;
}

static inline uint64_t alu_shrd(uint32_t *cc, uint64_t a, uint64_t b, unsigned n, unsigned size)
{
	unsigned bits = size * 8, cf;
	uint64_t r;
	n = alu_count(n, size);
	if (!n)
		return a;
	if (size == 2) {
		cf = n <= 16 ? a >> (n - 1) & 1 : 0;
		r = (b << 32 | b << 16 | a) >> n & 0xffff;
	} else {
		cf = a >> (n - 1) & 1;
		r = alu_mask(a >> n | b << (bits - n), size);
	}
	*cc = cf | alu_szp(r, size) | alu_msb(r ^ r << 1, size) << 11;
	return r;
}

/* Products: the low half is returned, the high half stored. CF and OF say that the high half is
 * needed. */
static inline uint64_t alu_mul(uint32_t *cc, uint64_t a, uint64_t b, unsigned size, uint64_t *hi)
{
	unsigned __int128 p = (unsigned __int128)a * b;
	uint64_t lo = alu_mask((uint64_t)p, size);
	*hi = size == 8 ? (uint64_t)(p >> 64) : (uint64_t)p >> (size * 8);
	*cc = alu_szp(lo, size) | (*hi ? FL_CF | FL_OF : 0);
	return lo;
}

static inline uint64_t alu_imul(uint32_t *cc, uint64_t a, uint64_t b, unsigned size, uint64_t *hi)
{
	__int128 p = (__int128)alu_sext(a, size) * alu_sext(b, size);
	uint64_t lo = alu_mask((uint64_t)p, size);
	*hi = alu_mask((uint64_t)(p >> (size * 8)), size);
	*cc = alu_szp(lo, size) | (p != alu_sext(lo, size) ? FL_CF | FL_OF : 0);
	return lo;
}

/* Condition n of Jcc, SETcc and CMOVcc: the low four opcode bits. */
static inline bool cond(uint32_t cc, unsigned n)
{
	bool r;
	switch (n >> 1 & 7) {
	case 0:
		r = cc & FL_OF;
		break;
	case 1:
		r = cc & FL_CF;
		break;
	case 2:
		r = cc & FL_ZF;
		break;
	case 3:
		r = cc & (FL_CF | FL_ZF);
		break;
	case 4:
		r = cc & FL_SF;
		break;
	case 5:
		r = cc & FL_PF;
		break;
	case 6:
		r = (cc >> 4 ^ cc) & FL_SF;
		break;
	default:
		r = (cc & FL_ZF) || ((cc >> 4 ^ cc) & FL_SF);
	}
	return r != (n & 1);
}

#endif
