/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * virtio over PCI: configuration space, status, interrupts, and the modern registers (virtio 1.2,
 * 4.1). The legacy ones are in virtio_legacy.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hw/virtio/virtio_impl.h"

#define PCI_VENDOR_VIRTIO 0x1af4
#define MODERN_ID         0x1040

enum { BAR_LEGACY = 0, BAR_MSIX = 1, BAR_MODERN = 4, BAR_SHARED = 2, BAR_SHARED_MSIX = 4 };
enum { CAP_COMMON = 1, CAP_NOTIFY, CAP_ISR, CAP_DEVICE, CAP_PCI };
/* In CAP_PCI, by which the BAR is reached from configuration space. */
enum { CAP_BAR = 4, CAP_OFFSET = 8, CAP_LENGTH = 12, CAP_DATA = 16 };
/* The modern BAR: a page for each structure. */
enum {
	AT_COMMON = 0x0000,
	AT_ISR = 0x1000,
	AT_DEVICE = 0x2000,
	AT_NOTIFY = 0x3000,
	MODERN = 0x4000
};
enum { NOTIFY_MULTIPLIER = 4 };
enum { TAKE_ROUNDS = 16 }; /* through a queue at most */
enum { ISR_QUEUE = 1, ISR_CONFIG = 2 };

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

/* ---- interrupts ---- */

static void interrupt(struct virtio_pci *v, uint16_t vector, uint8_t cause)
{
	if (msix_enabled(&v->func)) {
		if (vector != VQ_NO_VECTOR)
			msi_notify(&v->func, vector);
		return;
	}
	v->isr |= cause;
	pci_set_intx(&v->func, 1);
}

void virtio_notify(struct virtio_pci *v, unsigned queue)
{
	struct virtqueue *vq = &v->vq[queue];

	if (v->batch)
		v->told |= 1ull << queue;
	else if (vq_should_notify(vq))
		interrupt(v, vq->vector, ISR_QUEUE);
}

void virtio_batch(struct virtio_pci *v, bool on)
{
	v->batch = on;
	for (; !on && v->told; v->told &= v->told - 1)
		virtio_notify(v, (unsigned)__builtin_ctzll(v->told));
}

static int take_present(struct virtio_pci *v, unsigned queue, const uint16_t *in_flight,
			int (*take)(struct virtio_pci *v, unsigned queue))
{
	struct virtqueue *vq = &v->vq[queue];

	/* A driver that reuses what it does not own yet could keep this going for ever. */
	for (unsigned n = 0; n < TAKE_ROUNDS * v->queue_size; n++) {
		int got;

		if (*in_flight >= vq->size)
			return vq_empty(vq) ? 0 : -EINVAL;
		got = take(v, queue);
		if (got <= 0)
			return got;
	}
	return -EINVAL;
}

int virtio_take_all(struct virtio_pci *v, unsigned queue, const uint16_t *in_flight,
		    int (*take)(struct virtio_pci *v, unsigned queue))
{
	struct virtqueue *vq = &v->vq[queue];

	/* Each round but the first finds something, unless what we write in the ring is also what we read. */
	for (unsigned n = 0; n < vq->size + 3u; n++) {
		int r;

		vq_want_notify(vq, false);
		r = take_present(v, queue, in_flight, take);
		vq_want_notify(vq, true);
		if (r < 0 || vq_empty(vq))
			return r;
	}
	return -EINVAL;
}

void virtio_config_changed(struct virtio_pci *v)
{
	v->generation++;
	if (v->status & VIRTIO_DRIVER_OK)
		interrupt(v, v->config_vector, ISR_CONFIG);
}

void virtio_broken(struct virtio_pci *v)
{
	v->status |= VIRTIO_NEEDS_RESET;
	virtio_config_changed(v);
}

uint8_t virtio_read_isr(struct virtio_pci *v)
{
	uint8_t isr = v->isr;

	v->isr = 0;
	pci_set_intx(&v->func, 0);
	return isr;
}

uint16_t virtio_vector(const struct virtio_pci *v, uint64_t val)
{
	return val < v->msix.nr ? (uint16_t)val : VQ_NO_VECTOR;
}

/* ---- life of a device ---- */

static void reset_queues(struct virtio_pci *v)
{
	for (unsigned i = 0; i < v->nr_queues; i++) {
		v->vq[i].mem = v->func.bus ? v->func.bus->mem : NULL;
		vq_reset(&v->vq[i], v->queue_size);
	}
}

void virtio_set_layout(struct virtio_pci *v)
{
	for (unsigned i = 0; i < v->nr_queues; i++) {
		v->vq[i].packed = virtio_has(v, VIRTIO_F_RING_PACKED);
		v->vq[i].event_idx = virtio_has(v, VIRTIO_F_EVENT_IDX);
	}
}

static void reset(struct virtio_pci *v)
{
	v->type->reset(v);
	v->status = 0;
	v->features = 0;
	v->offered_sel = v->features_sel = 0;
	v->queue_sel = 0;
	v->config_vector = VQ_NO_VECTOR;
	v->isr = 0;
	pci_set_intx(&v->func, 0);
	reset_queues(v);
	virtio_set_layout(v);
}

void virtio_set_status(struct virtio_pci *v, uint8_t status)
{
	uint8_t old = v->status;

	if (!status) {
		reset(v);
		return;
	}
	/* The driver takes nothing back, but FEATURES_OK says no where the device does. */
	v->status = (uint8_t)(status | (old & VIRTIO_NEEDS_RESET));
	if (status & VIRTIO_FEATURES_OK && !(old & VIRTIO_FEATURES_OK)) {
		if (v->features & ~v->offered || !virtio_has(v, VIRTIO_F_VERSION_1))
			v->status &= (uint8_t)~VIRTIO_FEATURES_OK;
		else
			virtio_set_layout(v);
	}
	if (v->status & VIRTIO_DRIVER_OK && !(old & VIRTIO_DRIVER_OK) && v->type->started)
		v->type->started(v);
}

void virtio_kick(struct virtio_pci *v, uint64_t queue)
{
	/* Legacy drivers use their queues before they say DRIVER_OK. */
	bool live = v->status & VIRTIO_DRIVER_OK || !virtio_has(v, VIRTIO_F_VERSION_1);

	if (!live || queue >= v->nr_queues || !v->vq[queue].enabled ||
	    v->status & VIRTIO_NEEDS_RESET || !pci_is_master(&v->func))
		return;
	v->type->kick(v, (unsigned)queue);
}

uint64_t virtio_config_read(const struct virtio_pci *v, uint64_t off, unsigned size)
{
	uint64_t val = 0;

	for (unsigned i = 0; i < size && off + i < v->type->config_len; i++)
		val |= (uint64_t)v->config[off + i] << (8 * i);
	return val;
}

void virtio_config_write(struct virtio_pci *v, uint64_t off, uint64_t val, unsigned size)
{
	uint64_t writable = v->type->config_writable;
	bool written = false;

	for (unsigned i = 0; i < size && off + i < v->type->config_len; i++) {
		if (!(writable >> (off + i) & 1))
			continue;
		v->config[off + i] = (uint8_t)(val >> (8 * i));
		written = true;
	}
	if (written && v->type->config_written)
		v->type->config_written(v);
}

/* ---- modern registers ---- */

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

/* ---- init ---- */

static const struct field fields[] = {
    FIELD(virtio_pci, features, 0),
    FIELD(virtio_pci, offered_sel, 0),
    FIELD(virtio_pci, features_sel, 0),
    FIELD(virtio_pci, config_vector, VQ_NO_VECTOR),
    FIELD(virtio_pci, queue_sel, 0),
    FIELD(virtio_pci, status, 0),
    FIELD(virtio_pci, isr, 0),
    FIELD(virtio_pci, generation, 0),
    FIELD_ARRAY_NORESET(virtio_pci, config),
    FIELD_EACH(virtio_pci, vq, size, 0),
    FIELD_EACH(virtio_pci, vq, vector, VQ_NO_VECTOR),
    FIELD_EACH(virtio_pci, vq, enabled, 0),
    FIELD_EACH(virtio_pci, vq, desc, 0),
    FIELD_EACH(virtio_pci, vq, driver, 0),
    FIELD_EACH(virtio_pci, vq, device, 0),
    FIELD_EACH(virtio_pci, vq, avail, 0),
    FIELD_EACH(virtio_pci, vq, used, 0),
    FIELD_EACH(virtio_pci, vq, avail_wrap, 1),
    FIELD_EACH(virtio_pci, vq, used_wrap, 1),
    FIELD_EACH(virtio_pci, vq, signalled, 0),
    FIELD_EACH(virtio_pci, vq, signalled_valid, 0),
    FIELD_EACH(virtio_pci, vq, signalled_wrap, 1),
    FIELD_EACH(virtio_pci, vq, broken, 0),
    FIELD_END,
};

static void reset_done(void *state)
{
	reset(state);
}

static void loaded(void *state)
{
	struct virtio_pci *v = state;

	virtio_set_layout(v);
	for (unsigned i = 0; i < v->nr_queues; i++)
		v->vq[i].host_desc = NULL;
	if (v->status & VIRTIO_DRIVER_OK && v->type->started)
		v->type->started(v);
}

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

static int add_modern(struct virtio_pci *v)
{
	int r;

	pci_func_bar(&v->func, v->bar, PCI_BAR_MEM64, v->at + MODERN, &modern_ops, v,
		     "virtio-modern");
	if ((r = add_cap(v, CAP_COMMON, AT_COMMON, COMMON_LEN)) < 0 ||
	    (r = add_cap(v, CAP_ISR, AT_ISR, 1)) < 0 ||
	    (r = add_cap(v, CAP_NOTIFY, AT_NOTIFY, NOTIFY_MULTIPLIER * v->nr_queues)) < 0)
		return r;
	if (v->type->config_len && (r = add_cap(v, CAP_DEVICE, AT_DEVICE, v->type->config_len)) < 0)
		return r;
	return add_pci_cap(v);
}

struct virtio_pci_options virtio_layout(const struct device_args *args)
{
	return (struct virtio_pci_options){
	    .features = VIRTIO_F_ANY_LAYOUT | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC |
			(arg_bool(args, "packed") ? VIRTIO_F_RING_PACKED : 0),
	    .no_legacy = arg_bool(args, "disable-legacy"),
	    .no_modern = arg_bool(args, "disable-modern"),
	};
}

unsigned virtio_queues(const struct device_args *args, const char *name, unsigned others)
{
	uint64_t n = arg_num(args, name);

	n = n ? n : args->env->nr_cpus;
	n = n ? n : 1;
	return n < VIRTIO_MAX_QUEUES - others ? (unsigned)n : VIRTIO_MAX_QUEUES - others;
}

int virtio_pci_init(struct virtio_pci *v, const struct virtio_type *type, const char *name,
		    const struct virtio_pci_options *o)
{
	bool legacy = !o->no_legacy && type->legacy_id;
	uint8_t *start = v->func.start;
	int r;

	if ((!legacy && o->no_modern) || !o->nr_queues || o->nr_queues > VIRTIO_MAX_QUEUES ||
	    o->queue_size < 2 || o->queue_size > VQ_MAX_SIZE || o->queue_size & (o->queue_size - 1))
		return -EINVAL;
	v->type = type;
	v->nr_queues = o->nr_queues;
	v->queue_size = o->queue_size;
	v->offered = o->features | VIRTIO_F_VERSION_1;
	v->other = o->other;
	v->other_opaque = o->other_opaque;
	v->at = o->other ? MODERN : 0;
	v->bar = o->other ? BAR_SHARED : BAR_MODERN;
	pci_func_init(&v->func, name, PCI_VENDOR_VIRTIO,
		      legacy ? type->legacy_id : (uint16_t)(MODERN_ID + type->id), type->class_code,
		      1);
	start[PCI_REVISION] = legacy ? 0 : 1;
	pci_set16(start + PCI_SUBSYS_VENDOR, PCI_VENDOR_VIRTIO);
	pci_set16(start + PCI_SUBSYS_DEVICE, legacy ? type->id : 0x1100);
	if (legacy)
		pci_func_bar(&v->func, BAR_LEGACY, PCI_BAR_IO, VIRTIO_LEGACY_SIZE,
			     &virtio_legacy_ops, v, "virtio-legacy");
	if (o->vectors && (r = msix_init(&v->msix, &v->func, o->vectors,
					 o->other ? BAR_SHARED_MSIX : BAR_MSIX)) < 0)
		return r;
	if (!o->no_modern && (r = add_modern(v)) < 0)
		return r;
	device_init(&v->state, v->state_name, fields, v);
	v->state.reset_done = reset_done;
	v->state.loaded = loaded;
	reset_queues(v);
	return 0;
}

int virtio_pci_add(struct virtio_pci *v, const struct device_args *args, char *err, size_t errlen)
{
	int r = device_add_pci(args, &v->func, NULL, err, errlen);

	if (r < 0)
		return r;
	snprintf(v->state_name, sizeof(v->state_name), "%s-virtio", v->func.name);
	device_add(args, &v->state);
	return 0;
}
