/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Page tables in every mode: 32-bit, PSE, PAE, 4-level and 5-level, each with every combination of
 * present, writable, user, NX and reserved bits at two levels, WP, SMEP, SMAP with AC and
 * protection keys, read, written and executed at levels 0 and 3. SDM vol. 3A chapter 4.
 */
#include "rt.h"

/* Combination bits: acc 0 read, 1 write, 2 fetch; then what differs from the plainest mapping. */
#define C_ACC 0x3
#define C_CPL3 0x4
#define C_LEAF_NP 0x8
#define C_LEAF_RO 0x10
#define C_LEAF_S 0x20
#define C_LEAF_NX 0x40
#define C_LEAF_RSV 0x80
#define C_UP_RO 0x100
#define C_UP_S 0x200
#define C_UP_NX 0x400
#define C_UP_NP 0x800
#define C_UP_RSV 0x1000
#define C_WP 0x2000
#define C_SMEP 0x4000
#define C_SMAP 0x8000
#define C_AC 0x10000
#define C_AD 0x20000
#define C_WD 0x40000
#define C_END 0x80000
#define C_BROKEN (C_LEAF_NP | C_LEAF_RSV | C_UP_NP | C_UP_RSV)
#define C_CONTROL (C_WP | C_SMEP | C_SMAP | C_AC | C_AD | C_WD)
#define ALL 0x7ffff

/* QEMU's walks set bit 5 of PDPTEs, as if they were accessed flags; KVM between finds it reserved when CR4 is
 * written. */
.macro PDPTES_OF_TCG
	cmpl $0, on_tcg
	je 96f
	andl $~0x20, pdpt32
	andl $~0x20, pdpt32 + 16
96:
.endm

	.text
	MODE32
	.globl main
main:
	/* What the accesses run into: INT 80h at the start of the page. */
	movw $0x80cd, target
	movw $0x80cd, 0x2000000
	movl $0x80000008, %eax
	cpuid
	movzbl %al, %ecx
	movl %ecx, maxphy
	movl $1, %eax
	xorl %edx, %edx
	subl $32, %ecx
	shll %cl, %eax
	negl %eax
	andl $0x000fffff, %eax
	movl %eax, high_phys /* bits 32-51 above the processor's */
	call kernel_tables

	SECTION_NAME "32-bit paging"
	movl $4, entry_size
	movl $0, have_nx
	movl $0, up_rsv
	movl $pd32, %eax
	movl %eax, %cr3
	movl $0x80000000, lin
	movl $pd32 + 0x800, up_entry
	movl $pt + 7, up_plain
	movl $pt, leaf_entry
	movl $target + 7, leaf_plain
	movl $pt + 7, pd32 + 0x800
	movl $target + 7, pt
	CR_SET cr0, CR0_PG
	movl $ALL&~(C_LEAF_NX|C_UP_NX|C_LEAF_RSV|C_UP_RSV|C_AD|C_WD), combo_mask
	NAME "4 KiB pages"
	call combinations32
	/* Without PSE the PS bit of a PDE is ignored. */
	movl $pt + 7 + 0x80, up_plain
	movl $C_ACC|C_CPL3|C_LEAF_RO, combo_mask
	NAME "PS bit without PSE"
	call combinations32
	CR_SET cr4, CR4_PSE
	movl $0, up_entry
	movl $pd32 + 0x800, leaf_entry
	movl $0x2000087, leaf_plain
	movl $0x200000, leaf_rsv /* bit 21 */
	movl $ALL&~(C_LEAF_NX|C_UP_NX|C_UP_RO|C_UP_S|C_UP_NP|C_UP_RSV|C_AD|C_WD), combo_mask
	NAME "4 MiB pages"
	call combinations32
	movl $0x200000, bits_reserved
	/* PSE-36: bits 13-20 are address bits 32-39. */
	movl high_phys, %eax
	andl $0xff, %eax
	shll $13, %eax
	orl %eax, bits_reserved
	movl $0, bits_reserved + 4
	movl $0xf00, bits_ignored
	movl $0, bits_ignored + 4
	movl $leaf_plain, %esi
	movl leaf_entry, %edi
	NAME "reserved bits of a 4 MiB page"
	call reserved32
	CR_CLEAR cr0, CR0_PG
	CR_CLEAR cr4, CR4_PSE

	SECTION_NAME "PAE paging"
	movl $8, entry_size
	CR_SET cr4, CR4_PAE
	movl $pdpt32, %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_NXE, %eax
	wrmsr
	movl $1, have_nx
	movl $tpd, up_entry
	movl $pt + 7, up_plain
	movl $pt, leaf_entry
	movl $target + 7, leaf_plain
	movl high_phys, %eax
	movl $0, leaf_rsv
	movl %eax, leaf_rsv + 4
	movl $0, up_rsv
	movl $0x40000000, up_rsv + 4 /* bit 62 */
	CR_SET cr0, CR0_PG
	movl $ALL&~(C_AD|C_WD), combo_mask
	NAME "4 KiB pages"
	call combinations32
	movl $0, bits_reserved
	movl high_phys, %eax
	orl $0x7ff00000, %eax
	movl %eax, bits_reserved + 4
	movl $0xe00, bits_ignored
	movl $0, bits_ignored + 4
	movl $leaf_plain, %esi
	movl leaf_entry, %edi
	NAME "reserved bits of a PTE"
	call reserved32
	movl $up_plain, %esi
	movl up_entry, %edi
	NAME "reserved bits of a PDE"
	call reserved32
	movl $0, up_entry
	movl $tpd, leaf_entry
	movl $0x2000087, leaf_plain
	movl $0x100000, leaf_rsv
	movl $0, leaf_rsv + 4
	movl $ALL&~(C_UP_NX|C_UP_RO|C_UP_S|C_UP_NP|C_UP_RSV|C_AD|C_WD), combo_mask
	NAME "2 MiB pages"
	call combinations32
	movl $0x1fe000, bits_reserved
	movl $0xe00, bits_ignored
	movl $leaf_plain, %esi
	movl leaf_entry, %edi
	NAME "reserved bits of a 2 MiB page"
	call reserved32
	/* Without NXE the bit is reserved. */
	movl $MSR_EFER, %ecx
	rdmsr
	andl $~EFER_NXE, %eax
	wrmsr
	movl $0, have_nx
	movl $0, leaf_rsv
	movl $0x80000000, leaf_rsv + 4
	movl $C_ACC|C_CPL3|C_LEAF_RSV|C_LEAF_RO|C_LEAF_S|C_SMEP, combo_mask
	NAME "NX without NXE"
	call combinations32
	/* PDPTEs: checked and read when CR3 is written. */
	cmpl $0, on_tcg /* which uses them unchecked */
	jne 1f
	.irp bit, 1, 2, 5, 6, 7, 8, 62, 63
	movl pdpt32, %eax
	movl %eax, pdpt_bad
	movl $0, pdpt_bad + 4
	btsl $\bit%32, pdpt_bad+\bit/32*4
	movl $pdpt_bad, %eax
	TRY
	movl %eax, %cr3
	RESULT "PDPTE bit \bit", V_GP
	.endr
	movl pdpt32, %eax
	movl %eax, pdpt_bad
	movl high_phys, %eax
	movl %eax, pdpt_bad + 4
	movl $pdpt_bad, %eax
	TRY
	movl %eax, %cr3
	RESULT "PDPTE beyond the physical address", V_GP
1:
	movl pdpt32, %eax
	orl $0xe18, %eax
	movl %eax, pdpt_bad
	movl $0, pdpt_bad + 4
	btsl $5, pdpt_bad + 8 /* not present: not looked at */
	movl $pdpt_bad, %eax
	TRY
	movl %eax, %cr3
	RESULT "PDPTE with cache and ignored bits, reserved ones not present", V_NONE
	movl $pdpt32, %eax
	movl %eax, %cr3
	movl pdpt32 + 16, %esi
	movl $0, pdpt32 + 16
	movl $0x80000000, %edi
	invlpg (%edi)
	TRY
	movl (%edi), %eax
	RESULT "a PDPTE changed in memory is not seen before CR3 is written", V_NONE
	movl %cr3, %eax
	movl %eax, %cr3
	TRY
	movl (%edi), %eax
	RESULT "and then is", V_PF, 0
	movl %esi, pdpt32 + 16
	TRY
	movl (%edi), %eax
	RESULT "present again, but not for the processor", V_PF, 0
	movl %cr4, %eax
	orl $CR4_PSE, %eax
	PDPTES_OF_TCG
	movl %eax, %cr4
	TRY
	movl (%edi), %eax
	RESULT "CR4.PSE written: PDPTEs are read", V_NONE
	CR_CLEAR cr0, CR0_PG
	CR_CLEAR cr4, CR4_PSE

	call enter_long
	MODE64
	SECTION_NAME "4-level paging"
	movq $kernel_pml4, %rax
	movq %rax, %cr3
	movl $1, have_nx
	CR_SET cr4, (CR4_PKE|CR4_PGE)
	movq $0x8000000000, %rax
	movq %rax, lin
	movl $tpd, up_entry
	movq $pt + 7, up_plain
	movl $pt, leaf_entry
	movl $target + 7, leaf_plain
	movl $5 << 27, leaf_plain + 4 /* key 5 */
	movl high_phys, %eax
	movl $0, leaf_rsv
	movl %eax, leaf_rsv + 4
	movl $0, up_rsv
	movl %eax, up_rsv + 4
	movl $ALL, combo_mask
	NAME "4 KiB pages"
	call combinations64
	movl high_phys, %eax
	movl $0, bits_reserved
	movl %eax, bits_reserved + 4
	movl $0xf00, bits_ignored
	movl $0x07f00000, bits_ignored + 4
	movl $leaf_plain, %esi
	movl leaf_entry, %edi
	NAME "reserved bits of a PTE"
	call reserved64
	movl $up_plain, %esi
	movl up_entry, %edi
	movl $0x7ff00000, bits_ignored + 4
	NAME "reserved bits of a PDE"
	call reserved64
	movq $tpdpt_plain, %rsi
	movl $tpdpt, %edi
	NAME "reserved bits of a PDPTE"
	call reserved64
	movq $tpml4_plain, %rsi
	movl $kernel_pml4 + 8, %edi
	orl $0x80, bits_reserved
	NAME "reserved bits of a PML4E"
	call reserved64

	movl $tpdpt, up_entry
	movq $tpd + 7, up_plain
	movl $tpd, leaf_entry
	movl $0x2000087, leaf_plain
	movl $0x2000, leaf_rsv
	movl $0, leaf_rsv + 4
	movl $ALL, combo_mask
	NAME "2 MiB pages"
	call combinations64
	movl high_phys, %eax
	movl $0x1fe000, bits_reserved
	movl %eax, bits_reserved + 4
	movl $0xf00, bits_ignored
	movl $0x07f00000, bits_ignored + 4
	movl $leaf_plain, %esi
	movl leaf_entry, %edi
	NAME "reserved bits of a 2 MiB page"
	call reserved64

	movq $0x8002000000, %rax
	movq %rax, lin
	movl $kernel_pml4 + 8, up_entry
	movq $tpdpt + 7, up_plain
	movl $tpdpt, leaf_entry
	movl $0x87, leaf_plain
	movl $0x2000, leaf_rsv
	movl $ALL, combo_mask
	NAME "1 GiB pages"
	call combinations64
	movl high_phys, %eax
	movl $0x3fffe000, bits_reserved
	movl %eax, bits_reserved + 4
	movl $0xf00, bits_ignored
	movl $0x07f00000, bits_ignored + 4
	movl $leaf_plain, %esi
	movl leaf_entry, %edi
	NAME "reserved bits of a 1 GiB page"
	call reserved64
	movl $tpd + 7, tpdpt
	movl $0, tpdpt + 4
	movl $pt + 7, tpd
	movl $0, tpd + 4
	movq %cr3, %rax
	movq %rax, %cr3

	/* NX without NXE, PKU off. */
	CR_CLEAR cr4, CR4_PKE
	movl $MSR_EFER, %ecx
	rdmsr
	andl $~EFER_NXE, %eax
	wrmsr
	movl $0, have_nx
	movq $0x8000000000, %rax
	movq %rax, lin
	movl $tpd, up_entry
	movq $pt + 7, up_plain
	movl $pt, leaf_entry
	movq $target + 7, leaf_plain
	movl $0, leaf_rsv
	movl $0x80000000, leaf_rsv + 4
	movl $C_ACC|C_CPL3|C_LEAF_RSV|C_LEAF_RO|C_LEAF_S|C_SMEP, combo_mask
	NAME "NX without NXE"
	call combinations64
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_NXE, %eax
	wrmsr
	movl $1, have_nx

	movl $7, %eax
	xorl %ecx, %ecx
	cpuid
	btl $16, %ecx
	jnc finish64
	call leave_long
	MODE32
	/* LA57 is set before paging. */
	CR_SET cr4, (CR4_PAE|CR4_LA57)
	movl $kernel_pml5, %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $(EFER_LME|EFER_NXE), %eax
	wrmsr
	CR_SET cr0, (CR0_PG|CR0_WP)
	pushl $KC64
	pushl $1f
	lret
	MODE64
1:	lidt idt64_ptr
	movb $0x89, gdt + S_TSS64 + 5
	movl $S_TSS64, %eax
	ltr %ax
	SECTION_NAME "5-level paging"
	CR_SET cr4, (CR4_PKE|CR4_PGE)
	movq $0x1000000000000, %rax
	movq %rax, lin
	movl $kernel_pml5 + 8, up_entry
	movq $tpml4 + 7, up_plain
	movl $pt, leaf_entry
	movl $target + 7, leaf_plain
	movl $5 << 27, leaf_plain + 4
	movl high_phys, %eax
	movl $0, leaf_rsv
	movl %eax, leaf_rsv + 4
	movl $0x80, up_rsv
	movl %eax, up_rsv + 4
	movl $ALL, combo_mask
	NAME "4 KiB pages"
	call combinations64
	movl high_phys, %eax
	movl $0x80, bits_reserved
	movl %eax, bits_reserved + 4
	movl $0xf00, bits_ignored
	movl $0x7ff00000, bits_ignored + 4
	movl $up_plain, %esi
	movl up_entry, %edi
	NAME "reserved bits of a PML5E"
	call reserved64
	movq $0x100000000000000, %rbx
	TRY
	movl (%rbx), %eax
	RESULT "non-canonical for 57 bits", V_GP
	movq $0xff00000000000000, %rbx
	TRY
	movl (%rbx), %eax
	RESULT "the lowest of the upper half", V_PF, 0
	CR_CLEAR cr4, CR4_PKE
	TRY
	movq %cr4, %rax
	andq $~CR4_LA57, %rax
1:	movq %rax, %cr4
	RESULT "clearing LA57 in 64-bit mode", V_GP, 0, 1b
	jmp finish64

/* Maps the first 4 MiB for level 0, .user for level 3, in every kind of table; and the way down to
 * `pt` at the tests' addresses. */
	MODE32
kernel_tables:
	movl $kernel_pts, %edi
	movl $3, %eax
	xorl %ebx, %ebx
1:	movl %eax, %ecx
	andl $~0xfff, %ecx
	cmpl $user_start, %ecx
	jb 2f
	cmpl $user_end, %ecx
	jae 2f
	orl $4, %eax
2:	movl %eax, kernel_pt32(,%ebx,4)
	movl %eax, (%edi,%ebx,8)
	andl $~4, %eax
	addl $0x1000, %eax
	incl %ebx
	cmpl $1024, %ebx
	jne 1b
	movl $kernel_pt32 + 7, pd32
	movl $kernel_pts + 7, kernel_pd
	movl $kernel_pts + 0x1007, kernel_pd + 8
	movl $kernel_pd + 1, pdpt32
	movl $tpd + 1, pdpt32 + 16
	movl $kernel_pd + 7, kernel_pdpt
	movl $kernel_pdpt + 7, kernel_pml4
	movl $tpdpt + 7, kernel_pml4 + 8
	movl $kernel_pml4 + 7, kernel_pml5
	movl $tpml4 + 7, kernel_pml5 + 8
	movl $tpdpt + 7, tpml4
	movl $tpd + 7, tpdpt
	movl $pt + 7, tpd
	movl $target + 7, pt
	ret

#define R(x) %e##x
#define FN(x) x##32
#include "page_body.h"
#undef R
#undef FN
	MODE64
#define R(x) %r##x
#define FN(x) x##64
#define FRAME64
#include "page_body.h"

/* The accesses, R(bp) the address: at level 0 and in user pages. In 32-bit and 64-bit code alike. */
	.macro STUBS lvl
	.balign 16
read\lvl:
	movl 16(%rbp), %eax
	int $V_END
	.balign 16
write\lvl:
	movl %eax, 16(%rbp)
	int $V_END
	.balign 16
fetch\lvl:
	jmp *%rbp
	.endm
	STUBS 0
	.section .user, "ax"
	STUBS 3

	.data
stubs: .long read0, write0, fetch0, 0, read3, write3, fetch3, 0
	.balign 8
tpdpt_plain: .quad tpd + 7
tpml4_plain: .quad tpdpt + 7

	.bss
	.balign 8
lin: .skip 8
leaf_plain: .skip 8
leaf_rsv: .skip 8
up_plain: .skip 8
up_rsv: .skip 8
bits_reserved: .skip 8
bits_ignored: .skip 8
leaf_entry: .skip 4
up_entry: .skip 4
rsv_entry: .skip 4
rsv_plain: .skip 4
combo_mask: .skip 4
combo_done: .skip 4
combo_failed: .skip 4
control_now: .skip 4
entry_size: .skip 4
have_nx: .skip 4
maxphy: .skip 4
high_phys: .skip 4
	.balign 32
pdpt32: .skip 32
pdpt_bad: .skip 32
	.balign 4096
kernel_pml5: .skip 4096
kernel_pml4: .skip 4096
kernel_pdpt: .skip 4096
kernel_pd: .skip 4096
kernel_pts: .skip 8192
pd32: .skip 4096
kernel_pt32: .skip 4096
tpml4: .skip 4096
tpdpt: .skip 4096
tpd: .skip 4096
pt: .skip 4096
target: .skip 4096
