/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The firmware configuration device, compatible with QEMU's (docs/specs/fw_cfg): selector and data
 * ports 510h/511h, DMA at 514h, numbered items and a directory of named files.
 */
#ifndef HW_FW_CFG_H
#define HW_FW_CFG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/device.h"

/* Items that firmware and test suites read. */
enum {
	FW_CFG_SIGNATURE = 0x00,
	FW_CFG_ID = 0x01,
	FW_CFG_RAM_SIZE = 0x03,
	FW_CFG_NOGRAPHIC = 0x04,
	FW_CFG_NB_CPUS = 0x05,
	FW_CFG_KERNEL_ADDR = 0x07,
	FW_CFG_KERNEL_SIZE = 0x08,
	FW_CFG_INITRD_ADDR = 0x0a,
	FW_CFG_INITRD_SIZE = 0x0b,
	FW_CFG_BOOT_MENU = 0x0e,
	FW_CFG_MAX_CPUS = 0x0f,
	FW_CFG_KERNEL_DATA = 0x11,
	FW_CFG_INITRD_DATA = 0x12,
	FW_CFG_CMDLINE_ADDR = 0x13,
	FW_CFG_CMDLINE_SIZE = 0x14,
	FW_CFG_CMDLINE_DATA = 0x15,
	FW_CFG_SETUP_ADDR = 0x16,
	FW_CFG_SETUP_SIZE = 0x17,
	FW_CFG_SETUP_DATA = 0x18,
	FW_CFG_FILE_DIR = 0x19,
	FW_CFG_FILE_FIRST = 0x20,
	FW_CFG_IRQ0_OVERRIDE = 0x8002,
};

#define FW_CFG_MAX_ITEMS 128
#define FW_CFG_MAX_FILES 64
#define FW_CFG_NAME      56

struct aspace;

struct fw_cfg_item {
	uint16_t key;
	uint32_t len;
	uint8_t *data;          /* owned */
	char name[FW_CFG_NAME]; /* empty for items that are not files */
	bool writable;          /* by the guest, which DMA can */
};

struct fw_cfg {
	struct device dev;
	struct aspace *mem;
	uint16_t key;
	uint32_t off;
	uint64_t dma_addr;
	unsigned nr, nr_files;
	/* The guest has selected an item, before it reads; may be NULL. */
	void (*selected)(void *opaque, const struct fw_cfg_item *item);
	/* The guest has written to an item; may be NULL. */
	void (*written)(void *opaque, const struct fw_cfg_item *item);
	void *opaque;
	struct fw_cfg_item item[FW_CFG_MAX_ITEMS];
};

int fw_cfg_init(struct fw_cfg *f, struct aspace *io, struct aspace *mem);
void fw_cfg_fini(struct fw_cfg *f);

/* All copy the bytes. Before the machine runs. 0, -EEXIST, -ENOSPC, -ENAMETOOLONG, -ENOMEM. */
int fw_cfg_add(struct fw_cfg *f, uint16_t key, const void *data, size_t len);
int fw_cfg_add_int(struct fw_cfg *f, uint16_t key, uint64_t val, unsigned size);
int fw_cfg_add_file(struct fw_cfg *f, const char *name, const void *data, size_t len);
/* Lets the guest write to a file. -ENOENT. */
int fw_cfg_let_write(struct fw_cfg *f, const char *name);
/* Changes a file, any time; its length stays. -ENOENT, -EINVAL for more bytes than it has. */
int fw_cfg_set_file(struct fw_cfg *f, const char *name, const void *data, size_t len);

#endif
