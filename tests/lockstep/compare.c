/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Are both the same? Two differences are allowed, and made none at once, so that they cannot spread:
 * status flags that an instruction leaves undefined, which are the host's in one and a C operation's
 * in the other; and where a block is left in the middle those that the rest of it writes before it reads
 * them (docs/jit.md), after a fault also in its stack frame. When PUSHF, SYSCALL or a task switch has read
 * undefined flags, values that can be nothing but an image of RFLAGS may differ in them from then on, and so
 * may flags that POPF, IRET and the like have loaded.
 */
#include <stdio.h>
#include <string.h>

#include "accel/jit/translate.h"
#include "cpu/opcode.h"
#include "cpu/ops.h"
#include "mmu/walk.h"
#include "tests/lockstep/lockstep.h"

/* From the table's six bits to RFLAGS. */
static uint32_t flags_of(uint64_t bits)
{
	static const uint32_t flag[] = {FL_CF, FL_PF, FL_AF, FL_ZF, FL_SF, FL_OF};
	uint32_t fl = 0;
	for (unsigned n = 0; n < 6; n++)
		if (bits >> n & 1)
			fl |= flag[n];
	return fl;
}

/* Flags stay as they are when the count is 0. */
static bool by_count(const struct insn *i)
{
	static op_fn *const shifts[] = {op_rol, op_ror, op_rcl,  op_rcr, op_shl,
					op_shr, op_sar, op_shld, op_shrd};
	bool imm = i->o[1].kind == OPK_IMM || i->o[2].kind == OPK_IMM;
	if (imm && i->imm & (i->o[0].size == 8 ? 63 : 31))
		return false;
	bool counts = i->rep;
	for (unsigned n = 0; n < sizeof(shifts) / sizeof(shifts[0]); n++)
		counts |= i->op == shifts[n];
	return counts;
}

void flags_after(struct open_flags *f, const struct insn *i)
{
	uint64_t attrs = i->desc->attrs;
	uint32_t undefined = flags_of(attrs >> 6);
	/* What ends a block may be a task switch, a system call or a return. */
	if ((attrs >> 12 & CC_ALL) == CC_ALL || attrs & A_END)
		f->images |= f->open;
	if (!by_count(i))
		f->open &= ~flags_of(attrs);
	f->open |= undefined;
	if (i->op == op_popf || attrs & A_END)
		f->open |= f->images;
	for (uint32_t left = undefined; left; left &= left - 1)
		f->by[__builtin_ctz(left)] = i->desc;
}

static void note_open(struct open_flags *f, uint32_t diff)
{
	const struct opcode *op = f->by[__builtin_ctz(diff)];
	if (!op)
		return;
	unsigned n = 0;
	while (n < 63 && f->seen[n].op && f->seen[n].op != op)
		n++;
	f->seen[n].op = op;
	f->seen[n].times++;
}

/* Flags that nothing reads when a block is gone on with at i. Where a branch leads out of a trace they are
 * compared. */
static uint32_t dead_flags(const struct insn *i)
{
	uint64_t dead = 0, live = 0, reads, writes;
	for (; i->desc && i->op != op_jcc && !i->rep; i++) {
		flags_effect(i, &reads, &writes);
		live |= reads & ~dead;
		dead |= writes & ~live;
	}
	return flags_of(dead);
}

/* The flags image that an exception has just pushed, or NULL. */
static uint8_t *frame_flags(const struct side *s)
{
	const struct core *c = s->c;
	unsigned slot = core_long(c) ? 8 : 4;
	uint64_t lin = c->v.gpr[RSP] + slot * (2 + c->exc.has_error);
	struct translation t;
	struct range r;
	if (!core_protected(c) || c->mode == 2)
		return NULL;
	if (!core_long(c))
		lin = (uint32_t)(c->v.seg[SS].base + lin);
	if (page_walk_debug(&s->pc->m.mem, &c->paging, lin, &t) < 0 ||
	    !aspace_find(&s->pc->m.mem, t.gpa, &r) || r.kind != RANGE_RAM)
		return NULL;
	return r.ram->host + r.ram_off + (t.gpa - r.base);
}

/* False when the frames differ in more than `open`. */
static bool same_frames(struct lockstep *l, uint32_t open)
{
	uint8_t *image[SIDES];
	uint32_t fl[SIDES];
	for (unsigned n = 0; n < SIDES; n++) {
		image[n] = frame_flags(&l->side[n]);
		if (!image[n])
			return true;
		memcpy(&fl[n], image[n], 4);
	}
	if ((fl[0] ^ fl[1]) & ~open)
		return false;
	l->reconciled += fl[0] != fl[1];
	memcpy(image[INTERP], &fl[JIT], 4);
	return true;
}

/* What translated code that has been left before the end of its block may have in dead flags. */
static uint32_t flags_of_the_rest(const struct side *j, bool faulted)
{
	const struct engine_cpu *e = j->e;
	if (faulted)
		return j->c->insn ? dead_flags(j->c->insn) : 0;
	return e->cut && e->cut_count == j->c->retired ? dead_flags(e->cut + 1) : 0;
}

/* Images of RFLAGS that differ in what was undefined when they were made. */
static bool alike(const struct lockstep *l, uint64_t x, uint64_t y)
{
	const uint64_t no_flags = ~0x3f7fd7ull;
	return !((x ^ y) & ~(uint64_t)l->flags.images) && !(x & no_flags) && x & FL_1;
}

static void settle_images(struct lockstep *l)
{
	struct vcpu *a = &l->side[INTERP].c->v, *b = &l->side[JIT].c->v;
	for (unsigned n = 0; n < 16; n++) {
		if (a->gpr[n] == b->gpr[n] || !alike(l, a->gpr[n], b->gpr[n]))
			continue;
		a->gpr[n] = b->gpr[n];
		l->reconciled++;
	}
}

bool compare_cpus(struct lockstep *l, bool faulted)
{
	struct vcpu *a = &l->side[INTERP].c->v, *b = &l->side[JIT].c->v;
	uint32_t diff = a->cc ^ b->cc, open = l->flags.open;
	if (diff & open)
		note_open(&l->flags, diff & open);
	if (diff & ~open || faulted)
		open |= flags_of_the_rest(&l->side[JIT], faulted);
	if (diff & ~open)
		return false;
	if (faulted && a->gpr[RSP] == b->gpr[RSP] && !same_frames(l, open))
		return false;
	a->cc = b->cc;
	l->flags.open = 0;
	settle_images(l);
	if (l->side[INTERP].c->retired != l->side[JIT].c->retired)
		return false;
	if (!memcmp(a, b, sizeof(*a)))
		return true;
	if (!same_state(a, b, false))
		return false;
	*a = *b; /* padding */
	return true;
}

bool compare_page(struct lockstep *l, uint64_t at)
{
	const struct ram *a = &l->side[INTERP].pc->m.ram, *b = &l->side[JIT].pc->m.ram;
	return at + PAGE_SIZE > a->size || !memcmp(a->host + at, b->host + at, PAGE_SIZE);
}

static bool same_word(struct lockstep *l, uint8_t *a, const uint8_t *b)
{
	uint32_t x, y;
	memcpy(&x, a, 4);
	memcpy(&y, b, 4);
	if (x != y && !alike(l, x, y))
		return false;
	l->reconciled += x != y;
	memcpy(a, b, 4);
	return true;
}

bool compare_ram(struct lockstep *l)
{
	const struct ram *a = &l->side[INTERP].pc->m.ram, *b = &l->side[JIT].pc->m.ram;
	unsigned shown = 0;
	for (uint64_t at = 0; at < a->size; at += PAGE_SIZE) {
		if (!memcmp(a->host + at, b->host + at, PAGE_SIZE))
			continue;
		for (unsigned n = 0; n < PAGE_SIZE && shown < 16; n += 4) {
			uint32_t x, y;
			if (same_word(l, a->host + at + n, b->host + at + n))
				continue;
			memcpy(&x, a->host + at + n, 4);
			memcpy(&y, b->host + at + n, 4);
			printf("RAM %#lx: interp %08x jit %08x (-watch %#lx finds when)\n", at + n,
			       x, y, at);
			shown++;
		}
	}
	return !shown;
}

/* The fields that a device would save. */
static bool compare_device(const struct device *a, const struct device *b)
{
	bool same = true;
	for (const struct field *f = a->fields; f && f->name; f++) {
		const uint8_t *x = (const uint8_t *)a->state + f->offset;
		const uint8_t *y = (const uint8_t *)b->state + f->offset;
		bool equal = true;
		for (uint32_t i = 0; i < f->count; i++)
			equal &= !memcmp(x + (size_t)i * field_stride(f),
					 y + (size_t)i * field_stride(f), f->size);
		if (equal)
			continue;
		printf("device %s: %s differs\n", a->name, f->name);
		same = false;
	}
	return same;
}

/* Those that fire together may be armed in another order. */
static bool compare_timers(const struct clock *a, const struct clock *b)
{
	const struct timer *x = a->timers, *y = b->timers;

	for (; x && y; x = x->next, y = y->next)
		if (x->deadline != y->deadline) {
			printf("timers: %lu ns, the other %lu ns\n", x->deadline, y->deadline);
			return false;
		}
	if (x || y)
		printf("timers: one more, at %lu ns\n", x ? x->deadline : y->deadline);
	return !x && !y;
}

bool compare_devices(struct lockstep *l)
{
	const struct side *s = l->side;
	bool same = s[INTERP].out_len == s[JIT].out_len &&
		    !memcmp(s[INTERP].out, s[JIT].out, s[JIT].out_len);
	if (!same)
		printf("the output of the serial ports differs\n");
	const struct device *a = s[INTERP].pc->m.devices, *b = s[JIT].pc->m.devices;
	for (; a && b; a = a->next, b = b->next)
		same &= compare_device(a, b);
	same &= compare_timers(&s[INTERP].pc->m.clock, &s[JIT].pc->m.clock);
	return same;
}
