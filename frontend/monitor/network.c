/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The monitor's commands about networks.
 */
#include <inttypes.h>
#include <string.h>

#include "frontend/monitor/command.h"
#include "frontend/netdev.h"

static void print_end(const struct out *o, const char *indent, const struct net_end *e)
{
	out(o, "%s%s: link %s, sent %" PRIu64 ", dropped %" PRIu64 ", waiting %u", indent, e->name,
	    net_link_up(e) ? "up" : "down", e->sent, e->dropped, e->nr_waiting);
}

static void info_network(struct monitor *m, const struct out *o, const struct arg *a)
{
	const struct netdev *d = NULL;
	char text[256];

	(void)a;
	while ((d = netdevs_next(m->env->netdevs, d))) {
		print_end(o, "", d->end);
		text[0] = 0;
		if (d->describe)
			d->describe(d, text, sizeof(text));
		out(o, "%s%s\n", *text ? ", " : "", text);
		if (d->end->peer) {
			print_end(o, " \\ ", d->end->peer);
			out(o, "\n");
		}
	}
}

static void info_usernet(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct netdev *d = NULL;

	(void)a;
	while ((d = netdevs_next(m->env->netdevs, d)))
		net_user_connections(d, o->print, o->opaque);
}

/* A back end's plug is pulled at its card. */
static struct net_end *find_end(struct monitor *m, const char *name)
{
	const struct netdev *d = NULL;

	while ((d = netdevs_next(m->env->netdevs, d))) {
		struct net_end *card = d->end->peer;

		if (card && (strcmp(card->name, name) == 0 || strcmp(d->end->name, name) == 0))
			return card;
	}
	return NULL;
}

static void set_link(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct net_end *e = find_end(m, a[0].text);

	if (!e)
		out(o, "set_link: there is no network card or netdev %s\n", a[0].text);
	else if (strcmp(a[1].text, "on") != 0 && strcmp(a[1].text, "off") != 0)
		out(o, "set_link: %s is neither on nor off\n", a[1].text);
	else
		net_set_link(e, strcmp(a[1].text, "on") == 0);
}

/* "[NETDEV] RULE": without one, the first of user networking. */
static void forward(struct monitor *m, const struct out *o, const struct arg *a, bool add)
{
	const char *rule = a[1].given ? a[1].text : a[0].text;
	struct netdev *d = NULL;
	char err[300];

	while ((d = netdevs_next(m->env->netdevs, d))) {
		if (a[1].given ? strcmp(d->end->name, a[0].text) != 0 : !net_is_user(d))
			continue;
		if (net_user_forward(d, rule, add, err, sizeof(err)) < 0)
			out(o, "%s\n", err);
		return;
	}
	out(o, "there is no netdev of type user%s%s\n", a[1].given ? " called " : "",
	    a[1].given ? a[0].text : "");
}

static void hostfwd_add(struct monitor *m, const struct out *o, const struct arg *a)
{
	forward(m, o, a, true);
}

static void hostfwd_remove(struct monitor *m, const struct out *o, const struct arg *a)
{
	forward(m, o, a, false);
}

const struct command network_commands[] = {
    {"info network", NULL, info_network, "back ends of networks and their cards", "info network"},
    {"info usernet", NULL, info_usernet, "connections of user networking", "info usernet"},
    {"set_link", "NAME STATE", set_link, "pulls a network card's plug (off), or puts it in (on)",
     "set_link n0 off"},
    {"hostfwd_add", "WHAT [RULE]", hostfwd_add,
     "lets connections in by user networking: [NETDEV] [tcp|udp]:[ADDR]:PORT-[GUEST]:PORT",
     "hostfwd_add tcp::2222-:22"},
    {"hostfwd_remove", "WHAT [RULE]", hostfwd_remove,
     "no longer lets them in: [NETDEV] [tcp|udp]:[ADDR]:PORT", "hostfwd_remove tcp::2222"},
    {0},
};
