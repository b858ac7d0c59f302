/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Opens what -serial and its like name, other than the terminal (frontend/console.h).
 */
#ifndef FRONTEND_CHARDEV_H
#define FRONTEND_CHARDEV_H

#include <stddef.h>

#include "frontend/options.h"
#include "frontend/stream.h"
#include "frontend/telnet.h"

/* A stream and what it stands on. */
struct backend {
	struct stream stream;
	struct backend *next;
	int listener;  /* server: accepts the next client; else -1 */
	int keep_open; /* pty: its slave side, so that the master never hangs up; else -1 */
	bool is_telnet;
	struct telnet telnet;
	size_t (*write)(struct chardev *c, const uint8_t *buf,
			size_t len); /* what telnet's writes end in */
	char path[108];              /* unix server: removed at the end */
	/* A client has come to a socket, or gone, as also at the end of standard input; may be NULL. Who was waited
	 * for is there already. */
	void (*client)(void *opaque, bool here);
	void *client_opaque;
};

/* label names the device in messages; cancel, a descriptor, becomes readable when nothing is to be
 * waited for any more (-1: none). 0, or -1 with one line in err. */
int backend_open(struct backend **out, const struct chardev_spec *spec, const char *label,
		 struct loop *loop, int cancel, char *err, size_t errlen);
void backend_close(struct backend *b);

int backend_open_pty(struct backend *b, const char *label, struct loop *loop);
int backend_open_unix(struct backend *b, const struct chardev_spec *spec, const char *label,
		      struct loop *loop, int cancel);
int backend_open_tcp(struct backend *b, const struct chardev_spec *spec, const char *label,
		     struct loop *loop, int cancel);

#endif
