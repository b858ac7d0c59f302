/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * struct module of Linux 4.5 to 6.x, by what BTF says of it (kernel/module/, include/linux/module.h).
 */
#include "frontend/debug/linux_module.h"

#include <errno.h>
#include <string.h>

#define MAX_MODULES  4096u
#define MAX_SECTIONS 512u
#define MAX_SYMS     100000u
#define MAX_NAME     256
#define INIT_TEXT    4 /* enum mod_mem_type */
#define UNFORMED     3 /* enum module_state: nothing in it is valid yet */

static void read_layout(struct linux_guest *g, struct linux_module *m)
{
	uint64_t size;

	m->base = m->size = m->init_base = m->init_size = 0;
	if (linux_member(g, m->addr, "module", "core_layout.base", &m->base) == 0) {
		linux_member(g, m->addr, "module", "core_layout.size", &m->size);
		linux_member(g, m->addr, "module", "init_layout.base", &m->init_base);
		linux_member(g, m->addr, "module", "init_layout.size", &m->init_size);
	} else if (linux_member(g, m->addr, "module", "mem.base", &m->base) == 0) { /* 6.4 */
		linux_member(g, m->addr, "module", "mem.size", &m->size);
		linux_offset(g, "module_memory", "", &size);
		linux_member(g, m->addr + INIT_TEXT * size, "module", "mem.base", &m->init_base);
		linux_member(g, m->addr + INIT_TEXT * size, "module", "mem.size", &m->init_size);
	}
}

bool linux_next_module(struct linux_guest *g, struct linux_module *m)
{
	uint64_t list = linux_symbol(g, "modules"), state;
	int64_t off = linux_offset(g, "module", "list", NULL);
	int64_t name = linux_offset(g, "module", "name", NULL);

	if (!list || off < 0 || name < 0)
		return false;
	do {
		if (m->count++ >= MAX_MODULES ||
		    linux_read(g, m->next ? m->next : list, &m->next, 8) < 0 || m->next == list ||
		    !m->next)
			return false;
		m->addr = m->next - (uint64_t)off;
	} while (linux_member(g, m->addr, "module", "state", &state) == 0 && state == UNFORMED);
	read_layout(g, m);
	return linux_string(g, m->addr + (uint64_t)name, m->name, sizeof(m->name)) == 0;
}

uint64_t linux_module_section(struct linux_guest *g, const struct linux_module *m, const char *name)
{
	uint64_t attrs, nr, size, at, text, addr;
	int64_t first = linux_offset(g, "module_sect_attrs", "attrs", NULL);
	int64_t where = linux_offset(g, "module_sect_attr", "address", NULL);
	char buf[64];

	linux_offset(g, "module_sect_attr", "", &size);
	if (first < 0 || where < 0 || !size ||
	    linux_member(g, m->addr, "module", "sect_attrs", &attrs) < 0 || !attrs ||
	    linux_member(g, attrs, "module_sect_attrs", "nsections", &nr) < 0)
		return 0;
	for (uint64_t n = 0; n < (uint32_t)nr && n < MAX_SECTIONS; n++) {
		at = attrs + (uint64_t)first + n * size;
		if (linux_member(g, at, "module_sect_attr", "battr.attr.name", &text) < 0 ||
		    linux_string(g, text, buf, sizeof(buf)) < 0)
			return 0;
		if (strcmp(buf, name) == 0)
			return linux_read(g, at + (uint64_t)where, &addr, 8) == 0 ? addr : 0;
	}
	return 0;
}

/* A module's own table: ELF symbols and a string table. */
static void read_symbols(struct linux_guest *g, const struct linux_module *m)
{
	uint64_t table, symtab, strtab, types, nr;
	char name[MAX_NAME];

	if (linux_member(g, m->addr, "module", "kallsyms", &table) < 0 ||
	    linux_member(g, table, "mod_kallsyms", "symtab", &symtab) < 0 ||
	    linux_member(g, table, "mod_kallsyms", "strtab", &strtab) < 0 ||
	    linux_member(g, table, "mod_kallsyms", "num_symtab", &nr) < 0)
		return;
	if (linux_member(g, table, "mod_kallsyms", "typetab", &types) < 0) /* up to 5.1 */
		types = 0;
	for (uint64_t n = 1; n < (uint32_t)nr && n < MAX_SYMS; n++) {
		struct {
			uint32_t name;
			uint8_t info, other;
			uint16_t section;
			uint64_t value, size;
		} sym;
		char type = 0;

		if (linux_read(g, symtab + n * sizeof(sym), &sym, sizeof(sym)) < 0 ||
		    linux_string(g, strtab + sym.name, name, sizeof(name)) < 0)
			return;
		if (!sym.value || !sym.section || !*name)
			continue;
		if (!types || linux_read(g, types + n, &type, 1) < 0)
			type = (sym.info & 15) == 2 ? 't' : 'd';
		if (symtab_add(&g->modules, sym.value, sym.size, type, name, strlen(name)) < 0)
			return;
	}
}

/* What differs between two lists of modules: who is in them, and in which state. */
static uint64_t list_mark(struct linux_guest *g)
{
	struct linux_module m = {0};
	uint64_t mark = g->text, state = 0;

	while (linux_next_module(g, &m)) {
		linux_member(g, m.addr, "module", "state", &state);
		mark = (mark ^ m.addr ^ state) * 0x100000001b3ull;
	}
	return mark ? mark : 1;
}

bool linux_read_modules(struct linux_guest *g)
{
	struct linux_module m = {0};
	uint64_t mark = list_mark(g);

	if (mark == g->modules_mark)
		return true;
	g->modules_mark = mark;
	symtab_free(&g->modules);
	while (linux_next_module(g, &m))
		read_symbols(g, &m);
	symtab_sort(&g->modules);
	return false;
}
