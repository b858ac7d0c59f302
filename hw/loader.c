/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Direct boot: recognising images, and the parts all loaders share - placing segments in free RAM,
 * the entry state's GDT and page tables, command lines and the initrd.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/loader.h"

/* The first page holds the interrupt vectors and the BIOS data area. */
#define LOW_MIN 0x1000ull
#define LOW_MAX 0xa0000ull
#define FOUR_G  (1ull << 32)

int boot_fail(struct boot_plan *plan, const struct boot_env *env, int err, const char *fmt, ...)
{
	int n = snprintf(plan->err, sizeof(plan->err), "%.200s: ", env->kernel.name);

	if (n >= 0 && (size_t)n < sizeof(plan->err)) {
		va_list ap;

		va_start(ap, fmt);
		vsnprintf(plan->err + n, sizeof(plan->err) - (size_t)n, fmt, ap);
		va_end(ap);
	}
	return err;
}

bool boot_is_ram(const struct boot_env *env, uint64_t addr, uint64_t len)
{
	for (unsigned i = 0; i < env->nr_e820; i++) {
		const struct e820_entry *e = &env->e820[i];

		if (e->type == E820_RAM && addr >= e->base && len <= e->size &&
		    addr - e->base <= e->size - len)
			return true;
	}
	return false;
}

/* The segment that overlaps [addr, addr+len), or NULL. Neither wraps: both lie in RAM. */
static const struct boot_segment *overlap(const struct boot_plan *plan, uint64_t addr, uint64_t len)
{
	for (unsigned i = 0; i < plan->nr; i++) {
		const struct boot_segment *s = &plan->seg[i];

		if (addr < s->addr + s->mem_len && s->addr < addr + len)
			return s;
	}
	return NULL;
}

bool boot_is_free(const struct boot_plan *plan, const struct boot_env *env, uint64_t addr,
		  uint64_t len)
{
	return boot_is_ram(env, addr, len) && !overlap(plan, addr, len);
}

uint64_t boot_low_ram_end(const struct boot_env *env)
{
	for (unsigned i = 0; i < env->nr_e820; i++) {
		const struct e820_entry *e = &env->e820[i];

		if (e->type == E820_RAM && e->base <= 0x100000 && e->base + e->size > 0x100000)
			return e->base + e->size;
	}
	return 0x100000;
}

int boot_place(struct boot_plan *plan, const struct boot_env *env, const char *what, uint64_t addr,
	       const uint8_t *data, size_t len, uint64_t mem_len)
{
	if (mem_len < len)
		mem_len = len;
	if (!mem_len)
		return 0;
	if (!boot_is_ram(env, addr, mem_len))
		return boot_fail(plan, env, -ENOMEM,
				 "%s at 0x%llx (%llu KiB) is not inside the guest's memory", what,
				 (unsigned long long)addr, (unsigned long long)(mem_len >> 10));
	if (addr < LOW_MIN)
		return boot_fail(plan, env, -EINVAL, "%s at 0x%llx lies in the first page", what,
				 (unsigned long long)addr);
	if (overlap(plan, addr, mem_len))
		return boot_fail(plan, env, -EINVAL, "%s at 0x%llx overlaps another part", what,
				 (unsigned long long)addr);
	if (plan->nr == BOOT_MAX_SEGMENTS)
		return boot_fail(plan, env, -E2BIG, "too many segments");
	plan->seg[plan->nr++] = (struct boot_segment){
	    .addr = addr,
	    .mem_len = mem_len,
	    .data = data,
	    .len = len,
	};
	return 0;
}

int boot_place_owned(struct boot_plan *plan, const struct boot_env *env, const char *what,
		     uint64_t addr, uint8_t *data, size_t len)
{
	int r = boot_place(plan, env, what, addr, data, len, len);

	if (r < 0 || !len)
		free(data);
	else
		plan->seg[plan->nr - 1].owned = data;
	return r;
}

uint64_t boot_find_low(const struct boot_plan *plan, const struct boot_env *env, uint64_t len,
		       uint64_t align, uint64_t min, uint64_t max)
{
	uint64_t best = 0;

	/* A lowest fit starts at the start of a region, at min, or at the end of a segment. */
	for (unsigned i = 0; i < env->nr_e820 + 1 + plan->nr; i++) {
		uint64_t a;

		if (i < env->nr_e820)
			a = env->e820[i].base;
		else if (i == env->nr_e820)
			a = min;
		else
			a = plan->seg[i - env->nr_e820 - 1].addr +
			    plan->seg[i - env->nr_e820 - 1].mem_len;
		a = (a + align - 1) & ~(align - 1);
		if (a < min || a >= max || len > max - a || (best && a >= best))
			continue;
		if (boot_is_free(plan, env, a, len))
			best = a;
	}
	return best;
}

uint64_t boot_find_high(const struct boot_plan *plan, const struct boot_env *env, uint64_t len,
			uint64_t align, uint64_t min, uint64_t max)
{
	uint64_t best = 0;

	/* A highest fit ends at the end of a region, at max, or at the start of a segment. */
	for (unsigned i = 0; i < env->nr_e820 + 1 + plan->nr; i++) {
		uint64_t end, a;

		if (i < env->nr_e820)
			end = env->e820[i].base + env->e820[i].size;
		else if (i == env->nr_e820)
			end = max;
		else
			end = plan->seg[i - env->nr_e820 - 1].addr;
		if (end > max)
			end = max;
		if (end < len)
			continue;
		a = (end - len) & ~(align - 1);
		if (a < min || a <= best)
			continue;
		if (boot_is_free(plan, env, a, len))
			best = a;
	}
	return best;
}

static void put_descriptor(uint8_t *gdt, unsigned sel, uint64_t desc)
{
	put_le64(gdt + sel, desc);
}

int boot_place_tables(struct boot_plan *plan, const struct boot_env *env, enum boot_entry entry)
{
	/* Selectors as Linux's boot protocol wants them: 10h code, 18h data; 20h a busy TSS. */
	const size_t gdt_len = 0x30, tss_len = 0x68;
	const size_t pt_pages = entry == BOOT_LONG64 ? 6 : 0;
	uint64_t base, gdt;
	uint8_t *p;
	int r;

	base =
	    boot_find_low(plan, env, pt_pages * 4096 + gdt_len + tss_len, 4096, LOW_MIN, LOW_MAX);
	if (!base)
		base = boot_find_low(plan, env, pt_pages * 4096 + gdt_len + tss_len, 4096, LOW_MIN,
				     FOUR_G);
	if (!base)
		return boot_fail(plan, env, -ENOMEM, "no memory left for the boot tables");
	p = calloc(1, pt_pages * 4096 + gdt_len + tss_len);
	if (!p)
		return boot_fail(plan, env, -ENOMEM, "out of memory");

	/* PML4, PDPT and four page directories of 2 MiB pages: the first 4 GiB one to one. */
	if (pt_pages) {
		put_le64(p, (base + 0x1000) | 3);
		for (unsigned i = 0; i < 4; i++)
			put_le64(p + 0x1000 + i * 8, (base + 0x2000 + i * 0x1000ull) | 3);
		for (unsigned i = 0; i < 4 * 512; i++)
			put_le64(p + 0x2000 + i * 8, (uint64_t)i << 21 | 0x83);
		plan->cr3 = base;
	}

	gdt = base + pt_pages * 4096;
	uint8_t *g = p + pt_pages * 4096;
	uint64_t tss = gdt + gdt_len;

	put_descriptor(g, 0x10, entry == BOOT_LONG64 ? 0x00af9b000000ffff : 0x00cf9b000000ffff);
	put_descriptor(g, 0x18, 0x00cf93000000ffff);
	put_descriptor(g, 0x20,
		       (tss_len - 1) | (tss & 0xffffff) << 16 | 0x8bull << 40 | (tss >> 24) << 56);

	plan->entry = entry;
	plan->gdt = gdt;
	plan->gdt_limit = (uint16_t)(gdt_len - 1);
	plan->code_sel = 0x10;
	plan->data_sel = 0x18;
	plan->tss_sel = 0x20;
	r = boot_place_owned(plan, env, "boot tables", base, p,
			     pt_pages * 4096 + gdt_len + tss_len);
	return r;
}

int boot_place_string(struct boot_plan *plan, const struct boot_env *env, const char *s,
		      uint64_t *addr)
{
	size_t len = strlen(s) + 1;
	uint64_t a = boot_find_low(plan, env, len, 16, LOW_MIN, LOW_MAX);

	if (!a)
		a = boot_find_low(plan, env, len, 16, LOW_MIN, FOUR_G);
	if (!a)
		return boot_fail(plan, env, -ENOMEM, "no memory left for the command line");
	*addr = a;
	return boot_place(plan, env, "command line", a, (const uint8_t *)s, len, len);
}

int boot_place_initrd(struct boot_plan *plan, const struct boot_env *env, uint64_t max,
		      uint64_t *addr)
{
	const struct blob *f = &env->modules[0].file;

	*addr = 0;
	if (!env->nr_modules || !f->len)
		return 0;
	*addr = boot_find_high(plan, env, f->len, 4096, 0x100000, max);
	if (!*addr)
		return boot_fail(
		    plan, env, -ENOMEM,
		    "initrd %s (%zu MiB) does not fit in the guest's memory: give more "
		    "with -m",
		    f->name, (f->len + 0xfffff) >> 20);
	return boot_place(plan, env, "initrd", *addr, f->data, f->len, f->len);
}

bool boot_kind_has_modules(enum boot_kind kind)
{
	return kind == BOOT_MULTIBOOT1 || kind == BOOT_MULTIBOOT2;
}

static bool has_multiboot1(const uint8_t *img, size_t len)
{
	for (size_t o = 0; o + 12 <= len && o + 12 <= 8192; o += 4)
		if (get_le32(img + o) == 0x1badb002 &&
		    (uint32_t)(0x1badb002 + get_le32(img + o + 4) + get_le32(img + o + 8)) == 0)
			return true;
	return false;
}

static bool has_multiboot2(const uint8_t *img, size_t len)
{
	for (size_t o = 0; o + 16 <= len && o + 16 <= 32768; o += 8)
		if (get_le32(img + o) == 0xe85250d6 &&
		    (uint32_t)(0xe85250d6 + get_le32(img + o + 4) + get_le32(img + o + 8) +
			       get_le32(img + o + 12)) == 0)
			return true;
	return false;
}

enum boot_kind boot_kind(const uint8_t *img, size_t len)
{
	if (len >= 0x206 && get_le32(img + 0x202) == 0x53726448 && get_le16(img + 0x1fe) == 0xaa55)
		return BOOT_BZIMAGE;
	if (has_multiboot1(img, len))
		return BOOT_MULTIBOOT1;
	if (has_multiboot2(img, len))
		return BOOT_MULTIBOOT2;
	if (len >= 4 && memcmp(img, "\177ELF", 4) == 0)
		return BOOT_ELF;
	return BOOT_UNKNOWN;
}

int boot_plan_make(struct boot_plan *plan, const struct boot_env *env)
{
	memset(plan, 0, sizeof(*plan));
	if (!env->kernel.len)
		return boot_fail(plan, env, -ENOEXEC, "empty file");
	switch (boot_kind(env->kernel.data, env->kernel.len)) {
	case BOOT_BZIMAGE:
		return load_linux(plan, env);
	case BOOT_MULTIBOOT1:
		return load_multiboot1(plan, env);
	case BOOT_MULTIBOOT2:
		return load_multiboot2(plan, env);
	case BOOT_ELF:
		return load_elf(plan, env);
	case BOOT_UNKNOWN:
		break;
	}
	return boot_fail(plan, env, -ENOEXEC,
			 "not a kernel image (bzImage, ELF, or multiboot 1 or 2)");
}

void boot_plan_free(struct boot_plan *plan)
{
	for (unsigned i = 0; i < plan->nr; i++)
		free(plan->seg[i].owned);
	plan->nr = 0;
}
