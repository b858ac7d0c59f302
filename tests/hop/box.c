/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What random programs run on: RAM, a few ports and a page of device memory, interrupts on request. Software
 * engines are driven here, one bounded run after another; with all engines the vCPU's thread of accel/cpus_thread.c
 * runs it and this one asks it to move.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "accel/cpus.h"
#include "accel/engine.h"
#include "cpu/bus.h"
#include "mmu/aspace.h"
#include "tests/hop/hop.h"

extern const char hop_rt[], hop_rt_end[], hop_rt_nmi[], hop_rt_call[], hop_rt_enter[],
    hop_rt_data[];

#define RT(label) (KBASE + P_RT + (uint64_t)((label)-hop_rt))

enum { PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_AD = 0x60, PTE_PS = 0x80 };

static struct {
	struct ram ram;
	struct aspace mem, io;
	pthread_mutex_t lock; /* of devices */
	struct cpu_bus bus;
	const struct cpu_model *model;
	_Atomic uint32_t events;
	struct engine_cpu *soft[2]; /* interp, jit */
	const struct engine *on;    /* of these, while one runs */
	struct cpus *cpus;
	bool threaded, kvm;
	struct limits limits;
	/* devices */
	int vector; /* that waits, or -1 */
	uint64_t count, written, cr8;
	_Atomic bool done;
	uint64_t hops;
} ma;

static const struct engine *const soft_engine[] = {&engine_interp, &engine_jit};

/* ---- devices; all callbacks come from the one vCPU ---- */

static void set_line(bool level)
{
	if (ma.threaded) {
		cpus_set_intr(ma.cpus, 0, level);
		return;
	}
	if (level)
		atomic_fetch_or(&ma.events, EV_INTR);
	else
		atomic_fetch_and(&ma.events, ~(uint32_t)EV_INTR);
	if (ma.on)
		ma.on->kick(ma.soft[ma.on == &engine_jit]);
}

static int acknowledge(void *opaque, unsigned cpu)
{
	int vector = ma.vector;

	(void)opaque;
	(void)cpu;
	if (vector >= 0)
		set_line(false);
	ma.vector = -1;
	return vector;
}

static void post_nmi(void)
{
	if (ma.threaded) {
		cpus_nmi(ma.cpus, 0);
		return;
	}
	atomic_fetch_or(&ma.events, EV_NMI);
	if (ma.on)
		ma.on->kick(ma.soft[ma.on == &engine_jit]);
}

static void note(uint64_t off, uint64_t val, unsigned size)
{
	ma.written = (ma.written << 5 | ma.written >> 59) + val + (off << 8) + size;
}

static uint64_t next_value(unsigned size)
{
	ma.count++;
	uint64_t val = ma.count * 0x9e3779b97f4a7c15;
	return size == 8 ? val : val & ((1ull << 8 * size) - 1);
}

static uint64_t port_read(void *dev, uint64_t off, unsigned size)
{
	(void)dev;
	return off == PORT_ACK - PORT_IRQ ? 1 : next_value(size);
}

static void port_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	(void)dev;
	switch (off + PORT_IRQ) {
	case PORT_IRQ:
		ma.vector = VEC_IRQ | (val & 15);
		set_line(true);
		break;
	case PORT_NMI:
		post_nmi();
		break;
	case PORT_DONE:
		atomic_store(&ma.done, true);
		break;
	default:
		note(off, val, size);
		break;
	}
}

static const struct mmio_ops port_ops = {
    .read = port_read, .write = port_write, .min_size = 1, .max_size = 4};

static uint64_t mem_read(void *dev, uint64_t off, unsigned size)
{
	(void)dev;
	(void)off;
	return next_value(size);
}

static void mem_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	(void)dev;
	note(off, val, size);
}

static const struct mmio_ops mem_ops = {
    .read = mem_read, .write = mem_write, .min_size = 1, .max_size = 8};

static uint8_t cr8_read(void *opaque, unsigned cpu)
{
	(void)opaque;
	(void)cpu;
	return (uint8_t)ma.cr8;
}

static void cr8_write(void *opaque, unsigned cpu, uint8_t val)
{
	(void)opaque;
	(void)cpu;
	ma.cr8 = val;
}

static int apic_msr_read(void *opaque, unsigned cpu, uint32_t msr, uint64_t *val)
{
	(void)opaque;
	(void)cpu;
	*val = msr == 0x1b ? 0xfee00900 : 0;
	return 0;
}

static int apic_msr_write(void *opaque, unsigned cpu, uint32_t msr, uint64_t val)
{
	(void)opaque;
	(void)cpu;
	(void)msr;
	(void)val;
	return 0;
}

static uint64_t tsc(void *opaque)
{
	(void)opaque;
	return 1000;
}

static void on_shutdown(void *opaque, unsigned cpu)
{
	(void)opaque;
	(void)cpu;
	atomic_store(&ma.done, true);
}

/* ---- memory ---- */

static void poke(uint64_t at, uint64_t val, unsigned size)
{
	memcpy(ma.ram.host + at, &val, size);
}

static void map(uint64_t pt, uint64_t lin, uint64_t gpa, uint64_t size, unsigned bits)
{
	for (uint64_t off = 0; off < size; off += PAGE_SIZE)
		poke(pt + ((lin + off) >> 12 & 511) * 8,
		     (gpa + off) | PTE_P | PTE_U | PTE_AD | bits, 8);
}

static void map_all(void)
{
	const unsigned table = PTE_P | PTE_W | PTE_U | PTE_AD;

	poke(P_PML4, P_PDPT | table, 8);
	poke(P_PDPT, P_PD0 | table, 8);
	poke(P_PD0 + (RW_ADDR >> 21) * 8, P_PT_DATA | table, 8);
	poke(P_PD0 + (CODE_ADDR >> 21) * 8, P_PT_CODE | table, 8);
	poke(P_PD0 + (OWN_ADDR >> 21) * 8, P_PT_OWN | table, 8);
	map(P_PT_DATA, RW_ADDR, P_RW, RW_SIZE, PTE_W);
	/* KVM's emulator writes the first half of what faults in the second: none shall fault there. */
	if (ma.limits.software)
		map(P_PT_DATA, RW_ADDR + RW_SIZE, P_RW, 0xe000, PTE_W);
	map(P_PT_DATA, RO_ADDR, P_RO, RO_SIZE, 0);
	map(P_PT_CODE, CODE_ADDR, P_CODE, PROGRAM_SIZE, 0);
	map(P_PT_OWN, OWN_ADDR, P_OWN, PAGE_SIZE, PTE_W);
	map(P_PT_OWN, ALIAS_ADDR, P_CODE, PROGRAM_SIZE, PTE_W);
	map(P_PT_OWN, MMIO_ADDR, P_MMIO, PAGE_SIZE, PTE_W);
	poke(P_PML4 + (KBASE >> 39 & 511) * 8, P_PDPT_K | PTE_P | PTE_W | PTE_AD, 8);
	poke(P_PDPT_K + (KBASE >> 30 & 511) * 8, P_PD_K | PTE_P | PTE_W | PTE_AD, 8);
	poke(P_PD_K + (KBASE >> 21 & 511) * 8, PTE_P | PTE_W | PTE_AD | PTE_PS, 8);
}

static void gate(unsigned vec, uint64_t to, unsigned ist, unsigned dpl)
{
	uint64_t at = P_IDT + 16 * vec;

	poke(at,
	     (to & 0xffff) | (uint64_t)SEL_C64_0 << 16 | (uint64_t)ist << 32 |
		 (uint64_t)(0x8e | dpl << 5) << 40 | (to >> 16 & 0xffff) << 48,
	     8);
	poke(at + 8, to >> 32, 8);
}

/* Base 0 and limit 4 GiB, or of a system segment. */
static uint64_t descriptor(unsigned access, unsigned flags)
{
	return 0xffff | (uint64_t)access << 40 | 0xfull << 48 | (uint64_t)flags << 52;
}

static void system_segment(unsigned sel, uint64_t base, uint64_t limit, unsigned access)
{
	poke(P_GDT + sel,
	     limit | (base & 0xffffff) << 16 | (uint64_t)access << 40 | (base >> 24 & 0xff) << 56,
	     8);
	poke(P_GDT + sel + 8, base >> 32, 8);
}

static void fill_tables(void)
{
	poke(P_GDT + SEL_C64_0, descriptor(0x9b, 0xa), 8);
	poke(P_GDT + SEL_D_0, descriptor(0x93, 0xc), 8);
	poke(P_GDT + (SEL_C32_3 & ~3), descriptor(0xfb, 0xc), 8);
	poke(P_GDT + (SEL_D_3 & ~3), descriptor(0xf3, 0xc), 8);
	poke(P_GDT + (SEL_C64_3 & ~3), descriptor(0xfb, 0xa), 8);
	poke(P_GDT + SEL_C32_0, descriptor(0x9b, 0xc), 8);
	system_segment(SEL_TSS, KBASE + P_TSS, 0x67, 0x8b);
	system_segment(SEL_LDT, KBASE + P_GDT, GDT_BYTES - 1, 0x82);
	for (unsigned n = 1; n <= 4; n++)
		poke(P_TSS + 0x24 + 8 * (n - 1), KBASE + P_STACKS + 0x1000 * n, 8);
	poke(P_TSS + 0x66, 0x68, 2); /* no I/O permissions */
	poke(P_TSS + 4, KBASE + P_STACKS + 0x5000, 8);
	for (unsigned n = 0; n < NR_VECTORS; n++)
		gate(n, RT(hop_rt) + 16 * n,
		     n == 1                         ? 4
		     : n >= VEC_IRQ && n < VEC_MODE ? 3
						    : 1,
		     n == 3 || n == 4 || n >= VEC_MODE ? 3 : 0);
	gate(2, RT(hop_rt_nmi), 2, 0);
}

static uint64_t usual_cr4(void)
{
	static const struct {
		unsigned feature, bit;
	} bits[] = {{FEAT_FSGSBASE, CR4_FSGSBASE}, {FEAT_XSAVE, CR4_OSXSAVE}, {FEAT_PGE, CR4_PGE}};
	uint64_t cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	for (unsigned n = 0; n < sizeof(bits) / sizeof(bits[0]); n++)
		if (cpu_has(ma.model, bits[n].feature))
			cr4 |= bits[n].bit;
	return cr4;
}

static uint64_t usual_xcr0(void)
{
	return cpu_has(ma.model, FEAT_AVX) ? 7 : cpu_has(ma.model, FEAT_XSAVE) ? 3 : 1;
}

static void fill_memory(const struct program *p)
{
	const uint64_t data[] = {usual_cr4(), usual_xcr0(), P_RW | PTE_P | PTE_W | PTE_U | PTE_AD,
				 ma.limits.software, ma.limits.software || ma.limits.plain};
	uint64_t at = P_OWN + OWN_POINT;

	memset(ma.ram.host, 0, RAM_BYTES);
	map_all();
	fill_tables();
	memcpy(ma.ram.host + P_RT, hop_rt, (size_t)(hop_rt_end - hop_rt));
	memcpy(ma.ram.host + P_RT + (hop_rt_data - hop_rt), data, sizeof(data));
	memcpy(ma.ram.host + P_NEXT, p->next, sizeof(p->next));
	memcpy(ma.ram.host + P_CODE, p->code, sizeof(p->code));
	memcpy(ma.ram.host + P_RW, p->rw, RW_SIZE);
	memcpy(ma.ram.host + P_RO, p->ro, RO_SIZE);
	poke(at, GDT_BYTES - 1, 2);
	poke(at + 2, KBASE + P_GDT, 8);
	poke(at + 16, 16 * NR_VECTORS - 1, 2);
	poke(at + 18, KBASE + P_IDT, 8);
	ram_written(&ma.ram, 0, RAM_BYTES);
}

/* ---- the state that a program starts in ---- */

static struct segment flat(uint16_t sel, uint32_t access, uint32_t flags)
{
	return (struct segment){
	    .sel = sel, .attr = access | flags << 12, .limit = 0xffffffff, .base = 0};
}

void box_start_state(struct program *p, struct fuzz_rng *r)
{
	struct vcpu *v = &p->start;

	vcpu_reset(v, 0);
	for (unsigned n = 0; n < 16; n++)
		v->gpr[n] = rnd(r);
	v->gpr[RSP] = OWN_ADDR + OWN_STACK;
	v->rip = CODE_ADDR + 8;
	rflags_set(v, 2);
	v->cr0 = CR0_USUAL;
	v->cr3 = P_PML4;
	v->cr4 = usual_cr4();
	v->efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
	v->xcr0 = usual_xcr0();
	for (unsigned n = 0; n < NR_SREGS; n++)
		v->seg[n] = flat(SEL_D_3, 0xf3, 0xc);
	v->seg[CS] = flat(SEL_C64_0, 0x9b, 0xa);
	v->seg[SS] = flat(SEL_D_0, 0x93, 0xc);
	v->tr = (struct segment){SEL_TSS, 0x8b, 0x67, KBASE + P_TSS};
	v->ldtr = (struct segment){.attr = SEG_NULL};
	v->gdt = (struct dtable){KBASE + P_GDT, GDT_BYTES - 1};
	v->idt = (struct dtable){KBASE + P_IDT, 16 * NR_VECTORS - 1};
	v->star = (uint64_t)0x18 << 48 | (uint64_t)SEL_C64_0 << 32;
	v->lstar = RT(hop_rt_call);
	v->sfmask = FL_TF;
	v->sysenter_cs = SEL_C64_0;
	v->sysenter_esp = KBASE + P_STACKS + 0x6000;
	v->sysenter_eip = RT(hop_rt_enter);
	v->fpu.fcw = 0x37f;
	v->fpu.ftw = 0;
	v->mxcsr = 0x1f80;
	for (unsigned n = 0; n < 16; n++)
		fuzz_fill_image(v->v[n].u8, cpu_has(ma.model, FEAT_AVX) ? 32 : 16, r);
}

/* ---- running ---- */

static void begin(const struct program *p)
{
	fill_memory(p);
	ma.vector = -1;
	ma.count = ma.written = ma.cr8 = 0;
	atomic_store(&ma.done, false);
}

static void end(struct outcome *o)
{
	o->ram = ma.ram.host;
	o->device = ma.count * 31 + ma.written + ma.cr8;
	o->ended = atomic_load(&ma.done) && o->v.activity != ACT_SHUTDOWN;
}

enum { MOST = 2000000 }; /* instructions of a program */

/* A halt with nothing to end it, as after a trap between STI and HLT. */
static void wake(void)
{
	ma.vector = VEC_IRQ;
	set_line(true);
}

static void run_soft(const struct program *p, unsigned how, uint64_t seed, uint64_t stop,
		     struct outcome *o)
{
	struct fuzz_rng r = {seed};
	unsigned on = how == RUN_JIT;
	uint64_t left = stop < MOST ? stop : MOST, total = 0;

	o->v = p->start;
	atomic_store(&ma.events, 0);
	while (left && !(atomic_load(&ma.done) && o->v.activity != ACT_RUNNING)) {
		uint64_t n = left;
		if (how == RUN_SOFT) {
			on = below(&r, 2);
			n = 1 + (chance(&r, 30) ? below(&r, 4) : below(&r, 300));
			n = n < left ? n : left;
			ma.hops++;
		}
		struct engine_cpu *e = ma.soft[on];
		uint64_t before = soft_engine[on]->retired(e);
		ma.on = soft_engine[on];
		ma.on->load(e, &o->v);
		enum run_exit why = ma.on->run(e, n);
		ma.on->store(e, &o->v);
		ma.on = NULL;
		n = soft_engine[on]->retired(e) - before;
		left -= n < left ? n : left;
		total += n;
		if (why == RUN_SHUTDOWN)
			break;
		if (why == RUN_HALTED && !atomic_load(&ma.done))
			wake();
	}
	o->retired = total;
}

static void pass_ns(unsigned ns)
{
	struct timespec a, b;

	if (ns > 50000) {
		nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &a);
	do
		clock_gettime(CLOCK_MONOTONIC, &b);
	while ((b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec < (long)ns);
}

/* only: where it stays; NULL: it moves. */
static void run_threaded(const struct program *p, uint64_t seed, const struct engine *only,
			 struct outcome *o)
{
	const struct engine *const all[] = {&engine_interp, &engine_jit, &engine_kvm};
	struct fuzz_rng r = {seed};
	struct vcpu *v = cpus_state(ma.cpus, 0);
	unsigned rounds = 0;

	ma.threaded = true;
	cpus_reset(ma.cpus);
	*v = p->start;
	cpus_flush_tlb(ma.cpus);
	for (;;) {
		for (unsigned n = 0; n < 200 && !atomic_load(&ma.done); n++) {
			const struct engine *en = all[below(&r, ma.kvm ? 3 : 2)];
			if (ma.kvm && chance(&r, 40))
				en = &engine_kvm;
			cpus_set_engine(ma.cpus, only ? only : en);
			ma.hops += !only;
			cpus_resume(ma.cpus);
			pass_ns(1000 + below(&r, chance(&r, 50) ? 10000 : 120000));
		}
		cpus_resume(ma.cpus);
		if (atomic_load(&ma.done))
			nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
		cpus_pause(ma.cpus);
		if ((atomic_load(&ma.done) && v->activity != ACT_RUNNING) || ++rounds == 1000)
			break;
		if (v->activity == ACT_HALTED && ma.vector < 0)
			wake();
	}
	o->v = *v;
	o->retired = 0;
	ma.threaded = false;
}

void box_run(const struct program *p, unsigned how, uint64_t seed, uint64_t stop, struct outcome *o)
{
	begin(p);
	if (how == RUN_ALL || how == RUN_KVM)
		run_threaded(p, seed, how == RUN_KVM ? &engine_kvm : NULL, o);
	else
		run_soft(p, how, seed, stop, o);
	end(o);
}

uint64_t box_hops(void)
{
	return ma.hops;
}

uint64_t box_failures(void)
{
	uint64_t sum = 0;

	for (unsigned n = 0; ma.cpus && n < FAILURES; n++)
		sum += cpus_hops(ma.cpus, n);
	return sum;
}

static int complain(const char *what, int err)
{
	fprintf(stderr, "hop: %s: %s\n", what, strerror(-err));
	return err;
}

int box_init(const struct cpu_model *model, bool kvm, struct limits limits)
{
	const struct engine_config config = {.hot = 1, .count = true};
	int err;

	ma.model = model;
	ma.kvm = kvm;
	ma.limits = limits;
	if ((err = ram_init(&ma.ram, "hop", RAM_BYTES)) < 0)
		return complain("memory", err);
	pthread_mutex_init(&ma.lock, NULL);
	aspace_init(&ma.mem, "memory", 52, NULL);
	aspace_init(&ma.io, "io", 16, NULL);
	if ((err = aspace_map_ram(&ma.mem, "ram", 0, RAM_BYTES, &ma.ram, 0)) < 0 ||
	    (err = aspace_map_dev(&ma.mem, "device", P_MMIO, PAGE_SIZE, &mem_ops, NULL)) < 0 ||
	    (err = aspace_map_dev(&ma.io, "ports", PORT_IRQ, 32, &port_ops, NULL)) < 0)
		return complain("address spaces", err);
	aspace_set_a20(&ma.mem, true);
	ma.bus = (struct cpu_bus){.mem = &ma.mem,
				  .io = &ma.io,
				  .intr_ack = acknowledge,
				  .cr8_read = cr8_read,
				  .cr8_write = cr8_write,
				  .apic_msr_read = apic_msr_read,
				  .apic_msr_write = apic_msr_write,
				  .tsc = tsc,
				  .tsc_hz = 1000000000,
				  .split_lock = &ma.lock,
				  .shutdown = on_shutdown};
	for (unsigned n = 0; n < 2; n++) {
		const struct engine *en = soft_engine[n];
		if ((err = en->create(&ma.soft[n], model, &ma.bus, 0, &ma.events)) < 0 ||
		    (en->configure && (err = en->configure(ma.soft[n], &config)) < 0))
			return complain(en->name, err);
	}
	err = cpus_new(&ma.cpus, &engine_interp, &(struct engine_config){.hot = 1}, model, &ma.bus,
		       1);
	if (err == 0)
		err = cpus_prepare(ma.cpus, &engine_jit);
	if (err == 0 && kvm)
		err = cpus_prepare(ma.cpus, &engine_kvm);
	return err < 0 ? complain("engines", err) : 0;
}

void box_fini(void)
{
	cpus_free(ma.cpus);
	for (unsigned n = 0; n < 2; n++)
		soft_engine[n]->destroy(ma.soft[n]);
	ram_fini(&ma.ram);
	memset(&ma, 0, sizeof(ma));
}
