/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What is the same for all tables of types. They may be the guest's, so nesting is bounded.
 */
#include "frontend/debug/types.h"

#include <stdio.h>
#include <string.h>

#define MAX_DEPTH  16
#define SIZE_LIMIT (1ull << 40)

enum type_kind type_kind(const struct types *t, uint32_t id)
{
	return t->ops->kind(t, id);
}

const char *type_name(const struct types *t, uint32_t id)
{
	return t->ops->name(t, id);
}

uint32_t type_target(const struct types *t, uint32_t id)
{
	return t->ops->target(t, id);
}

uint32_t type_strip(const struct types *t, uint32_t id)
{
	for (unsigned n = 0; n < MAX_DEPTH; n++)
		switch (type_kind(t, id)) {
		case TYPE_TYPEDEF:
		case TYPE_VOLATILE:
		case TYPE_CONST:
		case TYPE_RESTRICT:
		case TYPE_TAG:
		case TYPE_VAR:
			id = type_target(t, id);
			break;
		default:
			return id;
		}
	return 0;
}

uint32_t type_elements(const struct types *t, uint32_t id)
{
	id = type_strip(t, id);
	return type_kind(t, id) == TYPE_ARRAY ? t->ops->elements(t, id) : 0;
}

uint64_t type_size(const struct types *t, uint32_t id)
{
	uint64_t times = 1;

	for (unsigned n = 0; n < MAX_DEPTH; n++) {
		id = type_strip(t, id);
		switch (type_kind(t, id)) {
		case TYPE_PTR:
			return times * t->pointer;
		case TYPE_ARRAY:
			times *= type_elements(t, id);
			if (times > SIZE_LIMIT)
				return 0;
			id = type_target(t, id);
			break;
		case TYPE_INT:
		case TYPE_STRUCT:
		case TYPE_UNION:
		case TYPE_ENUM:
		case TYPE_ENUM64:
		case TYPE_FLOAT: {
			uint64_t size = t->ops->size(t, id);

			return size > SIZE_LIMIT || times * size > SIZE_LIMIT ? 0 : times * size;
		}
		default:
			return 0;
		}
	}
	return 0;
}

bool type_signed(const struct types *t, uint32_t id)
{
	return t->ops->is_signed(t, type_strip(t, id));
}

uint32_t type_find(const struct types *t, enum type_kind kind, const char *name)
{
	return t->ops->find(t, kind, name);
}

bool type_member(const struct types *t, uint32_t id, unsigned n, struct type_member *out)
{
	return t->ops->member(t, id, n, out);
}

static bool find_member(const struct types *t, uint32_t id, const char *name, unsigned depth,
			struct type_member *out)
{
	struct type_member m;

	id = type_strip(t, id);
	for (unsigned n = 0; depth < MAX_DEPTH && type_member(t, id, n, &m); n++) {
		if (strcmp(m.name, name) == 0) {
			*out = m;
			return true;
		}
		if (*m.name || !find_member(t, m.type, name, depth + 1, out))
			continue;
		out->bit_offset += m.bit_offset;
		return true;
	}
	return false;
}

bool type_member_find(const struct types *t, uint32_t id, const char *name, struct type_member *out)
{
	return find_member(t, id, name, 0, out);
}

bool type_enumerator(const struct types *t, uint32_t id, unsigned n, const char **name,
		     int64_t *value)
{
	return t->ops->enumerator(t, id, n, name, value);
}

const char *type_enum_name(const struct types *t, uint32_t id, int64_t value)
{
	const char *name;
	int64_t v;

	for (unsigned n = 0; type_enumerator(t, id, n, &name, &v); n++)
		if (v == value)
			return name;
	return NULL;
}

bool type_constant(const struct types *t, const char *name, int64_t *value)
{
	return t->ops->constant(t, name, value);
}

void type_declare(const struct types *t, uint32_t id, const char *name, char *buf, size_t len)
{
	static const char *const before[TYPE_KINDS] = {
	    [TYPE_STRUCT] = "struct ", [TYPE_UNION] = "union ", [TYPE_ENUM] = "enum ",
	    [TYPE_ENUM64] = "enum ",   [TYPE_FWD] = "struct ",
	};
	char text[160];
	bool pointer = false;

	snprintf(text, sizeof(text), "%s", name);
	for (unsigned depth = 0; depth < MAX_DEPTH; depth++) {
		enum type_kind k = type_kind(t, id);
		char was[sizeof(text)];

		memcpy(was, text, sizeof(was));
		if (k == TYPE_PTR)
			snprintf(text, sizeof(text), "*%.158s", was);
		else if (k == TYPE_ARRAY)
			snprintf(text, sizeof(text), pointer ? "(%.140s)[%u]" : "%.140s[%u]", was,
				 type_elements(t, id));
		else if (k == TYPE_FUNC_PROTO)
			snprintf(text, sizeof(text), pointer ? "(%.154s)()" : "%.154s()", was);
		else if (k != TYPE_VOLATILE && k != TYPE_CONST && k != TYPE_RESTRICT &&
			 k != TYPE_TAG)
			break;
		if (strcmp(text, was) != 0)
			pointer = k == TYPE_PTR;
		id = type_target(t, id);
	}
	snprintf(buf, len, "%s%s%s%s", before[type_kind(t, id)] ? before[type_kind(t, id)] : "",
		 !id                 ? "void"
		 : *type_name(t, id) ? type_name(t, id)
				     : "{...}",
		 *text && *text != '[' ? " " : "", text);
}

void type_describe(const struct types *t, uint32_t id, char *buf, size_t len)
{
	type_declare(t, id, "", buf, len);
}
