/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Shared by the modern and the legacy register layout of virtio over PCI.
 */
#ifndef HW_VIRTIO_VIRTIO_IMPL_H
#define HW_VIRTIO_VIRTIO_IMPL_H

#include "hw/virtio/virtio_pci.h"

#define VIRTIO_LEGACY_SIZE 0x80u
extern const struct mmio_ops virtio_legacy_ops;
/* A page for each structure. */
#define VIRTIO_MODERN_SIZE 0x4000u
/* The BAR and the capabilities of the modern layout. 0 or -errno. */
int virtio_add_modern(struct virtio_pci *v);

/* Returns the causes and withdraws the interrupt. */
uint8_t virtio_read_isr(struct virtio_pci *v);
/* A vector as the driver reads it back: VQ_NO_VECTOR when there is no such one. */
uint16_t virtio_vector(const struct virtio_pci *v, uint64_t val);
void virtio_set_status(struct virtio_pci *v, uint8_t status);
/* Queues work as the accepted features say. */
void virtio_set_layout(struct virtio_pci *v);
void virtio_kick(struct virtio_pci *v, uint64_t queue);
uint64_t virtio_config_read(const struct virtio_pci *v, uint64_t off, unsigned size);
void virtio_config_write(struct virtio_pci *v, uint64_t off, uint64_t val, unsigned size);

#endif
