/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Guest memory by linear address, a page at a time.
 */
#include "frontend/debug/memory.h"

#include <errno.h>
#include <string.h>

#include "cpu/vcpu.h"
#include "hw/pc.h"

void debug_paging(const struct pc *pc, const struct vcpu *v, struct paging *out)
{
	*out = (struct paging){.cr0 = v->cr0,
			       .cr3 = v->cr3,
			       .cr4 = v->cr4,
			       .efer = v->efer,
			       .pkru = v->pkru,
			       .maxphyaddr = pc->model.maxphyaddr,
			       .gbpages = cpu_has(&pc->model, FEAT_PDPE1GB)};
	memcpy(out->pdpte, v->pdpte, sizeof(out->pdpte));
}

static struct aspace *space(struct pc *pc, const struct vcpu *v)
{
	return v->smm && pc->cfg.smm ? &pc->smram.view : &pc->m.mem;
}

int debug_translate(struct pc *pc, const struct vcpu *v, uint64_t lin, struct translation *out)
{
	struct paging pg;

	debug_paging(pc, v, &pg);
	return page_walk_debug(space(pc, v), &pg, lin, out) == 0 ? 0 : -EFAULT;
}

static int copy(struct pc *pc, const struct vcpu *v, uint64_t lin, uint8_t *buf, size_t len,
		bool write)
{
	while (len) {
		size_t n = PAGE_SIZE - (lin & ~PAGE_MASK);
		struct translation t;
		int err = debug_translate(pc, v, lin, &t);

		if (n > len)
			n = len;
		if (err == 0)
			err = write ? aspace_dma_write(space(pc, v), t.gpa, buf, n)
				    : aspace_dma_read(space(pc, v), t.gpa, buf, n);
		if (err < 0)
			return err;
		lin += n;
		buf += n;
		len -= n;
	}
	return 0;
}

int debug_read(struct pc *pc, const struct vcpu *v, uint64_t lin, void *buf, size_t len)
{
	return copy(pc, v, lin, buf, len, false);
}

int debug_write(struct pc *pc, const struct vcpu *v, uint64_t lin, const void *buf, size_t len)
{
	return copy(pc, v, lin, (uint8_t *)buf, len, true);
}

unsigned debug_code_bits(const struct vcpu *v)
{
	if (v->efer & EFER_LMA && v->seg[CS].attr & SEG_L)
		return 64;
	return v->seg[CS].attr & SEG_DB ? 32 : 16;
}
