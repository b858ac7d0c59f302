/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * -vnc: the guest's main screen, keyboard and pointer for clients of the RFB protocol (RFC 6143).
 */
#ifndef FRONTEND_VNC_H
#define FRONTEND_VNC_H

#include <stdbool.h>
#include <stddef.h>

struct keymap;
struct ui;
struct vnc;

enum vnc_share { VNC_ALLOW_EXCLUSIVE, VNC_FORCE_SHARED };

struct vnc_options {
	char host[256];   /* empty: all addresses */
	char path[108];   /* a unix socket instead; or empty */
	unsigned display; /* TCP port 5900 + display */
	unsigned to;      /* the last one to try */
	bool password;    /* clients need one; until it is set, there is no way in */
	enum vnc_share share;
	const char *name;            /* of the guest; or NULL */
	const struct keymap *keymap; /* the guest's layout, borrowed; NULL: that of the US */
};

/* Listens, on a thread of its own. ui is borrowed. 0, or -1 with one line in err. Machine lock not held. */
int vnc_open(struct vnc **out, struct ui *ui, const struct vnc_options *opt, char *err,
	     size_t errlen);
/* Machine lock not held; NULL is harmless. */
void vnc_close(struct vnc *v);

/* What new clients must know; at most 8 characters count. False where the server needs none. Any thread. */
bool vnc_set_password(struct vnc *v, const char *password);
/* The TCP port, 0 for a unix socket; and how many clients there are. Any thread. */
unsigned vnc_port(const struct vnc *v);
unsigned vnc_clients(struct vnc *v);

#endif
