/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The window at A0000h: how an address becomes a byte of one or more planes (chain 4, odd/even, planar),
 * and what the graphics controller does to data on the way (its read and write modes).
 */
#include <string.h>

#include "hw/display/vga.h"

#define PLANE_SIZE 0x10000u

enum {
	SEQ_ODD_EVEN_OFF = 0x04,
	SEQ_CHAIN4 = 0x08,
	GR_READ_MODE = 0x08,
	GR_ODD_EVEN = 0x10,
	MISC_PAGE = 0x20,
};

/* Offset from the start of what the window shows, or false where nothing answers. */
static bool decode(const struct vga *v, uint32_t *off)
{
	static const struct {
		uint32_t start, size;
	} map[4] = {{0, 0x20000}, {0, 0x10000}, {0x10000, 0x8000}, {0x18000, 0x8000}};
	unsigned n = v->gr[GR_MISC] >> 2 & 3;

	if (*off - map[n].start >= map[n].size)
		return false;
	*off -= map[n].start;
	return true;
}

static uint8_t *vram(const struct vga *v, uint32_t off)
{
	return v->vram.host + off;
}

static void changed(struct vga *v, uint32_t off, uint32_t len)
{
	ram_written(&v->vram, off, len);
}

/* With the extension the window's 64 KiB are a bank of all memory; false: beyond it. */
static bool bank(const struct vga *v, uint32_t *off)
{
	uint64_t at = *off + ((uint64_t)v->vbe[VBE_BANK] << 16);

	if (at >= v->vram.size)
		return false;
	*off = (uint32_t)at;
	return true;
}

/* Where the four bytes of plane address a are. The extension's 4-bit modes bank them, too. */
static bool quad(const struct vga *v, uint32_t a, uint32_t *off)
{
	uint64_t at = (uint64_t)(a % PLANE_SIZE) * 4;

	if (vga_vbe_on(v))
		at = ((uint64_t)v->vbe[VBE_BANK] << 16) * 4 + (uint64_t)a * 4;
	if (at + 4 > v->vram.size)
		return false;
	*off = (uint32_t)at;
	return true;
}

/* Odd/even addressing: bit 0 of the address selects the plane, the page select takes its place. */
static uint32_t odd_even(const struct vga *v, uint32_t a)
{
	return (a & ~1u) | (v->gr[GR_MISC] & 2 && !(v->misc & MISC_PAGE));
}

static uint8_t compare(const struct vga *v)
{
	uint8_t differs = 0;

	for (unsigned p = 0; p < 4; p++)
		if (v->gr[GR_DONT_CARE] >> p & 1)
			differs |= v->latch[p] ^ (v->gr[GR_COMPARE] >> p & 1 ? 0xff : 0);
	return (uint8_t)~differs;
}

uint8_t vga_window_read(struct vga *v, uint32_t off)
{
	unsigned plane = v->gr[GR_READ_MAP] & 3;
	uint32_t a, at;

	if (!decode(v, &off))
		return 0xff;
	if (vga_vbe_linear(v))
		return bank(v, &off) ? *vram(v, off) : 0xff;
	a = off;
	if (v->seq[SEQ_MEMORY] & SEQ_CHAIN4) {
		plane = off & 3;
		a &= ~3u;
	} else if (v->gr[GR_MODE] & GR_ODD_EVEN) {
		plane = (plane & 2) | (off & 1);
		a = odd_even(v, off);
	}
	if (!quad(v, a, &at))
		return 0xff;
	memcpy(v->latch, vram(v, at), 4);
	return v->gr[GR_MODE] & GR_READ_MODE ? compare(v) : v->latch[plane];
}

/* The logical unit: data of one plane with what the last read left in its latch. */
static uint8_t combine(const struct vga *v, uint8_t data, uint8_t latch)
{
	switch (v->gr[GR_ROTATE] >> 3 & 3) {
	case 1:
		return data & latch;
	case 2:
		return data | latch;
	case 3:
		return data ^ latch;
	}
	return data;
}

static uint8_t rotate(const struct vga *v, uint8_t val)
{
	unsigned n = v->gr[GR_ROTATE] & 7;

	return (uint8_t)(val >> n | val << (8 - n));
}

/* What a write of val puts into plane p. */
static uint8_t plane_data(const struct vga *v, uint8_t val, unsigned p)
{
	uint8_t set = v->gr[GR_SET_RESET] >> p & 1 ? 0xff : 0, mask = v->gr[GR_BIT_MASK], data;

	switch (v->gr[GR_MODE] & 3) {
	case 0:
		data = v->gr[GR_ENABLE_SET_RESET] >> p & 1 ? set : rotate(v, val);
		data = combine(v, data, v->latch[p]);
		break;
	case 1:
		return v->latch[p];
	case 2:
		data = combine(v, val >> p & 1 ? 0xff : 0, v->latch[p]);
		break;
	default:
		data = set;
		mask &= rotate(v, val);
		break;
	}
	return (uint8_t)((data & mask) | (v->latch[p] & ~mask));
}

void vga_window_write(struct vga *v, uint32_t off, uint8_t val)
{
	unsigned planes = v->seq[SEQ_MAP_MASK];
	uint32_t a, at;

	if (!decode(v, &off))
		return;
	if (vga_vbe_linear(v)) {
		if (bank(v, &off)) {
			*vram(v, off) = val;
			changed(v, off, 1);
		}
		return;
	}
	a = off;
	if (v->seq[SEQ_MEMORY] & SEQ_CHAIN4) {
		planes &= 1u << (off & 3);
		a &= ~3u;
	} else if (!(v->seq[SEQ_MEMORY] & SEQ_ODD_EVEN_OFF)) {
		planes &= off & 1 ? 0x0a : 0x05;
		a = odd_even(v, off);
	}
	if (!quad(v, a, &at))
		return;
	for (unsigned p = 0; p < 4; p++)
		if (planes >> p & 1)
			*vram(v, at + p) = plane_data(v, val, p);
	changed(v, at, 4);
}
