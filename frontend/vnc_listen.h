/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The sockets on which the VNC server takes connections.
 */
#ifndef FRONTEND_VNC_LISTEN_H
#define FRONTEND_VNC_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#include "frontend/vnc.h"

#define VNC_BACKLOG   32
#define VNC_LISTENERS 4

struct vnc_listeners {
	int fd[VNC_LISTENERS];
	unsigned nr, port;
	bool bound; /* the options' path is ours */
};

/* 0, or -1 with one line in err; vnc_listen_end() then, too. */
int vnc_listen(struct vnc_listeners *l, const struct vnc_options *opt, char *err, size_t errlen);
void vnc_listen_end(struct vnc_listeners *l, const struct vnc_options *opt);

#endif
