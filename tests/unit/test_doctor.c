/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The doctor on hosts that are made up: a folder as root, a CPUID and a probe's result for each, and
 * what has to be said about it.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/doctor.h"

#define VMX        (1u << 5)
#define HYPERVISOR (1u << 31)
#define SVM        (1u << 2)

struct host {
	char root[64];
	bool amd;
	uint32_t ecx1, ecx81, ebx7;
	struct doctor_input in;
	struct doctor_report r;
};

static void cpuid(void *opaque, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *r)
{
	const struct host *h = opaque;
	static const char brand[48] = "Made-up CPU @ 3 GHz";

	*r = (struct cpuid_regs){0};
	switch (leaf) {
	case 0:
		r->eax = 7;
		memcpy(&r->ebx, h->amd ? "Auth" : "Genu", 4);
		memcpy(&r->edx, h->amd ? "enti" : "ineI", 4);
		memcpy(&r->ecx, h->amd ? "cAMD" : "ntel", 4);
		break;
	case 1:
		*r = (struct cpuid_regs){0x000506e3, 0, 0x7ffaf3df | h->ecx1, 0xffffffff};
		r->ecx &= ~VMX | h->ecx1;
		break;
	case 7:
		if (subleaf == 0)
			r->ebx = h->ebx7;
		break;
	case 0x40000000:
		memcpy(&r->ebx, "KVMKVMKVM\0\0\0", 12);
		break;
	case 0x80000000:
		r->eax = 0x80000008;
		break;
	case 0x80000001:
		*r = (struct cpuid_regs){0, 0, 0x121 | h->ecx81, 0xffffffff};
		break;
	case 0x80000002 ... 0x80000004:
		memcpy(r, brand + 16 * (leaf - 0x80000002), 16);
		break;
	}
}

static void put_bytes(struct host *h, const char *path, const void *data, size_t len, off_t at)
{
	char full[512];
	int fd;

	snprintf(full, sizeof(full), "%s%s", h->root, path);
	for (char *c = strchr(full + strlen(h->root) + 1, '/'); c; c = strchr(c + 1, '/')) {
		*c = 0;
		mkdir(full, 0700);
		*c = '/';
	}
	fd = open(full, O_CREAT | O_WRONLY, 0600);
	cr_assert_geq(fd, 0, "%s", full);
	cr_assert_eq(pwrite(fd, data, len, at), (ssize_t)len);
	close(fd);
}

static void put(struct host *h, const char *path, const char *text)
{
	put_bytes(h, path, text, strlen(text), 0);
}

/* An ordinary machine, to be spoilt by the test. */
static struct host *host(bool amd)
{
	struct host *h = calloc(1, sizeof(*h));
	struct kvm_probe *p = &h->in.probe;

	strcpy(h->root, "/tmp/doctor.XXXXXX");
	cr_assert(mkdtemp(h->root));
	h->amd = amd;
	h->ecx1 = amd ? 0 : VMX;
	h->ecx81 = amd ? SVM : 0;
	h->ebx7 = ~0u;
	h->in = (struct doctor_input){
	    .root = h->root, .cpuid = cpuid, .opaque = h, .kvm_engine = true, .cpus = 8};
	put(h, amd ? "/sys/module/kvm_amd/srcversion" : "/sys/module/kvm_intel/srcversion", "1\n");
	put(h, "/sys/module/kvm/srcversion", "1\n");
	put(h, "/proc/misc", "200 tun\n232 kvm\n");
	put(h, "/proc/sys/kernel/osrelease", "6.1.0-test\n");
	put(h, "/proc/sys/vm/overcommit_memory", "0\n");
	put(h, "/proc/meminfo",
	    "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\n"
	    "CommitLimit: 4194304 kB\nCommitted_AS: 2097152 kB\n");
	put(h, "/proc/self/cgroup", "0::/user.slice/me\n");
	put(h, "/sys/kernel/mm/transparent_hugepage/shmem_enabled",
	    "always within_size [advise] never deny force\n");
	put(h, "/etc/group", "root:x:0:\nkvm:x:107:libvirt\n");
	*p = (struct kvm_probe){.verdict = PROBE_USABLE,
				.api = 12,
				.max_vcpus = 1024,
				.dev_mode = 0660,
				.dev_gid = 107,
				.host_ps = 90,
				.kernel_ps = 91,
				.user_ps = 90,
				.pio_ns = 1100,
				.mmio_ns = 1900};
	for (unsigned n = 0; n < PROBE_NR_CHECKS; n++)
		p->check[n].outcome = OUTCOME_PASS;
	return h;
}

static void unload(struct host *h, const char *module)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd), "rm -r %s/sys/module/%s", h->root, module);
	cr_assert_eq(system(cmd), 0);
}

static void no_device(struct host *h)
{
	h->in.probe = (struct kvm_probe){.verdict = PROBE_NO_DEVICE, .error = 2};
}

static void done(struct host *h)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", h->root);
	cr_assert_eq(system(cmd), 0);
	free(h);
}

/* ---- what is expected ---- */

static const struct finding *find(const struct doctor_report *r, const char *id)
{
	for (unsigned n = 0; n < r->nr; n++)
		if (strcmp(r->finding[n].id, id) == 0)
			return &r->finding[n];
	return NULL;
}

static void expect(struct host *h, const char *id, enum finding_level level, const char *text,
		   const char *remedy)
{
	const struct finding *f = find(&h->r, id);

	cr_assert(f, "nothing about %s", id);
	cr_assert_eq(f->level, level, "%s: level %d: %s", id, f->level, f->text);
	cr_assert(strstr(f->text, text), "%s: %s", id, f->text);
	if (remedy)
		cr_assert(strstr(f->remedy, remedy), "%s: %s", id, f->remedy);
	else
		cr_assert_eq(f->remedy[0], 0, "%s: %s", id, f->remedy);
}

/* Examines, checks the engine, and that both outputs are whole and every problem has its remedy. */
static void examine(struct host *h, const char *engine, const char *kvm)
{
	static char text[65536], json[65536];
	FILE *t = fmemopen(text, sizeof(text), "w"), *j = fmemopen(json, sizeof(json), "w");
	int depth = 0;
	bool quoted = false;

	doctor_examine(&h->in, &h->r);
	cr_assert_str_eq(h->r.engine, engine);
	cr_assert_str_eq(h->r.kvm, kvm);
	doctor_print(&h->r, t);
	doctor_print_json(&h->r, j);
	fclose(t);
	fclose(j);
	cr_assert(strstr(text, engine));
	for (const char *s = text; s; s = strchr(s, '\n'), s = s ? s + 1 : NULL)
		cr_assert_leq(strcspn(s, "\n"), 110, "%.120s", s);
	for (const char *s = json; *s; s++) {
		if (*s == '\\')
			s++;
		else if (*s == '"')
			quoted = !quoted;
		else if (!quoted)
			depth += (*s == '{' || *s == '[') - (*s == '}' || *s == ']');
	}
	cr_assert_eq(depth, 0);
	cr_assert_not(quoted);
	for (unsigned n = 0; n < h->r.nr; n++) {
		const struct finding *f = &h->r.finding[n];

		cr_assert(strstr(json, f->id));
		cr_assert(f->level != FINDING_PROBLEM || *f->remedy, "%s: no remedy", f->id);
		for (unsigned k = 0; k < n; k++)
			cr_assert(strcmp(f->id, h->r.finding[k].id) != 0);
	}
}

Test(doctor, kvm_intel)
{
	struct host *h = host(false);

	examine(h, "kvm", "usable");
	cr_assert_eq(h->r.why[0], 0);
	expect(h, "cpu.model", FINDING_OK, "Made-up CPU @ 3 GHz (GenuineIntel, family 6, model 94)",
	       NULL);
	expect(h, "cpu.virtualization", FINDING_OK, "VT-x", NULL);
	expect(h, "cpu.firmware", FINDING_OK, "kvm_intel runs", NULL);
	expect(h, "kvm.module", FINDING_OK, "kvm_intel", NULL);
	expect(h, "kvm.checks", FINDING_OK, "12 of 12", NULL);
	expect(h, "kvm.speed", FINDING_OK, "on the processor", NULL);
	expect(h, "kvm.exits", FINDING_OK, "1.1 us", NULL);
	expect(h, "memory.size", FINDING_OK, "8192 of 16384 MiB are free", NULL);
	expect(h, "memory.hugepages", FINDING_OK, "advise", NULL);
	expect(h, "cpu.number", FINDING_OK, "8 CPUs, no quota", NULL);
	done(h);
}

Test(doctor, kvm_amd)
{
	struct host *h = host(true);

	examine(h, "kvm", "usable");
	expect(h, "cpu.model", FINDING_OK, "AuthenticAMD", NULL);
	expect(h, "cpu.virtualization", FINDING_OK, "AMD-V", NULL);
	expect(h, "kvm.module", FINDING_OK, "kvm_amd", NULL);
	done(h);
}

/* A build without the engine says so, and does not blame the host. */
Test(doctor, kvm_not_built_in)
{
	struct host *h = host(true);

	h->in.kvm_engine = false;
	examine(h, "jit", "usable");
	cr_assert(strstr(h->r.why, "this build has no kvm engine"));
	expect(h, "engine.kvm", FINDING_NOTE, "this build has none", "later doppel");
	done(h);
}

Test(doctor, software_kvm)
{
	struct host *h = host(true);
	struct kvm_probe *p = &h->in.probe;

	unload(h, "kvm_amd");
	put(h, "/sys/module/kvm_pvm/srcversion", "1\n");
	h->ecx81 = 0;
	h->ecx1 = HYPERVISOR;
	p->verdict = PROBE_SLOW;
	p->kernel_ps = 580123;
	p->check[CHECK_SSE].outcome = OUTCOME_INTERNAL;
	p->check[CHECK_SSE].detail = 1;
	p->check[CHECK_SYSCALL].outcome = OUTCOME_WRONG;
	p->check[CHECK_SYSCALL].detail = 1;
	examine(h, "jit", "software");
	cr_assert(strstr(h->r.why, "software: kernel code takes 580.1 ns"), "%s", h->r.why);
	expect(h, "kvm.module", FINDING_NOTE, "kvm_pvm", NULL);
	expect(h, "kvm.speed", FINDING_PROBLEM, "takes 580 ns", "bare metal");
	expect(h, "kvm.check.10", FINDING_PROBLEM,
	       "SSE in ring 0: KVM_EXIT_INTERNAL_ERROR, suberror 1", "no setting helps");
	expect(h, "kvm.check.9", FINDING_PROBLEM, "SYSCALL and SYSRET: wrong", "no setting");
	expect(h, "kvm.checks", FINDING_NOTE, "10 of 12", NULL);
	done(h);
}

Test(doctor, broken_kvm)
{
	struct host *h = host(false);
	struct kvm_probe *p = &h->in.probe;

	p->verdict = PROBE_BROKEN;
	p->check[CHECK_INT].outcome = OUTCOME_HUNG;
	examine(h, "jit", "broken");
	cr_assert(strstr(h->r.why, "failed at INT n in ring 0"), "%s", h->r.why);
	expect(h, "kvm.check.6", FINDING_PROBLEM, "hung", "update the host kernel");
	done(h);
}

Test(doctor, no_module)
{
	struct host *h = host(false);

	unload(h, "kvm_intel");
	unload(h, "kvm");
	put(h, "/proc/misc", "200 tun\n200 nix\n");
	put(h, "/lib/modules/6.1.0-test/kernel/arch/x86/kvm/kvm-intel.ko.xz", "x");
	no_device(h);
	examine(h, "jit", "no-device");
	expect(h, "kvm.module", FINDING_PROBLEM, "kvm_intel is not loaded",
	       "sudo modprobe kvm_intel;");
	expect(h, "kvm.device", FINDING_PROBLEM, "there is no /dev/kvm", "comes with the module");
	expect(h, "cpu.firmware", FINDING_NOTE, "cannot be seen", "sudo doppel doctor");
	done(h);
}

Test(doctor, no_permission)
{
	struct host *h = host(true);

	h->in.probe = (struct kvm_probe){
	    .verdict = PROBE_NO_PERMISSION, .error = 13, .dev_mode = 0660, .dev_gid = 107};
	examine(h, "jit", "no-permission");
	expect(h, "kvm.device", FINDING_PROBLEM,
	       "no permission to open /dev/kvm (group kvm, mode 0660)",
	       "sudo usermod -aG kvm $USER");
	cr_assert(strstr(h->r.why, "group kvm"));
	h->in.probe.dev_mode = 0600;
	h->in.probe.dev_gid = 0;
	examine(h, "jit", "no-permission");
	expect(h, "kvm.device", FINDING_PROBLEM, "group root, mode 0600", "chmod 660");
	done(h);
}

Test(doctor, no_vtx)
{
	struct host *h = host(false);

	unload(h, "kvm_intel");
	put(h, "/proc/misc", "200 tun\n200 nix\n");
	h->ecx1 = 0;
	no_device(h);
	examine(h, "jit", "no-device");
	expect(h, "cpu.virtualization", FINDING_PROBLEM, "no VT-x", "firmware's setup");
	expect(h, "kvm.module", FINDING_PROBLEM, "only kvm is", "cannot load without VT-x");
	cr_assert_null(find(&h->r, "cpu.firmware"));
	done(h);
}

Test(doctor, locked_by_firmware)
{
	uint64_t locked = 1, open = 5, svmdis = 0x18;
	struct host *h = host(false);

	unload(h, "kvm_intel");
	no_device(h);
	put_bytes(h, "/dev/cpu/0/msr", &locked, 8, 0x3a);
	examine(h, "jit", "no-device");
	expect(h, "cpu.firmware", FINDING_PROBLEM, "IA32_FEATURE_CONTROL is 0x1", "VT-x");
	expect(h, "kvm.module", FINDING_PROBLEM, "not loaded", "firmware");
	put_bytes(h, "/dev/cpu/0/msr", &open, 8, 0x3a);
	examine(h, "jit", "no-device");
	expect(h, "cpu.firmware", FINDING_OK, "not locked", NULL);
	done(h);

	h = host(true);
	unload(h, "kvm_amd");
	no_device(h);
	put_bytes(h, "/dev/cpu/0/msr", &svmdis, 8, 0xc0010114);
	examine(h, "jit", "no-device");
	expect(h, "cpu.firmware", FINDING_PROBLEM, "VM_CR is 0x18", "SVM Mode");
	done(h);

	h = host(true);
	unload(h, "kvm_amd");
	no_device(h);
	put(h, "/dev/kmsg",
	    "6,1,1,-;Linux version\n4,900,5140900,-;kvm_amd: SVM disabled (by BIOS) in "
	    "MSR_VM_CR\n");
	examine(h, "jit", "no-device");
	expect(h, "cpu.firmware", FINDING_PROBLEM, "\"kvm_amd: SVM disabled (by BIOS)", "SVM Mode");
	done(h);
}

Test(doctor, container_without_device)
{
	struct host *h = host(false);

	put(h, "/.dockerenv", "");
	no_device(h);
	examine(h, "jit", "no-device");
	expect(h, "host.container", FINDING_NOTE, "container", NULL);
	expect(h, "kvm.device", FINDING_PROBLEM, "no /dev/kvm", "--device /dev/kvm");
	done(h);

	h = host(false);
	no_device(h);
	examine(h, "jit", "no-device");
	expect(h, "kvm.device", FINDING_PROBLEM, "no /dev/kvm", "mknod");
	done(h);
}

/* A module that is built in shows in /sys whether it has started or not. */
Test(doctor, built_in_and_not_started)
{
	struct host *h = host(false);

	put(h, "/proc/misc", "200 tun\n200 nix\n");
	no_device(h);
	examine(h, "jit", "no-device");
	expect(h, "kvm.module", FINDING_PROBLEM, "did not start", "dmesg");
	expect(h, "cpu.firmware", FINDING_NOTE, "cannot be seen", "sudo doppel doctor");
	h->ecx1 = 0;
	examine(h, "jit", "no-device");
	expect(h, "kvm.module", FINDING_PROBLEM, "did not start", "without VT-x");
	done(h);
}

Test(doctor, nested_off)
{
	struct host *h = host(true);

	h->ecx1 = HYPERVISOR;
	h->ecx81 = 0;
	unload(h, "kvm_amd");
	put(h, "/proc/misc", "200 tun\n200 nix\n");
	put(h, "/sys/class/dmi/id/sys_vendor", "QEMU\n");
	put(h, "/sys/class/dmi/id/product_name", "Standard PC\n");
	no_device(h);
	examine(h, "jit", "no-device");
	expect(h, "cpu.virtualization", FINDING_PROBLEM, "the hypervisor below (KVM)",
	       "modprobe kvm_amd nested=1");
	expect(h, "host.machine", FINDING_NOTE, "a virtual machine of KVM (QEMU Standard PC)",
	       NULL);
	expect(h, "host.nested", FINDING_NOTE, "off", NULL);
	done(h);
}

Test(doctor, no_translator)
{
	struct host *h = host(false);

	h->in.jit_why = "no BMI2";
	h->ebx7 = ~(1u << 8);
	no_device(h);
	examine(h, "interp", "no-device");
	expect(h, "engine.jit", FINDING_PROBLEM, "no BMI2", "Haswell");
	expect(h, "model.x86-64-v2", FINDING_OK, "natively", NULL);
	expect(h, "model.x86-64-v3", FINDING_NOTE, "lacks bmi2", "-cpu x86-64-v3,-bmi2");
	done(h);
}

Test(doctor, limits)
{
	struct host *h = host(false);

	put(h, "/sys/fs/cgroup/user.slice/me/memory.max", "max\n");
	put(h, "/sys/fs/cgroup/user.slice/memory.max", "201326592\n");
	put(h, "/sys/fs/cgroup/user.slice/me/cpu.max", "150000 100000\n");
	put(h, "/proc/self/limits",
	    "Limit  Soft Limit  Hard Limit  Units\n"
	    "Max address space 1073741824 unlimited bytes\n");
	put(h, "/proc/sys/vm/overcommit_memory", "2\n");
	put(h, "/sys/kernel/mm/transparent_hugepage/shmem_enabled",
	    "always within_size advise [never] deny force\n");
	examine(h, "kvm", "usable");
	expect(h, "memory.size", FINDING_PROBLEM, "192 of 16384", "-m");
	expect(h, "memory.cgroup", FINDING_NOTE, "192 MiB", "memory.max");
	expect(h, "memory.ulimit", FINDING_PROBLEM, "1024 MiB", "ulimit -v");
	expect(h, "memory.overcommit", FINDING_NOTE, "2048 MiB", "sysctl");
	expect(h, "memory.hugepages", FINDING_NOTE, "never", "shmem_enabled");
	expect(h, "cpu.number", FINDING_NOTE, "1.5", "quota");
	done(h);
}
