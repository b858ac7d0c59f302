/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The segments of the fuzzer's 16-bit and segmented 32-bit tests: one local descriptor table, given
 * to the host's kernel and to our core alike. SDM vol. 3A 3.4.5.
 */
#include <asm/ldt.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/insn/fuzz.h"

/* In order of FUZZ_LDT_*. The expand-down segment's valid offsets, E000h-FFFFh, are the writable pages;
 * those of GS are a part of them. */
static const struct {
	uint32_t base, limit;
	uint8_t contents; /* 0 data, 1 expand-down, 2 code */
	bool big, read_only;
} segs[NR_FUZZ_LDT] = {
    [FUZZ_LDT_CS16] = {CODE_ADDR, CODE_SIZE - 1, 2, false, false},
    [FUZZ_LDT_CS32] = {CODE_ADDR, CODE_SIZE - 1, 2, true, false},
    [FUZZ_LDT_DS] = {RW_ADDR, RW_SIZE - 1, 0, true, false},
    [FUZZ_LDT_SS16] = {RW_ADDR, RW_SIZE - 1, 0, false, false},
    [FUZZ_LDT_SS32] = {RW_ADDR, RW_SIZE - 1, 0, true, false},
    [FUZZ_LDT_ES] = {RW_ADDR + RW_SIZE - 0x10000, 0xffff - RW_SIZE, 1, false, false},
    [FUZZ_LDT_FS] = {RO_ADDR, RO_SIZE - 1, 0, true, true},
    [FUZZ_LDT_GS] = {RW_ADDR + 0x800, 0x3ff, 0, true, false},
};

uint16_t fuzz_seg_selector(const struct fuzz_test *t, unsigned sreg)
{
	static const uint8_t entry[NR_SREGS] = {
	    [ES] = FUZZ_LDT_ES, [CS] = FUZZ_LDT_CS32, [SS] = FUZZ_LDT_SS32,
	    [DS] = FUZZ_LDT_DS, [FS] = FUZZ_LDT_FS,   [GS] = FUZZ_LDT_GS,
	};
	unsigned n = entry[sreg];

	if (!t->segmented)
		return sreg == CS ? (t->mode == 8 ? 0x33 : 0x23) : sreg >= FS ? 0 : 0x2b;
	if (sreg == CS && t->mode == 2)
		n = FUZZ_LDT_CS16;
	if (sreg == SS && t->stack16)
		n = FUZZ_LDT_SS16;
	return n << 3 | 7;
}

uint64_t fuzz_seg_base(const struct fuzz_test *t, unsigned sreg)
{
	if (t->segmented)
		return segs[fuzz_seg_selector(t, sreg) >> 3].base;
	if (t->mode != 8)
		return 0;
	return sreg == FS ? t->in.fs_base : sreg == GS ? t->in.gs_base : 0;
}

/* Present, DPL 3, accessed. */
uint64_t fuzz_seg_descriptor(unsigned n)
{
	uint64_t base = segs[n].base, limit = segs[n].limit;
	uint64_t type =
	    0x10 | 0x80 | 3 << 5 | 1 | (segs[n].contents << 2) | (segs[n].read_only ? 0 : 2);

	return (limit & 0xffff) | (base & 0xffffff) << 16 | type << 40 | (limit >> 16) << 48 |
	       (uint64_t)segs[n].big << 54 | (base >> 24) << 56;
}

int fuzz_seg_install(void)
{
	for (unsigned n = 0; n < NR_FUZZ_LDT; n++) {
		struct user_desc d;
		memset(&d, 0, sizeof(d));
		d.entry_number = n;
		d.base_addr = segs[n].base;
		d.limit = segs[n].limit;
		d.seg_32bit = segs[n].big;
		d.contents = segs[n].contents;
		d.read_exec_only = segs[n].read_only;
		d.useable = 0;
		if (syscall(SYS_modify_ldt, 0x11, &d, sizeof(d)))
			return -errno;
	}
	return 0;
}
