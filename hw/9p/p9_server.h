/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A server of 9P2000.L (the protocol of Linux' v9fs; diod's protocol.md has its messages) for one folder. Knows
 * nothing of virtio: a message comes in, another goes out. For use on one thread at a time.
 */
#ifndef HW_9P_P9_SERVER_H
#define HW_9P_P9_SERVER_H

#include "hw/9p/p9_tree.h"

#define P9_MSIZE_MAX (512u << 10)
#define P9_MIN_REPLY 11u /* an error */

struct p9_fid;

struct p9_server {
	struct p9_tree tree;
	uint32_t msize;
	unsigned nr_fids, nr_open, max_open;
	struct p9_fid **fids; /* by number, hashed */
};

/* Takes the tree. 0 or -ENOMEM. */
int p9_server_init(struct p9_server *s, const struct p9_tree *tree);
void p9_server_fini(struct p9_server *s);
/* As after a new connection: forgets all fids. */
void p9_server_reset(struct p9_server *s);

/* Answers a message, of which there are len bytes whatever its own size field says, in at most `room`
 * (P9_MIN_REPLY or more) bytes. Returns how many. */
size_t p9_serve(struct p9_server *s, const uint8_t *msg, size_t len, uint8_t *reply, size_t room);

#endif
