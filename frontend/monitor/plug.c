/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Commands that plug devices in and out, and tell what is where.
 */
#include <string.h>

#include "frontend/monitor/view.h"
#include "frontend/options.h"
#include "hw/pc.h"
#include "hw/usb/usb.h"

static void add(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct device_spec spec;
	char err[512];

	if (options_device(&spec, a[0].text, err, sizeof(err)) < 0 ||
	    options_globals(m->env->options, &spec, err, sizeof(err)) < 0 ||
	    pc_plug_device(m->pc, &spec, m->env->backend, m->env->backend_opaque, err,
			   sizeof(err)) < 0)
		out(o, "%s\n", err);
}

static void del(struct monitor *m, const struct out *o, const struct arg *a)
{
	char err[512];

	if (pc_unplug_device(m->pc, a[0].text, err, sizeof(err)) < 0)
		out(o, "%s\n", err);
}

static const char *id_of(const struct pc *pc, const void *self)
{
	for (unsigned i = 0; i < pc->nr_added; i++)
		if (pc->added[i].self == self)
			return pc->added[i].id;
	return "";
}

static void print_usb(const struct monitor *m, const struct out *o, const struct usb_bus *bus,
		      unsigned n)
{
	static const char *const speeds[USB_SPEEDS] = {
	    [USB_LOW] = "1.5", [USB_FULL] = "12", [USB_HIGH] = "480", [USB_SUPER] = "5000"};
	char path[32];

	for (unsigned i = 0; i < bus->ports; i++) {
		const struct usb_device *d = bus->dev[i];
		const char *id = d ? id_of(m->pc, d) : "";

		if (!d)
			continue;
		usb_port_path(d, path, sizeof(path));
		out(o, "  Device %u.%u, Port %s, Speed %s Mb/s, Product %s%s%s\n", n, d->address,
		    path, speeds[d->speed], d->class->what, *id ? ", ID: " : "", id);
		if (d->down)
			print_usb(m, o, d->down, n);
	}
}

static void info_usb(struct monitor *m, const struct out *o, const struct arg *a)
{
	unsigned n = 0;

	(void)a;
	if (!m->pc->usb)
		out(o, "there is no USB controller; -usb and -device qemu-xhci add some\n");
	for (const struct usb_bus *bus = m->pc->usb; bus; bus = bus->next)
		print_usb(m, o, bus, n++);
}

const struct command plug_commands[] = {
    {"device_add", "DEVICE...", add, "plug in a USB device, or one with bus=ROOT-PORT",
     "device_add usb-tablet,id=t"},
    {"device_del", "ID", del, "unplug a device", "device_del t"},
    {"info usb", NULL, info_usb, "USB devices", "info usb"},
    {0},
};
