/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Breakpoints, watchpoints and single steps from outside, on a machine that is on each engine in turn.
 */
#include <errno.h>
#include <stdatomic.h>
#include <time.h>

#include "accel/cpus.h"
#include "accel/debug.h"
#include "accel/engine.h"
#include "accel/kvm/kvm.h"
#include "synth.h"

#define GUEST(name, text)                                                                          \
	extern const char name[], name##_end[];                                                    \
	__asm__(".pushsection .rodata\n" #name ":\n" text "\n" #name "_end:\n.popsection")

enum { DATA = 0x20000, ALIAS = 0x200000, ROUNDS = 1000 };

/* A loop that calls; the last byte of what it calls and of what it stores cross nothing. */
GUEST(work, "	mov $1000, %ebp\n"
	    "	xor %ebx, %ebx\n"
	    "	mov $0x7000, %esp\n"
	    "work_top:\n"
	    "	add %rbp, %rbx\n"
	    "	mov %rbx, 0x20000\n"
	    "	call 1f\n"
	    "work_back:\n"
	    "	dec %ebp\n"
	    "	jnz work_top\n"
	    "	hlt\n"
	    "1:	mov 0x20008, %rcx\n"
	    "work_ret:\n"
	    "	ret");
extern const char work_top[], work_back[], work_ret[];

struct box {
	struct synth *s;
	struct aspace io;
	struct cpus *cpus;
	struct vcpu *v;
	_Atomic unsigned hits; /* that have come */
	unsigned seen;         /* that have been waited for */
	unsigned pass;         /* that are not to stop it, from now on */
	struct watch_hit hit;
	int vector; /* of an interrupt that waits, or -1 */
};

static bool on_hit(void *opaque, unsigned cpu, const struct watch_hit *hit)
{
	struct box *b = opaque;

	cr_assert_eq(cpu, 0u);
	b->hit = *hit;
	if (b->pass) {
		b->pass--;
		return false;
	}
	atomic_fetch_add(&b->hits, 1);
	return true;
}

static struct box *acknowledging;

static int acknowledge(void *opaque, unsigned cpu)
{
	int vector = acknowledging->vector;

	(void)opaque;
	acknowledging->vector = -1;
	cpus_set_intr(acknowledging->cpus, cpu, false);
	return vector;
}

static void pass_time(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

static const char *missing(const struct engine *en)
{
	return en == &engine_kvm ? kvm_missing() : en->unusable();
}

/* Paused, before the first instruction of the code. 2 MiB at 0, and once more at ALIAS. */
static void box_new(struct box *b, const struct engine *en, const char *code, const char *end)
{
	struct synth *s = synth_new("qemu64");

	memset(b, 0, sizeof(*b));
	b->s = s;
	b->vector = -1;
	acknowledging = b;
	if (en == &engine_kvm)
		cr_assert_eq(engine_kvm.fit(&s->model), 0);
	aspace_init(&b->io, "io", 16, NULL);
	s->bus.io = &b->io;
	s->bus.intr_ack = acknowledge;
	enter_long(s, 0);
	poke(s, 0x5000, 0x10007, 8);
	poke(s, 0x10000, 0x87, 8);
	poke(s, 0x10008, 0x87, 8);
	memcpy(s->ram.host + TEXT, code, (size_t)(end - code));
	cr_assert_eq(
	    cpus_new(&b->cpus, en, &(struct engine_config){.hot = 1}, &s->model, &s->bus, 1), 0);
	cpus_on_hit(b->cpus, on_hit, b);
	b->v = cpus_state(b->cpus, 0);
	*b->v = s->c.v;
}

static void box_free(struct box *b)
{
	cpus_free(b->cpus);
	synth_free(b->s);
}

/* Goes on to the next hit (true) or to the end. */
static bool next(struct box *b)
{
	cpus_release(b->cpus, 0);
	cpus_resume(b->cpus);
	for (unsigned n = 0; n < 20000; n++) {
		if (atomic_load(&b->hits) != b->seen)
			break;
		pass_time();
		if (n % 8 != 7)
			continue;
		cpus_pause(b->cpus);
		bool halted = b->v->activity == ACT_HALTED;
		if (halted || atomic_load(&b->hits) != b->seen)
			break;
		cpus_resume(b->cpus);
	}
	cpus_pause(b->cpus);
	if (atomic_load(&b->hits) == b->seen) {
		cr_assert_eq(b->v->activity, ACT_HALTED);
		return false;
	}
	cr_assert_eq(atomic_load(&b->hits), ++b->seen, "it goes on after a hit");
	return true;
}

static struct watch_point exec_at(uint64_t addr, bool physical)
{
	return (struct watch_point){.addr = addr, .len = 1, .on = WATCH_EXEC, .physical = physical};
}

#define AT(label) (TEXT + (uint64_t)((label)-work))

static void finish(struct box *b)
{
	cr_assert_eq(cpus_watch(b->cpus, NULL, 0), 0);
	cr_expect_not(next(b));
	cr_expect_eq(b->v->gpr[RBX], (uint64_t)ROUNDS * (ROUNDS + 1) / 2);
	cr_expect_eq(b->v->dr7 & 0xff, 0u);
	cr_expect(!memcmp(b->s->ram.host + TEXT, work, (size_t)(work_end - work)));
}

static void breakpoints(const struct engine *en)
{
	struct box b;

	box_new(&b, en, work, work_end);
	/* The same offset in another page, and an address that is not where an instruction begins. */
	const struct watch_point points[] = {
	    exec_at(AT(work_top) + 0x1000, false), exec_at(AT(work_back) + 1, false),
	    exec_at(AT(work_back), false), exec_at(AT(work_ret), true)};
	cr_assert_eq(cpus_watch(b.cpus, points, 4), 0);
	for (unsigned n = 0; n < 20; n++) {
		cr_assert(next(&b));
		cr_expect_eq(b.hit.on, WATCH_EXEC);
		cr_expect_eq(b.hit.point, n & 1 ? 2u : 3u);
		cr_expect_eq(b.v->rip, n & 1 ? AT(work_back) : AT(work_ret));
		cr_expect_eq(b.hit.lin, b.v->rip);
		cr_expect_eq(b.v->gpr[RBP], ROUNDS - n / 2);
		cr_expect(cpus_on(b.cpus, 0)->watch);
	}
	/* One that is set where the vCPU is is not missed when it comes again. */
	cr_assert_eq(cpus_watch(b.cpus, &points[2], 1), 0);
	cr_assert(next(&b));
	cr_expect_eq(b.v->gpr[RBP], ROUNDS - 10);
	b.pass = 3;
	cr_assert(next(&b));
	cr_expect_eq(b.v->gpr[RBP], ROUNDS - 14);
	/* Held, it does not go on with the others. */
	cpus_resume(b.cpus);
	pass_time();
	cpus_pause(b.cpus);
	cr_expect_eq(b.v->gpr[RBP], ROUNDS - 14);
	finish(&b);
	cr_expect_eq(cpus_on(b.cpus, 0), en, "and back to the engine that it was on");
	box_free(&b);
}

static void accesses(const struct engine *en)
{
	const struct watch_point points[] = {
	    {.addr = DATA + 7, .len = 1, .on = WATCH_WRITE},
	    {.addr = DATA + 8, .len = 8, .on = WATCH_READ, .physical = true},
	};
	struct box b;

	box_new(&b, en, work, work_end);
	cr_assert_eq(cpus_watch(b.cpus, points, 2), 0);
	for (unsigned n = 0; n < 20; n++) {
		cr_assert(next(&b));
		cr_expect_eq(b.hit.point, n & 1);
		cr_expect_eq(b.hit.on, n & 1 ? WATCH_READ : WATCH_WRITE);
		cr_expect_eq(b.hit.lin, n & 1 ? DATA + 8u : DATA);
		cr_expect_eq(b.v->gpr[RBP], ROUNDS - n / 2);
		/* After the instruction. */
		cr_expect_eq(b.v->rip, n & 1 ? AT(work_ret) : AT(work_top) + 11);
		cr_expect_eq(peek(b.s, DATA, 8), b.v->gpr[RBX]);
	}
	finish(&b);
	box_free(&b);
}

static void steps(const struct engine *en)
{
	struct box b, c;
	struct watch_hit hit;

	box_new(&b, en, work, work_end);
	box_new(&c, &engine_interp, work, work_end);
	for (unsigned n = 0; n < 200; n++) {
		struct engine_cpu *e = cpus_engine(c.cpus, 0);

		cr_assert_eq(cpus_step(b.cpus, 0, &hit), 0);
		cr_expect_not(hit.valid);
		engine_interp.load(e, c.v);
		engine_interp.step(e);
		engine_interp.store(e, c.v);
		cr_assert_eq(b.v->rip, c.v->rip);
		cr_assert_arr_eq(b.v->gpr, c.v->gpr, sizeof(c.v->gpr));
		if (n == 100) { /* it may go on in between */
			const struct watch_point point = exec_at(AT(work_top), false);
			cr_assert_eq(cpus_watch(b.cpus, &point, 1), 0);
			cr_assert(next(&b));
			cr_assert_eq(b.v->rip, AT(work_top));
			cr_assert_eq(cpus_watch(b.cpus, NULL, 0), 0);
			*c.v = *b.v;
			memcpy(c.s->ram.host, b.s->ram.host, 1 << 20);
			ram_written(&c.s->ram, 0, 1 << 20);
		}
	}
	finish(&b);
	cr_expect_eq(cpus_step(b.cpus, 0, &hit), -EAGAIN);
	box_free(&c);
	acknowledging = &b;
	box_free(&b);
}

/* What is no access. */
GUEST(happens, "	mov %cr3, %rax\n"
	       "	mov %rax, %cr3\n"
	       "	mov $0x174, %ecx\n"
	       "	mov $0x1234, %eax\n"
	       "	xor %edx, %edx\n"
	       "	wrmsr\n"
	       "	mov $0x7000, %esp\n"
	       "	mov $0x55, %al\n"
	       "	out %al, $0x80\n"
	       "	in $0x81, %al\n"
	       "	int $0x41\n"
	       "	ud2\n"
	       "happens_handler:\n"
	       "	hlt");
extern const char happens_handler[];

static void events(const struct engine *en)
{
	static const struct watch_point points[] = {
	    {.addr = 3, .len = 1, .on = WATCH_CR},
	    {.addr = 0x170, .len = 8, .on = WATCH_MSR},
	    {.addr = 0x80, .len = 1, .on = WATCH_IN | WATCH_OUT},
	    {.addr = 0x81, .len = 1, .on = WATCH_IN},
	    {.addr = 0, .len = 32, .on = WATCH_EXCEPTION},
	    {.addr = 0x41, .len = 1, .on = WATCH_INTERRUPT},
	};
	const uint32_t handler = TEXT + (uint32_t)(happens_handler - happens);
	struct box b;

	box_new(&b, en, happens, happens_end);
	/* The handler of the interrupt is the instruction that follows it. */
	poke(b.s, IDT + 0x41 * 16, gate(CODE64, handler - 2, 0x8e, 0), 8);
	poke(b.s, IDT + 6 * 16, gate(CODE64, handler, 0x8e, 0), 8);
	const struct {
		unsigned point, on;
		uint64_t number, value;
	} want[] = {
	    {0, WATCH_CR, 3, b.v->cr3}, {1, WATCH_MSR, 0x174, 0x1234}, {2, WATCH_OUT, 0x80, 0x55},
	    {3, WATCH_IN, 0x81, 0xff},  {5, WATCH_INTERRUPT, 0x41, 0}, {4, WATCH_EXCEPTION, 6, 0},
	};
	cr_assert_eq(cpus_watch(b.cpus, points, 6), 0);
	for (unsigned n = 0; n < 6; n++) {
		cr_assert(next(&b));
		cr_expect_eq(b.hit.point, want[n].point, "%u: %u", n, b.hit.point);
		cr_expect_eq(b.hit.on, want[n].on);
		cr_expect_eq(b.hit.lin, want[n].number);
		cr_expect_eq(b.hit.value, want[n].value);
	}
	cr_expect_eq(b.v->rip, handler);
	box_free(&b);
}

static void need(const struct engine *en)
{
	if (missing(en))
		cr_skip_test("%s cannot run here: %s", en->name, missing(en));
}

TestSuite(debug, .timeout = 120);

#define ON_EACH(test)                                                                              \
	Test(debug, test##_on_interp)                                                              \
	{                                                                                          \
		test(&engine_interp);                                                              \
	}                                                                                          \
	Test(debug, test##_on_jit)                                                                 \
	{                                                                                          \
		need(&engine_jit);                                                                 \
		test(&engine_jit);                                                                 \
	}                                                                                          \
	Test(debug, test##_on_kvm)                                                                 \
	{                                                                                          \
		need(&engine_kvm);                                                                 \
		test(&engine_kvm);                                                                 \
	}

ON_EACH(breakpoints)
ON_EACH(accesses)
ON_EACH(steps)
ON_EACH(events)

/* Everything that stores and loads, to and from one watched place: a report for each. */
GUEST(stores, "	mov $0x20000, %ebx\n"
	      "	mov $300, %ebp\n"
	      "1:	movb $1, (%rbx)\n"
	      "	movw $2, -1(%rbx)\n"
	      "	movl $3, -3(%rbx)\n"
	      "	movq $4, -7(%rbx)\n"
	      "	addl $5, (%rbx)\n"
	      "	lock incl (%rbx)\n"
	      "	xchg %eax, (%rbx)\n"
	      "	lock cmpxchg %ecx, (%rbx)\n"
	      "	movups %xmm0, -15(%rbx)\n"
	      "	fnstcw (%rbx)\n"
	      "	lea 8(%rbx), %rsp\n"
	      "	push %rax\n"
	      "	lea -4(%rbx), %rdi\n"
	      "	mov $8, %ecx\n"
	      "	rep stosb\n"
	      "	mov %rbx, %rdi\n"
	      "	stosl\n"
	      "	sets (%rbx)\n"
	      "	dec %ebp\n"
	      "	jnz 1b\n"
	      "	hlt");
enum { NR_STORES = 14 };

static void all_stores(const struct engine *en)
{
	const struct watch_point point = {.addr = DATA, .len = 1, .on = WATCH_WRITE};
	struct box b;

	box_new(&b, en, stores, stores_end);
	b.v->cr4 |= CR4_OSFXSR;
	cr_assert_eq(cpus_watch(b.cpus, &point, 1), 0);
	for (unsigned n = 0; n < 6 * NR_STORES; n++) {
		cr_assert(next(&b));
		cr_expect_eq(b.v->gpr[RBP], 300 - n / NR_STORES, "store %u", n % NR_STORES);
	}
	cr_assert_eq(cpus_watch(b.cpus, NULL, 0), 0);
	cr_expect_not(next(&b));
	box_free(&b);
}
ON_EACH(all_stores)

/* A step executes the instruction, and not the first one of an interrupt's handler. */
Test(debug, steps_hold_interrupts)
{
	struct box b;
	struct watch_hit hit;

	box_new(&b, &engine_interp, work, work_end);
	rflags_set(b.v, FL_IF);
	b.vector = 0x40;
	poke(b.s, IDT + 0x40 * 16, gate(CODE64, TEXT + (uint32_t)(work_ret - work), 0x8e, 0), 8);
	cpus_set_intr(b.cpus, 0, true);
	cpus_nmi(b.cpus, 0);
	for (unsigned n = 0; n < 3; n++) {
		cr_assert_eq(cpus_step(b.cpus, 0, &hit), 0);
		cr_expect_eq(b.vector, 0x40);
	}
	cr_expect_eq(b.v->rip, AT(work_top));
	box_free(&b);
}

/* A breakpoint is met by whichever mapping code is reached, if it is physical. */
Test(debug, physical_breakpoints)
{
	const struct watch_point points[] = {exec_at(AT(work_top), true),
					     exec_at(AT(work_back), false)};
	struct box b;

	box_new(&b, &engine_interp, work, work_end);
	b.v->rip += ALIAS;
	cr_assert_eq(cpus_watch(b.cpus, points, 2), 0);
	for (unsigned n = 0; n < 5; n++) {
		cr_assert(next(&b));
		cr_expect_eq(b.hit.point, 0u);
		cr_expect_eq(b.v->rip, AT(work_top) + ALIAS);
	}
	box_free(&b);
}

/* One by linear address is not met where other code is the same memory, and is met after that has run translated. */
static void aliases(const struct engine *en)
{
	const struct watch_point points[] = {exec_at(AT(work_back) + ALIAS, false),
					     exec_at(AT(work_ret), false)};
	struct box b;

	box_new(&b, en, work, work_end);
	cr_assert_eq(cpus_watch(b.cpus, points, 1), 0);
	cr_expect_not(next(&b), "the loop is in the other mapping");
	cr_expect_eq(b.v->gpr[RBP], 0u);
	for (unsigned n = 0; n < 3; n++) {
		b.v->activity = ACT_RUNNING;
		b.v->rip = AT(work_top) + ALIAS;
		b.v->gpr[RBP] = ROUNDS;
		cr_assert(next(&b), "%u", n);
		cr_expect_eq(b.v->rip, AT(work_back) + ALIAS);
		b.v->rip -= ALIAS;
		b.v->gpr[RBP] = ROUNDS;
		cr_expect_not(next(&b));
	}
	/* The same page is watched in both, elsewhere. */
	cr_assert_eq(cpus_watch(b.cpus, points, 2), 0);
	for (unsigned n = 0; n < 6; n++) {
		bool alias = n % 2;

		b.v->activity = ACT_RUNNING;
		b.v->rip = AT(work_top) + (alias ? ALIAS : 0);
		b.v->gpr[RBP] = ROUNDS;
		cr_assert(next(&b), "%u", n);
		cr_expect_eq(b.v->rip, alias ? AT(work_back) + ALIAS : AT(work_ret));
	}
	box_free(&b);
}

Test(debug, aliases)
{
	aliases(&engine_interp);
	if (!engine_jit.unusable())
		aliases(&engine_jit);
}

/* The user may ask for another engine meanwhile: it comes afterwards. */
Test(debug, engines_are_asked_for_meanwhile)
{
	const struct watch_point point = exec_at(AT(work_top), false);
	struct box b;

	need(&engine_kvm);
	need(&engine_jit);
	box_new(&b, &engine_kvm, work, work_end);
	cr_assert_eq(cpus_watch(b.cpus, &point, 1), 0);
	cr_assert(next(&b));
	cr_assert_eq(cpus_set_engine(b.cpus, &engine_interp), 0);
	cr_assert(next(&b));
	cr_expect_eq(cpus_on(b.cpus, 0), &engine_interp);
	cr_assert_eq(cpus_set_engine(b.cpus, &engine_kvm), 0);
	cr_assert(next(&b));
	cr_expect_neq(cpus_on(b.cpus, 0), &engine_kvm);
	cpus_flush_tlb(b.cpus);
	cr_assert(next(&b));
	cr_expect_neq(cpus_on(b.cpus, 0), &engine_kvm);
	finish(&b);
	cr_expect_eq(cpus_on(b.cpus, 0), &engine_kvm);
	box_free(&b);
}

Test(debug, bad_points)
{
	const struct watch_point bad[] = {{.addr = 1, .len = 0, .on = WATCH_READ},
					  {.addr = 1, .len = 1},
					  {.addr = ~0ull, .len = 2, .on = WATCH_READ}};
	struct box b;

	box_new(&b, &engine_interp, work, work_end);
	for (unsigned n = 0; n < 3; n++)
		cr_expect_eq(cpus_watch(b.cpus, &bad[n], 1), -EINVAL);
	box_free(&b);
}

/* Thousands around the one that counts: in the same page, in others, and data beside the data. */
Test(debug, many_points)
{
	enum { MANY = 10000 };
	static struct watch_point many[2 * MANY + 2];
	struct box b;
	unsigned found = 0;

	for (unsigned n = 0; n < MANY; n++) {
		many[n] = exec_at(0x100000 + n * 7, false);
		many[MANY + n] = (struct watch_point){
		    .addr = 0x30000 + n * 24, .len = 16, .on = WATCH_WRITE, .physical = n & 1};
	}
	many[2 * MANY] = exec_at(TEXT + (work_back - work), false);
	many[2 * MANY + 1] = (struct watch_point){.addr = DATA, .len = 8, .on = WATCH_WRITE};
	box_new(&b, &engine_interp, work, work_end);
	cr_assert_eq(cpus_watch(b.cpus, many, 2 * MANY + 2), 0);
	for (unsigned n = 0; n < 20; n++) {
		cr_assert(next(&b));
		cr_expect_geq(b.hit.point, 2u * MANY);
		found |= 1 << (b.hit.point & 1);
	}
	cr_expect_eq(found, 3u);
	cr_assert_eq(cpus_watch(b.cpus, NULL, 0), 0);
	finish(&b);
	box_free(&b);
}

/* What is called does all the work; the last instruction of it is a return. */
GUEST(leaf, "	mov $0x7000, %esp\n"
	    "leaf_top:\n"
	    "	call 1f\n"
	    "	jmp leaf_top\n"
	    "	.org leaf + 0x800\n"
	    "1:	.rept 250\n"
	    "	imul %rax, %rax\n"
	    "	.endr\n"
	    "	ret");
/* What calls does, by one instruction. */
GUEST(clear, "	mov $0x7000, %esp\n"
	     "clear_top:\n"
	     "	mov $0x20000, %edi\n"
	     "	mov $0x1000, %ecx\n"
	     "	rep stosb\n"
	     "	call 1f\n"
	     "	jmp clear_top\n"
	     "	.org clear + 0x800\n"
	     "1:	ret");

/* Of 100 pauses, how many find the vCPU in what is called. */
static unsigned pauses_in_callee(const struct engine *en, const char *code, const char *end)
{
	struct box b;
	unsigned found = 0;

	box_new(&b, en, code, end);
	for (unsigned n = 0; n < 100; n++) {
		cpus_resume(b.cpus);
		pass_time();
		cpus_pause(b.cpus);
		found += cpus_last_rip(b.cpus, 0) >= TEXT + 0x800;
	}
	box_free(&b);
	return found;
}

/* A pause is noticed at the return, but the place is known all the same. */
Test(debug, last_rip)
{
	static const struct engine *const soft[] = {&engine_interp, &engine_jit};

	for (unsigned k = 0; k < 2; k++) {
		if (soft[k]->unusable())
			continue;
		cr_expect_gt(pauses_in_callee(soft[k], leaf, leaf_end), 60u, "%s", soft[k]->name);
		cr_expect_lt(pauses_in_callee(soft[k], clear, clear_end), 40u, "%s", soft[k]->name);
	}
}

struct seen {
	uint64_t insns, branches, stores;
	bool bad;
};

static void on_event(void *opaque, unsigned cpu, const struct vcpu *v, const struct watch_event *ev)
{
	struct seen *seen = opaque;

	seen->insns += ev->on == WATCH_INSN;
	seen->branches += ev->on == WATCH_BRANCH;
	seen->bad |= cpu != 0 || !ev->insn || v->gpr[RSP] > 0x7000;
	if (ev->on == WATCH_BRANCH && ev->rip == AT(work_ret))
		seen->bad |= ev->next != AT(work_back);
}

/* Each instruction is told of once, beside points, and the guest does what it does without. */
static void trace(const struct engine *en)
{
	struct seen seen = {0};
	const struct watch_trace steps = {WATCH_STEPS, on_event, &seen};
	const struct watch_point point = exec_at(AT(work_back), false);
	struct box b;

	box_new(&b, en, work, work_end);
	cr_assert_eq(cpus_trace(b.cpus, &steps), 0);
	cr_assert_eq(cpus_watch(b.cpus, &point, 1), 0);
	b.pass = ROUNDS - 1;
	cr_assert(next(&b));
	cr_expect_eq(seen.insns, 3 + 7 * ROUNDS - 2, "%s: %lu", en->name, seen.insns);
	cr_expect_eq(seen.branches, 3 * ROUNDS - 1, "%s: %lu", en->name, seen.branches);
	cr_expect_not(seen.bad);
	cr_assert_eq(cpus_trace(b.cpus, NULL), 0);
	cr_assert_eq(cpus_watch(b.cpus, NULL, 0), 0);
	finish(&b);
	cr_expect_eq(seen.insns, 3 + 7 * ROUNDS - 2, "nothing after its end");
	box_free(&b);
}

ON_EACH(trace)
