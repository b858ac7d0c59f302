/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * -netdev hubport: a port of a hub, for a card or for another back end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/netdev.h"
#include "frontend/options_dev.h"
#include "hw/net/hub.h"

struct hubport {
	struct netdev d;
	struct net_hub_port port;
	unsigned long hubid;
};

static void hubport_close(struct netdev *d)
{
	struct hubport *h = (struct hubport *)d;

	net_hub_remove(&h->port);
	free(h);
}

static void describe(const struct netdev *d, char *text, size_t len)
{
	const struct hubport *h = (const struct hubport *)d;

	snprintf(text, len, "hubid=%lu,vlan=%u", h->hubid, h->port.vlan);
}

static int parse_number(const char *s, unsigned long max, unsigned long *out)
{
	char *end;

	if (*s < '0' || *s > '9')
		return -1;
	*out = strtoul(s, &end, 10);
	return *end || *out > max ? -1 : 0;
}

int net_hubport_open(struct netdev **out, const struct netdev_spec *s, const struct netdev_env *env,
		     char *err, size_t errlen)
{
	const char *at = s->properties;
	struct net_end *other = NULL;
	unsigned long vlan = 0, id = 0;
	bool has_id = false;
	struct net_hub *hub;
	struct hubport *h;
	struct keyval kv;

	while (next_keyval(&at, &kv)) {
		if (strcmp(kv.key, "hubid") == 0 && parse_number(kv.val, INT32_MAX, &id) == 0) {
			has_id = true;
		} else if (strcmp(kv.key, "vlan") == 0) {
			if (parse_number(kv.val, NET_VLAN_MAX, &vlan) < 0)
				return netdev_fail(s, err, errlen, "vlan=%s is not 0 to %u", kv.val,
						   NET_VLAN_MAX);
		} else if (strcmp(kv.key, "netdev") == 0) {
			other = netdevs_find(env->set, kv.val);
			if (!other)
				return netdev_fail(s, err, errlen,
						   "there is no netdev %s before it", kv.val);
			if (other->peer)
				return netdev_fail(s, err, errlen, "netdev %s is in use already",
						   kv.val);
		} else {
			return netdev_fail(s, err, errlen,
					   "%s=%s is not known (hubid, vlan, netdev)", kv.key,
					   kv.val);
		}
	}
	if (!has_id)
		return netdev_fail(s, err, errlen, "it needs hubid=");
	hub = netdevs_hub(env->set, id);
	h = hub ? calloc(1, sizeof(*h)) : NULL;
	if (!h)
		return netdev_fail(s, err, errlen, "there can be no more than %d hubs", MAX_HUBS);
	net_hub_add(hub, &h->port, s->id, (uint16_t)vlan);
	h->hubid = id;
	h->d.end = &h->port.end;
	h->d.close = hubport_close;
	h->d.describe = describe;
	if (other)
		net_plug(&h->port.end, other);
	*out = &h->d;
	return 0;
}
