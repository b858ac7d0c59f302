/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * QEMU docs/specs/fw_cfg: a selector, a byte-wide data port that advances, and a DMA interface
 * whose registers and descriptors are big-endian.
 */
#include "hw/fw_cfg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mmu/aspace.h"

#define FW_CFG_NONE      0xffff
#define FW_CFG_WRITE_BIT 0x4000

enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16 };

static const struct field fields[] = {
    FIELD(fw_cfg, key, FW_CFG_NONE),
    FIELD(fw_cfg, off, 0),
    FIELD(fw_cfg, dma_addr, 0),
    FIELD_END,
};

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_be32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static struct fw_cfg_item *find(struct fw_cfg *f, uint16_t key)
{
	for (unsigned i = 0; i < f->nr; i++)
		if (f->item[i].key == (key & ~FW_CFG_WRITE_BIT))
			return &f->item[i];
	return NULL;
}

static void select_key(struct fw_cfg *f, uint16_t key)
{
	const struct fw_cfg_item *it = find(f, key);

	f->key = key;
	f->off = 0;
	if (it && f->selected)
		f->selected(f->opaque, it);
}

/* The next n bytes of the selected item; zeros past its end. */
static void take(struct fw_cfg *f, uint8_t *buf, uint32_t n)
{
	const struct fw_cfg_item *it = find(f, f->key);
	uint32_t have = it && f->off < it->len ? it->len - f->off : 0;

	if (have > n)
		have = n;
	if (have)
		memcpy(buf, it->data + f->off, have);
	memset(buf + have, 0, n - have);
	f->off += have;
}

static void skip(struct fw_cfg *f, uint32_t n)
{
	const struct fw_cfg_item *it = find(f, f->key);
	uint32_t have = it && f->off < it->len ? it->len - f->off : 0;

	f->off += have < n ? have : n;
}

static int dma_copy_out(struct fw_cfg *f, uint64_t addr, uint32_t len)
{
	uint8_t buf[4096];

	while (len) {
		uint32_t n = len < sizeof(buf) ? len : (uint32_t)sizeof(buf);
		int r;

		take(f, buf, n);
		r = aspace_dma_write(f->mem, addr, buf, n);
		if (r < 0)
			return r;
		addr += n;
		len -= n;
	}
	return 0;
}

/* All of it fits, or nothing is written. */
static int dma_copy_in(struct fw_cfg *f, uint64_t addr, uint32_t len)
{
	struct fw_cfg_item *it = find(f, f->key);

	if (!it || !it->writable || f->off > it->len || len > it->len - f->off)
		return -EPERM;
	if (aspace_dma_read(f->mem, addr, it->data + f->off, len) < 0)
		return -EFAULT;
	f->off += len;
	if (f->written)
		f->written(f->opaque, it);
	return 0;
}

static void dma_run(struct fw_cfg *f)
{
	uint64_t at = f->dma_addr, addr;
	uint32_t control, len, result = 0;
	uint8_t d[16];

	f->dma_addr = 0;
	if (aspace_dma_read(f->mem, at, d, sizeof(d)) < 0) {
		result = DMA_ERROR;
		goto out;
	}
	control = be32(d);
	len = be32(d + 4);
	addr = (uint64_t)be32(d + 8) << 32 | be32(d + 12);
	if (control & DMA_SELECT)
		select_key(f, (uint16_t)(control >> 16));
	if (control & DMA_READ) {
		if (dma_copy_out(f, addr, len) < 0)
			result = DMA_ERROR;
	} else if (control & DMA_WRITE) {
		if (dma_copy_in(f, addr, len) < 0)
			result = DMA_ERROR;
	} else if (control & DMA_SKIP) {
		skip(f, len);
	}
out:
	put_be32(d, result);
	aspace_dma_write(f->mem, at, d, 4);
}

static uint64_t port_read(void *dev, uint64_t off, unsigned size)
{
	struct fw_cfg *f = dev;
	uint8_t b = 0;

	if (off == 1 && size == 1)
		take(f, &b, 1);
	return b;
}

static void port_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	if (off == 0 && size == 2)
		select_key(dev, (uint16_t)val);
}

static uint64_t dma_read(void *dev, uint64_t off, unsigned size)
{
	static const uint8_t signature[8] = "QEMU CFG";
	uint32_t v;

	(void)dev;
	(void)size;
	memcpy(&v, signature + (off & 4), 4);
	return v;
}

static void dma_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct fw_cfg *f = dev;
	uint32_t v = __builtin_bswap32((uint32_t)val);

	(void)size;
	if (off == 0) {
		f->dma_addr = (uint64_t)v << 32;
	} else {
		f->dma_addr = (f->dma_addr & ~0xffffffffull) | v;
		dma_run(f);
	}
}

static const struct mmio_ops port_ops = {port_read, port_write, 1, 2};
static const struct mmio_ops dma_ops = {dma_read, dma_write, 4, 4};

static int add_item(struct fw_cfg *f, uint16_t key, const char *name, const void *data, size_t len)
{
	struct fw_cfg_item *it;

	if (find(f, key))
		return -EEXIST;
	if (f->nr == FW_CFG_MAX_ITEMS || len > UINT32_MAX)
		return -ENOSPC;
	if (strlen(name) >= FW_CFG_NAME)
		return -ENAMETOOLONG;
	it = &f->item[f->nr];
	it->data = malloc(len ? len : 1);
	if (!it->data)
		return -ENOMEM;
	memcpy(it->data, data, len);
	it->key = key;
	it->len = (uint32_t)len;
	strcpy(it->name, name);
	f->nr++;
	return 0;
}

int fw_cfg_add(struct fw_cfg *f, uint16_t key, const void *data, size_t len)
{
	return add_item(f, key, "", data, len);
}

int fw_cfg_add_int(struct fw_cfg *f, uint16_t key, uint64_t val, unsigned size)
{
	uint8_t b[8];

	for (unsigned i = 0; i < 8; i++)
		b[i] = (uint8_t)(val >> (8 * i));
	return fw_cfg_add(f, key, b, size);
}

/* The directory: a count, then size, key and name of each file. */
static void rebuild_dir(struct fw_cfg *f)
{
	struct fw_cfg_item *dir = find(f, FW_CFG_FILE_DIR);
	uint32_t n = 0;

	memset(dir->data, 0, dir->len);
	for (unsigned i = 0; i < f->nr; i++) {
		const struct fw_cfg_item *it = &f->item[i];
		uint8_t *e = dir->data + 4 + n * 64;

		if (!it->name[0])
			continue;
		put_be32(e, it->len);
		e[4] = (uint8_t)(it->key >> 8);
		e[5] = (uint8_t)it->key;
		memcpy(e + 8, it->name, FW_CFG_NAME);
		n++;
	}
	put_be32(dir->data, n);
}

int fw_cfg_add_file(struct fw_cfg *f, const char *name, const void *data, size_t len)
{
	int r;

	if (f->nr_files == FW_CFG_MAX_FILES)
		return -ENOSPC;
	for (unsigned i = 0; i < f->nr; i++)
		if (f->item[i].name[0] && strcmp(f->item[i].name, name) == 0)
			return -EEXIST;
	r = add_item(f, (uint16_t)(FW_CFG_FILE_FIRST + f->nr_files), name, data, len);
	if (r < 0)
		return r;
	f->nr_files++;
	rebuild_dir(f);
	return 0;
}

static struct fw_cfg_item *find_file(struct fw_cfg *f, const char *name)
{
	for (unsigned i = 0; i < f->nr; i++)
		if (f->item[i].name[0] && strcmp(f->item[i].name, name) == 0)
			return &f->item[i];
	return NULL;
}

int fw_cfg_let_write(struct fw_cfg *f, const char *name)
{
	struct fw_cfg_item *it = find_file(f, name);

	if (!it)
		return -ENOENT;
	it->writable = true;
	return 0;
}

int fw_cfg_set_file(struct fw_cfg *f, const char *name, const void *data, size_t len)
{
	struct fw_cfg_item *it = find_file(f, name);

	if (!it)
		return -ENOENT;
	if (len > it->len)
		return -EINVAL;
	memcpy(it->data, data, len);
	memset(it->data + len, 0, it->len - len);
	return 0;
}

int fw_cfg_init(struct fw_cfg *f, struct aspace *io, struct aspace *mem)
{
	static const uint8_t dir[4 + FW_CFG_MAX_FILES * 64];
	int r;

	memset(f, 0, sizeof(*f));
	device_init(&f->dev, "fw_cfg", fields, f);
	f->mem = mem;
	if ((r = fw_cfg_add(f, FW_CFG_SIGNATURE, "QEMU", 4)) < 0 ||
	    /* bit 0: ports, bit 1: DMA */
	    (r = fw_cfg_add_int(f, FW_CFG_ID, 3, 4)) < 0 ||
	    (r = fw_cfg_add(f, FW_CFG_FILE_DIR, dir, sizeof(dir))) < 0 ||
	    (r = aspace_map_dev(io, "fw_cfg", 0x510, 2, &port_ops, f)) < 0 ||
	    (r = aspace_map_dev(io, "fw_cfg-dma", 0x514, 8, &dma_ops, f)) < 0)
		fw_cfg_fini(f);
	return r;
}

void fw_cfg_fini(struct fw_cfg *f)
{
	for (unsigned i = 0; i < f->nr; i++)
		free(f->item[i].data);
	f->nr = 0;
}
