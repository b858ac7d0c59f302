/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A chardev on a pair of file descriptors, driven by the main loop: input is read only as fast as
 * the device takes it; output that cannot be written at once is kept, up to a bound. Machine lock
 * held throughout.
 */
#ifndef FRONTEND_STREAM_H
#define FRONTEND_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/chardev.h"

#define STREAM_IN  4096
#define STREAM_OUT (1u << 20)

struct loop;

struct stream {
	struct chardev chr; /* first member: callbacks get back to the stream from it */
	struct loop *loop;
	int in, out; /* -1: none */
	bool lossy;  /* output beyond the bound is dropped; else it is waited for */
	int cancel;  /* readable: no more waiting, the stream becomes lossy; -1: none */
	bool watching_in, watching_out;
	uint8_t inbuf[STREAM_IN];
	size_t in_len;   /* read, not yet taken by the device */
	uint8_t *outbuf; /* STREAM_OUT bytes, allocated when first needed */
	size_t out_len;
	/* Looks at input before the device gets it: returns how many bytes of buf remain (it may
	 * edit them in place). NULL: all. */
	size_t (*filter)(void *opaque, uint8_t *buf, size_t len);
	/* End of file or error on `in`; the stream has stopped reading. May be NULL. */
	void (*closed)(void *opaque);
	void *opaque;
};

void stream_init(struct stream *s, struct loop *loop, int in, int out, bool lossy);
/* Starts reading. 0 or -errno. */
int stream_start(struct stream *s);
/* Stops watching; waits for pending output unless lossy. The descriptors stay open. */
void stream_stop(struct stream *s);
/* Gives the device what has been read, and reads on when all is taken. */
void stream_push(struct stream *s);

#endif
