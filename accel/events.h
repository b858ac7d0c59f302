/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Events between an engine and the canonical state.
 */
#ifndef ACCEL_EVENTS_H
#define ACCEL_EVENTS_H

#include "accel/engine.h"
#include "cpu/vcpu.h"

/* Events that are part of the state while nobody has taken them: to post after load(), and what to add in store(). */
static inline uint32_t engine_pending(const struct vcpu *v)
{
	return (v->nmi_pending ? EV_NMI : 0) | (v->smi_pending ? EV_SMI : 0) |
	       (v->init_pending ? EV_INIT : 0);
}
static inline void engine_keep_pending(struct vcpu *v, uint32_t events)
{
	v->nmi_pending |= (events & EV_NMI) != 0;
	v->smi_pending |= (events & EV_SMI) != 0;
	v->init_pending |= (events & EV_INIT) != 0;
}
/* Events for which run() returns. INIT waits for the end of system management mode (SDM vol. 3C 31.4.1). */
static inline uint32_t engine_leaves(const struct vcpu *v)
{
	return EV_STOP | EV_HOP | (v->smm ? 0 : EV_INIT | EV_SIPI);
}

#endif
