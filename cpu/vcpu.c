/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * RESET and INIT: SDM vol. 3A 9.1.1, table 9-1.
 */
#include "cpu/vcpu.h"

#include <string.h>

enum {
	DR6_RESET = 0xffff0ff0,
	DR7_RESET = 0x400,
	MXCSR_RESET = 0x1f80,
	SMBASE_RESET = 0x30000,
	SIGNATURE = 0x600, /* family 6; engines put the model's own into EDX */
};

static struct segment real_segment(uint16_t sel, uint64_t base)
{
	return (struct segment){
	    .sel = sel, .attr = SEG_P | SEG_S | SEG_W | SEG_A, .limit = 0xffff, .base = base};
}

/* What RESET and INIT do alike. */
static void start_state(struct vcpu *v, unsigned index)
{
	memset(v->gpr, 0, sizeof(v->gpr));
	v->gpr[RDX] = SIGNATURE;
	v->rip = 0xfff0;
	rflags_set(v, 0);
	for (unsigned n = 0; n < NR_SREGS; n++)
		v->seg[n] = real_segment(0, 0);
	v->seg[CS] = real_segment(0xf000, 0xffff0000);
	v->seg[CS].attr |= SEG_X;
	v->ldtr = (struct segment){.attr = SEG_P | 2, .limit = 0xffff};
	v->tr = (struct segment){.attr = SEG_P | 0xb, .limit = 0xffff};
	v->gdt = v->idt = (struct dtable){.limit = 0xffff};
	v->cr2 = v->cr3 = v->cr4 = 0;
	memset(v->pdpte, 0, sizeof(v->pdpte));
	memset(v->dr, 0, sizeof(v->dr));
	v->dr6 = DR6_RESET;
	v->dr7 = DR7_RESET;
	v->efer = 0;
	v->activity = index ? ACT_WAIT_SIPI : ACT_RUNNING;
	v->sti_shadow = v->mov_ss_shadow = false;
	v->nmi_pending = v->nmi_blocked = v->init_pending = false;
	v->smi_pending = v->smm = v->smm_nmi_blocked = false;
	v->taken.valid = v->taken.exception = false;
	v->taken.vector = 0;
	v->apic_id = index;
}

void vcpu_reset(struct vcpu *v, unsigned index)
{
	memset(v, 0, sizeof(*v));
	start_state(v, index);
	v->cr0 = CR0_CD | CR0_NW | CR0_ET;
	v->xcr0 = XCR0_X87;
	v->mxcsr = MXCSR_RESET;
	v->fpu.fcw = 0x40;
	v->fpu.ftw = 0xff;
	v->pat = 0x0007040600070406;
	v->smbase = SMBASE_RESET;
	v->misc_enable = 1 << 0 | 1 << 18; /* fast strings, MONITOR */
}

void vcpu_init(struct vcpu *v, unsigned index)
{
	uint64_t cache = v->cr0 & (CR0_CD | CR0_NW);
	start_state(v, index);
	v->cr0 = cache | CR0_ET;
}
