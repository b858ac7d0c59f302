/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The options that say what the machine is: board, CPUs, memory, engine, time, what it boots from.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "frontend/options_dev.h"
#include "hw/pc.h"

#define MAX_CPUS 64

#define JIT_CACHE_MIN    (1ull << 20)
#define ICOUNT_SHIFT_MAX 10u
#define JIT_CACHE_MAX    (1ull << 30)

static int set_boot_order(struct parse *p, char out[8], const char *val)
{
	if (!pc_is_boot_order(val))
		return fail(
		    p,
		    "-boot: %s is no order of devices; it has up to three of a, b (floppy), c "
		    "(disk), d (CD) and n (network)",
		    val);
	strcpy(out, val);
	return 0;
}

int on_boot(struct parse *p, const char *arg)
{
	const char *at = arg;
	struct keyval kv;
	unsigned ms;

	p->o->boot.given = true;
	while (next_keyval(&at, &kv)) {
		if (!kv.has_val || strcmp(kv.key, "order") == 0) {
			if (set_boot_order(p, p->o->boot.order, kv.has_val ? kv.val : kv.key) < 0)
				return -1;
		} else if (strcmp(kv.key, "once") == 0) {
			if (set_boot_order(p, p->o->boot.once, kv.val) < 0)
				return -1;
		} else if (strcmp(kv.key, "menu") == 0 || strcmp(kv.key, "strict") == 0) {
			bool on = strcmp(kv.val, "on") == 0;

			if (!on && strcmp(kv.val, "off") != 0)
				return fail(p, "-boot: %s=%s is neither on nor off", kv.key,
					    kv.val);
			*(kv.key[0] == 'm' ? &p->o->boot.menu : &p->o->boot.strict) = on;
		} else if (strcmp(kv.key, "splash-time") == 0 ||
			   strcmp(kv.key, "reboot-timeout") == 0) {
			if (parse_uint(kv.val, 0xffff, &ms) < 0)
				return fail(p, "-boot: %s=%s is not a number of ms up to 65535",
					    kv.key, kv.val);
			if (kv.key[0] == 's')
				p->o->boot.menu_wait_ms = (int)ms;
			else
				p->o->boot.fail_wait_ms = (int)ms;
		} else {
			return fail(p,
				    "-boot: %s= is not supported; there are order=, once=, menu=, "
				    "splash-time= and reboot-timeout=",
				    kv.key);
		}
	}
	return 0;
}

int on_m(struct parse *p, const char *arg)
{
	struct keyval kv;
	const char *at = arg;

	p->o->ram_size = 0;
	while (next_keyval(&at, &kv)) {
		if (kv.has_val && strcmp(kv.key, "size") != 0)
			return fail(p, "-m %s: %s= is not supported (memory cannot be added later)",
				    arg, kv.key);
		if (parse_size(kv.has_val ? kv.val : kv.key, 1ull << 20, &p->o->ram_size) < 0)
			return fail(p, "-m %s: not a size (try 512M or 2G)", arg);
	}
	if (p->o->ram_size < 2ull << 20)
		return fail(p, "-m %s: the PC needs at least 2M", arg);
	return 0;
}

int on_smp(struct parse *p, const char *arg)
{
	unsigned cpus = 0, product = 1, max = 0, v;
	const char *at = arg;
	struct keyval kv;

	while (next_keyval(&at, &kv)) {
		if (!kv.has_val || strcmp(kv.key, "cpus") == 0) {
			if (parse_uint(kv.has_val ? kv.val : kv.key, 1000000, &cpus) < 0)
				return fail(p, "-smp %s: not a number of CPUs", arg);
			continue;
		}
		if (parse_uint(kv.val, 1000000, &v) < 0 || !v)
			return fail(p, "-smp %s: %s=%s is not a number", arg, kv.key, kv.val);
		if (strcmp(kv.key, "maxcpus") == 0)
			max = v;
		else if (strcmp(kv.key, "sockets") == 0 || strcmp(kv.key, "cores") == 0 ||
			 strcmp(kv.key, "threads") == 0 || strcmp(kv.key, "dies") == 0)
			product = product > 1000000 / v ? 1000001 : product * v;
		else
			return fail(p,
				    "-smp: %s= is not known (cpus, sockets, cores, threads, "
				    "maxcpus)",
				    kv.key);
	}
	if (!cpus)
		cpus = product > 1 ? product : max;
	if (!cpus || cpus > MAX_CPUS)
		return fail(p, "-smp %s: 1 to %d CPUs are supported", arg, MAX_CPUS);
	if (max && max != cpus)
		return fail(p, "-smp %s: CPUs cannot be added later, so maxcpus must be %u", arg,
			    cpus);
	if (product > 1 && product != cpus)
		return fail(p, "-smp %s: sockets, cores and threads make %u CPUs, not %u", arg,
			    product, cpus);
	p->o->cpus = cpus;
	return 0;
}

int on_cpu(struct parse *p, const char *arg)
{
	if (is_help(arg))
		p->o->action = ACT_CPU_HELP;
	p->o->cpu = arg;
	return 0;
}

static int set_accel(struct parse *p, const char *name)
{
	if (is_help(name)) {
		p->o->action = ACT_ACCEL_HELP;
		return 0;
	}
	if (strcmp(name, "tcg") == 0)
		return fail(p, "accelerator %s is not supported yet; the nearest is jit", name);
	static const char *const names[] = {"auto", "interp", "jit", "kvm"};
	p->o->accel = NULL;
	p->o->accel_else = NULL;
	p->o->jit_cache = 0;
	p->o->jit_hot = 0;
	p->o->jit_stats = false;
	for (unsigned n = 0; n < 4; n++)
		if (strcmp(name, names[n]) == 0)
			p->o->accel = names[n];
	if (!p->o->accel)
		return fail(p, "accelerator %s is not known; there are auto, kvm, jit and interp",
			    name);
	return 0;
}

int on_accel(struct parse *p, const char *arg)
{
	const char *at = arg;
	struct keyval kv;

	if (!next_keyval(&at, &kv))
		return fail(p, "-accel needs a name; there are auto, kvm, jit and interp");
	if (kv.has_val)
		return fail(p, "-accel %s: the name comes first, as in -accel jit,cache=64M", arg);
	if (set_accel(p, kv.key) < 0)
		return -1;
	while (p->o->action == ACT_RUN && next_keyval(&at, &kv)) {
		const char *val = kv.has_val ? kv.val : "";

		if (strcmp(p->o->accel, "jit") != 0)
			return fail(p, "-accel %s: %s takes no properties", arg, p->o->accel);
		if (strcmp(kv.key, "cache") == 0) {
			if (parse_size(val, 1ull << 20, &p->o->jit_cache) < 0 ||
			    p->o->jit_cache < JIT_CACHE_MIN || p->o->jit_cache > JIT_CACHE_MAX)
				return fail(p, "-accel %s: cache=%s is not a size from 1M to 1G",
					    arg, val);
		} else if (strcmp(kv.key, "hot") == 0) {
			if (parse_uint(val, 1000000, &p->o->jit_hot) < 0 || !p->o->jit_hot)
				return fail(p,
					    "-accel %s: hot=%s is not a number from 1 to 1000000",
					    arg, val);
		} else if (strcmp(kv.key, "stats") == 0) {
			p->o->jit_stats = strcmp(val, "on") == 0;
			if (!p->o->jit_stats && strcmp(val, "off") != 0)
				return fail(p, "-accel %s: stats=%s is neither on nor off", arg,
					    val);
		} else {
			return fail(p,
				    "-accel %s: %s is not known; jit has cache=SIZE, hot=RUNS "
				    "and stats=on|off",
				    arg, kv.key);
		}
	}
	return 0;
}

int on_enable_kvm(struct parse *p, const char *arg)
{
	(void)arg;
	return set_accel(p, "kvm");
}

int on_machine(struct parse *p, const char *arg)
{
	/* Switches that ask for what is the case anyway. */
	static const char *const fine[] = {"usb=off",
					   "vmport=off",
					   "graphics=off",
					   "acpi=on",
					   "hpet=on",
					   "graphics=on",
					   "nvdimm=off",
					   "kernel_irqchip=off",
					   "pit=on",
					   "pic=on",
					   "i8042=on",
					   "kernel-irqchip=off",
					   "mem-merge=off",
					   "dump-guest-core=off",
					   NULL};
	const char *at = arg;
	struct keyval kv;
	bool first = true;

	for (; next_keyval(&at, &kv); first = false) {
		const char *type = NULL;

		if (!kv.has_val && first)
			type = kv.key;
		else if (kv.has_val && strcmp(kv.key, "type") == 0)
			type = kv.val;
		if (type) {
			if (is_help(type)) {
				p->o->action = ACT_MACHINE_HELP;
				continue;
			}
			if (strcmp(type, "q35") == 0 || strncmp(type, "pc-q35", 6) == 0)
				p->o->board = &board_q35;
			else if (strcmp(type, "pc") == 0 || strncmp(type, "pc-i440fx", 9) == 0)
				p->o->board = &board_pc;
			else
				return fail(p, "machine %s is not known; there are pc and q35",
					    type);
			continue;
		}
		if (kv.has_val && strcmp(kv.key, "accel") == 0) {
			/* A list in order of preference: the first that we have, and what follows kvm,
			 * which the host may not have. */
			char *name = kv.val, *colon;
			bool kvm = false;
			int r = -1;

			while (name) {
				colon = strchr(name, ':');
				if (colon)
					*colon++ = 0;
				r = set_accel(p, name);
				if (r == 0 && strcmp(name, "kvm") != 0)
					break;
				kvm |= r == 0;
				name = colon;
			}
			if (r < 0 && !kvm)
				return r;
			if (kvm) {
				p->o->accel_else = name ? p->o->accel : NULL;
				p->o->accel = "kvm";
			}
			p->err[0] = 0;
			continue;
		}
		if (kv.has_val && strcmp(kv.key, "pcspk-audiodev") == 0) {
			if (strlen(kv.val) >= sizeof(p->o->audiodevs.speaker))
				return fail(p, "-machine: there is no -audiodev with id=%s",
					    kv.val);
			strcpy(p->o->audiodevs.speaker, kv.val);
			continue;
		}
		if (strcmp(kv.key, "smm") == 0 && kv.has_val) {
			p->o->smm = strcmp(kv.val, "on") == 0    ? SMM_ON
				    : strcmp(kv.val, "off") == 0 ? SMM_OFF
								 : SMM_AUTO;
			if (p->o->smm == SMM_AUTO && strcmp(kv.val, "auto") != 0)
				return fail(p, "-machine smm=%s: it is on, off or auto", kv.val);
			continue;
		}
		if (strcmp(kv.key, "hpet") == 0 && strcmp(kv.val, "off") == 0) {
			p->o->no_hpet = true;
			continue;
		}
		if (strcmp(kv.key, "usb") == 0 && (!kv.has_val || strcmp(kv.val, "on") == 0)) {
			on_usb(p, NULL);
			continue;
		}
		for (size_t i = 0; fine[i]; i++) {
			size_t n = strlen(kv.key);

			if (kv.has_val && strncmp(fine[i], kv.key, n) == 0 && fine[i][n] == '=' &&
			    strcmp(fine[i] + n + 1, kv.val) == 0)
				goto ok;
		}
		return fail(p, "-machine: %s%s%s is not supported", kv.key, kv.has_val ? "=" : "",
			    kv.has_val ? kv.val : "");
	ok:;
	}
	return 0;
}

int on_rtc(struct parse *p, const char *arg)
{
	const char *at = arg;
	struct keyval kv;

	if (!*arg)
		return fail(p, "-rtc needs base=utc|localtime|DATE");
	while (next_keyval(&at, &kv)) {
		struct tm tm = {0};
		const char *end;

		/* It goes with the guest's time, which stops while the guest is paused. */
		if (kv.has_val &&
		    ((strcmp(kv.key, "clock") == 0 && strcmp(kv.val, "vm") == 0) ||
		     (strcmp(kv.key, "driftfix") == 0 && strcmp(kv.val, "none") == 0)))
			continue;
		if (!kv.has_val || strcmp(kv.key, "base") != 0) {
			if (kv.has_val && strcmp(kv.key, "clock") == 0)
				return fail(p,
					    "-rtc clock=%s is not supported; clock=vm is the case "
					    "anyway",
					    kv.val);
			return fail(p, "-rtc %s: only base=utc|localtime|DATE is supported", arg);
		}
		if (strcmp(kv.val, "utc") == 0) {
			p->o->rtc_base = CLOCK_UTC;
			continue;
		}
		if (strcmp(kv.val, "localtime") == 0) {
			p->o->rtc_base = CLOCK_LOCAL;
			continue;
		}
		end = strptime(kv.val, "%Y-%m-%dT%H:%M:%S", &tm);
		if (!end)
			end = strptime(kv.val, "%Y-%m-%d", &tm);
		if (!end || *end)
			return fail(p,
				    "-rtc base=%s: not utc, localtime or a date such as "
				    "2026-01-31T12:00:00",
				    kv.val);
		p->o->rtc_base = CLOCK_DATE;
		p->o->rtc_date = timegm(&tm);
	}
	return 0;
}

int on_icount(struct parse *p, const char *arg)
{
	const char *at = arg;
	struct keyval kv;
	bool has_shift = false;

	while (next_keyval(&at, &kv)) {
		bool shift = !kv.has_val || strcmp(kv.key, "shift") == 0;
		const char *val = kv.has_val ? kv.val : kv.key;
		bool on = strcmp(val, "on") == 0;

		if (!shift && strcmp(kv.key, "sleep") != 0 && strcmp(kv.key, "align") != 0)
			return fail(p,
				    "-icount: %s= is not supported; there are shift=N, "
				    "sleep=on|off and align=off",
				    kv.key);
		if (shift && (parse_uint(val, ICOUNT_SHIFT_MAX, &p->o->icount_shift) < 0))
			return fail(p,
				    "-icount: shift=%s is not supported; it is a number from 0 "
				    "to %u: 2^N ns for each instruction",
				    val, ICOUNT_SHIFT_MAX);
		if (!shift && !on && strcmp(val, "off") != 0)
			return fail(p, "-icount: %s=%s is neither on nor off", kv.key, val);
		if (shift)
			has_shift = true;
		else if (strcmp(kv.key, "sleep") == 0)
			p->o->icount_no_sleep = !on;
		else if (on)
			return fail(p, "-icount align=on is not supported; guest time does not "
				       "follow the host's clock");
	}
	if (!has_shift)
		return fail(p, "-icount needs shift=N, 0 to %u", ICOUNT_SHIFT_MAX);
	p->o->icount = true;
	return 0;
}

/* Where in a list of names that ends with NULL; -1 with the message. */
static int find_action(struct parse *p, const char *event, const char *val,
		       const char *const *names)
{
	char list[100] = "";

	for (int n = 0; names[n]; n++) {
		size_t len = strlen(list);

		if (strcmp(names[n], val) == 0)
			return n;
		snprintf(list + len, sizeof(list) - len, "%s%s", n ? ", " : "", names[n]);
	}
	return fail(p, "-action %s=%s is not supported; there are %s", event, val, list);
}

int on_watchdog_action(struct parse *p, const char *arg)
{
	int n = find_action(p, "watchdog", arg, watchdog_actions);

	if (n >= 0)
		p->o->watchdog_action = (enum watchdog_action)n;
	return n < 0 ? -1 : 0;
}

int on_action(struct parse *p, const char *arg)
{
	static const char *const reboot[] = {"reset", "shutdown", NULL};
	static const char *const shutdown[] = {"poweroff", "pause", NULL};
	static const char *const panic[] = {
	    [PANIC_SHUTDOWN] = "shutdown",
	    [PANIC_PAUSE] = "pause",
	    [PANIC_EXIT_FAILURE] = "exit-failure",
	    [PANIC_NONE] = "none",
	    NULL,
	};
	struct keyval kv;

	while (next_keyval(&arg, &kv)) {
		int n = 0;

		if (strcmp(kv.key, "reboot") == 0)
			p->o->no_reboot = (n = find_action(p, kv.key, kv.val, reboot)) == 1;
		else if (strcmp(kv.key, "shutdown") == 0)
			p->o->no_shutdown = (n = find_action(p, kv.key, kv.val, shutdown)) == 1;
		else if (strcmp(kv.key, "panic") == 0)
			p->o->panic_action =
			    (enum panic_action)(n = find_action(p, kv.key, kv.val, panic));
		else if (strcmp(kv.key, "watchdog") == 0)
			n = on_watchdog_action(p, kv.val);
		else
			n = fail(p,
				 "-action: %s= is not known; there are reboot=, shutdown=, panic= "
				 "and watchdog=",
				 kv.key);
		if (n < 0)
			return -1;
	}
	return 0;
}
