/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Commands that act on the machine: stop and go, engines, snapshots, keys, pictures.
 */
#include <errno.h>
#include <string.h>

#include "accel/cpus.h"
#include "accel/engine.h"
#include "frontend/debug/debugger.h"
#include "frontend/monitor/command.h"
#include "frontend/screendump.h"
#include "frontend/snapshot.h"
#include "hw/pc.h"

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

static void cmd_accel(struct monitor *m, const struct out *o, const struct arg *a)
{
	static const struct engine *const engines[] = {&engine_interp, &engine_jit, &engine_kvm};

	for (size_t i = 0; i < 3; i++)
		if (strcmp(engines[i]->name, a[0].text) == 0) {
			hop(m->pc, o, engines[i]);
			return;
		}
	out(o, "there is no engine %s; there are kvm, jit and interp\n", a[0].text);
}

static void cmd_quit(struct monitor *m, const struct out *o, const struct arg *a)
{
	(void)o;
	(void)a;
	machine_request_quit(&m->pc->m);
}

static void cmd_stop(struct monitor *m, const struct out *o, const struct arg *a)
{
	(void)o;
	(void)a;
	debug_stop(m->env->debugger);
}

static void cmd_cont(struct monitor *m, const struct out *o, const struct arg *a)
{
	(void)o;
	(void)a;
	debug_cont(m->env->debugger);
}

static void cmd_reset(struct monitor *m, const struct out *o, const struct arg *a)
{
	(void)o;
	(void)a;
	machine_request_reset(&m->pc->m);
}

static void cmd_powerdown(struct monitor *m, const struct out *o, const struct arg *a)
{
	(void)o;
	(void)a;
	pc_power_button(m->pc);
}

static void cmd_wakeup(struct monitor *m, const struct out *o, const struct arg *a)
{
	(void)a;
	if (pc_wakeup(m->pc) < 0)
		out(o, "the guest is not suspended\n");
}

static void cmd_watchdog_action(struct monitor *m, const struct out *o, const struct arg *a)
{
	for (int n = 0; watchdog_actions[n]; n++)
		if (strcmp(watchdog_actions[n], a[0].text) == 0) {
			m->pc->watchdog_action = (enum watchdog_action)n;
			return;
		}
	out(o, "there is no action %s; there are", a[0].text);
	for (int n = 0; watchdog_actions[n]; n++)
		out(o, " %s", watchdog_actions[n]);
	out(o, "\n");
}

static void cmd_boot_set(struct monitor *m, const struct out *o, const struct arg *a)
{
	if (!m->pc->has_firmware)
		out(o, "no firmware is there that would try devices: the guest was started "
		       "directly\n");
	else if (pc_set_boot_order(m->pc, a[0].text) < 0)
		out(o, "%s is no order of devices, up to three of a, b, c, d and n\n", a[0].text);
}

static void cmd_nmi(struct monitor *m, const struct out *o, const struct arg *a)
{
	(void)o;
	(void)a;
	cpus_nmi(m->pc->m.cpus, m->cpu);
}

static void cmd_screendump(struct monitor *m, const struct out *o, const struct arg *a)
{
	bool png = a[0].given && strcmp(a[0].text, "png") == 0;
	int err;

	if (a[0].given && !png && strcmp(a[0].text, "ppm") != 0) {
		out(o, "there is no format %s; there are ppm and png\n", a[0].text);
		return;
	}
	if (!m->pc->m.displays) {
		out(o, "there is no display: -vga std adds one\n");
		return;
	}
	err = screendump(m->pc->m.displays, a[1].text, png ? PICTURE_PNG : PICTURE_PPM);
	if (err < 0)
		out(o, "cannot write %s: %s\n", a[1].text, strerror(-err));
}

static void snapshot(struct monitor *m, const struct out *o, const char *name,
		     int (*act)(struct pc *pc, struct drive_set *drives, const char *name,
				char *err, size_t errlen))
{
	char err[512];

	if (act(m->pc, m->env->drives, name, err, sizeof(err)) < 0)
		out(o, "%s\n", err);
}

static void cmd_savevm(struct monitor *m, const struct out *o, const struct arg *a)
{
	snapshot(m, o, a[0].text, snapshot_save);
}

static void cmd_loadvm(struct monitor *m, const struct out *o, const struct arg *a)
{
	snapshot(m, o, a[0].text, snapshot_load);
}

static void cmd_delvm(struct monitor *m, const struct out *o, const struct arg *a)
{
	snapshot(m, o, a[0].text, snapshot_delete);
}

int monitor_migrate(struct monitor_env *env, const char *uri, char *err, size_t errlen)
{
	bool was_stopped = env->pc->m.stopped;

	env->migration = MIGRATION_FAILED;
	if (snapshot_check_uri(uri, err, errlen) < 0)
		return -1;
	debug_stop(env->debugger);
	if (snapshot_save(env->pc, env->drives, uri, err, errlen) < 0) {
		if (!was_stopped)
			debug_cont(env->debugger);
		return -1;
	}
	env->migration = MIGRATED;
	return 0;
}

static void cmd_migrate(struct monitor *m, const struct out *o, const struct arg *a)
{
	char err[512];

	if (monitor_migrate(m->env, a[1].text, err, sizeof(err)) < 0)
		out(o, "%s\n", err);
}

const char *monitor_migration(const struct monitor_env *env)
{
	return env->migration == MIGRATED ? "completed" : "failed";
}

static void info_migrate(struct monitor *m, const struct out *o, const struct arg *a)
{
	(void)a;
	if (m->env->migration != MIGRATED_NOT)
		out(o, "Migration status: %s\n", monitor_migration(m->env));
}

const struct command machine_commands[] = {
    {"stop|s", NULL, cmd_stop, "stop the guest", "stop"},
    {"cont|c", NULL, cmd_cont, "let it go on", "cont"},
    {"system_reset", NULL, cmd_reset, "reset the machine", "system_reset"},
    {"system_powerdown", NULL, cmd_powerdown, "press the power button", "system_powerdown"},
    {"system_wakeup", NULL, cmd_wakeup, "wake a guest up that has suspended itself",
     "system_wakeup"},
    {"watchdog_action", "ACTION", cmd_watchdog_action, "what a watchdog does that runs out",
     "watchdog_action pause"},
    {"accel", "ENGINE", cmd_accel, "go on in another engine: kvm, jit or interp", "accel jit"},
    {"boot_set", "ORDER", cmd_boot_set,
     "devices to start from at the next reset, as -boot order=", "boot_set dc"},
    {"nmi", NULL, cmd_nmi, "send an NMI to the CPU that is looked at", "nmi"},
    {"screendump", "[-f:FORMAT] FILE", cmd_screendump, "save the picture, as ppm or png",
     "screendump /tmp/screen.png -f png"},
    {"savevm", "NAME", cmd_savevm, "save machine and disks; file:PATH, exec:COMMAND: the machine",
     "savevm before"},
    {"loadvm", "NAME", cmd_loadvm, "go on from a snapshot, or from file:PATH", "loadvm before"},
    {"delvm", "NAME", cmd_delvm, "delete a snapshot", "delvm before"},
    {"migrate", "[-d] URI", cmd_migrate,
     "stop, and write the state as savevm does, to file:PATH or exec:COMMAND",
     "migrate \"exec:gzip > /tmp/state.gz\""},
    {"info migrate", NULL, info_migrate, "whether that went well", "info migrate"},
    {"quit|q", NULL, cmd_quit, "end the emulator", "quit"},
    {0},
};
