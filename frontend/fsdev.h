/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * -fsdev and -virtfs: folders of the host for guests, as the command line names them.
 */
#ifndef FRONTEND_FSDEV_H
#define FRONTEND_FSDEV_H

#include "hw/9p/p9_tree.h"

struct parse;

#define MAX_FSDEV 8

struct fsdev_spec {
	char id[64];
	char path[1024];
	struct p9_share share; /* path set last, by fsdev_find() */
};

struct fsdevs {
	struct fsdev_spec spec[MAX_FSDEV];
	unsigned nr;
};

int on_fsdev(struct parse *p, const char *arg);
int on_virtfs(struct parse *p, const char *arg);

/* For hw/9p/virtio_9p.h, or NULL. */
struct p9_share *fsdev_find(struct fsdevs *f, const char *id);

#endif
