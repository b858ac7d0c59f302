/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What USB host controllers and USB devices are to each other (Universal Serial Bus 2.0, chapters 8 and 9;
 * 3.2, chapter 9). A controller gives a device packets; nothing is ever in flight between them: a device
 * that has no data or no room yet says USB_NAK, and later calls usb_wakeup(), upon which the controller tries
 * the same packet again. All state of a transfer is so in fields that are saved: what a packet has moved
 * already is the controller's to keep (usb_packet.done), what is done with it the device's.
 *
 * Machine lock held throughout.
 */
#ifndef HW_USB_USB_H
#define HW_USB_USB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/device.h"
#include "hw/dma_sg.h"

struct device_args;
struct pci_func;
struct usb_device;

#define USB_CONTROL_MAX 512u /* bytes in the data stage of a control transfer */
#define USB_PORTS_MAX   16u
#define USB_TIERS       5u /* hubs in a row (USB 2.0, 4.1.1) */

/* As xHCI's default speed IDs. */
enum usb_speed { USB_NO_SPEED, USB_FULL, USB_LOW, USB_HIGH, USB_SUPER, USB_SPEEDS };
#define USB_SPEED_BIT(s) (1u << (s))

enum usb_result { USB_OK, USB_NAK, USB_STALL };

struct usb_packet {
	bool in;           /* towards the host */
	uint8_t ep;        /* endpoint number, 0..15 */
	struct dma_sg *sg; /* the host's memory; its length is what the host asks for */
	size_t done;       /* bytes moved, also by earlier tries */
};

struct usb_setup {
	uint8_t type, request;
	uint16_t value, index, length;
};

enum {
	USB_DIR_IN = 0x80, /* in usb_setup.type, and in endpoint addresses */
	USB_TYPE_CLASS = 0x20,
	USB_TO_INTERFACE = 0x01,
	USB_TO_OTHER = 0x03,
	USB_GET_STATUS = 0,
	USB_CLEAR_FEATURE = 1,
	USB_SET_FEATURE = 3,
	USB_GET_DESCRIPTOR = 6,
	USB_DT_DEVICE = 1,
	USB_DT_CONFIG = 2,
	USB_DT_STRING = 3,
	USB_DT_INTERFACE = 4,
	USB_DT_ENDPOINT = 5,
};

/* What a kind of device is. Configurations are whole descriptor sets as sent, one for each speed the
 * device has, with bConfigurationValue 1. */
struct usb_class {
	const char *name;
	uint16_t vendor, product, release;
	uint8_t device_class; /* 0: of the interfaces */
	const char *maker, *what;
	const uint8_t *config[USB_SPEEDS];
	/* A request that is not one of the standard ones of USB 2.0 9.4. To the device: data has s->length
	 * bytes. To the host: at most USB_CONTROL_MAX go to data. How many, or -1 for a stall. */
	int (*control)(struct usb_device *d, const struct usb_setup *s, uint8_t *data);
	/* Of an endpoint but 0, that is not halted: moves data from or to p->sg, beginning at p->done. USB_OK
	 * ends the packet. */
	enum usb_result (*data)(struct usb_device *d, struct usb_packet *p);
	/* Both may be NULL. reset: also when another configuration is set. */
	void (*reset)(struct usb_device *d);
	void (*unhalted)(struct usb_device *d, uint8_t ep_address);
};

/* Embedded first in a device. */
struct usb_device {
	struct device dev;             /* of the core's fields */
	char name[64], state_name[72]; /* unique, once it is on a bus */
	const struct usb_class *class;
	struct usb_bus *bus;
	unsigned port;        /* of the bus, from 0 */
	struct usb_bus *down; /* of a hub: its ports; or NULL */
	enum usb_speed speed;
	char serial[40];
	uint8_t address, configuration, remote_wakeup;
	uint16_t halted[2]; /* bit per endpoint number: to the device, to the host */
	/* The control transfer. */
	uint8_t stage; /* enum in usb.c */
	uint8_t setup[8];
	uint16_t len, at;
	uint8_t buf[USB_CONTROL_MAX];
};

/* Ports of one host controller, or of one hub. */
struct usb_bus {
	char name[80]; /* "usb-bus.0" */
	unsigned ports, speeds;
	struct usb_device *dev[USB_PORTS_MAX];
	void *controller;
	struct usb_device *hub; /* NULL: a controller's own */
	/* A device was plugged in, or out: dev[port] is NULL then. */
	void (*attached)(struct usb_bus *bus, unsigned port);
	void (*detached)(struct usb_bus *bus, unsigned port);
	/* Endpoint ep_address of d, which is at the bus or behind a hub at it, may have data, or room; ask again.
	 * A device whose port sleeps wakes it. */
	void (*wakeup)(struct usb_bus *bus, struct usb_device *d, uint8_t ep_address);
	/* Whether packets reach what is at the port. Those of controllers that ask usb_find(), and hubs'. */
	bool (*enabled)(const struct usb_bus *bus, unsigned port);
	const struct pci_func *func; /* the controller's; not of hubs */
	struct usb_bus *next;
};

/* Appends, with the name "ID.0", or the first of "usb-bus.N" that is free when id is NULL or empty. */
void usb_bus_add(struct usb_bus **list, struct usb_bus *bus, const char *id);

/* A device that is on no bus yet. serial: NULL or empty: none. */
void usb_device_init(struct usb_device *d, const struct usb_class *class, const char *serial);
/* Plugs it into a port: "2", or "2.1" for the first port of a hub there, or a free one (NULL or "0"); of the bus of
 * that name, or of the first with a free port (NULL). It runs at the highest speed of both. 0 or -errno with one line
 * in err. */
int usb_attach(struct usb_device *d, struct usb_bus *list, const char *bus, const char *port,
	       const char *what, char *err, size_t errlen);
/* Unplugs it; nothing when it is not plugged in. What is behind a hub goes first, by its owner. */
void usb_detach(struct usb_device *d);
/* The bus of a host controller that d is at, behind whatever hubs. */
struct usb_bus *usb_root(const struct usb_device *d);
/* "2", "2.1": the ports on the way to d, from 1. */
void usb_port_path(const struct usb_device *d, char *out, size_t len);
/* The same for firmware, below the PCI host bridge: "usb@1,2/hub@1/storage@2" for the name "storage". */
void usb_path(const struct usb_device *d, const char *name, char *out, size_t len);
/* The same by the properties bus and port of -device; adds the core's state to the machine. */
int usb_device_add(struct usb_device *d, const struct device_args *args, char *err, size_t errlen);

/* unplug() of USB devices' types. */
void usb_unplug(void *device);

/* ---- what controllers call ---- */

/* The device with that address among those that packets reach; or NULL. */
struct usb_device *usb_find(const struct usb_bus *bus, uint8_t address);
/* wMaxPacketSize of an endpoint; 0: it has none of that address. */
unsigned usb_max_packet(const struct usb_device *d, uint8_t ep_address);
/* A bus reset. */
void usb_reset(struct usb_device *d);
/* A SETUP packet. Devices always take it. */
void usb_setup(struct usb_device *d, const uint8_t setup[8]);
/* Every other packet, including those of the data and status stages of control transfers. */
enum usb_result usb_data(struct usb_device *d, struct usb_packet *p);
static inline void usb_set_address(struct usb_device *d, uint8_t address)
{
	d->address = address;
}

/* ---- what devices call ---- */

/* The properties by which all are plugged in. */
#define USB_PROPS                                                                                  \
	{"bus", PROP_STR, "the USB bus, as usb-bus.0", NULL, 0, false},                            \
	    {"port", PROP_STR, "the port, as 1, or 1.2 behind a hub (default: a free one)",        \
	     NULL,   0,        false},                                                             \
	{                                                                                          \
		"serial", PROP_STR, "serial number", NULL, 0, false                                \
	}

void usb_wakeup(struct usb_device *d, uint8_t ep_address);
/* The endpoint answers with STALL until the host clears that. */
void usb_halt(struct usb_device *d, uint8_t ep_address);

#endif
