/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * virtio-scsi: requests, from a queue to a logical unit and back (virtio 1.2, 5.6.6.1).
 */
#include <errno.h>
#include <string.h>

#include "hw/storage/virtio_scsi_impl.h"

enum { REQ_LUN = 0, REQ_CDB = 19, RESP_LEN = 12, RESP_SENSE = 12 };

struct virtio_scsi_req *virtio_scsi_take_req(struct virtio_scsi *h)
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

void virtio_scsi_keep_req(struct virtio_scsi_req *r)
{
	vq_pool_give(&r->h->reqs, r);
}

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
		virtio_scsi_keep_req(r);
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
	virtio_scsi_keep_req(r);
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

struct scsi_dev *virtio_scsi_find(const struct virtio_scsi *h, const uint8_t lun[8])
{
	if (lun[0] != 1 || lun[1] >= VIRTIO_SCSI_TARGETS || (lun[2] & 0x3f) || lun[3])
		return NULL;
	return h->target[lun[1]].unit;
}

int virtio_scsi_start(struct virtio_scsi_req *r)
{
	struct virtio_scsi *h = r->h;
	uint32_t cdb_size = virtio_scsi_config(h, C_CDB_SIZE),
		 sense_size = virtio_scsi_config(h, C_SENSE_SIZE);
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
	unit = virtio_scsi_find(h, header + REQ_LUN);
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
