/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Inside QMP: sessions, and what a command is.
 */
#ifndef FRONTEND_QMP_QMP_IMPL_H
#define FRONTEND_QMP_QMP_IMPL_H

#include <stdio.h>

#include "frontend/debug/debugger.h"
#include "frontend/json_read.h"
#include "frontend/monitor/monitor.h"
#include "frontend/qmp/qmp.h"
#include "hw/machine.h"

#define QMP_MESSAGE 0x10000 /* bytes of one message from a client */
/* A client that does not read: no more is read from it, and no events are kept for it, while so much waits. */
#define QMP_WAITING 0x40000
#define QMP_RESULT  0x80000 /* bytes of one result */

struct qmp {
	struct monitor_env *env;
	struct pc *pc;
	const struct options *options;
	struct monitor monitor;
	struct stream *stream;
	struct debug_listener listener;
	struct machine_watcher watcher;
	bool here, negotiated;
	bool asked_reset; /* the next reset is the client's */
	/* What has come of a message. */
	struct json_scan scan;
	bool begun, junk, too_long;
	size_t len;
	char buf[QMP_MESSAGE];
};

/* What one command says. */
struct qmp_call {
	struct qmp *q;
	const struct json *args;
	FILE *out;         /* the result; nothing: {} */
	const char *class; /* of the error, NULL: GenericError */
	char error[512];   /* empty: none */
};

struct qmp_command {
	const char *name;
	/* "name:t" for each argument, t being one of s(tring), i(nteger), b(oolean), a(rray) and o(bject); '?' behind it
	 * for one that may be left out. "*:x?": any others, of any type. */
	const char *args;
	void (*run)(struct qmp_call *c);
};

/* Each ends with an entry without a name. */
extern const struct qmp_command qmp_control_commands[], qmp_query_commands[], qmp_device_commands[];
extern const struct qmp_command qmp_schema_commands[];
extern const struct qmp_command *const qmp_tables[];

void qmp_error(struct qmp_call *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Arguments that the table has; the others' defaults. */
const char *qmp_text(const struct qmp_call *c, const char *name, const char *otherwise);
int64_t qmp_integer(const struct qmp_call *c, const char *name, int64_t otherwise);
bool qmp_bool(const struct qmp_call *c, const char *name, bool otherwise);

/* What events there are: a list without end mark. */
extern const char *const qmp_event_names[];
extern const unsigned qmp_nr_events;

#define QMP_VERSION                                                                                \
	"{\"qemu\": {\"micro\": 0, \"minor\": 2, \"major\": 7}, \"package\": \"doppel\"}"

#endif
