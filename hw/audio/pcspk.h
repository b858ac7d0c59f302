/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The speaker of a PC, which hears channel 2 of the 8254 behind a gate at port 61h (hw/i8254.h).
 */
#ifndef HW_AUDIO_PCSPK_H
#define HW_AUDIO_PCSPK_H

#include "hw/audio/audio.h"

struct i8254;

struct pcspk {
	struct audio_voice voice;
	struct i8254 *pit;
	uint64_t start, tick,
	    end; /* of the frame that is being made: ticks; what is before `tick` is in `high` */
	uint32_t frac;   /* the next frame begins that much later, in 1/rate of a tick */
	uint64_t high;   /* ticks */
	int32_t in, out; /* of the filter, the last */
	uint32_t quiet;  /* frames in which nothing was heard */
};

void pcspk_init(struct pcspk *s, struct i8254 *pit, struct audiodev *dev);
void pcspk_fini(struct pcspk *s);

#endif
