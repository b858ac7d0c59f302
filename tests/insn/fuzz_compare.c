/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Are the two results the same? With the table of what the architecture (or the host) leaves open.
 */
#include <inttypes.h>
#include <string.h>

#include "cpu/decode.h"
#include "cpu/exc.h"
#include "mmu/ram.h"
#include "tests/insn/fuzz.h"

static const char *const gpr_names[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
					"r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

void fuzz_changed_range(const uint8_t *now, const uint8_t *image, struct fuzz_result *r)
{
	enum { BLOCK = 256 };
	uint32_t lo = 0, hi = RW_SIZE;

	while (lo < RW_SIZE && !memcmp(now + lo, image + lo, BLOCK))
		lo += BLOCK;
	r->lo = r->hi = 0;
	if (lo == RW_SIZE)
		return;
	while (!memcmp(now + hi - BLOCK, image + hi - BLOCK, BLOCK))
		hi -= BLOCK;
	while (now[lo] == image[lo])
		lo++;
	while (now[hi - 1] == image[hi - 1])
		hi--;
	r->lo = lo;
	r->hi = hi;
	memcpy(r->mem + lo, now + lo, hi - lo);
}

/* CC_BITS order back to RFLAGS. */
static uint64_t flags_of(unsigned cc)
{
	return (cc & 1 ? FL_CF : 0) | (cc & 2 ? FL_PF : 0) | (cc & 4 ? FL_AF : 0) |
	       (cc & 8 ? FL_ZF : 0) | (cc & 16 ? FL_SF : 0) | (cc & 32 ? FL_OF : 0);
}

static bool differ(FILE *f, const char *what, uint64_t host, uint64_t ours)
{
	if (host == ours)
		return false;
	if (f)
		fprintf(f, "  %-8s host %016" PRIx64 "  ours %016" PRIx64 "\n", what, host, ours);
	return true;
}

static uint64_t get_le(const uint8_t *p, size_t n)
{
	uint64_t v = 0;
	memcpy(&v, p, n);
	return v;
}

static bool differ_vectors(FILE *f, const uint8_t *h, const uint8_t *o)
{
	bool bad = false;

	for (unsigned n = 0; n < 16; n++) {
		const size_t lo = 160 + 16 * n, hi = 576 + 16 * n;
		if (!memcmp(h + lo, o + lo, 16) && !memcmp(h + hi, o + hi, 16))
			continue;
		bad = true;
		if (!f)
			break;
		for (unsigned k = 0; k < 2; k++) {
			const uint8_t *x = k ? o : h;
			fprintf(f,
				"  ymm%-5u %s %016" PRIx64 " %016" PRIx64 " %016" PRIx64
				" %016" PRIx64 "\n",
				n, k ? "ours" : "host", get_le(x + hi + 8, 8), get_le(x + hi, 8),
				get_le(x + lo + 8, 8), get_le(x + lo, 8));
		}
	}
	return bad;
}

static bool differ_x87(FILE *f, const uint8_t *h, const uint8_t *o)
{
	bool bad = differ(f, "fcw", get_le(h, 2), get_le(o, 2));

	bad |= differ(f, "fsw", get_le(h + 2, 2), get_le(o + 2, 2));
	bad |= differ(f, "ftw", h[4], o[4]);
	if (h[2] & 0x80) { /* AMD's XSAVE stores zeros when no exception is pending */
		bad |= differ(f, "fop", get_le(h + 6, 2), get_le(o + 6, 2));
		bad |= differ(f, "fip", get_le(h + 8, 8), get_le(o + 8, 8));
		bad |= differ(f, "fdp", get_le(h + 16, 8), get_le(o + 16, 8));
	}
	bad |= differ(f, "mxcsr", get_le(h + 24, 4), get_le(o + 24, 4));
	for (unsigned n = 0; n < 8; n++) {
		const uint8_t *a = h + 32 + 16 * n, *b = o + 32 + 16 * n;
		if (!memcmp(a, b, 10))
			continue;
		bad = true;
		if (f)
			fprintf(f,
				"  st%u      host %04x:%016" PRIx64 "  ours %04x:%016" PRIx64 "\n",
				n, (unsigned)get_le(a + 8, 2), get_le(a, 8),
				(unsigned)get_le(b + 8, 2), get_le(b, 8));
	}
	return bad;
}

/* MXCSR_MASK in a saved image: AMD has the misaligned-SSE bit 17. */
static void same_mxcsr_mask(const struct fuzz_test *t, const struct fuzz_result *h,
			    struct fuzz_result *o)
{
	uint64_t at = t->ea + 28 - RW_ADDR;

	if (t->decodes && strstr(t->insn.desc->name, "save") && at >= h->lo && at < h->hi &&
	    at + 4 <= h->hi && get_le(h->mem + at, 4) == 0x2ffff &&
	    get_le(o->mem + at, 4) == 0xffff)
		memcpy(o->mem + at, h->mem + at, 4);
}

static bool differ_memory(FILE *f, const struct fuzz_result *h, const struct fuzz_result *o)
{
	if (h->lo == o->lo && h->hi == o->hi &&
	    !memcmp(h->mem + h->lo, o->mem + o->lo, h->hi - h->lo))
		return false;
	if (!f)
		return true;
	fprintf(f, "  memory   host changed [%x, %x), ours [%x, %x)\n", RW_ADDR + h->lo,
		RW_ADDR + h->hi, RW_ADDR + o->lo, RW_ADDR + o->hi);
	unsigned shown = 0;
	for (uint32_t n = 0; n < RW_SIZE && shown < 64; n++) {
		bool in_h = n >= h->lo && n < h->hi, in_o = n >= o->lo && n < o->hi;
		if (in_h == in_o && (!in_h || h->mem[n] == o->mem[n]))
			continue;
		fprintf(f, "  %s%x:%s%02x/%s%02x", shown++ % 8 ? "" : "\n  ", RW_ADDR + n,
			in_h ? "" : "=", in_h ? h->mem[n] : 0, in_o ? "" : "=",
			in_o ? o->mem[n] : 0);
	}
	fprintf(f, "\n");
	return true;
}

/* Flags that are not compared: those the table calls undefined, minus what the SDM defines for the
 * operands at hand. */
static uint64_t undefined_flags(const struct fuzz_test *t)
{
	return t->decodes ? flags_of(t->insn.desc->attrs >> 6 & 63) : 0;
}

/* Instructions whose memory operand is several accesses, as ten bytes are: which one faults first is open. */
static bool several_accesses(const struct insn *i)
{
	if (strstr(i->desc->name, "maskmov") || (i->desc->attrs & A_VSIB))
		return true;
	for (int n = 0; n < 4; n++)
		if (i->o[n].kind == OPK_MEM)
			return i->o[n].size == 0 || i->o[n].size == 10;
	return false;
}

static bool differ_fault(FILE *f, const struct fuzz_test *t, const struct fuzz_result *h,
			 const struct fuzz_result *o)
{
	bool bad = differ(f, "vector", h->vector, o->vector);

	if (bad || h->vector == VEC_NONE)
		return bad;
	if (h->vector == EXC_PF) {
		/* The kernel half is not ours: whether something is mapped there is not known. */
		uint32_t ignore = h->cr2 >> 63 ? 1 : 0;
		bool several = t->decodes && several_accesses(&t->insn);
		bool near = h->cr2 - o->cr2 + 2 * PAGE_SIZE < 4 * PAGE_SIZE;
		bool cmps = t->decodes && !strncmp(t->insn.desc->name, "cmps", 4);
		if (!cmps && !(several && near))
			bad |= differ(f, "cr2", h->cr2, o->cr2);
		bad |= differ(f, "error", h->error | ignore, o->error | ignore);
	} else {
		bad |= differ(f, "error", h->error, o->error);
	}
	return bad;
}

/* AMD's SHA instructions take unaligned operands; the SDM's exception type 4 does not. */
static bool unaligned_sha(const struct fuzz_test *t, const struct fuzz_result *o)
{
	return t->decodes && o->vector == EXC_GP && !strncmp(t->insn.desc->name, "sha", 3) &&
	       (t->insn.desc->attrs & A_ALIGN) && (t->ea == 0 || t->ea % 16);
}

/* A misaligned operand at a non-canonical address in the stack segment: which of the two is reported
 * is open. */
static bool misaligned_or_noncanonical(const struct fuzz_test *t, const struct fuzz_result *h,
				       const struct fuzz_result *o)
{
	bool gp_ss = (h->vector == EXC_GP && o->vector == EXC_SS) ||
		     (h->vector == EXC_SS && o->vector == EXC_GP);

	return t->decodes && gp_ss &&
	       ((t->insn.desc->attrs & A_ALIGN) || several_accesses(&t->insn));
}

/* So is whether the page that is missing, the end of the segment or bad contents are found first. */
static bool page_or_limit(const struct fuzz_test *t, const struct fuzz_result *h,
			  const struct fuzz_result *o)
{
	return t->decodes && several_accesses(&t->insn) && h->vector == EXC_PF &&
	       (o->vector == EXC_GP || o->vector == EXC_SS);
}

/* Bit instructions add the bit offset to an address that AMD has checked already. */
static bool bit_offset(const struct fuzz_test *t, const struct fuzz_result *h,
		       const struct fuzz_result *o)
{
	return t->decodes && t->mode == 8 && h->vector == EXC_GP && o->vector == EXC_PF &&
	       !strncmp(t->insn.desc->name, "bt", 2) && t->insn.seg >= FS;
}

/* MASKMOVDQU and MASKMOVQ may or may not fault for bytes that the mask leaves out. */
static bool masked_fault(const struct fuzz_test *t, const struct fuzz_result *h,
			 const struct fuzz_result *o)
{
	return t->decodes && h->vector == EXC_PF && o->vector == VEC_NONE &&
	       (strstr(t->insn.desc->name, "maskmovq") ||
		strstr(t->insn.desc->name, "maskmovdqu")) &&
	       !strstr(t->insn.desc->name, "vp");
}

/* AMD's MXCSR has bit 17, misaligned SSE accesses. */
static bool misaligned_sse(const struct fuzz_result *h, const struct fuzz_result *o)
{
	return o->vector == EXC_GP && h->vector == VEC_NONE && (h->out.xsave[26] & 2);
}

/* AMD's MASKMOVQ enters MMX state before it faults. */
static bool keeps_x87(const struct fuzz_test *t, const struct fuzz_result *h)
{
	return !t->decodes || h->vector == VEC_NONE || strcmp(t->insn.desc->name, "maskmovq");
}

static bool differ_pointers(FILE *f, const struct fuzz_result *interp, const struct fuzz_result *o)
{
	static const struct {
		const char *name;
		unsigned at, size;
	} fields[] = {{"fop*", 6, 2}, {"fip*", 8, 8}, {"fdp*", 16, 8}, {"fcs:fds*", FREE_BYTES, 4}};
	bool bad = false;

	for (unsigned n = 0; n < sizeof(fields) / sizeof(fields[0]); n++)
		bad |= differ(f, fields[n].name,
			      get_le(interp->out.xsave + fields[n].at, fields[n].size),
			      get_le(o->out.xsave + fields[n].at, fields[n].size));
	return bad;
}

/* At a fault processors may put back the flags that a repeated comparison began with. */
static uint64_t flags_put_back(const struct fuzz_test *t, const struct fuzz_result *h)
{
	bool repeated = t->decodes && t->insn.rep && t->insn.desc->attrs & A_REP;
	return repeated && h->vector != VEC_NONE ? flags_of(t->insn.desc->attrs & CC_ALL) : 0;
}

bool fuzz_compare(FILE *f, const struct fuzz_test *t, const struct fuzz_result *h,
		  struct fuzz_result *o, const struct fuzz_result *interp)
{
	const struct fuzz_state *a = &h->out, *b = &o->out;
	uint64_t mask = ~(undefined_flags(t) | flags_of(t->open | o->open) | flags_put_back(t, h) |
			  FL_RF | FL_IF | FL_IOPL);
	if (unaligned_sha(t, o) || misaligned_sse(h, o) || bit_offset(t, h, o) ||
	    page_or_limit(t, h, o) || masked_fault(t, h, o) || misaligned_or_noncanonical(t, h, o))
		return true;
	same_mxcsr_mask(t, h, o);
	bool bad = differ_fault(f, t, h, o);

	if (h->vector == VEC_LOST)
		return false;
	for (unsigned n = 0; n < 16; n++) {
		if (t->mode == 8)
			bad |= differ(f, gpr_names[n], a->gpr[n], b->gpr[n]);
		else if (n < 8)
			bad |= differ(f, gpr_names[n], (uint32_t)a->gpr[n], (uint32_t)b->gpr[n]);
	}
	bad |= differ(f, "rip", a->rip, b->rip);
	bad |= differ(f, "rflags", a->rflags & mask, b->rflags & mask);
	if (t->mode == 8) {
		bad |= differ(f, "fs", a->fs_base, b->fs_base);
		bad |= differ(f, "gs", a->gs_base, b->gs_base);
	}
	if (keeps_x87(t, h))
		bad |= differ_x87(f, a->xsave, b->xsave);
	if (interp)
		bad |= differ_pointers(f, interp, o);
	bad |= differ_vectors(f, a->xsave, b->xsave);
	bad |= differ_memory(f, h, o);
	return !bad;
}

static void print_block(FILE *f, const struct fuzz_test *t)
{
	struct cpu_model all;
	memset(&all, 0xff, sizeof(all));
	for (unsigned off = 0; off < t->len;) {
		struct insn i;
		char text[128];
		if (decode(&i, t->code + off, t->len - off, t->mode, &all) != DECODE_OK)
			return;
		insn_print(text, sizeof(text), &i, t->in.rip + off);
		fprintf(f, "  %" PRIx64 ": %s\n", t->in.rip + off, text);
		off += i.len;
	}
}

void fuzz_print_test(FILE *f, const struct fuzz_test *t)
{
	const struct fuzz_state *s = &t->in;
	char text[128] = "(not an instruction)";

	if (t->decodes)
		insn_print(text, sizeof(text), &t->insn, s->rip);
	fprintf(f, "test %" PRIu64 " (row \"%s\", %u-bit%s%s):", t->index, t->row->name,
		t->mode * 8, t->segmented ? " segmented" : "", t->stack16 ? ", 16-bit stack" : "");
	for (unsigned n = 0; n < t->len; n++)
		fprintf(f, " %02x", t->code[n]);
	fprintf(f, "  %s\n", text);
	if (t->nr > 1)
		print_block(f, t);
	for (unsigned n = 0; n < 16; n++)
		fprintf(f, "  %-3s %016" PRIx64 "%s", gpr_names[n], s->gpr[n],
			n % 4 == 3 ? "\n" : "");
	fprintf(f, "  rip %" PRIx64 " rflags %" PRIx64 " fs %" PRIx64 " gs %" PRIx64 "\n", s->rip,
		s->rflags, s->fs_base, s->gs_base);
	fprintf(f, "  fcw %04x fsw %04x ftw %02x mxcsr %04x\n", (unsigned)get_le(s->xsave, 2),
		(unsigned)get_le(s->xsave + 2, 2), s->xsave[4], (unsigned)get_le(s->xsave + 24, 4));
	for (unsigned n = 0; n < 8; n++)
		fprintf(f, "  st%u %04x:%016" PRIx64 "%s", n,
			(unsigned)get_le(s->xsave + 40 + 16 * n, 2),
			get_le(s->xsave + 32 + 16 * n, 8), n % 4 == 3 ? "\n" : "");
	for (unsigned n = 0; n < 16; n++) {
		const uint8_t *lo = s->xsave + 160 + 16 * n, *hi = s->xsave + 576 + 16 * n;
		fprintf(f,
			"  ymm%-2u %016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %016" PRIx64 "\n",
			n, get_le(hi + 8, 8), get_le(hi, 8), get_le(lo + 8, 8), get_le(lo, 8));
	}
	fprintf(f, "  %x:", t->patch_addr);
	for (unsigned n = 0; n < t->patch_len && n < 64; n++)
		fprintf(f, " %02x", t->patch[n]);
	fprintf(f, "\n");
}
