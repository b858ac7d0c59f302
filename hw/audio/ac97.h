/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The AC '97 controller of Intel's 82801AA (ICH, datasheet 290655, chapter 13) with a codec of two channels and
 * variable rates (Audio Codec '97, revision 2.3): -device AC97. It has three bus masters: PCM in, PCM out, and
 * a microphone's.
 */
#ifndef HW_AUDIO_AC97_H
#define HW_AUDIO_AC97_H

#include "hw/audio/audio.h"
#include "hw/pci.h"

#define AC97_MIXER_REGS 64u /* of 16 bits */

enum ac97_master { AC97_PI, AC97_PO, AC97_MC, AC97_MASTERS };

/* One bus master: its registers, and the buffer that it is at. */
struct ac97_box {
	uint32_t bdbar;
	uint8_t civ, lvi, piv, cr;
	uint8_t sr;
	bool loaded; /* addr, left and ioc are those of a buffer */
	bool ioc;
	uint16_t left; /* samples: PICB */
	uint32_t addr; /* of the next of them */
};

struct ac97 {
	struct pci_func func; /* first */
	struct device state;
	struct audio_voice voice[AC97_MASTERS];
	struct ac97_port {
		struct ac97 *card;
		enum ac97_master n;
	} port[AC97_MASTERS]; /* what voices know of */
	uint16_t mixer[AC97_MIXER_REGS];
	struct ac97_box box[AC97_MASTERS];
	uint32_t glob_cnt, glob_sta;
	uint8_t cas;
};

/* The caller puts it on a bus. */
void ac97_init(struct ac97 *a, struct audiodev *dev);
void ac97_fini(struct ac97 *a);

extern const struct device_type ac97_type;

/* ---- between its files ---- */

/* ac97_codec.c: registers by their offsets; what they mean for the voices. */
void ac97_codec_reset(struct ac97 *a);
void ac97_codec_write(struct ac97 *a, unsigned off, uint16_t val);
/* Rates and volumes of all voices. */
void ac97_codec_apply(struct ac97 *a);
/* After a load: no register has a value that cannot be written. */
void ac97_codec_tame(struct ac97 *a);

#endif
