/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * String instructions: MOVS CMPS SCAS LODS STOS INS OUTS with REP, REPE and REPNE. SDM vol. 1 5.1.8,
 * vol. 2 REP.
 *
 * Registers and flags are committed after every iteration, so a fault or an interrupt finds the
 * instruction resumable. (Intel's processors put the flags of CMPS and SCAS back on a fault; that
 * changes nothing for the iterations to come.)
 *
 * Forward MOVS and STOS go in runs that stay within one page of the source and of the destination,
 * within the segments and without wrapping; what is left (page crossings, devices, watched pages)
 * goes one element at a time.
 */
#include "cpu/alu.h"
#include "cpu/exc.h"
#include "cpu/io.h"
#include "cpu/opcode.h"
#include "cpu/operand.h"

/* Work between two looks at the event word, in units of about a nanosecond. */
enum { WORK = 20000, WORK_ELEMENT = 16, WORK_RUN = 32, WORK_BYTES = 16 };

static unsigned element_size(const struct insn *i)
{
	return i->desc->opcode & 1 ? i->osz : 1;
}

static uint64_t src_lin(struct core *c, const struct insn *i, unsigned size)
{
	return seg_lin(c, i->seg, gpr_read(c, RSI, i->asz), size, ACC_READ);
}

static uint64_t dst_lin(struct core *c, const struct insn *i, unsigned size, enum access acc)
{
	return seg_lin(c, ES, gpr_read(c, RDI, i->asz), size, acc);
}

static void step(struct core *c, const struct insn *i, unsigned reg, uint64_t by)
{
	if (c->v.rflags & FL_DF)
		by = -by;
	gpr_write(c, reg, i->asz, c->v.gpr[reg] + by);
}

/* Counts n iterations done; true when there are more. */
static bool count_down(struct core *c, const struct insn *i, uint64_t n)
{
	uint64_t left = (c->v.gpr[RCX] - n) & size_mask(i->asz);
	gpr_write(c, RCX, i->asz, left);
	return left != 0;
}

/* Between two iterations: gives way to what is waiting. A single step or a data breakpoint traps
 * after every iteration. */
static void pause_here(struct core *c, int *work, int cost)
{
	*work -= cost;
	if (__builtin_expect((c->v.rflags & FL_TF) || c->dr6_pending || c->leave, 0))
		raise_restart(c);
	if (*work > 0)
		return;
	*work = WORK;
	if (c->events && atomic_load_explicit(c->events, memory_order_relaxed))
		raise_restart(c);
}

/* Bytes from offset `off` that neither wrap nor leave the segment; seg_lin() has passed the first
 * element. */
static uint64_t room(const struct core *c, const struct insn *i, unsigned seg, uint64_t off)
{
	uint64_t left = i->asz == 8 ? ~0ull : size_mask(i->asz) - off + 1;
	const struct segment *s = &c->v.seg[seg];
	uint64_t last = s->limit;

	if (c->mode == 8)
		return left;
	if ((s->attr & (SEG_X | SEG_E)) == SEG_E && (s->attr & SEG_S))
		last = s->attr & SEG_DB ? 0xffffffff : 0xffff;
	last = last >= off ? last - off + 1 : 0;
	return last < left ? last : left;
}

/* Whole elements that fit `bytes`, at most n; *bytes becomes their size. */
static uint64_t elements(uint64_t *bytes, unsigned size, uint64_t n)
{
	uint64_t fit = *bytes / size;

	if (fit > n)
		fit = n;
	*bytes = fit * size;
	return fit;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Copies upwards element by element, as MOVS does: an overlap replicates. `bytes` is a multiple of
 * size. */
static void copy_up(uint8_t *dst, const uint8_t *src, uint64_t bytes, unsigned size)
{
	uint64_t gap = (uintptr_t)dst - (uintptr_t)src, piece;

	if (gap >= bytes) { /* apart, or the destination is below */
		memmove(dst, src, bytes);
		return;
	}
	if (gap < size) {
		for (uint64_t at = 0; at < bytes; at += size) {
			uint64_t v = 0;
			memcpy(&v, src + at, size);
			memcpy(dst + at, &v, size);
		}
		return;
	}
	/* What lies between the two repeats: each piece is finished before it is read again. */
	for (piece = gap - gap % size; bytes; bytes -= piece, src += piece, dst += piece) {
		if (piece > bytes)
			piece = bytes;
		memcpy(dst, src, piece);
	}
}

/* Returns how many elements were moved, 0 when the next one must go alone. */
static uint64_t movs_run(struct core *c, const struct insn *i, unsigned size, uint64_t n)
{
	uint64_t src = src_lin(c, i, size), dst = dst_lin(c, i, size, ACC_WRITE), bytes;
	unsigned src_run, dst_run;
	const uint8_t *from = mem_run(c, src, &src_run, ACC_READ);
	uint8_t *to;

	if (!from || src_run < size) /* reading a whole element comes first */
		return 0;
	to = mem_run(c, dst, &dst_run, ACC_WRITE);
	if (!to)
		return 0;
	bytes = smaller(room(c, i, i->seg, gpr_read(c, RSI, i->asz)),
			room(c, i, ES, gpr_read(c, RDI, i->asz)));
	bytes = smaller(bytes, smaller(src_run, dst_run));
	n = elements(&bytes, size, n);
	if (!n)
		return 0;
	copy_up(to, from, bytes, size);
	mem_stored_at(c, dst);
	step(c, i, RSI, bytes);
	step(c, i, RDI, bytes);
	return n;
}

static void fill(uint8_t *to, uint64_t val, unsigned size, uint64_t bytes)
{
	uint64_t done = size;

	if (size == 1 || val == 0) {
		memset(to, (int)val, bytes);
		return;
	}
	memcpy(to, &val, size);
	for (uint64_t n; done < bytes; done += n) {
		n = smaller(done, bytes - done);
		memcpy(to + done, to, n);
	}
}

static uint64_t stos_run(struct core *c, const struct insn *i, unsigned size, uint64_t n)
{
	uint64_t dst = dst_lin(c, i, size, ACC_WRITE), bytes;
	unsigned run;
	uint8_t *to = mem_run(c, dst, &run, ACC_WRITE);

	if (!to)
		return 0;
	bytes = smaller(run, room(c, i, ES, gpr_read(c, RDI, i->asz)));
	n = elements(&bytes, size, n);
	if (!n)
		return 0;
	fill(to, gpr_read(c, RAX, size), size, bytes);
	mem_stored_at(c, dst);
	step(c, i, RDI, bytes);
	return n;
}

static void movs_one(struct core *c, const struct insn *i, unsigned size)
{
	uint64_t val = mem_read_n(c, src_lin(c, i, size), size);

	mem_write_n(c, dst_lin(c, i, size, ACC_WRITE), val, size);
	step(c, i, RSI, size);
	step(c, i, RDI, size);
}

static void stos_one(struct core *c, const struct insn *i, unsigned size)
{
	mem_write_n(c, dst_lin(c, i, size, ACC_WRITE), gpr_read(c, RAX, size), size);
	step(c, i, RDI, size);
}

static void lods_one(struct core *c, const struct insn *i, unsigned size)
{
	gpr_write(c, RAX, size, mem_read_n(c, src_lin(c, i, size), size));
	step(c, i, RSI, size);
}

/* The destination is checked before the port is read. */
static void ins_one(struct core *c, const struct insn *i, unsigned size)
{
	uint64_t lin = dst_lin(c, i, size, ACC_WRITE);

	mem_probe(c, lin, size, ACC_WRITE);
	mem_write_n(c, lin, io_read(c, (uint16_t)c->v.gpr[RDX], size), size);
	step(c, i, RDI, size);
}

static void outs_one(struct core *c, const struct insn *i, unsigned size)
{
	uint64_t val = mem_read_n(c, src_lin(c, i, size), size);

	io_write(c, (uint16_t)c->v.gpr[RDX], (uint32_t)val, size);
	step(c, i, RSI, size);
}

typedef void one_fn(struct core *c, const struct insn *i, unsigned size);
typedef uint64_t run_fn(struct core *c, const struct insn *i, unsigned size, uint64_t n);

static inline __attribute__((always_inline)) void repeat(struct core *c, const struct insn *i,
							 unsigned size, one_fn *one, run_fn *run)
{
	int work = WORK;
	uint64_t left, n;

	if (!i->rep) {
		one(c, i, size);
		return;
	}
	while ((left = gpr_read(c, RCX, i->asz)) != 0) {
		n = 0;
		if (run && left > 1 && !(c->v.rflags & (FL_DF | FL_TF)) && !c->align_check)
			n = run(c, i, size, left);
		if (n) {
			if (!count_down(c, i, n))
				return;
			pause_here(c, &work, WORK_RUN + (int)(n * size / WORK_BYTES));
		} else {
			one(c, i, size);
			if (!count_down(c, i, 1))
				return;
			pause_here(c, &work, WORK_ELEMENT);
		}
	}
}

void op_movs(struct core *c, const struct insn *i)
{
	repeat(c, i, element_size(i), movs_one, movs_run);
}

void op_stos(struct core *c, const struct insn *i)
{
	repeat(c, i, element_size(i), stos_one, stos_run);
}

void op_lods(struct core *c, const struct insn *i)
{
	repeat(c, i, element_size(i), lods_one, NULL);
}

static unsigned port_size(const struct insn *i)
{
	return !(i->desc->opcode & 1) ? 1 : i->osz == 2 ? 2 : 4;
}

/* The permission to use the port is checked even for a count of zero. */
static void port_string(struct core *c, const struct insn *i, one_fn *one)
{
	unsigned size = port_size(i);

	io_check(c, (uint16_t)c->v.gpr[RDX], size);
	repeat(c, i, size, one, NULL);
}

void op_ins(struct core *c, const struct insn *i)
{
	port_string(c, i, ins_one);
}

void op_outs(struct core *c, const struct insn *i)
{
	port_string(c, i, outs_one);
}

/* Processors touch the destination string first. */
static void cmps_one(struct core *c, const struct insn *i, unsigned size)
{
	uint64_t b = mem_read_n(c, dst_lin(c, i, size, ACC_READ), size);
	uint64_t a = mem_read_n(c, src_lin(c, i, size), size);

	alu_sub(&c->v.cc, a, b, size);
	step(c, i, RSI, size);
	step(c, i, RDI, size);
}

static void scas_one(struct core *c, const struct insn *i, unsigned size)
{
	uint64_t b = mem_read_n(c, dst_lin(c, i, size, ACC_READ), size);

	alu_sub(&c->v.cc, gpr_read(c, RAX, size), b, size);
	step(c, i, RDI, size);
}

/* Goes on while the count lasts and ZF is as the prefix wants it. */
static inline __attribute__((always_inline)) void compare(struct core *c, const struct insn *i,
							  one_fn *one)
{
	unsigned size = element_size(i);
	uint32_t go_on = i->rep == 0xf3 ? FL_ZF : 0;
	int work = WORK;

	if (!i->rep) {
		one(c, i, size);
		return;
	}
	while (gpr_read(c, RCX, i->asz)) {
		one(c, i, size);
		if (!count_down(c, i, 1) || (c->v.cc & FL_ZF) != go_on)
			return;
		pause_here(c, &work, WORK_ELEMENT);
	}
}

void op_cmps(struct core *c, const struct insn *i)
{
	compare(c, i, cmps_one);
}

void op_scas(struct core *c, const struct insn *i)
{
	compare(c, i, scas_one);
}
