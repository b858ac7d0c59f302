/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Direct boot: what firmware and a boot loader would have left behind, made at every reset.
 */
#include <string.h>

#include "accel/cpus.h"
#include "cpu/vcpu.h"
#include "hw/pc_impl.h"

static void zero(struct aspace *mem, uint64_t addr, uint64_t len)
{
	static const uint8_t zeros[65536];

	while (len) {
		size_t n = len < sizeof(zeros) ? (size_t)len : sizeof(zeros);

		aspace_dma_write(mem, addr, zeros, n);
		addr += n;
		len -= n;
	}
}

/* The words of the BIOS data area that operating systems look at. */
static void write_bda(struct pc *pc)
{
	static const uint16_t com[PC_UARTS] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
	uint8_t bda[0x100] = {0};

	for (int i = 0; i < PC_UARTS; i++)
		if (pc->uart[i].dev.name)
			put_le16(bda + 2 * i, com[i]);
	put_le16(bda + 0x0e, 0x9fc0); /* segment of the EBDA */
	put_le16(bda + 0x13, 639);    /* KiB below it */
	aspace_dma_write(&pc->m.mem, 0x400, bda, sizeof(bda));
}

static void set_segment(struct segment *s, uint16_t sel, uint32_t attr)
{
	*s = (struct segment){.sel = sel, .attr = attr, .limit = 0xffffffff};
}

static void set_boot_state(const struct boot_plan *plan, struct vcpu *v)
{
	const uint32_t data = 0x3 | SEG_S | SEG_P | SEG_DB | SEG_G;
	const uint32_t code = 0xb | SEG_S | SEG_P | SEG_G;
	bool long64 = plan->entry == BOOT_LONG64;

	set_segment(&v->seg[CS], plan->code_sel, code | (long64 ? SEG_L : SEG_DB));
	set_segment(&v->seg[SS], plan->data_sel, data);
	set_segment(&v->seg[DS], plan->data_sel, data);
	set_segment(&v->seg[ES], plan->data_sel, data);
	set_segment(&v->seg[FS], plan->data_sel, data);
	set_segment(&v->seg[GS], plan->data_sel, data);
	v->tr = (struct segment){
	    .sel = plan->tss_sel,
	    .attr = 0xb | SEG_P,
	    .limit = 0x67,
	    .base = plan->gdt + plan->gdt_limit + 1,
	};
	v->gdt = (struct dtable){plan->gdt, plan->gdt_limit};
	v->cr0 = CR0_PE | CR0_ET;
	v->cr4 = 0;
	v->efer = 0;
	if (long64) {
		v->cr3 = plan->cr3;
		v->cr4 = CR4_PAE;
		v->efer = EFER_LME | EFER_LMA;
		v->cr0 |= CR0_PG;
	}
	for (int i = 0; i < REG_ZERO; i++)
		v->gpr[i] = 0;
	v->gpr[RAX] = plan->rax;
	v->gpr[RBX] = plan->rbx;
	v->gpr[RSI] = plan->rsi;
	v->gpr[RSP] = plan->rsp;
	v->rip = plan->rip;
	rflags_set(v, FL_1);
}

/* Write-back memory, with the VGA hole and the PCI window uncached; the same on all CPUs. */
static void set_mtrrs(struct vcpu *v, uint64_t low_max, unsigned maxphyaddr)
{
	const uint64_t wb = 0x0606060606060606;

	for (int i = 0; i < 11; i++)
		v->mtrr_fixed[i] = i == 2 ? 0 : wb;
	v->mtrr_base[0] = low_max;
	v->mtrr_mask[0] = (((1ull << maxphyaddr) - 1) & ~(FOUR_G - low_max - 1)) | 0x800;
	v->mtrr_def_type = 0xc06;
}

static void set_up_chips(struct pc *pc)
{
	/* PIRQA-D as PC firmware routes them, and level-triggered, like the SCI. */
	static const uint8_t irq[4] = {10, 10, 11, 11};

	pc->board->start(pc, irq);
	pci_bus_assign(&pc->pci, PC_PCI_BASE, PC_PCI_END, 0xc000, 0x10000, irq);
	pc->pic.chip[1].elcr |= 1u << (9 - 8) | 1u << (10 - 8) | 1u << (11 - 8);

	/* Virtual wire: the PIC reaches the boot processor through LINT0, NMI through LINT1. */
	lapic_write(&pc->lapic[0], 0x0f0, 0x1ff, 4);
	lapic_write(&pc->lapic[0], 0x350, 0x00700, 4);
	lapic_write(&pc->lapic[0], 0x360, 0x00400, 4);
	aspace_set_a20(&pc->m.mem, true);
	for (unsigned i = 0; i < pc->cpus; i++)
		set_mtrrs(cpus_state(pc->m.cpus, i), pc->board->low_max, pc->model.maxphyaddr);
}

/* What drives the BIOS finds, which only now are all there. */
static void fill_floppy_cmos(struct pc *pc)
{
	uint8_t a = fdc_cmos_type(&pc->fdc, 0), b = fdc_cmos_type(&pc->fdc, 1);
	uint8_t equipment = 0x06; /* coprocessor, PS/2 pointing device */

	if (a || b)
		equipment |= (uint8_t)(0x01 | (a && b ? 0x40 : 0));
	mc146818_set_cmos(&pc->rtc, 0x10, (uint8_t)(a << 4 | b));
	mc146818_set_cmos(&pc->rtc, 0x14, equipment);
}

int pc_reset(void *opaque)
{
	struct pc *pc = opaque;
	const struct boot_plan *plan = &pc->plan;
	struct aspace *mem = &pc->m.mem;

	fill_floppy_cmos(pc);
	if (pc->has_firmware) {
		pc_start_firmware(pc);
		return 0;
	}

	set_up_chips(pc);
	zero(mem, PC_ACPI_BASE, 0x100000 - PC_ACPI_BASE);
	aspace_dma_write(mem, PC_ACPI_BASE, pc->acpi.rsdp, ACPI_RSDP_LEN);
	aspace_dma_write(mem, PC_ACPI_BASE + ACPI_TABLES_ALIGN, pc->acpi.data, pc->acpi.len);
	aspace_dma_write(mem, PC_SMBIOS_BASE, pc->smbios, pc->smbios_len);
	write_bda(pc);
	for (unsigned i = 0; i < plan->nr; i++) {
		const struct boot_segment *s = &plan->seg[i];

		aspace_dma_write(mem, s->addr, s->data, s->len);
		zero(mem, s->addr + s->len, s->mem_len - s->len);
	}
	set_boot_state(plan, cpus_state(pc->m.cpus, 0));
	return 0;
}

void pc_resume_kernel(struct pc *pc)
{
	struct vcpu *v = cpus_state(pc->m.cpus, 0);
	uint32_t vector = 0;

	set_up_chips(pc);
	/* As firmware does: in real mode. */
	aspace_dma_read(&pc->m.mem, PC_ACPI_BASE + ACPI_TABLES_ALIGN + FACS_WAKING_VECTOR, &vector,
			4);
	v->seg[CS].sel = (uint16_t)(vector >> 4);
	v->seg[CS].base = (uint32_t)v->seg[CS].sel << 4;
	v->rip = vector & 15;
}
