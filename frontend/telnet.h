/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The telnet protocol (RFC 854, 856, 857, 858) as far as a terminal's client needs it of a server: it sends each key as it is
 * typed, and shows nothing of itself.
 */
#ifndef FRONTEND_TELNET_H
#define FRONTEND_TELNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct telnet {
	uint8_t state;
	bool binary; /* the client sends bytes as they are */
	bool cr;     /* the last byte was a carriage return */
};

/* What a server says first: the options of above. */
extern const uint8_t telnet_greeting[];
extern const size_t telnet_greeting_len;

/* For a client that has just come. */
void telnet_init(struct telnet *t);
/* Takes the protocol out of what the client sent, in place: the bytes of data that remain. */
size_t telnet_filter(struct telnet *t, uint8_t *buf, size_t len);

#endif
