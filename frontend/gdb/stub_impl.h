/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Inside the stub: the files that answer packets.
 */
#ifndef FRONTEND_GDB_STUB_IMPL_H
#define FRONTEND_GDB_STUB_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend/debug/debugger.h"
#include "frontend/gdb/regs.h"
#include "frontend/gdb/stub.h"
#include "frontend/gdb/wire.h"
#include "frontend/monitor/monitor.h"

/* Numbers after 'E': those of the host's errno.h that gdb documents. */
enum { GDB_EPERM = 1, GDB_EFAULT = 14, GDB_EINVAL = 22, GDB_ENOSPC = 28 };

/* What 'Z' asks for. */
enum gdb_point_type { GDB_SW_BREAK, GDB_HW_BREAK, GDB_WATCH, GDB_RWATCH, GDB_AWATCH };

struct gdb_point {
	enum gdb_point_type type;
	uint64_t addr, len;
	int id; /* the debugger's */
	/* Taken away by 'z', which gdb does at each stop and takes back when it goes on: until then it stays. */
	bool gone;
};

struct gdb_stub {
	struct gdb_wire wire;
	struct gdb_regs regs;
	struct monitor monitor;
	struct debugger *debugger;
	struct pc *pc;
	struct debug_listener listener;
	struct chardev *chr;
	bool here;             /* a client is */
	bool waits;            /* the client, for a stop */
	bool swbreak, hwbreak; /* it understands these reasons */
	bool physical;         /* its addresses are */
	unsigned cpu;          /* what registers and memory are of */
	unsigned run_cpu;      /* Hc: what 's' steps; RUN_ALL */
	int step_id;           /* point after a HLT that is stepped over; 0: none */
	struct gdb_point *points;
	unsigned nr_points;
	char reply[GDB_PACKET + 1];
};

#define GDB_RUN_ALL (~0u)

void gdb_reply(struct gdb_stub *s, const char *text);
void gdb_error(struct gdb_stub *s, unsigned number);
void gdb_report_stop(struct gdb_stub *s, const struct debug_stop *stop);

/* A thread's number, as gdb writes it ("p1." before it is taken): its vCPU, or GDB_RUN_ALL for 0 and -1. Moves *text
 * behind it; false: there is no such thread. */
bool gdb_thread(const struct gdb_stub *s, const char **text, unsigned *cpu);

/* Points that were not taken back are removed from the machine. */
void gdb_points_settle(struct gdb_stub *s);
const struct gdb_point *gdb_point_find(const struct gdb_stub *s, int id);

/* One function for each kind of packet; args is what follows its name, and len its length. */
typedef void gdb_handler(struct gdb_stub *s, char *args, size_t len);
gdb_handler gdb_read_registers, gdb_write_registers, gdb_read_register, gdb_write_register,
    gdb_read_memory, gdb_write_memory_hex, gdb_write_memory, gdb_insert_point, gdb_remove_point,
    gdb_continue, gdb_continue_signal, gdb_step, gdb_step_signal, gdb_vcont, gdb_supported,
    gdb_features, gdb_threads_xml, gdb_command, gdb_thread_info, gdb_monitor, gdb_crc,
    gdb_step_bits, gdb_step_mode, gdb_set_step_mode, gdb_physical, gdb_set_physical;

#endif
