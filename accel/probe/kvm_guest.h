/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The probe's guest: where its parts lie and which ports it talks to. Also read by the assembler.
 */
#ifndef ACCEL_PROBE_KVM_GUEST_H
#define ACCEL_PROBE_KVM_GUEST_H

/* Guest-physical, and with paging the same in linear addresses up to 2 MiB. */
#define GUEST_PML4   0x1000
#define GUEST_PDPT   0x2000
#define GUEST_PD     0x3000
#define GUEST_GDT    0x4000
#define GUEST_TSS    0x4800
#define GUEST_IDT    0x5000
#define GUEST_DATA   0x8000
#define GUEST_STACK  0xa000 /* top of ring 3's */
#define GUEST_RSP0   0xb000
#define GUEST_CODE   0x10000
#define GUEST_SIZE   0x20000
#define GUEST_MMIO   0x100000
#define GUEST_ABSENT 0x200000 /* linear, not mapped */

#define SEL_KCODE  0x08
#define SEL_KDATA  0x10
#define SEL_UDATA  0x23
#define SEL_UCODE  0x2b
#define SEL_TSS    0x30
#define SEL_CODE32 0x40

#define PORT_DONE  0xe0 /* GUEST_PASS, or what was wrong */
#define PORT_FAULT 0xe1 /* a vector */
#define PORT_ECHO  0xe2 /* reads as the complement of what was written */
#define PORT_READY 0xe3 /* ask for the interrupt window */

#define GUEST_PASS 0x600d
#define VEC_IRQ    0x40
#define VEC_INT    0x41
#define VEC_USER   0x42

#ifndef __ASSEMBLER__
#include <stdint.h>

struct kvm_probe;

extern const uint8_t kvm_guest_start[], kvm_guest_end[];
/* Entry points. */
extern const uint8_t kvm_guest_real[], kvm_guest_modes[], kvm_guest_pio[], kvm_guest_mmio[],
    kvm_guest_hlt[], kvm_guest_irq[], kvm_guest_int[], kvm_guest_user_int[], kvm_guest_fault[],
    kvm_guest_syscall[], kvm_guest_sse[], kvm_guest_fxsave[], kvm_guest_loop[], kvm_guest_outs[],
    kvm_guest_stores[];
/* Handlers: one each 16 bytes for exceptions, and the vectors that are expected. */
extern const uint8_t kvm_guest_stubs[], kvm_guest_on_fault[], kvm_guest_on_irq[],
    kvm_guest_on_int[], kvm_guest_on_user[];

/* Runs all checks and measurements on an open /dev/kvm and fills in p, verdict included. Calls nothing
 * that a child of a threaded process may not. */
void kvm_guest_try(int kvm, struct kvm_probe *p);
#endif

#endif
