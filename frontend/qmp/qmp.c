/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Messages: taken from the stream, checked, carried out, answered; and events.
 */
#include "frontend/qmp/qmp.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "frontend/qmp/qmp_impl.h"
#include "frontend/stream.h"
#include "hw/pc.h"

/* clang-format off: a line each */
const struct qmp_command *const qmp_tables[] = {
    qmp_control_commands, qmp_query_commands, qmp_device_commands, qmp_schema_commands, NULL,
};
/* clang-format on */

/* ---- to the client ---- */

static void send(struct qmp *q, const char *text, size_t len)
{
	if (!q->here)
		return;
	chardev_write(&q->stream->chr, (const uint8_t *)text, len);
	chardev_write(&q->stream->chr, (const uint8_t *)"\r\n", 2);
}

const char *const qmp_event_names[] = {
    "STOP",           "RESUME",         "RESET",          "SHUTDOWN",
    "POWERDOWN",      "GUEST_PANICKED", "BLOCK_IO_ERROR", "DEVICE_TRAY_MOVED",
    "DEVICE_DELETED", "SUSPEND",        "WAKEUP",         "SUSPEND_DISK",
    "WATCHDOG"};
const unsigned qmp_nr_events = sizeof(qmp_event_names) / sizeof(qmp_event_names[0]);

/* data may be NULL. */
static void send_event(struct qmp *q, const char *name, const char *data)
{
	char text[1200];
	struct timeval tv;
	int n;

	if (!q->here || !q->negotiated || q->stream->out_len > QMP_WAITING)
		return;
	gettimeofday(&tv, NULL);
	n = snprintf(text, sizeof(text),
		     "{\"timestamp\": {\"seconds\": %lld, \"microseconds\": %lld}, "
		     "\"event\": \"%s\"%s%s}",
		     (long long)tv.tv_sec, (long long)tv.tv_usec, name, data ? ", \"data\": " : "",
		     data ? data : "");
	send(q, text, n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

static void send_error(struct qmp *q, const char *class, const char *desc, const struct json *id)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return;
	fprintf(f, "{\"error\": {\"class\": \"%s\", \"desc\": ", class ? class : "GenericError");
	json_write_string(desc, f);
	fputc('}', f);
	if (id) {
		fputs(", \"id\": ", f);
		json_write(id, f);
	}
	fputc('}', f);
	if (fclose(f) == 0)
		send(q, text, len);
	free(text);
}

static void send_result(struct qmp *q, const char *result, const struct json *id)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return;
	fprintf(f, "{\"return\": %s", *result ? result : "{}");
	if (id) {
		fputs(", \"id\": ", f);
		json_write(id, f);
	}
	fputc('}', f);
	if (fclose(f) == 0)
		send(q, text, len);
	free(text);
}

void qmp_error(struct qmp_call *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->error, sizeof(c->error), fmt, ap);
	va_end(ap);
}

/* ---- arguments ---- */

const char *qmp_text(const struct qmp_call *c, const char *name, const char *otherwise)
{
	const struct json *j = json_member(c->args, name);

	return j ? j->text : otherwise;
}

int64_t qmp_integer(const struct qmp_call *c, const char *name, int64_t otherwise)
{
	const struct json *j = json_member(c->args, name);

	return j ? j->integer : otherwise;
}

bool qmp_bool(const struct qmp_call *c, const char *name, bool otherwise)
{
	const struct json *j = json_member(c->args, name);

	return j ? j->truth : otherwise;
}

/* The type of an argument in the table, and whether it may be left out; 0: there is no such argument. */
static char spec_of(const char *spec, const char *name, size_t len)
{
	for (; spec && *spec; spec += strcspn(spec, " "), spec += *spec == ' ')
		if (strncmp(spec, name, len) == 0 && spec[len] == ':')
			return spec[len + 1];
	return 0;
}

static bool has_type(const struct json *j, char type)
{
	static const char types[] = {[JSON_INT] = 'i',
				     [JSON_BOOL] = 'b',
				     [JSON_STRING] = 's',
				     [JSON_ARRAY] = 'a',
				     [JSON_OBJECT] = 'o'};

	return j->kind < sizeof(types) && types[j->kind] == type;
}

static void check_args(struct qmp_call *c, const char *spec)
{
	static const struct {
		char type;
		const char *name;
	} types[] = {
	    {'s', "string"}, {'i', "integer"}, {'b', "boolean"}, {'a', "array"}, {'o', "object"}};

	for (const struct json *j = c->args ? c->args->child : NULL; j && !*c->error; j = j->next) {
		char type = spec_of(spec, j->name, strlen(j->name));

		if (!type)
			type = spec_of(spec, "*", 1);
		if (!type)
			qmp_error(c, "Parameter '%.200s' is unexpected", j->name);
		for (size_t n = 0; type && n < sizeof(types) / sizeof(types[0]); n++)
			if (types[n].type == type && !has_type(j, type))
				qmp_error(c, "Invalid parameter type for '%s', expected: %s",
					  j->name, types[n].name);
	}
	for (const char *s = spec; s && *s && !*c->error; s += *s == ' ') {
		size_t len = strcspn(s, ":"), all = strcspn(s, " ");
		char name[40];

		snprintf(name, sizeof(name), "%.*s", (int)len, s);
		if (s[all - 1] != '?' && !json_member(c->args, name))
			qmp_error(c, "Parameter '%s' is missing", name);
		s += all;
	}
}

/* ---- commands ---- */

static const struct qmp_command *find(const char *name)
{
	for (const struct qmp_command *const *t = qmp_tables; *t; t++)
		for (const struct qmp_command *c = *t; c->name; c++)
			if (strcmp(c->name, name) == 0)
				return c;
	return NULL;
}

static const struct qmp_command *pick(struct qmp_call *c, const char *name)
{
	const bool first = strcmp(name, "qmp_capabilities") == 0;
	const struct qmp_command *cmd = find(name);

	c->class = "CommandNotFound";
	if (!c->q->negotiated && !first)
		qmp_error(c, "Expecting capabilities negotiation with 'qmp_capabilities'");
	else if (c->q->negotiated && first)
		qmp_error(c, "Capabilities negotiation is already complete, command ignored");
	else if (!cmd)
		qmp_error(c, "The command %.200s has not been found", name);
	else
		c->class = NULL;
	return cmd;
}

static void carry_out(struct qmp *q, const char *name, const struct json *args,
		      const struct json *id)
{
	struct qmp_call c = {.q = q, .args = args};
	const struct qmp_command *cmd = pick(&c, name);
	char *text = NULL;
	size_t len = 0;

	c.out = open_memstream(&text, &len);
	if (!c.out) {
		send_error(q, NULL, "Out of memory", id);
		return;
	}
	if (!*c.error)
		check_args(&c, cmd->args);
	if (!*c.error)
		cmd->run(&c);
	if (fclose(c.out) != 0)
		qmp_error(&c, "Out of memory");
	else if (!*c.error && len > QMP_RESULT)
		qmp_error(&c, "The result is too large");
	if (*c.error)
		send_error(q, c.class, c.error, id);
	else
		send_result(q, text, id);
	free(text);
}

/* NULL, or what is wrong with a message. */
static const char *check_message(const struct json *j, char *why, size_t len)
{
	const struct json *name = json_member(j, "execute"), *args = json_member(j, "arguments");

	if (j->kind != JSON_OBJECT)
		return "QMP input must be a JSON object";
	for (const struct json *m = j->child; m; m = m->next)
		if (strcmp(m->name, "execute") != 0 && strcmp(m->name, "arguments") != 0 &&
		    strcmp(m->name, "id") != 0) {
			snprintf(why, len, "QMP input member '%.200s' is unexpected", m->name);
			return why;
		}
	if (!name)
		return "QMP input lacks member 'execute'";
	if (name->kind != JSON_STRING)
		return "QMP input member 'execute' must be a string";
	if (args && args->kind != JSON_OBJECT)
		return "QMP input member 'arguments' must be an object";
	return NULL;
}

static void message(struct qmp *q)
{
	const char *why;
	struct json *j = json_parse(q->buf, q->len, &why);
	char text[300];

	if (!j) {
		snprintf(text, sizeof(text), "JSON parse error, %s", why);
		send_error(q, NULL, text, NULL);
		return;
	}
	why = check_message(j, text, sizeof(text));
	if (why)
		send_error(q, NULL, why, json_member(j, "id"));
	else
		carry_out(q, json_member(j, "execute")->text, json_member(j, "arguments"),
			  json_member(j, "id"));
	json_free(j);
}

/* ---- from the client ---- */

static void forget(struct qmp *q)
{
	q->scan = (struct json_scan){0};
	q->begun = q->too_long = false;
	q->len = 0;
}

/* Between messages: white space, and what nobody understands. */
static void between(struct qmp *q, char c)
{
	if (c == '{' || c == '[') {
		q->begun = true;
		q->junk = false;
	} else if (c == '\n') {
		q->junk = false;
	} else if (!q->junk && c != ' ' && c != '\t' && c != '\r') {
		q->junk = true;
		send_error(q, NULL, "JSON parse error, QMP input must be a JSON object", NULL);
	}
}

static void receive_byte(struct qmp *q, char c)
{
	if ((unsigned char)c == 0xff) { /* in no UTF-8: begins anew */
		forget(q);
		q->junk = false;
		return;
	}
	if (!q->begun)
		between(q, c);
	if (!q->begun)
		return;
	if (q->len < sizeof(q->buf))
		q->buf[q->len++] = c;
	else
		q->too_long = true;
	if (!json_scan(&q->scan, c))
		return;
	if (q->too_long)
		send_error(q, NULL, "JSON parse error, the message is too long", NULL);
	else
		message(q);
	forget(q);
}

/* Nothing while the client does not read what it has been told. */
static size_t can_receive(void *dev)
{
	struct qmp *q = dev;

	return q->stream->out_len > QMP_WAITING ? 0 : 64;
}

static void receive(void *dev, const uint8_t *buf, size_t len)
{
	struct qmp *q = dev;

	for (size_t n = 0; n < len && q->here; n++)
		receive_byte(q, (char)buf[n]);
}

/* ---- events ---- */

static void on_stopped(void *opaque, const struct debug_stop *stop)
{
	(void)stop;
	send_event(opaque, "STOP", NULL);
}

static void on_resumed(void *opaque)
{
	send_event(opaque, "RESUME", NULL);
}

static void on_reset(struct qmp *q)
{
	bool guest = !q->asked_reset;

	q->asked_reset = false;
	send_event(q, "RESET",
		   guest ? "{\"guest\": true, \"reason\": \"guest-reset\"}"
			 : "{\"guest\": false, \"reason\": \"host-qmp-system-reset\"}");
}

static void on_end(struct qmp *q)
{
	const struct machine *m = &q->pc->m;

	switch (m->end) {
	case END_SHUTDOWN:
		send_event(q, "SHUTDOWN", "{\"guest\": true, \"reason\": \"guest-shutdown\"}");
		break;
	case END_PANIC:
		send_event(q, "GUEST_PANICKED",
			   m->no_shutdown || m->panic_action == PANIC_PAUSE
			       ? "{\"action\": \"pause\"}"
			       : "{\"action\": \"shutdown\"}");
		send_event(q, "SHUTDOWN", "{\"guest\": true, \"reason\": \"guest-panic\"}");
		break;
	case END_QUIT:
		send_event(q, "SHUTDOWN", "{\"guest\": false, \"reason\": \"host-qmp-quit\"}");
		break;
	case END_EXIT:
		if (m->end_status >= 128)
			send_event(q, "SHUTDOWN",
				   "{\"guest\": false, \"reason\": \"host-signal\"}");
		break;
	case END_NONE:
		break;
	}
}

/* As JSON has it; what does not fit is cut off, to nothing. */
static void quote(char *out, size_t len, const char *text)
{
	FILE *f = fmemopen(out, len, "w");

	*out = 0;
	if (!f)
		return;
	json_write_string(text, f);
	if (fclose(f) != 0)
		strcpy(out, "\"\"");
}

static void on_io_error(struct qmp *q, const char *device)
{
	char name[200], text[400];

	quote(name, sizeof(name), device);
	snprintf(text, sizeof(text), "{\"device\": %.190s, \"action\": \"stop\"}", name);
	send_event(q, "BLOCK_IO_ERROR", text);
}

static void on_tray(struct qmp *q, const char *device, bool open)
{
	char name[400], text[900];

	quote(name, sizeof(name), device);
	snprintf(text, sizeof(text), "{\"device\": %s, \"id\": %s, \"tray-open\": %s}", name, name,
		 open ? "true" : "false");
	send_event(q, "DEVICE_TRAY_MOVED", text);
}

static void on_deleted(struct qmp *q, const char *id)
{
	char path[128], name[400], where[500], text[1000];

	snprintf(path, sizeof(path), "/machine/peripheral/%.63s", id);
	quote(name, sizeof(name), id);
	quote(where, sizeof(where), path);
	snprintf(text, sizeof(text), "{\"device\": %s, \"path\": %s}", name, where);
	send_event(q, "DEVICE_DELETED", text);
}

static void on_watchdog(struct qmp *q, const char *action)
{
	char text[64];

	snprintf(text, sizeof(text), "{\"action\": \"%s\"}", action);
	send_event(q, "WATCHDOG", text);
}

static void on_event(void *opaque, enum machine_event event, const char *what)
{
	switch (event) {
	case MACHINE_RESET:
		on_reset(opaque);
		break;
	case MACHINE_END:
		on_end(opaque);
		break;
	case MACHINE_POWERDOWN:
		send_event(opaque, "POWERDOWN", NULL);
		break;
	case MACHINE_WATCHDOG:
		on_watchdog(opaque, what);
		break;
	case MACHINE_SUSPEND:
		send_event(opaque, "SUSPEND", NULL);
		break;
	case MACHINE_WAKEUP:
		send_event(opaque, "WAKEUP", NULL);
		break;
	case MACHINE_SUSPEND_DISK:
		send_event(opaque, "SUSPEND_DISK", NULL);
		break;
	case MACHINE_IO_ERROR:
		on_io_error(opaque, what);
		break;
	case MACHINE_TRAY_OPENED:
	case MACHINE_TRAY_CLOSED:
		on_tray(opaque, what, event == MACHINE_TRAY_OPENED);
		break;
	case MACHINE_DEVICE_DELETED:
		if (*what)
			on_deleted(opaque, what);
		break;
	}
}

/* ---- the connection ---- */

void qmp_client(void *opaque, bool here)
{
	struct qmp *q = opaque;
	static const char greeting[] =
	    "{\"QMP\": {\"version\": " QMP_VERSION ", \"capabilities\": []}}";

	forget(q);
	q->junk = q->negotiated = q->asked_reset = false;
	q->here = here;
	if (here)
		send(q, greeting, sizeof(greeting) - 1);
}

void qmp_attach(struct qmp *q, struct stream *stream)
{
	q->stream = stream;
	chardev_attach(&stream->chr, can_receive, receive, q);
}

int qmp_new(struct qmp **out, struct monitor_env *env, const struct options *o)
{
	struct qmp *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->env = env;
	q->pc = env->pc;
	q->options = o;
	monitor_init(&q->monitor, env);
	q->listener =
	    (struct debug_listener){.stopped = on_stopped, .resumed = on_resumed, .opaque = q};
	debug_listen(env->debugger, &q->listener);
	q->watcher = (struct machine_watcher){.event = on_event, .opaque = q};
	machine_watch(&q->pc->m, &q->watcher);
	*out = q;
	return 0;
}

void qmp_free(struct qmp *q)
{
	if (!q)
		return;
	debug_unlisten(q->env->debugger, &q->listener);
	machine_unwatch(&q->pc->m, &q->watcher);
	free(q);
}
