/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Floating point workloads, scalar SSE2 as compilers make it by default, and x87. Sums take the
 * bits of results: an emulator that rounds otherwise shows.
 */
#include <math.h>
#include <string.h>

#include "work.h"

static uint64_t bits(double x)
{
	uint64_t u;

	memcpy(&u, &x, 8);
	return u;
}

enum { MATRIX = 64 };

static uint64_t run_matrix(uint64_t rounds)
{
	static double a[MATRIX][MATRIX], b[MATRIX][MATRIX], c[MATRIX][MATRIX];

	for (int i = 0; i < MATRIX; i++)
		for (int k = 0; k < MATRIX; k++) {
			a[i][k] = 1.0 / (1 + i + k);
			b[i][k] = (i - k) * 0.01;
			c[i][k] = 0;
		}
	for (uint64_t r = 0; r < rounds; r++) {
		for (int i = 0; i < MATRIX; i++)
			for (int k = 0; k < MATRIX; k++) {
				double sum = 0;

				for (int j = 0; j < MATRIX; j++)
					sum += a[i][j] * b[j][k];
				c[i][k] += sum;
			}
		a[r % MATRIX][3] += 0.001;
	}
	return bits(c[5][7]) ^ bits(c[MATRIX - 1][1]);
}

/* Two-body forces among five bodies, after the Computer Language Benchmarks Game's problem. */
static uint64_t run_nbody(uint64_t rounds)
{
	enum { BODIES = 5 };
	double x[BODIES][3], v[BODIES][3] = {{0}};
	double mass[BODIES] = {39.5, 0.038, 0.011, 0.0017, 0.002};

	for (int i = 0; i < BODIES; i++)
		for (int d = 0; d < 3; d++)
			x[i][d] = i * (d + 1.5) * (d & 1 ? -1 : 1);
	for (uint64_t r = 0; r < rounds; r++) {
		for (int i = 0; i < BODIES; i++) {
			for (int k = i + 1; k < BODIES; k++) {
				double dx = x[i][0] - x[k][0], dy = x[i][1] - x[k][1],
				       dz = x[i][2] - x[k][2];
				double d2 = dx * dx + dy * dy + dz * dz + 0.01;
				double mag = 0.001 / (d2 * sqrt(d2));

				v[i][0] -= dx * mass[k] * mag;
				v[i][1] -= dy * mass[k] * mag;
				v[i][2] -= dz * mass[k] * mag;
				v[k][0] += dx * mass[i] * mag;
				v[k][1] += dy * mass[i] * mag;
				v[k][2] += dz * mass[i] * mag;
			}
		}
		for (int i = 0; i < BODIES; i++)
			for (int d = 0; d < 3; d++)
				x[i][d] += 0.001 * v[i][d];
	}
	return bits(x[0][0]) ^ bits(x[4][2]);
}

/* Everything stays in registers. */
static uint64_t run_mandelbrot(uint64_t rounds)
{
	uint64_t sum = 0;

	for (uint64_t r = 0; r < rounds; r++) {
		double cr = (double)(r % 97) / 48 - 1.5, ci = (double)(r % 89) / 44 - 1;
		double zr = 0, zi = 0;
		int n = 0;

		for (; n < 200; n++) {
			double r2 = zr * zr, i2 = zi * zi;

			if (r2 + i2 > 4)
				break;
			zi = 2 * zr * zi + ci;
			zr = r2 - i2 + cr;
		}
		sum = sum * 7 + (uint64_t)n;
	}
	return sum;
}

static uint64_t run_x87(uint64_t rounds)
{
	long double x = 0.5L, sum = 0;

	for (uint64_t r = 0; r < rounds; r++) {
		x = 3.9L * x * (1 - x);
		sum += (x - sum) / (long double)(int64_t)(r % 1000 + 2);
	}
	return bits((double)x) ^ bits((double)sum);
}

static uint64_t run_libm(uint64_t rounds)
{
	double x = 0.1, sum = 0;

	for (uint64_t r = 0; r < rounds; r++) {
		sum += sin(x) + exp(-x) + log(x + 1) + pow(x, 0.7) + atan(x);
		x += 0.013;
		if (x > 20)
			x = 0.1;
	}
	/* Results differ in the last bits between variants that the library picks by CPUID. */
	return (uint64_t)(int64_t)floor(sum / (double)rounds * 1e6 + 0.5);
}

static const struct workload list[] = {
    {"matrix", "multiplication of 64 x 64 doubles", 900, NULL, run_matrix},
    {"nbody", "five bodies, square roots and divisions", 1000000, NULL, run_nbody},
    {"mandelbrot", "doubles in registers only", 300000, NULL, run_mandelbrot},
    {"x87", "long double arithmetic", 5000000, NULL, run_x87},
    {"libm", "sin, exp, log, pow, atan", 1500000, NULL, run_libm},
};

const struct workload_group work_fp = {list, COUNT_OF(list)};
