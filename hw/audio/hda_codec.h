/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * High Definition Audio codecs (Intel High Definition Audio Specification 1.0a, chapter 7): -device hda-output,
 * hda-duplex and hda-micro. A codec is a function group of a few widgets that answers commands; it has no
 * sound of its own. The controller asks which of its converters listens to a stream, and how loud.
 */
#ifndef HW_AUDIO_HDA_CODEC_H
#define HW_AUDIO_HDA_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/device.h"

struct audiodev;
struct hda_bus;

#define HDA_CODECS    15u /* addresses on a link */
#define HDA_NODES_MAX 6u  /* of a codec: the root, the function group, widgets */

/* What a codec is: widgets by their node numbers, from 2 on. */
struct hda_widget {
	uint32_t caps;
	uint32_t amp;    /* capabilities of its amplifier, 0: none */
	uint32_t pin;    /* capabilities of a pin */
	uint32_t config; /* default configuration of a pin */
	uint8_t control; /* of a pin, after a reset */
	uint8_t from;    /* the node that it is connected to, 0: none */
};

struct hda_codec_class {
	const char *name;
	uint16_t id;
	unsigned nodes; /* with root and function group */
	struct hda_widget widget[HDA_NODES_MAX];
};

struct hda_codec {
	struct device dev;
	char name[96]; /* unique, once it is on a bus */
	const struct hda_codec_class *class;
	struct audiodev *audiodev;
	struct hda_bus *bus;
	uint8_t power; /* of the function group: D0 to D3 */
	struct hda_node {
		uint32_t config;
		uint16_t format;
		uint8_t stream; /* tag, and lowest channel */
		uint8_t control, eapd;
		uint8_t amp[2]; /* left, right */
	} node[HDA_NODES_MAX];
};

/* The link of one controller. */
struct hda_bus {
	char name[80]; /* "hda.0" */
	struct hda_codec *codec[HDA_CODECS];
	/* A converter, an amplifier or a pin was set. */
	void (*changed)(struct hda_bus *bus);
	struct hda_bus *next;
};

/* Appends, with the name "ID.0", or the first of "hda.N" that is free when id is NULL or empty. */
void hda_bus_add(struct hda_bus **list, struct hda_bus *bus, const char *id);

extern const struct hda_codec_class hda_output_class, hda_duplex_class, hda_micro_class;

void hda_codec_init(struct hda_codec *c, const struct hda_codec_class *class, struct audiodev *dev);
/* Gives it an address, or the first that is free (-1), on the bus of that name, or the first (NULL). 0 or -errno
 * with one line in err. */
int hda_codec_attach(struct hda_codec *c, struct hda_bus *list, const char *bus, int address,
		     char *err, size_t errlen);

/* What it answers to a command: node (8 bits), verb and payload (20 bits). */
uint32_t hda_codec_command(struct hda_codec *c, uint32_t command);

/* How a converter moves a stream. */
struct hda_route {
	unsigned channel; /* the left one, in the stream */
	uint32_t gain[2]; /* 65536 is 1 */
};
/* Whether one of its converters has that tag (1..15). */
bool hda_codec_route(const struct hda_codec *c, unsigned tag, bool output, struct hda_route *r);

extern const struct device_type hda_output_type, hda_duplex_type, hda_micro_type;

#endif
