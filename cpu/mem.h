/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Guest memory as operations see it. Three steps: ea() makes the offset, seg_lin() checks the
 * segment and makes the linear address, mem_*() goes through the TLB. lin_of() does the first two.
 * All raise the architectural fault (#GP/#SS/#PF/#AC) instead of returning an error.
 */
#ifndef CPU_MEM_H
#define CPU_MEM_H

#include <string.h>

#include "cpu/core.h"
#include "cpu/insn.h"

/* Effective address of the memory operand, truncated to the address size. */
static inline uint64_t ea(const struct core *c, const struct insn *i)
{
	uint64_t a = c->v.gpr[i->base] + (c->v.gpr[i->index] << i->scale) + (uint64_t)i->disp;
	return i->asz == 8 ? a : i->asz == 4 ? (uint32_t)a : (uint16_t)a;
}

/* Segmentation for `size` bytes at off: limit, type and canonical checks (skipped where the mode has
 * none). #SS for SS, else #GP(0). */
uint64_t seg_lin_slow(struct core *c, unsigned seg, uint64_t off, unsigned size, enum access acc);

static inline uint64_t seg_lin(struct core *c, unsigned seg, uint64_t off, unsigned size,
			       enum access acc)
{
	/* Not FS or GS: base 0. Non-canonical addresses miss the TLB and get #GP there, but the
	 * stack segment's fault is #SS. */
	if (__builtin_expect(c->mode == 8 && (seg & 6) != 4 &&
				 (seg != SS || (uint64_t)((int64_t)(off << 16) >> 16) == off),
			     1))
		return off;
	if (c->mode != 8 && c->flat && (seg & 6) != 4 && off <= 0x100000000ull - size &&
	    !(acc == ACC_WRITE && seg == CS))
		return off;
	return seg_lin_slow(c, seg, off, size, acc);
}

/* Linear address of the memory operand. */
static inline uint64_t lin_of(struct core *c, const struct insn *i, unsigned size, enum access acc)
{
	return seg_lin(c, i->seg, ea(c, i), size, acc);
}
/* The same, `extra` bytes further on (wraps at the address size). */
static inline uint64_t lin_of_at(struct core *c, const struct insn *i, int64_t extra, unsigned size,
				 enum access acc)
{
	uint64_t a = ea(c, i) + extra;
	a = i->asz == 8 ? a : i->asz == 4 ? (uint32_t)a : (uint16_t)a;
	return seg_lin(c, i->seg, a, size, acc);
}

/* Slow paths: TLB misses, page crossings, devices, #AC, watch and code pages. seg decides between
 * #SS and #GP for non-canonical addresses. mode is an enum tlb_mode. */
void mem_read_slow(struct core *c, uint64_t lin, void *buf, unsigned size, unsigned mode);
void mem_write_slow(struct core *c, uint64_t lin, const void *buf, unsigned size, unsigned mode);

/* After a store through a TLB entry whose page flags are not zero. */
void mem_stored(struct core *c, struct tlb_entry *e);

/* mem_read8/16/32/64, mem_write8/16/32/64 at a linear address with the current privilege;
 * the sys_ forms are implicit supervisor accesses (descriptor tables, TSS, gates). */
/* One compare finds page crossings too: the page of the last byte cannot be in the slot of the page
 * before it. */
#define MEM_ACCESS(bits)                                                                           \
	static inline uint##bits##_t mem_read##bits##_m(struct core *c, uint64_t lin,              \
							unsigned mode)                             \
	{                                                                                          \
		struct tlb_entry *e = &c->tlb.e[mode][tlb_index(lin)];                             \
		uint##bits##_t v;                                                                  \
		if (__builtin_expect(e->rd ==                                                      \
					     (((lin + bits / 8 - 1) & PAGE_MASK) | c->tlb.asid) && \
					 !c->align_check,                                          \
				     1))                                                           \
			memcpy(&v, e->host + (lin & ~PAGE_MASK), sizeof(v));                       \
		else                                                                               \
			mem_read_slow(c, lin, &v, sizeof(v), mode);                                \
		return v;                                                                          \
	}                                                                                          \
	static inline void mem_write##bits##_m(struct core *c, uint64_t lin, uint##bits##_t v,     \
					       unsigned mode)                                      \
	{                                                                                          \
		struct tlb_entry *e = &c->tlb.e[mode][tlb_index(lin)];                             \
		if (__builtin_expect(e->wr ==                                                      \
					     (((lin + bits / 8 - 1) & PAGE_MASK) | c->tlb.asid) && \
					 !c->align_check,                                          \
				     1)) {                                                         \
			memcpy(e->host + (lin & ~PAGE_MASK), &v, sizeof(v));                       \
			if (__builtin_expect(e->page->flags, 0))                                   \
				mem_stored(c, e);                                                  \
		} else {                                                                           \
			mem_write_slow(c, lin, &v, sizeof(v), mode);                               \
		}                                                                                  \
	}                                                                                          \
	static inline uint##bits##_t mem_read##bits(struct core *c, uint64_t lin)                  \
	{                                                                                          \
		return mem_read##bits##_m(c, lin, c->tlb_mode);                                    \
	}                                                                                          \
	static inline void mem_write##bits(struct core *c, uint64_t lin, uint##bits##_t v)         \
	{                                                                                          \
		mem_write##bits##_m(c, lin, v, c->tlb_mode);                                       \
	}                                                                                          \
	static inline uint##bits##_t sys_read##bits(struct core *c, uint64_t lin)                  \
	{                                                                                          \
		return mem_read##bits##_m(c, lin, TLB_KERNEL);                                     \
	}                                                                                          \
	static inline void sys_write##bits(struct core *c, uint64_t lin, uint##bits##_t v)         \
	{                                                                                          \
		mem_write##bits##_m(c, lin, v, TLB_KERNEL);                                        \
	}

MEM_ACCESS(8)
MEM_ACCESS(16)
MEM_ACCESS(32)
MEM_ACCESS(64)
#undef MEM_ACCESS

/* Any size up to 64 bytes (vectors, x87, state areas piecewise). A write either happens whole or
 * faults before the first byte changes. */
void mem_read(struct core *c, uint64_t lin, void *buf, unsigned size);
void mem_write(struct core *c, uint64_t lin, const void *buf, unsigned size);
/* Larger areas (XSAVE, ENTER, string fast paths): faults if any byte of [lin, lin+size) could not be
 * accessed, before anything changes. */
void mem_probe(struct core *c, uint64_t lin, unsigned size, enum access acc);
/* size 1, 2, 4, 8 by value. */
uint64_t mem_read_n(struct core *c, uint64_t lin, unsigned size);
void mem_write_n(struct core *c, uint64_t lin, uint64_t val, unsigned size);

/* Host pointer for an atomic read-modify-write of size 1-16 bytes at lin, checked for writing, or
 * NULL when it is not plain RAM in one page: then the caller uses mem_rmw_begin/end around ordinary
 * accesses. After storing through the pointer call mem_rmw_stored(). */
void *mem_rmw(struct core *c, uint64_t lin, unsigned size);
void mem_rmw_stored(struct core *c, uint64_t lin);
void mem_bus_lock(struct core *c);
void mem_bus_unlock(struct core *c);

/* Run of bytes that is plain RAM from lin to at most the end of its page, for string instructions:
 * returns the host pointer and sets *run (>= 1), or NULL when an access here must take the slow path.
 * Raises #PF as an access of one byte would. After writing through it call mem_stored_at(). */
void *mem_run(struct core *c, uint64_t lin, unsigned *run, enum access acc);
void mem_stored_at(struct core *c, uint64_t lin);

/* Enters the page of lin into the TLB, if it is RAM and such an access would not fault; raises nothing. */
void mem_fill(struct core *c, uint64_t lin, enum access acc);

/* The page of lin for instruction fetch with the current privilege; raises #PF/#GP. Valid until the
 * next call. */
const struct itlb_entry *mem_fetch_page(struct core *c, uint64_t lin);

#endif
