/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The options that say where pictures go and keys come from.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/options_dev.h"

#define MAX_VNC_DISPLAY 59635u /* on port 65535 */

/* on, off: *to; else -1 with the message. */
static int on_off(struct parse *p, const char *option, const struct keyval *kv, bool *to)
{
	*to = !kv->has_val || strcmp(kv->val, "on") == 0;
	if (!*to && strcmp(kv->val, "off") != 0)
		return fail(p, "%s: %s=%s is neither on nor off", option, kv->key, kv->val);
	return 0;
}

static int set_grab_mod(struct parse *p, const char *val)
{
	struct sdl_options *o = &p->o->sdl;

	if (strcmp(val, "lctrl-lalt") == 0)
		o->grab_mod = GRAB_CTRL_ALT;
	else if (strcmp(val, "lshift-lctrl-lalt") == 0)
		o->grab_mod = GRAB_CTRL_ALT_SHIFT;
	else if (strcmp(val, "rctrl") == 0)
		o->grab_mod = GRAB_RCTRL;
	else
		return fail(p,
			    "-display sdl: grab-mod=%s is not known; there are lctrl-lalt, "
			    "lshift-lctrl-lalt and rctrl",
			    val);
	return 0;
}

static int sdl_properties(struct parse *p, const char *at)
{
	struct sdl_options *o = &p->o->sdl;
	bool on = false;
	struct keyval kv;

	while (next_keyval(&at, &kv)) {
		int r = 0;

		if (strcmp(kv.key, "grab-mod") == 0) {
			r = set_grab_mod(p, kv.has_val ? kv.val : "");
		} else if (strcmp(kv.key, "full-screen") == 0) {
			r = on_off(p, "-display sdl", &kv, &o->full_screen);
		} else if (strcmp(kv.key, "show-cursor") == 0) {
			r = on_off(p, "-display sdl", &kv, &o->show_cursor);
		} else if (strcmp(kv.key, "window-close") == 0) {
			r = on_off(p, "-display sdl", &kv, &on);
			o->keep_open = !on;
		} else if (strcmp(kv.key, "gl") == 0) {
			r = on_off(p, "-display sdl", &kv, &on);
			if (r == 0 && on)
				r = fail(p, "-display sdl: gl=on is not supported; gl=off is the "
					    "case anyway");
		} else {
			r = fail(p,
				 "-display sdl: %s is not known; there are grab-mod, full-screen, "
				 "show-cursor, window-close and gl",
				 kv.key);
		}
		if (r < 0)
			return -1;
	}
	return 0;
}

int on_display(struct parse *p, const char *arg)
{
	size_t n = strcspn(arg, ",");
	const char *rest = arg[n] ? arg + n + 1 : arg + n;

	if (is_help(arg)) {
		p->o->action = ACT_DISPLAY_HELP;
		return 0;
	}
	p->o->curses = p->o->window = false;
	if (strncmp(arg, "sdl", n) == 0 && n == 3) {
		p->o->window = true;
		return sdl_properties(p, rest);
	}
	if (strncmp(arg, "vnc=", 4) == 0)
		return on_vnc(p, arg + 4);
	if (*rest)
		return fail(p, "-display %.*s takes no properties", (int)n, arg);
	p->o->curses = strcmp(arg, "curses") == 0;
	if (p->o->curses || strcmp(arg, "none") == 0)
		return 0;
	return fail(p,
		    "-display %s is not supported; there are sdl, vnc=, curses and none (-display "
		    "none with -serial stdio comes without pictures)",
		    arg);
}

int on_curses(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->curses = true;
	return 0;
}

int on_sdl(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->window = true;
	return 0;
}

int on_full_screen(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->sdl.full_screen = true;
	return 0;
}

/* "[HOST]:DISPLAY" */
static int vnc_address(struct parse *p, struct vnc_options *v, const char *text)
{
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;
	char *end;

	if (!colon || !colon[1] || n >= sizeof(v->host))
		return fail(p, "-vnc %s: an address is [HOST]:DISPLAY, as in :1, or unix:PATH",
			    text);
	v->display = (unsigned)strtoul(colon + 1, &end, 10);
	if (*end || colon[1] == '-' || v->display > MAX_VNC_DISPLAY)
		return fail(p, "-vnc %s: the display is a number up to %u (its port is 5900 more)",
			    text, MAX_VNC_DISPLAY);
	/* [::1]:0 */
	if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
		text++;
		n -= 2;
	}
	snprintf(v->host, sizeof(v->host), "%.*s", (int)n, text);
	return 0;
}

static int vnc_property(struct parse *p, struct vnc_options *v, const struct keyval *kv)
{
	unsigned long to;
	char *end;

	if (strcmp(kv->key, "password") == 0)
		return on_off(p, "-vnc", kv, &v->password);
	if (strcmp(kv->key, "to") == 0 && kv->has_val) {
		to = strtoul(kv->val, &end, 10);
		if (!*kv->val || *end || to < v->display || to > MAX_VNC_DISPLAY)
			return fail(p, "-vnc: to=%s is not a display from %u to %u", kv->val,
				    v->display, MAX_VNC_DISPLAY);
		v->to = (unsigned)to;
		return 0;
	}
	if (strcmp(kv->key, "share") == 0 && kv->has_val) {
		v->share = strcmp(kv->val, "allow-exclusive") == 0 ? VNC_ALLOW_EXCLUSIVE
								   : VNC_FORCE_SHARED;
		if (v->share && strcmp(kv->val, "force-shared") && strcmp(kv->val, "ignore"))
			return fail(p,
				    "-vnc: share=%s is not known; there are allow-exclusive, "
				    "force-shared and ignore",
				    kv->val);
		return 0;
	}
	if (strcmp(kv->key, "tls-creds") == 0)
		return fail(p, "-vnc: tls-creds= is not supported; listen on unix:PATH or "
			       "127.0.0.1:N and go there through ssh");
	return fail(p, "-vnc: %s= is not supported; there are password, to and share", kv->key);
}

int on_vnc(struct parse *p, const char *arg)
{
	struct vnc_options *v = &p->o->vnc;
	const char *at = arg;
	struct keyval kv;

	p->o->has_vnc = false;
	if (strcmp(arg, "none") == 0)
		return 0;
	*v = (struct vnc_options){0};
	if (!next_keyval(&at, &kv) || kv.has_val)
		return fail(p, "-vnc %s: the address comes first, as in -vnc :1,password=on", arg);
	if (strncmp(kv.key, "unix:", 5) == 0) {
		if (!kv.key[5] || strlen(kv.key + 5) >= sizeof(v->path))
			return fail(p, "-vnc %s: the path of a unix socket has 1 to %zu characters",
				    kv.key, sizeof(v->path) - 1);
		memcpy(v->path, kv.key + 5, strlen(kv.key + 5) + 1);
	} else if (vnc_address(p, v, kv.key) < 0) {
		return -1;
	}
	v->to = v->display;
	p->o->has_vnc = true;
	while (next_keyval(&at, &kv))
		if (vnc_property(p, v, &kv) < 0)
			return -1;
	return 0;
}
