/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A USB hub: its ports, and the requests of its class. See the header.
 */
#include "hw/usb/usb_hub.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hw/device_type.h"

enum { EP_CHANGES = 1, CHANGES_LEN = 2, DT_HUB = 0x29, HUB_CLASS = 9 };

/* Features (table 11-17); C_PORT_CONNECTION + n is change bit n. */
enum {
	PORT_ENABLE = 1,
	PORT_SUSPEND = 2,
	PORT_RESET = 4,
	PORT_POWER = 8,
	C_PORT_CONNECTION = 16,
	C_PORT_RESET = 20,
	PORT_INDICATOR = 22,
};

#define BIT(feature) (1u << (feature))
#define CONNECTED    BIT(0)
#define ENABLED      BIT(PORT_ENABLE)
#define SUSPENDED    BIT(PORT_SUSPEND)
#define IN_RESET     BIT(PORT_RESET)
#define POWERED      BIT(PORT_POWER)
#define LOW_SPEED    BIT(9)
#define STATUS_BITS  (CONNECTED | ENABLED | SUSPENDED | POWERED | LOW_SPEED)
#define CHANGE_BITS  0x1fu

static const uint8_t config_full[] = {
    9,   2,           25,
    0,   1,           1,
    0,   0xe0,        0, /* self-powered, remote wakeup */
    9,   4,           0,
    0,   1,           HUB_CLASS,
    0,   0,           0, /* one interface */
    7,   5,           EP_CHANGES | 0x80,
    3,   CHANGES_LEN, 0,
    255,
};

/* Power is switched port by port, and over-current is not reported. */
static const uint8_t hub_desc[] = {11, DT_HUB, USB_HUB_PORTS, 0x11, 0, 1, 0, 0, 0, 0xff, 0xff};

static struct usb_hub *of(struct usb_device *d)
{
	return (struct usb_hub *)d;
}

/* ---- ports ---- */

static void changed(struct usb_hub *h, unsigned port, unsigned bits)
{
	h->change[port] |= (uint16_t)bits;
	usb_wakeup(&h->usb, EP_CHANGES | USB_DIR_IN);
}

/* What a port with power shows. */
static uint16_t connection(const struct usb_hub *h, unsigned port)
{
	const struct usb_device *d = h->bus.dev[port];

	if (!d)
		return POWERED;
	return POWERED | CONNECTED | (d->speed == USB_LOW ? LOW_SPEED : 0);
}

static void plugged(struct usb_bus *bus, unsigned port)
{
	struct usb_hub *h = bus->controller;

	if (!(h->status[port] & POWERED))
		return;
	h->status[port] = connection(h, port);
	changed(h, port, CONNECTED);
}

static bool enabled(const struct usb_bus *bus, unsigned port)
{
	const struct usb_hub *h = bus->controller;

	return (h->status[port] & (ENABLED | SUSPENDED)) == ENABLED;
}

static void wakeup(struct usb_bus *bus, struct usb_device *d, uint8_t ep_address)
{
	struct usb_hub *h = bus->controller;

	if (d->bus == bus && h->status[d->port] & SUSPENDED && d->remote_wakeup) {
		h->status[d->port] &= (uint16_t)~SUSPENDED;
		changed(h, d->port, SUSPENDED);
	}
	if (h->usb.bus)
		h->usb.bus->wakeup(h->usb.bus, d, ep_address);
}

static int set_port(struct usb_hub *h, unsigned port, unsigned feature)
{
	uint16_t *status = &h->status[port];

	switch (feature) {
	case PORT_POWER:
		if (*status & POWERED)
			return 0;
		*status = POWERED;
		if (h->bus.dev[port])
			plugged(&h->bus, port);
		return 0;
	case PORT_RESET:
		if (!(*status & CONNECTED) || !h->bus.dev[port])
			return 0;
		usb_reset(h->bus.dev[port]);
		*status = (uint16_t)((*status & ~SUSPENDED) | ENABLED);
		changed(h, port, IN_RESET);
		return 0;
	case PORT_SUSPEND:
		if (*status & ENABLED)
			*status |= SUSPENDED;
		return 0;
	case PORT_INDICATOR:
		return 0;
	}
	return -1;
}

static int clear_port(struct usb_hub *h, unsigned port, unsigned feature)
{
	uint16_t *status = &h->status[port];

	switch (feature) {
	case PORT_ENABLE:
		*status &= (uint16_t) ~(ENABLED | SUSPENDED);
		return 0;
	case PORT_SUSPEND:
		if (*status & SUSPENDED) {
			*status &= (uint16_t)~SUSPENDED;
			changed(h, port, SUSPENDED);
		}
		return 0;
	case PORT_POWER:
		*status = h->change[port] = 0;
		return 0;
	case PORT_INDICATOR:
		return 0;
	}
	if (feature < C_PORT_CONNECTION || feature > C_PORT_RESET)
		return -1;
	h->change[port] &= (uint16_t)~BIT(feature - C_PORT_CONNECTION);
	return 0;
}

/* ---- packets ---- */

static enum usb_result data(struct usb_device *d, struct usb_packet *p)
{
	uint8_t bits[CHANGES_LEN] = {0};
	struct usb_hub *h = of(d);

	if (p->ep != EP_CHANGES || !p->in)
		return USB_STALL;
	for (unsigned i = 0; i < USB_HUB_PORTS; i++)
		if (h->change[i])
			bits[(i + 1) / 8] |= (uint8_t)(1u << (i + 1) % 8);
	if (!bits[0] && !bits[1])
		return USB_NAK;
	p->done += dma_sg_write(p->sg, p->done, bits, sizeof(bits));
	return USB_OK;
}

static int port_request(struct usb_hub *h, const struct usb_setup *s, uint8_t *buf)
{
	unsigned port = (s->index & 0xffu) - 1;

	if (port >= USB_HUB_PORTS)
		return -1;
	switch (s->type & USB_DIR_IN ? s->request : s->request << 8) {
	case USB_GET_STATUS:
		buf[0] = (uint8_t)h->status[port];
		buf[1] = (uint8_t)(h->status[port] >> 8);
		buf[2] = (uint8_t)h->change[port];
		buf[3] = 0;
		return 4;
	case USB_SET_FEATURE << 8:
		return set_port(h, port, s->value);
	case USB_CLEAR_FEATURE << 8:
		return clear_port(h, port, s->value);
	}
	return -1;
}

static int control(struct usb_device *d, const struct usb_setup *s, uint8_t *buf)
{
	switch (s->type & ~USB_DIR_IN) {
	case USB_TYPE_CLASS | USB_TO_OTHER:
		return port_request(of(d), s, buf);
	case USB_TYPE_CLASS:
		break;
	default:
		return -1;
	}
	switch (s->type & USB_DIR_IN ? s->request : s->request << 8) {
	case USB_GET_DESCRIPTOR:
		memcpy(buf, hub_desc, sizeof(hub_desc));
		return sizeof(hub_desc);
	case USB_GET_STATUS:
		memset(buf, 0, 4);
		return 4;
	case USB_SET_FEATURE << 8: /* C_HUB_LOCAL_POWER, C_HUB_OVER_CURRENT: they never change */
	case USB_CLEAR_FEATURE << 8:
		return s->value > 1 ? -1 : 0;
	}
	return -1;
}

/* ---- life ---- */

static const struct field fields[] = {
    FIELD_ARRAY(usb_hub, status, 0),
    FIELD_ARRAY(usb_hub, change, 0),
    FIELD_END,
};

static void tame(void *state)
{
	struct usb_hub *h = state;

	for (unsigned i = 0; i < USB_HUB_PORTS; i++) {
		h->status[i] &= STATUS_BITS;
		h->change[i] &= CHANGE_BITS;
		if (!h->bus.dev[i])
			h->status[i] &= (uint16_t) ~(CONNECTED | ENABLED | SUSPENDED);
	}
}

static void reset(struct usb_device *d)
{
	device_reset(&of(d)->dev);
}

static const struct usb_class class = {
    .name = "usb-hub",
    .vendor = 0x0409,
    .product = 0x55aa,
    .release = 0x0101,
    .device_class = HUB_CLASS,
    .maker = "QEMU",
    .what = "QEMU USB Hub",
    .config = {[USB_FULL] = config_full},
    .control = control,
    .data = data,
    .reset = reset,
};

void usb_hub_init(struct usb_hub *h, const char *serial)
{
	memset(h, 0, sizeof(*h));
	usb_device_init(&h->usb, &class, serial);
	h->usb.down = &h->bus;
	h->bus.ports = USB_HUB_PORTS;
	h->bus.speeds = USB_SPEED_BIT(USB_LOW) | USB_SPEED_BIT(USB_FULL);
	h->bus.hub = &h->usb;
	h->bus.controller = h;
	h->bus.attached = plugged;
	h->bus.detached = plugged;
	h->bus.enabled = enabled;
	h->bus.wakeup = wakeup;
	device_init(&h->dev, h->usb.name, fields, h);
	h->dev.tame = tame;
}

/* ---- -device usb-hub ---- */

static int create(void **self, const struct device_args *args, char *err, size_t errlen)
{
	struct usb_hub *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return -ENOMEM;
	usb_hub_init(h, arg_str(args, "serial"));
	r = usb_device_add(&h->usb, args, err, errlen);
	if (r < 0) {
		free(h);
		return r;
	}
	device_add(args, &h->dev);
	*self = h;
	return 0;
}

static const struct prop props[] = {USB_PROPS, {0}};

const struct device_type usb_hub_type = {
    .name = "usb-hub",
    .bus = "USB",
    .desc = "USB hub with 8 ports: what is behind it has port=1.2",
    .props = props,
    .create = create,
    .destroy = free,
    .unplug = usb_unplug,
};
