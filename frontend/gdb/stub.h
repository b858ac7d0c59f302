/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * gdb's remote serial protocol ("Debugging with GDB", appendix E) for one client at a time: vCPUs are threads 1 to n
 * of the one process, all stopped or all running.
 */
#ifndef FRONTEND_GDB_STUB_H
#define FRONTEND_GDB_STUB_H

#include <stdbool.h>

struct chardev;
struct gdb_stub;
struct monitor_env;

/* env is borrowed. 0 or -errno. */
int gdb_stub_new(struct gdb_stub **out, struct monitor_env *env);
/* While the machine stands or has ended. */
void gdb_stub_free(struct gdb_stub *s);

/* What the client's bytes come through, borrowed; for one that is there from the beginning gdb_stub_client() is
 * called by hand. */
void gdb_stub_attach(struct gdb_stub *s, struct chardev *chr);
/* A client has come: the guest stops. Or gone: its breakpoints are removed, and a guest that is stopped stays so. Machine
 * lock held. */
void gdb_stub_client(void *opaque, bool here);
/* The machine has ended with this exit status: says so to the client. */
void gdb_stub_exited(struct gdb_stub *s, int status);

#endif
