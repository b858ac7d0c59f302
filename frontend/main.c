/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The program: options to board, and the way out. Nothing but this file ends the process.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "accel/cpus.h"
#include "accel/engine.h"
#include "accel/stats.h"
#include "frontend/accel.h"
#include "frontend/app.h"
#include "frontend/bench.h"
#include "frontend/doctor.h"
#include "frontend/drive.h"
#include "frontend/img.h"
#include "frontend/firmware.h"
#include "frontend/keymap.h"
#include "frontend/monitor/trace.h"
#include "frontend/run.h"
#include "frontend/snapshot.h"
#include "hw/display/vga.h"
#include "hw/display/virtio_gpu.h"
#include "hw/loop.h"

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
	case ACT_DISPLAY_HELP:
		printf("Available display backend types:\nnone\ncurses\nsdl\nvnc=[HOST]:N\n");
		break;
	case ACT_VGA_HELP:
		printf("none                 no graphic card\n"
		       "std                  standard VGA (default)\n"
		       "virtio               Virtio VGA\n");
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
	c->panic_action = o->panic_action;
	c->watchdog_action = o->watchdog_action;
	c->no_hpet = o->no_hpet;
	c->no_s3 = o->no_s3;
	c->no_s4 = o->no_s4;
	c->smm = o->smm == SMM_ON;
	c->secure_flash = o->secure_flash;
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
	if (options_globals(&a->opt, &spec, a->err, sizeof(a->err)) < 0)
		return complain("%s", a->err);
	if (pc_add_device(a->pc, &spec, NULL, NULL, a->err, sizeof(a->err)) < 0)
		return complain("%s", a->err);
	return 0;
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

/* Before the guest begins. */
static int on_start(void *opaque)
{
	struct app *a = opaque;

	if (start_log(a))
		return -1;
	if (a->opt.loadvm &&
	    snapshot_load(a->pc, a->drives, a->opt.loadvm, a->err, sizeof(a->err)) < 0) {
		complain("%s", a->err);
		return -1;
	}
	return app_is_ready(a) ? -1 : 0;
}

static struct block *flash(struct app *a, unsigned n)
{
	return a->opt.flash[n] ? drives_find(a->drives, a->opt.flash[n]) : NULL;
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
	a->env.backend = app_find_backend;
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
	if (app_open_vcs(a) || app_open_drives(a) || app_open_netdevs(a) || app_open_audiodevs(a) ||
	    add_vga(a))
		return 1;
	for (unsigned i = 0; i < a->opt.nr_devices; i++)
		if (pc_add_device(a->pc, &a->opt.devices[i], app_find_backend, a, a->err,
				  sizeof(a->err)) < 0)
			return complain("%s", a->err);
	if (app_add_fw_files(a) || app_add_option_roms(a))
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
		    .strict = a->opt.boot.strict,
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
	loop_watch(m->loop, a->signals, LOOP_IN, app_on_signal, a);
	a->env.ui = &a->ui;
	status = app_open_screens(a);
	if (status == 0)
		status = app_open_chardevs(a);
	m->start_stopped = a->opt.start_stopped;
	if (status == 0 &&
	    remotes_open(&a->remotes, &a->opt, &a->env, a->dying, a->err, sizeof(a->err)) < 0)
		status = complain("%s", a->err);
	pthread_mutex_unlock(&m->lock);
	if (status == 0)
		status = app_open_ui(a);
	if (status == 0 && *a->engine_note)
		complain("%s", a->engine_note);
	if (status == 0 && a->hooks)
		a->hooks->starts(a->hooks->opaque, a->pc);
	m->start_hook = on_start;
	m->start_opaque = a;
	if (status == 0)
		status = machine_run(m);
	app_close_ui(a);
	pthread_mutex_lock(&m->lock);
	remotes_close(a->remotes, status);
	app_close_chardevs(a);
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
	app->ready = app->pidfile = -1;
	if (argc > 1 && strcmp(argv[1], "img") == 0) {
		free(app);
		return img_main(argc - 1, argv + 1);
	}
	if (options_parse(&app->opt, argc, argv, app->err, sizeof(app->err)) < 0) {
		complain("%s", app->err);
	} else if (app->opt.action != ACT_RUN) {
		status = help(app);
	} else if (app_start_process(app, &status) == 0 && !configure(app) &&
		   !app_read_images(app)) {
		status = app_block_signals(app);
		if (status == 0)
			status = run(app);
		monitor_env_fini(&app->env);
		if (app->netdevs)
			app_close_netdevs(app);
		if (app->audiodevs)
			app_close_audiodevs(app);
		if (app->vcs)
			app_close_vcs(app);
		drives_leave_loop(app->drives);
		pc_free(app->pc);
		keymap_free(app->keymap);
		free(app->font);
		if (drives_close(app->drives, app->err, sizeof(app->err)) < 0)
			status = complain("%s", app->err);
		close(app->signals);
		close(app->dying);
	}
	app_end_process(app);
	app_free_images(app);
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
