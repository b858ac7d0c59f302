/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One run of the program: what the command line asks for, and what is open for it. Each function says what it has to
 * complain of, and returns 0 or the exit status unless it is said otherwise.
 */
#ifndef FRONTEND_APP_H
#define FRONTEND_APP_H

#include "frontend/chardev.h"
#include "frontend/console.h"
#include "frontend/monitor/server.h"
#include "frontend/monitor/session.h"
#include "frontend/options.h"
#include "frontend/remote.h"
#include "frontend/textcon.h"
#include "frontend/ui.h"
#include "hw/pc.h"

struct run_hooks;
struct sdl;
struct vc;
struct vc_font;
struct vnc;

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
	struct blob acpi_table[ACPI_USER_TABLES];
	struct boot_module modules[BOOT_MAX_MODULES];
	unsigned nr_modules;
	int signals; /* signalfd of what we handle */
	int dying;   /* signalfd of what ends us: never read, only looked at */
	int ready;   /* -daemonize: whom to tell that the guest starts; -1: nobody */
	int pidfile; /* locked; -1: none */
	char *pid_path;
	char err[1024];
	char engine_note[1024]; /* said once nothing else can go wrong */
	const struct run_hooks *hooks;
};

/* One line on standard error. Returns 1. */
int complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* app_files.c: kernel, modules and firmware, and files of -fw_cfg for the board. */
int app_read_images(struct app *a);
void app_free_images(struct app *a);
int app_add_fw_files(struct app *a);
int app_add_option_roms(struct app *a);

/* app_chardevs.c: a chardev for a device, or NULL when it leads nowhere. Machine lock held. */
int app_open_chardev(struct app *a, const struct chardev_spec *spec, const char *label,
		     struct chardev **out);
/* The board's, the monitors and the terminal. Machine lock held. */
int app_open_chardevs(struct app *a);
void app_close_chardevs(struct app *a);

/* app_ui.c: text consoles in windows, before anything writes to them. Machine lock not held. */
int app_open_vcs(struct app *a);
void app_close_vcs(struct app *a);
/* The screens that windows and VNC show. Machine lock held. */
int app_open_screens(struct app *a);
/* Windows and VNC. Machine lock not held. */
int app_open_ui(struct app *a);
void app_close_ui(struct app *a);

/* app_process.c: before any thread starts. Nonzero: this process is done, with *status. */
int app_start_process(struct app *a, int *status);
/* Nothing can fail any more: -daemonize lets go of the terminal, and of who waits there. */
int app_is_ready(struct app *a);
void app_end_process(struct app *a);

/* app_signals.c: before any thread starts, so that all inherit the mask. */
int app_block_signals(struct app *a);
/* For loop_watch(), on a->signals. */
void app_on_signal(void *opaque, int fd, unsigned events);

/* app_backends.c: what devices are connected to. Machine lock not held. */
int app_open_drives(struct app *a);
int app_open_netdevs(struct app *a);
void app_close_netdevs(struct app *a);
int app_open_audiodevs(struct app *a);
void app_close_audiodevs(struct app *a);
/* The back end of a device's property, or NULL. opaque: the struct app. Machine lock held. */
void *app_find_backend(void *opaque, enum prop_kind kind, const char *id);

#endif
