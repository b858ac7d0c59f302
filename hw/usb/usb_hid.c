/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * USB keyboard, mouse and tablet. See the header.
 */
#include "hw/usb/usb_hid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hw/device_type.h"
#include "hw/usb/usb_hid_desc.h"

enum { EP = 1, REPORT_MAX = 8 };
enum { DT_HID = 0x21, DT_REPORT = 0x22 };
enum { BOOT = 0, REPORT = 1 };
enum {
	GET_REPORT = 0x01,
	GET_IDLE = 0x02,
	GET_PROTOCOL = 0x03,
	SET_REPORT = 0x09,
	SET_IDLE = 0x0a,
	SET_PROTOCOL = 0x0b
};
enum { CLASS_REQUEST = USB_TYPE_CLASS | USB_TO_INTERFACE };
enum { FIRST_MODIFIER = 0xe0, ERROR_ROLL_OVER = 1, BOOT_KEYS = 6 };
enum { MAX_PENDING = 0x7fff }; /* movement nobody fetches */

static struct usb_hid *of(struct usb_device *d)
{
	return (struct usb_hid *)d;
}

/* ---- reports ---- */

static uint8_t clamp(int64_t v)
{
	return (uint8_t)(v > 127 ? 127 : v < -127 ? -127 : v);
}

static unsigned keyboard_data(const struct usb_hid *h, uint8_t *p)
{
	memset(p, 0, 8);
	p[0] = h->modifiers;
	if (h->nr_keys > BOOT_KEYS)
		memset(p + 2, ERROR_ROLL_OVER, BOOT_KEYS);
	else
		memcpy(p + 2, h->keys, h->nr_keys);
	return 8;
}

static unsigned pointer_data(const struct usb_hid *h, const struct hid_event *e, uint8_t *p)
{
	unsigned n = 0;

	p[n++] = e->buttons;
	if (h->kind == HID_TABLET) {
		p[n++] = (uint8_t)e->x;
		p[n++] = (uint8_t)(e->x >> 8);
		p[n++] = (uint8_t)e->y;
		p[n++] = (uint8_t)(e->y >> 8);
	} else {
		p[n++] = clamp(e->x);
		p[n++] = clamp(e->y);
		if (h->protocol == BOOT)
			return n;
	}
	p[n++] = clamp(-(int64_t)e->dz);
	p[n++] = clamp(e->dh);
	return n;
}

/* What is reported now, without taking it. */
static unsigned report(const struct usb_hid *h, uint8_t *p)
{
	if (h->kind == HID_KEYBOARD)
		return keyboard_data(h, p);
	return pointer_data(h, h->nr ? &h->queue[0] : &h->last, p);
}

static void drop_first(struct usb_hid *h)
{
	memmove(h->queue, h->queue + 1, --h->nr * sizeof(h->queue[0]));
}

static void take_key(struct usb_hid *h, uint8_t usage, bool down)
{
	unsigned i;

	if (usage >= FIRST_MODIFIER) {
		uint8_t bit = (uint8_t)(1u << (usage & 7));

		h->modifiers = (uint8_t)(down ? h->modifiers | bit : h->modifiers & ~bit);
		return;
	}
	for (i = 0; i < h->nr_keys && h->keys[i] != usage; i++)
		;
	if (down && i == h->nr_keys && i < sizeof(h->keys))
		h->keys[h->nr_keys++] = usage;
	else if (!down && i < h->nr_keys)
		memmove(h->keys + i, h->keys + i + 1, --h->nr_keys - i);
}

/* After the first event of a pointer was reported: what did not fit stays. */
static void take_motion(struct usb_hid *h)
{
	struct hid_event *e = &h->queue[0];

	h->last = *e;
	h->last.dz = h->last.dh = 0;
	if (h->kind == HID_MOUSE) {
		h->last.x = h->last.y = 0;
		e->x -= (int8_t)clamp(e->x);
		e->y -= (int8_t)clamp(e->y);
	}
	e->dz -= (int8_t)clamp(e->dz);
	e->dh -= (int8_t)clamp(e->dh);
	if (h->kind == HID_TABLET ? !(e->dz | e->dh) : !(e->x | e->y | e->dz | e->dh))
		drop_first(h);
}

static void arm_idle(struct usb_hid *h)
{
	if (h->idle)
		timer_arm(&h->idle_timer, clock_now(h->clock) + h->idle * 4000000ull);
	else
		timer_cancel(&h->idle_timer);
}

static void idle_over(void *opaque)
{
	struct usb_hid *h = opaque;

	h->repeat = 1;
	usb_wakeup(&h->usb, EP | USB_DIR_IN);
}

static enum usb_result data(struct usb_device *d, struct usb_packet *p)
{
	struct usb_hid *h = of(d);
	uint8_t buf[REPORT_MAX];
	unsigned n;

	if (p->ep != EP || !p->in)
		return USB_STALL;
	if (!h->polled) {
		h->polled = 1;
		input_activate(h->input, &h->handler);
	}
	if (!h->nr && !h->repeat)
		return USB_NAK;
	if (h->nr && h->kind == HID_KEYBOARD) {
		take_key(h, h->queue[0].usage, h->queue[0].down);
		drop_first(h);
	}
	n = report(h, buf);
	if (h->nr && h->kind != HID_KEYBOARD)
		take_motion(h);
	h->repeat = 0;
	arm_idle(h);
	p->done += dma_sg_write(p->sg, p->done, buf, n);
	return USB_OK;
}

/* ---- events ---- */

static void queued(struct usb_hid *h)
{
	usb_wakeup(&h->usb, EP | USB_DIR_IN);
}

static void on_key(void *dev, enum key key, bool down)
{
	struct usb_hid *h = dev;
	uint8_t usage = key_hid(key);

	if (!usage || h->nr == HID_QUEUE)
		return;
	h->queue[h->nr++] = (struct hid_event){.usage = usage, .down = down};
	queued(h);
}

static int32_t moved(int64_t at, int by)
{
	at += by;
	return (int32_t)(at > MAX_PENDING ? MAX_PENDING : at < -MAX_PENDING ? -MAX_PENDING : at);
}

static void on_pointer(void *dev, const struct input_pointer *p)
{
	struct usb_hid *h = dev;
	struct hid_event *e = h->nr ? &h->queue[h->nr - 1] : NULL;

	/* One report for several movements, but each button's for itself. The first of the queue may have
	 * been reported in part. */
	if (!e || (e->buttons != p->buttons && h->nr < HID_QUEUE)) {
		e = &h->queue[h->nr++];
		*e = (struct hid_event){0};
	}
	e->buttons = (uint8_t)(p->buttons & 0x1f);
	if (h->kind == HID_TABLET) {
		e->x = p->x;
		e->y = p->y;
	} else {
		e->x = moved(e->x, p->x);
		e->y = moved(e->y, p->y);
	}
	e->dz = moved(e->dz, p->dz);
	e->dh = moved(e->dh, p->dh);
	queued(h);
}

/* ---- requests ---- */

static int get_descriptor(const struct usb_hid *h, const struct usb_setup *s, uint8_t *out)
{
	static const struct {
		const uint8_t *data;
		unsigned len;
	} reports[] = {
	    [HID_KEYBOARD] = {keyboard_report, sizeof(keyboard_report)},
	    [HID_MOUSE] = {mouse_report, sizeof(mouse_report)},
	    [HID_TABLET] = {tablet_report, sizeof(tablet_report)},
	};

	switch (s->value >> 8) {
	case DT_HID:
		memcpy(out, h->usb.class->config[h->usb.speed] + 18, 9);
		return 9;
	case DT_REPORT:
		memcpy(out, reports[h->kind].data, reports[h->kind].len);
		return (int)reports[h->kind].len;
	}
	return -1;
}

static void set_leds(struct usb_hid *h, uint8_t leds)
{
	h->leds = leds;
	h->handler.leds = (uint8_t)((leds & 1 ? LED_NUM : 0) | (leds & 2 ? LED_CAPS : 0) |
				    (leds & 4 ? LED_SCROLL : 0));
}

static int control(struct usb_device *d, const struct usb_setup *s, uint8_t *buf)
{
	struct usb_hid *h = of(d);
	bool boot = h->kind != HID_TABLET;

	if (s->type == (USB_DIR_IN | USB_TO_INTERFACE) && s->request == USB_GET_DESCRIPTOR)
		return get_descriptor(h, s, buf);
	if ((s->type & ~USB_DIR_IN) != CLASS_REQUEST)
		return -1;
	switch (s->type & USB_DIR_IN ? s->request : s->request << 8) {
	case GET_REPORT:
		return (int)report(h, buf);
	case GET_IDLE:
		buf[0] = h->idle;
		return 1;
	case GET_PROTOCOL:
		buf[0] = h->protocol;
		return boot ? 1 : -1;
	case SET_REPORT << 8:
		if (h->kind != HID_KEYBOARD || s->length < 1)
			return -1;
		set_leds(h, buf[0]);
		return 0;
	case SET_IDLE << 8:
		h->idle = (uint8_t)(s->value >> 8);
		arm_idle(h);
		return 0;
	case SET_PROTOCOL << 8:
		if (!boot)
			return -1;
		h->protocol = s->value & 1;
		return 0;
	}
	return -1;
}

/* ---- life ---- */

static const struct field fields[] = {
    FIELD_EACH(usb_hid, queue, x, 0),
    FIELD_EACH(usb_hid, queue, y, 0),
    FIELD_EACH(usb_hid, queue, dz, 0),
    FIELD_EACH(usb_hid, queue, dh, 0),
    FIELD_EACH(usb_hid, queue, buttons, 0),
    FIELD_EACH(usb_hid, queue, usage, 0),
    FIELD_EACH(usb_hid, queue, down, 0),
    FIELD(usb_hid, nr, 0),
    FIELD(usb_hid, modifiers, 0),
    FIELD_ARRAY(usb_hid, keys, 0),
    FIELD(usb_hid, nr_keys, 0),
    FIELD(usb_hid, last.x, 0),
    FIELD(usb_hid, last.y, 0),
    FIELD(usb_hid, last.buttons, 0),
    FIELD(usb_hid, leds, 0),
    FIELD(usb_hid, idle, 0),
    FIELD(usb_hid, protocol, REPORT),
    FIELD(usb_hid, repeat, 0),
    FIELD(usb_hid, polled, 0),
    FIELD_END,
};

static void reset_done(void *state)
{
	struct usb_hid *h = state;

	timer_cancel(&h->idle_timer);
	h->handler.leds = 0;
	input_deactivate(h->input, &h->handler);
}

static void tame(void *state)
{
	struct usb_hid *h = state;

	if (h->nr > HID_QUEUE)
		h->nr = 0;
	if (h->nr_keys > sizeof(h->keys))
		h->nr_keys = 0;
}

static void loaded(void *state)
{
	struct usb_hid *h = state;

	set_leds(h, h->leds);
	arm_idle(h);
	if (h->polled)
		input_activate(h->input, &h->handler);
	else
		input_deactivate(h->input, &h->handler);
}

static void reset(struct usb_device *d)
{
	device_reset(&of(d)->dev);
}

#define QEMU_VENDOR 0x0627

#define CLASS(n, text, full, high)                                                                 \
	{                                                                                          \
		.name = (n), .vendor = QEMU_VENDOR, .product = 1, .maker = "QEMU", .what = (text), \
		.config = {[USB_FULL] = (full), [USB_HIGH] = (high)}, .control = control,          \
		.data = data, .reset = reset,                                                      \
	}

static const struct usb_class classes[] = {
    [HID_KEYBOARD] = CLASS("usb-kbd", "QEMU USB Keyboard", keyboard_full, keyboard_high),
    [HID_MOUSE] = CLASS("usb-mouse", "QEMU USB Mouse", mouse_full, mouse_high),
    [HID_TABLET] = CLASS("usb-tablet", "QEMU USB Tablet", tablet_full, tablet_high),
};

void usb_hid_init(struct usb_hid *h, enum hid_kind kind, const char *serial, struct clock *clock,
		  struct input *input)
{
	static const unsigned kinds[] = {[HID_KEYBOARD] = INPUT_KEYS,
					 [HID_MOUSE] = INPUT_RELATIVE,
					 [HID_TABLET] = INPUT_ABSOLUTE};

	memset(h, 0, sizeof(*h));
	h->kind = kind;
	h->clock = clock;
	h->input = input;
	usb_device_init(&h->usb, &classes[kind], serial);
	timer_init(&h->idle_timer, clock, idle_over, h);
	h->handler.name = classes[kind].what;
	h->handler.kinds = kinds[kind];
	h->handler.key = on_key;
	h->handler.pointer = on_pointer;
	h->handler.dev = h;
	device_init(&h->dev, h->usb.name, fields, h);
	h->dev.reset_done = reset_done;
	h->dev.tame = tame;
	h->dev.loaded = loaded;
	input_add(input, &h->handler);
}

void usb_hid_fini(struct usb_hid *h)
{
	timer_cancel(&h->idle_timer);
	input_remove(h->input, &h->handler);
}

static void destroy(void *self)
{
	usb_hid_fini(self);
	free(self);
}

static int create(void **self, const struct device_args *args, enum hid_kind kind, char *err,
		  size_t errlen)
{
	struct usb_hid *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return -ENOMEM;
	usb_hid_init(h, kind, arg_str(args, "serial"), args->env->clock, args->env->input);
	r = usb_device_add(&h->usb, args, err, errlen);
	if (r < 0) {
		destroy(h);
		return r;
	}
	device_add(args, &h->dev);
	*self = h;
	return 0;
}

static int create_kbd(void **self, const struct device_args *args, char *err, size_t errlen)
{
	return create(self, args, HID_KEYBOARD, err, errlen);
}

static int create_mouse(void **self, const struct device_args *args, char *err, size_t errlen)
{
	return create(self, args, HID_MOUSE, err, errlen);
}

static int create_tablet(void **self, const struct device_args *args, char *err, size_t errlen)
{
	return create(self, args, HID_TABLET, err, errlen);
}

static const struct prop props[] = {
    USB_PROPS,
    {0},
};

const struct device_type usb_kbd_type = {
    .name = "usb-kbd",
    .bus = "USB",
    .desc = "USB keyboard",
    .props = props,
    .create = create_kbd,
    .destroy = destroy,
    .unplug = usb_unplug,
};

const struct device_type usb_mouse_type = {
    .name = "usb-mouse",
    .bus = "USB",
    .desc = "USB mouse",
    .props = props,
    .create = create_mouse,
    .destroy = destroy,
    .unplug = usb_unplug,
};

const struct device_type usb_tablet_type = {
    .name = "usb-tablet",
    .bus = "USB",
    .desc = "USB tablet: a pointer with positions instead of movements",
    .props = props,
    .create = create_tablet,
    .destroy = destroy,
    .unplug = usb_unplug,
};
