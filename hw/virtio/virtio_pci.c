/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * virtio over PCI (virtio 1.2, 4.1): a device's status, interrupts and state. The modern registers are in
 * virtio_modern.c, the legacy ones in virtio_legacy.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hw/virtio/virtio_impl.h"

#define PCI_VENDOR_VIRTIO 0x1af4
#define MODERN_ID         0x1040

enum { BAR_LEGACY = 0, BAR_MSIX = 1, BAR_MODERN = 4, BAR_SHARED = 2, BAR_SHARED_MSIX = 4 };
enum { TAKE_ROUNDS = 16 }; /* through a queue at most */
enum { ISR_QUEUE = 1, ISR_CONFIG = 2 };

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
	v->at = o->other ? VIRTIO_MODERN_SIZE : 0;
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
	if (!o->no_modern && (r = virtio_add_modern(v)) < 0)
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
