/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A CPU without a machine: a core over 1 MiB of RAM and a local APIC that only remembers MSRs.
 * Instructions are given as bytes and run once each, as an engine would run them.
 *
 * Descriptor tables built by synth_new():
 *   GDT at 1000h, selectors in the enum below; IDT at 2000h; TSS at 3000h; LDT at 3800h
 */
#ifndef TESTS_UNIT_SYNTH_H
#define TESTS_UNIT_SYNTH_H

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/check.h"
#include "cpu/core.h"
#include "cpu/decode.h"
#include "cpu/exc.h"
#include "cpu/mem.h"
#include "cpu/opcode.h"
#include "cpu/seg.h"
#include "mmu/aspace.h"

enum {
	GDT = 0x1000,
	IDT = 0x2000,
	TSS = 0x3000,
	TSS2 = 0x3400,
	LDT = 0x3800,
	TEXT = 0x8000,
	STACK0 = 0x6000,
	STACK3 = 0x7000,

	CODE0 = 0x08,
	DATA0 = 0x10,
	CODE3 = 0x18 | 3,
	DATA3 = 0x20 | 3,
	CONF0 = 0x28,
	CODE64 = 0x30,
	TSS_SEL = 0x38, /* 16 bytes in long mode */
	TSS2_SEL = 0x48,
	GATE = 0x50,    /* 16 bytes in long mode */
	LDT_SEL = 0x60, /* likewise */
	FREE = 0x70,    /* for the test */
	CODE64_3 = 0x78 | 3,
	GDT_END = 0x80,
};

struct synth {
	struct core c;
	struct ram ram;
	struct aspace mem;
	struct cpu_bus bus;
	struct cpu_model model;
	uint64_t apic_base;
	unsigned shutdowns;
	struct insn insn;
};

static inline int synth_apic_read(void *opaque, unsigned cpu, uint32_t msr, uint64_t *val)
{
	struct synth *s = opaque;
	(void)cpu;
	*val = msr == 0x1b ? s->apic_base : 0;
	return 0;
}

static inline int synth_apic_write(void *opaque, unsigned cpu, uint32_t msr, uint64_t val)
{
	struct synth *s = opaque;
	(void)cpu;
	if (msr == 0x1b)
		s->apic_base = val;
	return 0;
}

static inline uint64_t synth_tsc(void *opaque)
{
	(void)opaque;
	return 1000;
}

static inline void synth_shutdown(void *opaque, unsigned cpu)
{
	struct synth *s = opaque;
	(void)cpu;
	s->shutdowns++;
}

/* Peeks and pokes at physical addresses, little endian. */
static inline uint64_t peek(struct synth *s, uint32_t at, unsigned size)
{
	uint64_t v = 0;
	memcpy(&v, s->ram.host + at, size);
	return v;
}
static inline void poke(struct synth *s, uint32_t at, uint64_t val, unsigned size)
{
	memcpy(s->ram.host + at, &val, size);
}

/* A descriptor from base, byte-granular limit (page-granular when above 1 MiB) and the access and
 * flags bytes: access as in bits 40-47, flags as bits 52-55. */
static inline uint64_t desc(uint32_t base, uint32_t limit, unsigned access, unsigned flags)
{
	if (limit > 0xfffff) {
		limit >>= 12;
		flags |= 8;
	}
	return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)access << 40 |
	       (uint64_t)(limit >> 16 & 15) << 48 | (uint64_t)flags << 52 |
	       (uint64_t)(base >> 24) << 56;
}

static inline uint64_t gate(uint16_t sel, uint32_t off, unsigned access, unsigned count)
{
	return (off & 0xffff) | (uint64_t)sel << 16 | (uint64_t)count << 32 |
	       (uint64_t)access << 40 | (uint64_t)(off >> 16) << 48;
}

static inline void set_gdt(struct synth *s, uint16_t sel, uint64_t d)
{
	poke(s, GDT + (sel & 0xfff8), d, 8);
}
static inline uint64_t get_gdt(struct synth *s, uint16_t sel)
{
	return peek(s, GDT + (sel & 0xfff8), 8);
}

static inline struct synth *synth_new(const char *model)
{
	struct synth *s = aligned_alloc(64, (sizeof(*s) + 63) & ~63ull);
	char err[128];

	memset(s, 0, sizeof(*s));
	cr_assert(!cpu_model_parse(&s->model, model, err, sizeof(err)), "%s", err);
	cr_assert(!ram_init(&s->ram, "ram", 1 << 20));
	aspace_init(&s->mem, "mem", 52, NULL);
	cr_assert(!aspace_map_ram(&s->mem, "ram", 0, 1 << 20, &s->ram, 0));
	aspace_set_a20(&s->mem, true);
	s->apic_base = 0xfee00900;
	s->bus = (struct cpu_bus){.mem = &s->mem,
				  .opaque = s,
				  .apic_msr_read = synth_apic_read,
				  .apic_msr_write = synth_apic_write,
				  .tsc = synth_tsc,
				  .tsc_hz = 1000000000,
				  .shutdown = synth_shutdown};
	core_init(&s->c, &s->model, &s->bus, 0);

	set_gdt(s, CODE0, desc(0, 0xffffffff, 0x9b, 4));
	set_gdt(s, DATA0, desc(0, 0xffffffff, 0x93, 4));
	set_gdt(s, CODE3, desc(0, 0xffffffff, 0xfb, 4));
	set_gdt(s, DATA3, desc(0, 0xffffffff, 0xf3, 4));
	set_gdt(s, CONF0, desc(0, 0xffffffff, 0x9f, 4));
	set_gdt(s, CODE64, desc(0, 0xffffffff, 0x9b, 2));
	set_gdt(s, CODE64_3, desc(0, 0xffffffff, 0xfb, 2));
	set_gdt(s, TSS_SEL, desc(TSS, 0x67, 0x8b, 0));
	set_gdt(s, TSS2_SEL, desc(TSS2, 0x67, 0x89, 0));
	set_gdt(s, LDT_SEL, desc(LDT, 0xff, 0x82, 0));
	return s;
}

static inline void synth_free(struct synth *s)
{
	ram_fini(&s->ram);
	free(s);
}

static inline void load_raw(struct synth *s, unsigned sreg, uint16_t sel)
{
	struct descriptor d = {.raw = get_gdt(s, sel)};
	seg_unpack(&s->c.v.seg[sreg], sel, &d);
}

/* Flat 32-bit protected mode at level cpl. */
static inline void enter_protected(struct synth *s, unsigned cpl)
{
	struct vcpu *v = &s->c.v;
	uint16_t data = cpl ? DATA3 : DATA0;

	v->cr0 = CR0_PE | CR0_ET | CR0_NE;
	v->gdt = (struct dtable){GDT, GDT_END - 1};
	v->idt = (struct dtable){IDT, 0x7ff};
	load_raw(s, CS, cpl ? CODE3 : CODE0);
	load_raw(s, SS, data);
	load_raw(s, DS, data);
	load_raw(s, ES, data);
	load_raw(s, FS, data);
	load_raw(s, GS, data);
	v->tr = (struct segment){.sel = TSS_SEL, .attr = 0x8b, .limit = 0x67, .base = TSS};
	v->ldtr = (struct segment){.attr = SEG_NULL};
	poke(s, TSS + 4, STACK0, 4); /* ESP0, SS0 */
	poke(s, TSS + 8, DATA0, 4);
	v->gpr[RSP] = cpl ? STACK3 : STACK0;
	v->rip = TEXT;
	core_update_mode(&s->c);
}

/* 64-bit mode at level cpl, without paging in the way: one 1 GiB identity page. */
static inline void enter_long(struct synth *s, unsigned cpl)
{
	struct vcpu *v = &s->c.v;

	enter_protected(s, cpl);
	poke(s, 0x4000, 0x5007, 8);
	poke(s, 0x5000, 0x0087, 8);
	v->cr3 = 0x4000;
	v->cr4 = CR4_PAE;
	v->efer = EFER_LME | EFER_LMA | EFER_SCE;
	v->cr0 |= CR0_PG;
	v->idt.limit = 0xfff;
	load_raw(s, CS, cpl ? CODE64_3 : CODE64);
	core_update_mode(&s->c);
	tlb_flush_all(&s->c.tlb);
}

static inline void enter_v86(struct synth *s, unsigned iopl)
{
	struct vcpu *v = &s->c.v;
	enter_protected(s, 3);
	rflags_set(v, FL_VM | FL_IF | iopl << 12);
	for (unsigned n = 0; n < NR_SREGS; n++)
		v->seg[n] = (struct segment){
		    .sel = 0x800 + n, .attr = 0xf3, .limit = 0xffff, .base = (0x800ull + n) << 4};
	v->gpr[RSP] = 0x1000;
	v->rip = 0x10;
	core_update_mode(&s->c);
}

enum { RAN = -1, TRAPPED = -2 };

/* Runs fn with faults caught: RAN or the vector. */
#define CATCH(s, call)                                                                             \
	({                                                                                         \
		sigjmp_buf fault_;                                                                 \
		int how_ = sigsetjmp(fault_, 0);                                                   \
		(s)->c.fault = &fault_;                                                            \
		if (!how_)                                                                         \
			call;                                                                      \
		how_ ? (int)(s)->c.exc.vector : (int)RAN;                                          \
	})

/* Runs one instruction at v.rip: RAN, or the vector of the exception that it raised. */
static inline int exec_bytes(struct synth *s, const void *code, size_t len)
{
	struct core *c = &s->c;
	struct insn *i = &s->insn;
	int vector;

	memset(&c->exc, 0, sizeof(c->exc));
	enum decode_result r = decode(i, code, len, c->mode, c->model);
	if (r != DECODE_OK)
		return r == DECODE_UD ? EXC_UD : EXC_GP;
	cr_assert_eq(i->len, len, "%s takes %u of %zu bytes", i->desc->name, i->len, len);
	c->insn = i;
	c->blk_rip = c->v.rip;
	vector = CATCH(s, ({
			       if (i->desc->attrs & A_CHECKED)
				       insn_check(c, i);
			       i->op(c, i);
		       }));
	if (vector == RAN && !(i->desc->attrs & A_BR))
		c->v.rip = insn_next(c, i);
	return vector;
}
#define EXEC(s, bytes) exec_bytes(s, bytes, sizeof(bytes) - 1)

#endif
