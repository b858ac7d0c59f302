/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Comparison of two canonical states, field by field.
 */
#ifndef TESTS_LOCKSTEP_STATE_H
#define TESTS_LOCKSTEP_STATE_H

#include <stdbool.h>

struct vcpu;

bool same_state(const struct vcpu *a, const struct vcpu *b, bool print);

#endif
