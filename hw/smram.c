/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * See the header. Data accesses go where code does: D_CLS is not looked at.
 */
#include "hw/smram.h"

#include <string.h>

#define LOW_BASE  0xa0000u
#define LOW_SIZE  0x20000u
#define HIGH_BASE 0xfeda0000u
#define ONE_M     0x100000u

void smram_init(struct smram *s, struct aspace *mem, struct ram *ram, uint64_t top,
		_Atomic bool *open, void (*changed)(void *opaque), void *opaque)
{
	memset(s, 0, sizeof(*s));
	s->mem = mem;
	s->ram = ram;
	s->top = top;
	s->open = open;
	s->changed = changed;
	s->opaque = opaque;
	aspace_init_over(&s->view, "smram", mem);
}

static void map_low(struct smram *s, uint64_t at)
{
	if (at == s->low_at)
		return;
	if (s->low_at)
		aspace_unmap(&s->view, s->low_at);
	s->low_at = 0;
	if (at && aspace_map_ram(&s->view, "smram", at, LOW_SIZE, s->ram, LOW_BASE) == 0)
		s->low_at = at;
}

/* The RAM of everybody ends where the segment begins. */
static void map_tseg(struct smram *s, uint64_t size)
{
	if (size >= s->top - ONE_M)
		size = 0;
	if (size == s->tseg_size)
		return;
	if (s->tseg_size)
		aspace_unmap(&s->view, s->top - s->tseg_size);
	s->tseg_size = 0;
	if (size &&
	    aspace_map_ram(&s->view, "tseg", s->top - size, size, s->ram, s->top - size) == 0)
		s->tseg_size = size;
	aspace_resize_ram(s->mem, ONE_M, s->top - s->tseg_size - ONE_M);
}

uint8_t smram_lock(uint8_t *reg)
{
	if (!(*reg & SMRAM_D_LCK))
		return SMRAM_D_OPEN | SMRAM_D_CLS | SMRAM_D_LCK | SMRAM_G_SMRAME;
	*reg &= (uint8_t)~SMRAM_D_OPEN;
	return SMRAM_D_CLS;
}

void smram_update(struct smram *s, uint8_t reg, bool high, uint64_t tseg_size)
{
	bool enabled = reg & SMRAM_G_SMRAME, open = enabled && reg & SMRAM_D_OPEN;
	uint32_t seen = s->view.generation;

	map_low(s, !enabled ? 0 : high ? HIGH_BASE : LOW_BASE);
	map_tseg(s, enabled ? tseg_size : 0);
	if (atomic_exchange(s->open, open) != open || s->view.generation != seen)
		s->changed(s->opaque);
}
