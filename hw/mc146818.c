/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * MC146818 real-time clock (Motorola data sheet), as in the PC/AT with the century at CMOS 32h.
 *
 * While running, the time registers are computed from the machine clock. While stopped (SET in
 * register B, or the divider held in reset by register A) they are plain memory.
 */
#include "hw/mc146818.h"

#include <stdbool.h>
#include <string.h>

#include "mmu/aspace.h"

enum {
	SECONDS,
	SECONDS_ALARM,
	MINUTES,
	MINUTES_ALARM,
	HOURS,
	HOURS_ALARM,
	WEEKDAY,
	DAY,
	MONTH,
	YEAR,
	REG_A,
	REG_B,
	REG_C,
	REG_D,
	CENTURY = 0x32,
};

enum { A_UIP = 0x80, A_DIVIDER = 0x70, A_DIV_RESET = 0x60, A_RATE = 0x0f };
enum {
	B_SET = 0x80,
	B_PIE = 0x40,
	B_AIE = 0x20,
	B_UIE = 0x10,
	B_SQWE = 0x08,
	B_BINARY = 0x04,
	B_24H = 0x02
};
enum { C_IRQF = 0x80, C_PF = 0x40, C_AF = 0x20, C_UF = 0x10 };

#define BASE_HZ     32768
#define UIP_NS      (244000 + 1984000) /* warning before the update, and the update */
#define HALF        (NSEC_PER_SEC / 2)
#define SECOND      ((int64_t)NSEC_PER_SEC)
#define MAX_SECONDS 1000000000000ll
#define HOUR_PM     0x80
#define DONT_CARE   0xc0

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static int64_t rtc_second(const struct mc146818 *r)
{
	return r->offset + (int64_t)((r->offset_ns + clock_now(r->clock)) / NSEC_PER_SEC);
}

static int64_t fraction(const struct mc146818 *r)
{
	return (r->offset_ns + clock_now(r->clock)) % NSEC_PER_SEC;
}

static bool divider_reset(const struct mc146818 *r)
{
	return (r->ram[REG_A] & A_DIV_RESET) == A_DIV_RESET;
}

static bool stopped(const struct mc146818 *r)
{
	return (r->ram[REG_B] & B_SET) || divider_reset(r);
}

/* Days since 1970-01-01 of a date in the Gregorian calendar; months count from March, so that the
 * leap day comes last. */
static int64_t days_from_date(int64_t y, int m, int d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = floor_div(y, 400);
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void date_from_days(int64_t z, int *y, int *m, int *d)
{
	int64_t era, doe, yoe, doy, mp;

	z += 719468;
	era = floor_div(z, 146097);
	doe = z - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	*d = doy - (153 * mp + 2) / 5 + 1;
	*m = mp < 10 ? mp + 3 : mp - 9;
	*y = yoe + era * 400 + (*m <= 2);
}

static uint8_t encode(const struct mc146818 *r, int v)
{
	return r->ram[REG_B] & B_BINARY ? v : v / 10 << 4 | v % 10;
}

static int decode(const struct mc146818 *r, uint8_t v)
{
	return r->ram[REG_B] & B_BINARY ? v : (v >> 4) * 10 + (v & 15);
}

static uint8_t encode_hour(const struct mc146818 *r, int h)
{
	if (r->ram[REG_B] & B_24H)
		return encode(r, h);
	return encode(r, h % 12 ? h % 12 : 12) | (h >= 12 ? HOUR_PM : 0);
}

static int decode_hour(const struct mc146818 *r, uint8_t v)
{
	if (r->ram[REG_B] & B_24H)
		return decode(r, v);
	return decode(r, v & ~HOUR_PM) % 12 + (v & HOUR_PM ? 12 : 0);
}

/* Writes the registers for the given second. */
static void show(struct mc146818 *r, int64_t second)
{
	int64_t days = floor_div(second, 86400);
	int s = second - days * 86400, y, m, d;

	date_from_days(days, &y, &m, &d);
	r->ram[SECONDS] = encode(r, s % 60);
	r->ram[MINUTES] = encode(r, s / 60 % 60);
	r->ram[HOURS] = encode_hour(r, s / 3600);
	r->ram[WEEKDAY] = encode(r, (days % 7 + 11) % 7 + 1); /* 1 is Sunday; day 0 a Thursday */
	r->ram[DAY] = encode(r, d);
	r->ram[MONTH] = encode(r, m);
	r->ram[YEAR] = encode(r, (y % 100 + 100) % 100);
	r->ram[CENTURY] = encode(r, (y / 100 % 100 + 100) % 100);
}

/* The second that the registers name. Nonsense gives some second, never an overflow. */
static int64_t second_of(const struct mc146818 *r)
{
	int month = decode(r, r->ram[MONTH]);
	int year = decode(r, r->ram[CENTURY]) * 100 + decode(r, r->ram[YEAR]);

	if (month < 1 || month > 12)
		month = 1;
	return days_from_date(year, month, decode(r, r->ram[DAY])) * 86400 +
	       decode_hour(r, r->ram[HOURS]) * 3600 + decode(r, r->ram[MINUTES]) * 60 +
	       decode(r, r->ram[SECONDS]);
}

static void set_time(struct mc146818 *r, int64_t second, int64_t frac)
{
	uint64_t now = clock_now(r->clock);

	r->offset_ns = (frac + NSEC_PER_SEC - now % NSEC_PER_SEC) % NSEC_PER_SEC;
	r->offset = second - (int64_t)((r->offset_ns + now) / NSEC_PER_SEC);
	r->last_second = second;
}

static void raise_flags(struct mc146818 *r, uint8_t flags)
{
	r->ram[REG_C] |= flags;
	if (r->ram[REG_C] & r->ram[REG_B] & (B_PIE | B_AIE | B_UIE)) {
		r->ram[REG_C] |= C_IRQF;
		irq_set(&r->irq, 1);
	}
}

static bool alarm_matches(const struct mc146818 *r)
{
	for (int i = SECONDS; i <= HOURS; i += 2) {
		uint8_t alarm = r->ram[i + 1];

		if ((alarm & DONT_CARE) != DONT_CARE && alarm != r->ram[i])
			return false;
	}
	return true;
}

/* Does the updates that are due, each with its alarm. */
static void catch_up_seconds(struct mc146818 *r)
{
	int64_t now;
	uint8_t flags = 0;

	if (stopped(r))
		return;
	now = rtc_second(r);
	if (now <= r->last_second)
		return;
	/* Only a machine stalled for minutes has more to catch up with than this. */
	if (now - r->last_second > 300)
		r->last_second = now - 300;
	while (r->last_second < now) {
		show(r, ++r->last_second);
		flags |= C_UF | (alarm_matches(r) ? C_AF : 0);
	}
	raise_flags(r, flags);
}

static void schedule_second(struct mc146818 *r)
{
	if (stopped(r))
		timer_cancel(&r->second);
	else
		timer_arm(&r->second, clock_now(r->clock) + SECOND - fraction(r));
}

static void fire_second(void *opaque)
{
	struct mc146818 *r = opaque;

	catch_up_seconds(r);
	schedule_second(r);
}

/* Ticks of the 32768 Hz clock in a period, or 0. */
static uint64_t period(const struct mc146818 *r)
{
	unsigned rate = r->ram[REG_A] & A_RATE;

	if (!rate || divider_reset(r))
		return 0;
	return 1ull << (rate < 3 ? rate + 6 : rate - 1);
}

static uint64_t periods(const struct mc146818 *r)
{
	return muldiv64(clock_now(r->clock), BASE_HZ, NSEC_PER_SEC) / period(r);
}

static void catch_up_periodic(struct mc146818 *r)
{
	if (!period(r) || periods(r) <= r->periodic_seen)
		return;
	r->periodic_seen = periods(r);
	raise_flags(r, C_PF);
}

/* Register A or B changed. */
static void schedule_periodic(struct mc146818 *r)
{
	if (period(r) && (r->ram[REG_B] & B_PIE))
		timer_arm(&r->periodic,
			  muldiv64((periods(r) + 1) * period(r), NSEC_PER_SEC, BASE_HZ) + 1);
	else
		timer_cancel(&r->periodic);
}

static void fire_periodic(void *opaque)
{
	struct mc146818 *r = opaque;

	catch_up_periodic(r);
	schedule_periodic(r);
}

static void write_a(struct mc146818 *r, uint8_t val)
{
	bool was_stopped = stopped(r), was_reset = divider_reset(r);
	uint8_t old = r->ram[REG_A];

	r->ram[REG_A] = val & ~A_UIP;
	if (!was_stopped && stopped(r))
		show(r, rtc_second(r));
	/* The first update comes half a second after the divider is let go. */
	if (was_reset && !divider_reset(r))
		set_time(r, second_of(r), HALF);
	if ((old ^ val) & (A_RATE | A_DIVIDER) && period(r))
		r->periodic_seen = periods(r);
	schedule_second(r);
	schedule_periodic(r);
}

static void write_b(struct mc146818 *r, uint8_t val)
{
	bool was_stopped = stopped(r);
	uint8_t old = r->ram[REG_B];

	if (val & B_SET)
		val &= ~B_UIE;
	if (!was_stopped && (val & B_SET))
		show(r, rtc_second(r));
	if ((val & B_PIE) && !(old & B_PIE) && period(r))
		r->periodic_seen = periods(r);
	r->ram[REG_B] = val;
	if (was_stopped && !stopped(r))
		set_time(r, second_of(r), fraction(r));
	raise_flags(r, 0);
	if (!(r->ram[REG_C] & val & (B_PIE | B_AIE | B_UIE))) {
		r->ram[REG_C] &= ~C_IRQF;
		irq_set(&r->irq, 0);
	}
	schedule_second(r);
	schedule_periodic(r);
}

static bool is_time(unsigned i)
{
	return (i <= YEAR && i != SECONDS_ALARM && i != MINUTES_ALARM && i != HOURS_ALARM) ||
	       i == CENTURY;
}

static void write_reg(struct mc146818 *r, unsigned i, uint8_t val)
{
	switch (i) {
	case REG_A:
		write_a(r, val);
		return;
	case REG_B:
		write_b(r, val);
		return;
	case REG_C:
	case REG_D:
		return;
	}
	if (!is_time(i) || stopped(r)) {
		r->ram[i] = val;
		return;
	}
	show(r, rtc_second(r));
	r->ram[i] = val;
	set_time(r, second_of(r), fraction(r));
}

static uint8_t read_reg(struct mc146818 *r, unsigned i)
{
	uint8_t val;

	catch_up_seconds(r);
	catch_up_periodic(r);
	switch (i) {
	case REG_A:
		val = r->ram[REG_A];
		if (!stopped(r) && fraction(r) >= SECOND - UIP_NS)
			val |= A_UIP;
		return val;
	case REG_C:
		val = r->ram[REG_C];
		r->ram[REG_C] = 0;
		irq_set(&r->irq, 0);
		return val;
	}
	if (is_time(i) && !stopped(r))
		show(r, rtc_second(r));
	return r->ram[i];
}

static void rtc_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct mc146818 *r = opaque;

	(void)size;
	if (off == 0) {
		r->index = val & 0x7f; /* bit 7 masks NMI: nothing here makes one */
		return;
	}
	catch_up_seconds(r);
	catch_up_periodic(r);
	write_reg(r, r->index, val);
}

static uint64_t rtc_read(void *opaque, uint64_t off, unsigned size)
{
	struct mc146818 *r = opaque;

	(void)size;
	return off == 0 ? 0xff : read_reg(r, r->index & 0x7f);
}

static const struct mmio_ops ops = {rtc_read, rtc_write, 1, 1};

void mc146818_set_cmos(struct mc146818 *r, uint8_t index, uint8_t val)
{
	if (index > REG_D && index < sizeof(r->ram))
		r->ram[index] = val;
}

uint8_t mc146818_get_cmos(const struct mc146818 *r, uint8_t index)
{
	return index < sizeof(r->ram) ? r->ram[index] : 0xff;
}

static const struct field fields[] = {
    FIELD_ARRAY_NORESET(mc146818, ram),
    FIELD(mc146818, index, 0),
    FIELD_NORESET(mc146818, offset),
    FIELD_NORESET(mc146818, offset_ns),
    FIELD_NORESET(mc146818, last_second),
    FIELD_NORESET(mc146818, periodic_seen),
    FIELD_END,
};

static void reset_done(void *state)
{
	struct mc146818 *r = state;

	/* The reset pin clears the interrupt enables and flags, nothing else: there is a battery. */
	r->ram[REG_B] &= ~(B_PIE | B_AIE | B_UIE | B_SQWE);
	r->ram[REG_C] = 0;
	irq_set(&r->irq, 0);
	schedule_second(r);
	schedule_periodic(r);
}

static void tame(void *state)
{
	struct mc146818 *r = state;

	r->index %= sizeof(r->ram);
	/* No date of a real guest is out of this range, and no sum overflows in it. */
	if (r->offset > MAX_SECONDS || r->offset < -MAX_SECONDS)
		r->offset = 0;
	r->offset_ns %= NSEC_PER_SEC;
}

static void loaded(void *state)
{
	struct mc146818 *r = state;

	if (r->last_second > rtc_second(r) || r->last_second < -MAX_SECONDS)
		r->last_second = rtc_second(r);
	schedule_second(r);
	schedule_periodic(r);
	irq_set(&r->irq, !!(r->ram[REG_C] & C_IRQF));
}

int mc146818_init(struct mc146818 *r, struct aspace *io, struct clock *clk,
		  const struct irq_pin *irq, int64_t epoch_ns)
{
	memset(r, 0, sizeof(*r));
	r->clock = clk;
	if (irq)
		r->irq = *irq;
	timer_init(&r->periodic, clk, fire_periodic, r);
	timer_init(&r->second, clk, fire_second, r);
	device_init(&r->dev, "rtc", fields, r);
	r->dev.reset_done = reset_done;
	r->dev.tame = tame;
	r->dev.loaded = loaded;
	r->ram[REG_A] = 0x26;
	r->ram[REG_B] = B_24H;
	r->ram[REG_D] = 0x80; /* the battery is good */
	r->offset = floor_div(epoch_ns, SECOND);
	r->offset_ns = epoch_ns - r->offset * SECOND;
	r->last_second = rtc_second(r);
	show(r, r->last_second);
	schedule_second(r);
	return aspace_map_dev(io, "rtc", 0x70, 2, &ops, r);
}
