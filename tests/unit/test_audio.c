/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The mixer, its clock and its resampler, and the PC speaker.
 */
#include "chips.h"
#include "hw/audio/pcspk.h"
#include "hw/i8254.h"
#include "sound.h"

#define MS 1000000ull

static struct board b;
static struct sound s;

/* A device that plays a sine, or keeps what is recorded. */
struct source {
	struct audio_voice v;
	double hz[2], volume;
	uint64_t nr, stop_at;
	uint32_t until;
	struct audio_frame *kept;
};

static void move(void *opaque, struct audio_frame *f, unsigned nr)
{
	struct source *a = opaque;

	cr_assert_leq(nr, AUDIO_VOICE_STEP);
	for (unsigned i = 0; i < nr; i++, a->nr++) {
		if (a->kept) {
			a->kept[a->nr] = f[i];
			continue;
		}
		for (unsigned c = 0; c < 2; c++)
			f[i].s[c] = (int32_t)(a->volume * AUDIO_FULL *
					      sin(2 * M_PI * a->hz[c] * (double)a->nr / a->v.rate));
	}
	if (a->stop_at && a->nr >= a->stop_at)
		audio_voice_stop(&a->v);
}

static unsigned until(void *opaque)
{
	struct source *a = opaque;

	return a->until > a->nr ? (unsigned)(a->until - a->nr) : 0;
}

static struct source *source(bool records, uint32_t rate, double left, double right)
{
	struct source *a = calloc(1, sizeof(*a));

	*a = (struct source){.hz = {left, right}, .volume = 0.5};
	audio_voice_init(&a->v, &s.dev, records, rate, move, until, a);
	if (records)
		a->kept = calloc(SOUND_MAX, sizeof(*a->kept));
	return a;
}

static void drop(struct source *a)
{
	audio_voice_fini(&a->v);
	free(a->kept);
	free(a);
}

static void init(void)
{
	board_init(&b);
	sound_init(&s, &b.clock, 48000);
}

static void fini(void)
{
	sound_fini(&s);
}

TestSuite(audio, .init = init, .fini = fini);

Test(audio, every_rate_keeps_pitch_and_volume)
{
	static const uint32_t rates[] = {4000, 8000, 11025, 22050, 44100, 48000, 96000, 192000};

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct source *a = source(false, rates[i], 440, 1000);
		double other;

		s.nr = 0;
		audio_voice_start(&a->v);
		clock_step(&b.clock, 500 * MS);
		cr_assert_geq(s.nr, 23990);
		cr_assert_leq(s.nr, 24000);
		cr_assert_leq(llabs((long long)a->nr - rates[i] / 2),
			      (long long)rates[i] / 1000 + 2);
		cr_assert_float_eq(pitch_of(s.f + 4000, 16000, 0, 48000), 440, 0.5);
		cr_assert_float_eq(pitch_of(s.f + 4000, 16000, 1, 48000), 1000, 0.5);
		cr_assert_float_eq(tone_in(s.f + 4000, 16000, 0, 48000, 440), 0.5, 0.01);
		cr_assert_float_eq(tone_in(s.f + 4000, 16000, 1, 48000, 1000), 0.5, 0.01);
		cr_assert_lt(tone_in(s.f + 4000, 16000, 0, 48000, 1000), 1e-3);
		/* the first mirror image */
		other = rates[i] < 48000 ? rates[i] - 440 : 0;
		if (other > 0 && other < 24000)
			cr_assert_lt(tone_in(s.f + 4000, 16000, 0, 48000, other), 2e-3);
		drop(a);
	}
}

Test(audio, what_the_lower_rate_cannot_hold_is_not_heard)
{
	struct source *a = source(false, 192000, 60000, 30000);

	audio_voice_start(&a->v);
	clock_step(&b.clock, 200 * MS);
	cr_assert_lt(loudest(s.f + 2000, 7000, 0), AUDIO_FULL / 500);
	cr_assert_lt(loudest(s.f + 2000, 7000, 1), AUDIO_FULL / 500);
	drop(a);
}

Test(audio, voices_are_mixed_and_clipped)
{
	struct source *a = source(false, 48000, 440, 440), *c = source(false, 32000, 1000, 0);

	audio_voice_start(&a->v);
	audio_voice_start(&c->v);
	clock_step(&b.clock, 300 * MS);
	cr_assert_float_eq(tone_in(s.f + 2000, 12000, 0, 48000, 440), 0.5, 0.01);
	cr_assert_float_eq(tone_in(s.f + 2000, 12000, 0, 48000, 1000), 0.5, 0.01);
	cr_assert_lt(tone_in(s.f + 2000, 12000, 1, 48000, 1000), 1e-3);
	audio_voice_set_gain(&a->v, 4u << 16, 1u << 15);
	s.nr = 0;
	clock_step(&b.clock, 100 * MS);
	cr_assert_eq(loudest(s.f, s.nr, 0), AUDIO_FULL);
	cr_assert_float_eq(tone_in(s.f, 4000, 1, 48000, 440), 0.25, 0.02);
	drop(a);
	drop(c);
}

Test(audio, time_stands_still_while_nothing_is_active)
{
	struct source *a = source(false, 48000, 440, 440);

	clock_step(&b.clock, 1000 * MS);
	cr_assert_eq(s.nr, 0);
	cr_assert_eq(clock_next(&b.clock), UINT64_MAX);
	a->stop_at = 4800;
	audio_voice_start(&a->v);
	cr_assert(s.plays);
	clock_step(&b.clock, 1000 * MS);
	cr_assert_not(s.plays);
	cr_assert_geq(s.nr, 4799);
	cr_assert_leq(s.nr, 4800 + AUDIO_STEP);
	cr_assert_eq(clock_next(&b.clock), UINT64_MAX);
	drop(a);
}

Test(audio, a_voice_is_on_time)
{
	struct source *a = source(false, 44100, 440, 440);

	a->until = 1234;
	audio_voice_start(&a->v);
	/* 1234 frames are 27981859 ns: between two ticks */
	clock_step(&b.clock, 27900000);
	cr_assert_lt(a->nr, 1234);
	clock_step(&b.clock, 130000);
	cr_assert_geq(a->nr, 1234);
	/* and at any time when it is asked */
	clock_step(&b.clock, 3 * MS);
	audio_voice_run(&a->v);
	cr_assert_geq(a->nr, 1234 + 130);
	drop(a);
}

Test(audio, what_was_late_is_not_caught_up)
{
	struct source *a = source(false, 48000, 440, 440);

	audio_voice_start(&a->v);
	clock_step(&b.clock, 100 * MS);
	clock_set(&b.clock, clock_now(&b.clock) + 3600 * NSEC_PER_SEC);
	clock_run(&b.clock);
	cr_assert_leq(s.nr, 9700);
	clock_step(&b.clock, 100 * MS);
	cr_assert_geq(s.nr, 14000);
	cr_assert_float_eq(pitch_of(s.f, s.nr, 0, 48000), 440, 0.5);
	/* a state of earlier */
	audio_voice_drop(&a->v);
	clock_pause(&b.clock);
	clock_load(&b.clock, 5 * MS);
	audio_voice_start(&a->v);
	s.nr = 0;
	clock_step(&b.clock, 100 * MS);
	cr_assert_leq(s.nr, 4800);
	cr_assert_geq(s.nr, 4300);
	drop(a);
}

Test(audio, recording)
{
	static const uint32_t rates[] = {8000, 44100, 48000, 96000};

	s.tone = 440;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct source *a = source(true, rates[i], 0, 0), *c = source(true, 48000, 0, 0);

		audio_voice_start(&c->v);
		clock_step(&b.clock, 33 * MS);
		audio_voice_start(&a->v);
		clock_step(&b.clock, 500 * MS);
		cr_assert_leq(llabs((long long)a->nr - rates[i] / 2), (long long)rates[i] / 50);
		cr_assert_float_eq(pitch_of(a->kept + rates[i] / 10, rates[i] / 5, 0, rates[i]),
				   440, 1);
		cr_assert_float_eq(tone_in(a->kept + rates[i] / 10, rates[i] / 5, 0, rates[i], 440),
				   4e6 / AUDIO_FULL, 0.01);
		cr_assert_float_eq(tone_in(a->kept + rates[i] / 10, rates[i] / 5, 1, rates[i], 440),
				   2e6 / AUDIO_FULL, 0.01);
		drop(a);
		drop(c);
	}
	cr_assert_eq(s.nr, 0);
}

Test(audio, nothing_to_record_is_silence_in_time)
{
	struct source *a = source(true, 16000, 0, 0);

	audio_voice_start(&a->v);
	clock_step(&b.clock, 1000 * MS);
	cr_assert_geq(a->nr, 15800);
	cr_assert_leq(a->nr, 16010);
	cr_assert_eq(loudest(a->kept, (unsigned)a->nr, 0), 0);
	drop(a);
}

Test(audio, without_an_audiodev_voices_do_nothing)
{
	struct source *a = source(false, 48000, 440, 440);

	audio_voice_start(&a->v);
	clock_step(&b.clock, 50 * MS);
	audiodev_fini(&s.dev);
	cr_assert_eq(clock_next(&b.clock), UINT64_MAX);
	clock_step(&b.clock, 50 * MS);
	audio_voice_run(&a->v);
	audio_voice_stop(&a->v);
	audio_voice_start(&a->v);
	audio_voice_drop(&a->v);
	drop(a);
}

/* ---- the speaker ---- */

static struct i8254 pit;
static struct pcspk spk;

static void spk_init(void)
{
	init();
	cr_assert_eq(i8254_init(&pit, &b.io, &b.clock, NULL), 0);
	pcspk_init(&spk, &pit, &s.dev);
}

static void spk_fini(void)
{
	pcspk_fini(&spk);
	fini();
}

static void program(uint8_t mode, uint16_t count)
{
	outb(&b, 0x43, (uint8_t)(0xb0 | mode << 1));
	outb(&b, 0x42, (uint8_t)count);
	outb(&b, 0x42, (uint8_t)(count >> 8));
}

TestSuite(pcspk, .init = spk_init, .fini = spk_fini);

Test(pcspk, tones_have_the_frequency_of_the_timer)
{
	static const uint16_t counts[] = {15000, 2712, 1193, 400, 149};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		double hz = (double)I8254_HZ / counts[i];

		s.nr = 0;
		program(3, counts[i]);
		outb(&b, 0x61, 3);
		clock_step(&b.clock, 700 * MS);
		outb(&b, 0x61, 0);
		cr_assert_float_eq(pitch_of(s.f + 4000, 28000, 0, 48000), hz, hz / 2000);
		cr_assert_gt(tone_in(s.f + 4000, 28000, 1, 48000, hz), 0.2);
		clock_step(&b.clock, 200 * MS);
		cr_assert_eq(clock_next(&b.clock), UINT64_MAX,
			     "the speaker is quiet, but not idle");
		cr_assert_lt(loudest(s.f + s.nr - 1000, 1000, 0), AUDIO_FULL / 1000);
	}
}

Test(pcspk, closed_gates_are_silent)
{
	program(3, 1193);
	for (uint8_t v = 0; v < 3; v++) {
		outb(&b, 0x61, v);
		clock_step(&b.clock, 300 * MS);
		cr_assert_lt(s.nr ? loudest(s.f + s.nr - 100, 100, 0) : 0, AUDIO_FULL / 1000);
		cr_assert_eq(clock_next(&b.clock), UINT64_MAX);
	}
}

Test(pcspk, a_new_count_waits_for_the_period)
{
	program(3, 11932);
	outb(&b, 0x61, 3);
	for (unsigned i = 0; i < 50; i++) {
		clock_step(&b.clock, 9 * MS);
		outb(&b, 0x42, 11932 & 0xff);
		outb(&b, 0x42, 11932 >> 8);
	}
	cr_assert_float_eq(pitch_of(s.f + 1000, 20000, 0, 48000), 100, 0.1);
}

/* Bits of port 61h, switched by the guest: a tone of 500 Hz whose loudness is that of the pulses. */
Test(pcspk, pulses_are_heard_as_levels)
{
	program(2, 100); /* its output is high while the gate is closed */
	for (unsigned i = 0; i < 20000; i++) {
		double level = 0.5 + 0.4 * sin(2 * M_PI * 500 * i / 20000);

		outb(&b, 0x61, 2);
		clock_step(&b.clock, (uint64_t)(50000 * level));
		outb(&b, 0x61, 0);
		clock_step(&b.clock, 50000 - (uint64_t)(50000 * level));
	}
	cr_assert_float_eq(tone_in(s.f + 8000, 30000, 0, 48000, 500), 0.2, 0.01);
	cr_assert_lt(tone_in(s.f + 8000, 30000, 0, 48000, 1000), 0.01);
}

Test(pcspk, a_loaded_state_goes_on)
{
	program(3, 1193);
	outb(&b, 0x61, 3);
	clock_step(&b.clock, 50 * MS);
	pit.dev.loaded(&pit);
	s.nr = 0;
	clock_step(&b.clock, 300 * MS);
	cr_assert_float_eq(pitch_of(s.f + 4000, 9000, 0, 48000), 1000.15, 0.5);
	device_reset(&pit.dev);
	clock_step(&b.clock, 300 * MS);
	cr_assert_eq(clock_next(&b.clock), UINT64_MAX);
}
