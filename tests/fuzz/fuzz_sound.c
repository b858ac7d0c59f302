/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Sound cards and the PC speaker, and drivers that lie to them.
 */
#include <stdlib.h>
#include <string.h>

#include "hw/audio/ac97.h"
#include "hw/audio/hda.h"
#include "hw/audio/pcspk.h"
#include "hw/i8254.h"
#include "tests/fuzz/fuzz.h"

#define LISTS 0x1000u
#define DATA  (FUZZ_RAM / 2)

static struct {
	struct audiodev dev;
	struct ac97 ac97;
	struct hda hda;
	struct hda_codec codec[3];
	struct hda_bus *buses;
	struct i8254 pit;
	struct pcspk spk;
	uint32_t heard;
} * snd;

static void play(void *opaque, const struct audio_frame *f, unsigned nr)
{
	(void)opaque;
	for (unsigned i = 0; i < nr; i++)
		snd->heard += (uint32_t)(f[i].s[0] ^ f[i].s[1]);
}

static unsigned record(void *opaque, struct audio_frame *f, unsigned nr)
{
	(void)opaque;
	memset(f, 0x11, nr / 2 * sizeof(*f));
	return nr / 2;
}

static const struct audio_backend backend = {play, record, NULL};

static void init(void)
{
	snd = calloc(1, sizeof(*snd));
	/* The cards' own rate: others, which some formats have, take most of the time. */
	audiodev_init(&snd->dev, world.clock, 48000, 48000, 10000000, &backend, NULL);
}

static void fini(void)
{
	audiodev_fini(&snd->dev);
	free(snd);
}

/* Time goes on; now and then more of it than is caught up. */
static void pass(void)
{
	fuzz_step(one_in(32) ? 150000000 : 1000 * below(10000));
}

/* ---- AC97 ---- */

static void ac97_start(void)
{
	init();
	ac97_init(&snd->ac97, &snd->dev);
	fuzz_pci_add(&snd->ac97.func);
	fuzz_add(&snd->ac97.state);
}

static void ac97_round(void)
{
	static const uint8_t registers[] = {0x02, 0x18, 0x1c, 0x1e, 0x2a, 0x2c, 0x32, 0x34, 0x00};
	unsigned mixer = (unsigned)bar(&snd->ac97.func, 0),
		 regs = (unsigned)bar(&snd->ac97.func, 1);
	unsigned box = 16 * below(3);

	for (unsigned i = below(8); i < 8; i++) {
		put(LISTS + 8 * i, one_in(16) ? value() : DATA + 4096 * below(64), 4);
		put(LISTS + 8 * i + 4,
		    (one_in(4) ? value() : below(2000)) | (uint64_t)below(4) << 30, 4);
	}
	for (unsigned k = below(6); k < 6; k++) {
		if (one_in(4))
			out(mixer + registers[below(sizeof(registers))], value(), 2);
		if (one_in(4))
			out(regs + box, one_in(8) ? value() : LISTS, 4);
		out(regs + box + 5, value(), 1);
		out(regs + box + 6, 0x1c, 1);
		out(regs + box + 11, one_in(8) ? value() : 0x1d, 1);
		if (one_in(16))
			out(regs + 0x2c, value(), 4);
		pass();
		aspace_read(world.io, regs + below(64), 1u << below(3));
	}
	noise(one_in(4));
	if (one_in(8))
		any_access(&snd->ac97.func);
}

static void ac97_end(void)
{
	ac97_fini(&snd->ac97);
	fini();
}

/* ---- HDA ---- */

static void hda_start(void)
{
	const struct hda_options o = {0x2668, 1, true};
	char err[128];

	init();
	hda_init(&snd->hda, world.clock, &snd->dev, &o);
	fuzz_pci_add(&snd->hda.func);
	fuzz_add(&snd->hda.state);
	hda_bus_add(&snd->buses, &snd->hda.bus, NULL);
	hda_codec_init(&snd->codec[0], &hda_duplex_class, &snd->dev);
	hda_codec_init(&snd->codec[1], &hda_output_class, NULL);
	hda_codec_init(&snd->codec[2], &hda_micro_class, &snd->dev);
	for (unsigned i = 0; i < 3; i++) {
		hda_codec_attach(&snd->codec[i], snd->buses, NULL, -1, err, sizeof(err));
		fuzz_add(&snd->codec[i].dev);
	}
}

static uint32_t any_command(void)
{
	static const uint32_t verbs[] = {0xf0000, 0x20000, 0x30000, 0xb0000, 0x70600, 0x70700,
					 0x70500, 0x71c00, 0x7ff00, 0xa0000, 0xf0600, 0xf0200};
	uint32_t v = verbs[below(sizeof(verbs) / sizeof(verbs[0]))];

	if (one_in(8))
		return (uint32_t)value();
	return below(3) << 28 | below(7) << 20 | v | (below(0x100) & 0xff) |
	       (v < 0x40000 ? below(0x10000) : 0);
}

static void hda_rings(uint64_t regs)
{
	unsigned wp = below(256);

	put(regs + 0x40, one_in(16) ? value() : 0x4000, 4);
	put(regs + 0x50, one_in(16) ? value() : 0x5000, 4);
	put(regs + 0x5a, value(), 2);
	put(regs + 0x5c, one_in(4) ? value() : 3, 1);
	put(regs + 0x4c, one_in(4) ? value() : 2, 1);
	for (unsigned i = below(16); i < 16; i++)
		put(0x4000 + 4 * ((wp + i) % 256), any_command(), 4);
	put(regs + 0x48, (wp + 16) % 256, 2);
	put(regs + 0x60, any_command(), 4);
	put(regs + 0x68, 1, 2);
}

static void hda_stream(uint64_t sd)
{
	for (unsigned i = below(4); i < 4; i++) {
		put(LISTS + 16 * i, one_in(16) ? value() : DATA + 4096 * below(64), 8);
		put(LISTS + 16 * i + 8, one_in(4) ? value() : below(8000), 4);
		put(LISTS + 16 * i + 12, below(2), 4);
	}
	put(sd + 0x18, one_in(16) ? value() : LISTS, 4);
	put(sd + 0x1c, one_in(64), 4);
	put(sd + 0x08, one_in(4) ? value() : below(40000), 4);
	put(sd + 0x0c, one_in(4) ? value() : below(4), 2);
	put(sd + 0x12, one_in(2) ? value() : 0x11, 2);
	put(sd, (uint32_t)below(4) << 20 | (one_in(16) ? below(32) : 0x1e), 4);
}

static void hda_round(void)
{
	uint64_t regs = bar(&snd->hda.func, 0);

	if (one_in(8) || !(snd->hda.reg[GCTL] & 1)) {
		put(regs + 8, one_in(4) ? value() : 1, 4);
		put(regs + 0x20, 0xc00000ff, 4);
		put(regs + 0x70, one_in(4) ? value() : 0x3001, 4);
	}
	hda_rings(regs);
	for (unsigned k = below(4); k < 4; k++) {
		if (one_in(2))
			hda_stream(regs + 0x80 + 0x20 * below(8));
		if (one_in(8))
			put(regs + 0x34 + 4 * below(2), value(), 4);
		pass();
		aspace_read(world.mem, regs + below(0x180), 1u << below(3));
		put(regs + 0x83 + 0x20 * below(8), 0x1c, 1);
	}
	noise(one_in(4));
	if (one_in(8))
		any_access(&snd->hda.func);
}

static void hda_end(void)
{
	hda_fini(&snd->hda);
	fini();
}

/* ---- the speaker ---- */

static void spk_start(void)
{
	init();
	i8254_init(&snd->pit, world.io, world.clock, NULL);
	pcspk_init(&snd->spk, &snd->pit, &snd->dev);
	fuzz_add(&snd->pit.dev);
}

static void spk_round(void)
{
	for (unsigned k = below(8); k < 8; k++) {
		if (one_in(2))
			out(0x43, one_in(4) ? value() : 0xb0 | below(8) << 1, 1);
		out(0x42, value(), 1);
		if (one_in(2))
			out(0x42, value(), 1);
		out(0x61, one_in(2) ? 3 : below(4), 1);
		if (one_in(2))
			fuzz_step(below(100000));
		else
			pass();
		aspace_read(world.io, 0x42 + 0x1f * below(2), 1);
	}
}

static void spk_end(void)
{
	pcspk_fini(&snd->spk);
	fini();
}

const struct fuzz_device fuzz_sound[] = {
    {"ac97", ac97_start, NULL, ac97_round, ac97_end, NULL},
    {"hda", hda_start, NULL, hda_round, hda_end, NULL},
    {"pcspk", spk_start, NULL, spk_round, spk_end, NULL},
    {0},
};
