/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A vCPU that comes to a point asks here, on its own thread, whether it is to stop. If so it stays where it is, and
 * the main loop stops the others. A second one that comes to a point meanwhile also stays: its stop is reported when
 * the guest is to go on.
 */
#include "frontend/debug/debugger.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "accel/cpus.h"
#include "accel/debug.h"
#include "cpu/vcpu.h"
#include "hw/loop.h"
#include "hw/pc.h"

struct held {
	bool valid;
	uint64_t rip;
	struct debug_stop stop;
};

struct debugger {
	struct pc *pc;
	struct debug_listener *listeners;
	struct debug_point **points; /* by id */
	unsigned nr;
	int next_id;
	int *watched;               /* ids, by the index that engines know */
	struct debug_point **execs; /* breakpoints that are enabled, by linear address */
	unsigned nr_execs;
	struct held held[CPUS_MAX]; /* vCPUs whose stop has not been reported */
	int event;                  /* eventfd: one of them has come */
	uint64_t going;             /* vCPUs that may go on, by bits */
	bool has_stopped;
	struct debug_stop last;
};

struct pc *debugger_pc(struct debugger *d)
{
	return d->pc;
}

struct vcpu *debug_cpu(struct debugger *d, unsigned cpu)
{
	return cpus_state(d->pc->m.cpus, cpu);
}

bool debug_stopped(const struct debugger *d)
{
	return d->pc->m.stopped;
}

const struct debug_stop *debug_last_stop(const struct debugger *d)
{
	return d->has_stopped ? &d->last : NULL;
}

/* ---- points ---- */

struct debug_point *debug_find(struct debugger *d, int id)
{
	struct debug_point *p = debug_next(d, id - 1);

	return p && p->id == id ? p : NULL;
}

struct debug_point *debug_next(struct debugger *d, int after)
{
	unsigned low = 0, high = d->nr;

	while (low < high) {
		unsigned mid = low + (high - low) / 2;

		if (d->points[mid]->id <= after)
			low = mid + 1;
		else
			high = mid;
	}
	return low < d->nr ? d->points[low] : NULL;
}

bool debug_hold(struct debugger *d)
{
	bool was_running = !d->pc->m.stopped;

	machine_stop_locked(&d->pc->m);
	return was_running;
}

void debug_release(struct debugger *d, bool was_running)
{
	if (was_running)
		machine_cont_locked(&d->pc->m);
}

static int by_address(const void *a, const void *b)
{
	const struct debug_point *p = *(struct debug_point *const *)a;
	const struct debug_point *q = *(struct debug_point *const *)b;

	return p->at.addr != q->at.addr ? (p->at.addr < q->at.addr ? -1 : 1) : p->id - q->id;
}

static int sort_execs(struct debugger *d)
{
	struct debug_point **list = realloc(d->execs, (d->nr + 1) * sizeof(*list));

	if (!list)
		return -ENOMEM;
	d->execs = list;
	d->nr_execs = 0;
	for (unsigned n = 0; n < d->nr; n++)
		if (d->points[n]->enabled && d->points[n]->at.on & WATCH_EXEC &&
		    !d->points[n]->at.physical)
			list[d->nr_execs++] = d->points[n];
	qsort(list, d->nr_execs, sizeof(*list), by_address);
	return 0;
}

/* Tells the engines what to wait for. */
static int arm(struct debugger *d)
{
	struct watch_point *at = malloc((d->nr + 1) * sizeof(*at));
	int *watched = malloc((d->nr + 1) * sizeof(*watched));
	unsigned nr = 0;
	bool ran;
	int err;

	if (!at || !watched) {
		free(at);
		free(watched);
		return -ENOMEM;
	}
	ran = debug_hold(d);
	for (unsigned n = 0; n < d->nr; n++) {
		if (!d->points[n]->enabled)
			continue;
		watched[nr] = d->points[n]->id;
		at[nr++] = d->points[n]->at;
	}
	err = sort_execs(d);
	if (err == 0)
		err = cpus_watch(d->pc->m.cpus, at, nr);
	if (err == 0) {
		free(d->watched);
		d->watched = watched;
	} else {
		free(watched);
	}
	free(at);
	debug_release(d, ran);
	return err;
}

/* Out of the list; the engines still wait for it. */
static void drop(struct debugger *d, unsigned n)
{
	for (unsigned k = 0; k < d->nr_execs; k++)
		if (d->execs[k] == d->points[n]) {
			memmove(&d->execs[k], &d->execs[k + 1],
				(--d->nr_execs - k) * sizeof(d->execs[0]));
			break;
		}
	free(d->points[n]);
	memmove(&d->points[n], &d->points[n + 1], (d->nr - n - 1) * sizeof(d->points[0]));
	d->nr--;
}

int debug_add(struct debugger *d, const struct debug_point *spec)
{
	struct debug_point **more = realloc(d->points, (d->nr + 1) * sizeof(d->points[0]));
	struct debug_point *p = malloc(sizeof(*p));
	int err;

	if (more)
		d->points = more;
	if (!more || !p) {
		free(p);
		return -ENOMEM;
	}
	*p = *spec;
	p->id = ++d->next_id;
	p->hits = 0;
	d->points[d->nr++] = p;
	err = arm(d);
	if (err == 0)
		return p->id;
	d->next_id--;
	drop(d, d->nr - 1);
	arm(d);
	return err;
}

int debug_remove(struct debugger *d, int id)
{
	for (unsigned n = 0; n < d->nr; n++)
		if (d->points[n]->id == id) {
			drop(d, n);
			return arm(d);
		}
	return -ENOENT;
}

void debug_remove_all(struct debugger *d, const void *owner)
{
	unsigned before = d->nr;

	for (unsigned n = d->nr; n-- > 0;)
		if (d->points[n]->owner == owner)
			drop(d, n);
	if (d->nr != before)
		arm(d);
}

int debug_enable(struct debugger *d, int id, bool on)
{
	struct debug_point *p = debug_find(d, id);
	int err;

	if (!p)
		return -ENOENT;
	if (p->enabled == on)
		return 0;
	p->enabled = on;
	err = arm(d);
	if (err == 0)
		return 0;
	p->enabled = !on;
	arm(d);
	return err;
}

/* ---- hits ---- */

static bool covers(const struct debug_point *p, const struct watch_hit *hit)
{
	uint64_t at = p->at.physical ? hit->gpa : hit->lin;

	if (!p->enabled || !(p->at.on & hit->on))
		return false;
	return at - p->at.addr < p->at.len || p->at.addr - at < hit->size;
}

/* Counts a hit of a point; true where it is to stop. */
static bool counts(struct debug_point *p, unsigned cpu, const struct watch_hit *hit)
{
	if (p->cpu != DEBUG_ALL_CPUS && p->cpu != (int)cpu)
		return false;
	if (p->condition && !p->condition(p->opaque, cpu, hit))
		return false;
	p->hits++;
	if (!p->ignore)
		return true;
	p->ignore--;
	return false;
}

static struct debug_point *wanted_exec(struct debugger *d, unsigned cpu,
				       const struct watch_hit *hit)
{
	struct debug_point *named = debug_find(d, d->watched[hit->point]), *found = NULL;
	unsigned low = 0, high = d->nr_execs;

	while (low < high) {
		unsigned mid = low + (high - low) / 2;

		if (d->execs[mid]->at.addr < hit->lin)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < d->nr_execs && d->execs[low]->at.addr == hit->lin; low++)
		if (d->execs[low]->enabled && counts(d->execs[low], cpu, hit) && !found)
			found = d->execs[low];
	if (named && named->at.physical && counts(named, cpu, hit) && !found)
		found = named;
	return found;
}

/* Engines name one of the points that a hit is of: the others are found by address. */
static struct debug_point *wanted(struct debugger *d, unsigned cpu, const struct watch_hit *hit)
{
	struct debug_point *found = NULL;

	if (hit->on == WATCH_EXEC)
		return wanted_exec(d, cpu, hit);
	for (unsigned n = 0; n < d->nr; n++) {
		struct debug_point *p = d->points[n];

		if (p->id != d->watched[hit->point] && !covers(p, hit))
			continue;
		if (counts(p, cpu, hit) && !found)
			found = p;
	}
	return found;
}

static bool on_hit(void *opaque, unsigned cpu, const struct watch_hit *hit)
{
	struct debugger *d = opaque;
	const struct debug_point *p;
	const uint64_t one = 1;

	pthread_mutex_lock(&d->pc->m.lock);
	p = wanted(d, cpu, hit);
	if (p) {
		d->held[cpu] = (struct held){
		    .valid = true,
		    .rip = debug_cpu(d, cpu)->rip,
		    .stop = {.why = STOP_POINT,
			     .cpu = cpu,
			     .id = p->id,
			     .owner = p->owner,
			     .hit = *hit},
		};
		if (write(d->event, &one, sizeof(one)) < 0)
			p = NULL; /* cannot be: the counter is far from full */
	}
	pthread_mutex_unlock(&d->pc->m.lock);
	return p != NULL;
}

static void tell(struct debugger *d, const struct debug_stop *stop)
{
	struct debug_listener *next;

	d->last = *stop;
	d->has_stopped = true;
	/* One of them may let it go on: to the others it has not stopped. */
	for (struct debug_listener *l = d->listeners; l && d->pc->m.stopped; l = next) {
		next = l->next;
		if (l->stopped)
			l->stopped(l->opaque, stop);
	}
}

/* Reports one of the vCPUs that wait for that; false: none does. Stopped. */
static bool report_held(struct debugger *d)
{
	for (unsigned n = 0; n < d->pc->cpus; n++) {
		struct held h = d->held[n];
		struct debug_point *p;

		d->held[n].valid = false;
		/* Its point may have been removed, or the vCPU moved, since. */
		p = h.valid ? debug_find(d, h.stop.id) : NULL;
		if (!p || !p->enabled || debug_cpu(d, n)->rip != h.rip)
			continue;
		if (p->act) {
			p->act(p->opaque);
			continue;
		}
		if (p->temporary)
			debug_remove(d, h.stop.id);
		tell(d, &h.stop);
		return true;
	}
	return false;
}

static void let_go(struct debugger *d)
{
	for (unsigned n = 0; n < d->pc->cpus; n++) {
		if (!(d->going >> n & 1))
			cpus_hold(d->pc->m.cpus, n);
		else if (!d->held[n].valid)
			cpus_release(d->pc->m.cpus, n);
	}
}

static void on_event(void *opaque, int fd, unsigned events)
{
	struct debugger *d = opaque;
	uint64_t count;

	(void)events;
	if (read(fd, &count, sizeof(count)) < 0 || d->pc->m.stopped)
		return;
	machine_stop_locked(&d->pc->m);
	if (report_held(d))
		return;
	let_go(d);
	machine_cont_locked(&d->pc->m);
}

/* ---- stop and go ---- */

void debug_stop(struct debugger *d)
{
	if (d->pc->m.stopped)
		return;
	machine_stop_locked(&d->pc->m);
	tell(d, &(struct debug_stop){.why = STOP_USER});
}

void debug_cont(struct debugger *d)
{
	debug_cont_some(d, UINT64_MAX);
}

void debug_cont_some(struct debugger *d, uint64_t cpus)
{
	struct debug_listener *next;

	if (!d->pc->m.stopped || report_held(d))
		return;
	d->going = cpus;
	let_go(d);
	machine_cont_locked(&d->pc->m);
	for (struct debug_listener *l = d->listeners; l; l = next) {
		next = l->next;
		if (l->resumed)
			l->resumed(l->opaque);
	}
}

int debug_step(struct debugger *d, unsigned cpu, struct debug_stop *out)
{
	struct machine *m = &d->pc->m;
	struct watch_hit hit;
	int err;

	if (!m->stopped)
		return -EBUSY;
	pthread_mutex_unlock(&m->lock);
	err = cpus_step(m->cpus, cpu, &hit);
	pthread_mutex_lock(&m->lock);
	*out = (struct debug_stop){.why = STOP_STEP, .cpu = cpu};
	if (err == 0 && hit.valid) {
		const struct debug_point *p = wanted(d, cpu, &hit);

		if (p && !p->act)
			*out = (struct debug_stop){.why = STOP_POINT,
						   .cpu = cpu,
						   .id = p->id,
						   .owner = p->owner,
						   .hit = hit};
	}
	return err;
}

static void on_guest_stop(void *opaque, enum machine_end why)
{
	tell(opaque,
	     &(struct debug_stop){.why = why == END_NONE ? STOP_USER : STOP_GUEST, .end = why});
}

/* ---- life ---- */

void debug_listen(struct debugger *d, struct debug_listener *l)
{
	l->next = d->listeners;
	d->listeners = l;
}

void debug_unlisten(struct debugger *d, struct debug_listener *l)
{
	for (struct debug_listener **p = &d->listeners; *p; p = &(*p)->next)
		if (*p == l) {
			*p = l->next;
			return;
		}
}

int debugger_new(struct debugger **out, struct pc *pc)
{
	struct debugger *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	d->pc = pc;
	d->going = UINT64_MAX;
	d->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->event < 0) {
		err = -errno;
		goto fail;
	}
	err = loop_watch(pc->m.loop, d->event, LOOP_IN, on_event, d);
	if (err < 0)
		goto no_loop;
	cpus_on_hit(pc->m.cpus, on_hit, d);
	pc->m.stop_hook = on_guest_stop;
	pc->m.stop_opaque = d;
	*out = d;
	return 0;
no_loop:
	close(d->event);
fail:
	free(d);
	return err;
}

void debugger_free(struct debugger *d)
{
	if (!d)
		return;
	loop_watch(d->pc->m.loop, d->event, 0, NULL, NULL);
	close(d->event);
	for (unsigned n = 0; n < d->nr; n++)
		free(d->points[n]);
	free(d->points);
	free(d->watched);
	free(d->execs);
	free(d);
}
