/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The vCPU of the software engines. The interpreter runs it block by block; with a translator
 * attached, hot blocks run as host code instead and everything else stays the same.
 */
#ifndef ACCEL_SOFT_H
#define ACCEL_SOFT_H

#include "accel/block.h"
#include "accel/engine.h"
#include "accel/jit/jit.h"
#include "cpu/core.h"

struct engine_cpu {
	struct core core;
	struct jit_state js; /* reached from generated code at fixed offsets from core */
	struct block_cache blocks;
	struct insn single[2]; /* the instruction of step(), and its end marker */
	_Atomic uint64_t retired;
	struct jit *jit; /* NULL: interpreter only */
	uint32_t hot;    /* runs of a block before it is translated */
	bool count;      /* translations count instructions */
	uint64_t due;    /* core.retired at which timers are to be looked at (cpu/bus.h) */
	enum run_stops stops;
	const struct watch *watch; /* what a debugger waits for, or NULL */
	struct watch_hit hit;      /* after RUN_DEBUG */
	bool tracing;              /* instruction by instruction */
	bool hold;                 /* one instruction, and nothing that others post */
	uint64_t faults;           /* exceptions delivered */
	bool ended;                /* generated code has been left by an operation in C */
	const struct insn *begun;  /* first of the block last begun */
	const struct insn *cut;    /* after which a translated block was left, at this count */
	uint64_t cut_count;
};

#endif
