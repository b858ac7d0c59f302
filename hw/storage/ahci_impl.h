/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Between the registers of the host adapter (ahci.c), the commands of a port (ahci_port.c) and what
 * it writes for the driver (ahci_fis.c).
 */
#ifndef HW_STORAGE_AHCI_IMPL_H
#define HW_STORAGE_AHCI_IMPL_H

#include "hw/storage/ahci.h"

enum ahci_cmd_bit {
	CMD_ST = 1 << 0,
	CMD_SUD = 1 << 1,
	CMD_POD = 1 << 2,
	CMD_CLO = 1 << 3,
	CMD_FRE = 1 << 4,
	CMD_FR = 1 << 14,
	CMD_CR = 1 << 15,
	CMD_ATAPI = 1 << 24,
};
#define CMD_CCS 0x1f00u

enum ahci_is_bit {
	IS_DHRS = 1 << 0, /* device to host register FIS */
	IS_PSS = 1 << 1,  /* PIO setup FIS */
	IS_SDBS = 1 << 3, /* set device bits FIS */
	IS_DPS = 1 << 5,  /* descriptor processed */
	IS_PCS = 1 << 6,  /* port connect change */
	IS_PRCS = 1 << 22,
	IS_IFS = 1 << 27,  /* interface fatal error */
	IS_HBDS = 1 << 28, /* host bus data error */
	IS_HBFS = 1 << 29, /* host bus fatal error */
	IS_TFES = 1 << 30, /* task file error */
};

enum { SERR_DIAG_X = 1 << 26, SERR_DIAG_N = 1 << 16 };
enum { SSTS_PRESENT = 0x113 }; /* 1.5 Gbit/s, active */

/* Adds causes to PxIS and tells the driver. */
void ahci_interrupt(struct ahci_port *p, uint32_t causes);

/* Register, PIO setup and set device bits FIS into the driver's memory; the task file register
 * follows the first two. */
void ahci_send_d2h(struct ahci_port *p, bool interrupt);
void ahci_send_pio_setup(struct ahci_port *p, uint64_t len, bool to_host);
void ahci_send_sdb(struct ahci_port *p, uint32_t done);

/* Starts what is in PxCI and can start now. */
void ahci_issue(struct ahci_port *p);
/* Waits for what is under way and forgets it. */
void ahci_drop(struct ahci_port *p);
/* COMRESET, or power-on. */
void ahci_port_reset(struct ahci_port *p);

#endif
