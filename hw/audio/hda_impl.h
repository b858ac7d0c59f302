/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Between the parts of HDA controllers: registers (hda.c), commands (hda_command.c), streams (hda_stream.c).
 */
#ifndef HW_AUDIO_HDA_IMPL_H
#define HW_AUDIO_HDA_IMPL_H

#include "hw/audio/hda.h"

enum { GCTL_CRST = 1 };
enum { CORBCTL_MEIE = 1, CORBCTL_RUN = 2, CORBRP_RST = 0x8000 };
enum { RIRBCTL_INT = 1, RIRBCTL_DMA = 2, RIRBCTL_OIC = 4, RIRBWP_RST = 0x8000 };
enum { RIRBSTS_RINTFL = 1, RIRBSTS_OIS = 4 };
enum { ICS_BUSY = 1, ICS_VALID = 2 };

enum {
	SDCTL_SRST = 1,
	SDCTL_RUN = 2,
	SDCTL_IOCE = 4,
	SDCTL_FEIE = 8,
	SDCTL_DEIE = 16,
	SDSTS_BCIS = 4,
	SDSTS_FIFOE = 8,
	SDSTS_DESE = 16,
	SDSTS_FIFORDY = 32,
};

static inline unsigned hda_tag(const struct hda_stream *s)
{
	return s->reg[SDCTL] >> 20 & 15;
}
static inline uint64_t hda_addr(const uint32_t *low)
{
	return low[0] | (uint64_t)low[1] << 32;
}

/* ---- hda.c ---- */

void hda_update_irq(struct hda *h);

/* ---- hda_command.c ---- */

/* Commands that wait, if they may be sent now. */
void hda_commands(struct hda *h);
/* IC, at once. */
void hda_immediate(struct hda *h);

/* ---- hda_stream.c ---- */

void hda_streams_init(struct hda *h, struct audiodev *dev);
/* Voices follow the registers of their stream and the codecs. */
void hda_streams_apply(struct hda *h);
/* Back to the start of its list, with the registers of after a reset. */
void hda_stream_reset(struct hda *h, unsigned n);

#endif
