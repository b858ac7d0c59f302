/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A whole machine to a file and back: identity, clock, memory, devices, vCPUs. What engine it ran under is
 * no part of it.
 */
#ifndef HW_MACHINE_STATE_H
#define HW_MACHINE_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "hw/device.h"
#include "hw/state_file.h"

struct machine;

/* The fields of struct vcpu. */
extern const struct field vcpu_fields[];

/* The machine is stopped and its disks are at rest; lock held. disks: what must be the same of them, as lines
 * like those of machine.identity. 0 or -errno. */
int machine_save_locked(struct machine *m, const char *disks, const struct state_sink *to);
/* A device whose state cannot be saved now, with why, or NULL. The machine is stopped; lock held. */
const struct device *machine_unsaved_locked(struct machine *m, const char **why);
/* Whether the state can be loaded; changes nothing. 0, or -errno with one line in err. */
int machine_check_locked(struct machine *m, const char *disks, const struct state_source *from,
			 char *err, size_t errlen);
/* Looks at all of it first: after an error, -errno with one line in err, the machine is as it was. But
 * for one while its second reading fails: it is to be reset then (*half is set). The machine is stopped;
 * lock held. */
int machine_load_locked(struct machine *m, const char *disks, const struct state_source *from,
			bool *half, char *err, size_t errlen);

#endif
