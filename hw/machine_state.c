/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A machine's state by its parts, and how it is saved.
 */
#include "hw/machine_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accel/cpus.h"
#include "cpu/vcpu.h"
#include "hw/machine_state_impl.h"

#define CHUNK ((size_t)1 << 20) /* of memory in a section */

#define V(m)         FIELD_NORESET(vcpu, m)
#define V_ARRAY(m)   FIELD_ARRAY_NORESET(vcpu, m)
#define V_SEGMENT(m) V(m.sel), V(m.attr), V(m.limit), V(m.base)

const struct field vcpu_fields[] = {
    V_ARRAY(gpr),
    V(cc),
    V(rflags),
    V_SEGMENT(seg[ES]),
    V_SEGMENT(seg[CS]),
    V_SEGMENT(seg[SS]),
    V_SEGMENT(seg[DS]),
    V_SEGMENT(seg[FS]),
    V_SEGMENT(seg[GS]),
    V_SEGMENT(ldtr),
    V_SEGMENT(tr),
    V(gdt.base),
    V(gdt.limit),
    V(idt.base),
    V(idt.limit),
    V(cr0),
    V(cr2),
    V(cr3),
    V(cr4),
    V_ARRAY(pdpte),
    V_ARRAY(dr),
    V(dr6),
    V(dr7),
    V(efer),
    V(xcr0),
    V(pkru),
    V(mxcsr),
    V(fpu.fcw),
    V(fpu.fsw),
    V(fpu.ftw),
    V(fpu.fop),
    V(fpu.fip),
    V(fpu.fdp),
    V(fpu.fcs),
    V(fpu.fds),
    FIELD_EACH(vcpu, fpu.r, mant, 0),
    FIELD_EACH(vcpu, fpu.r, se, 0),
    {"v", offsetof(struct vcpu, v), 8, FIELD_KEEP, sizeof(((struct vcpu *)0)->v) / 8, 0, 0},
    V(star),
    V(lstar),
    V(cstar),
    V(sfmask),
    V(kernel_gs_base),
    V(sysenter_cs),
    V(sysenter_esp),
    V(sysenter_eip),
    V(tsc_offset),
    V(tsc_adjust),
    V(tsc_aux),
    V(pat),
    V(misc_enable),
    V(xss),
    V(spec_ctrl),
    V(pvclock_system),
    V(pvclock_wall),
    V(mtrr_def_type),
    V_ARRAY(mtrr_fixed),
    V_ARRAY(mtrr_base),
    V_ARRAY(mtrr_mask),
    V(mcg_status),
    V(mcg_ctl),
    V_ARRAY(mc_ctl),
    V_ARRAY(mc_status),
    V_ARRAY(mc_addr),
    V_ARRAY(mc_misc),
    V(activity),
    V(sti_shadow),
    V(mov_ss_shadow),
    V(nmi_pending),
    V(nmi_blocked),
    V(init_pending),
    V(smi_pending),
    V(smm),
    V(smm_nmi_blocked),
    V(smbase),
    V(taken.valid),
    V(taken.exception),
    V(taken.vector),
    V(apic_id),
    FIELD_END,
};

/* ---- the machine's parts by name ---- */

void state_cpu_name(char name[STATE_NAME_MAX], unsigned n)
{
	snprintf(name, STATE_NAME_MAX, "cpu %u", n);
}

void state_device_name(char name[STATE_NAME_MAX], const struct device *d)
{
	snprintf(name, STATE_NAME_MAX, "device %s", d->name);
}

void state_memory_name(char name[STATE_NAME_MAX], const struct device *d)
{
	snprintf(name, STATE_NAME_MAX, "memory %s", d ? d->name : "main");
}

struct ram *state_memory_of(struct machine *m, const struct device *d)
{
	return d ? d->ram : &m->ram;
}

char *state_identity(const struct machine *m, const char *disks)
{
	char *text;

	return asprintf(&text, "%s\n%s", m->identity, disks) < 0 ? NULL : text;
}

/* ---- saving ---- */

static bool is_zero(const uint8_t *p, size_t len)
{
	return !p[0] && !memcmp(p, p + 1, len - 1);
}

/* The chunk without the zero pages at its ends; a section for what is left. */
static int save_chunk(const struct state_sink *to, const char *name, const struct ram *ram,
		      uint64_t off, uint64_t end, uint8_t *buf)
{
	struct state_memory_header h;

	while (off < end && is_zero(ram->host + off, PAGE_SIZE))
		off += PAGE_SIZE;
	while (off < end && is_zero(ram->host + end - PAGE_SIZE, PAGE_SIZE))
		end -= PAGE_SIZE;
	if (off == end)
		return 0;
	h.off = off;
	memcpy(buf, &h, sizeof(h));
	memcpy(buf + sizeof(h), ram->host + off, end - off);
	return state_write_section(to, name, buf, sizeof(h) + end - off);
}

/* From `off` on, the first chunk that the host has memory for, or the end: to look at the others would give them
 * some. */
static uint64_t next_data(const struct ram *ram, uint64_t off)
{
	off_t at = lseek(ram->fd, (off_t)off, SEEK_DATA);

	if (at < 0)
		return errno == ENXIO ? ram->size : off;
	return (uint64_t)at - (uint64_t)at % CHUNK;
}

static int save_memory(const struct state_sink *to, const char *name, const struct ram *ram)
{
	uint8_t *buf = malloc(sizeof(struct state_memory_header) + CHUNK);
	int err = buf ? 0 : -ENOMEM;

	for (uint64_t off = 0; err == 0 && (off = next_data(ram, off)) < ram->size; off += CHUNK) {
		uint64_t end = ram->size - off < CHUNK ? ram->size : off + CHUNK;

		err = save_chunk(to, name, ram, off, end, buf);
	}
	free(buf);
	return err;
}

static int save_parts(struct machine *m, const struct state_sink *to)
{
	char name[STATE_NAME_MAX];
	int err = 0;

	state_memory_name(name, NULL);
	err = save_memory(to, name, &m->ram);
	for (const struct device *d = m->devices; d && err == 0; d = d->next) {
		state_device_name(name, d);
		err = state_write_fields(to, name, d->fields, d->state);
		if (err == 0 && d->ram) {
			state_memory_name(name, d);
			err = save_memory(to, name, d->ram);
		}
	}
	for (unsigned n = 0; n < cpus_count(m->cpus) && err == 0; n++) {
		state_cpu_name(name, n);
		err = state_write_fields(to, name, vcpu_fields, cpus_state(m->cpus, n));
	}
	return err;
}

const struct device *machine_unsaved_locked(struct machine *m, const char **why)
{
	for (const struct device *d = m->devices; d; d = d->next)
		if (d->unsaved && (*why = d->unsaved(d->state)))
			return d;
	return NULL;
}

int machine_save_locked(struct machine *m, const char *disks, const struct state_sink *to)
{
	char *identity = state_identity(m, disks);
	uint64_t now;
	int err;

	if (!identity)
		return -ENOMEM;

	cpus_settle(m->cpus);
	if (m->bus.sync)
		m->bus.sync(m->bus.opaque, cpus_retired(m->cpus));
	now = clock_now(&m->clock);
	err = state_write_header(to);
	if (err == 0)
		err = state_write_section(to, STATE_MACHINE, identity, strlen(identity));
	free(identity);
	if (err == 0)
		err = state_write_section(to, STATE_CLOCK, &now, sizeof(now));
	if (err == 0)
		err = save_parts(m, to);
	return err < 0 ? err : state_write_section(to, STATE_END, NULL, 0);
}
