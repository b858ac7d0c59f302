/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Descriptor tables, page tables, system calls, interrupts and the second processor. SDM vol. 3A 2 to 11.
 */
#include "roms/bench/kernel.h"

/* Where the second processor starts. */
#define TRAMPOLINE 0x8000ul

#define PAGE_P   1ul
#define PAGE_WU  6ul
#define PAGE_BIG 0x80ul

struct kernel kernel;

extern const char stubs[], page_fault_entry[], interrupt_entry[], ping_entry[], device_entry[],
    trap_entry[], syscall_entry[], interrupt_stack_top[], second_start[], second_end[];

struct gate {
	uint16_t low, sel, attr, mid;
	uint32_t high, zero;
};

struct tss {
	uint32_t reserved;
	uint64_t rsp0;
	uint8_t rest[92];
} __attribute__((packed));

struct table_ptr {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static struct gate idt[VECTORS];
static struct tss tss;
uint64_t gdt_table[] = {
    0,
    0x00af9b000000ffff, /* 08h: 64-bit code */
    0x00cf93000000ffff, /* 10h: data */
    0x00cf9b000000ffff, /* 18h: 32-bit code */
    0x00cff3000000ffff, /* 20h: user data */
    0x00affb000000ffff, /* 28h: user code */
    0,                  /* 30h: TSS */
    0,
};

typedef uint64_t page_table[512] __attribute__((aligned(4096)));

static page_table pml4, other_pml4, pdpt, low[4], arena_dir, arena_tables[BENCH_ARENA >> 21],
    window_dir, window_table;

/* ---- memory ---- */

void window_unmap(void)
{
	for (unsigned n = 0; n < WINDOW_PAGES; n++)
		window_table[n] &= ~PAGE_P;
	load_cr3(kernel.cr3);
}

static void make_tables(void)
{
	for (uint64_t n = 0; n < 4 * 512; n++)
		low[n / 512][n % 512] = n << 21 | PAGE_BIG | PAGE_WU | PAGE_P;
	for (unsigned n = 0; n < 4; n++)
		pdpt[n] = (uint64_t)low[n] | PAGE_WU | PAGE_P;
	for (uint64_t n = 0; n < BENCH_ARENA >> 12; n++)
		arena_tables[n / 512][n % 512] = (ARENA_RAM + (n << 12)) | PAGE_WU | PAGE_P;
	for (unsigned n = 0; n < BENCH_ARENA >> 21; n++)
		arena_dir[n] = (uint64_t)arena_tables[n] | PAGE_WU | PAGE_P;
	for (uint64_t n = 0; n < WINDOW_PAGES; n++)
		window_table[n] = (WINDOW_RAM + (n << 12)) | PAGE_WU | PAGE_P;
	window_dir[0] = (uint64_t)window_table | PAGE_WU | PAGE_P;
	pdpt[(uint64_t)ARENA >> 30] = (uint64_t)arena_dir | PAGE_WU | PAGE_P;
	pdpt[WINDOW >> 30] = (uint64_t)window_dir | PAGE_WU | PAGE_P;
	pml4[0] = other_pml4[0] = (uint64_t)pdpt | PAGE_WU | PAGE_P;
	kernel.cr3 = (uint64_t)pml4;
	kernel.other_cr3 = (uint64_t)other_pml4;
	load_cr3(kernel.cr3);
}

/* ---- entries from elsewhere ---- */

uint64_t on_syscall(uint64_t arg, uint32_t number)
{
	if (number == SYS_UNMAP)
		window_unmap();
	return arg + 1;
}

void on_page_fault(const uint64_t *frame)
{
	uint64_t at;

	__asm__ volatile("mov %%cr2, %0" : "=r"(at));
	if (at < WINDOW || at >= WINDOW + (WINDOW_PAGES << 12))
		report_fault(VECTOR_PAGE_FAULT, frame[1]);
	window_table[(at - WINDOW) >> 12] |= PAGE_P;
}

void on_interrupt(void)
{
	kernel.interrupts++;
	mmio_write(LAPIC + LAPIC_EOI, 0);
}

/* On the second processor. */
void on_ping(void)
{
	mmio_write(LAPIC + LAPIC_EOI, 0);
	mmio_write(LAPIC + LAPIC_ICR_HIGH, 0);
	mmio_write(LAPIC + LAPIC_ICR, ICR_FIXED | VECTOR_PONG);
}

struct frame {
	uint64_t reg[15], vector, error, rip;
};

void report_fault(uint64_t vector, uint64_t rip)
{
	outl(BENCH_LOW, (uint32_t)vector);
	outl(BENCH_HIGH, (uint32_t)rip);
	outl(BENCH_STATE, BENCH_FAULTED);
	for (;;)
		__asm__ volatile("cli; hlt");
}

void trap(const struct frame *f)
{
	report_fault(f->vector, f->rip);
}

/* ---- the processors ---- */

static void set_gate(unsigned vector, const char *to, unsigned dpl)
{
	uint64_t at = (uint64_t)to;

	idt[vector] = (struct gate){
	    (uint16_t)at,         8, (uint16_t)(0x8e00 | dpl << 13), (uint16_t)(at >> 16),
	    (uint32_t)(at >> 32), 0};
}

static void load_idt(void)
{
	struct table_ptr p = {sizeof(idt) - 1, (uint64_t)idt};

	__asm__ volatile("lidt %0" ::"m"(p));
}

static void make_descriptors(void)
{
	struct table_ptr p = {sizeof(gdt_table) - 1, (uint64_t)gdt_table};
	uint64_t at = (uint64_t)&tss;

	tss.rsp0 = (uint64_t)interrupt_stack_top;
	gdt_table[6] =
	    0x890000000000 | (sizeof(tss) - 1) | (at & 0xffffff) << 16 | (at >> 24 & 0xff) << 56;
	gdt_table[7] = at >> 32;
	__asm__ volatile("lgdt %0; ltr %w1" ::"m"(p), "r"(0x30));
	for (unsigned n = 0; n < VECTOR_TRAP; n++)
		set_gate(n, stubs + n * 16, 0);
	set_gate(VECTOR_PAGE_FAULT, page_fault_entry, 0);
	set_gate(VECTOR_TRAP, trap_entry, 3);
	set_gate(VECTOR_SELF, interrupt_entry, 0);
	set_gate(VECTOR_TIMER, interrupt_entry, 0);
	set_gate(VECTOR_PONG, interrupt_entry, 0);
	set_gate(VECTOR_PING, ping_entry, 0);
	set_gate(VECTOR_DEVICE, device_entry, 0);
	load_idt();
}

/* SSE is on since start.S; x87, and AVX where there is one. */
static void enable_vectors(void)
{
	uint64_t v;

	__asm__ volatile("mov %%cr0, %0" : "=r"(v));
	__asm__ volatile("mov %0, %%cr0" ::"r"((v & ~0xcul) | 0x22)); /* not EM, TS; NE, MP */
	__asm__ volatile("fninit");
	if ((cpuid(1, 0).c & 0x14000000) != 0x14000000) /* XSAVE, AVX */
		return;
	__asm__ volatile("mov %%cr4, %0" : "=r"(v));
	__asm__ volatile("mov %0, %%cr4" ::"r"(v | 1 << 18));
	__asm__ volatile("xsetbv" ::"c"(0), "a"(7), "d"(0));
}

static void enable_syscalls(void)
{
	const uint32_t efer = 0xc0000080, star = 0xc0000081, lstar = 0xc0000082, fmask = 0xc0000084;

	wrmsr(efer, rdmsr(efer) | 1);
	wrmsr(star, 0x18ul << 48 | 0x8ul << 32);
	wrmsr(lstar, (uint64_t)syscall_entry);
	wrmsr(fmask, 0x700);
}

static void wait_us(uint64_t us)
{
	uint64_t end = rdtsc() + us * kernel.tsc_khz / 1000;

	while (rdtsc() < end)
		__asm__ volatile("pause");
}

void second_main(void)
{
	load_idt();
	mmio_write(LAPIC + LAPIC_SVR, 0x1ff);
	kernel.second_started = 1;
	for (;;)
		__asm__ volatile("sti; hlt");
}

static void start_second(void)
{
	volatile char *to = (volatile char *)TRAMPOLINE;

	for (const char *from = second_start; from < second_end; from++)
		*to++ = *from;
	mmio_write(LAPIC + LAPIC_ICR_HIGH, 1u << 24);
	mmio_write(LAPIC + LAPIC_ICR, ICR_INIT);
	wait_us(10000);
	mmio_write(LAPIC + LAPIC_ICR_HIGH, 1u << 24);
	mmio_write(LAPIC + LAPIC_ICR, ICR_STARTUP | TRAMPOLINE >> 12);
	for (unsigned ms = 0; ms < 2000 && !kernel.second_started; ms++)
		wait_us(1000);
}

void kernel_init(void)
{
	kernel.tsc_khz = inl(BENCH_TSC_KHZ);
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	make_descriptors();
	make_tables();
	enable_vectors();
	enable_syscalls();
	mmio_write(LAPIC + LAPIC_SVR, 0x1ff);
	start_second();
	disk_init();
	net_init();
}
