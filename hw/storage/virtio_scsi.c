/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * virtio-scsi: the device, its queues and its logical units.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/storage/storage.h"
#include "hw/storage/virtio_scsi_impl.h"

#define F_HOTPLUG (1ull << 1)
#define F_CHANGE  (1ull << 2)

enum { QUEUE_SIZE = 256, SENSE_SIZE = 96, CDB_SIZE = 32 };

static struct virtio_scsi *of(struct virtio_pci *v)
{
	return (struct virtio_scsi *)v;
}

static void drop(struct virtio_scsi *h, int queue)
{
	h->dropping = true;
	h->dropped_queue = queue;
	for (unsigned i = 0; i < VIRTIO_SCSI_TARGETS; i++)
		if (h->target[i].unit)
			block_drain(h->target[i].unit->block);
	h->dropping = false;
}

static void medium_changed(void *opaque)
{
	struct virtio_scsi_target *t = opaque;

	scsi_medium_changed(t->unit);
	if (!t->unit->cd && virtio_has(&t->host->v, F_CHANGE))
		virtio_scsi_event(t->host, EVENT_PARAM_CHANGE, t->n,
				  ASC_CAPACITY_CHANGED >> 8 | (ASC_CAPACITY_CHANGED & 0xff) << 8);
}

static void eject_request(void *opaque)
{
	struct virtio_scsi_target *t = opaque;

	scsi_eject_request(t->unit);
}

static const struct block_user user = {.changed = medium_changed, .eject_request = eject_request};

/* ---- queues ---- */

static int take(struct virtio_pci *v, unsigned queue)
{
	struct virtio_scsi *h = of(v);
	struct virtio_scsi_req *r = virtio_scsi_take_req(h);
	int got;

	if (!r)
		return -ENOMEM;
	got = vq_pop(&v->vq[queue], &r->e);
	r->queue = queue;
	if (got > 0 && (queue == Q_CONTROL ? virtio_scsi_control(r) : virtio_scsi_start(r)) < 0)
		got = -EINVAL;
	if (got <= 0)
		virtio_scsi_keep_req(r);
	return got;
}

static void plug(struct virtio_scsi *h, bool on)
{
	for (unsigned i = 0; i < VIRTIO_SCSI_TARGETS; i++) {
		struct scsi_dev *unit = h->target[i].unit;

		if (unit && on)
			block_plug(unit->block);
		else if (unit)
			block_unplug(unit->block);
	}
}

static void kick(struct virtio_pci *v, unsigned queue)
{
	struct virtio_scsi *h = of(v);
	int r;

	if (queue == Q_EVENT) {
		if (h->missed)
			virtio_scsi_event(h, EVENT_NONE, 0, 0);
		return;
	}
	plug(h, true);
	virtio_batch(v, true);
	r = virtio_take_all(v, queue, &h->in_flight[queue], take);
	plug(h, false);
	virtio_batch(v, false);
	if (r < 0)
		virtio_broken(v);
}

/* ---- life ---- */

static void reset(struct virtio_pci *v)
{
	struct virtio_scsi *h = of(v);

	drop(h, -1);
	h->missed = false;
	pci_set32(v->config + C_SENSE_SIZE, SENSE_SIZE);
	pci_set32(v->config + C_CDB_SIZE, CDB_SIZE);
}

static void queue_reset(struct virtio_pci *v, unsigned queue)
{
	drop(of(v), (int)queue);
}

static void config_written(struct virtio_pci *v)
{
	struct virtio_scsi *h = of(v);

	if (virtio_scsi_config(h, C_SENSE_SIZE) > MAX_PART)
		pci_set32(v->config + C_SENSE_SIZE, SENSE_SIZE);
	if (virtio_scsi_config(h, C_CDB_SIZE) > MAX_PART)
		pci_set32(v->config + C_CDB_SIZE, CDB_SIZE);
}

static void started(struct virtio_pci *v)
{
	config_written(v);
}

static const struct virtio_type type = {
    .id = 8,
    .legacy_id = 0x1004,
    .class_code = 0x0100,
    .config_len = C_LEN,
    .config_writable = 0xffull << C_SENSE_SIZE,
    .kick = kick,
    .config_written = config_written,
    .started = started,
    .reset = reset,
    .queue_reset = queue_reset,
};

int virtio_scsi_attach(struct virtio_scsi *h, unsigned target, struct block *block,
		       const struct drive_options *o)
{
	struct scsi_options so = {
	    .cd = o->cd,
	    .vendor = o->vendor,
	    .product = o->model,
	    .revision = o->version,
	    .serial = o->serial,
	    .block_len = o->logical_block,
	    .rotation_rate = o->rotation_rate,
	};
	struct virtio_scsi_target *t;
	struct scsi_dev *unit;
	char name[64];
	int r;

	if (target >= VIRTIO_SCSI_TARGETS || o->logical_block & (o->logical_block - 1) ||
	    (o->logical_block && (o->logical_block < 512 || o->logical_block > 4096)))
		return -EINVAL;
	if (!o->cd && !block_present(block))
		return -ENOMEDIUM;
	t = &h->target[target];
	if (t->unit)
		return -EBUSY;
	unit = calloc(1, sizeof(*unit));
	if (!unit)
		return -ENOMEM;
	r = block_attach(block, &user, t);
	if (r < 0) {
		free(unit);
		return r;
	}
	snprintf(name, sizeof(name), "%.48s-target%u", h->v.func.name, target);
	scsi_init(unit, name, block, &so);
	t->unit = unit;
	return 0;
}

static int attach(struct drive_bus *bus, unsigned unit, struct block *block,
		  const struct drive_options *o, const struct device_args *args)
{
	struct virtio_scsi *h = bus->controller;
	int r = virtio_scsi_attach(h, unit, block, o);

	if (r == 0)
		device_add(args, &h->target[unit].unit->dev);
	return r;
}

static void path(const struct drive_bus *bus, unsigned unit, char *out, size_t len)
{
	const struct virtio_scsi *h = bus->controller;
	char at[64];

	pci_path(&h->v.func, "scsi", at, sizeof(at));
	snprintf(out, len, "%s/channel@0/disk@%x,0", at, unit);
}

int virtio_scsi_init(struct virtio_scsi *h, const struct virtio_scsi_options *o, const char *id,
		     struct drive_bus **drives)
{
	unsigned queues = o->num_queues ? o->num_queues : 1;
	struct virtio_pci_options po = {
	    .nr_queues = Q_REQUESTS + queues,
	    .queue_size = (uint16_t)(o->queue_size ? o->queue_size : QUEUE_SIZE),
	    .vectors = (uint16_t)(Q_REQUESTS + queues + 1),
	    .features = F_HOTPLUG | F_CHANGE | VIRTIO_F_ANY_LAYOUT | VIRTIO_F_EVENT_IDX |
			VIRTIO_F_INDIRECT_DESC | VIRTIO_F_RING_RESET |
			(o->packed ? VIRTIO_F_RING_PACKED : 0),
	    .no_legacy = o->no_legacy,
	    .no_modern = o->no_modern,
	};
	uint8_t *c = h->v.config;

	memset(h, 0, sizeof(*h));
	if (queues > VIRTIO_SCSI_QUEUES || o->queue_size > VQ_MAX_SIZE)
		return -EINVAL;
	for (unsigned i = 0; i < VIRTIO_SCSI_TARGETS; i++)
		h->target[i] = (struct virtio_scsi_target){.host = h, .n = i};
	pci_set32(c + C_NUM_QUEUES, queues);
	pci_set32(c + C_SEG_MAX, po.queue_size - 2u);
	pci_set32(c + C_MAX_SECTORS, 0xffff);
	pci_set32(c + C_CMD_PER_LUN, 128);
	pci_set32(c + C_EVENT_SIZE, EVENT_LEN);
	pci_set32(c + C_SENSE_SIZE, SENSE_SIZE);
	pci_set32(c + C_CDB_SIZE, CDB_SIZE);
	pci_set16(c + C_MAX_TARGET, VIRTIO_SCSI_TARGETS - 1);
	h->bus.kind = DRIVE_SCSI;
	h->bus.units = VIRTIO_SCSI_TARGETS;
	h->bus.controller = h;
	h->bus.attach = attach;
	h->bus.path = path;
	drive_bus_name(drives, &h->bus, id, "scsi", 0);
	drive_bus_add(drives, &h->bus);
	return virtio_pci_init(&h->v, &type, "virtio-scsi-pci", &po);
}

static void free_req(void *req)
{
	dma_sg_fini(&((struct virtio_scsi_req *)req)->resp);
}

void virtio_scsi_fini(struct virtio_scsi *h)
{
	drop(h, -1);
	for (unsigned i = 0; i < VIRTIO_SCSI_TARGETS; i++) {
		if (!h->target[i].unit)
			continue;
		block_attach(h->target[i].unit->block, NULL, NULL);
		free(h->target[i].unit);
		h->target[i].unit = NULL;
	}
	vq_pool_fini(&h->reqs, free_req);
}

static const struct prop props[] = {
    {"num_queues", PROP_NUM, "request queues; 0: one for each vCPU", "0", VIRTIO_SCSI_QUEUES,
     false},
    {"virtqueue_size", PROP_NUM, "entries of a queue, a power of two", "256", VQ_MAX_SIZE, false},
    VIRTIO_LAYOUT_PROPS,
    {0},
};

static void destroy(void *self)
{
	virtio_scsi_fini(self);
	free(self);
}

static int create(void **self, const struct device_args *args, char *err, size_t errlen)
{
	struct virtio_scsi_options o = {
	    .num_queues = virtio_queues(args, "num_queues", Q_REQUESTS),
	    .queue_size = (unsigned)arg_num(args, "virtqueue_size"),
	    .packed = arg_bool(args, "packed"),
	    .no_legacy = arg_bool(args, "disable-legacy"),
	    .no_modern = arg_bool(args, "disable-modern"),
	};
	struct virtio_scsi *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return -ENOMEM;
	r = virtio_scsi_init(h, &o, args->spec->id, args->env->drives);
	if (r < 0)
		storage_error(args, NULL, r, err, errlen);
	else
		r = virtio_pci_add(&h->v, args, err, errlen);
	if (r < 0) {
		/* Its bus is on the board's list: no machine comes of this. */
		destroy(h);
		return r;
	}
	*self = h;
	return 0;
}

const struct device_type virtio_scsi_type = {
    .name = "virtio-scsi-pci",
    .bus = "PCI",
    .desc = "virtio SCSI host, for scsi-hd and scsi-cd",
    .props = props,
    .create = create,
    .destroy = destroy,
};
