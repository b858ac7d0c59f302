/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Event rings and interrupters (xHCI 4.9.4, 4.17, 5.5.2).
 */
#include "hw/usb/xhci_impl.h"

enum { IMAN = 0x00, IMOD = 0x04, ERSTSZ = 0x08, ERSTBA = 0x10, ERDP = 0x18 };
#define IMAN_IP  1u
#define IMAN_IE  2u
#define ERDP_EHB 8u
enum { MIN_EVENTS = 16, MAX_EVENTS = 4096 };

/* Interrupts go by the pin from the first interrupter only (4.17). */
void xhci_update_intx(struct xhci *x)
{
	bool on = x->intr[0].iman == (IMAN_IP | IMAN_IE) && x->usbcmd & CMD_INTE;

	pci_set_intx(&x->func, on && !msi_enabled(&x->func) && !msix_enabled(&x->func));
}

static void raise(struct xhci *x, unsigned n)
{
	struct xhci_intr *i = &x->intr[n];
	bool busy = i->erdp & ERDP_EHB;

	i->erdp |= ERDP_EHB;
	i->iman |= IMAN_IP;
	x->usbsts |= STS_EINT;
	if (!busy && i->iman & IMAN_IE && x->usbcmd & CMD_INTE && msi_notify(&x->func, n))
		i->iman &= ~IMAN_IP; /* a message has it pending no longer (5.5.2.1) */
	if (n == 0)
		xhci_update_intx(x);
}

/* Which event the guest reads next, or -1 when its pointer is not in the ring. */
static int dequeue(const struct xhci_intr *i)
{
	uint64_t at = (i->erdp & ~15ull) - i->base;

	return at / TRB_LEN < i->size ? (int)(at / TRB_LEN) : -1;
}

static unsigned room(const struct xhci_intr *i)
{
	int d = dequeue(i);

	return d < 0 ? 0 : ((unsigned)d + i->size - i->enqueue - 1) % i->size;
}

bool xhci_event_room(const struct xhci *x, unsigned n)
{
	return !x->intr[n].size || room(&x->intr[n]) > 2;
}

static void put(struct xhci *x, struct xhci_intr *i, const struct xhci_trb *t)
{
	uint8_t raw[TRB_LEN];
	uint64_t at = i->base + (uint64_t)i->enqueue * TRB_LEN;

	pci_set32(raw, (uint32_t)t->parameter);
	pci_set32(raw + 4, (uint32_t)(t->parameter >> 32));
	pci_set32(raw + 8, t->status);
	pci_set32(raw + 12, (t->control & ~TRB_CYCLE) | i->cycle);
	/* The cycle bit goes last: the guest may be looking. */
	if (xhci_write(x, at, raw, 12) < 0 || xhci_write(x, at + 12, raw + 12, 4) < 0)
		return;
	if (++i->enqueue == i->size) {
		i->enqueue = 0;
		i->cycle ^= 1;
	}
}

void xhci_event(struct xhci *x, unsigned n, const struct xhci_trb *event, enum cc code, bool quiet)
{
	struct xhci_intr *i = &x->intr[n];
	const struct xhci_trb full = {.status = (uint32_t)CC_RING_FULL << 24,
				      .control = TRB_HOST_EVENT << 10};
	struct xhci_trb t = *event;
	unsigned left;

	if (!i->size || x->usbsts & STS_HSE)
		return;
	left = room(i);
	if (!left)
		return;
	t.status = (t.status & 0xffffff) | (uint32_t)code << 24;
	put(x, i, left == 1 ? &full : &t);
	if (!quiet || left == 1)
		raise(x, n);
}

/* The table's only entry. */
static void set_ring(struct xhci *x, unsigned n)
{
	struct xhci_intr *i = &x->intr[n];
	uint8_t entry[16];
	uint32_t size;

	i->base = i->size = i->enqueue = 0;
	i->cycle = 1;
	if (!i->erstsz || !i->erstba)
		return;
	if (xhci_read(x, i->erstba, entry, sizeof(entry)) < 0)
		return;
	size = pci_get32(entry + 8) & 0xffff;
	if (i->erstsz != 1 || size < MIN_EVENTS || size > MAX_EVENTS) {
		xhci_die(x);
		return;
	}
	i->base = (pci_get32(entry) | (uint64_t)pci_get32(entry + 4) << 32) & ~63ull;
	i->size = size;
}

static void set_erdp(struct xhci *x, unsigned n, uint32_t val)
{
	struct xhci_intr *i = &x->intr[n];

	if (val & ERDP_EHB)
		i->erdp &= ~(uint64_t)ERDP_EHB;
	i->erdp = (i->erdp & (~0xffffffffull | ERDP_EHB)) | (val & ~15u) | (val & 7);
	if (!i->size)
		return;
	/* Events that came meanwhile. */
	if (val & ERDP_EHB && dequeue(i) != (int)i->enqueue)
		raise(x, n);
	/* Rings may have waited for the room. */
	xhci_run(x);
}

uint32_t xhci_intr_read(const struct xhci *x, unsigned n, unsigned reg)
{
	const struct xhci_intr *i = &x->intr[n];

	switch (reg) {
	case IMAN:
		return i->iman;
	case IMOD:
		return i->imod;
	case ERSTSZ:
		return i->erstsz;
	case ERSTBA:
		return (uint32_t)i->erstba;
	case ERSTBA + 4:
		return (uint32_t)(i->erstba >> 32);
	case ERDP:
		return (uint32_t)i->erdp;
	case ERDP + 4:
		return (uint32_t)(i->erdp >> 32);
	}
	return 0;
}

void xhci_intr_write(struct xhci *x, unsigned n, unsigned reg, uint32_t val)
{
	struct xhci_intr *i = &x->intr[n];

	switch (reg) {
	case IMAN:
		i->iman = (i->iman & ~(IMAN_IE | (val & IMAN_IP))) | (val & IMAN_IE);
		if (n == 0)
			xhci_update_intx(x);
		break;
	case IMOD:
		i->imod = val;
		break;
	case ERSTSZ:
		i->erstsz = val & 0xffff;
		break;
	case ERSTBA:
		i->erstba = (i->erstba & ~0xffffffffull) | (val & ~63u);
		break;
	case ERSTBA + 4:
		/* Its upper half is written last (5.5.2.3.2). */
		i->erstba = (i->erstba & 0xffffffff) | (uint64_t)val << 32;
		set_ring(x, n);
		break;
	case ERDP:
		set_erdp(x, n, val);
		break;
	case ERDP + 4:
		i->erdp = (i->erdp & 0xffffffff) | (uint64_t)val << 32;
		xhci_run(x);
		break;
	}
}
