/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A run of a guest as the command line describes it, for who wants to look on.
 */
#ifndef FRONTEND_RUN_H
#define FRONTEND_RUN_H

struct pc;

/* On the main thread, without the machine lock. */
struct run_hooks {
	void (*starts)(void *opaque, struct pc *pc); /* all is set up, the vCPUs are paused */
	void (*ended)(void *opaque, struct pc *pc);  /* and are paused again */
	void *opaque;
};

/* argv as for doppel itself; the exit status. */
typedef int run_fn(int argc, char **argv, const struct run_hooks *hooks);

#endif
