/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Can this host's KVM run real guests, and how fast? Not whether it says so: a tiny guest tries what
 * kernels do. The kernel's Documentation/virt/kvm/api.rst.
 */
#ifndef ACCEL_PROBE_KVM_PROBE_H
#define ACCEL_PROBE_KVM_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum probe_verdict {
	PROBE_USABLE,
	PROBE_NO_DEVICE,     /* no /dev/kvm */
	PROBE_NO_DRIVER,     /* the node is there, and nothing behind it */
	PROBE_NO_PERMISSION, /* to open it */
	PROBE_NO_OPEN,       /* it cannot be opened for another reason */
	PROBE_OLD_API,
	PROBE_NO_CAPABILITY,
	PROBE_NO_VM,     /* no VM or vCPU can be made */
	PROBE_NO_ANSWER, /* the process that tried it died or hung */
	PROBE_BROKEN,    /* a check failed */
	PROBE_SLOW,      /* all is right, but kernel code does not run on the processor */
	PROBE_NR_VERDICTS,
};

/* What the guest tries, each from a fresh state. */
enum probe_check {
	CHECK_REAL,  /* real mode, with stack and ports */
	CHECK_MODES, /* real to protected to long mode on its own, as a second processor starts */
	CHECK_PIO,   /* port exits in and out */
	CHECK_MMIO,  /* memory exits in and out */
	CHECK_HLT,   /* HLT exits, and an interrupt ends it */
	CHECK_IRQ,   /* the interrupt window, injection, IRETQ */
	CHECK_INT,   /* INT n in ring 0 */
	CHECK_USER_INT, /* INT n from ring 3 by way of the TSS */
	CHECK_FAULT,    /* a page fault with the right CR2 and error code; CR3, INVLPG */
	CHECK_SYSCALL,  /* SYSCALL and SYSRET with the right CS and RIP */
	CHECK_SSE,      /* SSE in ring 0 */
	CHECK_FXSAVE,   /* FXSAVE and FXRSTOR in ring 0 */
	PROBE_NR_CHECKS,
};

enum probe_outcome {
	OUTCOME_NOT_RUN,
	OUTCOME_PASS,
	OUTCOME_WRONG,    /* the guest saw something wrong; detail: which */
	OUTCOME_FAULT,    /* an exception that should not be; detail: vector */
	OUTCOME_EXIT,     /* an exit that should not be; detail: KVM_EXIT_... */
	OUTCOME_INTERNAL, /* KVM_EXIT_INTERNAL_ERROR; detail: suberror */
	OUTCOME_HUNG,
	OUTCOME_ERROR, /* KVM_RUN failed; detail: errno */
	PROBE_NR_OUTCOMES,
};

/* Numbers only, so that it can cross a process and lie in a file. */
struct kvm_probe {
	uint32_t verdict;                    /* enum probe_verdict */
	int32_t error;                       /* errno of what failed */
	uint32_t dev_mode, dev_uid, dev_gid; /* of /dev/kvm */
	int32_t api;
	uint32_t missing; /* bit n: capability n of kvm_probe_capability() */
	uint32_t max_vcpus;
	uint32_t slow_run; /* KVM_RUN calls that ended early by the timer */
	struct {
		uint32_t outcome, detail;
	} check[PROBE_NR_CHECKS];
	/* Picoseconds for an instruction: here, and in the guest's rings 0 and 3. 0: not measured. */
	uint32_t host_ps, kernel_ps, user_ps;
	/* Nanoseconds for an exit and the entry after it. */
	uint32_t pio_ns, mmio_ns;
	uint32_t took_us;
	uint32_t cached; /* from an earlier run since the host booted */
};

/* Probes, or takes the result of an earlier probe since the host booted, if nothing has changed. A
 * few milliseconds; two seconds at most, whatever KVM does. */
void kvm_probe(struct kvm_probe *p);
/* The same without the cache. */
void kvm_probe_run(struct kvm_probe *p);
/* Why this host's KVM cannot be used, with the remedy, or NULL. Probes once a process. */
const char *kvm_probe_unusable(void);

/* What the open /dev/kvm lacks for an engine, or NULL; nothing is tried. */
const char *kvm_probe_lacking(int kvm);

/* ---- words ---- */

const char *kvm_probe_capability(unsigned n); /* NULL past the last */
const char *kvm_probe_check_name(unsigned n);
/* "INT n in ring 0: KVM_EXIT_INTERNAL_ERROR, suberror 1": how check n went. */
void kvm_probe_outcome(const struct kvm_probe *p, unsigned n, char *s, size_t len);
/* What is wrong, and what to do about it; empty when it is usable. root is put before /etc/group. */
void kvm_probe_reason(const struct kvm_probe *p, const char *root, char *s, size_t len);
void kvm_probe_remedy(const struct kvm_probe *p, const char *root, char *s, size_t len);

/* ---- cache ---- */

/* The file, or -ENOENT where the environment names no place for it. */
int kvm_probe_cache_path(char *path, size_t len);
/* All that a result depends on but the guest: the host's boot, its kernel, modules and device. -errno
 * when there is no telling, and then nothing may be cached. */
int kvm_probe_cache_key(const char *root, char *key, size_t len);
/* 0, or -errno for a file that is missing, not ours, damaged, or of another key. */
int kvm_probe_cache_load(const char *path, const char *key, struct kvm_probe *p);
int kvm_probe_cache_store(const char *path, const char *key, const struct kvm_probe *p);

#endif
