/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * By itself, because <signal.h> has names of registers that cpu/vcpu.h has too.
 */
#include "accel/kvm/kvm_kick.h"

#include <signal.h>

static void on_kick(int sig)
{
	(void)sig;
}

void kvm_kick_init(void)
{
	/* System calls of devices go on; KVM_RUN returns all the same. */
	struct sigaction sa = {.sa_handler = on_kick, .sa_flags = SA_RESTART};

	sigaction(SIGRTMIN, &sa, NULL);
}

void kvm_kick(pthread_t thread)
{
	pthread_kill(thread, SIGRTMIN);
}
