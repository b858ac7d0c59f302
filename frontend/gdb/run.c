/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Going on: which vCPUs continue and which execute one instruction. No interrupt comes before the instruction of a step
 * (as QEMU's sstep=7 has it), for else one would see little but the handlers of timers.
 */
#include <errno.h>
#include <string.h>

#include "cpu/vcpu.h"
#include "frontend/debug/memory.h"
#include "frontend/gdb/stub_impl.h"
#include "hw/pc.h"

/* "[ADDR]" of the oldest packets: where to go on. */
static bool take_address(struct gdb_stub *s, const char *at)
{
	unsigned cpu = s->run_cpu == GDB_RUN_ALL ? s->cpu : s->run_cpu;
	struct vcpu *v = debug_cpu(s->debugger, cpu);
	uint64_t addr;

	if (!*at)
		return true;
	if (!gdb_number(&at, &addr) || *at)
		return false;
	if (debug_code_bits(v) < 64)
		addr = (uint32_t)addr;
	else if ((uint64_t)((int64_t)(addr << 16) >> 16) != addr)
		return false; /* not canonical */
	v->rip = addr;
	return true;
}

static void go(struct gdb_stub *s, uint64_t cpus)
{
	gdb_points_settle(s);
	s->waits = true;
	debug_cont_some(s->debugger, cpus);
}

/* A vCPU that is halted goes on with an interrupt: all run until it is behind the HLT, or for ever. */
static void step_halted(struct gdb_stub *s, unsigned cpu)
{
	struct vcpu *v = debug_cpu(s->debugger, cpu);
	uint64_t base = debug_code_bits(v) == 64 ? 0 : v->seg[CS].base;
	int id;

	if (v->activity == ACT_HALTED) {
		id = debug_add(
		    s->debugger,
		    &(struct debug_point){.at = {.addr = base + v->rip, .len = 1, .on = WATCH_EXEC},
					  .cpu = (int)cpu,
					  .enabled = true,
					  .temporary = true,
					  .owner = s});
		if (id > 0)
			s->step_id = id;
	}
	go(s, UINT64_MAX);
}

/* One instruction of each of these vCPUs. */
static void step(struct gdb_stub *s, uint64_t cpus)
{
	struct debug_stop stop, first = {.why = STOP_STEP};
	bool any = false;

	gdb_points_settle(s);
	for (unsigned n = 0; n < s->pc->cpus; n++) {
		int err;

		if (!(cpus >> n & 1))
			continue;
		err = debug_step(s->debugger, n, &stop);
		if (err == -EAGAIN && cpus == 1ull << n) {
			step_halted(s, n);
			return;
		}
		if (err < 0 && err != -EAGAIN) {
			gdb_error(s, (unsigned)-err);
			return;
		}
		if (!any || (first.why == STOP_STEP && stop.why == STOP_POINT) ||
		    (first.why == STOP_STEP && n == s->cpu))
			first = stop;
		any = true;
	}
	gdb_report_stop(s, &first);
}

void gdb_continue(struct gdb_stub *s, char *args, size_t len)
{
	(void)len;
	if (take_address(s, args))
		go(s, UINT64_MAX);
	else
		gdb_error(s, GDB_EINVAL);
}

/* "SIGNAL[;ADDR]": a PC knows no signals. */
static char *after_signal(char *args)
{
	char *semicolon = strchr(args, ';');

	return semicolon ? semicolon + 1 : args + strlen(args);
}

void gdb_continue_signal(struct gdb_stub *s, char *args, size_t len)
{
	gdb_continue(s, after_signal(args), len);
}

void gdb_step(struct gdb_stub *s, char *args, size_t len)
{
	(void)len;
	if (take_address(s, args))
		step(s, 1ull << (s->run_cpu == GDB_RUN_ALL ? s->cpu : s->run_cpu));
	else
		gdb_error(s, GDB_EINVAL);
}

void gdb_step_signal(struct gdb_stub *s, char *args, size_t len)
{
	gdb_step(s, after_signal(args), len);
}

/* "ACTION[:THREAD];...": a vCPU does what the first action says that is for it. What stands still while another steps
 * is not moved at all; where several are to step, or the others to continue meanwhile, that is for the length of one
 * instruction. */
void gdb_vcont(struct gdb_stub *s, char *args, size_t len)
{
	uint64_t steps = 0, conts = 0, all;
	const char *at = args;

	(void)len;
	all = s->pc->cpus < 64 ? (1ull << s->pc->cpus) - 1 : UINT64_MAX;
	while (*at) {
		char action = *at++;
		uint64_t signal, cpus = all;
		unsigned cpu;

		if ((action == 'C' || action == 'S') && !gdb_number(&at, &signal))
			break;
		if (*at == ':') {
			at++;
			if (!gdb_thread(s, &at, &cpu))
				break;
			if (cpu != GDB_RUN_ALL)
				cpus = 1ull << cpu;
		}
		cpus &= ~(steps | conts);
		if (action == 's' || action == 'S')
			steps |= cpus;
		else if (action == 'c' || action == 'C')
			conts |= cpus;
		else
			break;
		if (*at == ';')
			at++;
		else if (*at)
			break;
	}
	if (*at || !(steps | conts))
		gdb_error(s, GDB_EINVAL);
	else if (steps)
		step(s, steps);
	else
		go(s, conts == all ? UINT64_MAX : conts);
}
