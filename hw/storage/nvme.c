/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Registers of the NVMe controller (NVM Express 1.4, chapter 3), and its life.
 */
#include "hw/storage/nvme.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/storage/nvme_impl.h"

enum { BAR_REGS = 0, BAR_MSIX = 4, REGS_LEN = 0x4000, DOORBELLS = 0x1000 };
enum nvme_reg {
	REG_CAP = 0x00,
	REG_VS = 0x08,
	REG_INTMS = 0x0c,
	REG_INTMC = 0x10,
	REG_CC = 0x14,
	REG_CSTS = 0x1c,
	REG_AQA = 0x24,
	REG_ASQ = 0x28,
	REG_ACQ = 0x30,
};
enum { CC_EN = 1, CSTS_RDY = 1, CSTS_CFS = 2, CSTS_SHST = 0xc, SHST_BUSY = 4, SHST_DONE = 8 };
#define CC_MASK 0x00fffff1u
/* Page sizes to 64 KiB, the NVM command set, 7.5 s to be ready, contiguous queues. */
#define CAP (4ull << 52 | 1ull << 37 | 15ull << 24 | 1ull << 16 | (NVME_MAX_SIZE - 1))

/* ---- enabling, disabling, shutting down ---- */

static bool can_enable(const struct nvme *n)
{
	uint32_t page = n->cc >> 7 & 0xf, command_set = n->cc >> 4 & 7;

	return page <= 4 && command_set == 0 && n->aqa & 0xfff && n->aqa >> 16 & 0xfff &&
	       !((n->asq | n->acq) & (nvme_page(n) - 1));
}

static void enable(struct nvme *n)
{
	if (!can_enable(n)) {
		n->csts |= CSTS_CFS;
		return;
	}
	n->cq[0] = (struct nvme_cq){
	    .base = n->acq,
	    .size = (n->aqa >> 16 & 0xfff) + 1,
	    .phase = true,
	    .irq = true,
	    .valid = true,
	};
	n->sq[0] = (struct nvme_sq){.base = n->asq, .size = (n->aqa & 0xfff) + 1, .valid = true};
	n->csts = CSTS_RDY;
}

static void disable(struct nvme *n)
{
	nvme_drop(n);
	n->csts = 0;
	n->events = n->arbitration = n->power = n->error_recovery = 0;
	n->coalescing = n->atomicity = 0;
	n->temperature = 0x157;
	n->changed = false;
	block_set_write_cache(n->block, n->write_cache);
	nvme_update_intx(n);
}

static void shutdown_done(struct block_req *req, int ret)
{
	struct nvme *n = req->opaque;

	(void)ret;
	if (n->csts & SHST_BUSY)
		n->csts = (n->csts & ~(uint32_t)CSTS_SHST) | SHST_DONE;
}

static void start_shutdown(struct nvme *n)
{
	if (n->csts & CSTS_SHST)
		return;
	n->csts |= SHST_BUSY;
	n->shutdown = (struct block_req){.op = BLOCK_FLUSH, .done = shutdown_done, .opaque = n};
	block_submit(n->block, &n->shutdown);
}

static void cc_write(struct nvme *n, uint32_t val)
{
	uint32_t old = n->cc;

	n->cc = val & CC_MASK;
	if (val & CC_EN && !(old & CC_EN))
		enable(n);
	else if (!(val & CC_EN) && old & CC_EN)
		disable(n);
	if (n->cc >> 14 & 3 && !(old >> 14 & 3))
		start_shutdown(n);
	else if (!(n->cc >> 14 & 3) && n->csts & SHST_DONE)
		n->csts &= ~(uint32_t)CSTS_SHST;
}

/* ---- registers ---- */

static uint64_t reg_read(const struct nvme *n, unsigned reg)
{
	switch (reg) {
	case REG_CAP:
		return CAP;
	case REG_CAP + 4:
		return CAP >> 32;
	case REG_VS:
		return 0x00010400;
	case REG_INTMS:
	case REG_INTMC:
		return n->intms;
	case REG_CC:
		return n->cc;
	case REG_CSTS:
		return n->csts;
	case REG_AQA:
		return n->aqa;
	case REG_ASQ:
		return n->asq;
	case REG_ASQ + 4:
		return n->asq >> 32;
	case REG_ACQ:
		return n->acq;
	case REG_ACQ + 4:
		return n->acq >> 32;
	}
	return 0;
}

static void set_half(uint64_t *reg, unsigned shift, uint64_t val, unsigned size)
{
	uint64_t mask = size == 8 ? ~0ull : 0xffffffffull << shift;

	*reg = ((*reg & ~mask) | (val << shift & mask)) & ~0xfffull;
}

static void reg_write(struct nvme *n, unsigned reg, uint64_t val, unsigned size)
{
	switch (reg) {
	case REG_INTMS:
		n->intms |= (uint32_t)val;
		nvme_update_intx(n);
		break;
	case REG_INTMC:
		n->intms &= ~(uint32_t)val;
		nvme_update_intx(n);
		break;
	case REG_CC:
		cc_write(n, (uint32_t)val);
		break;
	case REG_AQA:
		n->aqa = (uint32_t)val & 0x0fff0fff;
		break;
	case REG_ASQ:
	case REG_ASQ + 4:
		set_half(&n->asq, 8 * (reg - REG_ASQ), val, size);
		break;
	case REG_ACQ:
	case REG_ACQ + 4:
		set_half(&n->acq, 8 * (reg - REG_ACQ), val, size);
		break;
	}
}

static void doorbell(struct nvme *n, unsigned index, uint32_t val)
{
	unsigned q = index / 2;

	if (q > n->pairs || !(n->csts & CSTS_RDY) || !pci_is_master(&n->func))
		return;
	if (index & 1) {
		struct nvme_cq *cq = &n->cq[q];

		if (!cq->valid || val >= cq->size)
			return;
		cq->head = (uint16_t)val;
		nvme_update_intx(n);
		/* Commands may have waited for the room. */
		for (unsigned i = 0; i <= n->pairs; i++)
			if (n->sq[i].valid && n->sq[i].cq == q && n->sq[i].head != n->sq[i].tail)
				nvme_run_sq(n, i);
		if (q == 0)
			nvme_send_events(n);
	} else if (n->sq[q].valid && val < n->sq[q].size) {
		n->sq[q].tail = (uint16_t)val;
		nvme_run_sq(n, q);
	}
}

static uint64_t regs_read(void *dev, uint64_t off, unsigned size)
{
	(void)size;
	return off < DOORBELLS ? reg_read(dev, (unsigned)off & ~3u) : 0;
}

static void regs_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	if (off < DOORBELLS)
		reg_write(dev, (unsigned)off & ~3u, val, size);
	else
		doorbell(dev, (unsigned)(off - DOORBELLS) / 4, (uint32_t)val);
}

static const struct mmio_ops regs_ops = {regs_read, regs_write, 4, 8};

/* ---- life ---- */

static const struct field fields[] = {
    FIELD(nvme, cc, 0),
    FIELD(nvme, csts, 0),
    FIELD(nvme, aqa, 0),
    FIELD(nvme, intms, 0),
    FIELD(nvme, asq, 0),
    FIELD(nvme, acq, 0),
    FIELD(nvme, arbitration, 0),
    FIELD(nvme, power, 0),
    FIELD(nvme, temperature, 0x157),
    FIELD(nvme, error_recovery, 0),
    FIELD(nvme, coalescing, 0),
    FIELD(nvme, atomicity, 0),
    FIELD(nvme, events, 0),
    FIELD(nvme, timestamp, 0),
    FIELD_EACH(nvme, sq, base, 0),
    FIELD_EACH(nvme, sq, size, 0),
    FIELD_EACH(nvme, sq, head, 0),
    FIELD_EACH(nvme, sq, tail, 0),
    FIELD_EACH(nvme, sq, cq, 0),
    FIELD_EACH(nvme, sq, valid, 0),
    FIELD_EACH(nvme, cq, base, 0),
    FIELD_EACH(nvme, cq, size, 0),
    FIELD_EACH(nvme, cq, head, 0),
    FIELD_EACH(nvme, cq, tail, 0),
    FIELD_EACH(nvme, cq, vector, 0),
    FIELD_EACH(nvme, cq, phase, 0),
    FIELD_EACH(nvme, cq, irq, 0),
    FIELD_EACH(nvme, cq, valid, 0),
    FIELD_ARRAY(nvme, aer, 0),
    FIELD(nvme, nr_aers, 0),
    FIELD(nvme, changed, 0),
    FIELD_END,
};

static void reset_done(void *state)
{
	disable(state);
}

static void tame(void *state)
{
	struct nvme *n = state;

	for (unsigned i = 0; i < NVME_QUEUES; i++) {
		struct nvme_sq *sq = &n->sq[i];
		struct nvme_cq *cq = &n->cq[i];

		cq->reserved = 0;
		cq->valid &= cq->size > 1 && cq->head < cq->size && cq->tail < cq->size;
		sq->valid &= sq->size > 1 && sq->head < sq->size && sq->tail < sq->size &&
			     sq->cq < NVME_QUEUES;
	}
	for (unsigned i = 0; i < NVME_QUEUES; i++)
		n->sq[i].valid = n->sq[i].valid && n->cq[n->sq[i].cq].valid;
	if (n->nr_aers > NVME_AERS)
		n->nr_aers = 0;
}

static void loaded(void *state)
{
	struct nvme *n = state;

	nvme_update_intx(n);
	nvme_run(n);
}

static void size_changed(void *opaque)
{
	struct nvme *n = opaque;

	n->changed = true;
	nvme_send_events(n);
}

static const struct block_user user = {.changed = size_changed};

int nvme_init(struct nvme *n, struct block *block, const struct nvme_options *o)
{
	struct pci_func *f = &n->func;
	uint32_t len = o->logical_block ? o->logical_block : 512;
	int r;

	memset(n, 0, sizeof(*n));
	if (len < 512 || len > 4096 || len & (len - 1) || o->pairs > NVME_MAX_PAIRS)
		return -EINVAL;
	r = block_attach(block, &user, n);
	if (r < 0)
		return r;
	n->block = block;
	n->block_len = len;
	n->pairs = (uint16_t)(o->pairs ? o->pairs : NVME_MAX_PAIRS);
	n->write_cache = block_write_cache(block);
	snprintf(n->serial, sizeof(n->serial), "%s", o->serial ? o->serial : "");
	snprintf(n->model, sizeof(n->model), "%s", o->model ? o->model : "QEMU NVMe Ctrl");
	pci_func_init(f, "nvme", 0x1b36, 0x0010, 0x0108, 1);
	f->start[PCI_PROG_IF] = 2;
	f->start[PCI_REVISION] = 2;
	pci_set16(f->start + PCI_SUBSYS_VENDOR, 0x1af4);
	pci_set16(f->start + PCI_SUBSYS_DEVICE, 0x1100);
	pci_func_bar(f, BAR_REGS, PCI_BAR_MEM64, REGS_LEN, &regs_ops, n, "nvme");
	r = msix_init(&n->msix, f, n->pairs + 1u, BAR_MSIX);
	if (r < 0) {
		block_attach(block, NULL, NULL);
		return r;
	}
	device_init(&n->state, f->state_name, fields, n);
	n->state.reset_done = reset_done;
	n->state.tame = tame;
	n->state.loaded = loaded;
	return 0;
}

void nvme_fini(struct nvme *n)
{
	nvme_drop(n);
	block_attach(n->block, NULL, NULL);
	while (n->free) {
		struct nvme_req *r = n->free;

		n->free = r->next;
		dma_sg_fini(&r->sg);
		free(r);
	}
}

/* ---- -device nvme ---- */

static const struct prop props[] = {
    {"drive", PROP_DRIVE, "the disk", NULL, 0, true},
    {"serial", PROP_STR, "serial number, up to 20 characters", NULL, 0, true},
    STORAGE_PROPS,
    {"max_ioqpairs", PROP_NUM, "pairs of I/O queues", "64", NVME_MAX_PAIRS, false},
    {"logical_block_size", PROP_SIZE, "bytes of a block", "512", 4096, false},
    {0},
};

static void destroy(void *self)
{
	nvme_fini(self);
	free(self);
}

static int create(void **self, const struct device_args *args, char *err, size_t errlen)
{
	struct nvme_options o = {
	    .serial = arg_str(args, "serial"),
	    .pairs = (unsigned)arg_num(args, "max_ioqpairs"),
	    .logical_block = (uint32_t)arg_num(args, "logical_block_size"),
	};
	struct block *block = arg_backend(args, "drive");
	int r = storage_set_up(args, block, err, errlen);
	struct nvme *n;

	if (r < 0)
		return r;
	n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	r = nvme_init(n, block, &o);
	if (r < 0) {
		storage_error(args, block, r, err, errlen);
		free(n);
		return r;
	}
	r = device_add_pci(args, &n->func, &n->state, err, errlen);
	if (r < 0) {
		destroy(n);
		return r;
	}
	*self = n;
	return 0;
}

const struct device_type nvme_type = {
    .name = "nvme",
    .bus = "PCI",
    .boot_name = "pci1b36,10",
    .boot_unit = "/namespace@1,0",
    .desc = "NVMe controller with one namespace",
    .props = props,
    .create = create,
    .destroy = destroy,
    .unplug = pci_unplug,
};
