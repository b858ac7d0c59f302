/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The virtio console device (virtio 1.2, 5.3) on PCI, and its ports: consoles (hvc0) and byte channels with
 * names, by which agents in the guest talk to programs on the host.
 */
#ifndef HW_VIRTIO_VIRTIO_SERIAL_H
#define HW_VIRTIO_VIRTIO_SERIAL_H

#include "hw/chardev.h"
#include "hw/virtio/virtio_pci.h"

#define VIRTIO_SERIAL_PORTS 31u /* with two queues each and two more */

struct virtio_serial;

struct virtio_serial_port {
	struct device dev;
	char dev_name[80];
	struct virtio_serial *bus;
	struct chardev *chr; /* or NULL: what is written goes nowhere */
	unsigned nr;
	bool console;
	char name[64];
	bool guest_open;  /* someone in the guest reads */
	uint8_t tell;     /* what the driver has not been told, one bit each */
	uint8_t in[4096]; /* taken from the host and not yet by the guest */
	uint16_t in_len;
};

struct virtio_serial {
	struct virtio_pci v; /* first */
	struct vq_elem e;
	char name[80]; /* of the bus, as "virtio-serial0.0" */
	unsigned nr_ports;
	struct virtio_serial_port *port[VIRTIO_SERIAL_PORTS];
	struct virtio_serial *next;
};

/* nr_ports: at most, 1..VIRTIO_SERIAL_PORTS. 0 or -errno. The caller puts s->v on a bus. */
int virtio_serial_init(struct virtio_serial *s, unsigned nr_ports,
		       const struct virtio_pci_options *layout);
/* Its ports are gone afterwards. */
void virtio_serial_fini(struct virtio_serial *s);

struct virtio_serial_port_options {
	bool console;
	int nr;              /* -1: the first that is free; 0 is for consoles */
	const char *name;    /* or NULL */
	struct chardev *chr; /* or NULL; borrowed */
};

/* The new port, or NULL: -EBUSY in *err when that number or the chardev is in use, -ENOSPC when all are,
 * -EINVAL for a number or name out of range, -ENOMEM. */
struct virtio_serial_port *virtio_serial_add(struct virtio_serial *s,
					     const struct virtio_serial_port_options *o, int *err);

extern const struct device_type virtio_serial_type, virtconsole_type, virtserialport_type;

#endif
