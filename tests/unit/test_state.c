/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Saved states: round trips, and files that must be refused without harm.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "accel/cpus.h"
#include "accel/engine.h"
#include "accel/soft.h"
#include "cpu/vcpu.h"
#include "hw/display/vga.h"
#include "hw/machine_state.h"
#include "hw/pc.h"

struct bytes {
	uint8_t *at;
	size_t len;
};

static int put(void *opaque, const void *buf, size_t len)
{
	struct bytes *b = opaque;

	b->at = realloc(b->at, b->len + len + 1);
	memcpy(b->at + b->len, buf, len);
	b->len += len;
	return 0;
}

static int get(void *opaque, uint64_t at, void *buf, size_t len)
{
	const struct bytes *b = opaque;

	cr_assert(at <= b->len && len <= b->len - at);
	memcpy(buf, b->at + at, len);
	return 0;
}

static struct pc *make(unsigned mib, unsigned cpus, bool vga)
{
	struct pc_config cfg = {.ram_size = (uint64_t)mib << 20,
				.cpus = cpus,
				.engine = &engine_interp,
				.uart = {true, true},
				.epoch_ns = 1767225600 * (int64_t)NSEC_PER_SEC};
	struct device_spec spec;
	struct pc *pc = NULL;
	char err[256];

	cr_assert_eq(cpu_model_parse(&cfg.model, "max", err, sizeof(err)), 0, "%s", err);
	cr_assert_eq(pc_new(&pc, &cfg, err, sizeof(err)), 0, "%s", err);
	device_spec_init(&spec, &vga_type);
	if (vga)
		cr_assert_eq(pc_add_device(pc, &spec, NULL, NULL, err, sizeof(err)), 0, "%s", err);
	pthread_mutex_lock(&pc->m.lock);
	pc->m.stopped = true;
	cr_assert_eq(machine_reset_locked(&pc->m), 0);
	pthread_mutex_unlock(&pc->m.lock);
	return pc;
}

static struct bytes save(struct pc *pc)
{
	struct bytes b = {0};

	pthread_mutex_lock(&pc->m.lock);
	cr_assert_eq(machine_save_locked(&pc->m, "", &(struct state_sink){put, &b}), 0);
	pthread_mutex_unlock(&pc->m.lock);
	return b;
}

static char why[400];

static int load(struct pc *pc, struct bytes b)
{
	bool half;
	int r;

	*why = 0;
	pthread_mutex_lock(&pc->m.lock);
	r = machine_load_locked(&pc->m, "", &(struct state_source){get, &b, b.len}, &half, why,
				sizeof(why));
	pthread_mutex_unlock(&pc->m.lock);
	cr_assert(!half);
	cr_assert((r < 0) == (*why != 0), "%d %s", r, why);
	return r;
}

/* Something in every kind of part. */
static void stir(struct pc *pc)
{
	struct aspace *io = &pc->m.io, *mem = &pc->m.mem;
	struct vcpu *v = cpus_state(pc->m.cpus, 1);

	aspace_write(mem, 0x1000, 0x1122334455667788, 8);
	aspace_write(mem, 0x1ff000, 0x99, 1);
	aspace_write(io, 0x43, 0x34, 1); /* PIT: channel 0, rate generator */
	aspace_write(io, 0x40, 0x00, 1);
	aspace_write(io, 0x40, 0x10, 1);
	aspace_write(io, 0x21, 0xb8, 1);
	aspace_write(io, 0x3fc, 0x0b, 1);
	aspace_write(io, 0x3ff, 0x5a, 1);
	aspace_write(io, 0x70, 0x20, 1);
	aspace_write(io, 0x71, 0x77, 1);
	aspace_write(io, 0x92, 0x00, 1); /* A20 closed */
	aspace_write(mem, 0xfed00010, 1, 4);
	aspace_write(mem, 0xa0010, 0x41, 1);
	v->gpr[R9] = 0xabcdef;
	v->activity = ACT_HALTED;
	v->fpu.r[3].mant = 77;
	v->v[31].u64[7] = 88;
	v->taken.vector = 9;
}

static bool same(struct bytes a, struct bytes b)
{
	return a.len == b.len && !memcmp(a.at, b.at, a.len);
}

Test(state, round_trip)
{
	struct pc *a = make(4, 2, true), *b = make(4, 2, true);
	struct bytes x, y;

	stir(a);
	/* What is there already goes. */
	aspace_write(&b->m.mem, 0x200000, 0x55, 1);
	x = save(a);
	cr_assert_eq(load(b, x), 0, "%s", why);
	y = save(b);
	cr_expect(same(x, y));
	cr_expect_eq(aspace_read(&b->m.mem, 0x1000, 8), 0x1122334455667788);
	cr_expect_eq(*(uint8_t *)(b->m.ram.host + 0x200000), 0);
	cr_expect_eq(cpus_state(b->m.cpus, 1)->gpr[R9], 0xabcdefu);
	cr_expect_eq(cpus_state(b->m.cpus, 1)->v[31].u64[7], 88u);
	cr_expect_eq(aspace_read(&b->m.io, 0x3ff, 1), 0x5a);
	cr_expect(!aspace_a20(&b->m.mem));
	free(x.at);
	free(y.at);
	pc_free(a);
	pc_free(b);
}

/* The interrupt that a timer owes comes at its time. */
Test(state, timers_go_on)
{
	struct pc *a = make(2, 1, false), *b = make(2, 1, false);
	struct bytes x;
	uint64_t at;

	stir(make(2, 2, false));
	aspace_write(&a->m.io, 0x43, 0x34, 1);
	aspace_write(&a->m.io, 0x40, 0x00, 1);
	aspace_write(&a->m.io, 0x40, 0x40, 1);
	clock_load(&a->m.clock, 123456789);
	x = save(a);
	at = clock_next(&a->m.clock);
	cr_assert_neq(at, UINT64_MAX);
	cr_assert_eq(load(b, x), 0, "%s", why);
	cr_expect_eq(clock_now(&b->m.clock), 123456789u);
	free(x.at);
	pc_free(a);
	pc_free(b);
}

Test(state, other_machines)
{
	struct pc *a = make(4, 2, true), *less = make(2, 2, true), *one = make(4, 1, true),
		  *none = make(4, 2, false);
	struct bytes x = save(a), y = save(none);

	cr_expect_lt(load(less, x), 0);
	cr_expect(strstr(why, "-m 4M") && strstr(why, "-m 2M"), "%s", why);
	cr_expect_lt(load(one, x), 0);
	cr_expect(strstr(why, "-smp 2") && strstr(why, "-smp 1"), "%s", why);
	cr_expect_lt(load(none, x), 0);
	cr_expect(strstr(why, "vga"), "%s", why);
	cr_expect_lt(load(a, y), 0);
	cr_expect(strstr(why, "vga"), "%s", why);
	free(x.at);
	free(y.at);
	pc_free(a);
	pc_free(less);
	pc_free(one);
	pc_free(none);
}

Test(state, damaged)
{
	struct pc *a = make(4, 2, true), *b = make(4, 2, true);
	struct bytes x, before, after;
	unsigned seed = 1;

	stir(a);
	x = save(a);
	before = save(b);
	for (unsigned n = 0; n < 300; n++) {
		struct bytes cut = {x.at, (size_t)rand_r(&seed) % x.len};
		size_t at = (size_t)rand_r(&seed) % x.len;
		uint8_t bit = (uint8_t)(1u << n % 8);

		cr_assert_lt(load(b, cut), 0);
		if (n < 40) /* headers, too */
			at = n;
		x.at[at] ^= bit;
		cr_assert_lt(load(b, x), 0, "bit at %zu", at);
		x.at[at] ^= bit;
	}
	put(&x, "more", 4);
	cr_expect_lt(load(b, x), 0);
	after = save(b);
	cr_expect(same(before, after), "a refused state changes nothing");
	free(x.at);
	free(before.at);
	free(after.at);
	pc_free(a);
	pc_free(b);
}

/* ---- files that a malicious hand made ---- */

static uint32_t crc(const void *p, size_t len)
{
	return (uint32_t)crc32(crc32(0, NULL, 0), p, (uInt)len);
}

/* The parts of a section's header, see docs/snapshots.md. */
enum { LEN = 4, NAME = 8, PAYLOAD_CRC = 72, HEADER_CRC = 76, HEADER = 80 };

static uint32_t word(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

static void seal(uint8_t *section)
{
	uint32_t c = crc(section + HEADER, word(section + LEN));

	memcpy(section + PAYLOAD_CRC, &c, 4);
	c = crc(section, HEADER_CRC);
	memcpy(section + HEADER_CRC, &c, 4);
}

static uint8_t *section(struct bytes b, const char *name)
{
	for (size_t at = 16; at < b.len; at += HEADER + word(b.at + at + LEN))
		if (strcmp((char *)b.at + at + NAME, name) == 0)
			return b.at + at;
	cr_assert(false, "no %s", name);
	return NULL;
}

Test(state, unknown_fields_are_named)
{
	struct pc *a = make(2, 1, false);
	struct bytes x = save(a);
	uint8_t *s = section(x, "device i8254"), *at;

	at = memmem(s + HEADER, word(s + LEN), "port61", 6);
	cr_assert(at);
	memcpy(at, "port99", 6);
	seal(s);
	cr_expect_lt(load(a, x), 0);
	cr_expect(strstr(why, "port99") && strstr(why, "i8254"), "%s", why);
	memcpy(at, "port61", 6);
	at[-4]++; /* the count of its elements */
	seal(s);
	cr_expect_lt(load(a, x), 0);
	free(x.at);
	pc_free(a);
}

Test(state, two_of_a_kind)
{
	struct pc *a = make(2, 1, false);
	struct bytes x = save(a);
	uint8_t *s = section(x, "device i8254");

	/* The end becomes another section, the first one's name. */
	strcpy((char *)section(x, "device rtc") + NAME, "device i8254");
	(void)s;
	cr_expect_lt(load(a, x), 0);
	free(x.at);
	pc_free(a);
}

/* Some instructions of each vCPU, whose threads stay parked. */
static void execute(struct pc *pc)
{
	for (unsigned n = 0; n < 2; n++) {
		struct engine_cpu *e = cpus_engine(pc->m.cpus, n);
		struct core *c = &e->core;

		atomic_fetch_and(c->events, ~(uint32_t)EV_STOP);
		pc->m.engine->load(e, cpus_state(pc->m.cpus, n));
		for (unsigned k = 0; k < 5; k++)
			pc->m.engine->run(e, 50);
		atomic_fetch_or(c->events, EV_STOP);
	}
}

/* Any values, with right checksums: the machine may do what it likes, but within itself. */
Test(state, hostile_values, .timeout = 60)
{
	struct pc *pc = make(2, 2, true);
	struct surface pic = {0};
	unsigned seed = 1, loaded = 0;

	stir(pc);
	for (unsigned round = 0; round < 150; round++) {
		struct bytes x = save(pc);

		for (size_t at = 16; at < x.len;) {
			uint8_t *s = x.at + at, *p = s + HEADER;
			size_t len = word(s + LEN);

			at += HEADER + len;
			bool cpu = !strncmp((char *)s + NAME, "cpu ", 4);

			/* A processor's is refused for one impossible bit. */
			if (strncmp((char *)s + NAME, "device ", 7) != 0 && !cpu)
				continue;
			for (const uint8_t *end = s + HEADER + len; p < end;) {
				size_t data = (size_t)p[1] * word(p + 4);

				p += 8 + p[0];
				for (size_t n = 0; n < data; n++)
					if (rand_r(&seed) % (cpu ? 3000 : 8) == 0)
						p[n] = (uint8_t)(rand_r(&seed) % 3 ? rand_r(&seed)
										   : 0xff);
				p += data;
			}
			seal(s);
		}
		if (load(pc, x) == 0) {
			loaded++;
			execute(pc);
		}
		free(x.at);
		pthread_mutex_lock(&pc->m.lock);
		clock_load(&pc->m.clock, clock_now(&pc->m.clock) + 1000000);
		clock_run(&pc->m.clock);
		pthread_mutex_unlock(&pc->m.lock);
		for (unsigned n = 0; n < 400; n++) {
			unsigned port = (unsigned)rand_r(&seed) % 0x800;

			/* Not those that end the machine or wait. */
			if (port == 0x64 || port == 0x92 || port == 0xcf9)
				continue;
			aspace_write(&pc->m.io, port, (uint64_t)rand_r(&seed), 1u << n % 3);
			aspace_read(&pc->m.io, (unsigned)rand_r(&seed) % 0x800, 1u << n % 3);
		}
		if (pc->m.displays && pc->m.displays->draw(pc->m.displays->dev, &pic) == 0 &&
		    pic.width > 4000)
			surface_fini(&pic);
	}
	cr_expect_gt(loaded, 50, "%u", loaded);
	surface_fini(&pic);
	pc_free(pc);
}
