/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Runs the probe's guest (kvm_guest.S) on a KVM that is not trusted: each check starts from a state of
 * its own, so that none depends on how the one before ended, and a timer ends a KVM_RUN that does
 * not return by itself. All this happens in a child process (kvm_probe.c), which the parent kills if
 * even that fails.
 */
#include "accel/host_time.h"
#include "accel/probe/kvm_guest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "accel/probe/kvm_probe.h"

#define NS_PER_MS   1000000ull
#define TICK_US     5000 /* an entry must fit, on a host that is emulated itself */
#define CHECK_NS    (150 * NS_PER_MS)
#define ALL_NS      (900 * NS_PER_MS) /* the parent waits longer */
#define MAX_EXITS   10000
#define LOOP_INSNS  4   /* of an iteration of kvm_guest_loop */
#define LOOP_SHORT  200 /* under 1 ms at 1 us an instruction */
#define LOOP_LONG   100000
#define SHORT_PS    100000 /* more than this: the short loop says enough */
#define EXITS_TIMED 32
/* Kernel code on a processor runs as fast as here; interpreted it is hundreds of times slower. */
#define SLOW_RATIO 20
#define SLOW_PS    5000

#define CPUID_ENTRIES 128

struct
try {
	int kvm, vm, cpu;
	uint8_t *ram;
	struct kvm_run *run;
	size_t run_size;
	struct kvm_sregs reset;
	struct kvm_probe *p;
	uint64_t deadline;
	_Alignas(struct kvm_cpuid2) uint8_t
	    cpuid[sizeof(struct kvm_cpuid2) + CPUID_ENTRIES * sizeof(struct kvm_cpuid_entry2)];
};

enum start { START_REAL, START_KERNEL, START_USER };

static uint64_t at(const uint8_t *label)
{
	return (uint64_t)(label - kvm_guest_start) + GUEST_CODE;
}

/* ---- memory ---- */

static void put64(struct try *t, unsigned gpa, uint64_t v)
{
	memcpy(t->ram + gpa, &v, sizeof(v));
}

static void put_gate(struct try *t, unsigned vector, const uint8_t *handler, unsigned dpl)
{
	uint64_t to = at(handler);

	put64(t, GUEST_IDT + vector * 16,
	      (to & 0xffff) | SEL_KCODE << 16 | (uint64_t)(0x8e | dpl << 5) << 40 | to >> 16 << 48);
}

static void fill(struct try *t)
{
	size_t len = (size_t)(kvm_guest_end - kvm_guest_start);

	memset(t->ram, 0, GUEST_SIZE);
	memcpy(t->ram + GUEST_CODE, kvm_guest_start, len);
	put64(t, GUEST_PML4, GUEST_PDPT | 7);
	put64(t, GUEST_PDPT, GUEST_PD | 7);
	put64(t, GUEST_PD, 0 | 0x87);
	put64(t, GUEST_GDT + SEL_KCODE, 0x00af9b000000ffff);
	put64(t, GUEST_GDT + SEL_KDATA, 0x00cf93000000ffff);
	put64(t, GUEST_GDT + 0x18, 0x00cffb000000ffff);
	put64(t, GUEST_GDT + (SEL_UDATA & ~3), 0x00cff3000000ffff);
	put64(t, GUEST_GDT + (SEL_UCODE & ~3), 0x00affb000000ffff);
	put64(t, GUEST_GDT + SEL_TSS, 0x00008b0000000067 | (uint64_t)GUEST_TSS << 16);
	put64(t, GUEST_GDT + SEL_CODE32, 0x00cf9b000000ffff);
	put64(t, GUEST_TSS + 4, GUEST_RSP0);
	for (unsigned n = 0; n < 32; n++)
		put_gate(t, n, kvm_guest_stubs + 16 * n, 0);
	put_gate(t, 14, kvm_guest_on_fault, 0);
	put_gate(t, VEC_IRQ, kvm_guest_on_irq, 0);
	put_gate(t, VEC_INT, kvm_guest_on_int, 0);
	put_gate(t, VEC_USER, kvm_guest_on_user, 3);
}

/* ---- the vCPU ---- */

static void open_vm(struct try *t)
{
	struct kvm_userspace_memory_region mem = {.memory_size = GUEST_SIZE};
	int size;

	t->vm = ioctl(t->kvm, KVM_CREATE_VM, 0);
	if (t->vm < 0)
		goto fail;
	/* Intel processors that cannot run real mode borrow pages for it; others refuse, which is fine. */
	ioctl(t->vm, KVM_SET_TSS_ADDR, 0xfffbd000ul);
	t->ram = mmap(NULL, GUEST_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (t->ram == MAP_FAILED)
		goto fail;
	mem.userspace_addr = (uintptr_t)t->ram;
	if (ioctl(t->vm, KVM_SET_USER_MEMORY_REGION, &mem) < 0)
		goto fail;
	t->cpu = ioctl(t->vm, KVM_CREATE_VCPU, 0ul);
	size = ioctl(t->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (t->cpu < 0 || size < 0)
		goto fail;
	t->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, t->cpu, 0);
	if (t->run == MAP_FAILED)
		goto fail;
	t->run_size = (size_t)size;
	((struct kvm_cpuid2 *)t->cpuid)->nent = CPUID_ENTRIES;
	if (ioctl(t->kvm, KVM_GET_SUPPORTED_CPUID, t->cpuid) < 0 ||
	    ioctl(t->cpu, KVM_SET_CPUID2, t->cpuid) < 0 ||
	    ioctl(t->cpu, KVM_GET_SREGS, &t->reset) < 0)
		goto fail;
	t->p->verdict = PROBE_USABLE;
	return;
fail:
	t->p->verdict = PROBE_NO_VM;
	t->p->error = errno;
}

static struct kvm_segment flat(unsigned selector, bool code)
{
	return (struct kvm_segment){.limit = 0xffffffff,
				    .selector = (uint16_t)selector,
				    .type = code ? 11 : 3,
				    .present = 1,
				    .dpl = selector & 3,
				    .db = !code,
				    .s = 1,
				    .l = code,
				    .g = 1};
}

static void to_long_mode(struct kvm_sregs *s, bool user)
{
	s->cs = flat(user ? SEL_UCODE : SEL_KCODE, true);
	s->ss = flat(user ? SEL_UDATA : SEL_KDATA, false);
	s->ds = s->es = s->fs = s->gs = s->ss;
	s->tr = (struct kvm_segment){
	    .base = GUEST_TSS, .limit = 0x67, .selector = SEL_TSS, .type = 11, .present = 1};
	s->ldt = (struct kvm_segment){.unusable = 1};
	s->gdt.base = GUEST_GDT;
	s->gdt.limit = 0x47;
	s->idt.base = GUEST_IDT;
	s->idt.limit = 0x7f * 16 + 15;
	s->cr0 = 0x80010033;
	s->cr3 = GUEST_PML4;
	s->cr4 = 0x620;
	s->efer = 0x501;
}

static void to_real_mode(struct kvm_sregs *s)
{
	struct kvm_segment *const segs[] = {&s->cs, &s->ds, &s->es, &s->ss};

	for (unsigned n = 0; n < 4; n++) {
		segs[n]->base = GUEST_CODE;
		segs[n]->selector = GUEST_CODE >> 4;
	}
}

static int set_state(struct try *t, const uint8_t *entry, enum start start, uint64_t count)
{
	struct kvm_sregs s = t->reset;
	struct kvm_regs r = {.rip = at(entry), .rsp = GUEST_RSP0, .rflags = 2, .rcx = count};
	struct kvm_vcpu_events none;

	if (start == START_REAL) {
		to_real_mode(&s);
		r.rip -= GUEST_CODE;
		r.rsp = 0xfff0;
	} else {
		to_long_mode(&s, start == START_USER);
	}
	if (start == START_USER) {
		r.rsp = GUEST_STACK;
		r.rflags = 0x3002;
	}
	fill(t);
	/* What the check before left unfinished: an exception on its way, an exit half done. */
	if (ioctl(t->cpu, KVM_GET_VCPU_EVENTS, &none) == 0) {
		memset(&none.exception, 0, sizeof(none.exception));
		memset(&none.interrupt, 0, sizeof(none.interrupt));
		memset(&none.nmi, 0, sizeof(none.nmi));
		ioctl(t->cpu, KVM_SET_VCPU_EVENTS, &none);
	}
	t->run->request_interrupt_window = 0;
	if (ioctl(t->cpu, KVM_SET_SREGS, &s) < 0 || ioctl(t->cpu, KVM_SET_REGS, &r) < 0)
		return -errno;
	return 0;
}

/* ---- exits ---- */

struct result {
	enum probe_outcome outcome;
	uint32_t detail;
};

/* What devices would do. Returns whether the check is over. */
static bool on_io(struct try *t, uint32_t *echo, struct result *res)
{
	struct kvm_run *run = t->run;
	uint64_t at = run->io.data_offset;
	uint32_t value = 0;

	if (at > t->run_size - sizeof(value) || run->io.size > sizeof(value) ||
	    run->io.count != 1) {
		*res = (struct result){OUTCOME_EXIT, run->exit_reason};
		return true;
	}
	if (run->io.direction == KVM_EXIT_IO_IN) {
		value = ~*echo;
		memcpy((uint8_t *)run + at, &value, run->io.size);
		return false;
	}
	memcpy(&value, (uint8_t *)run + at, run->io.size);
	switch (run->io.port) {
	case PORT_DONE:
		*res = (struct result){value == GUEST_PASS ? OUTCOME_PASS : OUTCOME_WRONG, value};
		return true;
	case PORT_FAULT:
		*res = (struct result){OUTCOME_FAULT, value};
		return true;
	case PORT_ECHO:
		*echo = value;
		return false;
	case PORT_READY:
		run->request_interrupt_window = 1;
		return false;
	}
	*res = (struct result){OUTCOME_WRONG, run->io.port};
	return true;
}

static bool on_mmio(struct try *t, uint64_t *echo, struct result *res)
{
	struct kvm_run *run = t->run;
	uint64_t value = 0;

	if (run->mmio.phys_addr - GUEST_MMIO > 8 || run->mmio.len > sizeof(value)) {
		*res = (struct result){OUTCOME_EXIT, KVM_EXIT_MMIO};
		return true;
	}
	if (run->mmio.is_write) {
		memcpy(&value, run->mmio.data, run->mmio.len);
		*echo = value;
	} else {
		value = ~*echo;
		memcpy(run->mmio.data, &value, run->mmio.len);
	}
	return false;
}

static bool inject(struct try *t, struct result *res)
{
	struct kvm_interrupt irq = {VEC_IRQ};

	t->run->request_interrupt_window = 0;
	if (ioctl(t->cpu, KVM_INTERRUPT, &irq) == 0)
		return false;
	*res = (struct result){OUTCOME_ERROR, (uint32_t)errno};
	return true;
}

static bool on_exit_reason(struct try *t, uint64_t echo[2], struct result *res)
{
	uint32_t echo32 = (uint32_t)echo[0];
	bool over;

	switch (t->run->exit_reason) {
	case KVM_EXIT_IO:
		over = on_io(t, &echo32, res);
		echo[0] = echo32;
		return over;
	case KVM_EXIT_MMIO:
		return on_mmio(t, &echo[1], res);
	case KVM_EXIT_HLT:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		return inject(t, res);
	case KVM_EXIT_INTERNAL_ERROR:
		*res = (struct result){OUTCOME_INTERNAL, t->run->internal.suberror};
		return true;
	case KVM_EXIT_INTR:
		return false;
	}
	*res = (struct result){OUTCOME_EXIT, t->run->exit_reason};
	return true;
}

static struct result run_guest(struct try *t)
{
	struct result res = {OUTCOME_HUNG, 0};
	uint64_t echo[2] = {0}, end = host_ns() + CHECK_NS;

	if (end > t->deadline)
		end = t->deadline;
	for (unsigned n = 0; n < MAX_EXITS; n++) {
		if (ioctl(t->cpu, KVM_RUN, 0) < 0) {
			if (errno != EINTR && errno != EAGAIN)
				return (struct result){OUTCOME_ERROR, (uint32_t)errno};
			t->p->slow_run++;
			if (host_ns() >= end)
				return res;
			continue;
		}
		if (on_exit_reason(t, echo, &res))
			return res;
	}
	return res;
}

/* ---- checks ---- */

static const struct {
	const uint8_t *entry;
	enum start start;
} checks[PROBE_NR_CHECKS] = {
    [CHECK_REAL] = {kvm_guest_real, START_REAL},
    [CHECK_MODES] = {kvm_guest_modes, START_REAL},
    [CHECK_PIO] = {kvm_guest_pio, START_KERNEL},
    [CHECK_MMIO] = {kvm_guest_mmio, START_KERNEL},
    [CHECK_HLT] = {kvm_guest_hlt, START_KERNEL},
    [CHECK_IRQ] = {kvm_guest_irq, START_KERNEL},
    [CHECK_INT] = {kvm_guest_int, START_KERNEL},
    [CHECK_USER_INT] = {kvm_guest_user_int, START_USER},
    [CHECK_FAULT] = {kvm_guest_fault, START_KERNEL},
    [CHECK_SYSCALL] = {kvm_guest_syscall, START_KERNEL},
    [CHECK_SSE] = {kvm_guest_sse, START_KERNEL},
    [CHECK_FXSAVE] = {kvm_guest_fxsave, START_KERNEL},
};

static void run_checks(struct try *t)
{
	for (unsigned n = 0; n < PROBE_NR_CHECKS; n++) {
		int r = set_state(t, checks[n].entry, checks[n].start, 0);
		struct result res =
		    r < 0 ? (struct result){OUTCOME_ERROR, (uint32_t)-r} : run_guest(t);

		t->p->check[n].outcome = res.outcome;
		t->p->check[n].detail = res.detail;
	}
}

/* ---- measurements ---- */

/* Nanoseconds for a run of entry with this count; 0: it failed. The best of a few. */
static uint64_t time_guest(struct try *t, const uint8_t *entry, enum start start, uint64_t count,
			   unsigned times)
{
	uint64_t best = 0;

	while (times--) {
		uint64_t from, ns;

		if (set_state(t, entry, start, count) < 0)
			return 0;
		from = host_ns();
		if (run_guest(t).outcome != OUTCOME_PASS)
			return 0;
		ns = host_ns() - from;
		if (!best || ns < best)
			best = ns;
	}
	return best;
}

static uint32_t share_ps(uint64_t more_ns, uint64_t less_ns, uint64_t n)
{
	uint64_t ps = more_ns > less_ns ? (more_ns - less_ns) * 1000 / n : 0;

	return ps > UINT32_MAX ? UINT32_MAX : ps ? (uint32_t)ps : 1;
}

/* The difference of two counts is free of the cost of entry and exit. */
static uint32_t insn_ps(struct try *t, enum start start)
{
	uint64_t one = time_guest(t, kvm_guest_loop, start, 1, 3);
	uint64_t some = time_guest(t, kvm_guest_loop, start, LOOP_SHORT, 2), many;
	uint32_t ps;

	if (!one || !some)
		return 0;
	ps = share_ps(some, one, LOOP_SHORT * LOOP_INSNS);
	if (ps > SHORT_PS)
		return ps;
	many = time_guest(t, kvm_guest_loop, start, LOOP_LONG, 3);
	return many ? share_ps(many, one, (uint64_t)LOOP_LONG * LOOP_INSNS) : 0;
}

/* The loop of kvm_guest_loop, here. */
static uint32_t host_ps(void)
{
	uint64_t best = UINT64_MAX;

	for (unsigned n = 0; n < 3; n++) {
		uint64_t from = host_ns(), ns;
		uint32_t a = 0, b = 0, count = LOOP_LONG;

		asm volatile("1: add $3, %0\n\t"
			     "xor %0, %1\n\t"
			     "dec %2\n\t"
			     "jnz 1b"
			     : "+r"(a), "+r"(b), "+r"(count)
			     :
			     : "cc");
		ns = host_ns() - from;
		best = ns < best ? ns : best;
	}
	return share_ps(best, 0, (uint64_t)LOOP_LONG * LOOP_INSNS);
}

static uint32_t exit_ns(struct try *t, const uint8_t *entry)
{
	uint64_t one = time_guest(t, entry, START_KERNEL, 1, 3);
	uint64_t some = time_guest(t, entry, START_KERNEL, 1 + EXITS_TIMED, 2);

	return one && some ? share_ps(some, one, EXITS_TIMED * 1000) : 0;
}

static void measure(struct try *t)
{
	struct kvm_probe *p = t->p;

	p->host_ps = host_ps();
	p->kernel_ps = insn_ps(t, START_KERNEL);
	p->user_ps = insn_ps(t, START_USER);
	p->pio_ns = exit_ns(t, kvm_guest_outs);
	p->mmio_ns = exit_ns(t, kvm_guest_stores);
}

static enum probe_verdict judge(const struct kvm_probe *p)
{
	uint64_t limit = (uint64_t)p->host_ps * SLOW_RATIO;

	if (limit < SLOW_PS)
		limit = SLOW_PS;
	/* Slowness first: it is the one thing that no later version repairs. */
	if (p->kernel_ps > limit)
		return PROBE_SLOW;
	for (unsigned n = 0; n < PROBE_NR_CHECKS; n++)
		if (p->check[n].outcome != OUTCOME_PASS)
			return PROBE_BROKEN;
	return p->kernel_ps ? PROBE_USABLE : PROBE_BROKEN;
}

/* ---- */

static void on_tick(int sig)
{
	(void)sig;
}

/* A signal ends KVM_RUN; that it repeats covers the one that comes just before. */
static void start_ticks(void)
{
	struct sigaction sa = {.sa_handler = on_tick};
	struct itimerval tick = {{0, TICK_US}, {0, TICK_US}};
	sigset_t set;

	sigaction(SIGALRM, &sa, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	setitimer(ITIMER_REAL, &tick, NULL);
}

void kvm_guest_try(int kvm, struct kvm_probe *p)
{
	struct try t = {.kvm = kvm, .vm = -1, .cpu = -1, .p = p};

	t.deadline = host_ns() + ALL_NS;
	open_vm(&t);
	if (p->verdict != PROBE_USABLE)
		return;
	p->verdict = PROBE_NO_ANSWER;
	start_ticks();
	run_checks(&t);
	measure(&t);
	p->verdict = judge(p);
}
