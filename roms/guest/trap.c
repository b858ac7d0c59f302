/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * IDT, the two PICs, the PIT tick, and a readable report for every exception.
 */
#include "guest.h"

struct gate {
	uint16_t off0, sel, attr, off1;
	uint32_t off2, zero;
};

extern const char stubs[];

static struct {
	struct gate idt[48];
	volatile uint64_t ticks;
} st;

static const char *const names[32] = {
    "divide error",
    "debug",
    "NMI",
    "breakpoint",
    "overflow",
    "bound range",
    "invalid opcode",
    "device not available",
    "double fault",
    "coprocessor overrun",
    "invalid TSS",
    "segment not present",
    "stack fault",
    "general protection",
    "page fault",
    "reserved",
    "x87 error",
    "alignment check",
    "machine check",
    "SIMD exception",
};

uint64_t ticks(void)
{
	return st.ticks;
}

void trap(struct frame *f)
{
	if (f->vector >= 32) {
		if (f->vector == 32)
			st.ticks++;
		else if (f->vector == 36)
			console_interrupt();
		if (f->vector >= 40)
			outb(0xa0, 0x20);
		outb(0x20, 0x20);
		return;
	}
	uint64_t cr2;
	__asm__("movq %%cr2, %0" : "=r"(cr2));
	print("\nexception %lu (%s), error %lx at %lx\n", f->vector,
	      names[f->vector] ? names[f->vector] : "reserved", f->error, f->rip);
	print("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", f->rax, f->rbx, f->rcx, f->rdx);
	print("rsi %016lx rdi %016lx rbp %016lx rsp %016lx\n", f->rsi, f->rdi, f->rbp, f->rsp);
	print("r8  %016lx r9  %016lx r10 %016lx r11 %016lx\n", f->r8, f->r9, f->r10, f->r11);
	print("r12 %016lx r13 %016lx r14 %016lx r15 %016lx\n", f->r12, f->r13, f->r14, f->r15);
	print("rflags %lx cr2 %lx\n", f->rflags, cr2);
	if (f->vector == 3)
		return;
	/* Commands that fault on purpose set rbx to where to go on, marked in rcx. */
	if (f->rcx == 0x646f7070656cull) {
		f->rip = f->rbx;
		return;
	}
	print("halted\n");
	for (;;)
		__asm__ volatile("cli; hlt");
}

void trap_init(void)
{
	for (unsigned n = 0; n < 48; n++) {
		uint64_t at = (uint64_t)stubs + n * 16;
		st.idt[n] = (struct gate){(uint16_t)at,         8, 0x8e00, (uint16_t)(at >> 16),
					  (uint32_t)(at >> 32), 0};
	}
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) d = {sizeof(st.idt) - 1, (uint64_t)st.idt};
	__asm__ volatile("lidt %0" ::"m"(d));

	static const uint8_t icw[2][4] = {{0x11, 32, 4, 1}, {0x11, 40, 2, 1}};
	for (unsigned n = 0; n < 4; n++) {
		outb(n ? 0x21 : 0x20, icw[0][n]);
		outb(n ? 0xa1 : 0xa0, icw[1][n]);
	}
	outb(0x21, (uint8_t)~0x11); /* timer and COM1 */
	outb(0xa1, 0xff);
	outb(0x43, 0x34);
	outb(0x40, (1193182 / TICK_HZ) & 0xff);
	outb(0x40, (1193182 / TICK_HZ) >> 8);
	__asm__ volatile("sti");
}
