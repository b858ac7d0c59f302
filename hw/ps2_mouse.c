/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * PS/2 mouse (IBM PS/2 Hardware Interface Technical Reference, "Mouse"), with the wheel of the
 * IntelliMouse and the five buttons of the IntelliMouse Explorer.
 */
#include <string.h>

#include "hw/ps2.h"

enum {
	CMD_SCALE11 = 0xe6,
	CMD_SCALE21 = 0xe7,
	CMD_RESOLUTION = 0xe8,
	CMD_STATUS = 0xe9,
	CMD_STREAM = 0xea,
	CMD_READ = 0xeb,
	CMD_UNWRAP = 0xec,
	CMD_WRAP = 0xee,
	CMD_REMOTE = 0xf0,
	CMD_ID = 0xf2,
	CMD_RATE = 0xf3,
	CMD_ENABLE = 0xf4,
	CMD_DISABLE = 0xf5,
	CMD_DEFAULTS = 0xf6,
	CMD_RESEND = 0xfe,
	CMD_RESET = 0xff,
};

enum { ACK = 0xfa, ERROR = 0xfc, RESEND = 0xfe, BAT_OK = 0xaa };

#define MAX_PENDING 4096 /* movement nobody fetches */

static int clamp(int64_t v, int lo, int hi)
{
	return v < lo ? lo : v > hi ? hi : v;
}

/* 2:1 scaling, which applies in stream mode only. */
static int scale(int v)
{
	static const uint8_t small[] = {0, 1, 1, 3, 6, 9};
	int a = v < 0 ? -v : v;

	a = a < 6 ? small[a] : 2 * a;
	return v < 0 ? -a : a;
}

static unsigned packet(struct ps2_mouse *m, bool stream, uint8_t *out)
{
	int dx = clamp(m->dx, -127, 127), dy = clamp(-m->dy, -127, 127);
	int dz = clamp(m->dz, m->id == 4 ? -8 : -127, m->id == 4 ? 7 : 127);

	m->dx -= dx;
	m->dy += dy;
	m->dz -= m->id ? dz : m->dz;
	m->sent_buttons = m->buttons;
	if (stream && m->scaling21) {
		dx = scale(dx);
		dy = scale(dy);
	}
	out[0] = (m->buttons & 7) | 0x08 | (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0);
	out[1] = dx;
	out[2] = dy;
	if (!m->id)
		return 3;
	out[3] = m->id == 4 ? (dz & 0x0f) | (m->buttons & 0x18) << 1 : dz;
	return 4;
}

void ps2_mouse_poll(struct ps2_mouse *m)
{
	uint8_t bytes[4];

	if (!m->enabled || m->remote || m->wrap || !ps2_empty(&m->q))
		return;
	if (!m->dx && !m->dy && !m->dz && m->buttons == m->sent_buttons)
		return;
	ps2_event(&m->q, bytes, packet(m, true, bytes));
	m->ready(m->opaque);
}

void ps2_mouse_move(struct ps2_mouse *m, int dx, int dy, int dz, unsigned buttons)
{
	m->buttons = buttons & 0x1f;
	if (!m->enabled && !m->remote) {
		m->sent_buttons = m->buttons;
		return;
	}
	m->dx = clamp((int64_t)m->dx + dx, -MAX_PENDING, MAX_PENDING);
	m->dy = clamp((int64_t)m->dy + dy, -MAX_PENDING, MAX_PENDING);
	m->dz = clamp((int64_t)m->dz + (m->id ? dz : 0), -MAX_PENDING, MAX_PENDING);
	ps2_mouse_poll(m);
}

static void defaults(struct ps2_mouse *m)
{
	m->rate = 100;
	m->resolution = 2;
	m->scaling21 = 0;
	m->remote = 0;
	m->enabled = 0;
	m->dx = m->dy = m->dz = 0;
}

static void set_rate(struct ps2_mouse *m, uint8_t rate)
{
	/* 200, 100, 80 asks for a wheel, 200, 200, 80 then for five buttons. */
	if (rate == 80 && m->rates[0] == 200 && m->rates[1] == 100)
		m->id = 3;
	else if (rate == 80 && m->rates[0] == 200 && m->rates[1] == 200 && m->id == 3)
		m->id = 4;
	m->rates[0] = m->rates[1];
	m->rates[1] = rate;
	m->rate = rate;
}

static void write_argument(struct ps2_mouse *m, uint8_t byte)
{
	uint8_t command = m->command;

	m->command = 0;
	if (command == CMD_RATE) {
		set_rate(m, byte);
	} else if (byte <= 3) {
		m->resolution = byte;
	} else {
		ps2_reply(&m->q, ERROR);
		return;
	}
	ps2_reply(&m->q, ACK);
}

static void reply_status(struct ps2_mouse *m)
{
	uint8_t b = m->buttons;

	ps2_reply(&m->q, m->remote << 6 | m->enabled << 5 | m->scaling21 << 4 | (b & 1) << 2 |
			     (b & 4) >> 1 | (b & 2) >> 1);
	ps2_reply(&m->q, m->resolution);
	ps2_reply(&m->q, m->rate);
}

static void write_command(struct ps2_mouse *m, uint8_t byte)
{
	uint8_t bytes[4], last = m->q.last;
	unsigned n;

	/* Commands interrupt the stream: what was not fetched of it is dropped. */
	ps2_flush(&m->q);
	if (byte == CMD_RESEND) {
		ps2_reply(&m->q, last);
		return;
	}
	if ((byte < CMD_SCALE11 || byte > CMD_DEFAULTS || byte == 0xed || byte == 0xef ||
	     byte == 0xf1) &&
	    byte != CMD_RESET) {
		ps2_reply(&m->q, RESEND);
		return;
	}
	ps2_reply(&m->q, ACK);
	switch (byte) {
	case CMD_SCALE11:
		m->scaling21 = 0;
		break;
	case CMD_SCALE21:
		m->scaling21 = 1;
		break;
	case CMD_RESOLUTION:
	case CMD_RATE:
		m->command = byte;
		break;
	case CMD_STATUS:
		reply_status(m);
		break;
	case CMD_STREAM:
		m->remote = 0;
		break;
	case CMD_REMOTE:
		m->remote = 1;
		break;
	case CMD_READ:
		n = packet(m, false, bytes);
		for (unsigned i = 0; i < n; i++)
			ps2_reply(&m->q, bytes[i]);
		break;
	case CMD_WRAP:
		m->wrap = 1;
		break;
	case CMD_ID:
		ps2_reply(&m->q, m->id);
		break;
	case CMD_ENABLE:
		m->enabled = 1;
		break;
	case CMD_DISABLE:
		m->enabled = 0;
		break;
	case CMD_DEFAULTS:
		defaults(m);
		break;
	case CMD_RESET:
		ps2_mouse_reset(m);
		ps2_reply(&m->q, ACK);
		ps2_reply(&m->q, BAT_OK);
		ps2_reply(&m->q, 0);
		break;
	}
}

void ps2_mouse_write(struct ps2_mouse *m, uint8_t byte)
{
	if (m->wrap && byte != CMD_RESET && byte != CMD_UNWRAP) {
		ps2_reply(&m->q, byte);
	} else {
		if (m->wrap && byte == CMD_UNWRAP)
			m->wrap = 0;
		if (m->command)
			write_argument(m, byte);
		else
			write_command(m, byte);
	}
	m->ready(m->opaque);
}

void ps2_mouse_reset(struct ps2_mouse *m)
{
	ps2_flush(&m->q);
	m->q.last = 0;
	m->command = 0;
	m->id = 0;
	m->wrap = 0;
	m->rates[0] = m->rates[1] = 0;
	m->sent_buttons = m->buttons;
	defaults(m);
}

void ps2_mouse_init(struct ps2_mouse *m, void (*ready)(void *), void *opaque)
{
	memset(m, 0, sizeof(*m));
	m->ready = ready;
	m->opaque = opaque;
	ps2_mouse_reset(m);
}
