/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The kvm engine beyond accel/engine.h.
 */
#ifndef ACCEL_KVM_KVM_H
#define ACCEL_KVM_KVM_H

/* Why the engine cannot be made here, or NULL. Its unusable() also asks the probe whether guests would run
 * well. */
const char *kvm_missing(void);

#endif
