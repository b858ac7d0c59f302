/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The connection, which packet goes where, and what is said of a stop.
 */
#include "frontend/gdb/stub.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/gdb/stub_impl.h"
#include "hw/chardev.h"
#include "hw/pc.h"

/* Numbers of gdb's include/gdb/signals.def. */
enum { SIG_INT = 2, SIG_QUIT = 3, SIG_TRAP = 5, SIG_ABRT = 6 };

void gdb_reply(struct gdb_stub *s, const char *text)
{
	gdb_wire_send(&s->wire, text, strlen(text));
}

void gdb_error(struct gdb_stub *s, unsigned number)
{
	char text[8];

	snprintf(text, sizeof(text), "E%02x", number & 0xff);
	gdb_reply(s, text);
}

bool gdb_thread(const struct gdb_stub *s, const char **text, unsigned *cpu)
{
	uint64_t id;

	if (**text == 'p') {
		(*text)++;
		if (strncmp(*text, "-1", 2) == 0)
			*text += 2;
		else if (!gdb_number(text, &id))
			return false;
		*cpu = GDB_RUN_ALL;
		if (**text != '.')
			return true;
		(*text)++;
	}
	if (strncmp(*text, "-1", 2) == 0) {
		*text += 2;
		*cpu = GDB_RUN_ALL;
		return true;
	}
	if (!gdb_number(text, &id) || id > s->pc->cpus)
		return false;
	*cpu = id ? (unsigned)id - 1 : GDB_RUN_ALL;
	return true;
}

/* ---- stops ---- */

static unsigned signal_of(const struct debug_stop *stop)
{
	switch (stop->why) {
	case STOP_USER:
		return SIG_INT;
	case STOP_GUEST:
		return stop->end == END_PANIC ? SIG_ABRT : SIG_QUIT;
	default:
		return SIG_TRAP;
	}
}

/* Why, where the client has a word for it. */
static void reason(const struct gdb_stub *s, const struct debug_stop *stop, char *text, size_t len)
{
	static const char *const watch[] = {"watch", "rwatch", "awatch"};
	const struct gdb_point *p = stop->owner == s ? gdb_point_find(s, stop->id) : NULL;

	*text = 0;
	if (!p)
		return;
	if (p->type == GDB_SW_BREAK && s->swbreak)
		snprintf(text, len, "swbreak:;");
	else if (p->type == GDB_HW_BREAK && s->hwbreak)
		snprintf(text, len, "hwbreak:;");
	else if (p->type >= GDB_WATCH) /* an access may begin before what is watched */
		snprintf(text, len, "%s:%llx;", watch[p->type - GDB_WATCH],
			 (unsigned long long)(s->physical || stop->hit.lin < p->addr
						  ? p->addr
						  : stop->hit.lin));
}

void gdb_report_stop(struct gdb_stub *s, const struct debug_stop *stop)
{
	char text[96], why[48];

	s->waits = false;
	s->cpu = stop->cpu;
	reason(s, stop, why, sizeof(why));
	snprintf(text, sizeof(text), "T%02xthread:%x;%s", signal_of(stop), stop->cpu + 1, why);
	gdb_reply(s, text);
}

static void on_stopped(void *opaque, const struct debug_stop *stop)
{
	struct gdb_stub *s = opaque;
	struct debug_stop say = *stop;

	if (s->step_id) {
		if (stop->id != s->step_id)
			debug_remove(s->debugger, s->step_id);
		else
			say.why = STOP_STEP;
		s->step_id = 0;
	}
	/* Who asked for it tells nothing of where; what one looks at stays the same. */
	if (say.why == STOP_USER || say.why == STOP_GUEST)
		say.cpu = s->cpu;
	if (s->waits)
		gdb_report_stop(s, &say);
}

static void why_stopped(struct gdb_stub *s, char *args, size_t len)
{
	const struct debug_stop *last = debug_last_stop(s->debugger);
	struct debug_stop now = {.why = STOP_STEP, .cpu = s->cpu};

	(void)args;
	(void)len;
	if (last && last->why == STOP_GUEST) {
		now.why = STOP_GUEST;
		now.end = last->end;
	}
	gdb_report_stop(s, &now);
}

/* ---- packets of a few lines ---- */

static void set_thread(struct gdb_stub *s, char *args, size_t len)
{
	const char *id = args + 1;
	unsigned cpu;

	(void)len;
	if (!*args || !gdb_thread(s, &id, &cpu)) {
		gdb_error(s, GDB_EINVAL);
		return;
	}
	if (*args == 'c')
		s->run_cpu = cpu;
	else if (cpu != GDB_RUN_ALL)
		s->cpu = cpu;
	gdb_reply(s, "OK");
}

static void thread_alive(struct gdb_stub *s, char *args, size_t len)
{
	const char *id = args;
	unsigned cpu;

	(void)len;
	if (gdb_thread(s, &id, &cpu))
		gdb_reply(s, "OK");
	else
		gdb_error(s, GDB_EINVAL);
}

static void yes(struct gdb_stub *s, char *args, size_t len)
{
	(void)args;
	(void)len;
	gdb_reply(s, "OK");
}

static void attached(struct gdb_stub *s, char *args, size_t len)
{
	(void)args;
	(void)len;
	gdb_reply(s, "1");
}

static void no_acks(struct gdb_stub *s, char *args, size_t len)
{
	(void)args;
	(void)len;
	gdb_reply(s, "OK");
	s->wire.no_acks = true;
}

static void vcont_actions(struct gdb_stub *s, char *args, size_t len)
{
	(void)args;
	(void)len;
	gdb_reply(s, "vCont;c;C;s;S");
}

static void this_thread(struct gdb_stub *s, char *args, size_t len)
{
	char text[16];

	(void)args;
	(void)len;
	snprintf(text, sizeof(text), "QC%x", s->cpu + 1);
	gdb_reply(s, text);
}

static void all_threads(struct gdb_stub *s, char *args, size_t len)
{
	char *to = s->reply;

	(void)args;
	(void)len;
	*to++ = 'm';
	for (unsigned n = 1; n <= s->pc->cpus; n++)
		to += sprintf(to, "%s%x", n > 1 ? "," : "", n);
	gdb_reply(s, s->reply);
}

static void no_more_threads(struct gdb_stub *s, char *args, size_t len)
{
	(void)args;
	(void)len;
	gdb_reply(s, "l");
}

static void forget_points(struct gdb_stub *s)
{
	debug_remove_all(s->debugger, s);
	s->nr_points = 0;
	s->step_id = 0;
}

static void detach(struct gdb_stub *s, char *args, size_t len)
{
	(void)args;
	(void)len;
	forget_points(s);
	gdb_reply(s, "OK");
	debug_cont(s->debugger);
}

static void restart(struct gdb_stub *s, char *args, size_t len)
{
	(void)args;
	(void)len;
	machine_request_reset(&s->pc->m);
}

static void kill_quietly(struct gdb_stub *s, char *args, size_t len)
{
	(void)args;
	(void)len;
	s->here = false; /* nothing more is to be said */
	machine_request_quit(&s->pc->m);
}

static void kill_guest(struct gdb_stub *s, char *args, size_t len)
{
	gdb_reply(s, "OK");
	kill_quietly(s, args, len);
}

/* The first one that the packet begins with. */
static const struct {
	const char *name;
	gdb_handler *handle;
} handlers[] = {
    {"?", why_stopped},
    {"!", yes},
    {"g", gdb_read_registers},
    {"G", gdb_write_registers},
    {"p", gdb_read_register},
    {"P", gdb_write_register},
    {"m", gdb_read_memory},
    {"M", gdb_write_memory_hex},
    {"X", gdb_write_memory},
    {"Z", gdb_insert_point},
    {"z", gdb_remove_point},
    {"c", gdb_continue},
    {"C", gdb_continue_signal},
    {"s", gdb_step},
    {"S", gdb_step_signal},
    {"H", set_thread},
    {"T", thread_alive},
    {"D", detach},
    {"R", restart},
    {"k", kill_quietly},
    {"vCont?", vcont_actions},
    {"vCont;", gdb_vcont},
    {"vAttach;", why_stopped},
    {"vKill;", kill_guest},
    {"qSupported", gdb_supported},
    {"qXfer:features:read:target.xml:", gdb_features},
    {"qXfer:threads:read::", gdb_threads_xml},
    {"qThreadExtraInfo,", gdb_thread_info},
    {"qfThreadInfo", all_threads},
    {"qsThreadInfo", no_more_threads},
    {"qAttached", attached},
    {"qCRC:", gdb_crc},
    {"qC", this_thread},
    {"qRcmd,", gdb_monitor},
    {"QStartNoAckMode", no_acks},
    {"qqemu.sstepbits", gdb_step_bits},
    {"qqemu.sstep", gdb_step_mode},
    {"Qqemu.sstep=", gdb_set_step_mode},
    {"qqemu.PhyMemMode", gdb_physical},
    {"Qqemu.PhyMemMode:", gdb_set_physical},
};

static void on_packet(void *opaque, char *data, size_t len)
{
	struct gdb_stub *s = opaque;

	/* The client takes the guest for stopped, so it is, also when somebody else had let it go on. */
	debug_stop(s->debugger);
	for (size_t n = 0; n < sizeof(handlers) / sizeof(handlers[0]); n++) {
		size_t name = strlen(handlers[n].name);

		if (len >= name && memcmp(data, handlers[n].name, name) == 0) {
			handlers[n].handle(s, data + name, len - name);
			return;
		}
	}
	gdb_reply(s, ""); /* not supported */
}

static void on_interrupt(void *opaque)
{
	struct gdb_stub *s = opaque;

	debug_stop(s->debugger);
}

/* ---- the connection ---- */

static void write_out(void *opaque, const uint8_t *buf, size_t len)
{
	struct gdb_stub *s = opaque;

	if (s->here)
		chardev_write(s->chr, buf, len);
}

static size_t can_receive(void *dev)
{
	(void)dev;
	return GDB_PACKET;
}

static void receive(void *dev, const uint8_t *buf, size_t len)
{
	struct gdb_stub *s = dev;

	if (s->here)
		gdb_wire_receive(&s->wire, buf, len);
}

void gdb_stub_client(void *opaque, bool here)
{
	struct gdb_stub *s = opaque;

	forget_points(s);
	gdb_wire_reset(&s->wire);
	s->here = here;
	s->waits = s->swbreak = s->hwbreak = s->physical = false;
	s->cpu = 0;
	s->run_cpu = GDB_RUN_ALL;
	if (!here)
		return;
	debug_stop(s->debugger);
	if (debug_last_stop(s->debugger))
		s->cpu = debug_last_stop(s->debugger)->cpu;
}

void gdb_stub_exited(struct gdb_stub *s, int status)
{
	char text[8];

	if (!s->here)
		return;
	snprintf(text, sizeof(text), "W%02x", (unsigned)status & 0xff);
	gdb_reply(s, text);
	s->here = false;
}

void gdb_stub_attach(struct gdb_stub *s, struct chardev *chr)
{
	s->chr = chr;
	chardev_attach(chr, can_receive, receive, s);
}

int gdb_stub_new(struct gdb_stub **out, struct monitor_env *env)
{
	struct gdb_stub *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	err = gdb_regs_init(&s->regs, &env->pc->model);
	if (err < 0) {
		free(s);
		return err;
	}
	s->debugger = env->debugger;
	s->pc = env->pc;
	monitor_init(&s->monitor, env);
	s->wire.packet = on_packet;
	s->wire.interrupt = on_interrupt;
	s->wire.write = write_out;
	s->wire.opaque = s;
	s->listener.stopped = on_stopped;
	s->listener.opaque = s;
	debug_listen(s->debugger, &s->listener);
	*out = s;
	return 0;
}

void gdb_stub_free(struct gdb_stub *s)
{
	if (!s)
		return;
	forget_points(s);
	debug_unlisten(s->debugger, &s->listener);
	gdb_regs_fini(&s->regs);
	free(s->points);
	free(s);
}
