/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The exported folder: see the header.
 */
#include "hw/9p/p9_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MAPPED_PREFIX "user.virtfs."
#define MAPPED_UID    MAPPED_PREFIX "uid"
#define MAPPED_GID    MAPPED_PREFIX "gid"
#define MAPPED_MODE   MAPPED_PREFIX "mode"
#define MAPPED_RDEV   MAPPED_PREFIX "rdev"

enum { PROC_LEN = 32 };

int p9_tree_open(struct p9_tree *t, const struct p9_share *share)
{
	struct stat st;

	*t = (struct p9_tree){.model = share->model, .read_only = share->read_only};
	t->root = open(share->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (t->root < 0 || fstat(t->root, &st) < 0) {
		int err = -errno;

		p9_tree_close(t);
		return err;
	}
	t->dev = st.st_dev;
	return 0;
}

void p9_tree_close(struct p9_tree *t)
{
	if (t->root >= 0)
		close(t->root);
	t->root = -1;
}

int p9_join(char out[P9_PATH_MAX], const char *dir, const char *name)
{
	const char *slash = strrchr(dir, '/');
	int n;

	if (!*name || strchr(name, '/') || strcmp(name, ".") == 0)
		return -EINVAL;
	if (strcmp(name, "..") == 0)
		n = snprintf(out, P9_PATH_MAX, "%.*s", slash ? (int)(slash - dir) : 0, dir);
	else
		n = snprintf(out, P9_PATH_MAX, "%s%s%s", dir, *dir ? "/" : "", name);
	return n < P9_PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* ---- ways to files ---- */

static int open_beneath(const struct p9_tree *t, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
	    .flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
	    .mode = flags & O_CREAT ? mode : 0,
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, t->root, *path ? path : ".", &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

int p9_find(const struct p9_tree *t, const char *path)
{
	return open_beneath(t, path, O_PATH, 0);
}

/* The folder that path is in, and where its last name begins. */
static int find_dir(const struct p9_tree *t, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	char dir[P9_PATH_MAX];

	if (t->read_only)
		return -EROFS;
	if (!*path)
		return -EBUSY;
	*name = slash ? slash + 1 : path;
	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) : 0, path);
	return open_beneath(t, dir, O_PATH | O_DIRECTORY, 0);
}

/* What no call takes a descriptor for that was not opened to read or write. */
static const char *proc_path(char buf[PROC_LEN], int fd)
{
	snprintf(buf, PROC_LEN, "/proc/self/fd/%d", fd);
	return buf;
}

int p9_open(const struct p9_tree *t, const char *path, int flags)
{
	const int taken =
	    O_ACCMODE | O_APPEND | O_TRUNC | O_DSYNC | O_SYNC | O_DIRECTORY | O_NOATIME;
	bool writes = (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
	struct stat st;
	char proc[PROC_LEN];
	int fd, at;

	if (t->read_only && writes)
		return -EROFS;
	/* Opening a device or a pipe does things already. */
	at = p9_find(t, path);
	if (at < 0)
		return at;
	if (fstat(at, &st) < 0)
		fd = -errno;
	else if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		fd = S_ISLNK(st.st_mode) ? -ELOOP : -ENXIO;
	else {
		fd = open(proc_path(proc, at), (flags & taken) | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
	}
	close(at);
	return fd;
}

/* ---- owners, modes and kinds ---- */

static bool mapped_get(const char *proc, const char *name, void *buf, size_t size)
{
	return getxattr(proc, name, buf, size) == (ssize_t)size;
}

int p9_stat(const struct p9_tree *t, int fd, struct stat *st)
{
	char proc[PROC_LEN];
	uint32_t v;
	uint64_t rdev;

	if (fstat(fd, st) < 0)
		return -errno;
	if (t->model != P9_MAPPED)
		return 0;
	proc_path(proc, fd);
	if (mapped_get(proc, MAPPED_UID, &v, sizeof(v)))
		st->st_uid = v;
	if (mapped_get(proc, MAPPED_GID, &v, sizeof(v)))
		st->st_gid = v;
	/* Also the kind, but a folder is one. */
	if (mapped_get(proc, MAPPED_MODE, &v, sizeof(v)) && S_ISDIR(v) == S_ISDIR(st->st_mode))
		st->st_mode = v;
	if (mapped_get(proc, MAPPED_RDEV, &rdev, sizeof(rdev)))
		st->st_rdev = rdev;
	return 0;
}

static int mapped_set(const char *proc, const char *name, const void *buf, size_t size)
{
	return setxattr(proc, name, buf, size, 0) < 0 ? -errno : 0;
}

/* What belongs to a file just made. */
static int dress(const struct p9_tree *t, int fd, mode_t mode, dev_t dev, gid_t gid, uid_t uid)
{
	char proc[PROC_LEN];
	uint32_t m = mode, u = uid, g = gid;
	uint64_t rdev = dev;
	int r;

	if (t->model != P9_MAPPED) {
		if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0 && t->model == P9_PASSTHROUGH)
			return -errno;
		/* The guest has applied its umask, and ours is no part of this; a new owner drops bits. */
		if (!S_ISLNK(mode) && chmod(proc_path(proc, fd), mode & 07777) < 0)
			return t->model == P9_PASSTHROUGH ? -errno : 0;
		return 0;
	}
	proc_path(proc, fd);
	if ((r = mapped_set(proc, MAPPED_UID, &u, sizeof(u))) < 0 ||
	    (r = mapped_set(proc, MAPPED_GID, &g, sizeof(g))) < 0 ||
	    (r = mapped_set(proc, MAPPED_MODE, &m, sizeof(m))) < 0)
		return r;
	return S_ISCHR(mode) || S_ISBLK(mode) ? mapped_set(proc, MAPPED_RDEV, &rdev, sizeof(rdev))
					      : 0;
}

int p9_chmod(const struct p9_tree *t, int fd, mode_t mode)
{
	char proc[PROC_LEN];
	struct stat st;
	uint32_t v;
	int r;

	if (t->read_only)
		return -EROFS;
	proc_path(proc, fd);
	if (t->model != P9_MAPPED)
		return chmod(proc, mode & 07777) < 0 ? -errno : 0;
	r = p9_stat(t, fd, &st);
	v = (st.st_mode & S_IFMT) | (mode & 07777);
	return r < 0 ? r : mapped_set(proc, MAPPED_MODE, &v, sizeof(v));
}

int p9_chown(const struct p9_tree *t, int fd, uid_t uid, gid_t gid)
{
	char proc[PROC_LEN];
	uint32_t u = uid, g = gid;
	int r = 0;

	if (t->read_only)
		return -EROFS;
	if (t->model != P9_MAPPED) {
		r = fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0 ? -errno : 0;
		return t->model == P9_NONE ? 0 : r;
	}
	proc_path(proc, fd);
	if (uid != (uid_t)-1)
		r = mapped_set(proc, MAPPED_UID, &u, sizeof(u));
	if (r == 0 && gid != (gid_t)-1)
		r = mapped_set(proc, MAPPED_GID, &g, sizeof(g));
	return r;
}

/* ---- making and removing ---- */

/* fd, or what has been made at name and is to be opened, gets its owner and mode, or goes again. Returns fd, or 0,
 * or -errno. */
static int finish(const struct p9_tree *t, int dir, const char *name, int fd, mode_t mode,
		  dev_t dev, gid_t gid, uid_t uid)
{
	int at = fd >= 0 ? fd : openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	int r = at < 0 ? -errno : dress(t, at, mode, dev, gid, uid);

	if (at >= 0 && (fd < 0 || r < 0))
		close(at);
	if (r < 0)
		unlinkat(dir, name, S_ISDIR(mode) ? AT_REMOVEDIR : 0);
	close(dir);
	return r < 0 ? r : fd >= 0 ? fd : 0;
}

static mode_t host_mode(const struct p9_tree *t, mode_t mode)
{
	if (t->model != P9_MAPPED)
		return mode & 07777;
	return S_ISDIR(mode) ? 0700 : 0600;
}

int p9_create(const struct p9_tree *t, const char *path, int flags, mode_t mode, gid_t gid,
	      uid_t uid)
{
	const int taken = O_ACCMODE | O_APPEND | O_DSYNC | O_SYNC;
	const char *name;
	int dir = find_dir(t, path, &name), fd;

	if (dir < 0)
		return dir;
	mode = S_IFREG | (mode & 07777);
	/* Never one that is there: the guest has looked, and others may have been quicker. */
	fd = openat(dir, name, (flags & taken) | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    host_mode(t, mode));
	if (fd < 0) {
		fd = -errno;
		close(dir);
		return fd;
	}
	return finish(t, dir, name, fd, mode, 0, gid, uid);
}

/* After a call that made something at name, or did not. */
static int made(const struct p9_tree *t, int dir, const char *name, int r, mode_t mode, dev_t dev,
		gid_t gid, uid_t uid)
{
	if (r < 0) {
		r = -errno;
		close(dir);
		return r;
	}
	return finish(t, dir, name, -1, mode, dev, gid, uid);
}

int p9_mkdir(const struct p9_tree *t, const char *path, mode_t mode, gid_t gid, uid_t uid)
{
	const char *name;
	int dir = find_dir(t, path, &name);

	mode = S_IFDIR | (mode & 07777);
	return dir < 0
		   ? dir
		   : made(t, dir, name, mkdirat(dir, name, host_mode(t, mode)), mode, 0, gid, uid);
}

int p9_mknod(const struct p9_tree *t, const char *path, mode_t mode, dev_t dev, gid_t gid,
	     uid_t uid)
{
	mode_t kind = t->model == P9_MAPPED ? S_IFREG : mode & S_IFMT;
	const char *name;
	int dir;

	if (S_ISDIR(mode) || S_ISLNK(mode) || !(mode & S_IFMT))
		return -EINVAL;
	dir = find_dir(t, path, &name);
	return dir < 0 ? dir
		       : made(t, dir, name, mknodat(dir, name, kind | host_mode(t, mode), dev),
			      mode, dev, gid, uid);
}

static int write_target(int dir, const char *name, const char *target)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	size_t len = strlen(target);
	bool all;

	if (fd < 0)
		return -1;
	all = write(fd, target, len) == (ssize_t)len;
	close(fd);
	if (!all)
		unlinkat(dir, name, 0);
	return all ? 0 : -1;
}

int p9_symlink(const struct p9_tree *t, const char *path, const char *target, gid_t gid, uid_t uid)
{
	const char *name;
	int dir = find_dir(t, path, &name), r;

	if (dir < 0)
		return dir;
	r = t->model == P9_MAPPED ? write_target(dir, name, target) : symlinkat(target, dir, name);
	return made(t, dir, name, r, S_IFLNK | 0777, 0, gid, uid);
}

int p9_readlink(const struct p9_tree *t, int fd, char buf[P9_PATH_MAX])
{
	ssize_t n = -1;

	errno = EINVAL;
	if (t->model == P9_MAPPED) {
		char proc[PROC_LEN];
		struct stat st;
		int file;

		if (p9_stat(t, fd, &st) < 0 || !S_ISLNK(st.st_mode))
			return -EINVAL;
		file = open(proc_path(proc, fd), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (file >= 0) {
			n = read(file, buf, P9_PATH_MAX - 1);
			close(file);
		}
	}
	/* Made by someone else. */
	if (n < 0)
		n = readlinkat(fd, "", buf, P9_PATH_MAX - 1);
	if (n < 0)
		return -errno;
	buf[n] = 0;
	return (int)n;
}

int p9_link(const struct p9_tree *t, const char *path, const char *to)
{
	char proc[PROC_LEN];
	const char *name;
	int dir = find_dir(t, to, &name), r = 0, at;

	if (dir < 0)
		return dir;
	at = p9_find(t, path);
	if (at < 0)
		r = at;
	else if (linkat(AT_FDCWD, proc_path(proc, at), dir, name, AT_SYMLINK_FOLLOW) < 0)
		r = -errno;
	if (at >= 0)
		close(at);
	close(dir);
	return r;
}

int p9_unlink(const struct p9_tree *t, const char *path, bool is_dir)
{
	const char *name;
	int dir = find_dir(t, path, &name), r;

	if (dir < 0)
		return dir;
	r = unlinkat(dir, name, is_dir ? AT_REMOVEDIR : 0) < 0 ? -errno : 0;
	close(dir);
	return r;
}

int p9_rename(const struct p9_tree *t, const char *from, const char *to)
{
	const char *old, *new;
	int a = find_dir(t, from, &old), b, r = 0;

	if (a < 0)
		return a;
	b = find_dir(t, to, &new);
	if (b < 0)
		r = b;
	else if (renameat(a, old, b, new) < 0)
		r = -errno;
	close(a);
	if (b >= 0)
		close(b);
	return r;
}

int p9_truncate(const struct p9_tree *t, const char *path, uint64_t size)
{
	int fd, r;

	if (size > INT64_MAX)
		return -EINVAL;
	fd = p9_open(t, path, O_WRONLY);
	if (fd < 0)
		return fd;
	r = ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
	close(fd);
	return r;
}

int p9_utimens(const struct p9_tree *t, int fd, const struct timespec ts[2])
{
	if (t->read_only)
		return -EROFS;
	return utimensat(fd, "", ts, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

/* ---- extended attributes ---- */

static bool is_hidden(const struct p9_tree *t, const char *name)
{
	return t->model == P9_MAPPED &&
	       strncmp(name, MAPPED_PREFIX, sizeof(MAPPED_PREFIX) - 1) == 0;
}

long p9_getxattr(const struct p9_tree *t, int fd, const char *name, void *buf, size_t size)
{
	char proc[PROC_LEN];
	ssize_t n;

	if (is_hidden(t, name))
		return -ENODATA;
	n = getxattr(proc_path(proc, fd), name, buf, size);
	return n < 0 ? -errno : n;
}

long p9_listxattr(const struct p9_tree *t, int fd, char *buf, size_t size)
{
	char proc[PROC_LEN];
	ssize_t n = listxattr(proc_path(proc, fd), buf, size);
	long kept = 0;

	if (n < 0)
		return -errno;
	if (!size)
		return n;
	for (ssize_t at = 0; at < n;) {
		size_t len = strnlen(buf + at, (size_t)(n - at)) + 1;

		if (!is_hidden(t, buf + at)) {
			memmove(buf + kept, buf + at, len);
			kept += (long)len;
		}
		at += (ssize_t)len;
	}
	return kept;
}

int p9_setxattr(const struct p9_tree *t, int fd, const char *name, const void *buf, size_t size,
		int flags)
{
	char proc[PROC_LEN];

	if (t->read_only)
		return -EROFS;
	if (is_hidden(t, name))
		return -EPERM;
	return setxattr(proc_path(proc, fd), name, buf, size, flags) < 0 ? -errno : 0;
}

int p9_removexattr(const struct p9_tree *t, int fd, const char *name)
{
	char proc[PROC_LEN];

	if (t->read_only)
		return -EROFS;
	if (is_hidden(t, name))
		return -EPERM;
	return removexattr(proc_path(proc, fd), name) < 0 ? -errno : 0;
}
