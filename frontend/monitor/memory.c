/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Memory and ports: x, xp, print, i, o and their kin. Formats are those of gdb and QEMU: /COUNT FORMAT SIZE.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/vcpu.h"
#include "frontend/debug/memory.h"
#include "frontend/monitor/print.h"
#include "frontend/monitor/view.h"
#include "hw/pc.h"

#define MAX_COUNT 65536
#define CHUNK     65536
#define MAX_TEXT  256

struct format {
	unsigned count;
	char how;      /* x d u o c i s a */
	unsigned size; /* bytes */
};

static bool parse_format(const struct out *o, const struct arg *a, struct format *f)
{
	const char *s = a->given ? a->text : "";
	char *end;

	if (isdigit((unsigned char)*s)) {
		unsigned long n = strtoul(s, &end, 10);

		f->count = n < MAX_COUNT ? (unsigned)n : MAX_COUNT;
		s = end;
	}
	for (; *s; s++)
		switch (*s) {
		case 'b':
			f->size = 1;
			break;
		case 'h':
			f->size = 2;
			break;
		case 'w':
			f->size = 4;
			break;
		case 'g':
			f->size = 8;
			break;
		default:
			if (!strchr("xduocisa", *s)) {
				out(o,
				    "/%s: a format is a count, one of xduocisa, and a size: b, h, "
				    "w "
				    "or g\n",
				    a->text);
				return false;
			}
			f->how = *s;
			if (*s == 'a')
				f->size = 8;
			if (*s == 'c')
				f->size = 1;
		}
	return true;
}

static void print_number(struct view *w, uint64_t n, const struct format *f)
{
	const unsigned bits = f->size * 8;
	char buf[VIEW_ADDRESS];
	int64_t sgn = (int64_t)(n << (64 - bits)) >> (64 - bits);

	switch (f->how) {
	case 'd':
		out(w->o, "%" PRId64, sgn);
		break;
	case 'u':
		out(w->o, "%" PRIu64, n);
		break;
	case 'o':
		out(w->o, "0%" PRIo64, n);
		break;
	case 'c':
		out(w->o, n >= ' ' && n < 0x7f ? "'%c'" : "'\\x%02x'", (int)n);
		break;
	case 'a':
		view_address(w->m->env, n, buf);
		out(w->o, "%s", buf);
		break;
	default:
		out(w->o, "0x%0*" PRIx64, (int)f->size * 2, n);
		break;
	}
}

static int fetch(struct view *w, uint64_t addr, bool physical, void *buf, size_t len)
{
	return physical ? aspace_dma_read(&w->m->pc->m.mem, addr, buf, len)
			: view_read(w, addr, buf, len);
}

static void dump_strings(struct view *w, uint64_t addr, unsigned count, bool physical)
{
	for (unsigned n = 0; n < count; n++) {
		char where[VIEW_ADDRESS], text[MAX_TEXT];
		size_t len = 0;
		uint8_t c = 1;

		view_address(w->m->env, addr, where);
		while (len < sizeof(text) - 1 && fetch(w, addr, physical, &c, 1) == 0) {
			addr++;
			if (!c)
				break;
			text[len++] = c >= ' ' && c < 0x7f ? (char)c : '?';
		}
		text[len] = 0;
		out(w->o, "%s: \"%s\"%s\n", where, text, c ? "..." : "");
		if (c && len < sizeof(text) - 1) {
			out(w->o, "0x%" PRIx64 ": nothing is mapped\n", addr);
			return;
		}
	}
}

static void dump(struct view *w, uint64_t addr, const struct format *f, bool physical)
{
	const unsigned per_line = f->how == 'a'   ? 1
				  : f->how == 'c' ? 8
				  : f->size == 1  ? 16
						  : 16 / f->size;

	for (unsigned n = 0; n < f->count; n++, addr += f->size) {
		char where[VIEW_ADDRESS];
		uint64_t v = 0;

		if (n % per_line == 0) {
			view_address(w->m->env, addr, where);
			out(w->o, "%s%s:", n ? "\n" : "", where);
		}
		if (fetch(w, addr, physical, &v, f->size) < 0) {
			out(w->o, " nothing is mapped at 0x%" PRIx64, addr);
			break;
		}
		out(w->o, " ");
		print_number(w, v, f);
	}
	out(w->o, "\n");
}

static void examine(struct monitor *m, const struct out *o, const struct arg *a, bool physical)
{
	struct format f = {1, 'x', 4};
	uint64_t addr;
	struct view w;

	if (!parse_format(o, &a[0], &f))
		return;
	view_begin(&w, m, o);
	if (view_place(&w, a[1].text, &addr)) {
		if (f.how == 'i') {
			for (unsigned n = 0, len = 1; len && n < f.count; n++, addr += len)
				len = view_insn(
				    &w, addr, physical,
				    !physical && addr == w.v->seg[CS].base + w.v->rip ? '>' : ' ');
		} else if (f.how == 's') {
			dump_strings(&w, addr, f.count, physical);
		} else {
			dump(&w, addr, &f, physical);
		}
	}
	view_end(&w);
}

static void cmd_x(struct monitor *m, const struct out *o, const struct arg *a)
{
	examine(m, o, a, false);
}

static void cmd_xp(struct monitor *m, const struct out *o, const struct arg *a)
{
	examine(m, o, a, true);
}

static void cmd_print(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct format f = {1, 0, 8};
	struct value v;
	struct view w;
	uint64_t n;

	if (!parse_format(o, &a[0], &f))
		return;
	view_begin(&w, m, o);
	if (expr_eval(&w.env, a[1].text, &v) < 0) {
		out(o, "%s\n", w.env.err);
	} else if (f.how && f.how != 's' && f.how != 'i') {
		if (expr_load(&w.env, &v, &n) < 0) {
			out(o, "%s\n", w.env.err);
		} else {
			print_number(&w, n, &f);
			out(o, "\n");
		}
	} else {
		print_value(&w, &v);
	}
	view_end(&w);
}

static void cmd_set(struct monitor *m, const struct out *o, const struct arg *a)
{
	const char *text = a[0].text, *equals = strchr(text, '=');
	char left[MONITOR_MAX_LINE];
	struct value v;
	struct view w;
	uint64_t n, size;
	unsigned reg;

	if (!equals) {
		out(o, "set PLACE = VALUE, as in set $rax = 1\n");
		return;
	}
	snprintf(left, sizeof(left), "%.*s", (int)(equals - text), text);
	while (*left && left[strlen(left) - 1] == ' ')
		left[strlen(left) - 1] = 0;
	view_begin(&w, m, o);
	if (view_number(&w, equals + 1, &n)) {
		uint64_t *slot = left[0] == '$' ? expr_register_slot(w.v, left + 1, &reg) : NULL;

		if (slot)
			*slot = reg == 4 ? (uint32_t)n : n;
		else if (left[0] == '$')
			out(o, "%s cannot be set; general registers and $rip can\n", left);
		else if (expr_eval(&w.env, left, &v) < 0)
			out(o, "%s\n", w.env.err);
		else if (!v.lvalue || v.bits || !(size = expr_size(v.type)) || size > 8)
			out(o, "%s is no place in memory; try *(u32 *)ADDR\n", left);
		else if (debug_write(m->pc, w.v, v.addr, &n, size) < 0)
			out(o, "nothing is mapped at 0x%" PRIx64 "\n", v.addr);
	}
	view_end(&w);
}

static void cmd_gva2gpa(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct translation t;
	uint64_t addr;
	struct view w;

	view_begin(&w, m, o);
	if (view_place(&w, a[0].text, &addr)) {
		if (debug_translate(m->pc, w.v, addr, &t) < 0)
			out(o, "Unmapped\n");
		else
			out(o, "gpa: %#" PRIx64 "\n", t.gpa);
	}
	view_end(&w);
}

static void cmd_gpa2hva(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct range r;
	uint64_t addr;
	struct view w;

	view_begin(&w, m, o);
	if (view_number(&w, a[0].text, &addr)) {
		if (!aspace_find(&m->pc->m.mem, addr, &r) || !r.ram)
			out(o, "no memory is at 0x%" PRIx64 "\n", addr);
		else
			out(o, "host address of 0x%" PRIx64 " (%s) is %p\n", addr, r.name,
			    (void *)(r.ram->host + r.ram_off + (addr - r.base)));
	}
	view_end(&w);
}

/* i/FMT PORT, o/FMT PORT VALUE. The device sees it as if a CPU did it. */
static void port(struct monitor *m, const struct out *o, const struct arg *a, bool write)
{
	struct format f = {1, 'x', 1};
	uint64_t addr, value = 0;
	struct view w;
	bool ok;

	if (!parse_format(o, &a[0], &f))
		return;
	view_begin(&w, m, o);
	ok = view_number(&w, a[1].text, &addr) && (!write || view_number(&w, a[2].text, &value));
	view_end(&w);
	if (!ok)
		return;
	if (addr > 0xffff || f.size > 4) {
		out(o, "ports are 0 to 0xffff, with 1, 2 or 4 bytes\n");
		return;
	}
	pthread_mutex_unlock(&m->pc->m.lock);
	if (write)
		aspace_write(&m->pc->m.io, addr, value, f.size);
	else
		value = aspace_read(&m->pc->m.io, addr, f.size);
	pthread_mutex_lock(&m->pc->m.lock);
	if (!write)
		out(o, "port%c[0x%04x] = 0x%0*" PRIx64 "\n", "?bw?l"[f.size], (unsigned)addr,
		    (int)f.size * 2, value);
}

static void cmd_i(struct monitor *m, const struct out *o, const struct arg *a)
{
	port(m, o, a, false);
}

static void cmd_o(struct monitor *m, const struct out *o, const struct arg *a)
{
	port(m, o, a, true);
}

static void save(struct monitor *m, const struct out *o, const struct arg *a, bool physical)
{
	uint64_t addr, size;
	uint8_t *buf = malloc(CHUNK);
	struct view w;
	FILE *f;

	view_begin(&w, m, o);
	if (!buf || !view_number(&w, a[0].text, &addr) || !view_number(&w, a[1].text, &size))
		goto end;
	f = fopen(a[2].text, "wbe");
	if (!f) {
		out(o, "cannot write %s: %s\n", a[2].text, strerror(errno));
		goto end;
	}
	while (size) {
		size_t n = size < CHUNK ? size : CHUNK;

		if (fetch(&w, addr, physical, buf, n) < 0) {
			out(o, "not all of 0x%" PRIx64 " to 0x%" PRIx64 " is memory\n", addr,
			    addr + n - 1);
			break;
		}
		if (fwrite(buf, 1, n, f) != n) {
			out(o, "cannot write %s: %s\n", a[2].text, strerror(errno));
			break;
		}
		addr += n;
		size -= n;
	}
	if (fclose(f) != 0)
		out(o, "cannot write %s: %s\n", a[2].text, strerror(errno));
end:
	view_end(&w);
	free(buf);
}

static void cmd_memsave(struct monitor *m, const struct out *o, const struct arg *a)
{
	save(m, o, a, false);
}

static void cmd_pmemsave(struct monitor *m, const struct out *o, const struct arg *a)
{
	save(m, o, a, true);
}

/* The BSD checksum, as QEMU's. */
static void cmd_sum(struct monitor *m, const struct out *o, const struct arg *a)
{
	uint64_t addr, size;
	uint16_t sum = 0;
	struct view w;

	view_begin(&w, m, o);
	if (view_number(&w, a[0].text, &addr) && view_number(&w, a[1].text, &size)) {
		for (; size; size--, addr++) {
			uint8_t b;

			if (fetch(&w, addr, true, &b, 1) < 0) {
				out(o, "no memory is at 0x%" PRIx64 "\n", addr);
				break;
			}
			sum = (uint16_t)((sum >> 1 | sum << 15) + b);
		}
		if (!size)
			out(o, "%05d\n", sum);
	}
	view_end(&w);
}

static void cmd_cpu(struct monitor *m, const struct out *o, const struct arg *a)
{
	char *end;
	unsigned long n = strtoul(a[0].text, &end, 10);

	if (*end || n >= m->pc->cpus) {
		out(o, "there is no CPU %s; there are 0 to %u\n", a[0].text, m->pc->cpus - 1);
		return;
	}
	m->cpu = (unsigned)n;
	m->frame = 0;
}

const struct command memory_commands[] = {
    {"x", "[/fmt] ADDR...", cmd_x, "memory at a linear address; /10i disassembles, /s is text",
     "x /10i $rip"},
    {"xp", "[/fmt] ADDR...", cmd_xp, "memory at a physical address", "xp /4xg 0x1000"},
    {"print|p", "[/fmt] EXPR...", cmd_print, "an expression in C: registers, symbols, structs",
     "p /x $rsp + 8"},
    {"set", "ASSIGNMENT...", cmd_set, "change a register or memory", "set *(u32 *)0x1000 = 5"},
    {"gva2gpa", "ADDR...", cmd_gva2gpa, "the physical address of a linear one", "gva2gpa $rsp"},
    {"gpa2hva", "ADDR...", cmd_gpa2hva, "where the host has physical memory", "gpa2hva 0x100000"},
    {"i", "[/fmt] PORT", cmd_i, "read a port", "i /b 0x60"},
    {"o", "[/fmt] PORT VALUE", cmd_o, "write a port", "o /b 0x80 0x55"},
    {"memsave", "ADDR SIZE FILE", cmd_memsave, "save linear memory to a file",
     "memsave $rsp 4096 /tmp/stack"},
    {"pmemsave", "ADDR SIZE FILE", cmd_pmemsave, "save physical memory to a file",
     "pmemsave 0 0x100000 /tmp/low"},
    {"sum", "ADDR SIZE", cmd_sum, "checksum of physical memory", "sum 0x1000 4096"},
    {"cpu", "N", cmd_cpu, "look at this CPU from now on", "cpu 1"},
    {0},
};
