/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The table of the workloads that need no privilege, and how their rounds are run.
 */
#include "roms/bench/bench.h"

const struct bench_job bench_jobs[BENCH_WORKLOADS] = {
    [BENCH_INT] = {0, bench_int},
    [BENCH_SHA256] = {0, bench_sha256},
    [BENCH_BRANCH] = {0, bench_branch},
    [BENCH_CALL] = {0, bench_call},
    [BENCH_INDIRECT] = {0, bench_indirect},
    [BENCH_FP] = {0, bench_fp},
    [BENCH_X87] = {0, bench_x87},
    [BENCH_SSE] = {bench_stream_prepare, bench_sse},
    [BENCH_AVX2] = {bench_stream_prepare, bench_avx2},
    [BENCH_ATOMIC] = {0, bench_atomic},
    [BENCH_SMC] = {0, bench_smc},
    [BENCH_STREAM] = {bench_stream_prepare, bench_stream},
    [BENCH_REP_MOVS] = {bench_stream_prepare, bench_rep_movs},
    [BENCH_CHASE] = {bench_chase_prepare, bench_chase},
    [BENCH_TLB] = {bench_tlb_prepare, bench_tlb},
    [BENCH_RANDOM] = {bench_random_prepare, bench_random},
    [BENCH_RDTSC] = {0, bench_rdtsc},
    [BENCH_CPUID] = {0, bench_cpuid},
    [BENCH_DISK_WRITE] = {bench_disk_prepare, 0}, /* whose rounds are each side's own */
};

struct bench_result bench_run(const struct bench_job *job, uint64_t *arena, uint32_t rounds)
{
	struct bench_result r = {job->round(arena), true};

	while (--rounds)
		r.steady &= job->round(arena) == r.sum;
	return r;
}
