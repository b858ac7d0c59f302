/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * PPM (netpbm, raw variant) and PNG (ISO/IEC 15948: one IDAT, 8-bit RGB, no filter).
 */
#include "frontend/screendump.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "hw/display/display.h"

static void put_be32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

/* Rows of three bytes a pixel, each behind `lead` zero bytes; NULL without memory. */
static uint8_t *rgb_rows(const struct surface *s, size_t lead)
{
	size_t row = lead + 3 * (size_t)s->width;
	uint8_t *rows = calloc(s->height, row);

	for (size_t y = 0; rows && y < s->height; y++) {
		const uint32_t *from = s->pixels + y * s->width;
		uint8_t *to = rows + y * row + lead;

		for (unsigned x = 0; x < s->width; x++) {
			*to++ = (uint8_t)(from[x] >> 16);
			*to++ = (uint8_t)(from[x] >> 8);
			*to++ = (uint8_t)from[x];
		}
	}
	return rows;
}

static void write_ppm(FILE *f, const struct surface *s, const uint8_t *rows)
{
	fprintf(f, "P6\n%u %u\n255\n", s->width, s->height);
	fwrite(rows, 3 * (size_t)s->width, s->height, f);
}

static void chunk(FILE *f, const char type[4], const uint8_t *data, size_t len)
{
	uint8_t word[4];
	uLong crc = crc32(crc32(0, NULL, 0), (const uint8_t *)type, 4);

	put_be32(word, (uint32_t)len);
	fwrite(word, 1, 4, f);
	fwrite(type, 1, 4, f);
	fwrite(data, 1, len, f);
	put_be32(word, (uint32_t)(len ? crc32(crc, data, (uInt)len) : crc));
	fwrite(word, 1, 4, f);
}

static int write_png(FILE *f, const struct surface *s, const uint8_t *rows)
{
	static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
	uLong len = (uLong)s->height * (1 + 3 * (uLong)s->width), size = compressBound(len);
	uint8_t header[13] = {[8] = 8, [9] = 2}, *packed = malloc(size);

	if (!packed || compress2(packed, &size, rows, len, Z_BEST_SPEED) != Z_OK) {
		free(packed);
		return -ENOMEM;
	}
	put_be32(header, s->width);
	put_be32(header + 4, s->height);
	fwrite(signature, 1, sizeof(signature), f);
	chunk(f, "IHDR", header, sizeof(header));
	chunk(f, "IDAT", packed, size);
	chunk(f, "IEND", NULL, 0);
	free(packed);
	return 0;
}

static int write_file(const struct surface *s, const char *path, enum picture_format format)
{
	uint8_t *rows = rgb_rows(s, format == PICTURE_PNG);
	int err = rows ? 0 : -ENOMEM;
	FILE *f = NULL;

	if (err == 0) {
		f = fopen(path, "wbe");
		err = f ? 0 : -errno;
	}
	if (err == 0 && format == PICTURE_PNG)
		err = write_png(f, s, rows);
	else if (err == 0)
		write_ppm(f, s, rows);
	if (f) {
		if (ferror(f) && err == 0)
			err = -EIO;
		if (fclose(f) != 0 && err == 0)
			err = -errno;
	}
	free(rows);
	return err;
}

int screendump(const struct display *d, const char *path, enum picture_format format)
{
	struct surface s = {0};
	char *beside;
	int err = d->draw(d->dev, &s);

	if (err == 0 && asprintf(&beside, "%s.tmp", path) >= 0) {
		err = write_file(&s, beside, format);
		if (err == 0 && rename(beside, path) < 0)
			err = -errno;
		if (err < 0)
			unlink(beside);
		free(beside);
	} else if (err == 0) {
		err = -ENOMEM;
	}
	surface_fini(&s);
	return err;
}
