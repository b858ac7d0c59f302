/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "accel/block.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "cpu/decode.h"
#include "cpu/exc.h"
#include "cpu/mem.h"
#include "cpu/mxcsr.h"
#include "cpu/opcode.h"
#include "cpu/x87.h"
#include "mmu/aspace.h"

#define HASH_BITS  18
#define HASH_SIZE  (sizeof(struct block *) << HASH_BITS)
#define PAGE_BITS  7 /* of the hash: blocks of one page are near each other */
#define ARENA_SIZE (256u << 20)
#define INSN_MAX   15

/* Zeroed memory, taken from the host as it is used and in large pages where it has them: lookups go
 * all over it. NULL on failure. */
static void *map_large(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	madvise(p, size, MADV_HUGEPAGE);
	return p;
}

int block_cache_init(struct block_cache *bc, void (*prepare)(struct block *, const struct core *))
{
	memset(bc, 0, sizeof(*bc));
	bc->prepare = prepare;
	bc->part_size = ARENA_SIZE / BLOCK_PARTS;
	bc->hash = map_large(HASH_SIZE);
	bc->arena = map_large(ARENA_SIZE);
	if (!bc->hash || !bc->arena) {
		block_cache_fini(bc);
		return -ENOMEM;
	}
	return 0;
}

void block_cache_fini(struct block_cache *bc)
{
	if (bc->hash)
		munmap(bc->hash, HASH_SIZE);
	if (bc->arena)
		munmap(bc->arena, ARENA_SIZE);
	memset(bc, 0, sizeof(*bc));
}

void block_cache_flush(struct block_cache *bc)
{
	memset(bc->hash, 0, HASH_SIZE);
	memset(bc->filled, 0, sizeof(bc->filled));
	bc->part = 0;
	bc->used = 0;
	bc->flushed++;
}

static unsigned hash_of(uint64_t gpa, uint16_t key)
{
	uint64_t what = gpa >> PAGE_SHIFT | (uint64_t)key << 48;
	unsigned h = (unsigned)(what * 0x9e3779b97f4a7c15ull >> (64 - HASH_BITS));
	return h ^ (gpa & ~PAGE_MASK) >> (PAGE_SHIFT - PAGE_BITS);
}

static uint64_t fetch_lin(const struct core *c, uint64_t rip)
{
	return c->mode == 8 ? rip : (uint32_t)(c->v.seg[CS].base + rip);
}

/* CS limit: how many bytes may be fetched at rip (0: #GP). */
static unsigned fetch_limit(const struct core *c, uint64_t rip)
{
	if (c->mode == 8)
		return INSN_MAX;
	if (rip > c->v.seg[CS].limit)
		return 0;
	uint64_t left = (uint64_t)c->v.seg[CS].limit - rip + 1;
	return left < INSN_MAX ? (unsigned)left : INSN_MAX;
}

static void op_undefined(struct core *c, const struct insn *i)
{
	(void)i;
	raise_ud(c);
}

static void op_too_long(struct core *c, const struct insn *i)
{
	(void)i;
	raise_gp(c, 0);
}

static const struct opcode undefined = {.name = "(bad)", .op = op_undefined, .attrs = A_END};
static const struct opcode too_long = {.name = "(bad)", .op = op_too_long, .attrs = A_END};

static void settle(struct insn *i, enum decode_result r)
{
	if (r == DECODE_OK)
		return;
	memset(i, 0, sizeof(*i));
	i->desc = r == DECODE_UD ? &undefined : &too_long;
	i->op = i->desc->op;
	i->len = 1;
	i->end = 1;
}

static void read_code(struct core *c, const struct itlb_entry *e, unsigned off, uint8_t *buf,
		      unsigned n)
{
	if (e->host) {
		memcpy(buf, e->host + off, n);
		return;
	}
	for (unsigned k = 0; k < n; k++)
		buf[k] = (uint8_t)aspace_read(c->mem, e->gpa + off + k, 1);
}

static uint32_t mark_code(struct block_cache *bc, struct core *c, struct ram_page *page)
{
	bool marked = page->flags & PAGE_CODE;
	uint32_t version = ram_mark_code(page);
	if (!marked && bc->marked)
		bc->marked(c, page);
	return version;
}

/* One instruction at v.rip whose bytes may continue in the next page or come from a device. Returns
 * the next page's guest-physical address in *gpa2 (with its version) when it was needed. */
static void decode_any(struct block_cache *bc, struct core *c, struct insn *i,
		       const struct itlb_entry *first, struct block *cross)
{
	uint64_t lin = fetch_lin(c, c->v.rip);
	unsigned off = lin & ~PAGE_MASK, room = PAGE_SIZE - off;
	unsigned limit = fetch_limit(c, c->v.rip);
	uint8_t buf[INSN_MAX];
	struct insn tmp;
	unsigned n = limit < room ? limit : room;

	if (!limit)
		raise_gp(c, 0);
	read_code(c, first, off, buf, n);
	enum decode_result r = decode(&tmp, buf, n, c->mode, c->model);
	if (r == DECODE_SHORT && n < limit) {
		uint64_t next = lin + n;
		const struct itlb_entry *e =
		    mem_fetch_page(c, c->mode == 8 ? next : (uint32_t)next);
		if (cross) {
			cross->crosses = true;
			cross->gpa2 = e->gpa;
			cross->page2 = e->page;
			if (e->page)
				cross->version2 = mark_code(bc, c, e->page);
		}
		read_code(c, e, 0, buf + n, limit - n);
		r = decode(&tmp, buf, limit, c->mode, c->model);
	}
	if (r == DECODE_SHORT) /* beyond the CS limit, or 15 bytes are not enough */
		r = DECODE_GP;
	*i = tmp;
	settle(i, r);
}

void block_decode_one(struct core *c, struct insn *i)
{
	c->insn = NULL;
	struct itlb_entry first = *mem_fetch_page(c, fetch_lin(c, c->v.rip));
	decode_any(NULL, c, i, &first, NULL);
}

static size_t size_of(unsigned nr)
{
	return (sizeof(struct block) + (nr + 1) * sizeof(struct insn) + 63) & ~(size_t)63;
}

static void unhash(struct block_cache *bc, const struct block *b)
{
	struct block **link = &bc->hash[hash_of(b->gpa, b->key)];
	while (*link && *link != b)
		link = &(*link)->hash_next;
	if (*link)
		*link = b->hash_next;
}

/* The next part of the arena becomes the one to fill; what is there has been there for longest. */
static void next_part(struct block_cache *bc)
{
	bc->filled[bc->part] = bc->used;
	bc->part = (bc->part + 1) % BLOCK_PARTS;
	bc->used = 0;
	uint8_t *from = bc->arena + bc->part * bc->part_size, *to = from + bc->filled[bc->part];
	if (from == to)
		return;
	for (uint8_t *at = from; at < to;) {
		const struct block *b = (const struct block *)at;
		unhash(bc, b);
		at += size_of(b->nr);
	}
	bc->flushed++;
	if (bc->gone)
		bc->gone(bc, from, to);
}

/* Memory for nr instructions; `flushed` changes where others had to go. */
static struct block *reserve(struct block_cache *bc, unsigned nr)
{
	if (bc->used + size_of(nr) > bc->part_size)
		next_part(bc);
	struct block *b = (struct block *)(bc->arena + bc->part * bc->part_size + bc->used);
	memset(b, 0, sizeof(*b));
	return b;
}

/* b is what has been reserved last, with all instructions. */
static void complete(struct block_cache *bc, struct block *b, const struct core *c)
{
	b->insn[b->nr] = (struct insn){.end = b->insn[b->nr - 1].end};
	bc->prepare(b, c);
	bc->used += size_of(b->nr);
}

static void hash(struct block_cache *bc, struct block *b)
{
	struct block **head = &bc->hash[hash_of(b->gpa, b->key)];
	b->hash_next = *head;
	*head = b;
}

static struct block *build(struct block_cache *bc, struct core *c, const struct itlb_entry *page,
			   uint64_t gpa, uint16_t key)
{
	struct block *b = reserve(bc, BLOCK_MAX_INSNS);
	b->gpa = gpa;
	b->key = key;
	b->lin = fetch_lin(c, c->v.rip) & PAGE_MASK;
	b->page = page->page;
	b->host = page->host;
	if (b->page)
		b->version = mark_code(bc, c, b->page);

	unsigned off = gpa & ~PAGE_MASK, start = off, limit;
	uint64_t rip = c->v.rip;
	while (page->host && b->nr < BLOCK_MAX_INSNS && off < PAGE_SIZE) {
		struct insn *i = &b->insn[b->nr];
		unsigned room = PAGE_SIZE - off;
		/* A debugger stops before blocks only. */
		if (key & BLOCK_WATCHED && b->nr && watch_may_exec(c->watch_execs, b->lin | off))
			break;
		limit = fetch_limit(c, rip + (off - start));
		room = room < limit ? room : limit;
		if (!room || decode(i, page->host + off, room, c->mode, c->model) != DECODE_OK)
			break;
		if (i->base == REG_RIP)
			i->disp += off - start;
		off += i->len;
		i->end = (int16_t)(off - start);
		i->nth = (uint8_t)b->nr++;
		if (i->desc->attrs & (A_BR | A_END))
			break;
	}
	if (!b->nr) {
		decode_any(bc, c, &b->insn[0], page, b);
		b->nr = 1;
	}
	complete(bc, b, c);
	bc->built++;
	hash(bc, b);
	return b;
}

/* host: of the page, as other memory may be at its address in system management mode. */
static bool same_block(const struct block *b, uint64_t gpa, const uint8_t *host, uint16_t key,
		       uint64_t lin)
{
	return b->gpa == gpa && b->key == key && b->host == host &&
	       (!(key & (BLOCK_WATCHED | BLOCK_FIXED)) || b->lin == (lin & PAGE_MASK));
}

struct block *block_find(struct block_cache *bc, const struct block *b, unsigned off)
{
	uint64_t gpa = (b->gpa & PAGE_MASK) + off;
	struct block *found = bc->hash[hash_of(gpa, b->key)];
	while (found && (!same_block(found, gpa, b->host, b->key, b->lin) || !block_valid(found)))
		found = found->hash_next;
	return found;
}

struct block *block_replace(struct block_cache *bc, const struct core *c, struct block *b,
			    const struct insn *insn, unsigned nr)
{
	struct block like = {.gpa = b->gpa,
			     .lin = b->lin,
			     .key = b->key,
			     .trace = true,
			     .version = b->version,
			     .page = b->page,
			     .host = b->host,
			     .runs = b->runs,
			     .nr = (uint16_t)nr};
	unhash(bc, b);
	b->version--; /* stale for whoever knows it: versions only grow */
	struct block *t = reserve(bc, nr);
	*t = like;
	memcpy(t->insn, insn, nr * sizeof(*insn));
	complete(bc, t, c);
	hash(bc, t);
	return t;
}

bool block_second_page_ok(struct core *c, const struct block *b)
{
	uint64_t next = (fetch_lin(c, c->v.rip) & PAGE_MASK) + PAGE_SIZE;
	const struct itlb_entry *e = mem_fetch_page(c, c->mode == 8 ? next : (uint32_t)next);
	return e->gpa == b->gpa2 && e->page == b->page2 &&
	       (!b->page2 || ram_code_version(b->page2) == b->version2);
}

/* As insn_check() decides. What changes these ends its block or sets core.leave. */
static unsigned fpu_key(const struct core *c)
{
	const struct vcpu *v = &c->v;
	const uint64_t need = XCR0_SSE | XCR0_AVX;
	unsigned key = (v->mxcsr & MXCSR_MASKS) == MXCSR_MASKS ? BLOCK_FP_MASKED : 0;
	if (v->cr0 & CR0_TS)
		return key;
	if (!(v->cr0 & CR0_EM) && (v->fpu.fcw & FCW_EXC) == FCW_EXC)
		key |= BLOCK_X87;
	if (!(v->cr0 & CR0_EM) && v->cr4 & CR4_OSFXSR)
		key |= BLOCK_SSE;
	if (core_protected(c) && v->cr4 & CR4_OSXSAVE && (v->xcr0 & need) == need)
		key |= BLOCK_AVX;
	return key;
}

/* Blocks decoded under a CS limit are only good while the limit cannot cut them short; device
 * memory may answer differently each time. */
static bool usable(struct core *c, const struct block *b)
{
	return block_valid(b) && b->page && (!b->crosses || block_second_page_ok(c, b)) &&
	       (c->mode == 8 || c->v.rip + b->insn[b->nr].end - 1 <= c->v.seg[CS].limit);
}

uint16_t block_key(const struct core *c)
{
	static const unsigned rings[] = {0, BLOCK_RING12, BLOCK_RING12, BLOCK_RING3};
	unsigned key = c->mode | rings[vcpu_cpl(&c->v)] | block_table(c) << BLOCK_MODE | fpu_key(c);
	uint64_t lin = fetch_lin(c, c->v.rip);
	if (c->watch_execs && watch_exec_page(c->watch_execs, lin))
		key |= BLOCK_WATCHED;
	if (c->mode == 8) /* does not see its segments */
		key |= near_zero(lin) ? BLOCK_FIXED : 0;
	else
		key |= (unsigned)c->flat << 4 | (c->v.seg[SS].attr & SEG_DB ? 1 << 6 : 0);
	return (uint16_t)key;
}

struct block *block_get(struct block_cache *bc, struct core *c)
{
	uint16_t key = block_key(c);
	uint64_t lin = fetch_lin(c, c->v.rip);

	c->insn = NULL;
	if (!fetch_limit(c, c->v.rip))
		raise_gp(c, 0);
	const struct itlb_entry *page = mem_fetch_page(c, lin);
	uint64_t gpa = page->gpa | (lin & ~PAGE_MASK);
	struct block *b, **link = &bc->hash[hash_of(gpa, key)];
	bc->global = page->global;
	while ((b = *link)) {
		bool same = same_block(b, gpa, page->host, key, lin);
		if (same && usable(c, b))
			return b;
		/* Whatever is stale goes when it is met, or chains of it would grow. */
		if (same || !block_valid(b)) {
			*link = b->hash_next;
			bc->stale++;
		} else {
			link = &b->hash_next;
		}
	}
	return build(bc, c, page, gpa, key);
}
