/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What an NVMe controller says of itself: IDENTIFY and GET LOG PAGE (NVM Express 1.4, 5.15 and 5.14).
 */
#include <stdio.h>
#include <string.h>

#include "hw/storage/nvme_impl.h"

enum { DATA_LEN = 4096 };
enum { CNS_NAMESPACE = 0, CNS_CONTROLLER = 1, CNS_ACTIVE = 2, CNS_DESCRIPTORS = 3 };
enum { LOG_ERRORS = 1, LOG_SMART = 2, LOG_FIRMWARE = 3, LOG_CHANGED_NS = 4, LOG_EFFECTS = 5 };

static void put_text(uint8_t *to, const char *text, size_t len)
{
	size_t n = strnlen(text, len);

	memset(to, ' ', len);
	memcpy(to, text, n);
}

static void put64(uint8_t *to, uint64_t v)
{
	pci_set32(to, (uint32_t)v);
	pci_set32(to + 4, (uint32_t)(v >> 32));
}

/* An identifier that stays the same as long as the serial number does: FNV-1a. */
static uint64_t eui64(const struct nvme *n)
{
	uint64_t h = 0xcbf29ce484222325;

	for (const char *p = n->serial; *p; p++)
		h = (h ^ (uint8_t)*p) * 0x100000001b3;
	return (h & ~0xffffffull) | 0x005452;
}

static void identify_controller(const struct nvme *n, uint8_t *p)
{
	pci_set16(p, 0x1b36);
	pci_set16(p + 2, 0x1af4);
	put_text(p + 4, n->serial, 20);
	put_text(p + 24, n->model, 40);
	put_text(p + 64, "1.0", 8);
	p[72] = 6;    /* arbitration burst */
	p[74] = 0x54; /* IEEE OUI 52:54:00 */
	p[75] = 0x52;
	p[77] = NVME_MDTS;
	pci_set32(p + 80, 0x00010400);
	pci_set32(p + 92, 1 << 8); /* events: namespace attributes */
	p[111] = 1;                /* an I/O controller */
	p[258] = 3;                /* aborts at once */
	p[259] = NVME_AERS - 1;
	p[260] = 3;                /* one firmware slot, read-only */
	p[261] = 1 << 2 | 1 << 1;  /* log offsets, command effects */
	pci_set16(p + 266, 0x157); /* warning and critical temperature */
	pci_set16(p + 268, 0x175);
	p[512] = 0x66;
	p[513] = 0x44;
	pci_set32(p + 516, 1);                                 /* namespaces */
	pci_set16(p + 520, 1 << 7 | 1 << 6 | 1 << 3 | 1 << 2); /* verify, time, zeroes, DSM */
	p[525] = 1;                                            /* a volatile write cache */
	pci_set32(p + 536, 1);                                 /* SGL */
	snprintf((char *)p + 768, 256, "nqn.2019-08.org.qemu:%s", n->serial);
	pci_set16(p + 2048, 0x9c4); /* power state 0: 25 W, latencies */
	pci_set32(p + 2052, 0x10);
	pci_set32(p + 2056, 0x4);
}

static void identify_namespace(const struct nvme *n, uint8_t *p)
{
	uint32_t granularity = block_discard_granularity(n->block) / n->block_len;

	for (int i = 0; i < 3; i++)
		put64(p + 8 * i, nvme_blocks(n));
	if (block_can_discard(n->block)) {
		p[24] = 1 << 4 | 1 << 0; /* thin, preferred granularities */
		pci_set16(p + 68, (uint16_t)(granularity > 1 ? granularity - 1 : 0));
		pci_set16(p + 70, (uint16_t)(granularity > 1 ? granularity - 1 : 0));
	}
	p[33] = 1 << 3; /* deallocation in WRITE ZEROES */
	p[99] = block_read_only(n->block);
	for (int i = 0; i < 8; i++)
		p[120 + i] = (uint8_t)(eui64(n) >> 8 * i);
	p[130] = (uint8_t)__builtin_ctz(n->block_len);
}

enum nvme_status nvme_identify(struct nvme_req *r)
{
	const struct nvme *n = r->n;
	uint8_t data[DATA_LEN] = {0}, cns = (uint8_t)r->cmd.cdw10;

	switch (cns) {
	case CNS_CONTROLLER:
		identify_controller(n, data);
		break;
	case CNS_NAMESPACE:
		if (!r->cmd.nsid || (r->cmd.nsid != 1 && r->cmd.nsid != 0xffffffff))
			return NVME_INVALID_NS;
		identify_namespace(n, data);
		break;
	case CNS_ACTIVE:
		if (r->cmd.nsid >= 0xfffffffe)
			return NVME_INVALID_NS;
		if (r->cmd.nsid < 1)
			pci_set32(data, 1);
		break;
	case CNS_DESCRIPTORS:
		if (r->cmd.nsid != 1)
			return NVME_INVALID_NS;
		data[0] = 1; /* an EUI64 */
		data[1] = 8;
		for (int i = 0; i < 8; i++)
			data[4 + i] = (uint8_t)(eui64(n) >> 8 * i);
		break;
	default:
		return NVME_INVALID_FIELD;
	}
	return nvme_to_host(r, data, sizeof(data));
}

/* ---- logs ---- */

static void log_smart(const struct nvme *n, uint8_t *p)
{
	struct block_stats s;

	block_stats(n->block, &s);
	pci_set16(p + 1, 0x143); /* kelvin */
	p[3] = 100;              /* spare, in percent */
	p[4] = 10;
	/* in thousands of 512 bytes, rounded up; commands */
	put64(p + 32, (s.bytes[BLOCK_READ] + 511999) / 512000);
	put64(p + 48, (s.bytes[BLOCK_WRITE] + 511999) / 512000);
	put64(p + 64, s.ops[BLOCK_READ]);
	put64(p + 80, s.ops[BLOCK_WRITE]);
}

static void log_effects(uint8_t *p)
{
	static const uint8_t admin[] = {0, 1, 2, 4, 5, 6, 8, 9, 10, 12}, io[] = {0, 1, 2, 8, 9, 12};

	for (size_t i = 0; i < sizeof(admin); i++)
		pci_set32(p + 4 * admin[i], 1);
	/* bit 1: changes the data */
	for (size_t i = 0; i < sizeof(io); i++)
		pci_set32(p + 1024 + 4 * io[i], io[i] == 1 || io[i] == 8 || io[i] == 9 ? 3 : 1);
}

enum nvme_status nvme_get_log(struct nvme_req *r)
{
	struct nvme *n = r->n;
	uint8_t data[DATA_LEN] = {0};
	uint64_t dwords = ((uint64_t)(r->cmd.cdw11 & 0xffff) << 16 | r->cmd.cdw10 >> 16) + 1;
	uint64_t off = (uint64_t)r->cmd.cdw13 << 32 | r->cmd.cdw12, len = 4 * dwords, size;

	switch (r->cmd.cdw10 & 0xff) {
	case LOG_ERRORS:
		size = 64;
		break;
	case LOG_SMART:
		log_smart(n, data);
		size = 512;
		break;
	case LOG_FIRMWARE:
		data[0] = 1;
		put_text(data + 8, "1.0", 8);
		size = 512;
		break;
	case LOG_CHANGED_NS:
		if (n->changed)
			pci_set32(data, 1);
		n->changed = false;
		size = DATA_LEN;
		break;
	case LOG_EFFECTS:
		log_effects(data);
		size = DATA_LEN;
		break;
	default:
		return NVME_BAD_LOG;
	}
	if (off & 3 || off > size)
		return NVME_INVALID_FIELD;
	return nvme_to_host(r, data + off, len < size - off ? len : size - off);
}
