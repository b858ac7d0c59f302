/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Entry by SMI (SDM vol. 3C 31.3, 31.4) and RSM (31.8). See the header for the layouts.
 */
#include "cpu/smm.h"

#include <stddef.h>
#include <string.h>

#include "cpu/core.h"
#include "cpu/cpuid.h"
#include "cpu/exc.h"
#include "cpu/opcode.h"
#include "cpu/vcpu_check.h"
#include "mmu/aspace.h"

enum {
	ENTRY = 0x8000,     /* of the handler, from SMBASE */
	SAVE_AREA = 0xfe00, /* from SMBASE; offsets below are from here */
	SAVE_SIZE = 0x200,
	REVISION_64 = 0x20064, /* bit 17: SMBASE can be moved */
	REVISION_32 = 0x20000,
	HALT_RESTART = 1, /* bit of the flag */
	DR7_ENTRY = 0x400,
};

/* Where each part of the state is; size in bytes, as at least that much of the field is. */
struct slot {
	uint16_t at;
	uint8_t size;
	uint16_t field;
};

#define SLOT(at, size, field)                                                                      \
	{                                                                                          \
		at, size, offsetof(struct vcpu, field)                                             \
	}
#define GPR(at, size, n)                                                                           \
	{                                                                                          \
		at, size, offsetof(struct vcpu, gpr) + 8 * (n)                                     \
	}

struct layout {
	uint32_t revision;
	uint16_t revision_at, smbase_at, halt_at, rflags_at, efer_at; /* efer_at 0: none */
	uint8_t base_size, attr_size;
	uint16_t sel[8], attr[8], limit[8], base[8]; /* ES, CS, SS, DS, FS, GS, LDTR, TR */
	struct slot slots[32];
};

static const struct layout layout64 = {
    .revision = REVISION_64,
    .revision_at = 0xfc,
    .smbase_at = 0x100,
    .halt_at = 0xc9,
    .rflags_at = 0x170,
    .efer_at = 0xd0,
    .base_size = 8,
    .attr_size = 2,
    .sel = {0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x70, 0x90},
    .attr = {0x02, 0x12, 0x22, 0x32, 0x42, 0x52, 0x72, 0x92},
    .limit = {0x04, 0x14, 0x24, 0x34, 0x44, 0x54, 0x74, 0x94},
    .base = {0x08, 0x18, 0x28, 0x38, 0x48, 0x58, 0x78, 0x98},
    .slots =
	{
	    SLOT(0x64, 2, gdt.limit), SLOT(0x68, 8, gdt.base), SLOT(0x84, 2, idt.limit),
	    SLOT(0x88, 8, idt.base),  SLOT(0x148, 8, cr4),     SLOT(0x150, 8, cr3),
	    SLOT(0x158, 8, cr0),      SLOT(0x160, 8, dr7),     SLOT(0x168, 8, dr6),
	    SLOT(0x178, 8, rip),      GPR(0x180, 8, R15),      GPR(0x188, 8, R14),
	    GPR(0x190, 8, R13),       GPR(0x198, 8, R12),      GPR(0x1a0, 8, R11),
	    GPR(0x1a8, 8, R10),       GPR(0x1b0, 8, R9),       GPR(0x1b8, 8, R8),
	    GPR(0x1c0, 8, RDI),       GPR(0x1c8, 8, RSI),      GPR(0x1d0, 8, RBP),
	    GPR(0x1d8, 8, RSP),       GPR(0x1e0, 8, RBX),      GPR(0x1e8, 8, RDX),
	    GPR(0x1f0, 8, RCX),       GPR(0x1f8, 8, RAX),
	},
};

static const struct layout layout32 = {
    .revision = REVISION_32,
    .revision_at = 0xfc,
    .smbase_at = 0xf8,
    .halt_at = 0x102,
    .rflags_at = 0x1f4,
    .base_size = 4,
    .attr_size = 4,
    .sel = {0x1a8, 0x1ac, 0x1b0, 0x1b4, 0x1b8, 0x1bc, 0x1c0, 0x1c4},
    .attr = {0x184, 0x190, 0x19c, 0x12c, 0x138, 0x144, 0x178, 0x15c},
    .limit = {0x188, 0x194, 0x1a0, 0x130, 0x13c, 0x148, 0x17c, 0x160},
    .base = {0x18c, 0x198, 0x1a4, 0x134, 0x140, 0x14c, 0x180, 0x164},
    .slots =
	{
	    SLOT(0x114, 4, cr4),
	    SLOT(0x154, 2, idt.limit),
	    SLOT(0x158, 4, idt.base),
	    SLOT(0x170, 2, gdt.limit),
	    SLOT(0x174, 4, gdt.base),
	    SLOT(0x1c8, 4, dr7),
	    SLOT(0x1cc, 4, dr6),
	    GPR(0x1d0, 4, RAX),
	    GPR(0x1d4, 4, RCX),
	    GPR(0x1d8, 4, RDX),
	    GPR(0x1dc, 4, RBX),
	    GPR(0x1e0, 4, RSP),
	    GPR(0x1e4, 4, RBP),
	    GPR(0x1e8, 4, RSI),
	    GPR(0x1ec, 4, RDI),
	    SLOT(0x1f0, 4, rip),
	    SLOT(0x1f8, 4, cr3),
	    SLOT(0x1fc, 4, cr0),
	},
};

static const struct layout *layout_of(const struct core *c)
{
	return cpu_has(c->model, FEAT_LM) ? &layout64 : &layout32;
}

static struct segment *segment_of(struct vcpu *v, unsigned n)
{
	return n < NR_SREGS ? &v->seg[n] : n == NR_SREGS ? &v->ldtr : &v->tr;
}

static void put(uint8_t *at, uint64_t val, unsigned size)
{
	memcpy(at, &val, size);
}

static uint64_t get(const uint8_t *at, unsigned size)
{
	uint64_t val = 0;

	memcpy(&val, at, size);
	return val;
}

static void save(struct core *c, const struct layout *l)
{
	struct vcpu *v = &c->v;
	uint8_t area[SAVE_SIZE] = {0};

	for (const struct slot *s = l->slots; s->size; s++)
		memcpy(area + s->at, (const uint8_t *)v + s->field, s->size);
	for (unsigned n = 0; n < 8; n++) {
		const struct segment *seg = segment_of(v, n);

		put(area + l->sel[n], seg->sel, 2);
		put(area + l->attr[n], seg->attr & 0xf0ff, l->attr_size);
		put(area + l->limit[n], seg->limit, 4);
		put(area + l->base[n], seg->base, l->base_size);
	}
	put(area + l->rflags_at, rflags_get(v), l->base_size);
	put(area + l->revision_at, l->revision, 4);
	put(area + l->smbase_at, v->smbase, 4);
	area[l->halt_at] = v->activity == ACT_HALTED ? HALT_RESTART : 0;
	if (l->efer_at)
		put(area + l->efer_at, v->efer, 8);
	aspace_dma_write(c->mem, v->smbase + SAVE_AREA, area, sizeof(area));
}

void smm_enter(struct core *c)
{
	struct vcpu *v = &c->v;
	const uint32_t data = SEG_P | SEG_S | SEG_W | SEG_A | SEG_G;

	v->smm = true;
	core_update_smm(c);
	save(c, layout_of(c));
	v->smm_nmi_blocked = v->nmi_blocked;
	v->nmi_blocked = true;
	v->activity = ACT_RUNNING;
	v->cr0 &= ~(uint64_t)(CR0_PE | CR0_EM | CR0_TS | CR0_PG);
	v->cr4 = 0;
	if (layout_of(c)->efer_at) /* else it is none of what is saved */
		v->efer = 0;
	v->dr7 = DR7_ENTRY;
	rflags_set(v, 0);
	for (unsigned n = 0; n < NR_SREGS; n++)
		v->seg[n] = (struct segment){.attr = data, .limit = 0xffffffff};
	v->seg[CS].sel = (uint16_t)(v->smbase >> 4);
	v->seg[CS].base = v->smbase;
	v->rip = ENTRY;
	c->blk_rip = v->rip;
	core_update_mode(c);
	core_update_pcid(c);
}

/* All of it, whether it can be or not. */
static void load(struct vcpu *v, const struct layout *l, const uint8_t *area)
{
	for (const struct slot *s = l->slots; s->size; s++) {
		uint8_t *field = (uint8_t *)v + s->field;

		/* All but the limits have eight bytes. */
		memset(field, 0, s->size == 2 ? 2 : 8);
		memcpy(field, area + s->at, s->size);
	}
	for (unsigned n = 0; n < 8; n++) {
		uint32_t attr = (uint32_t)get(area + l->attr[n], 2) & 0xf0ff;

		*segment_of(v, n) = (struct segment){.sel = (uint16_t)get(area + l->sel[n], 2),
						     .attr = attr & SEG_P ? attr : attr | SEG_NULL,
						     .limit = (uint32_t)get(area + l->limit[n], 4),
						     .base = get(area + l->base[n], l->base_size)};
	}
	rflags_set(v, get(area + l->rflags_at, 4));
	if (l->efer_at)
		v->efer = get(area + l->efer_at, 8);
	v->smbase = (uint32_t)get(area + l->smbase_at, 4);
	if (area[l->halt_at] & HALT_RESTART)
		v->activity = ACT_HALTED;
}

static bool load_pdptes(struct core *c)
{
	if (!(c->v.cr0 & CR0_PG) || !(c->v.cr4 & CR4_PAE) || core_long(c))
		return true;
	if (!page_load_pdptes(c->mem, &c->paging))
		return false;
	memcpy(c->v.pdpte, c->paging.pdpte, sizeof(c->v.pdpte));
	return true;
}

static void shut_down(struct core *c)
{
	c->v.activity = ACT_SHUTDOWN;
	if (c->bus->shutdown)
		c->bus->shutdown(c->bus->opaque, c->index);
}

void op_rsm(struct core *c, const struct insn *i)
{
	const struct layout *l = layout_of(c);
	struct vcpu v = c->v;
	uint8_t area[SAVE_SIZE];

	if (!v.smm)
		raise_ud(c);
	aspace_dma_read(c->mem, v.smbase + SAVE_AREA, area, sizeof(area));
	load(&v, l, area);
	c->leave = true;
	if (vcpu_check(&v, c->model)) { /* what cannot be (SDM vol. 3C 31.5) */
		c->v.rip = insn_next(c, i);
		shut_down(c);
		return;
	}
	v.smm = false;
	v.nmi_blocked = v.smm_nmi_blocked;
	v.smm_nmi_blocked = false;
	c->v = v;
	core_update_smm(c);
	core_update_mode(c);
	core_update_pcid(c);
	if (!load_pdptes(c))
		shut_down(c);
}
