/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "chips.h"
#include "hw/acpi_pm.h"

#define PM  0x600
#define GPE 0x620

static struct board b;
static struct acpi_pm pm;
static int slept;

static void on_sleep(void *opaque, uint8_t typ)
{
	cr_assert_eq(opaque, &slept);
	slept = typ + 1;
}

static void setup(void)
{
	struct irq_pin sci;

	board_init(&b);
	slept = 0;
	sci = pin(&b, 9);
	cr_assert_eq(acpi_pm_init(&pm, &b.io, PM, GPE, &b.clock, &sci, on_sleep, &slept), 0);
}

TestSuite(acpi, .init = setup);

Test(acpi, timer_runs_at_3_58_mhz_in_24_bits)
{
	clock_step(&b.clock, NSEC_PER_SEC);
	cr_assert_eq(inl(&b, PM + 8), 3579545);
	clock_step(&b.clock, 9 * NSEC_PER_SEC);
	cr_assert_eq(inl(&b, PM + 8), 35795450 & 0xffffff);
	pm.timer_bits = 32;
	cr_assert_eq(inl(&b, PM + 8), 35795450);
	cr_assert_eq(inw(&b, PM + 10), 35795450 >> 16);
}

Test(acpi, enable_and_disable)
{
	cr_assert_eq(inw(&b, PM + 4) & 1, 0);
	outb(&b, 0xb2, ACPI_ENABLE);
	cr_assert_eq(inw(&b, PM + 4) & 1, 1);
	outw(&b, PM + 4, 0);
	cr_assert_eq(inw(&b, PM + 4) & 1, 1, "SCI_EN is the firmware's");
	outb(&b, 0xb2, ACPI_DISABLE);
	cr_assert_eq(inw(&b, PM + 4) & 1, 0);
	outb(&b, 0xb3, 0x42);
	cr_assert_eq(inb(&b, 0xb3), 0x42);
}

Test(acpi, power_button)
{
	acpi_pm_power_button(&pm);
	outw(&b, PM + 2, 0x100);
	cr_assert_eq(b.wire[9].level, 0, "ACPI is off");
	outb(&b, 0xb2, ACPI_ENABLE);
	cr_assert_eq(b.wire[9].level, 1);
	cr_assert_eq(inw(&b, PM) & 0x100, 0x100);
	outw(&b, PM, 0x001);
	cr_assert_eq(b.wire[9].level, 1);
	outb(&b, PM + 1, 0x01);
	cr_assert_eq(b.wire[9].level, 0);
}

Test(acpi, timer_overflow)
{
	outb(&b, 0xb2, ACPI_ENABLE);
	outw(&b, PM + 2, 0x001);
	clock_step(&b.clock, 2343000000);
	cr_assert_eq(b.wire[9].level, 0);
	clock_step(&b.clock, 1000000);
	cr_assert_eq(b.wire[9].level, 1);
	outw(&b, PM, 1);
	cr_assert_eq(b.wire[9].level, 0);
	clock_step(&b.clock, 2344000000);
	cr_assert_eq(b.wire[9].rises, 2);
}

Test(acpi, sleep)
{
	outw(&b, PM + 4, 5 << 10);
	cr_assert_eq(slept, 0);
	outw(&b, PM + 4, 5 << 10 | 1 << 13);
	cr_assert_eq(slept, 6);
	cr_assert_eq(inw(&b, PM + 4), 5 << 10, "SLP_EN reads as zero");
}

Test(acpi, general_purpose_events)
{
	acpi_pm_enable(&pm);
	acpi_pm_gpe(&pm, 3);
	acpi_pm_gpe(&pm, 16);
	cr_assert_eq(inw(&b, GPE), 8);
	cr_assert_eq(b.wire[9].level, 0);
	outw(&b, GPE + 2, 0x0108);
	cr_assert_eq(inw(&b, GPE + 2), 0x0108);
	cr_assert_eq(b.wire[9].level, 1);
	outb(&b, GPE, 8);
	cr_assert_eq(b.wire[9].level, 0);
}

Test(acpi, wide_and_odd_accesses)
{
	aspace_write(&b.io, PM, 0x01000000, 4); /* status and enable at once */
	cr_assert_eq(inw(&b, PM + 2), 0x100);
	for (int i = 0; i < 16; i++) {
		aspace_write(&b.io, PM + i, 0xdfffdfff, 4);
		aspace_read(&b.io, PM + i, 4);
		aspace_read(&b.io, PM + i, 8);
	}
}
