/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A kernel's file is where its _text is. A module's sections are where struct module says, so its debug information is
 * opened when it is loaded. Both have a build id that the guest has in its memory, too.
 */
#include "frontend/debug/symfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/debug/linux.h"
#include "frontend/debug/linux_module.h"

#define KERNEL_LO  0xffffffff80000000ull
#define NOTES_MAX  65536
#define BANNER_MAX 512

static uint64_t symbol_addr(const struct symfile *f, const char *name)
{
	const struct symbol *s = symtab_find(&f->symbols, name);

	return s ? s->addr : 0;
}

uint64_t symfile_fixed(const struct symfile *f)
{
	/* A kernel's per-CPU variables begin at 0. */
	return f->kind == SYMFILE_KERNEL ? KERNEL_LO : 0;
}

static void put(struct symfile *f, uint64_t slide)
{
	f->slide = slide;
	f->placed = true;
	f->lo = (f->elf.data && f->kind != SYMFILE_KERNEL ? f->elf.lo : symbol_addr(f, "_text")) +
		slide;
	f->hi =
	    (f->elf.data && f->kind != SYMFILE_KERNEL ? f->elf.hi : symbol_addr(f, "_end")) + slide;
}

/* The name is in .modinfo; without one, the file's. */
static void module_name(struct symfile *f)
{
	const struct elf_section *s = elf_file_section(&f->elf, ".modinfo");
	const char *base = strrchr(f->path, '/');
	const char *p, *end;

	base = base ? base + 1 : f->path;
	snprintf(f->name, sizeof(f->name), "%.*s", (int)strcspn(base, "."), base);
	if (s && s->offset <= f->elf.len && s->size <= f->elf.len - s->offset && s->size) {
		p = (const char *)f->elf.data + s->offset;
		end = p + s->size;
		for (; p < end; p += strnlen(p, (size_t)(end - p)) + 1)
			if (end - p > 5 && memcmp(p, "name=", 5) == 0)
				snprintf(f->name, sizeof(f->name), "%.*s",
					 (int)strnlen(p + 5, (size_t)(end - p - 5)), p + 5);
	}
	for (char *c = f->name; *c; c++)
		if (*c == '-')
			*c = '_';
}

static uint64_t at_address(void *opaque, const char *section)
{
	const struct symfile *f = opaque;

	return strcmp(section, ".text") == 0 ? f->where : 0;
}

/* Where the sections of a relocatable file are. */
static int place_sections(struct symfile *f, uint64_t (*section)(void *opaque, const char *name),
			  void *opaque, char *err, size_t len)
{
	struct debuginfo_place place = {f->elf.is64, UINT64_MAX, 0, section, opaque};
	int r;

	symtab_free(&f->symbols);
	debuginfo_close(f->debug);
	f->debug = NULL;
	for (unsigned n = 0; n < f->elf.nr_sections; n++) {
		const struct elf_section *s = &f->elf.sections[n];
		uint64_t at = s->loaded ? section(opaque, s->name) : 0;

		if (!at)
			continue;
		if (at < place.lo)
			place.lo = at;
		if (at + s->size > place.hi)
			place.hi = at + s->size;
	}
	if (place.lo >= place.hi)
		return -ENOENT;
	r = elf_file_symbols(&f->elf, &f->symbols, section, opaque);
	if (r == 0)
		r = symtab_sort(&f->symbols);
	if (r < 0)
		return r;
	f->lo = place.lo;
	f->hi = place.hi;
	f->slide = 0;
	f->placed = true;
	return debuginfo_open(&f->debug, f->path, &place, err, len);
}

static int open_elf(struct symfile *f, uint64_t address, char *err, size_t len)
{
	struct debuginfo_place place = {.is64 = f->elf.is64, .lo = f->elf.lo, .hi = f->elf.hi};
	int r;

	f->kind = f->elf.relocatable ? SYMFILE_MODULE : SYMFILE_FIXED;
	if (f->kind == SYMFILE_MODULE) {
		module_name(f);
		if (!address)
			return 0;
		f->kind = SYMFILE_FIXED;
		f->where = address;
		return place_sections(f, at_address, f, err, len);
	}
	r = elf_file_symbols(&f->elf, &f->symbols, NULL, NULL);
	if (r == 0)
		r = symtab_sort(&f->symbols);
	if (r < 0)
		return r;
	if (symbol_addr(f, "linux_banner") && symbol_addr(f, "_text") >= KERNEL_LO)
		f->kind = SYMFILE_KERNEL;
	r = debuginfo_open(&f->debug, f->path, &place, err, len);
	if (f->kind == SYMFILE_KERNEL && address) {
		put(f, address - symbol_addr(f, "_text"));
		f->kind = SYMFILE_FIXED;
	} else if (f->kind == SYMFILE_FIXED) {
		put(f, address ? address - f->elf.lo : 0);
	}
	if (r == -ENOENT && !f->symbols.nr) {
		snprintf(err, len, "%s has neither symbols nor debug information", f->path);
		return -EINVAL;
	}
	return r;
}

static int open_map(struct symfile *f, uint64_t address, char *err, size_t len)
{
	int r = symtab_load_map(&f->symbols, f->path);

	if (r < 0 || !symbol_addr(f, "_text")) {
		snprintf(err, len,
			 r < 0 && r != -EINVAL
			     ? "%s: %s"
			     : "%s is neither an ELF file of x86 nor a System.map",
			 f->path, strerror(-r));
		return -EINVAL;
	}
	f->kind = SYMFILE_KERNEL;
	if (address) {
		put(f, address - symbol_addr(f, "_text"));
		f->kind = SYMFILE_FIXED;
	}
	return 0;
}

int symfile_open(struct symfile **out, const char *path, uint64_t address, char *err, size_t len)
{
	struct symfile *f = calloc(1, sizeof(*f));
	int r = -ENOMEM;

	*err = 0;
	if (f)
		f->path = strdup(path);
	if (f && f->path) {
		r = elf_file_open(&f->elf, path);
		if (r == 0)
			r = open_elf(f, address, err, len);
		else if (r == -EINVAL)
			r = open_map(f, address, err, len);
	}
	/* Symbols without lines are of use, too. */
	if (r < 0 && r != -ENOENT && r != -ENOSYS) {
		if (!*err)
			snprintf(err, len, "%s: %s", path, strerror(-r));
		symfile_close(f);
		return -1;
	}
	if (r == -ENOENT && !f->elf.data) {
		snprintf(err, len, "%s: %s", path, strerror(ENOENT));
		symfile_close(f);
		return -1;
	}
	*out = f;
	return *err ? 1 : 0;
}

void symfile_close(struct symfile *f)
{
	if (!f)
		return;
	debuginfo_close(f->debug);
	symtab_free(&f->symbols);
	elf_file_close(&f->elf);
	free(f->path);
	free(f);
}

/* ---- is it what runs there? ---- */

static void compare_build_id(struct symfile *f, struct linux_guest *g, uint64_t notes, uint64_t len)
{
	uint8_t id[ELF_BUILD_ID], *copy;
	size_t id_len = 0;

	f->warning[0] = 0;
	if (!notes || !len || len > NOTES_MAX || !f->elf.build_id_len)
		return;
	copy = malloc(len);
	if (copy && linux_read(g, notes, copy, len) == 0)
		id_len = elf_build_id(copy, len, id);
	free(copy);
	if (id_len && (id_len != f->elf.build_id_len || memcmp(id, f->elf.build_id, id_len) != 0))
		snprintf(
		    f->warning, sizeof(f->warning),
		    "%.80s is of another build than what the guest runs: its build id differs, "
		    "so lines and variables may be wrong",
		    f->path);
}

void symfile_place_kernel(struct symfile *f, struct linux_guest *g)
{
	uint64_t notes, len;

	if (!g) {
		f->placed = false;
		f->slide = f->where = 0;
		return;
	}
	if (f->placed && f->where == g->text)
		return;
	put(f, g->text - symbol_addr(f, "_text"));
	f->where = g->text;
	notes = linux_symbol(g, "__start_notes");
	len = linux_symbol(g, "__stop_notes") - notes;
	compare_build_id(f, g, notes, len);
	/* Without build ids, or in a System.map: what is at the same place in both. */
	if (!f->warning[0] && linux_symbol(g, "linux_banner") &&
	    linux_symbol(g, "linux_banner") != symbol_addr(f, "linux_banner") + f->slide)
		snprintf(
		    f->warning, sizeof(f->warning),
		    "%.80s is not of the kernel that the guest runs: linux_banner is elsewhere",
		    f->path);
}

struct loaded {
	struct linux_guest *g;
	const struct linux_module *module;
};

static uint64_t loaded_section(void *opaque, const char *name)
{
	const struct loaded *l = opaque;

	return linux_module_section(l->g, l->module, name);
}

void symfile_place_module(struct symfile *f, struct linux_guest *g,
			  const struct linux_module *module)
{
	const struct elf_section *note = elf_file_section(&f->elf, ".note.gnu.build-id");
	struct loaded l = {g, module};
	char err[200];

	if (module && f->placed && f->where == module->addr)
		return;
	f->placed = false;
	f->where = 0;
	if (!module)
		return;
	f->where = module->addr;
	if (place_sections(f, loaded_section, &l, err, sizeof(err)) == -ENOMEM)
		f->placed = false;
	if (note)
		compare_build_id(f, g, linux_module_section(g, module, note->name), note->size);
}
