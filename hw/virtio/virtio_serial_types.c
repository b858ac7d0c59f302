/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The virtio console device and its ports as -device names them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/virtio/virtio_serial.h"

static const struct prop serial_props[] = {
    {"max_ports", PROP_NUM, "ports", "31", VIRTIO_SERIAL_PORTS, false},
    VIRTIO_LAYOUT_PROPS,
    {0},
};

static void serial_destroy(void *self)
{
	virtio_serial_fini(self);
	free(self);
}

/* "ID.0", or "virtio-serialN.0" with the first N that is free. */
static void name_bus(struct virtio_serial *s, const struct virtio_serial *list, const char *id)
{
	unsigned n = 0;

	if (*id) {
		snprintf(s->name, sizeof(s->name), "%s.0", id);
		return;
	}
	for (; list; list = list->next)
		n += strncmp(list->name, "virtio-serial", 13) == 0;
	snprintf(s->name, sizeof(s->name), "virtio-serial%u.0", n);
}

static int serial_create(void **self, const struct device_args *args, char *err, size_t errlen)
{
	struct virtio_pci_options layout = virtio_layout(args);
	struct virtio_serial *s = calloc(1, sizeof(*s)), **last = args->env->serials;
	int r;

	if (!s)
		return -ENOMEM;
	r = virtio_serial_init(s, (unsigned)arg_num(args, "max_ports"), &layout);
	if (r < 0)
		snprintf(err, errlen, "-device virtio-serial-pci: max_ports is at least 1");
	else
		r = virtio_pci_add(&s->v, args, err, errlen);
	if (r < 0) {
		serial_destroy(s);
		return r;
	}
	name_bus(s, *last, args->spec->id);
	while (*last)
		last = &(*last)->next;
	*last = s;
	*self = s;
	return 0;
}

const struct device_type virtio_serial_type = {
    .name = "virtio-serial-pci",
    .bus = "PCI",
    .desc = "virtio serial bus, for virtconsole and virtserialport",
    .props = serial_props,
    .create = serial_create,
    .destroy = serial_destroy,
};

static bool has_free(const struct virtio_serial *s, bool console)
{
	for (unsigned n = console ? 0 : 1; n < s->nr_ports; n++)
		if (!s->port[n])
			return true;
	return false;
}

static struct virtio_serial *choose(const struct device_args *args, bool console, char *err,
				    size_t errlen)
{
	const char *name = arg_str(args, "bus"), *type = args->spec->type->name;
	struct virtio_serial *s = *args->env->serials;

	while (s && (name ? strcmp(s->name, name) != 0 : !has_free(s, console)))
		s = s->next;
	if (!s && name)
		snprintf(err, errlen, "-device %s: there is no virtio serial bus %s", type, name);
	else if (!s)
		snprintf(err, errlen, "-device %s: there is no free port; add -device %s", type,
			 virtio_serial_type.name);
	return s;
}

static int port_create(void **self, const struct device_args *args, char *err, size_t errlen)
{
	bool console = args->spec->type == &virtconsole_type;
	const char *type = args->spec->type->name;
	struct virtio_serial *s = choose(args, console, err, errlen);
	struct virtio_serial_port_options o = {
	    .console = console,
	    .nr = arg_str(args, "nr") ? (int)arg_num(args, "nr") : -1,
	    .name = arg_str(args, "name"),
	    .chr = arg_backend(args, "chardev"),
	};
	struct virtio_serial_port *p;
	int r;

	if (!s)
		return -ENODEV;
	p = virtio_serial_add(s, &o, &r);
	if (p) {
		device_add(args, &p->dev);
		*self = p;
	} else if (r == -EBUSY) {
		snprintf(err, errlen, "-device %s: %s is in use", type,
			 o.chr && o.chr->dev ? "the chardev" : "that port");
	} else if (r == -EINVAL) {
		snprintf(err, errlen,
			 "-device %s: nr= is %d to %u on bus %s, and name= at most 63 characters",
			 type, console ? 0 : 1, s->nr_ports - 1, s->name);
	}
	return r;
}

/* A port goes with its bus. */
static void port_destroy(void *self)
{
	(void)self;
}

static const struct prop port_props[] = {
    {"chardev", PROP_CHARDEV, "where the bytes go and come from", NULL, 0, false},
    {"name", PROP_STR, "by which the guest knows it, as org.qemu.guest_agent.0", NULL, 0, false},
    {"nr", PROP_NUM, "number of the port", NULL, VIRTIO_SERIAL_PORTS - 1, false},
    {"bus", PROP_STR, "the virtio serial bus, as virtio-serial0.0", NULL, 0, false},
    {0},
};

const struct device_type virtconsole_type = {
    .name = "virtconsole",
    .bus = "virtio-serial",
    .desc = "console port of a virtio serial bus (hvc0 in Linux)",
    .props = port_props,
    .create = port_create,
    .destroy = port_destroy,
};

const struct device_type virtserialport_type = {
    .name = "virtserialport",
    .bus = "virtio-serial",
    .desc = "port of a virtio serial bus",
    .props = port_props,
    .create = port_create,
    .destroy = port_destroy,
};
