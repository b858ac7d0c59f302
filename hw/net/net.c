/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Links between ends: delivery, what waits, what is dropped; see the header.
 */
#include "hw/net/net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What may wait for an end. */
#define MAX_WAITING       512u
#define MAX_BYTES_WAITING (4u << 20)
/* Ends that do not tell when they have room are asked ever less often. */
#define FIRST_ASKED (NSEC_PER_SEC / 10000)
#define LAST_ASKED  (NSEC_PER_SEC / 10)

struct net_frame {
	struct net_frame *next;
	struct net_offload o;
	bool has_offload;
	size_t len;
	uint8_t data[];
};

void net_end_init(struct net_end *e, const char *name, const struct net_end_ops *ops, void *self)
{
	memset(e, 0, sizeof(*e));
	e->ops = ops;
	e->self = self;
	e->last = &e->first;
	snprintf(e->name, sizeof(e->name), "%s", name);
}

static void drop_waiting(struct net_end *e)
{
	struct net_frame *f;

	while ((f = e->first)) {
		e->first = f->next;
		free(f);
	}
	e->last = &e->first;
	e->nr_waiting = 0;
	e->bytes_waiting = 0;
}

void net_end_fini(struct net_end *e)
{
	drop_waiting(e);
	net_limit(e, 0, 0, NULL);
	if (e->asking.wait)
		timer_cancel(&e->asking.again);
	if (e->peer) {
		e->peer->peer = NULL;
		drop_waiting(e->peer);
	}
	e->peer = NULL;
	e->watches = NULL;
}

int net_plug(struct net_end *a, struct net_end *b)
{
	if (a->peer || b->peer)
		return -EBUSY;
	a->peer = b;
	b->peer = a;
	return 0;
}

bool net_link_up(const struct net_end *e)
{
	return e->peer && !e->link_down && !e->peer->link_down;
}

void net_set_link(struct net_end *e, bool up)
{
	bool was = net_link_up(e);

	e->link_down = !up;
	if (net_link_up(e) == was)
		return;
	for (int i = 0; i < 2; i++, e = e->peer) {
		if (e->ops->link_changed)
			e->ops->link_changed(e->self);
		net_purge(e);
	}
}

/* ---- lists of pieces ---- */

size_t net_len(const struct iovec *iov, unsigned nr)
{
	size_t len = 0;

	for (unsigned i = 0; i < nr; i++)
		len += iov[i].iov_len;
	return len;
}

size_t net_copy(void *to, size_t len, const struct iovec *iov, unsigned nr, size_t off)
{
	size_t done = 0;

	for (unsigned i = 0; i < nr && done < len; i++) {
		size_t n = iov[i].iov_len;

		if (off >= n) {
			off -= n;
			continue;
		}
		n -= off;
		if (n > len - done)
			n = len - done;
		memcpy((uint8_t *)to + done, (const uint8_t *)iov[i].iov_base + off, n);
		done += n;
		off = 0;
	}
	return done;
}

/* ---- delivery ---- */

static bool has_room(const struct net_end *e)
{
	return e->nr_waiting < MAX_WAITING && e->bytes_waiting < MAX_BYTES_WAITING;
}

static void keep(struct net_end *to, const struct iovec *iov, unsigned nr, size_t len,
		 const struct net_offload *o)
{
	struct net_frame *f = has_room(to) ? malloc(sizeof(*f) + len) : NULL;

	if (!f) {
		to->peer->dropped++;
		return;
	}
	f->next = NULL;
	f->has_offload = o != NULL;
	if (o)
		f->o = *o;
	f->len = net_copy(f->data, len, iov, nr, 0);
	*to->last = f;
	to->last = &f->next;
	to->nr_waiting++;
	to->bytes_waiting += f->len;
}

static bool over_limit(struct net_limit *l)
{
	uint64_t now, wait;

	if (!l->rate.per_second)
		return false;
	now = clock_now(l->again.clock);
	wait = rate_wait(&l->rate, now);
	if (wait && !l->again.armed)
		timer_arm(&l->again, now + wait);
	return wait;
}

/* Whether a limit holds up what comes to `to`; its timer then flushes it. */
static bool limited(struct net_end *to)
{
	return over_limit(&to->peer->sends) || over_limit(&to->receives);
}

static void ask_later(struct net_end *e)
{
	struct net_asking *a = &e->asking;

	if (!a->wait || a->again.armed)
		return;
	timer_arm(&a->again, clock_now(a->again.clock) + a->wait);
	a->wait = a->wait < LAST_ASKED ? 2 * a->wait : LAST_ASKED;
}

static void has_taken(struct net_end *e)
{
	struct net_asking *a = &e->asking;

	if (!a->wait)
		return;
	a->wait = FIRST_ASKED;
	if (a->again.armed)
		timer_cancel(&a->again);
}

static bool call_receive(struct net_end *to, const struct iovec *iov, unsigned nr,
			 const struct net_offload *o)
{
	bool taken;

	to->receiving = true;
	taken = to->ops->receive(to->self, iov, nr, o);
	to->receiving = false;
	if (taken) {
		size_t len = net_len(iov, nr);

		rate_spend(&to->peer->sends.rate, len);
		rate_spend(&to->receives.rate, len);
		has_taken(to);
	} else {
		ask_later(to);
	}
	return taken;
}

/* What waits, as far as there is room. */
static void deliver_waiting(struct net_end *to)
{
	struct net_frame *f;

	while (!to->receiving && (f = to->first) && to->peer && !limited(to)) {
		struct iovec iov = {f->data, f->len};

		if (!call_receive(to, &iov, 1, f->has_offload ? &f->o : NULL))
			return;
		/* A reset within receive() has purged it. */
		if (to->first != f)
			continue;
		to->first = f->next;
		if (!to->first)
			to->last = &to->first;
		to->nr_waiting--;
		to->bytes_waiting -= f->len;
		free(f);
	}
}

/* A frame as `to` takes it, and no shorter than it needs. */
static void hand_over(struct net_end *to, const struct iovec *iov, unsigned nr, size_t len,
		      const struct net_offload *o)
{
	uint8_t flat[NET_MIN_FRAME];
	struct iovec one;

	if (to->ops->pad && len < NET_MIN_FRAME) {
		memset(flat + len, 0, sizeof(flat) - len);
		net_copy(flat, len, iov, nr, 0);
		one = (struct iovec){flat, NET_MIN_FRAME};
		iov = &one;
		nr = 1;
		len = NET_MIN_FRAME;
	}
	if (to->first && to->asking.wait)
		deliver_waiting(to);
	/* Frames sent while one is being received come after it, and none overtakes another. */
	if (to->receiving || to->first || limited(to) || !call_receive(to, iov, nr, o))
		keep(to, iov, nr, len, o);
}

static void emit_segment(void *opaque, const uint8_t *frame, size_t len)
{
	struct iovec iov = {(void *)frame, len};

	hand_over(opaque, &iov, 1, len, NULL);
}

/* What remains to be done to a frame before `to` takes it. */
enum todo { AS_IS, FLATTEN, CSUM, SEGMENT };

static enum todo todo_for(const struct net_end *to, unsigned nr, const struct net_offload *o)
{
	unsigned need = 0;

	if (!o)
		return to->ops->flat && nr > 1 ? FLATTEN : AS_IS;
	if (o->gso_type != NET_GSO_NONE)
		need =
		    (o->gso_type & ~NET_GSO_ECN) == NET_GSO_TCP4 ? NET_TAKES_TSO4 : NET_TAKES_TSO6;
	if (o->gso_type & NET_GSO_ECN)
		need |= NET_TAKES_ECN;
	if (need & ~to->takes)
		return SEGMENT;
	if (o->flags & NET_NEEDS_CSUM && !(to->takes & NET_TAKES_CSUM))
		return CSUM;
	return to->ops->flat && nr > 1 ? FLATTEN : AS_IS;
}

static bool known_gso(uint8_t type)
{
	type &= (uint8_t)~NET_GSO_ECN;
	return type == NET_GSO_TCP4 || type == NET_GSO_TCP6;
}

static void deliver(struct net_end *to, const struct iovec *iov, unsigned nr, size_t len,
		    const struct net_offload *o)
{
	enum todo todo = todo_for(to, nr, o);
	struct iovec one;
	uint8_t *flat;

	if (todo == AS_IS) {
		hand_over(to, iov, nr, len, o);
		return;
	}
	flat = malloc(len);
	if (!flat) {
		to->peer->dropped++;
		return;
	}
	net_copy(flat, len, iov, nr, 0);
	one = (struct iovec){flat, len};
	if (todo == SEGMENT) {
		if (net_segment(flat, len, o, emit_segment, to) < 0)
			to->peer->dropped++;
	} else if (todo == FLATTEN) {
		hand_over(to, &one, 1, len, o);
	} else if (net_finish_csum(flat, len, o) == 0) {
		struct net_offload left = *o;

		left.flags = 0;
		left.csum_start = left.csum_offset = 0;
		hand_over(to, &one, 1, len, o->gso_type ? &left : NULL);
	} else {
		to->peer->dropped++;
	}
	free(flat);
}

bool net_can_send(struct net_end *e)
{
	struct net_end *to = e->peer;

	if (!net_link_up(e)) {
		e->refused = false;
		return true;
	}
	e->refused = to->receiving || to->first || limited(to);
	if (!e->refused && to->ops->can_receive && !to->ops->can_receive(to->self)) {
		e->refused = true;
		ask_later(to);
	}
	return !e->refused;
}

void net_send(struct net_end *e, const struct iovec *iov, unsigned nr, const struct net_offload *o)
{
	struct net_end *to = e->peer;
	size_t len = net_len(iov, nr);

	if (!net_link_up(e) || len < NET_HEADER_LEN || len > NET_MAX_FRAME || nr > NET_MAX_PIECES ||
	    (o && o->gso_type && !known_gso(o->gso_type))) {
		e->dropped++;
		return;
	}
	/* Nothing asked for, or nothing that the other side understands, is the same as no offload. */
	if (o && o->gso_type == NET_GSO_NONE && !(o->flags & NET_NEEDS_CSUM) &&
	    !(o->flags & NET_DATA_VALID && to->takes & NET_TAKES_CSUM))
		o = NULL;
	e->sent++;
	for (struct net_watch *w = e->watches; w; w = w->next)
		w->frame(w, e, iov, nr, len);
	for (struct net_watch *w = to->watches; w; w = w->next)
		w->frame(w, e, iov, nr, len);
	deliver(to, iov, nr, len, o);
	/* Frames that came while this one was being received. */
	deliver_waiting(to);
}

static void tell_sender(struct net_end *e)
{
	struct net_end *from = e->peer;

	if (!from || !from->refused || !net_can_send(from))
		return;
	if (from->ops->ready)
		from->ops->ready(from->self);
}

void net_flush(struct net_end *e)
{
	deliver_waiting(e);
	tell_sender(e);
}

void net_purge(struct net_end *e)
{
	drop_waiting(e);
	tell_sender(e);
}

static void ask(void *opaque)
{
	net_flush(opaque);
}

void net_ask_again(struct net_end *e, struct clock *clock)
{
	timer_init(&e->asking.again, clock, ask, e);
	e->asking.wait = FIRST_ASKED;
}

/* ---- limits ---- */

static void more_sent(void *opaque)
{
	struct net_end *e = opaque;

	if (e->peer)
		net_flush(e->peer);
}

static void more_received(void *opaque)
{
	net_flush(opaque);
}

static void set_limit(struct net_limit *l, uint64_t per_second, struct clock *clock,
		      void (*again)(void *opaque), struct net_end *e)
{
	if (l->rate.per_second)
		timer_cancel(&l->again);
	rate_init(&l->rate, per_second);
	if (per_second)
		timer_init(&l->again, clock, again, e);
}

void net_limit(struct net_end *e, uint64_t in, uint64_t out, struct clock *clock)
{
	set_limit(&e->sends, in, clock, more_sent, e);
	set_limit(&e->receives, out, clock, more_received, e);
}

/* ---- watching ---- */

void net_watch(struct net_end *e, struct net_watch *w)
{
	w->next = e->watches;
	e->watches = w;
}

void net_unwatch(struct net_end *e, struct net_watch *w)
{
	for (struct net_watch **p = &e->watches; *p; p = &(*p)->next) {
		if (*p != w)
			continue;
		*p = w->next;
		return;
	}
}
