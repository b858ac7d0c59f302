/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What CPUID and the kernel's files tell about the host.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/doctor.h"

#define MSR_FEATURE_CONTROL 0x3a        /* SDM vol. 3 24.7: bit 0 locked, bit 2 VMX outside SMX */
#define MSR_VM_CR           0xc0010114u /* APM vol. 2 15.30.1: bit 4 SVMDIS */

/* ---- files ---- */

static void full_path(const struct doctor_input *in, const char *path, char *full, size_t len)
{
	snprintf(full, len, "%s%s", in->root, path);
}

static bool exists(const struct doctor_input *in, const char *path)
{
	char full[512];
	struct stat st;

	full_path(in, path, full, sizeof(full));
	return stat(full, &st) == 0;
}

static int open_file(const struct doctor_input *in, const char *path)
{
	char full[512];

	full_path(in, path, full, sizeof(full));
	return open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

/* The beginning of a file as text without its last newline; false: not there or empty. */
static bool read_text(const struct doctor_input *in, const char *path, char *s, size_t len)
{
	int fd = open_file(in, path);
	ssize_t n;

	*s = 0;
	if (fd < 0)
		return false;
	n = read(fd, s, len - 1);
	close(fd);
	s[n > 0 ? n : 0] = 0;
	while (n > 0 && isspace((unsigned char)s[n - 1]))
		s[--n] = 0;
	return n > 0;
}

static uint64_t read_number(const struct doctor_input *in, const char *path)
{
	char s[64];

	return read_text(in, path, s, sizeof(s)) && isdigit((unsigned char)*s)
		   ? strtoull(s, NULL, 10)
		   : 0;
}

/* The number after "name:" at the start of a line. */
static uint64_t field(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *s = text; s; s = strchr(s, '\n'), s = s ? s + 1 : NULL)
		if (strncmp(s, name, len) == 0 && s[len] == ':')
			return strtoull(s + len + 1, NULL, 10);
	return 0;
}

/* The word in brackets of "always [madvise] never". */
static void chosen(const char *text, char *s, size_t len)
{
	const char *open = strchr(text, '['), *close = open ? strchr(open, ']') : NULL;

	*s = 0;
	if (close)
		snprintf(s, len, "%.*s", (int)(close - open - 1), open + 1);
}

/* ---- the processor ---- */

static void regs_text(char *s, uint32_t a, uint32_t b, uint32_t c)
{
	memcpy(s, &a, 4);
	memcpy(s + 4, &b, 4);
	memcpy(s + 8, &c, 4);
	s[12] = 0;
	for (char *p = s; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}

static void look_at_cpu(const struct doctor_input *in, struct host_facts *f)
{
	struct cpuid_regs r;
	uint32_t ext;
	char *s;

	in->cpuid(in->opaque, 0, 0, &r);
	regs_text(f->vendor, r.ebx, r.edx, r.ecx);
	f->intel = strcmp(f->vendor, "GenuineIntel") == 0;
	f->amd = strcmp(f->vendor, "AuthenticAMD") == 0 || strcmp(f->vendor, "HygonGenuine") == 0;
	in->cpuid(in->opaque, 1, 0, &r);
	f->family = r.eax >> 8 & 15;
	f->model = r.eax >> 4 & 15;
	if (f->family == 6 || f->family == 15)
		f->model |= r.eax >> 12 & 0xf0;
	if (f->family == 15)
		f->family += r.eax >> 20 & 0xff;
	f->vmx = r.ecx >> 5 & 1;
	f->virtual = r.ecx >> 31;
	if (f->virtual) {
		in->cpuid(in->opaque, 0x40000000, 0, &r);
		regs_text(f->hypervisor, r.ebx, r.ecx, r.edx);
	}
	in->cpuid(in->opaque, 0x80000000, 0, &r);
	ext = r.eax;
	if (ext >= 0x80000001) {
		in->cpuid(in->opaque, 0x80000001, 0, &r);
		f->svm = r.ecx >> 2 & 1;
	}
	for (uint32_t n = 0; n < 3 && ext >= 0x80000004 && ext <= 0x8000ffff; n++) {
		in->cpuid(in->opaque, 0x80000002 + n, 0, &r);
		memcpy(f->brand + 16 * n, &r, 16);
	}
	for (s = f->brand; *s; s++)
		if (*s < ' ' || *s > '~')
			*s = ' ';
	while (s > f->brand && s[-1] == ' ')
		*--s = 0;
	memmove(f->brand, f->brand + strspn(f->brand, " "),
		strlen(f->brand + strspn(f->brand, " ")) + 1);
}

/* ---- whether firmware took it away ---- */

static bool read_msr(const struct doctor_input *in, uint32_t msr, uint64_t *v)
{
	int fd = open_file(in, "/dev/cpu/0/msr");
	bool ok;

	if (fd < 0)
		return false;
	ok = pread(fd, v, sizeof(*v), msr) == (ssize_t)sizeof(*v);
	close(fd);
	return ok;
}

/* A device gives one record for a read, a file many lines. Nothing is waited for. */
static bool kernel_said(const struct doctor_input *in, char *line, size_t len)
{
	static const char *const words[] = {"disabled by BIOS", "disabled by bios",
					    "SVM disabled (by BIOS)", "VMX not enabled"};
	int fd = open_file(in, "/dev/kmsg");
	char record[8192];
	ssize_t n;
	bool found = false;

	if (fd < 0)
		return false;
	for (unsigned k = 0; k < 20000 && !found; k++) {
		n = read(fd, record, sizeof(record) - 1);
		if (n < 0 && errno == EPIPE) /* overwritten meanwhile */
			continue;
		if (n <= 0)
			break;
		record[n] = 0;
		for (char *save, *s = strtok_r(record, "\n", &save); s && !found;
		     s = strtok_r(NULL, "\n", &save)) {
			const char *text = strchr(s, ';') ? strchr(s, ';') + 1 : s;

			for (size_t w = 0; w < sizeof(words) / sizeof(words[0]) && !found; w++)
				found = strstr(text, words[w]);
			if (found)
				snprintf(line, len, "the kernel says \"%s\"", text);
		}
	}
	close(fd);
	return found;
}

static void look_at_lock(const struct doctor_input *in, struct host_facts *f)
{
	uint64_t v;

	if (f->vmx && read_msr(in, MSR_FEATURE_CONTROL, &v)) {
		f->lock = (v & 5) == 1 ? LOCK_OFF : LOCK_OPEN;
		snprintf(f->lock_source, sizeof(f->lock_source), "IA32_FEATURE_CONTROL is %#llx",
			 (unsigned long long)v);
	} else if (f->svm && read_msr(in, MSR_VM_CR, &v)) {
		f->lock = v & 0x10 ? LOCK_OFF : LOCK_OPEN;
		snprintf(f->lock_source, sizeof(f->lock_source), "VM_CR is %#llx",
			 (unsigned long long)v);
	} else if (f->vendor_module && f->misc_kvm) {
		f->lock = LOCK_OPEN; /* it starts on no other host */
		snprintf(f->lock_source, sizeof(f->lock_source), "kvm_%s runs",
			 f->intel ? "intel" : "amd");
	} else if (kernel_said(in, f->lock_source, sizeof(f->lock_source))) {
		f->lock = LOCK_OFF;
	}
}

/* ---- the kernel ---- */

static void look_at_modules(const struct doctor_input *in, struct host_facts *f)
{
	char path[512], misc[4096];
	struct dirent *e;
	DIR *d;

	full_path(in, "/sys/module", path, sizeof(path));
	d = opendir(path);
	while (d && (e = readdir(d))) {
		if (strcmp(e->d_name, "kvm") == 0)
			f->kvm_module = true;
		else if (strcmp(e->d_name, f->intel ? "kvm_intel" : "kvm_amd") == 0)
			f->vendor_module = true;
		else if (strncmp(e->d_name, "kvm_", 4) == 0 && strcmp(e->d_name, "kvm_intel") &&
			 strcmp(e->d_name, "kvm_amd"))
			snprintf(f->other_module, sizeof(f->other_module), "%.31s", e->d_name);
	}
	if (d)
		closedir(d);
	if (read_text(in, "/proc/misc", misc, sizeof(misc)))
		for (char *save, *s = strtok_r(misc, "\n", &save); s;
		     s = strtok_r(NULL, "\n", &save))
			f->misc_kvm |= strlen(s) > 4 && strcmp(s + strlen(s) - 4, " kvm") == 0;
	if (!read_text(in, "/proc/sys/kernel/osrelease", f->release, sizeof(f->release)))
		return;
	for (unsigned n = 0; n < 4 && !f->module_file; n++) {
		static const char *const suffix[] = {"", ".xz", ".zst", ".gz"};

		snprintf(path, sizeof(path), "/lib/modules/%s/kernel/arch/x86/kvm/kvm-%s.ko%s",
			 f->release, f->intel ? "intel" : "amd", suffix[n]);
		f->module_file = exists(in, path);
	}
}

static void look_at_surroundings(const struct doctor_input *in, struct host_facts *f)
{
	char maker[64], name[64], text[4096];

	read_text(in, "/sys/class/dmi/id/sys_vendor", maker, sizeof(maker));
	read_text(in, "/sys/class/dmi/id/product_name", name, sizeof(name));
	snprintf(f->product, sizeof(f->product), "%s%s%s", maker, *maker && *name ? " " : "", name);
	f->container = exists(in, "/run/.containerenv") || exists(in, "/.dockerenv") ||
		       exists(in, "/run/systemd/container");
	if (!f->container && read_text(in, "/proc/1/cgroup", text, sizeof(text)))
		f->container = strstr(text, "/docker") || strstr(text, "/kubepods") ||
			       strstr(text, "/lxc") || strstr(text, "libpod");
}

/* ---- limits ---- */

/* The smallest limit on the way from our group up to the root of a hierarchy. */
static void cgroup_limits(const struct doctor_input *in, const char *group, bool v2, bool memory,
			  bool cpu, struct host_facts *f)
{
	char dir[256], path[512], s[64];
	char *slash;

	snprintf(dir, sizeof(dir), "%s", group);
	for (;;) {
		snprintf(path, sizeof(path), "/sys/fs/cgroup%s%s/%s", v2 ? "" : "/memory", dir,
			 v2 ? "memory.max" : "memory.limit_in_bytes");
		uint64_t mib = memory ? read_number(in, path) >> 20 : 0;
		if (mib && mib < f->mem_total && (!f->mem_cgroup || mib < f->mem_cgroup))
			f->mem_cgroup = mib;
		double quota = 0, period = 0;
		snprintf(path, sizeof(path), "/sys/fs/cgroup%s%s/%s", v2 ? "" : "/cpu", dir,
			 v2 ? "cpu.max" : "cpu.cfs_quota_us");
		if (cpu && read_text(in, path, s, sizeof(s)) && isdigit((unsigned char)*s)) {
			char *end;

			quota = strtod(s, &end);
			period = strtod(end, NULL);
			snprintf(path, sizeof(path), "/sys/fs/cgroup/cpu%s/cpu.cfs_period_us", dir);
			if (!v2)
				period = (double)read_number(in, path);
		}
		if (period > 0 && (f->cpu_quota == 0 || quota / period < f->cpu_quota))
			f->cpu_quota = quota / period;
		slash = strrchr(dir, '/');
		if (!*dir || !slash)
			break;
		*slash = 0;
	}
}

static bool has_controller(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *s = list; s; s = strchr(s, ','), s = s ? s + 1 : NULL)
		if (strncmp(s, name, len) == 0 && (!s[len] || s[len] == ','))
			return true;
	return false;
}

/* "4:memory:/group" for version 1, "0::/group" for version 2. */
static void look_at_cgroups(const struct doctor_input *in, struct host_facts *f)
{
	char text[4096];

	if (!read_text(in, "/proc/self/cgroup", text, sizeof(text)))
		return;
	for (char *save, *s = strtok_r(text, "\n", &save); s; s = strtok_r(NULL, "\n", &save)) {
		char *list = strchr(s, ':'), *group = list ? strchr(list + 1, ':') : NULL;

		if (!group)
			continue;
		*group++ = 0;
		list++;
		cgroup_limits(in, group, !*list, !*list || has_controller(list, "memory"),
			      !*list || has_controller(list, "cpu"), f);
	}
}

static void look_at_memory(const struct doctor_input *in, struct host_facts *f)
{
	char text[8192], *s;

	if (read_text(in, "/proc/meminfo", text, sizeof(text))) {
		uint64_t limit = field(text, "CommitLimit"), used = field(text, "Committed_AS");

		f->mem_total = field(text, "MemTotal") >> 10;
		f->mem_available = field(text, "MemAvailable") >> 10;
		f->huge_total = field(text, "HugePages_Total");
		f->huge_free = field(text, "HugePages_Free");
		f->commit_left = limit > used ? (limit - used) >> 10 : 0;
	}
	f->overcommit = -1;
	if (read_text(in, "/proc/sys/vm/overcommit_memory", text, sizeof(text)))
		f->overcommit = *text - '0';
	if (read_text(in, "/sys/kernel/mm/transparent_hugepage/shmem_enabled", text, sizeof(text)))
		chosen(text, f->thp_shmem, sizeof(f->thp_shmem));
	if (read_text(in, "/proc/self/limits", text, sizeof(text)) &&
	    (s = strstr(text, "Max address space")))
		f->mem_address_space = strtoull(s + strlen("Max address space"), NULL, 10) >> 20;
}

void doctor_look(const struct doctor_input *in, struct host_facts *f)
{
	memset(f, 0, sizeof(*f));
	look_at_cpu(in, f);
	look_at_modules(in, f);
	look_at_surroundings(in, f);
	look_at_lock(in, f);
	look_at_memory(in, f);
	look_at_cgroups(in, f);
}
