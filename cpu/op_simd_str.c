/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM. SDM vol. 2B 4.1, "Imm8 control
 * byte operation for PCMPESTRI / PCMPESTRM / PCMPISTRI / PCMPISTRM".
 */
#include "cpu/op_simd.h"

/* imm8 */
enum {
	FMT_WORDS = 1 << 0,
	FMT_SIGNED = 1 << 1,
	AGG_SHIFT = 2,
	AGG_ANY = 0,
	AGG_RANGES = 1,
	AGG_EACH = 2,
	AGG_ORDERED = 3,
	POL_NEGATIVE = 1 << 4,
	POL_MASKED = 1 << 5,
	OUT_HIGH = 1 << 6, /* index: most significant; mask: expanded to elements */
};

struct string {
	int e[16];
	unsigned len;
};

static void load(struct string *s, const union vec128 *v, unsigned imm)
{
	for (unsigned k = 0; k < (imm & FMT_WORDS ? 8u : 16u); k++)
		switch (imm & (FMT_WORDS | FMT_SIGNED)) {
		case 0:
			s->e[k] = v->u8[k];
			break;
		case FMT_WORDS:
			s->e[k] = v->u16[k];
			break;
		case FMT_SIGNED:
			s->e[k] = v->i8[k];
			break;
		default:
			s->e[k] = v->i16[k];
		}
}

static void length_implicit(struct string *s, unsigned n)
{
	for (s->len = 0; s->len < n && s->e[s->len]; s->len++)
		;
}

/* Explicit lengths are the saturated magnitude of a signed register. */
static void length_explicit(struct string *s, unsigned n, uint64_t reg, bool wide)
{
	uint64_t mag = wide ? reg : (uint64_t)(int32_t)reg;
	if ((int64_t)mag < 0)
		mag = -mag;
	s->len = mag < n ? mag : n;
}

static unsigned match_any(const struct string *set, int x)
{
	for (unsigned k = 0; k < set->len; k++)
		if (set->e[k] == x)
			return 1;
	return 0;
}

static unsigned match_range(const struct string *set, int x)
{
	for (unsigned k = 0; k + 1 < set->len; k += 2)
		if (set->e[k] <= x && x <= set->e[k + 1])
			return 1;
	return 0;
}

/* Whether a is found in b at element j, as far as the register reaches. */
static unsigned match_ordered(const struct string *a, const struct string *b, unsigned j,
			      unsigned n)
{
	for (unsigned k = 0; k < a->len && j + k < n; k++)
		if (j + k >= b->len || a->e[k] != b->e[j + k])
			return 0;
	return 1;
}

/* IntRes1: one bit for each of the n elements of b. */
static unsigned compare(const struct string *a, const struct string *b, unsigned n, unsigned agg)
{
	unsigned res = 0;
	for (unsigned j = 0; j < n; j++) {
		unsigned bit = 0;
		switch (agg) {
		case AGG_ANY:
			bit = j < b->len && match_any(a, b->e[j]);
			break;
		case AGG_RANGES:
			bit = j < b->len && match_range(a, b->e[j]);
			break;
		case AGG_EACH:
			bit = j < a->len && j < b->len ? a->e[j] == b->e[j]
						       : j >= a->len && j >= b->len;
			break;
		case AGG_ORDERED:
			bit = match_ordered(a, b, j, n);
			break;
		}
		res |= bit << j;
	}
	return res;
}

/* IntRes2, with the flags set. */
static unsigned pcmpstr(struct core *c, const struct insn *i, bool explicit)
{
	struct vec256 tmp;
	struct string a, b;
	unsigned imm = i->imm, n = imm & FMT_WORDS ? 8 : 16, all = (1u << n) - 1, res;
	const union vec128 *src = vec_src(c, i, 1, &tmp);
	load(&a, vec_reg(c, i->o[0].reg), imm);
	load(&b, src, imm);
	if (explicit) {
		bool wide = i->mode == 8 && (i->vex ? i->vexw : i->rex >> 3 & 1);
		length_explicit(&a, n, c->v.gpr[RAX], wide);
		length_explicit(&b, n, c->v.gpr[RDX], wide);
	} else {
		length_implicit(&a, n);
		length_implicit(&b, n);
	}
	res = compare(&a, &b, n, imm >> AGG_SHIFT & 3);
	if (imm & POL_NEGATIVE)
		res ^= imm & POL_MASKED ? (1u << b.len) - 1 : all;
	c->v.cc = (res ? FL_CF : 0) | (b.len < n ? FL_ZF : 0) | (a.len < n ? FL_SF : 0) |
		  (res & 1 ? FL_OF : 0);
	return res;
}

static void put_index(struct core *c, const struct insn *i, unsigned res)
{
	unsigned n = i->imm & FMT_WORDS ? 8 : 16;
	if (!res)
		c->v.gpr[RCX] = n;
	else
		c->v.gpr[RCX] = i->imm & OUT_HIGH ? 31 - __builtin_clz(res) : __builtin_ctz(res);
}

static void put_mask(struct core *c, const struct insn *i, unsigned res)
{
	union vec128 d = {.u64 = {res}};
	if (i->imm & OUT_HIGH)
		for (unsigned k = 0; k < 16; k++)
			d.u8[k] = -(res >> (i->imm & FMT_WORDS ? k / 2 : k) & 1);
	vec_write_reg(c, i, 0, &d, 16);
}

void op_pcmpestri(struct core *c, const struct insn *i)
{
	put_index(c, i, pcmpstr(c, i, true));
}
void op_pcmpistri(struct core *c, const struct insn *i)
{
	put_index(c, i, pcmpstr(c, i, false));
}
void op_pcmpestrm(struct core *c, const struct insn *i)
{
	put_mask(c, i, pcmpstr(c, i, true));
}
void op_pcmpistrm(struct core *c, const struct insn *i)
{
	put_mask(c, i, pcmpstr(c, i, false));
}
