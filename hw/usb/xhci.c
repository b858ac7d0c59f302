/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Registers of the xHCI (chapter 5), its extended capabilities (chapter 7), and its life.
 */
#include "hw/usb/xhci.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/device_type.h"
#include "hw/usb/xhci_impl.h"

enum {
	BAR_LEN = 0x4000,
	OPER = 0x40,
	PORTS = OPER + 0x400,
	PORT_LEN = 0x10,
	RUNTIME = 0x1000,
	INTRS = RUNTIME + 0x20,
	DOORBELLS = 0x2000,
	MSIX_TABLE = 0x3000,
	MSIX_PBA = 0x3800,
	EXT_CAPS = 0x20,
};
enum {
	USBCMD = 0x00,
	USBSTS = 0x04,
	PAGESIZE = 0x08,
	DNCTRL = 0x14,
	CRCR = 0x18,
	DCBAAP = 0x30,
	CONFIG = 0x38
};

#define CMD_EWE     (1u << 10)
#define CMD_HSEE    (1u << 3)
#define CMD_RESTORE (1u << 9)
#define CRCR_STOP   6u /* Command Stop, Command Abort */
#define CRCR_RUNS   8u

enum {
	MICROFRAME = 125000 /* ns */,
	MAX_LINKS = 16,
	BUDGET = 512,
	COMMANDS = 256,
	CONNS = 4,
	WAKEUPS = 16
};

/* ---- rings ---- */

void xhci_die(struct xhci *x)
{
	x->usbsts |= STS_HSE | STS_HCH;
	x->usbcmd &= ~CMD_RUN;
}

int xhci_read(struct xhci *x, uint64_t addr, void *buf, size_t len)
{
	int r = pci_dma_read(&x->func, addr, buf, len);

	if (r < 0)
		xhci_die(x);
	return r;
}

int xhci_write(struct xhci *x, uint64_t addr, const void *buf, size_t len)
{
	int r = pci_dma_write(&x->func, addr, buf, len);

	if (r < 0)
		xhci_die(x);
	return r;
}

int xhci_fetch(struct xhci *x, uint64_t *addr, uint8_t *cycle, struct xhci_trb *t)
{
	uint8_t raw[TRB_LEN];

	for (unsigned i = 0; i < MAX_LINKS; i++) {
		if (xhci_read(x, *addr, raw, sizeof(raw)) < 0)
			return -EIO;
		t->addr = *addr;
		t->parameter = pci_get32(raw) | (uint64_t)pci_get32(raw + 4) << 32;
		t->status = pci_get32(raw + 8);
		t->control = pci_get32(raw + 12);
		if ((t->control & TRB_CYCLE) != *cycle)
			return 0;
		if (trb_type(t) != TRB_LINK)
			return 1;
		*addr = t->parameter & ~15ull;
		if (t->control & TRB_TOGGLE)
			*cycle ^= 1;
	}
	return -EINVAL;
}

void xhci_run(struct xhci *x)
{
	int budget = BUDGET;
	bool more, any;

	if (x->running || !xhci_runs(x))
		return;
	x->running = true;
	do {
		any = false;
		more = xhci_run_commands(x, COMMANDS);
		for (unsigned s = 0; s < XHCI_SLOTS; s++) {
			uint32_t left = x->kicked[s];

			for (; left; left &= left - 1) {
				unsigned dci = (unsigned)__builtin_ctz(left);

				more |= xhci_run_ep(x, s, dci, &budget);
				any |= !(x->kicked[s] >> dci & 1);
			}
		}
		/* What one endpoint has moved may have woken another. */
	} while (any && budget > 0);
	x->running = false;
	if (more || budget <= 0)
		timer_arm(&x->more, clock_now(x->clock) + MICROFRAME);
}

static void go_on(void *opaque)
{
	struct xhci *x = opaque;

	x->woken = 0;
	xhci_run(x);
}

static void kick_ep(struct xhci *x, unsigned slot, unsigned dci)
{
	struct xhci_ep *e = xhci_ep(x, slot, dci);

	if (!x->slot[slot].enabled || (e->state != EP_RUNNING && e->state != EP_STOPPED))
		return;
	if (e->state == EP_STOPPED) {
		e->state = EP_RUNNING;
		xhci_put_ep(x, slot, dci);
	}
	x->kicked[slot] |= 1u << dci;
	xhci_run(x);
}

static void doorbell(struct xhci *x, unsigned n, uint32_t val)
{
	unsigned dci = val & 0xff;

	if (!xhci_runs(x))
		return;
	x->woken = 0;
	if (n == 0) {
		if (dci)
			return;
		x->cr_running = 1;
		x->command_kicked = 1;
		xhci_run(x);
	} else if (n <= XHCI_SLOTS && dci >= 1 && dci <= XHCI_EPS) {
		kick_ep(x, n - 1, dci);
	}
}

/* ---- capability registers ---- */

/* Supported Protocol capabilities (7.2). */
static uint32_t protocol(const struct xhci *x, unsigned off)
{
	bool usb3 = off < 0x10;

	switch (off & 0xf) {
	case 0x0:
		return usb3 ? 0x03000402 : 0x02000002;
	case 0x4:
		return 0x20425355; /* "USB " */
	case 0x8:
		return (usb3 ? 1 : 1 + x->conns) | x->conns << 8;
	}
	return 0;
}

static uint32_t cap_read(const struct xhci *x, unsigned off)
{
	if (off >= EXT_CAPS)
		return protocol(x, off - EXT_CAPS);
	switch (off) {
	case 0x00: /* length, version */
		return OPER | 0x0100 << 16;
	case 0x04: /* slots, interrupters, ports */
		return XHCI_SLOTS | XHCI_INTRS << 8 | (2 * x->conns) << 24;
	case 0x08: /* one segment in an event ring table, no scratchpads */
		return 0x0000000f;
	case 0x10: /* 64-bit addresses, small contexts, extended capabilities */
		return EXT_CAPS / 4 << 16 | 1;
	case 0x14:
		return DOORBELLS;
	case 0x18:
		return RUNTIME;
	}
	return 0;
}

/* ---- operational registers ---- */

static void hc_reset(struct xhci *x)
{
	timer_cancel(&x->more);
	x->usbcmd = 0;
	x->usbsts = STS_HCH;
	x->dnctrl = x->config = 0;
	x->crcr = x->dcbaap = 0;
	x->cr_cycle = x->cr_running = x->command_kicked = 0;
	for (unsigned i = 0; i < XHCI_SLOTS; i++)
		xhci_disable_slot(x, i);
	for (unsigned i = 0; i < XHCI_INTRS; i++)
		x->intr[i] = (struct xhci_intr){.imod = 4000, .cycle = 1};
	xhci_ports_reset(x);
	xhci_update_intx(x);
}

static void cmd_write(struct xhci *x, uint32_t val)
{
	bool ran = x->usbcmd & CMD_RUN;

	if (val & CMD_HCRST) {
		hc_reset(x);
		return;
	}
	x->usbcmd = val & (CMD_RUN | CMD_INTE | CMD_HSEE | CMD_EWE);
	if (val & CMD_RESTORE) /* nothing was saved: the driver starts anew */
		x->usbsts |= STS_SRE;
	if (x->usbsts & STS_HSE)
		x->usbcmd &= ~CMD_RUN;
	if (x->usbcmd & CMD_RUN && !ran) {
		x->usbsts &= ~STS_HCH;
	} else if (!(x->usbcmd & CMD_RUN) && ran) {
		x->usbsts |= STS_HCH;
		x->cr_running = 0;
	}
	xhci_update_intx(x);
	xhci_run(x);
}

static void crcr_write(struct xhci *x, uint32_t val, bool high)
{
	struct xhci_trb event = {.parameter = x->crcr, .control = TRB_COMMAND_EVENT << 10};

	if (!high && x->cr_running && val & CRCR_STOP) {
		x->cr_running = x->command_kicked = 0;
		xhci_event(x, 0, &event, CC_COMMAND_RING_STOPPED, false);
		return;
	}
	if (x->cr_running)
		return;
	if (high) {
		x->crcr = (x->crcr & 0xffffffff) | (uint64_t)val << 32;
	} else {
		x->crcr = (x->crcr & ~0xffffffffull) | (val & ~63u);
		x->cr_cycle = val & 1;
	}
}

static void half(uint64_t *reg, bool high, uint32_t val)
{
	*reg = high ? (*reg & 0xffffffff) | (uint64_t)val << 32
		    : (*reg & ~0xffffffffull) | (val & ~63u);
}

static uint32_t oper_read(const struct xhci *x, unsigned off)
{
	switch (off) {
	case USBCMD:
		return x->usbcmd;
	case USBSTS:
		return x->usbsts;
	case PAGESIZE:
		return 1; /* 4 KiB */
	case DNCTRL:
		return x->dnctrl;
	case CRCR:
		return x->cr_running ? CRCR_RUNS : 0;
	case DCBAAP:
		return (uint32_t)x->dcbaap;
	case DCBAAP + 4:
		return (uint32_t)(x->dcbaap >> 32);
	case CONFIG:
		return x->config;
	}
	return 0;
}

static void oper_write(struct xhci *x, unsigned off, uint32_t val)
{
	switch (off) {
	case USBCMD:
		cmd_write(x, val);
		break;
	case USBSTS:
		x->usbsts &= ~(val & (STS_HSE | STS_EINT | STS_PCD | STS_SRE));
		break;
	case DNCTRL:
		x->dnctrl = val & 0xffff;
		break;
	case CRCR:
	case CRCR + 4:
		crcr_write(x, val, off != CRCR);
		break;
	case DCBAAP:
	case DCBAAP + 4:
		half(&x->dcbaap, off != DCBAAP, val);
		break;
	case CONFIG:
		x->config = val & 0xff;
		break;
	}
}

/* ---- the BAR ---- */

static uint32_t mfindex(const struct xhci *x)
{
	return (uint32_t)(clock_now(x->clock) / MICROFRAME) & 0x3fff;
}

static uint64_t bar_read(void *dev, uint64_t off, unsigned size)
{
	struct xhci *x = dev;
	unsigned at = (unsigned)off & ~3u;

	if (msix_covers(&x->msix, off))
		return msix_read(&x->msix, off, size);
	if (at < OPER)
		return cap_read(x, at);
	if (at < PORTS)
		return oper_read(x, at - OPER);
	if (at < PORTS + 2 * x->conns * PORT_LEN)
		return xhci_port_read(x, (at - PORTS) / PORT_LEN, at % PORT_LEN);
	if (at == RUNTIME)
		return mfindex(x);
	if (at >= INTRS && at < INTRS + 32 * XHCI_INTRS)
		return xhci_intr_read(x, (at - INTRS) / 32, at % 32);
	return 0;
}

static void bar_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct xhci *x = dev;
	unsigned at = (unsigned)off & ~3u;
	uint32_t v = (uint32_t)val;

	if (msix_covers(&x->msix, off))
		msix_write(&x->msix, off, val, size);
	else if (at >= OPER && at < PORTS)
		oper_write(x, at - OPER, v);
	else if (at >= PORTS && at < PORTS + 2 * x->conns * PORT_LEN)
		xhci_port_write(x, (at - PORTS) / PORT_LEN, at % PORT_LEN, v);
	else if (at >= INTRS && at < INTRS + 32 * XHCI_INTRS)
		xhci_intr_write(x, (at - INTRS) / 32, at % 32, v);
	else if (at >= DOORBELLS && at < DOORBELLS + 4 * (XHCI_SLOTS + 1))
		doorbell(x, (at - DOORBELLS) / 4, v);
}

static const struct mmio_ops bar_ops = {bar_read, bar_write, 4, 4};

/* ---- the bus ---- */

static void attached(struct usb_bus *bus, unsigned port)
{
	xhci_port_attached(bus->controller, port);
}

static void detached(struct usb_bus *bus, unsigned port)
{
	xhci_port_detached(bus->controller, port);
}

static void wakeup(struct usb_bus *bus, struct usb_device *d, uint8_t ep_address)
{
	struct xhci *x = bus->controller;
	unsigned dci = (ep_address & 15u) * 2 + (ep_address >> 7);

	if (d->bus == bus)
		xhci_port_resume(x, d);
	for (unsigned s = 0; s < XHCI_SLOTS; s++)
		if (x->slot[s].enabled && xhci_slot_device(x, s) == d && dci)
			x->kicked[s] |= 1u << dci;
	/* A ring may have no end. Who waits for a disk's requests to end must not wait for each to bring the next. */
	if (!x->running && x->woken++ < WAKEUPS)
		xhci_run(x);
	else if (!x->running)
		timer_arm(&x->more, clock_now(x->clock));
}

/* ---- life ---- */

static const struct field fields[] = {
    FIELD(xhci, usbcmd, 0),
    FIELD(xhci, usbsts, STS_HCH),
    FIELD(xhci, dnctrl, 0),
    FIELD(xhci, config, 0),
    FIELD(xhci, crcr, 0),
    FIELD(xhci, dcbaap, 0),
    FIELD(xhci, cr_cycle, 0),
    FIELD(xhci, cr_running, 0),
    FIELD(xhci, command_kicked, 0),
    FIELD_EACH(xhci, slot, enabled, 0),
    FIELD_EACH(xhci, slot, state, 0),
    FIELD_EACH(xhci, slot, port, 0),
    FIELD_EACH(xhci, slot, intr, 0),
    FIELD_EACH(xhci, slot, route, 0),
    FIELD_EACH(xhci, slot, ctx, 0),
    FIELD_EACH(xhci, ep, state, 0),
    FIELD_EACH(xhci, ep, type, 0),
    FIELD_EACH(xhci, ep, cycle, 0),
    FIELD_EACH(xhci, ep, dequeue, 0),
    FIELD_EACH(xhci, ep, done, 0),
    FIELD_EACH(xhci, port, sc, 0),
    FIELD_EACH(xhci, port, pmsc, 0),
    FIELD_EACH(xhci, intr, iman, 0),
    FIELD_EACH(xhci, intr, imod, 0),
    FIELD_EACH(xhci, intr, erstsz, 0),
    FIELD_EACH(xhci, intr, erstba, 0),
    FIELD_EACH(xhci, intr, erdp, 0),
    FIELD_EACH(xhci, intr, base, 0),
    FIELD_EACH(xhci, intr, size, 0),
    FIELD_EACH(xhci, intr, enqueue, 0),
    FIELD_EACH(xhci, intr, cycle, 0),
    FIELD_ARRAY(xhci, kicked, 0),
    FIELD_END,
};

static void reset_done(void *state)
{
	struct xhci *x = state;

	hc_reset(x);
	for (unsigned i = 0; i < x->conns; i++)
		if (x->bus.dev[i])
			usb_reset(x->bus.dev[i]);
}

static void tame(void *state)
{
	struct xhci *x = state;

	for (unsigned i = 0; i < XHCI_SLOTS; i++) {
		struct xhci_slot *s = &x->slot[i];

		if (s->port > 2 * x->conns)
			s->port = 0;
		s->intr %= XHCI_INTRS;
		x->kicked[i] &= ~1u;
	}
	for (unsigned i = 0; i < XHCI_SLOTS * XHCI_EPS; i++) {
		x->ep[i].cycle &= 1;
		x->ep[i].state %= EP_ERROR + 1;
	}
	for (unsigned i = 0; i < XHCI_INTRS; i++) {
		x->intr[i].cycle &= 1;
		if (x->intr[i].enqueue >= x->intr[i].size)
			x->intr[i].enqueue = x->intr[i].size = 0;
	}
	x->cr_cycle &= 1;
}

static void loaded(void *state)
{
	struct xhci *x = state;

	xhci_update_intx(x);
	timer_arm(&x->more, clock_now(x->clock) + MICROFRAME);
}

int xhci_init(struct xhci *x, struct clock *clock, const struct xhci_options *o, const char *id,
	      struct usb_bus **list)
{
	struct pci_func *f = &x->func;
	int r;

	memset(x, 0, sizeof(*x));
	x->conns = o->conns ? o->conns : CONNS;
	if (x->conns > XHCI_MAX_CONNS)
		return -EINVAL;
	r = dma_sg_init(&x->sg, 2 * XHCI_TD_TRBS);
	if (r < 0)
		return r;
	x->nec = o->nec;
	x->clock = clock;
	timer_init(&x->more, clock, go_on, x);
	pci_func_init(f, o->nec ? "nec-usb-xhci" : "qemu-xhci", o->nec ? 0x1033 : 0x1b36,
		      o->nec ? 0x0194 : 0x000d, 0x0c03, 1);
	f->start[PCI_PROG_IF] = 0x30;
	f->start[PCI_REVISION] = o->nec ? 3 : 1;
	f->start[0x60] = 0x30; /* USB 3.0 */
	f->start[0x61] = 0x20; /* frame length adjustment: 60000 bit times */
	pci_set16(f->start + PCI_SUBSYS_VENDOR, 0x1af4);
	pci_set16(f->start + PCI_SUBSYS_DEVICE, 0x1100);
	f->caps_end = 0x70;
	pci_func_bar(f, 0, PCI_BAR_MEM64, BAR_LEN, &bar_ops, x, "xhci");
	r = msix_init_in(&x->msix, f, XHCI_INTRS, 0, MSIX_TABLE, MSIX_PBA);
	if (r < 0) {
		dma_sg_fini(&x->sg);
		return r;
	}
	x->bus.ports = x->conns;
	x->bus.speeds = USB_SPEED_BIT(USB_LOW) | USB_SPEED_BIT(USB_FULL) | USB_SPEED_BIT(USB_HIGH) |
			USB_SPEED_BIT(USB_SUPER);
	x->bus.controller = x;
	x->bus.attached = attached;
	x->bus.detached = detached;
	x->bus.wakeup = wakeup;
	x->bus.func = &x->func;
	usb_bus_add(list, &x->bus, id);
	device_init(&x->state, f->state_name, fields, x);
	x->state.reset_done = reset_done;
	x->state.tame = tame;
	x->state.loaded = loaded;
	return 0;
}

void xhci_fini(struct xhci *x)
{
	timer_cancel(&x->more);
	dma_sg_fini(&x->sg);
}

/* ---- -device qemu-xhci, nec-usb-xhci ---- */

static const struct prop props[] = {
    {"p2", PROP_NUM, "USB 2 ports; there are as many of USB 3", "4", XHCI_MAX_CONNS, false},
    {"p3", PROP_NUM, "the same", "4", XHCI_MAX_CONNS, false},
    {0},
};

static void destroy(void *self)
{
	xhci_fini(self);
	free(self);
}

static int create(void **self, const struct device_args *args, bool nec, char *err, size_t errlen)
{
	unsigned p2 = (unsigned)arg_num(args, "p2"), p3 = (unsigned)arg_num(args, "p3");
	const struct xhci_options o = {.conns = p2 > p3 ? p2 : p3, .nec = nec};
	struct xhci *x = calloc(1, sizeof(*x));
	int r;

	if (!x)
		return -ENOMEM;
	r = xhci_init(x, args->env->clock, &o, args->spec->id, args->env->usb);
	if (r < 0) {
		free(x);
		return r;
	}
	r = device_add_pci(args, &x->func, &x->state, err, errlen);
	if (r < 0) {
		/* Its bus is on the board's list: no machine comes of this. */
		destroy(x);
		return r;
	}
	*self = x;
	return 0;
}

static int create_qemu(void **self, const struct device_args *args, char *err, size_t errlen)
{
	return create(self, args, false, err, errlen);
}

static int create_nec(void **self, const struct device_args *args, char *err, size_t errlen)
{
	return create(self, args, true, err, errlen);
}

const struct device_type qemu_xhci_type = {
    .name = "qemu-xhci",
    .bus = "PCI",
    .desc = "USB 3 host controller (xHCI)",
    .props = props,
    .create = create_qemu,
    .destroy = destroy,
};

const struct device_type nec_xhci_type = {
    .name = "nec-usb-xhci",
    .bus = "PCI",
    .desc = "USB 3 host controller (xHCI) with the IDs of NEC's uPD720200",
    .props = props,
    .create = create_nec,
    .destroy = destroy,
};
