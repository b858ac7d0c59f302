/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Chardevs on file descriptors: see the header.
 */
#include "frontend/stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hw/loop.h"

/* What poll() promises a pipe or terminal takes without blocking. */
#define CHUNK 4096

static void on_input(void *opaque, int fd, unsigned events);
static void on_output(void *opaque, int fd, unsigned events);

/* Input may be a terminal, pipe, socket or plain file and is left in blocking mode, since its file
 * description is shared with whoever started us: read() follows a readiness report only. */
static void watch_in(struct stream *s, bool on)
{
	if (on == s->watching_in || s->in < 0)
		return;
	if (loop_watch(s->loop, s->in, on ? LOOP_IN : 0, on_input, s) == 0)
		s->watching_in = on;
}

static void watch_out(struct stream *s, bool on)
{
	if (on == s->watching_out || s->out < 0)
		return;
	if (loop_watch(s->loop, s->out, on ? LOOP_OUT : 0, on_output, s) == 0)
		s->watching_out = on;
}

static bool writable(int fd, int timeout)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	return poll(&p, 1, timeout) > 0;
}

/* Writes what can be written now; wait: everything. Returns bytes done; errors swallow the rest,
 * for there is nobody to tell. */
static size_t write_some(struct stream *s, const uint8_t *buf, size_t len, bool wait)
{
	size_t done = 0;

	while (done < len) {
		size_t n = len - done < CHUNK ? len - done : CHUNK;
		ssize_t r;

		if (!writable(s->out, wait ? -1 : 0))
			break;
		r = send(s->out, buf + done, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (r < 0 && errno == ENOTSOCK)
			r = write(s->out, buf + done, n);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0 && errno == EAGAIN) {
			if (!wait)
				break;
			continue;
		}
		if (r < 0)
			return len;
		done += (size_t)r;
	}
	return done;
}

static void drain(struct stream *s, bool wait)
{
	size_t n = write_some(s, s->outbuf, s->out_len, wait);

	memmove(s->outbuf, s->outbuf + n, s->out_len - n);
	s->out_len -= n;
}

static void on_output(void *opaque, int fd, unsigned events)
{
	struct stream *s = opaque;

	(void)fd;
	(void)events;
	drain(s, false);
	if (!s->out_len)
		watch_out(s, false);
}

static size_t stream_write(struct chardev *c, const uint8_t *buf, size_t len)
{
	struct stream *s = (struct stream *)c;
	size_t done = 0;

	if (s->out < 0)
		return len;
	if (!s->out_len)
		done = write_some(s, buf, len, false);
	if (done == len)
		return len;
	if (!s->outbuf)
		s->outbuf = malloc(STREAM_OUT);
	if (!s->outbuf)
		return len;
	if (len - done > STREAM_OUT - s->out_len) {
		if (s->lossy)
			return len;
		drain(s, true);
		done += write_some(s, buf + done, len - done, true);
	}
	memcpy(s->outbuf + s->out_len, buf + done, len - done);
	s->out_len += len - done;
	if (s->out_len)
		watch_out(s, true);
	return len;
}

static void stream_accept(struct chardev *c)
{
	stream_push((struct stream *)c);
}

void stream_push(struct stream *s)
{
	size_t done = 0;

	while (done < s->in_len && s->chr.can_receive) {
		size_t room = s->chr.can_receive(s->chr.dev);
		size_t n = s->in_len - done < room ? s->in_len - done : room;

		if (!n)
			break;
		/* The device may come back through accept_input: it must find the rest only. */
		uint8_t part[64];

		if (n > sizeof(part))
			n = sizeof(part);
		memcpy(part, s->inbuf + done, n);
		memmove(s->inbuf, s->inbuf + done + n, s->in_len - done - n);
		s->in_len -= done + n;
		done = 0;
		s->chr.receive(s->chr.dev, part, n);
	}
	if (!s->chr.can_receive)
		s->in_len = 0;
	watch_in(s, s->in_len == 0);
}

static void on_input(void *opaque, int fd, unsigned events)
{
	struct stream *s = opaque;
	ssize_t n;

	(void)events;
	n = read(fd, s->inbuf + s->in_len, sizeof(s->inbuf) - s->in_len);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		watch_in(s, false);
		s->in = -1;
		if (s->closed)
			s->closed(s->opaque);
		return;
	}
	if (s->filter)
		n = (ssize_t)s->filter(s->opaque, s->inbuf + s->in_len, (size_t)n);
	s->in_len += (size_t)n;
	stream_push(s);
}

void stream_init(struct stream *s, struct loop *loop, int in, int out, bool lossy)
{
	memset(s, 0, sizeof(*s));
	s->loop = loop;
	s->in = in;
	s->out = out;
	s->lossy = lossy;
	s->chr.write = stream_write;
	s->chr.accept_input = stream_accept;
}

int stream_start(struct stream *s)
{
	int r;

	if (s->in < 0 || s->watching_in)
		return 0;
	r = loop_watch(s->loop, s->in, LOOP_IN, on_input, s);
	if (r == 0)
		s->watching_in = true;
	return r;
}

void stream_stop(struct stream *s)
{
	watch_in(s, false);
	watch_out(s, false);
	if (s->out_len && s->out >= 0)
		drain(s, !s->lossy);
	free(s->outbuf);
	s->outbuf = NULL;
	s->out_len = s->in_len = 0;
}
