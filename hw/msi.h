/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Message-signalled interrupts of a PCI function (PCI Local Bus Specification 3.0, 6.8): MSI and
 * MSI-X with their masks and pending bits. A message is a write of the function's: without the
 * bus-master bit none leaves it. Machine lock held throughout.
 */
#ifndef HW_MSI_H
#define HW_MSI_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/device.h"
#include "hw/pci.h"

#define MSI_MAX  32u
#define MSIX_MAX 128u

struct msix {
	struct device dev; /* the table; its owner adds it to the machine */
	char name[56];
	struct pci_func *func;
	uint8_t cap;                 /* offset of the capability */
	uint16_t nr;                 /* vectors */
	uint32_t table_off, pba_off; /* in their BAR */
	uint32_t table[MSIX_MAX][4];
	uint64_t pending[MSIX_MAX / 64];
};

/* Adds the MSI capability: 64-bit addresses, nr vectors (a power of two up to 32), masks per
 * vector. Before the function is reset for the first time. 0 or -errno. */
int msi_init(struct pci_func *f, unsigned nr);

/* Adds the MSI-X capability with nr vectors (1..MSIX_MAX), whose table and pending bits have a
 * BAR `bar` of their own. 0 or -errno. */
int msix_init(struct msix *x, struct pci_func *f, unsigned nr, unsigned bar);
/* The same with both inside a BAR of the function's own, at offsets that are multiples of 8 and
 * do not overlap: it passes accesses on to msix_read() and msix_write(), with offsets in the BAR,
 * where msix_covers() says so. */
int msix_init_in(struct msix *x, struct pci_func *f, unsigned nr, unsigned bar, uint32_t table_off,
		 uint32_t pba_off);
bool msix_covers(const struct msix *x, uint64_t off);
uint64_t msix_read(struct msix *x, uint64_t off, unsigned size);
void msix_write(struct msix *x, uint64_t off, uint64_t val, unsigned size);

/* Software has enabled messages of either kind, so INTx stays quiet. */
bool msi_enabled(const struct pci_func *f);
bool msix_enabled(const struct pci_func *f);
/* Sends the message of a vector by MSI-X, or by MSI (where software may have granted fewer vectors
 * than there are: they wrap around). False when neither is enabled. */
bool msi_notify(struct pci_func *f, unsigned vector);

/* Called by pci.c: after configuration space has changed, and from its tame(). */
void msi_config_changed(struct pci_func *f);
void msi_tame(struct pci_func *f);

#endif
