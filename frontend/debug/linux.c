/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * x86-64 Linux maps its image between 0xffffffff80000000 and the modules at 0xffffffffc0000000, in steps of 2 MiB
 * (Documentation/x86/x86_64/mm.rst); KASLR only chooses where. What is mapped first there is _text.
 */
#include "frontend/debug/linux.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/vcpu.h"
#include "frontend/debug/btf.h"
#include "frontend/debug/kallsyms.h"
#include "frontend/debug/memory.h"
#include "hw/pc.h"

#define WINDOW_LO 0xffffffff80000000ull
#define WINDOW_HI 0xffffffffc0000000ull
#define STEP      0x200000ull
#define IMAGE_MAX (256ull << 20)
#define GAP_MAX   4 /* steps that are not mapped any more, within the image */
#define BTF_MAX   (64u << 20)
#define PTI_USER  0x1000ull /* of CR3: the page table that user code has */
#define AGAIN_NS  200000000
#define MAX_CPUS  64

static int read_by(struct pc *pc, const struct paging *pg, uint64_t addr, void *buf, size_t len)
{
	uint8_t *to = buf;

	while (len) {
		size_t n = PAGE_SIZE - (addr & ~PAGE_MASK);
		struct translation t;

		if (n > len)
			n = len;
		if (page_walk_debug(&pc->m.mem, pg, addr, &t) < 0 ||
		    aspace_dma_read(&pc->m.mem, t.gpa, to, n) < 0)
			return -EFAULT;
		addr += n;
		to += n;
		len -= n;
	}
	return 0;
}

bool linux_maps_kernel(struct pc *pc, const struct paging *pg, uint64_t *text, uint64_t *end)
{
	struct translation t;
	unsigned gap = 0;

	if (!(pg->cr0 & CR0_PG) || !(pg->efer & EFER_LMA))
		return false;
	*text = 0;
	for (uint64_t at = WINDOW_LO; at < WINDOW_HI; at += STEP) {
		bool mapped = page_walk_debug(&pc->m.mem, pg, at, &t) == 0;

		if (mapped && !*text)
			*text = at;
		if (mapped) {
			*end = at + STEP;
			gap = 0;
		} else if (*text && ++gap > GAP_MAX) {
			break;
		}
	}
	/* A whole window is what the decompressor or other systems map. */
	return *text && *text > WINDOW_LO && *end - *text <= IMAGE_MAX;
}

/* The image as it is mapped, zeroes where it is not. */
static uint8_t *copy_image(struct linux_guest *g)
{
	size_t len = g->end - g->text;
	uint8_t *image = calloc(1, len);

	for (size_t off = 0; image && off < len; off += PAGE_SIZE)
		read_by(g->pc, &g->paging, g->text + off, image + off, PAGE_SIZE);
	return image;
}

static void forget(struct linux_guest *g)
{
	symtab_free(&g->symbols);
	symtab_free(&g->modules);
	btf_free(g->btf);
	g->btf = NULL;
	memset(g->offsets, 0, sizeof(g->offsets));
	g->orc_entry = 0;
	g->modules_mark = 0;
	free(g->orc.ips);
	free(g->orc.entries);
	memset(&g->orc, 0, sizeof(g->orc));
	g->found = g->btf_tried = false;
}

void linux_free(struct linux_guest *g)
{
	forget(g);
}

static bool same(struct linux_guest *g)
{
	uint8_t now[sizeof(g->mark)];

	return linux_read(g, g->mark_at, now, sizeof(now)) == 0 &&
	       memcmp(now, g->mark, sizeof(now)) == 0;
}

/* The page table that reaches everything, whichever process runs. */
static void use_kernel_table(struct linux_guest *g)
{
	uint64_t at = linux_symbol(g, "init_top_pgt"), text = linux_symbol(g, "_text");
	struct translation t, there;
	struct paging pg = g->paging;

	if (!at || !text || page_walk_debug(&g->pc->m.mem, &g->paging, at, &t) < 0)
		return;
	pg.cr3 = t.gpa;
	/* Not before it is in use. */
	if (page_walk_debug(&g->pc->m.mem, &pg, text, &there) == 0 &&
	    page_walk_debug(&g->pc->m.mem, &g->paging, text, &t) == 0 && t.gpa == there.gpa)
		g->paging = pg;
}

/* The symbols of a file instead, if its kernel is what is there. */
static int read_file_symbols(struct linux_guest *g)
{
	static const char banner[] = "Linux version ";
	const struct symbol *text = g->file ? symtab_find(g->file, "_text") : NULL;
	const struct symbol *mark = g->file ? symtab_find(g->file, "linux_banner") : NULL;
	uint64_t slide = text ? g->text - text->addr : 0;
	char there[sizeof(banner) - 1];
	int err = 0;

	symtab_free(&g->symbols);
	if (!text || !mark || linux_read(g, mark->addr + slide, there, sizeof(there)) < 0 ||
	    memcmp(there, banner, sizeof(there)) != 0)
		return -ENOENT;
	for (size_t n = 0; n < g->file->nr && err == 0; n++) {
		const struct symbol *s = &g->file->by_addr[n];

		/* What is below is of per-CPU areas, and does not move. */
		err = symtab_add(&g->symbols, s->addr + (s->addr >= WINDOW_LO ? slide : 0), s->size,
				 s->type, s->name, strlen(s->name));
	}
	return err;
}

static bool find(struct linux_guest *g, const struct vcpu *v, uint64_t cr3)
{
	const struct symbol *s;
	uint8_t *image;
	int err;

	debug_paging(g->pc, v, &g->paging);
	g->paging.cr3 = cr3;
	if (!linux_maps_kernel(g->pc, &g->paging, &g->text, &g->end))
		return false;
	image = copy_image(g);
	if (!image)
		return false;
	err = kallsyms_read(&g->symbols, image, g->end - g->text);
	free(image);
	if (err < 0)
		err = read_file_symbols(g);
	if (err < 0 || symtab_sort(&g->symbols) < 0)
		return false;
	s = symtab_find(&g->symbols, "_text");
	if (!s || s->addr != g->text)
		return false;
	s = symtab_find(&g->symbols, "linux_banner");
	g->mark_at = s ? s->addr : g->text;
	use_kernel_table(g);
	return linux_read(g, g->mark_at, g->mark, sizeof(g->mark)) == 0;
}

bool linux_find(struct linux_guest *g, const struct vcpu *v)
{
	uint64_t now = clock_host_ns();

	if (g->found && same(g)) {
		use_kernel_table(g);
		return true;
	}
	if (!(v->efer & EFER_LMA) || (v->cr3 == g->failed_cr3 && now - g->failed_when < AGAIN_NS))
		return false;
	forget(g);
	g->found = find(g, v, v->cr3);
	if (!g->found && v->cr3 & PTI_USER) {
		forget(g);
		g->found = find(g, v, v->cr3 & ~PTI_USER);
	}
	if (g->found)
		return true;
	forget(g);
	g->failed_cr3 = v->cr3;
	g->failed_when = now;
	return false;
}

int linux_read(struct linux_guest *g, uint64_t addr, void *buf, size_t len)
{
	return read_by(g->pc, &g->paging, addr, buf, len);
}

int linux_string(struct linux_guest *g, uint64_t addr, char *buf, size_t len)
{
	for (size_t n = 0; n + 1 < len; n++) {
		uint8_t c;

		if (linux_read(g, addr + n, &c, 1) < 0)
			return -EFAULT;
		if (!c) {
			buf[n] = 0;
			return 0;
		}
		buf[n] = c < ' ' || c >= 0x7f ? '?' : (char)c;
	}
	buf[len - 1] = 0;
	return 0;
}

uint64_t linux_symbol(struct linux_guest *g, const char *name)
{
	const struct symbol *s = symtab_find(&g->symbols, name);

	return s ? s->addr : 0;
}

static struct btf *read_btf(struct linux_guest *g)
{
	uint64_t start = linux_symbol(g, "__start_BTF"), stop = linux_symbol(g, "__stop_BTF");
	uint8_t *data;

	if (g->btf_tried)
		return g->btf;
	g->btf_tried = true;
	if (!start || stop <= start || stop - start > BTF_MAX)
		return NULL;
	data = malloc(stop - start);
	if (!data)
		return NULL;
	if (linux_read(g, start, data, stop - start) < 0)
		free(data);
	else if (btf_new(&g->btf, data, stop - start) < 0)
		g->btf = NULL;
	return g->btf;
}

const struct types *linux_types(struct linux_guest *g)
{
	const struct btf *b = read_btf(g);

	return b ? btf_types(b) : NULL;
}

uint64_t linux_percpu(struct linux_guest *g, uint64_t offset, unsigned cpu)
{
	uint64_t table = linux_symbol(g, "__per_cpu_offset"), base;

	if (!table || cpu >= MAX_CPUS || linux_read(g, table + 8ull * cpu, &base, 8) < 0)
		return 0;
	return base + offset;
}

static int64_t look_up(struct linux_guest *g, const char *type, const char *path, uint64_t *size)
{
	const struct types *b = linux_types(g);
	uint32_t id = b ? type_find(b, TYPE_STRUCT, type) : 0;
	struct type_member m = {0};
	int64_t off = 0;

	while (id && *path) {
		size_t n = strcspn(path, ".");
		char name[64];

		if (n >= sizeof(name))
			return -1;
		memcpy(name, path, n);
		name[n] = 0;
		if (!type_member_find(b, id, name, &m) || m.bits)
			return -1;
		off += m.bit_offset / 8;
		id = m.type;
		path += n + (path[n] == '.');
		if (*path && type_kind(b, type_strip(b, id)) == TYPE_ARRAY) /* its first element */
			id = type_target(b, type_strip(b, id));
	}
	if (!id)
		return -1;
	*size = type_size(b, id);
	return off;
}

int64_t linux_offset(struct linux_guest *g, const char *type, const char *path, uint64_t *size)
{
	const unsigned max = sizeof(g->offsets) / sizeof(g->offsets[0]);
	uint64_t bytes = 0;
	int64_t off;

	for (unsigned n = 0; n < max; n++)
		if (strcmp(g->offsets[n].path, path) == 0 &&
		    strcmp(g->offsets[n].type, type) == 0) {
			if (size)
				*size = g->offsets[n].size;
			return g->offsets[n].off;
		}
	off = look_up(g, type, path, &bytes);
	if (size)
		*size = bytes;
	if (strlen(type) < sizeof(g->offsets[0].type) &&
	    strlen(path) < sizeof(g->offsets[0].path)) {
		unsigned n = g->next_offset++ % max;

		strcpy(g->offsets[n].type, type);
		strcpy(g->offsets[n].path, path);
		g->offsets[n].off = off;
		g->offsets[n].size = bytes;
	}
	return off;
}

int linux_member(struct linux_guest *g, uint64_t base, const char *type, const char *path,
		 uint64_t *out)
{
	uint64_t size;
	int64_t off = linux_offset(g, type, path, &size);

	if (off < 0 || !size || size > 8)
		return -ENOENT;
	*out = 0;
	return linux_read(g, base + (uint64_t)off, out, size);
}

uint64_t linux_current(struct linux_guest *g, unsigned cpu)
{
	uint64_t at = linux_symbol(g, "current_task"), task = 0;

	if (at) {
		at = linux_percpu(g, at, cpu);
	} else { /* from 6.2 on */
		int64_t off = linux_offset(g, "pcpu_hot", "current_task", NULL);

		at = linux_symbol(g, "pcpu_hot");
		at = at && off >= 0 ? linux_percpu(g, at + (uint64_t)off, cpu) : 0;
	}
	return at && linux_read(g, at, &task, 8) == 0 ? task : 0;
}
