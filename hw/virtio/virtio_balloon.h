/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A traditional virtio memory balloon (virtio 1.2, 5.5) on PCI: the guest gives pages back to the host,
 * as many as it is asked to, and tells of free pages by itself (free page reporting).
 */
#ifndef HW_VIRTIO_VIRTIO_BALLOON_H
#define HW_VIRTIO_VIRTIO_BALLOON_H

#include "hw/clock.h"
#include "hw/virtio/virtio_pci.h"

struct virtio_balloon {
	struct virtio_pci v; /* first */
	struct vq_elem e;
	struct timer more; /* for what was too much to do at once */
};

struct virtio_balloon_options {
	bool deflate_on_oom, free_page_reporting;
};

/* 0 or -errno. The caller puts d->v on a bus. */
int virtio_balloon_init(struct virtio_balloon *d, struct clock *clock,
			const struct virtio_balloon_options *o,
			const struct virtio_pci_options *layout);
void virtio_balloon_fini(struct virtio_balloon *d);

/* Asks the guest to give up so many pages of 4 KiB, in all; it does when it can. Machine lock held. */
void virtio_balloon_ask(struct virtio_balloon *d, uint32_t pages);
/* How many it says it has given up. */
uint32_t virtio_balloon_actual(const struct virtio_balloon *d);

extern const struct device_type virtio_balloon_type;

#endif
