/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 *   hop [-n COUNT] [-s SEED] [-e soft|threads|all] [-c MODEL] [-p] [-t SEED]
 *
 * -e soft: interpreter and translator, with exact boundaries; threads: asked to move while they run; all: under
 * KVM as well, if there is one. -t: only the program of this seed, and where it goes wrong. -p: within what
 * QEMU's emulation of a processor does as a processor, and programs that end otherwise on that without any hop
 * do not count. Exit status: 0 when all ended as without hops, 1 when not, 2 when it could not run.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accel/engine.h"
#include "accel/kvm/kvm.h"
#include "accel/probe/kvm_probe.h"
#include "cpu/decode.h"
#include "tests/hop/hop.h"
#include "tests/lockstep/state.h"

struct options {
	uint64_t count, seed;
	bool one, plain;
	const char *engines; /* NULL: each of kinds[] */
	const char *model;
};

static const struct kind {
	const char *name;
	unsigned how[2], nr;
} kinds[] = {
    {"soft", {RUN_JIT, RUN_SOFT}, 2},
    {"threads", {RUN_ALL}, 1},
    {"all", {RUN_ALL}, 1},
};
enum { NR_KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static struct maker maker;
static struct program program;
static uint8_t oracle_ram[RAM_BYTES];
static uint64_t passed, failed, unfinished, left_out, instructions, events[NR_VECTORS];

static void disassemble(const struct cpu_model *model, uint64_t rip, bool wide)
{
	char text[128];
	struct insn i;

	if (rip - CODE_ADDR >= PROGRAM_SIZE - 16 ||
	    decode(&i, program.code + (rip - CODE_ADDR), 15, wide ? 8 : 4, model) != DECODE_OK)
		return;
	insn_print(text, sizeof(text), &i, rip);
	printf("  %lx: %s  ", rip, text);
	for (unsigned n = 0; n < i.len; n++)
		printf(" %02x", program.code[rip - CODE_ADDR + n]);
	printf("\n");
}

static unsigned first_event(const uint8_t *a, const uint8_t *b)
{
	unsigned n = 0;

	while (n < MOST_EVENTS &&
	       !memcmp(a + P_EVENTS + EVENT_SIZE * n, b + P_EVENTS + EVENT_SIZE * n, EVENT_SIZE))
		n++;
	return n;
}

static void print_event(const char *text, unsigned n, const uint8_t *ram)
{
	const uint8_t *e = ram + P_EVENTS + EVENT_SIZE * n;
	uint64_t rip;
	uint32_t field[4];

	memcpy(&rip, e, 8);
	memcpy(field, e + EVENT_VECTOR, sizeof(field));
	printf("%s %u: vector %x error %x at %x:%lx flags %x\n", text, n, field[0], field[1],
	       field[3], rip, field[2]);
	disassemble(maker.model, rip, true);
}

/* Frames of interrupts may hold flags that are dead where a block was left: stacks are not compared. */
static bool same_ram(const uint8_t *a, const uint8_t *b, bool print)
{
	unsigned shown = 0, event = first_event(a, b);

	if (!memcmp(a, b, P_STACKS) && !memcmp(a + P_NEXT, b + P_NEXT, RAM_BYTES - P_NEXT))
		return true;
	if (print && event < MOST_EVENTS) {
		print_event("  event", event, a);
		print_event("  but", event, b);
	}
	for (unsigned n = 0; print && n < RAM_BYTES; n++)
		if (a[n] != b[n] && (n < P_STACKS || n >= P_RW) && shown++ < 16)
			printf("  RAM at %x: %02x, not %02x\n", n, b[n], a[n]);
	return false;
}

/* What the host keeps to itself: pointers of the last x87 instruction. What means nothing: the vector of an
 * event that has been delivered, and L of data segments. */
static void forget(struct vcpu *v, struct limits limits)
{
	for (unsigned n = 0; n < NR_SREGS; n++)
		if (n != CS)
			v->seg[n].attr &= ~(uint32_t)SEG_L;
	if (limits.software || limits.plain)
		v->cr2 = 0;
	if (!v->taken.valid)
		memset(&v->taken, 0, sizeof(v->taken));
	if (!limits.native)
		return;
	v->fpu.fip = v->fpu.fdp = 0;
	v->fpu.fop = v->fpu.fcs = v->fpu.fds = 0;
}

static bool same(struct outcome *a, struct outcome *b, bool print)
{
	struct vcpu x = a->v, y = b->v;

	forget(&x, maker.limits);
	forget(&y, maker.limits);
	bool ok = same_state(&x, &y, print);
	ok &= a->device == b->device;
	ok &= same_ram(oracle_ram, b->ram, print);
	if (print && a->device != b->device)
		printf("  devices saw something else\n");
	return ok;
}

static bool run_both(unsigned how, uint64_t stop, bool print, struct outcome *a, struct outcome *b)
{
	box_run(&program, RUN_INTERP, 0, stop, a);
	memcpy(oracle_ram, a->ram, RAM_BYTES);
	if (!a->ended && stop == UINT64_MAX)
		return true;
	box_run(&program, how, program.seed, stop, b);
	return same(a, b, print);
}

/* The first instruction after which they differ; flags may do so for a moment. */
static void find(const struct cpu_model *model, unsigned how)
{
	struct outcome a, b;
	uint64_t lo = 0, hi;

	box_run(&program, RUN_INTERP, 0, UINT64_MAX, &a);
	hi = a.retired;
	while (lo + 1 < hi) {
		uint64_t mid = (lo + hi) / 2;
		box_run(&program, RUN_INTERP, 0, mid, &a);
		memcpy(oracle_ram, a.ram, RAM_BYTES);
		box_run(&program, how, program.seed, mid, &b);
		a.v.cc = b.v.cc;
		if (same(&a, &b, false))
			lo = mid;
		else
			hi = mid;
	}
	printf("after %lu instructions, the last of these:\n", lo);
	for (uint64_t k = lo > 8 ? lo - 8 : 0; k <= lo; k++) {
		box_run(&program, RUN_INTERP, 0, k, &a);
		disassemble(model, a.v.rip, a.v.seg[CS].attr & SEG_L);
	}
	run_both(how, hi, true, &a, &b);
}

static void check(const struct options *opt, const struct kind *kind, unsigned how)
{
	struct outcome a, b;
	bool ok = run_both(how, UINT64_MAX, false, &a, &b);

	if (!a.ended) {
		unfinished++;
		return;
	}
	instructions += a.retired;
	for (unsigned n = 0; n < NR_VECTORS; n++)
		events[n] += *(const uint32_t *)(oracle_ram + P_LOG + LOG_COUNT + 4 * n);
	ok &= b.ended;
	if (!ok && opt->plain && how == RUN_ALL && maker.limits.native) {
		box_run(&program, RUN_KVM, 0, UINT64_MAX, &b);
		if (!b.ended || !same(&a, &b, false)) {
			left_out++;
			return;
		}
		box_run(&program, how, program.seed, UINT64_MAX, &b);
	}
	passed += ok;
	failed += !ok;
	if (ok)
		return;
	printf("DIFFERENT%s: program %lu (%u steps, %u bytes, %lu instructions)%s\n",
	       how == RUN_JIT ? " without hops" : "", program.seed, program.steps, program.len,
	       a.retired, b.ended ? "" : ": no end");
	same(&a, &b, true);
	printf("  again: hop -e %s -t %lu\n", kind->name, program.seed);
	if (opt->one && how != RUN_ALL)
		find(maker.model, how);
}

/* 0, or -1 when it cannot run. */
static int run_kind(const struct options *opt, const struct kind *kind)
{
	struct limits limits = {.plain = opt->plain};
	static struct cpu_model model;
	char err[128];
	bool kvm = false;

	if (cpu_model_parse(&model, opt->model, err, sizeof(err)) < 0) {
		fprintf(stderr, "hop: %s\n", err);
		return -1;
	}
	if (!strcmp(kind->name, "all")) {
		kvm = !kvm_missing();
		if (!kvm) {
			printf("hop: not under KVM: %s\n", kvm_missing());
			return 0;
		}
		if (engine_kvm.fit(&model) < 0)
			return -1;
		limits.native = true;
		limits.software = kvm_probe_unusable() != NULL;
	}
	if (maker_init(&maker, &model, limits) < 0 || box_init(&model, kvm, limits) < 0)
		return -1;
	instructions = unfinished = 0;
	memset(events, 0, sizeof(events));
	for (uint64_t n = 0; n < opt->count; n++) {
		program_make(&maker, &program, opt->seed + n);
		box_start_state(&program, &maker.r);
		for (unsigned k = 0; k < kind->nr; k++)
			check(opt, kind, kind->how[k]);
	}
	printf("%s%s: %lu programs, %lu without end, %lu instructions, %lu hops, %lu instructions "
	       "left "
	       "to others\nevents by vector:",
	       kind->name, limits.software ? " (a software KVM)" : "", opt->count, unfinished,
	       instructions, box_hops(), box_failures());
	for (unsigned n = 0; n < NR_VECTORS; n++)
		if (events[n])
			printf(" %x:%lu", n, events[n]);
	printf("\n");
	box_fini();
	maker_fini(&maker);
	return 0;
}

static bool parse(struct options *opt, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "n:s:e:c:t:p")) != -1) {
		switch (c) {
		case 'n':
			opt->count = strtoull(optarg, NULL, 0);
			break;
		case 's':
			opt->seed = strtoull(optarg, NULL, 0);
			break;
		case 'e':
			opt->engines = optarg;
			break;
		case 'c':
			opt->model = optarg;
			break;
		case 'p':
			opt->plain = true;
			break;
		case 't':
			opt->seed = strtoull(optarg, NULL, 0);
			opt->count = 1;
			opt->one = true;
			break;
		default:
			return false;
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	struct options opt = {.count = 1000, .seed = 1, .model = "max"};
	bool known = false;

	if (parse(&opt, argc, argv) && engine_jit.unusable()) {
		printf("hop: %s\n0 passed, 0 failed, 1 skipped\n", engine_jit.unusable());
		return 0;
	}
	for (unsigned n = 0; n < NR_KINDS; n++) {
		if (opt.engines && strcmp(opt.engines, kinds[n].name))
			continue;
		known = true;
		if (run_kind(&opt, &kinds[n]) < 0)
			return 2;
	}
	if (!known || optind != argc) {
		fprintf(stderr,
			"usage: hop [-n COUNT] [-s SEED] [-e soft|threads|all] [-c MODEL] [-p] "
			"[-t SEED]\n");
		return 2;
	}
	if (left_out)
		printf("%lu left out: the processor ends them otherwise\n", left_out);
	printf("%lu passed, %lu failed\n", passed, failed);
	return failed ? 1 : 0;
}
