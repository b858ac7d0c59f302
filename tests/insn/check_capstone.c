/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The decoder against capstone: over random bytes, biased towards opcodes in the table, both must
 * agree on whether they are an instruction, how long it is, and on its mnemonic and operands. Where
 * they differ for a known reason, reasons[] says which; anything else fails.
 *
 *   check_capstone [-n COUNT] [-s SEED] [-m MAX] [-v]
 */
#include <capstone/capstone.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpu/decode.h"
#include "cpu/opcode.h"

enum { MAX_BYTES = 15, ADDR = 0x1000 };

struct pair {
	uint8_t code[MAX_BYTES];
	unsigned mode;
	bool valid, cs_valid;
	struct insn i;
	const cs_insn *cs;
	char text[160], cs_text[256];
	/* Split: mnemonic and operands. */
	char *op[6], *cs_op[6];
};

static uint64_t rnd(uint64_t *s)
{
	uint64_t z = *s += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* A quarter plain noise; else prefixes and the opcode of a row. */
static void make_bytes(uint64_t *s, uint8_t *p)
{
	static const uint8_t prefixes[] = {0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x64, 0x48, 0x41};
	const struct opcode *d = &opcodes[rnd(s) % nr_opcodes];
	size_t n = 0;

	for (size_t k = 0; k < MAX_BYTES; k++)
		p[k] = rnd(s);
	if (rnd(s) % 4 == 0)
		return;
	while (rnd(s) % 4 == 0 && n < 3)
		p[n++] = prefixes[rnd(s) % sizeof(prefixes)];
	if (d->map >= V0F) {
		p[n] = 0xc4;
		p[n + 1] = (p[n + 1] & 0xe0) | (d->map - V0F + 1);
		p[n + 2] = (p[n + 2] & 0xfc) | (d->pfx == P_66   ? 1
						: d->pfx == P_F3 ? 2
						: d->pfx == P_F2 ? 3
								 : 0);
		if (rnd(s) & 1)
			p[n + 2] |= 0x78;
		n += 3;
	} else {
		if (d->pfx == P_66 || d->pfx == P_F3 || d->pfx == P_F2)
			p[n++] = d->pfx == P_66 ? 0x66 : d->pfx == P_F3 ? 0xf3 : 0xf2;
		if (d->map != M1)
			p[n++] = 0x0f;
		if (d->map == M0F38 || d->map == M0F3A)
			p[n++] = d->map == M0F38 ? 0x38 : 0x3a;
	}
	p[n++] = d->opcode;
	if (d->modrm & R_EXACT)
		p[n] = d->modrm & 0xff;
}

/* ---- Text ---- */

/* Splits "mnemonic a, b" in place; prefixes that are words of their own stay with the mnemonic. */
static void split(char *text, char **op)
{
	static const char *const words[] = {"lock ", "rep ",      "repe ",     "repne ",
					    "bnd ",  "xacquire ", "xrelease ", "notrack "};
	char *p = text;
	unsigned n = 0;

	for (int k = 0; k < 6; k++)
		op[k] = "";
	for (unsigned k = 0; k < sizeof(words) / sizeof(words[0]); k++)
		if (!strncmp(p, words[k], strlen(words[k])))
			p += strlen(words[k]);
	op[n++] = p;
	p = strchr(p, ' ');
	while (p && n < 6) {
		*p++ = 0;
		while (*p == ' ')
			p++;
		op[n++] = p;
		p = strchr(p, ',');
	}
}

static bool number(const char *s, uint64_t *v)
{
	char *end;
	bool minus = *s == '-';

	*v = strtoull(s + minus, &end, 0);
	if (minus)
		*v = -*v;
	return *s && !*end;
}

/* Sizes in front of memory operands differ in style: only what is inside the brackets counts. */
static const char *inside(const char *s)
{
	const char *ptr = strstr(s, "ptr ");
	return ptr ? ptr + 4 : s;
}

/* capstone prints overrides that change nothing. */
static const char *without_seg(const struct pair *p, const char *s)
{
	static const char *const names[] = {"es:", "cs:", "ss:", "ds:"};

	s = inside(s);
	for (unsigned k = 0; k < 4; k++)
		if (!strncmp(s, names[k], 3) && (p->mode == 8 || p->i.seg == k))
			return s + 3;
	return s;
}

static bool same_mem(const struct pair *p, const char *a, const char *b)
{
	return strchr(a, '[') && strchr(b, '[') && !strcmp(without_seg(p, a), without_seg(p, b));
}

static bool same_operand(const struct pair *p, const char *a, const char *b, unsigned n)
{
	uint64_t x, y;

	if (!strcmp(a, b) || same_mem(p, a, b))
		return true;
	if (!number(a, &x) || !number(b, &y) || n >= 4)
		return false;
	unsigned size = p->i.o[n].kind == OPK_REL ? (p->mode == 8 ? 8 : p->i.osz) : p->i.o[n].size;
	return size == 0 || size >= 8 ? x == y : !((x ^ y) << (64 - 8 * size));
}

/* x87 forms differ in whether ST(0) is written out, blends in whether XMM0 is. */
static void drop_implicit(char **op)
{
	unsigned n = 1;
	bool x87 = op[0][0] == 'f';

	for (unsigned k = 1; k < 6; k++)
		if (!x87 || strcmp(op[k], "st(0)"))
			op[n++] = op[k];
	while (n < 6)
		op[n++] = "";
	for (n = 5; n > 1 && !*op[n]; n--)
		;
	if (n == 3 && !strcmp(op[n], "xmm0"))
		op[n] = "";
}

/* Ours, capstone's. */
static bool same_name(const char *a, const char *b)
{
	static const char *const alias[][2] = {
	    {"vcvtpd2ps", "vcvtpd2psx"},
	    {"vcvtpd2dq", "vcvtpd2dqx"},
	    {"vcvttpd2dq", "vcvttpd2dqx"},
	    {"pause", "nop"},
	    {"sal", "shl"},
	    {"fxsave", "fxsave64"},
	    {"fxrstor", "fxrstor64"},
	    {"xsave", "xsave64"},
	    {"xrstor", "xrstor64"},
	    {"xsaveopt", "xsaveopt64"},
	    {"xsavec", "xsavec64"},
	    {"xsaves", "xsaves64"},
	    {"xrstors", "xrstors64"},
	    {"movq", "movd"},
	    {"vmovq", "vmovd"},
	    {"cbw", "cwde"}, /* 16-bit code */
	    {"cwd", "cdq"},
	    {"sysret", "sysretq"},
	    {"sysexit", "sysexitq"},
	};

	if (!strcmp(a, b))
		return true;
	for (unsigned k = 0; k < sizeof(alias) / sizeof(alias[0]); k++)
		if (!strcmp(a, alias[k][0]) && !strcmp(b, alias[k][1]))
			return true;
	return false;
}

static bool same_text(const struct pair *p)
{
	bool swap = !strcmp(p->op[0], "xchg");

	if (!same_name(p->op[0], p->cs_op[0]))
		return false;
	if (swap && same_operand(p, p->op[1], p->cs_op[2], 0) &&
	    same_operand(p, p->op[2], p->cs_op[1], 1))
		return true;
	for (unsigned n = 0; n < 5; n++)
		if (!same_operand(p, p->op[n + 1], p->cs_op[n + 1], n))
			return false;
	return true;
}

/* ---- Known differences ---- */

static void decode_ours(struct pair *p)
{
	p->valid = decode(&p->i, p->code, MAX_BYTES, p->mode, NULL) == DECODE_OK;
	p->text[0] = 0;
	if (p->valid)
		insn_print(p->text, sizeof(p->text), &p->i, ADDR);
}

static bool is_prefix(const struct pair *p, uint8_t b)
{
	return b == 0x66 || b == 0x67 || b == 0xf2 || b == 0xf3 || b == 0xf0 || b == 0x2e ||
	       b == 0x26 || b == 0x36 || b == 0x3e || b == 0x64 || b == 0x65 ||
	       (p->mode == 8 && (b & 0xf0) == 0x40);
}

static unsigned nr_prefixes(const struct pair *p)
{
	unsigned n = 0;
	while (n < MAX_BYTES && is_prefix(p, p->code[n]))
		n++;
	return n;
}

static bool has_prefix(const struct pair *p, uint8_t b)
{
	unsigned n = nr_prefixes(p);
	return memchr(p->code, b, n) != NULL;
}

static bool is_vex(const struct pair *p)
{
	unsigned n = nr_prefixes(p);
	return n + 3 < MAX_BYTES && (p->code[n] == 0xc4 || p->code[n] == 0xc5);
}

static bool decodes(const struct pair *p, const uint8_t *code)
{
	struct insn i;
	return decode(&i, code, MAX_BYTES, p->mode, NULL) == DECODE_OK;
}

/* capstone lets prefixes pass that make an SSE or VEX encoding undefined. */
static bool prefix_ignored(const struct pair *p)
{
	static const char drop[] = {0x66, (char)0xf2, (char)0xf3, (char)0xf0};
	uint8_t code[2 * MAX_BYTES] = {0};
	unsigned from = nr_prefixes(p), n = 0;

	if (p->valid)
		return false;
	for (unsigned k = 0; k < from; k++)
		if (!memchr(drop, p->code[k], sizeof(drop)) && (p->code[k] & 0xf0) != 0x40)
			code[n++] = p->code[k];
	memcpy(code + n, p->code + from, MAX_BYTES - from);
	for (unsigned k = 0; k < 2; k++) { /* or only one of the two kinds counts */
		if (decodes(p, code))
			return true;
		memmove(code + 1, code, MAX_BYTES);
		code[0] = 0x66;
	}
	return false;
}

/* capstone does not look at VEX.W, VEX.L or VEX.vvvv where one value is required. */
static bool vex_field_ignored(const struct pair *p)
{
	unsigned at = nr_prefixes(p) + (p->code[nr_prefixes(p)] == 0xc4 ? 2 : 1);

	if (p->valid || !is_vex(p))
		return false;
	for (unsigned k = 0; k < 8; k++) {
		struct pair q = *p;
		if (k & 1)
			q.code[at] ^= 0x80;
		if (k & 2)
			q.code[at] ^= 4;
		if (k & 4)
			q.code[at] |= 0x78;
		if (decodes(&q, q.code) || prefix_ignored(&q))
			return true;
	}
	return false;
}

/* In 16-bit code capstone takes 66, F2 and F3 for what they are in 32-bit code, or for nothing. */
static bool mandatory_prefix_16(const struct pair *p)
{
	return p->mode == 2 &&
	       (has_prefix(p, 0x66) || has_prefix(p, 0xf2) || has_prefix(p, 0xf3)) &&
	       p->code[nr_prefixes(p)] == 0x0f;
}

static bool cs_named(const struct pair *p, const char *const *names)
{
	for (; *names; names++)
		if (!strncmp(p->cs_text, *names, strlen(*names)))
			return true;
	return false;
}

/* Instructions that our CPU does not have. */
static bool unsupported(const struct pair *p)
{
	static const uint8_t groups[] = {X86_GRP_VM,     X86_GRP_3DNOW, X86_GRP_FMA4, X86_GRP_XOP,
					 X86_GRP_TBM,    X86_GRP_SSE4A, X86_GRP_RTM,  X86_GRP_HLE,
					 X86_GRP_AVX512, X86_GRP_VLX,   X86_GRP_BWI,  X86_GRP_DQI};
	static const char *const names[] = {
	    "vm",       "skinit", "stgi",     "clgi",     "invlpga",     "invept",  "invvpid",
	    "encl",     "getsec", "bnd",      "xstore",   "xcrypt",      "montmul", "xsha",
	    "femms",    "xtest",  "xabort",   "xbegin",   "xend",        "pcommit", "rdsspd",
	    "clrssbsy", "incssp", "setssbsy", "rstorssp", "saveprevssp", "wrss",    "wruss",
	    "monitorx", "mwaitx", "clzero",   "rsm",      NULL};

	if (p->valid)
		return false;
	for (unsigned k = 0; k < sizeof(groups); k++)
		for (unsigned n = 0; n < p->cs->detail->groups_count; n++)
			if (p->cs->detail->groups[n] == groups[k])
				return true;
	return cs_named(p, names) || p->code[nr_prefixes(p)] == 0x62;
}

/* capstone knows only the canonical encodings of the reserved NOPs, fences and later additions. */
static bool newer_than_capstone(const struct pair *p)
{
	static const char *const names[] = {
	    "nop",     "prefetch",       "endbr", "rdpkru", "wrpkru",     "sfence",
	    "lfence",  "mfence",         "vaes",  "ud0",    "vpclmulqdq", "rdpid",
	    "ptwrite", "vbroadcasti128", "fxch",  "fstp",   "fcom",       NULL};
	if (!p->valid || p->cs_valid)
		return false;
	for (unsigned k = 0; names[k]; k++)
		if (!strncmp(p->text, names[k], strlen(names[k])))
			return true;
	return false;
}

/* CR1, CR5 and so on, DR8 and above, CS as a destination: #UD. */
static bool bad_register(const struct pair *p)
{
	static const char *const names[] = {"mov ", "arpl", NULL};
	uint8_t op = p->code[nr_prefixes(p)];
	return !p->valid && cs_named(p, names) && (op == 0x0f || op == 0x8e || op == 0x8c);
}

/* #UD outside 64-bit mode on Intel CPUs; capstone does not check. */
static bool mode_ignored(const struct pair *p)
{
	static const char *const names[] = {"syscall",  "sysret",   "swapgs",   "rdfsbase",
					    "rdgsbase", "wrfsbase", "wrgsbase", NULL};
	return !p->valid && p->mode != 8 && cs_named(p, names);
}

static bool ud_length(const struct pair *p)
{
	static const char *const names[] = {"ud0", "ud1", "ud2b", NULL};
	return cs_named(p, names);
}

/* 66 on a near branch in 64-bit code: capstone makes it 16 bits as AMD does, we ignore it as Intel. */
static bool near_branch_66(const struct pair *p)
{
	return p->valid && p->mode == 8 && has_prefix(p, 0x66) && (p->i.desc->attrs & A_BR);
}

/* F2 and F3 take precedence over 66. */
static bool prefix_precedence(const struct pair *p)
{
	return has_prefix(p, 0x66) && (has_prefix(p, 0xf2) || has_prefix(p, 0xf3));
}

/* REX.R says nothing about segment registers (tried on a CPU). */
static bool sreg_rex(const struct pair *p)
{
	return p->valid && (p->i.o[0].kind == OPK_SREG || p->i.o[1].kind == OPK_SREG) &&
	       (p->i.rex & 4);
}

/* Width of registers that are read or written in part. */
static bool operand_width(const struct pair *p)
{
	static const char *const names[] = {"movsxd", "invpcid",  "lar",    "lsl",   "in ",
					    "out ",   "nop",      "mov ",   "sldt",  "str ",
					    "smsw",   "pextrw",   "vpextr", "pinsr", "vpinsr",
					    "movmsk", "pmovmskb", NULL};
	return p->valid && cs_named(p, names);
}

/* Bit 7 of the is4 byte is ignored outside 64-bit mode. */
static bool is4_high_bit(const struct pair *p)
{
	return p->valid && p->mode != 8 && p->i.o[3].kind == OPK_VEC;
}

/* A prefix between 66, F2 or F3 and the opcode makes capstone forget them. */
static bool prefix_order(const struct pair *p)
{
	unsigned n = nr_prefixes(p);
	bool seen = false;

	for (unsigned k = 0; k < n; k++) {
		uint8_t b = p->code[k];
		bool counts = b == 0x66 || b == 0x67 || b == 0xf2 || b == 0xf3;
		if (seen && b != 0x66 && b != 0xf2 && b != 0xf3)
			return true;
		seen |= counts;
	}
	return false;
}

/* CS, DS, ES and SS do not undo FS or GS in 64-bit code (tried on a CPU). */
static bool null_segment(const struct pair *p)
{
	return p->valid && p->mode == 8 && p->i.seg >= FS;
}

/* Absolute addresses of another width than the code's. */
static bool absolute_address(const struct pair *p)
{
	return p->valid && p->i.asz != p->mode && p->i.base == REG_ZERO && strchr(p->text, '[');
}

/* Relative branches with 67, or 66 in 16-bit code. */
static bool branch_size(const struct pair *p)
{
	return p->valid && p->i.o[0].kind == OPK_REL &&
	       (has_prefix(p, 0x67) || (p->mode == 2 && has_prefix(p, 0x66)));
}

/* Scaled or unscaled absolute forms through a SIB byte lose their upper bytes now and then; F3 0F C7 /7
 * is RDPID, not RDSEED; AAM and AAD by ten have their number. */
static bool capstone_bug(const struct pair *p)
{
	if (!p->valid)
		return false;
	return !strncmp(p->text, "rdpid", 5) || !strncmp(p->text, "aam", 3) ||
	       !strncmp(p->text, "aad", 3) ||
	       (p->i.base == REG_ZERO && p->i.index == REG_ZERO && (p->i.modrm & 7) == 4);
}

/* Comparison predicates and carry-less multiply selectors are part of capstone's names. */
static bool predicate_in_name(const struct pair *p)
{
	static const char *const names[] = {"cmp", "vcmp", "pclmul", "vpclmul", NULL};
	return p->valid && cs_named(p, names) && p->i.o[0].kind == OPK_VEC;
}

/* Gathers with equal registers, LOCK on what cannot be locked... are #UD here already. */
static bool vsib_without_sib(const struct pair *p)
{
	return !p->valid && strstr(p->cs_text, "gather");
}

static const struct reason {
	bool (*holds)(const struct pair *p);
	const char *why;
} reasons[] = {
    {mandatory_prefix_16, "prefixes before 0F in 16-bit code"},
    {unsupported, "not in our CPU"},
    {prefix_ignored, "undefined with this prefix"},
    {vex_field_ignored, "undefined with this VEX.W, L or vvvv"},
    {newer_than_capstone, "not known to capstone 4"},
    {bad_register, "no such register"},
    {mode_ignored, "not in this mode"},
    {ud_length, "UD0 and UD1 have a ModRM byte"},
    {near_branch_66, "66 on a near branch"},
    {prefix_precedence, "both 66 and F2 or F3"},
    {sreg_rex, "REX.R with a segment register"},
    {operand_width, "register width in the text"},
    {is4_high_bit, "is4 bit 7 outside 64-bit mode"},
    {prefix_order, "66, F2 or F3 not last"},
    {null_segment, "FS or GS with another override"},
    {absolute_address, "absolute address cut or extended"},
    {branch_size, "target of a branch with 66 or 67"},
    {capstone_bug, "capstone errors"},
    {predicate_in_name, "predicate in the name"},
    {vsib_without_sib, "gather without a vector index"},
};
enum { NR_REASONS = sizeof(reasons) / sizeof(reasons[0]) };

/* ---- Text differences ---- */

struct checker {
	csh cs[3];
	cs_insn *ci;
	uint64_t same, failed, by_reason[NR_REASONS];
	unsigned reports, max_reports;
};

static void report(struct checker *k, const struct pair *p, const char *what)
{
	k->failed++;
	if (k->reports++ >= k->max_reports)
		return;
	printf("%s, %u-bit:", what, p->mode * 8);
	for (unsigned n = 0; n < MAX_BYTES; n++)
		printf(" %02x", p->code[n]);
	printf("\n  ours     %2u %s\n  capstone %2u %s\n", p->valid ? p->i.len : 0, p->text,
	       p->cs_valid ? p->cs->size : 0, p->cs_text);
}

static void check_one(struct checker *k, struct pair *p, unsigned m)
{
	const uint8_t *code = p->code;
	size_t len = MAX_BYTES;
	uint64_t addr = ADDR;
	struct pair copy;

	decode_ours(p);
	p->cs = k->ci;
	p->cs_valid = cs_disasm_iter(k->cs[m], &code, &len, &addr, k->ci);
	p->cs_text[0] = 0;
	if (p->cs_valid)
		snprintf(p->cs_text, sizeof(p->cs_text), "%s%s%s", k->ci->mnemonic,
			 *k->ci->op_str ? " " : "", k->ci->op_str);
	if (!p->valid && !p->cs_valid) {
		k->same++;
		return;
	}
	if (p->valid && p->cs_valid && p->i.len == k->ci->size) {
		copy = *p;
		split(copy.text, copy.op);
		split(copy.cs_text, copy.cs_op);
		drop_implicit(copy.op);
		drop_implicit(copy.cs_op);
		if (same_text(&copy)) {
			k->same++;
			return;
		}
	}
	for (unsigned n = 0; n < NR_REASONS; n++) {
		if (reasons[n].holds(p)) {
			k->by_reason[n]++;
			return;
		}
	}
	report(k, p,
	       p->valid != p->cs_valid   ? "validity"
	       : p->i.len != k->ci->size ? "length"
					 : "text");
}

int main(int argc, char **argv)
{
	static const unsigned modes[] = {2, 4, 8};
	static const cs_mode cs_modes[] = {CS_MODE_16, CS_MODE_32, CS_MODE_64};
	uint64_t count = 1000000, seed = 1;
	struct checker k = {.max_reports = 20};
	bool verbose = false;
	int c;

	while ((c = getopt(argc, argv, "n:s:m:v")) != -1) {
		switch (c) {
		case 'n':
			count = strtoull(optarg, NULL, 0);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'm':
			k.max_reports = strtoul(optarg, NULL, 0);
			break;
		case 'v':
			verbose = true;
			break;
		default:
			return 2;
		}
	}
	for (unsigned m = 0; m < 3; m++)
		if (cs_open(CS_ARCH_X86, cs_modes[m], &k.cs[m]) ||
		    cs_option(k.cs[m], CS_OPT_DETAIL, CS_OPT_ON))
			return 2;
	k.ci = cs_malloc(k.cs[0]);
	for (uint64_t n = 0; n < count; n++) {
		unsigned m = rnd(&seed) % 3;
		struct pair p = {.mode = modes[m]};
		make_bytes(&seed, p.code);
		check_one(&k, &p, m);
	}
	cs_free(k.ci, 1);
	for (unsigned m = 0; m < 3; m++)
		cs_close(&k.cs[m]);
	uint64_t known = 0;
	for (unsigned n = 0; n < NR_REASONS; n++) {
		known += k.by_reason[n];
		if (verbose)
			printf("%8" PRIu64 " %s\n", k.by_reason[n], reasons[n].why);
	}
	printf("check_capstone: %" PRIu64 " equal, %" PRIu64 " differ for a known reason\n", k.same,
	       known);
	printf("%" PRIu64 " passed, %" PRIu64 " failed\n", k.same + known, k.failed);
	return k.failed ? 1 : 0;
}
