/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * 9P2000.L, message by message.
 */
#include "hw/9p/p9_server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "hw/9p/p9_fid.h"
#include "hw/9p/p9_msg.h"

enum { HEADER = 7, MSIZE_MIN = 4096, NAME_LEN = 256, MAX_WALK = 16 };

enum {
	RLERROR = 7,
	TSTATFS = 8,
	TLOPEN = 12,
	TLCREATE = 14,
	TSYMLINK = 16,
	TMKNOD = 18,
	TRENAME = 20,
	TREADLINK = 22,
	TGETATTR = 24,
	TSETATTR = 26,
	TXATTRWALK = 30,
	TXATTRCREATE = 32,
	TREADDIR = 40,
	TFSYNC = 50,
	TLOCK = 52,
	TGETLOCK = 54,
	TLINK = 70,
	TMKDIR = 72,
	TRENAMEAT = 74,
	TUNLINKAT = 76,
	TVERSION = 100,
	TATTACH = 104,
	TFLUSH = 108,
	TWALK = 110,
	TREAD = 116,
	TWRITE = 118,
	TCLUNK = 120,
	TREMOVE = 122,
	TYPES = 128
};

/* Tsetattr's valid. */
enum {
	SET_MODE = 1 << 0,
	SET_UID = 1 << 1,
	SET_GID = 1 << 2,
	SET_SIZE = 1 << 3,
	SET_ATIME = 1 << 4,
	SET_MTIME = 1 << 5,
	SET_ATIME_TO = 1 << 7,
	SET_MTIME_TO = 1 << 8
};

#define GETATTR_BASIC 0x7ffull

/* ---- qids ---- */

/* Files of other file systems below the folder must not look like the same. */
static uint64_t qid_path(const struct p9_server *s, const struct stat *st)
{
	return st->st_dev == s->tree.dev
		   ? st->st_ino
		   : st->st_ino ^ (uint64_t)st->st_dev * 0x9e3779b97f4a7c15ull << 16;
}

static void put_qid(const struct p9_server *s, struct p9_out *o, const struct stat *st)
{
	p9_put(o, S_ISDIR(st->st_mode) ? 0x80 : S_ISLNK(st->st_mode) ? 2 : 0, 1);
	p9_put(o, (uint64_t)st->st_mtim.tv_sec ^ (uint64_t)st->st_size << 8, 4);
	p9_put(o, qid_path(s, st), 8);
}

static int stat_path(const struct p9_server *s, const char *path, struct stat *st)
{
	int fd = p9_find(&s->tree, path), r;

	if (fd < 0)
		return fd;
	r = p9_stat(&s->tree, fd, st);
	close(fd);
	return r;
}

static int put_qid_of(const struct p9_server *s, struct p9_out *o, const char *path)
{
	struct stat st;
	int r = stat_path(s, path, &st);

	if (r == 0)
		put_qid(s, o, &st);
	return r;
}

/* ---- arguments ---- */

static struct p9_fid *get_fid(const struct p9_server *s, struct p9_in *m)
{
	uint32_t nr = (uint32_t)p9_get(m, 4);

	return m->bad ? NULL : p9_fid_find(s, nr);
}

/* A name in the folder that f is. */
static int get_path(const struct p9_fid *f, struct p9_in *m, char path[P9_PATH_MAX])
{
	char name[NAME_LEN];

	p9_get_str(m, name, sizeof(name));
	if (m->bad)
		return -EINVAL;
	if (!f)
		return -EBADF;
	return strcmp(name, "..") == 0 ? -EINVAL : p9_join(path, f->path, name);
}

/* Of the protocol, which has the numbers of Linux on x86 and ours. */
static int host_flags(uint32_t flags)
{
	return (int)flags & (O_ACCMODE | O_APPEND | O_TRUNC | O_DSYNC | O_SYNC | O_DIRECTORY);
}

/* ---- the messages; each returns 0 or -errno ---- */

typedef int message_fn(struct p9_server *s, struct p9_in *m, struct p9_out *o);

static int m_version(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	char version[32];
	uint32_t msize = (uint32_t)p9_get(m, 4);

	p9_get_str(m, version, sizeof(version));
	if (m->bad || msize < MSIZE_MIN)
		return -EINVAL;
	p9_server_reset(s);
	if (msize < s->msize)
		s->msize = msize;
	p9_put(o, s->msize, 4);
	p9_put_str(o, strcmp(version, "9P2000.L") == 0 ? version : "unknown");
	return 0;
}

static int m_attach(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	uint32_t nr = (uint32_t)p9_get(m, 4);
	char name[NAME_LEN];
	struct p9_fid *f;
	uid_t uid;
	int r;

	p9_get(m, 4);                      /* no authentication */
	p9_get_str(m, name, sizeof(name)); /* of the user, */
	p9_get_str(m, name, sizeof(name)); /* and of the tree, of which there is one */
	uid = (uid_t)p9_get(m, 4);
	if (m->bad)
		return -EINVAL;
	f = p9_fid_new(s, nr, "", uid == (uid_t)-1 ? getuid() : uid, &r);
	if (!f)
		return r;
	r = put_qid_of(s, o, "");
	if (r < 0)
		p9_fid_drop(s, f);
	return r;
}

static int m_flush(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	(void)s;
	(void)o;
	/* Messages are answered one after the other: the old one is done. */
	p9_get(m, 2);
	return m->bad ? -EINVAL : 0;
}

static int m_walk(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = get_fid(s, m);
	uint32_t nr = (uint32_t)p9_get(m, 4);
	unsigned names = (unsigned)p9_get(m, 2), n;
	char path[P9_PATH_MAX], next[P9_PATH_MAX], name[NAME_LEN];
	size_t count = o->len;
	int r = 0;

	if (m->bad || names > MAX_WALK)
		return -EINVAL;
	if (!f || (nr == f->nr && f->kind != FID_PATH))
		return -EBADF;
	strcpy(path, f->path);
	p9_put(o, 0, 2);
	for (n = 0; n < names; n++) {
		p9_get_str(m, name, sizeof(name));
		r = m->bad ? -EINVAL : p9_join(next, path, name);
		if (r == 0)
			r = put_qid_of(s, o, next);
		if (r < 0)
			break;
		strcpy(path, next);
	}
	/* The first name must be there; fewer than all make no new fid. */
	if (r < 0 && !n)
		return r;
	o->p[count] = (uint8_t)n;
	if (n < names)
		return 0;
	if (nr == f->nr)
		return p9_fid_set_path(f, path);
	return p9_fid_new(s, nr, path, f->uid, &r) ? 0 : r;
}

static int m_lopen(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = get_fid(s, m);
	int flags = host_flags((uint32_t)p9_get(m, 4)), fd, r;
	struct stat st;

	if (m->bad)
		return -EINVAL;
	if (!f || f->kind != FID_PATH)
		return -EBADF;
	if (s->nr_open >= s->max_open)
		return -EMFILE;
	fd = p9_open(&s->tree, f->path, flags);
	if (fd < 0)
		return fd;
	r = p9_stat(&s->tree, fd, &st);
	if (r == 0 && S_ISDIR(st.st_mode)) {
		f->dir = fdopendir(fd);
		r = f->dir ? 0 : -errno;
	}
	if (r < 0) {
		close(fd);
		return r;
	}
	f->kind = f->dir ? FID_DIR : FID_FILE;
	f->fd = fd;
	s->nr_open++;
	put_qid(s, o, &st);
	p9_put(o, 0, 4); /* iounit: as msize allows */
	return 0;
}

static int m_lcreate(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = get_fid(s, m);
	char path[P9_PATH_MAX];
	int r = get_path(f, m, path), flags = host_flags((uint32_t)p9_get(m, 4)), fd;
	mode_t mode = (mode_t)p9_get(m, 4);
	gid_t gid = (gid_t)p9_get(m, 4);
	struct stat st;

	if (r < 0 || m->bad)
		return m->bad ? -EINVAL : r;
	if (f->kind != FID_PATH)
		return -EBADF;
	if (s->nr_open >= s->max_open)
		return -EMFILE;
	fd = p9_create(&s->tree, path, flags, mode, gid, f->uid);
	if (fd < 0)
		return fd;
	r = p9_stat(&s->tree, fd, &st);
	if (r == 0)
		r = p9_fid_set_path(f, path);
	if (r < 0) {
		close(fd);
		return r;
	}
	f->kind = FID_FILE;
	f->fd = fd;
	s->nr_open++;
	put_qid(s, o, &st);
	p9_put(o, 0, 4);
	return 0;
}

static int m_read(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = get_fid(s, m);
	uint64_t off = p9_get(m, 8);
	size_t count = p9_get(m, 4), at = o->len;
	ssize_t n;

	(void)s;
	if (m->bad || off > INT64_MAX)
		return -EINVAL;
	if (!f || (f->kind != FID_FILE && f->kind != FID_XATTR))
		return -EBADF;
	p9_put(o, 0, 4);
	if (o->full)
		return 0;
	count = count < o->max - o->len ? count : o->max - o->len;
	if (f->kind == FID_XATTR) {
		n = off < f->size ? (ssize_t)(f->size - off) : 0;
		n = n < (ssize_t)count ? n : (ssize_t)count;
		if (n)
			memcpy(o->p + o->len, f->data + off, (size_t)n);
	} else {
		n = pread(f->fd, o->p + o->len, count, (off_t)off);
		if (n < 0)
			return -errno;
	}
	o->len += (size_t)n;
	memcpy(o->p + at, &(uint32_t){(uint32_t)n}, 4);
	return 0;
}

static int m_write(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = get_fid(s, m);
	uint64_t off = p9_get(m, 8);
	size_t count = p9_get(m, 4);
	ssize_t n;

	(void)s;
	if (m->bad || count > m->left || off > INT64_MAX)
		return -EINVAL;
	if (!f)
		return -EBADF;
	if (f->kind == FID_NEW_XATTR) {
		if (off != f->have || count > f->size - f->have)
			return -ENOSPC;
		memcpy(f->data + off, m->p, count);
		f->have += count;
		n = (ssize_t)count;
	} else if (f->kind == FID_FILE) {
		n = pwrite(f->fd, m->p, count, (off_t)off);
		if (n < 0)
			return -errno;
	} else {
		return -EBADF;
	}
	p9_put(o, (uint64_t)n, 4);
	return 0;
}

static int m_clunk(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = get_fid(s, m);
	int r = 0;

	(void)o;
	if (!f)
		return m->bad ? -EINVAL : -EBADF;
	if (f->kind == FID_NEW_XATTR && f->have == f->size) {
		int fd = p9_find(&s->tree, f->path);

		r = fd < 0    ? fd
		    : f->size ? p9_setxattr(&s->tree, fd, f->name, f->data, f->size, f->flags)
			      : p9_removexattr(&s->tree, fd, f->name);
		if (fd >= 0)
			close(fd);
	}
	p9_fid_drop(s, f);
	return r;
}

static int m_remove(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = get_fid(s, m);
	struct stat st;
	int r;

	(void)o;
	if (!f)
		return m->bad ? -EINVAL : -EBADF;
	r = stat_path(s, f->path, &st);
	if (r == 0)
		r = p9_unlink(&s->tree, f->path, S_ISDIR(st.st_mode));
	p9_fid_drop(s, f);
	return r;
}

static int m_statfs(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = get_fid(s, m);
	struct statfs st;
	bool own;
	int fd, r;

	if (!f)
		return m->bad ? -EINVAL : -EBADF;
	fd = p9_fid_fd(s, f, &own);
	if (fd < 0)
		return fd;
	r = fstatfs(fd, &st) < 0 ? -errno : 0;
	if (own)
		close(fd);
	if (r < 0)
		return r;
	p9_put(o, 0x01021997, 4); /* V9FS_MAGIC */
	p9_put(o, (uint64_t)st.f_bsize, 4);
	p9_put(o, st.f_blocks, 8);
	p9_put(o, st.f_bfree, 8);
	p9_put(o, st.f_bavail, 8);
	p9_put(o, st.f_files, 8);
	p9_put(o, st.f_ffree, 8);
	p9_put(o, (uint32_t)st.f_fsid.__val[0] | (uint64_t)(uint32_t)st.f_fsid.__val[1] << 32, 8);
	p9_put(o, NAME_LEN - 1, 4);
	return 0;
}

static void put_time(struct p9_out *o, const struct timespec *ts)
{
	p9_put(o, (uint64_t)ts->tv_sec, 8);
	p9_put(o, (uint64_t)ts->tv_nsec, 8);
}

static int m_getattr(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	static const struct timespec never;
	struct p9_fid *f = get_fid(s, m);
	struct stat st;
	bool own;
	int fd, r;

	if (!f)
		return m->bad ? -EINVAL : -EBADF;
	fd = p9_fid_fd(s, f, &own);
	if (fd < 0)
		return fd;
	r = p9_stat(&s->tree, fd, &st);
	if (own)
		close(fd);
	if (r < 0)
		return r;
	p9_put(o, GETATTR_BASIC, 8);
	put_qid(s, o, &st);
	p9_put(o, st.st_mode, 4);
	p9_put(o, st.st_uid, 4);
	p9_put(o, st.st_gid, 4);
	p9_put(o, st.st_nlink, 8);
	p9_put(o, st.st_rdev, 8);
	p9_put(o, (uint64_t)st.st_size, 8);
	p9_put(o, (uint64_t)st.st_blksize, 8);
	p9_put(o, (uint64_t)st.st_blocks, 8);
	put_time(o, &st.st_atim);
	put_time(o, &st.st_mtim);
	put_time(o, &st.st_ctim);
	put_time(o, &never); /* birth, generation, data version: not told */
	p9_put(o, 0, 8);
	p9_put(o, 0, 8);
	return 0;
}

static struct timespec time_of(struct p9_in *m, uint32_t valid, uint32_t set, uint32_t to)
{
	struct timespec ts;

	ts.tv_sec = (time_t)p9_get(m, 8);
	ts.tv_nsec = (long)p9_get(m, 8);
	if (!(valid & set))
		ts.tv_nsec = UTIME_OMIT;
	else if (!(valid & to))
		ts.tv_nsec = UTIME_NOW;
	return ts;
}

/* An open file may have no name any more. */
static int resize(struct p9_server *s, const struct p9_fid *f, uint64_t size)
{
	if (f->kind == FID_FILE && size <= INT64_MAX && ftruncate(f->fd, (off_t)size) == 0)
		return 0;
	return p9_truncate(&s->tree, f->path, size);
}

static int m_setattr(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = get_fid(s, m);
	uint32_t valid = (uint32_t)p9_get(m, 4);
	mode_t mode = (mode_t)p9_get(m, 4);
	uid_t uid = (uid_t)p9_get(m, 4);
	gid_t gid = (gid_t)p9_get(m, 4);
	uint64_t size = p9_get(m, 8);
	struct timespec ts[2];
	bool own;
	int fd, r = 0;

	(void)o;
	ts[0] = time_of(m, valid, SET_ATIME, SET_ATIME_TO);
	ts[1] = time_of(m, valid, SET_MTIME, SET_MTIME_TO);
	if (m->bad)
		return -EINVAL;
	if (!f)
		return -EBADF;
	fd = p9_fid_fd(s, f, &own);
	if (fd < 0)
		return fd;
	if (valid & (SET_UID | SET_GID))
		r = p9_chown(&s->tree, fd, valid & SET_UID ? uid : (uid_t)-1,
			     valid & SET_GID ? gid : (gid_t)-1);
	/* A new owner drops bits of the mode, so it comes second. */
	if (r == 0 && valid & SET_MODE)
		r = p9_chmod(&s->tree, fd, mode);
	if (r == 0 && valid & SET_SIZE)
		r = resize(s, f, size);
	if (r == 0 && valid & (SET_ATIME | SET_MTIME))
		r = p9_utimens(&s->tree, fd, ts);
	if (own)
		close(fd);
	return r;
}

static int m_readlink(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = get_fid(s, m);
	char target[P9_PATH_MAX];
	bool own;
	int fd, r;

	if (!f)
		return m->bad ? -EINVAL : -EBADF;
	fd = p9_fid_fd(s, f, &own);
	if (fd < 0)
		return fd;
	r = p9_readlink(&s->tree, fd, target);
	if (own)
		close(fd);
	if (r < 0)
		return r;
	p9_put_str(o, target);
	return 0;
}

/* One entry; false when there is no more room. */
static bool put_entry(struct p9_server *s, const struct p9_fid *f, struct p9_out *o, size_t end,
		      const struct dirent *e)
{
	struct stat st = {.st_ino = e->d_ino, .st_dev = s->tree.dev, .st_mode = DTTOIF(e->d_type)};
	size_t len = 13 + 8 + 1 + 2 + strlen(e->d_name);
	char path[P9_PATH_MAX];

	if (len > end - o->len)
		return false;
	/* The kind may be elsewhere, and what is mounted there another. */
	if (p9_join(path, f->path, e->d_name) == 0)
		stat_path(s, path, &st);
	put_qid(s, o, &st);
	p9_put(o, (uint64_t)e->d_off, 8);
	p9_put(o, IFTODT(st.st_mode), 1);
	p9_put_str(o, e->d_name);
	return true;
}

static int m_readdir(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = get_fid(s, m);
	uint64_t off = p9_get(m, 8);
	size_t count = p9_get(m, 4), at = o->len, end;
	const struct dirent *e;

	if (m->bad || off > INT64_MAX)
		return -EINVAL;
	if (!f || f->kind != FID_DIR)
		return -EBADF;
	p9_put(o, 0, 4);
	if (o->full)
		return 0;
	end = count < o->max - o->len ? o->len + count : o->max;
	if (off)
		seekdir(f->dir, (long)off);
	else
		rewinddir(f->dir);
	for (;;) {
		errno = 0;
		e = readdir(f->dir);
		if (!e || !put_entry(s, f, o, end, e))
			break;
	}
	if (!e && errno && o->len == at + 4)
		return -errno;
	memcpy(o->p + at, &(uint32_t){(uint32_t)(o->len - at - 4)}, 4);
	return 0;
}

static int m_fsync(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = get_fid(s, m);
	uint32_t data = m->left ? (uint32_t)p9_get(m, 4) : 0;

	(void)o;
	if (!f || (f->kind != FID_FILE && f->kind != FID_DIR))
		return m->bad ? -EINVAL : -EBADF;
	return (data ? fdatasync(f->fd) : fsync(f->fd)) < 0 ? -errno : 0;
}

/* Locks are the guest's own affair: no other client shares this server. */
static int m_lock(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	if (!get_fid(s, m))
		return m->bad ? -EINVAL : -EBADF;
	p9_put(o, 0, 1); /* success */
	return 0;
}

static int m_getlock(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = get_fid(s, m);
	uint64_t start, len, pid;
	char client[NAME_LEN];

	p9_get(m, 1);
	start = p9_get(m, 8);
	len = p9_get(m, 8);
	pid = p9_get(m, 4);
	p9_get_str(m, client, sizeof(client));
	if (m->bad || !f)
		return m->bad ? -EINVAL : -EBADF;
	p9_put(o, 2, 1); /* unlocked */
	p9_put(o, start, 8);
	p9_put(o, len, 8);
	p9_put(o, pid, 4);
	p9_put_str(o, client);
	return 0;
}

static int m_mkdir(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = get_fid(s, m);
	char path[P9_PATH_MAX];
	int r = get_path(f, m, path);
	mode_t mode = (mode_t)p9_get(m, 4);
	gid_t gid = (gid_t)p9_get(m, 4);

	if (r < 0 || m->bad)
		return m->bad ? -EINVAL : r;
	r = p9_mkdir(&s->tree, path, mode, gid, f->uid);
	return r < 0 ? r : put_qid_of(s, o, path);
}

static int m_mknod(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = get_fid(s, m);
	char path[P9_PATH_MAX];
	int r = get_path(f, m, path);
	mode_t mode = (mode_t)p9_get(m, 4);
	unsigned major = (unsigned)p9_get(m, 4), minor = (unsigned)p9_get(m, 4);
	gid_t gid = (gid_t)p9_get(m, 4);

	if (r < 0 || m->bad)
		return m->bad ? -EINVAL : r;
	r = p9_mknod(&s->tree, path, mode, makedev(major, minor), gid, f->uid);
	return r < 0 ? r : put_qid_of(s, o, path);
}

static int m_symlink(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = get_fid(s, m);
	char path[P9_PATH_MAX], target[P9_PATH_MAX];
	int r = get_path(f, m, path);
	gid_t gid;

	p9_get_str(m, target, sizeof(target));
	gid = (gid_t)p9_get(m, 4);
	if (r < 0 || m->bad)
		return m->bad ? -EINVAL : r;
	r = p9_symlink(&s->tree, path, target, gid, f->uid);
	return r < 0 ? r : put_qid_of(s, o, path);
}

static int m_link(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *dir = get_fid(s, m), *f = get_fid(s, m);
	char path[P9_PATH_MAX];
	int r = get_path(dir, m, path);

	(void)o;
	if (r < 0)
		return r;
	return f ? p9_link(&s->tree, f->path, path) : -EBADF;
}

static int move(struct p9_server *s, const char *from, const char *to)
{
	int r = p9_rename(&s->tree, from, to);

	if (r == 0)
		p9_fids_moved(s, from, to);
	return r;
}

static int m_rename(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = get_fid(s, m), *dir = get_fid(s, m);
	char path[P9_PATH_MAX], from[P9_PATH_MAX];
	int r = get_path(dir, m, path);

	(void)o;
	if (r < 0)
		return r;
	if (!f)
		return -EBADF;
	strcpy(from, f->path);
	return move(s, from, path);
}

static int m_renameat(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *old = get_fid(s, m), *new;
	char from[P9_PATH_MAX], to[P9_PATH_MAX];
	int r = get_path(old, m, from);

	(void)o;
	if (r < 0)
		return r;
	new = get_fid(s, m);
	r = get_path(new, m, to);
	return r < 0 ? r : move(s, from, to);
}

static int m_unlinkat(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = get_fid(s, m);
	char path[P9_PATH_MAX];
	int r = get_path(f, m, path);
	uint32_t flags = (uint32_t)p9_get(m, 4);

	(void)o;
	if (r < 0 || m->bad)
		return m->bad ? -EINVAL : r;
	return p9_unlink(&s->tree, path, flags & AT_REMOVEDIR);
}

/* ---- extended attributes ---- */

static int load_xattr(struct p9_server *s, struct p9_fid *f, const char *name)
{
	int fd = p9_find(&s->tree, f->path);
	long n;

	if (fd < 0)
		return fd;
	f->data = malloc(P9_XATTR_MAX);
	n = !f->data ? -ENOMEM
	    : *name  ? p9_getxattr(&s->tree, fd, name, f->data, P9_XATTR_MAX)
		     : p9_listxattr(&s->tree, fd, (char *)f->data, P9_XATTR_MAX);
	close(fd);
	if (n < 0)
		return (int)n;
	f->size = (size_t)n;
	f->kind = FID_XATTR;
	return 0;
}

static int m_xattrwalk(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = get_fid(s, m), *x;
	uint32_t nr = (uint32_t)p9_get(m, 4);
	char name[NAME_LEN];
	int r;

	p9_get_str(m, name, sizeof(name));
	if (m->bad || !f)
		return m->bad ? -EINVAL : -EBADF;
	x = p9_fid_new(s, nr, f->path, f->uid, &r);
	if (!x)
		return r;
	r = load_xattr(s, x, name);
	if (r < 0) {
		p9_fid_drop(s, x);
		return r;
	}
	p9_put(o, x->size, 8);
	return 0;
}

static int m_xattrcreate(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = get_fid(s, m);
	char name[NAME_LEN];
	uint64_t size;
	uint32_t flags;

	(void)o;
	p9_get_str(m, name, sizeof(name));
	size = p9_get(m, 8);
	flags = (uint32_t)p9_get(m, 4);
	if (m->bad || !*name)
		return -EINVAL;
	if (!f || f->kind != FID_PATH)
		return -EBADF;
	if (size > P9_XATTR_MAX)
		return -ENOSPC;
	f->name = strdup(name);
	f->data = malloc(size ? size : 1);
	if (!f->name || !f->data) {
		p9_fid_shut(s, f);
		return -ENOMEM;
	}
	f->size = size;
	f->have = 0;
	f->flags = (int)flags & 3;
	f->kind = FID_NEW_XATTR;
	return 0;
}

/* ---- dispatch ---- */

static message_fn *const messages[TYPES] = {
    [TSTATFS] = m_statfs,
    [TLOPEN] = m_lopen,
    [TLCREATE] = m_lcreate,
    [TSYMLINK] = m_symlink,
    [TMKNOD] = m_mknod,
    [TRENAME] = m_rename,
    [TREADLINK] = m_readlink,
    [TGETATTR] = m_getattr,
    [TSETATTR] = m_setattr,
    [TXATTRWALK] = m_xattrwalk,
    [TXATTRCREATE] = m_xattrcreate,
    [TREADDIR] = m_readdir,
    [TFSYNC] = m_fsync,
    [TLOCK] = m_lock,
    [TGETLOCK] = m_getlock,
    [TLINK] = m_link,
    [TMKDIR] = m_mkdir,
    [TRENAMEAT] = m_renameat,
    [TUNLINKAT] = m_unlinkat,
    [TVERSION] = m_version,
    [TATTACH] = m_attach,
    [TFLUSH] = m_flush,
    [TWALK] = m_walk,
    [TREAD] = m_read,
    [TWRITE] = m_write,
    [TCLUNK] = m_clunk,
    [TREMOVE] = m_remove,
};

size_t p9_serve(struct p9_server *s, const uint8_t *msg, size_t len, uint8_t *reply, size_t room)
{
	struct p9_in m = {.p = msg, .left = len};
	uint32_t size = (uint32_t)p9_get(&m, 4);
	unsigned type = (unsigned)p9_get(&m, 1);
	uint16_t tag = (uint16_t)p9_get(&m, 2);
	struct p9_out o = {.p = reply, .len = HEADER};
	int r = -EOPNOTSUPP;

	o.max = room < s->msize ? room : s->msize;
	if (m.bad || size < HEADER || size > len)
		r = -EINVAL;
	else if (type < TYPES && messages[type]) {
		m.left = size - HEADER;
		r = messages[type](s, &m, &o);
	}
	if (r == 0 && o.full)
		r = -EMSGSIZE;
	if (r < 0) {
		o.len = HEADER;
		o.full = false;
		p9_put(&o, (uint64_t)-r, 4);
		type = RLERROR - 1;
	}
	size = (uint32_t)o.len;
	memcpy(reply, &size, 4);
	reply[4] = (uint8_t)(type + 1);
	memcpy(reply + 5, &tag, 2);
	return o.len;
}
