/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Control and debug registers, MSRs, descriptor instructions, fast system calls.
 */
#include "synth.h"

#include "cpu/msr.h"

static int to_cr(struct synth *s, unsigned cr, uint64_t val)
{
	char code[] = {0x44, 0x0f, 0x22, (char)(0xc0 | (cr & 7) << 3)};
	s->c.v.gpr[RAX] = val;
	memset(&s->c.exc, 0, sizeof(s->c.exc));
	if (cr == 8)
		return exec_bytes(s, code, 4);
	return exec_bytes(s, code + 1, 3);
}

Test(cr, cr0_rules)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 0);
	struct vcpu *v = &s->c.v;
	cr_expect_eq(to_cr(s, 0, CR0_PG), EXC_GP);
	cr_expect_eq(to_cr(s, 0, CR0_PE | CR0_NW), EXC_GP);
	cr_expect_eq(to_cr(s, 0, CR0_PE | CR0_NW | CR0_CD), RAN);
	cr_expect_eq(v->cr0, CR0_PE | CR0_NW | CR0_CD | CR0_ET);
	enter_protected(s, 3);
	cr_expect_eq(to_cr(s, 0, 0), EXC_GP);
	synth_free(s);
	s = synth_new("max");
	enter_long(s, 0);
	cr_expect_eq(to_cr(s, 0, 1ull << 32 | CR0_PE), EXC_GP);
	cr_expect_eq(to_cr(s, 0, CR0_PE), EXC_GP, "no way out of paging from 64-bit code");
	synth_free(s);
}

Test(cr, into_and_out_of_long_mode)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 0);
	struct vcpu *v = &s->c.v;
	poke(s, 0x4000, 0x5007, 8);
	poke(s, 0x5000, 0x0087, 8);
	v->gpr[RCX] = 0xc0000080;
	v->gpr[RAX] = EFER_LME;
	v->gpr[RDX] = 0;
	cr_assert_eq(EXEC(s, "\x0f\x30"), RAN);
	cr_assert_eq(to_cr(s, 3, 0x4000), RAN);
	cr_expect_eq(to_cr(s, 0, CR0_PE | CR0_PG), EXC_GP, "PAE is off");
	cr_assert_eq(to_cr(s, 4, CR4_PAE), RAN);
	v->tr.attr = 0x83;
	cr_expect_eq(to_cr(s, 0, CR0_PE | CR0_PG), EXC_GP, "16-bit TSS");
	v->tr.attr = 0x8b;
	cr_assert_eq(to_cr(s, 0, CR0_PE | CR0_PG), RAN);
	cr_expect(v->efer & EFER_LMA && s->c.mode == 4);
	cr_expect_eq(to_cr(s, 4, 0), EXC_GP, "PAE stays");
	cr_expect_eq(to_cr(s, 4, CR4_PAE | CR4_LA57), EXC_GP, "so do the levels");
	uint64_t efer;
	cr_expect_eq(msr_write(&s->c, 0xc0000080, 0), -1, "LME under paging");
	cr_assert_eq(CATCH(s, far_jmp(&s->c, CODE64, 0x1000, 4, 0)), RAN);
	cr_expect_eq(s->c.mode, 8);
	cr_assert_eq(to_cr(s, 4, CR4_PAE | CR4_PCIDE), RAN);
	cr_assert_eq(CATCH(s, far_jmp(&s->c, CODE0, 0x1000, 4, 0)), RAN);
	cr_expect_eq(to_cr(s, 0, CR0_PE), EXC_GP, "PCIDE");
	cr_assert_eq(to_cr(s, 4, CR4_PAE), RAN);
	cr_assert_eq(to_cr(s, 0, CR0_PE), RAN);
	msr_read(&s->c, 0xc0000080, &efer);
	cr_expect_eq(efer, EFER_LME);
	synth_free(s);
}

Test(cr, cr3_and_pdptes)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 0);
	struct vcpu *v = &s->c.v;
	poke(s, 0x4020, 0x5001, 8);
	poke(s, 0x5000, 0x0083, 8);
	cr_assert_eq(to_cr(s, 4, CR4_PAE), RAN);
	cr_assert_eq(to_cr(s, 3, 0x4020), RAN);
	cr_assert_eq(to_cr(s, 0, CR0_PE | CR0_PG), RAN);
	cr_expect_eq(v->pdpte[0], 0x5001);
	poke(s, 0x4060, 0x5003, 8); /* reserved bit */
	cr_expect_eq(to_cr(s, 3, 0x4060), EXC_GP);
	cr_expect_eq(v->cr3, 0x4020);
	synth_free(s);
	s = synth_new("max");
	enter_long(s, 0);
	v = &s->c.v;
	cr_expect_eq(to_cr(s, 3, 1ull << 40), EXC_GP);
	cr_expect_eq(to_cr(s, 3, 1ull << 63 | 0x4000), EXC_GP);
	cr_assert_eq(to_cr(s, 4, CR4_PAE | CR4_PCIDE), RAN);
	cr_assert_eq(to_cr(s, 3, 1ull << 63 | 0x4005), RAN);
	cr_expect_eq(v->cr3, 0x4005);
	cr_expect_eq(s->c.tlb.pcid, 5);
	cr_assert_eq(to_cr(s, 4, CR4_PAE), RAN);
	cr_expect_eq(s->c.tlb.pcid, 0);
	cr_expect_eq(to_cr(s, 4, CR4_PAE | CR4_PCIDE), EXC_GP, "CR3[11:0] is not 0");
	synth_free(s);
}

Test(cr, cr4_follows_cpuid)
{
	struct synth *s = synth_new("qemu64");
	enter_protected(s, 0);
	cr_expect_eq(to_cr(s, 4, CR4_OSXSAVE), EXC_GP);
	cr_expect_eq(to_cr(s, 4, CR4_SMEP), EXC_GP);
	cr_expect_eq(to_cr(s, 4, 1u << 13), EXC_GP);
	cr_expect_eq(to_cr(s, 4, CR4_OSFXSR | CR4_PSE), RAN);
	cr_expect_eq(to_cr(s, 1, 0), EXC_UD);
	synth_free(s);
}

Test(cr, lmsw_sets_but_never_clears_pe)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 0);
	s->c.v.gpr[RAX] = CR0_TS;
	cr_expect_eq(EXEC(s, "\x0f\x01\xf0"), RAN);
	cr_expect_eq(s->c.v.cr0, CR0_PE | CR0_ET | CR0_NE | CR0_TS);
	cr_expect_eq(EXEC(s, "\x0f\x06"), RAN); /* clts */
	cr_expect(!(s->c.v.cr0 & CR0_TS));
	synth_free(s);
}

Test(dr, registers)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 0);
	struct vcpu *v = &s->c.v;
	v->gpr[RAX] = 0xffffffff;
	cr_expect_eq(EXEC(s, "\x0f\x23\xf0"), RAN); /* mov dr6, eax */
	cr_expect_eq(v->dr6, 0xffffefff);
	v->gpr[RAX] = 0;
	cr_expect_eq(EXEC(s, "\x0f\x23\xe0"), RAN); /* dr4 is dr6 */
	cr_expect_eq(v->dr6, 0xffff0ff0);
	v->cr4 |= CR4_DE;
	cr_expect_eq(EXEC(s, "\x0f\x23\xe0"), EXC_UD);
	v->gpr[RAX] = 1 << 13 | 1;
	cr_expect_eq(EXEC(s, "\x0f\x23\xf8"), RAN);
	cr_expect(v->dr7 == (0x400 | 1 << 13 | 1) && s->c.debug_active);
	cr_expect_eq(EXEC(s, "\x0f\x21\xc0"), EXC_DB); /* general detect */
	cr_expect(s->c.exc.dr6 == 1 << 13 && !s->c.exc.trap);
	synth_free(s);
	s = synth_new("max");
	enter_long(s, 0);
	s->c.v.gpr[RAX] = 1ull << 32;
	cr_expect_eq(EXEC(s, "\x0f\x23\xf8"), EXC_GP);
	synth_free(s);
}

static int wr(struct synth *s, uint32_t msr, uint64_t val)
{
	return msr_write(&s->c, msr, val);
}
static uint64_t rd(struct synth *s, uint32_t msr)
{
	uint64_t val = 0xdead;
	cr_expect_eq(msr_read(&s->c, msr, &val), 0, "read of %x", msr);
	return val;
}

Test(msr, reserved_bits)
{
	struct synth *s = synth_new("max");
	uint64_t val;
	enter_long(s, 0);
	cr_expect_eq(wr(s, 0x277, 0x0007040600070406), 0);
	cr_expect_eq(wr(s, 0x277, 0x02), -1);
	cr_expect_eq(wr(s, 0x2ff, 0xc06), 0);
	cr_expect_eq(wr(s, 0x2ff, 0x1c06), -1);
	cr_expect_eq(wr(s, 0x250, 0x0606060606060606), 0);
	cr_expect_eq(wr(s, 0x250, 0x0606060606060602), -1);
	cr_expect_eq(wr(s, 0x200, 0x80000006), 0);
	cr_expect_eq(wr(s, 0x201, 0xff80000800), 0);
	cr_expect_eq(wr(s, 0x201, 0x1ff80000800), -1, "above MAXPHYADDR");
	cr_expect_eq(rd(s, 0x200), 0x80000006);
	cr_expect_eq(wr(s, 0xfe, 0), -1);
	cr_expect_eq(rd(s, 0xfe) & 0xff, 8);
	cr_expect_eq(wr(s, 0xc0000082, 0x800000000000), -1);
	cr_expect_eq(wr(s, 0xc0000082, 0xffff800000000000), 0);
	cr_expect_eq(wr(s, 0xc0000080, 1u << 12), -1);
	cr_expect_eq(wr(s, 0xda0, 0x100), -1);
	cr_expect_eq(wr(s, 0xc0000103, 1ull << 32), -1);
	cr_expect_eq(wr(s, 0x401, 1), -1);
	cr_expect_eq(wr(s, 0x400, ~0ull), 0);
	cr_expect_eq(msr_read(&s->c, 0x428, &val), -1, "bank 10");
	cr_expect_eq(msr_read(&s->c, 0x12345, &val), -1);
	cr_expect_eq(msr_read(&s->c, 0xc0010015, &val), -1);
	synth_free(s);
}

Test(msr, every_number_is_harmless)
{
	struct synth *s = synth_new("max");
	uint64_t val;
	enter_long(s, 0);
	for (uint32_t n = 0; n < 0x2000; n++) {
		msr_read(&s->c, n, &val);
		msr_read(&s->c, 0xc0000000 + n, &val);
		msr_write(&s->c, n, ~0ull);
		msr_write(&s->c, n, 0);
	}
	synth_free(s);
}

Test(msr, tsc)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 0);
	cr_expect_eq(rd(s, 0x10), 1000);
	cr_expect_eq(wr(s, 0x10, 5000), 0);
	cr_expect(rd(s, 0x10) == 5000 && rd(s, 0x3b) == 4000);
	cr_expect_eq(wr(s, 0x3b, 0), 0);
	cr_expect_eq(rd(s, 0x10), 1000);
	s->c.v.cr4 |= CR4_TSD;
	cr_expect_eq(EXEC(s, "\x0f\x31"), RAN);
	cr_expect(s->c.v.gpr[RAX] == 1000 && s->c.v.gpr[RDX] == 0);
	enter_protected(s, 3);
	cr_expect_eq(EXEC(s, "\x0f\x31"), EXC_GP);
	cr_expect_eq(EXEC(s, "\x0f\x01\xf9"), EXC_GP);
	synth_free(s);
}

Test(msr, apic_base_moves_the_page)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 0);
	core_update_apic(&s->c);
	cr_expect_eq(s->c.apic_page, 0xfee00000);
	cr_expect_eq(wr(s, 0x1b, 0xfed00900), 0);
	cr_expect_eq(s->c.apic_page, 0xfed00000);
	cr_expect_eq(wr(s, 0x1b, 0xfee00d00), 0); /* x2APIC */
	cr_expect_eq(s->c.apic_page, TLB_NONE);
	synth_free(s);
}

Test(fast_calls, syscall_and_sysret)
{
	struct synth *s = synth_new("max");
	enter_long(s, 3);
	struct vcpu *v = &s->c.v;
	v->star = (uint64_t)(CODE0 | 3) << 48 | (uint64_t)CODE0 << 32;
	v->lstar = 0x9000;
	v->sfmask = FL_IF | FL_TF | FL_DF;
	rflags_set(v, FL_IF | FL_DF | FL_CF);
	cr_assert_eq(EXEC(s, "\x0f\x05"), RAN);
	cr_expect(v->rip == 0x9000 && v->gpr[RCX] == TEXT + 2 && vcpu_cpl(v) == 0);
	cr_expect(v->gpr[R11] == (FL_IF | FL_DF | FL_CF | 2) && rflags_get(v) == (FL_CF | 2));
	cr_expect(v->seg[CS].sel == CODE0 && v->seg[SS].sel == CODE0 + 8 && s->c.mode == 8);
	cr_assert_eq(EXEC(s, "\x48\x0f\x07"), RAN);
	cr_expect(v->rip == TEXT + 2 && vcpu_cpl(v) == 3 && s->c.mode == 8);
	cr_expect(v->seg[CS].sel == ((CODE0 + 16) | 3) && v->seg[SS].sel == ((CODE0 + 8) | 3));
	cr_expect_eq(rflags_get(v), FL_IF | FL_DF | FL_CF | 2);
	cr_expect_eq(EXEC(s, "\x48\x0f\x07"), EXC_GP, "level 3");
	v->efer &= ~(uint64_t)EFER_SCE;
	cr_expect_eq(EXEC(s, "\x0f\x05"), EXC_UD);
	synth_free(s);
	s = synth_new("max");
	enter_long(s, 0);
	v = &s->c.v;
	v->gpr[RCX] = 0x123456789;
	cr_assert_eq(EXEC(s, "\x0f\x07"), RAN);
	cr_expect(s->c.mode == 4 && v->rip == 0x23456789);
	enter_long(s, 0);
	v->gpr[RCX] = 1ull << 47;
	cr_expect_eq(EXEC(s, "\x48\x0f\x07"), EXC_GP, "not canonical");
	cr_expect_eq(vcpu_cpl(v), 0);
	synth_free(s);
}

Test(fast_calls, sysenter_and_sysexit)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 3);
	struct vcpu *v = &s->c.v;
	cr_expect_eq(EXEC(s, "\x0f\x34"), EXC_GP);
	v->sysenter_cs = CODE0;
	v->sysenter_esp = 0x6000;
	v->sysenter_eip = 0x9000;
	rflags_set(v, FL_IF);
	cr_assert_eq(EXEC(s, "\x0f\x34"), RAN);
	cr_expect(v->rip == 0x9000 && v->gpr[RSP] == 0x6000 && vcpu_cpl(v) == 0);
	cr_expect(!(v->rflags & FL_IF) && s->c.flat);
	v->gpr[RDX] = 0x1111;
	v->gpr[RCX] = 0x7000;
	cr_assert_eq(EXEC(s, "\x0f\x35"), RAN);
	cr_expect(v->rip == 0x1111 && v->gpr[RSP] == 0x7000 && vcpu_cpl(v) == 3);
	cr_expect(v->seg[CS].sel == ((CODE0 + 16) | 3) && v->seg[SS].sel == ((CODE0 + 24) | 3));
	cr_expect_eq(EXEC(s, "\x0f\x35"), EXC_GP);
	synth_free(s);
}

Test(tables, load_and_store)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 0);
	struct vcpu *v = &s->c.v;
	poke(s, 0x100, 0x1234567800ff, 6);
	cr_expect_eq(EXEC(s, "\x0f\x01\x15\x00\x01\x00\x00"), RAN); /* lgdt [100h] */
	cr_expect(v->gdt.limit == 0xff && v->gdt.base == 0x12345678);
	cr_expect_eq(EXEC(s, "\x66\x0f\x01\x1d\x00\x01\x00\x00"), RAN); /* lidt, 24-bit base */
	cr_expect_eq(v->idt.base, 0x345678);
	cr_expect_eq(EXEC(s, "\x0f\x01\x05\x10\x01\x00\x00"), RAN); /* sgdt [110h] */
	cr_expect_eq(peek(s, 0x110, 6), 0x1234567800ff);
	enter_protected(s, 0);
	v->gpr[RAX] = TSS2_SEL;
	cr_expect_eq(EXEC(s, "\x0f\x00\xd8"), RAN); /* ltr ax */
	cr_expect(v->tr.base == TSS2 && v->tr.attr == 0x8b);
	cr_expect_eq(get_gdt(s, TSS2_SEL) >> 40 & 15, 11);
	cr_expect_eq(EXEC(s, "\x0f\x00\xd8"), EXC_GP, "busy");
	v->gpr[RAX] = LDT_SEL;
	cr_expect_eq(EXEC(s, "\x0f\x00\xd0"), RAN); /* lldt ax */
	cr_expect_eq(v->ldtr.base, LDT);
	cr_expect_eq(EXEC(s, "\x0f\x00\xc3"), RAN); /* sldt ebx */
	cr_expect_eq(v->gpr[RBX], LDT_SEL);
	v->gpr[RAX] = DATA0;
	cr_expect_eq(EXEC(s, "\x0f\x00\xd0"), EXC_GP);
	synth_free(s);
}

Test(tables, umip)
{
	struct synth *s = synth_new("max");
	enter_protected(s, 3);
	cr_expect_eq(EXEC(s, "\x0f\x01\x05\x10\x01\x00\x00"), RAN); /* sgdt */
	cr_expect_eq(EXEC(s, "\x0f\x01\xe0"), RAN);                 /* smsw eax */
	s->c.v.cr4 |= CR4_UMIP;
	cr_expect_eq(EXEC(s, "\x0f\x01\x05\x10\x01\x00\x00"), EXC_GP);
	cr_expect_eq(EXEC(s, "\x0f\x01\x0d\x10\x01\x00\x00"), EXC_GP);
	cr_expect_eq(EXEC(s, "\x0f\x00\xc0"), EXC_GP);
	cr_expect_eq(EXEC(s, "\x0f\x00\xc8"), EXC_GP);
	cr_expect_eq(EXEC(s, "\x0f\x01\xe0"), EXC_GP);
	synth_free(s);
}

/* Runs an instruction that reports in ZF. */
static bool zf(struct synth *s, const char *code, size_t len, uint16_t sel)
{
	s->c.v.gpr[RCX] = sel;
	cr_expect_eq(exec_bytes(s, code, len), RAN);
	return s->c.v.cc & FL_ZF;
}

Test(tables, looking_at_descriptors)
{
	static const char verr[] = "\x0f\x00\xe1", verw[] = "\x0f\x00\xe9", lar[] = "\x0f\x02\xc1",
			  lsl[] = "\x0f\x03\xc1";
	struct synth *s = synth_new("max");
	enter_protected(s, 3);
	struct vcpu *v = &s->c.v;
	cr_expect(zf(s, verr, 3, DATA3) && zf(s, verw, 3, DATA3) && zf(s, verr, 3, CODE3));
	cr_expect(!zf(s, verr, 3, DATA0) && !zf(s, verw, 3, CODE3) && zf(s, verr, 3, CONF0));
	cr_expect(!zf(s, verr, 3, 0) && !zf(s, verr, 3, GDT_END) && !zf(s, verr, 3, TSS_SEL));
	cr_expect(zf(s, lar, 3, DATA3));
	cr_expect_eq(v->gpr[RAX], 0x00c0f300);
	cr_expect(zf(s, lsl, 3, DATA3));
	cr_expect_eq(v->gpr[RAX], 0xffffffff);
	cr_expect(!zf(s, lar, 3, TSS_SEL), "DPL 0");
	enter_protected(s, 0);
	set_gdt(s, GATE, gate(CODE0, 0, 0x8c, 0));
	cr_expect(zf(s, lar, 3, TSS_SEL) && zf(s, lsl, 3, TSS_SEL));
	cr_expect(zf(s, lar, 3, GATE) && !zf(s, lsl, 3, GATE));
	v->gpr[RAX] = 0x10;
	v->gpr[RCX] = 0x13;
	cr_expect_eq(EXEC(s, "\x63\xc8"), RAN); /* arpl ax, cx */
	cr_expect(v->gpr[RAX] == 0x13 && v->cc & FL_ZF);
	cr_expect_eq(EXEC(s, "\x63\xc8"), RAN);
	cr_expect(!(v->cc & FL_ZF));
	synth_free(s);
}

Test(user_state, fsgsbase_and_swapgs)
{
	struct synth *s = synth_new("max");
	enter_long(s, 3);
	struct vcpu *v = &s->c.v;
	v->gpr[RAX] = 0x123456789a;
	cr_expect_eq(EXEC(s, "\xf3\x48\x0f\xae\xd0"), EXC_UD); /* wrfsbase without CR4 */
	v->cr4 |= CR4_FSGSBASE;
	cr_expect_eq(EXEC(s, "\xf3\x48\x0f\xae\xd0"), RAN);
	cr_expect_eq(v->seg[FS].base, 0x123456789a);
	cr_expect_eq(EXEC(s, "\xf3\x0f\xae\xc3"), RAN); /* rdfsbase ebx */
	cr_expect_eq(v->gpr[RBX], 0x3456789a);
	v->gpr[RAX] = 1ull << 63;
	cr_expect_eq(EXEC(s, "\xf3\x48\x0f\xae\xd8"), EXC_GP);
	cr_expect_eq(EXEC(s, "\x0f\x01\xf8"), EXC_GP); /* swapgs */
	synth_free(s);
}

Test(user_state, xcr0_and_pkru)
{
	struct synth *s = synth_new("max");
	enter_long(s, 0);
	struct vcpu *v = &s->c.v;
	v->gpr[RAX] = 7;
	cr_expect_eq(EXEC(s, "\x0f\x01\xd1"), EXC_UD); /* xsetbv without OSXSAVE */
	v->cr4 |= CR4_OSXSAVE;
	v->gpr[RCX] = v->gpr[RDX] = 0;
	cr_expect_eq(EXEC(s, "\x0f\x01\xd1"), RAN);
	cr_expect_eq(v->xcr0, 7);
	v->gpr[RAX] = 5; /* AVX without SSE */
	cr_expect_eq(EXEC(s, "\x0f\x01\xd1"), EXC_GP);
	v->gpr[RAX] = 6;
	cr_expect_eq(EXEC(s, "\x0f\x01\xd1"), EXC_GP);
	cr_expect_eq(EXEC(s, "\x0f\x01\xd0"), RAN);
	cr_expect_eq(v->gpr[RAX], 7);
	cr_expect_eq(EXEC(s, "\x0f\x01\xee"), EXC_UD);
	v->cr4 |= CR4_PKE;
	v->gpr[RAX] = 0xc;
	cr_expect_eq(EXEC(s, "\x0f\x01\xef"), RAN);
	cr_expect_eq(v->pkru, 0xc);
	v->gpr[RDX] = 1;
	cr_expect_eq(EXEC(s, "\x0f\x01\xef"), EXC_GP);
	synth_free(s);
}

Test(user_state, smap_flag)
{
	struct synth *s = synth_new("max");
	enter_long(s, 0);
	struct vcpu *v = &s->c.v;
	v->cr4 |= CR4_SMAP;
	core_update_mode(&s->c);
	cr_expect_eq(s->c.tlb_mode, TLB_KERNEL);
	cr_expect_eq(EXEC(s, "\x0f\x01\xcb"), RAN);
	cr_expect_eq(s->c.tlb_mode, TLB_KERNEL_AC);
	cr_expect_eq(EXEC(s, "\x0f\x01\xca"), RAN);
	cr_expect_eq(s->c.tlb_mode, TLB_KERNEL);
	enter_long(s, 3);
	cr_expect_eq(EXEC(s, "\x0f\x01\xca"), EXC_UD);
	synth_free(s);
}

Test(reset, table_9_1)
{
	struct synth *s = synth_new("max");
	struct vcpu *v = &s->c.v;
	cr_expect(v->rip == 0xfff0 && v->seg[CS].sel == 0xf000 && v->seg[CS].base == 0xffff0000);
	cr_expect(v->cr0 == 0x60000010 && v->gpr[RDX] == 0x206a7 && rflags_get(v) == 2);
	cr_expect(v->mxcsr == 0x1f80 && v->dr6 == 0xffff0ff0 && v->dr7 == 0x400);
	cr_expect(v->xcr0 == 1 && v->activity == ACT_RUNNING && s->c.mode == 2);
	v->cr0 = CR0_PE | CR0_PG;
	v->fpu.fcw = 0x37f;
	v->star = 5;
	vcpu_init(v, 1);
	cr_expect(v->cr0 == CR0_ET && v->fpu.fcw == 0x37f && v->star == 5);
	cr_expect_eq(v->activity, ACT_WAIT_SIPI);
	synth_free(s);
}
