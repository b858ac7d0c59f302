/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Files that are read whole, before the machine runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/app.h"
#include "frontend/firmware.h"
#include "roms/roms.h"

/* Reads a whole file into memory of its own. */
static int read_file(struct blob *b, const char *what, const char *path)
{
	uint8_t *data = NULL;
	size_t len = 0, cap = 0;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return complain("cannot open %s %s: %s", what, path, strerror(errno));
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		close(fd);
		return complain("cannot read %s %s: it is a directory", what, path);
	}
	for (;;) {
		ssize_t n;

		if (len == cap) {
			uint8_t *more;

			cap = cap ? cap * 2
				  : (st.st_size > 0 ? (size_t)st.st_size + 1 : (size_t)65536);
			more = cap <= 1ull << 40 ? realloc(data, cap) : NULL;
			if (!more) {
				close(fd);
				free(data);
				return complain("cannot read %s %s: out of memory", what, path);
			}
			data = more;
		}
		n = read(fd, data + len, cap - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int err = errno;

			close(fd);
			free(data);
			return complain("cannot read %s %s: %s", what, path, strerror(err));
		}
		if (n == 0)
			break;
		len += (size_t)n;
	}
	close(fd);
	*b = (struct blob){path, data, len};
	return 0;
}

/* Takes over line and makes it a module, whose file is its first word. */
static int add_module(struct app *a, char *line, bool words)
{
	struct boot_module *m = &a->modules[a->nr_modules];
	char *path, *space;

	if (line && a->nr_modules == BOOT_MAX_MODULES) {
		free(line);
		return complain("-initrd: at most %d modules are supported", BOOT_MAX_MODULES);
	}
	path = line ? strdup(line) : NULL;
	if (!path) {
		free(line);
		return complain("out of memory");
	}
	space = words ? strchr(path, ' ') : NULL;
	if (space)
		*space = 0;
	*m = (struct boot_module){{.name = path}, line};
	a->nr_modules++;
	return read_file(&m->file, words ? "module" : "initrd", path);
}

/* "file args,file2": each module's command line is its element. */
static int read_modules(struct app *a)
{
	const char *s = a->opt.initrd;

	while (*s) {
		char *line = calloc(1, strlen(s) + 1);
		size_t n = 0;

		for (; line && *s; s++) {
			if (*s == ',' && *++s != ',')
				break;
			line[n++] = *s;
		}
		if (add_module(a, line, true))
			return 1;
	}
	return 0;
}

static int read_acpi_tables(struct app *a)
{
	struct acpi_user *u = &a->cfg.acpi;
	size_t all = 0;

	for (; u->nr < a->opt.nr_acpi_tables; u->nr++) {
		struct blob *b = &a->acpi_table[u->nr];
		const char *why;

		if (read_file(b, "ACPI table", a->opt.acpi_table[u->nr]))
			return 1;
		why = acpi_check_table(b->data, b->len);
		if (why)
			return complain("-acpitable %s: this is no ACPI table: %s", b->name, why);
		all += b->len;
		if (all > ACPI_USER_BYTES)
			return complain("-acpitable: all tables have more than %u bytes",
					ACPI_USER_BYTES);
		u->table[u->nr].data = b->data;
		u->table[u->nr].len = b->len;
	}
	return 0;
}

int app_read_images(struct app *a)
{
	if (read_acpi_tables(a))
		return 1;
	if (a->opt.firmware && !a->opt.flash[0] &&
	    firmware_find(&a->firmware, &a->opt, a->err, sizeof(a->err)) < 0)
		return complain("%s", a->err);
	if (a->opt.firmware && !a->opt.kernel)
		return 0;
	if (!a->opt.kernel) {
		a->kernel = (struct blob){"built-in guest", roms_guest_start,
					  (size_t)(roms_guest_end - roms_guest_start)};
		return 0;
	}
	if (read_file(&a->kernel, "kernel", a->opt.kernel))
		return 1;
	if (!a->opt.initrd)
		return 0;
	if (boot_kind_has_modules(boot_kind(a->kernel.data, a->kernel.len)))
		return read_modules(a);
	return add_module(a, strdup(a->opt.initrd), false);
}

void app_free_images(struct app *a)
{
	firmware_free(&a->firmware);
	for (unsigned i = 0; i < ACPI_USER_TABLES; i++)
		free((void *)a->acpi_table[i].data);
	if (a->opt.kernel)
		free((void *)a->kernel.data);
	for (unsigned i = 0; i < a->nr_modules; i++) {
		free((void *)a->modules[i].file.data);
		free((void *)a->modules[i].file.name);
		free((void *)a->modules[i].cmdline);
	}
}

int app_add_fw_files(struct app *a)
{
	for (unsigned i = 0; i < a->opt.nr_fw_files; i++) {
		const struct fw_file *f = &a->opt.fw_file[i];
		struct blob b = {.data = (const uint8_t *)f->string,
				 .len = f->string ? strlen(f->string) : 0};
		int r;

		if (f->path && read_file(&b, "-fw_cfg's file", f->path))
			return 1;
		r = pc_add_fw_file(a->pc, f->name, b.data, b.len, a->err, sizeof(a->err));
		if (f->path)
			free((void *)b.data);
		if (r < 0)
			return complain("%s", a->err);
	}
	return 0;
}

/* By the name of the file alone, as SeaBIOS shows it. */
static int add_option_rom(struct app *a, const struct blob *b, int bootindex)
{
	const char *base = strrchr(b->name, '/');
	char name[FW_CFG_NAME];

	base = base ? base + 1 : b->name;
	if ((size_t)snprintf(name, sizeof(name), "genroms/%s", base) >= sizeof(name))
		return complain("-option-rom %s: its name is too long; there is room for %zu "
				"characters",
				base, sizeof(name) - sizeof("genroms/"));
	if (b->len < 3 || b->data[0] != 0x55 || b->data[1] != 0xaa)
		return complain("-option-rom %s: it is no option ROM, which begins with 55 AA",
				b->name);
	if (pc_add_fw_file(a->pc, name, b->data, b->len, a->err, sizeof(a->err)) < 0)
		return complain("-option-rom: %s", a->err);
	if (bootindex >= 0)
		pc_add_boot_rom(a->pc, bootindex, name);
	return 0;
}

int app_add_option_roms(struct app *a)
{
	for (unsigned i = 0; i < a->opt.nr_option_roms; i++) {
		const char *path = a->opt.option_rom[i].path;
		struct blob b;
		int r;

		if (rom_find(&b, &a->opt, path, a->err, sizeof(a->err)) < 0)
			return complain("-option-rom: %s", a->err);
		r = add_option_rom(a, &b, a->opt.option_rom[i].bootindex);
		firmware_free(&b);
		if (r)
			return r;
	}
	return 0;
}
