/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The machine interface: the protocol of QEMU's QMP (docs/interop/qmp-spec of QEMU 7.2), for one client at a time on
 * each connection.
 */
#ifndef FRONTEND_QMP_QMP_H
#define FRONTEND_QMP_QMP_H

#include <stdbool.h>

struct monitor_env;
struct options;
struct qmp;
struct stream;

/* env and o are borrowed. The machine does not run yet. 0 or -errno. */
int qmp_new(struct qmp **out, struct monitor_env *env, const struct options *o);
void qmp_free(struct qmp *q);
/* What the client's bytes come through, borrowed; for one that is there from the beginning qmp_client() is called by
 * hand. */
void qmp_attach(struct qmp *q, struct stream *stream);
/* A client has come, or gone. Machine lock held. */
void qmp_client(void *opaque, bool here);

#endif
