/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * PAM: see the header. PAM0 has its one segment, F0000h-FFFFFh, in bits 5:4; the others two each of
 * 16 KiB, the lower one in bits 1:0.
 */
#include "hw/pam.h"

#include <string.h>

static uint32_t size_of(const struct pam_segment *s)
{
	return s->base == 0xf0000 ? 0x10000 : 0x4000;
}

/* Writes that reach RAM behind a ROM, or a hole. */
static void shadow_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	const struct pam_segment *s = dev;
	struct ram *ram = s->pam->ram;

	memcpy(ram->host + s->base + off, &val, size);
	ram_written(ram, s->base + off, size);
}

static const struct mmio_ops shadow_ops = {NULL, shadow_write, 1, 8};

/* Where the ROM is behind a segment; false where there is none. */
static bool rom_behind(const struct pam_segment *s, uint64_t *off)
{
	const struct ram *rom = s->pam->rom;
	uint64_t from_end = PAM_END - s->base;

	*off = rom ? rom->size - from_end : 0;
	return rom && s->base >= PAM_ROM_BASE && from_end <= rom->size;
}

static void map_segment(struct pam_segment *s)
{
	struct aspace *mem = s->pam->mem;
	struct ram *ram = s->pam->ram;
	uint32_t size = size_of(s);
	uint64_t off;
	int r = -1;

	if (s->mapped)
		aspace_unmap(mem, s->base);
	switch (s->attr) {
	case PAM_READ | PAM_WRITE:
		r = aspace_map_ram(mem, "shadow", s->base, size, ram, s->base);
		break;
	case PAM_READ:
		r = aspace_map_rom(mem, "shadow-ro", s->base, size, ram, s->base);
		break;
	case PAM_WRITE:
		if (rom_behind(s, &off))
			r = aspace_map_rom_dev(mem, "shadow-wo", s->base, size, s->pam->rom, off,
					       &shadow_ops, s);
		else
			r = aspace_map_dev(mem, "shadow-wo", s->base, size, &shadow_ops, s);
		break;
	default:
		if (rom_behind(s, &off))
			r = aspace_map_rom(mem, "bios", s->base, size, s->pam->rom, off);
	}
	s->mapped = r == 0;
}

void pam_init(struct pam *p, struct aspace *mem, struct ram *ram)
{
	memset(p, 0, sizeof(*p));
	p->mem = mem;
	p->ram = ram;
	for (unsigned i = 0; i < PAM_SEGMENTS; i++)
		p->segment[i] =
		    (struct pam_segment){.pam = p, .base = PAM_BASE + i * 0x4000, .attr = 0xff};
}

void pam_set_rom(struct pam *p, struct ram *rom)
{
	p->rom = rom;
}

void pam_update(struct pam *p, const uint8_t reg[PAM_REGS])
{
	for (unsigned i = 0; i < PAM_SEGMENTS; i++) {
		struct pam_segment *s = &p->segment[i];
		uint8_t attr = s->base == 0xf0000 ? reg[0] >> 4 : reg[1 + i / 2] >> (i % 2 * 4);

		attr &= PAM_READ | PAM_WRITE;
		if (attr == s->attr)
			continue;
		s->attr = attr;
		map_segment(s);
	}
}
