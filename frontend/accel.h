/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which engine a machine runs under: what -accel asks for, and what this host and build have.
 */
#ifndef FRONTEND_ACCEL_H
#define FRONTEND_ACCEL_H

#include <stddef.h>

struct engine;

/* The engines to choose from, and why they cannot run; tests make their own. */
struct accel_host {
	const struct engine *kvm; /* NULL: this build has none */
	const struct engine *jit, *interp;
};

struct accel_host accel_host(void);

/* name as in struct options; otherwise: what to fall back on, or NULL. 0 with a line for the user in say,
 * or nothing there; -1 with what is wrong. */
int accel_choose(const struct accel_host *h, const char *name, const char *otherwise,
		 const struct engine **engine, char *say, size_t len);

#endif
