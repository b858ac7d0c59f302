/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The fields of struct vcpu, without what the compiler puts between them.
 */
#include "tests/lockstep/state.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cpu/vcpu.h"

static const struct item {
	const char *name;
	unsigned offset, size, count;
} items[] = {
#define ITEM(m)                                                                                    \
	{                                                                                          \
#m, offsetof(struct vcpu, m), sizeof(((struct vcpu *)0)->m), 1                     \
	}
#define ITEMS(m)                                                                                   \
	{                                                                                          \
#m, offsetof(struct vcpu, m), sizeof(((struct vcpu *)0)->m[0]),                    \
		    sizeof(((struct vcpu *)0)->m) / sizeof(((struct vcpu *)0)->m[0])               \
	}
#define SEGMENT(n, f)                                                                              \
	{                                                                                          \
#n "." #f, offsetof(struct vcpu, n.f), sizeof(((struct vcpu *)0)->n.f), 1          \
	}
#define SEGMENTS(n) SEGMENT(n, sel), SEGMENT(n, attr), SEGMENT(n, limit), SEGMENT(n, base)
    ITEMS(gpr),         ITEM(cc),           ITEM(rflags),        SEGMENTS(seg[ES]),
    SEGMENTS(seg[CS]),  SEGMENTS(seg[SS]),  SEGMENTS(seg[DS]),   SEGMENTS(seg[FS]),
    SEGMENTS(seg[GS]),  SEGMENTS(ldtr),     SEGMENTS(tr),        ITEM(gdt.base),
    ITEM(gdt.limit),    ITEM(idt.base),     ITEM(idt.limit),     ITEM(cr0),
    ITEM(cr2),          ITEM(cr3),          ITEM(cr4),           ITEMS(pdpte),
    ITEMS(dr),          ITEM(dr6),          ITEM(dr7),           ITEM(efer),
    ITEM(xcr0),         ITEM(pkru),         ITEM(mxcsr),         ITEM(fpu.fcw),
    ITEM(fpu.fsw),      ITEM(fpu.ftw),      ITEM(fpu.fop),       ITEM(fpu.fip),
    ITEM(fpu.fdp),      ITEM(fpu.fcs),      ITEM(fpu.fds),       ITEM(star),
    ITEM(lstar),        ITEM(cstar),        ITEM(sfmask),        ITEM(kernel_gs_base),
    ITEM(sysenter_cs),  ITEM(sysenter_esp), ITEM(sysenter_eip),  ITEM(tsc_offset),
    ITEM(tsc_adjust),   ITEM(tsc_aux),      ITEM(pat),           ITEM(misc_enable),
    ITEM(xss),          ITEM(spec_ctrl),    ITEM(mtrr_def_type), ITEMS(mtrr_fixed),
    ITEMS(mtrr_base),   ITEMS(mtrr_mask),   ITEM(mcg_status),    ITEM(mcg_ctl),
    ITEMS(mc_ctl),      ITEMS(mc_status),   ITEMS(mc_addr),      ITEMS(mc_misc),
    ITEM(activity),     ITEM(sti_shadow),   ITEM(mov_ss_shadow), ITEM(nmi_pending),
    ITEM(nmi_blocked),  ITEM(init_pending), ITEM(taken.valid),   ITEM(taken.exception),
    ITEM(taken.vector), ITEM(apic_id)};

static uint64_t value(const struct vcpu *v, const struct item *i, unsigned n)
{
	uint64_t val = 0;
	memcpy(&val, (const uint8_t *)v + i->offset + n * i->size, i->size);
	return val;
}

static void print_one(const char *name, unsigned n, uint64_t a, uint64_t b)
{
	printf("%-16s[%2u] %018lx %018lx\n", name, n, a, b);
}

bool same_state(const struct vcpu *a, const struct vcpu *b, bool print)
{
	unsigned differ = 0;
	for (unsigned k = 0; k < sizeof(items) / sizeof(items[0]); k++)
		for (unsigned n = 0; n < items[k].count; n++) {
			uint64_t x = value(a, &items[k], n), y = value(b, &items[k], n);
			differ += x != y;
			if (x != y && print)
				print_one(items[k].name, n, x, y);
		}
	for (unsigned n = 0; n < 8; n++) {
		const struct x87_reg *x = &a->fpu.r[n], *y = &b->fpu.r[n];
		bool same = x->mant == y->mant && x->se == y->se;
		differ += !same;
		if (!same && print) {
			print_one("fpu mantissa", n, x->mant, y->mant);
			print_one("fpu exponent", n, x->se, y->se);
		}
	}
	for (unsigned n = 0; n < 32 * 8; n++) {
		uint64_t x = a->v[n / 8].u64[n % 8], y = b->v[n / 8].u64[n % 8];
		differ += x != y;
		if (x != y && print)
			print_one("v", n / 8, x, y);
	}
	return !differ;
}
