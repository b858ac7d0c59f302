/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The list of back ends: by option, and opened.
 */
#include "frontend/netdev.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/options_dev.h"
#include "hw/machine.h"
#include "hw/net/hub.h"

static const struct {
	const char *name;
	netdev_open_fn *open;
} types[] = {
    {"user", net_user_open},     {"stream", net_stream_open}, {"dgram", net_dgram_open},
    {"socket", net_socket_open}, {"tap", net_tap_open},       {"hubport", net_hubport_open},
};

#define NR_TYPES (sizeof(types) / sizeof(types[0]))

struct netdev_set {
	struct netdev *first, **last;
	struct {
		unsigned long id;
		struct net_hub *hub;
	} hubs[MAX_HUBS];
	unsigned nr_hubs;
	struct net_dump *dumps[MAX_DUMPS];
	unsigned nr_dumps;
};

/* ---- options ---- */

static bool append(char *text, size_t size, const struct keyval *kv)
{
	size_t len = strlen(text);
	int n = snprintf(text + len, size - len, "%s%s%s", len ? "," : "", kv->key,
			 kv->has_val ? "=" : "");

	len += (size_t)n;
	if (n < 0 || len >= size)
		return false;
	for (const char *c = kv->val; *c; c++) {
		if (len + 3 > size)
			return false;
		text[len++] = *c;
		if (*c == ',')
			text[len++] = ',';
	}
	text[len] = 0;
	return true;
}

static int type_find(const char *name)
{
	for (size_t i = 0; i < NR_TYPES; i++)
		if (strcmp(types[i].name, name) == 0)
			return (int)i;
	return -1;
}

static int unknown_type(struct parse *p, const char *option, const char *name)
{
	const char *names[NR_TYPES + 1] = {NULL}, *near;

	for (size_t i = 0; i < NR_TYPES; i++)
		names[i] = types[i].name;
	near = nearest_name(name, names);
	if (near)
		return fail(p, "%s %s is not known; did you mean %s?", option, name, near);
	return fail(p, "%s %s is not supported; -netdev help lists what is", option, name);
}

/* A back end of that type; id NULL: the user gave it, or one is made up. */
static struct netdev_spec *new_spec(struct parse *p, const char *option, const char *type)
{
	struct netdevs *n = &p->o->netdevs;
	struct netdev_spec *s = &n->spec[n->nr];

	if (type_find(type) < 0) {
		unknown_type(p, option, type);
		return NULL;
	}
	if (n->nr == MAX_NETDEVS) {
		fail(p, "%s: at most %d are supported", option, MAX_NETDEVS);
		return NULL;
	}
	memset(s, 0, sizeof(*s));
	snprintf(s->type, sizeof(s->type), "%s", type);
	n->nr++;
	return s;
}

static int set_id(struct parse *p, struct netdev_spec *s, const char *option, const char *id)
{
	if (!*id || strlen(id) >= sizeof(s->id))
		return fail(p, "%s: id=%s is not 1 to 63 characters", option, id);
	for (unsigned i = 0; i < p->o->netdevs.nr; i++)
		if (strcmp(p->o->netdevs.spec[i].id, id) == 0)
			return fail(p, "%s: there are two with id=%s", option, id);
	strcpy(s->id, id);
	return 0;
}

static int set_throttling(struct parse *p, struct netdev_spec *s, const char *option,
			  const struct keyval *kv)
{
	const char *which = kv->key + 11;
	uint64_t *to = strcmp(which, "bps-in") == 0    ? &s->bps_in
		       : strcmp(which, "bps-out") == 0 ? &s->bps_out
						       : NULL;

	if (!to)
		return fail(p, "%s: %s is not known (throttling.bps-in, throttling.bps-out)",
			    option, kv->key);
	if (parse_size(kv->val, 1, to) < 0 || *to > NET_MAX_RATE || (*to && *to < 1000))
		return fail(p, "%s: %s=%s is no number of bytes a second from 1000 up", option,
			    kv->key, kv->val);
	return 0;
}

static int set_property(struct parse *p, struct netdev_spec *s, const char *option,
			const struct keyval *kv)
{
	if (strcmp(kv->key, "id") == 0)
		return set_id(p, s, option, kv->val);
	if (strncmp(kv->key, "throttling.", 11) == 0)
		return set_throttling(p, s, option, kv);
	if (!append(s->properties, sizeof(s->properties), kv))
		return fail(p, "%s %s: its properties are too long", option, s->type);
	return 0;
}

int on_netdev(struct parse *p, const char *arg)
{
	struct netdev_spec *s;
	struct keyval kv;

	if (is_help(arg)) {
		p->o->action = ACT_NETDEV_HELP;
		return 0;
	}
	if (!next_keyval(&arg, &kv) || kv.has_val)
		return fail(p, "-netdev: a type comes first, as in -netdev user,id=n0");
	s = new_spec(p, "-netdev", kv.key);
	if (!s)
		return -1;
	while (next_keyval(&arg, &kv))
		if (set_property(p, s, "-netdev", &kv) < 0)
			return -1;
	return s->id[0] ? 0 : fail(p, "-netdev %s: it needs id=", s->type);
}

/* The text of a -device for a card, from what -nic and -net nic have. */
struct card {
	char text[512];
	char model[64];
};

/* True when the property was the card's and not the back end's. */
static bool card_property(struct card *c, const struct keyval *kv)
{
	static const struct {
		const char *key, *as;
	} keys[] = {{"mac", "mac"},        {"macaddr", "mac"},         {"addr", "addr"},
		    {"bus", "bus"},        {"bootindex", "bootindex"}, {"romfile", "romfile"},
		    {"vectors", "vectors"}};
	struct keyval as = *kv;

	if (strcmp(kv->key, "model") == 0) {
		snprintf(c->model, sizeof(c->model), "%.63s",
			 strcmp(kv->val, "virtio") == 0 ? "virtio-net-pci" : kv->val);
		return true;
	}
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strcmp(kv->key, keys[i].key) != 0)
			continue;
		strcpy(as.key, keys[i].as);
		return append(c->text, sizeof(c->text), &as);
	}
	return false;
}

static int add_card(struct parse *p, const struct card *c, const char *netdev)
{
	const char *model = *c->model                   ? c->model
			    : device_type_find("e1000") ? "e1000"
							: "virtio-net-pci";
	char text[sizeof(c->text) + 256];

	snprintf(text, sizeof(text), "%s,netdev=%s%s%s", model, netdev, *c->text ? "," : "",
		 c->text);
	return on_device(p, text);
}

int on_nic(struct parse *p, const char *arg)
{
	struct card card = {0};
	struct netdev_spec *s;
	struct keyval kv;
	char id[32];

	if (!next_keyval(&arg, &kv) || kv.has_val)
		return fail(p, "-nic: a type of back end comes first, as in -nic user");
	if (strcmp(kv.key, "none") == 0)
		return 0;
	s = new_spec(p, "-nic", kv.key);
	if (!s)
		return -1;
	while (next_keyval(&arg, &kv))
		if (!card_property(&card, &kv) && set_property(p, s, "-nic", &kv) < 0)
			return -1;
	snprintf(id, sizeof(id), "#nic%u", p->o->netdevs.nr_nics++);
	if (!s->id[0] && set_id(p, s, "-nic", id) < 0)
		return -1;
	return add_card(p, &card, s->id);
}

/* A port of hub 0, where all -net meet. */
static struct netdev_spec *hub_port(struct parse *p, const char *netdev)
{
	struct netdev_spec *s = new_spec(p, "-net", "hubport");
	char id[32];

	if (!s)
		return NULL;
	snprintf(id, sizeof(id), "#hub0port%u", p->o->netdevs.nr_nics++);
	snprintf(s->properties, sizeof(s->properties), "hubid=0%s%s", netdev ? ",netdev=" : "",
		 netdev ? netdev : "");
	return set_id(p, s, "-net", id) < 0 ? NULL : s;
}

static int net_nic(struct parse *p, const char *properties)
{
	struct card card = {0};
	struct netdev_spec *s;
	char netdev[64] = "";
	struct keyval kv;

	while (next_keyval(&properties, &kv)) {
		if (strcmp(kv.key, "netdev") == 0 && strlen(kv.val) < sizeof(netdev))
			strcpy(netdev, kv.val);
		else if (!card_property(&card, &kv))
			return fail(p, "-net nic: property %s is not known", kv.key);
	}
	if (*netdev)
		return add_card(p, &card, netdev);
	s = hub_port(p, NULL);
	return s ? add_card(p, &card, s->id) : -1;
}

int on_net(struct parse *p, const char *arg)
{
	struct netdev_spec *s;
	struct keyval kv;
	char id[32];

	if (!next_keyval(&arg, &kv) || kv.has_val)
		return fail(p, "-net: nic, none or a type of back end comes first");
	if (strcmp(kv.key, "none") == 0)
		return 0;
	if (strcmp(kv.key, "nic") == 0)
		return net_nic(p, arg);
	s = new_spec(p, "-net", kv.key);
	if (!s)
		return -1;
	while (next_keyval(&arg, &kv))
		if (set_property(p, s, "-net", &kv) < 0)
			return -1;
	snprintf(id, sizeof(id), "#net%u", p->o->netdevs.nr_nics++);
	if (!s->id[0] && set_id(p, s, "-net", id) < 0)
		return -1;
	return hub_port(p, s->id) ? 0 : -1;
}

void options_netdev_help(void)
{
	printf("Available netdev backend types:\n");
	for (size_t i = 0; i < NR_TYPES; i++)
		printf("%s\n", types[i].name);
}

/* ---- back ends ---- */

int netdev_fail(const struct netdev_spec *s, char *err, size_t errlen, const char *fmt, ...)
{
	int n = snprintf(err, errlen, "-netdev %s,id=%s: ", s->type, s->id);
	va_list ap;

	va_start(ap, fmt);
	if (n >= 0 && (size_t)n < errlen)
		vsnprintf(err + n, errlen - (size_t)n, fmt, ap);
	va_end(ap);
	return -1;
}

struct netdev_set *netdevs_open(const struct netdevs *n, struct machine *m,
				void (*warn)(void *opaque, const char *line), void *opaque,
				char *err, size_t errlen)
{
	struct netdev_set *set = calloc(1, sizeof(*set));
	struct netdev_env env = {m->loop, &m->clock, warn, opaque, set};

	if (!set) {
		snprintf(err, errlen, "out of memory");
		return NULL;
	}
	set->last = &set->first;
	for (unsigned i = 0; i < n->nr; i++) {
		const struct netdev_spec *s = &n->spec[i];
		struct netdev *d;

		if (types[type_find(s->type)].open(&d, s, &env, err, errlen) < 0) {
			netdevs_close(set);
			return NULL;
		}
		net_limit(d->end, s->bps_in, s->bps_out, env.clock);
		d->next = NULL;
		*set->last = d;
		set->last = &d->next;
	}
	for (unsigned i = 0; i < n->nr_dumps; i++) {
		const struct net_dump_spec *s = &n->dump[i];
		struct net_dump_env dump_env = {m->loop, warn, opaque};
		struct net_end *end = netdevs_find(set, s->netdev);

		if (!end)
			snprintf(err, errlen, "-object filter-dump,id=%s: there is no -netdev %s",
				 s->id, s->netdev);
		if (!end || net_dump_open(&set->dumps[i], s, end, &dump_env, err, errlen) < 0) {
			netdevs_close(set);
			return NULL;
		}
		set->nr_dumps++;
	}
	return set;
}

struct net_end *netdevs_find(struct netdev_set *s, const char *id)
{
	for (struct netdev *d = s ? s->first : NULL; d; d = d->next)
		if (strcmp(d->end->name, id) == 0)
			return d->end;
	return NULL;
}

struct netdev *netdevs_next(struct netdev_set *s, const struct netdev *d)
{
	if (d)
		return d->next;
	return s ? s->first : NULL;
}

void netdevs_close(struct netdev_set *s)
{
	struct netdev *d;

	if (!s)
		return;
	while (s->nr_dumps)
		net_dump_close(s->dumps[--s->nr_dumps]);
	while ((d = s->first)) {
		s->first = d->next;
		d->close(d);
	}
	for (unsigned i = 0; i < s->nr_hubs; i++)
		net_hub_free(s->hubs[i].hub);
	free(s);
}

struct net_hub *netdevs_hub(struct netdev_set *s, unsigned long id)
{
	for (unsigned i = 0; i < s->nr_hubs; i++)
		if (s->hubs[i].id == id)
			return s->hubs[i].hub;
	if (s->nr_hubs == MAX_HUBS)
		return NULL;
	s->hubs[s->nr_hubs].id = id;
	s->hubs[s->nr_hubs].hub = net_hub_new();
	return s->hubs[s->nr_hubs].hub ? s->hubs[s->nr_hubs++].hub : NULL;
}
