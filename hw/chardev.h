/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A byte stream between a device (UART, debug console) and whatever is outside (terminal, file,
 * pty, socket). The back end is made in frontend/; the device sees only this. Machine lock held.
 */
#ifndef HW_CHARDEV_H
#define HW_CHARDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chardev {
	/* Back end: takes up to len bytes, never blocks; returns how many were taken (a full back
	 * end may drop rather than stall the guest: it then returns len). NULL: discards. */
	size_t (*write)(struct chardev *c, const uint8_t *buf, size_t len);
	/* Back end: the device has room again for input (may be NULL). */
	void (*accept_input)(struct chardev *c);

	/* Front end (the device), set by chardev_attach(). */
	size_t (*can_receive)(void *dev);                           /* bytes it can take now */
	void (*receive)(void *dev, const uint8_t *buf, size_t len); /* len <= can_receive() */
	/* Someone outside has come, or gone: see `closed`. May be NULL; set after chardev_attach(). */
	void (*event)(void *dev);
	void *dev;

	/* Back end: there is nobody outside now, as for a server without a client. */
	bool closed;
};

static inline void chardev_attach(struct chardev *c, size_t (*can_receive)(void *),
				  void (*receive)(void *, const uint8_t *, size_t), void *dev)
{
	if (!c)
		return;
	c->can_receive = can_receive;
	c->receive = receive;
	c->dev = dev;
}

static inline void chardev_detach(struct chardev *c)
{
	if (!c)
		return;
	c->can_receive = NULL;
	c->receive = NULL;
	c->event = NULL;
	c->dev = NULL;
}

/* Back end: whether there is someone outside has changed. */
static inline void chardev_closed(struct chardev *c, bool closed)
{
	c->closed = closed;
	if (c->event)
		c->event(c->dev);
}

static inline void chardev_write(struct chardev *c, const uint8_t *buf, size_t len)
{
	if (c && c->write)
		c->write(c, buf, len);
}

#endif
