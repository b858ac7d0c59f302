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

static void on_event(void *opaque, int fd, unsigned events);

/* Makes the loop watch what is wanted. Both directions may share one descriptor, and the loop has
 * one watch per descriptor.
 *
 * Descriptors may be shared with whoever started us and are left in their mode: reading and
 * writing follow a readiness report only. */
static int watch(struct stream *s, bool want_in, bool want_out)
{
	unsigned in = want_in && s->in >= 0 ? LOOP_IN : 0;
	unsigned out = want_out && s->out >= 0 ? LOOP_OUT : 0;
	bool both = s->in == s->out;
	int r = 0;

	if (!!in != s->watching_in || (both && !!out != s->watching_out))
		r = loop_watch(s->loop, s->in, both ? in | out : in, on_event, s);
	if (r == 0)
		s->watching_in = in;
	if (!both && !!out != s->watching_out)
		r = loop_watch(s->loop, s->out, out, on_event, s);
	if (r == 0)
		s->watching_out = out;
	return r;
}

static void watch_in(struct stream *s, bool on)
{
	watch(s, on, s->watching_out);
}

static void watch_out(struct stream *s, bool on)
{
	watch(s, s->watching_in, on);
}

/* Whether a write would not block; wait: not until it would not, or waiting is called off. */
static bool writable(struct stream *s, bool wait)
{
	struct pollfd p[2] = {{.fd = s->out, .events = POLLOUT},
			      {.fd = wait ? s->cancel : -1, .events = POLLIN}};

	while (poll(p, 2, wait ? -1 : 0) < 0 && errno == EINTR)
		;
	if (p[1].revents)
		s->lossy = true;
	return p[0].revents;
}

/* Writes what can be written now; wait: everything, unless that is called off. Returns bytes done;
 * errors swallow the rest, for there is nobody to tell. */
static size_t write_some(struct stream *s, const uint8_t *buf, size_t len, bool wait)
{
	size_t done = 0;

	while (done < len) {
		size_t n = len - done < CHUNK ? len - done : CHUNK;
		ssize_t r;

		if (!writable(s, wait))
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
	if (len - done > STREAM_OUT - s->out_len && !s->lossy) {
		drain(s, true);
		if (!s->out_len)
			done += write_some(s, buf + done, len - done, true);
	}
	if (len - done > STREAM_OUT - s->out_len)
		return len;
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
	while (s->in_len && s->chr.can_receive) {
		size_t room = s->chr.can_receive(s->chr.dev);
		size_t n = s->in_len < room ? s->in_len : room;
		uint8_t part[64];

		if (!n)
			break;
		/* The device may come back through accept_input: it must find the rest only. */
		if (n > sizeof(part))
			n = sizeof(part);
		memcpy(part, s->inbuf, n);
		memmove(s->inbuf, s->inbuf + n, s->in_len - n);
		s->in_len -= n;
		s->chr.receive(s->chr.dev, part, n);
	}
	if (!s->chr.can_receive)
		s->in_len = 0;
	watch_in(s, s->in_len == 0);
}

static void read_input(struct stream *s)
{
	ssize_t n = read(s->in, s->inbuf + s->in_len, sizeof(s->inbuf) - s->in_len);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		watch(s, false, s->in != s->out && s->watching_out);
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

static void on_event(void *opaque, int fd, unsigned events)
{
	struct stream *s = opaque;

	if (fd == s->out && (events & LOOP_OUT)) {
		drain(s, false);
		if (!s->out_len) {
			watch_out(s, false);
			stream_push(s); /* the device may have waited for room */
		}
	}
	if (fd == s->in && (events & LOOP_IN))
		read_input(s);
}

void stream_init(struct stream *s, struct loop *loop, int in, int out, bool lossy)
{
	memset(s, 0, sizeof(*s));
	s->loop = loop;
	s->in = in;
	s->out = out;
	s->lossy = lossy;
	s->cancel = -1;
	s->chr.write = stream_write;
	s->chr.accept_input = stream_accept;
}

int stream_start(struct stream *s)
{
	return watch(s, true, s->watching_out);
}

void stream_stop(struct stream *s)
{
	watch(s, false, false);
	if (s->out_len && s->out >= 0)
		drain(s, !s->lossy);
	free(s->outbuf);
	s->outbuf = NULL;
	s->out_len = s->in_len = 0;
}
