/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Saved states as somebody with a text editor and a CRC might make them: sections that are missing, twice, renamed,
 * shortened, or with other bytes; loaded into a machine, which then goes on. What is refused changes nothing, and
 * says why.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/machine_state.h"
#include "hw/pc.h"
#include "tests/fuzz/fuzz.h"

#define SECTIONS 128u
#define DISKS    "-drive file=disk\n"

struct image {
	uint8_t *data;
	size_t len, room;
};

enum change { AS_IT_IS, GONE, TWICE, RENAMED, OTHER_BYTES, OTHER_LENGTH, CHANGES };

static struct pc *pc;
static struct image good, bad;
static struct state_section section[SECTIONS];
static unsigned nr;
static uint8_t *payload;

static _Noreturn void fail(const char *why, const char *err)
{
	fprintf(stderr, "fuzz_devices: saved-state: %s%s\n", why, err);
	abort();
}

static int append(void *opaque, const void *buf, size_t len)
{
	struct image *i = opaque;

	if (len > i->room - i->len) {
		i->room = 2 * (i->len + len);
		i->data = realloc(i->data, i->room);
		if (!i->data)
			fail("no memory", "");
	}
	memcpy(i->data + i->len, buf, len);
	i->len += len;
	return 0;
}

static int fetch(void *opaque, uint64_t at, void *buf, size_t len)
{
	const struct image *i = opaque;

	memcpy(buf, i->data + at, len);
	return 0;
}

static struct state_source source(struct image *i)
{
	return (struct state_source){fetch, i, i->len};
}

static int load(struct image *from, char err[256])
{
	const struct state_source s = source(from);
	bool half = false;
	int r;

	err[0] = 0;
	pthread_mutex_lock(&pc->m.lock);
	r = machine_load_locked(&pc->m, DISKS, &s, &half, err, 256);
	pthread_mutex_unlock(&pc->m.lock);
	if (half)
		fail("half of a state is loaded: ", err);
	return r;
}

/* ---- a state with malice ---- */

static size_t change_bytes(size_t len)
{
	for (unsigned n = 1 + below(4); n && len; n--) {
		size_t at = below((unsigned)len), size = 1u << below(4);
		uint64_t v = value();

		memcpy(payload + at, &v, size < len - at ? size : len - at);
	}
	return len;
}

static size_t change_length(size_t len)
{
	size_t other = one_in(2) ? below((unsigned)len + 1) : len + below(64);

	if (other > STATE_SECTION_MAX)
		other = STATE_SECTION_MAX;
	if (other > len)
		memset(payload + len, (int)below(256), other - len);
	return other;
}

static void write_one(const struct state_sink *to, const struct state_section *s, enum change c)
{
	const char *name = s->name;
	size_t len = s->len;

	if (c == GONE)
		return;
	memcpy(payload, good.data + s->at, len);
	if (c == RENAMED)
		name = one_in(4) ? "nothing" : section[below(nr)].name;
	if (c == OTHER_BYTES)
		len = change_bytes(len);
	if (c == OTHER_LENGTH)
		len = change_length(len);
	state_write_section(to, name, payload, len);
	if (c == TWICE)
		state_write_section(to, name, payload, len);
}

static void make_bad(void)
{
	const struct state_sink to = {append, &bad};
	uint8_t change[SECTIONS] = {0};

	bad.len = 0;
	for (unsigned n = 1 + below(3); n; n--)
		change[below(nr)] = (uint8_t)(one_in(4) ? below(CHANGES) : OTHER_BYTES);
	state_write_header(&to);
	for (unsigned i = 0; i < nr; i++)
		write_one(&to, &section[i], change[i]);
	if (one_in(16))
		bad.len = below((unsigned)bad.len + 1);
	if (one_in(16) && bad.len)
		bad.data[below((unsigned)bad.len)] = (uint8_t)next();
}

static void state_round(void)
{
	char err[256];

	make_bad();
	if (load(&bad, err) < 0) {
		if (!err[0])
			fail("refused without a word", err);
		return;
	}
	for (unsigned n = below(16); n; n--) {
		out(one_in(2) ? below(0x100) : below(0x10000), value(), 1u << below(3));
		put(one_in(2) ? 0xfec00000 + 16 * below(2) : 0xfed00000 + below(0x400), value(), 4);
	}
	fuzz_step(below(10000000));
}

/* ---- life ---- */

static void find_sections(void)
{
	const struct state_source s = source(&good);
	struct state_section one;
	char err[256];

	if (state_read_header(&s, &one, err, sizeof(err)) < 0)
		fail("", err);
	while (nr < SECTIONS && state_read_section(&s, &one, payload, err, sizeof(err)) == 0)
		section[nr++] = one;
}

static void state_init(void)
{
	const struct state_sink to = {append, &good};

	pc = fuzz_pc_new(&board_q35);
	payload = malloc(STATE_SECTION_MAX);
	if (!payload)
		fail("no memory", "");
	fuzz_pc_reset(pc);
	pthread_mutex_lock(&pc->m.lock);
	if (machine_save_locked(&pc->m, DISKS, &to) < 0)
		fail("a machine cannot be saved", "");
	pthread_mutex_unlock(&pc->m.lock);
	find_sections();
}

static void state_reset(void)
{
	char err[256];

	fuzz_pc_reset(pc);
	if (load(&good, err) < 0)
		fail("a good state is refused: ", err);
}

static void state_fini(void)
{
	free(payload);
	free(good.data);
	free(bad.data);
	pc_free(pc);
}

const struct fuzz_device fuzz_state[] = {
    {"saved-state", state_init, state_reset, state_round, state_fini, NULL},
    {0},
};
