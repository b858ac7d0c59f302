/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * System management mode on the board: SMIs to the vCPUs, and what firmware agrees upon with the chip set by
 * files of fw_cfg (QEMU docs/specs, "etc/smi/..."): whether a write to the command port is an SMI for all processors
 * or for the one that writes.
 */
#include <string.h>

#include "accel/cpus.h"
#include "hw/pc_impl.h"

#define BROADCAST 1u /* the only feature that there is */

#define SUPPORTED "etc/smi/supported-features"
#define REQUESTED "etc/smi/requested-features"
#define AGREED    "etc/smi/features-ok"

/* Machine lock held, on the thread of the vCPU that has written, unless the monitor did. */
static void raise_smi(void *opaque, int n, int level)
{
	struct pc *pc = opaque;
	int writer = cpus_current(pc->m.cpus);

	(void)n;
	if (!level)
		return;
	for (unsigned i = 0; i < pc->cpus; i++)
		if (pc->ich9.smi_features & BROADCAST || (int)i == (writer < 0 ? 0 : writer))
			cpus_smi(pc->m.cpus, i);
}

struct irq_pin pc_smi_pin(struct pc *pc)
{
	return (struct irq_pin){raise_smi, pc, 0};
}

int pc_wire_smm(struct pc *pc)
{
	struct machine *m = &pc->m;

	smram_init(&pc->smram, &m->mem, &m->ram, pc->low_ram, &m->bus.smram_open, pc_flush_tlbs,
		   pc);
	m->bus.smram = &pc->smram.view;
	return aspace_listen(&pc->smram.view, pc_flush_tlbs, pc);
}

void pc_smm_selected(struct pc *pc, const struct fw_cfg_item *item)
{
	struct ich9 *c = &pc->ich9;

	if (strcmp(item->name, REQUESTED) == 0) {
		fw_cfg_set_file(&pc->fw_cfg, REQUESTED, &c->smi_asked, 8);
	} else if (strcmp(item->name, AGREED) == 0) {
		if (!c->smi_agreed && !(c->smi_asked & ~(uint64_t)BROADCAST)) {
			c->smi_features = c->smi_asked;
			c->smi_agreed = 1;
		}
		fw_cfg_set_file(&pc->fw_cfg, AGREED, &c->smi_agreed, 1);
	}
}

/* Until it has been agreed upon. */
void pc_smm_written(struct pc *pc, const struct fw_cfg_item *item)
{
	if (strcmp(item->name, REQUESTED) == 0 && !pc->ich9.smi_agreed)
		memcpy(&pc->ich9.smi_asked, item->data, sizeof(pc->ich9.smi_asked));
}

int pc_smm_files(struct pc *pc)
{
	const uint64_t supported = BROADCAST, none = 0;
	struct fw_cfg *f = &pc->fw_cfg;
	int r;

	if ((r = fw_cfg_add_file(f, SUPPORTED, &supported, 8)) < 0 ||
	    (r = fw_cfg_add_file(f, REQUESTED, &none, 8)) < 0 ||
	    (r = fw_cfg_add_file(f, AGREED, &none, 1)) < 0)
		return r;
	return fw_cfg_let_write(f, REQUESTED);
}
