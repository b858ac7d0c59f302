/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * 8237A DMA controllers (Intel 231466) as wired in the PC/AT: the second one moves words and
 * cascades the first through its channel 0; page registers give address bits 16 to 23.
 */
#include "hw/dma8237.h"

#include <string.h>

#include "mmu/aspace.h"

enum {
	REG_STATUS = 8,
	REG_REQUEST,
	REG_MASK,
	REG_MODE,
	REG_CLEAR_FF,
	REG_MASTER_CLEAR,
	REG_CLEAR_MASK,
	REG_ALL_MASK
};
enum { MODE_DOWN = 0x20, MODE_AUTO = 0x10, MODE_TYPE = 0x0c };
enum { TYPE_VERIFY = 0x00, TYPE_WRITE = 0x04, TYPE_READ = 0x08 };
enum { COMMAND_DISABLE = 0x04 };

static void master_clear(struct dma8237 *d, int n)
{
	d->command[n] = 0;
	d->status[n] = 0;
	d->request[n] = 0;
	d->temp[n] = 0;
	d->flipflop[n] = 0;
	d->mask[n] = 0x0f;
}

static void write_half(uint16_t *reg, bool high, uint8_t val)
{
	*reg = high ? (*reg & 0x00ff) | val << 8 : (*reg & 0xff00) | val;
}

static void write_channel(struct dma8237 *d, int n, unsigned reg, uint8_t val)
{
	struct dma8237_channel *c = &d->ch[n * 4 + (reg >> 1)];
	bool high = d->flipflop[n];

	d->flipflop[n] ^= 1;
	if (reg & 1) {
		write_half(&c->base_count, high, val);
		write_half(&c->count, high, val);
	} else {
		write_half(&c->base_addr, high, val);
		write_half(&c->addr, high, val);
	}
}

static uint8_t read_channel(struct dma8237 *d, int n, unsigned reg)
{
	struct dma8237_channel *c = &d->ch[n * 4 + (reg >> 1)];
	uint16_t val = reg & 1 ? c->count : c->addr;
	bool high = d->flipflop[n];

	d->flipflop[n] ^= 1;
	return high ? val >> 8 : val;
}

static void write_reg(struct dma8237 *d, int n, unsigned reg, uint8_t val)
{
	uint8_t bit = 1 << (val & 3);

	switch (reg) {
	case REG_STATUS:
		d->command[n] = val;
		break;
	case REG_REQUEST:
		d->request[n] = val & 4 ? d->request[n] | bit : d->request[n] & ~bit;
		break;
	case REG_MASK:
		d->mask[n] = val & 4 ? d->mask[n] | bit : d->mask[n] & ~bit;
		break;
	case REG_MODE:
		d->ch[n * 4 + (val & 3)].mode = val & 0xfc;
		break;
	case REG_CLEAR_FF:
		d->flipflop[n] = 0;
		break;
	case REG_MASTER_CLEAR:
		master_clear(d, n);
		break;
	case REG_CLEAR_MASK:
		d->mask[n] = 0;
		break;
	case REG_ALL_MASK:
		d->mask[n] = val & 0x0f;
		break;
	default:
		write_channel(d, n, reg, val);
		break;
	}
}

static uint8_t read_reg(struct dma8237 *d, int n, unsigned reg)
{
	uint8_t val;

	switch (reg) {
	case REG_STATUS:
		val = d->status[n];
		d->status[n] &= 0xf0; /* terminal counts are cleared by reading */
		return val;
	case REG_MASTER_CLEAR:
		return d->temp[n];
	case REG_ALL_MASK:
		return d->mask[n] | 0xf0;
	}
	return reg < REG_STATUS ? read_channel(d, n, reg) : 0xff;
}

/* The second controller's registers lie at even ports. */
static unsigned decode(const struct dma8237_side *side, uint64_t off)
{
	return (side->n ? off >> 1 : off) & 0x0f;
}

static void dma_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct dma8237_side *side = opaque;

	(void)size;
	write_reg(side->dma, side->n, decode(side, off), val);
}

static uint64_t dma_read(void *opaque, uint64_t off, unsigned size)
{
	struct dma8237_side *side = opaque;

	(void)size;
	return read_reg(side->dma, side->n, decode(side, off));
}

static const struct mmio_ops dma_ops = {dma_read, dma_write, 1, 1};

static void page_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct dma8237 *d = opaque;

	(void)size;
	d->page[off & 15] = val;
}

static uint64_t page_read(void *opaque, uint64_t off, unsigned size)
{
	const struct dma8237 *d = opaque;

	(void)size;
	return d->page[off & 15];
}

static const struct mmio_ops page_ops = {page_read, page_write, 1, 1};

static uint64_t address(const struct dma8237 *d, unsigned channel)
{
	/* Port 80h + n holds the page; the others of the sixteen are plain latches. */
	static const uint8_t page[8] = {0x7, 0x3, 0x1, 0x2, 0xf, 0xb, 0x9, 0xa};
	uint64_t high = d->page[page[channel]];
	uint16_t addr = d->ch[channel].addr;

	if (channel >= 4)
		return (high & 0xfe) << 16 | (uint64_t)addr << 1;
	return high << 16 | addr;
}

/* Counts one transfer; true at terminal count. */
static bool advance(struct dma8237 *d, unsigned channel)
{
	struct dma8237_channel *c = &d->ch[channel];
	int n = channel >> 2;

	c->addr += c->mode & MODE_DOWN ? -1 : 1;
	if (c->count--)
		return false;
	d->status[n] |= 1 << (channel & 3);
	d->request[n] &= ~(1 << (channel & 3));
	if (c->mode & MODE_AUTO) {
		c->addr = c->base_addr;
		c->count = c->base_count;
	} else {
		d->mask[n] |= 1 << (channel & 3);
	}
	return true;
}

size_t dma8237_transfer(struct dma8237 *d, unsigned channel, void *buf, size_t len, bool *tc)
{
	unsigned unit = channel >= 4 ? 2 : 1, n = channel >> 2;
	uint8_t *p = buf;
	size_t done = 0;

	*tc = false;
	if (channel > 7 || (d->command[n] & COMMAND_DISABLE) || (d->mask[n] >> (channel & 3) & 1))
		return 0;
	while (!*tc && len - done >= unit) {
		switch (d->ch[channel].mode & MODE_TYPE) {
		case TYPE_WRITE:
			aspace_dma_write(d->mem, address(d, channel), p + done, unit);
			break;
		case TYPE_READ:
			aspace_dma_read(d->mem, address(d, channel), p + done, unit);
			break;
		}
		done += unit;
		*tc = advance(d, channel);
	}
	return done;
}

void dma8237_dreq(struct dma8237 *d, unsigned channel, bool level)
{
	uint8_t bit = 0x10 << (channel & 3), *status;

	if (channel > 7)
		return;
	status = &d->status[channel >> 2];
	*status = level ? *status | bit : *status & ~bit;
}

#define CHANNEL(n)                                                                                 \
	FIELD(dma8237, ch[n].base_addr, 0), FIELD(dma8237, ch[n].base_count, 0),                   \
	    FIELD(dma8237, ch[n].addr, 0), FIELD(dma8237, ch[n].count, 0),                         \
	    FIELD(dma8237, ch[n].mode, 0)

static const struct field fields[] = {
    CHANNEL(0),
    CHANNEL(1),
    CHANNEL(2),
    CHANNEL(3),
    CHANNEL(4),
    CHANNEL(5),
    CHANNEL(6),
    CHANNEL(7),
    FIELD_ARRAY(dma8237, page, 0),
    FIELD_ARRAY(dma8237, command, 0),
    FIELD_ARRAY(dma8237, request, 0),
    FIELD_ARRAY(dma8237, mask, 0x0f),
    FIELD_ARRAY(dma8237, status, 0),
    FIELD_ARRAY(dma8237, temp, 0),
    FIELD_ARRAY(dma8237, flipflop, 0),
    FIELD_END,
};

int dma8237_init(struct dma8237 *d, struct aspace *io, struct aspace *mem)
{
	int err;

	memset(d, 0, sizeof(*d));
	d->mem = mem;
	d->side[0] = (struct dma8237_side){d, 0};
	d->side[1] = (struct dma8237_side){d, 1};
	device_init(&d->dev, "dma8237", fields, d);
	err = aspace_map_dev(io, "dma1", 0x00, 0x10, &dma_ops, &d->side[0]);
	if (!err)
		err = aspace_map_dev(io, "dma2", 0xc0, 0x20, &dma_ops, &d->side[1]);
	if (!err)
		err = aspace_map_dev(io, "dma-pages", 0x80, 0x10, &page_ops, d);
	return err;
}
