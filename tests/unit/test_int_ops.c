/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the host-CPU fuzzer cannot reach of the integer operations: real-mode strings with segment
 * limits and wrapping, giving way inside REP, locked accesses between processors, ports, and the
 * privileged corners of the flags.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "cpu/core.h"
#include "cpu/decode.h"
#include "cpu/exc.h"
#include "cpu/opcode.h"
#include "mmu/aspace.h"

enum { RAM = 0x40000, DONE = 0 };

/* A machine of one or two processors in flat 32-bit protected or in real mode. */
struct rig {
	struct ram ram;
	struct aspace mem, io;
	struct cpu_bus bus;
	struct cpu_model model;
	pthread_mutex_t dev_lock, split_lock;
	_Atomic uint32_t events;
	uint32_t port_val;
	struct core *cpu;
};

static uint64_t port_read(void *dev, uint64_t off, unsigned size)
{
	struct rig *r = dev;
	return (r->port_val += size) + (off << 16);
}

static void port_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct rig *r = dev;
	(void)off;
	(void)size;
	r->port_val = (uint32_t)val;
}

static const struct mmio_ops port_ops = {port_read, port_write, 1, 4};

static void set_segment(struct core *c, unsigned n, uint32_t base, uint32_t limit, uint32_t attr)
{
	c->v.seg[n] =
	    (struct segment){.sel = base >> 4, .attr = attr, .limit = limit, .base = base};
}

static struct core *new_core(struct rig *r, unsigned index)
{
	struct core *c = aligned_alloc(64, (sizeof(*c) + 63) & ~(size_t)63);
	const uint32_t data = SEG_P | SEG_S | SEG_W | SEG_A;

	cr_assert(c);
	core_init(c, &r->model, &r->bus, index);
	c->events = &r->events;
	for (unsigned n = 0; n < NR_SREGS; n++)
		set_segment(c, n, 0, 0xffff, data | (n == CS ? SEG_X : 0));
	c->v.gpr[RSP] = 0x8000;
	core_update_mode(c);
	return c;
}

static struct rig *new_rig(void)
{
	struct rig *r = calloc(1, sizeof(*r));

	cr_assert(r && ram_init(&r->ram, "ram", RAM) == 0);
	pthread_mutex_init(&r->dev_lock, NULL);
	pthread_mutex_init(&r->split_lock, NULL);
	aspace_init(&r->mem, "memory", 52, &r->dev_lock);
	aspace_init(&r->io, "ports", 16, &r->dev_lock);
	cr_assert(aspace_map_ram(&r->mem, "ram", 0, RAM, &r->ram, 0) == 0);
	cr_assert(aspace_map_dev(&r->io, "port", 0x60, 8, &port_ops, r) == 0);
	r->bus = (struct cpu_bus){.mem = &r->mem, .io = &r->io, .split_lock = &r->split_lock};
	memset(r->model.feat, 0xff, sizeof(r->model.feat));
	r->model.maxphyaddr = 40;
	r->model.maxlinaddr = 48;
	r->cpu = new_core(r, 0);
	return r;
}

static void free_rig(struct rig *r)
{
	free(r->cpu);
	ram_fini(&r->ram);
	free(r);
}

/* Flat 32-bit code at the given privilege. */
static void protect(struct core *c, unsigned cpl)
{
	const uint32_t bits = SEG_P | SEG_S | SEG_W | SEG_A | SEG_DB | SEG_G | cpl << SEG_DPL_SHIFT;

	c->v.cr0 |= CR0_PE;
	for (unsigned n = 0; n < NR_SREGS; n++)
		set_segment(c, n, 0, 0xffffffff, bits | (n == CS ? SEG_X : 0));
	core_update_mode(c);
}

/* Executes one instruction: DONE, or the core_exit with which it left. */
static int exec(struct core *c, const uint8_t *code, unsigned len)
{
	sigjmp_buf env;
	struct insn i;
	int why;

	cr_assert(decode(&i, code, len, c->mode, c->model) == DECODE_OK);
	cr_assert_eq(i.len, len);
	c->blk_rip = c->v.rip;
	c->insn = &i;
	c->leave = false;
	c->fault = &env;
	why = sigsetjmp(env, 0);
	if (!why)
		i.op(c, &i);
	c->fault = NULL;
	return why;
}
#define EXEC(c, ...) exec(c, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void expect_fault(struct core *c, int why, unsigned vector)
{
	cr_assert_eq(why, CORE_EXCEPTION);
	cr_assert_eq(c->exc.vector, vector);
}

/* The same string instruction done the slow way, one byte at a time. */
static void model_string(uint8_t *m, const struct core *c, bool movs, unsigned size, uint32_t count)
{
	uint16_t si = c->v.gpr[RSI], di = c->v.gpr[RDI];
	int by = c->v.rflags & FL_DF ? -(int)size : (int)size;

	for (; count; count--, si += by, di += by) {
		uint8_t v[4];
		memcpy(v, &c->v.gpr[RAX], 4);
		for (unsigned n = 0; movs && n < size; n++)
			v[n] = m[c->v.seg[DS].base + si + n];
		for (unsigned n = 0; n < size; n++)
			m[c->v.seg[ES].base + di + n] = v[n];
	}
}

Test(int_ops, real_mode_strings)
{
	struct rig *r = new_rig();
	struct core *c = r->cpu;
	uint8_t *want = malloc(RAM);

	srand(1);
	for (unsigned n = 0; n < RAM; n++)
		r->ram.host[n] = rand();
	memcpy(want, r->ram.host, RAM);
	for (unsigned k = 0; k < 20000; k++) {
		bool movs = rand() & 1;
		unsigned size = 1u << rand() % 3, count = rand() % (rand() % 8 ? 40 : 3000);
		uint8_t code[4] = {0xf3, (movs ? 0xa4 : 0xaa) | (size > 1)}, wide[4];
		uint32_t attr = c->v.seg[DS].attr;

		uint32_t base = (rand() & 0xfff) << 4;
		set_segment(c, DS, base, 0xffff, attr);
		if (rand() & 1)
			base = (rand() & 0xfff) << 4;
		set_segment(c, ES, base, 0xffff, attr);
		core_update_mode(c);
		c->v.rflags = FL_1 | (rand() % 4 ? 0 : FL_DF);
		/* Aligned, so that no element straddles the limit when the offset wraps. */
		c->v.gpr[RSI] = 0xabc0000 | (rand() & 0xffff & -(int)size);
		c->v.gpr[RDI] = (uint64_t)(rand() & 0xffff & -(int)size);
		if (rand() & 1)
			c->v.gpr[RDI] = c->v.gpr[RSI] + (uint64_t)((rand() % 9 - 4) * (int)size);
		c->v.gpr[RAX] = rand();
		c->v.gpr[RCX] = 0x12340000 | count;
		model_string(want, c, movs, size, count);
		wide[0] = 0x66;
		memcpy(wide + 1, code, 3);
		while (exec(c, size == 4 ? wide : code, size == 4 ? 3 : 2) == CORE_RESTART)
			cr_assert((uint16_t)c->v.gpr[RCX]);
		cr_assert_eq(c->v.gpr[RCX], 0x12340000);
		if (memcmp(want, r->ram.host, RAM))
			for (unsigned n = 0; n < RAM; n++)
				cr_assert(want[n] == r->ram.host[n],
					  "test %u %s size %u count %u: byte %x", k,
					  movs ? "movs" : "stos", size, count, n);
	}
	free(want);
	free_rig(r);
}

Test(int_ops, rep_stops_at_the_segment_limit)
{
	struct rig *r = new_rig();
	struct core *c = r->cpu;

	set_segment(c, ES, 0x1000, 0x1ff, c->v.seg[ES].attr);
	core_update_mode(c);
	c->v.gpr[RDI] = 0x100;
	c->v.gpr[RCX] = 0x200;
	c->v.gpr[RAX] = 0x5a;
	expect_fault(c, EXEC(c, 0xf3, 0xaa), EXC_GP);
	cr_assert_eq(c->v.gpr[RDI], 0x200);
	cr_assert_eq(c->v.gpr[RCX], 0x100);
	cr_assert(r->ram.host[0x11ff] == 0x5a && r->ram.host[0x1200] == 0);
	free_rig(r);
}

Test(int_ops, rep_gives_way_to_events)
{
	struct rig *r = new_rig();
	struct core *c = r->cpu;
	unsigned restarts = 0;

	protect(c, 0);
	c->v.rip = 0x1234;
	for (unsigned way = 0; way < 2; way++) { /* SCASB by elements, STOSB in runs */
		r->events = way;
		restarts = 0;
		memset(r->ram.host, 1, RAM);
		c->v.gpr[RAX] = 1;
		for (c->v.gpr[RDI] = 0, c->v.gpr[RCX] = RAM;; restarts++) {
			int why = EXEC(c, 0xf3, 0xae);
			if (!why)
				break;
			cr_assert_eq(why, CORE_RESTART);
			cr_assert_eq(c->v.rip, 0x1234);
			cr_assert_eq(c->v.gpr[RDI] + c->v.gpr[RCX], RAM);
		}
		cr_assert_eq(c->v.gpr[RCX], 0);
		cr_assert(way ? restarts > 10 && restarts < 1000 : restarts == 0);
	}
	c->v.gpr[RDI] = 0;
	c->v.gpr[RCX] = 3;
	c->v.rflags |= FL_TF; /* a single step is one iteration */
	cr_assert_eq(EXEC(c, 0xf3, 0xaa), CORE_RESTART);
	cr_assert_eq(c->v.gpr[RCX], 2);
	free_rig(r);
}

Test(int_ops, string_ports)
{
	struct rig *r = new_rig();
	struct core *c = r->cpu;

	c->v.gpr[RDX] = 0x62;
	c->v.gpr[RDI] = 0x2000;
	c->v.gpr[RCX] = 3;
	cr_assert_eq(EXEC(c, 0xf3, 0x66, 0x6d), DONE); /* rep insd */
	for (uint32_t n = 0; n < 3; n++)
		cr_assert_eq(((uint32_t *)(r->ram.host + 0x2000))[n], 0x20004 + n * 4);
	/* The destination faults before the port is read. */
	r->port_val = 0;
	set_segment(c, ES, 0, 0xfff, c->v.seg[ES].attr);
	core_update_mode(c);
	c->v.gpr[RDI] = 0xffe;
	c->v.gpr[RCX] = 2;
	expect_fault(c, EXEC(c, 0xf3, 0x6d), EXC_GP);
	cr_assert_eq(r->port_val, 2);
	cr_assert_eq(c->v.gpr[RCX], 1);
	free_rig(r);
}

/* lock inc, lock xadd and lock cmpxchg8b on words that share a line, straddle one, straddle a page. */
struct racer {
	struct core *c;
	uint64_t xadd_sum;
};

enum { RACE = 20000 };

static void *race(void *arg)
{
	struct racer *me = arg;
	struct core *c = me->c;

	for (unsigned n = 0; n < RACE; n++) {
		c->v.gpr[RBX] = 0x1003d;
		cr_assert_eq(EXEC(c, 0xf0, 0xff, 0x03), DONE); /* lock inc dword [ebx] */
		c->v.gpr[RBX] = 0x10ffe;
		cr_assert_eq(EXEC(c, 0xf0, 0xff, 0x03), DONE);
		c->v.gpr[RBX] = 0x10100;
		c->v.gpr[RAX] = 1;
		cr_assert_eq(EXEC(c, 0xf0, 0x0f, 0xc1, 0x03), DONE); /* lock xadd [ebx], eax */
		me->xadd_sum += c->v.gpr[RAX];
		c->v.gpr[RSI] = 0x10200;
		do { /* a 64-bit counter by lock cmpxchg8b */
			uint64_t old = c->v.gpr[RDX] << 32 | (uint32_t)c->v.gpr[RAX];
			c->v.gpr[RBX] = (uint32_t)(old + 0x80000001);
			c->v.gpr[RCX] = (old + 0x80000001) >> 32;
			cr_assert_eq(EXEC(c, 0xf0, 0x0f, 0xc7, 0x0e), DONE);
		} while (!(c->v.cc & FL_ZF));
	}
	return NULL;
}

Test(int_ops, locked_accesses_are_atomic)
{
	struct rig *r = new_rig();
	struct racer racer[2] = {{.c = r->cpu}, {.c = new_core(r, 1)}};
	pthread_t thread;
	uint32_t v;
	uint64_t q;

	protect(racer[0].c, 0);
	protect(racer[1].c, 0);
	pthread_create(&thread, NULL, race, &racer[1]);
	race(&racer[0]);
	pthread_join(thread, NULL);
	memcpy(&v, r->ram.host + 0x1003d, 4);
	cr_assert_eq(v, 2 * RACE);
	memcpy(&v, r->ram.host + 0x10ffe, 4);
	cr_assert_eq(v, 2 * RACE);
	memcpy(&q, r->ram.host + 0x10200, 8);
	cr_assert_eq(q, 2ull * RACE * 0x80000001);
	/* Each value was handed out once. */
	cr_assert_eq(racer[0].xadd_sum + racer[1].xadd_sum, (uint64_t)RACE * (2 * RACE - 1));
	free(racer[1].c);
	free_rig(r);
}

Test(int_ops, port_permissions)
{
	struct rig *r = new_rig();
	struct core *c = r->cpu;
	uint8_t *tss = r->ram.host + 0x3000;

	protect(c, 3);
	c->v.tr =
	    (struct segment){.sel = 8, .attr = SEG_P | 11, .limit = 0x68 + 16, .base = 0x3000};
	tss[0x66] = 0x68;
	memset(tss + 0x68, 0xff, 17);
	tss[0x68 + 0x60 / 8] = 0xf0; /* 60h-63h */
	cr_assert_eq(EXEC(c, 0xe4, 0x60), DONE);
	cr_assert_eq(EXEC(c, 0xe5, 0x60), DONE);
	expect_fault(c, EXEC(c, 0xe5, 0x61), EXC_GP);
	expect_fault(c, EXEC(c, 0xe6, 0x64), EXC_GP);
	cr_assert_eq(EXEC(c, 0xe7, 0x60), DONE);
	expect_fault(c, EXEC(c, 0xe4, 0x80), EXC_GP); /* beyond the TSS */
	c->v.rflags |= FL_IOPL;
	cr_assert_eq(EXEC(c, 0xe6, 0x64), DONE);
	c->v.rflags &= ~FL_IOPL;
	c->v.tr.attr = SEG_P | 3; /* a 16-bit TSS has no map */
	expect_fault(c, EXEC(c, 0xe4, 0x60), EXC_GP);
	free_rig(r);
}

static void set_top(struct rig *r, uint32_t val)
{
	memcpy(r->ram.host + 0x8000, &val, 4);
	r->cpu->v.gpr[RSP] = 0x8000;
}

Test(int_ops, flags_and_privilege)
{
	struct rig *r = new_rig();
	struct core *c = r->cpu;
	const uint32_t all = 0x3f7fd5;

	protect(c, 0);
	set_top(r, all & ~FL_TF);
	cr_assert_eq(EXEC(c, 0x9d), DONE); /* popf at CPL 0: all but VM, RF, VIF, VIP */
	cr_assert_eq(rflags_get(&c->v), 0x247ed7 & ~(uint64_t)FL_TF);
	protect(c, 3);
	c->v.rflags = FL_1 | FL_IF;
	set_top(r, FL_IOPL);
	cr_assert_eq(EXEC(c, 0x9d), DONE);
	cr_assert_eq(rflags_get(&c->v), FL_1 | FL_IF);
	c->v.rflags = FL_1 | FL_IF | FL_IOPL;
	set_top(r, 0);
	cr_assert_eq(EXEC(c, 0x9d), DONE);
	cr_assert_eq(rflags_get(&c->v), FL_1 | FL_IOPL);

	cr_assert_eq(EXEC(c, 0xfb), DONE); /* sti, shadow only when IF was clear */
	cr_assert(c->v.sti_shadow && (c->v.rflags & FL_IF));
	c->v.sti_shadow = false;
	cr_assert_eq(EXEC(c, 0xfb), DONE);
	cr_assert_not(c->v.sti_shadow);
	c->v.rflags = FL_1 | FL_IF;
	expect_fault(c, EXEC(c, 0xfa), EXC_GP);
	c->v.cr4 |= CR4_PVI;
	cr_assert_eq(EXEC(c, 0xfb), DONE);
	cr_assert_eq(c->v.rflags, FL_1 | FL_IF | FL_VIF);
	cr_assert_eq(EXEC(c, 0xfa), DONE);
	cr_assert_eq(c->v.rflags, FL_1 | FL_IF);
	c->v.rflags |= FL_VIP;
	expect_fault(c, EXEC(c, 0xfb), EXC_GP);
	free_rig(r);
}

Test(int_ops, virtual_8086_flags)
{
	struct rig *r = new_rig();
	struct core *c = r->cpu;
	uint16_t pushed;

	c->v.cr0 |= CR0_PE;
	for (unsigned n = 0; n < NR_SREGS; n++)
		set_segment(c, n, 0, 0xffff, SEG_P | SEG_S | SEG_DPL | SEG_W | SEG_A);
	c->v.rflags = FL_1 | FL_VM | FL_IF;
	core_update_mode(c);
	c->v.gpr[RSP] = 0x8002;
	expect_fault(c, EXEC(c, 0x9c), EXC_GP);
	expect_fault(c, EXEC(c, 0x9d), EXC_GP);
	c->v.cr4 |= CR4_VME;
	cr_assert_eq(EXEC(c, 0x9c), DONE); /* VIF stands for IF, IOPL reads as 3 */
	memcpy(&pushed, r->ram.host + 0x8000, 2);
	cr_assert_eq(pushed, FL_1 | FL_IOPL);
	set_top(r, FL_IF | FL_DF);
	cr_assert_eq(EXEC(c, 0x9d), DONE);
	cr_assert_eq(c->v.rflags, FL_1 | FL_VM | FL_IF | FL_VIF | FL_DF);
	set_top(r, FL_TF);
	expect_fault(c, EXEC(c, 0x9d), EXC_GP);
	cr_assert_eq(c->v.gpr[RSP], 0x8000);
	c->v.rflags |= FL_VIP;
	set_top(r, FL_IF);
	expect_fault(c, EXEC(c, 0x9d), EXC_GP);
	expect_fault(c, EXEC(c, 0x66, 0x9c), EXC_GP); /* pushfd has no virtual form */
	c->v.rflags = FL_1 | FL_VM | FL_IOPL;
	cr_assert_eq(EXEC(c, 0x66, 0x9c), DONE);
	free_rig(r);
}

Test(int_ops, near_branches_stay_in_the_code_segment)
{
	struct rig *r = new_rig();
	struct core *c = r->cpu;

	c->v.seg[CS].limit = 0x7fff;
	c->v.rip = 0x7000;
	cr_assert_eq(EXEC(c, 0xe9, 0xfc, 0x0f), DONE); /* jmp 7fffh */
	cr_assert_eq(c->v.rip, 0x7fff);
	c->v.rip = 0x7000;
	expect_fault(c, EXEC(c, 0xe9, 0xfd, 0x0f), EXC_GP);
	expect_fault(c, EXEC(c, 0xe8, 0xfd, 0x0f), EXC_GP);
	cr_assert_eq(c->v.gpr[RSP], 0x8000);
	c->v.gpr[RCX] = 5;
	c->v.rip = 0x7ff0;
	expect_fault(c, EXEC(c, 0xe2, 0x7f), EXC_GP); /* loop: the count stays */
	cr_assert_eq(c->v.gpr[RCX], 5);
	set_top(r, 0x8000);
	expect_fault(c, EXEC(c, 0xc3), EXC_GP);
	cr_assert_eq(c->v.gpr[RSP], 0x8000);
	c->v.rip = 0x10; /* 16-bit targets wrap */
	cr_assert_eq(EXEC(c, 0xeb, 0xe0), CORE_EXCEPTION);
	c->v.seg[CS].limit = 0xffff;
	cr_assert_eq(EXEC(c, 0xeb, 0xe0), DONE);
	cr_assert_eq(c->v.rip, 0xfff2);
	free_rig(r);
}
