/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * libslirp on the machine's loop (libslirp 4.x, libslirp.h).
 *
 * The library tells which descriptors it waits for before each sleep, and takes the events after it. All
 * of them are in an epoll set of their own, which is one descriptor for the loop: what the library tells is
 * compared with what is in the set, so that a round without changes costs no system call.
 */
#include "frontend/slirp.h"

#ifdef CONFIG_SLIRP

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "hw/clock.h"
#include "hw/loop.h"
#include "hw/net/defrag.h"
#include "hw/net/gro.h"

#define LIBRARY     "libslirp.so.0"
#define BATCH       64
#define MAX_FD      65536
#define NSEC_PER_MS (NSEC_PER_SEC / 1000)
#define ALL_LEVELS  (~3) /* of glib */
#define NO_TIMEOUT  UINT32_MAX

struct polled {
	int fd;
	int events; /* SLIRP_POLL_* that have come */
};

/* What the set holds, by descriptor. */
struct registered {
	int events; /* 0: nothing */
	unsigned round, index;
};

struct slirp_link {
	struct net_end end;
	struct slirp_api api;
	Slirp *slirp;
	struct loop *loop;
	struct clock *clock;
	struct loop_job refill;
	struct timer timeout;
	int epoll;
	struct polled *polled; /* in the order in which the library told them */
	unsigned nr_polled, room;
	struct registered *registered;
	unsigned nr_registered; /* size of the array */
	unsigned round;
	struct net_gro gro;
	struct net_defrag defrag;
};

struct slirp_timer {
	struct timer t;
	SlirpTimerCb cb;
	void *opaque;
	struct slirp_link *link;
};

static int load(struct slirp_api *api, char *err, size_t errlen)
{
	static const struct {
		const char *name;
		size_t at;
	} functions[] = {
	    {"slirp_new", offsetof(struct slirp_api, new)},
	    {"slirp_cleanup", offsetof(struct slirp_api, cleanup)},
	    {"slirp_pollfds_fill", offsetof(struct slirp_api, fill)},
	    {"slirp_pollfds_poll", offsetof(struct slirp_api, poll)},
	    {"slirp_input", offsetof(struct slirp_api, input)},
	    {"slirp_add_hostxfwd", offsetof(struct slirp_api, add_hostxfwd)},
	    {"slirp_remove_hostxfwd", offsetof(struct slirp_api, remove_hostxfwd)},
	    {"slirp_add_exec", offsetof(struct slirp_api, add_exec)},
	    {"slirp_add_unix", offsetof(struct slirp_api, add_unix)},
	    {"slirp_connection_info", offsetof(struct slirp_api, connection_info)},
	    {"g_free", offsetof(struct slirp_api, g_free)},
	    {"g_log_set_handler", offsetof(struct slirp_api, g_log_set_handler)},
	};
	void *library;

	/* Without an interpreter this program is static, and another C library would come along. */
	if (!getauxval(AT_BASE)) {
		snprintf(err, errlen,
			 "a static doppel cannot load libslirp; use passt with -netdev stream "
			 "(docs/network.md)");
		return -1;
	}
	library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!library) {
		snprintf(
		    err, errlen,
		    "%s cannot be loaded (%s); install it (Debian: apt-get install libslirp0), "
		    "or use passt with -netdev stream",
		    LIBRARY, dlerror());
		return -1;
	}
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		void *f = dlsym(library, functions[i].name);

		if (!f) {
			snprintf(err, errlen, "%s is too old: it has no %s; 4.6 or later is needed",
				 LIBRARY, functions[i].name);
			return -1;
		}
		memcpy((char *)api + functions[i].at, &f, sizeof(f));
	}
	return 0;
}

/* What the library has to say is about the guest's frames, which would fill the user's terminal. */
static void ignore_log(const char *domain, int level, const char *message, void *opaque)
{
	(void)domain;
	(void)level;
	(void)message;
	(void)opaque;
}

/* ---- descriptors ---- */

static void forget(struct slirp_link *l, int fd)
{
	if (fd < 0 || (unsigned)fd >= l->nr_registered || !l->registered[fd].events)
		return;
	epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL);
	l->registered[fd].events = 0;
}

static struct registered *entry(struct slirp_link *l, int fd)
{
	unsigned n = l->nr_registered ? l->nr_registered : 64;
	struct registered *more;

	if (fd < 0 || fd >= MAX_FD)
		return NULL;
	if ((unsigned)fd < l->nr_registered)
		return &l->registered[fd];
	while (n <= (unsigned)fd)
		n *= 2;
	more = realloc(l->registered, n * sizeof(*more));
	if (!more)
		return NULL;
	memset(more + l->nr_registered, 0, (n - l->nr_registered) * sizeof(*more));
	l->registered = more;
	l->nr_registered = n;
	return &more[fd];
}

static int add_poll(int fd, int events, void *opaque)
{
	struct slirp_link *l = opaque;
	struct registered *r = entry(l, fd);
	struct epoll_event ev = {.data.fd = fd};

	if (l->nr_polled == l->room) {
		unsigned room = l->room ? 2 * l->room : 16;
		struct polled *more = realloc(l->polled, room * sizeof(*more));

		if (!more)
			return -1;
		l->polled = more;
		l->room = room;
	}
	/* A descriptor that cannot be waited for is looked at when others are. */
	l->polled[l->nr_polled] = (struct polled){fd, 0};
	if (!r)
		return (int)l->nr_polled++;
	ev.events = (events & SLIRP_POLL_IN ? (unsigned)EPOLLIN : 0) |
		    (events & SLIRP_POLL_OUT ? (unsigned)EPOLLOUT : 0) |
		    (events & SLIRP_POLL_PRI ? (unsigned)EPOLLPRI : 0);
	if (r->events != events)
		epoll_ctl(l->epoll, r->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev);
	r->events = events;
	r->round = l->round;
	r->index = l->nr_polled;
	return (int)l->nr_polled++;
}

static int get_events(int index, void *opaque)
{
	struct slirp_link *l = opaque;

	return index >= 0 && (unsigned)index < l->nr_polled ? l->polled[index].events : 0;
}

/* What the library waits for now. */
static void refill(void *opaque)
{
	struct slirp_link *l = opaque;
	uint32_t timeout = NO_TIMEOUT;
	unsigned before = l->nr_polled;
	int *old = before ? malloc(before * sizeof(*old)) : NULL;

	for (unsigned i = 0; old && i < before; i++)
		old[i] = l->polled[i].fd;
	l->nr_polled = 0;
	l->round++;
	l->api.fill(l->slirp, &timeout, add_poll, l);
	for (unsigned i = 0; old && i < before; i++)
		if (old[i] >= 0 && (unsigned)old[i] < l->nr_registered &&
		    l->registered[old[i]].round != l->round)
			forget(l, old[i]);
	free(old);
	if (timeout == NO_TIMEOUT)
		timer_cancel(&l->timeout);
	else
		timer_arm(&l->timeout, clock_now(l->clock) + (timeout + 1ull) * NSEC_PER_MS);
}

static void on_events(void *opaque, int fd, unsigned events)
{
	struct slirp_link *l = opaque;
	struct epoll_event ev[BATCH];
	int n = epoll_wait(l->epoll, ev, BATCH, 0);

	(void)fd;
	(void)events;
	for (int i = 0; i < n; i++) {
		const struct registered *r = &l->registered[ev[i].data.fd];
		unsigned e = ev[i].events;

		if (r->events && r->round == l->round)
			l->polled[r->index].events = (e & EPOLLIN ? SLIRP_POLL_IN : 0) |
						     (e & EPOLLOUT ? SLIRP_POLL_OUT : 0) |
						     (e & EPOLLPRI ? SLIRP_POLL_PRI : 0) |
						     (e & EPOLLERR ? SLIRP_POLL_ERR : 0) |
						     (e & EPOLLHUP ? SLIRP_POLL_HUP : 0);
	}
	l->api.poll(l->slirp, 0, get_events, l);
	net_gro_flush(&l->gro);
	refill(l);
}

static void on_timeout(void *opaque)
{
	struct slirp_link *l = opaque;

	on_events(l, l->epoll, 0);
}

/* ---- the library's calls ---- */

static ssize_t send_packet(const void *buf, size_t len, void *opaque)
{
	struct slirp_link *l = opaque;

	net_gro_send(&l->gro, buf, len);
	return (ssize_t)len;
}

/* A guest can bring these about at will. */
static void guest_error(const char *msg, void *opaque)
{
	(void)msg;
	(void)opaque;
}

static int64_t clock_get_ns(void *opaque)
{
	return (int64_t)clock_now(((struct slirp_link *)opaque)->clock);
}

static void timer_fires(void *opaque)
{
	struct slirp_timer *t = opaque;

	t->cb(t->opaque);
	net_gro_flush(&t->link->gro);
}

static void *timer_new(SlirpTimerCb cb, void *cb_opaque, void *opaque)
{
	struct slirp_link *l = opaque;
	struct slirp_timer *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->cb = cb;
	t->opaque = cb_opaque;
	t->link = l;
	timer_init(&t->t, l->clock, timer_fires, t);
	return t;
}

static void timer_free(void *timer, void *opaque)
{
	struct slirp_timer *t = timer;

	(void)opaque;
	if (!t)
		return;
	timer_cancel(&t->t);
	free(t);
}

static void timer_mod(void *timer, int64_t expire_ms, void *opaque)
{
	struct slirp_timer *t = timer;

	(void)opaque;
	if (t)
		timer_arm(&t->t, (uint64_t)expire_ms * NSEC_PER_MS);
}

/* All are told again before each sleep. */
static void register_fd(int fd, void *opaque)
{
	(void)fd;
	(void)opaque;
}

/* It is about to be closed, and its number given to another. */
static void unregister_fd(int fd, void *opaque)
{
	forget(opaque, fd);
}

static void notify(void *opaque)
{
	slirp_link_changed(opaque);
}

static const SlirpCb callbacks = {
    .send_packet = send_packet,
    .guest_error = guest_error,
    .clock_get_ns = clock_get_ns,
    .timer_new = timer_new,
    .timer_free = timer_free,
    .timer_mod = timer_mod,
    .register_poll_fd = register_fd,
    .unregister_poll_fd = unregister_fd,
    .notify = notify,
};

/* ---- the link ---- */

static bool receive(void *self, const struct iovec *iov, unsigned nr, const struct net_offload *o)
{
	struct slirp_link *l = self;

	size_t len = iov->iov_len;
	/* The library's own reassembly (of 4.7) can be made to write outside its buffers. */
	const uint8_t *frame = net_defrag(&l->defrag, iov->iov_base, &len);

	(void)nr;
	(void)o;
	if (!frame)
		return true;
	l->api.input(l->slirp, frame, (int)len);
	net_gro_flush(&l->gro);
	slirp_link_changed(l);
	return true;
}

static const struct net_end_ops ops = {.receive = receive, .flat = true};

int slirp_link_open(struct slirp_link **out, const SlirpConfig *cfg, const char *name,
		    struct loop *loop, struct clock *clock, char *err, size_t errlen)
{
	struct slirp_link *l = calloc(1, sizeof(*l));
	int r;

	if (!l) {
		snprintf(err, errlen, "out of memory");
		return -1;
	}
	if (load(&l->api, err, errlen) < 0) {
		free(l);
		return -1;
	}
	net_end_init(&l->end, name, &ops, l);
	/* The library makes all frames itself, or has checked what they are made of. */
	net_gro_init(&l->gro, &l->end, true);
	/* TCP segments of any size, with their checksums. */
	l->end.takes = NET_TAKES_TSO4 | NET_TAKES_ECN;
	l->loop = loop;
	l->clock = clock;
	l->refill = (struct loop_job){.run = refill, .opaque = l};
	timer_init(&l->timeout, clock, on_timeout, l);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	r = l->epoll < 0 ? -errno : loop_watch(loop, l->epoll, LOOP_IN, on_events, l);
	l->api.g_log_set_handler("Slirp", ALL_LEVELS, ignore_log, NULL);
	if (r == 0)
		l->slirp = l->api.new(cfg, &callbacks, l);
	if (!l->slirp) {
		snprintf(err, errlen, "%s cannot start%s%s", LIBRARY, r < 0 ? ": " : "",
			 r < 0 ? strerror(-r) : "");
		slirp_link_close(l);
		return -1;
	}
	slirp_link_changed(l);
	*out = l;
	return 0;
}

void slirp_link_close(struct slirp_link *l)
{
	net_end_fini(&l->end);
	if (l->slirp)
		l->api.cleanup(l->slirp);
	loop_cancel(l->loop, &l->refill);
	timer_cancel(&l->timeout);
	if (l->epoll >= 0) {
		loop_watch(l->loop, l->epoll, 0, NULL, NULL);
		close(l->epoll);
	}
	net_defrag_fini(&l->defrag);
	free(l->polled);
	free(l->registered);
	/* The library stays: what it stands on keeps pointers to itself in threads. */
	free(l);
}

struct net_end *slirp_link_end(struct slirp_link *l)
{
	return &l->end;
}

const struct slirp_api *slirp_link_api(const struct slirp_link *l)
{
	return &l->api;
}

Slirp *slirp_link_slirp(struct slirp_link *l)
{
	return l->slirp;
}

void slirp_link_changed(struct slirp_link *l)
{
	loop_defer(l->loop, &l->refill);
}

#endif
