/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A virtio GPU (virtio 1.2, 5.7) on PCI, without 3D: the guest draws in its own memory, has pictures
 * ("resources") copied here, and says which one each output shows and what of it has changed.
 *
 * All memory that a guest can ask for, pictures and lists of their guest memory alike, comes from one piece of
 * RAM of the device's own: this bounds it, and saves it.
 */
#ifndef HW_DISPLAY_VIRTIO_GPU_H
#define HW_DISPLAY_VIRTIO_GPU_H

#include "hw/clock.h"
#include "hw/display/display.h"
#include "hw/virtio/virtio_pci.h"

#define VIRTIO_GPU_OUTPUTS   16u
#define VIRTIO_GPU_RESOURCES 4096u

struct vga;

struct gpu_resource {
	uint32_t id; /* 0: there is none */
	uint32_t format, width, height;
	uint64_t image; /* at which byte of the device's memory */
	/* The guest's memory behind it: where the list of addresses and lengths is, and what they are. */
	uint64_t list;
	uint32_t nr_list; /* 0: none attached */
	struct dma_sg backing;
};

struct gpu_output {
	struct virtio_gpu *gpu;
	unsigned nr;
	char name[24];
	struct display display;
	bool connected;
	unsigned width, height; /* what the user would like */
	uint32_t resource;      /* that is shown, 0: none */
	struct rect area;       /* of it */
	struct rect damage;     /* of the picture, since the last update */
	bool anew;              /* all of it */
	struct cursor cursor;
	uint32_t cursor_resource, cursor_version;
};

struct virtio_gpu {
	struct virtio_pci v; /* first */
	struct device dev;
	char name[80];
	struct vq_elem e;
	struct timer more; /* for what was too much to do at once */
	struct ram memory;
	uint8_t *used;   /* a byte for each page of it */
	struct vga *vga; /* that output 0 shows until a driver shows something; or NULL */
	bool driven;     /* one has */
	unsigned nr_outputs, nr_resources; /* nr_resources: in use at most */
	struct gpu_output output[VIRTIO_GPU_OUTPUTS];
	struct gpu_resource resource[VIRTIO_GPU_RESOURCES];
};

struct virtio_gpu_options {
	/* 1..VIRTIO_GPU_OUTPUTS; all but the first get connected when somebody looks at them. */
	unsigned outputs;
	unsigned width, height; /* that the first one prefers, each from EDID_MIN to EDID_MAX */
	bool no_edid;
	uint64_t memory; /* bytes, from VIRTIO_GPU_MEMORY_MIN to VIRTIO_GPU_MEMORY_MAX */
	struct vga *vga; /* borrowed; or NULL */
};

#define VIRTIO_GPU_MEMORY_MIN (1ull << 20)
#define VIRTIO_GPU_MEMORY_MAX (16ull << 30)

/* 0 or -errno; virtio_gpu_fini() in either case. The caller puts g->v on a bus. */
int virtio_gpu_init(struct virtio_gpu *g, struct clock *clock, const struct virtio_gpu_options *o,
		    const struct virtio_pci_options *layout);
void virtio_gpu_fini(struct virtio_gpu *g);

/* The properties that all have, and what they say: 0, or -EINVAL with one line in err. */
#define VIRTIO_GPU_PROPS                                                                           \
	{"max_outputs", PROP_NUM,           "outputs, connected when looked at",                   \
	 "1",           VIRTIO_GPU_OUTPUTS, false},                                                \
	    {"xres", PROP_NUM, "width that the first output prefers", "1280", EDID_MAX, false},    \
	    {"yres", PROP_NUM, "height that the first output prefers", "800", EDID_MAX, false},    \
	    {"edid", PROP_BOOL, "outputs say what they are", "on", 0, false},                      \
	{                                                                                          \
		"max_hostmem", PROP_SIZE, "memory that pictures may take", "256M",                 \
		    VIRTIO_GPU_MEMORY_MAX, false                                                   \
	}
int virtio_gpu_arguments(struct virtio_gpu_options *o, const struct device_args *args, char *err,
			 size_t errlen);
/* Puts it on the bus, adds its state to the machine and shows its outputs; 0 or -errno with one line in err. */
int virtio_gpu_add(struct virtio_gpu *g, const struct device_args *args, char *err, size_t errlen);

extern const struct device_type virtio_gpu_type, virtio_vga_type;

#endif
