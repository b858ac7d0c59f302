/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The IDE function of the PIIX3 (Intel 290550): two channels at the ports of the PC/AT, with bus-master
 * DMA.
 */
#ifndef HW_STORAGE_PIIX_IDE_H
#define HW_STORAGE_PIIX_IDE_H

#include "hw/storage/drive_bus.h"
#include "hw/storage/ide.h"

struct piix_ide {
	struct pci_func func;
	struct ide_channel channel[2];
	struct drive_bus bus[2];
};

/* irq: of the two channels. Claims the ports and adds the buses to the board's list; the board puts
 * the function on the bus, and adds func.dev and both channel[].dev to the machine. 0 or -errno. */
int piix_ide_init(struct piix_ide *p, struct aspace *io, const struct irq_pin irq[2],
		  struct drive_bus **drives);
void piix_ide_fini(struct piix_ide *p);

#endif
