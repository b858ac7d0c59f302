/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A driver for the 82540EM (PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual, 3.2, 3.3
 * and 13.4).
 */
#include "roms/bench/nic.h"

#define E1000 0x100e8086u

enum { BAR0 = 0x10, DESC_LEN = 16 };
enum reg {
	CTRL = 0,
	ICR = 0xc0,
	IMS = 0xd0,
	RCTL = 0x100,
	TCTL = 0x400,
	RDBAL = 0x2800,
	RDLEN = 0x2808,
	RDT = 0x2818,
	TDBAL = 0x3800,
	TDLEN = 0x3808,
	TDT = 0x3818,
};
enum { CTRL_SLU = 0x40, ICR_RXT0 = 0x80, RCTL_EN = 2, RCTL_UPE = 8, TCTL_EN = 2, TCTL_PSP = 8 };
#define RCTL_SECRC (1u << 26)
enum { TX_EOP = 1, TX_IFCS = 2, RX_DD = 1 };

struct rx_desc {
	uint64_t addr;
	uint16_t len, csum;
	uint8_t status, errors;
	uint16_t special;
};

struct tx_desc {
	uint64_t addr;
	uint16_t len;
	uint8_t cso, cmd, status, css;
	uint16_t special;
};

static volatile struct rx_desc rx[NIC_BUFFERS] __attribute__((aligned(128)));
static struct tx_desc tx[NIC_BUFFERS] __attribute__((aligned(128)));
static uint8_t buffers[NIC_BUFFERS][NIC_BUFFER] __attribute__((aligned(4096)));
static uint64_t regs;
static unsigned head, tail;

static void queue(const struct bench_frame *f, uint32_t len)
{
	tx[tail] =
	    (struct tx_desc){.addr = (uint64_t)f, .len = (uint16_t)len, .cmd = TX_EOP | TX_IFCS};
	tail = (tail + 1) % NIC_BUFFERS;
}

static void kick(void)
{
	mmio_write(regs + TDT, tail);
}

static const struct bench_frame *next(uint32_t *len)
{
	if (!(rx[head].status & RX_DD))
		return 0;
	*len = rx[head].len;
	return (struct bench_frame *)buffers[head];
}

static void done(void)
{
	rx[head].status = 0;
	/* The one before the head stays the driver's: the ring would look empty. */
	if (head % NIC_BATCH == 0)
		mmio_write(regs + RDT, head);
	head = (head + 1) % NIC_BUFFERS;
}

static bool take_interrupt(void)
{
	return mmio_read(regs + ICR);
}

static const struct nic nic = {queue, kick, next, done, take_interrupt};

const struct nic *e1000_nic(void)
{
	int dev = pci_start(E1000);

	if (dev < 0)
		return 0;
	regs = pci_read((unsigned)dev, BAR0) & ~15u;
	for (unsigned n = 0; n < NIC_BUFFERS; n++)
		rx[n].addr = (uint64_t)buffers[n];
	mmio_write(regs + CTRL, mmio_read(regs + CTRL) | CTRL_SLU);
	mmio_write(regs + RDBAL, (uint32_t)(uint64_t)rx);
	mmio_write(regs + RDLEN, sizeof(rx));
	mmio_write(regs + TDBAL, (uint32_t)(uint64_t)tx);
	mmio_write(regs + TDLEN, sizeof(tx));
	mmio_write(regs + TCTL, TCTL_EN | TCTL_PSP);
	mmio_write(regs + RCTL, RCTL_EN | RCTL_UPE | RCTL_SECRC);
	mmio_write(regs + RDT, NIC_BUFFERS - 1);
	mmio_write(regs + IMS, ICR_RXT0);
	return &nic;
}
