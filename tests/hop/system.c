/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Templates for what the generator of single instructions leaves out: control and debug registers, MSRs, segments,
 * gates and system calls, interrupts and their shadows, single-step, devices, changes of page tables and of code.
 * Most may be drawn in any mode; where one is not allowed the fault is what is tested.
 */
#include "cpu/opcode.h"
#include "tests/hop/hop.h"

#define PUT(m, ...) put(m, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static bool wide(const struct maker *m)
{
	return m->mode == K64 || m->mode == U64;
}

static bool kernel(const struct maker *m)
{
	return m->mode == K64 || m->mode == K32;
}

static bool has(const struct maker *m, unsigned feature)
{
	return cpu_has(m->model, feature);
}

static uint32_t pick(struct maker *m, const uint32_t *from, unsigned n)
{
	return from[below(&m->r, n)];
}
#define PICK(m, ...)                                                                               \
	pick(m, (const uint32_t[]){__VA_ARGS__},                                                   \
	     sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void safe_stack(struct maker *m)
{
	load_reg(m, RSP, OWN_ADDR + OWN_STACK);
}

static void push_imm(struct maker *m, uint32_t val)
{
	PUT(m, 0x68);
	put4(m, val);
}

/* ---- flags and traps ---- */

static void popf(struct maker *m)
{
	uint32_t fl = rnd(&m->r) & (FL_STATUS | FL_IF | FL_DF | FL_ID);

	if (chance(&m->r, 25) && !m->limits.software)
		fl |= FL_TF;
	if (chance(&m->r, 10))
		fl |= FL_NT;
	if (chance(&m->r, 25) && !m->limits.native)
		fl |= FL_AC;
	safe_stack(m);
	push_imm(m, fl);
	PUT(m, 0x9d);
}

static void pushf_image(struct maker *m)
{
	safe_stack(m);
	PUT(m, 0x9c, 0x58 | below(&m->r, 4)); /* pushf; pop reg */
}

static void soft_interrupt(struct maker *m)
{
	switch (below(&m->r, 5)) {
	case 0:
		PUT(m, 0xcc);
		break;
	case 1:
		PUT(m, 0x0f, 0x0b);
		break;
	case 2:
		call_vector(m, VEC_CALL);
		break;
	case 3:
		/* There is no such gate; QEMU reports another. */
		PUT(m, 0xcd, m->limits.plain ? VEC_CALL : (uint8_t)rnd(&m->r) | 0x40);
		break;
	default:
		PUT(m, 0xce); /* into, #UD in 64-bit mode */
		break;
	}
}

/* ---- interrupts ---- */

/* One that waits for the interrupt flag, and meets the shadow of STI, or a halt. A software KVM delivers late,
 * but in a halt. */
static void interrupt(struct maker *m)
{
	if (!kernel(m)) {
		load_reg(m, RAX, rnd(&m->r));
		call_vector(m, VEC_RAISE);
		return;
	}
	PUT(m, 0xfa, 0xb0, VEC_IRQ | (rnd(&m->r) & 15), 0xe6, PORT_IRQ);
	if (chance(&m->r, 40)) {
		step_end(m);
		drawn_steps(m, 1 + below(&m->r, 3));
		step_begin(m);
	}
	PUT(m, 0xfb);
	if (chance(&m->r, 30) || m->limits.software)
		PUT(m, 0xf4);
	if (chance(&m->r, 30))
		PUT(m, 0xfa);
}

static void nmi(struct maker *m)
{
	PUT(m, 0xe6, PORT_NMI);
}

/* The shadow of MOV SS before something that it holds back. Whether there is one after STI's is not certain. */
static void stack_shadow(struct maker *m)
{
	bool irq = kernel(m) && !m->limits.native && chance(&m->r, 50);

	if (irq)
		PUT(m, 0xfa, 0xb0, VEC_IRQ | (rnd(&m->r) & 15), 0xe6, PORT_IRQ);
	load_reg(m, RAX, kernel(m) ? SEL_D_0 : SEL_D_3);
	if (irq)
		PUT(m, 0xfb);
	PUT(m, 0x8e, 0xd0);
	if (chance(&m->r, 30))
		PUT(m, 0x9c);
	else if (chance(&m->r, 30))
		soft_interrupt(m);
}

/* ---- registers of the system ---- */

/* One that the model has, or else that all models have. */
static uint32_t cr4_bit(struct maker *m)
{
	static const struct {
		uint32_t bit;
		uint16_t feature;
	} bits[] = {
	    {CR4_TSD, FEAT_TSC},        {CR4_DE, FEAT_DE},
	    {CR4_PCE, FEAT_FPU},        {CR4_PGE, FEAT_PGE},
	    {CR4_OSXMMEXCPT, FEAT_SSE}, {CR4_OSFXSR, FEAT_FXSR},
	    {CR4_UMIP, FEAT_UMIP},      {CR4_FSGSBASE, FEAT_FSGSBASE},
	    {CR4_SMEP, FEAT_SMEP},      {CR4_SMAP, FEAT_SMAP},
	    {CR4_OSXSAVE, FEAT_XSAVE},  {CR4_PAE, FEAT_PAE},
	};
	unsigned n = below(&m->r, sizeof(bits) / sizeof(bits[0]));

	return has(m, bits[n].feature) ? bits[n].bit : CR4_TSD;
}

static void control_register(struct maker *m)
{
	uint32_t cr0 = CR0_USUAL, cr4 = 0;

	switch (below(&m->r, 6)) {
	case 0: /* one bit of CR0 */
		/* In 64-bit mode paging cannot be left. */
		cr0 ^= PICK(m, CR0_TS, CR0_MP, CR0_EM, CR0_NE, CR0_AM, wide(m) ? CR0_PG : CR0_TS,
			    CR0_CD | CR0_NW);
		load_reg(m, RAX, cr0);
		PUT(m, 0x0f, 0x22, 0xc0);
		break;
	case 1: /* and one of CR4 */
		cr4 = cr4_bit(m);
		PUT(m, 0x0f, 0x20, 0xe0); /* mov %cr4, %eax */
		PUT(m, 0x35);             /* xor $cr4, %eax */
		put4(m, cr4);
		PUT(m, 0x0f, 0x22, 0xe0);
		break;
	case 2: /* CR3 to itself */
		PUT(m, 0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8);
		break;
	case 3:
		load_reg(m, RAX, rnd(&m->r));
		PUT(m, 0x0f, 0x22, 0xd0); /* CR2 */
		break;
	case 4:
		PUT(m, 0x0f, 0x20, 0xc3 | PICK(m, 0, 2, 3, 4) << 3); /* to EBX */
		break;
	default:
		if (chance(&m->r, 50)) {
			PUT(m, 0x0f, 0x06); /* clts */
		} else {
			load_reg(m, RBX, 0x31 | (rnd(&m->r) & 0xe));
			PUT(m, 0x0f, 0x01, 0xf3); /* lmsw %bx */
		}
		break;
	}
}

static void task_priority(struct maker *m)
{
	load_reg(m, RAX, below(&m->r, 8) ? below(&m->r, 2) : below(&m->r, 256));
	PUT(m, 0x44, 0x0f, 0x22, 0xc0, 0x44, 0x0f, 0x20, 0xc3); /* CR8; and to RBX */
}

/* A breakpoint of some kind in the arena, or on an instruction to come. */
static void debug_register(struct maker *m)
{
	unsigned n = below(&m->r, 4), kind = PICK(m, 0, 1, 3);
	uint32_t len = kind ? PICK(m, 0, 1, 3) : 0, at, dr7;

	at = kind ? RW_ADDR + below(&m->r, RW_SIZE) : CODE_ADDR + m->p->len + 16 + below(&m->r, 64);
	dr7 = chance(&m->r, 50) ? 0x400
				: 0x400 | 2u << 2 * n | kind << (16 + 4 * n) | len << (18 + 4 * n);
	load_reg(m, RAX, at);
	PUT(m, 0x0f, 0x23, 0xc0 | n << 3);
	load_reg(m, RAX, dr7);
	PUT(m, 0x0f, 0x23, 0xf8);
	PUT(m, 0x0f, 0x21, 0xc3 | PICK(m, 0, 1, 2, 3, 6, 7) << 3); /* to EBX */
}

enum { ANY, CANONICAL, KEEP };

static void msr(struct maker *m)
{
	static const struct {
		uint32_t msr;
		uint8_t kind;
		bool native; /* not there on every processor */
	} list[] = {
	    {0x174, KEEP, true},
	    {0x176, KEEP, true},
	    {0x277, KEEP, false},
	    {0x2ff, KEEP, false},
	    {0x1a0, KEEP, true},
	    {0xc0000080, KEEP, false},
	    {0xc0000081, KEEP, false},
	    {0xc0000082, KEEP, false},
	    {0xc0000083, CANONICAL, false},
	    {0xc0000084, KEEP, false},
	    {0xc0000100, CANONICAL, false},
	    {0xc0000101, CANONICAL, false},
	    {0xc0000102, CANONICAL, false},
	    {0xc0000103, ANY, false},
	    {0x200, KEEP, false},
	    {0x12345, KEEP, false}, /* #GP */
	};
	unsigned n = below(&m->r, sizeof(list) / sizeof(list[0]));
	uint64_t val = rnd(&m->r);

	if (list[n].native && m->limits.native)
		return;
	if (list[n].kind == CANONICAL && chance(&m->r, 90))
		val = (uint64_t)((int64_t)(val << 20) >> 20);
	if (list[n].kind == ANY)
		val = (uint32_t)val;
	load_reg(m, RCX, list[n].msr);
	if (list[n].kind == KEEP) { /* and one bit less, now and then */
		PUT(m, 0x0f, 0x32);
		if (list[n].msr == 0xc0000084)
			PUT(m, 0x35, 0x55, 0x08, 0, 0); /* status flags of SFMASK */
	} else {
		load_reg(m, RAX, (uint32_t)val);
		load_reg(m, RDX, val >> 32);
	}
	PUT(m, 0x0f, 0x30, 0x31, 0xc0, 0x0f, 0x32); /* wrmsr; xor %eax, %eax; rdmsr */
}

static void segment(struct maker *m)
{
	static const uint8_t sreg[] = {ES, DS, FS, GS};
	uint32_t sel =
	    PICK(m, 0, 3, SEL_D_0, SEL_D_3, SEL_D_3, SEL_C64_3, SEL_C32_0, SEL_TSS, 0x4c, 0xfff8);

	switch (below(&m->r, 5)) {
	case 0:
	case 1:
		load_reg(m, RAX, sel);
		PUT(m, 0x8e, 0xc0 | sreg[below(&m->r, 4)] << 3);
		break;
	case 2:
		safe_stack(m);
		push_imm(m, sel);
		PUT(m, 0x0f, PICK(m, 0xa1, 0xa9)); /* pop fs, gs */
		break;
	case 3:
		load_reg(m, RBX, sel);
		PUT(m, 0x0f, PICK(m, 2, 3), 0xc3); /* lar, lsl %ebx, %eax */
		break;
	default:
		load_reg(m, RBX, sel);
		PUT(m, 0x0f, 0x00, 0xe3 | below(&m->r, 2) << 3); /* verr, verw %bx */
		break;
	}
}

/* lgdt and lidt of what they are; sgdt, sidt, str, sldt, lldt, smsw. */
static void tables(struct maker *m)
{
	unsigned what = below(&m->r, 6);

	load_reg(m, RBX, OWN_ADDR + OWN_POINT + (what & 1) * 16);
	load_reg(m, RSI, RW_ADDR + below(&m->r, RW_SIZE - 16));
	switch (what) {
	case 0:
	case 1:
		/* The 32-bit forms load half of the base, and the other half is gone. */
		if (m->mode == K32)
			PUT(m, 0x0f, 0x01, 0x06 | what << 3);
		else
			PUT(m, 0x0f, 0x01, 0x13 | what << 3);
		break;
	case 2:
	case 3:
		PUT(m, 0x0f, 0x01, 0x06 | (what & 1) << 3); /* sgdt, sidt (%rsi) */
		break;
	case 4:
		PUT(m, 0x0f, 0x00, PICK(m, 0xc0, 0xc8)); /* sldt, str %eax */
		break;
	default:
		load_reg(m, RAX, PICK(m, 0, SEL_LDT));
		PUT(m, 0x0f, 0x00, 0xd0); /* lldt %ax */
		break;
	}
}

static void misc(struct maker *m)
{
	switch (below(&m->r, 6)) {
	case 0:
		load_reg(m, RBX, RW_ADDR + 0x1000 * below(&m->r, 2));
		PUT(m, 0x0f, 0x01, 0x3b); /* invlpg */
		break;
	case 1:
		PUT(m, 0x0f, 0x09); /* wbinvd */
		break;
	case 2:
		PUT(m, 0x0f, 0x01, 0xe0); /* smsw %eax */
		break;
	case 3:
		if (wide(m))
			PUT(m, 0x0f, 0x01, 0xf8); /* swapgs */
		break;
	case 4:
		if (has(m, FEAT_SMAP))
			PUT(m, 0x0f, 0x01, PICK(m, 0xca, 0xcb)); /* clac, stac */
		break;
	default:
		if (!has(m, FEAT_XSAVE))
			break;
		load_reg(m, RCX, 0);
		load_reg(m, RAX, PICK(m, 7, 3, 1, 6));
		load_reg(m, RDX, 0);
		PUT(m, 0x0f, 0x01, 0xd1, 0x0f, 0x01, 0xd0); /* xsetbv, xgetbv */
		break;
	}
}

static void cpuid(struct maker *m)
{
	load_reg(m, RAX,
		 PICK(m, 0, 1, 2, 4, 7, 0xb, 0xd, 0x15, 0x80000000, 0x80000001, 0x80000008));
	load_reg(m, RCX, below(&m->r, 3));
	PUT(m, 0x0f, 0xa2);
}

/* ---- calls between levels ---- */

static void system_call(struct maker *m)
{
	PUT(m, 0x0f, 0x05);
	call_vector(m, VEC_MODE + m->mode);
}

/* From 32-bit code, and to it. */
static void fast_call(struct maker *m)
{
	load_reg(m, RCX, OWN_ADDR + OWN_STACK);
	load_reg(m, RDX, 0);
	unsigned at = m->p->len - 4;
	PUT(m, 0x0f, 0x34);
	uint32_t to = CODE_ADDR + m->p->len;
	__builtin_memcpy(m->p->code + at, &to, 4);
	call_vector(m, VEC_MODE + m->mode);
}

/* IRET and far returns to where it goes on anyway, at the same level or an outer one. */
static void inter_return(struct maker *m)
{
	uint32_t cs = m->mode == K64 ? SEL_C64_0 : SEL_C64_3,
		 fl = 2 | (rnd(&m->r) & (FL_IF | FL_STATUS));
	uint32_t ss = m->mode == K64 ? SEL_D_0 : SEL_D_3;
	enum mode mode = m->mode;

	if (m->mode == K64 && chance(&m->r, 50)) {
		cs = SEL_C64_3;
		ss = SEL_D_3;
	}
	if (chance(&m->r, 20))
		fl |= FL_TF;
	if (chance(&m->r, 20))
		fl |= FL_RF;
	safe_stack(m);
	push_imm(m, ss);
	push_imm(m, OWN_ADDR + OWN_STACK);
	bool far = chance(&m->r, 30) && (cs & 3) == (mode == K64 ? 0 : 3);
	if (!far)
		push_imm(m, fl);
	push_imm(m, cs);
	PUT(m, 0x68);
	put4(m, 0);
	unsigned at = m->p->len - 4;
	PUT(m, 0x48, far ? 0xcb : 0xcf);
	uint32_t to = CODE_ADDR + m->p->len;
	__builtin_memcpy(m->p->code + at, &to, 4);
	call_vector(m, VEC_MODE + mode);
}

/* ---- devices ---- */

static void port(struct maker *m)
{
	bool str = chance(&m->r, 40), in = chance(&m->r, 50), word = chance(&m->r, 50);

	load_reg(m, RDX, PORT_DATA);
	if (!str) {
		PUT(m, (in ? 0xec : 0xee) | word);
		return;
	}
	load_reg(m, in ? RDI : RSI, RW_ADDR + 0x100 + below(&m->r, RW_SIZE - 0x200));
	load_reg(m, RCX, below(&m->r, 9));
	PUT(m, 0xf3, (in ? 0x6c : 0x6e) | word);
}

static void device_memory(struct maker *m)
{
	uint32_t at = MMIO_ADDR + 8 * below(&m->r, 64);

	load_reg(m, RBX, at);
	switch (below(&m->r, 6)) {
	case 0:
		PUT(m, 0x8b, 0x03);
		break;
	case 1:
		PUT(m, 0x89, 0x0b);
		break;
	case 2:
		PUT(m, 0x0f, PICK(m, 0xb6, 0xb7, 0xbe, 0xbf), 0x13);
		break;
	case 3:
		PUT(m, 0x00, 0x0b); /* add %cl, (%rbx) */
		break;
	case 4:
		PUT(m, PICK(m, 0x88, 0x8a), 0x2b);
		break;
	default:
		load_reg(m, RSI, chance(&m->r, 50) ? at : RW_ADDR + 64);
		load_reg(m, RDI, RW_ADDR + 128);
		load_reg(m, RCX, below(&m->r, 6));
		PUT(m, 0xfc, 0xf3, 0xa5); /* rep movsd */
		break;
	}
}

/* ---- code and page tables that change ---- */

/* mov $imm, %ebx, and the immediate written by others later. */
static void changeable(struct maker *m)
{
	PUT(m, 0xbb);
	put4(m, (uint32_t)rnd(&m->r));
	if (m->nr_changeable < 16)
		m->changeable[m->nr_changeable++] = m->p->len - 4;
}

static void change_code(struct maker *m)
{
	if (!m->nr_changeable) {
		changeable(m);
		return;
	}
	load_reg(m, RBX, ALIAS_ADDR + m->changeable[below(&m->r, m->nr_changeable)]);
	PUT(m, chance(&m->r, 50) ? 0x01 : 0x89, 0x03);
}

/* The page table entry of the first arena page: read-only or gone, until the next fault there. Or both pages
 * for each other. */
static void page_table(struct maker *m)
{
	unsigned n = below(&m->r, 2);

	if (m->mode != K64)
		return;
	load_reg(m, RBX, KBASE + P_PT_DATA + 8 * n);
	if (chance(&m->r, 50)) {
		PUT(m, 0x80, 0x23, PICK(m, 0xfd, 0xfe)); /* andb $~W or ~P */
	} else {
		PUT(m, 0x48, 0x81, 0x33); /* xorq $0x1000 */
		put4(m, 0x1000);
	}
	load_reg(m, RAX, RW_ADDR + 0x1000 * n);
	PUT(m, 0x0f, 0x01, 0x38); /* invlpg (%rax) */
}

/* ---- the list ---- */

enum { IN_64 = 1, IN_32 = 2, IN_K = 4, NATIVE_NOT = 8, SOFT_NOT = 16 };

static const struct {
	void (*make)(struct maker *m);
	unsigned weight, where;
} templates[] = {
    {popf, 6, 0},
    {pushf_image, 2, SOFT_NOT},
    {soft_interrupt, 5, 0},
    {interrupt, 10, 0},
    {nmi, 2, IN_K},
    {stack_shadow, 4, 0},
    {control_register, 8, 0},
    {task_priority, 2, IN_64 | IN_K},
    {debug_register, 6, SOFT_NOT},
    {msr, 8, IN_K},
    {segment, 6, 0},
    {tables, 5, 0},
    {misc, 6, 0},
    {cpuid, 2, SOFT_NOT},
    {system_call, 5, IN_64 | SOFT_NOT},
    {fast_call, 3, IN_32 | NATIVE_NOT},
    {inter_return, 6, IN_64 | SOFT_NOT},
    {port, 5, 0},
    {device_memory, 5, 0},
    {changeable, 4, 0},
    {change_code, 6, 0},
    {page_table, 4, IN_64 | IN_K | SOFT_NOT},
};
#define NR_TEMPLATES (sizeof(templates) / sizeof(templates[0]))

static bool fits(const struct maker *m, unsigned where)
{
	return !((where & IN_64 && !wide(m)) || (where & IN_32 && wide(m)) ||
		 (where & IN_K && !kernel(m)) || (where & NATIVE_NOT && m->limits.native) ||
		 (where & SOFT_NOT && m->limits.software));
}

void system_step(struct maker *m)
{
	unsigned total = 0, n;

	for (n = 0; n < NR_TEMPLATES; n++)
		total += templates[n].weight;
	unsigned at = below(&m->r, total);
	for (n = 0; at >= templates[n].weight; n++)
		at -= templates[n].weight;
	if (!fits(m, templates[n].where))
		return;
	step_begin(m);
	templates[n].make(m);
	step_end(m);
}
