/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A VGA with the VBE extensions of Bochs ("dispi"), as a PCI function: the standard register set of IBM's
 * VGA (Personal System/2 Hardware Interface Technical Reference, Video Subsystems), 16 MiB of video
 * memory behind BAR 0, and the ports again in BAR 2.
 *
 * Video memory is four planes side by side: byte a of plane p is at 4 * a + p, which makes the linear
 * modes of the extension the plain order of bytes.
 */
#ifndef HW_DISPLAY_VGA_H
#define HW_DISPLAY_VGA_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/clock.h"
#include "hw/device_type.h"
#include "hw/display/display.h"
#include "hw/pci.h"
#include "mmu/dirty.h"
#include "mmu/ram.h"

#define VGA_WINDOW_BASE 0xa0000u
#define VGA_WINDOW_SIZE 0x20000u
#define VGA_MEMORY_MIN  (1u << 20)
#define VGA_MEMORY_MAX  (256u << 20)

/* Sequencer */
enum { SEQ_RESET, SEQ_CLOCKING, SEQ_MAP_MASK, SEQ_FONT, SEQ_MEMORY, VGA_SEQ_REGS };
/* Graphics controller */
enum {
	GR_SET_RESET,
	GR_ENABLE_SET_RESET,
	GR_COMPARE,
	GR_ROTATE,
	GR_READ_MAP,
	GR_MODE,
	GR_MISC,
	GR_DONT_CARE,
	GR_BIT_MASK,
	VGA_GR_REGS
};
/* CRT controller */
enum {
	CR_H_TOTAL = 0x00,
	CR_H_DISPLAY_END = 0x01,
	CR_V_TOTAL = 0x06,
	CR_OVERFLOW = 0x07,
	CR_PRESET_ROW = 0x08,
	CR_MAX_SCAN = 0x09,
	CR_CURSOR_START = 0x0a,
	CR_CURSOR_END = 0x0b,
	CR_START_HIGH = 0x0c,
	CR_START_LOW = 0x0d,
	CR_CURSOR_HIGH = 0x0e,
	CR_CURSOR_LOW = 0x0f,
	CR_V_SYNC_START = 0x10,
	CR_V_SYNC_END = 0x11,
	CR_V_DISPLAY_END = 0x12,
	CR_OFFSET = 0x13,
	CR_UNDERLINE = 0x14,
	CR_MODE = 0x17,
	CR_LINE_COMPARE = 0x18,
	VGA_CR_REGS = 0x19
};
/* Attribute controller; 0-15 are the palette */
enum {
	AR_MODE = 0x10,
	AR_OVERSCAN = 0x11,
	AR_PLANES = 0x12,
	AR_PANNING = 0x13,
	AR_COLOR = 0x14,
	VGA_AR_REGS = 0x15
};
/* Bochs VBE */
enum {
	VBE_ID,
	VBE_XRES,
	VBE_YRES,
	VBE_BPP,
	VBE_ENABLE,
	VBE_BANK,
	VBE_VIRT_WIDTH,
	VBE_VIRT_HEIGHT,
	VBE_X_OFFSET,
	VBE_Y_OFFSET,
	VBE_MEMORY_64K,
	VBE_REGS
};
enum {
	VBE_ENABLED = 0x01,
	VBE_GETCAPS = 0x02,
	VBE_8BIT_DAC = 0x20,
	VBE_LFB = 0x40,
	VBE_NOCLEAR = 0x80,
};

/* All but memory that the picture depends on. */
struct vga_look {
	uint8_t seq[VGA_SEQ_REGS], gr[VGA_GR_REGS], cr[VGA_CR_REGS], ar[VGA_AR_REGS];
	uint8_t misc, dac_mask, dac[768];
	uint16_t vbe[VBE_REGS];
	bool dark;
};

struct vga {
	struct pci_func func;
	struct device dev;
	struct clock *clock;
	struct aspace *mem; /* that vram is seen in */
	struct ram vram;
	uint8_t misc, feature;
	uint8_t seq_index, seq[VGA_SEQ_REGS];
	uint8_t gr_index, gr[VGA_GR_REGS];
	uint8_t cr_index, cr[VGA_CR_REGS];
	uint8_t ar_index, ar_data, ar[VGA_AR_REGS]; /* ar_data: the next write is data */
	uint8_t dac_mask, dac_state, dac_read, dac_write, dac_sub, dac_new[3], dac[768];
	uint8_t latch[4];
	uint16_t vbe_index, vbe[VBE_REGS];
	uint8_t edid[256];
	struct display display;
	/* For vga_update(): as that last saw it; nothing is logged before. */
	struct dirty_log log;
	struct vga_look look;
	unsigned phase; /* of what blinks */
};

extern const struct device_type vga_type;

/* memory: bytes, a power of two from VGA_MEMORY_MIN to VGA_MEMORY_MAX; width, height: of the monitor, each
 * from EDID_MIN to EDID_MAX. 0, -EINVAL or -ENOMEM. */
int vga_init(struct vga *v, struct clock *clock, uint64_t memory, unsigned width, unsigned height);
void vga_fini(struct vga *v);
/* The same without a PCI function: for another's, that shows vram and vga_regs_ops. */
int vga_core_init(struct vga *v, struct clock *clock, uint64_t memory, unsigned width,
		  unsigned height);
void vga_core_fini(struct vga *v);
/* Claims the ports and the window at A0000h-BFFFFh, or gives them back. 0 or -errno. */
int vga_map(struct vga *v, struct pci_bus *bus);
void vga_unmap(struct vga *v, struct pci_bus *bus);

#define VGA_REGS_SIZE 0x1000u
extern const struct mmio_ops vga_regs_ops;

/* ---- between the device's files ---- */

/* Ports 3B4h-3DAh. */
uint8_t vga_port_read(struct vga *v, unsigned port);
void vga_port_write(struct vga *v, unsigned port, uint8_t val);

/* The window: offset from A0000h. */
uint8_t vga_window_read(struct vga *v, uint32_t off);
void vga_window_write(struct vga *v, uint32_t off, uint8_t val);

uint16_t vga_vbe_read(const struct vga *v, unsigned reg);
void vga_vbe_write(struct vga *v, unsigned reg, uint16_t val);
static inline bool vga_vbe_on(const struct vga *v)
{
	return v->vbe[VBE_ENABLE] & VBE_ENABLED;
}
/* Eight or more bits a pixel: the window and the planes have no part in it. */
static inline bool vga_vbe_linear(const struct vga *v)
{
	return vga_vbe_on(v) && v->vbe[VBE_BPP] > 4;
}
/* Whether the registers are a mode that memory suffices for. */
bool vga_vbe_valid(const struct vga *v);
/* Bytes from one line to the next. */
uint32_t vga_vbe_pitch(const struct vga *v);

/* Lines from the first to the last one displayed; dots of a character clock, 8 or 9. */
unsigned vga_lines(const struct vga *v);
unsigned vga_char_dots(const struct vga *v);
/* Bit 0: not displaying, bit 3: vertical retrace, as Input Status #1 has them. */
uint8_t vga_beam(const struct vga *v);

int vga_draw(void *dev, struct surface *s);
int vga_update(void *dev, struct surface *s, struct rect *changed);
/* The next update draws everything. */
void vga_redraw(struct vga *v);
bool vga_text(void *dev, struct text_screen *t);
#endif
