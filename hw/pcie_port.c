/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * PCI Express root port: see the header. What it forwards downstream is decided in pci.c, from its header.
 * Upstream it forwards everything, as QEMU's does: PC firmware leaves its bus-master bit clear.
 */
#include "hw/pcie_port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/msi.h"

/* In the PCI Express capability (7.5.3). */
enum {
	FLAGS = 0x02,
	LINK_CAP = 0x0c,
	LINK_STATUS = 0x12,
	SLOT_CAP = 0x14,
	SLOT_CTL = 0x18,
	SLOT_STATUS = 0x1a,
	ROOT_CTL = 0x1c,
};

#define FLAGS_SLOT   (1u << 8)
#define LINK_REPORTS (1u << 20) /* that it is active */
#define LINK_ACTIVE  (1u << 13)
/* Attention button, power controller, both indicators, hot-plug; no command takes time. */
#define SLOT_HAS   (1u << 0 | 1u << 1 | 1u << 3 | 1u << 4 | 1u << 6 | 1u << 18)
#define SLOT_NR    19 /* shift */
#define EV_BUTTON  (1u << 0)
#define EV_PRESENT (1u << 3)
#define EV_LINK    (1u << 8)
#define EVENTS     (EV_BUTTON | EV_PRESENT | EV_LINK)
#define PRESENT    (1u << 6)
/* Slot Control: the enable bits are those of the events, but that of EV_LINK. */
#define CTL_INTERRUPT     (1u << 5)
#define CTL_ATTENTION_OFF (3u << 6)
#define CTL_POWER_LED     (3u << 8) /* off; on is 1 */
#define CTL_POWER_LED_ON  (1u << 8)
#define CTL_NO_POWER      (1u << 10)
#define CTL_EV_LINK       (1u << 12)
#define CTL_WRITABLE                                                                               \
	(EV_BUTTON | EV_PRESENT | CTL_INTERRUPT | CTL_ATTENTION_OFF | CTL_POWER_LED |              \
	 CTL_NO_POWER | CTL_EV_LINK)

static struct pcie_port *of(struct pci_func *f)
{
	return (struct pcie_port *)((char *)f - offsetof(struct pcie_port, func));
}

/* ---- the slot ---- */

static bool populated(const struct pcie_port *p)
{
	for (unsigned i = 0; i < PCI_LINK_FUNCS; i++)
		if (p->behind[i])
			return true;
	return false;
}

static uint16_t get(const struct pcie_port *p, unsigned reg)
{
	return pci_get16(p->func.config + p->func.express + reg);
}

static void set(struct pcie_port *p, unsigned reg, unsigned val)
{
	pci_set16(p->func.config + p->func.express + reg, (uint16_t)val);
}

static void raise(struct pcie_port *p)
{
	unsigned ctl = get(p, SLOT_CTL), status = get(p, SLOT_STATUS);
	unsigned on = (ctl & (EV_BUTTON | EV_PRESENT)) | (ctl & CTL_EV_LINK ? EV_LINK : 0);
	bool level = ctl & CTL_INTERRUPT && status & on;

	if (level && !p->interrupt)
		msi_notify(&p->func, 0);
	p->interrupt = level;
	pci_set_intx(&p->func, level && !msi_enabled(&p->func));
}

static void event(struct pcie_port *p, unsigned bits)
{
	set(p, SLOT_STATUS, get(p, SLOT_STATUS) | bits);
	raise(p);
}

/* The link is there while there is a device with power. */
static void update_link(struct pcie_port *p)
{
	unsigned old = get(p, LINK_STATUS), now = old & ~LINK_ACTIVE;

	if (populated(p) && !(get(p, SLOT_CTL) & CTL_NO_POWER))
		now |= LINK_ACTIVE;
	if (now == old)
		return;
	set(p, LINK_STATUS, now);
	event(p, EV_LINK);
}

static void run_eject(void *opaque)
{
	struct pcie_port *p = opaque;

	if (!p->asked)
		return;
	p->asked = false;
	p->ejected(p->opaque, &p->func);
}

static void config_changed(struct pci_func *f, unsigned off, unsigned size)
{
	struct pcie_port *p = of(f);
	unsigned ctl = get(p, SLOT_CTL);
	bool was = p->powered_off;

	/* A guest that starts anew, or another one from a saved state, knows of no button. */
	if (off == 0 && size == f->config_size)
		p->asked = false;
	p->powered_off = ctl & CTL_NO_POWER && (ctl & CTL_POWER_LED) == CTL_POWER_LED;
	update_link(p);
	raise(p);
	if (p->asked && p->powered_off && !was)
		loop_defer(p->loop, &p->eject);
}

void pcie_port_populate(struct pci_func *port)
{
	uint8_t *cap = port->start + port->express;

	pci_set16(cap + LINK_STATUS, (uint16_t)(pci_get16(cap + LINK_STATUS) | LINK_ACTIVE));
	pci_set16(cap + SLOT_STATUS, PRESENT);
	pci_set16(cap + SLOT_CTL, CTL_ATTENTION_OFF | CTL_POWER_LED_ON);
}

static void unpopulate(struct pci_func *port)
{
	uint8_t *cap = port->start + port->express;

	pci_set16(cap + LINK_STATUS, (uint16_t)(pci_get16(cap + LINK_STATUS) & ~LINK_ACTIVE));
	pci_set16(cap + SLOT_STATUS, 0);
	pci_set16(cap + SLOT_CTL, CTL_ATTENTION_OFF | CTL_POWER_LED | CTL_NO_POWER);
}

void pcie_port_changed(struct pci_func *port)
{
	struct pcie_port *p = of(port);
	bool there = populated(p);

	if (there)
		pcie_port_populate(port);
	else
		unpopulate(port);
	set(p, SLOT_STATUS, (get(p, SLOT_STATUS) & ~PRESENT) | (there ? PRESENT : 0));
	update_link(p);
	/* Where there is a button, drivers wait for it. */
	event(p, EV_PRESENT | (there ? EV_BUTTON : 0));
}

int pcie_port_ask(struct pci_func *port, struct loop *loop,
		  void (*ejected)(void *opaque, struct pci_func *port), void *opaque)
{
	struct pcie_port *p = of(port);

	if (p->asked)
		return -EBUSY;
	p->asked = true;
	p->loop = loop;
	p->ejected = ejected;
	p->opaque = opaque;
	if (p->powered_off)
		loop_defer(loop, &p->eject);
	else
		event(p, EV_BUTTON);
	return 0;
}

/* ---- life ---- */

int pcie_port_init(struct pcie_port *p)
{
	struct pci_func *f = &p->func;
	int at;

	memset(p, 0, sizeof(*p));
	/* What QEMU's generic root port says that it is. */
	pci_func_init(f, "pcie-root-port", 0x1b36, 0x000c, 0x0604, 1);
	f->behind = p->behind;
	p->eject = (struct loop_job){.run = run_eject, .opaque = p};
	f->start[PCI_HEADER_TYPE] = 1;
	f->wmask[PCI_COMMAND] |= PCI_CMD_IO | PCI_CMD_MEM;
	memset(f->wmask + BRIDGE_PRIMARY, 0xff, 3);
	f->wmask[BRIDGE_IO_BASE] = f->wmask[BRIDGE_IO_LIMIT] = 0xf0;
	pci_set16(f->wmask + BRIDGE_MEM_BASE, 0xfff0);
	pci_set16(f->wmask + BRIDGE_MEM_LIMIT, 0xfff0);
	/* Prefetchable memory may be above 4 GiB. */
	f->start[BRIDGE_PREF_BASE] = f->start[BRIDGE_PREF_LIMIT] = 1;
	pci_set16(f->wmask + BRIDGE_PREF_BASE, 0xfff0);
	pci_set16(f->wmask + BRIDGE_PREF_LIMIT, 0xfff0);
	memset(f->wmask + BRIDGE_PREF_BASE_HIGH, 0xff, 8);
	f->wmask[BRIDGE_CONTROL] = 0x03; /* parity and SERR#, which nothing raises */

	at = pci_func_express(f, PCIE_ROOT_PORT);
	if (at < 0)
		return at;
	pci_set16(f->wmask + at + ROOT_CTL, 0x0f);
	pci_set16(f->start + at + FLAGS, (uint16_t)(pci_get16(f->start + at + FLAGS) | FLAGS_SLOT));
	pci_set32(f->start + at + LINK_CAP, pci_get32(f->start + at + LINK_CAP) | LINK_REPORTS);
	pci_set16(f->wmask + at + SLOT_CTL, CTL_WRITABLE);
	pci_set16(f->w1c + at + SLOT_STATUS, EVENTS);
	f->config_changed = config_changed;
	unpopulate(f);
	return msi_init(f, 1);
}

struct pci_func *pcie_port_find(const struct pci_bus *bus, const char *id)
{
	for (unsigned i = 0; i < 256; i++) {
		struct pci_func *f = bus->func[i];

		if (f && f->behind && strcmp(of(f)->id, id) == 0)
			return f;
	}
	return NULL;
}

static unsigned slot_number(const struct device_args *args)
{
	unsigned asked = (unsigned)arg_num(args, "slot"), ports = 0;

	for (unsigned i = 0; i < 256; i++)
		if (args->env->pci->func[i] && args->env->pci->func[i]->behind)
			ports++;
	return asked ? asked : ports + 1;
}

static int create(void **self, const struct device_args *args, char *err, size_t errlen)
{
	struct pcie_port *p;
	int r;

	if (!args->env->pci->express) {
		snprintf(err, errlen,
			 "-device pcie-root-port: this board has no PCI Express; use -machine q35");
		return -ENODEV;
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	r = pcie_port_init(p);
	/* Numbers of slots differ in a machine; guests name them by these. */
	pci_set32(p->func.start + p->func.express + SLOT_CAP, SLOT_HAS | (uint32_t)slot_number(args)
									     << SLOT_NR);
	strcpy(p->id, args->spec->id);
	if (r == 0)
		r = device_add_pci(args, &p->func, NULL, err, errlen);
	if (r < 0) {
		free(p);
		return r;
	}
	*self = p;
	return 0;
}

static const struct prop props[] = {
    {"slot", PROP_NUM, "the number of its slot, 0: the next", "0", 0x1fff, false},
    {"chassis", PROP_NUM, "has no effect", "0", 255, false},
    {"port", PROP_NUM, "likewise", "0", 255, false},
    {0},
};

const struct device_type pcie_root_port_type = {
    .name = "pcie-root-port",
    .bus = "PCI",
    .desc = "PCI Express root port; a device goes behind it with bus=ID",
    .props = props,
    .create = create,
    .destroy = free,
};
