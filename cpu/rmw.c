/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Read-modify-write of guest memory. See cpu/rmw.h.
 */
#include "cpu/rmw.h"

#include <setjmp.h>
#include <string.h>

#include "cpu/mem.h"

/* Host compare-and-swap. x86 hosts do it at any alignment; elsewhere only aligned addresses get here
 * (host_can_lock). */
#ifdef __x86_64__
#define HOST_CAS(bits, reg)                                                                        \
	static bool cas##bits(void *p, uint64_t *old, uint64_t val)                                \
	{                                                                                          \
		uint##bits##_t was = (uint##bits##_t) * old;                                       \
		bool ok;                                                                           \
		__asm__ volatile("lock; cmpxchg %" reg "3, %0"                                     \
				 : "+m"(*(char(*)[bits / 8]) p), "+a"(was), "=@ccz"(ok)            \
				 : "q"((uint##bits##_t)val)                                        \
				 : "memory");                                                      \
		*old = was;                                                                        \
		return ok;                                                                         \
	}
HOST_CAS(8, "b")
HOST_CAS(16, "w")
HOST_CAS(32, "k")
HOST_CAS(64, "q")

static bool host_can_lock(const void *p, unsigned size)
{
	(void)p;
	(void)size;
	return true;
}
#else
#define HOST_CAS(bits, reg)                                                                        \
	static bool cas##bits(void *p, uint64_t *old, uint64_t val)                                \
	{                                                                                          \
		uint##bits##_t was = (uint##bits##_t) * old;                                       \
		bool ok =                                                                          \
		    __atomic_compare_exchange_n((uint##bits##_t *)p, &was, (uint##bits##_t)val,    \
						false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);        \
		*old = was;                                                                        \
		return ok;                                                                         \
	}
HOST_CAS(8, "")
HOST_CAS(16, "")
HOST_CAS(32, "")
HOST_CAS(64, "")

static bool host_can_lock(const void *p, unsigned size)
{
	return size <= 8 && !((uintptr_t)p & (size - 1));
}
#endif

static bool host_cas(void *p, unsigned size, uint64_t *old, uint64_t val)
{
	switch (size) {
	case 1:
		return cas8(p, old, val);
	case 2:
		return cas16(p, old, val);
	case 4:
		return cas32(p, old, val);
	default:
		return cas64(p, old, val);
	}
}

/* Accesses under the bus lock. A fault here (another processor changed the page tables since the
 * check) must let go of it on its way out. */
static void locked_read(struct core *c, uint64_t lin, void *buf, unsigned size)
{
	sigjmp_buf env, *outer = c->fault;
	int why;

	mem_bus_lock(c);
	why = sigsetjmp(env, 0);
	if (why) {
		c->fault = outer;
		mem_bus_unlock(c);
		siglongjmp(*outer, why);
	}
	c->fault = &env;
	mem_read(c, lin, buf, size);
	c->fault = outer;
}

static void locked_write_unlock(struct core *c, uint64_t lin, const void *buf, unsigned size)
{
	sigjmp_buf env, *outer = c->fault;
	int why = sigsetjmp(env, 0);

	if (!why) {
		c->fault = &env;
		mem_write(c, lin, buf, size);
	}
	c->fault = outer;
	mem_bus_unlock(c);
	if (why)
		siglongjmp(*outer, why);
}

uint64_t rmw_begin(struct core *c, struct rmw *m, uint64_t lin, unsigned size, bool lock)
{
	uint64_t old = 0;

	*m = (struct rmw){mem_rmw(c, lin, size), lin, size, lock};
	if (m->host && lock && !host_can_lock(m->host, size))
		m->host = NULL;
	if (m->host)
		memcpy(&old, m->host, size);
	else if (lock)
		locked_read(c, lin, &old, size);
	else
		mem_read(c, lin, &old, size);
	return old;
}

bool rmw_commit(struct core *c, struct rmw *m, uint64_t *old, uint64_t val)
{
	if (!m->host) {
		if (m->lock)
			locked_write_unlock(c, m->lin, &val, m->size);
		else
			mem_write(c, m->lin, &val, m->size);
		return true;
	}
	if (!m->lock)
		memcpy(m->host, &val, m->size);
	else if (!host_cas(m->host, m->size, old, val))
		return false;
	mem_rmw_stored(c, m->lin);
	return true;
}

static bool cas16_slow(struct core *c, uint64_t lin, uint64_t old[2], const uint64_t val[2])
{
	uint64_t was[2];
	bool equal;

	locked_read(c, lin, was, 16);
	equal = was[0] == old[0] && was[1] == old[1];
	locked_write_unlock(c, lin, equal ? val : was, 16);
	memcpy(old, was, sizeof(was));
	return equal;
}

bool rmw_cas16(struct core *c, uint64_t lin, uint64_t old[2], const uint64_t val[2])
{
	void *host = mem_rmw(c, lin, 16);
#ifdef __x86_64__
	if (host) {
		bool ok;
		__asm__ volatile("lock; cmpxchg16b %0"
				 : "+m"(*(char(*)[16])host), "+a"(old[0]), "+d"(old[1]), "=@ccz"(ok)
				 : "b"(val[0]), "c"(val[1])
				 : "memory");
		if (ok)
			mem_rmw_stored(c, lin);
		return ok;
	}
#endif
	(void)host;
	return cas16_slow(c, lin, old, val);
}
