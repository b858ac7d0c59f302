/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * PAM: what each attribute shows, and that any sequence of register writes ends where its last says.
 */
#include <stdlib.h>
#include <string.h>

#include "chips.h"
#include "hw/pam.h"

static struct board b;
static struct ram ram, rom;
static struct pam pam;

static void setup(void)
{
	board_init(&b);
	cr_assert_eq(ram_init(&ram, "ram", 1 << 20), 0);
	cr_assert_eq(ram_init(&rom, "rom", 256 << 10), 0);
	memset(ram.host, 0x11, ram.size);
	for (unsigned i = 0; i < rom.size; i++)
		rom.host[i] = (uint8_t)(0x80 | i >> 14);
	pam_init(&pam, &b.mem, &ram);
	pam_set_rom(&pam, &rom);
}

static uint8_t at(uint32_t addr)
{
	return (uint8_t)aspace_read(&b.mem, addr, 1);
}

static void poke(uint32_t addr, uint8_t v)
{
	aspace_write(&b.mem, addr, v, 1);
}

static void all(uint8_t attr)
{
	uint8_t reg[PAM_REGS];

	memset(reg, attr | attr << 4, sizeof(reg));
	pam_update(&pam, reg);
}

TestSuite(pam, .init = setup);

Test(pam, attributes)
{
	all(0);
	cr_assert_eq(at(0xc0000), 0xff);
	cr_assert_eq(at(0xdffff), 0xff);
	cr_assert_eq(at(0xe0000), 0x88); /* the last 128 KiB of the ROM */
	cr_assert_eq(at(0xfffff), 0x8f);
	poke(0xf0000, 1);
	cr_assert_eq(ram.host[0xf0000], 0x11);
	all(PAM_READ);
	cr_assert_eq(at(0xc0000), 0x11);
	poke(0xf0000, 2);
	cr_assert_eq(at(0xf0000), 0x11);
	all(PAM_WRITE);
	poke(0xf0000, 3);
	poke(0xd0000, 4);
	cr_assert_eq(at(0xf0000), 0x8c);
	cr_assert_eq(at(0xd0000), 0xff);
	cr_assert_eq(ram.host[0xf0000], 3);
	cr_assert_eq(ram.host[0xd0000], 4);
	all(PAM_READ | PAM_WRITE);
	cr_assert_eq(at(0xf0000), 3);
	poke(0xfffff, 5);
	cr_assert_eq(at(0xfffff), 5);
}

Test(pam, each_segment_alone)
{
	for (unsigned n = 0; n < PAM_SEGMENTS; n++) {
		uint8_t reg[PAM_REGS] = {0};

		if (n == 12)
			reg[0] = 0x30;
		else
			reg[1 + n / 2] = n % 2 ? 0x30 : 0x03;
		pam_update(&pam, reg);
		for (uint32_t a = PAM_BASE; a < PAM_END; a += 0x1000) {
			unsigned segment = (a - PAM_BASE) / 0x4000;

			cr_assert_eq(at(a) == 0x11, (segment < 12 ? segment : 12) == n);
		}
	}
}

Test(pam, code_goes_with_its_memory)
{
	struct ram_page *page = &rom.pages[(256 - 64) / 4];
	uint32_t version;

	all(0);
	version = ram_mark_code(page);
	all(PAM_READ);
	cr_assert_neq(ram_code_version(page), version);
}

Test(pam, any_sequence)
{
	uint8_t reg[PAM_REGS];

	srand(1);
	for (int i = 0; i < 2000; i++) {
		for (int k = 0; k < PAM_REGS; k++)
			reg[k] = (uint8_t)rand();
		pam_update(&pam, reg);
	}
	for (unsigned n = 0; n < PAM_SEGMENTS; n++) {
		uint8_t attr = (n == 12 ? reg[0] >> 4 : reg[1 + n / 2] >> n % 2 * 4) & 3;
		uint32_t a = PAM_BASE + n * 0x4000, size = n == 12 ? 0x10000 : 0x4000;
		uint8_t behind = n < 8 ? 0xff : (uint8_t)(0x80 + n);

		cr_assert_eq(at(a), attr & PAM_READ ? 0x11 : behind, "segment %u", n);
		poke(a + size - 1, 0x22);
		cr_assert_eq(ram.host[a + size - 1], attr & PAM_WRITE ? 0x22 : 0x11);
	}
}
