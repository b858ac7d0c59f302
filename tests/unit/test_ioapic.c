/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "chips.h"
#include "hw/ioapic.h"

#define BASE 0xfec00000

static struct board b;
static struct ioapic io;
static uint64_t last_addr;
static uint32_t last_data;
static int msgs;

static void msg(void *opaque, uint64_t addr, uint32_t data)
{
	cr_assert_eq(opaque, &io);
	last_addr = addr;
	last_data = data;
	msgs++;
}

static void setup(void)
{
	board_init(&b);
	msgs = 0;
	cr_assert_eq(ioapic_init(&io, &b.mem, BASE, 2, msg, &io), 0);
}

static uint32_t rd(unsigned reg)
{
	wr32(&b, BASE, reg);
	return rd32(&b, BASE + 0x10);
}

static void wr(unsigned reg, uint32_t v)
{
	wr32(&b, BASE, reg);
	wr32(&b, BASE + 0x10, v);
}

TestSuite(ioapic, .init = setup);

Test(ioapic, registers)
{
	cr_assert_eq(rd(0), 0x02000000);
	cr_assert_eq(rd(1), 0x00170020);
	cr_assert_eq(rd(0x10), 0x00010000);
	wr(0x10, 0xffffffff);
	cr_assert_eq(rd(0x10), 0x0001afff, "status bits are read only");
	wr(0x11, 0xffffffff);
	cr_assert_eq(rd(0x11), 0xff000000);
	cr_assert_eq(rd(0x40), 0);
	device_reset(&io.dev);
	cr_assert_eq(rd(0x10), 0x00010000);
	cr_assert_eq(rd(0), 0x02000000);
}

Test(ioapic, edge)
{
	wr(0x14, 0x00000931 | 1 << 11); /* lowest priority, logical */
	wr(0x15, 0x0f000000);
	ioapic_set_irq(&io, 2, 1);
	cr_assert_eq(msgs, 1);
	cr_assert_eq(last_addr, 0xfee0f004);
	cr_assert_eq(last_data, 0x4131);
	ioapic_set_irq(&io, 2, 1);
	cr_assert_eq(msgs, 1);
	ioapic_set_irq(&io, 2, 0);
	ioapic_set_irq(&io, 2, 1);
	cr_assert_eq(msgs, 2);
}

Test(ioapic, edges_while_masked_are_lost)
{
	wr(0x14, 0x00010031);
	ioapic_set_irq(&io, 2, 1);
	wr(0x14, 0x00000031);
	cr_assert_eq(msgs, 0);
}

Test(ioapic, level_waits_for_eoi)
{
	wr(0x30, 0x0000a041); /* active low changes nothing here */
	ioapic_set_irq(&io, 16, 1);
	cr_assert_eq(msgs, 1);
	cr_assert_eq(last_data, 0xc041);
	cr_assert_eq(rd(0x30), 0x0000e041);
	ioapic_eoi(&io, 0x42);
	cr_assert_eq(msgs, 1);
	ioapic_eoi(&io, 0x41);
	cr_assert_eq(msgs, 2, "still asserted");
	ioapic_set_irq(&io, 16, 0);
	wr32(&b, BASE + 0x40, 0x41);
	cr_assert_eq(msgs, 2);
	cr_assert_eq(rd(0x30), 0x0000a041);
}

Test(ioapic, level_is_seen_at_unmask)
{
	wr(0x30, 0x00018041);
	ioapic_set_irq(&io, 16, 1);
	cr_assert_eq(msgs, 0);
	wr(0x30, 0x00008041);
	cr_assert_eq(msgs, 1);
	wr(0x30, 0x00010041); /* the way out of a stuck remote IRR */
	wr(0x30, 0x00008041);
	cr_assert_eq(msgs, 2);
}

Test(ioapic, nonsense)
{
	ioapic_set_irq(&io, -1, 1);
	ioapic_set_irq(&io, 24, 1);
	wr(0xff, 1);
	cr_assert_eq(rd(0xff), 0);
	cr_assert_eq(rd32(&b, BASE + 0xff0), 0);
	wr32(&b, BASE + 0xff0, 1);
}
