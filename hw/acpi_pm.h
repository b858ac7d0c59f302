/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ACPI power management: PM1a event and control blocks, PM timer, GPE0 block, and the SMI command
 * port that switches ACPI mode on and off.
 */
#ifndef HW_ACPI_PM_H
#define HW_ACPI_PM_H

#include <stdint.h>

#include "hw/clock.h"
#include "hw/device.h"
#include "hw/irq.h"

#define PM_TIMER_HZ 3579545ull

/* For the FADT. */
enum {
	ACPI_PM1_EVT = 0x00, /* offsets from the base; 4 bytes: status, enable */
	ACPI_PM1_CNT = 0x04, /* 2 bytes */
	ACPI_PM_TMR = 0x08,  /* 4 bytes */
	ACPI_PM_LEN = 0x10,
	ACPI_GPE0_LEN = 4, /* 2 bytes of status, 2 of enable: 16 events */
	ACPI_SMI_CMD = 0xb2,
	ACPI_ENABLE = 0xf1, /* values for the SMI command port */
	ACPI_DISABLE = 0xf0,
};

/* SLP_TYP of the states that the DSDT declares. */
enum { ACPI_SLEEP_S5 = 0, ACPI_SLEEP_S3 = 1, ACPI_SLEEP_S4 = 2 };

/* Bits of PM1 status and enable that wake the machine up. */
enum { ACPI_PWRBTN = 1 << 8, ACPI_RTC = 1 << 10 };

struct aspace;

struct acpi_pm {
	struct device dev;
	struct clock *clock;
	struct timer overflow; /* PM timer's top bit changes */
	uint16_t sts, en, cnt;
	uint16_t gpe_sts, gpe_en;
	uint8_t apm[2];     /* SMI command port and its data port */
	uint64_t tmr_seen;  /* changes of the timer's top bit accounted for */
	uint8_t timer_bits; /* 24; a board may set 32 (FADT: TMR_VAL_EXT) */
	uint8_t level;      /* level of sci */
	struct aspace *io;
	uint64_t base; /* of the PM block's ports; 0: it does not answer */
	struct irq_pin sci;
	void (*sleep)(void *opaque, uint8_t slp_typ);
	void *opaque;
	/* The SMI command port was written; NULL without system management mode. */
	void (*smi_command)(void *opaque);
	void *smi_opaque;
};

/* base: PM I/O base, 0 for none yet (PM1a_EVT at +0, PM1a_CNT at +4, PM_TMR at +8; 16 ports); gpe: GPE0 block, 0 for elsewhere.
 * sleep: the guest set SLP_EN with this SLP_TYP. 0 or -errno. */
int acpi_pm_init(struct acpi_pm *pm, struct aspace *io, uint64_t base, uint64_t gpe,
		 struct clock *clk, const struct irq_pin *sci,
		 void (*sleep)(void *opaque, uint8_t slp_typ), void *opaque);
/* Moves the PM block; 0, or where other ports are: it does not answer. */
void acpi_pm_move(struct acpi_pm *pm, uint64_t base);
void acpi_pm_power_button(struct acpi_pm *pm);
/* The machine has woken up, by ACPI_PWRBTN or ACPI_RTC. */
void acpi_pm_wake(struct acpi_pm *pm, uint16_t by);
/* Bytes of the GPE0 block, for a board that has it elsewhere: 0-1 status, 2-3 enable. */
uint8_t acpi_pm_gpe_read(const struct acpi_pm *pm, unsigned off);
void acpi_pm_gpe_write(struct acpi_pm *pm, unsigned off, uint8_t val);
/* Raises general-purpose event n, 0..15. */
void acpi_pm_gpe(struct acpi_pm *pm, unsigned n);
/* For a board that starts the guest as if firmware had enabled ACPI already. */
void acpi_pm_enable(struct acpi_pm *pm);

#endif
