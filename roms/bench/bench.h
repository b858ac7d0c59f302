/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Between `doppel bench` and its guest (frontend/bench*.c, roms/bench): the workloads, and the ports by which
 * the host says what to run and takes the time of it.
 *
 * The guest is a server without a clock of its own. It reads a workload and a number of rounds, says BEGIN,
 * runs them, says END, and starts over; how often and how long is the host's business, the same for a guest
 * under any engine and for native runs. Every round does the same work and comes to the same result.
 */
#ifndef ROMS_BENCH_BENCH_H
#define ROMS_BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>

enum bench_id {
#define WORKLOAD(id, name, group, native, ops, idle, unit, text) BENCH_##id,
#include "roms/bench/workloads.def"
#undef WORKLOAD
	BENCH_WORKLOADS
};

/* Dwords; each has another meaning when it is read and when it is written. */
enum bench_port {
	BENCH_BASE = 0xbe00,
	BENCH_WORK = BENCH_BASE,        /* R: enum bench_id, or BENCH_DONE */
	BENCH_STATE = BENCH_BASE,       /* W: enum bench_state */
	BENCH_ROUNDS = BENCH_BASE + 4,  /* R */
	BENCH_LOW = BENCH_BASE + 4,     /* W: of the result, before END */
	BENCH_TSC_KHZ = BENCH_BASE + 8, /* R */
	BENCH_HIGH = BENCH_BASE + 8,    /* W */
	BENCH_PORTS = 12,
};

#define BENCH_DONE 0xffffffffu

enum bench_state {
	BENCH_BEGIN,
	BENCH_END,
	BENCH_UNSTEADY,    /* instead of END: the rounds differ in their results */
	BENCH_UNSUPPORTED, /* instead of BEGIN: this CPU cannot */
	BENCH_FAULTED, /* any time: an exception that should not be; LOW its vector, HIGH its RIP */
};

/* Memory that the workloads share, in pages of 4 KiB, zero at first. */
#define BENCH_ARENA (32u << 20)

/* A disk, where the machine has one: its words are their indices. Workloads touch its first half, and write what is
 * there. */
#define BENCH_DISK     (4u << 20)
#define BENCH_SMALL    4096u /* of a small request, and how many in a round */
#define BENCH_NR_SMALL 16u
#define BENCH_LARGE    65536u /* and of a large one */
#define BENCH_NR_LARGE 8u
/* Where request n of a round is. */
static inline uint32_t bench_disk_at(uint32_t n, uint32_t size)
{
	return (n * 5 + 3) % (BENCH_DISK / 2 / size) * size;
}

/* Frames between a network card and its other end, which is in doppel. What they tell is in native byte order. */
struct bench_frame {
	uint8_t to[6], from[6];
	uint16_t type, command;
	uint64_t number;
	uint64_t sum; /* of answers */
};
enum bench_command {
	BENCH_FRAME_DATA,
	BENCH_FRAME_ANSWER, /* a short frame is wanted: how many have come, and the sum of numbers and lengths */
	BENCH_FRAME_SEND, /* that many long ones are wanted, numbered from 0 */
};
#define BENCH_FRAME_TYPE  0xb588u /* 88b5h: for experiments (IEEE 802) */
#define BENCH_FRAME_SHORT 60u
#define BENCH_FRAME_LONG  1514u
#define BENCH_NR_FRAMES   32u /* in a round */
#define BENCH_NR_ECHOES   16u

/* ---- the workloads that need no privilege ---- */

struct bench_result {
	uint64_t sum;
	bool steady; /* all rounds came to it */
};

struct bench_job {
	void (*prepare)(uint64_t *arena); /* may be NULL */
	uint64_t (*round)(uint64_t *arena);
};

/* By enum bench_id; both NULL for the rest. */
extern const struct bench_job bench_jobs[BENCH_WORKLOADS];

struct bench_result bench_run(const struct bench_job *job, uint64_t *arena, uint32_t rounds);

uint64_t bench_int(uint64_t *arena);
uint64_t bench_sha256(uint64_t *arena);
uint64_t bench_branch(uint64_t *arena);
uint64_t bench_call(uint64_t *arena);
uint64_t bench_indirect(uint64_t *arena);
uint64_t bench_fp(uint64_t *arena);
uint64_t bench_x87(uint64_t *arena);
uint64_t bench_sse(uint64_t *arena);
uint64_t bench_avx2(uint64_t *arena);
uint64_t bench_atomic(uint64_t *arena);
uint64_t bench_smc(uint64_t *arena); /* executes from the arena */
void bench_stream_prepare(uint64_t *arena);
uint64_t bench_stream(uint64_t *arena);
uint64_t bench_rep_movs(uint64_t *arena);
void bench_chase_prepare(uint64_t *arena);
uint64_t bench_chase(uint64_t *arena);
void bench_tlb_prepare(uint64_t *arena);
uint64_t bench_tlb(uint64_t *arena);
void bench_random_prepare(uint64_t *arena);
uint64_t bench_random(uint64_t *arena);
uint64_t bench_rdtsc(uint64_t *arena);
uint64_t bench_cpuid(uint64_t *arena);

/* What is on the disk, for those who write it. */
void bench_disk_prepare(uint64_t *arena);

/* Whether CPU and operating system let code use AVX2. */
bool bench_has_avx2(void);

#endif
