/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Multiboot kernels: Multiboot Specification 0.6.96 (ELF and address-field images) and
 * Multiboot2 Specification 2.0 (ELF32, ELF64, address tag), with modules and memory map.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hw/loader.h"

#define MB1_MAGIC      0x1badb002u
#define MB1_BOOT_MAGIC 0x2badb002u
#define MB2_MAGIC      0xe85250d6u
#define MB2_BOOT_MAGIC 0x36d76289u

#define MB1_MEMORY (1u << 1)
#define MB1_VIDEO  (1u << 2)
#define MB1_ADDR   (1u << 16)

#define FOUR_G      (1ull << 32)
#define LOADER_NAME "doppel"

/* The address fields that replace ELF headers; file_off is where load_addr is in the file. */
struct addr_fields {
	uint32_t header_addr, load_addr, load_end, bss_end;
	uint64_t header_off;
};

static int place_addr_fields(struct boot_plan *plan, const struct boot_env *env,
			     const struct addr_fields *a)
{
	size_t len = env->kernel.len;
	uint64_t off, n, mem;

	/* load_addr of all ones (multiboot 2): from the beginning of the file. */
	uint32_t load =
	    a->load_addr == UINT32_MAX ? (uint32_t)(a->header_addr - a->header_off) : a->load_addr;

	if (load > a->header_addr || a->header_addr - load > a->header_off)
		return boot_fail(plan, env, -ENOEXEC,
				 "corrupt multiboot header (load address "
				 "0x%x, header address 0x%x)",
				 load, a->header_addr);
	off = a->header_off - (a->header_addr - load);
	if (a->load_end && a->load_end < load)
		return boot_fail(plan, env, -ENOEXEC, "corrupt multiboot header (load end)");
	n = a->load_end ? a->load_end - load : len - off;
	if (n > len - off)
		return boot_fail(
		    plan, env, -ENOEXEC,
		    "truncated: the multiboot header promises %llu bytes, the file has "
		    "%zu",
		    (unsigned long long)(off + n), len);
	mem = n;
	if (a->bss_end) {
		if (a->bss_end < load + n)
			return boot_fail(plan, env, -ENOEXEC, "corrupt multiboot header (bss end)");
		mem = a->bss_end - load;
	}
	if (!mem)
		return boot_fail(plan, env, -ENOEXEC, "corrupt multiboot header (nothing to load)");
	return boot_place(plan, env, "kernel", load, env->kernel.data + off, (size_t)n, mem);
}

static uint64_t kernel_end(const struct boot_plan *plan)
{
	uint64_t end = 0x100000;

	for (unsigned i = 0; i < plan->nr; i++)
		if (plan->seg[i].addr + plan->seg[i].mem_len > end)
			end = plan->seg[i].addr + plan->seg[i].mem_len;
	return end;
}

/* Modules go to page boundaries past the kernel, in order; their addresses to mod[]. */
static int place_modules(struct boot_plan *plan, const struct boot_env *env, uint64_t *mod)
{
	for (unsigned i = 0; i < env->nr_modules; i++) {
		const struct blob *f = &env->modules[i].file;
		size_t len = f->len ? f->len : 1;
		int r;

		mod[i] = boot_find_low(plan, env, len, 4096, kernel_end(plan), FOUR_G);
		if (!mod[i])
			return boot_fail(plan, env, -ENOMEM,
					 "module %s (%zu KiB) does not fit in the guest's memory: "
					 "give more with -m",
					 f->name, f->len >> 10);
		r = boot_place(plan, env, "module", mod[i], f->data, f->len, len);
		if (r < 0)
			return r;
	}
	return 0;
}

static void memory_sizes(const struct boot_env *env, uint32_t *lower, uint32_t *upper)
{
	uint64_t low = 0;

	for (unsigned i = 0; i < env->nr_e820; i++)
		if (env->e820[i].type == E820_RAM && env->e820[i].base == 0)
			low = env->e820[i].size;
	*lower = (uint32_t)(low >> 10 > 640 ? 640 : low >> 10);
	*upper = (uint32_t)((boot_low_ram_end(env) - 0x100000) >> 10);
}

/* "file arguments": the command line starts with the kernel's own name. */
static int place_cmdline(struct boot_plan *plan, const struct boot_env *env, uint64_t *addr,
			 const char **text)
{
	size_t n = strlen(env->kernel.name), m = strlen(env->cmdline);
	char *s = malloc(n + m + 2);
	uint64_t a;

	if (!s)
		return boot_fail(plan, env, -ENOMEM, "out of memory");
	memcpy(s, env->kernel.name, n);
	s[n] = m ? ' ' : 0;
	memcpy(s + n + 1, env->cmdline, m);
	s[n + 1 + m] = 0;
	a = boot_find_low(plan, env, n + m + 2, 16, kernel_end(plan), FOUR_G);
	if (!a) {
		free(s);
		return boot_fail(plan, env, -ENOMEM, "no memory left for the command line");
	}
	*addr = a;
	*text = s;
	return boot_place_owned(plan, env, "command line", a, (uint8_t *)s, n + m + 2);
}

static int entry_state(struct boot_plan *plan, const struct boot_env *env, uint64_t entry,
		       uint32_t magic, uint64_t info)
{
	int r;

	if (entry >= FOUR_G || !boot_is_ram(env, entry, 1))
		return boot_fail(plan, env, -ENOEXEC, "the entry point 0x%llx is not in memory",
				 (unsigned long long)entry);
	r = boot_place_tables(plan, env, BOOT_PROT32);
	if (r < 0)
		return r;
	plan->rip = entry;
	plan->rax = magic;
	plan->rbx = info;
	return 0;
}

static int mb1_info(struct boot_plan *plan, const struct boot_env *env, uint64_t *info)
{
	size_t mods = 96, map = mods + (size_t)env->nr_modules * 16;
	size_t name = map + (size_t)env->nr_e820 * 24, len = name + sizeof(LOADER_NAME);
	uint64_t mod[BOOT_MAX_MODULES], str[BOOT_MAX_MODULES], cmdline, base;
	uint32_t lower, upper;
	const char *text;
	uint8_t *p;
	int r;

	r = place_modules(plan, env, mod);
	for (unsigned i = 0; r >= 0 && i < env->nr_modules; i++)
		r = boot_place_string(plan, env, env->modules[i].cmdline, &str[i]);
	if (r >= 0)
		r = place_cmdline(plan, env, &cmdline, &text);
	if (r < 0)
		return r;
	base = boot_find_low(plan, env, len, 16, 0x1000, FOUR_G);
	if (!base)
		return boot_fail(plan, env, -ENOMEM, "no memory left for the multiboot info");
	p = calloc(1, len);
	if (!p)
		return boot_fail(plan, env, -ENOMEM, "out of memory");
	memory_sizes(env, &lower, &upper);
	/* memory, command line, modules, memory map, loader name */
	put_le32(p, 1u << 0 | 1u << 2 | (env->nr_modules ? 1u << 3 : 0) | 1u << 6 | 1u << 9);
	put_le32(p + 4, lower);
	put_le32(p + 8, upper);
	put_le32(p + 16, (uint32_t)cmdline);
	put_le32(p + 20, env->nr_modules);
	put_le32(p + 24, (uint32_t)(base + mods));
	put_le32(p + 44, env->nr_e820 * 24);
	put_le32(p + 48, (uint32_t)(base + map));
	put_le32(p + 64, (uint32_t)(base + name));
	for (unsigned i = 0; i < env->nr_modules; i++) {
		put_le32(p + mods + i * 16, (uint32_t)mod[i]);
		put_le32(p + mods + i * 16 + 4, (uint32_t)(mod[i] + env->modules[i].file.len));
		put_le32(p + mods + i * 16 + 8, (uint32_t)str[i]);
	}
	for (unsigned i = 0; i < env->nr_e820; i++) {
		uint8_t *e = p + map + i * 24;

		put_le32(e, 20);
		put_le64(e + 4, env->e820[i].base);
		put_le64(e + 12, env->e820[i].size);
		put_le32(e + 20, env->e820[i].type);
	}
	memcpy(p + name, LOADER_NAME, sizeof(LOADER_NAME));
	*info = base;
	return boot_place_owned(plan, env, "multiboot info", base, p, len);
}

int load_multiboot1(struct boot_plan *plan, const struct boot_env *env)
{
	const uint8_t *img = env->kernel.data;
	size_t len = env->kernel.len, o;
	uint64_t entry, info = 0;
	uint32_t flags;
	int r;

	for (o = 0; o + 12 <= len && o + 12 <= 8192; o += 4)
		if (get_le32(img + o) == MB1_MAGIC &&
		    (uint32_t)(MB1_MAGIC + get_le32(img + o + 4) + get_le32(img + o + 8)) == 0)
			break;
	if (o + 12 > len || o + 12 > 8192)
		return boot_fail(plan, env, -ENOEXEC, "no multiboot header");
	flags = get_le32(img + o + 4);
	/* Bits 0-15 are requirements: page alignment and memory map we have; a video mode is a
	 * wish that a kernel must be able to do without. */
	if (flags & 0xffff & ~(1u << 0 | MB1_MEMORY | MB1_VIDEO))
		return boot_fail(plan, env, -ENOTSUP,
				 "multiboot header demands unknown features "
				 "(flags 0x%x)",
				 flags);
	if (flags & MB1_ADDR) {
		if (len - o < 32)
			return boot_fail(plan, env, -ENOEXEC, "truncated multiboot header");
		r = place_addr_fields(plan, env,
				      &(struct addr_fields){
					  .header_addr = get_le32(img + o + 12),
					  .load_addr = get_le32(img + o + 16),
					  .load_end = get_le32(img + o + 20),
					  .bss_end = get_le32(img + o + 24),
					  .header_off = o,
				      });
		entry = get_le32(img + o + 28);
	} else {
		struct elf_info elf;

		r = elf_open(plan, env, &elf);
		if (r >= 0)
			r = elf_place(plan, env, &elf);
		entry = elf.entry_phys;
	}
	if (r >= 0)
		r = mb1_info(plan, env, &info);
	if (r < 0)
		return r;
	plan->protocol = "multiboot";
	return entry_state(plan, env, entry, MB1_BOOT_MAGIC, info);
}

/* Multiboot 2 information: a growing list of tags, each 8-aligned. */
struct tags {
	uint8_t *p;
	size_t len, cap;
};

static uint8_t *tag(struct tags *t, uint32_t type, size_t size)
{
	uint8_t *p = t->p + t->len;

	put_le32(p, type);
	put_le32(p + 4, (uint32_t)size);
	t->len += (size + 7) & ~(size_t)7;
	return p;
}

static void tag_string(struct tags *t, uint32_t type, const char *s)
{
	memcpy(tag(t, type, 8 + strlen(s) + 1) + 8, s, strlen(s) + 1);
}

static int mb2_info(struct boot_plan *plan, const struct boot_env *env, uint64_t *info)
{
	uint64_t mod[BOOT_MAX_MODULES], cmdline, base;
	struct tags t = {.len = 8};
	uint32_t lower, upper;
	const char *text = "";
	uint8_t *p;
	int r;

	r = place_modules(plan, env, mod);
	if (r >= 0)
		r = place_cmdline(plan, env, &cmdline, &text);
	if (r < 0)
		return r;
	t.cap = 512 + strlen(text) + (size_t)env->nr_e820 * 24;
	for (unsigned i = 0; i < env->nr_modules; i++)
		t.cap += 32 + strlen(env->modules[i].cmdline);
	base = boot_find_low(plan, env, t.cap, 4096, kernel_end(plan), FOUR_G);
	if (!base)
		return boot_fail(plan, env, -ENOMEM, "no memory left for the multiboot info");
	t.p = calloc(1, t.cap);
	if (!t.p)
		return boot_fail(plan, env, -ENOMEM, "out of memory");

	tag_string(&t, 1, text);
	tag_string(&t, 2, LOADER_NAME);
	for (unsigned i = 0; i < env->nr_modules; i++) {
		const char *s = env->modules[i].cmdline;

		p = tag(&t, 3, 16 + strlen(s) + 1);
		put_le32(p + 8, (uint32_t)mod[i]);
		put_le32(p + 12, (uint32_t)(mod[i] + env->modules[i].file.len));
		memcpy(p + 16, s, strlen(s) + 1);
	}
	memory_sizes(env, &lower, &upper);
	p = tag(&t, 4, 16);
	put_le32(p + 8, lower);
	put_le32(p + 12, upper);
	p = tag(&t, 6, 16 + (size_t)env->nr_e820 * 24);
	put_le32(p + 8, 24);
	for (unsigned i = 0; i < env->nr_e820; i++) {
		put_le64(p + 16 + i * 24, env->e820[i].base);
		put_le64(p + 24 + i * 24, env->e820[i].size);
		put_le32(p + 32 + i * 24, env->e820[i].type);
	}
	if (env->rsdp && env->rsdp_data) {
		memcpy(tag(&t, 14, 8 + 20) + 8, env->rsdp_data, 20);
		memcpy(tag(&t, 15, 8 + 36) + 8, env->rsdp_data, 36);
	}
	tag(&t, 0, 8);
	put_le32(t.p, (uint32_t)t.len);
	*info = base;
	return boot_place_owned(plan, env, "multiboot info", base, t.p, t.len);
}

/* What the header's tags ask for. */
struct mb2_header {
	struct addr_fields addr;
	bool has_addr, has_entry;
	uint32_t entry;
};

static int mb2_parse(struct boot_plan *plan, const struct boot_env *env, size_t o,
		     struct mb2_header *h)
{
	const uint8_t *img = env->kernel.data;
	uint64_t hlen = get_le32(img + o + 8), at = 16;

	if (get_le32(img + o + 4) != 0)
		return boot_fail(plan, env, -ENOTSUP, "a multiboot 2 kernel for another CPU");
	if (hlen < 16 || hlen > env->kernel.len - o)
		return boot_fail(plan, env, -ENOEXEC, "corrupt multiboot 2 header (length)");
	while (hlen - at >= 8) {
		const uint8_t *p = img + o + at;
		unsigned type = get_le16(p), optional = get_le16(p + 2) & 1;
		uint64_t size = get_le32(p + 4);

		if (size < 8 || size > hlen - at)
			return boot_fail(plan, env, -ENOEXEC, "corrupt multiboot 2 header (tag %u)",
					 type);
		if (type == 0)
			break;
		if (type == 2 && size >= 24) {
			h->has_addr = true;
			h->addr = (struct addr_fields){
			    .header_addr = get_le32(p + 8),
			    .load_addr = get_le32(p + 12),
			    .load_end = get_le32(p + 16),
			    .bss_end = get_le32(p + 20),
			    .header_off = o,
			};
		} else if (type == 3 && size >= 12) {
			h->has_entry = true;
			h->entry = get_le32(p + 8);
		} else if (type == 1 || (type >= 4 && type <= 10)) {
			/* Information requests get what there is; console, frame buffer,
			 * alignment, EFI and relocation need nothing here. */
		} else if (!optional) {
			return boot_fail(plan, env, -ENOTSUP,
					 "multiboot 2 header demands unknown feature %u", type);
		}
		at += (size + 7) & ~7ull;
		if (at > hlen)
			break;
	}
	return 0;
}

int load_multiboot2(struct boot_plan *plan, const struct boot_env *env)
{
	const uint8_t *img = env->kernel.data;
	size_t len = env->kernel.len, o;
	struct mb2_header h = {0};
	uint64_t entry = 0, info = 0;
	int r;

	for (o = 0; o + 16 <= len && o + 16 <= 32768; o += 8)
		if (get_le32(img + o) == MB2_MAGIC &&
		    (uint32_t)(MB2_MAGIC + get_le32(img + o + 4) + get_le32(img + o + 8) +
			       get_le32(img + o + 12)) == 0)
			break;
	if (o + 16 > len || o + 16 > 32768)
		return boot_fail(plan, env, -ENOEXEC, "no multiboot 2 header");
	r = mb2_parse(plan, env, o, &h);
	if (r < 0)
		return r;
	if (h.has_addr) {
		if (!h.has_entry)
			return boot_fail(plan, env, -ENOEXEC,
					 "multiboot 2 header with addresses but no entry point");
		r = place_addr_fields(plan, env, &h.addr);
	} else {
		struct elf_info elf;

		r = elf_open(plan, env, &elf);
		if (r >= 0)
			r = elf_place(plan, env, &elf);
		entry = elf.entry_phys;
	}
	if (r >= 0)
		r = mb2_info(plan, env, &info);
	if (r < 0)
		return r;
	if (h.has_entry)
		entry = h.entry;
	plan->protocol = "multiboot2";
	return entry_state(plan, env, entry, MB2_BOOT_MAGIC, info);
}
