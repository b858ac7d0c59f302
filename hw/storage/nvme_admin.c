/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Admin commands (NVM Express 1.4, chapter 5): queues and features.
 */
#include <string.h>

#include "hw/storage/nvme_impl.h"

enum {
	ADM_DELETE_SQ = 0x00,
	ADM_CREATE_SQ = 0x01,
	ADM_GET_LOG = 0x02,
	ADM_DELETE_CQ = 0x04,
	ADM_CREATE_CQ = 0x05,
	ADM_IDENTIFY = 0x06,
	ADM_ABORT = 0x08,
	ADM_SET_FEATURES = 0x09,
	ADM_GET_FEATURES = 0x0a,
};

enum {
	FEAT_ARBITRATION = 0x01,
	FEAT_POWER = 0x02,
	FEAT_TEMPERATURE = 0x04,
	FEAT_ERROR_RECOVERY = 0x05,
	FEAT_WRITE_CACHE = 0x06,
	FEAT_QUEUES = 0x07,
	FEAT_COALESCING = 0x08,
	FEAT_VECTOR = 0x09,
	FEAT_ATOMICITY = 0x0a,
	FEAT_EVENTS = 0x0b,
	FEAT_TIMESTAMP = 0x0e,
};

enum { CONTIGUOUS = 1, CQ_INTERRUPT = 2 };

/* ---- queues ---- */

/* Size and address, the same for both kinds. */
static enum nvme_status check_queue(const struct nvme_req *r, unsigned qid)
{
	uint32_t size = r->cmd.cdw10 >> 16;

	if (!qid || qid > r->n->pairs)
		return NVME_BAD_QID;
	if (!size || size >= NVME_MAX_SIZE)
		return NVME_BAD_QUEUE_SIZE;
	if (!(r->cmd.cdw11 & CONTIGUOUS))
		return NVME_INVALID_FIELD;
	return r->cmd.prp1 & (nvme_page(r->n) - 1) ? NVME_BAD_PRP_OFFSET : NVME_OK;
}

static enum nvme_status create_cq(struct nvme_req *r)
{
	struct nvme *n = r->n;
	unsigned qid = r->cmd.cdw10 & 0xffff, vector = r->cmd.cdw11 >> 16;
	enum nvme_status s = check_queue(r, qid);

	if (s != NVME_OK)
		return s;
	if (n->cq[qid].valid)
		return NVME_BAD_QID;
	if (msix_enabled(&n->func) ? vector >= n->msix.nr : vector)
		return NVME_BAD_VECTOR;
	n->cq[qid] = (struct nvme_cq){
	    .base = r->cmd.prp1,
	    .size = (r->cmd.cdw10 >> 16) + 1,
	    .vector = (uint16_t)vector,
	    .phase = true,
	    .irq = r->cmd.cdw11 & CQ_INTERRUPT,
	    .valid = true,
	};
	return NVME_OK;
}

static enum nvme_status create_sq(struct nvme_req *r)
{
	struct nvme *n = r->n;
	unsigned qid = r->cmd.cdw10 & 0xffff, cqid = r->cmd.cdw11 >> 16;
	enum nvme_status s = check_queue(r, qid);

	if (s != NVME_OK)
		return s;
	if (n->sq[qid].valid)
		return NVME_BAD_QID;
	if (!cqid || cqid > n->pairs || !n->cq[cqid].valid)
		return NVME_BAD_CQ;
	n->sq[qid] = (struct nvme_sq){
	    .base = r->cmd.prp1,
	    .size = (r->cmd.cdw10 >> 16) + 1,
	    .cq = (uint16_t)cqid,
	    .valid = true,
	};
	return NVME_OK;
}

static enum nvme_status delete_sq(struct nvme_req *r)
{
	struct nvme *n = r->n;
	unsigned qid = r->cmd.cdw10 & 0xffff;

	if (!qid || qid > n->pairs || !n->sq[qid].valid)
		return NVME_BAD_QID;
	n->sq[qid].valid = false;
	/* Its commands come to their ends before it goes. */
	block_drain(n->block);
	return NVME_OK;
}

static enum nvme_status delete_cq(struct nvme_req *r)
{
	struct nvme *n = r->n;
	unsigned qid = r->cmd.cdw10 & 0xffff;

	if (!qid || qid > n->pairs || !n->cq[qid].valid)
		return NVME_BAD_QID;
	for (unsigned i = 1; i <= n->pairs; i++)
		if (n->sq[i].valid && n->sq[i].cq == qid)
			return NVME_BAD_DELETION;
	n->cq[qid].valid = false;
	nvme_update_intx(n);
	return NVME_OK;
}

/* ---- features ---- */

/* The register behind a feature that is a plain value, or NULL. */
static uint32_t *plain(struct nvme *n, uint8_t id)
{
	switch (id) {
	case FEAT_ARBITRATION:
		return &n->arbitration;
	case FEAT_POWER:
		return &n->power;
	case FEAT_ERROR_RECOVERY:
		return &n->error_recovery;
	case FEAT_COALESCING:
		return &n->coalescing;
	case FEAT_ATOMICITY:
		return &n->atomicity;
	case FEAT_EVENTS:
		return &n->events;
	}
	return NULL;
}

static uint32_t queues(const struct nvme *n)
{
	return (n->pairs - 1u) << 16 | (n->pairs - 1u);
}

static enum nvme_status get_features(struct nvme_req *r)
{
	struct nvme *n = r->n;
	uint8_t id = (uint8_t)r->cmd.cdw10, select = r->cmd.cdw10 >> 8 & 7;
	const uint32_t *reg = plain(n, id);

	if (select == 3) { /* what can be done with it: changed */
		r->result = id == FEAT_QUEUES || id == FEAT_VECTOR ? 0 : 4;
		return NVME_OK;
	}
	switch (id) {
	case FEAT_TEMPERATURE:
		r->result = r->cmd.cdw11 >> 16 ? 0 : select ? 0x157 : n->temperature;
		return NVME_OK;
	case FEAT_WRITE_CACHE:
		r->result = select ? n->write_cache : block_write_cache(n->block);
		return NVME_OK;
	case FEAT_QUEUES:
		r->result = queues(n);
		return NVME_OK;
	case FEAT_VECTOR:
		if ((r->cmd.cdw11 & 0xffff) > n->pairs)
			return NVME_INVALID_FIELD;
		r->result = r->cmd.cdw11 & 0xffff;
		return NVME_OK;
	case FEAT_TIMESTAMP:
		return nvme_to_host(r, &n->timestamp, sizeof(n->timestamp));
	}
	if (!reg)
		return NVME_INVALID_FIELD;
	r->result = select ? 0 : *reg;
	return NVME_OK;
}

static enum nvme_status set_features(struct nvme_req *r)
{
	struct nvme *n = r->n;
	uint8_t id = (uint8_t)r->cmd.cdw10;
	uint32_t *reg = plain(n, id);

	if (r->cmd.cdw10 >> 31)
		return NVME_NOT_SAVEABLE;
	switch (id) {
	case FEAT_TEMPERATURE:
		if (r->cmd.cdw11 >> 16 == 0)
			n->temperature = r->cmd.cdw11;
		return NVME_OK;
	case FEAT_WRITE_CACHE:
		block_set_write_cache(n->block, r->cmd.cdw11 & 1);
		return NVME_OK;
	case FEAT_QUEUES:
		if ((r->cmd.cdw11 & 0xffff) == 0xffff || r->cmd.cdw11 >> 16 == 0xffff)
			return NVME_INVALID_FIELD;
		r->result = queues(n);
		return NVME_OK;
	case FEAT_VECTOR:
		return NVME_OK;
	case FEAT_POWER:
		if (r->cmd.cdw11 & 0x1f)
			return NVME_INVALID_FIELD;
		break;
	case FEAT_TIMESTAMP:
		return nvme_from_host(r, &n->timestamp, sizeof(n->timestamp));
	}
	if (!reg)
		return NVME_INVALID_FIELD;
	*reg = r->cmd.cdw11;
	if (id == FEAT_EVENTS)
		nvme_send_events(n);
	return NVME_OK;
}

enum nvme_status nvme_admin(struct nvme_req *r)
{
	switch (r->cmd.opcode) {
	case ADM_DELETE_SQ:
		return delete_sq(r);
	case ADM_CREATE_SQ:
		return create_sq(r);
	case ADM_GET_LOG:
		return nvme_get_log(r);
	case ADM_DELETE_CQ:
		return delete_cq(r);
	case ADM_CREATE_CQ:
		return create_cq(r);
	case ADM_IDENTIFY:
		return nvme_identify(r);
	case ADM_ABORT:
		r->result = 1; /* not aborted: it will end by itself */
		return NVME_OK;
	case ADM_SET_FEATURES:
		return set_features(r);
	case ADM_GET_FEATURES:
		return get_features(r);
	}
	return NVME_INVALID_OPCODE;
}
