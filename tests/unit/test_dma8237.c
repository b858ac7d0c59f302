/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "chips.h"
#include "hw/dma8237.h"
#include "hw/port92.h"
#include "hw/reset_port.h"

static struct board b;
static struct dma8237 dma;
static struct ram ram;

static void setup(void)
{
	board_init(&b);
	cr_assert_eq(ram_init(&ram, "ram", 0x100000), 0);
	cr_assert_eq(aspace_map_ram(&b.mem, "ram", 0, ram.size, &ram, 0), 0);
	cr_assert_eq(dma8237_init(&dma, &b.io, &b.mem), 0);
}

static void teardown(void)
{
	ram_fini(&ram);
}

static void program(uint16_t addr, uint8_t page, uint16_t count, uint8_t mode)
{
	outb(&b, 0x0a, 0x06);
	outb(&b, 0x0c, 0);
	outb(&b, 0x0b, mode);
	outb(&b, 0x04, addr);
	outb(&b, 0x04, addr >> 8);
	outb(&b, 0x05, count);
	outb(&b, 0x05, count >> 8);
	outb(&b, 0x81, page);
	outb(&b, 0x0a, 0x02);
}

TestSuite(dma, .init = setup, .fini = teardown);

Test(dma, registers)
{
	outb(&b, 0x0c, 0);
	outb(&b, 0x00, 0x34);
	outb(&b, 0x00, 0x12);
	cr_assert_eq(inb(&b, 0x00), 0x34);
	cr_assert_eq(inb(&b, 0x00), 0x12);
	outb(&b, 0xc0, 0x78);
	outb(&b, 0xc0, 0x56);
	cr_assert_eq(inb(&b, 0xc0), 0x78);
	cr_assert_eq(inb(&b, 0x0f), 0xff);
	outb(&b, 0x0e, 0);
	cr_assert_eq(inb(&b, 0x0f), 0xf0);
	outb(&b, 0x80, 0x99);
	cr_assert_eq(inb(&b, 0x80), 0x99);
	outb(&b, 0x0d, 0);
	cr_assert_eq(inb(&b, 0x0f), 0xff);
}

Test(dma, transfers_to_and_from_memory)
{
	uint8_t buf[600];
	bool tc;

	memset(buf, 0xa5, sizeof(buf));
	program(0x1000, 0x02, 511, 0x46); /* single, write, channel 2 */
	cr_assert_eq(dma8237_transfer(&dma, 2, buf, 100, &tc), 100);
	cr_assert_not(tc);
	cr_assert_eq(dma8237_transfer(&dma, 2, buf, sizeof(buf), &tc), 412);
	cr_assert(tc);
	cr_assert_eq(ram.host[0x21000], 0xa5);
	cr_assert_eq(ram.host[0x211ff], 0xa5);
	cr_assert_eq(ram.host[0x21200], 0);
	cr_assert_eq(inb(&b, 0x08), 0x04);
	cr_assert_eq(inb(&b, 0x08), 0x00);
	cr_assert_eq(dma8237_transfer(&dma, 2, buf, 1, &tc), 0, "masked at terminal count");
	ram.host[0x21000] = 0x11;
	program(0x1000, 0x02, 1, 0x4a);
	cr_assert_eq(dma8237_transfer(&dma, 2, buf, sizeof(buf), &tc), 2);
	cr_assert_eq(buf[0], 0x11);
	cr_assert_eq(buf[1], 0xa5);
}

Test(dma, autoinit_and_wrap)
{
	uint8_t buf[4] = {1, 2, 3, 4};
	bool tc;

	program(0xfffe, 0x01, 3, 0x56);
	cr_assert_eq(dma8237_transfer(&dma, 2, buf, 4, &tc), 4);
	cr_assert(tc);
	cr_assert_eq(ram.host[0x1ffff], 2);
	cr_assert_eq(ram.host[0x10000], 3, "the page does not change");
	cr_assert_eq(dma8237_transfer(&dma, 2, buf, 4, &tc), 4);
}

Test(dma, words)
{
	uint8_t buf[4] = {1, 2, 3, 4};
	bool tc;

	outb(&b, 0xd8, 0);
	outb(&b, 0xd6, 0x45);
	outb(&b, 0xc4, 0x00);
	outb(&b, 0xc4, 0x10);
	outb(&b, 0xc6, 1);
	outb(&b, 0xc6, 0);
	outb(&b, 0x8b, 0x03);
	outb(&b, 0xd4, 1);
	cr_assert_eq(dma8237_transfer(&dma, 5, buf, 4, &tc), 4);
	cr_assert(tc);
	cr_assert_eq(memcmp(ram.host + 0x22000, buf, 4), 0);
	cr_assert_eq(dma8237_transfer(&dma, 9, buf, 4, &tc), 0);
}

Test(ports, port92)
{
	struct port92 p;
	struct irq_pin a20, reset;

	board_init(&b);
	a20 = pin(&b, 0);
	reset = pin(&b, 1);
	cr_assert_eq(port92_init(&p, &b.io, &a20, &reset), 0);
	device_reset(&p.dev);
	cr_assert_eq(b.wire[0].level, 1);
	outb(&b, 0x92, inb(&b, 0x92) & ~2);
	cr_assert_eq(b.wire[0].level, 0);
	outb(&b, 0x92, 3);
	outb(&b, 0x92, 3);
	cr_assert_eq(b.wire[0].level, 1);
	cr_assert_eq(b.wire[1].rises, 1);
}

Test(ports, reset_port)
{
	struct reset_port r;
	struct irq_pin reset;

	board_init(&b);
	reset = pin(&b, 0);
	cr_assert_eq(reset_port_init(&r, &b.io, &reset), 0);
	outb(&b, 0xcf9, 0x02);
	cr_assert_eq(b.wire[0].rises, 0);
	outb(&b, 0xcf9, 0x06);
	cr_assert_eq(b.wire[0].rises, 1);
	outb(&b, 0xcf9, 0x06);
	cr_assert_eq(b.wire[0].rises, 1);
	cr_assert_eq(inb(&b, 0xcf9), 0x06);
}
