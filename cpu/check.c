/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/check.h"

#include "cpu/exc.h"
#include "cpu/x87.h"

void insn_check(struct core *c, const struct insn *i)
{
	uint64_t a = i->desc->attrs;
	const struct vcpu *v = &c->v;

	if (a & A_NREAL && !core_protected(c))
		raise_ud(c);
	if (a & A_NV86 && core_v86(c))
		raise_ud(c);
	if (a & A_AVX) {
		const uint64_t need = XCR0_SSE | XCR0_AVX;
		if (!core_protected(c) || !(v->cr4 & CR4_OSXSAVE) || (v->xcr0 & need) != need)
			raise_ud(c);
		if (v->cr0 & CR0_TS)
			raise_exc(c, EXC_NM);
	} else if (a & A_SSE) {
		if (v->cr0 & CR0_EM || !(v->cr4 & CR4_OSFXSR))
			raise_ud(c);
		if (v->cr0 & CR0_TS)
			raise_exc(c, EXC_NM);
	}
	if (a & A_MMX) {
		if (v->cr0 & CR0_EM)
			raise_ud(c);
		if (v->cr0 & CR0_TS)
			raise_exc(c, EXC_NM);
		if (v->fpu.fsw & FSW_ES)
			x87_report(c);
	}
	if (a & A_X87 && v->cr0 & (CR0_EM | CR0_TS))
		raise_exc(c, EXC_NM);
	if (a & A_WAIT && v->fpu.fsw & FSW_ES)
		x87_report(c);
	if (a & A_CPL0 && vcpu_cpl(v) != 0)
		raise_gp(c, 0);
}
