/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * BTF: a header, records of types one after the other (ids are their order, from 1), and strings.
 */
#include "frontend/debug/btf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC      0xeb9f
#define MAX_TYPES  4000000u
#define MAX_DEPTH  16
#define SIZE_LIMIT (1ull << 40)

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
	uint8_t *data;
	const uint8_t *types;
	const char *strings; /* ends with a NUL */
	uint32_t str_len;
	uint32_t nr;     /* ids 1 to nr - 1 */
	uint32_t *where; /* of each, from `types` */
};

static const uint8_t *at(const struct btf *b, uint32_t id)
{
	return id && id < b->nr ? b->types + b->where[id] : NULL;
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
	case BTF_INT:
	case BTF_VAR:
	case BTF_DECL_TAG:
		return 4;
	case BTF_ARRAY:
		return 12;
	case BTF_STRUCT:
	case BTF_UNION:
	case BTF_DATASEC:
	case BTF_ENUM64:
		return 12 * vlen;
	case BTF_ENUM:
	case BTF_FUNC_PROTO:
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
		memcpy(&r, b->types + pos, sizeof(r));
		size = sizeof(r) + extra(r.info);
		if (kind_of(r.info) >= BTF_KINDS || size > len - pos)
			return -EINVAL;
		b->where[b->nr++] = pos;
		pos += (uint32_t)size;
	}
	return 0;
}

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
	b->types = data + h.hdr_len + h.type_off;
	b->strings = (const char *)data + h.hdr_len + h.str_off;
	b->str_len = h.str_len;
	if (b->strings[b->str_len - 1])
		goto fail;
	err = index_types(b, h.type_len);
	if (err < 0)
		goto fail;
	b->data = data;
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

enum btf_kind btf_kind(const struct btf *b, uint32_t id)
{
	return kind_of(record(b, id).info);
}

const char *btf_name(const struct btf *b, uint32_t id)
{
	return string(b, record(b, id).name_off);
}

uint32_t btf_target(const struct btf *b, uint32_t id)
{
	struct record r = record(b, id);
	uint32_t type;

	switch (kind_of(r.info)) {
	case BTF_ARRAY:
		memcpy(&type, at(b, id) + sizeof(r), 4);
		return type;
	case BTF_PTR:
	case BTF_TYPEDEF:
	case BTF_VOLATILE:
	case BTF_CONST:
	case BTF_RESTRICT:
	case BTF_TYPE_TAG:
	case BTF_VAR:
	case BTF_FUNC:
	case BTF_FUNC_PROTO:
		return r.size_or_type;
	default:
		return 0;
	}
}

uint32_t btf_strip(const struct btf *b, uint32_t id)
{
	for (unsigned n = 0; n < MAX_DEPTH; n++)
		switch (btf_kind(b, id)) {
		case BTF_TYPEDEF:
		case BTF_VOLATILE:
		case BTF_CONST:
		case BTF_RESTRICT:
		case BTF_TYPE_TAG:
		case BTF_VAR:
			id = btf_target(b, id);
			break;
		default:
			return id;
		}
	return 0;
}

uint32_t btf_elements(const struct btf *b, uint32_t id)
{
	uint32_t n = 0;

	id = btf_strip(b, id);
	if (btf_kind(b, id) == BTF_ARRAY)
		memcpy(&n, at(b, id) + sizeof(struct record) + 8, 4);
	return n;
}

uint64_t btf_size(const struct btf *b, uint32_t id)
{
	uint64_t times = 1;

	for (unsigned n = 0; n < MAX_DEPTH; n++) {
		id = btf_strip(b, id);
		switch (btf_kind(b, id)) {
		case BTF_PTR:
			return times * 8;
		case BTF_ARRAY:
			times *= btf_elements(b, id);
			if (times > SIZE_LIMIT)
				return 0;
			id = btf_target(b, id);
			break;
		case BTF_INT:
		case BTF_STRUCT:
		case BTF_UNION:
		case BTF_ENUM:
		case BTF_ENUM64:
		case BTF_FLOAT:
			times *= record(b, id).size_or_type;
			return times > SIZE_LIMIT ? 0 : times;
		default:
			return 0;
		}
	}
	return 0;
}

bool btf_signed(const struct btf *b, uint32_t id)
{
	uint32_t how = 0;

	id = btf_strip(b, id);
	switch (btf_kind(b, id)) {
	case BTF_INT:
		memcpy(&how, at(b, id) + sizeof(struct record), 4);
		return how >> 24 & 1;
	case BTF_ENUM:
	case BTF_ENUM64:
		return record(b, id).info >> 31;
	default:
		return false;
	}
}

uint32_t btf_find(const struct btf *b, enum btf_kind kind, const char *name)
{
	for (uint32_t id = 1; id < b->nr; id++) {
		enum btf_kind k = btf_kind(b, id);
		bool fits = kind ? k == kind || (kind == BTF_ENUM && k == BTF_ENUM64)
				 : k == BTF_TYPEDEF || k == BTF_INT || k == BTF_STRUCT ||
				       k == BTF_UNION || k == BTF_ENUM || k == BTF_ENUM64;

		if (fits && strcmp(btf_name(b, id), name) == 0)
			return id;
	}
	return 0;
}

bool btf_member(const struct btf *b, uint32_t id, unsigned n, struct btf_member *out)
{
	struct record r = record(b, id);
	uint32_t m[3];

	if ((kind_of(r.info) != BTF_STRUCT && kind_of(r.info) != BTF_UNION) ||
	    n >= (r.info & 0xffff))
		return false;
	memcpy(m, at(b, id) + sizeof(r) + 12 * n, sizeof(m));
	*out = (struct btf_member){string(b, m[0]), m[1], m[2], 0};
	if (r.info >> 31) {
		out->bit_offset = m[2] & 0xffffff;
		out->bits = m[2] >> 24;
	}
	return true;
}

static bool find_member(const struct btf *b, uint32_t id, const char *name, unsigned depth,
			struct btf_member *out)
{
	struct btf_member m;

	id = btf_strip(b, id);
	for (unsigned n = 0; depth < MAX_DEPTH && btf_member(b, id, n, &m); n++) {
		if (strcmp(m.name, name) == 0) {
			*out = m;
			return true;
		}
		if (*m.name || !find_member(b, m.type, name, depth + 1, out))
			continue;
		out->bit_offset += m.bit_offset;
		return true;
	}
	return false;
}

bool btf_member_find(const struct btf *b, uint32_t id, const char *name, struct btf_member *out)
{
	return find_member(b, id, name, 0, out);
}

/* The nth constant of an enum. */
static bool enumerator(const struct btf *b, uint32_t id, unsigned n, const char **name,
		       int64_t *value)
{
	struct record r = record(b, id);
	bool wide = kind_of(r.info) == BTF_ENUM64;
	uint32_t e[3];

	if ((kind_of(r.info) != BTF_ENUM && !wide) || n >= (r.info & 0xffff))
		return false;
	memcpy(e, at(b, id) + sizeof(r) + (wide ? 12 : 8) * n, wide ? 12 : 8);
	*name = string(b, e[0]);
	if (wide)
		*value = (int64_t)(e[1] | (uint64_t)e[2] << 32);
	else
		*value = r.info >> 31 ? (int32_t)e[1] : (int64_t)e[1];
	return true;
}

const char *btf_enum_name(const struct btf *b, uint32_t id, int64_t value)
{
	const char *name;
	int64_t v;

	for (unsigned n = 0; enumerator(b, id, n, &name, &v); n++)
		if (v == value)
			return name;
	return NULL;
}

bool btf_enum_value(const struct btf *b, const char *name, int64_t *value)
{
	const char *s;

	for (uint32_t id = 1; id < b->nr; id++)
		for (unsigned n = 0; enumerator(b, id, n, &s, value); n++)
			if (strcmp(s, name) == 0)
				return true;
	return false;
}

void btf_describe(const struct btf *b, uint32_t id, char *buf, size_t len)
{
	static const char *const before[BTF_KINDS] = {
	    [BTF_STRUCT] = "struct ", [BTF_UNION] = "union ", [BTF_ENUM] = "enum ",
	    [BTF_ENUM64] = "enum ",   [BTF_FWD] = "struct ",
	};
	char after[64] = "";
	size_t n = 0;

	for (unsigned depth = 0; depth < MAX_DEPTH; depth++) {
		enum btf_kind k = btf_kind(b, id);
		char part[24] = "";

		if (k == BTF_PTR)
			snprintf(part, sizeof(part), "*");
		else if (k == BTF_ARRAY)
			snprintf(part, sizeof(part), "[%u]", btf_elements(b, id));
		else if (k != BTF_VOLATILE && k != BTF_CONST && k != BTF_RESTRICT &&
			 k != BTF_TYPE_TAG)
			break;
		/* Innermost last: pointers go in front of what is there. */
		if (k == BTF_PTR) {
			memmove(after + 1, after, sizeof(after) - 2);
			after[0] = '*';
		} else {
			n = strlen(after);
			snprintf(after + n, sizeof(after) - n, "%s", part);
		}
		id = btf_target(b, id);
	}
	if (!id)
		snprintf(buf, len, "void%s%s", *after ? " " : "", after);
	else if (btf_kind(b, id) == BTF_FUNC_PROTO)
		snprintf(buf, len, "void (%s)()", after);
	else
		snprintf(buf, len, "%s%s%s%s",
			 before[btf_kind(b, id)] ? before[btf_kind(b, id)] : "",
			 *btf_name(b, id) ? btf_name(b, id) : "{...}", *after ? " " : "", after);
}
