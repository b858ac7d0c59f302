/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The AC '97 controller: bus masters and their lists of buffers, global registers, interrupts. The codec is in
 * ac97_codec.c.
 */
#include "hw/audio/ac97.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/device_type.h"

enum { BAR_MIXER = 0, BAR_MASTER = 1, MIXER_SIZE = 256, MASTER_SIZE = 64 };
enum { BDS = 32, BD_LEN = 8, FRAME_LEN = 4 };
#define BD_IOC (1u << 31)

/* Of a bus master; they are 10h apart. */
enum { BDBAR = 0x0, CIV = 0x4, LVI = 0x5, SR = 0x6, PICB = 0x8, PIV = 0xa, CR = 0xb };
enum { GLOB_CNT = 0x2c, GLOB_STA = 0x30, CAS = 0x34 };

enum { SR_DCH = 1, SR_CELV = 2, SR_LVBCI = 4, SR_BCIS = 8, SR_FIFOE = 16, SR_W1C = 28 };
enum { CR_RPBM = 1, CR_RR = 2, CR_LVBIE = 4, CR_FEIE = 8, CR_IOCE = 16, CR_ENABLES = 28 };
enum { CNT_COLD = 2, CNT_WARM = 4, CNT_WRITABLE = 0x3b };
#define STA_PCR 0x100u  /* the codec is ready */
#define STA_RCS 0x8000u /* a read of the codec timed out */

static const uint32_t sta_bit[AC97_MASTERS] = {
    [AC97_PI] = 0x20, [AC97_PO] = 0x40, [AC97_MC] = 0x80};

/* ---- interrupts ---- */

static bool interrupts(const struct ac97_box *b)
{
	return (b->sr & SR_LVBCI && b->cr & CR_LVBIE) || (b->sr & SR_BCIS && b->cr & CR_IOCE) ||
	       (b->sr & SR_FIFOE && b->cr & CR_FEIE);
}

static void update_irq(struct ac97 *a)
{
	uint32_t sta = a->glob_sta & STA_RCS;

	for (unsigned n = 0; n < AC97_MASTERS; n++)
		sta |= interrupts(&a->box[n]) ? sta_bit[n] : 0;
	pci_set_intx(&a->func, (sta & ~STA_RCS) != 0);
	a->glob_sta = sta | (a->glob_cnt & CNT_COLD ? STA_PCR : 0);
}

/* ---- buffers ---- */

static void load(struct ac97 *a, struct ac97_box *b)
{
	uint8_t bd[BD_LEN];

	if (pci_dma_read(&a->func, b->bdbar + BD_LEN * (uint32_t)b->civ, bd, sizeof(bd)) < 0)
		memset(bd, 0, sizeof(bd));
	b->addr = pci_get32(bd) & ~1u;
	b->left = pci_get16(bd + 4);
	b->ioc = pci_get32(bd + 4) & BD_IOC;
	b->loaded = true;
}

static void next_buffer(struct ac97 *a, struct ac97_box *b)
{
	b->civ = b->piv;
	b->piv = (b->piv + 1) % BDS;
	load(a, b);
}

/* The buffer is done: true, unless it was the last. */
static bool finish(struct ac97 *a, struct ac97_box *b)
{
	bool last = b->civ == b->lvi;

	b->left = 0;
	if (b->ioc)
		b->sr |= SR_BCIS;
	if (last) {
		b->sr |= SR_LVBCI | SR_CELV | SR_DCH;
		b->loaded = false;
	} else {
		next_buffer(a, b);
	}
	update_irq(a);
	return !last;
}

static void unpack(const uint8_t *raw, struct audio_frame *f, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		for (unsigned c = 0; c < 2; c++)
			f[i].s[c] = (int16_t)pci_get16(raw + FRAME_LEN * i + 2 * c) * 256;
}

static void pack(const struct audio_frame *f, uint8_t *raw, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		for (unsigned c = 0; c < 2; c++)
			pci_set16(raw + FRAME_LEN * i + 2 * c, (uint16_t)(f[i].s[c] >> 8));
}

/* Frames of the buffer that it is at, which has as many. */
static void copy(struct ac97 *a, struct ac97_box *b, enum ac97_master n, struct audio_frame *f,
		 unsigned nr)
{
	uint8_t raw[AUDIO_VOICE_STEP * FRAME_LEN];

	if (n == AC97_PO) {
		if (pci_dma_read(&a->func, b->addr, raw, nr * FRAME_LEN) < 0)
			memset(raw, 0, nr * FRAME_LEN);
		unpack(raw, f, nr);
	} else {
		pack(f, raw, nr);
		pci_dma_write(&a->func, b->addr, raw, nr * FRAME_LEN);
	}
	b->addr += nr * FRAME_LEN;
	b->left -= (uint16_t)(2 * nr);
}

static void move(void *opaque, struct audio_frame *f, unsigned nr)
{
	struct ac97_port *p = opaque;
	struct ac97 *a = p->card;
	struct ac97_box *b = &a->box[p->n];
	unsigned empty = 0;

	while (nr && b->loaded) {
		unsigned n = b->left / 2u < nr ? b->left / 2u : nr;

		if (n)
			copy(a, b, p->n, f, n);
		f += n;
		nr -= n;
		/* A list of buffers with nothing in them takes time, too. */
		empty = n ? 0 : empty + 1;
		if (b->left < 2 && (empty > BDS || !finish(a, b)))
			break;
	}
	if (p->n == AC97_PO)
		memset(f, 0, nr * sizeof(*f));
	if (!b->loaded)
		audio_voice_stop(&a->voice[p->n]);
}

static unsigned until(void *opaque)
{
	struct ac97_port *p = opaque;
	unsigned frames = p->card->box[p->n].left / 2u;

	return frames ? frames : 1;
}

/* ---- the registers of a bus master ---- */

static void reset_box(struct ac97_box *b)
{
	uint8_t enables = b->cr & CR_ENABLES;

	*b = (struct ac97_box){.cr = enables, .sr = SR_DCH};
}

static void go(struct ac97 *a, enum ac97_master n)
{
	a->box[n].sr &= (uint8_t) ~(SR_DCH | SR_CELV);
	audio_voice_start(&a->voice[n]);
}

static void write_cr(struct ac97 *a, enum ac97_master n, uint8_t val)
{
	struct ac97_box *b = &a->box[n];

	if (val & CR_RR) {
		audio_voice_stop(&a->voice[n]);
		reset_box(b);
		return;
	}
	b->cr = val & (CR_RPBM | CR_ENABLES);
	if (!(val & CR_RPBM)) {
		audio_voice_stop(&a->voice[n]);
		b->sr |= SR_DCH;
		return;
	}
	/* Also after the end of the list: more was added to it, or nothing was. */
	if (!b->loaded && !(b->sr & SR_CELV)) {
		b->piv = (b->civ + 1) % BDS;
		load(a, b);
	}
	if (b->loaded)
		go(a, n);
}

static void write_lvi(struct ac97 *a, enum ac97_master n, uint8_t val)
{
	struct ac97_box *b = &a->box[n];

	b->lvi = val % BDS;
	if (!(b->sr & SR_CELV))
		return;
	b->sr &= (uint8_t)~SR_CELV;
	next_buffer(a, b);
	if (b->cr & CR_RPBM)
		go(a, n);
}

static void write_box(struct ac97 *a, enum ac97_master n, unsigned off, uint8_t val)
{
	struct ac97_box *b = &a->box[n];

	audio_voice_run(&a->voice[n]);
	if (off < BDBAR + 4u) {
		b->bdbar = (b->bdbar & ~(0xffu << 8 * off)) | (uint32_t)val << 8 * off;
		b->bdbar &= ~7u;
	} else if (off == LVI) {
		write_lvi(a, n, val);
	} else if (off == SR) {
		b->sr &= (uint8_t) ~(val & SR_W1C);
	} else if (off == CR) {
		write_cr(a, n, val);
	}
	update_irq(a);
}

static uint8_t read_box(struct ac97 *a, enum ac97_master n, unsigned off)
{
	const struct ac97_box *b = &a->box[n];

	switch (off) {
	case BDBAR ... BDBAR + 3:
		return (uint8_t)(b->bdbar >> 8 * off);
	case CIV:
		return b->civ;
	case LVI:
		return b->lvi;
	case SR:
		return b->sr;
	case PICB:
		return (uint8_t)b->left;
	case PICB + 1:
		return (uint8_t)(b->left >> 8);
	case PIV:
		return b->piv;
	case CR:
		return b->cr;
	}
	return 0;
}

/* ---- global registers ---- */

static void write_glob_cnt(struct ac97 *a, uint32_t val)
{
	/* AC_RESET# is low. */
	if (!(val & CNT_COLD)) {
		for (unsigned n = 0; n < AC97_MASTERS; n++) {
			audio_voice_stop(&a->voice[n]);
			a->box[n] = (struct ac97_box){.sr = SR_DCH};
		}
		ac97_codec_reset(a);
	}
	a->glob_cnt = val & CNT_WRITABLE;
}

static void write_byte(struct ac97 *a, unsigned off, uint8_t val)
{
	if (off < GLOB_CNT) {
		write_box(a, off >> 4, off & 15, val);
		return;
	}
	if (off == GLOB_CNT)
		write_glob_cnt(a, val);
	else if (off == GLOB_STA + 1)
		a->glob_sta &= ~(STA_RCS & (uint32_t)val << 8);
	update_irq(a);
}

static uint8_t read_byte(struct ac97 *a, unsigned off)
{
	if (off < GLOB_CNT)
		return read_box(a, off >> 4, off & 15);
	if (off < GLOB_STA)
		return (uint8_t)(a->glob_cnt >> 8 * (off - GLOB_CNT));
	if (off < CAS)
		return (uint8_t)(a->glob_sta >> 8 * (off - GLOB_STA));
	if (off == CAS) {
		/* Whoever sees 0 has the codec until its next access. */
		uint8_t was = a->cas;

		a->cas = 1;
		return was;
	}
	return 0;
}

static uint64_t master_read(void *opaque, uint64_t off, unsigned size)
{
	struct ac97 *a = opaque;
	uint64_t v = 0;

	/* What is read at once is of one moment. */
	if (off < GLOB_CNT)
		audio_voice_run(&a->voice[off >> 4]);
	for (unsigned i = 0; i < size; i++)
		v |= (uint64_t)read_byte(a, (unsigned)off + i) << 8 * i;
	return v;
}

static void master_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		write_byte(opaque, (unsigned)off + i, (uint8_t)(val >> 8 * i));
}

static const struct mmio_ops master_ops = {master_read, master_write, 1, 4};

static uint64_t mixer_read(void *opaque, uint64_t off, unsigned size)
{
	struct ac97 *a = opaque;

	(void)size;
	a->cas = 0;
	/* There is no second codec. */
	return off / 2 < AC97_MIXER_REGS ? a->mixer[off / 2] : 0xffff;
}

static void mixer_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct ac97 *a = opaque;

	(void)size;
	a->cas = 0;
	ac97_codec_write(a, (unsigned)off, (uint16_t)val);
}

static const struct mmio_ops mixer_ops = {mixer_read, mixer_write, 2, 2};

/* ---- life ---- */

static const struct field fields[] = {
    FIELD_ARRAY(ac97, mixer, 0),
    FIELD_EACH(ac97, box, bdbar, 0),
    FIELD_EACH(ac97, box, civ, 0),
    FIELD_EACH(ac97, box, lvi, 0),
    FIELD_EACH(ac97, box, piv, 0),
    FIELD_EACH(ac97, box, cr, 0),
    FIELD_EACH(ac97, box, sr, SR_DCH),
    FIELD_EACH(ac97, box, loaded, 0),
    FIELD_EACH(ac97, box, ioc, 0),
    FIELD_EACH(ac97, box, left, 0),
    FIELD_EACH(ac97, box, addr, 0),
    FIELD(ac97, glob_cnt, 0),
    FIELD(ac97, glob_sta, 0),
    FIELD(ac97, cas, 0),
    FIELD_END,
};

static void reset_done(void *state)
{
	struct ac97 *a = state;

	for (unsigned n = 0; n < AC97_MASTERS; n++)
		audio_voice_drop(&a->voice[n]);
	ac97_codec_reset(a);
	update_irq(a);
}

static void tame(void *state)
{
	struct ac97 *a = state;

	for (unsigned n = 0; n < AC97_MASTERS; n++) {
		a->box[n].civ %= BDS;
		a->box[n].lvi %= BDS;
		a->box[n].piv %= BDS;
	}
	ac97_codec_tame(a);
}

static void loaded(void *state)
{
	struct ac97 *a = state;

	for (unsigned n = 0; n < AC97_MASTERS; n++)
		audio_voice_drop(&a->voice[n]);
	ac97_codec_apply(a);
	for (unsigned n = 0; n < AC97_MASTERS; n++)
		if (a->box[n].cr & CR_RPBM && a->box[n].loaded)
			go(a, n);
	update_irq(a);
}

void ac97_init(struct ac97 *a, struct audiodev *dev)
{
	struct pci_func *f = &a->func;

	pci_func_init(f, "ac97", 0x8086, 0x2415, 0x0401, 1);
	f->start[PCI_REVISION] = 0x01;
	pci_set16(f->start + PCI_SUBSYS_VENDOR, 0x8086);
	pci_func_bar(f, BAR_MIXER, PCI_BAR_IO, MIXER_SIZE, &mixer_ops, a, "ac97-mixer");
	pci_func_bar(f, BAR_MASTER, PCI_BAR_IO, MASTER_SIZE, &master_ops, a, "ac97");
	for (unsigned n = 0; n < AC97_MASTERS; n++) {
		a->port[n] = (struct ac97_port){a, n};
		audio_voice_init(&a->voice[n], dev, n != AC97_PO, 48000, move, until, &a->port[n]);
	}
	device_init(&a->state, f->state_name, fields, a);
	a->state.reset_done = reset_done;
	a->state.tame = tame;
	a->state.loaded = loaded;
}

void ac97_fini(struct ac97 *a)
{
	for (unsigned n = 0; n < AC97_MASTERS; n++)
		audio_voice_fini(&a->voice[n]);
}

/* ---- -device AC97 ---- */

static const struct prop props[] = {
    {"audiodev", PROP_AUDIODEV, "the audiodev that it plays and records by", NULL, 0, false},
    {0},
};

static void destroy(void *self)
{
	ac97_fini(self);
	free(self);
}

static int create(void **self, const struct device_args *args, char *err, size_t errlen)
{
	struct ac97 *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	ac97_init(a, arg_audiodev(args));
	r = device_add_pci(args, &a->func, &a->state, err, errlen);
	if (r < 0) {
		destroy(a);
		return r;
	}
	*self = a;
	return 0;
}

const struct device_type ac97_type = {
    .name = "AC97",
    .bus = "PCI",
    .desc = "Intel 82801AA AC '97 sound",
    .props = props,
    .create = create,
    .destroy = destroy,
};
