/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pc-testdev: see the header.
 */
#include "hw/pc_testdev.h"

#include <string.h>

#include "mmu/aspace.h"

static const struct field fields[] = {
    FIELD(pc_testdev, data, 0),
    FIELD_ARRAY(pc_testdev, mem, 0),
    FIELD_END,
};

static uint64_t data_read(void *dev, uint64_t off, unsigned size)
{
	const struct pc_testdev *t = dev;

	(void)size;
	return t->data >> (8 * off);
}

static void data_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct pc_testdev *t = dev;
	uint32_t mask = (uint32_t)((1ull << (8 * size)) - 1) << (8 * off);

	t->data = (t->data & ~mask) | ((uint32_t)val << (8 * off) & mask);
}

static uint64_t no_read(void *dev, uint64_t off, unsigned size)
{
	(void)dev;
	(void)off;
	(void)size;
	return 0;
}

static void flush_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct pc_testdev *t = dev;

	(void)off;
	(void)val;
	(void)size;
	if (t->flush)
		t->flush(t->opaque);
}

static void line_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct pc_testdev *t = dev;
	struct irq_pin pin = t->line;

	(void)size;
	pin.n += (int)off;
	irq_set(&pin, val != 0);
}

static uint64_t mem_read(void *dev, uint64_t off, unsigned size)
{
	const struct pc_testdev *t = dev;
	uint64_t v = 0;

	memcpy(&v, t->mem + off, size);
	return v;
}

static void mem_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct pc_testdev *t = dev;

	memcpy(t->mem + off, &val, size);
}

static const struct mmio_ops data_ops = {data_read, data_write, 1, 4};
static const struct mmio_ops byte_ops = {data_read, data_write, 1, 1};
static const struct mmio_ops flush_ops = {no_read, flush_write, 1, 4};
static const struct mmio_ops line_ops = {no_read, line_write, 1, 1};
static const struct mmio_ops mem_ops = {mem_read, mem_write, 1, 8};

int pc_testdev_init(struct pc_testdev *t, struct aspace *io, struct aspace *mem,
		    const struct irq_pin *line, void (*flush)(void *opaque), void *opaque)
{
	int r;

	memset(t, 0, sizeof(*t));
	device_init(&t->dev, "pc-testdev", fields, t);
	t->line = *line;
	t->flush = flush;
	t->opaque = opaque;
	if ((r = aspace_map_dev(io, "pc-testdev", 0xe0, 4, &data_ops, t)) < 0 ||
	    (r = aspace_map_dev(io, "pc-testdev-flush", 0xe4, 4, &flush_ops, t)) < 0 ||
	    (r = aspace_map_dev(io, "pc-testdev-byte", 0xe8, 4, &byte_ops, t)) < 0 ||
	    (r = aspace_map_dev(io, "pc-testdev-irq", 0x2000, PC_TESTDEV_LINES, &line_ops, t)) <
		0 ||
	    (r = aspace_map_dev(mem, "pc-testdev-mem", 0xff000000, PC_TESTDEV_MEM, &mem_ops, t)) <
		0)
		return r;
	return 0;
}
