/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The VGA's ports: miscellaneous output, sequencer, graphics controller, CRT controller, attribute
 * controller, DAC, and input status as the beam's position gives it.
 */
#include "hw/display/vga.h"

enum {
	PORT_AR = 0x3c0,
	PORT_AR_READ = 0x3c1,
	PORT_MISC_WRITE = 0x3c2, /* reads: input status #0 */
	PORT_ENABLE = 0x3c3,
	PORT_SEQ = 0x3c4,
	PORT_DAC_MASK = 0x3c6,
	PORT_DAC_READ = 0x3c7, /* reads: state */
	PORT_DAC_WRITE = 0x3c8,
	PORT_DAC_DATA = 0x3c9,
	PORT_FEATURE_READ = 0x3ca,
	PORT_MISC_READ = 0x3cc,
	PORT_GR = 0x3ce,
	PORT_CR = 0x3d4,
	PORT_STATUS = 0x3da, /* writes: feature control */
};

enum {
	MISC_COLOR = 0x01, /* CRTC at 3Dxh, not 3Bxh */
	MISC_CLOCK = 0x0c,
	AR_VIDEO_ON = 0x20, /* in the index */
	SWITCH_SENSE = 0x10,
	DAC_READING = 3,
	CR_LOCK = 0x80, /* in V_SYNC_END: registers 0-7 are read-only */
};

/* Bits that exist. */
static const uint8_t seq_mask[VGA_SEQ_REGS] = {0x03, 0x3d, 0x0f, 0x3f, 0x0e};
static const uint8_t gr_mask[VGA_GR_REGS] = {0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff};

unsigned vga_lines(const struct vga *v)
{
	unsigned over = v->cr[CR_OVERFLOW];

	return (v->cr[CR_V_DISPLAY_END] | (over & 0x02) << 7 | (over & 0x40) << 3) + 1u;
}

unsigned vga_char_dots(const struct vga *v)
{
	return v->seq[SEQ_CLOCKING] & 1 ? 8 : 9;
}

uint8_t vga_beam(const struct vga *v)
{
	uint64_t hz = (v->misc & MISC_CLOCK) == 0x04 ? 28322000 : 25175000;
	uint64_t chars = v->cr[CR_H_TOTAL] + 5u, shown = v->cr[CR_H_DISPLAY_END] + 1u;
	unsigned over = v->cr[CR_OVERFLOW];
	uint64_t lines = (v->cr[CR_V_TOTAL] | (over & 0x01) << 8 | (over & 0x20) << 4) + 2u;
	uint64_t sync = v->cr[CR_V_SYNC_START] | (over & 0x04) << 6 | (over & 0x80) << 2;
	uint64_t height = vga_lines(v);
	uint64_t at, line;

	if (v->seq[SEQ_CLOCKING] & 8)
		hz /= 2;
	/* What the extension's modes are drawn with does not show in these registers: any 60 Hz will do. */
	if (vga_vbe_on(v)) {
		height = v->vbe[VBE_YRES];
		sync = height + 10;
		lines = height + 45;
		chars = 100;
		shown = 80;
		hz = chars * vga_char_dots(v) * lines * 60;
	}
	/* Character clocks since power-on. */
	at = muldiv64(clock_now(v->clock), hz, NSEC_PER_SEC) / vga_char_dots(v);
	line = at / chars % lines;
	return (uint8_t)((line >= height || at % chars >= shown ? 1 : 0) |
			 (line >= sync && line < sync + 2 ? 8 : 0));
}

static uint8_t dac_read(struct vga *v)
{
	uint8_t val = v->dac[v->dac_read * 3u + v->dac_sub];

	if (++v->dac_sub == 3) {
		v->dac_sub = 0;
		v->dac_read++;
	}
	return val;
}

/* A color is changed as a whole, by the last of its three writes. */
static void dac_write(struct vga *v, uint8_t val)
{
	v->dac_new[v->dac_sub] = v->vbe[VBE_ENABLE] & VBE_8BIT_DAC ? val : val & 0x3f;
	if (++v->dac_sub < 3)
		return;
	v->dac_sub = 0;
	for (unsigned n = 0; n < 3; n++)
		v->dac[v->dac_write * 3u + n] = v->dac_new[n];
	v->dac_write++;
}

static void ar_write(struct vga *v, uint8_t val)
{
	unsigned index = v->ar_index & 0x1f;

	v->ar_data = !v->ar_data;
	if (v->ar_data)
		v->ar_index = val & 0x3f;
	else if (index < AR_MODE && !(v->ar_index & AR_VIDEO_ON))
		v->ar[index] = val & 0x3f;
	else if (index >= AR_MODE && index < VGA_AR_REGS)
		v->ar[index] = val;
}

static void cr_write(struct vga *v, uint8_t val)
{
	unsigned index = v->cr_index;

	if (index >= VGA_CR_REGS)
		return;
	if (index <= CR_OVERFLOW && v->cr[CR_V_SYNC_END] & CR_LOCK) {
		/* But for one bit of the line to compare with. */
		if (index == CR_OVERFLOW)
			v->cr[index] = (uint8_t)((v->cr[index] & ~0x10) | (val & 0x10));
		return;
	}
	v->cr[index] = val;
}

/* The CRTC's and status ports are at 3Bxh or 3Dxh; false: not decoded. */
static bool canonical_port(const struct vga *v, unsigned *port)
{
	if ((*port >= 0x3c0 && *port < 0x3d0))
		return true;
	if (*port < 0x3c0) {
		*port += 0x20;
		return !(v->misc & MISC_COLOR);
	}
	return v->misc & MISC_COLOR;
}

uint8_t vga_port_read(struct vga *v, unsigned port)
{
	if (!canonical_port(v, &port))
		return 0xff;
	switch (port) {
	case PORT_AR:
		return v->ar_data ? 0 : v->ar_index;
	case PORT_AR_READ:
		return (v->ar_index & 0x1f) < VGA_AR_REGS ? v->ar[v->ar_index & 0x1f] : 0;
	case PORT_MISC_WRITE:
		return SWITCH_SENSE;
	case PORT_ENABLE:
		return 1;
	case PORT_SEQ:
		return v->seq_index;
	case PORT_SEQ + 1:
		return v->seq_index < VGA_SEQ_REGS ? v->seq[v->seq_index] : 0;
	case PORT_DAC_MASK:
		return v->dac_mask;
	case PORT_DAC_READ:
		return v->dac_state;
	case PORT_DAC_WRITE:
		return v->dac_write;
	case PORT_DAC_DATA:
		return dac_read(v);
	case PORT_FEATURE_READ:
		return v->feature;
	case PORT_MISC_READ:
		return v->misc;
	case PORT_GR:
		return v->gr_index;
	case PORT_GR + 1:
		return v->gr_index < VGA_GR_REGS ? v->gr[v->gr_index] : 0;
	case PORT_CR:
		return v->cr_index;
	case PORT_CR + 1:
		return v->cr_index < VGA_CR_REGS ? v->cr[v->cr_index] : 0;
	case PORT_STATUS:
		v->ar_data = 0;
		return vga_beam(v);
	}
	return 0xff;
}

void vga_port_write(struct vga *v, unsigned port, uint8_t val)
{
	if (!canonical_port(v, &port))
		return;
	switch (port) {
	case PORT_AR:
		ar_write(v, val);
		break;
	case PORT_MISC_WRITE:
		v->misc = val & ~0x10;
		break;
	case PORT_SEQ:
		v->seq_index = val & 7;
		break;
	case PORT_SEQ + 1:
		if (v->seq_index < VGA_SEQ_REGS)
			v->seq[v->seq_index] = val & seq_mask[v->seq_index];
		break;
	case PORT_DAC_MASK:
		v->dac_mask = val;
		break;
	case PORT_DAC_READ:
		v->dac_read = val;
		v->dac_sub = 0;
		v->dac_state = DAC_READING;
		break;
	case PORT_DAC_WRITE:
		v->dac_write = val;
		v->dac_sub = 0;
		v->dac_state = 0;
		break;
	case PORT_DAC_DATA:
		dac_write(v, val);
		break;
	case PORT_GR:
		v->gr_index = val & 0x0f;
		break;
	case PORT_GR + 1:
		if (v->gr_index < VGA_GR_REGS)
			v->gr[v->gr_index] = val & gr_mask[v->gr_index];
		break;
	case PORT_CR:
		v->cr_index = val & 0x3f;
		break;
	case PORT_CR + 1:
		cr_write(v, val);
		break;
	case PORT_STATUS:
		v->feature = val & 0x08;
		break;
	}
}
