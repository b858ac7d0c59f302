/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Between the parts of the 9P server: connections and fids (p9_server.c), open files (p9_io.c), what files are
 * (p9_attr.c), names (p9_name.c).
 */
#ifndef HW_9P_P9_IMPL_H
#define HW_9P_P9_IMPL_H

#include "hw/9p/p9_fid.h"
#include "hw/9p/p9_msg.h"
#include "hw/9p/p9_server.h"

#define P9_NAME_LEN 256 /* with the NUL */

/* Answers a message: 0 or -errno. */
typedef int p9_message(struct p9_server *s, struct p9_in *m, struct p9_out *o);

/* The fid that the message names next, or NULL. */
struct p9_fid *p9_get_fid(const struct p9_server *s, struct p9_in *m);
/* The path of the name that the message has next, in the folder that f is (NULL: -EBADF). 0 or -errno. */
int p9_get_path(const struct p9_fid *f, struct p9_in *m, char path[P9_PATH_MAX]);
int p9_stat_path(const struct p9_server *s, const char *path, struct stat *st);
void p9_put_qid(const struct p9_server *s, struct p9_out *o, const struct stat *st);
/* 0 or -errno. */
int p9_put_qid_of(const struct p9_server *s, struct p9_out *o, const char *path);
/* Sets, or removes, the attribute that the fid's data are. 0 or -errno. */
int p9_store_xattr(const struct p9_server *s, struct p9_fid *f);

p9_message p9_m_lopen, p9_m_lcreate, p9_m_read, p9_m_write, p9_m_readdir, p9_m_fsync, p9_m_lock,
    p9_m_getlock, p9_m_clunk;
p9_message p9_m_statfs, p9_m_getattr, p9_m_setattr, p9_m_readlink, p9_m_xattrwalk, p9_m_xattrcreate;
p9_message p9_m_mkdir, p9_m_mknod, p9_m_symlink, p9_m_link, p9_m_rename, p9_m_renameat,
    p9_m_unlinkat, p9_m_remove;

#endif
