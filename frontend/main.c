/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The program: options to board, files to memory, and the way out. Nothing but this file ends the
 * process.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "accel/cpus.h"
#include "accel/engine.h"
#include "accel/stats.h"
#include "frontend/accel.h"
#include "frontend/audiodev.h"
#include "frontend/bench.h"
#include "frontend/chardev.h"
#include "frontend/console.h"
#include "frontend/doctor.h"
#include "frontend/drive.h"
#include "frontend/img.h"
#include "frontend/firmware.h"
#include "frontend/keymap.h"
#include "frontend/monitor/server.h"
#include "frontend/monitor/session.h"
#include "frontend/monitor/trace.h"
#include "frontend/options.h"
#include "frontend/remote.h"
#include "frontend/run.h"
#include "frontend/snapshot.h"
#include "frontend/sdl.h"
#include "frontend/term.h"
#include "frontend/textcon.h"
#include "frontend/ui.h"
#include "frontend/vnc.h"
#include "hw/display/vga.h"
#include "hw/display/virtio_gpu.h"
#include "hw/loop.h"
#include "hw/pc.h"
#include "roms/roms.h"

struct app {
	struct options opt;
	struct pc_config cfg;
	struct pc *pc;
	struct console console;
	struct monitor_env env;
	struct session session; /* of the console */
	struct monitor_server *monitors;
	struct textcon textcon;
	struct keymap *keymap; /* of -k; or NULL */
	struct ui ui;
	struct vc *vcs;
	struct vc_font *font;
	struct sdl *sdl;
	struct vnc *vnc;
	bool has_console;
	struct backend *backends;
	struct remotes *remotes;
	struct chardev *chardevs[MAX_CHARDEV]; /* those of -chardev that devices use */
	struct chardev nowhere[MAX_CHARDEV];
	struct drive_set *drives;
	struct netdev_set *netdevs;
	struct audiodev_set *audiodevs;
	struct blob kernel, firmware;
	struct boot_module modules[BOOT_MAX_MODULES];
	unsigned nr_modules;
	int signals; /* signalfd of what we handle */
	int dying;   /* signalfd of what ends us: never read, only looked at */
	char err[1024];
	char engine_note[1024]; /* said once nothing else can go wrong */
	const struct run_hooks *hooks;
};

static int complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static int complain(const char *fmt, ...)
{
	char line[8192];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* One line, whatever the user's words hold. */
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = ' ';
	fprintf(stderr, "doppel: %s\n", line);
	return 1;
}

/* ---- files ---- */

/* Reads a whole file into memory of its own. */
static int read_file(struct blob *b, const char *what, const char *path)
{
	uint8_t *data = NULL;
	size_t len = 0, cap = 0;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return complain("cannot open %s %s: %s", what, path, strerror(errno));
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		close(fd);
		return complain("cannot read %s %s: it is a directory", what, path);
	}
	for (;;) {
		ssize_t n;

		if (len == cap) {
			uint8_t *more;

			cap = cap ? cap * 2
				  : (st.st_size > 0 ? (size_t)st.st_size + 1 : (size_t)65536);
			more = cap <= 1ull << 40 ? realloc(data, cap) : NULL;
			if (!more) {
				close(fd);
				free(data);
				return complain("cannot read %s %s: out of memory", what, path);
			}
			data = more;
		}
		n = read(fd, data + len, cap - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int err = errno;

			close(fd);
			free(data);
			return complain("cannot read %s %s: %s", what, path, strerror(err));
		}
		if (n == 0)
			break;
		len += (size_t)n;
	}
	close(fd);
	*b = (struct blob){path, data, len};
	return 0;
}

/* Takes over line and makes it a module, whose file is its first word. */
static int add_module(struct app *a, char *line, bool words)
{
	struct boot_module *m = &a->modules[a->nr_modules];
	char *path, *space;

	if (line && a->nr_modules == BOOT_MAX_MODULES) {
		free(line);
		return complain("-initrd: at most %d modules are supported", BOOT_MAX_MODULES);
	}
	path = line ? strdup(line) : NULL;
	if (!path) {
		free(line);
		return complain("out of memory");
	}
	space = words ? strchr(path, ' ') : NULL;
	if (space)
		*space = 0;
	*m = (struct boot_module){{.name = path}, line};
	a->nr_modules++;
	return read_file(&m->file, words ? "module" : "initrd", path);
}

/* "file args,file2": each module's command line is its element. */
static int read_modules(struct app *a)
{
	const char *s = a->opt.initrd;

	while (*s) {
		char *line = calloc(1, strlen(s) + 1);
		size_t n = 0;

		for (; line && *s; s++) {
			if (*s == ',' && *++s != ',')
				break;
			line[n++] = *s;
		}
		if (add_module(a, line, true))
			return 1;
	}
	return 0;
}

static int read_images(struct app *a)
{
	if (a->opt.firmware && !a->opt.flash[0] &&
	    firmware_find(&a->firmware, &a->opt, a->err, sizeof(a->err)) < 0)
		return complain("%s", a->err);
	if (a->opt.firmware && !a->opt.kernel)
		return 0;
	if (!a->opt.kernel) {
		a->kernel = (struct blob){"built-in guest", roms_guest_start,
					  (size_t)(roms_guest_end - roms_guest_start)};
		return 0;
	}
	if (read_file(&a->kernel, "kernel", a->opt.kernel))
		return 1;
	if (!a->opt.initrd)
		return 0;
	if (boot_kind_has_modules(boot_kind(a->kernel.data, a->kernel.len)))
		return read_modules(a);
	return add_module(a, strdup(a->opt.initrd), false);
}

static void free_images(struct app *a)
{
	firmware_free(&a->firmware);
	if (a->opt.kernel)
		free((void *)a->kernel.data);
	for (unsigned i = 0; i < a->nr_modules; i++) {
		free((void *)a->modules[i].file.data);
		free((void *)a->modules[i].file.name);
		free((void *)a->modules[i].cmdline);
	}
}

/* ---- limits ---- */

static int check_memory(const struct app *a)
{
	uint64_t low_max = a->cfg.board->low_max;
	uint64_t size = a->opt.ram_size, top = size;
	unsigned long long mib = size >> 20;
	struct sysinfo si;

	if (size > low_max)
		top = (1ull << 32) + (size - low_max);
	if (top > 1ull << a->cfg.model.maxphyaddr)
		return complain("-m %lluM: CPU model %s has %u address bits, enough for %llu MiB",
				mib, a->cfg.model.name, a->cfg.model.maxphyaddr,
				((1ull << a->cfg.model.maxphyaddr) - (1ull << 32) + low_max) >> 20);
	if (sysinfo(&si) == 0) {
		unsigned long long host =
		    ((unsigned long long)si.totalram + si.totalswap) * si.mem_unit >> 20;

		if (mib > host)
			return complain("-m %lluM: the host has %llu MiB of memory and swap", mib,
					host);
	}
	return 0;
}

static int64_t epoch(const struct options *o)
{
	struct timespec ts;
	struct tm tm;

	if (o->rtc_base == CLOCK_DATE)
		return o->rtc_date * (int64_t)NSEC_PER_SEC;
	clock_gettime(CLOCK_REALTIME, &ts);
	if (o->rtc_base == CLOCK_LOCAL && localtime_r(&ts.tv_sec, &tm))
		ts.tv_sec += tm.tm_gmtoff;
	return ts.tv_sec * (int64_t)NSEC_PER_SEC + ts.tv_nsec;
}

/* ---- character devices ---- */

static void on_write(void *opaque, const char *text, size_t len)
{
	struct app *a = opaque;

	chardev_write(&a->console.stream.chr, (const uint8_t *)text, len);
}

/* Pages are for people who see them. */
static unsigned terminal_rows(void *opaque)
{
	struct winsize ws;

	(void)opaque;
	if (!isatty(STDIN_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) < 0)
		return 0;
	return ws.ws_row;
}

static void on_typed(void *opaque, uint8_t b)
{
	struct app *a = opaque;

	session_feed(&a->session, b);
}

static void on_shown(void *opaque, bool on)
{
	struct app *a = opaque;

	session_show(&a->session, on);
}

static void on_quit(void *opaque)
{
	struct app *a = opaque;

	machine_request_quit(&a->pc->m);
}

static void on_break(void *opaque)
{
	struct app *a = opaque;

	for (unsigned i = 0; i < a->opt.nr_serial; i++)
		if (a->opt.serial[i].kind == CHR_STDIO)
			uart16550_break(&a->pc->uart[i]);
}

static int open_console(struct app *a, bool mux)
{
	int r = console_open(&a->console, a->pc->m.loop, mux, a->dying);

	if (r < 0)
		return complain("cannot use standard input: %s", strerror(-r));
	a->console.typed = on_typed;
	a->console.shown = on_shown;
	a->console.quit = on_quit;
	a->console.send_break = on_break;
	a->console.opaque = a;
	a->has_console = true;
	session_init(&a->session, &a->env, on_write, a);
	a->session.rows = terminal_rows;
	a->session.editor.plain = !isatty(STDIN_FILENO);
	return 0;
}

/* A chardev for a device, or NULL when it leads nowhere. */
static int open_chardev(struct app *a, const struct chardev_spec *spec, const char *label,
			struct chardev **out)
{
	struct backend *b;

	*out = NULL;
	if (spec->kind == CHR_NONE || spec->kind == CHR_NULL)
		return 0;
	if (spec->kind == CHR_STDIO) {
		if (open_console(a, spec->mux))
			return 1;
		*out = &a->console.stream.chr;
		return 0;
	}
	if (backend_open(&b, spec, label, a->pc->m.loop, a->dying, a->err, sizeof(a->err)) < 0)
		return complain("%s", a->err);
	b->next = a->backends;
	a->backends = b;
	*out = &b->stream.chr;
	return stream_start(&b->stream) < 0 ? complain("cannot read from %s", label) : 0;
}

/* ---- windows and remote users ---- */

/* In a's font, which is looked for when it is first needed. */
static int find_font(struct app *a)
{
	struct blob rom;
	bool found;

	if (a->font)
		return 0;
	a->font = calloc(1, sizeof(*a->font));
	if (!a->font)
		return complain("out of memory");
	if (rom_find(&rom, &a->opt, "vgabios-stdvga.bin", a->err, sizeof(a->err)) < 0)
		return complain("vc needs the font of a VGA BIOS: %s", a->err);
	found = vc_find_font(a->font, rom.data, rom.len);
	firmware_free(&rom);
	return found ? 0 : complain("vc needs the font of a VGA BIOS; vgabios-stdvga.bin has none");
}

/* The console that a spec names; what goes to a -chardev shares its. */
static int open_vc(struct app *a, const char *name, struct chardev_spec *spec)
{
	int r;

	if (spec->kind != CHR_VC)
		return 0;
	for (unsigned i = 0; i < a->opt.nr_chardev && spec->id[0]; i++) {
		struct chardev_spec *c = &a->opt.chardev[i];

		if (c != spec && strcmp(c->id, spec->id) == 0) {
			spec->fd = c->fd;
			return 0;
		}
	}
	if (!a->opt.window)
		return complain("%s: vc is a console in a window, which -display sdl opens", name);
	if (find_font(a))
		return 1;
	r = vc_open(&a->vcs, name, a->pc->m.loop, a->font, &spec->fd);
	return r < 0 ? complain("cannot make a console for %s: %s", name, strerror(-r)) : 0;
}

/* All text consoles, before anything writes to them. */
static int open_vcs(struct app *a)
{
	struct options *o = &a->opt;
	char name[24];
	int status = 0;

	pthread_mutex_lock(&a->pc->m.lock);
	for (unsigned i = 0; i < o->nr_chardev && !status; i++)
		status = open_vc(a, o->chardev[i].id, &o->chardev[i]);
	for (unsigned i = 0; i < o->nr_monitors && !status; i++)
		status = open_vc(a, "monitor", &o->monitor[i]);
	for (unsigned i = 0; i < o->nr_serial && !status; i++) {
		snprintf(name, sizeof(name), "serial%u", i);
		status = open_vc(a, name, &o->serial[i]);
	}
	for (unsigned i = 0; i < o->nr_debugcon && !status; i++)
		status = open_vc(a, "debugcon", &o->debugcon[i].to);
	for (unsigned i = 0; i < o->nr_qmp && !status; i++)
		status = open_vc(a, "qmp", &o->qmp[i]);
	if (!status)
		status = open_vc(a, "gdb", &o->gdb);
	pthread_mutex_unlock(&a->pc->m.lock);
	return status;
}

static void close_vcs(struct app *a)
{
	pthread_mutex_lock(&a->pc->m.lock);
	vcs_close(a->vcs);
	pthread_mutex_unlock(&a->pc->m.lock);
}

/* The screens that they show. Machine lock held. */
static int open_screens(struct app *a)
{
	const char *who = a->opt.window   ? "-display sdl"
			  : a->opt.curses ? "-display curses"
					  : "-vnc";
	int r;

	if (!a->opt.window && !a->opt.has_vnc && !a->opt.curses)
		return 0;
	r = ui_open(&a->ui, &a->pc->m, a->vcs);
	if (r == -ENODEV)
		return complain("%s needs a display; -vga std adds one", who);
	return r < 0 ? complain("%s cannot show the display: %s", who, strerror(-r)) : 0;
}

/* Machine lock not held. */
static int open_ui(struct app *a)
{
	a->opt.sdl.name = a->opt.vnc.name = *a->opt.name ? a->opt.name : NULL;
	a->opt.vnc.keymap = a->keymap;
	if (a->opt.has_vnc && vnc_open(&a->vnc, &a->ui, &a->opt.vnc, a->err, sizeof(a->err)) < 0)
		return complain("%s", a->err);
	a->env.vnc = a->vnc;
	if (a->opt.window && sdl_open(&a->sdl, &a->ui, &a->opt.sdl, a->err, sizeof(a->err)) < 0)
		return complain("%s", a->err);
	return 0;
}

static void close_ui(struct app *a)
{
	a->env.vnc = NULL;
	vnc_close(a->vnc);
	sdl_close(a->sdl);
}

static int open_textcon(struct app *a)
{
	struct machine *m = &a->pc->m;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return complain("-display curses needs a terminal as standard input and output");
	if (open_console(a, true))
		return 1;
	return textcon_open(&a->textcon, &a->console, &a->ui.screens[0], &m->input, a->keymap,
			    &m->clock) < 0
		   ? complain("out of memory")
		   : 0;
}

/* The board is made before its chardevs, whose loop is the machine's: here they meet. */
static int open_chardevs(struct app *a)
{
	struct chardev *chr;
	char label[24];

	for (unsigned i = 0; i < a->opt.nr_serial; i++) {
		snprintf(label, sizeof(label), "serial%u", i);
		if (open_chardev(a, &a->opt.serial[i], label, &chr))
			return 1;
		if (chr)
			uart16550_attach(&a->pc->uart[i], chr);
	}
	for (unsigned i = 0; i < a->opt.nr_debugcon; i++) {
		snprintf(label, sizeof(label), "debugcon%u", i);
		if (open_chardev(a, &a->opt.debugcon[i].to, label, &chr))
			return 1;
		a->pc->debugcon[i].chr = chr;
	}
	for (unsigned i = 0; i < a->opt.nr_monitors; i++)
		if (monitor_server_open(&a->monitors, &a->opt.monitor[i], &a->env, a->dying, a->err,
					sizeof(a->err)) < 0)
			return complain("%s", a->err);
	if (a->opt.curses)
		return open_textcon(a);
	if (a->opt.monitor_stdio) {
		if (open_console(a, true))
			return 1;
		console_monitor(&a->console, true);
	}
	return 0;
}

static void close_chardevs(struct app *a)
{
	while (a->backends) {
		struct backend *b = a->backends;

		a->backends = b->next;
		backend_close(b);
	}
	textcon_close(&a->textcon);
	monitor_servers_close(a->monitors);
	session_fini(&a->session);
	ui_close(&a->ui);
	if (a->has_console)
		console_close(&a->console);
}

/* ---- signals ---- */

static void on_signal(void *opaque, int fd, unsigned events)
{
	struct app *a = opaque;
	struct signalfd_siginfo si;

	(void)events;
	if (read(fd, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return;
	if (si.ssi_signo == SIGTSTP) {
		term_restore();
		raise(SIGSTOP);
		if (a->has_console)
			term_raw(!a->console.mux);
		return;
	}
	/* Who wants us gone does not wait for output that nobody takes. */
	a->console.stream.lossy = true;
	for (struct backend *b = a->backends; b; b = b->next)
		b->stream.lossy = true;
	monitor_servers_hurry(a->monitors);
	remotes_hurry(a->remotes);
	/* The exit status tells the signal, as a shell would. */
	machine_request_exit(&a->pc->m, 128 + (int)si.ssi_signo);
}

static const int deadly[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP};

/* Before any thread starts, so that all inherit the mask. */
static int block_signals(struct app *a)
{
	struct sigaction hup;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		sigaddset(&set, deadly[i]);
	/* nohup: a blocked signal would come through its being ignored. */
	if (sigaction(SIGHUP, NULL, &hup) == 0 && hup.sa_handler == SIG_IGN)
		sigdelset(&set, SIGHUP);
	a->dying = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	sigaddset(&set, SIGTSTP);
	a->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (a->dying < 0 || a->signals < 0)
		return complain("cannot set up signals: %s", strerror(errno));
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

/* ---- */

static int help(const struct app *a)
{
	switch (a->opt.action) {
	case ACT_HELP:
		options_help();
		break;
	case ACT_VERSION:
		printf("doppel " DOPPEL_VERSION "\n");
		break;
	case ACT_CPU_HELP:
		cpu_model_help();
		break;
	case ACT_ACCEL_HELP:
		printf("Accelerators supported:\n"
		       "interp               portable interpreter\n"
		       "jit[,PROPERTIES]     translator\n"
		       "    cache=SIZE       of its code memory per CPU, 1M to 1G (default 256M)\n"
		       "    hot=RUNS         of code before it is translated (default 8)\n"
		       "    stats=on         at the end, what it has counted goes to standard "
		       "error\n"
		       "kvm                  the host's own virtualization, where 'doppel doctor' "
		       "finds it\n"
		       "auto                 the best that works here: kvm, else jit, else interp\n"
		       "                     (default)\n");
		break;
	case ACT_MACHINE_HELP:
		printf("Supported machines are:\n"
		       "pc                   %s (default)\n"
		       "q35                  %s\n",
		       board_pc.product, board_q35.product);
		break;
	case ACT_DEVICE_HELP:
		options_device_help();
		break;
	case ACT_PROPERTY_HELP:
		options_property_help(a->opt.help_device);
		break;
	case ACT_NETDEV_HELP:
		options_netdev_help();
		break;
	case ACT_AUDIODEV_HELP:
		options_audiodev_help();
		break;
	case ACT_LOG_HELP:
		printf("%s\n", trace_log_help);
		break;
	case ACT_RUN:
		break;
	}
	return fflush(stdout) == 0 ? 0 : 1;
}

static int pick_engine(struct app *a)
{
	struct accel_host host = accel_host();
	const char *accel = a->opt.accel;

	if (a->opt.icount && strcmp(accel, "auto") == 0)
		accel = engine_jit.unusable() ? "interp" : "jit";
	if (accel_choose(&host, accel, a->opt.accel_else, &a->cfg.engine, a->err, sizeof(a->err)) <
	    0)
		return complain("%s", a->err);
	snprintf(a->engine_note, sizeof(a->engine_note), "%s", a->err);
	if (a->cfg.engine->native && a->opt.icount)
		return complain("-accel %s does not count instructions, as -icount needs; use "
				"-accel jit",
				a->cfg.engine->name);
	/* The guest sees the same processor when it moves to another engine, so what this one lacks is not
	 * there at all. */
	if (a->cfg.engine->fit && a->cfg.engine->fit(&a->cfg.model) < 0)
		return complain("-accel %s cannot run here: it does not tell what it supports",
				a->cfg.engine->name);
	return 0;
}

static int find_rom(void *opaque, const char *name, uint8_t **data, size_t *len, char *err,
		    size_t errlen)
{
	const struct app *a = opaque;
	struct blob b;
	int r = rom_find(&b, &a->opt, name, err, errlen);

	if (r < 0)
		return r;
	*data = (uint8_t *)b.data;
	*len = b.len;
	b.data = NULL;
	firmware_free(&b);
	return 0;
}

static int configure(struct app *a)
{
	struct pc_config *c = &a->cfg;
	const struct options *o = &a->opt;

	c->board = o->board;
	c->find_rom = find_rom;
	c->find_rom_opaque = a;
	if (cpu_model_parse(&c->model, o->cpu, a->err, sizeof(a->err)) < 0)
		return complain("%s", a->err);
	if (check_memory(a))
		return 1;
	if (o->cpus > 1 && !cpu_has(&c->model, FEAT_APIC))
		return complain("-smp %u needs a CPU model with the feature apic", o->cpus);
	if (!o->kernel && !o->firmware && !cpu_has(&c->model, FEAT_LM))
		return complain("the built-in guest is a 64-bit program: it needs a CPU model with "
				"the feature lm");
	c->ram_size = o->ram_size & ~(uint64_t)0xfffff;
	c->cpus = o->cpus;
	c->smbios = o->smbios;
	if (pick_engine(a))
		return 1;
	if ((o->perfmap || o->jitdump) && c->engine != &engine_jit)
		return complain("%s is for translated code; it needs -accel jit",
				o->perfmap ? "-perfmap" : "-jitdump");
	c->engine_config = (struct engine_config){.cache = o->jit_cache,
						  .hot = o->jit_hot,
						  .count = o->icount,
						  .perfmap = o->perfmap,
						  .jitdump = o->jitdump};
	for (unsigned i = 0; i < o->nr_serial; i++)
		c->uart[i] = o->serial[i].kind != CHR_NONE;
	for (unsigned i = 0; i < o->nr_debugcon; i++) {
		c->debugcon[i].present = true;
		c->debugcon[i].port = o->debugcon[i].port;
	}
	c->debug_exit = o->debug_exit;
	c->debug_exit_port = o->debug_exit_port;
	c->debug_exit_size = o->debug_exit_size;
	c->pvpanic = o->pvpanic;
	c->pc_testdev = o->pc_testdev;
	c->no_reboot = o->no_reboot;
	c->no_shutdown = o->no_shutdown;
	c->epoch_ns = epoch(o);
	c->icount = o->icount;
	c->icount_shift = o->icount_shift;
	c->icount_sleep = !o->icount_no_sleep;
	return 0;
}

static void print_stderr(void *opaque, const char *text)
{
	(void)opaque;
	fputs(text, stderr);
}

/* After the machine has stopped. */
static void print_stats(const struct app *a)
{
	struct engine_stats sum;
	if (!a->opt.jit_stats || engine_stats_init(&sum) < 0)
		return;
	cpus_stats(a->pc->m.cpus, &sum);
	engine_stats_print(&sum, print_stderr, NULL);
	engine_stats_fini(&sum);
}

/* The graphics card that is there without asking, where PCs have it. */
static int add_vga(struct app *a)
{
	bool asked = !a->opt.vga;
	struct device_spec spec;

	for (unsigned i = 0; i < a->opt.nr_devices; i++)
		asked |= a->opt.devices[i].type == &vga_type ||
			 a->opt.devices[i].type == &virtio_vga_type;
	if (asked)
		return 0;
	device_spec_init(&spec, a->opt.vga);
	spec.devfn = PCI_DEVFN(2, 0);
	if (pc_add_device(a->pc, &spec, NULL, NULL, a->err, sizeof(a->err)) < 0)
		return complain("%s", a->err);
	return 0;
}

/* ---- disks ---- */

static void on_trouble(void *opaque, const char *line)
{
	struct app *a = opaque;

	if (!a->has_console) {
		complain("%s", line);
		return;
	}
	console_print(&a->console, "doppel: ");
	console_print(&a->console, line);
	console_print(&a->console, "\n");
}

/* What a -chardev is, made when it is first asked for. */
static struct chardev *find_chardev(struct app *a, const char *id)
{
	for (unsigned i = 0; i < a->opt.nr_chardev; i++) {
		struct chardev_spec *spec = &a->opt.chardev[i];

		if (strcmp(spec->id, id) != 0)
			continue;
		if (!a->chardevs[i] && spec->kind == CHR_NULL)
			a->chardevs[i] = &a->nowhere[i];
		else if (!a->chardevs[i] && open_chardev(a, spec, id, &a->chardevs[i]))
			return NULL;
		return a->chardevs[i];
	}
	return NULL;
}

static void *find_backend(void *opaque, enum prop_kind kind, const char *id)
{
	struct app *a = opaque;

	if (kind == PROP_NETDEV)
		return netdevs_find(a->netdevs, id);
	if (kind == PROP_FSDEV)
		return fsdev_find(&a->opt.fsdevs, id);
	if (kind == PROP_AUDIODEV)
		return audiodevs_find(a->audiodevs, id);
	if (kind == PROP_CHARDEV)
		return find_chardev(a, id);
	return kind == PROP_DRIVE ? drives_find(a->drives, id) : NULL;
}

static int open_drives(struct app *a)
{
	struct machine *m = &a->pc->m;

	if (!a->opt.drives.nr)
		return 0;
	pthread_mutex_lock(&m->lock);
	a->drives = drives_open(&a->opt.drives, m, on_trouble, a, a->err, sizeof(a->err));
	pthread_mutex_unlock(&m->lock);
	a->env.drives = a->drives;
	return a->drives ? 0 : complain("%s", a->err);
}

static int open_netdevs(struct app *a)
{
	struct machine *m = &a->pc->m;

	if (!a->opt.netdevs.nr)
		return 0;
	pthread_mutex_lock(&m->lock);
	a->netdevs = netdevs_open(&a->opt.netdevs, m, on_trouble, a, a->err, sizeof(a->err));
	pthread_mutex_unlock(&m->lock);
	a->env.netdevs = a->netdevs;
	return a->netdevs ? 0 : complain("%s", a->err);
}

static int open_audiodevs(struct app *a)
{
	const char *speaker = a->opt.audiodevs.speaker;
	struct machine *m = &a->pc->m;
	const struct audio_env env = {.clock = &m->clock, .warn = on_trouble, .opaque = a};
	struct audiodev *dev = NULL;

	pthread_mutex_lock(&m->lock);
	a->audiodevs = audiodevs_open(&a->opt.audiodevs, &env, a->err, sizeof(a->err));
	if (a->audiodevs && *speaker)
		dev = audiodevs_find(a->audiodevs, speaker);
	if (dev)
		pcspk_init(&a->pc->pcspk, &a->pc->pit, dev);
	pthread_mutex_unlock(&m->lock);
	a->env.audiodevs = a->audiodevs;
	if (!a->audiodevs)
		return complain("%s", a->err);
	return dev || !*speaker
		   ? 0
		   : complain("-machine pcspk-audiodev=%s: there is no -audiodev with that id",
			      speaker);
}

static void close_audiodevs(struct app *a)
{
	struct machine *m = &a->pc->m;

	pthread_mutex_lock(&m->lock);
	audiodevs_close(a->audiodevs);
	pthread_mutex_unlock(&m->lock);
}

static void close_netdevs(struct app *a)
{
	struct machine *m = &a->pc->m;

	pthread_mutex_lock(&m->lock);
	netdevs_close(a->netdevs);
	pthread_mutex_unlock(&m->lock);
}

/* -d */
static int start_log(struct app *a)
{
	struct trace_spec s = {.cpu = -1, .limit = TRACE_LIMIT};
	const char *items = a->opt.log_items;

	if (a->opt.log_file && !(a->env.log_file = strdup(a->opt.log_file)))
		return complain("out of memory");
	if (!items)
		return 0;
	trace_log_items(&items, &s.kinds);
	if (a->opt.log_filter)
		trace_filter(&s, a->opt.log_filter);
	s.path = a->opt.log_file ? a->opt.log_file : "-";
	if (s.kinds && trace_start(&a->env.trace, &a->env, &s, a->err, sizeof(a->err)) < 0)
		return complain("-D: %s", a->err);
	return 0;
}

/* Before the guest begins; -loadvm. */
static int on_start(void *opaque)
{
	struct app *a = opaque;

	if (start_log(a))
		return -1;
	if (!a->opt.loadvm)
		return 0;
	if (snapshot_load(a->pc, a->drives, a->opt.loadvm, a->err, sizeof(a->err)) == 0)
		return 0;
	complain("%s", a->err);
	return -1;
}

static struct block *flash(struct app *a, unsigned n)
{
	return a->opt.flash[n] ? drives_find(a->drives, a->opt.flash[n]) : NULL;
}

static int add_fw_files(struct app *a)
{
	for (unsigned i = 0; i < a->opt.nr_fw_files; i++) {
		const struct fw_file *f = &a->opt.fw_file[i];
		struct blob b = {.data = (const uint8_t *)f->string,
				 .len = f->string ? strlen(f->string) : 0};
		int r;

		if (f->path && read_file(&b, "-fw_cfg's file", f->path))
			return 1;
		r = pc_add_fw_file(a->pc, f->name, b.data, b.len, a->err, sizeof(a->err));
		if (f->path)
			free((void *)b.data);
		if (r < 0)
			return complain("%s", a->err);
	}
	return 0;
}

static int run(struct app *a)
{
	struct machine *m;
	int status;

	if (pc_new(&a->pc, &a->cfg, a->err, sizeof(a->err)) < 0)
		return complain("%s", a->err);
	m = &a->pc->m;
	if (monitor_env_init(&a->env, a->pc) < 0)
		return complain("cannot set up the monitor");
	a->env.options = &a->opt;
	a->env.backend = find_backend;
	a->env.backend_opaque = a;
	if (a->opt.keymap) {
		a->keymap = keymap_load(a->opt.keymap, a->err, sizeof(a->err));
		if (!a->keymap)
			return complain("%s", a->err);
	}
	for (unsigned i = 0; i < a->opt.nr_symbols; i++) {
		int r = symbols_add(&a->env.symbols, a->opt.symbols[i], 0, a->err, sizeof(a->err));

		if (r < 0)
			return complain("-symbols: %s", a->err);
		if (r > 0)
			fprintf(stderr, "doppel: -symbols: %s\n", a->err);
	}
	a->env.linux_guest.file = symbols_kernel(&a->env.symbols);
	if (open_vcs(a) || open_drives(a) || open_netdevs(a) || open_audiodevs(a) || add_vga(a))
		return 1;
	for (unsigned i = 0; i < a->opt.nr_devices; i++)
		if (pc_add_device(a->pc, &a->opt.devices[i], find_backend, a, a->err,
				  sizeof(a->err)) < 0)
			return complain("%s", a->err);
	if (add_fw_files(a))
		return 1;
	if (a->opt.firmware) {
		const struct pc_firmware fw = {
		    .image = a->firmware,
		    .flash = {flash(a, 0), flash(a, 1)},
		    .order = *a->opt.boot.order ? a->opt.boot.order : NULL,
		    .once = *a->opt.boot.once ? a->opt.boot.once : NULL,
		    .kernel = a->opt.kernel ? &a->kernel : NULL,
		    .initrd = a->nr_modules ? &a->modules[0].file : NULL,
		    .cmdline = a->opt.append,
		    .menu = a->opt.boot.menu,
		    .menu_wait_ms = a->opt.boot.menu_wait_ms,
		    .fail_wait_ms = a->opt.boot.fail_wait_ms,
		    .serial_console = a->opt.serial[0].kind != CHR_NONE,
		};

		if (pc_load_firmware(a->pc, &fw, a->err, sizeof(a->err)) < 0)
			return complain("%s", a->err);
	} else if (pc_load(a->pc, &a->kernel, a->modules, a->nr_modules, a->opt.append, a->err,
			   sizeof(a->err)) < 0)
		return complain("%s", a->err);
	pthread_mutex_lock(&m->lock);
	loop_watch(m->loop, a->signals, LOOP_IN, on_signal, a);
	a->env.ui = &a->ui;
	status = open_screens(a);
	if (status == 0)
		status = open_chardevs(a);
	m->start_stopped = a->opt.start_stopped;
	if (status == 0 &&
	    remotes_open(&a->remotes, &a->opt, &a->env, a->dying, a->err, sizeof(a->err)) < 0)
		status = complain("%s", a->err);
	pthread_mutex_unlock(&m->lock);
	if (status == 0)
		status = open_ui(a);
	if (status == 0 && *a->engine_note)
		complain("%s", a->engine_note);
	if (status == 0 && a->hooks)
		a->hooks->starts(a->hooks->opaque, a->pc);
	m->start_hook = on_start;
	m->start_opaque = a;
	if (status == 0)
		status = machine_run(m);
	close_ui(a);
	pthread_mutex_lock(&m->lock);
	remotes_close(a->remotes, status);
	close_chardevs(a);
	pthread_mutex_unlock(&m->lock);
	if (a->hooks)
		a->hooks->ended(a->hooks->opaque, a->pc);
	print_stats(a);
	if (m->end == END_PANIC)
		complain("the guest %s", a->opt.no_reboot && !a->opt.pvpanic
					     ? "shut down by a triple fault"
					     : "reported a panic");
	return status;
}

/* So that no file of ours becomes standard input or output. */
static int open_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

/* Hooks may be NULL; the exit status. */
static int run_guest(int argc, char **argv, const struct run_hooks *hooks)
{
	struct app *app = calloc(1, sizeof(*app));
	int status = 1;

	if (!app)
		return complain("out of memory");
	app->hooks = hooks;
	if (argc > 1 && strcmp(argv[1], "img") == 0) {
		free(app);
		return img_main(argc - 1, argv + 1);
	}
	if (options_parse(&app->opt, argc, argv, app->err, sizeof(app->err)) < 0) {
		complain("%s", app->err);
	} else if (app->opt.action != ACT_RUN) {
		status = help(app);
	} else if (!configure(app) && !read_images(app)) {
		status = block_signals(app);
		if (status == 0)
			status = run(app);
		monitor_env_fini(&app->env);
		if (app->netdevs)
			close_netdevs(app);
		if (app->audiodevs)
			close_audiodevs(app);
		if (app->vcs)
			close_vcs(app);
		drives_leave_loop(app->drives);
		pc_free(app->pc);
		keymap_free(app->keymap);
		free(app->font);
		if (drives_close(app->drives, app->err, sizeof(app->err)) < 0)
			status = complain("%s", app->err);
		close(app->signals);
		close(app->dying);
	}
	free_images(app);
	free(app);
	return status;
}

int main(int argc, char **argv)
{
	if (open_standard_files() < 0)
		return complain("cannot open /dev/null: %s", strerror(errno));
	if (argc > 1 && strcmp(argv[1], "doctor") == 0)
		return doctor_main(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "bench") == 0)
		return bench_main(argc - 1, argv + 1, run_guest);
	return run_guest(argc, argv, NULL);
}
