/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Call frame information (DWARF 5, 6.4), of .debug_frame or .eh_frame.
 */
#ifdef CONFIG_DW
#include <errno.h>
#include <stdlib.h>

#include "cpu/vcpu.h"
#include "frontend/debug/debuginfo_priv.h"
#include "frontend/debug/expr.h"
#include "frontend/debug/unwind.h"

/* free() is the caller's. NULL: nothing is known of that address. */
static Dwarf_Frame *find_frame(struct debuginfo *d, uint64_t addr)
{
	Dwarf_CFI *(*const get[2])(Dwfl_Module *, Dwarf_Addr *) = {d->lib.dwfl_module_dwarf_cfi,
								   d->lib.dwfl_module_eh_cfi};

	for (unsigned n = 0; n < 2; n++) {
		Dwarf_Addr bias = 0;
		Dwarf_CFI *cfi = get[n](d->mod, &bias);
		Dwarf_Frame *f = NULL;

		if (cfi && d->lib.dwarf_cfi_addrframe(cfi, addr - bias, &f) == 0)
			return f;
	}
	return NULL;
}

static int cfa(struct debuginfo *d, struct di_machine *m, Dwarf_Frame *f, uint64_t *out)
{
	Dwarf_Op *ops;
	size_t nr;
	bool memory;

	if (m->depth > 2 || d->lib.dwarf_frame_cfa(f, &ops, &nr) != 0 || !nr)
		return -ENOENT;
	m->depth++;
	return di_evaluate(d, m, ops, nr, &memory, out) < 0 ? -ENOENT : 0;
}

int di_cfa(struct debuginfo *d, struct di_machine *m, uint64_t *out)
{
	Dwarf_Frame *f = find_frame(d, m->addr);
	struct di_machine own = *m;
	int err = f ? cfa(d, &own, f, out) : -ENOENT;

	free(f);
	return err;
}

/* What a register was in the caller: 0, 1: it is not known, or -ENOENT. */
static int caller_register(struct debuginfo *d, struct di_machine *m, Dwarf_Frame *f, int n,
			   uint64_t frame_end, uint64_t *out)
{
	struct value v = {.type = {.id = EXPR_TYPE(d->types.pointer, false)}, .lvalue = true};
	Dwarf_Op mem[3], *ops;
	struct di_machine own = *m;
	bool memory;
	size_t nr;

	if (d->lib.dwarf_frame_register(f, n, mem, &ops, &nr) != 0)
		return -ENOENT;
	if (!nr && ops == mem) /* it cannot be recovered */
		return 1;
	if (!nr) { /* it is the same */
		int reg = di_register(d, (unsigned)n);

		if (reg < 0 || !(m->f->known >> reg & 1))
			return 1;
		*out = m->f->gpr[reg];
		return 0;
	}
	own.has_initial = true;
	own.initial = frame_end;
	if (di_evaluate(d, &own, ops, nr, &memory, out) < 0)
		return 1;
	v.addr = *out;
	if (memory && expr_load(m->env, &v, out) < 0)
		return 1;
	return 0;
}

int debuginfo_unwind(struct debuginfo *d, uint64_t addr, struct expr_env *env, struct frame *f,
		     uint64_t *cfa_)
{
	struct di_machine m = {.env = env, .f = f, .addr = addr}, first = m;
	Dwarf_Frame *row = find_frame(d, addr);
	struct frame next = {.user = f->user, .bits = f->bits, .call = true};
	const int column = (int)di_return_column(d);
	bool signal = false;
	int err = -ENOENT;

	if (!row || cfa(d, &first, row, cfa_) < 0 ||
	    caller_register(d, &m, row, column, *cfa_, &next.ip) != 0 || !next.ip)
		goto end;
	for (int n = 0; n < column; n++) {
		int reg = di_register(d, (unsigned)n);

		if (reg >= 0 && caller_register(d, &m, row, n, *cfa_, &next.gpr[reg]) == 0)
			next.known |= 1u << reg;
	}
	if (!(next.known >> RSP & 1)) {
		next.gpr[RSP] = *cfa_;
		next.known |= 1u << RSP;
	}
	if (d->lib.dwarf_frame_info(row, NULL, NULL, &signal) >= 0 && signal) {
		next.call = false;
		next.regs = true;
	}
	*f = next;
	err = 0;
end:
	free(row);
	return err;
}
#endif
