/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Programs that hop between engines end as without: the guest asks for the next engine by an OUT, so that
 * it moves with registers, flags, x87 and SSE state in the middle of things.
 */
#include <stdatomic.h>
#include <time.h>

#include "accel/cpus.h"
#include "accel/engine.h"
#include "accel/kvm/kvm.h"
#include "accel/probe/kvm_probe.h"
#include "cpu/fxstate.h"
#include "synth.h"

#define GUEST(name, text)                                                                          \
	extern const char name[], name##_end[];                                                    \
	__asm__(".pushsection .rodata\n" #name ":\n" text "\n" #name "_end:\n.popsection")

/* Integer, string, x87 and SSE work in turn, with an OUT wherever there is something to lose. */
GUEST(mixed, "	mov $300, %ebp\n"
	     "	fninit\n"
	     "	fld1\n"
	     "	movabs $0x9e3779b97f4a7c15, %rbx\n"
	     "	movq %rbx, %xmm0\n"
	     "1:	imul %rbx, %rax\n"
	     "	add $0x1234567, %rax\n"
	     "	out %al, $0x80\n"
	     "	rcl $7, %rdx\n"
	     "	adc %rdx, %r8\n"
	     "	push %r8\n"
	     "	out %al, $0x80\n"
	     "	pop %r9\n"
	     "	fldpi\n"
	     "	fmulp\n"
	     "	out %al, $0x80\n"
	     "	fsqrt\n"
	     "	paddq %xmm0, %xmm1\n"
	     "	out %al, $0x80\n"
	     "	pxor %xmm1, %xmm0\n"
	     "	lea 0x20000, %rdi\n"
	     "	mov $32, %ecx\n"
	     "	rep stosq\n"
	     "	cmp %rax, %rbx\n"
	     "	out %al, $0x80\n"
	     "	setb %r10b\n"
	     "	std\n"
	     "	out %al, $0x80\n"
	     "	cld\n"
	     "	dec %ebp\n"
	     "	jnz 1b\n"
	     "	hlt");

/* Writes its own code in one engine and runs it in another. */
GUEST(smc, "	mov $200, %ebp\n"
	   "1:	incb 2f+1(%rip)\n"
	   "	out %al, $0x80\n"
	   "2:	mov $0, %cl\n"
	   "	movzbl %cl, %ecx\n"
	   "	add %ecx, %ebx\n"
	   "	rol $3, %rbx\n"
	   "	out %al, $0x80\n"
	   "	dec %ebp\n"
	   "	jnz 1b\n"
	   "	hlt");

/* The same with a third engine between: code of the third is written by the first alone. */
GUEST(smc_between, "	mov $200, %ebp\n"
		   "1:	incb 2f+1(%rip)\n"
		   "	out %al, $0x80\n"
		   "	add %ecx, %ebx\n"
		   "	out %al, $0x80\n"
		   "2:	mov $0, %cl\n"
		   "	movzbl %cl, %ecx\n"
		   "	add %ecx, %ebx\n"
		   "	rol $3, %rbx\n"
		   "	out %al, $0x80\n"
		   "	dec %ebp\n"
		   "	jnz 1b\n"
		   "	hlt");

/* All that CPUID says, into memory; each engine starts a leaf. */
GUEST(cpuids, "	lea 0x20000, %rdi\n"
	      "	xor %esi, %esi\n"
	      "1:	mov %esi, %ebp\n"
	      "	shr $3, %ebp\n"
	      "	btr $5, %ebp\n"
	      "	jnc 2f\n"
	      "	or $0x80000000, %ebp\n"
	      "2:	out %al, $0x80\n"
	      "	mov %ebp, %eax\n"
	      "	mov %esi, %ecx\n"
	      "	and $7, %ecx\n"
	      "	cpuid\n"
	      "	mov %eax, (%rdi)\n"
	      "	mov %ebx, 4(%rdi)\n"
	      "	mov %ecx, 8(%rdi)\n"
	      "	mov %edx, 12(%rdi)\n"
	      "	add $16, %rdi\n"
	      "	inc %esi\n"
	      "	cmp $512, %esi\n"
	      "	jb 1b\n"
	      "	hlt");

/* Without pages of 1 GiB, which not every model has. */
static void enter_long_2m(struct synth *s)
{
	enter_long(s, 0);
	poke(s, 0x5000, 0x10007, 8);
	poke(s, 0x10000, 0x87, 8);
}

struct box {
	struct synth *s;
	struct aspace io;
	struct cpus *cpus;
	const struct engine *const *order; /* ends with NULL; NULL: stay */
	unsigned next, period, outs;
};

/* On the vCPU's thread: engines are there already, so nothing is made. */
static void on_out(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct box *b = dev;

	(void)off;
	(void)val;
	(void)size;
	if (!b->order || ++b->outs % b->period)
		return;
	if (!b->order[++b->next])
		b->next = 0;
	cr_assert_eq(cpus_set_engine(b->cpus, b->order[b->next]), 0);
}

static const struct mmio_ops out_ops = {.write = on_out, .min_size = 1, .max_size = 4};

/* Small guests run on a KVM that is too slow for others. */
static const char *missing(const struct engine *en)
{
	return en == &engine_kvm ? kvm_missing() : en->unusable();
}

static void box_run(struct box *b, const char *code, const char *end,
		    const struct engine *const *order, unsigned period)
{
	struct synth *s = synth_new("qemu64");
	struct vcpu *v;

	memset(b, 0, sizeof(*b));
	b->s = s;
	b->period = period;
	if (!missing(&engine_kvm))
		cr_assert_eq(engine_kvm.fit(&s->model), 0);
	aspace_init(&b->io, "io", 16, NULL);
	cr_assert_eq(aspace_map_dev(&b->io, "hop", 0x80, 1, &out_ops, b), 0);
	s->bus.io = &b->io;
	enter_long_2m(s);
	s->c.v.cr4 |= CR4_OSFXSR;
	memcpy(s->ram.host + TEXT, code, (size_t)(end - code));
	cr_assert_eq(cpus_new(&b->cpus, order ? order[0] : &engine_interp,
			      &(struct engine_config){.hot = 1}, &s->model, &s->bus, 1),
		     0);
	for (unsigned n = 0; order && order[n]; n++)
		cr_assert_eq(cpus_prepare(b->cpus, order[n]), 0);
	b->order = order;
	v = cpus_state(b->cpus, 0);
	*v = s->c.v;
	cpus_resume(b->cpus);
	for (unsigned n = 0; n < 5000; n++) {
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		if (n % 16)
			continue;
		cpus_pause(b->cpus);
		if (v->activity == ACT_HALTED)
			break;
		cpus_resume(b->cpus);
	}
	cr_assert_eq(v->activity, ACT_HALTED, "activity %u at %lx", v->activity, v->rip);
}

static void box_free(struct box *b)
{
	cpus_free(b->cpus);
	synth_free(b->s);
}

static void same(struct box *a, struct box *b)
{
	const struct vcpu *x = cpus_state(a->cpus, 0), *y = cpus_state(b->cpus, 0);
	uint8_t fx[2][512] = {{0}};

	cr_expect_arr_eq(x->gpr, y->gpr, sizeof(x->gpr));
	cr_expect_eq(rflags_get(x), rflags_get(y), "%lx %lx", rflags_get(x), rflags_get(y));
	for (unsigned n = 0; n < NR_SREGS; n++) {
		const struct segment *p = &x->seg[n], *q = &y->seg[n];
		cr_expect(p->sel == q->sel && p->attr == q->attr && p->limit == q->limit &&
			      p->base == q->base,
			  "segment %u: %x %x %x, %x %x %x", n, p->sel, p->attr, p->limit, q->sel,
			  q->attr, q->limit);
	}
	cr_expect(x->cr0 == y->cr0 && x->cr3 == y->cr3 && x->cr4 == y->cr4 && x->efer == y->efer);
	cr_expect(x->tr.attr == y->tr.attr && x->ldtr.attr == y->ldtr.attr);
	cr_expect(x->dr6 == y->dr6 && x->dr7 == y->dr7);
	cr_expect(x->pat == y->pat && x->misc_enable == y->misc_enable);
	/* Pointers to the last x87 instruction are the host's to keep. */
	fx_pack(fx[0], x, FX_64);
	fx_pack(fx[1], y, FX_64);
	memset(fx[0] + 6, 0, 18);
	memset(fx[1] + 6, 0, 18);
	cr_expect_arr_eq(fx[0], fx[1], sizeof(fx[0]));
	cr_expect(!memcmp(a->s->ram.host, b->s->ram.host, 1 << 20), "RAM differs");
}

static void hop_and_compare(const char *code, const char *end, const struct engine *const *order)
{
	for (unsigned period = 1; period <= 7; period += 3) {
		struct box a, b;

		box_run(&a, code, end, NULL, 1);
		box_run(&b, code, end, order, period);
		same(&a, &b);
		cr_expect_gt(b.next + b.outs, 0u);
		box_free(&a);
		box_free(&b);
	}
}

static const struct engine *const soft[] = {&engine_interp, &engine_jit, NULL};
static const struct engine *const all[] = {&engine_interp, &engine_kvm, &engine_jit, &engine_kvm,
					   NULL};
static const struct engine *const around[] = {&engine_kvm, &engine_jit, &engine_interp, NULL};
static const struct engine *const kvm_only[] = {&engine_kvm, NULL};

static void need(const struct engine *const *order)
{
	for (unsigned n = 0; order[n]; n++)
		if (missing(order[n]))
			cr_skip_test("%s cannot run here: %s", order[n]->name, missing(order[n]));
}

TestSuite(hop, .timeout = 120);

#define HOPS(name, program, order)                                                                 \
	Test(hop, name)                                                                            \
	{                                                                                          \
		need(order);                                                                       \
		hop_and_compare(program, program##_end, order);                                    \
	}

HOPS(software, mixed, soft)
HOPS(software_modified_code, smc, soft)
HOPS(kvm_alone, mixed, kvm_only)
HOPS(kvm_modified_code_alone, smc, kvm_only)
HOPS(every_engine, mixed, all)
HOPS(every_engine_modified_code, smc, all)
HOPS(modified_code_two_hops_away, smc_between, around)

/* A software KVM shows the host's features whatever it is told. */
Test(hop, kvm_cpuid)
{
	need(kvm_only);
	if (kvm_probe_unusable())
		cr_skip_test("%s", kvm_probe_unusable());
	hop_and_compare(cpuids, cpuids_end, kvm_only);
}

/* With the A20 gate closed KVM cannot have the memory map: the guest goes on elsewhere, and comes back. */
GUEST(spin, "1:	incl 0x20000\n"
	    "	jmp 1b");

static bool comes_to(struct cpus *c, const struct engine *en)
{
	for (unsigned n = 0; n < 5000 && cpus_on(c, 0) != en; n++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	return cpus_on(c, 0) == en;
}

static void on_map(void *opaque)
{
	struct box *b = opaque;

	cpus_flush_tlb(b->cpus);
}

Test(hop, a20_gate)
{
	struct box b = {.s = synth_new("qemu64")};
	struct synth *s = b.s;

	need(kvm_only);
	cr_assert_eq(engine_kvm.fit(&s->model), 0);
	aspace_init(&b.io, "io", 16, NULL);
	s->bus.io = &b.io;
	enter_long_2m(s);
	memcpy(s->ram.host + TEXT, spin, (size_t)(spin_end - spin));
	cr_assert_eq(
	    cpus_new(&b.cpus, &engine_kvm, &(struct engine_config){0}, &s->model, &s->bus, 1), 0);
	*cpus_state(b.cpus, 0) = s->c.v;
	cr_assert_eq(aspace_listen(&s->mem, on_map, &b), 0);
	cpus_resume(b.cpus);
	for (unsigned n = 0; n < 20; n++) {
		uint64_t count;

		aspace_set_a20(&s->mem, false);
		cr_assert(comes_to(b.cpus, engine_jit.unusable() ? &engine_interp : &engine_jit));
		count = peek(s, 0x20000, 4);
		for (unsigned k = 0; k < 5000 && peek(s, 0x20000, 4) == count; k++)
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		cr_expect_neq(peek(s, 0x20000, 4), count);
		aspace_set_a20(&s->mem, true);
		cr_assert(comes_to(b.cpus, &engine_kvm));
	}
	cr_expect_gt(cpus_hops(b.cpus, FAIL_MEMORY), 0u);
	box_free(&b);
}
