/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The VBE display interface of Bochs (vgabios/vbe_display_api.txt in its sources): sixteen-bit registers
 * for modes beyond the VGA's. Values that would need more memory than there is are not taken.
 */
#include <string.h>

#include "hw/display/vga.h"

enum { ID_FIRST = 0xb0c0, ID_LAST = 0xb0c5 };

static uint32_t bytes(const struct vga *v, uint32_t pixels)
{
	unsigned bpp = v->vbe[VBE_BPP];

	return bpp == 4 ? pixels / 8 * 4 : pixels * ((bpp + 7) / 8);
}

uint32_t vga_vbe_pitch(const struct vga *v)
{
	return bytes(v, v->vbe[VBE_VIRT_WIDTH]);
}

static bool fits(const struct vga *v, uint32_t width, uint32_t height)
{
	return (uint64_t)bytes(v, width) * height <= v->vram.size;
}

/* The virtual screen is at least as wide as the real one, and as high as memory allows. */
static void set_virtual_width(struct vga *v, uint16_t width)
{
	if (width < v->vbe[VBE_XRES] || !fits(v, width, v->vbe[VBE_YRES]))
		width = v->vbe[VBE_XRES];
	v->vbe[VBE_VIRT_WIDTH] = width;
	if (vga_vbe_pitch(v)) {
		uint64_t height = v->vram.size / vga_vbe_pitch(v);
		v->vbe[VBE_VIRT_HEIGHT] = (uint16_t)(height > 0xffff ? 0xffff : height);
	}
}

bool vga_vbe_valid(const struct vga *v)
{
	const uint16_t *r = v->vbe;

	switch (r[VBE_BPP]) {
	case 4:
	case 8:
	case 15:
	case 16:
	case 24:
	case 32:
		break;
	default:
		return false;
	}
	return r[VBE_XRES] && r[VBE_YRES] && r[VBE_XRES] <= DISPLAY_MAX_WIDTH &&
	       r[VBE_YRES] <= DISPLAY_MAX_HEIGHT && fits(v, r[VBE_XRES], r[VBE_YRES]);
}

static void enable(struct vga *v, uint16_t val)
{
	bool was_on = vga_vbe_on(v);
	unsigned was_wide = v->vbe[VBE_ENABLE] & VBE_8BIT_DAC;

	if (val & VBE_ENABLED && !was_on) {
		if (!vga_vbe_valid(v))
			return;
		set_virtual_width(v, v->vbe[VBE_XRES]);
		v->vbe[VBE_X_OFFSET] = v->vbe[VBE_Y_OFFSET] = 0;
		if (!(val & VBE_NOCLEAR)) {
			uint64_t len = (uint64_t)vga_vbe_pitch(v) * v->vbe[VBE_YRES];
			memset(v->vram.host, 0, len);
			ram_written(&v->vram, 0, len);
		}
	}
	if (!(val & VBE_ENABLED))
		v->vbe[VBE_BANK] = 0;
	v->vbe[VBE_ENABLE] =
	    val & (VBE_ENABLED | VBE_GETCAPS | VBE_8BIT_DAC | VBE_LFB | VBE_NOCLEAR);
	/* The DAC keeps its colors when the width of its registers changes. */
	if ((val & VBE_8BIT_DAC) != was_wide)
		for (unsigned n = 0; n < sizeof(v->dac); n++)
			v->dac[n] = was_wide ? v->dac[n] >> 2 : (uint8_t)(v->dac[n] << 2);
}

uint16_t vga_vbe_read(const struct vga *v, unsigned reg)
{
	/* What the device can do at most. */
	if (v->vbe[VBE_ENABLE] & VBE_GETCAPS) {
		switch (reg) {
		case VBE_XRES:
			return DISPLAY_MAX_WIDTH;
		case VBE_YRES:
			return DISPLAY_MAX_HEIGHT;
		case VBE_BPP:
			return 32;
		}
	}
	if (reg == VBE_MEMORY_64K)
		return (uint16_t)(v->vram.size >> 16);
	return reg < VBE_REGS ? v->vbe[reg] : 0;
}

static void move(struct vga *v, unsigned reg, uint16_t val)
{
	uint16_t old = v->vbe[reg];
	uint64_t last;

	v->vbe[reg] = val;
	last =
	    (uint64_t)vga_vbe_pitch(v) * ((uint64_t)v->vbe[VBE_Y_OFFSET] + v->vbe[VBE_YRES] - 1) +
	    bytes(v, (uint32_t)v->vbe[VBE_X_OFFSET] + v->vbe[VBE_XRES]);
	if (vga_vbe_on(v) && last > v->vram.size)
		v->vbe[reg] = old;
}

void vga_vbe_write(struct vga *v, unsigned reg, uint16_t val)
{
	switch (reg) {
	case VBE_ID:
		if (val >= ID_FIRST && val <= ID_LAST)
			v->vbe[reg] = val;
		break;
	case VBE_XRES:
	case VBE_YRES:
	case VBE_BPP:
		/* Not under the feet of a mode that is on. */
		if (!vga_vbe_on(v))
			v->vbe[reg] = reg == VBE_BPP && !val ? 8 : val;
		break;
	case VBE_ENABLE:
		enable(v, val);
		break;
	case VBE_BANK:
		if (((uint64_t)val << 16) < v->vram.size)
			v->vbe[reg] = val;
		break;
	case VBE_VIRT_WIDTH:
		if (vga_vbe_on(v))
			set_virtual_width(v, val);
		break;
	case VBE_X_OFFSET:
	case VBE_Y_OFFSET:
		move(v, reg, val);
		break;
	}
}
