/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Suggestions for misspelt names: Damerau-Levenshtein distance (adjacent transpositions count
 * once).
 */
#include <string.h>

#include "frontend/options.h"

#define NAME_MAX_LEN 40

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

static unsigned distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	unsigned d[NAME_MAX_LEN + 1][NAME_MAX_LEN + 1];

	if (n > NAME_MAX_LEN || m > NAME_MAX_LEN)
		return NAME_MAX_LEN;
	for (size_t i = 0; i <= n; i++)
		d[i][0] = (unsigned)i;
	for (size_t j = 0; j <= m; j++)
		d[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		for (size_t j = 1; j <= m; j++) {
			d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1,
				       d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < d[i][j])
				d[i][j] = d[i - 2][j - 2] + 1;
		}
	}
	return d[n][m];
}

const char *nearest_name(const char *s, const char *const *list)
{
	const char *best = NULL;
	unsigned best_d = (unsigned)strlen(s) / 2 + 1;

	if (best_d > 4)
		best_d = 4;
	for (; *list; list++) {
		unsigned d = distance(s, *list);

		if (d < best_d) {
			best_d = d;
			best = *list;
		}
	}
	return best;
}
