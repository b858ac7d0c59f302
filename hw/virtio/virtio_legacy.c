/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The legacy register layout of virtio over PCI (virtio 1.2, 4.1.4.10 and 2.7.2): I/O ports, 32 bits
 * of features, and a queue as one block of pages.
 */
#include "hw/virtio/virtio_impl.h"

#define QUEUE_ALIGN 4096u

enum {
	OFFERED = 0,
	FEATURES = 4,
	QUEUE_PFN = 8,
	QUEUE_SIZE = 12,
	QUEUE_SEL = 14,
	QUEUE_NOTIFY = 16,
	STATUS = 18,
	ISR = 19,
	CONFIG_VECTOR = 20, /* these two only while MSI-X is enabled */
	QUEUE_VECTOR = 22,
	CONFIG = 20,
	CONFIG_MSIX = 24,
};

/* Where the device's configuration space starts now. */
static unsigned config_at(const struct virtio_pci *v)
{
	return msix_enabled(&v->func) ? CONFIG_MSIX : CONFIG;
}

static uint64_t legacy_read(void *dev, uint64_t off, unsigned size)
{
	struct virtio_pci *v = dev;
	unsigned config = config_at(v);
	const struct virtqueue *vq = v->queue_sel < v->nr_queues ? &v->vq[v->queue_sel] : NULL;

	if (off >= config)
		return virtio_config_read(v, off - config, size);
	switch (off) {
	case OFFERED:
		return (uint32_t)v->offered;
	case FEATURES:
		return (uint32_t)v->features;
	case QUEUE_PFN:
		return vq && vq->enabled ? vq->desc / QUEUE_ALIGN : 0;
	case QUEUE_SIZE:
		return vq ? vq->size : 0;
	case QUEUE_SEL:
		return v->queue_sel;
	case STATUS:
		return v->status;
	case ISR:
		return virtio_read_isr(v);
	case CONFIG_VECTOR:
		return v->config_vector;
	case QUEUE_VECTOR:
		return vq ? vq->vector : VQ_NO_VECTOR;
	}
	return 0;
}

static void set_pfn(struct virtio_pci *v, struct virtqueue *vq, uint32_t pfn)
{
	uint64_t end;

	if (!pfn) {
		/* Legacy drivers take their memory back this way without waiting. */
		virtio_set_status(v, 0);
		return;
	}
	vq->desc = (uint64_t)pfn * QUEUE_ALIGN;
	vq->driver = vq->desc + 16ull * vq->size;
	end = vq->driver + 2 * (3ull + vq->size);
	vq->device = (end + QUEUE_ALIGN - 1) & ~(uint64_t)(QUEUE_ALIGN - 1);
	vq_enable(vq);
}

static void legacy_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct virtio_pci *v = dev;
	unsigned config = config_at(v);
	struct virtqueue *vq = v->queue_sel < v->nr_queues ? &v->vq[v->queue_sel] : NULL;

	if (off >= config) {
		virtio_config_write(v, off - config, val, size);
		return;
	}
	switch (off) {
	case FEATURES:
		v->features = (uint32_t)val & v->offered;
		virtio_set_layout(v);
		break;
	case QUEUE_PFN:
		if (vq)
			set_pfn(v, vq, (uint32_t)val);
		break;
	case QUEUE_SEL:
		v->queue_sel = (uint16_t)val;
		break;
	case QUEUE_NOTIFY:
		virtio_kick(v, val);
		break;
	case STATUS:
		/* FEATURES_OK is not in this layout's vocabulary. */
		virtio_set_status(v, (uint8_t)(val & ~(uint64_t)VIRTIO_FEATURES_OK));
		break;
	case CONFIG_VECTOR:
		v->config_vector = virtio_vector(v, val);
		break;
	case QUEUE_VECTOR:
		if (vq)
			vq->vector = virtio_vector(v, val);
		break;
	}
}

const struct mmio_ops virtio_legacy_ops = {legacy_read, legacy_write, 1, 4};
