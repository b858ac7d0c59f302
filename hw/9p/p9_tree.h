/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A folder of the host as a guest sees it. Paths are relative to it, "" is the folder itself; no path leads out
 * of it: symbolic links are the guest's to follow, never the host's (openat2() with RESOLVE_BENEATH and
 * RESOLVE_NO_SYMLINKS), so that renaming and linking by the guest or by others meanwhile does not help.
 *
 * All return 0 or a value, or -errno. For use on any one thread.
 */
#ifndef HW_9P_P9_TREE_H
#define HW_9P_P9_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#define P9_PATH_MAX 4096

enum p9_model {
	P9_PASSTHROUGH, /* owners and modes are the files' own */
	P9_NONE,        /* the same, but owners that cannot be set are no error */
	P9_MAPPED, /* owners, modes and kinds are in extended attributes user.virtfs.*: all files are plain ones
			 * that belong to who runs us */
};

/* What a device is to share. */
struct p9_share {
	const char *path;
	enum p9_model model;
	bool read_only;
};

struct p9_tree {
	int root; /* -1: not open */
	dev_t dev;
	enum p9_model model;
	bool read_only;
};

int p9_tree_open(struct p9_tree *t, const struct p9_share *share);
void p9_tree_close(struct p9_tree *t);

/* "dir/name"; name "..": the parent, which of "" is "". -EINVAL for what is no name, -ENAMETOOLONG. */
int p9_join(char out[P9_PATH_MAX], const char *dir, const char *name);

/* What is at path: a descriptor for nothing but the functions below (O_PATH). */
int p9_find(const struct p9_tree *t, const char *path);
/* For reading and writing: regular files and folders only, -ENXIO for others. flags as of open(2); those that create
 * or follow are not taken. */
int p9_open(const struct p9_tree *t, const char *path, int flags);
/* fd: of p9_find() or p9_open(). */
int p9_stat(const struct p9_tree *t, int fd, struct stat *st);

/* A new regular file, open. */
int p9_create(const struct p9_tree *t, const char *path, int flags, mode_t mode, gid_t gid,
	      uid_t uid);
int p9_mkdir(const struct p9_tree *t, const char *path, mode_t mode, gid_t gid, uid_t uid);
int p9_mknod(const struct p9_tree *t, const char *path, mode_t mode, dev_t dev, gid_t gid,
	     uid_t uid);
int p9_symlink(const struct p9_tree *t, const char *path, const char *target, gid_t gid, uid_t uid);
int p9_link(const struct p9_tree *t, const char *path, const char *to);
int p9_unlink(const struct p9_tree *t, const char *path, bool dir);
int p9_rename(const struct p9_tree *t, const char *from, const char *to);
/* Bytes in buf, which end with NUL. */
int p9_readlink(const struct p9_tree *t, int fd, char buf[P9_PATH_MAX]);

int p9_chmod(const struct p9_tree *t, int fd, mode_t mode);
/* -1: as it is. */
int p9_chown(const struct p9_tree *t, int fd, uid_t uid, gid_t gid);
int p9_truncate(const struct p9_tree *t, const char *path, uint64_t size);
int p9_utimens(const struct p9_tree *t, int fd, const struct timespec ts[2]);

/* Extended attributes; those of the mapping are not there for the guest. Sizes as of getxattr(2). */
long p9_getxattr(const struct p9_tree *t, int fd, const char *name, void *buf, size_t size);
long p9_listxattr(const struct p9_tree *t, int fd, char *buf, size_t size);
int p9_setxattr(const struct p9_tree *t, int fd, const char *name, const void *buf, size_t size,
		int flags);
int p9_removexattr(const struct p9_tree *t, int fd, const char *name);

#endif
