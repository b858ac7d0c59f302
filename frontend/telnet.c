/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frontend/telnet.h"

enum { SE = 240, SB = 250, WILL = 251, WONT = 252, DO = 253, DONT = 254, IAC = 255 };
enum { BINARY = 0, ECHO = 1, SUPPRESS_GO_AHEAD = 3 };

enum { DATA, COMMAND, OPTION, OPTION_WILL, SUBNEGOTIATION, SUBNEGOTIATION_IAC };

const uint8_t telnet_greeting[] = {IAC, WILL, ECHO,   IAC, WILL, SUPPRESS_GO_AHEAD,
				   IAC, WILL, BINARY, IAC, DO,   BINARY};
const size_t telnet_greeting_len = sizeof(telnet_greeting);

void telnet_init(struct telnet *t)
{
	*t = (struct telnet){0};
}

/* Whether the byte is data. */
static bool take(struct telnet *t, uint8_t b)
{
	uint8_t state = t->state;
	bool padding;

	t->state = DATA;
	switch (state) {
	case COMMAND:
		if (b == SB)
			t->state = SUBNEGOTIATION;
		else if (b == WILL)
			t->state = OPTION_WILL;
		else if (b >= WONT && b <= DONT)
			t->state = OPTION;
		return b == IAC;
	case OPTION_WILL:
		t->binary |= b == BINARY;
		return false;
	case OPTION:
		return false;
	case SUBNEGOTIATION:
		t->state = b == IAC ? SUBNEGOTIATION_IAC : SUBNEGOTIATION;
		return false;
	case SUBNEGOTIATION_IAC:
		t->state = b == SE ? DATA : SUBNEGOTIATION;
		return false;
	}
	if (b == IAC) {
		t->state = COMMAND;
		return false;
	}
	/* A carriage return alone is sent with a zero behind it. */
	padding = t->cr && !t->binary && b == 0;
	t->cr = b == '\r';
	return !padding;
}

size_t telnet_filter(struct telnet *t, uint8_t *buf, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		if (take(t, buf[i]))
			buf[n++] = buf[i];
	return n;
}
