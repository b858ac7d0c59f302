/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * System management mode: entry and RSM of every kind of state, what RSM refuses, and the board around it: memory that
 * others do not see, its locks, SMIs by the command port, and what firmware agrees upon. Instructions are in
 * tests/priv/smm.S.
 */
#include "synth.h"

#include "accel/cpus.h"
#include "accel/engine.h"
#include "cpu/smm.h"
#include "cpu/transfer.h"
#include "cpu/vcpu_check.h"
#include "hw/pc.h"

#include <endian.h>
#include <errno.h>

/* ---- the processor ---- */

#define RSM "\x0f\xaa"

enum { AREA = 0x3fe00, HALT64 = 0xc9, CR064 = 0x158, CR464 = 0x148, SMBASE64 = 0x100 };

static void stir(struct vcpu *v)
{
	for (unsigned n = 0; n < 16; n++)
		v->gpr[n] = 0x1111111111111111ull * n;
	v->seg[FS].base = 0x12345678;
	v->seg[GS].base = 0xffff800000000000;
	v->ldtr.limit = 0x17;
	v->tr.sel = TSS_SEL;
	v->rip = TEXT + 5;
	v->dr7 = 0x455;
	v->dr6 = 0xffff0ff1;
	rflags_set(v, FL_CF | FL_IF | FL_DF | FL_AC);
}

/* What is not saved is the handler's to keep. */
static void expect_same(const struct vcpu *v, const struct vcpu *w)
{
	cr_expect_eq(memcmp(v->gpr, w->gpr, 16 * 8), 0);
	cr_expect_eq(v->rip, w->rip);
	cr_expect_eq(rflags_get(v), rflags_get(w));
	for (unsigned n = 0; n < NR_SREGS; n++)
		cr_expect(v->seg[n].sel == w->seg[n].sel && v->seg[n].base == w->seg[n].base &&
			      v->seg[n].limit == w->seg[n].limit &&
			      v->seg[n].attr == w->seg[n].attr,
			  "segment %u", n);
	cr_expect(v->ldtr.limit == w->ldtr.limit && v->tr.sel == w->tr.sel);
	cr_expect(v->gdt.base == w->gdt.base && v->gdt.limit == w->gdt.limit);
	cr_expect(v->idt.base == w->idt.base && v->idt.limit == w->idt.limit);
	cr_expect(v->cr0 == w->cr0 && v->cr3 == w->cr3 && v->cr4 == w->cr4);
	cr_expect(v->efer == w->efer && v->dr6 == w->dr6 && v->dr7 == w->dr7);
	cr_expect(v->smbase == w->smbase && v->activity == w->activity);
	cr_expect(v->nmi_blocked == w->nmi_blocked && v->smm == w->smm);
	cr_expect_eq(memcmp(v->pdpte, w->pdpte, sizeof(v->pdpte)), 0);
}

static void there_and_back(struct synth *s)
{
	struct vcpu *v = &s->c.v, before;

	core_update_mode(&s->c);
	before = *v;
	cr_assert_null(vcpu_check(v, &s->model), "%s", vcpu_check(v, &s->model));
	smm_enter(&s->c);
	cr_expect(v->smm && v->nmi_blocked && !(v->cr0 & (CR0_PE | CR0_PG)) && !v->cr4);
	cr_expect(v->rip == 0x8000 && v->seg[CS].base == before.smbase && s->c.mode == 2);
	cr_expect_eq(v->seg[DS].limit, 0xffffffff);
	cr_expect_null(vcpu_check(v, &s->model), "%s", vcpu_check(v, &s->model));
	memset(v->gpr, 0x77, 16 * 8);
	v->cr3 = 0x5000;
	cr_assert_eq(EXEC(s, RSM), RAN);
	expect_same(v, &before);
}

Test(smm, from_every_mode)
{
	struct synth *s = synth_new("max");

	there_and_back(s); /* real mode, as after reset */
	enter_protected(s, 0);
	there_and_back(s);
	enter_protected(s, 3);
	stir(&s->c.v);
	s->c.v.seg[GS].base = 0x1000;
	there_and_back(s);
	enter_long(s, 0);
	stir(&s->c.v);
	there_and_back(s);
	enter_long(s, 3);
	stir(&s->c.v);
	s->c.v.nmi_blocked = true;
	there_and_back(s);
	seg_set_null(&s->c.v.seg[ES], 0, 0);
	s->c.v.smbase = 0x40000;
	there_and_back(s);
	synth_free(s);
}

/* The layout of the P6 family: EFER, which it has no place for, stays. */
Test(smm, without_long_mode)
{
	struct synth *s = synth_new("max,-lm");

	enter_protected(s, 3);
	stir(&s->c.v);
	for (unsigned n = 8; n < 16; n++)
		s->c.v.gpr[n] = 0x7777777777777777;
	for (unsigned n = 0; n < 8; n++)
		s->c.v.gpr[n] &= 0xffffffff;
	s->c.v.seg[GS].base = 0xc6900000;
	s->c.v.efer = EFER_NXE;
	there_and_back(s);
	cr_expect_eq(peek(s, AREA + 0xfc, 4), 0x20000);
	cr_expect_eq(peek(s, AREA + 0x1bc, 4), s->c.v.seg[GS].sel);
	synth_free(s);
}

Test(smm, halted)
{
	struct synth *s = synth_new("max");
	struct vcpu *v = &s->c.v;

	enter_long(s, 0);
	v->activity = ACT_HALTED;
	there_and_back(s);
	smm_enter(&s->c);
	cr_expect_eq(v->activity, ACT_RUNNING);
	cr_expect_eq(peek(s, AREA + HALT64, 1), 1);
	poke(s, AREA + HALT64, 0, 1);
	cr_assert_eq(EXEC(s, RSM), RAN);
	cr_expect_eq(v->activity, ACT_RUNNING);
	synth_free(s);
}

/* SDM vol. 3C 31.5: what no MOV to the registers would take */
Test(smm, what_cannot_be_is_a_shutdown)
{
	static const struct {
		unsigned at;
		uint64_t val;
	} bad[] = {{CR064, CR0_PG | CR0_ET},
		   {CR064, CR0_NW | CR0_PE | CR0_ET},
		   {CR464, 1ull << 40},
		   {0xd0, 0xffff},
		   {0x170, FL_VM | FL_1 | FL_IF}};

	for (size_t n = 0; n < sizeof(bad) / sizeof(bad[0]); n++) {
		struct synth *s = synth_new("max");

		enter_long(s, 0);
		smm_enter(&s->c);
		poke(s, AREA + bad[n].at, bad[n].val, 8);
		EXEC(s, RSM);
		cr_expect_eq(s->shutdowns, 1u, "case %zu", n);
		cr_expect_eq(s->c.v.activity, ACT_SHUTDOWN);
		synth_free(s);
	}
}

/* PDPTEs are read anew: here they have bits that are reserved. */
Test(smm, pdptes_of_rsm)
{
	struct synth *s = synth_new("max");
	struct vcpu *v = &s->c.v;

	enter_protected(s, 0);
	poke(s, 0x4000, 0x5001, 8);
	v->cr3 = 0x4000;
	v->cr4 = CR4_PAE;
	v->cr0 |= CR0_PG;
	v->pdpte[0] = 0x5001;
	there_and_back(s);
	smm_enter(&s->c);
	poke(s, 0x4000, 0x51e7, 8);
	EXEC(s, RSM);
	cr_expect_eq(s->shutdowns, 1u);
	synth_free(s);
}

/* ---- an address space over another ---- */

static unsigned dev_reads;

static uint64_t dev_read(void *dev, uint64_t off, unsigned size)
{
	(void)dev;
	(void)size;
	dev_reads++;
	return 0x40 + off;
}

Test(smm, view_over_memory)
{
	static const struct mmio_ops ops = {dev_read, NULL, 1, 1};
	struct aspace mem, view;
	struct ram ram;
	struct range r;

	cr_assert_eq(ram_init(&ram, "ram", 8 * PAGE_SIZE), 0);
	for (unsigned n = 0; n < 8 * PAGE_SIZE; n++)
		ram.host[n] = (uint8_t)(n >> PAGE_SHIFT);
	aspace_init(&mem, "mem", 52, NULL);
	aspace_init_over(&view, "view", &mem);
	cr_assert_eq(aspace_map_ram(&mem, "ram", 0, 3 * PAGE_SIZE, &ram, 0), 0);
	cr_assert_eq(aspace_map_dev(&mem, "dev", 3 * PAGE_SIZE, 2 * PAGE_SIZE, &ops, NULL), 0);
	cr_assert_eq(
	    aspace_map_ram(&view, "own", 2 * PAGE_SIZE, 2 * PAGE_SIZE, &ram, 5 * PAGE_SIZE), 0);
	/* its own, what is below, and both */
	cr_expect_eq(aspace_read(&view, 2 * PAGE_SIZE, 8), 0x0505050505050505);
	cr_expect_eq(aspace_read(&view, PAGE_SIZE, 8), 0x0101010101010101);
	cr_expect_eq(aspace_read(&view, 2 * PAGE_SIZE - 4, 8), 0x0505050501010101);
	cr_expect_eq(aspace_read(&mem, 2 * PAGE_SIZE - 4, 8), 0x0202020201010101);
	/* a device of which half is covered keeps its offsets */
	cr_expect_eq(aspace_read(&view, 3 * PAGE_SIZE, 1), 6);
	cr_expect_eq(dev_reads, 0u);
	cr_expect_eq(aspace_read(&view, 4 * PAGE_SIZE + 1, 1), 0x41);
	cr_expect_eq(aspace_read(&view, 4 * PAGE_SIZE - 1, 2), 0x4006);
	cr_expect_eq(dev_reads, 2u);
	/* lookups end where the view begins */
	cr_assert(aspace_find(&view, PAGE_SIZE, &r));
	cr_expect(r.base == 0 && r.size == 2 * PAGE_SIZE);
	aspace_write(&view, 2 * PAGE_SIZE - 2, 0xaabbccdd, 4);
	cr_expect(ram.host[2 * PAGE_SIZE - 1] == 0xcc && ram.host[5 * PAGE_SIZE] == 0xbb &&
		  ram.host[2 * PAGE_SIZE] == 2);
	uint8_t buf[4] = {1, 2, 3, 4};
	cr_expect_eq(aspace_dma_write(&view, 2 * PAGE_SIZE - 2, buf, 4), 0);
	cr_expect(ram.host[2 * PAGE_SIZE - 1] == 2 && ram.host[5 * PAGE_SIZE] == 3);
	/* the A20 gate is that of the space below */
	aspace_set_a20(&mem, false);
	cr_expect_eq(aspace_read(&view, 0x100000 + 2 * PAGE_SIZE, 1), 3);
	aspace_set_a20(&mem, true);
	cr_expect_eq(aspace_read(&view, 0x100000 + 2 * PAGE_SIZE, 1), 0xff);
	/* moving the end of RAM */
	cr_expect_eq(aspace_resize_ram(&mem, 0, PAGE_SIZE), 0);
	cr_expect_eq(aspace_read(&mem, PAGE_SIZE, 1), 0xff);
	cr_expect_eq(aspace_resize_ram(&mem, 0, 4 * PAGE_SIZE), -EEXIST);
	cr_expect_eq(aspace_resize_ram(&mem, 0, 9 * PAGE_SIZE), -EINVAL);
	cr_expect_eq(aspace_resize_ram(&mem, 0, 100), -EINVAL);
	cr_expect_eq(aspace_resize_ram(&mem, 0, 0), -EINVAL);
	cr_expect_eq(aspace_resize_ram(&mem, PAGE_SIZE, PAGE_SIZE), -ENOENT);
	cr_expect_eq(aspace_resize_ram(&mem, 3 * PAGE_SIZE, PAGE_SIZE), -ENOENT);
	cr_expect_eq(aspace_resize_ram(&mem, 0, 3 * PAGE_SIZE), 0);
	cr_expect_eq(aspace_read(&mem, 2 * PAGE_SIZE, 1), 2);
	ram_fini(&ram);
}

/* ---- the board ---- */

#define MIB (1u << 20)

static struct pc *make(const struct pc_board *board)
{
	struct pc_config cfg = {
	    .board = board, .ram_size = 64 * MIB, .cpus = 2, .engine = &engine_interp, .smm = true};
	struct pc *pc = NULL;
	char err[256];

	cr_assert_eq(cpu_model_parse(&cfg.model, "max", err, sizeof(err)), 0, "%s", err);
	cr_assert_eq(pc_new(&pc, &cfg, err, sizeof(err)), 0, "%s", err);
	pthread_mutex_lock(&pc->m.lock);
	pc->m.stopped = true;
	cr_assert_eq(machine_reset_locked(&pc->m), 0);
	pthread_mutex_unlock(&pc->m.lock);
	return pc;
}

static void reset(struct pc *pc)
{
	pthread_mutex_lock(&pc->m.lock);
	cr_assert_eq(machine_reset_locked(&pc->m), 0);
	pthread_mutex_unlock(&pc->m.lock);
}

static void config(struct pc *pc, unsigned devfn, unsigned reg, uint32_t val, unsigned size)
{
	aspace_write(&pc->m.io, 0xcf8, 0x80000000u | devfn << 8 | (reg & 0xfc), 4);
	aspace_write(&pc->m.io, 0xcfc + (reg & 3), val, size);
}

static uint32_t config_of(struct pc *pc, unsigned devfn, unsigned reg, unsigned size)
{
	aspace_write(&pc->m.io, 0xcf8, 0x80000000u | devfn << 8 | (reg & 0xfc), 4);
	return (uint32_t)aspace_read(&pc->m.io, 0xcfc + (reg & 3), size);
}

static bool hidden(struct pc *pc, uint64_t at)
{
	struct range r;

	return !aspace_find(&pc->m.mem, at, &r) && aspace_find(&pc->smram.view, at, &r) &&
	       r.kind == RANGE_RAM && r.ram == &pc->m.ram && r.ram_off + at - r.base == at;
}

enum { HOST_Q35 = 0, SMRAM = 0x9d, ESMRAMC = 0x9e, EXT_TSEG = 0x50, T_EN = 1 };

Test(smm, tseg)
{
	struct pc *pc = make(&board_q35);
	struct range r;

	aspace_write(&pc->m.mem, 63 * MIB, 0x1234, 2);
	config(pc, HOST_Q35, SMRAM, 0x0a, 1); /* G_SMRAME */
	for (unsigned sz = 0; sz < 4; sz++) {
		static const unsigned mib[] = {1, 2, 8, 16};
		uint64_t at = (64 - mib[sz]) * (uint64_t)MIB;

		config(pc, HOST_Q35, ESMRAMC, sz << 1 | T_EN, 1);
		cr_expect(hidden(pc, at) && hidden(pc, 64 * MIB - PAGE_SIZE), "size %u", sz);
		cr_expect(aspace_find(&pc->m.mem, at - 1, &r));
	}
	cr_expect_eq(aspace_read(&pc->m.mem, 63 * MIB, 2), 0xffff);
	cr_expect_eq(aspace_read(&pc->smram.view, 63 * MIB, 2), 0x1234);
	cr_expect_lt(aspace_dma_read(&pc->m.mem, 63 * MIB, &r, 2), 0);
	config(pc, HOST_Q35, EXT_TSEG, 0xffff, 2);
	cr_expect_eq(config_of(pc, HOST_Q35, EXT_TSEG, 2), 16u);
	/* not there without the mode's memory */
	config(pc, HOST_Q35, SMRAM, 0x02, 1);
	cr_expect_eq(aspace_read(&pc->m.mem, 63 * MIB, 2), 0x1234);
	/* locked until a reset */
	config(pc, HOST_Q35, ESMRAMC, T_EN, 1);
	config(pc, HOST_Q35, SMRAM, 0x1a, 1);
	config(pc, HOST_Q35, ESMRAMC, 0, 1);
	config(pc, HOST_Q35, SMRAM, 0x4a, 1);
	cr_expect(hidden(pc, 63 * MIB));
	cr_expect(!pc->m.bus.smram_open);
	cr_expect_eq(config_of(pc, HOST_Q35, SMRAM, 1), 0x1au);
	reset(pc);
	cr_expect_eq(aspace_read(&pc->m.mem, 63 * MIB, 2), 0x1234);
	cr_expect_eq(config_of(pc, HOST_Q35, SMRAM, 1), 0x02u);
	pc_free(pc);
}

Test(smm, compatible_and_high)
{
	struct pc *pc = make(&board_q35);
	struct range r;

	config(pc, HOST_Q35, SMRAM, 0x0a, 1);
	cr_assert(aspace_find(&pc->smram.view, 0xa0000, &r));
	cr_expect(r.kind == RANGE_RAM && r.ram_off == 0xa0000);
	cr_expect(!pc->m.bus.smram_open);
	config(pc, HOST_Q35, SMRAM, 0x4a, 1);
	cr_expect(pc->m.bus.smram_open);
	config(pc, HOST_Q35, ESMRAMC, 0x80, 1);
	cr_assert(aspace_find(&pc->smram.view, 0xfeda0000, &r));
	cr_expect(r.kind == RANGE_RAM && r.ram_off == 0xa0000);
	cr_expect(!aspace_find(&pc->smram.view, 0xa0000, &r) || r.kind != RANGE_RAM);
	reset(pc);
	cr_expect(!pc->m.bus.smram_open && !aspace_find(&pc->smram.view, 0xfeda0000, &r));
	pc_free(pc);
}

/* Which vCPUs have an SMI to take. */
static unsigned pending(struct pc *pc)
{
	unsigned mask = 0;

	for (unsigned n = 0; n < pc->cpus; n++) {
		struct vcpu v;
		const struct engine *en = cpus_on(pc->m.cpus, n);

		en->store(cpus_engine(pc->m.cpus, n), &v);
		mask |= (unsigned)v.smi_pending << n;
	}
	cpus_drop_events(pc->m.cpus);
	for (unsigned n = 0; n < pc->cpus; n++)
		cpus_state(pc->m.cpus, n)->smi_pending = false;
	return mask;
}

static void command(struct pc *pc)
{
	aspace_write(&pc->m.io, 0xb2, 0x55, 1);
}

enum { LPC = 31 << 3, PMBASE = 0x40, ACPI_CNTL = 0x44, GEN_PMCON = 0xa0, PM = 0x600 };

Test(smm, ich9_raises)
{
	struct pc *pc = make(&board_q35);

	config(pc, LPC, PMBASE, PM | 1, 4);
	config(pc, LPC, ACPI_CNTL, 0x80, 1);
	cr_expect_eq(aspace_read(&pc->m.io, PM + 0x30, 4) & 0x21, 0u);
	command(pc);
	cr_expect_eq(pending(pc), 0u);
	aspace_write(&pc->m.io, PM + 0x30, 0x20, 4); /* APMC_EN without GBL_SMI_EN */
	command(pc);
	cr_expect_eq(pending(pc), 0u);
	cr_expect_eq(aspace_read(&pc->m.io, PM + 0x34, 4), 0x20u);
	aspace_write(&pc->m.io, PM + 0x34, 0x20, 4);
	cr_expect_eq(aspace_read(&pc->m.io, PM + 0x34, 4), 0u);
	aspace_write(&pc->m.io, PM + 0x30, 0x21, 4);
	command(pc);
	cr_expect_eq(pending(pc), 1u, "no vCPU has written it: the first");
	/* locked on */
	config(pc, LPC, GEN_PMCON, 0x10, 1);
	config(pc, LPC, GEN_PMCON, 0x00, 1);
	aspace_write(&pc->m.io, PM + 0x30, 0x20, 4);
	command(pc);
	cr_expect_eq(pending(pc), 1u);
	reset(pc);
	config(pc, LPC, PMBASE, PM | 1, 4);
	config(pc, LPC, ACPI_CNTL, 0x80, 1);
	cr_expect_eq(aspace_read(&pc->m.io, PM + 0x30, 4) & 0x21, 0u);
	aspace_write(&pc->m.io, PM + 0x30, 1, 4);
	aspace_write(&pc->m.io, PM + 0x30, 0, 4);
	cr_expect_eq(aspace_read(&pc->m.io, PM + 0x30, 4) & 1, 0u);
	pc_free(pc);
}

Test(smm, piix_raises)
{
	struct pc *pc = make(&board_pc);

	command(pc);
	cr_expect_eq(pending(pc), 0u);
	config(pc, 1 << 3 | 3, 0x5b, 2, 1);
	command(pc);
	cr_expect_eq(pending(pc), 1u);
	pc_free(pc);
}

/* ---- what firmware agrees upon ---- */

static unsigned key_of(struct pc *pc, const char *name)
{
	for (unsigned n = 0; n < pc->fw_cfg.nr; n++)
		if (strcmp(pc->fw_cfg.item[n].name, name) == 0)
			return pc->fw_cfg.item[n].key;
	return 0;
}

/* By DMA: control 2 reads, 16 writes; false on an error. */
static bool transfer(struct pc *pc, const char *name, unsigned control, uint64_t *val, unsigned len)
{
	uint32_t d[4] = {htobe32(key_of(pc, name) << 16 | 8 | control), htobe32(len), 0,
			 htobe32(0x2000)};

	aspace_dma_write(&pc->m.mem, 0x2000, val, 8);
	aspace_dma_write(&pc->m.mem, 0x1000, d, sizeof(d));
	aspace_write(&pc->m.io, 0x518, htobe32(0x1000), 4);
	aspace_dma_read(&pc->m.mem, 0x2000, val, 8);
	aspace_dma_read(&pc->m.mem, 0x1000, d, 4);
	return d[0] == 0;
}

#define ASK "etc/smi/requested-features"
#define OK  "etc/smi/features-ok"

Test(smm, features)
{
	static const uint8_t rom[PAGE_SIZE] = {[PAGE_SIZE - 16] = 0xf4};
	const struct pc_firmware fw = {.image = {.name = "rom", .data = rom, .len = sizeof(rom)},
				       .menu_wait_ms = -1,
				       .fail_wait_ms = -1};
	struct pc *pc = make(&board_q35);
	uint64_t v = 0;
	char err[256];

	cr_assert_eq(pc_load_firmware(pc, &fw, err, sizeof(err)), 0, "%s", err);
	cr_expect(transfer(pc, "etc/smi/supported-features", 2, &v, 8) && v == 1);
	cr_expect_not(transfer(pc, "etc/smi/supported-features", 16, &v, 8), "not the guest's");
	cr_expect_not(transfer(pc, ASK, 16, &v, 9), "too long");
	v = 3;
	cr_expect(transfer(pc, ASK, 16, &v, 8));
	v = 9;
	cr_expect(transfer(pc, OK, 2, &v, 1) && (v & 0xff) == 0, "there is no second feature");
	cr_expect_eq(pc->ich9.smi_features, 0u);
	v = 1;
	cr_expect(transfer(pc, ASK, 16, &v, 8));
	v = 0;
	cr_expect(transfer(pc, OK, 2, &v, 1) && (v & 0xff) == 1);
	/* that stays until a reset */
	v = 0;
	cr_expect(transfer(pc, ASK, 16, &v, 8));
	v = 0;
	cr_expect(transfer(pc, OK, 2, &v, 1) && (v & 0xff) == 1);
	cr_expect(transfer(pc, ASK, 2, &v, 8) && v == 1);
	config(pc, LPC, PMBASE, PM | 1, 4);
	config(pc, LPC, ACPI_CNTL, 0x80, 1);
	aspace_write(&pc->m.io, PM + 0x30, 0x21, 4);
	command(pc);
	cr_expect_eq(pending(pc), 3u, "an SMI is for all of them");
	reset(pc);
	cr_expect(transfer(pc, ASK, 2, &v, 8) && v == 0);
	cr_expect_eq(pc->ich9.smi_features, 0u);
	pc_free(pc);
}
