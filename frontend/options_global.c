/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * -global: what devices of a kind have unless they are given it, also those that come without -device.
 */
#include <string.h>

#include "frontend/options_dev.h"

struct global {
	char driver[64], prop[64], val[256];
};

/* "DRIVER.PROP=VALUE", or "driver=DRIVER,property=PROP,value=VALUE". 0 or -1. */
static int read_global(struct global *g, const char *text)
{
	const char *dot = strchr(text, '.'), *is = strchr(text, '=');
	struct keyval kv;

	memset(g, 0, sizeof(*g));
	if (dot && is && dot < is) {
		if ((size_t)(dot - text) >= sizeof(g->driver) ||
		    (size_t)(is - dot) > sizeof(g->prop) || strlen(is + 1) >= sizeof(g->val))
			return -1;
		memcpy(g->driver, text, (size_t)(dot - text));
		memcpy(g->prop, dot + 1, (size_t)(is - dot - 1));
		strcpy(g->val, is + 1);
		return 0;
	}
	while (next_keyval(&text, &kv)) {
		char *to = strcmp(kv.key, "driver") == 0     ? g->driver
			   : strcmp(kv.key, "property") == 0 ? g->prop
			   : strcmp(kv.key, "value") == 0    ? g->val
							     : NULL;

		if (!to || strlen(kv.val) >= (to == g->val ? sizeof(g->val) : sizeof(g->prop)))
			return -1;
		strcpy(to, kv.val);
	}
	return *g->driver && *g->prop ? 0 : -1;
}

/* Properties of what the board has. 1: it was one of them. */
static int of_board(struct parse *p, const struct global *g)
{
	bool pm = strcmp(g->driver, "PIIX4_PM") == 0 || strcmp(g->driver, "ICH9-LPC") == 0;
	bool flash = strcmp(g->driver, "cfi.pflash01") == 0 && strcmp(g->prop, "secure") == 0;
	bool s3 = strcmp(g->prop, "disable_s3") == 0, s4 = strcmp(g->prop, "disable_s4") == 0;

	if (strcmp(g->driver, "isa-debugcon") == 0 && strcmp(g->prop, "iobase") == 0)
		return set_debugcon_port(p, g->val) < 0 ? -1 : 1;
	if (flash) {
		p->o->secure_flash = strcmp(g->val, "on") == 0;
		if (!p->o->secure_flash && strcmp(g->val, "off") != 0)
			return fail(p, "-global %s.%s=%s: it is on or off", g->driver, g->prop,
				    g->val);
		return 1;
	}
	if (!pm || (!s3 && !s4))
		return 0;
	if (strcmp(g->val, "0") != 0 && strcmp(g->val, "1") != 0)
		return fail(p, "-global %s.%s=%s: it is 0 or 1", g->driver, g->prop, g->val);
	*(s3 ? &p->o->no_s3 : &p->o->no_s4) = g->val[0] == '1';
	return 1;
}

int on_global(struct parse *p, const char *arg)
{
	const struct device_type *type;
	struct device_spec scratch;
	struct global g;
	char err[256];
	int r;

	if (read_global(&g, arg) < 0)
		return fail(p, "-global %s: it is DRIVER.PROPERTY=VALUE, as in VGA.vgamem_mb=32",
			    arg);
	r = of_board(p, &g);
	if (r)
		return r < 0 ? -1 : 0;
	type = device_type_find(g.driver);
	if (!type)
		return fail(p, "-global %s: there is no device %s; -device help lists them", arg,
			    g.driver);
	device_spec_init(&scratch, type);
	if (device_spec_default(&scratch, g.prop, g.val, err, sizeof(err)) < 0)
		return fail(p, "-global: %s", err);
	if (p->o->nr_globals == MAX_GLOBALS)
		return fail(p, "-global can be given at most %d times", MAX_GLOBALS);
	p->o->global[p->o->nr_globals++] = arg;
	return 0;
}

int options_globals(const struct options *o, struct device_spec *s, char *err, size_t errlen)
{
	struct global g;

	for (unsigned i = o->nr_globals; i--;)
		if (read_global(&g, o->global[i]) == 0 && strcmp(g.driver, s->type->name) == 0 &&
		    device_spec_default(s, g.prop, g.val, err, errlen) < 0)
			return -1;
	return 0;
}
