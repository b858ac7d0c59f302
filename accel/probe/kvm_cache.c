/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The result of a probe, kept in a file until the host boots or its kernel, modules or device change.
 * What the file says is believed only when it is ours alone, whole, and of today's key.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "accel/probe/kvm_probe.h"

#define CACHE_VERSION 2u /* also when what a result means has changed */
#define KEY_SIZE      1024

struct file {
	char magic[8]; /* without a NUL */
	uint32_t version, size;
	char key[KEY_SIZE];
	struct kvm_probe probe;
	uint64_t sum;
};

/* FNV-1a, against damage only. */
static uint64_t sum_of(const struct file *f)
{
	const uint8_t *b = (const uint8_t *)f;
	uint64_t h = 0xcbf29ce484222325;

	for (size_t n = 0; n < offsetof(struct file, sum); n++)
		h = (h ^ b[n]) * 0x100000001b3;
	return h;
}

/* XDG_RUNTIME_DIR goes with the boot; a home does not, which is what the key is for. */
int kvm_probe_cache_path(char *path, size_t len)
{
	static const struct {
		const char *var, *below;
	} places[] = {{"XDG_RUNTIME_DIR", ""}, {"XDG_CACHE_HOME", ""}, {"HOME", "/.cache"}};

	for (size_t n = 0; n < sizeof(places) / sizeof(places[0]); n++) {
		const char *dir = getenv(places[n].var);
		int r;

		if (!dir || *dir != '/')
			continue;
		r = snprintf(path, len, "%s%s/doppel/kvm-probe", dir, places[n].below);
		if (r > 0 && (size_t)r < len)
			return 0;
	}
	return -ENOENT;
}

/* ---- the key ---- */

static int read_line(const char *root, const char *path, char *s, size_t len)
{
	char full[512];
	ssize_t n;
	int fd;

	snprintf(full, sizeof(full), "%s%s", root, path);
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, s, len - 1);
	close(fd);
	if (n <= 0)
		return -EIO;
	s[n] = 0;
	s[strcspn(s, "\n")] = 0;
	return 0;
}

static void add(char *key, size_t len, const char *name, const char *value)
{
	size_t used = strlen(key);

	snprintf(key + used, len - used, "%s=%s ", name, value);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* kvm, kvm_intel...: each with its srcversion, which a module that is built in does not have. */
static void add_modules(const char *root, char *key, size_t len)
{
	char path[300], value[64], names[8][32];
	unsigned nr = 0;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s/sys/module", root);
	d = opendir(path);
	if (!d)
		return;
	while (nr < 8 && (e = readdir(d)))
		if (strncmp(e->d_name, "kvm", 3) == 0 && strlen(e->d_name) < sizeof(names[0]))
			strcpy(names[nr++], e->d_name);
	closedir(d);
	qsort(names, nr, sizeof(names[0]), by_name);
	for (unsigned n = 0; n < nr; n++) {
		snprintf(path, sizeof(path), "/sys/module/%s/srcversion", names[n]);
		if (read_line(root, path, value, sizeof(value)) < 0)
			strcpy(value, "-");
		add(key, len, names[n], value);
	}
}

int kvm_probe_cache_key(const char *root, char *key, size_t len)
{
	char value[128], path[300];
	struct utsname u;
	struct stat st;

	*key = 0;
	if (read_line(root, "/proc/sys/kernel/random/boot_id", value, sizeof(value)) < 0)
		return -ENOENT;
	add(key, len, "boot", value);
	if (uname(&u) < 0)
		return -errno;
	add(key, len, "kernel", u.release);
	add(key, len, "build", u.version);
	add_modules(root, key, len);
	/* The node is made anew when the module is loaded again, perhaps with other parameters. */
	snprintf(path, sizeof(path), "%s/dev/kvm", root);
	if (stat(path, &st) == 0) {
		snprintf(value, sizeof(value), "%llx.%lld.%ld", (unsigned long long)st.st_ino,
			 (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
		add(key, len, "device", value);
	}
	return strlen(key) + 1 < len ? 0 : -ENOSPC;
}

/* ---- the file ---- */

static bool sane(const struct kvm_probe *p)
{
	if (p->verdict >= PROBE_NR_VERDICTS)
		return false;
	for (unsigned n = 0; n < PROBE_NR_CHECKS; n++)
		if (p->check[n].outcome >= PROBE_NR_OUTCOMES)
			return false;
	return true;
}

int kvm_probe_cache_load(const char *path, const char *key, struct kvm_probe *p)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct file f = {0};
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    st.st_mode & 022) {
		close(fd);
		return -EPERM;
	}
	n = read(fd, &f, sizeof(f));
	close(fd);
	if (n != (ssize_t)sizeof(f) || memcmp(f.magic, "doppelkp", 8) != 0 ||
	    f.version != CACHE_VERSION || f.size != sizeof(f) || f.sum != sum_of(&f) ||
	    !sane(&f.probe))
		return -EBADMSG;
	if (strncmp(f.key, key, sizeof(f.key)) != 0)
		return -ESTALE;
	*p = f.probe;
	return 0;
}

static void make_dirs(char *path)
{
	for (char *c = strchr(path + 1, '/'); c; c = strchr(c + 1, '/')) {
		*c = 0;
		mkdir(path, 0700);
		*c = '/';
	}
}

int kvm_probe_cache_store(const char *path, const char *key, const struct kvm_probe *p)
{
	struct file f = {.magic = "doppelkp", .version = CACHE_VERSION, .size = sizeof(f)};
	char temp[4096 + 16];
	ssize_t n;
	int fd;

	if (strlen(key) >= sizeof(f.key) || strlen(path) >= 4096)
		return -ENAMETOOLONG;
	strcpy(f.key, key);
	f.probe = *p;
	f.sum = sum_of(&f);
	snprintf(temp, sizeof(temp), "%s.XXXXXX", path);
	make_dirs(temp);
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, &f, sizeof(f));
	close(fd);
	if (n == (ssize_t)sizeof(f) && rename(temp, path) == 0)
		return 0;
	unlink(temp);
	return -EIO;
}
