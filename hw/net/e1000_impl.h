/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Between the parts of the 82540EM: registers and interrupts (e1000.c), PHY and EEPROM (e1000_phy.c), sending
 * (e1000_tx.c), receiving (e1000_rx.c). Names and chapters are those of the manual.
 */
#ifndef HW_NET_E1000_IMPL_H
#define HW_NET_E1000_IMPL_H

#include "hw/net/e1000.h"

enum e1000_reg {
	CTRL = 0x0000,
	STATUS = 0x0008,
	EECD = 0x0010,
	EERD = 0x0014,
	CTRL_EXT = 0x0018,
	MDIC = 0x0020,
	FCAL = 0x0028,
	FCAH = 0x002c,
	FCT = 0x0030,
	VET = 0x0038,
	ICR = 0x00c0,
	ITR = 0x00c4,
	ICS = 0x00c8,
	IMS = 0x00d0,
	IMC = 0x00d8,
	RCTL = 0x0100,
	FCTTV = 0x0170,
	TXCW = 0x0178,
	TCTL = 0x0400,
	TIPG = 0x0410,
	AIT = 0x0458,
	LEDCTL = 0x0e00,
	PBA = 0x1000,
	FCRTL = 0x2160,
	FCRTH = 0x2168,
	RDBAL = 0x2800,
	RDBAH = 0x2804,
	RDLEN = 0x2808,
	RDH = 0x2810,
	RDT = 0x2818,
	RDTR = 0x2820,
	RXDCTL = 0x2828,
	RADV = 0x282c,
	RSRPD = 0x2c00,
	TDBAL = 0x3800,
	TDBAH = 0x3804,
	TDLEN = 0x3808,
	TDH = 0x3810,
	TDT = 0x3818,
	TIDV = 0x3820,
	TXDCTL = 0x3828,
	TADV = 0x382c,
	TSPMT = 0x3830,
	/* Statistics, cleared when read (13.7). */
	STATS = 0x4000,
	MPC = 0x4010,
	PRC64 = 0x405c,
	GPRC = 0x4074,
	BPRC = 0x4078,
	MPRC = 0x407c,
	GPTC = 0x4080,
	GORCL = 0x4088,
	GOTCL = 0x4090,
	RNBC = 0x40a0,
	ROC = 0x40ac,
	TORL = 0x40c0,
	TOTL = 0x40c8,
	TPR = 0x40d0,
	TPT = 0x40d4,
	PTC64 = 0x40d8,
	MPTC = 0x40f0,
	BPTC = 0x40f4,
	TSCTC = 0x40f8,
	STATS_END = 0x4130,
	RXCSUM = 0x5000,
	MTA = 0x5200,
	RA = 0x5400,
	VFTA = 0x5600,
	WUC = 0x5800,
	WUFC = 0x5808,
	MANC = 0x5820,
};
enum { DEVICE_ID = 0x100e, SUBSYS_VENDOR = 0x1af4, SUBSYS_DEVICE = 0x1100 };
enum { MTA_WORDS = 128, RA_ENTRIES = 16, VFTA_WORDS = 128 };

#define CTRL_VME (1u << 30)
#define RCTL_EN  (1u << 1)
#define TCTL_EN  (1u << 1)

/* Causes of interrupts (13.4.17). */
enum {
	ICR_TXDW = 1 << 0,
	ICR_TXQE = 1 << 1,
	ICR_LSC = 1 << 2,
	ICR_RXDMT0 = 1 << 4,
	ICR_RXO = 1 << 6,
	ICR_RXT0 = 1 << 7,
	ICR_MDAC = 1 << 9
};

enum { DESC_LEN = 16, FCS_LEN = 4, VLAN_LEN = 4 };

static inline uint32_t *e1000_reg(struct e1000 *e, unsigned off)
{
	return &e->reg[off / 4];
}
static inline uint32_t e1000_get(const struct e1000 *e, unsigned off)
{
	return e->reg[off / 4];
}

/* ---- e1000.c ---- */

void e1000_interrupt(struct e1000 *e, uint32_t causes);
/* Adds to a statistics register, which stays at its highest value. */
void e1000_count(struct e1000 *e, unsigned reg, uint32_t n);
/* Adds to one of 64 bits. */
void e1000_count64(struct e1000 *e, unsigned reg, uint64_t n);
/* Of the registers of packets by size: first is that of 64 bytes. len is with FCS. */
void e1000_count_size(struct e1000 *e, unsigned first, size_t len);

/* ---- e1000_phy.c ---- */

void e1000_phy_reset(struct e1000 *e);
/* Brings the PHY and STATUS up to date with the link. */
void e1000_update_link(struct e1000 *e);
void e1000_mdic_write(struct e1000 *e, uint32_t val);
bool e1000_loopback(const struct e1000 *e);
/* With the card's address. */
void e1000_fill_eeprom(struct e1000 *e);
uint32_t e1000_eecd_read(const struct e1000 *e);
void e1000_eecd_write(struct e1000 *e, uint32_t val);
void e1000_eerd_write(struct e1000 *e, uint32_t val);

/* ---- e1000_tx.c ---- */

/* Sends what the ring has. */
void e1000_send(struct e1000 *e);

/* ---- e1000_rx.c ---- */

bool e1000_receive(struct e1000 *e, const struct iovec *iov, unsigned nr);
bool e1000_can_receive(const struct e1000 *e);

#endif
