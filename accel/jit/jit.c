/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Code memory, and entering and leaving generated code.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "accel/engine.h"
#include "accel/jit/jit_impl.h"
#include "cpu/mxcsr.h"
#include "cpu/x87.h"

#ifdef UNDER_ASAN
#include <sanitizer/asan_interface.h>
#endif

#define STACK_SIZE (256u << 10)
#define HUGE_SIZE  (2u << 20)

/* Two mappings of the same memory, which has no file, so that the profiler looks for names elsewhere. */
static uint8_t *map_twice(size_t size, uint8_t **second)
{
	uint8_t *first = mmap(NULL, size, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (first == MAP_FAILED)
		return NULL;
	*second = mremap(first, 0, size, MREMAP_MAYMOVE);
	if (*second != MAP_FAILED)
		return first;
	*second = NULL;
	munmap(first, size);
	return NULL;
}

struct jit *jit_new(size_t cache, const char **why)
{
	if (!__builtin_cpu_supports("bmi2")) {
		*why = "the host CPU has no BMI2";
		return NULL;
	}
	struct jit *j = calloc(1, sizeof(*j));
	*why = "no memory for the code cache";
	if (!j)
		return NULL;
	if (engine_stats_init(&j->stats) < 0)
		goto fail;
	j->size = cache;
	j->write = map_twice(cache, &j->exec);
	if (!j->write)
		goto fail;
	if (mprotect(j->exec, cache, PROT_READ | PROT_EXEC) < 0) {
		*why = "the host does not allow executable memory";
		goto fail;
	}
	jit_host_features(&j->host);
	struct emit e = {.w = j->write, .end = j->write + cache, .to_exec = j->exec - j->write};
	jit_make_stubs(j, &e);
	if (codemem_init(j, e.w) == 0)
		return j;
fail:
	jit_free(j);
	return NULL;
}

void jit_stats(const struct jit *j, struct engine_stats *sum)
{
	engine_stats_add(sum, &j->stats);
}

void jit_free(struct jit *j)
{
	if (!j)
		return;
	perf_close(j);
	codemem_fini(j);
	if (j->write)
		munmap(j->write, j->size);
	if (j->exec)
		munmap(j->exec, j->size);
	engine_stats_fini(&j->stats);
	free(j);
}

void jit_count(struct jit *j)
{
	j->count = true;
}

/* It is all looked up in at random, so in huge pages where the host has them. */
static size_t huge_pages(size_t size)
{
	return (size + HUGE_SIZE - 1) / HUGE_SIZE * HUGE_SIZE;
}

struct engine_cpu *jit_alloc_cpu(size_t size)
{
	size_t below = PAGE_SIZE + STACK_SIZE;
	size = huge_pages(size);
	uint8_t *p = mmap(NULL, below + size + HUGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	uint8_t *at = (uint8_t *)huge_pages((uintptr_t)p + below);
	size_t before = (size_t)(at - below - p);
	if (before)
		munmap(p, before);
	if (before < HUGE_SIZE)
		munmap(at + size, HUGE_SIZE - before);
	mprotect(at - below, PAGE_SIZE, PROT_NONE);
	madvise(at, size, MADV_HUGEPAGE);
	struct engine_cpu *e = (struct engine_cpu *)at;
	e->js.index_mask = (uint64_t)(JIT_TLB_ENTRIES - 1) << PAGE_SHIFT;
	e->js.page_mask = PAGE_MASK;
	e->js.df_mask = FL_DF;
	e->js.mask16 = 15;
	e->js.mxcsr_fixed = MXCSR_MASKS | 0xffff0000;
	e->js.mask32 = 31;
	e->js.mask64 = 63;
	e->js.fcw_masks = FCW_EXC;
	e->js.x87_dead = 1;
	e->js.sign_mask = 1ull << 63;
	jit_init_jumps(&e->js);
	return e;
}

void jit_free_cpu(struct engine_cpu *e, size_t size)
{
	munmap((uint8_t *)e - STACK_SIZE - PAGE_SIZE, PAGE_SIZE + STACK_SIZE + huge_pages(size));
}

/* ---- entering ---- */

void jit_reset(struct engine_cpu *e)
{
	codemem_reset(e->jit);
	e->js.link = 0;
	jit_init_jumps(&e->js);
}

/* Not a data segment that reaches all of memory from its base. */
static bool bounded(const struct segment *s)
{
	const uint32_t bits = SEG_NULL | SEG_P | SEG_S | SEG_X | SEG_E | SEG_W;
	return s->limit != 0xffffffff || (s->attr & bits) != (SEG_P | SEG_S | SEG_W);
}

/* Follows the core's TLB and mode. */
static void follow(struct engine_cpu *e, uint16_t key)
{
	struct jit_state *js = &e->js;
	const struct tlb *t = &e->core.tlb;
	if (js->full != t->full || t->nr_dropped - js->generation > TLB_DROPPED) {
		jit_drop_tlb(js);
		jit_drop_jumps(js);
	} else {
		for (; js->generation != t->nr_dropped; js->generation++) {
			uint64_t page = t->dropped[js->generation % TLB_DROPPED];
			jit_drop_jump_page(js, page);
			jit_drop_tlb_page(js, page);
		}
	}
	js->full = t->full;
	js->generation = t->nr_dropped;
	if (key & BLOCK_RING3) {
		jit_enter_tlb(js, TLB_USER, t->asid);
	} else if ((key >> BLOCK_MODE & 3) == TLB_MODES) {
		jit_enter_tlb(js, TLB_MODES, t->asid);
	} else { /* STAC and CLAC change between them */
		jit_enter_tlb(js, TLB_KERNEL, t->asid);
		jit_enter_tlb(js, TLB_KERNEL_AC, t->asid);
	}
	if (e->core.mode != 8) {
		js->bounded[0] = bounded(&e->core.v.seg[FS]);
		js->bounded[1] = bounded(&e->core.v.seg[GS]);
	}
}

/* A fault's jump out leaves its frames behind, and AddressSanitizer cannot tell, because it does not know
 * this memory as a stack. */
static void forget_frames(struct engine_cpu *e)
{
#ifdef UNDER_ASAN
	__asan_unpoison_memory_region((uint8_t *)e - STACK_SIZE, STACK_SIZE);
#else
	(void)e;
#endif
}

/* The last run stopped at a jump without a link; here is where it leads, if nothing came between. */
static void make_link(struct jit *j, struct jit_state *js, uint64_t rip, const struct block *b)
{
	uint8_t *at = (uint8_t *)(uintptr_t)(js->link << 8 >> 8);
	if (rip == js->link_rip)
		codemem_link(j, (enum link_kind)(js->link >> LINK_SHIFT), at, b);
	js->link = 0;
}

/* What translations find besides the TLB and the context. */
static void ready(struct engine_cpu *e)
{
	struct core *c = &e->core;
	struct jit_state *js = &e->js;
	js->page_rip = c->v.rip & PAGE_MASK;
	js->vec_dead = 1;
	js->left = js->limit - c->retired;
	js->flags = flags_pack(c->v.cc);
	if (!js->mxcsr_live)
		mxcsr_to_host(e);
	c->v.rflags &= ~(uint32_t)FL_RF;
	c->leave = false;
	c->insn = NULL;
}

/* Makes everything ready for b, which block_get() has just found; returns where its code begins. */
static const uint8_t *begin(struct engine_cpu *e, struct block *b)
{
	struct jit_state *js = &e->js;
	follow(e, b->key);
	/* Code in global pages is the same in every address space, and finds only its like. */
	jit_set_context(js, e->blocks.global ? 0 : e->core.tlb.asid, b->key);
	jit_enter_jump(e, b);
	if (js->link)
		make_link(e->jit, js, e->core.v.rip, b);
	ready(e);
	return b->code;
}

/* Makes v canonical but for what jit_left() does; may come twice. */
static void end(struct engine_cpu *e)
{
	jit_counted(e);
	e->js.cut = 0;
	e->core.v.cc = flags_unpack(e->js.flags);
	e->js.link_rip = e->core.v.rip;
}

/* What the engine loop would look at before it goes on. An interrupt that is masked can wait. */
static bool must_leave(const struct engine_cpu *e)
{
	const struct core *c = &e->core;
	uint32_t masked = c->v.rflags & FL_IF ? 0 : EV_INTR;
	return *c->events & ~masked || __atomic_load_n(&e->js.pending, __ATOMIC_RELAXED) ||
	       c->v.activity != ACT_RUNNING || c->debug_active || c->align_check ||
	       c->v.sti_shadow || c->v.mov_ss_shadow || c->watch_hit.valid ||
	       (e->count && c->retired >= e->js.limit);
}

/* Why generated code was left. */
static enum engine_stat exit_reason(const struct engine_cpu *e, bool cut, bool leave)
{
	if (cut)
		return e->jit->why ? e->jit->why : STAT_EXIT_OTHER;
	if (leave)
		return STAT_EXIT_PENDING;
	return e->js.link ? STAT_EXIT_LINK : STAT_EXIT_LOOKUP;
}

const uint8_t *jit_next(struct engine_cpu *e)
{
	struct core *c = &e->core;
	struct jit_state *js = &e->js;
	struct engine_stats *s = &e->jit->stats;
	/* Not an instruction whose second page has changed: it would be found again. */
	bool cut = js->cut, operation = cut && c->insn;
	end(e);
	bool leave = must_leave(e);
	c->blk_rip = e->ended && c->insn ? insn_rip(c, c->insn) : c->v.rip;
	e->ended = false;
	s->n[exit_reason(e, cut, leave)]++;
	e->jit->why = 0;
	if (leave || js->no_room || js->exhausted)
		return NULL;
	if (operation && !js->link && !e->count) {
		uint16_t key = block_key(c);
		follow(e, key);
		const uint8_t *code = jit_find_jump(e, key);
		if (code) {
			ready(e);
			s->n[STAT_CONTINUED]++;
			return code;
		}
	}
	struct block *b = block_get(&e->blocks, c);
	if (!b->code || (e->count && b->nr > js->limit - c->retired))
		return NULL;
	s->n[STAT_CONTINUED]++;
	return begin(e, b);
}

void jit_run(struct jit *j, struct engine_cpu *e, struct block *b)
{
	typedef void enter_fn(struct engine_cpu *, const uint8_t *);
	enter_fn *enter = (enter_fn *)(uintptr_t)(j->enter - j->write + j->exec);

	forget_frames(e);
	j->stats.n[STAT_ENTRIES]++;
	j->why = 0;
	const uint8_t *code = begin(e, b);
	j->inside = true;
	enter(e, code);
	j->inside = false;
	end(e);
	jit_left(e);
}
