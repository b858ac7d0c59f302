/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A USB 3 host controller (eXtensible Host Controller Interface for USB, revision 1.1): -device qemu-xhci and
 * nec-usb-xhci. Each of its connectors has a SuperSpeed port and a USB 2 port. No streams, one
 * segment in each event ring.
 */
#ifndef HW_USB_XHCI_H
#define HW_USB_XHCI_H

#include "hw/clock.h"
#include "hw/msi.h"
#include "hw/pci.h"
#include "hw/usb/usb.h"

#define XHCI_SLOTS     16u
#define XHCI_EPS       31u /* of a slot: by device context index less 1 */
#define XHCI_INTRS     16u
#define XHCI_MAX_CONNS 8u /* connectors */
#define XHCI_TD_TRBS   1024u

/* A transfer request block, or any other. */
struct xhci_trb {
	uint64_t addr; /* where it is */
	uint64_t parameter;
	uint32_t status, control;
};

struct xhci_slot {
	uint8_t enabled, state; /* enum slot_state */
	uint8_t port;           /* of the controller, from 1; 0: none */
	uint8_t intr;
	uint32_t route; /* the ports of hubs behind it, 4 bits each (8.9 of USB 3.2) */
	uint64_t ctx;   /* output device context */
};

struct xhci_ep {
	uint8_t state, type;
	uint8_t cycle;
	uint64_t dequeue;
	uint32_t done; /* bytes that the TD at dequeue has moved */
};

struct xhci_port {
	uint32_t sc;   /* PORTSC, but its current connect status */
	uint32_t pmsc; /* PORTPMSC */
};

struct xhci_intr {
	uint32_t iman, imod, erstsz;
	uint64_t erstba, erdp;
	/* The event ring as its table has it when that is set. */
	uint64_t base;
	uint32_t size, enqueue; /* in events */
	uint8_t cycle;
};

struct xhci {
	struct pci_func func; /* first */
	struct device state;
	struct msix msix;
	struct clock *clock;
	struct timer more; /* goes on with rings that were too long for one go */
	unsigned woken;    /* runs for devices since the guest's or the clock's last one */
	struct usb_bus bus;
	unsigned conns;
	bool nec;

	uint32_t usbcmd, usbsts, dnctrl, config;
	uint64_t crcr, dcbaap;
	uint8_t cr_cycle, cr_running;
	struct xhci_slot slot[XHCI_SLOTS];
	struct xhci_ep ep[XHCI_SLOTS * XHCI_EPS];
	struct xhci_port port[2 * XHCI_MAX_CONNS]; /* first all of USB 3, then of USB 2 */
	struct xhci_intr intr[XHCI_INTRS];
	uint32_t kicked[XHCI_SLOTS]; /* bit per endpoint: look at its ring */
	uint8_t command_kicked;

	bool running; /* the rings are being looked at */
	struct xhci_trb td[XHCI_TD_TRBS];
	struct dma_sg sg;
};

struct xhci_options {
	unsigned conns; /* 0: 4 */
	bool nec;
};

/* id: of -device, for the bus's name; or NULL. The caller puts it on a PCI bus. 0 or -errno. */
int xhci_init(struct xhci *x, struct clock *clock, const struct xhci_options *o, const char *id,
	      struct usb_bus **list);
void xhci_fini(struct xhci *x);

extern const struct device_type qemu_xhci_type, nec_xhci_type;

#endif
