/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Text of a decoded instruction, in the Intel syntax that capstone prints.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cpu/decode.h"
#include "cpu/opcode.h"

struct out {
	char *p;
	size_t left;
};

__attribute__((format(printf, 2, 3))) static void put(struct out *t, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(t->p, t->left, fmt, ap);
	va_end(ap);
	if (n > 0) {
		size_t used = (size_t)n < t->left ? (size_t)n : t->left;
		t->p += used;
		t->left -= used;
	}
}

/* Decimal up to 9, hexadecimal above. */
static void put_num(struct out *t, uint64_t v)
{
	put(t, v > 9 ? "0x%" PRIx64 : "%" PRIu64, v);
}

static void put_gpr(struct out *t, unsigned reg, unsigned size)
{
	static const char names[4][8][5] = {
	    {"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"},
	    {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"},
	    {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"},
	    {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"},
	};
	unsigned k = size == 8 ? 3 : size == 4 ? 2 : size == 2 ? 1 : 0;

	if (reg < 8)
		put(t, "%s", names[k][reg]);
	else
		put(t, "r%u%s", reg, (const char *[]){"b", "w", "d", ""}[k]);
}

static const char *ptr_name(unsigned size)
{
	switch (size) {
	case 1:
		return "byte ptr ";
	case 2:
		return "word ptr ";
	case 4:
		return "dword ptr ";
	case 6:
		return "fword ptr ";
	case 8:
		return "qword ptr ";
	case 10:
		return "xword ptr ";
	case 16:
		return "xmmword ptr ";
	case 32:
		return "ymmword ptr ";
	default:
		return "";
	}
}

static const char *const seg_names[] = {"es", "cs", "ss", "ds", "fs", "gs"};

/* Segments other than the default one are named. */
static void put_seg(struct out *t, const struct insn *i, bool stack)
{
	if (i->seg != (stack ? SS : DS))
		put(t, "%s:", seg_names[i->seg]);
}

/* Gathers of quadwords by doubleword indices: half as many bytes of indices. */
static bool narrow_index(const struct insn *i)
{
	return strstr(i->desc->name, "gatherdpd") || strstr(i->desc->name, "gatherdq");
}

static void put_mem(struct out *t, const struct insn *i)
{
	bool vsib = i->desc->attrs & A_VSIB;
	bool any = false;
	int64_t disp = i->base == REG_RIP ? i->disp - i->end : i->disp;
	uint64_t mask = i->asz == 8 ? ~0ull : i->asz == 4 ? 0xffffffff : 0xffff;

	put_seg(t, i, i->base == RSP || i->base == RBP);
	put(t, "[");
	if (i->base == REG_RIP)
		put(t, "%s", i->asz == 8 ? "rip" : "eip");
	else if (i->base != REG_ZERO)
		put_gpr(t, i->base, i->asz);
	any = i->base != REG_ZERO;
	if (i->index != REG_ZERO || vsib) {
		put(t, "%s", any ? " + " : "");
		if (vsib)
			put(t, "%cmm%u", i->vl == 32 && !narrow_index(i) ? 'y' : 'x', i->index);
		else
			put_gpr(t, i->index, i->asz);
		if (i->scale)
			put(t, "*%u", 1u << i->scale);
		any = true;
	}
	if (!any) {
		put_num(t, disp & mask);
	} else if (disp) {
		put(t, disp < 0 ? " - " : " + ");
		put_num(t, disp < 0 ? -(uint64_t)disp : (uint64_t)disp);
	}
	put(t, "]");
}

static void put_imm(struct out *t, const struct operand *o, uint64_t v)
{
	if (o->size && o->size < 8)
		v &= (1ull << o->size * 8) - 1;
	put_num(t, v);
}

static void put_vec(struct out *t, const struct operand *o)
{
	put(t, "%cmm%u", o->size == 32 ? 'y' : 'x', o->reg);
}

static void put_operand(struct out *t, const struct insn *i, const struct operand *o, uint64_t next)
{
	switch (o->kind) {
	case OPK_REG:
		put_gpr(t, o->reg, o->size);
		break;
	case OPK_REGH:
		put(t, "%ch", "acdb"[o->reg]);
		break;
	case OPK_MEM:
		put(t, "%s", ptr_name(o->size));
		put_mem(t, i);
		break;
	case OPK_IMM:
		put_imm(t, o, i->imm);
		break;
	case OPK_IMM2:
		put_imm(t, o, i->imm2);
		break;
	case OPK_REL: {
		uint64_t to = next + i->imm;
		put_num(t, i->mode == 8 ? to : i->osz == 2 ? (uint16_t)to : (uint32_t)to);
		break;
	}
	case OPK_FAR:
		put_num(t, i->imm2);
		put(t, ":");
		put_num(t, i->imm);
		break;
	case OPK_SREG:
		put(t, "%s", seg_names[o->reg]);
		break;
	case OPK_CREG:
		put(t, "cr%u", o->reg);
		break;
	case OPK_DREG:
		put(t, "dr%u", o->reg);
		break;
	case OPK_VEC:
		put_vec(t, o);
		break;
	case OPK_MMX:
		put(t, "mm%u", o->reg);
		break;
	case OPK_ST:
		put(t, "st(%u)", o->reg);
		break;
	case OPK_STRS:
		put(t, "%s", ptr_name(o->size));
		put_seg(t, i, false);
		put(t, "[");
		put_gpr(t, RSI, i->asz);
		put(t, "]");
		break;
	case OPK_STRD:
		put(t, "%s%s[", ptr_name(o->size), i->mode == 8 ? "" : "es:");
		put_gpr(t, RDI, i->asz);
		put(t, "]");
		break;
	}
}

static bool is_string(const struct operand *o)
{
	return o->kind == OPK_STRS || o->kind == OPK_STRD;
}

static unsigned size_of_element(const struct insn *i)
{
	return is_string(&i->o[0]) ? i->o[0].size : i->o[1].size;
}

/* A 64-bit immediate or a 64-bit absolute address. */
static bool is_movabs(const struct insn *i)
{
	if (i->desc->modrm == R_NONE && i->asz == 8 && i->desc->opcode < 0xb0)
		return true;
	return i->o[1].kind == OPK_IMM && i->o[1].size == 8 && i->desc->modrm == R_NONE;
}

/* The table has one name for all operand sizes; these have one for each. */
static void put_name(struct out *t, const struct insn *i)
{
	static const struct {
		const char *name, *by_size[3]; /* 2, 4, 8 bytes */
	} sized[] = {
	    {"cwde", {"cbw", "cwde", "cdqe"}},        {"cdq", {"cwd", "cdq", "cqo"}},
	    {"pushf", {"pushf", "pushfd", "pushfq"}}, {"popf", {"popf", "popfd", "popfq"}},
	    {"iret", {"iret", "iretd", "iretq"}},     {"retf", {"retf", "retf", "retfq"}},
	    {"pusha", {"pushaw", "pushal", ""}},      {"popa", {"popaw", "popal", ""}},
	};
	const char *name = i->desc->name;
	size_t len = strlen(name);
	unsigned k = i->osz == 2 ? 0 : i->osz == 4 ? 1 : 2;

	for (size_t n = 0; n < sizeof(sized) / sizeof(sized[0]); n++) {
		if (!strcmp(name, sized[n].name)) {
			put(t, "%s", sized[n].by_size[k]);
			return;
		}
	}
	if (!strcmp(name, "jrcxz"))
		put(t, "%s", i->asz == 2 ? "jcxz" : i->asz == 4 ? "jecxz" : name);
	else if (is_string(&i->o[0]) || is_string(&i->o[1])) /* ...d: by element size */
		put(t, "%.*s%c", (int)len - 1, name,
		    name[len - 1] != 'd' ? name[len - 1] : "wdq"[size_of_element(i) / 4]);
	else if (!strcmp(name, "mov") && is_movabs(i))
		put(t, "movabs");
	else
		put(t, "%s", name);
}

void insn_print(char *buf, size_t len, const struct insn *i, uint64_t rip)
{
	struct out t = {buf, len};

	if (len)
		buf[0] = 0;
	if (!i->desc) {
		put(&t, "(bad)");
		return;
	}
	if (i->lock)
		put(&t, "lock ");
	if (i->rep && (i->desc->attrs & A_REP)) {
		bool compares = i->desc->attrs & CCW(FL_ZF);
		put(&t, "%s ", i->rep == 0xf2 ? "repne" : compares ? "repe" : "rep");
	}
	put_name(&t, i);
	for (int n = 0; n < 4 && i->o[n].kind != OPK_NONE; n++) {
		put(&t, n ? ", " : " ");
		put_operand(&t, i, &i->o[n], rip + i->len);
	}
}
