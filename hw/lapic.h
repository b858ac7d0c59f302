/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Local APICs (xAPIC and x2APIC) and the bus between them. Not mapped in an address space: the
 * page is per CPU, so the CPU finds it by its own IA32_APIC_BASE and calls lapic_read/write.
 * Everything here runs under the machine lock; functions called from vCPU threads are wrapped by
 * the board.
 */
#ifndef HW_LAPIC_H
#define HW_LAPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/clock.h"
#include "hw/device.h"

#define LAPIC_MAX      255           /* APIC ids 0..254: FFh is broadcast */
#define LAPIC_BASE     0xfee00000ull /* reset value of IA32_APIC_BASE[51:12] */
#define LAPIC_TIMER_HZ 1000000000ull /* input clock of the timer, before the divider */

enum { MSR_APIC_BASE = 0x1b, MSR_TSC_DEADLINE = 0x6e0, MSR_X2APIC = 0x800 };

enum lapic_lvt {
	LVT_TIMER,
	LVT_THERMAL,
	LVT_PERF,
	LVT_LINT0,
	LVT_LINT1,
	LVT_ERROR,
	LVT_COUNT,
};

/* What a local APIC tells its CPU and the rest of the machine. */
struct lapic_ops {
	void (*intr)(void *opaque, unsigned cpu, bool level);
	void (*nmi)(void *opaque, unsigned cpu);
	void (*smi)(void *opaque, unsigned cpu); /* may be NULL */
	void (*init)(void *opaque, unsigned cpu);
	void (*sipi)(void *opaque, unsigned cpu, uint8_t vector);
	int (*extint_ack)(void *opaque);           /* INTA to the PIC; returns the vector */
	void (*eoi)(void *opaque, uint8_t vector); /* EOI of a level interrupt: to the IOAPICs */
};

struct lapic_config {
	uint64_t tsc_hz;
	uint8_t maxphyaddr;
	bool x2apic;       /* the CPU model has it */
	bool tsc_deadline; /* likewise */
};

struct lapic;

struct lapic_bus {
	struct lapic_config cfg;
	struct clock *clock;
	const struct lapic_ops *ops;
	void *opaque;
	unsigned nr;
	_Atomic uint64_t tsc_ahead;    /* of the machine's clock; see lapic_bus_tsc_at_least() */
	unsigned turn;                 /* lowest priority: where the last search ended */
	struct lapic *apic[LAPIC_MAX]; /* by id */
};

struct lapic {
	struct device dev;
	struct lapic_bus *bus;
	struct timer timer;
	char name[16];
	uint32_t id;   /* = CPU index */
	uint64_t base; /* IA32_APIC_BASE */
	uint32_t tpr, ldr, dfr, svr;
	uint32_t esr, esr_pending;
	uint32_t isr[8], irr[8], tmr[8];
	uint64_t icr; /* x2APIC layout: destination in 63:32 */
	uint32_t lvt[LVT_COUNT];
	uint32_t divide, initial;
	uint64_t timer_start; /* guest ns when the current count began */
	uint64_t deadline;    /* IA32_TSC_DEADLINE */
	uint64_t tsc_offset;  /* guest TSC - machine TSC */
	uint8_t counting;     /* one-shot or periodic count under way */
	uint8_t lint;         /* input levels, bit per LINT pin */
	uint8_t ext_irr;      /* an ExtINT message not yet acknowledged */
	uint8_t intr_out;     /* level told to the CPU */
};

/* ops are borrowed and must outlive the bus. */
void lapic_bus_init(struct lapic_bus *b, struct clock *clk, const struct lapic_config *cfg,
		    const struct lapic_ops *ops, void *opaque);
/* Adds the local APIC of CPU `cpu`, 0..LAPIC_MAX-1; CPU 0 is the BSP. 0 or -errno. */
int lapic_init(struct lapic *l, struct lapic_bus *b, unsigned cpu);

/* A message-signalled interrupt (FEExxxxxh). opaque is the struct lapic_bus; other addresses are
 * dropped. */
void lapic_bus_msi(void *opaque, uint64_t addr, uint32_t data);
/* irq_pin.set for LINT0 (n 0: the PIC's INTR) and LINT1 (n 1: NMI) of every CPU; opaque is the
 * struct lapic_bus. */
void lapic_bus_set_lint(void *opaque, int n, int level);
/* The same for one local APIC; opaque is the struct lapic. */
void lapic_set_lint(void *opaque, int n, int level);

/* The CPU's side. */
int lapic_ack(struct lapic *l); /* vector, or -1 when none is deliverable */
bool lapic_intr_pending(const struct lapic *l);
uint8_t lapic_cr8_read(const struct lapic *l);
void lapic_cr8_write(struct lapic *l, uint8_t cr8);
uint64_t lapic_read(struct lapic *l, uint32_t off, unsigned size);
void lapic_write(struct lapic *l, uint32_t off, uint64_t val, unsigned size);
/* IA32_APIC_BASE, IA32_TSC_DEADLINE, 800h-8FFh. 0, or -1 for #GP. */
int lapic_msr_read(struct lapic *l, uint32_t msr, uint64_t *val);
int lapic_msr_write(struct lapic *l, uint32_t msr, uint64_t val);
/* The CPU's TSC is the machine's plus offset (IA32_TSC, IA32_TSC_ADJUST writes). */
void lapic_set_tsc_offset(struct lapic *l, uint64_t offset);
/* Ticks of the machine's TSC (before offsets) now. */
uint64_t lapic_bus_tsc(const struct lapic_bus *b);
/* Moves it on to `tsc` where it is behind. Any thread. */
void lapic_bus_tsc_at_least(struct lapic_bus *b, uint64_t tsc);

#endif
