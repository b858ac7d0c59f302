/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The assembly behind x87_host.h, and the conversion of the register file to the FNSAVE image.
 */
#include "cpu/x87_host.h"

#include <string.h>

#ifndef __x86_64__
#error "x87 arithmetic is executed on the host's own x87 unit"
#endif

/* Stubs are four bytes: the instruction, RET, padding. */
__asm__(".pushsection .text\n"
	"	.balign 64\n"
	"x87_stubs_reg:\n"
	"	.set .Lop, 0xd8\n"
	"	.rept 8\n"
	"	.set .Lrm, 0xc0\n"
	"	.rept 64\n"
	"	.byte .Lop, .Lrm, 0xc3, 0xcc\n"
	"	.set .Lrm, .Lrm + 1\n"
	"	.endr\n"
	"	.set .Lop, .Lop + 1\n"
	"	.endr\n"
	"x87_stubs_mem:\n" /* on (%rdi) */
	"	.set .Lop, 0xd8\n"
	"	.rept 8\n"
	"	.set .Lrm, 0x07\n"
	"	.rept 8\n"
	"	.byte .Lop, .Lrm, 0xc3, 0xcc\n"
	"	.set .Lrm, .Lrm + 8\n"
	"	.endr\n"
	"	.set .Lop, .Lop + 1\n"
	"	.endr\n"
	"	.globl x87_stubs_reg, x87_stubs_mem\n"
	"	.type x87_stubs_reg, @object\n"
	"	.type x87_stubs_mem, @object\n"
	"	.size x87_stubs_reg, 8 * 64 * 4\n"
	"	.size x87_stubs_mem, 8 * 8 * 4\n"

	/* x87_runner: %rdi h, %rsi st0, %rdx st1, %rcx fn. */
	"	.macro RUN_BODY ins, post\n"
	"	.if \\ins > 1\n"
	"	fldt (%rdx)\n"
	"	.endif\n"
	"	.if \\ins > 0\n"
	"	fldt (%rsi)\n"
	"	.endif\n"
	"	call *%rcx\n"
	"	\\post\n"
	"	.endm\n"

	/* FNCLEX takes longer than the rest together, so flags are left set until they would be
	 * taken for the guest's. */
	"	.macro RUN name, ins, post\n"
	"	.globl \\name\n"
	"	.type \\name, @function\n"
	"	.balign 16\n"
	"\\name:\n"
	"	fnstsw %ax\n"
	"	testb 50(%rdi), %al\n"
	"	jnz 4f\n"
	"1:	cmpw $0x37f, 48(%rdi)\n"
	"	jne 2f\n"
	"	RUN_BODY \\ins, \\post\n"
	"	ret\n"
	"2:	fldcw 48(%rdi)\n"
	"	RUN_BODY \\ins, \\post\n"
	"	fldcw x87_default_cw(%rip)\n"
	"	ret\n"
	"4:	fnclex\n"
	"	jmp 1b\n"
	"	.size \\name, . - \\name\n"
	"	.endm\n"

	"	.macro POST_TAKE\n"
	"	fnstsw %ax\n"
	"	fstpt 16(%rdi)\n"
	"	.endm\n"
	"	.macro POST_TAKE_DROP\n"
	"	fnstsw %ax\n"
	"	fstpt 16(%rdi)\n"
	"	fstp %st(0)\n"
	"	.endm\n"
	"	.macro POST_DROP_TAKE\n"
	"	fnstsw %ax\n"
	"	fstp %st(0)\n"
	"	fstpt 32(%rdi)\n"
	"	.endm\n"
	"	.macro POST_DROP\n"
	"	fnstsw %ax\n"
	"	fstp %st(0)\n"
	"	.endm\n"
	"	.macro POST_NONE\n"
	"	fnstsw %ax\n"
	"	.endm\n"
	/* FPTAN, FSIN and the like push nothing when the operand is out of range. */
	"	.macro POST_SPLIT\n"
	"	fnstsw %ax\n"
	"	fstpt 16(%rdi)\n"
	"	fstpt 32(%rdi)\n"
	"	fninit\n"
	"	.endm\n"
	"	.macro POST_COMPARE\n"
	"	pushfq\n"
	"	popq %r8\n"
	"	fnstsw %ax\n"
	"	movl %r8d, 52(%rdi)\n"
	"	fstp %st(0)\n"
	"	fstp %st(0)\n"
	"	.endm\n"

	"	RUN x87_run_load, 0, POST_TAKE\n"
	"	RUN x87_run_unary, 1, POST_TAKE\n"
	"	RUN x87_run_test, 1, POST_DROP\n"
	"	RUN x87_run_pop, 1, POST_NONE\n"
	"	RUN x87_run_split, 1, POST_SPLIT\n"
	"	RUN x87_run_binary, 2, POST_TAKE_DROP\n"
	"	RUN x87_run_binary1, 2, POST_DROP_TAKE\n"
	"	RUN x87_run_fold, 2, POST_TAKE\n"
	"	RUN x87_run_compare, 2, POST_COMPARE\n"

	/* x87_run_image: %rdi mem, %rsi image, %rdx flags, %rcx fn. FNSAVE leaves FNINIT state. */
	"	.type x87_run_image, @function\n"
	"	.balign 16\n"
	"x87_run_image:\n"
	"	frstor (%rsi)\n"
	"	pushq (%rdx)\n"
	"	popfq\n"
	"	call *%rcx\n"
	"	pushfq\n"
	"	popq (%rdx)\n"
	"	fnsave (%rsi)\n"
	"	ret\n"
	"	.size x87_run_image, . - x87_run_image\n"

	"	.balign 2\n"
	"x87_default_cw:\n"
	"	.short 0x37f\n"
	"	.popsection\n");

/* FNSAVE in 64-bit mode: 32-bit protected-mode environment, then ST0-7. */
struct x87_image {
	uint16_t cw, pad0, sw, pad1, tag, pad2;
	uint32_t pointers[4];
	struct {
		uint64_t mant;
		uint16_t se;
	} __attribute__((packed)) st[8];
} __attribute__((packed));
_Static_assert(sizeof(struct x87_image) == 108, "FNSAVE image");

void x87_run_image(void *mem, struct x87_image *img, uint64_t *flags, x87_stub *fn);

static void pack(struct x87_image *img, const struct fpu *f)
{
	unsigned top = x87_top(f);

	*img = (struct x87_image){.cw = f->fcw, .sw = f->fsw};
	for (unsigned n = 0; n < 8; n++) {
		const struct x87_reg *r = &f->r[(top + n) & 7];
		img->st[n].mant = r->mant;
		img->st[n].se = r->se;
		img->tag |= f->ftw >> n & 1 ? 0 : 3 << (2 * n);
	}
}

/* The control word and the pointers are as they were. */
static void unpack(struct fpu *f, const struct x87_image *img)
{
	f->fsw = img->sw;
	f->ftw = x87_abridge_tags(img->tag);
	unsigned top = x87_top(f);
	for (unsigned n = 0; n < 8; n++) {
		struct x87_reg *r = &f->r[(top + n) & 7];
		r->mant = img->st[n].mant;
		r->se = img->st[n].se;
	}
}

void x87_host_full(const struct fpu *f, struct fpu *out, x87_stub *fn, void *mem, uint64_t *flags)
{
	/* With CR0.NE clear an exception may be pending already; it must not trap here. */
	const uint16_t sticky = f->fsw & (FSW_EXC | FSW_SF);
	uint64_t fl = (*flags & FL_STATUS) | FL_1 | FL_IF;
	struct x87_image img;

	pack(&img, f);
	img.sw &= ~(FSW_EXC | FSW_SF | FSW_ES | FSW_B);
	x87_run_image(mem, &img, &fl, fn);
	*flags = fl & FL_STATUS;

	*out = *f;
	unpack(out, &img);
	out->fsw = x87_summary(img.sw | sticky, out->fcw);
}

void x87_host_load(const struct fpu *f)
{
	struct x87_image img;
	pack(&img, f);
	__asm__ volatile("frstor %0" ::"m"(img));
}

void x87_host_store(struct fpu *f)
{
	struct x87_image img;
	__asm__ volatile("fnsave %0" : "=m"(img));
	f->fcw = img.cw;
	unpack(f, &img);
}
