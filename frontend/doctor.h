/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * `doppel doctor`: what this host can accelerate, why not more, and what to do about it.
 */
#ifndef FRONTEND_DOCTOR_H
#define FRONTEND_DOCTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "accel/probe/kvm_probe.h"
#include "cpu/cpuid.h"

/* All that the doctor sees of a host; tests make hosts of their own. */
struct doctor_input {
	const char *root; /* put before /proc, /sys, /dev, /run and /etc; "" */
	void (*cpuid)(void *opaque, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out);
	void *opaque;
	struct kvm_probe probe;
	bool kvm_engine;     /* this build has one */
	const char *jit_why; /* it cannot run; or NULL */
	unsigned cpus;       /* that we may use */
};

/* ---- facts: doctor_host.c ---- */

struct host_facts {
	/* CPUID */
	char vendor[13], brand[49], hypervisor[13];
	unsigned family, model;
	bool intel, amd, vmx, svm, virtual;
	/* firmware and kernel */
	enum { LOCK_UNKNOWN, LOCK_OPEN, LOCK_OFF } lock;
	char lock_source[160]; /* who says so */
	char product[128];     /* DMI: the maker and name of the machine */
	bool container, kvm_module, vendor_module, module_file, misc_kvm;
	char other_module[32]; /* kvm_..., neither kvm_intel nor kvm_amd */
	char release[65];
	/* memory, in MiB; 0: unknown */
	uint64_t mem_total, mem_available, mem_cgroup, mem_address_space;
	uint64_t huge_total, huge_free;
	int overcommit; /* -1: unknown */
	uint64_t commit_left;
	char thp_shmem[16];
	double cpu_quota; /* CPUs; 0: none */
};

void doctor_look(const struct doctor_input *in, struct host_facts *f);

/* ---- findings: doctor.c ---- */

enum finding_level { FINDING_OK, FINDING_NOTE, FINDING_PROBLEM };

struct finding {
	enum finding_level level;
	const char *section;
	char id[40];
	char text[320];
	char remedy[320]; /* empty: nothing to be done */
};

struct doctor_report {
	struct finding finding[64];
	unsigned nr;
	const char *engine; /* what -accel auto takes */
	char why[800];      /* not kvm; or empty */
	const char *speed;  /* its class */
	const char *kvm;    /* one word: usable, slow, no-device... */
};

void doctor_examine(const struct doctor_input *in, struct doctor_report *r);

/* ---- output: doctor_print.c ---- */

void doctor_print(const struct doctor_report *r, FILE *out);
void doctor_print_json(const struct doctor_report *r, FILE *out);

/* `doppel doctor [--json]`: the exit status. */
int doctor_main(int argc, char **argv);

#endif
