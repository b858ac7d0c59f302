/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Realtek RTL8139C+ Fast Ethernet controller (RTL8139C and RTL8139C+ datasheets): -device rtl8139. Frames go by
 * four transmit registers and one receive buffer, or in C+ mode by descriptor rings.
 */
#ifndef HW_NET_RTL8139_H
#define HW_NET_RTL8139_H

#include "hw/clock.h"
#include "hw/net/eeprom93.h"
#include "hw/net/net.h"
#include "hw/pci.h"

#define RTL8139_REGS 256u

struct rtl8139 {
	struct pci_func func; /* first */
	struct device state;
	struct net_end end;
	struct clock *clock;
	struct timer timer; /* TimerInt */
	uint8_t mac[NET_MAC_LEN];

	uint8_t reg[RTL8139_REGS];
	struct eeprom93 eeprom;
	uint64_t timer_base;      /* ns: when TCTR was 0 */
	uint16_t cbr;             /* where the next frame goes in the receive buffer */
	uint8_t rx_desc, tx_desc; /* C+: which is next */
	uint32_t missed;
	uint32_t tx_len; /* C+: of the frame that is being put together */
	uint8_t tx_too_long;
	bool sending;
	uint8_t tx[NET_MAX_FRAME];
};

/* r->mac and r->end are set. The caller puts it on a bus. */
void rtl8139_init(struct rtl8139 *r, struct clock *clock);
void rtl8139_fini(struct rtl8139 *r);
extern const struct net_end_ops rtl8139_end_ops;

extern const struct device_type rtl8139_type;

#endif
