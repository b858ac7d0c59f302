/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The virtio socket device, driven through its queues, with programs of the host at Unix sockets.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "disks.h"
#include "hw/virtio/virtio_vsock.h"
#include "vring.h"

#define CID  7u
#define BUFS 0x100000u /* 4 KiB for each packet to the guest */
#define OUT  0x80000u

enum { RX, TX, EVENTS };
enum { REQUEST = 1, RESPONSE, RST, SHUTDOWN, RW, CREDIT_UPDATE, CREDIT_REQUEST };

static struct rig g;
static struct clock clk;
static pthread_mutex_t lock;
static struct loop *loop;
static struct loop_job stop;
static struct virtio_vsock *d;
static struct vring r[3];
static uint64_t at;
static char path[64];
static uint32_t alloc, fwd; /* what the guest says of its room */

static void on_stop(void *opaque)
{
	(void)opaque;
	loop_quit(loop);
}

/* What the loop has to do now is done. */
static void turn(void)
{
	for (unsigned i = 0; i < 4; i++) {
		loop_defer(loop, &stop);
		loop_run(loop);
	}
}

static void kick(unsigned queue)
{
	put(&g, at + 0x3000 + 4 * queue, queue, 2);
	turn();
}

static void give_buffers(unsigned n, uint32_t len)
{
	for (unsigned i = 0; i < n; i++) {
		struct vbuf b = {BUFS + 0x1000 * (r[RX].next % 64), len, true};

		vring_add(&r[RX], &b, 1, 0);
	}
	kick(RX);
}

static void start(void)
{
	at = rig_bar(&d->v.func, 4);
	put(&g, at + 20, 0, 1);
	put(&g, at + 20, 3, 1);
	put(&g, at + 8, 1, 4);
	put(&g, at + 12, 1, 4);
	put(&g, at + 20, 11, 1);
	memset(g.ram.host + 0x4000, 0, 0x20000);
	for (unsigned q = 0; q < 3; q++) {
		vring_init(&r[q], &g.mem, false, 64, 0x4000 + 0x4000 * q);
		put(&g, at + 22, q, 2);
		put(&g, at + 24, 64, 2);
		put(&g, at + 32, r[q].desc, 8);
		put(&g, at + 40, r[q].driver, 8);
		put(&g, at + 48, r[q].device, 8);
		put(&g, at + 28, 1, 2);
	}
	put(&g, at + 20, 15, 1);
}

static void setup(void)
{
	static const struct virtio_pci_options layout = {.features = VIRTIO_F_INDIRECT_DESC};

	rig_init(&g);
	clock_init(&clk, true);
	pthread_mutex_init(&lock, NULL);
	loop = loop_new(&clk, &lock);
	stop = (struct loop_job){.run = on_stop};
	snprintf(path, sizeof(path), "/tmp/doppel-vsock-%d", getpid());
	alloc = 65536;
	fwd = 0;
	d = calloc(1, sizeof(*d));
	cr_assert_eq(virtio_vsock_init(d, loop, CID, path, &layout), 0);
	rig_plug(&g, &d->v.func);
	device_reset(&d->v.state);
	start();
}

static void fini(void)
{
	virtio_vsock_fini(d);
	cr_assert_neq(access(path, F_OK), 0, "the socket is left behind");
	free(d);
	loop_free(loop);
	rig_fini(&g);
}

TestSuite(vsock, .init = setup, .fini = fini, .timeout = 60);

/* ---- the guest ---- */

static void send_packet(unsigned op, uint32_t src, uint32_t dst, const void *data, uint32_t len,
			uint32_t flags)
{
	struct vbuf b[2] = {{OUT, 44, false}, {OUT + 0x1000, len, false}};

	put(&g, OUT, CID, 8);
	put(&g, OUT + 8, 2, 8);
	put(&g, OUT + 16, src, 4);
	put(&g, OUT + 20, dst, 4);
	put(&g, OUT + 24, len, 4);
	put(&g, OUT + 28, 1, 2);
	put(&g, OUT + 30, op, 2);
	put(&g, OUT + 32, flags, 4);
	put(&g, OUT + 36, alloc, 4);
	put(&g, OUT + 40, fwd, 4);
	if (len)
		memcpy(g.ram.host + OUT + 0x1000, data, len);
	vring_add(&r[TX], b, len ? 2 : 1, 0);
	kick(TX);
}

struct packet {
	unsigned op, len, flags, fwd;
	uint32_t src, dst;
	const char *data;
};

/* The next packet for the guest; op 0: there is none. */
static struct packet next(void)
{
	struct packet p = {0};
	uint32_t len;
	uint16_t id;
	uint64_t b;

	if (!vring_used(&r[RX], 1, &id, &len))
		return p;
	b = BUFS + 0x1000 * id;
	cr_assert_eq(get(&g, b, 8), 2);
	cr_assert_eq(get(&g, b + 8, 8), CID);
	p.src = (uint32_t)get(&g, b + 16, 4);
	p.dst = (uint32_t)get(&g, b + 20, 4);
	p.len = (unsigned)get(&g, b + 24, 4);
	p.op = (unsigned)get(&g, b + 30, 2);
	p.flags = (unsigned)get(&g, b + 32, 4);
	p.fwd = (unsigned)get(&g, b + 40, 4);
	p.data = (const char *)g.ram.host + b + 44;
	cr_assert_eq(len, 44 + p.len);
	return p;
}

/* ---- the host ---- */

static int unix_socket(const char *name, bool server)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	strcpy(un.sun_path, name);
	if (server) {
		unlink(name);
		cr_assert_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
		cr_assert_eq(listen(fd, 4), 0);
	} else {
		cr_assert_eq(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	}
	turn();
	return fd;
}

static void say(int fd, const char *text)
{
	cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	turn();
}

/* What can be read: a text; "EOF" at the end, "" when there is nothing. */
static const char *hear(int fd)
{
	static char buf[256];
	ssize_t n = recv(fd, buf, sizeof(buf) - 1, 0);

	if (n < 0)
		return errno == EAGAIN ? "" : "EOF";
	buf[n] = 0;
	return n ? buf : "EOF";
}

/* A connection from the host to port 80 of the guest; its own port. */
static int open_in(uint32_t *port)
{
	int fd = unix_socket(path, false);
	struct packet p;
	char ok[32];

	say(fd, "CONNECT 80\nfirst");
	p = next();
	cr_assert_eq(p.op, REQUEST);
	cr_assert_eq(p.dst, 80);
	*port = p.src;
	cr_assert_eq(next().op, 0, "no data before the guest has answered");
	send_packet(RESPONSE, 80, *port, NULL, 0, 0);
	snprintf(ok, sizeof(ok), "OK %u\n", *port);
	cr_assert_str_eq(hear(fd), ok);
	p = next();
	cr_assert_eq(p.op, RW);
	cr_assert_eq(memcmp(p.data, "first", 5), 0);
	return fd;
}

Test(vsock, from_the_host)
{
	struct packet p;
	uint32_t port;
	int fd;

	cr_assert_eq(get(&g, at + 0x2000, 8), CID);
	give_buffers(16, 4096);
	fd = open_in(&port);
	cr_assert_geq(port, 1u << 30);
	send_packet(RW, 80, port, "hello", 5, 0);
	cr_assert_str_eq(hear(fd), "hello");
	say(fd, "more");
	p = next();
	cr_assert_eq(p.op, RW);
	cr_assert_eq(p.len, 4);
	cr_assert_eq(p.fwd, 5, "what has gone to the socket");
	/* half closed: the other direction goes on */
	shutdown(fd, SHUT_WR);
	turn();
	p = next();
	cr_assert_eq(p.op, SHUTDOWN);
	cr_assert_eq(p.flags, 2);
	send_packet(RW, 80, port, "late", 4, 0);
	cr_assert_str_eq(hear(fd), "late");
	send_packet(SHUTDOWN, 80, port, NULL, 0, 3);
	cr_assert_eq(next().op, RST);
	cr_assert_str_eq(hear(fd), "EOF");
	cr_assert_eq(d->nr_conns, 0);
	close(fd);
}

Test(vsock, from_the_guest)
{
	char name[80];
	int server, fd;

	give_buffers(16, 4096);
	send_packet(REQUEST, 1000, 52, NULL, 0, 0);
	cr_assert_eq(next().op, RST, "nobody listens");
	snprintf(name, sizeof(name), "%s_52", path);
	server = unix_socket(name, true);
	send_packet(REQUEST, 1000, 52, NULL, 0, 0);
	cr_assert_eq(next().op, RESPONSE);
	fd = accept4(server, NULL, NULL, SOCK_NONBLOCK);
	cr_assert_geq(fd, 0);
	send_packet(RW, 1000, 52, "abc", 3, 0);
	cr_assert_str_eq(hear(fd), "abc");
	send_packet(CREDIT_REQUEST, 1000, 52, NULL, 0, 0);
	cr_assert_eq(next().op, CREDIT_UPDATE);
	send_packet(SHUTDOWN, 1000, 52, NULL, 0, 2);
	cr_assert_str_eq(hear(fd), "EOF");
	say(fd, "answer");
	cr_assert_eq(next().len, 6);
	close(fd);
	turn();
	cr_assert_eq(next().op, SHUTDOWN);
	cr_assert_eq(next().op, RST);
	cr_assert_eq(d->nr_conns, 0);
	/* what makes no sense for a connection ends it, on both sides */
	send_packet(REQUEST, 1000, 52, NULL, 0, 0);
	fd = accept4(server, NULL, NULL, SOCK_NONBLOCK);
	cr_assert_eq(next().op, RESPONSE);
	send_packet(RESPONSE, 1000, 52, NULL, 0, 0);
	cr_assert_eq(next().op, RST);
	cr_assert_str_eq(hear(fd), "EOF");
	close(fd);
	close(server);
	unlink(name);
}

/* Neither side takes more than it has said. */
Test(vsock, credit)
{
	char data[4096] = "x";
	struct packet p;
	uint32_t port;
	unsigned sum = 0;
	int fd;

	alloc = 100;
	give_buffers(32, 4096);
	fd = open_in(&port);
	cr_assert_eq(send(fd, data, 1000, 0), 1000);
	turn();
	cr_assert_eq(next().len, 95);
	cr_assert_eq(next().op, CREDIT_REQUEST);
	send_packet(CREDIT_UPDATE, 80, port, NULL, 0, 0);
	cr_assert_eq(next().op, 0, "it was asked already");
	fwd = 60;
	send_packet(CREDIT_UPDATE, 80, port, NULL, 0, 0);
	cr_assert_eq(next().len, 60);
	alloc = 2000;
	send_packet(CREDIT_UPDATE, 80, port, NULL, 0, 0);
	while ((p = next()).op)
		sum += p.op == RW ? p.len : 0;
	cr_assert_eq(sum, 1000 - 95 - 60);

	/* Nobody reads: the guest may send so much, and a byte more is too much. */
	sum = 0;
	while (d->nr_conns && sum < 0x200000) {
		send_packet(RW, 80, port, data, sizeof(data), 0);
		sum += sizeof(data);
	}
	do
		p = next();
	while (p.op && p.op != RST);
	cr_assert_eq(p.op, RST);
	cr_assert_geq(sum, VSOCK_BUFFER);
	cr_assert_eq(d->nr_conns, 0);
	close(fd);
}

/* What the guest leaves behind still reaches a slow reader. */
Test(vsock, what_was_sent_arrives)
{
	static char data[4096];
	uint32_t port, sum = 0;
	ssize_t n;
	int fd;

	give_buffers(32, 4096);
	fd = open_in(&port);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int));
	for (unsigned i = 0; i < VSOCK_BUFFER; i += 4096)
		send_packet(RW, 80, port, data, 4096, 0);
	send_packet(SHUTDOWN, 80, port, NULL, 0, 3);
	send_packet(RST, 80, port, NULL, 0, 0);
	while ((n = recv(fd, data, sizeof(data), 0)) != 0) {
		if (n > 0)
			sum += (uint32_t)n;
		turn();
	}
	cr_assert_eq(sum, VSOCK_BUFFER);
	cr_assert_eq(d->nr_conns, 0);
	close(fd);
}

static void refused(const char *line)
{
	int fd = unix_socket(path, false);

	say(fd, line);
	cr_assert_str_eq(hear(fd), "EOF", "%s", line);
	close(fd);
}

Test(vsock, hostile_hosts)
{
	int fd[VSOCK_CONNS + 8];

	give_buffers(4, 4096);
	refused("CONNECT 80 \n");
	refused("CONNECT -1\n");
	refused("CONNECT 4294967295\n");
	refused("CONNECT\n");
	refused("connect 80\n");
	refused("CONNECT 0000000000000000000000000000000000001\n");
	cr_assert_eq(next().op, 0);
	for (unsigned i = 0; i < VSOCK_CONNS + 8; i++)
		fd[i] = unix_socket(path, false);
	cr_assert_eq(d->nr_conns, VSOCK_CONNS);
	cr_assert_str_eq(hear(fd[0]), "EOF", "the first that has said nothing goes");
	cr_assert_str_eq(hear(fd[VSOCK_CONNS + 7]), "");
	say(fd[20], "CONNE");
	say(fd[20], "CT 5\n");
	cr_assert_eq(next().dst, 5);
	for (unsigned i = 0; i < VSOCK_CONNS + 8; i++)
		close(fd[i]);
}

Test(vsock, hostile_guests)
{
	struct vbuf b = {OUT, 10, false};
	uint32_t port;
	int fd;

	/* of connections that are not there, more than can be told at once */
	for (unsigned i = 0; i < VSOCK_RSTS + 20; i++)
		send_packet(i % 8, i, 99, NULL, 0, 0);
	cr_assert_eq(d->nr_rsts, VSOCK_RSTS);
	give_buffers(40, 4096);
	give_buffers(20, 4096);
	while (next().op)
		;
	give_buffers(40, 4096);
	while (next().op)
		;
	cr_assert_eq(d->nr_rsts, 0);
	/* no header; another address; more than there is */
	vring_add(&r[TX], &b, 1, 0);
	kick(TX);
	fd = open_in(&port);
	put(&g, OUT + 24, 0x7fffffff, 4);
	b.len = 44;
	vring_add(&r[TX], &b, 1, 0);
	kick(TX);
	cr_assert_eq(next().op, RST);
	cr_assert_str_eq(hear(fd), "EOF");
	close(fd);
	cr_assert_eq(get(&g, at + 20, 1) & VIRTIO_NEEDS_RESET, 0);
	/* a reset ends all */
	fd = open_in(&port);
	start();
	cr_assert_str_eq(hear(fd), "EOF");
	close(fd);
	give_buffers(1, 43);
	fd = unix_socket(path, false);
	say(fd, "CONNECT 80\n");
	cr_assert_eq(get(&g, at + 20, 1) & VIRTIO_NEEDS_RESET, VIRTIO_NEEDS_RESET);
	close(fd);
}

/* A saved state has no connections: the guest is told. */
Test(vsock, load)
{
	struct vbuf b = {OUT + 0x8000, 4, true};
	uint32_t port, len;
	uint16_t id;
	int fd;

	give_buffers(8, 4096);
	fd = open_in(&port);
	put(&g, OUT + 0x8000, 0xffffffff, 4);
	d->state.tame(d);
	d->state.loaded(d);
	cr_assert_str_eq(hear(fd), "EOF");
	cr_assert_eq(d->event_pending, 1);
	vring_add(&r[EVENTS], &b, 1, 0);
	kick(EVENTS);
	cr_assert(vring_used(&r[EVENTS], 1, &id, &len));
	cr_assert_eq(len, 4);
	cr_assert_eq(get(&g, OUT + 0x8000, 4), 0);
	cr_assert_eq(d->event_pending, 0);
	close(fd);
}
