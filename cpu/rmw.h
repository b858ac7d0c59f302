/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Read-modify-write of guest memory, atomic between vCPUs when locked. SDM vol. 3A 9.1 (locked atomic
 * operations).
 *
 *	for (old = rmw_begin(c, &m, lin, size, lock);;) {
 *		val = f(old);
 *		if (rmw_commit(c, &m, &old, val))
 *			break;
 *	}
 *
 * A locked access to RAM is a compare-and-swap loop on the host's own memory. What no host atomic
 * covers (devices, page crossings) is done under the bus lock, held from begin to commit: nothing in
 * between may raise. Faults, reported as those of a write, come from rmw_begin().
 */
#ifndef CPU_RMW_H
#define CPU_RMW_H

#include "cpu/alu.h"
#include "cpu/operand.h"

struct rmw {
	void *host; /* NULL: ordinary accesses */
	uint64_t lin;
	uint8_t size;
	bool lock;
};

uint64_t rmw_begin(struct core *c, struct rmw *m, uint64_t lin, unsigned size, bool lock);
/* False: another processor was faster, *old is what it left there. */
bool rmw_commit(struct core *c, struct rmw *m, uint64_t *old, uint64_t val);

/* Sixteen bytes: compares with old and stores val if equal; always leaves in old what was there. */
bool rmw_cas16(struct core *c, uint64_t lin, uint64_t old[2], const uint64_t val[2]);

/* Operand 0 becomes f(operand 0, b). */
typedef uint64_t alu_fn(uint32_t *cc, uint64_t a, uint64_t b, unsigned size);

static inline __attribute__((always_inline)) void op_modify(struct core *c, const struct insn *i,
							    alu_fn *f, uint64_t b)
{
	unsigned size = i->o[0].size;
	uint32_t cc = c->v.cc;

	if (i->o[0].kind != OPK_MEM) {
		op_write(c, i, 0, f(&cc, op_read(c, i, 0), b, size));
	} else {
		struct rmw m;
		uint64_t lin = lin_of(c, i, size, ACC_WRITE);
		uint64_t old = rmw_begin(c, &m, lin, size, i->lock), val;
		do {
			cc = c->v.cc;
			val = f(&cc, old, b, size);
		} while (!rmw_commit(c, &m, &old, val));
	}
	c->v.cc = cc;
}

#endif
