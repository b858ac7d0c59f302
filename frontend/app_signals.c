/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the user and the system send us.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "frontend/app.h"
#include "frontend/term.h"
#include "hw/loop.h"

void app_on_signal(void *opaque, int fd, unsigned events)
{
	struct app *a = opaque;
	struct signalfd_siginfo si;

	(void)events;
	if (read(fd, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return;
	if (si.ssi_signo == SIGTSTP) {
		term_restore();
		raise(SIGSTOP);
		if (a->has_console)
			term_raw(!a->console.mux);
		return;
	}
	/* Who wants us gone does not wait for output that nobody takes. */
	a->console.stream.lossy = true;
	for (struct backend *b = a->backends; b; b = b->next)
		b->stream.lossy = true;
	monitor_servers_hurry(a->monitors);
	remotes_hurry(a->remotes);
	/* The exit status tells the signal, as a shell would. */
	machine_request_exit(&a->pc->m, 128 + (int)si.ssi_signo);
}

static const int deadly[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP};

/* Before any thread starts, so that all inherit the mask. */
int app_block_signals(struct app *a)
{
	struct sigaction hup;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		sigaddset(&set, deadly[i]);
	/* nohup: a blocked signal would come through its being ignored. */
	if (sigaction(SIGHUP, NULL, &hup) == 0 && hup.sa_handler == SIG_IGN)
		sigdelset(&set, SIGHUP);
	a->dying = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	sigaddset(&set, SIGTSTP);
	a->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (a->dying < 0 || a->signals < 0)
		return complain("cannot set up signals: %s", strerror(errno));
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return 0;
}
