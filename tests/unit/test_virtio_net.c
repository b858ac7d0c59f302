/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * virtio-net, driven through its registers and rings, with a plain end as its back end.
 */
#include "disks.h"
#include "frames.h"
#include "hw/net/virtio_net.h"
#include "vring.h"

enum { RX, TX, CTRL };
enum { HEADER = 12 };
#define DATA  0x40000u
#define TABLE 0x38000u
#define BUFS  0x100000u /* where buffers to receive into are */

#define F_CSUM       (1ull << 0)
#define F_GUEST_CSUM (1ull << 1)
#define F_GUEST_OFFL (1ull << 2)
#define F_GUEST_TSO4 (1ull << 7)
#define F_HOST_TSO4  (1ull << 11)
#define F_MRG_RXBUF  (1ull << 15)
#define F_CTRL_VQ    (1ull << 17)
#define F_CTRL_VLAN  (1ull << 19)
#define F_MQ         (1ull << 22)

static const uint8_t mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
static struct rig g;
static struct virtio_net d;
static struct sink peer;
static struct net_end end;
static struct vring ring[8];
static uint64_t at; /* of the modern registers */

static void plug(const struct virtio_net_options *o)
{
	rig_init(&g);
	memset(&d, 0, sizeof(d));
	net_end_init(&d.end, "card", &virtio_net_ops, &d);
	sink_end(&peer, &end, "peer");
	cr_assert_eq(net_plug(&d.end, &end), 0);
	memcpy(d.mac, mac, 6);
	cr_assert_eq(virtio_net_init(&d, NULL, o), 0);
	rig_plug(&g, &d.v.func);
	device_reset(&d.v.state);
	device_reset(&d.state);
	at = rig_bar(&d.v.func, 4);
}

static void fini(void)
{
	virtio_net_fini(&d);
	rig_fini(&g);
}

static bool start(uint64_t features, unsigned queues, uint16_t size)
{
	memset(g.ram.host + 0x4000, 0, 0x30000);
	put(&g, at + 20, 0, 1);
	put(&g, at + 20, 3, 1);
	for (unsigned i = 0; i < 2; i++) {
		put(&g, at + 8, i, 4);
		put(&g, at + 12, (features | VIRTIO_F_VERSION_1) >> 32 * i, 4);
	}
	put(&g, at + 20, 11, 1);
	if (get(&g, at + 20, 1) != 11)
		return false;
	for (unsigned i = 0; i < queues; i++) {
		vring_init(&ring[i], &g.mem, features & VIRTIO_F_RING_PACKED, size,
			   0x4000 + 0x4000 * i);
		put(&g, at + 22, i, 2);
		put(&g, at + 24, size, 2);
		put(&g, at + 32, ring[i].desc, 8);
		put(&g, at + 40, ring[i].driver, 8);
		put(&g, at + 48, ring[i].device, 8);
		put(&g, at + 28, 1, 2);
	}
	put(&g, at + 20, 15, 1);
	return true;
}

static void kick(unsigned queue)
{
	put(&g, at + 0x3000 + 4 * queue, queue, 2);
}

static bool broken(void)
{
	return get(&g, at + 20, 1) & VIRTIO_NEEDS_RESET;
}

/* Sends bytes with a header before them, in one chain of two. */
static void transmit(const struct net_offload *o, const uint8_t *frame, size_t len)
{
	const struct vbuf b[2] = {{DATA, HEADER, false}, {DATA + HEADER, (uint32_t)len, false}};

	memset(g.ram.host + DATA, 0, HEADER);
	if (o)
		memcpy(g.ram.host + DATA, o, sizeof(*o));
	memcpy(g.ram.host + DATA + HEADER, frame, len);
	vring_add(&ring[TX], b, 2, 0);
	kick(TX);
}

static void give(unsigned queue, unsigned n, uint32_t size)
{
	for (unsigned i = 0; i < n; i++) {
		const struct vbuf b = {BUFS + (uint64_t)ring[queue].next * size, size, true};

		vring_add(&ring[queue], &b, 1, 0);
	}
	kick(queue);
}

static void from_outside(const uint8_t *frame, size_t len)
{
	net_send_buf(&end, frame, len);
}

static void frame_to(uint8_t frame[64], const uint8_t *to)
{
	memset(frame, 0x5a, 64);
	memcpy(frame, to, 6);
}

/* The ack of a command with its data. */
static unsigned command(uint8_t class, uint8_t cmd, const void *data, uint32_t len)
{
	const struct vbuf b[3] = {{DATA, 2, false}, {DATA + 16, len, false}, {DATA + 8, 1, true}};
	uint32_t used;
	uint16_t id;

	put(&g, DATA, class, 1);
	put(&g, DATA + 1, cmd, 1);
	put(&g, DATA + 8, 0xff, 1);
	memcpy(g.ram.host + DATA + 16, data, len);
	vring_add(&ring[CTRL], b, 3, 0);
	kick(CTRL);
	cr_assert(vring_used(&ring[CTRL], 3, &id, &used));
	cr_assert_eq(used, 1);
	return (unsigned)get(&g, DATA + 8, 1);
}

TestSuite(virtio_net, .fini = fini);

Test(virtio_net, sends_and_receives)
{
	const struct virtio_net_options o = {.packed = true};
	uint8_t frame[1514];
	uint32_t used;
	uint16_t id;

	plug(&o);
	cr_assert_eq(get(&g, at + 0x2000, 4), 0x12005452);
	cr_assert_eq(get(&g, at + 0x2006, 2), 1, "the link is up");
	for (unsigned i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 3);
	for (int packed = 0; packed < 2; packed++) {
		peer.nr = 0;
		cr_assert(start(packed ? VIRTIO_F_RING_PACKED : 0, 2, 16));
		for (unsigned i = 0; i < 50; i++) {
			transmit(NULL, frame, sizeof(frame) - i);
			cr_assert(vring_used(&ring[TX], 2, &id, &used));
			cr_assert_eq(peer.nr, i + 1);
			cr_assert_eq(peer.len, sizeof(frame) - i);
			cr_assert_arr_eq(peer.data, frame, peer.len);
			give(RX, 1, 2048);
			from_outside(frame, sizeof(frame) - i);
			cr_assert(vring_used(&ring[RX], 1, &id, &used));
			cr_assert_eq(used, HEADER + sizeof(frame) - i);
			cr_assert_arr_eq(g.ram.host + BUFS + 2048 * id + HEADER, frame,
					 sizeof(frame) - i);
		}
		cr_assert_not(broken());
	}
}

Test(virtio_net, frames_wait_for_buffers)
{
	const struct virtio_net_options o = {0};
	uint8_t frame[64];
	uint32_t used;
	uint16_t id;

	plug(&o);
	frame_to(frame, mac);
	cr_assert(net_can_send(&end), "no driver: it is dropped");
	from_outside(frame, 64);
	cr_assert_eq(d.end.nr_waiting, 0);
	cr_assert(start(0, 2, 16));
	cr_assert_not(net_can_send(&end));
	for (unsigned i = 0; i < 5; i++) {
		frame[20] = (uint8_t)i;
		from_outside(frame, 64);
	}
	cr_assert_eq(d.end.nr_waiting, 5);
	give(RX, 3, 2048);
	cr_assert_eq(d.end.nr_waiting, 2);
	cr_assert_eq(peer.ready, 0);
	give(RX, 4, 2048);
	cr_assert_eq(d.end.nr_waiting, 0);
	cr_assert_eq(peer.ready, 1);
	for (unsigned i = 0; i < 5; i++) {
		cr_assert(vring_used(&ring[RX], 1, &id, &used));
		cr_assert_eq(g.ram.host[BUFS + 2048 * id + HEADER + 20], i);
	}
}

Test(virtio_net, sending_waits_for_the_back_end)
{
	const struct virtio_net_options o = {0};
	uint8_t frame[64];
	uint32_t used;
	uint16_t id;

	plug(&o);
	frame_to(frame, mac);
	cr_assert(start(0, 2, 16));
	peer.full = true;
	transmit(NULL, frame, 64);
	transmit(NULL, frame, 64);
	cr_assert_not(vring_used(&ring[TX], 2, &id, &used));
	peer.full = false;
	net_flush(&end);
	cr_assert_eq(peer.nr, 2);
	cr_assert(vring_used(&ring[TX], 2, &id, &used));
	cr_assert_eq(end.nr_waiting, 0, "kept in the ring, not in memory");
}

/* With notifications by index, the driver tells of what it adds to buffers that do not suffice. */
Test(virtio_net, asks_for_more_than_there_is)
{
	const struct virtio_net_options o = {0};
	static uint8_t frame[6000];

	plug(&o);
	cr_assert(start(F_MRG_RXBUF | VIRTIO_F_EVENT_IDX, 2, 16));
	frame_to(frame, mac);
	give(RX, 3, 1536);
	from_outside(frame, sizeof(frame));
	cr_assert_eq(d.end.nr_waiting, 1);
	/* avail_event: the three have been seen */
	cr_assert_eq(get(&g, ring[RX].device + 4 + 8 * 16, 2), 3);
	give(RX, 1, 1536);
	cr_assert_eq(d.end.nr_waiting, 0);
	cr_assert_not(broken());
}

static void merges(bool packed)
{
	const struct virtio_net_options o = {.packed = true};
	static uint8_t frame[60054], got[70000];
	struct net_offload left = {.flags = NET_NEEDS_CSUM,
				   .gso_type = NET_GSO_TCP4,
				   .gso_size = 1448,
				   .csum_start = 34,
				   .csum_offset = 16};
	uint32_t used, total = 0;
	uint16_t id;
	unsigned n, i;

	plug(&o);
	cr_assert(
	    start(F_MRG_RXBUF | F_GUEST_CSUM | F_GUEST_TSO4 | (packed ? VIRTIO_F_RING_PACKED : 0),
		  2, 64));
	make_tcp4(frame, 60000, false);
	partial_csum(frame, sizeof(frame));
	/* Not enough for it: what was taken is put back. */
	give(RX, 20, 1536);
	net_send(&end, &(struct iovec){frame, sizeof(frame)}, 1, &left);
	cr_assert_not(vring_used(&ring[RX], 1, &id, &used));
	cr_assert_eq(d.end.nr_waiting, 1);
	give(RX, 30, 1536);
	cr_assert_eq(d.end.nr_waiting, 0);
	n = (sizeof(frame) + HEADER + 1535) / 1536;
	for (i = 0; vring_used(&ring[RX], 1, &id, &used); i++) {
		cr_assert_eq(used, i + 1 < n ? 1536 : (sizeof(frame) + HEADER) % 1536);
		memcpy(got + total, g.ram.host + BUFS + 1536 * id, used);
		total += used;
	}
	cr_assert_eq(i, n);
	cr_assert_eq(total, sizeof(frame) + HEADER);
	cr_assert_arr_eq(got + HEADER, frame, sizeof(frame));
	cr_assert_arr_eq(got, &left, 10);
	cr_assert_eq(got[10] | got[11] << 8, n);
	cr_assert_not(broken());
}

Test(virtio_net, merges_split)
{
	merges(false);
}

Test(virtio_net, merges_packed)
{
	merges(true);
}

Test(virtio_net, offloads)
{
	const struct virtio_net_options o = {0};
	static uint8_t frame[20054];
	struct net_offload left = {.flags = NET_NEEDS_CSUM,
				   .gso_type = NET_GSO_TCP4,
				   .gso_size = 1000,
				   .csum_start = 34,
				   .csum_offset = 16};
	uint64_t on = F_GUEST_CSUM;

	plug(&o);
	make_tcp4(frame, 20000, false);
	partial_csum(frame, sizeof(frame));
	peer.check_segments = true;
	cr_assert(start(F_CSUM | F_HOST_TSO4, 2, 16));
	transmit(&left, frame, sizeof(frame));
	cr_assert_eq(peer.nr, 20);
	cr_assert_eq(peer.bad, 0);
	peer.check_segments = false;
	end.takes = NET_TAKES_CSUM | NET_TAKES_TSO4;
	transmit(&left, frame, sizeof(frame));
	cr_assert_eq(peer.nr, 21);
	cr_assert_arr_eq(&peer.o, &left, sizeof(left));
	/* Not agreed on: not asked for. */
	cr_assert(start(0, 2, 16));
	transmit(&left, frame, sizeof(frame));
	cr_assert_not(peer.has_offload);
	/* On the way in as agreed on, and as switched later. */
	cr_assert_eq(d.end.takes, 0);
	cr_assert(start(F_GUEST_CSUM | F_GUEST_TSO4 | F_CTRL_VQ | F_GUEST_OFFL, 3, 16));
	cr_assert_eq(d.end.takes, NET_TAKES_CSUM | NET_TAKES_TSO4);
	cr_assert_eq(command(5, 0, &on, 8), 0);
	cr_assert_eq(d.end.takes, NET_TAKES_CSUM);
	on = F_GUEST_CSUM | F_CSUM;
	cr_assert_eq(command(5, 0, &on, 8), 1);
	put(&g, at + 20, 0, 1);
	cr_assert_eq(d.end.takes, 0);
}

/* Whether a frame comes through. */
static bool wanted(const uint8_t *frame, size_t len)
{
	uint32_t used;
	uint16_t id;

	give(RX, 1, 2048);
	from_outside(frame, len);
	if (vring_used(&ring[RX], 1, &id, &used))
		return true;
	return false;
}

Test(virtio_net, filters)
{
	static const uint8_t other[6] = {2, 1, 1, 1, 1, 1}, multi[6] = {1, 0, 0x5e, 0, 0, 1},
			     all[6] = {255, 255, 255, 255, 255, 255};
	const struct virtio_net_options o = {0};
	uint8_t own[64], to_other[64], to_multi[64], to_all[64], tagged[64];
	struct {
		uint32_t nr_uni;
		uint8_t uni[6];
		uint32_t nr_multi;
		uint8_t multi[6];
	} __attribute__((packed)) table = {1, {2, 1, 1, 1, 1, 1}, 1, {1, 0, 0x5e, 0, 0, 1}};
	uint32_t huge[2] = {0xffffffff, 0};
	uint8_t off = 0, on = 1;
	uint16_t vid = 77;

	plug(&o);
	frame_to(own, mac);
	frame_to(to_other, other);
	frame_to(to_multi, multi);
	frame_to(to_all, all);
	frame_to(tagged, mac);
	memcpy(tagged + 12, "\x81\0\0\x4d", 4);
	cr_assert(start(F_CTRL_VQ | F_CTRL_VLAN | 1 << 18 | 1 << 20 | 1 << 23, 3, 64));
	cr_assert(wanted(to_other, 64), "all until the driver says otherwise");
	cr_assert_eq(command(0, 0, &off, 1), 0);
	cr_assert(wanted(own, 64));
	cr_assert(wanted(to_all, 64));
	cr_assert_not(wanted(to_other, 64));
	cr_assert_not(wanted(to_multi, 64));
	cr_assert_eq(command(1, 0, &table, sizeof(table)), 0);
	cr_assert(wanted(to_other, 64));
	cr_assert(wanted(to_multi, 64));
	cr_assert_eq(command(1, 0, huge, 8), 1);
	cr_assert_not(wanted(to_multi, 64));
	cr_assert_eq(command(0, 1, &on, 1), 0);
	cr_assert(wanted(to_multi, 64));
	cr_assert_eq(command(0, 5, &on, 1), 0);
	cr_assert_not(wanted(to_all, 64));
	cr_assert_not(wanted(tagged, 64));
	cr_assert_eq(command(2, 0, &vid, 2), 0);
	cr_assert(wanted(tagged, 64));
	cr_assert_eq(command(2, 1, &vid, 2), 0);
	cr_assert_not(wanted(tagged, 64));
	vid = 5000;
	cr_assert_eq(command(2, 0, &vid, 2), 1);
	cr_assert_eq(command(1, 1, other, 6), 0);
	cr_assert(wanted(to_other, 64));
	cr_assert_not(wanted(own, 64));
	cr_assert_eq(command(9, 9, &off, 1), 1);
	/* A reset forgets all of it. */
	cr_assert(start(0, 2, 16));
	cr_assert(wanted(own, 64));
	cr_assert_eq(get(&g, at + 0x2000, 4), 0x12005452);
}

Test(virtio_net, several_pairs)
{
	const struct virtio_net_options o = {.pairs = 2};
	uint8_t frame[100];
	uint16_t n = 2, id;
	uint32_t used;

	plug(&o);
	cr_assert_eq(get(&g, at + 18, 2), 5);
	cr_assert_eq(get(&g, at + 0x2008, 2), 2);
	/* Without several, the control queue is the third; with them it is the last. */
	cr_assert(start(F_CTRL_VQ, 3, 16));
	cr_assert_eq(command(4, 0, &n, 2), 1);
	cr_assert(start(F_CTRL_VQ | F_MQ, 5, 16));
	{
		struct vring rx1 = ring[2], tx1 = ring[3];

		ring[CTRL] = ring[4];
		const struct vbuf b[3] = {
		    {DATA, 2, false}, {DATA + 16, 2, false}, {DATA + 8, 1, true}};
		const struct vbuf out[1] = {{DATA + 0x1000, HEADER + 64, false}};

		put(&g, DATA, 4, 2);
		put(&g, DATA + 16, 2, 2);
		put(&g, DATA + 8, 0xff, 1);
		vring_add(&ring[CTRL], b, 3, 0);
		kick(4);
		cr_assert_eq(get(&g, DATA + 8, 1), 0);
		/* The answers to a flow come by the pair that it is sent by. */
		make_tcp4(frame, 10, false);
		memset(g.ram.host + DATA + 0x1000, 0, HEADER);
		memcpy(g.ram.host + DATA + 0x1000 + HEADER, frame, 64);
		ring[3] = tx1;
		vring_add(&ring[3], out, 1, 0);
		kick(3);
		cr_assert_eq(peer.nr, 1);
		ring[2] = rx1;
		give(0, 2, 2048);
		give(2, 2, 2048);
		memcpy(frame + 26, "\x0a\0\x02\x02\x0a\0\x02\x0f", 8);
		memcpy(frame + 34, "\0\x50\x04\xd2", 4);
		from_outside(frame, 64);
		cr_assert(vring_used(&ring[2], 1, &id, &used));
		frame[12] = 8;
		frame[13] = 6;
		from_outside(frame, 64);
		cr_assert(vring_used(&ring[0], 1, &id, &used));
	}
}

Test(virtio_net, link_state)
{
	const struct virtio_net_options o = {0};

	plug(&o);
	rig_msix(&g, &d.v.func, 1, 4);
	cr_assert(start(1 << 16, 2, 16));
	put(&g, at + 16, 3, 2);
	net_set_link(&end, false);
	cr_assert_eq(get(&g, at + 0x2006, 2), 0);
	cr_assert_eq(g.messages, 1);
	cr_assert_eq(g.last_message, 3);
	net_set_link(&end, true);
	cr_assert_eq(get(&g, at + 0x2006, 2), 1);
	cr_assert_eq(g.messages, 2);
}

Test(virtio_net, lies_break_it_until_reset)
{
	const struct virtio_net_options o = {0};
	const struct vbuf small[1] = {{DATA, HEADER - 1, false}};
	const struct vbuf wrong[1] = {{DATA, 2000, true}};
	const struct vbuf tiny[1] = {{BUFS, 11, true}};
	const struct vbuf out[1] = {{BUFS, 2000, false}};
	uint8_t frame[64];

	plug(&o);
	frame_to(frame, mac);
	cr_assert(start(0, 2, 16));
	vring_add(&ring[TX], small, 1, 0);
	kick(TX);
	cr_assert(broken());
	cr_assert(start(0, 2, 16));
	vring_add(&ring[TX], wrong, 1, 0);
	kick(TX);
	cr_assert(broken());
	from_outside(frame, 64);
	cr_assert(start(0, 2, 16));
	vring_add(&ring[RX], out, 1, 0);
	from_outside(frame, 64);
	cr_assert(broken());
	cr_assert(start(F_MRG_RXBUF, 2, 16));
	vring_add(&ring[RX], tiny, 1, 0);
	vring_add(&ring[RX], tiny, 1, 0);
	vring_add(&ring[RX], (struct vbuf[]){{BUFS, 100, true}}, 1, 0);
	from_outside(frame, 64);
	cr_assert(broken());
	/* A frame longer than the buffers is not the driver's fault. */
	cr_assert(start(0, 2, 16));
	give(RX, 2, 70);
	from_outside(frame, 64);
	cr_assert_not(broken());
	cr_assert_eq(d.end.nr_waiting, 0);
}

Test(virtio_net, legacy_header)
{
	const struct virtio_net_options o = {0};
	uint64_t io;
	uint8_t frame[64];
	const struct vbuf b[1] = {{DATA, 10 + 64, false}};

	plug(&o);
	frame_to(frame, mac);
	io = rig_bar(&d.v.func, 0);
	vring_init(&ring[TX], &g.mem, false, 256, 0x4000);
	aspace_write(&g.io, io + 18, 0, 1);
	aspace_write(&g.io, io + 18, 3, 1);
	aspace_write(&g.io, io + 4, 0, 4);
	aspace_write(&g.io, io + 14, TX, 2);
	aspace_write(&g.io, io + 8, 4, 4);
	aspace_write(&g.io, io + 18, 7, 1);
	cr_assert_eq(aspace_read(&g.io, io + 20, 4), 0x12005452);
	aspace_write(&g.io, io + 20, 0x99, 1);
	cr_assert_eq(aspace_read(&g.io, io + 20, 1), 0x99, "old drivers set their address so");
	memset(g.ram.host + DATA, 0, 10);
	memcpy(g.ram.host + DATA + 10, frame, 64);
	vring_add(&ring[TX], b, 1, 0);
	aspace_write(&g.io, io + 16, TX, 2);
	cr_assert_eq(peer.nr, 1);
	cr_assert_arr_eq(peer.data, frame, 64);
}
