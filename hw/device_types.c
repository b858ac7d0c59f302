/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The table of devices that -device can add.
 */
#include "hw/device_type.h"

#include <string.h>

#include "hw/9p/virtio_9p.h"
#include "hw/audio/ac97.h"
#include "hw/audio/hda.h"
#include "hw/display/vga.h"
#include "hw/display/virtio_gpu.h"
#include "hw/net/virtio_net.h"
#include "hw/net/e1000.h"
#include "hw/net/rtl8139.h"
#include "hw/net/tulip.h"
#include "hw/i6300esb.h"
#include "hw/pci_testdev.h"
#include "hw/pcie_port.h"
#include "hw/storage/ahci.h"
#include "hw/storage/drive_bus.h"
#include "hw/storage/nvme.h"
#include "hw/storage/virtio_blk.h"
#include "hw/storage/virtio_scsi.h"
#include "hw/usb/uhci.h"
#include "hw/usb/usb_hid.h"
#include "hw/usb/usb_hub.h"
#include "hw/usb/usb_storage.h"
#include "hw/usb/xhci.h"
#include "hw/virtio/virtio_balloon.h"
#include "hw/virtio/virtio_rng.h"
#include "hw/virtio/virtio_serial.h"
#include "hw/virtio/virtio_vsock.h"

const struct device_type *const device_types[] = {
    &pci_testdev_type,
    &pcie_root_port_type,
    &virtio_blk_type,
    &virtio_scsi_type,
    &ahci_type,
    &nvme_type,
    &virtio_net_type,
    &ide_hd_type,
    &ide_cd_type,
    &scsi_hd_type,
    &scsi_cd_type,
    &floppy_type,
    &e1000_type,
    &rtl8139_type,
    &tulip_type,
    &piix3_uhci_type,
    &ich9_uhci1_type,
    &ich9_uhci2_type,
    &ich9_uhci3_type,
    &qemu_xhci_type,
    &nec_xhci_type,
    &usb_hub_type,
    &usb_kbd_type,
    &usb_mouse_type,
    &usb_tablet_type,
    &usb_storage_type,
    &vga_type,
    &virtio_gpu_type,
    &virtio_vga_type,
    &virtio_rng_type,
    &virtio_balloon_type,
    &virtio_serial_type,
    &virtconsole_type,
    &virtserialport_type,
    &virtio_9p_type,
    &ac97_type,
    &intel_hda_type,
    &ich9_intel_hda_type,
    &hda_output_type,
    &hda_duplex_type,
    &hda_micro_type,
    &virtio_vsock_type,
    &i6300esb_type,
    NULL,
};

const struct device_type *device_type_find(const char *name)
{
	for (size_t i = 0; device_types[i]; i++)
		if (strcmp(device_types[i]->name, name) == 0)
			return device_types[i];
	return NULL;
}
