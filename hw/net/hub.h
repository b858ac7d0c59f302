/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A hub: what comes in at one port goes out at all others, or, where ports belong to VLANs (IEEE
 * 802.1Q), at those of the same one.
 */
#ifndef HW_NET_HUB_H
#define HW_NET_HUB_H

#include "hw/net/net.h"

struct net_hub;

#define NET_VLAN_ALL 0u /* a port that sees all frames, with their tags */
#define NET_VLAN_MAX 4094u

struct net_hub_port {
	struct net_end end; /* a card or another back end is plugged in here */
	struct net_hub *hub;
	struct net_hub_port *next;
	uint16_t vlan;
};

/* NULL: out of memory. */
struct net_hub *net_hub_new(void);
/* All its ports must have gone. */
void net_hub_free(struct net_hub *h);
/* vlan 1..NET_VLAN_MAX: the port sends and receives frames without tags, which are of that VLAN among
 * ports that see all. */
void net_hub_add(struct net_hub *h, struct net_hub_port *p, const char *name, uint16_t vlan);
void net_hub_remove(struct net_hub_port *p);

#endif
