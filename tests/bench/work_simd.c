/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Vector workloads: integer SSE2, integer AVX2, AES-NI. Each asks the CPU first.
 */
#include <errno.h>
#include <immintrin.h>
#include <string.h>

#include "work.h"

enum { PIXELS = 16 << 10 };
static uint8_t *image, *overlay;

static int setup_images(void)
{
	uint64_t seed = 6;

	if (!image) {
		image = work_alloc(PIXELS);
		overlay = work_alloc(PIXELS);
	}
	if (!image || !overlay)
		return -ENOMEM;
	for (size_t i = 0; i < PIXELS; i++) {
		image[i] = (uint8_t)work_random(&seed);
		overlay[i] = (uint8_t)work_random(&seed);
	}
	return 0;
}

static int setup_avx2(void)
{
	return __builtin_cpu_supports("avx2") ? setup_images() : -ENOTSUP;
}

static int setup_aes(void)
{
	return __builtin_cpu_supports("aes") ? 0 : -ENOTSUP;
}

/* Blends 16 pixels a step: unpack, multiply, shift, pack, sum of differences. */
static uint64_t run_sse2(uint64_t rounds)
{
	const __m128i zero = _mm_setzero_si128();
	__m128i sum = zero;

	for (uint64_t r = 0; r < rounds; r++) {
		const __m128i k = _mm_set1_epi16((short)(r % 255));

		for (size_t i = 0; i < PIXELS; i += 16) {
			__m128i a = _mm_loadu_si128((const __m128i *)(image + i));
			__m128i b = _mm_loadu_si128((const __m128i *)(overlay + i));
			__m128i lo = _mm_mullo_epi16(_mm_unpacklo_epi8(a, zero), k);
			__m128i hi = _mm_mullo_epi16(_mm_unpackhi_epi8(a, zero), k);
			__m128i mix =
			    _mm_packus_epi16(_mm_srli_epi16(lo, 8), _mm_srli_epi16(hi, 8));

			mix = _mm_adds_epu8(mix, b);
			_mm_storeu_si128((__m128i *)(image + i), mix);
			sum = _mm_add_epi64(sum, _mm_sad_epu8(mix, b));
		}
	}
	return (uint64_t)_mm_cvtsi128_si64(sum) +
	       (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(sum, sum));
}

__attribute__((target("avx2"))) static uint64_t run_avx2(uint64_t rounds)
{
	__m256i sum = _mm256_setzero_si256();
	uint64_t out[4];

	for (uint64_t r = 0; r < rounds; r++) {
		const __m256i k = _mm256_set1_epi16((short)(r % 255));

		for (size_t i = 0; i < PIXELS; i += 32) {
			__m256i a = _mm256_loadu_si256((const __m256i *)(image + i));
			__m256i b = _mm256_loadu_si256((const __m256i *)(overlay + i));
			__m256i mix = _mm256_avg_epu8(a, _mm256_mulhi_epu16(b, k));

			mix = _mm256_shuffle_epi8(mix, _mm256_and_si256(b, _mm256_set1_epi8(15)));
			_mm256_storeu_si256((__m256i *)(image + i), mix);
			sum = _mm256_add_epi64(sum, _mm256_sad_epu8(mix, b));
		}
	}
	_mm256_storeu_si256((__m256i *)out, sum);
	return out[0] + out[1] + out[2] + out[3];
}

/* The rounds of AES-128 on four blocks at a time; the keys need not be a schedule. */
__attribute__((target("aes"))) static uint64_t run_aes(uint64_t rounds)
{
	__m128i key[11], block[4], all;

	for (int i = 0; i < 11; i++)
		key[i] = _mm_set_epi32(i * 77, i * 1234567, ~i, i << 20);
	for (int i = 0; i < 4; i++)
		block[i] = _mm_set1_epi32(i);
	for (uint64_t r = 0; r < rounds; r++) {
		for (int i = 0; i < 4; i++)
			block[i] = _mm_xor_si128(block[i], key[0]);
		for (int k = 1; k < 10; k++)
			for (int i = 0; i < 4; i++)
				block[i] = _mm_aesenc_si128(block[i], key[k]);
		for (int i = 0; i < 4; i++)
			block[i] = _mm_aesenclast_si128(block[i], key[10]);
	}
	all = _mm_xor_si128(_mm_xor_si128(block[0], block[1]), _mm_xor_si128(block[2], block[3]));
	return (uint64_t)_mm_cvtsi128_si64(all);
}

static const struct workload list[] = {
    {"simd-sse2", "integer SSE2 on pixels", 80000, setup_images, run_sse2},
    {"simd-avx2", "integer AVX2 on pixels", 200000, setup_avx2, run_avx2},
    {"aes", "AES-NI, four blocks at a time", 2000000, setup_aes, run_aes},
};

const struct workload_group work_simd = {list, COUNT_OF(list)};
