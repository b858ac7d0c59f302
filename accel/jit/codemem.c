/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What is in code memory, and how room is made in it.
 *
 * Behind the stubs it consists of regions, which are filled one after the other; when the last one is
 * full the first one is next again, after what was in it has been evicted. So a stall is that of one
 * region, and most of what runs stays translated.
 *
 * Ways into a translation, and what becomes of them:
 *   block.code       cleared; each region knows its blocks
 *   the jump table   searched
 *   cells, returns   outdated all together, as when something is remapped; a lookup fills a cell again
 *   links in a page  undone; each region knows the links that lead into it
 * The code that a link is in may have been evicted meanwhile: its region has another generation then.
 * Nothing is evicted while generated code is on the stack, but by C that does not return to it.
 *
 * When decoded blocks go, whose instructions generated code points at, their translations lose all ways
 * in; the memory is taken back with its region.
 */
#include <stdlib.h>
#include <time.h>

#include "accel/jit/jit_impl.h"

#define REGION_SIZE  (2u << 20)
#define REGION_LEAST (128u << 10)
#define FEW_REGIONS  8u
#define ALIGNMENT    64u

struct code_link {
	uint8_t *at;         /* displacement of a jump, or an address, in the writable mapping */
	const uint8_t *back; /* where it led before */
	const struct block *to;
	uint32_t generation; /* of the region that `at` is in */
	bool jump;
};

struct code_region {
	uint8_t *begin, *end;    /* in the writable mapping */
	uint32_t generation;     /* how often it has been evicted */
	struct block **blocks;   /* with translations here */
	struct code_link *links; /* that lead here */
	size_t nr_blocks, max_blocks, nr_links, max_links;
};

static void use_region(struct jit *j, unsigned n)
{
	struct code_region *r = &j->regions[n];
	j->region = n;
	j->next = r->begin;
	j->next_cold = j->first_cold = r->begin + (size_t)(r->end - r->begin) / 5 * 2;
	j->cells = j->top = r->end;
}

int codemem_init(struct jit *j, uint8_t *begin)
{
	unsigned nr = (unsigned)(j->size / REGION_SIZE);
	if (nr < FEW_REGIONS)
		nr = (unsigned)(j->size / REGION_LEAST);
	nr = nr > FEW_REGIONS && j->size / REGION_SIZE < FEW_REGIONS ? FEW_REGIONS : nr ? nr : 1;
	j->regions = calloc(nr, sizeof(*j->regions));
	if (!j->regions)
		return -1;
	j->nr_regions = nr;
	size_t each = (size_t)(j->write + j->size - begin) / nr & ~(size_t)(ALIGNMENT - 1);
	for (unsigned n = 0; n < nr; n++) {
		j->regions[n].end = j->write + j->size - (nr - 1 - n) * each;
		j->regions[n].begin = j->regions[n].end - each;
	}
	use_region(j, 0);
	return 0;
}

void codemem_fini(struct jit *j)
{
	for (unsigned n = 0; n < j->nr_regions; n++) {
		free(j->regions[n].blocks);
		free(j->regions[n].links);
	}
	free(j->regions);
}

const uint8_t *codemem_begin(const struct jit *j)
{
	return j->regions[0].begin;
}

/* Of an address in the writable mapping. */
static struct code_region *region_of(const struct jit *j, const uint8_t *at)
{
	const struct code_region *first = &j->regions[0];
	return &j->regions[(size_t)(at - first->begin) / (size_t)(first->end - first->begin)];
}

/* Room for one more of `size` bytes behind nr. */
static bool grow(void **list, size_t nr, size_t *max, size_t size)
{
	if (nr < *max)
		return true;
	size_t more = *max ? *max * 2 : 64;
	void *p = realloc(*list, more * size);
	if (!p)
		return false;
	*list = p;
	*max = more;
	return true;
}

bool codemem_add_block(struct jit *j, struct block *b)
{
	struct code_region *r = &j->regions[j->region];
	if (!grow((void **)&r->blocks, r->nr_blocks, &r->max_blocks, sizeof(*r->blocks)))
		return false;
	r->blocks[r->nr_blocks++] = b;
	return true;
}

/* Where l.at leads goes on in r: lets it be known, before it leads there. */
static bool add_link(struct jit *j, struct code_region *r, struct code_link l)
{
	if (!grow((void **)&r->links, r->nr_links, &r->max_links, sizeof(*r->links)))
		return false;
	l.generation = region_of(j, l.at)->generation;
	r->links[r->nr_links++] = l;
	return true;
}

/* The block behind a jump is often what is translated next. */
static void link_jump(uint8_t *at, const uint8_t *to)
{
	static const uint8_t nop[] = {0x0f, 0x1f, 0x44, 0x00, 0x00};
	if (to == at + 4 && at[-1] == 0xe9)
		memcpy(at - 1, nop, sizeof(nop));
	else
		emit_patch(at, to);
}

static void unlink_jump(uint8_t *at, const uint8_t *back)
{
	if (at[-1] == 0x0f) /* that NOP: a conditional jump has 0F one earlier */
		at[-1] = 0xe9;
	emit_patch(at, back);
}

/* Lets the address at `at` be `to`, which is b's. */
static bool link_address(struct jit *j, const uint8_t **at, const uint8_t *to,
			 const struct block *b)
{
	struct code_link l = {.at = (uint8_t *)at, .back = *at, .to = b};
	if (!add_link(j, region_of(j, to - j->exec + j->write), l))
		return false;
	*at = to;
	return true;
}

void codemem_link(struct jit *j, enum link_kind kind, uint8_t *at, const struct block *b)
{
	struct code_link l = {.at = at, .to = b, .jump = true};
	if (kind == LINK_CELL) {
		struct jit_jump *cell = (struct jit_jump *)(void *)at;
		j->stats.n[STAT_RETURNS] += link_address(j, &cell->code, b->code, b);
		link_address(j, &cell->code_vec, b->entry[ENTRY_VEC], b);
		return;
	}
	const uint8_t *code = b->entry[kind] - j->exec + j->write;
	l.back = emit_target(at);
	if (!add_link(j, region_of(j, code), l))
		return;
	link_jump(at, code);
	j->stats.n[STAT_LINKS]++;
}

bool codemem_careful(struct jit *j, struct careful *p, const struct block *b)
{
	return link_address(j, &p->code, j->exec + b->careful[p->i->nth], b);
}

static void undo(struct jit *j, const struct code_link *l)
{
	if (region_of(j, l->at)->generation != l->generation)
		return;
	if (l->jump)
		unlink_jump(l->at, l->back);
	else
		*(const uint8_t **)(void *)l->at = l->back;
	j->stats.n[STAT_UNLINKED]++;
}

static bool within(const void *p, const uint8_t *from, const uint8_t *to)
{
	return (const uint8_t *)p >= from && (const uint8_t *)p < to;
}

/* Its translations that are in r are no more. */
static void forget(const struct jit *j, struct jit_state *js, const struct code_region *r,
		   struct block *b)
{
	if (within(b->careful, r->begin, r->end))
		b->careful = NULL;
	if (!b->code || !within(b->code - j->exec + j->write, r->begin, r->end))
		return;
	jit_drop_jump_to(js, b);
	b->code = NULL;
	b->second_seen = NULL;
	b->runs = 0;
}

/* Nothing leads into r any more. */
static void empty(struct jit *j, struct jit_state *js, struct code_region *r)
{
	for (size_t n = 0; n < r->nr_links; n++)
		undo(j, &r->links[n]);
	for (size_t n = 0; n < r->nr_blocks; n++)
		forget(j, js, r, r->blocks[n]);
	jit_drop_cells(js);
	j->stats.n[STAT_EVICTED] += r->nr_blocks;
	r->nr_blocks = r->nr_links = 0;
	r->generation++;
}

static uint64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void count_eviction(struct jit *j, uint64_t begin)
{
	uint64_t took = now_ns() - begin;
	j->stats.n[STAT_EVICTION_NS] += took;
	if (took > j->stats.n[STAT_EVICTION_NS_MOST])
		j->stats.n[STAT_EVICTION_NS_MOST] = took;
}

void jit_evict(struct engine_cpu *e)
{
	struct jit *j = e->jit;
	uint64_t begin = now_ns();
	unsigned n = (j->region + 1) % j->nr_regions;
	struct code_region *r = &j->regions[n];

	e->js.link = 0;
	e->js.no_room = false;
	if (r->nr_blocks) {
		empty(j, &e->js, r);
		j->stats.n[STAT_EVICTIONS]++;
		perf_evicted(j, r->begin, r->end);
	}
	use_region(j, n);
	count_eviction(j, begin);
}

void jit_blocks_gone(struct engine_cpu *e, const uint8_t *from, const uint8_t *to)
{
	struct jit *j = e->jit;
	uint64_t begin = now_ns();

	for (struct code_region *r = j->regions; r < j->regions + j->nr_regions; r++) {
		size_t blocks = 0, links = 0;
		for (size_t n = 0; n < r->nr_blocks; n++)
			if (!within(r->blocks[n], from, to))
				r->blocks[blocks++] = r->blocks[n];
		for (size_t n = 0; n < r->nr_links; n++) {
			if (within(r->links[n].to, from, to))
				undo(j, &r->links[n]);
			else
				r->links[links++] = r->links[n];
		}
		j->stats.n[STAT_EVICTED] += r->nr_blocks - blocks;
		r->nr_blocks = blocks;
		r->nr_links = links;
	}
	e->js.link = 0;
	jit_drop_jumps(&e->js);
	count_eviction(j, begin);
}

void codemem_reset(struct jit *j)
{
	perf_evicted(j, j->regions[0].begin, j->write + j->size);
	for (unsigned n = 0; n < j->nr_regions; n++) {
		j->regions[n].nr_blocks = j->regions[n].nr_links = 0;
		j->regions[n].generation++;
	}
	use_region(j, 0);
}

struct block *jit_make(struct engine_cpu *e, struct block *b)
{
	struct jit *j = e->jit;
	b = jit_trace(e, b);
	j->stats.n[STAT_TRACES] += b->trace;
	const uint8_t *hot = j->next, *cold = j->next_cold;
	if (!jit_translate(j, e->core.model, b, e->core.v.rip)) {
		jit_evict(e);
		hot = j->next;
		cold = j->next_cold;
		/* What does not even fit now is interpreted. */
		jit_translate(j, e->core.model, b, e->core.v.rip);
	}
	perf_block(e, b, e->core.v.rip, hot, j->next, "");
	perf_block(e, b, e->core.v.rip, cold, j->next_cold, "_slow");
	return b;
}
