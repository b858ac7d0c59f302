/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * High Definition Audio controllers (Intel High Definition Audio Specification 1.0a, chapters 3 and 4; Intel 82801FB
 * and 82801IB datasheets): -device intel-hda, ich9-intel-hda. Four streams in and four out, commands by CORB and
 * RIRB or one at a time.
 */
#ifndef HW_AUDIO_HDA_H
#define HW_AUDIO_HDA_H

#include "hw/audio/audio.h"
#include "hw/audio/hda_codec.h"
#include "hw/pci.h"

#define HDA_INPUTS  4u
#define HDA_STREAMS 8u /* the inputs, then the outputs */

/* Registers, in the order of their offsets; hda.c has the table. */
enum hda_reg {
	GCAP,
	VMIN,
	VMAJ,
	OUTPAY,
	INPAY,
	GCTL,
	WAKEEN,
	STATESTS,
	GSTS,
	OUTSTRMPAY,
	INSTRMPAY,
	INTCTL,
	INTSTS,
	WALCLK,
	SSYNC,
	CORBLBASE,
	CORBUBASE,
	CORBWP,
	CORBRP,
	CORBCTL,
	CORBSTS,
	CORBSIZE,
	RIRBLBASE,
	RIRBUBASE,
	RIRBWP,
	RINTCNT,
	RIRBCTL,
	RIRBSTS,
	RIRBSIZE,
	IC,
	IR,
	ICS,
	DPLBASE,
	DPUBASE,
	HDA_REGS,
};

/* Those of a stream descriptor. */
enum hda_stream_reg {
	SDCTL,
	SDSTS,
	SDLPIB,
	SDCBL,
	SDLVI,
	SDFIFOS,
	SDFMT,
	SDBDPL,
	SDBDPU,
	HDA_SD_REGS
};

struct hda_stream {
	uint32_t reg[HDA_SD_REGS];
	/* The buffer that it is at. */
	uint64_t addr;
	uint32_t left; /* bytes */
	uint8_t index; /* in the list */
	bool loaded, ioc;
};

struct hda {
	struct pci_func func; /* first */
	struct device state;
	struct hda_bus bus;
	struct clock *clock;
	struct audiodev *audiodev; /* of streams that no codec listens to */
	uint32_t reg[HDA_REGS];
	uint64_t wall_base; /* ns: when WALCLK was 0 */
	uint32_t responses; /* since the last interrupt */
	uint32_t signalled; /* what the last message was for */
	struct hda_stream stream[HDA_STREAMS];
	struct audio_voice voice[HDA_STREAMS];
	struct hda_port {
		struct hda *h;
		unsigned n, channel; /* the left one */
	} port[HDA_STREAMS];         /* what voices know of */
};

struct hda_options {
	uint16_t device; /* PCI device ID */
	uint8_t revision;
	bool msi;
};

/* dev may be NULL. The caller puts it on a PCI bus and its HDA bus in the list. */
void hda_init(struct hda *h, struct clock *clock, struct audiodev *dev,
	      const struct hda_options *o);
void hda_fini(struct hda *h);

extern const struct device_type intel_hda_type, ich9_intel_hda_type;

#endif
