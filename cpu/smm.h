/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * System management mode: SDM vol. 3C chapter 31. The state is saved in AMD's layout (APM vol. 2, table 10-1), or
 * without long mode in that of the P6 family, as on the other emulators, for which firmware is written.
 */
#ifndef CPU_SMM_H
#define CPU_SMM_H

struct core;

/* Takes an SMI between two instructions, outside of the mode. */
void smm_enter(struct core *c);

#endif
