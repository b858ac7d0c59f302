/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Character devices: -serial, -chardev, -debugcon, -monitor, -qmp, -gdb.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/options_dev.h"

static int parse_bool(const struct keyval *kv, bool *out)
{
	*out = true;
	if (!kv->has_val || strcmp(kv->val, "on") == 0 || strcmp(kv->val, "yes") == 0)
		return 0;
	*out = false;
	return strcmp(kv->val, "off") == 0 || strcmp(kv->val, "no") == 0 ? 0 : -1;
}

static int set_path(struct chardev_spec *s, const char *path, char *err, size_t errlen)
{
	if (!*path || strlen(path) >= sizeof(s->path)) {
		snprintf(err, errlen, "%s: the path is %s", path, *path ? "too long" : "missing");
		return -1;
	}
	strcpy(s->path, path);
	return 0;
}

static int set_port(struct chardev_spec *s, const char *port, char *err, size_t errlen)
{
	size_t digits = strspn(port, "0123456789");

	if (!digits || digits > 5 || port[digits] || strtoul(port, NULL, 10) > 65535) {
		snprintf(err, errlen, "'%s' is no TCP port, 0 to 65535", port);
		return -1;
	}
	strcpy(s->port, port);
	return 0;
}

/* HOST:PORT, where an IPv6 address is in brackets. */
static int set_address(struct chardev_spec *s, char *addr, char *err, size_t errlen)
{
	char *colon = strrchr(addr, ':'), *host = addr;

	if (!colon) {
		snprintf(err, errlen, "%s: it is HOST:PORT, or :PORT, as in tcp::4444", addr);
		return -1;
	}
	*colon = 0;
	if (*host == '[' && colon[-1] == ']') {
		host++;
		colon[-1] = 0;
	}
	if (*host && set_path(s, host, err, errlen) < 0)
		return -1;
	return set_port(s, colon + 1, err, errlen);
}

/* What follows "unix:" or "tcp:" in text. */
static int parse_socket(struct chardev_spec *s, const char *text, const char *t, char *err,
			size_t errlen)
{
	struct keyval kv;
	bool first = true, on;

	for (; next_keyval(&t, &kv); first = false) {
		if (first) {
			if ((s->kind == CHR_TCP ? set_address(s, kv.key, err, errlen)
						: set_path(s, kv.key, err, errlen)) < 0)
				return -1;
		} else if (strcmp(kv.key, "server") == 0 && parse_bool(&kv, &on) == 0) {
			s->server = on;
		} else if (strcmp(kv.key, "nowait") == 0 && !kv.has_val) {
			s->nowait = true;
		} else if (strcmp(kv.key, "wait") == 0 && parse_bool(&kv, &on) == 0) {
			s->nowait = !on;
		} else if (strcmp(kv.key, "nodelay") != 0 || parse_bool(&kv, &on) < 0) {
			snprintf(err, errlen, "%s: %s is not known (server, wait=off)", text,
				 kv.key);
			return -1;
		}
	}
	return first ? set_path(s, "", err, errlen) : 0;
}

int chardev_spec_parse(struct chardev_spec *s, const char *text, char *err, size_t errlen)
{
	static const char *const names[] = {"stdio",  "mon:stdio", "file", "pty",  "unix", "tcp",
					    "telnet", "vc",        "null", "none", NULL};
	const char *t = text, *near;

	memset(s, 0, sizeof(*s));
	if (strncmp(t, "mon:", 4) == 0) {
		s->mux = true;
		t += 4;
		if (strcmp(t, "stdio") != 0) {
			snprintf(err, errlen, "%s is not supported yet; the nearest is mon:stdio",
				 text);
			return -1;
		}
	}
	if (strcmp(t, "stdio") == 0) {
		s->kind = CHR_STDIO;
	} else if (strcmp(t, "null") == 0) {
		s->kind = CHR_NULL;
	} else if (strcmp(t, "none") == 0) {
		s->kind = CHR_NONE;
	} else if (strcmp(t, "pty") == 0) {
		s->kind = CHR_PTY;
	} else if (strcmp(t, "vc") == 0) {
		s->kind = CHR_VC;
	} else if (strncmp(t, "file:", 5) == 0) {
		s->kind = CHR_FILE;
		return set_path(s, t + 5, err, errlen);
	} else if (strncmp(t, "unix:", 5) == 0) {
		s->kind = CHR_UNIX;
		return parse_socket(s, text, t + 5, err, errlen);
	} else if (strncmp(t, "tcp:", 4) == 0) {
		s->kind = CHR_TCP;
		return parse_socket(s, text, t + 4, err, errlen);
	} else if (strncmp(t, "telnet:", 7) == 0) {
		s->kind = CHR_TCP;
		s->telnet = true;
		return parse_socket(s, text, t + 7, err, errlen);
	} else if (strncmp(t, "udp:", 4) == 0) {
		snprintf(err, errlen,
			 "%s is not supported yet; the nearest is tcp:HOST:PORT,server", text);
		return -1;
	} else if (strncmp(t, "vc:", 3) == 0) {
		snprintf(err, errlen,
			 "%s: a text console has 80 columns and 25 rows; the nearest is vc", text);
		return -1;
	} else if (strncmp(t, "pipe:", 5) == 0 || *t == '/' || strncmp(t, "COM", 3) == 0) {
		snprintf(err, errlen, "%s is not supported yet; the nearest is pty", text);
		return -1;
	} else {
		near = nearest_name(t, names);
		snprintf(err, errlen, "%s is no character device; %s%s", text,
			 near ? "did you mean "
			      : "there are [mon:]stdio, file:P, pty, unix:P, "
				"tcp:HOST:PORT, null, none",
			 near ? near : "");
		return -1;
	}
	return 0;
}

/* A -serial or -debugcon argument, which may also name a -chardev. */
static int parse_target(struct parse *p, const char *option, const char *arg,
			struct chardev_spec *s)
{
	char err[200];

	if (strncmp(arg, "chardev:", 8) == 0) {
		memset(s, 0, sizeof(*s));
		if (strlen(arg + 8) >= sizeof(s->id) || !arg[8])
			return fail(p, "%s %s: no such chardev", option, arg);
		s->kind = CHR_NULL;
		strcpy(s->id, arg + 8);
		return 0;
	}
	if (chardev_spec_parse(s, arg, err, sizeof(err)) < 0)
		return fail(p, "%s: %s", option, err);
	return 0;
}

int on_serial(struct parse *p, const char *arg)
{
	if (p->o->nr_serial == MAX_SERIAL)
		return fail(p, "-serial: a PC has at most %d serial ports", MAX_SERIAL);
	return parse_target(p, "-serial", arg, &p->o->serial[p->o->nr_serial++]);
}

/* What debuggers connect to is a server, unless it is said otherwise. */
int on_gdb(struct parse *p, const char *arg)
{
	struct chardev_spec *s = &p->o->gdb;

	if (strcmp(arg, "none") == 0) {
		s->kind = CHR_NONE;
		return 0;
	}
	if (parse_target(p, "-gdb", arg, s) < 0)
		return -1;
	if (s->kind == CHR_FILE || s->kind == CHR_VC || s->mux)
		return fail(p, "-gdb %s: gdb needs tcp::PORT, unix:PATH, stdio or pty", arg);
	if (s->kind == CHR_TCP || s->kind == CHR_UNIX)
		s->server = s->nowait = true;
	return 0;
}

static struct chardev_spec *add_qmp(struct parse *p)
{
	if (p->o->nr_qmp == MAX_QMP) {
		fail(p, "at most %d -qmp are supported", MAX_QMP);
		return NULL;
	}
	return &p->o->qmp[p->o->nr_qmp++];
}

int add_monitor(struct parse *p, const char *option, const char *dev)
{
	struct chardev_spec *s = &p->o->monitor[p->o->nr_monitors];

	if (p->o->nr_monitors == MAX_MONITORS)
		return fail(p, "%s %s: at most %d monitors are supported", option, dev,
			    MAX_MONITORS);
	if (parse_target(p, option, dev, s) < 0)
		return -1;
	if (s->kind == CHR_FILE)
		return fail(p, "%s %s: a monitor needs stdio, unix:PATH, tcp:HOST:PORT, pty or vc",
			    option, dev);
	p->o->nr_monitors++;
	return 0;
}

static int resolve(struct parse *p, struct chardev_spec *s)
{
	if (!s->id[0])
		return 0;
	for (unsigned i = 0; i < p->o->nr_chardev; i++) {
		if (strcmp(p->o->chardev[i].id, s->id) == 0) {
			*s = p->o->chardev[i];
			return 0;
		}
	}
	return fail(p, "there is no -chardev with id=%s", s->id);
}

/* The terminal's monitor is the console's, which may be shared with a serial port already. */
static int find_monitors(struct parse *p)
{
	struct options *o = p->o;
	unsigned nr = 0;

	for (unsigned i = 0; i < o->nr_monitors; i++) {
		struct chardev_spec *s = &o->monitor[i];

		if (resolve(p, s) < 0)
			return -1;
		if (s->kind == CHR_STDIO)
			o->monitor_stdio |= !s->mux;
		else if (s->kind != CHR_NONE && s->kind != CHR_NULL)
			o->monitor[nr++] = *s;
	}
	o->nr_monitors = nr;
	return 0;
}

int on_qmp(struct parse *p, const char *arg)
{
	struct chardev_spec *s = add_qmp(p);

	if (!s || parse_target(p, "-qmp", arg, s) < 0)
		return -1;
	if (s->kind == CHR_FILE || s->kind == CHR_VC || s->mux)
		return fail(p, "-qmp %s: a client needs tcp:HOST:PORT, unix:PATH, stdio or pty",
			    arg);
	return 0;
}

int on_mon(struct parse *p, const char *arg)
{
	char target[sizeof("chardev:") + sizeof(p->o->gdb.id)] = "";
	bool control = false, on;
	const char *at = arg;
	struct chardev_spec *s;
	struct keyval kv;

	while (next_keyval(&at, &kv)) {
		const char *id = kv.has_val ? kv.val : kv.key;

		if (!kv.has_val || strcmp(kv.key, "chardev") == 0) {
			if (strlen(id) >= sizeof(p->o->gdb.id))
				return fail(p, "-mon %s: there is no such chardev", arg);
			snprintf(target, sizeof(target), "chardev:%.*s",
				 (int)sizeof(p->o->gdb.id) - 1, id);
		} else if (strcmp(kv.key, "mode") == 0) {
			control = strcmp(kv.val, "control") == 0;
			if (!control && strcmp(kv.val, "readline") != 0)
				return fail(p, "-mon: mode=%s is neither readline nor control",
					    kv.val);
		} else if (strcmp(kv.key, "pretty") != 0 || parse_bool(&kv, &on) < 0 || on) {
			return fail(p, "-mon: %s=%s is not supported", kv.key, kv.val);
		}
	}
	if (!*target)
		return fail(p, "-mon %s: it needs chardev=ID", arg);
	if (!control)
		return add_monitor(p, "-mon", target);
	s = add_qmp(p);
	return s ? parse_target(p, "-mon", target, s) : -1;
}

int add_debugcon(struct parse *p, const struct chardev_spec *to, bool has_port, uint16_t port)
{
	if (p->o->nr_debugcon == MAX_DEBUGCON)
		return fail(p, "at most %d debug consoles are supported", MAX_DEBUGCON);
	p->o->debugcon[p->o->nr_debugcon].to = *to;
	p->o->debugcon[p->o->nr_debugcon].has_port = has_port;
	p->o->debugcon[p->o->nr_debugcon++].port = port;
	return 0;
}

int on_debugcon(struct parse *p, const char *arg)
{
	struct chardev_spec to;

	if (parse_target(p, "-debugcon", arg, &to) < 0)
		return -1;
	return add_debugcon(p, &to, false, 0);
}

int on_chardev(struct parse *p, const char *arg)
{
	static const char *const kinds[] = {"stdio", "file", "pty", "socket", "vc", "null", NULL};
	struct chardev_spec s = {0};
	const char *at = arg;
	struct keyval kv;
	bool on, host = false;

	if (!next_keyval(&at, &kv) || kv.has_val)
		return fail(p, "-chardev %s: a kind comes first, as in -chardev file,id=a,path=P",
			    arg);
	if (strcmp(kv.key, "stdio") == 0)
		s.kind = CHR_STDIO;
	else if (strcmp(kv.key, "file") == 0)
		s.kind = CHR_FILE;
	else if (strcmp(kv.key, "pty") == 0)
		s.kind = CHR_PTY;
	else if (strcmp(kv.key, "vc") == 0)
		s.kind = CHR_VC;
	else if (strcmp(kv.key, "socket") == 0)
		s.kind = CHR_UNIX;
	else if (strcmp(kv.key, "null") == 0)
		s.kind = CHR_NULL;
	else
		return fail(p, "-chardev %s is not supported; the nearest is %s", kv.key,
			    nearest_name(kv.key, kinds) ? nearest_name(kv.key, kinds) : "file");
	while (next_keyval(&at, &kv)) {
		char err[200];

		if (strcmp(kv.key, "id") == 0 && *kv.val && strlen(kv.val) < sizeof(s.id)) {
			strcpy(s.id, kv.val);
		} else if (strcmp(kv.key, "path") == 0 ||
			   (strcmp(kv.key, "host") == 0 && s.kind == CHR_UNIX)) {
			host |= kv.key[0] == 'h';
			if ((*kv.val || !host) && set_path(&s, kv.val, err, sizeof(err)) < 0)
				return fail(p, "-chardev %s", err);
		} else if (strcmp(kv.key, "port") == 0 && s.kind == CHR_UNIX) {
			if (set_port(&s, kv.val, err, sizeof(err)) < 0)
				return fail(p, "-chardev %s", err);
		} else if (strcmp(kv.key, "mux") == 0 && s.kind == CHR_STDIO &&
			   parse_bool(&kv, &on) == 0) {
			s.mux = on;
		} else if (strcmp(kv.key, "telnet") == 0 && parse_bool(&kv, &on) == 0) {
			s.telnet = on;
		} else if (strcmp(kv.key, "server") == 0 && parse_bool(&kv, &on) == 0) {
			s.server = on;
		} else if (strcmp(kv.key, "wait") == 0 && parse_bool(&kv, &on) == 0) {
			s.nowait = !on;
		} else if (strcmp(kv.key, "nowait") == 0 && !kv.has_val) {
			s.nowait = true;
		} else if ((strcmp(kv.key, "signal") != 0 && strcmp(kv.key, "nodelay") != 0) ||
			   parse_bool(&kv, &on) < 0) {
			return fail(p, "-chardev: %s=%s is not supported", kv.key, kv.val);
		}
	}
	if (!s.id[0])
		return fail(p, "-chardev %s: it needs id=", arg);
	if (s.kind == CHR_UNIX && s.port[0]) {
		if (s.path[0] && !host)
			return fail(p, "-chardev %s: a socket has either path= or port=", arg);
		s.kind = CHR_TCP;
	}
	if ((s.kind == CHR_FILE || s.kind == CHR_UNIX) && (!s.path[0] || host))
		return fail(p, "-chardev %s: it needs path=%s", arg,
			    s.kind == CHR_UNIX ? ", or host= and port=" : "");
	for (unsigned i = 0; i < p->o->nr_chardev; i++)
		if (strcmp(p->o->chardev[i].id, s.id) == 0)
			return fail(p, "-chardev: there are two with id=%s", s.id);
	if (p->o->nr_chardev == MAX_CHARDEV)
		return fail(p, "at most %d chardevs are supported", MAX_CHARDEV);
	p->o->chardev[p->o->nr_chardev++] = s;
	return 0;
}

int finish_chardevs(struct parse *p)
{
	struct options *o = p->o;
	unsigned stdio = 0;

	if (find_monitors(p) < 0 || resolve(p, &o->gdb) < 0)
		return -1;
	stdio += o->gdb.kind == CHR_STDIO;
	for (unsigned i = 0; i < o->nr_qmp; i++) {
		if (resolve(p, &o->qmp[i]) < 0)
			return -1;
		stdio += o->qmp[i].kind == CHR_STDIO;
	}
	if (!o->nr_serial) {
		struct chardev_spec *s = &o->serial[o->nr_serial++];

		s->kind = CHR_STDIO;
		s->mux = !o->monitor_none;
		if (o->monitor_stdio)
			s->kind = CHR_NONE;
		if (o->curses || stdio || o->daemonize)
			s->kind = CHR_NULL;
		if (o->nodefaults)
			s->kind = CHR_NONE;
	}
	for (unsigned i = 0; i < o->nr_serial; i++) {
		if (resolve(p, &o->serial[i]) < 0)
			return -1;
		stdio += o->serial[i].kind == CHR_STDIO;
	}
	for (unsigned i = 0; i < o->nr_debugcon; i++) {
		if (resolve(p, &o->debugcon[i].to) < 0)
			return -1;
		stdio += o->debugcon[i].to.kind == CHR_STDIO;
		if (!o->debugcon[i].has_port)
			o->debugcon[i].port = o->debugcon_port;
	}
	stdio += o->monitor_stdio;
	if (o->daemonize && (stdio || o->curses || o->nographic))
		return fail(p, "-daemonize leaves the terminal; send serial ports and monitors "
			       "elsewhere, as to unix:PATH,server,nowait");
	if (o->curses && stdio)
		return fail(p,
			    "-display curses has the terminal; send serial ports elsewhere (Ctrl-A "
			    "c is the monitor)");
	if (stdio > 1)
		return fail(p, "stdio can serve one device only; use -serial mon:stdio to share it "
			       "with the monitor");
	return 0;
}
