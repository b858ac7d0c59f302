/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * 6300ESB watchdog timer: see the header. Its interrupt at the end of the first stage is not there: an SMI or an interrupt
 * of the 6300ESB's own I/O APIC.
 */
#include "hw/i6300esb.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CONFIG = 0x60, LOCK = 0x68 }; /* in configuration space */
enum { CONFIG_FAST = 1 << 2, CONFIG_NO_OUTPUT = 1 << 5 };
enum { LOCK_LOCKED = 1 << 0, LOCK_ENABLE = 1 << 1, LOCK_FREE_RUN = 1 << 2 };

enum { TIMER1 = 0x00, TIMER2 = 0x04, RELOAD = 0x0c, SIZE = 0x10 }; /* in BAR 0 */
enum { UNLOCK1 = 0x80, UNLOCK2 = 0x86, PRELOAD_MAX = 0xfffff };
enum { RELOAD_NOW = 1 << 8, RELOAD_TIMEOUT = 1 << 9, LINUX_TIMEOUT = 1 << 12 };

#define PCI_HZ       33000000ull
#define STAGE_MIN_NS 1000000u

static struct i6300esb *of(struct pci_func *f)
{
	return (struct i6300esb *)((char *)f - offsetof(struct i6300esb, func));
}

static void stop(struct i6300esb *w)
{
	w->expires = 0;
	timer_cancel(&w->timer);
}

/* The counter has 35 bits, of which the fast clock uses the lower ones. No stage is so short that a guest could keep
 * the host busy with it. */
static void start(struct i6300esb *w, uint8_t stage)
{
	unsigned shift = w->func.config[CONFIG] & CONFIG_FAST ? 5 : 15;
	uint64_t ns = muldiv64((uint64_t)w->preload[stage] << shift, NSEC_PER_SEC, PCI_HZ);

	w->stage = stage;
	w->expires = clock_now(w->clock) + (ns > STAGE_MIN_NS ? ns : STAGE_MIN_NS);
	timer_arm(&w->timer, w->expires);
}

static void expired(void *opaque)
{
	struct i6300esb *w = opaque;
	bool free_run = w->func.config[LOCK] & LOCK_FREE_RUN;

	if (w->stage == 0) {
		start(w, 1);
		return;
	}
	if (free_run) {
		start(w, 0);
	} else {
		w->func.config[LOCK] &= (uint8_t)~LOCK_ENABLE;
		stop(w);
	}
	if (w->func.config[CONFIG] & CONFIG_NO_OUTPUT)
		return;
	w->barked = true;
	w->bark(w->opaque);
}

/* What is locked stays so until a reset. */
static void set_masks(struct i6300esb *w)
{
	bool locked = w->func.config[LOCK] & LOCK_LOCKED;

	w->func.wmask[LOCK] = locked ? 0 : LOCK_LOCKED | LOCK_ENABLE | LOCK_FREE_RUN;
}

static void config_changed(struct pci_func *f, unsigned off, unsigned size)
{
	struct i6300esb *w = of(f);
	bool on = f->config[LOCK] & LOCK_ENABLE;

	if (off > LOCK || off + size <= LOCK)
		return;
	set_masks(w);
	if (on && !w->expires)
		start(w, 0);
	else if (!on)
		stop(w);
}

static uint64_t bar_read(void *opaque, uint64_t off, unsigned size)
{
	struct i6300esb *w = opaque;
	/* Linux looks for it in another bit than the datasheet has. */
	uint32_t reload = w->barked ? RELOAD_TIMEOUT | LINUX_TIMEOUT : 0;

	(void)size;
	w->unlocked = 0;
	return off >= RELOAD ? reload >> 8 * (off - RELOAD) : 0;
}

static void bar_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct i6300esb *w = opaque;

	(void)size;
	if (off == RELOAD && w->unlocked < 2 && (val & 0xff) == (w->unlocked ? UNLOCK2 : UNLOCK1)) {
		w->unlocked++;
		return;
	}
	if (w->unlocked == 2) {
		if (off == TIMER1 || off == TIMER2)
			w->preload[off / 4] = (uint32_t)val & PRELOAD_MAX;
		if (off == RELOAD && (val & RELOAD_TIMEOUT))
			w->barked = false;
		if (off == RELOAD && (val & RELOAD_NOW) && w->expires)
			start(w, 0);
	}
	w->unlocked = 0;
}

static const struct mmio_ops ops = {bar_read, bar_write, 1, 4};

static const struct field fields[] = {
    FIELD_ARRAY(i6300esb, preload, PRELOAD_MAX),
    FIELD(i6300esb, expires, 0),
    FIELD(i6300esb, stage, 0),
    FIELD(i6300esb, unlocked, 0),
    FIELD_NORESET(i6300esb, barked),
    FIELD_END,
};

static void reset_done(void *state)
{
	struct i6300esb *w = state;

	stop(w);
	set_masks(w);
}

static void tame(void *state)
{
	struct i6300esb *w = state;

	w->stage &= 1;
	w->unlocked %= 3;
	w->preload[0] &= PRELOAD_MAX;
	w->preload[1] &= PRELOAD_MAX;
	w->barked = !!w->barked;
}

static void loaded(void *state)
{
	struct i6300esb *w = state;

	set_masks(w);
	if (w->expires)
		timer_arm(&w->timer, w->expires);
	else
		timer_cancel(&w->timer);
}

void i6300esb_init(struct i6300esb *w, struct clock *clock, void (*bark)(void *opaque),
		   void *opaque)
{
	memset(w, 0, sizeof(*w));
	w->clock = clock;
	w->bark = bark;
	w->opaque = opaque;
	timer_init(&w->timer, clock, expired, w);
	pci_func_init(&w->func, "i6300esb", 0x8086, 0x25ab, 0x0880, 0);
	pci_set16(w->func.start + PCI_SUBSYS_VENDOR, 0x1af4);
	pci_set16(w->func.start + PCI_SUBSYS_DEVICE, 0x1100);
	w->func.wmask[CONFIG] = CONFIG_FAST | CONFIG_NO_OUTPUT | 3;
	w->func.config_changed = config_changed;
	pci_func_bar(&w->func, 0, PCI_BAR_MEM32, SIZE, &ops, w, "i6300esb");
	device_init(&w->state, w->func.state_name, fields, w);
	w->state.reset_done = reset_done;
	w->state.tame = tame;
	w->state.loaded = loaded;
	set_masks(w);
}

void i6300esb_fini(struct i6300esb *w)
{
	timer_cancel(&w->timer);
}

static int create(void **self, const struct device_args *args, char *err, size_t errlen)
{
	struct i6300esb *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	i6300esb_init(w, args->env->clock, args->env->watchdog, args->env->opaque);
	r = device_add_pci(args, &w->func, &w->state, err, errlen);
	if (r < 0) {
		free(w);
		return r;
	}
	*self = w;
	return 0;
}

static void destroy(void *self)
{
	i6300esb_fini(self);
	free(self);
}

const struct device_type i6300esb_type = {
    .name = "i6300esb",
    .bus = "PCI",
    .desc = "a watchdog timer of Intel's; -action watchdog= says what it does",
    .create = create,
    .destroy = destroy,
};
