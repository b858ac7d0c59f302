/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Start by firmware: its ROM below 4 GiB and behind the PAM registers, and what SeaBIOS and OVMF look
 * for in fw_cfg and in CMOS.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/pc_impl.h"
#include "hw/smbios.h"

/* ---- tables ---- */

/* Firmware chooses addresses of ports and BARs, and then reads the script: the tables are made anew
 * for it. */
static void selected(void *opaque, const struct fw_cfg_item *item)
{
	struct pc *pc = opaque;
	struct acpi_tables t;
	struct acpi_config cfg;
	uint8_t script[ACPI_LOADER_MAX];

	pc_smm_selected(pc, item);
	if (strcmp(item->name, "etc/table-loader") != 0)
		return;
	pc_describe(pc, &cfg);
	if (acpi_build(&t, &cfg) < 0)
		return;
	acpi_loader(&t, script);
	fw_cfg_set_file(&pc->fw_cfg, "etc/acpi/rsdp", t.rsdp, sizeof(t.rsdp));
	fw_cfg_set_file(&pc->fw_cfg, "etc/acpi/tables", t.data, t.len);
	fw_cfg_set_file(&pc->fw_cfg, "etc/table-loader", script, sizeof(script));
}

static void written(void *opaque, const struct fw_cfg_item *item)
{
	pc_smm_written(opaque, item);
}

static int add_tables(struct pc *pc)
{
	static const uint8_t zeros[ACPI_TABLES_MAX];
	struct fw_cfg *f = &pc->fw_cfg;
	int r;

	if ((r = fw_cfg_add_file(f, "etc/acpi/rsdp", zeros, ACPI_RSDP_LEN)) < 0 ||
	    (r = fw_cfg_add_file(f, "etc/acpi/tables", zeros, ACPI_TABLES_MAX)) < 0 ||
	    (r = fw_cfg_add_file(f, "etc/table-loader", zeros, ACPI_LOADER_MAX)) < 0)
		return r;
	f->selected = selected;
	f->written = written;
	f->opaque = pc;

	r = fw_cfg_add_file(f, "etc/smbios/smbios-anchor", pc->smbios, SMBIOS_ENTRY_LEN);
	if (r < 0)
		return r;
	return fw_cfg_add_file(f, "etc/smbios/smbios-tables", pc->smbios + SMBIOS_ENTRY_ROOM,
			       pc->smbios_len - SMBIOS_ENTRY_ROOM);
}

/* ---- boot order ---- */

/* The CMOS bytes that name up to three devices, tried in turn. */
static void set_order(struct pc *pc, const char *order)
{
	static const char letters[] = " acdn";
	uint8_t code[3] = {0};

	for (int i = 0; i < 3 && order[i]; i++) /* both floppies are one */
		code[i] = order[i] == 'b' ? 1 : (uint8_t)(strchr(letters, order[i]) - letters);
	mc146818_set_cmos(&pc->rtc, 0x3d, (uint8_t)(code[1] << 4 | code[0]));
	mc146818_set_cmos(&pc->rtc, 0x38, (uint8_t)(code[2] << 4));
}

bool pc_is_boot_order(const char *order)
{
	size_t n = strspn(order, "abcdn");

	for (size_t i = 0; i < n; i++)
		if (strchr(order + i + 1, order[i]))
			return false;
	return n && n <= 3 && !order[n];
}

int pc_set_boot_order(struct pc *pc, const char *order)
{
	if (!pc_is_boot_order(order))
		return -EINVAL;
	strcpy(pc->boot_set, order);
	pc->boot_order = pc->boot_set;
	pc->boot_once = NULL;
	return 0;
}

static int add_number(struct fw_cfg *f, const char *name, uint32_t val)
{
	uint8_t le[4];

	put_le32(le, val);
	return fw_cfg_add_file(f, name, le, 4);
}

/* The devices with a bootindex, one on a line. */
static int add_boot_devices(struct pc *pc, bool strict)
{
	static const size_t max = sizeof(pc->boot[0].path) * PC_MAX_DEVICES + sizeof("\nHALT");
	char *text = calloc(1, max + 1);
	size_t len = 0;
	int r;

	if (!text)
		return -ENOMEM;
	for (unsigned i = 0; i < pc->nr_boot; i++)
		len += (size_t)sprintf(text + len, "%s%s", i ? "\n" : "", pc->boot[i].path);
	if (strict)
		len += (size_t)sprintf(text + len, "\nHALT");
	r = fw_cfg_add_file(&pc->fw_cfg, "bootorder", text, len + 1);
	free(text);
	return r;
}

static int add_boot(struct pc *pc, const struct pc_firmware *fw)
{
	/* Of S0 to S5: bit 7, it is there; sleep type. */
	const uint8_t states[6] = {
	    0x80,
	    0,
	    0,
	    pc->cfg.no_s3 ? 0 : 0x80 | ACPI_SLEEP_S3,
	    pc->cfg.no_s4 ? 0 : 0x80 | ACPI_SLEEP_S4,
	    0x80 | ACPI_SLEEP_S5,
	};
	struct fw_cfg *f = &pc->fw_cfg;
	int r;

	pc->boot_order = fw->order ? fw->order : "cad";
	pc->boot_once = fw->once;
	r = fw_cfg_add_int(f, FW_CFG_BOOT_MENU, fw->menu, 2);
	if (r == 0 && fw->menu_wait_ms >= 0)
		r = add_number(f, "etc/boot-menu-wait", (uint32_t)fw->menu_wait_ms);
	if (r == 0 && fw->fail_wait_ms >= 0)
		r = add_number(f, "etc/boot-fail-wait", (uint32_t)fw->fail_wait_ms);
	if (r == 0 && fw->serial_console)
		r = add_number(f, "etc/sercon-port", 0x3f8);
	if (r == 0 && pc->nr_boot)
		r = add_boot_devices(pc, fw->strict);
	if (r == 0)
		r = fw_cfg_add_file(f, "etc/system-states", states, sizeof(states));
	return r;
}

/* ---- */

/* Whether code may be where the CPU starts, in the last 16 bytes. */
static int check_start(const char *name, const uint8_t *end, char *err, size_t errlen)
{
	for (unsigned n = 1; n < 16; n++)
		if (end[-(int)n] != end[-16])
			return 0;
	if (end[-16] != 0 && end[-16] != 0xff)
		return 0;
	snprintf(err, errlen,
		 "%s holds no code where the CPU starts; what firmware keeps its variables in is "
		 "-drive if=pflash,unit=1, its code unit=0",
		 name);
	return -EINVAL;
}

static int add_rom(struct pc *pc, const struct blob *image, char *err, size_t errlen)
{
	int r;

	if (!image->len || image->len % PAGE_SIZE || image->len > PC_ROM_MAX) {
		snprintf(err, errlen,
			 "%s: firmware is a multiple of 4 KiB, up to %u MiB; this has %zu bytes",
			 image->name, PC_ROM_MAX >> 20, image->len);
		return -EINVAL;
	}
	r = check_start(image->name, image->data + image->len, err, errlen);
	if (r < 0)
		return r;
	r = ram_init(&pc->rom, "bios", image->len);
	if (r == 0) {
		memcpy(pc->rom.host, image->data, image->len);
		pam_set_rom(&pc->pam, &pc->rom);
		r = aspace_map_rom(&pc->m.mem, "bios", FOUR_G - pc->rom.size, pc->rom.size,
				   &pc->rom, 0);
	}
	if (r < 0)
		snprintf(err, errlen, "cannot set up firmware: %s", strerror(-r));
	return r;
}

static int add_flash(struct pc *pc, struct block *const flash[PC_FLASHES], char *err, size_t errlen)
{
	uint64_t end = FOUR_G;

	for (unsigned n = 0; n < PC_FLASHES && flash[n]; n++) {
		struct pflash *f = &pc->flash[n];
		uint64_t size = block_size(flash[n]);
		int r;

		/* Where the image is no multiple of anything, its size is refused. */
		end -= size < PC_ROM_MAX ? size : 0;
		r = pflash_init(f, n, &pc->m.mem, end, flash[n], err, errlen);
		if (r < 0)
			return r;
		if (pc->cfg.secure_flash && (r = pflash_secure(f, &pc->smram.view)) < 0) {
			snprintf(err, errlen, "cannot secure %s: %s", f->name, strerror(-r));
			return r;
		}
		machine_add_after(&pc->pci.dev, &f->dev);
	}
	pam_set_rom(&pc->pam, &pc->flash[0].ram);
	return check_start(block_file(flash[0]) ? block_file(flash[0]) : block_name(flash[0]),
			   pc->flash[0].ram.host + pc->flash[0].ram.size, err, errlen);
}

int pc_load_firmware(struct pc *pc, const struct pc_firmware *fw, char *err, size_t errlen)
{
	int r;

	pthread_mutex_lock(&pc->m.lock);
	r = fw->flash[0] ? add_flash(pc, fw->flash, err, errlen)
			 : add_rom(pc, &fw->image, err, errlen);
	if (r == 0 && fw->kernel)
		r = pc_firmware_kernel(pc, fw->kernel, fw->initrd, fw->cmdline, err, errlen);
	if (r == 0)
		r = pc_build_smbios(pc, true, err, errlen);
	if (r == 0) {
		r = add_tables(pc);
		if (r == 0)
			r = add_boot(pc, fw);
		if (r < 0)
			snprintf(err, errlen, "cannot set up fw_cfg: %s", strerror(-r));
	}
	pc->has_firmware = r == 0;
	pthread_mutex_unlock(&pc->m.lock);
	return r;
}

void pc_start_firmware(struct pc *pc)
{
	set_order(pc, pc->boot_once ? pc->boot_once : pc->boot_order);
	pc->boot_once = NULL;
	pc_let_firmware_run(pc);
}

void pc_let_firmware_run(struct pc *pc)
{
	/* Firmware of its time expects the PIC to reach the boot processor from the start. */
	lapic_write(&pc->lapic[0], 0x350, 0x00700, 4);
	aspace_set_a20(&pc->m.mem, true);
}
