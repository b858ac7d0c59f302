/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The interpreter engine: decoded blocks, threaded dispatch, and between blocks the events of SDM
 * vol. 3A 6.9: interrupts, NMI, single-step and breakpoints.
 *
 * Ordinary code runs block by block. Whatever must be looked at instruction by instruction
 * (interrupt shadows, TF, RF, debug registers, a debugger's step) goes through step().
 */
#include "accel/interp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "accel/engine.h"
#include "accel/events.h"
#include "accel/soft.h"
#include "accel/stats.h"
#include "cpu/check.h"
#include "cpu/debug.h"
#include "cpu/exc.h"
#include "cpu/mem.h"
#include "cpu/opcode.h"
#include "cpu/smm.h"

/* Runs of a block before it is worth translating, if not set otherwise. */
#define JIT_HOT 8

static uint64_t rip_mask(const struct core *c)
{
	return c->mode == 8 ? ~0ull : 0xffffffffull;
}

void interp_run_any(struct core *c, const struct insn *i)
{
	c->insn = i;
	if (i->desc->attrs & A_CHECKED)
		insn_check(c, i);
	i->op(c, i);
	if (i->desc->attrs & A_BR)
		return;
	if (__builtin_expect(c->leave, 0)) {
		c->v.rip = insn_next(c, i);
		return;
	}
	return i[1].run(c, i + 1);
}

/* A branch within a trace: on with what follows it there, if that is where it leads. */
static void run_turn(struct core *c, const struct insn *i)
{
	c->insn = i;
	i->op(c, i);
	if (c->v.rip != insn_rip(c, i + 1)) {
		c->leave = true;
		return;
	}
	c->v.rip = c->blk_rip; /* what addresses relative to RIP count from */
	return i[1].run(c, i + 1);
}

/* The end marker of a block whose last instruction may have changed anything. */
static void run_end(struct core *c, const struct insn *i)
{
	c->v.rip = insn_next(c, i);
}

/* The same where the code simply goes on in the next block. */
static void run_on(struct core *c, const struct insn *i)
{
	uint64_t next = insn_next(c, i);
	if (!((next ^ c->blk_rip) & PAGE_MASK) && (c->mode == 8 || c->flat))
		c->chain = CHAIN_NEXT;
	c->v.rip = next;
}

/* Traces are for the translator, and seldom interpreted. */
static void prepare_trace(struct block *b)
{
	for (unsigned n = 0; n < b->nr; n++) {
		struct insn *i = &b->insn[n];
		bool turn = i->desc->attrs & A_BR && n + 1u < b->nr;
		i->run = turn ? run_turn : interp_run_any;
	}
}

/* Status flags that are dead after each instruction: overwritten before anything can read them. An
 * instruction that may fault shows all flags to the handler. */
static void prepare(struct block *b, const struct core *c)
{
	uint64_t live = CC_ALL;
	bool ends = b->insn[b->nr - 1].desc->attrs & A_END;
	b->insn[b->nr].run = ends ? run_end : run_on;
	if (b->trace) {
		prepare_trace(b);
		return;
	}
	for (int n = b->nr - 1; n >= 0; n--) {
		struct insn *i = &b->insn[n];
		uint64_t attrs = i->desc->attrs;
		run_fn *fast = interp_fast(i, c, !(live & (attrs & CC_ALL)));
		i->run = fast ? fast : interp_run_any;
		uint64_t written = attrs & CC_ALL, undefined = attrs >> 6 & CC_ALL;
		live &= ~(written | undefined);
		live |= attrs >> 12 & CC_ALL;
		if (!fast || attrs & (A_LD | A_ST))
			live = CC_ALL;
	}
}

static void soft_destroy(struct engine_cpu *e)
{
	block_cache_fini(&e->blocks);
	jit_free(e->jit);
	jit_free_cpu(e, sizeof(*e));
}

static int interp_create(struct engine_cpu **out, const struct cpu_model *model,
			 const struct cpu_bus *bus, unsigned index, _Atomic uint32_t *events)
{
	struct engine_cpu *e = jit_alloc_cpu(sizeof(*e));
	if (!e)
		return -ENOMEM;
	if (block_cache_init(&e->blocks, prepare) < 0) {
		jit_free_cpu(e, sizeof(*e));
		return -ENOMEM;
	}
	e->blocks.marked = jit_code_marked;
	core_init(&e->core, model, bus, index);
	e->due = bus->timers ? 0 : UINT64_MAX;
	e->core.events = events;
	*out = e;
	return 0;
}

static void on_blocks_gone(struct block_cache *bc, const uint8_t *from, const uint8_t *to)
{
	struct engine_cpu *e =
	    (struct engine_cpu *)((uint8_t *)bc - offsetof(struct engine_cpu, blocks));
	jit_blocks_gone(e, from, to);
}

static int jit_create(struct engine_cpu **out, const struct cpu_model *model,
		      const struct cpu_bus *bus, unsigned index, _Atomic uint32_t *events)
{
	const char *why;
	int err = interp_create(out, model, bus, index, events);
	if (err < 0)
		return err;
	(*out)->jit = jit_new(JIT_CACHE_SIZE, &why);
	if (!(*out)->jit) {
		soft_destroy(*out);
		return -ENOTSUP;
	}
	(*out)->blocks.gone = on_blocks_gone;
	(*out)->hot = JIT_HOT;
	(*out)->js.full = (*out)->core.tlb.full - 1; /* its own TLB is not emptied yet */
	return 0;
}

static const char *interp_unusable(void)
{
	return NULL;
}

static const char *jit_unusable(void)
{
	const char *why;
	struct jit *j = jit_new(JIT_CACHE_LEAST, &why);
	if (!j)
		return why;
	jit_free(j);
	return NULL;
}

static int interp_configure(struct engine_cpu *e, const struct engine_config *config)
{
	e->stops = config->stops;
	return 0;
}

static int jit_configure(struct engine_cpu *e, const struct engine_config *config)
{
	const char *why;
	if (config->hot)
		e->hot = config->hot;
	if (config->cache) {
		jit_free(e->jit);
		e->jit = jit_new(config->cache, &why);
		if (!e->jit)
			return -ENOMEM;
	}
	e->count = config->count;
	e->stops = config->stops;
	if (config->count)
		jit_count(e->jit);
	return jit_tell_perf(e->jit, config, e->core.index);
}

static void interp_load(struct engine_cpu *e, const struct vcpu *state)
{
	e->core.v = *state;
	e->core.blk_rip = state->rip;
	core_update_smm(&e->core);
	core_update_mode(&e->core);
	core_update_pcid(&e->core);
	/* The caller may hold the machine lock: the local APIC is asked for its page later. */
	atomic_fetch_or(e->core.events, EV_TLB | engine_pending(state));
}

static void interp_store(struct engine_cpu *e, struct vcpu *state)
{
	*state = e->core.v;
	engine_keep_pending(state, atomic_load(e->core.events));
}

/* v.rip of the instruction that faulted. c->insn is NULL when there was none yet (fetch). */
static void settle_rip(struct core *c)
{
	if (c->insn && !c->exc.trap)
		c->v.rip = insn_rip(c, c->insn) & rip_mask(c);
}

static bool shadowed(const struct core *c)
{
	return c->v.sti_shadow || c->v.mov_ss_shadow;
}

/* Takes what others posted. Returns false when run() must return *why. */
static bool take_events(struct engine_cpu *e, enum run_exit *why)
{
	struct core *c = &e->core;
	__atomic_store_n(&e->js.pending, 0, __ATOMIC_SEQ_CST);
	uint32_t ev = atomic_load_explicit(c->events, memory_order_acquire);

	e->js.link = 0;
	if (ev & EV_TLB) {
		atomic_fetch_and(c->events, ~(uint32_t)EV_TLB);
		core_update_smm(c);
		core_update_apic(c);
	}
	if (__builtin_expect(c->v.taken.valid, 0)) {
		c->v.taken.valid = false;
		c->insn = NULL;
		if (deliver_event(c, c->v.taken.exception ? EVENT_EXC : EVENT_EXT,
				  c->v.taken.vector, false, 0) < 0)
			return true;
	}
	if (ev & EV_TIME) {
		atomic_fetch_and(c->events, ~(uint32_t)EV_TIME);
		if (c->bus->timers)
			e->due = 0;
	}
	if (ev & engine_leaves(&c->v) && !e->hold) {
		*why = RUN_STOPPED;
		return false;
	}
	if (c->v.activity == ACT_WAIT_SIPI || c->v.activity == ACT_SHUTDOWN) {
		*why = c->v.activity == ACT_SHUTDOWN ? RUN_SHUTDOWN : RUN_HALTED;
		return false;
	}
	/* While one is blocked the event stays posted, so that it is looked at again after RSM or IRET. */
	if (ev & EV_SMI && !e->hold && !c->v.smm && !shadowed(c)) {
		atomic_fetch_and(c->events, ~(uint32_t)EV_SMI);
		c->v.smi_pending = false;
		c->insn = NULL;
		smm_enter(c);
	}
	if (ev & EV_NMI && !e->hold && !c->v.nmi_blocked && !c->v.mov_ss_shadow) {
		atomic_fetch_and(c->events, ~(uint32_t)EV_NMI);
		c->v.nmi_pending = false;
		c->v.activity = ACT_RUNNING;
		c->insn = NULL;
		if (deliver_event(c, EVENT_EXT, EXC_NMI, false, 0) < 0)
			return true; /* shutdown: seen on the next round */
		c->v.nmi_blocked = true;
	}
	if (ev & EV_INTR && !e->hold && c->v.rflags & FL_IF && !shadowed(c)) {
		int vector = c->bus->intr_ack(c->bus->opaque, c->index);
		if (vector >= 0) {
			c->v.activity = ACT_RUNNING;
			c->insn = NULL;
			deliver_event(c, EVENT_EXT, (unsigned)vector, false, 0);
		}
	}
	if (c->v.activity == ACT_HALTED) {
		*why = RUN_HALTED;
		return false;
	}
	return true;
}

static uint64_t fetch_lin(const struct core *c)
{
	return c->mode == 8 ? c->v.rip : (uint32_t)(c->v.seg[CS].base + c->v.rip);
}

static bool may_break(const struct engine_cpu *e)
{
	const struct watch *w = e->core.watch_execs;
	return w && watch_may_exec(w, fetch_lin(&e->core));
}

/* True when a debugger has waited for what was, or for what comes next. */
static bool stops_here(struct engine_cpu *e, bool restart)
{
	struct core *c = &e->core;
	if (c->watch_hit.valid) {
		e->hit = c->watch_hit;
		c->watch_hit.valid = false;
		return true;
	}
	return !e->hold && !restart && may_break(e) &&
	       watch_exec(c, e->watch, fetch_lin(c), &e->hit);
}

static bool must_step(const struct engine_cpu *e)
{
	return e->core.debug_active || e->tracing || shadowed(&e->core) || may_break(e);
}

/* One instruction with everything that can happen around it. */
static void step(struct engine_cpu *e)
{
	struct core *c = &e->core;
	bool sti = c->v.sti_shadow, mov_ss = c->v.mov_ss_shadow;
	struct insn *i = &e->single[0];

	e->js.link = 0;
	c->insn = NULL;
	if (c->debug_active && !(c->v.rflags & FL_RF) && !mov_ss) {
		uint64_t hits = debug_insn_hits(c, fetch_lin(c));
		if (hits) {
			c->exc = (struct exception){.vector = EXC_DB, .dr6 = hits};
			siglongjmp(*c->fault, CORE_EXCEPTION);
		}
	}
	c->step_trap = c->v.rflags & FL_TF;
	/* What MOV SS hit itself is reported together with the instruction after it. */
	if (!mov_ss)
		c->dr6_pending = 0;
	block_decode_one(c, i);
	e->begun = i;
	i->run = interp_run_any;
	e->single[1] = (struct insn){.run = run_end, .end = i->end};
	c->blk_rip = c->v.rip;
	c->leave = false;
	/* RF lasts for one instruction, but IRETD, POPF and task switches may set it anew. */
	c->v.rflags &= ~(uint32_t)FL_RF;
	if (e->tracing)
		watch_step(c, WATCH_INSN, i, c->v.rip, 0);
	i->run(c, i);
	if (e->tracing && c->v.rip != insn_next(c, i))
		watch_step(c, WATCH_BRANCH, i, c->blk_rip, c->v.rip);
	c->retired++;
	if (sti)
		c->v.sti_shadow = false;
	if (mov_ss)
		c->v.mov_ss_shadow = false;
	if (c->v.mov_ss_shadow)
		return;
	uint64_t dr6 = c->dr6_pending | (c->step_trap ? DR6_BS : 0);
	c->dr6_pending = 0;
	if (dr6) {
		c->insn = NULL;
		c->exc = (struct exception){.vector = EXC_DB, .dr6 = dr6, .trap = true};
		siglongjmp(*c->fault, CORE_EXCEPTION);
	}
}

/* Translations and blocks point at each other: they go together. */
static void drop_code(struct engine_cpu *e)
{
	block_cache_flush(&e->blocks);
	jit_reset(e);
}

/* Runs b's translation, made now if it is time for it. False: b is to be interpreted. */
static bool run_translated(struct engine_cpu *e, struct block **at)
{
	struct core *c = &e->core;
	struct block *b = *at;
	if (e->js.exhausted) {
		drop_code(e);
		return true;
	}
	if (e->js.no_room)
		jit_evict(e);
	if (!b->code) {
		if (b->runs == UINT32_MAX || ++b->runs < e->hot)
			return false;
		b = *at = jit_make(e, b);
		e->begun = b->insn;
		if (!b->code)
			return false;
	}
	if (c->align_check)
		return false;
	if (e->stops == STOP_BLOCK) {
		e->js.link = 0;
		__atomic_store_n(&e->js.pending, 1, __ATOMIC_SEQ_CST);
	}
	jit_run(e->jit, e, b);
	return true;
}

/* Runs from v.rip on, block after block, until a jump leaves the page or something intervenes. False when
 * the next block goes beyond `last`. */
static bool run_blocks(struct engine_cpu *e, uint64_t last)
{
	struct core *c = &e->core;
	struct block_cache *bc = &e->blocks;
	struct block *b = block_get(bc, c);
	bool translate = e->jit && (e->count || last == UINT64_MAX);
	c->v.rflags &= ~(uint32_t)FL_RF; /* there are no breakpoints it would keep away */
	e->js.limit = last < INT64_MAX ? last : INT64_MAX;
	for (;;) {
		if (__builtin_expect(b->nr > last - c->retired, 0))
			return false;
		if (__builtin_expect(c->watch_execs != NULL, 0) && may_break(e))
			return true;
		e->begun = b->insn;
		if (translate && run_translated(e, &b))
			return true;
		e->js.link = 0;
		c->blk_rip = c->v.rip;
		c->leave = false;
		c->chain = CHAIN_NONE;
		b->insn[0].run(c, b->insn);
		c->retired += c->leave ? c->insn->nth + 1u : b->nr;
		if (c->chain == CHAIN_NONE || *c->events || c->retired >= last || e->stops)
			return true;
		struct block **slot = &b->succ[c->chain];
		if (b->succ_seen != bc->flushed || !*slot || !block_valid(*slot)) {
			uint64_t flushed = bc->flushed;
			struct block *next = block_get(bc, c);
			if (bc->flushed != flushed) /* b is gone */
				return true;
			if (b->succ_seen != flushed)
				b->succ[CHAIN_TAKEN] = b->succ[CHAIN_NEXT] = NULL;
			b->succ_seen = flushed;
			if (next->crosses || !next->page) {
				*slot = NULL;
				return true;
			}
			*slot = next;
		}
		b = *slot;
	}
}

/* An instruction left by longjmp. */
static void left(struct engine_cpu *e, int how)
{
	struct core *c = &e->core;
	e->js.link = 0;
	/* Shadows end with the instruction after the one that made them, also when it faults. */
	c->v.sti_shadow = c->v.mov_ss_shadow = false;
	if (c->insn)
		c->retired += c->insn->nth;
	if (how == CORE_EXCEPTION) {
		e->faults++;
		/* The trap after an instruction that step() has counted is part of it. */
		c->retired += c->insn || !c->exc.trap;
		settle_rip(c);
		deliver_exception(c);
	} else if (how == CORE_RESTART) {
		/* Between two iterations. */
		uint64_t dr6 = c->dr6_pending | (c->step_trap ? DR6_BS : 0);
		if (dr6) {
			c->retired++;
			c->exc = (struct exception){.vector = EXC_DB, .dr6 = dr6, .trap = true};
			deliver_exception(c);
		}
	}
	c->step_trap = false;
	c->dr6_pending = 0;
}

static enum run_exit interp_run(struct engine_cpu *e, uint64_t max_insns)
{
	struct core *c = &e->core;
	volatile enum run_exit why = RUN_STOPPED;
	enum run_exit found;
	sigjmp_buf fault;
	const uint64_t begin = c->retired, room = UINT64_MAX - begin;
	const uint64_t last = begin + (max_insns < room ? max_insns : room);
	volatile bool stepping = max_insns == 1, restart = false;

	int how = sigsetjmp(fault, 0);
	c->fault = &fault;
	if (how) {
		jit_left(e);
		left(e, how);
		restart = how == CORE_RESTART;
	}
	/* An instruction in the middle of its iterations is no place to stop. */
	while (c->retired < last && !(e->stops && c->retired != begin && !restart)) {
		/* A kick may come after what it announced has been taken. */
		if (__builtin_expect(*c->events ||
					 __atomic_load_n(&e->js.pending, __ATOMIC_RELAXED) ||
					 c->v.activity != ACT_RUNNING,
				     0) &&
		    !take_events(e, &found)) {
			why = found;
			break;
		}
		if (__builtin_expect(c->retired >= e->due, 0)) {
			e->due = c->bus->timers(c->bus->opaque, c->retired);
			stepping = max_insns == 1;
			continue;
		}
		if (__builtin_expect(e->watch != NULL, 0) && stops_here(e, restart)) {
			why = RUN_DEBUG;
			break;
		}
		restart = false;
		if (__builtin_expect(stepping || must_step(e), 0))
			step(e);
		else if (!run_blocks(e, last < e->due ? last : e->due))
			stepping = true;
	}
	if (__builtin_expect(e->watch != NULL, 0) && why != RUN_DEBUG && c->watch_hit.valid &&
	    stops_here(e, restart))
		why = RUN_DEBUG;
	atomic_store_explicit(&e->retired, c->retired, memory_order_relaxed);
	c->fault = NULL;
	return why;
}

/* Instructions that are stepped are decoded each time. */
static void soft_forget(struct engine_cpu *e)
{
	if (e->jit)
		drop_code(e);
	else
		block_cache_flush(&e->blocks);
}

static void soft_watch(struct engine_cpu *e, const struct watch *watch)
{
	e->watch = watch;
	e->core.watch_execs = watch && watch->execs ? watch : NULL;
	e->core.watch = watch && watch->accesses ? watch : NULL;
	e->core.watch_events = watch && (watch->events || watch->trace.on) ? watch : NULL;
	e->tracing = watch && watch->trace.on & WATCH_STEPS;
	e->core.watch_hit.valid = false;
	soft_forget(e);
	tlb_flush_all(&e->core.tlb);
}

static enum run_exit soft_step(struct engine_cpu *e)
{
	e->hold = true;
	enum run_exit why = interp_run(e, 1);
	e->hold = false;
	return why;
}

static void soft_hit(struct engine_cpu *e, struct watch_hit *hit)
{
	*hit = e->hit;
}

static void interp_kick(struct engine_cpu *e)
{
	/* The interpreter looks at the event word between blocks; translations at this. */
	__atomic_store_n(&e->js.pending, 1, __ATOMIC_SEQ_CST);
}

static void soft_stats(struct engine_cpu *e, struct engine_stats *sum)
{
	if (e->jit)
		jit_stats(e->jit, sum);
	sum->n[STAT_BLOCKS] += e->blocks.built;
	sum->n[STAT_BLOCK_FLUSHES] += e->blocks.flushed;
	sum->n[STAT_STALE] += e->blocks.stale;
	sum->n[STAT_YIELDS] += e->core.yields;
}

static uint64_t soft_last_rip(struct engine_cpu *e)
{
	return e->core.blk_rip;
}

static uint64_t interp_retired(struct engine_cpu *e)
{
	return atomic_load_explicit(&e->retired, memory_order_relaxed);
}

const struct engine engine_interp = {
    .name = "interp",
    .unusable = interp_unusable,
    .create = interp_create,
    .configure = interp_configure,
    .destroy = soft_destroy,
    .load = interp_load,
    .store = interp_store,
    .run = interp_run,
    .kick = interp_kick,
    .retired = interp_retired,
    .last_rip = soft_last_rip,
    .stats = soft_stats,
    .forget = soft_forget,
    .watch = soft_watch,
    .step = soft_step,
    .hit = soft_hit,
};

const struct engine engine_jit = {
    .name = "jit",
    .trusts_tlb = true,
    .unusable = jit_unusable,
    .create = jit_create,
    .configure = jit_configure,
    .destroy = soft_destroy,
    .load = interp_load,
    .store = interp_store,
    .run = interp_run,
    .kick = interp_kick,
    .retired = interp_retired,
    .last_rip = soft_last_rip,
    .stats = soft_stats,
    .forget = soft_forget,
    .watch = soft_watch,
    .step = soft_step,
    .hit = soft_hit,
};
