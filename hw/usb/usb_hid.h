/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * USB keyboard, mouse and tablet (Device Class Definition for Human Interface Devices 1.11; usages from the HID
 * Usage Tables), with the boot protocol that firmware uses for the first two.
 */
#ifndef HW_USB_USB_HID_H
#define HW_USB_USB_HID_H

#include "hw/clock.h"
#include "hw/input/input.h"
#include "hw/usb/usb.h"

#define HID_QUEUE 32u

enum hid_kind { HID_KEYBOARD, HID_MOUSE, HID_TABLET };

struct hid_event {
	int32_t x, y, dz, dh; /* of pointers */
	uint8_t buttons;
	uint8_t usage, down; /* of keys */
};

struct usb_hid {
	struct usb_device usb; /* first */
	struct device dev;     /* of the fields below */
	enum hid_kind kind;
	struct input *input;
	struct input_handler handler;
	struct clock *clock;
	struct timer idle_timer;

	struct hid_event queue[HID_QUEUE]; /* not yet reported; from 0 */
	uint8_t nr;
	uint8_t modifiers, keys[16], nr_keys; /* what the reports so far say is down */
	struct hid_event last;                /* of a pointer: where it is */
	uint8_t leds;
	uint8_t idle;     /* in 4 ms: how often reports are repeated; 0: never */
	uint8_t protocol; /* 0 boot, 1 report */
	uint8_t repeat;   /* the idle time is over */
	uint8_t polled;   /* the guest's driver has asked for reports */
};

void usb_hid_init(struct usb_hid *h, enum hid_kind kind, const char *serial, struct clock *clock,
		  struct input *input);
void usb_hid_fini(struct usb_hid *h);

extern const struct device_type usb_kbd_type, usb_mouse_type, usb_tablet_type;

#endif
