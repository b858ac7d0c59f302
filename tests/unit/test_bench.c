/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The benchmark's meter against a clock of our own, and its report in every form.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/bench.h"
#include "frontend/bench_guest.h"

#define MS 1000000ull

struct bench {
	struct meter m;
	bool selected[BENCH_WORKLOADS];
	struct bench_cell cell[BENCH_WORKLOADS];
	unsigned done;
	uint64_t now;
};

static void on_done(void *opaque, unsigned id, const struct bench_cell *cell)
{
	struct bench *b = opaque;

	b->cell[id] = *cell;
	b->done++;
}

static void bench_init(struct bench *b, unsigned id)
{
	memset(b, 0, sizeof(*b));
	b->selected[id] = true;
	meter_init(&b->m, b->selected, 0, 80 * MS);
	b->m.done = on_done;
	b->m.opaque = b;
}

/* One run of what the meter asks for; false when it asks for nothing. */
static bool step(struct bench *b, uint64_t round_ns, uint64_t extra_ns, uint64_t sum)
{
	uint32_t id, rounds;

	if (!meter_next(&b->m, &id, &rounds))
		return false;
	cr_assert(b->selected[id]);
	meter_begin(&b->m, b->now);
	b->now += rounds * round_ns + extra_ns;
	meter_end(&b->m, b->now, &(struct bench_result){sum, true});
	return true;
}

/* Slow first rounds and one disturbed sample in three do not show. */
Test(bench, fastest_sample)
{
	struct bench b;
	unsigned n = 0;

	bench_init(&b, BENCH_INT);
	for (; step(&b, 1024 * 5, n == 0 || n % 3 == 0 ? 3 * MS : 0, 7); n++)
		cr_assert_lt(n, 200);
	const struct bench_cell *c = &b.cell[BENCH_INT];
	cr_assert_eq(b.done, 1);
	cr_assert_eq(c->status, CELL_OK);
	cr_assert_float_eq(c->ns, 5, 0.001);
	cr_assert_geq(c->median_ns, c->ns);
	cr_assert_eq(c->result, 7);
	cr_assert_geq(c->samples, 3);
	cr_assert_lt(b.now, 200 * MS, "about the time it is given");
	/* A sample is a good part of that time. */
	cr_assert_geq((uint64_t)c->rounds * 1024 * 5, 4 * MS);
}

/* Rounds longer than the whole time are taken once. */
Test(bench, long_rounds)
{
	struct bench b;
	unsigned n = 0;

	bench_init(&b, BENCH_RANDOM);
	while (step(&b, 400 * MS, 0, 1))
		n++;
	cr_assert_eq(n, 1);
	cr_assert_eq(b.cell[BENCH_RANDOM].status, CELL_OK);
	cr_assert_float_eq(b.cell[BENCH_RANDOM].ns, 400e6 / 65536, 0.001);
}

Test(bench, waiting_is_no_cost)
{
	struct bench b;

	bench_init(&b, BENCH_HLT);
	while (step(&b, 8 * 51000, 0, 1))
		;
	cr_assert_float_eq(b.cell[BENCH_HLT].ns, 1000, 0.001);
}

Test(bench, another_result)
{
	struct bench b;

	bench_init(&b, BENCH_SSE);
	step(&b, 1000, 0, 1);
	step(&b, 1000, 0, 2);
	cr_assert_eq(b.cell[BENCH_SSE].status, CELL_FAILED);
	cr_assert(!step(&b, 1000, 0, 2));
}

Test(bench, unsupported)
{
	struct bench b;
	uint32_t id, rounds;

	bench_init(&b, BENCH_AVX2);
	b.selected[BENCH_IPI] = true;
	cr_assert(meter_next(&b.m, &id, &rounds));
	meter_unsupported(&b.m);
	cr_assert_eq(b.cell[BENCH_AVX2].status, CELL_UNSUPPORTED);
	cr_assert(meter_next(&b.m, &id, &rounds));
	cr_assert_eq(id, BENCH_IPI);
	cr_assert_eq(rounds, 1);
}

/* ---- reports ---- */

static struct bench_report *sample_report(void)
{
	struct bench_report *r = calloc(1, sizeof(*r));

	snprintf(r->host, sizeof(r->host), "A <fast> \"CPU\"");
	r->cpus = 2;
	r->nr = 4;
	r->column[0].name = "native";
	r->column[1].name = "jit";
	r->column[2].name = "interp";
	r->column[3].name = "kvm";
	r->column[3].unusable = "no <kvm>";
	r->selected[BENCH_INT] = r->selected[BENCH_CALL] = r->selected[BENCH_PORT] = true;
	for (unsigned c = 0; c < 3; c++) {
		r->column[c].cell[BENCH_INT] =
		    (struct bench_cell){CELL_OK, 2 + c * 2, 3 + c, 10, 4, 0xabc, ""};
		r->column[c].cell[BENCH_CALL] =
		    (struct bench_cell){CELL_OK, 1 + 15 * c, 100, 10, 4, 5, ""};
		if (c)
			r->column[c].cell[BENCH_PORT] =
			    (struct bench_cell){CELL_OK, 50 * c, 100, 10, 4, 0xff0, ""};
	}
	return r;
}

static char *text_of(const struct bench_report *r,
		     void (*print)(const struct bench_report *r, FILE *out))
{
	char *s;
	size_t len;
	FILE *f = open_memstream(&s, &len);

	print(r, f);
	fclose(f);
	return s;
}

static void expect(const struct bench_report *r,
		   void (*print)(const struct bench_report *r, FILE *out), const char *part)
{
	char *s = text_of(r, print);

	cr_assert(strstr(s, part), "'%s' is not in:\n%s", part, s);
	free(s);
}

Test(bench, ratios)
{
	struct bench_report *r = sample_report();

	cr_assert_float_eq(bench_ratio(r, BENCH_INT, 1, 0), 2, 1e-9);
	cr_assert_float_eq(bench_ratio(r, BENCH_INT, 2, 1), 1.5, 1e-9);
	cr_assert_eq(bench_ratio(r, BENCH_PORT, 1, 0), 0);
	cr_assert_float_eq(bench_group_ratio(r, GROUP_CPU, 1, 0), 5.656854, 1e-5);
	cr_assert_eq(bench_group_ratio(r, GROUP_KERNEL, 1, 0), 0);
	free(r);
}

Test(bench, table)
{
	struct bench_report *r = sample_report();

	expect(r, bench_print,
	       "                          native       jit    interp  jit/native  interp/native"
	       "  interp/jit\nProcessor, user code\n"
	       "  int        step           2.00      4.00      6.00        2.00           3.00"
	       "        1.50\n");
	expect(r, bench_print,
	       "  port       IN                -      50.0       100           -"
	       "              -        2.00\n");
	expect(r, bench_print, "not kvm: no <kvm>\nevery workload came to the same result");
	free(r);
}

Test(bench, json_and_csv)
{
	struct bench_report *r = sample_report();

	expect(r, bench_print_csv,
	       "int,\"Processor, user code\",step,interp,ok,6,5,3,1.5,10,4,0000000000000abc\r\n");
	expect(r, bench_print_csv,
	       "port,\"Kernel and devices\",IN,jit,ok,50,100,,1,10,4,0000000000000ff0\r\n");
	expect(r, bench_print_json,
	       "\"interp\": {\"status\": \"ok\", \"why\": null, \"ns\": 6, \"median_ns\": 5, "
	       "\"over_native\": 3, \"over_first\": 1.5, \"rounds\": 10, \"samples\": 4, "
	       "\"result\": \"0000000000000abc\"}");
	expect(r, bench_print_json, "{\"name\": \"kvm\", \"unusable\": \"no <kvm>\"}");
	expect(r, bench_print_html, "A &lt;fast&gt; &quot;CPU&quot;, 2 CPUs.");
	expect(r, bench_print_html, "<p>Not kvm: no &lt;kvm&gt;</p>");
	free(r);
}

/* An engine that computes something else than the host has failed. */
Test(bench, wrong_result)
{
	struct bench_report *r = sample_report();

	r->column[2].cell[BENCH_INT].result = 0xabd;
	bench_compare(r);
	cr_assert_eq(bench_failures(r), 1);
	expect(r, bench_print,
	       "interp, int: its result is 0000000000000abd, and native has 0000000000000abc\n");
	expect(r, bench_print, "      4.00    FAILED  ");
	free(r);
}

/* ---- guests of the user's ---- */

static void write_map(char *path, const char *text)
{
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* Symbols of code, in any order, and not the data among them; user code has its own addresses. */
Test(bench, places)
{
	static struct guest_watch w;
	struct guest_place place[4];
	struct symbols *s;
	char path[] = "/tmp/doppel-map-XXXXXX";

	write_map(path, "ffffffff81000300 t third\nffffffff81000100 T first\n"
			"ffffffff81000180 D data\nffffffff81000200 W second\nnonsense\n");
	cr_assert_eq(symbols_load(&s, path), 0);
	unlink(path);
	const struct guest_sample samples[] = {
	    {0xffffffff810001ff, false}, {0xffffffff81000200, false}, {0xffffffff81000101, false},
	    {0xffffffff81100000, false}, {0xffffffff81000110, true},  {0xffffffff81000110, true}};
	memcpy(w.sample, samples, sizeof(samples));
	w.nr_samples = 6;
	cr_assert_eq(guest_places(&w, s, place, 4), 4);
	cr_assert_str_eq(place[0].name, "first");
	cr_assert_eq(place[0].samples, 2);
	cr_assert_str_eq(place[1].name, "ffffffff81000100");
	cr_assert(place[1].user);
	cr_assert_eq(place[1].samples, 2);
	cr_assert_str_eq(place[2].name, "ffffffff81100000");
	cr_assert_str_eq(place[3].name, "second");
	cr_assert_eq(guest_places(&w, NULL, place, 1), 1);
	cr_assert_str_eq(place[0].name, "ffffffff81000100");
	symbols_free(s);
}

/* A kernel that is elsewhere than its map says, by the address of its system call entry. */
Test(bench, moved_kernel)
{
	static struct guest_watch w;
	struct guest_place place[1];
	struct symbols *s;
	char path[] = "/tmp/doppel-map-XXXXXX";

	write_map(path, "ffffffff81000100 T first\nffffffff81000200 T entry_SYSCALL_64\n");
	cr_assert_eq(symbols_load(&s, path), 0);
	unlink(path);
	w.lstar = 0xffffffff9a000200;
	w.sample[0].rip = 0xffffffff9a000140;
	w.nr_samples = 1;
	cr_assert_eq(guest_places(&w, s, place, 1), 1);
	cr_assert_str_eq(place[0].name, "first");
	symbols_free(s);
}

Test(bench, bad_maps)
{
	struct symbols *s;
	char path[] = "/tmp/doppel-map-XXXXXX";

	cr_assert_eq(symbols_load(&s, "/nonexistent"), -ENOENT);
	write_map(path, "ffffffffffffffff B The real one is elsewhere\n");
	cr_assert_eq(symbols_load(&s, path), -EINVAL);
	unlink(path);
}
