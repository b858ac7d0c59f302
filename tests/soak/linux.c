/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 *   linux [-t SECONDS] [-s SEED] KERNEL INITRD
 *
 * Boots Debian's kernel to a shell and moves it between the software engines every few milliseconds, also during
 * the boot. Each line that is typed must come back, its clock must keep up with ours, and timer ticks must come.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "accel/cpus.h"
#include "hw/chardev.h"
#include "hw/pc.h"
#include "tests/soak/host.h"

enum { OUTPUT = 16 << 20 };

static struct {
	struct pc *pc;
	struct chardev chr;
	unsigned seconds;
	struct random random;
	char *out;
	_Atomic size_t out_len;
	size_t seen; /* of the output */
	_Atomic bool ended;
	uint64_t hops;
} so;

static size_t on_output(struct chardev *chr, const uint8_t *buf, size_t len)
{
	size_t at = so.out_len, room = OUTPUT - at, n = len < room ? len : room;

	(void)chr;
	memcpy(so.out + at, buf, n);
	atomic_store(&so.out_len, at + n);
	return len;
}

static void say(const char *text)
{
	while (*text && !so.ended) {
		pthread_mutex_lock(&so.pc->m.lock);
		if (so.chr.can_receive && so.chr.can_receive(so.chr.dev) > 0)
			so.chr.receive(so.chr.dev, (const uint8_t *)text++, 1);
		pthread_mutex_unlock(&so.pc->m.lock);
		sleep_us(rnd(&so.random, 50));
	}
}

/* The text after the next occurrence of `expect`, up to the end of the line if that has come; NULL after a
 * minute without. */
static const char *hear(const char *expect)
{
	double end = now() + 60;

	while (now() < end) {
		size_t len = so.out_len;
		const char *from = so.out + so.seen;
		const char *at = memmem(from, len - so.seen, expect, strlen(expect));
		if (at && memchr(at, '\n', (size_t)(so.out + len - at))) {
			so.seen = (size_t)(at - so.out) + strlen(expect);
			return so.out + so.seen;
		}
		sleep_us(500);
	}
	printf("linux: no '%s' in:\n%.2000s\n", expect, so.out + so.seen);
	return NULL;
}

static void *hop(void *arg)
{
	const struct engine *const all[] = {&engine_interp, &engine_jit};

	(void)arg;
	struct random r = so.random;
	while (!so.ended) {
		cpus_set_engine(so.pc->m.cpus, all[rnd(&r, 2)]);
		so.hops++;
		sleep_us(500 + rnd(&r, 8000));
	}
	return NULL;
}

static bool clock_of_guest(double *uptime, unsigned long *ticks)
{
	const char *at;

	say("T\n");
	at = hear("\nup=");
	if (!at || sscanf(at, "%lf", uptime) != 1)
		return false;
	at = hear("LOC:");
	return at && sscanf(at, "%lu", ticks) == 1;
}

static unsigned drive(void)
{
	char line[80], expect[84];
	double up[2], here[2];
	unsigned long ticks[2];
	unsigned lines = 0;

	while (!memmem(so.out, so.out_len, "/ # ", 4))
		sleep_us(1000);
	say("stty -echo; while read -r l; do if [ \"$l\" = T ]; then "
	    "echo \"up=$(cut -d' ' -f1 /proc/uptime)\"; grep LOC /proc/interrupts; "
	    "else echo \"<$l>\"; fi; done\n");
	sleep_us(500000);
	if (!clock_of_guest(&up[0], &ticks[0]))
		return 1;
	here[0] = now();
	while (now() < here[0] + so.seconds) {
		unsigned n = 1 + (unsigned)rnd(&so.random, 60);
		for (unsigned k = 0; k < n; k++)
			line[k] = (char)('a' + rnd(&so.random, 26));
		line[n] = 0;
		snprintf(expect, sizeof(expect), "<%s>", line);
		say(line);
		say("\n");
		if (!hear(expect))
			return 1;
		lines++;
		sleep_us(rnd(&so.random, 30000));
	}
	double took = now() - here[0];
	if (!clock_of_guest(&up[1], &ticks[1]))
		return 1;
	here[1] = now();
	printf("%u lines came back, %.2f s there and %.2f s here, %lu ticks, %lu hops\n", lines,
	       up[1] - up[0], here[1] - here[0], ticks[1] - ticks[0], so.hops);
	unsigned failed = 0;
	double drift = (up[1] - up[0]) - (here[1] - here[0]);
	failed += drift < -1 || drift > 1;
	failed += ticks[1] - ticks[0] < 10 * (unsigned long)took;
	failed += memmem(so.out, so.out_len, "clocksource: timekeeping watchdog", 33) != NULL;
	failed += memmem(so.out, so.out_len, "Call Trace", 10) != NULL;
	return failed;
}

static void *run(void *arg)
{
	machine_run(&so.pc->m);
	so.ended = true;
	return arg;
}

static int fail(const char *what)
{
	fprintf(stderr, "linux: %s\n", what);
	return 2;
}

int main(int argc, char **argv)
{
	struct pc_config c = {.ram_size = 256u << 20,
			      .cpus = 1,
			      .engine = &engine_interp,
			      .uart = {true},
			      .no_reboot = true,
			      .epoch_ns = 1767225600 * (int64_t)NSEC_PER_SEC};
	struct boot_module initrd = {.cmdline = ""};
	struct blob kernel;
	pthread_t machine, hopper;
	char err[256];
	int opt;

	so.seconds = 10;
	so.random.s = 1;
	while ((opt = getopt(argc, argv, "t:s:")) != -1) {
		if (opt == 't')
			so.seconds = (unsigned)strtoul(optarg, NULL, 0);
		else if (opt == 's')
			so.random.s = strtoull(optarg, NULL, 0);
		else
			return fail("usage: linux [-t SECONDS] [-s SEED] KERNEL INITRD");
	}
	so.out = malloc(OUTPUT);
	if (optind + 2 != argc || !so.out || !read_file(argv[optind], &kernel) ||
	    !read_file(argv[optind + 1], &initrd.file))
		return fail("no kernel or no initrd");
	if (engine_jit.unusable()) {
		printf("linux: %s\n0 passed, 0 failed, 1 skipped\n", engine_jit.unusable());
		return 0;
	}
	if (cpu_model_parse(&c.model, "max", err, sizeof(err)) < 0 ||
	    pc_new(&so.pc, &c, err, sizeof(err)) < 0 ||
	    pc_load(so.pc, &kernel, &initrd, 1, "console=ttyS0 quiet", err, sizeof(err)) < 0)
		return fail(err);
	if (cpus_prepare(so.pc->m.cpus, &engine_jit) < 0)
		return fail("no translator");
	so.chr.write = on_output;
	uart16550_attach(&so.pc->uart[0], &so.chr);
	if (pthread_create(&machine, NULL, run, NULL) || pthread_create(&hopper, NULL, hop, NULL))
		return fail("no threads");
	unsigned failed = drive();
	pthread_mutex_lock(&so.pc->m.lock);
	machine_request_quit(&so.pc->m);
	pthread_mutex_unlock(&so.pc->m.lock);
	pthread_join(machine, NULL);
	pthread_join(hopper, NULL);
	pc_free(so.pc);
	printf("%u passed, %u failed\n", failed ? 0 : 1, failed);
	return failed ? 1 : 0;
}
