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

#define ROOT_CTL                                                                                   \
	0x1c /* in the PCI Express capability; it says that there is no slot to plug into */

int pcie_port_init(struct pcie_port *p)
{
	struct pci_func *f = &p->func;
	int at;

	memset(p, 0, sizeof(*p));
	/* What QEMU's generic root port says that it is. */
	pci_func_init(f, "pcie-root-port", 0x1b36, 0x000c, 0x0604, 1);
	f->behind = p->behind;
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
	return msi_init(f, 1);
}

struct pci_func *pcie_port_find(const struct pci_bus *bus, const char *id)
{
	for (unsigned i = 0; i < 256; i++) {
		struct pci_func *f = bus->func[i];

		if (f && f->behind &&
		    strcmp(((struct pcie_port *)((char *)f - offsetof(struct pcie_port, func)))->id,
			   id) == 0)
			return f;
	}
	return NULL;
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
    {"slot", PROP_NUM, "has no effect: nothing is plugged in later", "0", 0x1fff, false},
    {"chassis", PROP_NUM, "likewise", "0", 255, false},
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
