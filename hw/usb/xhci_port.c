/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Root hub ports (xHCI 4.15, 4.19, 5.4.8 to 5.4.11).
 */
#include "hw/usb/xhci_impl.h"

enum { PORTSC = 0, PORTPMSC = 4 };

#define SC_CCS         (1u << 0)
#define SC_PED         (1u << 1)
#define SC_PR          (1u << 4)
#define SC_PLS_SHIFT   5
#define SC_PLS_MASK    (15u << SC_PLS_SHIFT)
#define SC_PP          (1u << 9)
#define SC_SPEED_SHIFT 10
#define SC_SPEED_MASK  (15u << SC_SPEED_SHIFT)
#define SC_PIC         (3u << 14)
#define SC_LWS         (1u << 16)
#define SC_CSC         (1u << 17)
#define SC_PEC         (1u << 18)
#define SC_WRC         (1u << 19)
#define SC_PRC         (1u << 21)
#define SC_PLC         (1u << 22)
#define SC_CHANGES     (0x7fu << 17)
#define SC_WAKE        (7u << 25)
#define SC_WPR         (1u << 31)

enum { U0 = 0, U3 = 3, RX_DETECT = 5, POLLING = 7, RESUME = 15 };

static bool is_usb3(const struct xhci *x, unsigned port)
{
	return port < x->conns;
}

struct usb_device *xhci_port_device(const struct xhci *x, unsigned port)
{
	struct usb_device *d = x->bus.dev[port % x->conns];

	return d && (d->speed == USB_SUPER) == is_usb3(x, port) ? d : NULL;
}

static unsigned link_state(const struct xhci_port *p)
{
	return p->sc >> SC_PLS_SHIFT & 15;
}

static void set_link(struct xhci_port *p, unsigned state)
{
	p->sc = (p->sc & ~SC_PLS_MASK) | state << SC_PLS_SHIFT;
}

/* Sets change bits; the first of them is told of (4.19.2). */
static void changed(struct xhci *x, unsigned port, uint32_t bits)
{
	struct xhci_port *p = &x->port[port];
	const struct xhci_trb event = {.parameter = (uint64_t)(port + 1) << 24,
				       .control = TRB_PORT_EVENT << 10};
	bool told = p->sc & SC_CHANGES;

	if ((p->sc & bits) == bits)
		return;
	p->sc |= bits;
	x->usbsts |= STS_PCD;
	if (!told && xhci_runs(x))
		xhci_event(x, 0, &event, CC_SUCCESS, false);
}

static void set_connected(struct xhci *x, unsigned port)
{
	struct xhci_port *p = &x->port[port];
	struct usb_device *d = xhci_port_device(x, port);

	p->sc = (p->sc & (SC_CHANGES | SC_WAKE)) | SC_PP;
	if (!d) {
		set_link(p, RX_DETECT);
		return;
	}
	p->sc |= SC_CCS | (uint32_t)d->speed << SC_SPEED_SHIFT;
	/* SuperSpeed links train by themselves, others wait for a reset. */
	if (is_usb3(x, port)) {
		p->sc |= SC_PED;
		set_link(p, U0);
	} else {
		set_link(p, POLLING);
	}
}

void xhci_port_attached(struct xhci *x, unsigned conn)
{
	unsigned port = x->bus.dev[conn]->speed == USB_SUPER ? conn : conn + x->conns;

	set_connected(x, port);
	changed(x, port, SC_CSC);
}

void xhci_port_detached(struct xhci *x, unsigned conn)
{
	for (unsigned port = conn; port < 2 * x->conns; port += x->conns) {
		if (!(x->port[port].sc & SC_CCS))
			continue;
		set_connected(x, port);
		changed(x, port, SC_CSC);
	}
}

void xhci_ports_reset(struct xhci *x)
{
	for (unsigned i = 0; i < 2 * x->conns; i++) {
		x->port[i].sc = x->port[i].pmsc = 0;
		set_connected(x, i);
		if (xhci_port_device(x, i))
			x->port[i].sc |= SC_CSC;
	}
}

static void reset_port(struct xhci *x, unsigned port, bool warm)
{
	struct xhci_port *p = &x->port[port];
	struct usb_device *d = xhci_port_device(x, port);

	if (!d)
		return;
	usb_reset(d);
	p->sc |= SC_PED;
	set_link(p, U0);
	changed(x, port, SC_PRC | (warm ? SC_WRC : 0));
}

void xhci_port_resume(struct xhci *x, struct usb_device *d)
{
	unsigned port = d->speed == USB_SUPER ? d->port : d->port + x->conns;
	struct xhci_port *p = &x->port[port];

	if (link_state(p) != U3 || !d->remote_wakeup)
		return;
	/* A USB 2 port shows the resume signal, which the guest ends (4.15.2.1). */
	set_link(p, is_usb3(x, port) ? U0 : RESUME);
	changed(x, port, SC_PLC);
}

static void write_link(struct xhci *x, unsigned port, unsigned to)
{
	struct xhci_port *p = &x->port[port];
	unsigned from = link_state(p);

	if (!(p->sc & SC_PED))
		return;
	if (to == U0 && from != U0) {
		set_link(p, U0);
		changed(x, port, SC_PLC);
	} else if (to == U3 && from < U3) {
		set_link(p, U3);
	} else if (to == RESUME && from == U3 && !is_usb3(x, port)) {
		set_link(p, RESUME);
	}
}

static void write_sc(struct xhci *x, unsigned port, uint32_t val)
{
	struct xhci_port *p = &x->port[port];

	if (val & SC_WPR && is_usb3(x, port)) {
		reset_port(x, port, true);
		return;
	}
	if (val & SC_PR) {
		reset_port(x, port, false);
		return;
	}
	p->sc &= ~(val & SC_CHANGES);
	p->sc = (p->sc & ~(SC_PIC | SC_WAKE)) | (val & (SC_PIC | SC_WAKE));
	if (val & SC_LWS)
		write_link(x, port, val >> SC_PLS_SHIFT & 15);
	if (val & SC_PED && p->sc & SC_PED) {
		p->sc &= ~SC_PED;
		set_link(p, is_usb3(x, port) ? RX_DETECT : POLLING);
	}
}

uint32_t xhci_port_read(const struct xhci *x, unsigned port, unsigned reg)
{
	switch (reg) {
	case PORTSC:
		return x->port[port].sc;
	case PORTPMSC:
		return x->port[port].pmsc;
	}
	return 0; /* no link errors, no hardware LPM */
}

void xhci_port_write(struct xhci *x, unsigned port, unsigned reg, uint32_t val)
{
	if (reg == PORTSC)
		write_sc(x, port, val);
	else if (reg == PORTPMSC)
		x->port[port].pmsc = val & 0x0001ffff;
}
