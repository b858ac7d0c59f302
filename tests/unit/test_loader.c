/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Direct boot: what each protocol's plan says, and one line for each broken image.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "tests/unit/images.h"

static const struct e820_entry map[] = {
    {0, 0x9fc00, E820_RAM},
    {0x9fc00, 0x400, E820_RESERVED},
    {0xe0000, 0x20000, E820_RESERVED},
    {0x100000, 0x7f00000, E820_RAM},
};

static const uint8_t initrd[5000] = "070701";

static struct boot_env env_of(const uint8_t *img, size_t len)
{
	return (struct boot_env){
	    .kernel = {"kernel", img, len},
	    .cmdline = "console=ttyS0",
	    .e820 = map,
	    .nr_e820 = 4,
	    .rsdp = 0xe0000,
	};
}

static const struct boot_segment *segment_at(const struct boot_plan *plan, uint64_t addr)
{
	for (unsigned i = 0; i < plan->nr; i++)
		if (addr >= plan->seg[i].addr && addr < plan->seg[i].addr + plan->seg[i].mem_len)
			return &plan->seg[i];
	return NULL;
}

/* The byte that the plan puts at addr. */
static uint8_t byte_at(const struct boot_plan *plan, uint64_t addr)
{
	const struct boot_segment *s = segment_at(plan, addr);

	cr_assert(s, "nothing at 0x%llx", (unsigned long long)addr);
	return addr - s->addr < s->len ? s->data[addr - s->addr] : 0;
}

static uint64_t value_at(const struct boot_plan *plan, uint64_t addr, unsigned size)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < size; i++)
		v |= (uint64_t)byte_at(plan, addr + i) << (8 * i);
	return v;
}

static void check_string(const struct boot_plan *plan, uint64_t addr, const char *s)
{
	for (size_t i = 0; i <= strlen(s); i++)
		cr_assert_eq(byte_at(plan, addr + i), (uint8_t)s[i], "string '%s' at %zu", s, i);
}

static void no_overlap(const struct boot_plan *plan)
{
	for (unsigned i = 0; i < plan->nr; i++)
		for (unsigned j = 0; j < i; j++)
			cr_assert(plan->seg[i].addr >= plan->seg[j].addr + plan->seg[j].mem_len ||
				  plan->seg[j].addr >= plan->seg[i].addr + plan->seg[i].mem_len);
}

Test(loader, bzimage64)
{
	uint8_t img[IMAGE_MAX];
	struct boot_env env = env_of(img, make_bzimage(img, true));
	struct boot_plan plan;
	uint64_t zp;

	env.modules[0].file = (struct blob){"initrd", initrd, sizeof(initrd)};
	env.nr_modules = 1;
	cr_assert_eq(boot_plan_make(&plan, &env), 0, "%s", plan.err);
	no_overlap(&plan);
	cr_assert_eq(plan.entry, BOOT_LONG64);
	cr_assert_eq(plan.rip, 0x1000200);
	zp = plan.rsi;
	cr_assert_eq(value_at(&plan, zp + 0x1fe, 2), 0xaa55);
	cr_assert_eq(value_at(&plan, zp + 0x202, 4), 0x53726448);
	cr_assert_eq(value_at(&plan, zp + 0x210, 1), 0xff);
	cr_assert_eq(value_at(&plan, zp + 0x1e8, 1), 4);
	cr_assert_eq(value_at(&plan, zp + 0x2d0 + 3 * 20 + 8, 8), 0x7f00000);
	cr_assert_eq(value_at(&plan, zp + 0x70, 8), 0xe0000);
	check_string(&plan, value_at(&plan, zp + 0x228, 4), "console=ttyS0");
	cr_assert_eq(value_at(&plan, zp + 0x218, 4), 0x8000000 - 0x2000);
	cr_assert_eq(value_at(&plan, zp + 0x21c, 4), sizeof(initrd));
	/* identity map: PML4 -> PDPT -> PD with 2 MiB pages */
	cr_assert_eq(value_at(&plan, plan.cr3, 8), (plan.cr3 + 0x1000) | 3);
	cr_assert_eq(value_at(&plan, plan.cr3 + 0x2000 + 8, 8), 0x200083);
	boot_plan_free(&plan);
}

Test(loader, bzimage32_and_fallback_address)
{
	const struct e820_entry small[] = {{0, 0x9fc00, E820_RAM}, {0x100000, 0x500000, E820_RAM}};
	uint8_t img[IMAGE_MAX];
	struct boot_env env = env_of(img, make_bzimage(img, false));
	struct boot_plan plan;

	env.e820 = small;
	env.nr_e820 = 2;
	cr_assert_eq(boot_plan_make(&plan, &env), 0, "%s", plan.err);
	cr_assert_eq(plan.entry, BOOT_PROT32);
	cr_assert_eq(plan.rip, 0x200000);
	cr_assert_eq(plan.code_sel, 0x10);
	cr_assert_eq(value_at(&plan, plan.gdt + 0x10, 8), 0x00cf9b000000ffff);
	boot_plan_free(&plan);
}

Test(loader, pvh)
{
	uint8_t img[IMAGE_MAX];
	struct boot_env env = env_of(img, make_elf(img, true, 0x1000000, true));
	struct boot_plan plan;
	uint64_t si, mod;

	env.modules[0].file = (struct blob){"initrd", initrd, sizeof(initrd)};
	env.nr_modules = 1;
	cr_assert_eq(boot_plan_make(&plan, &env), 0, "%s", plan.err);
	no_overlap(&plan);
	cr_assert_eq(plan.entry, BOOT_PROT32);
	cr_assert_eq(plan.rip, 0x1000020);
	cr_assert_eq(segment_at(&plan, 0x1000000)->mem_len, 0x1000);
	si = plan.rbx;
	cr_assert_eq(value_at(&plan, si, 4), 0x336ec578);
	cr_assert_eq(value_at(&plan, si + 4, 4), 1);
	cr_assert_eq(value_at(&plan, si + 12, 4), 1);
	mod = value_at(&plan, si + 16, 8);
	cr_assert_eq(value_at(&plan, mod + 8, 8), sizeof(initrd));
	cr_assert_eq(value_at(&plan, value_at(&plan, mod, 8), 4), 0x37303730);
	check_string(&plan, value_at(&plan, si + 24, 8), "console=ttyS0");
	cr_assert_eq(value_at(&plan, si + 32, 8), 0xe0000);
	cr_assert_eq(value_at(&plan, si + 48, 4), 4);
	boot_plan_free(&plan);
}

Test(loader, elf64_without_note)
{
	uint8_t img[IMAGE_MAX];
	struct boot_env env = env_of(img, make_elf(img, true, 0x1000000, false));
	struct boot_plan plan;

	cr_assert_eq(boot_plan_make(&plan, &env), 0, "%s", plan.err);
	cr_assert_eq(plan.entry, BOOT_LONG64);
	cr_assert_eq(plan.rip, 0x1000010); /* the virtual entry through its segment */
	cr_assert_eq(value_at(&plan, plan.rsi + 0x1e8, 1), 4);
	boot_plan_free(&plan);
}

static void add_modules(struct boot_env *env)
{
	env->modules[0] = (struct boot_module){{"a", (const uint8_t *)"AAAA", 4}, "a one"};
	env->modules[1] = (struct boot_module){{"b", (const uint8_t *)"BBBBB", 5}, "b"};
	env->nr_modules = 2;
}

Test(loader, multiboot1)
{
	uint8_t img[IMAGE_MAX];
	struct boot_env env = env_of(img, make_multiboot1(img, false));
	struct boot_plan plan;
	uint64_t mods;

	add_modules(&env);
	cr_assert_eq(boot_kind(img, env.kernel.len), BOOT_MULTIBOOT1);
	cr_assert_eq(boot_plan_make(&plan, &env), 0, "%s", plan.err);
	no_overlap(&plan);
	cr_assert_eq(plan.rip, 0x100010);
	cr_assert_eq(plan.rax, 0x2badb002);
	cr_assert_eq(value_at(&plan, plan.rbx, 4), 0x24d);
	cr_assert_eq(value_at(&plan, plan.rbx + 4, 4), 639);
	cr_assert_eq(value_at(&plan, plan.rbx + 8, 4), 0x7f00000 / 1024);
	check_string(&plan, value_at(&plan, plan.rbx + 16, 4), "kernel console=ttyS0");
	cr_assert_eq(value_at(&plan, plan.rbx + 20, 4), 2);
	mods = value_at(&plan, plan.rbx + 24, 4);
	cr_assert_eq(value_at(&plan, mods + 16, 4) & 0xfff, 0);
	cr_assert_eq(value_at(&plan, mods + 20, 4) - value_at(&plan, mods + 16, 4), 5);
	check_string(&plan, value_at(&plan, mods + 8, 4), "a one");
	cr_assert_eq(byte_at(&plan, value_at(&plan, mods + 16, 4)), 'B');
	cr_assert_eq(value_at(&plan, plan.rbx + 44, 4), 4 * 24);
	boot_plan_free(&plan);
}

Test(loader, multiboot1_addresses)
{
	uint8_t img[IMAGE_MAX];
	struct boot_env env = env_of(img, make_multiboot1(img, true));
	struct boot_plan plan;

	cr_assert_eq(boot_plan_make(&plan, &env), 0, "%s", plan.err);
	cr_assert_eq(plan.rip, 0x100400);
	cr_assert_eq(segment_at(&plan, 0x100000)->mem_len, 0x3000);
	cr_assert_eq(value_at(&plan, 0x100100, 4), 0x1badb002);
	boot_plan_free(&plan);
}

Test(loader, multiboot2)
{
	uint8_t img[IMAGE_MAX];
	static const uint8_t rsdp[36] = "RSD PTR ";

	for (int is64 = 0; is64 < 2; is64++) {
		struct boot_env env = env_of(img, make_multiboot2(img, is64));
		uint32_t seen = 0, total, at = 8;
		struct boot_plan plan;

		env.rsdp_data = rsdp;
		add_modules(&env);
		cr_assert_eq(boot_plan_make(&plan, &env), 0, "%s", plan.err);
		no_overlap(&plan);
		cr_assert_eq(plan.rip, 0x200010);
		cr_assert_eq(plan.rax, 0x36d76289);
		total = (uint32_t)value_at(&plan, plan.rbx, 4);
		while (at < total) {
			uint32_t type = (uint32_t)value_at(&plan, plan.rbx + at, 4);

			seen |= 1u << type;
			if (type == 1)
				check_string(&plan, plan.rbx + at + 8, "kernel console=ttyS0");
			at += ((uint32_t)value_at(&plan, plan.rbx + at + 4, 4) + 7) & ~7u;
		}
		cr_assert_eq(at, total);
		cr_assert_eq(seen, 1u << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 6 | 1 << 14 |
				       1 << 15);
		boot_plan_free(&plan);
	}
}

static void refused(const uint8_t *img, size_t len, const char *part)
{
	struct boot_env env = env_of(img, len);
	struct boot_plan plan;

	cr_assert_lt(boot_plan_make(&plan, &env), 0);
	cr_assert(strncmp(plan.err, "kernel: ", 8) == 0 && strstr(plan.err, part), "%s", plan.err);
	cr_assert_null(strchr(plan.err, '\n'));
	boot_plan_free(&plan);
}

Test(loader, broken_images)
{
	uint8_t img[IMAGE_MAX];
	size_t len;

	refused((const uint8_t *)"", 0, "empty");
	refused((const uint8_t *)"hello", 5, "not a kernel image");
	len = make_bzimage(img, true);
	refused(img, len - 100, "truncated");
	refused(img, 0x208, "truncated");
	refused(img, 0x220, "truncated");
	img[0x201] = 2;
	refused(img, len, "corrupt setup header");
	make_bzimage(img, true);
	put_le32(img + 0x260, 0xf0000000);
	refused(img, len, "give more with -m");
	make_bzimage(img, true);
	put_le16(img + 0x206, 0x201);
	refused(img, len, "too old");
	len = make_elf(img, true, 0x1000000, true);
	refused(img, 50, "truncated");
	refused(img, len - 1, "truncated");
	len = make_elf(img, true, 0x10000000, true);
	refused(img, len, "not inside the guest's memory");
	img[18] = 40;
	refused(img, len, "another CPU");
	len = make_elf(img, false, 0x1000000, false);
	refused(img, len, "without PVH note");
	len = make_multiboot1(img, true);
	put_le32(img + 0x100 + 20, 0x900000);
	refused(img, len, "truncated");
	len = make_multiboot2(img, true);
	put_le32(img + 0x200 + 20, 2000);
	refused(img, len, "corrupt multiboot 2");
}

Test(loader, broken_initrd)
{
	uint8_t img[IMAGE_MAX];
	struct boot_env env = env_of(img, make_bzimage(img, true));
	struct boot_plan plan;

	env.nr_modules = 1;
	env.modules[0].file = (struct blob){"rd", (const uint8_t *)"garbage", 7};
	cr_assert_lt(boot_plan_make(&plan, &env), 0);
	cr_assert(strstr(plan.err, "initrd rd is no"), "%s", plan.err);
	boot_plan_free(&plan);
	env.modules[0].file = (struct blob){"rd", initrd, (size_t)1 << 40};
	cr_assert_lt(boot_plan_make(&plan, &env), 0);
	cr_assert(strstr(plan.err, "does not fit"), "%s", plan.err);
	boot_plan_free(&plan);
}

Test(loader, search)
{
	uint8_t img[IMAGE_MAX];
	struct boot_env env = env_of(img, make_bzimage(img, true));
	static struct boot_plan plan;

	cr_assert_eq(boot_find_low(&plan, &env, 0x1000, 0x1000, 0x1000, 0xa0000), 0x1000);
	cr_assert_eq(boot_place(&plan, &env, "x", 0x1000, img, 100, 100), 0);
	cr_assert_eq(boot_find_low(&plan, &env, 0x1000, 0x1000, 0x1000, 0xa0000), 0x2000);
	cr_assert_eq(boot_find_high(&plan, &env, 0x1000, 0x1000, 0x1000, 0xa0000), 0x9e000);
	cr_assert_eq(boot_find_high(&plan, &env, 0x10000000, 0x1000, 0, 1ull << 32), 0);
	cr_assert_lt(boot_place(&plan, &env, "x", 0x1050, img, 100, 100), 0);
	cr_assert_lt(boot_place(&plan, &env, "x", UINT64_MAX - 10, img, 100, 100), 0);
	cr_assert_lt(boot_place(&plan, &env, "x", 0x7fffff0, img, 100, 100), 0);
}
