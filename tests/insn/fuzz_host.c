/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The host side of the fuzzer: a child process that loads a whole register state, jumps to one
 * instruction and collects what became of it.
 *
 * The instruction is followed by a jump to host_exit, which stores the registers with absolute
 * addresses (no register is free). Faults arrive as signals, whose frame holds the state; the handler
 * resumes at host_recover. Code pages are full of INT3, so a branch ends in SIGTRAP or in a fetch
 * fault at its target. The child may only read, write and return from signals (seccomp strict mode).
 */
/* <ucontext.h> has a REG_RIP too. */
#define REG_RIP INSN_REG_RIP
#include "cpu/exc.h"
#include "tests/insn/fuzz.h"
#undef REG_RIP

#include <cpuid.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include <linux/seccomp.h>

/* At IO_ADDR in the child; the stub below knows these offsets. */
struct io {
	struct fuzz_state in, out;
	uint64_t save_rsp, save_fs, exit_ptr, enter_ptr;
	uint32_t far_enter_off;
	uint16_t far_enter_sel, pad0;
	uint32_t far_exit_off;
	uint16_t far_exit_sel, pad1;
	uint32_t mxcsr, pad2;
	uint64_t vector, error, cr2; /* VEC_NONE: no exception */
	uint16_t ds, es, ss, fs, gs, load_all;
};
_Static_assert(sizeof(struct fuzz_state) == 0x400, "stub");
_Static_assert(offsetof(struct fuzz_state, xsave) == 0xc0, "stub");
_Static_assert(offsetof(struct io, save_rsp) == 0x800, "stub");
_Static_assert(offsetof(struct io, far_enter_off) == 0x820, "stub");
_Static_assert(offsetof(struct io, far_exit_off) == 0x828, "stub");
_Static_assert(offsetof(struct io, mxcsr) == 0x830, "stub");
_Static_assert(offsetof(struct io, ds) == 0x850, "stub");
_Static_assert(IO_ADDR == 0x10000000 && RAX == 0 && R15 == 15, "stub");

/* fuzz_stub.S */
void host_run(void);
void host_exit(void);
void host_recover(void);
void host_enter_compat(void);

static struct io *const io = (struct io *)(uintptr_t)IO_ADDR;

/* The frame's extended state, with components in their initial configuration written out. */
static void copy_xstate(struct fuzz_state *s, const uint8_t *frame)
{
	uint64_t bv;

	memcpy(s->xsave, frame, XSAVE_SIZE);
	memcpy(&bv, frame + 512, 8);
	if (!(bv & 1)) {
		memset(s->xsave, 0, 24);
		s->xsave[0] = 0x7f;
		s->xsave[1] = 0x03;
		memset(s->xsave + 32, 0, 128);
	}
	if (!(bv & 2))
		memset(s->xsave + 160, 0, 256);
	if (!(bv & 4))
		memset(s->xsave + 576, 0, 256);
}

/* Thread-local storage is not there until FS is back, and AC must not be set in C code. */
__attribute__((no_stack_protector)) static void on_fault(int sig, siginfo_t *si, void *ctx)
{
	static const uint8_t order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
					  REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
					  REG_R12, REG_R13, REG_R14, REG_R15};
	ucontext_t *uc = ctx;
	greg_t *g = uc->uc_mcontext.gregs;
	uint64_t fs, gs;

	__asm__ volatile("pushfq; andl $~0x40000, (%%rsp); popfq; rdfsbase %0; rdgsbase %1"
			 : "=r"(fs), "=r"(gs));
	if (io->load_all)
		__asm__ volatile("mov %0, %%fs; mov %0, %%gs" ::"r"(0));
	__asm__ volatile("wrfsbase %0" ::"r"(io->save_fs));
	(void)sig;
	(void)si;
	for (unsigned n = 0; n < 16; n++)
		io->out.gpr[n] = g[order[n]];
	io->out.rip = g[REG_RIP];
	io->out.rflags = g[REG_EFL];
	io->out.fs_base = fs;
	io->out.gs_base = gs;
	copy_xstate(&io->out, (const uint8_t *)uc->uc_mcontext.fpregs);
	io->vector = g[REG_TRAPNO];
	io->error = g[REG_ERR];
	io->cr2 = g[REG_CR2];
	if (io->vector == EXC_BP && io->out.rip - 1 != io->in.rip) {
		io->out.rip--; /* the INT3 that a branch went to */
		io->vector = VEC_NONE;
	} else if (io->vector == EXC_PF && (io->error & 16) && io->out.rip != io->in.rip) {
		io->vector = VEC_NONE; /* a branch to nowhere */
	}
	g[REG_RIP] = (greg_t)(uintptr_t)host_recover;
	g[REG_RSP] = io->save_rsp;
	g[REG_EFL] = 0x202;
	g[REG_CSGSFS] = 0x2bll << 48 | 0x33;
}

const uint8_t *fuzz_host_tail(const struct fuzz_test *t, size_t *len)
{
	static const uint8_t exit64[] = {0xff, 0x24, 0x25, 0x10, 0x08, 0x00, 0x10};
	static const uint8_t exit32[] = {0xff, 0x2d, 0x28, 0x08, 0x00, 0x10};
	static const uint8_t exit32_cs[] = {
	    0x2e, 0xff, 0x2d, EXIT_POINTER & 0xff, EXIT_POINTER >> 8, 0, 0};
	static const uint8_t exit16[] = {
	    0x66, 0x2e, 0xff, 0x2e, EXIT_POINTER & 0xff, EXIT_POINTER >> 8};

	if (t->mode == 8) {
		*len = sizeof(exit64);
		return exit64;
	}
	if (!t->segmented) {
		*len = sizeof(exit32);
		return exit32;
	}
	*len = t->mode == 4 ? sizeof(exit32_cs) : sizeof(exit16);
	return t->mode == 4 ? exit32_cs : exit16;
}

void fuzz_host_exit_pointer(uint8_t *p)
{
	const uint32_t off = TRAMPOLINE;
	const uint16_t sel = 0x33;

	memcpy(p, &off, 4);
	memcpy(p + 4, &sel, 2);
}

static void run_one(const struct fuzz_test *t, struct fuzz_result *r, const uint8_t *image,
		    uint8_t *code)
{
	uint8_t *rw = (uint8_t *)(uintptr_t)RW_ADDR;
	size_t off = t->in.rip + fuzz_seg_base(t, CS) - CODE_ADDR, tail;
	const uint8_t *exit_code = fuzz_host_tail(t, &tail);

	r->open = 0;
	memcpy(&io->in, &t->in, sizeof(io->in));
	memcpy(code + off, t->code, t->len);
	memcpy(code + off + t->len, exit_code, tail);
	memcpy(rw + (t->patch_addr - RW_ADDR), t->patch, t->patch_len);

	io->vector = VEC_NONE;
	io->error = io->cr2 = 0;
	io->out.rip = t->in.rip + t->len;
	io->far_enter_off = t->in.rip;
	io->far_enter_sel = fuzz_seg_selector(t, CS);
	io->ds = fuzz_seg_selector(t, DS);
	io->es = fuzz_seg_selector(t, ES);
	io->ss = fuzz_seg_selector(t, SS);
	io->fs = fuzz_seg_selector(t, FS);
	io->gs = fuzz_seg_selector(t, GS);
	io->load_all = t->segmented;
	io->enter_ptr = t->mode == 8 ? t->in.rip : (uintptr_t)host_enter_compat;
	host_run();

	memset(code + off, 0xcc, t->len + tail);
	memcpy(&r->out, &io->out, sizeof(r->out));
	r->vector = io->vector;
	r->error = io->error;
	r->cr2 = io->cr2;
	fuzz_changed_range(rw, image, r);
	if (r->hi)
		memcpy(rw + r->lo, image + r->lo, r->hi - r->lo);
	memcpy(rw + (t->patch_addr - RW_ADDR), image + (t->patch_addr - RW_ADDR), t->patch_len);
}

static void *map_at(uint32_t addr, size_t size, int prot)
{
	void *p = mmap((void *)(uintptr_t)addr, size, prot,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_POPULATE, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

static uint8_t *map_arena(const struct fuzz_shared *sh)
{
	int fd = memfd_create("code", 0);
	uint8_t *alias, *ro;

	if (fd < 0 || ftruncate(fd, CODE_SIZE))
		return NULL;
	alias = mmap(NULL, CODE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (alias == MAP_FAILED)
		return NULL;
	memset(alias, 0xcc, CODE_SIZE);
	fuzz_host_exit_pointer(alias + EXIT_POINTER);
	if (mmap((void *)(uintptr_t)CODE_ADDR, CODE_SIZE, PROT_READ | PROT_EXEC,
		 MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_POPULATE, fd, 0) == MAP_FAILED)
		return NULL;
	close(fd);
	ro = map_at(RO_ADDR, RO_SIZE, PROT_READ | PROT_WRITE);
	if (!ro || !map_at(RW_ADDR, RW_SIZE, PROT_READ | PROT_WRITE) ||
	    !map_at(IO_ADDR, IO_SIZE, PROT_READ | PROT_WRITE))
		return NULL;
	memcpy(ro, sh->ro_image, RO_SIZE);
	mprotect(ro, RO_SIZE, PROT_READ);
	return alias;
}

/* Compatibility mode can only jump far to an address below 4 GiB: from there on to host_exit. */
static void make_trampoline(void)
{
	uint8_t *p = (uint8_t *)(uintptr_t)TRAMPOLINE;
	size_t len;
	const uint8_t *hop = fuzz_host_tail(&(struct fuzz_test){.mode = 8}, &len);

	memcpy(p, hop, len);
	mprotect(p, 0x1000, PROT_READ | PROT_EXEC);
	io->exit_ptr = (uintptr_t)host_exit;
	io->far_exit_off = (uintptr_t)p;
	io->far_exit_sel = 0x33;
	io->mxcsr = 0x1f80;
}

static bool catch_faults(void)
{
	static const int signals[] = {SIGSEGV, SIGILL, SIGFPE, SIGBUS, SIGTRAP};
	size_t size = 65536;
	stack_t ss = {.ss_size = size};
	struct sigaction sa = {.sa_sigaction = on_fault,
			       .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};

	ss.ss_sp = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (ss.ss_sp == MAP_FAILED || sigaltstack(&ss, NULL))
		return false;
	for (size_t n = 0; n < sizeof(signals) / sizeof(signals[0]); n++)
		if (sigaction(signals[n], &sa, NULL))
			return false;
	return true;
}

/* _exit() is exit_group(), which seccomp's strict mode kills. */
static void child_exit(int status)
{
	syscall(SYS_exit, status);
}

static void child(struct fuzz_shared *sh, int in, int out)
{
	uint8_t *code = map_arena(sh), byte = 0;
	uint8_t *rw = (uint8_t *)(uintptr_t)RW_ADDR;

	if (!code || !catch_faults() || fuzz_seg_install())
		child_exit(3);
	make_trampoline();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (write(out, &byte, 1) != 1 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		child_exit(4);
	while (read(in, &byte, 1) == 1) {
		memcpy(rw, sh->image, RW_SIZE);
		for (; sh->current < sh->nr; sh->current++)
			run_one(&sh->test[sh->current], &sh->result[sh->current], sh->image, code);
		if (write(out, &byte, 1) != 1)
			break;
	}
	child_exit(0);
}

static struct {
	pid_t pid;
	int to, from;
} host = {.pid = -1};

int fuzz_host_start(struct fuzz_shared *sh)
{
	int to[2], from[2];
	uint8_t byte;

	if (pipe(to) || pipe(from))
		return -errno;
	fflush(NULL);
	host.pid = fork();
	if (host.pid < 0)
		return -errno;
	if (host.pid == 0) {
		close(to[1]);
		close(from[0]);
		child(sh, to[0], from[1]);
		abort();
	}
	close(to[0]);
	close(from[1]);
	host.to = to[1];
	host.from = from[0];
	if (read(host.from, &byte, 1) != 1) {
		fuzz_host_stop();
		return -EIO;
	}
	return 0;
}

void fuzz_host_stop(void)
{
	if (host.pid <= 0)
		return;
	close(host.to);
	close(host.from);
	kill(host.pid, SIGKILL);
	waitpid(host.pid, NULL, 0);
	host.pid = -1;
}

int fuzz_host_run(struct fuzz_shared *sh)
{
	uint8_t byte = 0;

	sh->current = 0;
	while (sh->current < sh->nr) {
		struct pollfd p = {.fd = host.from, .events = POLLIN};

		if (write(host.to, &byte, 1) != 1)
			return -EPIPE;
		if (poll(&p, 1, 20000) == 1 && read(host.from, &byte, 1) == 1)
			break;
		memset(&sh->result[sh->current], 0, offsetof(struct fuzz_result, mem));
		sh->result[sh->current].vector = VEC_LOST;
		sh->current++;
		fuzz_host_stop();
		int err = fuzz_host_start(sh);
		if (err)
			return err;
	}
	return 0;
}

static bool host_bit(uint32_t leaf, uint32_t sub, unsigned reg, unsigned bit)
{
	uint32_t r[4];

	if ((uint32_t)__get_cpuid_max(leaf & 0x80000000, NULL) < leaf)
		return false;
	__cpuid_count(leaf, sub, r[0], r[1], r[2], r[3]);
	return r[reg] >> bit & 1;
}

void fuzz_host_model(struct cpu_model *m)
{
	memset(m, 0, sizeof(*m));
	strcpy(m->name, "fuzz");
#define FEATURE(id, text, leaf, sub, reg, bit)                                                     \
	if (host_bit(leaf, sub, reg, bit))                                                         \
		m->feat[FEAT_##id / 64] |= 1ull << (FEAT_##id % 64);
#include "cpu/features.def"
#undef FEATURE
	m->maxphyaddr = 40;
	m->maxlinaddr = 48;
	m->nr_cpus = 1;
	uint32_t max, r[3];
	__cpuid(0, max, r[0], r[2], r[1]);
	(void)max;
	memcpy(m->vendor, r, sizeof(r));
}

/* Some hypervisors run user code with CR0.AM clear. */
bool fuzz_host_alignment_checks(void)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		signal(SIGBUS, SIG_DFL); /* not a sanitizer's */
		__asm__ volatile("pushfq; orl $0x40000, (%%rsp); popfq; mov 1(%%rsp), %%rax;"
				 "pushfq; andl $~0x40000, (%%rsp); popfq" ::
				     : "rax", "memory");
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status);
}
