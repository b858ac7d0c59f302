/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A USB 1.1 host controller with two ports (Universal Host Controller Interface Design Guide, revision 1.1), as
 * in the PIIX3 (Intel 290550) and the ICH9 (Intel 316972): -device piix3-usb-uhci, ich9-usb-uhci1 to 3.
 */
#ifndef HW_USB_UHCI_H
#define HW_USB_UHCI_H

#include "hw/clock.h"
#include "hw/pci.h"
#include "hw/usb/usb.h"

#define UHCI_PORTS 2u

struct uhci {
	struct pci_func func; /* first */
	struct device state;
	struct clock *clock;
	struct timer timer; /* of the next frames */
	struct usb_bus bus;

	uint16_t usbcmd, usbsts, usbintr;
	uint16_t frnum; /* of the frame that comes next */
	uint32_t flbaseadd;
	uint8_t sofmod;
	uint8_t causes; /* of the interrupt bit in USBSTS */
	uint16_t portsc[UHCI_PORTS];
	uint64_t next; /* ns: when that frame begins */
	uint8_t idle;  /* frames without a transfer, up to a maximum */

	bool walking; /* a frame is being executed */
	struct dma_sg sg;
};

/* Which of the chips it is. */
struct uhci_model {
	const char *name;
	uint16_t device;
	uint8_t revision, pin;
};
extern const struct uhci_model uhci_models[];

/* id: of -device, for the bus's name; or NULL. The caller puts it on a PCI bus. 0 or -errno. */
int uhci_init(struct uhci *u, struct clock *clock, const struct uhci_model *model, const char *id,
	      struct usb_bus **list);
void uhci_fini(struct uhci *u);

extern const struct device_type piix3_uhci_type, ich9_uhci1_type, ich9_uhci2_type, ich9_uhci3_type;

#endif
