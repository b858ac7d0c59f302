/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Between the parts of the xHCI: registers and life (xhci.c), ports (xhci_port.c), event rings (xhci_event.c),
 * commands (xhci_command.c), transfers (xhci_transfer.c). Section numbers are those of xHCI 1.1.
 */
#ifndef HW_USB_XHCI_IMPL_H
#define HW_USB_XHCI_IMPL_H

#include "hw/usb/xhci.h"

enum { TRB_LEN = 16, CTX_LEN = 32 };

/* Table 131. */
enum trb_type {
	TRB_NORMAL = 1,
	TRB_SETUP = 2,
	TRB_DATA = 3,
	TRB_STATUS = 4,
	TRB_ISOCH = 5,
	TRB_LINK = 6,
	TRB_EVENT_DATA = 7,
	TRB_NOOP = 8,
	TRB_ENABLE_SLOT = 9,
	TRB_DISABLE_SLOT = 10,
	TRB_ADDRESS_DEVICE = 11,
	TRB_CONFIGURE_EP = 12,
	TRB_EVALUATE = 13,
	TRB_RESET_EP = 14,
	TRB_STOP_EP = 15,
	TRB_SET_DEQUEUE = 16,
	TRB_RESET_DEVICE = 17,
	TRB_NOOP_COMMAND = 23,
	TRB_TRANSFER_EVENT = 32,
	TRB_COMMAND_EVENT = 33,
	TRB_PORT_EVENT = 34,
	TRB_HOST_EVENT = 37,
	TRB_NEC_EVENT = 48,
	TRB_NEC_FIRMWARE = 49,
};

/* Bits of a TRB's last word. */
#define TRB_CYCLE  (1u << 0)
#define TRB_TOGGLE (1u << 1) /* Link */
#define TRB_ISP    (1u << 2)
#define TRB_ED     (1u << 2) /* events */
#define TRB_CHAIN  (1u << 4)
#define TRB_IOC    (1u << 5)
#define TRB_IDT    (1u << 6)
#define TRB_BEI    (1u << 9)
#define TRB_BSR    (1u << 9) /* Address Device */
#define TRB_DC     (1u << 9) /* Configure Endpoint */
#define TRB_DIR_IN (1u << 16)

/* Table 130. */
enum cc {
	CC_SUCCESS = 1,
	CC_DATA_BUFFER = 2,
	CC_TRANSACTION = 4,
	CC_TRB = 5,
	CC_STALL = 6,
	CC_NO_SLOTS = 9,
	CC_SLOT_NOT_ENABLED = 11,
	CC_SHORT_PACKET = 13,
	CC_PARAMETER = 17,
	CC_CONTEXT_STATE = 19,
	CC_RING_FULL = 21,
	CC_COMMAND_RING_STOPPED = 24,
	CC_STOPPED = 26,
};

#define CMD_RUN   (1u << 0)
#define CMD_HCRST (1u << 1)
#define CMD_INTE  (1u << 2)
#define STS_HCH   (1u << 0)
#define STS_HSE   (1u << 2)
#define STS_EINT  (1u << 3)
#define STS_PCD   (1u << 4)
#define STS_SRE   (1u << 10)

enum { EP_DISABLED, EP_RUNNING, EP_HALTED, EP_STOPPED, EP_ERROR };
enum { EP_TYPE_CONTROL = 4 };
enum slot_state { SLOT_DISABLED, SLOT_DEFAULT, SLOT_ADDRESSED, SLOT_CONFIGURED };

static inline enum trb_type trb_type(const struct xhci_trb *t)
{
	return t->control >> 10 & 0x3f;
}
static inline struct xhci_ep *xhci_ep(struct xhci *x, unsigned slot, unsigned dci)
{
	return &x->ep[slot * XHCI_EPS + dci - 1];
}
static inline bool xhci_runs(const struct xhci *x)
{
	return x->usbcmd & CMD_RUN && !(x->usbsts & (STS_HCH | STS_HSE));
}

/* ---- xhci.c ---- */

/* A host system error (4.10.2.6): the controller stops. */
void xhci_die(struct xhci *x);
/* Looks at the rings that were kicked, unless that is under way. */
void xhci_run(struct xhci *x);
/* Memory; a failure is a host system error. */
int xhci_read(struct xhci *x, uint64_t addr, void *buf, size_t len);
int xhci_write(struct xhci *x, uint64_t addr, const void *buf, size_t len);
/* The TRB at *addr when it belongs to the controller, after following links; *addr is where it is and *cycle
 * belongs to it. 1, 0: there is none yet; or -EIO after a host system error, -EINVAL for a ring of links. */
int xhci_fetch(struct xhci *x, uint64_t *addr, uint8_t *cycle, struct xhci_trb *t);

/* ---- xhci_event.c ---- */

void xhci_event(struct xhci *x, unsigned intr, const struct xhci_trb *event, enum cc code,
		bool quiet);
/* Whether an event ring takes a few more; without one it does. */
bool xhci_event_room(const struct xhci *x, unsigned intr);
void xhci_update_intx(struct xhci *x);
uint32_t xhci_intr_read(const struct xhci *x, unsigned intr, unsigned reg);
void xhci_intr_write(struct xhci *x, unsigned intr, unsigned reg, uint32_t val);

/* ---- xhci_port.c ---- */

/* The USB 3 ports are the first, the USB 2 ports the last `conns`. */
uint32_t xhci_port_read(const struct xhci *x, unsigned port, unsigned reg);
void xhci_port_write(struct xhci *x, unsigned port, unsigned reg, uint32_t val);
/* The device at a port, from 0, or NULL. */
struct usb_device *xhci_port_device(const struct xhci *x, unsigned port);
/* As after power-on. */
void xhci_ports_reset(struct xhci *x);
/* A device was plugged into a connector, or out of it; one that is at a connector wants to wake its port. */
void xhci_port_attached(struct xhci *x, unsigned conn);
void xhci_port_detached(struct xhci *x, unsigned conn);
void xhci_port_resume(struct xhci *x, struct usb_device *d);

/* ---- xhci_command.c ---- */

/* Takes the commands of the ring while there is room for their events. Whether it ended for having taken
 * `budget` of them. */
bool xhci_run_commands(struct xhci *x, unsigned budget);
void xhci_disable_slot(struct xhci *x, unsigned slot);
/* Writes an endpoint's state to its context. */
void xhci_put_ep(struct xhci *x, unsigned slot, unsigned dci);

/* ---- xhci_transfer.c ---- */

/* Takes TDs of a ring until there are none, or the device has no data, or there is no room for their events.
 * Whether it ended because *budget, from which the TRBs seen are subtracted, is used up. */
bool xhci_run_ep(struct xhci *x, unsigned slot, unsigned dci, int *budget);
/* The event that says where a ring was stopped (4.6.9). */
void xhci_stopped_event(struct xhci *x, unsigned slot, unsigned dci);
struct usb_device *xhci_slot_device(const struct xhci *x, unsigned slot);

#endif
