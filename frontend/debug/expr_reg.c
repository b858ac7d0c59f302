/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Registers by their names, of the vCPU or of a frame further out.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cpu/vcpu.h"
#include "cpu/watch.h"
#include "frontend/debug/expr.h"
#include "frontend/debug/unwind.h"

static const char *const gpr_names[16] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di",
					  "8",  "9",  "10", "11", "12", "13", "14", "15"};

/* "rax", "eax", "ax", "al", "ah", "r8", "r8d", "r8w", "r8b". */
static int gpr_index(const char *name, unsigned *size, unsigned *shift)
{
	char base[8];
	size_t n = strlen(name);

	*shift = 0;
	if (n < 2 || n > 4)
		return -1;
	if (name[0] == 'r' && isdigit((unsigned char)name[1])) {
		char last = name[n - 1];

		*size = last == 'd' ? 4 : last == 'w' ? 2 : last == 'b' ? 1 : 8;
		snprintf(base, sizeof(base), "%.*s", (int)(n - 1 - (*size != 8)), name + 1);
	} else if (n == 3 && (name[0] == 'r' || name[0] == 'e')) {
		*size = name[0] == 'r' ? 8 : 4;
		snprintf(base, sizeof(base), "%s", name + 1);
	} else if (n == 2 && (name[1] == 'l' || name[1] == 'h') && strchr("acdb", name[0])) {
		*size = 1;
		*shift = name[1] == 'h' ? 8 : 0;
		snprintf(base, sizeof(base), "%cx", name[0]);
	} else if (n == 3 && name[2] == 'l') {
		*size = 1;
		snprintf(base, sizeof(base), "%.2s", name);
	} else {
		*size = n == 2 ? 2 : 0;
		snprintf(base, sizeof(base), "%s", name);
	}
	for (int i = 0; *size && i < 16; i++)
		if (strcmp(gpr_names[i], base) == 0 && (i < 8 || name[0] == 'r'))
			return i;
	return -1;
}

static const struct {
	const char *name;
	size_t offset;
} registers[] = {
    {"rip", offsetof(struct vcpu, rip)},
    {"pc", offsetof(struct vcpu, rip)},
    {"sp", offsetof(struct vcpu, gpr[RSP])},
    {"fp", offsetof(struct vcpu, gpr[RBP])},
    {"cr0", offsetof(struct vcpu, cr0)},
    {"cr2", offsetof(struct vcpu, cr2)},
    {"cr3", offsetof(struct vcpu, cr3)},
    {"cr4", offsetof(struct vcpu, cr4)},
    {"dr0", offsetof(struct vcpu, dr[0])},
    {"dr1", offsetof(struct vcpu, dr[1])},
    {"dr2", offsetof(struct vcpu, dr[2])},
    {"dr3", offsetof(struct vcpu, dr[3])},
    {"dr6", offsetof(struct vcpu, dr6)},
    {"dr7", offsetof(struct vcpu, dr7)},
    {"efer", offsetof(struct vcpu, efer)},
    {"xcr0", offsetof(struct vcpu, xcr0)},
    {"fs_base", offsetof(struct vcpu, seg[FS].base)},
    {"gs_base", offsetof(struct vcpu, seg[GS].base)},
    {"k_gs_base", offsetof(struct vcpu, kernel_gs_base)},
    {"kernel_gs_base", offsetof(struct vcpu, kernel_gs_base)},
    {"star", offsetof(struct vcpu, star)},
    {"lstar", offsetof(struct vcpu, lstar)},
    {"cstar", offsetof(struct vcpu, cstar)},
    {"sfmask", offsetof(struct vcpu, sfmask)},
    {"idtr", offsetof(struct vcpu, idt.base)},
    {"gdtr", offsetof(struct vcpu, gdt.base)},
    {"ldtr", offsetof(struct vcpu, ldtr.base)},
    {"tr", offsetof(struct vcpu, tr.base)},
};

bool expr_register(const struct expr_env *env, const char *name, uint64_t *out)
{
	static const char *const sregs[NR_SREGS] = {"es", "cs", "ss", "ds", "fs", "gs"};
	const struct vcpu *v = env->v;
	unsigned size, shift;
	int i;

	for (i = 0; i < NR_SREGS; i++) {
		if (strncmp(name, sregs[i], 2) != 0)
			continue;
		if (!name[2]) {
			*out = v->seg[i].sel;
			return true;
		}
		if (strcmp(name + 2, "_base") == 0) {
			*out = v->seg[i].base;
			return true;
		}
	}
	if (env->frame && (strcmp(name, "rip") == 0 || strcmp(name, "pc") == 0)) {
		*out = env->frame->ip;
		return true;
	}
	for (size_t n = 0; n < sizeof(registers) / sizeof(registers[0]); n++)
		if (strcmp(name, registers[n].name) == 0) {
			memcpy(out, (const char *)v + registers[n].offset, 8);
			return true;
		}
	if (strcmp(name, "rflags") == 0 || strcmp(name, "eflags") == 0) {
		*out = rflags_get(v);
		return true;
	}
	if (strcmp(name, "eip") == 0) {
		*out = (uint32_t)v->rip;
		return true;
	}
	if (strcmp(name, "cpl") == 0) {
		*out = vcpu_cpl(v);
		return true;
	}
	if (strcmp(name, "cpu") == 0) {
		*out = env->cpu;
		return true;
	}
	if (env->hit && strcmp(name, "value") == 0) {
		*out = env->hit->value;
		return true;
	}
	if (env->hit && strcmp(name, "number") == 0) {
		*out = env->hit->lin;
		return true;
	}
	i = gpr_index(name, &size, &shift);
	if (i < 0)
		return false;
	if (env->frame && !(env->frame->known >> i & 1))
		return false;
	*out = (env->frame ? env->frame->gpr[i] : v->gpr[i]) >> shift;
	if (size < 8)
		*out &= (1ull << size * 8) - 1;
	return true;
}

uint64_t *expr_register_slot(struct vcpu *v, const char *name, unsigned *size)
{
	unsigned shift;
	int i = gpr_index(name, size, &shift);

	if (i >= 0 && (*size == 8 || *size == 4))
		return &v->gpr[i];
	*size = 8;
	for (size_t n = 0; n < 4; n++) /* those that no derived state hangs on */
		if (strcmp(name, registers[n].name) == 0)
			return (uint64_t *)((char *)v + registers[n].offset);
	return NULL;
}
