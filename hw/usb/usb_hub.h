/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A full-speed hub with eight ports (Universal Serial Bus 2.0, chapter 11): -device usb-hub.
 */
#ifndef HW_USB_USB_HUB_H
#define HW_USB_USB_HUB_H

#include "hw/usb/usb.h"

#define USB_HUB_PORTS 8u

struct usb_hub {
	struct usb_device usb; /* first */
	struct device dev;     /* of the fields below */
	struct usb_bus bus;    /* what is behind it */

	uint16_t status[USB_HUB_PORTS]; /* wPortStatus (11.24.2.7.1) */
	uint16_t change[USB_HUB_PORTS]; /* wPortChange */
};

void usb_hub_init(struct usb_hub *h, const char *serial);

extern const struct device_type usb_hub_type;

#endif
