/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The probe of the host's KVM: the device, its interface, and a child process that tries a guest
 * (kvm_guest.c). A child, because a KVM that is broken enough may take down or hang who uses it.
 */
#include "accel/host_time.h"
#include "accel/probe/kvm_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "accel/probe/kvm_guest.h"

#define DEVICE    "/dev/kvm"
#define WAIT_US   1000
#define WAIT_NS   1500000000ull /* more than the child takes by itself */
#define KILLED_NS 200000000ull

enum { SLOW_TRIES = 3 };

/* What an engine with interrupt controllers of its own needs. Not KVM_CAP_XCRS, which goes with the
 * processor's XSAVE. */
#define CAPABILITY(name)                                                                           \
	{                                                                                          \
#name, "this KVM lacks " #name, name                                               \
	}
static const struct {
	const char *name, *lacking;
	int number;
} capabilities[] = {
    CAPABILITY(KVM_CAP_USER_MEMORY),    CAPABILITY(KVM_CAP_EXT_CPUID),
    CAPABILITY(KVM_CAP_SYNC_MMU),       CAPABILITY(KVM_CAP_IMMEDIATE_EXIT),
    CAPABILITY(KVM_CAP_MP_STATE),       CAPABILITY(KVM_CAP_VCPU_EVENTS),
    CAPABILITY(KVM_CAP_DEBUGREGS),      CAPABILITY(KVM_CAP_SET_GUEST_DEBUG),
    CAPABILITY(KVM_CAP_USER_NMI),       CAPABILITY(KVM_CAP_XSAVE),
    CAPABILITY(KVM_CAP_READONLY_MEM),   CAPABILITY(KVM_CAP_X86_USER_SPACE_MSR),
    CAPABILITY(KVM_CAP_X86_MSR_FILTER), CAPABILITY(KVM_CAP_SREGS2),
};
#undef CAPABILITY
enum { NR_CAPABILITIES = sizeof(capabilities) / sizeof(capabilities[0]) };

const char *kvm_probe_capability(unsigned n)
{
	return n < NR_CAPABILITIES ? capabilities[n].name : NULL;
}

const char *kvm_probe_lacking(int kvm)
{
	if (ioctl(kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		return "/dev/kvm has another API version";
	for (unsigned n = 0; n < NR_CAPABILITIES; n++)
		if (ioctl(kvm, KVM_CHECK_EXTENSION, (unsigned long)capabilities[n].number) <= 0)
			return capabilities[n].lacking;
	return NULL;
}

static int open_device(struct kvm_probe *p)
{
	struct stat st;
	int fd;

	if (stat(DEVICE, &st) < 0) {
		p->error = errno;
		p->verdict = errno == EACCES ? PROBE_NO_PERMISSION : PROBE_NO_DEVICE;
		return -1;
	}
	p->dev_mode = st.st_mode & 07777;
	p->dev_uid = st.st_uid;
	p->dev_gid = st.st_gid;
	fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	p->error = errno;
	if (errno == EACCES || errno == EPERM)
		p->verdict = PROBE_NO_PERMISSION;
	else if (errno == ENODEV || errno == ENXIO)
		p->verdict = PROBE_NO_DRIVER;
	else
		p->verdict = PROBE_NO_OPEN;
	return -1;
}

static bool check_interface(int kvm, struct kvm_probe *p)
{
	int n;

	p->api = ioctl(kvm, KVM_GET_API_VERSION, 0);
	if (p->api != KVM_API_VERSION) {
		p->error = p->api < 0 ? errno : 0;
		p->verdict = PROBE_OLD_API;
		return false;
	}
	for (n = 0; n < NR_CAPABILITIES; n++)
		if (ioctl(kvm, KVM_CHECK_EXTENSION, (unsigned long)capabilities[n].number) <= 0)
			p->missing |= 1u << n;
	n = ioctl(kvm, KVM_CHECK_EXTENSION, (unsigned long)KVM_CAP_MAX_VCPUS);
	p->max_vcpus = n > 0 ? (uint32_t)n : 1;
	if (p->missing)
		p->verdict = PROBE_NO_CAPABILITY;
	return !p->missing;
}

/* Whether the child is gone within that time. Who ignores SIGCHLD gets no status, but an error then. */
static bool gone(pid_t pid, uint64_t ns)
{
	uint64_t end = host_ns() + ns;

	for (;;) {
		pid_t r = waitpid(pid, NULL, WNOHANG);

		if (r == pid || (r < 0 && errno != EINTR))
			return true;
		if (host_ns() >= end)
			return false;
		usleep(WAIT_US);
	}
}

static void try_in_child(int kvm, struct kvm_probe *p)
{
	struct kvm_probe *shared =
	    mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid, parent = getpid();

	p->verdict = PROBE_NO_ANSWER;
	if (shared == MAP_FAILED) {
		p->error = errno;
		return;
	}
	*shared = *p;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			kvm_guest_try(kvm, shared);
		_exit(0);
	}
	if (pid < 0) {
		p->error = errno;
	} else {
		if (!gone(pid, WAIT_NS)) {
			kill(pid, SIGKILL);
			gone(pid, KILLED_NS);
		}
		*p = *shared;
	}
	munmap(shared, sizeof(*shared));
}

void kvm_probe_run(struct kvm_probe *p)
{
	uint64_t from = host_ns();
	int kvm;

	memset(p, 0, sizeof(*p));
	kvm = open_device(p);
	if (kvm >= 0) {
		if (check_interface(kvm, p))
			try_in_child(kvm, p);
		close(kvm);
	}
	p->took_us = (uint32_t)((host_ns() - from) / 1000);
}

void kvm_probe(struct kvm_probe *p)
{
	char path[PATH_MAX], key[1024];
	int kvm, r;

	memset(p, 0, sizeof(*p));
	/* Whether it may be opened can change at any time, and costs nothing to see. */
	kvm = open_device(p);
	if (kvm < 0)
		return;
	close(kvm);
	r = kvm_probe_cache_path(path, sizeof(path));
	if (r == 0)
		r = kvm_probe_cache_key("", key, sizeof(key));
	if (r == 0 && kvm_probe_cache_load(path, key, p) == 0) {
		p->cached = 1;
		return;
	}
	/* A busy host can look slow once; the cache would remember that. */
	for (unsigned n = 0; n < SLOW_TRIES && (!n || p->verdict == PROBE_SLOW); n++)
		kvm_probe_run(p);
	/* A cache that cannot be written costs the next start a few milliseconds, no more. What had no
	 * answer may have been bad luck. */
	if (r == 0 && p->verdict != PROBE_NO_ANSWER && p->verdict != PROBE_NO_VM)
		kvm_probe_cache_store(path, key, p);
}

/* ---- once a process ---- */

/* A fact about the host, which an engine's unusable() has to give without being given anything. */
static char unusable_why[768];

static void find_out(void)
{
	char what[256], remedy[256];
	struct kvm_probe p;

	kvm_probe(&p);
	if (p.verdict == PROBE_USABLE)
		return;
	kvm_probe_reason(&p, "", what, sizeof(what));
	kvm_probe_remedy(&p, "", remedy, sizeof(remedy));
	snprintf(unusable_why, sizeof(unusable_why), "%s; %s", what, remedy);
}

const char *kvm_probe_unusable(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, find_out);
	return *unusable_why ? unusable_why : NULL;
}
