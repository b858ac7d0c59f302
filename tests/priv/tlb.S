/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * When the processor must forget translations, and when it must not need to: INVLPG for every page
 * size, CR3, global pages, PCIDs, INVPCID, and rights that change with no flush at all. SDM vol. 3A
 * 4.8 and 4.10.
 */
#include "rt.h"

#define T 0x8000000000 /* PML4E 1 */
#define BIG1 0x2000000
#define BIG2 0x2200000
#define A_WORD 0x0aaaaaaa
#define B_WORD 0x0bbbbbbb

/* Sets the PTE, with no flush. */
	.macro MAP frame, bits=7
	movq $(\frame)+(\bits), pt
	.endm
/* Reads the tests' page (or an offset in it) and compares. */
	.macro SEES name, want, off=0
	movl \off(%rbp), %eax
	CHECK "\name", %rax, \want
	.endm
	.macro RELOAD_CR3
	movq %cr3, %rax
	movq %rax, %cr3
	.endm

	.text
	MODE32
	.globl main
main:
	call enter_long
	MODE64
	movl $tpdpt + 7, pml4 + 8
	movl $tpd + 7, tpdpt
	movl $pt + 7, tpd
	movl $A_WORD, page_a
	movl $B_WORD, page_b
	/* Both big frames know their own offsets. */
	movl $BIG1, %edi
	movl $(BIG2 - BIG1) / 2048, %ecx
1:	movl %edi, %eax
	andl $0x1ff000, %eax
	leal 0x10000000(%eax), %edx
	movl %edx, (%rdi)
	leal 0x20000000(%eax), %edx
	movl %edx, BIG2 - BIG1(%rdi)
	addl $4096, %edi
	cmpl $BIG2, %edi
	jne 1b
	movq $T, %rbp

	SECTION_NAME "4 KiB pages"
	MAP page_a
	SEES "first mapping", A_WORD
	MAP page_b
	invlpg (%rbp)
	SEES "second, after INVLPG", B_WORD
	MAP page_a
	invlpg 0xfff(%rbp)
	SEES "INVLPG of any byte of the page", A_WORD
	MAP page_b
	RELOAD_CR3
	SEES "third, after CR3", B_WORD
	MAP page_b, 6
	invlpg (%rbp)
	TRY
	movl (%rbp), %eax
	RESULT "not present after INVLPG", V_PF, 0
	MAP page_a
	SEES "present again needs no flush", A_WORD
	MAP page_a, 5
	invlpg (%rbp)
	SEES "read-only", A_WORD
	TRY
	movl $A_WORD, (%rbp)
	RESULT "write to it", V_PF, 3
	MAP page_a
	TRY
	movl $A_WORD, (%rbp)
	RESULT "writable after a fault needs no flush", V_NONE
	MAP page_a, 5
	invlpg (%rbp)
	SEES "read-only again", A_WORD
	MAP page_a
	TRY
	movl $A_WORD, (%rbp)
	77:	movl $0, try_resume
	TRY
	movl $A_WORD, (%rbp)
	RESULT "made writable: at most one more fault", V_NONE

	SECTION_NAME "accessed and dirty bits"
	MAP page_a
	RELOAD_CR3
	.irp entry, pml4+8, tpdpt, tpd
	btrl $5, \entry
	.endr
	RELOAD_CR3
	SEES "read", A_WORD
	.irp entry, pml4+8, tpdpt, tpd
	movl \entry, %eax
	andl $0x60, %eax
	CHECK "\entry: A, not D", %rax, 0x20
	.endr
	movl pt, %eax
	andl $0x60, %eax
	CHECK "PTE after a read", %rax, 0x20
	movl $A_WORD, (%rbp)
	movl pt, %eax
	andl $0x60, %eax
	CHECK "PTE after a write", %rax, 0x60
	MAP page_a
	invlpg (%rbp)
	movl $A_WORD, (%rbp)
	movl pt, %eax
	andl $0x60, %eax
	CHECK "PTE after a write, having been cached dirty", %rax, 0x60
	MAP page_a
	invlpg (%rbp)
	lock; addl $0, (%rbp)
	movl pt, %eax
	andl $0x60, %eax
	CHECK "after a locked read-modify-write", %rax, 0x60
	MAP page_a
	invlpg (%rbp)
	pushq $0x3333
	movq %rbp, %rdi
	movl $page_b, %esi
	movl $1, %ecx
	rep movsl
	pop %rax
	movl pt, %eax
	andl $0x60, %eax
	CHECK "after REP MOVS", %rax, 0x60
	movl $A_WORD, page_a
	MAP page_a, 5
	invlpg (%rbp)
	TRY
	movl %eax, (%rbp)
	RESULT "refused write", V_PF, 3
	movl pt, %eax
	andl $0x40, %eax
	CHECK "does not make it dirty", %rax, 0
	MAP page_a
	invlpg (%rbp)
	TRY
	movl $1, %eax
	movl $2, %ecx
	lock; cmpxchgl %ecx, (%rbp) /* not equal: writes back what it read */
	RESULT "CMPXCHG that fails", V_NONE
	movl pt, %eax
	andl $0x40, %eax
	CHECK "dirties the page all the same", %rax, 0x40

	SECTION_NAME "rights that change without a flush"
	MAP page_a, 5
	invlpg (%rbp)
	CR_CLEAR cr0, CR0_WP
	TRY
	movl $A_WORD, (%rbp)
	RESULT "WP clear: level 0 writes a read-only page", V_NONE
	CR_SET cr0, CR0_WP
	TRY
	movl $A_WORD, (%rbp)
	RESULT "WP set", V_PF, 3
	MAP page_a, 3
	invlpg (%rbp)
	SEES "supervisor page", A_WORD
	TRYIN UC64, UD, 64
	movl (%rbp), %eax
	ENDIN "the same at level 3", V_PF, 5
	SEES "and back at level 0", A_WORD
	MAP page_a, 7
	invlpg (%rbp)
	TRYIN UC64, UD, 64
	movl %eax, (%rbp)
	ENDIN "user page at level 3", V_NONE
	movl $A_WORD, page_a
	/* Keys. */
	movq $page_a + 7, pt
	movl $5 << 27, pt + 4
	invlpg (%rbp)
	CR_SET cr4, CR4_PKE
	.macro PKRU val
	movl $\val, %eax
	xorl %ecx, %ecx
	xorl %edx, %edx
	wrpkru
	.endm
	PKRU 0
	SEES "key 5 open", A_WORD
	PKRU 0x400
	TRY
	movl (%rbp), %eax
	RESULT "access disabled", V_PF, 0x21
	PKRU 0x800
	SEES "write disabled: read", A_WORD
	TRY
	movl %eax, (%rbp)
	RESULT "write disabled: write", V_PF, 0x23
	CR_CLEAR cr0, CR0_WP
	TRY
	movl $A_WORD, (%rbp)
	RESULT "write disabled, but WP clear", V_NONE
	CR_SET cr0, CR0_WP
	TRYIN UC64, UD, 64
	movl $0x400, %eax
	xorl %ecx, %ecx
	xorl %edx, %edx
	wrpkru
	movl (%rbp), %eax
	ENDIN "WRPKRU at level 3", V_PF, 0x25, any
	PKRU 0x1000
	SEES "another key", A_WORD
	PKRU 0
	CR_CLEAR cr4, CR4_PKE
	TRY
	rdpkru
	RESULT "RDPKRU without PKE", V_UD
	/* SMAP: the guest itself must not live in user pages. */
	MAP page_a
	movl $0x80000000, %edi
	andl $~4, pml4
	RELOAD_CR3
	CR_SET cr4, CR4_SMAP
	clac
	TRY
	movl (%rbp), %eax
	RESULT "SMAP: read of a user page", V_PF, 1
	stac
	SEES "after STAC", A_WORD
	clac
	TRY
	movl %eax, (%rbp)
	RESULT "after CLAC", V_PF, 3
	pushq $FL_AC|2
	popfq
	SEES "after POPF of AC", A_WORD
	pushq $2
	popfq
	TRY
	movl (%rbp), %eax
	RESULT "after POPF without AC", V_PF, 1
	/* Implicit accesses take no notice of AC: an LDT in a user page. */
	movq gdt + KD, %rax
	movq %rax, page_a + 8
	SETDESC S_LDT, D_LO(0, 0xff), D_HI(0, 0xff, 0x82, 0)
	movl $T >> 32, gdt + S_LDT + 8
	movl $0, gdt + S_LDT + 12
	movl $S_LDT, %eax
	lldt %ax
	stac
	movl $0xc, %eax
	TRY
	mov %eax, %es
	RESULT "implicit access to a user page, AC set", V_PF, 1
	clac
	CR_CLEAR cr4, CR4_SMAP
	CR_SET cr4, CR4_SMEP
	MAP page_a
	movb $0xc3, page_a
	TRY
	call *%rbp
	RESULT "SMEP: call into a user page", V_PF, 0x11, any
	CR_CLEAR cr4, CR4_SMEP
	TRY
	call *%rbp
	RESULT "without", V_NONE
	orl $4, pml4
	RELOAD_CR3
	movl $A_WORD, page_a

	SECTION_NAME "instruction fetches"
	movl $0x0001b8, page_code1 /* mov $1, %eax; ret */
	movw $0xc300, page_code1 + 4
	movl $0x0002b8, page_code2
	movw $0xc300, page_code2 + 4
	MAP page_code1
	invlpg (%rbp)
	call *%rbp
	CHECK "code in the first frame", %rax, 1
	call *%rbp
	MAP page_code2
	invlpg (%rbp)
	call *%rbp
	CHECK "in the second, after INVLPG", %rax, 2
	MAP page_code1
	RELOAD_CR3
	call *%rbp
	CHECK "in the first, after CR3", %rax, 1
	movl $0x80000000, pt + 4
	invlpg (%rbp)
	TRY
	call *%rbp
	RESULT "NX after INVLPG", V_PF, 0x11, any
	movl $0, pt + 4
	invlpg (%rbp)
	MSR_GET MSR_EFER
	andl $~EFER_NXE, %eax
	wrmsr
	movl $0x80000000, pt + 4
	invlpg (%rbp)
	TRY
	movl (%rbp), %eax
	RESULT "NX without NXE is reserved", V_PF, 9
	orl $0, %eax
	MSR_GET MSR_EFER
	orl $EFER_NXE, %eax
	wrmsr
	movl $0, pt + 4

	SECTION_NAME "large pages"
	movq $BIG1 + 0x87, tpd
	RELOAD_CR3
	SEES "2 MiB page", 0x10000000
	SEES "at 1000h", 0x10001000, 0x1000
	SEES "at 5000h", 0x10005000, 0x5000
	SEES "at 1ff000h", 0x101ff000, 0x1ff000
	movq $BIG2 + 0x87, tpd
	invlpg 0x123456(%rbp)
	SEES "all of it after INVLPG inside", 0x20000000
	SEES "at 1000h", 0x20001000, 0x1000
	SEES "at 5000h", 0x20005000, 0x5000
	SEES "at 1ff000h", 0x201ff000, 0x1ff000
	/* Split into small pages. */
	MAP page_a
	movq $page_b + 7, pt + 8
	movq $page_b + 7, pt + 5 * 8
	movq $pt + 7, tpd
	invlpg (%rbp)
	SEES "split: first page", A_WORD
	SEES "split: the others went with the large page", B_WORD, 0x5000
	/* And joined. */
	movq $BIG1 + 0x87, tpd
	RELOAD_CR3
	SEES "joined: first", 0x10000000
	SEES "joined: other", 0x10005000, 0x5000
	/* A 1 GiB page, with the same offsets through 2 MiB ones. */
	movq $0x87, tpdpt
	RELOAD_CR3
	movl $BIG1, %ebx
	addq %rbp, %rbx
	movl (%rbx), %eax
	CHECK "1 GiB page", %rax, 0x10000000
	movl 0x7000(%rbx), %eax
	CHECK "at 7000h", %rax, 0x10007000
	movl $BIG2 + 0x87, tpd + (BIG1 >> 21) * 8
	movq $tpd + 7, tpdpt
	invlpg 0x12345678(%rbp)
	movl (%rbx), %eax
	CHECK "all of it after INVLPG inside", %rax, 0x20000000
	movl 0x7000(%rbx), %eax
	CHECK "at 7000h", %rax, 0x20007000
	movq $pt + 7, tpd
	RELOAD_CR3
	TRY
	movq $0x900000000000, %rax
	invlpg (%rax)
	RESULT "INVLPG of a non-canonical address does nothing", V_NONE

	SECTION_NAME "global pages"
	CR_SET cr4, CR4_PGE
	MAP page_a, 0x107
	RELOAD_CR3
	SEES "global page", A_WORD
	MAP page_b, 0x107
	RELOAD_CR3
	movl (%rbp), %eax /* either is right */
	invlpg (%rbp)
	SEES "INVLPG drops it", B_WORD
	MAP page_a, 0x107
	CR_CLEAR cr4, CR4_PGE
	SEES "clearing PGE drops it", A_WORD
	CR_SET cr4, CR4_PGE
	MAP page_b, 7
	RELOAD_CR3
	SEES "not global any more", B_WORD
	MAP page_a, 7
	RELOAD_CR3
	SEES "CR3 drops it", A_WORD

	movl $1, %eax
	cpuid
	btl $17, %ecx
	jnc no_pcid
	SECTION_NAME "PCIDs"
	/* A second address space maps the page to B. */
	movl $pml4, %esi
	movl $pml4_2, %edi
	movl $512, %ecx
	rep movsq
	movl $tpdpt_2 + 7, pml4_2 + 8
	movl $tpd_2 + 7, tpdpt_2
	movl $pt_2 + 7, tpd_2
	movl $page_b + 7, pt_2
	movl $pml4 + 1, %eax
	movq %rax, %cr3
	CR_SET cr4, 0
	TRY
	orq $CR4_PCIDE, %rax
1:	movq %rax, %cr4
	RESULT "PCIDE while CR3 has low bits", V_GP, 0, 1b
	movl $pml4, %eax
	movq %rax, %cr3
	CR_SET cr4, CR4_PCIDE
	TRY
	movq %cr0, %rax
	btrq $31, %rax
1:	movq %rax, %cr0
	RESULT "clearing PG with PCIDE", V_GP, 0, 1b
	.macro CR3 table, pcid, noflush=0
	movl $\table+\pcid, %eax
	.if \noflush
	btsq $63, %rax
	.endif
	movq %rax, %cr3
	.endm
	MAP page_a
	CR3 pml4, 1
	SEES "PCID 1", A_WORD
	CR3 pml4_2, 2
	SEES "PCID 2", B_WORD
	CR3 pml4, 1, 1
	SEES "PCID 1 without flush", A_WORD
	movq %cr3, %rax
	CHECK "CR3 does not keep bit 63", %rax, pml4+1
	CR3 pml4_2, 2, 1
	SEES "PCID 2 without flush", B_WORD
	MAP page_b
	CR3 pml4, 1
	SEES "PCID 1 changed meanwhile, flushed", B_WORD
	movq $page_a + 7, pt_2
	CR3 pml4_2, 2, 1
	invlpg (%rbp)
	SEES "PCID 2 changed meanwhile, INVLPG", A_WORD
	movq $page_b + 7, pt_2
	RELOAD_CR3
	SEES "the same PCID loaded again: flushed", B_WORD
	/* CR3 with another table and the PCID of the first, flushing: nothing of the old may be left. */
	MAP page_a
	CR3 pml4, 3
	SEES "PCID 3 on the first table", A_WORD
	CR3 pml4_2, 3
	SEES "PCID 3 on the second", B_WORD
	CR3 pml4, 4095
	SEES "PCID 4095", A_WORD
	CR3 pml4_2, 0
	SEES "PCID 0", B_WORD

	SECTION_NAME "INVPCID"
	.macro DO_INVPCID type, pcid=0, addr=0
	movq $\pcid, desc
	movq $\addr, %rax
	movq %rax, desc + 8
	movl $\type, %ecx
	invpcid desc, %rcx
	.endm
	.macro INVPCID_TEST name, type, pcid, addr
	/* PCID 1 is cached with A, then changed from PCID 2. */
	MAP page_a
	CR3 pml4, 1
	movl (%rbp), %eax
	CR3 pml4_2, 2
	MAP page_b
	DO_INVPCID \type, \pcid, \addr
	CR3 pml4, 1, 1
	SEES "\name", B_WORD
	.endm
	INVPCID_TEST "type 0, one address of another PCID", 0, 1, T
	INVPCID_TEST "type 1, another PCID", 1, 1, 0
	INVPCID_TEST "type 2, everything", 2, 0, 0
	INVPCID_TEST "type 3, everything but global pages", 3, 0, 0
	CR3 pml4_2, 2
	SEES "before", B_WORD
	movq $page_a + 7, pt_2
	DO_INVPCID 0, 2, T
	SEES "type 0, own PCID", A_WORD
	movq $page_b + 7, pt_2
	DO_INVPCID 1, 2
	SEES "type 1, own PCID", B_WORD
	movq $page_a + 0x107, pt_2
	DO_INVPCID 3
	SEES "type 3, own PCID", A_WORD
	movq $page_b + 0x107, pt_2
	DO_INVPCID 2
	SEES "type 2 drops global pages", B_WORD
	TRY
	DO_INVPCID 4
1:	RESULT "type 4", V_GP, 0, any
	TRY
	DO_INVPCID 0, 0x1000, T
	RESULT "reserved bits of the descriptor", V_GP, 0, any
	TRY
	DO_INVPCID 1, 0x1001, 0
	RESULT "the same, type 1", V_GP, 0, any
	TRY
	DO_INVPCID 2, 0x1001, 0
	RESULT "type 2 does not look at the PCID", V_NONE
	TRY
	DO_INVPCID 0, 1, 0x800000000000
	RESULT "type 0, not canonical", V_GP, 0, any
	TRY
	DO_INVPCID 1, 1, 0x800000000000
	RESULT "type 1 does not look at the address", V_NONE
	TRYIN UC64, UD, 64
	xorl %ecx, %ecx
1:	invpcid desc, %rcx
	ENDIN "INVPCID at level 3", V_GP, 0, 1b
	/* Clearing PCIDE leaves PCID 0 and forgets everything. */
	CR3 pml4, 0
	MAP page_a
	invlpg (%rbp)
	SEES "PCID 0", A_WORD
	MAP page_b
	CR_CLEAR cr4, CR4_PCIDE
	SEES "clearing PCIDE flushes", B_WORD
	TRY
	DO_INVPCID 1, 1
	RESULT "PCID 1 without PCIDE", V_GP, 0, any
	TRY
	DO_INVPCID 1, 0
	RESULT "PCID 0 without PCIDE", V_NONE
	TRY
	movq %cr3, %rax
	btsq $63, %rax
1:	movq %rax, %cr3
	RESULT "CR3 bit 63 without PCIDE", V_GP, 0, 1b
no_pcid:
	cmpl $0, on_tcg /* which goes on with an address beyond memory */
	jne 9f
	movl $0x80000008, %eax
	cpuid
	movzbl %al, %ecx
	movl $1, %ebx
	shlq %cl, %rbx
	TRY
	movq %cr3, %rax
	orq %rbx, %rax
1:	movq %rax, %cr3
	RESULT "CR3 beyond the physical address", V_GP, 0, 1b
9:

	SECTION_NAME "addresses in two pages"
	MAP page_a
	movq $page_b + 7, pt + 8
	RELOAD_CR3
	movl $0x11223344, page_a + 4092
	movl $0x55667788, page_b
	movl 0xffe(%rbp), %eax
	CHECK "read across", %rax, 0x77881122
	movl $0xddccbbaa, 0xffe(%rbp)
	CHECKM "write across: first page", page_a+4092, 0xbbaa3344
	CHECKM "second page", page_b, 0x5566ddcc
	andl $~2, pt + 8
	invlpg 0x1000(%rbp)
	TRY
	movq $-1, 0xffc(%rbp)
	RESULT "second page read-only", V_PF, 3
	CHECKM "nothing was written", page_a+4092, 0xbbaa3344
	movq %rbp, %rax
	addq $0x1000, %rax
	CHECKQ "CR2 is the second page", rec_cr2, %rax
	jmp finish64

	.bss
	.balign 8
desc: .skip 16
	.balign 4096
tpdpt: .skip 4096
tpd: .skip 4096
pt: .skip 4096
pml4_2: .skip 4096
tpdpt_2: .skip 4096
tpd_2: .skip 4096
pt_2: .skip 4096
page_a: .skip 4096
page_b: .skip 4096
page_code1: .skip 4096
page_code2: .skip 4096
