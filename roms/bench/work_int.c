/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Integer code and control flow. No library, no data of its own that one round leaves to the next.
 */
#include "roms/bench/bench.h"

/* The finalizer of SplitMix64 (Steele, Lea, Flood 2014). */
static inline uint64_t mix(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint64_t bench_int(uint64_t *arena)
{
	uint64_t x = 1;

	(void)arena;
	for (unsigned n = 0; n < 1024; n++)
		x = mix(x + 0x9e3779b97f4a7c15);
	return x;
}

/* ---- SHA-256 (FIPS 180-4) ---- */

static const uint32_t sha_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline uint32_t ror(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static void sha_block(uint32_t h[8], uint32_t seed)
{
	uint32_t w[64], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6],
			i = h[7];

	for (unsigned n = 0; n < 16; n++)
		w[n] = seed * 0x01000193 + n;
	for (unsigned n = 16; n < 64; n++) {
		uint32_t x = w[n - 15], y = w[n - 2];

		w[n] = w[n - 16] + w[n - 7] + (ror(x, 7) ^ ror(x, 18) ^ x >> 3) +
		       (ror(y, 17) ^ ror(y, 19) ^ y >> 10);
	}
	for (unsigned n = 0; n < 64; n++) {
		uint32_t t = i + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + ((e & f) ^ (~e & g)) +
			     sha_k[n] + w[n];
		uint32_t u = (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));

		i = g, g = f, f = e, e = d + t, d = c, c = b, b = a, a = t + u;
	}
	h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e, h[5] += f, h[6] += g, h[7] += i;
}

uint64_t bench_sha256(uint64_t *arena)
{
	uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
			 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

	(void)arena;
	for (uint32_t n = 0; n < 16; n++)
		sha_block(h, n);
	return (uint64_t)h[0] << 32 | h[7];
}

/* ---- control flow ---- */

/* An empty asm statement in each arm keeps it a jump. */
uint64_t bench_branch(uint64_t *arena)
{
	uint64_t x = 0x123456789abcdef, sum = 0;

	(void)arena;
	for (unsigned n = 0; n < 1024; n++) {
		x = x * 6364136223846793005 + 1442695040888963407;
		if (x >> 63) {
			sum += n;
			__asm__ volatile("" : "+r"(sum));
		} else {
			sum ^= x;
			__asm__ volatile("" : "+r"(sum));
		}
	}
	return sum;
}

/* Fibonacci numbers: calls of 16, and all that they call, are 2 * fib(17) - 1 = 3193. */
static __attribute__((noinline)) uint64_t descend(uint64_t n)
{
	uint64_t sum;

	if (n < 2)
		return n;
	sum = descend(n - 1);
	__asm__ volatile("" : "+r"(sum));
	sum += descend(n - 2);
	__asm__ volatile("" : "+r"(sum));
	return sum;
}

uint64_t bench_call(uint64_t *arena)
{
	(void)arena;
	return descend(16);
}

static __attribute__((noinline)) uint64_t step_add(uint64_t x)
{
	return x + 0x9e3779b97f4a7c15;
}
static __attribute__((noinline)) uint64_t step_mul(uint64_t x)
{
	return x * 0xbf58476d1ce4e5b9 + 1;
}
static __attribute__((noinline)) uint64_t step_ror(uint64_t x)
{
	return x >> 23 | x << 41;
}
static __attribute__((noinline)) uint64_t step_xor(uint64_t x)
{
	return x ^ x >> 27;
}
static __attribute__((noinline)) uint64_t step_not(uint64_t x)
{
	return ~x;
}
static __attribute__((noinline)) uint64_t step_neg(uint64_t x)
{
	return 0x5bd1e995 - x;
}
static __attribute__((noinline)) uint64_t step_swap(uint64_t x)
{
	return __builtin_bswap64(x);
}
static __attribute__((noinline)) uint64_t step_lea(uint64_t x)
{
	return x + x * 8;
}

uint64_t bench_indirect(uint64_t *arena)
{
	static uint64_t (*const steps[8])(uint64_t) = {step_add, step_mul, step_ror,  step_xor,
						       step_not, step_neg, step_swap, step_lea};
	uint64_t x = 1, order = 0x123456789abcdef;

	(void)arena;
	for (unsigned n = 0; n < 1024; n++) {
		order = order * 6364136223846793005 + 1442695040888963407;
		x = steps[order >> 61](x);
	}
	return x;
}

/* MOV EAX, imm32; RET */
uint64_t bench_smc(uint64_t *arena)
{
	volatile uint8_t *code = (volatile uint8_t *)arena;
	uint32_t (*function)(void) = (uint32_t(*)(void))(uintptr_t)arena;
	uint64_t sum = 0;

	code[0] = 0xb8;
	code[5] = 0xc3;
	for (uint32_t n = 0; n < 64; n++) {
		*(volatile uint32_t *)(code + 1) = n * 0x01010101;
		sum = sum * 31 + function();
	}
	return sum;
}

/* ---- instructions that hypervisors may intercept ---- */

uint64_t bench_rdtsc(uint64_t *arena)
{
	uint32_t lo, hi;
	uint64_t last = 0, steps = 0;

	(void)arena;
	for (unsigned n = 0; n < 64; n++) {
		__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
		steps += ((uint64_t)hi << 32 | lo) >= last;
		last = (uint64_t)hi << 32 | lo;
	}
	return steps;
}

static inline void cpuid(uint32_t leaf, uint32_t r[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
			 : "a"(leaf), "c"(0));
}

/* The answer is each CPU's own. */
uint64_t bench_cpuid(uint64_t *arena)
{
	uint32_t r[4];
	uint64_t answers = 0;

	(void)arena;
	for (unsigned n = 0; n < 16; n++) {
		cpuid(0, r);
		answers += r[0] != 0;
	}
	return answers;
}

bool bench_has_avx2(void)
{
	uint32_t r[4], xcr0, high;

	cpuid(0, r);
	if (r[0] < 7)
		return false;
	cpuid(1, r);
	if ((r[2] & 0x18000000) != 0x18000000) /* OSXSAVE, AVX */
		return false;
	__asm__ volatile("xgetbv" : "=a"(xcr0), "=d"(high) : "c"(0));
	cpuid(7, r);
	return (xcr0 & 6) == 6 && r[1] >> 5 & 1;
}
