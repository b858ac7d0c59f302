/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * DEC (Intel) 21143 Fast Ethernet controller (21143 Hardware Reference Manual, 278074), and by its IDs the 21140
 * (21140A Hardware Reference Manual) that Hyper-V's machines of generation 1 have: -device tulip. Its
 * registers behave the same; media are selected by an MII transceiver.
 */
#ifndef HW_NET_TULIP_H
#define HW_NET_TULIP_H

#include "hw/clock.h"
#include "hw/net/eeprom93.h"
#include "hw/net/net.h"
#include "hw/pci.h"

#define TULIP_CSRS    16u
#define TULIP_SETUP   192u /* bytes of a setup frame */
#define TULIP_TX_SIZE 4096u

struct tulip {
	struct pci_func func; /* first */
	struct device state;
	struct net_end end;
	struct clock *clock;
	struct timer timer; /* CSR11 */
	uint8_t mac[NET_MAC_LEN];

	uint32_t csr[TULIP_CSRS];
	struct eeprom93 eeprom;
	uint64_t rx_desc, tx_desc; /* where the next descriptors are */
	uint8_t setup[TULIP_SETUP];
	uint8_t hash_only, inverse, hash_perfect; /* how the setup frame is meant */
	/* The MII's management port: bits shifted so far, and what it answers. */
	uint32_t mii_in;
	uint16_t mii_out;
	uint8_t mii_count, mii_reading, mii_clock;
	uint16_t mii[32];
	uint32_t tx_len;
	uint8_t tx_too_long;
	bool sending;
	uint8_t tx[TULIP_TX_SIZE];
};

/* t->mac and t->end are set. With the IDs of a 21140, or of a 21143. The caller puts it on a bus. */
void tulip_init(struct tulip *t, struct clock *clock, bool as_21140);
void tulip_fini(struct tulip *t);
extern const struct net_end_ops tulip_end_ops;

extern const struct device_type tulip_type;

#endif
