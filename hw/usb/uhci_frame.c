/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One frame of the UHCI's schedule (chapter 3): a list of queue heads (QH) and transfer descriptors (TD), each TD one
 * packet. Lists may end in themselves, so that what is left of a frame goes to queues that can use it (1.3.2): a walk
 * ends when nothing has moved since it came by the same queue, or after so many steps or packets that a
 * guest gets nothing from more.
 */
#include "hw/usb/uhci_impl.h"

enum { STEPS = 512, PACKETS = 128 };

#define LINK_END   (1u << 0)
#define LINK_QH    (1u << 1)
#define LINK_DEPTH (1u << 2)
#define LINK_ADDR  (~15u)

/* A TD's control and status (3.2.2). */
#define TD_ACTLEN  0x7ffu
#define TD_TIMEOUT (1u << 18)
#define TD_NAK     (1u << 19)
#define TD_STALLED (1u << 22)
#define TD_ACTIVE  (1u << 23)
#define TD_IOC     (1u << 24)
#define TD_ISO     (1u << 25)
#define TD_ERRORS  27 /* 2 bits */
#define TD_SPD     (1u << 29)

enum { PID_OUT = 0xe1, PID_IN = 0x69, PID_SETUP = 0x2d };
enum { MAX_LEN = 0x500, NO_LEN = 0x7ff };

struct td {
	uint32_t link, ctrl, token, buffer;
};

enum outcome {
	WAITS,   /* stays where it is */
	RETIRED, /* its queue goes on */
	FAILED,  /* nothing goes on: the controller stops */
};

static bool read_words(struct uhci *u, uint32_t addr, uint32_t *to, unsigned n)
{
	uint8_t raw[16];

	if (pci_dma_read(&u->func, addr, raw, 4 * n) < 0) {
		u->usbsts |= STS_HSE;
		return false;
	}
	for (unsigned i = 0; i < n; i++)
		to[i] = pci_get32(raw + 4 * i);
	return true;
}

static bool write_word(struct uhci *u, uint32_t addr, uint32_t v)
{
	uint8_t raw[4];

	pci_set32(raw, v);
	if (pci_dma_write(&u->func, addr, raw, 4) == 0)
		return true;
	u->usbsts |= STS_HSE;
	return false;
}

/* ---- one packet ---- */

/* An error that is counted: the TD ends when there have been as many as it allows (0: any number). */
static enum outcome count_error(struct uhci *u, struct td *td, uint32_t bit)
{
	unsigned left = td->ctrl >> TD_ERRORS & 3;

	td->ctrl |= bit;
	if (!left)
		return WAITS;
	td->ctrl -= 1u << TD_ERRORS;
	if (left > 1)
		return WAITS;
	td->ctrl = (td->ctrl & ~TD_ACTIVE) | TD_STALLED;
	u->usbsts |= STS_ERROR;
	if (td->ctrl & TD_IOC)
		u->causes |= CAUSE_IOC;
	return WAITS;
}

static enum outcome stall(struct uhci *u, struct td *td)
{
	td->ctrl = (td->ctrl & ~(TD_ACTIVE | TD_NAK)) | TD_STALLED;
	u->usbsts |= STS_ERROR;
	if (td->ctrl & TD_IOC)
		u->causes |= CAUSE_IOC;
	return WAITS;
}

static enum outcome retire(struct uhci *u, struct td *td, bool queued, size_t moved, size_t max)
{
	bool in = (td->token & 0xff) == PID_IN;

	td->ctrl &= ~(TD_ACTIVE | TD_NAK | TD_ACTLEN);
	td->ctrl |= (uint32_t)(moved - 1) & TD_ACTLEN;
	if (td->ctrl & TD_IOC)
		u->causes |= CAUSE_IOC;
	/* A queue stops behind a short packet when it is asked to (3.2.2). */
	if (queued && in && td->ctrl & TD_SPD && moved < max) {
		u->causes |= CAUSE_SHORT;
		return WAITS;
	}
	return RETIRED;
}

/* Moves the packet; *moved as bytes. */
static enum usb_result transfer(struct uhci *u, struct usb_device *d, const struct td *td,
				size_t *moved)
{
	struct usb_packet p = {
	    .in = (td->token & 0xff) == PID_IN, .ep = td->token >> 15 & 15, .sg = &u->sg};
	enum usb_result r;
	uint8_t setup[8];

	if ((td->token & 0xff) == PID_SETUP) {
		*moved = dma_sg_read(&u->sg, 0, setup, sizeof(setup));
		if (*moved < sizeof(setup) || p.ep)
			return USB_STALL;
		usb_setup(d, setup);
		return USB_OK;
	}
	if (p.in) { /* a device sends no more in one packet than its endpoint has */
		unsigned max = usb_max_packet(d, p.ep | USB_DIR_IN);

		if (max < u->sg.len)
			dma_sg_trim(&u->sg, max);
	}
	r = usb_data(d, &p);
	*moved = p.done;
	/* A part of a packet is a short packet: nothing remembers here what has gone before. */
	return r == USB_NAK && p.done ? USB_OK : r;
}

static enum outcome run_td(struct uhci *u, struct td *td, bool queued)
{
	unsigned pid = td->token & 0xff, len = td->token >> 21;
	struct usb_device *d;
	size_t max, moved = 0;

	len = len == NO_LEN ? 0 : len + 1;
	if (len > MAX_LEN || (pid != PID_IN && pid != PID_OUT && pid != PID_SETUP)) {
		u->usbsts |= STS_HCPE;
		return FAILED;
	}
	dma_sg_clear(&u->sg);
	if (len && pci_dma_sg(&u->func, &u->sg, td->buffer, len, pid == PID_IN) < 0) {
		u->usbsts |= STS_HSE;
		return FAILED;
	}
	max = u->sg.len;
	d = usb_find(&u->bus, td->token >> 8 & 0x7f);
	if (td->ctrl &
	    TD_ISO) { /* no device here has such endpoints; nobody answers, nor is asked again */
		td->ctrl |= TD_TIMEOUT;
		return retire(u, td, queued, 0, 0);
	}
	if (!d)
		return count_error(u, td, TD_TIMEOUT);
	switch (transfer(u, d, td, &moved)) {
	case USB_OK:
		return retire(u, td, queued, moved, max);
	case USB_NAK:
		td->ctrl |= TD_NAK;
		return WAITS;
	case USB_STALL:
		break;
	}
	return stall(u, td);
}

/* ---- the walk ---- */

/* Where a walk is, and what it has seen. */
struct walk {
	bool queued; /* in the queue of the QH at `qh`, whose list goes on at `next` */
	uint32_t qh, next;
	/* A queue that it came by, to find that it goes in circles (Brent's way). */
	uint32_t mark;
	bool marked;
	unsigned queues, limit;
	bool moved_since, moved;
	unsigned packets;
};

/* Enters a queue. Where to go on, LINK_END included: also after a circle in which nothing has moved. */
static uint32_t enter(struct uhci *u, struct walk *w, uint32_t qh)
{
	uint32_t word[2];

	if (w->marked && qh == w->mark) {
		if (!w->moved_since)
			return LINK_END;
		w->moved_since = false;
	}
	if (w->queues++ == w->limit) {
		w->limit = 2 * w->limit + 1;
		w->mark = qh;
		w->marked = true;
		w->moved_since = false;
	}
	if (!read_words(u, qh, word, 2))
		return LINK_END;
	w->queued = !(word[1] & LINK_END);
	w->qh = qh;
	w->next = word[0];
	return w->queued ? word[1] : word[0];
}

/* Executes the TD, where it is active. Where to go on. */
static uint32_t execute(struct uhci *u, struct walk *w, uint32_t at)
{
	enum outcome how = WAITS;
	uint32_t old, aside;
	struct td td;

	if (!read_words(u, at, &td.link, 4))
		return LINK_END;
	aside = w->queued ? w->next : td.link;
	if (td.ctrl & TD_ACTIVE) {
		old = td.ctrl;
		how = run_td(u, &td, w->queued);
		if (old != td.ctrl && !write_word(u, at + 4, td.ctrl))
			return LINK_END;
		if (!(td.ctrl & TD_ACTIVE)) {
			w->moved = w->moved_since = true;
			w->packets++;
		}
	}
	if (how == FAILED)
		return LINK_END;
	if (how == RETIRED && w->queued) {
		if (!write_word(u, w->qh + 4, td.link))
			return LINK_END;
		if (td.link & LINK_DEPTH && !(td.link & LINK_END))
			return td.link;
	}
	w->queued = false;
	return aside;
}

bool uhci_frame(struct uhci *u)
{
	struct walk w = {0};
	uint32_t link;

	if (!read_words(u, u->flbaseadd + 4 * (u->frnum & 1023u), &link, 1))
		return false;
	for (unsigned n = 0; n < STEPS && w.packets < PACKETS && !(link & LINK_END); n++)
		link = link & LINK_QH ? enter(u, &w, link & LINK_ADDR)
				      : execute(u, &w, link & LINK_ADDR);
	return w.moved;
}
