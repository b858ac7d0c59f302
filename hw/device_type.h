/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The kinds of devices that -device can add: names, properties, constructors. One table of them all
 * is in hw/device_types.c: a device is added to doppel by one line there.
 */
#ifndef HW_DEVICE_TYPE_H
#define HW_DEVICE_TYPE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/device.h"
#include "hw/pci.h"

struct audiodev;
struct clock;
struct display;
struct drive_bus;
struct hda_bus;
struct input;
struct loop;
struct usb_bus;
struct virtio_serial;

#define DEVICE_PROPS_MAX 24

enum prop_kind {
	PROP_STR,
	PROP_BOOL,  /* on, off, yes, no; alone it means on */
	PROP_NUM,   /* decimal, or hexadecimal with 0x */
	PROP_SIZE,  /* with a suffix as in 4K */
	PROP_DRIVE, /* the rest name back ends by their id */
	PROP_NETDEV,
	PROP_CHARDEV,
	PROP_FSDEV,
	PROP_AUDIODEV,
};

struct prop {
	const char *name;
	enum prop_kind kind;
	const char *help; /* for -device NAME,help */
	const char *def;  /* as the user would write it; NULL: none */
	uint64_t max;     /* of numbers and sizes; 0: none */
	bool required;
};

struct device_args;

struct device_type {
	const char *name, *bus, *desc;
	const struct prop *props; /* ends with a NULL name; NULL: none but those of its bus */
	/* PCI devices: the file with the expansion ROM, which the user may change; or NULL */
	const char *rom;
	/* PCI devices that boot: what follows "@SLOT" in their OpenFirmware path, and its first name,
	 * as "scsi" and "/disk@0,0"; or NULL */
	const char *boot_name, *boot_unit;
	/* Makes the device, tells the machine of its state by device_add() or device_add_pci(), and
	 * returns it in *self. Machine lock held. 0, or -errno with one line in err (which stays
	 * empty where the error says it all). */
	int (*create)(void **self, const struct device_args *args, char *err, size_t errlen);
	/* At the end of the machine, its vCPUs gone, or after unplug(); machine lock held. */
	void (*destroy)(void *self);
	/* Takes it off its bus while the machine runs; machine lock held. NULL: it is there from the start to the
	 * end. */
	void (*unplug)(void *self);
};

/* All of them; ends with NULL. */
extern const struct device_type *const device_types[];
const struct device_type *device_type_find(const char *name);

/* What the user asked for: values by property, checked. */
struct device_spec {
	const struct device_type *type;
	char id[64];
	int devfn;    /* of PCI devices; -1: any */
	char pci[64]; /* id of the root port that it is behind; empty: none */
	bool multifunction;
	int bootindex; /* -1: none */
	bool no_rom;
	char rom[256]; /* romfile=; empty: not given */
	uint64_t num[DEVICE_PROPS_MAX];
	uint16_t text_at[DEVICE_PROPS_MAX]; /* in text, 0: not set */
	char text[1024];
	size_t text_len;
};

void device_spec_init(struct device_spec *s, const struct device_type *type);
/* val NULL: the key stood alone. 0, or -1 with one line in err. */
int device_spec_set(struct device_spec *s, const char *key, const char *val, char *err,
		    size_t errlen);
/* The same, for what has not been set; not for id and bus, which each device has its own of. */
int device_spec_default(struct device_spec *s, const char *key, const char *val, char *err,
			size_t errlen);
/* After the last property. 0, or -1 with one line in err. */
int device_spec_done(const struct device_spec *s, char *err, size_t errlen);

/* What the board gives to constructors. */
struct device_env {
	struct clock *clock;
	struct loop *loop;
	pthread_mutex_t *lock; /* the machine's */
	struct pci_bus *pci;
	/* A back end by its id, of the kind that the property has; or NULL. */
	void *(*backend)(void *opaque, enum prop_kind kind, const char *id);
	void *backend_opaque;
	/* Reads an expansion ROM by its file name; the caller frees data. 0, or -errno with one line
	 * in err. May be NULL: there are none. */
	int (*find_rom)(void *opaque, const char *name, uint8_t **data, size_t *len, char *err,
			size_t errlen);
	void *find_rom_opaque;
	/* Tells firmware where in the order of boot devices this is. */
	void (*boot)(void *opaque, int bootindex, const char *path);
	struct drive_bus **drives;      /* where drives plug in (hw/storage/drive_bus.h) */
	struct virtio_serial **serials; /* and ports of a virtio serial bus */
	struct input *input;            /* where keys and pointers come from */
	unsigned nr_cpus;               /* vCPUs */
	unsigned *nr_macs;              /* addresses given to network cards so far */
	struct usb_bus **usb;           /* where USB devices plug in (hw/usb/usb.h) */
	struct hda_bus **hda;           /* where HDA codecs plug in (hw/audio/hda_codec.h) */
	/* Adds to what the machine resets, saves and loads. */
	void (*add)(void *opaque, struct device *dev);
	/* Shows it to the front ends; borrowed. */
	void (*add_display)(void *opaque, struct display *display);
	/* A watchdog has run out. */
	void (*watchdog)(void *opaque);
	void *opaque;
};

struct device_args {
	const struct device_spec *spec;
	const struct device_env *env;
};

/* The value of a property that the type has: the user's, else the default. */
const char *arg_str(const struct device_args *a, const char *name); /* NULL: neither */
uint64_t arg_num(const struct device_args *a, const char *name);
bool arg_bool(const struct device_args *a, const char *name);
void *arg_backend(const struct device_args *a, const char *name); /* NULL: not given */
/* That of the property audiodev; not given, what the user has for all. */
struct audiodev *arg_audiodev(const struct device_args *a);

void device_add(const struct device_args *a, struct device *dev);
/* Where firmware finds what the device boots from, when it has a bootindex: an OpenFirmware path below
 * the PCI host bridge, as "ide@1,1/drive@0/disk@0". */
void device_boot(const struct device_args *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Puts a function on the bus, in the user's slot or the first free one, with the expansion ROM
 * and the boot path of its type, and adds it, its MSI-X table and the state of the device, whose name is
 * f->state_name (NULL: the caller adds that), to the machine. 0 or -errno with one line in err. */
int device_add_pci(const struct device_args *a, struct pci_func *f, struct device *state, char *err,
		   size_t errlen);

/* unplug() of types of PCI devices behind a root port, whose struct begins with its struct pci_func. */
void pci_unplug(void *device);

/* Checks that the back ends are there, then makes the device. 0 or -errno with one line in err. */
int device_create(void **self, const struct device_spec *spec, const struct device_env *env,
		  char *err, size_t errlen);

#endif
