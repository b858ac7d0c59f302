/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * In the guest: vsock connect PORT, to the host, or vsock listen PORT, for one connection. Then standard input goes to
 * it, and what it says to standard output, as by socat.
 */
#include <linux/vm_sockets.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* From one to the other; false at the end. */
static int copy(int from, int to)
{
	char buf[16384];
	ssize_t n = read(from, buf, sizeof(buf)), done = 0;

	while (done < n) {
		ssize_t w = write(to, buf + done, (size_t)(n - done));

		if (w <= 0) {
			perror("vsock: write");
			exit(1);
		}
		done += w;
	}
	return n > 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_vm sa = {.svm_family = AF_VSOCK};
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0), listens = argc == 3 && *argv[1] == 'l';
	struct pollfd p[2];

	if (argc != 3 || fd < 0) {
		perror("vsock");
		return 1;
	}
	sa.svm_port = (unsigned)atoi(argv[2]);
	sa.svm_cid = listens ? VMADDR_CID_ANY : VMADDR_CID_HOST;
	if (listens ? bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 1) < 0 ||
			  (fd = accept(fd, NULL, NULL)) < 0
		    : connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		perror("vsock");
		return 1;
	}
	p[0] = (struct pollfd){.fd = 0, .events = POLLIN};
	p[1] = (struct pollfd){.fd = fd, .events = POLLIN};
	while (p[1].fd >= 0 || p[0].fd >= 0) {
		if (poll(p, 2, -1) < 0)
			return 1;
		if (p[0].revents && !copy(0, fd)) {
			shutdown(fd, SHUT_WR);
			p[0].fd = -1;
		}
		if (p[1].revents && !copy(fd, 1))
			p[1].fd = -1;
	}
	return 0;
}
