/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Where the data of a command is: physical region pages (NVM Express 1.4, 4.3) and scatter-gather
 * lists (4.4).
 */
#include <errno.h>
#include <string.h>

#include "hw/storage/nvme_impl.h"

enum { SGL_DATA = 0x00, SGL_SEGMENT = 0x20, SGL_LAST_SEGMENT = 0x30 };
enum { SGL_LEN = 16, SGL_BATCH = 32, SGL_MAX = 2048, PRP_BATCH = 64 };

struct sgl {
	uint64_t addr;
	uint32_t len;
	uint8_t reserved[3], type;
};
_Static_assert(sizeof(struct sgl) == SGL_LEN, "as in memory");

static enum nvme_status add(struct nvme_req *r, uint64_t addr, uint64_t len, bool to_host)
{
	int e = pci_dma_sg(&r->n->func, &r->sg, addr, len, to_host);

	return e == 0 ? NVME_OK : e == -ENOMEM ? NVME_INTERNAL : NVME_TRANSFER_ERROR;
}

/* The pages of a list: its last entry points to the next list where there is more. */
static enum nvme_status walk_list(struct nvme_req *r, uint64_t list, uint64_t len, bool to_host)
{
	uint32_t page = nvme_page(r->n), left = (uint32_t)(page - (list & (page - 1))) / 8;
	uint64_t prp[PRP_BATCH];
	unsigned have = 0, at = 0;

	if (list & 7)
		return NVME_BAD_PRP_OFFSET;
	while (len) {
		uint64_t n = len < page ? len : page;
		enum nvme_status s;

		if (at == have) {
			uint64_t want = (len + page - 1) / page;

			have = want < PRP_BATCH ? (unsigned)want : PRP_BATCH;
			have = left < have ? left : have;
			at = 0;
			if (pci_dma_read(&r->n->func, list, prp, 8ull * have) < 0)
				return NVME_TRANSFER_ERROR;
			list += 8ull * have;
		}
		/* A page of pointers ends with the next one's address, unless all the data is there. */
		if (left == 1 && len > page) {
			list = prp[at];
			left = page / 8;
			have = at = 0;
			if (list & (page - 1))
				return NVME_BAD_PRP_OFFSET;
			continue;
		}
		if (prp[at] & (page - 1))
			return NVME_BAD_PRP_OFFSET;
		s = add(r, prp[at++], n, to_host);
		if (s != NVME_OK)
			return s;
		left--;
		len -= n;
	}
	return NVME_OK;
}

static enum nvme_status map_prp(struct nvme_req *r, uint64_t len, bool to_host)
{
	uint32_t page = nvme_page(r->n);
	uint64_t first = page - (r->cmd.prp1 & (page - 1));
	enum nvme_status s;

	if (r->cmd.prp1 & 3)
		return NVME_BAD_PRP_OFFSET;
	if (first > len)
		first = len;
	s = add(r, r->cmd.prp1, first, to_host);
	len -= first;
	if (s != NVME_OK || !len)
		return s;
	if (len > page)
		return walk_list(r, r->cmd.prp2, len, to_host);
	if (r->cmd.prp2 & (page - 1))
		return NVME_BAD_PRP_OFFSET;
	return add(r, r->cmd.prp2, len, to_host);
}

/* One descriptor of data; what is beyond the command's length is not touched. */
static enum nvme_status add_data(struct nvme_req *r, const struct sgl *d, uint64_t *len,
				 bool to_host)
{
	uint64_t n = d->len < *len ? d->len : *len;
	enum nvme_status s = add(r, d->addr, n, to_host);

	*len -= n;
	return s;
}

static enum nvme_status map_sgl(struct nvme_req *r, uint64_t len, bool to_host)
{
	struct sgl seg, d[SGL_BATCH];
	unsigned total = 0;

	memcpy(&seg, &r->cmd.prp1, sizeof(seg));
	if (seg.type == SGL_DATA) {
		enum nvme_status s = add_data(r, &seg, &len, to_host);

		return s == NVME_OK && len ? NVME_BAD_SGL_LENGTH : s;
	}
	while (len) {
		unsigned n = seg.len / SGL_LEN;
		struct sgl next = {0};

		if ((seg.type != SGL_SEGMENT && seg.type != SGL_LAST_SEGMENT) || !n ||
		    seg.len % SGL_LEN)
			return NVME_BAD_SGL_TYPE;
		for (unsigned i = 0; i < n && len; i++) {
			unsigned left = n - i < SGL_BATCH ? n - i : SGL_BATCH;
			enum nvme_status s;

			if (++total > SGL_MAX)
				return NVME_BAD_SGL_LENGTH;
			if (i % SGL_BATCH == 0 &&
			    pci_dma_read(&r->n->func, seg.addr + (uint64_t)i * SGL_LEN, d,
					 left * sizeof(d[0])) < 0)
				return NVME_TRANSFER_ERROR;
			if (i == n - 1 && seg.type == SGL_SEGMENT) {
				next = d[i % SGL_BATCH];
				break;
			}
			if (d[i % SGL_BATCH].type != SGL_DATA)
				return NVME_BAD_SGL_TYPE;
			s = add_data(r, &d[i % SGL_BATCH], &len, to_host);
			if (s != NVME_OK)
				return s;
		}
		if (len && seg.type == SGL_LAST_SEGMENT)
			return NVME_BAD_SGL_LENGTH;
		seg = next;
	}
	return NVME_OK;
}

enum nvme_status nvme_map(struct nvme_req *r, uint64_t len, bool to_host)
{
	dma_sg_clear(&r->sg);
	switch (r->cmd.flags >> 6) {
	case 0:
		return map_prp(r, len, to_host);
	case 1:
		return r->sq ? map_sgl(r, len, to_host) : NVME_INVALID_FIELD;
	}
	return NVME_INVALID_FIELD;
}

enum nvme_status nvme_to_host(struct nvme_req *r, const void *data, uint64_t len)
{
	enum nvme_status s = nvme_map(r, len, true);

	if (s == NVME_OK)
		dma_sg_write(&r->sg, 0, data, len);
	return s;
}

enum nvme_status nvme_from_host(struct nvme_req *r, void *data, uint64_t len)
{
	enum nvme_status s = nvme_map(r, len, false);

	if (s == NVME_OK)
		dma_sg_read(&r->sg, 0, data, len);
	return s;
}
