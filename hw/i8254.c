/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * 8254 programmable interval timer (Intel 231164), and port 61h of the PC/AT.
 *
 * Nothing counts: a channel remembers the tick at which its count began, and its value and output
 * are functions of the time since. Ticks are those of one free-running 1.193182 MHz clock, so
 * nothing drifts. Only channel 0 needs a timer, for its rising edges; its low phases in modes 2 to
 * 5 are given to the pin as a pulse, because only edges can be seen behind an interrupt pin.
 */
#include "hw/i8254.h"

#include <string.h>

#include "mmu/aspace.h"

#define REFRESH_NS 15085 /* period of DRAM refresh: port 61h bit 4 toggles */

enum { P61_GATE2 = 1, P61_SPEAKER = 2, P61_RW = 0x0f, P61_REFRESH = 0x10, P61_OUT2 = 0x20 };

uint64_t i8254_ticks(const struct i8254 *pit)
{
	return muldiv64(clock_now(pit->clock), I8254_HZ, NSEC_PER_SEC);
}

/* The first ns at which `tick` has been reached. */
static uint64_t tick_ns(uint64_t tick)
{
	return muldiv64(tick, NSEC_PER_SEC, I8254_HZ) + 1;
}

static bool periodic(const struct i8254_channel *c)
{
	return c->mode == 2 || c->mode == 3;
}
static bool gate_triggers(const struct i8254_channel *c)
{
	return c->mode == 1 || c->mode == 5 || periodic(c);
}
/* The gate's level, not only its edge, matters. */
static bool gate_enables(const struct i8254_channel *c)
{
	return c->mode != 1 && c->mode != 5;
}

static uint64_t elapsed(const struct i8254_channel *c, uint64_t now)
{
	if (gate_enables(c) && !c->gate)
		return c->hold;
	return now - c->start;
}

/* Loads a count that waited for the end of the period. */
static void catch_up(struct i8254_channel *c, uint64_t now)
{
	if (!c->next || !c->running || !periodic(c) || !c->gate || now - c->start < c->count)
		return;
	c->start += c->count;
	c->count = c->next;
	c->next = 0;
}

/* Before a channel is looked at or changed. */
static void settle(struct i8254 *pit, struct i8254_channel *c, uint64_t now)
{
	if (c == &pit->ch[2] && pit->speaker)
		pit->speaker(pit->speaker_opaque, I8254_CHANGES);
	catch_up(c, now);
}

static void changed(struct i8254 *pit, const struct i8254_channel *c)
{
	if (c == &pit->ch[2] && pit->speaker)
		pit->speaker(pit->speaker_opaque, I8254_CHANGED);
}

static bool output(const struct i8254_channel *c, uint64_t now)
{
	uint64_t d;

	if (!c->running)
		return c->mode != 0;
	d = elapsed(c, now);
	switch (c->mode) {
	case 0:
	case 1:
		return d >= c->count;
	case 2:
		return !c->gate || d % c->count != c->count - 1;
	case 3:
		return !c->gate || d % c->count < (c->count + 1) / 2;
	default:
		return d != c->count;
	}
}

static uint16_t value(const struct i8254_channel *c, uint64_t now)
{
	uint32_t modulus = c->bcd ? 10000 : 65536;
	uint64_t d = c->running ? elapsed(c, now) : 0;
	uint32_t v;

	switch (c->mode) {
	case 2:
		v = c->count - d % c->count;
		break;
	case 3: /* counts by two, reloading at each half */
		v = (c->count & ~1u) - (2 * (d % c->count)) % (c->count > 1 ? c->count & ~1u : 2);
		break;
	default:
		v = (c->count + modulus - d % modulus) % modulus;
		break;
	}
	v %= modulus;
	if (c->bcd)
		v = v % 10 | v / 10 % 10 << 4 | v / 100 % 10 << 8 | v / 1000 % 10 << 12;
	return v;
}

/* The tick of the next rising edge after `now`, or UINT64_MAX. */
static uint64_t next_rise(const struct i8254_channel *c, uint64_t now)
{
	uint64_t d;

	if (!c->running || (gate_enables(c) && !c->gate))
		return UINT64_MAX;
	d = now - c->start;
	switch (c->mode) {
	case 0:
	case 1:
		return d < c->count ? c->start + c->count : UINT64_MAX;
	case 2:
	case 3:
		if (c->count < 2)
			return UINT64_MAX;
		return c->start + (d / c->count + 1) * c->count;
	default:
		return d <= c->count ? c->start + c->count + 1 : UINT64_MAX;
	}
}

static void set_out0(struct i8254 *pit, bool level)
{
	if (pit->out != level) {
		pit->out = level;
		irq_set(&pit->out0, level);
	}
}

static void schedule(struct i8254 *pit)
{
	uint64_t at = next_rise(&pit->ch[0], i8254_ticks(pit));

	if (at == UINT64_MAX)
		timer_cancel(&pit->timer);
	else
		timer_arm(&pit->timer, tick_ns(at));
}

static void fire(void *opaque)
{
	struct i8254 *pit = opaque;
	uint64_t now = i8254_ticks(pit);

	catch_up(&pit->ch[0], now);
	set_out0(pit, false);
	set_out0(pit, true);
	schedule(pit);
}

/* After channel 0 was programmed. */
static void reprogrammed(struct i8254 *pit)
{
	struct i8254_channel *c = &pit->ch[0];

	set_out0(pit, c->mode == 0 ? output(c, i8254_ticks(pit)) : true);
	schedule(pit);
}

static uint32_t decode_count(const struct i8254_channel *c, uint16_t v)
{
	if (!c->bcd)
		return v ? v : 65536;
	v = (v & 15) + (v >> 4 & 15) * 10 + (v >> 8 & 15) * 100 + (v >> 12) * 1000;
	return v ? v : 10000;
}

static void load(struct i8254_channel *c, uint64_t now, uint16_t v)
{
	uint32_t count = decode_count(c, v);

	if (c->mode == 1 || c->mode == 5 || (periodic(c) && (c->running || !c->gate))) {
		/* It waits for the end of the period in which it was written. */
		if (periodic(c) && c->running && c->gate && !c->next)
			c->start = now - (now - c->start) % c->count;
		c->next = count;
		if (!c->running && !c->count)
			c->count = count;
		return;
	}
	c->count = count;
	c->next = 0;
	c->start = now;
	c->hold = 0;
	c->running = 1;
}

static void write_count(struct i8254_channel *c, uint64_t now, uint8_t val)
{
	switch (c->rw) {
	case 1:
		load(c, now, val);
		break;
	case 2:
		load(c, now, val << 8);
		break;
	default:
		if (!c->wr_high) {
			c->wr_low = val;
			c->wr_high = 1;
			if (c->mode == 0)
				c->running = 0;
		} else {
			c->wr_high = 0;
			load(c, now, c->wr_low | val << 8);
		}
		break;
	}
}

static void latch_count(struct i8254_channel *c, uint64_t now)
{
	if (c->latched)
		return;
	c->latch = value(c, now);
	c->latched = c->rw == 3 ? 2 : 1;
}

static void latch_status(struct i8254_channel *c, uint64_t now)
{
	bool null = c->next || !c->running || c->wr_high;

	if (c->status_latched)
		return;
	c->status = output(c, now) << 7 | null << 6 | c->rw << 4 | c->mode << 1 | c->bcd;
	c->status_latched = 1;
}

static uint8_t read_count(struct i8254_channel *c, uint64_t now)
{
	uint16_t v;

	if (c->status_latched) {
		c->status_latched = 0;
		return c->status;
	}
	if (c->latched) {
		bool high = c->rw == 2 || (c->rw == 3 && c->latched == 1);

		c->latched--;
		return high ? c->latch >> 8 : c->latch;
	}
	v = value(c, now);
	if (c->rw == 2)
		return v >> 8;
	if (c->rw == 1)
		return v;
	c->rd_high ^= 1;
	return c->rd_high ? v : v >> 8;
}

static void write_control(struct i8254 *pit, uint64_t now, uint8_t val)
{
	struct i8254_channel *c;

	if (val >> 6 == 3) { /* read-back: bits are active low */
		for (int i = 0; i < 3; i++) {
			if (!(val & 2 << i))
				continue;
			settle(pit, &pit->ch[i], now);
			if (!(val & 0x20))
				latch_count(&pit->ch[i], now);
			if (!(val & 0x10))
				latch_status(&pit->ch[i], now);
		}
		return;
	}
	c = &pit->ch[val >> 6];
	settle(pit, c, now);
	if (!(val & 0x30)) {
		latch_count(c, now);
		return;
	}
	c->rw = val >> 4 & 3;
	c->mode = val >> 1 & 7;
	if (c->mode > 5)
		c->mode -= 4;
	c->bcd = val & 1;
	c->running = 0;
	c->next = 0;
	c->hold = 0;
	c->latched = 0;
	c->status_latched = 0;
	c->rd_high = 0;
	c->wr_high = 0;
	if (c == &pit->ch[0])
		reprogrammed(pit);
	changed(pit, c);
}

static void set_gate(struct i8254_channel *c, uint64_t now, bool level)
{
	if (level == c->gate)
		return;
	catch_up(c, now);
	if (!level) {
		if (c->running && gate_enables(c))
			c->hold = now - c->start;
		c->gate = 0;
		return;
	}
	c->gate = 1;
	if (gate_triggers(c)) {
		if (c->next) {
			c->count = c->next;
			c->next = 0;
			c->running = 1;
		} else if (c->mode == 1 || c->mode == 5) {
			c->running = c->running || c->count;
		}
		c->start = now;
	} else {
		c->start = now - c->hold;
	}
}

static void pit_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct i8254 *pit = opaque;
	uint64_t now = i8254_ticks(pit);

	(void)size;
	if (off == 3) {
		write_control(pit, now, val);
		return;
	}
	settle(pit, &pit->ch[off], now);
	write_count(&pit->ch[off], now, val);
	if (off == 0)
		reprogrammed(pit);
	changed(pit, &pit->ch[off]);
}

static uint64_t pit_read(void *opaque, uint64_t off, unsigned size)
{
	struct i8254 *pit = opaque;
	uint64_t now = i8254_ticks(pit);

	(void)size;
	if (off == 3)
		return 0xff;
	settle(pit, &pit->ch[off], now);
	return read_count(&pit->ch[off], now);
}

static const struct mmio_ops pit_ops = {pit_read, pit_write, 1, 1};

static void port61_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct i8254 *pit = opaque;

	(void)off;
	(void)size;
	settle(pit, &pit->ch[2], i8254_ticks(pit));
	pit->port61 = val & P61_RW;
	set_gate(&pit->ch[2], i8254_ticks(pit), val & P61_GATE2);
	changed(pit, &pit->ch[2]);
}

static uint64_t port61_read(void *opaque, uint64_t off, unsigned size)
{
	struct i8254 *pit = opaque;
	uint64_t now = i8254_ticks(pit);
	uint8_t val = pit->port61;

	(void)off;
	(void)size;
	settle(pit, &pit->ch[2], now);
	if (clock_now(pit->clock) / REFRESH_NS & 1)
		val |= P61_REFRESH;
	if (output(&pit->ch[2], now))
		val |= P61_OUT2;
	return val;
}

static const struct mmio_ops port61_ops = {port61_read, port61_write, 1, 1};

/* Of the first d ticks since its count began, those in which the output of a channel that counts is high. */
static uint64_t high_ticks(const struct i8254_channel *c, uint32_t count, uint64_t d)
{
	uint32_t half = (count + 1) / 2;

	switch (c->mode) {
	case 0:
	case 1:
		return d > count ? d - count : 0;
	case 2:
		return d - d / count;
	case 3:
		return d / count * half + (d % count < half ? d % count : half);
	default:
		return d - (d > count);
	}
}

static uint64_t high_until(const struct i8254_channel *c, uint64_t tick)
{
	uint64_t d = tick > c->start ? tick - c->start : 0;

	if (!c->next || !periodic(c) || d <= c->count)
		return high_ticks(c, c->count, d);
	return high_ticks(c, c->count, c->count) + high_ticks(c, c->next, d - c->count);
}

bool i8254_speaker_on(const struct i8254 *pit)
{
	return pit->port61 & P61_SPEAKER;
}

uint64_t i8254_speaker_high(const struct i8254 *pit, uint64_t from, uint64_t to)
{
	const struct i8254_channel *c = &pit->ch[2];

	if (!i8254_speaker_on(pit) || to <= from)
		return 0;
	if (!c->running || (gate_enables(c) && !c->gate))
		return output(c, to) ? to - from : 0;
	return high_until(c, to) - high_until(c, from);
}

#define CHANNEL(n, open)                                                                           \
	FIELD(i8254, ch[n].start, 0), FIELD(i8254, ch[n].hold, 0),                                 \
	    FIELD(i8254, ch[n].count, 65536), FIELD(i8254, ch[n].next, 0),                         \
	    FIELD(i8254, ch[n].latch, 0), FIELD(i8254, ch[n].latched, 0),                          \
	    FIELD(i8254, ch[n].status, 0), FIELD(i8254, ch[n].status_latched, 0),                  \
	    FIELD(i8254, ch[n].mode, 0), FIELD(i8254, ch[n].bcd, 0), FIELD(i8254, ch[n].rw, 3),    \
	    FIELD(i8254, ch[n].rd_high, 0), FIELD(i8254, ch[n].wr_high, 0),                        \
	    FIELD(i8254, ch[n].wr_low, 0), FIELD(i8254, ch[n].gate, open),                         \
	    FIELD(i8254, ch[n].running, 0)

static const struct field fields[] = {
    CHANNEL(0, 1),           CHANNEL(1, 1),        CHANNEL(2, 0),
    FIELD(i8254, port61, 0), FIELD(i8254, out, 0), FIELD_END,
};

static void reset_done(void *state)
{
	struct i8254 *pit = state;

	timer_cancel(&pit->timer);
	irq_set(&pit->out0, 0);
	if (pit->speaker)
		pit->speaker(pit->speaker_opaque, I8254_NEW);
}

static void tame(void *state)
{
	struct i8254 *pit = state;

	/* The table names what a hostile snapshot may hold; the arithmetic divides by count. */
	for (int i = 0; i < 3; i++) {
		struct i8254_channel *c = &pit->ch[i];

		if (c->count < 1 || c->count > 65536)
			c->count = 65536;
		if (c->next > 65536)
			c->next = 65536;
		c->mode = c->mode > 5 ? 0 : c->mode;
		c->rw = c->rw < 1 || c->rw > 3 ? 3 : c->rw;
	}
}

static void loaded(void *state)
{
	struct i8254 *pit = state;

	schedule(pit);
	if (pit->speaker)
		pit->speaker(pit->speaker_opaque, I8254_NEW);
}

int i8254_init(struct i8254 *pit, struct aspace *io, struct clock *clk, const struct irq_pin *out0)
{
	int err;

	memset(pit, 0, sizeof(*pit));
	pit->clock = clk;
	if (out0)
		pit->out0 = *out0;
	timer_init(&pit->timer, clk, fire, pit);
	device_init(&pit->dev, "i8254", fields, pit);
	pit->dev.reset_done = reset_done;
	pit->dev.tame = tame;
	pit->dev.loaded = loaded;
	err = aspace_map_dev(io, "pit", 0x40, 4, &pit_ops, pit);
	if (!err)
		err = aspace_map_dev(io, "port61", 0x61, 1, &port61_ops, pit);
	return err;
}
