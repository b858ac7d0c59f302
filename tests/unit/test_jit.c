/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Small 64-bit guests on the interpreter, on the translator, and on the translator with instructions
 * counted; state and RAM compared at every HLT: code that changes under the translator's feet by every
 * route there is, mappings that change, and loops that an event must leave. Everything is translated at
 * its first run, or after some runs as traces.
 */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "accel/engine.h"
#include "accel/soft.h"
#include "accel/stats.h"
#include "cpu/fxstate.h"
#include "synth.h"

/* Guests are assembled here and copied to TEXT: they must not care where they are. */
#define GUEST(name, text)                                                                          \
	extern const char name[], name##_end[];                                                    \
	__asm__(".pushsection .rodata\n" #name ":\n" text "\n" #name "_end:\n.popsection")

enum {
	PT = 0x11000,      /* of the first 2 MiB, 4 KiB pages */
	PT_HIGH = 0x12000, /* of the second: page 0 is TEXT again */
	ALIAS = 0x200000,
	PML4_2 = 0x13000, /* another address space, */
	PT_2 = 0x16000,   /* where ... */
	FUNC = 0x9000,    /* ... this page is FUNC_2 */
	FUNC_2 = 0xb000,
	BITS = 7,
	NR = 5,
};

static const struct kind {
	const struct engine *engine;
	uint32_t hot;
	bool count; /* like the interpreter */
} kinds[NR] = {
    {.engine = &engine_interp},
    {.engine = &engine_jit, .hot = 1},
    {.engine = &engine_jit, .hot = 1, .count = true},
    {.engine = &engine_jit, .hot = 4}, /* traces */
    {.engine = &engine_jit, .hot = 4, .count = true},
};

struct pair {
	struct synth *s[NR];
	struct engine_cpu *e[NR];
	_Atomic uint32_t events[NR];
	bool faults;
};

static void map_small_pages(struct synth *s)
{
	poke(s, 0x4000, 0x5000 | BITS, 8);
	poke(s, 0x5000, 0x10000 | BITS, 8);
	poke(s, 0x10000, PT | BITS, 8);
	poke(s, 0x10008, PT_HIGH | BITS, 8);
	poke(s, PML4_2, 0x14000 | BITS, 8);
	poke(s, 0x14000, 0x15000 | BITS, 8);
	poke(s, 0x15000, PT_2 | BITS, 8);
	for (unsigned n = 0; n < 256; n++) {
		poke(s, PT + 8 * n, n << 12 | BITS, 8);
		poke(s, PT_2 + 8 * n, n << 12 | BITS, 8);
	}
	poke(s, PT_HIGH, TEXT | BITS, 8);
	poke(s, PT_2 + 8 * (FUNC >> 12), FUNC_2 | BITS, 8);
}

/* handler: offset in the code of what takes #PF, or 0. */
static void pair_new(struct pair *p, const char *code, const char *end, const char *handler,
		     uint64_t cache)
{
	memset(p, 0, sizeof(*p));
	p->faults = handler != NULL;
	for (unsigned k = 0; k < NR; k++) {
		const struct engine_config config = {
		    .cache = cache, .hot = kinds[k].hot, .count = kinds[k].count};
		struct synth *s = p->s[k] = synth_new("max");
		enter_long(s, 0);
		map_small_pages(s);
		s->c.v.efer |= EFER_NXE;
		s->c.v.cr0 |= CR0_WP;
		s->c.v.cr4 |= CR4_OSFXSR;
		memcpy(s->ram.host + TEXT, code, end - code);
		if (handler)
			poke(s, IDT + EXC_PF * 16, gate(CODE64, TEXT + (handler - code), 0x8e, 0),
			     8);
		int err = kinds[k].engine->create(&p->e[k], &s->model, &s->bus, 0, &p->events[k]);
		if (err == -ENOTSUP)
			cr_skip_test("the translator does not run on this CPU");
		cr_assert_eq(err, 0);
		if (kinds[k].engine->configure)
			cr_assert_eq(kinds[k].engine->configure(p->e[k], &config), 0);
	}
}
#define PAIR(p, name) pair_new(p, name, name##_end, NULL, 0)

static void pair_free(struct pair *p)
{
	for (unsigned k = 0; k < NR; k++) {
		kinds[k].engine->destroy(p->e[k]);
		synth_free(p->s[k]);
	}
}

static void compare(struct pair *p, unsigned k)
{
	const struct vcpu *a = &p->s[0]->c.v, *b = &p->s[k]->c.v;
	uint64_t open = p->faults ? FL_STATUS : 0; /* dead flags are anything at a fault */
	uint8_t fx[2][FX_X87_SIZE] = {{0}};
	cr_expect_arr_eq(a->gpr, b->gpr, sizeof(a->gpr));
	cr_expect_eq(a->rip, b->rip);
	cr_expect_eq(rflags_get(a) | open, rflags_get(b) | open);
	cr_expect_eq(a->cr2, b->cr2);
	cr_expect_arr_eq(a->v, b->v, sizeof(a->v));
	fx_pack_x87(fx[0], &a->fpu, 0);
	fx_pack_x87(fx[1], &b->fpu, 0);
	cr_expect_arr_eq(fx[0], fx[1], FX_X87_SIZE);
	cr_expect(!memcmp(p->s[0]->ram.host, p->s[k]->ram.host, 1 << 20), "RAM differs");
	if (kinds[k].count)
		cr_expect_eq(engine_interp.retired(p->e[0]), engine_jit.retired(p->e[k]),
			     "interpreted %lu, counted %lu", engine_interp.retired(p->e[0]),
			     engine_jit.retired(p->e[k]));
}

static enum run_exit run_one(struct pair *p, unsigned k, uint64_t insns)
{
	struct vcpu *v = &p->s[k]->c.v;
	v->activity = ACT_RUNNING;
	kinds[k].engine->load(p->e[k], v);
	enum run_exit why = kinds[k].engine->run(p->e[k], insns);
	kinds[k].engine->store(p->e[k], v);
	if (p->faults) /* likewise in its frame */
		poke(p->s[k], STACK0 - 24, peek(p->s[k], STACK0 - 24, 8) & ~(uint64_t)FL_STATUS, 8);
	return why;
}

/* All to their next HLT; everything must be the same then. */
static struct vcpu *run(struct pair *p)
{
	for (unsigned k = 0; k < NR; k++) {
		cr_assert_eq(run_one(p, k, UINT64_MAX), RUN_HALTED, "%s", kinds[k].engine->name);
		if (p->faults) /* in that of one in a function */
			poke(p->s[k], STACK0 - 40, 0, 8);
		if (k)
			compare(p, k);
	}
	return &p->s[1]->c.v;
}

/* The interpreter and what counts like it, by so many instructions at a time, up to an HLT. */
static void run_slices(struct pair *p, unsigned least, unsigned most)
{
	enum run_exit why;
	for (unsigned n = least, k = 0; k < 100000; k++) {
		n = n == most ? least : n + 1;
		why = run_one(p, 0, n);
		for (unsigned kind = 1; kind < NR; kind++) {
			if (!kinds[kind].count)
				continue;
			cr_expect_eq(run_one(p, kind, n), why);
			compare(p, kind);
		}
		if (p->s[0]->c.v.activity == ACT_HALTED)
			return;
	}
	cr_assert_fail("no HLT");
}

/* An immediate is written right before it is executed, in the same block. */
GUEST(own_block, "mov $40, %ecx\n"
		 "1: mov %cl, 2f + 1(%rip)\n"
		 "2: mov $0, %eax\n"
		 "add %rax, %rbx\n"
		 "dec %ecx\n"
		 "jnz 1b\n"
		 "hlt");
Test(code_changes, in_its_own_block)
{
	struct pair p;
	PAIR(&p, own_block);
	cr_expect_eq(run(&p)->gpr[RBX], 820);
	pair_free(&p);
}

/* The same through another linear address of the page, and by a string instruction. */
GUEST(by_alias, "mov $40, %ecx\n"
		"lea by_alias(%rip), %rsi\n"
		"lea 2f + 1(%rip), %rdi\n"
		"sub %rsi, %rdi\n"
		"add $0x200000, %rdi\n"
		"1: mov %cl, (%rdi)\n"
		"2: mov $0, %eax\n"
		"add %rax, %rbx\n"
		"dec %ecx\n"
		"jnz 1b\n"
		"hlt");
Test(code_changes, through_an_alias)
{
	struct pair p;
	PAIR(&p, by_alias);
	cr_expect_eq(run(&p)->gpr[RBX], 820);
	pair_free(&p);
}

GUEST(by_string, "mov $40, %r8d\n"
		 "1: lea 2f + 1(%rip), %rdi\n"
		 "mov %r8b, %al\n"
		 "mov $1, %ecx\n"
		 "rep stosb\n"
		 "2: mov $0, %eax\n"
		 "add %rax, %rbx\n"
		 "lea 3f + 1(%rip), %rdi\n"
		 "lock addb $1, (%rdi)\n"
		 "3: mov $0, %eax\n"
		 "add %rax, %rbx\n"
		 "dec %r8d\n"
		 "jnz 1b\n"
		 "hlt");
Test(code_changes, by_string_and_locked_instructions)
{
	struct pair p;
	PAIR(&p, by_string);
	cr_expect_eq(run(&p)->gpr[RBX], 1640);
	pair_free(&p);
}

/* One instruction copies a page and more over the code behind itself; another begins before it and
 * crosses it. Both have iterations left when they meet code. */
GUEST(by_long_string, "mov $20, %r8d\n"
		      "1: lea by_long_string(%rip), %rsi\n"
		      "and $-4096, %rsi\n"
		      "mov $0x9f00, %edi\n" /* a copy of this page and the next */
		      "mov $0x1000, %ecx\n"
		      "rep movsb\n"
		      "mov %r8b, 2f + 1(%rip)\n"
		      "lea -0x1000(%rsi), %rdi\n" /* and back, over what runs now */
		      "mov $0x9f00, %esi\n"
		      "mov $0x200, %ecx\n"
		      "rep movsq\n"
		      "2: mov $0, %eax\n"
		      "add %rax, %rbx\n"
		      "dec %r8d\n"
		      "jnz 1b\n"
		      "hlt");
Test(code_changes, by_long_string_instructions)
{
	struct pair p;
	PAIR(&p, by_long_string);
	cr_expect_eq(run(&p)->gpr[RBX], 0);
	pair_free(&p);
}

/* MOV EAX, n; RET is written to another page and called. */
GUEST(other_page, "mov $30, %r8d\n"
		  "mov $0x9000, %edi\n"
		  "1: movb $0xb8, (%rdi)\n"
		  "mov %r8d, 1(%rdi)\n"
		  "movb $0xc3, 5(%rdi)\n"
		  "call *%rdi\n"
		  "add %rax, %rbx\n"
		  "call *%rdi\n"
		  "add %rax, %rbx\n"
		  "dec %r8d\n"
		  "jnz 1b\n"
		  "hlt");
Test(code_changes, in_another_page)
{
	struct pair p;
	PAIR(&p, other_page);
	cr_expect_eq(run(&p)->gpr[RBX], 930);
	pair_free(&p);
}

/* The stack's page holds code and return addresses both. */
GUEST(on_stack, "mov $25, %r8d\n"
		"1: mov $0xc300000000b8, %rax\n"
		"mov %r8, %rcx\n"
		"shl $8, %rcx\n"
		"or %rcx, %rax\n"
		"push %rax\n"
		"call *%rsp\n"
		"pop %rcx\n"
		"add %rax, %rbx\n"
		"dec %r8d\n"
		"jnz 1b\n"
		"hlt");
Test(code_changes, on_the_stack)
{
	struct pair p;
	PAIR(&p, on_stack);
	cr_expect_eq(run(&p)->gpr[RBX], 325);
	pair_free(&p);
}

/* A device writes the page while the CPU is between two runs. */
GUEST(by_dma, "1: mov $5, %eax\n"
	      "add %rax, %rbx\n"
	      "hlt\n"
	      "jmp 1b");
Test(code_changes, by_dma)
{
	struct pair p;
	PAIR(&p, by_dma);
	cr_expect_eq(run(&p)->gpr[RBX], 5);
	cr_expect_eq(run(&p)->gpr[RBX], 10);
	for (unsigned k = 0; k < NR; k++) {
		poke(p.s[k], TEXT + 1, 7, 1);
		ram_written(&p.s[k]->ram, TEXT + 1, 1);
	}
	cr_expect_eq(run(&p)->gpr[RBX], 17);
	pair_free(&p);
}

/* A function's page is mapped elsewhere and back: by INVLPG, then by another address space. */
GUEST(remapped, "movl $0xc301b0, 0x9000\n" /* mov al, 1; ret */
		"movl $0xc302b0, 0xb000\n"
		"mov $20, %r8d\n"
		"1: xor %eax, %eax\n"
		"mov $0x9000, %esi\n"
		"call *%rsi\n"
		"add %rax, %rbx\n"
		"movq $0xb007, 0x11048\n"
		"invlpg 0x9000\n"
		"call *%rsi\n"
		"add %rax, %rbx\n"
		"movq $0x9007, 0x11048\n"
		"invlpg 0x9000\n"
		"call *%rsi\n"
		"shl $8, %rax\n"
		"add %rax, %rbx\n"
		"mov %cr3, %rdx\n"
		"mov $0x13000, %ecx\n"
		"mov %rcx, %cr3\n"
		"xor %eax, %eax\n"
		"call *%rsi\n"
		"shl $16, %rax\n"
		"add %rax, %rbx\n"
		"mov %rdx, %cr3\n"
		"dec %r8d\n"
		"jnz 1b\n"
		"hlt");
Test(mappings, of_code_change)
{
	struct pair p;
	PAIR(&p, remapped);
	cr_expect_eq(run(&p)->gpr[RBX], 20 * 3 + (20 << 8) + (40 << 16));
	pair_free(&p);
}

/* MOV EAX, n; RET continues in a second page, which is written, mapped elsewhere and back. */
GUEST(second_page, "mov $40, %r8d\n"
		   "movb $0xb8, 0x9ffd\n"
		   "movw $0, 0x9ffe\n"
		   "movl $0xc30000, 0xa000\n"
		   "movl $0xc30100, 0xc000\n"
		   "mov $0x9ffd, %edi\n"
		   "1: call *%rdi\n"
		   "add %rax, %rbx\n"
		   "mov %r8b, 0xa000\n"
		   "call *%rdi\n"
		   "add %rax, %rbx\n"
		   "movq $0xc007, 0x11050\n"
		   "invlpg 0xa000\n"
		   "call *%rdi\n"
		   "add %rax, %rbx\n"
		   "call *%rdi\n"
		   "add %rax, %rbx\n"
		   "movq $0xa007, 0x11050\n"
		   "invlpg 0xa000\n"
		   "call *%rdi\n"
		   "add %rax, %rbx\n"
		   "dec %r8d\n"
		   "jnz 1b\n"
		   "hlt");
Test(mappings, of_an_instructions_second_page)
{
	struct pair p;
	PAIR(&p, second_page);
	/* what the first call of each round finds is of the round before */
	cr_expect_eq(run(&p)->gpr[RBX], (uint64_t)(820 * 3 - 1 + (40 * 2 << 8)) << 16);
	pair_free(&p);
}

/* A page turns read-only, then away, then not executable: each access faults once, is counted and
 * repeated by the handler. */
GUEST(rights, "mov $20, %r8d\n"
	      "movb $0xc3, 0xc000\n"
	      "1: movq $0xc005, 0x11060\n"
	      "invlpg 0xc000\n"
	      "add %r8, 0xc010\n"
	      "movq $0, 0x11060\n"
	      "invlpg 0xc000\n"
	      "cmp %r8, 0xc010\n"
	      "adc $0, %r9\n"
	      "btsq $63, 0x11060\n"
	      "invlpg 0xc000\n"
	      "mov $0xc000, %eax\n"
	      "call *%rax\n"
	      "dec %r8d\n"
	      "jnz 1b\n"
	      "hlt\n"
	      "rights_pf: incq 0xd000\n"
	      "push %rax\n"
	      "mov 8(%rsp), %eax\n" /* the error code */
	      "imul %rax, %rax\n"
	      "add %rax, 0xd008\n"
	      "pop %rax\n"
	      "movq $0xc007, 0x11060\n"
	      "invlpg 0xc000\n"
	      "add $8, %rsp\n"
	      "iretq");
extern const char rights_pf[];
Test(mappings, lose_rights)
{
	struct pair p;
	pair_new(&p, rights, rights_end, rights_pf, 0);
	run(&p);
	cr_expect_eq(peek(p.s[1], 0xd000, 8), 60);
	cr_expect_eq(peek(p.s[1], 0xd008, 8), 20 * (3 * 3 + 0 + 0x11 * 0x11));
	pair_free(&p);
}

/* Three pages that share a slot of the TLB, each in turn: their translations change, lose rights, and go, in two
 * address spaces. */
GUEST(conflicts, "mov $24, %r8d\n"
		 "xor %r10d, %r10d\n"
		 "1: mov $50, %r9d\n"
		 "2: add %r9, 0xc000(%r10)\n"
		 "mov 0x80c008(%r10), %rax\n"
		 "add %rax, 0xc010(%r10)\n"
		 "mov 0x100c008(%r10), %rbx\n"
		 "xor %rbx, 0x80c010(%r10)\n"
		 "inc %rbx\n"
		 "mov %rbx, 0x100c018(%r10)\n"
		 "dec %r9d\n"
		 "jnz 2b\n"
		 "mov %cr3, %rax\n"
		 "xor $0x17000, %eax\n" /* 0x4000, PML4_2 */
		 "test $4, %r8b\n"
		 "jz 3f\n"
		 "mov %rax, %cr3\n"
		 "3: mov %r8d, %ecx\n"
		 "and $1, %ecx\n"
		 "btrq %rcx, 0x17060\n"
		 "test $2, %r8b\n"
		 "jz 4f\n"
		 "xorq $0x1000, 0x18060\n"
		 "invlpg 0x100c000\n"
		 "4: invlpg 0x80c000\n"
		 "dec %r8d\n"
		 "jnz 1b\n"
		 "hlt\n"
		 "conflicts_pf: incq 0xa000(%r10)\n"
		 "orq $3, 0x17060\n"
		 "add $8, %rsp\n"
		 "iretq");
extern const char conflicts_pf[];
Test(mappings, share_a_slot)
{
	struct pair p;
	pair_new(&p, conflicts, conflicts_end, conflicts_pf, 0);
	for (unsigned k = 0; k < NR; k++) {
		for (uint64_t pd = 0x10000; pd <= 0x15000; pd += 0x5000) {
			poke(p.s[k], pd + 0x20, 0x17000 | BITS, 8); /* 8 MiB */
			poke(p.s[k], pd + 0x40, 0x18000 | BITS, 8); /* 16 MiB */
		}
		poke(p.s[k], 0x17060, 0xd000 | BITS, 8);
		poke(p.s[k], 0x18060, 0xe000 | BITS, 8);
		poke(p.s[k], PT_2 + 0x60, 0xf000 | BITS, 8);
		for (uint64_t at = 0xc000; at < 0x10000; at += 8)
			poke(p.s[k], at, at * 0x9e3779b97f4a7c15, 8);
	}
	run(&p);
	cr_expect_eq(peek(p.s[1], 0xa000, 8), 23);
	pair_free(&p);
}

/* Data at a distance from code that runs at two addresses, of which one is not in the TLB's slot that the
 * translation expects, and has the address that an empty slot seems to have. Pages change, lose rights, and go. */
GUEST(relative, "mov $20, %r8d\n"
		"1: call 2f\n"
		"mov $(2f - relative + 0x408000), %edi\n"
		"call *%rdi\n"
		"xorq $0x3000, 0x11048\n"
		"invlpg 0x9000\n"
		"call *%rdi\n"
		"xorq $0x3000, 0x17048\n"
		"invlpg 0x409000\n"
		"mov %r8d, %ecx\n"
		"and $1, %ecx\n"
		"btrq %rcx, 0x11048\n" /* P or W */
		"btrq %rcx, 0x17048\n"
		"invlpg 0x9000\n"
		"invlpg 0x409000\n"
		"dec %r8d\n"
		"jnz 1b\n"
		"hlt\n"
		"2: add 2b + 0x1000(%rip), %rax\n"
		"add %rax, 2b + 0x1f40(%rip)\n"
		"lea 2b + 0x1008(%rip), %rsi\n"
		"addq $3, 16(%rsi)\n"
		"mulq 2b + 0x1010(%rip)\n"
		"cmp 0xa040, %rax\n"
		"adc %rsi, 0xa048\n"
		"mov 2b + 0x1fff - (2b - relative)(%rip), %dx\n" /* crosses */
		"ret\n"
		"relative_pf: incq 0xc000\n"
		"orq $3, 0x11048\n"
		"orq $3, 0x17048\n"
		"add $8, %rsp\n"
		"iretq");
extern const char relative_pf[];
Test(mappings, of_data_next_to_code)
{
	struct pair p;
	pair_new(&p, relative, relative_end, relative_pf, 0);
	for (unsigned k = 0; k < NR; k++) {
		poke(p.s[k], 0x10010, 0x17000 | BITS, 8);
		poke(p.s[k], 0x17040, TEXT | BITS, 8);
		poke(p.s[k], 0x17048, 0xd000 | BITS, 8);
		poke(p.s[k], 0x17050, 0xf000 | BITS, 8);
		for (uint64_t at = 0x9000; at < 0x10000; at += 8)
			poke(p.s[k], at, at * 0x9e3779b97f4a7c15, 8);
	}
	run(&p);
	/* in each round but the last, which does not get to it */
	cr_expect_eq(peek(p.s[1], 0xc000, 8), 0xc000 * 0x9e3779b97f4a7c15 + 19);
	pair_free(&p);
}

/* Code that runs at two addresses leaves its page by jumps, a call and a return: the page behind it is not the
 * same at both. */
GUEST(neighbours, "movl $0x01c38348, 0x9000\n" /* add rbx, 1; ret */
		  "movb $0xc3, 0x9004\n"
		  "movl $0x64c38348, 0xd000\n" /* add rbx, 100; ret */
		  "movb $0xc3, 0xd004\n"
		  "mov $20, %r8d\n"
		  "1: call 2f\n"
		  "mov $(2f - neighbours + 0x408000), %edi\n"
		  "call *%rdi\n"
		  "dec %r8d\n"
		  "jnz 1b\n"
		  "hlt\n"
		  "2: call neighbours + 0x1000\n"
		  "jmp neighbours + 0x1000\n");
Test(mappings, of_the_page_behind_code)
{
	struct pair p;
	PAIR(&p, neighbours);
	for (unsigned k = 0; k < NR; k++) {
		poke(p.s[k], 0x10010, 0x17000 | BITS, 8);
		poke(p.s[k], 0x17040, TEXT | BITS, 8);
		poke(p.s[k], 0x17048, 0xd000 | BITS, 8);
	}
	cr_expect_eq(run(&p)->gpr[RBX], 20 * 2 * 101);
	pair_free(&p);
}

/* A conditional jump continues in a page that is not there when it is fetched: flags that the jump needs
 * must survive the fault. */
GUEST(split, "mov $20, %esi\n"
	     "1: lea 3f(%rip), %rdi\n"
	     "mov %rdi, %rax\n"
	     "shr $12, %rax\n"
	     "test $4, %sil\n" /* not at first: the way there is to be linked */
	     "jnz 4f\n"
	     "movq $0, 0x11000(, %rax, 8)\n"
	     "invlpg (%rdi)\n"
	     "4: test $1, %sil\n"
	     "jmp 2f\n"
	     "split_pf: incq 0xd000\n"
	     "mov %cr2, %rax\n"
	     "and $~0xfff, %eax\n"
	     "mov %eax, %edx\n"
	     "shr $12, %eax\n"
	     "or $7, %edx\n"
	     "mov %rdx, 0x11000(, %rax, 8)\n"
	     "add $8, %rsp\n"
	     "iretq\n"
	     ".org split + 0xffe\n"
	     "2: .byte 0x0f, 0x84\n" /* jz 3f */
	     ".long 3f - . - 4\n"
	     "inc %ebx\n"
	     "3: dec %esi\n"
	     "jnz 1b\n"
	     "hlt");
extern const char split_pf[];
Test(mappings, of_the_rest_of_an_instruction)
{
	struct pair p;
	pair_new(&p, split, split_end, split_pf, 0);
	cr_expect_eq(run(&p)->gpr[RBX], 10);
	cr_expect_eq(peek(p.s[1], 0xd000, 8), 11);
	pair_free(&p);
}

/* The first page and the last bytes of the address space are not mapped; no empty slot of a TLB may
 * look as if they were. */
GUEST(edges, "movq $0, 0x11000\n"
	     "mov $20, %r8d\n"
	     "1: invlpg 0\n"
	     "mov $8, %ebp\n" /* what the handler skips */
	     "add 0x10, %rax\n"
	     "invlpg 0\n"
	     "mov %r8d, 0x20\n"
	     "mov $-1, %rsi\n"
	     "mov $2, %ebp\n"
	     "add (%rsi), %al\n"
	     "mov %al, (%rsi)\n"
	     "dec %r8d\n"
	     "jnz 1b\n"
	     "hlt\n"
	     "edges_pf: incq 0xd000\n"
	     "add %rbp, 8(%rsp)\n"
	     "add $8, %rsp\n"
	     "iretq");
extern const char edges_pf[];
Test(mappings, at_the_ends_of_the_address_space)
{
	struct pair p;
	pair_new(&p, edges, edges_end, edges_pf, 0);
	run(&p);
	cr_expect_eq(peek(p.s[1], 0xd000, 8), 80);
	pair_free(&p);
}

/* MOV EAX, n or JMP to one of several that continues in the next page; which changes, is another one for
 * a while, in this address space or a different one, and may not be executed. */
GUEST(crossing, "mov $20, %r8d\n"
		"1: lea 2f(%rip), %rsi\n"
		"call *%rsi\n"
		"xorb $1, 0xa000\n"
		"call *%rsi\n"
		"movq $0xb007, 0x11050\n"
		"invlpg 0xa000\n"
		"call *%rsi\n"
		"movq $0xa007, 0x11050\n"
		"invlpg 0xa000\n"
		"call *%rsi\n"
		"mov $0x13000, %eax\n"
		"mov %rax, %cr3\n"
		"call *%rsi\n"
		"mov $0x4000, %eax\n"
		"mov %rax, %cr3\n"
		"call *%rsi\n"
		"btsq $63, 0x11050\n"
		"invlpg 0xa000\n"
		"call *%rsi\n"
		"dec %r8d\n"
		"jnz 1b\n"
		"hlt\n"
		"2: mov $0x9ffd, %edi\n"
		"mov $3, %ebp\n"
		"3: xor %eax, %eax\n"
		"call *%rdi\n"
		"lea (%rax, %rbx, 2), %rbx\n"
		"rol $7, %rbx\n"
		"dec %ebp\n"
		"jnz 3b\n"
		"ret\n"
		"crossing_pf: incq 0xd000\n"
		"movq $0xa007, 0x11050\n"
		"invlpg 0xa000\n"
		"add $8, %rsp\n"
		"iretq");
extern const char crossing_pf[];
static void run_crossing(bool global, bool jump)
{
	const unsigned bits = BITS | (global ? 0x100 : 0);
	struct pair p;
	pair_new(&p, crossing, crossing_end, crossing_pf, 0);
	for (unsigned k = 0; k < NR; k++) {
		const uint32_t tables[] = {PT, PT_2};
		for (unsigned n = 0; n < 2; n++) {
			poke(p.s[k], tables[n] + 8 * (TEXT >> 12), TEXT | bits, 8);
			poke(p.s[k], tables[n] + 8 * 9, 0x9000 | bits, 8);
		}
		poke(p.s[k], PT_2 + 8 * 0xa, 0xb000 | BITS, 8);
		poke(p.s[k], 0x9ffd, jump ? 0xf0fee9 : 0x1b8, 3);
		poke(p.s[k], 0xa000, 0xc30002, 3);
		poke(p.s[k], 0xb000, 0xc30001, 3);
		for (unsigned n = 0; n < 4; n++) /* mov eax, n; ret */
			poke(p.s[k], 0x19100 + 0x10000 * n, 0xc300000000b8 | n << 8, 6);
		p.s[k]->c.v.cr4 |= CR4_PGE;
	}
	run(&p);
	cr_expect_eq(peek(p.s[1], 0xd000, 8), 20);
	pair_free(&p);
}

Test(mappings, of_what_crosses_pages)
{
	for (unsigned n = 0; n < 4; n++)
		run_crossing(n & 1, n & 2);
}

/* Accesses that share a translation, over the end of a page: next to one that is mapped, then to one that
 * is not, so that each of them in turn is the first that faults. */
GUEST(shared, "mov $64, %r8d\n"
	      "1: test $1, %r8b\n"
	      "jz 2f\n"
	      "movq $0xe006, 0x11070\n"
	      "invlpg 0xe000\n"
	      "2: lea 0xdfc0(%r8), %rbx\n"
	      "mov (%rbx), %rax\n"
	      "add %rax, 8(%rbx)\n"
	      "mov 16(%rbx), %r13\n"
	      "lea 4(%rbx), %rsi\n"
	      "xor %r13d, 20(%rsi)\n"
	      "adc %r8, 12(%rsi)\n"
	      "lea 0xe020(%r8), %rcx\n"
	      "and $-8, %rcx\n"
	      "sub $32, %rcx\n"
	      "mov %rcx, %rdi\n"
	      "mov %r8, (%rdi)\n"
	      "addq $0x1234567, 8(%rdi)\n"
	      "mov (%rdi), %rax\n"
	      "bswap %rax\n"
	      "mov %rax, -24(%rdi)\n"
	      "setz -3(%rdi)\n"
	      "push (%rdi)\n"
	      "push %rsi\n"
	      "pop %rdx\n"
	      "pop %r14\n"
	      "cmp %rdx, %rsi\n"
	      "pushf\n"
	      "mov %rdx, -40(%rdi)\n"
	      "pop %r15\n"
	      "movq $0xe006, 0x11070\n"
	      "invlpg 0xe000\n"
	      "mov -16(%rdi), %r9\n"
	      "xchg %r9, -8(%rdi)\n"
	      "dec %r8d\n"
	      "jnz 1b\n"
	      "hlt\n"
	      "shared_pf: incq 0x18000\n"
	      "push %rax\n"
	      "mov %cr2, %rax\n"
	      "rolq $7, 0x18008\n"
	      "xor %rax, 0x18008\n"
	      "mov 16(%rsp), %rax\n" /* RIP */
	      "add %rax, 0x18008\n"
	      "pop %rax\n"
	      "movq $0xe007, 0x11070\n"
	      "add $8, %rsp\n"
	      "iretq");
extern const char shared_pf[];
Test(mappings, are_looked_at_once_for_many)
{
	struct pair p;
	pair_new(&p, shared, shared_end, shared_pf, 0);
	run(&p);
	cr_expect_gt(peek(p.s[1], 0x18000, 8), 64);
	pair_free(&p);
	/* Where the accesses cannot share, the rest of a block needs more room. */
	pair_new(&p, shared, shared_end, shared_pf, 64 << 10);
	run(&p);
	pair_free(&p);
}

/* Functions at random, each of which calls within its page and goes on in the next ones, with room for a
 * few of them only: whatever leads into a translation must end with it. */
GUEST(linked, "mov $30000, %r8d\n"
	      "mov $12345, %r9d\n"
	      "1: imul $1103515245, %r9d, %r9d\n"
	      "add $12345, %r9d\n"
	      "mov %r9d, %esi\n"
	      "shr $12, %esi\n"
	      "and $0x7ffc0, %esi\n"
	      "add $0x20000, %esi\n"
	      "mov $5, %ecx\n"
	      "call *%rsi\n"
	      "dec %r8d\n"
	      "jnz 1b\n"
	      "hlt");
GUEST(linked_function, "1: call 2f\n"
		       "dec %ecx\n"
		       "jnz 1b + 64\n"
		       "ret\n"
		       "2: test $1, %al\n"
		       "jz 3f\n"
		       "add $7, %rbx\n"
		       "3: ror $3, %rax\n"
		       "add 4f(%rip), %rbx\n" /* also while its trace is interpreted again */
		       "add %rbx, %rax\n"
		       "ret\n"
		       "4: .quad 0x123456789");
static void run_linked(size_t cache, size_t part_size, enum engine_stat dropped)
{
	struct engine_stats stats;
	struct pair p;
	pair_new(&p, linked, linked_end, NULL, cache);
	for (unsigned k = 0; k < NR; k++) {
		if (part_size)
			p.e[k]->blocks.part_size = part_size;
		for (uint32_t at = 0x20000; at < 0xa0000 + 8 * 64; at += 64)
			memcpy(p.s[k]->ram.host + at, linked_function,
			       (size_t)(linked_function_end - linked_function));
	}
	run(&p);
	cr_assert_eq(engine_stats_init(&stats), 0);
	engine_jit.stats(p.e[1], &stats);
	cr_expect_gt(stats.n[dropped], 10);
	cr_expect_gt(stats.n[STAT_EVICTED], 1000);
	cr_expect_gt(stats.n[STAT_UNLINKED], 1000);
	cr_expect_geq(stats.n[STAT_TRANSLATED], stats.n[STAT_EVICTED]);
	engine_stats_fini(&stats);
	pair_free(&p);
}

Test(code_memory, is_evicted_in_parts, .timeout = 60)
{
	run_linked(256 << 10, 0, STAT_EVICTIONS);
	run_linked(1 << 20, 0, STAT_EVICTIONS);
}

Test(code_memory, outlives_its_blocks, .timeout = 60)
{
	run_linked(0, 64 << 10, STAT_BLOCK_FLUSHES);
	run_linked(256 << 10, 64 << 10, STAT_BLOCK_FLUSHES);
}

/* Many functions in little code memory, twice: they are translated, dropped and translated again. */
GUEST(many, "1: mov $0x20000, %esi\n"
	    "2: call *%rsi\n"
	    "add $16, %esi\n"
	    "cmp $0xa0000, %esi\n"
	    "jb 2b\n"
	    "dec %r8d\n"
	    "jnz 1b\n"
	    "hlt");
/* Loops with ways out that are seldom taken: to where flags are needed, backwards, to another page; and with
 * accesses and x87 instructions on both sides of them. */
GUEST(ways_out, "mov $300, %r8d\n"
		"mov $0xd000, %edi\n"
		"fninit\n"
		"fld1\n"
		"jmp 1f\n"
		"6: adc $3, %rbx\n" /* backwards */
		"jmp 7f\n"
		"1: imul $0x9e3779b1, %r8d, %eax\n"
		"add %eax, 8(%rdi)\n"
		"jc 2f\n"
		"3: fldl (%rdi)\n"
		"fadd %st(1), %st\n"
		"cmp $0xf0000000, %eax\n"
		"ja 4f\n"
		"5: fstpl 16(%rdi)\n"
		"add $8, %rdi\n"
		"sub $0x18000000, %eax\n"
		"jb 6b\n"
		"7: movdqu 8(%rdi), %xmm2\n"
		"paddd %xmm2, %xmm1\n"
		"test $31, %r8b\n"
		"jnz 8f\n"
		"mov $0xd000, %edi\n"
		"8: dec %r8d\n"
		"jnz 1b\n"
		"hlt\n"
		"2: adc $0, %rbx\n"
		"pushf\n"
		"pop %rcx\n"
		"add %rcx, %rbx\n"
		"jmp 3b\n"
		".org ways_out + 0x1010\n"
		"4: adc $5, %rbx\n"
		"fxsave 0xe000\n"
		"jmp 5b");
/* Where a trace goes through is written now and then, from within. */
GUEST(trace_written, "mov $400, %r8d\n"
		     "1: test $31, %r8b\n"
		     "jnz 2f\n"
		     "mov %r8d, 3f + 1(%rip)\n"
		     "2: cmp $7, %r8d\n"
		     "jb 4f\n"
		     "3: mov $0, %eax\n"
		     "add %rax, %rbx\n"
		     "4: dec %r8d\n"
		     "jnz 1b\n"
		     "hlt");
/* Loops that are unrolled, over the ends of pages of which one is not there or cannot be written. */
GUEST(over_pages, "mov $30, %r8d\n"
		  "1: mov $0xdf80, %edi\n"
		  "mov $1, %ecx\n"
		  "lea 0xdf88(%r8), %esi\n"
		  "movq $0xe006, 0x11070\n"
		  "invlpg 0xe000\n"
		  "btrq $1, 0x11068\n"
		  "invlpg 0xd000\n"
		  "2: mov (%rdi), %rax\n"
		  "add %rcx, %rax\n"
		  "mov %rax, (%rsi, %rcx, 8)\n"
		  "add $8, %rdi\n"
		  "inc %ecx\n"
		  "cmp $0xe080, %edi\n"
		  "jb 2b\n"
		  "3: addb %cl, -1(%rdi)\n"
		  "dec %rdi\n"
		  "cmp $0xdff8, %edi\n"
		  "ja 3b\n"
		  "dec %r8d\n"
		  "jnz 1b\n"
		  "hlt\n"
		  "over_pages_pf: push %rax\n"
		  "mov %cr2, %rax\n"
		  "rolq $7, 0x18000\n"
		  "xor %rax, 0x18000\n"
		  "mov 16(%rsp), %rax\n"
		  "xor %rax, 0x18000\n"
		  "pop %rax\n"
		  "movq $0xe007, 0x11070\n"
		  "btsq $1, 0x11068\n"
		  "add $8, %rsp\n"
		  "iretq");
extern const char over_pages_pf[];
static uint64_t traces_of(struct pair *p, unsigned k)
{
	struct engine_stats stats;
	cr_assert_eq(engine_stats_init(&stats), 0);
	engine_jit.stats(p->e[k], &stats);
	uint64_t n = stats.n[STAT_TRACES];
	engine_stats_fini(&stats);
	return n;
}

static void run_traces(const char *code, const char *end, const char *handler, size_t cache)
{
	struct pair p;
	pair_new(&p, code, end, handler, cache);
	run(&p);
	cr_expect_gt(traces_of(&p, 3), 0);
	pair_free(&p);
}

Test(traces, have_ways_out)
{
	run_traces(ways_out, ways_out_end, NULL, 0);
	run_traces(trace_written, trace_written_end, NULL, 0);
	run_traces(over_pages, over_pages_end, over_pages_pf, 0);
	run_traces(over_pages, over_pages_end, over_pages_pf, 64 << 10);
}

/* Part of a pointer is no pointer to the same place. */
GUEST(narrowed, "mov $20, %r8d\n"
		"mov $0x1d000, %esi\n"
		"movq $5, 0xd000\n"
		"1: mov %r8, (%rsi)\n"
		"movzwq %si, %rdi\n"
		"add (%rdi), %rbx\n"
		"add 8(%rsi), %rbx\n"
		"dec %r8d\n"
		"jnz 1b\n"
		"hlt");
/* The same bytes by way of registers in and out of the host's, pushed and popped, of every kind, aligned or not. */
GUEST(shapes, "mov $0xc800, %edi\n"
	      "mov $20, %r8d\n"
	      "xor %eax, %eax\n"
	      "1: mov %rdi, %r13\n"
	      "add %r8, (%rdi)\n"
	      "mov 8(%r13), %rdx\n"
	      "lea 16(%rdi), %rsi\n"
	      "movaps %xmm1, (%rsi)\n"
	      "movaps 16(%r13), %xmm2\n"
	      "paddd 16(%rdi), %xmm2\n"
	      "movups %xmm2, -1(%rsi)\n"
	      "add %rdx, 24(%r13)\n"
	      "adc 32(%r13, %rax), %r9\n"
	      "xchg %rdx, 40(%r13)\n"
	      "mov %rsp, %r14\n"
	      "push %rdx\n"
	      "push %rsp\n"
	      "add -8(%r14), %r9\n"
	      "xor %r9, -16(%r14)\n"
	      "mov %r14, %rbp\n"
	      "sub $16, %rbp\n"
	      "addq $3, 8(%rbp)\n"
	      "pop %rbx\n"
	      "push %r14\n"
	      "pop %rsp\n"
	      "sub $16, %rsp\n"
	      "mov %bh, 9(%rsp)\n"
	      "leave\n"
	      "mov %rbp, %r12\n"
	      "mov %r14, %rsp\n"
	      "shll %cl, 4(%r13)\n"
	      "movdqu (%rdi), %xmm1\n"
	      "add $8, %rdi\n"
	      "test $1, %r8b\n"
	      "jz 2f\n"
	      "add $8, %rdi\n"
	      "2: and $~15, %rdi\n"
	      "dec %r8d\n"
	      "jnz 1b\n"
	      "hlt");
Test(accesses, share_in_every_shape)
{
	struct pair p;
	PAIR(&p, shapes);
	for (unsigned k = 0; k < NR; k++) {
		p.s[k]->c.v.cr4 |= CR4_OSFXSR;
		core_update_mode(&p.s[k]->c);
		for (uint64_t at = 0xc000; at < 0xe000; at += 8)
			poke(p.s[k], at, at * 0x9e3779b97f4a7c15, 8);
	}
	run(&p);
	pair_free(&p);
}

Test(accesses, share_only_what_is_near)
{
	struct pair p;
	PAIR(&p, narrowed);
	cr_expect_eq(run(&p)->gpr[RBX], 100);
	pair_free(&p);
}

/* 32-bit code whose second store faults. */
GUEST(through_cs, "	.code32\n"
		  "	movl $1, 0x20000\n"
		  "	mov %cs:0x20000, %ecx\n"
		  "	movl $2, %cs:0x20000\n"
		  "	hlt\n"
		  "through_cs_handler:\n"
		  "	mov $77, %ebx\n"
		  "	hlt\n"
		  "	.code64");
extern const char through_cs_handler[];

Test(accesses, never_write_code_segments)
{
	struct pair p;
	PAIR(&p, through_cs);
	for (unsigned k = 0; k < NR; k++) {
		p.s[k]->c.v.efer = 0;
		enter_protected(p.s[k], 0);
		poke(p.s[k], IDT + EXC_GP * 8,
		     gate(CODE0, TEXT + (through_cs_handler - through_cs), 0x8e, 0), 8);
	}
	const struct vcpu *v = run(&p);
	cr_expect_eq(v->gpr[RBX], 77u);
	cr_expect_eq(v->gpr[RCX], 1u);
	cr_expect_eq(peek(p.s[0], 0x20000, 4), 1u);
	pair_free(&p);
}

Test(code_memory, is_reused)
{
	/* add rax, imm32; rol rax, 1; xor ecx, ecx; ret */
	static const uint8_t function[] = {0x48, 0x05, 0,    0,    0,    0,
					   0x48, 0xd1, 0xc0, 0x31, 0xc9, 0xc3};
	struct pair p;
	pair_new(&p, many, many_end, NULL, 256 << 10);
	for (unsigned k = 0; k < NR; k++) {
		for (uint32_t at = 0x20000; at < 0xa0000; at += 16) {
			memcpy(p.s[k]->ram.host + at, function, sizeof(function));
			poke(p.s[k], at + 2, at * 77 & 0x7fffffff, 4);
		}
		p.s[k]->c.v.gpr[R8] = 3;
	}
	run(&p);
	pair_free(&p);
}

/* What is in the upper halves of YMM registers stays there while a C operation comes between instructions
 * that leave them alone, wherever it is. */
GUEST(upper_halves, "paddd %xmm1, %xmm0\n"
		    "cpuid\n"
		    "paddd %xmm0, %xmm1\n"
		    "movq %xmm1, %rdi\n"
		    "paddd 0xa000(%rdi), %xmm2\n" /* a miss with a walk */
		    "vpaddd %ymm2, %ymm15, %ymm15\n"
		    "hlt");
Test(vectors, keep_their_upper_halves)
{
	for (unsigned at = 0; at <= 16 * 2; at++) {
		struct pair p;
		PAIR(&p, upper_halves);
		for (unsigned k = 0; k < NR; k++) {
			struct vcpu *v = &p.s[k]->c.v;
			v->cr4 |= CR4_OSFXSR | CR4_OSXSAVE;
			v->xcr0 = 7;
			core_update_mode(&p.s[k]->c);
			if (at < 16 * 2)
				v->v[at / 2].u64[2 + at % 2] = 0x8000000000000001;
			v->v[2].u64[0] = at;
		}
		run(&p);
		pair_free(&p);
	}
}

/* x87 and MMX instructions among others that are C operations: of those that look at the x87 state, that
 * change it, and that do not care. Operands come and go across the end of a page. */
GUEST(x87_mixed, "mov $20, %r8d\n"
		 "fninit\n"
		 "fldpi\n"
		 "fld1\n"
		 "1: fmul %st(1), %st\n"
		 "fld %st(0)\n"
		 "fstpt 0xcffb\n"
		 "xor %eax, %eax\n"
		 "cpuid\n"
		 "fldt 0xcffb\n"
		 "fnstenv 0xd100\n"
		 "fldenv 0xd100\n"
		 "lea 0xd200(%r8), %rsi\n"
		 "fbstp (%rsi)\n"
		 "fxsave 0xd300\n"
		 "fnstcw 0xd500\n"
		 "xorw $0x0f00, 0xd500\n"
		 "fldcw 0xd500\n"
		 "fld %st(0)\n"
		 "fsin\n"
		 "fcomi %st(1), %st\n"
		 "fcmovb %st(1), %st\n"
		 "invlpg 0xd000\n"
		 "fistpll 0xd508(, %r8, 8)\n"
		 "fldl 0xd508(, %r8, 8)\n"
		 "fnstsw %ax\n"
		 "add %eax, %ebx\n"
		 "ffreep %st(0)\n"
		 "fnsave 0xd600\n"
		 "movq %rbx, %mm3\n"
		 "pmaddwd 0xd508, %mm3\n"
		 "pmovmskb %mm3, %r14d\n"
		 "add %r14, %rbx\n"
		 "movq %mm3, 0xcffc\n"
		 "fnstenv 0xd680\n"
		 "frstor 0xd600\n"
		 "dec %r8d\n"
		 "jnz 1b\n"
		 "hlt");
Test(x87, is_where_it_is_looked_for)
{
	struct pair p;
	PAIR(&p, x87_mixed);
	run(&p);
	pair_free(&p);
}

/* Exceptions that are unmasked for a while, and CR0.TS. */
GUEST(x87_faults, "mov $20, %r8d\n"
		  "fninit\n"
		  "fld1\n"
		  "1: fldz\n"
		  "fld1\n"
		  "movw $0x37b, 0xd000\n"
		  "fldcw 0xd000\n"
		  "fdiv %st(1), %st\n"
		  "fld1\n" /* #MF */
		  "movw $0x37f, 0xd000\n"
		  "fldcw 0xd000\n"
		  "fdivp %st, %st(1)\n"
		  "faddp %st, %st(1)\n"
		  "faddl 0xd040\n"
		  "fstpl 0xd040\n"
		  "fldcw 0xd020\n" /* #PF */
		  "mov %cr0, %rax\n"
		  "or $8, %al\n"
		  "mov %rax, %cr0\n"
		  "fld1\n" /* #NM */
		  "fchs\n"
		  "faddp %st, %st(1)\n"
		  "dec %r8d\n"
		  "jnz 1b\n"
		  "hlt\n"
		  "x87_faults_mf: incq 0xe000\n"
		  "fnstenv 0xe100\n"
		  "fnclex\n"
		  "iretq\n"
		  "x87_faults_nm: incq 0xe008\n"
		  "clts\n"
		  "movq $0, 0x11068\n"
		  "invlpg 0xd000\n"
		  "iretq\n"
		  "x87_faults_pf: incq 0xe010\n"
		  "fnstenv 0xe200\n"
		  "fldcw 0xe200\n"
		  "movq $0xd007, 0x11068\n"
		  "add $8, %rsp\n"
		  "iretq");
extern const char x87_faults_mf[], x87_faults_nm[], x87_faults_pf[];
Test(x87, faults)
{
	struct pair p;
	pair_new(&p, x87_faults, x87_faults_end, x87_faults_pf, 0);
	for (unsigned k = 0; k < NR; k++) {
		poke(p.s[k], IDT + EXC_MF * 16,
		     gate(CODE64, TEXT + (x87_faults_mf - x87_faults), 0x8e, 0), 8);
		poke(p.s[k], IDT + EXC_NM * 16,
		     gate(CODE64, TEXT + (x87_faults_nm - x87_faults), 0x8e, 0), 8);
	}
	run(&p);
	cr_expect_eq(peek(p.s[1], 0xe000, 8), 20);
	cr_expect_eq(peek(p.s[1], 0xe008, 8), 20);
	cr_expect_eq(peek(p.s[1], 0xe010, 8), 19);
	pair_free(&p);
}

/* Each kind of loop, left by an event from another thread. */
GUEST(jump_loop, "1: jmp 1b");
GUEST(branch_loop, "xor %eax, %eax\n1: test %eax, %eax\njz 1b");
GUEST(indirect_loop, "lea 1f(%rip), %rax\n1: jmp *%rax");
GUEST(call_loop, "1: call 2f\njmp 1b\n2: ret");
GUEST(far_loop, "lea 1f + 4096(%rip), %rax\nlea 1f(%rip), %rbx\nmovl $0xe3ff, (%rax)\n"
		"1: jmp *%rax"); /* to a page with jmp *%rbx */

static void *stop_soon(void *arg)
{
	struct pair *p = arg;
	usleep(30000);
	atomic_fetch_or(&p->events[1], EV_STOP);
	engine_jit.kick(p->e[1]);
	return NULL;
}

static void must_stop(const char *code, const char *end)
{
	struct pair p;
	pthread_t t;
	pair_new(&p, code, end, NULL, 0);
	engine_jit.load(p.e[1], &p.s[1]->c.v);
	cr_assert_eq(pthread_create(&t, NULL, stop_soon, &p), 0);
	cr_expect_eq(engine_jit.run(p.e[1], UINT64_MAX), RUN_STOPPED);
	pthread_join(t, NULL);
	pair_free(&p);
}

Test(events, leave_every_loop, .timeout = 20)
{
	must_stop(jump_loop, jump_loop_end);
	must_stop(branch_loop, branch_loop_end);
	must_stop(indirect_loop, indirect_loop_end);
	must_stop(call_loop, call_loop_end);
	must_stop(far_loop, far_loop_end);
}

/* Counts are exact wherever a block ends: at its end, at a fault, after a store into itself. */
static void must_count(const char *code, const char *end, const char *handler)
{
	static const unsigned slices[][2] = {{1, 1}, {2, 9}, {50, 70}};
	for (unsigned n = 0; n < 3; n++) {
		struct pair p;
		pair_new(&p, code, end, handler, 0);
		run_slices(&p, slices[n][0], slices[n][1]);
		pair_free(&p);
	}
}

Test(counting, stops_after_any_instruction, .timeout = 60)
{
	must_count(own_block, own_block_end, NULL);
	must_count(by_string, by_string_end, NULL);
	must_count(other_page, other_page_end, NULL);
	must_count(on_stack, on_stack_end, NULL);
	must_count(remapped, remapped_end, NULL);
	must_count(rights, rights_end, rights_pf);
	must_count(edges, edges_end, edges_pf);
	must_count(shared, shared_end, shared_pf);
	must_count(x87_mixed, x87_mixed_end, NULL);
	must_count(ways_out, ways_out_end, NULL);
	must_count(trace_written, trace_written_end, NULL);
	must_count(over_pages, over_pages_end, over_pages_pf);
}
