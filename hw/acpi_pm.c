/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ACPI fixed hardware: ACPI specification 6.x, chapter 4.8 (PM1, PM timer, GPE0), and the SMI
 * command port as PIIX4 and ICH have it. There is no system management mode: the values that
 * switch ACPI on and off act here, all others are only remembered.
 */
#include "hw/acpi_pm.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "mmu/aspace.h"

enum { TMR = 1 << 0, GBL = 1 << 5, SLPBTN = 1 << 9, WAK = 1 << 15 };
#define STS_VALID (TMR | 1 << 4 | GBL | ACPI_PWRBTN | SLPBTN | ACPI_RTC | WAK)
#define EN_VALID  (TMR | GBL | ACPI_PWRBTN | SLPBTN | ACPI_RTC)

enum { SCI_EN = 1 << 0, SLP_TYP = 7 << 10, SLP_EN = 1 << 13 };
#define CNT_VALID (1 << 1 | SLP_TYP)

static uint64_t ticks(const struct acpi_pm *pm)
{
	return muldiv64(clock_now(pm->clock), PM_TIMER_HZ, NSEC_PER_SEC);
}

static void update_sci(struct acpi_pm *pm)
{
	uint8_t level = (pm->cnt & SCI_EN) && ((pm->sts & pm->en) || (pm->gpe_sts & pm->gpe_en));

	if (level != pm->level) {
		pm->level = level;
		irq_set(&pm->sci, level);
	}
}

/* TMR_STS is set whenever the top bit of the timer changes. */
static void catch_up(struct acpi_pm *pm)
{
	uint64_t changes = ticks(pm) >> (pm->timer_bits - 1);

	if (changes != pm->tmr_seen) {
		pm->tmr_seen = changes;
		pm->sts |= TMR;
	}
}

static void schedule(struct acpi_pm *pm)
{
	uint64_t next = (pm->tmr_seen + 1) << (pm->timer_bits - 1);

	if (pm->en & TMR)
		timer_arm(&pm->overflow, muldiv64(next, NSEC_PER_SEC, PM_TIMER_HZ) + 1);
	else
		timer_cancel(&pm->overflow);
}

static void overflow(void *opaque)
{
	struct acpi_pm *pm = opaque;

	catch_up(pm);
	update_sci(pm);
	schedule(pm);
}

static uint32_t timer_value(const struct acpi_pm *pm)
{
	return ticks(pm) & ((1ull << pm->timer_bits) - 1);
}

static uint64_t pm_read(void *opaque, uint64_t off, unsigned size)
{
	struct acpi_pm *pm = opaque;
	uint8_t regs[ACPI_PM_LEN + 4] = {0};
	uint32_t tmr = timer_value(pm), val;

	(void)size;
	catch_up(pm);
	memcpy(regs + ACPI_PM1_EVT, &pm->sts, 2);
	memcpy(regs + ACPI_PM1_EVT + 2, &pm->en, 2);
	memcpy(regs + ACPI_PM1_CNT, &pm->cnt, 2);
	memcpy(regs + ACPI_PM_TMR, &tmr, 4);
	memcpy(&val, regs + (off & (ACPI_PM_LEN - 1)), 4);
	return val & (0xffffffffull >> (32 - 8 * size));
}

/* bits: the part of the 16-bit register that is written. */
static void write_word(struct acpi_pm *pm, unsigned reg, uint16_t val, uint16_t bits)
{
	switch (reg) {
	case ACPI_PM1_EVT:
		catch_up(pm);
		pm->sts &= ~(val & bits & STS_VALID);
		break;
	case ACPI_PM1_EVT + 2:
		catch_up(pm);
		pm->en = ((pm->en & ~bits) | (val & bits)) & EN_VALID;
		schedule(pm);
		break;
	case ACPI_PM1_CNT:
		bits &= CNT_VALID | SLP_EN;
		pm->cnt = (pm->cnt & ~(bits & CNT_VALID)) | (val & bits & CNT_VALID);
		if ((val & bits & SLP_EN) && pm->sleep)
			pm->sleep(pm->opaque, (pm->cnt & SLP_TYP) >> 10);
		break;
	}
	update_sci(pm);
}

static void pm_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	uint64_t shift = 8 * (off & 1), bits = (1ull << 8 * size) - 1;

	/* An access may cover two registers. */
	val = (val & bits) << shift;
	bits <<= shift;
	for (unsigned reg = off & ~1u; bits; reg += 2, val >>= 16, bits >>= 16)
		write_word(opaque, reg, val, bits);
}

static const struct mmio_ops pm_ops = {pm_read, pm_write, 1, 4};

uint8_t acpi_pm_gpe_read(const struct acpi_pm *pm, unsigned off)
{
	switch (off) {
	case 0:
	case 1:
		return pm->gpe_sts >> 8 * off & 0xff;
	default:
		return pm->gpe_en >> 8 * (off - 2) & 0xff;
	}
}

void acpi_pm_gpe_write(struct acpi_pm *pm, unsigned off, uint8_t val)
{
	unsigned shift = 8 * (off & 1);

	if (off < 2)
		pm->gpe_sts &= ~(val << shift);
	else
		pm->gpe_en = (pm->gpe_en & ~(0xff << shift)) | val << shift;
	update_sci(pm);
}

static uint64_t gpe_read(void *opaque, uint64_t off, unsigned size)
{
	(void)size;
	return acpi_pm_gpe_read(opaque, (unsigned)off);
}

static void gpe_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	(void)size;
	acpi_pm_gpe_write(opaque, (unsigned)off, (uint8_t)val);
}

static const struct mmio_ops gpe_ops = {gpe_read, gpe_write, 1, 1};

static uint64_t apm_read(void *opaque, uint64_t off, unsigned size)
{
	const struct acpi_pm *pm = opaque;

	(void)size;
	return pm->apm[off & 1];
}

static void apm_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct acpi_pm *pm = opaque;

	(void)size;
	pm->apm[off & 1] = val;
	if (off)
		return;
	if (pm->apm[0] == ACPI_ENABLE)
		pm->cnt |= SCI_EN;
	else if (pm->apm[0] == ACPI_DISABLE)
		pm->cnt &= ~SCI_EN;
	update_sci(pm);
	if (pm->smi_command)
		pm->smi_command(pm->smi_opaque);
}

static const struct mmio_ops apm_ops = {apm_read, apm_write, 1, 1};

void acpi_pm_move(struct acpi_pm *pm, uint64_t base)
{
	if (base == pm->base)
		return;
	if (pm->base)
		aspace_unmap(pm->io, pm->base);
	pm->base = 0;
	if (base && aspace_map_dev(pm->io, "acpi-pm", base, ACPI_PM_LEN, &pm_ops, pm) == 0)
		pm->base = base;
}

void acpi_pm_power_button(struct acpi_pm *pm)
{
	pm->sts |= ACPI_PWRBTN;
	update_sci(pm);
}

void acpi_pm_wake(struct acpi_pm *pm, uint16_t by)
{
	pm->sts |= WAK | by;
	update_sci(pm);
}

void acpi_pm_gpe(struct acpi_pm *pm, unsigned n)
{
	if (n > 15)
		return;
	pm->gpe_sts |= 1 << n;
	update_sci(pm);
}

void acpi_pm_enable(struct acpi_pm *pm)
{
	pm->cnt |= SCI_EN;
	update_sci(pm);
}

static const struct field fields[] = {
    FIELD(acpi_pm, sts, 0),           FIELD(acpi_pm, en, 0),     FIELD(acpi_pm, cnt, 0),
    FIELD(acpi_pm, gpe_sts, 0),       FIELD(acpi_pm, gpe_en, 0), FIELD_ARRAY(acpi_pm, apm, 0),
    FIELD_NORESET(acpi_pm, tmr_seen), FIELD(acpi_pm, level, 0),  FIELD_END,
};

static void reset_done(void *state)
{
	struct acpi_pm *pm = state;

	timer_cancel(&pm->overflow);
	irq_set(&pm->sci, 0);
}

static void loaded(void *state)
{
	struct acpi_pm *pm = state;

	schedule(pm);
	irq_set(&pm->sci, pm->level);
}

int acpi_pm_init(struct acpi_pm *pm, struct aspace *io, uint64_t base, uint64_t gpe,
		 struct clock *clk, const struct irq_pin *sci,
		 void (*sleep)(void *opaque, uint8_t slp_typ), void *opaque)
{
	int err;

	memset(pm, 0, sizeof(*pm));
	pm->clock = clk;
	pm->timer_bits = 24;
	if (sci)
		pm->sci = *sci;
	pm->sleep = sleep;
	pm->opaque = opaque;
	timer_init(&pm->overflow, clk, overflow, pm);
	device_init(&pm->dev, "acpi-pm", fields, pm);
	pm->dev.reset_done = reset_done;
	pm->dev.loaded = loaded;
	pm->io = io;
	acpi_pm_move(pm, base);
	err = pm->base == base ? 0 : -EEXIST;
	if (!err && gpe)
		err = aspace_map_dev(io, "acpi-gpe0", gpe, ACPI_GPE0_LEN, &gpe_ops, pm);
	if (!err)
		err = aspace_map_dev(io, "apm", ACPI_SMI_CMD, 2, &apm_ops, pm);
	return err;
}
