/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Host-CPU differential fuzzer: the front end. See fuzz.h.
 *
 *   fuzz_insn [-n COUNT] [-s SEED] [-o MNEMONIC] [-t TEST] [-m MAX] [-e ENGINE] [-b MOST] [-v]
 *
 * ENGINE is interp (the default), jit or both. -b makes blocks of 2 to MOST instructions. -o x87 stands for
 * all x87 and MMX instructions.
 * The same arguments give the same tests. Exit status: 0 when everything matched, 1 when something did
 * not, 2 when it could not run.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "cpu/exc.h"
#include "tests/insn/fuzz.h"

struct options {
	uint64_t count, seed, only_test;
	bool one, verbose, interp, jit;
	unsigned block; /* instructions at most; 0: one */
	const char *mnemonic;
	unsigned max_reports; /* per row */
};

struct row_stats {
	uint64_t done, faults, bad;
};

struct fuzz {
	struct options opt;
	struct fuzz_shared *sh;
	struct cpu_model model;
	const struct opcode **rows;
	unsigned nr_rows;
	struct row_stats *stats; /* by index into opcodes[], one more for undefined encodings */
	struct fuzz_result ours[BATCH], jit[BATCH];
	bool translated[BATCH];
	uint64_t done, bad, not_run, nr_translated, insns;
};

static int usage(void)
{
	fprintf(stderr, "usage: fuzz_insn [-n COUNT] [-s SEED] [-o MNEMONIC] [-t TEST] [-m MAX] "
			"[-e interp|jit|both] [-b MOST] [-v]\n");
	return 2;
}

static bool wanted(const struct fuzz *z, const struct opcode *d)
{
	if ((d->attrs & A_NOFUZZ) || !cpu_has(&z->model, d->feature))
		return false;
	if (z->opt.mnemonic && !strcmp(z->opt.mnemonic, "x87"))
		return d->attrs & (A_X87 | A_MMX) && !(d->attrs & A_SSE);
	return !z->opt.mnemonic || !strcmp(d->name, z->opt.mnemonic);
}

static bool pick_rows(struct fuzz *z)
{
	z->rows = calloc(nr_opcodes, sizeof(*z->rows));
	z->stats = calloc(nr_opcodes + 1, sizeof(*z->stats));
	if (!z->rows || !z->stats)
		return false;
	for (unsigned n = 0; n < nr_opcodes; n++)
		if (wanted(z, &opcodes[n]))
			z->rows[z->nr_rows++] = &opcodes[n];
	return z->nr_rows > 0;
}

/* Sanitizers map much of the lower half for themselves. */
#if defined(UNDER_ASAN) || defined(UNDER_TSAN)
#define MAPPED_FROM 0x100000000
#else
#define MAPPED_FROM 0x500000000000
#endif

/* Only where nothing is mapped in the child either may a wild access go. */
static bool same_on_host(uint64_t cr2)
{
	return cr2 < 0x10000 || cr2 >> 63 || (cr2 >> 32 && cr2 < MAPPED_FROM) ||
	       (cr2 >= RW_ADDR - 0x10000 && cr2 < CODE_ADDR + CODE_SIZE + 0x10000);
}

static bool runnable(const struct fuzz_test *t, const struct fuzz_result *r)
{
	/* Only the last of several instructions may fault: which flags are open is known for the end. */
	if (t->nr > 1 && r->vector != VEC_NONE && r->out.rip != t->in.rip + t->len - t->insn.len)
		return false;
	if (r->vector == EXC_PF)
		return same_on_host(r->cr2);
	if (r->vector != VEC_NONE || !(t->insn.desc->attrs & A_BR))
		return true;
	/* A branch must not land on itself or on what follows it. */
	if (r->out.rip != t->in.rip + t->len && r->out.rip - t->in.rip < t->len + 8u)
		return false;
	uint64_t to = r->out.rip + fuzz_seg_base(t, CS);
	return to - CODE_ADDR < EXIT_POINTER || (to - CODE_ADDR >= CODE_SIZE && same_on_host(to));
}

static void judge_result(struct fuzz *z, unsigned n, struct fuzz_result *o,
			 const struct fuzz_result *interp, const char *engine)
{
	const struct fuzz_test *t = &z->sh->test[n];
	const struct fuzz_result *h = &z->sh->result[n];
	struct row_stats *s = &z->stats[t->decodes ? t->insn.desc - opcodes : nr_opcodes];
	bool same = fuzz_compare(NULL, t, h, o, interp);
	z->bad += !same;
	s->bad += !same;
	if ((same && !z->opt.one) || (!same && s->bad > z->opt.max_reports))
		return;
	if (!same && h->vector == VEC_LOST)
		printf("MISMATCH: the child died in\n");
	else if (!same)
		printf("MISMATCH of %s in\n", engine);
	fuzz_print_test(stdout, t);
	fuzz_compare(stdout, t, h, o, interp);
	printf("  again: fuzz_insn -e %s -s %" PRIu64 "%s%s", engine, z->opt.seed,
	       z->opt.mnemonic ? " -o " : "", z->opt.mnemonic ? z->opt.mnemonic : "");
	if (z->opt.block)
		printf(" -b %u", z->opt.block);
	printf(" -t %" PRIu64 "\n\n", t->index);
}

static void judge(struct fuzz *z, unsigned n)
{
	const struct fuzz_test *t = &z->sh->test[n];
	struct row_stats *s = &z->stats[t->decodes ? t->insn.desc - opcodes : nr_opcodes];

	s->done++;
	s->faults += z->sh->result[n].vector != VEC_NONE;
	z->done++;
	z->insns += t->nr;
	if (z->opt.interp)
		judge_result(z, n, &z->ours[n], NULL, "interp");
	if (z->opt.jit && z->translated[n]) {
		z->nr_translated++;
		judge_result(z, n, &z->jit[n], &z->ours[n], "jit");
	}
}

/* Test number t->index, and what our engines make of it. */
static bool make(struct fuzz *z, struct fuzz_test *t, unsigned n)
{
	bool ok;
	if (z->opt.block)
		ok = fuzz_generate_block(t, z->opt.seed, z->rows, z->nr_rows, z->opt.block,
					 &z->model);
	else
		ok = fuzz_generate(t, z->opt.seed, z->rows[t->index % z->nr_rows], &z->model);
	if (!ok)
		return false;
	fuzz_interp_run(t, &z->ours[n]);
	if (!runnable(t, &z->ours[n]))
		return false;
	z->translated[n] = z->opt.jit && fuzz_jit_run(t, &z->ours[n], &z->jit[n]);
	return true;
}

static int run(struct fuzz *z)
{
	uint64_t index = z->opt.one ? z->opt.only_test : 0;

	while (z->done < z->opt.count) {
		z->sh->nr = 0;
		for (unsigned tries = 0; z->sh->nr < BATCH && tries < 16 * BATCH; tries++) {
			struct fuzz_test *t = &z->sh->test[z->sh->nr];
			t->index = index++;
			if (make(z, t, z->sh->nr))
				z->sh->nr++;
			else
				z->not_run++;
			if (z->opt.one || z->done + z->sh->nr >= z->opt.count)
				break;
		}
		if (z->sh->nr == 0)
			return -ENOENT;
		int err = fuzz_host_run(z->sh);
		if (err)
			return err;
		for (unsigned n = 0; n < z->sh->nr; n++)
			judge(z, n);
		if (z->opt.one)
			break;
	}
	return 0;
}

static void report(const struct fuzz *z, double seconds)
{
	unsigned never = 0, bad_rows = 0;

	for (unsigned n = 0; n <= nr_opcodes; n++) {
		const struct row_stats *s = &z->stats[n];
		const char *name = n < nr_opcodes ? opcodes[n].name : "(undefined)";
		if (s->bad || (z->opt.verbose && s->done))
			printf("%-18s map %u opcode %02x: %" PRIu64 " run, %" PRIu64
			       " faults, %" PRIu64 " mismatches\n",
			       name, n < nr_opcodes ? opcodes[n].map : 0,
			       n < nr_opcodes ? opcodes[n].opcode : 0, s->done, s->faults, s->bad);
		bad_rows += s->bad != 0;
	}
	for (unsigned n = 0; n < z->nr_rows; n++) {
		if (z->stats[z->rows[n] - opcodes].done)
			continue;
		never++;
		if (z->opt.verbose)
			printf("%-18s map %u opcode %02x: never run\n", z->rows[n]->name,
			       z->rows[n]->map, z->rows[n]->opcode);
	}
	printf("fuzz_insn: seed %" PRIu64 ": %" PRIu64
	       " instructions of %u rows (%u never run, %" PRIu64
	       " draws not run) in %.1f s: %" PRIu64 " mismatches in %u rows\n",
	       z->opt.seed, z->done, z->nr_rows, never, z->not_run, seconds, z->bad, bad_rows);
	if (z->opt.block)
		printf("%" PRIu64 " blocks with %" PRIu64 " instructions\n", z->done, z->insns);
	if (z->opt.jit)
		printf("translated: %" PRIu64 "\n", z->nr_translated);
	uint64_t checks = (z->opt.interp ? z->done : 0) + z->nr_translated;
	printf("%" PRIu64 " passed, %" PRIu64 " failed\n", checks - z->bad, z->bad);
}

static int fail(const char *what, int err)
{
	fprintf(stderr, "fuzz_insn: %s: %s\n", what, strerror(-err));
	fuzz_host_stop();
	return 2;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	static struct fuzz z = {
	    .opt = {.count = 100000, .seed = 1, .max_reports = 2, .interp = true}};
	struct fuzz_rng r;
	int c;

	while ((c = getopt(argc, argv, "n:s:o:t:m:e:b:v")) != -1) {
		switch (c) {
		case 'n':
			z.opt.count = strtoull(optarg, NULL, 0);
			break;
		case 's':
			z.opt.seed = strtoull(optarg, NULL, 0);
			break;
		case 'o':
			z.opt.mnemonic = optarg;
			break;
		case 'm':
			z.opt.max_reports = strtoul(optarg, NULL, 0);
			break;
		case 'e':
			z.opt.interp = strcmp(optarg, "jit");
			z.opt.jit = strcmp(optarg, "interp");
			if (z.opt.interp && z.opt.jit && strcmp(optarg, "both"))
				return usage();
			break;
		case 'b':
			z.opt.block = strtoul(optarg, NULL, 0);
			if (z.opt.block < 2 || z.opt.block > 30)
				return usage();
			break;
		case 'v':
			z.opt.verbose = true;
			break;
		case 't':
			z.opt.only_test = strtoull(optarg, NULL, 0);
			z.opt.one = true;
			break;
		default:
			return usage();
		}
	}
	fuzz_host_model(&z.model);
	if (!pick_rows(&z))
		return fail(z.opt.mnemonic ? z.opt.mnemonic : "opcode table", -ENOENT);
	z.sh = mmap(NULL, sizeof(*z.sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (z.sh == MAP_FAILED)
		return fail("shared memory", -errno);
	r.s = z.opt.seed;
	fuzz_fill_image(z.sh->image, RW_SIZE, &r);
	fuzz_fill_image(z.sh->ro_image, RO_SIZE, &r);
	bool ac = fuzz_host_alignment_checks();
	int err = fuzz_host_start(z.sh);
	if (err)
		return fail("sandboxed child", err);
	err = fuzz_interp_init(&z.model, z.sh, ac);
	if (err)
		return fail("interpreter", err);
	if (z.opt.jit && !fuzz_jit_possible()) {
		printf("fuzz_insn: this host's CPU lacks what the translator needs\n"
		       "0 passed, 0 failed, 1 skipped\n");
		fuzz_host_stop();
		return 0;
	}

	double start = now();
	err = run(&z);
	if (err)
		return fail("run", err);
	report(&z, now() - start);
	fuzz_host_stop();
	fuzz_interp_fini();
	return z.bad ? 1 : 0;
}
