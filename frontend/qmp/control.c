/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Commands that act on the machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accel/cpus.h"
#include "frontend/debug/memory.h"
#include "frontend/qmp/qmp_impl.h"
#include "frontend/screendump.h"
#include "hw/pc.h"

static void capabilities(struct qmp_call *c)
{
	const struct json *enable = json_member(c->args, "enable");

	/* None is offered. */
	if (enable && enable->child)
		qmp_error(c, "Capability '%.100s' not available",
			  enable->child->kind == JSON_STRING ? enable->child->text : "");
	else
		c->q->negotiated = true;
}

static void stop(struct qmp_call *c)
{
	debug_stop(c->q->env->debugger);
}

static void cont(struct qmp_call *c)
{
	debug_cont(c->q->env->debugger);
}

static void quit(struct qmp_call *c)
{
	machine_request_quit(&c->q->pc->m);
}

static void system_reset(struct qmp_call *c)
{
	c->q->asked_reset = true;
	machine_request_reset(&c->q->pc->m);
}

static void system_powerdown(struct qmp_call *c)
{
	pc_power_button(c->q->pc);
}

static void system_wakeup(struct qmp_call *c)
{
	if (pc_wakeup(c->q->pc) < 0)
		qmp_error(c, "Unable to wake up: guest is not in suspended state");
}

static void watchdog_set_action(struct qmp_call *c)
{
	const char *action = qmp_text(c, "action", "");

	for (int n = 0; watchdog_actions[n]; n++)
		if (strcmp(watchdog_actions[n], action) == 0) {
			c->q->pc->watchdog_action = (enum watchdog_action)n;
			return;
		}
	qmp_error(c, "Parameter 'action' does not accept value '%.100s'", action);
}

static void migrate(struct qmp_call *c)
{
	char err[512];

	if (monitor_migrate(c->q->env, qmp_text(c, "uri", ""), err, sizeof(err)) < 0)
		qmp_error(c, "%s", err);
}

static void query_migrate(struct qmp_call *c)
{
	if (c->q->env->migration == MIGRATED_NOT)
		fputs("{}", c->out);
	else
		fprintf(c->out, "{\"status\": \"%s\"}", monitor_migration(c->q->env));
}

static void inject_nmi(struct qmp_call *c)
{
	for (unsigned n = 0; n < c->q->pc->cpus; n++)
		cpus_nmi(c->q->pc->m.cpus, n);
}

static void print(void *opaque, const char *text)
{
	fputs(text, opaque);
}

static void human_monitor_command(struct qmp_call *c)
{
	int64_t cpu = qmp_integer(c, "cpu-index", c->q->monitor.cpu);
	char *text = NULL;
	size_t len = 0;
	FILE *f;

	if (cpu < 0 || cpu >= c->q->pc->cpus) {
		qmp_error(c, "Parameter 'cpu-index' expects a CPU number");
		return;
	}
	f = open_memstream(&text, &len);
	if (!f) {
		qmp_error(c, "Out of memory");
		return;
	}
	c->q->monitor.cpu = (unsigned)cpu;
	monitor_command(&c->q->monitor, qmp_text(c, "command-line", ""), print, f);
	if (fclose(f) == 0)
		json_write_string(text, c->out);
	free(text);
}

static void screen(struct qmp_call *c)
{
	const char *format = qmp_text(c, "format", "ppm"), *path = qmp_text(c, "filename", "");
	const bool png = strcmp(format, "png") == 0;
	int err;

	if (!png && strcmp(format, "ppm") != 0) {
		qmp_error(c, "Parameter 'format' does not accept value '%.100s'", format);
		return;
	}
	if (!c->q->pc->m.displays) {
		qmp_error(c, "There is no console to take a screendump from");
		return;
	}
	err = screendump(c->q->pc->m.displays, path, png ? PICTURE_PNG : PICTURE_PPM);
	if (err < 0)
		qmp_error(c, "failed to write file '%.300s': %s", path, strerror(-err));
}

/* ---- memory to files ---- */

/* Nothing where nobody can see it: a file that is not complete does not stay. */
static void save(struct qmp_call *c, bool physical)
{
	uint64_t at = (uint64_t)qmp_integer(c, "val", 0);
	int64_t left = qmp_integer(c, "size", 0), cpu = qmp_integer(c, "cpu-index", 0);
	const char *path = qmp_text(c, "filename", "");
	struct pc *pc = c->q->pc;
	uint8_t buf[PAGE_SIZE];
	bool ran;
	FILE *f;

	if (left < 0 || cpu < 0 || cpu >= pc->cpus) {
		qmp_error(c, "Parameter '%s' expects a %s", left < 0 ? "size" : "cpu-index",
			  left < 0 ? "size" : "CPU number");
		return;
	}
	f = fopen(path, "wbe");
	if (!f) {
		qmp_error(c, "Could not open '%.300s': %s", path, strerror(errno));
		return;
	}
	ran = debug_hold(c->q->env->debugger);
	while (left && !*c->error) {
		size_t page = PAGE_SIZE - (at & ~PAGE_MASK),
		       n = (uint64_t)left < page ? (size_t)left : page;
		const struct vcpu *v = debug_cpu(c->q->env->debugger, (unsigned)cpu);
		int err = physical ? aspace_dma_read(&pc->m.mem, at, buf, n)
				   : debug_read(pc, v, at, buf, n);

		if (err < 0)
			qmp_error(c, "Invalid addr 0x%016llx/size %lld specified",
				  (unsigned long long)at, (long long)left);
		else if (fwrite(buf, 1, n, f) != n)
			qmp_error(c, "Could not write '%.300s': %s", path, strerror(errno));
		at += n;
		left -= (int64_t)n;
	}
	debug_release(c->q->env->debugger, ran);
	if (fclose(f) != 0 && !*c->error)
		qmp_error(c, "Could not write '%.300s': %s", path, strerror(errno));
	if (*c->error)
		unlink(path);
}

static void memsave(struct qmp_call *c)
{
	save(c, false);
}

static void pmemsave(struct qmp_call *c)
{
	save(c, true);
}

const struct qmp_command qmp_control_commands[] = {
    {"qmp_capabilities", "enable:a?", capabilities},
    {"stop", NULL, stop},
    {"cont", NULL, cont},
    {"quit", NULL, quit},
    {"system_reset", NULL, system_reset},
    {"system_powerdown", NULL, system_powerdown},
    {"system_wakeup", NULL, system_wakeup},
    {"watchdog-set-action", "action:s", watchdog_set_action},
    {"migrate", "uri:s blk:b? inc:b? detach:b?", migrate},
    {"query-migrate", NULL, query_migrate},
    {"inject-nmi", NULL, inject_nmi},
    {"human-monitor-command", "command-line:s cpu-index:i?", human_monitor_command},
    {"screendump", "filename:s format:s?", screen},
    {"memsave", "val:i size:i filename:s cpu-index:i?", memsave},
    {"pmemsave", "val:i size:i filename:s", pmemsave},
    {0},
};
