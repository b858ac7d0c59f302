/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The codec behind an AC '97 controller: its mixer registers (Audio Codec '97, revision 2.3, 5.7). What is played goes
 * through the PCM and the master volume, what is recorded through the record gains; inputs are all the same.
 */
#include <string.h>

#include "hw/audio/ac97.h"

enum {
	RESET = 0x00,
	MASTER = 0x02,
	MONO = 0x06,
	BEEP = 0x0a,
	PHONE = 0x0c,
	MIC = 0x0e,
	LINE_IN = 0x10,
	CD = 0x12,
	VIDEO = 0x14,
	AUX = 0x16,
	PCM = 0x18,
	RECORD_SELECT = 0x1a,
	RECORD_GAIN = 0x1c,
	MIC_GAIN = 0x1e,
	GENERAL = 0x20,
	POWER = 0x26,
	EXT_ID = 0x28,
	EXT_CTRL = 0x2a,
	DAC_RATE = 0x2c,
	ADC_RATE = 0x32,
	MIC_RATE = 0x34,
	VENDOR1 = 0x7c,
	VENDOR2 = 0x7e,
};

#define MUTE     0x8000u
#define READY    0x000fu /* of POWER: all parts are */
#define EXT_VRA  1u      /* rates can be set */
#define EXT_VRM  8u      /* that of the microphone, too */
#define RATE     48000u
#define RATE_MIN 8000u

static const struct {
	uint8_t off;
	uint16_t start, mask;
} registers[] = {
    {MASTER, 0x8000, 0x9f1f},
    {MONO, 0x8000, 0x801f},
    {BEEP, 0x0000, 0x801e},
    {PHONE, 0x8008, 0x801f},
    {MIC, 0x8008, 0x805f},
    {LINE_IN, 0x8808, 0x9f1f},
    {CD, 0x8808, 0x9f1f},
    {VIDEO, 0x8808, 0x9f1f},
    {AUX, 0x8808, 0x9f1f},
    {PCM, 0x8808, 0x9f1f},
    {RECORD_SELECT, 0x0000, 0x0707},
    {RECORD_GAIN, 0x8000, 0x8f0f},
    {MIC_GAIN, 0x8000, 0x800f},
    {GENERAL, 0x0000, 0x8380},
    {POWER, READY, 0xff00},
    {EXT_ID, EXT_VRA | EXT_VRM, 0},
    {EXT_CTRL, 0x0000, EXT_VRA | EXT_VRM},
    {DAC_RATE, RATE, 0xffff},
    {ADC_RATE, RATE, 0xffff},
    {MIC_RATE, RATE, 0xffff},
    {VENDOR1, 0x8384, 0}, /* SigmaTel STAC9700 */
    {VENDOR2, 0x7600, 0},
};

#define REGISTERS (sizeof(registers) / sizeof(registers[0]))

static uint16_t reg(const struct ac97 *a, unsigned off)
{
	return a->mixer[off / 2];
}

/* Steps of 1.5 dB. */
static uint32_t gain(uint16_t val, int steps)
{
	return val & MUTE ? 0 : audio_gain(150 * steps);
}

static uint32_t product(uint32_t x, uint32_t y)
{
	return (uint32_t)((uint64_t)x * y >> 16);
}

static uint32_t rate(const struct ac97 *a, unsigned off, uint16_t variable)
{
	return reg(a, EXT_CTRL) & variable ? reg(a, off) : RATE;
}

void ac97_codec_apply(struct ac97 *a)
{
	uint16_t master = reg(a, MASTER), pcm = reg(a, PCM), in = reg(a, RECORD_GAIN);
	uint32_t mic = gain(reg(a, MIC_GAIN), reg(a, MIC_GAIN) & 15);

	audio_voice_set_rate(&a->voice[AC97_PO], rate(a, DAC_RATE, EXT_VRA));
	audio_voice_set_rate(&a->voice[AC97_PI], rate(a, ADC_RATE, EXT_VRA));
	audio_voice_set_rate(&a->voice[AC97_MC], rate(a, MIC_RATE, EXT_VRM));
	audio_voice_set_gain(
	    &a->voice[AC97_PO],
	    product(gain(master, -(master >> 8 & 31)), gain(pcm, 8 - (pcm >> 8 & 31))),
	    product(gain(master, -(master & 31)), gain(pcm, 8 - (pcm & 31))));
	audio_voice_set_gain(&a->voice[AC97_PI], gain(in, in >> 8 & 15), gain(in, in & 15));
	audio_voice_set_gain(&a->voice[AC97_MC], mic, mic);
}

/* What the register holds when val is written. */
static uint16_t accept(unsigned off, uint16_t start, uint16_t mask, uint16_t val)
{
	if (off == DAC_RATE || off == ADC_RATE || off == MIC_RATE)
		return val < RATE_MIN ? RATE_MIN : val > RATE ? RATE : val;
	/* An attenuation of 6 bits is more than there is. */
	if (off == MASTER || off == MONO) {
		val |= val & 0x2000 ? 0x1f00 : 0;
		val |= val & 0x0020 ? 0x001f : 0;
	}
	return (uint16_t)((val & mask) | (start & ~mask));
}

void ac97_codec_reset(struct ac97 *a)
{
	memset(a->mixer, 0, sizeof(a->mixer));
	for (size_t i = 0; i < REGISTERS; i++)
		a->mixer[registers[i].off / 2] = registers[i].start;
	ac97_codec_apply(a);
}

void ac97_codec_write(struct ac97 *a, unsigned off, uint16_t val)
{
	if (off == RESET) {
		ac97_codec_reset(a);
		return;
	}
	for (size_t i = 0; i < REGISTERS; i++)
		if (registers[i].off == off)
			a->mixer[off / 2] = accept(off, registers[i].start, registers[i].mask, val);
	/* Rates are those of before where they cannot be set. */
	if (off == EXT_CTRL && !(val & EXT_VRA))
		a->mixer[DAC_RATE / 2] = a->mixer[ADC_RATE / 2] = RATE;
	if (off == EXT_CTRL && !(val & EXT_VRM))
		a->mixer[MIC_RATE / 2] = RATE;
	ac97_codec_apply(a);
}

void ac97_codec_tame(struct ac97 *a)
{
	for (size_t i = 0; i < REGISTERS; i++) {
		uint16_t *r = &a->mixer[registers[i].off / 2];

		*r = accept(registers[i].off, registers[i].start, registers[i].mask, *r);
	}
}
