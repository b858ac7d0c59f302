/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The monitor: a small set of QEMU's commands.
 */
#include "frontend/monitor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/cpus.h"
#include "accel/engine.h"
#include "accel/stats.h"
#include "cpu/vcpu.h"
#include "frontend/options.h"
#include "frontend/screendump.h"
#include "frontend/snapshot.h"
#include "hw/display/display.h"
#include "hw/pc.h"

#define MAX_LINE    1024
#define HOLD_MS     100
#define HOLD_MAX_MS 10000

static const char no_display[] = "there is no display: -vga std adds one";

struct out {
	void (*print)(void *opaque, const char *text);
	void *opaque;
};

static void out(const struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void out(const struct out *o, const char *fmt, ...)
{
	char buf[2 * TEXT_MAX_COLUMNS];
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

/* The whole screen as text, without the empty lines at its end. */
static void info_screen(struct pc *pc, const struct out *o)
{
	const struct display *d = pc->m.displays;
	struct text_screen *t = d ? malloc(sizeof(*t)) : NULL;
	unsigned rows = 0;

	if (!d || !t || !d->text || !d->text(d->dev, t)) {
		out(o, "%s\n", d ? "the display shows graphics: screendump saves it" : no_display);
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

/* ---- commands with arguments ---- */

#define MAX_ARGS 4

struct args {
	unsigned nr;
	char *arg[MAX_ARGS];
};

/* screendump FILE [-f FORMAT]; QEMU has them in either order. */
static void cmd_screendump(struct monitor *m, const struct out *o, const struct args *a)
{
	enum picture_format format = PICTURE_PPM;
	const char *path = NULL;
	int err;

	for (unsigned i = 0; i < a->nr; i++) {
		bool is_format = strcmp(a->arg[i], "-f") == 0 && i + 1 < a->nr;

		if (is_format && strcmp(a->arg[i + 1], "png") == 0) {
			format = PICTURE_PNG;
		} else if (!is_format && !path && a->arg[i][0] != '-') {
			path = a->arg[i];
		} else if (!is_format || strcmp(a->arg[i + 1], "ppm") != 0) {
			path = NULL;
			break;
		}
		i += is_format;
	}
	if (!path) {
		out(o, "screendump FILE [-f ppm|png]\n");
		return;
	}
	if (!m->pc->m.displays) {
		out(o, "%s\n", no_display);
		return;
	}
	err = screendump(m->pc->m.displays, path, format);
	if (err < 0)
		out(o, "cannot write %s: %s\n", path, strerror(-err));
}

/* savevm, loadvm, delvm NAME */
static void snapshot(struct monitor *m, const struct out *o, const struct args *a,
		     int (*act)(struct pc *pc, struct drive_set *drives, const char *name,
				char *err, size_t errlen))
{
	char err[512];

	if (a->nr != 1)
		out(o, "the name of a snapshot in the disks, or file:PATH\n");
	else if (act(m->pc, m->drives, a->arg[0], err, sizeof(err)) < 0)
		out(o, "%s\n", err);
}

static void cmd_savevm(struct monitor *m, const struct out *o, const struct args *a)
{
	snapshot(m, o, a, snapshot_save);
}

static void cmd_loadvm(struct monitor *m, const struct out *o, const struct args *a)
{
	snapshot(m, o, a, snapshot_load);
}

static void cmd_delvm(struct monitor *m, const struct out *o, const struct args *a)
{
	snapshot(m, o, a, snapshot_delete);
}

static void info_snapshots(struct monitor *m, const struct out *o, const struct args *a)
{
	(void)a;
	snapshot_list(m->drives, o->print, o->opaque);
}

/* sendkey KEYS [MILLISECONDS] */
static void cmd_sendkey(struct monitor *m, const struct out *o, const struct args *a)
{
	char err[160], *end = NULL;
	unsigned long hold = HOLD_MS;

	if (a->nr == 2)
		hold = strtoul(a->arg[1], &end, 10);
	if (a->nr < 1 || a->nr > 2 || (end && (*end || !hold || hold > HOLD_MAX_MS)))
		out(o, "sendkey KEYS [MILLISECONDS], as in sendkey ctrl-alt-delete 100\n");
	else if (sendkey_queue(&m->keys, a->arg[0], (unsigned)hold, err, sizeof(err)) < 0)
		out(o, "%s\n", err);
}

/* ---- pointers ---- */

/* The numbers from min to max that the arguments are; false where there are more or fewer of them, or others. */
static bool numbers(const struct args *a, unsigned least, unsigned most, long min, long max,
		    long *to)
{
	if (a->nr < least || a->nr > most)
		return false;
	for (unsigned i = 0; i < a->nr; i++) {
		char *end;

		to[i] = strtol(a->arg[i], &end, 0);
		if (end == a->arg[i] || *end || to[i] < min || to[i] > max)
			return false;
	}
	return true;
}

static void cmd_mouse_move(struct monitor *m, const struct out *o, const struct args *a)
{
	struct input *in = &m->pc->m.input;
	long n[3] = {0};

	if (!numbers(a, 2, 3, -0x7fff, 0x7fff, n)) {
		out(o, "mouse_move DX DY [DZ], in dots and clicks of the wheel\n");
		return;
	}
	input_pointer(
	    in, &(struct input_pointer){
		    .x = (int)n[0], .y = (int)n[1], .dz = (int)n[2], .buttons = in->last.buttons});
}

static void cmd_mouse_button(struct monitor *m, const struct out *o, const struct args *a)
{
	struct input *in = &m->pc->m.input;
	struct input_pointer p = in->last;
	long n;

	if (!numbers(a, 1, 1, 0, 7, &n)) {
		out(o, "mouse_button STATE: the sum of 1 (left), 2 (middle) and 4 (right)\n");
		return;
	}
	p.buttons =
	    (n & 1 ? BUTTON_LEFT : 0) | (n & 2 ? BUTTON_MIDDLE : 0) | (n & 4 ? BUTTON_RIGHT : 0);
	input_pointer(in, &p);
}

static void cmd_mouse_set(struct monitor *m, const struct out *o, const struct args *a)
{
	struct input *in = &m->pc->m.input;
	struct input_handler *h = in->handlers;
	long n = -1;

	if (numbers(a, 1, 1, 0, 0xffff, &n))
		while (h && (h->index != (unsigned)n || !(h->kinds & ~INPUT_KEYS)))
			h = h->next;
	if (n < 0 || !h)
		out(o, "mouse_set INDEX: one of those that info mice lists\n");
	else
		input_activate(in, h);
}

static void info_mice(struct pc *pc, const struct out *o)
{
	const struct input *in = &pc->m.input;
	const struct input_handler *first = input_first(in, INPUT_RELATIVE | INPUT_ABSOLUTE);

	for (const struct input_handler *h = in->handlers; h; h = h->next)
		if (h->kinds & (INPUT_RELATIVE | INPUT_ABSOLUTE))
			out(o, "%c Mouse #%u: %s%s\n", h == first ? '*' : ' ', h->index, h->name,
			    h->kinds & INPUT_ABSOLUTE ? " (absolute)" : "");
}

static void cmd_help(struct pc *pc, const struct out *o);

static const struct command {
	const char *name;
	void (*run)(struct pc *pc, const struct out *o);
	void (*run_with)(struct monitor *m, const struct out *o, const struct args *a);
	const char *help;
} commands[] = {
    {"help", cmd_help, NULL, "this list"},
    {"info registers", info_registers, NULL, "all CPUs' registers"},
    {"info status", info_status, NULL, "whether the guest runs"},
    {"info cpus", info_cpus, NULL, "CPUs, engine, instructions"},
    {"info jit", info_jit, NULL, "what the engine has counted"},
    {"info screen", info_screen, NULL, "what a text mode shows"},
    {"stop", cmd_stop, NULL, "stop the guest"},
    {"cont", cmd_cont, NULL, "let it go on (also c)"},
    {"system_reset", cmd_reset, NULL, "reset the machine"},
    {"system_powerdown", cmd_powerdown, NULL, "press the power button"},
    {"accel kvm", cmd_kvm, NULL, "go on under KVM"},
    {"accel jit", cmd_jit, NULL, "go on in the translator"},
    {"accel interp", cmd_interp, NULL, "go on in the interpreter"},
    {"nmi", cmd_nmi, NULL, "send an NMI to the first CPU"},
    {"screendump", NULL, cmd_screendump, "FILE [-f ppm|png]: save the picture"},
    {"sendkey", NULL, cmd_sendkey, "KEYS [MS]: press keys, as in ctrl-alt-f1, ret or spc"},
    {"mouse_move", NULL, cmd_mouse_move, "DX DY [DZ]: move the mouse, turn its wheel"},
    {"mouse_button", NULL, cmd_mouse_button, "STATE: hold buttons; 1 left, 2 middle, 4 right"},
    {"mouse_set", NULL, cmd_mouse_set, "INDEX: which device gets the pointer"},
    {"info mice", info_mice, NULL, "pointing devices"},
    {"info snapshots", NULL, info_snapshots, "those in the disks that have a machine's state"},
    {"savevm", NULL, cmd_savevm, "NAME: save machine and disks; file:PATH: the machine"},
    {"loadvm", NULL, cmd_loadvm, "NAME: go on from there; or file:PATH"},
    {"delvm", NULL, cmd_delvm, "NAME: delete a snapshot"},
    {"quit", cmd_quit, NULL, "end the emulator (also q)"},
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void cmd_help(struct pc *pc, const struct out *o)
{
	(void)pc;
	for (size_t i = 0; i < NR_COMMANDS; i++)
		out(o, "  %-18s %s\n", commands[i].name, commands[i].help);
}

/* Words separated by single spaces, without those at the ends. */
static void tidy(char *to, size_t len, const char *line)
{
	size_t n = 0;

	for (; *line && n < len - 1; line++)
		if (*line != ' ' || (n && to[n - 1] != ' '))
			to[n++] = *line;
	while (n && to[n - 1] == ' ')
		n--;
	to[n] = 0;
}

/* The command that the line begins with, and what follows it; NULL: none. */
static const struct command *find(char *line, struct args *a)
{
	a->nr = 0;
	for (size_t i = 0; i < NR_COMMANDS; i++) {
		size_t n = strlen(commands[i].name);
		char *rest = line + n;

		if (strncmp(commands[i].name, line, n) != 0 || (*rest && *rest != ' '))
			continue;
		if (*rest && !commands[i].run_with)
			continue;
		while (*rest && a->nr < MAX_ARGS) {
			*rest++ = 0;
			a->arg[a->nr++] = rest;
			rest += strcspn(rest, " ");
		}
		*rest = 0;
		return &commands[i];
	}
	return NULL;
}

void monitor_init(struct monitor *m, struct pc *pc)
{
	m->pc = pc;
	sendkey_init(&m->keys, &pc->m.input, &pc->m.clock);
}

void monitor_command(struct monitor *m, const char *line,
		     void (*print)(void *opaque, const char *text), void *opaque)
{
	const struct out o = {print, opaque};
	const char *names[NR_COMMANDS + 1] = {NULL}, *near;
	const struct command *c;
	char words[MAX_LINE];
	struct args a;

	tidy(words, sizeof(words), line);
	if (!*words)
		return;
	if (strcmp(words, "q") == 0)
		strcpy(words, "quit");
	else if (strcmp(words, "c") == 0)
		strcpy(words, "cont");
	else if (strcmp(words, "?") == 0)
		strcpy(words, "help");
	c = find(words, &a);
	if (c && c->run_with) {
		c->run_with(m, &o, &a);
		return;
	}
	if (c) {
		c->run(m->pc, &o);
		return;
	}
	for (size_t i = 0; i < NR_COMMANDS; i++)
		names[i] = commands[i].name;
	near = nearest_name(words, names);
	if (near)
		out(&o, "unknown command: %s (did you mean %s?)\n", words, near);
	else
		out(&o, "unknown command: %s (help lists them)\n", words);
}
