/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the parts of the kvm engine share: the virtual machine, made once per machine, and its vCPUs.
 * Interface: the kernel's Documentation/virt/kvm/api.rst.
 */
#ifndef ACCEL_KVM_KVM_IMPL_H
#define ACCEL_KVM_KVM_IMPL_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "accel/engine.h"
#include "accel/stats.h"
#include "cpu/bus.h"
#include "cpu/cpuid.h"
#include "cpu/vcpu.h"
#include "mmu/aspace.h"

/* Where processors without unrestricted guests keep their real-mode TSS and identity map: under the ROM at
 * the end of 4 GiB, as QEMU has it. */
#define KVM_IDENTITY_ADDR 0xfffbc000ull
#define KVM_TSS_ADDR      0xfffbd000ull
#define KVM_SPARE_ADDR    0xfffbb000ull /* see kvm_mem_changed() */

struct kvm_slot {
	uint64_t gpa, size;
	struct ram *ram; /* NULL: not in use */
	uint64_t ram_off;
	bool rom, logged;
	uint64_t *written; /* logged: what KVM answers, a bit for each page */
};

#define KVM_MAX_MSRS 16

struct engine_vm {
	int kvm, fd;
	size_t run_size; /* of struct kvm_run's mapping */
	const struct cpu_model *model;
	const struct cpu_bus *bus;
	struct kvm_slot slot[ASPACE_MAX_RANGES];
	_Atomic bool mem_failed; /* the map cannot be given to KVM now */
	struct ram spare;        /* a page, for kvm_mem_changed() */
	pthread_mutex_t tsc_lock;
	unsigned tsc_users;               /* vCPUs whose TSC is now the processor's */
	uint64_t tsc_base;                /* what these add to it, beside their own offset */
	uint32_t avx_offset, pkru_offset; /* in the host's XSAVE area; 0: not there */
};

struct engine_cpu {
	struct engine_vm *vm;
	int fd;
	struct kvm_run *run;
	const struct cpu_model *model;
	const struct cpu_bus *bus;
	unsigned index;
	_Atomic uint32_t *events;
	/* As last loaded or stored; what KVM does not know is kept here. */
	struct vcpu state;
	uint32_t msr[KVM_MAX_MSRS]; /* those that KVM keeps */
	unsigned nr_msrs;
	bool tsc_attr;                   /* the TSC is set by its offset */
	bool tsc_joined;                 /* one of vm->tsc_users */
	uint64_t exits[NR_ENGINE_STATS]; /* by STAT_KVM_... */
	bool refused;                    /* KVM did not take the state */
	bool unfinished;                 /* the next KVM_RUN completes an instruction */
	bool ready;                      /* KVM takes an interrupt now */
	uint8_t cr8;                     /* as KVM has it */
	bool cr8_stale;
	uint64_t apic_page; /* guest-physical, or ~0 */
	enum run_failure failure;
	_Atomic pthread_t thread;
	_Atomic bool inside; /* KVM_RUN */
};

/* ioctl() that gives 0 or more, or -errno. */
int kvm_ioctl(int fd, unsigned long request, void *arg);

/* ---- kvm_mem.c ---- */

/* Makes the slots follow bus->mem from now on. 0 or -errno. Takes the machine lock. */
int kvm_mem_open(struct engine_vm *vm);
void kvm_mem_close(struct engine_vm *vm);
/* Guest memory, and page tables in it, were changed by others: KVM forgets what it made of them. */
void kvm_mem_changed(struct engine_vm *vm);

/* ---- kvm_cpuid.c ---- */

/* Clears the features that KVM cannot give. 0 or -errno. */
int kvm_fit(struct cpu_model *m);
/* 0 or -errno; -ENOTSUP where the model has more than KVM. */
int kvm_set_cpuid(struct engine_cpu *e);

/* ---- kvm_msr.c ---- */

int kvm_msr_open(struct engine_vm *vm);
/* Finds out which MSRs KVM keeps. */
void kvm_msr_init(struct engine_cpu *e);
int kvm_msrs_load(struct engine_cpu *e, const struct vcpu *v);
int kvm_msrs_store(struct engine_cpu *e, struct vcpu *v);
/* The guest's TSC is the processor's from here on, and again that of the bus. It never goes back, and vCPUs that
 * run at the same time have the same. */
void kvm_tsc_join(struct engine_cpu *e);
void kvm_tsc_leave(struct engine_cpu *e);
/* KVM_EXIT_X86_RDMSR and WRMSR; false: another engine must execute the instruction. */
bool kvm_msr_exit(struct engine_cpu *e);

/* ---- kvm_state.c ---- */

/* 0 or -errno. */
int kvm_state_load(struct engine_cpu *e, const struct vcpu *v);
int kvm_state_store(struct engine_cpu *e, struct vcpu *v);

#endif
