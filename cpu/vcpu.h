/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The canonical vCPU: architectural state and nothing else. Engines load from it and store to it
 * at instruction boundaries; snapshots and the monitor read it. How software engines execute it
 * is in cpu/core.h.
 */
#ifndef CPU_VCPU_H
#define CPU_VCPU_H

#include <stdbool.h>
#include <stdint.h>

enum gpr {
	RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15,
	REG_ZERO, /* always 0: base or index of an address that has none */
	REG_RIP,  /* base of RIP-relative addresses */
};
enum sreg { ES, CS, SS, DS, FS, GS, NR_SREGS };

/* RFLAGS (SDM vol. 1 3.4.3). */
enum {
	FL_CF = 1 << 0,
	FL_1 = 1 << 1,
	FL_PF = 1 << 2,
	FL_AF = 1 << 4,
	FL_ZF = 1 << 6,
	FL_SF = 1 << 7,
	FL_TF = 1 << 8,
	FL_IF = 1 << 9,
	FL_DF = 1 << 10,
	FL_OF = 1 << 11,
	FL_IOPL = 3 << 12,
	FL_NT = 1 << 14,
	FL_RF = 1 << 16,
	FL_VM = 1 << 17,
	FL_AC = 1 << 18,
	FL_VIF = 1 << 19,
	FL_VIP = 1 << 20,
	FL_ID = 1 << 21,
	FL_STATUS = FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF | FL_OF,
};

#define CR0_PE (1u << 0)
#define CR0_MP (1u << 1)
#define CR0_EM (1u << 2)
#define CR0_TS (1u << 3)
#define CR0_ET (1u << 4)
#define CR0_NE (1u << 5)
#define CR0_WP (1u << 16)
#define CR0_AM (1u << 18)
#define CR0_NW (1u << 29)
#define CR0_CD (1u << 30)
#define CR0_PG (1u << 31)

#define CR4_VME        (1u << 0)
#define CR4_PVI        (1u << 1)
#define CR4_TSD        (1u << 2)
#define CR4_DE         (1u << 3)
#define CR4_PSE        (1u << 4)
#define CR4_PAE        (1u << 5)
#define CR4_MCE        (1u << 6)
#define CR4_PGE        (1u << 7)
#define CR4_PCE        (1u << 8)
#define CR4_OSFXSR     (1u << 9)
#define CR4_OSXMMEXCPT (1u << 10)
#define CR4_UMIP       (1u << 11)
#define CR4_LA57       (1u << 12)
#define CR4_FSGSBASE   (1u << 16)
#define CR4_PCIDE      (1u << 17)
#define CR4_OSXSAVE    (1u << 18)
#define CR4_SMEP       (1u << 20)
#define CR4_SMAP       (1u << 21)
#define CR4_PKE        (1u << 22)

#define EFER_SCE   (1u << 0)
#define EFER_LME   (1u << 8)
#define EFER_LMA   (1u << 10)
#define EFER_NXE   (1u << 11)
#define EFER_FFXSR (1u << 14)

#define XCR0_X87 (1u << 0)
#define XCR0_SSE (1u << 1)
#define XCR0_AVX (1u << 2)
#define XCR0_PKRU (1u << 9)

/* Segment attributes: descriptor bits 40-55 with the limit's four bits (48-51) cleared, i.e. the
 * layout of VMCS/KVM access rights: type 0-3, S 4, DPL 5-6, P 7, AVL 12, L 13, D/B 14, G 15. Bit 16:
 * unusable (null selector). */
enum {
	SEG_TYPE = 0xf,
	SEG_A = 1 << 0,
	SEG_W = 1 << 1,     /* data: writable */
	SEG_R = 1 << 1,     /* code: readable */
	SEG_E = 1 << 2,     /* data: expand-down */
	SEG_C = 1 << 2,     /* code: conforming */
	SEG_X = 1 << 3,     /* code */
	SEG_S = 1 << 4,     /* code or data, not system */
	SEG_DPL_SHIFT = 5,
	SEG_DPL = 3 << 5,
	SEG_P = 1 << 7,
	SEG_AVL = 1 << 12,
	SEG_L = 1 << 13,
	SEG_DB = 1 << 14,
	SEG_G = 1 << 15,
	SEG_NULL = 1 << 16,
};

struct segment {
	uint16_t sel;
	uint32_t attr;
	uint32_t limit; /* in bytes, G applied */
	uint64_t base;
};

struct dtable {
	uint64_t base;
	uint16_t limit;
};

union vreg {
	uint8_t u8[64];
	uint16_t u16[32];
	uint32_t u32[16];
	uint64_t u64[8];
	int8_t i8[64];
	int16_t i16[32];
	int32_t i32[16];
	int64_t i64[8];
	float f32[16];
	double f64[8];
} __attribute__((aligned(64)));

struct x87_reg {
	uint64_t mant;   /* MMX registers are these 64 bits */
	uint16_t se;     /* sign and exponent */
	uint16_t pad[3];
};

struct fpu {
	uint16_t fcw, fsw;
	uint8_t ftw;         /* abridged tags: bit n set = physical register n in use (FXSAVE form) */
	uint16_t fop;        /* low 11 bits */
	uint64_t fip, fdp;
	uint16_t fcs, fds;
	struct x87_reg r[8]; /* physical registers R0-R7; ST(i) is r[(top + i) & 7] */
};

enum activity { ACT_RUNNING, ACT_HALTED, ACT_WAIT_SIPI, ACT_SHUTDOWN };

struct vcpu {
	/* RIP is also gpr[REG_RIP], so that an address adds it like any other base. */
	union {
		uint64_t gpr[18];
		struct {
			uint64_t gpr_only[17];
			uint64_t rip;
		};
	};
	uint32_t cc;       /* the six status flags, at their RFLAGS positions */
	uint32_t rflags;   /* the other bits of RFLAGS; see rflags_get() */
	struct segment seg[NR_SREGS];
	struct segment ldtr, tr;
	struct dtable gdt, idt;
	uint64_t cr0, cr2, cr3, cr4;  /* CR8 is the local APIC's TPR */
	uint64_t pdpte[4];
	uint64_t dr[4], dr6, dr7;
	uint64_t efer, xcr0;
	uint32_t pkru, mxcsr;
	struct fpu fpu;
	union vreg v[32];  /* XMM/YMM/ZMM0-31; without AVX only the low 128 bits ever change */

	/* MSRs */
	uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t tsc_offset;   /* guest TSC = bus ticks + tsc_offset */
	uint64_t tsc_adjust, tsc_aux, pat, misc_enable, xss, spec_ctrl;
	uint64_t pvclock_system, pvclock_wall; /* cpu/pvclock.h */
	uint64_t mtrr_def_type, mtrr_fixed[11], mtrr_base[8], mtrr_mask[8];
	uint64_t mcg_status, mcg_ctl, mc_ctl[10], mc_status[10], mc_addr[10], mc_misc[10];

	/* Events and activity */
	enum activity activity;
	bool sti_shadow;       /* interrupts inhibited until after the next instruction */
	bool mov_ss_shadow;    /* interrupts and debug exceptions inhibited likewise */
	bool nmi_pending, nmi_blocked;
	bool init_pending;
	bool smi_pending;
	bool smm;             /* in system management mode; */
	bool smm_nmi_blocked; /* nmi_blocked when that was entered */
	uint32_t smbase;
	/* An interrupt (or #DB trap) that its source has given up: delivered before the next instruction. */
	struct {
		bool valid, exception;
		uint8_t vector;
	} taken;
	uint32_t apic_id;
};

/* Guest CPL: SS.DPL, which real mode keeps at 0 and virtual-8086 mode at 3. */
static inline unsigned vcpu_cpl(const struct vcpu *v)
{
	return v->seg[SS].attr >> SEG_DPL_SHIFT & 3;
}
static inline uint64_t rflags_get(const struct vcpu *v) { return v->rflags | v->cc | FL_1; }
static inline void rflags_set(struct vcpu *v, uint64_t fl)
{
	v->cc = fl & FL_STATUS;
	v->rflags = (fl & ~(uint64_t)FL_STATUS) | FL_1;
}

/* State after RESET (SDM vol. 3A 9.1.1, table 9-1); INIT keeps what the table says it keeps. */
void vcpu_reset(struct vcpu *v, unsigned index);
void vcpu_init(struct vcpu *v, unsigned index);

#endif
