/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What all network cards share: their address and their back end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/net/net.h"

int net_mac_parse(uint8_t mac[NET_MAC_LEN], const char *s)
{
	unsigned v[NET_MAC_LEN];
	int end = 0;

	if (strlen(s) != 17 ||
	    sscanf(s, "%2x:%2x:%2x:%2x:%2x:%2x%n", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5],
		   &end) != 6 ||
	    end != 17)
		return -EINVAL;
	for (unsigned i = 0; i < NET_MAC_LEN; i++)
		mac[i] = (uint8_t)v[i];
	return 0;
}

static int choose_mac(uint8_t mac[NET_MAC_LEN], const struct device_args *args, char *err,
		      size_t errlen)
{
	static const uint8_t first[NET_MAC_LEN] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
	const char *text = arg_str(args, "mac");

	if (!text) {
		memcpy(mac, first, NET_MAC_LEN);
		mac[NET_MAC_LEN - 1] += (uint8_t)(*args->env->nr_macs)++;
		return 0;
	}
	if (net_mac_parse(mac, text) < 0 || net_is_multicast(mac)) {
		snprintf(err, errlen, "-device %s: mac=%s is no address of a card, as %s is",
			 args->spec->type->name, text, "52:54:00:12:34:56");
		return -EINVAL;
	}
	return 0;
}

int net_nic_init(struct net_end *e, const struct device_args *args, const struct net_end_ops *ops,
		 void *self, uint8_t mac[NET_MAC_LEN], char *err, size_t errlen)
{
	struct net_end *back = arg_backend(args, "netdev");
	const char *name = args->spec->id;
	int r = choose_mac(mac, args, err, errlen);

	if (r < 0)
		return r;
	net_end_init(e, *name ? name : args->spec->type->name, ops, self);
	if (!back || (r = net_plug(e, back)) == 0)
		return 0;
	snprintf(err, errlen, "-device %s: netdev %s has a card already", args->spec->type->name,
		 arg_str(args, "netdev"));
	return r;
}

int net_nic_create(void **self, const struct net_nic *nic, const struct device_args *args,
		   char *err, size_t errlen)
{
	uint8_t *card = calloc(1, nic->size);
	int r;

	if (!card)
		return -ENOMEM;
	r = net_nic_init((struct net_end *)(card + nic->end), args, nic->ops, card, card + nic->mac,
			 err, errlen);
	if (r < 0) {
		free(card);
		return r;
	}
	nic->init(card, args);
	r = device_add_pci(args, (struct pci_func *)(card + nic->func),
			   (struct device *)(card + nic->state), err, errlen);
	if (r < 0) {
		args->spec->type->destroy(card);
		return r;
	}
	*self = card;
	return 0;
}
