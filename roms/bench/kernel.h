/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The kernel of the benchmark's guest: just what privileged workloads need. It shares entry and exception stubs
 * with the built-in guest (roms/guest/start.S).
 */
#ifndef ROMS_BENCH_KERNEL_H
#define ROMS_BENCH_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "roms/bench/bench.h"
#include "roms/guest/x86.h"

/* Virtual addresses: the first 4 GiB are themselves. */
#define ARENA        ((uint64_t *)0x100000000)
#define WINDOW       0x140000000ul /* pages that page faults map */
#define WINDOW_PAGES 64

/* Physical addresses. */
#define ARENA_RAM  0x2000000ul
#define WINDOW_RAM (ARENA_RAM + BENCH_ARENA)
#define LAPIC      0xfee00000ul
#define IOAPIC     0xfec00000ul
#define HPET       0xfed00000ul

enum {
	LAPIC_ID = 0x20,
	LAPIC_EOI = 0xb0,
	LAPIC_SVR = 0xf0,
	LAPIC_ICR = 0x300,
	LAPIC_ICR_HIGH = 0x310,
	LAPIC_LVT_TIMER = 0x320,
};

enum { ICR_FIXED = 0x4000, ICR_SELF = 0x44000, ICR_INIT = 0x4500, ICR_STARTUP = 0x4600 };

/* start.S knows 0 to 47. */
enum vector {
	VECTOR_PAGE_FAULT = 14,
	VECTOR_TRAP = 48,
	VECTOR_SELF,
	VECTOR_TIMER,
	VECTOR_PING,
	VECTOR_PONG,
	VECTOR_DEVICE,
	VECTORS,
};

enum { MSR_TSC_DEADLINE = 0x6e0, MSR_FS_BASE = 0xc0000100 };

enum syscall { SYS_EXIT, SYS_NEXT, SYS_UNMAP };

static inline void mmio_write(uint64_t at, uint32_t v)
{
	*(volatile uint32_t *)at = v;
}
static inline uint32_t mmio_read(uint64_t at)
{
	return *(volatile uint32_t *)at;
}
static inline void wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}
static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;
	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (uint64_t)hi << 32 | lo;
}
static inline void load_cr3(uint64_t v)
{
	__asm__ volatile("mov %0, %%cr3" ::"r"(v) : "memory");
}
static inline void invlpg(uint64_t at)
{
	__asm__ volatile("invlpg (%0)" ::"r"(at) : "memory");
}

/* kernel.c */
struct kernel {
	uint64_t cr3, other_cr3;          /* two address spaces with the same contents */
	volatile uint64_t interrupts;     /* of VECTOR_SELF, _TIMER, _PONG and _DEVICE that came */
	volatile uint32_t second_started; /* the other CPU waits for VECTOR_PING */
	uint32_t tsc_khz;
};
extern struct kernel kernel;
void kernel_init(void);
/* Takes all of the window's pages away. */
void window_unmap(void);
void report_fault(uint64_t vector, uint64_t rip) __attribute__((noreturn));

/* entry.S: fn(a, b, c) in ring 3. */
struct bench_result user_call(void *fn, const void *a, const void *b, uint64_t c);

/* pci.c */
uint32_t pci_read(unsigned dev, unsigned reg);
/* The number of the first device with this ID (device << 16 | vendor), which may then access memory and interrupt;
 * -1: there is none. */
int pci_start(uint32_t id);
/* Interrupts come from this device now, whose function takes one back: false where it had none. Lines are shared. */
void device_works(bool (*take_interrupt)(void));
void on_device(void);

/* disk.c */
void disk_init(void);
bool disk_present(void);
uint64_t round_disk_read(uint64_t *arena);
uint64_t round_disk_write(uint64_t *arena);
uint64_t round_disk_bulk(uint64_t *arena);

/* net.c */
void net_init(void);
bool has_virtio_net(void);
bool has_e1000(void);
uint64_t round_net_echo(uint64_t *arena);
uint64_t round_net_send(uint64_t *arena);
uint64_t round_net_receive(uint64_t *arena);
uint64_t round_e1000_echo(uint64_t *arena);
uint64_t round_e1000_send(uint64_t *arena);
uint64_t round_e1000_receive(uint64_t *arena);

/* privileged.c */
struct privileged_job {
	struct bench_job job;
	bool user;               /* rounds run in ring 3 */
	bool (*supported)(void); /* NULL: always */
};
extern const struct privileged_job privileged_jobs[BENCH_WORKLOADS];

#endif
