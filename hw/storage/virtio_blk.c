/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * virtio-blk: requests go from the queues to the block layer without a copy; see the header.
 */
#include "hw/storage/virtio_blk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/storage/storage.h"

#define F_SEG_MAX      (1ull << 2)
#define F_GEOMETRY     (1ull << 4)
#define F_RO           (1ull << 5)
#define F_BLK_SIZE     (1ull << 6)
#define F_FLUSH        (1ull << 9)
#define F_TOPOLOGY     (1ull << 10)
#define F_CONFIG_WCE   (1ull << 11)
#define F_MQ           (1ull << 12)
#define F_DISCARD      (1ull << 13)
#define F_WRITE_ZEROES (1ull << 14)

enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11, T_WRITE_ZEROES = 13 };
enum { S_OK = 0, S_IOERR = 1, S_UNSUPP = 2 };

/* Offsets in the configuration space. */
enum {
	C_CAPACITY = 0,
	C_SEG_MAX = 12,
	C_CYLINDERS = 16,
	C_HEADS = 18,
	C_SECTORS = 19,
	C_BLK_SIZE = 20,
	C_PHYSICAL_EXP = 24,
	C_MIN_IO = 26,
	C_WRITEBACK = 32,
	C_NUM_QUEUES = 34,
	C_MAX_DISCARD = 36,
	C_MAX_DISCARD_SEG = 40,
	C_DISCARD_ALIGN = 44,
	C_MAX_ZEROES = 48,
	C_MAX_ZEROES_SEG = 52,
	C_ZEROES_UNMAP = 56,
	C_LEN = 60,
};

#define HEADER_LEN 16u
#define RANGE_LEN  16u
#define ID_LEN     20u
#define MAX_RANGE  0x3fffffu /* sectors of one discard */
#define FLAG_UNMAP 1u
#define QUEUE_SIZE 256u

struct virtio_blk_req {
	struct vq_elem e; /* first */
	struct block_req io;
	struct virtio_blk *d;
	unsigned queue;
	uint8_t *status; /* where the driver wants the result */
	struct ram *status_ram;
	uint32_t read_len; /* bytes that success writes, without the status */
};

static struct virtio_blk *of(struct virtio_pci *v)
{
	return (struct virtio_blk *)v;
}

static bool is_dropped(const struct virtio_blk_req *r)
{
	const struct virtio_blk *d = r->d;

	return d->dropping && (d->dropped_queue < 0 || d->dropped_queue == (int)r->queue);
}

/* The end of every request. */
static void finish(struct virtio_blk_req *r, uint8_t status)
{
	struct virtio_blk *d = r->d;
	uint32_t len = status == S_OK ? r->read_len : 0;

	d->in_flight[r->queue]--;
	if (!is_dropped(r)) {
		*r->status = status;
		ram_written(r->status_ram, (uint64_t)(r->status - r->status_ram->host), 1);
		vq_push(&d->v.vq[r->queue], &r->e, len + 1);
		virtio_notify(&d->v, r->queue);
	}
	vq_pool_give(&d->reqs, r);
}

static void io_done(struct block_req *io, int ret)
{
	struct virtio_blk_req *r = io->opaque;

	if (io->op == BLOCK_READ)
		dma_sg_written(&r->e.in, 0, r->e.in.len);
	finish(r, ret == 0 ? S_OK : ret == -ENOTSUP ? S_UNSUPP : S_IOERR);
}

static bool in_range(const struct virtio_blk *d, uint64_t sector, uint64_t len)
{
	uint64_t sectors = block_size(d->block) / BLOCK_SECTOR;

	return sector <= sectors && len / BLOCK_SECTOR <= sectors - sector;
}

static void submit(struct virtio_blk_req *r, enum block_op op, uint64_t sector, uint64_t len,
		   unsigned flags, const struct dma_sg *sg)
{
	r->io.op = op;
	r->io.flags = flags;
	r->io.offset = sector * BLOCK_SECTOR;
	r->io.len = len;
	r->io.iov = sg ? sg->iov : NULL;
	r->io.nr_iov = sg ? sg->nr : 0;
	r->io.done = io_done;
	r->io.opaque = r;
	block_submit(r->d->block, &r->io);
}

static void read_write(struct virtio_blk_req *r, bool write, uint64_t sector)
{
	struct virtio_blk *d = r->d;
	const struct dma_sg *sg = write ? &r->e.out : &r->e.in;

	if (!sg->len || sg->len % BLOCK_SECTOR || !in_range(d, sector, sg->len) ||
	    sg->len > UINT32_MAX - 1 || (write && block_read_only(d->block))) {
		finish(r, S_IOERR);
		return;
	}
	r->read_len = write ? 0 : (uint32_t)sg->len;
	submit(r, write ? BLOCK_WRITE : BLOCK_READ, sector, sg->len, 0, sg);
}

static void zero_range(struct virtio_blk_req *r, bool discard)
{
	struct virtio_blk *d = r->d;
	uint64_t len;
	struct {
		uint64_t sector;
		uint32_t sectors, flags;
	} range;

	_Static_assert(sizeof(range) == RANGE_LEN, "as in the queue");
	if (!r->e.out.len || r->e.out.len % RANGE_LEN || block_read_only(d->block)) {
		finish(r, S_IOERR);
		return;
	}
	if (r->e.out.len > RANGE_LEN) {
		finish(r, S_UNSUPP);
		return;
	}
	dma_sg_read(&r->e.out, 0, &range, RANGE_LEN);
	len = (uint64_t)range.sectors * BLOCK_SECTOR;
	if (range.flags & ~(discard ? 0 : FLAG_UNMAP)) {
		finish(r, S_UNSUPP);
	} else if (!range.sectors || range.sectors > MAX_RANGE || !in_range(d, range.sector, len)) {
		finish(r, S_IOERR);
	} else {
		unsigned flags = range.flags & FLAG_UNMAP ? BLOCK_MAY_UNMAP : 0;

		submit(r, discard ? BLOCK_DISCARD : BLOCK_WRITE_ZEROES, range.sector, len, flags,
		       NULL);
	}
}

static void get_id(struct virtio_blk_req *r)
{
	char id[ID_LEN] = {0};

	memcpy(id, r->d->serial, strnlen(r->d->serial, ID_LEN));
	r->read_len = (uint32_t)dma_sg_write(&r->e.in, 0, id, ID_LEN);
	finish(r, S_OK);
}

/* Takes the header and the status off the chain, and starts what is asked for. 0, or -EINVAL for a
 * chain without them. */
static int start(struct virtio_blk_req *r)
{
	struct dma_sg *in = &r->e.in, *out = &r->e.out;
	struct {
		uint32_t type, reserved;
		uint64_t sector;
	} header;

	_Static_assert(sizeof(header) == HEADER_LEN, "as in the queue");
	if (out->len < HEADER_LEN || in->len < 1)
		return -EINVAL;
	dma_sg_read(out, 0, &header, HEADER_LEN);
	dma_sg_skip(out, HEADER_LEN);
	r->status = (uint8_t *)in->iov[in->nr - 1].iov_base + in->iov[in->nr - 1].iov_len - 1;
	r->status_ram = in->ram[in->nr - 1];
	dma_sg_trim(in, in->len - 1);
	r->read_len = 0;
	r->d->in_flight[r->queue]++;
	switch (header.type) {
	case T_IN:
		read_write(r, false, header.sector);
		break;
	case T_OUT:
		read_write(r, true, header.sector);
		break;
	case T_FLUSH:
		submit(r, BLOCK_FLUSH, 0, 0, 0, NULL);
		break;
	case T_GET_ID:
		get_id(r);
		break;
	case T_DISCARD:
	case T_WRITE_ZEROES:
		zero_range(r, header.type == T_DISCARD);
		break;
	default:
		finish(r, S_UNSUPP);
	}
	return 0;
}

static int take(struct virtio_pci *v, unsigned queue)
{
	struct virtio_blk *d = of(v);
	struct virtio_blk_req *r = vq_pool_take(&d->reqs, sizeof(*r));
	int got;

	if (!r)
		return -ENOMEM;
	r->d = d;
	got = vq_pop(&v->vq[queue], &r->e);
	r->queue = queue;
	if (got > 0 && start(r) < 0)
		got = -EINVAL;
	if (got <= 0)
		vq_pool_give(&d->reqs, r);
	return got;
}

static void kick(struct virtio_pci *v, unsigned queue)
{
	struct virtio_blk *d = of(v);
	int r;

	block_plug(d->block);
	virtio_batch(v, true);
	r = virtio_take_all(v, queue, &d->in_flight[queue], take);
	block_unplug(d->block);
	virtio_batch(v, false);
	if (r < 0)
		virtio_broken(v);
}

static void drop(struct virtio_blk *d, int queue)
{
	d->dropping = true;
	d->dropped_queue = queue;
	block_drain(d->block);
	d->dropping = false;
}

static void reset(struct virtio_pci *v)
{
	struct virtio_blk *d = of(v);

	drop(d, -1);
	block_set_write_cache(d->block, d->write_cache);
	v->config[C_WRITEBACK] = d->write_cache;
}

static void queue_reset(struct virtio_pci *v, unsigned queue)
{
	drop(of(v), (int)queue);
}

static void started(struct virtio_pci *v)
{
	struct virtio_blk *d = of(v);

	/* A driver that cannot flush must find every write durable (5.2.6.2). */
	if (virtio_has(v, F_CONFIG_WCE))
		block_set_write_cache(d->block, v->config[C_WRITEBACK]);
	else
		block_set_write_cache(d->block, d->write_cache && virtio_has(v, F_FLUSH));
	v->config[C_WRITEBACK] = block_write_cache(d->block);
}

static void set_capacity(struct virtio_blk *d)
{
	uint8_t *c = d->v.config;
	uint64_t sectors = block_size(d->block) / BLOCK_SECTOR, cylinders = sectors / (16 * 63);

	pci_set32(c + C_CAPACITY, (uint32_t)sectors);
	pci_set32(c + C_CAPACITY + 4, (uint32_t)(sectors >> 32));
	pci_set16(c + C_CYLINDERS, cylinders > 16383 ? 16383 : (uint16_t)cylinders);
	c[C_HEADS] = 16;
	c[C_SECTORS] = 63;
}

static void config_written(struct virtio_pci *v)
{
	struct virtio_blk *d = of(v);
	bool wce = v->config[C_WRITEBACK] & 1;

	if (virtio_has(v, F_CONFIG_WCE))
		block_set_write_cache(d->block, wce);
	v->config[C_WRITEBACK] = block_write_cache(d->block);
}

static void size_changed(void *opaque)
{
	struct virtio_blk *d = opaque;

	set_capacity(d);
	virtio_config_changed(&d->v);
}

static const struct block_user user = {.changed = size_changed};

static void fill_config(struct virtio_blk *d, const struct virtio_blk_options *o)
{
	uint32_t logical = o->logical_block ? o->logical_block : BLOCK_SECTOR;
	uint32_t physical = o->physical_block > logical ? o->physical_block : logical;
	uint32_t granularity = block_discard_granularity(d->block);
	uint8_t *c = d->v.config;

	set_capacity(d);
	pci_set32(c + C_SEG_MAX, d->v.queue_size - 2u);
	pci_set32(c + C_BLK_SIZE, logical);
	c[C_PHYSICAL_EXP] = (uint8_t)__builtin_ctz(physical / logical);
	pci_set16(c + C_MIN_IO, (uint16_t)(physical / logical));
	c[C_WRITEBACK] = block_write_cache(d->block);
	pci_set16(c + C_NUM_QUEUES, (uint16_t)d->v.nr_queues);
	pci_set32(c + C_MAX_DISCARD, MAX_RANGE);
	pci_set32(c + C_MAX_DISCARD_SEG, 1);
	pci_set32(c + C_DISCARD_ALIGN,
		  granularity > logical ? granularity / BLOCK_SECTOR : logical / BLOCK_SECTOR);
	pci_set32(c + C_MAX_ZEROES, MAX_RANGE);
	pci_set32(c + C_MAX_ZEROES_SEG, 1);
	c[C_ZEROES_UNMAP] = 1;
}

static uint64_t offered(const struct virtio_blk *d, const struct virtio_blk_options *o)
{
	uint64_t f = F_SEG_MAX | F_GEOMETRY | F_BLK_SIZE | F_FLUSH | F_TOPOLOGY | F_WRITE_ZEROES |
		     VIRTIO_F_ANY_LAYOUT | VIRTIO_F_RING_RESET;

	f |= block_read_only(d->block) ? F_RO : 0;
	f |= block_can_discard(d->block) ? F_DISCARD : 0;
	f |= o->num_queues > 1 ? F_MQ : 0;
	f |= o->no_config_wce ? 0 : F_CONFIG_WCE;
	f |= o->no_event_idx ? 0 : VIRTIO_F_EVENT_IDX;
	f |= o->no_indirect ? 0 : VIRTIO_F_INDIRECT_DESC;
	f |= o->packed ? VIRTIO_F_RING_PACKED : 0;
	return f;
}

static const struct virtio_type type = {
    .id = 2,
    .legacy_id = 0x1001,
    .class_code = 0x0100,
    .config_len = C_LEN,
    .config_writable = 1ull << C_WRITEBACK,
    .kick = kick,
    .config_written = config_written,
    .started = started,
    .reset = reset,
    .queue_reset = queue_reset,
};

static bool block_size_ok(uint32_t n)
{
	return !n || (n >= 512 && n <= 32768 && !(n & (n - 1)));
}

int virtio_blk_init(struct virtio_blk *d, struct block *block, const struct virtio_blk_options *o)
{
	struct virtio_pci_options po = {
	    .nr_queues = o->num_queues ? o->num_queues : 1,
	    .queue_size = (uint16_t)(o->queue_size ? o->queue_size : QUEUE_SIZE),
	    .no_legacy = o->no_legacy,
	    .no_modern = o->no_modern,
	};
	int r;

	memset(d, 0, sizeof(*d));
	if (!block_size_ok(o->logical_block) || !block_size_ok(o->physical_block) ||
	    o->queue_size > VQ_MAX_SIZE || o->num_queues > VIRTIO_MAX_QUEUES)
		return -EINVAL;
	r = block_attach(block, &user, d);
	if (r < 0)
		return r;
	d->block = block;
	d->write_cache = block_write_cache(block);
	if (o->serial)
		strncpy(d->serial, o->serial, sizeof(d->serial) - 1);
	po.vectors = (uint16_t)(o->vectors ? o->vectors : po.nr_queues + 1);
	po.features = offered(d, o);
	d->v.queue_size = po.queue_size;
	d->v.nr_queues = po.nr_queues;
	fill_config(d, o);
	r = virtio_pci_init(&d->v, &type, "virtio-blk-pci", &po);
	if (r < 0)
		block_attach(block, NULL, NULL);
	return r;
}

void virtio_blk_fini(struct virtio_blk *d)
{
	drop(d, -1);
	block_attach(d->block, NULL, NULL);
	vq_pool_fini(&d->reqs, NULL);
}

/* ---- -device virtio-blk-pci ---- */

static const struct prop props[] = {
    {"drive", PROP_DRIVE, "the disk", NULL, 0, true},
    {"serial", PROP_STR, "serial number, up to 20 characters", NULL, 0, false},
    {"num-queues", PROP_NUM, "request queues; 0: one for each vCPU", "0", VIRTIO_MAX_QUEUES, false},
    {"queue-size", PROP_NUM, "entries of a queue, a power of two", "256", VQ_MAX_SIZE, false},
    {"vectors", PROP_NUM, "MSI-X vectors; 0: one for each queue and one more", "0", MSIX_MAX,
     false},
    {"logical_block_size", PROP_SIZE, "bytes of a sector", "512", 32768, false},
    {"physical_block_size", PROP_SIZE, "bytes of a sector of the medium", "512", 32768, false},
    {"config-wce", PROP_BOOL, "the guest may switch the write cache", "on", 0, false},
    STORAGE_PROPS,
    {"event_idx", PROP_BOOL, "fewer interrupts and notifications", "on", 0, false},
    {"indirect_desc", PROP_BOOL, "tables of descriptors", "on", 0, false},
    VIRTIO_LAYOUT_PROPS,
    {0},
};

static void destroy(void *self)
{
	virtio_blk_fini(self);
	free(self);
}

static int create(void **self, const struct device_args *args, char *err, size_t errlen)
{
	struct virtio_blk_options o = {
	    .num_queues = virtio_queues(args, "num-queues", 0),
	    .queue_size = (unsigned)arg_num(args, "queue-size"),
	    .vectors = (unsigned)arg_num(args, "vectors"),
	    .serial = arg_str(args, "serial"),
	    .packed = arg_bool(args, "packed"),
	    .no_event_idx = !arg_bool(args, "event_idx"),
	    .no_indirect = !arg_bool(args, "indirect_desc"),
	    .no_config_wce = !arg_bool(args, "config-wce"),
	    .no_legacy = arg_bool(args, "disable-legacy"),
	    .no_modern = arg_bool(args, "disable-modern"),
	    .logical_block = (uint32_t)arg_num(args, "logical_block_size"),
	    .physical_block = (uint32_t)arg_num(args, "physical_block_size"),
	};
	struct block *block = arg_backend(args, "drive");
	int r = storage_set_up(args, block, err, errlen);
	struct virtio_blk *d;

	if (r < 0)
		return r;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	r = virtio_blk_init(d, block, &o);
	if (r < 0) {
		storage_error(args, block, r, err, errlen);
		free(d);
		return r;
	}
	r = virtio_pci_add(&d->v, args, err, errlen);
	if (r < 0)
		destroy(d);
	else
		*self = d;
	return r;
}

const struct device_type virtio_blk_type = {
    .name = "virtio-blk-pci",
    .bus = "PCI",
    .boot_name = "scsi",
    .boot_unit = "/disk@0,0",
    .desc = "virtio disk",
    .props = props,
    .create = create,
    .destroy = destroy,
    .unplug = pci_unplug,
};
