/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The host-CPU differential fuzzer: one random instruction in one random state runs on the real CPU
 * in a sandboxed child (fuzz_host.c) and on the interpreter's operations (fuzz_interp.c), and
 * everything must come out the same (fuzz_compare.c). The translator (fuzz_jit.c) is held to the same.
 * fuzz_gen.c makes the tests; fuzz_block.c makes longer ones, several instructions in sequence.
 *
 * Both sides see the same linear addresses: two writable pages, one read-only page and two code pages,
 * with nothing mapped around any of them.
 */
#ifndef TESTS_INSN_FUZZ_H
#define TESTS_INSN_FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cpu/cpuid.h"
#include "cpu/insn.h"
#include "cpu/opcode.h"

#define RW_ADDR   0x20000000u
#define RW_SIZE   0x2000u
#define RO_ADDR   0x20010000u
#define RO_SIZE   0x1000u
#define CODE_ADDR 0x30000000u
#define CODE_SIZE 0x2000u
/* Mapped in the child only: tests whose access would land here are not run. */
#define IO_ADDR 0x10000000u
#define IO_SIZE 0x20000u

enum {
	XSAVE_SIZE = 832, /* x87, SSE and AVX in the standard format */
	MAX_PATCH = 1024,
	MAX_CODE = 480,   /* bytes of a block */
	FREE_BYTES = 464, /* of the area: ours for FCS and FDS */
	VEC_NONE = 0xff,  /* completed without an exception */
	VEC_LOST = 0xfe,  /* the child died */
};

struct fuzz_state {
	uint64_t gpr[16], rip, rflags, fs_base, gs_base;
	uint64_t pad[4];
	uint8_t xsave[XSAVE_SIZE];
} __attribute__((aligned(64)));

struct fuzz_test {
	struct fuzz_state in;
	uint64_t index;
	uint8_t mode;   /* 2, 4 or 8 */
	bool segmented; /* segments from the local descriptor table; else flat */
	bool stack16;   /* SS is a 16-bit stack */
	uint16_t len;   /* of all instructions */
	uint8_t nr;     /* instructions */
	uint8_t open;   /* status flags that earlier instructions left undefined, as CC_BITS() */
	bool decodes;
	uint8_t undecoded; /* the vector when it does not: #UD, or #GP for more than 15 bytes */
	uint8_t code[MAX_CODE];
	uint32_t patch_addr, patch_len;
	uint8_t patch[MAX_PATCH];
	uint64_t ea;              /* of the memory operand, or 0 */
	const struct opcode *row; /* that it was made for */
	struct insn insn;         /* the last instruction */
};

struct fuzz_result {
	struct fuzz_state out;
	uint8_t vector;
	uint8_t open; /* status flags that are not kept at this fault, as CC_BITS() */
	uint32_t error;
	uint64_t cr2;
	uint32_t lo, hi; /* changed bytes of the writable pages: [lo, hi) */
	uint8_t mem[RW_SIZE];
};

/* Everything parent and child share. */
enum { BATCH = 128 };
struct fuzz_shared {
	struct fuzz_test test[BATCH];
	struct fuzz_result result[BATCH];
	uint8_t image[RW_SIZE], ro_image[RO_SIZE];
	unsigned nr;
	volatile unsigned current;
};

struct fuzz_rng {
	uint64_t s;
};

static inline uint64_t rnd(struct fuzz_rng *r)
{
	uint64_t z = r->s += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}
static inline unsigned below(struct fuzz_rng *r, unsigned n)
{
	return (rnd(r) >> 32) * n >> 32;
}
static inline bool chance(struct fuzz_rng *r, unsigned percent)
{
	return below(r, 100) < percent;
}

/* fuzz_gen.c: test number t->index for one row; false when the draw is of no use. */
bool fuzz_generate(struct fuzz_test *t, uint64_t seed, const struct opcode *row,
		   const struct cpu_model *model);
/* The same for an instruction that follows others: s->in is the state before it, and only its
 * displacement and immediates can be chosen. */
bool fuzz_generate_next(struct fuzz_test *s, struct fuzz_rng *r, const struct opcode *row,
			const struct cpu_model *model);
/* fuzz_block.c: 2 to `most` instructions, of which only the last may branch or fault. */
bool fuzz_generate_block(struct fuzz_test *t, uint64_t seed, const struct opcode *const *rows,
			 unsigned nr_rows, unsigned most, const struct cpu_model *model);
void fuzz_fill_image(uint8_t *p, size_t len, struct fuzz_rng *r);

/* fuzz_seg.c: segments of 16-bit and segmented tests. */
enum {
	FUZZ_LDT_CS16,
	FUZZ_LDT_CS32,
	FUZZ_LDT_DS,
	FUZZ_LDT_SS16,
	FUZZ_LDT_SS32,
	FUZZ_LDT_ES,
	FUZZ_LDT_FS,
	FUZZ_LDT_GS,
	NR_FUZZ_LDT,
};
uint16_t fuzz_seg_selector(const struct fuzz_test *t, unsigned sreg);
uint64_t fuzz_seg_base(const struct fuzz_test *t, unsigned sreg);
uint64_t fuzz_seg_descriptor(unsigned n);
int fuzz_seg_install(void);

/* At the end of the code pages: far pointer to the way out of segmented tests. */
#define EXIT_POINTER (CODE_SIZE - 8)
#define TRAMPOLINE   (IO_ADDR + 0x10000)

/* fuzz_host.c */
int fuzz_host_start(struct fuzz_shared *sh);
/* The jump that follows the tested instruction: it is in memory that the instruction may read. */
const uint8_t *fuzz_host_tail(const struct fuzz_test *t, size_t *len);
void fuzz_host_exit_pointer(uint8_t *p);
/* Runs sh->test[0..nr) and fills sh->result; starts a new child when one dies. 0 or -errno. */
int fuzz_host_run(struct fuzz_shared *sh);
void fuzz_host_stop(void);
/* The CPU this runs on, reduced to what the opcode table knows. */
void fuzz_host_model(struct cpu_model *m);
bool fuzz_host_alignment_checks(void);

/* fuzz_interp.c */
int fuzz_interp_init(const struct cpu_model *model, const struct fuzz_shared *sh,
		     bool alignment_checks);
void fuzz_interp_fini(void);
void fuzz_interp_run(const struct fuzz_test *t, struct fuzz_result *r);
/* The same in parts, for fuzz_block.c and fuzz_jit.c: state and code in place; one instruction at the
 * code's offset `off`, returning the vector; what came out, and memory as it was. */
struct engine_cpu *fuzz_interp_begin(const struct fuzz_test *t);
uint8_t fuzz_interp_step(const struct fuzz_test *t, const struct insn *i, unsigned off);
void fuzz_interp_end(const struct fuzz_test *t, struct fuzz_result *r);

bool fuzz_jit_possible(void);

/* fuzz_jit.c. False when the translator leaves the test to the interpreter. `done`: the interpreter's result. */
bool fuzz_jit_run(const struct fuzz_test *t, const struct fuzz_result *done, struct fuzz_result *r);

/* fuzz_compare.c: true when equal; else prints why to `f` (which may be NULL). What is open is made
 * equal in `ours`. x87 pointers, which the host may not show, are compared with `interp`, if any. */
bool fuzz_compare(FILE *f, const struct fuzz_test *t, const struct fuzz_result *host,
		  struct fuzz_result *ours, const struct fuzz_result *interp);
/* What differs from the image, for the result. */
void fuzz_changed_range(const uint8_t *now, const uint8_t *image, struct fuzz_result *r);
void fuzz_print_test(FILE *f, const struct fuzz_test *t);

#endif
