/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The benchmark's guest: asks what to run and runs it, until there is nothing more.
 */
#include "roms/bench/kernel.h"

static const struct bench_job *job_of(uint32_t id, bool *user)
{
	const struct privileged_job *p = &privileged_jobs[id];

	if (p->job.round) {
		*user = p->user;
		return p->supported && !p->supported() ? 0 : &p->job;
	}
	*user = true;
	if (id == BENCH_AVX2 && !bench_has_avx2())
		return 0;
	return bench_jobs[id].round ? &bench_jobs[id] : 0;
}

static void serve(uint32_t id, uint32_t rounds, bool prepare)
{
	bool user;
	const struct bench_job *job = job_of(id, &user);
	struct bench_result r;

	if (!job) {
		outl(BENCH_STATE, BENCH_UNSUPPORTED);
		return;
	}
	if (prepare && job->prepare)
		job->prepare(ARENA);
	outl(BENCH_STATE, BENCH_BEGIN);
	if (user)
		r = user_call(bench_run, job, ARENA, rounds);
	else
		r = bench_run(job, ARENA, rounds);
	outl(BENCH_LOW, (uint32_t)r.sum);
	outl(BENCH_HIGH, (uint32_t)(r.sum >> 32));
	outl(BENCH_STATE, r.steady ? BENCH_END : BENCH_UNSTEADY);
}

void guest_main(const void *start_info)
{
	uint32_t last = BENCH_DONE, id;

	(void)start_info;
	kernel_init();
	while ((id = inl(BENCH_WORK)) < BENCH_WORKLOADS) {
		serve(id, inl(BENCH_ROUNDS), id != last);
		last = id;
	}
	for (;;)
		__asm__ volatile("cli; hlt");
}
