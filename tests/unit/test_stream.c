/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Chardevs on descriptors: flow control both ways, also where both ways share one descriptor.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frontend/stream.h"
#include "frontend/telnet.h"
#include "hw/clock.h"
#include "hw/loop.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct clock clk;
static struct loop *loop;
static struct timer stop;
static struct stream s;
static uint8_t got[256];
static size_t got_len, room;
static int pair[2];

static size_t can_receive(void *dev)
{
	(void)dev;
	return room;
}

static void receive(void *dev, const uint8_t *buf, size_t len)
{
	(void)dev;
	memcpy(got + got_len, buf, len);
	got_len += len;
	room -= len;
}

static void on_stop(void *opaque)
{
	(void)opaque;
	loop_quit(loop);
}

/* Runs the loop for a while. */
static void spin(void)
{
	pthread_mutex_lock(&lock);
	timer_arm(&stop, clock_now(&clk) + 20000000);
	pthread_mutex_unlock(&lock);
	loop_run(loop);
}

static void setup(void)
{
	clock_init(&clk, false);
	loop = loop_new(&clk, &lock);
	cr_assert(loop);
	timer_init(&stop, &clk, on_stop, NULL);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	stream_init(&s, loop, pair[0], pair[0], true);
	chardev_attach(&s.chr, can_receive, receive, NULL);
	got_len = room = 0;
}

TestSuite(stream, .init = setup);

Test(stream, input_waits_for_the_device)
{
	room = 3;
	cr_assert_eq(stream_start(&s), 0);
	cr_assert_eq(write(pair[1], "abcdef", 6), 6);
	spin();
	cr_assert_eq(got_len, 3);
	room = 10;
	pthread_mutex_lock(&lock);
	s.chr.accept_input(&s.chr);
	pthread_mutex_unlock(&lock);
	cr_assert_eq(got_len, 6);
	cr_assert_eq(write(pair[1], "gh", 2), 2);
	spin();
	cr_assert_arr_eq(got, "abcdefgh", 8);
}

Test(stream, output_is_kept_and_drained)
{
	static uint8_t in[400000];
	size_t n = 0;
	ssize_t r;

	room = 10;
	cr_assert_eq(stream_start(&s), 0);
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < 300000; i++) {
		uint8_t b = (uint8_t)(i * 7);

		chardev_write(&s.chr, &b, 1);
	}
	pthread_mutex_unlock(&lock);
	cr_assert_gt(s.out_len, 0);
	for (int k = 0; k < 200 && n < 300000; k++) {
		while ((r = read(pair[1], in + n, sizeof(in) - n)) > 0)
			n += (size_t)r;
		if (n < 300000)
			spin();
	}
	cr_assert_eq(n, 300000);
	for (unsigned i = 0; i < n; i++)
		cr_assert_eq(in[i], (uint8_t)(i * 7));
	/* Input still arrives after output was watched for on the same descriptor. */
	cr_assert_eq(write(pair[1], "x", 1), 1);
	spin();
	cr_assert_eq(got_len, 1);
}

static bool closed;

static void on_closed(void *opaque)
{
	(void)opaque;
	closed = true;
}

Test(stream, end_of_file)
{
	s.closed = on_closed;
	cr_assert_eq(stream_start(&s), 0);
	close(pair[1]);
	spin();
	cr_assert(closed);
	cr_assert_eq(s.in, -1);
	cr_assert_not(s.watching_in);
}

static void *read_late(void *opaque)
{
	static uint8_t in[65536];
	size_t *n = opaque;
	ssize_t r;

	usleep(50000);
	for (;;) {
		r = read(pair[1], in, sizeof(in));
		if (r > 0)
			*n += (size_t)r;
		else if (r == 0)
			return NULL;
		else
			usleep(1000);
	}
}

Test(stream, output_beyond_the_bound_waits)
{
	static const uint8_t text[4099];
	pthread_t reader;
	size_t n = 0;

	s.lossy = false;
	cr_assert_eq(pthread_create(&reader, NULL, read_late, &n), 0);
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < 1000; i++)
		chardev_write(&s.chr, text, sizeof(text));
	stream_stop(&s);
	pthread_mutex_unlock(&lock);
	close(pair[0]);
	pthread_join(reader, NULL);
	cr_assert_eq(n, 1000 * sizeof(text));
}

Test(stream, waiting_is_called_off, .timeout = 10)
{
	static const uint8_t text[4099];
	int off[2];

	s.lossy = false;
	cr_assert_eq(pipe(off), 0);
	s.cancel = off[0];
	cr_assert_eq(write(off[1], "x", 1), 1);
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < 1000; i++)
		cr_assert_eq(s.chr.write(&s.chr, text, sizeof(text)), sizeof(text));
	cr_assert(s.lossy);
	cr_assert_leq(s.out_len, STREAM_OUT);
	stream_stop(&s);
	pthread_mutex_unlock(&lock);
}

/* ---- telnet ---- */

static void typed(struct telnet *t, const char *in, size_t len, const char *out, size_t n)
{
	uint8_t buf[64];

	memcpy(buf, in, len);
	cr_assert_eq(telnet_filter(t, buf, len), n);
	cr_assert_arr_eq(buf, out, n);
}
#define TYPED(t, in, out) typed(t, in, sizeof(in) - 1, out, sizeof(out) - 1)

/* What telnet(1) answers, and what people type, wherever the network cuts it. */
Test(telnet, filter)
{
	struct telnet t;

	telnet_init(&t);
	TYPED(&t, "\xff\xfd\x01\xff\xfd\x03", "");
	TYPED(&t, "ls\r\0", "ls\r");
	TYPED(&t, "a\xff\xfa\x1f\0\xff\xff\0\x18\xff\xf0z", "az");
	TYPED(&t, "\xff", "");
	TYPED(&t, "\xff\xff", "\xff");
	TYPED(&t, "\xfb\x1f", "");
	TYPED(&t, "x\xff\xf1y", "xy"); /* no operation */
	TYPED(&t, "\xff\xfb\0\r\0", "\r\0");
}
