/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which way a frame is left by: the kernel's ORC tables, call frame information of a file, or frame pointers.
 */
#include "frontend/debug/unwind.h"

#include <errno.h>
#include <string.h>

#include "cpu/vcpu.h"
#include "frontend/debug/expr.h"
#include "frontend/debug/linux.h"
#include "frontend/debug/memory.h"
#include "frontend/debug/symbols.h"
#include "frontend/debug/unwind_orc.h"

static int by_frame_pointer(struct pc *pc, const struct vcpu *v, struct frame *f)
{
	const unsigned size = f->bits / 8;
	uint64_t ip = 0, bp = 0, base = f->bits == 64 ? 0 : v->seg[SS].base;

	if (!f->gpr[RBP] || debug_read(pc, v, base + f->gpr[RBP], &bp, size) < 0 ||
	    debug_read(pc, v, base + f->gpr[RBP] + size, &ip, size) < 0 || !ip)
		return -ENOENT;
	/* Stacks grow down, and code that has no frame pointers leaves anything there. */
	if ((bp && bp <= f->gpr[RBP]) || (f->bits == 64 && (uint64_t)((int64_t)ip >> 47) + 1 > 1))
		return -ENOENT;
	f->gpr[RSP] = f->gpr[RBP] + 2 * size;
	f->ip = ip;
	f->gpr[RBP] = bp;
	f->known = 1u << RSP | 1u << RBP;
	f->call = true;
	f->regs = false;
	return 0;
}

/* By CFI of a file. */
static int by_cfi(const struct unwind *u, struct frame *f)
{
	struct frame next = *f;
	struct expr_env env = {
	    .pc = u->pc, .v = u->v, .linux_guest = u->linux_guest, .symbols = u->symbols};
	uint64_t cfa;

	if (!u->symbols || symbols_unwind(u->symbols, &env, &next, &cfa) < 0)
		return -ENOENT;
	/* Towards the bottom of the stack, or it would go on for ever. */
	if (!next.regs && cfa <= f->gpr[RSP] && next.ip == f->ip)
		return -ENOENT;
	*f = next;
	return 0;
}

/* ORC knows the ways into the kernel, CFI where registers are saved: where they agree, both are believed. */
static int by_both(const struct unwind *u, struct frame *f)
{
	struct frame full = *f;
	int err = unwind_orc(u->linux_guest, f);

	if (err == 0 && !f->regs && by_cfi(u, &full) == 0 && full.gpr[RSP] == f->gpr[RSP] &&
	    full.ip == f->ip)
		*f = full;
	return err;
}

int unwind_next(const struct unwind *u, struct frame *f)
{
	const bool kernel = u->linux_guest && !f->user && f->bits == 64 && f->ip >> 63;

	if (kernel && by_both(u, f) == 0)
		return 0;
	if (kernel && linux_symbol(u->linux_guest, "__start_orc_unwind"))
		return -ENOENT;
	return by_cfi(u, f) == 0 ? 0 : by_frame_pointer(u->pc, u->v, f);
}

void unwind_cpu(const struct vcpu *v, struct frame *out)
{
	*out = (struct frame){
	    .ip = v->rip, .known = 0xffff, .user = vcpu_cpl(v) == 3, .bits = debug_code_bits(v)};
	memcpy(out->gpr, v->gpr, sizeof(out->gpr));
}

int unwind_task(struct linux_guest *g, uint64_t task, struct frame *out)
{
	uint64_t sp, bp, ip;
	int64_t off_bp = linux_offset(g, "inactive_task_frame", "bp", NULL);
	int64_t off_ip = linux_offset(g, "inactive_task_frame", "ret_addr", NULL);

	if (linux_member(g, task, "task_struct", "thread.sp", &sp) < 0 || off_bp < 0 ||
	    off_ip < 0 || linux_read(g, sp + (uint64_t)off_bp, &bp, 8) < 0 ||
	    linux_read(g, sp + (uint64_t)off_ip, &ip, 8) < 0)
		return -ENOENT;
	*out = (struct frame){.ip = ip, .known = 1u << RSP | 1u << RBP, .call = true, .bits = 64};
	out->gpr[RSP] = sp + (uint64_t)off_ip + 8;
	out->gpr[RBP] = bp;
	return 0;
}
