/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the probe found, in words.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/probe/kvm_probe.h"

static const char *const check_names[PROBE_NR_CHECKS] = {
    [CHECK_REAL] = "real mode",          [CHECK_MODES] = "real to long mode",
    [CHECK_PIO] = "port exits",          [CHECK_MMIO] = "memory exits",
    [CHECK_HLT] = "HLT and its wake-up", [CHECK_IRQ] = "interrupt injection",
    [CHECK_INT] = "INT n in ring 0",     [CHECK_USER_INT] = "INT n from ring 3",
    [CHECK_FAULT] = "page faults",       [CHECK_SYSCALL] = "SYSCALL and SYSRET",
    [CHECK_SSE] = "SSE in ring 0",       [CHECK_FXSAVE] = "FXSAVE in ring 0",
};

const char *kvm_probe_check_name(unsigned n)
{
	return n < PROBE_NR_CHECKS ? check_names[n] : NULL;
}

void kvm_probe_outcome(const struct kvm_probe *p, unsigned n, char *s, size_t len)
{
	unsigned detail = p->check[n].detail;

	switch ((enum probe_outcome)p->check[n].outcome) {
	case OUTCOME_PASS:
		snprintf(s, len, "right");
		break;
	case OUTCOME_WRONG:
		snprintf(s, len, "wrong result (%u)", detail);
		break;
	case OUTCOME_FAULT:
		snprintf(s, len, "unexpected exception %u", detail);
		break;
	case OUTCOME_EXIT:
		snprintf(s, len, "unexpected exit, reason %u%s", detail,
			 detail == 8 ? " (triple fault)" : "");
		break;
	case OUTCOME_INTERNAL:
		snprintf(s, len, "KVM_EXIT_INTERNAL_ERROR, suberror %u", detail);
		break;
	case OUTCOME_HUNG:
		snprintf(s, len, "hung");
		break;
	case OUTCOME_ERROR:
		snprintf(s, len, "KVM_RUN failed: %s", strerror((int)detail));
		break;
	default:
		snprintf(s, len, "not tried");
		break;
	}
}

/* The name of a group, or its number. Not by getgrgid(), which a static binary cannot have. */
static void group_name(const char *root, uint32_t gid, char *s, size_t len)
{
	char path[300], line[512];
	FILE *f;

	snprintf(s, len, "%u", gid);
	snprintf(path, sizeof(path), "%s/etc/group", root);
	f = fopen(path, "re");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		char *pass = strchr(line, ':');
		char *number = pass ? strchr(pass + 1, ':') : NULL;

		if (!number || strtoul(number + 1, NULL, 10) != gid)
			continue;
		*pass = 0;
		snprintf(s, len, "%.63s", line);
		break;
	}
	fclose(f);
}

static void failed_checks(const struct kvm_probe *p, char *s, size_t len)
{
	size_t used = 0;

	*s = 0;
	for (unsigned n = 0; n < PROBE_NR_CHECKS && used < len; n++)
		if (p->check[n].outcome != OUTCOME_PASS)
			used += (size_t)snprintf(s + used, len - used, "%s%s", used ? ", " : "",
						 check_names[n]);
}

void kvm_probe_reason(const struct kvm_probe *p, const char *root, char *s, size_t len)
{
	char more[192];
	size_t used = 0;

	switch ((enum probe_verdict)p->verdict) {
	case PROBE_NO_DEVICE:
		snprintf(s, len, "there is no /dev/kvm");
		break;
	case PROBE_NO_DRIVER:
		snprintf(s, len, "/dev/kvm has no driver behind it (%s)", strerror(p->error));
		break;
	case PROBE_NO_PERMISSION:
		group_name(root, p->dev_gid, more, sizeof(more));
		snprintf(s, len, "no permission to open /dev/kvm (group %s, mode %04o)", more,
			 p->dev_mode);
		break;
	case PROBE_NO_OPEN:
		snprintf(s, len, "/dev/kvm cannot be opened: %s", strerror(p->error));
		break;
	case PROBE_OLD_API:
		snprintf(s, len, "/dev/kvm has API version %d, not 12", p->api);
		break;
	case PROBE_NO_CAPABILITY:
		*s = 0;
		for (unsigned n = 0; kvm_probe_capability(n) && used < len; n++)
			if (p->missing >> n & 1)
				used += (size_t)snprintf(s + used, len - used, "%s%s",
							 used ? ", " : "KVM lacks ",
							 kvm_probe_capability(n));
		break;
	case PROBE_NO_VM:
		snprintf(s, len, "KVM makes no virtual machine: %s", strerror(p->error));
		break;
	case PROBE_NO_ANSWER:
		snprintf(s, len, "the process that tried KVM died or hung");
		break;
	case PROBE_BROKEN:
		failed_checks(p, more, sizeof(more));
		snprintf(s, len, "a test guest under KVM failed at %s", more);
		break;
	case PROBE_SLOW:
		snprintf(s, len,
			 "this KVM is software: kernel code takes %u.%u ns an instruction, the "
			 "host %u.%02u",
			 p->kernel_ps / 1000, p->kernel_ps / 100 % 10, p->host_ps / 1000,
			 p->host_ps / 10 % 100);
		break;
	default:
		*s = 0;
		break;
	}
}

void kvm_probe_remedy(const struct kvm_probe *p, const char *root, char *s, size_t len)
{
	char group[64];

	switch ((enum probe_verdict)p->verdict) {
	case PROBE_NO_DEVICE:
	case PROBE_NO_DRIVER:
		snprintf(s, len,
			 "load kvm_intel or kvm_amd (in a container: pass the device in); 'doppel "
			 "doctor' says more");
		break;
	case PROBE_NO_PERMISSION:
		group_name(root, p->dev_gid, group, sizeof(group));
		if (p->dev_mode & 060 && p->dev_gid)
			snprintf(s, len,
				 "join the group: sudo usermod -aG %s $USER, then log in again",
				 group);
		else
			snprintf(s, len,
				 "let a group open it: sudo chgrp kvm /dev/kvm && sudo chmod "
				 "660 /dev/kvm, and join that group");
		break;
	case PROBE_NO_OPEN:
		snprintf(s, len, "see dmesg; another hypervisor may hold the processor");
		break;
	case PROBE_OLD_API:
	case PROBE_NO_CAPABILITY:
		snprintf(s, len, "use a newer host kernel (Linux 5.14 or later)");
		break;
	case PROBE_NO_VM:
		snprintf(s, len,
			 "see dmesg for kvm's reason; another hypervisor may hold the "
			 "processor, or memory or a limit may be short");
		break;
	case PROBE_NO_ANSWER:
		snprintf(s, len, "see dmesg for kvm's reason; 'doppel doctor' tries again");
		break;
	case PROBE_BROKEN:
		snprintf(s, len,
			 "update the host kernel, and that of the hypervisor below if there "
			 "is one");
		break;
	case PROBE_SLOW:
		snprintf(s, len,
			 "run on bare metal, or on a virtual machine with nested "
			 "virtualization");
		break;
	default:
		*s = 0;
		break;
	}
}
