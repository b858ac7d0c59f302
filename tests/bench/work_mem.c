/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Memory workloads: dependent loads, streams, string instructions, the C library's functions.
 */
#include <errno.h>
#include <string.h>

#include "work.h"

enum {
	CHASE_SMALL = 16 << 10,
	CHASE_LARGE = 2 << 20,
	CHASE_STEP = 64,
	STREAM_COUNT = 128 << 10,
	COPY_BYTES = 256 << 10,
	TEXT_BYTES = 4096,
};

/* A random cycle through all lines of an array. */
static void **make_chase(size_t bytes)
{
	size_t count = bytes / CHASE_STEP;
	uint64_t seed = bytes;
	char *base = work_alloc(bytes);
	uint32_t *order = work_alloc(count * sizeof(*order));

	if (!base || !order)
		return NULL;
	for (size_t i = 0; i < count; i++)
		order[i] = (uint32_t)i;
	for (size_t i = count - 1; i > 0; i--) {
		size_t k = work_random(&seed) % i;
		uint32_t t = order[i];

		order[i] = order[k];
		order[k] = t;
	}
	for (size_t i = 0; i < count; i++)
		*(void **)(base + (size_t)order[i] * CHASE_STEP) =
		    base + (size_t)order[(i + 1) % count] * CHASE_STEP;
	return (void **)base;
}

static void **chase_small, **chase_large;

static int setup_chase_small(void)
{
	if (!chase_small)
		chase_small = make_chase(CHASE_SMALL);
	return chase_small ? 0 : -ENOMEM;
}

static int setup_chase_large(void)
{
	if (!chase_large)
		chase_large = make_chase(CHASE_LARGE);
	return chase_large ? 0 : -ENOMEM;
}

static uint64_t chase(void **start, uint64_t rounds)
{
	void **p = start;

	for (uint64_t i = 0; i < rounds; i++)
		p = *p;
	return (uint64_t)((char *)p - (char *)start);
}

static uint64_t run_chase_small(uint64_t rounds)
{
	return chase(chase_small, rounds);
}

static uint64_t run_chase_large(uint64_t rounds)
{
	return chase(chase_large, rounds);
}

static uint64_t *stream_a, *stream_b, *stream_c;

static int setup_stream(void)
{
	if (!stream_a) {
		stream_a = work_alloc(STREAM_COUNT * 8);
		stream_b = work_alloc(STREAM_COUNT * 8);
		stream_c = work_alloc(STREAM_COUNT * 8);
	}
	if (!stream_a || !stream_b || !stream_c)
		return -ENOMEM;
	for (size_t i = 0; i < STREAM_COUNT; i++)
		stream_a[i] = stream_b[i] = stream_c[i] = i;
	return 0;
}

/* Two loads and a store for each element, over 3 MiB. */
static uint64_t run_stream(uint64_t rounds)
{
	uint64_t *restrict a = stream_a, *restrict b = stream_b, *restrict c = stream_c;

	for (uint64_t i = 0; i < rounds; i++) {
		for (size_t k = 0; k < STREAM_COUNT; k++) {
			a[k] = b[k] + 3 * c[k];
			/* One element at a time, whatever compiles this. */
			__asm__ volatile("" : "+r"(k));
		}
		uint64_t *t = a;

		a = b;
		b = c;
		c = t;
	}
	return a[17] ^ b[STREAM_COUNT - 1] ^ c[STREAM_COUNT / 2];
}

static char *copy_from, *copy_to;

static int setup_copy(void)
{
	uint64_t seed = 21;

	if (!copy_from) {
		copy_from = work_alloc(COPY_BYTES + 64);
		copy_to = work_alloc(COPY_BYTES + 64);
	}
	if (!copy_from || !copy_to)
		return -ENOMEM;
	for (size_t i = 0; i < COPY_BYTES; i++)
		copy_from[i] = (char)work_random(&seed);
	return 0;
}

static void rep_movsb(void *to, const void *from, size_t n)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

static void rep_stosb(void *to, int value, size_t n)
{
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(value) : "memory");
}

static uint64_t run_rep_movs(uint64_t rounds)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < rounds; i++) {
		rep_movsb(copy_to + i % 2 * 64, copy_from, COPY_BYTES);
		sum += (unsigned char)copy_to[i % COPY_BYTES];
	}
	return sum;
}

static uint64_t run_rep_stos(uint64_t rounds)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < rounds; i++) {
		rep_stosb(copy_to + i % 2 * 64, (int)i, COPY_BYTES);
		sum += (unsigned char)copy_to[COPY_BYTES / 2];
	}
	return sum;
}

/* The C library's copy of small blocks: whatever it picks for this CPU. */
static uint64_t run_memcpy(uint64_t rounds)
{
	uint64_t sum = 0, seed = 2;
	for (uint64_t i = 0; i < rounds; i++) {
		uint64_t r = work_random(&seed);
		size_t n = 1 + r % 500, at = (r >> 9) % (COPY_BYTES - 512);

		memcpy(copy_to + at, copy_from + (COPY_BYTES - 512 - at), n);
		sum += (unsigned char)copy_to[at + n - 1];
	}
	return sum;
}

static char *text;

static int setup_text(void)
{
	uint64_t seed = 4;

	if (!text)
		text = work_alloc(TEXT_BYTES + 1);
	if (!text)
		return -ENOMEM;
	for (size_t i = 0; i < TEXT_BYTES; i++)
		text[i] = (char)('a' + work_random(&seed) % 25);
	text[TEXT_BYTES - 2] = 'z';
	text[TEXT_BYTES] = 0;
	return 0;
}

static uint64_t run_strings(uint64_t rounds)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < rounds; i++) {
		char *p = text + i % 100;

		/* The compiler must not see that both repeat. */
		__asm__ volatile("" : "+r"(p) : : "memory");
		sum += strlen(p) + (uint64_t)((char *)memchr(p, 'z', TEXT_BYTES - i % 100) - text);
	}
	return sum;
}

/* A tokenizer's loop: a byte, a table, a branch. */
static uint64_t run_bytes(uint64_t rounds)
{
	uint64_t sum = 0;
	uint8_t class[256];

	for (int i = 0; i < 256; i++)
		class[i] = (uint8_t)(i % 5 == 0);
	for (uint64_t i = 0; i < rounds; i++) {
		uint64_t words = 0;

		for (const char *p = text; *p; p++)
			words = words * 3 + class[(uint8_t)*p];
		sum += words;
		text[i % 64] ^= 1;
	}
	return sum;
}

static const struct workload list[] = {
    {"chase-16k", "dependent loads within 16 KiB", 40000000, setup_chase_small, run_chase_small},
    {"chase-2m", "dependent loads over 2 MiB", 1500000, setup_chase_large, run_chase_large},
    {"stream", "two loads and a store, over 3 MiB", 800, setup_stream, run_stream},
    {"rep-movs", "rep movsb of 256 KiB", 10000, setup_copy, run_rep_movs},
    {"rep-stos", "rep stosb of 256 KiB", 20000, setup_copy, run_rep_stos},
    {"memcpy", "memcpy of 1 to 500 bytes", 5000000, setup_copy, run_memcpy},
    {"strings", "strlen and memchr of 4 KiB", 700000, setup_text, run_strings},
    {"bytes", "a table look-up for each byte", 20000, setup_text, run_bytes},
};

const struct workload_group work_mem = {list, COUNT_OF(list)};
