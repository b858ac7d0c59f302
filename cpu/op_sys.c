/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * MSRs, time, identification, halting, extended state control and fast system calls.
 */
#include "cpu/debug.h"
#include "cpu/exc.h"
#include "cpu/msr.h"
#include "cpu/opcode.h"
#include "cpu/operand.h"
#include "cpu/transfer.h"
#include "cpu/x87.h"
#include "cpu/xstate.h"

static void write_edx_eax(struct core *c, uint64_t val)
{
	c->v.gpr[RAX] = (uint32_t)val;
	c->v.gpr[RDX] = val >> 32;
}

static uint64_t edx_eax(const struct core *c)
{
	return c->v.gpr[RDX] << 32 | (uint32_t)c->v.gpr[RAX];
}

void op_rdmsr(struct core *c, const struct insn *i)
{
	uint64_t val;
	(void)i;
	if (msr_read(c, (uint32_t)c->v.gpr[RCX], &val))
		raise_gp(c, 0);
	if (c->watch_events)
		watch_event(c, WATCH_RDMSR, (uint32_t)c->v.gpr[RCX], 1, val);
	write_edx_eax(c, val);
}

void op_wrmsr(struct core *c, const struct insn *i)
{
	(void)i;
	if (msr_write(c, (uint32_t)c->v.gpr[RCX], edx_eax(c)))
		raise_gp(c, 0);
	if (c->watch_events)
		watch_event(c, WATCH_MSR, (uint32_t)c->v.gpr[RCX], 1, edx_eax(c));
}

static void tsc_allowed(struct core *c)
{
	if (c->v.cr4 & CR4_TSD && vcpu_cpl(&c->v) > 0)
		raise_gp(c, 0);
}

void op_rdtsc(struct core *c, const struct insn *i)
{
	(void)i;
	tsc_allowed(c);
	write_edx_eax(c, core_tsc(c));
}

void op_rdtscp(struct core *c, const struct insn *i)
{
	(void)i;
	tsc_allowed(c);
	write_edx_eax(c, core_tsc(c));
	c->v.gpr[RCX] = (uint32_t)c->v.tsc_aux;
}

void op_rdpid(struct core *c, const struct insn *i)
{
	gpr_write(c, i->o[0].reg, c->mode == 8 ? 8 : 4, (uint32_t)c->v.tsc_aux);
}

/* There are no performance counters, so every index is out of range. */
void op_rdpmc(struct core *c, const struct insn *i)
{
	(void)i;
	raise_gp(c, 0);
}

void op_cpuid(struct core *c, const struct insn *i)
{
	struct vcpu *v = &c->v;
	struct cpuid_regs r = cpu_cpuid(c->model, v, (uint32_t)v->gpr[RAX], (uint32_t)v->gpr[RCX]);
	(void)i;
	v->gpr[RAX] = r.eax;
	v->gpr[RBX] = r.ebx;
	v->gpr[RCX] = r.ecx;
	v->gpr[RDX] = r.edx;
}

void op_hlt(struct core *c, const struct insn *i)
{
	(void)i;
	c->v.activity = ACT_HALTED;
	c->leave = true;
}

/* Caches are not modelled. */
void op_wbinvd(struct core *c, const struct insn *i)
{
	(void)c;
	(void)i;
}

void op_monitor(struct core *c, const struct insn *i)
{
	uint64_t off = gpr_read(c, RAX, i->asz);
	struct translation t;
	uint32_t err;

	if ((uint32_t)c->v.gpr[RCX])
		raise_gp(c, 0);
	uint64_t lin = seg_lin(c, i->seg, off, 1, ACC_READ);
	mem_read8(c, lin);
	if (!page_walk(c->mem, &c->paging, lin, ACC_READ, false, true, &t, &err))
		c->monitor_gpa = t.gpa;
}

/* Waking for no reason is allowed (SDM vol. 2 MWAIT). With other processors about, whose stores are
 * not watched, it is what happens at once; a lone processor waits for an interrupt. ECX bit 0 makes
 * masked interrupts wake it, which HLT would not do. */
void op_mwait(struct core *c, const struct insn *i)
{
	(void)i;
	if ((uint32_t)c->v.gpr[RCX] & ~1u)
		raise_gp(c, 0);
	bool armed = c->monitor_gpa != TLB_NONE;
	c->monitor_gpa = TLB_NONE;
	if (armed && c->nr_cpus == 1 && c->v.rflags & FL_IF)
		c->v.activity = ACT_HALTED;
	c->leave = true;
}

static void set_ac(struct core *c, bool on)
{
	if (vcpu_cpl(&c->v) > 0)
		raise_ud(c);
	c->v.rflags = on ? c->v.rflags | FL_AC : c->v.rflags & ~(uint32_t)FL_AC;
	core_update_mode(c);
}

void op_clac(struct core *c, const struct insn *i)
{
	(void)i;
	set_ac(c, false);
}
void op_stac(struct core *c, const struct insn *i)
{
	(void)i;
	set_ac(c, true);
}

static void osxsave(struct core *c)
{
	if (!(c->v.cr4 & CR4_OSXSAVE))
		raise_ud(c);
}

void op_xgetbv(struct core *c, const struct insn *i)
{
	uint32_t index = (uint32_t)c->v.gpr[RCX];
	(void)i;
	osxsave(c);
	if (index == 0)
		write_edx_eax(c, c->v.xcr0);
	else if (index == 1 && cpu_has(c->model, FEAT_XGETBV1))
		write_edx_eax(c, c->v.xcr0 & xinuse(c));
	else
		raise_gp(c, 0);
}

void op_xsetbv(struct core *c, const struct insn *i)
{
	uint64_t val = edx_eax(c);
	(void)i;
	osxsave(c);
	if (vcpu_cpl(&c->v) > 0 || (uint32_t)c->v.gpr[RCX] || !xcr0_valid(c->model, val))
		raise_gp(c, 0);
	c->v.xcr0 = val;
	c->leave = true;
}

static void pkru_usable(struct core *c)
{
	if (!(c->v.cr4 & CR4_PKE))
		raise_ud(c);
	if ((uint32_t)c->v.gpr[RCX])
		raise_gp(c, 0);
}

void op_rdpkru(struct core *c, const struct insn *i)
{
	(void)i;
	pkru_usable(c);
	write_edx_eax(c, c->v.pkru);
}

void op_wrpkru(struct core *c, const struct insn *i)
{
	(void)i;
	pkru_usable(c);
	if ((uint32_t)c->v.gpr[RDX])
		raise_gp(c, 0);
	core_set_pkru(c, (uint32_t)c->v.gpr[RAX]);
}

void op_swapgs(struct core *c, const struct insn *i)
{
	uint64_t base = c->v.seg[GS].base;
	(void)i;
	c->v.seg[GS].base = c->v.kernel_gs_base;
	c->v.kernel_gs_base = base;
}

static void read_base(struct core *c, const struct insn *i, unsigned sreg)
{
	if (!(c->v.cr4 & CR4_FSGSBASE))
		raise_ud(c);
	op_write(c, i, 0, c->v.seg[sreg].base);
}

static void write_base(struct core *c, const struct insn *i, unsigned sreg)
{
	if (!(c->v.cr4 & CR4_FSGSBASE))
		raise_ud(c);
	uint64_t base = op_read(c, i, 0);
	if (!core_canonical(c, base))
		raise_gp(c, 0);
	c->v.seg[sreg].base = base;
}

void op_rdfsbase(struct core *c, const struct insn *i)
{
	read_base(c, i, FS);
}
void op_rdgsbase(struct core *c, const struct insn *i)
{
	read_base(c, i, GS);
}
void op_wrfsbase(struct core *c, const struct insn *i)
{
	write_base(c, i, FS);
}
void op_wrgsbase(struct core *c, const struct insn *i)
{
	write_base(c, i, GS);
}

/* Flat segments of the fast system calls; `kind` SEG_L or SEG_DB for code. */
static void fast_segments(struct vcpu *v, uint16_t cs, uint16_t ss, unsigned dpl, unsigned kind)
{
	const uint32_t common = SEG_P | SEG_S | SEG_G | SEG_A | dpl << SEG_DPL_SHIFT;
	v->seg[CS] =
	    (struct segment){.sel = cs, .attr = common | SEG_X | SEG_R | kind, .limit = 0xffffffff};
	v->seg[SS] =
	    (struct segment){.sel = ss, .attr = common | SEG_W | SEG_DB, .limit = 0xffffffff};
}

void op_syscall(struct core *c, const struct insn *i)
{
	struct vcpu *v = &c->v;
	uint16_t sel = (v->star >> 32) & SEL_ERR;

	if (!(v->efer & EFER_SCE))
		raise_ud(c);
	v->gpr[RCX] = insn_next(c, i);
	v->gpr[R11] = rflags_get(v) & ~(uint64_t)FL_RF;
	v->rip = v->lstar;
	rflags_set(v, rflags_get(v) & ~(v->sfmask | FL_RF));
	c->step_trap &= (v->rflags & FL_TF) != 0;
	fast_segments(v, sel, sel + 8, 0, SEG_L);
	core_update_mode(c);
	c->leave = true;
}

void op_sysret(struct core *c, const struct insn *i)
{
	struct vcpu *v = &c->v;
	uint16_t sel = (uint16_t)(v->star >> 48) | 3;
	bool wide = i->rex & 8;

	if (!(v->efer & EFER_SCE))
		raise_ud(c);
	if (vcpu_cpl(v) > 0 || (wide && !core_canonical(c, v->gpr[RCX])))
		raise_gp(c, 0);
	v->rip = wide ? v->gpr[RCX] : (uint32_t)v->gpr[RCX];
	rflags_set(v, v->gpr[R11] & 0x3c7fd7);
	fast_segments(v, wide ? sel + 16 : sel, sel + 8, 3, wide ? SEG_L : SEG_DB);
	core_update_mode(c);
	c->leave = true;
	/* As if the SYSCALL had just been completed. */
	if (v->rflags & FL_TF)
		raise_db(c, DR6_BS, true);
}

void op_sysenter(struct core *c, const struct insn *i)
{
	struct vcpu *v = &c->v;
	uint16_t sel = v->sysenter_cs & SEL_ERR;
	bool wide = core_long(c);

	(void)i;
	if (core_real(c) || !sel)
		raise_gp(c, 0);
	v->rflags &= ~(uint32_t)(FL_VM | FL_IF | FL_RF);
	v->gpr[RSP] = wide ? v->sysenter_esp : (uint32_t)v->sysenter_esp;
	v->rip = wide ? v->sysenter_eip : (uint32_t)v->sysenter_eip;
	fast_segments(v, sel, sel + 8, 0, wide ? SEG_L : SEG_DB);
	core_update_mode(c);
	c->leave = true;
}

void op_sysexit(struct core *c, const struct insn *i)
{
	struct vcpu *v = &c->v;
	uint16_t sel = v->sysenter_cs & SEL_ERR;
	bool wide = i->rex & 8;

	if (core_real(c) || !sel)
		raise_gp(c, 0);
	if (wide && !(core_canonical(c, v->gpr[RCX]) && core_canonical(c, v->gpr[RDX])))
		raise_gp(c, 0);
	v->rip = wide ? v->gpr[RDX] : (uint32_t)v->gpr[RDX];
	v->gpr[RSP] = wide ? v->gpr[RCX] : (uint32_t)v->gpr[RCX];
	sel = (uint16_t)(sel + (wide ? 32 : 16)) | 3;
	fast_segments(v, sel, sel + 8, 3, wide ? SEG_L : SEG_DB);
	core_update_mode(c);
	c->leave = true;
}
