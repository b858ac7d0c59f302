/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A session for whoever is connected; each client begins with a prompt.
 */
#include "frontend/monitor/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/chardev.h"
#include "frontend/debug/debugger.h"
#include "frontend/monitor/session.h"
#include "hw/pc.h"

struct monitor_server {
	struct monitor_server *next;
	struct backend *backend;
	struct session session;
};

/* Lines end as on the wire. */
static void on_write(void *opaque, const char *text, size_t len)
{
	struct monitor_server *s = opaque;
	const char *end = text + len;

	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((nl ? nl : end) - text);

		chardev_write(&s->backend->stream.chr, (const uint8_t *)text, n);
		if (nl)
			chardev_write(&s->backend->stream.chr, (const uint8_t *)"\r\n", 2);
		text += n + (nl != NULL);
	}
}

static size_t can_receive(void *opaque)
{
	(void)opaque;
	return STREAM_IN;
}

static void receive(void *opaque, const uint8_t *buf, size_t len)
{
	struct monitor_server *s = opaque;

	for (size_t n = 0; n < len; n++) {
		/* CR LF ends one line, not two. */
		if (buf[n] == '\n' && n && buf[n - 1] == '\r')
			continue;
		session_feed(&s->session, buf[n]);
	}
}

static void on_client(void *opaque, bool here)
{
	struct monitor_server *s = opaque;

	session_show(&s->session, here);
}

int monitor_server_open(struct monitor_server **list, const struct chardev_spec *spec,
			struct monitor_env *env, int cancel, char *err, size_t errlen)
{
	struct monitor_server *s = calloc(1, sizeof(*s));
	struct backend *b;

	if (!s) {
		snprintf(err, errlen, "-monitor: out of memory");
		return -1;
	}
	if (backend_open(&s->backend, spec, "monitor", env->pc->m.loop, cancel, err, errlen) < 0) {
		free(s);
		return -1;
	}
	b = s->backend;
	session_init(&s->session, env, on_write, s);
	chardev_attach(&b->stream.chr, can_receive, receive, s);
	b->client = on_client;
	b->client_opaque = s;
	s->next = *list;
	*list = s;
	/* A pty has no clients that come and go, and one that was waited for is there already. */
	if (b->stream.in >= 0)
		session_show(&s->session, true);
	if (stream_start(&b->stream) == 0)
		return 0;
	snprintf(err, errlen, "cannot read from the monitor's connection");
	return -1;
}

void monitor_servers_hurry(struct monitor_server *list)
{
	for (struct monitor_server *s = list; s; s = s->next)
		s->backend->stream.lossy = true;
}

void monitor_servers_close(struct monitor_server *list)
{
	while (list) {
		struct monitor_server *s = list;

		list = s->next;
		session_fini(&s->session);
		backend_close(s->backend);
		free(s);
	}
}
