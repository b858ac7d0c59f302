/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A text console in a window: where -serial vc, -monitor vc and their like lead. It is a display for those who look at it,
 * a keyboard of US layout for those who type, and a socket for what is behind it. Machine lock held throughout.
 */
#ifndef FRONTEND_VC_H
#define FRONTEND_VC_H

#include "frontend/stream.h"
#include "frontend/vt.h"
#include "hw/display/display.h"
#include "hw/input/keys.h"

#define VC_FONT_WIDTH  8u
#define VC_FONT_HEIGHT 16u

/* Of code page 437; the leftmost dot is a byte's highest bit. */
struct vc_font {
	uint8_t glyph[256][VC_FONT_HEIGHT];
};

struct vc {
	struct vc *next;
	char name[32];
	struct display display;
	struct vt vt;
	const struct vc_font *font;
	struct stream stream; /* our end */
	int far;              /* the other end */
	bool shift, ctrl, alt, caps;
};

/* The font in a VGA's BIOS; false where it has none. */
bool vc_find_font(struct vc_font *font, const uint8_t *rom, size_t len);

/* A console at the end of a list; font is borrowed. *fd: what is written there is shown, and what is typed is read
 * there; it stays ours. 0 or -errno. */
int vc_open(struct vc **list, const char *name, struct loop *loop, const struct vc_font *font,
	    int *fd);
void vcs_close(struct vc *list);

/* A key goes down, perhaps again, or up. */
void vc_key(struct vc *c, enum key key, bool down);
/* Nobody holds keys any more. */
void vc_release(struct vc *c);

#endif
