/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A sampling profiler of the guest: at each tick of the host's clock all vCPUs are held, and their backtraces counted.
 */
#ifndef FRONTEND_MONITOR_PROFILE_H
#define FRONTEND_MONITOR_PROFILE_H

#include <stdint.h>
#include <stdio.h>

#define PROFILE_HZ_MAX 1000

struct monitor_env;
struct profile;

/* One function in one place of the tree of calls. */
struct profile_node {
	char *name;
	uint64_t self, total; /* samples: in it, and in it or below */
	struct profile_node *child, *next;
};

/* Starts taking samples. 0 or -errno. */
int profile_start(struct profile **out, struct monitor_env *env, unsigned hz);
/* Takes no more; what there is stays. */
void profile_stop(struct profile *p);
void profile_free(struct profile *p);
/* The root, whose total are all samples but those of halted vCPUs. */
const struct profile_node *profile_root(const struct profile *p);
uint64_t profile_idle(const struct profile *p);
/* ns that samples took, and since the start. */
void profile_cost(const struct profile *p, uint64_t *spent, uint64_t *since);

/* The tree as an SVG picture: callers below what they call. */
void flame_graph(const struct profile_node *root, FILE *f);

#endif
