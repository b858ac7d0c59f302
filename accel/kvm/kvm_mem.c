/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Memory slots: the RAM and ROM ranges of the machine's address space as KVM wants them. A change of the
 * map touches only the slots that differ, so that vCPUs may go on running in the others.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "accel/kvm/kvm_impl.h"
#include "mmu/dirty.h"

static int set_slot(struct engine_vm *vm, unsigned n, const struct kvm_slot *s, uint64_t size)
{
	struct kvm_userspace_memory_region r = {
	    .slot = n,
	    .flags = s->rom      ? KVM_MEM_READONLY
		     : s->logged ? KVM_MEM_LOG_DIRTY_PAGES
				 : 0,
	    .guest_phys_addr = s->gpa,
	    .memory_size = size,
	    .userspace_addr = (uintptr_t)s->ram->host + s->ram_off,
	};
	return kvm_ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &r);
}

static bool same(const struct kvm_slot *a, const struct kvm_slot *b)
{
	return a->gpa == b->gpa && a->size == b->size && a->ram == b->ram &&
	       a->ram_off == b->ram_off && a->rom == b->rom;
}

static bool wanted(const struct kvm_slot *s, const struct kvm_slot *want, unsigned nr)
{
	for (unsigned n = 0; n < nr; n++)
		if (same(s, &want[n]))
			return true;
	return false;
}

/* The guest's writes to what goes, or is not logged from here on, are not told page by page. */
static void drop_log(struct kvm_slot *s)
{
	if (s->logged)
		dirty_unseen(s->ram, s->ram_off, s->size);
	free(s->written);
	s->written = NULL;
	s->logged = false;
}

static int set_logging(struct engine_vm *vm, unsigned n, bool logged)
{
	struct kvm_slot *s = &vm->slot[n];

	if (s->logged == logged)
		return 0;
	if (logged) {
		/* KVM answers in words of the host. */
		s->written = calloc((s->size / PAGE_SIZE + 63) / 64, sizeof(*s->written));
		if (!s->written)
			return -ENOMEM;
		s->logged = true;
	} else {
		drop_log(s);
	}
	return set_slot(vm, n, s, s->size);
}

static int add_slot(struct engine_vm *vm, const struct kvm_slot *s)
{
	unsigned spare = ASPACE_MAX_RANGES;

	for (unsigned n = 0; n < ASPACE_MAX_RANGES; n++) {
		if (same(&vm->slot[n], s))
			return set_logging(vm, n, s->logged);
		if (!vm->slot[n].ram && spare == ASPACE_MAX_RANGES)
			spare = n;
	}
	const bool logged = s->logged;
	int err;

	vm->slot[spare] = *s;
	vm->slot[spare].logged = false;
	err = set_slot(vm, spare, &vm->slot[spare], s->size);
	if (err < 0)
		vm->slot[spare].ram = NULL;
	return err < 0 ? err : set_logging(vm, spare, logged);
}

/* Old ranges go before new ones come: these may overlap. */
static int follow_locked(struct engine_vm *vm)
{
	const struct aspace *as = vm->bus->mem;
	struct kvm_slot want[ASPACE_MAX_RANGES];
	unsigned nr = 0;
	int err = 0;

	for (unsigned n = 0; n < as->nr; n++) {
		const struct range *r = &as->ranges[n];
		if (r->kind == RANGE_DEV)
			continue;
		want[nr++] = (struct kvm_slot){
		    .gpa = r->base,
		    .size = r->size,
		    .ram = r->ram,
		    .ram_off = r->ram_off,
		    .rom = r->kind == RANGE_ROM,
		    .logged = r->kind == RANGE_RAM && r->ram->logs,
		};
	}
	for (unsigned n = 0; n < ASPACE_MAX_RANGES; n++) {
		struct kvm_slot *s = &vm->slot[n];
		if (!s->ram || wanted(s, want, nr))
			continue;
		set_slot(vm, n, s, 0);
		drop_log(s);
		s->ram = NULL;
	}
	for (unsigned n = 0; n < nr && err == 0; n++)
		err = add_slot(vm, &want[n]);
	return err;
}

static void on_change(void *opaque)
{
	struct engine_vm *vm = opaque;

	atomic_store(&vm->mem_failed, follow_locked(vm) < 0);
}

/* What KVM tells is clean for it from then on. */
static void on_collect(void *opaque, const struct dirty_log *l)
{
	struct engine_vm *vm = opaque;

	for (unsigned n = 0; n < ASPACE_MAX_RANGES; n++) {
		struct kvm_slot *s = &vm->slot[n];
		struct kvm_dirty_log got = {.slot = n, .dirty_bitmap = s->written};
		if (s->ram != l->ram || !s->logged)
			continue;
		if (kvm_ioctl(vm->fd, KVM_GET_DIRTY_LOG, &got) < 0) {
			dirty_unseen(s->ram, s->ram_off, s->size);
			continue;
		}
		for (uint64_t w = 0; w < (s->size / PAGE_SIZE + 63) / 64; w++)
			for (uint64_t set = s->written[w]; set; set &= set - 1) {
				uint64_t page = w * 64 + (unsigned)__builtin_ctzll(set);
				dirty_unseen(s->ram, s->ram_off + page * PAGE_SIZE, PAGE_SIZE);
			}
	}
}

static const struct dirty_ops dirty_ops = {.logging = on_change, .collect = on_collect};

static void lock(const struct engine_vm *vm, bool take)
{
	pthread_mutex_t *m = vm->bus->mem->dev_lock;

	if (m && take)
		pthread_mutex_lock(m);
	else if (m)
		pthread_mutex_unlock(m);
}

int kvm_mem_open(struct engine_vm *vm)
{
	int err = ram_init(&vm->spare, "kvm-spare", PAGE_SIZE);

	if (err < 0)
		return err;
	lock(vm, true);
	err = follow_locked(vm);
	if (err == 0)
		err = aspace_listen(vm->bus->mem, on_change, vm);
	if (err == 0)
		err = dirty_add_writer(vm->bus->mem, &dirty_ops, vm);
	lock(vm, false);
	return err;
}

void kvm_mem_close(struct engine_vm *vm)
{
	lock(vm, true);
	aspace_unlisten(vm->bus->mem, on_change, vm);
	dirty_remove_writer(vm->bus->mem, &dirty_ops, vm);
	for (unsigned n = 0; n < ASPACE_MAX_RANGES; n++)
		if (vm->slot[n].ram)
			drop_log(&vm->slot[n]);
	lock(vm, false);
	ram_fini(&vm->spare);
}

/* When any slot goes, KVM drops all shadow pages and flushes all TLBs; no vCPU ever uses this one. */
void kvm_mem_changed(struct engine_vm *vm)
{
	const struct kvm_slot s = {
	    .gpa = KVM_SPARE_ADDR, .size = PAGE_SIZE, .ram = &vm->spare, .rom = true};

	lock(vm, true);
	if (set_slot(vm, ASPACE_MAX_RANGES, &s, PAGE_SIZE) == 0)
		set_slot(vm, ASPACE_MAX_RANGES, &s, 0);
	lock(vm, false);
}
