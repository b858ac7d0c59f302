/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The memory controller hub of Q35 (82G33 and relatives), function 00:00.0: shadow RAM and the
 * extended configuration space of PCI Express.
 */
#ifndef HW_Q35_H
#define HW_Q35_H

#include "hw/pam.h"
#include "hw/pci.h"
#include "hw/smram.h"

#define Q35_ECAM_BASE 0xb0000000u /* where q35_start() puts it */

struct q35 {
	struct pci_func host;
	struct pam *pam;
	struct smram *smram; /* NULL without system management mode */
	uint64_t ecam_base, ecam_size; /* as mapped; size 0: it is not */
};

int q35_init(struct q35 *q, struct pci_bus *bus, struct pam *pam);
/* The registers of system management mode do something from the next reset on. Borrowed. */
void q35_set_smram(struct q35 *q, struct smram *smram);
/* What firmware would set up. */
void q35_start(struct q35 *q);

#endif
