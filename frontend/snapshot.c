/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frontend/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/drive.h"
#include "hw/machine_state.h"
#include "hw/pc.h"

#define FILE_PREFIX "file:"

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

static const char *file_of(const char *name, char *err, size_t errlen)
{
	if (strncmp(name, FILE_PREFIX, strlen(FILE_PREFIX)) == 0 && name[strlen(FILE_PREFIX)])
		return name + strlen(FILE_PREFIX);
	snprintf(err, errlen, "%s: a saved state is named as in file:state.vm", name);
	return NULL;
}

/* A state goes with the disks as they were then, and would ruin others: sizes and times of change say
 * whether these still are. Caller frees; NULL with one line in err. */
static char *describe_disks(struct drive_set *drives, char *err, size_t errlen)
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
		if (block_file(b))
			stat(block_file(b), &st);
		fprintf(f, "-drive %s (%llu bytes, changed at %lld.%09ld)\n", block_name(b),
			(unsigned long long)block_size(b), (long long)st.st_mtim.tv_sec,
			st.st_mtim.tv_nsec);
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

int snapshot_save(struct pc *pc, struct drive_set *drives, const char *name, char *err,
		  size_t errlen)
{
	const char *path = file_of(name, err, errlen);
	struct machine *m = &pc->m;
	bool was_stopped = m->stopped;
	char *disks;
	int r = -1;

	if (!path)
		return -1;
	machine_stop_locked(m);
	disks = describe_disks(drives, err, errlen);
	if (disks)
		r = save_as(m, disks, path, err, errlen);
	free(disks);
	if (!was_stopped)
		machine_cont_locked(m);
	return r;
}

static int load_from(struct machine *m, const char *disks, int fd, bool *half, char *err,
		     size_t errlen)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		snprintf(err, errlen, "this is no file");
		return -EINVAL;
	}
	return machine_load_locked(m, disks,
				   &(struct state_source){read_at, &fd, (uint64_t)st.st_size}, half,
				   err, errlen);
}

int snapshot_load(struct pc *pc, struct drive_set *drives, const char *name, char *err,
		  size_t errlen)
{
	const char *path = file_of(name, err, errlen);
	struct machine *m = &pc->m;
	bool was_stopped = m->stopped, half = false;
	char why[400], *disks;
	int fd, r;

	if (!path)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		snprintf(err, errlen, "cannot open %s: %s", path, strerror(errno));
		return -1;
	}
	machine_stop_locked(m);
	disks = describe_disks(drives, why, sizeof(why));
	r = disks ? load_from(m, disks, fd, &half, why, sizeof(why)) : -1;
	free(disks);
	close(fd);
	if (r < 0) {
		snprintf(err, errlen, "%s: %s", path, why);
		if (half)
			machine_request_reset(m);
	}
	if (!was_stopped)
		machine_cont_locked(m);
	return r < 0 ? -1 : 0;
}
