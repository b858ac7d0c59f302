/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Between the parts of the UHCI: registers, ports and life (uhci.c), the schedule (uhci_frame.c). Section numbers
 * are those of the Design Guide 1.1.
 */
#ifndef HW_USB_UHCI_IMPL_H
#define HW_USB_UHCI_IMPL_H

#include "hw/usb/uhci.h"

/* USBSTS (2.1.2). */
#define STS_USBINT (1u << 0)
#define STS_ERROR  (1u << 1)
#define STS_RESUME (1u << 2)
#define STS_HSE    (1u << 3)
#define STS_HCPE   (1u << 4)
#define STS_HALTED (1u << 5)

/* Why USBINT is set: each has an enable bit of its own. */
enum { CAUSE_IOC = 1, CAUSE_SHORT = 2 };

/* Executes the frame `frnum` of the list. Its status bits go to usbsts and causes; an error of the host or in the
 * schedule is among them. Whether any transfer has moved on. */
bool uhci_frame(struct uhci *u);

#endif
