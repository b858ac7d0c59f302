/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * USB buses: which device is at which port, behind which hubs. See usb.h.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/device_type.h"
#include "hw/pci.h"
#include "hw/usb/usb.h"

static struct usb_bus *by_name(struct usb_bus *list, const char *name)
{
	while (list && strcmp(list->name, name) != 0)
		list = list->next;
	return list;
}

void usb_bus_add(struct usb_bus **list, struct usb_bus *bus, const char *id)
{
	unsigned n = 0;

	if (id && *id)
		snprintf(bus->name, sizeof(bus->name), "%.63s.0", id);
	else
		do
			snprintf(bus->name, sizeof(bus->name), "usb-bus.%u", n++);
		while (by_name(*list, bus->name));
	while (*list)
		list = &(*list)->next;
	bus->next = NULL;
	*list = bus;
}

/* ---- where devices are ---- */

struct usb_bus *usb_root(const struct usb_device *d)
{
	struct usb_bus *bus = d->bus;

	while (bus->hub)
		bus = bus->hub->bus;
	return bus;
}

/* The devices on the way from the controller to d, d last. */
static unsigned way(const struct usb_device *d, const struct usb_device *out[USB_TIERS + 1])
{
	const struct usb_device *at = d;
	unsigned n = 1;

	for (; at->bus->hub; at = at->bus->hub)
		n++;
	for (unsigned i = n; i--; d = d->bus->hub)
		out[i] = d;
	return n;
}

void usb_port_path(const struct usb_device *d, char *out, size_t len)
{
	const struct usb_device *on[USB_TIERS + 1];
	unsigned n = way(d, on);
	size_t at = 0;

	for (unsigned i = 0; i < n && at < len; i++)
		at += (size_t)snprintf(out + at, len - at, i ? ".%u" : "%u", on[i]->port + 1);
}

void usb_path(const struct usb_device *d, const char *name, char *out, size_t len)
{
	const struct usb_device *on[USB_TIERS + 1];
	const struct usb_bus *root = usb_root(d);
	unsigned n = way(d, on);
	size_t at;

	pci_path(root->func, "usb", out, len);
	at = strlen(out);
	for (unsigned i = 0; i < n && at < len; i++)
		at += (size_t)snprintf(out + at, len - at, "/%s@%x", i + 1 < n ? "hub" : name,
				       on[i]->port + 1);
}

struct usb_device *usb_find(const struct usb_bus *bus, uint8_t address)
{
	for (unsigned i = 0; i < bus->ports; i++) {
		struct usb_device *d = bus->dev[i];

		if (!d || !bus->enabled(bus, i))
			continue;
		if (d->address == address)
			return d;
		if (d->down && (d = usb_find(d->down, address)))
			return d;
	}
	return NULL;
}

/* ---- plugging in and out ---- */

static enum usb_speed choose_speed(const struct usb_device *d, const struct usb_bus *bus)
{
	for (enum usb_speed s = USB_SUPER; s > USB_NO_SPEED; s--)
		if (d->class->config[s] && bus->speeds & USB_SPEED_BIT(s))
			return s;
	return USB_NO_SPEED;
}

static unsigned tier(const struct usb_bus *bus)
{
	unsigned n = 0;

	for (; bus->hub; bus = bus->hub->bus)
		n++;
	return n;
}

/* A free port of a bus, or of a hub at it: the bus with that, and its number; or NULL. */
static struct usb_bus *free_port(struct usb_bus *bus, unsigned *port)
{
	for (unsigned i = 0; i < bus->ports; i++)
		if (!bus->dev[i]) {
			*port = i;
			return bus;
		}
	for (unsigned i = 0; i < bus->ports; i++) {
		struct usb_bus *found =
		    bus->dev[i]->down ? free_port(bus->dev[i]->down, port) : NULL;

		if (found)
			return found;
	}
	return NULL;
}

/* The bus and the port that a path of ports leads to; NULL: it does not lead anywhere. */
static struct usb_bus *follow(struct usb_bus *bus, const char *path, unsigned *port)
{
	for (;;) {
		unsigned long n =
		    isdigit((unsigned char)*path) ? strtoul(path, (char **)&path, 10) : 0;

		if (!n || n > bus->ports)
			return NULL;
		*port = (unsigned)n - 1;
		if (!*path)
			return bus;
		if (*path++ != '.' || !bus->dev[n - 1] || !bus->dev[n - 1]->down)
			return NULL;
		bus = bus->dev[n - 1]->down;
	}
}

static void plug(struct usb_device *d, struct usb_bus *bus, unsigned port)
{
	char path[32];

	d->speed = choose_speed(d, bus);
	d->bus = bus;
	d->port = port;
	usb_port_path(d, path, sizeof(path));
	snprintf(d->name, sizeof(d->name), "%.16s-%.28s-%.16s", d->class->name, usb_root(d)->name,
		 path);
	snprintf(d->state_name, sizeof(d->state_name), "%s-usb", d->name);
	bus->dev[port] = d;
	bus->attached(bus, port);
}

int usb_attach(struct usb_device *d, struct usb_bus *list, const char *bus_name, const char *path,
	       const char *what, char *err, size_t errlen)
{
	struct usb_bus *bus = bus_name ? by_name(list, bus_name) : list, *at = NULL;
	bool any = !path || strcmp(path, "0") == 0;
	unsigned port;

	if (!bus && bus_name) {
		snprintf(err, errlen, "-device %s: there is no USB bus %s", what, bus_name);
		return -ENODEV;
	}
	if (any)
		for (; bus && !(at = free_port(bus, &port)) && !bus_name; bus = bus->next)
			;
	else if (bus)
		at = follow(bus, path, &port);
	if (!at && (any || !bus)) {
		snprintf(err, errlen,
			 "-device %s: there is no free USB port; add -device qemu-xhci, or -device "
			 "usb-hub before the others",
			 what);
		return -ENODEV;
	}
	if (!at || at->dev[port]) {
		snprintf(err, errlen, "-device %s: port %s of USB bus %s %s", what, path, bus->name,
			 at ? "is taken" : "does not exist");
		return -EBUSY;
	}
	if (!choose_speed(d, at)) {
		snprintf(err, errlen, "-device %s: USB bus %s has none of its speeds", what,
			 bus->name);
		return -EINVAL;
	}
	if (d->down && tier(at) == USB_TIERS) {
		snprintf(err, errlen, "-device %s: at most %u hubs can be in a row", what,
			 USB_TIERS);
		return -EINVAL;
	}
	plug(d, at, port);
	return 0;
}

void usb_detach(struct usb_device *d)
{
	struct usb_bus *bus = d->bus;

	if (!bus)
		return;
	bus->dev[d->port] = NULL;
	d->bus = NULL;
	bus->detached(bus, d->port);
}

void usb_unplug(void *device)
{
	usb_detach(device);
}

int usb_device_add(struct usb_device *d, const struct device_args *args, char *err, size_t errlen)
{
	int r = usb_attach(d, args->env->usb ? *args->env->usb : NULL, arg_str(args, "bus"),
			   arg_str(args, "port"), args->spec->type->name, err, errlen);

	if (r == 0)
		device_add(args, &d->dev);
	return r;
}
