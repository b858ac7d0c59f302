/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * x87 control instructions: control, status, environment and whole-state load and store, FWAIT,
 * EMMS. SDM vol. 1 8.1.10 (environment formats), vol. 2.
 */
#include "cpu/exc.h"
#include "cpu/x87_op.h"

/* The environment: seven words of 4 or 2 bytes, in two layouts. */
struct env {
	unsigned width; /* 4 or 2 */
	bool real;      /* real and virtual-8086 mode: linear addresses instead of sel:off */
};

static struct env env_of(const struct core *c, const struct insn *i)
{
	return (struct env){i->osz == 2 ? 2 : 4, !core_protected(c)};
}

static void put(uint8_t *buf, const struct env *e, unsigned n, uint32_t v)
{
	memcpy(buf + n * e->width, &v, e->width);
}
static uint32_t get(const uint8_t *buf, const struct env *e, unsigned n)
{
	uint32_t v = 0;
	memcpy(&v, buf + n * e->width, e->width);
	return v;
}

static void env_pack(const struct fpu *f, const struct env *e, uint8_t buf[28])
{
	const uint32_t ones = 0xffff0000;
	put(buf, e, 0, ones | f->fcw);
	put(buf, e, 1, ones | f->fsw);
	put(buf, e, 2, ones | x87_full_tags(f));
	if (e->real) {
		uint32_t ip = f->fip + f->fcs * 16u, dp = f->fdp + f->fds * 16u;
		if (e->width == 4) {
			put(buf, e, 3, ones | (ip & 0xffff));
			put(buf, e, 4, ip >> 16 << 12 | f->fop);
			put(buf, e, 5, ones | (dp & 0xffff));
			put(buf, e, 6, dp >> 16 << 12);
		} else {
			put(buf, e, 3, ip);
			put(buf, e, 4, (ip >> 16 & 0xf) << 12 | f->fop);
			put(buf, e, 5, dp);
			put(buf, e, 6, (dp >> 16 & 0xf) << 12);
		}
	} else {
		put(buf, e, 3, f->fip);
		put(buf, e, 4, (uint32_t)f->fop << 16 | f->fcs);
		put(buf, e, 5, f->fdp);
		put(buf, e, 6, ones | f->fds);
	}
}

static void env_unpack(struct fpu *f, const struct env *e, const uint8_t buf[28])
{
	f->fsw = get(buf, e, 1);
	x87_set_fcw(f, get(buf, e, 0));
	f->ftw = x87_abridge_tags(get(buf, e, 2));
	uint32_t ip = get(buf, e, 3), cs = get(buf, e, 4), dp = get(buf, e, 5), ds = get(buf, e, 6);
	if (e->real) {
		f->fip = (ip & 0xffff) | cs >> 12 << 16;
		f->fdp = (dp & 0xffff) | ds >> 12 << 16;
		f->fop = cs & 0x7ff;
		f->fcs = f->fds = 0;
	} else {
		f->fip = ip;
		f->fdp = dp;
		f->fcs = cs;
		f->fds = ds;
		f->fop = e->width == 4 ? cs >> 16 & 0x7ff : 0;
	}
}

/* Memory of an environment, and of the registers behind it with `regs`: one access per field, each
 * with its own segment check. No field is written before all of them could be. */
static void area(struct core *c, const struct insn *i, const struct env *e, bool regs, uint8_t *buf,
		 enum access acc)
{
	uint64_t lin[7 + 8];
	unsigned size = e->width, nr = regs ? 7 + 8 : 7;
	for (unsigned n = 0, off = 0; n < nr; n++, off += size) {
		size = n < 7 ? e->width : 10;
		lin[n] = lin_of_at(c, i, off, size, acc);
		if (acc == ACC_WRITE)
			mem_probe(c, lin[n], size, acc);
		else
			mem_read(c, lin[n], buf + off, size);
	}
	if (acc != ACC_WRITE)
		return;
	for (unsigned n = 0, off = 0; n < nr; n++, off += size) {
		size = n < 7 ? e->width : 10;
		mem_write(c, lin[n], buf + off, size);
	}
}

/* The control word may have changed. Engines may have translated code for "all exceptions masked". */
static void control_loaded(struct core *c, uint16_t before)
{
	if ((c->v.fpu.fcw ^ before) & FCW_EXC)
		c->leave = true;
}

void op_fnstenv(struct core *c, const struct insn *i)
{
	struct env e = env_of(c, i);
	uint8_t buf[28];
	env_pack(&c->v.fpu, &e, buf);
	uint16_t fcw = c->v.fpu.fcw;
	area(c, i, &e, false, buf, ACC_WRITE);
	x87_set_fcw(&c->v.fpu, fcw | FCW_EXC);
	control_loaded(c, fcw);
}

void op_fldenv(struct core *c, const struct insn *i)
{
	struct env e = env_of(c, i);
	uint8_t buf[28];
	uint16_t fcw = c->v.fpu.fcw;
	area(c, i, &e, false, buf, ACC_READ);
	env_unpack(&c->v.fpu, &e, buf);
	control_loaded(c, fcw);
}

static void init(struct core *c)
{
	uint16_t fcw = c->v.fpu.fcw;
	x87_init(&c->v.fpu);
	control_loaded(c, fcw);
}

void op_fnsave(struct core *c, const struct insn *i)
{
	struct fpu *f = &c->v.fpu;
	struct env e = env_of(c, i);
	uint8_t buf[108], *p = buf + 7 * e.width;
	env_pack(f, &e, buf);
	for (unsigned n = 0; n < 8; n++, p += 10) {
		const struct x87_reg *r = x87_st(f, n);
		memcpy(p, &r->mant, 8);
		memcpy(p + 8, &r->se, 2);
	}
	area(c, i, &e, true, buf, ACC_WRITE);
	init(c);
}

void op_frstor(struct core *c, const struct insn *i)
{
	struct fpu *f = &c->v.fpu;
	struct env e = env_of(c, i);
	uint8_t buf[108], *p = buf + 7 * e.width;
	uint16_t fcw = f->fcw;
	area(c, i, &e, true, buf, ACC_READ);
	env_unpack(f, &e, buf);
	control_loaded(c, fcw);
	for (unsigned n = 0; n < 8; n++, p += 10) {
		struct x87_reg *r = x87_st(f, n);
		memcpy(&r->mant, p, 8);
		memcpy(&r->se, p + 8, 2);
	}
}

void op_fldcw(struct core *c, const struct insn *i)
{
	uint16_t fcw = c->v.fpu.fcw;
	x87_set_fcw(&c->v.fpu, mem_read16(c, lin_of(c, i, 2, ACC_READ)));
	control_loaded(c, fcw);
}

void op_fnstcw(struct core *c, const struct insn *i)
{
	mem_write16(c, lin_of(c, i, 2, ACC_WRITE), c->v.fpu.fcw);
}

void op_fnstsw(struct core *c, const struct insn *i)
{
	mem_write16(c, lin_of(c, i, 2, ACC_WRITE), c->v.fpu.fsw);
}

void op_fnstsw_ax(struct core *c, const struct insn *i)
{
	(void)i;
	c->v.gpr[RAX] = (c->v.gpr[RAX] & ~0xffffull) | c->v.fpu.fsw;
}

void op_fninit(struct core *c, const struct insn *i)
{
	(void)i;
	init(c);
}

void op_fnclex(struct core *c, const struct insn *i)
{
	(void)i;
	c->v.fpu.fsw &= ~(FSW_EXC | FSW_SF | FSW_ES | FSW_B);
}

/* FENI, FDISI (8087) and FSETPM (80287). */
void op_x87_nop(struct core *c, const struct insn *i)
{
	(void)c;
	(void)i;
}

/* Unlike other instructions it looks at TS only when MP says so, and never at EM. */
void op_fwait(struct core *c, const struct insn *i)
{
	(void)i;
	if (c->v.cr0 & CR0_MP && c->v.cr0 & CR0_TS)
		raise_exc(c, EXC_NM);
	if (c->v.fpu.fsw & FSW_ES)
		x87_report(c);
}

void op_emms(struct core *c, const struct insn *i)
{
	(void)i;
	c->v.fpu.fsw &= ~FSW_TOP;
	c->v.fpu.ftw = 0;
}
