/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A pseudo-terminal: its name is printed, and whoever opens it talks to the device.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "frontend/chardev.h"

int backend_open_pty(struct backend *b, const char *label, struct loop *loop)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK), slave;
	struct termios t;
	char name[64];

	if (fd < 0)
		return -errno;
	if (grantpt(fd) < 0 || unlockpt(fd) < 0 || ptsname_r(fd, name, sizeof(name)) != 0)
		goto fail;
	slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		goto fail;
	if (tcgetattr(slave, &t) == 0) {
		cfmakeraw(&t);
		tcsetattr(slave, TCSANOW, &t);
	}
	b->keep_open = slave;
	printf("char device redirected to %s (label %s)\n", name, label);
	fflush(stdout);
	stream_init(&b->stream, loop, fd, fd, true);
	return 0;
fail:;
	int err = errno;

	close(fd);
	return -err;
}
