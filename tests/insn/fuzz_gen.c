/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Makes the fuzzer's tests: an encoding of one row of the opcode table with random prefixes, registers
 * and addressing form, and a state in which it has something interesting to do. Addresses are solved
 * for: registers get the values that bring the operand to a chosen place in the arena, near a page
 * edge now and then.
 */
#include <stdlib.h>
#include <string.h>

#include "cpu/decode.h"
#include "cpu/exc.h"
#include "tests/insn/fuzz.h"

struct gen {
	struct fuzz_rng r;
	struct fuzz_test *t;
	const struct opcode *row;
	unsigned n;      /* bytes so far */
	unsigned asz;    /* address size */
	int disp_at;     /* offset of a 32-bit displacement, or -1 */
	uint32_t pinned; /* registers that hold part of an address */
};

static uint64_t any_int(struct fuzz_rng *r)
{
	static const uint64_t edge[] = {0,
					1,
					2,
					0x7f,
					0x80,
					0xff,
					0x7fff,
					0x8000,
					0xffff,
					0x7fffffff,
					0x80000000,
					0xffffffff,
					0x7fffffffffffffff,
					0x8000000000000000,
					~0ull,
					0xfffffffffffffffe,
					0xffffffff80000000,
					0xaaaaaaaaaaaaaaaa};
	uint64_t v = rnd(r);

	switch (below(r, 8)) {
	case 0:
	case 1:
		return edge[below(r, sizeof(edge) / sizeof(edge[0]))];
	case 2:
		return v & 0xff;
	case 3:
		return v & 0xffffffff;
	case 4:
		return v >> below(r, 64);
	case 5:
		return 1ull << (v & 63);
	default:
		return v;
	}
}

static uint32_t any_f32(struct fuzz_rng *r)
{
	static const uint32_t edge[] = {0,          0x80000000, 0x3f800000, 0xbf800000, 0x7f800000,
					0xff800000, 0x7fc00000, 0xffc00000, 0x7f800001, 0x7fbfffff,
					0xffa00000, 1,          0x007fffff, 0x00800000, 0x80000001,
					0x7f7fffff, 0xff7fffff, 0x4f000000, 0xcf000000, 0x4effffff,
					0x5f000000, 0x3f000000, 0x40200000, 0x477fe000, 0x33000000};
	uint32_t v = rnd(r);

	switch (below(r, 6)) {
	case 0:
	case 1:
		return edge[below(r, sizeof(edge) / sizeof(edge[0]))];
	case 2: /* around one: sums and products that round */
		return (v & 0x807fffff) | (0x7f + below(r, 48) - 24) << 23;
	case 3:
		return (v & 0x80000000) | (v & 0x7fffff) >> below(r, 23); /* denormal */
	case 4: /* small integers and halves */
		return (uint32_t[]){0x3f000000, 0x40000000, 0x40400000, 0x41200000,
				    0xc0a00000, 0x42c80000, 0xbf000000, 0x3fc00000}[v & 7];
	default:
		return v;
	}
}

static uint64_t any_f64(struct fuzz_rng *r)
{
	static const uint64_t edge[] = {0,
					1ull << 63,
					0x3ff0000000000000,
					0xbff0000000000000,
					0x7ff0000000000000,
					0xfff0000000000000,
					0x7ff8000000000000,
					0xfff8000000000000,
					0x7ff0000000000001,
					0x7ff7ffffffffffff,
					1,
					0x000fffffffffffff,
					0x0010000000000000,
					0x8000000000000001,
					0x7fefffffffffffff,
					0x41dfffffffc00000,
					0x41e0000000000000,
					0xc1e0000000200000,
					0x43e0000000000000,
					0xc3e0000000000000,
					0x3fe0000000000000,
					0x36a0000000000000,
					0x380fffffffffffff,
					0x47efffffffffffff};
	uint64_t v = rnd(r);

	switch (below(r, 6)) {
	case 0:
	case 1:
		return edge[below(r, sizeof(edge) / sizeof(edge[0]))];
	case 2:
		return (v & 0x800fffffffffffff) | (uint64_t)(0x3ff + below(r, 80) - 40) << 52;
	case 3:
		return (v & 1ull << 63) | (v & 0xfffffffffffff) >> below(r, 52);
	case 4: { /* exactly a float */
		uint32_t f = (rnd(r) & 0x807fffff) | (0x7f + below(r, 60) - 30) << 23;
		float x;
		double d;
		memcpy(&x, &f, 4);
		d = x;
		memcpy(&v, &d, 8);
		return v;
	}
	default:
		return v;
	}
}

static void any_f80(struct fuzz_rng *r, uint8_t *p)
{
	static const struct {
		uint16_t se;
		uint64_t m;
	} edge[] = {{0, 0},
		    {0x8000, 0},
		    {0x3fff, 1ull << 63},
		    {0xbfff, 1ull << 63},
		    {0x7fff, 1ull << 63},
		    {0xffff, 1ull << 63},
		    {0x7fff, 3ull << 62},
		    {0xffff, 3ull << 62},
		    {0x7fff, 0xa000000000000000},
		    {0x7fff, 0},
		    {0x7fff, 0x4000000000000000},
		    {0, 1},
		    {0, 1ull << 63},
		    {0, ~0ull >> 1},
		    {1, 1ull << 63},
		    {0x7ffe, ~0ull},
		    {0x3fff, 0x4000000000000000},
		    {0x403e, ~0ull},
		    {0xc03e, 1ull << 63},
		    {0x400e, 0xffff000000000000},
		    {0x4000, 0xc90fdaa22168c235},
		    {0x3ffe, 1ull << 63},
		    {0x3fff, 0xc000000000000000}};
	uint64_t m = rnd(r);
	uint16_t se = rnd(r);

	switch (below(r, 6)) {
	case 0:
	case 1: {
		unsigned k = below(r, sizeof(edge) / sizeof(edge[0]));
		m = edge[k].m;
		se = edge[k].se;
		break;
	}
	case 2:
	case 3:
		m |= 1ull << 63;
		if (chance(r, 40))
			m &= ~0ull << below(r, 63);
		se = (se & 0x8000) | (0x3fff + below(r, 140) - 70);
		break;
	case 4:
		m |= 1ull << 63;
		break;
	}
	memcpy(p, &m, 8);
	memcpy(p + 8, &se, 2);
}

/* A vector or a piece of memory, all of one kind. */
static void fill(struct fuzz_rng *r, uint8_t *p, size_t len)
{
	unsigned kind = below(r, 8);
	uint64_t same = any_int(r);

	for (size_t n = 0; n < len; n += 8) {
		uint64_t v;
		switch (kind) {
		case 0:
		case 1:
			v = any_f32(r) | (uint64_t)any_f32(r) << 32;
			break;
		case 2:
		case 3:
			v = any_f64(r);
			break;
		case 4:
			v = any_int(r);
			break;
		case 5:
			v = same;
			break;
		case 6: /* half floats, small words */
			v = rnd(r) & (chance(r, 50) ? 0x7c007c007c007c00 : 0x00ff00ff00ff00ff);
			break;
		default:
			v = rnd(r);
			break;
		}
		memcpy(p + n, &v, len - n < 8 ? len - n : 8);
	}
}

void fuzz_fill_image(uint8_t *p, size_t len, struct fuzz_rng *r)
{
	for (size_t n = 0; n < len; n += 32)
		fill(r, p + n, 32);
}

static bool is(const struct opcode *d, const char *name)
{
	return strstr(d->name, name) != NULL;
}

/* ---- Encoding ---- */

static void emit(struct gen *g, uint8_t b)
{
	if (g->n < 16)
		g->t->code[g->n] = b;
	g->n++;
}

static bool near_branch(const struct gen *g)
{
	return g->t->mode == 8 && (g->row->attrs & A_BR) && (g->row->attrs & A_F64);
}

static void emit_prefixes(struct gen *g)
{
	const struct opcode *d = g->row;
	struct fuzz_rng *r = &g->r;
	static const uint8_t segs[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};

	if (chance(r, 4))
		emit(g, segs[below(r, 4)]);
	if (g->t->mode == 8 && chance(r, 5))
		emit(g, segs[4 + below(r, 2)]);
	g->asz = g->t->mode;
	if (chance(r, 6)) {
		emit(g, 0x67);
		g->asz = g->t->mode == 4 ? 2 : 4;
	}
	if (chance(r, 2))
		emit(g, segs[below(r, 4)]);
	if (d->map >= V0F)
		return;
	if (chance(r, d->attrs & A_LOCK ? 10 : 1))
		emit(g, 0xf0);
	if (near_branch(g)) {
		/* AMD cuts the target to 16 bits after 66, Intel ignores it, and so do we. */
	} else if (d->pfx == P_66 || ((d->pfx == P_ANY || d->pfx == P_NF) && chance(r, 20)) ||
		   (d->pfx >= P_F3 && d->pfx <= P_F2 && chance(r, 8)))
		emit(g, 0x66);
	if (d->pfx == P_F3 || d->pfx == P_F2)
		emit(g, d->pfx == P_F3 ? 0xf3 : 0xf2);
	else if (d->pfx != P_ANY && chance(r, 1))
		emit(g, (const uint8_t[]){0x66, 0xf2, 0xf3}[below(r, 3)]); /* another row, or #UD */
	else if (d->pfx == P_ANY && !is(d, "loop") && chance(r, d->attrs & A_REP ? 50 : 3))
		emit(g, chance(r, 50) ? 0xf3
				      : 0xf2); /* AMD's LOOPNE heeds them, against the manuals */
}

static bool uses_vvvv(const struct opcode *d)
{
	for (int n = 0; n < 4; n++)
		if (d->o[n] == Bv || d->o[n] == By || (d->o[n] >= Hx && d->o[n] <= Hsd))
			return !(d->attrs & A_NOVV);
	return false;
}

static void emit_vex(struct gen *g, bool w)
{
	const struct opcode *d = g->row;
	struct fuzz_rng *r = &g->r;
	static const uint8_t pp[] = {[P_NP] = 0, [P_NF] = 0, [P_66] = 1, [P_F3] = 2, [P_F2] = 3};
	bool long_mode = g->t->mode == 8;
	unsigned vvvv = uses_vvvv(d) || chance(r, 1) ? below(r, 16) : 0;
	unsigned ext = long_mode ? below(r, 8) : 0; /* R X B */
	bool l = d->l == L_1 || (d->l != L_0 && chance(r, 50)) || chance(r, 1);

	if (!long_mode)
		vvvv &= 7;
	uint8_t last = (~vvvv & 15) << 3 | l << 2 | pp[d->pfx];
	if (d->map == V0F && !w && chance(r, 50)) {
		emit(g, 0xc5);
		emit(g, (~ext & 4) << 5 | last);
	} else {
		emit(g, 0xc4);
		emit(g, (~ext & 7) << 5 | (d->map - V0F + 1));
		emit(g, w << 7 | last);
	}
	emit(g, d->opcode);
}

static void emit_opcode(struct gen *g)
{
	const struct opcode *d = g->row;
	struct fuzz_rng *r = &g->r;
	bool w = d->w == W_1 || (d->w == W_ANY && chance(r, 30));

	if (d->map >= V0F) {
		emit_vex(g, w);
		return;
	}
	if (g->t->mode == 8 && (w || chance(r, 35)))
		emit(g, 0x40 | w << 3 | below(r, 8));
	if (d->map != M1)
		emit(g, 0x0f);
	if (d->map == M0F38 || d->map == M0F3A)
		emit(g, d->map == M0F38 ? 0x38 : 0x3a);
	emit(g, d->opcode);
}

static uint8_t pick_modrm(struct gen *g)
{
	unsigned want = g->row->modrm;
	struct fuzz_rng *r = &g->r;
	uint8_t m = rnd(r);
	bool reg = chance(r, 45);

	if (want & R_EXACT)
		return want & 0xff;
	if (want == R_M || (want >= R_M0 && want <= R_M7))
		reg = false;
	if (want == R_R || (want >= R_R0 && want <= R_R7))
		reg = true;
	m = reg ? m | 0xc0 : (m & 0x3f) | below(r, 3) << 6;
	if (want >= R_0 && want <= R_7)
		m = (m & 0xc7) | (want - R_0) << 3;
	if (want >= R_M0 && want <= R_M7)
		m = (m & 0xc7) | (want - R_M0) << 3;
	if (want >= R_R0 && want <= R_R7)
		m = (m & 0xc7) | (want - R_R0) << 3;
	if ((g->row->attrs & A_VSIB) && m < 0xc0)
		m = (m & 0xf8) | 4;
	return m;
}

static void emit_disp(struct gen *g, unsigned size)
{
	struct fuzz_rng *r = &g->r;
	uint32_t d = chance(r, 80) ? below(r, 0x2000) - 0x1000 : rnd(r);

	g->disp_at = g->n;
	for (unsigned k = 0; k < size; k++)
		emit(g, d >> 8 * k);
}

static void emit_modrm16(struct gen *g, uint8_t m)
{
	if (m >> 6 == 1)
		emit(g, rnd(&g->r));
	else if (m >> 6 == 2 || (m >> 6 == 0 && (m & 7) == 6))
		emit_disp(g, 2);
}

static void emit_modrm(struct gen *g)
{
	struct fuzz_rng *r = &g->r;
	uint8_t m = pick_modrm(g), mod = m >> 6, rm = m & 7;

	g->disp_at = -1;
	emit(g, m);
	if (mod == 3)
		return;
	if (g->asz == 2) {
		emit_modrm16(g, m);
		return;
	}
	if (rm == 4) {
		uint8_t sib = rnd(r);
		emit(g, sib);
		if ((sib & 7) == 5 && mod == 0)
			mod = 2;
	} else if (rm == 5 && mod == 0) {
		mod = 2;
	}
	if (mod == 1) {
		emit(g, rnd(r));
	} else if (mod == 2) {
		emit_disp(g, 4);
	}
}

static void emit_immediates(struct gen *g)
{
	uint64_t v = any_int(&g->r);

	while (g->n < 15) {
		emit(g, v);
		v = v >> 8 | (rnd(&g->r) & 0xff) << 56;
	}
}

/* ---- State ---- */

static void put16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, 2);
}
static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
}

static void any_xstate(struct fuzz_rng *r, uint8_t *x, const struct opcode *d)
{
	bool x87 = d->attrs & (A_X87 | A_MMX | A_WAIT);
	uint16_t fcw = 0x40 | (chance(r, 75) ? 0x3f : rnd(r) & 0x3f) | below(r, 16) << 8;
	uint16_t fsw = rnd(r) & 0x7f00;
	uint32_t mxcsr = (chance(r, 75) ? 0x1f80 : rnd(r) & 0x1f80) | below(r, 4) << 13;

	if (!x87)
		fcw |= 0x3f;
	if (chance(r, x87 ? 15 : 3))
		fsw |= rnd(r) & 0x7f;
	if (fsw & 0x3f & ~fcw)
		fsw |= 0x8080;
	if (chance(r, 20))
		mxcsr |= rnd(r) & 0x3f;
	if (chance(r, 15))
		mxcsr |= 0x8000;
	if (chance(r, 15))
		mxcsr |= 0x40;

	memset(x, 0, XSAVE_SIZE);
	put16(x, fcw);
	put16(x + 2, fsw);
	x[4] = chance(r, 55) ? 0xff : chance(r, 30) ? 0 : rnd(r);
	/* AMD forgets the pointers on a context switch unless an exception is pending. */
	if (fsw & 0x80) {
		put16(x + 6, rnd(r) & 0x7ff);
		put32(x + 8, rnd(r));
		put32(x + 16, rnd(r));
	}
	put32(x + 24, mxcsr);
	put32(x + 28, 0xffff);
	for (unsigned n = 0; n < 8; n++)
		any_f80(r, x + 32 + 16 * n);
	for (unsigned n = 0; n < 16; n++) {
		fill(r, x + 160 + 16 * n, 16);
		fill(r, x + 576 + 16 * n, 16);
	}
	x[512] = 7;
}

static uint32_t code_target(const struct fuzz_test *t, struct fuzz_rng *r)
{
	return CODE_ADDR + 64 + below(r, CODE_SIZE - 128) - fuzz_seg_base(t, CS);
}

/* Where an operand of `size` bytes goes. */
static uint32_t pick_place(struct fuzz_rng *r, unsigned size)
{
	unsigned align = 1u << below(r, 7), where = below(r, 100);
	unsigned room = size + 64;

	if (room > RW_SIZE / 2)
		room = RW_SIZE / 2;
	if (where < 55)
		return RW_ADDR + (below(r, RW_SIZE - room) & ~31u);
	if (where < 75)
		return RW_ADDR + (below(r, RW_SIZE - room) & ~(align - 1));
	if (where < 86)
		return RW_ADDR + below(r, RW_SIZE - room);
	if (where < 89) /* across the middle */
		return RW_ADDR + 0x1000 - below(r, size + 1);
	if (where < 93) /* across the end, or just inside */
		return RW_ADDR + RW_SIZE - below(r, size + 2);
	if (where < 95)
		return RW_ADDR - below(r, size + 2);
	if (where < 98)
		return RO_ADDR + below(r, RO_SIZE);
	return CODE_ADDR + below(r, CODE_SIZE);
}

static uint64_t inverse(uint64_t odd)
{
	uint64_t x = odd;
	for (int k = 0; k < 6; k++)
		x *= 2 - odd * x;
	return x;
}

static void redecode(struct gen *g, const struct cpu_model *model)
{
	struct fuzz_test *t = g->t;
	enum decode_result res = decode(&t->insn, t->code, 15, t->mode, model);
	t->decodes = res == DECODE_OK;
	t->undecoded = res == DECODE_GP ? EXC_GP : EXC_UD;
	t->len = t->insn.len;
	t->nr = 1;
	t->open = 0;
}

static void patch_disp(struct gen *g, uint32_t disp)
{
	if (g->disp_at >= 0) {
		memcpy(g->t->code + g->disp_at, &disp, g->asz == 2 ? 2 : 4);
		g->t->insn.disp = g->asz == 2 ? (int16_t)disp : (int32_t)disp;
		if (g->t->insn.base == REG_RIP)
			g->t->insn.disp += g->t->insn.end;
	}
}

/* Makes the memory operand's address come out at `at`. */
static void solve_address(struct gen *g, uint64_t at)
{
	struct fuzz_test *t = g->t;
	struct insn *i = &t->insn;
	struct fuzz_rng *r = &g->r;
	uint64_t *gpr = t->in.gpr;
	unsigned index = i->desc->attrs & A_VSIB ? (unsigned)REG_ZERO : i->index;

	at -= fuzz_seg_base(t, i->seg);
	if (i->desc->modrm == R_NONE) { /* moffs: the last bytes are the address */
		uint64_t a = i->asz == 8 ? at : i->asz == 4 ? (uint32_t)at : (uint16_t)at;
		memcpy(t->code + i->len - i->asz, &a, i->asz);
		i->disp = a;
		return;
	}
	if (i->base == REG_RIP) {
		patch_disp(g, at - (t->in.rip + t->len));
		return;
	}
	uint64_t rest = at - i->disp;
	if (i->base == REG_ZERO && index == REG_ZERO) {
		patch_disp(g, at);
	} else if (i->base == REG_ZERO) {
		gpr[index] = below(r, 64);
		patch_disp(g, at - (gpr[index] << i->scale));
		g->pinned |= 1u << index;
	} else if (index == REG_ZERO) {
		gpr[i->base] = rest;
		g->pinned |= 1u << i->base;
	} else if (i->base == index) {
		gpr[i->base] = i->scale ? rest * inverse(1 + (1u << i->scale)) : rest / 2;
		g->pinned |= 1u << i->base;
	} else {
		gpr[i->base] = rest - (gpr[index] << i->scale);
		g->pinned |= 1u << i->base | 1u << index;
	}
	if (i->asz == 4 && i->base != REG_ZERO && t->mode == 8 && i->base != index)
		gpr[i->base] = (uint32_t)gpr[i->base] | rnd(r) << 32;
	if (i->asz == 2 && i->base != REG_ZERO && i->base != index)
		gpr[i->base] = (uint16_t)gpr[i->base] | rnd(r) << 16;
}

static void set_gather(struct gen *g)
{
	struct fuzz_test *t = g->t;
	struct insn *i = &t->insn;
	struct fuzz_rng *r = &g->r;
	bool qwords = is(i->desc, "gatherq") || is(i->desc, "gatherpq");
	uint8_t *x = t->in.xsave;

	for (unsigned k = 0; k < 8; k++) {
		uint8_t *p = x + (k < 4 ? 160 : 576) + 16 * i->index + (k & 3) * 4;
		uint32_t v = chance(r, 97) ? below(r, 0x100) - 0x40 : rnd(r);
		put32(p, qwords && (k & 1) ? ((int32_t)v < 0 || chance(r, 2) ? ~0u : 0) : v);
	}
	if (qwords)
		for (unsigned k = 0; k < 8; k += 2) {
			uint8_t *p = x + (k < 4 ? 160 : 576) + 16 * i->index + (k & 3) * 4;
			put32(p + 4, p[3] & 0x80 ? ~0u : 0);
		}
}

/* Structures that state-loading instructions read. */
static void patch_xstate(struct gen *g, uint64_t at)
{
	struct fuzz_test *t = g->t;
	struct fuzz_rng *r = &g->r;

	any_xstate(r, t->patch, &(struct opcode){.attrs = A_X87});
	put32(t->patch + 28, 0);
	t->patch[512] = chance(r, 60) ? 7 : rnd(r) & 7;
	if (chance(r, 3))
		t->patch[520 + below(r, 56)] |= 1 << below(r, 8);
	t->patch_addr = at;
	t->patch_len = at + XSAVE_SIZE <= RW_ADDR + RW_SIZE ? XSAVE_SIZE : 0;
}

static void patch_memory(struct gen *g, uint64_t at, unsigned size)
{
	struct fuzz_test *t = g->t;
	struct fuzz_rng *r = &g->r;
	const struct opcode *d = t->insn.desc;

	t->patch_len = 0;
	t->patch_addr = RW_ADDR;
	if (at < RW_ADDR || at >= RW_ADDR + RW_SIZE)
		return;
	if (is(d, "fxrstor") || is(d, "xrstor")) {
		patch_xstate(g, at);
		return;
	}
	t->patch_addr = at;
	t->patch_len = RW_ADDR + RW_SIZE - at < 64 ? RW_ADDR + RW_SIZE - at : 64;
	if (d->attrs & A_X87 && size != 4 && size != 8)
		any_f80(r, t->patch);
	else
		fill(r, t->patch, 32);
	fill(r, t->patch + 32, 32);
	if (d->attrs & A_BR) {
		uint64_t to = code_target(t, r);
		memcpy(t->patch, &to, 8);
	}
	if (is(d, "ldmxcsr") && chance(r, 80))
		put32(t->patch, rnd(r) & 0xffff);
	if (is(d, "popf"))
		t->patch[1] &= ~1; /* no single-step */
}

/* An offset that reaches pick_place() through segment register `sreg`. */
static uint64_t pick_offset(struct gen *g, unsigned sreg, unsigned size)
{
	const struct fuzz_test *t = g->t;
	struct fuzz_rng *r = &g->r;
	uint64_t at = pick_place(r, size);

	if (t->segmented && sreg == FS && chance(r, 80))
		at = RO_ADDR + below(r, RO_SIZE);
	if (t->segmented && sreg == GS && chance(r, 80))
		at = RW_ADDR + 0x800 + below(r, 0x400);
	return at - fuzz_seg_base(t, sreg);
}

/* 16-bit registers: the rest of them is noise. */
static uint64_t pick_pointer(struct gen *g, unsigned sreg, unsigned size)
{
	uint64_t off = pick_offset(g, sreg, size);
	return g->asz == 2 ? (uint16_t)off | rnd(&g->r) << 16 : off;
}

static uint64_t pick_stack(struct gen *g)
{
	const struct fuzz_test *t = g->t;
	struct fuzz_rng *r = &g->r;
	uint64_t at =
	    chance(r, 92) ? RW_ADDR + 0x400 + (below(r, RW_SIZE - 0x800) & ~7u) : pick_place(r, 8);

	at -= fuzz_seg_base(t, SS);
	return t->stack16 ? (uint16_t)at | rnd(r) << 16 : at;
}

static uint64_t stack_linear(const struct fuzz_test *t, unsigned reg)
{
	uint64_t sp = t->in.gpr[reg];
	return fuzz_seg_base(t, SS) + (t->mode == 8 ? sp
				       : t->stack16 ? (uint16_t)sp
						    : (uint32_t)sp);
}

static void set_registers(struct gen *g)
{
	struct fuzz_test *t = g->t;
	struct fuzz_rng *r = &g->r;
	uint64_t *gpr = t->in.gpr;

	for (unsigned n = 0; n < 16; n++)
		gpr[n] = chance(r, 15) ? pick_pointer(g, DS, 8) : any_int(r);
	gpr[RSP] = pick_stack(g);
	for (unsigned n = RBX; n <= RDI; n++)
		if (n != RSP && chance(r, 50))
			gpr[n] = pick_pointer(g, n == RBP ? SS : DS, 16);
	t->in.fs_base = chance(r, 70) ? rnd(r) & 0xfff0 : rnd(r) >> 17;
	t->in.gs_base = chance(r, 70) ? rnd(r) & 0xfff0 : rnd(r) >> 17;
	t->in.rflags = 0x202 | (rnd(r) & FL_STATUS) | (chance(r, 25) ? FL_DF : 0) |
		       (chance(r, 3) ? FL_AC : 0) | (chance(r, 5) ? FL_ID : 0);
}

/* The place of an operand, given what the instruction asks of it. */
static uint64_t place_operand(struct gen *g, unsigned size)
{
	struct fuzz_rng *r = &g->r;
	const struct opcode *d = g->t->insn.desc;
	unsigned seg = g->t->insn.seg;
	uint64_t at = pick_offset(g, seg, size ? size : 64) + fuzz_seg_base(g->t, seg);

	if (size == 0 && (is(d, "save") || is(d, "rstor")) && chance(r, 85))
		return RW_ADDR + (below(r, RW_SIZE - 1024) & ~63u);
	if ((d->attrs & A_ALIGN) && chance(r, 60))
		at &= ~31ull;
	return at;
}

static int mem_operand(const struct insn *i)
{
	for (int n = 0; n < 4; n++)
		if (i->o[n].kind == OPK_MEM)
			return n;
	return -1;
}

static void set_reg(struct gen *g, unsigned reg, uint64_t v)
{
	if (!(g->pinned >> reg & 1))
		g->t->in.gpr[reg] = v;
}

/* Registers that mean something to certain instructions. */
static void set_implicit(struct gen *g)
{
	struct fuzz_test *t = g->t;
	struct fuzz_rng *r = &g->r;
	const struct insn *i = &t->insn;
	const struct opcode *d = i->desc;
	uint64_t *gpr = t->in.gpr;

	for (int n = 0; n < 4; n++)
		if (i->o[n].kind == OPK_STRS || i->o[n].kind == OPK_STRD)
			gpr[i->o[n].reg] =
			    pick_pointer(g, i->o[n].kind == OPK_STRD ? ES : i->seg, 128);
	if ((d->attrs & A_REP) && i->rep)
		gpr[RCX] =
		    below(r, chance(r, 80) ? 20 : 6000) | (i->asz < 8 ? rnd(r) << 8 * i->asz : 0);
	if (is(d, "cmps") && !t->segmented && chance(r, 30)) /* equal for long */
		gpr[RSI] = gpr[RDI];
	if (is(d, "div") && chance(r, 60))
		gpr[RDX] = chance(r, 50) ? 0 : gpr[RAX] >> 63 ? ~0ull : below(r, 100);
	if (is(d, "bt") && i->o[1].kind == OPK_REG && chance(r, 80))
		gpr[i->o[1].reg] = (int64_t)below(r, 1024) - 512;
	if (is(d, "maskmov") && i->o[0].kind != OPK_MEM)
		gpr[RDI] = pick_pointer(g, i->seg, 16);
	if (is(d, "xlat"))
		gpr[RBX] = pick_pointer(g, i->seg, 256);
	if (is(d, "xsave") || is(d, "xrstor")) {
		gpr[RAX] = (gpr[RAX] & ~0xffull) | (rnd(r) & 7);
		gpr[RDX] &= ~0xffffffffull;
	}
	if (is(d, "xgetbv") && chance(r, 80))
		gpr[RCX] = 0;
	if ((d->attrs & A_BR) && i->o[0].kind == OPK_REG && chance(r, 80))
		gpr[i->o[0].reg] = code_target(t, r);
	if (is(d, "leave") || is(d, "enter"))
		gpr[RBP] = pick_stack(g);
}

/* Branch displacements are the instruction's last bytes. */
static void aim_branch(struct gen *g)
{
	struct fuzz_test *t = g->t;
	struct insn *i = &t->insn;
	unsigned size = i->o[0].size;

	if (i->o[0].kind != OPK_REL || size < 2 || chance(&g->r, 15))
		return;
	i->imm = (int64_t)code_target(t, &g->r) - (int64_t)(t->in.rip + t->len);
	memcpy(t->code + t->len - size, &i->imm, size);
}

static void match_cmpxchg(struct gen *g)
{
	struct fuzz_test *t = g->t;
	const struct insn *i = &t->insn;
	uint64_t v[2];

	if (!is(i->desc, "cmpxchg") || chance(&g->r, 50))
		return;
	if (i->o[0].kind == OPK_REG) {
		set_reg(g, RAX, t->in.gpr[i->o[0].reg]);
		return;
	}
	memcpy(v, t->patch, 16);
	if (is(i->desc, "16b")) {
		set_reg(g, RAX, v[0]);
		set_reg(g, RDX, v[1]);
	} else if (is(i->desc, "8b")) {
		set_reg(g, RAX, (uint32_t)v[0]);
		set_reg(g, RDX, v[0] >> 32);
	} else {
		set_reg(g, RAX, v[0]);
	}
}

static uint64_t effective(const struct fuzz_test *t)
{
	const struct insn *i = &t->insn;
	uint64_t a = i->disp;
	uint64_t seg = fuzz_seg_base(t, i->seg);

	if (i->base == REG_RIP)
		a += t->in.rip;
	else if (i->base != REG_ZERO)
		a += t->in.gpr[i->base];
	if (i->index != REG_ZERO)
		a += t->in.gpr[i->index] << i->scale;
	return seg + (i->asz == 8 ? a : i->asz == 4 ? (uint32_t)a : (uint16_t)a);
}

/* Where CPUs differ: whether wide accesses and the end of ENTER's frame are alignment-checked; what VEX.W = 1 means for VPINSRQ and
 * VPEXTRQ outside 64-bit mode (AMD #UD, Intel ignores it); how much MOVSXD with a 16-bit operand reads
 * (AMD 4 bytes). */
static bool host_differs(struct gen *g)
{
	struct fuzz_test *t = g->t;
	const struct insn *i = &t->insn;
	int n = mem_operand(i);

	if (is(i->desc, "enter") || is(i->desc, "maskmov"))
		t->in.rflags &= ~(uint64_t)FL_AC;
	if (n >= 0 &&
	    ((i->desc->attrs & (A_SSE | A_AVX | A_MMX)) || i->o[n].size == 0 || i->o[n].size == 10))
		t->in.rflags &= ~(uint64_t)FL_AC;
	if (t->mode != 8 && i->vexw && (is(i->desc, "vpinsr") || is(i->desc, "vpextr")))
		return true;
	return n >= 0 && i->osz == 2 && is(i->desc, "movsxd");
}

/* Single-stepping would hit the harness; state components that we lack would be used. */
static bool unwanted(const struct fuzz_test *t)
{
	const struct opcode *d = t->insn.desc;

	if (is(d, "popf"))
		return !t->patch_len;
	return (is(d, "xsave") || is(d, "xrstor")) && (t->in.gpr[RAX] & 0xf8);
}

/* The host implements more than the table knows: what does not decode there may well run here. */
static bool host_may_know(const struct fuzz_test *t)
{
	for (unsigned n = 0; n + 1 < 15; n++) {
		uint8_t b = t->code[n];
		if (b == 0x62 || b == 0x8f)
			return true;
		if (b != 0x0f)
			continue;
		switch (t->code[n + 1]) {
		case 0x01: /* MONITORX, CLZERO, RDPRU, ... */
		case 0x0f: /* 3DNow! */
		case 0x2b: /* SSE4a */
		case 0x78:
		case 0x79:
		case 0xae:
		case 0xc7:
			return true;
		}
		return false;
	}
	return false;
}

bool fuzz_generate(struct fuzz_test *t, uint64_t seed, const struct opcode *row,
		   const struct cpu_model *model)
{
	struct gen g = {.t = t, .row = row, .disp_at = -1};

	g.r.s = seed ^ t->index * 0xd1342543de82ef95;
	rnd(&g.r);
	t->row = row;
	t->mode = row->attrs & A_O64   ? 8
		  : row->attrs & A_N64 ? 2 + 2 * below(&g.r, 2)
		  : chance(&g.r, 70)   ? 8
				       : 2 + 2 * below(&g.r, 2);
	t->segmented = t->mode == 2 || (t->mode == 4 && chance(&g.r, 50));
	t->stack16 = t->segmented && chance(&g.r, t->mode == 2 ? 80 : 20);
	emit_prefixes(&g);
	emit_opcode(&g);
	if (row->modrm != R_NONE)
		emit_modrm(&g);
	emit_immediates(&g);
	redecode(&g, model);
	if (t->decodes ? (t->insn.desc->attrs & A_NOFUZZ) != 0 : host_may_know(t))
		return false;

	t->in.rip = CODE_ADDR + 0x100 + below(&g.r, CODE_SIZE - 0x200) - fuzz_seg_base(t, CS);
	any_xstate(&g.r, t->in.xsave, row);
	set_registers(&g);
	t->patch_len = 0;
	t->patch_addr = RW_ADDR;
	t->ea = 0;
	if (t->decodes && host_differs(&g))
		return false;
	if (t->decodes) {
		int n = mem_operand(&t->insn);
		set_implicit(&g);
		if (n >= 0 && (t->insn.asz > 2 || t->segmented) && chance(&g.r, 97)) {
			unsigned size = t->insn.o[n].size;
			uint64_t at = place_operand(&g, size);
			if (t->insn.desc->attrs & A_VSIB)
				set_gather(&g);
			solve_address(&g, at);
			patch_memory(&g, at, size);
		} else if (n < 0) {
			patch_memory(&g, stack_linear(t, is(t->insn.desc, "leave") ? RBP : RSP), 8);
		}
		aim_branch(&g);
		match_cmpxchg(&g);
		if (unwanted(t))
			return false;
	}
	if (t->mode != 8)
		for (unsigned n = 0; n < 16; n++)
			t->in.gpr[n] = (uint32_t)t->in.gpr[n];
	redecode(&g, model);
	if (t->decodes && mem_operand(&t->insn) >= 0 && !(t->insn.desc->attrs & A_VSIB))
		t->ea = effective(t);
	return true;
}

/* Brings the memory operand to a good place by its displacement, if it has one that reaches. */
static void solve_displacement(struct gen *g)
{
	struct fuzz_test *t = g->t;
	struct insn *i = &t->insn;
	int n = mem_operand(i);

	if (n < 0 || g->disp_at < 0 || i->asz == 2)
		return;
	uint64_t at = place_operand(g, i->o[n].size), now = effective(t);
	int64_t disp = (int64_t)(i->disp + (at - now));
	if (i->base == REG_RIP)
		disp -= t->len;
	if (disp == (int32_t)disp || i->asz == 4)
		patch_disp(g, disp);
}

bool fuzz_generate_next(struct fuzz_test *s, struct fuzz_rng *r, const struct opcode *row,
			const struct cpu_model *model)
{
	struct gen g = {.r = {rnd(r)}, .t = s, .row = row, .disp_at = -1};

	s->row = row;
	s->ea = 0;
	s->patch_len = 0;
	emit_prefixes(&g);
	emit_opcode(&g);
	if (row->modrm != R_NONE)
		emit_modrm(&g);
	emit_immediates(&g);
	redecode(&g, model);
	if (!s->decodes || s->insn.desc != row || row->attrs & (A_NOFUZZ | A_VSIB) ||
	    host_differs(&g) || unwanted(s))
		return false;
	solve_displacement(&g);
	aim_branch(&g);
	redecode(&g, model);
	return s->decodes;
}
