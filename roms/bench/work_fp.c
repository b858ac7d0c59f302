/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Floating point and vectors. Results are the bits of what comes out, so that another rounding shows. Built
 * without contraction to FMA, which not every CPU has.
 */
#include "roms/bench/bench.h"

static inline uint64_t bits(double x)
{
	union {
		double d;
		uint64_t u;
	} v = {x};

	return v.u;
}

static inline double root(double x)
{
	__asm__("sqrtsd %0, %0" : "+x"(x));
	return x;
}

enum { BODIES = 5, STEPS = 8 };

/* Five bodies that attract each other, ten pairs a step. */
uint64_t bench_fp(uint64_t *arena)
{
	static const double mass[BODIES] = {39.5, 0.038, 0.011, 0.0017, 0.002};
	double p[BODIES][3], v[BODIES][3], sum = 0;

	(void)arena;
	for (int i = 0; i < BODIES; i++)
		for (int d = 0; d < 3; d++) {
			p[i][d] = i * (d + 1.5) * (d & 1 ? -1 : 1);
			v[i][d] = 0;
		}
	for (int step = 0; step < STEPS; step++) {
		for (int i = 0; i < BODIES; i++)
			for (int k = i + 1; k < BODIES; k++) {
				double dx = p[i][0] - p[k][0], dy = p[i][1] - p[k][1],
				       dz = p[i][2] - p[k][2];
				double d2 = dx * dx + dy * dy + dz * dz + 0.01;
				double f = 0.001 / (d2 * root(d2));

				v[i][0] -= dx * mass[k] * f, v[k][0] += dx * mass[i] * f;
				v[i][1] -= dy * mass[k] * f, v[k][1] += dy * mass[i] * f;
				v[i][2] -= dz * mass[k] * f, v[k][2] += dz * mass[i] * f;
			}
		for (int i = 0; i < BODIES; i++)
			for (int d = 0; d < 3; d++)
				p[i][d] += v[i][d] * 0.001;
	}
	for (int i = 0; i < BODIES; i++)
		sum += p[i][0] + p[i][1] * 2 + v[i][2];
	return bits(sum);
}

uint64_t bench_x87(uint64_t *arena)
{
	long double sum = 0, power = 1;

	(void)arena;
	for (int n = 0; n < 256; n++) {
		sum += power / (2 * n + 1);
		power *= -0.99999L;
	}
	return bits((double)sum);
}

/* ---- vectors ---- */

/* From memory and to memory: floats are multiplied, added, compared, blended and shuffled, integers added, shifted, compared and combined. */
#define VECTOR(name, target, bytes, ...)                                                           \
	typedef float name##_f __attribute__((vector_size(bytes)));                                \
	typedef int32_t name##_i __attribute__((vector_size(bytes)));                              \
	target uint64_t bench_##name(uint64_t *arena)                                              \
	{                                                                                          \
		name##_f f, scale, low;                                                            \
		name##_i i, step, sum, above;                                                      \
                                                                                                   \
		const name##_i *from = (const name##_i *)arena;                                    \
		name##_i *to = (name##_i *)arena + 256;                                            \
		for (int n = 0; n < bytes / 4; n++) {                                              \
			f[n] = (float)n + 0.5f;                                                    \
			scale[n] = 0.75f + (float)n / 64;                                          \
			low[n] = 0.125f;                                                           \
			i[n] = n * 77777;                                                          \
			step[n] = 0x01234567 + n;                                                  \
			sum[n] = 0;                                                                \
		}                                                                                  \
		for (int n = 0; n < 256; n++) {                                                    \
			f = f * scale + low;                                                       \
			above = f > low;                                                           \
			f = (name##_f)((above & (name##_i)f) | (~above & (name##_i)low));          \
			f = __builtin_shufflevector(f, f, __VA_ARGS__);                            \
			i += step;                                                                 \
			i ^= from[n] >> 7;                                                         \
			sum += (i > step) ^ (name##_i)f;                                           \
			to[n] = sum;                                                               \
		}                                                                                  \
		uint64_t x = 0;                                                                    \
		for (int n = 0; n < bytes / 4; n++)                                                \
			x = x * 31 + (uint32_t)sum[n];                                             \
		return x;                                                                          \
	}

VECTOR(sse, , 16, 1, 2, 3, 0)
VECTOR(avx2, __attribute__((target("avx2"))), 32, 1, 2, 3, 0, 5, 6, 7, 4)
