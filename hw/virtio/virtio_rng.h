/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A virtio entropy device (virtio 1.2, 5.4) on PCI: random bytes of the host's getrandom(2).
 */
#ifndef HW_VIRTIO_VIRTIO_RNG_H
#define HW_VIRTIO_VIRTIO_RNG_H

#include "hw/clock.h"
#include "hw/virtio/virtio_pci.h"

struct virtio_rng {
	struct virtio_pci v; /* first */
	struct vq_elem e;
	struct timer more;             /* for requests that have to wait */
	uint64_t max_bytes, period_ns; /* so many in each */
	uint64_t left, period_end;     /* of this period */
};

/* max_bytes: given in each period of period_ms (both at least 1). 0 or -errno. The caller puts d->v on a bus. */
int virtio_rng_init(struct virtio_rng *d, struct clock *clock, uint64_t max_bytes,
		    uint32_t period_ms, const struct virtio_pci_options *layout);
void virtio_rng_fini(struct virtio_rng *d);

extern const struct device_type virtio_rng_type;

#endif
