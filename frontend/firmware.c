/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Firmware and option ROMs: see the header.
 */
#include "frontend/firmware.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "roms/roms.h"

#define SEABIOS "bios-256k.bin"
#define ROM_MAX (16u << 20)

static const char *const system_dirs[] = {
    "/usr/share/seabios", "/usr/share/qemu",    "/usr/share/OVMF",
    "/usr/share/ovmf",    "/usr/lib/ipxe/qemu", NULL,
};

static int read_rom(struct blob *b, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	uint8_t *data = NULL;
	struct stat st;
	size_t len = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = -EINVAL;
	else if (st.st_size > ROM_MAX)
		err = -EFBIG;
	else if (!(data = malloc((size_t)st.st_size + 1)))
		err = -ENOMEM;
	while (err == 0 && len < (size_t)st.st_size) {
		ssize_t n = read(fd, data + len, (size_t)st.st_size - len);

		if (n < 0 && errno != EINTR)
			err = -errno;
		else if (n == 0)
			break;
		else if (n > 0)
			len += (size_t)n;
	}
	close(fd);
	if (err < 0) {
		free(data);
		return err;
	}
	*b = (struct blob){strdup(path), data, len};
	return 0;
}

static bool embedded(struct blob *b, const char *name)
{
	for (const struct rom *r = roms; r->name; r++) {
		uint8_t *copy;

		if (strcmp(r->name, name) != 0)
			continue;
		copy = malloc((size_t)(r->end - r->start));
		if (!copy)
			return false;
		memcpy(copy, r->start, (size_t)(r->end - r->start));
		*b = (struct blob){strdup(name), copy, (size_t)(r->end - r->start)};
		return true;
	}
	return false;
}

/* -ENOENT when no such file is in the directory. */
static int look_in(struct blob *b, const char *dir, const char *name)
{
	char path[MAX_PATH_LEN + 64];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
		return -ENAMETOOLONG;
	return read_rom(b, path);
}

int rom_find(struct blob *b, const struct options *o, const char *name, char *err, size_t errlen)
{
	int r = read_rom(b, name);

	for (unsigned i = 0; r == -ENOENT && i < o->nr_rom_dirs; i++)
		r = look_in(b, o->rom_dir[i], name);
	if (r == -ENOENT && embedded(b, name))
		return 0;
	for (unsigned i = 0; r == -ENOENT && !strchr(name, '/') && system_dirs[i]; i++)
		r = look_in(b, system_dirs[i], name);
	if (r < 0)
		snprintf(err, errlen, "cannot open firmware %s: %s", name,
			 r == -EFBIG    ? "it is larger than 16 MiB"
			 : r == -EINVAL ? "it is no regular file"
					: strerror(-r));
	return r;
}

int firmware_find(struct blob *b, const struct options *o, char *err, size_t errlen)
{
	int r = rom_find(b, o, o->bios ? o->bios : SEABIOS, err, errlen);

	if (r == -ENOENT && !o->bios)
		snprintf(
		    err, errlen,
		    "doppel was built without SeaBIOS, and it is not installed here: install the "
		    "package seabios, or name firmware with -bios");
	return r;
}

void firmware_free(struct blob *b)
{
	free((void *)b->name);
	free((void *)b->data);
	*b = (struct blob){0};
}
