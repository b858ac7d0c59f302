/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The kvm engine: /dev/kvm executes, everything around the processor is ours. KVM has no interrupt
 * controllers here; interrupts are acknowledged at the bus and handed over one by one.
 *
 * A stop that others ask for is never lost: kick() sets run->immediate_exit, which KVM looks at on entry,
 * and then sends a signal where the thread may already be past that; the loop clears immediate_exit first
 * and looks at the event word after it.
 *
 * After an exit for I/O or an MSR the instruction is complete only with the next KVM_RUN. run() never
 * leaves it so: the state is always that of an instruction boundary (complete()).
 */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "accel/kvm/kvm.h"

#include "accel/events.h"
#include "accel/kvm/kvm_impl.h"
#include "accel/kvm/kvm_kick.h"
#include "accel/probe/kvm_probe.h"

#define NOWHERE (~(uint64_t)0)

int kvm_ioctl(int fd, unsigned long request, void *arg)
{
	int r = ioctl(fd, request, arg);
	return r < 0 ? -errno : r;
}

/* ---- the host ---- */

const char *kvm_missing(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (kvm < 0)
		return errno == ENOENT   ? "there is no /dev/kvm"
		       : errno == EACCES ? "no permission on /dev/kvm"
					 : "/dev/kvm cannot be opened";
	const char *why = kvm_probe_lacking(kvm);
	close(kvm);
	return why;
}

/* The probe knows the reasons why there is no device better. */
static const char *engine_unusable(void)
{
	const char *why = kvm_probe_unusable();
	return why ? why : kvm_missing();
}

/* ---- the virtual machine ---- */

static void engine_close(struct engine_vm *vm)
{
	if (vm->fd >= 0)
		kvm_mem_close(vm);
	if (vm->fd >= 0)
		close(vm->fd);
	if (vm->kvm >= 0)
		close(vm->kvm);
	pthread_mutex_destroy(&vm->tsc_lock);
	free(vm);
}

static uint32_t xstate_offset(unsigned component)
{
	uint32_t a, b, c, d;

	if (!__get_cpuid_count(0xd, component, &a, &b, &c, &d) || b + 64 > sizeof(struct kvm_xsave))
		return 0;
	return b;
}

static int configure_vm(struct engine_vm *vm)
{
	uint64_t identity = KVM_IDENTITY_ADDR;
	struct kvm_enable_cap failures = {.cap = KVM_CAP_EXIT_ON_EMULATION_FAILURE, .args = {1}};
	int err;

	if ((err = kvm_ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity)) < 0 ||
	    (err = kvm_ioctl(vm->fd, KVM_SET_TSS_ADDR, (void *)KVM_TSS_ADDR)) < 0)
		return err;
	/* Else only failures at level 0 are told. */
	if (kvm_ioctl(vm->kvm, KVM_CHECK_EXTENSION, (void *)KVM_CAP_EXIT_ON_EMULATION_FAILURE) > 0)
		kvm_ioctl(vm->fd, KVM_ENABLE_CAP, &failures);
	err = kvm_msr_open(vm);
	return err < 0 ? err : kvm_mem_open(vm);
}

static int engine_open(struct engine_vm **out, const struct cpu_model *model,
		       const struct cpu_bus *bus)
{
	struct engine_vm *vm = calloc(1, sizeof(*vm));
	int err;

	if (!vm)
		return -ENOMEM;
	vm->fd = vm->spare.fd = -1;
	pthread_mutex_init(&vm->tsc_lock, NULL);
	vm->model = model;
	vm->bus = bus;
	vm->avx_offset = xstate_offset(2);
	vm->pkru_offset = xstate_offset(9);
	vm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	err = vm->kvm < 0 ? -errno : kvm_probe_lacking(vm->kvm) ? -ENOTSUP : 0;
	if (err < 0)
		goto fail;
	err = kvm_ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, NULL);
	if (err < 0)
		goto fail;
	vm->run_size = (size_t)err;
	err = kvm_ioctl(vm->kvm, KVM_CREATE_VM, NULL);
	if (err < 0)
		goto fail;
	vm->fd = err;
	kvm_kick_init();
	err = configure_vm(vm);
	if (err < 0)
		goto fail;
	*out = vm;
	return 0;
fail:
	engine_close(vm);
	return err;
}

/* ---- a vCPU ---- */

static int engine_create(struct engine_cpu **out, const struct cpu_model *model,
			 const struct cpu_bus *bus, unsigned index, _Atomic uint32_t *events)
{
	struct engine_cpu *e = aligned_alloc(64, (sizeof(*e) + 63) & ~(size_t)63);

	if (!e)
		return -ENOMEM;
	memset(e, 0, sizeof(*e));
	e->fd = -1;
	e->model = model;
	e->bus = bus;
	e->index = index;
	e->events = events;
	e->apic_page = NOWHERE;
	*out = e;
	return 0;
}

static int engine_join(struct engine_cpu *e, struct engine_vm *vm)
{
	e->vm = vm;
	e->fd = kvm_ioctl(vm->fd, KVM_CREATE_VCPU, (void *)(uintptr_t)e->index);
	if (e->fd < 0)
		return e->fd;
	void *run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, e->fd, 0);
	if (run == MAP_FAILED)
		return -errno;
	e->run = run;
	int err = kvm_set_cpuid(e);
	if (err == 0)
		kvm_msr_init(e);
	return err;
}

static void engine_destroy(struct engine_cpu *e)
{
	if (e->run)
		munmap(e->run, e->vm->run_size);
	if (e->fd >= 0)
		close(e->fd);
	free(e);
}

static void engine_load(struct engine_cpu *e, const struct vcpu *v)
{
	e->state = *v;
	/* System management mode is left to others, and KVM not told of it. */
	e->refused = v->smm || kvm_state_load(e, v) < 0;
	e->unfinished = false;
	e->ready = v->rflags & FL_IF && !v->sti_shadow && !v->mov_ss_shadow && !v->taken.valid;
	e->state.nmi_pending = e->state.smi_pending = e->state.init_pending = false;
	/* The caller may hold the machine lock: the bus is asked later. */
	atomic_fetch_or(e->events, EV_TLB | engine_pending(v));
}

static void engine_store(struct engine_cpu *e, struct vcpu *v)
{
	kvm_tsc_leave(e);
	if (!e->refused)
		kvm_state_store(e, &e->state);
	*v = e->state;
	engine_keep_pending(v, atomic_load(e->events));
}

static void engine_kick(struct engine_cpu *e)
{
	__atomic_store_n(&e->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	if (atomic_load(&e->inside))
		kvm_kick(e->thread);
}

/* ---- exits ---- */

static void port_exit(struct engine_cpu *e)
{
	struct kvm_run *r = e->run;
	uint8_t *p = (uint8_t *)r + r->io.data_offset;
	uint32_t val;

	e->unfinished = true;
	for (uint32_t n = 0; n < r->io.count; n++, p += r->io.size) {
		if (r->io.direction == KVM_EXIT_IO_OUT) {
			val = 0;
			memcpy(&val, p, r->io.size);
			aspace_write(e->bus->io, r->io.port, val, r->io.size);
		} else {
			val = (uint32_t)aspace_read(e->bus->io, r->io.port, r->io.size);
			memcpy(p, &val, r->io.size);
		}
	}
}

static bool whole(uint32_t len)
{
	return len == 1 || len == 2 || len == 4 || len == 8;
}

static void mmio_exit(struct engine_cpu *e)
{
	struct kvm_run *r = e->run;
	const struct cpu_bus *b = e->bus;
	uint64_t gpa = r->mmio.phys_addr, val = 0;
	bool apic = (gpa & PAGE_MASK) == e->apic_page;
	unsigned step = whole(r->mmio.len) ? r->mmio.len : 1;

	e->unfinished = true;
	e->cr8_stale |= apic;
	for (unsigned n = 0; n < r->mmio.len && n < sizeof(r->mmio.data); n += step) {
		uint8_t *p = r->mmio.data + n;
		uint32_t off = (uint32_t)((gpa + n) & ~PAGE_MASK);
		if (r->mmio.is_write) {
			val = 0;
			memcpy(&val, p, step);
			if (apic)
				b->apic_write(b->opaque, e->index, off, val, step);
			else
				aspace_write(b->mem, gpa + n, val, step);
		} else {
			val = apic ? b->apic_read(b->opaque, e->index, off, step)
				   : aspace_read(b->mem, gpa + n, step);
			memcpy(p, &val, step);
		}
	}
}

static bool fail(struct engine_cpu *e, enum run_failure why, enum run_exit *exit)
{
	e->failure = why;
	*exit = RUN_FAILED;
	return false;
}

static enum engine_stat exit_stat(uint32_t reason)
{
	switch (reason) {
	case KVM_EXIT_IO:
		return STAT_KVM_PORT;
	case KVM_EXIT_MMIO:
		return STAT_KVM_MMIO;
	case KVM_EXIT_X86_RDMSR:
	case KVM_EXIT_X86_WRMSR:
		return STAT_KVM_MSR;
	case KVM_EXIT_HLT:
		return STAT_KVM_HLT;
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		return STAT_KVM_WINDOW;
	case KVM_EXIT_SET_TPR:
		return STAT_KVM_TPR;
	default:
		return STAT_KVM_OTHER;
	}
}

/* False when run() must return *why. */
static bool handle_exit(struct engine_cpu *e, enum run_exit *why)
{
	e->exits[exit_stat(e->run->exit_reason)]++;
	switch (e->run->exit_reason) {
	case KVM_EXIT_IO:
		port_exit(e);
		return true;
	case KVM_EXIT_MMIO:
		mmio_exit(e);
		return true;
	case KVM_EXIT_X86_RDMSR:
	case KVM_EXIT_X86_WRMSR:
		return kvm_msr_exit(e) || fail(e, FAIL_MSR, why);
	case KVM_EXIT_HLT:
		e->state.activity = ACT_HALTED;
		return true;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
	case KVM_EXIT_SET_TPR:
		return true;
	case KVM_EXIT_SHUTDOWN:
		e->state.activity = ACT_SHUTDOWN;
		*why = RUN_SHUTDOWN;
		return false;
	case KVM_EXIT_FAIL_ENTRY:
		return fail(e, FAIL_ENTRY, why);
	default:
		return fail(e, FAIL_EMULATION, why);
	}
}

/* One KVM_RUN; 0 or -errno. */
static int enter(struct engine_cpu *e)
{
	const struct cpu_bus *b = e->bus;
	struct kvm_run *r = e->run;

	if (e->cr8_stale && b->cr8_read)
		e->cr8 = b->cr8_read(b->opaque, e->index);
	e->cr8_stale = false;
	r->cr8 = e->cr8;
	e->unfinished = false;
	atomic_store(&e->inside, true);
	int err = kvm_ioctl(e->fd, KVM_RUN, NULL);
	atomic_store(&e->inside, false);
	e->ready = r->ready_for_interrupt_injection;
	if (r->cr8 != e->cr8) {
		e->cr8 = (uint8_t)r->cr8;
		if (b->cr8_write)
			b->cr8_write(b->opaque, e->index, e->cr8);
	}
	return err;
}

/* Each KVM_RUN completes what the last one left to us, and no more. */
static void complete(struct engine_cpu *e)
{
	enum run_exit ignored;

	while (e->unfinished) {
		__atomic_store_n(&e->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
		if (enter(e) == 0)
			handle_exit(e, &ignored);
	}
}

/* ---- events ---- */

/* After load(), and when the memory map or the local APIC's place changed. */
static void settle(struct engine_cpu *e)
{
	const struct cpu_bus *b = e->bus;
	const uint64_t enabled = 1 << 11, x2apic = 1 << 10;
	uint64_t base = 0;

	e->apic_page = NOWHERE;
	if (b->apic_msr_read && cpu_has(e->model, FEAT_APIC) &&
	    !b->apic_msr_read(b->opaque, e->index, 0x1b, &base) &&
	    (base & (enabled | x2apic)) == enabled)
		e->apic_page = base & 0x000ffffffffff000;
	e->cr8_stale = true;
	kvm_tsc_join(e);
}

static bool nmi_blocked(struct engine_cpu *e)
{
	struct kvm_vcpu_events ev;

	return kvm_ioctl(e->fd, KVM_GET_VCPU_EVENTS, &ev) == 0 && ev.nmi.masked;
}

static void take_nmi(struct engine_cpu *e)
{
	if (e->state.activity == ACT_HALTED && nmi_blocked(e))
		return;
	atomic_fetch_and(e->events, ~(uint32_t)EV_NMI);
	kvm_ioctl(e->fd, KVM_NMI, NULL);
	e->state.activity = ACT_RUNNING;
	e->ready = false;
}

static void take_interrupt(struct engine_cpu *e)
{
	struct kvm_interrupt i;
	int vector = e->bus->intr_ack(e->bus->opaque, e->index);

	if (vector < 0)
		return;
	i.irq = (uint32_t)vector;
	kvm_ioctl(e->fd, KVM_INTERRUPT, &i);
	e->state.activity = ACT_RUNNING;
	e->ready = false;
}

/* False when run() must return *why. */
static bool take_events(struct engine_cpu *e, enum run_exit *why)
{
	uint32_t ev = atomic_load(e->events);

	if (ev & (EV_TLB | EV_TIME))
		atomic_fetch_and(e->events, ~(uint32_t)(EV_TLB | EV_TIME));
	if (ev & EV_TLB || !e->tsc_joined)
		settle(e);
	if (ev & engine_leaves(&e->state)) {
		*why = RUN_STOPPED;
		return false;
	}
	if (e->state.activity == ACT_WAIT_SIPI || e->state.activity == ACT_SHUTDOWN) {
		*why = e->state.activity == ACT_SHUTDOWN ? RUN_SHUTDOWN : RUN_HALTED;
		return false;
	}
	if (!aspace_a20(e->bus->mem) || atomic_load(&e->bus->smram_open) ||
	    atomic_load(&e->vm->mem_failed))
		return fail(e, FAIL_MEMORY, why);
	if (ev & EV_SMI)
		return fail(e, FAIL_SMM, why);
	if (ev & EV_NMI)
		take_nmi(e);
	if (ev & EV_INTR && e->ready)
		take_interrupt(e);
	if (e->state.activity == ACT_HALTED) {
		*why = RUN_HALTED;
		return false;
	}
	/* What came since kicks us out again. */
	e->run->request_interrupt_window = (atomic_load(e->events) & EV_INTR) != 0;
	return true;
}

static enum run_exit engine_run(struct engine_cpu *e, uint64_t max_insns)
{
	enum run_exit why = RUN_STOPPED;

	if (max_insns != UINT64_MAX || e->refused) {
		e->failure = e->state.smm ? FAIL_SMM : e->refused ? FAIL_ENTRY : FAIL_BOUND;
		return RUN_FAILED;
	}
	e->thread = pthread_self();
	for (;;) {
		__atomic_store_n(&e->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
		if (!take_events(e, &why))
			break;
		int err = enter(e);
		if (err == -EINTR || err == -EAGAIN) {
			e->exits[STAT_KVM_KICKED]++;
			continue;
		}
		if (err < 0) {
			fail(e, FAIL_ENTRY, &why);
			break;
		}
		if (!handle_exit(e, &why))
			break;
	}
	complete(e);
	return why;
}

static void engine_forget(struct engine_cpu *e)
{
	kvm_mem_changed(e->vm);
}

/* KVM does not count. */
static uint64_t engine_retired(struct engine_cpu *e)
{
	(void)e;
	return 0;
}

static void engine_stats(struct engine_cpu *e, struct engine_stats *sum)
{
	for (unsigned n = 0; n < NR_ENGINE_STATS; n++)
		sum->n[n] += e->exits[n];
}

static enum run_failure engine_failure(struct engine_cpu *e)
{
	return e->failure;
}

const struct engine engine_kvm = {
    .name = "kvm",
    .native = true,
    .unusable = engine_unusable,
    .fit = kvm_fit,
    .open = engine_open,
    .close = engine_close,
    .create = engine_create,
    .join = engine_join,
    .destroy = engine_destroy,
    .load = engine_load,
    .store = engine_store,
    .run = engine_run,
    .kick = engine_kick,
    .retired = engine_retired,
    .stats = engine_stats,
    .forget = engine_forget,
    .failure = engine_failure,
};
