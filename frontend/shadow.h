/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A copy of a screen for a thread that shows it: the machine's side copies what has changed and wakes that
 * thread, which takes its time without the machine lock.
 */
#ifndef FRONTEND_SHADOW_H
#define FRONTEND_SHADOW_H

#include <pthread.h>
#include <stdbool.h>

#include "frontend/screen.h"

struct shadow {
	struct screen_view view;
	/* Held while the rest is looked at; the innermost lock. */
	pthread_mutex_t lock;
	struct surface picture;
	struct rect damage; /* not taken yet */
	bool resized;
	struct cursor cursor;
	bool new_cursor;   /* it looks different, or is not there any more */
	bool moved_cursor; /* it is elsewhere */
	/* Called with the lock held, after changes and by shadow_wake(); must not wait. */
	void (*wake)(void *opaque);
	bool woken; /* and has not looked since: who takes the news clears it */
	void *opaque;
};

/* The view is set up but for its tick, whose opaque is the shadow's address. */
void shadow_init(struct shadow *s, void (*wake)(void *opaque), void *opaque);
/* After its view is removed. */
void shadow_fini(struct shadow *s);
/* Lock held. */
void shadow_wake(struct shadow *s);

#endif
