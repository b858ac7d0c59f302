/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "accel/stats.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/opcode.h"

enum { MOST_OPS = 40 };

const char *const engine_stat_names[NR_ENGINE_STATS] = {
#define STAT_NAME(id, name) name,
    ENGINE_STATS(STAT_NAME)
#undef STAT_NAME
};

int engine_stats_init(struct engine_stats *s)
{
	memset(s, 0, sizeof(*s));
	s->slow = calloc(nr_opcodes, sizeof(*s->slow));
	s->untranslated = calloc(nr_opcodes, sizeof(*s->untranslated));
	if (s->slow && s->untranslated)
		return 0;
	engine_stats_fini(s);
	return -ENOMEM;
}

void engine_stats_fini(struct engine_stats *s)
{
	free(s->slow);
	free(s->untranslated);
	s->slow = s->untranslated = NULL;
}

void engine_stats_add(struct engine_stats *sum, const struct engine_stats *s)
{
	for (unsigned k = 0; k < NR_ENGINE_STATS; k++) {
		if (k != STAT_EVICTION_NS_MOST)
			sum->n[k] += s->n[k];
		else if (sum->n[k] < s->n[k])
			sum->n[k] = s->n[k];
	}
	for (unsigned k = 0; s->slow && k < nr_opcodes; k++) {
		sum->slow[k] += s->slow[k];
		sum->untranslated[k] += s->untranslated[k];
	}
}

struct op_count {
	const char *name;
	uint64_t count;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct op_count *)a)->name, ((const struct op_count *)b)->name);
}

static int by_count(const void *a, const void *b)
{
	const struct op_count *x = a, *y = b;
	return x->count == y->count ? strcmp(x->name, y->name) : x->count < y->count ? 1 : -1;
}

/* Rows with the same mnemonic are one line. */
static void print_ops(const char *title, const uint64_t *count,
		      void (*print)(void *opaque, const char *text), void *opaque)
{
	struct op_count *ops = calloc(nr_opcodes, sizeof(*ops));
	unsigned nr = 0, merged = 0;
	char line[96];

	for (unsigned k = 0; ops && k < nr_opcodes; k++)
		if (count[k])
			ops[nr++] = (struct op_count){opcodes[k].name, count[k]};
	if (!nr) {
		free(ops);
		return;
	}
	qsort(ops, nr, sizeof(*ops), by_name);
	for (unsigned k = 1; k < nr; k++) {
		if (strcmp(ops[k].name, ops[merged].name) == 0)
			ops[merged].count += ops[k].count;
		else
			ops[++merged] = ops[k];
	}
	nr = merged + 1;
	qsort(ops, nr, sizeof(*ops), by_count);
	for (unsigned k = 0; k < nr && k < MOST_OPS; k++) {
		snprintf(line, sizeof(line), "%14" PRIu64 " %s: %s\n", ops[k].count, title,
			 ops[k].name);
		print(opaque, line);
	}
	free(ops);
}

void engine_stats_print(const struct engine_stats *s, void (*print)(void *opaque, const char *text),
			void *opaque)
{
	char line[96];
	for (unsigned k = 0; k < NR_ENGINE_STATS; k++) {
		if (!s->n[k])
			continue;
		snprintf(line, sizeof(line), "%14" PRIu64 " %s\n", s->n[k], engine_stat_names[k]);
		print(opaque, line);
	}
	if (!s->slow)
		return;
	print_ops("without translation", s->untranslated, print, opaque);
	print_ops("slow case", s->slow, print, opaque);
}
