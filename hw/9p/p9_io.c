/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Messages of 9P2000.L about open files and folders.
 */
#include "hw/9p/p9_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Of the protocol, which has the numbers of Linux on x86 and ours. */
static int host_flags(uint32_t flags)
{
	return (int)flags & (O_ACCMODE | O_APPEND | O_TRUNC | O_DSYNC | O_SYNC | O_DIRECTORY);
}

int p9_m_lopen(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = p9_get_fid(s, m);
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
	p9_put_qid(s, o, &st);
	p9_put(o, 0, 4); /* iounit: as msize allows */
	return 0;
}

int p9_m_lcreate(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = p9_get_fid(s, m);
	char path[P9_PATH_MAX];
	int r = p9_get_path(f, m, path), flags = host_flags((uint32_t)p9_get(m, 4)), fd;
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
	p9_put_qid(s, o, &st);
	p9_put(o, 0, 4);
	return 0;
}

int p9_m_read(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = p9_get_fid(s, m);
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

int p9_m_write(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = p9_get_fid(s, m);
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
		p9_stat_path(s, path, &st);
	p9_put_qid(s, o, &st);
	p9_put(o, (uint64_t)e->d_off, 8);
	p9_put(o, IFTODT(st.st_mode), 1);
	p9_put_str(o, e->d_name);
	return true;
}

int p9_m_readdir(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = p9_get_fid(s, m);
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

int p9_m_fsync(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = p9_get_fid(s, m);
	uint32_t data = m->left ? (uint32_t)p9_get(m, 4) : 0;

	(void)o;
	if (!f || (f->kind != FID_FILE && f->kind != FID_DIR))
		return m->bad ? -EINVAL : -EBADF;
	return (data ? fdatasync(f->fd) : fsync(f->fd)) < 0 ? -errno : 0;
}

/* Locks are the guest's own affair: no other client shares this server. */
int p9_m_lock(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	if (!p9_get_fid(s, m))
		return m->bad ? -EINVAL : -EBADF;
	p9_put(o, 0, 1); /* success */
	return 0;
}

int p9_m_getlock(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = p9_get_fid(s, m);
	uint64_t start, len, pid;
	char client[P9_NAME_LEN];

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

int p9_m_clunk(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = p9_get_fid(s, m);
	int r = 0;

	(void)o;
	if (!f)
		return m->bad ? -EINVAL : -EBADF;
	if (f->kind == FID_NEW_XATTR && f->have == f->size)
		r = p9_store_xattr(s, f);
	p9_fid_drop(s, f);
	return r;
}
