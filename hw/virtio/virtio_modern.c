/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The modern registers of virtio over PCI (virtio 1.2, 4.1.4): their BAR, the capabilities that say where each
 * structure is in it, and the way to them by configuration space.
 */
#include <stddef.h>
#include <string.h>

#include "hw/virtio/virtio_impl.h"

enum { CAP_COMMON = 1, CAP_NOTIFY, CAP_ISR, CAP_DEVICE, CAP_PCI };
/* In CAP_PCI, by which the BAR is reached from configuration space. */
enum { CAP_BAR = 4, CAP_OFFSET = 8, CAP_LENGTH = 12, CAP_DATA = 16 };
/* In the BAR. */
enum {
	AT_COMMON = 0x0000,
	AT_ISR = 0x1000,
	AT_DEVICE = 0x2000,
	AT_NOTIFY = 0x3000,
};
enum { NOTIFY_MULTIPLIER = 4 };

enum common {
	OFFERED_SEL = 0,
	OFFERED = 4,
	FEATURES_SEL = 8,
	FEATURES = 12,
	CONFIG_VECTOR = 16,
	NUM_QUEUES = 18,
	STATUS = 20,
	GENERATION = 21,
	QUEUE_SEL = 22,
	QUEUE_SIZE = 24,
	QUEUE_VECTOR = 26,
	QUEUE_ENABLE = 28,
	QUEUE_NOTIFY_OFF = 30,
	QUEUE_DESC = 32,
	QUEUE_DRIVER = 40,
	QUEUE_DEVICE = 48,
	QUEUE_RESET = 58,
	COMMON_LEN = 60,
};

static uint64_t queue_read(struct virtio_pci *v, unsigned reg)
{
	const struct virtqueue *vq;

	if (v->queue_sel >= v->nr_queues)
		return 0;
	vq = &v->vq[v->queue_sel];
	switch (reg) {
	case QUEUE_SIZE:
		return vq->size;
	case QUEUE_VECTOR:
		return vq->vector;
	case QUEUE_ENABLE:
		return vq->enabled;
	case QUEUE_NOTIFY_OFF:
		return v->queue_sel;
	case QUEUE_DESC:
	case QUEUE_DESC + 4:
		return vq->desc >> 8 * (reg - QUEUE_DESC);
	case QUEUE_DRIVER:
	case QUEUE_DRIVER + 4:
		return vq->driver >> 8 * (reg - QUEUE_DRIVER);
	case QUEUE_DEVICE:
	case QUEUE_DEVICE + 4:
		return vq->device >> 8 * (reg - QUEUE_DEVICE);
	}
	return 0;
}

static uint64_t common_read(struct virtio_pci *v, unsigned reg)
{
	switch (reg) {
	case OFFERED_SEL:
		return v->offered_sel;
	case OFFERED:
		return v->offered_sel < 2 ? v->offered >> 32 * v->offered_sel : 0;
	case FEATURES_SEL:
		return v->features_sel;
	case FEATURES:
		return v->features_sel < 2 ? v->features >> 32 * v->features_sel : 0;
	case CONFIG_VECTOR:
		return v->config_vector;
	case NUM_QUEUES:
		return v->nr_queues;
	case STATUS:
		return v->status;
	case GENERATION:
		return v->generation;
	case QUEUE_SEL:
		return v->queue_sel;
	}
	return queue_read(v, reg);
}

/* Half of a 64-bit register, or all of it. */
static void set_part(uint64_t *reg, unsigned shift, uint64_t val, unsigned size)
{
	uint64_t mask = size == 8 ? ~0ull : 0xffffffffull << shift;

	*reg = (*reg & ~mask) | (val << shift & mask);
}

static void enable_queue(struct virtio_pci *v, struct virtqueue *vq)
{
	bool power_of_two = vq->size && !(vq->size & (vq->size - 1));

	if (!vq->enabled && (power_of_two || (vq->packed && vq->size)))
		vq_enable(vq);
	else if (!vq->enabled)
		virtio_broken(v);
}

static void queue_write(struct virtio_pci *v, unsigned reg, uint64_t val, unsigned size)
{
	struct virtqueue *vq;

	if (v->queue_sel >= v->nr_queues)
		return;
	vq = &v->vq[v->queue_sel];
	switch (reg) {
	case QUEUE_VECTOR:
		vq->vector = virtio_vector(v, val);
		return;
	case QUEUE_ENABLE:
		if (val == 1)
			enable_queue(v, vq);
		return;
	case QUEUE_RESET:
		if (val == 1 && virtio_has(v, VIRTIO_F_RING_RESET) && vq->enabled) {
			v->type->queue_reset(v, v->queue_sel);
			vq_reset(vq, v->queue_size);
		}
		return;
	}
	if (vq->enabled)
		return;
	switch (reg) {
	case QUEUE_SIZE:
		if (val <= v->queue_size)
			vq->size = (uint16_t)val;
		break;
	case QUEUE_DESC:
	case QUEUE_DESC + 4:
		set_part(&vq->desc, 8 * (reg - QUEUE_DESC), val, size);
		break;
	case QUEUE_DRIVER:
	case QUEUE_DRIVER + 4:
		set_part(&vq->driver, 8 * (reg - QUEUE_DRIVER), val, size);
		break;
	case QUEUE_DEVICE:
	case QUEUE_DEVICE + 4:
		set_part(&vq->device, 8 * (reg - QUEUE_DEVICE), val, size);
		break;
	}
}

static void common_write(struct virtio_pci *v, unsigned reg, uint64_t val, unsigned size)
{
	switch (reg) {
	case OFFERED_SEL:
		v->offered_sel = (uint32_t)val;
		break;
	case FEATURES_SEL:
		v->features_sel = (uint32_t)val;
		break;
	case FEATURES:
		if (v->features_sel < 2 && !(v->status & VIRTIO_FEATURES_OK))
			set_part(&v->features, 32 * v->features_sel, (uint32_t)val, 4);
		break;
	case CONFIG_VECTOR:
		v->config_vector = virtio_vector(v, val);
		break;
	case STATUS:
		virtio_set_status(v, (uint8_t)val);
		break;
	case QUEUE_SEL:
		v->queue_sel = (uint16_t)val;
		break;
	default:
		queue_write(v, reg, val, size);
	}
}

static uint64_t modern_read(void *dev, uint64_t off, unsigned size)
{
	struct virtio_pci *v = dev;

	if (off < v->at)
		return v->other->read(v->other_opaque, off, size);
	off -= v->at;
	switch (off & ~0xfffull) {
	case AT_COMMON:
		return off < COMMON_LEN ? common_read(v, (unsigned)off) : 0;
	case AT_ISR:
		return off == AT_ISR ? virtio_read_isr(v) : 0;
	case AT_DEVICE:
		return virtio_config_read(v, off - AT_DEVICE, size);
	}
	return 0;
}

static void modern_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct virtio_pci *v = dev;

	if (off < v->at) {
		v->other->write(v->other_opaque, off, val, size);
		return;
	}
	off -= v->at;
	switch (off & ~0xfffull) {
	case AT_COMMON:
		if (off < COMMON_LEN)
			common_write(v, (unsigned)off, val, size);
		break;
	case AT_DEVICE:
		virtio_config_write(v, off - AT_DEVICE, val, size);
		break;
	case AT_NOTIFY:
		virtio_kick(v, (off - AT_NOTIFY) / NOTIFY_MULTIPLIER);
		break;
	}
}

static const struct mmio_ops modern_ops = {modern_read, modern_write, 1, 8};

/* ---- capabilities ---- */

static int add_cap(struct virtio_pci *v, uint8_t type, uint32_t off, uint32_t len)
{
	unsigned size = type == CAP_NOTIFY || type == CAP_PCI ? 20 : 16;
	int cap = pci_func_cap(&v->func, PCI_CAP_VENDOR, size);
	uint8_t *p;

	if (cap < 0)
		return cap;
	p = v->func.start + cap;
	p[2] = (uint8_t)size;
	p[3] = type;
	p[4] = v->bar;
	pci_set32(p + 8, v->at + off);
	pci_set32(p + 12, len);
	if (type == CAP_NOTIFY)
		pci_set32(p + 16, NOTIFY_MULTIPLIER);
	return cap;
}

/* ---- the BAR from configuration space (virtio 1.2, 4.1.4.9) ---- */

static struct virtio_pci *of_func(struct pci_func *f)
{
	return (struct virtio_pci *)((char *)f - offsetof(struct virtio_pci, func));
}

/* Whether an access to configuration space is one of the BAR, and to what in it. */
static bool reaches_bar(const struct virtio_pci *v, unsigned off, unsigned size, uint32_t *at,
			uint32_t *len)
{
	const uint8_t *cap = v->func.config + v->pci_cap;
	unsigned data = v->pci_cap + CAP_DATA;

	*at = pci_get32(cap + CAP_OFFSET);
	*len = pci_get32(cap + CAP_LENGTH);
	return off < data + 4 && off + size > data && cap[CAP_BAR] == v->bar &&
	       (*len == 1 || *len == 2 || *len == 4) && *at < v->func.bar[v->bar].size &&
	       *at % *len == 0;
}

static void config_read(struct pci_func *f, unsigned off, unsigned size)
{
	struct virtio_pci *v = of_func(f);
	uint32_t at, len;

	if (reaches_bar(v, off, size, &at, &len)) {
		uint64_t val = modern_read(v, at, len);

		memcpy(f->config + v->pci_cap + CAP_DATA, &val, len);
	}
}

static void config_written(struct pci_func *f, unsigned off, unsigned size)
{
	struct virtio_pci *v = of_func(f);
	uint32_t at, len;
	uint64_t val = 0;

	/* A reset or a load writes nothing. */
	if (size > 4 || !reaches_bar(v, off, size, &at, &len))
		return;
	memcpy(&val, f->config + v->pci_cap + CAP_DATA, len);
	modern_write(v, at, val, len);
}

static int add_pci_cap(struct virtio_pci *v)
{
	int cap = add_cap(v, CAP_PCI, 0, 0);

	if (cap < 0)
		return cap;
	v->pci_cap = (uint8_t)cap;
	v->func.start[cap + CAP_BAR] = 0;
	v->func.wmask[cap + CAP_BAR] = 0xff;
	memset(v->func.wmask + cap + CAP_OFFSET, 0xff, CAP_DATA + 4 - CAP_OFFSET);
	v->func.config_read = config_read;
	v->func.config_changed = config_written;
	return 0;
}

int virtio_add_modern(struct virtio_pci *v)
{
	int r;

	pci_func_bar(&v->func, v->bar, PCI_BAR_MEM64, v->at + VIRTIO_MODERN_SIZE, &modern_ops, v,
		     "virtio-modern");
	if ((r = add_cap(v, CAP_COMMON, AT_COMMON, COMMON_LEN)) < 0 ||
	    (r = add_cap(v, CAP_ISR, AT_ISR, 1)) < 0 ||
	    (r = add_cap(v, CAP_NOTIFY, AT_NOTIFY, NOTIFY_MULTIPLIER * v->nr_queues)) < 0)
		return r;
	if (v->type->config_len && (r = add_cap(v, CAP_DEVICE, AT_DEVICE, v->type->config_len)) < 0)
		return r;
	return add_pci_cap(v);
}
