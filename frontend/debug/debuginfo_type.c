/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Types (DWARF 5, chapter 5) as a table of numbers: each type gets one when it is first met.
 */
#ifdef CONFIG_DW
#include <stdlib.h>
#include <string.h>

#include "frontend/debug/debuginfo_priv.h"

#define MAX_MET     (1u << 22)
#define FIRST_HASH  4096u
#define FIRST_NAMES 65536u

static struct debuginfo *of(const struct types *t)
{
	return (struct debuginfo *)t; /* its first member */
}

bool di_unsigned_attr(struct debuginfo *d, Dwarf_Die *die, unsigned attr, uint64_t *out)
{
	Dwarf_Attribute a;
	Dwarf_Word w;

	if (!d->lib.dwarf_attr_integrate(die, attr, &a) || d->lib.dwarf_formudata(&a, &w) != 0)
		return false;
	*out = w;
	return true;
}

/* ---- numbers ---- */

static size_t hash_die(const Dwarf_Die *die)
{
	return (size_t)((uintptr_t)die->addr * 0x9e3779b97f4a7c15ull >> 20);
}

static bool grow(struct debuginfo *d)
{
	uint32_t room = d->room_met ? 2 * d->room_met : FIRST_HASH;
	struct di_type *met = room <= MAX_MET ? realloc(d->met, room * sizeof(*met)) : NULL;
	uint32_t *hash = met ? calloc(2 * (size_t)room, sizeof(*hash)) : NULL;

	if (met)
		d->met = met;
	if (!hash)
		return false;
	free(d->met_hash);
	d->met_hash = hash;
	d->room_met = room;
	for (uint32_t n = 1; n <= d->nr_met; n++) {
		size_t at = hash_die(&met[n - 1].die) % (2 * (size_t)room);

		while (hash[at])
			at = (at + 1) % (2 * (size_t)room);
		hash[at] = n;
	}
	return true;
}

/* A DIE's number; 0: there are too many. */
static uint32_t number(struct debuginfo *d, const Dwarf_Die *die, uint32_t array)
{
	size_t at;

	if (d->nr_met == d->room_met && !grow(d))
		return 0;
	at = hash_die(die) % (2 * (size_t)d->room_met);
	while (d->met_hash[at]) {
		if (d->met[d->met_hash[at] - 1].die.addr == die->addr)
			return d->met_hash[at];
		at = (at + 1) % (2 * (size_t)d->room_met);
	}
	d->met[d->nr_met++] = (struct di_type){*die, array};
	d->met_hash[at] = d->nr_met;
	return d->nr_met;
}

static bool lookup(struct debuginfo *d, uint32_t id, Dwarf_Die *out)
{
	if (!id || id > d->nr_met)
		return false;
	*out = d->met[id - 1].die;
	return true;
}

uint32_t di_type_of(struct debuginfo *d, Dwarf_Die *die)
{
	Dwarf_Attribute a;
	Dwarf_Die to;

	if (!d->lib.dwarf_attr_integrate(die, DW_AT_type, &a) || !d->lib.dwarf_formref_die(&a, &to))
		return 0;
	return number(d, &to, 0);
}

/* ---- the table ---- */

static enum type_kind tag_kind(struct debuginfo *d, Dwarf_Die *die)
{
	uint64_t encoding = 0;

	switch (d->lib.dwarf_tag(die)) {
	case DW_TAG_base_type:
		di_unsigned_attr(d, die, DW_AT_encoding, &encoding);
		return encoding == DW_ATE_float || encoding == DW_ATE_complex_float ? TYPE_FLOAT
										    : TYPE_INT;
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
		return TYPE_PTR;
	case DW_TAG_array_type:
	case DW_TAG_subrange_type: /* all but the first dimension of an array */
		return TYPE_ARRAY;
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
		return d->lib.dwarf_hasattr(die, DW_AT_declaration) ? TYPE_FWD : TYPE_STRUCT;
	case DW_TAG_union_type:
		return d->lib.dwarf_hasattr(die, DW_AT_declaration) ? TYPE_FWD : TYPE_UNION;
	case DW_TAG_enumeration_type:
		return TYPE_ENUM64; /* with wide values */
	case DW_TAG_typedef:
		return TYPE_TYPEDEF;
	case DW_TAG_volatile_type:
		return TYPE_VOLATILE;
	case DW_TAG_const_type:
	case DW_TAG_atomic_type:
		return TYPE_CONST;
	case DW_TAG_restrict_type:
		return TYPE_RESTRICT;
	case DW_TAG_subroutine_type:
		return TYPE_FUNC_PROTO;
	default:
		return TYPE_VOID;
	}
}

/* A declaration stands for the type elsewhere that has its members. */
static bool defined(struct debuginfo *d, uint32_t id, Dwarf_Die *die)
{
	const struct di_name *n;
	const char *name;

	if (!lookup(d, id, die))
		return false;
	if (d->lib.dwarf_hasattr(die, DW_AT_declaration)) {
		name = d->lib.dwarf_diename(die);
		n = name ? di_find(d, name, (unsigned)d->lib.dwarf_tag(die)) : NULL;
		if (n)
			*die = n->die;
	}
	return true;
}

static enum type_kind kind(const struct types *t, uint32_t id)
{
	Dwarf_Die die;

	if (!lookup(of(t), id, &die))
		return TYPE_VOID;
	if (tag_kind(of(t), &die) == TYPE_FWD)
		defined(of(t), id, &die);
	return tag_kind(of(t), &die);
}

static const char *name(const struct types *t, uint32_t id)
{
	Dwarf_Die die;
	const char *s = lookup(of(t), id, &die) ? of(t)->lib.dwarf_diename(&die) : NULL;

	return s ? s : "";
}

/* The next dimension of an array, after `die` or (of an array itself) its first one. */
static bool dimension(struct debuginfo *d, Dwarf_Die *die, Dwarf_Die *out)
{
	int r = d->lib.dwarf_tag(die) == DW_TAG_array_type ? d->lib.dwarf_child(die, out)
							   : d->lib.dwarf_siblingof(die, out);

	while (r == 0 && d->lib.dwarf_tag(out) != DW_TAG_subrange_type)
		r = d->lib.dwarf_siblingof(out, out);
	return r == 0;
}

static uint32_t target(const struct types *t, uint32_t id)
{
	struct debuginfo *d = of(t);
	Dwarf_Die die, next;
	uint32_t array = id;

	if (!lookup(d, id, &die))
		return 0;
	/* int a[2][3]: the elements are what the second dimension, which stands for int[3], is a number of. */
	if (tag_kind(d, &die) == TYPE_ARRAY) {
		bool first = d->lib.dwarf_tag(&die) == DW_TAG_array_type;

		if (!first)
			array = d->met[id - 1].array;
		if ((!first || dimension(d, &die, &die)) && dimension(d, &die, &next))
			return number(d, &next, array);
		if (!lookup(d, array, &die))
			return 0;
	}
	return di_type_of(d, &die);
}

static uint64_t size(const struct types *t, uint32_t id)
{
	uint64_t n = 0;
	Dwarf_Die die;

	if (!defined(of(t), id, &die))
		return 0;
	di_unsigned_attr(of(t), &die, DW_AT_byte_size, &n);
	return n;
}

static uint32_t elements(const struct types *t, uint32_t id)
{
	struct debuginfo *d = of(t);
	Dwarf_Die die, range;
	uint64_t n = 0;

	if (!lookup(d, id, &die))
		return 0;
	range = die;
	if (d->lib.dwarf_tag(&die) == DW_TAG_array_type && !dimension(d, &die, &range))
		return 0;
	if (!di_unsigned_attr(d, &range, DW_AT_count, &n) &&
	    di_unsigned_attr(d, &range, DW_AT_upper_bound, &n))
		n++;
	return n > UINT32_MAX ? 0 : (uint32_t)n;
}

static bool is_signed(const struct types *t, uint32_t id)
{
	struct debuginfo *d = of(t);
	uint64_t encoding = 0;
	Dwarf_Attribute a;
	Dwarf_Die die, to;

	if (!lookup(d, id, &die))
		return false;
	if (d->lib.dwarf_tag(&die) == DW_TAG_enumeration_type &&
	    d->lib.dwarf_attr(&die, DW_AT_type, &a) && d->lib.dwarf_formref_die(&a, &to))
		die = to;
	di_unsigned_attr(d, &die, DW_AT_encoding, &encoding);
	return encoding == DW_ATE_signed || encoding == DW_ATE_signed_char;
}

/* The nth child with that tag. */
static bool nth_child(struct debuginfo *d, uint32_t id, int tag, unsigned n, Dwarf_Die *out)
{
	Dwarf_Die die;
	int r;

	if (!defined(d, id, &die))
		return false;
	for (r = d->lib.dwarf_child(&die, out); r == 0; r = d->lib.dwarf_siblingof(out, out))
		if (d->lib.dwarf_tag(out) == tag && !n--)
			return true;
	return false;
}

static bool member(const struct types *t, uint32_t id, unsigned n, struct type_member *out)
{
	struct debuginfo *d = of(t);
	uint64_t at = 0, bit, bits = 0, unit = 0;
	const char *s;
	Dwarf_Die die;

	if (!nth_child(d, id, DW_TAG_member, n, &die))
		return false;
	s = d->lib.dwarf_diename(&die);
	di_unsigned_attr(d, &die, DW_AT_data_member_location, &at);
	*out = (struct type_member){.name = s ? s : "", .type = di_type_of(d, &die)};
	di_unsigned_attr(d, &die, DW_AT_bit_size, &bits);
	if (di_unsigned_attr(d, &die, DW_AT_data_bit_offset, &bit))
		at = bit;
	else if (bits && di_unsigned_attr(d, &die, DW_AT_bit_offset, &bit)) { /* up to DWARF 3 */
		unit = type_size(t, out->type);
		at = at * 8 + unit * 8 - bit - bits;
	} else {
		at *= 8;
	}
	out->bit_offset = (uint32_t)at;
	out->bits = bits <= 64 ? (uint32_t)bits : 0;
	return true;
}

static bool enum_value(struct debuginfo *d, Dwarf_Die *die, int64_t *value)
{
	Dwarf_Attribute a;
	Dwarf_Sword s;
	Dwarf_Word u;

	if (!d->lib.dwarf_attr(die, DW_AT_const_value, &a))
		return false;
	if (d->lib.dwarf_whatform(&a) != DW_FORM_sdata && d->lib.dwarf_formudata(&a, &u) == 0)
		*value = (int64_t)u;
	else if (d->lib.dwarf_formsdata(&a, &s) == 0)
		*value = s;
	else
		return false;
	return true;
}

static bool enumerator(const struct types *t, uint32_t id, unsigned n, const char **name_,
		       int64_t *value)
{
	struct debuginfo *d = of(t);
	Dwarf_Die die;

	if (!nth_child(d, id, DW_TAG_enumerator, n, &die) || !enum_value(d, &die, value))
		return false;
	*name_ = d->lib.dwarf_diename(&die);
	if (!*name_)
		*name_ = "";
	return true;
}

static uint32_t find(const struct types *t, enum type_kind want, const char *text)
{
	static const unsigned tags[TYPE_KINDS] = {
	    [TYPE_STRUCT] = DW_TAG_structure_type, [TYPE_UNION] = DW_TAG_union_type,
	    [TYPE_ENUM] = DW_TAG_enumeration_type, [TYPE_TYPEDEF] = DW_TAG_typedef,
	    [TYPE_INT] = DW_TAG_base_type,
	};
	const struct di_name *n = want < TYPE_KINDS ? di_find(of(t), text, tags[want]) : NULL;

	return n ? number(of(t), &n->die, 0) : 0;
}

static bool constant(const struct types *t, const char *text, int64_t *value)
{
	const struct di_name *n = di_find(of(t), text, DW_TAG_enumerator);

	if (n)
		*value = n->value;
	return n != NULL;
}

const struct types_ops di_types_ops = {kind,      name,   target,     size, elements,
				       is_signed, member, enumerator, find, constant};

const struct types *debuginfo_types(struct debuginfo *d)
{
	return &d->types;
}

/* ---- names ---- */

static size_t hash_name(const char *s, unsigned tag)
{
	uint64_t h = tag;

	while (*s)
		h = (h ^ (uint8_t)*s++) * 0x100000001b3ull;
	return (size_t)(h ^ h >> 29);
}

static struct di_name *slot(struct di_name *names, size_t room, const char *name, unsigned tag)
{
	size_t at = hash_name(name, tag) % room;

	while (names[at].name && (names[at].tag != tag || strcmp(names[at].name, name) != 0))
		at = (at + 1) % room;
	return &names[at];
}

/* False: it is there already, or there is no room. */
static bool add_name(struct debuginfo *d, const char *text, unsigned tag, const Dwarf_Die *die,
		     int64_t value)
{
	struct di_name *s;

	if (2 * d->nr_names >= d->room_names) {
		size_t room = d->room_names ? 2 * d->room_names : FIRST_NAMES;
		struct di_name *more = calloc(room, sizeof(*more));

		if (!more)
			return false;
		for (size_t n = 0; n < d->room_names; n++)
			if (d->names[n].name)
				*slot(more, room, d->names[n].name, d->names[n].tag) = d->names[n];
		free(d->names);
		d->names = more;
		d->room_names = room;
	}
	s = slot(d->names, d->room_names, text, tag);
	if (s->name)
		return false;
	*s = (struct di_name){.name = text, .die = *die, .value = value, .tag = (uint16_t)tag};
	d->nr_names++;
	return true;
}

static void index_enum(struct debuginfo *d, Dwarf_Die *type)
{
	Dwarf_Die die;
	int64_t value;

	for (int r = d->lib.dwarf_child(type, &die); r == 0;
	     r = d->lib.dwarf_siblingof(&die, &die)) {
		const char *text = d->lib.dwarf_diename(&die);

		/* Each unit has it again: one that is known is of a type that is known. */
		if (!text || !enum_value(d, &die, &value) ||
		    !add_name(d, text, DW_TAG_enumerator, &die, value))
			return;
	}
}

static void index_unit(struct debuginfo *d, Dwarf_Die *unit)
{
	Dwarf_Die die;

	for (int r = d->lib.dwarf_child(unit, &die); r == 0;
	     r = d->lib.dwarf_siblingof(&die, &die)) {
		const int tag = d->lib.dwarf_tag(&die);
		const char *text;

		switch (tag) {
		case DW_TAG_enumeration_type:
			index_enum(d, &die);
			break;
		case DW_TAG_structure_type:
		case DW_TAG_union_type:
		case DW_TAG_typedef:
		case DW_TAG_base_type:
		case DW_TAG_subprogram:
			break;
		case DW_TAG_variable:
			if (!d->lib.dwarf_hasattr(&die, DW_AT_location) &&
			    !d->lib.dwarf_hasattr(&die, DW_AT_const_value))
				continue;
			break;
		default:
			continue;
		}
		text = d->lib.dwarf_hasattr(&die, DW_AT_declaration) ? NULL
								     : d->lib.dwarf_diename(&die);
		/* The definition of what was declared before has its name by reference. */
		if (text)
			add_name(d, text, (unsigned)tag, &die, 0);
	}
}

const struct di_name *di_find(struct debuginfo *d, const char *text, unsigned tag)
{
	static const unsigned types_[] = {DW_TAG_typedef, DW_TAG_base_type, DW_TAG_structure_type,
					  DW_TAG_union_type, DW_TAG_enumeration_type};
	const struct di_name *s;

	if (!d->indexed) {
		for (size_t n = 0; n < d->nr_units; n++)
			index_unit(d, &d->units[n]);
		d->indexed = true;
	}
	if (!d->room_names)
		return NULL;
	for (unsigned n = 0; n < (tag ? 1 : 5); n++) {
		s = slot(d->names, d->room_names, text, tag ? tag : types_[n]);
		if (s->name)
			return s;
	}
	return NULL;
}
#endif
