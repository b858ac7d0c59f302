/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Monitors on sockets and pseudo-terminals: -monitor and -mon.
 */
#ifndef FRONTEND_MONITOR_SERVER_H
#define FRONTEND_MONITOR_SERVER_H

#include <stddef.h>

struct chardev_spec;
struct monitor_env;
struct monitor_server;

/* env is borrowed. cancel: see struct stream. The new one is put before *list. Machine lock held. 0, or -1 with one line
 * in err. */
int monitor_server_open(struct monitor_server **list, const struct chardev_spec *spec,
			struct monitor_env *env, int cancel, char *err, size_t errlen);
/* Nobody waits for output that a client does not take. */
void monitor_servers_hurry(struct monitor_server *list);
void monitor_servers_close(struct monitor_server *list);

#endif
