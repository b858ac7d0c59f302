/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One table is both the layout of packets and the description.
 */
#include "frontend/gdb/regs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/cpuid.h"
#include "cpu/vcpu.h"
#include "cpu/x87.h"
#include "frontend/debug/memory.h"
#include "hw/lapic.h"

enum kind {
	R_GPR,
	R_RIP,
	R_LOW, /* the low half of a GPR */
	R_EIP, /* where the CPU fetches from: with the base of CS */
	R_EFLAGS,
	R_SEL,
	R_ST,
	R_FPU, /* control registers, by their index in the description */
	R_XMM,
	R_MXCSR,
	R_YMMH,
	R_BASE, /* of a segment */
	R_KERNEL_GS,
	R_CR,
	R_EFER,
	R_XCR0,
	R_PKRU,
	R_DR,
	R_TABLE, /* GDTR, IDTR: base, limit; LDTR, TR: selector, base */
};

enum gdb_feature { F_CORE, F_SSE, F_AVX, F_SYSTEM, FEATURES };

static const char *const feature_names[FEATURES] = {
    "org.gnu.gdb.i386.core",
    "org.gnu.gdb.i386.sse",
    "org.gnu.gdb.i386.avx",
    "org.doppel.system",
};

/* Those that come and go together. */
enum set { SET_GPR64, SET_GPR32, SET_COMMON, SET_XMM64, SET_MXCSR, SET_AVX, SET_AVX64, SET_SYSTEM };

struct gdb_reg {
	const char *name;
	enum set set;
	enum gdb_feature feature;
	enum kind kind;
	uint8_t index;
	uint8_t size; /* bytes */
	const char *type;
};

static const struct gdb_reg table[] = {
#define REG(set, name, feature, kind, index, size, type)                                           \
	{#name, SET_##set, F_##feature, R_##kind, index, size, #type},
#include "frontend/gdb/regs.def"
#undef REG
};

/* ---- the description ---- */

struct flag_bit {
	const char *name;
	uint8_t bit;
};

static const struct flag_bit eflags_fields[] = {
    {"CF", 0},  {"", 1},    {"PF", 2},   {"AF", 4},   {"ZF", 6},  {"SF", 7},
    {"TF", 8},  {"IF", 9},  {"DF", 10},  {"OF", 11},  {"NT", 14}, {"RF", 16},
    {"VM", 17}, {"AC", 18}, {"VIF", 19}, {"VIP", 20}, {"ID", 21}, {0}};
static const struct flag_bit mxcsr_fields[] = {
    {"IE", 0}, {"DE", 1}, {"ZE", 2},  {"OE", 3},  {"UE", 4},  {"PE", 5},  {"DAZ", 6}, {"IM", 7},
    {"DM", 8}, {"ZM", 9}, {"OM", 10}, {"UM", 11}, {"PM", 12}, {"FZ", 15}, {0}};
static const struct flag_bit cr0_fields[] = {{"PE", 0},  {"MP", 1},  {"EM", 2},  {"TS", 3},
					     {"ET", 4},  {"NE", 5},  {"WP", 16}, {"AM", 18},
					     {"NW", 29}, {"CD", 30}, {"PG", 31}, {0}};
static const struct flag_bit cr4_fields[] = {
    {"VME", 0},         {"PVI", 1},   {"TSD", 2},   {"DE", 3},        {"PSE", 4},
    {"PAE", 5},         {"MCE", 6},   {"PGE", 7},   {"PCE", 8},       {"OSFXSR", 9},
    {"OSXMMEXCPT", 10}, {"UMIP", 11}, {"LA57", 12}, {"FSGSBASE", 16}, {"PCIDE", 17},
    {"OSXSAVE", 18},    {"SMEP", 20}, {"SMAP", 21}, {"PKE", 22},      {0}};
static const struct flag_bit efer_fields[] = {{"SCE", 0},  {"LME", 8},    {"LMA", 10},
					      {"NXE", 11}, {"FFXSR", 14}, {0}};

static const struct {
	enum gdb_feature feature;
	const char *id;
	unsigned size;
	const struct flag_bit *fields;
} flag_types[] = {
    {F_CORE, "i386_eflags", 4, eflags_fields}, {F_SSE, "i386_mxcsr", 4, mxcsr_fields},
    {F_SYSTEM, "cr0_bits", 8, cr0_fields},     {F_SYSTEM, "cr4_bits", 8, cr4_fields},
    {F_SYSTEM, "efer_bits", 8, efer_fields},
};

static const char vec128[] =
    "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>\n"
    "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>\n"
    "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>\n"
    "<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>\n"
    "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>\n"
    "<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>\n"
    "<union id=\"vec128\">\n"
    "<field name=\"v4_float\" type=\"v4f\"/>\n<field name=\"v2_double\" type=\"v2d\"/>\n"
    "<field name=\"v16_int8\" type=\"v16i8\"/>\n<field name=\"v8_int16\" type=\"v8i16\"/>\n"
    "<field name=\"v4_int32\" type=\"v4i32\"/>\n<field name=\"v2_int64\" type=\"v2i64\"/>\n"
    "<field name=\"uint128\" type=\"uint128\"/>\n</union>\n";

static void describe_flags(FILE *f, enum gdb_feature feature)
{
	for (size_t n = 0; n < sizeof(flag_types) / sizeof(flag_types[0]); n++) {
		if (flag_types[n].feature != feature)
			continue;
		fprintf(f, "<flags id=\"%s\" size=\"%u\">\n", flag_types[n].id, flag_types[n].size);
		for (const struct flag_bit *b = flag_types[n].fields; b->name; b++)
			fprintf(f, "<field name=\"%s\" start=\"%u\" end=\"%u\"/>\n", b->name,
				b->bit, b->bit);
		fprintf(f, "</flags>\n");
	}
}

static void describe_feature(const struct gdb_regs *r, FILE *f, enum gdb_feature feature, bool wide)
{
	bool any = false;

	for (unsigned n = 0; n < r->nr; n++) {
		const struct gdb_reg *g = r->reg[n];
		const char *type = g->type;

		if (g->feature != feature)
			continue;
		if (!any) {
			fprintf(f, "<feature name=\"%s\">\n", feature_names[feature]);
			describe_flags(f, feature);
			if (feature == F_SSE)
				fputs(vec128, f);
			any = true;
		}
		if (!wide && g->kind == R_EIP)
			type = "code_ptr";
		if (!wide && g->kind == R_LOW && (g->index == RSP || g->index == RBP))
			type = "data_ptr";
		fprintf(f, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\" regnum=\"%u\"/>\n", g->name,
			8u * g->size, type, n);
	}
	if (any)
		fprintf(f, "</feature>\n");
}

static void add(struct gdb_regs *r, enum set set)
{
	for (size_t n = 0; n < sizeof(table) / sizeof(table[0]); n++)
		if (table[n].set == set)
			r->reg[r->nr++] = &table[n];
}

int gdb_regs_init(struct gdb_regs *r, const struct cpu_model *model)
{
	const bool wide = cpu_has(model, FEAT_LM), avx = cpu_has(model, FEAT_AVX);
	FILE *f;

	_Static_assert(sizeof(table) / sizeof(table[0]) <= GDB_REGS, "all have a number");
	memset(r, 0, sizeof(*r));
	/* Where a debugger counts on an order, it is that of its native description. */
	add(r, wide ? SET_GPR64 : SET_GPR32);
	add(r, SET_COMMON);
	if (wide)
		add(r, SET_XMM64);
	add(r, SET_MXCSR);
	if (avx)
		add(r, SET_AVX);
	if (avx && wide)
		add(r, SET_AVX64);
	if (wide)
		add(r, SET_GPR32);
	add(r, SET_SYSTEM);

	f = open_memstream(&r->xml, &r->xml_len);
	if (!f)
		return -ENOMEM;
	fprintf(f,
		"<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target>\n");
	if (!wide)
		fprintf(f, "<architecture>i386</architecture>\n");
	for (int n = 0; n < FEATURES; n++)
		describe_feature(r, f, (enum gdb_feature)n, wide);
	fprintf(f, "</target>\n");
	return fclose(f) == 0 ? 0 : -ENOMEM;
}

void gdb_regs_fini(struct gdb_regs *r)
{
	free(r->xml);
	r->xml = NULL;
}

/* ---- values ---- */

static uint64_t read_fpu(const struct fpu *f, unsigned n)
{
	const uint64_t values[] = {f->fcw, f->fsw, x87_full_tags(f), f->fcs,
				   f->fip, f->fds, f->fdp,           f->fop};

	return values[n];
}

static void write_fpu(struct fpu *f, unsigned n, uint32_t val)
{
	switch (n) {
	case 0:
		f->fcw = (uint16_t)val;
		break;
	case 1:
		f->fsw = (uint16_t)val;
		break;
	case 2:
		f->ftw = x87_abridge_tags((uint16_t)val);
		break;
	case 3:
		f->fcs = (uint16_t)val;
		break;
	case 4:
		f->fip = (f->fip & ~(uint64_t)UINT32_MAX) | val;
		break;
	case 5:
		f->fds = (uint16_t)val;
		break;
	case 6:
		f->fdp = (f->fdp & ~(uint64_t)UINT32_MAX) | val;
		break;
	case 7:
		f->fop = val & 0x7ff;
		break;
	}
}

static uint64_t read_cr(const struct vcpu *v, const struct lapic *apic, unsigned n)
{
	const uint64_t values[] = {v->cr0, 0, v->cr2, v->cr3, v->cr4};

	return n == 8 ? lapic_cr8_read(apic) : values[n];
}

static uint64_t read_table(const struct vcpu *v, unsigned n)
{
	const uint64_t values[] = {v->gdt.base, v->gdt.limit, v->idt.base, v->idt.limit,
				   v->ldtr.sel, v->ldtr.base, v->tr.sel,   v->tr.base};

	return values[n];
}

static struct x87_reg *st(const struct vcpu *v, unsigned n)
{
	return (struct x87_reg *)&v->fpu.r[((v->fpu.fsw >> 11 & 7) + n) & 7];
}

static uint64_t code_base(const struct vcpu *v)
{
	return debug_code_bits(v) == 64 ? 0 : v->seg[CS].base;
}

/* Those of at most 8 bytes. */
static uint64_t read_integer(const struct gdb_reg *g, const struct vcpu *v,
			     const struct lapic *apic)
{
	switch (g->kind) {
	case R_GPR:
	case R_LOW:
		return v->gpr[g->index];
	case R_RIP:
		return v->rip;
	case R_EIP:
		return code_base(v) + v->rip;
	case R_EFLAGS:
		return rflags_get(v);
	case R_SEL:
		return v->seg[g->index].sel;
	case R_FPU:
		return read_fpu(&v->fpu, g->index);
	case R_MXCSR:
		return v->mxcsr;
	case R_BASE:
		return v->seg[g->index].base;
	case R_KERNEL_GS:
		return v->kernel_gs_base;
	case R_CR:
		return read_cr(v, apic, g->index);
	case R_EFER:
		return v->efer;
	case R_XCR0:
		return v->xcr0;
	case R_PKRU:
		return v->pkru;
	case R_DR:
		return g->index == 6 ? v->dr6 : g->index == 7 ? v->dr7 : v->dr[g->index];
	case R_TABLE:
		return read_table(v, g->index);
	default:
		return 0;
	}
}

size_t gdb_reg_size(const struct gdb_regs *r, unsigned n)
{
	return r->reg[n]->size;
}

size_t gdb_reg_read(const struct gdb_regs *r, unsigned n, const struct vcpu *v,
		    const struct lapic *apic, uint8_t out[GDB_REG_SIZE])
{
	const struct gdb_reg *g = r->reg[n];
	uint64_t val;

	if (g->kind == R_ST) {
		memcpy(out, &st(v, g->index)->mant, 8);
		memcpy(out + 8, &st(v, g->index)->se, 2);
	} else if (g->kind == R_XMM || g->kind == R_YMMH) {
		memcpy(out, v->v[g->index].u8 + (g->kind == R_YMMH ? 16 : 0), 16);
	} else {
		val = read_integer(g, v, apic);
		memcpy(out, &val, g->size);
	}
	return g->size;
}

/* A selector means a descriptor where there are any: what would be loaded is not for us to guess. */
static bool write_selector(struct vcpu *v, unsigned n, uint16_t sel)
{
	if (v->seg[n].sel == sel)
		return true;
	if (v->cr0 & CR0_PE && !(v->rflags & FL_VM))
		return false;
	v->seg[n].sel = sel;
	v->seg[n].base = (uint64_t)sel << 4;
	return true;
}

static bool write_cr(struct vcpu *v, unsigned n, uint64_t val)
{
	uint64_t *const cr[] = {&v->cr0, NULL, &v->cr2, &v->cr3, &v->cr4};

	if (n < 8)
		*cr[n] = val;
	return n < 8;
}

bool gdb_reg_write(const struct gdb_regs *r, unsigned n, struct vcpu *v, const uint8_t *bytes)
{
	const struct gdb_reg *g = r->reg[n];
	uint64_t val = 0;

	memcpy(&val, bytes, g->size < 8 ? g->size : 8);
	switch (g->kind) {
	case R_GPR:
	case R_LOW:
		v->gpr[g->index] = val;
		return true;
	case R_RIP:
		v->rip = val;
		return true;
	case R_EIP:
		v->rip = (uint32_t)(val - code_base(v));
		return true;
	case R_EFLAGS:
		rflags_set(v, val);
		return true;
	case R_SEL:
		return write_selector(v, g->index, (uint16_t)val);
	case R_ST:
		st(v, g->index)->mant = val;
		memcpy(&st(v, g->index)->se, bytes + 8, 2);
		return true;
	case R_FPU:
		write_fpu(&v->fpu, g->index, (uint32_t)val);
		return true;
	case R_XMM:
	case R_YMMH:
		memcpy(v->v[g->index].u8 + (g->kind == R_YMMH ? 16 : 0), bytes, 16);
		return true;
	case R_MXCSR:
		v->mxcsr = (uint32_t)val;
		return true;
	case R_BASE:
		if (g->index != FS && g->index != GS)
			return v->seg[g->index].base == val;
		v->seg[g->index].base = val;
		return true;
	case R_KERNEL_GS:
		v->kernel_gs_base = val;
		return true;
	case R_CR:
		return write_cr(v, g->index, val);
	case R_EFER:
		v->efer = val;
		return true;
	case R_XCR0:
		v->xcr0 = val;
		return true;
	case R_PKRU:
		v->pkru = (uint32_t)val;
		return true;
	case R_DR:
		*(g->index == 6 ? &v->dr6 : g->index == 7 ? &v->dr7 : &v->dr[g->index]) = val;
		return true;
	case R_TABLE:
		return read_table(v, g->index) == val;
	}
	return false;
}
