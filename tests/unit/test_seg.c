/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Segment loads, limits, far transfers, gates and task switches.
 */
#include "synth.h"

#define ERR(s) ((s)->c.exc.error)

static int load(struct synth *s, unsigned sreg, uint16_t sel)
{
	memset(&s->c.exc, 0, sizeof(s->c.exc));
	return CATCH(s, seg_load(&s->c, sreg, sel));
}

static void expect_fault(struct synth *s, int got, int vector, uint32_t error)
{
	cr_expect_eq(got, vector, "vector %d, not %d", got, vector);
	cr_expect_eq(ERR(s), error, "error code %x, not %x", ERR(s), error);
}

Test(seg, data_loads)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 3);
	expect_fault(s, load(s, DS, DATA0), EXC_GP, DATA0);
	expect_fault(s, load(s, DS, TSS_SEL), EXC_GP, TSS_SEL);
	expect_fault(s, load(s, DS, GDT_END), EXC_GP, GDT_END);
	expect_fault(s, load(s, DS, 0x0c), EXC_GP, 0x0c); /* no LDT */
	cr_expect_eq(load(s, DS, CONF0), RAN);            /* readable conforming: any level */
	cr_expect_eq(load(s, DS, 3), RAN);
	cr_expect(s->c.v.seg[DS].attr & SEG_NULL && s->c.v.seg[DS].sel == 3);

	set_gdt(s, FREE, desc(0x1234, 0xff, 0xf2, 0));
	cr_expect_eq(load(s, ES, FREE | 3), RAN);
	cr_expect_eq(get_gdt(s, FREE) >> 40 & 0xff, 0xf3, "accessed bit");
	cr_expect(s->c.v.seg[ES].base == 0x1234 && s->c.v.seg[ES].limit == 0xff);
	set_gdt(s, FREE, desc(0, 0xff, 0x72, 0));
	expect_fault(s, load(s, ES, FREE), EXC_NP, FREE);
	set_gdt(s, FREE, desc(0, 0xff, 0xf8, 0)); /* execute only */
	expect_fault(s, load(s, ES, FREE), EXC_GP, FREE);

	poke(s, LDT + 8, desc(0x5000, 0xfffff, 0xf2, 4), 8);
	s->c.v.ldtr = (struct segment){.sel = LDT_SEL, .attr = 0x82, .limit = 0xf, .base = LDT};
	cr_expect_eq(load(s, GS, 0x0f), RAN);
	cr_expect_eq(s->c.v.seg[GS].base, 0x5000);
	expect_fault(s, load(s, GS, 0x17), EXC_GP, 0x14);
	synth_free(s);
}

Test(seg, stack_loads)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 3);
	expect_fault(s, load(s, SS, 0), EXC_GP, 0);
	expect_fault(s, load(s, SS, DATA3 & ~3), EXC_GP, DATA3 & ~3);
	expect_fault(s, load(s, SS, DATA0 | 3), EXC_GP, DATA0);
	expect_fault(s, load(s, SS, CODE3), EXC_GP, CODE3 & ~3);
	set_gdt(s, FREE, desc(0, 0xff, 0xf1, 0));
	expect_fault(s, load(s, SS, FREE | 3), EXC_GP, FREE);
	set_gdt(s, FREE, desc(0, 0xff, 0x73, 0));
	expect_fault(s, load(s, SS, FREE | 3), EXC_SS, FREE);
	set_gdt(s, FREE, desc(0, 0xff, 0xf3, 0));
	cr_expect_eq(EXEC(s, "\x8e\xd0"), EXC_GP); /* mov ss, ax = 0 */
	s->c.v.gpr[RAX] = FREE | 3;
	cr_expect_eq(EXEC(s, "\x8e\xd0"), RAN);
	cr_expect(s->c.v.mov_ss_shadow);
	cr_expect_eq(stack_mask(&s->c), 0xffff);
	synth_free(s);
}

Test(seg, null_stack_in_long_mode)
{
	struct synth *s = synth_new("max");
	enter_long(s, 0);
	cr_expect_eq(load(s, SS, 0), RAN);
	cr_expect_eq(vcpu_cpl(&s->c.v), 0);
	expect_fault(s, load(s, SS, 3), EXC_GP, 0);
	synth_free(s);
	s = synth_new("max");
	enter_long(s, 3);
	expect_fault(s, load(s, SS, 3), EXC_GP, 0);
	synth_free(s);
}

static int access_at(struct synth *s, unsigned sreg, uint32_t off, unsigned size, enum access acc)
{
	return CATCH(s, (void)seg_lin(&s->c, sreg, off, size, acc));
}

Test(seg, limits)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 0);
	set_gdt(s, FREE, desc(0, 0xff, 0x93, 4));
	cr_assert_eq(load(s, DS, FREE), RAN);
	cr_expect_eq(access_at(s, DS, 0xfc, 4, ACC_READ), RAN);
	expect_fault(s, access_at(s, DS, 0xfd, 4, ACC_READ), EXC_GP, 0);
	expect_fault(s, access_at(s, DS, 0xfffffffe, 4, ACC_READ), EXC_GP, 0);
	set_gdt(s, FREE, desc(0, 0xff, 0x97, 4)); /* expand down: 100h .. FFFFFFFFh */
	cr_assert_eq(load(s, DS, FREE), RAN);
	cr_expect_eq(access_at(s, DS, 0x100, 4, ACC_WRITE), RAN);
	cr_expect_eq(access_at(s, DS, 0xfffffffc, 4, ACC_WRITE), RAN);
	cr_expect_eq(access_at(s, DS, 0xff, 1, ACC_WRITE), EXC_GP);
	cr_expect_eq(access_at(s, DS, 0xfffffffd, 4, ACC_WRITE), EXC_GP);
	set_gdt(s, FREE, desc(0, 0xff, 0x97, 0)); /* 16-bit: .. FFFFh */
	cr_assert_eq(load(s, DS, FREE), RAN);
	cr_expect_eq(access_at(s, DS, 0xfffe, 2, ACC_READ), RAN);
	cr_expect_eq(access_at(s, DS, 0xffff, 2, ACC_READ), EXC_GP);
	set_gdt(s, FREE, desc(0, 0xff, 0x91, 4)); /* read only */
	cr_assert_eq(load(s, DS, FREE), RAN);
	cr_expect_eq(access_at(s, DS, 0, 4, ACC_READ), RAN);
	cr_expect_eq(access_at(s, DS, 0, 4, ACC_WRITE), EXC_GP);
	cr_assert_eq(load(s, DS, 0), RAN);
	cr_expect_eq(access_at(s, DS, 0, 1, ACC_READ), EXC_GP);
	cr_expect_eq(access_at(s, CS, 0, 1, ACC_WRITE), EXC_GP);
	cr_expect_eq(access_at(s, CS, 0, 1, ACC_READ), RAN);
	set_gdt(s, FREE, desc(0, 0xff, 0x93, 4));
	cr_assert_eq(load(s, SS, FREE), RAN);
	expect_fault(s, access_at(s, SS, 0x100, 1, ACC_READ), EXC_SS, 0);
	synth_free(s);
}

Test(seg, flat_segments_still_guard_code)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 0);
	cr_expect(s->c.flat);
	cr_expect_eq(access_at(s, CS, 0, 4, ACC_WRITE), EXC_GP);
	cr_expect_eq(access_at(s, DS, 0, 4, ACC_WRITE), RAN);
	cr_expect_eq(access_at(s, DS, 0xfffffffd, 4, ACC_READ), EXC_GP);
	synth_free(s);
}

Test(seg, real_mode)
{
	struct synth *s = synth_new("max");
	s->c.v.gpr[RAX] = 0x1234;
	cr_expect_eq(EXEC(s, "\x8e\xd8"), RAN); /* mov ds, ax */
	cr_expect(s->c.v.seg[DS].base == 0x12340 && s->c.v.seg[DS].limit == 0xffff);
	s->c.v.seg[DS].limit = 0xffffffff; /* kept by loads: big real mode */
	s->c.v.gpr[RAX] = 0x20;
	cr_expect_eq(EXEC(s, "\x8e\xd8"), RAN);
	cr_expect_eq(s->c.v.seg[DS].limit, 0xffffffff);
	cr_expect_eq(access_at(s, DS, 0x10000, 4, ACC_READ), RAN);
	cr_expect_eq(access_at(s, ES, 0xffff, 2, ACC_READ), EXC_GP);
	synth_free(s);
}

static int jump(struct synth *s, uint16_t sel, uint64_t off)
{
	memset(&s->c.exc, 0, sizeof(s->c.exc));
	return CATCH(s, far_jmp(&s->c, sel, off, 4, 0));
}

static int call(struct synth *s, uint16_t sel, uint64_t off, uint64_t next)
{
	memset(&s->c.exc, 0, sizeof(s->c.exc));
	return CATCH(s, far_call(&s->c, sel, off, 4, next));
}

Test(far, code_segments)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 3);
	cr_expect_eq(jump(s, CODE3, 0x1111), RAN);
	cr_expect_eq(s->c.v.rip, 0x1111);
	expect_fault(s, jump(s, 0, 0), EXC_GP, 0);
	expect_fault(s, jump(s, CODE0, 0), EXC_GP, CODE0);
	expect_fault(s, jump(s, DATA3, 0), EXC_GP, DATA3 & ~3);
	cr_expect_eq(jump(s, CONF0, 0x2222), RAN);
	cr_expect_eq(s->c.v.seg[CS].sel, CONF0 | 3);
	cr_expect_eq(vcpu_cpl(&s->c.v), 3);
	set_gdt(s, FREE, desc(0, 0xfff, 0xfb, 4));
	expect_fault(s, jump(s, FREE, 0x1000), EXC_GP, 0);
	set_gdt(s, FREE, desc(0, 0xfff, 0x7b, 4));
	expect_fault(s, jump(s, FREE, 0), EXC_NP, FREE);
	synth_free(s);
}

Test(far, call_and_return)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 0);
	cr_expect_eq(call(s, CODE0, 0x4444, 0x1234), RAN);
	cr_expect_eq(s->c.v.gpr[RSP], STACK0 - 8);
	cr_expect(peek(s, STACK0 - 8, 4) == 0x1234 && peek(s, STACK0 - 4, 2) == CODE0);
	cr_expect_eq(CATCH(s, far_ret(&s->c, 4, 8)), RAN);
	cr_expect(s->c.v.rip == 0x1234 && s->c.v.gpr[RSP] == STACK0 + 8);
	synth_free(s);
}

Test(far, call_gate_with_parameters)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 3);
	struct vcpu *v = &s->c.v;
	set_gdt(s, GATE, gate(CODE0, 0x12345, 0xec, 2));
	poke(s, STACK3, 0xaaaa1111, 4);
	poke(s, STACK3 + 4, 0xbbbb2222, 4);
	cr_assert_eq(call(s, GATE | 3, 0xdead, 0x1000), RAN);
	cr_expect(v->rip == 0x12345 && v->seg[CS].sel == CODE0 && v->seg[SS].sel == DATA0);
	cr_expect_eq(vcpu_cpl(v), 0);
	cr_expect_eq(v->gpr[RSP], STACK0 - 24);
	uint32_t frame[6];
	memcpy(frame, s->ram.host + STACK0 - 24, sizeof(frame));
	cr_expect(frame[0] == 0x1000 && frame[1] == CODE3 && frame[2] == 0xaaaa1111 &&
		  frame[3] == 0xbbbb2222 && frame[4] == STACK3 && frame[5] == DATA3);
	/* The way back: inner data segments do not survive. */
	cr_assert_eq(load(s, ES, DATA0), RAN);
	cr_assert_eq(CATCH(s, far_ret(&s->c, 4, 8)), RAN);
	cr_expect(v->rip == 0x1000 && v->seg[CS].sel == CODE3 && v->seg[SS].sel == DATA3);
	cr_expect_eq(v->gpr[RSP], STACK3 + 8);
	cr_expect(v->seg[ES].attr & SEG_NULL && !(v->seg[DS].attr & SEG_NULL));
	synth_free(s);
}

Test(far, call_gate_checks)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 3);
	set_gdt(s, GATE, gate(CODE0, 0, 0x8c, 0));
	expect_fault(s, call(s, GATE, 0, 0), EXC_GP, GATE);
	set_gdt(s, GATE, gate(CODE0, 0, 0x6c, 0));
	expect_fault(s, call(s, GATE, 0, 0), EXC_NP, GATE);
	set_gdt(s, GATE, gate(0, 0, 0xec, 0));
	expect_fault(s, call(s, GATE, 0, 0), EXC_GP, 0);
	set_gdt(s, GATE, gate(DATA0, 0, 0xec, 0));
	expect_fault(s, call(s, GATE, 0, 0), EXC_GP, DATA0);
	set_gdt(s, GATE, gate(CODE0, 0, 0xec, 0));
	expect_fault(s, jump(s, GATE, 0), EXC_GP, CODE0);
	poke(s, TSS + 8, 0, 4);
	expect_fault(s, call(s, GATE, 0, 0), EXC_TS, 0);
	poke(s, TSS + 8, DATA3, 4);
	expect_fault(s, call(s, GATE, 0, 0), EXC_TS, DATA3 & ~3);
	set_gdt(s, FREE, desc(0, 0xffff, 0x13, 4));
	poke(s, TSS + 8, FREE, 4);
	expect_fault(s, call(s, GATE, 0, 0), EXC_SS, FREE);
	s->c.v.tr.limit = 8;
	expect_fault(s, call(s, GATE, 0, 0), EXC_TS, TSS_SEL);
	cr_expect(s->c.v.seg[CS].sel == CODE3 && s->c.v.gpr[RSP] == STACK3, "nothing changed");
	synth_free(s);
}

Test(far, call_gate_64)
{
	struct synth *s = synth_new("max");
	enter_long(s, 3);
	struct vcpu *v = &s->c.v;
	poke(s, TSS + 4, STACK0, 8);
	set_gdt(s, GATE, gate(CODE64, 0x12345678, 0xec, 0));
	poke(s, GDT + GATE + 8, 0x7fff, 8);
	cr_assert_eq(CATCH(s, far_call(&s->c, GATE | 3, 0, 8, 0x1000)), RAN);
	cr_expect_eq(v->rip, 0x7fff12345678);
	cr_expect(v->seg[SS].sel == 0 && v->seg[SS].attr & SEG_NULL && vcpu_cpl(v) == 0);
	cr_expect_eq(v->gpr[RSP], STACK0 - 32);
	cr_expect(peek(s, STACK0 - 32, 8) == 0x1000 && peek(s, STACK0 - 16, 8) == STACK3);
	cr_assert_eq(CATCH(s, far_ret(&s->c, 8, 0)), RAN);
	cr_expect(v->rip == 0x1000 && v->gpr[RSP] == STACK3 && vcpu_cpl(v) == 3);
	poke(s, GDT + GATE + 8, 0x8000, 8); /* not canonical */
	cr_expect_eq(CATCH(s, far_call(&s->c, GATE | 3, 0, 8, 0x1000)), EXC_GP);
	poke(s, GDT + GATE + 8, 0x100000000000, 8); /* type bits of the upper half */
	cr_expect_eq(CATCH(s, far_call(&s->c, GATE | 3, 0, 8, 0x1000)), EXC_GP);
	set_gdt(s, GATE, gate(CODE0, 0, 0xec, 0)); /* not 64-bit code */
	poke(s, GDT + GATE + 8, 0, 8);
	cr_expect_eq(CATCH(s, far_call(&s->c, GATE | 3, 0, 8, 0x1000)), EXC_GP);
	expect_fault(s, jump(s, TSS_SEL, 0), EXC_GP, TSS_SEL);
	synth_free(s);
}

Test(far, leaves_compatibility_mode)
{
	struct synth *s = synth_new("max");
	enter_long(s, 0);
	cr_assert_eq(jump(s, CODE0, 0x100), RAN);
	cr_expect_eq(s->c.mode, 4);
	cr_assert_eq(jump(s, CODE64, 0x200), RAN);
	cr_expect_eq(s->c.mode, 8);
	set_gdt(s, FREE, desc(0, 0xffffffff, 0x9b, 6)); /* L and D */
	expect_fault(s, jump(s, FREE, 0), EXC_GP, FREE);
	synth_free(s);
}

/* A 32-bit TSS for level cpl at `at`. */
static void build_tss(struct synth *s, uint32_t at, unsigned cpl, uint32_t eip)
{
	uint16_t data = cpl ? DATA3 : DATA0;
	memset(s->ram.host + at, 0, 0x68);
	poke(s, at + 4, 0x6800, 4);
	poke(s, at + 8, DATA0, 4);
	poke(s, at + 0x20, eip, 4);
	poke(s, at + 0x24, 2, 4);
	for (unsigned n = 0; n < 8; n++)
		poke(s, at + 0x28 + n * 4, 0x100 + n, 4);
	poke(s, at + 0x28 + 16, STACK3, 4);
	for (unsigned n = 0; n < 6; n++)
		poke(s, at + 0x48 + n * 4, n == CS ? (cpl ? CODE3 : CODE0) : data, 4);
}

static unsigned type_of(struct synth *s, uint16_t sel)
{
	return get_gdt(s, sel) >> 40 & 15;
}

Test(task, jump_saves_and_loads)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 0);
	struct vcpu *v = &s->c.v;
	build_tss(s, TSS2, 3, 0x9000);
	v->gpr[RBX] = 0x55;
	v->dr7 |= 3;
	cr_assert_eq(CATCH(s, far_jmp(&s->c, TSS2_SEL, 0, 4, 0x8123)), RAN);
	cr_expect(v->rip == 0x9000 && v->tr.sel == TSS2_SEL && vcpu_cpl(v) == 3);
	cr_expect(v->gpr[RAX] == 0x100 && v->gpr[RDI] == 0x107 && v->seg[DS].sel == DATA3);
	cr_expect(v->cr0 & CR0_TS && !(v->rflags & FL_NT) && (v->dr7 & 3) == 2);
	cr_expect(type_of(s, TSS_SEL) == 9 && type_of(s, TSS2_SEL) == 11);
	cr_expect(peek(s, TSS + 0x20, 4) == 0x8123 && peek(s, TSS + 0x34, 4) == 0x55);
	cr_expect(!s->c.rip_set);
	synth_free(s);
}

Test(task, call_and_iret_nest)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 0);
	struct vcpu *v = &s->c.v;
	build_tss(s, TSS2, 0, 0x9000);
	v->gpr[RCX] = 0x77;
	cr_assert_eq(CATCH(s, far_call(&s->c, TSS2_SEL, 0, 4, 0x8123)), RAN);
	cr_expect(v->rflags & FL_NT && peek(s, TSS2, 2) == TSS_SEL);
	cr_expect(type_of(s, TSS_SEL) == 11 && type_of(s, TSS2_SEL) == 11);
	v->rip = 0x9010;
	cr_assert_eq(EXEC(s, "\xcf"), RAN); /* iret */
	cr_expect(v->rip == 0x8123 && v->tr.sel == TSS_SEL && v->gpr[RCX] == 0x77);
	cr_expect(type_of(s, TSS_SEL) == 11 && type_of(s, TSS2_SEL) == 9);
	cr_expect(!(v->rflags & FL_NT) && peek(s, TSS2 + 0x20, 4) == 0x9011);
	cr_expect(!(peek(s, TSS2 + 0x24, 4) & FL_NT));
	synth_free(s);
}

Test(task, faults_before_and_after_the_switch)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 0);
	struct vcpu *v = &s->c.v;
	build_tss(s, TSS2, 0, 0x9000);
	set_gdt(s, TSS2_SEL, desc(TSS2, 0x66, 0x89, 0));
	expect_fault(s, jump(s, TSS2_SEL, 0), EXC_TS, TSS2_SEL);
	cr_expect(!s->c.exc.trap && v->tr.sel == TSS_SEL);
	set_gdt(s, TSS2_SEL, desc(TSS2, 0x67, 0x09, 0));
	expect_fault(s, jump(s, TSS2_SEL, 0), EXC_NP, TSS2_SEL);
	set_gdt(s, TSS2_SEL, desc(TSS2, 0x67, 0x8b, 0));
	expect_fault(s, jump(s, TSS2_SEL, 0), EXC_GP, TSS2_SEL); /* busy */
	set_gdt(s, TSS2_SEL, desc(TSS2, 0x67, 0x89, 0));
	poke(s, TSS2 + 0x48 + DS * 4, CODE0 + 1, 4);
	set_gdt(s, CODE0, desc(0, 0xffffffff, 0x99, 4)); /* not readable */
	expect_fault(s, jump(s, TSS2_SEL, 0), EXC_TS, CODE0);
	cr_expect(s->c.exc.trap && v->rip == 0x9000 && v->tr.sel == TSS2_SEL);
	cr_expect(!s->c.rip_set);
	synth_free(s);
}

Test(task, trap_bit)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 0);
	build_tss(s, TSS2, 0, 0x9000);
	poke(s, TSS2 + 0x64, 1, 2);
	cr_expect_eq(jump(s, TSS2_SEL, 0), EXC_DB);
	cr_expect(s->c.exc.trap && s->c.exc.dr6 == 0x8000 && s->c.v.rip == 0x9000);
	synth_free(s);
}

Test(task, sixteen_bit)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 0);
	struct vcpu *v = &s->c.v;
	set_gdt(s, TSS2_SEL, desc(TSS2, 0x2b, 0x81, 0));
	memset(s->ram.host + TSS2, 0, 0x2c);
	poke(s, TSS2 + 0x0e, 0x9000, 2);
	poke(s, TSS2 + 0x10, 2, 2);
	poke(s, TSS2 + 0x12, 0x1234, 2);
	for (unsigned n = 0; n < 4; n++)
		poke(s, TSS2 + 0x22 + n * 2, n == CS ? CODE0 : DATA0, 2);
	cr_assert_eq(jump(s, TSS2_SEL, 0), RAN);
	cr_expect(v->rip == 0x9000 && (uint16_t)v->gpr[RAX] == 0x1234);
	cr_expect(v->seg[FS].attr & SEG_NULL && type_of(s, TSS2_SEL) == 3);
	synth_free(s);
}

/* A 16-bit code segment may be larger than 64 KiB: only jumps cut their target off. UEFI firmware goes on there on its
 * way back to real mode. */
Test(seg, large_16_bit_code)
{
	struct synth *s = synth_new("max");

	enter_protected(s, 0);
	s->c.v.seg[CS].attr &= ~(uint32_t)SEG_DB;
	core_update_mode(&s->c);
	s->c.v.rip = 0x1fff0;
	cr_expect_eq(EXEC(s, "\xb8\x30\x00"), RAN); /* mov ax, 30h */
	cr_expect_eq(s->c.v.rip, 0x1fff3);
	cr_expect_eq(EXEC(s, "\xeb\x0d"), RAN); /* jmp +13 */
	cr_expect_eq(s->c.v.rip, 0x0002);
	synth_free(s);
}
