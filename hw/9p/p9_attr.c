/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Messages of 9P2000.L about what files are: owners, modes, times, symbolic links' targets, extended attributes.
 */
#include "hw/9p/p9_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GETATTR_BASIC 0x7ffull

static int do_statfs(const struct p9_tree *t, int fd, void *st)
{
	(void)t;
	return fstatfs(fd, st) < 0 ? -errno : 0;
}

int p9_m_statfs(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = p9_get_fid(s, m);
	struct statfs st;
	int r;

	if (!f)
		return m->bad ? -EINVAL : -EBADF;
	r = p9_fid_do(s, f, do_statfs, &st);
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
	p9_put(o, P9_NAME_LEN - 1, 4);
	return 0;
}

static void put_time(struct p9_out *o, const struct timespec *ts)
{
	p9_put(o, (uint64_t)ts->tv_sec, 8);
	p9_put(o, (uint64_t)ts->tv_nsec, 8);
}

static int do_stat(const struct p9_tree *t, int fd, void *st)
{
	return p9_stat(t, fd, st);
}

int p9_m_getattr(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	static const struct timespec never;
	struct p9_fid *f = p9_get_fid(s, m);
	struct stat st;
	int r;

	if (!f)
		return m->bad ? -EINVAL : -EBADF;
	r = p9_fid_do(s, f, do_stat, &st);
	if (r < 0)
		return r;
	p9_put(o, GETATTR_BASIC, 8);
	p9_put_qid(s, o, &st);
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
static int resize(const struct p9_tree *t, const struct p9_fid *f, uint64_t size)
{
	if (f->kind == FID_FILE && size <= INT64_MAX && ftruncate(f->fd, (off_t)size) == 0)
		return 0;
	return p9_truncate(t, f->path, size);
}

struct change {
	const struct p9_fid *f;
	uint32_t valid;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	uint64_t size;
	struct timespec ts[2];
};

static int do_change(const struct p9_tree *t, int fd, void *arg)
{
	const struct change *c = arg;
	int r = 0;

	if (c->valid & (SET_UID | SET_GID))
		r = p9_chown(t, fd, c->valid & SET_UID ? c->uid : (uid_t)-1,
			     c->valid & SET_GID ? c->gid : (gid_t)-1);
	/* A new owner drops bits of the mode, so it comes second. */
	if (r == 0 && c->valid & SET_MODE)
		r = p9_chmod(t, fd, c->mode);
	if (r == 0 && c->valid & SET_SIZE)
		r = resize(t, c->f, c->size);
	if (r == 0 && c->valid & (SET_ATIME | SET_MTIME))
		r = p9_utimens(t, fd, c->ts);
	return r;
}

int p9_m_setattr(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct change c = {.f = p9_get_fid(s, m)};

	(void)o;
	c.valid = (uint32_t)p9_get(m, 4);
	c.mode = (mode_t)p9_get(m, 4);
	c.uid = (uid_t)p9_get(m, 4);
	c.gid = (gid_t)p9_get(m, 4);
	c.size = p9_get(m, 8);
	c.ts[0] = time_of(m, c.valid, SET_ATIME, SET_ATIME_TO);
	c.ts[1] = time_of(m, c.valid, SET_MTIME, SET_MTIME_TO);
	if (m->bad)
		return -EINVAL;
	return c.f ? p9_fid_do(s, c.f, do_change, &c) : -EBADF;
}

static int do_readlink(const struct p9_tree *t, int fd, void *target)
{
	return p9_readlink(t, fd, target);
}

int p9_m_readlink(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = p9_get_fid(s, m);
	char target[P9_PATH_MAX];
	int r;

	if (!f)
		return m->bad ? -EINVAL : -EBADF;
	r = p9_fid_do(s, f, do_readlink, target);
	if (r < 0)
		return r;
	p9_put_str(o, target);
	return 0;
}

/* ---- extended attributes ---- */

struct attribute {
	struct p9_fid *f;
	const char *name;
};

static int do_load(const struct p9_tree *t, int fd, void *arg)
{
	const struct attribute *a = arg;
	struct p9_fid *f = a->f;
	long n;

	f->data = malloc(P9_XATTR_MAX);
	n = !f->data   ? -ENOMEM
	    : *a->name ? p9_getxattr(t, fd, a->name, f->data, P9_XATTR_MAX)
		       : p9_listxattr(t, fd, (char *)f->data, P9_XATTR_MAX);
	if (n < 0)
		return (int)n;
	f->size = (size_t)n;
	f->kind = FID_XATTR;
	return 0;
}

int p9_m_xattrwalk(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = p9_get_fid(s, m), *x;
	uint32_t nr = (uint32_t)p9_get(m, 4);
	char name[P9_NAME_LEN];
	int r;

	p9_get_str(m, name, sizeof(name));
	if (m->bad || !f)
		return m->bad ? -EINVAL : -EBADF;
	x = p9_fid_new(s, nr, f->path, f->uid, &r);
	if (!x)
		return r;
	r = p9_fid_do(s, x, do_load, &(struct attribute){x, name});
	if (r < 0) {
		p9_fid_drop(s, x);
		return r;
	}
	p9_put(o, x->size, 8);
	return 0;
}

int p9_m_xattrcreate(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = p9_get_fid(s, m);
	char name[P9_NAME_LEN];
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

static int do_store(const struct p9_tree *t, int fd, void *fid)
{
	const struct p9_fid *f = fid;

	return f->size ? p9_setxattr(t, fd, f->name, f->data, f->size, f->flags)
		       : p9_removexattr(t, fd, f->name);
}

int p9_store_xattr(const struct p9_server *s, struct p9_fid *f)
{
	return p9_fid_do(s, f, do_store, f);
}
