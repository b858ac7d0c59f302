/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Opening a file, and finding its units by address. Not all compilers write .debug_aranges, so the ranges come from the units'
 * own entries, which is as fast.
 */
#ifdef CONFIG_DW
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/debug/debuginfo_priv.h"

static int find_elf(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base,
		    char **file, Elf **elf)
{
	const struct debuginfo *d = *userdata;

	(void)mod, (void)name, (void)base;
	*elf = NULL;
	*file = strdup(d->path);
	return open(d->path, O_RDONLY | O_CLOEXEC);
}

static int section_address(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base,
			   const char *section, GElf_Word index, const GElf_Shdr *header,
			   Dwarf_Addr *addr)
{
	const struct debuginfo *d = *userdata;

	(void)mod, (void)name, (void)base, (void)index, (void)header;
	*addr = d->place.section ? d->place.section(d->place.opaque, section) : 0;
	if (!*addr)
		*addr = (Dwarf_Addr)-1;
	return 0;
}

static int compare_ranges(const void *x, const void *y)
{
	const struct di_range *a = x, *b = y;

	return a->lo < b->lo ? -1 : a->lo > b->lo;
}

static int add_ranges(struct debuginfo *d, uint32_t unit)
{
	Dwarf_Addr base, lo, hi;
	ptrdiff_t off = 0;

	while ((off = d->lib.dwarf_ranges(&d->units[unit], off, &base, &lo, &hi)) > 0) {
		if (d->nr_ranges == d->room_ranges) {
			size_t room = d->room_ranges ? 2 * d->room_ranges : 4096;
			struct di_range *more = realloc(d->ranges, room * sizeof(*more));

			if (!more)
				return -ENOMEM;
			d->ranges = more;
			d->room_ranges = room;
		}
		if (lo < hi)
			d->ranges[d->nr_ranges++] = (struct di_range){lo, hi, unit};
	}
	return 0;
}

static int list_units(struct debuginfo *d)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;
	uint8_t type;

	while (d->lib.dwarf_get_units(d->dw, cu, &cu, NULL, &type, &die, NULL) == 0) {
		if (d->lib.dwarf_tag(&die) != DW_TAG_compile_unit)
			continue;
		if (d->nr_units == d->room_units) {
			size_t room = d->room_units ? 2 * d->room_units : 256;
			Dwarf_Die *more = realloc(d->units, room * sizeof(*more));

			if (!more)
				return -ENOMEM;
			d->units = more;
			d->room_units = room;
		}
		d->units[d->nr_units++] = die;
		if (add_ranges(d, (uint32_t)d->nr_units - 1) < 0)
			return -ENOMEM;
	}
	if (d->nr_ranges)
		qsort(d->ranges, d->nr_ranges, sizeof(d->ranges[0]), compare_ranges);
	return d->nr_units ? 0 : -ENOENT;
}

Dwarf_Die *di_unit(struct debuginfo *d, uint64_t addr)
{
	size_t lo = 0, hi = d->nr_ranges;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (d->ranges[mid].lo <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && addr < d->ranges[lo - 1].hi ? &d->units[d->ranges[lo - 1].unit] : NULL;
}

static int open_dwfl(struct debuginfo *d, const char *path)
{
	Dwfl_Module *mod;
	Dwarf_Addr bias;
	void **user;

	d->callbacks = (Dwfl_Callbacks){.find_elf = find_elf,
					.find_debuginfo = d->lib.dwfl_standard_find_debuginfo,
					.section_address = section_address};
	d->dwfl = d->lib.dwfl_begin(&d->callbacks);
	if (!d->dwfl)
		return -ENOMEM;
	d->lib.dwfl_report_begin(d->dwfl);
	mod = d->lib.dwfl_report_module(d->dwfl, path, d->place.lo, d->place.hi);
	if (!mod)
		return -ENOMEM;
	d->lib.dwfl_module_info(mod, &user, NULL, NULL, NULL, NULL, NULL, NULL);
	*user = d;
	d->lib.dwfl_report_end(d->dwfl, NULL, NULL);
	d->mod = mod;
	d->dw = d->lib.dwfl_module_getdwarf(mod, &bias);
	return d->dw ? 0 : -ENOENT;
}

int debuginfo_open(struct debuginfo **out, const char *path, const struct debuginfo_place *place,
		   char *err, size_t len)
{
	struct debuginfo *d = calloc(1, sizeof(*d));
	const char *why;
	int r = -ENOMEM;

	if (!d)
		return -ENOMEM;
	d->path = strdup(path);
	d->place = *place;
	why = debuginfo_lib_load(&d->lib);
	if (why) {
		snprintf(err, len, "%s", why);
		r = -ENOSYS;
	}
	if (!why && d->path)
		r = open_dwfl(d, path);
	if (r == 0)
		r = list_units(d);
	if (r < 0) {
		debuginfo_close(d);
		return r;
	}
	d->types = (struct types){&di_types_ops, place->is64 ? 8 : 4};
	d->place.section = NULL; /* everything has been put in place */
	*out = d;
	return 0;
}

void debuginfo_close(struct debuginfo *d)
{
	if (!d)
		return;
	if (d->dwfl)
		d->lib.dwfl_end(d->dwfl);
	free(d->units);
	free(d->ranges);
	free(d->met);
	free(d->met_hash);
	free(d->names);
	free(d->path);
	free(d);
}

#endif
