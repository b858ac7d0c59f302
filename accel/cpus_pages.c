/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Page flags, for mmu/dirty.h. Machine lock held.
 */
#include "accel/cpus_impl.h"
#include "cpu/cpuid.h"
#include "mmu/dirty.h"

static bool on_protect(void *opaque)
{
	struct cpus *c = opaque;

	if (c->model->nr_cpus != 1 || !cpus_on(c, 0)->trusts_tlb)
		return false;
	cpus_post(&c->cpu[0], EV_TLB, 0);
	return true;
}

static bool on_settled(void *opaque)
{
	struct cpus *c = opaque;
	struct cpu_thread *t = &c->cpu[0];

	if (c->model->nr_cpus != 1 || !(atomic_load(&t->events) & EV_TLB))
		return true;
	pthread_mutex_lock(&t->lock);
	bool paused = t->paused;
	pthread_mutex_unlock(&t->lock);
	return paused;
}

static const struct dirty_ops dirty_ops = {.protect = on_protect, .settled = on_settled};

static void lock_machine(const struct cpus *c, bool take)
{
	pthread_mutex_t *m = c->bus->mem->dev_lock;

	if (m && take)
		pthread_mutex_lock(m);
	else if (m)
		pthread_mutex_unlock(m);
}

int cpus_follow_pages(struct cpus *c)
{
	lock_machine(c, true);
	int err = dirty_add_writer(c->bus->mem, &dirty_ops, c);
	lock_machine(c, false);
	return err;
}

void cpus_unfollow_pages(struct cpus *c)
{
	lock_machine(c, true);
	dirty_remove_writer(c->bus->mem, &dirty_ops, c);
	lock_machine(c, false);
}
