/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Drives as devices: -device ide-hd, ide-cd, scsi-hd, scsi-cd.
 */
#include "hw/storage/drive_bus.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hw/block/block.h"
#include "hw/storage/storage.h"

void drive_bus_add(struct drive_bus **list, struct drive_bus *bus)
{
	while (*list)
		list = &(*list)->next;
	bus->next = NULL;
	*list = bus;
}

static struct drive_bus *find(struct drive_bus *list, const char *name)
{
	while (list && strcmp(list->name, name) != 0)
		list = list->next;
	return list;
}

void drive_bus_name(struct drive_bus *const *list, struct drive_bus *bus, const char *id,
		    const char *prefix, unsigned n)
{
	if (id && *id) {
		snprintf(bus->name, sizeof(bus->name), "%.63s.%u", id, n);
		return;
	}
	do
		snprintf(bus->name, sizeof(bus->name), "%s.%u", prefix, n++);
	while (find(*list, bus->name));
}

static const char *kind_name(enum drive_bus_kind kind)
{
	static const char *const names[] = {"IDE", "SCSI", "floppy"};

	return names[kind];
}

static bool is_free(const struct drive_bus *bus, unsigned unit)
{
	return unit < bus->units && !(bus->taken >> unit & 1);
}

static const char *controller_of(enum drive_bus_kind kind)
{
	return kind == DRIVE_IDE ? "ahci" : "virtio-scsi-pci";
}

/* What the user may name instead. */
static void list_buses(const struct drive_bus *bus, enum drive_bus_kind kind, char *out, size_t len)
{
	const char *before = "there are ";

	snprintf(out, len, "add -device %s", controller_of(kind));
	for (; bus; bus = bus->next) {
		size_t used = before[0] == ',' ? strlen(out) : 0;

		if (bus->kind != kind)
			continue;
		snprintf(out + used, len - used, "%s%s", before, bus->name);
		before = ", ";
	}
}

/* The bus and unit that the user named, or the first free ones. 0 or -errno with one line in err. */
static int choose(const struct device_args *args, enum drive_bus_kind kind, const char *unit_prop,
		  struct drive_bus **out, unsigned *unit, char *err, size_t errlen)
{
	const char *type = args->spec->type->name, *name = arg_str(args, "bus");
	const char *given = arg_str(args, unit_prop);
	struct drive_bus *list = args->env->drives ? *args->env->drives : NULL, *bus;

	if (name) {
		bus = find(list, name);
		if (!bus || bus->kind != kind) {
			snprintf(err, errlen, "-device %s: there is no %s bus %s; ", type,
				 kind_name(kind), name);
			list_buses(list, kind, err + strlen(err), errlen - strlen(err));
			return -ENODEV;
		}
		list = bus;
	}
	for (bus = list; bus; bus = name ? NULL : bus->next) {
		if (bus->kind != kind)
			continue;
		*unit = given ? (unsigned)arg_num(args, unit_prop) : 0;
		while (!given && *unit < bus->units && !is_free(bus, *unit))
			++*unit;
		*out = bus;
		if (is_free(bus, *unit))
			return 0;
		if (name && given) {
			snprintf(err, errlen, "-device %s: %s of bus %s %s", type, unit_prop, name,
				 *unit < bus->units ? "is taken" : "is out of range");
			return -EBUSY;
		}
	}
	snprintf(err, errlen, "-device %s: there is no free %s bus; add -device %s", type,
		 kind_name(kind), controller_of(kind));
	return -ENODEV;
}

static int create(void **self, const struct device_args *args, enum drive_bus_kind kind, bool cd,
		  char *err, size_t errlen)
{
	const char *unit_prop = kind == DRIVE_SCSI ? "scsi-id" : "unit";
	struct block *block = arg_backend(args, "drive");
	struct drive_options o = {
	    .cd = cd,
	    .serial = arg_str(args, "serial"),
	    .version = arg_str(args, "ver"),
	    .model = arg_str(args, kind == DRIVE_SCSI ? "product" : "model"),
	    .vendor = kind == DRIVE_SCSI ? arg_str(args, "vendor") : NULL,
	    .logical_block = (uint32_t)arg_num(args, "logical_block_size"),
	    .physical_block = (uint32_t)arg_num(args, "physical_block_size"),
	    .rotation_rate = (uint16_t)arg_num(args, "rotation_rate"),
	};
	struct drive_bus *bus;
	char path[96];
	unsigned unit;
	int r;

	if (!block) {
		snprintf(err, errlen, "-device %s needs drive=", args->spec->type->name);
		return -EINVAL;
	}
	if (kind == DRIVE_SCSI && (arg_num(args, "lun") || arg_num(args, "channel"))) {
		snprintf(err, errlen,
			 "-device %s: each target has one unit: lun=0,channel=0; use scsi-id=",
			 args->spec->type->name);
		return -EINVAL;
	}
	r = storage_set_up(args, block, err, errlen);
	if (r < 0)
		return r;
	r = choose(args, kind, unit_prop, &bus, &unit, err, errlen);
	if (r < 0)
		return r;
	r = bus->attach(bus, unit, block, &o, args);
	if (r < 0) {
		storage_error(args, block, r, err, errlen);
		return r;
	}
	bus->taken |= 1ull << unit;
	if (bus->path) {
		bus->path(bus, unit, path, sizeof(path));
		device_boot(args, "%s", path);
	}
	*self = bus;
	return 0;
}

/* The drive goes with its controller. */
static void destroy(void *self)
{
	(void)self;
}

static int create_ide_hd(void **self, const struct device_args *args, char *err, size_t errlen)
{
	return create(self, args, DRIVE_IDE, false, err, errlen);
}

static int create_ide_cd(void **self, const struct device_args *args, char *err, size_t errlen)
{
	return create(self, args, DRIVE_IDE, true, err, errlen);
}

static int create_scsi_hd(void **self, const struct device_args *args, char *err, size_t errlen)
{
	return create(self, args, DRIVE_SCSI, false, err, errlen);
}

static int create_scsi_cd(void **self, const struct device_args *args, char *err, size_t errlen)
{
	return create(self, args, DRIVE_SCSI, true, err, errlen);
}

static int create_floppy(void **self, const struct device_args *args, char *err, size_t errlen)
{
	return create(self, args, DRIVE_FLOPPY, false, err, errlen);
}

/* 0: not said; 1: it does not rotate (ATA8-ACS 7.16.7.77). */
#define ROTATION_PROP                                                                              \
	{                                                                                          \
		"rotation_rate", PROP_NUM, "rotations per minute; 1: none, as of an SSD", "1",     \
		    0xfffe, false                                                                  \
	}

static const struct prop floppy_props[] = {
    {"drive", PROP_DRIVE, "the diskette", NULL, 0, true},
    {"unit", PROP_NUM, "0 for drive A, 1 for B", NULL, 1, false},
    STORAGE_PROPS,
    {0},
};

static const struct prop ide_props[] = {
    {"drive", PROP_DRIVE, "the disk or CD-ROM", NULL, 0, true},
    {"bus", PROP_STR, "the channel or port, as ide.0", NULL, 0, false},
    {"unit", PROP_NUM, "0 master, 1 slave", NULL, 1, false},
    {"serial", PROP_STR, "serial number, up to 20 characters", NULL, 0, false},
    {"model", PROP_STR, "model name, up to 40 characters", NULL, 0, false},
    {"ver", PROP_STR, "firmware version, up to 8 characters", NULL, 0, false},
    ROTATION_PROP,
    STORAGE_PROPS,
    {0},
};

static const struct prop scsi_props[] = {
    {"drive", PROP_DRIVE, "the disk or CD-ROM", NULL, 0, true},
    {"bus", PROP_STR, "the SCSI bus, as scsi0.0", NULL, 0, false},
    {"channel", PROP_NUM, "0", "0", 0, false},
    {"scsi-id", PROP_NUM, "target number", NULL, 63, false},
    {"lun", PROP_NUM, "logical unit of the target: 0", "0", 0, false},
    {"serial", PROP_STR, "serial number, up to 36 characters", NULL, 0, false},
    {"vendor", PROP_STR, "vendor, up to 8 characters", NULL, 0, false},
    {"product", PROP_STR, "product, up to 16 characters", NULL, 0, false},
    {"ver", PROP_STR, "revision, up to 4 characters", NULL, 0, false},
    {"logical_block_size", PROP_SIZE, "bytes of a block", "0", 4096, false},
    {"physical_block_size", PROP_SIZE, "bytes of a block of the medium", "0", 4096, false},
    ROTATION_PROP,
    STORAGE_PROPS,
    {0},
};

const struct device_type ide_hd_type = {
    .name = "ide-hd",
    .bus = "IDE",
    .desc = "IDE or SATA disk",
    .props = ide_props,
    .create = create_ide_hd,
    .destroy = destroy,
};

const struct device_type ide_cd_type = {
    .name = "ide-cd",
    .bus = "IDE",
    .desc = "IDE or SATA CD-ROM drive",
    .props = ide_props,
    .create = create_ide_cd,
    .destroy = destroy,
};

const struct device_type scsi_hd_type = {
    .name = "scsi-hd",
    .bus = "SCSI",
    .desc = "SCSI disk",
    .props = scsi_props,
    .create = create_scsi_hd,
    .destroy = destroy,
};

const struct device_type scsi_cd_type = {
    .name = "scsi-cd",
    .bus = "SCSI",
    .desc = "SCSI CD-ROM drive",
    .props = scsi_props,
    .create = create_scsi_cd,
    .destroy = destroy,
};

const struct device_type floppy_type = {
    .name = "floppy",
    .bus = "floppy",
    .desc = "floppy drive",
    .props = floppy_props,
    .create = create_floppy,
    .destroy = destroy,
};
