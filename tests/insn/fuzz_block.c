/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Straight-line tests: the first instruction comes with its state from fuzz_gen.c; each further one is
 * drawn until it suits the state that the ones before leave, as the interpreter finds by running them.
 * The last may branch or fault. No instruction reads a flag that an earlier one left undefined.
 */
#include <string.h>

#include "accel/soft.h"
#include "tests/insn/fuzz.h"

/* What cannot stand between others: the host would single-step, differ in what it saves, or leave. */
static bool suits(const struct insn *i)
{
	static const char *const not [] = {"popf", "save", "rstor", "maskmovdqu",
					   "int",  "iret", "env",   "syscall"};

	for (unsigned n = 0; n < sizeof(not ) / sizeof(not [0]); n++)
		if (strstr(i->desc->name, not [n]))
			return false;
	return !(i->desc->attrs & A_VSIB) && strcmp(i->desc->name, "maskmovq");
}

static uint64_t writes(const struct insn *i)
{
	return i->desc->attrs & CC_ALL;
}
static uint64_t leaves(const struct insn *i)
{
	return i->desc->attrs >> 6 & CC_ALL;
}
static uint64_t reads(const struct insn *i)
{
	return i->desc->attrs >> 12 & CC_ALL;
}

/* Shifts and repeated instructions may write no flags at all. */
static bool surely(const struct insn *i)
{
	static const char *const not [] = {"sh", "sal", "sar", "ro", "rc"};

	for (unsigned n = 0; n < sizeof(not ) / sizeof(not [0]); n++)
		if (!strncmp(i->desc->name, not [n], strlen(not [n])))
			return false;
	return !i->rep;
}

static void append(struct fuzz_test *t, const struct fuzz_test *s)
{
	memcpy(t->code + t->len, s->code, s->len);
	t->len += s->len;
	t->nr++;
	t->insn = s->insn;
	t->row = s->row;
	t->ea = 0;
}

/* The state that the next instruction starts from. */
static void current(struct fuzz_test *s, const struct fuzz_test *t, const struct vcpu *v)
{
	memcpy(s->in.gpr, v->gpr, sizeof(s->in.gpr));
	s->in.rip = t->in.rip + t->len;
	s->in.rflags = rflags_get(v);
	s->in.fs_base = v->seg[FS].base;
	s->in.gs_base = v->seg[GS].base;
	s->mode = t->mode;
	s->segmented = s->stack16 = false;
}

bool fuzz_generate_block(struct fuzz_test *t, uint64_t seed, const struct opcode *const *rows,
			 unsigned nr_rows, unsigned most, const struct cpu_model *model)
{
	struct fuzz_rng r = {seed ^ t->index * 0xa24baed4963ee407};
	static struct fuzz_test s;
	static struct fuzz_result scratch;

	rnd(&r);
	unsigned want = 2 + below(&r, most - 1);
	if (!fuzz_generate(t, seed, rows[below(&r, nr_rows)], model) || !t->decodes ||
	    t->mode == 2 || t->segmented || t->insn.desc->attrs & (A_BR | A_NOFUZZ) ||
	    !suits(&t->insn) || t->in.rip + MAX_CODE > CODE_ADDR + EXIT_POINTER - 64)
		return false;
	t->in.rflags &= ~(uint64_t)FL_AC;

	const struct vcpu *v = &fuzz_interp_begin(t)->core.v;
	uint64_t undefined = 0;
	bool ended = fuzz_interp_step(t, &t->insn, 0) != VEC_NONE;
	for (unsigned tries = 0; !ended && t->nr < want && tries < 40u * most; tries++) {
		uint64_t open = surely(&t->insn) ? undefined & ~writes(&t->insn) : undefined;
		open |= leaves(&t->insn);
		current(&s, t, v);
		if (t->len + 15 > MAX_CODE ||
		    !fuzz_generate_next(&s, &r, rows[below(&r, nr_rows)], model) ||
		    !suits(&s.insn) || reads(&s.insn) & open ||
		    (s.insn.rep && s.in.gpr[RCX] > 64) ||
		    (s.insn.desc->attrs & A_BR && !chance(&r, 10)))
			continue;
		uint8_t vector = fuzz_interp_step(t, &s.insn, t->len);
		ended = vector != VEC_NONE || s.insn.desc->attrs & A_BR;
		/* Which of the two operands of MOVS and CMPS faults first is open. */
		bool two = !strncmp(s.row->name, "movs", 4) || !strncmp(s.row->name, "cmps", 4);
		bool keep = s.insn.rep ? !two : chance(&r, 3);
		if (vector != VEC_NONE && !keep) {
			ended = false;
			continue;
		}
		undefined = open;
		append(t, &s);
	}
	t->open = (uint8_t)undefined;
	fuzz_interp_end(t, &scratch);
	return t->nr > 1;
}
