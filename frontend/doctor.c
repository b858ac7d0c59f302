/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * From facts to findings: what each means for running guests, and what to do about it.
 */
#include "frontend/doctor.h"

#include <stdarg.h>
#include <string.h>

#define SMALL_MIB 256
#define FEW_KERNELS                                                                                \
	4 /* kernel code may be this much slower than the host's before it is worth a word */

struct exam {
	const struct doctor_input *in;
	struct host_facts f;
	struct doctor_report *r;
};

static struct finding *say(struct exam *e, const char *section, enum finding_level level,
			   const char *id, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
static void remedy(struct finding *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static struct finding *say(struct exam *e, const char *section, enum finding_level level,
			   const char *id, const char *fmt, ...)
{
	struct doctor_report *r = e->r;
	unsigned n = r->nr < sizeof(r->finding) / sizeof(r->finding[0]) ? r->nr++ : r->nr - 1;
	struct finding *f = &r->finding[n];
	va_list ap;

	f->section = section;
	f->level = level;
	snprintf(f->id, sizeof(f->id), "%s", id);
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
	return f;
}

static void remedy(struct finding *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->remedy, sizeof(f->remedy), fmt, ap);
	va_end(ap);
}

/* ---- the processor ---- */

#define CPU "Processor"

static const char *extension(const struct host_facts *f)
{
	return f->intel ? "VT-x" : "AMD-V";
}

static const char *module(const struct host_facts *f)
{
	return f->intel ? "kvm_intel" : "kvm_amd";
}

/* What the signatures of leaf 40000000h stand for. */
static const char *hypervisor(const struct host_facts *f)
{
	static const char *const names[][2] = {
	    {"KVMKVMKVM", "KVM"},         {"VMwareVMware", "VMware"},
	    {"Microsoft Hv", "Hyper-V"},  {"XenVMMXenVMM", "Xen"},
	    {"TCGTCGTCGTCG", "QEMU TCG"}, {"VBoxVBoxVBox", "VirtualBox"},
	    {"DoppelDoppel", "doppel"},   {"bhyve bhyve ", "bhyve"},
	};

	for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
		if (strcmp(f->hypervisor, names[n][0]) == 0)
			return names[n][1];
	return *f->hypervisor ? f->hypervisor : "an unnamed hypervisor";
}

static void examine_cpu(struct exam *e)
{
	const struct host_facts *f = &e->f;
	struct finding *x;

	say(e, CPU, FINDING_OK, "cpu.model", "%s (%s, family %u, model %u)",
	    *f->brand ? f->brand : "unnamed", f->vendor, f->family, f->model);
	if (f->vmx || f->svm) {
		say(e, CPU, FINDING_OK, "cpu.virtualization", "it has %s", extension(f));
	} else if (f->virtual) {
		x = say(e, CPU, FINDING_PROBLEM, "cpu.virtualization",
			"no %s in CPUID: the hypervisor below (%s) does not pass it on",
			extension(f), hypervisor(f));
		remedy(
		    x,
		    "switch nested virtualization on below: on a KVM host 'modprobe %s nested=1' "
		    "and a guest CPU model with it (-cpu host); at a cloud provider an instance "
		    "type that has it, or bare metal",
		    module(f));
	} else {
		x = say(e, CPU, FINDING_PROBLEM, "cpu.virtualization",
			"no %s in CPUID: this processor cannot virtualize, or firmware hides it",
			extension(f));
		remedy(x,
		       "look for Virtualization or %s in the firmware's setup; if it is not there, "
		       "only another processor helps",
		       f->intel ? "VT-x" : "SVM");
	}
	if (!f->vmx && !f->svm)
		return;
	if (f->lock == LOCK_OFF) {
		x = say(e, CPU, FINDING_PROBLEM, "cpu.firmware", "firmware has locked %s off: %s",
			extension(f), f->lock_source);
		remedy(x, "enable %s in the firmware's setup, then switch the machine off and on",
		       f->intel ? "Intel Virtualization Technology (VT-x)" : "SVM Mode (AMD-V)");
	} else if (f->lock == LOCK_OPEN) {
		say(e, CPU, FINDING_OK, "cpu.firmware", "firmware has not locked it off: %s",
		    f->lock_source);
	} else {
		x = say(e, CPU, FINDING_NOTE, "cpu.firmware",
			"whether firmware has locked %s off cannot be seen from here",
			extension(f));
		remedy(x, "if %s does not load: 'sudo modprobe msr' and 'sudo doppel doctor' tell",
		       module(f));
	}
}

static void examine_cpus(struct exam *e)
{
	const struct host_facts *f = &e->f;
	struct finding *x;

	if (f->cpu_quota > 0 && f->cpu_quota < e->in->cpus) {
		x = say(e, CPU, FINDING_NOTE, "cpu.number",
			"%u CPUs, of which a control group allows "
			"%.1f: more -smp than that only takes turns",
			e->in->cpus, f->cpu_quota);
		remedy(x, "raise the quota: cpu.max of the control group, --cpus of the container");
		return;
	}
	say(e, CPU, FINDING_OK, "cpu.number", "%u CPU%s, no quota", e->in->cpus,
	    e->in->cpus == 1 ? "" : "s");
}

/* ---- the host ---- */

#define HOST "Host"

static void examine_host(struct exam *e)
{
	const struct host_facts *f = &e->f;

	if (f->virtual)
		say(e, HOST, FINDING_NOTE, "host.machine", "a virtual machine of %s%s%s%s",
		    hypervisor(f), *f->product ? " (" : "", f->product, *f->product ? ")" : "");
	else
		say(e, HOST, FINDING_OK, "host.machine", "no hypervisor below%s%s",
		    *f->product ? ": " : "", f->product);
	if (f->virtual)
		say(e, HOST, f->vmx || f->svm ? FINDING_OK : FINDING_NOTE, "host.nested",
		    "nested virtualization is %s", f->vmx || f->svm ? "on" : "off");
	if (f->container)
		say(e, HOST, FINDING_NOTE, "host.container", "inside a container");
	if (*f->release)
		say(e, HOST, FINDING_OK, "host.kernel", "Linux %s", f->release);
}

/* ---- KVM ---- */

#define KVM "KVM"

static bool loaded(const struct host_facts *f)
{
	return (f->vendor_module || *f->other_module) && f->misc_kvm;
}

static void examine_module(struct exam *e)
{
	const struct host_facts *f = &e->f;
	struct finding *x;

	if (f->vendor_module && !f->misc_kvm && e->in->probe.verdict != PROBE_USABLE) {
		/* Built into the kernel it is always there. */
		x = say(e, KVM, FINDING_PROBLEM, "kvm.module", "%s is there, but did not start",
			module(f));
		if (f->lock == LOCK_OFF)
			remedy(x, "first enable it in firmware, as above");
		else if (!f->vmx && !f->svm)
			remedy(x, "it cannot start without %s; see above", extension(f));
		else
			remedy(x, "sudo dmesg | grep -i kvm tells why; firmware may have locked it "
				  "off");
	} else if (f->vendor_module) {
		say(e, KVM, FINDING_OK, "kvm.module", "%s is loaded", module(f));
	} else if (*f->other_module) {
		say(e, KVM, FINDING_NOTE, "kvm.module",
		    "%s is loaded, which is neither kvm_intel nor kvm_amd", f->other_module);
	} else if (e->in->probe.verdict == PROBE_USABLE) {
		say(e, KVM, FINDING_NOTE, "kvm.module", "no module to be seen from here");
	} else {
		x = say(e, KVM, FINDING_PROBLEM, "kvm.module", "%s is not loaded%s", module(f),
			f->kvm_module ? ", only kvm is" : "");
		if (f->lock == LOCK_OFF)
			remedy(x, "first enable it in firmware, as above; it does not load before");
		else if (!f->vmx && !f->svm)
			remedy(x, "it cannot load without %s; see above", extension(f));
		else
			remedy(x, "sudo modprobe %s%s; dmesg tells if it refuses", module(f),
			       f->module_file || f->container || !*f->release
				   ? ""
				   : " (install the kernel's modules first: they are not in "
				     "/lib/modules)");
	}
}

static void examine_device(struct exam *e)
{
	const struct kvm_probe *p = &e->in->probe;
	const struct host_facts *f = &e->f;
	char what[256], todo[256];
	struct finding *x;

	kvm_probe_reason(p, e->in->root, what, sizeof(what));
	kvm_probe_remedy(p, e->in->root, todo, sizeof(todo));
	switch ((enum probe_verdict)p->verdict) {
	case PROBE_NO_DEVICE:
	case PROBE_NO_DRIVER:
		x = say(e, KVM, FINDING_PROBLEM, "kvm.device", "%s", what);
		if (f->container && (loaded(f) || f->misc_kvm))
			remedy(x, "the host has it: start the container with --device /dev/kvm "
				  "(Kubernetes: "
				  "a device plugin, or a privileged pod)");
		else if (loaded(f) || f->misc_kvm)
			remedy(x, "the module is there, so make the node: sudo mknod -m 660 "
				  "/dev/kvm c 10 "
				  "232 && sudo chgrp kvm /dev/kvm; udev does it where it runs");
		else
			remedy(x, "it comes with the module; see above");
		break;
	case PROBE_NO_PERMISSION:
	case PROBE_NO_OPEN:
	case PROBE_OLD_API:
	case PROBE_NO_CAPABILITY:
		x = say(e, KVM, FINDING_PROBLEM, "kvm.device", "%s", what);
		remedy(x, "%s", todo);
		break;
	case PROBE_NO_VM:
	case PROBE_NO_ANSWER:
		say(e, KVM, FINDING_OK, "kvm.device", "/dev/kvm opens, API version %d", p->api);
		x = say(e, KVM, FINDING_PROBLEM, "kvm.guest", "%s", what);
		remedy(x, "%s", todo);
		break;
	default:
		say(e, KVM, FINDING_OK, "kvm.device",
		    "/dev/kvm opens, API version %d, up to %u CPUs a guest", p->api, p->max_vcpus);
		break;
	}
}

static const char *ns_text(uint32_t ps, char *s, size_t len)
{
	if (ps < 10000)
		snprintf(s, len, "%u.%02u", ps / 1000, ps / 10 % 100);
	else
		snprintf(s, len, "%u", ps / 1000);
	return s;
}

static void examine_speed(struct exam *e)
{
	const struct kvm_probe *p = &e->in->probe;
	char todo[256], kernel[24], user[24], host[24];
	struct finding *x;
	bool slow = p->verdict == PROBE_SLOW;

	if (!p->kernel_ps || !p->user_ps || !p->host_ps)
		return;
	kvm_probe_remedy(p, e->in->root, todo, sizeof(todo));
	ns_text(p->kernel_ps, kernel, sizeof(kernel));
	ns_text(p->user_ps, user, sizeof(user));
	ns_text(p->host_ps, host, sizeof(host));
	x = say(e, KVM,
		slow                                      ? FINDING_PROBLEM
		: p->kernel_ps / FEW_KERNELS > p->host_ps ? FINDING_NOTE
							  : FINDING_OK,
		"kvm.speed",
		"%s: kernel code takes %s ns an instruction, user code %s, the same here %s",
		slow ? "this is a software KVM" : "it runs code on the processor", kernel, user,
		host);
	if (slow)
		remedy(x, "%s", todo);
	if (p->pio_ns)
		say(e, KVM, FINDING_OK, "kvm.exits",
		    "a port access costs %u.%01u us, a device's memory %u.%01u us",
		    p->pio_ns / 1000, p->pio_ns / 100 % 10, p->mmio_ns / 1000,
		    p->mmio_ns / 100 % 10);
}

static void examine_checks(struct exam *e)
{
	const struct kvm_probe *p = &e->in->probe;
	char how[128], id[40];
	unsigned right = 0;

	if (p->verdict != PROBE_USABLE && p->verdict != PROBE_BROKEN && p->verdict != PROBE_SLOW)
		return;
	for (unsigned n = 0; n < PROBE_NR_CHECKS; n++) {
		struct finding *x;

		if (p->check[n].outcome == OUTCOME_PASS) {
			right++;
			continue;
		}
		snprintf(id, sizeof(id), "kvm.check.%u", n);
		kvm_probe_outcome(p, n, how, sizeof(how));
		x = say(e, KVM, FINDING_PROBLEM, id, "%s: %s", kvm_probe_check_name(n), how);
		remedy(x, p->verdict == PROBE_SLOW ? "no setting helps; see the line on its speed"
						   : "update the host kernel, and that of the "
						     "hypervisor below if there is one");
	}
	say(e, KVM, right == PROBE_NR_CHECKS ? FINDING_OK : FINDING_NOTE, "kvm.checks",
	    "%u of %u checks of a test guest were right (%u ms%s)", right, PROBE_NR_CHECKS,
	    (p->took_us + 500) / 1000, p->cached ? ", measured earlier" : "");
}

/* ---- engines ---- */

#define ENGINES "Engines"

static void examine_engines(struct exam *e)
{
	bool kvm = e->in->probe.verdict == PROBE_USABLE;
	struct cpuid_regs r;
	struct finding *x;

	if (!e->in->kvm_engine) {
		x = say(e, ENGINES, FINDING_NOTE, "engine.kvm", "kvm: this build has none");
		remedy(x, "%s",
		       kvm ? "this host could run one: use a later doppel"
			   : "none that would help here: this host's KVM is not usable");
	} else {
		x = say(e, ENGINES, kvm ? FINDING_OK : FINDING_PROBLEM, "engine.kvm",
			kvm ? "kvm: guest code runs on the processor, kernel and user"
			    : "kvm: cannot be used here");
		if (!kvm)
			remedy(x, "see what is wrong with KVM above");
	}
	if (!e->in->jit_why) {
		say(e, ENGINES, FINDING_OK, "engine.jit",
		    "jit: translates to this processor (BMI2 and executable memory are there)");
	} else {
		x = say(e, ENGINES, FINDING_PROBLEM, "engine.jit", "jit: cannot run: %s",
			e->in->jit_why);
		e->in->cpuid(e->in->opaque, 7, 0, &r);
		if (!(r.ebx >> 8 & 1))
			remedy(x, "it needs a processor with BMI2 (Intel Haswell, AMD Excavator or "
				  "later); in a virtual machine a CPU model that passes it on");
		else
			remedy(x, "allow executable memory: sysctl vm.memfd_noexec=0, SELinux's "
				  "execmem, or the sandbox around doppel");
	}
	say(e, ENGINES, FINDING_OK, "engine.interp", "interp: runs anywhere");
}

/* ---- CPU models ---- */

#define MODELS "CPU models"

/* Ours under every engine, or of the kernel's side only: no guest instruction is slower without. */
static bool is_emulated(enum feature f)
{
	switch (f) {
	case FEAT_APIC:
	case FEAT_X2APIC:
	case FEAT_TSC_DEADLINE:
	case FEAT_TSC_ADJUST:
	case FEAT_ARAT:
	case FEAT_INVTSC:
	case FEAT_MCE:
	case FEAT_MCA:
	case FEAT_MTRR:
	case FEAT_HYPERVISOR:
	case FEAT_KVMCLOCK:
	case FEAT_SPEC_CTRL:
	case FEAT_ARCH_CAPABILITIES:
	case FEAT_HTT:
		return true;
	default:
		return false;
	}
}

/* Paging and protection, which the translator does in software on any host. */
static bool is_system(enum feature f)
{
	switch (f) {
	case FEAT_VME:
	case FEAT_DE:
	case FEAT_PSE:
	case FEAT_PSE36:
	case FEAT_PAE:
	case FEAT_PGE:
	case FEAT_PAT:
	case FEAT_NX:
	case FEAT_PDPE1GB:
	case FEAT_SMEP:
	case FEAT_SMAP:
	case FEAT_UMIP:
	case FEAT_PKU:
	case FEAT_LA57:
	case FEAT_PCID:
	case FEAT_INVPCID:
	case FEAT_XSAVES:
	case FEAT_MSR:
	case FEAT_SYSCALL:
	case FEAT_SEP:
		return true;
	default:
		return false;
	}
}

static bool host_has(struct exam *e, uint32_t leaf, uint32_t subleaf, unsigned reg, unsigned bit)
{
	struct cpuid_regs r, max;

	e->in->cpuid(e->in->opaque, leaf & 0x80000000, 0, &max);
	if (leaf > max.eax)
		return false;
	e->in->cpuid(e->in->opaque, leaf, subleaf, &r);
	uint32_t regs[4] = {r.eax, r.ebx, r.ecx, r.edx};
	return regs[reg] >> bit & 1;
}

static void examine_models(struct exam *e)
{
	static const char *const names[] = {"qemu64", "x86-64-v1", "x86-64-v2", "x86-64-v3", "max"};
	static const struct {
		enum feature f;
		const char *name;
		uint32_t leaf, subleaf;
		unsigned reg, bit;
	} features[] = {
#define FEATURE(id, name, leaf, subleaf, reg, bit) {FEAT_##id, name, leaf, subleaf, reg, bit},
#include "cpu/features.def"
#undef FEATURE
	};
	bool kvm = e->in->kvm_engine && e->in->probe.verdict == PROBE_USABLE;

	for (size_t m = 0; m < sizeof(names) / sizeof(names[0]); m++) {
		char err[128], id[40], lacks[200] = "";
		struct cpu_model model;
		size_t used = 0;

		if (cpu_model_parse(&model, names[m], err, sizeof(err)) < 0)
			continue;
		for (size_t n = 0; n < sizeof(features) / sizeof(features[0]); n++) {
			enum feature f = features[n].f;

			if (!cpu_has(&model, f) || is_emulated(f) || (!kvm && is_system(f)) ||
			    host_has(e, features[n].leaf, features[n].subleaf, features[n].reg,
				     features[n].bit) ||
			    used >= sizeof(lacks))
				continue;
			if (used + strlen(features[n].name) + sizeof(" ...") >= sizeof(lacks)) {
				snprintf(lacks + used, sizeof(lacks) - used, " ...");
				used = sizeof(lacks);
				continue;
			}
			used += (size_t)snprintf(lacks + used, sizeof(lacks) - used, "%s%s",
						 used ? " " : "", features[n].name);
		}
		snprintf(id, sizeof(id), "model.%s", names[m]);
		if (!used) {
			say(e, MODELS, FINDING_OK, id, "%s runs natively", names[m]);
			continue;
		}
		struct finding *x = say(e, MODELS, FINDING_NOTE, id, "%s: this processor lacks %s",
					names[m], lacks);
		if (kvm)
			remedy(x,
			       "kvm cannot have them: leave them out (-cpu %s,-%.*s) or use -accel "
			       "jit",
			       names[m], (int)strcspn(lacks, " "), lacks);
		else
			remedy(x,
			       "doppel emulates them; where that is slow leave them out: -cpu "
			       "%s,-%.*s",
			       names[m], (int)strcspn(lacks, " "), lacks);
	}
}

/* ---- memory ---- */

#define MEMORY "Memory"

static void examine_memory(struct exam *e)
{
	const struct host_facts *f = &e->f;
	unsigned long long limit = f->mem_available;
	const char *by = "free";
	struct finding *x;

	if (f->mem_cgroup && f->mem_cgroup < limit) {
		limit = f->mem_cgroup;
		by = "within the control group's limit";
	}
	if (f->mem_address_space && f->mem_address_space < limit) {
		limit = f->mem_address_space;
		by = "within the limit on address space";
	}
	x = say(e, MEMORY, limit < SMALL_MIB ? FINDING_PROBLEM : FINDING_OK, "memory.size",
		"%llu of %llu MiB are %s", limit, (unsigned long long)f->mem_total, by);
	if (limit < SMALL_MIB)
		remedy(x, "stop other programs, or keep -m small");
	if (f->mem_cgroup) {
		x = say(e, MEMORY, FINDING_NOTE, "memory.cgroup",
			"a control group allows %llu MiB, page cache included",
			(unsigned long long)f->mem_cgroup);
		remedy(x, "for larger guests raise memory.max, or --memory of the container");
	}
	if (f->mem_address_space) {
		x = say(
		    e, MEMORY, FINDING_PROBLEM, "memory.ulimit",
		    "address space is limited to %llu MiB, of which doppel takes 512 for itself",
		    (unsigned long long)f->mem_address_space);
		remedy(x, "ulimit -v unlimited");
	}
	if (f->overcommit == 2) {
		x = say(e, MEMORY, FINDING_NOTE, "memory.overcommit",
			"overcommit is off: a guest's memory counts in full, and %llu MiB are left",
			(unsigned long long)f->commit_left);
		remedy(x, "sudo sysctl vm.overcommit_memory=0");
	} else if (f->overcommit >= 0) {
		say(e, MEMORY, FINDING_OK, "memory.overcommit",
		    "overcommit is on: a guest takes only what it touches");
	}
	if (strcmp(f->thp_shmem, "never") == 0 || strcmp(f->thp_shmem, "deny") == 0) {
		x = say(
		    e, MEMORY, FINDING_NOTE, "memory.hugepages",
		    "no huge pages for guest memory (shmem_enabled is %s): memory-bound guests are "
		    "slower",
		    f->thp_shmem);
		remedy(x, "echo advise | sudo tee "
			  "/sys/kernel/mm/transparent_hugepage/shmem_enabled");
	} else if (*f->thp_shmem) {
		say(e, MEMORY, FINDING_OK, "memory.hugepages",
		    "guest memory gets huge pages (shmem_enabled is %s)", f->thp_shmem);
	} else {
		x = say(e, MEMORY, FINDING_NOTE, "memory.hugepages",
			"this kernel has no transparent huge pages for guest memory");
		remedy(x, "a kernel with CONFIG_TRANSPARENT_HUGEPAGE");
	}
	if (f->huge_total)
		say(e, MEMORY, FINDING_NOTE, "memory.reserved",
		    "%llu of %llu reserved huge pages are free; doppel does not use reserved ones",
		    (unsigned long long)f->huge_free, (unsigned long long)f->huge_total);
}

/* ---- the verdict ---- */

static const char *const verdict_names[PROBE_NR_VERDICTS] = {
    [PROBE_USABLE] = "usable",
    [PROBE_NO_DEVICE] = "no-device",
    [PROBE_NO_DRIVER] = "no-driver",
    [PROBE_NO_PERMISSION] = "no-permission",
    [PROBE_NO_OPEN] = "no-open",
    [PROBE_OLD_API] = "old-api",
    [PROBE_NO_CAPABILITY] = "no-capability",
    [PROBE_NO_VM] = "no-vm",
    [PROBE_NO_ANSWER] = "no-answer",
    [PROBE_BROKEN] = "broken",
    [PROBE_SLOW] = "software",
};

static void choose(struct exam *e)
{
	struct doctor_report *r = e->r;
	const struct kvm_probe *p = &e->in->probe;
	char what[256];

	r->kvm = verdict_names[p->verdict];
	if (!e->in->kvm_engine)
		snprintf(what, sizeof(what), "this build has no kvm engine");
	else
		kvm_probe_reason(p, e->in->root, what, sizeof(what));
	snprintf(r->why, sizeof(r->why), "%s", what);
	if (!*what) {
		r->engine = "kvm";
		r->speed = "native; device accesses as slow as the exits above";
	} else if (!e->in->jit_why) {
		r->engine = "jit";
		r->speed =
		    "translated: loops take 1 to 4 times as long as natively, large programs 5 "
		    "to 15 times";
	} else {
		r->engine = "interp";
		r->speed = "interpreted: tens of times slower than native";
		snprintf(r->why, sizeof(r->why), "%s; the translator cannot run: %s", what,
			 e->in->jit_why);
	}
}

void doctor_examine(const struct doctor_input *in, struct doctor_report *r)
{
	struct exam e = {.in = in, .r = r};

	memset(r, 0, sizeof(*r));
	doctor_look(in, &e.f);
	examine_cpu(&e);
	examine_cpus(&e);
	examine_host(&e);
	examine_module(&e);
	examine_device(&e);
	examine_checks(&e);
	examine_speed(&e);
	examine_engines(&e);
	examine_models(&e);
	examine_memory(&e);
	choose(&e);
}
