/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What holds the bytes of a disk: opened and closed, inserted and ejected, and what a controller may ask
 * about it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "hw/block/block_impl.h"
#include "hw/block/uring.h"
#include "hw/loop.h"

#define MAX_THREADS   16
#define URING_ENTRIES 128

/* ---- properties ---- */

const char *block_name(const struct block *b)
{
	return b->name;
}

bool block_present(const struct block *b)
{
	return b->image;
}

uint64_t block_size(const struct block *b)
{
	return b->image ? (b->image->size + BLOCK_SECTOR - 1) & ~(uint64_t)(BLOCK_SECTOR - 1) : 0;
}

bool block_read_only(const struct block *b)
{
	return b->image && b->image->read_only;
}

bool block_removable(const struct block *b)
{
	return b->opt.removable;
}

bool block_write_cache(const struct block *b)
{
	return !b->writethrough;
}

void block_set_write_cache(struct block *b, bool on)
{
	b->writethrough = !on;
}

bool block_can_discard(const struct block *b)
{
	return b->opt.discard && !block_read_only(b);
}

uint32_t block_discard_granularity(const struct block *b)
{
	return b->image ? b->image->discard_granularity : BLOCK_SECTOR;
}

void block_stats(const struct block *b, struct block_stats *out)
{
	*out = b->stats;
}

void block_set_policies(struct block *b, enum block_error_policy rerror,
			enum block_error_policy werror)
{
	b->opt.rerror = rerror;
	b->opt.werror = werror;
}

const struct block_options *block_options(const struct block *b)
{
	return &b->opt;
}

const char *block_file(const struct block *b)
{
	return b->image ? b->path : NULL;
}

const char *block_format(const struct block *b)
{
	return b->image ? b->image->ops->name : NULL;
}

struct image *block_image(struct block *b)
{
	return b->image;
}

/* ---- media ---- */

int block_attach(struct block *b, const struct block_user *user, void *opaque)
{
	if (user && b->user)
		return -EBUSY;
	if (!user)
		block_drain(b);
	b->user = user;
	b->user_opaque = opaque;
	b->locked = false;
	return 0;
}

void block_lock_medium(struct block *b, bool locked)
{
	b->locked = locked;
}

void block_open_tray(struct block *b, bool open)
{
	if (b->tray_open == open)
		return;
	b->tray_open = open;
	if (b->env.tray)
		b->env.tray(b->env.opaque, b, open);
}

bool block_tray_is_open(const struct block *b)
{
	return b->tray_open;
}

bool block_is_locked(const struct block *b)
{
	return b->locked;
}

static void tell_changed(struct block *b)
{
	if (b->user && b->user->changed)
		b->user->changed(b->user_opaque);
}

/* What holds for all files of a drive. */
static unsigned flags_of(const struct block_options *o)
{
	return (o->direct ? IMAGE_DIRECT : 0) | (o->no_flush ? IMAGE_NO_FLUSH : 0) |
	       (o->no_lock ? IMAGE_NO_LOCK : 0) | (o->discard ? IMAGE_DISCARD : 0);
}

/* Opens what o says; nothing of b changes but that it may get its ring. */
static int open_image(struct block *b, const struct block_options *o, struct image **out, char *err,
		      size_t errlen)
{
	unsigned flags = flags_of(o) | (o->snapshot ? IMAGE_NO_FLUSH : 0) |
			 (o->read_only || o->snapshot ? 0 : IMAGE_WRITE);
	int r;

	if (!b->uring && o->aio != AIO_THREADS)
		b->uring = uring_new(URING_ENTRIES, b->event);
	if (!b->uring && (o->aio == AIO_URING || o->aio == AIO_NATIVE)) {
		image_error(err, errlen,
			    "%s: the host has no io_uring, or forbids it; use "
			    "aio=threads",
			    o->file);
		return -ENOSYS;
	}
	r = image_open(out, o->file, o->format, flags, err, errlen);
	if (r == 0 && o->snapshot) {
		struct image *base = *out;

		r = image_overlay(out, base, err, errlen);
		if (r < 0)
			image_close(base);
	}
	return r;
}

static int open_medium(struct block *b, const struct block_options *o, char *err, size_t errlen)
{
	int r;

	if (!o->file)
		return 0;
	b->path = strdup(o->file);
	if (!b->path) {
		image_error(err, errlen, "out of memory");
		return -ENOMEM;
	}
	r = open_image(b, o, &b->image, err, errlen);
	if (r < 0) {
		b->image = NULL;
		free(b->path);
		b->path = NULL;
	}
	return r;
}

static int close_medium(struct block *b)
{
	int r = b->image ? image_close(b->image) : 0;

	b->image = NULL;
	free(b->path);
	b->path = NULL;
	return r;
}

int block_open(struct block **out, const struct block_options *o, const struct block_env *env,
	       char *err, size_t errlen)
{
	struct block *b = calloc(1, sizeof(*b));
	int r = -ENOMEM;

	if (!b)
		goto no_memory;
	b->name = strdup(o->name);
	b->pool = pool_new(MAX_THREADS);
	b->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	b->env = *env;
	b->opt = *o;
	b->opt.name = b->opt.file = b->opt.format = NULL;
	b->writethrough = o->writethrough;
	pthread_mutex_init(&b->done_lock, NULL);
	list_init(&b->plugged);
	list_init(&b->ready);
	list_init(&b->held);
	list_init(&b->done);
	if (!b->name || !b->pool || b->event < 0)
		goto no_memory;
	r = open_medium(b, o, err, errlen);
	if (r < 0)
		goto fail;
	r = env->loop ? loop_watch(env->loop, b->event, LOOP_IN, block_on_event, b) : 0;
	if (r < 0)
		goto no_memory;
	block_init_limits(b, o);
	*out = b;
	return 0;
no_memory:
	image_error(err, errlen, "%s: out of memory or file descriptors", o->name);
fail:
	if (b) {
		close_medium(b);
		pool_free(b->pool);
		uring_free(b->uring);
		if (b->event >= 0)
			close(b->event);
		pthread_mutex_destroy(&b->done_lock);
		free(b->name);
		free(b);
	}
	return r;
}

void block_leave_loop(struct block *b)
{
	block_quiesce(b);
	block_end_limits(b);
	if (b->env.loop)
		loop_watch(b->env.loop, b->event, 0, NULL, NULL);
	b->env.loop = NULL;
	b->env.stop = NULL;
	b->env.tray = NULL;
}

int block_close(struct block *b)
{
	int r;

	if (!b)
		return 0;
	block_drain(b);
	block_leave_loop(b);
	pool_free(b->pool);
	r = close_medium(b);
	uring_free(b->uring);
	close(b->event);
	pthread_mutex_destroy(&b->done_lock);
	free(b->name);
	free(b);
	return r;
}

/* Whether the medium may be taken. */
static int may_take(struct block *b, bool force, char *err, size_t errlen)
{
	if (!b->opt.removable) {
		image_error(err, errlen, "Device '%s' is not removable", b->name);
		return -ENOTSUP;
	}
	if (!b->image || !b->locked || b->tray_open || force)
		return 0;
	if (b->user && b->user->eject_request)
		b->user->eject_request(b->user_opaque);
	image_error(err, errlen,
		    "Device '%s' is locked and force was not specified, wait for tray to open and "
		    "try again",
		    b->name);
	return -EBUSY;
}

static void take_medium(struct block *b)
{
	block_drain(b);
	close_medium(b);
	block_open_tray(b, true);
	tell_changed(b);
}

int block_eject(struct block *b, bool force, char *err, size_t errlen)
{
	int r = may_take(b, force, err, errlen);

	if (r == 0)
		take_medium(b);
	return r;
}

int block_change(struct block *b, const char *file, const char *format, enum block_access access,
		 bool force, char *err, size_t errlen)
{
	struct block_options o = b->opt;
	struct image *img;
	char *path;
	int r = may_take(b, force, err, errlen);

	if (r < 0)
		return r;
	path = strdup(file);
	if (!path) {
		image_error(err, errlen, "out of memory");
		return -ENOMEM;
	}
	o.file = file;
	o.format = format;
	if (access != BLOCK_RETAIN)
		o.read_only = access == BLOCK_READ_ONLY;
	if (access == BLOCK_READ_WRITE)
		o.snapshot = false;
	r = open_image(b, &o, &img, err, errlen);
	if (r < 0) {
		free(path);
		return r;
	}
	take_medium(b);
	b->image = img;
	b->path = path;
	b->opt.read_only = o.read_only;
	block_open_tray(b, false);
	tell_changed(b);
	return 0;
}

int block_resize(struct block *b, uint64_t size, char *err, size_t errlen)
{
	int r;

	if (!b->image) {
		image_error(err, errlen, "%s has no medium", b->name);
		return -ENOMEDIUM;
	}
	block_quiesce(b);
	r = image_resize(b->image, size, err, errlen);
	if (r == 0)
		tell_changed(b);
	return r;
}

int block_commit(struct block *b, char *err, size_t errlen)
{
	if (!b->image) {
		image_error(err, errlen, "%s has no medium", b->name);
		return -ENOMEDIUM;
	}
	block_quiesce(b);
	return image_commit_below(b->image, flags_of(&b->opt), err, errlen);
}
