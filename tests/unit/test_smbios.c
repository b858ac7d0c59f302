/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * SMBIOS tables: checksums, and a walk over all structures as an operating system does it.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "hw/loader.h"
#include "hw/smbios.h"

#define BASE 0xf0000

static uint8_t buf[0x1000];
static const struct smbios_user nothing;

static uint8_t sum(const uint8_t *p, size_t n)
{
	uint8_t s = 0;

	while (n--)
		s = (uint8_t)(s + *p++);
	return s;
}

/* Walks the table; counts[type] is how many there are. */
static void walk(const struct smbios_config *cfg, unsigned counts[128])
{
	static const uint8_t fixed[128] = {
	    [0] = 24,  [1] = 27,  [2] = 15,  [3] = 22,  [4] = 42,  [11] = 5,
	    [16] = 23, [17] = 40, [19] = 31, [32] = 11, [127] = 4,
	};
	long used = smbios_build(buf, sizeof(buf), BASE, cfg);
	const uint8_t *p = buf + 32, *stop = buf + used;
	unsigned nr = 0, largest = 0;

	cr_assert_gt(used, 32);
	cr_assert_arr_eq(buf, "_SM_", 4);
	cr_assert_arr_eq(buf + 16, "_DMI_", 5);
	cr_assert_eq(sum(buf, 31), 0);
	cr_assert_eq(sum(buf + 16, 15), 0);
	cr_assert_eq(get_le32(buf + 0x18), BASE + 32);
	cr_assert_eq(get_le16(buf + 0x16), used - 32);
	memset(counts, 0, 128 * sizeof(*counts));
	while (p < stop) {
		const uint8_t *start = p;

		cr_assert_lt(p[0], 128);
		cr_assert_eq(p[1], fixed[p[0]], "length of type %u", p[0]);
		counts[p[0]]++;
		nr++;
		for (p += p[1]; p[0] || p[1]; p++)
			cr_assert_lt(p + 2, stop);
		p += 2;
		if (p - start > (long)largest)
			largest = (unsigned)(p - start);
	}
	cr_assert_eq(p, stop);
	cr_assert_eq(nr, get_le16(buf + 0x1c));
	cr_assert_eq(largest, get_le16(buf + 8));
}

static const uint8_t *find(uint8_t type)
{
	const uint8_t *p = buf + 32;

	while (p[0] != type) {
		for (p += p[1]; p[0] || p[1]; p++)
			;
		p += 2;
	}
	return p;
}

Test(smbios, structure)
{
	struct smbios_config cfg = {.user = &nothing,
				    .product = "PC",
				    .board = "pc",
				    .cpus = 2,
				    .low_ram = 512 << 20,
				    .cpu_brand = "a CPU",
				    .cpu_signature = 0x206a7};
	unsigned counts[128];

	walk(&cfg, counts);
	cr_assert_eq(counts[19], 1);
	cr_assert_eq(get_le32(find(19) + 8), (512 << 10) - 1);
	cr_assert_eq(get_le16(find(17) + 12), 512);
	cr_assert_eq(find(4)[0x23], 2);
	cr_assert_eq(get_le32(find(4) + 8), 0x206a7);
}

Test(smbios, large_memory)
{
	struct smbios_config cfg = {.user = &nothing,
				    .product = "PC",
				    .board = "pc",
				    .cpus = 64,
				    .low_ram = 3ull << 30,
				    .high_ram = 5ull << 40,
				    .cpu_brand = "a CPU"};
	unsigned counts[128];

	walk(&cfg, counts);
	cr_assert_eq(counts[19], 2);
	cr_assert_eq(get_le32(find(16) + 7), 0x80000000);
	cr_assert_eq(get_le64(find(16) + 15), cfg.low_ram + cfg.high_ram);
	cr_assert_eq(get_le16(find(17) + 12), 0x7fff);
	cr_assert_eq(get_le32(find(17) + 28), (cfg.low_ram + cfg.high_ram) >> 20);
}

Test(smbios, no_room)
{
	struct smbios_config cfg = {.user = &nothing,
				    .product = "PC",
				    .board = "pc",
				    .cpus = 1,
				    .low_ram = 1 << 20,
				    .cpu_brand = "a CPU"};

	for (size_t cap = 0; cap < 64; cap++)
		cr_assert_eq(smbios_build(buf, cap, BASE, &cfg), -ENOSPC);
}

/* String n of a structure, as its reader finds it. */
static const char *string(const uint8_t *p, unsigned n)
{
	const char *s = (const char *)p + p[1];

	while (--n)
		s += strlen(s) + 1;
	return s;
}

Test(smbios, what_the_user_says)
{
	struct smbios_user user = {.text = {[SMBIOS_SERIAL] = "S-17",
					    [SMBIOS_BOARD_ASSET] = "9",
					    [SMBIOS_CHASSIS_MANUFACTURER] = ""},
				   .oem = {"one", "two"},
				   .nr_oem = 2,
				   .has_uuid = true};
	struct smbios_config cfg = {.user = &user,
				    .product = "PC",
				    .board = "pc",
				    .firmware = true,
				    .cpus = 1,
				    .low_ram = 1 << 20,
				    .cpu_brand = "a CPU"};
	unsigned counts[128];

	for (unsigned i = 0; i < 16; i++)
		user.uuid[i] = (uint8_t)i;
	walk(&cfg, counts);
	cr_expect_eq(counts[0], 0);
	cr_expect_str_eq(string(find(1), find(1)[4]), "doppel");
	cr_expect_str_eq(string(find(1), find(1)[7]), "S-17");
	cr_expect_arr_eq(find(1) + 8, "\3\2\1\0\5\4\7\6\10\11\12\13\14\15\16\17", 16);
	cr_expect_eq(find(1)[25], 0, "no SKU");
	cr_expect_str_eq(string(find(2), find(2)[8]), "9");
	cr_expect_eq(find(3)[4], 0, "said to be none");
	cr_expect_eq(find(11)[4], 2);
	cr_expect_str_eq(string(find(11), 2), "two");
	user.bios = true;
	walk(&cfg, counts);
	cr_expect_eq(counts[0], 1);

	static char lengthy[0x1000];
	memset(lengthy, 'x', sizeof(lengthy) - 1);
	user.text[SMBIOS_FAMILY] = lengthy;
	cr_expect_eq(smbios_build(buf, sizeof(buf), BASE, &cfg), -ENOSPC);
}

Test(smbios, names)
{
	cr_expect_eq(smbios_text_find(1, "serial"), SMBIOS_SERIAL);
	cr_expect_eq(smbios_text_find(3, "serial"), SMBIOS_CHASSIS_SERIAL);
	cr_expect_eq(smbios_text_find(3, "product"), SMBIOS_NR_TEXTS);
}
