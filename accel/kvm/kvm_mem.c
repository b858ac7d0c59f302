/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Memory slots: the RAM and ROM ranges of the machine's address space as KVM wants them. A change of the
 * map touches only the slots that differ, so that vCPUs may go on running in the others.
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "accel/kvm/kvm_impl.h"

static int set_slot(struct engine_vm *vm, unsigned n, const struct kvm_slot *s, uint64_t size)
{
	struct kvm_userspace_memory_region r = {
	    .slot = n,
	    .flags = s->rom ? KVM_MEM_READONLY : 0,
	    .guest_phys_addr = s->gpa,
	    .memory_size = size,
	    .userspace_addr = (uintptr_t)s->host,
	};
	return kvm_ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &r);
}

static bool same(const struct kvm_slot *a, const struct kvm_slot *b)
{
	return a->gpa == b->gpa && a->size == b->size && a->host == b->host && a->rom == b->rom;
}

static bool wanted(const struct kvm_slot *s, const struct kvm_slot *want, unsigned nr)
{
	for (unsigned n = 0; n < nr; n++)
		if (same(s, &want[n]))
			return true;
	return false;
}

static int add_slot(struct engine_vm *vm, const struct kvm_slot *s)
{
	unsigned spare = ASPACE_MAX_RANGES;

	for (unsigned n = 0; n < ASPACE_MAX_RANGES; n++) {
		if (same(&vm->slot[n], s))
			return 0;
		if (!vm->slot[n].host && spare == ASPACE_MAX_RANGES)
			spare = n;
	}
	int err = set_slot(vm, spare, s, s->size);
	if (err == 0)
		vm->slot[spare] = *s;
	return err;
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
		want[nr++] = (struct kvm_slot){r->base, r->size, r->ram->host + r->ram_off,
					       r->kind == RANGE_ROM};
	}
	for (unsigned n = 0; n < ASPACE_MAX_RANGES; n++) {
		struct kvm_slot *s = &vm->slot[n];
		if (!s->host || wanted(s, want, nr))
			continue;
		set_slot(vm, n, s, 0);
		s->host = NULL;
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
	int err;

	vm->spare = mmap(NULL, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (vm->spare == MAP_FAILED) {
		vm->spare = NULL;
		return -ENOMEM;
	}
	lock(vm, true);
	err = follow_locked(vm);
	if (err == 0)
		err = aspace_listen(vm->bus->mem, on_change, vm);
	lock(vm, false);
	return err;
}

void kvm_mem_close(struct engine_vm *vm)
{
	lock(vm, true);
	aspace_unlisten(vm->bus->mem, on_change, vm);
	lock(vm, false);
	if (vm->spare)
		munmap(vm->spare, PAGE_SIZE);
}

/* When any slot goes, KVM drops all shadow pages and flushes all TLBs; no vCPU ever uses this one. */
void kvm_mem_changed(struct engine_vm *vm)
{
	const struct kvm_slot s = {
	    .gpa = KVM_SPARE_ADDR, .size = PAGE_SIZE, .host = vm->spare, .rom = true};

	lock(vm, true);
	if (set_slot(vm, ASPACE_MAX_RANGES, &s, PAGE_SIZE) == 0)
		set_slot(vm, ASPACE_MAX_RANGES, &s, 0);
	lock(vm, false);
}
