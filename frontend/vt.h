/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A character terminal: bytes in, cells out. It knows what programs send to a VT220 or a Linux console (ECMA-48, DEC
 * VT220 Programmer Reference Manual), colors and UTF-8 as far as code page 437 has the characters.
 */
#ifndef FRONTEND_VT_H
#define FRONTEND_VT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/display/display.h"

#define VT_COLUMNS 80u
#define VT_ROWS    25u
#define VT_PARAMS  8u

struct vt {
	struct text_cell cell[VT_ROWS][VT_COLUMNS];
	bool changed[VT_ROWS]; /* since the owner cleared it, its cursor included */
	unsigned x, y;         /* x is VT_COLUMNS when the next character begins a line */
	unsigned top, bottom;  /* first and last row that scroll */
	unsigned saved_x, saved_y;
	uint8_t attr, saved_attr;
	bool reverse, hidden; /* hidden: the cursor */
	/* In the middle of a sequence. */
	enum { VT_PLAIN, VT_ESCAPE, VT_SKIP_ONE, VT_CSI, VT_STRING } state;
	bool private; /* ESC [ ? */
	unsigned param[VT_PARAMS], nr_params;
	uint32_t utf8;
	unsigned utf8_left;
	/* What it answers when it is asked. */
	void (*answer)(void *opaque, const char *text);
	void *opaque;
};

void vt_init(struct vt *t, void (*answer)(void *opaque, const char *text), void *opaque);
void vt_write(struct vt *t, const uint8_t *buf, size_t len);

#endif
