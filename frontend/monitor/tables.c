/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Descriptor tables and the TSS. SDM vol. 3A 3.4.5 (segment descriptors), 3.5 (system descriptors), 6.11 and 6.14.1
 * (gates), 7.2.1 and 7.7 (TSS).
 */
#include <inttypes.h>
#include <stdio.h>

#include "cpu/vcpu.h"
#include "frontend/monitor/view.h"

static const char *const system_types[2][16] = {
    {"reserved", "16-bit TSS", "LDT", "16-bit TSS (busy)", "16-bit call gate", "task gate",
     "16-bit interrupt gate", "16-bit trap gate", "reserved", "32-bit TSS", "reserved",
     "32-bit TSS (busy)", "32-bit call gate", "reserved", "32-bit interrupt gate",
     "32-bit trap gate"},
    {"reserved", "reserved", "LDT", "reserved", "reserved", "reserved", "reserved", "reserved",
     "reserved", "64-bit TSS", "reserved", "64-bit TSS (busy)", "64-bit call gate", "reserved",
     "64-bit interrupt gate", "64-bit trap gate"},
};

static bool long_mode(const struct view *w)
{
	return w->v->efer & EFER_LMA;
}

static void info_idt(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct view w;
	unsigned size;

	(void)a;
	view_begin(&w, m, o);
	size = long_mode(&w) ? 16 : w.v->cr0 & CR0_PE ? 8 : 4;
	out(o, "IDT at 0x%" PRIx64 ", limit 0x%x\n", w.v->idt.base, w.v->idt.limit);
	for (unsigned n = 0; n < 256 && (n + 1) * size - 1 <= w.v->idt.limit; n++) {
		char where[VIEW_ADDRESS];
		uint64_t g[2] = {0}, off;
		unsigned type;

		if (view_read(&w, w.v->idt.base + (uint64_t)n * size, g, size) < 0) {
			out(o, "0x%02x: nothing is mapped\n", n);
			break;
		}
		if (size == 4) {
			out(o, "0x%02x: %04x:%04x\n", n, (unsigned)(g[0] >> 16 & 0xffff),
			    (unsigned)(g[0] & 0xffff));
			continue;
		}
		if (!(g[0] >> 47 & 1))
			continue;
		type = g[0] >> 40 & 15;
		off = (g[0] & 0xffff) | (g[0] >> 32 & 0xffff0000) | (size == 16 ? g[1] << 32 : 0);
		view_address(m->env, off, where);
		out(o, "0x%02x: %04x:%s %s DPL %u", n, (unsigned)(g[0] >> 16 & 0xffff), where,
		    system_types[size == 16][type], (unsigned)(g[0] >> 45 & 3));
		if (size == 16 && g[0] >> 32 & 7)
			out(o, " IST %u", (unsigned)(g[0] >> 32 & 7));
		out(o, "\n");
	}
	view_end(&w);
}

static void segment_text(const struct view *w, uint64_t raw, uint64_t high, char *buf, size_t len)
{
	uint64_t base = (raw >> 16 & 0xffffff) | (raw >> 32 & 0xff000000) | high << 32;
	uint32_t limit = (uint32_t)((raw & 0xffff) | (raw >> 32 & 0xf0000));
	unsigned type = raw >> 40 & 15;
	const char *what;

	if (raw >> 55 & 1)
		limit = limit << 12 | 0xfff;
	if (!(raw >> 44 & 1)) {
		what = system_types[long_mode(w)][type];
		if (type == 4 || type == 5 || type == 12) {
			snprintf(buf, len, "%s to %04x", what, (unsigned)(raw >> 16 & 0xffff));
			return;
		}
	} else if (type & 8) {
		what = raw >> 53 & 1   ? "64-bit code"
		       : raw >> 54 & 1 ? "32-bit code"
				       : "16-bit code";
	} else {
		what = raw >> 54 & 1 ? "32-bit data" : "16-bit data";
	}
	snprintf(buf, len, "base 0x%08" PRIx64 " limit 0x%08x DPL %u %s%s%s%s", base, limit,
		 (unsigned)(raw >> 45 & 3), what,
		 !(raw >> 44 & 1) ? ""
		 : type & 8       ? (type & 2 ? ", readable" : "")
				  : (type & 2 ? ", writable" : ""),
		 raw >> 44 & 1 && type & 4 ? (type & 8 ? ", conforming" : ", expand-down") : "",
		 raw >> 44 & 1 && type & 1 ? ", accessed" : "");
}

static void dump_table(struct view *w, const char *name, uint64_t base, uint32_t limit)
{
	out(w->o, "%s at 0x%" PRIx64 ", limit 0x%x\n", name, base, limit);
	for (unsigned n = 0; n < 8192 && n * 8 + 7 <= limit; n++) {
		uint64_t raw, high = 0;
		char text[160];
		bool wide;

		if (view_read(w, base + 8ull * n, &raw, 8) < 0) {
			out(w->o, "%04x: nothing is mapped\n", n * 8);
			return;
		}
		if (!(raw >> 47 & 1))
			continue;
		wide = long_mode(w) && !(raw >> 44 & 1);
		if (wide)
			view_read(w, base + 8ull * n + 8, &high, 8);
		segment_text(w, raw, high & 0xffffffff, text, sizeof(text));
		out(w->o, "%04x: %s\n", n * 8, text);
		n += wide;
	}
}

static void info_gdt(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct view w;

	(void)a;
	view_begin(&w, m, o);
	dump_table(&w, "GDT", w.v->gdt.base, w.v->gdt.limit);
	view_end(&w);
}

static void info_ldt(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct view w;

	(void)a;
	view_begin(&w, m, o);
	if (w.v->ldtr.attr & SEG_NULL || !(w.v->ldtr.attr & SEG_P))
		out(o, "there is no LDT\n");
	else
		dump_table(&w, "LDT", w.v->ldtr.base, w.v->ldtr.limit);
	view_end(&w);
}

static void info_tss(struct monitor *m, const struct out *o, const struct arg *a)
{
	uint64_t v = 0;
	struct view w;

	(void)a;
	view_begin(&w, m, o);
	out(o, "TSS %04x at 0x%" PRIx64 ", limit 0x%x\n", w.v->tr.sel, w.v->tr.base, w.v->tr.limit);
	if (long_mode(&w)) {
		for (unsigned n = 0; n < 3 && view_read(&w, w.v->tr.base + 4 + 8 * n, &v, 8) == 0;
		     n++)
			out(o, "RSP%u 0x%016" PRIx64 "\n", n, v);
		for (unsigned n = 1;
		     n < 8 && view_read(&w, w.v->tr.base + 0x1c + 8 * n, &v, 8) == 0; n++)
			out(o, "IST%u 0x%016" PRIx64 "\n", n, v);
	} else if ((w.v->tr.attr & 8) == 8) {
		for (unsigned n = 0; n < 3; n++) {
			uint64_t ss = 0;

			if (view_read(&w, w.v->tr.base + 4 + 8 * n, &v, 4) < 0 ||
			    view_read(&w, w.v->tr.base + 8 + 8 * n, &ss, 2) < 0)
				break;
			out(o, "SS%u:ESP%u %04x:%08x\n", n, n, (unsigned)ss, (unsigned)v);
		}
	}
	view_end(&w);
}

const struct command table_commands[] = {
    {"info idt", NULL, info_idt, "interrupt descriptor table", "info idt"},
    {"info gdt", NULL, info_gdt, "global descriptor table", "info gdt"},
    {"info ldt", NULL, info_ldt, "local descriptor table", "info ldt"},
    {"info tss", NULL, info_tss, "task state segment", "info tss"},
    {0},
};
