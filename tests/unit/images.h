/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Small kernel images made in memory, for loader tests and the loader fuzzer.
 */
#ifndef TESTS_UNIT_IMAGES_H
#define TESTS_UNIT_IMAGES_H

#include <string.h>

#include "hw/loader.h"

#define IMAGE_MAX 0x4000

/* bzImage: two setup sectors, 0x1000 bytes of payload. */
static inline size_t make_bzimage(uint8_t *p, bool k64)
{
	memset(p, 0, IMAGE_MAX);
	p[0x1f1] = 2;
	put_le32(p + 0x1f4, 0x1000 / 16);
	put_le16(p + 0x1fe, 0xaa55);
	p[0x200] = 0xeb;
	p[0x201] = 0x6a;
	memcpy(p + 0x202, "HdrS", 4);
	put_le16(p + 0x206, 0x20f);
	p[0x211] = 1;
	put_le32(p + 0x214, 0x100000);
	put_le32(p + 0x22c, 0x7fffffff);
	put_le32(p + 0x230, 0x200000);
	p[0x234] = 1;
	put_le16(p + 0x236, k64 ? 1 : 0);
	put_le32(p + 0x238, 2047);
	put_le64(p + 0x258, 0x1000000);
	put_le32(p + 0x260, 0x200000);
	memset(p + 0x600, 0x90, 0x1000);
	return 0x1600;
}

/* ELF with one segment of 0x800 file bytes and 0x1000 in memory at paddr. */
static inline size_t make_elf(uint8_t *p, bool is64, uint64_t paddr, bool pvh)
{
	const size_t note = 0x400, ph = is64 ? 64 : 52, phsize = is64 ? 56 : 32;

	memset(p, 0, IMAGE_MAX);
	memcpy(p, "\177ELF", 4);
	p[4] = is64 ? 2 : 1;
	p[5] = 1;
	p[6] = 1;
	put_le16(p + 16, 2);
	put_le16(p + 18, is64 ? 62 : 3);
	put_le32(p + 20, 1);
	if (is64) {
		put_le64(p + 24, 0xffffffff80000000 + paddr + 0x10);
		put_le64(p + 32, ph);
		put_le16(p + 54, (uint16_t)phsize);
		put_le16(p + 56, pvh ? 2 : 1);
		put_le32(p + ph, 1);
		put_le64(p + ph + 8, 0x800);
		put_le64(p + ph + 16, 0xffffffff80000000 + paddr);
		put_le64(p + ph + 24, paddr);
		put_le64(p + ph + 32, 0x800);
		put_le64(p + ph + 40, 0x1000);
		put_le32(p + ph + phsize, 4);
		put_le64(p + ph + phsize + 8, note);
		put_le64(p + ph + phsize + 32, 24);
	} else {
		put_le32(p + 24, (uint32_t)paddr + 0x10);
		put_le32(p + 28, (uint32_t)ph);
		put_le16(p + 42, (uint16_t)phsize);
		put_le16(p + 44, pvh ? 2 : 1);
		put_le32(p + ph, 1);
		put_le32(p + ph + 4, 0x800);
		put_le32(p + ph + 8, (uint32_t)paddr);
		put_le32(p + ph + 12, (uint32_t)paddr);
		put_le32(p + ph + 16, 0x800);
		put_le32(p + ph + 20, 0x1000);
		put_le32(p + ph + phsize, 4);
		put_le32(p + ph + phsize + 4, (uint32_t)note);
		put_le32(p + ph + phsize + 16, 24);
	}
	put_le32(p + note, 4);
	put_le32(p + note + 4, 8);
	put_le32(p + note + 8, 18);
	memcpy(p + note + 12, "Xen", 4);
	put_le64(p + note + 16, paddr + 0x20);
	memset(p + 0x800, 0xcc, 0x800);
	return 0x1000;
}

static inline size_t make_multiboot1(uint8_t *p, bool kludge)
{
	size_t len = make_elf(p, false, 0x100000, false), o = kludge ? 0x100 : 0x200;
	uint32_t flags = kludge ? 0x10003 : 3;

	if (kludge)
		memset(p, 0, 0x100);
	put_le32(p + o, 0x1badb002);
	put_le32(p + o + 4, flags);
	put_le32(p + o + 8, (uint32_t) - (0x1badb002 + flags));
	if (kludge) {
		put_le32(p + o + 12, 0x100100);
		put_le32(p + o + 16, 0x100000);
		put_le32(p + o + 20, 0x101000);
		put_le32(p + o + 24, 0x103000);
		put_le32(p + o + 28, 0x100400);
	}
	return len;
}

static inline size_t make_multiboot2(uint8_t *p, bool is64)
{
	size_t len = make_elf(p, is64, 0x200000, false), o = 0x200;
	const uint32_t hlen = 40;

	put_le32(p + o, 0xe85250d6);
	put_le32(p + o + 8, hlen);
	put_le32(p + o + 12, (uint32_t) - (0xe85250d6 + hlen));
	put_le16(p + o + 16, 1); /* information request: memory map */
	put_le32(p + o + 20, 12);
	put_le32(p + o + 24, 6);
	put_le32(p + o + 36, 8); /* end */
	return len;
}

#endif
