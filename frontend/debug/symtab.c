/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A table of symbols, searched by address and by name. The file format is that of nm(1).
 */
#include "frontend/debug/symtab.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 65536

void symtab_free(struct symtab *s)
{
	for (size_t n = 0; n < s->nr_blocks; n++)
		free(s->blocks[n]);
	free(s->blocks);
	free(s->by_addr);
	free(s->by_name);
	memset(s, 0, sizeof(*s));
}

/* Room for a name that stays where it is. */
static char *name_room(struct symtab *s, size_t len)
{
	char *p, **more;

	if (len > BLOCK)
		return NULL;
	if (!s->nr_blocks || BLOCK - s->used < len) {
		more = realloc(s->blocks, (s->nr_blocks + 1) * sizeof(*more));
		p = malloc(BLOCK);
		if (more)
			s->blocks = more;
		if (!more || !p) {
			free(p);
			return NULL;
		}
		s->blocks[s->nr_blocks++] = p;
		s->used = 0;
	}
	p = s->blocks[s->nr_blocks - 1] + s->used;
	s->used += len;
	return p;
}

int symtab_add(struct symtab *s, uint64_t addr, uint64_t size, char type, const char *name,
	       size_t len)
{
	char *copy = name_room(s, len + 1);

	if (!copy)
		return -ENOMEM;
	if (s->nr == s->room) {
		size_t room = s->room ? 2 * s->room : 1024;
		struct symbol *more = realloc(s->by_addr, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		s->by_addr = more;
		s->room = room;
	}
	memcpy(copy, name, len);
	copy[len] = 0;
	s->by_addr[s->nr++] = (struct symbol){addr, size, type, copy};
	return 0;
}

bool symbol_is_text(const struct symbol *s)
{
	return s->type == 't' || s->type == 'T' || s->type == 'w' || s->type == 'W';
}

static int compare_addr(const void *x, const void *y)
{
	const struct symbol *a = x, *b = y;

	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	/* Of several names of an address the last one is found: the one that is most likely a function's own. */
	if ((a->name[0] == '_') != (b->name[0] == '_'))
		return a->name[0] == '_' ? -1 : 1;
	if ((a->type >= 'a') != (b->type >= 'a'))
		return a->type >= 'a' ? -1 : 1;
	return -strcmp(a->name, b->name);
}

static int compare_name(const void *x, const void *y)
{
	const struct symbol *a = *(struct symbol *const *)x, *b = *(struct symbol *const *)y;
	int r = strcmp(a->name, b->name);

	if (r)
		return r;
	return symbol_is_text(a) != symbol_is_text(b) ? (symbol_is_text(a) ? -1 : 1)
	       : a->addr < b->addr                    ? -1
						      : 1;
}

int symtab_sort(struct symtab *s)
{
	struct symbol **names = realloc(s->by_name, (s->nr + 1) * sizeof(*names));

	if (!names)
		return -ENOMEM;
	s->by_name = names;
	if (!s->nr)
		return 0;
	qsort(s->by_addr, s->nr, sizeof(s->by_addr[0]), compare_addr);
	for (size_t n = 0; n < s->nr; n++)
		names[n] = &s->by_addr[n];
	qsort(names, s->nr, sizeof(names[0]), compare_name);
	return 0;
}

const struct symbol *symtab_at(const struct symtab *s, uint64_t addr)
{
	size_t lo = 0, hi = s->nr;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->by_addr[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return NULL;
	const struct symbol *found = &s->by_addr[lo - 1];

	return found->size && addr - found->addr >= found->size ? NULL : found;
}

/* The first place whose name is not below. */
static size_t lower(const struct symtab *s, const char *name)
{
	size_t lo = 0, hi = s->by_name ? s->nr : 0;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(s->by_name[mid]->name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct symbol *symtab_find(const struct symtab *s, const char *name)
{
	size_t n = lower(s, name);

	return s->by_name && n < s->nr && strcmp(s->by_name[n]->name, name) == 0 ? s->by_name[n]
										 : NULL;
}

const struct symbol *symtab_prefix(const struct symtab *s, const char *text, size_t nth)
{
	size_t n = lower(s, text);

	if (!s->by_name || nth >= s->nr - n ||
	    strncmp(s->by_name[n + nth]->name, text, strlen(text)) != 0)
		return NULL;
	return s->by_name[n + nth];
}

int symtab_load_map(struct symtab *s, const char *path)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	int err = 0;

	if (!f)
		return -errno;
	while (err == 0 && (len = getline(&line, &room, f)) > 0) {
		char type, name[512];
		uint64_t addr;

		if (sscanf(line, "%" SCNx64 " %c %511s", &addr, &type, name) == 3)
			err = symtab_add(s, addr, 0, type, name, strlen(name));
		else
			err = -EINVAL;
	}
	free(line);
	fclose(f);
	return err < 0 ? err : symtab_sort(s);
}
