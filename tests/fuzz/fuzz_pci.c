/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A PCI Express root port, whose slot is filled and emptied while the guest does what it likes with the port, with
 * the device behind it, and with requests under way; and the device for test suites.
 */
#include <string.h>

#include "hw/loop.h"
#include "hw/net/e1000.h"
#include "hw/net/virtio_net.h"
#include "hw/pc.h"
#include "hw/i6300esb.h"
#include "hw/pci_testdev.h"
#include "hw/pcie_port.h"
#include "hw/storage/nvme.h"
#include "hw/storage/virtio_blk.h"
#include "hw/virtio/virtio_rng.h"
#include "tests/fuzz/fuzz.h"

/* Windows that the guest gives to the port. */
#define MEMORY   0xe0000000u
#define MEM_STEP 0x100000u
#define IO_BASE  0xd000u

enum { CONTROL = 0x18, STATUS = 0x1a, ROOT_CONTROL = 0x1c };
/* No power, its indicator off: the device may go. */
#define LET_GO 0x7c0u

static struct pc *pc;
static struct pci_func *port;
static const struct device_type *plugged;
static struct loop_job stop;

static void run_stop(void *opaque)
{
	loop_quit(opaque);
}

static void turn(void)
{
	loop_defer(pc->m.loop, &stop);
	loop_run(pc->m.loop);
}

/* ---- what users do ---- */

static void *disk(void *opaque, enum prop_kind kind, const char *id)
{
	(void)opaque;
	(void)kind;
	(void)id;
	return world.disk;
}

static void plug(void)
{
	static const struct device_type *const types[] = {&virtio_blk_type, &nvme_type, &e1000_type,
							  &virtio_net_type, &virtio_rng_type};
	const struct device_type *type = types[below(5)];
	struct device_spec spec;
	char err[256];

	device_spec_init(&spec, type);
	device_spec_set(&spec, "id", "d", err, sizeof(err));
	device_spec_set(&spec, "bus", "port", err, sizeof(err));
	if (type == &virtio_blk_type || type == &nvme_type)
		device_spec_set(&spec, "drive", "disk", err, sizeof(err));
	pthread_mutex_lock(&pc->m.lock);
	if (pc_plug_device(pc, &spec, disk, NULL, err, sizeof(err)) == 0)
		plugged = type;
	pthread_mutex_unlock(&pc->m.lock);
}

static void unplug(void)
{
	char err[256];

	pthread_mutex_lock(&pc->m.lock);
	pc_unplug_device(pc, "d", err, sizeof(err));
	pthread_mutex_unlock(&pc->m.lock);
}

static void user(void)
{
	if (port->behind[0])
		unplug();
	else
		plug();
}

/* ---- what the guest does ---- */

/* By either mechanism. */
static void config(unsigned bus, unsigned devfn, unsigned reg, uint64_t v, unsigned size)
{
	if (one_in(2)) {
		uint64_t at = 0xb0000000 + (bus << 20) + (devfn << 12) + reg;

		put(at, v, size);
		aspace_read(world.mem, at, size);
	} else {
		out(0xcf8, 0x80000000u | bus << 16 | devfn << 8 | (reg & 0xfc), 4);
		out(0xcfc + (reg & 3), v, size);
		aspace_read(world.io, 0xcfc + (reg & 3), size);
	}
}

static void assign(void)
{
	struct pci_func *f = port->behind[0];

	pci_config_write(port, BRIDGE_SECONDARY, 0x0101, 2);
	pci_config_write(port, BRIDGE_MEM_BASE, (MEMORY >> 16) * 0x10001u + 0xf00000, 4);
	pci_config_write(port, BRIDGE_IO_BASE, IO_BASE >> 8 | IO_BASE, 2);
	pci_config_write(port, PCI_COMMAND, PCI_CMD_IO | PCI_CMD_MEM | PCI_CMD_MASTER, 2);
	if (!f)
		return;
	for (unsigned n = 0; n < PCI_BARS; n++)
		pci_config_write(f, PCI_BAR0 + 4 * n,
				 f->bar[n].kind == PCI_BAR_IO     ? IO_BASE + 0x200 * n
				 : f->bar[n].kind == PCI_BAR_NONE ? 0
								  : MEMORY + MEM_STEP * n,
				 4);
	pci_config_write(f, PCI_COMMAND, PCI_CMD_IO | PCI_CMD_MEM | PCI_CMD_MASTER, 2);
}

static void at_port(void)
{
	static const uint8_t head[] = {PCI_COMMAND,      BRIDGE_SECONDARY,     BRIDGE_SUBORDINATE,
				       BRIDGE_IO_BASE,   BRIDGE_IO_LIMIT,      BRIDGE_MEM_BASE,
				       BRIDGE_MEM_LIMIT, BRIDGE_PREF_BASE,     BRIDGE_PREF_LIMIT,
				       BRIDGE_CONTROL,   BRIDGE_PREF_BASE_HIGH};
	unsigned at = port->express, devfn = port->devfn;

	switch (below(4)) {
	case 0:
		config(0, devfn, head[below(sizeof(head))], value(), 1u << below(3));
		break;
	case 1:
		config(0, devfn, at + CONTROL, one_in(4) ? LET_GO : value(), 2);
		break;
	case 2:
		config(0, devfn, at + STATUS + 2 * below(2), value(), 2);
		break;
	default:
		config(0, devfn, below(0x100), value(), 1u << below(3));
	}
}

static void read_head(uint64_t at)
{
	put(at, below(2), 4);
	put(at + 8, below(FUZZ_DISK / 512), 8);
}

/* Admin queues, a pair of others, and reads. */
static void drive_nvme(uint64_t regs)
{
	put(regs + 0x14, 0, 4);
	put(regs + 0x24, 15 | 15 << 16, 4);
	put(regs + 0x28, 0x1000, 8);
	put(regs + 0x30, 0x2000, 8);
	put(regs + 0x14, 1, 4);
	for (unsigned i = 0; i < 4; i++) {
		uint64_t at = 0x1000 + 64 * i;

		put(at, i == 0 ? 5 : i == 1 ? 1 : below(16), 4);
		put(at + 4, 1, 4);
		put(at + 24, i == 0 ? 0x3000 : i == 1 ? 0x4000 : FUZZ_RAM / 2, 8);
		put(at + 40, 1 | 15 << 16, 4);
		put(at + 44, i == 0 ? 3 : 1 | 1 << 16, 4);
		put(0x4000 + 64 * i, 2, 4);
		put(0x4004 + 64 * i, 1, 4);
		put(0x4018 + 64 * i, FUZZ_RAM / 2, 8);
		put(0x4028 + 64 * i, below(FUZZ_DISK / 512), 8);
		put(0x4030 + 64 * i, below(8), 4);
	}
	put(regs + 0x1000, 2 + below(3), 4);
	put(regs + 0x1008, below(5), 4);
}

static void drive(struct pci_func *f)
{
	if (plugged == &nvme_type)
		drive_nvme(bar(f, 0));
	else if (plugged == &virtio_blk_type)
		fuzz_virtio_round((struct virtio_pci *)f, 0, 16, read_head);
	else if (plugged != &e1000_type)
		fuzz_virtio_round((struct virtio_pci *)f, below(3), 16, NULL);
	for (unsigned n = below(8); n; n--)
		any_access(f);
}

static void port_round(void)
{
	struct pci_func *f = port->behind[0];

	switch (below(8)) {
	case 0:
		user();
		break;
	case 1: /* a guest that does what it is asked for */
		unplug();
		config(0, port->devfn, port->express + CONTROL, LET_GO, 2);
		break;
	case 2:
		assign();
		break;
	case 3:
		if (f)
			drive(f);
		break;
	case 4:
		config(below(3), 8 * one_in(8) + below(2),
		       one_in(2) ? 4 * below(16) : below(0x1000), value(), 1u << below(3));
		break;
	case 5:
		if (f)
			any_access(f);
		noise(1);
		break;
	default:
		at_port();
	}
	if (one_in(4))
		turn();
	if (one_in(8))
		fuzz_step(below(1000000));
	if (one_in(64))
		fuzz_media();
}

/* ---- life ---- */

static void port_init(void)
{
	pc = fuzz_pc_new(&board_q35);
	fuzz_pc_add(pc, "pcie-root-port", "id=port");
	port = pcie_port_find(&pc->pci, "port");
	stop = (struct loop_job){.run = run_stop, .opaque = pc->m.loop};
}

static void port_reset(void)
{
	fuzz_pc_reset(pc);
	if (!port->behind[0])
		return;
	unplug();
	pci_config_write(port, port->express + CONTROL, LET_GO, 2);
	turn();
	fuzz_pc_reset(pc);
}

static void port_fini(void)
{
	pc_free(pc);
}

/* ---- pci-testdev ---- */

static struct pci_testdev testdev;

static void testdev_init(void)
{
	pci_testdev_init(&testdev);
	fuzz_pci_add(&testdev.func);
	fuzz_add(&testdev.state);
}

static void testdev_round(void)
{
	uint64_t mem = bar(&testdev.func, 0), io = bar(&testdev.func, 1);

	if (one_in(4))
		put(mem, below(4), 1);
	if (one_in(4))
		out((unsigned)io, below(4), 1);
	put(mem + 2048 + below(8), one_in(2) ? 0xfa : value(), 1u << below(3));
	out((unsigned)io + 128 + below(8), one_in(2) ? 0xfa : value(), 1u << below(3));
	aspace_read(world.mem, mem + below(72), 1u << below(4));
	any_access(&testdev.func);
}

static void testdev_fini(void) {}

/* ---- i6300esb ---- */

static struct i6300esb watchdog;

static void bark(void *opaque)
{
	(void)opaque;
}

static void watchdog_init(void)
{
	i6300esb_init(&watchdog, world.clock, bark, NULL);
	fuzz_pci_add(&watchdog.func);
	fuzz_add(&watchdog.state);
}

static void watchdog_round(void)
{
	uint64_t mem = bar(&watchdog.func, 0);

	put(mem + 12, 0x80, 2);
	put(mem + 12, 0x86, 2);
	put(mem + below(20), value(), 1u << below(3));
	if (one_in(4))
		pci_config_write(&watchdog.func, one_in(2) ? 0x60 : 0x68, (uint32_t)value(), 1);
	fuzz_step(one_in(8) ? 1000000ull * below(100000) : below(1000000));
	any_access(&watchdog.func);
}

static void watchdog_fini(void)
{
	i6300esb_fini(&watchdog);
}

const struct fuzz_device fuzz_pci[] = {
    {"pcie-root-port", port_init, port_reset, port_round, port_fini, NULL},
    {"i6300esb", watchdog_init, NULL, watchdog_round, watchdog_fini, NULL},
    {"pci-testdev", testdev_init, NULL, testdev_round, testdev_fini, NULL},
    {0},
};
