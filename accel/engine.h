/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * An engine executes one vCPU. The canonical state (struct vcpu) belongs to the engine from load()
 * to store(); between run() calls store() may be called at any time and gives the state at an
 * instruction boundary. All functions but kick() are called on the vCPU's own thread.
 */
#ifndef ACCEL_ENGINE_H
#define ACCEL_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

struct cpu_bus;
struct cpu_model;
struct vcpu;
struct engine_cpu;
struct engine_stats;
struct engine_vm;
struct watch;
struct watch_hit;

/* Event bits that others post to a vCPU (see accel/cpus.h). */
enum cpu_event {
	EV_INTR = 1 << 0, /* level: the local APIC has an interrupt to deliver */
	EV_NMI = 1 << 1,
	EV_SMI = 1 << 2,
	EV_INIT = 1 << 3,
	EV_SIPI = 1 << 4,
	EV_TLB = 1 << 5,  /* the memory map changed: flush */
	EV_STOP = 1 << 6, /* return from run() */
	EV_TIME = 1 << 7, /* when the next timer is due has changed (cpu/bus.h, timers) */
	EV_HOP = 1 << 8,  /* another engine is to go on: return from run() */
};

/* Where run() stops before its bound (for lockstep). */
enum run_stops {
	STOP_BOUND, /* nowhere */
	STOP_LEFT,  /* whenever the engine's loop is reached, and after each exception */
	STOP_BLOCK, /* after each block too */
};

/* Settings of an engine, from the command line; 0: as it thinks best. */
struct engine_config {
	uint64_t cache; /* bytes of code memory */
	unsigned hot;   /* runs of a block before it is translated */
	bool count;     /* retired() is exact, and so is the bound of run() */
	enum run_stops stops;
	bool perfmap, jitdump; /* name generated code for the host's profiler */
};

enum run_exit {
	RUN_STOPPED,  /* EV_STOP, EV_INIT or EV_SIPI pending */
	RUN_HALTED,   /* HLT, MWAIT or wait-for-SIPI with nothing to wake it */
	RUN_SHUTDOWN, /* triple fault */
	RUN_FAILED,   /* the engine cannot execute the next instruction: hop */
	RUN_DEBUG, /* a debugger waits for the next instruction, or for an access of the last one */
};

/* Why it was RUN_FAILED. */
enum run_failure {
	FAIL_EMULATION, /* an instruction that KVM does not emulate */
	FAIL_ENTRY,     /* a state that it does not take */
	FAIL_MSR,       /* an MSR that is not its own */
	FAIL_MEMORY,    /* a memory map that it cannot have: A20 gate closed */
	FAIL_BOUND,     /* it cannot stop after so many instructions */
	FAIL_SMM,       /* system management mode: until that ends */
	FAILURES,
};

struct engine {
	const char *name;
	/* Changes guest memory without the protocol of mmu/ram.h. It never runs beside engines that follow
	 * that; forget() comes between. */
	bool native;
	/* With a single vCPU stores go by the flags that pages had (mmu/ram.h) when the TLB was filled, until
	 * EV_TLB. */
	bool trusts_tlb;
	/* Why this host cannot run it, or NULL. Any thread. */
	const char *(*unusable)(void);
	/* Clears the features of the model that the engine cannot give. NULL: it gives all. 0 or -errno. */
	int (*fit)(struct cpu_model *model);
	/* What the vCPUs of a machine share; all three NULL where there is nothing. join() follows create().
	 * The machine lock is not held. 0 or -errno. */
	int (*open)(struct engine_vm **out, const struct cpu_model *model,
		    const struct cpu_bus *bus);
	int (*join)(struct engine_cpu *e, struct engine_vm *vm);
	void (*close)(struct engine_vm *vm);
	/* events: the vCPU's event word, shared with the posting threads. 0 or -errno. */
	int (*create)(struct engine_cpu **out, const struct cpu_model *model,
		      const struct cpu_bus *bus, unsigned index, _Atomic uint32_t *events);
	/* Before the first run(); NULL when there is nothing to set. 0 or -errno. */
	int (*configure)(struct engine_cpu *e, const struct engine_config *config);
	void (*destroy)(struct engine_cpu *e);
	void (*load)(struct engine_cpu *e, const struct vcpu *state);
	void (*store)(struct engine_cpu *e, struct vcpu *state);
	/* max_insns: stop after that many instructions (RUN_STOPPED), where one that ends in an exception
	 * counts once it has been delivered; UINT64_MAX for no bound. */
	enum run_exit (*run)(struct engine_cpu *e, uint64_t max_insns);
	/* Any thread, after events changed: makes run() notice soon. */
	void (*kick)(struct engine_cpu *e);
	/* Instructions retired by the runs that have ended; all of them only where they are counted. */
	uint64_t (*retired)(struct engine_cpu *e);
	/* Between runs: the RIP of what was executed before run() noticed that it was to stop: the last instruction
	 * where that was an operation in C, else the block. The next instruction's where nothing was. NULL: run()
	 * stops where it is. */
	uint64_t (*last_rip)(struct engine_cpu *e);
	/* Adds what e has counted; outside of run(). */
	void (*stats)(struct engine_cpu *e, struct engine_stats *sum);
	/* Between two runs: engines of the other kind (native) have changed guest memory. NULL: nothing was
	 * kept from it. */
	void (*forget)(struct engine_cpu *e);
	/* After RUN_FAILED; NULL where that never comes. */
	enum run_failure (*failure)(struct engine_cpu *e);
	/* For a debugger (accel/debug.h); all three NULL where the engine cannot, and another one has to.
	 * Between runs, of any thread: what run() stops for, borrowed until the next call; NULL for nothing. */
	void (*watch)(struct engine_cpu *e, const struct watch *watch);
	/* Executes one instruction, whether it is waited for or not. No interrupt comes before it, and stops
	 * that others ask for stay posted. RUN_DEBUG after an access that is waited for. */
	enum run_exit (*step)(struct engine_cpu *e);
	/* After RUN_DEBUG. */
	void (*hit)(struct engine_cpu *e, struct watch_hit *hit);
};

extern const struct engine engine_interp;
extern const struct engine engine_jit;
extern const struct engine engine_kvm;

#endif
