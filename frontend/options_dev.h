/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Inside the option parser: "key=value,..." lists, and the options that describe devices and
 * character devices.
 */
#ifndef FRONTEND_OPTIONS_DEV_H
#define FRONTEND_OPTIONS_DEV_H

#include "frontend/options.h"

struct parse {
	struct options *o;
	char *err;
	size_t errlen;
};

/* One element of a list; ",," inside a value stands for a comma. */
struct keyval {
	char key[64];
	char val[256];
	bool has_val;
};

/* Takes the next element off *at; false at the end. Longer words are cut: they match nothing. */
bool next_keyval(const char **at, struct keyval *kv);

/* Sets the message and returns -1. */
int fail(struct parse *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

int on_serial(struct parse *p, const char *arg);
int on_debugcon(struct parse *p, const char *arg);
int on_chardev(struct parse *p, const char *arg);
int on_device(struct parse *p, const char *arg);
int on_global(struct parse *p, const char *arg);

/* After the last option: defaults and conflicts. */
int finish_devices(struct parse *p);

#endif
