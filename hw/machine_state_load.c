/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A saved state is checked whole before anything of the machine changes, and then loaded.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/cpus.h"
#include "cpu/vcpu.h"
#include "hw/machine_state_impl.h"

enum part_kind { PART_MACHINE, PART_CLOCK, PART_MEMORY, PART_DEVICE, PART_CPU, PART_END };

/* What a section holds. */
struct part {
	enum part_kind kind;
	unsigned n;       /* of the device or vCPU */
	struct device *d; /* NULL with PART_MEMORY: main memory */
};

struct loader {
	struct machine *m;
	const struct state_source *from;
	char *identity;
	uint8_t *buf;  /* a section's payload */
	bool *devices; /* had their section */
	bool cpus[CPUS_MAX], machine, clock, end;
	char *err;
	size_t errlen;
};

static int refuse(struct loader *l, int r, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(struct loader *l, int r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->err, l->errlen, fmt, ap);
	va_end(ap);
	return r;
}

static bool find_part(const struct machine *m, const char *section, struct part *p)
{
	char name[STATE_NAME_MAX];

	*p = (struct part){PART_MEMORY, 0, NULL};
	state_memory_name(name, NULL);
	if (strcmp(name, section) == 0)
		return true;
	for (p->d = m->devices; p->d; p->d = p->d->next, p->n++) {
		state_device_name(name, p->d);
		p->kind = PART_DEVICE;
		if (strcmp(name, section) == 0)
			return true;
		state_memory_name(name, p->d);
		p->kind = PART_MEMORY;
		if (p->d->ram && strcmp(name, section) == 0)
			return true;
	}
	p->kind = PART_CPU;
	for (p->n = 0; p->n < cpus_count(m->cpus); p->n++) {
		state_cpu_name(name, p->n);
		if (strcmp(name, section) == 0)
			return true;
	}
	p->kind = strcmp(section, STATE_MACHINE) == 0 ? PART_MACHINE
		  : strcmp(section, STATE_CLOCK) == 0 ? PART_CLOCK
						      : PART_END;
	return p->kind != PART_END || strcmp(section, STATE_END) == 0;
}

/* The lines of both must be the same; each is an option, as the user would give it. */
static int check_identity(struct loader *l, const char *saved, size_t len)
{
	const char *mine = l->identity;

	while (len || *mine) {
		const char *end = len ? memchr(saved, '\n', len) : NULL;
		size_t n = end ? (size_t)(end - saved) : len, k = strcspn(mine, "\n");

		if (n != k || memcmp(saved, mine, n) != 0)
			return refuse(l, -ENOTSUP,
				      "the state was saved with %.*s, this machine has %.*s: start "
				      "it with the same options",
				      n ? (int)n : 4, n ? saved : "less", k ? (int)k : 4,
				      k ? mine : "less");
		saved += n + (end != NULL);
		len -= n + (end != NULL);
		mine += k + (mine[k] == '\n');
	}
	return 0;
}

static int check_memory(struct loader *l, const struct state_section *sec, const struct ram *ram)
{
	struct state_memory_header h;

	if (sec->len <= sizeof(h))
		return refuse(l, -EINVAL, "the saved state is damaged in its section \"%s\"",
			      sec->name);
	memcpy(&h, l->buf, sizeof(h));
	if (h.off > ram->size || sec->len - sizeof(h) > ram->size - h.off)
		return refuse(l, -ENOTSUP,
			      "\"%s\" is larger in the saved state than in this machine: start it "
			      "with the same options",
			      sec->name);
	return 0;
}

/* Sets a mark that must not be set yet. */
static int once(struct loader *l, const struct state_section *sec, bool *mark)
{
	if (*mark)
		return refuse(l, -EINVAL, "the saved state has two sections \"%s\"", sec->name);
	*mark = true;
	return 0;
}

static int check_cpu(struct loader *l, const struct state_section *sec, unsigned n)
{
	struct vcpu v = *cpus_state(l->m->cpus, n);
	const char *bad;
	int r;

	r = state_check_fields(l->buf, sec->len, vcpu_fields, sec->name, l->err, l->errlen);
	if (r < 0)
		return r;
	state_load_fields(l->buf, sec->len, vcpu_fields, &v);
	bad = cpus_check(l->m->cpus, n, &v);
	return bad ? refuse(l, -EINVAL, "%s of the saved state cannot have this in %s", sec->name,
			    bad)
		   : 0;
}

static int check_content(struct loader *l, const struct state_section *sec, const struct part *p)
{
	switch (p->kind) {
	case PART_MACHINE:
		return check_identity(l, (const char *)l->buf, sec->len);
	case PART_CLOCK:
		if (sec->len == sizeof(uint64_t))
			return 0;
		break;
	case PART_MEMORY:
		return check_memory(l, sec, state_memory_of(l->m, p->d));
	case PART_DEVICE:
		return state_check_fields(l->buf, sec->len, p->d->fields, sec->name, l->err,
					  l->errlen);
	case PART_CPU:
		return check_cpu(l, sec, p->n);
	case PART_END:
		if (!sec->len && sec->next == l->from->size)
			return 0;
		break;
	}
	return refuse(l, -EINVAL, "the saved state is damaged in its section \"%s\"", sec->name);
}

static int check_part(struct loader *l, const struct state_section *sec, struct part *p)
{
	if (!find_part(l->m, sec->name, p))
		return refuse(l, -ENOTSUP,
			      "the saved state has a %s, this machine has not: start it with the "
			      "same options",
			      sec->name);
	return check_content(l, sec, p);
}

static int check_section(struct loader *l, const struct state_section *sec)
{
	struct part p;
	int r = check_part(l, sec, &p);

	if (r < 0)
		return r;
	switch (p.kind) {
	case PART_MACHINE:
		return once(l, sec, &l->machine);
	case PART_CLOCK:
		return once(l, sec, &l->clock);
	case PART_DEVICE:
		return once(l, sec, &l->devices[p.n]);
	case PART_CPU:
		return once(l, sec, &l->cpus[p.n]);
	case PART_END:
		return once(l, sec, &l->end);
	case PART_MEMORY:
		break;
	}
	return 0;
}

static int check_complete(struct loader *l)
{
	unsigned n = 0;

	if (!l->end || !l->machine || !l->clock)
		return refuse(l, -EINVAL, "the saved state ends early: the file was cut off");
	for (const struct device *d = l->m->devices; d; d = d->next, n++)
		if (!l->devices[n])
			return refuse(
			    l, -ENOTSUP,
			    "this machine has a device %s, the saved state has not: start "
			    "it with the same options",
			    d->name);
	for (n = 0; n < cpus_count(l->m->cpus); n++)
		if (!l->cpus[n])
			return refuse(l, -EINVAL, "the saved state has no CPU %u", n);
	return 0;
}

static int each_section(struct loader *l,
			int (*f)(struct loader *l, const struct state_section *sec))
{
	struct state_section sec;
	int r = state_read_header(l->from, &sec, l->err, l->errlen);

	while (r == 0) {
		r = state_read_section(l->from, &sec, l->buf, l->err, l->errlen);
		if (r == 0)
			r = f(l, &sec);
	}
	return r == -ENODATA ? 0 : r;
}

static void clear(struct ram *ram)
{
	if (fallocate(ram->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)ram->size) < 0)
		memset(ram->host, 0, ram->size);
	ram_written(ram, 0, ram->size);
}

/* Checked once more: the file may have changed since. */
static int load_section(struct loader *l, const struct state_section *sec)
{
	struct part p;
	uint64_t now;
	int r = check_part(l, sec, &p);

	if (r < 0)
		return r;
	switch (p.kind) {
	case PART_CLOCK:
		memcpy(&now, l->buf, sizeof(now));
		clock_load(&l->m->clock, now);
		break;
	case PART_MEMORY: {
		struct ram *ram = state_memory_of(l->m, p.d);
		struct state_memory_header h;

		memcpy(&h, l->buf, sizeof(h));
		memcpy(ram->host + h.off, l->buf + sizeof(h), sec->len - sizeof(h));
		break;
	}
	case PART_DEVICE:
		state_load_fields(l->buf, sec->len, p.d->fields, p.d->state);
		break;
	case PART_CPU:
		state_load_fields(l->buf, sec->len, vcpu_fields, cpus_state(l->m->cpus, p.n));
		break;
	case PART_MACHINE:
	case PART_END:
		break;
	}
	return 0;
}

static int check(struct loader *l)
{
	int r = each_section(l, check_section);

	return r < 0 ? r : check_complete(l);
}

static int load(struct loader *l, bool *half)
{
	struct machine *m = l->m;
	int r = check(l);

	if (r < 0)
		return r;
	*half = true;
	cpus_drop_events(m->cpus);
	clear(&m->ram);
	for (struct device *d = m->devices; d; d = d->next)
		if (d->ram)
			clear(d->ram);
	r = each_section(l, load_section);
	if (r < 0)
		return r;
	for (struct device *d = m->devices; d; d = d->next)
		if (d->tame)
			d->tame(d->state);
	if (m->load_hook)
		m->load_hook(m->board);
	for (struct device *d = m->devices; d; d = d->next)
		if (d->loaded)
			d->loaded(d->state);
	cpus_flush_tlb(m->cpus);
	*half = false;
	return 0;
}

/* half NULL: only checks. */
static int look_at(struct machine *m, const char *disks, const struct state_source *from,
		   bool *half, char *err, size_t errlen)
{
	struct loader l = {.m = m, .from = from, .err = err, .errlen = errlen};
	unsigned nr = 0;
	int r = -ENOMEM;

	for (const struct device *d = m->devices; d; d = d->next)
		nr++;
	l.identity = state_identity(m, disks);
	l.buf = malloc(STATE_SECTION_MAX);
	l.devices = calloc(nr + 1, sizeof(*l.devices));
	if (l.identity && l.buf && l.devices)
		r = half ? load(&l, half) : check(&l);
	else
		refuse(&l, r, "out of memory");
	free(l.identity);
	free(l.buf);
	free(l.devices);
	return r;
}

int machine_check_locked(struct machine *m, const char *disks, const struct state_source *from,
			 char *err, size_t errlen)
{
	return look_at(m, disks, from, NULL, err, errlen);
}

int machine_load_locked(struct machine *m, const char *disks, const struct state_source *from,
			bool *half, char *err, size_t errlen)
{
	*half = false;
	return look_at(m, disks, from, half, err, errlen);
}
