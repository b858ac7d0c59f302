/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The virtio transport over PCI (Virtual I/O Device Version 1.2, 4.1): what every virtio device shares.
 * A transitional function has the modern register layout in BAR 4 and the legacy one in BAR 0; MSI-X
 * is in BAR 1. With registers of another kind beside them, the modern ones are in the second half of BAR 2.
 *
 * A device embeds struct virtio_pci as its first member, fills in a struct virtio_type and keeps its
 * configuration space in `config`. Everything runs under the machine lock.
 */
#ifndef HW_VIRTIO_VIRTIO_PCI_H
#define HW_VIRTIO_VIRTIO_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/device_type.h"
#include "hw/msi.h"
#include "hw/pci.h"
#include "hw/virtio/virtqueue.h"

#define VIRTIO_MAX_QUEUES 64u
#define VIRTIO_CONFIG_MAX 64u

/* Feature bits that do not belong to one device type (section 6). */
#define VIRTIO_F_NOTIFY_ON_EMPTY (1ull << 24)
#define VIRTIO_F_ANY_LAYOUT      (1ull << 27)
#define VIRTIO_F_INDIRECT_DESC   (1ull << 28)
#define VIRTIO_F_EVENT_IDX       (1ull << 29)
#define VIRTIO_F_VERSION_1       (1ull << 32)
#define VIRTIO_F_RING_PACKED     (1ull << 34)
#define VIRTIO_F_RING_RESET      (1ull << 40)

enum virtio_status {
	VIRTIO_ACKNOWLEDGE = 1,
	VIRTIO_DRIVER = 2,
	VIRTIO_DRIVER_OK = 4,
	VIRTIO_FEATURES_OK = 8,
	VIRTIO_NEEDS_RESET = 64,
	VIRTIO_FAILED = 128,
};

struct virtio_pci;

struct virtio_type {
	uint16_t id;         /* device ID of section 5 */
	uint16_t legacy_id;  /* PCI device ID of the transitional function, 0: there is none */
	uint16_t class_code; /* PCI */
	unsigned config_len;
	uint64_t config_writable; /* bit per byte of it */
	/* The driver notifies that there may be something in a queue. */
	void (*kick)(struct virtio_pci *v, unsigned queue);
	/* The driver wrote to the configuration space; may be NULL. */
	void (*config_written)(struct virtio_pci *v);
	/* The driver has said DRIVER_OK; v->features is what was agreed on. May be NULL. */
	void (*started)(struct virtio_pci *v);
	/* No request may be in flight afterwards. */
	void (*reset)(struct virtio_pci *v);
	/* The same for one queue; NULL: single queues cannot be reset. */
	void (*queue_reset)(struct virtio_pci *v, unsigned queue);
};

struct virtio_pci {
	struct pci_func func;
	struct msix msix;
	struct device state;
	char state_name[64];
	const struct virtio_type *type;
	uint64_t offered;  /* features, constant after init */
	uint64_t features; /* that the driver has accepted */
	unsigned nr_queues;
	uint16_t queue_size; /* largest, and what a reset sets */
	uint8_t pci_cap;     /* offset of the capability that reaches the BAR; 0: none */
	uint8_t bar;         /* of the modern registers, which begin at byte `at` of it */
	uint16_t at;
	const struct mmio_ops *other; /* what is before them; or NULL */
	void *other_opaque;

	uint32_t offered_sel, features_sel;
	uint16_t config_vector, queue_sel;
	uint8_t status, isr, generation;
	uint8_t config[VIRTIO_CONFIG_MAX];
	struct virtqueue vq[VIRTIO_MAX_QUEUES];
	bool batch;    /* interrupts wait for its end */
	uint64_t told; /* queues whose driver does */
};

struct virtio_pci_options {
	unsigned nr_queues;  /* 1..VIRTIO_MAX_QUEUES */
	uint16_t queue_size; /* a power of two, 2..VQ_MAX_SIZE */
	uint16_t vectors;    /* MSI-X vectors; 0: no MSI-X */
	uint64_t features;   /* of the device type and the queues; VERSION_1 is added */
	bool no_legacy;      /* disable-legacy=on */
	bool no_modern;      /* disable-modern=on */
	/* NULL, or what shares a BAR with the modern registers, as a VGA's: that is BAR 2 then, and BAR 4
	 * for MSI-X; the accesses are those to its lower half. */
	const struct mmio_ops *other;
	void *other_opaque;
};

/* The properties that every device has, and what they say: layout, and the features of queues. */
#define VIRTIO_LAYOUT_PROPS                                                                        \
	{"packed", PROP_BOOL, "the packed layout of queues", "off", 0, false},                     \
	    {"disable-legacy", PROP_BOOL, "only the layout of virtio 1.0", "off", 0, false},       \
	{                                                                                          \
		"disable-modern", PROP_BOOL, "only the layout before virtio 1.0", "off", 0, false  \
	}
struct virtio_pci_options virtio_layout(const struct device_args *args);
/* How many queues a property asks for; 0 there is one for each vCPU, as far as they fit beside others. */
unsigned virtio_queues(const struct device_args *args, const char *name, unsigned others);

/* Makes the function; the caller has zeroed v and filled in v->config. 0 or -errno. */
int virtio_pci_init(struct virtio_pci *v, const struct virtio_type *type, const char *name,
		    const struct virtio_pci_options *o);
/* Puts it on the bus and adds its state to the machine; 0 or -errno with one line in err. */
int virtio_pci_add(struct virtio_pci *v, const struct device_args *args, char *err, size_t errlen);

static inline bool virtio_has(const struct virtio_pci *v, uint64_t feature)
{
	return v->features & feature;
}
/* Interrupts the driver if it wants to hear of what was pushed to a queue; in a batch, at its end. */
void virtio_notify(struct virtio_pci *v, unsigned queue);
void virtio_batch(struct virtio_pci *v, bool on);
/* Takes all chains of a queue, also those that are added meanwhile. take() takes one: 1, 0 when there is
 * none, or -errno. *in_flight: how many it has taken that are not done. Ends whatever the driver does. 0, or
 * -errno when what the driver did makes no sense. */
int virtio_take_all(struct virtio_pci *v, unsigned queue, const uint16_t *in_flight,
		    int (*take)(struct virtio_pci *v, unsigned queue));
/* v->config has changed by itself. */
void virtio_config_changed(struct virtio_pci *v);
/* The driver did what it must not: the device does nothing more until it is reset. */
void virtio_broken(struct virtio_pci *v);

#endif
