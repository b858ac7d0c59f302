/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a command of the monitor is: an entry in one of the tables, with its arguments' types.
 */
#ifndef FRONTEND_MONITOR_COMMAND_H
#define FRONTEND_MONITOR_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend/monitor/monitor.h"

#define MONITOR_MAX_ARGS 7
#define MONITOR_MAX_LINE 1024

/* Where a command's output goes. */
struct out {
	void (*print)(void *opaque, const char *text);
	void *opaque;
};

void out(const struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* One argument, where the table says. */
struct arg {
	bool given;
	const char *text;
};

struct command {
	/* Words by which it is called, other names after a '|'. */
	const char *name;
	/* Its arguments in their order, separated by spaces: "-x" is a flag, "-x:WORD" one with a word after it (one
	 * of these at most), "/fmt" a format as in x/4xg,
	 * "NAME" a word (in quotes where it has spaces) and "NAME..." the rest of the line; those in [] may be left out.
	 * They arrive in the same order; flags come first. NULL: none. */
	const char *args;
	void (*run)(struct monitor *m, const struct out *o, const struct arg *a);
	const char *help;    /* one line */
	const char *example; /* a line that works */
};

/* Each ends with an entry without a name. */
extern const struct command memory_commands[], stop_commands[], kernel_commands[],
    paging_commands[], table_commands[], device_commands[], profile_commands[];
extern const struct command balloon_commands[];
extern const struct command plug_commands[];
extern const struct command disk_commands[];
extern const struct command trace_commands[];
extern const struct command about_commands[];
extern const struct command symbol_commands[], list_commands[], frame_commands[];
extern const struct command step_commands[];
extern const struct command display_commands[], network_commands[], audio_commands[];
extern const struct command machine_commands[], info_commands[], help_commands[], input_commands[];

/* The other `change`, of disks.c: a flag for force, then device, file, format, mode. */
void monitor_change_medium(struct monitor *m, const struct out *o, const struct arg *a);

/* All of them, NULL at the end. */
extern const struct command *const command_tables[];

#endif
