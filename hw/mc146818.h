/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * MC146818 real-time clock and 128 bytes of CMOS memory, ports 70h-71h.
 */
#ifndef HW_MC146818_H
#define HW_MC146818_H

#include <stdint.h>

#include "hw/clock.h"
#include "hw/device.h"
#include "hw/irq.h"

struct aspace;

struct mc146818 {
	struct device dev;
	struct clock *clock;
	struct timer periodic, second;
	uint8_t ram[128]; /* registers A-D and CMOS; the time registers while stopped */
	uint8_t index;
	int64_t offset;         /* RTC time is this many seconds since 1970 ... */
	uint64_t offset_ns;     /* ... and ns, below a second, plus guest time */
	int64_t last_second;    /* the second for which update and alarm were done */
	uint64_t periodic_seen; /* periods counted up to now */
	struct irq_pin irq;
};

/* epoch_ns: the time of day at guest time 0, ns since 1970 (UTC, or shifted for local time).
 * irq: IRQ 8. 0 or -errno. */
int mc146818_init(struct mc146818 *rtc, struct aspace *io, struct clock *clk,
		  const struct irq_pin *irq, int64_t epoch_ns);
/* Sets a CMOS byte (0Eh-7Fh): memory sizes, boot order. Kept over reset. */
void mc146818_set_cmos(struct mc146818 *rtc, uint8_t index, uint8_t val);
uint8_t mc146818_get_cmos(const struct mc146818 *rtc, uint8_t index);

#endif
