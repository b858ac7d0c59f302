/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What is known about a difference: both states, the instructions between the last two stops, and where the
 * guest came from.
 */
#include <capstone/capstone.h>
#include <stdio.h>
#include <string.h>

#include "mmu/walk.h"
#include "tests/lockstep/lockstep.h"

static void print_registers(const struct side *s)
{
	static const char *const names[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
					    "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
	const struct vcpu *v = &s->c->v;
	printf("%s: retired %lu, rip %016lx, rflags %lx, cpl %u, cr0 %lx, cr3 %lx\n", s->name,
	       s->c->retired, v->rip, rflags_get(v), vcpu_cpl(v), v->cr0, v->cr3);
	for (unsigned n = 0; n < 16; n++)
		printf("%4s %016lx%s", names[n], v->gpr[n], n % 4 == 3 ? "\n" : "");
}

static size_t read_code(const struct side *s, uint64_t rip, uint8_t *buf, size_t len)
{
	const struct core *c = s->c;
	struct translation t;
	uint64_t lin = c->mode == 8 ? rip : (uint32_t)(c->v.seg[CS].base + rip);
	for (size_t n = 0; n < len; n++)
		if (page_walk_debug(&s->pc->m.mem, &c->paging, lin + n, &t) < 0 ||
		    aspace_dma_read(&s->pc->m.mem, t.gpa, buf + n, 1) < 0)
			return n;
	return len;
}

/* With the mappings of now, which may not be those of then. */
static void print_code(const struct side *s, uint64_t rip, uint8_t mode, uint64_t insns)
{
	uint8_t code[64 * 15];
	size_t len = read_code(s, rip, code, sizeof(code));
	csh cs;
	cs_insn *insn;
	if (cs_open(CS_ARCH_X86,
		    mode == 8   ? CS_MODE_64
		    : mode == 4 ? CS_MODE_32
				: CS_MODE_16,
		    &cs) != CS_ERR_OK)
		return;
	size_t n = cs_disasm(cs, code, len, rip, insns < 64 ? insns : 64, &insn);
	for (size_t k = 0; k < n; k++)
		printf("  %016lx  %s %s\n", insn[k].address, insn[k].mnemonic, insn[k].op_str);
	if (n)
		cs_free(insn, n);
	cs_close(&cs);
}

void report(const struct lockstep *l, const char *what)
{
	const struct side *a = &l->side[INTERP], *b = &l->side[JIT];
	printf("lockstep: difference in %s between instruction %lu and %lu\n", what, l->begun_at,
	       b->c->retired);
	printf("%-20s %-18s %-18s\n", "differs", "interp", "jit");
	same_state(&a->c->v, &b->c->v, true);
	print_registers(a);
	print_registers(b);
	if (b->e->faults)
		printf("exceptions: interp %lu, jit %lu; the last is %u at %lx\n", a->e->faults,
		       b->e->faults, b->c->exc.vector, b->c->exc.cr2);
	unsigned first = l->nr_recent > RECENT ? l->nr_recent - RECENT : 0;
	for (unsigned n = first; n < l->nr_recent; n++)
		printf("block at %016lx, count %lu\n", l->recent[n % RECENT].rip,
		       l->recent[n % RECENT].count);
	printf("last begun at %016lx:\n", l->rip);
	print_code(b, l->rip, l->mode, 10);
	if (l->nr_recent) {
		const struct recent *r = &l->recent[(l->nr_recent - 1) % RECENT];
		printf("the last block:\n");
		print_code(b, r->rip, r->mode, b->c->retired - r->count);
	}
	fflush(stdout);
}
