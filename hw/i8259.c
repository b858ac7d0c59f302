/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * 8259A programmable interrupt controllers (Intel 231468), cascaded on IR2 as in the PC/AT, with
 * the ELCR of the PIIX and ICH south bridges.
 *
 * Deviations: an edge is latched until it is acknowledged even when the line falls early, because
 * devices here may pulse; the slave's INT is seen by the master as a level, which stands for the
 * INT line dropping during each INTA cycle.
 */
#include "hw/i8259.h"

#include <string.h>

#include "mmu/aspace.h"

#define CASCADE 2

enum { ICW1_IC4 = 0x01, ICW1_SNGL = 0x02, ICW1_LTIM = 0x08, ICW1 = 0x10 };
enum { ICW4_AEOI = 0x02, ICW4_SFNM = 0x10 };
enum {
	OCW3 = 0x08,
	OCW3_RIS = 0x01,
	OCW3_RR = 0x02,
	OCW3_P = 0x04,
	OCW3_SMM = 0x20,
	OCW3_ESMM = 0x40
};

static uint8_t level_inputs(const struct i8259_chip *c)
{
	return c->icw1 & ICW1_LTIM ? 0xff : c->elcr;
}

/* The input of highest priority in `set`, or -1. */
static int highest(const struct i8259_chip *c, uint8_t set)
{
	for (int i = 1; i <= 8; i++) {
		int n = (c->lowest + i) & 7;

		if (set & (1 << n))
			return n;
	}
	return -1;
}

/* Distance from the top: 0 is the highest priority. */
static int rank(const struct i8259_chip *c, int n)
{
	return n < 0 ? 8 : (n - c->lowest - 1) & 7;
}

/* The request that INT stands for, or -1. */
static int request(const struct i8259_chip *c, bool master)
{
	int irq = highest(c, c->irr & ~c->imr);
	uint8_t blocking = c->isr;

	if (irq < 0 || c->step)
		return -1;
	if (c->smask)
		blocking &= ~c->imr;
	/* Fully nested: the slave may interrupt its own service again. */
	if (master && (c->icw4 & ICW4_SFNM) && irq == CASCADE)
		blocking &= ~(1 << CASCADE);
	return rank(c, irq) < rank(c, highest(c, blocking)) ? irq : -1;
}

static void update(struct i8259 *pic)
{
	struct i8259_chip *m = &pic->chip[0];
	bool out;

	if (request(&pic->chip[1], false) >= 0)
		m->irr |= 1 << CASCADE;
	else
		m->irr &= ~(1 << CASCADE);
	out = request(m, true) >= 0;
	if (out != pic->out) {
		pic->out = out;
		irq_set(&pic->intr, out);
	}
}

void i8259_set_irq(void *opaque, int n, int level)
{
	struct i8259 *pic = opaque;
	struct i8259_chip *c;
	uint8_t bit, rose;

	if (n < 0 || n > 15 || n == CASCADE)
		return;
	c = &pic->chip[n >> 3];
	bit = 1 << (n & 7);
	rose = level && !(c->lines & bit);
	c->lines = level ? c->lines | bit : c->lines & ~bit;
	if (level_inputs(c) & bit)
		c->irr = level ? c->irr | bit : c->irr & ~bit;
	else if (rose)
		c->irr |= bit;
	update(pic);
}

static void acknowledge(struct i8259_chip *c, int irq)
{
	uint8_t bit = 1 << irq;

	if (!(level_inputs(c) & bit))
		c->irr &= ~bit;
	if (!(c->icw4 & ICW4_AEOI))
		c->isr |= bit;
	else if (c->rotate_aeoi)
		c->lowest = irq;
}

int i8259_ack(struct i8259 *pic)
{
	struct i8259_chip *m = &pic->chip[0], *s = &pic->chip[1];
	int irq = request(m, true), vector;

	if (irq < 0)
		return m->icw2 | 7;
	acknowledge(m, irq);
	vector = m->icw2 | irq;
	if (irq == CASCADE) {
		irq = request(s, false);
		if (irq >= 0)
			acknowledge(s, irq);
		vector = s->icw2 | (irq >= 0 ? irq : 7);
	}
	update(pic);
	return vector;
}

static void write_icw1(struct i8259_chip *c, uint8_t val)
{
	c->icw1 = val;
	c->icw3 = 0;
	c->icw4 = 0;
	c->imr = 0;
	c->isr = 0;
	c->irr = c->lines & level_inputs(c);
	c->lowest = 7;
	c->read_isr = 0;
	c->poll = 0;
	c->smask = 0;
	c->rotate_aeoi = 0;
	c->step = 2;
}

static void write_ocw2(struct i8259_chip *c, uint8_t val)
{
	int irq = val & 7;

	switch (val >> 5) {
	case 0:
		c->rotate_aeoi = 0;
		break;
	case 4:
		c->rotate_aeoi = 1;
		break;
	case 1: /* non-specific EOI, and with rotation */
	case 5:
		irq = highest(c, c->smask ? c->isr & ~c->imr : c->isr);
		if (irq < 0)
			break;
		c->isr &= ~(1 << irq);
		if (val >> 5 == 5)
			c->lowest = irq;
		break;
	case 3:
		c->isr &= ~(1 << irq);
		break;
	case 7:
		c->isr &= ~(1 << irq);
		c->lowest = irq;
		break;
	case 6:
		c->lowest = irq;
		break;
	}
}

static void write_ocw3(struct i8259_chip *c, uint8_t val)
{
	if (val & OCW3_ESMM)
		c->smask = !!(val & OCW3_SMM);
	if (val & OCW3_P)
		c->poll = 1;
	else if (val & OCW3_RR)
		c->read_isr = val & OCW3_RIS;
}

static void write_icw(struct i8259_chip *c, uint8_t val)
{
	int last = c->icw1 & ICW1_IC4 ? 4 : 0;

	switch (c->step) {
	case 2:
		c->icw2 = val & 0xf8;
		c->step = c->icw1 & ICW1_SNGL ? last : 3;
		break;
	case 3:
		c->icw3 = val;
		c->step = last;
		break;
	default:
		c->icw4 = val;
		c->step = 0;
		break;
	}
}

static void pic_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct i8259_side *side = opaque;
	struct i8259_chip *c = &side->pic->chip[side->n];

	(void)size;
	if (off == 0) {
		if (val & ICW1)
			write_icw1(c, val);
		else if (val & OCW3)
			write_ocw3(c, val);
		else
			write_ocw2(c, val);
	} else if (c->step) {
		write_icw(c, val);
	} else {
		c->imr = val;
	}
	update(side->pic);
}

static uint64_t pic_read(void *opaque, uint64_t off, unsigned size)
{
	struct i8259_side *side = opaque;
	struct i8259_chip *c = &side->pic->chip[side->n];

	(void)size;
	if (c->poll) {
		int irq = request(c, side->n == 0);

		c->poll = 0;
		if (irq < 0)
			return 0;
		acknowledge(c, irq);
		update(side->pic);
		return 0x80 | irq;
	}
	if (off == 0)
		return c->read_isr ? c->isr : c->irr;
	return c->imr;
}

static const struct mmio_ops pic_ops = {pic_read, pic_write, 1, 1};

static uint64_t elcr_read(void *opaque, uint64_t off, unsigned size)
{
	struct i8259 *pic = opaque;

	(void)size;
	return pic->chip[off & 1].elcr;
}

static void elcr_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	/* IRQs 0, 1, 2, 8 and 13 are edge triggered for ever. */
	static const uint8_t mask[2] = {0xf8, 0xde};
	struct i8259 *pic = opaque;
	struct i8259_chip *c = &pic->chip[off & 1];

	(void)size;
	c->elcr = val & mask[off & 1];
	c->irr = (c->irr & ~c->elcr) | (c->lines & c->elcr);
	update(pic);
}

static const struct mmio_ops elcr_ops = {elcr_read, elcr_write, 1, 1};

#define CHIP(n)                                                                                    \
	FIELD(i8259, chip[n].irr, 0), FIELD(i8259, chip[n].isr, 0),                                \
	    FIELD(i8259, chip[n].imr, 0xff), FIELD_NORESET(i8259, chip[n].lines),                  \
	    FIELD(i8259, chip[n].elcr, 0), FIELD(i8259, chip[n].icw1, 0),                          \
	    FIELD(i8259, chip[n].icw2, 0), FIELD(i8259, chip[n].icw3, 0),                          \
	    FIELD(i8259, chip[n].icw4, 0), FIELD(i8259, chip[n].lowest, 7),                        \
	    FIELD(i8259, chip[n].step, 0), FIELD(i8259, chip[n].read_isr, 0),                      \
	    FIELD(i8259, chip[n].poll, 0), FIELD(i8259, chip[n].smask, 0),                         \
	    FIELD(i8259, chip[n].rotate_aeoi, 0)

static const struct field fields[] = {
    CHIP(0),
    CHIP(1),
    FIELD_END,
};

static void settled(void *state)
{
	struct i8259 *pic = state;

	update(pic);
	irq_set(&pic->intr, pic->out);
}

int i8259_init(struct i8259 *pic, struct aspace *io, const struct irq_pin *intr)
{
	int err;

	memset(pic, 0, sizeof(*pic));
	if (intr)
		pic->intr = *intr;
	pic->side[0] = (struct i8259_side){pic, 0};
	pic->side[1] = (struct i8259_side){pic, 1};
	device_init(&pic->dev, "i8259", fields, pic);
	pic->dev.reset_done = settled;
	pic->dev.loaded = settled;
	err = aspace_map_dev(io, "pic-master", 0x20, 2, &pic_ops, &pic->side[0]);
	if (!err)
		err = aspace_map_dev(io, "pic-slave", 0xa0, 2, &pic_ops, &pic->side[1]);
	if (!err)
		err = aspace_map_dev(io, "elcr", 0x4d0, 2, &elcr_ops, pic);
	return err;
}
