/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a client's numbers stand for.
 */
#ifndef HW_9P_P9_FID_H
#define HW_9P_P9_FID_H

#include <dirent.h>

#include "hw/9p/p9_server.h"

#define P9_NO_FID UINT32_MAX

/* The same to the guest as to Linux. */
#define P9_XATTR_MAX (64u << 10)

enum p9_kind {
	FID_PATH,     /* nothing open */
	FID_FILE,     /* fd */
	FID_DIR,      /* dir */
	FID_XATTR,    /* data, to be read */
	FID_NEW_XATTR /* data, being written; set at the end */
};

struct p9_fid {
	uint32_t nr;
	enum p9_kind kind;
	char *path;
	uid_t uid; /* who makes files with it: the user of its attach */
	int fd;
	DIR *dir;
	char *name; /* of an attribute */
	uint8_t *data;
	size_t size, have;
	int flags;
	struct p9_fid *next;
};

struct p9_fid *p9_fid_find(const struct p9_server *s, uint32_t nr);
/* NULL and *err: -EEXIST, -ENOMEM, -EMFILE when there are too many. */
struct p9_fid *p9_fid_new(struct p9_server *s, uint32_t nr, const char *path, uid_t uid, int *err);
/* Closes what it has open. */
void p9_fid_shut(struct p9_server *s, struct p9_fid *f);
void p9_fid_drop(struct p9_server *s, struct p9_fid *f);
void p9_fids_drop_all(struct p9_server *s);
/* -ENOMEM leaves the old one. */
int p9_fid_set_path(struct p9_fid *f, const char *path);
/* What was at `from` is at `to`. */
void p9_fids_moved(struct p9_server *s, const char *from, const char *to);
/* op() with a descriptor of what the fid stands for: its result, or -errno. */
int p9_fid_do(const struct p9_server *s, const struct p9_fid *f,
	      int (*op)(const struct p9_tree *t, int fd, void *arg), void *arg);

#endif
