/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * -netdev user: the guest is behind a router that this process plays (libslirp), with a name server,
 * DHCP and TFTP. Options and defaults are QEMU's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/netdev.h"
#include "frontend/options_dev.h"
#include "frontend/slirp.h"

#ifndef CONFIG_SLIRP

int net_user_open(struct netdev **out, const struct netdev_spec *s, const struct netdev_env *env,
		  char *err, size_t errlen)
{
	(void)out;
	(void)env;
	return netdev_fail(s, err, errlen,
			   "this doppel was built without libslirp; use passt with -netdev stream "
			   "(docs/network.md)");
}

bool net_is_user(const struct netdev *d)
{
	(void)d;
	return false;
}

int net_user_forward(struct netdev *d, const char *rule, bool add, char *err, size_t errlen)
{
	(void)d;
	(void)rule;
	(void)add;
	snprintf(err, errlen, "there is no user networking");
	return -1;
}

void net_user_connections(struct netdev *d, void (*print)(void *opaque, const char *text),
			  void *opaque)
{
	(void)d;
	(void)print;
	(void)opaque;
}

#else

#define MAX_FORWARDS 64
#define MAX_SEARCH   16
#define MAX_TEXT     256

struct user {
	struct netdev d;
	struct slirp_link *link;
	struct in_addr guest; /* who forwards lead to by default */
};

struct forward {
	bool guest; /* guestfwd: from the guest outside */
	bool udp;
	struct in_addr host, addr;
	unsigned host_port, port;
	char target[MAX_TEXT]; /* guestfwd: "cmd:..." or "unix:..." */
	char text[MAX_TEXT];   /* as the user wrote it */
};

/* What the user wants; strings live here until the library has copied them. */
struct want {
	SlirpConfig cfg;
	char hostname[MAX_TEXT], tftp[MAX_NETDEV_LEN], tftp_name[MAX_TEXT], bootfile[MAX_TEXT],
	    domain[MAX_TEXT];
	char search[MAX_SEARCH][MAX_TEXT];
	const char *search_list[MAX_SEARCH + 1];
	unsigned nr_search, nr_forwards;
	bool has_host, has_dns, has_dhcp, has_host6, has_dns6;
	struct forward forward[MAX_FORWARDS];
};

/* ---- words ---- */

static int parse_addr(const char *s, struct in_addr *out)
{
	return inet_pton(AF_INET, s, out) == 1 ? 0 : -1;
}

static int parse_bits(const char *s, unsigned long max, unsigned long *out)
{
	char *end;

	if (*s < '0' || *s > '9')
		return -1;
	*out = strtoul(s, &end, 10);
	return *end || *out > max ? -1 : 0;
}

/* ADDRESS[/BITS or /MASK]; a missing mask follows from the class, as in QEMU. */
static int parse_net(struct want *w, const char *s)
{
	char text[64];
	char *slash;
	unsigned long bits = 32;
	uint32_t mask, addr;

	if (strlen(s) >= sizeof(text))
		return -1;
	strcpy(text, s);
	slash = strchr(text, '/');
	if (slash)
		*slash++ = 0;
	if (parse_addr(text, &w->cfg.vnetwork) < 0)
		return -1;
	addr = ntohl(w->cfg.vnetwork.s_addr);
	if (!slash)
		mask = addr >> 31 == 0 ? 0xff000000 : addr >> 30 == 2 ? 0xffff0000 : 0xffffff00;
	else if (strchr(slash, '.')) {
		if (parse_addr(slash, &w->cfg.vnetmask) < 0)
			return -1;
		mask = ntohl(w->cfg.vnetmask.s_addr);
	} else {
		if (parse_bits(slash, 32, &bits) < 0)
			return -1;
		mask = bits ? 0xffffffffu << (32 - bits) : 0;
	}
	/* Room for the router, the name server and a guest. */
	if (mask & (~mask >> 1) || ~mask < 15 || (~mask & (~mask + 1)))
		return -1;
	w->cfg.vnetmask.s_addr = htonl(mask);
	w->cfg.vnetwork.s_addr = htonl(addr & mask);
	return 0;
}

static int parse_net6(struct want *w, const char *s)
{
	char text[64], *slash;
	unsigned long bits = w->cfg.vprefix_len;

	if (strlen(s) >= sizeof(text))
		return -1;
	strcpy(text, s);
	slash = strchr(text, '/');
	if (slash) {
		*slash++ = 0;
		if (parse_bits(slash, 126, &bits) < 0)
			return -1;
	}
	w->cfg.vprefix_len = (uint8_t)bits;
	return inet_pton(AF_INET6, text, &w->cfg.vprefix_addr6) == 1 ? 0 : -1;
}

/* Cuts "ADDRESS:PORT" (ADDRESS may be empty) off *at, which ends there at `end`. */
static int cut_place(char **at, char end, struct in_addr *addr, unsigned *port)
{
	char *colon = strchr(*at, ':'), *stop;
	unsigned long v;

	if (!colon)
		return -1;
	*colon++ = 0;
	if (**at && parse_addr(*at, addr) < 0)
		return -1;
	stop = end ? strchr(colon, end) : colon + strlen(colon);
	if (!stop)
		return -1;
	*at = *stop ? stop + 1 : stop;
	*stop = 0;
	if (parse_bits(colon, 65535, &v) < 0)
		return -1;
	*port = (unsigned)v;
	return 0;
}

/* [tcp|udp]:[HOST]:PORT-[GUEST]:PORT, or for guestfwd [tcp]:SERVER:PORT-TARGET. */
static int parse_forward(struct forward *f, const char *s, bool guest)
{
	char text[MAX_TEXT];
	char *at = text, *colon;

	if (strlen(s) >= sizeof(text))
		return -1;
	memset(f, 0, sizeof(*f));
	f->guest = guest;
	strcpy(text, s);
	strcpy(f->text, s);
	colon = strchr(at, ':');
	if (!colon)
		return -1;
	*colon = 0;
	f->udp = strcmp(at, "udp") == 0;
	if (*at && !f->udp && strcmp(at, "tcp") != 0)
		return -1;
	at = colon + 1;
	if (cut_place(&at, '-', &f->host, &f->host_port) < 0)
		return -1;
	if (guest) {
		strcpy(f->target, at);
		if (f->udp || !f->host.s_addr ||
		    (strncmp(at, "cmd:", 4) != 0 && strncmp(at, "unix:", 5) != 0))
			return -1;
	} else if (cut_place(&at, 0, &f->addr, &f->port) < 0 || !f->port) {
		return -1;
	}
	return 0;
}

static int add_forward(struct want *w, const char *s, bool guest)
{
	if (w->nr_forwards == MAX_FORWARDS ||
	    parse_forward(&w->forward[w->nr_forwards], s, guest) < 0)
		return -1;
	w->nr_forwards++;
	return 0;
}

static int set_bool(bool *out, const struct keyval *kv)
{
	*out = !kv->has_val || strcmp(kv->val, "on") == 0 || strcmp(kv->val, "yes") == 0 ||
	       strcmp(kv->val, "y") == 0;
	return *out || strcmp(kv->val, "off") == 0 || strcmp(kv->val, "no") == 0 ||
		       strcmp(kv->val, "n") == 0
		   ? 0
		   : -1;
}

static int set_text(char *out, size_t size, const char **at, const char *val)
{
	if (!*val || strlen(val) >= size)
		return -1;
	strcpy(out, val);
	*at = out;
	return 0;
}

static int add_search(struct want *w, const char *val)
{
	if (w->nr_search == MAX_SEARCH || strlen(val) >= MAX_TEXT)
		return -1;
	strcpy(w->search[w->nr_search], val);
	w->search_list[w->nr_search] = w->search[w->nr_search];
	w->nr_search++;
	w->cfg.vdnssearch = w->search_list;
	return 0;
}

static int set_addr(struct in_addr *out, bool *has, const char *val)
{
	*has = true;
	return parse_addr(val, out);
}

static int set_addr6(struct in6_addr *out, bool *has, const char *val)
{
	*has = true;
	return inet_pton(AF_INET6, val, out) == 1 ? 0 : -1;
}

/* 0, -1 for a value that makes no sense, -2 for a name that is not known. */
static int set_property(struct want *w, const struct keyval *kv)
{
	SlirpConfig *c = &w->cfg;
	const char *k = kv->key, *v = kv->val;
	unsigned long bits = 0;
	bool on;
	int r;

	if (strcmp(k, "ipv4") == 0 || strcmp(k, "ip") == 0)
		return set_bool(&c->in_enabled, kv);
	if (strcmp(k, "ipv6") == 0)
		return set_bool(&c->in6_enabled, kv);
	if (strcmp(k, "restrict") == 0) {
		r = set_bool(&on, kv);
		c->restricted = on;
		return r;
	}
	if (strcmp(k, "net") == 0)
		return parse_net(w, v);
	if (strcmp(k, "host") == 0)
		return set_addr(&c->vhost, &w->has_host, v);
	if (strcmp(k, "dns") == 0)
		return set_addr(&c->vnameserver, &w->has_dns, v);
	if (strcmp(k, "dhcpstart") == 0)
		return set_addr(&c->vdhcp_start, &w->has_dhcp, v);
	if (strcmp(k, "ipv6-net") == 0 || strcmp(k, "ipv6-prefix") == 0)
		return parse_net6(w, v);
	if (strcmp(k, "ipv6-prefixlen") == 0) {
		r = parse_bits(v, 126, &bits);
		c->vprefix_len = (uint8_t)bits;
		return r;
	}
	if (strcmp(k, "ipv6-host") == 0)
		return set_addr6(&c->vhost6, &w->has_host6, v);
	if (strcmp(k, "ipv6-dns") == 0)
		return set_addr6(&c->vnameserver6, &w->has_dns6, v);
	if (strcmp(k, "hostname") == 0)
		return set_text(w->hostname, sizeof(w->hostname), &c->vhostname, v);
	if (strcmp(k, "domainname") == 0)
		return set_text(w->domain, sizeof(w->domain), &c->vdomainname, v);
	if (strcmp(k, "dnssearch") == 0)
		return add_search(w, v);
	if (strcmp(k, "tftp") == 0)
		return set_text(w->tftp, sizeof(w->tftp), &c->tftp_path, v);
	if (strcmp(k, "tftp-server-name") == 0)
		return set_text(w->tftp_name, sizeof(w->tftp_name), &c->tftp_server_name, v);
	if (strcmp(k, "bootfile") == 0)
		return set_text(w->bootfile, sizeof(w->bootfile), &c->bootfile, v);
	if (strcmp(k, "hostfwd") == 0)
		return add_forward(w, v, false);
	if (strcmp(k, "guestfwd") == 0)
		return add_forward(w, v, true);
	return -2;
}

/* Addresses that were not given, and those that cannot be. */
static int finish(struct want *w, const struct netdev_spec *s, char *err, size_t errlen)
{
	SlirpConfig *c = &w->cfg;
	uint32_t net = ntohl(c->vnetwork.s_addr), mask = ntohl(c->vnetmask.s_addr);
	struct {
		struct in_addr *at;
		bool given;
		uint32_t n;
		const char *name;
	} a[] = {{&c->vhost, w->has_host, 2, "host"},
		 {&c->vnameserver, w->has_dns, 3, "dns"},
		 {&c->vdhcp_start, w->has_dhcp, ~mask < 16 ? 4 : 15, "dhcpstart"}};

	for (unsigned i = 0; i < 3; i++) {
		if (!a[i].given)
			a[i].at->s_addr = htonl(net | a[i].n);
		if ((ntohl(a[i].at->s_addr) & mask) != net)
			return netdev_fail(s, err, errlen, "%s=%s is outside of its net", a[i].name,
					   inet_ntoa(*a[i].at));
	}
	if (c->vhost.s_addr == c->vnameserver.s_addr)
		return netdev_fail(s, err, errlen, "host and dns have the same address");
	if (!w->has_host6) {
		c->vhost6 = c->vprefix_addr6;
		c->vhost6.s6_addr[15] |= 2;
	}
	if (!w->has_dns6) {
		c->vnameserver6 = c->vprefix_addr6;
		c->vnameserver6.s6_addr[15] |= 3;
	}
	if (!c->in_enabled && !c->in6_enabled)
		return netdev_fail(s, err, errlen, "ipv4 and ipv6 are both off");
	return 0;
}

static int parse(struct want *w, const struct netdev_spec *s, char *err, size_t errlen)
{
	const char *at = s->properties;
	struct keyval kv;

	w->cfg = (SlirpConfig){.version = 1,
			       .in_enabled = true,
			       .in6_enabled = true,
			       .vprefix_len = 64,
			       .vnetwork.s_addr = htonl(0x0a000200),
			       .vnetmask.s_addr = htonl(0xffffff00)};
	inet_pton(AF_INET6, "fec0::", &w->cfg.vprefix_addr6);
	while (next_keyval(&at, &kv)) {
		if (strncmp(kv.key, "smb", 3) == 0)
			return netdev_fail(s, err, errlen,
					   "smb is not supported; the nearest is guestfwd to a "
					   "server of yours");
		switch (set_property(w, &kv)) {
		case -1:
			return netdev_fail(s, err, errlen, "%s=%s is not %s", kv.key, kv.val,
					   strcmp(kv.key, "hostfwd") == 0
					       ? "[tcp|udp]:[HOSTADDR]:PORT-[GUESTADDR]:PORT"
					   : strcmp(kv.key, "guestfwd") == 0
					       ? "[tcp]:SERVER:PORT-cmd:COMMAND or -unix:PATH"
					       : "a value for it");
		case -2:
			return netdev_fail(s, err, errlen, "property %s is not known", kv.key);
		}
	}
	return finish(w, s, err, errlen);
}

/* ---- set up ---- */

static int add_guestfwd(struct slirp_link *l, const struct forward *f)
{
	const struct slirp_api *api = slirp_link_api(l);
	struct in_addr addr = f->host;

	if (strncmp(f->target, "cmd:", 4) == 0)
		return api->add_exec(slirp_link_slirp(l), f->target + 4, &addr, (int)f->host_port);
	return api->add_unix(slirp_link_slirp(l), f->target + 5, &addr, (int)f->host_port);
}

static int add_hostfwd(struct slirp_link *l, const struct forward *f, struct in_addr def)
{
	struct sockaddr_in host = {
	    .sin_family = AF_INET, .sin_addr = f->host, .sin_port = htons((uint16_t)f->host_port)};
	struct sockaddr_in guest = {
	    .sin_family = AF_INET, .sin_addr = f->addr, .sin_port = htons((uint16_t)f->port)};

	if (!guest.sin_addr.s_addr)
		guest.sin_addr = def;
	return slirp_link_api(l)->add_hostxfwd(slirp_link_slirp(l), (struct sockaddr *)&host,
					       sizeof(host), (struct sockaddr *)&guest,
					       sizeof(guest), f->udp ? SLIRP_HOSTFWD_UDP : 0);
}

static int add_forwards(struct slirp_link *l, const struct want *w, const struct netdev_spec *s,
			char *err, size_t errlen)
{
	for (unsigned i = 0; i < w->nr_forwards; i++) {
		const struct forward *f = &w->forward[i];

		errno = 0;
		if (f->guest && add_guestfwd(l, f) < 0)
			return netdev_fail(s, err, errlen,
					   "guestfwd=%s: its server must be an unused address of "
					   "the guest's net",
					   f->text);
		if (!f->guest && add_hostfwd(l, f, w->cfg.vdhcp_start) < 0)
			return netdev_fail(s, err, errlen, "hostfwd=%s: cannot listen there: %s",
					   f->text, errno ? strerror(errno) : "refused");
	}
	slirp_link_changed(l);
	return 0;
}

static void user_close(struct netdev *d)
{
	struct user *u = (struct user *)d;

	slirp_link_close(u->link);
	free(u);
}

bool net_is_user(const struct netdev *d)
{
	return d->close == user_close;
}

static int remove_hostfwd(struct slirp_link *l, const struct forward *f)
{
	struct sockaddr_in host = {
	    .sin_family = AF_INET, .sin_addr = f->host, .sin_port = htons((uint16_t)f->host_port)};

	return slirp_link_api(l)->remove_hostxfwd(slirp_link_slirp(l), (struct sockaddr *)&host,
						  sizeof(host), f->udp ? SLIRP_HOSTFWD_UDP : 0);
}

int net_user_forward(struct netdev *d, const char *rule, bool add, char *err, size_t errlen)
{
	struct user *u = (struct user *)d;
	char text[MAX_TEXT];
	struct forward f;
	int r;

	/* To remove one, its host side is enough. */
	snprintf(text, sizeof(text), "%s%s", rule, add || strchr(rule, '-') ? "" : "-:1");
	if (!net_is_user(d)) {
		snprintf(err, errlen, "%s is not of type user", d->end->name);
		return -1;
	}
	if (parse_forward(&f, text, false) < 0) {
		snprintf(err, errlen, "%s is not [tcp|udp]:[HOSTADDR]:PORT%s", rule,
			 add ? "-[GUESTADDR]:PORT" : "");
		return -1;
	}
	errno = 0;
	r = add ? add_hostfwd(u->link, &f, u->guest) : remove_hostfwd(u->link, &f);
	slirp_link_changed(u->link);
	if (r < 0)
		snprintf(err, errlen, "%s: %s", rule,
			 !add    ? "there is no such forward"
			 : errno ? strerror(errno)
				 : "refused");
	return r < 0 ? -1 : 0;
}

void net_user_connections(struct netdev *d, void (*print)(void *opaque, const char *text),
			  void *opaque)
{
	struct user *u = (struct user *)d;
	const struct slirp_api *api;
	char *text;

	if (!net_is_user(d))
		return;
	api = slirp_link_api(u->link);
	text = api->connection_info(slirp_link_slirp(u->link));
	print(opaque, d->end->name);
	print(opaque, ":\n");
	print(opaque, text ? text : "");
	api->g_free(text);
}

int net_user_open(struct netdev **out, const struct netdev_spec *s, const struct netdev_env *env,
		  char *err, size_t errlen)
{
	struct want *w = calloc(1, sizeof(*w));
	struct user *u = calloc(1, sizeof(*u));
	char why[400];
	int r = -1;

	if (!w || !u) {
		netdev_fail(s, err, errlen, "out of memory");
	} else if (parse(w, s, err, errlen) == 0) {
		if (slirp_link_open(&u->link, &w->cfg, s->id, env->loop, env->clock, why,
				    sizeof(why)) < 0)
			netdev_fail(s, err, errlen, "%s", why);
		else
			r = add_forwards(u->link, w, s, err, errlen);
		u->guest = w->cfg.vdhcp_start;
	}
	free(w);
	if (r < 0) {
		if (u && u->link)
			slirp_link_close(u->link);
		free(u);
		return -1;
	}
	u->d.end = slirp_link_end(u->link);
	u->d.close = user_close;
	*out = &u->d;
	return 0;
}

#endif
