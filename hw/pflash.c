/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Common Flash Memory Interface (JEDEC JESD68.01) and the Intel/Sharp basic and extended command set
 * (JEP137, 0001h), as Intel's 28F family has it. While it reads as an array it is mapped as ROM that
 * notices writes; while it shows registers all accesses come here.
 */
#include "hw/pflash.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLASH_MAX 0x800000u
#define SECTOR    512u

enum {
	READ_ARRAY = 0xff,
	READ_STATUS = 0x70,
	READ_ID = 0x90,
	READ_QUERY = 0x98,
	CLEAR_STATUS = 0x50,
	PROGRAM = 0x40,
	PROGRAM_ALT = 0x10,
	ERASE = 0x20,
	WRITE_BUFFER = 0xe8,
	LOCK_SETUP = 0x60,
	CONFIRM = 0xd0,
};

enum {
	STATUS_READY = 0x80,
	STATUS_ERASE_ERROR = 0x20,
	STATUS_PROGRAM_ERROR = 0x10,
	STATUS_SEQUENCE = STATUS_ERASE_ERROR | STATUS_PROGRAM_ERROR,
};

enum step {
	STEP_COMMAND,
	STEP_PROGRAM, /* the byte to program */
	STEP_ERASE,   /* CONFIRM */
	STEP_COUNT,   /* bytes that follow, less one */
	STEP_BUFFER,  /* one of them */
	STEP_BUFFER_CONFIRM,
	STEP_LOCK, /* what to do with the lock */
};

static const struct field fields[] = {
    FIELD(pflash, mode, READ_ARRAY),
    FIELD(pflash, step, STEP_COMMAND),
    FIELD(pflash, status, STATUS_READY),
    FIELD(pflash, count, 0),
    FIELD(pflash, taken, 0),
    FIELD(pflash, buffer_at, 0),
    FIELD_ARRAY(pflash, buffer, 0),
    FIELD_END,
};

/* ---- the image ---- */

static void written(struct block_req *req, int ret);

/* From a copy: the guest may go on meanwhile. */
static void write_back(struct pflash *f)
{
	uint64_t from = f->dirty_from & ~(uint64_t)(SECTOR - 1);
	uint64_t to = (f->dirty_to + SECTOR - 1) & ~(uint64_t)(SECTOR - 1);

	if (f->writing || f->dirty_from == f->dirty_to)
		return;
	f->dirty_from = f->dirty_to = 0;
	f->writing = true;
	memcpy(f->bounce, f->ram.host + from, to - from);
	f->iov = (struct iovec){f->bounce, to - from};
	f->req = (struct block_req){.op = BLOCK_WRITE,
				    .offset = from,
				    .len = to - from,
				    .iov = &f->iov,
				    .nr_iov = 1,
				    .done = written,
				    .opaque = f};
	block_submit(f->block, &f->req);
}

static void written(struct block_req *req, int ret)
{
	struct pflash *f = req->opaque;

	f->writing = false;
	if (ret < 0)
		f->status |= STATUS_PROGRAM_ERROR;
	write_back(f);
}

static void changed(struct pflash *f, uint64_t off, uint64_t len)
{
	ram_written(&f->ram, off, len);
	if (f->dirty_from == f->dirty_to) {
		f->dirty_from = off;
		f->dirty_to = off + len;
	} else {
		f->dirty_from = off < f->dirty_from ? off : f->dirty_from;
		f->dirty_to = off + len > f->dirty_to ? off + len : f->dirty_to;
	}
	write_back(f);
}

/* ---- what it does ---- */

/* Programming clears bits, and erasing a block sets all of them. */
static void program(struct pflash *f, uint64_t off, const uint8_t *data, uint64_t len)
{
	f->status |= STATUS_READY;
	if (f->read_only || len > f->ram.size - off) {
		f->status |= STATUS_PROGRAM_ERROR;
		return;
	}
	for (uint64_t i = 0; i < len; i++)
		f->ram.host[off + i] &= data[i];
	changed(f, off, len);
}

static void erase(struct pflash *f, uint64_t off)
{
	off &= ~(uint64_t)(PFLASH_BLOCK - 1);
	f->status |= STATUS_READY;
	if (f->read_only) {
		f->status |= STATUS_ERASE_ERROR;
		return;
	}
	memset(f->ram.host + off, 0xff, PFLASH_BLOCK);
	changed(f, off, PFLASH_BLOCK);
}

static uint8_t query(const struct pflash *f, uint64_t off)
{
	uint32_t blocks = (uint32_t)(f->ram.size / PFLASH_BLOCK) - 1;
	const uint8_t table[] = {
	    [0x10] = 'Q',
	    'R',
	    'Y',
	    [0x13] = 1, /* command set, and where its table is */
	    [0x15] = 0x31,
	    [0x1b] = 0x45, /* supply: 4.5 V to 5.5 V */
	    0x55,
	    [0x1f] = 7, /* typical times: 2^n us, ms */
	    7,
	    10,
	    0,
	    4, /* and how many times that at most */
	    4,
	    4,
	    0,
	    [0x27] = (uint8_t)(64 - __builtin_clzll(f->ram.size - 1)), /* log2 of the size */
	    0,                                                         /* x8 */
	    0,
	    6, /* log2 of the write buffer */
	    0,
	    1, /* one region of blocks of one size */
	    (uint8_t)blocks,
	    (uint8_t)(blocks >> 8),
	    (uint8_t)(PFLASH_BLOCK >> 8),
	    (uint8_t)(PFLASH_BLOCK >> 16),
	    'P',
	    'R',
	    'I',
	    '1',
	    '0',
	};

	return off < sizeof(table) ? table[off] : 0;
}

static uint8_t id(uint64_t off)
{
	/* Intel, the part; no block is locked. */
	return off == 0 ? 0x89 : off == 1 ? 0x18 : 0;
}

static void remap(struct pflash *f);

static void command(struct pflash *f, uint8_t v)
{
	switch (v) {
	case CLEAR_STATUS:
		/* Also the ready bit, until the next operation: OVMF tells by it that this is the
		 * flash which QEMU has. */
		f->status = 0;
		f->mode = READ_ARRAY;
		break;
	case READ_STATUS:
	case READ_ID:
	case READ_QUERY:
		f->mode = v;
		break;
	case PROGRAM:
	case PROGRAM_ALT:
		f->step = STEP_PROGRAM;
		f->mode = READ_STATUS;
		break;
	case ERASE:
		f->step = STEP_ERASE;
		f->mode = READ_STATUS;
		break;
	case WRITE_BUFFER:
		f->step = STEP_COUNT;
		f->mode = READ_STATUS;
		f->status |= STATUS_READY;
		break;
	case LOCK_SETUP:
		f->step = STEP_LOCK;
		f->mode = READ_STATUS;
		break;
	default:
		f->mode = READ_ARRAY;
	}
}

static void write_byte(struct pflash *f, uint64_t off, uint8_t v)
{
	enum step step = f->step;

	f->step = STEP_COMMAND;
	switch (step) {
	case STEP_COMMAND:
		command(f, v);
		break;
	case STEP_PROGRAM:
		program(f, off, &v, 1);
		break;
	case STEP_ERASE:
		if (v == CONFIRM)
			erase(f, off);
		else
			f->status |= STATUS_SEQUENCE;
		break;
	case STEP_COUNT:
		f->count = v;
		f->taken = 0;
		f->step = STEP_BUFFER;
		if (v >= PFLASH_BUFFER) {
			f->status |= STATUS_SEQUENCE;
			f->step = STEP_COMMAND;
		}
		break;
	case STEP_BUFFER:
		if (f->taken == 0) {
			f->buffer_at = (uint32_t)off;
			memset(f->buffer, 0xff, sizeof(f->buffer));
		}
		/* The first one says where; all are for the buffer that follows. */
		if (off - f->buffer_at < PFLASH_BUFFER)
			f->buffer[off - f->buffer_at] = v;
		else
			f->status |= STATUS_PROGRAM_ERROR;
		f->step = f->taken == f->count ? STEP_BUFFER_CONFIRM : STEP_BUFFER;
		f->taken++;
		break;
	case STEP_BUFFER_CONFIRM:
		if (v != CONFIRM)
			f->status |= STATUS_SEQUENCE;
		else if (f->buffer_at < f->ram.size)
			program(f, f->buffer_at, f->buffer,
				f->count + 1u < f->ram.size - f->buffer_at
				    ? f->count + 1u
				    : f->ram.size - f->buffer_at);
		break;
	case STEP_LOCK:
		break;
	}
	remap(f);
}

static void flash_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct pflash *f = dev;

	/* It has eight wires: of a wider access each byte is one of its own, when it is data. */
	for (unsigned i = 0; i < size; i++) {
		write_byte(f, off + i, (uint8_t)(val >> 8 * i));
		if (f->step == STEP_COMMAND)
			break;
	}
}

static uint64_t flash_read(void *dev, uint64_t off, unsigned size)
{
	const struct pflash *f = dev;

	(void)size;
	switch (f->mode) {
	case READ_ID:
		return id(off & 0xff);
	case READ_QUERY:
		return query(f, off & 0xff);
	case READ_STATUS:
		return f->status;
	}
	return READ_ARRAY; /* is mapped as ROM */
}

static const struct mmio_ops ops = {flash_read, flash_write, 1, 8};

static void remap(struct pflash *f)
{
	bool array = f->mode == READ_ARRAY;

	if (f->mapped && array == f->mapped_array)
		return;
	if (f->mapped)
		aspace_unmap(f->mem, f->base);
	f->mapped_array = array;
	if (array)
		f->mapped = aspace_map_rom_dev(f->mem, f->name, f->base, f->ram.size, &f->ram, 0,
					       &ops, f) == 0;
	else
		f->mapped = aspace_map_dev(f->mem, f->name, f->base, f->ram.size, &ops, f) == 0;
}

static void tame(void *state)
{
	struct pflash *f = state;

	if (f->step > STEP_LOCK)
		f->step = STEP_COMMAND;
	if (f->count >= PFLASH_BUFFER || f->taken > f->count)
		f->count = f->taken = 0;
}

static void state_changed(void *state)
{
	remap(state);
}

int pflash_init(struct pflash *f, unsigned n, struct aspace *mem, uint64_t base,
		struct block *block, char *err, size_t errlen)
{
	static const struct block_user user = {0};
	uint64_t size = block_size(block);
	int r;

	memset(f, 0, sizeof(*f));
	f->ram.fd = -1;
	f->block = block;
	f->mem = mem;
	f->base = base;
	f->read_only = block_read_only(block);
	snprintf(f->name, sizeof(f->name), "pflash%u", n);
	device_init(&f->dev, f->name, fields, f);
	f->dev.reset_done = f->dev.loaded = state_changed;
	f->dev.tame = tame;
	f->dev.ram = &f->ram;
	if (!size || size % PFLASH_BLOCK || size > FLASH_MAX) {
		snprintf(err, errlen,
			 "%s: a flash is a multiple of 4 KiB, up to 8 MiB; this has %llu bytes",
			 block_file(block), (unsigned long long)size);
		return -EINVAL;
	}
	r = block_attach(block, &user, f);
	if (r == 0) {
		f->attached = true;
		r = ram_init(&f->ram, f->name, size);
	}
	if (r == 0 && !(f->bounce = malloc(size)))
		r = -ENOMEM;
	if (r == 0)
		r = block_read_now(block, 0, f->ram.host, size);
	if (r == 0) {
		remap(f);
		r = f->mapped ? 0 : -EEXIST;
	}
	if (r < 0)
		snprintf(err, errlen, "cannot set up %s with %s: %s", f->name, block_file(block),
			 strerror(-r));
	return r;
}

int pflash_secure(struct pflash *f, struct aspace *view)
{
	int r;

	aspace_unmap(f->mem, f->base);
	f->mapped = false;
	r = aspace_map_rom(f->mem, f->name, f->base, f->ram.size, &f->ram, 0);
	f->mem = view;
	remap(f);
	return r < 0 ? r : f->mapped ? 0 : -EEXIST;
}

void pflash_fini(struct pflash *f)
{
	while (f->writing)
		block_drain(f->block);
	if (f->attached)
		block_attach(f->block, NULL, NULL);
	f->attached = false;
	free(f->bounce);
	f->bounce = NULL;
	ram_fini(&f->ram);
}
