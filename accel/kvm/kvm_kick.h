/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The signal that interrupts KVM_RUN. It does nothing; that it came is enough.
 */
#ifndef ACCEL_KVM_KVM_KICK_H
#define ACCEL_KVM_KVM_KICK_H

#include <pthread.h>

/* Once a process, before the first kvm_kick(). */
void kvm_kick_init(void);
void kvm_kick(pthread_t thread);

#endif
