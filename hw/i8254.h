/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * 8254 programmable interval timer (ports 40h-43h) and the system control port 61h that gates
 * its channel 2.
 */
#ifndef HW_I8254_H
#define HW_I8254_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/clock.h"
#include "hw/device.h"
#include "hw/irq.h"

#define I8254_HZ 1193182ull

struct aspace;

struct i8254_channel {
	uint64_t start;  /* tick of the input clock at which the count began */
	uint64_t hold;   /* ticks counted when the gate stopped it */
	uint32_t count;  /* value being counted down from: 1..65536, or 10000 in BCD */
	uint32_t next;   /* written, to be loaded at the next period or trigger; 0: none */
	uint16_t latch;  /* count latched for reading */
	uint8_t latched; /* bytes of it still unread */
	uint8_t status, status_latched;
	uint8_t mode, bcd;
	uint8_t rw;      /* bytes per access: 1 low, 2 high, 3 low then high */
	uint8_t rd_high; /* the next byte read is the high one */
	uint8_t wr_high;
	uint8_t wr_low; /* the low byte written */
	uint8_t gate;
	uint8_t running;
};

/* What the speaker is told about channel 2 and port 61h: they are about to change, or to be looked at; they
 * have changed; they are new altogether, after a reset or a load. */
enum i8254_news { I8254_CHANGES, I8254_CHANGED, I8254_NEW };

struct i8254 {
	struct device dev;
	struct clock *clock;
	struct timer timer; /* next edge of channel 0 */
	struct i8254_channel ch[3];
	uint8_t port61; /* bits 0-3 */
	uint8_t out;    /* level of out0 */
	struct irq_pin out0;
	void (*speaker)(void *opaque, enum i8254_news news); /* or NULL */
	void *speaker_opaque;
};

/* out0: channel 0's output, i.e. ISA IRQ 0. 0 or -errno. */
int i8254_init(struct i8254 *pit, struct aspace *io, struct clock *clk, const struct irq_pin *out0);
/* Ticks of the input clock until now. */
uint64_t i8254_ticks(const struct i8254 *pit);
/* For how many of the ticks from <= t < to the speaker is driven high, if all is as it is now. */
uint64_t i8254_speaker_high(const struct i8254 *pit, uint64_t from, uint64_t to);
/* Whether port 61h lets the speaker hear channel 2. */
bool i8254_speaker_on(const struct i8254 *pit);

#endif
