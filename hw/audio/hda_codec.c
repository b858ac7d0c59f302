/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Codecs: see the header. Each has a converter and a pin for a direction; the volume is the converter's.
 */
#include "hw/audio/hda_codec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/audio/audio.h"
#include "hw/device_type.h"

enum { ROOT = 0, GROUP = 1, FIRST_WIDGET = 2 };

/* Verbs with 8 bits of payload; F00h more reads. */
enum {
	V_PARAMETER = 0xf00,
	V_CONNECTION = 0xf02,
	V_POWER = 0x705,
	V_STREAM = 0x706,
	V_PIN_CONTROL = 0x707,
	V_EAPD = 0x70c,
	V_CONFIG = 0x71c, /* and the three that follow: its bytes */
	V_GET_CONFIG = 0xf1c,
	V_SUBSYSTEM = 0xf20,
	V_RESET = 0x7ff,
	V_GET = 0x800,
};
/* Those with 16. */
enum { V_FORMAT = 0x2, V_AMP = 0x3, V_GET_FORMAT = 0xa, V_GET_AMP = 0xb };

enum {
	P_VENDOR = 0x00,
	P_REVISION = 0x02,
	P_NODES = 0x04,
	P_GROUP_TYPE = 0x05,
	P_GROUP_CAPS = 0x08,
	P_WIDGET_CAPS = 0x09,
	P_PCM = 0x0a,
	P_FORMATS = 0x0b,
	P_PIN_CAPS = 0x0c,
	P_IN_AMP = 0x0d,
	P_CONNECTIONS = 0x0e,
	P_POWER_STATES = 0x0f,
	P_OUT_AMP = 0x12,
};

/* Widget capabilities. */
enum {
	CAP_STEREO = 0x1,
	CAP_IN_AMP = 0x2,
	CAP_OUT_AMP = 0x4,
	CAP_AMP = 0x8,
	CAP_FORMAT = 0x10,
	CAP_CONNECTED = 0x100,
	CAP_TYPE = 0xf00000,
	TYPE_OUTPUT = 0x000000,
	TYPE_INPUT = 0x100000,
	TYPE_PIN = 0x400000,
};

enum { PIN_OUT = 0x10, PIN_IN = 0x20, CTL_IN = 0x20, CTL_OUT = 0x40, CTL_WRITABLE = 0xe7 };
enum { EAPD_ON = 2, EAPD_WRITABLE = 7 };

#define VENDOR    0x1af4u
#define REVISION  0x00100101u
#define SUBSYSTEM 0x1af41100u
#define PCM       0x001e07ffu /* 16, 20, 24 and 32 bits; 8 kHz to 192 kHz */
#define FORMATS   1u          /* PCM */
#define FORMAT    0x0031u     /* 48 kHz, 24 bits, two channels */

/* An amplifier with mute, and steps of 1 dB that all make it quieter. */
#define AMP_STEPS 74u
#define AMP_MUTE  0x80u
#define AMP_CAPS  (1u << 31 | 3u << 16 | AMP_STEPS << 8 | AMP_STEPS)

#define DAC                                                                                        \
	{                                                                                          \
		.caps = TYPE_OUTPUT | CAP_STEREO | CAP_OUT_AMP | CAP_AMP | CAP_FORMAT,             \
		.amp = AMP_CAPS                                                                    \
	}
#define ADC(pin_node)                                                                              \
	{                                                                                          \
		.caps =                                                                            \
		    TYPE_INPUT | CAP_STEREO | CAP_IN_AMP | CAP_AMP | CAP_FORMAT | CAP_CONNECTED,   \
		.amp = AMP_CAPS, .from = (pin_node)                                                \
	}
#define OUT_PIN(conf, dac_node)                                                                    \
	{                                                                                          \
		.caps = TYPE_PIN | CAP_STEREO | CAP_CONNECTED, .pin = PIN_OUT, .config = (conf),   \
		.control = CTL_OUT, .from = (dac_node)                                             \
	}
#define IN_PIN(conf)                                                                               \
	{                                                                                          \
		.caps = TYPE_PIN | CAP_STEREO, .pin = PIN_IN, .config = (conf), .control = CTL_IN  \
	}

/* Jacks at the back that cannot tell whether something is plugged in. */
#define LINE_OUT 0x01014110u
#define SPEAKER  0x01114110u
#define LINE_IN  0x01813120u
#define MIC      0x01a19120u

const struct hda_codec_class hda_output_class = {
    "hda-output", 0x12, 4, {{0}, {0}, DAC, OUT_PIN(LINE_OUT, 2)}};
const struct hda_codec_class hda_duplex_class = {
    "hda-duplex", 0x22, 6, {{0}, {0}, DAC, OUT_PIN(LINE_OUT, 2), ADC(5), IN_PIN(LINE_IN)}};
const struct hda_codec_class hda_micro_class = {
    "hda-micro", 0x32, 6, {{0}, {0}, DAC, OUT_PIN(SPEAKER, 2), ADC(5), IN_PIN(MIC)}};

/* ---- commands ---- */

static bool is_type(const struct hda_widget *w, uint32_t type)
{
	return (w->caps & CAP_TYPE) == type;
}

static uint32_t root_parameter(const struct hda_codec *c, unsigned id)
{
	switch (id) {
	case P_VENDOR:
		return VENDOR << 16 | c->class->id;
	case P_REVISION:
		return REVISION;
	case P_NODES:
		return GROUP << 16 | 1;
	}
	return 0;
}

static uint32_t group_parameter(const struct hda_codec *c, unsigned id)
{
	switch (id) {
	case P_NODES:
		return FIRST_WIDGET << 16 | (c->class->nodes - FIRST_WIDGET);
	case P_GROUP_TYPE:
		return 1; /* audio */
	case P_GROUP_CAPS:
		return 0x808; /* delays, in frames */
	case P_PCM:
		return PCM;
	case P_FORMATS:
		return FORMATS;
	case P_POWER_STATES:
		return 0xf;
	}
	return 0;
}

static uint32_t widget_parameter(const struct hda_widget *w, unsigned id)
{
	switch (id) {
	case P_WIDGET_CAPS:
		return w->caps;
	case P_PCM:
		return w->caps & CAP_FORMAT ? PCM : 0;
	case P_FORMATS:
		return w->caps & CAP_FORMAT ? FORMATS : 0;
	case P_PIN_CAPS:
		return w->pin;
	case P_IN_AMP:
		return w->caps & CAP_IN_AMP ? w->amp : 0;
	case P_OUT_AMP:
		return w->caps & CAP_OUT_AMP ? w->amp : 0;
	case P_CONNECTIONS:
		return w->from != 0;
	}
	return 0;
}

static uint32_t parameter(const struct hda_codec *c, unsigned nid, unsigned id)
{
	if (nid == ROOT)
		return root_parameter(c, id);
	if (nid == GROUP)
		return group_parameter(c, id);
	return widget_parameter(&c->class->widget[nid], id);
}

static void set_amp(const struct hda_widget *w, struct hda_node *n, uint16_t val)
{
	uint8_t gain = val & 0x7f;

	if (!(w->caps & CAP_OUT_AMP && val & 0x8000) && !(w->caps & CAP_IN_AMP && val & 0x4000))
		return;
	gain = (uint8_t)((gain < AMP_STEPS ? gain : AMP_STEPS) | (val & AMP_MUTE));
	if (val & 0x2000)
		n->amp[0] = gain;
	if (val & 0x1000)
		n->amp[1] = gain;
}

static uint32_t get_amp(const struct hda_widget *w, const struct hda_node *n, uint16_t val)
{
	if (!(w->caps & (val & 0x8000 ? CAP_OUT_AMP : CAP_IN_AMP)))
		return 0;
	return n->amp[val & 0x2000 ? 0 : 1];
}

static void reset_nodes(struct hda_codec *c)
{
	memset(c->node, 0, sizeof(c->node));
	c->power = 0;
	for (unsigned i = FIRST_WIDGET; i < c->class->nodes; i++) {
		const struct hda_widget *w = &c->class->widget[i];

		c->node[i] = (struct hda_node){
		    .config = w->config,
		    .format = w->caps & CAP_FORMAT ? FORMAT : 0,
		    .control = w->control,
		    .eapd = w->pin ? EAPD_ON : 0,
		    .amp = {w->amp ? AMP_STEPS : 0, w->amp ? AMP_STEPS : 0},
		};
	}
}

static void set(struct hda_codec *c, unsigned nid, unsigned verb, uint16_t val)
{
	const struct hda_widget *w = &c->class->widget[nid];
	struct hda_node *n = &c->node[nid];

	if (verb == V_POWER && nid == GROUP)
		c->power = val & 3;
	else if (verb == V_RESET && nid == GROUP)
		reset_nodes(c);
	else if (verb == V_STREAM && w->caps & CAP_FORMAT)
		n->stream = (uint8_t)val;
	else if (verb == V_FORMAT && w->caps & CAP_FORMAT)
		n->format = val;
	else if (verb == V_AMP)
		set_amp(w, n, val);
	else if (verb == V_PIN_CONTROL && w->pin)
		n->control = val & CTL_WRITABLE;
	else if (verb == V_EAPD && w->pin)
		n->eapd = val & EAPD_WRITABLE;
	else if (verb >= V_CONFIG && verb < V_CONFIG + 4 && w->pin)
		n->config = (n->config & ~(0xffu << 8 * (verb - V_CONFIG))) |
			    (uint32_t)val << 8 * (verb - V_CONFIG);
	else
		return;
	if (c->bus)
		c->bus->changed(c->bus);
}

static uint32_t get(const struct hda_codec *c, unsigned nid, unsigned verb, uint16_t val)
{
	const struct hda_widget *w = &c->class->widget[nid];
	const struct hda_node *n = &c->node[nid];

	switch (verb) {
	case V_PARAMETER:
		return parameter(c, nid, val);
	case V_CONNECTION:
		return val == 0 ? w->from : 0;
	case V_POWER | V_GET:
		return nid == GROUP ? c->power | (uint32_t)c->power << 4 : 0;
	case V_STREAM | V_GET:
		return n->stream;
	case V_PIN_CONTROL | V_GET:
		return n->control;
	case V_EAPD | V_GET:
		return n->eapd;
	case V_GET_CONFIG:
		return n->config;
	case V_SUBSYSTEM:
		return nid == GROUP ? SUBSYSTEM : 0;
	case V_GET_FORMAT:
		return n->format;
	case V_GET_AMP:
		return get_amp(w, n, val);
	}
	return 0;
}

uint32_t hda_codec_command(struct hda_codec *c, uint32_t command)
{
	unsigned nid = command >> 20 & 0xff, verb = command >> 8 & 0xfff;
	uint16_t val = command & 0xff;

	if (nid >= c->class->nodes)
		return 0;
	if ((verb & 0x700) != 0x700) {
		verb = command >> 16 & 0xf;
		val = command & 0xffff;
	}
	/* F00h and above, and of the short ones those from 8 on, read. */
	if (verb & (verb > 0xf ? 0x800 : 8))
		return get(c, nid, verb, val);
	set(c, nid, verb, val);
	return 0;
}

/* ---- routes ---- */

static uint32_t gain(uint8_t amp)
{
	return amp & AMP_MUTE ? 0 : audio_gain(100 * (amp - (int)AMP_STEPS));
}

/* Whether a pin lets out what the converter plays, or in what it records. */
static bool open_pin(const struct hda_codec *c, unsigned converter)
{
	unsigned pin = c->class->widget[converter].from;

	if (pin)
		return c->node[pin].control & CTL_IN;
	for (unsigned i = FIRST_WIDGET; i < c->class->nodes; i++)
		if (c->class->widget[i].from == converter && c->node[i].control & CTL_OUT)
			return true;
	return false;
}

bool hda_codec_route(const struct hda_codec *c, unsigned tag, bool output, struct hda_route *r)
{
	for (unsigned i = FIRST_WIDGET; i < c->class->nodes; i++) {
		const struct hda_widget *w = &c->class->widget[i];
		const struct hda_node *n = &c->node[i];
		bool open = !c->power && open_pin(c, i);

		if (!is_type(w, output ? TYPE_OUTPUT : TYPE_INPUT) || n->stream >> 4 != tag)
			continue;
		r->channel = n->stream & 15;
		for (unsigned k = 0; k < 2; k++)
			r->gain[k] = open ? gain(n->amp[k]) : 0;
		return true;
	}
	return false;
}

/* ---- the link ---- */

static struct hda_bus *find(struct hda_bus *list, const char *name)
{
	while (list && strcmp(list->name, name) != 0)
		list = list->next;
	return list;
}

void hda_bus_add(struct hda_bus **list, struct hda_bus *bus, const char *id)
{
	unsigned n = 0;

	if (id && *id)
		snprintf(bus->name, sizeof(bus->name), "%.63s.0", id);
	else
		do
			snprintf(bus->name, sizeof(bus->name), "hda.%u", n++);
		while (find(*list, bus->name));
	while (*list)
		list = &(*list)->next;
	bus->next = NULL;
	*list = bus;
}

int hda_codec_attach(struct hda_codec *c, struct hda_bus *list, const char *bus_name, int address,
		     char *err, size_t errlen)
{
	struct hda_bus *bus = bus_name ? find(list, bus_name) : list;
	unsigned at = 0;

	if (!bus && bus_name)
		snprintf(err, errlen, "-device %s: there is no HDA bus %s", c->class->name,
			 bus_name);
	else if (!bus)
		snprintf(err, errlen, "-device %s: it needs -device intel-hda before it",
			 c->class->name);
	if (!bus)
		return -ENODEV;
	if (address >= 0)
		at = (unsigned)address;
	else
		while (at < HDA_CODECS && bus->codec[at])
			at++;
	if (at >= HDA_CODECS || bus->codec[at]) {
		snprintf(err, errlen, "-device %s: bus %s has no free address%s", c->class->name,
			 bus->name, address >= 0 ? " of that number, cad=" : "");
		return -EBUSY;
	}
	snprintf(c->name, sizeof(c->name), "%.12s-%.64s-%u", c->class->name, bus->name, at);
	c->bus = bus;
	bus->codec[at] = c;
	return 0;
}

/* ---- life ---- */

static const struct field fields[] = {
    FIELD(hda_codec, power, 0),
    FIELD_EACH(hda_codec, node, config, 0),
    FIELD_EACH(hda_codec, node, format, 0),
    FIELD_EACH(hda_codec, node, stream, 0),
    FIELD_EACH(hda_codec, node, control, 0),
    FIELD_EACH(hda_codec, node, eapd, 0),
    FIELD_EACH(hda_codec, node, amp[0], 0),
    FIELD_EACH(hda_codec, node, amp[1], 0),
    FIELD_END,
};

static void reset_done(void *state)
{
	reset_nodes(state);
}

static void tame(void *state)
{
	struct hda_codec *c = state;

	c->power &= 3;
	for (unsigned i = 0; i < HDA_NODES_MAX; i++)
		for (unsigned k = 0; k < 2; k++)
			if ((c->node[i].amp[k] & 0x7f) > AMP_STEPS)
				c->node[i].amp[k] = AMP_MUTE;
}

void hda_codec_init(struct hda_codec *c, const struct hda_codec_class *class, struct audiodev *dev)
{
	c->class = class;
	c->audiodev = dev;
	device_init(&c->dev, c->name, fields, c);
	c->dev.reset_done = reset_done;
	c->dev.tame = tame;
	reset_nodes(c);
}

/* ---- -device hda-output, hda-duplex, hda-micro ---- */

static const struct prop props[] = {
    {"bus", PROP_STR, "the HDA bus, as hda.0", NULL, 0, false},
    {"cad", PROP_NUM, "address on the bus", NULL, HDA_CODECS - 1, false},
    {"audiodev", PROP_AUDIODEV, "the audiodev that it plays and records by", NULL, 0, false},
    {0},
};

static int create(void **self, const struct device_args *args, const struct hda_codec_class *class,
		  char *err, size_t errlen)
{
	struct hda_codec *c = calloc(1, sizeof(*c));
	int r, at = arg_str(args, "cad") ? (int)arg_num(args, "cad") : -1;

	if (!c)
		return -ENOMEM;
	hda_codec_init(c, class, arg_audiodev(args));
	r = hda_codec_attach(c, args->env->hda ? *args->env->hda : NULL, arg_str(args, "bus"), at,
			     err, errlen);
	if (r < 0) {
		free(c);
		return r;
	}
	device_add(args, &c->dev);
	*self = c;
	return 0;
}

static int create_output(void **self, const struct device_args *args, char *err, size_t errlen)
{
	return create(self, args, &hda_output_class, err, errlen);
}

static int create_duplex(void **self, const struct device_args *args, char *err, size_t errlen)
{
	return create(self, args, &hda_duplex_class, err, errlen);
}

static int create_micro(void **self, const struct device_args *args, char *err, size_t errlen)
{
	return create(self, args, &hda_micro_class, err, errlen);
}

const struct device_type hda_output_type = {
    .name = "hda-output",
    .bus = "HDA",
    .desc = "HDA codec with a line-out",
    .props = props,
    .create = create_output,
    .destroy = free,
};

const struct device_type hda_duplex_type = {
    .name = "hda-duplex",
    .bus = "HDA",
    .desc = "HDA codec with a line-out and a line-in",
    .props = props,
    .create = create_duplex,
    .destroy = free,
};

const struct device_type hda_micro_type = {
    .name = "hda-micro",
    .bus = "HDA",
    .desc = "HDA codec with a speaker and a microphone",
    .props = props,
    .create = create_micro,
    .destroy = free,
};
