/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The VGA: the window's read and write modes, pictures of the standard modes, the VBE extension.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "hw/display/edid.h"
#include "hw/display/vga.h"

static struct {
	struct aspace mem, io;
	struct pci_bus pci;
	struct clock clock;
	struct vga vga;
	struct surface s;
} b;

static void setup(void)
{
	memset(&b, 0, sizeof(b));
	aspace_init(&b.mem, "memory", 52, NULL);
	aspace_init(&b.io, "io", 16, NULL);
	clock_init(&b.clock, true);
	cr_assert_eq(pci_bus_init(&b.pci, &b.mem, &b.io, NULL), 0);
	cr_assert_eq(vga_init(&b.vga, &b.clock, 1 << 20, 1280, 800), 0);
	cr_assert_eq(vga_map(&b.vga, &b.pci), 0);
	cr_assert_eq(pci_bus_add(&b.pci, &b.vga.func, PCI_DEVFN(2, 0)), 0);
	device_reset(&b.vga.func.dev);
	device_reset(&b.vga.dev);
}

static void teardown(void)
{
	vga_fini(&b.vga);
	surface_fini(&b.s);
}

TestSuite(vga, .init = setup, .fini = teardown);

static void out(unsigned port, unsigned val)
{
	aspace_write(&b.io, port, val, 1);
}

static unsigned in(unsigned port)
{
	return (unsigned)aspace_read(&b.io, port, 1);
}

static void indexed(unsigned port, unsigned index, unsigned val)
{
	out(port, index);
	out(port + 1, val);
}

static void vbe(unsigned reg, unsigned val)
{
	aspace_write(&b.io, 0x1ce, reg, 2);
	aspace_write(&b.io, 0x1cf, val, 2);
}

static unsigned vbe_get(unsigned reg)
{
	aspace_write(&b.io, 0x1ce, reg, 2);
	return (unsigned)aspace_read(&b.io, 0x1d0, 2);
}

/* The register values of IBM's BIOS for its modes. */
struct mode {
	uint8_t misc, seq[5], cr[25], ar[21], gr[9];
};

static const struct mode text80 = {
    0x67,
    {0x03, 0x00, 0x03, 0x00, 0x02},
    {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00,
     0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff},
    {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a,
     0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0x00, 0x0f, 0x08, 0x00},
    {0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff},
};

static const struct mode planar640 = {
    0xe3,
    {0x03, 0x01, 0x0f, 0x00, 0x06},
    {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0x00, 0x40, 0x00, 0x00, 0x00,
     0x00, 0x00, 0x00, 0xea, 0x8c, 0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff},
    {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a,
     0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x01, 0x00, 0x0f, 0x00, 0x00},
    {0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x0f, 0xff},
};

static const struct mode linear320 = {
    0x63,
    {0x03, 0x01, 0x0f, 0x00, 0x0e},
    {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0x41, 0x00, 0x00, 0x00,
     0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff},
    {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a,
     0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x41, 0x00, 0x0f, 0x00, 0x00},
    {0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x05, 0x0f, 0xff},
};

static const struct mode cga320 = {
    0x63,
    {0x03, 0x09, 0x03, 0x00, 0x02},
    {0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0x00, 0xc1, 0x00, 0x00, 0x00,
     0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x14, 0x00, 0x96, 0xb9, 0xa2, 0xff},
    {0x00, 0x13, 0x15, 0x17, 0x02, 0x04, 0x06, 0x07, 0x10, 0x11, 0x12,
     0x13, 0x14, 0x15, 0x16, 0x17, 0x01, 0x00, 0x03, 0x00, 0x00},
    {0x00, 0x00, 0x00, 0x00, 0x00, 0x30, 0x0f, 0x00, 0xff},
};

static void set_mode(const struct mode *m)
{
	out(0x3c2, m->misc);
	for (unsigned n = 0; n < 5; n++)
		indexed(0x3c4, n, m->seq[n]);
	indexed(0x3d4, CR_V_SYNC_END, 0); /* unlocks the rest */
	for (unsigned n = 0; n < 25; n++)
		indexed(0x3d4, n, m->cr[n]);
	for (unsigned n = 0; n < 9; n++)
		indexed(0x3ce, n, m->gr[n]);
	in(0x3da);
	for (unsigned n = 0; n < 21; n++) {
		out(0x3c0, n);
		out(0x3c0, m->ar[n]);
	}
	out(0x3c0, 0x20);
	/* Color n is n * 2^16 + n * 2^10 + 252 - n * 4 */
	out(0x3c8, 0);
	for (unsigned n = 0; n < 256; n++) {
		out(0x3c9, n / 4);
		out(0x3c9, n % 64);
		out(0x3c9, 63 - n % 64);
	}
}

static uint32_t wide(unsigned six)
{
	return six << 2 | six >> 4;
}

static uint32_t color(unsigned n)
{
	return wide(n / 4) << 16 | wide(n % 64) << 8 | wide(63 - n % 64);
}

static void poke(uint32_t addr, unsigned val)
{
	aspace_write(&b.mem, addr, val, 1);
}

static unsigned peek(uint32_t addr)
{
	return (unsigned)aspace_read(&b.mem, addr, 1);
}

static uint32_t dot(unsigned x, unsigned y)
{
	cr_assert(x < b.s.width && y < b.s.height);
	return b.s.pixels[y * b.s.width + x];
}

static void draw(unsigned width, unsigned height)
{
	cr_assert_eq(b.vga.display.draw(b.vga.display.dev, &b.s), 0);
	cr_assert_eq(b.s.width, width);
	cr_assert_eq(b.s.height, height);
}

/* A glyph as BIOSes load fonts: plane 2, planar. */
static void load_glyph(unsigned ch, const uint8_t rows[16])
{
	indexed(0x3c4, SEQ_MAP_MASK, 4);
	indexed(0x3c4, SEQ_MEMORY, 6);
	indexed(0x3ce, GR_MODE, 0);
	indexed(0x3ce, GR_MISC, 4);
	for (unsigned n = 0; n < 16; n++)
		poke(0xa0000 + ch * 32 + n, rows[n]);
	indexed(0x3c4, SEQ_MAP_MASK, 3);
	indexed(0x3c4, SEQ_MEMORY, 2);
	indexed(0x3ce, GR_MODE, 0x10);
	indexed(0x3ce, GR_MISC, 0x0e);
}

Test(vga, text)
{
	static const uint8_t stripes[16] = {0x80, 0x01, 0xff};
	struct text_screen *t = malloc(sizeof(*t));

	set_mode(&text80);
	load_glyph('A', stripes);
	load_glyph(0xc4, stripes);
	indexed(0x3d4, CR_CURSOR_START, 0x20);
	poke(0xb8000, 'A');
	poke(0xb8001, 0x1e);
	poke(0xb8000 + 160 * 24 + 158, 0xc4);
	poke(0xb8000 + 160 * 24 + 159, 0x4f);
	cr_expect_eq(peek(0xb8001), 0x1e);
	cr_expect_eq(peek(0xa0000), 0xff, "outside the window of this mode");

	draw(720, 400);
	/* Yellow is attribute color 3Eh, blue background color 1. */
	cr_expect_eq(dot(0, 0), color(0x3e));
	cr_expect_eq(dot(1, 0), color(0x01));
	cr_expect_eq(dot(7, 1), color(0x3e));
	cr_expect_eq(dot(8, 1), color(0x01), "no ninth dot for letters");
	cr_expect_eq(dot(7, 2), color(0x3e));
	cr_expect_eq(dot(711, 384 + 0), color(0x3f));
	cr_expect_eq(dot(718, 385), color(0x3f));
	cr_expect_eq(dot(719, 385), color(0x3f), "line graphics have it");
	cr_expect_eq(dot(719, 384), color(0x04));

	cr_assert(b.vga.display.text(b.vga.display.dev, t));
	cr_expect_eq(t->columns, 80);
	cr_expect_eq(t->rows, 25);
	cr_expect_eq(t->cell[0][0].ch, 'A');
	cr_expect_eq(t->cell[24][79].attr, 0x4f);
	cr_expect(!t->cursor);
	indexed(0x3d4, CR_CURSOR_START, 0x0d);
	indexed(0x3d4, CR_CURSOR_LOW, 82);
	b.vga.display.text(b.vga.display.dev, t);
	cr_expect(t->cursor);
	cr_expect_eq(t->cursor_x, 2);
	cr_expect_eq(t->cursor_y, 1);
	draw(720, 400);
	cr_expect_eq(dot(18, 16 + 13), dot(26, 16 + 14));
	free(t);
}

Test(vga, text_scrolls_by_lines_and_splits)
{
	static const uint8_t solid[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	set_mode(&text80);
	load_glyph(1, solid);
	indexed(0x3d4, CR_CURSOR_START, 0x20);
	poke(0xb8000 + 160, 1);
	poke(0xb8000 + 161, 7);
	draw(720, 400);
	cr_expect_eq(dot(0, 15), color(0));
	cr_expect_eq(dot(0, 16), color(7));
	indexed(0x3d4, CR_PRESET_ROW, 4);
	draw(720, 400);
	cr_expect_eq(dot(0, 11), color(0));
	cr_expect_eq(dot(0, 12), color(7));
	cr_expect_eq(dot(0, 28), color(0));
	/* From line 201 on the top of memory again. */
	indexed(0x3d4, CR_OVERFLOW, text80.cr[CR_OVERFLOW] & ~0x10);
	indexed(0x3d4, CR_MAX_SCAN, text80.cr[CR_MAX_SCAN] & ~0x40);
	indexed(0x3d4, CR_LINE_COMPARE, 200);
	draw(720, 400);
	cr_expect_eq(dot(0, 216), color(0));
	cr_expect_eq(dot(0, 217), color(7));
}

Test(vga, planar)
{
	set_mode(&planar640);
	/* Write mode 2: a color; the bit mask selects dots. */
	indexed(0x3ce, GR_MODE, 2);
	indexed(0x3ce, GR_BIT_MASK, 0x40);
	peek(0xa0000 + 80);
	poke(0xa0000 + 80, 0x05);
	draw(640, 480);
	cr_expect_eq(dot(0, 1), color(0));
	cr_expect_eq(dot(1, 1), color(0x05));
	cr_expect_eq(dot(2, 1), color(0));

	/* Set/reset, rotated data, XOR with the latches. */
	indexed(0x3ce, GR_MODE, 0);
	indexed(0x3ce, GR_BIT_MASK, 0xff);
	indexed(0x3ce, GR_SET_RESET, 0x02);
	indexed(0x3ce, GR_ENABLE_SET_RESET, 0x02);
	indexed(0x3ce, GR_ROTATE, 0x18 | 1);
	peek(0xa0000 + 80);
	poke(0xa0000 + 80, 0x80); /* rotated: 40h */
	draw(640, 480);
	/* Plane 0: 40 ^ 40, plane 1: ff, plane 2: 40 ^ 40, plane 3: 40. */
	cr_expect_eq(dot(1, 1), dot(1, 1));
	indexed(0x3ce, GR_READ_MAP, 0);
	cr_expect_eq(peek(0xa0000 + 80), 0x00);
	indexed(0x3ce, GR_READ_MAP, 1);
	cr_expect_eq(peek(0xa0000 + 80), 0xff);
	indexed(0x3ce, GR_READ_MAP, 3);
	cr_expect_eq(peek(0xa0000 + 80), 0x40);
	cr_expect_eq(dot(1, 1), color(0x3a)); /* attribute 10 */
	cr_expect_eq(dot(0, 1), color(0x02));

	/* Write mode 1 copies latches, write mode 3 masks set/reset by data. */
	indexed(0x3ce, GR_MODE, 1);
	peek(0xa0000 + 80);
	poke(0xa0000 + 160, 0);
	cr_expect_eq(peek(0xa0000 + 160), 0x40);
	indexed(0x3ce, GR_MODE, 3);
	indexed(0x3ce, GR_ROTATE, 0);
	indexed(0x3ce, GR_SET_RESET, 0x0f);
	peek(0xa0000 + 240);
	poke(0xa0000 + 240, 0x18);
	cr_expect_eq(peek(0xa0000 + 240), 0x18);

	/* Read mode 1: which dots have this color. */
	indexed(0x3ce, GR_MODE, 8);
	indexed(0x3ce, GR_COMPARE, 0x0f);
	indexed(0x3ce, GR_DONT_CARE, 0x0f);
	cr_expect_eq(peek(0xa0000 + 240), 0x18);
	indexed(0x3ce, GR_COMPARE, 0x07);
	cr_expect_eq(peek(0xa0000 + 240), 0x00);
	indexed(0x3ce, GR_DONT_CARE, 0x00);
	cr_expect_eq(peek(0xa0000 + 240), 0xff);
}

Test(vga, linear_256)
{
	set_mode(&linear320);
	poke(0xa0000, 200);
	poke(0xa0000 + 320 * 199 + 319, 77);
	cr_expect_eq(peek(0xa0000), 200);
	draw(640, 400);
	cr_expect_eq(dot(0, 0), color(200));
	cr_expect_eq(dot(1, 1), color(200));
	cr_expect_eq(dot(2, 0), color(0));
	cr_expect_eq(dot(639, 399), color(77));
	out(0x3c6, 0x0f);
	draw(640, 400);
	cr_expect_eq(dot(0, 0), color(200 & 15));
}

Test(vga, cga_interleaved)
{
	set_mode(&cga320);
	poke(0xb8000, 0x1b); /* colors 0 1 2 3 */
	poke(0xb8000 + 0x2000 + 79, 0x03);
	draw(640, 400);
	cr_expect_eq(dot(0, 0), color(0));
	cr_expect_eq(dot(2, 0), color(0x13));
	cr_expect_eq(dot(4, 1), color(0x15));
	cr_expect_eq(dot(7, 0), color(0x17));
	cr_expect_eq(dot(639, 2), color(0x17));
	cr_expect_eq(dot(639, 1), color(0));
}

Test(vga, blank_until_programmed)
{
	draw(720, 400);
	for (unsigned n = 0; n < 720 * 400; n++)
		cr_assert_eq(b.s.pixels[n], 0);
}

Test(vga, ports)
{
	set_mode(&text80);
	cr_expect_eq(in(0x3cc), 0x67);
	out(0x3b4, 0x0f);
	cr_expect_eq(in(0x3b4), 0xff, "a color adapter has no port there");
	out(0x3c2, 0x66);
	cr_expect_eq(in(0x3d4), 0xff);
	cr_expect_eq(in(0x3b4), 0x18);
	out(0x3c2, 0x67);
	/* Locked registers keep their values. */
	indexed(0x3d4, CR_H_TOTAL, 0);
	cr_expect_eq(in(0x3d5), 0x5f);
	/* Both retraces come round. */
	unsigned seen = 0;
	for (unsigned n = 0; n < 3000; n++) {
		unsigned s = in(0x3da);
		seen |= 1u << (s & 1) | (s & 8 ? 4 : 8);
		cr_assert(!(s & 8) || s & 1);
		clock_step(&b.clock, 9000);
	}
	cr_expect_eq(seen, 15);
	/* DAC: three writes make a color; reads follow their own index. */
	out(0x3c8, 50);
	out(0x3c9, 1);
	out(0x3c9, 2);
	out(0x3c7, 50);
	cr_expect_eq(in(0x3c7), 3);
	cr_expect_neq(in(0x3c9), 1);
	out(0x3c8, 50);
	out(0x3c9, 0xff);
	out(0x3c9, 2);
	out(0x3c9, 3);
	out(0x3c7, 50);
	cr_expect_eq(in(0x3c9), 0x3f);
	cr_expect_eq(in(0x3c9), 2);
	cr_expect_eq(in(0x3c9), 3);
}

Test(vga, vbe_true_color)
{
	pci_config_write(&b.vga.func, PCI_BAR0, 0xe0000000, 4);
	pci_config_write(&b.vga.func, PCI_BAR0 + 8, 0xe1000000, 4);
	pci_config_write(&b.vga.func, PCI_COMMAND, PCI_CMD_MEM, 2);
	cr_expect_eq(vbe_get(VBE_ID), 0xb0c5);
	cr_expect_eq(vbe_get(VBE_MEMORY_64K), 16);
	vbe(VBE_XRES, 320);
	vbe(VBE_YRES, 200);
	vbe(VBE_BPP, 32);
	vbe(VBE_ENABLE, VBE_ENABLED | VBE_LFB);
	aspace_write(&b.mem, 0xe0000000 + (320 * 10 + 5) * 4, 0x00123456, 4);
	draw(320, 200);
	cr_expect_eq(dot(5, 10), 0x123456);
	/* Bank 0 of the window is the same memory. */
	cr_expect_eq(peek(0xa0000 + (320 * 10 + 5) * 4), 0x56);
	/* Panning. */
	vbe(VBE_VIRT_WIDTH, 640);
	cr_expect_eq(vbe_get(VBE_VIRT_HEIGHT), (1 << 20) / 640 / 4);
	vbe(VBE_X_OFFSET, 5);
	vbe(VBE_Y_OFFSET, 5);
	draw(320, 200);
	cr_expect_eq(dot(0, 0), 0x123456);
	vbe(VBE_Y_OFFSET, 300);
	cr_expect_eq(vbe_get(VBE_Y_OFFSET), 5, "the screen would leave memory");
	/* Not without memory for it. */
	vbe(VBE_ENABLE, 0);
	vbe(VBE_XRES, 1024);
	vbe(VBE_YRES, 768);
	vbe(VBE_ENABLE, VBE_ENABLED);
	cr_expect_eq(vbe_get(VBE_ENABLE), 0);
	/* The registers again in BAR 2, and the monitor's description. */
	cr_expect_eq(aspace_read(&b.mem, 0xe1000502, 2), 1024);
	aspace_write(&b.mem, 0xe1000506, 16, 2);
	cr_expect_eq(vbe_get(VBE_BPP), 16);
	cr_expect_eq(aspace_read(&b.mem, 0xe1000000, 8), 0x00ffffffffffff00);
}

Test(vga, vbe_palette_and_high_color)
{
	static const struct {
		unsigned bpp;
		uint32_t val, shown;
	} t[] = {
	    {8, 9, 0x808080},           {15, 0x7c00, 0xff0000}, {15, 0x001f, 0x0000ff},
	    {16, 0x07e0, 0x00ff00},     {16, 0xffff, 0xffffff}, {24, 0xabcdef, 0xabcdef},
	    {32, 0xff010203, 0x010203},
	};

	for (unsigned n = 0; n < sizeof(t) / sizeof(t[0]); n++) {
		vbe(VBE_ENABLE, 0);
		vbe(VBE_XRES, 64);
		vbe(VBE_YRES, 4);
		vbe(VBE_BPP, t[n].bpp);
		vbe(VBE_ENABLE, VBE_ENABLED | VBE_8BIT_DAC);
		out(0x3c8, 9);
		for (unsigned k = 0; k < 3; k++)
			out(0x3c9, 0x80);
		memcpy(b.vga.vram.host, &t[n].val, 4);
		draw(64, 4);
		cr_expect_eq(dot(0, 0), t[n].shown, "%u bits: %06x", t[n].bpp, dot(0, 0));
	}
}

/* The surface of the viewer; it ends like one that is drawn as a whole. */
static void update(unsigned y, unsigned height)
{
	static struct surface watched;
	struct rect r;

	cr_assert_eq(b.vga.display.update(&b.vga, &watched, &r), 0);
	cr_expect_eq(r.height, height, "%u lines from %u", r.height, r.y);
	if (height) {
		cr_expect_eq(r.y, y);
		cr_expect_eq(r.x, 0);
		cr_expect_eq(r.width, watched.width);
	}
	draw(watched.width, watched.height);
	cr_expect_eq(memcmp(watched.pixels, b.s.pixels, watched.width * watched.height * 4), 0);
}

Test(vga, update_of_text)
{
	static const uint8_t stripes[16] = {0x80, 0x01, 0xff};

	set_mode(&text80);
	load_glyph('A', stripes);
	indexed(0x3d4, CR_CURSOR_START, 0x20);
	update(0, 400);
	update(0, 0);
	/* The lines of two glyphs that show something; the same again. */
	poke(0xb8000 + 160 * 3, 'A');
	poke(0xb8000 + 160 * 3 + 1, 0x0f);
	update(48, 3);
	poke(0xb8000 + 160 * 3, 'A');
	update(0, 0);
	/* What blinks. */
	poke(0xb8000 + 160 * 3 + 1, 0x8f);
	update(0, 0);
	clock_step(&b.clock, 33 * NSEC_PER_SEC / 60);
	update(48, 3);
	update(0, 0);
	/* Registers are all of the picture. */
	out(0x3c8, 0x3f);
	out(0x3c9, 1);
	out(0x3c9, 1);
	out(0x3c9, 1);
	update(0, 400);
	out(0x3c7, 0x3f);
	update(0, 0);
}

Test(vga, update_of_vbe)
{
	pci_config_write(&b.vga.func, PCI_BAR0, 0xe0000000, 4);
	pci_config_write(&b.vga.func, PCI_COMMAND, PCI_CMD_MEM, 2);
	vbe(VBE_XRES, 512);
	vbe(VBE_YRES, 256);
	vbe(VBE_BPP, 32);
	vbe(VBE_ENABLE, VBE_ENABLED | VBE_LFB);
	update(0, 256);
	update(0, 0);
	/* A page is two lines. */
	aspace_write(&b.mem, 0xe0000000 + 2048 * 11, 0xffffff, 4);
	aspace_write(&b.mem, 0xe0000000 + 2048 * 14, 0xffffff, 4);
	update(10, 6);
	poke(0xa0000 + 2048 * 31, 0xff);
	update(30, 2);
	/* Below the screen. */
	aspace_write(&b.mem, 0xe0000000 + 2048 * 256, 0xffffff, 4);
	update(0, 0);
	vbe(VBE_Y_OFFSET, 1);
	update(0, 256);
	aspace_write(&b.mem, 0xe0000000 + 2048 * 256, 0xff, 4);
	update(255, 1);
}

Test(vga, edid_checksum)
{
	uint8_t e[EDID_SIZE], sum = 0;

	edid_make(e, 1280, 800);
	for (unsigned n = 0; n < EDID_SIZE; n++)
		sum = (uint8_t)(sum + e[n]);
	cr_expect_eq(sum, 0);
	cr_expect_eq(e[54 + 2] | (e[54 + 4] & 0xf0) << 4, 1280);
	cr_expect_eq(e[54 + 5] | (e[54 + 7] & 0xf0) << 4, 800);
}

/* Whatever the guest writes, nothing outside of video memory is touched and pictures end. */
Test(vga, anything_goes)
{
	struct text_screen *t = malloc(sizeof(*t));
	unsigned seed = 1;

	for (unsigned n = 0; n < 200000; n++) {
		unsigned r = (unsigned)rand_r(&seed), v = (unsigned)rand_r(&seed) >> 3;

		if (r % 4 == 0)
			poke(0xa0000 + r / 4 % 0x20000, v);
		else if (r % 4 == 1)
			peek(0xa0000 + r / 4 % 0x20000);
		else if (r % 8 == 2)
			vbe(r / 8 % 16, v % 3 ? v % 64 : v);
		else if (r % 64 == 3)
			in(0x3b0 + r / 64 % 48);
		else
			out(0x3b4 + r / 64 % 39, v);
		if (n % 500 == 0) {
			if (b.vga.vbe[VBE_XRES] > 2000 && vga_vbe_on(&b.vga))
				vbe(VBE_ENABLE, 0);
			cr_assert_eq(b.vga.display.draw(b.vga.display.dev, &b.s), 0);
			b.vga.display.text(b.vga.display.dev, t);
		}
	}
	free(t);
}
