/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Breakpoint matching. DR7 holds for breakpoint n: local and global enable in bits 2n and 2n+1,
 * kind in bits 16+4n, length in bits 18+4n.
 */
#include "cpu/debug.h"

#include "cpu/core.h"

enum { BP_EXEC, BP_WRITE, BP_IO, BP_ACCESS };

struct bp {
	unsigned kind, len;
	uint64_t addr;
};

static bool enabled(const struct core *c, unsigned n, struct bp *b)
{
	static const uint8_t lengths[] = {1, 2, 8, 4};
	if (!(c->v.dr7 >> (2 * n) & 3))
		return false;
	b->kind = c->v.dr7 >> (16 + 4 * n) & 3;
	b->len = lengths[c->v.dr7 >> (18 + 4 * n) & 3];
	/* Address bits below the length are ignored. */
	b->addr = c->v.dr[n] & ~(uint64_t)(b->len - 1);
	if (!core_long(c))
		b->addr = (uint32_t)b->addr;
	return true;
}

static bool overlap(const struct bp *b, uint64_t at, uint64_t size)
{
	return at - b->addr < b->len || b->addr - at < size;
}

uint64_t debug_insn_hits(const struct core *c, uint64_t lin)
{
	uint64_t hits = 0;
	struct bp b;
	if (c->v.rflags & FL_RF)
		return 0;
	for (unsigned n = 0; n < 4; n++)
		if (enabled(c, n, &b) && b.kind == BP_EXEC && b.addr == lin)
			hits |= 1u << n;
	return hits;
}

uint64_t debug_data_hits(const struct core *c, uint64_t lin, unsigned size, bool write)
{
	uint64_t hits = 0;
	struct bp b;
	for (unsigned n = 0; n < 4; n++)
		if (enabled(c, n, &b) && (b.kind == BP_ACCESS || (b.kind == BP_WRITE && write)) &&
		    overlap(&b, lin, size))
			hits |= 1u << n;
	return hits;
}

uint64_t debug_io_hits(const struct core *c, uint16_t port, unsigned size)
{
	uint64_t hits = 0;
	struct bp b;
	if (!(c->v.cr4 & CR4_DE))
		return 0;
	for (unsigned n = 0; n < 4; n++)
		if (enabled(c, n, &b) && b.kind == BP_IO && overlap(&b, port, size))
			hits |= 1u << n;
	return hits;
}

bool debug_data_page(const struct core *c, uint64_t lin)
{
	struct bp b;
	for (unsigned n = 0; n < 4; n++)
		if (enabled(c, n, &b) && (b.kind == BP_WRITE || b.kind == BP_ACCESS) &&
		    (b.addr & PAGE_MASK) == (lin & PAGE_MASK))
			return true;
	return false;
}
