/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * -device virtio-net-pci: its properties, with QEMU's names, and what they leave of the features (virtio 1.2, 5.1.3).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "hw/clock.h"
#include "hw/net/virtio_net_impl.h"

static const struct prop props[] = {
    NET_PROPS,
    {"queues", PROP_NUM, "pairs of queues", "1", VIRTIO_NET_MAX_PAIRS, false},
    {"mq", PROP_BOOL, "offer several pairs (default: where queues is more than 1)", NULL, 0, false},
    {"rx_queue_size", PROP_NUM, "entries of each queue, a power of two", "256", VQ_MAX_SIZE, false},
    {"vectors", PROP_NUM, "MSI-X vectors; 0: one for each queue and one more", "0", MSIX_MAX,
     false},
    {"host_mtu", PROP_NUM, "MTU that the guest is told", "0", 65535, false},
    {"speed", PROP_NUM, "Mb/s that the guest is told", "0", INT32_MAX, false},
    {"csum", PROP_BOOL, "the guest may leave checksums to the card", "on", 0, false},
    {"guest_csum", PROP_BOOL, "the card may leave checksums to the guest", "on", 0, false},
    {"host_tso4", PROP_BOOL, "segmentation of TCP over IPv4 by the card", "on", 0, false},
    {"host_tso6", PROP_BOOL, "the same over IPv6", "on", 0, false},
    {"guest_tso4", PROP_BOOL, "large TCP segments to the guest over IPv4", "on", 0, false},
    {"guest_tso6", PROP_BOOL, "the same over IPv6", "on", 0, false},
    {"mrg_rxbuf", PROP_BOOL, "one frame may come in several buffers", "on", 0, false},
    {"status", PROP_BOOL, "the guest is told of the link's state", "on", 0, false},
    {"ctrl_vq", PROP_BOOL, "the control queue", "on", 0, false},
    {"event_idx", PROP_BOOL, "fewer interrupts and notifications", "on", 0, false},
    {"indirect_desc", PROP_BOOL, "tables of descriptors", "on", 0, false},
    {"packed", PROP_BOOL, "the packed layout of queues", "off", 0, false},
    {"disable-legacy", PROP_BOOL, "only the layout of virtio 1.0", "off", 0, false},
    {"disable-modern", PROP_BOOL, "only the layout before virtio 1.0", "off", 0, false},
    {0},
};

/* Features that the user has switched off, with those that need them (5.1.3.1). */
static uint64_t without(const struct device_args *args)
{
	static const struct {
		const char *prop;
		uint64_t features;
	} off[] = {
	    {"csum", F_CSUM | F_HOST_TSO4 | F_HOST_TSO6 | F_HOST_ECN},
	    {"guest_csum", F_GUEST_CSUM | F_GUEST_TSO4 | F_GUEST_TSO6 | F_GUEST_ECN},
	    {"host_tso4", F_HOST_TSO4},
	    {"host_tso6", F_HOST_TSO6},
	    {"guest_tso4", F_GUEST_TSO4},
	    {"guest_tso6", F_GUEST_TSO6},
	    {"mrg_rxbuf", F_MRG_RXBUF},
	    {"status", F_STATUS},
	    {"ctrl_vq", F_CTRL_VQ | F_CTRL_RX | F_CTRL_VLAN | F_CTRL_RX_EXTRA | F_MQ |
			    F_CTRL_MAC_ADDR | F_GUEST_OFFLOADS},
	    {"event_idx", VIRTIO_F_EVENT_IDX},
	    {"indirect_desc", VIRTIO_F_INDIRECT_DESC},
	};
	uint64_t f = 0;

	for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++)
		if (!arg_bool(args, off[i].prop))
			f |= off[i].features;
	if (arg_str(args, "mq") && !arg_bool(args, "mq"))
		f |= F_MQ;
	return f;
}

static void destroy(void *self)
{
	virtio_net_fini(self);
	free(self);
}

static int create(void **self, const struct device_args *args, char *err, size_t errlen)
{
	struct virtio_net_options o = {
	    .pairs = (unsigned)arg_num(args, "queues"),
	    .rx_size = (unsigned)arg_num(args, "rx_queue_size"),
	    .vectors = (unsigned)arg_num(args, "vectors"),
	    .mtu = (uint16_t)arg_num(args, "host_mtu"),
	    .speed = (uint32_t)arg_num(args, "speed"),
	    .without = without(args),
	    .packed = arg_bool(args, "packed"),
	    .no_legacy = arg_bool(args, "disable-legacy"),
	    .no_modern = arg_bool(args, "disable-modern"),
	};
	struct virtio_net *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	r = net_nic_init(&d->end, args, &virtio_net_ops, d, d->mac, err, errlen);
	if (r < 0) {
		free(d);
		return r;
	}
	/* Time that follows instructions must not depend on another thread. */
	r = virtio_net_init(d, args->env->clock->manual ? NULL : args->env->loop, &o);
	if (r < 0)
		snprintf(err, errlen,
			 "-device virtio-net-pci: a property is out of range; -device "
			 "virtio-net-pci,help lists them");
	else
		r = virtio_pci_add(&d->v, args, err, errlen);
	if (r < 0) {
		destroy(d);
		return r;
	}
	snprintf(d->state_name, sizeof(d->state_name), "%s-net", d->v.func.name);
	device_add(args, &d->state);
	*self = d;
	return 0;
}

const struct device_type virtio_net_type = {
    .name = "virtio-net-pci",
    .bus = "PCI",
    .rom = "efi-virtio.rom",
    .boot_name = "ethernet",
    .boot_unit = "/ethernet-phy@0",
    .desc = "virtio network card",
    .props = props,
    .create = create,
    .destroy = destroy,
    .unplug = pci_unplug,
};
