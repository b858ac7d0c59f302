/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Submission and completion queues (NVM Express 1.4, chapter 4 and 7.2), and interrupts.
 *
 * A command is taken only when its completion queue has room for all that is under way, so that no
 * completion ever has to wait; the host's next head doorbell lets the rest go on.
 */
#include <stdlib.h>
#include <string.h>

#include "hw/storage/nvme_impl.h"

#define MAX_IN_FLIGHT 4096u
#define MAX_SG        2048u

enum { CSTS_CFS = 2 };
enum { EVENT_NOTICE = 2, NOTICE_NS_CHANGED = 0, LOG_CHANGED_NS = 4 };
enum { EVENTS_NS_CHANGED = 1 << 8 };

static struct nvme_req *take_req(struct nvme *n)
{
	struct nvme_req *r = n->free;

	if (r) {
		n->free = r->next;
		return r;
	}
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->n = n;
	dma_sg_init(&r->sg, MAX_SG);
	return r;
}

/* ---- completions ---- */

static uint16_t pending(const struct nvme_cq *cq)
{
	return (uint16_t)((cq->tail + cq->size - cq->head) % cq->size);
}

void nvme_update_intx(struct nvme *n)
{
	bool level = false;

	if (msix_enabled(&n->func))
		return;
	for (unsigned i = 0; i <= n->pairs; i++) {
		const struct nvme_cq *cq = &n->cq[i];

		level |= cq->valid && cq->irq && pending(cq) && cq->vector < 32 &&
			 !(n->intms >> cq->vector & 1);
	}
	pci_set_intx(&n->func, level);
}

static void interrupt(struct nvme *n, unsigned q)
{
	const struct nvme_cq *cq = &n->cq[q];

	if (!cq->irq)
		return;
	if (msix_enabled(&n->func))
		msi_notify(&n->func, cq->vector);
	else
		nvme_update_intx(n);
}

/* An entry for the host; there is room. */
static void post(struct nvme *n, unsigned q, uint16_t sq, uint16_t cid, uint16_t status,
		 uint32_t result)
{
	struct nvme_cq *cq = &n->cq[q];
	uint64_t at = cq->base + (uint64_t)cq->tail * NVME_CQE;
	uint16_t phase = (uint16_t)(status << 1 | cq->phase);
	struct {
		uint32_t result, reserved;
		uint16_t sq_head, sq, cid;
	} entry = {result, 0, n->sq[sq].head, sq, cid};

	/* The phase tells the host that the rest is there, so it comes last. */
	if (pci_dma_write(&n->func, at, &entry, 14) < 0 ||
	    pci_dma_write(&n->func, at + 14, &phase, 2) < 0) {
		n->csts |= CSTS_CFS;
		return;
	}
	if (++cq->tail == cq->size) {
		cq->tail = 0;
		cq->phase = !cq->phase;
	}
	if (n->batch)
		n->told[q] = true;
	else
		interrupt(n, q);
}

static void end(struct nvme_req *r)
{
	struct nvme *n = r->n;

	n->in_flight--;
	free(r->ranges);
	r->ranges = NULL;
	r->next = n->free;
	n->free = r;
}

/* Queues that waited for requests of any queue to end. Admin commands never wait for that: they may
 * themselves wait for requests, which may not happen when one has just ended. */
static void go_on(struct nvme *n)
{
	while (n->throttled && n->in_flight < MAX_IN_FLIGHT / 2) {
		n->throttled = false;
		for (unsigned i = 1; i <= n->pairs; i++)
			if (n->sq[i].valid && n->sq[i].head != n->sq[i].tail)
				nvme_run_sq(n, i);
	}
}

void nvme_complete(struct nvme_req *r, enum nvme_status status)
{
	struct nvme *n = r->n;

	if (!n->dropping && n->cq[r->cq].valid) {
		n->cq[r->cq].reserved--;
		post(n, r->cq, r->sq, r->cmd.cid, (uint16_t)status, r->result);
	}
	end(r);
	if (!n->batch && !n->dropping)
		go_on(n);
}

/* ---- asynchronous events ---- */

static bool has_room(const struct nvme_cq *cq)
{
	return pending(cq) + cq->reserved < cq->size - 1;
}

void nvme_send_events(struct nvme *n)
{
	if (!n->changed || !n->nr_aers || !(n->events & EVENTS_NS_CHANGED) || !n->cq[0].valid ||
	    !has_room(&n->cq[0]))
		return;
	n->changed = false;
	n->nr_aers--;
	post(n, 0, 0, n->aer[n->nr_aers], NVME_OK,
	     EVENT_NOTICE | NOTICE_NS_CHANGED << 8 | LOG_CHANGED_NS << 16);
}

static enum nvme_status keep_aer(struct nvme_req *r)
{
	struct nvme *n = r->n;

	if (n->nr_aers == NVME_AERS)
		return NVME_AER_LIMIT;
	n->aer[n->nr_aers++] = r->cmd.cid;
	/* It stays with the controller without taking part in the queues. */
	n->cq[0].reserved--;
	end(r);
	return NVME_LATER;
}

/* ---- submissions ---- */

static void start(struct nvme_req *r)
{
	enum nvme_status s;

	/* Fused operations do not exist here. */
	if (r->cmd.flags & 3)
		s = NVME_INVALID_FIELD;
	else if (r->sq)
		s = nvme_io(r);
	else if (r->cmd.opcode == 0x0c)
		s = keep_aer(r);
	else
		s = nvme_admin(r);
	if (s != NVME_LATER)
		nvme_complete(r, s);
}

/* Takes one command. False when there is none that can be taken now. */
static bool take(struct nvme *n, unsigned q)
{
	struct nvme_sq *sq = &n->sq[q];
	struct nvme_req *r;

	if (!sq->valid || sq->head == sq->tail || !has_room(&n->cq[sq->cq]) || n->csts & CSTS_CFS)
		return false;
	if (q && n->in_flight >= MAX_IN_FLIGHT) {
		n->throttled = true;
		return false;
	}
	r = take_req(n);
	if (!r)
		return false;
	n->in_flight++;
	n->cq[sq->cq].reserved++;
	r->sq = (uint16_t)q;
	r->cq = sq->cq;
	r->result = 0;
	if (pci_dma_read(&n->func, sq->base + (uint64_t)sq->head * NVME_SQE, &r->cmd, NVME_SQE) <
	    0) {
		n->csts |= CSTS_CFS;
		n->cq[sq->cq].reserved--;
		end(r);
		return false;
	}
	if (++sq->head == sq->size)
		sq->head = 0;
	start(r);
	return true;
}

static void finish_batch(struct nvme *n)
{
	n->batch = false;
	for (unsigned i = 0; i <= n->pairs; i++) {
		if (!n->told[i])
			continue;
		n->told[i] = false;
		if (n->cq[i].valid)
			interrupt(n, i);
	}
}

void nvme_run_sq(struct nvme *n, unsigned q)
{
	if (n->batch)
		return;
	n->batch = true;
	block_plug(n->block);
	/* A queue's worth at most: the host's other processors may go on adding. */
	for (unsigned i = 0; i < NVME_MAX_SIZE && take(n, q); i++)
		;
	block_unplug(n->block);
	finish_batch(n);
	go_on(n);
}

void nvme_run(struct nvme *n)
{
	for (unsigned i = 0; i <= n->pairs; i++)
		if (n->sq[i].valid && n->sq[i].head != n->sq[i].tail)
			nvme_run_sq(n, i);
	nvme_send_events(n);
}

void nvme_drop(struct nvme *n)
{
	n->dropping = true;
	block_drain(n->block);
	n->dropping = false;
	n->nr_aers = 0;
	for (unsigned i = 0; i < NVME_QUEUES; i++) {
		n->sq[i].valid = n->cq[i].valid = false;
		n->cq[i].reserved = 0;
	}
}
