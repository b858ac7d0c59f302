/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Links, hubs and what they do in software for ends that cannot.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "hw/net/defrag.h"
#include "hw/net/gro.h"
#include "hw/net/hub.h"
#include "frames.h"

static struct sink a, b;
static struct net_end ea, eb;

static void plugged(void)
{
	sink_end(&a, &ea, "a");
	sink_end(&b, &eb, "b");
	cr_assert_eq(net_plug(&ea, &eb), 0);
}

static void unplug(void)
{
	net_end_fini(&ea);
	net_end_fini(&eb);
}

TestSuite(net, .init = plugged, .fini = unplug);

Test(net, frames_arrive)
{
	uint8_t frame[100];
	struct iovec iov[3] = {{frame, 10}, {frame + 10, 0}, {frame + 10, 90}};

	memset(frame, 7, sizeof(frame));
	cr_assert(net_can_send(&ea));
	net_send(&ea, iov, 3, NULL);
	cr_assert_eq(b.nr, 1);
	cr_assert_eq(b.len, 100);
	cr_assert_arr_eq(b.data, frame, 100);
	cr_assert_eq(a.nr, 0);
	cr_assert_eq(net_plug(&ea, &eb), -EBUSY);
}

Test(net, no_length_harms)
{
	static uint8_t big[NET_MAX_FRAME + 1];
	struct iovec many[NET_MAX_PIECES + 1];

	net_send_buf(&ea, big, 0);
	net_send_buf(&ea, big, NET_HEADER_LEN - 1);
	net_send_buf(&ea, big, sizeof(big));
	for (unsigned i = 0; i <= NET_MAX_PIECES; i++)
		many[i] = (struct iovec){big, 1};
	net_send(&ea, many, NET_MAX_PIECES + 1, NULL);
	cr_assert_eq(b.nr, 0);
	cr_assert_eq(ea.dropped, 4);
	net_send_buf(&ea, big, NET_MAX_FRAME);
	net_send_buf(&ea, big, NET_HEADER_LEN);
	cr_assert_eq(b.nr, 2);
}

Test(net, short_frames_are_padded_for_those_that_ask)
{
	struct net_end_ops ops = *eb.ops;
	uint8_t frame[20], zero[40] = {0};

	memset(frame, 9, sizeof(frame));
	ops.pad = true;
	eb.ops = &ops;
	net_send_buf(&ea, frame, sizeof(frame));
	cr_assert_eq(b.len, NET_MIN_FRAME);
	cr_assert_arr_eq(b.data, frame, 20);
	cr_assert_arr_eq(b.data + 20, zero, 40);
}

Test(net, waits_for_room_within_bounds)
{
	uint8_t frame[64] = {0};

	b.full = true;
	cr_assert_not(net_can_send(&ea));
	for (unsigned i = 0; i < 10000; i++) {
		frame[20] = (uint8_t)i;
		net_send_buf(&ea, frame, sizeof(frame));
	}
	cr_assert_eq(b.nr, 0);
	cr_assert_eq(eb.nr_waiting + ea.dropped, 10000);
	cr_assert_lt(eb.nr_waiting, 2000);
	cr_assert_eq(a.ready, 0);
	b.full = false;
	net_flush(&eb);
	cr_assert_eq(b.nr, 10000 - ea.dropped);
	cr_assert_eq(b.data[20], (uint8_t)(b.nr - 1), "in order");
	cr_assert_eq(a.ready, 1);
	net_flush(&eb);
	cr_assert_eq(a.ready, 1, "told once");
}

Test(net, none_overtakes)
{
	uint8_t frame[64] = {0};

	b.full = true;
	net_send_buf(&ea, frame, sizeof(frame));
	b.full = false;
	frame[20] = 1;
	cr_assert_not(net_can_send(&ea), "one waits");
	net_send_buf(&ea, frame, sizeof(frame));
	cr_assert_eq(b.nr, 2);
	cr_assert_eq(b.data[20], 1);
}

Test(net, answers_within_receive)
{
	uint8_t frame[64] = {0};

	/* Each end answers what it gets, three times. */
	a.answers = &ea;
	b.answers = &eb;
	a.nr_answers = b.nr_answers = 3;
	net_send_buf(&ea, frame, sizeof(frame));
	cr_assert_eq(a.nr, 3);
	cr_assert_eq(b.nr, 4);
}

Test(net, link_state)
{
	uint8_t frame[64] = {0};

	net_set_link(&ea, false);
	cr_assert_eq(a.link_changes, 1);
	cr_assert_eq(b.link_changes, 1);
	cr_assert_not(net_link_up(&eb));
	cr_assert(net_can_send(&eb));
	net_send_buf(&eb, frame, sizeof(frame));
	cr_assert_eq(a.nr, 0);
	net_set_link(&eb, false);
	cr_assert_eq(a.link_changes, 1);
	net_set_link(&ea, true);
	cr_assert_not(net_link_up(&ea));
	net_set_link(&eb, true);
	cr_assert(net_link_up(&ea));
	cr_assert_eq(b.link_changes, 2);
}

/* ---- offloads ---- */

Test(net, finishes_checksums)
{
	struct net_offload o = {.flags = NET_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16};
	uint8_t frame[2000];
	size_t len = make_tcp4(frame, 1000, 0);

	partial_csum(frame, len);
	net_send(&ea, &(struct iovec){frame, len}, 1, &o);
	cr_assert_eq(b.nr, 1);
	cr_assert_not(b.has_offload);
	cr_assert(tcp_csum_ok(b.data, b.len));
	cr_assert_eq(b.len, len);
	/* As it is for those that take it so. */
	eb.takes = NET_TAKES_CSUM;
	net_send(&ea, &(struct iovec){frame, len}, 1, &o);
	cr_assert(b.has_offload);
	cr_assert_arr_eq(b.data, frame, len);
}

Test(net, checksums_outside_the_frame_are_dropped)
{
	uint8_t frame[200];
	size_t len = make_tcp4(frame, 100, 0);
	const struct net_offload bad[] = {
	    {.flags = NET_NEEDS_CSUM, .csum_start = (uint16_t)len, .csum_offset = 0},
	    {.flags = NET_NEEDS_CSUM, .csum_start = 34, .csum_offset = (uint16_t)(len - 35)},
	    {.flags = NET_NEEDS_CSUM, .csum_start = 65535, .csum_offset = 65535},
	    {.gso_type = 3, .gso_size = 1000},
	    {.gso_type = NET_GSO_TCP4, .gso_size = 0},
	    {.gso_type = NET_GSO_TCP6, .gso_size = 100},
	    {.gso_type = NET_GSO_ECN, .gso_size = 100},
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		net_send(&ea, &(struct iovec){frame, len}, 1, &bad[i]);
	cr_assert_eq(b.nr, 0);
}

static void segments(bool v6)
{
	static uint8_t frame[70000];
	size_t len = (v6 ? make_tcp6 : make_tcp4)(frame, 60000, 1), ip = v6 ? 40 : 20;
	struct net_offload o = {
	    .flags = NET_NEEDS_CSUM,
	    .gso_type = (v6 ? NET_GSO_TCP6 : NET_GSO_TCP4) | NET_GSO_ECN,
	    .gso_size = 1448,
	    .csum_start = (uint16_t)(14 + ip),
	    .csum_offset = 16,
	};
	size_t at = 0;

	b.check_segments = true;
	net_send(&ea, &(struct iovec){frame, len}, 1, &o);
	cr_assert_eq(b.nr, (60000 + 1447) / 1448);
	cr_assert_eq(b.payload, 60000);
	for (; at < 60000; at++)
		if (b.stream[at] != frame[14 + ip + 20 + at])
			break;
	cr_assert_eq(at, 60000);
	cr_assert_eq(b.bad, 0);
	cr_assert_eq(b.fins, 1, "the last alone ends the connection");
	/* A huge frame of tiny segments. */
	o.gso_size = 1;
	b.nr = 0;
	net_send(&ea, &(struct iovec){frame, len}, 1, &o);
	cr_assert_eq(b.nr, 0);
	/* Every length of frame. */
	o.gso_size = 536;
	b.check_segments = false;
	for (size_t n = 0; n < 200; n++)
		net_send(&ea, &(struct iovec){frame, n}, 1, &o);
}

Test(net, segments_tcp4)
{
	segments(false);
}

Test(net, segments_tcp6)
{
	segments(true);
}

/* ---- joining segments ---- */

static void segment_to_gro(void *opaque, const uint8_t *frame, size_t len)
{
	net_gro_send(opaque, frame, len);
}

static void joins(bool v6)
{
	static uint8_t frame[70000], again[70000];
	static struct net_gro gro;
	size_t len = (v6 ? make_tcp6 : make_tcp4)(frame, 60000, false), tcp = v6 ? 54 : 34;
	struct net_offload o = {.flags = NET_NEEDS_CSUM,
				.gso_type = v6 ? NET_GSO_TCP6 : NET_GSO_TCP4,
				.gso_size = 1448,
				.csum_start = (uint16_t)tcp,
				.csum_offset = 16};
	struct net_tcp h;

	net_gro_init(&gro, &ea, false);
	eb.takes = NET_TAKES_CSUM | NET_TAKES_TSO4 | NET_TAKES_TSO6;
	/* Cut and joined it is what it was, but for its checksum. */
	cr_assert_eq(net_segment(frame, len, &o, segment_to_gro, &gro), 0);
	net_gro_flush(&gro);
	cr_assert_eq(b.nr, 1);
	cr_assert_eq(b.len, len);
	cr_assert_eq(b.o.gso_size, 1448);
	cr_assert_eq(b.o.gso_type, o.gso_type);
	cr_assert_eq(b.o.csum_start, tcp);
	partial_csum(frame, len);
	cr_assert_arr_eq(b.data, frame, len);
	/* With a hole, the two sides of it. */
	b.nr = 0;
	memcpy(again, frame, len);
	cr_assert_eq(net_find_tcp(&h, again, len), 0);
	for (unsigned i = 0; i < 10; i++) {
		size_t n = tcp + 20 + 1000;

		make_tcp4(again, 1000, false);
		if (v6)
			make_tcp6(again, 1000, false);
		put16(again + tcp + 6, 0xfff0 - 20000 + 1000 * i + (i > 4 ? 7 : 0));
		again[tcp + 13] = 0x10;
		put16(again + tcp + 16, 0);
		put16(again + tcp + 16, ~plain_sum(again + tcp, n - tcp, pseudo_sum(again, n)));
		/* One with a wrong checksum goes alone, and as it is. */
		if (i == 8)
			again[n - 1] ^= 1;
		net_gro_send(&gro, again, n);
	}
	net_gro_flush(&gro);
	cr_assert_eq(b.nr, 4);
	cr_assert_eq(b.len, tcp + 20 + 1000);
	/* Not for those that take no large frames. */
	b.nr = 0;
	eb.takes = NET_TAKES_CSUM;
	cr_assert_eq(net_segment(frame, len, &o, segment_to_gro, &gro), 0);
	cr_assert_eq(b.nr, 42);
}

Test(net, joins_tcp4)
{
	joins(false);
}

Test(net, joins_tcp6)
{
	joins(true);
}

/* ---- fragments ---- */

/* A fragment with the bytes [at, at + n) of a datagram; its length. */
static size_t fragment(uint8_t *f, unsigned at, unsigned n, bool more)
{
	make_tcp4(f, 0, false);
	f[14 + 9] = 17;
	put16(f + 14 + 2, 20 + n);
	put16(f + 14 + 6, at / 8 | (more ? 0x2000 : 0));
	put16(f + 14 + 10, 0);
	put16(f + 14 + 10, ~plain_sum(f + 14, 20, 0));
	for (unsigned i = 0; i < n; i++)
		f[34 + i] = (uint8_t)((at + i) * 3);
	return 34 + n;
}

Test(net, puts_fragments_together)
{
	struct net_defrag d = {0};
	uint8_t f[2000];
	const uint8_t *whole;
	size_t len;

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned at = 0; at < 4000; at += 1480) {
			bool more = at + 1480 < 4000;

			len = fragment(f, at, more ? 1480 : 4000 - at, more);
			whole = net_defrag(&d, f, &len);
			cr_assert_eq(!whole, more);
		}
		cr_assert_eq(len, 4034);
		cr_assert_eq(get16(whole + 16), 4020);
		cr_assert_eq(get16(whole + 20), 0);
		cr_assert_eq(plain_sum(whole + 14, 20, 0), 0xffff);
		for (unsigned i = 0; i < 4000; i++)
			cr_assert_eq(whole[34 + i], (uint8_t)(i * 3));
	}
	/* Whole datagrams pass; what overlaps, has holes or is too long does not. */
	len = fragment(f, 0, 100, false);
	cr_assert_eq(net_defrag(&d, f, &len), f);
	len = fragment(f, 0, 80, true);
	cr_assert_null(net_defrag(&d, f, &len));
	len = fragment(f, 72, 80, false);
	cr_assert_null(net_defrag(&d, f, &len));
	len = fragment(f, 80, 80, false);
	cr_assert_null(net_defrag(&d, f, &len));
	len = fragment(f, 65528, 80, false);
	cr_assert_null(net_defrag(&d, f, &len));
	len = fragment(f, 0, 81, true);
	cr_assert_null(net_defrag(&d, f, &len));
	len = fragment(f, 0, 80, true) - 1;
	cr_assert_null(net_defrag(&d, f, &len));
	net_defrag_fini(&d);
}

/* ---- limits ---- */

/* How much comes through in ten seconds to whoever asks before it sends, and otherwise. */
static size_t through(struct clock *clock, bool ask)
{
	uint8_t frame[1000] = {0};
	size_t bytes = 0;

	for (unsigned ms = 0; ms < 10000; ms++) {
		unsigned before = b.nr;

		for (unsigned i = 0; i < 10; i++)
			if (!ask || net_can_send(&ea))
				net_send_buf(&ea, frame, sizeof(frame));
		clock_step(clock, NSEC_PER_SEC / 1000);
		bytes += sizeof(frame) * (b.nr - before);
	}
	return bytes;
}

Test(net, limits)
{
	struct clock clock;

	clock_init(&clock, true);
	net_limit(&ea, 100000, 0, &clock);
	cr_assert_float_eq((double)through(&clock, true), 1e6, 3e4);
	cr_assert_eq(eb.nr_waiting, 0, "what asks does not queue");
	cr_assert_float_eq((double)through(&clock, false), 1e6, 3e4);
	cr_assert_gt(ea.dropped, 0);
	net_purge(&eb);
	net_limit(&ea, 0, 0, &clock);
	net_limit(&eb, 0, 500000, &clock);
	cr_assert_float_eq((double)through(&clock, true), 5e6, 1e5);
	net_limit(&eb, 0, 0, &clock);
	cr_assert_eq(through(&clock, true), 100000000);
}

/* ---- hubs ---- */

Test(net, hub_floods_within_vlans)
{
	struct net_hub *h = net_hub_new();
	struct net_hub_port port[4];
	struct sink s[4];
	struct net_end end[4];
	static const uint16_t vlan[4] = {NET_VLAN_ALL, 5, 5, 6};
	uint8_t frame[64], tagged[64];

	for (unsigned i = 0; i < 4; i++) {
		net_hub_add(h, &port[i], "port", vlan[i]);
		sink_end(&s[i], &end[i], "end");
		net_plug(&end[i], &port[i].end);
	}
	for (unsigned i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)i;
	net_send_buf(&end[1], frame, sizeof(frame));
	cr_assert_eq(s[1].nr, 0);
	cr_assert_eq(s[2].nr, 1);
	cr_assert_arr_eq(s[2].data, frame, sizeof(frame));
	cr_assert_eq(s[3].nr, 0);
	cr_assert_eq(s[0].nr, 1);
	cr_assert_eq(s[0].len, 68);
	cr_assert_arr_eq(s[0].data, frame, 12);
	cr_assert_arr_eq(s[0].data + 12, "\x81\x00\x00\x05", 4);
	cr_assert_arr_eq(s[0].data + 16, frame + 12, 52);
	/* And back, without its tag. */
	memcpy(tagged, frame, 12);
	memcpy(tagged + 12, "\x81\x00\xe0\x06", 4);
	memcpy(tagged + 16, frame + 12, 48);
	net_send_buf(&end[0], tagged, sizeof(tagged));
	cr_assert_eq(s[3].nr, 1);
	cr_assert_eq(s[3].len, 60);
	cr_assert_arr_eq(s[3].data, frame, 60);
	cr_assert_eq(s[1].nr, 0);
	/* Without one it is of no VLAN. */
	net_send_buf(&end[0], frame, sizeof(frame));
	cr_assert_eq(s[1].nr + s[2].nr + s[3].nr, 2);
	for (unsigned i = 0; i < 4; i++) {
		net_end_fini(&end[i]);
		net_hub_remove(&port[i]);
	}
	net_hub_free(h);
}

Test(net, addresses)
{
	uint8_t mac[6];

	cr_assert_eq(net_mac_parse(mac, "52:54:00:12:34:ff"), 0);
	cr_assert_arr_eq(mac, "\x52\x54\x00\x12\x34\xff", 6);
	cr_assert_neq(net_mac_parse(mac, "52:54:00:12:34"), 0);
	cr_assert_neq(net_mac_parse(mac, "52:54:00:12:34:5g"), 0);
	cr_assert_neq(net_mac_parse(mac, "52:54:00:12:34:567"), 0);
	cr_assert_neq(net_mac_parse(mac, ""), 0);
}
