/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Frame information structures from the device, as the adapter puts them into memory (AHCI 1.3.1,
 * 4.2.1; Serial ATA 3.0, 10.3).
 */
#include <string.h>

#include "hw/storage/ahci_impl.h"

enum { FIS_D2H = 0x34, FIS_PIO_SETUP = 0x5f, FIS_SDB = 0xa1 };
enum { AT_PIO_SETUP = 0x20, AT_D2H = 0x40, AT_SDB = 0x58 };
enum { FIS_TO_HOST = 0x20, FIS_INTERRUPT = 0x40 };

static void store(struct ahci_port *p, unsigned at, const void *fis, unsigned len)
{
	if (p->cmd & CMD_FRE)
		pci_dma_write(&p->hba->func, ((uint64_t)p->fbu << 32 | p->fb) + at, fis, len);
}

static void fill(uint8_t *fis, uint8_t type, uint8_t flags, const struct ata_regs *r)
{
	fis[0] = type;
	fis[1] = flags;
	fis[2] = r->status;
	fis[3] = r->error;
	fis[4] = r->lba_low;
	fis[5] = r->lba_mid;
	fis[6] = r->lba_high;
	fis[7] = r->device;
	fis[8] = r->hob_lba_low;
	fis[9] = r->hob_lba_mid;
	fis[10] = r->hob_lba_high;
	fis[12] = r->count;
	fis[13] = r->hob_count;
}

static void set_tfd(struct ahci_port *p)
{
	p->tfd = p->drive.r.status | (uint32_t)p->drive.r.error << 8;
}

void ahci_send_d2h(struct ahci_port *p, bool interrupt)
{
	const struct ata_regs *r = &p->drive.r;
	uint8_t fis[20] = {0};

	fill(fis, FIS_D2H, interrupt ? FIS_INTERRUPT : 0, r);
	store(p, AT_D2H, fis, sizeof(fis));
	set_tfd(p);
	if (interrupt)
		ahci_interrupt(p, IS_DHRS | (r->status & ATA_ERR ? IS_TFES : 0));
}

void ahci_send_pio_setup(struct ahci_port *p, uint64_t len, bool to_host)
{
	const struct ata_regs *r = &p->drive.r;
	uint8_t fis[20] = {0};

	fill(fis, FIS_PIO_SETUP, (uint8_t)(FIS_INTERRUPT | (to_host ? FIS_TO_HOST : 0)), r);
	fis[2] = ATA_DRDY | ATA_DSC | ATA_DRQ;
	fis[15] = r->status;
	pci_set16(fis + 16, (uint16_t)len);
	store(p, AT_PIO_SETUP, fis, sizeof(fis));
	ahci_interrupt(p, IS_PSS);
}

void ahci_send_sdb(struct ahci_port *p, uint32_t done)
{
	const struct ata_regs *r = &p->drive.r;
	uint8_t fis[8] = {FIS_SDB, FIS_INTERRUPT, r->status & 0x77, r->error};

	pci_set32(fis + 4, done);
	store(p, AT_SDB, fis, sizeof(fis));
	p->tfd = (p->tfd & 0x88) | (r->status & 0x77) | (uint32_t)r->error << 8;
	p->sact &= ~done;
	ahci_interrupt(p, IS_SDBS | (r->status & ATA_ERR ? IS_TFES : 0));
}
