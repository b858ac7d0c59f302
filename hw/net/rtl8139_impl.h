/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Between the parts of the RTL8139C+: registers (rtl8139.c), frames (rtl8139_rx.c, rtl8139_tx.c).
 */
#ifndef HW_NET_RTL8139_IMPL_H
#define HW_NET_RTL8139_IMPL_H

#include "hw/net/rtl8139.h"

enum rtl8139_reg {
	IDR0 = 0x00,
	MAR0 = 0x08,
	TSD0 = 0x10,
	TSAD0 = 0x20,
	TNPDS = 0x20, /* C+: ring of normal priority; the other one is at THPDS */
	RBSTART = 0x30,
	CR = 0x37,
	CAPR = 0x38,
	CBR = 0x3a,
	IMR = 0x3c,
	ISR = 0x3e,
	TCR = 0x40,
	RCR = 0x44,
	TCTR = 0x48,
	MPC = 0x4c,
	CR9346 = 0x50,
	CONFIG0 = 0x51,
	CONFIG1 = 0x52,
	TIMER_INT = 0x54,
	MSR = 0x58,
	CONFIG3 = 0x59,
	CONFIG4 = 0x5a,
	TSAD = 0x60,
	BMCR = 0x62,
	BMSR = 0x64,
	ANAR = 0x66,
	ANLPAR = 0x68,
	ANER = 0x6a,
	CONFIG5 = 0xd8,
	TPPOLL = 0xd9,
	CPCR = 0xe0,
	RDSAR = 0xe4,
};

enum { CR_BUFE = 1, CR_TE = 4, CR_RE = 8, CR_RST = 0x10 };
enum {
	INT_ROK = 0x0001,
	INT_TOK = 0x0004,
	INT_RX_FULL = 0x0010,
	INT_LINK = 0x0020,
	INT_TDU = 0x0080,
	INT_SOFT = 0x0100,
	INT_TIMEOUT = 0x4000,
};
enum { CPCR_TX = 1, CPCR_RX = 2, CPCR_CSUM = 0x20, CPCR_VLAN = 0x40 };
#define TCR_LOOPBACK (3u << 17)

enum { FCS_LEN = 4, DESC_LEN = 16, DESCS = 64, VLAN_LEN = 4, TYPE_AT = 12 };
#define DESC_OWN (1u << 31)
#define DESC_EOR (1u << 30)

static inline uint16_t rtl8139_get16(const struct rtl8139 *r, unsigned reg)
{
	return pci_get16(r->reg + reg);
}
static inline uint32_t rtl8139_get32(const struct rtl8139 *r, unsigned reg)
{
	return pci_get32(r->reg + reg);
}
static inline uint64_t rtl8139_ring(const struct rtl8139 *r, unsigned reg)
{
	return (rtl8139_get32(r, reg) | (uint64_t)rtl8139_get32(r, reg + 4) << 32) & ~255ull;
}

/* ---- rtl8139.c ---- */

void rtl8139_interrupt(struct rtl8139 *r, uint16_t causes);

/* ---- rtl8139_tx.c ---- */

/* Sends what transmit status register n describes. */
void rtl8139_send(struct rtl8139 *r, unsigned n);
/* C+: what the ring of normal priority has. */
void rtl8139_send_ring(struct rtl8139 *r);

/* ---- rtl8139_rx.c ---- */

bool rtl8139_receive(struct rtl8139 *r, const struct iovec *iov, unsigned nr);
bool rtl8139_can_receive(const struct rtl8139 *r);
/* Nothing is in the receive buffer. */
bool rtl8139_buffer_empty(const struct rtl8139 *r);

#endif
