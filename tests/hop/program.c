/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Makes a program: stretches in one processor mode each, with loops, forward jumps and calls, of drawn
 * instructions and templates. A drawn instruction comes after moves that bring its memory operand into the
 * arena most of the time.
 *
 * No result depends on a status flag that an instruction left undefined: a comparison follows each that does.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/decode.h"
#include "tests/hop/hop.h"

/* ---- bytes ---- */

void put(struct maker *m, const void *bytes, unsigned n)
{
	memcpy(m->p->code + m->p->len, bytes, n);
	m->p->len += n;
}

void put1(struct maker *m, uint8_t byte)
{
	put(m, &byte, 1);
}

void put4(struct maker *m, uint32_t val)
{
	put(m, &val, 4);
}

static bool wide(const struct maker *m)
{
	return m->mode == K64 || m->mode == U64;
}

void load_reg(struct maker *m, unsigned reg, uint64_t val)
{
	if (wide(m))
		put1(m, 0x48 | reg >> 3);
	put1(m, 0xb8 | (reg & 7));
	put(m, &val, wide(m) ? 8 : 4);
}

void call_vector(struct maker *m, uint8_t vector)
{
	if (!m->limits.software) {
		put(m, (const uint8_t[]){0xcd, vector}, 2);
		return;
	}
	put1(m, 0xb9);
	put4(m, 0);
	put1(m, 0xba);
	put4(m, CALL_BY_DIVISION + vector);
	put(m, (const uint8_t[]){0xf7, 0xf1}, 2);
}

void step_begin(struct maker *m)
{
	m->step = m->p->len;
	m->p->steps++;
}

void step_end(struct maker *m)
{
	for (unsigned n = m->step; n < m->p->len; n++)
		m->p->next[n] = (uint16_t)m->p->len;
}

/* op /ext with an absolute address, the same in both code sizes. */
static void put_own(struct maker *m, uint8_t op, unsigned ext, uint32_t off)
{
	put1(m, op);
	put1(m, 0x04 | ext << 3);
	put1(m, 0x25);
	put4(m, OWN_ADDR + off);
}

/* The distance of a jump at `at`, known now. */
static void jump_here(struct maker *m, unsigned at)
{
	uint32_t rel = m->p->len - (at + 4);

	memcpy(m->p->code + at, &rel, 4);
}

/* ---- drawn instructions ---- */

static uint64_t any_value(struct fuzz_rng *r)
{
	switch (below(r, 6)) {
	case 0:
		return below(r, 64);
	case 1:
		return (uint64_t)0 - below(r, 64);
	case 2:
		return 1ull << below(r, 64);
	case 3:
		return RO_ADDR + below(r, RO_SIZE);
	case 4:
		return rnd(r);
	default:
		return RW_ADDR + (below(r, RW_SIZE - 64) & ~15u);
	}
}

static bool is(const struct opcode *d, const char *name)
{
	return strstr(d->name, name) != NULL;
}

/* Registers that an address or a count comes from. */
static uint32_t address_regs(const struct insn *i)
{
	uint32_t regs = 0;
	bool mem = false, stack = is(i->desc, "push") || is(i->desc, "pop");

	for (unsigned n = 0; n < 4; n++) {
		mem |= i->o[n].kind == OPK_MEM;
		if (i->o[n].kind == OPK_STRS || i->o[n].kind == OPK_STRD)
			regs |= 1u << i->o[n].reg;
	}
	if (mem)
		regs |= 1u << i->base | 1u << i->index;
	if (i->rep)
		regs |= 1u << RCX;
	if (stack || is(i->desc, "enter"))
		regs |= 1u << RSP;
	if (is(i->desc, "leave") || is(i->desc, "enter"))
		regs |= 1u << RBP;
	if (is(i->desc, "xlat"))
		regs |= 1u << RBX;
	if (is(i->desc, "maskmov"))
		regs |= 1u << RDI;
	if (is(i->desc, "bt") && i->o[1].kind == OPK_REG)
		regs |= 1u << i->o[1].reg;
	if (is(i->desc, "save") || is(i->desc, "rstor"))
		regs |= 1u << RAX | 1u << RDX;
	if (is(i->desc, "div"))
		regs |= 1u << RDX;
	return regs & 0xffff;
}

/* What `insn` wants of registers that have a meaning. */
static void settle(struct maker *m, struct fuzz_test *t)
{
	const struct insn *i = &t->insn;
	struct fuzz_rng *r = &m->r;
	uint64_t *gpr = t->in.gpr;

	for (unsigned n = 0; n < 4; n++)
		if (i->o[n].kind == OPK_STRS || i->o[n].kind == OPK_STRD)
			gpr[i->o[n].reg] = RW_ADDR + below(r, RW_SIZE);
	if (i->rep)
		gpr[RCX] = below(r, chance(r, 90) ? 20 : 1500);
	if (is(i->desc, "bt") && i->o[1].kind == OPK_REG)
		gpr[i->o[1].reg] = below(r, 512);
	if (is(i->desc, "save") || is(i->desc, "rstor")) {
		gpr[RAX] = rnd(r) & 7;
		gpr[RDX] = 0;
	}
	if (is(i->desc, "div"))
		gpr[RDX] = below(r, 4);
}

/* What cannot be the same in two runs, and what processors do differently. */
static bool wanted(const struct maker *m, const struct opcode *d)
{
	static const char *const never[] = {"cli",  "sti",  "popf",  "in",    "out",
					    "insb", "insd", "outsb", "outsd", "xsetbv"};
	static const char *const native[] = {"save",  "rstor", "env",   "sha",  "maskmov",
					     "mxcsr", "rcpps", "rcpss", "rsqrt"};

	if (m->limits.plain && d->attrs & (A_SSE | A_AVX | A_MMX | A_X87 | A_WAIT))
		return false;
	if (d->attrs & (A_NOFUZZ | A_BR | A_CPL0 | A_VSIB) || !cpu_has(m->model, d->feature) ||
	    is(d, "rdrand") || is(d, "rdseed"))
		return false;
	for (unsigned n = 0; n < sizeof(never) / sizeof(never[0]); n++)
		if (!strcmp(d->name, never[n]))
			return false;
	for (unsigned n = 0; m->limits.native && n < sizeof(native) / sizeof(native[0]); n++)
		if (is(d, native[n]))
			return false;
	return true;
}

int maker_init(struct maker *m, const struct cpu_model *model, struct limits limits)
{
	memset(m, 0, sizeof(*m));
	m->model = model;
	m->limits = limits;
	m->rows = calloc(nr_opcodes, sizeof(*m->rows));
	if (!m->rows)
		return -ENOMEM;
	for (unsigned n = 0; n < nr_opcodes; n++)
		if (wanted(m, &opcodes[n]))
			m->rows[m->nr_rows++] = &opcodes[n];
	return 0;
}

void maker_fini(struct maker *m)
{
	free(m->rows);
}

/* KVM's emulator: prefixes for the stack segment count in 64-bit mode, ENTER pushes all of RBP there, PUSHF
 * pushes RF, CMOVcc that does not move leaves the upper half of a register, and MMX moves change the tags before
 * they fault. */
static bool misfit(const struct maker *m, const struct fuzz_test *t)
{
	const struct opcode *d = t->insn.desc;

	/* Undocumented TEST, segment limits and rights, cache lines; IDIV of the least number ends QEMU 7.2. */
	if (m->limits.plain &&
	    (is(d, "test") || is(d, "cl") || is(d, "leave") || is(d, "enter") || is(d, "idiv") ||
	     memchr(t->code, 0x36, 4) || memchr(t->code, 0x2e, 4)))
		return true;
	return m->limits.software &&
	       (memchr(t->code, 0x36, 4) || is(d, "enter") || is(d, "pushf") || is(d, "cmov") ||
		(d->attrs & A_MMX && d->attrs & (A_LD | A_ST)));
}

/* CMP EAX, imm8 */
static void define_flags(struct maker *m)
{
	put(m, (const uint8_t[]){0x83, 0xf8, (uint8_t)rnd(&m->r)}, 3);
}

static void drawn_step(struct maker *m)
{
	struct fuzz_test t = {.mode = wide(m) ? 8 : 4};
	struct fuzz_rng *r = &m->r;
	uint32_t regs = 0;

	for (unsigned tries = 0; tries < 20; tries++) {
		const struct opcode *row = m->rows[below(r, m->nr_rows)];

		t.nr = 1;
		t.in.rip = CODE_ADDR + m->p->len;
		t.in.rflags = 2;
		for (unsigned n = 0; n < 16; n++)
			t.in.gpr[n] = any_value(r) &
				      (m->limits.software || m->limits.plain ? 0x3fffffff : ~0ull);
		t.in.gpr[RSP] = RW_ADDR + 0x400 + (below(r, RW_SIZE - 0x800) & ~7u);
		if (chance(r, 3))
			t.in.gpr[RSP] = any_value(r);
		if (fuzz_generate_next(&t, r, row, m->model) && !misfit(m, &t))
			break;
		t.decodes = false;
	}
	if (!t.decodes)
		return;
	settle(m, &t);
	regs = address_regs(&t.insn);
	if (chance(r, 20))
		regs |= 1u << below(r, wide(m) ? 16 : 8);
	step_begin(m);
	for (unsigned n = 0; n < 16; n++)
		if (regs >> n & 1)
			load_reg(m, n, t.in.gpr[n]);
	put(m, t.code, t.len);
	if (t.insn.desc->attrs >> 6 & CC_ALL)
		define_flags(m);
	step_end(m);
}

void drawn_steps(struct maker *m, unsigned n)
{
	while (n--)
		drawn_step(m);
}

/* ---- control flow ---- */

static void block(struct maker *m, unsigned depth, unsigned n);

static void loop(struct maker *m, unsigned depth)
{
	uint32_t counter = OWN_LOOPS + 4 * m->loops++;

	step_begin(m);
	put_own(m, 0xc7, 0, counter); /* movl $n, counter */
	put4(m, 1 + below(&m->r, depth ? 4 : 12));
	step_end(m);
	unsigned top = m->p->len;
	block(m, depth + 1, 1 + below(&m->r, 8));
	step_begin(m);
	put_own(m, 0xff, 1, counter); /* decl counter */
	put(m, (const uint8_t[]){0x0f, 0x85}, 2);
	put4(m, top - (m->p->len + 4));
	define_flags(m);
	step_end(m);
	m->loops--;
}

static void jump(struct maker *m, unsigned depth)
{
	step_begin(m);
	put(m, (const uint8_t[]){0x0f, 0x80 | below(&m->r, 16)}, 2);
	put4(m, 0);
	step_end(m);
	unsigned at = m->p->len - 4;
	block(m, depth + 1, 1 + below(&m->r, 4));
	jump_here(m, at);
}

/* The subroutine stands in the way, and is jumped over. */
static void call(struct maker *m, unsigned depth)
{
	unsigned calls = 1 + below(&m->r, 3);
	uint32_t ret = OWN_RETURN + 8 * depth;

	step_begin(m);
	put1(m, 0xe9);
	put4(m, 0);
	unsigned over = m->p->len - 4, sub = m->p->len;
	put_own(m, 0x8f, 0, ret); /* pop */
	step_end(m);
	block(m, depth + 1, 1 + below(&m->r, 6));
	step_begin(m);
	load_reg(m, RSP, OWN_ADDR + OWN_STACK);
	put_own(m, 0xff, 6, ret); /* push */
	put1(m, 0xc3);
	step_end(m);
	jump_here(m, over);
	while (calls--) {
		step_begin(m);
		load_reg(m, RSP, OWN_ADDR + OWN_STACK);
		if (chance(&m->r, 50)) {
			put1(m, 0xe8);
			put4(m, sub - (m->p->len + 4));
		} else {
			load_reg(m, RBX, CODE_ADDR + sub);
			put(m, (const uint8_t[]){0xff, 0xd3}, 2);
		}
		step_end(m);
		drawn_step(m);
	}
}

static void block(struct maker *m, unsigned depth, unsigned n)
{
	while (n-- && m->p->len < PROGRAM_SIZE - 0x1000) {
		unsigned what = below(&m->r, 100);

		if (what < 8 && depth < 3)
			loop(m, depth);
		else if (what < 16 && depth < 4)
			jump(m, depth);
		else if (what < 21 && depth < 3)
			call(m, depth);
		else if (what < 40)
			system_step(m);
		else
			drawn_step(m);
	}
}

static void enter_mode(struct maker *m, enum mode mode)
{
	step_begin(m);
	call_vector(m, VEC_MODE + mode);
	step_end(m);
	m->mode = mode;
}

void program_make(struct maker *m, struct program *p, uint64_t seed)
{
	struct fuzz_rng *r = &m->r;
	static const uint8_t out[] = {
	    0xfa,                              /* cli */
	    0x31, 0xc0,      0xb0, 0x00,       /* xor %eax, %eax; mov $0, %al */
	    0x0f, 0x23,      0xf8,             /* mov %rax, %dr7 */
	    0xe6, PORT_DONE, 0xf4, 0xeb, 0xfd, /* out; 1: hlt; jmp 1b */
	};

	r->s = seed * 0xd1342543de82ef95 + 1;
	rnd(r);
	m->p = p;
	m->mode = K64;
	m->loops = m->nr_changeable = 0;
	p->seed = seed;
	p->len = p->steps = 0;
	memset(p->next, 0, sizeof(p->next));
	memset(p->code, 0x90, sizeof(p->code));
	fuzz_fill_image(p->rw, RW_SIZE, r);
	fuzz_fill_image(p->ro, RO_SIZE, r);
	memset(p->own, 0, sizeof(p->own));
	/* Where whoever is lost goes: the end. */
	step_begin(m);
	put1(m, 0xe9);
	put4(m, 0);
	p->len = 8;
	for (unsigned n = 1 + below(r, 6); n; n--) {
		enter_mode(m, m->limits.software ? K64 : below(r, MODES));
		block(m, 0, 4 + below(r, 30));
	}
	enter_mode(m, K64);
	jump_here(m, 1);
	unsigned end = p->len;
	step_begin(m);
	put(m, out, sizeof(out));
	step_end(m);
	for (unsigned n = 0; n < 8; n++)
		p->next[n] = (uint16_t)end;
	for (unsigned n = p->len; n < PROGRAM_SIZE; n++)
		p->next[n] = (uint16_t)end;
}
