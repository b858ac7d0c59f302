/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * -netdev tap: a network interface of the host (Linux, Documentation/networking/tuntap.rst). With
 * IFF_VNET_HDR the host's stack takes and gives large segments and unfinished checksums, too.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "frontend/netdev.h"
#include "frontend/options_dev.h"
#include "hw/loop.h"

#define ROUND 64 /* frames, after which others have their turn */

struct tap {
	struct netdev d;
	struct net_end end;
	struct loop *loop;
	char ifname[IFNAMSIZ];
	int fd;
	bool header; /* frames come with struct virtio_net_hdr */
	bool held, blocked;
	unsigned offloads; /* TUN_F_* that the host may use towards us now */
	uint8_t buf[sizeof(struct net_offload) + NET_MAX_FRAME];
};

static void on_io(void *opaque, int fd, unsigned events);

static void watch(struct tap *t)
{
	loop_watch(t->loop, t->fd, (t->held ? 0 : LOOP_IN) | (t->blocked ? LOOP_OUT : 0), on_io, t);
}

static bool can_receive(void *self)
{
	return !((struct tap *)self)->blocked;
}

static bool receive(void *self, const struct iovec *iov, unsigned nr, const struct net_offload *o)
{
	struct net_offload none = {0};
	struct tap *t = self;
	struct iovec out[NET_MAX_PIECES + 1];
	unsigned n = 0;
	ssize_t r;

	if (t->header)
		out[n++] = (struct iovec){o ? (void *)o : &none, sizeof(none)};
	memcpy(out + n, iov, nr * sizeof(*iov));
	n += nr;
	/* The system takes no longer lists. */
	if (n > NET_MAX_PIECES)
		return true;
	do
		r = writev(t->fd, out, (int)n);
	while (r < 0 && errno == EINTR);
	if (r < 0 && errno == EAGAIN) {
		t->blocked = true;
		watch(t);
		return false;
	}
	/* Also where the interface is down: frames get lost. */
	return true;
}

/* The host may give us what the card takes. */
static void follow_card(struct tap *t)
{
	unsigned takes = t->end.peer ? t->end.peer->takes : 0, f = 0;

	if (takes & NET_TAKES_CSUM) {
		f = TUN_F_CSUM;
		f |= takes & NET_TAKES_TSO4 ? TUN_F_TSO4 : 0;
		f |= takes & NET_TAKES_TSO6 ? TUN_F_TSO6 : 0;
		f |= takes & NET_TAKES_ECN && f != TUN_F_CSUM ? TUN_F_TSO_ECN : 0;
	}
	if (t->header && f != t->offloads && ioctl(t->fd, TUNSETOFFLOAD, (unsigned long)f) == 0)
		t->offloads = f;
}

static void read_in(struct tap *t)
{
	size_t skip = t->header ? sizeof(struct net_offload) : 0;

	t->held = false;
	follow_card(t);
	for (unsigned i = 0; i < ROUND; i++) {
		struct net_offload o;
		struct iovec iov;
		ssize_t n;

		if (!net_can_send(&t->end)) {
			t->held = true;
			break;
		}
		n = read(t->fd, t->buf, sizeof(t->buf));
		if (n < 0 || (size_t)n < skip)
			break;
		memcpy(&o, t->buf, sizeof(o));
		iov = (struct iovec){t->buf + skip, (size_t)n - skip};
		net_send(&t->end, &iov, 1, t->header ? &o : NULL);
	}
	watch(t);
}

static void on_io(void *opaque, int fd, unsigned events)
{
	struct tap *t = opaque;

	(void)fd;
	if (events & LOOP_OUT && t->blocked) {
		t->blocked = false;
		watch(t);
		net_flush(&t->end);
	}
	if (events & LOOP_IN && !t->held)
		read_in(t);
}

static void ready(void *self)
{
	struct tap *t = self;

	if (t->held)
		read_in(t);
}

static const struct net_end_ops ops = {
    .receive = receive,
    .can_receive = can_receive,
    .ready = ready,
};

static void tap_close(struct netdev *d)
{
	struct tap *t = (struct tap *)d;

	net_end_fini(&t->end);
	if (t->fd >= 0) {
		loop_watch(t->loop, t->fd, 0, NULL, NULL);
		close(t->fd);
	}
	free(t);
}

static void describe(const struct netdev *d, char *text, size_t len)
{
	const struct tap *t = (const struct tap *)d;

	snprintf(text, len, "ifname=%s", t->ifname);
}

/* 0, or -1 with one line in err. */
static int open_interface(struct tap *t, const struct netdev_spec *spec, char *err, size_t errlen)
{
	struct ifreq req = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int size = sizeof(struct net_offload), e;
	unsigned features = 0;

	t->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (t->fd < 0)
		return netdev_fail(spec, err, errlen,
				   "cannot open /dev/net/tun: %s; it needs the module tun, or use "
				   "-netdev user",
				   strerror(errno));
	ioctl(t->fd, TUNGETFEATURES, &features);
	if (features & IFF_VNET_HDR)
		req.ifr_flags |= IFF_VNET_HDR;
	memcpy(req.ifr_name, t->ifname, IFNAMSIZ);
	if (ioctl(t->fd, TUNSETIFF, &req) < 0) {
		e = errno;
		return netdev_fail(spec, err, errlen,
				   "cannot attach to the interface %s: %s; as root, make it by: ip "
				   "tuntap add %s mode tap user USER",
				   *t->ifname ? t->ifname : "tap", strerror(e),
				   *t->ifname ? t->ifname : "tap0");
	}
	memcpy(t->ifname, req.ifr_name, IFNAMSIZ);
	t->header = req.ifr_flags & IFF_VNET_HDR && ioctl(t->fd, TUNSETVNETHDRSZ, &size) == 0;
	return 0;
}

/* 0, or -1 with one line in err. */
static int take_property(struct tap *t, const struct keyval *kv, const struct netdev_spec *spec,
			 char *err, size_t errlen)
{
	bool script = strcmp(kv->key, "script") == 0 || strcmp(kv->key, "downscript") == 0;

	if (strcmp(kv->key, "ifname") == 0 && strlen(kv->val) < IFNAMSIZ) {
		strcpy(t->ifname, kv->val);
		return 0;
	}
	if (script && strcmp(kv->val, "no") == 0)
		return 0;
	if (script)
		return netdev_fail(
		    spec, err, errlen,
		    "%s=%s: scripts are not run; set the interface up before, and give "
		    "script=no",
		    kv->key, kv->val);
	if (strcmp(kv->key, "vhost") == 0 && strcmp(kv->val, "off") == 0)
		return 0;
	return netdev_fail(spec, err, errlen, "%s=%s is not supported (ifname, script=no)", kv->key,
			   kv->val);
}

int net_tap_open(struct netdev **out, const struct netdev_spec *spec, const struct netdev_env *env,
		 char *err, size_t errlen)
{
	struct tap *t = calloc(1, sizeof(*t));
	const char *at = spec->properties;
	struct keyval kv;
	int r = 0;

	if (!t)
		return netdev_fail(spec, err, errlen, "out of memory");
	net_end_init(&t->end, spec->id, &ops, t);
	t->loop = env->loop;
	t->fd = -1;
	t->d.end = &t->end;
	t->d.close = tap_close;
	t->d.describe = describe;
	while (r == 0 && next_keyval(&at, &kv))
		r = take_property(t, &kv, spec, err, errlen);
	if (r == 0)
		r = open_interface(t, spec, err, errlen);
	if (r < 0) {
		tap_close(&t->d);
		return -1;
	}
	if (t->header)
		t->end.takes = NET_TAKES_CSUM | NET_TAKES_TSO4 | NET_TAKES_TSO6 | NET_TAKES_ECN;
	watch(t);
	*out = &t->d;
	return 0;
}
