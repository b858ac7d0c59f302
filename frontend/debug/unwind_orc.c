/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ORC says for each range of instructions how the caller's stack pointer is computed, where its frame pointer is, and whether
 * there are registers of an interrupted context (arch/x86/include/asm/orc_types.h). The layout of its entries has
 * changed over time; BTF says which one a kernel has.
 */
#include "frontend/debug/unwind_orc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/vcpu.h"
#include "frontend/debug/linux.h"
#include "frontend/debug/linux_module.h"
#include "frontend/debug/types.h"
#include "frontend/debug/unwind.h"

enum {
	REG_UNDEFINED,
	REG_PREV_SP,
	REG_DX,
	REG_DI,
	REG_BP,
	REG_SP,
	REG_R10,
	REG_R13,
	REG_BP_INDIRECT,
	REG_SP_INDIRECT,
};

#define MAX_ENTRIES (1u << 24)

enum kind { KIND_END, KIND_CALL, KIND_REGS, KIND_REGS_PARTIAL };

/* struct pt_regs begins with these; then come orig_ax, ip, cs, flags and sp. */
static const uint8_t pt_regs[15] = {R15, R14, R13, R12, RBP, RBX, R11, R10,
				    R9,  R8,  RAX, RCX, RDX, RSI, RDI};
enum { PT_IP = 16 };

struct orc {
	int16_t sp_offset, bp_offset;
	unsigned sp_reg, bp_reg;
	enum kind kind;
};

static int read64(struct linux_guest *g, uint64_t addr, uint64_t *out)
{
	return linux_read(g, addr, out, 8);
}

/* An entry's bits, by name. */
static bool field(const struct types *b, uint32_t id, uint64_t raw, const char *name, unsigned *out)
{
	struct type_member m;

	if (!type_member_find(b, id, name, &m) || m.bit_offset > 47 || m.bits > 16)
		return false;
	*out = (unsigned)(raw >> m.bit_offset & ((1u << (m.bits ? m.bits : 16)) - 1));
	return true;
}

static bool decode(struct linux_guest *g, uint64_t raw, struct orc *out)
{
	const struct types *b = linux_types(g);
	uint32_t id;
	unsigned type, end = 0;

	if (b && !g->orc_entry)
		g->orc_entry = type_find(b, TYPE_STRUCT, "orc_entry");
	id = g->orc_entry;
	/* The offsets are the first four bytes in all of them. */
	out->sp_offset = (int16_t)raw;
	out->bp_offset = (int16_t)(raw >> 16);
	if (!id || !field(b, id, raw, "sp_reg", &out->sp_reg) ||
	    !field(b, id, raw, "bp_reg", &out->bp_reg) || !field(b, id, raw, "type", &type))
		return false;
	if (field(b, id, raw, "end", &end)) /* up to 6.3 */
		out->kind = end         ? KIND_END
			    : type == 0 ? KIND_CALL
			    : type == 1 ? KIND_REGS
					: KIND_REGS_PARTIAL;
	else
		out->kind = type < 2    ? KIND_END
			    : type == 2 ? KIND_CALL
			    : type == 3 ? KIND_REGS
					: KIND_REGS_PARTIAL;
	return true;
}

/* The kernel's own table is large, and does not change. */
static void copy_table(struct linux_guest *g, const struct orc_table *t)
{
	if (g->orc.tried || !t->nr || t->nr > MAX_ENTRIES)
		return;
	g->orc.tried = true;
	g->orc.ips = malloc(t->nr * 4);
	g->orc.entries = malloc(t->nr * 6);
	if (g->orc.ips && g->orc.entries && linux_read(g, t->ips, g->orc.ips, t->nr * 4) == 0 &&
	    linux_read(g, t->entries, g->orc.entries, t->nr * 6) == 0)
		g->orc.nr = t->nr;
}

static bool search(struct linux_guest *g, const struct orc_table *t, uint64_t ip, struct orc *out)
{
	uint64_t lo = 0, hi = t->nr, raw = 0;
	bool copied = false;
	int32_t off;

	if (ip >= g->text && ip < g->end) {
		copy_table(g, t);
		copied = g->orc.nr == t->nr;
	}
	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (copied)
			off = g->orc.ips[mid];
		else if (linux_read(g, t->ips + 4 * mid, &off, 4) < 0)
			return false;
		if (t->ips + 4 * mid + (uint64_t)(int64_t)off <= ip)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return false;
	if (copied)
		memcpy(&raw, g->orc.entries + 6 * (lo - 1), 6);
	else if (linux_read(g, t->entries + 6 * (lo - 1), &raw, 6) < 0)
		return false;
	return decode(g, raw, out);
}

/* The table of the kernel itself, or of the module that an address is in. */
static bool find_table(struct linux_guest *g, uint64_t ip, struct orc_table *t)
{
	struct linux_module m = {0};
	uint64_t nr;

	if (ip >= g->text && ip < g->end) {
		if (!g->orc.at.ips) {
			g->orc.at.ips = linux_symbol(g, "__start_orc_unwind_ip");
			g->orc.at.nr =
			    (linux_symbol(g, "__stop_orc_unwind_ip") - g->orc.at.ips) / 4;
			g->orc.at.entries = linux_symbol(g, "__start_orc_unwind");
		}
		*t = g->orc.at;
		return t->ips && t->entries;
	}
	while (linux_next_module(g, &m)) {
		if (ip - m.base >= m.size && ip - m.init_base >= m.init_size)
			continue;
		if (linux_member(g, m.addr, "module", "arch.orc_unwind_ip", &t->ips) < 0 ||
		    linux_member(g, m.addr, "module", "arch.orc_unwind", &t->entries) < 0 ||
		    linux_member(g, m.addr, "module", "arch.num_orcs", &nr) < 0)
			return false;
		t->nr = (uint32_t)nr;
		return true;
	}
	return false;
}

/* ---- one step ---- */

static int from_regs(struct linux_guest *g, uint64_t at, bool partial, struct frame *f)
{
	uint64_t iret[5], regs[PT_IP] = {0};

	if (linux_read(g, at + (partial ? 0 : 8 * PT_IP), iret, sizeof(iret)) < 0 ||
	    (!partial && linux_read(g, at, regs, 8 * PT_IP) < 0))
		return -ENOENT;
	f->ip = iret[0];
	/* Code that has not saved the others yet has not changed them either. */
	f->known |= 1u << RSP;
	f->gpr[RSP] = iret[3];
	for (unsigned n = 0; !partial && n < 15; n++) {
		f->gpr[pt_regs[n]] = regs[n];
		f->known |= 1u << pt_regs[n];
	}
	f->user = (iret[1] & 3) == 3;
	f->call = false;
	f->regs = true;
	return 0;
}

int unwind_orc(struct linux_guest *g, struct frame *f)
{
	struct frame was = *f;
	struct orc_table t;
	struct orc o;
	uint64_t sp, at;

	if (!find_table(g, f->ip, &t) || !search(g, &t, f->ip - f->call, &o) || o.kind == KIND_END)
		return -ENOENT;
	switch (o.sp_reg) {
	case REG_SP:
		sp = f->gpr[RSP];
		break;
	case REG_BP:
		sp = f->gpr[RBP];
		break;
	case REG_R10:
		sp = f->gpr[R10];
		break;
	case REG_R13:
		sp = f->gpr[R13];
		break;
	case REG_DI:
		sp = f->gpr[RDI];
		break;
	case REG_DX:
		sp = f->gpr[RDX];
		break;
	case REG_SP_INDIRECT:
		if (read64(g, f->gpr[RSP], &sp) < 0)
			return -ENOENT;
		break;
	case REG_BP_INDIRECT:
		if (read64(g, f->gpr[RBP] + (uint64_t)(int64_t)o.sp_offset, &sp) < 0)
			return -ENOENT;
		o.sp_offset = 0;
		break;
	default:
		return -ENOENT;
	}
	sp += (uint64_t)(int64_t)o.sp_offset;
	f->regs = false;
	if (o.kind != KIND_CALL) {
		if (from_regs(g, sp, o.kind == KIND_REGS_PARTIAL, f) < 0)
			return -ENOENT;
		return f->ip == was.ip && f->gpr[RSP] == was.gpr[RSP] ? -ENOENT : 0;
	}
	if (read64(g, sp - 8, &f->ip) < 0 || !f->ip)
		return -ENOENT;
	f->gpr[RSP] = sp;
	f->known = 1u << RSP | (was.known & 1u << RBP);
	f->call = true;
	at = o.bp_reg == REG_PREV_SP ? sp : was.gpr[RBP];
	if (o.bp_reg != REG_UNDEFINED &&
	    read64(g, at + (uint64_t)(int64_t)o.bp_offset, &f->gpr[RBP]) == 0)
		f->known |= 1u << RBP;
	/* Interrupts have a stack of their own, so the next one may be anywhere. */
	return f->gpr[RSP] != was.gpr[RSP] || f->ip != was.ip ? 0 : -ENOENT;
}
