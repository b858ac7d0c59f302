/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Mutates small images of every boot protocol and plans their boot; whatever a plan accepts must
 * lie in the guest's RAM. Usage: fuzz_loader [iterations [seed]]. Same arguments, same run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/images.h"

static const struct e820_entry map[] = {
    {0, 0x9fc00, E820_RAM},
    {0x9fc00, 0x400, E820_RESERVED},
    {0xe0000, 0x20000, E820_RESERVED},
    {0x100000, 0x3f00000, E820_RAM},
    {0x100000000, 0x1000000, E820_RAM},
};

/* xorshift64* */
static uint64_t next(uint64_t *s)
{
	*s ^= *s >> 12;
	*s ^= *s << 25;
	*s ^= *s >> 27;
	return *s * 0x2545f4914f6cdd1d;
}

static size_t make(uint8_t *img, unsigned kind)
{
	switch (kind) {
	case 0:
		return make_bzimage(img, true);
	case 1:
		return make_bzimage(img, false);
	case 2:
		return make_elf(img, true, 0x1000000, true);
	case 3:
		return make_elf(img, false, 0x1000000, true);
	case 4:
		return make_elf(img, true, 0x1000000, false);
	case 5:
		return make_multiboot1(img, false);
	case 6:
		return make_multiboot1(img, true);
	case 7:
		return make_multiboot2(img, false);
	default:
		return make_multiboot2(img, true);
	}
}

/* Where the headers are, so that most mutations hit a field. */
static size_t pick_offset(uint64_t *s, unsigned kind, size_t len)
{
	static const struct {
		uint16_t at, n;
	} hot[9][2] = {
	    {{0x1f0, 0x7c}, {0x230, 0x34}},
	    {{0x1f0, 0x7c}, {0x230, 0x34}},
	    {{0, 176}, {0x400, 24}},
	    {{0, 116}, {0x400, 24}},
	    {{0, 120}, {0, 64}},
	    {{0, 84}, {0x200, 12}},
	    {{0x100, 32}, {0, 16}},
	    {{0, 84}, {0x200, 48}},
	    {{0, 120}, {0x200, 48}},
	};
	uint64_t r = next(s);

	if (r % 8 == 0)
		return (size_t)(next(s) % len);
	return hot[kind][r >> 8 & 1].at + (size_t)(next(s) % hot[kind][r >> 8 & 1].n);
}

/* Multiboot headers are found by their checksum: mend it most of the time, to get past. */
static void mend(uint8_t *img, unsigned kind)
{
	if (kind == 5 || kind == 6) {
		uint8_t *p = img + (kind == 6 ? 0x100 : 0x200);

		put_le32(p, 0x1badb002);
		put_le32(p + 8, (uint32_t) - (0x1badb002 + get_le32(p + 4)));
	} else if (kind >= 7) {
		uint8_t *p = img + 0x200;

		put_le32(p, 0xe85250d6);
		put_le32(p + 12, (uint32_t) - (0xe85250d6 + get_le32(p + 4) + get_le32(p + 8)));
	}
}

static void mutate(uint8_t *img, size_t *len, unsigned kind, uint64_t *s)
{
	static const uint64_t special[] = {0,
					   1,
					   0x7f,
					   0x80,
					   0xff,
					   0xffff,
					   0x7fffffff,
					   0x80000000,
					   0xfffffff0,
					   0xffffffff,
					   0x100000000,
					   0x7fffffffffffffff,
					   0xffffffffffffffff};
	unsigned n = 1 + (unsigned)(next(s) % 4);

	while (n--) {
		size_t at = pick_offset(s, kind, *len), width = (size_t)1 << (next(s) % 4);
		uint64_t v = next(s);

		if (v % 2)
			v = special[(v >> 8) % (sizeof(special) / sizeof(special[0]))];
		for (size_t i = 0; i < width && at + i < IMAGE_MAX; i++)
			img[at + i] = (uint8_t)(v >> (8 * i));
	}
	if (next(s) % 4)
		mend(img, kind);
	if (next(s) % 8 == 0)
		*len = (size_t)(next(s) % (*len + 1));
}

static int check(const struct boot_plan *plan, const struct boot_env *env)
{
	volatile uint8_t sink = 0;

	for (unsigned i = 0; i < plan->nr; i++) {
		const struct boot_segment *s = &plan->seg[i];

		if (!boot_is_ram(env, s->addr, s->mem_len) || s->len > s->mem_len)
			return -1;
		/* every byte must be readable: the sanitizer looks */
		for (size_t k = 0; k < s->len; k++)
			sink = (uint8_t)(sink + s->data[k]);
	}
	return boot_is_ram(env, plan->rip, 1) ? 0 : -1;
}

int main(int argc, char **argv)
{
	unsigned long iterations = argc > 1 ? strtoul(argv[1], NULL, 0) : 10000;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	unsigned long accepted = 0;
	uint64_t s = seed * 2 + 1;

	for (unsigned long i = 0; i < iterations; i++) {
		static struct boot_plan plan;
		struct boot_env env = {
		    .cmdline = "console=ttyS0",
		    .e820 = map,
		    .nr_e820 = sizeof(map) / sizeof(map[0]),
		    .rsdp = 0xe0000,
		};
		uint8_t image[IMAGE_MAX], *exact;
		unsigned kind = (unsigned)(i % 9);
		size_t len = make(image, kind);

		mutate(image, &len, kind, &s);
		/* A copy of exactly len bytes: one byte too far is seen. */
		exact = malloc(len ? len : 1);
		if (!exact)
			return 1;
		memcpy(exact, image, len);
		env.kernel = (struct blob){"image", exact, len};
		if (i & 1) {
			env.modules[0] = (struct boot_module){
			    {"initrd", (const uint8_t *)"070701", 6}, "initrd arg"};
			env.nr_modules = 1;
		}
		if (boot_plan_make(&plan, &env) == 0) {
			accepted++;
			if (check(&plan, &env) < 0) {
				fprintf(stderr, "fuzz_loader: iteration %lu seed %llu: bad plan\n",
					i, (unsigned long long)seed);
				return 1;
			}
		} else if (!plan.err[0] || strchr(plan.err, '\n')) {
			fprintf(stderr, "fuzz_loader: iteration %lu seed %llu: bad message\n", i,
				(unsigned long long)seed);
			return 1;
		}
		boot_plan_free(&plan);
		free(exact);
	}
	printf("fuzz_loader: seed %llu, %lu images accepted: %lu passed, 0 failed\n",
	       (unsigned long long)seed, accepted, iterations);
	return 0;
}
