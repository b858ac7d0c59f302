/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Registers and interrupts of HDA controllers, and their life. A register is a row of a table: where it is, and which
 * of its bits software writes or clears; effects come when all bytes of an access are in.
 */
#include "hw/audio/hda.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "hw/audio/hda_impl.h"
#include "hw/device_type.h"
#include "hw/msi.h"

enum { BAR = 0, REGS_SIZE = 0x4000, SD_BASE = 0x80, SD_SIZE = 0x20, MSI_CAP = 0x60 };
/* Copies of positions that are read by themselves, and SSYNC where the specification, unlike ICH6, has it. */
enum { WALCLK_ALIAS = 0x2030, LPIB_ALIAS = 0x2084, SSYNC_ALIAS = 0x38 };

#define WALL_HZ    24000000ull
#define INT_GLOBAL (1u << 31)
#define INT_CTRL   (1u << 30)
#define ALL_SD     ((1u << HDA_STREAMS) - 1)
#define ALL_CODECS ((1u << HDA_CODECS) - 1)

struct row {
	uint16_t off;
	uint8_t size;
	uint32_t start, writable, w1c;
};

static const struct row rows[HDA_REGS] = {
    [GCAP] = {0x00, 2, HDA_INPUTS << 8 | (HDA_STREAMS - HDA_INPUTS) << 12 | 1, 0, 0},
    [VMIN] = {0x02, 1, 0, 0, 0},
    [VMAJ] = {0x03, 1, 1, 0, 0},
    [OUTPAY] = {0x04, 2, 0x3c, 0, 0},
    [INPAY] = {0x06, 2, 0x1d, 0, 0},
    [GCTL] = {0x08, 4, 0, 0x101, 0},
    [WAKEEN] = {0x0c, 2, 0, ALL_CODECS, 0},
    [STATESTS] = {0x0e, 2, 0, 0, ALL_CODECS},
    [GSTS] = {0x10, 2, 0, 0, 2},
    [OUTSTRMPAY] = {0x18, 2, 0x30, 0, 0},
    [INSTRMPAY] = {0x1a, 2, 0x18, 0, 0},
    [INTCTL] = {0x20, 4, 0, INT_GLOBAL | INT_CTRL | ALL_SD, 0},
    [INTSTS] = {0x24, 4, 0, 0, 0},
    [WALCLK] = {0x30, 4, 0, 0, 0},
    [SSYNC] = {0x34, 4, 0, ALL_SD, 0},
    [CORBLBASE] = {0x40, 4, 0, ~127u, 0},
    [CORBUBASE] = {0x44, 4, 0, ~0u, 0},
    [CORBWP] = {0x48, 2, 0, 0xff, 0},
    [CORBRP] = {0x4a, 2, 0, CORBRP_RST, 0},
    [CORBCTL] = {0x4c, 1, 0, CORBCTL_RUN | CORBCTL_MEIE, 0},
    [CORBSTS] = {0x4d, 1, 0, 0, 1},
    [CORBSIZE] = {0x4e, 1, 0x42, 0, 0}, /* 256 entries */
    [RIRBLBASE] = {0x50, 4, 0, ~127u, 0},
    [RIRBUBASE] = {0x54, 4, 0, ~0u, 0},
    [RIRBWP] = {0x58, 2, 0, RIRBWP_RST, 0},
    [RINTCNT] = {0x5a, 2, 0, 0xff, 0},
    [RIRBCTL] = {0x5c, 1, 0, RIRBCTL_INT | RIRBCTL_DMA | RIRBCTL_OIC, 0},
    [RIRBSTS] = {0x5d, 1, 0, 0, RIRBSTS_RINTFL | RIRBSTS_OIS},
    [RIRBSIZE] = {0x5e, 1, 0x42, 0, 0},
    [IC] = {0x60, 4, 0, ~0u, 0},
    [IR] = {0x64, 4, 0, 0, 0},
    [ICS] = {0x68, 2, 0, ICS_BUSY, ICS_VALID},
    [DPLBASE] = {0x70, 4, 0, ~126u, 0},
    [DPUBASE] = {0x74, 4, 0, ~0u, 0},
};

static const struct row sd_rows[HDA_SD_REGS] = {
    [SDCTL] = {0x00, 3, 0, 0xff001f, 0},
    [SDSTS] = {0x03, 1, 0, 0, SDSTS_BCIS | SDSTS_FIFOE | SDSTS_DESE},
    [SDLPIB] = {0x04, 4, 0, 0, 0},
    [SDCBL] = {0x08, 4, 0, ~0u, 0},
    [SDLVI] = {0x0c, 2, 0, 0xff, 0},
    [SDFIFOS] = {0x10, 2, 0, 0, 0},
    [SDFMT] = {0x12, 2, 0, 0x7f7f, 0},
    [SDBDPL] = {0x18, 4, 0, ~127u, 0},
    [SDBDPU] = {0x1c, 4, 0, ~0u, 0},
};

/* ---- interrupts ---- */

static bool stream_interrupts(const struct hda_stream *s)
{
	uint32_t ctl = s->reg[SDCTL], sts = s->reg[SDSTS];

	return (sts & SDSTS_BCIS && ctl & SDCTL_IOCE) || (sts & SDSTS_FIFOE && ctl & SDCTL_FEIE) ||
	       (sts & SDSTS_DESE && ctl & SDCTL_DEIE);
}

static bool controller_interrupts(const struct hda *h)
{
	return (h->reg[RIRBSTS] & RIRBSTS_RINTFL && h->reg[RIRBCTL] & RIRBCTL_INT) ||
	       (h->reg[RIRBSTS] & RIRBSTS_OIS && h->reg[RIRBCTL] & RIRBCTL_OIC) ||
	       (h->reg[CORBSTS] && h->reg[CORBCTL] & CORBCTL_MEIE) ||
	       h->reg[STATESTS] & h->reg[WAKEEN];
}

void hda_update_irq(struct hda *h)
{
	uint32_t sts = controller_interrupts(h) ? INT_CTRL : 0, now;
	bool more;

	for (unsigned n = 0; n < HDA_STREAMS; n++)
		sts |= stream_interrupts(&h->stream[n]) ? 1u << n : 0;
	now = sts & h->reg[INTCTL];
	h->reg[INTSTS] = sts | (now ? INT_GLOBAL : 0);
	if (!(h->reg[INTCTL] & INT_GLOBAL))
		now = 0;
	more = now & ~h->signalled;
	h->signalled = now;
	if (!msi_enabled(&h->func))
		pci_set_intx(&h->func, now != 0);
	else if (more)
		msi_notify(&h->func, 0);
}

/* ---- access ---- */

/* The bytes of an access that are in a register: their offset in it, or -1. */
static int overlap(const struct row *r, unsigned off, unsigned size)
{
	if (off >= r->off + (unsigned)r->size || off + size <= r->off)
		return -1;
	return (int)(off > r->off ? off - r->off : 0);
}

static uint64_t read_rows(const struct row *r, unsigned nr, const uint32_t *reg, unsigned off,
			  unsigned size)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < nr; i++, r++) {
		int at = overlap(r, off, size);

		if (at >= 0)
			v |= (uint64_t)(reg[i] >> 8 * at) << 8 * (r->off + (unsigned)at - off);
	}
	return v;
}

/* What a write leaves in a register; `mask` are the bits of it that are written. */
static uint32_t merge(const struct row *r, uint32_t old, uint32_t val, uint32_t mask)
{
	uint32_t v = (old & ~(r->writable & mask)) | (val & r->writable & mask);

	return v & ~(val & r->w1c & mask);
}

/* Which registers were touched, as a bit mask. */
static uint64_t write_rows(const struct row *r, unsigned nr, uint32_t *reg, unsigned off,
			   uint64_t val, unsigned size)
{
	uint64_t touched = 0;

	for (unsigned i = 0; i < nr; i++, r++) {
		int at = overlap(r, off, size);
		unsigned from;
		uint64_t mask;

		if (at < 0)
			continue;
		from = r->off + (unsigned)at - off;
		mask = ((1ull << 8 * (size - from)) - 1) << 8 * at & ((1ull << 8 * r->size) - 1);
		reg[i] = merge(r, reg[i], (uint32_t)(val >> 8 * from << 8 * at), (uint32_t)mask);
		touched |= 1ull << i;
	}
	return touched;
}

static void reset_registers(struct hda *h)
{
	/* These are kept by another power supply. */
	uint32_t wakeen = h->reg[WAKEEN], statests = h->reg[STATESTS];

	for (unsigned i = 0; i < HDA_REGS; i++)
		h->reg[i] = rows[i].start;
	h->reg[WAKEEN] = wakeen;
	h->reg[STATESTS] = statests;
	h->responses = 0;
	for (unsigned n = 0; n < HDA_STREAMS; n++)
		hda_stream_reset(h, n);
}

/* The link is reset while CRST is 0; after it, codecs ask for their addresses. */
static void gctl_written(struct hda *h, uint32_t old)
{
	uint32_t gctl = h->reg[GCTL];

	if (!(gctl & GCTL_CRST)) {
		reset_registers(h);
	} else if (!(old & GCTL_CRST)) {
		h->wall_base = clock_now(h->clock);
		for (unsigned i = 0; i < HDA_CODECS; i++)
			if (h->bus.codec[i]) {
				device_reset(&h->bus.codec[i]->dev);
				h->reg[STATESTS] |= 1u << i;
			}
	}
}

static bool running(const struct hda *h)
{
	return h->reg[GCTL] & GCTL_CRST;
}

static void written(struct hda *h, uint64_t touched, uint32_t old_gctl)
{
	if (touched & 1ull << GCTL)
		gctl_written(h, old_gctl);
	if (touched & 1ull << CORBRP && h->reg[CORBRP] & CORBRP_RST)
		h->reg[CORBRP] = CORBRP_RST;
	if (touched & 1ull << RIRBWP && h->reg[RIRBWP] & RIRBWP_RST)
		h->reg[RIRBWP] = 0;
	if (touched & (1ull << CORBWP | 1ull << CORBCTL | 1ull << CORBRP))
		hda_commands(h);
	if (touched & 1ull << ICS && h->reg[ICS] & ICS_BUSY)
		hda_immediate(h);
	if (touched & 1ull << SSYNC)
		hda_streams_apply(h);
	hda_update_irq(h);
}

static void write_stream(struct hda *h, unsigned n, unsigned off, uint64_t val, unsigned size)
{
	struct hda_stream *s = &h->stream[n];
	uint64_t touched;

	audio_voice_run(&h->voice[n]);
	touched = write_rows(sd_rows, HDA_SD_REGS, s->reg, off, val, size);
	if (touched & 1ull << SDCTL && s->reg[SDCTL] & SDCTL_SRST) {
		hda_stream_reset(h, n);
		s->reg[SDCTL] = SDCTL_SRST;
	}
	if (s->reg[SDCTL] & SDCTL_RUN)
		s->reg[SDSTS] |= SDSTS_FIFORDY;
	else
		s->reg[SDSTS] &= ~(uint32_t)SDSTS_FIFORDY;
	if (touched & (1ull << SDCTL | 1ull << SDFMT))
		hda_streams_apply(h);
	hda_update_irq(h);
}

static void reg_write(void *opaque, uint64_t off64, uint64_t val, unsigned size)
{
	struct hda *h = opaque;
	unsigned off = (unsigned)off64;
	uint32_t old = h->reg[GCTL];

	if (off >= SSYNC_ALIAS && off < SSYNC_ALIAS + 4)
		off -= SSYNC_ALIAS - rows[SSYNC].off;
	/* During a reset nothing but its end, and what is kept, can be written. */
	if (!running(h) && (off < rows[GCTL].off || off >= rows[GSTS].off))
		return;
	if (off < SD_BASE)
		written(h, write_rows(rows, HDA_REGS, h->reg, off, val, size), old);
	else if (off < SD_BASE + SD_SIZE * HDA_STREAMS)
		write_stream(h, (off - SD_BASE) / SD_SIZE, (off - SD_BASE) % SD_SIZE, val, size);
}

static uint32_t wall_clock(const struct hda *h)
{
	return (uint32_t)muldiv64(clock_now(h->clock) - h->wall_base, WALL_HZ, NSEC_PER_SEC);
}

static uint64_t reg_read(void *opaque, uint64_t off64, unsigned size)
{
	struct hda *h = opaque;
	unsigned off = (unsigned)off64, n;

	if (off >= SSYNC_ALIAS && off < SSYNC_ALIAS + 4)
		off -= SSYNC_ALIAS - rows[SSYNC].off;
	if (off >= WALCLK_ALIAS && off < WALCLK_ALIAS + 4)
		off -= WALCLK_ALIAS - rows[WALCLK].off;
	if (off >= LPIB_ALIAS && off < LPIB_ALIAS + SD_SIZE * HDA_STREAMS &&
	    (off - LPIB_ALIAS) % SD_SIZE < 4)
		off -= LPIB_ALIAS - SD_BASE - sd_rows[SDLPIB].off;
	if (off < SD_BASE) {
		h->reg[WALCLK] = running(h) ? wall_clock(h) : 0;
		return read_rows(rows, HDA_REGS, h->reg, off, size);
	}
	n = (off - SD_BASE) / SD_SIZE;
	if (n >= HDA_STREAMS)
		return 0;
	audio_voice_run(&h->voice[n]);
	return read_rows(sd_rows, HDA_SD_REGS, h->stream[n].reg, (off - SD_BASE) % SD_SIZE, size);
}

static const struct mmio_ops ops = {reg_read, reg_write, 1, 4};

static void changed(struct hda_bus *bus)
{
	hda_streams_apply((struct hda *)((char *)bus - offsetof(struct hda, bus)));
}

/* ---- life ---- */

static const struct field fields[] = {
    FIELD_ARRAY(hda, reg, 0),           FIELD(hda, wall_base, 0),
    FIELD(hda, responses, 0),           FIELD(hda, signalled, 0),
    FIELD_ARRAY(hda, stream[0].reg, 0), FIELD_ARRAY(hda, stream[1].reg, 0),
    FIELD_ARRAY(hda, stream[2].reg, 0), FIELD_ARRAY(hda, stream[3].reg, 0),
    FIELD_ARRAY(hda, stream[4].reg, 0), FIELD_ARRAY(hda, stream[5].reg, 0),
    FIELD_ARRAY(hda, stream[6].reg, 0), FIELD_ARRAY(hda, stream[7].reg, 0),
    FIELD_EACH(hda, stream, addr, 0),   FIELD_EACH(hda, stream, left, 0),
    FIELD_EACH(hda, stream, index, 0),  FIELD_EACH(hda, stream, loaded, 0),
    FIELD_EACH(hda, stream, ioc, 0),    FIELD_END,
};

static void drop_voices(struct hda *h)
{
	for (unsigned n = 0; n < HDA_STREAMS; n++)
		audio_voice_drop(&h->voice[n]);
}

static void reset_done(void *state)
{
	struct hda *h = state;

	drop_voices(h);
	reset_registers(h);
	hda_update_irq(h);
}

static void tame_rows(const struct row *r, unsigned nr, uint32_t *reg)
{
	for (unsigned i = 0; i < nr; i++, r++)
		if (r->writable | r->w1c)
			reg[i] = (reg[i] & (r->writable | r->w1c)) | r->start;
}

static void tame(void *state)
{
	struct hda *h = state;
	uint32_t rp = h->reg[CORBRP] & (CORBRP_RST | 0xff), wp = h->reg[RIRBWP] & 0xff;

	tame_rows(rows, HDA_REGS, h->reg);
	h->reg[CORBRP] = rp;
	h->reg[RIRBWP] = wp;
	for (unsigned n = 0; n < HDA_STREAMS; n++) {
		tame_rows(sd_rows, HDA_SD_REGS, h->stream[n].reg);
		if (h->stream[n].reg[SDCTL] & SDCTL_RUN)
			h->stream[n].reg[SDSTS] |= SDSTS_FIFORDY;
		if (!h->stream[n].left)
			h->stream[n].loaded = false;
	}
	if (h->wall_base > clock_now(h->clock))
		h->wall_base = clock_now(h->clock);
}

static void loaded(void *state)
{
	struct hda *h = state;

	drop_voices(h);
	hda_streams_apply(h);
	hda_update_irq(h);
}

void hda_init(struct hda *h, struct clock *clock, struct audiodev *dev, const struct hda_options *o)
{
	struct pci_func *f = &h->func;

	h->clock = clock;
	pci_func_init(f, "hda", 0x8086, o->device, 0x0403, 1);
	f->start[PCI_REVISION] = o->revision;
	f->start[0x40] = 1;    /* HDCTL: it is in High Definition Audio mode */
	f->wmask[0x44] = 0x07; /* TCSEL: traffic class */
	pci_set16(f->start + PCI_SUBSYS_VENDOR, 0x1af4);
	pci_set16(f->start + PCI_SUBSYS_DEVICE, 0x1100);
	pci_func_bar(f, BAR, PCI_BAR_MEM32, REGS_SIZE, &ops, h, "hda");
	f->caps_end = MSI_CAP;
	if (o->msi)
		msi_init(f, 1);
	h->bus.changed = changed;
	hda_streams_init(h, dev);
	device_init(&h->state, f->state_name, fields, h);
	h->state.reset_done = reset_done;
	h->state.tame = tame;
	h->state.loaded = loaded;
}

void hda_fini(struct hda *h)
{
	h->bus.changed = NULL;
	for (unsigned n = 0; n < HDA_STREAMS; n++)
		audio_voice_fini(&h->voice[n]);
}

/* ---- -device intel-hda, ich9-intel-hda ---- */

static const struct prop props[] = {
    {"msi", PROP_BOOL, "interrupts by messages", "on", 0, false},
    {0},
};

static void destroy(void *self)
{
	hda_fini(self);
	free(self);
}

static int create(void **self, const struct device_args *args, const struct hda_options *o,
		  char *err, size_t errlen)
{
	struct hda *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return -ENOMEM;
	hda_init(h, args->env->clock, arg_audiodev(args), o);
	r = device_add_pci(args, &h->func, &h->state, err, errlen);
	if (r < 0) {
		destroy(h);
		return r;
	}
	if (args->env->hda)
		hda_bus_add(args->env->hda, &h->bus, args->spec->id);
	*self = h;
	return 0;
}

static int create_ich6(void **self, const struct device_args *args, char *err, size_t errlen)
{
	const struct hda_options o = {0x2668, 1, arg_bool(args, "msi")};

	return create(self, args, &o, err, errlen);
}

static int create_ich9(void **self, const struct device_args *args, char *err, size_t errlen)
{
	const struct hda_options o = {0x293e, 3, arg_bool(args, "msi")};

	return create(self, args, &o, err, errlen);
}

const struct device_type intel_hda_type = {
    .name = "intel-hda",
    .bus = "PCI",
    .desc = "Intel HD Audio controller (ICH6); its codec is a device of its own",
    .props = props,
    .create = create_ich6,
    .destroy = destroy,
};

const struct device_type ich9_intel_hda_type = {
    .name = "ich9-intel-hda",
    .bus = "PCI",
    .desc = "Intel HD Audio controller (ICH9); its codec is a device of its own",
    .props = props,
    .create = create_ich9,
    .destroy = destroy,
};
