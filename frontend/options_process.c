/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The options that say how doppel runs as a process of the host: its name, its PID's file, in the background.
 */
#include <string.h>

#include "frontend/options_dev.h"

/* NAME or guest=NAME of the machine; process=NAME of the process. */
int on_name(struct parse *p, const char *arg)
{
	struct keyval kv;

	while (next_keyval(&arg, &kv)) {
		const char *val = kv.has_val ? kv.val : kv.key;
		bool process = kv.has_val && strcmp(kv.key, "process") == 0;
		size_t max = process ? sizeof(p->o->process) : sizeof(p->o->name);

		if (kv.has_val && strcmp(kv.key, "debug-threads") == 0)
			continue; /* they have names anyway */
		if (kv.has_val && !process && strcmp(kv.key, "guest") != 0)
			return fail(p,
				    "-name: %s= is not known; there are guest=, process= and "
				    "debug-threads=",
				    kv.key);
		if (strlen(val) >= max)
			return fail(p, "-name: %s has more than %zu characters", val, max - 1);
		strcpy(process ? p->o->process : p->o->name, val);
	}
	return 0;
}

int on_pidfile(struct parse *p, const char *arg)
{
	if (!*arg)
		return fail(p, "-pidfile: the file's name is missing");
	p->o->pidfile = arg;
	return 0;
}

int on_daemonize(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->daemonize = true;
	return 0;
}

/* What a host can lock or lend beyond what is given; memory is taken as the guest touches it. */
int on_overcommit(struct parse *p, const char *arg)
{
	struct keyval kv;

	while (next_keyval(&arg, &kv))
		if (strcmp(kv.val, "off") != 0)
			return fail(p,
				    "-overcommit %s=%s is not supported; %s=off is the case anyway",
				    kv.key, kv.val, kv.key);
	return 0;
}

int on_msg(struct parse *p, const char *arg)
{
	struct keyval kv;

	while (next_keyval(&arg, &kv)) {
		if (strcmp(kv.key, "timestamp") != 0 && strcmp(kv.key, "guest-name") != 0)
			return fail(
			    p,
			    "-msg: %s= is not known; there are timestamp= and guest-name=", kv.key);
		if (strcmp(kv.val, "off") != 0)
			return fail(
			    p,
			    "-msg %s=on is not supported; %s=off is the case anyway (2>&1 | ts, "
			    "of Debian's package moreutils, adds times)",
			    kv.key, kv.key);
	}
	return 0;
}
