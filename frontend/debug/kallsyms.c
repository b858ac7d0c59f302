/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Where things are: scripts/kallsyms.c of Linux 4.6 to 6.x. Names are compressed: each byte stands for a string of
 * the token table. The tables have no magic number, but they describe each other:
 *
 *   [offsets, relative_base]  num_syms  names  markers  [seqs]  token_table  token_index  [offsets, relative_base]
 *
 * all aligned to 8. The first of the two places of the offsets is that of kernels before 6.4. Most tokens of one
 * character stand for themselves, so the token table is where "0", "1", ... "9" follow each other; the
 * index after it has where each token begins; markers have where each 256th name begins.
 */
#include "frontend/debug/kallsyms.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "frontend/debug/symtab.h"

#define TOKENS    256
#define PER_MARK  256
#define MAX_NAME  512
#define MAX_SYMS  4000000u
#define MAX_TRIES 64 /* at what only looks like it: the image may be made to look so everywhere */
#define KERNEL_LO 0xffff800000000000ull

struct tables {
	const uint8_t *image;
	size_t len;
	size_t tokens, index, markers, names, offsets;
	uint32_t nr;
	unsigned tries;
	uint64_t base;
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

static size_t align8(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

/* Is there a token table at `at`, with its index behind it? */
static bool is_token_table(struct tables *t, size_t at)
{
	size_t pos = at, where[TOKENS];

	for (unsigned n = 0; n < TOKENS; n++) {
		size_t left = t->len - pos;
		const uint8_t *end = memchr(t->image + pos, 0, left < MAX_NAME ? left : MAX_NAME);

		if (!end)
			return false;
		where[n] = pos - at;
		pos = (size_t)(end - t->image) + 1;
	}
	pos = align8(pos);
	if (t->len - pos < 2 * TOKENS)
		return false;
	for (unsigned n = 0; n < TOKENS; n++)
		if (get16(t->image + pos + 2 * n) != (uint16_t)where[n])
			return false;
	t->tokens = at;
	t->index = pos;
	return true;
}

static bool find_tokens(struct tables *t)
{
	static const char digits[] = "0\0001\0002\0003\0004\0005\0006\0007\0008\0009";
	const uint8_t *p = t->image, *end = t->image + t->len;

	while ((p = memmem(p, (size_t)(end - p), digits, sizeof(digits)))) {
		/* '0' is token 48. */
		const uint8_t *s = p;
		unsigned n = '0';

		while (s > t->image && n) {
			s--;
			if (p - s > (ptrdiff_t)MAX_NAME * '0')
				break;
			if (s == t->image || s[-1] == 0)
				n--;
		}
		if (!n && is_token_table(t, (size_t)(s - t->image)))
			return true;
		p++;
	}
	return false;
}

/* The length of the name entry at pos, with the bytes that say it; 0: it is none. */
static size_t entry(const struct tables *t, size_t pos, size_t end, unsigned *skip)
{
	size_t len;

	if (pos >= end)
		return 0;
	len = t->image[pos];
	*skip = 1;
	if (len & 0x80) {
		if (pos + 1 >= end)
			return 0;
		len = (len & 0x7f) | (size_t)t->image[pos + 1] << 7;
		*skip = 2;
	}
	if (!len || len > MAX_NAME || len > end - pos - *skip)
		return 0;
	return len + *skip;
}

/* Names that begin at `names` and end before the markers: the first marks agree. */
static bool names_agree(const struct tables *t, size_t names, unsigned nr_marks)
{
	unsigned marks = nr_marks < 4 ? nr_marks : 4, skip;
	size_t pos = names;

	for (unsigned n = 0; n < marks; n++) {
		if (pos - names != get32(t->image + t->markers + 4 * n))
			return false;
		for (unsigned k = 0; n + 1 < marks && k < PER_MARK; k++) {
			size_t len = entry(t, pos, t->markers, &skip);

			if (!len)
				return false;
			pos += len;
		}
	}
	return true;
}

/* Markers begin at t->markers: finds the names before them. */
static bool find_names(struct tables *t)
{
	unsigned nr = 1;
	uint32_t last = 0;
	size_t lo, hi;

	while (t->tokens - t->markers >= 4 * ((size_t)nr + 1)) {
		uint32_t next = get32(t->image + t->markers + 4 * nr);

		if (next <= last || next - last < PER_MARK * 2 || next - last > PER_MARK * MAX_NAME)
			break;
		last = next;
		nr++;
	}
	if (nr < 4 || last > t->markers || ++t->tries > MAX_TRIES)
		return false;
	hi = t->markers - last;
	lo = hi > PER_MARK * MAX_NAME ? hi - PER_MARK * MAX_NAME : 0;
	for (size_t at = hi & ~(size_t)7; at >= 8 && at > lo; at -= 8) {
		uint32_t syms = get32(t->image + at - 8);

		if (syms > MAX_SYMS || (syms + PER_MARK - 1) / PER_MARK != nr)
			continue;
		if (!names_agree(t, at, nr))
			continue;
		t->names = at;
		t->nr = syms;
		return true;
	}
	return false;
}

static bool find_markers(struct tables *t)
{
	/* Between them and the tokens: three bytes for each symbol, in some kernels. */
	for (size_t at = t->tokens & ~(size_t)7; at >= 24 && t->tries <= MAX_TRIES; at -= 8) {
		uint32_t first;

		t->markers = at - 8;
		first = get32(t->image + t->markers + 4);
		if (get32(t->image + t->markers) || first < PER_MARK * 2 ||
		    first > PER_MARK * MAX_NAME)
			continue;
		if (find_names(t))
			return true;
	}
	return false;
}

static bool find_offsets(struct tables *t)
{
	size_t size = align8(4 * (size_t)t->nr);

	if (t->names >= size + 16) {
		t->base = get64(t->image + t->names - 16);
		t->offsets = t->names - 16 - size;
		if (t->base >= KERNEL_LO && !(t->base & 0xfff))
			return true;
	}
	t->offsets = t->index + 2 * TOKENS;
	if (t->offsets + size + 8 > t->len)
		return false;
	t->base = get64(t->image + t->offsets + size);
	return t->base >= KERNEL_LO && !(t->base & 0xfff);
}

/* Negative offsets are from the base, others absolute (CONFIG_KALLSYMS_ABSOLUTE_PERCPU): then most are negative. */
static bool mixed(const struct tables *t)
{
	uint32_t negative = 0;

	for (uint32_t n = 0; n < t->nr; n++)
		negative += get32(t->image + t->offsets + 4 * (size_t)n) >> 31;
	return negative > t->nr / 2;
}

static int add_all(struct symtab *s, const struct tables *t)
{
	const bool from_end = mixed(t);
	size_t pos = t->names;

	for (uint32_t n = 0; n < t->nr; n++) {
		uint32_t off = get32(t->image + t->offsets + 4 * (size_t)n);
		uint64_t addr = t->base + off;
		char name[MAX_NAME * 2];
		size_t to = 0, len;
		unsigned skip;
		int err;

		len = entry(t, pos, t->markers, &skip);
		if (!len)
			return 0;
		for (size_t k = skip; k < len; k++) {
			const uint8_t *token = t->image + t->tokens +
					       get16(t->image + t->index + 2 * t->image[pos + k]);
			size_t more = strlen((const char *)token);

			if (more > sizeof(name) - 1 - to)
				more = sizeof(name) - 1 - to;
			memcpy(name + to, token, more);
			to += more;
		}
		pos += len;
		if (from_end)
			addr =
			    (int32_t)off >= 0 ? off : t->base - 1 - (uint64_t)(int64_t)(int32_t)off;
		if (to < 2)
			continue;
		err = symtab_add(s, addr, 0, name[0], name + 1, to - 1);
		if (err < 0)
			return err;
	}
	return 0;
}

int kallsyms_read(struct symtab *s, const uint8_t *image, size_t len)
{
	struct tables t = {.image = image, .len = len};

	if (!find_tokens(&t) || !find_markers(&t) || !find_offsets(&t))
		return -ENOENT;
	return add_all(s, &t);
}
