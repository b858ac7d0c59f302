/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The workloads that are about privilege: what kernels do all day, one thing at a time.
 */
#include "roms/bench/kernel.h"

/* ---- in ring 3 ---- */

static uint64_t round_syscall(uint64_t *arena)
{
	uint64_t sum = 0;

	(void)arena;
	for (unsigned n = 0; n < 64; n++) {
		uint64_t rax = SYS_NEXT, rdi = n, rsi, rdx;

		__asm__ volatile("syscall"
				 : "+a"(rax), "+D"(rdi), "=S"(rsi), "=d"(rdx)
				 :
				 : "rcx", "r8", "r9", "r10", "r11", "memory");
		sum += rax;
	}
	return sum;
}

static uint64_t round_trap(uint64_t *arena)
{
	uint64_t sum = 0;

	(void)arena;
	for (unsigned n = 0; n < 64; n++) {
		uint64_t rax = n;

		__asm__ volatile("int %1" : "+a"(rax) : "i"(VECTOR_TRAP) : "memory");
		sum += rax;
	}
	return sum;
}

static uint64_t round_fault(uint64_t *arena)
{
	uint64_t rax = SYS_UNMAP, rdi = 0, rsi, rdx, sum = 0;

	(void)arena;
	__asm__ volatile("syscall"
			 : "+a"(rax), "+D"(rdi), "=S"(rsi), "=d"(rdx)
			 :
			 : "rcx", "r8", "r9", "r10", "r11", "memory");
	for (uint64_t n = 0; n < WINDOW_PAGES; n++)
		sum += *(volatile uint64_t *)(WINDOW + (n << 12)) + n;
	return sum;
}

/* ---- address translation ---- */

static uint64_t round_cr3(uint64_t *arena)
{
	uint64_t sum = 0;

	for (unsigned n = 0; n < 32; n++) {
		load_cr3(n & 1 ? kernel.cr3 : kernel.other_cr3);
		for (unsigned k = 0; k < 8; k++)
			sum += *(volatile uint64_t *)(arena + k * 512);
	}
	return sum;
}

static uint64_t round_invlpg(uint64_t *arena)
{
	uint64_t sum = 0;

	for (unsigned n = 0; n < 64; n++) {
		invlpg((uint64_t)(arena + n * 512));
		sum += *(volatile uint64_t *)(arena + n * 512);
	}
	return sum;
}

static void prepare_pages(uint64_t *arena)
{
	for (unsigned n = 0; n < 64; n++)
		arena[n * 512] = n * 3 + 1;
}

/* ---- registers of processor and devices ---- */

static uint64_t round_msr(uint64_t *arena)
{
	uint64_t sum = 0;

	(void)arena;
	for (uint64_t n = 0; n < 32; n++) {
		wrmsr(MSR_FS_BASE, n << 12);
		sum += rdmsr(MSR_FS_BASE);
	}
	return sum;
}

static uint64_t round_port(uint64_t *arena)
{
	uint64_t sum = 0;

	(void)arena;
	for (unsigned n = 0; n < 16; n++)
		sum += inb(0x21);
	return sum;
}

static uint64_t round_mmio(uint64_t *arena)
{
	uint64_t sum = 0;

	(void)arena;
	for (unsigned n = 0; n < 16; n++)
		sum += mmio_read(HPET);
	return sum;
}

static uint64_t round_apic(uint64_t *arena)
{
	uint64_t sum = 0;

	(void)arena;
	for (unsigned n = 0; n < 16; n++)
		sum += mmio_read(LAPIC + LAPIC_SVR);
	return sum;
}

/* ---- interrupts ---- */

/* Lets interrupts in until one more has come. */
static inline void wait_for(uint64_t interrupts)
{
	while (kernel.interrupts < interrupts)
		__asm__ volatile("sti; hlt; cli" ::: "memory");
}

static uint64_t round_self_ipi(uint64_t *arena)
{
	uint64_t begin = kernel.interrupts;

	(void)arena;
	__asm__ volatile("sti" ::: "memory");
	for (unsigned n = 1; n <= 16; n++) {
		mmio_write(LAPIC + LAPIC_ICR, ICR_SELF | VECTOR_SELF);
		while (kernel.interrupts < begin + n)
			__asm__ volatile("pause");
	}
	__asm__ volatile("cli" ::: "memory");
	return kernel.interrupts - begin;
}

/* There and back, eight times. */
static uint64_t round_ipi(uint64_t *arena)
{
	uint64_t begin = kernel.interrupts;

	(void)arena;
	for (unsigned n = 1; n <= 8; n++) {
		mmio_write(LAPIC + LAPIC_ICR_HIGH, 1u << 24);
		mmio_write(LAPIC + LAPIC_ICR, ICR_FIXED | VECTOR_PING);
		wait_for(begin + n);
	}
	return kernel.interrupts - begin;
}

static bool has_second(void)
{
	return kernel.second_started;
}

static void prepare_hlt(uint64_t *arena)
{
	(void)arena;
	mmio_write(LAPIC + LAPIC_LVT_TIMER, 0x40000 | VECTOR_TIMER);
}

static uint64_t round_hlt(uint64_t *arena)
{
	const uint64_t wait = 50ull * kernel.tsc_khz / 1000;
	uint64_t begin = kernel.interrupts;

	(void)arena;
	for (unsigned n = 1; n <= 8; n++) {
		wrmsr(MSR_TSC_DEADLINE, rdtsc() + wait);
		wait_for(begin + n);
	}
	return kernel.interrupts - begin;
}

static bool has_deadline(void)
{
	return cpuid(1, 0).c >> 24 & 1;
}

const struct privileged_job privileged_jobs[BENCH_WORKLOADS] = {
    [BENCH_SYSCALL] = {{0, round_syscall}, true, 0},
    [BENCH_TRAP] = {{0, round_trap}, true, 0},
    [BENCH_FAULT] = {{0, round_fault}, true, 0},
    [BENCH_CR3] = {{prepare_pages, round_cr3}, false, 0},
    [BENCH_INVLPG] = {{prepare_pages, round_invlpg}, false, 0},
    [BENCH_MSR] = {{0, round_msr}, false, 0},
    [BENCH_PORT] = {{0, round_port}, false, 0},
    [BENCH_MMIO] = {{0, round_mmio}, false, 0},
    [BENCH_APIC] = {{0, round_apic}, false, 0},
    [BENCH_SELF_IPI] = {{0, round_self_ipi}, false, 0},
    [BENCH_IPI] = {{0, round_ipi}, false, has_second},
    [BENCH_HLT] = {{prepare_hlt, round_hlt}, false, has_deadline},
    [BENCH_DISK_READ] = {{0, round_disk_read}, false, disk_present},
    [BENCH_DISK_WRITE] = {{bench_disk_prepare, round_disk_write}, false, disk_present},
    [BENCH_DISK_BULK] = {{0, round_disk_bulk}, false, disk_present},
    [BENCH_NET_ECHO] = {{0, round_net_echo}, false, has_virtio_net},
    [BENCH_NET_SEND] = {{0, round_net_send}, false, has_virtio_net},
    [BENCH_NET_RECEIVE] = {{0, round_net_receive}, false, has_virtio_net},
    [BENCH_E1000_ECHO] = {{0, round_e1000_echo}, false, has_e1000},
    [BENCH_E1000_SEND] = {{0, round_e1000_send}, false, has_e1000},
    [BENCH_E1000_RECEIVE] = {{0, round_e1000_receive}, false, has_e1000},
};
