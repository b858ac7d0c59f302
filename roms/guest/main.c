/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The prompt of the built-in guest.
 */
#include "guest.h"

/* xen/include/public/arch-x86/hvm/start_info.h, version 1 */
struct start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist, cmdline, rsdp, memmap;
	uint32_t memmap_entries, reserved;
};

struct mem_range {
	uint64_t base, size;
	uint32_t type, reserved;
};

static const struct start_info *boot;

static void cmd_mem(const char *arg)
{
	static const char *const types[] = {"?", "usable", "reserved", "ACPI", "ACPI NVS", "bad"};
	const struct mem_range *m = (const struct mem_range *)boot->memmap;
	uint64_t usable = 0;
	(void)arg;
	for (uint32_t n = 0; boot->version >= 1 && n < boot->memmap_entries; n++) {
		print("%016lx-%016lx  %s\n", m[n].base, m[n].base + m[n].size - 1,
		      m[n].type < 6 ? types[m[n].type] : "?");
		if (m[n].type == 1)
			usable += m[n].size;
	}
	print("%lu MiB usable\n", usable >> 20);
}

static void cmd_cpu(const char *arg)
{
	(void)arg;
	show_cpu();
}
static void cmd_pci(const char *arg)
{
	(void)arg;
	show_pci();
}
static void cmd_time(const char *arg)
{
	(void)arg;
	show_time();
}
static void cmd_acpi(const char *arg)
{
	(void)arg;
	acpi_list();
}
static void cmd_poweroff(const char *arg)
{
	(void)arg;
	acpi_poweroff();
}

static void cmd_reboot(const char *arg)
{
	(void)arg;
	outb(0xcf9, 6);
}

static void cmd_peek(const char *arg)
{
	const char *end;
	uint64_t at = parse_number(arg, &end) & ~15ull;
	if (end == arg || at > 0xfffffff0) {
		print("usage: peek ADDRESS (below 4 GiB; 0x for hexadecimal)\n");
		return;
	}
	for (unsigned line = 0; line < 4; line++, at += 16) {
		print("%08lx ", at);
		for (unsigned n = 0; n < 16; n++)
			print(" %02x", *(volatile uint8_t *)(at + n));
		print("\n");
	}
}

/* A loop of known length against the clock: instructions per second as the guest sees them. */
static void cmd_speed(const char *arg)
{
	const uint64_t rounds = 20000000;
	uint64_t x = 1, n = rounds, begin = rdtsc(), t0 = ticks();
	(void)arg;
	__asm__ volatile("1: imul $25, %0, %0\n\tadd $7, %0\n\tmov %0, %%rax\n\tshr $3, %%rax\n\t"
			 "xor %%rax, %0\n\tlea (%0,%0,2), %%rax\n\tadd %%rax, %0\n\t"
			 "dec %1\n\tjnz 1b"
			 : "+r"(x), "+r"(n)
			 :
			 : "rax", "cc");
	uint64_t cycles = rdtsc() - begin, took = ticks() - t0;
	print("%lu instructions, %lu TSC ticks", rounds * 9, cycles);
	if (took)
		print(", %lu million a second", rounds * 9 * TICK_HZ / took / 1000000);
	print("\n");
}

/* Faults on purpose; trap() prints the report and goes on at the label in rbx. */
static void cmd_fault(const char *arg)
{
	(void)arg;
	__asm__ volatile("movabsq $0x646f7070656c, %%rcx\n\tleaq 1f(%%rip), %%rbx\n\tud2\n1:" ::
			     : "rbx", "rcx", "memory");
}

static void cmd_help(const char *arg);

static const struct command {
	const char *name, *help;
	void (*run)(const char *arg);
} commands[] = {
    {"help", "this list", cmd_help},
    {"cpu", "vendor, model and features", cmd_cpu},
    {"mem", "memory map", cmd_mem},
    {"pci", "devices on the PCI bus", cmd_pci},
    {"acpi", "ACPI tables", cmd_acpi},
    {"time", "clock and uptime", cmd_time},
    {"speed", "instructions per second", cmd_speed},
    {"peek", "peek ADDRESS: 64 bytes of memory", cmd_peek},
    {"fault", "an invalid opcode and its register dump", cmd_fault},
    {"reboot", "reset the machine", cmd_reboot},
    {"poweroff", "switch the machine off", cmd_poweroff},
};

static void cmd_help(const char *arg)
{
	(void)arg;
	for (unsigned n = 0; n < sizeof(commands) / sizeof(commands[0]); n++)
		print("%-10s %s\n", commands[n].name, commands[n].help);
}

static void execute(char *line)
{
	while (*line == ' ')
		line++;
	char *arg = line;
	while (*arg && *arg != ' ')
		arg++;
	while (*arg == ' ')
		*arg++ = 0;
	if (!*line)
		return;
	for (unsigned n = 0; n < sizeof(commands) / sizeof(commands[0]); n++) {
		if (!str_cmp(line, commands[n].name)) {
			commands[n].run(arg);
			return;
		}
	}
	print("%s: no such command; try help\n", line);
}

void guest_main(const struct start_info *info)
{
	char line[80];
	boot = info;
	console_init();
	trap_init();
	acpi_init(info->rsdp);
	print("\ndoppel built-in guest: 64-bit mode, serial console\n\n");
	show_cpu();
	print("\n");
	cmd_mem("");
	print("\nType help for commands; Ctrl-A x leaves doppel.\n");
	for (;;) {
		print("guest> ");
		read_line(line, sizeof(line));
		execute(line);
	}
}
