/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "chips.h"
#include "hw/i8259.h"

static struct board b;
static struct i8259 pic;

static void setup(void)
{
	struct irq_pin intr;

	board_init(&b);
	intr = pin(&b, 0);
	cr_assert_eq(i8259_init(&pic, &b.io, &intr), 0);
	outb(&b, 0x20, 0x11);
	outb(&b, 0x21, 0x08);
	outb(&b, 0x21, 0x04);
	outb(&b, 0x21, 0x01);
	outb(&b, 0xa0, 0x11);
	outb(&b, 0xa1, 0x70);
	outb(&b, 0xa1, 0x02);
	outb(&b, 0xa1, 0x01);
}

static void pulse(int n)
{
	i8259_set_irq(&pic, n, 1);
	i8259_set_irq(&pic, n, 0);
}

TestSuite(i8259, .init = setup);

Test(i8259, masked_after_power_on)
{
	struct i8259 fresh;

	board_init(&b);
	cr_assert_eq(i8259_init(&fresh, &b.io, NULL), 0);
	i8259_set_irq(&fresh, 0, 1);
	cr_assert_not(fresh.out);
	cr_assert_eq(inb(&b, 0x21), 0xff);
}

Test(i8259, delivers_and_needs_eoi)
{
	pulse(1);
	cr_assert_eq(b.wire[0].level, 1);
	cr_assert_eq(i8259_ack(&pic), 0x09);
	cr_assert_eq(b.wire[0].level, 0);
	pulse(1);
	pulse(3);
	cr_assert_eq(b.wire[0].level, 0);
	pulse(0);
	cr_assert_eq(i8259_ack(&pic), 0x08);
	outb(&b, 0x20, 0x20);
	cr_assert_eq(b.wire[0].level, 0, "IRQ 1 is still in service");
	outb(&b, 0x20, 0x20);
	cr_assert_eq(i8259_ack(&pic), 0x09);
	outb(&b, 0x20, 0x61);
	cr_assert_eq(i8259_ack(&pic), 0x0b);
	outb(&b, 0x20, 0x0b);
	cr_assert_eq(inb(&b, 0x20), 0x08);
	outb(&b, 0x20, 0x0a);
	cr_assert_eq(inb(&b, 0x20), 0x00);
}

Test(i8259, cascades)
{
	pulse(12);
	cr_assert_eq(inb(&b, 0x20), 0x04);
	cr_assert_eq(i8259_ack(&pic), 0x74);
	cr_assert_eq(b.wire[0].level, 0);
	/* The slave has a more urgent one, but the master's IR2 is in service. */
	pulse(8);
	cr_assert_eq(b.wire[0].level, 0);
	outb(&b, 0x20, 0x20);
	cr_assert_eq(i8259_ack(&pic), 0x70);
	outb(&b, 0xa0, 0x20);
	outb(&b, 0xa0, 0x20);
	outb(&b, 0x20, 0x20);
	cr_assert_eq(b.wire[0].level, 0);
}

Test(i8259, special_fully_nested)
{
	outb(&b, 0x20, 0x11);
	outb(&b, 0x21, 0x08);
	outb(&b, 0x21, 0x04);
	outb(&b, 0x21, 0x11);
	pulse(12);
	cr_assert_eq(i8259_ack(&pic), 0x74);
	pulse(8);
	cr_assert_eq(b.wire[0].level, 1);
	cr_assert_eq(i8259_ack(&pic), 0x70);
}

Test(i8259, spurious)
{
	cr_assert_eq(i8259_ack(&pic), 0x0f);
	outb(&b, 0x20, 0x0b);
	cr_assert_eq(inb(&b, 0x20), 0x00, "no ISR bit for a spurious interrupt");
	outb(&b, 0x4d0, 0x20);
	i8259_set_irq(&pic, 5, 1);
	cr_assert_eq(b.wire[0].level, 1);
	i8259_set_irq(&pic, 5, 0);
	cr_assert_eq(b.wire[0].level, 0);
	cr_assert_eq(i8259_ack(&pic), 0x0f);
}

Test(i8259, level_triggered_comes_again)
{
	outb(&b, 0x4d1, 0xff);
	cr_assert_eq(inb(&b, 0x4d1), 0xde);
	i8259_set_irq(&pic, 11, 1);
	cr_assert_eq(i8259_ack(&pic), 0x73);
	outb(&b, 0xa0, 0x20);
	outb(&b, 0x20, 0x20);
	cr_assert_eq(b.wire[0].level, 1);
	cr_assert_eq(i8259_ack(&pic), 0x73);
	i8259_set_irq(&pic, 11, 0);
	outb(&b, 0xa0, 0x20);
	outb(&b, 0x20, 0x20);
	cr_assert_eq(b.wire[0].level, 0);
}

Test(i8259, masking)
{
	outb(&b, 0x21, 0x02);
	pulse(1);
	cr_assert_eq(b.wire[0].level, 0);
	outb(&b, 0x21, 0x00);
	cr_assert_eq(b.wire[0].level, 1, "the edge waited in IRR");
}

Test(i8259, rotation)
{
	outb(&b, 0x20, 0xc3); /* IR3 lowest: IR4 is the most urgent */
	pulse(0);
	pulse(4);
	cr_assert_eq(i8259_ack(&pic), 0x0c);
	outb(&b, 0x20, 0xa0); /* rotate on EOI: IR4 lowest */
	pulse(4);
	pulse(5);
	cr_assert_eq(i8259_ack(&pic), 0x0d);
	outb(&b, 0x20, 0x20);
	cr_assert_eq(i8259_ack(&pic), 0x08);
}

Test(i8259, special_mask_lets_lower_ones_in)
{
	pulse(1);
	cr_assert_eq(i8259_ack(&pic), 0x09);
	outb(&b, 0x20, 0x68);
	outb(&b, 0x21, 0x02);
	pulse(6);
	cr_assert_eq(b.wire[0].level, 1);
	cr_assert_eq(i8259_ack(&pic), 0x0e);
}

Test(i8259, auto_eoi)
{
	outb(&b, 0x20, 0x11);
	outb(&b, 0x21, 0x08);
	outb(&b, 0x21, 0x04);
	outb(&b, 0x21, 0x03);
	pulse(1);
	cr_assert_eq(i8259_ack(&pic), 0x09);
	pulse(1);
	cr_assert_eq(i8259_ack(&pic), 0x09);
	outb(&b, 0x20, 0x0b);
	cr_assert_eq(inb(&b, 0x20), 0x00);
}

Test(i8259, poll)
{
	pulse(3);
	outb(&b, 0x20, 0x0c);
	cr_assert_eq(inb(&b, 0x20), 0x83);
	cr_assert_eq(b.wire[0].level, 0);
	outb(&b, 0x20, 0x20);
	outb(&b, 0x20, 0x0c);
	cr_assert_eq(inb(&b, 0x20), 0x00);
}
