/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frontend/sendkey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/options.h"
#include "hw/input/input.h"

#define GAP_MS 10 /* between two combinations: programs that poll see the release */

static void arm(struct sendkey *s, unsigned ms)
{
	timer_arm(&s->timer, clock_now(s->timer.clock) + ms * 1000000ull);
}

static void press(struct sendkey *s)
{
	const struct key_combination *c = &s->queue[0];

	for (unsigned n = 0; n < c->nr; n++)
		input_key(s->input, c->key[n], true);
	s->down = true;
	arm(s, c->hold_ms);
}

static void fire(void *opaque)
{
	struct sendkey *s = opaque;

	if (!s->down) {
		press(s);
		return;
	}
	for (unsigned n = s->queue[0].nr; n-- > 0;)
		input_key(s->input, s->queue[0].key[n], false);
	s->down = false;
	memmove(&s->queue[0], &s->queue[1], --s->nr * sizeof(s->queue[0]));
	if (s->nr)
		arm(s, GAP_MS);
	if (s->room)
		s->room(s->opaque);
}

void sendkey_init(struct sendkey *s, struct input *input, struct clock *clock)
{
	memset(s, 0, sizeof(*s));
	s->input = input;
	timer_init(&s->timer, clock, fire, s);
}

/* A name, or a make code as in 0x1c. */
static enum key key_named(const char *name)
{
	unsigned long code;
	char *end;

	if (name[0] != '0' || name[1] != 'x')
		return key_by_name(name);
	code = strtoul(name, &end, 16);
	return !*end && code < 0x100 ? key_by_set1((uint16_t)code) : NO_KEY;
}

static int unknown(const char *name, char *err, size_t errlen)
{
	const char *names[NR_KEYS] = {NULL}, *near;

	for (int k = NO_KEY + 1; k < NR_KEYS; k++)
		names[k - 1] = key_name(k);
	near = nearest_name(name, names);
	if (near)
		snprintf(err, errlen, "unknown key: %s (did you mean %s?)", name, near);
	else
		snprintf(err, errlen, "unknown key: %s; keys are named as in ctrl-alt-f1, ret, spc",
			 name);
	return -1;
}

bool sendkey_press(struct sendkey *s, const uint16_t *key, unsigned nr, unsigned hold_ms)
{
	struct key_combination *c = &s->queue[s->nr];

	if (s->nr == SENDKEY_QUEUE)
		return false;
	memcpy(c->key, key, nr * sizeof(*key));
	c->nr = (uint8_t)nr;
	c->hold_ms = hold_ms;
	if (!s->nr++)
		press(s);
	return true;
}

int sendkey_queue(struct sendkey *s, const char *text, unsigned hold_ms, char *err, size_t errlen)
{
	uint16_t combination[SENDKEY_KEYS];
	unsigned nr = 0;
	char name[32];

	while (*text) {
		size_t len = strcspn(text, "-");
		enum key key;

		snprintf(name, sizeof(name), "%.*s", (int)len, text);
		key = key_named(name);
		if (key == NO_KEY)
			return unknown(name, err, errlen);
		if (nr == SENDKEY_KEYS) {
			snprintf(err, errlen, "more than %d keys at once", SENDKEY_KEYS);
			return -1;
		}
		combination[nr++] = (uint16_t)key;
		text += len;
		text += *text == '-';
	}
	if (!nr)
		return unknown("", err, errlen);
	if (sendkey_press(s, combination, nr, hold_ms))
		return 0;
	snprintf(err, errlen, "%d combinations are waiting already", SENDKEY_QUEUE);
	return -1;
}
