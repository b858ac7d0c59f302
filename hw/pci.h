/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A PCI bus behind configuration mechanism #1 (PCI Local Bus Specification 3.0, 3.2.2.3.2 and
 * chapter 6): functions with 256 bytes of configuration space, base address registers that map
 * themselves into the address spaces, and INTx pins.
 */
#ifndef HW_PCI_H
#define HW_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/device.h"
#include "hw/irq.h"
#include "mmu/aspace.h"

struct machine;
struct reset_port;

/* Offsets in the configuration header. */
enum {
	PCI_VENDOR = 0x00,
	PCI_DEVICE = 0x02,
	PCI_COMMAND = 0x04,
	PCI_STATUS = 0x06,
	PCI_REVISION = 0x08,
	PCI_PROG_IF = 0x09,
	PCI_CLASS = 0x0a, /* subclass, class */
	PCI_HEADER_TYPE = 0x0e,
	PCI_BAR0 = 0x10,
	PCI_SUBSYS_VENDOR = 0x2c,
	PCI_SUBSYS_DEVICE = 0x2e,
	PCI_INT_LINE = 0x3c,
	PCI_INT_PIN = 0x3d,
};

enum {
	PCI_CMD_IO = 1 << 0,
	PCI_CMD_MEM = 1 << 1,
	PCI_CMD_MASTER = 1 << 2,
	PCI_CMD_INTX_OFF = 1 << 10,
	PCI_STATUS_INTX = 1 << 3,
};

#define PCI_BARS         6
#define PCI_BAR_PREFETCH 8 /* in a memory BAR's low bits */
#define PCI_DEVFN(d, f)  ((uint8_t)((d) << 3 | (f)))

enum pci_bar_kind { PCI_BAR_NONE, PCI_BAR_IO, PCI_BAR_MEM32, PCI_BAR_MEM64 };

struct pci_bar {
	enum pci_bar_kind kind;
	uint64_t size; /* a power of two */
	const struct mmio_ops *ops;
	void *opaque;
	struct ram *ram; /* instead of ops: the BAR shows all of it */
	const char *name;
	bool mapped;
	uint64_t at; /* where, while mapped */
};

struct pci_bus;

struct pci_func {
	struct device dev;
	struct pci_bus *bus;
	uint8_t devfn;
	uint8_t config[256];
	uint8_t start[256]; /* values after reset */
	uint8_t wmask[256]; /* bits that software may write */
	uint8_t w1c[256];   /* bits that writing 1 clears */
	struct pci_bar bar[PCI_BARS];
	uint8_t intx;     /* level the function drives, before the disable bit */
	uint8_t intx_out; /* level its pin shows */
	/* After software wrote [off, off+size) of the configuration space, and after a reset
	 * (off 0, size 256); may be NULL. */
	void (*config_changed)(struct pci_func *f, unsigned off, unsigned size);
};

struct pci_bus {
	struct device dev;
	struct aspace *mem, *io;
	struct pci_func *func[256]; /* by devfn */
	uint32_t address;           /* CF8h */
	struct reset_port *reset;   /* CF9h */
	uint8_t level[4];           /* how many functions drive each of the four lines */
	void (*line)(void *opaque, int n, int level); /* interrupt router; n 0..3 */
	void *opaque;
};

/* Claims ports CF8h-CFFh. reset answers at CF9h; may be NULL. 0 or -errno. */
int pci_bus_init(struct pci_bus *bus, struct aspace *mem, struct aspace *io,
		 struct reset_port *reset);

/* A function with an empty header: device fills f->start and f->wmask further, adds BARs, then
 * adds it to the bus. pin: 0 none, 1 INTA# .. 4 INTD#. */
void pci_func_init(struct pci_func *f, const char *name, uint16_t vendor, uint16_t device,
		   uint16_t class_code, uint8_t pin);
void pci_func_bar(struct pci_func *f, unsigned n, enum pci_bar_kind kind, uint64_t size,
		  const struct mmio_ops *ops, void *opaque, const char *name);
/* A BAR that is memory of the device's, of a power of two bytes; borrowed. */
void pci_func_bar_ram(struct pci_func *f, unsigned n, enum pci_bar_kind kind, struct ram *ram,
		      const char *name);
/* 0, -EEXIST when the slot is taken. */
int pci_bus_add(struct pci_bus *bus, struct pci_func *f, uint8_t devfn);
/* The first slot from 2 on with nothing in it, as a devfn, or -1. */
int pci_bus_free_slot(const struct pci_bus *bus);

/* Level of the function's interrupt pin. Machine lock held, like everything here. */
void pci_set_intx(struct pci_func *f, int level);

uint32_t pci_config_read(const struct pci_func *f, unsigned off, unsigned size);
void pci_config_write(struct pci_func *f, unsigned off, uint32_t val, unsigned size);

/* What firmware does before it starts an operating system: gives every BAR an address in the two
 * windows, enables decoding and fills in interrupt lines (irq[n]: of line n). */
void pci_bus_assign(struct pci_bus *bus, uint64_t mem_base, uint64_t mem_end, uint64_t io_base,
		    uint64_t io_end, const uint8_t irq[4]);

/* Interrupt line (0..3) that a pin (1..4) of a slot is wired to on this board. */
static inline int pci_intx_line(uint8_t devfn, unsigned pin)
{
	return (int)(((devfn >> 3) + pin - 2) & 3);
}

static inline void pci_set16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}
static inline void pci_set32(uint8_t *p, uint32_t v)
{
	pci_set16(p, (uint16_t)v);
	pci_set16(p + 2, (uint16_t)(v >> 16));
}

#endif
