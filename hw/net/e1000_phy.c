/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The 82540EM's PHY, its link, and its EEPROM.
 */
#include <string.h>

#include "hw/net/e1000_impl.h"

/* Full duplex, 1000 Mb/s. */
#define STATUS_BASE 0x80000381u
#define STATUS_LU   2u
enum {
	EECD_SK = 1,
	EECD_CS = 2,
	EECD_DI = 4,
	EECD_DO = 8,
	EECD_REQ = 0x40,
	EECD_GNT = 0x80,
	EECD_PRES = 0x100
};
enum { EERD_START = 1, EERD_DONE = 0x10 };
#define MDIC_WRITE (1u << 26)
#define MDIC_READ  (1u << 27)
#define MDIC_READY (1u << 28)
#define MDIC_INT   (1u << 29)
#define MDIC_ERROR (1u << 30)
enum { RCTL_LBM = 3 << 6 };

/* ---- the PHY (13.3, the Alaska transceiver) ---- */

enum phy_reg {
	PHY_CTRL = 0,
	PHY_STATUS = 1,
	PHY_ID1 = 2,
	PHY_ID2 = 3,
	PHY_ADVERTISE = 4,
	PHY_PARTNER = 5,
	PHY_EXPANSION = 6,
	PHY_NEXT_PAGE = 7,
	PHY_1000_CTRL = 9,
	PHY_1000_STATUS = 10,
	PHY_EXT_STATUS = 15,
	PHY_SPEC_CTRL = 16,
	PHY_SPEC_STATUS = 17,
	PHY_INT_ENABLE = 18,
	PHY_INT_STATUS = 19,
	PHY_EXT_SPEC_CTRL = 20,
	PHY_RX_ERRORS = 21,
};
enum { PC_RESET = 0x8000, PC_LOOPBACK = 0x4000, PC_AUTONEG = 0x1000, PC_RESTART = 0x0200 };
enum { PS_AUTONEG_DONE = 0x20, PS_LINK = 4, PSS_LINK = 0x400, PSS_RESOLVED = 0x800 };

void e1000_phy_reset(struct e1000 *e)
{
	memset(e->phy, 0, sizeof(e->phy));
	e->phy[PHY_CTRL] = 0x1140;
	e->phy[PHY_STATUS] = 0x7949;
	e->phy[PHY_ID1] = 0x0141;
	e->phy[PHY_ID2] = 0x0c20;
	e->phy[PHY_ADVERTISE] = 0x0de1;
	e->phy[PHY_1000_CTRL] = 0x0e00;
	e->phy[PHY_EXT_STATUS] = 0x3000;
	e->phy[PHY_SPEC_CTRL] = 0x0360;
	e->phy[PHY_SPEC_STATUS] = 0xa000; /* 1000 Mb/s, full duplex */
	e->phy[PHY_EXT_SPEC_CTRL] = 0x0d60;
}

/* What PHY and MAC say of the link. */
void e1000_update_link(struct e1000 *e)
{
	bool up = net_link_up(&e->end);

	e->phy[PHY_STATUS] &= (uint16_t) ~(PS_LINK | PS_AUTONEG_DONE);
	e->phy[PHY_SPEC_STATUS] &= (uint16_t) ~(PSS_LINK | PSS_RESOLVED);
	e->phy[PHY_PARTNER] = up ? 0x45e1 : 0;
	e->phy[PHY_EXPANSION] = up ? 1 : 0;
	e->phy[PHY_1000_STATUS] = up ? 0x3c00 : 0;
	if (up) {
		e->phy[PHY_STATUS] |= PS_LINK;
		if (e->phy[PHY_CTRL] & PC_AUTONEG)
			e->phy[PHY_STATUS] |= PS_AUTONEG_DONE;
		e->phy[PHY_SPEC_STATUS] |= PSS_LINK | PSS_RESOLVED;
	}
	*e1000_reg(e, STATUS) = STATUS_BASE | (up ? STATUS_LU : 0);
}

static void phy_write(struct e1000 *e, unsigned reg, uint16_t val)
{
	switch (reg) {
	case PHY_CTRL:
		if (val & PC_RESET) {
			e1000_phy_reset(e);
			e1000_update_link(e);
			e1000_interrupt(e, ICR_LSC);
			return;
		}
		e->phy[reg] = val & (uint16_t)~PC_RESTART & 0xffc0;
		e1000_update_link(e);
		if (val & PC_RESTART)
			e1000_interrupt(e, ICR_LSC);
		break;
	case PHY_ADVERTISE:
	case PHY_NEXT_PAGE:
	case PHY_1000_CTRL:
	case PHY_SPEC_CTRL:
	case PHY_INT_ENABLE:
	case PHY_EXT_SPEC_CTRL:
	case 22: /* pages and tests of the transceiver, which drivers tune */
	case 24:
	case 29:
	case 30:
		e->phy[reg] = val;
		break;
	}
}

void e1000_mdic_write(struct e1000 *e, uint32_t val)
{
	unsigned reg = val >> 16 & 31, phy = val >> 21 & 31;
	uint32_t *mdic = e1000_reg(e, MDIC);

	*mdic = (val & ~(MDIC_ERROR | 0xffffu)) | MDIC_READY;
	if (phy != 1) {
		*mdic |= MDIC_ERROR;
	} else if (val & MDIC_READ) {
		*mdic |= e->phy[reg];
	} else if (val & MDIC_WRITE) {
		*mdic |= val & 0xffff;
		phy_write(e, reg, (uint16_t)val);
	}
	if (val & MDIC_INT)
		e1000_interrupt(e, ICR_MDAC);
}

bool e1000_loopback(const struct e1000 *e)
{
	return e->phy[PHY_CTRL] & PC_LOOPBACK || e1000_get(e, RCTL) & RCTL_LBM;
}

/* ---- the EEPROM (5.6) ---- */

void e1000_fill_eeprom(struct e1000 *e)
{
	uint16_t *w = e->eeprom.word, sum = 0;

	for (unsigned i = 0; i < EEPROM93_WORDS; i++)
		w[i] = 0xffff;
	for (unsigned i = 0; i < 3; i++)
		w[i] = pci_get16(e->mac + 2 * i);
	w[0x03] = 0;      /* compatibility */
	w[0x08] = 0x3000; /* the board's number */
	w[0x09] = 0x1000;
	w[0x0a] = 0x6403; /* IDs below are loaded; no power management */
	w[0x0b] = SUBSYS_DEVICE;
	w[0x0c] = SUBSYS_VENDOR;
	w[0x0d] = DEVICE_ID;
	w[0x0e] = 0x8086;
	w[0x0f] = 0x3040;
	w[0x21] = 0x7862;
	w[0x24] = 0;
	for (unsigned i = 0; i < 0x3f; i++)
		sum = (uint16_t)(sum + w[i]);
	w[0x3f] = (uint16_t)(0xbaba - sum);
}

uint32_t e1000_eecd_read(const struct e1000 *e)
{
	return e1000_get(e, EECD) | EECD_PRES | (eeprom93_out(&e->eeprom) ? EECD_DO : 0);
}

void e1000_eecd_write(struct e1000 *e, uint32_t val)
{
	uint32_t keep = val & (EECD_SK | EECD_CS | EECD_DI | 0x30 | EECD_REQ);

	*e1000_reg(e, EECD) = keep | (val & EECD_REQ ? EECD_GNT : 0);
	eeprom93_pins(&e->eeprom, val & EECD_CS, val & EECD_SK, val & EECD_DI);
}

void e1000_eerd_write(struct e1000 *e, uint32_t val)
{
	unsigned addr = val >> 8 & 0xff;

	*e1000_reg(e, EERD) = val & 0xff00;
	if (val & EERD_START)
		*e1000_reg(e, EERD) |=
		    EERD_DONE | (addr < EEPROM93_WORDS ? (uint32_t)e->eeprom.word[addr] << 16 : 0);
}
