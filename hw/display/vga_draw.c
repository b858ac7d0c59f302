/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The picture: what the CRT controller, the shift registers, the attribute controller and the DAC make of
 * video memory, line by line; and the extension's linear modes.
 */
#include <string.h>

#include "hw/display/vga.h"

enum {
	CLOCK_HALVED = 0x08, /* SEQ_CLOCKING */
	SCREEN_OFF = 0x20,
	GRAPHICS = 0x01,  /* GR_MISC */
	SHIFT_CGA = 0x20, /* GR_MODE */
	SHIFT_256 = 0x40,
	AR_GRAPHICS = 0x01, /* AR_MODE */
	AR_MONO = 0x02,
	AR_NINTH = 0x04,
	AR_BLINK = 0x08,
	AR_SPLIT_PAN = 0x20,
	AR_P54S = 0x80,
	VIDEO_ON = 0x20,  /* attribute index */
	CR_DOUBLE = 0x80, /* CR_MAX_SCAN */
	CR_DWORD = 0x40,  /* CR_UNDERLINE */
	CR_BYTE = 0x40,   /* CR_MODE */
	CR_WRAP = 0x20,
	CURSOR_OFF = 0x20,
};

/* Characters of a line at most, and one more for panning. */
#define MAX_CHARS 257u

struct picture {
	struct vga *v;
	unsigned chars, char_dots, dots; /* of a line; dots as shown */
	bool text, half;
	bool cursor_on, blink_off; /* in this phase of blinking */
	uint32_t cursor;           /* counter */
	uint32_t color[256], palette[16];
};

static uint32_t dac_color(const struct vga *v, unsigned n)
{
	const uint8_t *c = &v->dac[(n & v->dac_mask) * 3];
	uint32_t r = c[0], g = c[1], b = c[2];

	if (!(v->vbe[VBE_ENABLE] & VBE_8BIT_DAC)) {
		r = r << 2 | r >> 4;
		g = g << 2 | g >> 4;
		b = b << 2 | b >> 4;
	}
	return (r & 0xff) << 16 | (g & 0xff) << 8 | (b & 0xff);
}

static uint32_t attribute_color(const struct vga *v, unsigned n)
{
	unsigned c = v->ar[n & v->ar[AR_PLANES] & 15];

	if (v->ar[AR_MODE] & AR_P54S)
		c = (c & 0x0f) | (v->ar[AR_COLOR] & 3u) << 4;
	return dac_color(v, (c & 0x3f) | (v->ar[AR_COLOR] & 0x0cu) << 4);
}

uint32_t vga_fetch_at(const struct vga *v, uint32_t counter, unsigned row)
{
	uint32_t a = counter & 0xffff;

	if (v->cr[CR_UNDERLINE] & CR_DWORD)
		a = a << 2 | a >> 14;
	else if (!(v->cr[CR_MODE] & CR_BYTE))
		a = a << 1 | (a >> (v->cr[CR_MODE] & CR_WRAP ? 15 : 13) & 1);
	/* The CGA's and Hercules' interleaved lines. */
	if (!(v->cr[CR_MODE] & 1))
		a = (a & ~0x2000u) | (row & 1) << 13;
	if (!(v->cr[CR_MODE] & 2))
		a = (a & ~0x4000u) | (row >> 1 & 1) << 14;
	return (a & 0xffff) * 4;
}

static const uint8_t *fetch(const struct vga *v, uint32_t counter, unsigned row)
{
	return v->vram.host + vga_fetch_at(v, counter, row);
}

/* ---- a line of character clocks ---- */

static uint8_t glyph(const struct vga *v, uint8_t ch, uint8_t attr, unsigned row)
{
	static const uint16_t map[8] = {0x0000, 0x4000, 0x8000, 0xc000,
					0x2000, 0x6000, 0xa000, 0xe000};
	unsigned f = v->seq[SEQ_FONT];
	unsigned n = attr & 8 ? (f >> 2 & 3) | (f >> 5 & 1) << 2 : (f & 3) | (f >> 4 & 1) << 2;

	return v->vram.host[(map[n] + ch * 32u + row) * 4 + 2];
}

static void text_char(const struct picture *p, uint32_t counter, unsigned row, uint32_t *out)
{
	const struct vga *v = p->v;
	const uint8_t *cell = fetch(v, counter, row);
	uint8_t ch = cell[0], attr = cell[1], bits = glyph(v, ch, attr, row);
	unsigned fg = attr & 15, bg = attr >> 4;
	bool ninth = v->ar[AR_MODE] & AR_NINTH && (ch & 0xe0) == 0xc0 && bits & 1;

	if (v->ar[AR_MODE] & AR_BLINK) {
		bg &= 7;
		if (attr & 0x80 && p->blink_off)
			fg = bg;
	}
	if (v->ar[AR_MODE] & AR_MONO && (attr & 7) == 1 && row == (v->cr[CR_UNDERLINE] & 0x1fu)) {
		bits = 0xff;
		ninth = true;
	}
	if (p->cursor_on && (counter & 0xffff) == p->cursor &&
	    row >= (v->cr[CR_CURSOR_START] & 0x1fu) && row <= (v->cr[CR_CURSOR_END] & 0x1fu)) {
		bits = 0xff;
		ninth = true;
	}
	for (unsigned n = 0; n < 8; n++)
		out[n] = p->palette[bits << n & 0x80 ? fg : bg];
	if (p->char_dots == 9)
		out[8] = p->palette[ninth ? fg : bg];
}

static void graphics_char(const struct picture *p, uint32_t counter, unsigned row, uint32_t *out)
{
	const struct vga *v = p->v;
	const uint8_t *b = fetch(v, counter, row);

	for (unsigned n = 0; n < 8; n++) {
		unsigned c = 0;

		if (v->gr[GR_MODE] & SHIFT_256) {
			out[n] = p->color[b[n / 2]];
			continue;
		}
		if (v->gr[GR_MODE] & SHIFT_CGA) {
			unsigned shift = 6 - n % 4 * 2, half = n / 4;
			c = (b[half] >> shift & 3u) | (b[half + 2] >> shift & 3u) << 2;
		} else {
			for (unsigned plane = 0; plane < 4; plane++)
				c |= (b[plane] >> (7 - n) & 1u) << plane;
		}
		out[n] = p->palette[c];
	}
	if (p->char_dots == 9)
		out[8] = p->palette[0];
}

static void draw_line(const struct picture *p, uint32_t counter, unsigned row, unsigned pan,
		      uint32_t *out)
{
	uint32_t line[MAX_CHARS * 9];

	for (unsigned c = 0; c <= p->chars; c++) {
		if (p->text)
			text_char(p, counter + c, row, line + c * p->char_dots);
		else
			graphics_char(p, counter + c, row, line + c * p->char_dots);
	}
	for (unsigned n = 0; n < p->dots; n++)
		out[n] = line[pan + (p->half ? n / 2 : n)];
}

static unsigned panning(const struct picture *p)
{
	unsigned pan = p->v->ar[AR_PANNING] & 15;

	if (p->char_dots == 9)
		return pan >= 8 ? 0 : pan + 1;
	return pan & 7;
}

static uint32_t cr16(const struct vga *v, unsigned high)
{
	return (uint32_t)v->cr[high] << 8 | v->cr[high + 1];
}

/* Lines from 0 on are put together to what they lie in. */
static void add_line(struct rect *changed, const struct surface *s, unsigned y)
{
	if (!changed->height)
		*changed = (struct rect){.y = y, .width = s->width};
	changed->height = y - changed->y + 1;
}

static void draw_lines(const struct picture *p, struct surface *s, struct rect *changed)
{
	const struct vga *v = p->v;
	unsigned over = v->cr[CR_OVERFLOW], max = v->cr[CR_MAX_SCAN];
	unsigned split = v->cr[CR_LINE_COMPARE] | (over & 0x10) << 4 | (max & 0x40) << 3;
	uint32_t counter = cr16(v, CR_START_HIGH) + (v->cr[CR_PRESET_ROW] >> 5 & 3);
	unsigned row = v->cr[CR_PRESET_ROW] & 0x1f, pan = panning(p);
	bool again = false;

	for (unsigned y = 0; y < s->height; y++) {
		uint32_t *out = s->pixels + (size_t)y * s->width, line[MAX_CHARS * 9 * 2];

		draw_line(p, counter, row, pan, line);
		if (memcmp(out, line, s->width * sizeof(*out)) != 0) {
			memcpy(out, line, s->width * sizeof(*out));
			add_line(changed, s, y);
		}
		again = max & CR_DOUBLE && !again;
		if (!again && row++ == (max & 0x1f)) {
			row = 0;
			counter += v->cr[CR_OFFSET] * 2u;
		}
		row &= 0x1f;
		if (y == split) {
			counter = 0;
			row = 0;
			again = false;
			if (v->ar[AR_MODE] & AR_SPLIT_PAN)
				pan = p->char_dots == 9 && p->text ? 1 : 0;
		}
	}
}

/* ---- the extension ---- */

static uint32_t pixel(const struct picture *p, const uint8_t *at, unsigned bpp)
{
	uint32_t v;

	switch (bpp) {
	case 8:
		return p->color[*at];
	case 15:
		v = (uint32_t)at[0] | (uint32_t)at[1] << 8;
		return (v >> 10 & 31) * 255 / 31 << 16 | (v >> 5 & 31) * 255 / 31 << 8 |
		       (v & 31) * 255 / 31;
	case 16:
		v = (uint32_t)at[0] | (uint32_t)at[1] << 8;
		return (v >> 11 & 31) * 255 / 31 << 16 | (v >> 5 & 63) * 255 / 63 << 8 |
		       (v & 31) * 255 / 31;
	}
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;
}

/* Where column x of line y begins in memory, and how many bytes it takes. */
static size_t vbe_at(const struct vga *v, unsigned x, unsigned y, unsigned *size)
{
	size_t line = (v->vbe[VBE_Y_OFFSET] + (size_t)y) * vga_vbe_pitch(v);
	size_t column = (size_t)v->vbe[VBE_X_OFFSET] + x;
	bool planes = v->vbe[VBE_BPP] == 4;

	*size = planes ? 4 : (v->vbe[VBE_BPP] + 7u) / 8;
	return line + (planes ? column / 8 : column) * *size;
}

static void draw_vbe_line(const struct picture *p, struct surface *s, unsigned y)
{
	const struct vga *v = p->v;
	unsigned bpp = v->vbe[VBE_BPP], x0 = v->vbe[VBE_X_OFFSET];
	uint32_t *out = s->pixels + (size_t)y * s->width;

	for (unsigned x = 0; x < s->width; x++) {
		unsigned size, c = 0;
		size_t at = vbe_at(v, x, y, &size);
		const uint8_t *b = v->vram.host + at;

		if (at + size > v->vram.size) {
			out[x] = 0;
		} else if (bpp == 4) {
			for (unsigned plane = 0; plane < 4; plane++)
				c |= (b[plane] >> (7 - (x0 + x) % 8) & 1u) << plane;
			out[x] = p->palette[c];
		} else {
			out[x] = pixel(p, b, bpp);
		}
	}
}

static bool vbe_line_changed(const struct vga *v, const struct surface *s, unsigned y)
{
	unsigned size;
	size_t from = vbe_at(v, 0, y, &size), to = vbe_at(v, s->width - 1, y, &size) + size;

	return dirty_log_changed(&v->log, from, to - from);
}

/* ---- */

static void begin(struct picture *p, struct vga *v)
{
	/* As the VGA divides its vertical retraces, 60 of them a second. */
	uint64_t frames = muldiv64(clock_now(v->clock), 60, NSEC_PER_SEC);

	memset(p, 0, sizeof(*p));
	p->v = v;
	p->char_dots = vga_char_dots(v);
	p->chars = v->cr[CR_H_DISPLAY_END] + 1u;
	p->text = !(v->gr[GR_MISC] & GRAPHICS);
	p->half = v->seq[SEQ_CLOCKING] & CLOCK_HALVED;
	p->dots = p->chars * p->char_dots << p->half;
	p->cursor_on = !(v->cr[CR_CURSOR_START] & CURSOR_OFF) && !(frames & 16);
	p->blink_off = frames & 32;
	p->cursor = (cr16(v, CR_CURSOR_HIGH) + (v->cr[CR_CURSOR_END] >> 5 & 3)) & 0xffff;
	for (unsigned n = 0; n < 256; n++)
		p->color[n] = dac_color(v, n);
	for (unsigned n = 0; n < 16; n++)
		p->palette[n] = attribute_color(v, n);
}

static bool blank(const struct vga *v)
{
	return !(v->ar_index & VIDEO_ON) || v->seq[SEQ_CLOCKING] & SCREEN_OFF;
}

static int draw(const struct picture *p, struct surface *s)
{
	const struct vga *v = p->v;
	struct rect changed = {0};
	int err;

	if (vga_vbe_on(v)) {
		err = surface_resize(s, v->vbe[VBE_XRES], v->vbe[VBE_YRES]);
		for (unsigned y = 0; err == 0 && y < s->height; y++)
			draw_vbe_line(p, s, y);
		return err;
	}
	if (blank(v)) {
		/* The monitor stays as it was, but dark. */
		err = s->pixels ? 0 : surface_resize(s, 720, 400);
		if (err == 0)
			memset(s->pixels, 0, (size_t)s->width * s->height * sizeof(*s->pixels));
		return err;
	}
	err = surface_resize(s, p->dots, vga_lines(v));
	if (err == 0)
		draw_lines(p, s, &changed);
	return err;
}

int vga_draw(void *dev, struct surface *s)
{
	struct picture p;

	begin(&p, dev);
	return draw(&p, s);
}

/* ---- only what has changed ---- */

static void look(const struct vga *v, struct vga_look *l)
{
	memset(l, 0, sizeof(*l));
	memcpy(l->seq, v->seq, sizeof(l->seq));
	memcpy(l->gr, v->gr, sizeof(l->gr));
	memcpy(l->cr, v->cr, sizeof(l->cr));
	memcpy(l->ar, v->ar, sizeof(l->ar));
	memcpy(l->dac, v->dac, sizeof(l->dac));
	memcpy(l->vbe, v->vbe, sizeof(l->vbe));
	l->vbe[VBE_BANK] = 0; /* the window's */
	l->dac_mask = v->dac_mask;
	l->misc = v->misc;
	l->dark = blank(v);
}

static void update_lines(const struct picture *p, struct surface *s, struct rect *changed)
{
	const struct vga *v = p->v;

	if (vga_vbe_on(v)) {
		for (unsigned y = 0; y < s->height; y++)
			if (vbe_line_changed(v, s, y)) {
				draw_vbe_line(p, s, y);
				add_line(changed, s, y);
			}
	} else if (!blank(v)) {
		draw_lines(p, s, changed);
	}
}

int vga_update(void *dev, struct surface *s, struct rect *changed)
{
	struct vga *v = dev;
	struct vga_look now;
	struct picture p;
	unsigned phase;
	int err;

	*changed = (struct rect){0};
	if (!v->log.ram && (err = dirty_log_init(&v->log, v->mem, &v->vram, 0, v->vram.size)) < 0)
		return err;
	bool written = dirty_log_ask(&v->log) != 0;
	begin(&p, v);
	look(v, &now);
	phase = p.text ? p.cursor_on | p.blink_off << 1 : 0;
	if (!s->pixels || memcmp(&now, &v->look, sizeof(now)) != 0) {
		err = draw(&p, s);
		if (err < 0)
			return err;
		*changed = (struct rect){.width = s->width, .height = s->height};
	} else if (written || phase != v->phase) {
		update_lines(&p, s, changed);
	}
	v->look = now;
	v->phase = phase;
	return 0;
}

void vga_redraw(struct vga *v)
{
	memset(&v->look, 0xff, sizeof(v->look)); /* like no look there is */
}

bool vga_text(void *dev, struct text_screen *t)
{
	struct vga *v = dev;
	struct picture p;
	uint32_t counter = cr16(v, CR_START_HIGH);
	unsigned height = (v->cr[CR_MAX_SCAN] & 0x1fu) + 1;

	if (vga_vbe_on(v) || v->gr[GR_MISC] & GRAPHICS)
		return false;
	begin(&p, v);
	if (v->cr[CR_MAX_SCAN] & CR_DOUBLE)
		height *= 2;
	t->columns = p.chars < TEXT_MAX_COLUMNS ? p.chars : TEXT_MAX_COLUMNS;
	t->rows = vga_lines(v) / height;
	if (t->rows > TEXT_MAX_ROWS)
		t->rows = TEXT_MAX_ROWS;
	t->cursor = false;
	memcpy(t->color, p.palette, sizeof(t->color));
	for (unsigned y = 0; y < t->rows; y++, counter += v->cr[CR_OFFSET] * 2u) {
		for (unsigned x = 0; x < t->columns; x++) {
			const uint8_t *cell = fetch(v, counter + x, 0);

			t->cell[y][x] = blank(v) ? (struct text_cell){' ', 0}
						 : (struct text_cell){cell[0], cell[1]};
			if (((counter + x) & 0xffff) == p.cursor &&
			    !(v->cr[CR_CURSOR_START] & CURSOR_OFF)) {
				t->cursor = true;
				t->cursor_x = x;
				t->cursor_y = y;
			}
		}
	}
	return true;
}
