/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The UHCI with a keyboard and a disk, driven through registers and a schedule in memory.
 */
#include <limits.h>

#include "disks.h"
#include "hw/usb/uhci.h"
#include "hw/usb/usb_hid.h"
#include "hw/usb/usb_hub.h"
#include "hw/usb/usb_storage.h"

#define SECTORS 64u
#define LIST    0x1000u
#define QH      0x3000u
#define TDS     0x4000u
#define DATA    0x10000u
#define MS      1000000u

enum { CMD = 0, STS = 2, INTR = 4, FRNUM = 6, FLBASE = 8, PORTSC = 0x10 };
enum { OUT = 0xe1, IN = 0x69, SETUP = 0x2d };
enum { END = 1, Q = 2, DEPTH = 4 };
#define ACTIVE  (1u << 23)
#define STALLED (1u << 22)
#define NAK     (1u << 19)
#define TIMEOUT (1u << 18)
#define IOC     (1u << 24)
#define SPD     (1u << 29)
#define ERRORS3 (3u << 27)

static struct rig g;
static struct clock clk;
static struct input input;
static struct usb_bus *buses;
static struct uhci *u;
static struct usb_hid *kbd;
static struct usb_storage *disk;
static uint64_t io;
static unsigned nr_tds;

static unsigned rd(unsigned off)
{
	return (unsigned)aspace_read(&g.io, io + off, 2);
}

static void wr(unsigned off, unsigned v)
{
	aspace_write(&g.io, io + off, v, 2);
}

/* A TD behind those that are there, and linked from the last. */
static uint64_t td(unsigned pid, unsigned address, unsigned ep, unsigned len, uint64_t buf,
		   uint32_t ctrl)
{
	uint64_t at = TDS + 32 * nr_tds;

	if (nr_tds)
		put(&g, at - 32, at | DEPTH, 4);
	nr_tds++;
	put(&g, at, END, 4);
	put(&g, at + 4, ACTIVE | ERRORS3 | ctrl, 4);
	put(&g, at + 8, ((len - 1) & 0x7ff) << 21 | ep << 15 | address << 8 | pid, 4);
	put(&g, at + 12, buf, 4);
	return at;
}

static uint32_t ctrl_of(uint64_t at)
{
	return (uint32_t)get(&g, at + 4, 4);
}

static unsigned moved(uint64_t at)
{
	return (ctrl_of(at) + 1) & 0x7ff;
}

/* Puts the TDs so far into the queue, and lets n frames pass. */
static void go(unsigned n)
{
	put(&g, QH + 4, TDS, 4);
	clock_step(&clk, (uint64_t)n * MS);
}

static void empty(void)
{
	nr_tds = 0;
	put(&g, QH, END, 4);
	put(&g, QH + 4, END, 4);
}

/* A whole control transfer; how many bytes are at DATA, or -1 after a stall. */
static int control(unsigned address, unsigned type, unsigned request, unsigned value,
		   unsigned index, unsigned len)
{
	uint64_t data = 0, status;

	empty();
	put(&g, DATA + 0x1000,
	    type | request << 8 | (uint64_t)value << 16 | (uint64_t)index << 32 |
		(uint64_t)len << 48,
	    8);
	td(SETUP, address, 0, 8, DATA + 0x1000, 0);
	if (len)
		data = td(type & 0x80 ? IN : OUT, address, 0, len, DATA, 0);
	status = td(type & 0x80 ? OUT : IN, address, 0, 0, 0, IOC);
	go(1);
	if ((data && ctrl_of(data) & STALLED) || ctrl_of(status) & STALLED)
		return -1;
	cr_assert_eq(ctrl_of(status) & ACTIVE, 0);
	return data ? (int)moved(data) : 0;
}

/* Brings the device at a port to the address and its configuration. */
static void enumerate(unsigned port, unsigned address)
{
	wr(PORTSC + 2 * port, 1 << 9);
	wr(PORTSC + 2 * port, 0);
	wr(PORTSC + 2 * port, 1 << 2 | 1 << 1);
	cr_assert_eq(control(0, 0, 5, address, 0, 0), 0);
	cr_assert_eq(control(address, 0, 9, 1, 0, 0), 0);
}

static void init(void)
{
	char err[128];

	rig_init(&g);
	clock_init(&clk, true);
	input_init(&input);
	buses = NULL;
	u = calloc(1, sizeof(*u));
	kbd = calloc(1, sizeof(*kbd));
	disk = calloc(1, sizeof(*disk));
	cr_assert_eq(uhci_init(u, &clk, &uhci_models[0], "u", &buses), 0);
	rig_plug(&g, &u->func);
	io = rig_bar(&u->func, 4);
	device_reset(&u->state);
	usb_hid_init(kbd, HID_KEYBOARD, NULL, &clk, &input);
	cr_assert_eq(usb_attach(&kbd->usb, buses, "u.0", "1", "usb-kbd", err, sizeof(err)), 0);
	cr_assert_eq(usb_storage_init(disk, rig_disk(&g, SECTORS * 512, false), NULL), 0);
	cr_assert_eq(usb_attach(&disk->usb, buses, NULL, NULL, "usb-storage", err, sizeof(err)), 0);
	for (unsigned i = 0; i < 1024; i++)
		put(&g, LIST + 4 * i, QH | Q, 4);
	empty();
	wr(FLBASE, LIST);
	wr(FLBASE + 2, 0);
	wr(INTR, 15);
	wr(CMD, 1);
	cr_assert_eq(rd(STS) & 0x20, 0);
}

static void fini(void)
{
	usb_hid_fini(kbd);
	usb_storage_fini(disk);
	uhci_fini(u);
	free(kbd);
	free(disk);
	free(u);
	rig_fini(&g);
}

TestSuite(uhci, .init = init, .fini = fini);

Test(uhci, ports)
{
	cr_assert_eq(rd(PORTSC), 0x93, "connected, changed, an idle full-speed line");
	wr(PORTSC, 2);
	cr_assert_eq(rd(PORTSC), 0x91);
	wr(PORTSC, 1 << 9);
	cr_assert_eq(rd(PORTSC), 0x281);
	wr(PORTSC, 1 << 2);
	cr_assert_eq(rd(PORTSC), 0x95);
	cr_assert_eq(rd(PORTSC + 4) & 0x80, 0, "there is no third port");
	usb_detach(&kbd->usb);
	cr_assert_eq(rd(PORTSC), 0x8a, "gone: both changes");
	wr(PORTSC, 0xa | 4);
	cr_assert_eq(rd(PORTSC), 0x80, "nothing there to enable");
}

Test(uhci, control_transfers)
{
	enumerate(0, 5);
	cr_assert_eq(kbd->usb.address, 5);
	cr_assert_eq(kbd->usb.configuration, 1);
	cr_assert_eq(control(5, 0x80, 6, 0x100, 0, 18), 18);
	cr_assert_eq(get(&g, DATA, 8), 0x4000000001100112, "USB 1.1, packets of 64 bytes");
	cr_assert_eq(control(5, 0x80, 6, 0x200, 0, 64), 34);
	cr_assert_eq(control(5, 0x80, 6, 0x6600, 0, 64), -1, "no such descriptor");
	cr_assert_eq(rd(STS) & 3, 3, "a stall is an error, and the last TD has IOC");
	cr_assert_eq(g.line[pci_func_line(&u->func)], 1);
	wr(STS, 0x1f);
	cr_assert_eq(g.line[pci_func_line(&u->func)], 0);
}

Test(uhci, a_key_wakes_an_idle_controller)
{
	uint64_t at;

	enumerate(0, 5);
	empty();
	at = td(IN, 5, 1, 8, DATA, IOC);
	go(1);
	cr_assert_eq(ctrl_of(at) & (ACTIVE | NAK), ACTIVE | NAK);
	go(200);
	cr_assert_geq(clock_next(&clk), clock_now(&clk));
	cr_assert_leq(clock_next(&clk), clock_now(&clk) + 8 * MS);
	cr_assert_eq(u->idle, 32);
	wr(STS, 0x1f);
	input_key(&input, KEY_A, true);
	go(1);
	cr_assert_eq(ctrl_of(at) & ACTIVE, 0);
	cr_assert_eq(moved(at), 8);
	cr_assert_eq(get(&g, DATA, 8), 4 << 16, "usage 4 is down");
	cr_assert_eq(rd(STS) & 1, 1);
	cr_assert_eq(get(&g, QH + 4, 4) & END, END, "the queue is empty");
}

/* FRNUM counts milliseconds also while frames are executed several at once. */
Test(uhci, frame_numbers)
{
	unsigned first = rd(FRNUM);

	for (unsigned i = 1; i <= 100; i++) {
		clock_step(&clk, MS);
		cr_assert_eq(rd(FRNUM), first + i);
	}
	clock_step(&clk, 5000ull * MS);
	cr_assert_eq(rd(FRNUM), (first + 5100) % 2048);
	wr(CMD, 0);
	cr_assert_eq(clock_next(&clk), UINT64_MAX, "a controller that is off wakes nobody");
	wr(FRNUM, 7);
	cr_assert_eq(rd(FRNUM), 7);
}

static void cbw(unsigned op, unsigned lba, unsigned sectors)
{
	put(&g, DATA + 0x2000, 0x43425355, 4);
	put(&g, DATA + 0x2004, 77, 4);
	put(&g, DATA + 0x2008, sectors * 512, 4);
	put(&g, DATA + 0x200c, op == 0x28 ? 0x80 : 0, 1);
	put(&g, DATA + 0x200d, 10 << 8, 2);
	memset(g.ram.host + DATA + 0x200f, 0, 16);
	put(&g, DATA + 0x200f, op, 1);
	put(&g, DATA + 0x2014, lba, 1);
	put(&g, DATA + 0x2017, sectors, 1);
}

/* Data come as fast as the disk is, because the list ends in itself. */
Test(uhci, a_disk)
{
	uint64_t at = 0, csw;

	enumerate(1, 9);
	disk->scsi.attention = 0;
	for (unsigned write = 0; write < 2; write++) {
		empty();
		put(&g, QH, QH | Q, 4);
		cbw(write ? 0x2a : 0x28, 3, 2);
		td(OUT, 9, 2, 31, DATA + 0x2000, 0);
		for (unsigned i = 0; i < 16; i++)
			at = write ? td(OUT, 9, 2, 64, DATA + 64 * i, 0)
				   : td(IN, 9, 1, 64, DATA + 64 * i, SPD);
		csw = td(IN, 9, 1, 13, DATA + 0x3000, IOC);
		go(1);
		for (unsigned i = 0; i < 4; i++) {
			block_drain(g.block);
			clock_step(&clk, MS);
		}
		cr_assert_eq(ctrl_of(at) & (ACTIVE | STALLED), 0);
		cr_assert_eq(moved(csw), 13);
		cr_assert_eq(get(&g, DATA + 0x3008, 4), 0, "nothing is left over");
		cr_assert_eq(get(&g, DATA + 0x300c, 1), 0, "passed");
		if (!write) {
			cr_assert_eq(get(&g, DATA, 8), 3);
			cr_assert_eq(get(&g, DATA + 512, 8), 4);
			put(&g, DATA + 512, 4444, 8);
		}
	}
	cr_assert_eq(rig_sector(&g, 3), 3);
	cr_assert_eq(rig_sector(&g, 4), 4444);
}

/* What a driver leaves to a queue that stops at a short packet, and to one that does not. */
Test(uhci, short_packets)
{
	uint64_t data, next;

	enumerate(0, 5);
	for (unsigned spd = 0; spd < 2; spd++) {
		empty();
		wr(STS, 0x1f);
		put(&g, DATA + 0x1000, 0x0040000001000680, 8);
		td(SETUP, 5, 0, 8, DATA + 0x1000, 0);
		data = td(IN, 5, 0, 64, DATA, spd ? SPD : 0);
		next = td(OUT, 5, 0, 0, 0, 0);
		go(1);
		cr_assert_eq(moved(data), 18);
		cr_assert_eq(ctrl_of(data) & ACTIVE, 0);
		cr_assert_eq(!!(ctrl_of(next) & ACTIVE), spd);
		cr_assert_eq(rd(STS) & 1, spd);
		cr_assert_eq(get(&g, QH + 4, 4) & ~15u, spd ? data : 0);
	}
}

Test(uhci, nobody_answers)
{
	uint64_t at;

	empty();
	at = td(IN, 99, 1, 8, DATA, 0);
	go(2);
	cr_assert_eq(ctrl_of(at) & (ACTIVE | TIMEOUT), ACTIVE | TIMEOUT);
	go(1);
	cr_assert_eq(ctrl_of(at) & (ACTIVE | STALLED | ERRORS3), STALLED);
	cr_assert_eq(rd(STS) & 2, 2);
}

/* Schedules that no driver makes: each frame ends, and what makes no sense stops the controller. */
Test(uhci, hostile_schedules)
{
	empty();
	put(&g, QH, QH | Q, 4);
	clock_step(&clk, 3 * MS);
	put(&g, QH + 4, QH | Q, 4); /* the element of a queue is the queue */
	clock_step(&clk, 3 * MS);
	put(&g, QH + 4, TDS, 4); /* a TD that links to itself, never active */
	put(&g, TDS, TDS | DEPTH, 4);
	put(&g, TDS + 4, 0, 4);
	clock_step(&clk, 3 * MS);
	put(&g, LIST + 4 * (rd(FRNUM) & 1023u), TDS, 4);
	clock_step(&clk, 3 * MS);
	/* A circle that the first queue is not in. */
	put(&g, QH, (QH + 0x20) | Q, 4);
	put(&g, QH + 4, END, 4);
	put(&g, QH + 0x20, (QH + 0x40) | Q, 4);
	put(&g, QH + 0x24, END, 4);
	put(&g, QH + 0x40, (QH + 0x20) | Q, 4);
	put(&g, QH + 0x44, END, 4);
	clock_step(&clk, 3 * MS);
	cr_assert_eq(rd(STS) & 0x3f, 0);

	empty();
	td(0x12, 0, 0, 8, DATA, 0);
	go(1);
	cr_assert_eq(rd(STS) & 0x3f, 0x30, "no such PID: process error, halted");
	cr_assert_eq(g.line[pci_func_line(&u->func)], 1);
	wr(STS, 0x1f);
	wr(CMD, 1);
	empty();
	td(IN, 0, 0, 8, 0xfff00000, 0);
	go(1);
	cr_assert_eq(rd(STS) & 0x3f, 0x28, "no memory there: host system error");
	wr(STS, 0x1f);
	wr(FLBASE + 2, 0xffff);
	wr(CMD, 1);
	clock_step(&clk, 2 * MS);
	cr_assert_eq(rd(STS) & 0x3f, 0x28);
}

/* A key wakes its port, and a controller that is suspended as a whole. */
Test(uhci, suspend_and_resume)
{
	enumerate(0, 5);
	cr_assert_eq(control(5, 0, 3, 1, 0, 0), 0);
	wr(PORTSC, 1 << 12 | 1 << 2);
	wr(STS, 0x1f);
	cr_assert_eq(usb_find(&u->bus, 5), NULL, "packets do not reach it");
	input_key(&input, KEY_A, true);
	cr_assert_eq(rd(PORTSC) & 1 << 6, 1 << 6);
	cr_assert_eq(rd(STS) & 4, 4);
	wr(PORTSC, 1 << 2);
	cr_assert_eq(usb_find(&u->bus, 5), &kbd->usb);

	wr(CMD, 1 << 3);
	wr(STS, 0x1f);
	cr_assert_eq(clock_next(&clk), UINT64_MAX, "no frames");
	cr_assert_eq(g.line[pci_func_line(&u->func)], 0);
	input_key(&input, KEY_A, false);
	cr_assert_eq(rd(CMD) & 1 << 4, 1 << 4);
	cr_assert_eq(rd(STS) & 4, 4);
	cr_assert_eq(g.line[pci_func_line(&u->func)], 1);
	wr(CMD, 1);
	wr(STS, 0x1f);
	usb_detach(&kbd->usb);
	cr_assert_eq(rd(STS) & 4, 0, "while it runs a change of a port is no resume");
	wr(CMD, 2);
	cr_assert_eq(rd(CMD), 0);
	cr_assert_eq(rd(PORTSC + 2), 0x93);
}

/* As a remote client may send it, and nobody fetches it. */
Test(uhci, movement_beyond_counting)
{
	struct usb_hid *mouse = calloc(1, sizeof(*mouse));
	struct input_pointer far = {.x = INT_MAX, .y = INT_MIN, .dz = INT_MIN};

	usb_hid_init(mouse, HID_MOUSE, NULL, &clk, &input);
	for (unsigned n = 0; n < 3; n++)
		mouse->handler.pointer(mouse->handler.dev, &far);
	cr_assert_eq(mouse->nr, 1);
	cr_assert_eq(mouse->queue[0].x, 0x7fff);
	cr_assert_eq(mouse->queue[0].y, -0x7fff);
	cr_assert_eq(mouse->queue[0].dz, -0x7fff);
	usb_hid_fini(mouse);
	free(mouse);
}

/* Nothing answers behind a hub before its port has power and was reset. */
Test(uhci, hub)
{
	struct usb_hub *hub = calloc(1, sizeof(*hub));
	struct usb_hid *mouse = calloc(1, sizeof(*mouse));
	char err[128], path[64];
	uint64_t at;

	usb_detach(&disk->usb);
	usb_hub_init(hub, NULL);
	usb_hid_init(mouse, HID_MOUSE, NULL, &clk, &input);
	cr_assert_lt(usb_attach(&mouse->usb, buses, NULL, "2.3", "m", err, sizeof(err)), 0);
	cr_assert_str_eq(err, "-device m: port 2.3 of USB bus u.0 does not exist");
	cr_assert_eq(usb_attach(&hub->usb, buses, NULL, NULL, "h", err, sizeof(err)), 0);
	cr_assert_lt(usb_attach(&mouse->usb, buses, NULL, "2.9", "m", err, sizeof(err)), 0);
	cr_assert_lt(usb_attach(&mouse->usb, buses, NULL, "2.3x", "m", err, sizeof(err)), 0);
	cr_assert_lt(usb_attach(&mouse->usb, buses, NULL, "1.3", "m", err, sizeof(err)), 0);
	cr_assert_eq(usb_attach(&mouse->usb, buses, NULL, "2.3", "m", err, sizeof(err)), 0);
	usb_path(&mouse->usb, "x", path, sizeof(path));
	cr_assert_str_eq(path, "usb@2/hub@2/x@3");
	cr_assert_str_eq(mouse->usb.name, "usb-mouse-u.0-2.3");

	enumerate(1, 20);
	cr_assert_eq(control(20, 0xa0, 6, 0x2900, 0, 15), 11);
	cr_assert_eq(get(&g, DATA + 2, 1), 8);
	cr_assert_eq(control(20, 0xa3, 0, 0, 3, 4), 4);
	cr_assert_eq(get(&g, DATA, 4), 0, "no power, nothing seen");
	cr_assert_eq(control(20, 0x23, 3, 8, 3, 0), 0);
	cr_assert_eq(control(20, 0x23, 3, 8, 4, 0), 0);
	cr_assert_eq(control(20, 0xa3, 0, 0, 3, 4), 4);
	cr_assert_eq(get(&g, DATA, 4), 0x10101, "connected, and that has changed");
	empty();
	at = td(IN, 20, 1, 2, DATA, 0);
	go(1);
	cr_assert_eq(moved(at), 2);
	cr_assert_eq(get(&g, DATA, 2), 1 << 3);
	cr_assert_eq(control(20, 0x23, 1, 16, 3, 0), 0);
	cr_assert_eq(usb_find(&u->bus, 0), NULL, "it is not enabled");
	cr_assert_eq(control(20, 0x23, 3, 4, 3, 0), 0);
	cr_assert_eq(control(20, 0xa3, 0, 0, 3, 4), 4);
	cr_assert_eq(get(&g, DATA, 4), 0x100103, "enabled, a reset has ended");
	cr_assert_eq(control(0, 0, 5, 21, 0, 0), 0);
	cr_assert_eq(control(21, 0x80, 6, 0x100, 0, 18), 18);
	cr_assert_eq(control(20, 0x23, 3, 2, 3, 0), 0);
	cr_assert_eq(usb_find(&u->bus, 21), NULL, "suspended");
	cr_assert_eq(control(20, 0x23, 1, 2, 3, 0), 0);
	cr_assert_eq(usb_find(&u->bus, 21), &mouse->usb);

	usb_detach(&mouse->usb);
	cr_assert_eq(control(20, 0xa3, 0, 0, 3, 4), 4);
	cr_assert_eq(get(&g, DATA, 4), 0x150100, "gone");
	cr_assert_eq(control(20, 0x23, 3, 4, 9, 0), -1, "no such port");
	usb_detach(&hub->usb);
	usb_hid_fini(mouse);
	free(mouse);
	free(hub);
}
