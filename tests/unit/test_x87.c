/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Every x87 row of the opcode table against the host: random register stacks, control words with
 * exceptions masked and unmasked, tags and operands of every class. The host executes the very
 * bytes between FRSTOR and FNSAVE; all of the state must be equal afterwards, pointers included.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cpu/core.h"
#include "cpu/fxstate.h"
#include "cpu/opcode.h"
#include "cpu/x87.h"
#include "cpu/xstate.h"

#define OP(map, opc, pfx, modrm, w, l, name, o1, o2, o3, o4, op, kernel, feat, attrs) op_fn op;
#include "cpu/opcodes_x87.def"
#undef OP
#define OP(map, opc, pfx, modrm, w, l, name, o1, o2, o3, o4, op, kernel, feat, attrs)              \
	{map, opc, pfx, w, l, modrm, FEAT_##feat, name, {o1, o2, o3, o4}, op, kernel, attrs},
static const struct opcode rows[] = {
#include "cpu/opcodes_x87.def"
};
#undef OP
enum { NR_ROWS = sizeof(rows) / sizeof(rows[0]), ROUNDS = 4000, MEM = 256 };

static uint64_t seed;
static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1d;
}

/* A register of a random class, supported or not. */
static void rnd_reg(uint64_t *mant, uint16_t *se)
{
	static const uint16_t exps[] = {0,      1,      2,      0x3fbf, 0x3fff, 0x4000,
					0x400e, 0x401e, 0x403d, 0x403e, 0x403f, 0x43ff,
					0x7ffe, 0x7fff, 0x3c00, 0x3f80};
	static const uint64_t mants[] = {0,
					 1,
					 1ull << 63,
					 3ull << 62,
					 ~0ull,
					 1ull << 62,
					 (1ull << 63) | 1,
					 0xfffffffffffff800,
					 0xffffff8000000000};
	*mant = rnd() & 1 ? rnd() | 1ull << 63 : rnd() & 1 ? mants[rnd() % 9] : rnd();
	*se = rnd() % 3 ? exps[rnd() % 16] : 0x3fff - 70 + rnd() % 140;
	if (rnd() % 16 == 0)
		*se = rnd();
	if (rnd() & 1)
		*se ^= 0x8000;
	if (rnd() % 4 == 0) /* a small whole number */
		*mant = (rnd() % 64 | 32) << 58, *se = 0x3fff + rnd() % 8;
}

static void rnd_mem(uint8_t *mem)
{
	uint64_t m;
	uint16_t se;
	for (unsigned n = 0; n < MEM; n += 8) {
		m = rnd();
		memcpy(mem + n, &m, 8);
	}
	switch (rnd() % 6) {
	case 0: { /* m80 */
		rnd_reg(&m, &se);
		memcpy(mem, &m, 8);
		memcpy(mem + 8, &se, 2);
		break;
	}
	case 1: { /* m64 */
		static const uint64_t v[] = {0,
					     1ull << 63,
					     1,
					     0x7ff0000000000000,
					     0x7ff8000000000000,
					     0x7ff0000000000001,
					     0x3ff0000000000000,
					     ~0ull,
					     0x000fffffffffffff,
					     0x7fefffffffffffff};
		memcpy(mem, &v[rnd() % 10], 8);
		break;
	}
	case 2: { /* m32 */
		static const uint32_t v[] = {0,          1u << 31,   1,   0x7f800000, 0x7fc00000,
					     0x7f800001, 0x3f800000, ~0u, 0x007fffff, 0x7f7fffff};
		memcpy(mem, &v[rnd() % 10], 4);
		break;
	}
	case 3: /* BCD */
		for (unsigned n = 0; n < 9; n++)
			mem[n] = rnd() % 10 << 4 | rnd() % 10;
		mem[9] = rnd() & 1 ? 0x80 : 0;
		break;
	}
}

/* The host's side: FNSAVE image in 64-bit mode. */
struct image {
	uint16_t cw, pad0, sw, pad1, tag, pad2;
	uint32_t ip;
	uint16_t cs, op;
	uint32_t dp;
	uint16_t ds, pad3;
	uint8_t st[8][10];
} __attribute__((packed));

static uint8_t *code;
static unsigned insn_at, insn_len;

/* void f(void *mem (rdi), struct image *img (rsi), uint64_t *flags (rdx), uint64_t *rax (rcx)) */
static void emit(const uint8_t *insn, unsigned len)
{
	static const uint8_t head[] = {0xdd, 0x26,        /* frstor (%rsi) */
				       0x48, 0x8b, 0x01,  /* mov (%rcx),%rax */
				       0xff, 0x32, 0x9d}; /* push (%rdx); popf */
	static const uint8_t tail[] = {0x9c, 0x8f, 0x02,  /* pushf; pop (%rdx) */
				       0x48, 0x89, 0x01,  /* mov %rax,(%rcx) */
				       0xdd, 0x36, 0xc3}; /* fnsave (%rsi); ret */
	uint8_t *p = code;
	memcpy(p, head, sizeof(head));
	memcpy(p + sizeof(head), insn, len);
	memcpy(p + sizeof(head) + len, tail, sizeof(tail));
	insn_at = sizeof(head);
	insn_len = len;
}

struct bench {
	struct core c;
	struct ram_page page;
	struct cpu_model model;
	uint8_t *mem; /* one page, mapped at its own address */
};

static struct bench *bench_new(void)
{
	struct bench *b = aligned_alloc(64, (sizeof(*b) + 63) & ~63ull);
	memset(b, 0, sizeof(*b));
	b->mem = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	code = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert(b->mem != MAP_FAILED && code != MAP_FAILED);
	struct core *c = &b->c;
	strcpy(b->model.vendor, "AuthenticAMD");
	c->model = &b->model;
	c->mode = 8;
	c->tlb_mode = TLB_USER;
	c->tlb.asid = 1;
	c->v.cr0 = CR0_PE | CR0_NE | CR0_PG;
	c->v.seg[CS].sel = 0x33;
	c->v.seg[DS].sel = 0;
	c->v.gpr[RDI] = (uintptr_t)b->mem;
	uint64_t lin = (uintptr_t)b->mem;
	c->tlb.e[TLB_USER][tlb_index(lin)] = (struct tlb_entry){lin | 1, lin | 1, b->mem, &b->page};
	return b;
}

static bool row_is_mem(const struct opcode *o)
{
	return o->modrm >= R_M0 && o->modrm <= R_M7;
}

static unsigned operand_size(unsigned code)
{
	return code == Mw ? 2 : code == Md ? 4 : code == Mq ? 8 : code == Mt ? 10 : 0;
}

static void make_insn(const struct opcode *o, struct insn *i, uint8_t *bytes)
{
	*i = (struct insn){.op = o->op, .desc = o, .osz = 4, .asz = 8, .mode = 8, .seg = DS};
	i->base = i->index = REG_ZERO;
	unsigned len = 0;
	if (rnd() % 8 == 0 && row_is_mem(o) && o->o[0] == M && o->map == M1) {
		bytes[len++] = 0x66;
		i->osz = 2;
	}
	if (o->map == M0F)
		bytes[len++] = 0x0f;
	bytes[len++] = o->opcode;
	if (row_is_mem(o)) {
		i->modrm = (o->modrm - R_M0) << 3 | RDI;
		i->base = RDI;
		i->o[0] = (struct operand){OPK_MEM, 0, operand_size(o->o[0])};
	} else if (o->modrm & R_EXACT) {
		i->modrm = o->modrm & 0xff;
	} else if (o->modrm != R_NONE) {
		i->modrm = 0xc0 | (o->modrm - R_R0) << 3 | rnd() % 8;
	}
	if (o->modrm != R_NONE)
		bytes[len++] = i->modrm;
	i->len = i->end = len;
}

static void rnd_state(struct fpu *f, bool waits)
{
	memset(f, 0, sizeof(*f));
	unsigned kind = rnd() % 4;
	f->fcw = kind < 2 ? 0x37f : kind == 2 ? (rnd() & 0xf00) | 0x7f : (rnd() & 0x1f3f) | 0x40;
	f->fsw = rnd() & 0x7f7f;
	if (rnd() & 1)
		f->fsw &= ~FSW_EXC;
	if (waits)
		f->fsw &= f->fcw | ~FSW_EXC;
	f->fsw = x87_summary(f->fsw, f->fcw);
	f->ftw = rnd() & 1 ? 0xff ^ 1u << ((x87_top(f) - 1) & 7) : rnd() | (rnd() & 1 ? 0xff : 0);
	f->fop = rnd() & 0x7ff;
	f->fip = (uint32_t)rnd();
	f->fdp = (uint32_t)rnd();
	f->fcs = rnd();
	f->fds = rnd();
	for (unsigned n = 0; n < 8; n++)
		rnd_reg(&f->r[n].mant, &f->r[n].se);
}

static void to_image(struct image *img, const struct fpu *f)
{
	*img = (struct image){.cw = f->fcw,
			      .sw = f->fsw,
			      .tag = x87_full_tags(f),
			      .ip = f->fip,
			      .cs = f->fcs,
			      .op = f->fop,
			      .dp = f->fdp,
			      .ds = f->fds};
	img->pad0 = img->pad1 = img->pad2 = img->pad3 = 0xffff;
	for (unsigned n = 0; n < 8; n++) {
		const struct x87_reg *r = &f->r[(x87_top(f) + n) & 7];
		memcpy(img->st[n], &r->mant, 8);
		memcpy(img->st[n] + 8, &r->se, 2);
	}
}

static void show(const char *who, const struct image *m, const uint8_t *mem, uint64_t flags)
{
	fprintf(stderr,
		"%-5s cw %04x sw %04x tag %04x op %03x ip %08x cs %04x dp %08x ds %04x fl %03x\n",
		who, m->cw, m->sw, m->tag, m->op, m->ip, m->cs, m->dp, m->ds, (unsigned)flags);
	for (unsigned n = 0; n < 8; n++) {
		uint64_t v;
		memcpy(&v, m->st[n], 8);
		fprintf(stderr, " %02x%02x.%016lx", m->st[n][9], m->st[n][8], (unsigned long)v);
	}
	fprintf(stderr, "\n mem");
	for (unsigned n = 0; n < 16; n++)
		fprintf(stderr, " %02x", mem[n]);
	fprintf(stderr, "\n");
}

/* One instruction on one state, here and there. False when they differ. */
static bool round_equal(struct bench *b, const struct opcode *o, const struct fpu *f,
			const uint8_t *before, uint64_t flags, uint64_t rax, struct insn *i,
			bool verbose)
{
	struct core *c = &b->c;
	uint64_t start_flags = flags;
	uint8_t want[MEM];
	struct image img, start, got;

	c->v.fpu = *f;
	c->v.cc = flags & FL_STATUS;
	c->v.gpr[RAX] = rax;
	c->blk_rip = (uintptr_t)code + insn_at;

	to_image(&img, f);
	start = img;
	memcpy(b->mem, before, MEM);
	((void (*)(void *, void *, void *, void *))code)(b->mem, &img, &flags, &rax);
	memcpy(want, b->mem, MEM);

	memcpy(b->mem, before, MEM);
	i->op(c, i);
	to_image(&got, &c->v.fpu);
	if (!memcmp(&got, &img, sizeof(got)) && c->v.cc == (flags & FL_STATUS) &&
	    !memcmp(b->mem, want, MEM) && rax == c->v.gpr[RAX])
		return true;
	if (verbose) {
		fprintf(stderr, "%s %02x %02x\n", o->name, o->opcode, i->modrm);
		show("start", &start, before, start_flags & FL_STATUS);
		show("host", &img, want, flags & FL_STATUS);
		show("ours", &got, b->mem, c->v.cc);
	}
	return false;
}

static void run_row(struct bench *b, const struct opcode *o)
{
	unsigned bad = 0;
	seed = 0x9e3779b97f4a7c15 ^ (uint64_t)(o - rows + 1) * 0x100000001b3;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct insn i;
		struct fpu f;
		uint8_t bytes[16], before[MEM];
		make_insn(o, &i, bytes);
		emit(bytes, i.len);
		rnd_state(&f, !(o->attrs & A_X87) || o->attrs & A_WAIT);
		rnd_mem(before);
		uint64_t flags = (rnd() & FL_STATUS) | FL_1 | FL_IF, rax = rnd();
		/* AMD processors forget the pointers in a context switch: try again. */
		bool equal = false;
		for (unsigned try = 0; try < 3 && !equal; try++)
			equal = round_equal(b, o, &f, before, flags, rax, &i, try == 2 && bad < 3);
		bad += !equal;
	}
	cr_expect_eq(bad, 0, "%s %02x: %u of %u differ", o->name, o->opcode, bad, (unsigned)ROUNDS);
}

Test(x87, host)
{
	struct bench *b = bench_new();
	for (unsigned n = 0; n < NR_ROWS; n++) {
		const struct opcode *o = &rows[n];
		/* FIP and FDP of another size; their own tests are below. */
		bool state = o->map == M0F && o->opcode != 0x77;
		if (o->map <= M0F && !state)
			run_row(b, o);
	}
	free(b);
}
