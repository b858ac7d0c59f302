/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Registers and ports of the UHCI (chapter 2), when its frames are executed, and its life.
 *
 * Drivers put work into the schedule without telling the controller, so it has to look at every frame while it runs.
 * When there has been no work for a while it looks at several of them at once, which wakes the host less often: a
 * device that has something to say makes it look at once.
 */
#include "hw/usb/uhci.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hw/device_type.h"
#include "hw/usb/uhci_impl.h"

enum {
	USBCMD = 0x00,
	USBSTS = 0x02,
	USBINTR = 0x04,
	FRNUM = 0x06,
	FLBASEADD = 0x08,
	SOFMOD = 0x0c,
	PORTSC = 0x10,
	IO_LEN = 0x20,
	IO_BAR = 4
};

#define CMD_RUN     (1u << 0)
#define CMD_HCRESET (1u << 1)
#define CMD_GRESET  (1u << 2)
#define CMD_EGSM    (1u << 3)
#define CMD_FGR     (1u << 4)

/* USBINTR */
#define INTR_ERROR  (1u << 0)
#define INTR_RESUME (1u << 1)
#define INTR_IOC    (1u << 2)
#define INTR_SHORT  (1u << 3)

#define PORT_CCS    (1u << 0)
#define PORT_CSC    (1u << 1)
#define PORT_PE     (1u << 2)
#define PORT_PEC    (1u << 3)
#define PORT_J      (1u << 4) /* D+ is high: an idle full-speed device; D- is the next bit */
#define PORT_RD     (1u << 6)
#define PORT_ONE    (1u << 7) /* always 1 */
#define PORT_LS     (1u << 8)
#define PORT_PR     (1u << 9)
#define PORT_SUSP   (1u << 12)
#define PORT_WRITES (PORT_PE | PORT_RD | PORT_PR | PORT_SUSP)

enum { FRAME = 1000000 /* ns */, BATCH = 8 /* frames */, IDLE = 32, SOF_64 = 0x40 };

/* ---- interrupts ---- */

static void update_irq(struct uhci *u)
{
	unsigned on = u->usbintr;
	bool level = (u->causes & CAUSE_IOC && on & INTR_IOC) ||
		     (u->causes & CAUSE_SHORT && on & INTR_SHORT) ||
		     (u->usbsts & STS_ERROR && on & INTR_ERROR) ||
		     (u->usbsts & STS_RESUME && on & INTR_RESUME) ||
		     u->usbsts & (STS_HSE | STS_HCPE);

	pci_set_intx(&u->func, level);
}

/* ---- frames ---- */

static bool runs(const struct uhci *u)
{
	return u->usbcmd & CMD_RUN && !(u->usbcmd & CMD_EGSM) && !(u->usbsts & STS_HALTED);
}

static void arm(struct uhci *u)
{
	uint64_t more = u->idle == IDLE ? BATCH - 1 : 0;

	if (runs(u))
		timer_arm(&u->timer, u->next + more * FRAME);
	else
		timer_cancel(&u->timer);
}

static void halt(struct uhci *u)
{
	u->usbcmd &= (uint16_t)~CMD_RUN;
	u->usbsts |= STS_HALTED;
}

static void one_frame(struct uhci *u)
{
	u->walking = true;
	if (uhci_frame(u))
		u->idle = 0;
	else if (u->idle < IDLE)
		u->idle++;
	u->walking = false;
	u->frnum = (u->frnum + 1) & 0x7ff;
	u->next += FRAME;
	if (u->causes)
		u->usbsts |= STS_USBINT;
	if (u->usbsts & (STS_HSE | STS_HCPE))
		halt(u);
}

/* Executes the frames that have begun. After a pause longer than any that is our own, most of them are lost. */
static void catch_up(struct uhci *u)
{
	uint64_t now = clock_now(u->clock);

	if (runs(u) && now >= u->next + 2ull * BATCH * FRAME) {
		uint64_t lost = (now - u->next) / FRAME - BATCH;

		u->frnum = (uint16_t)((u->frnum + lost) & 0x7ff);
		u->next += lost * FRAME;
	}
	while (runs(u) && now >= u->next)
		one_frame(u);
	update_irq(u);
}

static void frames_due(void *opaque)
{
	struct uhci *u = opaque;

	catch_up(u);
	arm(u);
}

/* Something may have come to do: the next frame is executed when it begins. */
static void be_quick(struct uhci *u)
{
	u->idle = 0;
	if (!u->walking)
		arm(u);
}

/* ---- ports ---- */

static void resumed(struct uhci *u)
{
	if (u->usbcmd & CMD_EGSM) {
		u->usbcmd |= CMD_FGR;
		u->usbsts |= STS_RESUME;
	}
	update_irq(u);
}

static void attached(struct usb_bus *bus, unsigned port)
{
	struct uhci *u = bus->controller;

	u->portsc[port] = PORT_CCS | PORT_CSC | (bus->dev[port]->speed == USB_LOW ? PORT_LS : 0);
	resumed(u);
}

static void detached(struct usb_bus *bus, unsigned port)
{
	struct uhci *u = bus->controller;
	bool was = u->portsc[port] & PORT_PE;

	u->portsc[port] = PORT_CSC | (was ? PORT_PEC : 0);
	resumed(u);
}

static bool enabled(const struct usb_bus *bus, unsigned port)
{
	const struct uhci *u = bus->controller;

	return (u->portsc[port] & (PORT_PE | PORT_SUSP | PORT_PR)) == PORT_PE;
}

static void wakeup(struct usb_bus *bus, struct usb_device *d, uint8_t ep_address)
{
	struct uhci *u = bus->controller;

	(void)ep_address;
	if (d->bus == bus && d->remote_wakeup &&
	    (u->portsc[d->port] & PORT_SUSP || u->usbcmd & CMD_EGSM)) {
		if (u->portsc[d->port] & PORT_SUSP) {
			u->portsc[d->port] |= PORT_RD;
			u->usbsts |= STS_RESUME;
		}
		resumed(u);
	}
	be_quick(u);
}

static void reset_port(struct uhci *u, unsigned port)
{
	if (u->bus.dev[port])
		usb_reset(u->bus.dev[port]);
}

static void port_write(struct uhci *u, unsigned port, uint16_t val)
{
	uint16_t *sc = &u->portsc[port];

	if (val & PORT_PR && !(*sc & PORT_PR))
		reset_port(u, port);
	if (val & PORT_PR || !(*sc & PORT_CCS))
		val &= (uint16_t)~PORT_PE;
	*sc &= (uint16_t) ~(PORT_WRITES | (val & (PORT_CSC | PORT_PEC)));
	*sc |= val & PORT_WRITES;
}

static uint16_t port_read(const struct uhci *u, unsigned port)
{
	uint16_t sc = u->portsc[port];
	unsigned idle = sc & PORT_LS ? PORT_J << 1 : PORT_J;

	return (uint16_t)(sc | PORT_ONE | (sc & PORT_CCS && !(sc & PORT_PR) ? idle : 0));
}

/* ---- registers ---- */

static void hc_reset(struct uhci *u)
{
	u->usbcmd = u->usbintr = u->frnum = 0;
	u->usbsts = STS_HALTED;
	u->causes = 0;
	u->flbaseadd = 0;
	u->sofmod = SOF_64;
	u->idle = 0;
	for (unsigned i = 0; i < UHCI_PORTS; i++) {
		u->portsc[i] = 0;
		if (u->bus.dev[i])
			attached(&u->bus, i);
	}
	arm(u);
	update_irq(u);
}

static void global_reset(struct uhci *u)
{
	hc_reset(u);
	for (unsigned i = 0; i < UHCI_PORTS; i++)
		reset_port(u, i);
}

static void cmd_write(struct uhci *u, uint16_t val)
{
	bool ran = u->usbcmd & CMD_RUN;

	if (val & CMD_GRESET && !(u->usbcmd & CMD_GRESET))
		global_reset(u);
	if (val & CMD_HCRESET) {
		hc_reset(u);
		val &= (uint16_t) ~(CMD_RUN | CMD_HCRESET);
	}
	u->usbcmd = val & 0xff;
	if (val & CMD_RUN && !ran) {
		u->usbsts &= (uint16_t)~STS_HALTED;
		u->next = clock_now(u->clock) + FRAME;
		u->idle = 0;
	} else if (!(val & CMD_RUN)) {
		u->usbsts |= STS_HALTED;
	}
	arm(u);
}

static void sts_write(struct uhci *u, uint16_t val)
{
	u->usbsts &= (uint16_t) ~(val & ~STS_HALTED);
	if (val & STS_USBINT)
		u->causes = 0;
}

static uint64_t read_word(struct uhci *u, unsigned off)
{
	switch (off) {
	case USBCMD:
		return u->usbcmd;
	case USBSTS:
		return u->usbsts;
	case USBINTR:
		return u->usbintr;
	case FRNUM:
		catch_up(u);
		arm(u);
		return u->frnum;
	case FLBASEADD:
		return u->flbaseadd & 0xffff;
	case FLBASEADD + 2:
		return u->flbaseadd >> 16;
	case SOFMOD:
		return u->sofmod;
	case PORTSC:
	case PORTSC + 2:
		return port_read(u, (off - PORTSC) / 2);
	}
	/* There are no ports but these: bit 7, which says that there is one, is 0. */
	return off > PORTSC + 2 ? 0xff7f : 0;
}

static void write_word(struct uhci *u, unsigned off, uint16_t val)
{
	switch (off) {
	case USBCMD:
		cmd_write(u, val);
		break;
	case USBSTS:
		sts_write(u, val);
		break;
	case USBINTR:
		u->usbintr = val & 15;
		break;
	case FRNUM:
		if (u->usbsts & STS_HALTED)
			u->frnum = val & 0x7ff;
		break;
	case FLBASEADD:
		u->flbaseadd = (u->flbaseadd & 0xffff0000) | (val & 0xf000);
		break;
	case FLBASEADD + 2:
		u->flbaseadd = (u->flbaseadd & 0xffff) | (uint32_t)val << 16;
		break;
	case SOFMOD:
		u->sofmod = val & 0x7f;
		break;
	case PORTSC:
	case PORTSC + 2:
		port_write(u, (off - PORTSC) / 2, val);
		break;
	}
	be_quick(u);
	update_irq(u);
}

static uint64_t io_read(void *dev, uint64_t off, unsigned size)
{
	uint64_t v = read_word(dev, (unsigned)off & ~1u);

	return size == 1 ? v >> 8 * (off & 1) & 0xff : v;
}

static void io_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	/* Of the 8-bit accesses only that to SOFMOD makes sense (2.1). */
	if (size == 2 || off == SOFMOD)
		write_word(dev, (unsigned)off, (uint16_t)val);
}

static const struct mmio_ops io_ops = {io_read, io_write, 1, 2};

/* ---- life ---- */

static const struct field fields[] = {
    FIELD(uhci, usbcmd, 0),
    FIELD(uhci, usbsts, STS_HALTED),
    FIELD(uhci, usbintr, 0),
    FIELD(uhci, frnum, 0),
    FIELD(uhci, flbaseadd, 0),
    FIELD(uhci, sofmod, SOF_64),
    FIELD(uhci, causes, 0),
    FIELD_ARRAY(uhci, portsc, 0),
    FIELD(uhci, next, 0),
    FIELD(uhci, idle, 0),
    FIELD_END,
};

static void reset_done(void *state)
{
	global_reset(state);
}

static void tame(void *state)
{
	struct uhci *u = state;

	u->frnum &= 0x7ff;
	u->flbaseadd &= 0xfffff000;
	if (u->idle > IDLE)
		u->idle = IDLE;
	/* Ports have what is plugged in here. */
	for (unsigned i = 0; i < UHCI_PORTS; i++)
		if (!u->bus.dev[i])
			u->portsc[i] &= (uint16_t) ~(PORT_CCS | PORT_PE);
}

static void loaded(void *state)
{
	struct uhci *u = state;
	uint64_t now = clock_now(u->clock);

	if (u->next > now + FRAME || u->next + (uint64_t)BATCH * FRAME < now)
		u->next = now + FRAME;
	arm(u);
	update_irq(u);
}

const struct uhci_model uhci_models[] = {
    {"piix3-usb-uhci", 0x7020, 1, 4},
    {"ich9-usb-uhci1", 0x2934, 3, 1},
    {"ich9-usb-uhci2", 0x2935, 3, 2},
    {"ich9-usb-uhci3", 0x2936, 3, 3},
    {0},
};

int uhci_init(struct uhci *u, struct clock *clock, const struct uhci_model *model, const char *id,
	      struct usb_bus **list)
{
	struct pci_func *f = &u->func;
	int r;

	memset(u, 0, sizeof(*u));
	r = dma_sg_init(&u->sg, 4);
	if (r < 0)
		return r;
	u->clock = clock;
	timer_init(&u->timer, clock, frames_due, u);
	pci_func_init(f, model->name, 0x8086, model->device, 0x0c03, model->pin);
	f->start[PCI_REVISION] = model->revision;
	pci_set16(f->start + PCI_SUBSYS_VENDOR, 0x1af4);
	pci_set16(f->start + PCI_SUBSYS_DEVICE, 0x1100);
	f->start[0x60] = 0x10; /* USB 1.0 */
	f->start[0xc1] = 0x20; /* LEGSUP: the interrupt goes to PCI */
	f->wmask[0xc0] = 0xbf;
	f->wmask[0xc1] = 0x20;
	pci_func_bar(f, IO_BAR, PCI_BAR_IO, IO_LEN, &io_ops, u, "uhci");
	u->bus.ports = UHCI_PORTS;
	u->bus.speeds = USB_SPEED_BIT(USB_LOW) | USB_SPEED_BIT(USB_FULL);
	u->bus.controller = u;
	u->bus.attached = attached;
	u->bus.detached = detached;
	u->bus.enabled = enabled;
	u->bus.wakeup = wakeup;
	u->bus.func = &u->func;
	usb_bus_add(list, &u->bus, id);
	device_init(&u->state, f->state_name, fields, u);
	u->state.reset_done = reset_done;
	u->state.tame = tame;
	u->state.loaded = loaded;
	return 0;
}

void uhci_fini(struct uhci *u)
{
	timer_cancel(&u->timer);
	dma_sg_fini(&u->sg);
}

/* ---- -device piix3-usb-uhci, ich9-usb-uhci1 ... ---- */

static void destroy(void *self)
{
	uhci_fini(self);
	free(self);
}

static int create(void **self, const struct device_args *args, char *err, size_t errlen)
{
	const struct uhci_model *model = uhci_models;
	struct uhci *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return -ENOMEM;
	while (strcmp(model->name, args->spec->type->name) != 0)
		model++;
	r = uhci_init(u, args->env->clock, model, args->spec->id, args->env->usb);
	if (r < 0) {
		free(u);
		return r;
	}
	r = device_add_pci(args, &u->func, &u->state, err, errlen);
	if (r < 0) {
		/* Its bus is on the board's list: no machine comes of this. */
		destroy(u);
		return r;
	}
	*self = u;
	return 0;
}

#define TYPE(type_name, text)                                                                      \
	{                                                                                          \
		.name = (type_name), .bus = "PCI", .desc = (text), .create = create,               \
		.destroy = destroy,                                                                \
	}

const struct device_type piix3_uhci_type =
    TYPE("piix3-usb-uhci", "USB 1.1 host controller (UHCI) of the PIIX3");
const struct device_type ich9_uhci1_type =
    TYPE("ich9-usb-uhci1", "the first USB 1.1 host controller (UHCI) of the ICH9");
const struct device_type ich9_uhci2_type =
    TYPE("ich9-usb-uhci2", "the second USB 1.1 host controller (UHCI) of the ICH9");
const struct device_type ich9_uhci3_type =
    TYPE("ich9-usb-uhci3", "the third USB 1.1 host controller (UHCI) of the ICH9");
