/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Image locks, by QEMU's convention, so that each respects the other's: a process holds a shared lock
 * on byte 100 + n for every permission n that it uses, and on byte 200 + n for every permission that it
 * lets nobody else use; having taken its locks it looks whether somebody has their counterparts.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hw/block/bfile.h"
#include "hw/block/image.h"

#define USES    100
#define FORBIDS 200

enum { PERM_READ = 1, PERM_WRITE = 2, PERM_WRITE_UNCHANGED = 4, PERM_RESIZE = 8 };
#define NR_PERMS 4

static int set_lock(int fd, short type, off_t byte)
{
	struct flock fl = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

	return fcntl(fd, F_OFD_SETLK, &fl) < 0 ? -errno : 0;
}

/* Whether another open file has a lock there. */
static bool is_locked(int fd, off_t byte)
{
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

	return fcntl(fd, F_OFD_GETLK, &fl) == 0 && fl.l_type != F_UNLCK;
}

/* Whether the description of an open file, as /proc shows it, has a lock on that byte. */
static bool describes_lock(const char *path, off_t byte)
{
	FILE *f = fopen(path, "re");
	char line[256];
	bool found = false;

	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f)) {
		unsigned long long first, last;
		char kind[16];

		if (sscanf(line, "lock: %*d: %15s %*s %*s %*d %*s %llu %llu", kind, &first,
			   &last) == 3 &&
		    strcmp(kind, "OFDLCK") == 0)
			found =
			    first <= (unsigned long long)byte && last >= (unsigned long long)byte;
	}
	fclose(f);
	return found;
}

static bool has_locked(const char *pid, int self, const struct stat *st, off_t byte)
{
	char path[300];
	struct dirent *e;
	bool found = false;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	d = opendir(path);
	while (d && !found && (e = readdir(d))) {
		struct stat other;

		if (e->d_name[0] == '.' || (atoi(pid) == getpid() && atoi(e->d_name) == self))
			continue;
		snprintf(path, sizeof(path), "/proc/%.16s/fd/%.16s", pid, e->d_name);
		if (stat(path, &other) < 0 || other.st_dev != st->st_dev ||
		    other.st_ino != st->st_ino)
			continue;
		snprintf(path, sizeof(path), "/proc/%.16s/fdinfo/%.16s", pid, e->d_name);
		found = describes_lock(path, byte);
	}
	if (d)
		closedir(d);
	return found;
}

/* "process 123 (doppel)", or empty: OFD locks have no owner, but open files do. */
static void find_holder(int fd, off_t byte, char *out, size_t len)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	struct stat st;

	out[0] = 0;
	if (fstat(fd, &st) < 0) {
		if (d)
			closedir(d);
		return;
	}
	while (d && (e = readdir(d))) {
		char path[300], name[32] = "";
		FILE *f;

		if (e->d_name[0] < '1' || e->d_name[0] > '9' ||
		    !has_locked(e->d_name, fd, &st, byte))
			continue;
		snprintf(path, sizeof(path), "/proc/%.16s/comm", e->d_name);
		f = fopen(path, "re");
		if (f) {
			if (fgets(name, sizeof(name), f))
				name[strcspn(name, "\n")] = 0;
			fclose(f);
		}
		if (atoi(e->d_name) == getpid())
			snprintf(out, len, "by another drive of this machine");
		else
			snprintf(out, len, "by process %.16s (%s)", e->d_name, name);
		break;
	}
	if (d)
		closedir(d);
}

static void unlock(int fd)
{
	for (int i = 0; i < NR_PERMS; i++) {
		set_lock(fd, F_UNLCK, USES + i);
		set_lock(fd, F_UNLCK, FORBIDS + i);
	}
}

/* 0, or -errno and in *byte where the other's lock is. */
static int try_lock(int fd, unsigned uses, unsigned forbids, off_t *byte)
{
	int r = 0;

	for (int i = 0; i < NR_PERMS && r == 0; i++) {
		if (uses & 1u << i)
			r = set_lock(fd, F_RDLCK, *byte = USES + i);
		if (r == 0 && forbids & 1u << i)
			r = set_lock(fd, F_RDLCK, *byte = FORBIDS + i);
	}
	for (int i = 0; i < NR_PERMS && r == 0; i++) {
		if (uses & 1u << i && is_locked(fd, *byte = FORBIDS + i))
			r = -EAGAIN;
		else if (forbids & 1u << i && is_locked(fd, *byte = USES + i))
			r = -EAGAIN;
	}
	if (r < 0)
		unlock(fd);
	return r;
}

int bfile_lock(struct bfile *f, enum bfile_lock_kind kind, char *err, size_t errlen)
{
	unsigned uses = PERM_READ, forbids = PERM_WRITE | PERM_RESIZE;
	char holder[80] = "";
	off_t byte = -1;
	int r = 0;

	if (f->fd < 0)
		return 0;
	unlock(f->fd);
	if (kind == LOCK_NONE)
		return 0;
	if (kind == LOCK_WRITER)
		uses |= PERM_WRITE | PERM_RESIZE;
	for (int wait_ms = 10; wait_ms < 1000; wait_ms *= 2) {
		r = try_lock(f->fd, uses, forbids, &byte);
		/* A host file system without such locks: there is nobody to ask. */
		if (r == 0 || r == -ENOLCK || r == -EINVAL || r == -ENOSYS || r == -ENOTSUP)
			return 0;
		find_holder(f->fd, byte, holder, sizeof(holder));
		if (holder[0])
			break;
		/* Nobody's: a process was killed, and the kernel has not finished its io_uring. */
		usleep((useconds_t)wait_ms * 1000);
	}
	image_error(err, errlen, "%s is in use%s%s; it may have one writer, or readers only",
		    f->path, holder[0] ? " " : "", holder);
	return -EAGAIN;
}
