/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Intel 82540EM Gigabit Ethernet controller (PCI/PCI-X Family of Gigabit Ethernet Controllers Software
 * Developer's Manual, 317453): -device e1000.
 */
#ifndef HW_NET_E1000_H
#define HW_NET_E1000_H

#include "hw/clock.h"
#include "hw/net/eeprom93.h"
#include "hw/net/net.h"
#include "hw/pci.h"

#define E1000_REGS 0x1800u /* 32-bit registers, of which most are nothing */
#define E1000_PHYS 32u

/* The transmit context (3.3.6). */
struct e1000_context {
	uint8_t ipcss, ipcso, tucss, tucso;
	uint16_t ipcse, tucse, mss;
	uint8_t tucmd, hdr_len;
};

struct e1000 {
	struct pci_func func; /* first */
	struct device state;
	struct net_end end;
	struct clock *clock;
	struct timer throttle, more; /* more: goes on sending */
	uint8_t mac[NET_MAC_LEN];

	uint32_t reg[E1000_REGS]; /* by offset / 4 */
	uint16_t phy[E1000_PHYS];
	struct eeprom93 eeprom;
	uint32_t io_addr;                   /* IOADDR */
	uint64_t next_irq;                  /* ns: not before that */
	uint8_t irq;                        /* level of the pin */
	struct e1000_context tx_context[2]; /* of segmentation, and of checksums only */
	/* The frame that is being put together from descriptors. */
	uint32_t tx_len;
	uint8_t tx_popts, tx_tse, tx_too_long;
	bool sending;
	uint8_t tx[NET_MAX_FRAME];
};

/* e->mac and e->end are set. The caller puts it on a bus. */
void e1000_init(struct e1000 *e, struct clock *clock);
void e1000_fini(struct e1000 *e);
extern const struct net_end_ops e1000_end_ops;

extern const struct device_type e1000_type;

#endif
