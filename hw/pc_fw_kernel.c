/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A Linux kernel given to firmware: fw_cfg holds its two parts, initrd and command line, with the
 * addresses where they go. OVMF reads them itself; for SeaBIOS QEMU's option ROM linuxboot_dma.bin does
 * (Linux Documentation/x86/boot.rst, protocol 2.02 and later).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/pc_impl.h"

#define LOADER "linuxboot_dma.bin"

enum {
	REAL_ADDR = 0x10000,
	CMDLINE_ADDR = 0x20000,
	CMDLINE_MAX = 0x10000,
	PROT_ADDR = 0x100000,
	/* Top of RAM that is left to the firmware's tables. */
	TABLES_ROOM = 0x40000,
};

/* Of the setup header. */
enum {
	SETUP_SECTS = 0x1f1,
	VERSION = 0x206,
	TYPE_OF_LOADER = 0x210,
	LOADFLAGS = 0x211,
	RAMDISK_IMAGE = 0x218,
	RAMDISK_SIZE = 0x21c,
	HEAP_END_PTR = 0x224,
	CMD_LINE_PTR = 0x228,
	INITRD_ADDR_MAX = 0x22c,
	HEADER_END = 0x268,
	LOADED_HIGH = 1,
	CAN_USE_HEAP = 0x80,
	QEMU_LOADER = 0xb0,
};

static int add_part(struct fw_cfg *f, uint16_t addr_key, uint32_t addr, uint16_t size_key,
		    uint16_t data_key, const void *data, size_t len)
{
	int r = fw_cfg_add_int(f, addr_key, addr, 4);

	if (r == 0)
		r = fw_cfg_add_int(f, size_key, len, 4);
	return r == 0 ? fw_cfg_add(f, data_key, data, len) : r;
}

/* Where the initrd goes: as high as kernel and firmware let it. 0 when there is no room. */
static uint32_t initrd_addr(const struct pc *pc, const uint8_t *setup, size_t len)
{
	uint64_t end = pc->low_ram - TABLES_ROOM, max = get_le32(setup + INITRD_ADDR_MAX) + 1ull;

	if (get_le16(setup + VERSION) < 0x203)
		max = 0x38000000;
	end = end < max ? end : max;
	return len < end && end - len > PROT_ADDR ? (uint32_t)(end - len) & ~0xfffu : 0;
}

/* The option ROM, for who does without: it boots before all other devices. */
static int add_loader(struct pc *pc, char *err, size_t errlen)
{
	uint8_t *data;
	size_t len;
	int r = -ENOENT;

	if (pc->cfg.find_rom)
		r = pc->cfg.find_rom(pc->cfg.find_rom_opaque, LOADER, &data, &len, err, errlen);
	if (r < 0)
		return r;
	r = fw_cfg_add_file(&pc->fw_cfg, "genroms/" LOADER, data, len);
	free(data);
	if (r == 0)
		pc_add_boot(pc, -1, "/rom@genroms/" LOADER);
	return r;
}

int pc_firmware_kernel(struct pc *pc, const struct blob *kernel, const struct blob *initrd,
		       const char *cmdline, char *err, size_t errlen)
{
	static const uint8_t none[1];
	struct fw_cfg *f = &pc->fw_cfg;
	size_t setup_len, cmdline_len = strlen(cmdline) + 1;
	uint32_t at = 0;
	uint8_t *setup;
	int r;

	if (boot_kind(kernel->data, kernel->len) != BOOT_BZIMAGE ||
	    get_le16(kernel->data + VERSION) < 0x202 || !(kernel->data[LOADFLAGS] & LOADED_HIGH)) {
		snprintf(err, errlen,
			 "%s: firmware starts Linux bzImages only; leave out -bios for others",
			 kernel->name);
		return -EINVAL;
	}
	setup_len = ((kernel->data[SETUP_SECTS] ? kernel->data[SETUP_SECTS] : 4u) + 1u) * 512;
	if (setup_len >= kernel->len || setup_len < HEADER_END || cmdline_len > CMDLINE_MAX) {
		snprintf(err, errlen, "%s: %s", kernel->name,
			 cmdline_len > CMDLINE_MAX ? "-append is too long" : "it is cut short");
		return -EINVAL;
	}
	if (initrd && !(at = initrd_addr(pc, kernel->data, initrd->len))) {
		snprintf(err, errlen, "%s: it needs more memory; see -m", initrd->name);
		return -ENOSPC;
	}
	setup = malloc(setup_len);
	if (!setup)
		return -ENOMEM;
	memcpy(setup, kernel->data, setup_len);
	setup[TYPE_OF_LOADER] = QEMU_LOADER;
	setup[LOADFLAGS] |= CAN_USE_HEAP;
	put_le16(setup + HEAP_END_PTR, (uint16_t)(CMDLINE_ADDR - REAL_ADDR - 0x200));
	put_le32(setup + CMD_LINE_PTR, CMDLINE_ADDR);
	put_le32(setup + RAMDISK_IMAGE, at);
	put_le32(setup + RAMDISK_SIZE, initrd ? (uint32_t)initrd->len : 0);
	if ((r = add_part(f, FW_CFG_SETUP_ADDR, REAL_ADDR, FW_CFG_SETUP_SIZE, FW_CFG_SETUP_DATA,
			  setup, setup_len)) < 0 ||
	    (r = add_part(f, FW_CFG_KERNEL_ADDR, PROT_ADDR, FW_CFG_KERNEL_SIZE, FW_CFG_KERNEL_DATA,
			  kernel->data + setup_len, kernel->len - setup_len)) < 0 ||
	    (r = add_part(f, FW_CFG_INITRD_ADDR, at, FW_CFG_INITRD_SIZE, FW_CFG_INITRD_DATA,
			  initrd ? initrd->data : none, initrd ? initrd->len : 0)) < 0 ||
	    (r = add_part(f, FW_CFG_CMDLINE_ADDR, CMDLINE_ADDR, FW_CFG_CMDLINE_SIZE,
			  FW_CFG_CMDLINE_DATA, cmdline, cmdline_len)) < 0)
		snprintf(err, errlen, "cannot set up fw_cfg: %s", strerror(-r));
	free(setup);
	return r < 0 ? r : add_loader(pc, err, errlen);
}
