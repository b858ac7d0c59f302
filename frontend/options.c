/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The option table, and what the plain options mean; those with an inner structure are in options_*.c.
 */
#include "frontend/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "frontend/monitor/trace.h"
#include "frontend/options_dev.h"
#include "frontend/snapshot.h"
#include "hw/display/vga.h"
#include "hw/display/virtio_gpu.h"
#include "hw/pc.h"

struct option {
	const char *name;
	const char *arg; /* how the help calls the argument; NULL: none */
	int (*handle)(struct parse *p, const char *arg);
	const char *help; /* NULL: not shown; without a handler: a heading */
};

/* ---- helpers ---- */

int parse_size(const char *s, uint64_t unit, uint64_t *out)
{
	double part = 0, digit = 0.1;
	unsigned long long v;
	uint64_t more;
	char *end;

	if (!isdigit((unsigned char)*s))
		return -1;
	errno = 0;
	v = strtoull(s, &end, 10);
	if (errno)
		return -1;
	if (*end == '.' && isdigit((unsigned char)end[1]))
		for (end++; isdigit((unsigned char)*end); end++, digit /= 10)
			part += (*end - '0') * digit;
	switch (*end) {
	case 'b':
	case 'B':
		unit = 1;
		end++;
		break;
	case 'k':
	case 'K':
		unit = 1ull << 10;
		end++;
		break;
	case 'm':
	case 'M':
		unit = 1ull << 20;
		end++;
		break;
	case 'g':
	case 'G':
		unit = 1ull << 30;
		end++;
		break;
	case 't':
	case 'T':
		unit = 1ull << 40;
		end++;
		break;
	case 'p':
	case 'P':
		unit = 1ull << 50;
		end++;
		break;
	case 'e':
	case 'E':
		unit = 1ull << 60;
		end++;
		break;
	}
	more = (uint64_t)(part * (double)unit + 0.5);
	if (*end || v > UINT64_MAX / unit || more > UINT64_MAX - v * unit ||
	    (part > 0 && unit == 1))
		return -1;
	*out = v * unit + more;
	return 0;
}

int parse_uint(const char *s, unsigned max, unsigned *out)
{
	unsigned long v;
	char *end;

	if (!isdigit((unsigned char)*s))
		return -1;
	errno = 0;
	v = strtoul(s, &end, 10);
	if (errno || *end || v > max)
		return -1;
	*out = (unsigned)v;
	return 0;
}

/* ---- what the options do ---- */

static int on_kernel(struct parse *p, const char *arg)
{
	p->o->kernel = arg;
	return 0;
}

static int on_initrd(struct parse *p, const char *arg)
{
	p->o->initrd = arg;
	return 0;
}

static int on_append(struct parse *p, const char *arg)
{
	p->o->append = arg;
	return 0;
}

static int on_bios(struct parse *p, const char *arg)
{
	p->o->bios = arg;
	return 0;
}

static int on_symbols(struct parse *p, const char *arg)
{
	if (p->o->nr_symbols == MAX_SYMFILES)
		return fail(p, "-symbols can be given at most %d times", MAX_SYMFILES);
	p->o->symbols[p->o->nr_symbols++] = arg;
	return 0;
}

static int on_rom_dir(struct parse *p, const char *arg)
{
	if (p->o->nr_rom_dirs == MAX_ROM_DIRS)
		return fail(p, "-L: at most %d directories are supported", MAX_ROM_DIRS);
	p->o->rom_dir[p->o->nr_rom_dirs++] = arg;
	return 0;
}

static int on_loadvm(struct parse *p, const char *arg)
{
	if (strncmp(arg, "file:", 5) == 0 && access(arg + 5, R_OK) < 0)
		return fail(p, "cannot open %s: %s", arg + 5, strerror(errno));
	p->o->loadvm = arg;
	return 0;
}

static int on_incoming(struct parse *p, const char *arg)
{
	char err[300];

	if (snapshot_check_uri(arg, err, sizeof(err)) < 0)
		return fail(p, "-incoming %s", err);
	return on_loadvm(p, arg);
}

static int on_nographic(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->nographic = true;
	return 0;
}

static int on_vga(struct parse *p, const char *arg)
{
	if (is_help(arg))
		p->o->action = ACT_VGA_HELP;
	else if (strcmp(arg, "none") == 0)
		p->o->vga = NULL;
	else if (strcmp(arg, "std") == 0)
		p->o->vga = &vga_type;
	else if (strcmp(arg, "virtio") == 0)
		p->o->vga = &virtio_vga_type;
	else
		return fail(p, "-vga %s is not supported; std, virtio and none are", arg);
	return 0;
}

static int on_nodefaults(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->vga = NULL;
	p->o->nodefaults = true;
	return 0;
}

static int on_no_hpet(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->no_hpet = true;
	return 0;
}

static int on_parallel(struct parse *p, const char *arg)
{
	if (strcmp(arg, "none") != 0)
		return fail(p, "-parallel %s is not supported yet; the nearest is -parallel none",
			    arg);
	return 0;
}

static int on_monitor(struct parse *p, const char *arg)
{
	p->o->monitor_none = strcmp(arg, "none") == 0;
	return p->o->monitor_none ? 0 : add_monitor(p, "-monitor", arg);
}

static int on_start_stopped(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->start_stopped = true;
	return 0;
}

static int on_s(struct parse *p, const char *arg)
{
	(void)arg;
	return on_gdb(p, "tcp::1234");
}

static int on_no_reboot(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->no_reboot = true;
	return 0;
}

static int on_no_shutdown(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->no_shutdown = true;
	return 0;
}

static int on_perfmap(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->perfmap = true;
	return 0;
}

static int on_jitdump(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->jitdump = true;
	return 0;
}

static int on_keymap(struct parse *p, const char *arg)
{
	p->o->keymap = arg;
	return 0;
}

static int on_log(struct parse *p, const char *arg)
{
	const char *at = arg;
	unsigned kinds = 0;

	if (strcmp(arg, "help") != 0 && !trace_log_items(&at, &kinds))
		return fail(p, "-d %s: there is no such item; there are %s", at, trace_log_help);
	if (strcmp(arg, "help") == 0)
		p->o->action = ACT_LOG_HELP;
	p->o->log_items = arg;
	return 0;
}

static int on_log_file(struct parse *p, const char *arg)
{
	p->o->log_file = arg;
	return 0;
}

static int on_log_filter(struct parse *p, const char *arg)
{
	struct trace_spec s = {0};

	if (!trace_filter(&s, arg))
		return fail(p,
			    "-dfilter %s: give at most %d of FIRST..LAST, ADDRESS+SIZE, "
			    "ADDRESS-SIZE",
			    arg, TRACE_RANGES);
	p->o->log_filter = arg;
	return 0;
}

static int ignore(struct parse *p, const char *arg)
{
	(void)p;
	(void)arg;
	return 0;
}

static int on_version(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->action = ACT_VERSION;
	return 0;
}

static int on_help(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->action = ACT_HELP;
	return 0;
}

static const struct option table[] = {
    {"", NULL, NULL, "What to boot"},
    {"kernel", "FILE", on_kernel, "bzImage, ELF (PVH or 64-bit vmlinux) or multiboot 1/2 kernel"},
    {"initrd", "FILE", on_initrd, "initial ramdisk; with multiboot \"file args,file2\" modules"},
    {"append", "TEXT", on_append, "kernel command line"},
    {"loadvm", "NAME", on_loadvm, "go on from a snapshot in the disks, or from file:PATH"},
    {"incoming", "exec:COMMAND|file:PATH", on_incoming, "go on from what migrate has written"},

    {"bios", "FILE", on_bios, "firmware to start instead of SeaBIOS"},
    {"boot", "[order=]cdn[,...]", on_boot,
     "order of devices; once=ORDER, menu=on, strict=on, splash-time=MS"},
    {"option-rom", "FILE[,...]", on_option_rom, "a ROM for SeaBIOS to start; bootindex=N"},
    {"L", "DIR", on_rom_dir, "look here for firmware and option ROMs first"},
    {"smbios", "type=N,FIELD=TEXT,...", on_smbios,
     "what the machine is called; type=11,value=TEXT"},
    {"uuid", "UUID", on_uuid, "the same as -smbios type=1,uuid=UUID"},
    {"acpitable", "file=FILE", on_acpitable, "one more ACPI table, as MSDM or SLIC"},
    {"fw_cfg", "NAME,file=FILE|string=TEXT", on_fw_cfg, "a file for firmware and guests to read"},

    {"", NULL, NULL, "The machine"},
    {"machine", "pc|q35[,smm=on|off]", on_machine,
     "the board (default pc), its system management mode; also -M; -machine help"},
    {"M", "pc|q35", on_machine, NULL},
    {"accel", "NAME[,...]", on_accel,
     "what executes the CPUs: auto, kvm, jit or interp; -accel help"},
    {"cpu", "MODEL", on_cpu, "CPU model[,+feature][,-feature] (default max); -cpu help"},
    {"smp", "N", on_smp, "number of CPUs, 1 to 64 (default 1)"},
    {"m", "SIZE", on_m, "memory, in MiB or with a suffix as in 2G (default 128M)"},
    {"icount", "shift=N[,...]", on_icount, "time by executed instructions, 2^N ns each; sleep=off"},
    {"rtc", "base=BASE", on_rtc, "time of day: utc (default), localtime or a date"},
    {"vga", "std|virtio|none", on_vga,
     "the graphics card: a VGA with VBE (default), a virtio GPU that is also a VGA, or none"},
    {"device", "NAME[,...]", on_device, "add a device; -device help, -device NAME,help"},
    {"usb", NULL, on_usb, "the board's USB 1.1 controllers; also -machine usb=on"},
    {"usbdevice", "NAME", on_usbdevice, "-usb, with a tablet, mouse or keyboard there"},
    {"netdev", "TYPE,id=ID[,...]", on_netdev, "add a network back end; -netdev help"},
    {"nic", "TYPE[,...]|none", on_nic, "the same with a card: model=NAME, mac=ADDRESS"},
    {"net", "nic|TYPE|none", on_net, NULL},
    {"object", "filter-dump,...", on_object,
     "write a network's frames to a file; rng-random,id=ID"},
    {"audiodev", "DRIVER,id=ID[,...]", on_audiodev,
     "where sound goes: wav, sdl or none; -audiodev help"},
    {"audio", "DRIVER,model=M[,...]", on_audio, "the same with a sound card: model=hda or ac97"},
    {"global", "DRIVER.PROP=VALUE", on_global, "for all devices of a kind, as in VGA.vgamem_mb=32"},

    {"", NULL, NULL, "Disks"},
    {"drive", "file=FILE[,...]", on_drive,
     "if=ide|virtio|scsi|floppy|none, format=raw|qcow2, media=cdrom, snapshot=on, cache="},
    {"virtfs", "local,path=DIR,...", on_virtfs,
     "a folder for the guest to mount: mount_tag=TAG, "
     "security_model=mapped-xattr|passthrough|none"},
    {"fsdev", "local,id=ID,...", on_fsdev,
     "the same for -device virtio-9p-pci,fsdev=ID,mount_tag=TAG"},
    {"blockdev", "driver=...", on_blockdev, "an image by node-name, for -device NAME,drive=NODE"},
    {"hda", "FILE", on_hda, "IDE disk 0; -hdb, -hdc and -hdd are the others"},
    {"hdb", "FILE", on_hdb, NULL},
    {"hdc", "FILE", on_hdc, NULL},
    {"hdd", "FILE", on_hdd, NULL},
    {"cdrom", "FILE", on_cdrom, "CD-ROM, as IDE drive 2"},
    {"fda", "FILE", on_fda, "floppy in the first drive; -fdb is the second"},
    {"fdb", "FILE", on_fdb, NULL},
    {"pflash", "FILE", on_pflash,
     "flash with firmware; a second one with its variables: -drive if=pflash,file=FILE"},
    {"snapshot", NULL, on_snapshot, "images stay as they are: writes go to temporary files"},

    {"", NULL, NULL, "Where its output goes"},
    {"nographic", NULL, on_nographic, "serial port and monitor on the terminal (default)"},
    {"serial", "DEV", on_serial, "next serial port, up to 4 (default mon:stdio)"},
    {"debugcon", "DEV", on_debugcon, "debug console, at port 0xe9"},
    {"qmp", "DEV", on_qmp, "machine interface in JSON (QMP), also -mon chardev=ID,mode=control"},
    {"mon", "chardev=ID[,...]", on_mon, NULL},
    {"monitor", "DEV", on_monitor, "a monitor there, up to 4; none: not on mon:stdio either"},
    {"chardev", "KIND,id=ID", on_chardev, "stdio, file, pty, socket or null, for DEV chardev:ID"},
    {"display", "sdl|curses|vnc=|none", on_display,
     "a window, text modes in the terminal, or neither (default)"},
    {"vnc", "[HOST]:N|unix:PATH", on_vnc, "a VNC server on port 5900 + N[,password=on][,to=N]"},
    {"k", "LAYOUT", on_keymap,
     "the guest's keyboard, as en-us (default), de or fr:bepo, for VNC and curses"},

    {"", NULL, NULL, "Debugging"},
    {"symbols", "FILE", on_symbols,
     "symbols for the monitor: vmlinux, System.map, a module or a folder of them, a program"},
    {"gdb", "DEV", on_gdb, "wait for gdb there, as in tcp::1234 or unix:PATH"},
    {"s", NULL, on_s, "the same as -gdb tcp::1234"},
    {"d", "ITEM[,...]", on_log, "write down what the guest does: int, exec, in_asm...; -d help"},
    {"D", "FILE", on_log_file, "where to, instead of standard error"},
    {"dfilter", "RANGE[,...]", on_log_filter,
     "only for instructions at A..B, A+SIZE or A-SIZE (before A)"},
    {"S", NULL, on_start_stopped, "do not start the CPUs: the monitor's cont or gdb does"},

    {"", NULL, NULL, "How it ends"},
    {"no-reboot", NULL, on_no_reboot, "exit instead of rebooting"},
    {"no-shutdown", NULL, on_no_shutdown, "stop instead of exiting on power-off"},
    {"action", "EVENT=WHAT[,...]", on_action,
     "reboot=, shutdown=, panic=, watchdog=: what becomes of the guest then"},
    {"watchdog-action", "WHAT", on_watchdog_action, NULL},

    {"", NULL, NULL, "As a process of the host"},
    {"name", "NAME[,process=P]", on_name, "what windows call the guest, and the process"},
    {"daemonize", NULL, on_daemonize, "go to the background once the guest starts"},
    {"pidfile", "FILE", on_pidfile, "write the PID there; the file goes when doppel ends"},

    {"readconfig", "FILE", on_readconfig,
     "options from a file of [group \"id\"] and key = \"value\""},

    {"", NULL, NULL, "For the host's profiler"},
    {"perfmap", NULL, on_perfmap, "name translated code in /tmp/perf-PID.map, for perf report"},
    {"jitdump", NULL, on_jitdump, "write it to ./jit-PID.dump, for perf inject --jit"},

    {"", NULL, NULL, "About doppel"},
    {"version", NULL, on_version, "print the version"},
    {"help", NULL, on_help, "this text; also -h"},
    {"h", NULL, on_help, NULL},
    /* Accepted because scripts give them; they ask for what is the case anyway. */
    {"nodefaults", NULL, on_nodefaults, NULL},
    {"no-user-config", NULL, ignore, NULL},
    {"no-hpet", NULL, on_no_hpet, NULL},
    {"msg", "timestamp=off", on_msg, NULL},
    {"overcommit", "mem-lock=off,cpu-pm=off", on_overcommit, NULL},
    {"sdl", NULL, on_sdl, NULL},
    {"full-screen", NULL, on_full_screen, NULL},
    {"parallel", "none", on_parallel, NULL},
    {"curses", NULL, on_curses, NULL},
    {"enable-kvm", NULL, on_enable_kvm, NULL},
};

/* QEMU's options that come later, each with the nearest thing there is. */
static const struct {
	const char *name, *nearest;
} later[] = {
    {"sd", "-initrd with a root file system in memory"},
    {"dtb", "-append"},
    {"shim", "-kernel"},
    {"spice", "-nographic"},
    {"soundhw", "-audio sdl,model=hda"},
    {"numa", "-smp"},
    {"mem-path", "-m"},
    {"mem-prealloc", "-m"},
    {"trace", "-d, or the monitor's trace"},
    {"watchdog", "-device i6300esb"},
    {"sandbox", "nothing"},
    {"no-acpi", "-append acpi=off, for Linux"},
};

static int refuse(struct parse *p, const char *word, const char *name)
{
	const char *names[sizeof(table) / sizeof(table[0]) + 1];
	const char *near;
	size_t n = 0;

	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
		if (strcmp(later[i].name, name) != 0)
			continue;
		if (strcmp(later[i].nearest, "nothing") == 0)
			return fail(p, "option %s is not supported yet; nothing here comes near it",
				    word);
		return fail(p, "option %s is not supported yet; the nearest is %s", word,
			    later[i].nearest);
	}
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].handle && table[i].help)
			names[n++] = table[i].name;
	names[n] = NULL;
	near = nearest_name(name, names);
	if (near)
		return fail(p, "option %s is not known; did you mean -%s?", word, near);
	return fail(p, "option %s is not known; -help lists the options", word);
}

/* By its name with one dash or two before it; or NULL. */
static const struct option *find_option(const char *word)
{
	if (word[0] != '-' || !word[1])
		return NULL;
	word += word[1] == '-' ? 2 : 1;
	for (size_t k = 0; k < sizeof(table) / sizeof(table[0]); k++)
		if (table[k].handle && strcmp(table[k].name, word) == 0)
			return &table[k];
	return NULL;
}

int options_apply(struct parse *p, const char *name, const char *arg)
{
	for (size_t k = 0; k < sizeof(table) / sizeof(table[0]); k++)
		if (table[k].handle && strcmp(table[k].name, name) == 0)
			return table[k].handle(p, arg);
	return fail(p, "option -%s is not known", name);
}

int options_arguments(const char *word)
{
	const struct option *o = find_option(word);

	return !o ? -1 : o->arg ? 1 : 0;
}

static int parse_one(struct parse *p, int argc, char **argv, int *i)
{
	const char *word = argv[*i];
	const struct option *o = find_option(word);

	if (!word[0] || strcmp(word, "-") == 0)
		return fail(p, "'%s' is neither an option nor a disk image", word);
	if (word[0] != '-')
		return on_hda(p, word);
	if (!o)
		return refuse(p, word, word + (word[1] == '-' ? 2 : 1));
	if (!o->arg)
		return o->handle(p, NULL);
	if (*i + 1 >= argc)
		return fail(p, "option %s needs an argument (%s)", word, o->arg);
	(*i)++;
	return o->handle(p, argv[*i]);
}

int options_parse(struct options *o, int argc, char **argv, char *err, size_t errlen)
{
	struct parse p = {.o = o, .err = err, .errlen = errlen};

	memset(o, 0, sizeof(*o));
	o->append = "";
	o->ram_size = 128ull << 20;
	o->cpus = 1;
	o->cpu = "max";
	o->accel = "auto";
	o->debugcon_port = 0xe9;
	o->board = &board_pc;
	o->vga = &vga_type;
	o->boot.menu_wait_ms = o->boot.fail_wait_ms = -1;
	err[0] = 0;
	for (int i = 1; i < argc; i++) {
		if (parse_one(&p, argc, argv, &i) < 0)
			return -1;
		/* Help ends the line, whatever follows. */
		if (o->action != ACT_RUN)
			return 0;
	}
	/* Without anything that could boot, firmware would only say so: the built-in guest starts. */
	o->firmware =
	    o->bios || (!o->kernel && (o->boot.given || o->drives.nr || o->nr_option_roms));
	if (!o->kernel && o->initrd)
		return fail(&p, "-initrd needs -kernel");
	if (o->nr_option_roms && !o->bios && o->kernel)
		return fail(&p, "-option-rom is for firmware to start: with -kernel, -bios "
				"bios-256k.bin starts that first");
	if (o->icount && o->cpus > 1)
		return fail(&p, "-icount works with one CPU only, and -smp asks for %u", o->cpus);
	if (!o->kernel && *o->append)
		return fail(&p, "-append needs -kernel");
	return finish_devices(&p);
}

static void tell_chardev(const struct chardev_spec *s, const char *label, unsigned n,
			 void (*fn)(void *opaque, const char *label, const char *file),
			 void *opaque)
{
	static const char *const kinds[] = {
	    [CHR_NULL] = "null",  [CHR_STDIO] = "stdio", [CHR_FILE] = "file:", [CHR_PTY] = "pty",
	    [CHR_UNIX] = "unix:", [CHR_TCP] = "tcp:",    [CHR_VC] = "vc"};
	char file[MAX_PATH_LEN + 80], name[48];

	if (s->kind == CHR_NONE)
		return;
	snprintf(file, sizeof(file), "%s%s%s%s%s", kinds[s->kind], s->path,
		 s->kind == CHR_TCP ? ":" : "", s->port, s->server ? ",server=on" : "");
	snprintf(name, sizeof(name), label, n);
	fn(opaque, *s->id ? s->id : name, file);
}

void options_chardevs(const struct options *o,
		      void (*fn)(void *opaque, const char *label, const char *file), void *opaque)
{
	for (unsigned n = 0; n < o->nr_serial; n++)
		tell_chardev(&o->serial[n], "serial%u", n, fn, opaque);
	for (unsigned n = 0; n < o->nr_debugcon; n++)
		tell_chardev(&o->debugcon[n].to, "debugcon%u", n, fn, opaque);
	for (unsigned n = 0; n < o->nr_qmp; n++)
		tell_chardev(&o->qmp[n], "compat_monitor%u", n, fn, opaque);
	for (unsigned n = 0; n < o->nr_monitors; n++)
		tell_chardev(&o->monitor[n], "monitor%u", n, fn, opaque);
	tell_chardev(&o->gdb, "gdb", 0, fn, opaque);
}

void options_help(void)
{
	printf(
	    "usage: doppel [options]\n"
	    "       doppel doctor [--json]    what this host can accelerate, and why not more\n"
	    "       doppel bench [...]        what each engine costs here (doppel bench --help)\n"
	    "       doppel img COMMAND [...]  make and change disk images (doppel img --help)\n"
	    "A full-system x86-64 PC emulator. Options are named as in QEMU and mean the same.\n"
	    "Without -kernel it boots the guest built into it.\n");
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char left[40];

		if (!table[i].help)
			continue;
		if (!table[i].handle) {
			printf("\n%s:\n", table[i].help);
			continue;
		}
		snprintf(left, sizeof(left), "-%s%s%s", table[i].name, table[i].arg ? " " : "",
			 table[i].arg ? table[i].arg : "");
		printf("  %-21s %s\n", left, table[i].help);
	}
	printf("\nDEV is [mon:]stdio, file:PATH, pty, vc, unix:PATH[,server[,nowait]], "
	       "tcp:HOST:PORT[,...],\n"
	       "telnet:HOST:PORT[,...], chardev:ID, null or none.\n"
	       "On mon:stdio: Ctrl-A x quits, Ctrl-A c switches to the monitor and back, Ctrl-A h\n"
	       "lists the keys.\n");
}
