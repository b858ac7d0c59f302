/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 *   soak [-t SECONDS] [-s SEED] [-e ENGINE,...] GUEST
 *
 * Runs guest.S on a whole machine, moves it to another engine every few milliseconds, types at random times, and
 * looks whether anything has been lost: every interrupt that was acknowledged has been handled once, every
 * one-shot timer came, every character came back in order, clocks agree, and nothing was computed wrongly.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accel/cpus.h"
#include "accel/kvm/kvm.h"
#include "accel/probe/kvm_probe.h"
#include "hw/chardev.h"
#include "hw/pc.h"
#include "tests/soak/host.h"
#include "tests/soak/soak.h"

enum { MOST_TYPED = 1 << 20 };

static struct soak {
	struct pc *pc;
	struct chardev chr;
	unsigned seconds;
	const char *only; /* engines by name; NULL: all that this host has */
	struct random random;
	const struct engine *engine[3];
	unsigned nr_engines;
	uint8_t typed[MOST_TYPED];
	size_t nr_typed;
	_Atomic size_t nr_echoed;
	unsigned wrong; /* characters that came back as others */
	_Atomic uint64_t acknowledged[256];
	int (*intr_ack)(void *opaque, unsigned cpu);
	uint64_t hops;
	bool foreign_tsc; /* a software KVM shows the host's as it is */
	unsigned failed, passed;
} so;

/* ---- the guest's surroundings ---- */

static int count_ack(void *opaque, unsigned cpu)
{
	int vector = so.intr_ack(opaque, cpu);

	if (vector >= 0)
		atomic_fetch_add(&so.acknowledged[vector], 1);
	return vector;
}

static size_t on_output(struct chardev *chr, const uint8_t *buf, size_t len)
{
	(void)chr;
	for (size_t n = 0; n < len; n++, so.nr_echoed++)
		so.wrong += so.nr_echoed >= so.nr_typed || buf[n] != so.typed[so.nr_echoed];
	return len;
}

static uint64_t told(unsigned off)
{
	uint64_t val;

	memcpy(&val, so.pc->m.ram.host + SOAK_AT + off, sizeof(val));
	return val;
}

/* ---- hopping and typing ---- */

/* As much of it as the port takes now. */
static void type(uint8_t c)
{
	pthread_mutex_lock(&so.pc->m.lock);
	if (so.nr_typed < MOST_TYPED && so.chr.can_receive(so.chr.dev) > 0) {
		so.typed[so.nr_typed++] = c;
		so.chr.receive(so.chr.dev, &c, 1);
	}
	pthread_mutex_unlock(&so.pc->m.lock);
}

static bool wait_for(uint64_t state)
{
	double end = now() + 20;

	while (told(SOAK_STATE) != state && now() < end)
		sleep_us(1000);
	return told(SOAK_STATE) == state;
}

static void verdict(bool ok, const char *what)
{
	so.passed += ok;
	so.failed += !ok;
	if (!ok)
		printf("FAILED: %s\n", what);
}

static void judge_count(const char *what, unsigned vector, uint64_t handled)
{
	uint64_t acks = atomic_load(&so.acknowledged[vector]);

	printf("%s: %lu handled, %lu acknowledged\n", what, handled, acks);
	verdict(handled == acks, what);
}

static void judge(double took)
{
	double tsc =
	    (double)(told(SOAK_TSC_LAST) - told(SOAK_TSC_FIRST)) / (double)so.pc->m.bus.tsc_hz;
	double pm = (double)told(SOAK_PM_TICKS) / PM_TIMER_HZ;

	judge_count("PIT", VEC_PIT, told(SOAK_PIT));
	judge_count("RTC", VEC_RTC, told(SOAK_RTC));
	judge_count("local APIC", VEC_APIC, told(SOAK_APIC));
	judge_count("serial", VEC_SERIAL, told(SOAK_SERIAL));
	printf("one-shots and deadlines: %lu armed, %lu fired, %lu put off, %lu early\n",
	       told(SOAK_ARMED), told(SOAK_FIRED), told(SOAK_STALE), told(SOAK_EARLY));
	verdict(told(SOAK_ARMED) - told(SOAK_FIRED) <= 1, "one-shots");
	verdict(!told(SOAK_EARLY), "deadlines that come early");
	printf(
	    "clocks: %.3f s by the TSC, %.3f s by the PM timer, %.3f s here; TSC back %lu times\n",
	    tsc, pm, took, told(SOAK_BACKWARDS));
	verdict(so.foreign_tsc || (tsc > 0.99 * pm && tsc < 1.01 * pm + 0.01), "clocks");
	verdict(so.foreign_tsc || !told(SOAK_BACKWARDS), "TSC");
	verdict(pm < 1.01 * took + 0.1 && pm > 0.95 * took - 0.1, "PM timer");
	printf("ticks: %.1f%% of 1000 Hz, %.1f%% of 256 Hz\n", told(SOAK_PIT) / pm / 10,
	       told(SOAK_RTC) / pm / 2.56);
	verdict(told(SOAK_PIT) <= 1000 * pm + 2 && told(SOAK_PIT) > 50 * pm, "PIT's rate");
	verdict(told(SOAK_RTC) <= 256 * pm + 2 && told(SOAK_RTC) > 25 * pm, "RTC's rate");
	verdict(told(SOAK_APIC) > 25 * pm, "local APIC's rate");
	printf("serial: %zu typed, %lu taken, %zu came back, %u of them wrong\n", so.nr_typed,
	       told(SOAK_ECHOED), so.nr_echoed, so.wrong);
	verdict(so.nr_echoed == so.nr_typed && !so.wrong, "echo");
	printf("computed %lu times, %lu wrong\n", told(SOAK_LOOPS), told(SOAK_BAD));
	verdict(told(SOAK_LOOPS) && !told(SOAK_BAD), "computation");
	verdict(!told(SOAK_SPURIOUS), "spurious interrupts");
	verdict(!told(SOAK_FAULT), "exceptions");
	printf("%lu hops asked for; left to others:", so.hops);
	for (unsigned n = 0; n < FAILURES; n++)
		printf(" %lu", cpus_hops(so.pc->m.cpus, n));
	printf("\n");
}

static void *drive(void *arg)
{
	(void)arg;
	if (!wait_for(1)) {
		verdict(false, "the guest does not start");
		goto out;
	}
	double start = now(), end = start + so.seconds, next = start;
	while (now() < end) {
		cpus_set_engine(so.pc->m.cpus, so.engine[rnd(&so.random, so.nr_engines)]);
		so.hops++;
		sleep_us(500 + rnd(&so.random, 8000));
		if (now() < next)
			continue;
		for (unsigned n = 1 + (unsigned)rnd(&so.random, 12); n; n--)
			type((uint8_t)('A' + rnd(&so.random, 58)));
		next = now() + (double)rnd(&so.random, 30) / 1000;
	}
	for (unsigned n = 0; n < 2000 && so.nr_echoed < so.nr_typed; n++)
		sleep_us(1000);
	double took = now() - start;
	type(SOAK_END);
	verdict(wait_for(2), "the guest does not end");
	for (unsigned n = 0; n < 2000 && so.nr_echoed < so.nr_typed; n++)
		sleep_us(1000);
	cpus_pause(so.pc->m.cpus);
	judge(took);
	cpus_resume(so.pc->m.cpus);
out:
	pthread_mutex_lock(&so.pc->m.lock);
	machine_request_quit(&so.pc->m);
	pthread_mutex_unlock(&so.pc->m.lock);
	return NULL;
}

/* ---- the machine ---- */

static int fail(const char *what)
{
	fprintf(stderr, "soak: %s\n", what);
	return 2;
}

static int start(const char *path)
{
	struct pc_config c = {.ram_size = 16u << 20,
			      .cpus = 1,
			      .engine = &engine_interp,
			      .uart = {true},
			      .no_reboot = true,
			      .epoch_ns = 1767225600 * (int64_t)NSEC_PER_SEC};
	const struct engine *const all[] = {&engine_interp, &engine_jit, &engine_kvm};
	static struct blob guest; /* stays */
	char err[256];

	if (cpu_model_parse(&c.model, "max", err, sizeof(err)) < 0)
		return fail(err);
	for (unsigned n = 0; n < 3; n++) {
		const struct engine *en = all[n];
		if (en == &engine_kvm ? kvm_missing() != NULL : en->unusable() != NULL)
			continue;
		if (so.only && !strstr(so.only, en->name))
			continue;
		if (en->fit && en->fit(&c.model) < 0)
			continue;
		so.engine[so.nr_engines++] = en;
	}
	if (!read_file(path, &guest))
		return fail("no guest");
	so.foreign_tsc = so.engine[so.nr_engines - 1] == &engine_kvm && kvm_probe_unusable();
	if (pc_new(&so.pc, &c, err, sizeof(err)) < 0 ||
	    pc_load(so.pc, &guest, NULL, 0, so.foreign_tsc ? "n" : "", err, sizeof(err)) < 0)
		return fail(err);
	for (unsigned n = 0; n < so.nr_engines; n++) {
		printf("%s%s", n ? ", " : "engines: ", so.engine[n]->name);
		if (cpus_prepare(so.pc->m.cpus, so.engine[n]) < 0)
			return fail("an engine cannot be made");
	}
	printf("\n");
	so.intr_ack = so.pc->m.bus.intr_ack;
	so.pc->m.bus.intr_ack = count_ack;
	so.chr.write = on_output;
	uart16550_attach(&so.pc->uart[0], &so.chr);
	return 0;
}

int main(int argc, char **argv)
{
	pthread_t driver;
	int c;

	so.seconds = 10;
	so.random.s = 1;
	while ((c = getopt(argc, argv, "t:s:e:")) != -1) {
		if (c == 't')
			so.seconds = (unsigned)strtoul(optarg, NULL, 0);
		else if (c == 's')
			so.random.s = strtoull(optarg, NULL, 0);
		else if (c == 'e')
			so.only = optarg;
		else
			return fail("usage: soak [-t SECONDS] [-s SEED] [-e ENGINE,...] GUEST");
	}
	if (optind + 1 != argc)
		return fail("usage: soak [-t SECONDS] [-s SEED] [-e ENGINE,...] GUEST");
	int err = start(argv[optind]);
	if (err)
		return err;
	if (pthread_create(&driver, NULL, drive, NULL))
		return fail("no thread");
	machine_run(&so.pc->m);
	pthread_join(driver, NULL);
	pc_free(so.pc);
	printf("%u passed, %u failed\n", so.passed, so.failed);
	return so.failed ? 1 : 0;
}
