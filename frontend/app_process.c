/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * doppel as a process of the host: its name, the file with its PID, and its going to the background.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "frontend/app.h"

/* Waits for the word of the daemon, whose complaints have come meanwhile: the exit status. */
static int wait_for_daemon(int fd)
{
	char word;
	ssize_t n;

	do
		n = read(fd, &word, 1);
	while (n < 0 && errno == EINTR);
	close(fd);
	return n == 1 ? 0 : 1;
}

/* The second fork is so that the daemon, which leads no session, gets no terminal. */
static int go_to_background(struct app *a, int *status)
{
	int fd[2];
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		*status = complain("-daemonize: %s", strerror(errno));
		return 1;
	}
	if (pid > 0) {
		close(fd[1]);
		*status = wait_for_daemon(fd[0]);
		return 1;
	}
	close(fd[0]);
	setsid();
	pid = fork();
	if (pid) {
		*status = pid < 0 ? complain("-daemonize: %s", strerror(errno)) : 0;
		return 1;
	}
	a->ready = fd[1];
	return 0;
}

static int write_pid(struct app *a)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char text[24];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	int fd = open(a->opt.pidfile, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0)
		return complain("-pidfile: cannot open %s: %s", a->opt.pidfile, strerror(errno));
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		int err = errno;

		close(fd);
		return complain("-pidfile: %s: %s", a->opt.pidfile,
				err == EAGAIN || err == EACCES ? "a process that runs has it"
							       : strerror(err));
	}
	if (ftruncate(fd, 0) < 0 || write(fd, text, (size_t)n) != n) {
		int err = errno;

		close(fd);
		return complain("-pidfile: cannot write %s: %s", a->opt.pidfile, strerror(err));
	}
	/* A daemon goes elsewhere. */
	a->pid_path = realpath(a->opt.pidfile, NULL);
	if (!a->pid_path) {
		close(fd);
		return complain("-pidfile: %s: %s", a->opt.pidfile, strerror(errno));
	}
	a->pidfile = fd;
	return 0;
}

int app_start_process(struct app *a, int *status)
{
	if (*a->opt.process)
		prctl(PR_SET_NAME, a->opt.process);
	if (a->opt.daemonize && go_to_background(a, status))
		return 1;
	if (a->opt.pidfile && write_pid(a)) {
		*status = 1;
		return 1;
	}
	return 0;
}

int app_is_ready(struct app *a)
{
	int null;
	bool told;

	if (a->ready < 0)
		return 0;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || chdir("/") < 0)
		return complain("-daemonize: %s", strerror(errno));
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	close(null);
	told = write(a->ready, "", 1) == 1;
	close(a->ready);
	a->ready = -1;
	return told ? 0 : 1;
}

void app_end_process(struct app *a)
{
	if (a->pidfile < 0)
		return;
	unlink(a->pid_path);
	free(a->pid_path);
	close(a->pidfile);
}
