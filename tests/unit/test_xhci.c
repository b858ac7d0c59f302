/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The xHCI with a keyboard, a tablet and a disk, driven through registers, doorbells and rings in memory.
 */
#include "disks.h"
#include "hw/usb/usb_hid.h"
#include "hw/usb/usb_hub.h"
#include "hw/usb/usb_storage.h"
#include "hw/usb/xhci.h"

#define SECTORS 8192u
#define DCBAA   0x1000u
#define CMDS    0x2000u
#define EVENTS  0x3000u
#define ERST    0x4000u
#define INPUT   0x5000u
#define CTX     0x6000u  /* output contexts: 1 KiB for each slot */
#define RINGS   0x10000u /* 4 KiB for each slot and endpoint */
#define DATA    0x100000u
#define NEVENTS 64u

enum { OPER = 0x40, PORTS = 0x440, INTR0 = 0x1020, DB = 0x2000 };
enum {
	SUCCESS = 1,
	TRB_ERROR = 5,
	STALL = 6,
	SLOT_NOT_ENABLED = 11,
	SHORT = 13,
	CTX_STATE = 19,
	STOPPED = 26
};
enum { NORMAL = 1, SETUP = 2, DATA_STAGE = 3, STATUS = 4, LINK = 6, EVENT_DATA = 7 };
enum { IOC = 1 << 5, ISP = 1 << 2, CH = 1 << 4, IDT = 1 << 6, IN = 1 << 16 };

static struct rig g;
static struct clock clk;
static struct input input;
static struct usb_bus *buses;
static struct xhci *x;
static struct usb_storage *disk;
static struct usb_hid *kbd, *tablet;
static uint64_t regs;
static unsigned cmd_at, ev_at, ring_at[4][32];
static uint8_t ev_cycle;

struct event {
	uint64_t parameter;
	uint32_t status, control;
	unsigned code, type, slot, dci;
	uint32_t len;
};

static uint32_t rd(unsigned off)
{
	return (uint32_t)get(&g, regs + off, 4);
}

static void wr(unsigned off, uint32_t v)
{
	put(&g, regs + off, v, 4);
}

static void put_trb(uint64_t at, uint64_t parameter, uint32_t status, uint32_t control)
{
	put(&g, at, parameter, 8);
	put(&g, at + 8, status, 4);
	put(&g, at + 12, control, 4);
}

/* The next event; type 0: there is none. */
static struct event reap(void)
{
	uint64_t at = EVENTS + 16 * ev_at;
	struct event e = {.control = (uint32_t)get(&g, at + 12, 4)};

	if ((e.control & 1) != ev_cycle) {
		e.control = 0;
		return e;
	}
	e.parameter = get(&g, at, 8);
	e.status = (uint32_t)get(&g, at + 8, 4);
	e.code = e.status >> 24;
	e.len = e.status & 0xffffff;
	e.type = e.control >> 10 & 63;
	e.dci = e.control >> 16 & 31;
	e.slot = e.control >> 24;
	if (++ev_at == NEVENTS) {
		ev_at = 0;
		ev_cycle ^= 1;
	}
	wr(INTR0 + 0x18, EVENTS + 16 * ev_at + 8);
	return e;
}

static struct event command(unsigned type, unsigned slot, uint64_t parameter, uint32_t more)
{
	put_trb(CMDS + 16 * cmd_at++, parameter, 0, type << 10 | slot << 24 | more | 1);
	wr(DB, 0);
	return reap();
}

static uint64_t ring(unsigned slot, unsigned dci)
{
	return RINGS + 0x20000 * slot + 0x1000 * dci;
}

static uint64_t add(unsigned slot, unsigned dci, uint64_t parameter, uint32_t status,
		    uint32_t control)
{
	uint64_t at = ring(slot, dci) + 16 * ring_at[slot][dci]++;

	put_trb(at, parameter, status, control | 1);
	return at;
}

static void kick(unsigned slot, unsigned dci)
{
	wr(DB + 4 * slot, dci);
}

static void start(void)
{
	memset(ring_at, 0, sizeof(ring_at));
	cmd_at = ev_at = 0;
	ev_cycle = 1;
	memset(g.ram.host + CMDS, 0, 0x2000);
	memset(g.ram.host + RINGS, 0, DATA - RINGS);
	wr(OPER, 2);
	cr_assert_eq(rd(OPER), 0);
	cr_assert_eq(rd(OPER + 4) & 1, 1);
	put(&g, ERST, EVENTS, 8);
	put(&g, ERST + 8, NEVENTS, 4);
	wr(OPER + 0x38, 16);
	wr(OPER + 0x30, DCBAA);
	wr(OPER + 0x34, 0);
	wr(OPER + 0x18, CMDS | 1);
	wr(OPER + 0x1c, 0);
	wr(INTR0 + 8, 1);
	wr(INTR0 + 0x18, EVENTS);
	wr(INTR0 + 0x10, ERST);
	wr(INTR0 + 0x14, 0);
	wr(INTR0, 2);
	wr(OPER, 1 | 4);
	cr_assert_eq(rd(OPER + 4) & 1, 0);
}

static void init(void)
{
	static const struct xhci_options o;
	char err[128];

	rig_init(&g);
	clock_init(&clk, true);
	input_init(&input);
	buses = NULL;
	x = calloc(1, sizeof(*x));
	disk = calloc(1, sizeof(*disk));
	kbd = calloc(1, sizeof(*kbd));
	tablet = calloc(1, sizeof(*tablet));
	cr_assert_eq(xhci_init(x, &clk, &o, "x", &buses), 0);
	rig_plug(&g, &x->func);
	regs = rig_bar(&x->func, 0);
	device_reset(&x->state);
	cr_assert_eq(usb_storage_init(disk, rig_disk(&g, SECTORS * 512, false), NULL), 0);
	cr_assert_eq(usb_attach(&disk->usb, buses, "x.0", NULL, "usb-storage", err, sizeof(err)),
		     0);
	usb_hid_init(kbd, HID_KEYBOARD, NULL, &clk, &input);
	cr_assert_eq(usb_attach(&kbd->usb, buses, NULL, "2", "usb-kbd", err, sizeof(err)), 0);
	usb_hid_init(tablet, HID_TABLET, NULL, &clk, &input);
	cr_assert_eq(usb_attach(&tablet->usb, buses, NULL, NULL, "usb-tablet", err, sizeof(err)),
		     0);
	cr_assert_eq(tablet->usb.port, 2);
	start();
}

static void fini(void)
{
	usb_storage_fini(disk);
	usb_hid_fini(kbd);
	usb_hid_fini(tablet);
	xhci_fini(x);
	free(disk);
	free(kbd);
	free(tablet);
	free(x);
	rig_fini(&g);
}

TestSuite(xhci, .init = init, .fini = fini);

static void ep_context(unsigned dci, unsigned slot, unsigned type, unsigned max)
{
	uint64_t at = INPUT + 32 * (dci + 1);

	put(&g, at, 0, 4);
	put(&g, at + 4, 3 << 1 | type << 3 | max << 16, 4);
	put(&g, at + 8, ring(slot, dci) | 1, 8);
}

/* Enables a slot for what is behind hubs at a port (from 1). */
static unsigned address_behind(unsigned port, unsigned route)
{
	struct event e;
	unsigned slot;

	e = command(9, 0, 0, 0);
	cr_assert_eq(e.code, SUCCESS);
	slot = e.slot;
	put(&g, DCBAA + 8 * slot, CTX + 0x400 * slot, 8);
	memset(g.ram.host + INPUT, 0, 0x420);
	put(&g, INPUT + 4, 3, 4);
	put(&g, INPUT + 32, 1 << 27 | route, 4);
	put(&g, INPUT + 36, port << 16, 4);
	ep_context(1, slot, 4, 64);
	cr_assert_eq(command(11, slot, INPUT, 0).code, SUCCESS);
	cr_assert_eq(get(&g, CTX + 0x400 * slot + 12, 4) >> 27, 2);
	return slot;
}

/* Resets a port and enables a slot for what is there. */
static unsigned address(unsigned port)
{
	struct event e;

	wr(PORTS + 16 * (port - 1), 0x210);
	while ((e = reap()).type)
		cr_assert_eq(e.type, 34);
	wr(PORTS + 16 * (port - 1), 0x200 | 0x7f << 17);
	return address_behind(port, 0);
}

static struct event control(unsigned slot, uint64_t setup, uint64_t buf, unsigned len)
{
	bool in = setup & 0x80;
	struct event e;

	add(slot, 1, setup, 8, SETUP << 10 | IDT);
	if (len)
		add(slot, 1, buf, len, DATA_STAGE << 10 | (in ? IN | ISP : 0));
	add(slot, 1, 0, 0, STATUS << 10 | (in && len ? 0 : IN) | IOC);
	kick(slot, 1);
	e = reap();
	if (e.code == SHORT)
		e = reap();
	return e;
}

/* And configures endpoints 1 IN and 2 OUT. */
static unsigned configure(unsigned port)
{
	unsigned slot = address(port);

	put(&g, INPUT + 4, 1 | 1 << 3 | 1 << 4, 4);
	ep_context(3, slot, port <= 4 ? 6 : 7, 512);
	ep_context(4, slot, 2, 512);
	cr_assert_eq(command(12, slot, INPUT, 0).code, SUCCESS);
	cr_assert_eq(get(&g, CTX + 0x400 * slot + 12, 4) >> 27, 3);
	cr_assert_eq(control(slot, 0x00010900, 0, 0).code, SUCCESS);
	return slot;
}

Test(xhci, capabilities_and_ports)
{
	cr_assert_eq(rd(0), 0x01000040);
	cr_assert_eq(rd(4), 16 | 16 << 8 | 8u << 24);
	cr_assert_eq(rd(0x20), 0x03000402);
	cr_assert_eq(rd(0x28), 1 | 4 << 8);
	cr_assert_eq(rd(0x30), 0x02000002);
	cr_assert_eq(rd(0x38), 5 | 4 << 8);
	/* the disk at SuperSpeed, enabled; the keyboard at high speed waits for a reset */
	cr_assert_eq(rd(PORTS) & 0x3fff, 0x1203);
	cr_assert_eq(rd(PORTS + 16) & 0x3fff, 0x02a0);
	cr_assert_eq(rd(PORTS + 16 * 5) & 0x3fff, 0x0ee1);
	wr(PORTS + 16 * 5, 0x210);
	cr_assert_eq(rd(PORTS + 16 * 5) & 0x3fff, 0x0e03);
	cr_assert(rd(PORTS + 16 * 5) & 1 << 21);
	wr(PORTS + 16 * 5, 0x200 | 1 << 21 | 1 << 17);
	cr_assert_eq(rd(PORTS + 16 * 5), 0x0e03);
	clock_step(&clk, 125000 * 5);
	cr_assert_eq(rd(0x1000), 5);
}

Test(xhci, slots)
{
	unsigned slot = address(6);

	cr_assert_eq(slot, 1);
	cr_assert_eq(command(11, slot, INPUT, 0).code, CTX_STATE);
	cr_assert_eq(command(11, 5, INPUT, 0).code, SLOT_NOT_ENABLED);
	cr_assert_eq(command(9, 0, 0, 0).slot, 2);
	/* nobody is at port 5 */
	put(&g, INPUT + 36, 5 << 16, 4);
	cr_assert_eq(command(11, 2, INPUT, 0).code, 4);
	cr_assert_eq(command(10, 2, 0, 0).code, SUCCESS);
	cr_assert_eq(command(17, slot, 0, 0).code, SUCCESS);
	cr_assert_eq(get(&g, CTX + 0x400 * slot + 12, 4) >> 27, 1);
	cr_assert_eq(command(23, 0, 0, 0).code, SUCCESS);
	cr_assert_eq(command(63, slot, 0, 0).code, TRB_ERROR);
}

Test(xhci, descriptors)
{
	unsigned slot = address(6);
	struct event e = control(slot, 0x0012000001000680, DATA, 18);

	cr_assert_eq(e.code, SUCCESS);
	cr_assert_eq(e.slot, slot);
	cr_assert_eq(get(&g, DATA, 8), 0x4000000002000112);
	cr_assert_eq(get(&g, DATA + 8, 4), 0x00010627);
	/* a reply that is shorter than what was asked for */
	add(slot, 1, 0x00ff000002000680, 8, SETUP << 10 | IDT);
	add(slot, 1, DATA, 255, DATA_STAGE << 10 | IN | ISP);
	add(slot, 1, 0, 0, STATUS << 10 | IOC);
	kick(slot, 1);
	e = reap();
	cr_assert_eq(e.code, SHORT);
	cr_assert_eq(e.len, 255 - 34);
	cr_assert_eq(reap().code, SUCCESS);
	cr_assert_eq(get(&g, DATA + 2, 2), 34);
	/* what it does not have */
	e = control(slot, 0x0012000009000680, DATA, 18);
	cr_assert_eq(e.code, STALL);
	cr_assert_eq(get(&g, CTX + 0x400 * slot + 32, 4) & 7, 2);
	kick(slot, 1);
	cr_assert_eq(reap().type, 0);
	cr_assert_eq(command(14, slot, 0, 1 << 16).code, SUCCESS);
	cr_assert_eq(command(16, slot, (ring(slot, 1) + 16 * ring_at[slot][1]) | 1, 1 << 16).code,
		     SUCCESS);
	cr_assert_eq(control(slot, 0x0012000001000680, DATA, 18).code, SUCCESS);
}

Test(xhci, keys_wake_the_endpoint)
{
	unsigned slot = configure(6);
	struct event e, stopped;

	rig_msix(&g, &x->func, 0, 0);
	pci_config_write(&x->func, x->msix.cap + 2u, 0x8000, 2);
	put(&g, regs + 0x3000, 0xfee00000, 4);
	put(&g, regs + 0x3008, 0x55, 4);
	put(&g, regs + 0x300c, 0, 4);
	g.messages = 0;
	add(slot, 3, DATA, 8, NORMAL << 10 | IOC);
	kick(slot, 3);
	cr_assert_eq(reap().type, 0);
	cr_assert_eq(g.messages, 0);
	input_key(&input, KEY_A, true);
	cr_assert_eq(g.messages, 1);
	cr_assert_eq(g.last_message, 0x55);
	e = reap();
	cr_assert_eq(e.code, SUCCESS);
	cr_assert_eq(e.dci, 3);
	cr_assert_eq(get(&g, DATA, 8), 0x040000);
	input_key(&input, KEY_SHIFT, true);
	add(slot, 3, DATA, 8, NORMAL << 10 | IOC);
	kick(slot, 3);
	cr_assert_eq(reap().code, SUCCESS);
	cr_assert_eq(get(&g, DATA, 8), 0x040002);
	/* LEDs */
	put(&g, DATA, 2, 1);
	cr_assert_eq(control(slot, 0x0001000002000921, DATA, 1).code, SUCCESS);
	cr_assert_eq(input_leds(&input), LED_CAPS);
	/* reports are repeated when the idle time is over */
	cr_assert_eq(control(slot, 0x02000a21, 0, 0).code, SUCCESS);
	add(slot, 3, DATA, 8, NORMAL << 10 | IOC);
	kick(slot, 3);
	cr_assert_eq(reap().type, 0);
	clock_step(&clk, 8000000);
	cr_assert_eq(reap().code, SUCCESS);
	/* a stop tells where */
	e.parameter = add(slot, 3, DATA, 8, NORMAL << 10 | IOC);
	kick(slot, 3);
	stopped = command(15, slot, 0, 3 << 16);
	cr_assert_eq(stopped.code, STOPPED);
	cr_assert_eq(stopped.parameter, e.parameter);
	cr_assert_eq(reap().code, SUCCESS);
}

Test(xhci, tablet_gets_the_pointer_when_it_is_polled)
{
	const struct input_pointer p = {
	    .x = 0x1234, .y = 0x7fff, .dz = -1, .buttons = 1, .absolute = true};
	unsigned slot = configure(7);

	add(slot, 3, DATA, 8, NORMAL << 10 | IOC);
	cr_assert_not(input_first(&input, INPUT_ABSOLUTE)->leds);
	kick(slot, 3);
	cr_assert(input_absolute(&input));
	input_pointer(&input, &p);
	cr_assert_eq(reap().len, 1);
	cr_assert_eq(get(&g, DATA, 8) & 0xffffffffffff, 0x017fff123401);
}

/* A command wrapper, data of `len` bytes in three pieces, and the status: that, or 100h + the code of the data's
 * event when it is not success. */
static unsigned scsi(unsigned slot, const uint8_t *cdb, uint32_t len, bool in)
{
	unsigned data = in ? 3 : 4, code = SUCCESS;
	struct event e;

	memset(g.ram.host + 0xf0000, 0, 64);
	put(&g, 0xf0000, 0x43425355, 4);
	put(&g, 0xf0004, 0x1234, 4);
	put(&g, 0xf0008, len, 4);
	put(&g, 0xf000c, in ? 0x80 : 0, 1);
	put(&g, 0xf000e, 10, 1);
	memcpy(g.ram.host + 0xf000f, cdb, 10);
	add(slot, 4, 0xf0000, 31, NORMAL << 10);
	if (len) {
		uint32_t third = len / 3;

		add(slot, data, DATA, third, NORMAL << 10 | CH | ISP);
		add(slot, data, DATA + third, third, NORMAL << 10 | CH | ISP);
		add(slot, data, DATA + 2 * third, len - 2 * third, NORMAL << 10 | ISP | IOC);
	}
	kick(slot, 4);
	kick(slot, 3);
	block_drain(g.block);
	e = reap();
	if (len) {
		cr_assert_eq(e.dci, data);
		code = e.code;
		if (code == STALL) {
			command(14, slot, 0, data << 16);
			command(16, slot, (ring(slot, data) + 16 * ring_at[slot][data]) | 1,
				data << 16);
			control(slot, 0x0102 | (uint64_t)(in ? 0x81 : 2) << 32, 0, 0);
		}
	}
	add(slot, 3, 0xf1000, 13, NORMAL << 10 | IOC);
	kick(slot, 3);
	e = reap();
	cr_assert_eq(e.code, SUCCESS);
	cr_assert_eq(get(&g, 0xf1000, 4), 0x53425355);
	cr_assert_eq(get(&g, 0xf1004, 4), 0x1234);
	return (unsigned)get(&g, 0xf100c, 1) | (code == SUCCESS ? 0 : code << 8);
}

Test(xhci, disk)
{
	static const uint8_t ready[10] = {0}, inquiry[10] = {0x12, 0, 0, 0, 255},
			     read[10] = {0x28, 0, 0, 0, 0, 100, 0, 1, 0x80},
			     write[10] = {0x2a, 0, 0, 0, 0, 200, 0, 1, 0x80},
			     beyond[10] = {0x28, 0, 0, 1, 0, 0, 0, 0, 1};
	unsigned slot = configure(1);

	disk->scsi.attention = 0;
	put(&g, DATA, 0xff, 1);
	cr_assert_eq(control(slot, 0x000100000000fea1, DATA, 1).code, SUCCESS);
	cr_assert_eq(get(&g, DATA, 1), 0);
	cr_assert_eq(scsi(slot, ready, 0, false), 0);
	cr_assert_eq(scsi(slot, inquiry, 255, true), SHORT << 8);
	cr_assert_eq(get(&g, DATA + 8, 4), 0x554d4551); /* "QEMU" */
	/* three chunks of the disk's */
	cr_assert_eq(scsi(slot, read, 0x180 * 512, true), 0);
	for (unsigned i = 0; i < 0x180; i++)
		cr_assert_eq(get(&g, DATA + 512 * i, 8), 100 + i);
	cr_assert_eq(scsi(slot, write, 0x180 * 512, false), 0);
	for (unsigned i = 0; i < 0x180; i++)
		cr_assert_eq(rig_sector(&g, 200 + i), 100 + i);
	/* errors: no data at all; data in the wrong direction */
	cr_assert_eq(scsi(slot, beyond, 512, true), STALL << 8 | 1);
	cr_assert_eq(scsi(slot, read, 512, false), STALL << 8 | 2);
	cr_assert_eq(scsi(slot, read, 512, true), 2);
	cr_assert_eq(scsi(slot, ready, 0, false), 0);
	/* what is no command wrapper breaks the transport until it is reset */
	add(slot, 4, DATA, 30, NORMAL << 10 | IOC);
	kick(slot, 4);
	cr_assert_eq(reap().code, STALL);
	command(14, slot, 0, 4 << 16);
	command(16, slot, (ring(slot, 4) + 16 * ring_at[slot][4]) | 1, 4 << 16);
	cr_assert_eq(control(slot, 0xff21, 0, 0).code, SUCCESS);
	cr_assert_eq(control(slot, 0x0102 | 0x81ull << 32, 0, 0).code, SUCCESS);
	cr_assert_eq(control(slot, 0x0102 | 2ull << 32, 0, 0).code, SUCCESS);
	cr_assert_eq(scsi(slot, ready, 0, false), 0);
}

Test(xhci, links_and_event_data)
{
	unsigned slot = configure(6);
	struct event e;

	/* the TD goes on behind the end of the ring, with the other cycle */
	put_trb(ring(slot, 3), DATA, 3, NORMAL << 10 | CH | 1);
	put_trb(ring(slot, 3) + 16, ring(slot, 3) + 0x200, 0, LINK << 10 | CH | 2 | 1);
	put_trb(ring(slot, 3) + 0x200, DATA + 0x100, 100, NORMAL << 10 | CH);
	put_trb(ring(slot, 3) + 0x210, 0xabcdef, 0, EVENT_DATA << 10 | IOC);
	kick(slot, 3);
	input_key(&input, KEY_A, true);
	e = reap();
	cr_assert_eq(e.parameter, 0xabcdef);
	cr_assert_eq(e.len, 8);
	cr_assert_eq(e.code, SHORT);
	cr_assert(e.control & 4);
	cr_assert_eq(get(&g, DATA + 0x100, 1), 0);
	cr_assert_eq(get(&g, DATA + 2, 1), 4);
}

Test(xhci, rings_that_make_no_sense)
{
	unsigned slot = configure(6);
	struct event e;

	/* a setup stage on an interrupt endpoint */
	add(slot, 3, 0, 8, SETUP << 10 | IDT | IOC);
	kick(slot, 3);
	e = reap();
	cr_assert_eq(e.code, TRB_ERROR);
	cr_assert_eq(get(&g, CTX + 0x400 * slot + 96, 4) & 7, 4);
	/* links in a circle */
	command(16, slot, (ring(slot, 3) + 0x800) | 1, 3 << 16);
	put_trb(ring(slot, 3) + 0x800, ring(slot, 3) + 0x800, 0, LINK << 10 | 1);
	kick(slot, 3);
	cr_assert_eq(reap().code, TRB_ERROR);
	/* data where there is no RAM */
	command(16, slot, (ring(slot, 3) + 0x900) | 1, 3 << 16);
	put_trb(ring(slot, 3) + 0x900, 0x80000000, 8, NORMAL << 10 | 1);
	kick(slot, 3);
	cr_assert_eq(reap().code, 2);
	/* a ring where there is none stops the controller */
	command(16, slot, 0x80000001, 3 << 16);
	kick(slot, 3);
	cr_assert_eq(rd(OPER + 4) & 5, 5);
	cr_assert_eq(rd(OPER) & 1, 0);
	wr(OPER, 1);
	cr_assert_eq(rd(OPER) & 1, 0);
	start();
	configure(6);
}

Test(xhci, a_ring_without_end_gives_way)
{
	unsigned slot = configure(6);

	/* no-ops for ever, without events */
	put_trb(ring(slot, 3), 0, 0, 8 << 10 | 1);
	put_trb(ring(slot, 3) + 16, ring(slot, 3), 0, LINK << 10 | 1);
	kick(slot, 3);
	cr_assert(x->more.armed);
	cr_assert_eq(command(23, 0, 0, 0).code, SUCCESS);
	cr_assert_eq(command(15, slot, 0, 3 << 16).code, STOPPED);
	cr_assert_eq(reap().code, SUCCESS);
	clock_step(&clk, 200000);
	cr_assert_not(x->more.armed);
}

/* Flushes for ever: each brings the next. Who waits for the disk gets it all the same, and they go on with the clock. */
Test(xhci, commands_without_end_let_go_of_the_disk, .timeout = 30)
{
	unsigned slot = configure(1);
	struct block_stats st;
	uint64_t flushes;

	disk->scsi.attention = 0;
	memset(g.ram.host + 0xf0000, 0, 64);
	put(&g, 0xf0000, 0x43425355, 4);
	put(&g, 0xf000e, 0x350a, 2); /* SYNCHRONIZE CACHE */
	add(slot, 4, 0xf0000, 31, NORMAL << 10);
	add(slot, 4, ring(slot, 4), 0, LINK << 10);
	add(slot, 3, 0xf1000, 13, NORMAL << 10);
	add(slot, 3, ring(slot, 3), 0, LINK << 10);
	kick(slot, 3);
	kick(slot, 4);
	block_drain(g.block);
	cr_assert(x->more.armed);
	block_stats(g.block, &st);
	flushes = st.ops[BLOCK_FLUSH];
	cr_expect_gt(flushes, 0);
	for (unsigned n = 0; n < 20; n++) {
		clock_run(&clk);
		block_drain(g.block);
	}
	block_stats(g.block, &st);
	cr_expect_gt(st.ops[BLOCK_FLUSH], flushes + 20);
	cr_assert_eq(command(15, slot, 0, 3 << 16).code, STOPPED);
}

Test(xhci, full_event_ring)
{
	struct event e;
	unsigned n = 0;

	for (unsigned i = 0; i < NEVENTS + 10; i++)
		put_trb(CMDS + 16 * cmd_at++, 0, 0, 23 << 10 | 1);
	while (reap().type)
		;
	wr(DB, 0);
	/* the guest does not read: commands wait */
	cr_assert_lt((x->crcr - CMDS) / 16, NEVENTS);
	while ((e = reap()).type) {
		cr_assert_eq(e.code, SUCCESS);
		n++;
	}
	cr_assert_eq(n, NEVENTS + 10);
}

Test(xhci, no_bus_master)
{
	pci_config_write(&x->func, PCI_COMMAND, PCI_CMD_MEM, 2);
	wr(DB, 0);
	cr_assert_eq(rd(OPER + 4) & 4, 4);
}

/* What is plugged into a running controller, and into a hub there, is seen; and gone when it is unplugged. */
Test(xhci, hub_and_hot_plug)
{
	struct usb_hub *hub = calloc(1, sizeof(*hub));
	struct usb_hid *mouse = calloc(1, sizeof(*mouse));
	unsigned slot, at;
	struct event e;
	char err[128];

	while (reap().type)
		;
	usb_hub_init(hub, NULL);
	cr_assert_eq(usb_attach(&hub->usb, buses, NULL, NULL, "h", err, sizeof(err)), 0);
	e = reap();
	cr_assert_eq(e.type, 34);
	cr_assert_eq(e.parameter >> 24, 8);
	slot = configure(8);
	usb_hid_init(mouse, HID_MOUSE, NULL, &clk, &input);
	cr_assert_eq(usb_attach(&mouse->usb, buses, "x.0", "4.2", "m", err, sizeof(err)), 0);
	cr_assert_eq(mouse->usb.speed, USB_FULL);
	add(slot, 3, DATA, 2, NORMAL << 10 | IOC);
	kick(slot, 3);
	cr_assert_eq(reap().type, 0);
	cr_assert_eq(control(slot, 0x0002000800000323, 0, 0).code, STALL, "no port 0");
	command(14, slot, 0, 1 << 16);
	command(16, slot, (ring(slot, 1) + 16 * ring_at[slot][1]) | 1, 1 << 16);
	cr_assert_eq(control(slot, 0x0000000200080323, 0, 0).code, SUCCESS, "power");
	cr_assert_eq(reap().dci, 3, "it tells of the mouse");
	cr_assert_eq(get(&g, DATA, 2), 1 << 2);
	/* not before it is enabled; then by its route, once */
	at = command(9, 0, 0, 0).slot;
	put(&g, DCBAA + 8 * at, CTX + 0x400 * at, 8);
	put(&g, INPUT + 4, 3, 4);
	put(&g, INPUT + 32, 1 << 27 | 2, 4);
	cr_assert_neq(command(11, at, INPUT, 0).code, SUCCESS);
	cr_assert_eq(control(slot, 0x0000000200040323, 0, 0).code, SUCCESS);
	command(10, at, 0, 0);
	at = address_behind(8, 2);
	cr_assert_eq(mouse->usb.address, at);
	cr_assert_eq(control(at, 0x0012000001000680, DATA, 18).code, SUCCESS);
	cr_assert_eq(get(&g, DATA, 2), 0x112);

	usb_detach(&mouse->usb);
	cr_assert_eq(control(at, 0x0012000001000680, DATA, 18).code, 4, "nobody answers");
	usb_detach(&hub->usb);
	e = reap();
	cr_assert_eq(e.type, 34);
	cr_assert_eq(e.parameter >> 24, 8);
	cr_assert_eq(rd(PORTS + 16 * 7) & 3, 0);
	cr_assert_eq(control(slot, 0x0012000001000680, DATA, 18).code, 4);
	usb_hid_fini(mouse);
	free(mouse);
	free(hub);
}
