/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The monitor: its commands, whoever types them - a terminal, a socket, gdb's `monitor` or QMP's
 * human-monitor-command.
 */
#ifndef FRONTEND_MONITOR_MONITOR_H
#define FRONTEND_MONITOR_MONITOR_H

#include <stddef.h>

#include "frontend/debug/debugger.h"
#include "frontend/debug/linux.h"
#include "frontend/debug/symbols.h"
#include "frontend/sendkey.h"
#include "hw/device_type.h"

struct drive_set;
struct netdev_set;
struct options;
struct mon_point;
struct pc;
struct profile;
struct trace;
struct ui;
struct vnc;

/* What all monitors of a machine share. */
struct monitor_env {
	struct pc *pc;
	struct debugger *debugger;
	struct netdev_set *netdevs;     /* or NULL */
	struct audiodev_set *audiodevs; /* likewise */
	struct drive_set *drives;       /* or NULL */
	/* Back ends by id, for device_add (struct device_env); or NULL. */
	void *(*backend)(void *opaque, enum prop_kind kind, const char *id);
	void *backend_opaque;
	struct ui *ui;   /* NULL, or without screens where nobody can look */
	struct vnc *vnc; /* or NULL */
	struct sendkey keys;
	struct linux_guest linux_guest;
	struct symbols symbols;
	struct debug_listener listener;
	struct machine_watcher watcher;
	const struct options *options; /* what it was started with, or NULL */
	struct monitor *monitors;      /* list, those that are told of stops */
	struct mon_point *points;      /* list, by number (frontend/monitor/points.h) */
	int next_point;
	enum { MIGRATED_NOT, MIGRATED, MIGRATION_FAILED } migration;
	struct profile *profile;   /* or NULL */
	struct trace *trace;       /* likewise */
	char *log_file;            /* where `log` goes; NULL: standard error */
	int kernel_watch;          /* id of what tells of a kernel; 0: none */
	int module_watch;          /* of a module */
	struct stepping *stepping; /* a step over source lines that is not done; or NULL */
};

/* Stops the guest and saves its state to an URI of snapshot_check_uri(). 0, or -1 with one line in err. */
int monitor_migrate(struct monitor_env *env, const char *uri, char *err, size_t errlen);
/* What became of the last one. */
const char *monitor_migration(const struct monitor_env *env);

/* One who types commands. */
struct monitor {
	struct monitor_env *env; /* borrowed */
	struct pc *pc;
	unsigned cpu;              /* whose registers and memory it looks at */
	unsigned frame;            /* of its backtrace, until it runs */
	struct source_line listed; /* the next one to be listed; line 0: around the frame */
	/* What nobody asked for: stops. NULL: it is not told. */
	void (*say)(void *opaque, const char *text);
	void *say_opaque;
	struct monitor *next;
};

/* pc is borrowed; the machine does not run yet. 0 or -errno. */
int monitor_env_init(struct monitor_env *e, struct pc *pc);
void monitor_env_fini(struct monitor_env *e);

void monitor_init(struct monitor *m, struct monitor_env *env);
/* From now on it is told of stops. */
void monitor_attach(struct monitor *m, void (*say)(void *opaque, const char *text), void *opaque);
void monitor_detach(struct monitor *m);

/* Carries out one line. print is called with text in pieces. Main thread, machine lock held; the
 * lock is let go while the vCPUs come to rest. */
void monitor_command(struct monitor *m, const char *line,
		     void (*print)(void *opaque, const char *text), void *opaque);

/* What the last word of the line may become: calls found() with each command word that begins so. */
void monitor_complete(struct monitor *m, const char *line,
		      void (*found)(void *opaque, const char *word), void *opaque);

#endif
