/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * An xHCI and a UHCI with a disk, a CD-ROM, hubs, a keyboard, a mouse and a tablet, which come and go, and drivers
 * that lie to them.
 */
#include <stdlib.h>
#include <string.h>

#include "hw/usb/uhci.h"
#include "hw/usb/usb_hid.h"
#include "hw/usb/usb_hub.h"
#include "hw/usb/usb_storage.h"
#include "hw/usb/xhci.h"
#include "tests/fuzz/fuzz.h"

static struct {
	struct xhci x;
	struct uhci u;
	struct usb_storage disk, cd;
	struct usb_hid kbd, tablet, mouse;
	struct usb_hub hub;
	struct input input;
	struct usb_bus *buses;
} * usb;

static void attach(struct usb_device *d, const char *port)
{
	char err[128];

	usb_attach(d, usb->buses, NULL, port, "", err, sizeof(err));
}

/* Out, or in again. */
static void replug(struct usb_device *d, const char *port)
{
	if (d->bus)
		usb_detach(d);
	else
		attach(d, port);
}

static void plug(const char *hub_port, const char *kbd_port)
{
	usb_storage_init(&usb->disk, world.disk, NULL);
	usb_hub_init(&usb->hub, NULL);
	usb_hid_init(&usb->kbd, HID_KEYBOARD, NULL, world.clock, &usb->input);
	attach(&usb->disk.usb, "1");
	attach(&usb->hub.usb, hub_port);
	attach(&usb->kbd.usb, kbd_port);
	fuzz_add(&usb->disk.usb.dev);
	fuzz_add(&usb->disk.dev);
	fuzz_add(&usb->disk.scsi.dev);
	fuzz_add(&usb->hub.usb.dev);
	fuzz_add(&usb->hub.dev);
	fuzz_add(&usb->kbd.usb.dev);
	fuzz_add(&usb->kbd.dev);
}

static void unplug(void)
{
	usb_storage_fini(&usb->disk);
	usb_hid_fini(&usb->kbd);
}

/* Plugged in are these, where they were. */
static void reset_all(struct usb_device *a, const char *a_port, struct usb_device *b,
		      const char *b_port)
{
	usb_detach(&usb->disk.usb);
	usb_detach(a);
	usb_detach(b);
	attach(&usb->disk.usb, "1");
	attach(a, a_port);
	attach(b, b_port);
	for (struct device *dev = world.devices; dev; dev = dev->next)
		device_reset(dev);
}

static void xhci_init_all(void)
{
	const struct xhci_options o = {0};

	usb = calloc(1, sizeof(*usb));
	input_init(&usb->input);
	xhci_init(&usb->x, world.clock, &o, NULL, &usb->buses);
	fuzz_pci_add(&usb->x.func);
	fuzz_add(&usb->x.state);
	plug("4", "3");
	usb_storage_init(&usb->cd, world.cd, NULL);
	usb_hid_init(&usb->tablet, HID_TABLET, NULL, world.clock, &usb->input);
	attach(&usb->cd.usb, "2");
	attach(&usb->tablet.usb, "4.2");
	fuzz_add(&usb->cd.usb.dev);
	fuzz_add(&usb->cd.dev);
	fuzz_add(&usb->cd.scsi.dev);
	fuzz_add(&usb->tablet.usb.dev);
	fuzz_add(&usb->tablet.dev);
}

static void xhci_reset(void)
{
	reset_all(&usb->kbd.usb, "3", &usb->tablet.usb, "4.2");
}

static void put_trb(uint64_t at, uint64_t parameter, uint32_t status, uint32_t control)
{
	put(at, one_in(128) ? value() : parameter, 8);
	put(at + 8, one_in(128) ? value() : status, 4);
	put(at + 12, (one_in(128) ? value() : control) | 1, 4);
}

/* Rings: commands at 1000h, events at 2000h, of endpoint e at 4000h + 400h * e; contexts above 8000h. */
static void xhci_start(uint64_t regs)
{
	static const uint8_t ports[] = {1, 2, 7, 8};
	unsigned dev = below(4), n = 0;

	memset(world.ram->host, 0, STRUCTS);
	put(regs + 0x40, 2, 4);
	put(0x3000, 0x2000, 8);
	put(0x3008, 16u << below(5), 4);
	put(regs + 0x78, 1 + below(16), 4);
	put(regs + 0x70, 0x3100, 8);
	put(regs + 0x58, 0x1001, 8);
	put(regs + 0x1028, 1, 4);
	put(regs + 0x1038, 0x2000, 8);
	put(regs + 0x1030, 0x3000, 8);
	put(regs + 0x1020, 2, 4);
	put(regs + 0x40, 5, 4);
	for (unsigned i = 0; i < 8; i++)
		put(regs + 0x440 + 16 * i, 0x210, 4);
	put(0x3108, 0x8000, 8);
	put(0x9004, one_in(32) ? value() : 3, 4);
	put(0x9020, 1u << 27 | (dev == 3 && one_in(2) ? 2 : 0), 4); /* the hub, or behind it */
	put(0x9024, (unsigned)ports[dev] << 16, 4);
	for (unsigned dci = 1; dci <= 4; dci++) {
		static const uint8_t type[] = {0, 4, 2, 7, 2};
		unsigned t = dci == 3 && dev < 2 ? 6 : type[dci];

		put(0x9020 + 0x20 * dci + 4, t << 3 | 512u << 16, 4);
		put(0x9020 + 0x20 * dci + 8, (0x4000 + 0x400 * dci) | 1, 8);
	}
	put_trb(0x1000 + 16 * n++, 0, 0, 9 << 10);
	put_trb(0x1000 + 16 * n++, 0x9000, 0, 11 << 10 | 1 << 24);
	put(regs + 0x2000, 0, 4);
	put(0x9004, 1 | 3 << 3, 4);
	put_trb(0x1000 + 16 * n++, 0x9000, 0, 12 << 10 | 1 << 24);
	put(regs + 0x2000, 0, 4);
	if (usb->x.bus.dev[dev])
		usb->x.bus.dev[dev]->configuration = 1;
	usb->hub.status[1] |= 0x103;
	usb->tablet.usb.configuration = 1;
}

static void xhci_command(void)
{
	uint64_t at = usb->x.crcr;

	if (at >= STRUCTS)
		return;
	put_trb(at, one_in(2) ? 0x9000 : 0x4001 + 0x400 * below(5), 0,
		(9 + below(16)) << 10 | 1u << 24 | below(5) << 16 | (one_in(4) ? 1u << 9 : 0));
}

static uint64_t a_setup(void)
{
	static const uint8_t requests[] = {0, 1, 3, 5, 6, 8, 9, 10, 11, 0xfe, 0xff, 48};

	if (one_in(8)) /* a hub's port gets or loses a feature */
		return 0x23 | (one_in(2) ? 0x100 : 0x300) | (uint64_t)below(24) << 16 |
		       (uint64_t)(1 + below(8)) << 32;
	return below(4) | (one_in(2) ? 0x80 : 0) | (one_in(2) ? 0x20 : 0) |
	       (uint64_t)requests[below(sizeof(requests))] << 8 |
	       (uint64_t)below(one_in(4) ? 0x4000 : 8) << 16 |
	       (uint64_t)(one_in(4) ? below(0x40) : below(9)) << 24 | (value() & 0xff) << 32 |
	       (uint64_t)below(600) << 48;
}

/* A command for a disk, which may make sense. */
static void put_cbw(uint64_t at)
{
	struct fuzz_scsi c;

	fuzz_scsi_command(&c);
	put(at, 0x43425355, 4);
	put(at + 8, one_in(4) ? value() : 512 * below(300), 4);
	put(at + 12, one_in(2) ? 0x80 : 0, 1);
	put(at + 13, 0, 1);
	put(at + 14, sizeof(c.cdb), 1);
	memcpy(world.ram->host + at + 15, c.cdb, sizeof(c.cdb));
	if (one_in(2)) { /* READ(10) or WRITE(10), mostly within the medium */
		bool write = one_in(2);

		put(at + 12, one_in(16) == write ? 0x80 : 0, 1);
		put(at + 15, write ? 0x2a : 0x28, 8);
		put(at + 19, below(9), 1);
		put(at + 22, below(2), 2);
		put(at + 23, value(), 1);
	}
}

static void xhci_td(unsigned dci)
{
	uint64_t at = usb->x.ep[dci - 1].dequeue, data = FUZZ_RAM / 2 + 0x1000 * below(64);
	uint32_t more = 0x20 | (one_in(2) ? 4 : 0) | (one_in(4) ? 0x10 : 0);

	if (at >= STRUCTS)
		return;
	if (dci == 1) {
		uint64_t setup = a_setup();

		put_trb(at, setup, 8, 2 << 10 | 0x40 | below(2) << 5);
		put_trb(at + 16, data, below(600), 3 << 10 | (one_in(2) ? 1u << 16 : 0) | more);
		put_trb(at + 32, 0, 0, 4 << 10 | below(2) << 16 | 0x20);
	} else {
		uint32_t len = one_in(2) ? 512 * below(200) : below(64);

		if (dci == 4 && one_in(2)) { /* a command */
			len = 31;
			more = 0x20;
			put_cbw(data);
		}
		put_trb(at, data, len, 1 << 10 | more);
		put_trb(at + 16, data, one_in(2) ? 13 : below(0x20000), 1 << 10 | 0x20);
		put_trb(at + 32, one_in(2) ? 0x4000 + 0x400 * dci : at, 0, 6 << 10 | below(2) << 1);
	}
	if (one_in(8))
		put_trb(at + 16 * below(3), value(), 0, (6 + below(3)) << 10 | 0x30);
}

static void xhci_round(void)
{
	uint64_t regs = bar(&usb->x.func, 0);

	if (one_in(16) || usb->x.usbsts & 5 || !usb->x.slot[0].enabled)
		xhci_start(regs);
	for (unsigned k = below(8); k < 8; k++) {
		unsigned dci = one_in(4) ? 1 + below(2) : 3 + below(2);

		if (one_in(16)) {
			xhci_command();
			put(regs + 0x2000, 0, 4);
		}
		/* What has failed is soon as good as new, or nothing would get far. */
		if (one_in(4) && usb->x.ep[dci - 1].state > 1) {
			usb->x.ep[dci - 1].state = 1;
			usb->disk.usb.halted[0] = usb->disk.usb.halted[1] = 0;
			usb->cd.usb.halted[0] = usb->cd.usb.halted[1] = 0;
			usb->disk.scsi.attention = 0;
			/* Not while the disk has a request of theirs. */
			if (one_in(4) && !usb->disk.busy && !usb->cd.busy)
				usb->disk.state = usb->cd.state = 0;
		}
		xhci_td(dci);
		put(regs + 0x2004, dci, 4);
		if (one_in(4))
			input_key(&usb->input, (enum key)below(NR_KEYS), one_in(2));
		if (one_in(4))
			input_pointer(&usb->input,
				      &(struct input_pointer){.x = (int)next(), .absolute = true});
		if (one_in(2))
			put(regs + 0x1038, 0x2008 + 16ull * usb->x.intr[0].enqueue, 8);
		if (one_in(32))
			replug(&usb->disk.usb, "1");
		if (one_in(32))
			replug(&usb->kbd.usb, "3");
		if (one_in(32))
			replug(&usb->tablet.usb, "4.2");
		if (one_in(4))
			drain();
		fuzz_step(1000000);
	}
	noise(one_in(4));
	if (one_in(16))
		fuzz_media();
	if (one_in(8))
		any_access(&usb->x.func);
}

static void xhci_fini_all(void)
{
	unplug();
	usb_storage_fini(&usb->cd);
	usb_hid_fini(&usb->tablet);
	xhci_fini(&usb->x);
	free(usb);
}

/* ---- UHCI ---- */

static void uhci_init_all(void)
{
	usb = calloc(1, sizeof(*usb));
	input_init(&usb->input);
	uhci_init(&usb->u, world.clock, &uhci_models[0], NULL, &usb->buses);
	fuzz_pci_add(&usb->u.func);
	fuzz_add(&usb->u.state);
	plug("2", "2.3");
	usb_hid_init(&usb->mouse, HID_MOUSE, NULL, world.clock, &usb->input);
	attach(&usb->mouse.usb, "2.4");
	fuzz_add(&usb->mouse.usb.dev);
	fuzz_add(&usb->mouse.dev);
}

static void uhci_reset(void)
{
	reset_all(&usb->kbd.usb, "2.3", &usb->mouse.usb, "2.4");
}

/* The frame list is at 1000h; below STRUCTS there are 64 queues from 2000h on, and as many TDs from 3000h on. */
static uint32_t a_link(void)
{
	if (one_in(16))
		return (uint32_t)value();
	return one_in(4)   ? 1
	       : one_in(2) ? (0x2000 + 16 * below(64)) | 2
			   : (0x3000 + 16 * below(64)) | (one_in(2) ? 4 : 0);
}

static void put_td(uint64_t at)
{
	static const uint8_t pids[] = {0xe1, 0x69, 0x2d, 0x69};
	uint64_t data = FUZZ_RAM / 2 + 0x1000 * below(64);
	unsigned len = one_in(2) ? 8 + 56 * below(2) : below(0x520), pid = pids[below(4)];
	unsigned ep = pid == 0x2d ? 0 : one_in(4) ? below(16) : pid == 0x69 ? 1 : 2;

	if (pid == 0x2d) {
		len = 8;
		put(data, a_setup(), 8);
	} else if (pid == 0xe1 && one_in(2)) {
		len = 31;
		put_cbw(data);
	} else if (one_in(4)) {
		ep = 0;
	}
	put(at, a_link(), 4);
	put(at + 4,
	    (one_in(8) ? 0 : 1u << 23) | below(4) << 27 | (uint32_t)below(2) << 24 |
		(uint32_t)below(2) << 29 | (one_in(16) ? 1u << 25 : 0),
	    4);
	put(at + 8,
	    (len - 1) << 21 | ep << 15 | (one_in(8) ? below(128) : 1 + below(4)) << 8 |
		(one_in(64) ? below(256) : pid),
	    4);
	put(at + 12, one_in(64) ? value() : data, 4);
}

static void uhci_start(void)
{
	uint64_t io = bar(&usb->u.func, 4);

	out(io, 2, 2);
	usb->kbd.usb.address = 3;
	usb->kbd.usb.configuration = 1;
	usb->mouse.usb.address = 4;
	usb->mouse.usb.configuration = 1;
	for (unsigned i = 0; i < 2; i++) {
		out(io + 0x10 + 2 * i, 4, 2);
		if (!usb->u.bus.dev[i])
			continue;
		usb->u.bus.dev[i]->address = (uint8_t)(1 + i);
		usb->u.bus.dev[i]->configuration = 1;
	}
	for (unsigned i = 0; i < 1024; i += 1 + below(32))
		put(0x1000 + 4 * i, a_link(), 4);
	for (unsigned i = 0; i < 64; i++) {
		put(0x2000 + 16 * i, a_link(), 4);
		put(0x2004 + 16 * i, a_link(), 4);
		put_td(0x3000 + 16 * i);
	}
	out(io + 8, one_in(64) ? value() : 0x1000, 4);
	out(io + 4, 15, 2);
	out(io, 1, 2);
}

static void uhci_round(void)
{
	uint64_t io = bar(&usb->u.func, 4);

	if (one_in(16) || usb->u.usbsts & 0x20)
		uhci_start();
	for (unsigned k = below(8); k < 8; k++) {
		put_td(0x3000 + 16 * below(64));
		put(0x2004 + 16 * below(64), a_link(), 4);
		if (one_in(8)) {
			usb->disk.usb.halted[0] = usb->disk.usb.halted[1] = 0;
			usb->disk.scsi.attention = 0;
			usb->disk.state = 0;
		}
		if (one_in(4))
			input_key(&usb->input, (enum key)below(NR_KEYS), one_in(2));
		if (one_in(32))
			replug(&usb->disk.usb, "1");
		if (one_in(32))
			replug(&usb->kbd.usb, one_in(2) ? "2.3" : "2.8");
		if (one_in(32))
			replug(&usb->mouse.usb, "2.4");
		if (one_in(4))
			input_pointer(&usb->input, &(struct input_pointer){.x = (int)next()});
		if (one_in(8))
			usb->hub.status[below(8)] |= 0x103;
		if (one_in(8))
			out(io + 0x10 + 2 * below(2), value(), 2);
		if (one_in(16))
			out(io + 2 * below(10), value(), 2);
		if (one_in(4))
			drain();
		fuzz_step(1000000ull * (1 + (one_in(32) ? below(100) : 0)));
	}
	noise(one_in(4));
	if (one_in(8))
		any_access(&usb->u.func);
}

static void uhci_fini_all(void)
{
	unplug();
	usb_hid_fini(&usb->mouse);
	uhci_fini(&usb->u);
	free(usb);
}

const struct fuzz_device fuzz_usb[] = {
    {"xhci", xhci_init_all, xhci_reset, xhci_round, xhci_fini_all, NULL},
    {"uhci", uhci_init_all, uhci_reset, uhci_round, uhci_fini_all, NULL},
    {0},
};
