/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which row plays what -device can add: a new type needs one, or a place in another's.
 */
#include <stdio.h>
#include <string.h>

#include "hw/device_type.h"
#include "tests/fuzz/fuzz.h"

static const struct {
	const char *type, *row;
} rows[] = {
    {"AC97", "ac97"},
    {"VGA", "vga"},
    {"ahci", "ahci"},
    {"e1000", "e1000"},
    {"floppy", "fdc"},
    {"hda-duplex", "hda"},
    {"hda-micro", "hda"},
    {"hda-output", "hda"},
    {"i6300esb", "i6300esb"},
    {"ich9-intel-hda", "hda"},
    {"ich9-usb-uhci1", "uhci"},
    {"ich9-usb-uhci2", "uhci"},
    {"ich9-usb-uhci3", "uhci"},
    {"ide-cd", "ide"},
    {"ide-hd", "ide"},
    {"intel-hda", "hda"},
    {"nec-usb-xhci", "xhci"},
    {"nvme", "nvme"},
    {"pci-testdev", "pci-testdev"},
    {"pcie-root-port", "pcie-root-port"},
    {"piix3-usb-uhci", "uhci"},
    {"qemu-xhci", "xhci"},
    {"rtl8139", "rtl8139"},
    {"scsi-cd", "virtio-scsi"},
    {"scsi-hd", "virtio-scsi"},
    {"tulip", "tulip"},
    {"usb-hub", "uhci"},
    {"usb-kbd", "xhci"},
    {"usb-mouse", "uhci"},
    {"usb-storage", "xhci"},
    {"usb-tablet", "xhci"},
    {"virtconsole", "virtio-serial"},
    {"virtio-9p-pci", "virtio-9p"},
    {"virtio-balloon-pci", "virtio-balloon"},
    {"virtio-blk-pci", "virtio-blk"},
    {"virtio-gpu-pci", "virtio-gpu"},
    {"virtio-net-pci", "virtio-net"},
    {"virtio-rng-pci", "virtio-rng"},
    {"virtio-scsi-pci", "virtio-scsi"},
    {"virtio-serial-pci", "virtio-serial"},
    {"virtio-vga", "virtio-vga"},
    {"virtio-vsock-pci", "virtio-vsock"},
    {"virtserialport", "virtio-serial"},
};

static const char *row_of(const char *type)
{
	for (unsigned n = 0; n < sizeof(rows) / sizeof(rows[0]); n++)
		if (strcmp(rows[n].type, type) == 0)
			return rows[n].row;
	return NULL;
}

unsigned fuzz_types_missing(bool (*there_is)(const char *row))
{
	unsigned missing = 0;

	for (unsigned n = 0; device_types[n]; n++) {
		const char *type = device_types[n]->name, *row = row_of(type);

		if (row && there_is(row))
			continue;
		printf("fuzz_devices: -device %s has no row (tests/fuzz/fuzz_types.c)\n", type);
		missing++;
	}
	return missing;
}
