/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Connections of the virtio socket device. What comes from the guest goes to the Unix socket at once, or waits
 * in a buffer of the size that the guest was told; what comes from the host stays in the socket until the guest has
 * both a buffer in its queue and room (5.10.6.3: credit). So neither side makes the other take more than it wants.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "hw/virtio/vsock_impl.h"

enum { FIRST_PORT = 1u << 30, HELLO_MAX = 32, BACKLOG = 16 };

enum state {
	HELLO, /* "CONNECT" has yet to come */
	ASKED, /* the guest was asked, and has not answered */
	OPEN,
	ENDED, /* the socket is closed; the guest is yet to be told */
};

/* What the guest is yet to be told. */
enum {
	TELL_REQUEST = 1,
	TELL_RESPONSE = 2,
	TELL_SHUTDOWN = 4,
	TELL_CREDIT = 8,
	ASK_CREDIT = 16,
};

struct vsock_conn {
	struct virtio_vsock *d;
	enum state state;
	int fd;
	uint32_t guest_port, host_port;
	unsigned tell;
	/* To the guest: its room, and how far it has come, as it says; what was sent. */
	uint32_t peer_alloc, peer_fwd, sent;
	bool readable, eof;
	bool asked_credit;
	/* From the guest: bytes that went to the socket, and those of them that it knows of. */
	uint32_t taken, told;
	unsigned guest_shut; /* VSOCK_SHUT_*: what it will not do any more */
	bool gone;           /* the guest has forgotten it: only what is in out is left */
	uint8_t *out;        /* VSOCK_BUFFER bytes, made when it is needed */
	uint32_t out_at, out_len;
};

static void on_socket(void *opaque, int fd, unsigned events);

/* ---- life ---- */

static struct vsock_conn *find(const struct virtio_vsock *d, uint32_t guest, uint32_t host)
{
	for (unsigned i = 0; i < d->nr_conns; i++) {
		struct vsock_conn *c = d->conn[i];

		if (c->guest_port == guest && c->host_port == host && c->state != HELLO && !c->gone)
			return c;
	}
	return NULL;
}

static void close_fd(struct vsock_conn *c)
{
	if (c->fd < 0)
		return;
	loop_watch(c->d->loop, c->fd, 0, NULL, NULL);
	close(c->fd);
	c->fd = -1;
}

static void drop(struct vsock_conn *c)
{
	struct virtio_vsock *d = c->d;
	unsigned n = 0;

	while (d->conn[n] != c)
		n++;
	memmove(d->conn + n, d->conn + n + 1, (--d->nr_conns - n) * sizeof(d->conn[0]));
	close_fd(c);
	free(c->out);
	free(c);
}

void vsock_drop_all(struct virtio_vsock *d)
{
	while (d->nr_conns)
		drop(d->conn[d->nr_conns - 1]);
	d->nr_rsts = 0;
}

/* With nobody there any more on the host's side, or none that we deal with. */
static void end(struct vsock_conn *c)
{
	if (c->gone || c->state == HELLO) {
		drop(c);
		return;
	}
	close_fd(c);
	c->state = ENDED;
	c->out_len = 0;
}

/* Takes fd. When there are too many, the first that has not come to be a connection goes; NULL: there is none. */
static struct vsock_conn *new_conn(struct virtio_vsock *d, int fd, enum state state)
{
	struct vsock_conn *c = NULL;

	for (unsigned i = 0; d->nr_conns == VSOCK_CONNS && i < d->nr_conns; i++)
		if (d->conn[i]->state < OPEN)
			drop(d->conn[i]);
	if (d->nr_conns < VSOCK_CONNS)
		c = calloc(1, sizeof(*c));
	if (!c) {
		close(fd);
		return NULL;
	}
	c->d = d;
	c->fd = fd;
	c->state = state;
	d->conn[d->nr_conns++] = c;
	return c;
}

/* Watches the socket for what can be done now. */
static void watch(struct vsock_conn *c)
{
	unsigned events = c->out_len ? LOOP_OUT : 0;

	if (c->state == HELLO ||
	    (c->state == OPEN && !c->readable && !c->eof && !(c->guest_shut & VSOCK_SHUT_RECEIVE)))
		events |= LOOP_IN;
	if (c->fd >= 0)
		loop_watch(c->d->loop, c->fd, events, on_socket, c);
}

/* ---- to the host ---- */

/* After a change: what has ended on both sides, or in the one direction. May free the connection. */
static void settle(struct vsock_conn *c)
{
	if (c->state != OPEN || c->out_len) {
		watch(c);
		return;
	}
	if (c->gone || c->guest_shut == (VSOCK_SHUT_RECEIVE | VSOCK_SHUT_SEND) ||
	    (c->guest_shut & VSOCK_SHUT_SEND && c->eof)) {
		end(c);
		return;
	}
	if (c->guest_shut & VSOCK_SHUT_SEND)
		shutdown(c->fd, SHUT_WR);
	watch(c);
}

/* How many bytes the socket takes; -1: nobody reads them. */
static ssize_t write_socket(struct vsock_conn *c, const uint8_t *buf, size_t len)
{
	ssize_t n = send(c->fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	c->taken += (uint32_t)n;
	if (c->taken - c->told >= VSOCK_BUFFER / 4)
		c->tell |= TELL_CREDIT;
	return n;
}

/* Data of the guest. False: it has sent more than it may. */
static bool write_data(struct vsock_conn *c, const uint8_t *buf, uint32_t len)
{
	if (len > VSOCK_BUFFER - c->out_len)
		return false;
	if (!c->out_len) {
		ssize_t n = write_socket(c, buf, len);

		if (n < 0) {
			end(c);
			return true;
		}
		buf += n;
		len -= (uint32_t)n;
	}
	if (len && !c->out && !(c->out = malloc(VSOCK_BUFFER)))
		return false;
	if (c->out_at + c->out_len + len > VSOCK_BUFFER) {
		memmove(c->out, c->out + c->out_at, c->out_len);
		c->out_at = 0;
	}
	if (len)
		memcpy(c->out + c->out_at + c->out_len, buf, len);
	c->out_len += len;
	watch(c);
	return true;
}

static void flush(struct vsock_conn *c)
{
	ssize_t n = write_socket(c, c->out + c->out_at, c->out_len);

	if (n < 0) {
		end(c);
		return;
	}
	c->out_at += (uint32_t)n;
	c->out_len -= (uint32_t)n;
	if (!c->out_len)
		c->out_at = 0;
	settle(c);
}

/* ---- from the host ---- */

static uint32_t free_port(struct virtio_vsock *d, uint32_t guest)
{
	do {
		if (d->next_port < FIRST_PORT || d->next_port == UINT32_MAX)
			d->next_port = FIRST_PORT;
		d->next_port++;
	} while (find(d, guest, d->next_port));
	return d->next_port;
}

/* "CONNECT PORT\n", of which no byte more is taken from the socket. */
static void hello(struct vsock_conn *c)
{
	char line[HELLO_MAX + 1], *newline;
	ssize_t n = recv(c->fd, line, HELLO_MAX, MSG_PEEK | MSG_DONTWAIT);
	unsigned long port;
	char *to;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	line[n > 0 ? n : 0] = 0;
	newline = strchr(line, '\n');
	if (!newline && n > 0 && n < HELLO_MAX && strlen(line) == (size_t)n)
		return;
	if (!newline || strncmp(line, "CONNECT ", 8) != 0 || line[8] < '0' || line[8] > '9') {
		end(c);
		return;
	}
	port = strtoul(line + 8, &to, 10);
	if (to != newline || port >= UINT32_MAX || !(c->d->v.status & VIRTIO_DRIVER_OK)) {
		end(c);
		return;
	}
	if (recv(c->fd, line, (size_t)(newline + 1 - line), MSG_DONTWAIT) < 0) {
		end(c);
		return;
	}
	c->guest_port = (uint32_t)port;
	c->host_port = free_port(c->d, c->guest_port);
	c->state = ASKED;
	c->tell = TELL_REQUEST;
	watch(c);
}

static void on_socket(void *opaque, int fd, unsigned events)
{
	struct vsock_conn *c = opaque;
	struct virtio_vsock *d = c->d;

	(void)fd;
	if (c->state == HELLO) {
		hello(c);
	} else {
		if (events & (LOOP_IN | LOOP_HUP)) {
			c->readable = !c->eof;
			watch(c);
		}
		/* A socket that is watched for nothing but room says by an error that nobody reads. */
		if (c->out_len)
			flush(c);
	}
	vsock_pump(d);
}

static void on_client(void *opaque, int fd, unsigned events)
{
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct vsock_conn *c;

	(void)events;
	if (client < 0)
		return;
	c = new_conn(opaque, client, HELLO);
	if (c)
		watch(c);
}

static int make_address(struct sockaddr_un *un, const char *path)
{
	un->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(un->sun_path))
		return -ENAMETOOLONG;
	strcpy(un->sun_path, path);
	return 0;
}

/* A connected socket, or -errno. */
static int connect_to(const char *path)
{
	struct sockaddr_un un;
	int fd, r = make_address(&un, path);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

int vsock_listen(struct virtio_vsock *d)
{
	struct sockaddr_un un;
	struct stat st;
	int fd, r = make_address(&un, d->path);

	d->listener = -1;
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* A socket that nobody listens at is left over from an earlier run. */
	if (stat(d->path, &st) == 0 && S_ISSOCK(st.st_mode)) {
		int other = connect_to(d->path);

		if (other == -ECONNREFUSED)
			unlink(d->path);
		else if (other >= 0)
			close(other);
	}
	if (bind(fd, (struct sockaddr *)&un, sizeof(un)) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	r = listen(fd, BACKLOG) < 0 ? -errno : loop_watch(d->loop, fd, LOOP_IN, on_client, d);
	d->listener = fd;
	if (r < 0)
		vsock_unlisten(d);
	return r;
}

void vsock_unlisten(struct virtio_vsock *d)
{
	if (d->listener < 0)
		return;
	loop_watch(d->loop, d->listener, 0, NULL, NULL);
	close(d->listener);
	unlink(d->path);
	d->listener = -1;
}

/* ---- packets of the guest ---- */

static bool requested(struct virtio_vsock *d, const struct vsock_header *h)
{
	char path[VSOCK_PATH_MAX + 12];
	struct vsock_conn *c;
	int fd;

	snprintf(path, sizeof(path), "%s_%u", d->path, h->dst_port);
	fd = connect_to(path);
	c = fd >= 0 ? new_conn(d, fd, OPEN) : NULL;
	if (!c)
		return false;
	c->guest_port = h->src_port;
	c->host_port = h->dst_port;
	c->peer_alloc = h->buf_alloc;
	c->peer_fwd = h->fwd_cnt;
	c->tell = TELL_RESPONSE;
	watch(c);
	return true;
}

/* The guest takes the connection that it was asked for. */
static bool answered(struct vsock_conn *c)
{
	char line[24];
	int n = snprintf(line, sizeof(line), "OK %u\n", c->host_port);

	if (c->state != ASKED)
		return false;
	c->state = OPEN;
	if (send(c->fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) != n)
		end(c);
	else
		watch(c);
	return true;
}

static void forgotten(struct vsock_conn *c)
{
	if (c->state != OPEN || !c->out_len) {
		drop(c);
		return;
	}
	c->gone = true;
	c->tell = 0;
	c->guest_shut = VSOCK_SHUT_RECEIVE | VSOCK_SHUT_SEND;
	watch(c);
}

bool vsock_take(struct virtio_vsock *d, const struct vsock_header *h)
{
	struct vsock_conn *c = find(d, h->src_port, h->dst_port);
	bool ok = true;

	if (!c)
		return h->op == VSOCK_RST || (h->op == VSOCK_REQUEST && requested(d, h));
	c->peer_alloc = h->buf_alloc;
	c->peer_fwd = h->fwd_cnt;
	if (c->sent - c->peer_fwd < c->peer_alloc)
		c->asked_credit = false;
	if (c->state == ENDED) { /* it is told soon */
		if (h->op == VSOCK_RST)
			drop(c);
		return true;
	}
	switch (h->op) {
	case VSOCK_RESPONSE:
		ok = answered(c);
		break;
	case VSOCK_RST:
		forgotten(c);
		break;
	case VSOCK_SHUTDOWN:
		c->guest_shut |= h->flags & (VSOCK_SHUT_RECEIVE | VSOCK_SHUT_SEND);
		settle(c);
		break;
	case VSOCK_RW:
		ok = c->state == OPEN && !(c->guest_shut & VSOCK_SHUT_SEND) &&
		     write_data(c, d->buf, h->len);
		break;
	case VSOCK_CREDIT_UPDATE:
		break;
	case VSOCK_CREDIT_REQUEST:
		c->tell |= TELL_CREDIT;
		break;
	default:
		ok = false;
	}
	if (!ok)
		end(c);
	return true;
}

/* ---- packets for the guest ---- */

/* Reads what the guest has room for; 0: nothing now. */
static size_t read_socket(struct vsock_conn *c, size_t room)
{
	uint32_t used = c->sent - c->peer_fwd;
	size_t credit = used < c->peer_alloc ? c->peer_alloc - used : 0;
	ssize_t n;

	if (!credit && !c->asked_credit) {
		c->asked_credit = true;
		c->tell |= ASK_CREDIT;
	}
	room = room < credit ? room : credit;
	if (!room)
		return 0;
	n = recv(c->fd, c->d->buf, room < VSOCK_PACKET ? room : VSOCK_PACKET, MSG_DONTWAIT);
	if (n > 0)
		return (size_t)n;
	c->readable = false;
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		watch(c);
		return 0;
	}
	c->eof = true;
	c->tell |= TELL_SHUTDOWN;
	return 0;
}

static uint16_t next_op(struct vsock_conn *c, struct vsock_header *h)
{
	static const struct {
		unsigned bit;
		enum vsock_op op;
	} ops[] = {
	    {TELL_REQUEST, VSOCK_REQUEST},      {TELL_RESPONSE, VSOCK_RESPONSE},
	    {TELL_SHUTDOWN, VSOCK_SHUTDOWN},    {TELL_CREDIT, VSOCK_CREDIT_UPDATE},
	    {ASK_CREDIT, VSOCK_CREDIT_REQUEST},
	};

	if (c->state == ENDED)
		return VSOCK_RST;
	if (h->len)
		return VSOCK_RW;
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (!(c->tell & ops[i].bit))
			continue;
		c->tell &= ~ops[i].bit;
		h->flags = ops[i].op == VSOCK_SHUTDOWN ? VSOCK_SHUT_SEND : 0;
		return (uint16_t)ops[i].op;
	}
	return 0;
}

bool vsock_give(struct virtio_vsock *d, unsigned n, struct vsock_header *h, size_t room)
{
	struct vsock_conn *c = d->conn[n];
	bool reads = c->state == OPEN && !(c->tell & (TELL_RESPONSE | TELL_SHUTDOWN)) &&
		     c->readable && !c->eof && !(c->guest_shut & VSOCK_SHUT_RECEIVE);

	*h = (struct vsock_header){.src_port = c->host_port, .dst_port = c->guest_port};
	if (c->gone)
		return false;
	if (reads)
		h->len = (uint32_t)read_socket(c, room);
	h->op = next_op(c, h);
	if (!h->op)
		return false;
	h->buf_alloc = VSOCK_BUFFER;
	h->fwd_cnt = c->told = c->taken;
	c->tell &= ~(unsigned)TELL_CREDIT;
	c->sent += h->len;
	if (h->op == VSOCK_RST)
		drop(c);
	else if (h->op == VSOCK_SHUTDOWN)
		settle(c);
	return true;
}
