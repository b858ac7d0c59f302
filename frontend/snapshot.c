/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frontend/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frontend/drive.h"
#include "hw/machine_state.h"
#include "hw/pc.h"

static int write_all(void *opaque, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	while (len) {
		ssize_t n = write(*(int *)opaque, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int read_at(void *opaque, uint64_t at, void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len) {
		ssize_t n = pread(*(int *)opaque, p, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static const char *after(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0 ? name + strlen(prefix) : NULL;
}

/* The path, or NULL. */
static const char *file_of(const char *name)
{
	return after(name, SNAPSHOT_FILE);
}

/* The command, or NULL; neither: a snapshot in the disks. */
static const char *command_of(const char *name)
{
	return after(name, SNAPSHOT_EXEC);
}

/* Brings the disks to rest and says what must be the same of them. A state in a file goes with the disks as
 * they were then, and would ruin others: times of change say whether these still are. Caller frees; NULL with
 * one line in err. */
static char *settle_disks(struct drive_set *drives, bool times, char *err, size_t errlen)
{
	struct block *b;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	snprintf(err, errlen, "out of memory");
	for (unsigned n = 0; f && drives && (b = drives_at(drives, n)); n++) {
		struct stat st = {0};
		int r;

		block_quiesce(b);
		r = block_held(b) ? -EBUSY : block_flush_now(b);
		if (r < 0) {
			snprintf(err, errlen, "%s cannot be brought to rest: %s", block_name(b),
				 r == -EBUSY ? "it waits for space on the host's disk"
					     : strerror(-r));
			fclose(f);
			free(text);
			return NULL;
		}
		fprintf(f, "-drive %s (%llu bytes", block_name(b),
			(unsigned long long)block_size(b));
		if (times && block_file(b) && stat(block_file(b), &st) == 0)
			fprintf(f, ", changed at %lld.%09ld", (long long)st.st_mtim.tv_sec,
				st.st_mtim.tv_nsec);
		fprintf(f, ")\n");
	}
	if (f)
		fclose(f);
	return text;
}

static int save_to(struct machine *m, const char *disks, const char *beside)
{
	int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : 0;

	if (r == 0)
		r = machine_save_locked(m, disks, &(struct state_sink){write_all, &fd});
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (fd >= 0 && close(fd) < 0 && r == 0)
		r = -errno;
	return r;
}

static int save_as(struct machine *m, const char *disks, const char *path, char *err, size_t errlen)
{
	char *beside;
	int r;

	if (asprintf(&beside, "%s.tmp", path) < 0) {
		snprintf(err, errlen, "out of memory");
		return -1;
	}
	r = save_to(m, disks, beside);
	if (r == 0 && rename(beside, path) < 0)
		r = -errno;
	if (r < 0) {
		unlink(beside);
		snprintf(err, errlen, "cannot write %s: %s", path, strerror(-r));
	}
	free(beside);
	return r < 0 ? -1 : 0;
}

/* What became of a command that was run for a state. */
static int end_command(FILE *f, const char *command, char *err, size_t errlen)
{
	int status = pclose(f);

	if (status == 0)
		return 0;
	snprintf(err, errlen, "the command %s has ended with %s %d", command,
		 status > 0 && WIFSIGNALED(status) ? "signal" : "status",
		 status < 0            ? status
		 : WIFSIGNALED(status) ? WTERMSIG(status)
				       : WEXITSTATUS(status));
	return -1;
}

static int save_through(struct machine *m, const char *disks, const char *command, char *err,
			size_t errlen)
{
	FILE *f = popen(command, "we");
	int fd, r;

	if (!f) {
		snprintf(err, errlen, "cannot start %s: %s", command, strerror(errno));
		return -1;
	}
	fd = fileno(f);
	r = machine_save_locked(m, disks, &(struct state_sink){write_all, &fd});
	if (end_command(f, command, err, errlen) < 0)
		return -1;
	if (r < 0)
		snprintf(err, errlen, "the command %s does not take the state: %s", command,
			 strerror(-r));
	return r < 0 ? -1 : 0;
}

/* A file without a name, because a state is not read in order; -errno. */
static int copy_of(FILE *f)
{
	int fd = memfd_create("state", MFD_CLOEXEC), r = fd < 0 ? -errno : 0;
	char buf[65536];
	size_t n;

	while (r == 0 && (n = fread(buf, 1, sizeof(buf), f)) > 0)
		r = write_all(&fd, buf, n);
	if (r < 0 && fd >= 0)
		close(fd);
	return r < 0 ? r : fd;
}

static int load_fd(struct machine *m, const char *disks, int fd, const char *name, char *err,
		   size_t errlen)
{
	char why[400];
	bool half = false;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		snprintf(why, sizeof(why), "this is no file");
		r = -EINVAL;
	} else {
		const struct state_source from = {read_at, &fd, (uint64_t)st.st_size};

		r = machine_load_locked(m, disks, &from, &half, why, sizeof(why));
	}
	close(fd);
	if (r == 0)
		return 0;
	snprintf(err, errlen, "%s: %s%s", name, why, half ? "; the guest is reset" : "");
	if (half)
		machine_request_reset(m);
	return -1;
}

static int load_through(struct machine *m, const char *disks, const char *command, char *err,
			size_t errlen)
{
	FILE *f = popen(command, "re");
	int fd;

	if (!f) {
		snprintf(err, errlen, "cannot start %s: %s", command, strerror(errno));
		return -1;
	}
	fd = copy_of(f);
	if (end_command(f, command, err, errlen) < 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	if (fd < 0) {
		snprintf(err, errlen, "cannot keep what %s gives: %s", command, strerror(-fd));
		return -1;
	}
	return load_fd(m, disks, fd, command, err, errlen);
}

static int load_file(struct machine *m, const char *disks, const char *path, char *err,
		     size_t errlen)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		snprintf(err, errlen, "cannot open %s: %s", path, strerror(errno));
		return -1;
	}
	return load_fd(m, disks, fd, path, err, errlen);
}

/* What all of them have in common. */
static int at_rest(struct pc *pc, struct drive_set *drives, const char *name,
		   int (*act)(struct pc *pc, struct drive_set *drives, const char *disks,
			      const char *name, char *err, size_t errlen),
		   char *err, size_t errlen)
{
	struct machine *m = &pc->m;
	bool was_stopped = m->stopped;
	char *disks;
	int r = -1;

	machine_stop_locked(m);
	disks = settle_disks(drives, file_of(name) || command_of(name), err, errlen);
	if (disks)
		r = act(pc, drives, disks, name, err, errlen);
	free(disks);
	if (!was_stopped)
		machine_cont_locked(m);
	return r;
}

static int save(struct pc *pc, struct drive_set *drives, const char *disks, const char *name,
		char *err, size_t errlen)
{
	const struct device *d;
	const char *why;

	d = machine_unsaved_locked(&pc->m, &why);
	if (d) {
		snprintf(err, errlen, "%s cannot be saved: %s", d->name, why);
		return -EBUSY;
	}
	if (file_of(name))
		return save_as(&pc->m, disks, file_of(name), err, errlen);
	if (command_of(name))
		return save_through(&pc->m, disks, command_of(name), err, errlen);
	return snapshot_disk_save(pc, drives, disks, name, err, errlen);
}

static int load(struct pc *pc, struct drive_set *drives, const char *disks, const char *name,
		char *err, size_t errlen)
{
	if (file_of(name))
		return load_file(&pc->m, disks, file_of(name), err, errlen);
	if (command_of(name))
		return load_through(&pc->m, disks, command_of(name), err, errlen);
	return snapshot_disk_load(pc, drives, disks, name, err, errlen);
}

static int delete (struct pc *pc, struct drive_set *drives, const char *disks, const char *name,
		   char *err, size_t errlen)
{
	(void)pc;
	(void)disks;
	return snapshot_disk_delete(drives, name, err, errlen);
}

int snapshot_save(struct pc *pc, struct drive_set *drives, const char *name, char *err,
		  size_t errlen)
{
	return at_rest(pc, drives, name, save, err, errlen);
}

int snapshot_load(struct pc *pc, struct drive_set *drives, const char *name, char *err,
		  size_t errlen)
{
	return at_rest(pc, drives, name, load, err, errlen);
}

int snapshot_delete(struct pc *pc, struct drive_set *drives, const char *name, char *err,
		    size_t errlen)
{
	if (!file_of(name))
		return at_rest(pc, drives, name, delete, err, errlen);
	snprintf(err, errlen, "%s is a file: delete it yourself", file_of(name));
	return -1;
}

int snapshot_check_uri(const char *uri, char *err, size_t errlen)
{
	const char *what = file_of(uri) ? file_of(uri) : command_of(uri);

	if (what && *what)
		return 0;
	snprintf(err, errlen,
		 "%s is not supported; there are file:PATH and exec:COMMAND, which take the state "
		 "of a guest that has stopped",
		 uri);
	return -1;
}
