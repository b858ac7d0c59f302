/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Field tables: giving each field of a device its reset value.
 */
#include "hw/device.h"

#include <string.h>

static void store(void *p, unsigned size, uint64_t val)
{
	uint8_t b = val;
	uint16_t w = val;
	uint32_t d = val;

	switch (size) {
	case 1:
		memcpy(p, &b, 1);
		break;
	case 2:
		memcpy(p, &w, 2);
		break;
	case 4:
		memcpy(p, &d, 4);
		break;
	case 8:
		memcpy(p, &val, 8);
		break;
	}
}

static void reset_fields(struct device *dev)
{
	for (const struct field *f = dev->fields; f->name; f++) {
		uint8_t *p = (uint8_t *)dev->state + f->offset;

		if (f->flags & FIELD_KEEP)
			continue;
		if (!f->reset && field_stride(f) == f->size) { /* often kilobytes */
			memset(p, 0, (size_t)f->count * f->size);
			continue;
		}
		for (uint32_t i = 0; i < f->count; i++)
			store(p + (size_t)i * field_stride(f), f->size, f->reset);
	}
}

void device_init(struct device *dev, const char *name, const struct field *fields, void *state)
{
	dev->name = name;
	dev->fields = fields;
	dev->state = state;
	dev->reset_done = NULL;
	dev->tame = NULL;
	dev->loaded = NULL;
	dev->ram = NULL;
	dev->next = NULL;
	reset_fields(dev);
}

void device_reset(struct device *dev)
{
	reset_fields(dev);
	if (dev->reset_done)
		dev->reset_done(dev->state);
}
