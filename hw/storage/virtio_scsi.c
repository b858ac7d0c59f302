/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * virtio-scsi: requests from the queues to the logical units; the control and event queues.
 */
#include "hw/storage/virtio_scsi.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/storage/storage.h"

#define F_HOTPLUG (1ull << 1)
#define F_CHANGE  (1ull << 2)

enum { Q_CONTROL = 0, Q_EVENT = 1, Q_REQUESTS = 2 };
enum { QUEUE_SIZE = 256 };

/* Offsets in the configuration space. */
enum {
	C_NUM_QUEUES = 0,
	C_SEG_MAX = 4,
	C_MAX_SECTORS = 8,
	C_CMD_PER_LUN = 12,
	C_EVENT_SIZE = 16,
	C_SENSE_SIZE = 20,
	C_CDB_SIZE = 24,
	C_MAX_CHANNEL = 28,
	C_MAX_TARGET = 30,
	C_MAX_LUN = 32,
	C_LEN = 36,
};

enum { SENSE_SIZE = 96, CDB_SIZE = 32, MAX_PART = 256 };
enum { REQ_LUN = 0, REQ_CDB = 19, RESP_LEN = 12, RESP_SENSE = 12 };
enum { R_OK = 0, R_OVERRUN = 1, R_BAD_TARGET = 3, R_FAILURE = 9, R_REJECTED = 11 };

enum { CTRL_TMF = 0, CTRL_QUERY = 1, CTRL_SUBSCRIBE = 2, CTRL_TMF_LEN = 24, CTRL_AN_LEN = 16 };
enum {
	TMF_CLEAR_ACA = 2,
	TMF_NEXUS_RESET = 4,
	TMF_LUN_RESET = 5,
	TMF_QUERY_TASK = 6,
	TMF_LAST = 7
};

enum { EVENT_LEN = 16, EVENT_NONE = 0, EVENT_PARAM_CHANGE = 3 };
#define EVENT_MISSED 0x80000000u

struct virtio_scsi_req {
	struct vq_elem e;   /* first */
	struct dma_sg resp; /* head of e.in */
	struct scsi_cmd c;
	struct virtio_scsi *h;
	unsigned queue;
	uint64_t data_in; /* bytes that the driver has room for */
	uint64_t moved;   /* bytes of data that success moves */
};

static struct virtio_scsi *of(struct virtio_pci *v)
{
	return (struct virtio_scsi *)v;
}

static uint32_t config(const struct virtio_scsi *h, unsigned off)
{
	return pci_get32(h->v.config + off);
}

static struct virtio_scsi_req *take_req(struct virtio_scsi *h)
{
	struct virtio_scsi_req *r = vq_pool_take(&h->reqs, sizeof(*r));

	if (!r)
		return NULL;
	if (!r->h)
		dma_sg_init(&r->resp, VQ_MAX_SEGS);
	r->h = h;
	dma_sg_clear(&r->resp);
	return r;
}

static void keep_req(struct virtio_scsi_req *r)
{
	vq_pool_give(&r->h->reqs, r);
}

/* ---- requests ---- */

static bool is_dropped(const struct virtio_scsi_req *r)
{
	const struct virtio_scsi *h = r->h;

	return h->dropping && (h->dropped_queue < 0 || h->dropped_queue == (int)r->queue);
}

static void respond(struct virtio_scsi_req *r, uint8_t response)
{
	struct virtio_scsi *h = r->h;
	uint8_t resp[RESP_LEN + SCSI_SENSE_LEN] = {0};
	uint64_t total = r->data_in + r->e.out.len, moved = r->moved;
	bool check = response == R_OK && r->c.status == SCSI_CHECK_CONDITION;
	uint64_t written;

	h->in_flight[r->queue]--;
	if (is_dropped(r)) {
		keep_req(r);
		return;
	}
	if (response != R_OK || check)
		moved = 0;
	if (check) {
		scsi_sense_data(r->c.key, r->c.asc, resp + RESP_SENSE);
		pci_set32(resp, SCSI_SENSE_LEN);
	}
	pci_set32(resp + 4, (uint32_t)(total - moved));
	resp[10] = response == R_OK ? (uint8_t)r->c.status : 0;
	resp[11] = response;
	dma_sg_write(&r->resp, 0, resp, sizeof(resp));
	written = r->resp.len + (r->data_in ? moved : 0);
	vq_push(&h->v.vq[r->queue], &r->e, (uint32_t)written);
	virtio_notify(&h->v, r->queue);
	keep_req(r);
}

static void cmd_done(struct scsi_cmd *c)
{
	struct virtio_scsi_req *r = c->opaque;

	if (c->op == BLOCK_READ)
		dma_sg_written(&r->e.in, 0, r->moved);
	respond(r, R_OK);
}

static void move(struct virtio_scsi_req *r, struct dma_sg *sg)
{
	if (sg->len < r->c.len) {
		respond(r, R_OVERRUN);
		return;
	}
	r->moved = r->c.len;
	dma_sg_trim(sg, r->c.len);
	scsi_io(&r->c, 0, sg->iov, sg->nr, sg->len);
}

/* What the command needs next. */
static void step(struct virtio_scsi_req *r)
{
	struct scsi_cmd *c = &r->c;

	switch (c->action) {
	case SCSI_DONE:
		respond(r, R_OK);
		break;
	case SCSI_REPLY:
		r->moved = dma_sg_write(&r->e.in, 0, c->buf, c->len);
		respond(r, R_OK);
		break;
	case SCSI_PARAM:
		c->len = dma_sg_read(&r->e.out, 0, c->buf, c->len);
		r->moved = c->len;
		scsi_param(c->d, c);
		if (c->action == SCSI_OTHER_IO)
			scsi_io(c, 0, NULL, 0, 0);
		else
			respond(r, R_OK);
		break;
	case SCSI_READ:
		move(r, &r->e.in);
		break;
	case SCSI_WRITE:
		move(r, &r->e.out);
		break;
	case SCSI_OTHER_IO:
		scsi_io(c, 0, NULL, 0, 0);
		break;
	}
}

/* The unit that an address names: logical unit 0 of a target. */
static struct scsi_dev *find(const struct virtio_scsi *h, const uint8_t lun[8])
{
	if (lun[0] != 1 || lun[1] >= VIRTIO_SCSI_TARGETS || (lun[2] & 0x3f) || lun[3])
		return NULL;
	return h->target[lun[1]].unit;
}

/* 0, or -EINVAL for a chain that is no request. */
static int start(struct virtio_scsi_req *r)
{
	struct virtio_scsi *h = r->h;
	uint32_t cdb_size = config(h, C_CDB_SIZE), sense_size = config(h, C_SENSE_SIZE);
	uint8_t header[REQ_CDB + MAX_PART];
	struct scsi_dev *unit;

	if (r->e.out.len < REQ_CDB + cdb_size || r->e.in.len < RESP_LEN + sense_size ||
	    dma_sg_split(&r->resp, &r->e.in, RESP_LEN + sense_size) < 0)
		return -EINVAL;
	dma_sg_read(&r->e.out, 0, header, REQ_CDB + cdb_size);
	dma_sg_skip(&r->e.out, REQ_CDB + cdb_size);
	r->data_in = r->e.in.len;
	r->moved = 0;
	h->in_flight[r->queue]++;
	unit = find(h, header + REQ_LUN);
	if (!unit) {
		respond(r, R_BAD_TARGET);
		return 0;
	}
	memset(r->c.cdb, 0, sizeof(r->c.cdb));
	memcpy(r->c.cdb, header + REQ_CDB, cdb_size < SCSI_CDB_LEN ? cdb_size : SCSI_CDB_LEN);
	r->c.done = cmd_done;
	r->c.opaque = r;
	scsi_start(unit, &r->c);
	step(r);
	return 0;
}

/* ---- the control queue ---- */

static void drop(struct virtio_scsi *h, int queue)
{
	h->dropping = true;
	h->dropped_queue = queue;
	for (unsigned i = 0; i < VIRTIO_SCSI_TARGETS; i++)
		if (h->target[i].unit)
			block_drain(h->target[i].unit->block);
	h->dropping = false;
}

/* Requests are not taken back: they come to their ends before the answer. */
static uint8_t manage(struct virtio_scsi *h, const uint8_t *req)
{
	uint32_t what = pci_get32(req + 4);
	struct scsi_dev *unit = find(h, req + 8);

	if (!unit)
		return R_BAD_TARGET;
	if (what > TMF_LAST || what == TMF_CLEAR_ACA)
		return R_REJECTED;
	if (what >= TMF_QUERY_TASK)
		return R_OK; /* there is none such */
	block_drain(unit->block);
	if (what == TMF_LUN_RESET || what == TMF_NEXUS_RESET)
		device_reset(&unit->dev);
	return R_OK;
}

/* 0, or -EINVAL for a chain that is no request. */
static int control(struct virtio_scsi_req *r)
{
	struct virtio_scsi *h = r->h;
	uint8_t req[CTRL_TMF_LEN] = {0}, resp[5] = {0};
	size_t n = dma_sg_read(&r->e.out, 0, req, sizeof(req)), len;

	switch (n < 4 ? ~0u : pci_get32(req)) {
	case CTRL_TMF:
		if (n < CTRL_TMF_LEN)
			return -EINVAL;
		resp[0] = manage(h, req);
		len = 1;
		break;
	case CTRL_QUERY:
	case CTRL_SUBSCRIBE:
		if (n < CTRL_AN_LEN)
			return -EINVAL;
		len = 5; /* no asynchronous notifications */
		break;
	default:
		return -EINVAL;
	}
	if (r->e.in.len < len)
		return -EINVAL;
	dma_sg_write(&r->e.in, 0, resp, len);
	vq_push(&h->v.vq[Q_CONTROL], &r->e, (uint32_t)len);
	virtio_notify(&h->v, Q_CONTROL);
	keep_req(r);
	return 0;
}

/* ---- the event queue ---- */

static void send_event(struct virtio_scsi *h, uint32_t event, unsigned target, uint32_t reason)
{
	struct virtqueue *vq = &h->v.vq[Q_EVENT];
	struct virtio_scsi_req *r;
	uint8_t data[EVENT_LEN] = {0};
	int got;

	if (!(h->v.status & VIRTIO_DRIVER_OK))
		return;
	r = take_req(h);
	if (!r)
		return;
	got = vq_pop(vq, &r->e);
	if (got > 0) {
		pci_set32(data, event | (h->missed ? EVENT_MISSED : 0));
		if (event) {
			data[4] = 1;
			data[5] = (uint8_t)target;
			data[6] = 0x40;
		}
		pci_set32(data + 12, reason);
		h->missed = false;
		vq_push(vq, &r->e, (uint32_t)dma_sg_write(&r->e.in, 0, data, EVENT_LEN));
		virtio_notify(&h->v, Q_EVENT);
	} else {
		h->missed = true;
	}
	keep_req(r);
	if (got < 0)
		virtio_broken(&h->v);
}

static void medium_changed(void *opaque)
{
	struct virtio_scsi_target *t = opaque;

	scsi_medium_changed(t->unit);
	if (!t->unit->cd && virtio_has(&t->host->v, F_CHANGE))
		send_event(t->host, EVENT_PARAM_CHANGE, t->n,
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
	struct virtio_scsi_req *r = take_req(h);
	int got;

	if (!r)
		return -ENOMEM;
	got = vq_pop(&v->vq[queue], &r->e);
	r->queue = queue;
	if (got > 0 && (queue == Q_CONTROL ? control(r) : start(r)) < 0)
		got = -EINVAL;
	if (got <= 0)
		keep_req(r);
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
			send_event(h, EVENT_NONE, 0, 0);
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

	if (config(h, C_SENSE_SIZE) > MAX_PART)
		pci_set32(v->config + C_SENSE_SIZE, SENSE_SIZE);
	if (config(h, C_CDB_SIZE) > MAX_PART)
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
