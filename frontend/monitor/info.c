/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * info: registers, CPUs, counters, the screen.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "accel/cpus.h"
#include "accel/engine.h"
#include "accel/stats.h"
#include "cpu/vcpu.h"
#include "frontend/debug/debugger.h"
#include "frontend/monitor/command.h"
#include "frontend/monitor/view.h"
#include "frontend/snapshot.h"
#include "hw/display/display.h"
#include "hw/pc.h"

static void print_segment(const struct out *o, const char *name, const struct segment *s)
{
	out(o, "%-4s=%04x %016" PRIx64 " %08x %05x\n", name, s->sel, s->base, s->limit, s->attr);
}

static void print_registers(const struct out *o, const struct vcpu *v)
{
	static const char *const gpr[16] = {"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
					    "R8 ", "R9 ", "R10", "R11", "R12", "R13", "R14", "R15"};
	static const char *const seg[NR_SREGS] = {"ES", "CS", "SS", "DS", "FS", "GS"};
	static const char *const act[] = {"running", "halted", "waiting for SIPI", "shut down"};

	for (int i = 0; i < 16; i++)
		out(o, "%s=%016" PRIx64 "%s", gpr[i], v->gpr[i], i % 4 == 3 ? "\n" : " ");
	out(o, "RIP=%016" PRIx64 " RFL=%08" PRIx64 " CPL=%u %s%s\n", v->rip, rflags_get(v),
	    vcpu_cpl(v), act[v->activity], v->smm ? ", in system management mode" : "");
	for (int i = 0; i < NR_SREGS; i++)
		print_segment(o, seg[i], &v->seg[i]);
	print_segment(o, "LDT", &v->ldtr);
	print_segment(o, "TR", &v->tr);
	out(o, "GDT= %016" PRIx64 " %08x\n", v->gdt.base, v->gdt.limit);
	out(o, "IDT= %016" PRIx64 " %08x\n", v->idt.base, v->idt.limit);
	out(o, "CR0=%08" PRIx64 " CR2=%016" PRIx64 " CR3=%016" PRIx64 " CR4=%08" PRIx64 "\n",
	    v->cr0, v->cr2, v->cr3, v->cr4);
	out(o, "DR6=%08" PRIx64 " DR7=%08" PRIx64 " EFER=%08" PRIx64 " XCR0=%08" PRIx64 "\n",
	    v->dr6, v->dr7, v->efer, v->xcr0);
}

/* MMX registers are the x87's; with AVX each vector is 256 bits. */
static void print_vectors(const struct out *o, const struct vcpu *v)
{
	bool avx = v->xcr0 & XCR0_AVX && v->cr4 & CR4_OSXSAVE;

	out(o, "FCW=%04x FSW=%04x [ST=%u] FTW=%02x MXCSR=%08x\n", v->fpu.fcw, v->fpu.fsw,
	    v->fpu.fsw >> 11 & 7, v->fpu.ftw, v->mxcsr);
	for (int i = 0; i < 8; i++)
		out(o, "FPR%d=%016" PRIx64 " %04x%s", i, v->fpu.r[i].mant, v->fpu.r[i].se,
		    i % 2 ? "\n" : " ");
	for (int i = 0; i < 16; i++) {
		out(o, "%cMM%02d=", avx ? 'Y' : 'X', i);
		for (int k = avx ? 3 : 1; k >= 0; k--)
			out(o, "%016" PRIx64, v->v[i].u64[k]);
		out(o, avx || i % 2 ? "\n" : " ");
	}
}

static void info_registers(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct view w;

	view_begin(&w, m, o);
	for (unsigned i = 0; i < m->pc->cpus; i++) {
		const struct vcpu *v = debug_cpu(m->env->debugger, i);
		char name[128];

		if (!a[0].given && i != m->cpu)
			continue;
		view_symbol(m->env, v->rip, false, name, sizeof(name));
		out(o, "CPU#%u%s%s\n", i, *name ? " in " : "", name);
		print_registers(o, v);
		print_vectors(o, v);
	}
	view_end(&w);
}

static void info_status(struct monitor *m, const struct out *o, const struct arg *a)
{
	(void)a;
	out(o, "VM status: %s\n",
	    m->pc->m.stopped     ? "paused"
	    : m->pc->m.suspended ? "paused (suspended)"
				 : "running");
}

static void info_cpus(struct monitor *m, const struct out *o, const struct arg *a)
{
	const struct pc *pc = m->pc;

	(void)a;
	out(o, "%u CPUs, %s, engine %s, %" PRIu64 " instructions retired\n", pc->cpus,
	    pc->model.name, pc->m.engine->name, cpus_retired(pc->m.cpus));
	for (unsigned i = 0; i < pc->cpus; i++)
		if (cpus_on(pc->m.cpus, i) != pc->m.engine)
			out(o, "CPU#%u is on %s\n", i, cpus_on(pc->m.cpus, i)->name);
	for (int i = 0; i < FAILURES; i++)
		if (cpus_hops(pc->m.cpus, i))
			out(o, "%" PRIu64 " instructions by the interpreter: %s\n",
			    cpus_hops(pc->m.cpus, i), cpus_hop_reasons[i]);
}

static void info_jit(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct engine_stats sum;
	bool ran;

	(void)a;
	if (engine_stats_init(&sum) < 0)
		return;
	ran = debug_hold(m->env->debugger);
	cpus_stats(m->pc->m.cpus, &sum);
	debug_release(m->env->debugger, ran);
	engine_stats_print(&sum, o->print, o->opaque);
	engine_stats_fini(&sum);
}

/* The whole screen as text, without the empty lines at its end. */
static void info_screen(struct monitor *m, const struct out *o, const struct arg *a)
{
	const struct display *d = m->pc->m.displays;
	struct text_screen *t = d ? malloc(sizeof(*t)) : NULL;
	unsigned rows = 0;

	(void)a;
	if (!d || !t || !d->text || !d->text(d->dev, t)) {
		out(o, "%s\n",
		    d ? "the display shows graphics: screendump saves it"
		      : "there is no display: -vga std adds one");
		free(t);
		return;
	}
	for (unsigned y = 0; y < t->rows; y++)
		for (unsigned x = 0; x < t->columns; x++)
			if (t->cell[y][x].ch > ' ')
				rows = y + 1;
	for (unsigned y = 0; y < rows; y++) {
		char line[TEXT_MAX_COLUMNS + 1];
		unsigned len = 0;

		for (unsigned x = 0; x < t->columns; x++) {
			uint8_t ch = t->cell[y][x].ch;

			line[x] = ch ? '?' : ' ';
			if (ch >= ' ' && ch < 0x7f)
				line[x] = (char)ch;
			if (line[x] != ' ')
				len = x + 1;
		}
		line[len] = 0;
		out(o, "%s\n", line);
	}
	free(t);
}

static void info_snapshots(struct monitor *m, const struct out *o, const struct arg *a)
{
	(void)a;
	snapshot_list(m->env->drives, o->print, o->opaque);
}

const struct command info_commands[] = {
    {"info registers|info r", "[-a]", info_registers, "the CPU's registers; -a: of all CPUs",
     "info registers -a"},
    {"info status", NULL, info_status, "whether the guest runs", "info status"},
    {"info cpus", NULL, info_cpus, "CPUs, engine, instructions", "info cpus"},
    {"info jit", NULL, info_jit, "what the engine has counted", "info jit"},
    {"info screen", NULL, info_screen, "what a text mode shows", "info screen"},
    {"info snapshots", NULL, info_snapshots, "those in the disks that have a machine's state",
     "info snapshots"},
    {0},
};
