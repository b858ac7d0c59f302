/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/9p/p9_fid.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUCKETS = 1024, MAX_FIDS = 1 << 16 };

int p9_server_init(struct p9_server *s, const struct p9_tree *tree)
{
	long files = sysconf(_SC_OPEN_MAX);

	memset(s, 0, sizeof(*s));
	s->fids = calloc(BUCKETS, sizeof(struct p9_fid *));
	if (!s->fids)
		return -ENOMEM;
	s->tree = *tree;
	/* The rest of the machine needs some too. */
	s->max_open = files > 0 && files < 1 << 20 ? (unsigned)files / 2 : 1 << 16;
	s->msize = P9_MSIZE_MAX;
	return 0;
}

void p9_server_fini(struct p9_server *s)
{
	p9_fids_drop_all(s);
	p9_tree_close(&s->tree);
	free(s->fids);
	s->fids = NULL;
}

void p9_server_reset(struct p9_server *s)
{
	p9_fids_drop_all(s);
	s->msize = P9_MSIZE_MAX;
}

static struct p9_fid **bucket(const struct p9_server *s, uint32_t nr)
{
	return &s->fids[nr * 0x9e3779b1u >> 22];
}

struct p9_fid *p9_fid_find(const struct p9_server *s, uint32_t nr)
{
	struct p9_fid *f = *bucket(s, nr);

	while (f && f->nr != nr)
		f = f->next;
	return f;
}

struct p9_fid *p9_fid_new(struct p9_server *s, uint32_t nr, const char *path, uid_t uid, int *err)
{
	struct p9_fid *f = NULL;

	*err = p9_fid_find(s, nr) || nr == P9_NO_FID ? -EEXIST
	       : s->nr_fids == MAX_FIDS              ? -EMFILE
						     : 0;
	if (*err < 0)
		return NULL;
	f = calloc(1, sizeof(*f));
	if (f)
		f->path = strdup(path);
	if (!f || !f->path) {
		free(f);
		*err = -ENOMEM;
		return NULL;
	}
	f->nr = nr;
	f->uid = uid;
	f->fd = -1;
	f->next = *bucket(s, nr);
	*bucket(s, nr) = f;
	s->nr_fids++;
	return f;
}

void p9_fid_shut(struct p9_server *s, struct p9_fid *f)
{
	if (f->kind == FID_FILE || f->kind == FID_DIR)
		s->nr_open--;
	if (f->dir)
		closedir(f->dir);
	else if (f->fd >= 0)
		close(f->fd);
	free(f->name);
	free(f->data);
	f->kind = FID_PATH;
	f->dir = NULL;
	f->fd = -1;
	f->name = NULL;
	f->data = NULL;
}

void p9_fid_drop(struct p9_server *s, struct p9_fid *f)
{
	struct p9_fid **at = bucket(s, f->nr);

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	s->nr_fids--;
	p9_fid_shut(s, f);
	free(f->path);
	free(f);
}

void p9_fids_drop_all(struct p9_server *s)
{
	for (unsigned n = 0; n < BUCKETS; n++)
		while (s->fids[n])
			p9_fid_drop(s, s->fids[n]);
}

int p9_fid_set_path(struct p9_fid *f, const char *path)
{
	char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	free(f->path);
	f->path = copy;
	return 0;
}

void p9_fids_moved(struct p9_server *s, const char *from, const char *to)
{
	size_t len = strlen(from);
	char path[P9_PATH_MAX];

	for (unsigned n = 0; n < BUCKETS; n++)
		for (struct p9_fid *f = s->fids[n]; f; f = f->next) {
			if (strncmp(f->path, from, len) != 0 ||
			    (f->path[len] && f->path[len] != '/'))
				continue;
			/* What does not fit is not found any more. */
			if (snprintf(path, sizeof(path), "%s%s", to, f->path + len) <
			    (int)sizeof(path))
				p9_fid_set_path(f, path);
		}
}

int p9_fid_do(const struct p9_server *s, const struct p9_fid *f,
	      int (*op)(const struct p9_tree *t, int fd, void *arg), void *arg)
{
	bool open = f->kind == FID_FILE || f->kind == FID_DIR;
	int fd = open ? f->fd : p9_find(&s->tree, f->path), r;

	if (fd < 0)
		return fd;
	r = op(&s->tree, fd, arg);
	if (!open)
		close(fd);
	return r;
}
