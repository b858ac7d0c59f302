/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * From samples of RIP to places in the guest: functions of a System.map, else addresses.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/bench_guest.h"

/* Without symbols, samples this near to each other are one place. */
#define PLACE_BYTES 64

struct symbol {
	uint64_t at;
	char *name;
};

struct symbols {
	struct symbol *symbol; /* by address */
	size_t nr;
};

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

void symbols_free(struct symbols *s)
{
	if (!s)
		return;
	for (size_t n = 0; n < s->nr; n++)
		free(s->symbol[n].name);
	free(s->symbol);
	free(s);
}

/* "ffffffff81000000 T startup_64"; code only. */
static bool parse_line(const char *line, uint64_t *at, char name[128])
{
	char type;

	return sscanf(line, "%" SCNx64 " %c %127s", at, &type, name) == 3 &&
	       strchr("tTwW", type) != NULL;
}

static int add_symbol(struct symbols *s, uint64_t at, const char *name)
{
	if ((s->nr & (s->nr - 1)) == 0) {
		struct symbol *more =
		    realloc(s->symbol, (s->nr ? 2 * s->nr : 1) * sizeof(*s->symbol));

		if (!more)
			return -ENOMEM;
		s->symbol = more;
	}
	s->symbol[s->nr] = (struct symbol){at, strdup(name)};
	return s->symbol[s->nr++].name ? 0 : -ENOMEM;
}

int symbols_load(struct symbols **out, const char *path)
{
	struct symbols *s;
	FILE *f = fopen(path, "re");
	char line[512], name[128];
	uint64_t at;
	int err = 0;

	if (!f)
		return -errno;
	s = calloc(1, sizeof(*s));
	err = s ? 0 : -ENOMEM;
	while (err == 0 && fgets(line, sizeof(line), f))
		if (parse_line(line, &at, name))
			err = add_symbol(s, at, name);
	if (err == 0 && ferror(f))
		err = -EIO;
	fclose(f);
	if (err == 0 && s->nr == 0)
		err = -EINVAL;
	if (err < 0) {
		symbols_free(s);
		return err;
	}
	qsort(s->symbol, s->nr, sizeof(*s->symbol), by_address);
	*out = s;
	return 0;
}

/* The last symbol at or below an address; NULL: none. */
static const struct symbol *find(const struct symbols *s, uint64_t at)
{
	size_t lo = 0, hi = s->nr;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (s->symbol[mid].at <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? &s->symbol[lo - 1] : NULL;
}

/* A kernel that was moved when it started (KASLR) has its system call entry elsewhere than its map says. */
static uint64_t moved_by(const struct guest_watch *w, const struct symbols *s)
{
	for (size_t n = 0; s && w->lstar && n < s->nr; n++)
		if (strcmp(s->symbol[n].name, "entry_SYSCALL_64") == 0)
			return w->lstar - s->symbol[n].at;
	return 0;
}

static void name_place(const struct symbols *s, uint64_t moved, const struct guest_sample *x,
		       struct guest_place *p)
{
	const struct symbol *found = s && !x->user ? find(s, x->rip - moved) : NULL;

	p->user = x->user;
	p->samples = 1;
	/* The map's last symbol has no end; what lies far behind it is a module or not the kernel. */
	if (found && (found < &s->symbol[s->nr - 1] || x->rip - moved - found->at < 0x10000))
		snprintf(p->name, sizeof(p->name), "%s", found->name);
	else
		snprintf(p->name, sizeof(p->name), "%016" PRIx64,
			 x->rip & ~(uint64_t)(PLACE_BYTES - 1));
}

static int by_name(const void *a, const void *b)
{
	const struct guest_place *x = a, *y = b;

	return x->user != y->user ? x->user - y->user : strcmp(x->name, y->name);
}

static int by_samples(const void *a, const void *b)
{
	const struct guest_place *x = a, *y = b;

	return x->samples != y->samples ? (x->samples < y->samples) - (x->samples > y->samples)
					: by_name(a, b);
}

unsigned guest_places(const struct guest_watch *w, const struct symbols *s,
		      struct guest_place *place, unsigned max)
{
	struct guest_place *all = calloc(w->nr_samples + 1, sizeof(*all));
	uint64_t moved = moved_by(w, s);
	unsigned nr = 0;

	if (!all)
		return 0;
	for (unsigned n = 0; n < w->nr_samples; n++)
		name_place(s, moved, &w->sample[n], &all[n]);
	qsort(all, w->nr_samples, sizeof(*all), by_name);
	for (unsigned n = 0; n < w->nr_samples; n++) {
		if (nr && by_name(&all[nr - 1], &all[n]) == 0)
			all[nr - 1].samples++;
		else
			all[nr++] = all[n];
	}
	qsort(all, nr, sizeof(*all), by_samples);
	nr = nr < max ? nr : max;
	memcpy(place, all, nr * sizeof(*place));
	free(all);
	return nr;
}
