/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Small virtio devices, driven through rings: entropy, balloon, serial ports.
 */
#include <errno.h>
#include <sys/stat.h>

#include "disks.h"
#include "hw/virtio/virtio_balloon.h"
#include "hw/virtio/virtio_rng.h"
#include "hw/virtio/virtio_serial.h"
#include "vring.h"

#define BUF 0x20000u

static struct rig g;
static struct clock clk;
static struct vring r;
static uint64_t at;

static void start(struct virtio_pci *v, unsigned queue, uint16_t size)
{
	const uint64_t features = v->offered & ~VIRTIO_F_EVENT_IDX;

	memset(g.ram.host + 0x4000, 0, 0x10000);
	at = rig_bar(&v->func, 4);
	put(&g, at + 20, 0, 1);
	put(&g, at + 20, 3, 1);
	for (unsigned i = 0; i < 2; i++) {
		put(&g, at + 8, i, 4);
		put(&g, at + 12, features >> 32 * i, 4);
	}
	put(&g, at + 20, 11, 1);
	cr_assert_eq(get(&g, at + 20, 1), 11);
	vring_init(&r, &g.mem, false, size, 0x4000);
	put(&g, at + 22, queue, 2);
	put(&g, at + 24, size, 2);
	put(&g, at + 32, r.desc, 8);
	put(&g, at + 40, r.driver, 8);
	put(&g, at + 48, r.device, 8);
	put(&g, at + 28, 1, 2);
	put(&g, at + 20, 15, 1);
}

static void plug(struct virtio_pci *v)
{
	rig_plug(&g, &v->func);
	device_reset(&v->state);
}

static void kick(unsigned queue)
{
	put(&g, at + 0x3000 + 4 * queue, queue, 2);
}

static bool broken(void)
{
	return get(&g, at + 20, 1) & VIRTIO_NEEDS_RESET;
}

static void init(void)
{
	rig_init(&g);
	clock_init(&clk, true);
}

static void fini(void)
{
	rig_fini(&g);
}

TestSuite(virtio_misc, .init = init, .fini = fini, .timeout = 30);

static const struct virtio_pci_options layout = {.features =
						     VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX};

/* ---- entropy ---- */

static unsigned zeroes(uint32_t from, uint32_t len)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < len; i++)
		n += g.ram.host[from + i] == 0;
	return n;
}

Test(virtio_misc, rng_fills_buffers)
{
	static struct virtio_rng d;
	const struct vbuf b[2] = {{BUF, 3000, true}, {BUF + 8192, 5000, true}};
	uint16_t id;
	uint32_t len;

	cr_assert_eq(virtio_rng_init(&d, &clk, UINT64_MAX, 1000, &layout), 0);
	plug(&d.v);
	start(&d.v, 0, 8);
	vring_add(&r, b, 2, 0);
	kick(0);
	cr_assert(vring_used(&r, 2, &id, &len));
	cr_assert_eq(len, 8000);
	cr_assert_lt(zeroes(BUF, 3000), 100);
	cr_assert_lt(zeroes(BUF + 8192, 5000), 100);
	cr_assert_eq(zeroes(BUF + 3000, 192), 192);
	virtio_rng_fini(&d);
}

Test(virtio_misc, rng_keeps_to_its_rate)
{
	static struct virtio_rng d;
	const struct vbuf b = {BUF, 600, true};
	uint16_t id;
	uint32_t len;

	cr_assert_eq(virtio_rng_init(&d, &clk, 0, 10, &layout), -EINVAL);
	cr_assert_eq(virtio_rng_init(&d, &clk, 1000, 10, &layout), 0);
	plug(&d.v);
	start(&d.v, 0, 8);
	for (unsigned i = 0; i < 4; i++)
		vring_add(&r, &b, 1, 0);
	kick(0);
	cr_assert(vring_used(&r, 1, &id, &len));
	cr_assert_eq(len, 600);
	cr_assert(vring_used(&r, 1, &id, &len));
	cr_assert_eq(len, 400);
	cr_assert_not(vring_used(&r, 1, &id, &len));
	kick(0);
	cr_assert_not(vring_used(&r, 1, &id, &len));
	clock_step(&clk, 9999999);
	cr_assert_not(vring_used(&r, 1, &id, &len));
	clock_step(&clk, 1);
	cr_assert(vring_used(&r, 1, &id, &len));
	cr_assert_eq(len, 600);
	cr_assert(vring_used(&r, 1, &id, &len));
	virtio_rng_fini(&d);
}

Test(virtio_misc, rng_requests_without_room_and_out_of_ram)
{
	static struct virtio_rng d;
	struct vbuf b = {BUF, 16, false};
	uint16_t id;
	uint32_t len;

	cr_assert_eq(virtio_rng_init(&d, &clk, UINT64_MAX, 10, &layout), 0);
	plug(&d.v);
	start(&d.v, 0, 8);
	vring_add(&r, &b, 1, 0);
	kick(0);
	cr_assert(vring_used(&r, 1, &id, &len));
	cr_assert_eq(len, 0);
	b = (struct vbuf){RIG_RAM - 8, 16, true};
	vring_add(&r, &b, 1, 0);
	kick(0);
	cr_assert(broken());
	virtio_rng_fini(&d);
}

/* ---- balloon ---- */

static const struct virtio_balloon_options reporting = {.free_page_reporting = true};

static uint64_t resident(void)
{
	struct stat st;

	cr_assert_eq(fstat(g.ram.fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

static void set_pfns(const uint32_t *pfn, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		put(&g, BUF + 4 * i, pfn[i], 4);
}

Test(virtio_misc, balloon_gives_pages_back)
{
	static struct virtio_balloon d;
	const uint32_t pfn[] = {0x203, 0x202, 0x201, 0x300, 0x301, 0x310, 0xffffffff, 0x3ff, 0x400};
	const struct vbuf b = {BUF, sizeof(pfn), false};
	uint64_t before;
	uint16_t id;
	uint32_t len;

	cr_assert_eq(virtio_balloon_init(&d, &clk, &reporting, &layout), 0);
	plug(&d.v);
	start(&d.v, 0, 64);
	memset(g.ram.host + 0x100000, 0x55, 0x300000);
	before = resident();
	set_pfns(pfn, sizeof(pfn) / sizeof(pfn[0]));
	vring_add(&r, &b, 1, 0);
	kick(0);
	cr_assert(vring_used(&r, 1, &id, &len));
	cr_assert_eq(len, 0);
	cr_assert_leq(resident(), before);
	for (unsigned i = 0; i < 8; i++)
		if (pfn[i] != 0xffffffff)
			cr_assert_eq(zeroes(pfn[i] << 12, 4096), 4096, "%x", pfn[i]);
	cr_assert_eq(zeroes(0x200000, 4096), 0);
	cr_assert_eq(zeroes(0x204000, 4096), 0);
	cr_assert_eq(zeroes(0x302000, 4096), 0);
	/* deflating touches nothing */
	start(&d.v, 1, 64);
	put(&g, BUF, 0x204, 4);
	vring_add(&r, &b, 1, 0);
	kick(1);
	cr_assert(vring_used(&r, 1, &id, &len));
	cr_assert_eq(zeroes(0x204000, 4096), 0);
	virtio_balloon_fini(&d);
}

Test(virtio_misc, balloon_reports_free_pages)
{
	static struct virtio_balloon d;
	const struct vbuf b[2] = {{0x200000, 0x100000, true}, {0x300800, 0x2000, true}};
	uint16_t id;
	uint32_t len;

	cr_assert_eq(virtio_balloon_init(&d, &clk, &reporting, &layout), 0);
	plug(&d.v);
	start(&d.v, 2, 64);
	memset(g.ram.host + 0x100000, 0x55, 0x300000);
	vring_add(&r, b, 2, 0);
	kick(2);
	cr_assert(vring_used(&r, 2, &id, &len));
	cr_assert_eq(zeroes(0x200000, 0x100000), 0x100000);
	cr_assert_eq(zeroes(0x300000, 0x1000), 0, "not the whole page was reported");
	cr_assert_eq(zeroes(0x301000, 0x1000), 0x1000);
	cr_assert_eq(zeroes(0x302000, 0x1000), 0);
	virtio_balloon_fini(&d);
}

Test(virtio_misc, balloon_asks)
{
	static struct virtio_balloon d;
	const struct virtio_balloon_options o = {.deflate_on_oom = true};

	cr_assert_eq(virtio_balloon_init(&d, &clk, &o, &layout), 0);
	plug(&d.v);
	start(&d.v, 0, 64);
	cr_assert_eq(d.v.nr_queues, 2);
	cr_assert(d.v.offered & 4);
	virtio_balloon_ask(&d, 1000);
	cr_assert_eq(get(&g, at + 0x1000, 1), 2, "the configuration has changed");
	cr_assert_eq(get(&g, at + 0x2000, 4), 1000);
	put(&g, at + 0x2000, 5, 4);
	cr_assert_eq(get(&g, at + 0x2000, 4), 1000, "the driver cannot write it");
	put(&g, at + 0x2004, 77, 4);
	cr_assert_eq(virtio_balloon_actual(&d), 77);
	virtio_balloon_fini(&d);
}

/* Much work comes in parts, between which the machine goes on; too much in one chain is refused. */
Test(virtio_misc, balloon_bounds_its_work)
{
	static struct virtio_balloon d;
	struct vbuf b = {BUF, 0x10000, false};
	uint16_t id;
	uint32_t len;
	unsigned n = 0;

	cr_assert_eq(virtio_balloon_init(&d, &clk, &reporting, &layout), 0);
	plug(&d.v);
	start(&d.v, 0, 64);
	for (unsigned i = 0; i < b.len / 4; i++)
		put(&g, BUF + 4 * i, 0x200 + (i & 1 ? i % 256 : 300), 4);
	for (unsigned i = 0; i < 4; i++)
		vring_add(&r, &b, 1, 0);
	kick(0);
	while (vring_used(&r, 1, &id, &len))
		n++;
	cr_assert_eq(n, 1);
	clock_step(&clk, 1);
	while (vring_used(&r, 1, &id, &len))
		n++;
	cr_assert_eq(n, 4);
	b.len = 0x40004;
	vring_add(&r, &b, 1, 0);
	kick(0);
	cr_assert(broken());
	virtio_balloon_fini(&d);
}

/* ---- serial ports ---- */

static struct virtio_serial serial;
static struct vring control, in, out;

static struct {
	struct chardev c;
	uint8_t got[8192];
	size_t len;
	unsigned accepts;
} chr;

static size_t chr_write(struct chardev *c, const uint8_t *buf, size_t len)
{
	(void)c;
	cr_assert_leq(chr.len + len, sizeof(chr.got));
	memcpy(chr.got + chr.len, buf, len);
	chr.len += len;
	return len;
}

static void chr_accept(struct chardev *c)
{
	(void)c;
	chr.accepts++;
}

static void queue(struct vring *q, unsigned n, uint64_t ring)
{
	vring_init(q, &g.mem, false, 16, ring);
	put(&g, at + 22, n, 2);
	put(&g, at + 24, 16, 2);
	put(&g, at + 32, q->desc, 8);
	put(&g, at + 40, q->driver, 8);
	put(&g, at + 48, q->device, 8);
	put(&g, at + 28, 1, 2);
}

/* A port 3 with a name, and a driver that has four of the device's queues. */
static struct virtio_serial_port *plug_serial(void)
{
	struct virtio_serial_port_options o = {.nr = 3, .name = "a.name", .chr = &chr.c};
	struct virtio_serial_port *p;
	int r;

	memset(&chr, 0, sizeof(chr));
	chr.c.write = chr_write;
	chr.c.accept_input = chr_accept;
	cr_assert_eq(virtio_serial_init(&serial, 32, &layout), -EINVAL);
	cr_assert_eq(virtio_serial_init(&serial, 4, &layout), 0);
	p = virtio_serial_add(&serial, &o, &r);
	cr_assert_not_null(p);
	cr_assert_null(virtio_serial_add(&serial, &o, &r));
	cr_assert_eq(r, -EBUSY);
	o.nr = 4;
	cr_assert_null(virtio_serial_add(&serial, &o, &r));
	cr_assert_eq(r, -EINVAL);
	plug(&serial.v);
	start(&serial.v, 3, 16); /* control messages to the device: in r */
	put(&g, at + 20, 11, 1);
	queue(&control, 2, 0x8000);
	queue(&in, 8, 0xa000);
	queue(&out, 9, 0xc000);
	put(&g, at + 20, 15, 1);
	return p;
}

static void say(uint32_t port, unsigned event, unsigned value)
{
	const struct vbuf b = {BUF, 8, false};
	uint16_t id;
	uint32_t len;

	put(&g, BUF, port, 4);
	put(&g, BUF + 4, event, 2);
	put(&g, BUF + 6, value, 2);
	vring_add(&r, &b, 1, 0);
	kick(3);
	cr_assert(vring_used(&r, 1, &id, &len));
}

/* The next message of the device: port << 24 | event << 16 | value, or 0. */
static uint32_t hear(void)
{
	const struct vbuf b = {BUF + 0x1000, 64, true};
	uint16_t id;
	uint32_t len;

	memset(g.ram.host + BUF + 0x1000, 0, 64);
	vring_add(&control, &b, 1, 0);
	kick(2);
	if (!vring_used(&control, 1, &id, &len)) {
		control.avail--; /* taken back */
		aspace_write(&g.mem, control.driver + 2, control.avail, 2);
		return 0;
	}
	return (uint32_t)(get(&g, BUF + 0x1000, 4) << 24 | get(&g, BUF + 0x1004, 2) << 16 |
			  get(&g, BUF + 0x1006, 2));
}

Test(virtio_misc, serial_tells_of_its_ports)
{
	plug_serial();
	cr_assert_eq(get(&g, at + 0x2004, 4), 4);
	say(0, 0, 1);
	cr_assert_eq(hear(), 0x03010001, "added");
	cr_assert_eq(hear(), 0);
	say(7, 3, 1);
	say(0, 3, 1);
	cr_assert_eq(hear(), 0, "there are no such ports");
	say(3, 3, 1);
	cr_assert_eq(hear(), 0x03070001);
	cr_assert_str_eq((char *)g.ram.host + BUF + 0x1008, "a.name");
	cr_assert_eq(hear(), 0x03060001, "open");
	cr_assert_eq(hear(), 0);
	chardev_closed(&chr.c, true);
	cr_assert_eq(hear(), 0x03060000);
	virtio_serial_fini(&serial);
}

Test(virtio_misc, serial_moves_bytes)
{
	struct virtio_serial_port *p = plug_serial();
	const struct vbuf small = {BUF + 0x2000, 10, true}, hello = {BUF + 0x3000, 5, false};
	uint8_t bytes[100];
	uint16_t id;
	uint32_t len;

	memset(bytes, 'b', sizeof(bytes));
	cr_assert_eq(chr.c.can_receive(p), 0, "nobody reads");
	say(3, 6, 1);
	cr_assert_eq(chr.c.can_receive(p), sizeof(p->in));
	cr_assert_eq(chr.accepts, 1);
	vring_add(&in, &small, 1, 0);
	vring_add(&in, &small, 1, 0);
	chr.c.receive(p, bytes, sizeof(bytes));
	for (unsigned i = 0; i < 2; i++) {
		cr_assert(vring_used(&in, 1, &id, &len));
		cr_assert_eq(len, 10);
	}
	cr_assert_eq(p->in_len, 80);
	vring_add(&in, &small, 1, 0);
	kick(8);
	cr_assert_eq(p->in_len, 70);
	memcpy(g.ram.host + BUF + 0x3000, "hello", 5);
	vring_add(&out, &hello, 1, 0);
	kick(9);
	cr_assert(vring_used(&out, 1, &id, &len));
	cr_assert_eq(chr.len, 5);
	cr_assert_eq(memcmp(chr.got, "hello", 5), 0);
	/* nobody is there: the bytes go nowhere, but the guest goes on */
	chardev_closed(&chr.c, true);
	vring_add(&out, &hello, 1, 0);
	kick(9);
	cr_assert(vring_used(&out, 1, &id, &len));
	cr_assert_eq(chr.len, 5);
	say(3, 6, 0);
	cr_assert_eq(p->in_len, 0, "the reader is gone");
	virtio_serial_fini(&serial);
}

Test(virtio_misc, serial_input_without_room)
{
	struct virtio_serial_port *p = plug_serial();
	const struct vbuf wrong = {BUF, 16, false};

	say(3, 6, 1);
	vring_add(&in, &wrong, 1, 0);
	chr.c.receive(p, (const uint8_t *)"x", 1);
	cr_assert(broken());
	virtio_serial_fini(&serial);
}

Test(virtio_misc, serial_too_much_at_once)
{
	const struct vbuf huge[2] = {{0x100000, 0x100000, false}, {0x100000, 1, false}};

	plug_serial();
	vring_add(&out, huge, 2, 0);
	kick(9);
	cr_assert(broken());
	virtio_serial_fini(&serial);
}
