/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Random programs that hop: each is run by the interpreter alone, and then while it is moved between engines
 * at random instruction boundaries. State and RAM must be the same at the end.
 *
 * program.c makes them, box.c is what they run on, main.c chooses and compares. Instructions are drawn by
 * the generator of tests/insn; those that concern the system are templates of system.c.
 */
#ifndef TESTS_HOP_H
#define TESTS_HOP_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/cpuid.h"
#include "cpu/vcpu.h"
#include "tests/hop/layout.h"
#include "tests/insn/fuzz.h"

enum mode { K64, U64, U32, K32, MODES };

/* What is left out where a real or a software KVM takes part. */
struct limits {
	bool native;   /* what processors do differently from each other */
	bool software; /* what a software KVM gets wrong */
	bool
	    plain; /* x87 and vectors, and how exactly a page fault is told: for a processor that QEMU emulates */
};

struct program {
	uint64_t seed;
	uint8_t code[PROGRAM_SIZE];
	uint16_t next[PROGRAM_SIZE]; /* offset of the step after the one that holds this byte */
	unsigned len, steps;
	struct vcpu start;
	uint8_t rw[RW_SIZE], ro[RO_SIZE], own[0x1000];
};

/* ---- program.c ---- */

struct maker {
	struct program *p;
	struct fuzz_rng r;
	const struct cpu_model *model;
	struct limits limits;
	const struct opcode **rows;
	unsigned nr_rows;
	enum mode mode;
	unsigned loops;          /* counters in use */
	unsigned step;           /* offset of the current step */
	uint32_t changeable[16]; /* offsets of immediates that programs may overwrite */
	unsigned nr_changeable;
};

/* 0 or -errno. */
int maker_init(struct maker *m, const struct cpu_model *model, struct limits limits);
void maker_fini(struct maker *m);
/* The program of this seed, without its start state and memory. */
void program_make(struct maker *m, struct program *p, uint64_t seed);
/* Emitting, for system.c. */
void put(struct maker *m, const void *bytes, unsigned n);
void put1(struct maker *m, uint8_t byte);
void put4(struct maker *m, uint32_t val);
void load_reg(struct maker *m, unsigned reg, uint64_t val);
/* INT vector, or what stands for it. */
void call_vector(struct maker *m, uint8_t vector);
/* A step begins here, or ends: faults in between go on after it. */
void step_begin(struct maker *m);
void step_end(struct maker *m);
/* Some drawn instructions. */
void drawn_steps(struct maker *m, unsigned n);

/* ---- system.c ---- */

/* One random template, as a step or several. */
void system_step(struct maker *m);

/* ---- box.c ---- */

struct outcome {
	struct vcpu v;
	const uint8_t *ram;
	uint64_t device; /* what the ports and the device memory have seen */
	uint64_t retired;
	bool ended; /* else it ran for too long */
};

enum { RUN_INTERP, RUN_JIT, RUN_SOFT, RUN_ALL, RUN_KVM };

/* kvm: with that engine, in RUN_ALL. 0, or -errno with a line on stderr. */
int box_init(const struct cpu_model *model, bool kvm, struct limits limits);
void box_fini(void);
void box_start_state(struct program *p, struct fuzz_rng *r);
/* RUN_SOFT hops at boundaries that follow from `seed`; RUN_ALL whenever it comes to it. `stop`: at most so
 * many instructions (not for these two). RUN_KVM does not hop. The outcome's RAM is valid until the next run of
 * the same kind. */
void box_run(const struct program *p, unsigned how, uint64_t seed, uint64_t stop,
	     struct outcome *o);
/* Hops so far, and instructions that another engine had to execute. */
uint64_t box_hops(void);
uint64_t box_failures(void);

#endif
