/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What all USB devices have in common: control transfers, the standard requests (USB 2.0, 9.4; 3.2, 9.4),
 * halted endpoints. See the header.
 */
#include "hw/usb/usb.h"

#include <stdio.h>
#include <string.h>

enum stage { STAGE_IDLE, STAGE_IN, STAGE_OUT, STAGE_STALL };

enum request {
	SET_ADDRESS = 5,
	GET_CONFIGURATION = 8,
	SET_CONFIGURATION = 9,
	GET_INTERFACE = 10,
	SET_INTERFACE = 11,
	SET_SEL = 48,
	SET_ISOCH_DELAY = 49,
};

enum { TO_DEVICE = 0, TO_ENDPOINT = 2, TYPE_MASK = 0x60, TO_MASK = 0x1f };
enum { F_HALT = 0, F_REMOTE_WAKEUP = 1, F_U1 = 48, F_U2 = 49 };
enum { DT_QUALIFIER = 6, DT_OTHER_SPEED = 7, DT_BOS = 15 };
enum { STR_MAKER = 1, STR_WHAT = 2, STR_SERIAL = 3 };

/* ---- descriptors ---- */

static uint16_t usb_version(const struct usb_device *d)
{
	return d->speed == USB_SUPER ? 0x0300 : d->speed == USB_HIGH ? 0x0200 : 0x0110;
}

static int device_desc(const struct usb_device *d, uint8_t *p)
{
	const struct usb_class *c = d->class;
	uint16_t version = usb_version(d);
	const uint8_t desc[18] = {
	    18,
	    USB_DT_DEVICE,
	    (uint8_t)version,
	    (uint8_t)(version >> 8),
	    c->device_class,
	    0,
	    0,
	    d->speed == USB_SUPER ? 9
	    : d->speed == USB_LOW ? 8
				  : 64,
	    (uint8_t)c->vendor,
	    (uint8_t)(c->vendor >> 8),
	    (uint8_t)c->product,
	    (uint8_t)(c->product >> 8),
	    (uint8_t)c->release,
	    (uint8_t)(c->release >> 8),
	    STR_MAKER,
	    STR_WHAT,
	    d->serial[0] ? STR_SERIAL : 0,
	    1,
	};

	memcpy(p, desc, sizeof(desc));
	return sizeof(desc);
}

static int config_desc(const struct usb_device *d, enum usb_speed speed, uint8_t type, uint8_t *p)
{
	const uint8_t *c = d->class->config[speed];
	int len;

	if (!c)
		return -1;
	len = c[2] | c[3] << 8;
	memcpy(p, c, (size_t)len);
	p[1] = type;
	return len;
}

static enum usb_speed other_speed(const struct usb_device *d)
{
	return d->speed == USB_HIGH ? USB_FULL : d->speed == USB_FULL ? USB_HIGH : USB_NO_SPEED;
}

static int qualifier_desc(const struct usb_device *d, uint8_t *p)
{
	const uint8_t desc[10] = {10, DT_QUALIFIER, 0, 2, 0, 0, 0, 64, 1, 0};

	if (!d->class->config[other_speed(d)])
		return -1;
	memcpy(p, desc, sizeof(desc));
	return sizeof(desc);
}

static int string_desc(const struct usb_device *d, unsigned n, uint8_t *p)
{
	const char *s;
	unsigned len = 2;

	p[1] = USB_DT_STRING;
	switch (n) {
	case 0: /* languages: English (United States) */
		p[0] = 4;
		p[2] = 0x09;
		p[3] = 0x04;
		return 4;
	case STR_MAKER:
		s = d->class->maker;
		break;
	case STR_WHAT:
		s = d->class->what;
		break;
	case STR_SERIAL:
		s = d->serial;
		break;
	default:
		return -1;
	}
	if (!*s)
		return -1;
	for (; *s && len < 254; s++) {
		p[len++] = (uint8_t)*s;
		p[len++] = 0;
	}
	p[0] = (uint8_t)len;
	return (int)len;
}

/* USB 2.0 extension, and what SuperSpeed devices say of themselves: all speeds from full on, exit latencies
 * of 10 us and 32 us. */
static int bos_desc(const struct usb_device *d, uint8_t *p)
{
	static const uint8_t bos[22] = {5, DT_BOS, 22, 0, 2, 7,  16, 2, 0,  0,  0,
					0, 10,     16, 3, 0, 14, 0,  1, 10, 32, 0};

	if (!d->class->config[USB_SUPER])
		return -1;
	memcpy(p, bos, sizeof(bos));
	return sizeof(bos);
}

static int get_descriptor(const struct usb_device *d, const struct usb_setup *s, uint8_t *p)
{
	unsigned n = s->value & 0xff;

	switch (s->value >> 8) {
	case USB_DT_DEVICE:
		return device_desc(d, p);
	case USB_DT_CONFIG:
		return n ? -1 : config_desc(d, d->speed, USB_DT_CONFIG, p);
	case DT_OTHER_SPEED:
		return n ? -1 : config_desc(d, other_speed(d), DT_OTHER_SPEED, p);
	case USB_DT_STRING:
		return string_desc(d, n, p);
	case DT_QUALIFIER:
		return qualifier_desc(d, p);
	case DT_BOS:
		return bos_desc(d, p);
	}
	return -1;
}

/* ---- requests ---- */

static uint16_t *halted(struct usb_device *d, uint8_t ep_address)
{
	return &d->halted[ep_address >> 7];
}

static uint16_t ep_bit(uint8_t ep_address)
{
	return (uint16_t)(1u << (ep_address & 15));
}

void usb_halt(struct usb_device *d, uint8_t ep_address)
{
	*halted(d, ep_address) |= ep_bit(ep_address);
	usb_wakeup(d, ep_address);
}

static void clear_halt(struct usb_device *d, uint8_t ep_address)
{
	*halted(d, ep_address) &= (uint16_t)~ep_bit(ep_address);
	if (d->class->unhalted)
		d->class->unhalted(d, ep_address);
}

static void configure(struct usb_device *d, uint8_t n)
{
	d->configuration = n;
	d->halted[0] = d->halted[1] = 0;
	if (d->class->reset)
		d->class->reset(d);
}

static int get_status(struct usb_device *d, const struct usb_setup *s, uint8_t *p)
{
	uint8_t ep = (uint8_t)s->index;

	p[0] = p[1] = 0;
	if ((s->type & TO_MASK) == TO_DEVICE)
		p[0] = 1 | (uint8_t)(d->remote_wakeup << 1); /* self-powered */
	else if ((s->type & TO_MASK) == TO_ENDPOINT)
		p[0] = (*halted(d, ep) & ep_bit(ep)) != 0;
	return 2;
}

static int set_feature(struct usb_device *d, const struct usb_setup *s, bool on)
{
	uint8_t ep = (uint8_t)s->index;

	switch (s->type & TO_MASK) {
	case TO_DEVICE:
		if (s->value == F_REMOTE_WAKEUP)
			d->remote_wakeup = on;
		else if (d->speed != USB_SUPER || (s->value != F_U1 && s->value != F_U2))
			return -1;
		return 0;
	case USB_TO_INTERFACE: /* function suspend */
		return d->speed == USB_SUPER && s->value == 0 ? 0 : -1;
	case TO_ENDPOINT:
		if (s->value != F_HALT || !(ep & 15))
			return ep & 15 || s->value != F_HALT ? -1 : 0;
		if (on)
			*halted(d, ep) |= ep_bit(ep);
		else
			clear_halt(d, ep);
		return 0;
	}
	return -1;
}

/* A standard request: its reply's length; -1: stall, -2: it is not one of those that the core knows. */
static int standard(struct usb_device *d, const struct usb_setup *s, uint8_t *p)
{
	bool in = s->type & USB_DIR_IN;

	if (s->type & TYPE_MASK)
		return -2;
	switch (s->request) {
	case USB_GET_STATUS:
		return in ? get_status(d, s, p) : -1;
	case USB_CLEAR_FEATURE:
	case USB_SET_FEATURE:
		return in ? -1 : set_feature(d, s, s->request == USB_SET_FEATURE);
	case SET_ADDRESS:
		if (s->type != TO_DEVICE || s->value > 127)
			return -1;
		d->address = (uint8_t)s->value;
		return 0;
	case USB_GET_DESCRIPTOR:
		return s->type == USB_DIR_IN ? get_descriptor(d, s, p) : -2;
	case GET_CONFIGURATION:
		p[0] = d->configuration;
		return in ? 1 : -1;
	case SET_CONFIGURATION:
		if (s->type != TO_DEVICE || s->value > 1)
			return -1;
		configure(d, (uint8_t)s->value);
		return 0;
	case GET_INTERFACE:
		p[0] = 0;
		return in && !s->index ? 1 : -1;
	case SET_INTERFACE:
		return s->type == USB_TO_INTERFACE && !s->index && !s->value ? 0 : -1;
	case SET_SEL:
	case SET_ISOCH_DELAY:
		return d->speed == USB_SUPER && s->type == TO_DEVICE ? 0 : -1;
	}
	return -2;
}

/* ---- control transfers ---- */

static struct usb_setup parse(const uint8_t b[8])
{
	return (struct usb_setup){
	    .type = b[0],
	    .request = b[1],
	    .value = (uint16_t)(b[2] | b[3] << 8),
	    .index = (uint16_t)(b[4] | b[5] << 8),
	    .length = (uint16_t)(b[6] | b[7] << 8),
	};
}

/* Carries out the request. False: a stall. */
static bool perform(struct usb_device *d)
{
	struct usb_setup s = parse(d->setup);
	int n = standard(d, &s, d->buf);

	if (n == -2)
		n = d->class->control ? d->class->control(d, &s, d->buf) : -1;
	if (n < 0)
		return false;
	if (s.type & USB_DIR_IN)
		d->len = (uint16_t)(n < s.length ? n : s.length);
	return true;
}

void usb_setup(struct usb_device *d, const uint8_t setup[8])
{
	struct usb_setup s = parse(setup);

	memcpy(d->setup, setup, 8);
	d->at = d->len = 0;
	if (s.type & USB_DIR_IN && s.length) {
		memset(d->buf, 0, sizeof(d->buf));
		d->stage = perform(d) ? STAGE_IN : STAGE_STALL;
	} else {
		/* What goes to the device is carried out when all of it is there. */
		d->stage = s.length <= USB_CONTROL_MAX ? STAGE_OUT : STAGE_STALL;
		d->len = s.length;
	}
}

static enum usb_result control_in(struct usb_device *d, struct usb_packet *p)
{
	size_t n;

	if (d->stage == STAGE_OUT) { /* the status stage */
		if (d->at < d->len || !perform(d)) {
			d->stage = STAGE_STALL;
			return USB_STALL;
		}
		d->stage = STAGE_IDLE;
		return USB_OK;
	}
	if (d->stage != STAGE_IN)
		return USB_STALL;
	n = dma_sg_write(p->sg, p->done, d->buf + d->at, (size_t)(d->len - d->at));
	d->at = (uint16_t)(d->at + n);
	p->done += n;
	return USB_OK;
}

static enum usb_result control_out(struct usb_device *d, struct usb_packet *p)
{
	size_t n;

	if (d->stage == STAGE_IN) { /* the status stage */
		d->stage = STAGE_IDLE;
		return USB_OK;
	}
	if (d->stage != STAGE_OUT)
		return USB_STALL;
	n = dma_sg_read(p->sg, p->done, d->buf + d->at, (size_t)(d->len - d->at));
	d->at = (uint16_t)(d->at + n);
	p->done += n;
	return USB_OK;
}

enum usb_result usb_data(struct usb_device *d, struct usb_packet *p)
{
	uint8_t address = (uint8_t)(p->ep | (p->in ? USB_DIR_IN : 0));

	if (p->ep == 0)
		return p->in ? control_in(d, p) : control_out(d, p);
	if (*halted(d, address) & ep_bit(address) || !d->configuration)
		return USB_STALL;
	return d->class->data(d, p);
}

void usb_wakeup(struct usb_device *d, uint8_t ep_address)
{
	if (d->bus)
		d->bus->wakeup(d->bus, d, ep_address);
}

unsigned usb_max_packet(const struct usb_device *d, uint8_t ep_address)
{
	const uint8_t *c = d->class->config[d->speed], *end;

	if (!(ep_address & 15))
		return d->speed == USB_SUPER ? 512 : d->speed == USB_LOW ? 8 : 64;
	if (!c)
		return 0;
	end = c + (c[2] | c[3] << 8);
	for (; c < end; c += c[0])
		if (c[1] == USB_DT_ENDPOINT && c[2] == ep_address)
			return (c[4] | (unsigned)c[5] << 8) & 0x7ff;
	return 0;
}

/* ---- life ---- */

static const struct field fields[] = {
    FIELD(usb_device, address, 0),       FIELD(usb_device, configuration, 0),
    FIELD(usb_device, remote_wakeup, 0), FIELD_ARRAY(usb_device, halted, 0),
    FIELD(usb_device, stage, 0),         FIELD_ARRAY(usb_device, setup, 0),
    FIELD(usb_device, len, 0),           FIELD(usb_device, at, 0),
    FIELD_ARRAY(usb_device, buf, 0),     FIELD_END,
};

static void tame(void *state)
{
	struct usb_device *d = state;

	if (d->len > USB_CONTROL_MAX)
		d->len = 0;
	if (d->at > d->len)
		d->at = d->len;
}

void usb_reset(struct usb_device *d)
{
	device_reset(&d->dev);
	if (d->class->reset)
		d->class->reset(d);
}

void usb_device_init(struct usb_device *d, const struct usb_class *class, const char *serial)
{
	d->class = class;
	snprintf(d->name, sizeof(d->name), "%s", class->name);
	snprintf(d->state_name, sizeof(d->state_name), "%s-usb", class->name);
	snprintf(d->serial, sizeof(d->serial), "%s", serial ? serial : "");
	device_init(&d->dev, d->state_name, fields, d);
	d->dev.tame = tame;
}
