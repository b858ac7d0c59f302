/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * VESA Enhanced Extended Display Identification Data Standard, release A revision 2, section 3.
 */
#include "hw/display/edid.h"

#include <string.h>

enum {
	MANUFACTURER = 8,
	WEEK = 16,
	YEAR,
	VERSION,
	REVISION,
	INPUT,
	WIDTH_CM,
	HEIGHT_CM,
	GAMMA,
	FEATURES,
	CHROMATICITY,
	ESTABLISHED = 35,
	STANDARD = 38,
	TIMING = 54,
	DESCRIPTORS = 72,
	CHECKSUM = 127,
};

enum { HZ = 60, DPI = 96 };

/* Blanking of CVT's reduced timing, version 1. */
enum { H_BLANK = 160, H_FRONT = 48, H_SYNC = 32, V_BLANK = 23, V_FRONT = 3, V_SYNC = 6 };

static unsigned mm(unsigned dots)
{
	return dots * 254 / DPI / 10;
}

static void detailed_timing(uint8_t *d, unsigned width, unsigned height)
{
	unsigned clock = (width + H_BLANK) * (height + V_BLANK) / 10000 * HZ; /* 10 kHz */

	d[0] = (uint8_t)clock;
	d[1] = (uint8_t)(clock >> 8);
	d[2] = (uint8_t)width;
	d[3] = H_BLANK;
	d[4] = (uint8_t)(width >> 8 << 4);
	d[5] = (uint8_t)height;
	d[6] = V_BLANK;
	d[7] = (uint8_t)(height >> 8 << 4);
	d[8] = H_FRONT;
	d[9] = H_SYNC;
	d[10] = V_FRONT << 4 | V_SYNC;
	d[12] = (uint8_t)mm(width);
	d[13] = (uint8_t)mm(height);
	d[14] = (uint8_t)(mm(width) >> 8 << 4 | mm(height) >> 8);
	d[17] = 0x1a; /* digital, separate sync; horizontal positive */
}

static void name_descriptor(uint8_t *d, const char *name)
{
	size_t n = strlen(name);

	d[3] = 0xfc;
	memset(d + 5, ' ', 13);
	memcpy(d + 5, name, n);
	d[5 + n] = '\n';
}

static void range_descriptor(uint8_t *d)
{
	d[3] = 0xfd;
	d[5] = 50; /* Hz, vertical */
	d[6] = 125;
	d[7] = 30; /* kHz, horizontal */
	d[8] = 160;
	d[9] = 60; /* 10 MHz */
	d[10] = 1; /* range limits only */
	d[11] = '\n';
	memset(d + 12, ' ', 6);
}

void edid_make(uint8_t edid[EDID_SIZE], unsigned width, unsigned height)
{
	static const uint8_t header[8] = {0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0};
	/* Of sRGB. */
	static const uint8_t chromaticity[10] = {0xee, 0x91, 0xa3, 0x54, 0x4c,
						 0x99, 0x26, 0x0f, 0x50, 0x54};
	/* width / 8 - 31, aspect ratio and rate - 60 */
	static const uint8_t standard[16] = {0x81, 0xc0, 0x81, 0x80, 0xa9, 0xc0, 0xd1, 0xc0,
					     0x61, 0x40, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01};
	const unsigned id = ('D' - '@') << 10 | ('P' - '@') << 5 | ('L' - '@');
	uint8_t sum = 0;

	memset(edid, 0, EDID_SIZE);
	memcpy(edid, header, sizeof(header));
	edid[MANUFACTURER] = id >> 8;
	edid[MANUFACTURER + 1] = id & 0xff;
	edid[MANUFACTURER + 2] = 1;
	edid[WEEK] = 0xff; /* the year is the model's */
	edid[YEAR] = 2026 - 1990;
	edid[VERSION] = 1;
	edid[REVISION] = 4;
	edid[INPUT] = 0xa5; /* digital, 8 bits a color, DisplayPort */
	edid[WIDTH_CM] = (uint8_t)(mm(width) / 10);
	edid[HEIGHT_CM] = (uint8_t)(mm(height) / 10);
	edid[GAMMA] = 120;     /* 2.2 */
	edid[FEATURES] = 0x06; /* sRGB; the first timing is the native one */
	memcpy(edid + CHROMATICITY, chromaticity, sizeof(chromaticity));
	edid[ESTABLISHED] = 0x21;     /* 640x480, 800x600 at 60 Hz */
	edid[ESTABLISHED + 1] = 0x08; /* 1024x768 */
	memcpy(edid + STANDARD, standard, sizeof(standard));
	detailed_timing(edid + TIMING, width, height);
	range_descriptor(edid + DESCRIPTORS);
	name_descriptor(edid + DESCRIPTORS + 18, "doppel");
	edid[DESCRIPTORS + 36 + 3] = 0x10; /* nothing */
	for (int n = 0; n < CHECKSUM; n++)
		sum = (uint8_t)(sum + edid[n]);
	edid[CHECKSUM] = (uint8_t)-sum;
}
