/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Two vCPUs compared by the table that saved states have of them.
 */
#include "tests/lockstep/state.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cpu/vcpu.h"
#include "hw/machine_state.h"

static uint64_t value(const struct vcpu *v, const struct field *f, unsigned n)
{
	uint64_t val = 0;

	memcpy(&val, (const uint8_t *)v + f->offset + (size_t)n * field_stride(f), f->size);
	return val;
}

bool same_state(const struct vcpu *a, const struct vcpu *b, bool print)
{
	bool same = true;

	for (const struct field *f = vcpu_fields; f->name; f++)
		for (unsigned n = 0; n < f->count; n++) {
			uint64_t x = value(a, f, n), y = value(b, f, n);

			same &= x == y;
			if (x != y && print)
				printf("%-16s[%2u] %018lx %018lx\n", f->name, n, x, y);
		}
	return same;
}
