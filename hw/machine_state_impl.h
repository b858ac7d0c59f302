/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What saving and loading a machine's state share: the names of its sections.
 */
#ifndef HW_MACHINE_STATE_IMPL_H
#define HW_MACHINE_STATE_IMPL_H

#include "hw/machine.h"
#include "hw/machine_state.h"

/* What is in the file besides memory and tables of fields. */
#define STATE_MACHINE "machine"
#define STATE_CLOCK   "clock"
#define STATE_END     "end"

/* Before each piece of memory. */
struct state_memory_header {
	uint64_t off;
};

/* Of the machine's parts; memory of d NULL is the main one. */
void state_cpu_name(char name[STATE_NAME_MAX], unsigned n);
void state_device_name(char name[STATE_NAME_MAX], const struct device *d);
void state_memory_name(char name[STATE_NAME_MAX], const struct device *d);
struct ram *state_memory_of(struct machine *m, const struct device *d);
/* What must be the same when it is loaded, a line for each option; the caller frees it. NULL without memory. */
char *state_identity(const struct machine *m, const char *disks);

#endif
