/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Limits of a disk, each by two of hw/rate.h: one that lets as much through as a burst has, and then the
 * average; and, for bursts longer than a second, one for the maximum while the burst lasts.
 */
#include "hw/block/limits.h"

/* A request is so many units, so that one of 1.5 times iops_size counts as 1.5. */
#define REQUEST 1024u
/* Large enough for every disk, and small enough for the sums here. */
#define MOST 1000000000000000ull

static bool is_iops(unsigned k)
{
	return k >= LIMIT_IOPS_TOTAL;
}

static bool is_for(unsigned k, bool write)
{
	return k == LIMIT_BPS_TOTAL || k == LIMIT_IOPS_TOTAL ||
	       k == (write ? LIMIT_BPS_WRITE : LIMIT_BPS_READ) ||
	       k == (write ? LIMIT_IOPS_WRITE : LIMIT_IOPS_READ);
}

static const char *check_one(const struct limit *l)
{
	uint64_t length = l->length ? l->length : 1;

	if (l->avg > MOST || l->max > MOST)
		return "a limit is above 1000000000000000";
	if (l->max && !l->avg)
		return "a burst (-max) needs the limit that it exceeds";
	if (l->max && l->max < l->avg)
		return "a burst (-max) cannot be below its limit";
	if (length > 1 && !l->max)
		return "a burst's length (-max-length) needs its height (-max)";
	if (l->max && length > MOST / l->max)
		return "a burst (-max) is too long";
	return NULL;
}

const char *limits_check(const struct limit_config *c)
{
	bool iops = false;

	for (unsigned k = 0; k < NR_LIMITS; k++) {
		const char *why = check_one(&c->limit[k]);

		if (why)
			return why;
		iops |= is_iops(k) && c->limit[k].avg;
	}
	for (unsigned k = 0; k < NR_LIMITS; k += 3)
		if (c->limit[k].avg && (c->limit[k + 1].avg || c->limit[k + 2].avg))
			return "limits of the total and of reads or writes cannot be used together";
	if (c->iops_size && !iops)
		return "iops-size needs a limit of requests (iops-total, iops-read, iops-write)";
	return NULL;
}

bool limits_any(const struct limit_config *c)
{
	for (unsigned k = 0; k < NR_LIMITS; k++)
		if (c->limit[k].avg)
			return true;
	return false;
}

void limits_set(struct limits *l, const struct limit_config *c)
{
	*l = (struct limits){.config = *c};
	for (unsigned k = 0; k < NR_LIMITS; k++) {
		const struct limit *from = &c->limit[k];
		uint64_t unit = is_iops(k) ? REQUEST : 1, length = from->length ? from->length : 1;

		rate_init(&l->avg[k], from->avg * unit);
		if (!from->max)
			continue;
		l->avg[k].burst = from->max * length * unit;
		if (length > 1)
			rate_init(&l->max[k], from->max * unit);
	}
}

uint64_t limits_wait(struct limits *l, uint64_t now, bool write)
{
	uint64_t most = 0;

	for (unsigned k = 0; k < NR_LIMITS; k++) {
		uint64_t avg, max;

		if (!is_for(k, write))
			continue;
		avg = rate_wait(&l->avg[k], now);
		max = rate_wait(&l->max[k], now);
		most = avg > most ? avg : most;
		most = max > most ? max : most;
	}
	return most;
}

void limits_spend(struct limits *l, uint64_t len, bool write)
{
	uint64_t size = l->config.iops_size;
	uint64_t requests = size && len > size ? muldiv64(len, REQUEST, size) : REQUEST;

	for (unsigned k = 0; k < NR_LIMITS; k++) {
		if (!is_for(k, write))
			continue;
		rate_spend(&l->avg[k], is_iops(k) ? requests : len);
		rate_spend(&l->max[k], is_iops(k) ? requests : len);
	}
}
