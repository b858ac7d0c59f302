/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Between the files of the board.
 */
#ifndef HW_PC_IMPL_H
#define HW_PC_IMPL_H

#include "hw/pc.h"

struct smbios_config;

#define FOUR_G (1ull << 32)

/* ---- pc.c ---- */

/* A pin whose n carries the interrupt and who drives it. */
struct irq_pin pc_pin(struct pc *pc, void (*set)(void *, int, int), int n, enum irq_source source);
/* irq_pin.set of ISA interrupts and of the I/O APIC's pins. */
void pc_isa_set(void *opaque, int n, int level);
void pc_gsi_set(void *opaque, int n, int level);
/* What the tables say of the machine as it is now. */
void pc_describe(const struct pc *pc, struct acpi_config *cfg);
/* Fills pc->smbios; firmware: which describes itself. 0, or -errno with one line in err. */
int pc_build_smbios(struct pc *pc, bool firmware, char *err, size_t errlen);

/* ---- pc_bus.c ---- */

void pc_wire_bus(struct pc *pc, const struct pc_config *cfg);
int pc_wire_lapics(struct pc *pc);
void pc_flush_tlbs(void *opaque);
/* To all CPUs. */
void pc_nmi(struct pc *pc);

/* ---- pc_sleep.c ---- */

/* Of acpi_pm_init(). */
void pc_sleep(void *opaque, uint8_t slp_typ);
/* The RTC's interrupt, on its way to the HPET. */
void pc_rtc_set(void *opaque, int n, int level);
/* input.pressed */
void pc_key_pressed(void *opaque);
/* machine.wake_hook */
int pc_wake(void *opaque);

/* ---- pc_smm.c: with pc_config.smm ---- */

/* Before the chip set is wired. 0 or -errno. */
int pc_wire_smm(struct pc *pc);
/* What the chip set raises SMIs by. */
struct irq_pin pc_smi_pin(struct pc *pc);
/* On q35: its files, and of struct fw_cfg. */
int pc_smm_files(struct pc *pc);
void pc_smm_selected(struct pc *pc, const struct fw_cfg_item *item);
void pc_smm_written(struct pc *pc, const struct fw_cfg_item *item);

/* ---- pc_boot.c, pc_firmware.c, pc_fw_kernel.c ---- */

/* As struct device_env's boot(); opaque is the struct pc. */
void pc_add_boot(void *opaque, int bootindex, const char *path);
/* 0, or -errno with one line in err. */
int pc_firmware_kernel(struct pc *pc, const struct blob *kernel, const struct blob *initrd,
		       const char *cmdline, char *err, size_t errlen);
/* machine.reset_hook */
int pc_reset(void *opaque);
/* After S3, without firmware: the system goes on at the vector in its FACS. */
void pc_resume_kernel(struct pc *pc);
void pc_start_firmware(struct pc *pc);
/* The same after S3. */
void pc_let_firmware_run(struct pc *pc);

#endif
