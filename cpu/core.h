/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The software CPU: a canonical vCPU plus what the interpreter and the translator need to execute
 * it. Operations (op_*.c) work on this.
 *
 * Instruction pointer: during an operation, v.rip is still that of the block's first instruction, as
 * is blk_rip; insn_next(c, i) is the address after the current one. Operations with A_BR set v.rip,
 * after they have used their operands; the engine sets it at the end of a block otherwise.
 *
 * Exceptions leave an operation by longjmp to c->fault (cpu/exc.h).
 */
#ifndef CPU_CORE_H
#define CPU_CORE_H

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cpu/bus.h"
#include "cpu/cpuid.h"
#include "cpu/insn.h"
#include "cpu/vcpu.h"
#include "cpu/watch.h"
#include "mmu/tlb.h"
#include "mmu/walk.h"

/* What a longjmp to c->fault carries. */
enum core_exit {
	CORE_EXCEPTION =
	    1,        /* c->exc holds the fault; v.rip is still to be set to the instruction */
	CORE_RESTART, /* interruptible instruction gave way: v.rip set, state committed */
	CORE_STOP,    /* shutdown (triple fault) */
};

/* As many PAUSEs as a short wait takes. */
#define CORE_PAUSES 64

struct exception {
	uint8_t vector;
	bool has_error;
	uint32_t error;
	uint64_t cr2; /* for #PF */
	uint64_t dr6; /* for #DB: bits to set */
	bool trap;    /* reported after the instruction: v.rip is already the next one */
};

struct core {
	struct vcpu v;

	const struct insn *insn; /* the instruction being executed */
	uint64_t blk_rip;        /* RIP of the block's first instruction */
	bool leave;              /* the engine must not go on to the next instruction of the block:
	                             code was modified, or mapping/mode/interrupt state changed */
	uint8_t chain;    /* enum chain of accel/block.h: set by the block's last instruction */
	uint8_t mode;     /* code size 2, 4, 8; kept by core_update_mode() */
	bool flat;        /* all of CS/DS/ES/SS: base 0, full limit, writable: no checks needed */
	uint8_t tlb_mode; /* enum tlb_mode of ordinary data accesses now */
	bool align_check; /* CPL 3 with CR0.AM and EFLAGS.AC */
	struct paging paging; /* what page walks depend on; kept by core_update_mode() */
	struct tlb tlb;

	struct exception exc;
	bool rip_set;      /* a task switch has committed: faults are the new task's, and v.rip
	                             is already where they are reported */
	uint8_t ext;       /* EXT bit of error codes: set while an event is delivered that is
	                             not a software interrupt */
	sigjmp_buf *fault; /* where faults go: set by the engine around execution */

	const struct cpu_bus *bus;
	struct aspace
	    *mem; /* what this processor sees: bus->mem, or bus->smram; kept by core_update_smm() */
	const struct cpu_model *model;
	unsigned index;
	unsigned nr_cpus;
	_Atomic uint32_t *events; /* accel/engine.h event bits, posted by other threads */
	uint64_t pauses;          /* until PAUSE gives the host thread's time away */
	uint64_t yields;          /* how often it has */
	uint64_t retired;         /* instructions before the current block; one that ended in an
	                             exception counts too */
	bool debug_active;        /* DR7 has an enabled breakpoint or TF is set: slow path */
	bool step_trap; /* #DB follows the instruction: TF was set when it began, and it is none
	                             of those that clear TF and its trap with it (INT n, SYSCALL) */
	uint64_t dr6_pending; /* data/IO breakpoint hits of the current instruction (DR6 bits) */
	uint64_t apic_page;   /* guest-physical xAPIC page, TLB_NONE while disabled or x2APIC */
	uint64_t monitor_gpa; /* MONITOR address, or TLB_NONE */
	const struct watch *watch;        /* accesses that a debugger waits for, or NULL */
	const struct watch *watch_execs;  /* likewise, instructions */
	const struct watch *watch_events; /* likewise, what is no access; and what is traced */
	struct watch_hit watch_hit;       /* the first one of the current instruction */
};

/* Address after the current instruction. Only branches are truncated to 16 bits: a 16-bit segment may be
 * larger than 64 KiB. */
static inline uint64_t insn_next(const struct core *c, const struct insn *i)
{
	uint64_t rip = c->blk_rip + i->end;
	return c->mode == 8 ? rip : (uint32_t)rip;
}
static inline uint64_t insn_rip(const struct core *c, const struct insn *i)
{
	return c->blk_rip + i->end - i->len;
}

/* Sets up the power-on state. Everything is borrowed. */
void core_init(struct core *c, const struct cpu_model *model, const struct cpu_bus *bus,
	       unsigned index);

/* Recomputes mode, flat, tlb_mode, align_check, paging and debug_active from v. Call after any change
 * of CS, SS, segments, CR0, CR3, CR4, EFER, RFLAGS.AC/VM/TF, DR7 or PKRU; sets c->leave when the
 * code mode or translation changed. */
void core_update_mode(struct core *c);

/* Sets mem by v.smm and by what the chip set shows, and drops all translations. */
void core_update_smm(struct core *c);

/* Asks the local APIC where its register page is now; call after a write to IA32_APIC_BASE. */
void core_update_apic(struct core *c);

/* PKRU takes part in cached access rights: every write to it goes through here. */
void core_set_pkru(struct core *c, uint32_t pkru);
/* Makes the TLB follow CR3 and CR4.PCIDE. */
void core_update_pcid(struct core *c);

/* Where time follows instructions: brings it up to the current one. */
static inline void core_sync_time(struct core *c)
{
	if (__builtin_expect(c->bus->sync != NULL, 0))
		c->bus->sync(c->bus->opaque, c->retired + (c->insn ? c->insn->nth : 0));
}

/* Before an access to a device. It may arm a timer or raise an interrupt, for which the block is left where
 * these must come exactly. */
static inline void core_touch_device(struct core *c)
{
	core_sync_time(c);
	c->leave |= c->bus->sync != NULL;
}

/* Guest TSC now. */
static inline uint64_t core_tsc(struct core *c)
{
	core_sync_time(c);
	return c->bus->tsc(c->bus->opaque) + c->v.tsc_offset;
}

/* A linear address that the current paging depth can hold. */
static inline bool core_canonical(const struct core *c, uint64_t lin)
{
	unsigned shift = c->v.cr4 & CR4_LA57 ? 7 : 16;
	return (uint64_t)((int64_t)(lin << shift) >> shift) == lin;
}

static inline bool core_long(const struct core *c)
{
	return c->v.efer & EFER_LMA;
}
static inline bool core_real(const struct core *c)
{
	return !(c->v.cr0 & CR0_PE);
}
static inline bool core_v86(const struct core *c)
{
	return c->v.rflags & FL_VM;
}
static inline bool core_protected(const struct core *c)
{
	return (c->v.cr0 & CR0_PE) && !(c->v.rflags & FL_VM);
}

#endif
