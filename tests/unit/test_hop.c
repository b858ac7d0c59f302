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
GUEST(mixed, "	mov $60, %ebp\n"
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
GUEST(smc, "	mov $50, %ebp\n"
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
GUEST(smc_between, "	mov $50, %ebp\n"
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

/* Vector n gets a gate to the label 8. */
#define GATE_TO_8(n)                                                                               \
	"	lea 8f(%rip), %rax\n"                                                                    \
	"	mov %ax, 0x2000 + 16 * " #n "\n"                                                   \
	"	movw $0x30, 0x2002 + 16 * " #n "\n" /* CODE64 */                                   \
	"	movw $0x8e00, 0x2004 + 16 * " #n "\n"                                              \
	"	shr $16, %eax\n"                                                                         \
	"	mov %eax, 0x2006 + 16 * " #n "\n"                                                  \
	"	movq $0, 0x2008 + 16 * " #n "\n"

/* To level 3, where software KVMs execute natively, with IOPL 3. */
#define TO_LEVEL_3                                                                                 \
	"	pushq $0x23\n" /* DATA3 */                                                         \
	"	pushq $0x7000\n"                                                                         \
	"	pushq $0x3002\n"                                                                         \
	"	pushq $0x7b\n" /* CODE64_3 */                                                      \
	"	lea 9f(%rip), %rax\n"                                                                    \
	"	push %rax\n"                                                                             \
	"	iretq\n"                                                                                 \
	"9:\n"

/* The upper halves go with the guest, also where they are clear and the processor would not save them. */
GUEST(avx, GATE_TO_8(6) "	mov %cr4, %rax\n"
			"	or $0x40600, %eax\n" /* OSXSAVE, OSXMMEXCPT, OSFXSR */
			"	mov %rax, %cr4\n"
			"	mov $7, %eax\n"
			"	xor %edx, %edx\n"
			"	xor %ecx, %ecx\n"
			"	xsetbv\n" TO_LEVEL_3 "	mov $30, %ebp\n"
			"	vzeroall\n"
			"	movabs $0x9e3779b97f4a7c15, %rbx\n"
			"	vmovq %rbx, %xmm0\n"
			"	vbroadcastsd %xmm0, %ymm15\n"
			"2:	vpaddq %ymm15, %ymm1, %ymm1\n"
			"	out %al, $0x80\n"
			"	vpermq $0x93, %ymm1, %ymm2\n"
			"	out %al, $0x80\n"
			"	vpxor %ymm2, %ymm3, %ymm3\n"
			"	vpsrlq $3, %ymm3, %ymm4\n"
			"	vzeroupper\n"
			"	out %al, $0x80\n"
			"	vpaddd %ymm4, %ymm15, %ymm15\n"
			"	vinserti128 $1, %xmm1, %ymm15, %ymm1\n"
			"	out %al, $0x80\n"
			"	vmovdqu %ymm1, 0x20000\n"
			"	vmovdqu 0x20008, %ymm3\n"
			"	vpmovmskb %ymm3, %r8d\n"
			"	add %r8, %r9\n"
			"	dec %ebp\n"
			"	jnz 2b\n"
			"	vmovdqu %ymm1, 0x20020\n"
			"	vmovdqu %ymm2, 0x20040\n"
			"	vmovdqu %ymm3, 0x20060\n"
			"	vmovdqu %ymm4, 0x20080\n"
			"	vmovdqu %ymm15, 0x200a0\n"
			"	ud2\n"
			"8:	hlt");

/* The guest debugs itself: a breakpoint, with more of DR7 watches for writes and accesses, and single steps, one of
 * them over `middle`. Each #DB is written down with DR6 and RIP. */
#define DEBUGS_ITSELF(name, dr7, middle)                                                           \
	GUEST(name, GATE_TO_8(1) "	lea 0x28000, %r15\n"                                            \
				 "	lea 2f(%rip), %rax\n"                                           \
				 "	mov %rax, %dr0\n"                                               \
				 "	mov $0x21000, %eax\n"                                           \
				 "	mov %rax, %dr1\n"                                               \
				 "	mov $0x21010, %eax\n"                                           \
				 "	mov %rax, %dr2\n"                                               \
				 "	mov $" dr7 ", %eax\n"                                      \
				 "	mov %rax, %dr7\n"                                               \
				 "	mov $20, %ebp\n"                                                \
				 "1:	out %al, $0x80\n"                                             \
				 "2:	nop\n"                                                        \
				 "	mov %ebp, 0x21000\n"                                            \
				 "	out %al, $0x80\n"                                               \
				 "	mov 0x21004, %eax\n"                                            \
				 "	mov 0x21014, %eax\n"                                            \
				 "	pushfq\n"                                                       \
				 "	orl $0x100, (%rsp)\n"                                           \
				 "	popfq\n"                                                        \
				 "	lea 1(%rax), %rax\n" middle "	pushfq\n"                    \
				 "	andl $~0x100, (%rsp)\n"                                         \
				 "	popfq\n"                                                        \
				 "	dec %ebp\n"                                                     \
				 "	jnz 1b\n"                                                       \
				 "	xor %eax, %eax\n"                                               \
				 "	mov %rax, %dr7\n"                                               \
				 "	hlt\n"                                                          \
				 "8:	push %rax\n"                                                  \
				 "	mov %dr6, %rax\n"                                               \
				 "	mov %eax, (%r15)\n"                                             \
				 "	mov 8(%rsp), %rax\n"                                            \
				 "	mov %eax, 4(%r15)\n"                                            \
				 "	add $8, %r15\n"                                                 \
				 "	orl $0x10000, 24(%rsp)\n" /* RF: go on at a breakpoint */  \
				 "	mov $0xffff0ff0, %eax\n"                                        \
				 "	mov %rax, %dr6\n"                                               \
				 "	pop %rax\n"                                                     \
				 "	iretq")
DEBUGS_ITSELF(steps_itself, "0x701", "	nop\n");
DEBUGS_ITSELF(debugs_itself, "0xbd00715", "	nop\n"); /* 4 bytes written, 8 accessed */
DEBUGS_ITSELF(steps_over_a_hop, "0xbd00715", "	out %al, $0x80\n");

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

static void box_run(struct box *b, const struct cpu_model *model, const char *code, const char *end,
		    const struct engine *const *order, unsigned period)
{
	struct synth *s = synth_new("qemu64");
	struct vcpu *v;

	memset(b, 0, sizeof(*b));
	b->s = s;
	b->period = period;
	s->model = *model;
	aspace_init(&b->io, "io", 16, NULL);
	cr_assert_eq(aspace_map_dev(&b->io, "hop", 0x80, 1, &out_ops, b), 0);
	s->bus.io = &b->io;
	enter_long_2m(s);
	s->c.v.cr4 |= CR4_OSFXSR;
	poke(s, TSS + 4, STACK0, 8);
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
	for (unsigned n = 0; n < 60000; n++) {
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

/* What the name stands for, without what KVM lacks where that takes part. */
static struct cpu_model model_for(const char *name, const struct engine *const *order)
{
	struct cpu_model m;
	char err[128];

	cr_assert_eq(cpu_model_parse(&m, name, err, sizeof(err)), 0, "%s", err);
	for (unsigned n = 0; order[n]; n++)
		if (order[n]->fit)
			cr_assert_eq(order[n]->fit(&m), 0);
	return m;
}

static void hop_and_compare_on(const struct cpu_model *m, const char *code, const char *end,
			       const struct engine *const *order)
{
	for (unsigned period = 1; period <= 7; period += 3) {
		struct box a, b;

		box_run(&a, m, code, end, NULL, 1);
		box_run(&b, m, code, end, order, period);
		same(&a, &b);
		cr_expect_gt(b.next + b.outs, 0u);
		box_free(&a);
		box_free(&b);
	}
}

static void hop_and_compare(const char *code, const char *end, const struct engine *const *order)
{
	const struct cpu_model m = model_for("qemu64", order);

	hop_and_compare_on(&m, code, end, order);
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
HOPS(software_debugged_by_itself, steps_over_a_hop, soft)
HOPS(kvm_stepped_by_itself, steps_itself, kvm_only)

static void need_real_kvm(void)
{
	if (kvm_probe_unusable())
		cr_skip_test("%s", kvm_probe_unusable());
}

/* tests/kvm/init says so. */
static void need_new_qemu(void)
{
	if (getenv("OLD_QEMU"))
		cr_skip_test("QEMU 7.2 loses XCR0 and debug registers between host and guest");
}

Test(hop, stepped_by_itself_on_every_engine)
{
	need(all);
	need_new_qemu();
	hop_and_compare(steps_itself, steps_itself_end, all);
}

/* A software KVM has no watches, and forgets TF in an OUT as KVM's emulator does. */
#define REAL_HOPS(name, program, order)                                                            \
	Test(hop, name)                                                                            \
	{                                                                                          \
		need(order);                                                                       \
		need_real_kvm();                                                                   \
		need_new_qemu();                                                                   \
		hop_and_compare(program, program##_end, order);                                    \
	}

REAL_HOPS(kvm_debugged_by_itself, debugs_itself, kvm_only)
REAL_HOPS(kvm_steps_over_exits, steps_over_a_hop, kvm_only)
REAL_HOPS(steps_over_hops, steps_over_a_hop, all)

static void hop_with_avx(const struct engine *const *order)
{
	need(order);
	if (order != soft)
		need_new_qemu();
	const struct cpu_model m = model_for("max", order);
	if (!cpu_has(&m, FEAT_AVX2))
		cr_skip_test("this KVM has no AVX2");
	hop_and_compare_on(&m, avx, avx_end, order);
}

Test(hop, software_avx)
{
	hop_with_avx(soft);
}

Test(hop, kvm_avx_alone)
{
	hop_with_avx(kvm_only);
}

Test(hop, avx_on_every_engine)
{
	hop_with_avx(all);
}

/* A software KVM shows the host's features whatever it is told. */
Test(hop, kvm_cpuid)
{
	need(kvm_only);
	need_real_kvm();
	hop_and_compare(cpuids, cpuids_end, kvm_only);
}

GUEST(spin, "1:	incl 0x20000\n"
	    "	jmp 1b");

/* A machine with that, on KVM. */
static void spin_on_kvm(struct box *b)
{
	struct synth *s = b->s = synth_new("qemu64");

	cr_assert_eq(engine_kvm.fit(&s->model), 0);
	aspace_init(&b->io, "io", 16, NULL);
	s->bus.io = &b->io;
	enter_long_2m(s);
	memcpy(s->ram.host + TEXT, spin, (size_t)(spin_end - spin));
	cr_assert_eq(
	    cpus_new(&b->cpus, &engine_kvm, &(struct engine_config){0}, &s->model, &s->bus, 1), 0);
	*cpus_state(b->cpus, 0) = s->c.v;
}

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

/* With the A20 gate closed KVM cannot have the memory map: the guest goes on elsewhere, and comes back. */
Test(hop, a20_gate)
{
	struct box b = {0};

	need(kvm_only);
	spin_on_kvm(&b);
	struct synth *s = b.s;
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

/* The interpreter has system management mode; the guest is back on KVM after each. */
Test(hop, system_management)
{
	/* incl 0x21000; rsm; 16-bit code */
	static const uint8_t handler[] = {0x67, 0x66, 0xff, 0x05, 0, 0x10, 0x02, 0, 0x0f, 0xaa};
	struct box b = {0};

	need(kvm_only);
	spin_on_kvm(&b);
	struct synth *s = b.s;
	memcpy(s->ram.host + 0x38000, handler, sizeof(handler));
	cpus_resume(b.cpus);
	for (unsigned n = 1; n <= 20; n++) {
		uint64_t count;

		cpus_smi(b.cpus, 0);
		for (unsigned k = 0; k < 5000 && peek(s, 0x21000, 4) != n; k++)
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		cr_assert_eq(peek(s, 0x21000, 4), n);
		count = peek(s, 0x20000, 4);
		for (unsigned k = 0; k < 5000 && peek(s, 0x20000, 4) == count; k++)
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		cr_assert_neq(peek(s, 0x20000, 4), count);
		cr_expect_eq(cpus_on(b.cpus, 0), &engine_kvm);
	}
	cr_expect_geq(cpus_hops(b.cpus, FAIL_SMM), 20u);
	cpus_pause(b.cpus);
	cr_expect_not(cpus_state(b.cpus, 0)->smm);
	box_free(&b);
}
