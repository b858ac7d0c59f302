/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The connections by which other programs control a machine: gdb's and QMP's.
 */
#ifndef FRONTEND_REMOTE_H
#define FRONTEND_REMOTE_H

#include <stddef.h>

struct monitor_env;
struct options;
struct remotes;

/* Opens what the options name, before the machine runs; env is borrowed. cancel: see struct stream. Machine lock held. 0,
 * or -1 with one line in err. */
int remotes_open(struct remotes **out, const struct options *o, struct monitor_env *env, int cancel,
		 char *err, size_t errlen);
/* Nobody waits for output that a client does not take. */
void remotes_hurry(struct remotes *r);
/* The machine has ended with this exit status. Machine lock held; r may be NULL. */
void remotes_close(struct remotes *r, int status);

#endif
