/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * 9P2000.L: connections, fids, and which message goes where.
 */
#include "hw/9p/p9_server.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "hw/9p/p9_impl.h"

enum { HEADER = 7, MSIZE_MIN = 4096, MAX_WALK = 16 };

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

/* ---- what messages have in common ---- */

/* Files of other file systems below the folder must not look like the same. */
static uint64_t qid_path(const struct p9_server *s, const struct stat *st)
{
	return st->st_dev == s->tree.dev
		   ? st->st_ino
		   : st->st_ino ^ (uint64_t)st->st_dev * 0x9e3779b97f4a7c15ull << 16;
}

void p9_put_qid(const struct p9_server *s, struct p9_out *o, const struct stat *st)
{
	p9_put(o, S_ISDIR(st->st_mode) ? 0x80 : S_ISLNK(st->st_mode) ? 2 : 0, 1);
	p9_put(o, (uint64_t)st->st_mtim.tv_sec ^ (uint64_t)st->st_size << 8, 4);
	p9_put(o, qid_path(s, st), 8);
}

int p9_stat_path(const struct p9_server *s, const char *path, struct stat *st)
{
	int fd = p9_find(&s->tree, path), r;

	if (fd < 0)
		return fd;
	r = p9_stat(&s->tree, fd, st);
	close(fd);
	return r;
}

int p9_put_qid_of(const struct p9_server *s, struct p9_out *o, const char *path)
{
	struct stat st;
	int r = p9_stat_path(s, path, &st);

	if (r == 0)
		p9_put_qid(s, o, &st);
	return r;
}

struct p9_fid *p9_get_fid(const struct p9_server *s, struct p9_in *m)
{
	uint32_t nr = (uint32_t)p9_get(m, 4);

	return m->bad ? NULL : p9_fid_find(s, nr);
}

/* A name in the folder that f is. */
int p9_get_path(const struct p9_fid *f, struct p9_in *m, char path[P9_PATH_MAX])
{
	char name[P9_NAME_LEN];

	p9_get_str(m, name, sizeof(name));
	if (m->bad)
		return -EINVAL;
	if (!f)
		return -EBADF;
	return strcmp(name, "..") == 0 ? -EINVAL : p9_join(path, f->path, name);
}

/* ---- connections and fids ---- */

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
	char name[P9_NAME_LEN];
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
	r = p9_put_qid_of(s, o, "");
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
	struct p9_fid *f = p9_get_fid(s, m);
	uint32_t nr = (uint32_t)p9_get(m, 4);
	unsigned names = (unsigned)p9_get(m, 2), n;
	char path[P9_PATH_MAX], next[P9_PATH_MAX], name[P9_NAME_LEN];
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
			r = p9_put_qid_of(s, o, next);
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

/* ---- dispatch ---- */

static p9_message *const messages[TYPES] = {
    [TSTATFS] = p9_m_statfs,
    [TLOPEN] = p9_m_lopen,
    [TLCREATE] = p9_m_lcreate,
    [TSYMLINK] = p9_m_symlink,
    [TMKNOD] = p9_m_mknod,
    [TRENAME] = p9_m_rename,
    [TREADLINK] = p9_m_readlink,
    [TGETATTR] = p9_m_getattr,
    [TSETATTR] = p9_m_setattr,
    [TXATTRWALK] = p9_m_xattrwalk,
    [TXATTRCREATE] = p9_m_xattrcreate,
    [TREADDIR] = p9_m_readdir,
    [TFSYNC] = p9_m_fsync,
    [TLOCK] = p9_m_lock,
    [TGETLOCK] = p9_m_getlock,
    [TLINK] = p9_m_link,
    [TMKDIR] = p9_m_mkdir,
    [TRENAMEAT] = p9_m_renameat,
    [TUNLINKAT] = p9_m_unlinkat,
    [TVERSION] = m_version,
    [TATTACH] = m_attach,
    [TFLUSH] = m_flush,
    [TWALK] = m_walk,
    [TREAD] = p9_m_read,
    [TWRITE] = p9_m_write,
    [TCLUNK] = p9_m_clunk,
    [TREMOVE] = p9_m_remove,
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
