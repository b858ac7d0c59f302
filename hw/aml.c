/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ACPI 6.4: AML encoding (chapter 20), resource descriptors (6.4).
 */
#include "hw/aml.h"

#include <string.h>

void aml_init(struct aml *a, uint8_t *buf, size_t cap)
{
	memset(a, 0, sizeof(*a));
	a->buf = buf;
	a->cap = cap;
}

void aml_bytes(struct aml *a, const void *p, size_t n)
{
	if (n > a->cap - a->len) {
		a->overflow = true;
		return;
	}
	memcpy(a->buf + a->len, p, n);
	a->len += n;
}

void aml_byte(struct aml *a, uint8_t b)
{
	aml_bytes(a, &b, 1);
}

static void le(struct aml *a, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		aml_byte(a, (uint8_t)(v >> (8 * i)));
}

void aml_path(struct aml *a, const char *path)
{
	unsigned n = 1;

	if (*path == '\\') {
		aml_byte(a, '\\');
		path++;
	}
	for (const char *p = path; *p; p++)
		n += *p == '.';
	if (!*path)
		aml_byte(a, 0);
	else if (n == 2)
		aml_byte(a, 0x2e);
	else if (n > 2) {
		aml_byte(a, 0x2f);
		aml_byte(a, (uint8_t)n);
	}
	while (*path) {
		for (unsigned i = 0; i < 4; i++)
			aml_byte(a, *path && *path != '.' ? (uint8_t)*path++ : '_');
		path += *path == '.';
	}
}

void aml_int(struct aml *a, uint64_t v)
{
	if (v <= 1) {
		aml_byte(a, (uint8_t)v);
	} else if (v <= 0xff) {
		aml_byte(a, 0x0a);
		le(a, v, 1);
	} else if (v <= 0xffff) {
		aml_byte(a, 0x0b);
		le(a, v, 2);
	} else if (v <= 0xffffffff) {
		aml_byte(a, 0x0c);
		le(a, v, 4);
	} else {
		aml_byte(a, 0x0e);
		le(a, v, 8);
	}
}

void aml_string(struct aml *a, const char *s)
{
	aml_byte(a, 0x0d);
	aml_bytes(a, s, strlen(s) + 1);
}

static unsigned hex(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'A' + 10);
}

void aml_eisaid(struct aml *a, const char *id)
{
	unsigned v =
	    (unsigned)(id[0] - '@') << 10 | (unsigned)(id[1] - '@') << 5 | (unsigned)(id[2] - '@');

	aml_byte(a, 0x0c);
	aml_byte(a, (uint8_t)(v >> 8));
	aml_byte(a, (uint8_t)v);
	aml_byte(a, (uint8_t)(hex(id[3]) << 4 | hex(id[4])));
	aml_byte(a, (uint8_t)(hex(id[5]) << 4 | hex(id[6])));
}

void aml_name(struct aml *a, const char *name)
{
	aml_byte(a, 0x08);
	aml_path(a, name);
}

void aml_name_int(struct aml *a, const char *name, uint64_t v)
{
	aml_name(a, name);
	aml_int(a, v);
}

void aml_name_eisaid(struct aml *a, const char *name, const char *id)
{
	aml_name(a, name);
	aml_eisaid(a, id);
}

static void open_term(struct aml *a)
{
	if (a->depth == AML_DEPTH) {
		a->overflow = true;
		return;
	}
	a->open[a->depth++] = a->len;
}

void aml_end(struct aml *a)
{
	uint8_t pkg[4];
	size_t at, len;
	unsigned n;

	if (a->overflow || !a->depth)
		return;
	at = a->open[--a->depth];
	len = a->len - at;
	/* The length counts its own bytes. */
	n = len + 1 <= 0x3f ? 1 : len + 2 <= 0xfff ? 2 : len + 3 <= 0xfffff ? 3 : 4;
	len += n;
	if (n == 1) {
		pkg[0] = (uint8_t)len;
	} else {
		pkg[0] = (uint8_t)((n - 1) << 6 | (len & 15));
		for (unsigned i = 1; i < n; i++)
			pkg[i] = (uint8_t)(len >> (4 + 8 * (i - 1)));
	}
	if (n > a->cap - a->len) {
		a->overflow = true;
		return;
	}
	memmove(a->buf + at + n, a->buf + at, a->len - at);
	memcpy(a->buf + at, pkg, n);
	a->len += n;
}

void aml_scope(struct aml *a, const char *path)
{
	aml_byte(a, 0x10);
	open_term(a);
	aml_path(a, path);
}

void aml_device(struct aml *a, const char *name)
{
	aml_bytes(a, "\x5b\x82", 2);
	open_term(a);
	aml_path(a, name);
}

void aml_method(struct aml *a, const char *name, unsigned args, bool serialized)
{
	aml_byte(a, 0x14);
	open_term(a);
	aml_path(a, name);
	aml_byte(a, (uint8_t)(args | (serialized ? 8 : 0)));
}

void aml_package(struct aml *a, unsigned elements)
{
	aml_byte(a, 0x12);
	open_term(a);
	aml_byte(a, (uint8_t)elements);
}

void aml_if(struct aml *a)
{
	aml_byte(a, 0xa0);
	open_term(a);
}

void aml_field(struct aml *a, const char *region, uint8_t flags)
{
	aml_bytes(a, "\x5b\x81", 2);
	open_term(a);
	aml_path(a, region);
	aml_byte(a, flags);
}

void aml_field_unit(struct aml *a, const char *name4, unsigned bits)
{
	aml_path(a, name4);
	if (bits <= 0x3f) {
		aml_byte(a, (uint8_t)bits);
	} else {
		aml_byte(a, (uint8_t)(0x40 | (bits & 15)));
		aml_byte(a, (uint8_t)(bits >> 4));
	}
}

void aml_region(struct aml *a, const char *name, uint8_t space, uint64_t off, uint64_t len)
{
	aml_bytes(a, "\x5b\x80", 2);
	aml_path(a, name);
	aml_byte(a, space);
	aml_int(a, off);
	aml_int(a, len);
}

void aml_return(struct aml *a)
{
	aml_byte(a, 0xa4);
}

void aml_buffer(struct aml *a, const void *p, size_t n)
{
	aml_byte(a, 0x11);
	open_term(a);
	aml_int(a, n);
	aml_bytes(a, p, n);
	aml_end(a);
}

/* BufferOp, length, size as a word constant (filled in at the end), bytes. */
void aml_resources(struct aml *a)
{
	aml_byte(a, 0x11);
	open_term(a);
	aml_bytes(a, "\x0b\0\0", 3);
}

void aml_resources_end(struct aml *a)
{
	size_t at, n;

	aml_bytes(a, "\x79\0", 2);
	if (a->overflow || !a->depth)
		return;
	at = a->open[a->depth - 1];
	n = a->len - at - 3;
	a->buf[at + 1] = (uint8_t)n;
	a->buf[at + 2] = (uint8_t)(n >> 8);
	aml_end(a);
}

void aml_io(struct aml *a, uint16_t base, uint8_t align, uint8_t len)
{
	aml_byte(a, 0x47);
	aml_byte(a, 1); /* decodes 16 bits */
	le(a, base, 2);
	le(a, base, 2);
	aml_byte(a, align);
	aml_byte(a, len);
}

void aml_irq(struct aml *a, unsigned irq)
{
	aml_byte(a, 0x22);
	le(a, 1u << irq, 2);
}

void aml_dma(struct aml *a, unsigned channel)
{
	aml_byte(a, 0x2a);
	aml_byte(a, (uint8_t)(1u << channel));
	aml_byte(a, 0);
}

void aml_interrupts(struct aml *a, const uint32_t *gsi, unsigned n)
{
	aml_byte(a, 0x89);
	le(a, 2 + 4 * n, 2);
	aml_byte(a, 0x09); /* consumer, level, active high, shared */
	aml_byte(a, (uint8_t)n);
	for (unsigned i = 0; i < n; i++)
		le(a, gsi[i], 4);
}

void aml_memory32(struct aml *a, uint32_t base, uint32_t len, bool writable)
{
	aml_byte(a, 0x86);
	le(a, 9, 2);
	aml_byte(a, writable);
	le(a, base, 4);
	le(a, len, 4);
}

/* Address space descriptors: fixed minimum and maximum, positive decode, produced. */
static void window(struct aml *a, uint8_t tag, uint8_t type, uint8_t flags, uint64_t min,
		   uint64_t max, unsigned width)
{
	aml_byte(a, tag);
	le(a, 3 + 5 * width, 2);
	aml_byte(a, type);
	aml_byte(a, 0x0c);
	aml_byte(a, flags);
	le(a, 0, width);
	le(a, min, width);
	le(a, max, width);
	le(a, 0, width);
	le(a, max - min + 1, width);
}

void aml_bus_window(struct aml *a, uint16_t min, uint16_t max)
{
	window(a, 0x88, 2, 0, min, max, 2);
}

void aml_io_window(struct aml *a, uint16_t min, uint16_t max)
{
	window(a, 0x88, 1, 3, min, max, 2);
}

void aml_memory_window(struct aml *a, uint32_t min, uint32_t max, bool cacheable)
{
	window(a, 0x87, 0, cacheable ? 3 : 1, min, max, 4);
}

void aml_memory_window64(struct aml *a, uint64_t min, uint64_t max)
{
	window(a, 0x8a, 0, 3, min, max, 8);
}
