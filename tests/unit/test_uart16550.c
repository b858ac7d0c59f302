/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "chips.h"
#include "hw/chardev.h"
#include "hw/uart16550.h"

static struct board b;
static struct uart16550 u;
static struct chardev chr;
static char out[64];
static size_t out_len;
static int accepted;

static size_t sink(struct chardev *c, const uint8_t *buf, size_t len)
{
	(void)c;
	for (size_t i = 0; i < len && out_len < sizeof(out) - 1; i++)
		out[out_len++] = buf[i];
	return len;
}

static void accept(struct chardev *c)
{
	(void)c;
	accepted++;
}

static void setup(void)
{
	struct irq_pin irq;

	board_init(&b);
	irq = pin(&b, 4);
	memset(&chr, 0, sizeof(chr));
	memset(out, 0, sizeof(out));
	out_len = 0;
	accepted = 0;
	chr.write = sink;
	chr.accept_input = accept;
	cr_assert_eq(uart16550_init(&u, &b.io, 0x3f8, &b.clock, &irq, &chr), 0);
}

static uint8_t rd(int r)
{
	return inb(&b, 0x3f8 + r);
}
static void wr(int r, uint8_t v)
{
	outb(&b, 0x3f8 + r, v);
}
static size_t type(const char *s)
{
	size_t n = chr.can_receive(chr.dev), len = strlen(s);

	n = n < len ? n : len;
	chr.receive(chr.dev, (const uint8_t *)s, n);
	return n;
}

TestSuite(uart, .init = setup);

Test(uart, power_on)
{
	cr_assert_eq(rd(5), 0x60);
	cr_assert_eq(rd(2), 0x01);
	cr_assert_eq(rd(6), 0xb0);
	wr(7, 0x5a);
	cr_assert_eq(rd(7), 0x5a);
	wr(3, 0x80);
	wr(0, 0x01);
	wr(1, 0x02);
	cr_assert_eq(rd(0), 1);
	cr_assert_eq(rd(1), 2);
	wr(3, 0x03);
	cr_assert_eq(rd(1), 0);
	wr(1, 0xff);
	cr_assert_eq(rd(1), 0x0f);
	cr_assert_str_eq(u.dev.name, "uart3f8");
}

Test(uart, transmits_and_interrupts)
{
	wr(1, 2);
	cr_assert_eq(b.wire[4].level, 1);
	cr_assert_eq(rd(2), 0x02);
	cr_assert_eq(b.wire[4].level, 0, "reading IIR clears THRE");
	cr_assert_eq(rd(2), 0x01);
	wr(0, 'h');
	cr_assert_eq(b.wire[4].rises, 2);
	wr(0, 'i');
	cr_assert_eq(b.wire[4].rises, 3, "every byte is an edge");
	cr_assert_str_eq(out, "hi");
	cr_assert_eq(rd(5) & 0x60, 0x60);
	/* Linux tests whether enabling it again raises it again. */
	rd(2);
	wr(1, 0);
	wr(1, 2);
	cr_assert_eq(rd(2), 0x02);
}

Test(uart, receives_without_fifo)
{
	wr(1, 1);
	cr_assert_eq(type("ab"), 1);
	cr_assert_eq(b.wire[4].level, 1);
	cr_assert_eq(rd(2), 0x04);
	cr_assert_eq(rd(5), 0x61);
	cr_assert_eq(rd(0), 'a');
	cr_assert_eq(accepted, 1);
	cr_assert_eq(b.wire[4].level, 0);
	cr_assert_eq(rd(5), 0x60);
}

Test(uart, fifo_trigger_and_timeout)
{
	wr(3, 0x03);
	wr(2, 0x81); /* FIFO on, trigger at 8 */
	cr_assert_eq(rd(2), 0xc1);
	wr(1, 1);
	cr_assert_eq(type("1234567"), 7);
	cr_assert_eq(b.wire[4].level, 0);
	clock_step(&b.clock, 4 * 10 * NSEC_PER_SEC / 9600 - 1000);
	cr_assert_eq(b.wire[4].level, 0);
	clock_step(&b.clock, 2000);
	cr_assert_eq(b.wire[4].level, 1);
	cr_assert_eq(rd(2), 0xcc);
	cr_assert_eq(rd(0), '1');
	cr_assert_eq(b.wire[4].level, 0);
	cr_assert_eq(type("89abcdefghij"), 10);
	cr_assert_eq(rd(2), 0xc4);
	cr_assert_eq(chr.can_receive(chr.dev), 0);
	for (const char *p = "23456789abcdefgh"; *p; p++)
		cr_assert_eq(rd(0), *p);
	cr_assert_eq(rd(5), 0x60);
	cr_assert_eq(rd(2), 0xc1);
	type("x");
	wr(2, 0x83);
	cr_assert_eq(rd(5), 0x60);
}

Test(uart, priorities_and_line_status)
{
	wr(1, 0x0f);
	uart16550_break(&u);
	cr_assert_eq(rd(2), 0x06);
	cr_assert_eq(rd(5), 0x71);
	cr_assert_eq(rd(2), 0x04);
	rd(0);
	cr_assert_eq(rd(2), 0x02);
	cr_assert_eq(rd(2), 0x01);
}

Test(uart, loopback)
{
	wr(1, 0x0d);
	wr(4, 0x10);
	cr_assert_eq(rd(6), 0x0b, "CTS, DSR and DCD went away");
	cr_assert_eq(rd(6), 0x00);
	wr(4, 0x1a); /* RTS and OUT2, as Linux tests for */
	cr_assert_eq(rd(2), 0x00);
	cr_assert_eq(rd(6) & 0xf0, 0x90);
	wr(4, 0x14);
	rd(6);
	wr(4, 0x10);
	cr_assert_eq(rd(6) & 0x04, 0x04, "trailing edge of RI");
	cr_assert_eq(type("x"), 0);
	wr(0, 'L');
	cr_assert_eq(out_len, 0);
	cr_assert_eq(rd(2), 0x04);
	wr(0, 'M');
	cr_assert_eq(rd(5) & 0x02, 0x02, "overrun");
	cr_assert_eq(rd(0), 'M');
	accepted = 0;
	wr(4, 0x0b);
	cr_assert_eq(accepted, 1);
}

Test(uart, survives_anything)
{
	uint32_t x = 1;

	for (int i = 0; i < 20000; i++) {
		x = x * 1664525 + 1013904223;
		if (x >> 31)
			wr(x >> 28 & 7, x >> 8);
		else
			rd(x >> 28 & 7);
		type("abc");
		if (!(i & 63))
			clock_step(&b.clock, 1000000);
	}
}
