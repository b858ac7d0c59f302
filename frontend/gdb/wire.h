/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Packets of gdb's remote serial protocol ("Debugging with GDB", appendix E: Overview, Packet Acknowledgment): from
 * bytes to packets and back, with checksums, acknowledgments, escapes and run lengths. Nothing that comes can make it
 * keep more than one packet.
 */
#ifndef FRONTEND_GDB_WIRE_H
#define FRONTEND_GDB_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes between '$' and '#', both ways. */
#define GDB_PACKET 0x4000

enum gdb_receiving { GDB_IDLE, GDB_DATA, GDB_ESCAPED, GDB_SUM1, GDB_SUM2 };

struct gdb_wire {
	/* A packet that is whole; data ends with a zero that is not counted. It may be changed. */
	void (*packet)(void *opaque, char *data, size_t len);
	/* The byte 3 outside of a packet. */
	void (*interrupt)(void *opaque);
	void (*write)(void *opaque, const uint8_t *buf, size_t len);
	void *opaque;
	bool no_acks; /* after QStartNoAckMode */
	/* Its own. */
	enum gdb_receiving state;
	uint8_t sum, sent_sum;
	bool too_long;
	size_t len, sent_len;
	char data[GDB_PACKET + 1];
	uint8_t sent[2 * GDB_PACKET + 4]; /* for when it must be sent again */
};

/* For a new connection; the callbacks stay. */
void gdb_wire_reset(struct gdb_wire *w);
void gdb_wire_receive(struct gdb_wire *w, const uint8_t *buf, size_t len);
/* At most GDB_PACKET bytes; what is beyond is left out. */
void gdb_wire_send(struct gdb_wire *w, const char *data, size_t len);

/* ---- hexadecimal numbers ---- */

/* Two digits for each byte, no zero after them. Returns the end. */
char *gdb_to_hex(char *to, const void *bytes, size_t len);
/* Bytes taken, at most max, up to what is no pair of digits. */
size_t gdb_from_hex(uint8_t *to, size_t max, const char *text);
/* A number in hexadecimal; false: there is none, or it does not fit. Moves *text behind it. */
bool gdb_number(const char **text, uint64_t *out);

#endif
