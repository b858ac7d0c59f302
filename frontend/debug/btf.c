/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * BTF: a header, records of types one after the other (ids are their order, from 1), and strings.
 */
#include "frontend/debug/btf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC     0xeb9f
#define MAX_TYPES 4000000u

struct header {
	uint16_t magic;
	uint8_t version, flags;
	uint32_t hdr_len, type_off, type_len, str_off, str_len;
};

struct record {
	uint32_t name_off;
	uint32_t info; /* 0-15 vlen, 24-28 kind, 31 kind_flag */
	uint32_t size_or_type;
};

struct btf {
	struct types types;
	uint8_t *data;
	const uint8_t *records;
	const char *strings; /* ends with a NUL */
	uint32_t str_len;
	uint32_t nr;     /* ids 1 to nr - 1 */
	uint32_t *where; /* of each, from `records` */
};

static const uint8_t *at(const struct btf *b, uint32_t id)
{
	return id && id < b->nr ? b->records + b->where[id] : NULL;
}

static struct record record(const struct btf *b, uint32_t id)
{
	const uint8_t *p = at(b, id);
	struct record r = {0};

	if (p)
		memcpy(&r, p, sizeof(r));
	return r;
}

static const char *string(const struct btf *b, uint32_t off)
{
	return off < b->str_len ? b->strings + off : "";
}

static unsigned kind_of(uint32_t info)
{
	return info >> 24 & 0x1f;
}

/* Bytes after the record. */
static size_t extra(uint32_t info)
{
	size_t vlen = info & 0xffff;

	switch (kind_of(info)) {
	case TYPE_INT:
	case TYPE_VAR:
	case TYPE_DECL_TAG:
		return 4;
	case TYPE_ARRAY:
		return 12;
	case TYPE_STRUCT:
	case TYPE_UNION:
	case TYPE_DATASEC:
	case TYPE_ENUM64:
		return 12 * vlen;
	case TYPE_ENUM:
	case TYPE_FUNC_PROTO:
		return 8 * vlen;
	default:
		return 0;
	}
}

static int index_types(struct btf *b, uint32_t len)
{
	uint32_t room = 0;

	b->nr = 1;
	for (uint32_t pos = 0; len - pos >= sizeof(struct record);) {
		struct record r;
		size_t size;

		if (b->nr >= room) {
			uint32_t *more;

			room = room ? 2 * room : 65536;
			more =
			    room <= 2 * MAX_TYPES ? realloc(b->where, room * sizeof(*more)) : NULL;
			if (!more)
				return -ENOMEM;
			b->where = more;
		}
		memcpy(&r, b->records + pos, sizeof(r));
		size = sizeof(r) + extra(r.info);
		if (kind_of(r.info) >= TYPE_KINDS || size > len - pos)
			return -EINVAL;
		b->where[b->nr++] = pos;
		pos += (uint32_t)size;
	}
	return 0;
}

static const struct btf *btf(const struct types *t)
{
	return (const struct btf *)t; /* its first member */
}

static enum type_kind kind(const struct types *t, uint32_t id)
{
	return kind_of(record(btf(t), id).info);
}

static const char *name(const struct types *t, uint32_t id)
{
	return string(btf(t), record(btf(t), id).name_off);
}

static uint32_t target(const struct types *t, uint32_t id)
{
	struct record r = record(btf(t), id);
	uint32_t type;

	switch (kind_of(r.info)) {
	case TYPE_ARRAY:
		memcpy(&type, at(btf(t), id) + sizeof(r), 4);
		return type;
	case TYPE_PTR:
	case TYPE_TYPEDEF:
	case TYPE_VOLATILE:
	case TYPE_CONST:
	case TYPE_RESTRICT:
	case TYPE_TAG:
	case TYPE_VAR:
	case TYPE_FUNC:
	case TYPE_FUNC_PROTO:
		return r.size_or_type;
	default:
		return 0;
	}
}

static uint64_t size(const struct types *t, uint32_t id)
{
	return record(btf(t), id).size_or_type;
}

static uint32_t elements(const struct types *t, uint32_t id)
{
	uint32_t n = 0;

	memcpy(&n, at(btf(t), id) + sizeof(struct record) + 8, 4);
	return n;
}

static bool is_signed(const struct types *t, uint32_t id)
{
	uint32_t how = 0;

	switch (kind(t, id)) {
	case TYPE_INT:
		memcpy(&how, at(btf(t), id) + sizeof(struct record), 4);
		return how >> 24 & 1;
	case TYPE_ENUM:
	case TYPE_ENUM64:
		return record(btf(t), id).info >> 31;
	default:
		return false;
	}
}

static bool member(const struct types *t, uint32_t id, unsigned n, struct type_member *out)
{
	struct record r = record(btf(t), id);
	uint32_t m[3];

	if ((kind_of(r.info) != TYPE_STRUCT && kind_of(r.info) != TYPE_UNION) ||
	    n >= (r.info & 0xffff))
		return false;
	memcpy(m, at(btf(t), id) + sizeof(r) + 12 * n, sizeof(m));
	*out = (struct type_member){string(btf(t), m[0]), m[1], m[2], 0};
	if (r.info >> 31) {
		out->bit_offset = m[2] & 0xffffff;
		out->bits = m[2] >> 24;
	}
	return true;
}

static bool enumerator(const struct types *t, uint32_t id, unsigned n, const char **name_,
		       int64_t *value)
{
	struct record r = record(btf(t), id);
	bool wide = kind_of(r.info) == TYPE_ENUM64;
	uint32_t e[3];

	if ((kind_of(r.info) != TYPE_ENUM && !wide) || n >= (r.info & 0xffff))
		return false;
	memcpy(e, at(btf(t), id) + sizeof(r) + (wide ? 12 : 8) * n, wide ? 12 : 8);
	*name_ = string(btf(t), e[0]);
	if (wide)
		*value = (int64_t)(e[1] | (uint64_t)e[2] << 32);
	else
		*value = r.info >> 31 ? (int32_t)e[1] : (int64_t)e[1];
	return true;
}

static uint32_t find(const struct types *t, enum type_kind want, const char *text)
{
	for (uint32_t id = 1; id < btf(t)->nr; id++) {
		enum type_kind k = kind(t, id);
		bool fits = want ? k == want || (want == TYPE_ENUM && k == TYPE_ENUM64)
				 : k == TYPE_TYPEDEF || k == TYPE_INT || k == TYPE_STRUCT ||
				       k == TYPE_UNION || k == TYPE_ENUM || k == TYPE_ENUM64;

		if (fits && strcmp(name(t, id), text) == 0)
			return id;
	}
	return 0;
}

static bool constant(const struct types *t, const char *text, int64_t *value)
{
	const char *s;

	for (uint32_t id = 1; id < btf(t)->nr; id++)
		for (unsigned n = 0; enumerator(t, id, n, &s, value); n++)
			if (strcmp(s, text) == 0)
				return true;
	return false;
}

static const struct types_ops ops = {kind,      name,   target,     size, elements,
				     is_signed, member, enumerator, find, constant};

int btf_new(struct btf **out, uint8_t *data, size_t len)
{
	struct btf *b = calloc(1, sizeof(*b));
	struct header h;
	int err = -ENOMEM;

	if (!b)
		goto fail;
	err = -EINVAL;
	if (len < sizeof(h))
		goto fail;
	memcpy(&h, data, sizeof(h));
	if (h.magic != MAGIC || h.hdr_len > len || h.type_off > len - h.hdr_len ||
	    h.type_len > len - h.hdr_len - h.type_off || h.str_off > len - h.hdr_len ||
	    !h.str_len || h.str_len > len - h.hdr_len - h.str_off)
		goto fail;
	b->records = data + h.hdr_len + h.type_off;
	b->strings = (const char *)data + h.hdr_len + h.str_off;
	b->str_len = h.str_len;
	if (b->strings[b->str_len - 1])
		goto fail;
	err = index_types(b, h.type_len);
	if (err < 0)
		goto fail;
	b->data = data;
	b->types = (struct types){&ops, 8};
	*out = b;
	return 0;
fail:
	if (b)
		free(b->where);
	free(b);
	free(data);
	return err;
}

void btf_free(struct btf *b)
{
	if (!b)
		return;
	free(b->where);
	free(b->data);
	free(b);
}

uint32_t btf_nr(const struct btf *b)
{
	return b->nr;
}

const struct types *btf_types(const struct btf *b)
{
	return &b->types;
}
