/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frontend/keymap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef CONFIG_XKB
#include <dlfcn.h>
#include <xkbcommon/xkbcommon.h>

#define XKB_FUNCTIONS(F)                                                                           \
	F(context_new)                                                                             \
	F(context_unref)                                                                           \
	F(context_set_log_level)                                                                   \
	F(keymap_new_from_names)                                                                   \
	F(keymap_unref)                                                                            \
	F(keymap_key_by_name)                                                                      \
	F(keymap_num_levels_for_key)                                                               \
	F(keymap_key_get_syms_by_level)                                                            \
	F(keymap_key_get_mods_for_level)                                                           \
	F(keymap_mod_get_index)                                                                    \
	F(keysym_to_upper)                                                                         \
	F(keysym_to_utf32)

/* Each function without its prefix: lib.context_new() is xkb_context_new(). */
struct xkb_lib {
	void *handle;
#define F(name) __typeof__(xkb_##name) *name;
	XKB_FUNCTIONS(F)
#undef F
};

#define SYMBOLS_MAX 512 /* 51 keys of up to eight levels, with room */

struct keymap {
	struct {
		uint32_t keysym, character;
		struct typed how;
	} symbol[SYMBOLS_MAX];
	unsigned nr;
};

/* The rows of a keyboard by XKB's names, from a make code of set 1 on. */
static const struct {
	const char *name; /* its first two letters, */
	unsigned keys;    /* and then 01 to so many; 0: that is all of it */
	uint16_t first;
} rows[] = {
    {"TLDE", 0, 0x29}, {"AE", 12, 0x02}, {"AD", 12, 0x10},  {"AC", 11, 0x1e},  {"BKSL", 0, 0x2b},
    {"LSGT", 0, 0x56}, {"AB", 10, 0x2c}, {"AB11", 0, 0x73}, {"AE13", 0, 0x7d}, {"SPCE", 0, 0x39},
};

/* QEMU's names that are not XKB's. */
static const struct {
	const char *name, *layout;
} names[] = {
    {"ar", "ara"},   {"bepo", "fr:bepo"}, {"da", "dk"},    {"de-ch", "ch"}, {"en-gb", "gb"},
    {"en-us", "us"}, {"et", "ee"},        {"fr-be", "be"}, {"fr-ca", "ca"}, {"fr-ch", "ch:fr"},
    {"ja", "jp"},    {"pt-br", "br"},     {"sl", "si"},    {"sv", "se"},
};

static bool load_library(struct xkb_lib *lib, char *err, size_t errlen)
{
	lib->handle = dlopen("libxkbcommon.so.0", RTLD_NOW | RTLD_LOCAL);
	if (!lib->handle) {
		snprintf(
		    err, errlen,
		    "-k: libxkbcommon.so.0 cannot be loaded; install it (Debian: apt-get install "
		    "libxkbcommon0)");
		return false;
	}
#define F(name)                                                                                    \
	lib->name = (__typeof__(lib->name))dlsym(lib->handle, "xkb_" #name);                       \
	if (!lib->name) {                                                                          \
		snprintf(err, errlen, "-k: libxkbcommon.so.0 is too old: it has no xkb_" #name);   \
		return false;                                                                      \
	}
	XKB_FUNCTIONS(F)
#undef F
	return true;
}

static void add(struct keymap *map, uint32_t keysym, uint32_t character, struct typed how)
{
	if (map->nr == SYMBOLS_MAX)
		return;
	map->symbol[map->nr].keysym = keysym;
	map->symbol[map->nr].character = character;
	map->symbol[map->nr++].how = how;
}

/* The one symbol of a key with these modifiers, or 0. */
static uint32_t symbol_of(const struct xkb_lib *lib, struct xkb_keymap *k, xkb_keycode_t code,
			  unsigned level)
{
	const xkb_keysym_t *syms;
	return lib->keymap_key_get_syms_by_level(k, code, 0, level, &syms) == 1 ? syms[0] : 0;
}

/* Whether a level is reached with Shift and AltGr alone, and with which. */
static bool modifiers(const struct xkb_lib *lib, struct xkb_keymap *k, xkb_keycode_t code,
		      unsigned level, struct typed *how)
{
	xkb_mod_index_t shift = lib->keymap_mod_get_index(k, "Shift"),
			altgr = lib->keymap_mod_get_index(k, "Mod5");
	xkb_mod_mask_t masks[16];
	size_t nr = lib->keymap_key_get_mods_for_level(k, code, 0, level, masks, 16);
	for (size_t n = 0; n < nr; n++) {
		if (masks[n] & ~((1u << shift) | (1u << altgr)))
			continue;
		how->shift = masks[n] >> shift & 1 ? MOD_DOWN : MOD_UP;
		how->altgr = masks[n] >> altgr & 1 ? MOD_DOWN : MOD_UP;
		return true;
	}
	return false;
}

static void add_key(struct keymap *map, const struct xkb_lib *lib, struct xkb_keymap *k,
		    const char *name, uint16_t set1)
{
	xkb_keycode_t code = lib->keymap_key_by_name(k, name);
	struct typed how = {.key = key_by_set1(set1)}, found;
	if (code == XKB_KEYCODE_INVALID || how.key == NO_KEY)
		return;
	unsigned levels = lib->keymap_num_levels_for_key(k, code, 0);
	uint32_t plain = symbol_of(lib, k, code, 0), shifted = symbol_of(lib, k, code, 1);
	bool letter = plain != shifted && lib->keysym_to_upper(plain) == shifted;
	for (unsigned level = 0; level < levels; level++) {
		uint32_t keysym = symbol_of(lib, k, code, level);
		if (!keysym || keymap_find(map, keysym, &found) ||
		    !modifiers(lib, k, code, level, &how))
			continue;
		how.letter = letter && level < 2;
		add(map, keysym, lib->keysym_to_utf32(keysym), how);
	}
}

static void add_keys(struct keymap *map, const struct xkb_lib *lib, struct xkb_keymap *k)
{
	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		if (!rows[r].keys)
			add_key(map, lib, k, rows[r].name, rows[r].first);
		for (unsigned n = 0; n < rows[r].keys; n++) {
			char name[16];
			snprintf(name, sizeof(name), "%s%02u", rows[r].name, n + 1);
			add_key(map, lib, k, name, (uint16_t)(rows[r].first + n));
		}
	}
}

static void compile(struct keymap *map, const struct xkb_lib *lib, const char *name)
{
	char layout[32], *variant;
	struct xkb_context *context = lib->context_new(XKB_CONTEXT_NO_FLAGS);
	if (!context)
		return;
	for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
		if (!strcmp(name, names[n].name))
			name = names[n].layout;
	snprintf(layout, sizeof(layout), "%s", name);
	variant = strchr(layout, ':');
	if (variant)
		*variant++ = '\0';
	/* What it says of a layout that does not exist is for us to say. */
	lib->context_set_log_level(context, (enum xkb_log_level)0);
	const struct xkb_rule_names rules = {
	    .rules = "evdev", .model = "pc105", .layout = layout, .variant = variant};
	struct xkb_keymap *k =
	    lib->keymap_new_from_names(context, &rules, XKB_KEYMAP_COMPILE_NO_FLAGS);
	if (k) {
		add_keys(map, lib, k);
		lib->keymap_unref(k);
	}
	lib->context_unref(context);
}

struct keymap *keymap_load(const char *name, char *err, size_t errlen)
{
	struct keymap *map = calloc(1, sizeof(*map));
	struct xkb_lib lib = {0};
	bool loaded = load_library(&lib, err, errlen);
	/* A long name would be cut to another one. */
	if (map && loaded && *name && strlen(name) < 32)
		compile(map, &lib, name);
	if (lib.handle)
		dlclose(lib.handle);
	if (loaded && (!map || !map->nr))
		snprintf(err, errlen,
			 "-k %s: no such layout, or no xkb-data here; try en-us, de or fr, or another of "
			 "/usr/share/X11/xkb/symbols",
			 name);
	if (map && map->nr)
		return map;
	free(map);
	return NULL;
}

void keymap_free(struct keymap *map)
{
	free(map);
}

bool keymap_find(const struct keymap *map, uint32_t keysym, struct typed *out)
{
	uint32_t character = keysym >> 24 == 1 ? keysym & 0xffffff : 0;
	for (unsigned n = 0; n < map->nr; n++)
		if (map->symbol[n].keysym == keysym ||
		    (character && map->symbol[n].character == character)) {
			*out = map->symbol[n].how;
			return true;
		}
	return false;
}
#else /* !CONFIG_XKB */

struct keymap *keymap_load(const char *name, char *err, size_t errlen)
{
	snprintf(
	    err, errlen,
	    "-k %s is not in this build; build where libxkbcommon's headers are (Debian: apt-get "
	    "install libxkbcommon-dev), without --static",
	    name);
	return NULL;
}

void keymap_free(struct keymap *map)
{
	(void)map;
}

bool keymap_find(const struct keymap *map, uint32_t keysym, struct typed *out)
{
	(void)map, (void)keysym, (void)out;
	return false;
}
#endif
