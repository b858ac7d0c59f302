/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The byte queue of a PS/2 device.
 */
#include <string.h>

#include "hw/ps2.h"

bool ps2_empty(const struct ps2_queue *q)
{
	return q->len == 0;
}

uint8_t ps2_take(struct ps2_queue *q)
{
	if (!q->len)
		return q->last;
	q->last = q->buf[0];
	memmove(q->buf, q->buf + 1, --q->len);
	if (q->replies)
		q->replies--;
	return q->last;
}

void ps2_flush(struct ps2_queue *q)
{
	q->len = 0;
	q->replies = 0;
}

bool ps2_event(struct ps2_queue *q, const uint8_t *bytes, unsigned n)
{
	if (q->len + n > PS2_EVENTS)
		return false;
	memcpy(q->buf + q->len, bytes, n);
	q->len += n;
	return true;
}

void ps2_reply(struct ps2_queue *q, uint8_t byte)
{
	/* A host that never reads its replies loses the newest. */
	if (q->len >= PS2_QUEUE)
		return;
	memmove(q->buf + q->replies + 1, q->buf + q->replies, q->len - q->replies);
	q->buf[q->replies++] = byte;
	q->len++;
}
