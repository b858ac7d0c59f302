/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Registers, memory, breakpoints and watchpoints.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "accel/cpus.h"
#include "cpu/vcpu.h"
#include "frontend/debug/memory.h"
#include "frontend/gdb/stub_impl.h"
#include "hw/pc.h"

/* A client may ask for any number; more than this is a mistake. */
#define MAX_POINTS (1u << 20)
#define CRC_MAX    (64ull << 20) /* bytes that one packet has summed up */

static struct vcpu *vcpu(struct gdb_stub *s)
{
	return debug_cpu(s->debugger, s->cpu);
}

static size_t read_reg(struct gdb_stub *s, unsigned n, uint8_t out[GDB_REG_SIZE])
{
	return gdb_reg_read(&s->regs, n, vcpu(s), &s->pc->lapic[s->cpu], out);
}

void gdb_read_registers(struct gdb_stub *s, char *args, size_t len)
{
	char *to = s->reply;
	uint8_t val[GDB_REG_SIZE];

	(void)args;
	(void)len;
	_Static_assert(2 * GDB_REGS * GDB_REG_SIZE <= GDB_PACKET, "one packet has them all");
	for (unsigned n = 0; n < s->regs.nr; n++)
		to = gdb_to_hex(to, val, read_reg(s, n, val));
	*to = 0;
	gdb_reply(s, s->reply);
}

/* Several names are of one register: those that the client has changed count. False: such a value cannot be. */
static bool write_reg(struct gdb_stub *s, unsigned n, struct vcpu *v, const uint8_t *val)
{
	uint8_t now[GDB_REG_SIZE];
	size_t size = read_reg(s, n, now);

	return memcmp(now, val, size) == 0 || gdb_reg_write(&s->regs, n, v, val);
}

static void commit(struct gdb_stub *s, const struct vcpu *v)
{
	if (cpus_check(s->pc->m.cpus, s->cpu, v)) {
		gdb_error(s, GDB_EINVAL);
		return;
	}
	*vcpu(s) = *v;
	gdb_reply(s, "OK");
}

void gdb_write_registers(struct gdb_stub *s, char *args, size_t len)
{
	struct vcpu v = *vcpu(s);
	uint8_t val[GDB_REG_SIZE];
	const char *at = args;

	(void)len;
	for (unsigned n = 0; n < s->regs.nr && *at; n++) {
		size_t size = gdb_reg_size(&s->regs, n);

		if (gdb_from_hex(val, size, at) != size || !write_reg(s, n, &v, val)) {
			gdb_error(s, GDB_EINVAL);
			return;
		}
		at += 2 * size;
	}
	commit(s, &v);
}

void gdb_read_register(struct gdb_stub *s, char *args, size_t len)
{
	const char *at = args;
	uint8_t val[GDB_REG_SIZE];
	uint64_t n;

	(void)len;
	if (!gdb_number(&at, &n) || n >= s->regs.nr) {
		gdb_error(s, GDB_EINVAL);
		return;
	}
	*gdb_to_hex(s->reply, val, read_reg(s, (unsigned)n, val)) = 0;
	gdb_reply(s, s->reply);
}

void gdb_write_register(struct gdb_stub *s, char *args, size_t len)
{
	struct vcpu v = *vcpu(s);
	const char *at = args;
	uint8_t val[GDB_REG_SIZE];
	uint64_t n;
	size_t size;

	(void)len;
	if (!gdb_number(&at, &n) || n >= s->regs.nr || *at++ != '=' ||
	    !(size = gdb_reg_size(&s->regs, (unsigned)n)) || gdb_from_hex(val, size, at) != size ||
	    !write_reg(s, (unsigned)n, &v, val)) {
		gdb_error(s, GDB_EINVAL);
		return;
	}
	commit(s, &v);
}

/* ---- memory ---- */

static int read_memory(struct gdb_stub *s, uint64_t at, void *buf, size_t len)
{
	return s->physical ? aspace_dma_read(&s->pc->m.mem, at, buf, len)
			   : debug_read(s->pc, vcpu(s), at, buf, len);
}

/* "ADDR,LEN", and what follows. */
static bool range(const char **at, uint64_t *addr, uint64_t *len)
{
	return gdb_number(at, addr) && *(*at)++ == ',' && gdb_number(at, len);
}

/* Memory ends where pages do. */
static size_t piece(uint64_t addr, uint64_t len)
{
	uint64_t page = PAGE_SIZE - (addr & ~PAGE_MASK);

	return (size_t)(len < page ? len : page);
}

void gdb_read_memory(struct gdb_stub *s, char *args, size_t len)
{
	const char *at = args;
	char *to = s->reply;
	uint8_t buf[PAGE_SIZE];
	uint64_t addr, left;

	(void)len;
	if (!range(&at, &addr, &left) || *at) {
		gdb_error(s, GDB_EINVAL);
		return;
	}
	if (left > GDB_PACKET / 2)
		left = GDB_PACKET / 2; /* a reply may be shorter than what was asked for */
	while (left) {
		size_t n = piece(addr, left);

		if (read_memory(s, addr, buf, n) < 0)
			break;
		to = gdb_to_hex(to, buf, n);
		addr += n;
		left -= n;
	}
	*to = 0;
	if (to == s->reply && left)
		gdb_error(s, GDB_EFAULT);
	else
		gdb_reply(s, s->reply);
}

static void write_memory(struct gdb_stub *s, uint64_t addr, const void *buf, size_t len)
{
	int err = s->physical ? aspace_dma_write(&s->pc->m.mem, addr, buf, len)
			      : debug_write(s->pc, vcpu(s), addr, buf, len);

	if (err < 0)
		gdb_error(s, GDB_EFAULT);
	else
		gdb_reply(s, "OK");
}

void gdb_write_memory_hex(struct gdb_stub *s, char *args, size_t len)
{
	const char *at = args;
	uint8_t buf[GDB_PACKET / 2];
	uint64_t addr, n;

	(void)len;
	if (!range(&at, &addr, &n) || *at++ != ':' || n > sizeof(buf) ||
	    gdb_from_hex(buf, n, at) != n || at[2 * n])
		gdb_error(s, GDB_EINVAL);
	else
		write_memory(s, addr, buf, n);
}

void gdb_write_memory(struct gdb_stub *s, char *args, size_t len)
{
	const char *at = args;
	uint64_t addr, n;

	if (!range(&at, &addr, &n) || *at++ != ':' || n != len - (size_t)(at - args))
		gdb_error(s, GDB_EINVAL);
	else
		write_memory(s, addr, at, n);
}

/* For compare-sections: the polynomial 0x04c11db7, bits from the top, as gdb computes it. */
static uint32_t crc(uint32_t sum, const uint8_t *buf, size_t len)
{
	for (; len; len--) {
		sum ^= (uint32_t)*buf++ << 24;
		for (int bit = 0; bit < 8; bit++)
			sum = sum << 1 ^ (sum >> 31 ? 0x04c11db7 : 0);
	}
	return sum;
}

void gdb_crc(struct gdb_stub *s, char *args, size_t len)
{
	const char *at = args;
	uint32_t sum = UINT32_MAX;
	uint8_t buf[PAGE_SIZE], bytes[4];
	uint64_t addr, left;

	(void)len;
	if (!range(&at, &addr, &left) || left > CRC_MAX) {
		gdb_error(s, GDB_EINVAL);
		return;
	}
	while (left) {
		size_t n = piece(addr, left);

		if (read_memory(s, addr, buf, n) < 0) {
			gdb_error(s, GDB_EFAULT);
			return;
		}
		sum = crc(sum, buf, n);
		addr += n;
		left -= n;
	}
	for (int n = 0; n < 4; n++)
		bytes[n] = (uint8_t)(sum >> (24 - 8 * n));
	s->reply[0] = 'C';
	*gdb_to_hex(s->reply + 1, bytes, 4) = 0;
	gdb_reply(s, s->reply);
}

/* ---- breakpoints and watchpoints ---- */

const struct gdb_point *gdb_point_find(const struct gdb_stub *s, int id)
{
	for (unsigned n = 0; n < s->nr_points; n++)
		if (s->points[n].id == id)
			return &s->points[n];
	return NULL;
}

void gdb_points_settle(struct gdb_stub *s)
{
	for (unsigned n = s->nr_points; n-- > 0;) {
		if (!s->points[n].gone)
			continue;
		debug_remove(s->debugger, s->points[n].id);
		s->points[n] = s->points[--s->nr_points];
	}
}

/* "TYPE,ADDR,KIND", where kind is the length of a watchpoint. */
static bool parse_point(const char *at, struct gdb_point *p)
{
	uint64_t type;

	memset(p, 0, sizeof(*p));
	if (!gdb_number(&at, &type) || type > GDB_AWATCH || *at++ != ',' ||
	    !range(&at, &p->addr, &p->len))
		return false;
	p->type = (enum gdb_point_type)type;
	if (type <= GDB_HW_BREAK)
		p->len = 1;
	return true;
}

static struct gdb_point *same_point(struct gdb_stub *s, const struct gdb_point *as)
{
	for (unsigned n = 0; n < s->nr_points; n++) {
		struct gdb_point *p = &s->points[n];

		if (p->type == as->type && p->addr == as->addr && p->len == as->len)
			return p;
	}
	return NULL;
}

void gdb_insert_point(struct gdb_stub *s, char *args, size_t len)
{
	static const uint8_t on[] = {WATCH_EXEC, WATCH_EXEC, WATCH_WRITE, WATCH_READ,
				     WATCH_READ | WATCH_WRITE};
	struct gdb_point p, *same, *more;

	(void)len;
	if (!parse_point(args, &p)) {
		gdb_error(s, GDB_EINVAL);
		return;
	}
	same = same_point(s, &p);
	if (same) {
		same->gone = false;
		gdb_reply(s, "OK");
		return;
	}
	more = s->nr_points < MAX_POINTS
		   ? realloc(s->points, (s->nr_points + 1) * sizeof(*s->points))
		   : NULL;
	if (!more) {
		gdb_error(s, GDB_ENOSPC);
		return;
	}
	s->points = more;
	p.id = debug_add(
	    s->debugger,
	    &(struct debug_point){
		.at = {.addr = p.addr, .len = p.len, .on = on[p.type], .physical = s->physical},
		.cpu = DEBUG_ALL_CPUS,
		.enabled = true,
		.owner = s});
	if (p.id < 0) {
		gdb_error(s, (unsigned)-p.id);
		return;
	}
	s->points[s->nr_points++] = p;
	gdb_reply(s, "OK");
}

void gdb_remove_point(struct gdb_stub *s, char *args, size_t len)
{
	struct gdb_point p, *same;

	(void)len;
	if (!parse_point(args, &p) || !(same = same_point(s, &p))) {
		gdb_error(s, GDB_EINVAL);
		return;
	}
	same->gone = true;
	gdb_reply(s, "OK");
}
