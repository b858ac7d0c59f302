/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The command ring: slots and endpoints (xHCI 4.5, 4.6, 6.2, 6.4.3).
 */
#include <string.h>

#include "hw/usb/xhci_impl.h"

enum { MAX_PACKET_OFF = 6, SLOT_STATE_SHIFT = 27 };
enum { NEC_FIRMWARE = 0x3025 };

#define ROUTE 0xfffffu

static uint64_t ctx_addr(const struct xhci *x, unsigned slot, unsigned dci)
{
	return x->slot[slot].ctx + (uint64_t)dci * CTX_LEN;
}

void xhci_put_ep(struct xhci *x, unsigned slot, unsigned dci)
{
	const struct xhci_ep *e = xhci_ep(x, slot, dci);
	uint64_t at = ctx_addr(x, slot, dci), deq = e->dequeue | e->cycle;
	uint8_t raw[CTX_LEN];

	if (xhci_read(x, at, raw, 16) < 0)
		return;
	raw[0] = (uint8_t)((raw[0] & ~7u) | e->state);
	pci_set32(raw + 8, (uint32_t)deq);
	pci_set32(raw + 12, (uint32_t)(deq >> 32));
	xhci_write(x, at, raw, 16);
}

/* An endpoint context as the guest gives it. */
static enum cc check_ep(const uint8_t *ctx, unsigned dci)
{
	unsigned type = ctx[4] >> 3 & 7;

	/* 4 is control, and 4 more than OUT are those to the host; the DCI has the direction too. */
	if (type == 0 || (dci == 1 && type != EP_TYPE_CONTROL))
		return CC_PARAMETER;
	if (dci > 1 && (type == EP_TYPE_CONTROL || (type > EP_TYPE_CONTROL) != (dci & 1)))
		return CC_PARAMETER;
	return ctx[1] >> 2 & 31 ? CC_PARAMETER : CC_SUCCESS; /* there are no streams */
}

static void enable_ep(struct xhci *x, unsigned slot, unsigned dci, const uint8_t *ctx)
{
	struct xhci_ep *e = xhci_ep(x, slot, dci);
	uint64_t deq = pci_get32(ctx + 8) | (uint64_t)pci_get32(ctx + 12) << 32;

	*e = (struct xhci_ep){
	    .state = EP_RUNNING,
	    .type = ctx[4] >> 3 & 7,
	    .cycle = deq & 1,
	    .dequeue = deq & ~15ull,
	};
}

static void disable_ep(struct xhci *x, unsigned slot, unsigned dci)
{
	*xhci_ep(x, slot, dci) = (struct xhci_ep){0};
	x->kicked[slot] &= ~(1u << dci);
}

/* Input context: which contexts are dropped and added, and the contexts. */
struct input {
	uint32_t drop, add;
	uint8_t ctx[32][CTX_LEN]; /* by DCI; 0 is the slot's */
};

static int get_input(struct xhci *x, uint64_t at, struct input *in)
{
	uint8_t raw[8];

	at &= ~15ull;
	if (xhci_read(x, at, raw, 8) < 0 ||
	    xhci_read(x, at + CTX_LEN, in->ctx, sizeof(in->ctx)) < 0)
		return -1;
	in->drop = pci_get32(raw);
	in->add = pci_get32(raw + 4);
	return 0;
}

/* Writes the slot's state and address to its context. */
static void put_slot(struct xhci *x, unsigned slot)
{
	const struct xhci_slot *s = &x->slot[slot];
	const struct usb_device *d = xhci_slot_device(x, slot);
	uint8_t raw[4];

	pci_set32(raw, (uint32_t)s->state << SLOT_STATE_SHIFT |
			   (s->state >= SLOT_ADDRESSED && d ? d->address : 0));
	xhci_write(x, s->ctx + 12, raw, 4);
}

/* The device at a port, from 1, of the controller, or behind hubs there. */
static struct usb_device *at_route(const struct xhci *x, unsigned port, uint32_t route)
{
	struct usb_device *d = xhci_port_device(x, port - 1);

	for (; d && route; route >>= 4) {
		unsigned n = route & 15;

		if (!d->down || !n || n > d->down->ports || !d->down->enabled(d->down, n - 1))
			return NULL;
		d = d->down->dev[n - 1];
	}
	return d;
}

struct usb_device *xhci_slot_device(const struct xhci *x, unsigned slot)
{
	const struct xhci_slot *s = &x->slot[slot];

	return s->port ? at_route(x, s->port, s->route) : NULL;
}

static enum cc enable_slot(struct xhci *x, unsigned *slot)
{
	unsigned max = x->config & 0xff;

	for (unsigned i = 0; i < max && i < XHCI_SLOTS; i++) {
		if (x->slot[i].enabled)
			continue;
		x->slot[i] = (struct xhci_slot){.enabled = 1};
		*slot = i;
		return CC_SUCCESS;
	}
	return CC_NO_SLOTS;
}

void xhci_disable_slot(struct xhci *x, unsigned slot)
{
	for (unsigned dci = 1; dci <= XHCI_EPS; dci++)
		disable_ep(x, slot, dci);
	x->slot[slot] = (struct xhci_slot){0};
}

static enum cc disable_slot(struct xhci *x, unsigned slot)
{
	if (x->slot[slot].ctx) {
		x->slot[slot].state = SLOT_DISABLED;
		put_slot(x, slot);
	}
	xhci_disable_slot(x, slot);
	return CC_SUCCESS;
}

static enum cc address_device(struct xhci *x, unsigned slot, const struct xhci_trb *t)
{
	struct xhci_slot *s = &x->slot[slot];
	bool block = t->control & TRB_BSR;
	struct usb_device *d;
	struct input in;
	uint8_t raw[8];
	uint32_t route;
	unsigned port;
	uint64_t ctx;

	if (s->state != SLOT_DISABLED && (block || s->state != SLOT_DEFAULT))
		return CC_CONTEXT_STATE;
	if (get_input(x, t->parameter, &in) < 0 ||
	    xhci_read(x, (x->dcbaap & ~63ull) + 8 * (slot + 1), raw, 8) < 0)
		return CC_TRB;
	port = in.ctx[0][6];
	route = pci_get32(in.ctx[0]) & ROUTE;
	ctx = (pci_get32(raw) | (uint64_t)pci_get32(raw + 4) << 32) & ~63ull;
	if ((in.add & 3) != 3 || !port || port > 2 * x->conns)
		return CC_PARAMETER;
	if (check_ep(in.ctx[1], 1) != CC_SUCCESS)
		return CC_PARAMETER;
	for (unsigned i = 0; i < XHCI_SLOTS; i++)
		if (i != slot && x->slot[i].enabled && x->slot[i].port == port &&
		    x->slot[i].route == route)
			return CC_TRB;
	d = at_route(x, port, route);
	if (!d)
		return CC_TRANSACTION;
	s->port = (uint8_t)port;
	s->route = route;
	s->ctx = ctx;
	s->intr = (uint8_t)(pci_get32(in.ctx[0] + 8) >> 22) % XHCI_INTRS;
	s->state = block ? SLOT_DEFAULT : SLOT_ADDRESSED;
	usb_set_address(d, block ? 0 : (uint8_t)(slot + 1));
	enable_ep(x, slot, 1, in.ctx[1]);
	if (xhci_write(x, ctx, in.ctx[0], CTX_LEN) < 0 ||
	    xhci_write(x, ctx + CTX_LEN, in.ctx[1], CTX_LEN) < 0)
		return CC_TRB;
	put_slot(x, slot);
	xhci_put_ep(x, slot, 1);
	return CC_SUCCESS;
}

/* The number of contexts that are in use, as the slot context says (6.2.2). */
static void put_entries(struct xhci *x, unsigned slot)
{
	unsigned last = 1;
	uint8_t raw[4];

	for (unsigned dci = 1; dci <= XHCI_EPS; dci++)
		if (xhci_ep(x, slot, dci)->state)
			last = dci;
	if (xhci_read(x, x->slot[slot].ctx, raw, 4) < 0)
		return;
	raw[3] = (uint8_t)((raw[3] & 7) | last << 3);
	xhci_write(x, x->slot[slot].ctx, raw, 4);
}

static enum cc deconfigure(struct xhci *x, unsigned slot, enum slot_state state)
{
	for (unsigned dci = 2; dci <= XHCI_EPS; dci++) {
		if (!xhci_ep(x, slot, dci)->state)
			continue;
		disable_ep(x, slot, dci);
		xhci_put_ep(x, slot, dci);
	}
	x->slot[slot].state = (uint8_t)state;
	put_slot(x, slot);
	put_entries(x, slot);
	return CC_SUCCESS;
}

static enum cc configure_ep(struct xhci *x, unsigned slot, const struct xhci_trb *t)
{
	struct xhci_slot *s = &x->slot[slot];
	struct input in;

	if (s->state < SLOT_ADDRESSED)
		return CC_CONTEXT_STATE;
	if (t->control & TRB_DC)
		return deconfigure(x, slot, SLOT_ADDRESSED);
	if (get_input(x, t->parameter, &in) < 0)
		return CC_TRB;
	if (in.drop & 3 || (in.add & 3) != 1)
		return CC_TRB;
	for (unsigned dci = 2; dci <= XHCI_EPS; dci++)
		if (in.add >> dci & 1 && check_ep(in.ctx[dci], dci) != CC_SUCCESS)
			return CC_PARAMETER;
	for (unsigned dci = 2; dci <= XHCI_EPS; dci++) {
		if (!((in.add | in.drop) >> dci & 1))
			continue;
		disable_ep(x, slot, dci);
		if (in.add >> dci & 1) {
			enable_ep(x, slot, dci, in.ctx[dci]);
			if (xhci_write(x, ctx_addr(x, slot, dci), in.ctx[dci], CTX_LEN) < 0)
				return CC_TRB;
		}
		xhci_put_ep(x, slot, dci);
	}
	s->state = SLOT_CONFIGURED;
	put_slot(x, slot);
	put_entries(x, slot);
	return CC_SUCCESS;
}

static enum cc evaluate(struct xhci *x, unsigned slot, const struct xhci_trb *t)
{
	struct xhci_slot *s = &x->slot[slot];
	uint8_t raw[12];
	struct input in;

	if (s->state < SLOT_DEFAULT)
		return CC_CONTEXT_STATE;
	if (get_input(x, t->parameter, &in) < 0)
		return CC_TRB;
	if (in.drop || in.add & ~3u)
		return CC_TRB;
	if (in.add & 1) { /* maximum exit latency and interrupter */
		if (xhci_read(x, s->ctx, raw, 12) < 0)
			return CC_TRB;
		memcpy(raw + 4, in.ctx[0] + 4, 2);
		pci_set32(raw + 8, (pci_get32(raw + 8) & 0x3fffff) |
				       (pci_get32(in.ctx[0] + 8) & 0xffc00000));
		s->intr = (uint8_t)(pci_get32(raw + 8) >> 22) % XHCI_INTRS;
		xhci_write(x, s->ctx, raw, 12);
	}
	if (in.add & 2)
		xhci_write(x, ctx_addr(x, slot, 1) + MAX_PACKET_OFF, in.ctx[1] + MAX_PACKET_OFF, 2);
	return CC_SUCCESS;
}

static enum cc reset_ep(struct xhci *x, unsigned slot, unsigned dci)
{
	struct xhci_ep *e = xhci_ep(x, slot, dci);

	if (e->state != EP_HALTED)
		return CC_CONTEXT_STATE;
	e->state = EP_STOPPED;
	e->done = 0;
	xhci_put_ep(x, slot, dci);
	return CC_SUCCESS;
}

static enum cc stop_ep(struct xhci *x, unsigned slot, unsigned dci)
{
	struct xhci_ep *e = xhci_ep(x, slot, dci);

	if (e->state != EP_RUNNING)
		return CC_CONTEXT_STATE;
	e->state = EP_STOPPED;
	x->kicked[slot] &= ~(1u << dci);
	xhci_stopped_event(x, slot, dci);
	xhci_put_ep(x, slot, dci);
	return CC_SUCCESS;
}

static enum cc set_dequeue(struct xhci *x, unsigned slot, unsigned dci, uint64_t to)
{
	struct xhci_ep *e = xhci_ep(x, slot, dci);

	if (e->state != EP_STOPPED && e->state != EP_ERROR)
		return CC_CONTEXT_STATE;
	e->state = EP_STOPPED;
	e->dequeue = to & ~15ull;
	e->cycle = to & 1;
	e->done = 0;
	xhci_put_ep(x, slot, dci);
	return CC_SUCCESS;
}

static enum cc reset_device(struct xhci *x, unsigned slot)
{
	struct usb_device *d = xhci_slot_device(x, slot);

	if (x->slot[slot].state < SLOT_ADDRESSED)
		return CC_CONTEXT_STATE;
	if (d)
		usb_set_address(d, 0);
	return deconfigure(x, slot, SLOT_DEFAULT);
}

/* slot is that of the command, and of its event. */
static enum cc command(struct xhci *x, const struct xhci_trb *t, unsigned *slot, bool *has_slot)
{
	unsigned dci = t->control >> 16 & 31;

	*slot = (t->control >> 24) - 1;
	*has_slot = true;
	switch (trb_type(t)) {
	case TRB_ENABLE_SLOT: {
		enum cc code = enable_slot(x, slot);

		*has_slot = code == CC_SUCCESS;
		return code;
	}
	case TRB_NOOP_COMMAND:
		*has_slot = false;
		return CC_SUCCESS;
	default:
		break;
	}
	if (*slot >= XHCI_SLOTS) {
		*has_slot = false;
		return CC_TRB;
	}
	if (!x->slot[*slot].enabled)
		return CC_SLOT_NOT_ENABLED;
	switch (trb_type(t)) {
	case TRB_DISABLE_SLOT:
		return disable_slot(x, *slot);
	case TRB_ADDRESS_DEVICE:
		return address_device(x, *slot, t);
	case TRB_CONFIGURE_EP:
		return configure_ep(x, *slot, t);
	case TRB_EVALUATE:
		return evaluate(x, *slot, t);
	case TRB_RESET_DEVICE:
		return reset_device(x, *slot);
	case TRB_RESET_EP:
	case TRB_STOP_EP:
	case TRB_SET_DEQUEUE:
		break;
	default:
		return CC_TRB;
	}
	if (!dci || !x->slot[*slot].ctx)
		return CC_TRB;
	switch (trb_type(t)) {
	case TRB_RESET_EP:
		return reset_ep(x, *slot, dci);
	case TRB_STOP_EP:
		return stop_ep(x, *slot, dci);
	default:
		return set_dequeue(x, *slot, dci, t->parameter);
	}
}

static void run_one(struct xhci *x, const struct xhci_trb *t)
{
	struct xhci_trb event = {.parameter = t->addr, .control = TRB_COMMAND_EVENT << 10};
	bool has_slot;
	unsigned slot;
	enum cc code;

	if (x->nec && trb_type(t) == TRB_NEC_FIRMWARE) {
		event.control = TRB_NEC_EVENT << 10;
		event.status = NEC_FIRMWARE;
		xhci_event(x, 0, &event, CC_SUCCESS, false);
		return;
	}
	code = command(x, t, &slot, &has_slot);
	if (has_slot)
		event.control |= (slot + 1) << 24;
	xhci_event(x, 0, &event, code, false);
}

bool xhci_run_commands(struct xhci *x, unsigned budget)
{
	/* With no room for events commands wait (4.9.4). */
	while (x->command_kicked && x->cr_running && xhci_runs(x) && xhci_event_room(x, 0)) {
		struct xhci_trb t;
		uint64_t at = x->crcr;
		uint8_t cycle = x->cr_cycle;
		int r;

		if (!budget--)
			return true;
		r = xhci_fetch(x, &at, &cycle, &t);
		if (r <= 0)
			x->command_kicked = 0;
		if (r < 0)
			x->cr_running = 0;
		if (r <= 0)
			break;
		x->crcr = at + TRB_LEN;
		x->cr_cycle = cycle;
		run_one(x, &t);
	}
	return false;
}
