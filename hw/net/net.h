/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Links: the network card that a guest sees is one end, what carries its frames outside (user networking,
 * a socket, a hub's port) is the other. An end is embedded in its owner's struct and plugged into one
 * other end.
 *
 * Everything runs under the machine lock, on the thread of a vCPU (which rang a doorbell) or of the loop. A
 * card may send right where its doorbell rings, or put that off with loop_defer() (hw/loop.h), so that
 * the vCPU goes on while the loop's thread works.
 *
 * Who can wait asks net_can_send() before it takes a frame from its ring or descriptor, and continues
 * when its ready() is called. Who cannot just sends: the link keeps a bounded number of frames for an end
 * that has no room, and drops the rest.
 *
 * Frames and what their headers say are hostile: nothing here trusts a length.
 */
#ifndef HW_NET_NET_H
#define HW_NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "hw/device_type.h"
#include "hw/rate.h"

#define NET_MAC_LEN    6u
#define NET_HEADER_LEN 14u              /* of Ethernet */
#define NET_MIN_FRAME  60u              /* without its FCS, which no frame here has */
#define NET_MAX_FRAME  (65536u + 4096u) /* one of 64 KiB before segmentation and its headers */
#define NET_MAX_PIECES 1024u            /* of an iovec list */

/* What a frame leaves to who receives it; the fields of struct virtio_net_hdr (virtio 1.2, 5.1.6) in host
 * byte order, which is its byte order, too. */
struct net_offload {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len; /* a hint that nobody may rely on */
	uint16_t gso_size;
	uint16_t csum_start, csum_offset;
};
enum net_offload_flag {
	NET_NEEDS_CSUM =
	    1, /* the checksum at csum_start + csum_offset covers pseudo header only so far */
	NET_DATA_VALID = 2, /* its checksums have been found right */
};
enum net_gso { NET_GSO_NONE = 0, NET_GSO_TCP4 = 1, NET_GSO_TCP6 = 4, NET_GSO_ECN = 0x80 };

/* What an end takes as it is; the link does the rest in software. */
enum net_takes {
	NET_TAKES_CSUM = 1, /* NET_NEEDS_CSUM */
	NET_TAKES_TSO4 = 2, /* TCP segments of up to 64 KiB */
	NET_TAKES_TSO6 = 4,
	NET_TAKES_ECN = 8, /* NET_GSO_ECN */
};

struct net_end;
struct net_frame;

struct net_end_ops {
	/* A frame comes in: NET_HEADER_LEN..NET_MAX_FRAME bytes in up to NET_MAX_PIECES pieces (1 if `flat`),
	 * without FCS. o is NULL when it leaves nothing to do. Returns false when there is no room: the frame
	 * is kept and comes again after net_flush(). Must not call net_flush() or net_set_link(). */
	bool (*receive)(void *self, const struct iovec *iov, unsigned nr,
			const struct net_offload *o);
	/* Whether receive() would take a frame of usual size; NULL: always. */
	bool (*can_receive)(void *self);
	/* After net_can_send() was false: it no longer is. May be NULL. */
	void (*ready)(void *self);
	/* net_link_up() has changed. May be NULL. */
	void (*link_changed)(void *self);
	bool flat; /* receives frames in one piece */
	bool
	    pad; /* receives no frames shorter than NET_MIN_FRAME: they are filled up with zeroes */
};

/* Sees all frames of a link, as before any segmentation. */
struct net_watch {
	void (*frame)(struct net_watch *w, const struct net_end *from, const struct iovec *iov,
		      unsigned nr, size_t len);
	struct net_watch *next;
};

struct net_end {
	const struct net_end_ops *ops;
	void *self;
	char name[64];
	struct net_end *peer;
	unsigned takes; /* enum net_takes; may change at any time */
	bool link_down; /* by the user (set_link) */

	/* The link's own. */
	struct net_frame *first, **last; /* that wait to be received here */
	unsigned nr_waiting;
	size_t bytes_waiting;
	bool receiving;
	bool refused; /* net_can_send() was false for this end */
	struct net_watch *watches;
	struct net_asking {
		struct timer again;
		uint64_t wait; /* ns until it is asked again; 0: it tells by itself */
	} asking;
	struct net_limit {
		struct rate rate;
		struct timer again; /* when it lets more through */
	} sends, receives;
	uint64_t sent, dropped; /* frames, by this end */
};

/* ops is borrowed; the name, for messages and the monitor, is copied. */
void net_end_init(struct net_end *e, const char *name, const struct net_end_ops *ops, void *self);
/* Unplugs it. What waits there is dropped. */
void net_end_fini(struct net_end *e);
/* 0, or -EBUSY when one is plugged in already. */
int net_plug(struct net_end *a, struct net_end *b);

/* Whether a frame of any size sent now would be received or kept (also true where it would be
 * dropped because nothing is plugged in or the link is down). */
bool net_can_send(struct net_end *e);
/* Sends a frame from e, of any length: what is shorter than an Ethernet header or too long is dropped. The memory
 * may be reused afterwards. o: NULL when nothing is left to do. */
void net_send(struct net_end *e, const struct iovec *iov, unsigned nr, const struct net_offload *o);
static inline void net_send_buf(struct net_end *e, const void *buf, size_t len)
{
	struct iovec iov = {(void *)buf, len};

	net_send(e, &iov, 1, NULL);
}

/* e has room again: frames that wait come in, and then whoever waits to send is told. Not from
 * within receive(). */
void net_flush(struct net_end *e);
/* Frames that wait for e are dropped (a card was reset or its receiver switched off), and whoever waits
 * to send is told. */
void net_purge(struct net_end *e);

/* For cards whose drivers give room without touching a register: while frames wait for e, or a sender does, e
 * is asked again at each frame that comes and from time to time. Once, after net_end_init(). */
void net_ask_again(struct net_end *e, struct clock *clock);

bool net_link_up(const struct net_end *e);
/* The user pulls the plug of this end, or puts it in. */
void net_set_link(struct net_end *e, bool up);

#define NET_MAX_RATE (1ull << 40)
/* Limits a back end in bytes a second, 0 for no limit: what it sends (in, for its guest) and what it receives
 * (out). */
void net_limit(struct net_end *e, uint64_t in, uint64_t out, struct clock *clock);

/* Shows all frames of e's link in both directions to w, until net_unwatch() or net_end_fini(). */
void net_watch(struct net_end *e, struct net_watch *w);
void net_unwatch(struct net_end *e, struct net_watch *w);

/* ---- lists of pieces ---- */

size_t net_len(const struct iovec *iov, unsigned nr);
/* Copies len bytes from byte `off`; how many there were. */
size_t net_copy(void *to, size_t len, const struct iovec *iov, unsigned nr, size_t off);

/* ---- offloads in software (net_offload.c) ---- */

/* Finishes the checksum in a frame. 0, or -EINVAL when o is not about this frame. */
int net_finish_csum(uint8_t *frame, size_t len, const struct net_offload *o);
/* Cuts a frame into segments with checksums, in turn handed to emit(); len bytes in one piece. 0 or
 * -EINVAL when it is not what o says. */
int net_segment(const uint8_t *frame, size_t len, const struct net_offload *o,
		void (*emit)(void *opaque, const uint8_t *frame, size_t len), void *opaque);
/* The ones' complement sum of bytes, not inverted, starting from `sum`: in network byte order when loaded as
 * it lies in memory. `sum` covers an even number of bytes. */
uint32_t net_sum(const void *p, size_t len, uint32_t sum);

/* Ethernet with tags, IP and TCP with all their options. */
#define NET_MAX_HEADERS 256u

/* Where the headers of a frame with TCP are, no fragment of one. */
struct net_tcp {
	size_t ip, tcp, payload;
	bool v6;
};
/* 0, or -EINVAL for any other frame. */
int net_find_tcp(struct net_tcp *h, const uint8_t *frame, size_t len);
/* The sum of the pseudo header of a frame of len bytes, as net_sum(). */
uint32_t net_pseudo_sum(const struct net_tcp *h, const uint8_t *frame, size_t len);
/* Sets the length in the IP header, and its checksum. */
void net_set_ip_len(const struct net_tcp *h, uint8_t *frame, size_t len);

/* ---- cards (net_nic.c) ---- */

/* The properties that all cards have. */
#define NET_PROPS                                                                                  \
	{"netdev", PROP_NETDEV, "the back end", NULL, 0, false},                                   \
	{                                                                                          \
		"mac", PROP_STR, "address (default: 52:54:00:12:34:56 and up)", NULL, 0, false     \
	}

/* Makes the end of a card: address from mac=, or the machine's next one, and plugged into netdev=, if there is
 * one. 0 or -errno with one line in err. */
int net_nic_init(struct net_end *e, const struct device_args *args, const struct net_end_ops *ops,
		 void *self, uint8_t mac[NET_MAC_LEN], char *err, size_t errlen);

/* A PCI card, by the size of its struct and where in it is what all have. */
struct net_nic {
	size_t size, func, state, end, mac;
	const struct net_end_ops *ops;
	/* The rest of it, when its end and its address are there. */
	void (*init)(void *self, const struct device_args *args);
};
#define NET_NIC(type)                                                                              \
	.size = sizeof(struct type), .func = offsetof(struct type, func),                          \
	.state = offsetof(struct type, state), .end = offsetof(struct type, end),                  \
	.mac = offsetof(struct type, mac)

/* create() of such a card's device_type. */
int net_nic_create(void **self, const struct net_nic *nic, const struct device_args *args,
		   char *err, size_t errlen);
/* "52:54:00:12:34:56"; 0 or -EINVAL. */
int net_mac_parse(uint8_t mac[NET_MAC_LEN], const char *s);

static inline bool net_is_multicast(const uint8_t *mac)
{
	return mac[0] & 1;
}
static inline bool net_is_broadcast(const uint8_t *mac)
{
	return (mac[0] & mac[1] & mac[2] & mac[3] & mac[4] & mac[5]) == 0xff;
}

#endif
