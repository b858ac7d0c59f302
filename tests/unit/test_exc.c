/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Event delivery and IRET in every mode, double and triple faults.
 */
#include "synth.h"

#include "accel/engine.h"

enum { HANDLER = 0x9000 };

static void idt32(struct synth *s, unsigned vector, uint64_t d)
{
	poke(s, IDT + vector * 8, d, 8);
}

static void idt64(struct synth *s, unsigned vector, uint16_t sel, unsigned access, unsigned ist)
{
	poke(s, IDT + vector * 16, gate(sel, HANDLER, access, ist), 8);
	poke(s, IDT + vector * 16 + 8, 0, 8);
}

static uint32_t frame(struct synth *s, unsigned n)
{
	return (uint32_t)peek(s, (uint32_t)s->c.v.gpr[RSP] + n * 4, 4);
}

static uint64_t frame64(struct synth *s, unsigned n)
{
	return peek(s, (uint32_t)s->c.v.gpr[RSP] + n * 8, 8);
}

Test(deliver, real_mode)
{
	struct synth *s = synth_new("max");
	struct vcpu *v = &s->c.v;
	v->seg[CS].sel = 0x100;
	v->seg[CS].base = 0x1000;
	v->rip = 0x20;
	v->gpr[RSP] = 0x1000;
	rflags_set(v, FL_IF | FL_TF | FL_CF);
	poke(s, 8 * 4, 0x0300 | 0x0400 << 16, 4);
	cr_assert_eq(deliver_event(&s->c, EVENT_EXT, 8, false, 0), 0);
	cr_expect(v->rip == 0x300 && v->seg[CS].sel == 0x400 && v->seg[CS].base == 0x4000);
	cr_expect(v->gpr[RSP] == 0xffa && !(v->rflags & (FL_IF | FL_TF)));
	cr_expect(peek(s, 0xffa, 2) == 0x20 && peek(s, 0xffc, 2) == 0x100);
	cr_expect_eq(peek(s, 0xffe, 2), FL_IF | FL_TF | FL_CF | 2);
	cr_assert_eq(EXEC(s, "\xcf"), RAN);
	cr_expect(v->rip == 0x20 && v->seg[CS].base == 0x1000 && v->gpr[RSP] == 0x1000);
	cr_expect_eq(rflags_get(v), FL_IF | FL_TF | FL_CF | 2);
	v->idt.limit = 8 * 4 + 2; /* cuts the entry: #GP, #DF (vector 8 again), shutdown */
	cr_expect_eq(deliver_event(&s->c, EVENT_EXT, 8, false, 0), -1);
	cr_expect(v->activity == ACT_SHUTDOWN && s->shutdowns == 1);
	synth_free(s);
}

Test(deliver, inner_level_with_error_code)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 3);
	struct vcpu *v = &s->c.v;
	idt32(s, EXC_GP, gate(CODE0, HANDLER, 0x8e, 0));
	rflags_set(v, FL_IF | FL_NT);
	cr_assert_eq(deliver_event(&s->c, EVENT_EXC, EXC_GP, true, 0x1234), 0);
	cr_expect(v->rip == HANDLER && vcpu_cpl(v) == 0 && v->gpr[RSP] == STACK0 - 24);
	cr_expect(frame(s, 0) == 0x1234 && frame(s, 1) == TEXT && frame(s, 2) == CODE3);
	cr_expect_eq(frame(s, 3), FL_IF | FL_NT | FL_RF | 2, "a fault's image has RF");
	cr_expect(frame(s, 4) == STACK3 && frame(s, 5) == DATA3);
	cr_expect_eq(rflags_get(v), 2);
	v->gpr[RSP] += 4;
	rflags_set(v, 0);
	cr_assert_eq(EXEC(s, "\xcf"), RAN);
	cr_expect(v->rip == TEXT && vcpu_cpl(v) == 3 && v->gpr[RSP] == STACK3);
	cr_expect_eq(rflags_get(v), FL_IF | FL_NT | FL_RF | 2);
	synth_free(s);
}

Test(deliver, trap_gate_and_16_bit_gate)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 0);
	struct vcpu *v = &s->c.v;
	idt32(s, 0x40, gate(CODE0, HANDLER, 0x8f, 0));
	idt32(s, 0x41, gate(CODE0, 0x12349000, 0x86, 0));
	rflags_set(v, FL_IF | FL_TF);
	cr_assert_eq(deliver_event(&s->c, EVENT_EXT, 0x40, false, 0), 0);
	cr_expect_eq(rflags_get(v), FL_IF | 2);
	cr_expect(v->gpr[RSP] == STACK0 - 12 && frame(s, 2) == (FL_IF | FL_TF | 2));
	v->rip = TEXT;
	v->gpr[RSP] = STACK0;
	cr_assert_eq(deliver_event(&s->c, EVENT_EXT, 0x41, false, 0), 0);
	cr_expect(v->rip == 0x9000 && v->gpr[RSP] == STACK0 - 6 && !(v->rflags & FL_IF));
	cr_expect_eq(peek(s, STACK0 - 6, 2), TEXT);
	synth_free(s);
}

static int soft(struct synth *s, unsigned vector)
{
	char code[] = {(char)0xcd, (char)vector};
	return exec_bytes(s, code, 2);
}

Test(deliver, software_checks)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 3);
	uint32_t *err = &s->c.exc.error;
	idt32(s, 0x80, gate(CODE0, HANDLER, 0xee, 0));
	cr_expect_eq(soft(s, 0x80), RAN);
	cr_expect_eq(peek(s, (uint32_t)s->c.v.gpr[RSP], 4), TEXT + 2);
	enter_protected(s, 3);
	idt32(s, 0x80, gate(CODE0, HANDLER, 0x8e, 0));
	cr_expect(soft(s, 0x80) == EXC_GP && *err == 0x80 * 8 + 2);
	idt32(s, 0x80, gate(CODE0, HANDLER, 0x6e, 0));
	cr_expect(soft(s, 0x80) == EXC_NP && *err == 0x80 * 8 + 2);
	idt32(s, 0x80, gate(CODE0, HANDLER, 0xec, 0));
	cr_expect(soft(s, 0x80) == EXC_GP && *err == 0x80 * 8 + 2);
	idt32(s, 0x80, gate(DATA0, HANDLER, 0xee, 0));
	cr_expect(soft(s, 0x80) == EXC_GP && *err == DATA0);
	idt32(s, 0x80, gate(0, HANDLER, 0xee, 0));
	cr_expect(soft(s, 0x80) == EXC_GP && *err == 0);
	idt32(s, 0x80, gate(CODE0, HANDLER, 0xee, 0));
	poke(s, TSS + 8, CODE0, 2);
	cr_expect(soft(s, 0x80) == EXC_TS && *err == CODE0);
	s->c.v.idt.limit = 0x80 * 8 + 6;
	cr_expect(soft(s, 0x80) == EXC_GP && *err == 0x80 * 8 + 2);
	cr_expect(s->c.v.rip == TEXT && s->c.v.gpr[RSP] == STACK3 && vcpu_cpl(&s->c.v) == 3);
	synth_free(s);
}

Test(deliver, external_events_set_ext)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 3);
	idt32(s, 0x80, gate(DATA0, HANDLER, 0x8e, 0));
	idt32(s, EXC_GP, gate(CODE0, HANDLER, 0x8e, 0));
	cr_assert_eq(deliver_event(&s->c, EVENT_EXT, 0x80, false, 0), 0);
	cr_expect_eq(frame(s, 0), DATA0 | 1);
	cr_expect_eq(s->c.ext, 0);
	synth_free(s);
}

Test(deliver, double_and_triple_fault)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 3);
	struct vcpu *v = &s->c.v;
	idt32(s, EXC_DF, gate(CODE0, HANDLER, 0x8e, 0));
	cr_assert_eq(deliver_event(&s->c, EVENT_EXC, EXC_GP, true, 0), 0);
	cr_expect(v->rip == HANDLER && frame(s, 0) == 0);
	cr_expect_eq(frame(s, 1), TEXT);
	/* #UD is benign: what its missing gate raises is delivered alone. */
	enter_protected(s, 3);
	idt32(s, EXC_NP, gate(CODE0, HANDLER + 1, 0x8e, 0));
	idt32(s, EXC_UD, gate(CODE0, 0, 0x0e, 0));
	cr_assert_eq(deliver_event(&s->c, EVENT_EXC, EXC_UD, false, 0), 0);
	cr_expect(v->rip == HANDLER + 1 && frame(s, 0) == (EXC_UD * 8 + 3));
	/* A page fault and a contributory exception. */
	enter_protected(s, 3);
	idt32(s, EXC_PF, gate(DATA0, 0, 0x8e, 0));
	s->c.exc = (struct exception){.vector = EXC_PF, .has_error = true, .cr2 = 0xabc};
	cr_assert_eq(deliver_exception(&s->c), 0);
	cr_expect(v->rip == HANDLER && v->cr2 == 0xabc);
	enter_protected(s, 3);
	idt32(s, EXC_DF, 0);
	cr_expect_eq(deliver_event(&s->c, EVENT_EXC, EXC_GP, true, 0), -1);
	cr_expect(v->activity == ACT_SHUTDOWN && s->shutdowns == 1);
	synth_free(s);
}

Test(deliver, endless_benign_faults_end)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 3);
	struct vcpu *v = &s->c.v;
	/* The #AC handler runs at level 3 on a misaligned stack with alignment checks on. */
	idt32(s, EXC_AC, gate(CODE3, HANDLER, 0xee, 0));
	v->cr0 |= CR0_AM;
	v->gpr[RSP] = STACK3 + 1;
	rflags_set(v, FL_AC);
	core_update_mode(&s->c);
	cr_expect_eq(deliver_event(&s->c, EVENT_EXC, EXC_AC, true, 0), -1);
	cr_expect_eq(s->shutdowns, 1);
	synth_free(s);
}

Test(deliver, debug_exceptions)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 0);
	struct vcpu *v = &s->c.v;
	idt32(s, EXC_DB, gate(CODE0, HANDLER, 0x8e, 0));
	v->dr7 |= 1 << 13;
	v->dr6 |= 4;
	s->c.exc = (struct exception){.vector = EXC_DB, .dr6 = 1 | 1 << 14, .trap = true};
	cr_assert_eq(deliver_exception(&s->c), 0);
	cr_expect_eq(v->dr6 & 0xe00f, 1 | 1 << 14);
	cr_expect(!(v->dr7 & 1 << 13) && !(frame(s, 2) & FL_RF));
	synth_free(s);
}

Test(deliver, task_gate)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 3);
	struct vcpu *v = &s->c.v;
	memset(s->ram.host + TSS2, 0, 0x68);
	poke(s, TSS2 + 0x20, HANDLER, 4);
	poke(s, TSS2 + 0x38, STACK0, 4);
	for (unsigned n = 0; n < 6; n++)
		poke(s, TSS2 + 0x48 + n * 4, n == CS ? CODE0 : DATA0, 4);
	idt32(s, EXC_DF, gate(TSS2_SEL, 0, 0x85, 0));
	cr_assert_eq(deliver_event(&s->c, EVENT_EXC, EXC_DF, true, 0), 0);
	cr_expect(v->rip == HANDLER && v->tr.sel == TSS2_SEL && v->rflags & FL_NT);
	cr_expect(v->gpr[RSP] == STACK0 - 4 && frame(s, 0) == 0);
	cr_expect_eq(peek(s, TSS + 0x20, 4), TEXT);
	synth_free(s);
}

Test(v86, to_the_monitor_and_back)
{
	struct synth *s = synth_new("max");
	enter_v86(s, 0);
	struct vcpu *v = &s->c.v;
	idt32(s, EXC_GP, gate(CODE0, HANDLER, 0x8e, 0));
	cr_assert_eq(deliver_event(&s->c, EVENT_EXC, EXC_GP, true, 0), 0);
	cr_expect(v->rip == HANDLER && !core_v86(&s->c) && vcpu_cpl(v) == 0);
	cr_expect_eq(v->gpr[RSP], STACK0 - 40);
	cr_expect(frame(s, 1) == 0x10 && frame(s, 2) == 0x801 && frame(s, 3) & FL_VM);
	cr_expect(frame(s, 4) == 0x1000 && frame(s, 5) == 0x802 && frame(s, 6) == 0x800);
	cr_expect(frame(s, 7) == 0x803 && frame(s, 8) == 0x804 && frame(s, 9) == 0x805);
	cr_expect(v->seg[DS].attr & SEG_NULL && v->seg[GS].attr & SEG_NULL);
	v->gpr[RSP] += 4;
	cr_assert_eq(EXEC(s, "\xcf"), RAN);
	cr_expect(core_v86(&s->c) && vcpu_cpl(v) == 3 && v->rip == 0x10);
	cr_expect(v->seg[CS].base == 0x8010 && v->seg[FS].sel == 0x804 && v->gpr[RSP] == 0x1000);
	cr_expect_eq(s->c.mode, 2);
	/* The gate must lead to level 0. */
	idt32(s, EXC_GP, gate(CODE3, HANDLER, 0x8e, 0));
	idt32(s, EXC_DF, gate(CODE0, HANDLER, 0x8e, 0));
	cr_assert_eq(deliver_event(&s->c, EVENT_EXC, EXC_GP, true, 0), 0);
	cr_expect_eq(v->gpr[RSP], STACK0 - 40, "double fault");
	synth_free(s);
}

Test(v86, software_interrupts)
{
	struct synth *s = synth_new("max");
	enter_v86(s, 0);
	struct vcpu *v = &s->c.v;
	poke(s, 0x21 * 4, 0x0500 | 0x0600 << 16, 4);
	idt32(s, 0x21, gate(CODE0, HANDLER, 0xee, 0));
	cr_expect_eq(soft(s, 0x21), EXC_GP);
	cr_expect_eq(s->c.exc.error, 0);
	/* VME: bitmap bit 0 keeps it inside, on the virtual IF. */
	v->cr4 |= CR4_VME;
	v->rflags |= FL_VIF;
	poke(s, TSS + 0x66, 0x68 + 32, 2);
	v->tr.limit = 0x68 + 32;
	memset(s->ram.host + TSS + 0x68, 0, 33);
	core_update_mode(&s->c);
	cr_assert_eq(soft(s, 0x21), RAN);
	cr_expect(v->rip == 0x500 && v->seg[CS].base == 0x6000 && core_v86(&s->c));
	cr_expect(v->rflags & FL_IF && !(v->rflags & FL_VIF));
	uint32_t at = (uint32_t)v->seg[SS].base + 0xffa;
	cr_expect(peek(s, at, 2) == 0x12 && peek(s, at + 2, 2) == 0x801);
	cr_expect_eq(peek(s, at + 4, 2), FL_IF | FL_IOPL | 2);
	cr_assert_eq(EXEC(s, "\xcf"), RAN); /* VME iret gives VIF back */
	cr_expect(v->rip == 0x12 && v->rflags & FL_VIF);
	cr_expect_eq(v->rflags & FL_IOPL, 0);
	poke(s, TSS + 0x68 + 4, 2, 1); /* bit 21h set: to the monitor, which needs IOPL 3 */
	cr_expect_eq(soft(s, 0x21), EXC_GP);
	v->rflags |= FL_IOPL;
	cr_assert_eq(soft(s, 0x21), RAN);
	cr_expect(v->rip == HANDLER && !core_v86(&s->c));
	synth_free(s);
}

Test(long_mode, inner_level_and_back)
{
	struct synth *s = synth_new("max");
	enter_long(s, 3);
	struct vcpu *v = &s->c.v;
	poke(s, TSS + 4, STACK0 - 4, 8); /* gets aligned */
	idt64(s, EXC_PF, CODE64, 0x8e, 0);
	v->seg[FS].base = 0x1234567;
	v->seg[FS].attr = SEG_NULL;
	rflags_set(v, FL_IF);
	cr_assert_eq(deliver_event(&s->c, EVENT_EXC, EXC_PF, true, 7), 0);
	cr_expect(v->rip == HANDLER && vcpu_cpl(v) == 0 && v->seg[SS].sel == 0);
	cr_expect_eq(v->gpr[RSP], STACK0 - 16 - 48);
	cr_expect(frame64(s, 0) == 7 && frame64(s, 1) == TEXT && frame64(s, 2) == CODE64_3);
	cr_expect(frame64(s, 3) == (FL_IF | FL_RF | 2) && frame64(s, 4) == STACK3);
	cr_expect_eq(frame64(s, 5), DATA3);
	v->gpr[RSP] += 8;
	cr_assert_eq(EXEC(s, "\x48\xcf"), RAN);
	cr_expect(v->rip == TEXT && vcpu_cpl(v) == 3 && v->gpr[RSP] == STACK3);
	cr_expect_eq(v->seg[FS].base, 0x1234567, "bases of null segments live on");
	synth_free(s);
}

Test(long_mode, ist_and_same_level)
{
	struct synth *s = synth_new("max");
	enter_long(s, 0);
	struct vcpu *v = &s->c.v;
	poke(s, TSS + 28 + 3 * 8, 0x6800, 8);
	idt64(s, 2, CODE64, 0x8e, 3);
	v->nmi_blocked = true;
	cr_assert_eq(deliver_event(&s->c, EVENT_EXT, 2, false, 0), 0);
	cr_expect(v->gpr[RSP] == 0x6800 - 40 && frame64(s, 3) == STACK0 && frame64(s, 4) == DATA0);
	cr_expect_eq(v->seg[SS].sel, DATA0);
	cr_assert_eq(EXEC(s, "\x48\xcf"), RAN);
	cr_expect(v->gpr[RSP] == STACK0 && !v->nmi_blocked && v->seg[SS].sel == DATA0);
	poke(s, TSS + 28 + 3 * 8, 0x800000000000, 8); /* not canonical: #SS(0) */
	idt64(s, EXC_SS, CODE64, 0x8e, 0);
	cr_assert_eq(deliver_event(&s->c, EVENT_EXT, 2, false, 0), 0);
	cr_expect(v->rip == HANDLER && frame64(s, 0) == 1);
	synth_free(s);
}

Test(long_mode, gate_types)
{
	struct synth *s = synth_new("max");
	enter_long(s, 0);
	idt64(s, 0x80, CODE0, 0xee, 0); /* 32-bit handler */
	cr_expect_eq(soft(s, 0x80), EXC_GP);
	cr_expect_eq(s->c.exc.error, CODE0);
	idt64(s, 0x80, CODE64, 0xe5, 0); /* task gate */
	cr_expect_eq(soft(s, 0x80), EXC_GP);
	cr_expect_eq(s->c.exc.error, 0x80 * 8 + 2);
	rflags_set(&s->c.v, FL_NT);
	cr_expect_eq(EXEC(s, "\x48\xcf"), EXC_GP);
	synth_free(s);
}

Test(long_mode, iret_to_compatibility_mode)
{
	struct synth *s = synth_new("max");
	enter_long(s, 0);
	struct vcpu *v = &s->c.v;
	const uint64_t frame[] = {0x100001234, CODE3, FL_IF | 2, 0xffff00007000, DATA3};
	memcpy(s->ram.host + 0x5800, frame, sizeof(frame));
	v->gpr[RSP] = 0x5800;
	cr_assert_eq(EXEC(s, "\x48\xcf"), RAN);
	cr_expect(s->c.mode == 4 && v->rip == 0x1234 && v->gpr[RSP] == 0x7000);
	enter_long(s, 0);
	poke(s, 0x5808, CODE64_3, 8);
	poke(s, 0x5800, 0x800000000000, 8);
	v->gpr[RSP] = 0x5800;
	cr_expect_eq(EXEC(s, "\x48\xcf"), EXC_GP);
	cr_expect_eq(vcpu_cpl(v), 0);
	poke(s, 0x5800, 0x1000, 8);
	poke(s, 0x5820, 3, 8); /* null SS at level 3 */
	cr_expect_eq(EXEC(s, "\x48\xcf"), EXC_GP);
	synth_free(s);
}

/* Runs n instructions of code, at TEXT, with an engine; leaves the state in s->c.v. */
static void engine_run(struct synth *s, const char *code, size_t len, unsigned n)
{
	_Atomic uint32_t events = 0;
	struct engine_cpu *e;

	memcpy(s->ram.host + TEXT, code, len);
	cr_assert_eq(engine_interp.create(&e, &s->model, &s->bus, 0, &events), 0);
	engine_interp.load(e, &s->c.v);
	while (n--)
		engine_interp.run(e, 1);
	engine_interp.store(e, &s->c.v);
	engine_interp.destroy(e);
}
#define RUN(s, code, n) engine_run(s, code, sizeof(code) - 1, n)

enum { DB_HANDLER = 0xa000 };

static struct synth *stepping(void)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 0);
	idt32(s, EXC_DB, gate(CODE0, DB_HANDLER, 0x8e, 0));
	idt32(s, 0x80, gate(CODE0, HANDLER, 0x8f, 0));
	rflags_set(&s->c.v, FL_TF);
	core_update_mode(&s->c);
	return s;
}

Test(single_step, after_an_instruction)
{
	struct synth *s = stepping();
	RUN(s, "\x90", 1);
	cr_expect(s->c.v.rip == DB_HANDLER && s->c.v.dr6 & 1 << 14);
	cr_expect(frame(s, 0) == TEXT + 1 && frame(s, 2) == (FL_TF | 2));
	synth_free(s);
}

Test(single_step, not_after_int_n)
{
	struct synth *s = stepping();
	RUN(s, "\xcd\x80", 1);
	cr_expect_eq(s->c.v.rip, HANDLER);
	cr_expect_eq(frame(s, 2), FL_TF | 2);
	synth_free(s);
}

Test(single_step, not_after_syscall_that_masks_tf)
{
	struct synth *s = synth_new("max");
	enter_long(s, 3);
	struct vcpu *v = &s->c.v;
	poke(s, TSS + 4, STACK0, 8);
	idt64(s, EXC_DB, CODE64, 0x8e, 0);
	v->star = (uint64_t)CODE0 << 32;
	v->lstar = DB_HANDLER;
	v->sfmask = FL_TF;
	rflags_set(v, FL_TF);
	core_update_mode(&s->c);
	RUN(s, "\x0f\x05", 1);
	cr_expect_eq(v->rip, DB_HANDLER);
	enter_long(s, 3);
	v->sfmask = 0;
	rflags_set(v, FL_TF);
	core_update_mode(&s->c);
	RUN(s, "\x0f\x05", 1);
	cr_expect_eq(v->rip, HANDLER, "TF stays set: trap in the kernel");
	synth_free(s);
}

Test(single_step, waits_for_the_instruction_after_mov_ss)
{
	struct synth *s = stepping();
	s->c.v.gpr[RAX] = DATA0;
	RUN(s, "\x8e\xd0\x90", 1);
	cr_expect_eq(s->c.v.rip, TEXT + 2);
	RUN(s, "\x8e\xd0\x90", 1);
	cr_expect(s->c.v.rip == DB_HANDLER && frame(s, 0) == TEXT + 3);
	synth_free(s);
}

Test(single_step, breakpoints)
{
	struct synth *s = stepping();
	struct vcpu *v = &s->c.v;
	rflags_set(v, 0);
	v->dr[0] = TEXT + 1;
	v->dr[1] = 0x5000;
	v->dr7 |= 1 | 4 | 0xdull << 20; /* DR1: four bytes, written */
	core_update_mode(&s->c);
	RUN(s, "\x90\x90", 1);
	cr_expect_eq(v->rip, TEXT + 1);
	RUN(s, "\x90\x90", 1);
	cr_expect(v->rip == DB_HANDLER && (v->dr6 & 15) == 1 && frame(s, 0) == TEXT + 1);
	v->rip = TEXT + 1;
	v->rflags |= FL_RF;
	RUN(s, "\x90\x90", 1);
	cr_expect(v->rip == TEXT + 2 && !(v->rflags & FL_RF));
	v->rip = TEXT;
	v->dr7 &= ~1ull;
	RUN(s, "\xc6\x05\x03\x50\x00\x00\x77", 1); /* mov byte [5003h], 77h */
	cr_expect(v->rip == DB_HANDLER && (v->dr6 & 15) == 2 && frame(s, 0) == TEXT + 7);
	cr_expect_eq(peek(s, 0x5003, 1), 0x77, "a trap: the store is done");
	synth_free(s);
}
