/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "chips.h"
#include "hw/lapic.h"

#define CPUS   4
#define TSC_HZ 2000000000ull

enum {
	ID = 0x20,
	VER = 0x30,
	TPR = 0x80,
	PPR = 0xa0,
	EOI = 0xb0,
	LDR = 0xd0,
	DFR = 0xe0,
	SVR = 0xf0,
	ISR = 0x100,
	TMR = 0x180,
	IRR = 0x200,
	ESR = 0x280,
	ICR = 0x300,
	ICR2 = 0x310,
	TIMER = 0x320,
	LINT0 = 0x350,
	LINT1 = 0x360,
	ERR = 0x370,
	INIT = 0x380,
	CUR = 0x390,
	DIV = 0x3e0
};

static struct board b;
static struct lapic_bus bus;
static struct lapic l[CPUS];
static int intr[CPUS], nmis[CPUS], inits[CPUS], sipis[CPUS], eois, acks;
static uint8_t sipi_vector, eoi_vector;

static void on_intr(void *opaque, unsigned cpu, bool level)
{
	(void)opaque;
	intr[cpu] = level;
}
static void on_nmi(void *opaque, unsigned cpu)
{
	(void)opaque;
	nmis[cpu]++;
}
static void on_init(void *opaque, unsigned cpu)
{
	(void)opaque;
	inits[cpu]++;
}
static void on_sipi(void *opaque, unsigned cpu, uint8_t vector)
{
	(void)opaque;
	sipis[cpu]++;
	sipi_vector = vector;
}
static int on_ack(void *opaque)
{
	acks++;
	lapic_bus_set_lint(opaque, 0, 0);
	return 0x77;
}
static void on_eoi(void *opaque, uint8_t vector)
{
	(void)opaque;
	eois++;
	eoi_vector = vector;
}

static const struct lapic_ops ops = {
    .intr = on_intr,
    .nmi = on_nmi,
    .init = on_init,
    .sipi = on_sipi,
    .extint_ack = on_ack,
    .eoi = on_eoi,
};

static uint32_t rd(int cpu, uint32_t off)
{
	return lapic_read(&l[cpu], off, 4);
}
static void wr(int cpu, uint32_t off, uint32_t v)
{
	lapic_write(&l[cpu], off, v, 4);
}

static void setup(void)
{
	struct lapic_config cfg = {
	    .tsc_hz = TSC_HZ, .maxphyaddr = 40, .x2apic = true, .tsc_deadline = true};

	board_init(&b);
	lapic_bus_init(&bus, &b.clock, &cfg, &ops, &bus);
	eois = acks = 0;
	for (int i = 0; i < CPUS; i++) {
		cr_assert_eq(lapic_init(&l[i], &bus, i), 0);
		intr[i] = nmis[i] = inits[i] = sipis[i] = 0;
		wr(i, SVR, 0x1ff);
		wr(i, LDR, 1u << (24 + i));
	}
}

static bool pending(int cpu, uint8_t v)
{
	return rd(cpu, IRR + (v >> 5) * 16) >> (v & 31) & 1;
}

static void ipi(int cpu, uint8_t dest, uint32_t icr)
{
	wr(cpu, ICR2, (uint32_t)dest << 24);
	wr(cpu, ICR, icr);
}

static void enter_x2(int cpu)
{
	uint64_t base;

	cr_assert_eq(lapic_msr_read(&l[cpu], 0x1b, &base), 0);
	cr_assert_eq(lapic_msr_write(&l[cpu], 0x1b, base | 1 << 10), 0);
}

static uint64_t rdmsr(int cpu, uint32_t msr)
{
	uint64_t v;

	cr_assert_eq(lapic_msr_read(&l[cpu], msr, &v), 0, "rdmsr %x", msr);
	return v;
}

TestSuite(lapic, .init = setup);

Test(lapic, power_on_values)
{
	device_reset(&l[1].dev);
	cr_assert_eq(rd(1, ID), 0x01000000);
	cr_assert_eq(rd(1, VER), 0x00050014);
	cr_assert_eq(rd(1, SVR), 0xff);
	cr_assert_eq(rd(1, DFR), 0xffffffff);
	cr_assert_eq(rd(1, LDR), 0);
	cr_assert_eq(rd(1, TIMER), 0x10000);
	cr_assert_eq(rd(1, ERR), 0x10000);
	wr(1, LINT0, 0x700);
	cr_assert_eq(rd(1, LINT0), 0x10700, "software-disabled: masks stick");
	cr_assert_eq(rdmsr(0, 0x1b), 0xfee00900);
	cr_assert_eq(rdmsr(1, 0x1b), 0xfee00800);
}

Test(lapic, priorities)
{
	ipi(0, 1, 0x4051);
	ipi(0, 1, 0x4041);
	cr_assert_eq(intr[1], 1);
	cr_assert_eq(lapic_ack(&l[1]), 0x51);
	cr_assert_eq(intr[1], 0);
	cr_assert_eq(rd(1, PPR), 0x50);
	cr_assert_eq(lapic_ack(&l[1]), -1);
	wr(1, EOI, 0);
	cr_assert_eq(intr[1], 1);
	lapic_cr8_write(&l[1], 4);
	cr_assert_eq(rd(1, TPR), 0x40);
	cr_assert_eq(intr[1], 0);
	lapic_cr8_write(&l[1], 3);
	cr_assert_eq(intr[1], 1);
	cr_assert_eq(lapic_ack(&l[1]), 0x41);
	wr(1, EOI, 0);
	cr_assert_eq(rd(1, PPR), 0x30);
	cr_assert_eq(eois, 0, "edge: nothing for the I/O APIC");
}

Test(lapic, level_interrupts_broadcast_eoi)
{
	lapic_bus_msi(&bus, 0xfee02000, 0xc061);
	cr_assert_eq(rd(2, TMR + 0x30), 2);
	cr_assert_eq(lapic_ack(&l[2]), 0x61);
	wr(2, EOI, 0);
	cr_assert_eq(eois, 1);
	cr_assert_eq(eoi_vector, 0x61);
}

Test(lapic, destinations)
{
	ipi(0, 0xff, 0x4040);
	for (int i = 0; i < CPUS; i++)
		cr_assert(pending(i, 0x40));
	ipi(0, 0, 0x84041); /* all with self */
	for (int i = 0; i < CPUS; i++)
		cr_assert(pending(i, 0x41));
	ipi(2, 0, 0xc4042); /* all but self */
	for (int i = 0; i < CPUS; i++)
		cr_assert_eq(pending(i, 0x42), i != 2);
	ipi(3, 0, 0x44043); /* self */
	for (int i = 0; i < CPUS; i++)
		cr_assert_eq(pending(i, 0x43), i == 3);
	ipi(0, 0x0a, 0x4844); /* flat logical */
	for (int i = 0; i < CPUS; i++)
		cr_assert_eq(pending(i, 0x44), i == 1 || i == 3);
	for (int i = 0; i < CPUS; i++) {
		wr(i, DFR, 0x0fffffff);
		wr(i, LDR, (uint32_t)((i / 2) << 4 | 1 << (i % 2)) << 24);
	}
	ipi(0, 0x13, 0x4845); /* cluster 1, members 0 and 1 */
	for (int i = 0; i < CPUS; i++)
		cr_assert_eq(pending(i, 0x45), i >= 2);
}

Test(lapic, lowest_priority)
{
	int got = 0;

	wr(0, TPR, 0x20);
	wr(1, TPR, 0x10);
	wr(2, TPR, 0x20);
	wr(3, TPR, 0x30);
	lapic_bus_msi(&bus, 0xfee0f004, 0x4151);
	for (int i = 0; i < CPUS; i++)
		cr_assert_eq(pending(i, 0x51), i == 1);
	for (int i = 0; i < CPUS; i++)
		wr(i, TPR, 0);
	wr(1, SVR, 0xff); /* disabled ones are passed over */
	for (int v = 0x60; v < 0x6c; v++)
		lapic_bus_msi(&bus, 0xfee0f004, 0x4100 | v);
	for (int i = 0; i < CPUS; i++)
		got += __builtin_popcount(rd(i, IRR + 0x30));
	cr_assert_eq(got, 12);
	cr_assert_eq(rd(1, IRR + 0x30), 0);
	cr_assert_geq(__builtin_popcount(rd(3, IRR + 0x30)), 2);
}

Test(lapic, init_sipi_nmi)
{
	ipi(1, 0, 0x4040);
	ipi(0, 1, 0xc500);
	cr_assert_eq(inits[1], 1);
	cr_assert_eq(rd(1, SVR), 0xff, "INIT resets the local APIC");
	ipi(0, 1, 0x8500);
	cr_assert_eq(inits[1], 1, "de-assertion is ignored");
	ipi(0, 1, 0x4699);
	cr_assert_eq(sipis[1], 1);
	cr_assert_eq(sipi_vector, 0x99);
	ipi(0, 0, 0xc4400);
	cr_assert_eq(nmis[0], 0);
	cr_assert_eq(nmis[1] + nmis[2] + nmis[3], 3);
}

Test(lapic, software_disabled_takes_no_fixed)
{
	wr(1, SVR, 0xff);
	ipi(0, 1, 0x4040);
	cr_assert_not(pending(1, 0x40));
	ipi(0, 1, 0x4400);
	cr_assert_eq(nmis[1], 1);
}

Test(lapic, errors)
{
	wr(0, ERR, 0xe0);
	ipi(0, 1, 0x4005);
	cr_assert(pending(0, 0xe0));
	cr_assert_eq(rd(0, ESR), 0);
	wr(0, ESR, 0);
	cr_assert_eq(rd(0, ESR), 0x20);
	wr(0, ESR, 0);
	cr_assert_eq(rd(0, ESR), 0);
	lapic_bus_msi(&bus, 0xfee01000, 0x4003);
	wr(1, ESR, 0);
	cr_assert_eq(rd(1, ESR), 0x40);
	rd(1, 0x3d0);
	wr(1, ESR, 0);
	cr_assert_eq(rd(1, ESR), 0x80);
	wr(1, ERR, 0x05); /* an illegal error vector must not recurse */
	ipi(1, 0, 0x4001);
	wr(1, ESR, 0);
	cr_assert_eq(rd(1, ESR), 0x60);
}

Test(lapic, extint_passes_the_pic_through)
{
	lapic_bus_set_lint(&bus, 0, 1);
	cr_assert_eq(intr[0], 0);
	wr(0, LINT0, 0x700);
	cr_assert_eq(intr[0], 1);
	cr_assert_eq(intr[1], 0);
	cr_assert_eq(lapic_ack(&l[0]), 0x77);
	cr_assert_eq(intr[0], 0);
	cr_assert_eq(lapic_ack(&l[0]), -1);
	cr_assert_eq(acks, 1);
	/* Globally disabled, the pin is INTR itself. */
	cr_assert_eq(lapic_msr_write(&l[0], 0x1b, 0xfee00100), 0);
	lapic_bus_set_lint(&bus, 0, 1);
	cr_assert_eq(intr[0], 1);
	cr_assert_eq(lapic_ack(&l[0]), 0x77);
	lapic_bus_set_lint(&bus, 1, 1);
	cr_assert_eq(nmis[0], 1);
	cr_assert_eq(rd(0, ID), 0xffffffff);
}

Test(lapic, lint_modes)
{
	wr(0, LINT1, 0x400);
	lapic_bus_set_lint(&bus, 1, 1);
	lapic_bus_set_lint(&bus, 1, 1);
	cr_assert_eq(nmis[0], 1);
	wr(0, LINT0, 0x8050); /* fixed, level */
	lapic_bus_set_lint(&bus, 0, 1);
	cr_assert_eq(rd(0, LINT0), 0xc050);
	cr_assert_eq(lapic_ack(&l[0]), 0x50);
	wr(0, EOI, 0);
	cr_assert_eq(lapic_ack(&l[0]), 0x50, "asserted still");
	lapic_bus_set_lint(&bus, 0, 0);
	wr(0, EOI, 0);
	cr_assert_eq(lapic_ack(&l[0]), -1);
	cr_assert_eq(rd(0, LINT0), 0x8050);
}

Test(lapic, one_shot_timer)
{
	wr(0, DIV, 0xb); /* by 1 */
	wr(0, TIMER, 0xef);
	wr(0, INIT, 1000);
	clock_step(&b.clock, 400);
	cr_assert_eq(rd(0, CUR), 600);
	clock_step(&b.clock, 599);
	cr_assert_eq(intr[0], 0);
	clock_step(&b.clock, 1);
	cr_assert_eq(intr[0], 1);
	cr_assert_eq(rd(0, CUR), 0);
	cr_assert_eq(lapic_ack(&l[0]), 0xef);
	wr(0, EOI, 0);
	clock_step(&b.clock, 5000);
	cr_assert_eq(intr[0], 0);
	wr(0, INIT, 1000);
	wr(0, INIT, 0);
	clock_step(&b.clock, 5000);
	cr_assert_eq(intr[0], 0);
}

Test(lapic, periodic_timer_and_divider)
{
	int n = 0;

	wr(0, DIV, 0x3); /* by 16 */
	wr(0, TIMER, 0x200ef);
	wr(0, INIT, 100);
	for (int i = 0; i < 16 * 1000; i += 100) {
		clock_step(&b.clock, 100);
		if (intr[0]) {
			cr_assert_eq(lapic_ack(&l[0]), 0xef);
			wr(0, EOI, 0);
			n++;
		}
	}
	cr_assert_eq(n, 10);
	clock_step(&b.clock, 800);
	cr_assert_eq(rd(0, CUR), 50);
	wr(0, DIV, 0xb); /* the count goes on, faster */
	cr_assert_eq(rd(0, CUR), 50);
	clock_step(&b.clock, 49);
	cr_assert_eq(intr[0], 0);
	clock_step(&b.clock, 1);
	cr_assert_eq(intr[0], 1);
	wr(0, TIMER, 0x300ef); /* masked: it counts, silently */
	lapic_ack(&l[0]);
	wr(0, EOI, 0);
	clock_step(&b.clock, 1000);
	cr_assert_eq(intr[0], 0);
	cr_assert_neq(rd(0, CUR), 0);
}

Test(lapic, shortest_period_terminates)
{
	wr(0, DIV, 0xb);
	wr(0, TIMER, 0x200ef);
	wr(0, INIT, 1);
	clock_step(&b.clock, 1000);
	cr_assert_eq(intr[0], 1);
}

Test(lapic, tsc_deadline)
{
	clock_step(&b.clock, 1000);
	cr_assert_eq(lapic_msr_write(&l[0], 0x6e0, 5000), 0);
	cr_assert_eq(rdmsr(0, 0x6e0), 0, "another mode: ignored");
	wr(0, TIMER, 0x400ef);
	cr_assert_eq(lapic_msr_write(&l[0], 0x6e0, 5000), 0);
	cr_assert_eq(rdmsr(0, 0x6e0), 5000);
	wr(0, INIT, 10);
	cr_assert_eq(rd(0, CUR), 0);
	clock_step(&b.clock, 1498);
	cr_assert_eq(intr[0], 0);
	clock_step(&b.clock, 3);
	cr_assert_eq(intr[0], 1);
	cr_assert_eq(rdmsr(0, 0x6e0), 0);
	lapic_ack(&l[0]);
	wr(0, EOI, 0);
	/* In the past: at once. */
	cr_assert_eq(lapic_msr_write(&l[0], 0x6e0, 1), 0);
	cr_assert_eq(intr[0], 1);
	lapic_ack(&l[0]);
	wr(0, EOI, 0);
	/* The guest's TSC is ahead by 10000. */
	lapic_set_tsc_offset(&l[0], 10000);
	cr_assert_eq(lapic_msr_write(&l[0], 0x6e0, lapic_bus_tsc(&bus) + 10000 + 2000), 0);
	clock_step(&b.clock, 990);
	cr_assert_eq(intr[0], 0);
	clock_step(&b.clock, 12);
	cr_assert_eq(intr[0], 1);
	lapic_ack(&l[0]);
	wr(0, EOI, 0);
	cr_assert_eq(lapic_msr_write(&l[0], 0x6e0, UINT64_MAX), 0);
	clock_step(&b.clock, NSEC_PER_SEC);
	cr_assert_eq(intr[0], 0);
	cr_assert_eq(lapic_msr_write(&l[0], 0x6e0, lapic_bus_tsc(&bus) + 10000 + 100), 0);
	cr_assert_eq(lapic_msr_write(&l[0], 0x6e0, 0), 0);
	clock_step(&b.clock, 10000);
	cr_assert_eq(intr[0], 0);
	/* The machine's TSC was moved on, and never goes back. */
	uint64_t tsc = lapic_bus_tsc(&bus) + 7000;
	lapic_bus_tsc_at_least(&bus, tsc);
	cr_assert_eq(lapic_bus_tsc(&bus), tsc);
	lapic_bus_tsc_at_least(&bus, tsc - 1);
	cr_assert_eq(lapic_bus_tsc(&bus), tsc);
	cr_assert_eq(lapic_msr_write(&l[0], 0x6e0, tsc + 10000 + 2000), 0);
	clock_step(&b.clock, 990);
	cr_assert_eq(intr[0], 0);
	clock_step(&b.clock, 12);
	cr_assert_eq(intr[0], 1);
}

Test(lapic, x2apic_transitions)
{
	uint64_t v;

	cr_assert_eq(lapic_msr_read(&l[1], 0x802, &v), -1);
	enter_x2(1);
	cr_assert_eq(rdmsr(1, 0x802), 1);
	cr_assert_eq(rdmsr(1, 0x80d), 2);
	cr_assert_eq(lapic_msr_write(&l[1], 0x1b, 0xfee00800), -1, "back to xAPIC");
	cr_assert_eq(lapic_msr_write(&l[1], 0x1b, 0xfee00400), -1);
	cr_assert_eq(lapic_msr_write(&l[1], 0x1b, 0xfee00000), 0);
	cr_assert_eq(lapic_msr_write(&l[1], 0x1b, 0xfee00c00), -1, "disabled to x2APIC");
	cr_assert_eq(lapic_msr_write(&l[1], 0x1b, 0xfee00800), 0);
	cr_assert_eq(rd(1, SVR), 0xff);
	cr_assert_eq(lapic_msr_write(&l[1], 0x1b, 0xfee00801), -1);
	cr_assert_eq(lapic_msr_write(&l[1], 0x1b, 1ull << 40 | 0xfee00800), -1);
	bus.cfg.x2apic = false;
	cr_assert_eq(lapic_msr_write(&l[1], 0x1b, 0xfee00c00), -1);
}

Test(lapic, x2apic_registers)
{
	uint64_t v;

	for (int i = 0; i < CPUS; i++)
		enter_x2(i);
	cr_assert_eq(lapic_msr_write(&l[0], 0x830, 2ull << 32 | 0x4051), 0);
	cr_assert_eq(rdmsr(0, 0x830), 2ull << 32 | 0x4051);
	cr_assert_eq(intr[2], 1);
	cr_assert_eq(lapic_ack(&l[2]), 0x51);
	cr_assert_eq(rdmsr(2, 0x812), 1 << 17);
	cr_assert_eq(lapic_msr_write(&l[2], 0x80b, 1), -1);
	cr_assert_eq(lapic_msr_write(&l[2], 0x80b, 0), 0);
	cr_assert_eq(lapic_msr_write(&l[0], 0x83f, 0x60), 0);
	cr_assert_eq(lapic_ack(&l[0]), 0x60);
	/* logical: cluster 0, members 1 and 3 */
	cr_assert_eq(lapic_msr_write(&l[0], 0x830, 0x0aull << 32 | 0x4871), 0);
	cr_assert_eq(intr[1] + 2 * intr[2] + 4 * intr[3], 5);
	cr_assert_eq(lapic_msr_write(&l[0], 0x830, 0xffffffffull << 32 | 0x4881), 0);
	cr_assert_eq(intr[2], 1);
	for (uint32_t msr = 0x800; msr < 0x900; msr++) {
		bool ro = msr == 0x802 || msr == 0x803 || msr == 0x80a || msr == 0x80d ||
			  (msr >= 0x810 && msr <= 0x827) || msr == 0x839;
		bool rw = msr == 0x808 || msr == 0x80f || msr == 0x828 || msr == 0x830 ||
			  (msr >= 0x832 && msr <= 0x838) || msr == 0x83e;
		bool wo = msr == 0x80b || msr == 0x83f;

		cr_assert_eq(lapic_msr_read(&l[3], msr, &v), ro || rw ? 0 : -1, "read %x", msr);
		if (msr != 0x830)
			cr_assert_eq(lapic_msr_write(&l[3], msr, 0), rw || wo ? 0 : -1, "write %x",
				     msr);
		cr_assert_eq(lapic_msr_write(&l[3], msr, 1ull << 63), msr == 0x830 ? 0 : -1,
			     "write high %x", msr);
	}
	cr_assert_eq(lapic_msr_write(&l[0], 0x808, 0x100), -1);
	cr_assert_eq(lapic_msr_write(&l[0], 0x832, 1 << 13), -1);
}

Test(lapic, odd_accesses)
{
	cr_assert_eq(lapic_read(&l[1], ID, 8), 0x01000000);
	cr_assert_eq(lapic_read(&l[1], ID + 3, 1), 0x01);
	cr_assert_eq(lapic_read(&l[1], ID + 4, 4), 0);
	lapic_write(&l[1], TPR + 4, 0xff, 4);
	cr_assert_eq(rd(1, TPR), 0);
	for (uint32_t off = 0; off < 0x1000; off++) {
		lapic_read(&l[1], off, 4);
		lapic_write(&l[1], off, 0xffffffff, 4);
	}
	cr_assert_eq(lapic_init(&l[1], &bus, 1), -22);
}
