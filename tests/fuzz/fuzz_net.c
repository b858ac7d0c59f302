/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Networks: virtio-net with a driver and a back end that both lie; libslirp behind its glue with a guest that
 * sends what it likes; the peer of a stream socket.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frontend/net_socket.h"
#include "frontend/slirp.h"
#include "hw/loop.h"
#include "hw/net/gro.h"
#include "hw/net/hub.h"
#include "hw/net/virtio_net.h"
#include "tests/fuzz/fuzz.h"

/* ---- frames ---- */

static uint8_t frame[NET_MAX_FRAME];

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* An address of the guest's net, or any. */
static uint32_t address(void)
{
	static const uint32_t known[] = {0x0a000202, 0x0a000203, 0x0a00020f, 0x0a0002ff,
					 0xffffffff, 0,          0x7f000001, 0xe0000001};

	return one_in(8) ? (uint32_t)next() : known[below(8)];
}

static void address6(uint8_t *p)
{
	memset(p, 0, 16);
	put16(p, one_in(2) ? 0xfec0 : one_in(2) ? 0xfe80 : 0xff02);
	p[15] = (uint8_t)below(4);
	if (one_in(8))
		p[below(16)] = (uint8_t)next();
}

static unsigned port(void)
{
	static const uint16_t known[] = {53, 67, 68, 69, 80, 113, 546, 547};

	return one_in(4) ? below(65536) : known[below(8)];
}

static size_t make_udp(uint8_t *p, size_t room)
{
	size_t len = 8 + below(one_in(8) ? 9000 : 400);

	if (len > room)
		len = room;
	put16(p, port());
	put16(p + 2, port());
	put16(p + 4, one_in(16) ? below(65536) : (unsigned)len);
	put16(p + 6, 0);
	for (size_t i = 8; i < len && i < 64; i++)
		p[i] = (uint8_t)next();
	if (len > 8 + 240 && one_in(2)) {
		/* BOOTP's head and DHCP's options. */
		p[8] = 1;
		p[9] = 1;
		p[10] = 6;
		put32(p + 8 + 236, 0x63825363);
		for (size_t i = 8 + 240; i < len; i++)
			p[i] = (uint8_t)(one_in(2) ? below(60) : below(8));
	} else if (one_in(2)) {
		/* TFTP. */
		put16(p + 8, below(7));
		memcpy(p + 10, "x\0octet\0blksize\0001428\0tsize\0000", 28);
	}
	return len;
}

static size_t make_tcp(uint8_t *p, size_t room, uint32_t ack)
{
	size_t head = 20 + 4 * below(one_in(4) ? 11 : 2);
	size_t len = head + below(one_in(4) ? 60000 : 100);

	if (len > room)
		len = room;
	put16(p, port());
	put16(p + 2, port());
	put32(p + 4, one_in(2) ? 1000 + below(3000) : (uint32_t)next());
	put32(p + 8, one_in(2) ? ack + below(3) : (uint32_t)next());
	p[12] = (uint8_t)((one_in(16) ? below(16) : head / 4) << 4);
	p[13] = (uint8_t)(one_in(2) ? 2 : one_in(2) ? 0x10 : below(256));
	put16(p + 14, below(65536));
	put16(p + 16, 0);
	put16(p + 18, one_in(8) ? below(65536) : 0);
	for (size_t i = 20; i < head; i++)
		p[i] = (uint8_t)below(8);
	return len;
}

static void set_csum(uint8_t *f, size_t len, size_t l4, unsigned proto, bool v6)
{
	size_t at = l4 + (proto == 6 ? 16 : proto == 17 ? 6 : 2);
	uint8_t tail[4] = {0, (uint8_t)proto, (uint8_t)((len - l4) >> 8), (uint8_t)(len - l4)};
	uint32_t sum = 0;
	uint16_t c;

	if (at + 2 > len || one_in(16))
		return;
	if (proto != 1)
		sum = net_sum(tail, 4, v6 ? net_sum(f + 22, 32, 0) : net_sum(f + 26, 8, 0));
	c = (uint16_t)~net_sum(f + l4, len - l4, sum);
	memcpy(f + at, &c, 2);
}

/* One that gets far, or is wrong somewhere. Its length. */
static size_t make_frame(void)
{
	static const uint8_t protos[] = {1, 6, 17, 58, 44, 0, 2, 41};
	static const uint8_t icmp6[] = {1, 2, 128, 133, 134, 135, 136, 143};
	unsigned kind = below(8), proto = protos[below(8)];
	size_t len = 60, l4;
	uint8_t *f = frame;
	uint16_t c;

	memset(f, 0, 200);
	memcpy(f, one_in(4) ? "\xff\xff\xff\xff\xff\xff" : "\x52\x55\x0a\0\2\2", 6);
	memcpy(f + 6, "\x52\x54\0\x12\x34\x56", 6);
	if (kind == 0) {
		put16(f + 12, 0x0806);
		memcpy(f + 14, "\0\1\x08\0\6\4\0", 7);
		f[21] = (uint8_t)below(4);
		memcpy(f + 22, f + 6, 6);
		put32(f + 28, address());
		put32(f + 38, address());
	} else if (kind < 5) {
		size_t options = one_in(4) ? 4 * below(11) : 0;

		if (proto == 58)
			proto = 17;
		put16(f + 12, 0x0800);
		l4 = 34 + options;
		len = l4 + (proto == 6    ? make_tcp(f + l4, 60000, 64001)
			    : proto == 17 ? make_udp(f + l4, 9000)
					  : 8 + below(500));
		if (proto == 1)
			f[l4] = one_in(2) ? 8 : (uint8_t)below(20);
		f[14] = (uint8_t)(0x40 | (l4 - 14) / 4);
		put16(f + 16, one_in(16) ? below(65536) : (unsigned)(len - 14));
		put16(f + 18, below(4));
		put16(f + 20, one_in(4) ? below(65536) : 0);
		f[22] = 64;
		f[23] = (uint8_t)proto;
		put32(f + 26, one_in(4) ? address() : 0x0a00020f);
		put32(f + 30, address());
		for (size_t i = 34; i < l4; i++)
			f[i] = (uint8_t)below(140);
		set_csum(f, len, l4, proto, false);
		put16(f + 24, 0);
		c = (uint16_t)~net_sum(f + 14, l4 - 14, 0);
		if (!one_in(16))
			memcpy(f + 24, &c, 2);
	} else if (kind < 7) {
		put16(f + 12, 0x86dd);
		l4 = 54;
		len = l4 + (proto == 6    ? make_tcp(f + l4, 60000, 64001)
			    : proto == 17 ? make_udp(f + l4, 9000)
					  : 8 + below(200));
		if (proto == 58 || proto == 1) {
			proto = 58;
			f[l4] = icmp6[below(8)];
			for (size_t i = l4 + 8; i < len && i < 120; i++)
				f[i] = (uint8_t)below(8);
		}
		f[14] = 0x60;
		put16(f + 18, one_in(16) ? below(65536) : (unsigned)(len - 54));
		f[20] = (uint8_t)proto;
		f[21] = 255;
		address6(f + 22);
		address6(f + 38);
		set_csum(f, len, l4, proto, true);
	} else {
		len = below(2000);
		for (size_t i = 0; i < len && i < 64; i++)
			f[i] = (uint8_t)next();
	}
	if (one_in(8))
		f[below(64)] = (uint8_t)next();
	if (one_in(16))
		len = below((unsigned)len + 1);
	return len;
}

static struct net_offload make_offload(void)
{
	static const uint8_t gso[] = {0, 1, 4, 0x81, 0x84, 3, 0x80, 255};

	return (struct net_offload){.flags = (uint8_t)below(4),
				    .gso_type = gso[below(one_in(4) ? 8 : 5)],
				    .hdr_len = (uint16_t)next(),
				    .gso_size = (uint16_t)(one_in(2) ? 536 : below(65536)),
				    .csum_start = (uint16_t)(one_in(2) ? 34 : below(100)),
				    .csum_offset = (uint16_t)(one_in(2) ? 16 : below(100))};
}

/* The frame becomes the segment that follows, if it is TCP over IPv4 without options. */
static bool next_segment(size_t len)
{
	size_t head = 34 + (size_t)(frame[46] >> 4) * 4;

	if (len <= head || frame[12] != 8 || frame[14] != 0x45 || frame[23] != 6)
		return false;
	put32(frame + 38,
	      ((uint32_t)get16(frame + 38) << 16 | get16(frame + 40)) + (uint32_t)(len - head));
	put16(frame + 50, 0);
	set_csum(frame, len, 34, 6, false);
	return true;
}

/* Sends a frame in pieces. */
static void send_from(struct net_end *e)
{
	struct net_offload o = make_offload();
	size_t len = make_frame(), cut = below((unsigned)len + 1);
	struct iovec iov[2] = {{frame, cut}, {frame + cut, len - cut}};

	net_send(e, iov, 2, one_in(2) ? &o : NULL);
}

/* ---- an end that takes what it likes ---- */

static bool refuses;
static uint32_t eaten; /* all bytes are looked at */

static bool eat(void *self, const struct iovec *iov, unsigned nr, const struct net_offload *o)
{
	(void)self;
	if (refuses)
		return false;
	for (unsigned i = 0; i < nr; i++)
		eaten = net_sum(iov[i].iov_base, iov[i].iov_len, eaten & 0xffff);
	eaten += o ? o->gso_size : 0;
	return true;
}

static bool can_eat(void *self)
{
	(void)self;
	return !refuses;
}

static const struct net_end_ops eater = {.receive = eat, .can_receive = can_eat};

static void change_mind(struct net_end *e)
{
	bool was = refuses;

	refuses = one_in(4);
	e->takes = below(16);
	if (was && !refuses)
		net_flush(e);
	if (one_in(16)) {
		net_set_link(e, false);
		net_set_link(e, true);
	}
}

/* ---- a loop that turns when it is told ---- */

static struct {
	pthread_mutex_t lock;
	struct loop *loop;
	struct loop_job stop;
	struct net_end guest;
#ifdef CONFIG_SLIRP
	struct slirp_link *slirp;
#endif
	struct netdev *stream;
	int peer;
} * back;

static void stop(void *opaque)
{
	(void)opaque;
	loop_quit(back->loop);
}

static void turn(unsigned ms)
{
	for (unsigned i = 0; i < 3; i++) {
		loop_defer(back->loop, &back->stop);
		loop_run(back->loop);
	}
	clock_step(world.clock, ms * (NSEC_PER_SEC / 1000));
}

static void back_init(void)
{
	back = calloc(1, sizeof(*back));
	pthread_mutex_init(&back->lock, NULL);
	back->loop = loop_new(world.clock, &back->lock);
	back->stop = (struct loop_job){.run = stop};
	back->peer = -1;
	refuses = false;
	net_end_init(&back->guest, "guest", &eater, NULL);
}

static void back_fini(void)
{
	net_end_fini(&back->guest);
	loop_free(back->loop);
	free(back);
}

/* ---- virtio-net ---- */

static struct {
	struct virtio_net d;
	struct net_end peer;
	struct net_hub *hub;
	struct net_hub_port port[2];
	struct net_gro gro;
} * card;

static void card_init(void)
{
	const struct virtio_net_options o = {.pairs = 2, .packed = true};

	back_init();
	card = calloc(1, sizeof(*card));
	net_end_init(&card->d.end, "card", &virtio_net_ops, &card->d);
	net_end_init(&card->peer, "peer", &eater, NULL);
	card->hub = net_hub_new();
	net_hub_add(card->hub, &card->port[0], "port", 0);
	net_hub_add(card->hub, &card->port[1], "port", 5);
	net_plug(&card->d.end, &card->port[0].end);
	net_plug(&card->peer, &card->port[1].end);
	net_gro_init(&card->gro, &card->peer, false);
	virtio_net_init(&card->d, back->loop, &o);
	fuzz_pci_add(&card->d.v.func);
	fuzz_add(&card->d.v.state);
	fuzz_add(&card->d.state);
}

/* A queue's areas are at 1000h + 1800h * queue. */
static uint64_t area(unsigned queue)
{
	return 0x1000 + 0x1800ull * queue;
}

static void card_start(struct virtio_pci *v)
{
	uint64_t at = bar(&v->func, 4), features = v->offered;

	if (one_in(2))
		features &= ~VIRTIO_F_RING_PACKED;
	if (one_in(4))
		features &= next() | VIRTIO_F_VERSION_1;
	put(at + 20, 0, 1);
	put(at + 20, 3, 1);
	for (unsigned i = 0; i < 2; i++) {
		put(at + 8, i, 4);
		put(at + 12, features >> 32 * i, 4);
	}
	put(at + 20, 11, 1);
	for (unsigned q = 0; q < 5; q++) {
		put(at + 22, q, 2);
		put(at + 24, one_in(32) ? value() : 16, 2);
		put(at + 32, one_in(32) ? value() : area(q), 8);
		put(at + 40, one_in(32) ? value() : area(q) + 0x400, 8);
		put(at + 48, one_in(32) ? value() : area(q) + 0x800, 8);
		put(at + 28, 1, 2);
	}
	put(at + 20, 15, 1);
}

/* Chains for a queue: to receive into, to send, or commands. */
static void card_fill(struct virtio_pci *v, unsigned q)
{
	bool packed = v->features & VIRTIO_F_RING_PACKED, control = q == 4 || one_in(16),
	     in = !control && !(q & 1);
	const struct virtqueue *vq = &v->vq[q];
	unsigned chain = in ? 1 : 2 + below(2);

	for (unsigned i = 0; i < 16; i++) {
		uint64_t d = area(q) + 16 * i, data = FUZZ_RAM / 2 + 0x1000 * below(64);
		bool last = i % 4 == chain - 1 || i % 4 == 3;
		uint16_t flags = (uint16_t)((last ? 0 : 1) | (in || (control && last) ? 2 : 0));
		uint32_t len = in ? 1536 : i % 4 ? below(3000) : 12;

		if (control && !(i % 4)) {
			len = 2;
			put(data, below(7) | below(6) << 8, 2);
		} else if (control && i % 4 == 1 && one_in(2)) { /* of pairs, mostly */
			len = 2;
			put(data, below(3), 2);
		} else if (!in && !(i % 4)) {
			struct net_offload o = make_offload();

			memcpy(world.ram->host + data, &o, sizeof(o));
		} else if (!in) {
			size_t n = make_frame();

			len = (uint32_t)n;
			memcpy(world.ram->host + data, frame, n < 0x10000 ? n : 0x10000);
		}
		if (packed)
			flags |= vq->avail_wrap ? 0x80 : 0x8000;
		if (one_in(64))
			flags ^= (uint16_t)(1u << below(16));
		put(d, data, 8);
		put(d + 8, one_in(64) ? value() : len, 4);
		put(d + 12, packed ? i : flags, 2);
		put(d + 14, packed ? flags : (i + 1u) % 16, 2);
		put(area(q) + 0x400 + 4 + 2 * i, in ? i : 4 * below(4), 2);
	}
	put(area(q) + 0x402, one_in(32) ? next() : vq->avail + 1u + below(15), 2);
	put(bar(&v->func, 4) + 0x3000 + 4 * q, q, 2);
}

static void card_round(void)
{
	struct virtio_pci *v = &card->d.v;

	/* Sending may be put off, or not. */
	loop_cancel(back->loop, &card->d.send_job);
	card->d.loop = one_in(2) ? back->loop : NULL;
	if (one_in(8) || v->status & VIRTIO_NEEDS_RESET || !(v->status & VIRTIO_DRIVER_OK))
		card_start(v);
	for (unsigned k = below(8); k < 8; k++) {
		card->port[1].vlan = one_in(4) ? 5 : 0;
		card_fill(v, below(5));
		change_mind(&card->peer);
		send_from(&card->peer);
		if (one_in(4)) {
			size_t len = make_frame();

			do
				net_gro_send(&card->gro, frame, len);
			while (next_segment(len) && !one_in(8));
		}
		if (one_in(4))
			net_gro_flush(&card->gro);
		if (one_in(16))
			noise(4);
		if (one_in(8))
			any_access(&v->func);
		if (one_in(4))
			turn(0);
	}
	net_gro_flush(&card->gro);
}

static void card_fini(void)
{
	card->d.loop = back->loop;
	virtio_net_fini(&card->d);
	net_end_fini(&card->peer);
	net_hub_remove(&card->port[0]);
	net_hub_remove(&card->port[1]);
	net_hub_free(card->hub);
	free(card);
	back_fini();
}

/* ---- back ends ---- */

#ifdef CONFIG_SLIRP
static void slirp_init_one(void)
{
	/* Nothing may get outside. */
	SlirpConfig cfg = {.version = 1,
			   .restricted = 1,
			   .in_enabled = true,
			   .in6_enabled = true,
			   .vnetwork.s_addr = htonl(0x0a000200),
			   .vnetmask.s_addr = htonl(0xffffff00),
			   .vhost.s_addr = htonl(0x0a000202),
			   .vdhcp_start.s_addr = htonl(0x0a00020f),
			   .vnameserver.s_addr = htonl(0x0a000203),
			   .vprefix_len = 64,
			   .tftp_path = "/nonexistent",
			   .bootfile = "boot",
			   .disable_host_loopback = true};
	char err[400];

	cfg.vprefix_addr6.s6_addr[0] = 0xfe;
	cfg.vprefix_addr6.s6_addr[1] = 0xc0;
	cfg.vhost6 = cfg.vnameserver6 = cfg.vprefix_addr6;
	cfg.vhost6.s6_addr[15] = 2;
	cfg.vnameserver6.s6_addr[15] = 3;
	back_init();
	if (slirp_link_open(&back->slirp, &cfg, "slirp", back->loop, world.clock, err,
			    sizeof(err)) < 0)
		back->slirp = NULL;
	else
		net_plug(&back->guest, slirp_link_end(back->slirp));
}

static void slirp_round(void)
{
	for (unsigned i = below(16); i < 16; i++) {
		send_from(&back->guest);
		if (one_in(4))
			change_mind(&back->guest);
		if (one_in(4))
			turn(below(3000));
	}
}

static void slirp_fini(void)
{
	if (back->slirp)
		slirp_link_close(back->slirp);
	back_fini();
}
#endif

static void quiet(void *opaque, const char *line)
{
	(void)opaque;
	(void)line;
}

static void connect_stream(void)
{
	const struct netdev_env env = {.loop = back->loop, .clock = world.clock, .warn = quiet};
	const struct netdev_spec spec = {.type = "stream", .id = "s"};
	struct net_addr addr = {.type = NET_ADDR_FD};
	char err[200];
	int fd[2];

	if (back->stream)
		back->stream->close(back->stream);
	if (back->peer >= 0)
		close(back->peer);
	back->stream = NULL;
	back->peer = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) < 0)
		return;
	addr.fd = fd[0];
	back->peer = fd[1];
	if (net_stream_start(&back->stream, &addr, false, 0, &spec, &env, err, sizeof(err)) < 0) {
		close(fd[0]);
		back->stream = NULL;
		return;
	}
	net_plug(&back->guest, back->stream->end);
}

static void stream_init(void)
{
	back_init();
	connect_stream();
}

static void stream_round(void)
{
	static uint8_t bytes[4 + NET_MAX_FRAME];
	bool cut = false;

	for (unsigned i = below(16); i < 16 && !cut; i++) {
		size_t len = make_frame();

		put32(bytes, one_in(64) ? (uint32_t)value() : (uint32_t)len);
		memcpy(bytes + 4, frame, len);
		/* In two parts, or none of it whole. */
		len = one_in(16) ? below((unsigned)len + 4) : len + 4;
		cut |= send(back->peer, bytes, len / 2, MSG_NOSIGNAL) < 0;
		if (one_in(8))
			turn(1);
		cut |= send(back->peer, bytes + len / 2, len - len / 2, MSG_NOSIGNAL) < 0;
		change_mind(&back->guest);
		send_from(&back->guest);
		turn(1);
		if (one_in(2))
			while (recv(back->peer, bytes, sizeof(bytes), 0) > 0)
				;
	}
	/* Cut off for what it has sent, or full. */
	if (cut || one_in(8))
		connect_stream();
}

static void stream_fini(void)
{
	if (back->stream)
		back->stream->close(back->stream);
	if (back->peer >= 0)
		close(back->peer);
	back_fini();
}

const struct fuzz_device fuzz_net[] = {
    {"virtio-net", card_init, NULL, card_round, card_fini, NULL},
#ifdef CONFIG_SLIRP
    {"slirp", slirp_init_one, NULL, slirp_round, slirp_fini, NULL},
#endif
    {"net-stream", stream_init, NULL, stream_round, stream_fini, NULL},
    {0},
};
