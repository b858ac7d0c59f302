/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Dirty logs: a copy that is kept up to date by what the log says ends like the memory that guests and
 * devices have written to, on each engine and while the guest hops; and nothing is said of memory that is
 * left alone.
 */
#include <pthread.h>
#include <time.h>

#include "accel/cpus.h"
#include "accel/engine.h"
#include "accel/kvm/kvm.h"
#include "mmu/dirty.h"
#include "synth.h"

#define GUEST(name, text)                                                                          \
	extern const char name[], name##_end[];                                                    \
	__asm__(".pushsection .rodata\n" #name ":\n" text "\n" #name "_end:\n.popsection")

enum { LOGGED = 0x20000, LOGGED_END = 0xa0000, STOP = 0x1f000, STOPPED = 0x1f008, PAGES = 128 };

/* Stores of several kinds at random in 20000h-9FFFFh until there is something at 1F000h; then it says so at 1F008h,
 * and none. */
GUEST(writer, "1:	imul $1664525, %rdx\n"
	      "	add $1013904223, %rdx\n"
	      "	mov %rdx, %rsi\n"
	      "	shr $13, %rsi\n"
	      "	and $0x7fff0, %esi\n"
	      "	inc %rbx\n"
	      "	mov %rbx, 0x20000(%rsi)\n"
	      "	lock addq $3, 0x20008(%rsi)\n"
	      "	push %rbx\n"
	      "	test $63, %bl\n"
	      "	jnz 2f\n"
	      "	lea 0x30000, %rsp\n"
	      "	and $0x3fff0, %esi\n"
	      "	lea 0x20000(%rsi), %edi\n"
	      "	mov $700, %ecx\n"
	      "	mov %rbx, %rax\n"
	      "	rep stosq\n"
	      "2:	cmpl $0, 0x1f000\n"
	      "	je 1b\n"
	      "	movl $1, 0x1f008\n"
	      "3:	jmp 3b");

struct box {
	struct synth *s;
	struct cpus *cpus;
	struct dirty_log log;
	uint8_t copy[LOGGED_END - LOGGED];
	uint64_t told;
};

static pthread_mutex_t machine = PTHREAD_MUTEX_INITIALIZER;

static const char *missing(const struct engine *en)
{
	return en == &engine_kvm ? kvm_missing() : en->unusable();
}

static void ms(unsigned n)
{
	nanosleep(&(struct timespec){.tv_nsec = n * 1000000l}, NULL);
}

static void box_init(struct box *b, const struct engine *const *order, unsigned nr_cpus)
{
	struct synth *s = synth_new("qemu64");

	memset(b, 0, sizeof(*b));
	b->s = s;
	if (!missing(&engine_kvm))
		cr_assert_eq(engine_kvm.fit(&s->model), 0);
	s->model.nr_cpus = nr_cpus;
	s->mem.dev_lock = &machine;
	enter_long(s, 0);
	poke(s, 0x5000, 0x10007, 8); /* pages of 2 MiB, which every model has */
	poke(s, 0x10000, 0x87, 8);
	memcpy(s->ram.host + TEXT, writer, (size_t)(writer_end - writer));
	for (unsigned n = 0; order && order[n]; n++) {
		if (n == 0)
			cr_assert_eq(cpus_new(&b->cpus, order[0], &(struct engine_config){.hot = 1},
					      &s->model, &s->bus, 1),
				     0);
		cr_assert_eq(cpus_prepare(b->cpus, order[n]), 0);
	}
	if (order) {
		*cpus_state(b->cpus, 0) = s->c.v;
		cpus_state(b->cpus, 0)->gpr[RSP] = 0x30000;
		cpus_state(b->cpus, 0)->rip = TEXT;
	}
	pthread_mutex_lock(&machine);
	cr_assert_eq(dirty_log_init(&b->log, &s->mem, &s->ram, LOGGED, LOGGED_END - LOGGED), 0);
	pthread_mutex_unlock(&machine);
}

static void box_free(struct box *b)
{
	pthread_mutex_lock(&machine);
	dirty_log_fini(&b->log);
	pthread_mutex_unlock(&machine);
	cpus_free(b->cpus);
	synth_free(b->s);
}

/* Takes over what has changed; how many pages that was. */
static uint64_t ask(struct box *b)
{
	const uint8_t *ram = b->s->ram.host + LOGGED;

	pthread_mutex_lock(&machine);
	uint64_t nr = dirty_log_ask(&b->log), seen = 0;
	for (unsigned off = 0; off < sizeof(b->copy); off += PAGE_SIZE)
		if (dirty_log_changed(&b->log, LOGGED + off, 1)) {
			memcpy(b->copy + off, ram + off, PAGE_SIZE);
			seen++;
		}
	pthread_mutex_unlock(&machine);
	cr_assert_eq(nr, seen);
	b->told += nr;
	return nr;
}

static void copied(const struct box *b)
{
	const uint8_t *ram = b->s->ram.host + LOGGED;

	for (unsigned off = 0; off < sizeof(b->copy); off += PAGE_SIZE)
		cr_assert(!memcmp(b->copy + off, ram + off, PAGE_SIZE), "page %x", LOGGED + off);
}

static void follow(const struct engine *const *order, unsigned nr_cpus)
{
	struct box *b = malloc(sizeof(*b));
	unsigned next = 0;

	for (unsigned n = 0; order[n]; n++)
		if (missing(order[n]))
			cr_skip_test("%s cannot run here: %s", order[n]->name, missing(order[n]));
	box_init(b, order, nr_cpus);
	cr_expect_eq(ask(b), PAGES);
	cpus_resume(b->cpus);
	for (unsigned round = 0; round < 30; round++) {
		for (unsigned n = 0; n < 10; n++) {
			if (n % 3 == 0)
				ms(1);
			ask(b);
			if (n % 4 == 3 && order[1]) {
				if (!order[++next])
					next = 0;
				cr_assert_eq(cpus_set_engine(b->cpus, order[next]), 0);
			}
		}
		/* Right after an answer: the last stores still go by what was before. */
		poke(b->s, STOP, 1, 4);
		for (unsigned n = 0; n < 20000 && !peek(b->s, STOPPED, 4); n++)
			ms(1);
		cr_assert(peek(b->s, STOPPED, 4));
		/* Who has been told all is soon told nothing. */
		unsigned left = 1000;
		while (ask(b) && --left)
			ms(1);
		cr_assert(left, "a guest that writes nothing");
		copied(b);
		cpus_pause(b->cpus);
		cpus_state(b->cpus, 0)->rip = TEXT;
		poke(b->s, STOP, 0, 4);
		poke(b->s, STOPPED, 0, 4);
		cpus_resume(b->cpus);
	}
	cr_expect_gt(b->told, 2u * PAGES);
	box_free(b);
	free(b);
}

TestSuite(dirty, .timeout = 60);

static const struct engine *const interp[] = {&engine_interp, NULL};
static const struct engine *const jit[] = {&engine_jit, NULL};
static const struct engine *const kvm[] = {&engine_kvm, NULL};
static const struct engine *const soft[] = {&engine_jit, &engine_interp, NULL};
static const struct engine *const all[] = {&engine_jit, &engine_kvm, &engine_interp, &engine_kvm,
					   NULL};

#define FOLLOW(order, cpus)                                                                        \
	Test(dirty, order##_model_of_##cpus)                                                       \
	{                                                                                          \
		follow(order, cpus);                                                               \
	}
/* With a single processor translated code does not look at flags. */
FOLLOW(interp, 1)
FOLLOW(jit, 1)
FOLLOW(jit, 2)
FOLLOW(kvm, 1)
FOLLOW(soft, 1)
FOLLOW(all, 1)

Test(dirty, devices_and_other_logs)
{
	static const uint8_t byte = 7;
	struct box *b = malloc(sizeof(*b));
	struct dirty_log part;
	struct aspace *mem;

	box_init(b, NULL, 1);
	mem = &b->s->mem;
	cr_assert_eq(dirty_log_init(&part, mem, &b->s->ram, 0x30000, 0x2000), 0);
	cr_expect_eq(ask(b), PAGES);
	cr_expect_eq(ask(b), 0);
	aspace_write(mem, 0x2fffe, ~0ull, 4); /* two pages */
	cr_expect_eq(aspace_dma_write(mem, 0x31000, &byte, 1), 0);
	aspace_write(mem, 0x1ffff, 1, 1);
	aspace_write(mem, 0xa0000, 1, 1);
	/* Each log has its own answer, whoever asked first. */
	cr_expect_eq(ask(b), 3);
	cr_expect(dirty_log_changed(&b->log, 0x2ffff, 1));
	cr_expect(!dirty_log_changed(&b->log, 0x2e000, 0x1000));
	cr_expect(dirty_log_changed(&b->log, 0x2e000, 0x1001));
	cr_expect(!dirty_log_changed(&b->log, 0, LOGGED));
	cr_expect(!dirty_log_changed(&b->log, 0x32000, ~0ull - 0x32000));
	copied(b);
	cr_expect_eq(dirty_log_ask(&part), 2);
	cr_expect(dirty_log_changed(&part, 0x31fff, 1));
	cr_expect_eq(dirty_log_ask(&part), 0);
	dirty_log_fini(&part);
	aspace_write(mem, 0x31000, 1, 1);
	cr_expect_eq(ask(b), 1);
	/* What a new log knows nothing of is told it, too. */
	cr_assert_eq(dirty_log_init(&part, mem, &b->s->ram, 0x30000, 0x2000), 0);
	cr_expect_eq(dirty_log_ask(&part), 2);
	cr_expect_eq(ask(b), 0);
	dirty_log_fini(&part);
	box_free(b);
	free(b);
}
