/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Commands of an AHCI port (AHCI 1.3.1, chapters 4 and 5): from the command list to the drive, with data
 * straight between the block layer and the pieces of memory that the command's table names.
 */
#include <errno.h>
#include <string.h>

#include "hw/storage/ahci_impl.h"

enum { HEADER_LEN = 32, FIS_LEN = 64, TABLE_ACMD = 0x40, TABLE_PRDT = 0x80, PRD_LEN = 16 };
enum { HEADER_ATAPI = 1 << 5, HEADER_CLEAR_BUSY = 1 << 10 };
enum { FIS_H2D = 0x27, FIS_COMMAND = 0x80, CONTROL_SRST = 0x04 };
enum { PRD_BATCH = 32 };

/* ---- the end of commands ---- */

static void set_transferred(struct ahci_slot *s, uint64_t bytes)
{
	uint32_t n = (uint32_t)bytes;

	pci_dma_write(&s->port->hba->func, s->header + 4, &n, sizeof(n));
}

/* The drive has set status and error. */
static void end_slot(struct ahci_slot *s)
{
	struct ahci_port *p = s->port;
	bool error = p->drive.r.status & ATA_ERR;

	s->busy = false;
	p->running &= ~(1u << s->n);
	if (s->plan.ncq) {
		if (error)
			p->halted = true;
		ahci_send_sdb(p, error ? 0 : 1u << s->n);
	} else {
		/* The slot of a command that failed stays, for the driver to see. */
		if (error)
			p->halted = true;
		else
			p->ci &= ~(1u << s->n);
		ahci_send_d2h(p, true);
	}
}

static void end_and_go_on(struct ahci_slot *s)
{
	end_slot(s);
	ahci_issue(s->port);
}

static void move_done(struct block_req *req, int ret)
{
	struct ahci_slot *s = req->opaque;
	struct ahci_port *p = s->port;

	if (req->op == BLOCK_READ)
		dma_sg_written(&s->sg, 0, s->sg.len);
	if (p->dropping) {
		s->busy = false;
		return;
	}
	ata_end(&p->drive, ret);
	if (ret < 0 && s->plan.ncq)
		ata_queued_error(&p->drive, s->plan.tag, s->plan.offset / ATA_SECTOR);
	if (ret == 0 && req->op != BLOCK_FLUSH && !s->plan.ncq)
		set_transferred(s, req->len);
	if (!s->plan.dma && req->op != BLOCK_FLUSH)
		ahci_send_pio_setup(p, req->len, req->op == BLOCK_READ);
	end_and_go_on(s);
}

/* ---- data ---- */

/* Makes s->sg: len bytes of the memory in the command's table. 0 or -errno. */
static int walk_table(struct ahci_slot *s, uint64_t len, bool to_guest)
{
	struct pci_func *f = &s->port->hba->func;
	uint32_t prd[PRD_BATCH][4];

	dma_sg_clear(&s->sg);
	for (unsigned i = 0; i < s->prds && s->sg.len < len; i++) {
		unsigned n = i % PRD_BATCH;
		uint64_t bytes, left = len - s->sg.len;
		int r;

		if (n == 0) {
			unsigned count = s->prds - i < PRD_BATCH ? s->prds - i : PRD_BATCH;

			r = pci_dma_read(f, s->table + TABLE_PRDT + (uint64_t)i * PRD_LEN, prd,
					 (size_t)count * PRD_LEN);
			if (r < 0)
				return r;
		}
		bytes = (prd[n][3] & 0x3fffff) + 1ull;
		r = pci_dma_sg(f, &s->sg, (uint64_t)prd[n][1] << 32 | (prd[n][0] & ~1u),
			       bytes < left ? bytes : left, to_guest);
		if (r < 0)
			return r;
	}
	return s->sg.len == len ? 0 : -EMSGSIZE;
}

static void submit(struct ahci_slot *s, enum block_op op, uint64_t offset, uint64_t len,
		   void (*done)(struct block_req *, int))
{
	bool data = op == BLOCK_READ || op == BLOCK_WRITE;

	s->req.op = op;
	s->req.flags = s->plan.flags;
	s->req.offset = offset;
	s->req.len = len;
	s->req.iov = data ? s->sg.iov : NULL;
	s->req.nr_iov = data ? s->sg.nr : 0;
	s->req.done = done;
	s->req.opaque = s;
	s->busy = true;
	s->port->running |= 1u << s->n;
	block_submit(s->port->drive.block, &s->req);
}

/* The memory that a command names is not there, or not enough: it fails. */
static void bus_error(struct ahci_slot *s, int err)
{
	struct ahci_port *p = s->port;

	ata_abort(&p->drive);
	ahci_interrupt(p, err == -EFAULT || err == -EACCES ? IS_HBFS : 0);
	end_slot(s);
}

static void move(struct ahci_slot *s)
{
	const struct ata_plan *plan = &s->plan;
	bool write = plan->kind == ATA_WRITE;
	int r = walk_table(s, plan->len, !write);

	if (r < 0)
		bus_error(s, r);
	else
		submit(s, write ? BLOCK_WRITE : BLOCK_READ, plan->offset, plan->len, move_done);
}

static void reply(struct ahci_slot *s)
{
	struct ahci_port *p = s->port;
	int r = walk_table(s, ATA_SECTOR, true);

	if (r < 0) {
		bus_error(s, r);
		return;
	}
	dma_sg_write(&s->sg, 0, p->drive.data, ATA_SECTOR);
	set_transferred(s, ATA_SECTOR);
	ahci_send_pio_setup(p, ATA_SECTOR, true);
	end_slot(s);
}

/* ---- DATA SET MANAGEMENT ---- */

static void trim_done(struct block_req *req, int ret);

static void trim_next(struct ahci_slot *s, bool issue)
{
	struct ahci_port *p = s->port;
	uint64_t offset, len;
	int r =
	    ata_trim_next(&p->drive, p->trim, (uint32_t)s->plan.len, &p->trim_at, &offset, &len);

	if (r > 0) {
		submit(s, BLOCK_DISCARD, offset, len, trim_done);
		return;
	}
	ata_end(&p->drive, r);
	end_slot(s);
	if (issue)
		ahci_issue(p);
}

static void trim_done(struct block_req *req, int ret)
{
	struct ahci_slot *s = req->opaque;

	if (s->port->dropping) {
		s->busy = false;
	} else if (ret < 0) {
		ata_end(&s->port->drive, ret);
		end_and_go_on(s);
	} else {
		trim_next(s, true);
	}
}

static void trim(struct ahci_slot *s)
{
	int r = walk_table(s, s->plan.len, false);

	if (r < 0) {
		bus_error(s, r);
		return;
	}
	dma_sg_read(&s->sg, 0, s->port->trim, s->plan.len);
	s->port->trim_at = 0;
	trim_next(s, false);
}

/* ---- ATAPI ---- */

static void end_packet(struct ahci_slot *s)
{
	struct ahci_port *p = s->port;

	atapi_end(&p->drive, &p->packet);
	end_slot(s);
}

static void packet_done(struct scsi_cmd *c)
{
	struct ahci_slot *s = c->opaque;
	struct ahci_port *p = s->port;

	if (c->op == BLOCK_READ)
		dma_sg_written(&s->sg, 0, s->sg.len);
	if (p->dropping) {
		s->busy = false;
		return;
	}
	if (c->status == SCSI_GOOD && c->op == BLOCK_READ)
		set_transferred(s, s->sg.len);
	if (!s->plan.dma)
		ahci_send_pio_setup(p, s->sg.len, true);
	end_packet(s);
	ahci_issue(p);
}

static void packet_io(struct ahci_slot *s, uint64_t len)
{
	struct scsi_cmd *c = &s->port->packet;

	c->done = packet_done;
	c->opaque = s;
	s->busy = true;
	s->port->running |= 1u << s->n;
	scsi_io(c, 0, len ? s->sg.iov : NULL, len ? s->sg.nr : 0, len);
}

/* What the packet's command needs next. A driver may give less memory than there is to reply. */
static void packet_step(struct ahci_slot *s)
{
	struct ahci_port *p = s->port;
	struct scsi_cmd *c = &p->packet;
	int r = 0;

	dma_sg_clear(&s->sg);
	switch (c->action) {
	case SCSI_DONE:
		set_transferred(s, 0);
		end_packet(s);
		return;
	case SCSI_OTHER_IO:
		packet_io(s, 0);
		return;
	case SCSI_REPLY:
		r = walk_table(s, c->len, true);
		if (r < 0 && r != -EMSGSIZE)
			break;
		set_transferred(s, dma_sg_write(&s->sg, 0, c->buf, c->len));
		if (!s->plan.dma)
			ahci_send_pio_setup(p, s->sg.len, true);
		end_packet(s);
		return;
	case SCSI_PARAM:
		r = walk_table(s, c->len, false);
		if (r < 0)
			break;
		dma_sg_read(&s->sg, 0, c->buf, c->len);
		scsi_param(&p->drive.scsi, c);
		if (c->action == SCSI_OTHER_IO)
			packet_io(s, 0);
		else
			end_packet(s);
		return;
	case SCSI_READ:
		r = walk_table(s, c->len, true);
		if (r < 0)
			break;
		packet_io(s, c->len);
		return;
	case SCSI_WRITE: /* no drive of this kind writes */
		r = -EINVAL;
		break;
	}
	bus_error(s, r);
}

static void packet(struct ahci_slot *s)
{
	struct ahci_port *p = s->port;
	struct scsi_cmd *c = &p->packet;
	int r;

	memset(c->cdb, 0, sizeof(c->cdb));
	r = pci_dma_read(&p->hba->func, s->table + TABLE_ACMD, c->cdb, ATA_PACKET_LEN);
	if (r < 0) {
		bus_error(s, r);
		return;
	}
	scsi_start(&p->drive.scsi, c);
	packet_step(s);
}

/* ---- the start of commands ---- */

static void load_regs(struct ata_regs *r, const uint8_t *fis)
{
	r->command = fis[2];
	r->feature = fis[3];
	r->lba_low = fis[4];
	r->lba_mid = fis[5];
	r->lba_high = fis[6];
	r->device = fis[7];
	r->hob_lba_low = fis[8];
	r->hob_lba_mid = fis[9];
	r->hob_lba_high = fis[10];
	r->hob_feature = fis[11];
	r->count = fis[12];
	r->hob_count = fis[13];
}

static void start_command(struct ahci_slot *s, const uint8_t *fis)
{
	struct ahci_port *p = s->port;

	load_regs(&p->drive.r, fis);
	ata_start(&p->drive, &s->plan);
	if (s->plan.ncq && s->plan.kind != ATA_END) {
		if (s->plan.tag != s->n) {
			ata_abort(&p->drive);
			end_slot(s);
			return;
		}
		/* Accepted: the slot is free for the next command once SActive says so too. */
		p->ci &= ~(1u << s->n);
		p->queued = true;
		move(s);
		return;
	}
	p->queued = false;
	p->tfd |= ATA_BSY;
	switch (s->plan.kind) {
	case ATA_END:
		end_slot(s);
		break;
	case ATA_REPLY:
		reply(s);
		break;
	case ATA_READ:
	case ATA_WRITE:
		move(s);
		break;
	case ATA_FLUSH:
		submit(s, BLOCK_FLUSH, 0, 0, move_done);
		break;
	case ATA_TRIM:
		trim(s);
		break;
	case ATA_PACKET:
		packet(s);
		break;
	}
}

/* A register FIS without a command sets the device control register: software reset. */
static void set_control(struct ahci_slot *s, uint8_t control, bool clear_busy)
{
	struct ahci_port *p = s->port;

	p->ci &= ~(1u << s->n);
	if (control & CONTROL_SRST) {
		p->soft_reset = true;
		if (!clear_busy)
			p->tfd |= ATA_BSY;
	} else if (p->soft_reset) {
		p->soft_reset = false;
		ata_reset(&p->drive);
		ahci_send_d2h(p, true);
	}
}

static void start_slot(struct ahci_slot *s)
{
	struct ahci_port *p = s->port;
	struct pci_func *f = &p->hba->func;
	uint32_t header[4];
	uint8_t fis[FIS_LEN];
	int r;

	s->plan = (struct ata_plan){0};
	s->header = ((uint64_t)p->clbu << 32 | p->clb) + (uint64_t)s->n * HEADER_LEN;
	r = pci_dma_read(f, s->header, header, sizeof(header));
	if (r == 0) {
		s->prds = (uint16_t)(header[0] >> 16);
		s->table = (uint64_t)header[3] << 32 | (header[2] & ~0x7fu);
		r = pci_dma_read(f, s->table, fis, sizeof(fis));
	}
	if (r < 0) {
		p->halted = true;
		ahci_interrupt(p, IS_HBFS);
		return;
	}
	p->cmd = (p->cmd & ~CMD_CCS) | (uint32_t)s->n << 8;
	if (fis[0] != FIS_H2D) {
		p->halted = true;
		ahci_interrupt(p, IS_IFS);
	} else if (fis[1] & FIS_COMMAND) {
		start_command(s, fis);
	} else {
		set_control(s, fis[15], header[0] & HEADER_CLEAR_BUSY);
	}
}

/* Whether the next slot may start beside what is running: queued commands beside their like. */
static bool may_start(const struct ahci_port *p, unsigned slot)
{
	bool queued = p->sact >> slot & 1;

	return !p->running || (p->queued && queued);
}

void ahci_issue(struct ahci_port *p)
{
	uint32_t left = p->ci;

	if (!p->drive.block)
		return;
	block_plug(p->drive.block);
	while (left && !p->halted && p->cmd & CMD_ST && pci_is_master(&p->hba->func)) {
		unsigned n = (unsigned)__builtin_ctz(left);

		left &= left - 1;
		if (!(p->ci >> n & 1) || p->slot[n].busy)
			continue;
		if (!may_start(p, n))
			break;
		start_slot(&p->slot[n]);
	}
	block_unplug(p->drive.block);
}

void ahci_drop(struct ahci_port *p)
{
	p->dropping = true;
	if (p->drive.block)
		block_drain(p->drive.block);
	p->dropping = false;
	p->running = 0;
	for (unsigned i = 0; i < AHCI_SLOTS; i++)
		p->slot[i].busy = false;
}

void ahci_port_reset(struct ahci_port *p)
{
	ahci_drop(p);
	p->ci = p->sact = 0;
	p->halted = p->told = p->soft_reset = false;
	if (!p->drive.block) {
		p->ssts = 0;
		p->tfd = 0x7f;
		p->sig = 0xffffffff;
		return;
	}
	ata_reset(&p->drive);
	p->ssts = SSTS_PRESENT;
	p->serr = SERR_DIAG_X | SERR_DIAG_N;
	p->tfd = p->drive.r.status | (uint32_t)p->drive.r.error << 8;
	p->sig = p->drive.cd ? 0xeb140101 : 0x00000101;
}
