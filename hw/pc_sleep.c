/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Sleeping states (ACPI 6.4, 7.4.2 and chapter 16): S3, in which the machine keeps its memory alone, and S4 and S5, in
 * which it is off. Waking up from S3 is a reset of all but memory, after which firmware, or the board
 * where there is none, jumps to the vector that the system has left in the FACS.
 */
#include <errno.h>
#include <string.h>

#include "hw/pc_impl.h"

enum { CMOS_SHUTDOWN = 0x0f, SHUTDOWN_S3 = 0xfe }; /* what firmware of QEMU's PC looks for */

#define KEPT_MAX 32 /* bytes in a board's list */

void pc_sleep(void *opaque, uint8_t slp_typ)
{
	struct pc *pc = opaque;

	if (slp_typ == ACPI_SLEEP_S3 && !pc->cfg.no_s3) {
		if (pc->has_firmware)
			mc146818_set_cmos(&pc->rtc, CMOS_SHUTDOWN, SHUTDOWN_S3);
		machine_request_suspend(&pc->m);
	} else if (slp_typ == ACPI_SLEEP_S4 && !pc->cfg.no_s4) {
		machine_notify(&pc->m, MACHINE_SUSPEND_DISK, NULL);
		machine_request_shutdown(&pc->m);
	} else if (slp_typ == ACPI_SLEEP_S5) {
		machine_request_shutdown(&pc->m);
	}
}

static int wake(struct pc *pc, uint16_t reason)
{
	/* What comes while the vCPUs are still being paused counts. */
	if (!pc->m.suspended && !pc->m.suspend_requested)
		return -EINVAL;
	pc->woken_by = reason;
	machine_request_wakeup(&pc->m);
	return 0;
}

int pc_wakeup(struct pc *pc)
{
	return wake(pc, ACPI_PWRBTN);
}

void pc_power_button(struct pc *pc)
{
	if (wake(pc, ACPI_PWRBTN) < 0)
		acpi_pm_power_button(&pc->pm);
	machine_notify(&pc->m, MACHINE_POWERDOWN, NULL);
}

void pc_rtc_set(void *opaque, int n, int level)
{
	struct pc *pc = opaque;

	(void)n;
	hpet_legacy_in(&pc->hpet, 1, level);
	if (level && (pc->pm.en & ACPI_RTC))
		wake(pc, ACPI_RTC);
}

void pc_key_pressed(void *opaque)
{
	wake(opaque, ACPI_PWRBTN);
}

/* SeaBIOS finds in its copy in RAM that it has run before, and sets up little again. */
static void note_kept(const struct pc *pc, uint8_t kept[KEPT_MAX])
{
	for (const struct pc_kept *k = pc->board->kept; k->len; kept += k->len, k++)
		memcpy(kept, pc->pci.func[k->devfn]->config + k->reg, k->len);
}

static void restore_kept(struct pc *pc, const uint8_t kept[KEPT_MAX])
{
	for (const struct pc_kept *k = pc->board->kept; k->len; kept += k->len, k++)
		for (unsigned n = 0; n < k->len; n++)
			pci_config_write(pc->pci.func[k->devfn], k->reg + n, kept[n], 1);
}

int pc_wake(void *opaque)
{
	struct pc *pc = opaque;
	uint8_t kept[KEPT_MAX];

	note_kept(pc, kept);
	machine_reset_devices_locked(&pc->m);
	if (pc->has_firmware) {
		restore_kept(pc, kept);
		pc_let_firmware_run(pc);
	} else {
		pc_resume_kernel(pc);
	}
	acpi_pm_wake(&pc->pm, pc->woken_by);
	return 0;
}
