/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frontend/gdb/wire.h"

#include <string.h>

#define INTERRUPT 3
#define ESCAPE    0x20 /* what an escaped byte is XORed with */

static const char digits[] = "0123456789abcdef";

static int digit(char c)
{
	const char *d = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c) : NULL;

	return d ? (int)(d - digits) : -1;
}

char *gdb_to_hex(char *to, const void *bytes, size_t len)
{
	const uint8_t *b = bytes;

	for (size_t n = 0; n < len; n++) {
		*to++ = digits[b[n] >> 4];
		*to++ = digits[b[n] & 15];
	}
	return to;
}

size_t gdb_from_hex(uint8_t *to, size_t max, const char *text)
{
	size_t n = 0;

	for (; n < max && digit(text[2 * n]) >= 0 && digit(text[2 * n + 1]) >= 0; n++)
		to[n] = (uint8_t)(digit(text[2 * n]) << 4 | digit(text[2 * n + 1]));
	return n;
}

bool gdb_number(const char **text, uint64_t *out)
{
	const char *s = *text;
	uint64_t v = 0;

	for (; digit(*s) >= 0; s++) {
		if (v >> 60)
			return false;
		v = v << 4 | (unsigned)digit(*s);
	}
	if (s == *text)
		return false;
	*text = s;
	*out = v;
	return true;
}

/* ---- sending ---- */

static uint8_t *escape(uint8_t *to, char c)
{
	if (c == '$' || c == '#' || c == '*' || c == '}') {
		*to++ = '}';
		c ^= ESCAPE;
	}
	*to++ = (uint8_t)c;
	return to;
}

/* The number that follows '*' is printable, and never one that means something else. */
static size_t run_length(size_t n)
{
	static const char not_these[] = "$#+-";
	const size_t most = '~' - 29;

	if (n > most)
		n = most;
	while (n >= 3 && strchr(not_these, (int)n + 29))
		n--;
	return n >= 3 ? n : 0;
}

void gdb_wire_send(struct gdb_wire *w, const char *data, size_t len)
{
	uint8_t *to = w->sent, sum = 0;

	if (len > GDB_PACKET)
		len = GDB_PACKET;
	*to++ = '$';
	for (size_t n = 0; n < len;) {
		size_t same = 1, more;
		const uint8_t *before = to;

		while (n + same < len && data[n + same] == data[n])
			same++;
		to = escape(to, data[n++]);
		/* What repeats is a byte on the wire, so not one that is written with two. */
		more = to - before == 1 ? run_length(same - 1) : 0;
		if (more) {
			*to++ = '*';
			*to++ = (uint8_t)(more + 29);
			n += more;
		}
	}
	for (const uint8_t *p = w->sent + 1; p < to; p++)
		sum += *p;
	*to++ = '#';
	*to++ = (uint8_t)digits[sum >> 4];
	*to++ = (uint8_t)digits[sum & 15];
	w->sent_len = (size_t)(to - w->sent);
	w->write(w->opaque, w->sent, w->sent_len);
}

static void acknowledge(struct gdb_wire *w, char c)
{
	if (!w->no_acks)
		w->write(w->opaque, (const uint8_t *)&c, 1);
}

/* ---- receiving ---- */

static void begin(struct gdb_wire *w)
{
	w->state = GDB_DATA;
	w->sum = 0;
	w->len = 0;
	w->too_long = false;
}

static void keep(struct gdb_wire *w, uint8_t c)
{
	if (w->len < GDB_PACKET)
		w->data[w->len++] = (char)c;
	else
		w->too_long = true;
}

static void end(struct gdb_wire *w)
{
	w->state = GDB_IDLE;
	if (!w->no_acks && w->sum != w->sent_sum) {
		acknowledge(w, '-');
		return;
	}
	acknowledge(w, '+');
	if (w->too_long) {
		gdb_wire_send(w, "E22", 3);
		return;
	}
	w->data[w->len] = 0;
	w->packet(w->opaque, w->data, w->len);
}

static void idle(struct gdb_wire *w, uint8_t c)
{
	if (c == '$')
		begin(w);
	else if (c == INTERRUPT)
		w->interrupt(w->opaque);
	else if (c == '-' && w->sent_len && !w->no_acks)
		w->write(w->opaque, w->sent, w->sent_len);
	else if (c == '+')
		w->sent_len = 0;
}

static void receive(struct gdb_wire *w, uint8_t c)
{
	switch (w->state) {
	case GDB_IDLE:
		idle(w, c);
		return;
	case GDB_DATA:
		if (c == '$') { /* what came so far was cut off */
			begin(w);
			return;
		}
		if (c == '#') {
			w->state = GDB_SUM1;
			return;
		}
		if (c == '}')
			w->state = GDB_ESCAPED;
		else
			keep(w, c);
		w->sum += c;
		return;
	case GDB_ESCAPED:
		w->sum += c;
		keep(w, c ^ ESCAPE);
		w->state = GDB_DATA;
		return;
	case GDB_SUM1:
		/* What is no digit makes a checksum that fits nothing, but for once in 256. */
		w->sent_sum = (uint8_t)((unsigned)digit((char)c) << 4);
		w->state = GDB_SUM2;
		return;
	case GDB_SUM2:
		w->sent_sum |= (uint8_t)digit((char)c);
		end(w);
		return;
	}
}

void gdb_wire_receive(struct gdb_wire *w, const uint8_t *buf, size_t len)
{
	for (size_t n = 0; n < len; n++)
		receive(w, buf[n]);
}

void gdb_wire_reset(struct gdb_wire *w)
{
	w->state = GDB_IDLE;
	w->no_acks = false;
	w->len = w->sent_len = 0;
}
