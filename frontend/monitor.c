/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The monitor: a small set of QEMU's commands.
 */
#include "frontend/monitor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "accel/cpus.h"
#include "accel/engine.h"
#include "accel/stats.h"
#include "cpu/vcpu.h"
#include "frontend/options.h"
#include "hw/pc.h"

struct out {
	void (*print)(void *opaque, const char *text);
	void *opaque;
};

static void out(const struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void out(const struct out *o, const char *fmt, ...)
{
	char buf[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	o->print(o->opaque, buf);
}

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
	out(o, "RIP=%016" PRIx64 " RFL=%08" PRIx64 " CPL=%u %s\n", v->rip, rflags_get(v),
	    vcpu_cpl(v), act[v->activity]);
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

static void info_registers(struct pc *pc, const struct out *o)
{
	bool was_stopped = pc->m.stopped;

	machine_stop_locked(&pc->m);
	for (unsigned i = 0; i < pc->cpus; i++) {
		out(o, "CPU#%u\n", i);
		print_registers(o, cpus_state(pc->m.cpus, i));
	}
	if (!was_stopped)
		machine_cont_locked(&pc->m);
}

static void info_status(struct pc *pc, const struct out *o)
{
	out(o, "VM status: %s\n", pc->m.stopped ? "paused" : "running");
}

static void info_cpus(struct pc *pc, const struct out *o)
{
	static const char *const failure[FAILURES] = {
	    [FAIL_EMULATION] = "not emulated", [FAIL_ENTRY] = "state not accepted",
	    [FAIL_MSR] = "other MSRs",         [FAIL_MEMORY] = "A20 gate or memory map",
	    [FAIL_BOUND] = "to be counted",
	};

	out(o, "%u CPUs, %s, engine %s, %" PRIu64 " instructions retired\n", pc->cpus,
	    pc->model.name, pc->m.engine->name, cpus_retired(pc->m.cpus));
	for (unsigned i = 0; i < pc->cpus; i++)
		if (cpus_on(pc->m.cpus, i) != pc->m.engine)
			out(o, "CPU#%u is on %s\n", i, cpus_on(pc->m.cpus, i)->name);
	for (int i = 0; i < FAILURES; i++)
		if (cpus_hops(pc->m.cpus, i))
			out(o, "%" PRIu64 " instructions by the interpreter: %s\n",
			    cpus_hops(pc->m.cpus, i), failure[i]);
}

static void hop(struct pc *pc, const struct out *o, const struct engine *engine)
{
	const char *why = engine->unusable();
	int err;

	if (!why && engine->native && pc->m.bus.sync)
		why = "it does not count instructions, as -icount needs";
	if (why) {
		out(o, "%s cannot run here: %s\n", engine->name, why);
		return;
	}
	err = machine_hop_locked(&pc->m, engine);
	if (err == -ENOTSUP)
		out(o, "%s has not all features of this CPU model: start with -accel %s\n",
		    engine->name, engine->name);
	else if (err < 0)
		out(o, "%s cannot take over: %s\n", engine->name, strerror(-err));
}

static void cmd_interp(struct pc *pc, const struct out *o)
{
	hop(pc, o, &engine_interp);
}

static void cmd_jit(struct pc *pc, const struct out *o)
{
	hop(pc, o, &engine_jit);
}

static void cmd_kvm(struct pc *pc, const struct out *o)
{
	hop(pc, o, &engine_kvm);
}

static void info_jit(struct pc *pc, const struct out *o)
{
	bool was_stopped = pc->m.stopped;
	struct engine_stats sum;

	if (engine_stats_init(&sum) < 0)
		return;
	machine_stop_locked(&pc->m);
	cpus_stats(pc->m.cpus, &sum);
	if (!was_stopped)
		machine_cont_locked(&pc->m);
	engine_stats_print(&sum, o->print, o->opaque);
	engine_stats_fini(&sum);
}

static void cmd_quit(struct pc *pc, const struct out *o)
{
	(void)o;
	machine_request_quit(&pc->m);
}

static void cmd_stop(struct pc *pc, const struct out *o)
{
	(void)o;
	machine_stop_locked(&pc->m);
}

static void cmd_cont(struct pc *pc, const struct out *o)
{
	(void)o;
	machine_cont_locked(&pc->m);
}

static void cmd_reset(struct pc *pc, const struct out *o)
{
	(void)o;
	machine_request_reset(&pc->m);
}

static void cmd_powerdown(struct pc *pc, const struct out *o)
{
	(void)o;
	acpi_pm_power_button(&pc->pm);
}

static void cmd_nmi(struct pc *pc, const struct out *o)
{
	(void)o;
	cpus_nmi(pc->m.cpus, 0);
}

static void cmd_help(struct pc *pc, const struct out *o);

static const struct command {
	const char *name;
	void (*run)(struct pc *pc, const struct out *o);
	const char *help;
} commands[] = {
    {"help", cmd_help, "this list"},
    {"info registers", info_registers, "all CPUs' registers"},
    {"info status", info_status, "whether the guest runs"},
    {"info cpus", info_cpus, "CPUs, engine, instructions"},
    {"info jit", info_jit, "what the engine has counted"},
    {"stop", cmd_stop, "stop the guest"},
    {"cont", cmd_cont, "let it go on (also c)"},
    {"system_reset", cmd_reset, "reset the machine"},
    {"system_powerdown", cmd_powerdown, "press the power button"},
    {"accel kvm", cmd_kvm, "go on under KVM"},
    {"accel jit", cmd_jit, "go on in the translator"},
    {"accel interp", cmd_interp, "go on in the interpreter"},
    {"nmi", cmd_nmi, "send an NMI to the first CPU"},
    {"quit", cmd_quit, "end the emulator (also q)"},
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void cmd_help(struct pc *pc, const struct out *o)
{
	(void)pc;
	for (size_t i = 0; i < NR_COMMANDS; i++)
		out(o, "  %-18s %s\n", commands[i].name, commands[i].help);
}

void monitor_command(struct pc *pc, const char *line, void (*print)(void *opaque, const char *text),
		     void *opaque)
{
	const struct out o = {print, opaque};
	const char *names[NR_COMMANDS + 1] = {NULL}, *near;
	char word[128];
	size_t n = 0;

	/* Words separated by single spaces. */
	for (; *line && n < sizeof(word) - 1; line++)
		if (*line != ' ' || (n && word[n - 1] != ' '))
			word[n++] = *line;
	while (n && word[n - 1] == ' ')
		n--;
	word[n] = 0;
	if (!n)
		return;
	if (strcmp(word, "q") == 0)
		strcpy(word, "quit");
	else if (strcmp(word, "c") == 0)
		strcpy(word, "cont");
	else if (strcmp(word, "?") == 0)
		strcpy(word, "help");
	for (size_t i = 0; i < NR_COMMANDS; i++) {
		if (strcmp(commands[i].name, word) == 0) {
			commands[i].run(pc, &o);
			return;
		}
		names[i] = commands[i].name;
	}
	near = nearest_name(word, names);
	if (near)
		out(&o, "unknown command: %s (did you mean %s?)\n", word, near);
	else
		out(&o, "unknown command: %s (help lists them)\n", word);
}
