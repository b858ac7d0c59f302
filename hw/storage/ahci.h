/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A SATA host adapter (Serial ATA AHCI 1.3.1; PCI identity of the ICH9, Intel 316972): up to 32 ports
 * with 32 command slots each, native command queuing, ATAPI.
 */
#ifndef HW_STORAGE_AHCI_H
#define HW_STORAGE_AHCI_H

#include "hw/dma_sg.h"
#include "hw/pci.h"
#include "hw/storage/ata.h"
#include "hw/storage/drive_bus.h"

#define AHCI_PORTS    6u
#define AHCI_SLOTS    32u
#define AHCI_TRIM_LEN (64u * ATA_SECTOR)

struct ahci;
struct ahci_port;

/* A command that is under way. */
struct ahci_slot {
	struct ahci_port *port;
	uint8_t n;
	bool busy;
	uint16_t prds;   /* entries in its table */
	uint64_t table;  /* guest-physical, of its command table */
	uint64_t header; /* of its header */
	struct ata_plan plan;
	struct block_req req;
	struct dma_sg sg;
};

struct ahci_port {
	struct ahci *hba;
	unsigned n;
	struct ata_drive drive;
	/* Registers, named as in the specification after "Px". */
	uint32_t clb, clbu, fb, fbu, is, ie, cmd, tfd, sig, ssts, sctl, serr, sact, ci;
	bool halted;      /* after an error, until software clears ST */
	bool told;        /* the signature has been received since the reset */
	bool soft_reset;  /* between the two FISes of a software reset */
	uint32_t running; /* slots of which the block layer has something */
	bool queued;      /* they are of NCQ */
	bool dropping;    /* a reset throws away what ends now */
	struct ahci_slot slot[AHCI_SLOTS];
	struct scsi_cmd packet; /* of the one PACKET command */
	uint32_t trim_at;
	uint8_t trim[AHCI_TRIM_LEN];
};

struct ahci {
	struct pci_func func;
	struct device state;
	char state_name[64];
	uint32_t ghc, is, index;
	struct ahci_port port[AHCI_PORTS];
	struct drive_bus bus[AHCI_PORTS];
};

/* id: of -device, for the names of its ports; NULL: "ide.0" and up. The caller puts func on the bus
 * and calls ahci_added(). 0 or -errno. */
int ahci_init(struct ahci *a, const char *id, struct drive_bus **drives);
/* It has its slot: names its state, which the caller adds to the machine. */
void ahci_added(struct ahci *a);
void ahci_fini(struct ahci *a);

extern const struct device_type ahci_type;

#endif
