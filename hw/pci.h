/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A PCI bus behind configuration mechanism #1 (PCI Local Bus Specification 3.0, 3.2.2.3.2 and
 * chapter 6): functions with 256 bytes of configuration space, or 4 KiB with PCI Express, base
 * address registers and expansion ROMs that map themselves into the address spaces, capability
 * lists, INTx pins and bus-master DMA. Message-signalled interrupts are in hw/msi.h, root ports in
 * hw/pcie_port.h: the bus is a tree of two levels, in which a port's link holds one device.
 *
 * What answers where BARs overlap is a function of the registers alone. What the board itself has
 * mapped (RAM, ROM, chips) wins over every BAR. Among BARs the lower devfn wins, where that of a port is
 * also that of what is behind it; in one function the lower BAR, and the expansion ROM comes last. A BAR that loses any of its bytes does not answer
 * at all, and answers again when what was in its way is gone. Memory BARs below 1 MiB never answer.
 */
#ifndef HW_PCI_H
#define HW_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/device.h"
#include "hw/dma_sg.h"
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
	PCI_ROM = 0x30,
	PCI_CAP_LIST = 0x34,
	PCI_INT_LINE = 0x3c,
	PCI_INT_PIN = 0x3d,
};

enum {
	PCI_CMD_IO = 1 << 0,
	PCI_CMD_MEM = 1 << 1,
	PCI_CMD_MASTER = 1 << 2,
	PCI_CMD_INTX_OFF = 1 << 10,
	PCI_STATUS_INTX = 1 << 3,
	PCI_STATUS_CAPS = 1 << 4,
};

enum pci_cap {
	PCI_CAP_PM = 0x01,
	PCI_CAP_MSI = 0x05,
	PCI_CAP_VENDOR = 0x09,
	PCI_CAP_EXPRESS = 0x10,
	PCI_CAP_MSIX = 0x11,
	PCI_CAP_SATA = 0x12,
};

#define PCI_BARS         6
#define PCI_LINES        8 /* at most, to an interrupt router */
#define PCI_BAR_ROM      6 /* index of the expansion ROM among a function's BARs */
#define PCI_CONFIG_SIZE  4096u
#define PCI_BAR_PREFETCH 8 /* in a memory BAR's low bits */
#define PCI_DEVFN(d, f)  ((uint8_t)((d) << 3 | (f)))
#define PCI_LINK_FUNCS   8u /* functions of the device behind a root port */

/* The device/port type of the PCI Express capability. */
enum pcie_type { PCIE_ENDPOINT = 0, PCIE_ROOT_PORT = 4, PCIE_INTEGRATED_ENDPOINT = 9 };

enum pci_bar_kind { PCI_BAR_NONE, PCI_BAR_IO, PCI_BAR_MEM32, PCI_BAR_MEM64 };

struct pci_bar {
	enum pci_bar_kind kind;
	uint64_t size;              /* a power of two */
	const struct mmio_ops *ops; /* or NULL: it is memory */
	void *opaque;
	struct ram *ram;
	const char *name;
	bool mapped;
	uint64_t at; /* where, while mapped */
};

struct pci_bus;

struct pci_func {
	struct device dev;
	struct pci_bus *bus;
	struct pci_func *port;    /* the root port that it is behind; NULL: none */
	struct pci_func **behind; /* of a root port: its PCI_LINK_FUNCS functions, NULL or not */
	char name[48];            /* unique: with the slot, once it is on the bus */
	char state_name[64];      /* likewise, for the state of the device that it belongs to */
	uint8_t devfn;
	uint16_t config_size; /* 256, or 4096 with PCI Express */
	uint8_t config[PCI_CONFIG_SIZE];
	uint8_t start[PCI_CONFIG_SIZE]; /* values after reset */
	uint8_t wmask[PCI_CONFIG_SIZE]; /* bits that software may write */
	uint8_t w1c[PCI_CONFIG_SIZE];   /* bits that writing 1 clears */
	struct pci_bar bar[PCI_BARS + 1];
	struct ram rom;    /* what the expansion ROM shows */
	uint16_t caps_end; /* where the next capability goes */
	uint8_t last_cap;  /* offset of the last in the list, 0: none */
	uint8_t msi;       /* offset of the capability, 0: none */
	uint8_t express;   /* likewise */
	struct msix *msix; /* or NULL */
	uint8_t intx;      /* level the function drives, before the disable bit */
	uint8_t intx_out;  /* level its pin shows */
	/* After software wrote [off, off+size) of the configuration space, and after a reset or a
	 * load (off 0, size config_size); may be NULL. */
	void (*config_changed)(struct pci_func *f, unsigned off, unsigned size);
	/* Before software reads there; may be NULL. */
	void (*config_read)(struct pci_func *f, unsigned off, unsigned size);
};

struct pci_bus {
	struct device dev;
	struct aspace *mem, *io;
	struct pci_func *func[256]; /* by devfn */
	bool express;               /* root ports may be there; the board's */
	uint32_t address;           /* CF8h */
	struct reset_port *reset;   /* CF9h */
	uint8_t level[PCI_LINES];   /* how many functions drive each line */
	/* The interrupt router: takes lines, and says to which of them a pin (1..4) of a slot is
	 * wired; without line_of as pci_intx_line(). */
	void (*line)(void *opaque, int n, int level);
	int (*line_of)(void *opaque, uint8_t devfn, unsigned pin);
	void *opaque;
	/* Takes messages to FEExxxxxh; until the board sets it they are lost. */
	void (*msi)(void *opaque, uint64_t addr, uint32_t data);
	void *msi_opaque;
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
/* A memory BAR that is RAM of the device's own, as a frame buffer; ram is borrowed, and its size
 * that of the BAR. */
void pci_func_bar_ram(struct pci_func *f, unsigned n, enum pci_bar_kind kind, struct ram *ram,
		      const char *name);
/* The expansion ROM: a copy of len bytes, in a BAR of the next power of two. Once; 0 or -errno. */
int pci_func_rom(struct pci_func *f, const void *data, size_t len);
/* Frees the expansion ROM; the function is on no bus or the machine at its end. */
void pci_func_fini(struct pci_func *f);

/* Appends a capability of `size` bytes (id and next pointer included), zeroed and read-only. Its
 * offset, or -ENOSPC. */
int pci_func_cap(struct pci_func *f, enum pci_cap id, unsigned size);
/* Puts it at a given offset, where the datasheet has it. */
int pci_func_cap_at(struct pci_func *f, enum pci_cap id, unsigned off, unsigned size);
/* The PCI Express capability, and 4 KiB of configuration space. The capability's offset or -ENOSPC. */
int pci_func_express(struct pci_func *f, enum pcie_type type);

/* 0, -EEXIST when the slot is taken. */
int pci_bus_add(struct pci_bus *bus, struct pci_func *f, uint8_t devfn);
/* The same behind a root port on the bus, where it becomes a PCI Express endpoint: -EINVAL unless the slot is
 * 0, -ENOSPC without room for the capability. */
int pci_port_add(struct pci_func *port, struct pci_func *f, uint8_t devfn);
/* Takes a function from behind its port, while the machine runs: it answers nowhere then. */
void pci_port_remove(struct pci_func *f);
/* All functions of the tree, in the order of their priority: the first one whose number is *i or more, and that number
 * in *i; NULL: there are no more. */
struct pci_func *pci_func_from(const struct pci_bus *bus, unsigned *i);
/* The line that the function's interrupt pin, which it has, drives. */
int pci_func_line(const struct pci_func *f);
/* Where it is, as OpenFirmware says it, below the host bridge: "NAME@2", "NAME@2,1",
 * "pci-bridge@2/NAME@0". */
void pci_path(const struct pci_func *f, const char *name, char *out, size_t len);
/* The first slot from 2 on with nothing in it, as a devfn, or -1. */
int pci_bus_free_slot(const struct pci_bus *bus);

/* Level of the function's interrupt pin. Machine lock held, like everything here. */
void pci_set_intx(struct pci_func *f, int level);

/* Bus-master DMA: 0; -EACCES while the function may not be a master, -EFAULT where there is no RAM.
 * What cannot be read reads as 0xff. Any thread. */
int pci_dma_read(const struct pci_func *f, uint64_t addr, void *buf, size_t len);
int pci_dma_write(const struct pci_func *f, uint64_t addr, const void *buf, size_t len);
/* As dma_sg_add(), and -EACCES. */
int pci_dma_sg(const struct pci_func *f, struct dma_sg *sg, uint64_t addr, uint64_t len,
	       bool to_guest);
static inline bool pci_is_master(const struct pci_func *f)
{
	return __atomic_load_n(&f->config[PCI_COMMAND], __ATOMIC_RELAXED) & PCI_CMD_MASTER;
}

/* The board is about to map something fixed at [base, base+size) of memory: BARs give way.
 * pci_bus_remap() afterwards lets them take what is left. */
void pci_bus_yield(struct pci_bus *bus, uint64_t base, uint64_t size);
void pci_bus_remap(struct pci_bus *bus);
/* No BAR of the function decodes until the next pci_bus_remap(). */
void pci_func_unmap(struct pci_func *f);
/* After a change of what line_of says: the lines have the levels that all functions give them. */
void pci_bus_rewire(struct pci_bus *bus);
/* The enhanced configuration access mechanism (PCI Express Base Specification 7.2.2): 1 MiB for each
 * bus; opaque is the struct pci_bus. */
extern const struct mmio_ops pci_ecam_ops;

/* size 1, 2 or 4; off below PCI_CONFIG_SIZE: what the function does not have reads as 0. */
uint32_t pci_config_read(struct pci_func *f, unsigned off, unsigned size);
void pci_config_write(struct pci_func *f, unsigned off, uint32_t val, unsigned size);

/* Whole GiB that hold all BARs which answer above 4 GiB now; equal: there are none. */
void pci_bus_high_window(const struct pci_bus *bus, uint64_t *base, uint64_t *end);

/* What firmware does before it starts an operating system: numbers buses, gives every BAR an address in
 * the two windows, enables decoding and fills in interrupt lines (irq[n]: of lines n and n + 4). */
void pci_bus_assign(struct pci_bus *bus, uint64_t mem_base, uint64_t mem_end, uint64_t io_base,
		    uint64_t io_end, const uint8_t irq[4]);

static inline uint16_t pci_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}
static inline uint32_t pci_get32(const uint8_t *p)
{
	return pci_get16(p) | (uint32_t)pci_get16(p + 2) << 16;
}

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
