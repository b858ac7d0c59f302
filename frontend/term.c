/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Terminal modes: termios(3), POSIX.1-2017 chapter 11.
 *
 * The saved mode is file-level state, the one exception in the tree: the terminal belongs to the
 * process, and a handler of a fatal signal has no argument by which to find it.
 */
#include "frontend/term.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static struct {
	struct termios saved;
	volatile sig_atomic_t raw;
	bool hooked;
} term;

void term_restore(void)
{
	sigset_t set, old;

	if (!term.raw)
		return;
	term.raw = 0;
	/* Also from the background, where it would stop us. */
	sigemptyset(&set);
	sigaddset(&set, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	tcsetattr(STDIN_FILENO, TCSANOW, &term.saved);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* SA_RESETHAND: the signal comes again, with its default action, on return. */
static void on_fatal(int sig)
{
	term_restore();
	raise(sig);
}

static void hook_fatal_signals(void)
{
	static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP};
	struct sigaction sa = {.sa_handler = on_fatal};

	sa.sa_flags = (int)SA_RESETHAND;
	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
		struct sigaction old;

		/* A sanitizer's handler stays. */
		if (sigaction(fatal[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			sigaction(fatal[i], &sa, NULL);
	}
	atexit(term_restore);
}

void term_raw(bool signals)
{
	struct termios t;

	if (term.raw || tcgetattr(STDIN_FILENO, &term.saved) < 0)
		return;
	if (!term.hooked) {
		hook_fatal_signals();
		term.hooked = true;
	}
	t = term.saved;
	t.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
	t.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN);
	if (!signals)
		t.c_lflag &= ~(tcflag_t)ISIG;
	t.c_cflag &= ~(tcflag_t)(CSIZE | PARENB);
	t.c_cflag |= CS8;
	/* OPOST stays on: our own messages end in a bare newline. */
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &t) == 0)
		term.raw = 1;
}
