/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * General queries: what the stub can do, its description, the vCPUs' names, commands of the monitor, and what QEMU's
 * stub adds.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/vcpu.h"
#include "frontend/gdb/stub_impl.h"
#include "hw/pc.h"

/* Steps are without interrupts and without time: what QEMU calls ENABLE, NOIRQ and NOTIMER. */
#define STEP_MODE 7

static bool offers(const char *list, const char *feature)
{
	size_t n = strlen(feature);

	for (const char *at = list; (at = strstr(at, feature)); at += n)
		if ((at[-1] == ':' || at[-1] == ';') && (at[n] == 0 || at[n] == ';'))
			return true;
	return false;
}

/* args begin with ':' or are empty. */
void gdb_supported(struct gdb_stub *s, char *args, size_t len)
{
	(void)len;
	s->swbreak = offers(args, "swbreak+");
	s->hwbreak = offers(args, "hwbreak+");
	snprintf(s->reply, sizeof(s->reply),
		 "PacketSize=%x;qXfer:features:read+;qXfer:threads:read+;vContSupported+;"
		 "QStartNoAckMode+;swbreak+;hwbreak+",
		 GDB_PACKET);
	gdb_reply(s, s->reply);
}

/* "OFFSET,LENGTH" of a document. */
static void part(struct gdb_stub *s, const char *at, const char *text, size_t size)
{
	uint64_t off, len;

	if (!gdb_number(&at, &off) || *at++ != ',' || !gdb_number(&at, &len) || *at || off > size) {
		gdb_error(s, GDB_EINVAL);
		return;
	}
	/* Escapes make a packet longer on the wire, which its limit does not count. */
	if (len > GDB_PACKET - 1)
		len = GDB_PACKET - 1;
	if (len > size - off)
		len = size - off;
	s->reply[0] = off + len < size ? 'm' : 'l';
	memcpy(s->reply + 1, text + off, len);
	gdb_wire_send(&s->wire, s->reply, len + 1);
}

void gdb_features(struct gdb_stub *s, char *args, size_t len)
{
	(void)len;
	part(s, args, s->regs.xml, s->regs.xml_len);
}

static const char *state_name(const struct vcpu *v)
{
	static const char *const names[] = {"running", "halted", "waits for SIPI", "shut down"};

	return names[v->activity];
}

void gdb_threads_xml(struct gdb_stub *s, char *args, size_t len)
{
	size_t size;
	char *text;
	FILE *f = open_memstream(&text, &size);

	(void)len;
	if (!f) {
		gdb_error(s, GDB_EINVAL);
		return;
	}
	fprintf(f, "<?xml version=\"1.0\"?>\n<threads>\n");
	for (unsigned n = 0; n < s->pc->cpus; n++)
		fprintf(f, "<thread id=\"%x\" core=\"%u\" name=\"CPU#%u\">%s</thread>\n", n + 1, n,
			n, state_name(debug_cpu(s->debugger, n)));
	fprintf(f, "</threads>\n");
	if (fclose(f) == 0)
		part(s, args, text, size);
	else
		gdb_error(s, GDB_EINVAL);
	free(text);
}

void gdb_thread_info(struct gdb_stub *s, char *args, size_t len)
{
	const char *id = args;
	char text[64];
	unsigned cpu;
	int n;

	(void)len;
	if (!gdb_thread(s, &id, &cpu) || cpu == GDB_RUN_ALL) {
		gdb_error(s, GDB_EINVAL);
		return;
	}
	n = snprintf(text, sizeof(text), "CPU#%u [%s]", cpu,
		     state_name(debug_cpu(s->debugger, cpu)));
	*gdb_to_hex(s->reply, text, (size_t)n) = 0;
	gdb_reply(s, s->reply);
}

/* ---- the monitor ---- */

static void print(void *opaque, const char *text)
{
	struct gdb_stub *s = opaque;

	for (size_t left = strlen(text); left;) {
		size_t n = left < GDB_PACKET / 2 - 1 ? left : GDB_PACKET / 2 - 1;

		s->reply[0] = 'O';
		*gdb_to_hex(s->reply + 1, text, n) = 0;
		gdb_reply(s, s->reply);
		text += n;
		left -= n;
	}
}

void gdb_monitor(struct gdb_stub *s, char *args, size_t len)
{
	char line[1024];
	size_t n = gdb_from_hex((uint8_t *)line, sizeof(line) - 1, args);

	if (2 * n != len) {
		gdb_error(s, GDB_EINVAL);
		return;
	}
	line[n] = 0;
	s->monitor.cpu = s->cpu;
	monitor_command(&s->monitor, line, print, s);
	gdb_reply(s, "OK");
}

/* ---- QEMU's ---- */

void gdb_step_bits(struct gdb_stub *s, char *args, size_t len)
{
	(void)args;
	(void)len;
	gdb_reply(s, "ENABLE=1,NOIRQ=2,NOTIMER=4");
}

void gdb_step_mode(struct gdb_stub *s, char *args, size_t len)
{
	(void)args;
	(void)len;
	snprintf(s->reply, sizeof(s->reply), "0x%x", STEP_MODE);
	gdb_reply(s, s->reply);
}

void gdb_set_step_mode(struct gdb_stub *s, char *args, size_t len)
{
	const char *at = args + (strncmp(args, "0x", 2) == 0 ? 2 : 0);
	uint64_t mode;

	(void)len;
	if (gdb_number(&at, &mode) && mode == STEP_MODE)
		gdb_reply(s, "OK");
	else
		gdb_error(s, GDB_EINVAL);
}

void gdb_physical(struct gdb_stub *s, char *args, size_t len)
{
	(void)args;
	(void)len;
	gdb_reply(s, s->physical ? "1" : "0");
}

void gdb_set_physical(struct gdb_stub *s, char *args, size_t len)
{
	(void)len;
	s->physical = args[0] != '0';
	gdb_reply(s, "OK");
}
