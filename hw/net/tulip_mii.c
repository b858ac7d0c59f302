/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The serial ROM (Digital Semiconductor 21X4 Serial ROM Format 4.05) and the MII transceiver's management port
 * (IEEE 802.3, 22.2.4.5), both by the pins in CSR9.
 */
#include <string.h>

#include "hw/net/net_check.h"
#include "hw/net/tulip_impl.h"

enum { PHY_ADDR = 1, BMCR = 0, BMSR = 1, ANAR = 4, ANLPAR = 5, ANER = 6 };
enum { BMCR_RESET = 0x8000, BMCR_RESTART = 0x0200, BMSR_BASE = 0x7809, BMSR_UP = 0x24 };
enum { START_BITS = 1, COMMAND_BITS = 14, WRITE_BITS = 32, READ_EDGES = 17 };
enum { SROM_BYTES = 128, SROM_CRC = 126, LEAF = 30 };

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

/* One controller with one medium: the transceiver, which senses by itself. */
void tulip_fill_srom(struct tulip *t, bool is_21140)
{
	uint8_t b[SROM_BYTES] = {0}, *p = b + LEAF, *block;

	put16(b, pci_get16(t->func.start + PCI_SUBSYS_VENDOR));
	put16(b + 2, pci_get16(t->func.start + PCI_SUBSYS_DEVICE));
	b[18] = 4; /* format */
	b[19] = 1; /* controllers */
	memcpy(b + 20, t->mac, NET_MAC_LEN);
	b[26] = 0; /* device number */
	put16(b + 27, LEAF);
	put16(p, 0x0800); /* autosense */
	p += 2;
	if (is_21140)
		*p++ = 0; /* general purpose pins are inputs */
	*p++ = 1;         /* blocks */
	block = p++;
	*p++ = is_21140 ? 1 : 3; /* MII */
	*p++ = 0;                /* transceiver: the first */
	*p++ = 0;                /* no sequence of pins to select it */
	*p++ = 0;                /* and none to reset it */
	put16(p, 0x7800);        /* media: 10 and 100 Mb/s, half and full duplex */
	put16(p + 2, 0x01e0);    /* what is advertised */
	put16(p + 4, 0x5000);    /* full duplex of them */
	put16(p + 6, 0x1800);    /* 10 Mb/s of them */
	p += 8;
	if (!is_21140)
		*p++ = 0; /* no interrupt pin */
	*block = (uint8_t)(0x80 | (p - block - 1));
	put16(b + SROM_CRC, ~net_crc(b, SROM_CRC));
	for (unsigned i = 0; i < EEPROM93_WORDS; i++)
		t->eeprom.word[i] = pci_get16(b + 2 * i);
}

/* ---- the transceiver ---- */

void tulip_mii_link(struct tulip *t, bool up)
{
	t->mii[BMSR] = (uint16_t)(BMSR_BASE | (up ? BMSR_UP : 0));
	t->mii[ANLPAR] = up ? 0x45e1 : 0;
	t->mii[ANER] = up ? 1 : 0;
}

static void phy_reset(struct tulip *t)
{
	memset(t->mii, 0, sizeof(t->mii));
	t->mii[BMCR] = 0x3100; /* 100 Mb/s, negotiated, full duplex */
	t->mii[2] = 0x2000;    /* DP83840 */
	t->mii[3] = 0x5c01;
	t->mii[ANAR] = 0x01e1;
	tulip_mii_link(t, net_link_up(&t->end));
}

void tulip_mii_reset(struct tulip *t)
{
	t->mii_in = t->mii_out = 0;
	t->mii_count = t->mii_reading = t->mii_clock = 0;
	phy_reset(t);
}

static void phy_write(struct tulip *t, unsigned reg, uint16_t val)
{
	if (reg == BMCR && val & BMCR_RESET)
		phy_reset(t);
	else if (reg == BMCR)
		t->mii[BMCR] = val & 0x3d80;
	else if (reg == ANAR)
		t->mii[ANAR] = val;
}

/* A bit from the host. A frame is 01, operation, transceiver, register, turn-around, data; ones before it. */
static void mii_bit(struct tulip *t, bool bit)
{
	unsigned op, phy, reg;

	if (t->mii_count == 0 && bit)
		return;
	if (t->mii_count == START_BITS && !bit) /* no start: this zero may begin one */
		return;
	t->mii_in = t->mii_in << 1 | bit;
	t->mii_count++;
	if (t->mii_count == COMMAND_BITS && (t->mii_in >> 10 & 3) == 2) {
		phy = t->mii_in >> 5 & 31;
		reg = t->mii_in & 31;
		t->mii_out = phy == PHY_ADDR ? t->mii[reg] : 0xffff;
		t->mii_reading = 1;
		t->mii_count = 0;
	} else if (t->mii_count == WRITE_BITS) {
		op = t->mii_in >> 28 & 3;
		phy = t->mii_in >> 23 & 31;
		reg = t->mii_in >> 18 & 31;
		if (op == 1 && phy == PHY_ADDR)
			phy_write(t, reg, (uint16_t)t->mii_in);
		t->mii_count = 0;
	}
}

/* What the transceiver drives: the second bit of the turn-around after the first edge, then data. */
static bool mii_line(const struct tulip *t)
{
	unsigned edges = t->mii_reading;

	if (edges < 2 || edges > READ_EDGES + 1)
		return true;
	return edges == 2 ? false : t->mii_out >> (READ_EDGES + 1 - edges) & 1;
}

static void mii_edge(struct tulip *t, uint32_t val)
{
	if (!t->mii_reading)
		mii_bit(t, val & MII_DO);
	else if (!(val & MII_IN) || t->mii_reading > READ_EDGES) /* it is over */
		t->mii_reading = 0;
	else
		t->mii_reading++;
}

/* ---- CSR9 ---- */

void tulip_csr9_write(struct tulip *t, uint32_t val)
{
	bool clk = val & MII_CLK;

	t->csr[9] = val;
	eeprom93_pins(&t->eeprom, val & SROM_CS && val & SROM_SELECT, val & SROM_CLK,
		      val & SROM_DI);
	if (clk && !t->mii_clock)
		mii_edge(t, val);
	t->mii_clock = clk;
}

uint32_t tulip_csr9_read(const struct tulip *t)
{
	return (t->csr[9] & ~(uint32_t)(SROM_DO | MII_DI)) |
	       (eeprom93_out(&t->eeprom) ? SROM_DO : 0) | (mii_line(t) ? MII_DI : 0);
}
