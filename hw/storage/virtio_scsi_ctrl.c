/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * virtio-scsi: the control queue and the event queue (virtio 1.2, 5.6.6.2 and 5.6.6.3).
 */
#include <errno.h>

#include "hw/storage/virtio_scsi_impl.h"

enum { CTRL_TMF = 0, CTRL_QUERY = 1, CTRL_SUBSCRIBE = 2, CTRL_TMF_LEN = 24, CTRL_AN_LEN = 16 };
enum {
	TMF_CLEAR_ACA = 2,
	TMF_NEXUS_RESET = 4,
	TMF_LUN_RESET = 5,
	TMF_QUERY_TASK = 6,
	TMF_LAST = 7
};

#define EVENT_MISSED 0x80000000u

/* Requests are not taken back: they come to their ends before the answer. */
static uint8_t manage(struct virtio_scsi *h, const uint8_t *req)
{
	uint32_t what = pci_get32(req + 4);
	struct scsi_dev *unit = virtio_scsi_find(h, req + 8);

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

int virtio_scsi_control(struct virtio_scsi_req *r)
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
	virtio_scsi_keep_req(r);
	return 0;
}

/* ---- the event queue ---- */

void virtio_scsi_event(struct virtio_scsi *h, uint32_t event, unsigned target, uint32_t reason)
{
	struct virtqueue *vq = &h->v.vq[Q_EVENT];
	struct virtio_scsi_req *r;
	uint8_t data[EVENT_LEN] = {0};
	int got;

	if (!(h->v.status & VIRTIO_DRIVER_OK))
		return;
	r = virtio_scsi_take_req(h);
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
	virtio_scsi_keep_req(r);
	if (got < 0)
		virtio_broken(&h->v);
}
