/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Control and debug registers and what invalidates translations. SDM vol. 3A 2.5, 4.10.4 (when the
 * TLB must forget), 9.8.5 (entering and leaving IA-32e mode); vol. 3B 17.2.
 */
#include <string.h>

#include "cpu/exc.h"
#include "cpu/opcode.h"
#include "cpu/operand.h"
#include "cpu/transfer.h"
#include "cpu/vcpu_check.h"

#define DR6_FIXED 0xffff0ff0u
#define DR6_BITS  0xe00fu /* B0-B3, BD, BS, BT */
#define DR6_BD    (1u << 13)
#define DR7_FIXED 0x400u
#define DR7_BITS  0xffff23ffu
#define DR7_GD    (1u << 13)

static bool pae_paging(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	return cr0 & CR0_PG && cr4 & CR4_PAE && !(efer & EFER_LME);
}

/* The four PDPTEs under new values of CR3 and CR4; #GP(0) before anything has changed. */
static void load_pdptes(struct core *c, uint64_t cr3)
{
	struct paging p = c->paging;
	p.cr3 = cr3;
	if (!page_load_pdptes(c->mem, &p))
		raise_gp(c, 0);
	memcpy(c->v.pdpte, p.pdpte, sizeof(c->v.pdpte));
}

/* EFER.LMA follows CR0.PG while LME is set. */
static uint64_t new_efer(struct core *c, uint64_t cr0)
{
	const struct vcpu *v = &c->v;
	bool was = v->cr0 & CR0_PG, paging = cr0 & CR0_PG;

	if (!was && paging && v->efer & EFER_LME) {
		bool tss16 = !(v->tr.attr & 8);
		if (!(v->cr4 & CR4_PAE) || v->seg[CS].attr & SEG_L || tss16)
			raise_gp(c, 0);
		return v->efer | EFER_LMA;
	}
	if (was && !paging) {
		if (c->mode == 8 || v->cr4 & CR4_PCIDE)
			raise_gp(c, 0);
		return v->efer & ~(uint64_t)EFER_LMA;
	}
	return v->efer;
}

static void write_cr0(struct core *c, uint64_t val)
{
	const uint64_t flushing = CR0_PG | CR0_PE | CR0_WP;
	const uint64_t reloading = CR0_PG | CR0_CD | CR0_NW;
	struct vcpu *v = &c->v;

	if (val >> 32)
		raise_gp(c, 0);
	val = (val & CR0_BITS) | CR0_ET;
	if ((val & CR0_PG && !(val & CR0_PE)) || (val & CR0_NW && !(val & CR0_CD)))
		raise_gp(c, 0);
	uint64_t efer = new_efer(c, val), changed = val ^ v->cr0;
	if (changed & reloading && pae_paging(val, v->cr4, efer))
		load_pdptes(c, v->cr3);
	v->cr0 = val;
	v->efer = efer;
	if (changed & flushing)
		tlb_flush_all(&c->tlb);
	core_update_mode(c);
	core_update_pcid(c);
}

static void write_cr3(struct core *c, uint64_t val)
{
	struct vcpu *v = &c->v;
	bool pcide = v->cr4 & CR4_PCIDE, keep = pcide && val & CR3_NOFLUSH;

	if (pcide)
		val &= ~CR3_NOFLUSH;
	if (core_long(c) ? val >> c->model->maxphyaddr : val >> 32)
		raise_gp(c, 0);
	if (pae_paging(v->cr0, v->cr4, v->efer))
		load_pdptes(c, val);
	v->cr3 = val;
	if (!keep)
		tlb_flush_pcid(&c->tlb, pcide ? val & 0xfff : 0);
	core_update_mode(c);
	core_update_pcid(c);
	c->leave = true;
}

static void write_cr4(struct core *c, uint64_t val)
{
	const uint64_t flushing =
	    CR4_PSE | CR4_PAE | CR4_PGE | CR4_LA57 | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_PKE;
	const uint64_t reloading = CR4_PSE | CR4_PAE | CR4_PGE | CR4_SMEP;
	struct vcpu *v = &c->v;
	uint64_t changed = val ^ v->cr4;

	if (val & ~cr4_bits(c->model))
		raise_gp(c, 0);
	if (core_long(c) && (!(val & CR4_PAE) || changed & CR4_LA57))
		raise_gp(c, 0);
	if (changed & val & CR4_PCIDE && (!core_long(c) || v->cr3 & 0xfff))
		raise_gp(c, 0);
	if (changed & reloading && pae_paging(v->cr0, val, v->efer))
		load_pdptes(c, v->cr3);
	v->cr4 = val;
	if (changed & flushing)
		tlb_flush_all(&c->tlb);
	core_update_mode(c);
	core_update_pcid(c);
}

static void write_cr8(struct core *c, uint64_t val)
{
	if (val > 15)
		raise_gp(c, 0);
	if (c->bus->cr8_write)
		c->bus->cr8_write(c->bus->opaque, c->index, (uint8_t)val);
	c->leave = true; /* an interrupt may be deliverable now */
}

void op_mov_to_cr(struct core *c, const struct insn *i)
{
	uint64_t val = op_read(c, i, 1);

	switch (i->o[0].reg) {
	case 0:
		write_cr0(c, val);
		break;
	case 2:
		c->v.cr2 = val;
		break;
	case 3:
		write_cr3(c, val);
		break;
	case 4:
		write_cr4(c, val);
		break;
	case 8:
		write_cr8(c, val);
		break;
	default:
		raise_ud(c);
	}
	if (c->watch_events)
		watch_event(c, WATCH_CR, i->o[0].reg, 1, val);
}

void op_mov_from_cr(struct core *c, const struct insn *i)
{
	const struct vcpu *v = &c->v;
	uint64_t val;

	switch (i->o[1].reg) {
	case 0:
		val = v->cr0;
		break;
	case 2:
		val = v->cr2;
		break;
	case 3:
		val = v->cr3;
		break;
	case 4:
		val = v->cr4;
		break;
	case 8:
		val = c->bus->cr8_read ? c->bus->cr8_read(c->bus->opaque, c->index) : 0;
		break;
	default:
		raise_ud(c);
	}
	op_write(c, i, 0, val);
}

void op_clts(struct core *c, const struct insn *i)
{
	(void)i;
	c->v.cr0 &= ~(uint64_t)CR0_TS;
	core_update_mode(c);
}

void op_smsw(struct core *c, const struct insn *i)
{
	if (c->v.cr4 & CR4_UMIP && vcpu_cpl(&c->v) > 0)
		raise_gp(c, 0);
	op_write(c, i, 0, c->v.cr0);
}

/* PE, MP, EM and TS; PE can only be set. */
void op_lmsw(struct core *c, const struct insn *i)
{
	uint64_t val = op_read(c, i, 0) & 15, cr0 = c->v.cr0;
	write_cr0(c, (cr0 & ~(uint64_t)(CR0_MP | CR0_EM | CR0_TS)) | val);
}

/* CR4.DE takes DR4 and DR5 away as names of DR6 and DR7; DR7.GD guards all of them. */
static unsigned debug_register(struct core *c, unsigned reg)
{
	if (reg == 4 || reg == 5) {
		if (c->v.cr4 & CR4_DE)
			raise_ud(c);
		reg += 2;
	}
	if (c->v.dr7 & DR7_GD)
		raise_db(c, DR6_BD, false);
	return reg;
}

void op_mov_from_dr(struct core *c, const struct insn *i)
{
	unsigned reg = debug_register(c, i->o[1].reg);
	const struct vcpu *v = &c->v;
	op_write(c, i, 0, reg < 4 ? v->dr[reg] : reg == 6 ? v->dr6 : v->dr7);
}

void op_mov_to_dr(struct core *c, const struct insn *i)
{
	unsigned reg = debug_register(c, i->o[0].reg);
	uint64_t val = op_read(c, i, 1);
	struct vcpu *v = &c->v;
	bool enabled = v->dr7 & 0xff;

	if (reg >= 6 && val >> 32)
		raise_gp(c, 0);
	if (reg < 4)
		v->dr[reg] = val;
	else if (reg == 6)
		v->dr6 = (val & DR6_BITS) | DR6_FIXED;
	else
		v->dr7 = (val & DR7_BITS) | DR7_FIXED;
	/* Pages with data breakpoints are never cached. */
	if (reg != 6 && (enabled || v->dr7 & 0xff))
		tlb_flush_all(&c->tlb);
	core_update_mode(c);
}

void op_invlpg(struct core *c, const struct insn *i)
{
	uint64_t lin = ea(c, i);
	if (c->mode != 8)
		lin = (uint32_t)(lin + c->v.seg[i->seg].base);
	else if (i->seg == FS || i->seg == GS)
		lin += c->v.seg[i->seg].base;
	tlb_flush_page(&c->tlb, lin);
	c->leave = true;
}

enum { INVPCID_ADDRESS, INVPCID_CONTEXT, INVPCID_ALL_GLOBAL, INVPCID_ALL };

void op_invpcid(struct core *c, const struct insn *i)
{
	uint64_t type = gpr_read(c, i->o[0].reg, c->mode == 8 ? 8 : 4), desc[2];

	mem_read(c, lin_of(c, i, 16, ACC_READ), desc, 16);
	if (type > INVPCID_ALL)
		raise_gp(c, 0);
	if (type == INVPCID_ADDRESS || type == INVPCID_CONTEXT) {
		if (desc[0] >> 12 || (desc[0] && !(c->v.cr4 & CR4_PCIDE)))
			raise_gp(c, 0);
		if (type == INVPCID_ADDRESS && !core_canonical(c, desc[1]))
			raise_gp(c, 0);
	}
	if (type == INVPCID_ADDRESS)
		tlb_flush_page(&c->tlb, desc[1]);
	else if (type == INVPCID_CONTEXT)
		tlb_flush_pcid(&c->tlb, (unsigned)desc[0]);
	else
		tlb_flush_all(&c->tlb);
	core_update_pcid(c);
	c->leave = true;
}
