/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pci-testdev: see the header. Layout of each BAR: test (0), width (1), offset (4), data (8),
 * count (12), name (16); the place to write to lies in the BAR's second half.
 */
#include "hw/pci_testdev.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NONE = 255, TESTS = 3, WIDTH = 1, MATCH = 0xfa, NO_MATCH = 0xce };

static const uint32_t half[2] = {2048, 128};

static const struct field fields[] = {
    FIELD(pci_testdev, current, NONE),
    FIELD_ARRAY(pci_testdev, count, 0),
    FIELD_END,
};

static void tame(void *state)
{
	struct pci_testdev *t = state;

	if (t->current >= 2 * TESTS)
		t->current = NONE;
}

static void header(const struct pci_testdev *t, uint8_t h[64])
{
	static const char *const type[] = {"mmio", "portio"};
	static const char *const kind[TESTS] = {"no-eventfd", "wildcard-eventfd",
						"datamatch-eventfd"};
	unsigned bar = t->current / TESTS, test = t->current % TESTS;

	memset(h, 0, 64);
	h[0] = (uint8_t)test;
	h[1] = WIDTH;
	pci_set32(h + 4, half[bar] + t->current * WIDTH);
	pci_set32(h + 8, test == 2 ? MATCH : NO_MATCH);
	pci_set32(h + 12, t->count[t->current]);
	snprintf((char *)h + 16, 48, "%s-%s", type[bar], kind[test]);
}

static uint64_t testdev_read(void *dev, uint64_t off, unsigned size)
{
	const struct pci_testdev *t = ((struct pci_testdev_side *)dev)->t;
	uint64_t v = 0;
	uint8_t h[64];

	if (t->current == NONE || off + size > sizeof(h))
		return 0;
	header(t, h);
	for (unsigned i = 0; i < size; i++)
		v |= (uint64_t)h[off + i] << (8 * i);
	return v;
}

static void testdev_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct pci_testdev_side *s = dev;
	struct pci_testdev *t = s->t;

	if (off == 0) {
		t->current = val < TESTS ? (uint8_t)(s->n * TESTS + val) : NONE;
		if (t->current != NONE)
			t->count[t->current] = 0;
		return;
	}
	if (t->current == NONE || off != half[t->current / TESTS] + t->current * WIDTH)
		return;
	/* All but the wildcard test count writes of the right width and value only. */
	if (t->current % TESTS != 1 &&
	    (size != WIDTH || val != (t->current % TESTS == 2 ? MATCH : NO_MATCH)))
		return;
	t->count[t->current]++;
}

static const struct mmio_ops ops = {testdev_read, testdev_write, 1, 4};

void pci_testdev_init(struct pci_testdev *t)
{
	memset(t, 0, sizeof(*t));
	pci_func_init(&t->func, "pci-testdev", 0x1b36, 0x0005, 0x00ff, 0);
	pci_set16(t->func.start + PCI_SUBSYS_VENDOR, 0x1af4);
	pci_set16(t->func.start + PCI_SUBSYS_DEVICE, 0x1100);
	for (unsigned n = 0; n < 2; n++)
		t->side[n] = (struct pci_testdev_side){t, n};
	pci_func_bar(&t->func, 0, PCI_BAR_MEM32, 2 * half[0], &ops, &t->side[0], "pci-testdev-mem");
	pci_func_bar(&t->func, 1, PCI_BAR_IO, 2 * half[1], &ops, &t->side[1], "pci-testdev-io");
	device_init(&t->state, t->func.state_name, fields, t);
	t->state.tame = tame;
}

static int create(void **self, const struct device_args *args, char *err, size_t errlen)
{
	struct pci_testdev *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	pci_testdev_init(t);
	r = device_add_pci(args, &t->func, &t->state, err, errlen);
	if (r < 0) {
		free(t);
		return r;
	}
	*self = t;
	return 0;
}

const struct device_type pci_testdev_type = {
    .name = "pci-testdev",
    .bus = "PCI",
    .desc = "BARs that count accesses, for test suites",
    .create = create,
    .destroy = free,
};
