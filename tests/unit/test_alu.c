/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cpu/alu.h against the host CPU: every function, every size, boundary and random operands, flags
 * bit for bit where the SDM defines them.
 */
#include <criterion/criterion.h>

#include "cpu/alu.h"

#ifdef __x86_64__

enum { ROUNDS = 60000 };

static uint64_t rng(uint64_t *s)
{
	uint64_t z = *s += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Half of them near the values where carries and signs change. */
static uint64_t value(uint64_t *s, unsigned size)
{
	static const uint64_t edge[] = {0,
					1,
					2,
					0x7f,
					0x80,
					0xff,
					0x7fff,
					0x8000,
					0xffff,
					0x7fffffff,
					0x80000000,
					0xffffffff,
					0x7fffffffffffffff,
					0x8000000000000000,
					~0ull,
					~1ull};
	uint64_t r = rng(s);

	if (r & 1)
		return alu_mask(edge[r >> 8 & 15] + (r >> 1 & 3) - 1, size);
	return alu_mask(rng(s) >> (r >> 16 & 63), size);
}

typedef uint64_t host_fn(uint32_t *cc, uint64_t a, uint64_t b, uint64_t n);

/* Runs one instruction with flags in and out; the red zone stays out of the way of push. */
#define HOST(name, text)                                                                           \
	static uint64_t name(uint32_t *cc, uint64_t a, uint64_t b, uint64_t n)                     \
	{                                                                                          \
		uint64_t fl = *cc | FL_1;                                                          \
		__asm__ volatile("lea -128(%%rsp), %%rsp; push %[fl]; popfq; " text                \
				 "; pushfq; pop %[fl]; lea 128(%%rsp), %%rsp"                      \
				 : [a] "+a"(a), [b] "+d"(b), [fl] "+r"(fl), [n] "+c"(n)            \
				 :                                                                 \
				 : "cc", "memory");                                                \
		*cc = fl & FL_STATUS;                                                              \
		return a;                                                                          \
	}

#define HOST4(name, text1, text2, text4, text8)                                                    \
	HOST(name##_1, text1)                                                                      \
	HOST(name##_2, text2)                                                                      \
	HOST(name##_4, text4) HOST(name##_8, text8) static host_fn *const name[9] = {              \
	    [1] = name##_1, [2] = name##_2, [4] = name##_4, [8] = name##_8};

#define HOST_BINARY(insn)                                                                          \
	HOST4(host_##insn, #insn "b %%dl, %%al", #insn "w %%dx, %%ax", #insn "l %%edx, %%eax",     \
	      #insn "q %%rdx, %%rax")
#define HOST_UNARY(insn)                                                                           \
	HOST4(host_##insn, #insn "b %%al", #insn "w %%ax", #insn "l %%eax", #insn "q %%rax")
#define HOST_SHIFT(insn)                                                                           \
	HOST4(host_##insn, #insn "b %%cl, %%al", #insn "w %%cl, %%ax", #insn "l %%cl, %%eax",      \
	      #insn "q %%cl, %%rax")
#define HOST_DOUBLE(insn)                                                                          \
	HOST4(host_##insn, "nop", #insn "w %%cl, %%dx, %%ax", #insn "l %%cl, %%edx, %%eax",        \
	      #insn "q %%cl, %%rdx, %%rax")
/* The high half is left in rDX by all but the byte form. */
#define HOST_MUL(insn)                                                                             \
	HOST4(host_##insn, #insn "b %%dl; movb %%ah, %%dl; movzbl %%al, %%eax", #insn "w %%dx",    \
	      #insn "l %%edx", #insn "q %%rdx")

HOST_BINARY(add)
HOST_BINARY(adc)
HOST_BINARY(sub)
HOST_BINARY(sbb)
HOST_BINARY(and)
HOST_BINARY(or)
HOST_BINARY(xor)
HOST_UNARY(inc)
HOST_UNARY(dec)
HOST_UNARY(neg)
HOST_SHIFT(rol)
HOST_SHIFT(ror)
HOST_SHIFT(rcl)
HOST_SHIFT(rcr)
HOST_SHIFT(shl)
HOST_SHIFT(shr)
HOST_SHIFT(sar)
HOST_DOUBLE(shld)
HOST_DOUBLE(shrd)
HOST_MUL(mul)
HOST_MUL(imul)

#define OURS(name, expr)                                                                           \
	static uint64_t our_##name(uint32_t *cc, uint64_t a, uint64_t b, unsigned n,               \
				   unsigned size)                                                  \
	{                                                                                          \
		(void)b;                                                                           \
		(void)n;                                                                           \
		return expr;                                                                       \
	}
OURS(add, alu_add(cc, a, b, size))
OURS(adc, alu_adc(cc, a, b, size))
OURS(sub, alu_sub(cc, a, b, size))
OURS(sbb, alu_sbb(cc, a, b, size))
OURS(and, alu_and(cc, a, b, size))
OURS(or, alu_or(cc, a, b, size))
OURS(xor, alu_xor(cc, a, b, size))
OURS(inc, alu_inc(cc, a, size))
OURS(dec, alu_dec(cc, a, size))
OURS(neg, alu_neg(cc, a, size))
OURS(rol, alu_rol(cc, a, n, size))
OURS(ror, alu_ror(cc, a, n, size))
OURS(rcl, alu_rcl(cc, a, n, size))
OURS(rcr, alu_rcr(cc, a, n, size))
OURS(shl, alu_shl(cc, a, n, size))
OURS(shr, alu_shr(cc, a, n, size))
OURS(sar, alu_sar(cc, a, n, size))
OURS(shld, alu_shld(cc, a, b, n, size))
OURS(shrd, alu_shrd(cc, a, b, n, size))

typedef uint64_t our_fn(uint32_t *cc, uint64_t a, uint64_t b, unsigned n, unsigned size);

enum kind { BINARY, SHIFT, ROTATE, DOUBLE };

/* Flags that the SDM defines for this count. */
static uint32_t defined(enum kind kind, unsigned n, unsigned size, uint32_t undefined)
{
	unsigned count = alu_count(n, size), bits = size * 8;

	if (kind == BINARY || !count)
		return FL_STATUS & ~(kind == BINARY ? undefined : 0);
	undefined = kind == ROTATE ? 0 : FL_AF;
	if (count != 1)
		undefined |= FL_OF;
	if (kind == SHIFT && count >= bits)
		undefined |= FL_CF;
	if (kind == DOUBLE && count > bits)
		undefined = FL_STATUS;
	return FL_STATUS & ~undefined;
}

static void compare(const char *name, our_fn *our, host_fn *const *host, enum kind kind,
		    uint32_t undefined)
{
	uint64_t s = 1;

	for (unsigned size = kind == DOUBLE ? 2 : 1; size <= 8; size *= 2) {
		for (unsigned k = 0; k < ROUNDS; k++) {
			uint64_t a = value(&s, size), b = value(&s, size);
			unsigned n = rng(&s) & 0xff;
			uint32_t cc = rng(&s) & FL_STATUS, ours = cc, theirs = cc;
			uint32_t mask = defined(kind, n, size, undefined);
			uint64_t r = our(&ours, a, b, n, size);
			uint64_t want = alu_mask(host[size](&theirs, a, b, n), size);

			if (kind == DOUBLE && alu_count(n, size) > size * 8)
				continue;
			cr_assert(r == want && !((ours ^ theirs) & mask),
				  "%s size %u a %lx b %lx n %u cc %x: %lx/%x, host %lx/%x", name,
				  size, a, b, n, cc, r, ours, want, theirs);
		}
	}
}

#define ALU_TEST(name, kind, undefined)                                                            \
	Test(alu, name)                                                                            \
	{                                                                                          \
		compare(#name, our_##name, host_##name, kind, undefined);                          \
	}
ALU_TEST(add, BINARY, 0)
ALU_TEST(adc, BINARY, 0)
ALU_TEST(sub, BINARY, 0)
ALU_TEST(sbb, BINARY, 0)
ALU_TEST(and, BINARY, FL_AF)
ALU_TEST(or, BINARY, FL_AF)
ALU_TEST(xor, BINARY, FL_AF)
ALU_TEST(inc, BINARY, 0)
ALU_TEST(dec, BINARY, 0)
ALU_TEST(neg, BINARY, 0)
ALU_TEST(rol, ROTATE, 0)
ALU_TEST(ror, ROTATE, 0)
ALU_TEST(rcl, ROTATE, 0)
ALU_TEST(rcr, ROTATE, 0)
ALU_TEST(shl, SHIFT, 0)
ALU_TEST(shr, SHIFT, 0)
ALU_TEST(sar, SHIFT, 0)
ALU_TEST(shld, DOUBLE, 0)
ALU_TEST(shrd, DOUBLE, 0)

typedef uint64_t mul_fn(uint32_t *cc, uint64_t a, uint64_t b, unsigned size, uint64_t *hi);

/* The host leaves the product in rDX:rAX, so the low half comes back and CF and OF tell of the high
 * one; the high half itself is checked against the definition. */
static void compare_mul(mul_fn *our, host_fn *const *host, bool is_signed)
{
	uint64_t s = 2;

	for (unsigned size = 1; size <= 8; size *= 2) {
		for (unsigned k = 0; k < ROUNDS; k++) {
			uint64_t a = value(&s, size), b = value(&s, size), hi;
			uint32_t ours = 0, theirs = 0;
			uint64_t lo = our(&ours, a, b, size, &hi);
			uint64_t want = alu_mask(host[size](&theirs, a, b, 0), size);
			unsigned __int128 p =
			    is_signed ? (unsigned __int128)((__int128)alu_sext(a, size) *
							    alu_sext(b, size))
				      : (unsigned __int128)a * b;

			cr_assert(lo == want && hi == alu_mask(p >> size * 8, size) &&
				      !((ours ^ theirs) & (FL_CF | FL_OF)),
				  "size %u %lx * %lx = %lx:%lx/%x, host %lx/%x", size, a, b, hi, lo,
				  ours, want, theirs);
		}
	}
}

Test(alu, mul)
{
	compare_mul(alu_mul, host_mul, false);
}

Test(alu, imul)
{
	compare_mul(alu_imul, host_imul, true);
}

#define HOST_SETCC(n, text)                                                                        \
	case n:                                                                                    \
		__asm__ volatile("lea -128(%%rsp), %%rsp; push %1; popfq; set" text                \
				 " %0; lea 128(%%rsp), %%rsp"                                      \
				 : "=q"(r)                                                         \
				 : "r"((uint64_t)cc | FL_1)                                        \
				 : "cc", "memory");                                                \
		break;

static bool host_cond(uint32_t cc, unsigned n)
{
	uint8_t r = 0;
	switch (n) {
		HOST_SETCC(0, "o")
		HOST_SETCC(1, "no")
		HOST_SETCC(2, "b")
		HOST_SETCC(3, "ae")
		HOST_SETCC(4, "e")
		HOST_SETCC(5, "ne")
		HOST_SETCC(6, "be")
		HOST_SETCC(7, "a")
		HOST_SETCC(8, "s")
		HOST_SETCC(9, "ns")
		HOST_SETCC(10, "p")
		HOST_SETCC(11, "np")
		HOST_SETCC(12, "l")
		HOST_SETCC(13, "ge")
		HOST_SETCC(14, "le")
		HOST_SETCC(15, "g")
	}
	return r;
}

Test(alu, conditions)
{
	for (uint32_t cc = 0; cc <= FL_STATUS; cc++)
		for (unsigned n = 0; !(cc & ~FL_STATUS) && n < 16; n++)
			cr_assert(cond(cc, n) == host_cond(cc, n), "condition %u with flags %x", n,
				  cc);
}

#endif
