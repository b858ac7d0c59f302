/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Messages of 9P2000.L that make, move and remove names.
 */
#include "hw/9p/p9_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

int p9_m_mkdir(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = p9_get_fid(s, m);
	char path[P9_PATH_MAX];
	int r = p9_get_path(f, m, path);
	mode_t mode = (mode_t)p9_get(m, 4);
	gid_t gid = (gid_t)p9_get(m, 4);

	if (r < 0 || m->bad)
		return m->bad ? -EINVAL : r;
	r = p9_mkdir(&s->tree, path, mode, gid, f->uid);
	return r < 0 ? r : p9_put_qid_of(s, o, path);
}

int p9_m_mknod(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = p9_get_fid(s, m);
	char path[P9_PATH_MAX];
	int r = p9_get_path(f, m, path);
	mode_t mode = (mode_t)p9_get(m, 4);
	unsigned major = (unsigned)p9_get(m, 4), minor = (unsigned)p9_get(m, 4);
	gid_t gid = (gid_t)p9_get(m, 4);

	if (r < 0 || m->bad)
		return m->bad ? -EINVAL : r;
	r = p9_mknod(&s->tree, path, mode, makedev(major, minor), gid, f->uid);
	return r < 0 ? r : p9_put_qid_of(s, o, path);
}

int p9_m_symlink(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = p9_get_fid(s, m);
	char path[P9_PATH_MAX], target[P9_PATH_MAX];
	int r = p9_get_path(f, m, path);
	gid_t gid;

	p9_get_str(m, target, sizeof(target));
	gid = (gid_t)p9_get(m, 4);
	if (r < 0 || m->bad)
		return m->bad ? -EINVAL : r;
	r = p9_symlink(&s->tree, path, target, gid, f->uid);
	return r < 0 ? r : p9_put_qid_of(s, o, path);
}

int p9_m_link(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *dir = p9_get_fid(s, m), *f = p9_get_fid(s, m);
	char path[P9_PATH_MAX];
	int r = p9_get_path(dir, m, path);

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

int p9_m_rename(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = p9_get_fid(s, m), *dir = p9_get_fid(s, m);
	char path[P9_PATH_MAX], from[P9_PATH_MAX];
	int r = p9_get_path(dir, m, path);

	(void)o;
	if (r < 0)
		return r;
	if (!f)
		return -EBADF;
	strcpy(from, f->path);
	return move(s, from, path);
}

int p9_m_renameat(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *old = p9_get_fid(s, m), *new;
	char from[P9_PATH_MAX], to[P9_PATH_MAX];
	int r = p9_get_path(old, m, from);

	(void)o;
	if (r < 0)
		return r;
	new = p9_get_fid(s, m);
	r = p9_get_path(new, m, to);
	return r < 0 ? r : move(s, from, to);
}

int p9_m_unlinkat(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = p9_get_fid(s, m);
	char path[P9_PATH_MAX];
	int r = p9_get_path(f, m, path);
	uint32_t flags = (uint32_t)p9_get(m, 4);

	(void)o;
	if (r < 0 || m->bad)
		return m->bad ? -EINVAL : r;
	return p9_unlink(&s->tree, path, flags & AT_REMOVEDIR);
}

int p9_m_remove(struct p9_server *s, struct p9_in *m, struct p9_out *o)
{
	struct p9_fid *f = p9_get_fid(s, m);
	struct stat st;
	int r;

	(void)o;
	if (!f)
		return m->bad ? -EINVAL : -EBADF;
	r = p9_stat_path(s, f->path, &st);
	if (r == 0)
		r = p9_unlink(&s->tree, f->path, S_ISDIR(st.st_mode));
	p9_fid_drop(s, f);
	return r;
}
