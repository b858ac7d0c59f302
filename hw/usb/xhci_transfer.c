/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Transfer rings (xHCI 4.10, 4.11.5, 6.4.1): a transfer descriptor (TD) is read as a whole, becomes one packet
 * for the device, and is reported when that has ended. A device that has no data yet leaves the TD in its ring: it
 * is read again when the device wakes the endpoint.
 */
#include <errno.h>

#include "hw/usb/xhci_impl.h"

struct td {
	unsigned nr; /* in x->td */
	uint64_t next;
	uint8_t next_cycle;
};

static uint32_t trb_len(const struct xhci_trb *t)
{
	return t->status & 0x1ffff;
}

static bool has_data(const struct xhci_trb *t)
{
	switch (trb_type(t)) {
	case TRB_NORMAL:
	case TRB_DATA:
	case TRB_ISOCH:
		return true;
	default:
		return false;
	}
}

/* 1; 0: not all of it is there yet; or -EINVAL, -EIO. */
static int gather(struct xhci *x, const struct xhci_ep *e, struct td *td)
{
	struct xhci_trb *t;
	int r;

	td->nr = 0;
	td->next = e->dequeue;
	td->next_cycle = e->cycle;
	do {
		if (td->nr == XHCI_TD_TRBS)
			return -EINVAL;
		t = &x->td[td->nr];
		r = xhci_fetch(x, &td->next, &td->next_cycle, t);
		if (r <= 0)
			return r;
		td->nr++;
		td->next += TRB_LEN;
	} while (t->control & TRB_CHAIN);
	return 1;
}

/* The memory of a TD in x->sg. */
static int map(struct xhci *x, const struct td *td, bool in)
{
	dma_sg_clear(&x->sg);
	for (unsigned i = 0; i < td->nr; i++) {
		const struct xhci_trb *t = &x->td[i];
		bool immediate = t->control & TRB_IDT;
		uint32_t len = trb_len(t);
		int r;

		if (!has_data(t) || !len)
			continue;
		if (immediate && (in || len > 8))
			return -EINVAL;
		r = pci_dma_sg(&x->func, &x->sg, immediate ? t->addr : t->parameter, len, in);
		if (r < 0)
			return r;
	}
	return 0;
}

static void transfer_event(struct xhci *x, unsigned slot, unsigned dci, const struct xhci_trb *t,
			   uint64_t parameter, uint32_t len, bool event_data, enum cc code)
{
	const struct xhci_trb event = {
	    .parameter = parameter,
	    .status = len & 0xffffff,
	    .control =
		TRB_TRANSFER_EVENT << 10 | (event_data ? TRB_ED : 0) | dci << 16 | (slot + 1) << 24,
	};

	xhci_event(x, (t->status >> 22) % XHCI_INTRS, &event, code, t->control & TRB_BEI);
}

/* The events of a TD that has moved `moved` bytes (4.10.1). An error or a stop is that of the TRB where the
 * data end; a packet shorter than its TRB is told of once, or by the Event Data TRB behind it. */
static void report(struct xhci *x, unsigned slot, unsigned dci, const struct td *td, uint64_t moved,
		   enum cc code)
{
	uint64_t left = moved, edtla = 0;
	bool is_short = false, told = false;

	for (unsigned i = 0; i < td->nr; i++) {
		const struct xhci_trb *t = &x->td[i];
		uint32_t len = has_data(t) ? trb_len(t) : 0;
		uint32_t chunk = left < len ? (uint32_t)left : len;
		bool last = i + 1 == td->nr;
		enum cc c;

		left -= chunk;
		edtla += chunk;
		if (code != CC_SUCCESS) {
			if (!last && !left && chunk == len && len)
				continue; /* it was done with; the error is the next one's */
			if (!last && (left || !has_data(t)))
				continue;
			transfer_event(x, slot, dci, t, t->addr, len - chunk, false, code);
			return;
		}
		is_short |= chunk < len;
		c = is_short ? CC_SHORT_PACKET : CC_SUCCESS;
		if (trb_type(t) == TRB_EVENT_DATA) {
			if (t->control & TRB_IOC && !(is_short && told))
				transfer_event(x, slot, dci, t, t->parameter, (uint32_t)edtla, true,
					       c);
			edtla = 0;
		} else if (!told &&
			   (t->control & TRB_IOC || (chunk < len && t->control & TRB_ISP))) {
			transfer_event(x, slot, dci, t, t->addr, len - chunk, false, c);
			told = is_short;
		}
	}
}

void xhci_stopped_event(struct xhci *x, unsigned slot, unsigned dci)
{
	const struct xhci_ep *e = xhci_ep(x, slot, dci);
	struct td td;

	if (gather(x, e, &td) > 0)
		report(x, slot, dci, &td, e->done, CC_STOPPED);
}

static void halt(struct xhci *x, unsigned slot, unsigned dci, uint8_t state)
{
	xhci_ep(x, slot, dci)->state = state;
	xhci_put_ep(x, slot, dci);
}

/* A TD that makes no sense. */
static void malformed(struct xhci *x, unsigned slot, unsigned dci, enum cc code)
{
	transfer_event(x, slot, dci, &x->td[0], x->td[0].addr, 0, false, code);
	halt(x, slot, dci, EP_ERROR);
}

/* What kind of packet a TD is: false when it is none for this endpoint. */
static bool classify(const struct xhci_trb *t, unsigned dci, bool *in)
{
	bool dir = t->control & TRB_DIR_IN;

	switch (trb_type(t)) {
	case TRB_SETUP:
		*in = false;
		return dci == 1 && t->control & TRB_IDT && trb_len(t) == 8;
	case TRB_DATA:
	case TRB_STATUS:
		*in = dir;
		return dci == 1;
	case TRB_NORMAL:
	case TRB_ISOCH:
		*in = dci & 1;
		return dci > 1;
	case TRB_NOOP:
	case TRB_EVENT_DATA:
		return true;
	default:
		return false;
	}
}

static enum usb_result send(struct xhci *x, struct usb_device *d, const struct xhci_trb *t,
			    struct usb_packet *p)
{
	uint8_t setup[8];

	switch (trb_type(t)) {
	case TRB_SETUP:
		pci_set32(setup, (uint32_t)t->parameter);
		pci_set32(setup + 4, (uint32_t)(t->parameter >> 32));
		usb_setup(d, setup);
		return USB_OK;
	case TRB_NOOP:
	case TRB_EVENT_DATA:
		return USB_OK;
	default:
		p->sg = &x->sg;
		return usb_data(d, p);
	}
}

/* True when the endpoint can go on with its next TD. */
static bool run_td(struct xhci *x, unsigned slot, unsigned dci, const struct td *td)
{
	struct xhci_ep *e = xhci_ep(x, slot, dci);
	struct usb_device *d = xhci_slot_device(x, slot);
	struct usb_packet p = {.ep = (uint8_t)(dci / 2)};
	int r;

	if (!classify(&x->td[0], dci, &p.in)) {
		malformed(x, slot, dci, CC_TRB);
		return false;
	}
	r = map(x, td, p.in);
	if (r < 0) {
		malformed(x, slot, dci, r == -EINVAL ? CC_TRB : CC_DATA_BUFFER);
		return false;
	}
	if (!d) {
		report(x, slot, dci, td, 0, CC_TRANSACTION);
		halt(x, slot, dci, EP_HALTED);
		return false;
	}
	p.done = e->done <= x->sg.len ? e->done : x->sg.len;
	switch (send(x, d, &x->td[0], &p)) {
	case USB_NAK:
		e->done = (uint32_t)p.done;
		return false;
	case USB_STALL:
		report(x, slot, dci, td, p.done, CC_STALL);
		halt(x, slot, dci, EP_HALTED);
		return false;
	case USB_OK:
		break;
	}
	e->done = 0;
	e->dequeue = td->next;
	e->cycle = td->next_cycle;
	report(x, slot, dci, td, p.done, CC_SUCCESS);
	return true;
}

bool xhci_run_ep(struct xhci *x, unsigned slot, unsigned dci, int *budget)
{
	struct xhci_ep *e = xhci_ep(x, slot, dci);
	uint32_t bit = 1u << dci;

	while (x->kicked[slot] & bit && e->state == EP_RUNNING && xhci_runs(x)) {
		struct td td;
		int r;

		if (*budget <= 0)
			return true;
		r = gather(x, e, &td);
		*budget -= (int)td.nr + 1;
		if (r == -EINVAL)
			malformed(x, slot, dci, CC_TRB);
		else if (r > 0 && !xhci_event_room(x, (x->td[td.nr - 1].status >> 22) % XHCI_INTRS))
			return false; /* the rings go on when there is room (4.9.4) */
		/* The device may wake the endpoint again from within. */
		x->kicked[slot] &= ~bit;
		if (r > 0 && run_td(x, slot, dci, &td))
			x->kicked[slot] |= bit;
	}
	x->kicked[slot] &= ~bit;
	return false;
}
