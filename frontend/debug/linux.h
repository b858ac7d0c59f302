/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A Linux kernel in the guest, found in its memory without any file: where its image is (so whatever KASLR did), its
 * symbols, its types. Everything read from it is the guest's and not to be trusted.
 *
 * Main thread or a point's condition, machine lock held, the vCPU stopped or held.
 */
#ifndef FRONTEND_DEBUG_LINUX_H
#define FRONTEND_DEBUG_LINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend/debug/symtab.h"
#include "mmu/walk.h"

struct btf;
struct pc;
struct types;
struct vcpu;

/* Where there is one, in guest memory. */
struct orc_table {
	uint64_t ips, entries, nr;
};

struct linux_guest {
	struct pc *pc;
	bool found;
	struct paging paging; /* by which the whole kernel is reached */
	uint64_t text, end;   /* of its image */
	struct symtab symbols;
	struct symtab modules;     /* of its modules, as of the last linux_read_modules() */
	uint64_t modules_mark;     /* of the list then */
	const struct symtab *file; /* symbols of a kernel that has none in its memory; or NULL */
	struct btf *btf;           /* or NULL */
	bool btf_tried;
	uint8_t mark[64]; /* what is at mark_at as long as it is this kernel */
	uint64_t mark_at;
	/* What linux_offset() has found. */
	struct {
		char type[32], path[48];
		int64_t off;
		uint64_t size;
	} offsets[64];
	unsigned next_offset;
	uint32_t orc_entry; /* a type; 0: not looked for */
	/* The kernel's own table for backtraces, copied when first used (frontend/debug/unwind.c). */
	struct {
		struct orc_table at;
		int32_t *ips;
		uint8_t *entries;
		uint64_t nr;
		bool tried;
	} orc;
	/* Where the search did not find it: not again there. */
	uint64_t failed_cr3;
	uint64_t failed_when;
};

void linux_free(struct linux_guest *g);
/* Is there one, as this vCPU sees memory? Looks for it, or whether it is still the same. */
bool linux_find(struct linux_guest *g, const struct vcpu *v);
/* Does the vCPU's page table map a kernel image? *text: where. Fast. */
bool linux_maps_kernel(struct pc *pc, const struct paging *pg, uint64_t *text, uint64_t *end);
/* Kernel memory. 0 or -EFAULT. */
int linux_read(struct linux_guest *g, uint64_t addr, void *buf, size_t len);
/* A string of at most len - 1 bytes, unprintable ones replaced. 0 or -EFAULT. */
int linux_string(struct linux_guest *g, uint64_t addr, char *buf, size_t len);
/* Types, or NULL where the kernel has none. */
const struct types *linux_types(struct linux_guest *g);
/* The address of a symbol; 0: there is none. */
uint64_t linux_symbol(struct linux_guest *g, const char *name);
/* Where a CPU has its copy of a per-CPU variable. */
uint64_t linux_percpu(struct linux_guest *g, uint64_t offset, unsigned cpu);
/* Offset of "a.b.c" in a struct, in bytes, and its size; -1: no such member. */
int64_t linux_offset(struct linux_guest *g, const char *type, const char *path, uint64_t *size);
/* A member of at most 8 bytes. 0, or -errno. */
int linux_member(struct linux_guest *g, uint64_t base, const char *type, const char *path,
		 uint64_t *out);
/* The task that runs on a CPU; 0: not known. */
uint64_t linux_current(struct linux_guest *g, unsigned cpu);

#endif
