/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/state_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define FORMAT_VERSION 1u
#define SECTION_MARK   0x54434553u /* "SECT" */

static const char magic[8] = {'D', 'O', 'P', 'P', 'E', 'L', 'V', 'M'};

struct header {
	char magic[8];
	uint32_t version, reserved;
};

struct section_header {
	uint32_t mark, len;
	char name[STATE_NAME_MAX];
	uint32_t payload_crc, crc; /* crc: of what is before it */
};

/* In front of each field's elements. */
struct field_header {
	uint8_t name_len, size;
	uint16_t reserved;
	uint32_t count;
};

static int fail(char *err, size_t errlen, int r, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static int fail(char *err, size_t errlen, int r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, errlen, fmt, ap);
	va_end(ap);
	return r;
}

static uint32_t crc(const void *p, size_t len)
{
	return (uint32_t)crc32(crc32(0, NULL, 0), p, (uInt)len);
}

int state_write_header(const struct state_sink *s)
{
	struct header h = {.version = FORMAT_VERSION};

	memcpy(h.magic, magic, sizeof(magic));
	return s->write(s->opaque, &h, sizeof(h));
}

int state_write_section(const struct state_sink *s, const char *name, const void *payload,
			size_t len)
{
	struct section_header h = {.mark = SECTION_MARK, .len = (uint32_t)len};
	int err;

	if (len > STATE_SECTION_MAX || strlen(name) >= sizeof(h.name))
		return -E2BIG;
	memcpy(h.name, name, strlen(name));
	h.payload_crc = crc(payload, len);
	h.crc = crc(&h, offsetof(struct section_header, crc));
	err = s->write(s->opaque, &h, sizeof(h));
	return err < 0 || !len ? err : s->write(s->opaque, payload, len);
}

static size_t field_bytes(const struct field *f)
{
	return sizeof(struct field_header) + strlen(f->name) + (size_t)f->size * f->count;
}

int state_write_fields(const struct state_sink *s, const char *name, const struct field *fields,
		       const void *state)
{
	size_t len = 0;
	uint8_t *buf, *at;
	int err;

	for (const struct field *f = fields; f->name; f++)
		len += field_bytes(f);
	buf = at = malloc(len + 1);
	if (!buf)
		return -ENOMEM;
	for (const struct field *f = fields; f->name; f++) {
		const struct field_header h = {.name_len = (uint8_t)strlen(f->name),
					       .size = (uint8_t)f->size,
					       .count = f->count};

		memcpy(at, &h, sizeof(h));
		at += sizeof(h);
		memcpy(at, f->name, h.name_len);
		at += h.name_len;
		for (uint32_t i = 0; i < f->count; i++, at += f->size)
			memcpy(at, (const uint8_t *)state + f->offset + (size_t)i * field_stride(f),
			       f->size);
	}
	err = state_write_section(s, name, buf, len);
	free(buf);
	return err;
}

/* ---- reading ---- */

static int read_at(const struct state_source *s, uint64_t at, void *buf, size_t len, char *err,
		   size_t errlen)
{
	int r;

	if (at > s->size || len > s->size - at)
		return fail(err, errlen, -EINVAL,
			    "the saved state ends early: the file was cut off");
	r = s->read(s->opaque, at, buf, len);
	return r < 0 ? fail(err, errlen, r, "cannot read the saved state: %s", strerror(-r)) : 0;
}

int state_read_header(const struct state_source *s, struct state_section *sec, char *err,
		      size_t errlen)
{
	struct header h;
	int r = read_at(s, 0, &h, sizeof(h), err, errlen);

	if (r < 0)
		return r;
	if (memcmp(h.magic, magic, sizeof(magic)) != 0)
		return fail(err, errlen, -EINVAL, "this is no saved state of doppel's");
	if (h.version != FORMAT_VERSION || h.reserved)
		return fail(err, errlen, -ENOTSUP,
			    "the saved state has format version %u; this doppel reads version %u",
			    h.version, FORMAT_VERSION);
	memset(sec, 0, sizeof(*sec));
	sec->next = sizeof(h);
	return 0;
}

int state_read_section(const struct state_source *s, struct state_section *sec, void *buf,
		       char *err, size_t errlen)
{
	struct section_header h;
	uint64_t at = sec->next;
	int r;

	if (at == s->size)
		return -ENODATA;
	r = read_at(s, at, &h, sizeof(h), err, errlen);
	if (r < 0)
		return r;
	if (h.mark != SECTION_MARK || h.crc != crc(&h, offsetof(struct section_header, crc)) ||
	    h.len > STATE_SECTION_MAX || h.name[sizeof(h.name) - 1])
		return fail(err, errlen, -EINVAL, "the saved state is damaged at byte %llu",
			    (unsigned long long)at);
	r = read_at(s, at + sizeof(h), buf, h.len, err, errlen);
	if (r < 0)
		return r;
	if (crc(buf, h.len) != h.payload_crc)
		return fail(err, errlen, -EINVAL,
			    "the saved state is damaged in its section \"%s\"", h.name);
	memcpy(sec->name, h.name, sizeof(sec->name));
	sec->len = h.len;
	sec->at = at + sizeof(h);
	sec->next = sec->at + h.len;
	return 0;
}

/* One stored field. */
struct stored {
	struct field_header h;
	const char *name;
	const uint8_t *data;
	size_t data_len;
};

/* The next one; false at the end or where it does not fit. */
static bool next_stored(const uint8_t **at, size_t *left, struct stored *f)
{
	if (*left < sizeof(f->h))
		return false;
	memcpy(&f->h, *at, sizeof(f->h));
	f->name = (const char *)*at + sizeof(f->h);
	f->data_len = (size_t)f->h.size * f->h.count;
	if (*left - sizeof(f->h) < f->h.name_len ||
	    *left - sizeof(f->h) - f->h.name_len < f->data_len)
		return false;
	f->data = (const uint8_t *)f->name + f->h.name_len;
	*left -= sizeof(f->h) + f->h.name_len + f->data_len;
	*at = f->data + f->data_len;
	return true;
}

static const struct field *find(const struct field *fields, const struct stored *s)
{
	for (const struct field *f = fields; f->name; f++)
		if (strlen(f->name) == s->h.name_len &&
		    memcmp(f->name, s->name, s->h.name_len) == 0)
			return f;
	return NULL;
}

int state_check_fields(const void *payload, size_t len, const struct field *fields,
		       const char *what, char *err, size_t errlen)
{
	const uint8_t *at = payload;
	struct stored s;

	while (next_stored(&at, &len, &s)) {
		const struct field *f = find(fields, &s);

		if (!f)
			return fail(
			    err, errlen, -ENOTSUP,
			    "%s: the saved state has %.*s, which this doppel does not know; "
			    "load it with the version that wrote it",
			    what, s.h.name_len, s.name);
		if (f->size != s.h.size || f->count != s.h.count)
			return fail(
			    err, errlen, -ENOTSUP,
			    "%s: the saved state has %u x %u bytes of %s, this machine %u x "
			    "%u: start it with the same options",
			    what, s.h.count, s.h.size, f->name, f->count, f->size);
	}
	return len ? fail(err, errlen, -EINVAL, "%s: the saved state is damaged", what) : 0;
}

static void set_default(const struct field *f, uint8_t *to)
{
	for (uint32_t i = 0; i < f->count; i++)
		memcpy(to + (size_t)i * field_stride(f), &f->reset, f->size);
}

void state_load_fields(const void *payload, size_t len, const struct field *fields, void *state)
{
	const uint8_t *at = payload;
	struct stored s;

	for (const struct field *f = fields; f->name; f++)
		if (!(f->flags & FIELD_KEEP))
			set_default(f, (uint8_t *)state + f->offset);
	while (next_stored(&at, &len, &s)) {
		const struct field *f = find(fields, &s);

		for (uint32_t i = 0; f && i < f->count; i++) {
			uint8_t *to = (uint8_t *)state + f->offset + (size_t)i * field_stride(f);

			memcpy(to, s.data + (size_t)i * f->size, f->size);
			if (f->flags & FIELD_BOOL)
				*to = !!*to;
		}
	}
}
