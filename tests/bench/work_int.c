/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Integer and control-flow workloads. SHA-256 follows FIPS 180-4.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "work.h"

static uint64_t run_loop(uint64_t rounds)
{
	uint64_t x = 1;

	for (uint64_t i = 0; i < rounds; i++) {
		x = x * 25 + 7;
		x ^= x >> 3;
		x += x << 1 ^ i;
	}
	return x;
}

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

static uint32_t ror32(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static NOINLINE void sha_block(uint32_t h[8], const uint8_t *p)
{
	uint32_t w[64], s[8];

	for (int i = 0; i < 16; i++) {
		uint32_t v;

		memcpy(&v, p + 4 * i, 4);
		w[i] = __builtin_bswap32(v);
	}
	for (int i = 16; i < 64; i++) {
		uint32_t a = w[i - 15], b = w[i - 2];

		w[i] = w[i - 16] + w[i - 7] + (ror32(a, 7) ^ ror32(a, 18) ^ a >> 3) +
		       (ror32(b, 17) ^ ror32(b, 19) ^ b >> 10);
	}
	memcpy(s, h, sizeof(s));
	for (int i = 0; i < 64; i++) {
		uint32_t e = s[4], a = s[0];
		uint32_t t1 = s[7] + (ror32(e, 6) ^ ror32(e, 11) ^ ror32(e, 25)) +
			      ((e & s[5]) ^ (~e & s[6])) + sha_k[i] + w[i];
		uint32_t t2 = (ror32(a, 2) ^ ror32(a, 13) ^ ror32(a, 22)) +
			      ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));

		s[7] = s[6];
		s[6] = s[5];
		s[5] = e;
		s[4] = s[3] + t1;
		s[3] = s[2];
		s[2] = s[1];
		s[1] = a;
		s[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++)
		h[i] += s[i];
}

static uint64_t run_sha256(uint64_t rounds)
{
	uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
			 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
	uint8_t block[64];

	for (int i = 0; i < 64; i++)
		block[i] = (uint8_t)(i * 7);
	for (uint64_t i = 0; i < rounds; i++) {
		block[i % 64] ^= (uint8_t)h[0];
		sha_block(h, block);
	}
	return (uint64_t)h[0] << 32 | h[7];
}

/* Two calls and a few instructions each: the cost is call and return. */
static NOINLINE uint64_t fib(unsigned n)
{
	if (n < 2)
		return n;

	uint64_t a = fib(n - 1), b = fib(n - 2);

	/* Or the compiler makes a loop of the second call. */
	__asm__ volatile("" : "+r"(b));
	return a + b;
}

static uint64_t run_call(uint64_t rounds)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < rounds; i++)
		sum += fib(16 + i % 3);
	return sum;
}

static NOINLINE uint64_t op_add(uint64_t x, uint64_t k)
{
	return x + k;
}

static NOINLINE uint64_t op_xor(uint64_t x, uint64_t k)
{
	return x ^ k << 7;
}

static NOINLINE uint64_t op_mul(uint64_t x, uint64_t k)
{
	return x * (2 * k + 1);
}

static NOINLINE uint64_t op_rot(uint64_t x, uint64_t k)
{
	return (x << 11 | x >> 53) + k;
}

/* The order repeats after 61 calls, as predictors learn: the cost is the indirect call. */
static uint64_t run_indirect(uint64_t rounds)
{
	static uint64_t (*const ops[])(uint64_t, uint64_t) = {op_add, op_xor, op_mul, op_rot};
	uint64_t (*volatile order[61])(uint64_t, uint64_t);
	uint64_t x = 1, seed = 5;

	for (size_t i = 0; i < COUNT_OF(order); i++)
		order[i] = ops[work_random(&seed) % COUNT_OF(ops)];
	for (uint64_t i = 0, k = 0; i < rounds; i++) {
		x = order[k](x, i);
		if (++k == COUNT_OF(order))
			k = 0;
	}
	return x;
}

/* A bytecode machine, as interpreters are written: one indirect jump for each instruction. */
static NOINLINE uint64_t vm_run(const uint8_t *code, uint64_t counter)
{
	static const void *const labels[] = {&&add, &&xor, &&shift, &&push, &&pop, &&mul, &&loop};
	uint64_t acc = 1, stack[4] = {0};
	unsigned sp = 0;
	const uint8_t *pc = code;

#define NEXT goto *labels[*pc++]
	NEXT;
add:
	acc += *pc++;
	NEXT;
	xor : acc ^= stack[sp & 3];
	NEXT;
shift:
	acc ^= acc >> *pc++;
	NEXT;
push:
	stack[++sp & 3] = acc;
	NEXT;
pop:
	acc += stack[sp-- & 3];
	NEXT;
mul:
	acc *= 2u * *pc++ + 1;
	NEXT;
loop:
	if (--counter) {
		pc = code;
		NEXT;
	}
#undef NEXT
	return acc;
}

static uint64_t run_bytecode(uint64_t rounds)
{
	static const uint8_t code[] = {0, 7, 3, 5, 9, 2, 13, 1, 3, 0, 3,
				       4, 5, 4, 4, 2, 7, 0,  1, 1, 6};

	return vm_run(code, rounds);
}

enum { HASH_SLOTS = 1 << 16 };
static struct hash_slot {
	uint64_t key, value;
} * hash;

static int setup_hash(void)
{
	if (!hash)
		hash = work_alloc(HASH_SLOTS * sizeof(*hash));
	if (!hash)
		return -ENOMEM;
	memset(hash, 0, HASH_SLOTS * sizeof(*hash));
	return 0;
}

/* Counts keys in an open-addressed table of 1 MiB. */
static uint64_t run_hash(uint64_t rounds)
{
	uint64_t seed = 3, sum = 0;

	for (uint64_t i = 0; i < rounds; i++) {
		uint64_t key = work_random(&seed) % (HASH_SLOTS / 2) + 1;
		size_t at = key * 0x9e3779b97f4a7c15u >> 48;

		while (hash[at].key && hash[at].key != key)
			at = (at + 1) % HASH_SLOTS;
		hash[at].key = key;
		sum += hash[at].value++ ^ at;
	}
	return sum;
}

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

enum { SORT_COUNT = 4096 };

static uint64_t run_qsort(uint64_t rounds)
{
	static uint32_t data[SORT_COUNT];
	uint64_t seed = 9, sum = 0;

	for (uint64_t i = 0; i < rounds; i++) {
		for (size_t k = 0; k < SORT_COUNT; k++)
			data[k] = (uint32_t)work_random(&seed);
		qsort(data, SORT_COUNT, sizeof(data[0]), compare_u32);
		sum = sum * 31 + data[i % SORT_COUNT];
	}
	return sum;
}

/* Branches that no predictor learns, and 64-bit division. */
static uint64_t run_gcd(uint64_t rounds)
{
	uint64_t seed = 11, sum = 0;

	for (uint64_t i = 0; i < rounds; i++) {
		uint64_t a = work_random(&seed) << 20 | 1, b = work_random(&seed) | 1;

		while (b) {
			uint64_t t = a % b;

			a = b;
			b = t;
		}
		sum += a;
	}
	return sum;
}

static const struct workload list[] = {
    {"loop", "integer loop in registers", 25000000, NULL, run_loop},
    {"sha256", "SHA-256 in C", 250000, NULL, run_sha256},
    {"call", "recursive calls and returns", 8000, NULL, run_call},
    {"indirect", "calls through pointers", 8000000, NULL, run_indirect},
    {"bytecode", "a bytecode interpreter with threaded dispatch", 6000000, NULL, run_bytecode},
    {"hash", "hash table of 1 MiB", 10000000, setup_hash, run_hash},
    {"qsort", "qsort of 4096 integers", 200, NULL, run_qsort},
    {"gcd", "64-bit division and unpredictable branches", 500000, NULL, run_gcd},
};

const struct workload_group work_int = {list, COUNT_OF(list)};
