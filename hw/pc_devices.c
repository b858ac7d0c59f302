/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Devices that the user asks for: at the start, and plugged in and out while the machine runs.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hw/display/display.h"
#include "hw/pc_impl.h"
#include "hw/pcie_port.h"
#include "hw/usb/usb.h"

const char *const watchdog_actions[] = {
    [WATCHDOG_RESET] = "reset",
    [WATCHDOG_SHUTDOWN] = "shutdown",
    [WATCHDOG_POWEROFF] = "poweroff",
    [WATCHDOG_INJECT_NMI] = "inject-nmi",
    [WATCHDOG_PAUSE] = "pause",
    [WATCHDOG_NONE] = "none",
    NULL,
};

/* A watchdog has run out. */
static void bark(void *opaque)
{
	struct pc *pc = opaque;

	machine_notify(&pc->m, MACHINE_WATCHDOG, watchdog_actions[pc->watchdog_action]);
	switch (pc->watchdog_action) {
	case WATCHDOG_RESET:
		machine_request_reset(&pc->m);
		break;
	case WATCHDOG_SHUTDOWN:
		pc_power_button(pc);
		break;
	case WATCHDOG_POWEROFF:
		machine_request_shutdown(&pc->m);
		break;
	case WATCHDOG_INJECT_NMI:
		pc_nmi(pc);
		break;
	case WATCHDOG_PAUSE:
		machine_request_stop(&pc->m);
		break;
	case WATCHDOG_NONE:
		break;
	}
}

/* Devices come before the interrupt controllers, as do the chips. */
static void add_state(void *opaque, struct device *dev)
{
	struct pc *pc = opaque;

	machine_add_after(pc->last_added ? pc->last_added : &pc->pci.dev, dev);
	pc->last_added = dev;
	/* Of the device that is being made, which is counted later. */
	if (!pc->added[pc->nr_added].states++)
		pc->added[pc->nr_added].state = dev;
}

static void add_display(void *opaque, struct display *display)
{
	struct pc *pc = opaque;
	struct display **at = &pc->m.displays;

	while (*at)
		at = &(*at)->next;
	*at = display;
}

void pc_add_boot(void *opaque, int bootindex, const char *path)
{
	struct pc *pc = opaque;
	unsigned at = pc->nr_boot;

	if (at == PC_MAX_DEVICES)
		return;
	pc->nr_boot++;
	for (; at && pc->boot[at - 1].index > bootindex; at--)
		pc->boot[at] = pc->boot[at - 1];
	pc->boot[at].index = bootindex;
	snprintf(pc->boot[at].path, sizeof(pc->boot[at].path), "%s", path);
}

void pc_add_boot_rom(struct pc *pc, int bootindex, const char *file)
{
	char path[sizeof(pc->boot[0].path)];

	snprintf(path, sizeof(path), "/rom@%s", file);
	pc_add_boot(pc, bootindex, path);
}

static struct pc_added *find(struct pc *pc, const char *id)
{
	for (unsigned i = 0; i < pc->nr_added; i++)
		if (strcmp(pc->added[i].id, id) == 0)
			return &pc->added[i];
	return NULL;
}

/* Whether a device has taken its place in the order of boot devices, and alone. */
static int check_boot(const struct pc *pc, const struct device_spec *spec, unsigned nr_before,
		      char *err, size_t errlen)
{
	unsigned same = 0;

	if (spec->bootindex < 0)
		return 0;
	for (unsigned i = 0; i < pc->nr_boot; i++)
		same += pc->boot[i].index == spec->bootindex;
	if (pc->nr_boot > nr_before && same == 1)
		return 0;
	if (pc->nr_boot > nr_before)
		snprintf(err, errlen, "-device %s: another device has bootindex=%d",
			 spec->type->name, spec->bootindex);
	else
		snprintf(err, errlen,
			 "-device %s: nothing can be started from it; leave bootindex= out",
			 spec->type->name);
	return -EINVAL;
}

static int add(struct pc *pc, const struct device_spec *spec, bool runs,
	       void *(*backend)(void *opaque, enum prop_kind kind, const char *id), void *opaque,
	       char *err, size_t errlen)
{
	const struct device_env env = {
	    .clock = &pc->m.clock,
	    .loop = pc->m.loop,
	    .lock = &pc->m.lock,
	    .pci = &pc->pci,
	    .backend = backend,
	    .backend_opaque = opaque,
	    .drives = &pc->drives,
	    .usb = &pc->usb,
	    .hda = &pc->hda,
	    .serials = &pc->serials,
	    .input = &pc->m.input,
	    .nr_cpus = pc->cpus,
	    .nr_macs = &pc->nr_macs,
	    .find_rom = pc->cfg.find_rom,
	    .find_rom_opaque = pc->cfg.find_rom_opaque,
	    .boot = runs ? NULL : pc_add_boot,
	    .add = add_state,
	    .add_display = add_display,
	    .watchdog = bark,
	    .opaque = pc,
	};
	unsigned nr_boot = pc->nr_boot;
	void *self;
	int r;

	if (pc->nr_added == PC_MAX_DEVICES) {
		snprintf(err, errlen, "-device: at most %d are supported", PC_MAX_DEVICES);
		return -ENOSPC;
	}
	if (*spec->id && find(pc, spec->id)) {
		snprintf(err, errlen, "-device %s: there is another with id=%s", spec->type->name,
			 spec->id);
		return -EEXIST;
	}
	pc->added[pc->nr_added] = (struct pc_added){.type = spec->type};
	r = device_create(&self, spec, &env, err, errlen);
	if (r < 0)
		return r;
	pc->added[pc->nr_added].self = self;
	strcpy(pc->added[pc->nr_added++].id, spec->id);
	return runs ? 0 : check_boot(pc, spec, nr_boot, err, errlen);
}

int pc_add_device(struct pc *pc, const struct device_spec *spec,
		  void *(*backend)(void *opaque, enum prop_kind kind, const char *id), void *opaque,
		  char *err, size_t errlen)
{
	int r;

	pthread_mutex_lock(&pc->m.lock);
	r = add(pc, spec, false, backend, opaque, err, errlen);
	pthread_mutex_unlock(&pc->m.lock);
	return r;
}

void *pc_find_device(const struct pc *pc, const struct device_type *type)
{
	for (unsigned i = 0; i < pc->nr_added; i++)
		if (pc->added[i].type == type)
			return pc->added[i].self;
	return NULL;
}

/* ---- while the machine runs ---- */

static bool is_pci(const struct device_type *t)
{
	return strcmp(t->bus, "PCI") == 0;
}

int pc_plug_device(struct pc *pc, const struct device_spec *spec,
		   void *(*backend)(void *opaque, enum prop_kind kind, const char *id),
		   void *opaque, char *err, size_t errlen)
{
	const struct pc_added *new = &pc->added[pc->nr_added];
	struct device *d;
	int r;

	if (!spec->type->unplug) {
		snprintf(
		    err, errlen,
		    "-device %s: it cannot be plugged in while the machine runs; USB devices can",
		    spec->type->name);
		return -ENOTSUP;
	}
	if (is_pci(spec->type) && !spec->pci[0]) {
		snprintf(err, errlen,
			 "-device %s: it can be plugged into a root port: bus=ID, with -device "
			 "pcie-root-port,id=ID and -machine q35 at the start",
			 spec->type->name);
		return -ENOTSUP;
	}
	r = add(pc, spec, true, backend, opaque, err, errlen);
	if (r < 0)
		return r;
	d = new->state;
	for (unsigned i = 0; i < new->states; i++, d = d->next)
		device_reset(d);
	if (is_pci(spec->type))
		pcie_port_changed(((struct pci_func *)new->self)->port);
	return 0;
}

/* Whether it is a USB device at the hub. */
static bool is_behind(const struct pc_added *a, const struct usb_bus *hub)
{
	const struct usb_device *d = a->self;

	return strcmp(a->type->bus, "USB") == 0 && hub && d->bus == hub;
}

static void unplug(struct pc *pc, struct pc_added *a)
{
	bool usb = strcmp(a->type->bus, "USB") == 0;
	const struct usb_bus *hub = usb ? ((struct usb_device *)a->self)->down : NULL;
	struct pc_added gone;

	/* They have come after it: the list before it stays as it is. */
	for (unsigned i = pc->nr_added; i--;)
		if (is_behind(&pc->added[i], hub))
			unplug(pc, &pc->added[i]);
	gone = *a;
	memmove(a, a + 1, (size_t)(pc->added + --pc->nr_added - a) * sizeof(*a));
	gone.type->unplug(gone.self);
	for (unsigned i = 0; i < gone.states; i++) {
		struct device *d = gone.state;
		struct device *before = machine_remove(&pc->m, d);

		gone.state = d->next;
		if (pc->last_added == d)
			pc->last_added = before;
	}
	gone.type->destroy(gone.self);
	machine_notify(&pc->m, MACHINE_DEVICE_DELETED, gone.id);
}

/* The guest has let go of what is behind the port. */
static void ejected(void *opaque, struct pci_func *port)
{
	struct pc *pc = opaque;

	for (unsigned i = pc->nr_added; i--;) {
		struct pc_added *a = &pc->added[i];
		const struct pci_func *f = a->self;

		if (is_pci(a->type) && a->type->unplug && f->port == port)
			unplug(pc, a);
	}
}

int pc_unplug_device(struct pc *pc, const char *id, char *err, size_t errlen)
{
	struct pc_added *a = find(pc, id);
	const struct pci_func *f;
	int r;

	if (!*id || !a) {
		snprintf(err, errlen, "there is no device with id=%s", id);
		return -ENODEV;
	}
	f = a->self;
	if (!a->type->unplug || (is_pci(a->type) && !f->port)) {
		snprintf(err, errlen,
			 "%s: a %s cannot be unplugged while the machine runs; USB devices can, "
			 "and disks and network cards behind root ports",
			 id, a->type->name);
		return -ENOTSUP;
	}
	if (!is_pci(a->type)) {
		unplug(pc, a);
		return 0;
	}
	r = pcie_port_ask(f->port, pc->m.loop, ejected, pc);
	if (r < 0)
		snprintf(err, errlen, "%s: the guest has been asked to let go of it", id);
	return r;
}
