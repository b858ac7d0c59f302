/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * From the name of a limit to the number that it sets.
 */
#include "frontend/drive_limits.h"

#include <string.h>

const char *const drive_limit_names[NR_LIMITS] = {
    [LIMIT_BPS_TOTAL] = "bps",   [LIMIT_BPS_READ] = "bps_rd",   [LIMIT_BPS_WRITE] = "bps_wr",
    [LIMIT_IOPS_TOTAL] = "iops", [LIMIT_IOPS_READ] = "iops_rd", [LIMIT_IOPS_WRITE] = "iops_wr",
};

static const char *const new_names[NR_LIMITS] = {
    [LIMIT_BPS_TOTAL] = "bps-total", [LIMIT_BPS_READ] = "bps-read",
    [LIMIT_BPS_WRITE] = "bps-write", [LIMIT_IOPS_TOTAL] = "iops-total",
    [LIMIT_IOPS_READ] = "iops-read", [LIMIT_IOPS_WRITE] = "iops-write",
};

/* tail: what follows the limit's own name. */
static uint64_t *number(struct limit *l, const char *tail, char dash)
{
	const char max[] = {dash, 'm', 'a', 'x', 0};
	const char length[] = {dash, 'l', 'e', 'n', 'g', 't', 'h', 0};

	if (!*tail)
		return &l->avg;
	if (strncmp(tail, max, 4) != 0)
		return NULL;
	tail += 4;
	return !*tail ? &l->max : strcmp(tail, length) == 0 ? &l->length : NULL;
}

static uint64_t *find(struct limit_config *c, const char *name, const char *const *names, char dash)
{
	for (unsigned k = 0; k < NR_LIMITS; k++) {
		size_t len = strlen(names[k]);
		uint64_t *n = strncmp(name, names[k], len) == 0
				  ? number(&c->limit[k], name + len, dash)
				  : NULL;

		if (n)
			return n;
	}
	return NULL;
}

uint64_t *drive_limit(struct limit_config *c, const char *name)
{
	static const char prefix[] = "throttling.";
	bool is_new = strncmp(name, prefix, sizeof(prefix) - 1) == 0;

	if (is_new)
		name += sizeof(prefix) - 1;
	if (strcmp(name, is_new ? "iops-size" : "iops_size") == 0)
		return &c->iops_size;
	return find(c, name, is_new ? new_names : drive_limit_names, is_new ? '-' : '_');
}
